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
    /// Where another server stands when the statement is sent; it is read just before.
    At {
        /// The server that is read.
        peer: InstanceKey,
        /// Which of its positions.
        place: Place,
    },
    /// Where the replica itself had executed when it was repointed last by this process: undoes a move by file and position.
    AsBefore,
}

/// A position in a binary log that can be read of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The end of its own binary log.
    Own,
    /// Up to where it has executed its source's log.
    Executed,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "the end of the binary log",
            Self::Executed => "the executed position",
        })
    }
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
    /// ahead of its new source is refused by it (error 1236), so it waits here, stopped, until it may be repointed. Of a binlog server
    /// it is waited for that its log reaches as far as the server has executed.
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
    /// Replicate by file and position until the server has executed what `peer` stands at, then stop both threads. Both must be
    /// stopped before, and `peer` must stand still. A server that is there already, or past it, is left alone.
    StartUntil {
        /// The server whose position is read.
        peer: InstanceKey,
        /// Which of its positions.
        place: Place,
        /// Fail when the server ends up past the position: it shall stand exactly there.
        exactly: bool,
    },
    /// Skip the one transaction (or event, without GTID) on which the applier stopped with an error. Not idempotent.
    SkipTransaction,
    /// Commit an empty transaction under each of these GTIDs; those already executed are passed over by the server.
    InjectEmpty {
        /// Single GTIDs, `uuid:number` or `uuid:tag:number`.
        gtids: Vec<String>,
    },
    /// Throw the binary logs and the GTID history away, then declare as executed what was executed before, without this set. Replication
    /// must be stopped. Not idempotent.
    ResetBinaryLogs {
        /// The set that is left out.
        without: String,
    },
    /// Close the current binary log and begin another, so many times.
    FlushBinaryLogs {
        /// How many times.
        times: u32,
    },
    /// Delete the binary logs before this one.
    PurgeBinaryLogs {
        /// The first log that is kept.
        to: String,
    },
    /// End the statement that a session is running; the session stays.
    KillQuery {
        /// The session's number.
        process: u64,
    },
    /// Set how far the applier stays behind on purpose.
    SetDelay {
        /// Seconds; 0 for none.
        seconds: u64,
    },
    /// Give the managed channel its replication user and password anew.
    SetCredentials,
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
    /// Its managed channel finds its place by GTID, or by file and position.
    UsesGtid {
        /// Expected.
        on: bool,
    },
    /// It has executed its source's log up to exactly here.
    ExecutedIs {
        /// Where in its source's log.
        at: BinlogCoordinates,
    },
    /// As many semi-sync replicas as this are connected to it.
    Acknowledgers {
        /// No fewer.
        at_least: u64,
        /// No more; `None` is no bound.
        at_most: Option<u64>,
    },
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
            Self::UsesGtid { on } => write!(f, "replicates by {}", if *on { "GTID" } else { "file and position" }),
            Self::ExecutedIs { at } => write!(f, "has executed exactly up to {at}"),
            Self::Acknowledgers { at_least, at_most: None } => write!(f, "has {at_least} or more semi-sync replicas"),
            Self::Acknowledgers { at_least, at_most: Some(most) } => {
                write!(f, "has {at_least} to {most} semi-sync replicas")
            }
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
    /// Steps, by number, on other servers too, without which this one is skipped. (Of its own server every earlier step is
    /// needed anyway.)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<u32>,
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

/// A server that a plan for several leaves where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// The server.
    pub server: InstanceKey,
    /// Why.
    pub refusal: Refusal,
}

/// What became of one server of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerOutcome {
    /// The server.
    pub server: InstanceKey,
    /// How it ended.
    pub state: OutcomeState,
    /// What was done or why it was not, for people.
    pub message: String,
}

/// How an operation ended for one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OutcomeState {
    /// All of its steps were done.
    Done,
    /// One of its steps failed, or one of another server that they needed.
    Failed,
    /// A rule kept it where it is: nothing was tried.
    LeftOut,
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
    /// Of several servers those that are left where they are, and why.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
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
