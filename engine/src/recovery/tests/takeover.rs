//! Planned takeovers.

use super::*;

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
        let mut servers = Servers::of(servers, vec![]);
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
    let mut servers = Servers::of(servers, vec![]);
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!((report.successor, report.followers), (key(1), vec![key(0)]));
    assert!(servers.all[0].read_only && servers.all[0].replication.is_running());
    assert!(!servers.all[0].semi_sync.source_enabled && servers.all[0].semi_sync.replica_enabled);
    assert!(!servers.all[1].read_only && !servers.all[1].is_replica());
    assert!(report.fence.is_empty());
}

fn ready(n: usize) -> Instance {
    let mut server = replica(n, 5, 5);
    server.replication.receiver = ThreadState::Running;
    server.lag = Some(0);
    server
}

fn take_over(refuses: Vec<(usize, &'static str)>, sessions: SessionPolicy) -> (Servers, Decision) {
    let servers = vec![source(), ready(1), ready(2)];
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: Some(key(1)), auto: true };
    let settings = RecoverySettings { sessions, ..RecoverySettings::default() };
    let (mut machine, decision) = Machine::begin_takeover(&request, &snapshot, &settings, at(0));
    let mut servers = Servers::of(servers, vec![]);
    servers.refuses = refuses;
    let decision = finish(&mut servers, &mut machine, decision);
    (servers, decision)
}

/// Source, siblings and threads as they were.
fn is_as_found(servers: &Servers) -> bool {
    let replicates = |n: usize| servers.all[n].replication.source == key(0) && servers.all[n].replication.is_running();
    !servers.all[0].read_only && servers.all[1].read_only && replicates(1) && replicates(2)
}

#[test]
fn a_statement_that_keeps_the_old_primary_writable_ends_or_the_takeover_does() {
    let (servers, decision) = take_over(vec![(0, "SetReadOnly")], SessionPolicy::Kill);
    let report = report(decision);
    assert_eq!(report.successor, key(1));
    let changes = servers.changes();
    let tried = changes.iter().position(|s| *s == "db0 SetReadOnly").expect("tried");
    assert_eq!(changes[tried + 1..tried + 3], ["db0 KillSessions", "db0 SetReadOnly"], "{changes:?}");

    let (servers, decision) = take_over(vec![(0, "SetReadOnly")], SessionPolicy::Wait);
    let reason = reason(decision);
    assert_eq!((reason.code.as_str(), &reason.changed), ("read-only-failed", &vec![]));
    assert!(reason.message.contains("TakeoverSessionPolicy"), "{}", reason.message);
    assert!(!servers.changes().contains(&"db0 KillSessions"), "{:?}", servers.story);
    assert!(is_as_found(&servers), "{:?}", servers.all);
}

#[test]
fn a_takeover_that_stalls_at_any_step_is_put_back_in_full() {
    let everlasting = |n, what| vec![(n, what); 9];
    for (refuses, code) in [
        (everlasting(0, "SetReadOnly"), "read-only-failed"),
        (everlasting(2, "ChangeSource"), "catch-up-failed"),
        (everlasting(1, "ResetReplication"), "promotion-failed"),
    ] {
        let what = refuses[0];
        let (servers, decision) = take_over(refuses, SessionPolicy::Kill);
        let reason = reason(decision);
        assert_eq!((reason.code.as_str(), &reason.changed), (code, &vec![]), "{what:?}");
        assert!(is_as_found(&servers), "{what:?}: {:?}", servers.all);
    }
}

#[test]
fn a_designated_server_that_cannot_get_the_last_writes_ends_the_takeover() {
    let mut old = source();
    old.executed_gtid = format!("{SOURCE}:1-6");
    let servers = vec![old, ready(1), ready(2)];
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: Some(key(1)), auto: true };
    let (mut machine, decision) = Machine::begin_takeover(&request, &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers::of(servers, vec![]);
    // Semi-sync is stalled: nothing arrives any more.
    servers.refuses = vec![(1, "WaitForGtid"); 9];
    let reason = reason(finish(&mut servers, &mut machine, decision));
    assert_eq!((reason.code.as_str(), &reason.changed), ("catch-up-failed", &vec![]));
    assert!(is_as_found(&servers), "{:?}", servers.all);
}

/// Three servers, of which db1 shall take over; the first step of this kind on db2 is never heard of.
fn takeover_that_loses(kind: &Action) -> (Servers, Decision) {
    let healthy = |n| {
        let mut server = replica(n, 5, 5);
        server.replication.receiver = ThreadState::Running;
        server.lag = Some(0);
        server
    };
    let all = vec![source(), healthy(1), healthy(2)];
    let snapshot = Snapshot::new(all.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: Some(key(1)), auto: true };
    let (mut machine, mut decision) = Machine::begin_takeover(&request, &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers::of(all, vec![]);
    let mut lost = false;
    while let Decision::Run { steps } = &decision {
        let mut outcomes = vec![];
        for step in steps {
            if !lost && step.server == key(2) && step.action == *kind {
                lost = true;
                let fresh = Some(servers.all[2].clone());
                outcomes.push(StepOutcome { id: step.id, state: StepState::TimedOut, errno: None, fresh });
            } else {
                outcomes.push(servers.one(step));
            }
        }
        decision = machine.advance(outcomes, at(1));
    }
    assert!(lost, "{:?}", servers.story);
    (servers, decision)
}

#[test]
fn a_replica_that_moved_and_was_not_started_is_started_before_writes_stop() {
    let (servers, decision) = takeover_that_loses(&Action::StartReplication);
    assert_eq!(report(decision).followers, [key(0), key(2)]);
    assert!(servers.all[2].replication.is_running(), "{:?}", servers.story);
}

/// The old primary is restarted, writable, when it shall become a replica.
fn takeover_with_a_restart(writes_meanwhile: bool) -> (Servers, Report) {
    let mut taker = replica(1, 5, 5);
    taker.replication.receiver = ThreadState::Running;
    taker.lag = Some(0);
    let all = vec![source(), taker];
    let snapshot = Snapshot::new(all.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: None, auto: true };
    let (mut machine, mut decision) = Machine::begin_takeover(&request, &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers::of(all, vec![]);
    let mut restarted = false;
    while let Decision::Run { steps } = &decision {
        let demotes = |s: &Step| s.server == key(0) && matches!(s.action, Action::ChangeSource { .. });
        let failed: Option<Vec<StepOutcome>> = (!restarted && steps.iter().any(demotes)).then(|| {
            restarted = true;
            servers.all[0].read_only = false;
            if writes_meanwhile {
                servers.all[0].executed_gtid = format!("{SOURCE}:1-6");
            }
            let state = StepState::Failed { error: "lost connection".into() };
            let outcome = |s: &Step| StepOutcome {
                id: s.id,
                state: state.clone(),
                errno: None,
                fresh: Some(servers.all[0].clone()),
            };
            steps.iter().map(outcome).collect()
        });
        let outcomes = failed.unwrap_or_else(|| servers.run(steps));
        decision = machine.advance(outcomes, at(1));
    }
    (servers, report(decision))
}

#[test]
fn an_old_primary_that_is_restarted_while_it_is_demoted_is_made_read_only_again() {
    let (servers, report) = takeover_with_a_restart(false);
    assert!(servers.all[0].read_only && servers.all[0].replication.is_running(), "{:?}", servers.story);
    assert_eq!(report.followers, [key(0)]);
    let (servers, report) = takeover_with_a_restart(true);
    assert!(servers.all[0].read_only && !servers.all[0].is_replica(), "{:?}", servers.story);
    assert!(report.lost[0].reason.contains(&format!("it wrote {SOURCE}:6")), "{:?}", report.lost);
    assert_eq!(report.fence, [key(0)]);
}
