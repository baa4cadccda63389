//! Registration, heartbeats and departure of brokers and controllers.

use std::collections::BTreeSet;

use ottla_base::{BrokerEpoch, NodeId};
use ottla_metadata::features::{FEATURES, KRAFT_VERSION, METADATA_VERSION};
use ottla_metadata::{BrokerRegistration, MetadataRecord, VersionRange, VersionedRecord};
use ottla_protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationChangeRecord,
    BrokerRegistrationRequest, BrokerRegistrationResponse, ControllerRegistrationRequest,
    ControllerRegistrationResponse, RegisterBrokerRecord, RegisterControllerRecord,
    UnregisterBrokerRecord, UnregisterBrokerRequest, UnregisterBrokerResponse,
    UnregisterControllerRecord, UnregisterControllerRequest, UnregisterControllerResponse,
    register_broker_record, register_controller_record,
};

use crate::context::{Context, Outcome, UserRecords};
use crate::controller::Controller;
use crate::heartbeat::{BrokerState, Wish};
use crate::refusal::{BrokerRefusal, Refusal};

/// From this version on a registration tells the epoch of the last clean shutdown (KIP-966).
const REGISTRATION_WITH_PREVIOUS_EPOCH: i16 = 3;

/// In a registration change.
const FENCED: i8 = 1;
const UNFENCED: i8 = -1;
const IN_CONTROLLED_SHUTDOWN: i8 = 1;

impl Controller {
    /// Registers a broker, which gets the offset of the registration as its epoch. A broker that asks
    /// again as the same process keeps epoch and state.
    ///
    /// # Errors
    /// [`BrokerRefusal`] if another process with that id is alive, or the broker does not fit.
    pub fn broker_registration(
        &self,
        ctx: &Context<'_>,
        request: &BrokerRegistrationRequest,
    ) -> Result<Outcome<BrokerRegistrationResponse>, Refusal> {
        if request.cluster_id != self.config.cluster_id {
            return Err(BrokerRefusal::ClusterId {
                expected: self.config.cluster_id.clone(),
                found: request.cluster_id.clone(),
            }
            .into());
        }
        let id = NodeId(request.broker_id);
        let existing = self.image.cluster.broker(id);
        let same_process = existing.filter(|b| b.incarnation_id == request.incarnation_id);
        if let Some(existing) = existing
            && same_process.is_none()
            && self.has_session(existing, ctx)
        {
            return Err(BrokerRefusal::Duplicate.into());
        }
        if request.is_migrating_zk_broker {
            return Err(BrokerRefusal::ZooKeeper.into());
        }
        let knows_directories = self.metadata_version().supports_directory_assignment();
        if knows_directories {
            self.check_directories(request)?;
        }
        self.check_features(request)?;

        let mut records = Vec::new();
        let mut record = RegisterBrokerRecord {
            broker_id: request.broker_id,
            incarnation_id: request.incarnation_id,
            end_points: request
                .listeners
                .iter()
                .map(|listener| register_broker_record::BrokerEndpoint {
                    name: listener.name.clone(),
                    host: listener.host.clone(),
                    port: listener.port,
                    security_protocol: listener.security_protocol,
                    ..Default::default()
                })
                .collect(),
            features: request
                .features
                .iter()
                .map(|feature| register_broker_record::BrokerFeature {
                    name: feature.name.clone(),
                    min_supported_version: feature.min_supported_version,
                    max_supported_version: feature.max_supported_version,
                    ..Default::default()
                })
                .collect(),
            rack: request.rack.clone(),
            log_dirs: if knows_directories {
                request.log_dirs.clone()
            } else {
                Vec::new()
            },
            ..RegisterBrokerRecord::default()
        };
        if let Some(existing) = same_process {
            record.fenced = existing.fenced;
            record.in_controlled_shutdown = existing.in_controlled_shutdown;
            record.broker_epoch = existing.epoch.0;
        } else {
            let clean = ctx.api_version >= REGISTRATION_WITH_PREVIOUS_EPOCH
                && existing.is_some_and(|b| b.epoch.0 == request.previous_broker_epoch);
            self.forget_incarnation(id, clean, &mut records);
            record.broker_epoch = ctx.next_offset.0;
        }
        let broker_epoch = record.broker_epoch;
        records.push(MetadataRecord::from(record).at(self.metadata_version()));
        let reply = BrokerRegistrationResponse {
            broker_epoch,
            ..Default::default()
        };
        Ok(Outcome::new(records, reply))
    }

    /// Whether the process that registered is still heard of.
    ///
    /// Kafka differs: it lets a broker that was killed wait for the end of its old session even where
    /// broker and controller are one process. Here the broker with the controller's own id is this very
    /// process, so the one that registered before is gone.
    fn has_session(&self, broker: &BrokerRegistration, ctx: &Context<'_>) -> bool {
        let timeout = self.config.broker_session_timeout;
        broker.id != self.config.node_id
            && self
                .heartbeats
                .has_session(broker.id, broker.epoch, ctx.now, timeout)
    }

    fn check_directories(&self, request: &BrokerRegistrationRequest) -> Result<(), BrokerRefusal> {
        if request.log_dirs.is_empty() {
            return Err(BrokerRefusal::NoDirectories);
        }
        if request.log_dirs.iter().any(ottla_base::Uuid::is_reserved) {
            return Err(BrokerRefusal::ReservedDirectory);
        }
        let distinct: BTreeSet<_> = request.log_dirs.iter().collect();
        if distinct.len() != request.log_dirs.len() {
            return Err(BrokerRefusal::DuplicateDirectory);
        }
        for other in self.image.cluster.brokers.values() {
            let taken = other.directories.iter().find(|id| distinct.contains(id));
            if let Some(&directory) = taken
                && other.id.0 != request.broker_id
            {
                return Err(BrokerRefusal::DirectoryTaken {
                    broker: other.id,
                    directory,
                });
            }
        }
        Ok(())
    }

    /// A broker must know the level of every finalized feature.
    fn check_features(&self, request: &BrokerRegistrationRequest) -> Result<(), BrokerRefusal> {
        let check = |feature: &str, range: VersionRange| {
            let finalized = match feature {
                KRAFT_VERSION => self.kraft_version,
                _ => self.image.features.level(feature),
            };
            if range.contains(finalized) {
                return Ok(());
            }
            Err(BrokerRefusal::UnsupportedFeature {
                feature: feature.to_owned(),
                finalized,
                min: range.min,
                max: range.max,
            })
        };
        for feature in &request.features {
            let range = VersionRange {
                min: feature.min_supported_version,
                max: feature.max_supported_version,
            };
            check(&feature.name, range)?;
        }
        let names = |name: &str| request.features.iter().any(|feature| feature.name == name);
        if !names(METADATA_VERSION) {
            return Err(BrokerRefusal::NoMetadataVersion);
        }
        let unnamed = FEATURES.iter().filter(|feature| !names(feature.name));
        unnamed
            .into_iter()
            .try_for_each(|f| check(f.name, VersionRange { min: 0, max: 0 }))
    }

    /// Answers a heartbeat: unfences a broker that has caught up, fences one that asks for it, moves
    /// leaders away from one that wants to stop.
    ///
    /// # Errors
    /// [`BrokerRefusal::StaleEpoch`] or [`BrokerRefusal::NoRegistration`].
    pub fn broker_heartbeat(
        &mut self,
        ctx: &Context<'_>,
        request: &BrokerHeartbeatRequest,
    ) -> Result<Outcome<BrokerHeartbeatResponse>, Refusal> {
        let id = NodeId(request.broker_id);
        self.check_broker_epoch(id, request.broker_epoch)?;
        self.heartbeats
            .contact(id, BrokerEpoch(request.broker_epoch), ctx.now);
        let registered_at = self
            .heartbeats
            .registration_offset(id)
            .ok_or(BrokerRefusal::NoRegistration(id))?;
        let wish = Wish {
            fence: request.want_fence,
            shut_down: request.want_shut_down,
            metadata_offset: request.current_metadata_offset,
        };
        let leads = self.index.has_leaderships(id);
        let (present, next) = self.heartbeats.next_state(id, wish, registered_at, leads);
        let mut records = Vec::new();
        if present != next {
            match next {
                BrokerState::Fenced | BrokerState::ShutdownNow => self.fence(id, &mut records),
                BrokerState::Unfenced => self.unfence(id, &mut records),
                BrokerState::ControlledShutdown => {
                    self.begin_controlled_shutdown(id, &mut records);
                }
            }
        }
        self.heartbeats
            .touch(id, next.is_fenced(), request.current_metadata_offset);
        if self.metadata_version().supports_directory_assignment() {
            self.note_offline_directories(id, request, &mut records);
        }
        if self.metadata_version().supports_cordoned_log_dirs() {
            self.note_cordoned_directories(id, request, &mut records);
        }
        if next == BrokerState::ControlledShutdown {
            let count = i64::try_from(records.len()).expect("a count fits 63 bits");
            self.heartbeats
                .controlled_shutdown(id, ctx.next_offset.0 + count - 1);
        }
        let reply = BrokerHeartbeatResponse {
            is_caught_up: request.current_metadata_offset >= registered_at.0,
            is_fenced: next.is_fenced(),
            should_shut_down: next == BrokerState::ShutdownNow,
            ..BrokerHeartbeatResponse::default()
        };
        Ok(Outcome::new(records, reply))
    }

    /// Checks that a request comes from the registration that counts.
    pub(crate) fn check_broker_epoch(&self, id: NodeId, epoch: i64) -> Result<(), BrokerRefusal> {
        match self.image.cluster.broker(id) {
            None => Err(BrokerRefusal::NoRegistration(id)),
            Some(broker) if broker.epoch.0 != epoch => Err(BrokerRefusal::StaleEpoch {
                expected: broker.epoch.0,
                found: epoch,
            }),
            Some(_) => Ok(()),
        }
    }

    fn registration_change(
        &self,
        id: NodeId,
        change: BrokerRegistrationChangeRecord,
    ) -> VersionedRecord {
        let epoch = self
            .image
            .cluster
            .broker(id)
            .map_or(-1, |broker| broker.epoch.0);
        let change = BrokerRegistrationChangeRecord {
            broker_id: id.0,
            broker_epoch: epoch,
            ..change
        };
        MetadataRecord::from(change).at(self.metadata_version())
    }

    /// Takes leadership and ISR membership from a broker and fences it.
    pub(crate) fn fence(&self, id: NodeId, records: &mut Vec<VersionedRecord>) {
        self.leave_isrs(id, records);
        let change = BrokerRegistrationChangeRecord {
            fenced: FENCED,
            ..Default::default()
        };
        records.push(self.registration_change(id, change));
    }

    fn unfence(&self, id: NodeId, records: &mut Vec<VersionedRecord>) {
        let change = BrokerRegistrationChangeRecord {
            fenced: UNFENCED,
            ..Default::default()
        };
        records.push(self.registration_change(id, change));
        self.elect_for_leaderless(id, records);
    }

    fn begin_controlled_shutdown(&self, id: NodeId, records: &mut Vec<VersionedRecord>) {
        if !self
            .image
            .cluster
            .broker(id)
            .is_some_and(|broker| broker.in_controlled_shutdown)
        {
            let change = BrokerRegistrationChangeRecord {
                in_controlled_shutdown: IN_CONTROLLED_SHUTDOWN,
                ..Default::default()
            };
            records.push(self.registration_change(id, change));
        }
        self.leave_isrs(id, records);
    }

    fn note_offline_directories(
        &self,
        id: NodeId,
        request: &BrokerHeartbeatRequest,
        records: &mut Vec<VersionedRecord>,
    ) {
        let Some(broker) = self.image.cluster.broker(id) else {
            return;
        };
        let is_offline = |directory| request.offline_log_dirs.contains(directory);
        let (offline, online): (Vec<_>, Vec<_>) =
            broker.directories.iter().partition(|d| is_offline(*d));
        if offline.is_empty() {
            return;
        }
        for directory in offline {
            self.leave_isrs_of_directory(id, directory, records);
        }
        let change = BrokerRegistrationChangeRecord {
            log_dirs: online,
            ..Default::default()
        };
        records.push(VersionedRecord {
            version: 2,
            ..self.registration_change(id, change)
        });
    }

    fn note_cordoned_directories(
        &self,
        id: NodeId,
        request: &BrokerHeartbeatRequest,
        records: &mut Vec<VersionedRecord>,
    ) {
        let (Some(broker), Some(told)) =
            (self.image.cluster.broker(id), &request.cordoned_log_dirs)
        else {
            return;
        };
        let set = |ids: &[ottla_base::Uuid]| ids.iter().copied().collect::<BTreeSet<_>>();
        let known = broker.cordoned_directories.as_deref().map(set);
        if known != Some(set(told)) {
            let change = BrokerRegistrationChangeRecord {
                cordoned_log_dirs: Some(told.clone()),
                ..Default::default()
            };
            records.push(self.registration_change(id, change));
        }
    }

    /// Forgets a broker.
    ///
    /// # Errors
    /// [`BrokerRefusal::NotRegistered`].
    pub fn unregister_broker(
        &self,
        request: &UnregisterBrokerRequest,
    ) -> Result<Outcome<UnregisterBrokerResponse>, Refusal> {
        let id = NodeId(request.broker_id);
        let broker = self
            .image
            .cluster
            .broker(id)
            .ok_or(BrokerRefusal::NotRegistered(id))?;
        let mut records = Vec::new();
        self.leave_isrs_and_elrs(id, &mut records);
        let record = UnregisterBrokerRecord {
            broker_id: id.0,
            broker_epoch: broker.epoch.0,
            ..UnregisterBrokerRecord::default()
        };
        records.push(MetadataRecord::from(record).at(self.metadata_version()));
        let mut bounded = UserRecords::default();
        bounded.extend(records)?;
        Ok(Outcome::new(
            bounded.into_vec(),
            UnregisterBrokerResponse::default(),
        ))
    }

    /// Registers a controller (KIP-919).
    ///
    /// # Errors
    /// [`BrokerRefusal::TooOldFor`] before `metadata.version` 15.
    pub fn controller_registration(
        &self,
        request: &ControllerRegistrationRequest,
    ) -> Result<Outcome<ControllerRegistrationResponse>, Refusal> {
        if !self.metadata_version().supports_controller_registration() {
            return Err(BrokerRefusal::TooOldFor("controller registrations").into());
        }
        let record = RegisterControllerRecord {
            controller_id: request.controller_id,
            incarnation_id: request.incarnation_id,
            zk_migration_ready: false,
            end_points: request
                .listeners
                .iter()
                .map(|listener| register_controller_record::ControllerEndpoint {
                    name: listener.name.clone(),
                    host: listener.host.clone(),
                    port: listener.port,
                    security_protocol: listener.security_protocol,
                    ..Default::default()
                })
                .collect(),
            features: request
                .features
                .iter()
                .map(|feature| register_controller_record::ControllerFeature {
                    name: feature.name.clone(),
                    min_supported_version: feature.min_supported_version,
                    max_supported_version: feature.max_supported_version,
                    ..Default::default()
                })
                .collect(),
            ..RegisterControllerRecord::default()
        };
        let records = vec![MetadataRecord::from(record).at(self.metadata_version())];
        Ok(Outcome::atomic(
            records,
            ControllerRegistrationResponse::default(),
        ))
    }

    /// Forgets a controller (KIP-1312).
    ///
    /// # Errors
    /// [`BrokerRefusal::TooOldFor`] before `metadata.version` 33;
    /// [`BrokerRefusal::ControllerNotRegistered`].
    pub fn unregister_controller(
        &self,
        request: &UnregisterControllerRequest,
    ) -> Result<Outcome<UnregisterControllerResponse>, Refusal> {
        if !self.metadata_version().supports_controller_unregistration() {
            return Err(BrokerRefusal::TooOldFor("controller unregistration").into());
        }
        let id = NodeId(request.controller_id);
        if !self.image.cluster.controllers.contains_key(&id) {
            return Err(BrokerRefusal::ControllerNotRegistered(id).into());
        }
        let record = UnregisterControllerRecord {
            controller_id: id.0,
            ..UnregisterControllerRecord::default()
        };
        let records = vec![MetadataRecord::from(record).at(self.metadata_version())];
        Ok(Outcome::atomic(
            records,
            UnregisterControllerResponse::default(),
        ))
    }
}
