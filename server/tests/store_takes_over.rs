//! A backend of the original is opened in place: an older schema is completed, rows of every form that it
//! wrote are read, nothing is lost, and an older binary's own statements still work afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use app::InstanceKey;
use app::topology::{PromotionRule, ThreadState};
use chrono::{DateTime, Utc};
use orchestrator::store::{
    BackendSettings, Deployment, MySqlSettings, PAGE_SIZE, PurgePolicy, RecoveryFilter, Store, StoreError,
};
use sqlx::{Connection, MySqlConnection, SqliteConnection};
use support::Sandbox;

/// What an older binary leaves behind: the schema without what came late, and its own record of deployment.
const OLDER: &[&str] = &[
    "insert into orchestrator_db_deployments (deployed_version, deployed_timestamp) values ('3.2.6', '2026-01-01 00:00:00')",
    "alter table database_instance drop column semi_sync_available",
    "alter table database_instance drop column replication_group_members",
    "drop table database_instance_tls",
];

/// Rows as the original writes them.
const ROWS: &[&str] = &[
    // A replica of a detached source, with quoted errors, seen and checked.
    "insert into database_instance (hostname, port, last_checked, last_attempted_check, last_seen, uptime, server_id, \
     server_uuid, version, version_comment, major_version, binlog_format, log_bin, log_slave_updates, binary_log_file, \
     binary_log_pos, master_host, master_port, slave_sql_running, slave_io_running, replication_sql_thread_state, \
     replication_io_thread_state, oracle_gtid, executed_gtid_set, master_log_file, read_master_log_pos, \
     relay_master_log_file, exec_master_log_pos, last_io_error, seconds_behind_master, slave_lag_seconds, \
     num_slave_hosts, slave_hosts, cluster_name, ancestry_uuid, replication_depth, gtid_mode, last_check_partial_success, \
     supports_oracle_gtid, last_discovery_latency, master_uuid, read_only, semi_sync_enforced, gtid_purged, gtid_errant, \
     last_sql_error) \
     values ('db2', 3306, '2026-01-01 00:04:05', '2026-01-01 00:04:05', '2026-01-01 00:04:05', 100, 2, \
     '00000002-0000-0000-0000-000000000002', '8.0.36', 'MySQL Community Server - GPL', '8.0', 'ROW', 1, 1, 'bin.000007', \
     1234, '//db1', 3306, 1, 0, 1, 2, 1, '00000001-0000-0000-0000-000000000001:1-9', 'bin.000009', 55, \
     'bin.000009', 44, '\"error reconnecting: \\\\\"db1\\\\\" K\\\\u00f6ln\\\\n\"', NULL, NULL, \
     1, '[{\"Hostname\":\"db3\",\"Port\":3306}]', 'db1:3306', 'a,b', 1, 'ON', 1, 1, 20000000, 'x', 1, 3, '', '', '')",
    // A server that nobody ever reached.
    "insert into database_instance (hostname, port, last_checked, server_id, version, binlog_format, log_bin, \
     log_slave_updates, binary_log_file, binary_log_pos, master_host, master_port, slave_sql_running, slave_io_running, \
     master_log_file, read_master_log_pos, relay_master_log_file, exec_master_log_pos, num_slave_hosts, slave_hosts, \
     cluster_name, last_seen) values ('db9', 3306, '1971-01-01 00:00:00', 0, '', '', 0, 0, '', 0, '_', 0, 0, 0, '', 0, '', 0, \
     0, '', 'db9:3306', NULL)",
    "insert into candidate_database_instance (hostname, port, promotion_rule, last_suggested) \
     values ('db2', 3306, 'must', '2026-01-01 00:00:00')",
    "insert into cluster_alias (cluster_name, alias, last_registered) values ('db1:3306', 'orders', '2026-01-01 00:00:00')",
    "insert into database_instance_downtime (hostname, port, downtime_active, begin_timestamp, end_timestamp, owner, reason) \
     values ('db2', 3306, 1, '2026-01-01 00:00:00', '2037-01-01 00:00:00', 'ann', 'disk')",
    "insert into hostname_resolve (hostname, resolved_hostname, resolved_timestamp) values ('h1', 'h1.example', '2026-01-01 00:00:00')",
    "insert into audit (audit_timestamp, audit_type, hostname, port, cluster_name, message) \
     values ('2026-01-01 00:00:00', 'relocate', 'db2', 3306, 'db1:3306', 'relocated')",
    "insert into topology_recovery (uid, hostname, port, in_active_period, start_active_period, end_active_period_unixtime, \
     end_recovery, processing_node_hostname, processcing_node_token, is_successful, successor_hostname, successor_port, \
     analysis, cluster_name, cluster_alias, count_affected_slaves, slave_hosts, participating_instances, lost_slaves, \
     all_errors, acknowledged, acknowledged_by, acknowledge_comment, last_detection_id) \
     values ('1767225845000000000:ab', 'db1', 3306, 0, '2026-01-01 00:00:00', 1767225900, '2026-01-01 00:00:30', 'orc1', 'tok', 1, \
     'db2', 3306, 'DeadMaster', 'db1:3306', 'orders', 2, 'db2:3306,db3:3306', 'db2:3306', '', '', 0, '', '', 0)",
];

/// What a restored raft snapshot leaves in SQLite: the other timestamp form.
const RESTORED: &[&str] = &[
    "update candidate_database_instance set last_suggested = '2026-01-01T00:00:00Z'",
    "update cluster_alias set last_registered = '2026-01-01T00:00:00Z'",
    "update database_instance_downtime set begin_timestamp = '2026-01-01T00:00:00Z', end_timestamp = '2037-01-01T00:00:00Z'",
    "update hostname_resolve set resolved_timestamp = '2026-01-01T00:00:00Z'",
    "update topology_recovery set start_active_period = '2026-01-01T00:00:00Z', end_recovery = '2026-01-01T00:00:30Z', \
     acknowledged_at = '0001-01-01T00:00:00Z'",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_of_the_original() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orchestrator.sqlite3");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut original = SqliteConnection::connect(&url).await.unwrap();
    let schema = include_str!("../../migrations/sqlite/0001_compatible_schema.sql");
    sqlx::raw_sql(schema).execute(&mut original).await.unwrap();
    // Text in SQLite knows no escapes: one backslash is one.
    let rows = ROWS.iter().map(|sql| sql.replace("\\\\", "\\"));
    let statements = OLDER.iter().map(|sql| (*sql).to_owned()).chain(rows);
    let restored = RESTORED.iter().map(|sql| (*sql).to_owned());
    for sql in statements.chain(restored) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut original)
            .await
            .unwrap_or_else(|e| panic!("{e}: {sql}"));
    }
    original.close().await.unwrap();

    let settings = BackendSettings::Sqlite { path };
    let store = taken_over(&settings).await;
    // Compared as text, the other form would be later than everything of its day.
    let midnight = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    let policy = PurgePolicy { candidate_expiry: chrono::Duration::hours(1), ..PurgePolicy::default() };
    let purged = store.purge(&policy, midnight + chrono::Duration::hours(2)).await.unwrap();
    assert_eq!(purged.of("candidate_database_instance"), 1, "{purged:?}");
    store.close().await;

    let mut original = SqliteConnection::connect(&url).await.unwrap();
    let replace = "replace into cluster_alias (cluster_name, alias, last_registered) values ('db1:3306', 'shop', datetime('now'))";
    sqlx::raw_sql(replace).execute(&mut original).await.unwrap();
    let versions = "select count(*) from orchestrator_db_deployments where deployed_version in ('3.2.6', '1.0')";
    let count: i64 = sqlx::query_scalar(versions).fetch_one(&mut original).await.unwrap();
    assert_eq!(count, 2, "each binary finds its own record");

    // Bytes where text should be cost their cell at most.
    for odd in ["version = x'38ff'", "version = cast(x'38ff' as text), version_comment = 'a' || char(0) || 'b'"] {
        let sql = format!("update database_instance set {odd} where hostname = 'db2'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut original).await.unwrap();
        let store = Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap();
        let servers = store.load_instances().await.unwrap();
        let read: Vec<_> = servers.iter().map(|i| (i.key.hostname.as_str(), i.version.as_str(), i.server_id)).collect();
        assert_eq!(read, [("db2", "8\u{fffd}", 2), ("db9", "", 0)], "{odd}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_schema_of_the_original() {
    a_server_schema_of_the_original("mariadb").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mysql_schema_of_the_original() {
    a_server_schema_of_the_original("mysql").await;
}

async fn a_server_schema_of_the_original(flavor: &'static str) {
    let sandbox = Sandbox::start_with(flavor, 1, support::NOT_DURABLE);
    let port = sandbox.ports[0];
    sandbox.sql(port, "create database orchestrator");
    let url = format!("mysql://root:root_password@127.0.0.1:{port}/orchestrator");
    let mut original = MySqlConnection::connect(&url).await.unwrap();
    // An older index name, and the modes the original runs under.
    sqlx::raw_sql("set session sql_mode = ''").execute(&mut original).await.unwrap();
    sqlx::raw_sql(include_str!("../../migrations/mysql/0001_compatible_schema.sql"))
        .execute(&mut original)
        .await
        .unwrap();
    let renamed = "alter table database_instance drop key cluster_name_idx_database_instance, add key cluster_name_idx (cluster_name)";
    for sql in [renamed].iter().chain(OLDER).chain(ROWS) {
        sqlx::raw_sql(sqlx::AssertSqlSafe((*sql).to_owned()))
            .execute(&mut original)
            .await
            .unwrap_or_else(|e| panic!("{e}: {sql}"));
    }
    original.close().await.unwrap();
    let settings = BackendSettings::MySql(MySqlSettings {
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        password: "root_password".to_owned(),
        ..MySqlSettings::default()
    });
    taken_over(&settings).await.close().await;
    let keys = "select count(distinct index_name) from information_schema.statistics where table_schema = 'orchestrator' \
                and table_name = 'database_instance'";
    assert_eq!(sandbox.sql(port, keys).trim(), "6", "a key under its older name is not added again");
    let columns = "select count(*) from information_schema.columns where table_schema = 'orchestrator' \
                   and table_name not like 'orchestrator\\_%'";
    // 353 less the five columns of the two compatible tables that carry the prefix of ours.
    assert_eq!(sandbox.sql(port, columns).trim(), "348");
}

/// Opens what the original left and finds everything in it.
async fn taken_over(settings: &BackendSettings) -> Store {
    let refused = Deployment { refuse_different: true, ..Deployment::of_version("1.0") };
    assert!(matches!(Store::open(settings, &refused).await, Err(StoreError::DifferentDeploy { .. })));
    let skipped = Deployment { skip_update: true, ..Deployment::of_version("1.0") };
    assert!(matches!(Store::open(settings, &skipped).await, Err(StoreError::NotDeployed { .. })));
    let store = Store::open(settings, &Deployment::of_version("1.0")).await.unwrap();

    let servers = store.load_instances().await.unwrap();
    let [db2, db9] = servers.as_slice() else { panic!("expected two servers, got {servers:?}") };
    let at: Option<DateTime<Utc>> = DateTime::from_timestamp(1_767_225_845, 0);
    assert_eq!((db2.check.last_checked, db2.check.last_seen, db2.check.is_valid()), (at, at, true));
    assert_eq!(db2.replication.source, InstanceKey::new("//db1", 3306));
    assert_eq!(db2.replication.receiver_error, "error reconnecting: \"db1\" K\u{f6}ln\n");
    assert_eq!((db2.replication.receiver, db2.replication.applier), (ThreadState::Other, ThreadState::Running));
    assert_eq!((db2.lag, db2.replication.seconds_behind), (None, None));
    assert_eq!(db2.replicas, vec![InstanceKey::new("db3", 3306)]);
    assert_eq!((db2.depth, db2.semi_sync.priority, db2.replication.auto_position), (1, 3, true));
    assert!(!db2.semi_sync.available, "the column was missing and has its default now");
    assert!(db2.group.members.is_empty());
    assert_eq!((db9.check.last_checked, db9.check.last_seen), (None, None));
    assert!(!db9.is_replica() && db9.replication.source.is_null());

    let said = store.load_annotations().await.unwrap();
    let key = InstanceKey::new("db2", 3306);
    assert_eq!(said.promotion_rule(&key), PromotionRule::Must);
    assert_eq!(said.candidates[&key].last_suggested.timestamp(), 1_767_225_600);
    assert_eq!(said.cluster_aliases["db1:3306"], "orders");
    assert_eq!(said.downtime[&key].begin.timestamp(), 1_767_225_600);
    assert_eq!(said.downtime[&key].end.timestamp(), 2_114_380_800);
    assert_eq!(store.load_resolved_names().await.unwrap()[0].at.timestamp(), 1_767_225_600);

    let audit = store.audit(None, 0, PAGE_SIZE).await.unwrap();
    assert_eq!((audit[0].entry.message.as_str(), audit[0].entry.actor.as_str()), ("relocated", ""));
    let recoveries = store.recoveries(&RecoveryFilter::Alias("orders".to_owned()), 0, PAGE_SIZE).await.unwrap();
    assert_eq!(recoveries[0].successor, key);
    assert_eq!(recoveries[0].ended.map(|t| t.timestamp()), Some(1_767_225_630));
    assert!(recoveries[0].acknowledged.is_none() && !recoveries[0].is_active);
    assert_eq!(recoveries[0].replicas.len(), 2);
    // And it can be written to as well.
    store.write_instances(&servers).await.unwrap();
    assert_eq!(store.load_instances().await.unwrap(), servers);
    store
}

#[tokio::test]
async fn an_unusable_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let open = async |name: &str| {
        let settings = BackendSettings::Sqlite { path: dir.path().join(name) };
        Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap_err()
    };
    let missing = open("no/such/folder/orchestrator.db").await;
    assert!(missing.is_unavailable(), "{missing}");
    assert!(missing.to_string().contains("no/such/folder/orchestrator.db"), "{missing}");
    std::fs::write(dir.path().join("letter.txt"), "Dear database, ".repeat(1_000)).unwrap();
    let letter = open("letter.txt").await;
    assert!(matches!(letter, StoreError::Corrupt { .. }), "{letter}");
    assert!(letter.to_string().contains("letter.txt"), "{letter}");
    assert_eq!(std::fs::read(dir.path().join("letter.txt")).unwrap().len(), 15_000, "and nothing was done to it");
}
