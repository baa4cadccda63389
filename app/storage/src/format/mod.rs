//! Formats the directories of a node: `meta.properties` in every directory, and in the metadata directory
//! of a controller the snapshot that a new cluster starts from (KIP-1170).
//!
//! First a plan is made from the configuration and what was asked for, then it is carried out. The
//! metadata directory comes first, and in it the snapshot: a directory is formatted once its
//! `meta.properties` is there, and a metadata directory must not be that without a snapshot. Printing is
//! the caller's; the sentences are Kafka's.

mod date;
mod directories;
mod error;
mod features;
mod plan;
mod scram;
mod snapshot;
mod voters;

use std::io;
use std::path::Path;

use ottla_base::{Uuid, WallMillis};
use ottla_config::{
    BrokerConfig, META_PROPERTIES_FILE, MetaProperties, verify_meta_properties, write_properties,
};
use ottla_disk::write_atomically;
use ottla_env::{Clock, Disk, Rng};
use ottla_raft::snapshot::SnapshotId;

pub use self::directories::{Directory, formatted, look};
pub use self::error::FormatError;
pub use self::features::release;
pub use self::plan::{Plan, Quorum, Wishes, directories, plan};

use self::date::java_date;
use self::error::refuse;
use self::snapshot::bootstrap_snapshot;
use crate::dirs::METADATA_LOG_DIR;

/// What the outside world gives.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Where the directories are.
    pub disk: &'a dyn Disk,
    /// For the time in the files.
    pub clock: &'a dyn Clock,
    /// For ids.
    pub rng: &'a dyn Rng,
}

/// Formats the directories of a node that are new, for a new cluster of its own if all of them are; returns
/// the id of the cluster if something was formatted.
///
/// A metadata directory that is new beside formatted ones is left as it is, and the start is then refused:
/// an empty metadata log would make strays of all partitions.
///
/// # Errors
/// As [`carry_out`].
pub fn format_if_new(
    world: World<'_>,
    config: &BrokerConfig,
    tell: &mut dyn FnMut(&str),
) -> Result<Option<String>, FormatError> {
    let is_new =
        |path: &String| matches!(look(world.disk, path), Directory::Absent | Directory::New);
    let all = directories(config);
    let there = formatted(world.disk, &all);
    let metadata_dir = config.metadata_log_dir().to_owned();
    if !all.iter().any(is_new) || (is_new(&metadata_dir) && !there.is_empty()) {
        return Ok(None);
    }
    let known = there.get(&metadata_dir);
    let cluster_id = match known.and_then(|meta| meta.cluster_id.clone()) {
        Some(cluster_id) => cluster_id,
        None => world.rng.uuid().to_string(),
    };
    let quorum = if config.voters.is_empty() {
        Quorum::Standalone
    } else {
        Quorum::Unspecified
    };
    let wishes = Wishes {
        cluster_id: cluster_id.clone(),
        ignore_formatted: true,
        quorum,
        ..Wishes::default()
    };
    carry_out(world, &plan(config, &wishes, world.rng)?, tell)?;
    Ok(Some(cluster_id))
}

/// Formats the directories that are new; `tell` gets each line to print.
///
/// # Errors
/// With the sentence for the user, if directories belong elsewhere or are formatted already, or the
/// disk fails.
pub fn carry_out(
    world: World<'_>,
    plan: &Plan,
    tell: &mut dyn FnMut(&str),
) -> Result<(), FormatError> {
    let found = formatted(world.disk, &plan.directories);
    verify_meta_properties(&found, Some(&plan.cluster_id), plan.node_id)?;
    if let Some(first) = found.keys().next().filter(|_| !plan.ignore_formatted) {
        return refuse(format!(
            "Log directory {first} is already formatted. Use --ignore-formatted to ignore this \
             directory and format the others."
        ));
    }
    let mut new: Vec<&String> = Vec::new();
    for path in &plan.directories {
        match look(world.disk, path) {
            Directory::Absent | Directory::New => new.push(path),
            Directory::Formatted(_) => {}
            Directory::File => return refuse(format!("{path} is not a directory")),
            Directory::Broken(reason) => {
                return refuse(format!(
                    "Error loading {path}/{META_PROPERTIES_FILE}: {reason}"
                ));
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
        let now = world.clock.wall();
        let snapshot = (plan.writes_bootstrap_snapshot && *path == plan.metadata_directory)
            .then(|| bootstrap_snapshot(plan, now))
            .transpose()?;
        let meta = MetaProperties {
            version: 1,
            cluster_id: Some(plan.cluster_id.clone()),
            node_id: Some(plan.node_id),
            directory_id: Some(directory_id),
        };
        format_one(world.disk, Path::new(path), snapshot.as_deref(), &meta, now).map_err(
            |source| FormatError::Disk {
                directory: path.clone(),
                source,
            },
        )?;
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

fn format_one(
    disk: &dyn Disk,
    folder: &Path,
    snapshot: Option<&[u8]>,
    meta: &MetaProperties,
    now: WallMillis,
) -> io::Result<()> {
    disk.create_dir_all(folder)?;
    if let Some(snapshot) = snapshot {
        let log = folder.join(METADATA_LOG_DIR);
        disk.create_dir_all(&log)?;
        let name = log.join(SnapshotId::BOOTSTRAP.file_name());
        write_atomically(disk, &name, snapshot)?;
        disk.sync_dir(folder)?;
    }
    write_meta_properties(disk, folder, meta, now)?;
    match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => disk.sync_dir(Path::new(".")),
        Some(parent) => disk.sync_dir(parent),
        None => Ok(()),
    }
}

/// Writes `meta.properties` into a directory.
pub(crate) fn write_meta_properties(
    disk: &dyn Disk,
    folder: &Path,
    meta: &MetaProperties,
    now: WallMillis,
) -> io::Result<()> {
    let text = write_properties(Some(""), &java_date(now), &meta.to_properties());
    write_atomically(disk, &folder.join(META_PROPERTIES_FILE), text.as_bytes())
}

/// The line in which Kafka shows the records of the snapshot.
fn bootstrap_line(plan: &Plan) -> String {
    let levels = plan.levels.records();
    let levels = levels
        .iter()
        .map(|(name, level)| format!("FeatureLevelRecord(name='{name}', featureLevel={level})"));
    let users = plan.scram.iter().map(|user| {
        // Java's bytes have a sign.
        let bytes = |bytes: &[u8]| {
            let texts: Vec<String> = bytes
                .iter()
                .map(|byte| byte.cast_signed().to_string())
                .collect();
            texts.join(", ")
        };
        format!(
            "UserScramCredentialRecord(name='{}', mechanism={}, salt=[{}], storedKey=[{}], \
             serverKey=[{}], iterations={})",
            user.name,
            user.mechanism,
            bytes(&user.salt),
            bytes(&user.stored_key),
            bytes(&user.server_key),
            user.iterations
        )
    });
    let records: Vec<String> = levels
        .chain(users)
        .map(|record| format!("ApiMessageAndVersion({record} at version 0)"))
        .collect();
    format!(
        "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format \
         command)",
        records.join(", "),
        plan.levels.metadata_version.level()
    )
}
