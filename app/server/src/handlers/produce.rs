//! Produce (key 0, versions 3-13, broker listeners; ACL: WRITE on the topic; KIP-98, 110, 359, 467, 516, 951).
//!
//! Each partition's batch is checked and appended when the request is read, without a copy of its records
//! and without an allocation; the answer leaves when as many replicas have it as the producer asked for.
//! What a batch must be stands in `ottla_records::validate`, what a producer may append in `ottla_log`.

mod answer;
mod refusals;
mod repeats;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;
use ottla_base::{LeaderEpoch, Offset, TopicId, WallMillis};
use ottla_net::OutQueue;
use ottla_protocol::messages::produce_request::borrowed::{ProduceRequestRef, TopicProduceDataRef};
use ottla_protocol::{ErrorCode, Reader};
use ottla_records::validate::{Scratch, validate_produce};
use ottla_replication::Acks;
use tokio::time::Instant;

use crate::internal_topics::is_internal;
use crate::node::Node;
use crate::partition::{Acked, Awaited, Partition};
use crate::reply::{Close, ReplyTo};
use crate::waiters::Wake;
use refusals::Refused;
use repeats::Repeats;

/// First version in which a topic is named by its id.
const TOPIC_IDS_FROM: i16 = 13;
/// First version in which batches may be compressed by zstd (KIP-110).
const ZSTD_FROM: i16 = 7;
/// The client id of Kafka's own administration, which may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";
/// Lists of outcomes that a thread keeps for its next requests.
const SPARE_LISTS_MAX: usize = 64;
/// Outcomes that such a list has room for, at most; a longer one is freed.
const SPARE_OUTCOMES_MAX: usize = 1024;
/// Bytes that a thread keeps for decoding its next requests, at most.
const ARENA_KEEP_MAX: usize = 1 << 20;

/// A request, as it lies in the connection's buffer.
pub(crate) struct Request<'a> {
    /// The node.
    pub(crate) node: &'a Arc<Node>,
    /// What the client calls itself.
    pub(crate) client_id: Option<&'a str>,
    /// What the answer answers.
    pub(crate) to: ReplyTo,
    /// Its body.
    pub(crate) body: &'a [u8],
}

/// A request whose batches are appended.
pub(crate) struct PendingProduce {
    to: ReplyTo,
    deadline: Instant,
    outcomes: Vec<Outcome>,
}

/// How the answer names a topic.
#[derive(Clone)]
enum Topic {
    Found(Arc<Partition>),
    Name(Arc<str>),
    Id(TopicId),
}

/// What became of one partition's batch.
struct Outcome {
    topic: Topic,
    index: i32,
    /// Whether it is the first of its topic in the request.
    opens_topic: bool,
    result: Result<Written, Refused>,
}

/// A batch that was appended.
struct Written {
    base: Offset,
    log_start: Offset,
    append_time: Option<WallMillis>,
    /// What is not acknowledged yet: what it waits for, where it ends, and its leader epoch.
    waits: Option<(Awaited, Offset, LeaderEpoch)>,
}

/// Memory of one worker for the requests that it works on.
#[derive(Default)]
struct Hot {
    arena: Bump,
    scratch: Scratch,
    spare: Vec<Vec<Outcome>>,
}

impl Hot {
    fn reset_arena(&mut self) {
        if self.arena.allocated_bytes() > ARENA_KEEP_MAX {
            self.arena = Bump::new();
        } else {
            self.arena.reset();
        }
    }
}

thread_local! {
    static HOT: RefCell<Hot> = RefCell::default();
}

/// Appends what a request brings; `None` if it wants no answer.
///
/// # Errors
/// [`Close`] for a body that is none, and for a refusal that acks=0 leaves no other way to tell.
pub(crate) fn start(request: &Request<'_>) -> Result<Option<PendingProduce>, Close> {
    let to = request.to;
    HOT.with_borrow_mut(|hot| {
        hot.reset_arena();
        let mut outcomes = hot.spare.pop().unwrap_or_default();
        let body =
            ProduceRequestRef::decode(&mut Reader::new(request.body), &hot.arena, to.version)
                .map_err(|error| {
                    tracing::debug!(%error, "a Produce request is not valid");
                    Close::BadBody {
                        api: to.api,
                        version: to.version,
                    }
                })?;
        let appending = Appending {
            node: request.node,
            acks: Acks::try_from(body.acks).ok(),
            is_admin: request.client_id == Some(ADMIN_CLIENT_ID),
            transactional: body.transactional_id.is_some(),
            version: to.version,
            now: request.node.clock.wall(),
        };
        let mut repeats = Repeats::of(body.topic_data);
        for topic in body.topic_data {
            appending.topic(topic, &mut repeats, &mut hot.scratch, &mut outcomes);
        }
        if body.acks == 0 {
            let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
            keep(&mut hot.spare, outcomes);
            return if failed {
                Err(Close::UnacknowledgedProduceFailed)
            } else {
                Ok(None)
            };
        }
        let timeout = Duration::from_millis(u64::try_from(body.timeout_ms).unwrap_or(0));
        Ok(Some(PendingProduce {
            to,
            deadline: Instant::now() + timeout,
            outcomes,
        }))
    })
}

fn keep(spare: &mut Vec<Vec<Outcome>>, mut list: Vec<Outcome>) {
    list.clear();
    if spare.len() < SPARE_LISTS_MAX && list.capacity() <= SPARE_OUTCOMES_MAX {
        spare.push(list);
    }
}

/// What holds for all partitions of a request.
struct Appending<'a> {
    node: &'a Node,
    /// `None` for a number that is none of Kafka's.
    acks: Option<Acks>,
    is_admin: bool,
    transactional: bool,
    version: i16,
    now: WallMillis,
}

impl Appending<'_> {
    fn topic<'a>(
        &self,
        topic: &TopicProduceDataRef<'a>,
        repeats: &mut Repeats<'a>,
        scratch: &mut Scratch,
        outcomes: &mut Vec<Outcome>,
    ) {
        let mut opens_topic = true;
        // Made once for all partitions that are not there: a name may be long, and they may be many.
        let mut name = None;
        for data in topic.partition_data {
            // One answer and one append for a partition that is named several times: the last one counts.
            if repeats.comes_again(topic, data.index) {
                continue;
            }
            let (topic, result) = match self.find(topic, data.index) {
                Some(partition) => {
                    let result = self.append(&partition, data.records, scratch);
                    (Topic::Found(partition), result)
                }
                None => (
                    name.get_or_insert_with(|| self.name(topic)).clone(),
                    Err(self.not_found(topic, data.index)),
                ),
            };
            outcomes.push(Outcome {
                topic,
                index: data.index,
                opens_topic,
                result,
            });
            opens_topic = false;
        }
    }

    fn find(&self, topic: &TopicProduceDataRef<'_>, index: i32) -> Option<Arc<Partition>> {
        let partitions = &self.node.partitions;
        if self.version >= TOPIC_IDS_FROM {
            partitions.by_id(TopicId(topic.topic_id), index)
        } else {
            partitions.by_name(topic.name, index)
        }
    }

    fn name(&self, topic: &TopicProduceDataRef<'_>) -> Topic {
        if self.version >= TOPIC_IDS_FROM {
            Topic::Id(TopicId(topic.topic_id))
        } else {
            Topic::Name(topic.name.into())
        }
    }

    fn append(
        &self,
        partition: &Arc<Partition>,
        records: Option<&[u8]>,
        scratch: &mut Scratch,
    ) -> Result<Written, Refused> {
        let acks = self.acks.ok_or(ErrorCode::InvalidRequiredAcks)?;
        if is_internal(&partition.topic) && !self.is_admin {
            return Err(Refused::from(ErrorCode::InvalidTopicException));
        }
        let rules = partition
            .rules()
            .produce(self.now, self.version >= ZSTD_FROM);
        let batch = validate_produce(records.unwrap_or_default(), &rules, scratch)
            .map_err(|refusal| Refused::batch(&refusal, partition))?;
        if batch.header.attributes.is_transactional() {
            // Kafka differs: transactions are not served yet, so none can be open.
            return Err(Refused::from(if self.transactional {
                ErrorCode::InvalidTxnState
            } else {
                ErrorCode::TransactionalIdAuthorizationFailed
            }));
        }
        let appended = partition
            .append_client(&batch, acks, self.now)
            .map_err(|refusal| Refused::append(&refusal, partition))?;
        // With acks=1 too a client is told of a record when a reader would find it, as in Kafka: where the
        // disk counts, when the disk has it.
        let waits = match acks {
            Acks::AllInSync => Some((
                Awaited::Committed,
                Offset(appended.last.0.saturating_add(1)),
            )),
            Acks::Leader | Acks::None => appended.on_disk.map(|end| (Awaited::OnDisk, end)),
        };
        Ok(Written {
            base: appended.base,
            log_start: appended.log_start,
            // Kafka tells the time of a batch that it had before, whatever the topic's timestamps are.
            append_time: appended.duplicate.or(batch.log_append_time),
            waits: waits.map(|(awaited, end)| (awaited, end, appended.epoch)),
        })
    }

    /// Why a partition is not among those of this node.
    fn not_found(&self, topic: &TopicProduceDataRef<'_>, index: i32) -> Refused {
        let image = self.node.image.load();
        let known = if self.version >= TOPIC_IDS_FROM {
            let topic = image.topics.by_id(TopicId(topic.topic_id));
            if topic.is_none() {
                return Refused::from(ErrorCode::UnknownTopicId);
            }
            topic
        } else {
            image.topics.by_name(topic.name)
        };
        match known.and_then(|topic| topic.partition(index)) {
            Some(partition) => Refused::not_leader(partition.leader, partition.leader_epoch),
            None => Refused::from(ErrorCode::UnknownTopicOrPartition),
        }
    }
}

impl PendingProduce {
    /// When it stops waiting.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether every partition has its acknowledgement or its refusal. If not, `wake` is woken when that
    /// may have changed. `now` is given when the deadline may have passed.
    pub(crate) fn is_done(&mut self, wake: &Arc<dyn Wake>, now: Option<Instant>) -> bool {
        let timed_out = now.is_some_and(|now| now >= self.deadline);
        let mut done = true;
        for outcome in &mut self.outcomes {
            let (Topic::Found(partition), Ok(written)) = (&outcome.topic, &mut outcome.result)
            else {
                continue;
            };
            let Some((awaited, end, epoch)) = written.waits else {
                continue;
            };
            match partition.acked(awaited, end, epoch, wake) {
                Acked::Yes => written.waits = None,
                Acked::NotYet if timed_out => {
                    outcome.result = Err(Refused::from(ErrorCode::RequestTimedOut));
                }
                Acked::NotYet => done = false,
                Acked::LeaderLost => {
                    let (leader, epoch) = partition.leader();
                    outcome.result = Err(Refused::not_leader(leader, epoch));
                }
            }
        }
        done
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// [`Close`] if it cannot be written in the request's version.
    pub(crate) fn answer(&mut self, out: &mut OutQueue) -> Result<(), Close> {
        let outcomes = std::mem::take(&mut self.outcomes);
        HOT.with_borrow_mut(|hot| {
            hot.reset_arena();
            let result = answer::write(self.to, &outcomes, &hot.arena, out);
            keep(&mut hot.spare, outcomes);
            result
        })
    }
}
