//! A dead intermediate source: its replicas find another source in the tree, which is alive (`spec/recovery.md` 5).
//!
//! Order of new sources: a sibling of the dead server in its data centre, a sibling elsewhere, the dead server's own source. Every replica
//! gets the first that it can follow. Nothing is promoted, so nothing can be lost: the primary has it all.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::finding::AnalysisCode;
use app::plan::Step;
use app::topology::{Instance, PromotionRule, Snapshot};
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::state::{Next, Phase, positioning_of};
use crate::candidate::can_follow;
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
        let served = self
            .orphans()
            .filter_map(|k| self.alive(k))
            .find(|r| r.replication.source == self.failed && r.replication.receiver.is_running());
        if let (Some(replica), false) = (served, self.settings.forced) {
            let message = format!("{} still receives from {}: only we cannot see it", replica.key, self.failed);
            return Next::Go(self.roll_back(now, "source-serves", message));
        }
        if !self.orphans().any(|key| self.is_alive(key)) {
            let message = format!("none of the replicas of {} can be reached", self.failed);
            return Next::Go(self.roll_back(now, "no-reachable-replica", message));
        }
        let places = self.places();
        self.explain_places(&places);
        if places.is_empty() {
            let message =
                format!("no server of the tree can take the replicas of {}; nothing has been changed", self.failed);
            return Next::Go(self.roll_back(now, "no-candidate", message));
        }
        self.chosen = most_used(places.values());
        if let Some(chosen) = self.chosen.clone() {
            self.tell(now, format!("{chosen} takes the replicas of {}", self.failed));
        }
        Next::Go(Phase::Rehang)
    }

    /// New sources in the order of preference, with a reason each.
    fn new_sources(&self) -> Vec<&Instance> {
        let Some(last) = self.failed_last.as_deref() else { return vec![] };
        let above = &last.replication.source;
        let orphans: Vec<&InstanceKey> = self.orphans().collect();
        let usable = |s: &&Instance| s.key != *above && !orphans.contains(&&s.key) && self.sibling_veto(s).is_none();
        let mut siblings: Vec<&Instance> = self.alive_replicas().filter(usable).collect();
        siblings.sort_by_key(|s| {
            let elsewhere = s.data_center != last.data_center || s.environment != last.environment;
            let preferred = self.rule_of(&s.key) <= PromotionRule::Prefer;
            (s.data_center != last.data_center, !preferred, elsewhere, s.lag.unwrap_or(i64::MAX), s.key.clone())
        });
        siblings.extend(self.alive(above));
        siblings
    }

    fn rule_of(&self, key: &InstanceKey) -> PromotionRule {
        self.participants.get(key).map(|p| p.rule).unwrap_or_default()
    }

    /// Why a sibling takes no replicas (`spec/recovery.md` 5.2).
    fn sibling_veto(&self, sibling: &Instance) -> Option<String> {
        let filtered = self.failed_last.as_ref().is_some_and(|l| l.replication.has_filters);
        if !sibling.can_feed_replicas() {
            Some("it does not log what it applies".to_owned())
        } else if !sibling.replication.is_running() {
            Some("it does not replicate".to_owned())
        } else if self.rule_of(&sibling.key) == PromotionRule::MustNot {
            Some("its promotion rule is must_not".to_owned())
        } else if self.settings.choice.ignoring(&sibling.key).is_some() {
            Some("it matches PromotionIgnoreHostnameFilters".to_owned())
        } else if sibling.replication.has_filters != filtered {
            Some("its replication filters are not those of the dead server".to_owned())
        } else {
            None
        }
    }

    /// The new source of each reachable replica; replicas that nobody can take are missing.
    fn places(&self) -> BTreeMap<InstanceKey, InstanceKey> {
        let sources = self.new_sources();
        let place = |key: &InstanceKey| {
            let replica = self.alive(key)?;
            if replica.replication.source != self.failed {
                return Some((key.clone(), replica.replication.source.clone()));
            }
            // MariaDB replicas wait for their new source before they are repointed, so how far it is now does not matter.
            let fits = |s: &&&Instance| can_follow(replica, s, None, &self.settings.choice).is_ok();
            sources.iter().find(fits).map(|source| (key.clone(), source.key.clone()))
        };
        self.orphans().filter_map(place).collect()
    }

    fn explain_places(&mut self, places: &BTreeMap<InstanceKey, InstanceKey>) {
        let chosen = most_used(places.values());
        let mut considered = vec![];
        for (n, source) in self.new_sources().iter().enumerate() {
            let takes = places.values().filter(|p| **p == source.key).count();
            let reason = match (takes, n) {
                (0, _) => "could take them, but comes after the chosen one".to_owned(),
                (takes, _) => format!("takes {takes} replicas"),
            };
            let is_chosen = chosen.as_ref() == Some(&source.key);
            considered.push(app::recovery::Considered { key: source.key.clone(), chosen: is_chosen, reason });
        }
        let orphans: Vec<InstanceKey> = self.orphans().cloned().collect();
        for sibling in self.alive_replicas().filter(|s| !orphans.contains(&s.key)) {
            if let (Some(reason), false) = (self.sibling_veto(sibling), considered.iter().any(|c| c.key == sibling.key))
            {
                considered.push(app::recovery::Considered { key: sibling.key.clone(), chosen: false, reason });
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
            let Some(positioning) = positioning_of(&replica.replication) else { continue };
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
        if self.attempts == 0 && self.ended_badly() && orphans.iter().any(|key| self.is_stuck(key)) {
            // The applier of a replica may be broken for reasons of its own: move it all the same.
            self.attempts = 1;
            self.tell(now, "some replicas did not move; trying once more without waiting for their appliers");
            return Next::Go(Phase::Rehang);
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
                Some(_) => self.lose(key, "it could not be moved and is still below the dead server".to_owned()),
                None => {
                    let reason = format!("it cannot be reached: {}", self.trouble_of(key));
                    self.lose(key, reason);
                }
            }
        }
        self.chosen = most_used(moved.iter());
        if moved.is_empty() {
            let message = format!("none of the replicas of {} could be moved", self.failed);
            return Next::Go(self.roll_back(now, "promotion-failed", message));
        }
        self.tell(now, format!("{} of {} replicas have a new source", moved.len(), orphans.len()));
        Next::Finish
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
