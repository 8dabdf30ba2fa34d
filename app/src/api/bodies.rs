//! Bodies and answers of what is said of servers, clusters and pools, and of records.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ServerView;
use crate::plan::Refusal;
use crate::topology::PromotionRule;
use crate::{BinlogCoordinates, InstanceKey};

/// Body of an alias set by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AliasRequest {
    /// The alias; must not be empty.
    pub alias: String,
}

/// Body of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TagRequest {
    /// Its value; may be empty or missing.
    #[serde(default)]
    pub value: String,
}

/// Body of a maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MaintenanceRequest {
    /// Who; the caller when empty or missing.
    #[serde(default)]
    pub owner: String,
    /// Why; must not be empty.
    pub reason: String,
    /// How long, seconds; ten minutes when missing, must be positive.
    #[serde(default = "ten_minutes")]
    pub duration_seconds: u64,
}

fn ten_minutes() -> u64 {
    600
}

/// A hold on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MaintenanceView {
    /// Number of the entry in the backend; 0 until it is written.
    pub id: i64,
    /// The server.
    pub server: InstanceKey,
    /// Who.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Begin.
    pub begin: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
}

/// Body of a virtual host name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VirtualNameRequest {
    /// The name that replicas are configured with; must not be empty.
    pub name: String,
}

/// Body of a pool: its members from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolRequest {
    /// Each `host`, `host:port` or `[ipv6]:port`; at least one.
    pub servers: Vec<String>,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolView {
    /// Name.
    pub pool: String,
    /// Members, by key.
    pub servers: Vec<InstanceKey>,
}

/// Servers of a cluster that are in a pool and answered their last check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PooledServers {
    /// The servers, by key.
    pub servers: Vec<ServerView>,
    /// Largest lag among them, seconds; `None` without servers.
    pub max_lag: Option<i64>,
}

/// A promotion rule that is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromotionRuleView {
    /// The server.
    pub server: InstanceKey,
    /// Its rule.
    pub rule: PromotionRule,
    /// When it was said last.
    pub suggested: DateTime<Utc>,
    /// When it ends unless it is said again.
    pub expires: DateTime<Utc>,
}

/// Body of an acknowledgement of several recoveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcknowledgeManyRequest {
    /// `all`, `cluster` or `server`.
    pub scope: String,
    /// The cluster by name, alias or member, or the failed server; empty or missing for `all`.
    #[serde(default)]
    pub target: String,
    /// Why; must not be empty.
    pub comment: String,
}

/// How many recoveries an acknowledgement reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledged {
    /// Recoveries.
    pub recoveries: u64,
}

/// Body of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishRequest {
    /// The cluster whose primary is published, by name, alias or member; all clusters when empty or missing.
    #[serde(default)]
    pub cluster: String,
}

/// A key and its value, as published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishedPair {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// The analysis of a server changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FindingChange {
    /// The server.
    pub server: InstanceKey,
    /// Its code from then on.
    pub analysis: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A failure that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DetectionView {
    /// Number.
    pub id: i64,
    /// The failed server.
    pub server: InstanceKey,
    /// Code.
    pub analysis: String,
    /// Its cluster, by the name it had.
    pub cluster: String,
    /// Alias of the cluster.
    pub cluster_alias: String,
    /// Direct replicas at the time.
    pub replicas: Vec<InstanceKey>,
    /// A recovery exists for the code.
    pub actionable: bool,
    /// Not closed yet.
    pub active: bool,
    /// When it was seen.
    pub started: DateTime<Utc>,
    /// Host name of the node that saw it.
    pub node: String,
    /// Number of the newest recovery that it led to, if any.
    pub recovery: Option<i64>,
}

/// A recovery that was not begun because another one of the cluster is too recent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockedRecovery {
    /// The failed server.
    pub server: InstanceKey,
    /// Its cluster.
    pub cluster: String,
    /// Code.
    pub analysis: String,
    /// When it was refused last.
    pub at: DateTime<Utc>,
    /// Number of the recovery that blocks it.
    pub blocked_by: i64,
}

/// A stored picture of all topologies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopologySnapshot {
    /// When it was taken, to the second: its name.
    pub at: DateTime<Utc>,
    /// Servers in it.
    pub servers: u64,
}

/// A server in a stored picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotServer {
    /// The server.
    pub server: InstanceKey,
    /// Its source then, if it had one.
    pub source: Option<InstanceKey>,
    /// Its cluster then.
    pub cluster: String,
    /// Its version then.
    pub version: String,
}

/// A pseudo-GTID entry and where it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PseudoGtidEntry {
    /// In a binary log or a relay log.
    pub at: BinlogCoordinates,
    /// As the log has it.
    pub text: String,
}

/// Whether a server may replicate from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CanReplicate {
    /// It may.
    pub can: bool,
    /// The rule that forbids it.
    pub refusal: Option<Refusal>,
}

/// What a host name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostName {
    /// The name that was asked about.
    pub host: String,
    /// What it stands for.
    pub name: String,
    /// When that was found.
    pub found: DateTime<Utc>,
}

/// What automatic recoveries act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoverySettings {
    /// Recoveries act.
    pub enabled: bool,
    /// `RecoverMasterClusterFilters`.
    pub source_filters: Vec<String>,
    /// `RecoverIntermediateMasterClusterFilters`.
    pub intermediate_source_filters: Vec<String>,
    /// `RecoveryIgnoreHostnameFilters`.
    pub ignored_hosts: Vec<String>,
}

/// Body of a reload of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReloadRequest {
    /// One more configuration file on the node; none when empty or missing.
    #[serde(default)]
    pub path: String,
}
