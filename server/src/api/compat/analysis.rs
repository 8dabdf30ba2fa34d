//! `ClusterInfo` and `ReplicationAnalysis` (`spec/api.md` 3.4, 3.5).

use app::finding::{Finding, StructureWarning};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::scalar::{TimeForm, key_set};

/// Summary of a cluster.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClusterInfo {
    /// Name.
    pub cluster_name: String,
    /// Alias; the name when it has none.
    pub cluster_alias: String,
    /// Domain; empty when it has none.
    pub cluster_domain: String,
    /// Servers.
    pub count_instances: u64,
    /// Always 0.
    pub heuristic_lag: i64,
    /// A dead source is recovered automatically.
    pub has_automated_master_recovery: bool,
    /// A dead intermediate source is recovered automatically.
    pub has_automated_intermediate_master_recovery: bool,
}

/// What was found about one server.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReplicationAnalysis {
    analyzed_instance_key: InstanceKey,
    analyzed_instance_master_key: InstanceKey,
    cluster_details: ClusterInfo,
    analyzed_instance_data_center: String,
    analyzed_instance_region: String,
    analyzed_instance_physical_environment: String,
    analyzed_instance_binlog_coordinates: BinlogCoordinates,
    is_master: bool,
    is_replication_group_member: bool,
    is_co_master: bool,
    last_check_valid: bool,
    last_check_partial_success: bool,
    count_replicas: u64,
    count_valid_replicas: u32,
    count_valid_replicating_replicas: u32,
    count_replicas_failing_to_connect_to_master: u32,
    count_downtimed_replicas: u32,
    replication_depth: u32,
    replicas: Vec<InstanceKey>,
    slave_hosts: Vec<InstanceKey>,
    is_failing_to_connect_to_master: bool,
    analysis: String,
    description: String,
    structure_analysis: Option<Vec<StructureWarning>>,
    is_downtimed: bool,
    is_replicas_downtimed: bool,
    downtime_end_timestamp: String,
    downtime_remaining_seconds: i64,
    is_binlog_server: bool,
    #[serde(rename = "PseudoGTIDImmediateTopology")]
    pseudo_gtid_immediate_topology: bool,
    #[serde(rename = "OracleGTIDImmediateTopology")]
    oracle_gtid_immediate_topology: bool,
    #[serde(rename = "MariaDBGTIDImmediateTopology")]
    mariadb_gtid_immediate_topology: bool,
    binlog_server_immediate_topology: bool,
    semi_sync_master_enabled: bool,
    semi_sync_master_status: bool,
    semi_sync_master_wait_for_replica_count: u64,
    semi_sync_master_clients: u64,
    count_semi_sync_replicas_enabled: u32,
    count_logging_replicas: u32,
    count_statement_based_logging_replicas: u32,
    count_mixed_based_logging_replicas: u32,
    count_row_based_logging_replicas: u32,
    count_distinct_major_versions_logging_replicas: u32,
    count_delayed_replicas: u32,
    count_lagging_replicas: u32,
    is_actionable_recovery: bool,
    processing_node_hostname: String,
    processing_node_token: String,
    count_additional_agreeing_nodes: u32,
    start_active_period: String,
    skippable_due_to_downtime: bool,
    #[serde(rename = "GTIDMode")]
    gtid_mode: String,
    #[serde(rename = "MinReplicaGTIDMode")]
    min_replica_gtid_mode: String,
    #[serde(rename = "MaxReplicaGTIDMode")]
    max_replica_gtid_mode: String,
    #[serde(rename = "MaxReplicaGTIDErrant")]
    max_replica_gtid_errant: String,
    command_hint: String,
    is_read_only: bool,
}

impl ReplicationAnalysis {
    /// A finding, made by the node of this host name and token. `cluster` needs name, alias and the two flags.
    pub fn new(
        finding: &Finding,
        cluster: &ClusterInfo,
        node: (&str, &str),
        form: TimeForm,
        now: DateTime<Utc>,
    ) -> Self {
        let f = &finding.facts;
        let replicas = key_set(&f.replicas);
        Self {
            analyzed_instance_key: finding.key.clone(),
            analyzed_instance_master_key: finding.source.clone(),
            cluster_details: ClusterInfo {
                cluster_domain: finding.cluster_domain.clone(),
                count_instances: 0,
                ..cluster.clone()
            },
            analyzed_instance_data_center: f.data_center.clone(),
            analyzed_instance_region: f.region.clone(),
            analyzed_instance_physical_environment: f.environment.clone(),
            analyzed_instance_binlog_coordinates: f.binlog.clone(),
            is_master: f.is_source,
            is_replication_group_member: f.is_group_member,
            is_co_master: f.is_co_source,
            last_check_valid: f.last_check_valid,
            last_check_partial_success: f.last_check_partial,
            count_replicas: f.replicas.len() as u64,
            count_valid_replicas: f.valid_replicas,
            count_valid_replicating_replicas: f.valid_replicating,
            count_replicas_failing_to_connect_to_master: f.failing_to_connect,
            count_downtimed_replicas: f.downtimed,
            replication_depth: f.depth,
            slave_hosts: replicas.clone(),
            replicas,
            is_failing_to_connect_to_master: f.fails_to_connect,
            analysis: finding.code.as_str().to_owned(),
            description: finding.description.clone(),
            structure_analysis: (!finding.structure.is_empty()).then(|| finding.structure.clone()),
            is_downtimed: finding.downtime_end.is_some(),
            is_replicas_downtimed: finding.replicas_downtimed,
            downtime_end_timestamp: form.computed(finding.downtime_end),
            // The original has the sign the wrong way round, and readers of it have got used to that.
            downtime_remaining_seconds: finding.downtime_end.map_or(0, |end| (now - end).num_seconds()),
            is_binlog_server: f.is_binlog_server,
            pseudo_gtid_immediate_topology: f.pseudo_gtid_topology,
            oracle_gtid_immediate_topology: f.mysql_gtid_topology,
            mariadb_gtid_immediate_topology: f.mariadb_gtid_topology,
            binlog_server_immediate_topology: f.binlog_server_topology,
            semi_sync_master_enabled: f.semi_sync_enabled,
            semi_sync_master_status: f.semi_sync_active,
            semi_sync_master_wait_for_replica_count: f.semi_sync_wait_for,
            semi_sync_master_clients: f.semi_sync_clients,
            count_semi_sync_replicas_enabled: f.semi_sync_replicas,
            count_logging_replicas: f.logging_replicas,
            count_statement_based_logging_replicas: f.statement_logging,
            count_mixed_based_logging_replicas: f.mixed_logging,
            count_row_based_logging_replicas: f.row_logging,
            count_distinct_major_versions_logging_replicas: f.distinct_major_versions,
            count_delayed_replicas: f.delayed,
            count_lagging_replicas: f.lagging,
            is_actionable_recovery: false,
            processing_node_hostname: node.0.to_owned(),
            processing_node_token: node.1.to_owned(),
            count_additional_agreeing_nodes: 0,
            start_active_period: String::new(),
            skippable_due_to_downtime: finding.is_skippable(),
            gtid_mode: f.gtid_mode.clone(),
            min_replica_gtid_mode: f.min_replica_gtid_mode.clone(),
            max_replica_gtid_mode: f.max_replica_gtid_mode.clone(),
            max_replica_gtid_errant: f.max_replica_errant.clone(),
            command_hint: String::new(),
            is_read_only: f.read_only,
        }
    }

    /// What a record that is read back still knows: server, code, cluster and replicas.
    pub(super) fn read_back(
        key: InstanceKey,
        analysis: String,
        cluster: ClusterInfo,
        replicas: Vec<InstanceKey>,
    ) -> Self {
        Self {
            analyzed_instance_key: key,
            analysis,
            cluster_details: cluster,
            count_replicas: replicas.len() as u64,
            slave_hosts: replicas.clone(),
            replicas,
            ..Self::default()
        }
    }

    /// The same in a detection: with the time of its registration.
    pub(super) fn started(self, at: String) -> Self {
        Self { start_active_period: at, ..self }
    }

    /// The same inside a recovery that a person asked for: with the command's name.
    #[must_use]
    pub fn with_hint(self, command_hint: &str) -> Self {
        Self { is_actionable_recovery: true, command_hint: command_hint.to_owned(), ..self }
    }
}
