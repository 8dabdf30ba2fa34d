//! What goes into the machine and what comes out of it.

use app::InstanceKey;
use app::plan::{Step, StepState};
use app::recovery::{Considered, RecoveryKind, StoryLine};
use app::topology::Instance;
use serde::{Deserialize, Serialize};

use super::hooks::HookSettings;
use crate::candidate::ChoiceSettings;
use crate::plan::Timeouts;

/// Settings of a recovery; stored with it, so that a node that takes it up decides by the same ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoverySettings {
    /// Who may be promoted.
    pub choice: ChoiceSettings,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// `DetachLostReplicasAfterMasterFailover`: a reachable replica that cannot follow the new primary is detached.
    pub detach_lost: bool,
    /// A person says that the source is to be replaced: that it still serves is no reason to stop. It is fenced first.
    pub forced: bool,
    /// Only this server may be promoted.
    pub designated: Option<InstanceKey>,
    /// `ApplyMySQLPromotionAfterMasterFailover`: the promoted server's replication is reset and it takes writes. Otherwise that is left
    /// to hooks. Planned takeovers always do it.
    pub apply_promotion: bool,
    /// `MasterFailoverDetachReplicaMasterHost`: where replication is not reset, the promoted server is detached from the old source.
    pub detach_promoted: bool,
    /// `PostponeReplicaRecoveryOnLagMinutes` in seconds: replicas delayed by more than this, and slow ones, follow the new source once it
    /// takes writes. 0 is off.
    pub postpone_delay_seconds: u64,
    /// `CoMasterRecoveryMustPromoteOtherCoMaster`.
    pub must_promote_other: bool,
    /// `KeepCoSourceRing`: the other co-source goes on naming the dead one as its source.
    pub keep_ring: bool,
    /// `EnforceExactSemiSyncReplicas`: not only enough replicas acknowledge, but no others.
    pub exact_semi_sync: bool,
    /// `TakeoverSessionPolicy`: what becomes of sessions that hold up a planned takeover.
    pub sessions: SessionPolicy,
    /// Hooks that the recovery stops for.
    pub hooks: HookSettings,
}

/// What a planned takeover does about a statement or commit that keeps the old primary from becoming read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionPolicy {
    /// Sessions end, and with them what they had not committed.
    #[default]
    Kill,
    /// Nobody is disturbed: the takeover is given up and put back.
    Wait,
}

impl Default for RecoverySettings {
    fn default() -> Self {
        Self {
            choice: ChoiceSettings::default(),
            timeouts: Timeouts::default(),
            detach_lost: true,
            forced: false,
            designated: None,
            apply_promotion: true,
            detach_promoted: false,
            postpone_delay_seconds: 0,
            must_promote_other: true,
            keep_ring: false,
            exact_semi_sync: false,
            sessions: SessionPolicy::Kill,
            hooks: HookSettings::default(),
        }
    }
}

/// A planned takeover: nothing is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeoverRequest {
    /// The cluster's primary now.
    pub source: InstanceKey,
    /// The replica that takes over. Without one: the only direct replica, or, with `choose`, the best.
    pub designated: Option<InstanceKey>,
    /// `graceful-master-takeover-auto`: choose among several, and start replication on the old primary afterwards.
    pub auto: bool,
}

/// How one step ended, told by the executor.
///
/// Contract: steps of a lower phase end before those of a higher one begin; steps of one phase run side by side; once a step of a server
/// ended badly its later steps of this run are [`StepState::Skipped`] while other servers go on; every step of the run has an
/// outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Number of the step.
    pub id: u32,
    /// How it ended; `Pending` and `Running` count as silence.
    pub state: StepState,
    /// The server's error number, if it gave one.
    pub errno: Option<u32>,
    /// The server (the step's `server`) read **after** the step. Given for every step that is done, and, if the server can still be
    /// read, for one that failed or timed out: without it the server counts as unreachable. A skipped step needs none.
    pub fresh: Option<Instance>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Record the machine and these steps, run them, and [`advance`](super::Machine::advance) with an outcome for each.
    Run {
        /// The steps.
        steps: Vec<Step>,
    },
    /// Over, and well: [`Report::successor`] took over.
    Finish {
        /// What was done.
        report: Box<Report>,
    },
    /// Over without a successor.
    Abort {
        /// Why, and what is left changed.
        reason: Box<AbortReason>,
    },
}

/// A replica that could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostReplica {
    /// The server.
    pub key: InstanceKey,
    /// Why.
    pub reason: String,
}

/// The end of a recovery that went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Kind.
    pub kind: RecoveryKind,
    /// The server that was replaced.
    pub failed: InstanceKey,
    /// The promoted server, or the one that took the replicas.
    pub successor: InstanceKey,
    /// Servers that replicate from the successor now.
    pub followers: Vec<InstanceKey>,
    /// Replicas that could not be kept.
    pub lost: Vec<LostReplica>,
    /// Servers that are made `super_read_only` as soon as they are seen, before anything else (`safety.md` S2).
    pub fence: Vec<InstanceKey>,
    /// Servers that took part.
    pub participants: Vec<InstanceKey>,
    /// Errors met on the way; none of them ended the recovery.
    pub errors: Vec<String>,
    /// Who was considered, best first.
    pub considered: Vec<Considered>,
    /// The story.
    pub story: Vec<StoryLine>,
}

/// The end of a recovery without a successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortReason {
    /// The rule that ended it, stable and machine readable: `source-serves`, `no-reachable-replica`, `no-candidate`, `data-at-risk`,
    /// `needs-position-matching`, `not-supported`, `not-a-takeover`, `catch-up-failed`, `read-only-failed`, `promotion-failed`,
    /// `out-of-sight`, `nothing-to-do`, `two-writers`, `was-replaced`, `hook-veto`, `fencing-failed`.
    pub code: String,
    /// What was looked at and what was expected.
    pub message: String,
    /// Transactions that are known and that no reachable server holds; empty unless the code is `data-at-risk`.
    pub at_risk: String,
    /// What is not as it was found, one sentence a server; empty when the topology is as it was found (`safety.md` S6).
    pub changed: Vec<String>,
    /// Servers to be fenced on sight all the same: they may have become writable while nobody could see them.
    pub fence: Vec<InstanceKey>,
    /// Servers that took part.
    pub participants: Vec<InstanceKey>,
    /// Errors met on the way.
    pub errors: Vec<String>,
    /// Who was considered, best first.
    pub considered: Vec<Considered>,
    /// The story.
    pub story: Vec<StoryLine>,
}
