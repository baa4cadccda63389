//! Incremental fetch sessions (KIP-227).
//!
//! A consumer of many partitions names them once; later requests carry changes only, and answers
//! leave out partitions without news. [`Session`] is the memory of one consumer; [`SessionTable`]
//! hands out ids and bounds how many sessions there are. The table is owned by the node, behind a
//! lock; it does not know what a partition holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_base::{MonoTime, Offset, TopicId};
use thiserror::Error;

/// Session id of a request that has no session.
pub const NO_SESSION: i32 = 0;
/// Epoch of a full request that would like a session.
pub const INITIAL_EPOCH: i32 = 0;
/// Epoch of a full request that wants no session, or ends the one it names.
pub const FINAL_EPOCH: i32 = -1;
/// Partitions that all sessions together may remember; above it a full request is answered without a
/// session, which every client takes (it then goes on sending full requests).
pub const REMEMBERED_PARTITIONS_MAX: usize = 2_000_000;

/// Why an incremental request cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The session was evicted, ended or never was.
    #[error("fetch session is not known: id={0}")]
    NotFound(i32),
    /// The request is not the next one of its session.
    #[error("fetch session epoch does not follow: expected={expected} got={got}")]
    InvalidEpoch {
        /// Epoch that the next request must carry.
        expected: i32,
        /// Epoch of the request.
        got: i32,
    },
    /// The session names topics by id and the request by name, or the other way round.
    #[error("fetch session and request differ in the use of topic ids")]
    TopicIdMismatch,
}

/// How a request names a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionTopic {
    /// By name (Fetch up to version 12).
    Name(Arc<str>),
    /// By id (Fetch from version 13).
    Id(TopicId),
}

/// What a consumer asks of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// First offset wanted.
    pub fetch_offset: Offset,
    /// Log start of a follower; -1 from a consumer.
    pub log_start: i64,
    /// Bytes wanted at most.
    pub max_bytes: i32,
    /// Leader epoch that the client knows; -1 if none.
    pub current_leader_epoch: i32,
    /// Epoch of the last record fetched; -1 if none.
    pub last_fetched_epoch: i32,
}

/// What the last answer told of one partition; an unchanged partition without data is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// High watermark of the last answer; -1 before the first.
    pub high_watermark: i64,
    /// Log start of the last answer; -1 before the first.
    pub log_start: i64,
}

const NOTHING_TOLD: Told = Told {
    high_watermark: -1,
    log_start: -1,
};

/// One remembered partition.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Topic as the client names it.
    pub topic: SessionTopic,
    /// Partition index.
    pub partition: i32,
    /// What is asked.
    pub interest: Interest,
    told: Told,
    previous: u32,
    next: u32,
}

/// End of the list.
const NIL: u32 = u32::MAX;

/// The partitions of one consumer, in the order in which they are read.
///
/// A partition that brought data moves to the end, so that every partition gets its turn although an
/// answer has a size limit.
#[derive(Debug)]
pub struct Session {
    id: i32,
    next_epoch: i32,
    uses_topic_ids: bool,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    index: BTreeMap<(SessionTopic, i32), u32>,
    first: u32,
    last: u32,
}

impl Session {
    /// Starts an empty session.
    #[must_use]
    pub fn new(id: i32, uses_topic_ids: bool) -> Self {
        Self {
            id,
            next_epoch: 1,
            uses_topic_ids,
            entries: Vec::new(),
            free: Vec::new(),
            index: BTreeMap::new(),
            first: NIL,
            last: NIL,
        }
    }

    /// Id told to the client.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Number of partitions remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Checks that a request is the next of this session and moves the epoch on.
    ///
    /// # Errors
    /// [`SessionError::InvalidEpoch`] or [`SessionError::TopicIdMismatch`]; the session lives on.
    pub fn begin(&mut self, epoch: i32, uses_topic_ids: bool) -> Result<(), SessionError> {
        if epoch != self.next_epoch {
            return Err(SessionError::InvalidEpoch {
                expected: self.next_epoch,
                got: epoch,
            });
        }
        if uses_topic_ids != self.uses_topic_ids {
            return Err(SessionError::TopicIdMismatch);
        }
        self.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        Ok(())
    }

    /// Adds a partition, or changes what is asked of it.
    pub fn update(&mut self, topic: SessionTopic, partition: i32, interest: Interest) {
        let key = (topic, partition);
        if let Some(slot) = self.index.get(&key).copied() {
            self.entry_mut(slot).interest = interest;
            return;
        }
        let entry = Entry {
            topic: key.0.clone(),
            partition,
            interest,
            told: NOTHING_TOLD,
            previous: NIL,
            next: NIL,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = Some(entry);
                slot
            }
            None => {
                let slot = u32::try_from(self.entries.len()).expect("bounded by the frame size");
                self.entries.push(Some(entry));
                slot
            }
        };
        self.push_back(slot);
        self.index.insert(key, slot);
    }

    /// Forgets a partition; an unknown one is no error.
    pub fn forget(&mut self, topic: SessionTopic, partition: i32) {
        if let Some(slot) = self.index.remove(&(topic, partition)) {
            self.unlink(slot);
            self.entries[slot as usize] = None;
            self.free.push(slot);
        }
    }

    /// The partitions in the order in which they are to be read; the number names one in [`Self::tell`].
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let mut at = self.first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?.as_ref()?;
            let slot = at;
            at = entry.next;
            Some((slot, entry))
        })
    }

    /// Says what the answer would carry for a partition; returns whether it must be in the answer.
    ///
    /// `bytes` is the size of its records, `news` whether an error, a diverging epoch or a preferred
    /// read replica is told.
    pub fn tell(&mut self, slot: u32, told: Told, bytes: u32, news: bool) -> bool {
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::as_mut) else {
            return true; // Forgotten by a request that overtook this answer.
        };
        let changed = entry.told != told;
        // An error makes the next good answer news again.
        entry.told = if news { NOTHING_TOLD } else { told };
        if bytes > 0 {
            self.unlink(slot);
            self.push_back(slot);
        }
        bytes > 0 || news || changed
    }

    fn entry_mut(&mut self, slot: u32) -> &mut Entry {
        self.entries[slot as usize]
            .as_mut()
            .expect("a linked slot is filled")
    }

    fn push_back(&mut self, slot: u32) {
        let last = self.last;
        let entry = self.entry_mut(slot);
        entry.previous = last;
        entry.next = NIL;
        match last {
            NIL => self.first = slot,
            last => self.entry_mut(last).next = slot,
        }
        self.last = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let (previous, next) = {
            let entry = self.entry_mut(slot);
            (entry.previous, entry.next)
        };
        match previous {
            NIL => self.first = next,
            previous => self.entry_mut(previous).next = next,
        }
        match next {
            NIL => self.last = previous,
            next => self.entry_mut(next).previous = previous,
        }
    }
}

/// Bounds of the table.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// `max.incremental.fetch.session.cache.slots`.
    pub slots: usize,
    /// Idle time after which any newcomer may take a session's place
    /// (`min.incremental.fetch.session.eviction.ms` of Kafka, 2 minutes).
    pub eviction_ms: u64,
}

#[derive(Debug)]
struct Row<S> {
    session: S,
    last_used: MonoTime,
    partitions: usize,
}

/// All sessions of a node; `S` is how the owner shares a session between threads.
#[derive(Debug)]
pub struct SessionTable<S> {
    limits: SessionLimits,
    rows: BTreeMap<i32, Row<S>>,
    remembered: usize,
}

impl<S: Clone> SessionTable<S> {
    /// An empty table.
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            rows: BTreeMap::new(),
            remembered: 0,
        }
    }

    /// Number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Makes room for a session of `partitions` partitions and adds what `make` builds.
    ///
    /// `candidates` are random ids; the first that is positive and free is taken. `None` means the
    /// request is to be answered without a session. A session gives way if it was idle for the
    /// eviction time, or if it is the smallest and smaller than the newcomer.
    pub fn insert(
        &mut self,
        now: MonoTime,
        partitions: usize,
        candidates: impl IntoIterator<Item = i32>,
        make: impl FnOnce(i32) -> S,
    ) -> Option<(i32, S)> {
        if partitions == 0 || self.remembered.saturating_add(partitions) > REMEMBERED_PARTITIONS_MAX
        {
            return None;
        }
        if self.rows.len() >= self.limits.slots && !self.evict_for(now, partitions) {
            return None;
        }
        let free = |id: &i32| *id > 0 && !self.rows.contains_key(id);
        let id = candidates.into_iter().find(free)?;
        let session = make(id);
        self.rows.insert(
            id,
            Row {
                session: session.clone(),
                last_used: now,
                partitions,
            },
        );
        self.remembered += partitions;
        Some((id, session))
    }

    /// Finds a session and marks it used.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn touch(&mut self, now: MonoTime, id: i32) -> Result<S, SessionError> {
        let row = self.rows.get_mut(&id).ok_or(SessionError::NotFound(id))?;
        row.last_used = now;
        Ok(row.session.clone())
    }

    /// Says how many partitions a session remembers after a change.
    pub fn resize(&mut self, id: i32, partitions: usize) {
        if let Some(row) = self.rows.get_mut(&id) {
            self.remembered = self.remembered - row.partitions + partitions;
            row.partitions = partitions;
        }
    }

    /// Whether the sessions may remember `more` partitions in addition.
    #[must_use]
    pub fn has_room_for(&self, more: usize) -> bool {
        self.remembered.saturating_add(more) <= REMEMBERED_PARTITIONS_MAX
    }

    /// Ends a session; an unknown one is no error.
    pub fn remove(&mut self, id: i32) {
        if let Some(row) = self.rows.remove(&id) {
            self.remembered -= row.partitions;
        }
    }

    fn evict_for(&mut self, now: MonoTime, partitions: usize) -> bool {
        let idle_ns = self.limits.eviction_ms.saturating_mul(1_000_000);
        let oldest = self
            .rows
            .iter()
            .min_by_key(|(_, row)| row.last_used)
            .map(|(id, row)| (*id, now.0.saturating_sub(row.last_used.0) > idle_ns));
        let victim = match oldest {
            Some((id, true)) => Some(id),
            _ => self
                .rows
                .iter()
                .min_by_key(|(_, row)| row.partitions)
                .filter(|(_, row)| row.partitions < partitions)
                .map(|(id, _)| *id),
        };
        match victim {
            Some(id) => {
                self.remove(id);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> SessionTopic {
        SessionTopic::Name(name.into())
    }

    fn interest(offset: i64) -> Interest {
        Interest {
            fetch_offset: Offset(offset),
            log_start: -1,
            max_bytes: 1024,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    fn session(names: &[&str]) -> Session {
        let mut session = Session::new(7, false);
        for name in names {
            session.update(topic(name), 0, interest(0));
        }
        session
    }

    fn order(session: &Session) -> Vec<String> {
        let name = |entry: &Entry| match &entry.topic {
            SessionTopic::Name(name) => name.to_string(),
            SessionTopic::Id(id) => format!("{id:?}"),
        };
        session.iter().map(|(_, entry)| name(entry)).collect()
    }

    fn slot(session: &Session, name: &str) -> u32 {
        session
            .iter()
            .find(|(_, e)| e.topic == topic(name))
            .expect("is there")
            .0
    }

    const TOLD: Told = Told {
        high_watermark: 5,
        log_start: 0,
    };

    #[test]
    fn epochs_follow_each_other_and_wrap_to_one() {
        let mut session = session(&["a"]);
        assert_eq!(session.begin(1, false), Ok(()));
        let wrong = SessionError::InvalidEpoch {
            expected: 2,
            got: 5,
        };
        assert_eq!(session.begin(5, false), Err(wrong));
        assert_eq!(session.begin(2, true), Err(SessionError::TopicIdMismatch));
        assert_eq!(session.begin(2, false), Ok(()));
        session.next_epoch = i32::MAX;
        assert_eq!(session.begin(i32::MAX, false), Ok(()));
        assert_eq!(session.begin(1, false), Ok(()));
    }

    #[test]
    fn partition_with_data_moves_to_the_end() {
        let mut session = session(&["a", "b", "c"]);
        let a = slot(&session, "a");
        assert!(session.tell(a, TOLD, 10, false));
        assert_eq!(order(&session), ["b", "c", "a"]);
    }

    #[test]
    fn unchanged_partition_is_left_out() {
        let mut session = session(&["a"]);
        let a = slot(&session, "a");
        assert!(session.tell(a, TOLD, 0, false), "the first answer is news");
        assert!(!session.tell(a, TOLD, 0, false));
        assert!(session.tell(
            a,
            Told {
                high_watermark: 6,
                ..TOLD
            },
            0,
            false
        ));
        assert!(session.tell(
            a,
            Told {
                high_watermark: 6,
                log_start: 2
            },
            0,
            false
        ));
    }

    #[test]
    fn recovery_from_an_error_is_news() {
        let mut session = session(&["a"]);
        let a = slot(&session, "a");
        session.tell(a, TOLD, 0, false);
        assert!(session.tell(a, TOLD, 0, true));
        assert!(session.tell(a, TOLD, 0, false));
    }

    #[test]
    fn forgotten_slots_are_reused() {
        let mut session = session(&["a", "b", "c"]);
        session.forget(topic("b"), 0);
        session.forget(topic("nobody"), 0);
        assert_eq!(order(&session), ["a", "c"]);
        session.update(topic("d"), 0, interest(0));
        assert_eq!(order(&session), ["a", "c", "d"]);
        assert_eq!(session.entries.len(), 3);
    }

    fn table(slots: usize) -> SessionTable<i32> {
        SessionTable::new(SessionLimits {
            slots,
            eviction_ms: 120_000,
        })
    }

    #[test]
    fn id_is_positive_and_free() {
        let mut table = table(10);
        let now = MonoTime(0);
        assert_eq!(table.insert(now, 1, [0, -3, 9], |id| id), Some((9, 9)));
        assert_eq!(table.insert(now, 1, [9, 4], |id| id), Some((4, 4)));
        assert_eq!(table.insert(now, 1, [9, 4], |id| id), None);
        assert_eq!(table.touch(now, 5), Err(SessionError::NotFound(5)));
    }

    #[test]
    fn full_table_gives_way_to_the_larger_or_after_idleness() {
        let mut table = table(1);
        assert!(table.insert(MonoTime(0), 2, [1], |id| id).is_some());
        assert!(
            table.insert(MonoTime(0), 2, [2], |id| id).is_none(),
            "not larger"
        );
        assert!(
            table.insert(MonoTime(0), 3, [2], |id| id).is_some(),
            "larger"
        );
        let later = MonoTime(120_001 * 1_000_000);
        assert!(table.insert(later, 1, [3], |id| id).is_some(), "idle");
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn remembered_partitions_are_bounded() {
        let mut table = table(10);
        let now = MonoTime(0);
        assert!(
            table
                .insert(now, REMEMBERED_PARTITIONS_MAX, [1], |id| id)
                .is_some()
        );
        assert!(table.insert(now, 1, [2], |id| id).is_none());
        table.remove(1);
        assert!(table.insert(now, 1, [2], |id| id).is_some());
    }
}
