//! Opens the directories of a node: who they belong to, whether they are free, what was written down.
//!
//! Everything is looked at before anything is changed: a node that refuses to start leaves all as it was.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use ottla_base::{BrokerEpoch, NodeId};
use ottla_config::{MetaProperties, verify_meta_properties};
use ottla_env::FileLock;
use parking_lot::Mutex;
use thiserror::Error;

use super::{LogDir, LogDirs, METADATA_LOG_DIR};
use crate::checkpoints::{Checkpoints, read_clean_mark, remove_clean_mark};
use crate::env::StorageEnv;
use crate::format::{Directory, look, write_meta_properties};

/// The file whose lock keeps other processes out.
const LOCK_FILE: &str = ".lock";

/// Whom the directories must belong to.
#[derive(Debug, Clone)]
pub struct Expect {
    /// `node.id`.
    pub node_id: NodeId,
    /// The cluster, where it is known.
    pub cluster_id: Option<String>,
    /// `metadata.log.dir`; may be one of the log directories or one of its own.
    pub metadata_dir: PathBuf,
}

/// The node cannot start on its directories. The text is for the user, in Kafka's words where it has some.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct OpenDirsError(String);

fn refuse<T>(text: String) -> Result<T, OpenDirsError> {
    Err(OpenDirsError(text))
}

/// A directory while it is being opened: what works of it, or why it does not.
struct Candidate {
    path: PathBuf,
    state: Result<Works, String>,
}

struct Works {
    meta: MetaProperties,
    lock: Option<Box<dyn FileLock>>,
    checkpoints: Checkpoints,
    /// The clean mark, and the broker epoch in it.
    mark: Option<Option<BrokerEpoch>>,
}

impl Candidate {
    /// Goes on with what works; an error takes the directory out.
    fn step(&mut self, body: impl FnOnce(&Path, &mut Works) -> Result<(), String>) {
        if let Ok(works) = &mut self.state
            && let Err(reason) = body(&self.path, works)
        {
            self.state = Err(reason);
        }
    }
}

pub(super) fn open(
    env: &Arc<StorageEnv>,
    paths: &[PathBuf],
    expect: &Expect,
) -> Result<LogDirs, OpenDirsError> {
    let metadata_at = paths.iter().position(|path| *path == expect.metadata_dir);
    let mut all: Vec<PathBuf> = paths.to_vec();
    if metadata_at.is_none() {
        all.push(expect.metadata_dir.clone());
    }
    let metadata_index = metadata_at.unwrap_or(paths.len());
    if u16::try_from(all.len()).is_err() {
        return refuse(format!("{} log directories are too many", all.len()));
    }

    let mut candidates = candidates(env, &all)?;
    need_metadata(&candidates, metadata_index)?;
    let cluster_id = verify(&candidates, expect)?;
    lock(env, &mut candidates)?;
    for (index, candidate) in candidates.iter().enumerate() {
        let stray = candidate.path.join(METADATA_LOG_DIR);
        if index != metadata_index && env.disk.stat(&stray).is_ok_and(|stat| stat.is_dir) {
            return refuse(format!(
                "Found unexpected metadata location in data directory `{}` (the configured metadata \
                 directory is {}).",
                candidate.path.display(),
                expect.metadata_dir.display()
            ));
        }
    }
    for candidate in &mut candidates {
        candidate.step(|path, works| {
            works.checkpoints =
                Checkpoints::read(&*env.disk, path).map_err(|error| describe(&error))?;
            works.mark = read_clean_mark(&*env.disk, path).map_err(|error| error.to_string())?;
            Ok(())
        });
    }
    need_metadata(&candidates, metadata_index)?;
    let previous_epoch = previous_epoch(candidates.get(..paths.len()).unwrap_or_default());

    // From here on the directories are changed.
    for candidate in &mut candidates {
        candidate.step(|path, works| {
            remove_clean_mark(&*env.disk, path).map_err(|error| error.to_string())?;
            complete(env, path, &mut works.meta, &cluster_id, expect.node_id)
                .map_err(|error| error.to_string())
        });
    }
    need_metadata(&candidates, metadata_index)?;
    for candidate in &candidates {
        if let Err(reason) = &candidate.state {
            tracing::error!(
                dir = %candidate.path.display(),
                reason,
                "a log directory does not work and is offline"
            );
        }
    }
    let mut dirs: Vec<LogDir> = candidates.into_iter().map(log_dir).collect();
    let metadata_own = if metadata_at.is_none() {
        dirs.pop()
    } else {
        None
    };
    Ok(LogDirs::new(
        env,
        dirs,
        metadata_index,
        metadata_own,
        cluster_id,
        previous_epoch,
    ))
}

/// Looks at the directories. One that is not formatted stops the start, as in Kafka: it may be a disk that
/// is not mounted.
fn candidates(env: &StorageEnv, paths: &[PathBuf]) -> Result<Vec<Candidate>, OpenDirsError> {
    let mut candidates: Vec<Candidate> = Vec::with_capacity(paths.len());
    for path in paths {
        let text = path.display().to_string();
        if candidates.iter().any(|other| other.path == *path) {
            return refuse(format!("Duplicate log directory found: {text}"));
        }
        let state = match look(&*env.disk, &text) {
            Directory::Absent | Directory::New => {
                // Kafka differs: the command has another name.
                return refuse(format!(
                    "No `meta.properties` found in {text} (have you run `ottla storage format` to \
                     format the directory?)"
                ));
            }
            Directory::File => Err("Not a directory or not readable?".to_owned()),
            Directory::Broken(reason) => Err(reason),
            Directory::Formatted(meta) => Ok(Works {
                meta,
                lock: None,
                checkpoints: Checkpoints::none(path),
                mark: None,
            }),
        };
        candidates.push(Candidate {
            path: path.clone(),
            state,
        });
    }
    Ok(candidates)
}

/// Without its metadata directory a node can do nothing, and then there is one that works.
fn need_metadata(candidates: &[Candidate], index: usize) -> Result<(), OpenDirsError> {
    match candidates.get(index).map(|one| (&one.path, &one.state)) {
        Some((path, Err(reason))) => refuse(format!(
            "Encountered I/O error in metadata log directory {}. Cannot continue. {reason}",
            path.display()
        )),
        _ => Ok(()),
    }
}

/// Checks to whom the directories belong; returns the cluster.
fn verify(candidates: &[Candidate], expect: &Expect) -> Result<String, OpenDirsError> {
    let formatted: BTreeMap<String, MetaProperties> = candidates
        .iter()
        .filter_map(|one| {
            let meta = one.state.as_ref().ok()?.meta.clone();
            Some((one.path.display().to_string(), meta))
        })
        .collect();
    let cluster_id =
        verify_meta_properties(&formatted, expect.cluster_id.as_deref(), expect.node_id)
            .map_err(|error| OpenDirsError(error.to_string()))?;
    cluster_id.ok_or_else(|| OpenDirsError("cluster.id was not found.".to_owned()))
}

fn lock(env: &StorageEnv, candidates: &mut [Candidate]) -> Result<(), OpenDirsError> {
    for candidate in candidates {
        let Ok(works) = &mut candidate.state else {
            continue;
        };
        match env.disk.lock(&candidate.path.join(LOCK_FILE)) {
            Ok(lock) => works.lock = Some(lock),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return refuse(format!(
                    "Failed to acquire lock on file .lock in {}. A Kafka instance in another process \
                     or thread is using this directory.",
                    candidate.path.display()
                ));
            }
            Err(error) => candidate.state = Err(error.to_string()),
        }
    }
    Ok(())
}

/// The broker epoch of the marks, if every directory has a mark and all say the same (KIP-966).
fn previous_epoch(candidates: &[Candidate]) -> Option<BrokerEpoch> {
    let epoch = |one: &Candidate| one.state.as_ref().ok()?.mark?;
    let first = epoch(candidates.first()?)?;
    candidates
        .iter()
        .all(|one| epoch(one) == Some(first))
        .then_some(first)
}

/// Gives a directory of an older release what it lacks, as Kafka does at start.
fn complete(
    env: &StorageEnv,
    path: &Path,
    meta: &mut MetaProperties,
    cluster_id: &str,
    node_id: NodeId,
) -> io::Result<()> {
    if meta.version == 1 && meta.directory_id.is_some() {
        return Ok(());
    }
    *meta = MetaProperties {
        version: 1,
        cluster_id: Some(cluster_id.to_owned()),
        node_id: Some(node_id),
        directory_id: Some(meta.directory_id.unwrap_or_else(|| env.rng.uuid())),
    };
    write_meta_properties(&*env.disk, path, meta, env.clock.wall())
}

fn log_dir(candidate: Candidate) -> LogDir {
    let Candidate { path, state } = candidate;
    let (works, checkpoints, lock, id, clean) = match state {
        Ok(works) => (
            true,
            works.checkpoints,
            works.lock,
            works.meta.directory_id,
            works.mark.is_some(),
        ),
        Err(_) => (false, Checkpoints::none(&path), None, None, false),
    };
    LogDir {
        path,
        id,
        online: AtomicBool::new(works),
        say_full_from: Mutex::default(),
        clean,
        partitions: AtomicUsize::new(0),
        flushed: AtomicBool::new(false),
        checkpoints,
        lock: Mutex::new(lock),
    }
}

/// An error with its causes in one line.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
