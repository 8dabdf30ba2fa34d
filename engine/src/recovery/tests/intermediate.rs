//! Dead intermediate sources: db9 is the primary, db0 below it died, db1 and on replicate from db0, db5 and on are its siblings.

use super::*;

fn primary() -> Instance {
    Instance {
        key: key(9),
        server_id: 9,
        server_uuid: "aaaaaaaa-0000-0000-0000-000000000009".into(),
        data_center: "ams".into(),
        ..source()
    }
}

fn dead() -> Instance {
    let mut server = Instance { key: key(0), server_id: 100, data_center: "ams".into(), ..replica(7, 5, 5) };
    server.replication.source = key(9);
    server
}

fn leaf(n: usize, executed: u64) -> Instance {
    Instance { data_center: "ams".into(), ..replica(n, executed, 5) }
}

fn sibling(n: usize, center: &str) -> Instance {
    let mut server = Instance { data_center: center.into(), ..replica(n, 5, 5) };
    server.replication.source = key(9);
    server.replication.receiver = ThreadState::Running;
    server
}

fn run(servers: Vec<Instance>) -> (Servers, Decision) {
    let dead = servers.iter().position(|s| s.key == key(0)).expect("the dead one");
    run_code(AnalysisCode::DeadIntermediateSource, servers, vec![dead], &RecoverySettings::default())
}

fn sources(servers: &Servers) -> Vec<String> {
    servers.all.iter().map(|s| format!("{} below {}", s.key.hostname, s.replication.source.hostname)).collect()
}

#[test]
fn a_sibling_in_the_data_centre_comes_first() {
    let (servers, decision) =
        run(vec![dead(), leaf(1, 5), leaf(2, 5), sibling(5, "fra"), sibling(6, "ams"), primary()]);
    assert_eq!(report(decision).successor, key(6));
    let told = sources(&servers);
    assert!(told.contains(&"db1 below db6".to_owned()) && told.contains(&"db2 below db6".to_owned()), "{told:?}");
}

#[test]
fn without_one_they_gather_below_the_most_advanced_which_goes_to_a_sibling_elsewhere() {
    let (servers, decision) = run(vec![dead(), leaf(1, 3), leaf(2, 5), leaf(3, 4), sibling(5, "fra"), primary()]);
    let report = report(decision);
    assert_eq!(report.successor, key(2));
    assert!(report.lost.is_empty(), "{report:?}");
    let told = sources(&servers);
    assert_eq!(told[1..4], ["db1 below db2", "db2 below db5", "db3 below db2"]);
    assert!(servers.all[1..4].iter().all(|s| s.replication.is_running()));
}

#[test]
fn with_nothing_else_they_go_below_the_source_of_the_dead_one() {
    let (servers, decision) = run(vec![dead(), leaf(1, 5), primary()]);
    assert_eq!(report(decision).successor, key(9));
    assert_eq!(sources(&servers)[1], "db1 below db9");
}

#[test]
fn when_the_one_to_gather_below_cannot_move_the_others_find_places_of_their_own() {
    let start = vec![dead(), leaf(1, 3), leaf(2, 5), leaf(3, 4), primary()];
    let (mut servers, mut machine, decision) =
        begin_code(AnalysisCode::DeadIntermediateSource, start, vec![0], &RecoverySettings::default());
    servers.refuses = vec![(2, "ChangeSource"); 9];
    let report = report(finish(&mut servers, &mut machine, decision));
    let told = sources(&servers);
    assert_eq!(told[1..4], ["db1 below db9", "db2 below db0", "db3 below db9"]);
    assert_eq!(report.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(2)]);
    assert_eq!(report.successor, key(9));
}

#[test]
fn a_receiver_that_has_heard_nothing_for_too_long_does_not_speak_for_its_source() {
    let mut silent = leaf(1, 5);
    silent.replication.receiver = ThreadState::Running;
    silent.replication.heartbeat_period_ms = Some(500);
    for (age, replaced) in [(900, false), (1_100, true)] {
        silent.replication.heartbeat_age_ms = Some(age);
        let start = vec![dead(), silent.clone(), primary()];
        let (mut servers, mut machine, decision) =
            begin_code(AnalysisCode::DeadIntermediateSource, start, vec![0], &RecoverySettings::default());
        servers.receivers_are_slow = true;
        let decision = finish(&mut servers, &mut machine, decision);
        match replaced {
            true => assert_eq!(report(decision).successor, key(9)),
            false => assert_eq!(reason(decision).code, "source-serves"),
        }
    }
}

#[test]
fn replicas_by_position_are_refused_before_anything_is_changed_and_named_among_others() {
    let by_position = |n| {
        let mut server = leaf(n, 5);
        server.replication.auto_position = false;
        server.replication.read = app::BinlogCoordinates::binary("binlog.000007", 4);
        server
    };
    let (servers, decision) = run(vec![dead(), by_position(1), primary()]);
    assert_eq!(reason(decision).code, "needs-position-matching");
    assert_eq!(servers.changes(), [] as [&str; 0]);

    let (_, decision) = run(vec![dead(), by_position(1), leaf(2, 5), primary()]);
    let report = report(decision);
    assert!(report.lost[0].reason.contains("no GTID"), "{:?}", report.lost);
}

#[test]
fn replicas_without_gtid_go_elsewhere_by_pseudo_gtid() {
    let by_position = |n| {
        let mut server = leaf(n, 5);
        server.replication.auto_position = false;
        server.uses_pseudo_gtid = true;
        server.replication.read = app::BinlogCoordinates::binary("binlog.000007", 4);
        server.replication.exec = server.replication.read.clone();
        server
    };
    let above = Instance { uses_pseudo_gtid: true, ..primary() };
    let (servers, decision) = run(vec![dead(), by_position(1), by_position(2), above.clone()]);
    let report = report(decision);
    assert_eq!((report.successor, report.followers.len()), (key(9), 2));
    for n in [1, 2] {
        let line = |what: &str| servers.story.iter().position(|l| *l == format!("db{n} {what}")).expect("done");
        assert!(line("FindPlace") < line("ChangeSource"));
    }

    // Where no place is proven nobody moves, and replication is as it was.
    let start = vec![dead(), by_position(1), above];
    let (mut servers, mut machine, decision) =
        begin_code(AnalysisCode::DeadIntermediateSource, start, vec![0], &RecoverySettings::default());
    servers.refuses = vec![(1, "FindPlace"), (1, "FindPlace")];
    let told = reason(finish(&mut servers, &mut machine, decision));
    assert_eq!((told.code.as_str(), told.changed.len()), ("promotion-failed", 0), "{told:?}");
}
