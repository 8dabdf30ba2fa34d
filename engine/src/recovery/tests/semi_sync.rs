//! Semi-sync out of balance: db0 serves, and has too few or too many that acknowledge.

use super::*;

/// A source that waits for so many.
fn waiting(count: u64) -> Instance {
    let mut server = source();
    server.semi_sync.source_wait_for = count;
    server
}

/// A replica with a priority that acknowledges, or does not.
fn with_priority(n: usize, priority: u64, acknowledges: bool) -> Instance {
    let mut server = replica(n, 5, 5);
    server.replication.receiver = ThreadState::Running;
    server.semi_sync.priority = priority;
    (server.semi_sync.replica_enabled, server.semi_sync.replica_active) = (acknowledges, acknowledges);
    server
}

fn run(code: AnalysisCode, mut servers: Vec<Instance>, exact: bool) -> (Servers, Decision) {
    let mut counted = Servers::of(std::mem::take(&mut servers), vec![]);
    counted.count_acknowledgers();
    let settings = RecoverySettings { exact_semi_sync: exact, ..RecoverySettings::default() };
    run_code(code, counted.all, vec![], &settings)
}

fn acknowledging(servers: &Servers) -> Vec<usize> {
    (1..servers.all.len()).filter(|n| servers.all[*n].semi_sync.replica_active).collect()
}

#[test]
fn a_locked_source_gets_as_many_as_it_waits_for_best_first() {
    let replicas = vec![
        waiting(2),
        with_priority(1, 0, false),
        with_priority(2, 1, false),
        with_priority(3, 9, false),
        with_priority(4, 5, false),
    ];
    let (servers, decision) = run(AnalysisCode::LockedSemiSyncSource, replicas, false);
    let report = report(decision);
    assert_eq!((report.kind, &report.successor), (app::recovery::RecoveryKind::SemiSync, &key(0)));
    assert_eq!(acknowledging(&servers), [3, 4]);
    assert!(report.fence.is_empty() && report.lost.is_empty());
    assert!(servers.all[1..].iter().all(|s| s.replication.is_running()));
}

#[test]
fn enough_never_tells_anybody_to_stop_and_never_more_than_needed() {
    let replicas = vec![waiting(2), with_priority(1, 0, true), with_priority(2, 1, false), with_priority(3, 1, false)];
    let (servers, decision) = run(AnalysisCode::LockedSemiSyncSource, replicas, false);
    let _ = report(decision);
    assert_eq!(acknowledging(&servers), [1, 2]);
}

#[test]
fn exact_leaves_the_best_ones_and_nobody_else() {
    let replicas = vec![
        waiting(1),
        with_priority(1, 0, true),
        with_priority(2, 1, true),
        with_priority(3, 9, false),
        with_priority(4, 5, true),
    ];
    let (servers, decision) = run(AnalysisCode::SourceWithTooManySemiSyncReplicas, replicas, true);
    let _ = report(decision);
    assert_eq!(acknowledging(&servers), [3]);
    let changes = servers.changes();
    let begun = changes.iter().position(|s| *s == "db3 StartReceiver").expect("it begins");
    let stopped = changes.iter().position(|s| *s == "db1 StopReceiver").expect("it stops");
    assert!(begun < stopped, "first those who begin, so that the source is not locked: {changes:?}");
}

#[test]
fn exact_tells_nobody_to_stop_while_too_few_could_take_their_place() {
    let replicas = vec![waiting(2), with_priority(1, 0, true), with_priority(2, 1, false)];
    let (servers, decision) = run(AnalysisCode::LockedSemiSyncSource, replicas, true);
    let _ = report(decision);
    assert_eq!(acknowledging(&servers), [1, 2]);
}

#[test]
fn a_replica_that_cannot_be_switched_is_replaced_by_the_next() {
    let replicas = vec![waiting(1), with_priority(1, 9, false), with_priority(2, 1, false)];
    let (mut servers, mut machine, decision) =
        begin_code(AnalysisCode::LockedSemiSyncSource, replicas, vec![], &RecoverySettings::default());
    servers.refuses = vec![(1, "SetSemiSyncReplica")];
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(acknowledging(&servers), [2]);
    assert!(!report.errors.is_empty());
}

#[test]
fn nobody_is_left_with_the_receiver_stopped() {
    let replicas = || vec![waiting(1), with_priority(1, 9, false), with_priority(2, 1, false)];
    let run = |starts_that_fail: usize| {
        let (mut servers, mut machine, decision) =
            begin_code(AnalysisCode::LockedSemiSyncSource, replicas(), vec![], &RecoverySettings::default());
        servers.refuses = vec![(1, "StartReceiver"); starts_that_fail];
        let report = report(finish(&mut servers, &mut machine, decision));
        assert!(acknowledging(&servers).contains(&2), "{:?}", servers.story);
        (servers, report)
    };
    let (servers, report) = run(1);
    assert!(servers.all[1].replication.is_running() && report.lost.is_empty(), "{:?}", report.story);

    let (servers, report) = run(9);
    assert!(!servers.all[1].replication.is_running());
    assert_eq!(report.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(1)], "it is named");
}

#[test]
fn what_is_right_already_is_left_alone_and_what_cannot_be_done_says_so() {
    let (servers, decision) = run(
        AnalysisCode::LockedSemiSyncSource,
        vec![waiting(1), with_priority(1, 1, true), with_priority(2, 1, false)],
        false,
    );
    assert_eq!(reason(decision).code, "nothing-to-do");
    assert_eq!(servers.changes(), [] as [&str; 0], "with the original everybody would acknowledge now");

    let (servers, decision) =
        run(AnalysisCode::LockedSemiSyncSource, vec![waiting(1), with_priority(1, 0, false)], false);
    let refused = reason(decision);
    assert_eq!(refused.code, "no-candidate");
    assert!(refused.considered[0].reason.contains("priority is 0"), "{:?}", refused.considered);
    assert_eq!(servers.changes(), [] as [&str; 0]);

    let (mut servers, mut machine, decision) = begin_code(
        AnalysisCode::LockedSemiSyncSource,
        vec![waiting(1), with_priority(1, 1, false)],
        vec![0],
        &RecoverySettings::default(),
    );
    assert_eq!(reason(finish(&mut servers, &mut machine, decision)).code, "out-of-sight");
    assert_eq!(servers.changes(), [] as [&str; 0]);
}

#[test]
fn a_mariadb_replica_applies_what_it_received_before_its_receiver_starts_again() {
    let mut servers = vec![waiting(1), with_priority(1, 1, false)];
    for server in &mut servers {
        server.version = "10.11.6-MariaDB".into();
        server.executed_gtid = "0-100-5".into();
        server.replication.retrieved_gtid = "0-100-5".into();
    }
    let (servers, decision) = run(AnalysisCode::LockedSemiSyncSource, servers, false);
    let _ = report(decision);
    let order = ["db1 SetSemiSyncReplica", "db1 StopReceiver", "db1 Drain", "db1 StartReceiver"];
    assert_eq!(servers.changes(), order);
}

#[test]
fn semi_sync_survives_its_node_after_every_step() {
    for node_dies_after in 0..12 {
        let replicas = vec![waiting(1), with_priority(1, 9, false), with_priority(2, 1, false)];
        let (mut servers, machine, decision) =
            begin_code(AnalysisCode::LockedSemiSyncSource, replicas, vec![], &RecoverySettings::default());
        let _ = report(finish_with_death(&mut servers, machine, decision, node_dies_after));
        assert_eq!(acknowledging(&servers), [1], "after {node_dies_after}");
    }
}
