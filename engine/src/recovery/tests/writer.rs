//! Sources that are read-only.

use app::topology::Downtime;

use super::*;

fn closed() -> Instance {
    Instance { read_only: true, super_read_only: Some(true), ..source() }
}

fn receiving(n: usize) -> Instance {
    let mut server = replica(n, 5, 5);
    server.replication.receiver = ThreadState::Running;
    server
}

fn run(servers: Vec<Instance>) -> (Servers, Decision) {
    run_code(AnalysisCode::NoWriteableSource, servers, vec![], &RecoverySettings::default())
}

#[test]
fn a_read_only_source_takes_writes_again() {
    let (servers, decision) = run(vec![closed(), receiving(1)]);
    let report = report(decision);
    assert_eq!((report.kind, report.successor), (app::recovery::RecoveryKind::ReadOnlySource, key(0)));
    assert!(!servers.all[0].read_only && report.fence.is_empty());
    assert_eq!(servers.changes(), ["db0 SetReadOnly"]);
}

#[test]
fn it_is_never_the_second_one_that_takes_writes() {
    let writer = Instance { read_only: false, ..receiving(2) };
    let mut unheard = receiving(1);
    unheard.replication.receiver = ThreadState::Other;
    for (servers, code) in [
        (vec![closed(), receiving(1), writer], "two-writers"),
        (vec![closed(), unheard], "no-reachable-replica"),
        (vec![source(), receiving(1)], "nothing-to-do"),
    ] {
        let (servers, decision) = run(servers);
        assert_eq!(reason(decision).code, code);
        assert_eq!(servers.changes(), [] as [&str; 0], "{code}");
    }
}

#[test]
fn one_that_a_recovery_replaced_stays_read_only_whoever_asks() {
    let servers = vec![closed(), receiving(1)];
    let downtime =
        Downtime { owner: "orchestrator".into(), reason: LOST_IN_RECOVERY.into(), begin: at(-60), end: at(3_600) };
    let mut annotations = Annotations::default();
    annotations.downtime.insert(key(0), downtime);
    let snapshot = Snapshot::new(servers.clone(), annotations, at(0));
    let settings = RecoverySettings::default();
    let (mut machine, decision) =
        Machine::begin(&finding(AnalysisCode::NoWriteableSource), &snapshot, &settings, at(0));
    let mut servers = Servers::of(servers, vec![]);
    assert_eq!(reason(finish(&mut servers, &mut machine, decision)).code, "was-replaced");
    assert!(servers.all[0].read_only);
}

#[test]
fn one_that_will_not_open_is_told_of() {
    let (mut servers, mut machine, decision) =
        begin_code(AnalysisCode::NoWriteableSource, vec![closed(), receiving(1)], vec![], &RecoverySettings::default());
    servers.refuses = vec![(0, "SetReadOnly"); 4];
    let reason = reason(finish(&mut servers, &mut machine, decision));
    assert_eq!((reason.code.as_str(), &reason.changed), ("promotion-failed", &vec![]));
}
