//! What the machine remembers between decisions.

use app::plan::Positioning;
use app::recovery::HookList;
use app::topology::{Instance, PromotionRule, Replication};
use app::{BinlogCoordinates, InstanceKey};
use serde::{Deserialize, Serialize};

use crate::plan::Threads;

/// Where a recovery stands. Each phase is planned from facts ([`Machine::enter`](super::Machine)) and judged by facts, so a phase that
/// was interrupted is simply planned again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub(super) enum Phase {
    /// Dead source: read everybody, and look whether the source serves after all.
    ReadFacts,
    /// Wait until replicas of a server that may have been promoted out of our sight have lost it.
    AwaitSilence,
    /// Forced, and the source is alive: make it read-only.
    Fence,
    /// Forced, and the source is alive: let replicas get all it has.
    FollowFenced,
    /// Stop all receivers.
    Freeze,
    /// Apply what was received.
    Drain,
    /// Choose on what is there now.
    Choose,
    /// The chosen one gets what it lacks.
    CatchUp {
        /// From this one.
        from: InstanceKey,
    },
    /// The others are repointed below the chosen one.
    Converge,
    /// The chosen one becomes the primary.
    Promote,
    /// Look for what was not reached so far.
    LookBack,
    /// Repoint the rest, detach the lost, fence the old source.
    Settle,
    /// The new primary waits for acknowledgements, now that there are enough to give them.
    Acknowledge,
    /// Dead intermediate source, or group member with replicas: read the tree around it.
    ReadTree,
    /// Its replicas move.
    Rehang,
    /// Semi-sync: read the source and its replicas.
    ReadAcknowledgers,
    /// Replicas are told to acknowledge, or not to.
    SwitchAcknowledgers,
    /// Read-only source: read it and its replicas.
    ReadWriter,
    /// It is made writable.
    OpenWriter,
    /// Takeover: read the cluster.
    ReadCluster,
    /// The other replicas move below the designated one.
    MoveSiblings,
    /// The old primary takes no more writes.
    StopWrites,
    /// The designated one executes all that the old primary has.
    AwaitDesignated,
    /// The designated one becomes the primary.
    TakeOver,
    /// The old primary becomes its replica.
    Demote,
    /// Hooks that may forbid what comes next.
    Hooks {
        /// Which.
        list: HookList,
        /// The phase that led here; it is entered again when nothing is forbidden.
        then: Box<Phase>,
    },
    /// Put back what was changed.
    RollBack {
        /// Why the recovery ends.
        code: String,
        /// The same for people.
        message: String,
        /// Transactions that would be lost.
        at_risk: String,
    },
}

/// What a judged phase leads to.
#[derive(Debug)]
pub(super) enum Next {
    /// Another phase (or the same once more).
    Go(Phase),
    /// Done.
    Finish,
    /// Rolled back: over.
    Abort,
}

/// A server as it was when the recovery first read it: what a rollback restores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    /// The managed channel, with its options.
    pub channel: Replication,
    /// `read_only`.
    pub read_only: bool,
    /// `super_read_only`.
    pub super_read_only: bool,
    /// Source side of semi-sync.
    pub semi_sync_source: bool,
    /// Replica side of semi-sync.
    pub semi_sync_replica: bool,
}

impl Before {
    pub fn of(server: &Instance) -> Self {
        Self {
            channel: server.replication.clone(),
            read_only: server.read_only,
            super_read_only: server.super_read_only.unwrap_or(false),
            semi_sync_source: server.semi_sync.source_enabled,
            semi_sync_replica: server.semi_sync.replica_enabled,
        }
    }

    pub fn threads(&self) -> Threads {
        Threads::of(&self.channel)
    }
}

/// Of a server that nobody has asked in this recovery.
pub(super) const NOT_READ_YET: &str = "it was not read yet";

/// One server that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Participant {
    /// Promotion rule when the recovery began.
    pub rule: PromotionRule,
    /// In downtime when the recovery began.
    pub downtimed: bool,
    /// Lag before the trouble, seconds.
    pub lag: Option<i64>,
    /// As first read.
    pub before: Option<Box<Before>>,
    /// Why it cannot be reached; `None` while it can.
    pub gone: Option<String>,
    /// Why it is not promoted any more.
    pub banned: Option<String>,
    /// It was read after its receiver had been stopped.
    pub frozen: bool,
    /// Its applier failed while it was drained.
    pub drain_failed: bool,
    /// Unapplied transactions when last looked at.
    pub pending: Option<u128>,
    /// Transactions it lacked when last looked at while it caught up.
    pub lacks: Option<u128>,
    /// Why it could not be kept.
    pub lost: Option<String>,
    /// Something was changed on it.
    pub touched: bool,
    /// Without GTID: it has applied all that it received, or all of it that was whole.
    #[serde(default)]
    pub drained: bool,
    /// Without GTID: up to where it has executed the log of the failed source. It stands still since.
    #[serde(default)]
    pub place: Option<BinlogCoordinates>,
}

impl Participant {
    pub fn new(rule: PromotionRule, downtimed: bool, lag: Option<i64>) -> Self {
        Self {
            rule,
            downtimed,
            lag,
            before: None,
            gone: Some(NOT_READ_YET.to_owned()),
            banned: None,
            frozen: false,
            drain_failed: false,
            pending: None,
            lacks: None,
            lost: None,
            touched: false,
            drained: false,
            place: None,
        }
    }
}

/// How a replica of this channel finds its place in another log by GTID; `None` when it uses none.
pub(super) fn positioning_of(channel: &Replication) -> Option<Positioning> {
    if channel.auto_position {
        return Some(Positioning::AutoPosition);
    }
    let current = channel.mariadb_using_gtid.eq_ignore_ascii_case("current_pos");
    channel
        .uses_mariadb_gtid()
        .then(|| Positioning::MariaDbGtid { using: if current { "current_pos" } else { "slave_pos" }.to_owned() })
}
