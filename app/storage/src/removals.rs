//! What was renamed to be removed, until `file.delete.delay.ms` is over: readers may still use it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla_base::MonoTime;
use ottla_env::Disk;
use parking_lot::Mutex;

/// Files and directories that wait. More are removed with the next step, whatever their delay.
const WAITING_MAX: usize = 1_000_000;

/// Files and directories in the order of their removal.
#[derive(Debug, Default)]
pub(crate) struct Removals(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    paths: BTreeMap<(MonoTime, u64), PathBuf>,
    added: u64,
}

impl Removals {
    /// Removes `path` when `delay_ms` are over.
    pub(crate) fn add(&self, now: MonoTime, delay_ms: i64, path: PathBuf) {
        let mut waiting = self.0.lock();
        let due = if waiting.paths.len() < WAITING_MAX {
            now.saturating_add(Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0)))
        } else {
            now
        };
        waiting.added += 1;
        let number = waiting.added;
        waiting.paths.insert((due, number), path);
    }

    /// When the next is due.
    pub(crate) fn next_due(&self) -> Option<MonoTime> {
        let waiting = self.0.lock();
        waiting.paths.first_key_value().map(|((due, _), _)| *due)
    }

    /// Removes what is due at `now`. What cannot be removed stays on disk until the next start, as in Kafka.
    pub(crate) fn run_due(&self, disk: &dyn Disk, now: MonoTime) {
        while let Some(path) = self.take_due(now) {
            if let Err(error) = remove(disk, &path) {
                tracing::warn!(path = %path.display(), %error, "a file cannot be removed");
            }
        }
    }

    fn take_due(&self, now: MonoTime) -> Option<PathBuf> {
        let mut waiting = self.0.lock();
        let first = waiting.paths.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let removed = match disk.stat(path) {
        Ok(stat) if stat.is_dir => disk.remove_dir_all(path),
        Ok(_) => disk.remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        // With its directory, or by the start of another log.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
