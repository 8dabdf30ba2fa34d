//! Putting back what was changed, or saying exactly what is not (`safety.md` S6).

use app::InstanceKey;
use app::plan::{Action, Condition, Positioning, Step};
use app::recovery::RecoveryKind;
use app::topology::Instance;

use super::machine::Machine;
use super::state::{Before, Next, Phase, positioning_of};
use crate::plan::{StepList, Threads};

impl Machine {
    pub(super) fn enter_roll_back(&self) -> Vec<Step> {
        let mut list = self.list();
        if self.no_way_back {
            return vec![];
        }
        let serves = self.source_serves();
        for (key, participant) in self.participants.iter().filter(|(_, p)| p.touched) {
            let (Some(server), Some(before)) = (self.alive(key), participant.before.as_deref()) else { continue };
            if *key == self.failed {
                restore_writes(&mut list, server, before);
            } else {
                restore_replica(&mut list, server, before, &self.place_before(key), serves);
                if self.keeps_semi_sync_as_found() && server.semi_sync.replica_enabled != before.semi_sync_replica {
                    let action = Action::SetSemiSyncReplica { on: before.semi_sync_replica };
                    list.push(server, 1, action, "as it was found");
                }
            }
        }
        list.finish()
    }

    pub(super) fn judge_roll_back(&mut self) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        let again = self.attempts < 2 && self.ended_badly() && self.differing().iter().any(|key| self.is_alive(key));
        if again { Next::Go(self.phase.clone()) } else { Next::Abort }
    }

    /// A replica that was told to acknowledge because its source is locked goes on doing it: the source would be locked again.
    fn keeps_semi_sync_as_found(&self) -> bool {
        self.kind != RecoveryKind::SemiSync
    }

    /// The source answers, or its replicas have shown that it serves out of our sight: what they lose they get again.
    fn source_serves(&self) -> bool {
        self.is_alive(&self.failed) || matches!(&self.phase, Phase::RollBack { code, .. } if code == "source-serves")
    }

    fn differing(&self) -> Vec<InstanceKey> {
        self.participants.keys().filter(|key| self.difference(key).is_some()).cloned().collect()
    }

    /// One sentence for each server that is not as it was found.
    pub(super) fn what_is_changed(&self) -> Vec<String> {
        self.participants.keys().filter_map(|key| self.difference(key)).collect()
    }

    fn difference(&self, key: &InstanceKey) -> Option<String> {
        let participant = self.participants.get(key).filter(|p| p.touched)?;
        let before = participant.before.as_deref()?;
        let Some(server) = self.alive(key) else {
            let promoted = if self.fence.contains(key) && *key != self.failed {
                "; it may have become the primary and taken writes: it is fenced on sight"
            } else {
                ""
            };
            return Some(format!(
                "{key} cannot be reached ({}): its replication may be stopped or repointed; it was found below {}{promoted}",
                self.trouble_of(key),
                name(&before.channel.source)
            ));
        };
        if server.replication.source != before.channel.source {
            let (is, was) = (&server.replication.source, &before.channel.source);
            return Some(format!("{key} replicates from {}, and did from {}", name(is), name(was)));
        }
        if server.read_only != before.read_only {
            let state = if server.read_only { "read-only" } else { "writeable" };
            return Some(format!("{key} is {state}, and was not"));
        }
        if server.semi_sync.replica_enabled != before.semi_sync_replica {
            let state = if server.semi_sync.replica_enabled { "acknowledges" } else { "does not acknowledge" };
            return Some(format!("{key} {state} writes, unlike before"));
        }
        let (now, then) = (Threads::of(&server.replication), before.threads());
        let running = |runs: bool| if runs { "running" } else { "stopped" };
        if now.receiver != then.receiver {
            return Some(format!("the receiver of {key} is {}, and was not", running(now.receiver)));
        }
        (now.applier != then.applier).then(|| format!("the applier of {key} is {}, and was not", running(now.applier)))
    }
}

fn name(key: &InstanceKey) -> String {
    if key.is_null() { "nobody".to_owned() } else { key.to_string() }
}

/// Writes come back last, when nobody else can be writable any more.
fn restore_writes(list: &mut StepList<'_>, server: &Instance, before: &Before) {
    if server.read_only != before.read_only || server.super_read_only.is_some_and(|s| s != before.super_read_only) {
        let action = Action::SetReadOnly { on: before.read_only, super_too: before.super_read_only };
        list.push(server, 5, action, "as it was found");
    }
}

/// `place` is where it was, for a replica without GTID.
fn restore_replica(
    list: &mut StepList<'_>,
    server: &Instance,
    before: &Before,
    place: &Positioning,
    source_serves: bool,
) {
    if server.read_only != before.read_only {
        let action = Action::SetReadOnly { on: before.read_only, super_too: before.super_read_only };
        list.push(server, 1, action, "as it was found");
    }
    if server.semi_sync.source_enabled != before.semi_sync_source {
        let action = Action::SetSemiSyncSource { on: before.semi_sync_source };
        list.push(server, 1, action, "as it was found");
    }
    let wanted = before.threads();
    if server.replication.source != before.channel.source {
        if server.is_replica() && !server.replication.threads_stopped() {
            list.push(server, 1, Action::StopReplication, "it goes back to its source");
        }
        let positioning = positioning_of(&before.channel).unwrap_or_else(|| place.clone());
        let action = Action::ChangeSource { to: before.channel.source.clone(), positioning };
        list.push_with(server, &before.channel, 2, action, "it goes back to its source");
        if let Some(start) = wanted.start() {
            list.push(server, 3, start, "as it was found");
        }
        return;
    }
    let now = Threads::of(&server.replication);
    if would_lose_relay_log(server) && !source_serves {
        // What is in its relay log nobody else may have. Draining is the one way to start it that keeps it; one
        // whose applier was found stopped is left alone, and `difference` tells of its receiver.
        if wanted.applier {
            list.push(server, 3, Action::Drain, "what it received is kept");
            if wanted.receiver {
                list.push(server, 4, Action::StartReceiver, "as it was found");
            }
        }
        return;
    }
    if now.receiver != wanted.receiver {
        let action = if wanted.receiver { Action::StartReceiver } else { Action::StopReceiver };
        list.push(server, 3, action, "as it was found");
    }
    if now.applier != wanted.applier {
        let action = if wanted.applier { Action::StartApplier } else { Action::StopApplier };
        list.push(server, 3, action, "as it was found");
    }
}

/// A MariaDB replica in GTID mode with both threads stopped throws its relay log away when either is started
/// (`safety.md`; tried on 10.11). That matters while the log holds what is not applied.
fn would_lose_relay_log(server: &Instance) -> bool {
    server.is_mariadb()
        && server.replication.uses_mariadb_gtid()
        && server.replication.threads_stopped()
        && crate::plan::check(server, &Condition::RelayLogApplied).is_err()
}

#[cfg(test)]
mod tests {
    use app::topology::{Replication, ThreadState};

    use super::*;
    use crate::plan::Timeouts;

    fn replica(retrieved: &str) -> Instance {
        Instance {
            key: InstanceKey::new("db2", 3306),
            version: "10.11.6-MariaDB".into(),
            executed_gtid: "0-1-8".into(),
            replication: Replication {
                source: InstanceKey::new("db1", 3306),
                mariadb_using_gtid: "Slave_Pos".into(),
                receiver: ThreadState::Stopped,
                applier: ThreadState::Stopped,
                retrieved_gtid: retrieved.into(),
                ..Replication::default()
            },
            ..Instance::default()
        }
    }

    fn actions(server: &Instance, applier: ThreadState, source_alive: bool) -> Vec<Action> {
        let mut found = server.clone();
        found.replication.receiver = ThreadState::Running;
        found.replication.applier = applier;
        let timeouts = Timeouts::default();
        let mut list = StepList::new(1, &timeouts);
        restore_replica(&mut list, server, &Before::of(&found), &Positioning::AsBefore, source_alive);
        list.finish().into_iter().map(|step| step.action).collect()
    }

    #[test]
    fn a_relay_log_that_nobody_else_may_have_is_not_thrown_away_by_putting_back() {
        let undrained = replica("0-1-9");
        let drained = replica("0-1-8");
        let (running, stopped) = (ThreadState::Running, ThreadState::Stopped);
        assert_eq!(actions(&undrained, stopped, false), [], "left alone");
        assert_eq!(actions(&undrained, running, false), [Action::Drain, Action::StartReceiver]);
        assert_eq!(actions(&undrained, stopped, true), [Action::StartReceiver], "its source still has everything");
        assert_eq!(actions(&drained, stopped, false), [Action::StartReceiver], "nothing to lose");
    }
}
