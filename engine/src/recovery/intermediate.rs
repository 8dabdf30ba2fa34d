//! A dead intermediate source: its replicas find another source in the tree, which is alive (`spec/recovery.md` 5).
//!
//! Order of new places: a sibling of the dead server in its data centre; one of the replicas itself, below which the others gather
//! once it has a place; a sibling elsewhere; the dead server's own source. Every replica gets the first that it can follow, so one
//! that cannot does not hold up the others. Nothing is promoted, so nothing can be lost: the primary has it all.
//!
//! A dead group member's replicas go the same way, with the other members as places (`group.rs`).

use std::collections::BTreeMap;

use app::InstanceKey;
use app::finding::AnalysisCode;
use app::plan::{Positioning, Step};
use app::recovery::{Considered, RecoveryKind};
use app::rules::can_replicate_from;
use app::topology::{Instance, PromotionRule, Snapshot};
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::regrouping::Regrouping;
use super::state::{Next, Phase, positioning_of};
use crate::candidate::{Survey, Veto, can_follow, gap, rule_settings};
use crate::plan::{StepList, Threads, move_replica};

impl Machine {
    /// The dead server's siblings and source take part as possible new sources.
    pub(super) fn add_tree(&mut self, snapshot: &Snapshot) {
        let Some(above) = snapshot.get(&self.failed).map(|i| i.replication.source.clone()) else { return };
        let siblings: Vec<InstanceKey> = snapshot
            .replicas_of(&above)
            .filter(|s| s.key != self.failed && s.replication.source == above)
            .map(|s| s.key.clone())
            .collect();
        for key in siblings.iter().chain(snapshot.get(&above).map(|s| &s.key)) {
            if !self.participants.contains_key(key) {
                self.add(snapshot, key);
            }
        }
    }

    /// Replicas of the dead server when the recovery began.
    fn orphans(&self) -> impl Iterator<Item = &InstanceKey> {
        let is_orphan = |key: &InstanceKey| {
            let first = self.before(key).map(|b| &b.channel.source);
            first.or_else(|| self.facts.get(key).map(|s| &s.replication.source)) == Some(&self.failed)
        };
        self.participants.keys().filter(move |key| is_orphan(key))
    }

    pub(super) fn judge_tree(&mut self, now: DateTime<Utc>) -> Next {
        // With this code the server answers us and not its replicas.
        let may_answer = self.code == Some(AnalysisCode::AllIntermediateSourceReplicasFailingToConnectOrDead);
        if self.is_alive(&self.failed) && !may_answer && !self.settings.forced {
            let message = format!("{} answers: it serves, or serves again", self.failed);
            return Next::Go(self.roll_back(now, "source-serves", message));
        }
        let served = self.orphans().filter_map(|k| self.alive(k)).find(|r| self.receives_from_failed(r));
        if let (Some(replica), false) = (served, self.settings.forced) {
            let message = format!("{} still receives from {}: only we cannot see it", replica.key, self.failed);
            return Next::Go(self.roll_back(now, "source-serves", message));
        }
        if !self.orphans().any(|key| self.is_alive(key)) {
            let message = format!("none of the replicas of {} can be reached", self.failed);
            return Next::Go(self.roll_back(now, "no-reachable-replica", message));
        }
        let orphans = || self.orphans().filter_map(|k| self.alive(k));
        let regrouping = Regrouping::of(orphans());
        let refusal = regrouping.refusal_below_intermediate(orphans());
        self.by_place = regrouping == Regrouping::Position;
        if let Some(message) = refusal {
            return Next::Go(self.roll_back(now, "needs-position-matching", message));
        }
        self.leader = self.best_leader();
        let places = self.places();
        self.explain_places(&places);
        if places.is_empty() {
            let message =
                format!("no server of the tree can take the replicas of {}; nothing has been changed", self.failed);
            return Next::Go(self.roll_back(now, "no-candidate", message));
        }
        self.chosen = self.leader.clone().or_else(|| most_used(places.values()));
        if let Some(chosen) = self.chosen.clone() {
            self.tell(now, format!("{chosen} takes the replicas of {}", self.failed));
        }
        self.attempts = 0;
        Next::Go(Phase::Rehang)
    }

    /// New sources that come first: siblings in the dead server's data centre, or the other members of its group.
    fn near_sources(&self) -> Vec<&Instance> {
        if self.kind == RecoveryKind::GroupMember {
            return self.group_sources();
        }
        self.siblings_of_dead(true)
    }

    /// New sources that come last: siblings elsewhere, and the dead server's own source.
    fn far_sources(&self) -> Vec<&Instance> {
        if self.kind == RecoveryKind::GroupMember {
            return vec![];
        }
        let mut sources = self.siblings_of_dead(false);
        sources.extend(self.failed_last.as_ref().and_then(|last| self.alive(&last.replication.source)));
        sources
    }

    /// Siblings of the dead server that can take replicas, in its data centre or elsewhere, best first (`spec/recovery.md` 5.2).
    fn siblings_of_dead(&self, near: bool) -> Vec<&Instance> {
        let Some(last) = self.failed_last.as_deref() else { return vec![] };
        let above = &last.replication.source;
        let orphans: Vec<&InstanceKey> = self.orphans().collect();
        let usable = |s: &&Instance| {
            let here = s.data_center == last.data_center;
            here == near && s.key != *above && !orphans.contains(&&s.key) && self.sibling_veto(s).is_none()
        };
        let mut siblings: Vec<&Instance> = self.alive_replicas().filter(usable).collect();
        siblings.sort_by_key(|s| {
            let preferred = self.rule_of(&s.key) <= PromotionRule::Prefer;
            let elsewhere = s.environment != last.environment;
            (!preferred, elsewhere, s.lag.unwrap_or(i64::MAX), s.key.clone())
        });
        siblings
    }

    /// Can follow it. MariaDB replicas wait for their new source before they are repointed, so how far it is now does not matter.
    fn fits(&self, replica: &Instance, source: &Instance) -> bool {
        if self.by_place {
            // Their places are in different logs: pseudo-GTID or nothing.
            let allowed = can_replicate_from(replica, source, &rule_settings(&self.settings.choice)).is_ok();
            return allowed && replica.uses_pseudo_gtid && source.uses_pseudo_gtid;
        }
        can_follow(replica, source, None, &self.settings.choice).is_ok()
    }

    fn first_fit(&self, replica: &Instance, sources: &[&Instance]) -> Option<InstanceKey> {
        sources.iter().find(|source| self.fits(replica, source)).map(|source| source.key.clone())
    }

    /// Replicas that are still below the dead server, and have no place near it.
    fn without_near_place(&self) -> Vec<&Instance> {
        let near = self.near_sources();
        let stuck = self.orphans().filter_map(|key| self.alive(key)).filter(|r| r.replication.source == self.failed);
        stuck.filter(|r| self.first_fit(r, &near).is_none()).collect()
    }

    /// The replica below which the others gather: of those that have a place themselves, the one that most of the others can follow, in
    /// the dead server's data centre, most advanced. `None` when nobody would follow.
    fn best_leader(&self) -> Option<InstanceKey> {
        if self.kind != RecoveryKind::IntermediateSource || self.by_place {
            return None;
        }
        let (rest, far) = (self.without_near_place(), self.far_sources());
        let survey = Survey::of(rest.iter().copied(), None);
        let last = self.failed_last.as_deref()?;
        let rank = |s: &Instance| {
            let others = rest.iter().filter(|r| r.key != s.key);
            let left_behind = others.filter(|r| !self.fits(r, s)).count();
            let behind = match (&survey.union, survey.standings.get(&s.key)) {
                (Some(all), Some(own)) => gap(all, &own.executed),
                _ => u128::MAX,
            };
            let elsewhere = (s.data_center != last.data_center, s.environment != last.environment);
            (left_behind, elsewhere, self.rule_of(&s.key), behind, s.key.clone())
        };
        let may_lead = |s: &&&Instance| {
            let wanted =
                self.rule_of(&s.key) != PromotionRule::MustNot && self.settings.choice.ignoring(&s.key).is_none();
            wanted && s.can_feed_replicas() && s.replication.delay == 0 && self.first_fit(s, &far).is_some()
        };
        let best = rest.iter().filter(may_lead).min_by_key(|s| rank(s))?;
        rest.iter().any(|r| r.key != best.key && self.fits(r, best)).then(|| best.key.clone())
    }

    fn rule_of(&self, key: &InstanceKey) -> PromotionRule {
        self.participants.get(key).map(|p| p.rule).unwrap_or_default()
    }

    /// Why a sibling takes no replicas (`spec/recovery.md` 5.2).
    fn sibling_veto(&self, sibling: &Instance) -> Option<Veto> {
        let filtered = self.failed_last.as_ref().is_some_and(|l| l.replication.has_filters);
        if !sibling.can_feed_replicas() {
            Some(Veto::new("no-log-replica-updates", "it does not log what it applies"))
        } else if !sibling.replication.is_running() {
            Some(Veto::new("not-replicating", "it does not replicate"))
        } else if self.rule_of(&sibling.key) == PromotionRule::MustNot {
            Some(Veto::new("must-not", "its promotion rule is must_not"))
        } else if self.settings.choice.ignoring(&sibling.key).is_some() {
            Some(Veto::new("promotion-ignored", "it matches PromotionIgnoreHostnameFilters"))
        } else if sibling.replication.has_filters != filtered {
            Some(Veto::new("replication-filters", "its replication filters are not those of the dead server"))
        } else {
            None
        }
    }

    /// The new source of each reachable replica; replicas that nobody can take are missing.
    fn places(&self) -> BTreeMap<InstanceKey, InstanceKey> {
        let (near, far) = (self.near_sources(), self.far_sources());
        let leader = self.leader.as_ref().and_then(|key| self.alive(key));
        let place = |key: &InstanceKey| {
            let replica = self.alive(key)?;
            if replica.replication.source != self.failed {
                return Some((key.clone(), replica.replication.source.clone()));
            }
            let gathers = || leader.filter(|l| l.key != *key && self.fits(replica, l)).map(|l| l.key.clone());
            let found = self.first_fit(replica, &near).or_else(gathers).or_else(|| self.first_fit(replica, &far))?;
            Some((key.clone(), found))
        };
        self.orphans().filter_map(place).collect()
    }

    fn explain_places(&mut self, places: &BTreeMap<InstanceKey, InstanceKey>) {
        let chosen = self.leader.clone().or_else(|| most_used(places.values()));
        let mut considered: Vec<Considered> = vec![];
        let leader = self.leader.as_ref().and_then(|key| self.alive(key));
        for source in self.near_sources().into_iter().chain(leader).chain(self.far_sources()) {
            let takes = places.values().filter(|p| **p == source.key).count();
            let (rule, reason) = match takes {
                0 => ("ranked-by-place", "could take them, but comes after the chosen one".to_owned()),
                1 => ("takes-replicas", "takes 1 replica".to_owned()),
                takes => ("takes-replicas", format!("takes {takes} replicas")),
            };
            let is_chosen = chosen.as_ref() == Some(&source.key);
            considered.push(Considered { key: source.key.clone(), chosen: is_chosen, rule: rule.to_owned(), reason });
        }
        let refusals = if self.kind == RecoveryKind::GroupMember {
            self.group_refusals()
        } else {
            let orphans: Vec<&InstanceKey> = self.orphans().collect();
            let others = self.alive_replicas().filter(|s| !orphans.contains(&&s.key));
            others.filter_map(|s| Some((s.key.clone(), self.sibling_veto(s)?))).collect()
        };
        for (key, veto) in refusals {
            if !considered.iter().any(|c| c.key == key) {
                considered.push(veto.on(&key));
            }
        }
        self.considered = considered;
    }

    pub(super) fn enter_rehang(&self) -> Vec<Step> {
        let mut list = self.list();
        for (key, to) in self.places() {
            let Some(replica) = self.alive(&key) else { continue };
            if replica.replication.source == to {
                self.push_restart(&mut list, replica);
                continue;
            }
            if self.leader.as_ref() == Some(&to) && !self.gathering {
                // The one below which it goes must have a place itself first.
                continue;
            }
            let matched = || (self.by_place && replica.uses_pseudo_gtid).then_some(Positioning::Matched);
            let Some(positioning) = positioning_of(&replica.replication).or_else(matched) else { continue };
            // As found: an interrupted attempt may have stopped it.
            let mut as_found = replica.clone();
            if let Some(before) = self.before(&key) {
                as_found.replication.receiver = before.channel.receiver;
                as_found.replication.applier = before.channel.applier;
            }
            move_replica(&mut list, &as_found, &to, &positioning, 1, self.attempts == 0);
        }
        list.finish()
    }

    /// A replica that has arrived and does not run as it did before.
    pub(super) fn push_restart(&self, list: &mut StepList<'_>, replica: &Instance) {
        let wanted = self.before(&replica.key).map(|b| b.threads());
        if let Some(threads) = wanted.filter(|t| *t != Threads::of(&replica.replication))
            && let Some(start) = threads.start()
        {
            list.push(replica, 1, start, "replication goes on");
        }
    }

    /// Reachable, and either still below the dead server or not running as before.
    fn is_stuck(&self, key: &InstanceKey) -> bool {
        let Some(server) = self.alive(key) else { return false };
        let wanted = self.before(key).map(|b| b.threads().receiver);
        server.replication.source == self.failed
            || wanted.is_some_and(|w| w != Threads::of(&server.replication).receiver)
    }

    pub(super) fn judge_rehang(&mut self, now: DateTime<Utc>) -> Next {
        let orphans: Vec<InstanceKey> = self.orphans().cloned().collect();
        let waits = |key: &InstanceKey| self.leader.is_some() && !self.gathering && self.leader.as_ref() != Some(key);
        if self.attempts == 0 && self.ended_badly() && orphans.iter().any(|key| self.is_stuck(key) && !waits(key)) {
            // The applier of a replica may be broken for reasons of its own: move it all the same.
            self.attempts = 1;
            self.tell(now, "some replicas did not move; trying once more without waiting for their appliers");
            return Next::Go(Phase::Rehang);
        }
        if let Some(next) = self.gather(now) {
            return next;
        }
        let mut moved: Vec<InstanceKey> = vec![];
        for key in &orphans {
            match self.alive(key) {
                Some(server) if server.replication.source != self.failed => {
                    let source = server.replication.source.clone();
                    if self.is_stuck(key) {
                        self.lose(key, format!("it is below {source}, and does not replicate as it did before"));
                    }
                    moved.push(source);
                }
                Some(server) => {
                    let reason = match Regrouping::of([server]).refusal_below_intermediate([server]) {
                        Some(_) => "it uses no GTID, so its place below another server cannot be found",
                        None => "it could not be moved and is still below the dead server",
                    };
                    self.lose(key, reason.to_owned());
                }
                None => {
                    let reason = format!("it cannot be reached: {}", self.trouble_of(key));
                    self.lose(key, reason);
                }
            }
        }
        self.chosen = self.leader.clone().filter(|l| moved.contains(l)).or_else(|| most_used(moved.iter()));
        if moved.is_empty() {
            let message = format!("none of the replicas of {} could be moved", self.failed);
            return Next::Go(self.roll_back(now, "promotion-failed", message));
        }
        self.tell(now, format!("{} of {} replicas have a new source", moved.len(), orphans.len()));
        Next::Finish
    }

    /// The second half where replicas gather below one of them. Those that cannot each find a place of their own.
    fn gather(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let leader = self.leader.clone()?;
        let left = |r: &&Instance| r.key != leader && r.replication.source == self.failed;
        if !self.orphans().filter_map(|key| self.alive(key)).any(|r| left(&r)) {
            return None;
        }
        let arrived = self.alive(&leader).is_some_and(|l| l.replication.source != self.failed);
        self.attempts = 0;
        if arrived && !self.gathering {
            self.gathering = true;
            self.tell(now, format!("{leader} has a new source; the others go below it"));
        } else {
            self.leader = None;
            self.gathering = false;
            self.tell(now, format!("not all could go below {leader}: the rest goes elsewhere"));
        }
        Some(Next::Go(Phase::Rehang))
    }
}

/// The most frequent, and of several the first.
fn most_used<'a>(keys: impl Iterator<Item = &'a InstanceKey>) -> Option<InstanceKey> {
    let mut counts: BTreeMap<&InstanceKey, usize> = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    let best = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == best).map(|(key, _)| key.clone())
}
