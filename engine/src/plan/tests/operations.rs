//! Plans of the operations beside relocation by GTID.

use app::BinlogCoordinates;
use app::plan::{Place, Positioning};
use rstest::rstest;

use super::*;

/// A tree by positions: 0 <- 1 <- 2, 1 <- 3, 0 <- 4.
fn positioned() -> Vec<Instance> {
    let mut servers = tree(false);
    for server in servers.iter_mut().skip(1) {
        by_position(server);
        server.replication.exec = BinlogCoordinates::binary("bin.000001", 100);
        server.lag = Some(0);
    }
    servers
}

fn tree(mariadb: bool) -> Vec<Instance> {
    [None, Some(0), Some(1), Some(1), Some(0)].into_iter().enumerate().map(|(n, s)| server(n, s, mariadb)).collect()
}

fn planned(servers: Vec<Instance>, operation: &Operation) -> Result<Plan, Refusal> {
    plan(operation, &snapshot(servers), &PlanSettings::default())
}

fn rule(servers: Vec<Instance>, operation: &Operation) -> String {
    planned(servers, operation).expect_err("refused").rule
}

/// Every needed step comes before the step that needs it, in an earlier phase.
fn needs_are_earlier(plan: &Plan) {
    for step in &plan.steps {
        for id in &step.needs {
            let needed = plan.steps.iter().find(|s| s.id == *id).expect("a step of the plan");
            assert!(needed.phase < step.phase, "{} needs {id}: {plan:#?}", step.id);
        }
    }
}

#[test]
fn without_gtid_a_server_moves_below_its_sibling_when_both_stand_still() {
    let plan = planned(positioned(), &Operation::Relocate { server: key(2), below: key(3) }).expect("siblings");
    assert_eq!(
        names(&plan),
        [
            "db2 StopReplication",
            "db3 StopReplication",
            "db3 StartUntil",
            "db2 StartUntil",
            "db2 ChangeSource",
            "db2 StartReplication",
            "db3 StartReplication",
            "db2 Verify",
            "db3 Verify",
        ]
    );
    let change = &plan.steps[4];
    assert!(change.statements[0].contains(crate::statements::PLACE), "{change:?}");
    let expected = Positioning::At { peer: key(3), place: Place::Own };
    assert_eq!(change.action, Action::ChangeSource { to: key(3), positioning: expected });
    assert_eq!(change.undo, [Action::ChangeSource { to: key(1), positioning: Positioning::AsBefore }]);
    needs_are_earlier(&plan);
}

#[test]
fn without_gtid_a_server_moves_beside_its_source_which_goes_on_whatever_happens() {
    let plan = planned(positioned(), &Operation::MoveUp { server: key(2) }).expect("one level up");
    assert_eq!(plan.moves, [app::plan::Move { server: key(2), from: key(1), to: key(0) }]);
    let resumed = plan.steps.iter().find(|s| s.server == key(1) && s.action == Action::StartReplication);
    assert!(resumed.is_some_and(|s| s.needs.is_empty()), "{plan:#?}");
    needs_are_earlier(&plan);
    let both = planned(positioned(), &Operation::MoveUpReplicas { server: key(1), pattern: String::new() });
    let both = both.expect("both replicas");
    assert_eq!(both.moves.len(), 2);
    assert_eq!(both.steps.iter().filter(|s| s.server == key(1) && s.action == Action::StopReplication).count(), 1);
    needs_are_earlier(&both);
}

#[rstest]
#[case::far_away(Operation::Relocate { server: key(2), below: key(4) }, "needs-gtid")]
#[case::topmost(Operation::MoveUp { server: key(1) }, "source-is-topmost")]
#[case::not_siblings(Operation::MoveBelow { server: key(2), below: key(4) }, "not-siblings")]
#[case::by_gtid_only(Operation::MoveGtid { server: key(2), below: key(3) }, "needs-gtid")]
#[case::several(Operation::RelocateReplicas { server: key(1), below: key(0), pattern: String::new() }, "needs-gtid")]
#[case::takeover(Operation::TakeSource { server: key(1) }, "source-is-topmost")]
#[case::regroup(Operation::RegroupReplicas { server: key(1), gtid_only: false }, "needs-gtid")]
#[case::no_replicas(Operation::RegroupReplicas { server: key(2), gtid_only: false }, "no-replicas")]
#[case::position_already(Operation::DisableGtid { server: key(2) }, "gtid-not-used")]
#[case::local_source(Operation::MakeLocalSource { server: key(2) }, "needs-gtid")]
#[case::credentials(Operation::SetCredentials { server: key(2) }, "replication-runs")]
#[case::skip(Operation::SkipQuery { server: key(2) }, "applier-runs")]
#[case::reset_primary(Operation::ResetReplica { server: key(0) }, "not-a-replica")]
#[case::semi_sync(Operation::SetSemiSyncSource { server: key(0), on: true }, "no-semi-sync")]
#[case::no_log(Operation::FlushBinaryLogs { server: key(0), until: String::new() }, "no-binary-log")]
#[case::errant(Operation::ResetErrant { server: key(2) }, "no-errant-transactions")]
#[case::inject(Operation::InjectErrant { server: key(2) }, "no-errant-transactions")]
#[case::unknown(Operation::KillQuery { server: key(9), process: 1 }, "unknown-server")]
fn what_cannot_be_done_is_refused_by_name(#[case] operation: Operation, #[case] expected: &str) {
    assert_eq!(rule(positioned(), &operation), expected);
}

#[test]
fn a_server_that_lags_or_stands_still_is_not_waited_for() {
    let operation = Operation::MoveUp { server: key(2) };
    let mut servers = positioned();
    servers[1].lag = Some(3_600);
    assert_eq!(rule(servers, &operation), "lagging");
    let mut servers = positioned();
    servers[2].replication.applier = ThreadState::Stopped;
    assert_eq!(rule(servers, &operation), "not-replicating");
}

#[rstest]
#[case::mysql(tree(false), true)]
#[case::mariadb(tree(true), true)]
#[case::by_position(positioned(), false)]
fn a_replica_and_its_source_change_places(#[case] servers: Vec<Instance>, #[case] by_gtid: bool) {
    let plan = planned(servers.clone(), &Operation::TakeSource { server: key(2) }).expect("allowed");
    needs_are_earlier(&plan);
    let waits = plan.steps.iter().any(|s| matches!(&s.action, Action::WaitForPeer { peer } if *peer == key(2)));
    assert_eq!(waits, by_gtid);
    let after = after(&snapshot(servers), &plan);
    let source = |n| after.get(&key(n)).map(|i| i.replication.source.clone());
    assert_eq!((source(2), source(1), source(3)), (Some(key(0)), Some(key(2)), Some(key(1))));
    let last = |n| plan.steps.iter().rev().find(|s| s.server == key(n)).map(|s| s.action.clone());
    assert!(matches!(last(1), Some(Action::Verify { .. })) && matches!(last(2), Some(Action::Verify { .. })));
}

#[test]
fn a_primary_joins_its_replica_in_a_ring_with_the_options_of_the_replica() {
    let mut servers = tree(false);
    servers[1].replication.tls.ca_file = "/ca.pem".into();
    servers[1].lag = Some(0);
    let plan = planned(servers.clone(), &Operation::MakeCoSource { server: key(1) }).expect("allowed");
    let change = plan.steps.iter().find(|s| matches!(s.action, Action::ChangeSource { .. })).expect("repointed");
    assert_eq!(change.server, key(0));
    assert!(change.statements[0].contains("'/ca.pem'"), "{change:?}");
    assert!(change.statements[0].contains(crate::statements::CREDENTIALS), "{change:?}");
    assert_eq!(change.undo, [Action::ResetReplication]);

    servers[1].read_only = false;
    assert_eq!(rule(servers, &Operation::MakeCoSource { server: key(1) }), "writeable");
    assert_eq!(rule(tree(false), &Operation::MakeCoSource { server: key(2) }), "lagging");
    let mut servers = tree(false);
    servers[2].lag = Some(0);
    assert_eq!(rule(servers, &Operation::MakeCoSource { server: key(2) }), "source-replicates");
}

#[test]
fn a_local_source_moves_up_before_its_siblings_move_below_it() {
    let plan = planned(tree(true), &Operation::MakeLocalSource { server: key(2) }).expect("allowed");
    let sibling: Vec<&Step> = plan.steps.iter().filter(|s| s.server == key(3)).collect();
    assert!(!sibling.is_empty() && sibling.iter().all(|s| s.needs.len() == 1), "{sibling:#?}");
    needs_are_earlier(&plan);
    assert_eq!(plan.moves.len(), 2);
}

#[test]
fn the_best_replica_takes_the_others() {
    let mut servers = tree(false);
    for server in &mut servers {
        server.executed_gtid = "aaaaaaaa-0000-0000-0000-000000000000:1-5".into();
    }
    servers[1].log_replica_updates = false;
    let operation = Operation::RegroupReplicas { server: key(0), gtid_only: true };
    let plan = planned(servers.clone(), &operation).expect("allowed");
    assert_eq!(plan.moves, [app::plan::Move { server: key(1), from: key(0), to: key(4) }]);
    servers[4].log_bin = false;
    assert_eq!(rule(servers, &operation), "no-candidate");
}

#[test]
fn repointing_keeps_the_place_and_bears_a_source_that_is_away() {
    let same = planned(positioned(), &Operation::Repoint { server: key(2), below: None }).expect("in place");
    assert!(same.warnings.is_empty(), "{:?}", same.warnings);
    let place = Positioning::At { peer: key(2), place: Place::Executed };
    assert!(same.steps.iter().any(|s| s.action == Action::ChangeSource { to: key(1), positioning: place.clone() }));

    let mut servers = tree(true);
    servers[4].check.last_checked = Some(at(1));
    let away = planned(servers, &Operation::Repoint { server: key(2), below: Some(key(4)) }).expect("allowed");
    assert!(!away.steps.iter().any(|s| matches!(s.action, Action::WaitForPeer { .. })));
    assert!(away.warnings.iter().any(|w| w.contains("cannot be read")), "{:?}", away.warnings);
    let Some(Action::Verify { expect }) = away.steps.last().map(|s| &s.action) else { panic!("read back") };
    assert!(!expect.iter().any(|c| matches!(c, app::plan::Condition::ReceiverRunning { .. })), "{expect:?}");
}

#[test]
fn gtid_is_switched_on_and_off_in_place() {
    let change = |plan: &Plan| {
        let step = plan.steps.iter().find(|s| matches!(s.action, Action::ChangeSource { .. })).expect("repointed");
        (step.action.clone(), step.undo.clone())
    };
    assert_eq!(rule(tree(false), &Operation::EnableGtid { server: key(2) }), "gtid-used-already");
    let mut servers = positioned();
    servers[2].gtid_mode = "OFF".into();
    assert_eq!(rule(servers, &Operation::EnableGtid { server: key(2) }), "gtid-incompatible");
    let mut servers = positioned();
    servers[2].gtid_mode = "ON".into();
    let on = planned(servers, &Operation::EnableGtid { server: key(2) }).expect("allowed");
    let (action, undo) = change(&on);
    assert_eq!(action, Action::ChangeSource { to: key(1), positioning: Positioning::AutoPosition });
    assert_eq!(undo, [Action::ChangeSource { to: key(1), positioning: Positioning::AsBefore }]);

    let off = planned(tree(true), &Operation::DisableGtid { server: key(2) }).expect("allowed");
    let (action, undo) = change(&off);
    let place = Positioning::At { peer: key(2), place: Place::Executed };
    assert_eq!(action, Action::ChangeSource { to: key(1), positioning: place });
    let back = Positioning::MariaDbGtid { using: "slave_pos".to_owned() };
    assert_eq!(undo, [Action::ChangeSource { to: key(1), positioning: back }]);
}

#[test]
fn binary_logs_are_not_purged_while_a_replica_needs_them() {
    let mut servers = positioned();
    servers[1].binlog = BinlogCoordinates::binary("bin.000009", 4);
    let purge = |to: &str, force| Operation::PurgeBinaryLogs { server: key(1), to: to.to_owned(), force };
    assert_eq!(rule(servers.clone(), &purge("bin.000005", false)), "needed-by-replica");
    assert_eq!(rule(servers.clone(), &purge("bin.000010", false)), "bad-binary-log");
    assert_eq!(rule(servers.clone(), &purge("relay.000001", false)), "bad-binary-log");
    let forced = planned(servers.clone(), &purge("latest", true)).expect("forced");
    assert_eq!(forced.steps[0].statements, ["PURGE BINARY LOGS TO 'bin.000009'"]);
    assert!(forced.warnings.iter().any(|w| w.contains("still needs")));

    let flush = |until: &str| Operation::FlushBinaryLogs { server: key(1), until: until.to_owned() };
    assert_eq!(planned(servers.clone(), &flush("bin.000011")).expect("two on").steps[0].statements.len(), 2);
    assert!(planned(servers.clone(), &flush("bin.000009")).expect("there").steps.is_empty());
    assert_eq!(rule(servers.clone(), &flush("bin.000008")), "binary-log-passed");
    assert_eq!(rule(servers, &flush("bin.999999")), "bad-binary-log");
}

#[test]
fn errant_transactions_have_two_ways_out() {
    const ERRANT: &str = "aaaaaaaa-0000-0000-0000-000000000002:1-3";
    let mut servers = tree(false);
    servers[2].errant_gtid = ERRANT.into();
    let reset = planned(servers.clone(), &Operation::ResetErrant { server: key(2) }).expect("no replicas");
    let statements: Vec<&String> = reset.steps.iter().flat_map(|s| &s.statements).collect();
    assert!(statements.iter().any(|s| *s == "RESET BINARY LOGS AND GTIDS"), "{statements:?}");
    assert!(statements.iter().any(|s| s.contains(crate::statements::HISTORY)), "{statements:?}");

    let inject = planned(servers.clone(), &Operation::InjectErrant { server: key(2) }).expect("a primary");
    assert_eq!(inject.steps[0].server, key(0));
    assert_eq!(inject.steps[0].statements.len(), 3 * 3 + 1);
    assert_eq!(inject.steps[0].statements[0], "SET SESSION gtid_next = 'aaaaaaaa-0000-0000-0000-000000000002:1'");

    servers[1].errant_gtid = ERRANT.into();
    assert_eq!(rule(servers.clone(), &Operation::ResetErrant { server: key(1) }), "has-replicas");
    servers[0].read_only = true;
    assert_eq!(rule(servers, &Operation::InjectErrant { server: key(2) }), "no-writeable-primary");
}

#[test]
fn the_failing_transaction_is_skipped_by_its_name() {
    let failing = |mut servers: Vec<Instance>| {
        servers[2].replication.applier = ThreadState::Stopped;
        servers[2].replication.applier_errno = 1062;
        planned(servers, &Operation::SkipQuery { server: key(2) }).expect("it fails").steps[0].statements.clone()
    };
    assert!(failing(tree(false))[0].contains(crate::statements::FAILING_GTID));
    assert!(failing(positioned())[0].contains(crate::statements::FAILING_GTID), "gtid_mode is ON");
    let mut servers = positioned();
    servers[2].gtid_mode = "OFF".into();
    assert_eq!(failing(servers), ["SET GLOBAL sql_replica_skip_counter = 1"]);
    assert_eq!(failing(tree(true)), ["SET GLOBAL sql_slave_skip_counter = 1"]);
}

#[test]
fn a_delay_is_set_without_throwing_relay_logs_away_where_that_can_be() {
    let plan = |mariadb| {
        planned(tree(mariadb), &Operation::DelayReplication { server: key(2), seconds: 60 }).expect("allowed")
    };
    assert_eq!(names(&plan(false)), ["db2 StopApplier", "db2 SetDelay", "db2 StartApplier", "db2 Verify"]);
    assert_eq!(names(&plan(true)), ["db2 StopReplication", "db2 SetDelay", "db2 StartReplication", "db2 Verify"]);
}

#[test]
fn statements_around_another_name_only_what_runs() {
    let mut replica = server(2, Some(1), true);
    let around = |replica: &Instance| crate::statements::restart_around(replica, "SELECT 1; ");
    assert_eq!(
        around(&replica),
        [
            "stop slave io_thread;",
            "stop slave sql_thread;",
            "SELECT 1;",
            "start slave sql_thread;",
            "start slave io_thread;"
        ]
    );
    replica.replication.applier = ThreadState::Stopped;
    replica.replication.channel = "East".into();
    assert_eq!(around(&replica), ["stop slave 'East' io_thread;", "SELECT 1;", "start slave 'East' io_thread;"]);
}
