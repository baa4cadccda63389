//! The answer to a Fetch request.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use ottla_base::Uuid;
use ottla_net::{FileRegion, OutQueue};
use ottla_protocol::messages::fetch_response::borrowed::{
    AbortedTransactionRef, EpochEndOffsetRef, FetchResponseRef, FetchableTopicResponseRef,
    LeaderIdAndEpochRef, PartitionDataRef, SnapshotIdRef,
};
use ottla_protocol::{RecordsPayload, Splice};
use ottla_replication::fetch_session::Told;
use ottla_storage::ReadSlice;

use super::ask::{Ask, Refused};
use super::session::{SessionTurn, TOPIC_IDS_FROM};
use super::{PendingFetch, Reads};
use crate::partition::PartitionRead;
use crate::reply::{self, Close};

/// Records up to this size are copied into the answer: one call then sends several answers, where a file
/// region would cost a call of its own.
const INLINE_BYTES_MAX: u32 = 8 * 1024;
/// First version with the leader's hints (KIP-951) and with a diverging epoch (KIP-595).
const DIVERGING_FROM: i16 = 12;

/// Writes the answer behind what `out` holds.
pub(super) fn write(
    fetch: &PendingFetch,
    reads: &Reads,
    arena: &Bump,
    splices: &mut Vec<Splice>,
    out: &mut OutQueue,
) -> Result<(), Close> {
    let version = fetch.to.version;
    let topics = topics(fetch, reads, arena);
    let response = FetchResponseRef {
        throttle_time_ms: 0,
        error_code: fetch.error.map_or(0, ottla_protocol::ErrorCode::code),
        session_id: fetch.session.id(),
        responses: topics,
        node_endpoints: &[],
    };
    splices.clear();
    reply::encode_into(fetch.to, out, splices, |w| response.encode(w, version))?;
    for splice in splices.iter() {
        let read = usize::try_from(splice.tag)
            .ok()
            .and_then(|tag| reads.get(tag));
        if let Some(Ok(PartitionRead {
            slice: Some(slice), ..
        })) = read
        {
            out.place_region(splice.at, region(slice));
        }
    }
    Ok(())
}

fn region(slice: &ReadSlice) -> FileRegion {
    FileRegion {
        file: std::sync::Arc::clone(&slice.file),
        position: slice.position,
        len: u64::from(slice.len),
    }
}

/// The partitions to tell, by topic in the order in which they were read.
fn topics<'a>(
    fetch: &'a PendingFetch,
    reads: &'a Reads,
    arena: &'a Bump,
) -> &'a [FetchableTopicResponseRef<'a>] {
    let by_id = fetch.to.version >= TOPIC_IDS_FROM;
    let mut topics = ArenaVec::new_in(arena);
    let mut partitions = ArenaVec::new_in(arena);
    let mut open: Option<(&'a str, Uuid)> = None;
    for (at, (ask, read)) in fetch.asks.iter().zip(reads).enumerate() {
        if !tell(&fetch.session, ask, read.as_ref()) {
            continue;
        }
        let topic = if by_id {
            ("", ask.topic_id)
        } else {
            (name(ask), Uuid::ZERO)
        };
        if let Some(before) = open.filter(|before| *before != topic) {
            let done = std::mem::replace(&mut partitions, ArenaVec::new_in(arena));
            topics.push(of_topic(before, done.into_bump_slice()));
        }
        open = Some(topic);
        partitions.push(partition(ask, read.as_ref(), at, fetch.to.version, arena));
    }
    if let Some(last) = open {
        topics.push(of_topic(last, partitions.into_bump_slice()));
    }
    topics.into_bump_slice()
}

fn of_topic<'a>(
    (topic, topic_id): (&'a str, Uuid),
    partitions: &'a [PartitionDataRef<'a>],
) -> FetchableTopicResponseRef<'a> {
    FetchableTopicResponseRef {
        topic,
        topic_id,
        partitions,
    }
}

fn name(ask: &Ask) -> &str {
    match (&ask.partition, &ask.name) {
        (Ok(partition), _) => &partition.topic,
        (Err(_), Some(name)) => name,
        (Err(_), None) => "",
    }
}

/// Whether a partition is in the answer: always, but for one without news in a session.
fn tell(turn: &SessionTurn, ask: &Ask, read: Result<&PartitionRead, &Refused>) -> bool {
    let (session, incremental) = match turn {
        SessionTurn::None => return true,
        SessionTurn::Begun(_, session) => (session, false),
        SessionTurn::Incremental(_, session) => (session, true),
    };
    let (told, bytes, news) = match read {
        Ok(read) => {
            let told = Told {
                high_watermark: read.high_watermark.0,
                log_start: read.log_start.0,
            };
            let bytes = read.slice.as_ref().map_or(0, |slice| slice.len);
            (told, bytes, read.diverging.is_some())
        }
        Err(_) => {
            let told = Told {
                high_watermark: -1,
                log_start: -1,
            };
            (told, 0, true)
        }
    };
    let is_news = session.lock().tell(ask.slot, told, bytes, news);
    is_news || !incremental
}

fn partition<'a>(
    ask: &Ask,
    read: Result<&'a PartitionRead, &Refused>,
    at: usize,
    version: i16,
    arena: &'a Bump,
) -> PartitionDataRef<'a> {
    let mut data = PartitionDataRef {
        partition_index: ask.index,
        error_code: 0,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        diverging_epoch: EpochEndOffsetRef::default(),
        current_leader: LeaderIdAndEpochRef::default(),
        snapshot_id: SnapshotIdRef::default(),
        aborted_transactions: None,
        preferred_read_replica: -1,
        records: RecordsPayload::Inline(&[]),
    };
    let read = match read {
        Ok(read) => read,
        Err(refused) => {
            data.error_code = refused.error.code();
            // Kafka lists no transaction for a partition that it does not find, and has no list for one that
            // it cannot read.
            let is_found = ask.partition.is_ok() || ask.is_refused;
            data.aborted_transactions = (!is_found).then_some(&[]);
            if let Some((leader, epoch)) = refused.leader
                && version >= DIVERGING_FROM
            {
                data.current_leader.leader_id = leader.0;
                data.current_leader.leader_epoch = epoch.0;
            }
            return data;
        }
    };
    data.high_watermark = read.high_watermark.0;
    data.last_stable_offset = read.last_stable_offset.0;
    data.log_start_offset = if version >= 5 { read.log_start.0 } else { -1 };
    if let Some((epoch, end)) = read.diverging
        && version >= DIVERGING_FROM
    {
        data.diverging_epoch.epoch = epoch.0;
        data.diverging_epoch.end_offset = end.0;
    }
    data.aborted_transactions = read.aborted.as_ref().map(|aborted| -> &[_] {
        let told = aborted.iter().map(|txn| AbortedTransactionRef {
            producer_id: txn.producer_id.0,
            first_offset: txn.first_offset.0,
        });
        ArenaVec::from_iter_in(told, arena).into_bump_slice()
    });
    if let Some(slice) = &read.slice {
        data.records = records(slice, at, arena);
    }
    data
}

fn records<'a>(slice: &ReadSlice, at: usize, arena: &'a Bump) -> RecordsPayload<'a> {
    if slice.len <= INLINE_BYTES_MAX {
        let size = usize::try_from(slice.len).unwrap_or(0);
        let bytes = arena.alloc_slice_fill_copy(size, 0u8);
        if slice.file.read_exact_at(bytes, slice.position).is_ok() {
            return RecordsPayload::Inline(bytes);
        }
    }
    RecordsPayload::External {
        len: slice.len,
        tag: u64::try_from(at).unwrap_or(u64::MAX),
    }
}
