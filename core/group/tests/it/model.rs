//! Random requests against a small model: what must hold whatever comes.

use std::collections::BTreeMap;

use ottla_coordinator::Ticket;
use ottla_group::{GroupError, GroupReply};
use proptest::prelude::*;

use crate::bench::{Bench, GROUP, Join, offset_of};

const STATES: [&str; 5] = [
    "Dead",
    "Empty",
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
];

#[derive(Debug, Clone)]
enum Step {
    JoinNew,
    JoinStatic(u8),
    Rejoin(usize, bool),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Commit(usize, bool),
    CommitSimple,
    Pass(u16),
    Break(bool),
    HoldCommits(bool),
    Restart,
    Expire,
    Delete,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::JoinNew),
        2 => (0..3u8).prop_map(Step::JoinStatic),
        5 => (any::<usize>(), any::<bool>()).prop_map(|(who, same)| Step::Rejoin(who, same)),
        6 => any::<usize>().prop_map(Step::Sync),
        3 => any::<usize>().prop_map(Step::Heartbeat),
        1 => any::<usize>().prop_map(Step::Leave),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(who, old)| Step::Commit(who, old)),
        1 => Just(Step::CommitSimple),
        3 => (0..8_000u16).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Break),
        1 => any::<bool>().prop_map(Step::HoldCommits),
        1 => Just(Step::Restart),
        1 => Just(Step::Expire),
        1 => Just(Step::Delete),
    ]
}

/// What a client knows of itself.
#[derive(Debug, Clone, Default)]
struct Client {
    id: String,
    instance: Option<String>,
    generation: i32,
    /// Its generation is of this leader of the log.
    is_up_to_date: bool,
    leads: Vec<String>,
    join: Option<Ticket>,
    sync: Option<Ticket>,
}

struct Model {
    bench: Bench,
    clients: Vec<Client>,
    /// What was acknowledged last, and what may be there beside it: commits whose fate nobody was told.
    offset: Option<i64>,
    next_offset: i64,
    /// Who was told which assignment, by generation: no partition twice.
    owners: BTreeMap<(i32, Vec<u8>), String>,
}

impl Model {
    fn new() -> Self {
        let delay = [
            ("group.initial.rebalance.delay.ms", "1000"),
            ("group.max.size", "4"),
        ];
        Self {
            bench: Bench::with(&delay),
            clients: Vec::new(),
            offset: None,
            next_offset: 0,
            owners: BTreeMap::new(),
        }
    }

    fn who(&self, index: usize) -> Option<usize> {
        (!self.clients.is_empty()).then(|| index % self.clients.len())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::JoinNew => self.join_new(),
            Step::JoinStatic(name) => self.join_static(*name),
            Step::Rejoin(index, same) => self.rejoin(*index, *same),
            Step::Sync(index) => self.sync(*index),
            Step::Heartbeat(index) => {
                let Some(at) = self.who(*index) else { return };
                let (id, generation) = (self.clients[at].id.clone(), self.clients[at].generation);
                self.bench.heartbeat(&id, generation);
            }
            Step::Leave(index) => {
                let Some(at) = self.who(*index) else { return };
                let client = self.clients.remove(at);
                self.bench.leave(&client.id, client.instance.as_deref());
            }
            Step::Commit(index, old) => {
                let Some(at) = self.who(*index) else { return };
                let client = self.clients[at].clone();
                let generation = client.generation - i32::from(*old);
                let committed = self.commit(&client.id, generation);
                // After a restart the generation before may be the group's again.
                assert!(
                    committed.is_err() || !client.is_up_to_date || !*old,
                    "a member of an older generation committed"
                );
            }
            Step::CommitSimple => {
                let empty = matches!(self.bench.state().as_str(), "Empty" | "Dead");
                let committed = self.commit("", -1);
                assert!(committed.is_err() || empty, "{committed:?}");
            }
            Step::Pass(ms) => self.bench.pass(u64::from(*ms)),
            Step::Break(broken) => {
                self.bench.broken = broken.then_some(GroupError::NotAvailable);
            }
            Step::HoldCommits(hold) => {
                self.bench.commits = !hold;
                if !hold {
                    self.bench.commit_log();
                }
            }
            Step::Restart => {
                self.bench.waiting.clear();
                self.bench.machine = self.bench.restored();
                for client in &mut self.clients {
                    (client.join, client.sync) = (None, None);
                    client.is_up_to_date = false;
                }
            }
            Step::Expire => {
                let before = self.offset;
                self.bench
                    .act(|machine, now, fx| machine.expire_offsets(now.wall, fx));
                assert_eq!(self.bench.offset(), before, "too young to expire");
                self.forget_if_gone();
            }
            Step::Delete => {
                let broken = self.bench.broken.is_some();
                let deleted = self
                    .bench
                    .act(|machine, now, fx| machine.delete_group(GROUP, now.mono, fx));
                if deleted.is_ok() && !broken {
                    self.offset = None;
                }
                self.forget_if_gone();
            }
        }
    }

    fn join_new(&mut self) {
        let first = self.bench.join(Join::default());
        let answer = self.bench.joined(first);
        if answer.member_id.is_empty() {
            return; // Full, or it could not be written.
        }
        let join = Some(self.bench.rejoin(&answer.member_id));
        self.clients.push(Client {
            id: answer.member_id,
            join,
            ..Client::default()
        });
    }

    fn join_static(&mut self, name: u8) {
        let instance = Some(format!("i{name}"));
        let join = Some(self.bench.join(Join {
            instance: instance.clone(),
            ..Join::default()
        }));
        self.clients.push(Client {
            instance,
            join,
            ..Client::default()
        });
    }

    fn rejoin(&mut self, index: usize, same: bool) {
        let Some(at) = self.who(index) else { return };
        let metadata: &[u8] = if same { b"meta" } else { b"other" };
        let join = self.bench.join(Join {
            member: self.clients[at].id.clone(),
            instance: self.clients[at].instance.clone(),
            protocols: vec![("range", metadata.to_vec())],
            ..Join::default()
        });
        self.clients[at].join = Some(join);
    }

    fn sync(&mut self, index: usize) {
        let Some(at) = self.who(index) else { return };
        let client = self.clients[at].clone();
        let generation = client.generation.to_string();
        let shares: Vec<Vec<u8>> = (0..client.leads.len())
            .map(|share| format!("{generation}/{share}").into_bytes())
            .collect();
        let ids = client.leads.iter().map(String::as_str);
        let given: Vec<_> = ids.zip(shares.iter().map(Vec::as_slice)).collect();
        let sync = self.bench.sync(&client.id, client.generation, &given);
        self.clients[at].sync = Some(sync);
    }

    /// A group that is made anew counts its generations from the start.
    fn forget_if_gone(&mut self) {
        if self.bench.state() == "Dead" {
            self.owners.clear();
            for client in &mut self.clients {
                client.generation = 0;
                client.is_up_to_date = false;
            }
        }
    }

    fn commit(&mut self, member: &str, generation: i32) -> Result<(), GroupError> {
        self.next_offset += 1;
        let committed = self.bench.commit(member, generation, self.next_offset);
        // With a broken log the shell turns the acceptance into an error.
        if committed.is_ok() && self.bench.broken.is_none() {
            self.offset = Some(self.next_offset);
        }
        committed
    }

    /// Hands the answers to the clients.
    fn deliver(&mut self) {
        for client in &mut self.clients {
            if let Some(ticket) = client.join
                && let Some(GroupReply::Join(answer)) = self.bench.replies.remove(&ticket)
            {
                client.join = None;
                if answer.error_code == 0 {
                    client.id = answer.member_id;
                    client.generation = answer.generation_id;
                    client.is_up_to_date = true;
                    let members = answer.members.into_iter();
                    client.leads = members.map(|member| member.member_id).collect();
                }
            }
            if let Some(ticket) = client.sync
                && let Some(GroupReply::Sync(answer)) = self.bench.replies.remove(&ticket)
            {
                client.sync = None;
                if answer.error_code == 0 && !answer.assignment.is_empty() {
                    let share = (client.generation, answer.assignment);
                    // A static member hands its share on to its next self.
                    let name = client.instance.clone().unwrap_or_else(|| client.id.clone());
                    let owner = self.owners.entry(share).or_insert_with(|| name.clone());
                    assert_eq!(*owner, name, "one share, two owners");
                }
            }
        }
        self.bench.replies.clear();
    }

    fn check(&self) {
        assert!(STATES.contains(&self.bench.state().as_str()));
        assert_eq!(
            self.bench.offset(),
            self.offset,
            "a committed offset moved by itself"
        );
        let restored = self.bench.restored();
        assert_eq!(offset_of(&restored, "t", 0), self.offset, "in the log");
        let own = self.bench.machine.describe_group(GROUP);
        let other = restored.describe_group(GROUP);
        assert_eq!(
            own.is_ok(),
            other.is_ok(),
            "the log has the group, or nobody has"
        );
        if let (Ok(own), Ok(other)) = (own, other) {
            let settled = matches!(own.group_state.as_str(), "Stable" | "Empty");
            let lost = self.bench.broken.is_some() || !self.bench.waiting.is_empty();
            let too_large = other.group_state == "PreparingRebalance";
            if settled && !lost && !too_large && own.group_state == other.group_state {
                assert_eq!(own.members.len(), other.members.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn offsets_stay_and_nothing_has_two_owners(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.take(step);
            model.deliver();
            model.check();
        }
    }

    #[test]
    fn every_group_comes_to_rest(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.take(step);
            model.deliver();
        }
        model.bench.broken = None;
        model.bench.commits = true;
        model.bench.commit_log();
        // Nobody speaks any more: at the end of all sessions and rebalances nobody is left.
        model.bench.pass(30 * 60_000);
        let state = model.bench.state();
        prop_assert!(matches!(state.as_str(), "Empty" | "Dead"), "{state}");
        prop_assert_eq!(model.bench.machine.next_deadline(), None);
    }
}
