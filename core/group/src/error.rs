//! Why the coordinator refuses.

use ottla_protocol::ErrorCode;

/// A refusal, in the words of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The group id is empty where none may be.
    #[error("group id is empty")]
    InvalidGroupId,
    /// There is no such group.
    #[error("group does not exist")]
    GroupNotFound,
    /// The group has members.
    #[error("group is not empty")]
    NonEmptyGroup,
    /// The group has as many members as it may have.
    #[error("group has as many members as it may have")]
    GroupFull,
    /// The group is of another kind.
    #[error("group is of another kind")]
    OtherGroupType,
    /// The session timeout is out of the broker's range.
    #[error("session timeout is out of range")]
    InvalidSessionTimeout,
    /// No protocol type, no protocols, or none that all members support.
    #[error("no protocol is supported by every member")]
    InconsistentProtocol,
    /// The member is to join again with the id that goes with this refusal (KIP-394).
    #[error("member has to join again with its id")]
    MemberIdRequired,
    /// The group has no such member.
    #[error("member is not known")]
    UnknownMember,
    /// Another member has taken over the instance id (KIP-345).
    #[error("instance id belongs to another member")]
    FencedInstance,
    /// The generation is not the group's.
    #[error("generation is not the group's")]
    IllegalGeneration,
    /// The group is rebalancing.
    #[error("group is rebalancing")]
    RebalanceInProgress,
    /// More metadata goes with an offset than may.
    #[error("metadata of an offset is too large")]
    OffsetMetadataTooLarge,
    /// A member of the group reads the topic.
    #[error("group is subscribed to the topic")]
    SubscribedToTopic,
    /// A transaction is going to change the offset.
    #[error("an open transaction may change the offset")]
    UnstableOffset,
    /// The partition of the group is still being read.
    #[error("coordinator is loading")]
    LoadInProgress,
    /// Another node leads the partition of the group, or this one cannot write to it.
    #[error("not the coordinator of the group")]
    NotCoordinator,
    /// The records could not be committed in time, or the coordinator is at a limit.
    #[error("coordinator is not available")]
    NotAvailable,
    /// The records of the request do not fit into one batch, or cannot be written.
    #[error("records cannot be written")]
    Unwritable,
}

impl GroupError {
    /// Kafka's code.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::InvalidGroupId => ErrorCode::InvalidGroupId,
            Self::GroupNotFound => ErrorCode::GroupIdNotFound,
            Self::NonEmptyGroup => ErrorCode::NonEmptyGroup,
            Self::GroupFull => ErrorCode::GroupMaxSizeReached,
            Self::OtherGroupType | Self::InconsistentProtocol => {
                ErrorCode::InconsistentGroupProtocol
            }
            Self::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
            Self::MemberIdRequired => ErrorCode::MemberIdRequired,
            Self::UnknownMember => ErrorCode::UnknownMemberId,
            Self::FencedInstance => ErrorCode::FencedInstanceId,
            Self::IllegalGeneration => ErrorCode::IllegalGeneration,
            Self::RebalanceInProgress => ErrorCode::RebalanceInProgress,
            Self::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
            Self::SubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
            Self::UnstableOffset => ErrorCode::UnstableOffsetCommit,
            Self::LoadInProgress => ErrorCode::CoordinatorLoadInProgress,
            Self::NotCoordinator => ErrorCode::NotCoordinator,
            Self::NotAvailable => ErrorCode::CoordinatorNotAvailable,
            Self::Unwritable => ErrorCode::UnknownServerError,
        }
    }
}
