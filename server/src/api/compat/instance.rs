//! `Instance`, 102 fields (`spec/api.md` 3.2).

use app::topology::status::{is_check_valid, is_recently_checked, is_up_to_date, problems};
use app::topology::{Annotations, Instance, PromotionRule, StatusThresholds};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::scalar::{NullBool, NullInt64, TimeForm, key_set, quoted};

/// One server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompatInstance {
    key: InstanceKey,
    instance_alias: String,
    uptime: u64,
    #[serde(rename = "ServerID")]
    server_id: u64,
    #[serde(rename = "ServerUUID")]
    server_uuid: String,
    version: String,
    version_comment: String,
    flavor_name: &'static str,
    read_only: bool,
    #[serde(rename = "Binlog_format")]
    binlog_format: String,
    binlog_row_image: String,
    log_bin_enabled: bool,
    log_slave_updates_enabled: bool,
    log_replication_updates_enabled: bool,
    self_binlog_coordinates: BinlogCoordinates,
    master_key: InstanceKey,
    #[serde(rename = "MasterUUID")]
    master_uuid: String,
    #[serde(rename = "AncestryUUID")]
    ancestry_uuid: String,
    is_detached_master: bool,
    #[serde(rename = "Slave_SQL_Running")]
    slave_sql_running: bool,
    #[serde(rename = "ReplicationSQLThreadRuning")]
    applier_running: bool,
    #[serde(rename = "Slave_IO_Running")]
    slave_io_running: bool,
    #[serde(rename = "ReplicationIOThreadRuning")]
    receiver_running: bool,
    #[serde(rename = "ReplicationSQLThreadState")]
    applier_state: i8,
    #[serde(rename = "ReplicationIOThreadState")]
    receiver_state: i8,
    has_replication_filters: bool,
    #[serde(rename = "GTIDMode")]
    gtid_mode: String,
    #[serde(rename = "SupportsOracleGTID")]
    supports_oracle_gtid: bool,
    #[serde(rename = "UsingOracleGTID")]
    using_oracle_gtid: bool,
    #[serde(rename = "UsingMariaDBGTID")]
    using_mariadb_gtid: bool,
    #[serde(rename = "UsingPseudoGTID")]
    using_pseudo_gtid: bool,
    read_binlog_coordinates: BinlogCoordinates,
    exec_binlog_coordinates: BinlogCoordinates,
    is_detached: bool,
    relaylog_coordinates: BinlogCoordinates,
    #[serde(rename = "LastSQLError")]
    last_sql_error: String,
    #[serde(rename = "LastIOError")]
    last_io_error: String,
    seconds_behind_master: NullInt64,
    #[serde(rename = "SQLDelay")]
    sql_delay: u64,
    executed_gtid_set: String,
    gtid_purged: String,
    gtid_errant: String,
    slave_lag_seconds: NullInt64,
    replication_lag_seconds: NullInt64,
    slave_hosts: Vec<InstanceKey>,
    replicas: Vec<InstanceKey>,
    cluster_name: String,
    suggested_cluster_alias: String,
    data_center: String,
    region: String,
    physical_environment: String,
    replication_depth: u32,
    is_co_master: bool,
    has_replication_credentials: bool,
    replication_credentials_available: bool,
    semi_sync_available: bool,
    semi_sync_priority: u64,
    semi_sync_master_plugin_new_version: bool,
    semi_sync_replica_plugin_new_version: bool,
    semi_sync_master_enabled: bool,
    semi_sync_replica_enabled: bool,
    semi_sync_master_timeout: u64,
    semi_sync_master_wait_for_replica_count: u64,
    semi_sync_master_status: bool,
    semi_sync_master_clients: u64,
    semi_sync_replica_status: bool,
    last_seen_timestamp: String,
    is_last_check_valid: bool,
    is_up_to_date: bool,
    is_recently_checked: bool,
    seconds_since_last_seen: NullInt64,
    #[serde(rename = "CountMySQLSnapshots")]
    count_mysql_snapshots: u32,
    is_candidate: bool,
    promotion_rule: PromotionRule,
    is_downtimed: bool,
    downtime_reason: String,
    downtime_owner: String,
    downtime_end_timestamp: String,
    elapsed_downtime: i64,
    unresolved_hostname: String,
    #[serde(rename = "AllowTLS")]
    allow_tls: bool,
    #[serde(flatten)]
    channel: ChannelOptions,
    problems: Vec<&'static str>,
    last_discovery_latency: i64,
    replication_group_name: String,
    replication_group_is_single_primary: bool,
    replication_group_member_state: String,
    replication_group_member_role: String,
    replication_group_members: Vec<InstanceKey>,
    replication_group_primary_instance_key: InstanceKey,
    #[serde(rename = "QSP")]
    qsp: Empty,
}

/// Fields 82 to 93. The original does not store them: only a live read has them.
#[derive(Debug, Default, Serialize)]
struct ChannelOptions {
    #[serde(rename = "ReplicationSSLCAFile")]
    ca_file: String,
    #[serde(rename = "ReplicationSSLCAPath")]
    ca_path: String,
    #[serde(rename = "ReplicationSSLCert")]
    cert: String,
    #[serde(rename = "ReplicationSSLCipher")]
    cipher: String,
    #[serde(rename = "ReplicationSSLCRLFile")]
    crl_file: String,
    #[serde(rename = "ReplicationSSLCRLPath")]
    crl_path: String,
    #[serde(rename = "ReplicationSSLKey")]
    key: String,
    #[serde(rename = "ReplicationSSLVerifyServerCert")]
    verify_server_cert: NullBool,
    #[serde(rename = "ReplicationTLSVersion")]
    tls_version: String,
    #[serde(rename = "ReplicationTLSCiphersuites")]
    tls_ciphersuites: String,
    #[serde(rename = "ReplicationSourcePublicKeyPath")]
    public_key_path: String,
    #[serde(rename = "ReplicationGetSourcePublicKey")]
    get_public_key: NullBool,
}

/// An object without fields.
#[derive(Debug, Default, Serialize)]
struct Empty {}

impl CompatInstance {
    /// A server as the original reads it from its backend: with what operators said of it, at `now`.
    pub fn stored(
        instance: &Instance,
        annotations: &Annotations,
        thresholds: &StatusThresholds,
        form: TimeForm,
        now: DateTime<Utc>,
    ) -> Self {
        let downtime = annotations.active_downtime(&instance.key, now);
        let rule = annotations.promotion_rule(&instance.key);
        Self {
            flavor_name: instance.flavor().name(),
            last_seen_timestamp: form.stored(instance.check.last_seen),
            is_last_check_valid: is_check_valid(&instance.check, thresholds, now),
            is_up_to_date: is_up_to_date(instance, thresholds, now),
            is_recently_checked: is_recently_checked(instance, thresholds, now),
            seconds_since_last_seen: instance.check.last_seen.map(|seen| (now - seen).num_seconds()).into(),
            is_candidate: matches!(rule, PromotionRule::Must | PromotionRule::Prefer),
            promotion_rule: rule,
            is_downtimed: downtime.is_some(),
            downtime_reason: downtime.map(|d| d.reason.clone()).unwrap_or_default(),
            downtime_owner: downtime.map(|d| d.owner.clone()).unwrap_or_default(),
            downtime_end_timestamp: form.computed(downtime.map(|d| d.end)),
            elapsed_downtime: downtime.map_or(0, |d| (now - d.begin).num_seconds().saturating_mul(1_000_000_000)),
            unresolved_hostname: annotations.unresolved.get(&instance.key.hostname).cloned().unwrap_or_default(),
            problems: problems(instance, thresholds, now).into_iter().map(|p| p.as_str()).collect(),
            ..Self::base(instance)
        }
    }

    /// A server as it was read a moment ago: what comes from elsewhere is left at its default (`spec/api.md` 3.3).
    pub fn live(instance: &Instance, annotations: &Annotations) -> Self {
        let tls = &instance.replication.tls;
        let asks_for_key = (!tls.public_key_path.is_empty()).then_some(false);
        Self {
            semi_sync_master_plugin_new_version: instance.semi_sync.source_new_names,
            semi_sync_replica_plugin_new_version: instance.semi_sync.replica_new_names,
            is_last_check_valid: true,
            is_up_to_date: true,
            is_recently_checked: true,
            promotion_rule: annotations.promotion_rule(&instance.key),
            channel: ChannelOptions {
                ca_file: tls.ca_file.clone(),
                ca_path: tls.ca_path.clone(),
                cert: tls.cert.clone(),
                cipher: tls.cipher.clone(),
                crl_file: tls.crl_file.clone(),
                crl_path: tls.crl_path.clone(),
                key: tls.key.clone(),
                verify_server_cert: tls.verify_server_cert.into(),
                tls_version: tls.version.clone(),
                tls_ciphersuites: tls.ciphersuites.clone(),
                public_key_path: tls.public_key_path.clone(),
                get_public_key: tls.get_public_key.or(asks_for_key).into(),
            },
            ..Self::base(instance)
        }
    }

    /// What the server itself tells. Times and what operators said are at their defaults.
    fn base(i: &Instance) -> Self {
        let r = &i.replication;
        let replicas = key_set(&i.replicas);
        Self {
            key: i.key.clone(),
            instance_alias: i.alias.clone(),
            uptime: i.uptime,
            server_id: i.server_id,
            server_uuid: i.server_uuid.clone(),
            version: i.version.clone(),
            version_comment: i.version_comment.clone(),
            flavor_name: "",
            read_only: i.read_only,
            binlog_format: i.binlog_format.clone(),
            binlog_row_image: i.binlog_row_image.clone(),
            log_bin_enabled: i.log_bin,
            log_slave_updates_enabled: i.log_replica_updates,
            log_replication_updates_enabled: i.log_replica_updates,
            self_binlog_coordinates: i.binlog.clone(),
            master_key: r.source.clone(),
            master_uuid: r.source_uuid.clone(),
            ancestry_uuid: i.ancestry.clone(),
            is_detached_master: r.source.is_detached(),
            slave_sql_running: r.applier.is_running(),
            applier_running: r.applier.is_running(),
            slave_io_running: r.receiver.is_running(),
            receiver_running: r.receiver.is_running(),
            applier_state: r.applier.code(),
            receiver_state: r.receiver.code(),
            has_replication_filters: r.has_filters,
            gtid_mode: i.gtid_mode.clone(),
            supports_oracle_gtid: i.supports_mysql_gtid(),
            using_oracle_gtid: r.auto_position,
            using_mariadb_gtid: r.uses_mariadb_gtid(),
            using_pseudo_gtid: i.uses_pseudo_gtid,
            read_binlog_coordinates: r.read.clone(),
            exec_binlog_coordinates: r.exec.clone(),
            is_detached: r.exec.is_detached(),
            relaylog_coordinates: BinlogCoordinates::relay(r.relay.file.clone(), r.relay.position),
            last_sql_error: quoted(&r.applier_error),
            last_io_error: quoted(&r.receiver_error),
            seconds_behind_master: r.seconds_behind.into(),
            sql_delay: r.delay,
            executed_gtid_set: i.executed_gtid.clone(),
            gtid_purged: i.purged_gtid.clone(),
            gtid_errant: i.errant_gtid.clone(),
            slave_lag_seconds: i.lag.into(),
            replication_lag_seconds: i.lag.into(),
            slave_hosts: replicas.clone(),
            replicas,
            cluster_name: i.cluster_name.clone(),
            suggested_cluster_alias: i.suggested_cluster_alias.clone(),
            data_center: i.data_center.clone(),
            region: i.region.clone(),
            physical_environment: i.environment.clone(),
            replication_depth: i.depth,
            is_co_master: i.is_co_source,
            has_replication_credentials: r.has_credentials,
            replication_credentials_available: r.credentials_available,
            semi_sync_available: i.semi_sync.available,
            semi_sync_priority: i.semi_sync.priority,
            semi_sync_master_plugin_new_version: false,
            semi_sync_replica_plugin_new_version: false,
            semi_sync_master_enabled: i.semi_sync.source_enabled,
            semi_sync_replica_enabled: i.semi_sync.replica_enabled,
            semi_sync_master_timeout: i.semi_sync.source_timeout_ms,
            semi_sync_master_wait_for_replica_count: i.semi_sync.source_wait_for,
            semi_sync_master_status: i.semi_sync.source_active,
            semi_sync_master_clients: i.semi_sync.source_clients,
            semi_sync_replica_status: i.semi_sync.replica_active,
            last_seen_timestamp: String::new(),
            is_last_check_valid: false,
            is_up_to_date: false,
            is_recently_checked: false,
            seconds_since_last_seen: NullInt64::default(),
            count_mysql_snapshots: 0,
            is_candidate: false,
            promotion_rule: PromotionRule::Neutral,
            is_downtimed: false,
            downtime_reason: String::new(),
            downtime_owner: String::new(),
            downtime_end_timestamp: String::new(),
            elapsed_downtime: 0,
            unresolved_hostname: String::new(),
            allow_tls: r.tls.allowed,
            channel: ChannelOptions::default(),
            problems: Vec::new(),
            last_discovery_latency: i.check.latency_ns,
            replication_group_name: i.group.name.clone(),
            replication_group_is_single_primary: i.group.single_primary,
            replication_group_member_state: i.group.state.clone(),
            replication_group_member_role: i.group.role.clone(),
            replication_group_members: key_set(&i.group.members),
            replication_group_primary_instance_key: i.group.primary.clone(),
            qsp: Empty {},
        }
    }
}
