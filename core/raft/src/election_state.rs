//! What must survive a restart so that nobody votes twice: the file `quorum-state`.
//!
//! One line of JSON. `data_version` 0 is kraft.version 0's, with fields that nobody reads any more; 1 has
//! the directory of the one voted for (KIP-853). Written whole, flushed and renamed, before any answer that
//! depends on it.

use ottla_base::{LeaderEpoch, NodeId, Uuid};
use serde_json::Value;
use thiserror::Error;

use crate::voters::ReplicaKey;

/// Longest file that is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElectionState {
    /// Current epoch.
    pub epoch: LeaderEpoch,
    /// Its leader, if known.
    pub leader: Option<NodeId>,
    /// Whom this node voted for in the epoch.
    pub voted: Option<ReplicaKey>,
}

/// A file that is no election state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ElectionStateError {
    /// Not JSON.
    #[error("quorum-state is not JSON: {0}")]
    NotJson(String),
    /// A version of tomorrow.
    #[error("quorum-state has an unknown version: data_version={0}")]
    UnknownVersion(i64),
    /// A field is absent or out of range.
    #[error("quorum-state has no valid field: field={0}")]
    BadField(&'static str),
}

impl ElectionState {
    /// Before the first election.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            epoch: LeaderEpoch(0),
            leader: None,
            voted: None,
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`ElectionStateError`]; the node must then not vote.
    pub fn parse(text: &str) -> Result<Self, ElectionStateError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| ElectionStateError::NotJson(error.to_string()))?;
        let version = json["data_version"].as_i64();
        let version = version.ok_or(ElectionStateError::BadField("data_version"))?;
        if !(0..=1).contains(&version) {
            return Err(ElectionStateError::UnknownVersion(version));
        }
        let number = |field: &'static str| {
            let value = json[field]
                .as_i64()
                .and_then(|value| i32::try_from(value).ok());
            value
                .filter(|value| *value >= -1)
                .ok_or(ElectionStateError::BadField(field))
        };
        let node = |id: i32| (id >= 0).then_some(NodeId(id));
        let epoch = number("leaderEpoch")?;
        if epoch < 0 {
            return Err(ElectionStateError::BadField("leaderEpoch"));
        }
        let directory = match json["votedDirectoryId"].as_str() {
            Some(text) => text
                .parse()
                .map_err(|_| ElectionStateError::BadField("votedDirectoryId"))?,
            None if version == 0 => Uuid::ZERO,
            None => return Err(ElectionStateError::BadField("votedDirectoryId")),
        };
        let voted = node(number("votedId")?).map(|id| ReplicaKey { id, directory });
        Ok(Self {
            epoch: LeaderEpoch(epoch),
            leader: node(number("leaderId")?),
            voted,
        })
    }

    /// The file's text, as Kafka writes it. `voters` are listed in version 0 only.
    #[must_use]
    pub fn format(&self, kraft_version: i16, voters: &[NodeId]) -> String {
        let id = |id: Option<NodeId>| id.map_or(-1, |id| id.0);
        let (leader, epoch) = (id(self.leader), self.epoch.0);
        let voted = id(self.voted.map(|key| key.id));
        if kraft_version == 0 {
            let list: Vec<String> = voters
                .iter()
                .map(|id| format!("{{\"voterId\":{}}}", id.0))
                .collect();
            return format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
                 \"appliedOffset\":0,\"currentVoters\":[{}],\"data_version\":0}}",
                list.join(",")
            );
        }
        let directory = self.voted.map_or(Uuid::ZERO, |key| key.directory);
        format!(
            "{{\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
             \"votedDirectoryId\":\"{directory}\",\"data_version\":1}}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Apache Kafka 4.4.0 wrote it.
    const OF_KAFKA: &str = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;

    #[test]
    fn file_of_kafka_is_read_and_written_byte_for_byte() {
        let state = ElectionState::parse(OF_KAFKA).expect("valid");
        let expected = ElectionState {
            epoch: LeaderEpoch(1),
            leader: Some(NodeId(1)),
            voted: None,
        };
        assert_eq!(state, expected);
        assert_eq!(state.format(1, &[]), OF_KAFKA);
    }

    #[test]
    fn old_version_lists_the_voters() {
        let voted = Some(ReplicaKey {
            id: NodeId(2),
            directory: Uuid::ZERO,
        });
        let state = ElectionState {
            epoch: LeaderEpoch(9),
            leader: None,
            voted,
        };
        let text = state.format(0, &[NodeId(1), NodeId(2)]);
        assert_eq!(
            text,
            r#"{"clusterId":"","leaderId":-1,"leaderEpoch":9,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}"#
        );
        assert_eq!(ElectionState::parse(&text), Ok(state));
    }

    #[test]
    fn damaged_file_is_refused() {
        let check = |text: &str, error: &ElectionStateError| {
            assert_eq!(ElectionState::parse(text).as_ref(), Err(error), "{text}");
        };
        assert!(matches!(
            ElectionState::parse("{"),
            Err(ElectionStateError::NotJson(_))
        ));
        check("{}", &ElectionStateError::BadField("data_version"));
        check(
            r#"{"data_version":2}"#,
            &ElectionStateError::UnknownVersion(2),
        );
        check(
            &OF_KAFKA.replace("\"leaderEpoch\":1", "\"leaderEpoch\":-1"),
            &ElectionStateError::BadField("leaderEpoch"),
        );
        check(
            &OF_KAFKA.replace("\"leaderId\":1", "\"leaderId\":99999999999"),
            &ElectionStateError::BadField("leaderId"),
        );
        check(
            &OF_KAFKA.replace("AAAAAAAAAAAAAAAAAAAAAA", "?"),
            &ElectionStateError::BadField("votedDirectoryId"),
        );
    }
}
