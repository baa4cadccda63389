//! What stands in the indexes of a segment: writing, cutting and counting entries.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_base::Offset;
use ottla_disk::CachedFile;
use ottla_env::{DiskFile, OpenMode};
use ottla_log::offset_index::{self, OffsetEntry};
use ottla_log::time_index::{self, TimeEntry};
use ottla_log::txn_index::{self, AbortedTxn};
use tracing::warn;

use super::super::index_file;
use super::{Segment, open_existing, remove_if_there};
use crate::error::StorageError;

/// Bytes of index entries written at once.
const WRITE_BYTES: usize = 1024;

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

impl Segment {
    /// Writes offset entries behind `written` of them.
    pub(in crate::log) fn write_offsets(
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
    pub(in crate::log) fn write_times(
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
    pub(in crate::log) fn write_txn(&mut self, entry: &AbortedTxn) -> Result<(), StorageError> {
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
    pub(in crate::log) fn cut_indexes(
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
    pub(in crate::log) fn cut_txns(
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
    pub(in crate::log) fn aborted(&self) -> Result<Vec<AbortedTxn>, StorageError> {
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

    pub(super) fn txns(
        &self,
        file: &dyn DiskFile,
        count: u32,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let mut bytes = vec![0; usize::try_from(count).expect("32 bits") * txn_index::ENTRY_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(|e| {
            StorageError::io("reading a transaction index", self.aux().txn.path(), e)
        })?;
        let (entries, _) = bytes.as_chunks::<{ txn_index::ENTRY_BYTES }>();
        Ok(entries.iter().map_while(AbortedTxn::from_bytes).collect())
    }

    /// Entries of offset and time index of a closed segment.
    pub(in crate::log) fn counts(&self) -> Result<(u32, u32), StorageError> {
        Ok((self.offset_count()?, self.time_count()?))
    }

    pub(super) fn offset_count(&self) -> Result<u32, StorageError> {
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
    pub(in crate::log) fn time_count(&self) -> Result<u32, StorageError> {
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

    /// Bytes of an index. One of a broken number of entries was cut by somebody, perhaps of more than that.
    pub(super) fn checked_len(
        &self,
        file: &dyn DiskFile,
        entry_bytes: usize,
    ) -> Result<u64, StorageError> {
        let len = file.len().map_err(|e| self.index_error(e))?;
        if len % u64::try_from(entry_bytes).expect("small") != 0 {
            self.note_astray();
        }
        Ok(len)
    }

    /// Notes that an index is damaged: it is made anew by the next look after the log.
    pub(in crate::log) fn note_astray(&self) {
        if !self.astray.swap(true, Ordering::Relaxed) {
            warn!(segment = %self.path().display(), "an index leads astray; reading without it");
        }
    }

    /// Whether an index is damaged.
    pub(in crate::log) fn is_astray(&self) -> bool {
        self.astray.load(Ordering::Relaxed)
    }

    pub(super) fn index_error(&self, error: io::Error) -> StorageError {
        StorageError::io("reading an index", self.aux().index.path(), error)
    }

    /// Notes what is known when the segment is closed.
    pub(in crate::log) fn closed(&mut self, counts: (u32, u32), largest: (i64, Offset)) {
        self.reopen();
        let _ = self.aux().offsets.set(counts.0);
        let _ = self.aux().times.set(counts.1);
        let _ = self.largest.set(largest);
    }
}
