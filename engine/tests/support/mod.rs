//! A compact notation for topologies, one server a line:
//!
//! `name [< source] [token ...]`
//!
//! Without tokens a server is healthy: MySQL 8.4 with GTID, row format, logged updates; a replica has both threads running,
//! auto-position and no lag. All servers were last read at second 99 of a clock that stands at 100. Clusters, depths and
//! co-sources are worked out by `engine::attribution`.
//!
//! | token | meaning |
//! |---|---|
//! | `down`, `down:partial` | the last probe failed at 99 (partial: after the basics were read); last good one at 94 |
//! | `hang` | last read at 92, the probe begun at 97 has not ended |
//! | `never` | never read |
//! | `seen=N` | last read at second N |
//! | `lost` | the receiver tries to connect and fails with error 2003 |
//! | `io=yes,no,connecting`, `sql=yes,no`, `errno=N` | threads and the receiver's error number |
//! | `heartbeat=AGE/PERIOD` | milliseconds |
//! | `lag=N`, `delay=N` | seconds |
//! | `ro` | read-only |
//! | `downtime`, `maintenance` | in effect |
//! | `nolog`, `noupdates`, `format=F`, `version=V` | binary log off, updates not logged, format, version |
//! | `mode=M`, `position` | `gtid_mode` (`none`: empty), no auto-position |
//! | `mariadb` | MariaDB 10.11 with GTID |
//! | `binlogserver`, `pseudo` | a binlog server, pseudo-GTID |
//! | `errant=SET` | errant transactions |
//! | `group=ROLE` | ONLINE member of group `g`: `primary`, `secondary` |
//! | `semisync=CLIENTS/WAIT`, `fallen` | source side on and active with so many clients; fallen back to asynchronous |
//! | `has=N`, `got=N` | has executed, and, if it is a replica, received, transactions 1 to N of the first server; got says what it received |
//! | `acks` | semi-sync, replica side on |
//! | `dc=NAME`, `must_not`, `prefer` | data centre, promotion rules |
//! | `channel=SOURCE`, `channel=SOURCE:STATE` | a second channel `other`, receiver running or in the state given |
#![allow(dead_code, clippy::expect_used, clippy::panic)]

use app::topology::{
    Annotations, Candidate, Downtime, GroupMembership, Instance, Maintenance, PromotionRule, Replication, Snapshot,
    ThreadState,
};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, TimeDelta, Utc};
use engine::attribution::{AttributionRules, attribute};

/// `server_uuid` of the first server.
const FIRST: &str = "00000000-0000-0000-0000-000000000001";

/// Second of the tests' clock.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000 + second, 0).expect("in range")
}

/// The moment of the tests.
pub fn now() -> DateTime<Utc> {
    at(100)
}

/// `name:3306`.
pub fn key(name: &str) -> InstanceKey {
    InstanceKey::parse(name, 3306).expect(name)
}

/// A snapshot of the servers in notation.
pub fn topology<S: AsRef<str>>(lines: &[S]) -> Snapshot {
    let mut annotations = Annotations::default();
    let servers: Vec<(Instance, String)> =
        lines.iter().enumerate().map(|(n, line)| server(n, line.as_ref(), &mut annotations)).collect();
    let errant: Vec<(InstanceKey, String)> = servers.iter().map(|(i, set)| (i.key.clone(), set.clone())).collect();
    let mut snapshot = Snapshot::new(servers.into_iter().map(|(i, _)| i), annotations, now());
    settle(&mut snapshot);
    let instances = std::sync::Arc::make_mut(&mut snapshot.instances);
    for (key, set) in errant.into_iter().filter(|(_, set)| !set.is_empty()) {
        std::sync::Arc::make_mut(instances.get_mut(&key).expect("known")).errant_gtid = set;
    }
    snapshot
}

/// Works out what depends on the whole picture; a second time must change nothing.
pub fn settle(snapshot: &mut Snapshot) {
    let rules = AttributionRules::default();
    let instances = std::sync::Arc::make_mut(&mut snapshot.instances);
    let before = Snapshot::new(
        instances.values().map(|i| Instance::clone(i)),
        snapshot.annotations.as_ref().clone(),
        snapshot.at,
    );
    for changed in attribute(&before, &rules) {
        instances.insert(changed.key.clone(), std::sync::Arc::new(changed));
    }
    assert_eq!(attribute(snapshot, &rules), Vec::new(), "attribution does not settle at once");
}

fn server(number: usize, line: &str, annotations: &mut Annotations) -> (Instance, String) {
    let mut words = line.split_whitespace().peekable();
    let mut instance = healthy(number, words.next().unwrap_or_else(|| panic!("no name in {line:?}")));
    if words.next_if_eq(&"<").is_some() {
        instance.replication = replicating(key(words.next().unwrap_or_else(|| panic!("no source in {line:?}"))));
        instance.lag = Some(0);
    }
    let mut errant = String::new();
    for word in words {
        let (token, value) = word.split_once('=').unwrap_or((word, ""));
        if token == "errant" {
            errant = value.to_owned();
        } else if !(probe_token(&mut instance, token, value)
            || replication_token(&mut instance, token, value)
            || server_token(&mut instance, token, value)
            || annotation_token(&instance, token, annotations))
        {
            panic!("unknown token {word:?} in {line:?}");
        }
    }
    (instance, errant)
}

fn healthy(number: usize, name: &str) -> Instance {
    let mut instance = Instance {
        key: key(name),
        server_id: number as u64 + 1,
        server_uuid: format!("00000000-0000-0000-0000-{:012}", number + 1),
        version: "8.4.3".to_owned(),
        log_bin: true,
        log_replica_updates: true,
        binlog_format: "ROW".to_owned(),
        binlog: BinlogCoordinates::binary("binlog.000007", 1000),
        gtid_mode: "ON".to_owned(),
        ..Default::default()
    };
    seen(&mut instance, 99);
    instance
}

fn replicating(source: InstanceKey) -> Replication {
    Replication {
        source,
        read: BinlogCoordinates::binary("binlog.000007", 1000),
        exec: BinlogCoordinates::binary("binlog.000007", 1000),
        receiver: ThreadState::Running,
        applier: ThreadState::Running,
        auto_position: true,
        seconds_behind: Some(0),
        ..Default::default()
    }
}

fn seen(instance: &mut Instance, second: i64) {
    instance.check.last_checked = Some(at(second));
    instance.check.last_seen = Some(at(second));
    instance.check.last_attempted = Some(at(second) - TimeDelta::milliseconds(5));
}

fn probe_token(instance: &mut Instance, token: &str, value: &str) -> bool {
    match token {
        "down" | "down:partial" => {
            seen(instance, 94);
            instance.check.last_attempted = Some(at(99));
            instance.check.last_checked = Some(at(99));
            instance.check.partial_success = token.ends_with("partial");
            instance.check.error = "connection refused".to_owned();
        }
        "hang" => {
            seen(instance, 92);
            instance.check.last_attempted = Some(at(97));
        }
        "never" => instance.check = Default::default(),
        "seen" => seen(instance, value.parse().expect("second")),
        _ => return false,
    }
    true
}

fn thread(value: &str) -> ThreadState {
    match value {
        "yes" => ThreadState::Running,
        "no" => ThreadState::Stopped,
        "connecting" => ThreadState::Other,
        other => panic!("unknown thread state {other:?}"),
    }
}

fn replication_token(instance: &mut Instance, token: &str, value: &str) -> bool {
    let channel = &mut instance.replication;
    match token {
        "lost" => {
            channel.receiver = ThreadState::Other;
            channel.receiver_errno = 2003;
            channel.receiver_error = "Error connecting to source".to_owned();
        }
        "io" => channel.receiver = thread(value),
        "sql" => channel.applier = thread(value),
        "errno" => channel.receiver_errno = value.parse().expect("number"),
        "heartbeat" => {
            let (age, period) = value.split_once('/').expect("age/period");
            channel.heartbeat_age_ms = Some(age.parse().expect("age"));
            channel.heartbeat_period_ms = Some(period.parse().expect("period"));
        }
        "lag" => {
            channel.seconds_behind = Some(value.parse().expect("lag"));
            instance.lag = channel.seconds_behind;
        }
        "delay" => channel.delay = value.parse().expect("delay"),
        "position" => channel.auto_position = false,
        "channel" => {
            let (source, state) = value.split_once(':').unwrap_or((value, "yes"));
            let mut second = replicating(key(source));
            second.channel = "other".to_owned();
            second.receiver = thread(state);
            instance.channels = vec![instance.replication.clone(), second];
        }
        _ => return false,
    }
    true
}

fn server_token(instance: &mut Instance, token: &str, value: &str) -> bool {
    match token {
        "ro" => instance.read_only = true,
        "nolog" => instance.log_bin = false,
        "noupdates" => instance.log_replica_updates = false,
        "format" => instance.binlog_format = value.to_owned(),
        "version" => instance.version = value.to_owned(),
        "mode" => instance.gtid_mode = value.replace("none", ""),
        "mariadb" => {
            instance.version = "10.11.6-MariaDB".to_owned();
            instance.server_uuid.clear();
            instance.gtid_mode.clear();
            instance.replication.auto_position = false;
            instance.replication.mariadb_using_gtid = "Slave_Pos".to_owned();
        }
        "binlogserver" => instance.version = "2.4-maxscale".to_owned(),
        "pseudo" => instance.uses_pseudo_gtid = true,
        "group" => {
            instance.group = GroupMembership {
                name: "g".to_owned(),
                single_primary: true,
                state: "ONLINE".to_owned(),
                role: value.to_uppercase(),
                ..Default::default()
            };
            if value == "primary" {
                instance.group.primary = instance.key.clone();
            }
        }
        "semisync" => {
            let (clients, wait) = value.split_once('/').expect("clients/wait");
            instance.semi_sync.source_enabled = true;
            instance.semi_sync.source_active = true;
            instance.semi_sync.source_clients = clients.parse().expect("clients");
            instance.semi_sync.source_wait_for = wait.parse().expect("wait");
        }
        "fallen" => instance.semi_sync.source_active = false,
        "acks" => instance.semi_sync.replica_enabled = true,
        "dc" => instance.data_center = value.to_owned(),
        "has" => {
            instance.executed_gtid = format!("{FIRST}:1-{value}");
            if instance.is_replica() {
                instance.replication.retrieved_gtid.clone_from(&instance.executed_gtid);
                instance.replication.source_uuid = FIRST.to_owned();
            }
        }
        "got" => instance.replication.retrieved_gtid = format!("{FIRST}:1-{value}"),
        _ => return false,
    }
    true
}

fn annotation_token(instance: &Instance, token: &str, annotations: &mut Annotations) -> bool {
    let (owner, reason) = ("tester".to_owned(), "test".to_owned());
    match token {
        "downtime" => {
            annotations.downtime.insert(instance.key.clone(), Downtime { owner, reason, begin: at(0), end: at(200) });
        }
        "must_not" | "prefer" => {
            let rule: PromotionRule = token.parse().expect("a rule");
            annotations.candidates.insert(instance.key.clone(), Candidate { rule, last_suggested: now() });
        }
        "maintenance" => {
            let held = Maintenance { id: 1, owner, reason, begin: at(0), end: at(200) };
            annotations.maintenance.insert(instance.key.clone(), held);
        }
        _ => return false,
    }
    true
}
