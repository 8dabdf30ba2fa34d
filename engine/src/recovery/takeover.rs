//! A planned takeover (`spec/recovery.md` 4.3): nothing is dead, so nothing may be lost and everything can be undone until the
//! designated server takes writes.
//!
//! The other replicas move first, while writes go on; then the old primary is made read-only, its sessions end, the designated one executes
//! all it has, and takes over. Every rule is checked before the first change.

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::plan::{Action, Condition, Positioning, Step};
use app::recovery::RecoveryKind;
use app::rules::can_replicate_from;
use app::topology::Instance;
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::regrouping::Regrouping;
use super::state::{Next, Phase, positioning_of};
use super::types::SessionPolicy;
use crate::candidate::{Contender, Contest, can_follow, choose, missing, rule_settings};
use crate::plan::{Threads, move_replica};

/// The old primary becomes a replica from this phase on, when those have moved that still follow it.
const DEMOTE: u32 = 11;

/// How often the designated server is waited for again because the old primary committed more meanwhile.
const MAX_WAITS: u32 = 3;

impl Machine {
    pub(super) fn judge_cluster(&mut self, now: DateTime<Utc>) -> Next {
        match self.takeover_choice() {
            Ok(designated) => {
                self.tell(now, format!("{designated} takes over; all rules hold"));
                self.chosen = Some(designated);
                self.attempts = 0;
                // Without GTID the others find their places only when writes have stopped.
                Next::Go(if self.by_place { Phase::StopWrites } else { Phase::MoveSiblings })
            }
            Err(reason) => Next::Go(self.roll_back(now, "not-a-takeover", reason)),
        }
    }

    /// The server that takes over, or the first rule that forbids it. Nothing has been changed yet.
    fn takeover_choice(&mut self) -> Result<InstanceKey, String> {
        let failed = self.failed.clone();
        let source = self.alive(&failed).cloned().ok_or_else(|| {
            format!(
                "{failed} cannot be reached ({}); a dead primary is recovered, not taken over",
                self.trouble_of(&failed)
            )
        })?;
        if source.is_replica() && !source.replication.source.is_detached() {
            return Err(format!("{failed} is no primary: it replicates from {}", source.replication.source));
        }
        let replicas: Vec<InstanceKey> = self.participants.keys().filter(|key| **key != failed).cloned().collect();
        if replicas.is_empty() {
            return Err(format!("{failed} has no replicas"));
        }
        let request = self.takeover.clone();
        let designated = request.as_ref().and_then(|r| r.designated.clone()).filter(InstanceKey::is_valid);
        let auto = request.is_some_and(|r| r.auto);
        if let Some(designated) = &designated {
            if !replicas.contains(designated) {
                return Err(format!("{designated} does not replicate directly from {failed}"));
            }
        } else if replicas.len() > 1 && !auto {
            return Err(format!("{failed} has {} replicas: name the one that takes over", replicas.len()));
        }
        self.by_place = Regrouping::of(self.alive_replicas()) == Regrouping::Position;
        let chosen = self.judge_takers(&source, designated.as_ref())?;
        self.takeover_rules(&source, &chosen)?;
        Ok(chosen)
    }

    fn judge_takers(&mut self, source: &Instance, designated: Option<&InstanceKey>) -> Result<InstanceKey, String> {
        let contenders = self.participants.iter().filter(|(key, _)| **key != self.failed).filter_map(|(key, p)| {
            let server = self.facts.get(key)?;
            let out = p.gone.as_ref().map(|why| format!("it cannot be reached: {why}"));
            let banned = self.taker_veto(server);
            Some(Contender { server, rule: p.rule, lag: server.lag_beyond_delay(), out, frozen: false, banned })
        });
        let choice = choose(&Contest {
            source: Some(source),
            contenders: contenders.collect(),
            settings: &self.settings.choice,
            designated,
            drained: false,
            source_alive: true,
            by_place: self.by_place,
        });
        self.considered.clone_from(&choice.considered);
        choice.chosen.ok_or_else(|| {
            let reasons: Vec<String> = choice.considered.iter().map(|c| format!("{}: {}", c.key, c.reason)).collect();
            format!("no replica can take over: {}", reasons.join("; "))
        })
    }

    /// What a planned takeover asks of the designated server beyond the vetoes of a recovery.
    fn taker_veto(&self, server: &Instance) -> Option<String> {
        let limit = i64::try_from(self.settings.choice.maintenance_lag_seconds).unwrap_or(i64::MAX);
        if server.replication.source != self.failed {
            return Some(format!("it replicates from {}", server.replication.source));
        }
        if !server.replication.is_running() {
            return Some("it does not replicate".to_owned());
        }
        match server.lag_beyond_delay() {
            Some(lag) if lag <= limit => None,
            Some(lag) => Some(format!("it lags by {lag} s, more than {limit} s")),
            None => Some("its lag is unknown".to_owned()),
        }
    }

    /// The others and the old primary must be able to follow the designated one; replicas in downtime may be left behind.
    fn takeover_rules(&self, source: &Instance, chosen: &InstanceKey) -> Result<(), String> {
        let Some(server) = self.alive(chosen) else { return Err(format!("{chosen} cannot be reached")) };
        for (key, participant) in self.participants.iter().filter(|(key, _)| **key != self.failed && *key != chosen) {
            if participant.downtimed {
                continue;
            }
            let Some(sibling) = self.alive(key) else {
                return Err(format!("{key} cannot be reached ({}) and is not in downtime", self.trouble_of(key)));
            };
            self.could_follow(sibling, server)
                .map_err(|reason| format!("{key} could not follow {chosen} and is not in downtime: {reason}"))?;
        }
        let demoted = Instance { replication: server.replication.clone(), ..source.clone() };
        self.could_follow(&demoted, server)
            .map_err(|reason| format!("the old primary could not follow {chosen}: {reason}"))
    }

    /// Without GTID all will stand at the same place.
    fn could_follow(&self, replica: &Instance, source: &Instance) -> Result<(), String> {
        if self.by_place {
            return can_replicate_from(replica, source, &rule_settings(&self.settings.choice))
                .map(drop)
                .map_err(|refusal| refusal.message);
        }
        can_follow(replica, source, None, &self.settings.choice)
    }

    // Siblings

    fn siblings(&self) -> Vec<&Instance> {
        self.alive_replicas().filter(|s| Some(&s.key) != self.chosen.as_ref()).collect()
    }

    pub(super) fn enter_move_siblings(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(chosen) = self.chosen.clone() else { return vec![] };
        for sibling in self.siblings() {
            if sibling.replication.source == chosen {
                self.push_restart(&mut list, sibling);
            }
            if sibling.replication.source != self.failed {
                continue;
            }
            let Some(positioning) = positioning_of(&sibling.replication) else { continue };
            let mut as_found = sibling.clone();
            if let Some(before) = self.before(&sibling.key) {
                as_found.replication.receiver = before.channel.receiver;
                as_found.replication.applier = before.channel.applier;
            }
            move_replica(&mut list, &as_found, &chosen, &positioning, 1, self.attempts == 0);
        }
        list.finish()
    }

    pub(super) fn judge_move_siblings(&mut self, now: DateTime<Utc>) -> Next {
        let Some(chosen) = self.chosen.clone() else {
            return Next::Go(self.roll_back(now, "defect", "nobody designated"));
        };
        let behind: Vec<InstanceKey> = self
            .participants
            .iter()
            .filter(|(key, p)| **key != self.failed && **key != chosen && !p.downtimed)
            .filter(|(key, _)| !self.has_moved(key, &chosen))
            .map(|(key, _)| key.clone())
            .collect();
        let Some(first) = behind.first() else {
            self.tell(now, format!("the other replicas are below {chosen}"));
            self.attempts = 0;
            return Next::Go(Phase::StopWrites);
        };
        if self.attempts == 0 && behind.iter().all(|key| self.is_alive(key)) {
            self.attempts = 1;
            return Next::Go(Phase::MoveSiblings);
        }
        let message =
            format!("{first} could not be moved below {chosen}, or does not replicate there as it did before");
        Next::Go(self.roll_back(now, "catch-up-failed", message))
    }

    /// It is below the designated server, and receives if it did before.
    fn has_moved(&self, key: &InstanceKey, chosen: &InstanceKey) -> bool {
        let wanted = self.before(key).is_some_and(|b| b.threads().receiver);
        self.alive(key)
            .is_some_and(|s| s.replication.source == *chosen && (!wanted || Threads::of(&s.replication).receiver))
    }

    // Old primary

    /// Also the fence of a forced recovery.
    pub(super) fn enter_stop_writes(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(old) = self.alive(&self.failed) else { return vec![] };
        let waits = self.waits_for_sessions();
        if self.attempts == 1 {
            // By itself: a session that must not be ended (MySQL, `SYSTEM_USER`) is no reason not to try again.
            let reason = "a statement or commit in progress keeps it from becoming read-only";
            list.push(old, 1, Action::KillSessions, reason);
            return list.finish();
        }
        if !old.read_only || old.super_read_only == Some(false) {
            let action = Action::SetReadOnly { on: true, super_too: true };
            let step = list.push(old, 2, action, "no more writes here, not by accounts with SUPER either");
            if self.kind == RecoveryKind::Takeover && (waits || self.attempts == 0) {
                step.timeout_ms = self.settings.timeouts.session_wait_ms;
            }
        }
        if !waits {
            let reason = "what clients began must not be committed after the look at the position";
            list.push(old, 3, Action::KillSessions, reason);
        }
        list.push(old, 4, Action::Refresh, "its last position is what the new primary must have");
        list.finish()
    }

    /// `TakeoverSessionPolicy`. Who forces a failover wants no waiting.
    fn waits_for_sessions(&self) -> bool {
        self.kind == RecoveryKind::Takeover && self.settings.sessions == SessionPolicy::Wait
    }

    pub(super) fn judge_stop_writes(&mut self, now: DateTime<Utc>) -> Next {
        if self.alive(&self.failed).is_some_and(|s| s.read_only) {
            self.tell(now, format!("{} takes no more writes", self.failed));
            self.attempts = 0;
            return Next::Go(Phase::AwaitDesignated);
        }
        let bound = self.settings.timeouts.session_wait_ms;
        if self.attempts < 2 && !self.waits_for_sessions() && self.is_alive(&self.failed) {
            self.attempts += 1;
            if self.attempts == 1 {
                let message = format!("{} did not become read-only within {bound} ms: its sessions end", self.failed);
                self.tell(now, message);
            }
            return Next::Go(Phase::StopWrites);
        }
        let message = match self.waits_for_sessions() {
            true => format!(
                "{} could not be made read-only within {bound} ms; TakeoverSessionPolicy is wait, so no session was ended",
                self.failed
            ),
            false => format!("{} could not be made read-only, although its sessions were ended", self.failed),
        };
        Next::Go(self.roll_back(now, "read-only-failed", message))
    }

    pub(super) fn enter_await_designated(&self) -> Vec<Step> {
        let mut list = self.list();
        let designated = self.chosen.as_ref().and_then(|key| self.alive(key));
        let (Some(server), Some(old)) = (designated, self.facts.get(&self.failed)) else { return vec![] };
        if self.by_place {
            self.push_follow_to_end(&mut list, server, old);
        } else {
            let set = old.executed_gtid.clone();
            list.push(server, 1, Action::WaitForGtid { set }, "it must have all that the old primary committed");
        }
        list.push(old, 2, Action::Refresh, "has it committed more meanwhile?");
        list.finish()
    }

    pub(super) fn judge_await_designated(&mut self, now: DateTime<Utc>) -> Next {
        let (old, new) = self.positions_of_both();
        let frozen = self.alive(&self.failed).is_none_or(|s| s.read_only);
        if let (Some(old), Some(new), true) = (&old, &new, frozen)
            && new.covers(old)
        {
            self.attempts = 0;
            self.note_ends();
            self.tell(
                now,
                format!("the designated server has executed all of it: {}", old.to_string().replace('\n', "")),
            );
            return Next::Go(Phase::TakeOver);
        }
        self.attempts = self.attempts.saturating_add(1);
        if frozen && new.is_some() && self.attempts < MAX_WAITS && !self.ended_badly() {
            self.tell(now, "the old primary committed more meanwhile; waiting again");
            return Next::Go(Phase::AwaitDesignated);
        }
        let message = "the designated server did not catch up in time";
        Next::Go(self.roll_back(now, "catch-up-failed", message))
    }

    /// How far the old primary and the designated one are, in the measure by which they are compared.
    fn positions_of_both(&self) -> (Option<GtidPosition>, Option<GtidPosition>) {
        let (old, new) = (self.facts.get(&self.failed), self.chosen.as_ref().and_then(|key| self.alive(key)));
        if self.by_place {
            let new = new.filter(|server| server.replication.source == self.failed);
            return (
                old.map(|server| GtidPosition::Place(server.binlog.clone())),
                new.map(|server| GtidPosition::Place(server.replication.exec.clone())),
            );
        }
        let position = |server: Option<&Instance>| server.and_then(|s| GtidPosition::executed_by(s).ok());
        (position(old), position(new))
    }

    // New primary

    pub(super) fn judge_take_over(&mut self, now: DateTime<Utc>) -> Next {
        let Some(chosen) = self.chosen.clone() else {
            return Next::Go(self.roll_back(now, "defect", "nobody designated"));
        };
        if self.is_primary_now(&chosen) {
            self.promoted = true;
            self.attempts = 0;
            self.tell(now, format!("{chosen} takes writes"));
            return Next::Go(Phase::Demote);
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts < 3 {
            return Next::Go(Phase::TakeOver);
        }
        if !self.is_alive(&chosen) {
            self.fence.insert(chosen.clone());
            if self.siblings().iter().any(|s| self.holds_more_than_old(s)) {
                return Next::Go(self.become_recovery(&chosen, now));
            }
        }
        let message = format!("{chosen} could not be made the primary");
        Next::Go(self.roll_back(now, "promotion-failed", message))
    }

    /// A replica below the designated one has writes that the old primary has not: the designated one took writes before it was lost.
    fn holds_more_than_old(&self, sibling: &Instance) -> bool {
        let old = self.facts.get(&self.failed).and_then(|s| GtidPosition::executed_by(s).ok());
        let theirs = GtidPosition::held_by(sibling).ok();
        let below = self.chosen.as_ref() == Some(&sibling.replication.source);
        match (old, theirs) {
            (Some(old), Some(theirs)) => below && sibling.errant_gtid.is_empty() && !old.covers(&theirs),
            _ => false,
        }
    }

    /// The old primary must not take writes again: a replica holds acknowledged ones that it lacks. So the replicas
    /// recover among themselves, and the old primary stays read-only.
    fn become_recovery(&mut self, lost: &InstanceKey, now: DateTime<Utc>) -> Phase {
        self.tell(
            now,
            format!("{lost} took writes before it was lost; its replicas hold them, so one of them takes over"),
        );
        self.kind = RecoveryKind::Source;
        self.takeover = None;
        self.settings.forced = true;
        self.no_way_back = true;
        self.settings.designated = None;
        self.failed_last = self.facts.get(&self.failed).cloned().map(Box::new);
        self.chosen = None;
        self.promotion_sent = false;
        self.attempts = 0;
        Phase::ReadFacts
    }

    // Old primary, as a replica

    pub(super) fn enter_demote(&self) -> Vec<Step> {
        let mut list = self.list();
        let (Some(chosen), Some(old)) = (self.chosen.clone(), self.alive(&self.failed)) else { return vec![] };
        let Some(template) = self.before(&chosen) else { return vec![] };
        if !old.read_only {
            // It was restarted meanwhile, and forgot that it is none to write to.
            Self::push_fence(&mut list, old);
            return list.finish();
        }
        if self.writes_of_its_own(old, &chosen).is_some() {
            return vec![];
        }
        let first_try = self.attempts == 0;
        if first_try && old.semi_sync.source_enabled {
            list.push(old, DEMOTE, Action::SetSemiSyncSource { on: false }, "a replica waits for nobody");
        }
        if first_try && template.semi_sync_replica && !old.semi_sync.replica_enabled {
            list.push(old, DEMOTE, Action::SetSemiSyncReplica { on: true }, "it acknowledges, as the new primary did");
        }
        self.push_siblings_by_place(&mut list, old, &chosen);
        if old.replication.source != chosen {
            let positioning = match positioning_of(&template.channel) {
                // It holds writes of its own, which only its current position tells.
                Some(Positioning::MariaDbGtid { .. }) => Positioning::MariaDbGtid { using: "current_pos".to_owned() },
                Some(other) => other,
                None => match self.chosen_end.clone().filter(|_| self.by_place) {
                    Some(at) => Positioning::Coordinates { at },
                    None => return list.finish(),
                },
            };
            let action = Action::ChangeSource { to: chosen.clone(), positioning };
            list.push_with(old, &template.channel, DEMOTE + 1, action, "the old primary becomes a replica");
        }
        if self.starts_old() && !old.replication.is_running() {
            list.push(old, DEMOTE + 2, Action::StartReplication, "the old primary follows the new one");
        }
        let mut expect = vec![Condition::SourceIs { source: chosen }, Condition::ReadOnly { on: true }];
        if self.starts_old() {
            expect.push(Condition::ReceiverRunning { running: true });
        }
        list.push(old, DEMOTE + 3, Action::Verify { expect }, "what was done is read back");
        list.finish()
    }

    /// What the old primary committed after the look at its position, and the new one will never have.
    fn writes_of_its_own(&self, old: &Instance, chosen: &InstanceKey) -> Option<String> {
        if self.by_place {
            let end = self.old_end.as_ref().filter(|_| !old.is_replica())?;
            return (old.binlog != *end).then(|| format!("from {end} to {}", old.binlog));
        }
        let position = |server: &Instance| GtidPosition::executed_by(server).ok();
        let (own, new) = (position(old)?, self.alive(chosen).and_then(position)?);
        let follows = old.replication.source == *chosen;
        (!follows && !new.covers(&own)).then(|| missing(&own, &new))
    }

    fn starts_old(&self) -> bool {
        self.takeover.as_ref().is_some_and(|t| t.auto)
    }

    pub(super) fn judge_demote(&mut self, now: DateTime<Utc>) -> Next {
        let Some(chosen) = self.chosen.clone() else { return Next::Finish };
        let follows = self.alive(&self.failed).is_some_and(|s| {
            s.replication.source == chosen && (!self.starts_old() || s.replication.receiver.is_running())
        });
        if follows {
            let state = if self.starts_old() { "replicates" } else { "is set up to replicate, and not started" };
            self.tell(now, format!("the old primary {} {state} from {chosen}", self.failed));
            self.account_for_siblings(now);
            return Next::Go(Phase::Acknowledge);
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts < 3 && self.is_alive(&self.failed) {
            return Next::Go(Phase::Demote);
        }
        let failed = self.failed.clone();
        self.fence.insert(failed.clone());
        let own = self.alive(&failed).and_then(|old| self.writes_of_its_own(old, &chosen));
        let reason = match own {
            Some(own) => format!("it wrote {own} after {chosen} had taken over, so it cannot be its replica"),
            None => "it could not be made a replica of the new primary".to_owned(),
        };
        self.tell(now, format!("{failed}: {reason}"));
        self.lose(&failed, reason);
        self.account_for_siblings(now);
        Next::Go(Phase::Acknowledge)
    }

    pub(super) fn takeover_after_interruption(&mut self, now: DateTime<Utc>) -> Option<Phase> {
        let chosen = self.chosen.clone()?;
        if !self.is_primary_now(&chosen) {
            return None;
        }
        if !self.promoted {
            self.tell(now, format!("{chosen} takes writes already"));
        }
        self.promoted = true;
        self.attempts = 0;
        Some(Phase::Demote)
    }
}
