//! What a classic group is, and how its parts change together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::{MonoTime, WallMillis};
use ottla_coordinator::Ticket;
use ottla_protocol::Reader;
use ottla_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_protocol::messages::group_metadata_value::{GroupMetadataValue, MemberMetadata};

use crate::classic::member::Member;
use crate::classic::rebalance::JoinTimer;
use crate::error::GroupError;
use crate::record_codec::GroupRecord;
use crate::step::millis;

/// Protocol type of consumers: their metadata tells which topics they read.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No members. It may still have offsets.
    Empty,
    /// Its members are to join.
    PreparingRebalance,
    /// All have joined; the leader is to send the assignments.
    CompletingRebalance,
    /// Everybody has, or may have, an assignment.
    Stable,
}

impl State {
    /// Kafka's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A classic group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClassicGroup {
    pub(crate) id: Arc<str>,
    pub(crate) state: State,
    /// The state before this one: a group that was Empty waits longer for its first members.
    pub(crate) previous: State,
    /// When it came into its state; `None` if the log did not say.
    pub(crate) state_since: Option<WallMillis>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Instance ids and the members that hold them.
    pub(crate) static_members: BTreeMap<String, String>,
    /// Ids handed out to members that have not joined with them, and until when they may (KIP-394).
    pub(crate) pending: BTreeMap<String, MonoTime>,
    /// Members that have not sent SyncGroup in this generation.
    pub(crate) pending_sync: BTreeSet<String>,
    /// Members whose JoinGroup waits.
    pub(crate) joining: usize,
    /// How many members support a protocol.
    supporters: BTreeMap<String, usize>,
    /// Topics that the members read; `None` if that cannot be known.
    pub(crate) subscribed: Option<BTreeSet<String>>,
    pub(crate) join_timer: Option<JoinTimer>,
    pub(crate) sync_deadline: Option<MonoTime>,
    /// Somebody new has joined since the first rebalance was put off.
    pub(crate) new_member_added: bool,
    /// No deadline of the group lies before this one.
    pub(crate) earliest: Option<MonoTime>,
    /// The deadline that the coordinator watches for this group.
    pub(crate) alarm: Option<MonoTime>,
}

impl ClassicGroup {
    /// A group without members. `since` is `None` for one that exists only by its offsets.
    pub(crate) fn new(id: Arc<str>, since: Option<WallMillis>) -> Self {
        Self {
            id,
            state: State::Empty,
            previous: State::Empty,
            state_since: since,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            joining: 0,
            supporters: BTreeMap::new(),
            subscribed: None,
            join_timer: None,
            sync_deadline: None,
            new_member_added: false,
            earliest: None,
            alarm: None,
        }
    }

    /// Restores a group from the log.
    pub(crate) fn from_record(id: Arc<str>, value: &GroupMetadataValue) -> Self {
        let since = value.current_state_timestamp;
        let mut group = Self::new(id, (since != -1).then_some(WallMillis(since)));
        group.generation = value.generation;
        let protocol_type = Some(value.protocol_type.clone());
        group.protocol_type = protocol_type.filter(|name| !name.is_empty());
        group.protocol.clone_from(&value.protocol);
        group.leader.clone_from(&value.leader);
        let protocol = value.protocol.as_deref().unwrap_or_default();
        for record in &value.members {
            group.add(
                record.member_id.clone(),
                Member::from_record(record, protocol),
            );
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
            group.previous = State::Stable;
        }
        group.subscribed = group.find_subscribed();
        group
    }

    /// The record of the group as it is, with these assignments.
    pub(crate) fn record(&self, assignments: &BTreeMap<String, Vec<u8>>) -> GroupRecord {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| MemberMetadata {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(protocol).unwrap_or_default().to_vec(),
            assignment: assignments.get(id).cloned().unwrap_or_default(),
            ..Default::default()
        });
        GroupRecord::ClassicGroup {
            group: Arc::clone(&self.id),
            value: Some(GroupMetadataValue {
                protocol_type: self.protocol_type.clone().unwrap_or_default(),
                generation: self.generation,
                protocol: self.protocol.clone(),
                leader: self.leader.clone(),
                current_state_timestamp: self.state_since.map_or(-1, |since| since.0),
                members: members.collect(),
                ..Default::default()
            }),
        }
    }

    /// The record of the group as if it had no members and never had: what is written when it is made.
    pub(crate) fn empty_record(&self) -> GroupRecord {
        GroupRecord::ClassicGroup {
            group: Arc::clone(&self.id),
            value: Some(GroupMetadataValue {
                protocol: None,
                leader: None,
                current_state_timestamp: self.state_since.map_or(-1, |since| since.0),
                ..Default::default()
            }),
        }
    }

    /// The assignments that the members have.
    pub(crate) fn assignments(&self) -> BTreeMap<String, Vec<u8>> {
        let pairs = self.members.iter();
        pairs
            .map(|(id, member)| (id.clone(), member.assignment.clone()))
            .collect()
    }

    pub(crate) fn transition(&mut self, to: State, at: WallMillis) {
        self.previous = self.state;
        self.state = to;
        self.state_since = Some(at);
    }

    /// Puts a member in; the first one becomes the leader and says what kind of group this is.
    pub(crate) fn add(&mut self, id: String, member: Member) {
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.count_support(&member.protocols, true);
        self.joining += usize::from(member.join.is_some());
        self.pending.remove(&id);
        let before = self.members.insert(id, member);
        assert!(before.is_none(), "ids of members are random and unique");
    }

    /// Takes a member out, also one that has not joined yet.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(member) = &removed {
            self.count_support(&member.protocols, false);
            self.joining -= usize::from(member.join.is_some());
            if let Some(instance) = &member.instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending.remove(id);
        self.pending_sync.remove(id);
        removed
    }

    /// Gives a static member a new id. Requests of the old one are for the caller to answer.
    pub(crate) fn rename_static(&mut self, instance: &str, old: &str, new: &str) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        self.joining -= usize::from(member.join.is_some());
        member.join = None;
        member.sync = None;
        member.is_new = false;
        self.members.insert(new.to_owned(), member);
        if self.leader.as_deref() == Some(old) {
            self.leader = Some(new.to_owned());
        }
        self.static_members
            .insert(instance.to_owned(), new.to_owned());
    }

    /// Takes over what a member says of itself, and keeps its JoinGroup. What that displaces comes back.
    pub(crate) fn update(
        &mut self,
        id: &str,
        protocols: Vec<(String, Vec<u8>)>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
        join: Option<Ticket>,
    ) -> Option<Ticket> {
        self.count_support(&protocols, true);
        let member = self.members.get_mut(id)?;
        let before = std::mem::replace(&mut member.protocols, protocols);
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        let displaced = std::mem::replace(&mut member.join, join);
        self.joining += usize::from(join.is_some());
        self.joining -= usize::from(displaced.is_some());
        self.count_support(&before, false);
        displaced
    }

    fn count_support(&mut self, protocols: &[(String, Vec<u8>)], more: bool) {
        for (name, _) in protocols {
            let count = self.supporters.entry(name.clone()).or_default();
            *count = if more {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
            if *count == 0 {
                self.supporters.remove(name);
            }
        }
    }

    /// Whether a member of these protocols fits in.
    pub(crate) fn supports<'a>(
        &self,
        protocol_type: &str,
        mut protocols: impl Iterator<Item = &'a str>,
    ) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && protocols.next().is_some();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .any(|name| self.supporters.get(name).copied().unwrap_or(0) == self.members.len())
    }

    /// The protocol that most members like best, among those that all of them support.
    pub(crate) fn select_protocol(&self) -> Option<String> {
        let candidates: Vec<&str> = self
            .supporters
            .iter()
            .filter(|(_, count)| **count == self.members.len())
            .map(|(name, _)| name.as_str())
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = member.vote(&candidates) {
                *votes.entry(name).or_default() += 1;
            }
        }
        // Of several with the same number of votes the first by name wins.
        let winner = votes.iter().rev().max_by_key(|(_, count)| **count);
        winner.map(|(name, _)| (*name).to_owned())
    }

    /// Whether `id` is a member, and whether it holds the instance id that it names.
    pub(crate) fn check_member(&self, id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            let holder = self.static_members.get(instance);
            let holder = holder.ok_or(GroupError::UnknownMember)?;
            if holder != id {
                return Err(GroupError::FencedInstance);
            }
        }
        if self.members.contains_key(id) {
            Ok(())
        } else {
            Err(GroupError::UnknownMember)
        }
    }

    pub(crate) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    pub(crate) fn all_joined(&self) -> bool {
        self.joining == self.members.len() && self.pending.is_empty()
    }

    /// How long a rebalance may take: as long as its slowest member may.
    pub(crate) fn rebalance_timeout_ms(&self) -> i32 {
        let timeouts = self.members.values().map(|m| m.rebalance_timeout_ms);
        timeouts.max().unwrap_or(0)
    }

    /// Counts a generation on.
    ///
    /// Kafka differs: its counter becomes negative after `i32::MAX`, which in a commit means "no
    /// generation"; this one begins anew at 1.
    pub(crate) fn begin_generation(&mut self, at: WallMillis) {
        self.generation = self.generation.checked_add(1).unwrap_or(1).max(1);
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.protocol = None;
            self.transition(State::Empty, at);
        } else {
            self.protocol = self.select_protocol();
            self.transition(State::CompletingRebalance, at);
        }
        self.subscribed = self.find_subscribed();
    }

    /// Whether a member reads the topic, as far as that is known: of consumers whose subscriptions
    /// cannot be read every topic is taken for read.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// Whether its members are consumers.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    fn find_subscribed(&self) -> Option<BTreeSet<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let mut reader = Reader::new(member.metadata(protocol)?);
            // Every later version begins with the fields of version 0.
            reader.i16().ok()?;
            let subscription = ConsumerProtocolSubscription::decode(&mut reader, 0).ok()?;
            topics.extend(subscription.topics);
        }
        Some(topics)
    }

    /// Takes note of a deadline, so that the coordinator wakes the group in time.
    pub(crate) fn note_deadline(&mut self, at: MonoTime) {
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
    }

    /// A member was heard of: it lives for another session timeout.
    pub(crate) fn extend_session(&mut self, id: &str, now: MonoTime) {
        if let Some(member) = self.members.get_mut(id) {
            let at = now.saturating_add(millis(member.session_timeout_ms));
            member.deadline = Some(at);
            self.note_deadline(at);
        }
    }

    /// The first of all its deadlines.
    pub(crate) fn first_deadline(&self) -> Option<MonoTime> {
        let members = self.members.values().filter_map(|member| member.deadline);
        members
            .chain(self.pending.values().copied())
            .chain(self.join_timer.map(|timer| timer.at))
            .chain(self.sync_deadline)
            .min()
    }
}
