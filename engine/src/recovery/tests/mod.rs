//! Outcomes in, steps out: the story of single recoveries, step by step, one file a flow. Many stories at once are in
//! `tests/recovery_simulation`.

mod co_source;
mod group;
mod hooks;
mod intermediate;
mod loss;
mod places;
mod semi_sync;
mod source;
mod takeover;
mod writer;

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::plan::{Action, Condition, Step, StepState};
use app::topology::{Annotations, Instance, Replication, SemiSync, Snapshot, ThreadState};
use chrono::{DateTime, Utc};

use super::*;
use crate::plan::{apply, check};

const SOURCE: &str = "aaaaaaaa-0000-0000-0000-000000000000";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
}

fn key(n: usize) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

fn finding(code: AnalysisCode) -> Finding {
    Finding {
        key: key(0),
        source: InstanceKey::default(),
        cluster: "db0:3306".into(),
        cluster_alias: "orders".into(),
        cluster_domain: String::new(),
        code,
        description: "cannot be reached".into(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts::default(),
        evidence: vec![],
    }
}

fn source() -> Instance {
    Instance {
        key: key(0),
        server_id: 100,
        server_uuid: SOURCE.into(),
        version: "9.7.0".into(),
        gtid_mode: "ON".into(),
        log_bin: true,
        executed_gtid: format!("{SOURCE}:1-5"),
        semi_sync: SemiSync {
            available: true,
            source_enabled: true,
            source_active: true,
            source_wait_for: 1,
            ..Default::default()
        },
        ..Default::default()
    }
}

/// A replica below the dead source that has executed and received so much.
fn replica(n: usize, executed: u64, received: u64) -> Instance {
    Instance {
        key: key(n),
        server_id: n as u64,
        server_uuid: format!("aaaaaaaa-0000-0000-0000-{n:012}"),
        log_replica_updates: true,
        binlog_format: "ROW".into(),
        read_only: true,
        executed_gtid: format!("{SOURCE}:1-{executed}"),
        semi_sync: SemiSync { available: true, replica_enabled: true, source_wait_for: 1, ..Default::default() },
        replication: Replication {
            source: key(0),
            source_uuid: SOURCE.into(),
            has_credentials: true,
            auto_position: true,
            receiver: ThreadState::Other,
            applier: ThreadState::Running,
            receiver_errno: 2003,
            retrieved_gtid: format!("{SOURCE}:1-{received}"),
            ..Default::default()
        },
        ..source()
    }
}

/// Servers that do as they are told, for as long as they live.
struct Servers {
    all: Vec<Instance>,
    dead: Vec<usize>,
    /// A receiver goes on saying that it receives, though its source is out of our sight.
    receivers_are_slow: bool,
    /// Actions that a server does not do, by the first word of their debug text; each entry counts once.
    refuses: Vec<(usize, &'static str)>,
    story: Vec<String>,
}

impl Servers {
    fn of(all: Vec<Instance>, dead: Vec<usize>) -> Self {
        Self { all, dead, receivers_are_slow: false, refuses: vec![], story: vec![] }
    }

    fn run(&mut self, steps: &[Step]) -> Vec<StepOutcome> {
        let mut failed: Vec<&InstanceKey> = vec![];
        let mut outcomes = vec![];
        for step in steps {
            if failed.contains(&&step.server) {
                outcomes.push(StepOutcome { id: step.id, state: StepState::Skipped, errno: None, fresh: None });
                continue;
            }
            let outcome = self.one(step);
            if outcome.state.is_failure() {
                failed.push(&step.server);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn one(&mut self, step: &Step) -> StepOutcome {
        let n = self.all.iter().position(|s| s.key == step.server).expect("known");
        let text = format!("{:?}", step.action);
        self.story.push(format!("{} {}", step.server.hostname, text.split([' ', '{']).next().unwrap_or_default()));
        if self.dead.contains(&n) {
            let state = StepState::Failed { error: "refused".into() };
            return StepOutcome { id: step.id, state, errno: Some(2003), fresh: None };
        }
        let word = text.split([' ', '{']).next().unwrap_or_default();
        if let Some(at) = self.refuses.iter().position(|(who, what)| *who == n && *what == word) {
            self.refuses.remove(at);
            let fresh = Some(self.all[n].clone());
            return StepOutcome { id: step.id, state: StepState::TimedOut, errno: None, fresh };
        }
        let server = &mut self.all[n];
        apply(&step.action, server);
        match &step.action {
            Action::Drain => server.executed_gtid.clone_from(&server.replication.retrieved_gtid),
            Action::WaitForGtid { set } => server.executed_gtid.clone_from(set),
            Action::StartReceiver | Action::StartReplication => {
                server.semi_sync.replica_active = server.semi_sync.replica_enabled;
            }
            _ => {}
        }
        self.count_acknowledgers();
        let source_lives = !self.dead.iter().any(|d| self.all[*d].key == self.all[n].replication.source);
        let server = &mut self.all[n];
        if server.replication.receiver.is_running() && !source_lives && !self.receivers_are_slow {
            server.replication.receiver = ThreadState::Other;
        }
        let state = match &step.action {
            Action::Verify { expect } if matches!(expect[..], [Condition::Acknowledgers { .. }]) => {
                check(server, &expect[0]).map_or_else(|error| StepState::Failed { error }, |()| StepState::Done)
            }
            _ => StepState::Done,
        };
        StepOutcome { id: step.id, state, errno: None, fresh: Some(server.clone()) }
    }

    /// What each server says of its semi-sync clients.
    fn count_acknowledgers(&mut self) {
        let clients = |source: &InstanceKey| {
            let active = |s: &&Instance| s.semi_sync.replica_active && s.replication.receiver.is_running();
            self.all.iter().filter(|s| s.replication.source == *source).filter(active).count() as u64
        };
        let counts: Vec<u64> = self.all.iter().map(|s| clients(&s.key)).collect();
        for (server, count) in self.all.iter_mut().zip(counts) {
            server.semi_sync.source_clients = count;
        }
    }

    /// Steps that changed something, or tried to.
    fn changes(&self) -> Vec<&str> {
        let reads = |s: &&str| s.ends_with("Refresh") || s.ends_with("Verify");
        self.story.iter().map(String::as_str).filter(|s| !reads(s)).collect()
    }
}

/// Begins the recovery of a code with these servers; those numbered are dead.
fn begin_code(
    code: AnalysisCode,
    servers: Vec<Instance>,
    dead: Vec<usize>,
    settings: &RecoverySettings,
) -> (Servers, Machine, Decision) {
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let (machine, decision) = Machine::begin(&finding(code), &snapshot, settings, at(0));
    (Servers::of(servers, dead), machine, decision)
}

/// The same to its end.
fn run_code(
    code: AnalysisCode,
    servers: Vec<Instance>,
    dead: Vec<usize>,
    settings: &RecoverySettings,
) -> (Servers, Decision) {
    let (mut servers, mut machine, decision) = begin_code(code, servers, dead, settings);
    let decision = finish(&mut servers, &mut machine, decision);
    (servers, decision)
}

fn begin(servers: Vec<Instance>, settings: &RecoverySettings) -> (Servers, Machine, Decision) {
    begin_code(AnalysisCode::DeadSource, servers, vec![0], settings)
}

fn finish(servers: &mut Servers, machine: &mut Machine, mut decision: Decision) -> Decision {
    for _ in 0..50 {
        let Decision::Run { steps } = decision else { return decision };
        let outcomes = servers.run(&steps);
        decision = machine.advance(outcomes, at(1));
    }
    panic!("no end: {:?}", servers.story);
}

fn report(decision: Decision) -> Report {
    match decision {
        Decision::Finish { report } => *report,
        other => panic!("{other:?}"),
    }
}

fn reason(decision: Decision) -> AbortReason {
    match decision {
        Decision::Abort { reason } => *reason,
        other => panic!("{other:?}"),
    }
}

/// As [`finish`], and the node dies once, after so many steps.
fn finish_with_death(servers: &mut Servers, mut machine: Machine, mut decision: Decision, after: usize) -> Decision {
    let mut run = 0;
    while let Decision::Run { steps } = &decision {
        let stored = serde_json::to_string(&machine).expect("stored");
        let mut outcomes = vec![];
        let mut died = false;
        for step in steps {
            died = run == after;
            run += 1;
            if died {
                break;
            }
            outcomes.push(servers.one(step));
        }
        decision = if died {
            machine = serde_json::from_str(&stored).expect("loaded");
            let snapshot = Snapshot::new(servers.all.clone(), Annotations::default(), at(0));
            machine.resume(&snapshot, at(2))
        } else {
            machine.advance(outcomes, at(1))
        };
    }
    decision
}
