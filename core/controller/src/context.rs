//! What a decision is given, and what it gives.

use ottla_base::{MonoTime, Offset, Uuid};
use ottla_metadata::VersionedRecord;

use crate::refusal::{Refusal, TopicRefusal};

/// Most records that one request may produce. A request that needs more is refused as a whole.
pub(crate) const RECORDS_PER_OPERATION_MAX: usize = 10_000;

/// What a decision needs beside the request and the state.
pub struct Context<'a> {
    /// Now.
    pub now: MonoTime,
    /// Offset that the next record gets. It becomes the epoch of a broker that registers.
    pub next_offset: Offset,
    /// Version of the request, where the answer depends on it.
    pub api_version: i16,
    /// Makes a random id that is not reserved.
    pub new_id: &'a mut dyn FnMut() -> Uuid,
    /// Makes 64 random bits.
    pub random: &'a mut dyn FnMut() -> u64,
}

/// A decision: records to append, and the answer to give when they are committed.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the records are to be appended, or the answer is a lie"]
pub struct Outcome<R> {
    /// Records in order; none if nothing changes.
    pub records: Vec<VersionedRecord>,
    /// Whether the records must be appended in one batch. Others may be split anywhere.
    pub atomic: bool,
    /// The answer.
    pub reply: R,
}

impl<R> Outcome<R> {
    pub(crate) fn new(records: Vec<VersionedRecord>, reply: R) -> Self {
        Self {
            records,
            atomic: false,
            reply,
        }
    }

    pub(crate) fn atomic(records: Vec<VersionedRecord>, reply: R) -> Self {
        Self {
            records,
            atomic: true,
            reply,
        }
    }

    /// The records in the batches in which they are appended: `max` to a batch, or all in one.
    pub fn batches(&self, max: usize) -> impl Iterator<Item = &[VersionedRecord]> {
        let size = if self.atomic { self.records.len() } else { max };
        self.records.chunks(size.max(1))
    }

    /// The same answer with nothing changed, as for a request that only validates.
    pub(crate) fn without_records(self) -> Self {
        Self {
            records: Vec::new(),
            ..self
        }
    }
}

/// Records of one user's request, up to [`RECORDS_PER_OPERATION_MAX`].
#[derive(Debug, Default)]
pub(crate) struct UserRecords(Vec<VersionedRecord>);

impl UserRecords {
    pub(crate) fn push(&mut self, record: VersionedRecord) -> Result<(), Refusal> {
        if self.0.len() >= RECORDS_PER_OPERATION_MAX {
            return Err(TopicRefusal::BatchTooLarge.into());
        }
        self.0.push(record);
        Ok(())
    }

    pub(crate) fn extend(
        &mut self,
        records: impl IntoIterator<Item = VersionedRecord>,
    ) -> Result<(), Refusal> {
        records.into_iter().try_for_each(|record| self.push(record))
    }

    pub(crate) fn as_slice(&self) -> &[VersionedRecord] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<VersionedRecord> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use ottla_metadata::{MetadataRecord, MetadataVersion};
    use ottla_protocol::messages::NoOpRecord;

    use super::*;

    fn records(count: usize) -> Vec<VersionedRecord> {
        vec![MetadataRecord::from(NoOpRecord::default()).at(MetadataVersion::LATEST); count]
    }

    #[test]
    fn only_what_is_not_atomic_is_split() {
        let sizes = |outcome: &Outcome<()>| outcome.batches(3).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&Outcome::new(records(7), ())), [3, 3, 1]);
        assert_eq!(sizes(&Outcome::atomic(records(7), ())), [7]);
        assert_eq!(sizes(&Outcome::atomic(Vec::new(), ())), [0; 0]);
    }

    #[test]
    fn a_request_makes_no_more_records_than_the_limit() {
        let mut user = UserRecords::default();
        user.extend(records(RECORDS_PER_OPERATION_MAX)).unwrap();
        assert!(user.extend(records(1)).is_err());
    }
}
