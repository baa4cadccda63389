//! Carries out what the raft machine asks for, in its order: what stands after `Persist` leaves this node
//! when that is durable, never before.

use ottla_base::{LeaderEpoch, NodeId, Offset};
use ottla_controller::Controller;
use ottla_metadata::MetadataImage;
use ottla_protocol::Writer;
use ottla_protocol::messages::LeaderChangeMessage;
use ottla_protocol::messages::leader_change_message::Voter;
use ottla_raft::Effect;
use ottla_raft::message::Message;
use ottla_records::control::ControlType;

use super::error::QuorumError;
use super::handle::{DecideError, Decided};
use super::publish::LogEntry;
use super::round::Round;
use super::thread::Quorum;
use super::voters::{kraft_version_body, voters_body};

/// The way to the other voters.
pub(crate) trait Outbox: Send {
    /// Sends, or loses, a message.
    fn send(&mut self, to: NodeId, message: &Message);
}

/// Loses every message: a quorum that has other voters is refused when it is opened, so there is nobody
/// to send to.
#[derive(Debug, Default)]
pub(crate) struct NobodyElse;

impl Outbox for NobodyElse {
    fn send(&mut self, to: NodeId, message: &Message) {
        tracing::warn!(voter = to.0, ?message, "other voters cannot be reached yet");
    }
}

impl Quorum {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), QuorumError> {
        for effect in effects {
            match effect {
                Effect::Persist(state) => {
                    let voters: Vec<NodeId> = self.raft.voters().0.keys().copied().collect();
                    let kraft_version = self.voters.kraft_version();
                    self.log.write_state(&state, kraft_version, &voters)?;
                    self.status.set_leader(state.epoch, state.leader);
                }
                Effect::Send(to, message) => self.outbox.send(to, &message),
                Effect::BecameLeader(epoch) => self.lead(epoch)?,
                Effect::LostLeadership(epoch) => self.stop_leading(epoch),
                Effect::TruncateTo(end) => {
                    self.log.truncate_to(end)?;
                    self.publisher.truncate_to(end);
                    self.voters.truncate_to(end);
                    self.meant_end = self.meant_end.min(end);
                    let mut more = Vec::new();
                    self.raft.fetch_again(&self.log, &mut more);
                    self.carry_out(more)?;
                }
                Effect::HighWatermark(high_watermark) => {
                    self.publisher.commit(high_watermark)?;
                    self.status.set_high_watermark(high_watermark);
                }
            }
        }
        Ok(())
    }

    /// Begins to lead: the epoch's first record, then the controller over everything in the log, then its
    /// first records.
    fn lead(&mut self, epoch: LeaderEpoch) -> Result<(), QuorumError> {
        tracing::info!(epoch = epoch.0, "this node leads the metadata quorum");
        self.log.begin_epoch(epoch)?;
        self.append_leader_change(epoch)?;
        let controller = self.new_controller()?;
        self.status.set_kraft_version(self.voters.kraft_version());
        let first = controller.activation_records(&self.bootstrap)?;
        self.controller = Some(controller);
        self.round = Some(Round::new(&self.log, epoch, self.env.clock.wall()));
        let decided = Decided {
            records: first.records,
            atomic: first.atomic,
        };
        self.add(decided)?
            .map_err(|unfit| QuorumError::Append(DecideError::from(unfit).to_string()))
    }

    /// A controller that knows everything in the log, and is active.
    pub(super) fn new_controller(&self) -> Result<Controller, QuorumError> {
        let image = MetadataImage::clone(self.publisher.image());
        let schema = Box::new(self.schema.clone());
        let mut controller = Controller::from_image(self.controller_config.clone(), schema, image);
        for (offset, record) in self.publisher.pending() {
            controller
                .replay(offset, record)
                .map_err(|source| QuorumError::Replay { offset, source })?;
        }
        controller.set_kraft_version(self.voters.kraft_version());
        controller.activate(self.env.clock.mono());
        Ok(controller)
    }

    /// The record that begins an epoch. What only the first snapshot knows of the quorum is put into the
    /// log with it, so that it reaches everybody who reads the log.
    fn append_leader_change(&mut self, epoch: LeaderEpoch) -> Result<(), QuorumError> {
        let local = self.controller_config.node_id;
        let voter = |id: NodeId| Voter {
            voter_id: id.0,
            ..Voter::default()
        };
        let message = LeaderChangeMessage {
            leader_id: local.0,
            voters: self.raft.voters().0.keys().copied().map(voter).collect(),
            granting_voters: vec![voter(local)],
            ..LeaderChangeMessage::default()
        };
        let mut writer = Writer::default();
        message.encode(&mut writer, 0)?;
        let mut records = vec![(ControlType::LeaderChange, writer.buf)];
        if self.voters.kraft_version() > 0 && !self.voters.is_in_log() {
            let version = kraft_version_body(self.voters.kraft_version())?;
            records.push((ControlType::KRaftVersion, version));
            records.push((ControlType::KRaftVoters, voters_body(self.voters.voters())?));
        }
        let (base, now) = (self.log.end(), self.env.clock.wall());
        let borrowed: Vec<(ControlType, &[u8])> = records
            .iter()
            .map(|(kind, body)| (*kind, body.as_slice()))
            .collect();
        self.log.append_control(epoch, now, &borrowed)?;
        self.meant_end = self.log.end();
        for (offset, (kind, body)) in (base.0..).map(Offset).zip(borrowed) {
            self.voters.note(offset, kind, body)?;
            self.publisher.push(LogEntry {
                offset,
                epoch,
                time: now,
                bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
                record: None,
            });
        }
        Ok(())
    }

    fn stop_leading(&mut self, epoch: LeaderEpoch) {
        tracing::info!(
            epoch = epoch.0,
            "this node leads the metadata quorum no more"
        );
        self.controller = None;
        self.round = None;
        self.fail_waiting(&DecideError::NotController);
        self.status
            .set_leader(self.raft.epoch(), self.raft.leader());
    }
}
