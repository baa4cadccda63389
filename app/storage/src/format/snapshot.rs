//! The snapshot that the metadata log of a new cluster starts from (KIP-1170).

use ottla_base::{LeaderEpoch, Offset, WallMillis};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::voters_record::{Endpoint, KraftVersionFeature, Voter};
use ottla_protocol::messages::{
    FeatureLevelRecord, KraftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord,
};
use ottla_protocol::{EncodeError, Writer};
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_records::control::{ControlType, quorum_batch};

use super::error::FormatError;
use super::plan::Plan;

/// The snapshot `0-0`: a control batch that opens it and names the voters, the levels of the features,
/// a control batch that closes it.
///
/// # Errors
/// If a name is longer than the format allows.
pub(super) fn bootstrap_snapshot(plan: &Plan, now: WallMillis) -> Result<Vec<u8>, FormatError> {
    let mut opening = vec![(
        ControlType::SnapshotHeader,
        encode(|w| {
            let header = SnapshotHeaderRecord {
                last_contained_log_timestamp: now.0,
                ..SnapshotHeaderRecord::default()
            };
            header.encode(w, 0)
        })?,
    )];
    let kraft_version = plan.levels.kraft_version();
    if kraft_version > 0 {
        let record = KraftVersionRecord {
            kraft_version,
            ..KraftVersionRecord::default()
        };
        opening.push((ControlType::KRaftVersion, encode(|w| record.encode(w, 0))?));
        if let Some(voters) = voters_record(plan) {
            opening.push((ControlType::KRaftVoters, encode(|w| voters.encode(w, 0))?));
        }
    }
    let footer = encode(|w| SnapshotFooterRecord::default().encode(w, 0))?;

    let mut compressor = Compressor::new();
    let mut bytes = Vec::new();
    let mut control = |offset, records: &[(ControlType, Vec<u8>)], bytes: &mut Vec<u8>| {
        let records: Vec<(ControlType, &[u8])> = records
            .iter()
            .map(|(kind, body)| (*kind, body.as_slice()))
            .collect();
        let batch = quorum_batch(offset, EPOCH, now, &records)?;
        batch
            .build_into(&mut compressor, bytes)
            .map(|_| batch.next_offset())
    };
    let offset = control(Offset::ZERO, &opening, &mut bytes)?;
    let mut batch = BatchBuilder::new(offset).leader_epoch(EPOCH);
    let levels = plan.levels.records().into_iter();
    let levels = levels.map(|(name, feature_level)| {
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.to_owned(),
            feature_level,
            ..FeatureLevelRecord::default()
        })
    });
    let users = plan.scram.iter().cloned();
    for record in levels.chain(users.map(MetadataRecord::UserScramCredential)) {
        let mut value = Vec::new();
        record
            .at(plan.levels.metadata_version)
            .encode_framed(&mut value)?;
        batch.append(now, None, Some(&value))?;
    }
    let offset = batch.next_offset();
    batch.build_into(&mut Compressor::new(), &mut bytes)?;
    control(offset, &[(ControlType::SnapshotFooter, footer)], &mut bytes)?;
    Ok(bytes)
}

/// Epoch of the batches of the first snapshot.
const EPOCH: LeaderEpoch = LeaderEpoch(0);

fn encode(
    body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer::default();
    body(&mut writer)?;
    Ok(writer.buf)
}

fn voters_record(plan: &Plan) -> Option<VotersRecord> {
    let voters = plan.initial_voters.as_ref()?.iter().map(|voter| Voter {
        voter_id: voter.id.0,
        voter_directory_id: voter.directory_id,
        endpoints: vec![Endpoint {
            name: plan.controller_listener.to_uppercase(),
            host: voter.host.clone(),
            port: voter.port,
            ..Endpoint::default()
        }],
        kraft_version_feature: KraftVersionFeature {
            min_supported_version: 0,
            max_supported_version: 1,
            ..KraftVersionFeature::default()
        },
        ..Voter::default()
    });
    Some(VotersRecord {
        voters: voters.collect(),
        ..VotersRecord::default()
    })
}
