//! Plans of moves by pseudo-GTID.

use app::BinlogCoordinates;
use app::plan::Positioning;
use rstest::rstest;

use super::*;

/// A tree by positions with entries: 0 <- 1 <- 2, 1 <- 3, 0 <- 4.
fn tree() -> Vec<Instance> {
    let mut servers: Vec<Instance> =
        [None, Some(0), Some(1), Some(1), Some(0)].into_iter().enumerate().map(|(n, s)| server(n, s, false)).collect();
    for server in &mut servers {
        server.uses_pseudo_gtid = true;
        if server.is_replica() {
            by_position(server);
            server.replication.exec = BinlogCoordinates::binary("bin.000001", 100);
            server.replication.read = server.replication.exec.clone();
            server.lag = Some(0);
        }
    }
    servers
}

fn planned(servers: Vec<Instance>, operation: &Operation) -> Result<Plan, Refusal> {
    let settings = PlanSettings { pseudo_gtid: true, ..PlanSettings::default() };
    plan(operation, &snapshot(servers), &settings)
}

#[test]
fn a_place_is_found_before_anything_but_threads_is_changed() {
    let expected = [
        "db2 StopReceiver",
        "db2 Drain",
        "db2 StopReplication",
        "db2 FindPlace",
        "db2 ChangeSource",
        "db2 StartReplication",
        "db2 Verify",
    ];
    for operation in [
        Operation::Match { server: key(2), below: key(4) },
        Operation::Relocate { server: key(2), below: key(4) },
        Operation::Match { server: key(2), below: key(3) },
    ] {
        let plan = planned(tree(), &operation).expect("both have entries");
        assert_eq!(names(&plan), expected, "{operation:?}");
        let change = &plan.steps[4];
        assert!(change.statements[0].contains(crate::statements::PLACE), "{change:?}");
        assert_eq!(change.undo, [Action::ChangeSource { to: key(1), positioning: Positioning::AsBefore }]);
        assert!(plan.steps[3].timeout_ms > 60_000, "reading logs takes its time");
    }
}

#[test]
fn a_source_that_cannot_be_read_does_not_keep_its_replica_from_going_up() {
    let mut servers = tree();
    servers[1].check.last_seen = None;
    let plan = planned(servers, &Operation::MatchUp { server: key(2) }).expect("its source is not asked");
    assert_eq!(plan.moves[0].to, key(0));
    let plan = planned(tree(), &Operation::Rematch { server: key(2) }).expect("below its own source");
    assert_eq!((&plan.moves[0].from, &plan.moves[0].to), (&key(1), &key(1)));
}

#[test]
fn several_move_each_for_itself() {
    for (operation, to) in [
        (Operation::MatchReplicas { server: key(1), below: key(4), pattern: String::new() }, 4),
        (Operation::MatchUpReplicas { server: key(1), pattern: String::new() }, 0),
        (Operation::MoveUpReplicas { server: key(1), pattern: String::new() }, 0),
        (Operation::RelocateReplicas { server: key(1), below: key(4), pattern: String::new() }, 4),
    ] {
        let plan = planned(tree(), &operation).expect("all have entries");
        assert_eq!(
            plan.moves.iter().map(|m| (&m.server, &m.to)).collect::<Vec<_>>(),
            [(&key(2), &key(to)), (&key(3), &key(to))]
        );
        assert!(!plan.servers().contains(&key(1)), "nobody else has to stand still");
    }
    for operation in [
        Operation::RegroupReplicasPseudoGtid { server: key(1) },
        Operation::RegroupReplicas { server: key(1), gtid_only: false },
    ] {
        let plan = planned(tree(), &operation).expect("one of them takes the other");
        assert_eq!(plan.moves.len(), 1);
        assert!(plan.steps.iter().any(|s| matches!(s.action, Action::FindPlace { .. })), "{operation:?}");
    }
}

#[rstest]
#[case::topmost(Operation::MatchUp { server: key(1) }, "source-is-topmost")]
#[case::ring(Operation::Match { server: key(1), below: key(2) }, "below-itself")]
#[case::itself(Operation::Match { server: key(1), below: key(1) }, "same-server")]
#[case::primary(Operation::Rematch { server: key(0) }, "not-a-replica")]
#[case::pattern(Operation::MatchReplicas { server: key(1), below: key(0), pattern: "(".into() }, "bad-pattern")]
#[case::nobody(Operation::RegroupReplicasPseudoGtid { server: key(2) }, "no-replicas")]
#[case::by_gtid_only(Operation::RelocateReplicas { server: key(9), below: key(0), pattern: String::new() }, "unknown-server")]
#[case::move_gtid(Operation::MoveReplicasGtid { server: key(1), below: key(4), pattern: String::new() }, "needs-gtid")]
fn what_cannot_be_matched_is_refused_by_name(#[case] operation: Operation, #[case] expected: &str) {
    assert_eq!(planned(tree(), &operation).expect_err("refused").rule, expected);
}

#[test]
fn a_replica_that_uses_gtid_keeps_it_and_without_a_pattern_nothing_is_matched() {
    let wanted = Operation::Match { server: key(2), below: key(4) };
    let mut servers = tree();
    servers[2].replication.auto_position = true;
    assert_eq!(planned(servers, &wanted).expect_err("it would lose it").rule, "uses-gtid");
    let refusal = plan(&wanted, &snapshot(tree()), &PlanSettings::default()).expect_err("no pattern");
    assert_eq!(refusal.rule, "pseudo-gtid-not-set-up");
}
