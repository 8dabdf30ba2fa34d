//! A dead source whose replicas use no GTID.

use app::BinlogCoordinates;

use super::*;

fn place(position: i64) -> BinlogCoordinates {
    BinlogCoordinates::binary("binlog.000007", position)
}

/// A replica by position that has executed and received so much of the source's log.
fn by_place(n: usize, executed: i64, received: i64) -> Instance {
    let mut server = replica(n, 0, 0);
    server.gtid_mode = "OFF".into();
    (server.executed_gtid, server.uses_pseudo_gtid) = (String::new(), true);
    server.binlog = BinlogCoordinates::binary("own.000003", 10_000 + i64::try_from(n).expect("small"));
    server.replication.auto_position = false;
    server.replication.retrieved_gtid.clear();
    (server.replication.exec, server.replication.read) = (place(executed), place(received));
    server
}

/// The source, last seen with its log ending here.
fn source_at(position: i64) -> Instance {
    Instance { binlog: place(position), gtid_mode: "OFF".into(), executed_gtid: String::new(), ..source() }
}

fn run(servers: Vec<Instance>) -> (Servers, Decision) {
    run_code(AnalysisCode::DeadSource, servers, vec![0], &RecoverySettings::default())
}

fn when(servers: &Servers, what: &str) -> usize {
    let found = servers.story.iter().position(|line| line == what);
    found.unwrap_or_else(|| panic!("no {what:?} in {:#?}", servers.story))
}

#[test]
fn the_furthest_is_promoted_and_others_find_their_places() {
    let (servers, decision) =
        run(vec![source_at(900), by_place(1, 500, 700), by_place(2, 300, 900), by_place(3, 900, 900)]);
    let report = report(decision);
    let (best, equal) = if report.successor == key(2) { (2, 3) } else { (3, 2) };
    assert_eq!(report.successor, key(best), "{:?}", report.considered);
    assert_eq!(report.followers.len(), 2, "{:?}", report.lost);
    // At the same place: it goes on from the end of the new primary's log.
    assert_eq!(servers.all[equal].replication.exec, servers.all[best].binlog);
    assert_eq!((&servers.all[1].replication.source, servers.all[best].read_only), (&key(best), false));
    // Behind: only once the new primary stands, and only after its place was proven.
    let found = when(&servers, "db1 FindPlace");
    assert!(found > when(&servers, &format!("db{best} SetReadOnly")));
    assert!(found < when(&servers, "db1 ChangeSource"));
    for n in 1..=3 {
        assert!(when(&servers, &format!("db{n} Drain")) < when(&servers, &format!("db{best} SetReadOnly")));
    }
}

#[test]
fn a_replica_whose_place_is_not_proven_is_not_repointed() {
    let start = vec![source_at(900), by_place(1, 500, 700), by_place(2, 900, 900)];
    let (mut servers, mut machine, decision) = begin(start.clone(), &RecoverySettings::default());
    servers.refuses = vec![(1, "FindPlace")];
    let told = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(told.successor, key(2));
    assert_eq!(told.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(1)]);
    assert!(!servers.story.contains(&"db1 ChangeSource".to_owned()));
    assert!(told.errors.iter().any(|e| e.contains("same events")), "{:?}", told.errors);

    let mut plain = start;
    plain.iter_mut().for_each(|server| server.uses_pseudo_gtid = false);
    let (servers, decision) = run(plain);
    let told = report(decision);
    assert!(told.lost[0].reason.contains("without GTID or pseudo-GTID"), "{:?}", told.lost);
    assert!(servers.all[1].replication.source.is_detached(), "it shall not go on with the dead source by itself");
    assert!(!servers.story.contains(&"db1 FindPlace".to_owned()));
}

#[test]
fn what_only_the_dead_source_is_known_to_have_is_not_given_up() {
    let (servers, decision) = run(vec![source_at(1_500), by_place(1, 900, 900), by_place(2, 700, 900)]);
    let told = reason(decision);
    assert_eq!((told.code.as_str(), told.at_risk.as_str()), ("data-at-risk", "up to binlog.000007:1500"));
    assert_eq!(told.changed, [] as [String; 0]);
    assert!(servers.all[1].read_only && servers.all[2].read_only);

    let mut settings = RecoverySettings::default();
    settings.choice.accept_loss_of = "up to binlog.000007:1500".to_owned();
    let start = vec![source_at(1_500), by_place(1, 900, 900)];
    let (_, decision) = run_code(AnalysisCode::DeadSource, start, vec![0], &settings);
    assert_eq!(report(decision).successor, key(1));
}

#[test]
fn the_furthest_is_not_passed_over_for_one_that_lacks_what_it_has() {
    let mut furthest = by_place(2, 900, 900);
    furthest.log_replica_updates = false;
    let (_, decision) = run(vec![source_at(900), by_place(1, 700, 700), furthest]);
    assert_eq!(reason(decision).code, "data-at-risk");
}

#[test]
fn where_places_do_not_tell_nothing_is_changed() {
    let mut first = source_at(900);
    first.replication = replica(0, 0, 0).replication;
    first.replication.source = key(1);
    let mut settings = RecoverySettings::default();
    let ring = vec![Instance { is_co_source: true, ..first }, by_place(1, 900, 900), by_place(2, 900, 900)];
    let (servers, decision) = run_code(AnalysisCode::DeadCoSource, ring, vec![0], &settings);
    assert_eq!(reason(decision).code, "needs-position-matching");
    assert_eq!(servers.changes(), [] as [&str; 0]);

    settings.forced = true;
    let start = vec![source_at(900), by_place(1, 900, 900)];
    let (servers, decision) = run_code(AnalysisCode::DeadSource, start, vec![], &settings);
    let told = reason(decision);
    assert!(told.code == "needs-position-matching" && told.message.contains("Stop it first"), "{told:?}");
    assert_eq!(servers.changes(), [] as [&str; 0]);
}

#[test]
fn a_replica_that_still_receives_shows_that_the_source_serves() {
    let start = vec![source_at(900), by_place(1, 900, 900)];
    let (mut servers, mut machine, mut decision) = begin(start, &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        if steps.iter().any(|step| step.action == Action::StopReceiver) {
            servers.all[1].replication.read = place(950);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    assert_eq!(reason(decision).code, "source-serves");
}

#[test]
fn one_that_is_lost_while_it_is_promoted_is_left_to_a_person() {
    let start = vec![source_at(900), by_place(1, 900, 900), by_place(2, 900, 900)];
    let (mut servers, mut machine, mut decision) = begin(start, &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        let promoted = steps.iter().find(|s| matches!(s.action, Action::SetReadOnly { on: false, .. }));
        if let Some(step) = promoted {
            let n = servers.all.iter().position(|s| s.key == step.server).expect("known");
            servers.dead.push(n);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    let told = reason(decision);
    assert_eq!(told.code, "out-of-sight");
    assert_eq!(told.fence.len(), 1, "it is fenced on sight");
    assert!(
        servers.all.iter().all(|s| s.read_only
            || servers.dead.contains(&usize::try_from(s.server_id).unwrap_or(0))
            || s.key == key(0))
    );
}

#[test]
fn a_node_that_dies_at_any_step_leaves_it_to_the_next_one() {
    for after in 0..30 {
        let start = vec![source_at(900), by_place(1, 500, 700), by_place(2, 300, 900), by_place(3, 900, 900)];
        let (mut servers, machine, decision) = begin(start, &RecoverySettings::default());
        let told = report(finish_with_death(&mut servers, machine, decision, after));
        let best = servers.all.iter().position(|s| s.key == told.successor).expect("known");
        assert!([2, 3].contains(&best), "{after}: {:?}", told.considered);
        assert_eq!(told.followers.len(), 2, "{after}: {:?}", told.lost);
        let writable: Vec<usize> = (1..=3).filter(|n| !servers.all[*n].read_only).collect();
        assert_eq!(writable, [best], "{after}");
    }
}
