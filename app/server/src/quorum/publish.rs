//! From records of the metadata log to images: what is appended and not yet committed, and the image of
//! what is.
//!
//! Records of a metadata transaction count when it ends (KIP-868): an image never shows half of one.

use std::collections::VecDeque;
use std::sync::Arc;

use ottla_base::{LeaderEpoch, MonoTime, Offset, WallMillis};
use ottla_metadata::{MetadataDelta, MetadataImage, MetadataRecord};

use super::MetadataListener;
use super::error::QuorumError;

/// A record of the log; `None` for control records, which say nothing about metadata.
#[derive(Debug)]
pub(crate) struct LogEntry {
    pub(crate) offset: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) time: WallMillis,
    /// Its share of the log.
    pub(crate) bytes: u64,
    pub(crate) record: Option<MetadataRecord>,
}

/// The published image and what is yet to be.
pub(crate) struct Publisher {
    delta: MetadataDelta,
    image: Arc<MetadataImage>,
    entries: VecDeque<LogEntry>,
    /// Time of the last record in the image.
    last_time: WallMillis,
    /// Bytes of committed records since the last snapshot, and when that was.
    bytes_since_snapshot: u64,
    last_snapshot_at: MonoTime,
    listener: Option<Arc<dyn MetadataListener>>,
}

impl Publisher {
    /// Starts from a snapshot: `delta` leads from nothing to its image.
    pub(crate) fn new(
        delta: MetadataDelta,
        end: Offset,
        epoch: LeaderEpoch,
        time: WallMillis,
        now: MonoTime,
    ) -> Self {
        let image = Arc::new(delta.image_at(Offset(end.0 - 1), epoch));
        Self {
            delta,
            image,
            entries: VecDeque::new(),
            last_time: time,
            bytes_since_snapshot: 0,
            last_snapshot_at: now,
            listener: None,
        }
    }

    /// The image of what is committed.
    pub(crate) fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// Offset after the last record of the image.
    pub(crate) fn published_end(&self) -> Offset {
        Offset(self.image.offset.0 + 1)
    }

    /// Time of the last record in the image.
    pub(crate) fn last_time(&self) -> WallMillis {
        self.last_time
    }

    /// Bytes since the last snapshot, and when that was made.
    pub(crate) fn since_snapshot(&self) -> (u64, MonoTime) {
        (self.bytes_since_snapshot, self.last_snapshot_at)
    }

    /// A snapshot of the present image is being made.
    pub(crate) fn snapshot_begun(&mut self, now: MonoTime) {
        self.bytes_since_snapshot = 0;
        self.last_snapshot_at = now;
    }

    /// A record was appended to the log.
    pub(crate) fn push(&mut self, entry: LogEntry) {
        self.entries.push_back(entry);
    }

    /// The log was cut at `end`, above everything committed.
    pub(crate) fn truncate_to(&mut self, end: Offset) {
        while self.entries.back().is_some_and(|last| last.offset >= end) {
            self.entries.pop_back();
        }
    }

    /// Records after the image, committed or not, in order.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (Offset, &MetadataRecord)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.offset, entry.record.as_ref()?)))
    }

    /// Whom to tell of changes; he is told at once how to get from nothing to the present image.
    pub(crate) fn attach(&mut self, listener: Arc<dyn MetadataListener>) {
        self.listener = Some(listener);
        self.tell();
    }

    /// Everything below `high_watermark` is committed: takes it into the image, as far as no transaction
    /// is open, and tells the listener.
    pub(crate) fn commit(&mut self, high_watermark: Offset) -> Result<(), QuorumError> {
        let count = self.committed_outside_transaction(high_watermark);
        if count == 0 {
            return Ok(());
        }
        let mut last = None;
        for entry in self.entries.drain(..count) {
            if let Some(record) = &entry.record {
                let offset = entry.offset;
                let applied = self.delta.apply(record);
                applied.map_err(|source| QuorumError::Replay { offset, source })?;
            }
            self.bytes_since_snapshot = self.bytes_since_snapshot.saturating_add(entry.bytes);
            last = Some((entry.offset, entry.epoch, entry.time));
        }
        if let Some((offset, epoch, time)) = last {
            self.image = Arc::new(self.delta.image_at(offset, epoch));
            self.last_time = time;
            self.tell();
        }
        Ok(())
    }

    fn committed_outside_transaction(&self, high_watermark: Offset) -> usize {
        let mut is_open = self.delta.in_transaction();
        let mut count = 0;
        let committed = self.entries.iter();
        let committed = committed.take_while(|entry| entry.offset < high_watermark);
        for (index, entry) in committed.enumerate() {
            match entry.record {
                Some(MetadataRecord::BeginTransaction(_)) => is_open = true,
                Some(MetadataRecord::EndTransaction(_) | MetadataRecord::AbortTransaction(_)) => {
                    is_open = false;
                }
                _ => {}
            }
            if !is_open {
                count = index + 1;
            }
        }
        count
    }

    fn tell(&mut self) {
        if let Some(listener) = &self.listener {
            listener.on_commit(&self.delta, &self.image);
            self.delta = MetadataDelta::new(Arc::clone(&self.image));
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_base::TopicId;
    use ottla_base::Uuid;
    use ottla_protocol::messages::{
        AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, TopicRecord,
    };
    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<(i64, usize, usize)>>);

    impl MetadataListener for Seen {
        fn on_commit(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>) {
            let created = delta.topics().created.len();
            self.0
                .lock()
                .push((image.offset.0, image.topics.iter().count(), created));
        }
    }

    fn topic(id: u8) -> MetadataRecord {
        TopicRecord {
            name: format!("t{id}"),
            topic_id: TopicId(Uuid([id; 16])).0,
            ..TopicRecord::default()
        }
        .into()
    }

    fn publisher(records: Vec<Option<MetadataRecord>>) -> (Publisher, Arc<Seen>) {
        let delta = MetadataDelta::new(Arc::default());
        let (end, epoch) = (Offset(0), LeaderEpoch(0));
        let mut publisher = Publisher::new(delta, end, epoch, WallMillis(0), MonoTime(0));
        for (offset, record) in (0..).zip(records) {
            publisher.push(LogEntry {
                offset: Offset(offset),
                epoch: LeaderEpoch(1),
                time: WallMillis(offset),
                bytes: 10,
                record,
            });
        }
        let seen = Arc::new(Seen::default());
        publisher.attach(Arc::clone(&seen) as Arc<dyn MetadataListener>);
        seen.0.lock().clear();
        (publisher, seen)
    }

    #[test]
    fn transaction_counts_when_it_ends() {
        let (mut publisher, seen) = publisher(vec![
            None,
            Some(topic(1)),
            Some(BeginTransactionRecord::default().into()),
            Some(topic(2)),
            Some(EndTransactionRecord::default().into()),
            Some(BeginTransactionRecord::default().into()),
            Some(topic(3)),
            Some(AbortTransactionRecord::default().into()),
        ]);
        for (high_watermark, told) in [
            (0, None),
            (1, Some((0, 0, 0))),
            (4, Some((1, 1, 1))),
            (5, Some((4, 2, 1))),
            (7, None),
            (8, Some((7, 2, 0))),
        ] {
            publisher.commit(Offset(high_watermark)).unwrap();
            let last = seen.0.lock().pop();
            assert_eq!(last, told, "high watermark {high_watermark}");
        }
        assert_eq!(publisher.since_snapshot().0, 80);
        assert_eq!(publisher.last_time(), WallMillis(7));
    }

    #[test]
    fn what_is_cut_off_is_never_published() {
        let (mut publisher, seen) = publisher(vec![Some(topic(1)), Some(topic(2))]);
        publisher.truncate_to(Offset(1));
        assert_eq!(publisher.pending().count(), 1);
        publisher.commit(Offset(9)).unwrap();
        assert_eq!(*seen.0.lock(), [(0, 1, 1)]);
    }

    #[test]
    fn listener_that_comes_late_gets_the_whole_way() {
        let (mut publisher, _) = publisher(vec![Some(topic(1)), Some(topic(2))]);
        publisher.listener = None;
        publisher.commit(Offset(1)).unwrap();
        publisher.commit(Offset(2)).unwrap();
        let seen = Arc::new(Seen::default());
        publisher.attach(Arc::clone(&seen) as Arc<dyn MetadataListener>);
        assert_eq!(*seen.0.lock(), [(1, 2, 2)]);
    }
}
