use super::*;
use crate::topology::{Downtime, Replication};
use crate::{BinlogCoordinates, InstanceKey};

fn at(second: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis((second * 1000.0) as i64).expect("in range")
}

/// A healthy replica, seen at second 100.
fn replica() -> Instance {
    Instance {
        key: InstanceKey::new("r", 3306),
        version: "8.0.36".to_owned(),
        log_bin: true,
        binlog_format: "ROW".to_owned(),
        lag: Some(3),
        replication: Replication {
            source: InstanceKey::new("s", 3306),
            read: BinlogCoordinates::binary("b.1", 4),
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            seconds_behind: Some(3),
            ..Default::default()
        },
        check: Check { last_checked: Some(at(100.0)), last_seen: Some(at(100.0)), ..Default::default() },
        ..Default::default()
    }
}

type Change = fn(&mut Instance);

#[test]
fn a_server_is_described() {
    let cases: &[(&str, Change, &str, &str, &[&str])] = &[
        ("healthy", |_| (), "ok", "3s", &[]),
        ("never seen", |i| i.check = Check::default(), "invalid", "unknown", &["last_check_invalid"]),
        ("failed", |i| i.check.last_checked = Some(at(101.0)), "invalid", "unknown", &["last_check_invalid"]),
        (
            "old",
            |i| {
                i.check.last_checked = Some(at(74.0));
                i.check.last_seen = Some(at(74.0))
            },
            "unchecked",
            "unknown",
            &["not_recently_checked"],
        ),
        (
            "applier stopped",
            |i| i.replication.applier = ThreadState::Stopped,
            "nonreplicating",
            "null",
            &["not_replicating"],
        ),
        (
            "lag unknown",
            |i| {
                i.replication.seconds_behind = None;
                i.lag = None
            },
            "ok",
            "null",
            &[],
        ),
        (
            "lag",
            |i| {
                i.replication.seconds_behind = Some(11);
                i.lag = Some(11)
            },
            "ok",
            "11s",
            &["replication_lag"],
        ),
        (
            "much lag",
            |i| {
                i.replication.seconds_behind = Some(21);
                i.lag = Some(21)
            },
            "lag",
            "21s",
            &["replication_lag"],
        ),
        (
            "delayed",
            |i| {
                i.replication.delay = 3600;
                i.replication.seconds_behind = Some(3605);
                i.lag = Some(3605)
            },
            "ok",
            "3605s",
            &[],
        ),
        (
            "ahead of delay",
            |i| {
                i.replication.delay = 3600;
                i.replication.seconds_behind = Some(60);
                i.lag = Some(60)
            },
            "lag",
            "60s",
            &["replication_lag"],
        ),
        ("detached", |i| i.replication.exec.file = "//b.1:4".to_owned(), "ok", "detached", &[]),
        (
            "errant",
            |i| {
                i.errant_gtid = "u:1".to_owned();
                i.lag = Some(11)
            },
            "ok",
            "11s",
            &["replication_lag", "errant_gtid"],
        ),
        (
            "group",
            |i| {
                i.group.name = "g".to_owned();
                i.group.state = "RECOVERING".to_owned()
            },
            "ok",
            "3s",
            &["group_replication_member_not_online"],
        ),
    ];
    for (name, change, status, lag, expected) in cases {
        let (mut server, thresholds, now) = (replica(), StatusThresholds::default(), at(100.0));
        change(&mut server);
        assert_eq!(status_text(&server, &thresholds, now), *status, "{name}");
        assert_eq!(lag_text(&server, &thresholds, now), *lag, "{name}");
        let names: Vec<&str> = problems(&server, &thresholds, now).into_iter().map(Problem::as_str).collect();
        assert_eq!(names, *expected, "{name}");
        assert_eq!(is_problem(&server, &Annotations::default(), &thresholds, now), !expected.is_empty(), "{name}");
    }
}

#[test]
fn a_connecting_receiver_and_lag_by_the_servers_own_account_are_listed() {
    let thresholds = StatusThresholds::default();
    let mut server = replica();
    server.replication.seconds_behind = Some(500);
    assert!(problems(&server, &thresholds, at(100.0)).is_empty());
    assert!(is_problem(&server, &Annotations::default(), &thresholds, at(100.0)));
    let mut annotations = Annotations::default();
    let downtime = Downtime { owner: "o".into(), reason: "r".into(), begin: at(0.0), end: at(101.0) };
    annotations.downtime.insert(server.key.clone(), downtime);
    assert!(!is_problem(&server, &annotations, &thresholds, at(100.0)));
    assert!(is_problem(&server, &annotations, &thresholds, at(101.0)));
}

#[test]
fn a_probe_hangs_once_it_runs_longer_than_the_slack_and_nothing_was_heard_for_a_period() {
    let thresholds = StatusThresholds::default();
    let check = |attempted| Check {
        last_checked: Some(at(100.0)),
        last_seen: Some(at(100.0)),
        last_attempted: Some(at(attempted)),
        ..Default::default()
    };
    // Begun on time at 105: silent for 6 seconds at 106.
    assert!(is_check_valid(&check(105.0), &thresholds, at(105.9)));
    assert!(!is_check_valid(&check(105.0), &thresholds, at(106.0)));
    // A probe that begins late is given its second.
    assert!(is_check_valid(&check(120.0), &thresholds, at(120.5)));
    assert!(!is_check_valid(&check(120.0), &thresholds, at(121.0)));
    // An extra probe between two polls does not make a server invalid early.
    assert!(is_check_valid(&check(102.0), &thresholds, at(105.9)));
    // Unless another session has been waiting for its answer as long.
    let pinged = |since| Check { unanswered_since: Some(at(since)), ..check(102.0) };
    assert!(!is_check_valid(&pinged(101.9), &thresholds, at(103.0)));
    assert!(is_check_valid(&pinged(101.9), &thresholds, at(102.9)), "the probe is given its second");
    assert!(is_check_valid(&pinged(102.5), &thresholds, at(103.4)), "and so is the ping");
    // None in flight: the last answer stands.
    assert!(is_check_valid(&check(99.9), &thresholds, at(500.0)));
}

#[test]
fn tokens_are_in_order_and_empty_ones_left_out() {
    let mut server = replica();
    let thresholds = StatusThresholds::default();
    let text = |server: &Instance| description(server, &Annotations::default(), &thresholds, at(100.0));
    assert_eq!(text(&server), "[3s,ok,8.0.36,rw,ROW]");
    server.read_only = true;
    server.log_replica_updates = true;
    server.gtid_mode = "ON".to_owned();
    server.errant_gtid = "u:1".to_owned();
    server.uses_pseudo_gtid = true;
    server.semi_sync.source_active = true;
    server.semi_sync.replica_active = true;
    assert_eq!(text(&server), "[3s,ok,8.0.36,ro,ROW,>>,GTID:errant,P-GTID,semi:master,semi:replica]");
    server = replica();
    server.log_bin = false;
    server.version.clear();
    assert_eq!(text(&server), "[3s,ok,rw,nobinlog]");
}
