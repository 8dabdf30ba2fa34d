//! Which moves are allowed, and by which rule the others are refused.
#![allow(clippy::expect_used)]

use app::InstanceKey;
use app::plan::{Positioning, Refusal};
use app::rules::{RuleSettings, can_relocate, can_replicate_from};
use app::topology::{Annotations, Check, Instance, Replication, Snapshot, ThreadState};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

const TOP: &str = "aaaaaaaa-0000-0000-0000-000000000001";

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000, 0).expect("in range")
}

/// A MySQL server by number; below another one when a source is named.
fn mysql(number: u64, source: Option<&str>) -> Instance {
    let replication = match source {
        Some(source) => Replication {
            source: key(source),
            auto_position: true,
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            ..Default::default()
        },
        None => Replication::default(),
    };
    Instance {
        key: key(&format!("db{number}")),
        server_id: number,
        server_uuid: format!("aaaaaaaa-0000-0000-0000-{number:012}"),
        version: "8.4.3".to_owned(),
        log_bin: true,
        log_replica_updates: true,
        binlog_format: "ROW".to_owned(),
        gtid_mode: "ON".to_owned(),
        executed_gtid: format!("{TOP}:1-100"),
        cluster_name: "db1:3306".to_owned(),
        replication,
        check: Check { last_checked: Some(now()), last_seen: Some(now()), ..Default::default() },
        ..Default::default()
    }
}

fn mariadb(number: u64, source: Option<&str>) -> Instance {
    let mut server = mysql(number, source);
    server.server_uuid.clear();
    server.version = "10.11.6-MariaDB".to_owned();
    server.gtid_mode.clear();
    server.executed_gtid = "0-1-100".to_owned();
    server.replication.auto_position = false;
    if source.is_some() {
        server.replication.mariadb_using_gtid = "Slave_Pos".to_owned();
    }
    server
}

type Change = fn(&mut Instance);

fn by_position(server: &mut Instance) {
    server.replication.auto_position = false;
    server.replication.read.file = "b.1".to_owned();
    server.lag = Some(0);
}

/// Every rule: what is done to replica `db2` and source `db3`, and which rule refuses.
const CASES: &[(&str, Change, Change)] = &[
    ("source-without-binary-log", |_| (), |s| s.log_bin = false),
    ("source-without-replica-updates", |_| (), |s| s.log_replica_updates = false),
    ("version-too-low", |r| r.version = "8.0.36".to_owned(), |_| ()),
    ("binlog-format", |r| r.binlog_format = "MIXED".to_owned(), |_| ()),
    ("same-server-id", |r| r.server_id = 3, |_| ()),
    ("same-server-uuid", |r| r.server_uuid = "aaaaaaaa-0000-0000-0000-000000000003".to_owned(), |_| ()),
    ("delay-too-short", |r| r.replication.delay = 20, |s| s.replication.delay = 21),
    ("needs-gtid", by_position, |s| s.replication = Replication::default()),
    ("lagging", by_position, |_| ()),
    ("lagging", by_position, |s| s.lag = Some(21)),
    ("not-replicating", by_position, |s| s.replication.receiver = ThreadState::Stopped),
    ("writeable-co-source", by_position, |s| (s.is_co_source, s.read_only) = (true, false)),
    ("gtid-incompatible", |_| (), |s| s.gtid_mode = "OFF".to_owned()),
    ("purged-transactions", |_| (), |s| s.purged_gtid = format!("{TOP}:1-101")),
    ("gtid-unreadable", |_| (), |s| s.purged_gtid = "nonsense".to_owned()),
    ("last-check-invalid", |r| r.check.last_seen = None, |_| ()),
    ("last-check-invalid", |_| (), |s| s.check.last_seen = None),
    (
        "not-recently-checked",
        |r| {
            r.check.last_checked = DateTime::from_timestamp(999_974, 0);
            r.check.last_seen = r.check.last_checked
        },
        |_| (),
    ),
    ("not-a-replica", |r| r.replication = Replication::default(), |_| ()),
    ("below-itself", |_| (), |s| s.replication.source = key("db2")),
    (
        "group-secondary",
        |r| {
            r.group.name = "g".to_owned();
            r.group.role = "SECONDARY".to_owned();
            r.group.primary = key("db9")
        },
        |_| (),
    ),
    (
        "same-group",
        |r| {
            r.group.name = "g".to_owned();
            r.group.role = "PRIMARY".to_owned();
            r.group.primary = key("db2")
        },
        |s| s.group.name = "g".to_owned(),
    ),
    (
        "other-channel",
        |r| {
            r.channels = vec![
                r.replication.clone(),
                Replication { channel: "x".to_owned(), source: key("db3"), ..Default::default() },
            ]
        },
        |_| (),
    ),
];

fn relocate(replica: Instance, source: Instance) -> Result<app::rules::Relocation, Refusal> {
    let (from, to) = (replica.key.clone(), source.key.clone());
    let snapshot = Snapshot::new([mysql(1, None), replica, source], Annotations::default(), now());
    can_relocate(&snapshot, &from, &to, &RuleSettings::default())
}

#[test]
fn an_ordinary_move_is_allowed_by_gtid_and_says_what_was_checked() {
    let moved = relocate(mysql(2, Some("db1")), mysql(3, Some("db1"))).expect("allowed");
    assert_eq!(moved.positioning, Positioning::AutoPosition);
    assert!(!moved.already_there);
    assert_eq!(moved.warnings, Vec::<String>::new());
    assert!(moved.checks.iter().any(|c| c.contains("version 8.4.3 can replicate from 8.4.3")), "{:?}", moved.checks);
}

#[test]
fn every_rule_refuses_under_its_name_and_names_a_server() {
    for (rule, change_replica, change_source) in CASES {
        let (mut replica, mut source) = (mysql(2, Some("db1")), mysql(3, Some("db1")));
        change_replica(&mut replica);
        change_source(&mut source);
        let refusal = relocate(replica, source).expect_err(rule);
        assert_eq!(refusal.rule, *rule, "{refusal}");
        assert!(refusal.message.contains("db2:3306") || refusal.message.contains("db3:3306"), "{refusal}");
    }
}

#[test]
fn a_server_is_not_moved_below_itself_or_an_unknown_one() {
    let snapshot = Snapshot::new([mysql(1, None), mysql(2, Some("db1"))], Annotations::default(), now());
    let rule = |to: &str| {
        can_relocate(&snapshot, &key("db2"), &key(to), &RuleSettings::default())
            .map_err(|r| r.rule)
            .map(|r| r.already_there)
    };
    assert_eq!(rule("db2"), Err("same-server".to_owned()));
    assert_eq!(rule("db7"), Err("unknown-server".to_owned()));
    assert_eq!(rule("db1"), Ok(true));
}

#[test]
fn a_replica_by_position_may_stay_where_it_is() {
    let mut replica = mysql(2, Some("db1"));
    replica.replication.auto_position = false;
    replica.replication.read.file = "b.1".to_owned();
    let snapshot = Snapshot::new([mysql(1, None), replica], Annotations::default(), now());
    let stays = can_relocate(&snapshot, &key("db2"), &key("db1"), &RuleSettings::default()).expect("allowed");
    assert_eq!((stays.positioning, stays.already_there), (Positioning::Unchanged, true));
}

#[test]
fn settings_loosen_and_tighten() {
    let (mut replica, mut source) = (mysql(2, Some("db1")), mysql(3, Some("db1")));
    replica.version = "8.0.36".to_owned();
    source.replication.has_filters = true;
    let mut settings = RuleSettings { lower_replica_version_allowed: true, ..Default::default() };
    let allowed = can_replicate_from(&replica, &source, &settings).expect("allowed");
    assert!(allowed.warnings.iter().any(|w| w.contains("LowerReplicaVersionAllowed")), "{:?}", allowed.warnings);
    settings.verify_replication_filters = true;
    let refusal = can_replicate_from(&replica, &source, &settings).expect_err("filters");
    assert_eq!(refusal.rule, "replication-filters");
    replica.replication.has_filters = true;
    assert!(can_replicate_from(&replica, &source, &settings).is_ok());
}

#[test]
fn a_replica_that_keeps_no_log_may_get_any_format() {
    let (mut replica, source) = (mysql(2, Some("db1")), mysql(3, Some("db1")));
    replica.binlog_format = "STATEMENT".to_owned();
    replica.log_replica_updates = false;
    assert!(can_replicate_from(&replica, &source, &RuleSettings::default()).is_ok());
}

#[test]
fn mariadb_moves_by_its_own_gtid_and_says_when_it_is_ahead() {
    let mut replica = mariadb(2, Some("db1"));
    replica.executed_gtid = "0-1-105".to_owned();
    let moved = relocate(replica.clone(), mariadb(3, Some("db1"))).expect("allowed");
    assert_eq!(moved.positioning, Positioning::MariaDbGtid { using: "slave_pos".to_owned() });
    assert!(moved.warnings.iter().any(|w| w.contains("is ahead of db3:3306 (0-1-105)")), "{:?}", moved.warnings);
    replica.replication.mariadb_using_gtid = "Current_Pos".to_owned();
    let moved = relocate(replica.clone(), mariadb(3, Some("db1"))).expect("allowed");
    assert_eq!(moved.positioning, Positioning::MariaDbGtid { using: "current_pos".to_owned() });
    let refusal = relocate(replica, mysql(3, Some("db1"))).expect_err("other family");
    assert_eq!(refusal.rule, "gtid-incompatible");
}

#[test]
fn what_deserves_a_second_look_is_said() {
    let (mut replica, mut source) = (mysql(2, Some("db1")), mysql(3, Some("db1")));
    replica.errant_gtid = "u:1,\nv:2".to_owned();
    source.cluster_name = "other:3306".to_owned();
    source.replication.applier = ThreadState::Stopped;
    assert_eq!(
        relocate(replica, source).expect("allowed").warnings,
        [
            "db3:3306 is in another cluster: other:3306",
            "db2:3306 holds errant transactions: u:1, v:2",
            "db3:3306 does not replicate at the moment",
        ]
    );
}

proptest! {
    /// Whatever the tree, rings included: a move that is allowed leads to no ring, and one below a server's own descendant is refused.
    #[test]
    fn no_allowed_move_makes_a_ring(sources in prop::collection::vec(0usize..9, 8)) {
        let name = |n: usize| format!("db{n}");
        let servers: Vec<Instance> = sources
            .iter()
            .enumerate()
            .map(|(n, source)| mysql(n as u64 + 1, (*source > 0 && *source != n + 1).then(|| name(*source)).as_deref()))
            .collect();
        let snapshot = Snapshot::new(servers.clone(), Annotations::default(), now());
        for replica in &servers {
            for target in &servers {
                let Ok(moved) = can_relocate(&snapshot, &replica.key, &target.key, &RuleSettings::default()) else { continue };
                let mut after: Vec<Instance> = servers.clone();
                after.iter_mut().filter(|s| s.key == replica.key).for_each(|s| s.replication.source = target.key.clone());
                let after = Snapshot::new(after, Annotations::default(), now());
                let ring = app::topology::Graph::new(&after).is_co_source(&replica.key);
                prop_assert!(!ring || moved.already_there, "{} below {}", replica.key, target.key);
            }
        }
    }
}

/// The page asks for every server of a cluster while a drag begins. Measured in a debug build, so the limit is wide.
#[test]
fn five_hundred_targets_are_judged_at_once() {
    let sets: Vec<String> =
        (0..8).map(|n| format!("aaaaaaaa-0000-0000-0000-{n:012}:1-5:7-{}:b:1-99", n + 1000)).collect();
    let mut servers: Vec<Instance> =
        (2..=501).map(|n| mysql(n, Some(if n < 20 { "db1" } else { "db2" }))).chain([mysql(1, None)]).collect();
    servers.iter_mut().for_each(|server| {
        server.executed_gtid = sets.join(",\n");
        server.purged_gtid = sets.join(",\n");
    });
    let snapshot = Snapshot::new(servers, Annotations::default(), now());
    let began = std::time::Instant::now();
    let settings = RuleSettings::default();
    let allowed = snapshot.instances.keys().filter(|to| can_relocate(&snapshot, &key("db500"), to, &settings).is_ok());
    assert_eq!(allowed.count(), 500);
    let took = began.elapsed();
    println!("500 targets in {took:?}");
    assert!(took.as_millis() < 1000, "{took:?}");
}
