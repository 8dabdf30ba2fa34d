//! Plans: what would be done, step by step, before anything is done.
//!
//! The page's preview, the API's dry run and the execution are made from the same [`Plan`]
//! (`docs/ARCHITECTURE.md`, "Plan, then act, with one executor"). A step names its server, its
//! statements, what must hold before it, how long it may take and how it is undone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::recovery::HookList;
use crate::{BinlogCoordinates, InstanceKey};

/// How a repointed replica finds its place in the new source's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Positioning {
    /// MySQL: `SOURCE_AUTO_POSITION = 1`.
    AutoPosition,
    /// MariaDB: `MASTER_USE_GTID = slave_pos` or `current_pos`.
    MariaDbGtid {
        /// `slave_pos` or `current_pos`.
        using: String,
    },
    /// An explicit file and position.
    Coordinates {
        /// Where to begin.
        at: BinlogCoordinates,
    },
    /// Position options are not touched.
    Unchanged,
}

/// One thing done to one server. Each is idempotent or says so, because an interrupted recovery repeats
/// the step it was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Read the server afresh; fails when it cannot be read. Changes nothing.
    Refresh,
    /// Stop receiver and applier.
    StopReplication,
    /// Start receiver and applier.
    StartReplication,
    /// Stop the receiver only: nothing more arrives, what arrived stays in the relay log.
    StopReceiver,
    /// Start the receiver only.
    StartReceiver,
    /// Stop the applier only.
    StopApplier,
    /// Start the applier only.
    StartApplier,
    /// Start the applier and wait until everything in the relay log is applied (`safety.md`, "How a change is made safe" 4).
    /// The receiver must be stopped. Fails, changing nothing else, when the applier stops with an error or time runs out.
    Drain,
    /// Wait until the server has executed this GTID set (MySQL set or MariaDB position).
    WaitForGtid {
        /// The set to wait for.
        set: String,
    },
    /// Wait until `peer` has executed everything that this server has executed, both read afresh. A MariaDB replica that is
    /// ahead of its new source is refused by it (error 1236), so it waits here, stopped, until it may be repointed.
    WaitForPeer {
        /// The server that catches up.
        peer: InstanceKey,
    },
    /// Point the managed channel at another source. Every other replication option is kept (`safety.md` S7).
    ChangeSource {
        /// The new source.
        to: InstanceKey,
        /// How the place in its log is found.
        positioning: Positioning,
    },
    /// Forget the source and all replication options of the managed channel (`RESET REPLICA ALL`).
    ResetReplication,
    /// Break the source's host name so that replication cannot resume by itself, keeping the options.
    DetachSource,
    /// Undo [`Action::DetachSource`].
    ReattachSource,
    /// Set `read_only`, and `super_read_only` where the server has it and `super_too` says so.
    SetReadOnly {
        /// On or off. Off clears `super_read_only` too.
        on: bool,
        /// Accounts with SUPER are held off too.
        super_too: bool,
    },
    /// End client sessions that are neither replication nor ours, so that no write slips in or blocks `read_only`.
    KillSessions,
    /// Switch the source side of semi-sync.
    SetSemiSyncSource {
        /// On or off.
        on: bool,
    },
    /// Switch the replica side of semi-sync (takes effect when the receiver restarts).
    SetSemiSyncReplica {
        /// On or off.
        on: bool,
    },
    /// Read the server back and compare it with what is expected of it now; fails when it differs.
    Verify {
        /// What is expected.
        expect: Vec<Condition>,
    },
    /// Run a list of hooks. Nothing is done to the server, which is the one that the hooks are about.
    RunHooks {
        /// Which.
        list: HookList,
    },
}

/// A statement about one server that can be checked against a fresh read of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Condition {
    /// Can be reached and read.
    Reachable,
    /// Its managed channel points here; the null key means that it has no source.
    SourceIs {
        /// The source.
        source: InstanceKey,
    },
    /// Receiver state, running or not.
    ReceiverRunning {
        /// Expected.
        running: bool,
    },
    /// Applier state, running or not.
    ApplierRunning {
        /// Expected.
        running: bool,
    },
    /// `read_only`.
    ReadOnly {
        /// Expected.
        on: bool,
    },
    /// What it executed covers this set.
    ExecutedCovers {
        /// The set.
        set: String,
    },
    /// What it executed covers everything it retrieved.
    RelayLogApplied,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |b: bool| if b { "runs" } else { "is stopped" };
        match self {
            Self::Reachable => write!(f, "can be reached"),
            Self::SourceIs { source } if source.is_null() => write!(f, "has no source"),
            Self::SourceIs { source } => write!(f, "replicates from {source}"),
            Self::ReceiverRunning { running } => write!(f, "its receiver {}", yes_no(*running)),
            Self::ApplierRunning { running } => write!(f, "its applier {}", yes_no(*running)),
            Self::ReadOnly { on } => write!(f, "read_only is {}", if *on { "on" } else { "off" }),
            Self::ExecutedCovers { set } => write!(f, "has executed {set}"),
            Self::RelayLogApplied => write!(f, "has applied all it received"),
        }
    }
}

/// One step of a plan or of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// Number within the plan or recovery, from 1, in order of planning.
    pub id: u32,
    /// The server it acts on.
    pub server: InstanceKey,
    /// What is done.
    pub action: Action,
    /// The statements as they will be sent, credentials left out. Empty for steps that only read or wait.
    pub statements: Vec<String>,
    /// What must hold on the server just before; checked on a fresh read.
    #[serde(default)]
    pub before: Vec<Condition>,
    /// The statements that undo it, run in this order when a later step fails; empty when there is nothing to undo.
    #[serde(default)]
    pub undo: Vec<Action>,
    /// It may take this long, in milliseconds, before it counts as failed.
    pub timeout_ms: u64,
    /// Steps with the same number run side by side; lower numbers first.
    pub phase: u32,
    /// Why this step is there, for people.
    pub reason: String,
}

/// A move of one server in the tree, for the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Move {
    /// The server that moves.
    pub server: InstanceKey,
    /// Its source now.
    pub from: InstanceKey,
    /// Its source afterwards.
    pub to: InstanceKey,
}

/// A rule that forbids something, with what it looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{rule}: {message}")]
pub struct Refusal {
    /// The rule's name, stable and machine readable, e.g. `version-too-low`.
    pub rule: String,
    /// What it looked at and what was expected, for people.
    pub message: String,
}

impl Refusal {
    /// A refusal by the rule of this name.
    pub fn new(rule: &str, message: impl Into<String>) -> Self {
        Self { rule: rule.to_owned(), message: message.into() }
    }
}

/// What would be done for one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Plan {
    /// The operation, e.g. `relocate`, in the words of the commands.
    pub operation: String,
    /// One sentence for people.
    pub title: String,
    /// Name of the cluster acted on.
    pub cluster: String,
    /// Steps in order of their number.
    pub steps: Vec<Step>,
    /// Moves in the tree.
    pub moves: Vec<Move>,
    /// Rules that were checked and hold, for people.
    pub checks: Vec<String>,
    /// What can go wrong, or deserves a second look.
    pub warnings: Vec<String>,
    /// Digest of the facts that the plan rests on; a plan is refused when they have changed since.
    pub fingerprint: String,
}

impl Plan {
    /// The servers that the plan acts on, each once, in order of first appearance.
    pub fn servers(&self) -> Vec<InstanceKey> {
        let mut servers = Vec::new();
        for step in &self.steps {
            if !servers.contains(&step.server) {
                servers.push(step.server.clone());
            }
        }
        servers
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// Recorded, not begun.
    Pending,
    /// Begun.
    Running,
    /// Done and true.
    Done,
    /// Failed: the server refused, or a condition did not hold.
    Failed {
        /// What the server or the check said.
        error: String,
    },
    /// Nothing was heard within the step's time: it may or may not have been done.
    TimedOut,
    /// Not run because an earlier one failed.
    Skipped,
    /// Done, then undone.
    Undone,
}

impl StepState {
    /// Ended well.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Ended badly.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::TimedOut)
    }
}
