//! The contract of `/api/v2`: what the page, `curl` and the OpenAPI document agree on.
//!
//! Bodies are JSON with `snake_case` fields. Servers are named `host:port` in paths. Errors have
//! the one form [`ErrorBody`] and a fitting status (400 bad input, 401, 403, 404, 409 the world has changed
//! or something is in the way, 422 a rule forbids it, 429, 500, 503 not the leader or not ready).
//!
//! | method and path | body → answer |
//! |---|---|
//! | `GET /api/v2/session` | [`Session`] |
//! | `/api/v2/me`, `login`, `logout`, `setup`, `password`, `sessions`, `tokens`, `users` | see [`crate::access`] |
//! | `GET /api/v2/status` | [`NodeStatus`] |
//! | `GET /api/v2/clusters` | list of [`ClusterSummary`] |
//! | `GET /api/v2/clusters/{name or alias}` | [`ClusterView`] |
//! | `GET /api/v2/servers?search=&cluster=&tag=&problems=&downtimed=` | list of [`ServerView`] |
//! | `POST /api/v2/servers` | [`DiscoverRequest`] → 201 [`ServerView`] |
//! | `GET /api/v2/servers/{key}` | [`ServerView`] |
//! | `DELETE /api/v2/servers/{key}` | 204 (forget) |
//! | `POST /api/v2/servers/{key}/refresh` | [`ServerView`] |
//! | `PUT /api/v2/servers/{key}/downtime` | [`DowntimeRequest`] → 204 |
//! | `DELETE /api/v2/servers/{key}/downtime` | 204 |
//! | `PUT /api/v2/servers/{key}/promotion-rule` | [`PromotionRuleRequest`] → 204 |
//! | `GET /api/v2/clusters/{name or alias}/readiness` | [`Readiness`](crate::readiness::Readiness): what would happen if a source died now |
//! | `GET /api/v2/findings` | list of [`HeldFinding`](crate::readiness::HeldFinding) |
//! | `POST /api/v2/plans` | [`Operation`] → [`Plan`]: nothing is changed |
//! | `POST /api/v2/operations` | [`ApplyRequest`] → 202 [`OperationView`]; 409 when the world has changed since |
//! | `GET /api/v2/operations/{id}` | [`OperationView`] |
//! | `GET /api/v2/servers/{key}/equivalent-places?at=file:position` | list of [`LogPlace`](crate::topology::LogPlace) |
//! | `GET /api/v2/recoveries?cluster=&page=` | list of [`Recovery`], newest first |
//! | `GET /api/v2/recoveries/{id or uid}` | [`Recovery`] |
//! | `POST /api/v2/recoveries` | [`RecoverRequest`] → 202 [`Recovery`] |
//! | `PUT /api/v2/recoveries/{id or uid}/acknowledgement` | [`AcknowledgeRequest`] → 204 |
//! | `PUT /api/v2/settings/recoveries` | [`RecoveriesSwitch`] → 204 |
//! | `GET /api/v2/audit?actor=&action=&cluster=&server=&from=&until=&text=&page=` | list of [`AuditRow`], newest first, 20 a page; with `format=csv` or `format=json` all of them as a file |
//! | `GET /api/v2/settings/recoveries` | [`RecoverySettings`] |
//! | `DELETE /api/v2/clusters/{name or alias}` | 204 (forget all its servers) |
//! | `PUT /api/v2/clusters/{name or alias}/alias` | [`AliasRequest`] → 204 |
//! | `GET /api/v2/clusters/{name or alias}/topology?style=` | the tree as text |
//! | `GET /api/v2/clusters/{name or alias}/control-replicas` | list of [`ServerView`] |
//! | `GET /api/v2/clusters/{name or alias}/pooled-servers?pool=` | [`PooledServers`] |
//! | `GET /api/v2/servers/{key}/replicas` | list of [`ServerView`] |
//! | `GET /api/v2/servers/{key}/can-replicate-from/{source}?by_gtid=` | [`CanReplicate`] |
//! | `GET /api/v2/servers/{key}/errant-logs` | list of binary logs |
//! | `GET /api/v2/servers/{key}/last-pseudo-gtid?all_logs=` | [`PseudoGtidEntry`]: the last one of its newest log, or of all |
//! | `GET /api/v2/servers/{key}/statements-around?statement=` | list of statements; none is run |
//! | `POST /api/v2/servers/{key}/connection-check` | [`InstanceKey`] that was connected to |
//! | `PUT`, `DELETE /api/v2/servers/{key}/tags/{tag}` | [`TagRequest`] → 204 |
//! | `DELETE /api/v2/tags/{tag}?value=` | list of [`InstanceKey`] that had it |
//! | `GET /api/v2/maintenance` | list of [`MaintenanceView`] |
//! | `PUT`, `DELETE /api/v2/servers/{key}/maintenance` | [`MaintenanceRequest`] → 204 |
//! | `PUT`, `DELETE /api/v2/servers/{key}/virtual-name` | [`VirtualNameRequest`] → 204 |
//! | `GET /api/v2/promotion-rules` | list of [`PromotionRuleView`] |
//! | `GET /api/v2/pools?cluster=` | list of [`PoolView`] |
//! | `PUT`, `DELETE /api/v2/pools/{pool}` | [`PoolRequest`] → 204 |
//! | `GET /api/v2/findings/changes` | list of [`FindingChange`] |
//! | `GET /api/v2/detections?alias=&page=` | list of [`DetectionView`], newest first |
//! | `GET /api/v2/blocked-recoveries?cluster=` | list of [`BlockedRecovery`] |
//! | `POST /api/v2/acknowledgements` | [`AcknowledgeManyRequest`] → [`Acknowledged`] |
//! | `GET`, `POST /api/v2/publications` | [`PublishRequest`] → list of [`PublishedPair`] |
//! | `GET`, `POST /api/v2/topology-snapshots` | list of [`TopologySnapshot`]; one |
//! | `GET /api/v2/topology-snapshots/{at}?cluster=` | list of [`SnapshotServer`] |
//! | `GET`, `DELETE /api/v2/host-names` | list of [`HostName`]; 204 |
//! | `POST /api/v2/configuration/reload` | [`ReloadRequest`] → 204 |
//! | `PUT`, `DELETE /api/v2/leader` | 204: this node takes, or gives up, the active role |
//! | `GET /api/v2/events` | server-sent events of [`crate::event::Event`]; resumes after `Last-Event-ID` |
//! | `GET /api/v2/openapi.json` | this contract |

mod bodies;

use std::collections::BTreeMap;

pub use bodies::*;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::InstanceKey;
use crate::finding::{Finding, Severity};
use crate::plan::{Plan, Refusal, ServerOutcome, StepState};
use crate::readiness::HeldBack;
use crate::recovery::Recovery;
use crate::topology::{Downtime, Instance, PromotionRule};

/// What a caller may do. Each right includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything.
    Viewer,
    /// Changes topology, downtime, acknowledges.
    Operator,
    /// Changes the service itself: switches, reload, tokens.
    Admin,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// User name; empty without authentication.
    pub user: String,
    /// What the caller may do.
    pub role: Role,
    /// `AuthenticationMethod` in force, lower case; empty for none.
    pub method: String,
    /// Why the caller may not change anything, for people; empty when they may.
    pub read_only_because: String,
}

/// The state of the node that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeStatus {
    /// Version of this program.
    pub version: String,
    /// Host name.
    pub hostname: String,
    /// Token of this process.
    pub token: String,
    /// Started at.
    pub started: DateTime<Utc>,
    /// This node acts (it is the only one, or the leader).
    pub is_leader: bool,
    /// `sqlite` or `mysql`.
    pub backend: String,
    /// Why the backend does not answer; `None` when it does.
    pub backend_error: Option<String>,
    /// Since when it does not.
    pub backend_down_since: Option<DateTime<Utc>>,
    /// Writes waiting for the backend.
    pub pending_writes: u64,
    /// Recoveries are switched on.
    pub recoveries_enabled: bool,
    /// `RecoveryPeriodBlockSeconds`: a recovery that nobody acknowledged blocks further ones of its cluster so long.
    #[serde(default)]
    pub recovery_block_seconds: i64,
    /// `WebMessage`: what the page tells everybody; empty for nothing.
    #[serde(default)]
    pub web_message: String,
    /// `RemoveTextFromHostnameDisplay`: what the page cuts out of names of servers; empty for nothing.
    #[serde(default)]
    pub cut_from_names: String,
    /// Servers known.
    pub servers: u64,
    /// Clusters known.
    pub clusters: u64,
    /// Background loops.
    pub tasks: Vec<TaskStatus>,
}

/// A background loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskStatus {
    /// Name.
    pub name: String,
    /// `idle`, `busy`, `stopped`.
    pub state: String,
    /// Last failure, if any.
    pub last_error: Option<String>,
    /// Last time round.
    pub last_run: Option<DateTime<Utc>>,
}

/// One cluster on the dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterSummary {
    /// Name: the key text of its topmost server.
    pub name: String,
    /// Alias; the name when it has none.
    pub alias: String,
    /// Domain; empty when it has none.
    pub domain: String,
    /// Servers.
    pub servers: u64,
    /// Servers with a problem, downtimed ones left out, count by problem.
    pub problems: BTreeMap<String, u64>,
    /// The primary, when there is one.
    pub primary: Option<InstanceKey>,
    /// Servers in downtime.
    pub downtimed: u64,
    /// Worst finding.
    pub severity: Severity,
    /// Code and warnings of the worst finding, for people; empty when nothing is wrong.
    pub finding: String,
    /// A recovery is running.
    pub recovering: bool,
    /// A dead source is recovered automatically.
    pub auto_source_recovery: bool,
    /// A dead intermediate source is recovered automatically.
    pub auto_intermediate_recovery: bool,
    /// Largest known lag of a replica that is not in downtime, seconds; `None` when none is known.
    #[serde(default)]
    pub max_lag: Option<i64>,
    /// Servers by data centre, those without one left out.
    #[serde(default)]
    pub data_centers: BTreeMap<String, u64>,
    /// Servers by family and major version, e.g. `MySQL 8.4`.
    #[serde(default)]
    pub versions: BTreeMap<String, u64>,
    /// Tags of its servers, `name=value` or `name`, each once.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// One server as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerView {
    /// As last probed.
    pub instance: Instance,
    /// `ok`, `lag`, `nonreplicating`, `unchecked` or `invalid` (`spec/discovery.md` 22).
    pub status: String,
    /// Problems (`spec/discovery.md` 21).
    pub problems: Vec<String>,
    /// Promotion rule.
    pub promotion_rule: PromotionRule,
    /// Downtime in effect.
    pub downtime: Option<Downtime>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Family name.
    pub flavor: String,
}

/// One cluster with its servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterView {
    /// Summary.
    pub summary: ClusterSummary,
    /// Servers in key order.
    pub servers: Vec<ServerView>,
    /// Findings other than `NoProblem`.
    pub findings: Vec<Finding>,
    /// Why nothing acts on them, one for each.
    #[serde(default)]
    pub held: Vec<HeldBack>,
    /// Latest recoveries, newest first, at most ten.
    pub recoveries: Vec<Recovery>,
    /// The moment of this picture by the server's clock; ages are reckoned from it.
    pub at: DateTime<Utc>,
    /// What the page needs to know to judge moves and lag by itself.
    pub settings: ClusterSettings,
}

/// Settings that decide what the page lights up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterSettings {
    /// `InstancePollSeconds`.
    pub instance_poll_seconds: u64,
    /// `ReasonableReplicationLagSeconds`.
    pub reasonable_lag_seconds: u64,
    /// `LowerReplicaVersionAllowed`.
    pub lower_replica_version_allowed: bool,
    /// `VerifyReplicationFilters`.
    pub verify_replication_filters: bool,
}

/// Body of a discovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoverRequest {
    /// `host`, `host:port` or `[ipv6]:port`.
    pub server: String,
}

/// Body of a downtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DowntimeRequest {
    /// Who; the caller when empty or missing.
    #[serde(default)]
    pub owner: String,
    /// Why; must not be empty.
    pub reason: String,
    /// How long, seconds; must be positive.
    pub duration_seconds: u64,
}

/// Body of a promotion rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromotionRuleRequest {
    /// `prefer`, `neutral`, `prefer_not` or `must_not`.
    pub rule: String,
}

/// An operation that can be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum Operation {
    /// Move a server, with everything below it.
    Relocate {
        /// The server that moves.
        server: InstanceKey,
        /// Its new source.
        below: InstanceKey,
    },
    /// Move the replicas of a server.
    RelocateReplicas {
        /// The server whose replicas move.
        server: InstanceKey,
        /// Their new source.
        below: InstanceKey,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Start both threads.
    StartReplication {
        /// The server.
        server: InstanceKey,
    },
    /// Stop both threads.
    StopReplication {
        /// The server.
        server: InstanceKey,
    },
    /// Stop, then start both threads.
    RestartReplication {
        /// The server.
        server: InstanceKey,
    },
    /// Make read-only.
    SetReadOnly {
        /// The server.
        server: InstanceKey,
    },
    /// Make writeable.
    SetWriteable {
        /// The server.
        server: InstanceKey,
    },
    /// Break the source's host name so that replication cannot resume by itself.
    DetachReplica {
        /// The server.
        server: InstanceKey,
    },
    /// Undo the detaching.
    ReattachReplica {
        /// The server.
        server: InstanceKey,
    },
    /// Stop the receiver, apply what arrived, stop the applier.
    StopReplicationNicely {
        /// The server.
        server: InstanceKey,
    },
    /// Forget the source and all replication options.
    ResetReplica {
        /// The server.
        server: InstanceKey,
    },
    /// Skip the transaction on which the applier stopped.
    SkipQuery {
        /// The server.
        server: InstanceKey,
    },
    /// Stay behind on purpose.
    DelayReplication {
        /// The server.
        server: InstanceKey,
        /// Seconds; 0 for none.
        seconds: u64,
    },
    /// Give the channel its replication user and password anew.
    SetCredentials {
        /// The server.
        server: InstanceKey,
    },
    /// Use GTID from now on.
    EnableGtid {
        /// The server.
        server: InstanceKey,
    },
    /// Use file and position from now on.
    DisableGtid {
        /// The server.
        server: InstanceKey,
    },
    /// Move a server below another one, by GTID or not at all.
    MoveGtid {
        /// The server that moves.
        server: InstanceKey,
        /// Its new source.
        below: InstanceKey,
    },
    /// Move the replicas of a server, by GTID or not at all.
    MoveReplicasGtid {
        /// The server whose replicas move.
        server: InstanceKey,
        /// Their new source.
        below: InstanceKey,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Point a replica at another source, or at its own once more, without changing its place in the log.
    Repoint {
        /// The server.
        server: InstanceKey,
        /// The source; its present one when missing.
        #[serde(default)]
        below: Option<InstanceKey>,
    },
    /// The same for all replicas of a server.
    RepointReplicas {
        /// The server whose replicas are repointed.
        server: InstanceKey,
        /// The source; the server itself when missing.
        #[serde(default)]
        below: Option<InstanceKey>,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Make a replica a sibling of its source.
    MoveUp {
        /// The server.
        server: InstanceKey,
    },
    /// Make the replicas of a server its siblings.
    MoveUpReplicas {
        /// The server whose replicas move.
        server: InstanceKey,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Move a replica to where its place in the log is known from an earlier move by file and position.
    MoveEquivalent {
        /// The server that moves.
        server: InstanceKey,
        /// Its new source.
        below: InstanceKey,
    },
    /// Make the most advanced binlog server below a server the source of the others.
    RegroupBinlogServers {
        /// The server whose replicas are regrouped.
        server: InstanceKey,
    },
    /// Move a replica below its sibling.
    MoveBelow {
        /// The server that moves.
        server: InstanceKey,
        /// The sibling.
        below: InstanceKey,
    },
    /// Move the siblings of a replica below it.
    TakeSiblings {
        /// The replica.
        server: InstanceKey,
    },
    /// Let a replica and its source change places.
    TakeSource {
        /// The replica.
        server: InstanceKey,
    },
    /// Let the source of a replica replicate from it as well.
    MakeCoSource {
        /// The replica.
        server: InstanceKey,
    },
    /// Make a replica a sibling of its source, and its siblings its replicas.
    MakeLocalSource {
        /// The replica.
        server: InstanceKey,
    },
    /// Make the best replica of a server the source of the others.
    RegroupReplicas {
        /// The server whose replicas are regrouped.
        server: InstanceKey,
        /// By GTID or not at all.
        #[serde(default)]
        gtid_only: bool,
    },
    /// Move a server below another one by pseudo-GTID.
    Match {
        /// The server that moves.
        server: InstanceKey,
        /// Its new source.
        below: InstanceKey,
    },
    /// Make a replica a sibling of its source, by pseudo-GTID; the source may be dead.
    MatchUp {
        /// The server.
        server: InstanceKey,
    },
    /// Look for the place of a replica in its own source's log anew, by pseudo-GTID.
    Rematch {
        /// The server.
        server: InstanceKey,
    },
    /// Move the replicas of a server, by pseudo-GTID.
    MatchReplicas {
        /// The server whose replicas move.
        server: InstanceKey,
        /// Their new source.
        below: InstanceKey,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Make the replicas of a server its siblings, by pseudo-GTID.
    MatchUpReplicas {
        /// The server whose replicas move.
        server: InstanceKey,
        /// Only replicas whose `host:port` matches this regular expression; all when empty.
        #[serde(default)]
        pattern: String,
    },
    /// Make the best replica of a server the source of the others, by pseudo-GTID.
    RegroupReplicasPseudoGtid {
        /// The server whose replicas are regrouped.
        server: InstanceKey,
    },
    /// Switch the source side of semi-sync.
    SetSemiSyncSource {
        /// The server.
        server: InstanceKey,
        /// On or off.
        on: bool,
    },
    /// Switch the replica side of semi-sync.
    SetSemiSyncReplica {
        /// The server.
        server: InstanceKey,
        /// On or off.
        on: bool,
    },
    /// Begin a new binary log.
    FlushBinaryLogs {
        /// The server.
        server: InstanceKey,
        /// Until this log is the current one; once when empty.
        #[serde(default)]
        until: String,
    },
    /// Delete old binary logs.
    PurgeBinaryLogs {
        /// The server.
        server: InstanceKey,
        /// The first log that is kept; `latest` for the current one.
        to: String,
        /// Also when a replica still needs one of them.
        #[serde(default)]
        force: bool,
    },
    /// End the statement of a session.
    KillQuery {
        /// The server.
        server: InstanceKey,
        /// The session's number.
        process: u64,
    },
    /// Remove errant transactions from a server without replicas: its binary logs are thrown away.
    ResetErrant {
        /// The server.
        server: InstanceKey,
    },
    /// Make errant transactions known to all: empty ones of their names are committed on the primary.
    InjectErrant {
        /// The server that holds them.
        server: InstanceKey,
    },
}

impl Operation {
    /// The servers that it names, the one acted on first.
    pub fn servers(&self) -> Vec<&InstanceKey> {
        match self {
            Self::Relocate { server, below }
            | Self::RelocateReplicas { server, below, .. }
            | Self::MoveGtid { server, below }
            | Self::MoveReplicasGtid { server, below, .. }
            | Self::Match { server, below }
            | Self::MatchReplicas { server, below, .. }
            | Self::MoveEquivalent { server, below }
            | Self::MoveBelow { server, below } => vec![server, below],
            Self::Repoint { server, below } | Self::RepointReplicas { server, below, .. } => {
                std::iter::once(server).chain(below).collect()
            }
            Self::StartReplication { server }
            | Self::StopReplication { server }
            | Self::RestartReplication { server }
            | Self::SetReadOnly { server }
            | Self::SetWriteable { server }
            | Self::DetachReplica { server }
            | Self::ReattachReplica { server }
            | Self::StopReplicationNicely { server }
            | Self::ResetReplica { server }
            | Self::SkipQuery { server }
            | Self::DelayReplication { server, .. }
            | Self::SetCredentials { server }
            | Self::EnableGtid { server }
            | Self::DisableGtid { server }
            | Self::MoveUp { server }
            | Self::RegroupBinlogServers { server }
            | Self::MoveUpReplicas { server, .. }
            | Self::TakeSiblings { server }
            | Self::TakeSource { server }
            | Self::MakeCoSource { server }
            | Self::MakeLocalSource { server }
            | Self::RegroupReplicas { server, .. }
            | Self::MatchUp { server }
            | Self::Rematch { server }
            | Self::MatchUpReplicas { server, .. }
            | Self::RegroupReplicasPseudoGtid { server }
            | Self::SetSemiSyncSource { server, .. }
            | Self::SetSemiSyncReplica { server, .. }
            | Self::FlushBinaryLogs { server, .. }
            | Self::PurgeBinaryLogs { server, .. }
            | Self::KillQuery { server, .. }
            | Self::ResetErrant { server }
            | Self::InjectErrant { server } => vec![server],
        }
    }
}

/// Body of an application: the same operation, and the fingerprint of the plan that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplyRequest {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// `Plan::fingerprint` as shown.
    pub fingerprint: String,
}

/// An operation that is or was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperationView {
    /// Name of the application.
    pub id: String,
    /// Its plan.
    pub plan: Plan,
    /// State of each step, by number.
    pub steps: BTreeMap<u32, StepState>,
    /// Who.
    pub actor: String,
    /// Begin.
    pub started: DateTime<Utc>,
    /// End; `None` while at work.
    pub ended: Option<DateTime<Utc>>,
    /// What went wrong and what has been left changed; `None` when nothing did.
    pub error: Option<String>,
    /// What became of each server that was to move, failed or was left out; empty while at work.
    #[serde(default)]
    pub outcomes: Vec<ServerOutcome>,
    /// How far steps at work have come, by number, for people; only those that tell (looking for a place by pseudo-GTID).
    #[serde(default)]
    pub progress: BTreeMap<u32, String>,
}

/// What to recover, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoverRequest {
    /// `recover`, `graceful-takeover`, `graceful-takeover-auto`, `force-failover`, `force-takeover`.
    pub kind: String,
    /// The dead server (`recover`), or any name of the cluster (the others).
    pub target: String,
    /// The designated successor, if any.
    #[serde(default)]
    pub designated: Option<InstanceKey>,
    /// Transactions whose loss is accepted, as a refused recovery named them in its reason.
    #[serde(default)]
    pub accept_loss_of: Option<String>,
    /// Run no hooks (`recover` only).
    #[serde(default)]
    pub skip_hooks: bool,
}

/// Body of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcknowledgeRequest {
    /// Why; must not be empty.
    pub comment: String,
}

/// Body of the global switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveriesSwitch {
    /// Recoveries act.
    pub enabled: bool,
}

/// How something that the audit tells of ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AuditOutcome {
    /// It was done.
    #[default]
    Done,
    /// It was begun and failed.
    Failed,
    /// It was not begun: the caller may not, or is not who they say.
    Refused,
}

impl AuditOutcome {
    /// As it is written and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// The outcome that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Done, Self::Failed, Self::Refused].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// One row of the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRow {
    /// Number.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Kind, as in the compatible API.
    pub kind: String,
    /// The server; null for global events.
    pub server: InstanceKey,
    /// The cluster; empty when none.
    pub cluster: String,
    /// Who: a user, `orchestrator` for what the service does by itself, `cli:USER` for the command line.
    pub actor: String,
    /// How the actor was told: `basic`, `multi`, `proxy`, `token`, `certificate`, ...; empty where nobody has to say who
    /// they are, and for the service itself.
    #[serde(default)]
    pub method: String,
    /// Where the actor called from; empty for the service itself.
    #[serde(default)]
    pub address: String,
    /// What.
    pub message: String,
    /// How it ended; nothing in rows of the original, which does not tell.
    #[serde(default)]
    pub outcome: Option<AuditOutcome>,
    /// Milliseconds it took; nothing where it has no length.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// Why, for automatic acts: the finding. Empty for what somebody asked for.
    #[serde(default)]
    pub reason: String,
}

/// The one form of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// Stable, machine readable, e.g. `not-found`, `bad-input`, `refused`, `world-changed`.
    pub code: String,
    /// What was given and what was expected, for people.
    pub message: String,
    /// The rule that forbids it, with code `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The plan for the world as it is now, with code `world-changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
}
