//! `TopologyRecovery`: a recovery as a live result or as read back, and a detection (`spec/api.md` 3.6, 3.7).

use app::recovery::{Recovery, RecoveryKind};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::analysis::{ClusterInfo, ReplicationAnalysis};
use super::scalar::{TimeForm, key_set};
use crate::store::{DetectionRow, RecoveryRow};

/// Who recovered what, with whom, and how it ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TopologyRecovery {
    id: i64,
    #[serde(rename = "UID")]
    uid: String,
    analysis_entry: ReplicationAnalysis,
    successor_key: Option<InstanceKey>,
    successor_alias: String,
    successor_binlog_coordinates: Option<BinlogCoordinates>,
    is_active: bool,
    is_successful: bool,
    lost_replicas: Vec<InstanceKey>,
    participating_instance_keys: Vec<InstanceKey>,
    all_errors: Option<Vec<String>>,
    recovery_start_timestamp: String,
    recovery_end_timestamp: String,
    processing_node_hostname: String,
    processing_node_token: String,
    acknowledged: bool,
    acknowledged_at: String,
    acknowledged_by: String,
    acknowledged_comment: String,
    last_detection_id: i64,
    related_recovery_id: i64,
    #[serde(rename = "Type")]
    kind: &'static str,
    recovery_type: &'static str,
}

impl TopologyRecovery {
    /// The result of a takeover or failover that has just ended. Times are empty, as in the original.
    pub fn live(
        recovery: &Recovery,
        cluster: &ClusterInfo,
        command_hint: &str,
        successor_position: Option<BinlogCoordinates>,
        form: TimeForm,
        now: DateTime<Utc>,
    ) -> Self {
        let node = (recovery.node.as_str(), recovery.node_token.as_str());
        Self {
            id: recovery.id,
            uid: recovery.uid.clone(),
            analysis_entry: ReplicationAnalysis::new(&recovery.finding, cluster, node, form, now)
                .with_hint(command_hint),
            successor_key: recovery.successor.clone(),
            successor_alias: recovery.successor_alias.clone(),
            successor_binlog_coordinates: successor_position,
            is_active: recovery.is_running(),
            is_successful: recovery.is_successful(),
            lost_replicas: key_set(&recovery.lost_replicas),
            participating_instance_keys: key_set(&recovery.participants),
            all_errors: Some(recovery.errors.clone()),
            recovery_start_timestamp: String::new(),
            recovery_end_timestamp: String::new(),
            processing_node_hostname: recovery.node.clone(),
            processing_node_token: recovery.node_token.clone(),
            acknowledged: recovery.acknowledged.is_some(),
            acknowledged_at: form.stored(recovery.acknowledged.as_ref().map(|a| a.at)),
            acknowledged_by: recovery.acknowledged.as_ref().map(|a| a.by.clone()).unwrap_or_default(),
            acknowledged_comment: recovery.acknowledged.as_ref().map(|a| a.comment.clone()).unwrap_or_default(),
            last_detection_id: recovery.detection_id,
            related_recovery_id: 0,
            kind: match recovery.kind {
                // The original has four texts; what repairs a source is told by the analysis code.
                RecoveryKind::Source
                | RecoveryKind::Takeover
                | RecoveryKind::SemiSync
                | RecoveryKind::ReadOnlySource => "MasterRecovery",
                RecoveryKind::CoSource => "CoMasterRecovery",
                RecoveryKind::IntermediateSource => "IntermediateMasterRecovery",
                RecoveryKind::GroupMember => "ReplicationGroupMemberRecovery",
            },
            recovery_type: recovery_type(recovery),
        }
    }

    /// A recovery read back. `cluster` carries the two flags; name and alias are those of the row.
    pub fn stored(row: RecoveryRow, cluster: &ClusterInfo, form: TimeForm) -> Self {
        let (acknowledged, acknowledgement) = match row.acknowledged {
            Some(acknowledgement) => (true, Some(acknowledgement)),
            None => (false, None),
        };
        Self {
            id: row.id,
            uid: row.uid,
            analysis_entry: read_back(row.key, row.analysis, row.cluster, row.cluster_alias, cluster, &row.replicas),
            successor_key: Some(row.successor),
            successor_alias: row.successor_alias,
            successor_binlog_coordinates: None,
            is_active: row.is_active,
            is_successful: row.is_successful,
            lost_replicas: key_set(&row.lost_replicas),
            participating_instance_keys: key_set(&row.participants),
            // One empty text when there are none: the original splits an empty column.
            all_errors: Some(row.errors.split('\n').map(str::to_owned).collect()),
            recovery_start_timestamp: form.stored(Some(row.started)),
            recovery_end_timestamp: form.computed(row.ended),
            processing_node_hostname: row.node.hostname,
            processing_node_token: row.node.token,
            acknowledged,
            acknowledged_at: form.stored(acknowledgement.as_ref().map(|a| a.at)),
            acknowledged_by: acknowledgement.as_ref().map(|a| a.by.clone()).unwrap_or_default(),
            acknowledged_comment: acknowledgement.map(|a| a.comment).unwrap_or_default(),
            last_detection_id: row.detection_id,
            related_recovery_id: 0,
            kind: "",
            recovery_type: "NotMasterRecovery",
        }
    }

    /// A detection: the same keys, otherwise filled.
    pub fn detection(row: DetectionRow, cluster: &ClusterInfo, form: TimeForm) -> Self {
        let started = form.stored(Some(row.started));
        let entry = read_back(row.key, row.analysis, row.cluster, row.cluster_alias, cluster, &row.replicas)
            .started(started.clone());
        Self {
            id: row.id,
            uid: String::new(),
            analysis_entry: entry,
            successor_key: None,
            successor_alias: String::new(),
            successor_binlog_coordinates: None,
            is_active: row.is_active,
            is_successful: false,
            lost_replicas: Vec::new(),
            participating_instance_keys: Vec::new(),
            all_errors: None,
            recovery_start_timestamp: started,
            recovery_end_timestamp: String::new(),
            processing_node_hostname: row.node.hostname,
            processing_node_token: row.node.token,
            acknowledged: false,
            acknowledged_at: String::new(),
            acknowledged_by: String::new(),
            acknowledged_comment: String::new(),
            last_detection_id: 0,
            related_recovery_id: row.related_recovery_id,
            kind: "",
            recovery_type: "",
        }
    }
}

/// By what the replicas of a dead source found their new one.
fn recovery_type(recovery: &Recovery) -> &'static str {
    let facts = &recovery.finding.facts;
    if !recovery.kind.replaces_source() {
        "NotMasterRecovery"
    } else if facts.mysql_gtid_topology || facts.mariadb_gtid_topology {
        "MasterRecoveryGTID"
    } else if facts.binlog_server_topology {
        "MasterRecoveryBinlogServer"
    } else {
        // Whatever is neither, as in the original (`spec/recovery.md` 3.7).
        "MasterRecoveryPseudoGTID"
    }
}

/// The analysis of a record that was read back: server, code, cluster and replicas, the rest at its default.
fn read_back(
    key: InstanceKey,
    analysis: String,
    cluster_name: String,
    cluster_alias: String,
    cluster: &ClusterInfo,
    replicas: &[InstanceKey],
) -> ReplicationAnalysis {
    let cluster = ClusterInfo {
        cluster_name,
        cluster_alias,
        has_automated_master_recovery: cluster.has_automated_master_recovery,
        has_automated_intermediate_master_recovery: cluster.has_automated_intermediate_master_recovery,
        ..ClusterInfo::default()
    };
    ReplicationAnalysis::read_back(key, analysis, cluster, key_set(replicas))
}
