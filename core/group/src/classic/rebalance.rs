//! From state to state, and what time does to a group.

use std::collections::BTreeMap;

use ottla_base::MonoTime;
use ottla_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use ottla_protocol::messages::sync_group_response::SyncGroupResponse;

use crate::classic::group::{ClassicGroup, State};
use crate::classic::join::{join_answer, join_refused};
use crate::classic::sync::sync_refused;
use crate::error::GroupError;
use crate::step::{GroupReply, Step, millis};

/// When the members that have joined so far are taken for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinTimer {
    pub(crate) at: MonoTime,
    /// Set while a group that was Empty waits for its first members (KIP-134).
    pub(crate) initial: Option<InitialDelay>,
}

/// How a first rebalance is put off as long as members come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    /// The present delay, in ms.
    delay_ms: i32,
    /// How much longer it may become, in ms.
    remaining_ms: i32,
}

/// Assignments that are on their way into the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAssignments {
    pub(crate) group: std::sync::Arc<str>,
    pub(crate) generation: i32,
    pub(crate) by_member: BTreeMap<String, Vec<u8>>,
}

impl ClassicGroup {
    /// Begins a rebalance, or if one is on, ends it if nobody is missing.
    pub(crate) fn rebalance_or_complete_join(&mut self, step: &mut Step<'_>) {
        if self.state == State::PreparingRebalance {
            self.complete_join_if_all_joined(step);
        } else {
            self.prepare_rebalance(step);
        }
    }

    /// Ends the wait for members if nobody is missing. The first rebalance of a group is left to its
    /// timer: nobody can tell who is missing.
    pub(crate) fn complete_join_if_all_joined(&mut self, step: &mut Step<'_>) {
        if self.state == State::PreparingRebalance
            && self.previous != State::Empty
            && self.all_joined()
        {
            self.complete_join(step);
        }
    }

    /// Calls the members together.
    pub(crate) fn prepare_rebalance(&mut self, step: &mut Step<'_>) {
        if self.state == State::CompletingRebalance {
            self.drop_assignments(GroupError::RebalanceInProgress, step);
        }
        self.sync_deadline = None;
        let first = self.state == State::Empty;
        let timeout_ms = self.rebalance_timeout_ms();
        self.transition(State::PreparingRebalance, step.now.wall);
        if first {
            let delay_ms = step.settings.initial_rebalance_delay_ms;
            let initial = InitialDelay {
                delay_ms,
                remaining_ms: timeout_ms.saturating_sub(delay_ms).max(0),
            };
            self.set_join_timer(delay_ms, Some(initial), step);
        } else if self.all_joined() {
            self.complete_join(step);
        } else {
            self.set_join_timer(timeout_ms.max(1), None, step);
        }
    }

    fn set_join_timer(&mut self, ms: i32, initial: Option<InitialDelay>, step: &Step<'_>) {
        let at = step.now.mono.saturating_add(millis(ms));
        self.join_timer = Some(JoinTimer { at, initial });
        self.note_deadline(at);
    }

    fn join_timer_fired(&mut self, timer: JoinTimer, step: &mut Step<'_>) {
        match timer.initial {
            Some(initial) if self.new_member_added && initial.remaining_ms > 0 => {
                self.new_member_added = false;
                let delay_ms = step
                    .settings
                    .initial_rebalance_delay_ms
                    .min(initial.remaining_ms);
                let remaining_ms = initial.remaining_ms.saturating_sub(initial.delay_ms).max(0);
                let initial = InitialDelay {
                    delay_ms,
                    remaining_ms,
                };
                self.set_join_timer(delay_ms, Some(initial), step);
            }
            Some(_) | None => self.complete_join(step),
        }
    }

    /// Begins a generation of those who have joined.
    pub(crate) fn complete_join(&mut self, step: &mut Step<'_>) {
        self.join_timer = None;
        self.new_member_added = false;
        // A static member may be away for as long as its session lasts.
        let missing: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.join.is_none() && member.instance_id.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in missing {
            self.remove(&id);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Nobody has joined. Those who are away expire one by one.
            let timeout_ms = self.rebalance_timeout_ms().max(1);
            self.set_join_timer(timeout_ms, None, step);
            return;
        }
        self.begin_generation(step.now.wall);
        if self.members.is_empty() {
            // If this cannot be written, the generation before comes back after a restart, and expires.
            step.fx.records.push(self.record(&BTreeMap::new()));
            return;
        }
        self.answer_joins(step);
        let at = step
            .now
            .mono
            .saturating_add(millis(self.rebalance_timeout_ms().max(1)));
        self.sync_deadline = Some(at);
        self.note_deadline(at);
    }

    /// Makes a member the leader that has joined, if the present one has not. `false` if nobody has.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &String| self.members.get(id).is_some_and(|m| m.join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        if self.leader.is_none() {
            return false;
        }
        let next = self.members.iter().find(|(_, m)| m.join.is_some());
        match next.map(|(id, _)| id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    fn answer_joins(&mut self, step: &mut Step<'_>) {
        let everybody = self.member_list();
        let ids: Vec<String> = self.members.keys().cloned().collect();
        let template = self.generation_answer();
        for id in ids {
            let members = if self.is_leader(&id) {
                everybody.clone()
            } else {
                Vec::new()
            };
            let response = JoinGroupResponse {
                member_id: id.clone(),
                members,
                ..template.clone()
            };
            self.answer_join(&id, response, step);
            self.extend_session(&id, step.now.mono);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
            self.pending_sync.insert(id);
        }
    }

    /// Answers a member's JoinGroup, if one waits.
    pub(crate) fn answer_join(
        &mut self,
        id: &str,
        response: JoinGroupResponse,
        step: &mut Step<'_>,
    ) {
        if let Some(member) = self.members.get_mut(id)
            && let Some(ticket) = member.join.take()
        {
            self.joining -= 1;
            step.fx.reply(Some(ticket), GroupReply::Join(response));
        }
    }

    /// What every JoinGroup answer of this generation says.
    pub(crate) fn generation_answer(&self) -> JoinGroupResponse {
        join_answer(self)
    }

    /// What the leader is told of the members.
    pub(crate) fn member_list(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter();
        members
            .map(|(id, member)| JoinGroupResponseMember {
                member_id: id.clone(),
                group_instance_id: member.instance_id.clone(),
                metadata: member.metadata(protocol).unwrap_or_default().to_vec(),
            })
            .collect()
    }

    /// Takes the assignments away and tells those who wait for theirs.
    pub(crate) fn drop_assignments(&mut self, error: GroupError, step: &mut Step<'_>) {
        for member in self.members.values_mut() {
            member.assignment.clear();
        }
        self.answer_syncs(&sync_refused(error), false, step);
    }

    /// Answers every SyncGroup that waits, with the member's assignment if `assigned`.
    pub(crate) fn answer_syncs(
        &mut self,
        template: &SyncGroupResponse,
        assigned: bool,
        step: &mut Step<'_>,
    ) {
        let mut earliest = self.earliest;
        for member in self.members.values_mut() {
            let Some(ticket) = member.sync.take() else {
                continue;
            };
            let mut response = template.clone();
            if assigned {
                response.assignment.clone_from(&member.assignment);
            }
            step.fx.reply(Some(ticket), GroupReply::Sync(response));
            // While it waited it could not show that it lives.
            let at = step
                .now
                .mono
                .saturating_add(millis(member.session_timeout_ms));
            member.deadline = Some(at);
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        self.earliest = earliest;
    }

    /// Does what is due.
    pub(crate) fn on_tick(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        let due = |at: &MonoTime| *at <= now;
        let pending: Vec<String> = self
            .pending
            .iter()
            .filter(|(_, at)| due(at))
            .map(|(id, _)| id.clone())
            .collect();
        for id in pending {
            self.remove(&id);
            self.complete_join_if_all_joined(step);
        }
        let silent: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| member.deadline.as_ref().is_some_and(due))
            .map(|(id, _)| id.clone())
            .collect();
        for id in silent {
            self.session_over(&id, step);
        }
        if let Some(timer) = self.join_timer.filter(|timer| due(&timer.at)) {
            self.join_timer = None;
            if self.state == State::PreparingRebalance {
                self.join_timer_fired(timer, step);
            }
        }
        if self.sync_deadline.as_ref().is_some_and(due) {
            self.sync_deadline = None;
            self.sync_time_over(step);
        }
        self.earliest = self.first_deadline();
    }

    fn session_over(&mut self, id: &str, step: &mut Step<'_>) {
        let Some(member) = self.members.get_mut(id) else {
            return; // Gone with one of those before it.
        };
        if member.deadline.is_none_or(|at| at > step.now.mono) {
            return; // What befell one of those before it has given it time.
        }
        if member.is_excused() {
            member.deadline = None; // It gets a new one with its answer.
            return;
        }
        self.expel(id, step);
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(step),
            State::PreparingRebalance => self.complete_join_if_all_joined(step),
            State::Empty => {}
        }
    }

    /// Removes a member and answers what it waits for, so that it notices.
    pub(crate) fn expel(&mut self, id: &str, step: &mut Step<'_>) {
        if let Some(member) = self.remove(id) {
            let refusal = join_refused(GroupError::UnknownMember, "");
            step.fx.reply(member.join, GroupReply::Join(refusal));
            let refusal = sync_refused(GroupError::UnknownMember);
            step.fx.reply(member.sync, GroupReply::Sync(refusal));
        }
    }

    /// Those who joined and then did not ask for their assignment are taken for gone.
    fn sync_time_over(&mut self, step: &mut Step<'_>) {
        if !matches!(self.state, State::CompletingRebalance | State::Stable)
            || self.pending_sync.is_empty()
        {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            self.remove(&id);
        }
        self.prepare_rebalance(step);
    }

    /// The leader's assignments are in the log.
    pub(crate) fn assignments_stored(&mut self, stored: StoredAssignments, step: &mut Step<'_>) {
        if self.state != State::CompletingRebalance || self.generation != stored.generation {
            return; // A new rebalance has begun meanwhile.
        }
        let mut by_member = stored.by_member;
        for (id, member) in &mut self.members {
            member.assignment = by_member.remove(id).unwrap_or_default();
        }
        let template = self.assignment_answer();
        self.answer_syncs(&template, true, step);
        self.transition(State::Stable, step.now.wall);
    }

    /// The leader's assignments could not be stored: everybody has to begin anew.
    pub(crate) fn assignments_lost(
        &mut self,
        generation: i32,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        if self.state == State::CompletingRebalance && self.generation == generation {
            self.drop_assignments(error, step);
            self.prepare_rebalance(step);
        }
    }
}
