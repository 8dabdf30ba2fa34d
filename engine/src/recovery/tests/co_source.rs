//! Dead co-sources: db0 died, db1 is the other one.

use super::*;

fn dead() -> Instance {
    let mut server = source();
    server.replication = replica(0, 5, 5).replication;
    server.replication.source = key(1);
    server.is_co_source = true;
    server
}

fn other() -> Instance {
    Instance { is_co_source: true, ..replica(1, 5, 5) }
}

fn run(servers: Vec<Instance>, settings: &RecoverySettings) -> (Servers, Decision) {
    run_code(AnalysisCode::DeadCoSource, servers, vec![0], settings)
}

#[test]
fn the_other_co_source_takes_over_and_replicates_from_nobody() {
    let (servers, decision) = run(vec![dead(), other(), replica(2, 4, 5)], &RecoverySettings::default());
    let report = report(decision);
    assert_eq!((report.kind, &report.successor), (app::recovery::RecoveryKind::CoSource, &key(1)));
    assert_eq!(report.followers, [key(2)]);
    assert_eq!(report.fence, [key(0)]);
    assert!(!servers.all[1].read_only && !servers.all[1].is_replica());
    assert!(report.story.iter().any(|l| l.message.contains("CoMasterRecoveryMustPromoteOtherCoMaster")));
}

#[test]
fn the_other_co_source_first_gets_what_another_replica_received() {
    let (servers, decision) = run(vec![dead(), other(), replica(2, 5, 9)], &RecoverySettings::default());
    assert_eq!(report(decision).successor, key(1));
    assert!(servers.all[1].executed_gtid.ends_with(":1-9"), "{}", servers.all[1].executed_gtid);
}

#[test]
fn another_one_may_take_over_where_that_is_allowed_and_the_other_takes_no_writes() {
    let settings = RecoverySettings { must_promote_other: false, ..RecoverySettings::default() };
    let behind = Instance { log_bin: false, ..other() };
    let (servers, decision) = run(vec![dead(), behind.clone(), replica(2, 5, 5)], &settings);
    assert_eq!(report(decision).successor, key(2));
    assert_eq!(servers.all[1].replication.source, key(2), "the ring is broken: it follows like the rest");
    assert!(!servers.all[2].is_replica());

    let writeable = Instance { read_only: false, ..behind };
    let (servers, decision) = run(vec![dead(), writeable, replica(2, 5, 5)], &settings);
    let reason = reason(decision);
    assert_eq!(reason.code, "no-candidate", "two servers would take writes");
    assert_eq!(servers.changes(), [] as [&str; 0]);
    assert!(reason.story.iter().any(|l| l.message.contains("it takes writes")));
}

#[test]
fn vetoes_of_a_dead_source_hold_for_the_other_co_source_before_anything_is_changed() {
    let mut settings = RecoverySettings::default();
    settings.choice.prevent_cross_data_center = true;
    let (here, elsewhere) =
        (|i| Instance { data_center: "ams".into(), ..i }, |i| Instance { data_center: "fra".into(), ..i });
    let (servers, decision) = run(vec![here(dead()), elsewhere(other()), here(replica(2, 5, 5))], &settings);
    let reason = reason(decision);
    assert_eq!(reason.code, "no-candidate");
    let why = reason.considered.iter().find(|c| c.key == key(1)).expect("considered");
    assert!(why.reason.contains("PreventCrossDataCenterMasterFailover"), "{why:?}");
    assert_eq!(servers.changes(), [] as [&str; 0]);
}

#[test]
fn a_candidate_asked_for_against_the_rule_and_a_longer_ring_are_refused() {
    let settings = RecoverySettings { designated: Some(key(2)), ..RecoverySettings::default() };
    let (servers, decision) = run(vec![dead(), other(), replica(2, 5, 5)], &settings);
    let refused = reason(decision);
    assert!(refused.message.contains("db2:3306 was asked for"), "{}", refused.message);
    assert_eq!(servers.changes(), [] as [&str; 0]);

    let mut third = other();
    third.replication.source = key(2);
    let (_, decision) = run(vec![dead(), third, replica(2, 5, 5)], &RecoverySettings::default());
    assert_eq!(reason(decision).code, "not-supported");
}

#[test]
fn the_ring_is_kept_where_that_is_configured() {
    let settings = RecoverySettings { keep_ring: true, ..RecoverySettings::default() };
    let (servers, decision) = run(vec![dead(), other(), replica(2, 5, 5)], &settings);
    assert_eq!(report(decision).successor, key(1));
    let promoted = &servers.all[1];
    assert!(!promoted.read_only && promoted.replication.source == key(0), "{promoted:?}");
    assert!(!servers.story.iter().any(|s| s == "db1 ResetReplication"));
    assert_eq!(servers.all[2].replication.source, key(1));
}

#[test]
fn a_dead_co_source_survives_its_node_after_every_step() {
    for node_dies_after in 0..24 {
        let start = vec![dead(), other(), replica(2, 5, 9)];
        let (mut servers, machine, decision) =
            begin_code(AnalysisCode::DeadCoSource, start, vec![0], &RecoverySettings::default());
        let report = report(finish_with_death(&mut servers, machine, decision, node_dies_after));
        assert_eq!((report.successor, report.followers), (key(1), vec![key(2)]), "after {node_dies_after}");
    }
}
