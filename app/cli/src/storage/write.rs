//! Carries a formatting plan out: `meta.properties` in every directory, and in the metadata directory of
//! a controller the snapshot that a new cluster starts from (KIP-1170).
//!
//! The metadata directory comes first, and in it the snapshot: a directory is formatted once its
//! `meta.properties` is there, and a metadata directory must not be that without a snapshot.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ottla_base::{LeaderEpoch, Offset, Uuid, WallMillis};
use ottla_config::{
    META_PROPERTIES_FILE, MetaProperties, verify_meta_properties, write_properties,
};
use ottla_disk::write_atomically;
use ottla_env::{Clock, Disk, Rng};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::voters_record::{Endpoint, KraftVersionFeature, Voter};
use ottla_protocol::messages::{
    FeatureLevelRecord, KraftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord,
};
use ottla_protocol::{EncodeError, Writer};
use ottla_raft::snapshot::SnapshotId;
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_records::control::{ControlType, quorum_batch};

use super::directories::{Directory, formatted, look};
use super::plan::Plan;

/// Directory of the metadata log within the metadata directory.
const METADATA_LOG: &str = "__cluster_metadata-0";

/// What the outside world gives.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) rng: &'a dyn Rng,
}

/// Formats the directories that are new; `tell` gets each line to print.
///
/// # Errors
/// With the sentence for the user, if directories belong elsewhere or are formatted already, or the
/// disk fails.
pub(crate) fn carry_out(world: World<'_>, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let found = formatted(world.disk, &plan.directories);
    verify_meta_properties(&found, Some(&plan.cluster_id), plan.node_id)?;
    if let Some(first) = found.keys().next().filter(|_| !plan.ignore_formatted) {
        bail!(
            "Log directory {first} is already formatted. Use --ignore-formatted to ignore this \
             directory and format the others."
        );
    }
    let mut new: Vec<&String> = Vec::new();
    for path in &plan.directories {
        match look(world.disk, path) {
            Directory::Absent | Directory::New => new.push(path),
            Directory::Formatted(_) => {}
            Directory::File => bail!("{path} is not a directory"),
            Directory::Broken(reason) => {
                bail!("Error loading {path}/{META_PROPERTIES_FILE}: {reason}")
            }
        }
    }
    if new.is_empty() {
        tell("All of the log directories are already formatted.");
        return Ok(());
    }
    tell(&bootstrap_line(plan));
    new.sort_by_key(|path| **path != plan.metadata_directory);
    for path in new {
        let (description, directory_id) = kind(plan, path, world.rng);
        tell(&format!(
            "Formatting {description} {path} with metadata.version {}.",
            plan.levels.metadata_version
        ));
        format_one(world, plan, path, directory_id)
            .with_context(|| format!("{path} cannot be formatted"))?;
    }
    Ok(())
}

/// Kafka's words for a directory, and the id it gets.
fn kind(plan: &Plan, path: &str, rng: &dyn Rng) -> (&'static str, Uuid) {
    if path != plan.metadata_directory {
        return ("data directory", rng.uuid());
    }
    let Some(voters) = &plan.initial_voters else {
        return ("metadata directory", rng.uuid());
    };
    match voters.iter().find(|voter| voter.id == plan.node_id) {
        Some(voter) => ("dynamic metadata voter directory", voter.directory_id),
        None => ("dynamic metadata directory", rng.uuid()),
    }
}

fn format_one(world: World<'_>, plan: &Plan, path: &str, directory_id: Uuid) -> Result<()> {
    let folder = Path::new(path);
    let now = world.clock.wall();
    world.disk.create_dir_all(folder)?;
    if plan.writes_bootstrap_snapshot && path == plan.metadata_directory {
        let log = folder.join(METADATA_LOG);
        world.disk.create_dir_all(&log)?;
        let name = log.join(SnapshotId::BOOTSTRAP.file_name());
        write_atomically(world.disk, &name, &bootstrap_snapshot(plan, now)?)?;
        world.disk.sync_dir(folder)?;
    }
    let meta = MetaProperties {
        version: 1,
        cluster_id: Some(plan.cluster_id.clone()),
        node_id: Some(plan.node_id),
        directory_id: Some(directory_id),
    };
    let text = write_properties(Some(""), &java_date(now), &meta.to_properties());
    write_atomically(
        world.disk,
        &folder.join(META_PROPERTIES_FILE),
        text.as_bytes(),
    )?;
    if let Some(parent) = folder.parent() {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        world.disk.sync_dir(parent)?;
    }
    Ok(())
}

/// The snapshot `0-0`: a control batch that opens it and names the voters, the levels of the features,
/// a control batch that closes it.
///
/// # Errors
/// If a name is longer than the format allows.
pub(crate) fn bootstrap_snapshot(plan: &Plan, now: WallMillis) -> Result<Vec<u8>> {
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
    for (name, feature_level) in plan.levels.records() {
        let record = MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.to_owned(),
            feature_level,
            ..FeatureLevelRecord::default()
        });
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

fn encode(body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>) -> Result<Vec<u8>> {
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

/// The line in which Kafka shows the records of the snapshot.
fn bootstrap_line(plan: &Plan) -> String {
    let records: Vec<String> = plan
        .levels
        .records()
        .iter()
        .map(|(name, level)| {
            format!(
                "ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at \
                 version 0)"
            )
        })
        .collect();
    format!(
        "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format \
         command)",
        records.join(", "),
        plan.levels.metadata_version.level()
    )
}

/// A time as Java writes it into a properties file, in UTC: `Tue Nov 24 18:14:42 UTC 2026`.
fn java_date(time: WallMillis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = time.0.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index).copied())
            .unwrap_or("???")
    };
    // Years that begin in March: the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    format!(
        "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
        name(&DAYS, days.rem_euclid(7)),
        name(&MONTHS, month),
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javas() {
        for (ms, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (951_827_696_000, "Tue Feb 29 12:34:56 UTC 2000"),
            (1_795_544_082_614, "Tue Nov 24 18:14:42 UTC 2026"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(java_date(WallMillis(ms)), text);
        }
    }
}
