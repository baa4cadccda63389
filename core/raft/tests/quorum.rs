//! Whole quorums on an event heap: lossy, slow and reordering network, crashes, partitions. Safety must
//! hold at every step, and once the faults stop the quorum must make progress.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ottla_base::{LeaderEpoch, MonoTime, NodeId, Offset, Uuid};
use ottla_raft::message::{FetchResponse, Message, OffsetAndEpoch};
use ottla_raft::{
    Effect, ElectionState, LogView, Raft, ReplicaKey, Setup, Timeouts, Voter, VoterSet,
};

const TIMEOUTS: Timeouts = Timeouts {
    election_ms: 1000,
    fetch_ms: 2000,
    backoff_max_ms: 1000,
};

/// A record: its epoch, and a number that no other record has.
type Entry = (i32, u64);

#[derive(Default)]
struct Log(Vec<Entry>);

impl LogView for Log {
    fn end(&self) -> OffsetAndEpoch {
        place(self.0.len(), self.0.last().map_or(0, |entry| entry.0))
    }

    fn end_of_epoch(&self, epoch: LeaderEpoch) -> OffsetAndEpoch {
        let len = self.0.partition_point(|entry| entry.0 <= epoch.0);
        place(len, len.checked_sub(1).map_or(0, |last| self.0[last].0))
    }
}

fn place(len: usize, epoch: i32) -> OffsetAndEpoch {
    let offset = Offset(i64::try_from(len).expect("short"));
    OffsetAndEpoch {
        offset,
        epoch: LeaderEpoch(epoch),
    }
}

fn index(offset: Offset) -> usize {
    usize::try_from(offset.0).expect("not negative")
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What survives a crash, and the running machine.
struct Node {
    key: ReplicaKey,
    log: Log,
    state: ElectionState,
    raft: Option<Raft>,
}

struct Sent {
    from: NodeId,
    to: NodeId,
    message: Message,
    /// Records that go with a fetch answer, and the offset that they begin at.
    records: (usize, Vec<Entry>),
}

struct World {
    now: u64,
    random: Random,
    nodes: BTreeMap<NodeId, Node>,
    voters: VoterSet,
    /// By time of arrival.
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    sent: BTreeMap<u64, Sent>,
    counter: u64,
    /// Of a hundred messages, how many are lost.
    loss: u64,
    cut_off: Option<NodeId>,
    leaders: BTreeMap<i32, NodeId>,
    committed: Vec<Entry>,
    trace: u64,
}

impl World {
    fn new(size: i32, seed: u64) -> Self {
        let voter = Voter {
            directory: Uuid::ZERO,
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        };
        let voters = VoterSet((1..=size).map(|id| (NodeId(id), voter.clone())).collect());
        let node = |id: NodeId| Node {
            key: ReplicaKey {
                id,
                directory: Uuid::ZERO,
            },
            log: Log::default(),
            state: ElectionState::initial(),
            raft: None,
        };
        let nodes = voters.0.keys().map(|id| (*id, node(*id))).collect();
        let mut world = Self {
            now: 0,
            random: Random(seed * 2 + 1),
            nodes,
            voters,
            heap: BinaryHeap::new(),
            sent: BTreeMap::new(),
            counter: 0,
            loss: 0,
            cut_off: None,
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            trace: 0,
        };
        for id in 1..=size {
            world.boot(NodeId(id));
        }
        world
    }

    fn boot(&mut self, id: NodeId) {
        let seed = self.random.below(u64::MAX);
        let node = self.nodes.get_mut(&id).expect("a node");
        let mut fx = Vec::new();
        let now = MonoTime(self.now);
        let voters = self.voters.clone();
        let setup = Setup {
            local: node.key,
            timeouts: TIMEOUTS,
            voters,
            state: node.state,
            seed,
        };
        let raft = Raft::start(setup, now, &node.log, &mut fx);
        node.raft = Some(raft);
        self.carry_out(id, fx, 0);
    }

    /// Carries effects out; `asked` is where the records of a fetch answer begin.
    fn carry_out(&mut self, id: NodeId, effects: Vec<Effect>, asked: usize) {
        for effect in effects {
            self.trace = self
                .trace
                .wrapping_mul(31)
                .wrapping_add(self.now ^ self.counter);
            match effect {
                Effect::Persist(state) => self.nodes.get_mut(&id).expect("a node").state = state,
                Effect::Send(to, message) => self.send(id, to, message, asked),
                Effect::BecameLeader(epoch) => {
                    let before = self.leaders.insert(epoch.0, id);
                    assert!(
                        before.is_none_or(|b| b == id),
                        "two leaders in epoch {}",
                        epoch.0
                    );
                    self.append(id, epoch.0);
                }
                Effect::LostLeadership(_) => {}
                Effect::TruncateTo(offset) => {
                    let node = self.nodes.get_mut(&id).expect("a node");
                    node.log.0.truncate(index(offset));
                    let mut fx = Vec::new();
                    node.raft
                        .as_ref()
                        .expect("runs")
                        .fetch_again(&node.log, &mut fx);
                    self.carry_out(id, fx, 0);
                }
                Effect::HighWatermark(offset) => self.commit(id, index(offset)),
            }
        }
    }

    fn commit(&mut self, id: NodeId, len: usize) {
        let log = &self.nodes[&id].log.0;
        assert!(len <= log.len(), "nothing is committed that is not there");
        let known = len.min(self.committed.len());
        assert_eq!(
            log[..known],
            self.committed[..known],
            "a committed record changed"
        );
        self.committed.extend_from_slice(&log[known..len]);
    }

    fn append(&mut self, id: NodeId, epoch: i32) {
        self.counter += 1;
        let entry = (epoch, self.counter);
        let node = self.nodes.get_mut(&id).expect("a node");
        node.log.0.push(entry);
        let mut fx = Vec::new();
        let end = node.log.end().offset;
        node.raft.as_mut().expect("runs").on_flushed(end, &mut fx);
        self.carry_out(id, fx, 0);
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message, asked: usize) {
        let blocked = self.cut_off == Some(from) || self.cut_off == Some(to);
        if blocked || self.random.below(100) < self.loss {
            return;
        }
        let log = &self.nodes[&from].log.0;
        let records = match message {
            Message::FetchAnswer(FetchResponse::Records { .. }) => (
                asked,
                log.get(asked..)
                    .unwrap_or_default()
                    .iter()
                    .take(5)
                    .copied()
                    .collect(),
            ),
            _ => (0, Vec::new()),
        };
        self.counter += 1;
        let at = self.now + (1 + self.random.below(30)) * 1_000_000;
        self.heap.push(Reverse((at, self.counter)));
        self.sent.insert(
            self.counter,
            Sent {
                from,
                to,
                message,
                records,
            },
        );
    }

    fn deliver(&mut self, sent: Sent) {
        let Sent {
            from,
            to,
            message,
            records: (start, records),
        } = sent;
        let now = MonoTime(self.now);
        let node = self.nodes.get_mut(&to).expect("a node");
        let Some(raft) = node.raft.as_mut() else {
            return;
        };
        if let Message::FetchAnswer(FetchResponse::Records { epoch, .. }) = message {
            // An answer that was overtaken does not fit the end any more.
            if raft.accepts_records(from, epoch) && start == node.log.0.len() {
                node.log.0.extend(records);
            }
        }
        let asked = match &message {
            Message::Fetch(request) => index(request.log_end.offset),
            _ => 0,
        };
        let mut fx = Vec::new();
        raft.on_message(now, from, message, &node.log, &mut fx);
        self.carry_out(to, fx, asked);
    }

    /// The next thing that happens: a message or a deadline.
    fn step(&mut self) {
        let message_at = self.heap.peek().map(|Reverse((at, _))| *at);
        let deadline = |node: &Node| node.raft.as_ref()?.next_deadline();
        let tick = self
            .nodes
            .iter()
            .filter_map(|(id, node)| Some((deadline(node)?.0, *id)))
            .min();
        match (message_at, tick) {
            (Some(at), tick) if tick.is_none_or(|(tick_at, _)| at <= tick_at) => {
                let Reverse((at, key)) = self.heap.pop().expect("peeked");
                self.now = self.now.max(at);
                let sent = self.sent.remove(&key).expect("sent once");
                self.deliver(sent);
            }
            (_, Some((at, id))) => {
                self.now = self.now.max(at);
                let node = self.nodes.get_mut(&id).expect("a node");
                let mut fx = Vec::new();
                let raft = node.raft.as_mut().expect("has a deadline");
                raft.on_tick(MonoTime(self.now), &node.log, &mut fx);
                self.carry_out(id, fx, 0);
            }
            _ => self.now += 1_000_000,
        }
    }

    fn leader(&self) -> Option<(NodeId, i32)> {
        let leads = |(id, node): (&NodeId, &Node)| {
            let raft = node.raft.as_ref().filter(|raft| raft.is_leader())?;
            Some((*id, raft.epoch().0))
        };
        self.nodes
            .iter()
            .filter_map(leads)
            .max_by_key(|(_, epoch)| *epoch)
    }

    fn misfortune(&mut self) {
        let size = u64::try_from(self.nodes.len()).expect("few");
        let victim = NodeId(i32::try_from(1 + self.random.below(size)).expect("few"));
        match self.random.below(20) {
            0 | 1 => {
                self.nodes.get_mut(&victim).expect("a node").raft = None;
                self.boot(victim);
            }
            2 => self.cut_off = Some(victim),
            3 => self.cut_off = None,
            4 => self.loss = self.random.below(40),
            _ => {
                if let Some((id, epoch)) = self.leader() {
                    self.append(id, epoch);
                }
            }
        }
    }

    /// Faults for a while, then none: the quorum must commit again.
    fn run(&mut self, steps: u64) {
        for step in 0..steps {
            self.step();
            if step % 20 == 0 {
                self.misfortune();
            }
        }
        self.loss = 0;
        self.cut_off = None;
        let healed_at = self.now;
        let before = self.committed.len();
        while self.committed.len() <= before {
            self.step();
            if let Some((id, epoch)) = self.leader()
                && self.nodes[&id].log.0.len() < before + 50
            {
                self.append(id, epoch);
            }
            let waited_ms = (self.now - healed_at) / 1_000_000;
            assert!(
                waited_ms < 60_000,
                "no progress a minute after the faults stopped"
            );
        }
    }
}

#[test]
fn quorums_stay_safe_under_faults_and_heal() {
    for size in [1, 2, 3, 5] {
        for seed in 0..40 {
            World::new(size, seed).run(3000);
        }
    }
}

#[test]
fn same_seed_takes_the_same_way() {
    let trace = |seed| {
        let mut world = World::new(3, seed);
        world.run(2000);
        (world.trace, world.now, world.committed)
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7).0, trace(8).0);
}

#[test]
fn quorum_of_one_leads_at_once_with_one_flush() {
    let voter = Voter {
        directory: Uuid::ZERO,
        endpoints: Vec::new(),
        kraft_versions: (0, 1),
    };
    let voters = VoterSet(BTreeMap::from([(NodeId(1), voter)]));
    let key = ReplicaKey {
        id: NodeId(1),
        directory: Uuid::ZERO,
    };
    let (mut fx, log) = (Vec::new(), Log(vec![(1, 1), (3, 2)]));
    let state = ElectionState {
        epoch: LeaderEpoch(3),
        leader: Some(NodeId(1)),
        voted: None,
    };
    let setup = Setup {
        local: key,
        timeouts: TIMEOUTS,
        voters,
        state,
        seed: 0,
    };
    let mut raft = Raft::start(setup, MonoTime(0), &log, &mut fx);
    let leads = ElectionState {
        epoch: LeaderEpoch(4),
        leader: Some(NodeId(1)),
        voted: None,
    };
    assert_eq!(
        fx,
        [Effect::Persist(leads), Effect::BecameLeader(LeaderEpoch(4))]
    );
    assert_eq!(raft.next_deadline(), None);
    fx.clear();
    raft.on_flushed(Offset(2), &mut fx);
    assert_eq!(fx, [], "records of older epochs wait for one of this epoch");
    raft.on_flushed(Offset(3), &mut fx);
    assert_eq!(fx, [Effect::HighWatermark(Offset(3))]);
}

#[test]
fn node_that_was_away_does_not_depose_the_leader() {
    let mut world = World::new(3, 1);
    while world.committed.len() < 3 {
        world.step();
        if let Some((id, epoch)) = world.leader() {
            world.append(id, epoch);
        }
    }
    let (leader, epoch) = world.leader().expect("somebody leads");
    let away = *world
        .nodes
        .keys()
        .find(|id| **id != leader)
        .expect("three nodes");
    world.cut_off = Some(away);
    let until = world.now + 60_000 * 1_000_000;
    while world.now < until {
        world.step();
    }
    world.cut_off = None;
    let until = world.now + 10_000 * 1_000_000;
    while world.now < until {
        world.step();
    }
    assert_eq!(world.leader(), Some((leader, epoch)));
}
