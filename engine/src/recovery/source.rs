//! A dead source, until somebody is chosen: facts, freeze, drain, choose, catch up (`safety.md`, "How a change is made safe" 1 to 5).

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::plan::{Action, Condition, Step, StepState};
use app::topology::Instance;
use chrono::{DateTime, Utc};

use super::evidence::{receives, wants_to_receive};
use super::machine::Machine;
use super::state::{Next, Participant, Phase, positioning_of};
use crate::candidate::{Choice, ChoiceSettings, Contender, Contest, LossPolicy, Survey, choose, gap, missing};

/// A server with no more unapplied transactions than this (beyond the least burdened one) is drained before anybody is chosen. One with more
/// would hold up the recovery; it follows the new primary later, which has everything it has.
const SMALL_BACKLOG: u128 = 10_000;

/// The same without GTID, in bytes of the source's log.
const SMALL_BACKLOG_BYTES: u128 = 10_000_000;

impl Machine {
    // Facts

    pub(super) fn judge_facts(&mut self, now: DateTime<Utc>) -> Next {
        if let Some(next) = self.seen_again(now) {
            return next;
        }
        let source_alive = self.is_alive(&self.failed);
        if !self.settings.forced {
            if source_alive {
                let message = format!("{} answers: it serves, or serves again", self.failed);
                return Next::Go(self.roll_back(now, "source-serves", message));
            }
            let receiving = self.alive_replicas().find(|r| self.receives_from_failed(r)).map(|r| r.key.clone());
            if let Some(key) = receiving {
                let message = format!("{key} still receives from {}: only we cannot see it", self.failed);
                return Next::Go(self.roll_back(now, "source-serves", message));
            }
        }
        if self.alive_replicas().next().is_none() {
            let message = format!("none of the replicas of {} can be reached", self.failed);
            return Next::Go(self.roll_back(now, "no-reachable-replica", message));
        }
        if let Some(next) = self.judge_measure(now) {
            return next;
        }
        if let Some(next) = self.judge_ring(now) {
            return next;
        }
        let forecast = self.forecast();
        self.considered = forecast.considered;
        if forecast.chosen.is_none() {
            let message = "none of the replicas may be promoted; nothing has been changed for it";
            return Next::Go(self.roll_back(now, "no-candidate", message));
        }
        let (alive, all) = (self.alive_replicas().count(), self.participants.len().saturating_sub(1));
        let state = if source_alive { "answers" } else { "does not answer" };
        self.tell(now, format!("{} {state}; {alive} of its {all} replicas do", self.failed));
        self.attempts = 0;
        Next::Go(if source_alive { Phase::Fence } else { Phase::Freeze })
    }

    /// After a candidate was lost in the middle of its promotion: is it back, or does it serve out of our sight?
    fn seen_again(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let doubtful: Vec<InstanceKey> = self.fence.iter().filter(|k| **k != self.failed).cloned().collect();
        for key in &doubtful {
            if !self.is_alive(key) {
                continue;
            }
            if self.is_primary_now(key) {
                self.tell(now, format!("{key} is back and takes writes: it was promoted after all"));
                self.fence.remove(key);
                self.chosen = Some(key.clone());
                self.promoted = true;
                return Some(Next::Go(Phase::LookBack));
            }
            if let Some(next) = self.judge_writes_of_lost(now) {
                return Some(next);
            }
            self.fence.remove(key);
        }
        let served = |r: &&Instance| doubtful.contains(&r.replication.source) && receives(r);
        let serving = self.alive_replicas().find(served).map(|r| r.replication.source.clone());
        if let Some(source) = serving {
            if self.attempts == 0 {
                self.tell(
                    now,
                    format!("{source} is out of sight and may serve its replicas: waiting for them to lose it"),
                );
                return Some(Next::Go(Phase::AwaitSilence));
            }
            // Its replicas stay below it: it may be the primary, and they may be all that acknowledges its writes.
            self.no_way_back = true;
            let message = format!("{source} may have been promoted: we cannot see it, and its replicas still do");
            return Some(Next::Go(self.roll_back(now, "out-of-sight", message)));
        }
        self.attempts = 0;
        self.judge_writes_of_lost(now)
    }

    pub(super) fn enter_await_silence(&self) -> Vec<Step> {
        let mut list = self.list();
        for replica in self.alive_replicas().filter(|r| self.fence.contains(&r.replication.source)) {
            let expect = vec![Condition::ReceiverRunning { running: false }];
            list.push(replica, 1, Action::Verify { expect }, "does it lose its source?");
        }
        list.finish()
    }

    pub(super) fn judge_await_silence(&mut self, _now: DateTime<Utc>) -> Next {
        self.attempts = 1;
        Next::Go(Phase::ReadFacts)
    }

    // Forced: the source may be alive

    pub(super) fn judge_fence(&mut self, now: DateTime<Utc>) -> Next {
        match self.alive(&self.failed).map(|s| s.read_only) {
            Some(true) => {
                self.tell(now, format!("{} is read-only; its replicas get what it has", self.failed));
                self.failed_last = self.facts.get(&self.failed).cloned().map(Box::new);
                self.attempts = 0;
                Next::Go(Phase::FollowFenced)
            }
            Some(false) if self.attempts < 2 => {
                self.attempts += 1;
                Next::Go(Phase::Fence)
            }
            Some(false) => {
                let message = format!("{} answers but cannot be made read-only", self.failed);
                Next::Go(self.roll_back(now, "read-only-failed", message))
            }
            None => {
                self.attempts = 0;
                Next::Go(Phase::Freeze)
            }
        }
    }

    pub(super) fn enter_follow_fenced(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(source) = self.alive(&self.failed) else { return vec![] };
        let receiving = || self.alive_replicas().filter(|r| self.receives_from_failed(r));
        // One that is delayed is waited for only where all are.
        let all_delayed = receiving().all(|r| r.replication.delay > 0);
        for replica in receiving().filter(|r| all_delayed || r.replication.delay == 0) {
            if self.by_place {
                self.push_follow_to_end(&mut list, replica, source);
                continue;
            }
            let action = Action::WaitForGtid { set: source.executed_gtid.clone() };
            list.push(replica, 1, action, "nothing that the old primary committed shall be lost");
        }
        list.finish()
    }

    // Freeze

    pub(super) fn enter_freeze(&self) -> Vec<Step> {
        let mut list = self.list();
        for replica in self.alive_replicas().filter(|r| wants_to_receive(r)) {
            list.push(
                replica,
                1,
                Action::StopReceiver,
                "who is most advanced can be told only when nothing arrives any more",
            );
        }
        list.finish()
    }

    pub(super) fn judge_freeze(&mut self, now: DateTime<Utc>) -> Next {
        if !self.settings.forced
            && let Some((key, grown)) = self.grown_since_first_read()
        {
            let message = format!("{key} received {grown} from {} while we looked: it serves", self.failed);
            return Next::Go(self.roll_back(now, "source-serves", message));
        }
        let unfrozen: Vec<InstanceKey> =
            self.alive_replicas().filter(|r| wants_to_receive(r)).map(|r| r.key.clone()).collect();
        if self.attempts == 0 && !unfrozen.is_empty() {
            self.attempts = 1;
            return Next::Go(Phase::Freeze);
        }
        for key in unfrozen {
            self.ban(&key, "its receiver could not be stopped".to_owned());
        }
        if let Some(next) = self.judge_writes_of_lost(now) {
            return next;
        }
        let frozen = self.alive_replicas().count();
        if frozen == 0 {
            let message = format!("all replicas of {} were lost while they were stopped", self.failed);
            return Next::Go(self.roll_back(now, "no-reachable-replica", message));
        }
        self.tell(now, format!("receivers of {frozen} replicas are stopped"));
        for (key, standing) in self.survey().standings {
            if let Some(participant) = self.participants.get_mut(&key) {
                participant.pending = Some(standing.pending);
                participant.frozen = participant.banned.is_none();
            }
        }
        (self.attempts, self.stalls) = (0, 0);
        Next::Go(Phase::Drain)
    }

    /// A replica of the failed source that has received more than when it was first read.
    fn grown_since_first_read(&self) -> Option<(InstanceKey, String)> {
        if self.by_place {
            return self.grown_by_place();
        }
        self.alive_replicas().find_map(|replica| {
            let before = self.before(&replica.key)?;
            let same = before.channel.source == self.failed && replica.replication.source == self.failed;
            let parse = |text: &str| GtidPosition::parse_for(replica.flavor(), text).ok();
            let (then, now) = (parse(&before.channel.retrieved_gtid)?, parse(&replica.replication.retrieved_gtid)?);
            // MariaDB tells nothing received before the receiver first connected.
            let comparable = same && !then.is_empty();
            (comparable && !then.covers(&now)).then(|| (replica.key.clone(), missing(&now, &then)))
        })
    }

    // Drain

    pub(super) fn enter_drain(&self) -> Vec<Step> {
        if self.looks_between_rounds() {
            return self.look_at_failed();
        }
        let survey = self.survey();
        let mut list = self.list();
        for replica in self.alive_replicas().filter(|r| self.should_drain(&survey, r)) {
            if self.by_place {
                self.push_stand_still(&mut list, replica);
                continue;
            }
            let pending = survey.standings.get(&replica.key).map_or(0, |s| s.pending);
            let reason = format!("{pending} received transactions are not applied; they must not be lost");
            list.push(replica, 1, Action::Drain, reason);
        }
        list.finish()
    }

    /// A round of waiting takes long: the source may be back, and its replicas must not be kept from it. So between two
    /// rounds, which are counted in `attempts`, there is a look at it.
    fn looks_between_rounds(&self) -> bool {
        !self.attempts.is_multiple_of(2) && !self.settings.forced && !self.promoted
    }

    fn look_at_failed(&self) -> Vec<Step> {
        let mut list = self.list();
        self.push_read(&mut list, &self.failed, 1);
        list.finish()
    }

    /// Nobody was asked to take writes yet, and the source answers: it keeps its place.
    pub(super) fn source_is_back(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let back = !self.settings.forced && !self.promoted && self.is_alive(&self.failed);
        back.then(|| {
            let message = format!("{} is back before anybody was promoted: it serves again", self.failed);
            Next::Go(self.roll_back(now, "source-serves", message))
        })
    }

    fn should_drain(&self, survey: &Survey, replica: &Instance) -> bool {
        let Some(standing) = survey.standings.get(&replica.key) else { return false };
        let able = |key: &InstanceKey| self.participants.get(key).is_some_and(|p| !p.drain_failed);
        let drained = if self.by_place { !self.is_on_its_way(replica) } else { standing.is_drained() };
        if drained || !able(&replica.key) {
            return false;
        }
        let holders = || self.alive_replicas().filter(|r| survey.holds_all(&r.key) && able(&r.key));
        let is_holder = survey.holds_all(&replica.key);
        if replica.replication.delay > 0 {
            // A delayed server is waited for only when nobody else has what it has.
            return is_holder && holders().all(|r| r.replication.delay > 0);
        }
        let pending_of = |r: &Instance| survey.standings.get(&r.key).map_or(0, |s| s.pending);
        let least = holders().filter(|r| r.replication.delay == 0).map(pending_of).min().unwrap_or(0);
        let small = if self.by_place { SMALL_BACKLOG_BYTES } else { SMALL_BACKLOG };
        let limit = if is_holder { least.saturating_add(small) } else { small };
        standing.pending <= limit
    }

    pub(super) fn judge_drain(&mut self, now: DateTime<Utc>) -> Next {
        if let Some(next) = self.source_is_back(now) {
            return next;
        }
        if self.looks_between_rounds() {
            self.attempts = self.attempts.saturating_add(1);
            return Next::Go(Phase::Drain);
        }
        self.note_failed_drains();
        self.note_places();
        let survey = self.survey();
        let mut progressed = false;
        for (key, standing) in &survey.standings {
            if let Some(participant) = self.participants.get_mut(key) {
                let before = participant.pending.replace(standing.pending);
                let less = before.is_none_or(|b| standing.pending < b);
                progressed |= !participant.drain_failed && standing.pending > 0 && less;
            }
        }
        let done = self.alive_replicas().filter(|r| survey.has_executed_all(&r.key)).count();
        self.stalls = if progressed { 0 } else { self.stalls.saturating_add(1) };
        let goes_on = progressed || (self.ended_badly() && self.stalls < 2);
        // Whatever may be lost in the end: as long as there is progress nothing is given up.
        let strict =
            ChoiceSettings { loss: LossPolicy::Never, accept_loss_of: String::new(), ..self.settings.choice.clone() };
        if goes_on && self.contest(true, &strict).chosen.is_none() {
            self.tell(now, "still applying what was received");
            self.attempts = self.attempts.saturating_add(1);
            return Next::Go(Phase::Drain);
        }
        if self.by_place {
            return self.places_are_known(now);
        }
        self.attempts = 0;
        let all = survey.union.as_ref().map(|u| u.to_string().replace('\n', "")).unwrap_or_default();
        self.tell(now, format!("{done} replicas have applied all that was received ({all})"));
        Next::Go(Phase::Choose)
    }

    /// An applier that stopped with an error is not waited for again; one that ran out of time is, while it makes progress.
    fn note_failed_drains(&mut self) {
        let failed: Vec<InstanceKey> =
            self.alive_replicas().filter(|r| r.replication.applier_errno != 0).map(|r| r.key.clone()).collect();
        for key in failed {
            if let Some(participant) = self.participants.get_mut(&key) {
                participant.drain_failed = true;
            }
        }
    }

    // Choose

    pub(super) fn judge_choose(&mut self, now: DateTime<Utc>) -> Next {
        let choice = self.contest(true, &self.settings.choice);
        self.considered.clone_from(&choice.considered);
        if let Some(chosen) = choice.chosen {
            let reason = choice.considered.iter().find(|c| c.chosen).map(|c| c.reason.clone()).unwrap_or_default();
            self.tell(now, format!("{chosen} is chosen: {reason}"));
            if !choice.risk.is_empty() {
                self.tell(now, format!("data loss is accepted: {}; at risk: {}", choice.risk, choice.at_risk));
                self.tell(now, format!("why it is accepted: {}", choice.verdict));
            }
            self.chosen = Some(chosen);
            self.note_end_of_chosen();
            self.attempts = 0;
            return Next::Go(match choice.catch_up_from {
                Some(from) => Phase::CatchUp { from },
                None => Phase::Converge,
            });
        }
        self.chosen = None;
        if self.may_look_once_more() {
            self.tell(now, "nobody can be promoted as things are; looking once more for those that fell silent");
            return Next::Go(Phase::ReadFacts);
        }
        if !choice.risk.is_empty() {
            let message = format!("promoting anybody would lose writes: {}; {}", choice.risk, choice.verdict);
            self.tell(now, format!("giving up: {message}"));
            self.attempts = 0;
            return Next::Go(Phase::RollBack { code: "data-at-risk".to_owned(), message, at_risk: choice.at_risk });
        }
        let message = "none of the replicas can be promoted; each has its reason";
        Next::Go(self.roll_back(now, "no-candidate", message))
    }

    /// A replica does not answer. Nobody gives up before everybody was asked once more.
    fn may_look_once_more(&mut self) -> bool {
        let silent = |(key, p): (&InstanceKey, &Participant)| *key != self.failed && p.gone.is_some();
        let may = !self.looked_once_more && self.participants.iter().any(silent);
        self.looked_once_more |= may;
        may
    }

    /// Vetoes on the facts in hand, before anything is changed. What may be lost is told only when everybody is frozen.
    fn forecast(&self) -> Choice {
        let settings =
            ChoiceSettings { loss: LossPolicy::Always, accept_loss_of: String::new(), ..self.settings.choice.clone() };
        self.contest(false, &settings)
    }

    fn contest(&self, drained: bool, settings: &ChoiceSettings) -> Choice {
        let views: Vec<(InstanceKey, Instance)> = self
            .participants
            .keys()
            .filter(|key| **key != self.failed)
            .filter_map(|key| self.facts.get(key).map(|server| (key.clone(), self.with_channel(server))))
            .collect();
        let contenders = views.iter().filter_map(|(key, server)| {
            let participant = self.participants.get(key)?;
            let out = participant.gone.as_ref().map(|why| format!("it cannot be reached: {why}"));
            Some(Contender {
                server,
                rule: participant.rule,
                lag: participant.lag,
                out,
                frozen: participant.frozen,
                banned: participant.banned.clone().or_else(|| self.why_not_placed(participant, drained)),
            })
        });
        choose(&Contest {
            source: self.failed_last.as_deref(),
            contenders: contenders.collect(),
            settings,
            designated: self.settings.designated.as_ref(),
            drained,
            source_alive: false,
            by_place: self.by_place,
        })
    }

    pub(super) fn survey(&self) -> Survey {
        if self.by_place {
            let views: Vec<Instance> = self.alive_replicas().map(|r| self.with_channel(r)).collect();
            return Survey::by_place(&views);
        }
        Survey::of(self.alive_replicas(), self.failed_last.as_deref())
    }

    // Catch up

    pub(super) fn enter_catch_up(&self, from: &InstanceKey) -> Vec<Step> {
        if self.looks_between_rounds() {
            return self.look_at_failed();
        }
        let mut list = self.list();
        let survey = self.survey();
        let chosen = self.chosen.as_ref().and_then(|key| self.alive(key));
        let (Some(server), Some(all), true) = (chosen, &survey.union, self.is_alive(from)) else { return vec![] };
        if survey.has_executed_all(&server.key) {
            return vec![];
        }
        let options = self.with_channel(server).replication;
        if server.replication.source != *from {
            let Some(positioning) = positioning_of(&options) else { return vec![] };
            list.push(server, 1, Action::StopReplication, "it gets what it lacks from a more advanced replica");
            let action = Action::ChangeSource { to: from.clone(), positioning };
            list.push_with(server, &options, 2, action, format!("{from} holds what it lacks"));
        }
        list.push(server, 3, Action::StartReplication, "catch up");
        let set = all.to_string().replace('\n', "");
        list.push(server, 4, Action::WaitForGtid { set }, "it must have all that any replica received");
        list.finish()
    }

    pub(super) fn judge_catch_up(&mut self, from: &InstanceKey, now: DateTime<Utc>) -> Next {
        if let Some(next) = self.source_is_back(now) {
            return next;
        }
        if self.looks_between_rounds() {
            self.attempts = self.attempts.saturating_add(1);
            return Next::Go(Phase::CatchUp { from: from.clone() });
        }
        let Some(chosen) = self.chosen.clone() else { return Next::Go(Phase::Choose) };
        if self.is_alive(&chosen) && self.survey().has_executed_all(&chosen) {
            self.tell(now, format!("{chosen} has caught up from {from}"));
            return Next::Go(Phase::Converge);
        }
        if self.is_alive(&chosen) && self.is_alive(from) && self.came_closer(&chosen) {
            self.tell(now, format!("{chosen} is still catching up from {from}: waiting on, because it makes progress"));
            self.attempts = self.attempts.saturating_add(1);
            return Next::Go(Phase::CatchUp { from: from.clone() });
        }
        self.tell(now, format!("{chosen} could not catch up from {from}"));
        if self.is_alive(from) {
            self.ban(&chosen, format!("it could not catch up from {from}"));
        }
        self.chosen = None;
        Next::Go(Phase::Choose)
    }

    /// The server lacks less than when this was last asked.
    fn came_closer(&mut self, key: &InstanceKey) -> bool {
        let survey = self.survey();
        let (Some(all), Some(standing)) = (&survey.union, survey.standings.get(key)) else { return false };
        let lacks = gap(all, &standing.executed);
        let Some(participant) = self.participants.get_mut(key) else { return false };
        let before = participant.lacks.replace(lacks);
        before.is_none_or(|b| lacks < b)
    }

    pub(super) fn ban(&mut self, key: &InstanceKey, reason: String) {
        if let Some(participant) = self.participants.get_mut(key) {
            participant.banned = Some(reason);
        }
    }

    pub(super) fn ended_badly(&self) -> bool {
        self.ended.values().any(StepState::is_failure)
    }
}
