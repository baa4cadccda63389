//! The group coordinator: the members of consumer groups and the offsets they commit.
//!
//! One [`GroupCoordinator`] holds the groups of one partition of `__consumer_offsets`. What must survive
//! a restart, a group's last agreed generation and every committed offset, changes only through records:
//! a request puts them into [`GroupEffects`], the owner appends them and feeds each one to
//! [`GroupCoordinator::replay`]; after a change of leadership [`GroupCoordinator::load`] builds the same
//! state from the log. What a rebalance in progress knows, who waits and until when, is not in the log
//! and is lost with the leadership: members notice and join again.
//!
//! Does not know: partitions, connections, clocks, which topics exist, who may do what.
//!
//! KIPs: 62, 134, 211, 345, 394, 429, 447, 496, 516 (topic ids), 814.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod classic;
mod coordinator;
mod error;
mod offsets;
mod other_groups;
mod record_codec;
mod step;

pub use classic::{MAX_MEMBER_METADATA_BYTES, StaticReplacement, StoredAssignments, check_sync};
pub use coordinator::{Continuation, GroupCoordinator, GroupEffects};
pub use error::GroupError;
pub use offsets::{CommittedOffset, Committer, OffsetToCommit, PartitionOffset, TopicOffsets};
pub use other_groups::OtherGroupType;
pub use record_codec::{GroupRecord, RecordError};
pub use step::{Caller, GroupReply, Now};
