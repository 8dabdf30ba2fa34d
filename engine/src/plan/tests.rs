//! Plans of moves: their steps in order, and laws that hold for every generated tree.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::plan::{Action, Plan, Step};
use app::topology::graph::Graph;
use app::topology::{Annotations, Check, Instance, Replication, Snapshot, ThreadState};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;

mod matching;
mod operations;
mod ways;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range") + TimeDelta::seconds(seconds)
}

fn key(n: usize) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

fn server(n: usize, source: Option<usize>, mariadb: bool) -> Instance {
    let running = if source.is_some() { ThreadState::Running } else { ThreadState::NoThread };
    Instance {
        key: key(n),
        server_id: n as u64 + 1,
        server_uuid: if mariadb { String::new() } else { format!("aaaaaaaa-0000-0000-0000-{n:012}") },
        version: if mariadb { "10.11.6-MariaDB".into() } else { "8.4.3".into() },
        gtid_mode: if mariadb { String::new() } else { "ON".into() },
        log_bin: true,
        log_replica_updates: true,
        binlog_format: "ROW".into(),
        cluster_name: "db0:3306".into(),
        read_only: source.is_some(),
        replication: Replication {
            source: source.map(key).unwrap_or_default(),
            has_credentials: source.is_some(),
            auto_position: source.is_some() && !mariadb,
            mariadb_using_gtid: if source.is_some() && mariadb { "Slave_Pos".into() } else { String::new() },
            receiver: running,
            applier: running,
            ..Default::default()
        },
        check: Check {
            last_checked: Some(at(0)),
            last_attempted: Some(at(0)),
            last_seen: Some(at(0)),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn by_position(server: &mut Instance) {
    server.replication.auto_position = false;
    server.replication.read = app::BinlogCoordinates::binary("bin.000001", 4);
}

fn snapshot(servers: impl IntoIterator<Item = Instance>) -> Snapshot {
    Snapshot::new(servers, Annotations::default(), at(0))
}

fn names(plan: &Plan) -> Vec<String> {
    let short = |step: &Step| {
        let text = format!("{:?}", step.action);
        let word = text.split([' ', '{']).next().unwrap_or_default().to_owned();
        format!("{} {word}", step.server.hostname)
    };
    plan.steps.iter().map(short).collect()
}

fn relocate(servers: Vec<Instance>, n: usize, below: usize) -> Result<Plan, Refusal> {
    plan_relocate(&snapshot(servers), &key(n), &key(below), &PlanSettings::default())
}

#[test]
fn a_move_is_the_safe_sequence() {
    let plan = relocate(vec![server(0, None, false), server(1, Some(0), false), server(2, Some(0), false)], 2, 1)
        .expect("allowed");
    assert_eq!(
        names(&plan),
        [
            "db2 StopReceiver",
            "db2 Drain",
            "db2 StopReplication",
            "db2 ChangeSource",
            "db2 StartReplication",
            "db2 Verify",
        ]
    );
    assert_eq!(plan.moves, [app::plan::Move { server: key(2), from: key(0), to: key(1) }]);
    assert!(plan.steps.iter().all(|s| s.timeout_ms > 0 && !s.reason.is_empty()));
    assert!(plan.steps.iter().zip(1..).all(|(s, n)| s.id == n), "{:?}", plan.steps);
    assert!(!plan.checks.is_empty());
    let change = &plan.steps[3];
    assert!(change.statements[0].starts_with("CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db1'"), "{change:?}");
    assert_eq!(change.undo.len(), 1);
}

#[test]
fn a_mariadb_replica_waits_until_its_new_source_has_what_it_has() {
    let plan = relocate(vec![server(0, None, true), server(1, Some(0), true), server(2, Some(0), true)], 2, 1)
        .expect("allowed");
    let names = names(&plan);
    let (wait, change) =
        (names.iter().position(|n| n.ends_with("WaitForPeer")), names.iter().position(|n| n.ends_with("ChangeSource")));
    assert!(wait.is_some() && wait < change, "{names:?}");
}

#[test]
fn what_was_stopped_on_purpose_stays_stopped() {
    for (receiver, applier, start, drains) in [
        (ThreadState::Running, ThreadState::Stopped, Some(Action::StartReceiver), false),
        (ThreadState::Stopped, ThreadState::Running, Some(Action::StartApplier), true),
        (ThreadState::Stopped, ThreadState::Stopped, None, false),
        (ThreadState::Other, ThreadState::Running, Some(Action::StartReplication), true),
    ] {
        let mut moved = server(2, Some(0), false);
        (moved.replication.receiver, moved.replication.applier) = (receiver, applier);
        let plan = relocate(vec![server(0, None, false), server(1, Some(0), false), moved], 2, 1).expect("allowed");
        let starts: Vec<&Action> = plan
            .steps
            .iter()
            .map(|s| &s.action)
            .filter(|a| matches!(a, Action::StartReplication | Action::StartReceiver | Action::StartApplier))
            .collect();
        assert_eq!(starts, start.iter().collect::<Vec<_>>(), "{receiver:?} {applier:?}");
        assert_eq!(plan.steps.iter().any(|s| s.action == Action::Drain), drains);
    }
}

#[test]
fn a_delayed_replica_is_not_drained_and_the_plan_says_so() {
    let mut delayed = server(2, Some(0), false);
    delayed.replication.delay = 3_600;
    let plan = relocate(vec![server(0, None, false), server(1, Some(0), false), delayed], 2, 1).expect("allowed");
    assert!(!plan.steps.iter().any(|s| s.action == Action::Drain));
    assert!(plan.warnings.iter().any(|w| w.contains("delayed")), "{:?}", plan.warnings);
    assert!(plan.steps.iter().any(|s| s.statements.iter().any(|t| t.contains("SOURCE_DELAY = 3600"))));
}

#[test]
fn impossible_moves_are_refused_by_rule() {
    let tree = || vec![server(0, None, false), server(1, Some(0), false), server(2, Some(1), false)];
    let rule = |servers: Vec<Instance>, n, below| relocate(servers, n, below).expect_err("refused").rule;
    assert_eq!(rule(tree(), 1, 2), "below-itself");
    assert_eq!(rule(tree(), 1, 1), "same-server");
    assert_eq!(rule(tree(), 0, 1), "not-a-replica");
    assert_eq!(rule(tree(), 1, 9), "unknown-server");
    let mut servers = tree();
    servers.push(server(3, Some(2), false));
    by_position(&mut servers[3]);
    assert_eq!(rule(servers, 3, 0), "needs-gtid");
    let mut servers = tree();
    servers[0].purged_gtid = "aaaaaaaa-0000-0000-0000-000000000000:1-5".into();
    assert_eq!(rule(servers, 2, 0), "purged-transactions");
}

#[test]
fn a_server_that_is_there_already_is_left_alone() {
    let plan = relocate(vec![server(0, None, false), server(1, Some(0), false)], 1, 0).expect("allowed");
    assert!(plan.steps.is_empty() && plan.moves.is_empty());
    assert!(plan.title.contains("already"));
}

#[test]
fn replicas_move_in_waves_and_those_that_may_not_are_named() {
    let mut servers = vec![server(0, None, false), server(1, Some(0), false)];
    servers.extend((2..9).map(|n| server(n, Some(0), false)));
    by_position(&mut servers[4]);
    for server in &mut servers {
        server.lag = Some(0);
    }
    let plan = |pattern: &str| {
        plan_relocate_replicas(&snapshot(servers.clone()), &key(0), &key(1), pattern, &PlanSettings::default())
    };
    let all = plan("").expect("allowed");
    assert_eq!(all.moves.len(), 6);
    assert!(all.warnings.iter().any(|w| w.starts_with("db4:3306 stays where it is: needs-gtid")), "{:?}", all.warnings);
    let first_phase = |n: usize| all.steps.iter().filter(|s| s.server == key(n)).map(|s| s.phase).min().expect("moves");
    assert_eq!((first_phase(2), first_phase(7)), (1, 1));
    assert_eq!(first_phase(8), 1 + MOVE_PHASES);
    assert_eq!(plan("db[23]").expect("allowed").moves.len(), 2);
    assert_eq!(plan("db4").expect_err("refused").rule, "needs-gtid");
    assert_eq!(plan("(").expect_err("refused").rule, "bad-pattern");
    assert!(plan("nobody").expect("nothing to do").steps.is_empty());
    let below = plan_relocate_replicas(&snapshot(servers.clone()), &key(0), &key(0), "", &PlanSettings::default());
    assert!(below.expect("there already").steps.is_empty());
}

#[test]
fn threads_read_only_and_detaching() {
    let mut primary = server(0, None, false);
    primary.super_read_only = Some(false);
    let snapshot = snapshot([primary, server(1, Some(0), false)]);
    let settings = PlanSettings { use_super_read_only: true, ..Default::default() };
    let statements = |operation: Operation| -> Vec<String> {
        plan(&operation, &snapshot, &settings).expect("allowed").steps.into_iter().flat_map(|s| s.statements).collect()
    };
    assert_eq!(statements(Operation::StopReplication { server: key(1) }), ["STOP REPLICA"]);
    assert_eq!(statements(Operation::StartReplication { server: key(1) }), ["START REPLICA"]);
    assert_eq!(statements(Operation::RestartReplication { server: key(1) }), ["STOP REPLICA", "START REPLICA"]);
    assert_eq!(statements(Operation::SetReadOnly { server: key(0) }), ["SET GLOBAL super_read_only = ON"]);
    assert_eq!(statements(Operation::SetWriteable { server: key(0) }), ["SET GLOBAL read_only = OFF"]);
    let detach = statements(Operation::DetachReplica { server: key(1) });
    assert!(detach[1].contains("SOURCE_HOST = '//db0'"), "{detach:?}");
    let refusal = plan(&Operation::StopReplication { server: key(0) }, &snapshot, &settings).expect_err("refused");
    assert_eq!(refusal.rule, "not-a-replica");
    let refusal = plan(&Operation::ReattachReplica { server: key(1) }, &snapshot, &settings).expect_err("refused");
    assert_eq!(refusal.rule, "not-detached");
}

/// Servers by number; each replicates from an earlier one.
fn trees() -> impl Strategy<Value = Vec<Instance>> {
    (any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 1..9)).prop_map(|(mariadb, sources)| {
        let mut servers = vec![server(0, None, mariadb)];
        for (n, source) in sources.iter().enumerate() {
            servers.push(server(n + 1, Some(source.index(n + 1)), mariadb));
        }
        servers
    })
}

/// The snapshot once every step of the plan is done.
fn after(before: &Snapshot, plan: &Plan) -> Snapshot {
    let mut servers: BTreeMap<InstanceKey, Instance> =
        before.instances.iter().map(|(k, i)| (k.clone(), i.as_ref().clone())).collect();
    for step in &plan.steps {
        apply(&step.action, servers.get_mut(&step.server).expect("known"));
    }
    snapshot(servers.into_values())
}

proptest! {
    #[test]
    fn moves_make_no_ring_and_the_expected_tree(servers in trees(), n in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let before = snapshot(servers.clone());
        let (n, to) = (n.index(servers.len()), to.index(servers.len()));
        let below_itself = Graph::new(&before).is_descendant(&key(to), &key(n));
        match plan_relocate(&before, &key(n), &key(to), &PlanSettings::default()) {
            Err(refusal) => prop_assert!(n == 0 || n == to || below_itself, "{}", refusal),
            Ok(plan) => {
                let after = after(&before, &plan);
                prop_assert!(!below_itself);
                prop_assert!(Graph::new(&after).rings().is_empty());
                for (k, was) in before.instances.iter() {
                    let is = after.get(k).expect("nobody vanishes");
                    let expected = if *k == key(n) { key(to) } else { was.replication.source.clone() };
                    prop_assert_eq!(&is.replication.source, &expected);
                    prop_assert_eq!(is.replication.is_running(), was.replication.is_running());
                }
            }
        }
    }

    #[test]
    fn replicas_of_a_server_move_together_and_make_no_ring(servers in trees(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let before = snapshot(servers.clone());
        let (from, to) = (from.index(servers.len()), to.index(servers.len()));
        if let Ok(plan) = plan_relocate_replicas(&before, &key(from), &key(to), "", &PlanSettings::default()) {
            let after = after(&before, &plan);
            prop_assert!(Graph::new(&after).rings().is_empty());
            let left = after.replicas_of(&key(from)).filter(|r| r.key != key(to)).count();
            prop_assert!(left == 0 || from == to);
        }
    }

    #[test]
    fn a_plan_has_the_same_fingerprint_until_a_fact_changes(servers in trees(), changed in any::<prop::sample::Index>(), what in 0..6_u8) {
        let plan_of = |servers: &[Instance]| {
            plan_relocate_replicas(&snapshot(servers.to_vec()), &key(0), &key(1), "", &PlanSettings::default())
        };
        let Ok(plan) = plan_of(&servers) else { return Ok(()) };
        prop_assert_eq!(&plan_of(&servers).expect("again").fingerprint, &plan.fingerprint);

        // What changes with every write is no reason to refuse a plan.
        let mut written = servers.clone();
        for server in &mut written {
            server.binlog.position += 1;
            server.lag = Some(1);
            server.check.latency_ns += 1;
        }
        prop_assert_eq!(&plan_of(&written).expect("again").fingerprint, &plan.fingerprint);

        let moved: Vec<usize> = (0..servers.len()).filter(|n| plan.moves.iter().any(|m| m.server == key(*n))).collect();
        prop_assume!(!moved.is_empty());
        let n = moved[changed.index(moved.len())];
        let mut other = servers.clone();
        match what {
            0 => other[n].replication.applier = ThreadState::Stopped,
            1 => other[n].replication.tls.ca_file = "/other.pem".into(),
            2 => other[n].replication.source = key(1),
            3 => other[n].version.push_str("-log"),
            4 => other[0].read_only = !other[0].read_only,
            _ => other[n].replication.delay = 7,
        }
        if let Ok(now) = plan_of(&other) {
            prop_assert_ne!(now.fingerprint, plan.fingerprint);
        }
    }
}

/// db0 was replaced by db1 and is back, read-only; db2 replicates from db1. `executed` is of db0.
fn replaced(mariadb: bool, executed: &str) -> Vec<Instance> {
    let mut servers = vec![server(0, None, mariadb), server(1, None, mariadb), server(2, Some(1), mariadb)];
    servers[0].read_only = true;
    servers[0].semi_sync.source_enabled = true;
    servers[0].semi_sync.available = true;
    servers[2].semi_sync.replica_enabled = true;
    servers[2].replication.delay = 30;
    servers[0].executed_gtid = executed.into();
    servers[1].executed_gtid = if mariadb { "0-1-9".into() } else { "aaaaaaaa-0000-0000-0000-000000000000:1-9".into() };
    servers
}

fn rejoin_of(servers: Vec<Instance>, reason: &str) -> Result<Plan, Refusal> {
    let mut annotations = Annotations::default();
    let downtime =
        app::topology::Downtime { owner: String::new(), reason: reason.into(), begin: at(-60), end: at(3_600) };
    annotations.downtime.insert(key(0), downtime);
    plan_relocate(&Snapshot::new(servers, annotations, at(0)), &key(0), &key(1), &PlanSettings::default())
}

#[test]
fn a_replaced_source_without_anything_of_its_own_becomes_a_replica_by_one_move() {
    for (mariadb, executed) in [(false, "aaaaaaaa-0000-0000-0000-000000000000:1-7"), (true, "0-1-9")] {
        let plan = rejoin_of(replaced(mariadb, executed), "lost-in-recovery").expect("allowed");
        let actions: Vec<String> = plan.steps.iter().map(|s| format!("{:?}", s.action)).collect();
        let words: Vec<&str> = actions.iter().filter_map(|a| a.split([' ', '{']).next()).collect();
        let expected = ["SetSemiSyncSource", "SetSemiSyncReplica", "ChangeSource", "StartReplication", "Verify"];
        assert_eq!(words, expected);
        let change = plan.steps[2].statements.join(";");
        assert!(!change.contains("DELAY"), "the delay of the other replica is its own: {change}");
        let by = if mariadb { "current_pos" } else { "AUTO_POSITION = 1" };
        assert!(change.to_lowercase().contains(&by.to_lowercase()), "{change}");
        let undo: Vec<_> = plan.steps.iter().flat_map(|s| s.undo.clone()).collect();
        assert!(undo.contains(&Action::ResetReplication), "{undo:?}");
        assert_eq!(plan.moves.len(), 1);
    }
}

#[test]
fn a_replaced_source_is_refused_by_name_of_what_it_has_more_and_while_it_takes_writes() {
    let refusal = |servers, reason: &str| rejoin_of(servers, reason).expect_err("refused");
    let more = refusal(replaced(false, "aaaaaaaa-0000-0000-0000-000000000000:1-12"), "lost-in-recovery");
    assert_eq!(more.rule, "extra-transactions");
    assert!(more.message.contains("aaaaaaaa-0000-0000-0000-000000000000:10-12"), "{}", more.message);
    assert_eq!(refusal(replaced(true, "0-1-12"), "lost-in-recovery").rule, "extra-transactions");
    assert_eq!(refusal(replaced(false, ""), "lost-in-recovery").rule, "extra-unknown");
    let mut writeable = replaced(false, "aaaaaaaa-0000-0000-0000-000000000000:1-7");
    writeable[0].read_only = false;
    assert_eq!(refusal(writeable, "lost-in-recovery").rule, "writeable-server");
    let other = replaced(false, "aaaaaaaa-0000-0000-0000-000000000000:1-7");
    assert_eq!(refusal(other, "maintenance").rule, "not-a-replica", "no recovery left it behind");
}

#[test]
fn a_mariadb_source_that_cannot_be_compared_is_left_to_its_new_source_to_refuse() {
    let mut servers = replaced(true, "0-1-9");
    servers[1].executed_gtid = "0-2-20".into();
    let plan = rejoin_of(servers, "lost-in-recovery").expect("allowed");
    assert!(plan.warnings.iter().any(|w| w.contains("refuses")), "{:?}", plan.warnings);
}
