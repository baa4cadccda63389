//! The offset checkpoints of one log directory: recovery points, log starts, high watermarks.
//!
//! A checkpoint is written whole and renamed into place, and only if something changed. What is in memory
//! is what the file says; [`OffsetFile::sweep`] and [`OffsetFile::forget`] exclude each other, so that a
//! partition that was removed does not come back by a sweep that saw it before.
//!
//! Knows nothing of when to write; `cleaner-offset-checkpoint` is left to the cleaner.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{BrokerEpoch, Offset};
use ottla_disk::{read_small, write_atomically};
use ottla_env::Disk;
use ottla_log::checkpoint_file::{self, OffsetEntry};
use ottla_log::names;
use parking_lot::Mutex;

use crate::error::StorageError;

/// Longest checkpoint that is read: a line has at most 280 bytes, and a node a million partitions.
const CHECKPOINT_MAX_BYTES: u64 = 300 * 1024 * 1024;
/// Longest clean-shutdown mark that is read.
const MARK_MAX_BYTES: u64 = 64 * 1024;

/// One line of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: Offset,
}

impl Entry {
    pub(crate) fn key(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

/// What a sweep found of a partition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Update {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// `None` if it needs no line.
    pub(crate) offset: Option<Offset>,
}

impl Update {
    fn key(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }

    fn into_entry(self) -> Option<Entry> {
        Some(Entry {
            topic: self.topic,
            partition: self.partition,
            offset: self.offset?,
        })
    }
}

/// The checkpoints of one directory.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    pub(crate) recovery_points: OffsetFile,
    pub(crate) log_starts: OffsetFile,
    pub(crate) high_watermarks: OffsetFile,
}

impl Checkpoints {
    /// Reads those of `folder`.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn read(disk: &dyn Disk, folder: &Path) -> Result<Self, StorageError> {
        let file = |name| OffsetFile::read(disk, folder, name);
        Ok(Self {
            recovery_points: file(names::RECOVERY_POINT_CHECKPOINT)?,
            log_starts: file(names::LOG_START_CHECKPOINT)?,
            high_watermarks: file(names::HIGH_WATERMARK_CHECKPOINT)?,
        })
    }

    /// Those of a directory that does not work.
    pub(crate) fn none(folder: &Path) -> Self {
        let file = |name| OffsetFile::new(folder.join(name), Vec::new());
        Self {
            recovery_points: file(names::RECOVERY_POINT_CHECKPOINT),
            log_starts: file(names::LOG_START_CHECKPOINT),
            high_watermarks: file(names::HIGH_WATERMARK_CHECKPOINT),
        }
    }

    /// Keeps only the lines that `stays` says, in all of them.
    pub(crate) fn retain(&self, stays: impl Fn(&Entry) -> bool) {
        self.recovery_points.retain(&stays);
        self.log_starts.retain(&stays);
        self.high_watermarks.retain(&stays);
    }

    /// Takes partitions out of all of them.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget(
        &self,
        disk: &dyn Disk,
        gone: &[(Arc<str>, i32)],
    ) -> Result<(), StorageError> {
        self.recovery_points.forget(disk, gone)?;
        self.log_starts.forget(disk, gone)?;
        self.high_watermarks.forget(disk, gone)
    }
}

/// One checkpoint file.
#[derive(Debug)]
pub(crate) struct OffsetFile {
    path: PathBuf,
    content: Mutex<Content>,
    /// Raised offsets that wait for the next write, and the number of the last of them.
    raised: Mutex<(Vec<Entry>, u64)>,
}

#[derive(Debug, Default)]
struct Content {
    /// What the file says, sorted.
    written: Vec<Entry>,
    /// Kept between sweeps for its memory only.
    next: Vec<Entry>,
    /// Number of the last raised offset that is in the file.
    raised: u64,
    /// The file may be another than `written`.
    in_doubt: bool,
}

impl OffsetFile {
    /// Reads `name` in `folder`. One that is absent or damaged has no entries: recovery then takes longer.
    ///
    /// # Errors
    /// The disk's, if it cannot be read.
    pub(crate) fn read(disk: &dyn Disk, folder: &Path, name: &str) -> Result<Self, StorageError> {
        let path = folder.join(name);
        let written = match read_small(disk, &path, CHECKPOINT_MAX_BYTES) {
            Ok(bytes) => parse(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), error, "a checkpoint is damaged and not used");
                Vec::new()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StorageError::io("reading a checkpoint", &path, error)),
        };
        Ok(Self::new(path, written))
    }

    fn new(path: PathBuf, written: Vec<Entry>) -> Self {
        Self {
            path,
            content: Mutex::new(Content {
                written,
                ..Content::default()
            }),
            raised: Mutex::default(),
        }
    }

    /// The offset of a partition in the file.
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<Offset> {
        let content = self.content.lock();
        let at = content
            .written
            .binary_search_by(|entry| entry.key().cmp(&(topic, partition)));
        content.written.get(at.ok()?).map(|entry| entry.offset)
    }

    /// Writes what `collect` found, if it is something else than what the file says. Lines of partitions that
    /// it does not name stay; `settle` is asked about each that it takes out. `collect` runs under the lock
    /// that [`Self::forget`] takes: what it sees of a partition is what it is.
    ///
    /// # Errors
    /// The disk's, or what `settle` gives.
    pub(crate) fn sweep(
        &self,
        disk: &dyn Disk,
        collect: impl FnOnce(&mut Vec<Update>),
        mut settle: impl FnMut(&Entry) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let mut content = self.content.lock();
        let content = &mut *content;
        let mut updates = Vec::new();
        collect(&mut updates);
        updates.sort_unstable();
        content.next.clear();
        let mut updates = updates.into_iter().peekable();
        for old in &content.written {
            while let Some(update) = updates.next_if(|update| update.key() < old.key()) {
                content.next.extend(update.into_entry());
            }
            match updates.next_if(|update| update.key() == old.key()) {
                None => content.next.push(old.clone()),
                Some(update) if update.offset.is_some() => content.next.extend(update.into_entry()),
                Some(_) => settle(old)?,
            }
        }
        content.next.extend(updates.filter_map(Update::into_entry));
        self.write(disk, content)
    }

    /// Raises offsets; they are in the file when it returns. Those who come while another write is under
    /// way share the next.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn raise(
        &self,
        disk: &dyn Disk,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), StorageError> {
        let ticket = {
            let mut raised = self.raised.lock();
            raised.0.extend(entries);
            raised.1 += 1;
            raised.1
        };
        let mut content = self.content.lock();
        let content = &mut *content;
        if content.raised >= ticket {
            return Ok(());
        }
        let (entries, upto) = {
            let mut raised = self.raised.lock();
            (std::mem::take(&mut raised.0), raised.1)
        };
        content.next.clear();
        content.next.extend_from_slice(&content.written);
        for entry in &entries {
            let found = content
                .next
                .binary_search_by(|other| other.key().cmp(&entry.key()));
            match found {
                Ok(at) => {
                    if let Some(old) = content.next.get_mut(at) {
                        old.offset = old.offset.max(entry.offset);
                    }
                }
                Err(at) => content.next.insert(at, entry.clone()),
            }
        }
        let written = self.write(disk, content);
        match &written {
            Ok(()) => content.raised = upto,
            // Whoever shared this write tries it himself, and takes the others along.
            Err(_) => self.raised.lock().0.extend(entries),
        }
        written
    }

    /// Lowers offsets; they are in the file when it returns. Lines that are not there, or lower, stay so.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn lower(
        &self,
        disk: &dyn Disk,
        points: &[(Arc<str>, i32, Offset)],
    ) -> Result<(), StorageError> {
        let mut content = self.content.lock();
        let content = &mut *content;
        content.next.clear();
        content.next.extend_from_slice(&content.written);
        for (topic, partition, offset) in points {
            let key = (&**topic, *partition);
            let found = content.next.binary_search_by(|entry| entry.key().cmp(&key));
            let line = found.ok().and_then(|at| content.next.get_mut(at));
            if let Some(line) = line {
                line.offset = line.offset.min(*offset);
            }
        }
        self.write(disk, content)
    }

    /// Keeps only the lines that `stays` says; the file follows with the next write.
    pub(crate) fn retain(&self, stays: impl Fn(&Entry) -> bool) {
        let mut content = self.content.lock();
        let before = content.written.len();
        content.written.retain(stays);
        content.in_doubt |= content.written.len() != before;
    }

    /// Takes partitions out, before others of the same name may begin.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget(
        &self,
        disk: &dyn Disk,
        gone: &[(Arc<str>, i32)],
    ) -> Result<(), StorageError> {
        let mut gone: Vec<(&str, i32)> = gone.iter().map(|(topic, at)| (&**topic, *at)).collect();
        gone.sort_unstable();
        let stays = |entry: &Entry| gone.binary_search(&entry.key()).is_err();
        let mut content = self.content.lock();
        let content = &mut *content;
        self.raised.lock().0.retain(stays);
        content.next.clear();
        let kept = content.written.iter().filter(|entry| stays(entry));
        content.next.extend(kept.cloned());
        self.write(disk, content)
    }

    /// Puts `next` in place of `written`.
    fn write(&self, disk: &dyn Disk, content: &mut Content) -> Result<(), StorageError> {
        if content.next == content.written && !content.in_doubt {
            return Ok(());
        }
        let entries = content.next.iter().map(|entry| OffsetEntry {
            topic: &entry.topic,
            partition: entry.partition,
            offset: entry.offset,
        });
        let text = checkpoint_file::write_offsets(entries);
        content.in_doubt = true;
        write_atomically(disk, &self.path, text.as_bytes())
            .map_err(|error| StorageError::io("writing a checkpoint", &self.path, error))?;
        content.in_doubt = false;
        std::mem::swap(&mut content.written, &mut content.next);
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let read = checkpoint_file::read_offsets(text).map_err(|error| error.to_string())?;
    let mut entries: Vec<Entry> = Vec::with_capacity(read.len());
    for OffsetEntry {
        topic,
        partition,
        offset,
    } in read
    {
        // Partitions of a topic stand together and share its name.
        let topic = match entries.last() {
            Some(last) if *last.topic == *topic => Arc::clone(&last.topic),
            _ => Arc::from(topic),
        };
        entries.push(Entry {
            topic,
            partition,
            offset,
        });
    }
    entries.sort_unstable();
    Ok(entries)
}

/// The clean-shutdown mark of a directory: `None` if there is none, and the broker epoch in it, if it has
/// one.
///
/// # Errors
/// The disk's.
pub(crate) fn read_clean_mark(
    disk: &dyn Disk,
    folder: &Path,
) -> io::Result<Option<Option<BrokerEpoch>>> {
    let bytes = match read_small(disk, &folder.join(names::CLEAN_SHUTDOWN), MARK_MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Before 3.7 the mark was an empty file.
    let epoch = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|json| json.get("brokerEpoch")?.as_i64())
        .filter(|epoch| *epoch >= 0);
    Ok(Some(epoch.map(BrokerEpoch)))
}

/// Takes the mark away for good: what follows may be cut short.
///
/// # Errors
/// The disk's.
pub(crate) fn remove_clean_mark(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    match disk.remove_file(&folder.join(names::CLEAN_SHUTDOWN)) {
        Ok(()) => disk.sync_dir(folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says that all of a directory is on stable storage and in order.
///
/// # Errors
/// The disk's.
pub(crate) fn write_clean_mark(
    disk: &dyn Disk,
    folder: &Path,
    broker_epoch: BrokerEpoch,
) -> Result<(), StorageError> {
    let path = folder.join(names::CLEAN_SHUTDOWN);
    let text = checkpoint_file::write_clean_shutdown(broker_epoch);
    write_atomically(disk, &path, text.as_bytes())
        .map_err(|error| StorageError::io("writing the clean-shutdown mark", &path, error))
}

#[cfg(test)]
mod tests {
    use ottla_sim::{Fault, SimDisk};

    use super::*;

    const DIR: &str = "/d";
    const NAME: &str = names::LOG_START_CHECKPOINT;

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new(DIR)).unwrap();
        disk
    }

    fn read(disk: &SimDisk) -> OffsetFile {
        OffsetFile::read(disk, Path::new(DIR), NAME).unwrap()
    }

    fn entry(topic: &str, partition: i32, offset: i64) -> Entry {
        Entry {
            topic: topic.into(),
            partition,
            offset: Offset(offset),
        }
    }

    fn update(topic: &str, partition: i32, offset: Option<i64>) -> Update {
        Update {
            topic: topic.into(),
            partition,
            offset: offset.map(Offset),
        }
    }

    fn sweep(file: &OffsetFile, disk: &SimDisk, found: Vec<Update>) -> Vec<Entry> {
        let mut settled = Vec::new();
        file.sweep(
            disk,
            |updates| updates.extend(found),
            |old| {
                settled.push(old.clone());
                Ok(())
            },
        )
        .unwrap();
        settled
    }

    fn lines(file: &OffsetFile) -> Vec<Entry> {
        file.content.lock().written.clone()
    }

    #[test]
    fn sweep_changes_the_lines_it_has_found_and_no_others() {
        let disk = disk();
        let file = read(&disk);
        let found = vec![
            update("b", 0, Some(5)),
            update("a", 10, Some(1)),
            update("a", 2, Some(7)),
            update("c", 0, None),
        ];
        assert_eq!(sweep(&file, &disk, found), []);
        let first = [entry("a", 2, 7), entry("a", 10, 1), entry("b", 0, 5)];
        assert_eq!(lines(&file), first);
        let found = vec![
            update("a", 10, None),
            update("b", 0, Some(4)),
            update("aa", 0, Some(9)),
        ];
        assert_eq!(sweep(&file, &disk, found), [entry("a", 10, 1)]);
        let second = [entry("a", 2, 7), entry("aa", 0, 9), entry("b", 0, 4)];
        assert_eq!(lines(&file), second);
        assert_eq!(lines(&read(&disk)), second, "and the file says the same");
        assert_eq!(read(&disk).get("aa", 0), Some(Offset(9)));
        assert_eq!(read(&disk).get("aa", 1), None);
    }

    #[test]
    fn what_has_not_changed_is_not_written() {
        let disk = disk();
        let file = read(&disk);
        sweep(&file, &disk, vec![update("a", 0, Some(1))]);
        let before = disk.operations();
        sweep(&file, &disk, vec![update("a", 0, Some(1))]);
        assert_eq!(disk.operations(), before);
        // A write that failed may have reached the disk or not, so the next one is not left out.
        disk.plan(before + 3, Fault::Fail(io::ErrorKind::Other));
        let failed = file.sweep(
            &disk,
            |updates| updates.push(update("a", 0, Some(2))),
            |_| Ok(()),
        );
        assert!(failed.is_err());
        sweep(&file, &disk, vec![update("a", 0, Some(1))]);
        assert_eq!(lines(&read(&disk)), [entry("a", 0, 1)]);
    }

    #[test]
    fn raised_offset_survives_a_power_cut_once_it_is_acknowledged() {
        let old = [entry("a", 0, 5), entry("a", 1, 6)];
        let new = [entry("a", 0, 50), entry("a", 1, 6), entry("b", 0, 1)];
        let mut outcomes = std::collections::BTreeSet::new();
        for stop in 0..8 {
            for seed in 0..20 {
                let disk = disk();
                read(&disk).raise(&disk, old.clone()).unwrap();
                let file = read(&disk);
                disk.plan(disk.operations() + stop, Fault::Stop);
                let raised = file.raise(&disk, [entry("b", 0, 1), entry("a", 0, 50)]);
                disk.crash(seed);
                let found = lines(&read(&disk));
                assert!(found == old || found == new, "{stop} {seed}: {found:?}");
                assert!(found == new || raised.is_err(), "{stop} {seed}");
                outcomes.insert((raised.is_ok(), found == new));
            }
        }
        assert!(outcomes.contains(&(true, true)) && outcomes.contains(&(false, false)));
    }

    #[test]
    fn offsets_are_only_raised() {
        let disk = disk();
        let file = read(&disk);
        file.raise(&disk, [entry("a", 0, 9)]).unwrap();
        file.raise(&disk, [entry("a", 0, 3), entry("a", 0, 4)])
            .unwrap();
        assert_eq!(lines(&file), [entry("a", 0, 9)]);
    }

    #[test]
    fn a_raise_that_failed_is_made_up_for_by_the_next() {
        let disk = disk();
        let file = read(&disk);
        disk.plan(
            disk.operations() + 1,
            Fault::Fail(io::ErrorKind::StorageFull),
        );
        let full = file.raise(&disk, [entry("a", 0, 9)]);
        assert!(matches!(full, Err(StorageError::Full { .. })), "{full:?}");
        file.raise(&disk, [entry("b", 0, 1)]).unwrap();
        assert_eq!(
            lines(&read(&disk)),
            [entry("a", 0, 9), entry("b", 0, 1)],
            "the log start is raised in memory already, so it must not be lost"
        );
    }

    #[test]
    fn threads_that_raise_at_once_find_all_their_offsets_written() {
        let disk = disk();
        let file = read(&disk);
        ottla_env::run_threads("raise", 8, &|index| {
            for step in 0..20 {
                let partition = i32::try_from(index).unwrap();
                file.raise(&disk, [entry("a", partition, step)]).unwrap();
                assert!(read(&disk).get("a", partition) >= Some(Offset(step)));
            }
        });
        assert_eq!(lines(&file).len(), 8);
    }

    #[test]
    fn forgotten_partition_is_gone_for_good() {
        let disk = disk();
        let file = read(&disk);
        let all = [entry("a", 0, 1), entry("a", 1, 2), entry("b", 0, 3)];
        file.raise(&disk, all).unwrap();
        file.forget(&disk, &[("b".into(), 0), ("a".into(), 0), ("x".into(), 0)])
            .unwrap();
        disk.crash(1);
        assert_eq!(lines(&read(&disk)), [entry("a", 1, 2)]);
    }

    #[test]
    fn damaged_file_is_as_good_as_none() {
        let disk = disk();
        for bytes in [
            &b"0\n2\na 0 5\n"[..],
            b"1\n0\n",
            b"\xff\xfe",
            b"0\n1\na 0\n",
        ] {
            write_atomically(&disk, &Path::new(DIR).join(NAME), bytes).unwrap();
            assert_eq!(lines(&read(&disk)), []);
        }
        // As Apache Kafka writes it: in the order of its hash table.
        let bytes = b"0\n3\nt 2 0\nu 0 7\nt 0 1\n";
        write_atomically(&disk, &Path::new(DIR).join(NAME), bytes).unwrap();
        let sorted = [entry("t", 0, 1), entry("t", 2, 0), entry("u", 0, 7)];
        assert_eq!(lines(&read(&disk)), sorted);
    }

    #[test]
    fn clean_mark_says_the_broker_epoch() {
        let disk = disk();
        let dir = Path::new(DIR);
        let mark = || read_clean_mark(&disk, dir).unwrap();
        assert_eq!(mark(), None);
        write_clean_mark(&disk, dir, BrokerEpoch(94)).unwrap();
        assert_eq!(mark(), Some(Some(BrokerEpoch(94))));
        write_clean_mark(&disk, dir, BrokerEpoch(-1)).unwrap();
        assert_eq!(mark(), Some(None));
        write_atomically(&disk, &dir.join(names::CLEAN_SHUTDOWN), b"").unwrap();
        assert_eq!(mark(), Some(None), "older releases leave it empty");
        remove_clean_mark(&disk, dir).unwrap();
        disk.crash(3);
        assert_eq!(mark(), None);
        remove_clean_mark(&disk, dir).unwrap();
    }

    #[test]
    fn lowered_offset_is_on_the_disk_and_nothing_else_changes() {
        let disk = disk();
        let file = read(&disk);
        let lines = [("a", 0, 7), ("b", 0, 9), ("b", 1, 3)];
        let entries = lines.map(|(topic, partition, offset)| Entry {
            topic: topic.into(),
            partition,
            offset: Offset(offset),
        });
        file.raise(&disk, entries).unwrap();
        let lower = [("b", 0, 4), ("b", 1, 5), ("c", 0, 1)];
        let lower =
            lower.map(|(topic, partition, offset)| (topic.into(), partition, Offset(offset)));
        file.lower(&disk, &lower).unwrap();
        disk.crash(1);
        let file = read(&disk);
        let found = [("a", 0), ("b", 0), ("b", 1), ("c", 0)].map(|(topic, at)| file.get(topic, at));
        assert_eq!(
            found,
            [Some(Offset(7)), Some(Offset(4)), Some(Offset(3)), None]
        );
    }
}
