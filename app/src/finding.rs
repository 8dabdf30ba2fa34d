//! What analysis found about one server: a code, the facts behind it, and what may be done.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::topology::ThreadState;
use crate::{BinlogCoordinates, InstanceKey};

/// Declares an enum whose values have one fixed text in API, backend and commands.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The text in API, backend and commands.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownCode;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|c| c.as_str() == text).ok_or_else(|| UnknownCode(text.to_owned()))
            }
        }
    };
}

/// A text that is no code of analysis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown analysis code {0:?}")]
pub struct UnknownCode(pub String);

text_enum! {
    /// Codes of analysis (`spec/recovery.md` 2.1, 2.2), under the names that API, hooks and backend use.
    AnalysisCode {
        /// Nothing is wrong.
        NoProblem = "NoProblem",
        /// Unreachable source nobody replicates from.
        DeadSourceWithoutReplicas = "DeadMasterWithoutReplicas",
        /// Unreachable source, every replica reachable, none receiving.
        DeadSource = "DeadMaster",
        /// Source and all replicas unreachable.
        DeadSourceAndReplicas = "DeadMasterAndReplicas",
        /// Source and part of the replicas unreachable, the others not receiving.
        DeadSourceAndSomeReplicas = "DeadMasterAndSomeReplicas",
        /// Source unreachable for us; replicas receive but all lag.
        UnreachableSourceWithLaggingReplicas = "UnreachableMasterWithLaggingReplicas",
        /// Source unreachable for us; replicas are fine.
        UnreachableSource = "UnreachableMaster",
        /// The only replica does not replicate.
        SourceSingleReplicaNotReplicating = "MasterSingleReplicaNotReplicating",
        /// The only replica is unreachable.
        SourceSingleReplicaDead = "MasterSingleReplicaDead",
        /// All replicas are up, none replicates.
        AllSourceReplicasNotReplicating = "AllMasterReplicasNotReplicating",
        /// Every replica is either down or not replicating.
        AllSourceReplicasNotReplicatingOrDead = "AllMasterReplicasNotReplicatingOrDead",
        /// Writes may be blocked for lack of acknowledgements.
        LockedSemiSyncSourceHypothesis = "LockedSemiSyncMasterHypothesis",
        /// Writes are blocked for lack of acknowledgements.
        LockedSemiSyncSource = "LockedSemiSyncMaster",
        /// More semi-sync replicas than wanted.
        SourceWithTooManySemiSyncReplicas = "MasterWithTooManySemiSyncReplicas",
        /// Declared by the original, never produced.
        SourceWithoutReplicas = "MasterWithoutReplicas",
        /// Unreachable co-source, no replica replicating.
        DeadCoSource = "DeadCoMaster",
        /// Same, part of the replicas unreachable.
        DeadCoSourceAndSomeReplicas = "DeadCoMasterAndSomeReplicas",
        /// Co-source unreachable for us; replicas are fine.
        UnreachableCoSource = "UnreachableCoMaster",
        /// Reachable co-source without a working replica.
        AllCoSourceReplicasNotReplicating = "AllCoMasterReplicasNotReplicating",
        /// Dead intermediate source, no replica replicating.
        DeadIntermediateSource = "DeadIntermediateMaster",
        /// Dead intermediate source; its one replica stopped, perhaps for another reason.
        DeadIntermediateSourceWithSingleReplica = "DeadIntermediateMasterWithSingleReplica",
        /// Dead intermediate source; its one replica cannot connect.
        DeadIntermediateSourceWithSingleReplicaFailingToConnect = "DeadIntermediateMasterWithSingleReplicaFailingToConnect",
        /// Dead intermediate source, part of its replicas unreachable.
        DeadIntermediateSourceAndSomeReplicas = "DeadIntermediateMasterAndSomeReplicas",
        /// Dead intermediate source, all its replicas unreachable.
        DeadIntermediateSourceAndReplicas = "DeadIntermediateMasterAndReplicas",
        /// Intermediate source unreachable for us; replicas receive but all lag.
        UnreachableIntermediateSourceWithLaggingReplicas = "UnreachableIntermediateMasterWithLaggingReplicas",
        /// Intermediate source unreachable for us; replicas are fine.
        UnreachableIntermediateSource = "UnreachableIntermediateMaster",
        /// We reach the intermediate source, its replicas do not.
        AllIntermediateSourceReplicasFailingToConnectOrDead = "AllIntermediateMasterReplicasFailingToConnectOrDead",
        /// Intermediate source alive, its live replicas stopped.
        AllIntermediateSourceReplicasNotReplicating = "AllIntermediateMasterReplicasNotReplicating",
        /// A direct replica of the source lost its connection.
        FirstTierReplicaFailingToConnect = "FirstTierReplicaFailingToConnectToMaster",
        /// A binlog server lost its connection.
        BinlogServerFailingToConnect = "BinlogServerFailingToConnectToMaster",
        /// Unreachable group member whose replicas do not replicate.
        DeadGroupMemberWithReplicas = "DeadReplicationGroupMemberWithReplicas",
        /// Reachable source with live replicas is read-only (a structure warning that can be the code).
        NoWriteableSource = "NoWriteableMasterStructureWarning",
    }
}

text_enum! {
    /// Warnings about the structure of a tree (`spec/recovery.md` 2.3), in the order they are appended.
    StructureWarning {
        /// No replica has a binary log with replicated changes.
        NoLoggingReplicas = "NoLoggingReplicasStructureWarning",
        /// Neither GTID, pseudo-GTID nor binlog servers.
        NoFailoverSupport = "NoFailoverSupportStructureWarning",
        /// STATEMENT and MIXED replicas side by side.
        StatementAndMixedLoggingReplicas = "StatementAndMixedLoggingReplicasStructureWarning",
        /// STATEMENT and ROW replicas side by side.
        StatementAndRowLoggingReplicas = "StatementAndRowLoggingReplicasStructureWarning",
        /// MIXED and ROW replicas side by side.
        MixedAndRowLoggingReplicas = "MixedAndRowLoggingReplicasStructureWarning",
        /// Replicas of different major versions.
        MultipleMajorVersionsLoggingReplicas = "MultipleMajorVersionsLoggingReplicasStructureWarning",
        /// GTID modes differ.
        DifferentGtidModes = "DifferentGTIDModesStructureWarning",
        /// A replica holds transactions that its source does not.
        ErrantGtid = "ErrantGTIDStructureWarning",
        /// The source is read-only.
        NoWriteableSource = "NoWriteableMasterStructureWarning",
        /// The source fell back to asynchronous.
        NotEnoughValidSemiSyncReplicas = "NotEnoughValidSemiSyncReplicasStructureWarning",
    }
}

/// How bad a finding is, for colour and order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// Wants a look: a structure warning, or a problem that serves nobody badly yet.
    Attention,
    /// Something is broken or about to be.
    Broken,
}

/// What was counted and read about the analysed server (`spec/recovery.md` 1.4). The compatible analysis record is made from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Facts {
    /// No usable source, and not a group's secondary.
    pub is_source: bool,
    /// Member of a replication group.
    pub is_group_member: bool,
    /// Its source replicates from it, or one of its replicas says so.
    pub is_co_source: bool,
    /// The last check succeeded in time.
    pub last_check_valid: bool,
    /// The last check read the basics before it failed.
    pub last_check_partial: bool,
    /// Direct replicas known.
    pub replicas: Vec<InstanceKey>,
    /// Those with a valid last check.
    pub valid_replicas: u32,
    /// Valid, receiver and applier running.
    pub valid_replicating: u32,
    /// Valid, receiver running, whatever the applier does: evidence that the source serves.
    pub valid_receiving: u32,
    /// Valid, and their receiver cannot connect.
    pub failing_to_connect: u32,
    /// Lag above `ReasonableReplicationLagSeconds`.
    pub lagging: u32,
    /// Delayed on purpose.
    pub delayed: u32,
    /// In downtime.
    pub downtimed: u32,
    /// The server itself, as a replica, cannot connect to its source.
    pub fails_to_connect: bool,
    /// Every valid replica (at least one) uses MySQL auto-positioning.
    pub mysql_gtid_topology: bool,
    /// Every valid replica (at least one) uses MariaDB GTID.
    pub mariadb_gtid_topology: bool,
    /// Every valid replica (at least one) is a binlog server.
    pub binlog_server_topology: bool,
    /// The server's own pseudo-GTID flag.
    pub pseudo_gtid_topology: bool,
    /// It is a binlog server.
    pub is_binlog_server: bool,
    /// Semi-sync, source side: on, active, wanted and connected acknowledgers.
    pub semi_sync_enabled: bool,
    /// Operating semi-synchronously.
    pub semi_sync_active: bool,
    /// Acknowledgements waited for.
    pub semi_sync_wait_for: u64,
    /// Connected semi-sync replicas.
    pub semi_sync_clients: u64,
    /// Replicas with the replica side on.
    pub semi_sync_replicas: u32,
    /// Replicas with binary log and log updates.
    pub logging_replicas: u32,
    /// Of those, STATEMENT.
    pub statement_logging: u32,
    /// Of those, MIXED.
    pub mixed_logging: u32,
    /// Of those, ROW.
    pub row_logging: u32,
    /// Distinct major versions among them.
    pub distinct_major_versions: u32,
    /// Own `gtid_mode`.
    pub gtid_mode: String,
    /// Smallest (as text) among replicas.
    pub min_replica_gtid_mode: String,
    /// Largest (as text) among replicas.
    pub max_replica_gtid_mode: String,
    /// Largest (as text) errant set among replicas that are not in downtime.
    pub max_replica_errant: String,
    /// `read_only`.
    pub read_only: bool,
    /// Steps below the topmost server.
    pub depth: u32,
    /// Own binary log position, last known.
    pub binlog: BinlogCoordinates,
    /// Data centre, last known.
    pub data_center: String,
    /// Region, last known.
    pub region: String,
    /// Environment, last known.
    pub environment: String,
}

/// One piece of evidence: who saw what when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// The server it is about.
    pub about: InstanceKey,
    /// The server that tells it; null for our own probe.
    pub told_by: InstanceKey,
    /// What was seen, for people.
    pub what: String,
    /// When it was seen; `None` when never.
    pub at: Option<DateTime<Utc>>,
    /// What it says about the server being alive.
    #[serde(default)]
    pub says: Testimony,
    /// The receiver of the one that tells it, when that is a replica that could be read.
    #[serde(default)]
    pub receiver: Option<ReceiverSeen>,
}

/// What a piece of evidence says about a server being alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Testimony {
    /// It serves.
    Serves,
    /// It cannot be reached, or is silent.
    Gone,
    /// Neither.
    #[default]
    Nothing,
}

/// A replica's receiver as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiverSeen {
    /// Its state.
    pub state: ThreadState,
    /// `Last_IO_Errno`; zero when there is no error.
    pub errno: u32,
    /// Age of the last heartbeat or event received, milliseconds, when it was read; `None` when not reported.
    pub heartbeat_age_ms: Option<u64>,
}

/// What analysis found about one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The analysed server.
    pub key: InstanceKey,
    /// Its source.
    pub source: InstanceKey,
    /// Its cluster.
    pub cluster: String,
    /// The cluster's alias; the name when it has none.
    pub cluster_alias: String,
    /// The cluster's domain; the name when it has none.
    pub cluster_domain: String,
    /// Code.
    pub code: AnalysisCode,
    /// One sentence for people; empty for `NoProblem`.
    pub description: String,
    /// Structure warnings, in their order.
    pub structure: Vec<StructureWarning>,
    /// How bad it is.
    pub severity: Severity,
    /// A recovery exists for the code (`spec/recovery.md` 2.4).
    pub actionable: bool,
    /// The server is in downtime until then.
    pub downtime_end: Option<DateTime<Utc>>,
    /// All replicas are in downtime and the code is about replicas only.
    pub replicas_downtimed: bool,
    /// Facts.
    pub facts: Facts,
    /// Who saw what when.
    pub evidence: Vec<Evidence>,
}

impl Finding {
    /// No recovery acts on it by itself because of downtime.
    pub fn is_skippable(&self) -> bool {
        self.downtime_end.is_some() || self.replicas_downtimed
    }

    /// `co-master`, `group-member`, `master` or `intermediate-master`: the instance type that hooks are told.
    pub fn instance_type(&self) -> &'static str {
        if self.facts.is_co_source {
            "co-master"
        } else if self.facts.is_group_member {
            "group-member"
        } else if self.facts.is_source {
            "master"
        } else {
            "intermediate-master"
        }
    }

    /// Code (unless `NoProblem`) and warnings, joined with comma and space (`spec/api.md` 3.5).
    pub fn text(&self) -> String {
        let code = (self.code != AnalysisCode::NoProblem).then(|| self.code.as_str());
        code.into_iter().chain(self.structure.iter().map(|w| w.as_str())).collect::<Vec<_>>().join(", ")
    }
}
