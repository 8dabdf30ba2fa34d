//! Ways to another log without GTID: recorded places, binlog servers; and servers that must not be handled so: several channels, groups.

use app::BinlogCoordinates;
use app::plan::Positioning;
use app::topology::{Equivalence, LogPlace};
use rstest::rstest;

use super::*;

fn binary(position: i64) -> BinlogCoordinates {
    BinlogCoordinates::binary("bin.000001", position)
}

/// Servers without GTID, each with its source.
fn positioned<const N: usize>(sources: [Option<usize>; N]) -> Vec<Instance> {
    let mut servers: Vec<Instance> = sources.into_iter().enumerate().map(|(n, s)| server(n, s, false)).collect();
    for server in servers.iter_mut().filter(|s| s.is_replica()) {
        by_position(server);
        (server.replication.read, server.replication.exec) = (binary(100), binary(100));
        server.lag = Some(0);
    }
    servers
}

fn binlog_server(server: &mut Instance, received: i64) {
    server.version = "2.4.0-maxscale".to_owned();
    server.binlog_format = "INHERIT".to_owned();
    server.server_uuid.clear();
    server.binlog = binary(received);
    (server.replication.read, server.replication.exec) = (binary(received), binary(received));
}

fn stop(server: &mut Instance) {
    (server.replication.receiver, server.replication.applier) = (ThreadState::Stopped, ThreadState::Stopped);
}

fn second_channel(server: &mut Instance) {
    let mut second = server.replication.clone();
    second.channel = "other".to_owned();
    second.source = InstanceKey::new("elsewhere", 3306);
    server.channels = vec![server.replication.clone(), second];
}

fn in_group(server: &mut Instance, role: &str) {
    server.group.name = "g".to_owned();
    server.group.role = role.to_owned();
    server.errant_gtid = format!("{}:1", server.server_uuid);
}

fn planned(servers: Vec<Instance>, operation: &Operation) -> Result<Plan, Refusal> {
    plan(operation, &snapshot(servers), &PlanSettings::default())
}

fn rule(servers: Vec<Instance>, operation: &Operation) -> String {
    planned(servers, operation).expect_err("refused").rule
}

/// 0 <- 1 <- 2 and 0 <- 3 <- 4; where 2 stands is known to be bin.000009:77 of 3.
fn with_record(servers: Vec<Instance>) -> Snapshot {
    let mut annotations = Annotations::default();
    annotations.equivalences.record(Equivalence {
        one: LogPlace { source: key(3), at: BinlogCoordinates::binary("bin.000009", 77) },
        other: LogPlace { source: key(1), at: binary(100) },
    });
    Snapshot::new(servers, annotations, at(0))
}

const CHAINS: [Option<usize>; 5] = [None, Some(0), Some(1), Some(0), Some(3)];

#[test]
fn a_replica_that_stands_still_goes_to_the_place_that_is_recorded() {
    let mut servers = positioned(CHAINS);
    stop(&mut servers[2]);
    let relocate = Operation::Relocate { server: key(2), below: key(3) };
    let plan = plan(&relocate, &with_record(servers), &PlanSettings::default()).expect("recorded");
    assert_eq!(names(&plan), ["db2 StopReplication", "db2 ChangeSource", "db2 Verify"], "it stays stopped");
    let change = &plan.steps[1];
    assert!(change.statements[0].contains("LOG_FILE = 'bin.000009'"), "{change:?}");
    assert!(change.statements[0].contains("LOG_POS = 77"), "{change:?}");
    assert!(change.before.contains(&app::plan::Condition::ExecutedIs { at: binary(100) }), "{change:?}");
}

#[test]
fn one_that_runs_has_left_the_recorded_place_and_is_moved_to_it_only_on_demand() {
    let relocate = Operation::Relocate { server: key(2), below: key(3) };
    let refusal = plan(&relocate, &with_record(positioned(CHAINS)), &PlanSettings::default()).expect_err("it runs");
    assert_eq!(refusal.rule, "needs-gtid");
    let demand = Operation::MoveEquivalent { server: key(2), below: key(3) };
    let plan = plan(&demand, &with_record(positioned(CHAINS)), &PlanSettings::default()).expect("recorded");
    assert_eq!(names(&plan), ["db2 StopReplication", "db2 ChangeSource", "db2 StartReplication", "db2 Verify"]);
    assert_eq!(rule(positioned(CHAINS), &demand), "no-equivalence");
}

#[test]
fn below_a_binlog_server_the_same_coordinates_hold() {
    // Two binlog servers of 0, one with a replica; 4 is a replica of 0.
    let tree = || {
        let mut servers = positioned([None, Some(0), Some(0), Some(1), Some(0)]);
        binlog_server(&mut servers[1], 200);
        binlog_server(&mut servers[2], 150);
        servers
    };
    let steps = |server, below| {
        planned(tree(), &Operation::Relocate { server: key(server), below: key(below) }).map(|plan| names(&plan))
    };
    let waiting = ["StopReplication", "WaitForPeer", "ChangeSource", "StartReplication", "Verify"];
    let of = |n: usize, words: &[&str]| words.iter().map(|word| format!("db{n} {word}")).collect::<Vec<_>>();
    assert_eq!(steps(3, 2), Ok(of(3, &waiting)), "from one binlog server to its sibling");
    assert_eq!(steps(4, 1), Ok(of(4, &waiting)), "from the source to a binlog server of its");
    assert_eq!(steps(1, 2), Ok(of(1, &waiting)), "a binlog server below another");
    let up = ["StopReplication", "ChangeSource", "StartReplication", "Verify"];
    assert_eq!(steps(3, 0), Ok(of(3, &up)), "from a binlog server to its source");
    assert!(steps(3, 4).is_ok_and(|steps| steps.contains(&"db4 StartUntil".to_owned())), "below a sibling of the log");
    assert_eq!(steps(1, 4).expect_err("another log").rule, "other-log");
}

#[test]
fn a_binlog_server_of_another_source_is_reached_by_way_of_that_source() {
    // 3 is two levels below 0, 4 a binlog server of 0.
    let mut servers = positioned([None, Some(0), Some(0), Some(1), Some(0)]);
    binlog_server(&mut servers[4], 200);
    let plan = planned(servers, &Operation::Relocate { server: key(3), below: key(4) }).expect("two moves");
    let changes: Vec<&Step> = plan.steps.iter().filter(|s| matches!(s.action, Action::ChangeSource { .. })).collect();
    let targets: Vec<bool> = changes.iter().map(|s| s.statements[0].contains("'db0'")).collect();
    assert_eq!(targets, [true, false], "{plan:#?}");
    let last = changes.last().expect("two");
    assert!(last.before.contains(&app::plan::Condition::SourceIs { source: key(0) }), "{last:?}");
    assert_eq!(plan.moves.len(), 1);
    assert_eq!((&plan.moves[0].from, &plan.moves[0].to), (&key(1), &key(4)));
}

#[test]
fn the_most_advanced_binlog_server_gets_the_others() {
    let mut servers = positioned([None, Some(0), Some(0), Some(0), Some(0)]);
    for (n, received) in [(1, 150), (2, 300), (3, 200)] {
        binlog_server(&mut servers[n], received);
    }
    let regroup = Operation::RegroupBinlogServers { server: key(0) };
    let plan = planned(servers.clone(), &regroup).expect("three");
    let moved: Vec<(&InstanceKey, &InstanceKey)> = plan.moves.iter().map(|m| (&m.server, &m.to)).collect();
    assert_eq!(moved, [(&key(1), &key(2)), (&key(3), &key(2))], "the replica that is none stays");
    servers.remove(4);
    let all = Operation::RegroupReplicas { server: key(0), gtid_only: false };
    assert_eq!(planned(servers, &all).expect("all are").moves.len(), 2);
    assert_eq!(rule(positioned([None, Some(0)]), &regroup), "no-binlog-servers");
}

#[rstest]
#[case::below_sibling(Operation::Relocate { server: key(2), below: key(3) })]
#[case::sibling_below(Operation::Relocate { server: key(3), below: key(2) })]
#[case::up(Operation::MoveUp { server: key(2) })]
#[case::take(Operation::TakeSource { server: key(2) })]
fn a_server_with_several_channels_is_brought_to_no_position(#[case] operation: Operation) {
    let mut servers = positioned([None, Some(0), Some(1), Some(1)]);
    second_channel(&mut servers[2]);
    assert_eq!(rule(servers, &operation), "several-channels");
}

#[test]
fn by_gtid_one_of_several_channels_moves_where_each_has_a_history_of_its_own() {
    for (mariadb, expected) in [(false, None), (true, Some("several-channels"))] {
        let mut servers = vec![server(0, None, mariadb), server(1, Some(0), mariadb), server(2, Some(0), mariadb)];
        second_channel(&mut servers[2]);
        let refusal = planned(servers, &Operation::Relocate { server: key(2), below: key(1) }).err();
        assert_eq!(refusal.map(|r| r.rule).as_deref(), expected);
    }
}

#[rstest]
#[case::writeable(Operation::SetWriteable { server: key(1) }, "group-secondary")]
#[case::history(Operation::ResetErrant { server: key(1) }, "group-member")]
#[case::moved(Operation::Relocate { server: key(1), below: key(2) }, "group-secondary")]
#[case::repointed(Operation::Repoint { server: key(1), below: None }, "group-secondary")]
#[case::taking(Operation::TakeSource { server: key(1) }, "source-is-topmost")]
fn a_secondary_of_a_group_is_left_to_its_group(#[case] operation: Operation, #[case] expected: &str) {
    let mut servers = vec![server(0, None, false), server(1, Some(0), false), server(2, Some(0), false)];
    in_group(&mut servers[1], "SECONDARY");
    assert_eq!(rule(servers, &operation), expected);
}

#[test]
fn of_several_those_that_stay_are_named_with_their_rule() {
    let mut servers = vec![server(0, None, false), server(1, Some(0), false), server(2, Some(0), false)];
    servers.push(server(3, Some(0), false));
    by_position(&mut servers[2]);
    (servers[2].lag, servers[3].lag) = (Some(0), Some(0));
    let all = Operation::RelocateReplicas { server: key(0), below: key(3), pattern: String::new() };
    let plan = planned(servers, &all).expect("one moves");
    assert_eq!(plan.moves.len(), 1);
    assert_eq!(plan.left_out.len(), 1, "{plan:#?}");
    assert_eq!((&plan.left_out[0].server, plan.left_out[0].refusal.rule.as_str()), (&key(2), "needs-gtid"));
}

#[test]
fn the_origin_of_errant_transactions_is_in_both_plans() {
    let mut servers = vec![server(0, None, false), server(1, Some(0), false), server(2, Some(0), false)];
    servers[0].read_only = false;
    let stranger = "bbbbbbbb-0000-0000-0000-000000000001";
    servers[1].errant_gtid = format!("{}:1-2,{stranger}:7", servers[1].server_uuid);
    for operation in [Operation::ResetErrant { server: key(1) }, Operation::InjectErrant { server: key(1) }] {
        let plan = planned(servers.clone(), &operation).expect("allowed");
        let told = plan.checks.join("\n");
        assert!(told.contains(":1-2 was written on the server itself"), "{told}");
        assert!(told.contains(&format!("{stranger}:7 was written on a server that is not known")), "{told}");
    }
}

#[test]
fn replicas_are_told_the_name_that_is_registered_for_their_source() {
    let servers = || vec![server(0, None, false), server(1, Some(0), false), server(2, Some(0), false)];
    let named = |servers, name: &str| {
        let unresolved = [("db1".to_owned(), name.to_owned())].into();
        Snapshot::new(servers, Annotations { unresolved, ..Annotations::default() }, at(0))
    };
    let relocate = Operation::Relocate { server: key(2), below: key(1) };
    let settings = PlanSettings::default();
    let host = |plan: &Plan| {
        let all = plan.steps.iter().flat_map(|step| &step.statements);
        all.filter_map(|s| s.split_once("_HOST = '")?.1.split_once('\''))
            .map(|(host, _)| host.to_owned())
            .collect::<Vec<_>>()
    };
    let plain = plan(&relocate, &snapshot(servers()), &settings).expect("possible");
    let told = plan(&relocate, &named(servers(), "vip"), &settings).expect("possible");
    assert_eq!((host(&plain), host(&told)), (vec!["db1".to_owned()], vec!["vip".to_owned()]));
    assert!(told.checks.iter().any(|check| check.contains("vip") && check.contains("db1")), "{:?}", told.checks);
    assert_ne!(plain.fingerprint, told.fingerprint, "what was shown is what is sent");
    assert!(
        told.steps
            .iter()
            .any(|step| step.action == Action::ChangeSource { to: key(1), positioning: Positioning::AutoPosition })
    );

    for (servers, name, settings) in [
        (servers(), "", settings.clone()),
        (servers(), "db1", settings.clone()),
        (servers(), "vip", PlanSettings { virtual_names: false, ..settings.clone() }),
    ] {
        let plan = plan(&relocate, &named(servers, name), &settings).expect("possible");
        assert_eq!((host(&plan), &plan.fingerprint), (vec!["db1".to_owned()], &plain.fingerprint));
    }
    // Whether the name leads to one that cannot be read is not to be found out.
    let mut silent = servers();
    silent[1].check.last_seen = None;
    assert_eq!(virtual_name(&named(silent, "vip"), &key(1)), None);
}
