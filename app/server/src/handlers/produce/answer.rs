//! The answer to a Produce request.

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use ottla_base::Uuid;
use ottla_net::OutQueue;
use ottla_protocol::messages::produce_response::borrowed::{
    BatchIndexAndErrorMessageRef, LeaderIdAndEpochRef, NodeEndpointRef,
    PartitionProduceResponseRef, ProduceResponseRef, TopicProduceResponseRef,
};

use super::refusals::Refused;
use super::{Outcome, TOPIC_IDS_FROM, Topic, Written};
use crate::reply::{self, Close, ReplyTo};

/// First version with errors of single records (KIP-467).
const RECORD_ERRORS_FROM: i16 = 8;
/// First version that names the leader to try instead (KIP-951).
const LEADER_HINTS_FROM: i16 = 10;

/// Writes the answer behind what `out` holds.
pub(super) fn write(
    to: ReplyTo,
    outcomes: &[Outcome],
    arena: &Bump,
    out: &mut OutQueue,
) -> Result<(), Close> {
    let by_id = to.version >= TOPIC_IDS_FROM;
    let mut topics = ArenaVec::new_in(arena);
    let mut rest = outcomes;
    while let Some((first, behind)) = rest.split_first() {
        let same = behind
            .iter()
            .take_while(|outcome| !outcome.opens_topic)
            .count();
        let (of_topic, others) = rest.split_at(same + 1);
        rest = others;
        let partitions = of_topic
            .iter()
            .map(|outcome| partition(outcome, to.version, arena));
        topics.push(TopicProduceResponseRef {
            name: if by_id { "" } else { name(&first.topic) },
            topic_id: if by_id { id(&first.topic) } else { Uuid::ZERO },
            partition_responses: ArenaVec::from_iter_in(partitions, arena).into_bump_slice(),
        });
    }
    let endpoints: &[NodeEndpointRef<'_>] = &[];
    let response = ProduceResponseRef {
        responses: topics.into_bump_slice(),
        throttle_time_ms: 0,
        node_endpoints: endpoints,
    };
    // Nothing of a Produce response is sent from elsewhere, so this never grows.
    let mut splices = Vec::new();
    reply::encode_into(to, out, &mut splices, |w| response.encode(w, to.version))
}

fn name(topic: &Topic) -> &str {
    match topic {
        Topic::Found(partition) => &partition.topic,
        Topic::Name(name) => name,
        Topic::Id(_) => "",
    }
}

fn id(topic: &Topic) -> Uuid {
    match topic {
        Topic::Found(partition) => partition.topic_id.0,
        Topic::Id(id) => id.0,
        Topic::Name(_) => Uuid::ZERO,
    }
}

fn partition<'a>(
    outcome: &'a Outcome,
    version: i16,
    arena: &'a Bump,
) -> PartitionProduceResponseRef<'a> {
    let mut response = PartitionProduceResponseRef {
        index: outcome.index,
        error_code: 0,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: &[],
        error_message: None,
        current_leader: LeaderIdAndEpochRef::default(),
    };
    match &outcome.result {
        Ok(Written {
            base,
            log_start,
            append_time,
            ..
        }) => {
            response.base_offset = base.0;
            response.log_append_time_ms = append_time.map_or(-1, |time| time.0);
            response.log_start_offset = if version >= 5 { log_start.0 } else { -1 };
        }
        Err(refused) => refuse(&mut response, refused, version, arena),
    }
    response
}

fn refuse<'a>(
    response: &mut PartitionProduceResponseRef<'a>,
    refused: &'a Refused,
    version: i16,
    arena: &'a Bump,
) {
    response.error_code = refused.error.code();
    if let Some((leader, epoch)) = refused.leader
        && version >= LEADER_HINTS_FROM
    {
        response.current_leader.leader_id = leader.0;
        response.current_leader.leader_epoch = epoch.0;
    }
    let Some(detail) = &refused.detail else {
        return;
    };
    if let Some(start) = detail.log_start
        && version >= 5
    {
        response.log_start_offset = start.0;
    }
    if version >= RECORD_ERRORS_FROM {
        response.error_message = detail.message.as_deref();
        let records = detail
            .records
            .iter()
            .map(|(index, message)| BatchIndexAndErrorMessageRef {
                batch_index: *index,
                batch_index_error_message: message.as_deref(),
            });
        response.record_errors = ArenaVec::from_iter_in(records, arena).into_bump_slice();
    }
}
