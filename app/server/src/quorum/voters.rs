//! Who votes in the metadata quorum, as the log, its snapshots and the configuration say it.
//!
//! Under kraft.version 0 the voters stand in `controller.quorum.voters`; from 1 on they stand in control
//! records, and the last ones in the log count whether they are committed or not (KIP-853).

use std::collections::BTreeMap;

use ottla_base::{NodeId, Offset, Uuid};
use ottla_config::BrokerConfig;
use ottla_protocol::messages::voters_record::{Endpoint as WireEndpoint, KraftVersionFeature};
use ottla_protocol::messages::{KraftVersionRecord, VotersRecord, voters_record};
use ottla_protocol::{EncodeError, Reader, Writer};
use ottla_raft::{Endpoint, ReplicaKey, Voter, VoterSet};
use ottla_records::control::ControlType;

use super::error::QuorumError;

/// A change of the quorum at an offset of the log.
#[derive(Debug, Clone)]
struct Change {
    at: Offset,
    kraft_version: Option<i16>,
    voters: Option<VoterSet>,
}

/// Voters and `kraft.version` at every offset of the log that is kept.
#[derive(Debug, Clone)]
pub(crate) struct VoterHistory {
    fixed: VoterSet,
    changes: Vec<Change>,
}

impl VoterHistory {
    /// What the configuration alone says.
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        let listener = config.quorum.controller_listener_names.first();
        let name = listener.map_or_else(String::new, |name| name.to_uppercase());
        let voters = config.voters.iter().map(|voter| {
            let endpoint = Endpoint {
                name: name.clone(),
                host: voter.host.clone(),
                port: voter.port,
            };
            let voter_of = Voter {
                directory: Uuid::ZERO,
                endpoints: vec![endpoint],
                kraft_versions: (0, 0),
            };
            (voter.id, voter_of)
        });
        Self {
            fixed: VoterSet(voters.collect()),
            changes: Vec::new(),
        }
    }

    /// Takes in a control record; those that are not about voters change nothing.
    pub(crate) fn note(
        &mut self,
        at: Offset,
        kind: ControlType,
        body: &[u8],
    ) -> Result<(), QuorumError> {
        let bad = |error: &dyn std::fmt::Display| QuorumError::BadControlRecord {
            offset: at,
            reason: error.to_string(),
        };
        let mut reader = Reader::new(body);
        match kind {
            ControlType::KRaftVersion => {
                let record = KraftVersionRecord::decode(&mut reader, 0).map_err(|e| bad(&e))?;
                if !(0..=1).contains(&record.kraft_version) {
                    return Err(bad(&"a kraft.version of a later release"));
                }
                self.changes.push(Change {
                    at,
                    kraft_version: Some(record.kraft_version),
                    voters: None,
                });
            }
            ControlType::KRaftVoters => {
                let record = VotersRecord::decode(&mut reader, 0).map_err(|e| bad(&e))?;
                self.changes.push(Change {
                    at,
                    kraft_version: None,
                    voters: Some(from_record(&record)),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets what stood at or above `end`.
    pub(crate) fn truncate_to(&mut self, end: Offset) {
        self.changes.retain(|change| change.at < end);
    }

    /// `kraft.version` in the records below `end`.
    pub(crate) fn kraft_version_below(&self, end: Offset) -> i16 {
        let mut found = self.changes.iter().rev().filter(|change| change.at < end);
        found.find_map(|change| change.kraft_version).unwrap_or(0)
    }

    /// The voters that the records below `end` say; `None` if they stand in the configuration.
    pub(crate) fn recorded_below(&self, end: Offset) -> Option<&VoterSet> {
        let mut found = self.changes.iter().rev().filter(|change| change.at < end);
        found.find_map(|change| change.voters.as_ref())
    }

    /// `kraft.version` as the whole log says it.
    pub(crate) fn kraft_version(&self) -> i16 {
        self.kraft_version_below(Offset(i64::MAX))
    }

    /// The voters that count.
    pub(crate) fn voters(&self) -> &VoterSet {
        self.recorded_below(Offset(i64::MAX)).unwrap_or(&self.fixed)
    }

    /// Whether the log, or a snapshot of it, holds the voters; else only the first snapshot does.
    pub(crate) fn is_in_log(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|change| change.voters.is_some() && change.at >= Offset::ZERO)
    }

    /// Refuses a quorum that this node cannot serve: one that it is not in, or that has other voters.
    // Kafka differs: it talks to the other voters.
    pub(crate) fn check_alone(&self, local: ReplicaKey) -> Result<(), QuorumError> {
        let voters = self.voters();
        if voters.0.is_empty() {
            return Err(QuorumError::NoVoters);
        }
        if let Some(voter) = voters.0.get(&local.id) {
            if !voters.contains(&local) {
                return Err(QuorumError::OtherDirectory {
                    node: local.id,
                    voter: voter.directory,
                    found: local.directory,
                });
            }
        } else {
            return Err(QuorumError::NotAVoter {
                node: local.id,
                voters: ids(voters),
            });
        }
        if voters.0.len() > 1 {
            return Err(QuorumError::OtherVoters(ids(voters)));
        }
        Ok(())
    }
}

fn ids(voters: &VoterSet) -> String {
    let ids: Vec<String> = voters.0.keys().map(NodeId::to_string).collect();
    ids.join(", ")
}

fn from_record(record: &VotersRecord) -> VoterSet {
    let voters: BTreeMap<NodeId, Voter> = record
        .voters
        .iter()
        .map(|voter| {
            let endpoints = voter.endpoints.iter().map(|endpoint| Endpoint {
                name: endpoint.name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
            });
            let range = &voter.kraft_version_feature;
            let voter_of = Voter {
                directory: voter.voter_directory_id,
                endpoints: endpoints.collect(),
                kraft_versions: (range.min_supported_version, range.max_supported_version),
            };
            (NodeId(voter.voter_id), voter_of)
        })
        .collect();
    VoterSet(voters)
}

/// The body of a `KRaftVersion` control record.
pub(crate) fn kraft_version_body(kraft_version: i16) -> Result<Vec<u8>, EncodeError> {
    let record = KraftVersionRecord {
        kraft_version,
        ..KraftVersionRecord::default()
    };
    let mut writer = Writer::default();
    record.encode(&mut writer, 0)?;
    Ok(writer.buf)
}

/// The body of a `KRaftVoters` control record.
pub(crate) fn voters_body(voters: &VoterSet) -> Result<Vec<u8>, EncodeError> {
    let voters = voters.0.iter().map(|(id, voter)| voters_record::Voter {
        voter_id: id.0,
        voter_directory_id: voter.directory,
        endpoints: voter
            .endpoints
            .iter()
            .map(|endpoint| WireEndpoint {
                name: endpoint.name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
                ..WireEndpoint::default()
            })
            .collect(),
        kraft_version_feature: KraftVersionFeature {
            min_supported_version: voter.kraft_versions.0,
            max_supported_version: voter.kraft_versions.1,
            ..KraftVersionFeature::default()
        },
        ..voters_record::Voter::default()
    });
    let record = VotersRecord {
        voters: voters.collect(),
        ..VotersRecord::default()
    };
    let mut writer = Writer::default();
    record.encode(&mut writer, 0)?;
    Ok(writer.buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(voters: &str) -> BrokerConfig {
        let pairs = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("controller.quorum.voters", voters),
        ];
        let raw = pairs
            .into_iter()
            .filter(|(key, value)| {
                !value.is_empty()
                    && (voters.is_empty() || *key != "controller.quorum.bootstrap.servers")
            })
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        BrokerConfig::load(raw.collect()).unwrap()
    }

    fn set(ids: &[(i32, u8)]) -> VoterSet {
        let voter = |directory: u8| Voter {
            directory: Uuid([directory; 16]),
            endpoints: vec![Endpoint {
                name: "CONTROLLER".to_owned(),
                host: "localhost".to_owned(),
                port: 9093,
            }],
            kraft_versions: (0, 1),
        };
        VoterSet(ids.iter().map(|(id, d)| (NodeId(*id), voter(*d))).collect())
    }

    fn local() -> ReplicaKey {
        ReplicaKey {
            id: NodeId(1),
            directory: Uuid([7; 16]),
        }
    }

    #[test]
    fn last_record_counts_and_goes_with_the_log() {
        let mut history = VoterHistory::new(&config("1@localhost:9093"));
        assert_eq!(history.kraft_version(), 0);
        assert_eq!(history.check_alone(local()).ok(), Some(()));
        let version = kraft_version_body(1).unwrap();
        history
            .note(Offset(1), ControlType::KRaftVersion, &version)
            .unwrap();
        let (one, two) = (set(&[(1, 7)]), set(&[(1, 7), (2, 8)]));
        for (at, voters) in [(2, &one), (9, &two)] {
            let body = voters_body(voters).unwrap();
            history
                .note(Offset(at), ControlType::KRaftVoters, &body)
                .unwrap();
        }
        assert_eq!(history.voters(), &two);
        assert_eq!(history.recorded_below(Offset(9)), Some(&one));
        assert_eq!(history.recorded_below(Offset(2)), None);
        assert_eq!(history.kraft_version_below(Offset(1)), 0);
        history.truncate_to(Offset(9));
        assert_eq!(history.voters(), &one);
        assert_eq!(history.kraft_version(), 1);
    }

    #[test]
    fn only_a_quorum_of_this_node_is_served() {
        let refusal = |ids: &[(i32, u8)]| {
            let mut history = VoterHistory::new(&config(""));
            if !ids.is_empty() {
                let body = voters_body(&set(ids)).unwrap();
                history
                    .note(Offset(0), ControlType::KRaftVoters, &body)
                    .unwrap();
            }
            history.check_alone(local()).err().map(|e| e.to_string())
        };
        assert_eq!(refusal(&[(1, 7)]), None);
        for (ids, part) in [
            (&[][..], "no voters"),
            (&[(2, 7)][..], "is not a voter"),
            (&[(1, 8)][..], "directory"),
            (&[(1, 7), (2, 8)][..], "1, 2"),
        ] {
            let text = refusal(ids).expect("refused");
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn control_record_that_is_cut_off_is_refused() {
        let mut history = VoterHistory::new(&config(""));
        let body = voters_body(&set(&[(1, 7)])).unwrap();
        let cut = body.get(..body.len() - 3).unwrap();
        assert!(
            history
                .note(Offset(0), ControlType::KRaftVoters, cut)
                .is_err()
        );
    }
}
