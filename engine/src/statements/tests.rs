//! The words of each line of servers.

use app::InstanceKey;
use app::plan::{Action, Positioning};
use app::topology::{Capabilities, Instance, Replication, ReplicationTls, SemiSync};

use super::*;

fn replica(channel: Replication) -> Replication {
    Replication { source: InstanceKey::new("db1", 3306), has_credentials: true, ..channel }
}

fn mysql_57() -> Instance {
    Instance {
        version: "5.7.44-log".into(),
        super_read_only: Some(false),
        capabilities: Capabilities { known: true, super_read_only: true, channels: true, ..Default::default() },
        semi_sync: SemiSync { available: true, ..Default::default() },
        replication: replica(Replication { auto_position: true, ..Default::default() }),
        ..Default::default()
    }
}

fn mysql_97() -> Instance {
    Instance {
        version: "9.7.0".into(),
        capabilities: Capabilities {
            replica_terms: true,
            performance_schema: true,
            semi_sync_source_names: true,
            semi_sync_replica_names: true,
            ..mysql_57().capabilities
        },
        ..mysql_57()
    }
}

fn mariadb() -> Instance {
    Instance {
        version: "10.11.6-MariaDB-log".into(),
        // MariaDB answers SHOW REPLICA STATUS too; its CHANGE MASTER keeps the old words all the same.
        capabilities: Capabilities { known: true, replica_terms: true, ..Default::default() },
        semi_sync: SemiSync { available: true, ..Default::default() },
        replication: replica(Replication { mariadb_using_gtid: "Slave_Pos".into(), ..Default::default() }),
        ..Default::default()
    }
}

fn text(action: &Action, server: &Instance) -> String {
    render(action, server, &server.replication).join("; ")
}

fn below_db2(positioning: Positioning) -> Action {
    Action::ChangeSource { to: InstanceKey::new("db2", 3307), positioning }
}

#[test]
fn a_semi_sync_receiver_of_mariadb_does_not_wait_long_for_a_source_that_hangs() {
    let mut server = mariadb();
    assert_eq!(text(&Action::StopReceiver, &server), "STOP SLAVE IO_THREAD");
    server.semi_sync.replica_enabled = true;
    assert_eq!(
        render(&Action::StopReceiver, &server, &server.replication),
        [
            "SET @orchestrator_was = @@GLOBAL.rpl_semi_sync_slave_kill_conn_timeout",
            "SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout = 1",
            "STOP SLAVE IO_THREAD",
            "SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout = @orchestrator_was",
        ]
    );
}

#[test]
fn each_line_of_servers_is_spoken_to_in_its_own_words() {
    let on = |on| Action::SetReadOnly { on, super_too: true };
    for (action, old, new, mariadb_text) in [
        (Action::StopReplication, "STOP SLAVE", "STOP REPLICA", "STOP SLAVE"),
        (Action::StartReplication, "START SLAVE", "START REPLICA", "START SLAVE"),
        (Action::StopReceiver, "STOP SLAVE IO_THREAD", "STOP REPLICA IO_THREAD", "STOP SLAVE IO_THREAD"),
        (Action::StartReceiver, "START SLAVE IO_THREAD", "START REPLICA IO_THREAD", "START SLAVE IO_THREAD"),
        (Action::StopApplier, "STOP SLAVE SQL_THREAD", "STOP REPLICA SQL_THREAD", "STOP SLAVE SQL_THREAD"),
        (Action::Drain, "START SLAVE SQL_THREAD", "START REPLICA SQL_THREAD", "START SLAVE SQL_THREAD"),
        (Action::ResetReplication, "RESET SLAVE ALL", "RESET REPLICA ALL", "RESET SLAVE ALL"),
        (on(true), "SET GLOBAL super_read_only = ON", "SET GLOBAL super_read_only = ON", "SET GLOBAL read_only = ON"),
        (on(false), "SET GLOBAL read_only = OFF", "SET GLOBAL read_only = OFF", "SET GLOBAL read_only = OFF"),
        (
            Action::SetSemiSyncSource { on: true },
            "SET GLOBAL rpl_semi_sync_master_enabled = ON",
            "SET GLOBAL rpl_semi_sync_source_enabled = ON",
            "SET GLOBAL rpl_semi_sync_master_enabled = ON",
        ),
        (
            Action::SetSemiSyncReplica { on: false },
            "SET GLOBAL rpl_semi_sync_slave_enabled = OFF",
            "SET GLOBAL rpl_semi_sync_replica_enabled = OFF",
            "SET GLOBAL rpl_semi_sync_slave_enabled = OFF",
        ),
        (Action::Refresh, "", "", ""),
        (Action::WaitForGtid { set: "0-1-1".into() }, "", "", ""),
    ] {
        assert_eq!(text(&action, &mysql_57()), old, "{action:?}");
        assert_eq!(text(&action, &mysql_97()), new, "{action:?}");
        assert_eq!(text(&action, &mariadb()), mariadb_text, "{action:?}");
    }
}

#[test]
fn repointing_by_gtid_in_each_dialect() {
    assert_eq!(
        text(&below_db2(Positioning::AutoPosition), &mysql_97()),
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db2', SOURCE_PORT = 3307, SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 0"
    );
    assert_eq!(
        text(&below_db2(Positioning::AutoPosition), &mysql_57()),
        "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3307, MASTER_AUTO_POSITION = 1, MASTER_SSL = 0"
    );
    assert_eq!(
        text(&below_db2(Positioning::MariaDbGtid { using: "slave_pos".into() }), &mariadb()),
        "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3307, MASTER_USE_GTID = slave_pos, MASTER_SSL = 0"
    );
}

#[test]
fn every_option_of_the_channel_is_issued_again() {
    let tls = ReplicationTls {
        allowed: true,
        ca_file: "/etc/it's/ca.pem".into(),
        ca_path: "/etc/ca".into(),
        cert: "/c.pem".into(),
        cipher: "AES".into(),
        crl_file: "/crl.pem".into(),
        crl_path: "/crl".into(),
        key: "/k.pem".into(),
        verify_server_cert: Some(true),
        version: "TLSv1.3".into(),
        ciphersuites: "TLS_AES_256_GCM_SHA384".into(),
        public_key_path: "/pub.pem".into(),
        get_public_key: Some(true),
    };
    let options = Replication {
        connect_retry: 7,
        retry_count: Some(10),
        heartbeat_period_ms: Some(1_500),
        delay: 3600,
        tls,
        ..Default::default()
    };
    let mut server = mysql_97();
    server.replication = Replication { auto_position: true, ..replica(options.clone()) };
    assert_eq!(
        text(&below_db2(Positioning::AutoPosition), &server),
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db2', SOURCE_PORT = 3307, SOURCE_AUTO_POSITION = 1, \
         SOURCE_CONNECT_RETRY = 7, SOURCE_RETRY_COUNT = 10, SOURCE_HEARTBEAT_PERIOD = 1.500, SOURCE_DELAY = 3600, \
         SOURCE_SSL = 1, SOURCE_SSL_CA = '/etc/it''s/ca.pem', SOURCE_SSL_CAPATH = '/etc/ca', SOURCE_SSL_CERT = '/c.pem', \
         SOURCE_SSL_CIPHER = 'AES', SOURCE_SSL_CRL = '/crl.pem', SOURCE_SSL_CRLPATH = '/crl', SOURCE_SSL_KEY = '/k.pem', \
         SOURCE_SSL_VERIFY_SERVER_CERT = 1, SOURCE_TLS_VERSION = 'TLSv1.3', \
         SOURCE_TLS_CIPHERSUITES = 'TLS_AES_256_GCM_SHA384', SOURCE_PUBLIC_KEY_PATH = '/pub.pem', GET_SOURCE_PUBLIC_KEY = 1"
    );
    let mut server = mariadb();
    server.replication = Replication { mariadb_using_gtid: "Slave_Pos".into(), ..replica(options) };
    assert_eq!(
        text(&below_db2(Positioning::MariaDbGtid { using: "slave_pos".into() }), &server),
        "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3307, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 7, \
         MASTER_RETRY_COUNT = 10, MASTER_HEARTBEAT_PERIOD = 1.500, MASTER_DELAY = 3600, MASTER_SSL = 1, \
         MASTER_SSL_CA = '/etc/it''s/ca.pem', MASTER_SSL_CAPATH = '/etc/ca', MASTER_SSL_CERT = '/c.pem', \
         MASTER_SSL_CIPHER = 'AES', MASTER_SSL_CRL = '/crl.pem', MASTER_SSL_CRLPATH = '/crl', MASTER_SSL_KEY = '/k.pem', \
         MASTER_SSL_VERIFY_SERVER_CERT = 1"
    );
}

#[test]
fn with_several_channels_only_the_managed_one_is_touched() {
    let mut server = mysql_97();
    server.channels = vec![server.replication.clone(), Replication { channel: "other".into(), ..Default::default() }];
    assert_eq!(text(&Action::StopReplication, &server), "STOP REPLICA FOR CHANNEL ''");
    assert_eq!(text(&Action::StopReceiver, &server), "STOP REPLICA IO_THREAD FOR CHANNEL ''");
    assert_eq!(text(&Action::ResetReplication, &server), "RESET REPLICA ALL FOR CHANNEL ''");
    assert!(text(&below_db2(Positioning::AutoPosition), &server).ends_with(" FOR CHANNEL ''"));
    let mut server = mariadb();
    server.replication.channel = "a'b".into();
    assert_eq!(text(&Action::StartReceiver, &server), "START SLAVE 'a''b' IO_THREAD");
    assert_eq!(text(&Action::ResetReplication, &server), "RESET SLAVE 'a''b' ALL");
    let change = text(&below_db2(Positioning::Unchanged), &server);
    assert!(change.starts_with("CHANGE MASTER 'a''b' TO MASTER_HOST = 'db2'"), "{change}");
}

#[test]
fn a_former_primary_is_given_its_position_credentials_and_the_options_of_its_successor() {
    let options = Replication {
        has_credentials: true,
        heartbeat_period_ms: Some(2_000),
        tls: ReplicationTls { get_public_key: Some(true), ..Default::default() },
        ..Default::default()
    };
    let old = Instance { replication: Replication::default(), ..mariadb() };
    let action = below_db2(Positioning::MariaDbGtid { using: "current_pos".into() });
    assert!(needs_credentials(&action, &old));
    let statements = render(&action, &old, &options);
    assert_eq!(statements.len(), 2);
    assert_eq!(statements[0], "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos");
    let credentials = Credentials { user: "repl".into(), password: "p'w".into() };
    assert_eq!(
        fill_credentials(&statements[1], Words::MariaDb, &credentials),
        "CHANGE MASTER TO MASTER_HOST = 'db2', MASTER_PORT = 3307, MASTER_USER = 'repl', MASTER_PASSWORD = 'p''w', \
         MASTER_USE_GTID = slave_pos, MASTER_HEARTBEAT_PERIOD = 2.000, MASTER_SSL = 0"
    );
    assert!(!format!("{credentials:?}").contains("p'w"));
    let old = Instance { replication: Replication::default(), ..mysql_97() };
    let statements = render(&below_db2(Positioning::AutoPosition), &old, &options);
    assert!(statements[0].contains(CREDENTIALS) && statements[0].ends_with("GET_SOURCE_PUBLIC_KEY = 1"));
}

#[test]
fn detaching_keeps_the_position_and_reattaching_undoes_it() {
    let mut server = mysql_57();
    assert_eq!(
        text(&Action::DetachSource, &server),
        "CHANGE MASTER TO MASTER_HOST = '//db1', MASTER_PORT = 3306, MASTER_SSL = 0"
    );
    server.replication.auto_position = false;
    server.replication.source = server.replication.source.detached();
    server.replication.exec = app::BinlogCoordinates::binary("bin.000003", 99);
    assert_eq!(
        text(&Action::ReattachSource, &server),
        "CHANGE MASTER TO MASTER_HOST = 'db1', MASTER_PORT = 3306, MASTER_LOG_FILE = 'bin.000003', MASTER_LOG_POS = 99, \
         MASTER_SSL = 0"
    );
}

#[test]
fn a_server_not_asked_yet_is_spoken_to_in_words_that_it_must_know() {
    let server = |version: &str| Instance { version: version.into(), ..Default::default() };
    assert_eq!(Dialect::of(&server("8.0.36")).words, Words::MySqlOld);
    assert_eq!(Dialect::of(&server("8.4.0")).words, Words::MySqlNew);
    assert_eq!(Dialect::of(&server("26.7.1")).words, Words::MySqlNew);
    assert_eq!(Dialect::of(&server("11.4.2-MariaDB")).words, Words::MariaDb);
    assert!(text(&Action::SetSemiSyncSource { on: true }, &server("8.4.0")).is_empty());
}
