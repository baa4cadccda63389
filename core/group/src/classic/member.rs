//! A member of a classic group.

use ottla_base::MonoTime;
use ottla_coordinator::Ticket;
use ottla_protocol::messages::group_metadata_value::MemberMetadata;

/// A member. What it waits for, and until when it is heard of, is not in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// Names and metadata of the protocols that it supports, by preference.
    pub(crate) protocols: Vec<(String, Vec<u8>)>,
    pub(crate) assignment: Vec<u8>,
    /// The JoinGroup that waits for the rebalance.
    pub(crate) join: Option<Ticket>,
    /// The SyncGroup that waits for the leader.
    pub(crate) sync: Option<Ticket>,
    /// When it expires. While a request of it waits it cannot, unless it is new: see `is_new`.
    pub(crate) deadline: Option<MonoTime>,
    /// It does not know its id yet, so it sends no heartbeats; if its client goes away nothing else
    /// tells, and so it expires even while its JoinGroup waits.
    pub(crate) is_new: bool,
}

impl Member {
    /// Its metadata for a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Option<&[u8]> {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, metadata)| metadata.as_slice())
    }

    /// The protocol that it likes best among `candidates`.
    pub(crate) fn vote<'a>(&'a self, candidates: &[&str]) -> Option<&'a str> {
        self.protocols
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| candidates.contains(name))
    }

    /// Whether silence until now is excused.
    pub(crate) fn is_excused(&self) -> bool {
        !self.is_new && (self.join.is_some() || self.sync.is_some())
    }

    /// Restores a member from the log; the protocol is the one that its group agreed on.
    pub(crate) fn from_record(record: &MemberMetadata, protocol: &str) -> Self {
        let rebalance_timeout_ms = if record.rebalance_timeout == -1 {
            record.session_timeout
        } else {
            record.rebalance_timeout
        };
        Self {
            instance_id: record.group_instance_id.clone(),
            client_id: record.client_id.clone(),
            client_host: record.client_host.clone(),
            rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout,
            protocols: vec![(protocol.to_owned(), record.subscription.clone())],
            assignment: record.assignment.clone(),
            join: None,
            sync: None,
            deadline: None,
            is_new: false,
        }
    }
}
