//! A dead source, once somebody is chosen: converge, promote, look back, fence (`safety.md`, "How a change is made safe" 6 to 10).
//!
//! Replicas that have applied what they received converge before the promotion, side by side, so that the new primary has those that
//! acknowledge its writes from the first one on. The others keep their relay logs until it is certain that the new primary stands,
//! and are repointed then: nothing that only they hold can be lost with a candidate that dies.

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::plan::{Action, Condition, Step};
use app::recovery::RecoveryKind;
use app::topology::{Instance, PromotionRule, ThreadState};
use chrono::{DateTime, Utc};

use super::evidence::wants_to_receive;
use super::machine::Machine;
use super::state::{Next, Phase, positioning_of};
use crate::candidate::{can_follow, missing};
use crate::plan::{StepList, check};

/// Everything that it received it has executed.
fn relay_log_is_applied(replica: &Instance) -> bool {
    check(replica, &Condition::RelayLogApplied).is_ok()
}

/// A server whose last probe took longer than this is slow to answer (`spec/recovery.md` 0.2).
const SLOW_TO_ANSWER_NS: i64 = 500_000_000;

impl Machine {
    // Converge

    pub(super) fn enter_converge(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(chosen) = self.chosen.as_ref().and_then(|key| self.alive(key)) else { return vec![] };
        let survey = self.survey();
        for replica in self.alive_replicas().filter(|r| r.key != chosen.key) {
            let drained = survey.standings.get(&replica.key).is_some_and(|s| s.is_drained());
            if drained && !self.is_postponed(replica) && self.may_follow(replica, chosen).is_ok() {
                self.push_follow(&mut list, replica, &chosen.key);
            }
        }
        if !self.settings.forced && !self.promoted {
            self.push_read(&mut list, &self.failed, 1);
        }
        let stops = self.applies_promotion() && !self.keeps_ring(chosen) && chosen.is_replica();
        if stops && !list.is_empty() && !chosen.replication.threads_stopped() {
            // It has applied everything. Its promotion need not wait for this then.
            list.push(chosen, 1, Action::StopReplication, "a primary replicates from nobody");
        }
        list.finish()
    }

    pub(super) fn judge_converge(&mut self, now: DateTime<Utc>) -> Next {
        if let Some(next) = self.source_is_back(now) {
            return next;
        }
        let Some(chosen) = self.chosen.clone() else { return Next::Go(Phase::Choose) };
        let below = self.alive_replicas().filter(|r| r.replication.source == chosen).count();
        self.tell(now, format!("{below} replicas are below {chosen}"));
        self.attempts = 0;
        Next::Go(Phase::Promote)
    }

    /// It follows only once the new primary takes writes (`PostponeReplicaRecoveryOnLagMinutes`): it is delayed by much, or slow to
    /// answer. One that acknowledges writes is needed before.
    fn is_postponed(&self, replica: &Instance) -> bool {
        let limit = self.settings.postpone_delay_seconds;
        let late = replica.replication.delay > limit || replica.check.latency_ns > SLOW_TO_ANSWER_NS;
        limit > 0 && late && !replica.semi_sync.replica_enabled
    }

    /// Steps that make a replica follow `source`, as far as it does not yet.
    fn push_follow(&self, list: &mut StepList<'_>, replica: &Instance, source: &InstanceKey) {
        let options = self.with_channel(replica).replication;
        let starts = self.starts(&replica.key);
        let runs = replica.replication.is_running();
        if replica.replication.source != *source {
            let by_place = || self.place_below(list, replica, source);
            let Some(positioning) = positioning_of(&options).or_else(by_place) else { return };
            if !replica.replication.threads_stopped() && replica.is_replica() {
                list.push(replica, 1, Action::StopReplication, "a source is changed with both threads stopped");
            }
            let action = Action::ChangeSource { to: source.clone(), positioning };
            list.push_with(replica, &options, 2, action, format!("it follows {source} from now on"));
        }
        if starts && (!runs || replica.replication.source != *source) {
            self.push_acknowledging(list, replica);
            list.push(replica, 3, Action::StartReplication, "replication goes on");
        }
    }

    /// A replica with a semi-sync priority acknowledges unless it must not be promoted, and waits for nobody itself (`spec/recovery.md`
    /// 3.10). Where their number is to be exact, analysis puts it right afterwards.
    fn push_acknowledging(&self, list: &mut StepList<'_>, replica: &Instance) {
        let semi_sync = &replica.semi_sync;
        if semi_sync.priority == 0 || !semi_sync.available {
            return;
        }
        if semi_sync.source_enabled {
            list.push(replica, 2, Action::SetSemiSyncSource { on: false }, "a replica waits for nobody");
        }
        let rule = self.participants.get(&replica.key).map(|p| p.rule).unwrap_or_default();
        let on = rule != PromotionRule::MustNot;
        if semi_sync.replica_enabled != on && !self.settings.exact_semi_sync {
            let reason =
                if on { "it acknowledges writes" } else { "it must not be promoted, so it acknowledges nothing" };
            list.push(replica, 2, Action::SetSemiSyncReplica { on }, reason);
        }
    }

    /// A receiver that was stopped on purpose stays stopped.
    fn starts(&self, key: &InstanceKey) -> bool {
        self.before(key).is_none_or(|b| b.threads().receiver || !b.channel.is_configured())
    }

    pub(super) fn may_follow(&self, replica: &Instance, source: &Instance) -> Result<(), String> {
        if self.by_place {
            return self.may_follow_by_place(replica, source);
        }
        let position = GtidPosition::executed_by(source).ok();
        can_follow(&self.with_channel(replica), source, position.as_ref(), &self.settings.choice)?;
        let survey = self.survey();
        let held = survey.standings.get(&replica.key).map(|standing| &standing.held);
        match (held, &position) {
            // What it holds beyond, a replica that was lost for a while has got from an old source that came back. Below the
            // new one those would be errant, and its relay log would be thrown away.
            (Some(held), Some(position)) if replica.replication.source != source.key && !position.covers(held) => {
                Err(format!("{} holds {}, which {} will never have", replica.key, missing(held, position), source.key))
            }
            _ => Ok(()),
        }
    }

    // Promote

    /// Replication is reset and `read_only` cleared last. A server whose earlier step failed skips the later ones, so it is never
    /// writable while it may still replicate.
    pub(super) fn enter_promote(&mut self) -> Vec<Step> {
        let Some(key) = self.chosen.clone() else { return vec![] };
        let mut list = self.list();
        let Some(server) = self.alive(&key).cloned() else {
            // It said nothing while it was promoted: look once more before somebody else is.
            self.push_read(&mut list, &key, 1);
            if self.kind == RecoveryKind::Takeover {
                // What its replicas got of it decides whether the old primary may go on.
                for replica in self.alive_replicas() {
                    self.push_read(&mut list, &replica.key, 1);
                }
            }
            return list.finish();
        };
        if !self.applies_promotion() {
            self.push_leave_to_hooks(&mut list, &server);
            return list.finish();
        }
        let keeps_ring = self.keeps_ring(&server);
        if keeps_ring {
            if self.starts(&key) && !server.replication.is_running() {
                list.push(&server, 2, Action::StartReplication, "it goes on replicating from its co-source");
            }
        } else if server.is_replica() {
            if !server.replication.threads_stopped() {
                list.push(&server, 1, Action::StopReplication, "a primary replicates from nobody");
            }
            list.push(
                &server,
                2,
                Action::ResetReplication,
                "a primary replicates from nobody, not after a restart either",
            );
        }
        // A switch that cannot be thrown shall not keep the cluster without a primary: the second try does it last.
        self.push_semi_sync(&mut list, &server, if self.attempts == 0 { 3 } else { 6 });
        if server.read_only {
            let action = Action::SetReadOnly { on: false, super_too: true };
            list.push(&server, 4, action, "it takes writes from now on");
        }
        let source = if keeps_ring { self.failed.clone() } else { InstanceKey::default() };
        let expect = vec![Condition::SourceIs { source }, Condition::ReadOnly { on: false }];
        list.push(&server, 5, Action::Verify { expect }, "what was done is read back");
        let steps = list.finish();
        self.promotion_sent = true;
        steps
    }

    /// `ApplyMySQLPromotionAfterMasterFailover`; a planned takeover is nothing without it.
    fn applies_promotion(&self) -> bool {
        self.settings.apply_promotion || self.kind == RecoveryKind::Takeover
    }

    /// The promotion itself is left to hooks: the server stops replicating and stays read-only.
    fn push_leave_to_hooks(&self, list: &mut StepList<'_>, server: &Instance) {
        if server.is_replica() && !server.replication.threads_stopped() {
            list.push(server, 1, Action::StopReplication, "a primary replicates from nobody");
        }
        if self.detaches_promoted(server) {
            list.push(server, 2, Action::DetachSource, "it shall not go on with the dead source by itself");
        }
    }

    /// It must not go on with a server that follows it: one that it caught up from, or the other co-source, by way of the dead one.
    fn detaches_promoted(&self, server: &Instance) -> bool {
        let source = &server.replication.source;
        let closes_ring = *source != self.failed || self.other_co_source().is_some_and(|other| other != server.key);
        server.is_replica() && !source.is_detached() && (self.settings.detach_promoted || closes_ring)
    }

    /// The chosen one is what this recovery makes of it.
    fn is_promoted(&self, key: &InstanceKey) -> bool {
        if self.applies_promotion() {
            return self.is_primary_now(key);
        }
        let left = |s: &Instance| (!s.is_replica() || s.replication.threads_stopped()) && !self.detaches_promoted(s);
        self.alive(key).is_some_and(left)
    }

    /// A new primary waits for acknowledgements only when the old one did and enough of its replicas give them: with too
    /// few its first write would hang.
    fn push_semi_sync(&self, list: &mut StepList<'_>, server: &Instance, phase: u32) {
        if !server.semi_sync.available {
            return;
        }
        let wanted = self.wants_semi_sync(server) && self.enough_acknowledge(server);
        if wanted && !server.semi_sync.source_enabled {
            let reason = "the old primary waited for acknowledgements, and enough replicas give them";
            list.push(server, phase, Action::SetSemiSyncSource { on: true }, reason);
        } else if server.semi_sync.source_enabled && !self.enough_acknowledge(server) {
            let reason = "too few replicas would acknowledge: its first write would hang";
            list.push(server, phase, Action::SetSemiSyncSource { on: false }, reason);
        }
    }

    fn wants_semi_sync(&self, server: &Instance) -> bool {
        server.semi_sync.priority > 0
            || self.failed_last.as_ref().is_some_and(|last| last.semi_sync.source_enabled)
            || self.before(&self.failed).is_some_and(|b| b.semi_sync_source)
    }

    pub(super) fn enough_acknowledge(&self, server: &Instance) -> bool {
        let ready = self.alive_replicas().filter(|r| {
            r.replication.source == server.key
                && r.semi_sync.replica_enabled
                && matches!(r.replication.receiver, ThreadState::Running | ThreadState::Other)
        });
        u64::try_from(ready.count()).unwrap_or(u64::MAX) >= server.semi_sync.source_wait_for.max(1)
    }

    pub(super) fn is_primary_now(&self, key: &InstanceKey) -> bool {
        self.alive(key).is_some_and(|s| !s.read_only && (!s.is_replica() || self.keeps_ring(s)))
    }

    pub(super) fn judge_promote(&mut self, now: DateTime<Utc>) -> Next {
        let Some(chosen) = self.chosen.clone() else { return Next::Go(Phase::Choose) };
        if self.is_promoted(&chosen) {
            self.promoted = true;
            self.attempts = 0;
            self.tell(
                now,
                match self.applies_promotion() {
                    true => format!("{chosen} takes writes"),
                    false => format!(
                        "{chosen} is left read-only for hooks to promote: ApplyMySQLPromotionAfterMasterFailover is off"
                    ),
                },
            );
            return Next::Go(Phase::LookBack);
        }
        self.attempts = self.attempts.saturating_add(1);
        if !self.is_alive(&chosen) && self.attempts >= 2 {
            return Next::Go(self.lose_candidate(&chosen, now));
        }
        if self.attempts < 3 {
            self.tell(now, format!("promoting {chosen} failed; trying once more"));
            return Next::Go(Phase::Promote);
        }
        self.tell(now, format!("{chosen} cannot be promoted; going on with the next best"));
        self.ban(&chosen, "its promotion failed".to_owned());
        self.attempts = 0;
        self.chosen = None;
        self.promotion_sent = false;
        Next::Go(Phase::Choose)
    }

    /// The candidate is gone. Where it may have become writable it may have served its replicas for a moment, so everybody is read and
    /// frozen again before the next one is chosen.
    fn lose_candidate(&mut self, key: &InstanceKey, now: DateTime<Utc>) -> Phase {
        let why = self.trouble_of(key);
        self.tell(now, format!("{key} was lost ({why}); going on with the next best"));
        if self.promotion_sent {
            self.fence.insert(key.clone());
        }
        self.chosen = None;
        self.promotion_sent = false;
        self.attempts = 0;
        Phase::ReadFacts
    }

    pub(super) fn source_after_interruption(&mut self, now: DateTime<Utc>) -> Option<Phase> {
        if let Some(chosen) = self.chosen.clone() {
            if self.is_primary_now(&chosen) {
                if !self.promoted {
                    self.tell(now, format!("{chosen} takes writes already"));
                }
                self.promoted = true;
                return matches!(self.phase, Phase::Promote | Phase::Converge).then_some(Phase::LookBack);
            }
            if !self.promoted && !self.is_alive(&chosen) {
                return Some(self.lose_candidate(&chosen, now));
            }
        }
        let early = matches!(self.phase, Phase::ReadFacts | Phase::AwaitSilence);
        if !self.promoted && !early && !self.settings.forced && self.is_alive(&self.failed) {
            let message = format!("{} is back before anybody was promoted: it serves again", self.failed);
            return Some(self.roll_back(now, "source-serves", message));
        }
        None
    }

    // Look back and settle

    pub(super) fn enter_look_back(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(chosen) = self.chosen.as_ref() else { return vec![] };
        for key in self.participants.keys().filter(|key| *key != chosen) {
            match self.alive(key).filter(|s| s.replication.source == *chosen) {
                Some(follower) => {
                    let receives = follower.replication.receiver != ThreadState::Stopped;
                    let action = Self::reads_back(chosen, receives);
                    list.push(follower, 1, action, "does it follow?");
                }
                None => self.push_read(&mut list, key, 1),
            }
        }
        list.finish()
    }

    pub(super) fn enter_settle(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(chosen) = self.chosen.as_ref().and_then(|key| self.facts.get(key)) else { return vec![] };
        for replica in self.alive_replicas().filter(|r| r.key != chosen.key) {
            if self.may_follow(replica, chosen).is_ok() {
                let before = list.len();
                self.push_follow(&mut list, replica, &chosen.key);
                if list.len() > before {
                    list.push(replica, 4, Self::reads_back(&chosen.key, false), "does it follow?");
                }
            } else if self.detaches(replica) {
                self.push_detach(&mut list, replica);
            }
        }
        if let Some(old) = self.alive(&self.failed) {
            Self::push_fence(&mut list, old);
        }
        list.finish()
    }

    fn detaches(&self, replica: &Instance) -> bool {
        self.settings.detach_lost && replica.replication.source == self.failed
    }

    /// A change of source throws the relay log away, and what a lost replica holds unapplied nobody else may have: it is applied
    /// first. Where it cannot be, the receiver stays stopped, which is enough until somebody looks at it, and nothing is detached.
    fn push_detach(&self, list: &mut StepList<'_>, replica: &Instance) {
        if wants_to_receive(replica) {
            list.push(replica, 1, Action::StopReceiver, "it shall get nothing more from the dead source");
        }
        if !relay_log_is_applied(replica) {
            let applies = self.before(&replica.key).is_none_or(|b| b.threads().applier);
            if !applies || replica.replication.delay > 0 || replica.replication.applier_errno != 0 {
                return;
            }
            list.push(replica, 2, Action::Drain, "what it received nobody else may have");
        }
        let step = list.push(replica, 3, Action::StopReplication, "it cannot follow the new primary");
        step.before = vec![Condition::RelayLogApplied];
        list.push(replica, 4, Action::DetachSource, "it shall not go on with the dead source by itself");
    }

    pub(super) fn push_fence(list: &mut StepList<'_>, old: &Instance) {
        if !old.read_only || old.super_read_only == Some(false) {
            let action = Action::SetReadOnly { on: true, super_too: true };
            list.push(old, 1, action, "never two writable servers: it is back and not the primary any more");
            list.push(old, 2, Action::KillSessions, "what its clients began must not be committed there");
        }
        if old.semi_sync.priority > 0 && old.semi_sync.source_enabled {
            // After its sessions: switching it off tells those that wait that their commits are acknowledged.
            list.push(old, 3, Action::SetSemiSyncSource { on: false }, "a read-only server waits for nobody");
        }
        let expect = vec![Condition::ReadOnly { on: true }];
        list.push(old, 4, Action::Verify { expect }, "what was done is read back");
    }

    pub(super) fn judge_settle(&mut self, now: DateTime<Utc>) -> Next {
        let Some(chosen) = self.chosen.clone() else { return Next::Finish };
        let keys: Vec<InstanceKey> =
            self.participants.keys().filter(|key| **key != self.failed && **key != chosen).cloned().collect();
        for key in keys {
            if let Some(reason) = self.why_lost(&key, &chosen) {
                self.tell(now, format!("{key} is lost: {reason}"));
                self.lose(&key, reason);
            }
        }
        // Fenced or not, the old source is watched: it may have been restarted since.
        self.fence.insert(self.failed.clone());
        if self.alive(&self.failed).is_some_and(|s| s.read_only) {
            self.tell(now, format!("{} is back and read-only", self.failed));
        }
        Next::Go(Phase::Acknowledge)
    }

    fn why_lost(&self, key: &InstanceKey, chosen: &InstanceKey) -> Option<String> {
        let Some(server) = self.alive(key) else {
            return Some(format!("it cannot be reached: {}", self.trouble_of(key)));
        };
        if server.replication.source == *chosen {
            let stopped = self.starts(key) && server.replication.receiver == ThreadState::Stopped;
            return stopped.then(|| format!("it is below {chosen}, and its replication could not be started"));
        }
        let refusal = self.facts.get(chosen).and_then(|c| self.may_follow(server, c).err());
        let why = refusal
            .unwrap_or_else(|| format!("it could not be repointed; its source is {}", server.replication.source));
        if self.detaches(server) && !relay_log_is_applied(server) {
            let kept = "it is not detached: its relay log holds transactions that it has not applied";
            return Some(format!("{why}; {kept} ({})", server.replication.retrieved_gtid.replace('\n', "")));
        }
        Some(why)
    }

    pub(super) fn enter_acknowledge(&self) -> Vec<Step> {
        let mut list = self.list();
        if let Some(chosen) = self.chosen.as_ref().and_then(|key| self.alive(key)) {
            let late = self.applies_promotion()
                && self.wants_semi_sync(chosen)
                && self.enough_acknowledge(chosen)
                && !chosen.semi_sync.source_enabled;
            if late && chosen.semi_sync.available {
                let reason = "now enough replicas acknowledge its writes";
                list.push(chosen, 1, Action::SetSemiSyncSource { on: true }, reason);
            }
        }
        list.finish()
    }
}
