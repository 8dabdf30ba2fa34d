//! The table of codes: the first line that holds gives the code (`spec/recovery.md` 2.1, 2.2, 2.4).

use app::finding::{AnalysisCode as C, Severity};
use chrono::{DateTime, Utc};

use super::AnalysisSettings;
use super::row::Row;

/// What the conditions look at, in short words.
struct Case<'a> {
    row: &'a Row<'a>,
    settings: &'a AnalysisSettings,
    now: DateTime<Utc>,
    /// The server is unreachable for us.
    down: bool,
    /// All replicas known.
    replicas: u32,
    /// Replicas we can read.
    readable: u32,
    /// Readable, and both threads run.
    replicating: u32,
    /// Nobody stands against the server being dead: no readable replica receives from it.
    forsaken: bool,
}

impl Case<'_> {
    fn source(&self) -> bool {
        self.row.facts.is_source
    }

    fn all_readable(&self) -> bool {
        self.readable == self.replicas
    }

    fn some_readable(&self) -> bool {
        0 < self.readable && self.readable < self.replicas
    }

    fn none_replicating(&self) -> bool {
        self.replicating == 0
    }

    /// Nothing at all was read from it, while somebody still gets something.
    fn unreachable_but_serving(&self) -> bool {
        self.down && !self.row.facts.last_check_partial && self.readable > 0 && !self.forsaken
    }

    /// All replicas lag, and not because they are all meant to.
    fn all_lag(&self) -> bool {
        let facts = &self.row.facts;
        self.down && !self.forsaken && facts.lagging == self.replicas && facts.delayed < self.replicas
    }

    /// Operating semi-synchronously and waiting for somebody.
    fn waits_for_acknowledgements(&self) -> bool {
        let facts = &self.row.facts;
        self.source() && facts.semi_sync_enabled && facts.semi_sync_active && facts.semi_sync_wait_for > 0
    }

    fn short_of_acknowledgements(&self) -> bool {
        let facts = &self.row.facts;
        self.waits_for_acknowledgements() && facts.semi_sync_clients < facts.semi_sync_wait_for
    }

    fn log_has_not_moved(&self) -> bool {
        let (instance, settings) = (self.row.instance, self.settings);
        settings.unmoved.is_stale(&instance.key, &instance.binlog, settings.locked_semi_sync_seconds, self.now)
    }
}

type Condition = fn(&Case) -> bool;

/// Servers that are no group members, in order. The numbers are those of the specification. Where the
/// original asks for replicas that do not *replicate* to call an unreachable server dead, here none may *receive*.
const TABLE: &[(C, Condition)] = &[
    // 1
    (C::DeadSourceWithoutReplicas, |c| c.source() && c.down && c.replicas == 0),
    // 2
    (C::DeadSource, |c| c.source() && c.down && c.all_readable() && c.forsaken),
    // 3
    (C::DeadSourceAndReplicas, |c| c.source() && c.down && c.replicas > 0 && c.readable == 0),
    // 4
    (C::DeadSourceAndSomeReplicas, |c| c.source() && c.down && c.some_readable() && c.forsaken),
    // 5
    (C::UnreachableSourceWithLaggingReplicas, |c| c.source() && c.all_lag()),
    // 6
    (C::UnreachableSource, |c| c.source() && c.unreachable_but_serving()),
    // 7
    (C::UnreachableSource, |c| {
        c.source() && c.down && c.row.facts.failing_to_connect > 0 && c.readable > 0 && !c.forsaken
    }),
    // 8
    (C::LockedSemiSyncSource, |c| c.short_of_acknowledgements() && c.log_has_not_moved()),
    (C::LockedSemiSyncSourceHypothesis, |c| c.short_of_acknowledgements()),
    // 9
    (C::SourceWithTooManySemiSyncReplicas, |c| {
        c.settings.enforce_exact_semi_sync_replicas
            && c.waits_for_acknowledgements()
            && c.row.facts.semi_sync_clients > c.row.facts.semi_sync_wait_for
    }),
    // 10
    (C::NoWriteableSource, |c| {
        c.settings.recover_non_writeable_source
            && c.source()
            && !c.down
            && c.row.facts.read_only
            && !c.none_replicating()
    }),
    // 11
    (C::SourceSingleReplicaNotReplicating, |c| {
        c.source() && !c.down && c.replicas == 1 && c.all_readable() && c.none_replicating()
    }),
    // 12
    (C::SourceSingleReplicaDead, |c| c.source() && !c.down && c.replicas == 1 && c.readable == 0),
    // 13
    (C::AllSourceReplicasNotReplicating, |c| {
        c.source() && !c.down && c.replicas > 1 && c.all_readable() && c.none_replicating()
    }),
    // 14
    (C::AllSourceReplicasNotReplicatingOrDead, |c| {
        c.source() && !c.down && c.replicas > 1 && c.some_readable() && c.none_replicating()
    }),
    // 15
    (C::DeadCoSource, |c| c.row.facts.is_co_source && c.down && c.replicas > 0 && c.all_readable() && c.forsaken),
    // 16
    (C::DeadCoSourceAndSomeReplicas, |c| c.row.facts.is_co_source && c.down && c.some_readable() && c.forsaken),
    // 17
    (C::UnreachableCoSource, |c| c.row.facts.is_co_source && c.unreachable_but_serving()),
    // 18
    (C::AllCoSourceReplicasNotReplicating, |c| {
        c.row.facts.is_co_source && !c.down && c.replicas > 0 && c.none_replicating()
    }),
    // 19
    (C::DeadIntermediateSourceWithSingleReplicaFailingToConnect, |c| {
        !c.source()
            && c.down
            && c.replicas == 1
            && c.all_readable()
            && c.row.facts.failing_to_connect == 1
            && c.forsaken
    }),
    // 20
    (C::DeadIntermediateSourceWithSingleReplica, |c| {
        !c.source() && c.down && c.replicas == 1 && c.all_readable() && c.forsaken
    }),
    // 21
    (C::DeadIntermediateSource, |c| !c.source() && c.down && c.replicas > 1 && c.all_readable() && c.forsaken),
    // 22
    (C::DeadIntermediateSourceAndSomeReplicas, |c| !c.source() && c.down && c.some_readable() && c.forsaken),
    // 23
    (C::DeadIntermediateSourceAndReplicas, |c| !c.source() && c.down && c.replicas > 0 && c.readable == 0),
    // 24
    (C::UnreachableIntermediateSourceWithLaggingReplicas, |c| !c.source() && c.all_lag()),
    // 25
    (C::UnreachableIntermediateSource, |c| !c.source() && c.unreachable_but_serving()),
    // 26
    (C::AllIntermediateSourceReplicasFailingToConnectOrDead, |c| {
        let failing = c.row.facts.failing_to_connect;
        !c.source() && !c.down && c.replicas > 1 && c.none_replicating() && failing > 0 && failing == c.readable
    }),
    // 27
    (C::AllIntermediateSourceReplicasNotReplicating, |c| {
        !c.source() && !c.down && c.readable > 0 && c.none_replicating()
    }),
    // 28
    (C::BinlogServerFailingToConnect, |c| c.row.facts.is_binlog_server && c.row.facts.fails_to_connect),
    // 29
    (C::FirstTierReplicaFailingToConnect, |c| c.row.facts.depth == 1 && c.row.facts.fails_to_connect),
];

/// Group members: the group heals itself, only what replicates from the member asynchronously matters. One of those
/// replicas has to be readable, which the original does not ask for: without it nothing speaks for the member's death.
const GROUP_TABLE: &[(C, Condition)] = &[(C::DeadGroupMemberWithReplicas, |c| c.down && c.readable > 0 && c.forsaken)];

/// The code of one server.
pub(super) fn code(row: &Row, settings: &AnalysisSettings, now: DateTime<Utc>) -> C {
    let facts = &row.facts;
    let case = Case {
        row,
        settings,
        now,
        down: !facts.last_check_valid,
        replicas: row.replicas(),
        readable: facts.valid_replicas,
        replicating: facts.valid_replicating,
        forsaken: !row.is_vouched_for,
    };
    let table = if facts.is_group_member { GROUP_TABLE } else { TABLE };
    table.iter().find(|(_, holds)| holds(&case)).map_or(C::NoProblem, |(code, _)| *code)
}

/// A recovery exists (`spec/recovery.md` 2.4).
pub(crate) fn is_actionable(code: C) -> bool {
    matches!(
        code,
        C::DeadSource
            | C::DeadSourceAndSomeReplicas
            | C::LockedSemiSyncSource
            | C::SourceWithTooManySemiSyncReplicas
            | C::DeadIntermediateSource
            | C::DeadIntermediateSourceAndSomeReplicas
            | C::DeadIntermediateSourceWithSingleReplicaFailingToConnect
            | C::AllIntermediateSourceReplicasFailingToConnectOrDead
            | C::DeadCoSource
            | C::DeadCoSourceAndSomeReplicas
            | C::DeadGroupMemberWithReplicas
            | C::NoWriteableSource
    )
}

/// The problem is one of the replicas, so that downtime of all of them covers it (`spec/recovery.md` 1.5).
pub(super) fn is_about_replicas(code: C) -> bool {
    matches!(
        code,
        C::AllSourceReplicasNotReplicating
            | C::AllSourceReplicasNotReplicatingOrDead
            | C::SourceSingleReplicaDead
            | C::AllCoSourceReplicasNotReplicating
            | C::DeadIntermediateSourceWithSingleReplica
            | C::DeadIntermediateSourceWithSingleReplicaFailingToConnect
            | C::DeadIntermediateSourceAndReplicas
            | C::DeadIntermediateSourceAndSomeReplicas
            | C::AllIntermediateSourceReplicasFailingToConnectOrDead
            | C::AllIntermediateSourceReplicasNotReplicating
    )
}

/// How bad: warnings and what may yet turn out harmless want a look, the rest is broken.
pub(super) fn severity(code: C, has_warnings: bool) -> Severity {
    match code {
        C::NoProblem if has_warnings => Severity::Attention,
        C::NoProblem => Severity::Ok,
        C::LockedSemiSyncSourceHypothesis | C::SourceWithTooManySemiSyncReplicas => Severity::Attention,
        _ => Severity::Broken,
    }
}
