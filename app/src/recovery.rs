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

    /// Ended well.
    pub fn is_successful(&self) -> bool {
        matches!(self.state, RecoveryState::Succeeded)
    }
}
