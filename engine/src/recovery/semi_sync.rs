//! A source that waits for acknowledgements it does not get, or gets from more replicas than it should (`spec/recovery.md` 3.10).
//!
//! Two modes. *Enough*: replicas are told to acknowledge, best first, until the source has as many as it waits for; nobody is told
//! to stop. *Exact* (`EnforceExactSemiSyncReplicas`): the best ones acknowledge, and nobody else. Best is the larger priority
//! (`DetectSemiSyncEnforcedQuery`; 0 never acknowledges), then the better promotion rule, then the name.
//!
//! Unlike the original: how many are wanted is reckoned anew from a fresh read each time, a replica that cannot be switched is replaced by
//! the next, nobody is told to stop as long as fewer would be left than the source waits for, and success is what the source says.

use std::cmp::Reverse;

use app::InstanceKey;
use app::finding::AnalysisCode;
use app::plan::{Action, Condition, Step};
use app::recovery::Considered;
use app::topology::Instance;
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::state::{Next, Phase};
use crate::plan::{StepList, Threads};

/// How often the switches are planned anew with other replicas.
const MAX_TRIES: u32 = 3;

/// Phases of one switch; those who stop acknowledging come after all who begin, so that the source is not locked on the way.
const BEGIN: u32 = 1;
const STOP: u32 = 11;
const LOOK: u32 = 21;

/// Who is to be switched.
#[derive(Debug, Default)]
struct Switches {
    on: Vec<InstanceKey>,
    off: Vec<InstanceKey>,
}

impl Machine {
    pub(super) fn judge_acknowledgers(&mut self, now: DateTime<Utc>) -> Next {
        let failed = self.failed.clone();
        let Some(source) = self.alive(&failed).cloned() else {
            let message =
                format!("{failed} cannot be reached ({}): a dead source is another recovery", self.trouble_of(&failed));
            return Next::Go(self.roll_back(now, "out-of-sight", message));
        };
        let (has, wants) = (source.semi_sync.source_clients, source.semi_sync.source_wait_for);
        if !self.is_off_balance(&source) {
            if !self.left_stopped().is_empty() && self.attempts < MAX_TRIES {
                return Next::Go(Phase::SwitchAcknowledgers);
            }
            self.tell_of_stopped(now);
            return self.nothing_left(now, &format!("{failed} has {has} semi-sync replicas and waits for {wants}"));
        }
        let switches = self.switches(&source);
        self.explain_acknowledgers(&switches);
        if switches.on.is_empty() && switches.off.is_empty() {
            let message = format!(
                "{failed} has {has} semi-sync replicas and waits for {wants}, and no replica can be switched for it"
            );
            return Next::Go(self.roll_back(now, "no-candidate", message));
        }
        self.tell(now, format!("{failed} has {has} semi-sync replicas and waits for {wants}: {}", switches.in_words()));
        Next::Go(Phase::SwitchAcknowledgers)
    }

    /// A replica that acknowledges too much is a problem only where the number is to be exact.
    fn is_exact(&self) -> bool {
        self.settings.exact_semi_sync || self.code == Some(AnalysisCode::SourceWithTooManySemiSyncReplicas)
    }

    fn is_off_balance(&self, source: &Instance) -> bool {
        let semi_sync = &source.semi_sync;
        let waits = semi_sync.source_enabled && semi_sync.source_active && semi_sync.source_wait_for > 0;
        let (has, wants) = (semi_sync.source_clients, semi_sync.source_wait_for);
        waits && (has < wants || (self.is_exact() && has > wants))
    }

    /// Replicas that may be switched: reachable, replicating in full but for what this recovery stopped, and not failed at before.
    fn switchable(&self) -> Vec<&Instance> {
        let failed_at = |key: &InstanceKey| self.participants.get(key).is_some_and(|p| p.banned.is_some());
        let able = |s: &&Instance| {
            let runs = s.replication.is_running() || (self.was_touched(&s.key) && self.ran_as_found(&s.key));
            s.replication.source == self.failed && runs && s.semi_sync.available && !failed_at(&s.key)
        };
        let mut replicas: Vec<&Instance> = self.alive_replicas().filter(able).collect();
        let rule = |key: &InstanceKey| self.participants.get(key).map(|p| p.rule).unwrap_or_default();
        replicas.sort_by_key(|s| (Reverse(s.semi_sync.priority), rule(&s.key), s.key.to_string()));
        replicas
    }

    fn switches(&self, source: &Instance) -> Switches {
        let switchable = self.switchable();
        let (possible, never): (Vec<&Instance>, Vec<&Instance>) =
            switchable.into_iter().partition(|s| s.semi_sync.priority > 0);
        let semi_sync = &source.semi_sync;
        let wants = usize::try_from(semi_sync.source_wait_for).unwrap_or(usize::MAX);
        let keys = |servers: Vec<&Instance>| servers.into_iter().map(|s| s.key.clone()).collect();
        if !self.is_exact() {
            let lacks = semi_sync.source_wait_for.saturating_sub(semi_sync.source_clients);
            let lacks = usize::try_from(lacks).unwrap_or(usize::MAX);
            let on = possible.into_iter().filter(|s| !acknowledges(s)).take(lacks).collect();
            return Switches { on: keys(on), off: vec![] };
        }
        let (chosen, spare) = possible.split_at(wants.min(possible.len()));
        let on = chosen.iter().copied().filter(|s| !acknowledges(s)).collect();
        // With too few of the wanted ones, whoever acknowledges now keeps the source from being locked.
        let may_stop = chosen.len() >= wants;
        let told_to = spare.iter().copied().chain(never).filter(|s| may_stop && s.semi_sync.replica_enabled).collect();
        Switches { on: keys(on), off: keys(told_to) }
    }

    fn explain_acknowledgers(&mut self, switches: &Switches) {
        let reason = |server: &Instance| {
            let priority = server.semi_sync.priority;
            if switches.on.contains(&server.key) {
                format!("begins to acknowledge (priority {priority})")
            } else if switches.off.contains(&server.key) {
                format!("stops acknowledging (priority {priority})")
            } else if !server.semi_sync.available {
                "has no semi-sync".to_owned()
            } else if !server.replication.is_running() {
                "does not replicate".to_owned()
            } else if priority == 0 && !server.semi_sync.replica_enabled {
                "never acknowledges: its priority is 0".to_owned()
            } else if server.semi_sync.replica_enabled {
                format!("goes on acknowledging (priority {priority})")
            } else {
                format!("is not needed (priority {priority})")
            }
        };
        let mut considered: Vec<Considered> = vec![];
        for (key, participant) in self.participants.iter().filter(|(key, _)| **key != self.failed) {
            let (rule, reason) = match (self.alive(key), &participant.banned) {
                (None, _) => ("unreachable", format!("it cannot be reached: {}", self.trouble_of(key))),
                (_, Some(why)) => ("set-aside", why.clone()),
                (Some(server), None) => ("acknowledges", reason(server)),
            };
            let chosen = switches.on.contains(key);
            considered.push(Considered { key: key.clone(), chosen, rule: rule.to_owned(), reason });
        }
        self.considered = considered;
    }

    pub(super) fn enter_switch_acknowledgers(&self) -> Vec<Step> {
        let Some(source) = self.alive(&self.failed) else { return vec![] };
        let switches = self.switches(source);
        let mut list = self.list();
        for replica in self.switchable().into_iter().filter(|r| r.semi_sync.priority > 0) {
            if replica.semi_sync.source_enabled {
                let action = Action::SetSemiSyncSource { on: false };
                list.push(replica, BEGIN, action, "a replica waits for nobody");
            }
        }
        // Those that are switched are started for it.
        let is_switched = |key: &&InstanceKey| switches.on.contains(*key) || switches.off.contains(*key);
        for replica in self.left_stopped().iter().filter(|key| !is_switched(key)).filter_map(|key| self.alive(key)) {
            push_start(&mut list, replica, BEGIN + 3);
        }
        for replica in switches.on.iter().filter_map(|key| self.alive(key)) {
            push_switch(&mut list, replica, true, BEGIN);
        }
        for replica in switches.off.iter().filter_map(|key| self.alive(key)) {
            push_switch(&mut list, replica, false, STOP);
        }
        let expect = vec![self.balance(source)];
        list.push(source, LOOK, Action::Verify { expect }, "has it as many as it waits for?");
        list.finish()
    }

    /// What the source shall say afterwards.
    fn balance(&self, source: &Instance) -> Condition {
        let wants = source.semi_sync.source_wait_for;
        Condition::Acknowledgers { at_least: wants, at_most: self.is_exact().then_some(wants) }
    }

    pub(super) fn judge_switch_acknowledgers(&mut self, now: DateTime<Utc>) -> Next {
        let failed = self.failed.clone();
        let balanced = self.alive(&failed).is_some_and(|source| !self.is_off_balance(source));
        let stopped = self.left_stopped();
        if balanced && !stopped.is_empty() && self.attempts.saturating_add(1) < MAX_TRIES {
            self.attempts = self.attempts.saturating_add(1);
            self.tell(
                now,
                format!("{failed} has as many as it waits for; a receiver that was stopped for it is started again"),
            );
            return Next::Go(Phase::SwitchAcknowledgers);
        }
        if balanced {
            self.tell_of_stopped(now);
            let clients = self.alive(&failed).map_or(0, |s| s.semi_sync.source_clients);
            self.tell(now, format!("{failed} has {clients} semi-sync replicas now"));
            self.chosen = Some(failed);
            return Next::Finish;
        }
        let stuck: Vec<InstanceKey> = match self.alive(&failed).cloned() {
            Some(source) => {
                let switches = self.switches(&source);
                switches.on.into_iter().chain(switches.off).filter(|key| self.was_touched(key)).collect()
            }
            None => vec![],
        };
        for key in &stuck {
            self.ban(key, "it was told, and does not do it".to_owned());
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts < MAX_TRIES {
            self.tell(now, format!("{failed} has not as many semi-sync replicas as it waits for: looking again"));
            return Next::Go(Phase::ReadAcknowledgers);
        }
        let message = format!("{failed} still has not as many semi-sync replicas as it waits for");
        Next::Go(self.roll_back(now, "promotion-failed", message))
    }

    /// Replicas whose receiver this recovery stopped, and which do not receive again: an answer was lost, or the start failed.
    fn left_stopped(&self) -> Vec<InstanceKey> {
        let ran = |key: &InstanceKey| self.before(key).is_some_and(|b| b.threads().receiver);
        let is_left = |s: &&Instance| {
            let below = s.replication.source == self.failed;
            below && self.was_touched(&s.key) && ran(&s.key) && !Threads::of(&s.replication).receiver
        };
        self.alive_replicas().filter(is_left).map(|s| s.key.clone()).collect()
    }

    /// Those that would not start are named: the source was put right, and they were not.
    fn tell_of_stopped(&mut self, now: DateTime<Utc>) {
        for key in self.left_stopped() {
            let reason = "its receiver was stopped to be told whether it acknowledges, and could not be started again";
            self.tell(now, format!("{key}: {reason}"));
            self.lose(&key, reason.to_owned());
        }
    }

    fn ran_as_found(&self, key: &InstanceKey) -> bool {
        self.before(key).is_some_and(|b| b.threads() == Threads { receiver: true, applier: true })
    }

    fn was_touched(&self, key: &InstanceKey) -> bool {
        self.participants.get(key).is_some_and(|p| p.touched)
    }
}

impl Switches {
    fn in_words(&self) -> String {
        let names = |keys: &[InstanceKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (self.on.is_empty(), self.off.is_empty()) {
            (false, true) => format!("{} shall acknowledge", names(&self.on)),
            (true, false) => format!("{} shall not acknowledge", names(&self.off)),
            _ => format!("{} shall acknowledge, {} shall not", names(&self.on), names(&self.off)),
        }
    }
}

/// Switched on, and in effect: a receiver that began before the switch does not acknowledge yet.
fn acknowledges(replica: &Instance) -> bool {
    replica.semi_sync.replica_enabled && replica.semi_sync.replica_active
}

/// Switches a replica. The switch counts from the next start of the receiver on. A MariaDB replica may lose its relay log with it,
/// so that is applied first.
fn push_switch(list: &mut StepList<'_>, replica: &Instance, on: bool, phase: u32) {
    let reason = if on { "it shall acknowledge writes" } else { "others acknowledge writes" };
    if replica.semi_sync.replica_enabled != on {
        list.push(replica, phase + 1, Action::SetSemiSyncReplica { on }, reason);
    }
    if Threads::of(&replica.replication).receiver {
        list.push(replica, phase + 2, Action::StopReceiver, "the switch counts from the receiver's next start on");
    }
    push_start(list, replica, phase + 3);
}

fn push_start(list: &mut StepList<'_>, replica: &Instance, phase: u32) {
    if replica.is_mariadb() {
        list.push(replica, phase, Action::Drain, "what it received is kept");
    }
    list.push(replica, phase + 1, Action::StartReceiver, "it receives again, and the switch counts from now on");
    let expect = vec![Condition::ReceiverRunning { running: true }];
    list.push(replica, phase + 2, Action::Verify { expect }, "what was done is read back");
}
