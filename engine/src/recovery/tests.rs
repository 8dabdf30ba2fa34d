//! Outcomes in, steps out: the story of single recoveries, step by step. Many stories at once are in `tests/recovery_simulation`.

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::plan::{Action, Step, StepState};
use app::topology::{Annotations, Instance, Replication, SemiSync, Snapshot, ThreadState};
use chrono::{DateTime, Utc};

use super::*;
use crate::plan::apply;

mod hooks;

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
    story: Vec<String>,
}

impl Servers {
    fn run(&mut self, steps: &[Step]) -> Vec<StepOutcome> {
        steps.iter().map(|step| self.one(step)).collect()
    }

    fn one(&mut self, step: &Step) -> StepOutcome {
        let n = self.all.iter().position(|s| s.key == step.server).expect("known");
        let text = format!("{:?}", step.action);
        self.story.push(format!("{} {}", step.server.hostname, text.split([' ', '{']).next().unwrap_or_default()));
        if self.dead.contains(&n) {
            let state = StepState::Failed { error: "refused".into() };
            return StepOutcome { id: step.id, state, errno: Some(2003), fresh: None };
        }
        let server = &mut self.all[n];
        apply(&step.action, server);
        match &step.action {
            Action::Drain => server.executed_gtid.clone_from(&server.replication.retrieved_gtid),
            Action::WaitForGtid { set } => server.executed_gtid.clone_from(set),
            _ => {}
        }
        let source_lives = !self.dead.iter().any(|d| self.all[*d].key == self.all[n].replication.source);
        let server = &mut self.all[n];
        if server.replication.receiver.is_running() && !source_lives && !self.receivers_are_slow {
            server.replication.receiver = ThreadState::Other;
        }
        StepOutcome { id: step.id, state: StepState::Done, errno: None, fresh: Some(server.clone()) }
    }
}

fn begin(servers: Vec<Instance>, settings: &RecoverySettings) -> (Servers, Machine, Decision) {
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let (machine, decision) = Machine::begin(&finding(AnalysisCode::DeadSource), &snapshot, settings, at(0));
    (Servers { all: servers, dead: vec![0], receivers_are_slow: false, story: vec![] }, machine, decision)
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

#[test]
fn a_dead_source_is_replaced_in_the_order_of_the_safety_page() {
    let (mut servers, mut machine, decision) =
        begin(vec![source(), replica(1, 7, 7), replica(2, 5, 9)], &RecoverySettings::default());
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(2));
    assert_eq!(report.followers, [key(1)]);
    assert_eq!(report.fence, [key(0)]);
    assert!(report.lost.is_empty() && report.errors.is_empty(), "{report:?}");
    assert_eq!(
        servers.story,
        [
            "db0 Refresh",
            "db1 Refresh",
            "db2 Refresh", // facts
            "db1 StopReceiver",
            "db2 StopReceiver", // freeze
            "db2 Drain",        // drain
            "db1 StopReplication",
            "db0 Refresh",
            "db1 ChangeSource",
            "db1 StartReplication", // converge
            "db2 StopReplication",
            "db2 ResetReplication",
            "db2 SetSemiSyncSource",
            "db2 SetReadOnly",
            "db2 Verify", // promote
            "db0 Refresh",
            "db1 Verify", // look back
        ]
    );
    assert!(!servers.all[2].read_only && servers.all[2].executed_gtid.ends_with("1-9"));
    let told: Vec<&str> = report.story.iter().map(|l| l.message.as_str()).collect();
    assert!(told.iter().any(|l| l.contains("db2:3306 is chosen")), "{told:?}");
}

#[test]
fn without_enough_acknowledgers_the_new_primary_does_not_wait_for_any() {
    let mut alone = replica(1, 5, 5);
    alone.semi_sync.source_enabled = true;
    let (mut servers, mut machine, decision) = begin(vec![source(), alone], &RecoverySettings::default());
    let _ = report(finish(&mut servers, &mut machine, decision));
    assert!(!servers.all[1].semi_sync.source_enabled, "its first write would hang");
}

#[test]
fn a_source_that_answers_ends_it_before_anything_is_changed() {
    let (mut servers, mut machine, decision) = begin(vec![source(), replica(1, 5, 5)], &RecoverySettings::default());
    servers.dead.clear();
    let reason = reason(finish(&mut servers, &mut machine, decision));
    assert_eq!(reason.code, "source-serves");
    assert!(reason.changed.is_empty());
    assert!(servers.story.iter().all(|s| s.ends_with("Refresh")), "{:?}", servers.story);
}

#[test]
fn one_replica_that_receives_is_evidence_enough_and_a_stale_heartbeat_is_not() {
    let mut receiving = replica(1, 5, 5);
    receiving.replication.receiver = ThreadState::Running;
    let (mut servers, mut machine, decision) = begin(vec![source(), receiving.clone()], &RecoverySettings::default());
    servers.receivers_are_slow = true;
    assert_eq!(reason(finish(&mut servers, &mut machine, decision)).code, "source-serves");
    receiving.replication.heartbeat_period_ms = Some(500);
    receiving.replication.heartbeat_age_ms = Some(9_000);
    let (mut servers, mut machine, decision) = begin(vec![source(), receiving], &RecoverySettings::default());
    servers.receivers_are_slow = true;
    assert_eq!(report(finish(&mut servers, &mut machine, decision)).successor, key(1));
}

#[test]
fn appliers_stopped_everywhere_lose_nothing() {
    let stopped = |n, executed, received| {
        let mut server = replica(n, executed, received);
        server.replication.applier = ThreadState::Stopped;
        server
    };
    let (mut servers, mut machine, decision) =
        begin(vec![source(), stopped(1, 1, 40), stopped(2, 1, 41)], &RecoverySettings::default());
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(2));
    assert!(servers.all[2].executed_gtid.ends_with(":1-41"));
    assert_eq!(servers.all[1].replication.source, key(2));
    assert!(servers.all[1].replication.is_running());
}

/// db1 is lost when it is told to become the primary.
fn lost_in_promotion(receivers_are_slow: bool) -> (Servers, Decision) {
    let (mut servers, mut machine, mut decision) =
        begin(vec![source(), replica(1, 9, 9), replica(2, 9, 9)], &RecoverySettings::default());
    servers.receivers_are_slow = receivers_are_slow;
    while let Decision::Run { steps } = &decision {
        if servers.dead.len() == 1 && steps.iter().any(|s| matches!(s.action, Action::ResetReplication)) {
            servers.dead.push(1);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    (servers, decision)
}

#[test]
fn a_candidate_out_of_our_sight_that_its_replicas_see_stays_their_source() {
    let (servers, decision) = lost_in_promotion(true);
    let reason = reason(decision);
    assert_eq!((reason.code.as_str(), &reason.fence), ("out-of-sight", &vec![key(1)]));
    assert_eq!(servers.all[2].replication.source, key(1));
    assert!(reason.changed.iter().any(|line| line.contains("db2:3306 replicates from db1:3306")), "{reason:?}");
}

#[test]
fn a_candidate_lost_in_its_promotion_is_followed_by_the_next() {
    let (_, decision) = lost_in_promotion(false);
    let report = report(decision);
    assert_eq!(report.successor, key(2));
    assert_eq!(report.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(1)]);
    assert_eq!(report.fence, [key(0), key(1)], "it may have become writable out of our sight");
}

#[test]
fn a_machine_survives_its_node_after_every_step() {
    for node_dies_after in 0..20 {
        let start = vec![source(), replica(1, 7, 7), replica(2, 5, 9)];
        let (mut servers, mut machine, mut decision) = begin(start, &RecoverySettings::default());
        let mut run = 0;
        while let Decision::Run { steps } = &decision {
            let stored = serde_json::to_string(&machine).expect("stored");
            let mut outcomes = vec![];
            let mut died = false;
            for step in steps {
                if run == node_dies_after {
                    died = true;
                    run += 1;
                    break;
                }
                run += 1;
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
        let report = report(decision);
        assert_eq!((report.successor, report.followers), (key(2), vec![key(1)]), "after {node_dies_after}");
    }
}

#[test]
fn findings_without_a_recovery_end_at_once() {
    let snapshot = Snapshot::new([source()], Annotations::default(), at(0));
    let (_, decision) =
        Machine::begin(&finding(AnalysisCode::UnreachableSource), &snapshot, &RecoverySettings::default(), at(0));
    assert_eq!(reason(decision).code, "not-supported");
}

#[test]
fn a_forced_failover_makes_a_living_source_read_only_first() {
    let servers = vec![source(), replica(1, 5, 5)];
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let (mut machine, decision) = Machine::begin_forced(&key(0), &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers { all: servers, dead: vec![], receivers_are_slow: false, story: vec![] };
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(1));
    assert!(servers.all[0].read_only);
    let fenced = servers.story.iter().position(|s| s == "db0 SetReadOnly");
    let promoted = servers.story.iter().position(|s| s == "db1 SetReadOnly");
    assert!(fenced < promoted && fenced.is_some(), "{:?}", servers.story);
}

#[test]
fn a_takeover_is_refused_by_name_before_anything_is_changed() {
    let healthy = |n| {
        let mut server = replica(n, 5, 5);
        server.replication.receiver = ThreadState::Running;
        server.lag = Some(0);
        server
    };
    let refused = |servers: Vec<Instance>, designated: Option<InstanceKey>, auto: bool| -> String {
        let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
        let request = TakeoverRequest { source: key(0), designated, auto };
        let (mut machine, decision) = Machine::begin_takeover(&request, &snapshot, &RecoverySettings::default(), at(0));
        let mut servers = Servers { all: servers, dead: vec![], receivers_are_slow: false, story: vec![] };
        let reason = reason(finish(&mut servers, &mut machine, decision));
        assert!(servers.story.iter().all(|s| s.ends_with("Refresh")), "{:?}", servers.story);
        assert_eq!(reason.code, "not-a-takeover");
        reason.message
    };
    let both = || vec![source(), healthy(1), healthy(2)];
    assert!(refused(both(), None, false).contains("name the one"));
    assert!(refused(both(), Some(key(7)), false).contains("db7:3306 does not replicate directly"));
    let mut lagging = both();
    lagging[1].lag = Some(21);
    assert!(refused(lagging, Some(key(1)), false).contains("lags by 21 s"));
    let mut older = both();
    older[2].version = "8.4.0".into();
    assert!(refused(older, Some(key(1)), false).contains("could not follow"));
    assert!(refused(vec![source()], None, true).contains("no replicas"));
}

#[test]
fn a_takeover_leaves_the_old_primary_below_the_new_one() {
    let mut taker = replica(1, 5, 5);
    taker.replication.receiver = ThreadState::Running;
    taker.lag = Some(0);
    let servers = vec![source(), taker];
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: None, auto: true };
    let (mut machine, decision) = Machine::begin_takeover(&request, &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers { all: servers, dead: vec![], receivers_are_slow: false, story: vec![] };
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!((report.successor, report.followers), (key(1), vec![key(0)]));
    assert!(servers.all[0].read_only && servers.all[0].replication.is_running());
    assert!(!servers.all[0].semi_sync.source_enabled && servers.all[0].semi_sync.replica_enabled);
    assert!(!servers.all[1].read_only && !servers.all[1].is_replica());
    assert!(report.fence.is_empty());
}
