//! Records of recoveries: what was found, decided and done, kept for as long as `AuditPurgeDays`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::InstanceKey;
use crate::finding::Finding;
use crate::plan::{Step, StepState};

/// Kinds of recovery (`spec/api.md` 3.6, `Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RecoveryKind {
    /// A dead source.
    #[serde(rename = "MasterRecovery")]
    Source,
    /// A dead co-source.
    #[serde(rename = "CoMasterRecovery")]
    CoSource,
    /// A dead intermediate source.
    #[serde(rename = "IntermediateMasterRecovery")]
    IntermediateSource,
    /// A dead group member with replicas.
    #[serde(rename = "ReplicationGroupMemberRecovery")]
    GroupMember,
    /// A planned takeover: nothing is dead.
    #[serde(rename = "PlannedTakeover")]
    Takeover,
    /// A source that waits for more or fewer semi-sync acknowledgements than its replicas give: replicas are switched.
    #[serde(rename = "SemiSyncRecovery")]
    SemiSync,
    /// A source that is read-only without being told to: it is made writable.
    #[serde(rename = "NonWriteableMasterRecovery")]
    ReadOnlySource,
}

impl RecoveryKind {
    /// Somebody else becomes the cluster's primary.
    pub fn replaces_source(self) -> bool {
        matches!(self, Self::Source | Self::CoSource | Self::Takeover)
    }

    /// The source stays and is put right; such a recovery never stands in the way of a failover (`spec/recovery.md` 10, 1).
    pub fn repairs_source(self) -> bool {
        matches!(self, Self::SemiSync | Self::ReadOnlySource)
    }
}

/// Where a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RecoveryState {
    /// At work, or its node is gone and another one will take it up.
    Running,
    /// Done; `Recovery::successor` says with whom.
    Succeeded,
    /// Ended without a successor, or rolled back.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A server that was considered as successor and what was found, best first; the page's "why not?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Considered {
    /// The server.
    pub key: InstanceKey,
    /// It was chosen.
    pub chosen: bool,
    /// Name of the rule that decided, stable and machine readable, e.g. `must-not` or `ranked-by-lag`; empty in records of
    /// earlier versions.
    #[serde(default)]
    pub rule: String,
    /// Why, or why not.
    pub reason: String,
}

/// One step that was recorded for a recovery, with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepRecord {
    /// The step.
    pub step: Step,
    /// How it stands.
    pub state: StepState,
    /// It began.
    pub started: Option<DateTime<Utc>>,
    /// It ended.
    pub ended: Option<DateTime<Utc>>,
}

/// The lists of hooks, under the names of their configuration keys (`spec/config.md` 8.2; fencing is ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HookList {
    /// A problem was detected.
    #[serde(rename = "OnFailureDetectionProcesses")]
    OnFailureDetection,
    /// A planned takeover is about to make the old primary read-only.
    #[serde(rename = "PreGracefulTakeoverProcesses")]
    PreGracefulTakeover,
    /// A recovery is about to change something.
    #[serde(rename = "PreFailoverProcesses")]
    PreFailover,
    /// A server is about to be promoted in place of a dead one.
    #[serde(rename = "FencingProcesses")]
    Fencing,
    /// A dead source or co-source was replaced.
    #[serde(rename = "PostMasterFailoverProcesses")]
    PostSourceFailover,
    /// A dead intermediate source or group member was replaced.
    #[serde(rename = "PostIntermediateMasterFailoverProcesses")]
    PostIntermediateFailover,
    /// Any recovery ended with a successor.
    #[serde(rename = "PostFailoverProcesses")]
    PostFailover,
    /// Any recovery ended without a successor.
    #[serde(rename = "PostUnsuccessfulFailoverProcesses")]
    PostUnsuccessfulFailover,
    /// A planned takeover ended.
    #[serde(rename = "PostGracefulTakeoverProcesses")]
    PostGracefulTakeover,
    /// A replica and its source have changed places.
    #[serde(rename = "PostTakeMasterProcesses")]
    PostTakeSource,
}

impl HookList {
    /// Name of the configuration key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnFailureDetection => "OnFailureDetectionProcesses",
            Self::PreGracefulTakeover => "PreGracefulTakeoverProcesses",
            Self::PreFailover => "PreFailoverProcesses",
            Self::Fencing => "FencingProcesses",
            Self::PostSourceFailover => "PostMasterFailoverProcesses",
            Self::PostIntermediateFailover => "PostIntermediateMasterFailoverProcesses",
            Self::PostFailover => "PostFailoverProcesses",
            Self::PostUnsuccessfulFailover => "PostUnsuccessfulFailoverProcesses",
            Self::PostGracefulTakeover => "PostGracefulTakeoverProcesses",
            Self::PostTakeSource => "PostTakeMasterProcesses",
        }
    }

    /// The first failure ends the list, and something is waiting for it (`spec/recovery.md` 3.12.2).
    pub fn stops_at_failure(self) -> bool {
        matches!(self, Self::OnFailureDetection | Self::PreGracefulTakeover | Self::PreFailover | Self::Fencing)
    }
}

impl std::fmt::Display for HookList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reason of the downtime of servers that a recovery left behind (`spec/recovery.md` 6.3). Whoever ends it takes the server
/// back into use on purpose; until then it is never made writable.
pub const LOST_IN_RECOVERY: &str = "lost-in-recovery";

/// One run of one hook. It is recorded before it begins and again when it has ended: one without an end was running
/// when its node was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HookRun {
    /// The list it is of.
    pub list: HookList,
    /// Its place in the list, from 1.
    pub number: u32,
    /// The command, placeholders filled, secrets left out.
    pub command: String,
    /// Nobody waits for it (a trailing `&`).
    pub asynchronous: bool,
    /// 1, or one more for each run of the same hook that failed or was cut off.
    pub attempt: u32,
    /// Begin.
    pub started: DateTime<Utc>,
    /// End; `None` while it runs, when its node was lost, and for an asynchronous one.
    pub ended: Option<DateTime<Utc>>,
    /// Exit code; `None` when it has none: it runs, could not be started or was killed.
    pub exit_code: Option<i32>,
    /// What went wrong; empty when nothing did.
    pub error: String,
    /// The beginning of what it wrote, secrets left out.
    pub output: String,
}

impl HookRun {
    /// It ended, and badly.
    pub fn is_failure(&self) -> bool {
        !self.error.is_empty()
    }
}

/// What is left to do when a recovery has ended; kept in its record until it is done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Aftermath {
    /// The successor is to be published as the cluster's primary.
    pub publish: bool,
    /// Lists of hooks, in order.
    pub hooks: Vec<HookList>,
    /// `file:position` of the successor at its promotion; empty when not known.
    pub coordinates: String,
}

/// A line of a recovery's story, in the words a person reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoryLine {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub message: String,
}

/// One recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recovery {
    /// Number in this node's backend; 0 before it is stored.
    pub id: i64,
    /// Identity across nodes: `<Unix nanoseconds>:<64 hex>`.
    pub uid: String,
    /// What was found, with its facts, when the recovery began.
    pub finding: Finding,
    /// Kind.
    pub kind: RecoveryKind,
    /// Cluster name when it began.
    pub cluster: String,
    /// Cluster alias when it began.
    pub cluster_alias: String,
    /// Who started it: `orchestrator` for an automatic one, else the actor.
    pub actor: String,
    /// Where it stands.
    pub state: RecoveryState,
    /// The promoted server, or the one that took the replicas.
    pub successor: Option<InstanceKey>,
    /// Alias of the successor.
    pub successor_alias: String,
    /// Replicas that could not be kept.
    pub lost_replicas: Vec<InstanceKey>,
    /// Servers that took part.
    pub participants: Vec<InstanceKey>,
    /// Errors met, whether or not they ended the recovery.
    pub errors: Vec<String>,
    /// Who was considered, and why not.
    pub considered: Vec<Considered>,
    /// Steps, in order of their number.
    pub steps: Vec<StepRecord>,
    /// The story so far.
    pub story: Vec<StoryLine>,
    /// Hooks that were run, in order.
    #[serde(default)]
    pub hooks: Vec<HookRun>,
    /// The command that hooks are told: `graceful-master-takeover` and the like; empty for an automatic one.
    #[serde(default)]
    pub command: String,
    /// What is left to do after the end; `None` before it and when all is done.
    #[serde(default)]
    pub aftermath: Option<Aftermath>,
    /// Begin.
    pub started: DateTime<Utc>,
    /// End; `None` while running.
    pub ended: Option<DateTime<Utc>>,
    /// Host name of the node that runs it.
    pub node: String,
    /// Token of the process that runs it.
    pub node_token: String,
    /// Acknowledged by a person (or by itself, for planned ones).
    pub acknowledged: Option<Acknowledgement>,
    /// Number of the detection it belongs to; 0 without one.
    pub detection_id: i64,
}

/// An acknowledgement of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledgement {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// Which recoveries an acknowledgement means (`spec/recovery.md` 3.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum AcknowledgeScope {
    /// Every one.
    All,
    /// One by number in the backend.
    Id {
        /// Number.
        id: i64,
    },
    /// One by identity across nodes.
    Uid {
        /// Identity.
        uid: String,
    },
    /// Those of a cluster by name, and by alias unless that is empty; closes its detections.
    Cluster {
        /// Cluster name.
        name: String,
        /// Cluster alias; may be empty.
        alias: String,
    },
    /// Those of a failed server; closes its detections.
    Instance {
        /// The server.
        key: InstanceKey,
    },
}

impl AcknowledgeScope {
    /// The recovery is one of those meant.
    pub fn means(&self, recovery: &Recovery) -> bool {
        match self {
            Self::All => true,
            Self::Id { id } => recovery.id == *id,
            Self::Uid { uid } => recovery.uid == *uid,
            Self::Cluster { name, alias } => {
                recovery.cluster == *name || (!alias.is_empty() && recovery.cluster_alias == *alias)
            }
            Self::Instance { key } => recovery.finding.key == *key,
        }
    }
}

impl Recovery {
    /// Still at work (or waiting to be taken up).
    pub fn is_running(&self) -> bool {
        matches!(self.state, RecoveryState::Running)
    }

    /// Ended, and so has what comes after it.
    pub fn is_concluded(&self) -> bool {
        !self.is_running() && self.aftermath.is_none()
    }

    /// Ended well.
    pub fn is_successful(&self) -> bool {
        matches!(self.state, RecoveryState::Succeeded)
    }
}
