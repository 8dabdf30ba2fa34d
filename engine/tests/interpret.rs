//! Rows captured from real servers, and what is made of them.
//!
//! A case file holds sections named as the fields of `RawProbe`, with rows in the vertical form of the clients.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use app::InstanceKey;
use app::topology::{Instance, SemiSync, ThreadState};
use engine::interpret::{
    Classification, Filters, InterpretError, NameMethod, Names, RawProbe, Record, Survey, interpret,
};

fn case(name: &str) -> RawProbe {
    let path = format!("{}/tests/cases/interpret/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut raw = RawProbe::default();
    for section in text.split("\n[").map(|s| s.trim_start_matches('[')) {
        let (name, rows) = section.split_once(']').expect("a section");
        let rows = rows_of(rows);
        match name {
            "variables" => raw.variables = rows.into_iter().next(),
            "status" => raw.status = Some(rows),
            "binary_log" => raw.binary_log = Some(rows),
            "registered_replicas" => raw.registered_replicas = Some(rows),
            "dump_threads" => raw.dump_threads = Some(rows),
            "receivers" => raw.receivers = Some(rows),
            "channels" => raw.channels = Some(rows),
            other => panic!("{path}: no section {other}"),
        }
    }
    raw
}

fn rows_of(text: &str) -> Vec<Record> {
    let rows = text.split("***************************").filter(|part| part.contains(": ") || part.contains(":\n"));
    rows.map(|row| {
        Record::new(row.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| {
            let value = value.trim();
            (name.trim().to_owned(), (value != "NULL").then(|| value.to_owned()))
        }))
    })
    .collect()
}

fn survey(raw: &RawProbe) -> Survey {
    let variables = raw.variables.as_ref().expect("variables");
    let rows: Vec<Record> = engine::interpret::VARIABLES
        .iter()
        .filter(|name| variables.has(name))
        .map(|name| {
            Record::new([
                ("Variable_name".to_owned(), Some((*name).to_owned())),
                ("Value".to_owned(), variables.get(name).map(str::to_owned)),
            ])
        })
        .collect();
    Survey::new(&rows, !variables.has("gtid_domain_id"))
}

fn read_after(raw: &RawProbe, last: &Instance) -> Instance {
    let names = Names::new(NameMethod::AsGiven, "", "", "");
    interpret(raw, &survey(raw), &names, &Filters::default(), last).expect("a server")
}

fn read(name: &str) -> Instance {
    read_after(&case(name), &Instance::unseen(InstanceKey::new("127.0.0.1", 3306)))
}

#[test]
fn a_mysql_source() {
    let server = read("mysql-9.7-source");
    assert_eq!((server.version.as_str(), server.server_id), ("9.7.4-2", 23310));
    assert_eq!((server.read_only, server.super_read_only), (false, Some(false)));
    assert_eq!((server.binlog_format.as_str(), server.binlog_row_image.as_str()), ("ROW", "FULL"));
    assert!(server.log_bin && server.log_replica_updates && server.uptime == 10);
    assert_eq!(server.binlog.to_string(), "binlog.000001:158");
    assert_eq!(server.replicas, [InstanceKey::new("127.0.0.1", 23311)]);
    assert!(!server.is_replica() && server.is_primary_role());
    let expected = SemiSync {
        available: true,
        source_new_names: true,
        replica_new_names: true,
        source_enabled: true,
        source_timeout_ms: 10_000,
        source_wait_for: 1,
        source_active: true,
        source_clients: 1,
        ..SemiSync::default()
    };
    assert_eq!(server.semi_sync, expected);
    let can = server.capabilities;
    assert!(can.replica_terms && can.binary_log_status && can.reset_binary_logs && can.channels && can.mysql_gtid);
}

#[test]
fn a_mysql_replica() {
    let server = read("mysql-9.7-replica");
    let channel = &server.replication;
    assert_eq!(channel.source, InstanceKey::new("127.0.0.1", 23310));
    assert_eq!((channel.receiver, channel.applier), (ThreadState::Running, ThreadState::Running));
    assert_eq!(channel.receiver_status, "Waiting for source to send event");
    assert_eq!((channel.heartbeat_period_ms, channel.heartbeat_age_ms), (Some(1000), Some(563)));
    assert_eq!((channel.seconds_behind, server.lag), (Some(0), Some(0)));
    assert_eq!(channel.read, channel.exec);
    assert_eq!((channel.user.as_str(), channel.has_credentials), ("repl", true));
    assert!(channel.auto_position && server.is_replica() && server.channels.is_empty());
    assert!(server.read_only && server.super_read_only == Some(true));
    assert!(server.semi_sync.replica_enabled && server.semi_sync.replica_active);
}

/// Every option counts: what is not read here is lost when the replica is repointed.
#[test]
fn a_mysql_replica_with_two_channels() {
    let server = read("mysql-9.7-two-channels");
    let [orders, users] = server.channels.as_slice() else { panic!("{:?}", server.channels) };
    assert_eq!(server.replication, *orders, "there is no default channel: the first one is managed");
    assert_eq!((orders.channel.as_str(), users.channel.as_str()), ("orders", "users"));
    assert_eq!((orders.delay, orders.retry_count, orders.connect_retry), (30, Some(7), 60));
    assert_eq!(orders.tls.version, "TLSv1.3");
    assert_eq!(orders.tls.ciphersuites, "TLS_AES_256_GCM_SHA384");
    assert_eq!(orders.tls.crl_path, "/crl");
    assert!(orders.tls.allowed);
    assert_eq!((orders.tls.verify_server_cert, orders.tls.get_public_key), (Some(false), Some(false)));
    assert_eq!(users.tls.get_public_key, Some(true));
    assert_eq!(users.source, InstanceKey::new("2001:db8::7", 3307));
    assert_eq!((users.heartbeat_period_ms, users.heartbeat_age_ms), (Some(2000), None));
    assert_eq!((orders.seconds_behind, server.lag), (None, None));
    assert_eq!((orders.receiver, users.applier), (ThreadState::Stopped, ThreadState::Stopped));
}

#[test]
fn a_mariadb_source_and_its_replica() {
    let source = read("mariadb-10.11-source");
    assert!(source.is_mariadb() && !source.read_only && source.super_read_only.is_none());
    assert!(source.server_uuid.is_empty() && source.gtid_mode.is_empty());
    assert_eq!(source.replicas, [InstanceKey::new("127.0.0.1", 23321), InstanceKey::new("127.0.0.1", 23322)]);
    assert!(source.semi_sync.available && source.semi_sync.source_enabled && !source.semi_sync.source_new_names);
    assert_eq!((source.semi_sync.source_clients, source.semi_sync.source_wait_for), (1, 1));
    assert!(source.capabilities.named_connections && !source.capabilities.replica_terms);

    let replica = read("mariadb-10.11-replica");
    let channel = &replica.replication;
    assert_eq!(channel.source, InstanceKey::new("127.0.0.1", 23320));
    assert_eq!((channel.source_uuid.as_str(), channel.source_server_id), ("No", 23320));
    assert_eq!(channel.mariadb_using_gtid, "Slave_Pos");
    assert!(channel.uses_mariadb_gtid() && !channel.auto_position && replica.is_replica());
    assert_eq!((channel.heartbeat_period_ms, channel.heartbeat_age_ms), (Some(1000), None));
    assert_eq!((channel.retry_count, channel.tls.get_public_key), (None, None));
    assert_eq!(replica.gtid_domain_id, Some(0));
    assert!(replica.read_only && replica.log_replica_updates);
}

#[test]
fn a_mariadb_replica_with_two_connections() {
    let server = read("mariadb-10.11-two-connections");
    let names: Vec<&str> = server.channels.iter().map(|c| c.channel.as_str()).collect();
    assert_eq!(names, ["orders", "users"]);
    let using: Vec<&str> = server.channels.iter().map(|c| c.mariadb_using_gtid.as_str()).collect();
    assert_eq!(using, ["Current_Pos", "Slave_Pos"]);
    assert_eq!(server.replication.channel, "orders");
    assert!(server.replication.is_running());
}

fn with_variable(raw: &RawProbe, name: &str, value: &str) -> RawProbe {
    let variables = raw.variables.as_ref().expect("variables");
    let mut columns: Vec<(String, Option<String>)> = engine::interpret::VARIABLES
        .iter()
        .filter(|known| variables.has(known) && **known != name)
        .map(|known| ((*known).to_owned(), variables.get(known).map(str::to_owned)))
        .collect();
    columns.push((name.to_owned(), Some(value.to_owned())));
    RawProbe { variables: Some(Record::new(columns)), ..raw.clone() }
}

#[test]
fn read_only_is_read_as_a_number_and_as_a_word() {
    let raw = case("mariadb-10.11-source");
    let last = Instance::default();
    for (text, expected) in
        [("0", false), ("OFF", false), ("1", true), ("ON", true), ("NO_LOCK", true), ("NO_LOCK_NO_ADMIN", true)]
    {
        assert_eq!(read_after(&with_variable(&raw, "read_only", text), &last).read_only, expected, "{text}");
    }
}

#[test]
fn executed_transactions_are_one_line_and_cover_both_positions_of_mariadb() {
    let last = Instance::default();
    let mysql = with_variable(&case("mysql-9.7-source"), "gtid_executed", "a:1-5,\nb:tag:1-3");
    assert_eq!(read_after(&mysql, &last).executed_gtid, "a:1-5,b:tag:1-3");
    let raw = with_variable(&case("mariadb-10.11-source"), "gtid_binlog_pos", "0-1-17,2-1-3");
    let raw = with_variable(&raw, "gtid_current_pos", "0-2-15,1-1-4");
    assert_eq!(read_after(&raw, &last).executed_gtid, "0-1-17,1-1-4,2-1-3");
}

/// A server that loses its region in its last poll makes every candidate look like one of another region.
#[test]
fn what_a_probe_cut_short_did_not_read_keeps_its_value() {
    let whole = case("mysql-9.7-replica");
    let mut last = read_after(&whole, &Instance::unseen(InstanceKey::new("127.0.0.1", 3306)));
    last.region = "north".to_owned();
    last.data_center = "ams".to_owned();
    last.alias = "orders-1".to_owned();
    last.suggested_cluster_alias = "orders".to_owned();
    last.lag = Some(3);
    last.semi_sync.priority = 7;
    last.depth = 1;
    let cut = RawProbe { variables: whole.variables.clone(), ..RawProbe::default() };
    let seen = read_after(&cut, &last);
    assert_eq!(seen, last);

    // An answer that was asked for and is empty is another matter.
    let answered = RawProbe {
        channels: Some(Vec::new()),
        classification: Classification { region: Some(String::new()), ..Classification::default() },
        ..cut
    };
    let seen = read_after(&answered, &last);
    assert!(!seen.is_replica() && seen.region.is_empty() && seen.data_center == "ams");

    let nothing = RawProbe::default();
    let names = Names::default();
    let empty = interpret(&nothing, &Survey::default(), &names, &Filters::default(), &last);
    assert_eq!(empty, Err(InterpretError::NoVariables));
}

/// The performance schema alone tells the cipher suites and the heartbeat period: they do not go with one failed read.
#[test]
fn facts_of_the_receiver_outlive_a_read_without_them() {
    let whole = case("mysql-9.7-two-channels");
    let last = read_after(&whole, &Instance::default());
    let without = RawProbe { receivers: None, ..whole };
    let seen = read_after(&without, &last);
    let orders = seen.channels.first().expect("a channel");
    assert_eq!(orders.tls.ciphersuites, "TLS_AES_256_GCM_SHA384");
    assert_eq!((orders.heartbeat_period_ms, orders.heartbeat_age_ms), (Some(2000), None));
}

#[test]
fn a_name_is_taken_from_whom_the_setting_says() {
    let raw = case("mysql-9.7-source");
    let given = Instance::unseen(InstanceKey::new("10.1.2.3", 3306));
    let name = |method| {
        let names = Names::new(method, "", "", "");
        interpret(&raw, &survey(&raw), &names, &Filters::default(), &given).expect("a server").key.to_string()
    };
    assert_eq!(name(NameMethod::Hostname), "db.example:3306");
    assert_eq!(name(NameMethod::ReportHost), "127.0.0.1:3306");
    assert_eq!(name(NameMethod::AsGiven), "10.1.2.3:3306");
}

#[test]
fn a_group_is_told_by_the_own_row() {
    let member = |id: &str, host: &str, state: &str, role: &str, single: &str| {
        let columns = [
            ("MEMBER_ID", id),
            ("MEMBER_HOST", host),
            ("MEMBER_PORT", "3306"),
            ("MEMBER_STATE", state),
            ("MEMBER_ROLE", role),
            ("group_name", "g1"),
            ("single_primary", single),
        ];
        Record::new(columns.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))))
    };
    let own = "94b5cd46-e595-11f1-b203-02fc00000001";
    let with = |single: &str| RawProbe {
        group_members: Some(vec![
            member(own, "db1", "ONLINE", "SECONDARY", single),
            member("other", "db2", "ONLINE", "PRIMARY", single),
            member("third", "db3", "RECOVERING", "SECONDARY", single),
        ]),
        ..case("mysql-9.7-source")
    };
    let group = read_after(&with("1"), &Instance::default()).group;
    assert_eq!((group.name.as_str(), group.role.as_str(), group.state.as_str()), ("g1", "SECONDARY", "ONLINE"));
    assert_eq!(group.primary, InstanceKey::new("db2", 3306));
    assert_eq!(group.members, [InstanceKey::new("db2", 3306), InstanceKey::new("db3", 3306)]);
    assert_eq!(read_after(&with("0"), &Instance::default()).group, Default::default(), "multi-primary is not managed");
}
