//! The leader epochs of a log on disk.

use std::io::IoSlice;

use ottla_base::LeaderEpoch;
use ottla_disk::{read_small, write_atomically};
use ottla_env::OpenMode;
use ottla_log::checkpoint_file::{read_epochs, write_epochs};
use ottla_log::entry::{EntryHeader, PEEK_BYTES};
use ottla_log::epoch_cache::EpochCache;
use ottla_log::names::LEADER_EPOCH_CHECKPOINT;
use tracing::warn;

use super::scan::{Scan, Step};
use super::{Log, Segment, StorageError};

/// Largest checkpoint that is read: some 400,000 epochs. A larger one counts as damaged.
const EPOCHS_BYTES_MAX: u64 = 8 << 20;

impl Log {
    /// A new leader epoch begins at the log end. Its file is written, and made durable, by the first append of that
    /// epoch or by the next flush: before anything of it is acknowledged.
    ///
    /// # Errors
    /// [`StorageError::Failed`] after an earlier error.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) -> Result<(), StorageError> {
        self.check_open()?;
        self.assign_epoch(epoch, self.end);
        Ok(())
    }

    pub(super) fn assign_epoch(&mut self, epoch: LeaderEpoch, start: ottla_base::Offset) {
        // An older one can only be a mistake; taking it would drop what is known.
        if self.epochs.latest().is_none_or(|latest| epoch > latest) {
            self.epochs_unsaved |= self.epochs.assign(epoch, start);
        }
    }

    /// Brings the file up to date, if there is a directory for it.
    pub(super) fn save_epochs(&mut self) -> Result<(), StorageError> {
        if !self.epochs_unsaved || !self.is_on_disk() {
            return Ok(());
        }
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        let text = write_epochs(self.epochs.entries());
        let failed = |error| StorageError::io("writing leader epochs", &path, error);
        if self.epochs_file {
            write_atomically(&*self.env.disk, &path, text.as_bytes()).map_err(failed)?;
        } else {
            // The first one: nothing is lost if it does not arrive, so it is flushed together with the batches.
            let file = self
                .env
                .disk
                .open(&path, OpenMode::Create)
                .map_err(failed)?;
            file.set_len(0).map_err(failed)?;
            file.write_all_at(&[IoSlice::new(text.as_bytes())], 0)
                .map_err(failed)?;
            self.unflushed.note_new();
            self.epochs_file = true;
        }
        self.epochs_unsaved = false;
        Ok(())
    }

    /// Reads the file. False if it is not there or damaged: then the epochs are to be made anew from the batches.
    pub(super) fn load_epochs(&mut self) -> Result<bool, StorageError> {
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        match read_small(&*self.env.disk, &path, EPOCHS_BYTES_MAX) {
            Ok(bytes) => {
                self.epochs_file = true;
                let text = String::from_utf8(bytes).unwrap_or_default();
                // An empty file is what a power cut leaves of one that was not flushed.
                match read_epochs(&text) {
                    Ok(entries) if !text.is_empty() => {
                        self.epochs = EpochCache::from_entries(entries);
                        return Ok(true);
                    }
                    _ => {
                        warn!(path = %path.display(), "leader epochs are damaged; reading the batches");
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                warn!(path = %path.display(), "leader epochs are too large; reading the batches");
            }
            Err(error) => return Err(StorageError::io("reading leader epochs", &path, error)),
        }
        Ok(false)
    }

    /// Reads from the batches which epoch began where.
    pub(super) fn rebuild_epochs(&mut self) -> Result<(), StorageError> {
        self.epochs = EpochCache::default();
        let mut firsts = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            firsts.push(first_entry(segment)?);
        }
        let mut found = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let Some(first) = firsts.get(at).copied().flatten() else {
                continue;
            };
            found.push((first.leader_epoch(), first.first_offset()));
            let next = firsts.get(at + 1).copied().flatten();
            // Epochs do not fall: between two equal ones is no other.
            if next.map(|next| next.leader_epoch()) == Some(first.leader_epoch()) {
                continue;
            }
            let file = segment.file()?;
            let mut buffer = Scan::bulk_buffer(segment.size.into());
            let end = segment.size.into();
            let mut scan = Scan::new(&*file, segment.path(), 0, end, &mut buffer);
            let mut last = first.leader_epoch();
            while let Step::Entry(entry) = scan.peek()? {
                if entry.leader_epoch() > last {
                    last = entry.leader_epoch();
                    found.push((last, entry.first_offset()));
                }
                scan.skip(&entry);
            }
        }
        for (epoch, start) in found {
            self.assign_epoch(epoch, start);
        }
        Ok(())
    }
}

fn first_entry(segment: &Segment) -> Result<Option<EntryHeader>, StorageError> {
    if segment.size == 0 {
        return Ok(None);
    }
    let file = segment.file()?;
    let mut buffer = [0; PEEK_BYTES];
    let end = segment.size.into();
    let mut scan = Scan::new(&*file, segment.path(), 0, end, &mut buffer);
    match scan.peek()? {
        Step::Entry(entry) => Ok(Some(entry)),
        Step::End | Step::Broken(_) => Ok(None),
    }
}
