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

/// Two co-sources by position, db0 of them dead, and a replica of db0.
fn ring(third: Instance) -> Vec<Instance> {
    let mut first = source_at(900);
    first.replication = replica(0, 0, 0).replication;
    (first.replication.source, first.is_co_source) = (key(1), true);
    vec![first, Instance { is_co_source: true, ..by_place(1, 700, 900) }, third]
}

#[test]
fn of_two_co_sources_the_other_one_takes_over_and_the_rest_follow_by_pseudo_gtid_only() {
    let settings = RecoverySettings { must_promote_other: false, ..RecoverySettings::default() };
    // At the same place in the log of the dead one. The other one may have written what is not in there.
    let (servers, decision) = run_code(AnalysisCode::DeadCoSource, ring(by_place(2, 900, 900)), vec![0], &settings);
    let told = report(decision);
    assert_eq!((&told.successor, &told.followers), (&key(1), &vec![key(2)]), "{:?}", told.lost);
    assert!(told.story.iter().any(|l| l.message.contains("without GTID nobody can tell who else")), "{:?}", told.story);
    assert!(when(&servers, "db1 SetReadOnly") < when(&servers, "db2 FindPlace"));
    assert!(when(&servers, "db2 FindPlace") < when(&servers, "db2 ChangeSource"));
    assert!(!servers.all[1].is_replica(), "the ring is broken");

    let plain = Instance { uses_pseudo_gtid: false, ..by_place(2, 900, 900) };
    let (servers, decision) = run_code(AnalysisCode::DeadCoSource, ring(plain), vec![0], &settings);
    let told = report(decision);
    assert_eq!((told.successor, told.lost.len()), (key(1), 1));
    assert!(told.lost[0].reason.contains("of the writes of db1:3306"), "{:?}", told.lost);
    assert!(!servers.story.contains(&"db2 FindPlace".to_owned()));
}

#[test]
fn a_co_source_that_lacks_what_another_replica_has_does_not_take_over() {
    let mut behind = ring(by_place(2, 900, 900));
    (behind[1].replication.read, behind[1].replication.exec) = (place(700), place(700));
    let (servers, decision) = run_code(AnalysisCode::DeadCoSource, behind, vec![0], &RecoverySettings::default());
    let told = reason(decision);
    assert_eq!((told.code.as_str(), told.changed.len()), ("data-at-risk", 0), "{told:?}");
    assert!(servers.all[1].read_only);
}

#[test]
fn a_living_source_that_is_to_be_replaced_is_fenced_and_followed_to_the_end_of_its_log() {
    let receiving = |n, executed| {
        let mut server = by_place(n, executed, 900);
        server.replication.receiver = ThreadState::Running;
        server
    };
    let settings = RecoverySettings { forced: true, ..RecoverySettings::default() };
    let start = vec![source_at(900), receiving(1, 500), receiving(2, 900)];
    let (servers, decision) = run_code(AnalysisCode::DeadSource, start.clone(), vec![], &settings);
    let told = report(decision);
    assert_eq!(told.followers.len(), 1, "{:?}", told.lost);
    let best = told.successor.hostname;
    assert!(servers.all[0].read_only, "it is fenced");
    assert!(when(&servers, "db0 SetReadOnly") < when(&servers, "db1 Verify"));
    assert!(when(&servers, "db1 Verify") < when(&servers, "db1 StopReceiver"));
    assert!(when(&servers, "db1 Drain") < when(&servers, &format!("{best} SetReadOnly")));

    // It has committed more than anybody received: nobody is promoted, and it takes writes again.
    let mut ahead = start;
    ahead[0] = source_at(1_500);
    let (servers, decision) = run_code(AnalysisCode::DeadSource, ahead, vec![], &settings);
    let told = reason(decision);
    assert_eq!((told.code.as_str(), told.at_risk.as_str()), ("data-at-risk", "up to binlog.000007:1500"));
    assert_eq!(told.changed, [] as [String; 0]);
    assert!(!servers.all[0].read_only && servers.all[1].replication.is_running());
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

/// The chosen one dies when it is to take writes; another one has received so much of its log beyond its end by then. A third one may die
/// with it.
fn lost_while_promoted(beyond: i64, third_dies: bool) -> (Servers, Decision) {
    let mut start = vec![source_at(900), by_place(1, 900, 900), by_place(2, 900, 900)];
    start.extend(third_dies.then(|| by_place(3, 900, 900)));
    let (mut servers, mut machine, mut decision) = begin(start, &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        let promoted = steps.iter().find(|s| matches!(s.action, Action::SetReadOnly { on: false, .. }));
        if let Some(step) = promoted.filter(|_| servers.dead.len() == 1) {
            let n = servers.all.iter().position(|s| s.key == step.server).expect("known");
            servers.dead.push(n);
            servers.dead.extend(third_dies.then_some(3));
            servers.all[3 - n].replication.read.position += beyond;
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    (servers, decision)
}

#[test]
fn one_that_is_lost_while_it_is_promoted_is_replaced_where_nobody_has_got_anything_of_it() {
    let (servers, decision) = lost_while_promoted(0, false);
    let told = report(decision);
    let lost = key(servers.dead[1]);
    assert_ne!(told.successor, lost);
    assert!(told.fence.contains(&lost), "it is fenced on sight: {:?}", told.fence);
    assert_eq!(servers.all[1..].iter().filter(|s| !s.read_only && s.key != lost).count(), 1);
}

#[test]
fn one_that_is_lost_while_it_is_promoted_is_left_to_a_person_where_somebody_has_its_writes() {
    let (servers, decision) = lost_while_promoted(100, false);
    let told = reason(decision);
    assert_eq!(told.code, "out-of-sight");
    assert!(told.message.contains("beyond own.000003"), "{}", told.message);
    assert_eq!(told.fence, [key(servers.dead[1])], "it is fenced on sight");
    let lives = |s: &&Instance| s.key != key(0) && !told.fence.contains(&s.key);
    assert!(servers.all.iter().filter(lives).all(|s| s.read_only));

    // Nothing is known of what a replica has got that cannot be asked.
    let told = reason(lost_while_promoted(0, true).1);
    assert_eq!(told.code, "out-of-sight");
    assert!(told.message.contains("db3:3306, which may have followed it, cannot be reached"), "{}", told.message);
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
