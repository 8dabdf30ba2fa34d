//! A tiny model of servers: what they executed and received, their threads, `read_only`. True to the facts of `safety.md`: a repoint throws
//! away the relay log; a MariaDB replica that is ahead of its source is refused; a semi-sync acknowledgement means "received".

use std::collections::{BTreeMap, BTreeSet};

use app::InstanceKey;
use app::plan::{Action, Condition, Step, StepState};
use app::topology::{
    Annotations, Candidate, Capabilities, Check, Instance, PromotionRule, Replication, SemiSync, Snapshot, ThreadState,
};
use chrono::{DateTime, Utc};

/// A transaction: the server it was committed on, and its number.
pub type Txn = (usize, u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub up: bool,
    /// We can reach it; its replicas may though we cannot.
    pub visible: bool,
    pub log: Vec<Txn>,
    pub relay: Vec<Txn>,
    /// Received since the last repoint.
    pub retrieved: Vec<Txn>,
    pub source: Option<usize>,
    /// Keeps options and credentials.
    pub has_channel: bool,
    pub receiver: bool,
    pub receiver_error: u32,
    pub applier: bool,
    pub applier_broken: bool,
    /// Applies that many transactions in one round of draining.
    pub drains_per_round: usize,
    pub read_only: bool,
    pub semi_source: bool,
    pub semi_replica: bool,
    pub rule: PromotionRule,
    pub logs: bool,
    pub delay: u64,
}

#[derive(Debug, Clone)]
pub struct World {
    pub mariadb: bool,
    pub semi_sync: bool,
    pub servers: Vec<Server>,
    /// Commits that a client was told of.
    pub acknowledged: BTreeSet<Txn>,
    pub next_number: u64,
    /// Clients write to whoever lets them.
    pub clients_write: bool,
    pub ticks: u64,
}

pub fn key(n: usize) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

pub fn number_of(key: &InstanceKey) -> usize {
    key.hostname.trim_start_matches('/').trim_start_matches("db").parse().expect("a name of the model")
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
}

impl Server {
    pub fn replica_of(source: Option<usize>) -> Self {
        Self {
            up: true,
            visible: true,
            log: vec![],
            relay: vec![],
            retrieved: vec![],
            source,
            has_channel: source.is_some(),
            receiver: source.is_some(),
            receiver_error: 0,
            applier: source.is_some(),
            applier_broken: false,
            drains_per_round: usize::MAX,
            read_only: source.is_some(),
            semi_source: false,
            semi_replica: false,
            rule: PromotionRule::Neutral,
            logs: true,
            delay: 0,
        }
    }

    pub fn holds(&self, txn: &Txn) -> bool {
        self.log.contains(txn) || self.relay.contains(txn)
    }

    fn apply(&mut self, most: usize) {
        if self.applier_broken {
            return;
        }
        let n = most.min(self.relay.len());
        let applied: Vec<Txn> = self.relay.drain(..n).collect();
        self.log.extend(applied);
    }
}

impl World {
    /// Sessions in which replication flows and clients write: called after every step.
    pub fn tick(&mut self) {
        self.ticks += 1;
        let slow_too = self.ticks.is_multiple_of(8);
        if self.clients_write {
            self.write();
        }
        for n in 0..self.servers.len() {
            self.receive(n, 3);
            let server = &mut self.servers[n];
            let slow = server.drains_per_round < usize::MAX;
            if server.up && server.applier && server.delay == 0 && (slow_too || !slow) {
                server.apply(if slow { 1 } else { 2 });
            }
        }
    }

    fn write(&mut self) {
        let writable = (0..self.servers.len()).find(|n| self.servers[*n].up && !self.servers[*n].read_only);
        let Some(primary) = writable else { return };
        let txn = (primary, self.next_number);
        self.next_number += 1;
        self.servers[primary].log.push(txn);
        if !self.servers[primary].semi_source {
            self.acknowledged.insert(txn);
            return;
        }
        // Semi-sync: told to the client only once a replica has it.
        for n in 0..self.servers.len() {
            if self.servers[n].source == Some(primary) && self.servers[n].semi_replica {
                self.receive(n, usize::MAX);
                if self.servers[n].relay.contains(&txn) {
                    self.acknowledged.insert(txn);
                }
            }
        }
    }

    /// A replica gets transactions that it has not, in the order of its source's log.
    pub fn receive(&mut self, n: usize, most: usize) {
        let replica = &self.servers[n];
        let Some(source) = replica.source.filter(|_| replica.up && replica.receiver) else { return };
        let source = &self.servers[source];
        if !source.up {
            return;
        }
        if self.mariadb {
            // The position is the last transaction; a source that does not have it refuses.
            let last = replica.relay.last().or(replica.log.last());
            if last.is_some_and(|txn| !source.log.contains(txn)) {
                let replica = &mut self.servers[n];
                (replica.receiver, replica.receiver_error) = (false, 1236);
                return;
            }
        }
        let new: Vec<Txn> = source.log.iter().filter(|txn| !replica.holds(txn)).take(most).copied().collect();
        let replica = &mut self.servers[n];
        replica.relay.extend(&new);
        replica.retrieved.extend(&new);
    }

    fn connects(&self, server: &Server) -> bool {
        server.source.is_some_and(|s| self.servers[s].up)
    }

    /// The server as a probe would read it now.
    pub fn instance(&self, n: usize) -> Instance {
        let server = &self.servers[n];
        let receiver = match (server.has_channel, server.receiver) {
            (false, _) => ThreadState::NoThread,
            (true, false) => ThreadState::Stopped,
            (true, true) if self.connects(server) => ThreadState::Running,
            (true, true) => ThreadState::Other,
        };
        let applier = match (server.has_channel, server.applier) {
            (false, _) => ThreadState::NoThread,
            (true, false) => ThreadState::Stopped,
            (true, true) => ThreadState::Running,
        };
        let executed = self.text(&server.log);
        let retrieved =
            if self.mariadb && server.retrieved.is_empty() { String::new() } else { self.text(&server.retrieved) };
        Instance {
            key: key(n),
            server_id: n as u64 + 1,
            server_uuid: if self.mariadb { String::new() } else { uuid(n) },
            version: if self.mariadb { "10.11.6-MariaDB".into() } else { "9.7.0".into() },
            read_only: server.read_only,
            super_read_only: (!self.mariadb).then_some(server.read_only),
            binlog_format: "ROW".into(),
            log_bin: true,
            log_replica_updates: server.logs,
            gtid_mode: if self.mariadb { String::new() } else { "ON".into() },
            executed_gtid: executed,
            gtid_domain_id: self.mariadb.then_some(0),
            lag: server.has_channel.then_some(i64::try_from(server.delay).expect("fits")),
            cluster_name: "db0:3306".into(),
            capabilities: Capabilities {
                known: true,
                replica_terms: true,
                super_read_only: !self.mariadb,
                ..Default::default()
            },
            semi_sync: SemiSync {
                available: self.semi_sync,
                source_enabled: server.semi_source,
                source_active: server.semi_source,
                source_wait_for: 1,
                replica_enabled: server.semi_replica,
                ..Default::default()
            },
            replication: Replication {
                source: server.source.map(key).unwrap_or_default(),
                source_uuid: server.source.filter(|_| !self.mariadb).map(uuid).unwrap_or_default(),
                has_credentials: server.has_channel,
                receiver,
                applier,
                applier_errno: if server.applier_broken && !server.relay.is_empty() { 1062 } else { 0 },
                receiver_errno: server.receiver_error,
                retrieved_gtid: retrieved,
                auto_position: server.has_channel && !self.mariadb,
                mariadb_using_gtid: if server.has_channel && self.mariadb { "Slave_Pos".into() } else { String::new() },
                delay: server.delay,
                ..Default::default()
            },
            check: Check { last_checked: Some(at(0)), last_seen: Some(at(0)), ..Default::default() },
            ..Default::default()
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut annotations = Annotations::default();
        for (n, server) in self.servers.iter().enumerate() {
            annotations.candidates.insert(key(n), Candidate { rule: server.rule, last_suggested: at(0) });
        }
        Snapshot::new((0..self.servers.len()).map(|n| self.instance(n)), annotations, at(0))
    }

    /// Transactions as the servers print them.
    pub fn text(&self, log: &[Txn]) -> String {
        if self.mariadb {
            return log.iter().max_by_key(|t| t.1).map(|t| format!("0-{}-{}", t.0 + 1, t.1)).unwrap_or_default();
        }
        let mut by_origin: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for txn in log {
            by_origin.entry(txn.0).or_default().push(txn.1);
        }
        let set = |(origin, mut numbers): (usize, Vec<u64>)| {
            numbers.sort_unstable();
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            format!("{}:{}", uuid(origin), numbers.join(":"))
        };
        by_origin.into_iter().map(set).collect::<Vec<_>>().join(",")
    }

    fn covers(&self, n: usize, set: &str) -> bool {
        let instance = self.instance(n);
        let executed = app::gtid::GtidPosition::executed_by(&instance).expect("own text");
        let wanted = app::gtid::GtidPosition::parse_for(instance.flavor(), set).expect("a set of the machine");
        executed.covers(&wanted)
    }

    /// Does one step. Time stands still, so a wait that is not over at once lets the world go on for a while first.
    pub fn execute(&mut self, step: &Step) -> StepState {
        let n = number_of(&step.server);
        if !self.servers[n].up || !self.servers[n].visible {
            return failed("cannot be reached");
        }
        match &step.action {
            Action::Refresh | Action::KillSessions => StepState::Done,
            Action::Verify { expect } => self.wait(|w| expect.iter().all(|c| w.holds(n, c))),
            Action::WaitForGtid { set } => {
                let set = set.clone();
                self.wait(|w| w.covers(n, &set))
            }
            Action::WaitForPeer { peer } => {
                let peer = number_of(peer);
                let set = self.text(&self.servers[n].log.clone());
                if !self.servers[peer].up {
                    return StepState::TimedOut;
                }
                self.wait(|w| w.covers(peer, &set))
            }
            Action::Drain => self.drain(n),
            action => self.change(n, action, step),
        }
    }

    fn wait(&mut self, mut done: impl FnMut(&Self) -> bool) -> StepState {
        for _ in 0..80 {
            if done(self) {
                return StepState::Done;
            }
            self.tick();
        }
        StepState::TimedOut
    }

    fn drain(&mut self, n: usize) -> StepState {
        let server = &mut self.servers[n];
        if !server.has_channel {
            return failed("is no replica");
        }
        if server.receiver {
            return failed("its receiver runs");
        }
        server.applier = true;
        if server.applier_broken && !server.relay.is_empty() {
            return failed("duplicate key");
        }
        if server.delay > 0 && !server.relay.is_empty() {
            // As long as it is delayed it applies nothing; the machine waits for it only while it makes progress.
            return StepState::TimedOut;
        }
        server.apply(server.drains_per_round);
        if server.relay.is_empty() { StepState::Done } else { StepState::TimedOut }
    }

    fn change(&mut self, n: usize, action: &Action, step: &Step) -> StepState {
        let server = &mut self.servers[n];
        let runs = server.receiver || server.applier;
        match action {
            Action::StopReplication => (server.receiver, server.applier) = (false, false),
            Action::StartReplication | Action::StartReceiver | Action::StartApplier if !server.has_channel => {
                return failed("is no replica");
            }
            Action::StartReplication => {
                (server.receiver, server.applier, server.receiver_error) = (true, true, 0);
                self.receive(n, 1);
            }
            Action::StartReceiver => {
                (server.receiver, server.receiver_error) = (true, 0);
                self.receive(n, 1);
            }
            Action::StopReceiver => server.receiver = false,
            Action::StartApplier => server.applier = true,
            Action::StopApplier => server.applier = false,
            Action::ChangeSource { .. } | Action::ResetReplication | Action::DetachSource if runs => {
                return failed("stop replication first (error 3021)");
            }
            Action::ChangeSource { to, .. } => {
                let filled = step.statements.iter().any(|s| s.contains(engine::statements::CREDENTIALS));
                assert_eq!(
                    filled, !server.has_channel,
                    "credentials are asked for exactly when there are none: {step:?}"
                );
                server.relay.clear();
                server.retrieved.clear();
                (server.source, server.has_channel) = (Some(number_of(to)), true);
            }
            Action::ResetReplication => {
                server.relay.clear();
                server.retrieved.clear();
                (server.source, server.has_channel) = (None, false);
            }
            Action::DetachSource => {
                server.relay.clear();
                server.source = None;
            }
            Action::SetReadOnly { on, .. } => server.read_only = *on,
            Action::SetSemiSyncSource { on } => server.semi_source = *on,
            Action::SetSemiSyncReplica { on } => server.semi_replica = *on,
            other => panic!("the machine used {other:?}, which the model does not know"),
        }
        StepState::Done
    }

    fn holds(&self, n: usize, condition: &Condition) -> bool {
        let instance = self.instance(n);
        match condition {
            Condition::Reachable => true,
            Condition::SourceIs { source } => instance.replication.source == *source,
            Condition::ReceiverRunning { running } => instance.replication.receiver.is_running() == *running,
            Condition::ApplierRunning { running } => instance.replication.applier.is_running() == *running,
            Condition::ReadOnly { on } => instance.read_only == *on,
            Condition::ExecutedCovers { set } => self.covers(n, set),
            Condition::Acknowledgers { .. } => unreachable!("no semi-sync recovery is simulated here"),
            Condition::RelayLogApplied => self.servers[n].relay.is_empty(),
            Condition::UsesGtid { on } => instance.replication.uses_gtid() == *on,
        }
    }
}

pub fn failed(error: &str) -> StepState {
    StepState::Failed { error: error.to_owned() }
}

fn uuid(n: usize) -> String {
    format!("aaaaaaaa-0000-0000-0000-{n:012}")
}
