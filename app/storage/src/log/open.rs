//! Opening a directory that holds a log.

use std::path::PathBuf;
use std::sync::Arc;

use ottla_base::{Offset, TopicId};
use ottla_disk::read_small;
use ottla_env::OpenMode;
use ottla_log::LogConfig;
use ottla_log::checkpoint_file::read_partition_metadata;
use ottla_log::names::{
    INDEX, LOG, PARTITION_METADATA, SWAP_SUFFIX, TIME_INDEX, TXN_INDEX, segment_file,
};
use ottla_log::recovery::{Tidying, tidy};
use ottla_log::txn_index;
use tracing::warn;

use super::scan::{Scan, Step};
use super::segment::remove_if_there;
use super::{Log, OpenHints, Opened, Segment, StorageError};
use crate::env::StorageEnv;

/// A `partition.metadata` has some 40 bytes.
const METADATA_BYTES_MAX: u64 = 4096;
/// What an unfinished replacement of a small file leaves.
const TEMPORARY: &str = ".tmp";

impl Log {
    /// Opens what the directory `path` holds: finishes what a cleaner or a removal left, reads where the log ends, and
    /// checks every batch above the recovery point unless it was closed in order. Does not flush.
    ///
    /// # Errors
    /// The disk's. A damaged tail is no error: it is cut off.
    pub fn open(
        env: &Arc<StorageEnv>,
        path: PathBuf,
        config: Arc<LogConfig>,
        hints: OpenHints,
    ) -> Result<(Self, Opened), StorageError> {
        let mut log = Self::create(env, path, None, config);
        let entries = env.disk.read_dir(&log.path);
        let entries = entries.map_err(|e| StorageError::io("reading a directory", &log.path, e))?;
        let names: Vec<&str> = entries
            .iter()
            .filter(|e| !e.is_dir)
            .map(|e| e.name.as_str())
            .collect();
        for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
            remove_if_there(&*env.disk, &log.path.join(name))?;
        }
        log.topic_id = hints.topic_id;
        if log.topic_id.is_none() && names.contains(&PARTITION_METADATA) {
            log.topic_id = log.read_topic_id()?;
        }
        let plan = tidy(names.iter().copied());
        log.tidy(&plan)?;
        let has = |base: Offset, extension| names.contains(&segment_file(base, extension).as_str());
        for base in &plan.segments {
            if !log.replaced(*base, &plan)? {
                log.add_segment(*base, has(*base, TXN_INDEX))?;
            }
        }
        log.snapshots = plan.snapshots;
        log.start = hints.log_start.max(log.first_segment());
        log.end = log.start;
        let mut opened = Opened::default();
        if log.segments.is_empty() {
            log.flushed = log.end;
            return Ok((log, opened));
        }
        let has_epochs = log.load_epochs()?;
        if !(hints.clean && log.take_as_it_is()?) {
            opened = log.recover(hints.recovery_point)?;
        }
        if !has_epochs {
            log.rebuild_epochs()?;
        }
        log.settle(&hints)?;
        let was_missing = |base: Offset| !(has(base, INDEX) && has(base, TIME_INDEX));
        for at in 0..log.segments.len().saturating_sub(1) {
            let segment = log.segments.get(at).map(|s| (s.base, s.size));
            if segment.is_some_and(|(base, size)| size > 0 && was_missing(base)) {
                log.rebuild_indexes(at)?;
            }
        }
        log.segments.iter_mut().for_each(Segment::rest);
        Ok((log, opened))
    }

    fn read_topic_id(&self) -> Result<Option<TopicId>, StorageError> {
        let path = self.path.join(PARTITION_METADATA);
        let bytes = read_small(&*self.env.disk, &path, METADATA_BYTES_MAX)
            .map_err(|e| StorageError::io("reading partition metadata", &path, e))?;
        let text = String::from_utf8_lossy(&bytes);
        let id = read_partition_metadata(&text);
        if let Err(error) = &id {
            // A power cut may leave it empty when it was new; then the directory is told apart by its name.
            warn!(path = %path.display(), %error, "partition metadata is damaged");
        }
        Ok(id.ok())
    }

    /// Finishes or undoes what was left half done.
    fn tidy(&self, plan: &Tidying) -> Result<(), StorageError> {
        let disk = &*self.env.disk;
        for name in &plan.remove {
            remove_if_there(disk, &self.path.join(name))?;
        }
        // Before the outputs take their names, what they replace goes: it may have had other names.
        if let (Some(first), Some(end)) = (plan.swapped.first(), self.end_of_swapped(plan)?) {
            for base in plan.segments.iter().filter(|b| *b >= first && **b < end) {
                for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
                    remove_if_there(disk, &self.path.join(segment_file(*base, extension)))?;
                }
            }
        }
        for (from, to) in &plan.rename {
            let from = self.path.join(from);
            let renamed = disk.rename(&from, &self.path.join(to));
            renamed.map_err(|e| StorageError::io("renaming a file", &from, e))?;
        }
        Ok(())
    }

    /// Whether the segment was replaced by output of the cleaner that has another name.
    fn replaced(&self, base: Offset, plan: &Tidying) -> Result<bool, StorageError> {
        if plan.swapped.is_empty() || plan.swapped.contains(&base) {
            return Ok(false);
        }
        let path = self.path.join(segment_file(base, LOG));
        match self.env.disk.stat(&path) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(StorageError::io("looking at a file", &path, error)),
        }
    }

    /// Where the last of the cleaner's outputs ends.
    fn end_of_swapped(&self, plan: &Tidying) -> Result<Option<Offset>, StorageError> {
        let Some(base) = plan.swapped.last() else {
            return Ok(None);
        };
        let path = self.path.join(segment_file(*base, LOG) + SWAP_SUFFIX);
        let failed = |error| StorageError::io("reading a segment", &path, error);
        let file = self.env.disk.open(&path, OpenMode::Read).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let mut buffer = Scan::bulk_buffer(len);
        let mut scan = Scan::new(&*file, &path, 0, len, &mut buffer);
        let mut end = *base;
        while let Step::Entry(entry) = scan.peek()? {
            end = entry.next_offset();
            scan.skip(&entry);
        }
        Ok(Some(end))
    }

    fn add_segment(&mut self, base: Offset, has_txns: bool) -> Result<(), StorageError> {
        let path = self.path.join(segment_file(base, LOG));
        let stat = self.env.disk.stat(&path);
        let len = stat
            .map_err(|e| StorageError::io("looking at a file", &path, e))?
            .len;
        let size = u32::try_from(len).map_err(|_| StorageError::Corrupt {
            what: format!("a segment of {len} bytes"),
            path: path.clone(),
        })?;
        let mut segment = Segment::new(&self.env.files, &self.path, base, size);
        if has_txns {
            let path = self.path.join(segment_file(base, TXN_INDEX));
            let stat = self.env.disk.stat(&path);
            let len = stat
                .map_err(|e| StorageError::io("looking at a file", &path, e))?
                .len;
            let entries = len / u64::try_from(txn_index::ENTRY_BYTES).expect("small");
            segment.txn_entries = u32::try_from(entries).unwrap_or(u32::MAX);
        }
        self.segments.push(segment);
        Ok(())
    }

    /// After a clean shutdown: reads where the log ends, and its producers. False if there is something else than
    /// batches.
    fn take_as_it_is(&mut self) -> Result<bool, StorageError> {
        let Some(active) = self.segments.last() else {
            return Ok(true);
        };
        let end = match active.end_of_batches() {
            Ok(end) => end,
            Err(StorageError::Corrupt { .. }) => {
                warn!(log = %self.path.display(), "closed in order, but damaged at the end");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.end = end;
        self.flushed = end;
        // Whoever closed a log with producers wrote a snapshot.
        if !self.snapshots.is_empty() {
            self.load_producers(end)?;
        }
        Ok(true)
    }

    /// Brings everything in line with where the log begins and ends.
    fn settle(&mut self, hints: &OpenHints) -> Result<(), StorageError> {
        if self.end < hints.log_start {
            warn!(log = %self.path.display(), end = self.end.0, start = hints.log_start.0,
                "the log ends before its start; it begins anew there");
            return self.truncate_fully_and_start_at(hints.log_start);
        }
        self.drop_snapshots_behind(self.end)?;
        let end = self.end;
        self.epochs_unsaved |= self.epochs.truncate_from_end(end);
        self.epochs_unsaved |= self.epochs.truncate_from_start(self.start);
        Ok(())
    }
}
