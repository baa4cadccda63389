//! One segment: a batch file and its indexes.
//!
//! Knows where things are in the files. What is appended when, and what the indexes of the active segment have not
//! been given yet, is known by the log ([`super::tail`]).

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_base::{Offset, WallMillis};
use ottla_disk::{CachedFile, FileCache};
use ottla_env::{Disk, DiskFile, OpenMode};
use ottla_log::entry::EntryHeader;
use ottla_log::names::{DELETED_SUFFIX, INDEX, LOG, TIME_INDEX, TXN_INDEX, segment_file};
use ottla_log::offset_index::{self, OffsetEntry, relative};
use ottla_log::time_index::{self, TimeEntry};
use ottla_log::txn_index::{self, AbortedTxn};
use tracing::warn;

use super::index_file;
use super::scan::{LOOKUP_BYTES, Scan, Step};
use crate::error::StorageError;

/// Bytes of index entries written at once.
const WRITE_BYTES: usize = 1024;

/// A segment. Costs its path and some numbers while nobody uses it.
#[derive(Debug)]
pub(super) struct Segment {
    /// Offset in its name.
    pub(super) base: Offset,
    /// Bytes of batches.
    pub(super) size: u32,
    /// Entries of the transaction index.
    pub(super) txn_entries: u32,
    /// The batch file.
    log: CachedFile,
    /// Made at the first use: most segments are never looked into.
    aux: OnceLock<Box<Aux>>,
    /// Of a closed segment, once it was asked for: the largest timestamp (-1 without one) and its offset.
    largest: OnceLock<(i64, Offset)>,
    /// An index did not lead where it said.
    astray: AtomicBool,
}

#[derive(Debug)]
struct Aux {
    index: CachedFile,
    time: CachedFile,
    txn: CachedFile,
    /// Entries of the offset index of a closed segment.
    offsets: OnceLock<u32>,
    /// Entries of its time index.
    times: OnceLock<u32>,
}

/// A batch and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) position: u32,
    pub(super) entry: EntryHeader,
}

/// Where a batch is, as far as a reader needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: u32,
    pub(super) size: u32,
    pub(super) first_offset: Offset,
}

impl From<Placed> for Found {
    fn from(placed: Placed) -> Self {
        Self {
            position: placed.position,
            size: placed.entry.size(),
            first_offset: placed.entry.first_offset(),
        }
    }
}

/// What a log knows of the active segment's offset index without the file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KnownEntries<'a> {
    /// Entries in the file.
    pub(super) written: u32,
    /// The last entries, whether written or not.
    pub(super) recent: &'a [OffsetEntry],
}

impl Segment {
    /// A segment whose batch file has `size` bytes.
    pub(super) fn new(files: &Arc<FileCache>, folder: &Path, base: Offset, size: u32) -> Self {
        Self {
            base,
            size,
            txn_entries: 0,
            log: files.handle(folder.join(segment_file(base, LOG))),
            aux: OnceLock::new(),
            largest: OnceLock::new(),
            astray: AtomicBool::new(false),
        }
    }

    /// Makes the batch file in `folder`.
    pub(super) fn create(
        files: &Arc<FileCache>,
        folder: &Path,
        base: Offset,
    ) -> Result<Self, StorageError> {
        let segment = Self::new(files, folder, base, 0);
        let file = segment.file_as(OpenMode::Create)?;
        // Left by an attempt that failed later on; with bytes in it, it is somebody's data.
        let len = file
            .len()
            .map_err(|e| StorageError::io("looking at a file", segment.path(), e))?;
        if len > 0 {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(StorageError::io(
                "creating a segment",
                segment.path(),
                exists,
            ));
        }
        Ok(segment)
    }

    /// The batch file's path.
    pub(super) fn path(&self) -> &Path {
        self.log.path()
    }

    /// The batch file.
    pub(super) fn file(&self) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.file_as(OpenMode::ReadWrite)
    }

    fn file_as(&self, mode: OpenMode) -> Result<Arc<dyn DiskFile>, StorageError> {
        self.log
            .get(mode)
            .map_err(|error| StorageError::io("opening a file", self.path(), error))
    }

    fn folder(&self) -> &Path {
        self.path().parent().unwrap_or_else(|| Path::new(""))
    }

    fn aux(&self) -> &Aux {
        self.aux.get_or_init(|| {
            let files = self.log.cache();
            let handle = |extension| files.handle(self.aux_path(extension));
            Box::new(Aux {
                index: handle(INDEX),
                time: handle(TIME_INDEX),
                txn: handle(TXN_INDEX),
                offsets: OnceLock::new(),
                times: OnceLock::new(),
            })
        })
    }

    pub(super) fn aux_path(&self, extension: &str) -> PathBuf {
        self.folder().join(segment_file(self.base, extension))
    }

    /// The offset index, or `None` if there is no such file.
    pub(super) fn index_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().index)
    }

    /// The time index, or `None` if there is no such file.
    pub(super) fn time_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().time)
    }

    /// The transaction index, or `None` if there is no such file.
    pub(super) fn txn_file(&self) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        open_existing(&self.aux().txn)
    }

    /// Writes offset entries behind `written` of them.
    pub(super) fn write_offsets(
        &self,
        written: u32,
        entries: &[OffsetEntry],
    ) -> Result<(), StorageError> {
        write_entries(
            &self.aux().index,
            written,
            entries.iter().map(|e| e.to_bytes()),
        )
    }

    /// Writes time entries behind `written` of them.
    pub(super) fn write_times(
        &self,
        written: u32,
        entries: &[TimeEntry],
    ) -> Result<(), StorageError> {
        write_entries(
            &self.aux().time,
            written,
            entries.iter().map(|e| e.to_bytes()),
        )
    }

    /// Appends to the transaction index.
    pub(super) fn write_txn(&mut self, entry: &AbortedTxn) -> Result<(), StorageError> {
        write_entries(
            &self.aux().txn,
            self.txn_entries,
            std::iter::once(entry.to_bytes()),
        )?;
        self.txn_entries += 1;
        Ok(())
    }

    /// Cuts offset and time index to these numbers of entries, where they are longer; an index without entries goes.
    /// Returns the files that stay.
    pub(super) fn cut_indexes(
        &self,
        offsets: u32,
        times: u32,
    ) -> Result<Vec<Arc<dyn DiskFile>>, StorageError> {
        let aux = self.aux();
        let mut files = Vec::new();
        for (handle, len) in [
            (&aux.index, u64::from(offsets) * 8),
            (&aux.time, u64::from(times) * 12),
        ] {
            if len == 0 {
                // Some file systems flush a file that was cut to nothing and written anew.
                handle.close();
                remove_if_there(&**self.log.cache().disk(), handle.path())?;
            } else if let Some(file) = open_existing(handle)? {
                cut(&*file, len, handle.path())?;
                files.push(file);
            }
        }
        Ok(files)
    }

    /// Cuts the transaction index behind the entries whose marker is below `end`. Returns the file.
    pub(super) fn cut_txns(
        &mut self,
        end: Offset,
    ) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
        let Some(file) = self.txn_file()? else {
            self.txn_entries = 0;
            return Ok(None);
        };
        let mut keep = 0;
        for entry in self.txns(&*file, slots(&*file, txn_index::ENTRY_BYTES, self.path())?)? {
            if entry.last_offset >= end || entry.last_offset < self.base {
                break;
            }
            keep += 1;
        }
        cut(
            &*file,
            u64::from(keep) * txn_index::ENTRY_BYTES as u64,
            self.aux().txn.path(),
        )?;
        self.txn_entries = keep;
        Ok(Some(file))
    }

    /// The aborted transactions whose marker is in this segment, up to an entry that is damaged.
    pub(super) fn aborted(&self) -> Result<Vec<AbortedTxn>, StorageError> {
        if self.txn_entries == 0 {
            return Ok(Vec::new());
        }
        match self.txn_file()? {
            Some(file) => self.txns(&*file, self.txn_entries),
            None => Err(StorageError::io(
                "opening a file",
                self.aux().txn.path(),
                io::ErrorKind::NotFound.into(),
            )),
        }
    }

    fn txns(&self, file: &dyn DiskFile, count: u32) -> Result<Vec<AbortedTxn>, StorageError> {
        let mut bytes = vec![0; usize::try_from(count).expect("32 bits") * txn_index::ENTRY_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(|e| {
            StorageError::io("reading a transaction index", self.aux().txn.path(), e)
        })?;
        let (entries, _) = bytes.as_chunks::<{ txn_index::ENTRY_BYTES }>();
        Ok(entries.iter().map_while(AbortedTxn::from_bytes).collect())
    }

    /// Entries of offset and time index of a closed segment.
    pub(super) fn counts(&self) -> Result<(u32, u32), StorageError> {
        Ok((self.offset_count()?, self.time_count()?))
    }

    fn offset_count(&self) -> Result<u32, StorageError> {
        let known = &self.aux().offsets;
        if let Some(count) = known.get() {
            return Ok(*count);
        }
        let mut count = 0;
        if let Some(file) = self.index_file()? {
            let len = self.checked_len(&*file, offset_index::ENTRY_BYTES)?;
            count = index_file::offset_count(&*file, len).map_err(|e| self.index_error(e))?;
        }
        Ok(*known.get_or_init(|| count))
    }

    /// Entries of the time index of a closed segment.
    pub(super) fn time_count(&self) -> Result<u32, StorageError> {
        let known = &self.aux().times;
        if let Some(count) = known.get() {
            return Ok(*count);
        }
        let mut count = 0;
        if let Some(file) = self.time_file()? {
            let len = self.checked_len(&*file, time_index::ENTRY_BYTES)?;
            count = index_file::time_count(&*file, len).map_err(|e| self.index_error(e))?;
        }
        Ok(*known.get_or_init(|| count))
    }

    /// Where a batch begins at or before `position`, by the offset index.
    pub(super) fn boundary(&self, position: u32) -> Result<u32, StorageError> {
        let count = self.offset_count()?;
        let Some(file) = self.index_file()?.filter(|_| position > 0) else {
            return Ok(0);
        };
        let found = index_file::last_offset_entry(&*file, count, |e| e.position <= position);
        Ok(found
            .map_err(|e| self.index_error(e))?
            .map_or(0, |entry| entry.position))
    }

    /// Bytes of an index. One of a broken number of entries was cut by somebody, perhaps of more than that.
    fn checked_len(&self, file: &dyn DiskFile, entry_bytes: usize) -> Result<u64, StorageError> {
        let len = file.len().map_err(|e| self.index_error(e))?;
        if len % u64::try_from(entry_bytes).expect("small") != 0 {
            self.note_astray();
        }
        Ok(len)
    }

    /// Forgets what is only true of a closed segment.
    pub(super) fn reopen(&mut self) {
        self.aux = OnceLock::new();
        self.largest = OnceLock::new();
        self.astray = AtomicBool::new(false);
    }

    /// Closes all files and forgets what can be read again: nobody uses it.
    pub(super) fn rest(&mut self) {
        self.reopen();
        self.log.close();
    }

    /// Where the batches end, by the last one.
    pub(super) fn end_of_batches(&self) -> Result<Offset, StorageError> {
        let last = Offset(self.base.0.saturating_add(i64::from(i32::MAX)));
        let hint = self.hint(last, None)?;
        match self.walk_to_end(hint) {
            Err(StorageError::Corrupt { .. }) if hint > 0 => {
                self.note_astray();
                self.walk_to_end(0)
            }
            end => end,
        }
    }

    fn walk_to_end(&self, from: u32) -> Result<Offset, StorageError> {
        let file = self.file()?;
        let mut buffer = [0; LOOKUP_BYTES];
        let end = u64::from(self.size);
        let mut scan = Scan::new(&*file, self.path(), from.into(), end, &mut buffer);
        let mut last = self.base;
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End if position == end => return Ok(last),
                Step::Entry(entry) if entry.first_offset() >= self.base => {
                    last = entry.next_offset();
                    scan.skip(&entry);
                }
                _ => return Err(self.corrupt(position)),
            }
        }
    }

    /// Notes what is known when the segment is closed.
    pub(super) fn closed(&mut self, counts: (u32, u32), largest: (i64, Offset)) {
        self.reopen();
        let _ = self.aux().offsets.set(counts.0);
        let _ = self.aux().times.set(counts.1);
        let _ = self.largest.set(largest);
    }

    fn index_error(&self, error: io::Error) -> StorageError {
        StorageError::io("reading an index", self.aux().index.path(), error)
    }

    /// Where to begin the search for `offset`: the position of a batch that does not begin behind it.
    pub(super) fn hint(
        &self,
        offset: Offset,
        known: Option<KnownEntries<'_>>,
    ) -> Result<u32, StorageError> {
        let Some(target) = relative(self.base, offset) else {
            // Behind everything that an index can hold, or before the segment.
            return Ok(0);
        };
        let written = match known {
            Some(known) => {
                let after = known
                    .recent
                    .partition_point(|e| e.relative_offset <= target);
                if let Some(entry) = after.checked_sub(1).and_then(|at| known.recent.get(at)) {
                    return Ok(entry.position);
                }
                known.written
            }
            None => self.offset_count()?,
        };
        if written == 0 {
            return Ok(0);
        }
        let Some(file) = self.index_file()? else {
            return Ok(0);
        };
        let entry = index_file::last_offset_entry(&*file, written, |e| e.relative_offset <= target)
            .map_err(|e| self.index_error(e))?;
        Ok(entry.map_or(0, |entry| entry.position))
    }

    /// The first batch that ends at or behind `offset`; `None` if the segment ends before.
    pub(super) fn find(
        &self,
        offset: Offset,
        known: Option<KnownEntries<'_>>,
    ) -> Result<Option<Placed>, StorageError> {
        let hint = self.hint(offset, known)?;
        match self.search(offset, hint) {
            Err(StorageError::Corrupt { .. }) if hint > 0 => {
                self.note_astray();
                self.search(offset, 0)
            }
            found => found,
        }
    }

    /// Notes that an index is damaged: it is made anew by the next look after the log.
    pub(super) fn note_astray(&self) {
        if !self.astray.swap(true, Ordering::Relaxed) {
            warn!(segment = %self.path().display(), "an index leads astray; reading without it");
        }
    }

    /// Whether an index is damaged.
    pub(super) fn is_astray(&self) -> bool {
        self.astray.load(Ordering::Relaxed)
    }

    fn search(&self, offset: Offset, from: u32) -> Result<Option<Placed>, StorageError> {
        let file = self.file()?;
        let mut buffer = [0; LOOKUP_BYTES];
        let end = u64::from(self.size);
        let mut scan = Scan::new(&*file, self.path(), u64::from(from), end, &mut buffer);
        let mut first = from > 0;
        loop {
            let position = scan.position;
            match scan.peek()? {
                Step::End if first => return Err(self.corrupt(position)),
                Step::End => return Ok(None),
                Step::Broken(_) => return Err(self.corrupt(position)),
                Step::Entry(entry) => {
                    // An index entry is about a batch that ends at or before the offset.
                    let is_astray = first && entry.last_offset() > offset;
                    if is_astray || entry.first_offset() < self.base {
                        return Err(self.corrupt(position));
                    }
                    first = false;
                    if entry.last_offset() >= offset {
                        let position = u32::try_from(position).expect("within the segment");
                        return Ok(Some(Placed { position, entry }));
                    }
                    scan.skip(&entry);
                }
            }
        }
    }

    /// The error for bytes at `position` that are no batch.
    pub(super) fn corrupt(&self, position: u64) -> StorageError {
        StorageError::Corrupt {
            what: format!("no batch at position {position}"),
            path: self.path().to_owned(),
        }
    }

    /// Largest timestamp of a closed segment (-1 without one) and the offset that its index tells for it.
    pub(super) fn largest(&self) -> Result<(i64, Offset), StorageError> {
        if let Some(largest) = self.largest.get() {
            return Ok(*largest);
        }
        let count = self.time_count()?;
        if self.is_astray() {
            return Ok((-1, self.base));
        }
        let last = match (count.checked_sub(1), self.time_file()?) {
            (Some(last), Some(file)) => {
                Some(index_file::time_entry(&*file, last).map_err(|e| self.index_error(e))?)
            }
            _ => None,
        };
        let mut largest = (-1, self.base);
        if let Some(entry) = last {
            let offset = Offset(self.base.0.saturating_add(i64::from(entry.relative_offset)));
            let placed = self.find(offset, None)?;
            if placed.is_some_and(|placed| placed.entry.max_timestamp() == entry.timestamp) {
                largest = (entry.timestamp, offset);
            } else {
                self.note_astray();
            }
        }
        Ok(*self.largest.get_or_init(|| largest))
    }

    /// When the batch file was last written.
    pub(super) fn modified(&self, disk: &dyn Disk) -> Result<WallMillis, StorageError> {
        let stat = disk.stat(self.path());
        Ok(stat
            .map_err(|e| StorageError::io("looking at a file", self.path(), e))?
            .modified)
    }

    /// Gives the batch file the suffix `.deleted`; with it the segment is gone. Returns the new path.
    pub(super) fn mark_log_deleted(
        &self,
        disk: &dyn Disk,
    ) -> Result<Option<PathBuf>, StorageError> {
        mark_deleted(disk, self.path())
    }

    /// Gives the indexes the suffix `.deleted`. Returns their new paths.
    pub(super) fn mark_indexes_deleted(
        &self,
        disk: &dyn Disk,
    ) -> Result<Vec<PathBuf>, StorageError> {
        let mut paths = Vec::new();
        for extension in [INDEX, TIME_INDEX, TXN_INDEX] {
            paths.extend(mark_deleted(disk, &self.aux_path(extension))?);
        }
        Ok(paths)
    }

    /// Removes all files at once, the batch file first; who reads one still may.
    pub(super) fn remove(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            remove_if_there(disk, &self.aux_path(extension))?;
        }
        Ok(())
    }

    /// Says that the files are in `folder` now.
    pub(super) fn moved_to(&mut self, folder: &Path) {
        self.log.set_path(folder.join(segment_file(self.base, LOG)));
        if let Some(aux) = self.aux.get_mut() {
            aux.index
                .set_path(folder.join(segment_file(self.base, INDEX)));
            aux.time
                .set_path(folder.join(segment_file(self.base, TIME_INDEX)));
            aux.txn
                .set_path(folder.join(segment_file(self.base, TXN_INDEX)));
        }
    }
}

/// Renames a file that may not exist; returns the new name if it did.
pub(super) fn mark_deleted(disk: &dyn Disk, path: &Path) -> Result<Option<PathBuf>, StorageError> {
    let mut to = path.as_os_str().to_owned();
    to.push(DELETED_SUFFIX);
    let to = PathBuf::from(to);
    match disk.rename(path, &to) {
        Ok(()) => Ok(Some(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("renaming a file", path, error)),
    }
}

/// Removes a file that may not exist.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), StorageError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::io("removing a file", path, error))
        }
        _ => Ok(()),
    }
}

fn open_existing(handle: &CachedFile) -> Result<Option<Arc<dyn DiskFile>>, StorageError> {
    match handle.get(OpenMode::ReadWrite) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("opening a file", handle.path(), error)),
    }
}

fn slots(file: &dyn DiskFile, entry_bytes: usize, path: &Path) -> Result<u32, StorageError> {
    let len = file
        .len()
        .map_err(|e| StorageError::io("looking at a file", path, e))?;
    Ok(u32::try_from(len / entry_bytes as u64).unwrap_or(u32::MAX))
}

fn cut(file: &dyn DiskFile, len: u64, path: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::io("cutting a file", path, error);
    if file.len().map_err(failed)? > len {
        file.set_len(len).map_err(failed)?;
    }
    Ok(())
}

fn write_entries<const N: usize>(
    handle: &CachedFile,
    written: u32,
    mut entries: impl Iterator<Item = [u8; N]>,
) -> Result<(), StorageError> {
    let failed = |error| StorageError::io("writing an index", handle.path(), error);
    let file = handle.get(OpenMode::Create).map_err(failed)?;
    let mut at = u64::from(written) * u64::try_from(N).expect("small");
    // Without allocating: an append may wait for this.
    let mut bytes = [0; WRITE_BYTES];
    loop {
        let mut filled = 0;
        for (place, entry) in bytes.chunks_exact_mut(N).zip(&mut entries) {
            place.copy_from_slice(&entry);
            filled += N;
        }
        let part = bytes.get(..filled).unwrap_or_default();
        file.write_all_at(&[IoSlice::new(part)], at)
            .map_err(failed)?;
        at += u64::try_from(filled).expect("small");
        if filled + N <= WRITE_BYTES {
            return Ok(());
        }
    }
}
