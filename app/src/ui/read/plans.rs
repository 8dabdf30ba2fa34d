//! The places of plans and of how they go. What a step does is told by its kind, which comes first.

use super::{Blank, Fill, Shape, object, words};
use crate::InstanceKey;
use crate::plan::{
    Action, Condition, LeftOut, Move, OutcomeState, Place, Plan, Positioning, Refusal, ServerOutcome, Step, StepState,
};
use crate::recovery::{HookList, RecoveryState};

words! {
    Place: Place::Own;
    OutcomeState: OutcomeState::Done;
}
object!(Step { id, server, action, statements, before, undo, timeout_ms, phase, reason } or { needs });
object!(Move { server, from, to });
object!(Refusal { rule, message });
object!(Plan { operation, title, cluster, steps, moves, checks, warnings, fingerprint } or { left_out });
object!(LeftOut { server, refusal });
object!(ServerOutcome { server, state, message });

/// Types that are told by a word under a name of their own: the first name is that, and the word fills the type itself. The rest
/// are the names of what any of the kinds holds.
macro_rules! tagged {
    ($type:ty: $blank:expr, $names:expr, $kind:expr, $place:expr) => {
        impl Blank for $type {
            fn blank() -> Self {
                $blank
            }
        }
        impl Fill for $type {
            fn place(&mut self) -> &mut dyn Fill {
                self
            }
            fn shape(&self) -> Shape {
                Shape::Object($names, 1)
            }
            fn text(&mut self, word: &str) -> bool {
                let kind: fn(&str) -> Option<Self> = $kind;
                kind(word).map(|kind| *self = kind).is_some()
            }
            fn field(&mut self, at: usize) -> Option<&mut dyn Fill> {
                if at == 0 {
                    return Some(self);
                }
                let name = $names.get(at).copied().unwrap_or_default();
                let place: for<'a> fn(&'a mut Self, &str) -> Option<&'a mut dyn Fill> = $place;
                place(self, name)
            }
        }
    };
}

const STEP_STATE: &[&str] = &["state", "error"];
tagged!(StepState: Self::Pending, STEP_STATE,
|word| Some(match word {
    "pending" => Self::Pending,
    "running" => Self::Running,
    "done" => Self::Done,
    "failed" => Self::Failed { error: String::new() },
    "timed_out" => Self::TimedOut,
    "skipped" => Self::Skipped,
    "undone" => Self::Undone,
    _ => return None,
}),
|state, _| match state {
    Self::Failed { error } => Some(error),
    _ => None,
});

const RECOVERY_STATE: &[&str] = &["state", "reason"];
tagged!(RecoveryState: Self::Running, RECOVERY_STATE,
|word| Some(match word {
    "running" => Self::Running,
    "succeeded" => Self::Succeeded,
    "failed" => Self::Failed { reason: String::new() },
    _ => return None,
}),
|state, _| match state {
    Self::Failed { reason } => Some(reason),
    _ => None,
});

const POSITIONING: &[&str] = &["mode", "using", "at", "peer", "place"];
tagged!(Positioning: Self::Unchanged, POSITIONING,
|word| Some(match word {
    "auto_position" => Self::AutoPosition,
    "maria_db_gtid" => Self::MariaDbGtid { using: String::new() },
    "coordinates" => Self::Coordinates { at: Blank::blank() },
    "unchanged" => Self::Unchanged,
    "at" => Self::At { peer: Blank::blank(), place: Place::Own },
    "as_before" => Self::AsBefore,
    "matched" => Self::Matched,
    _ => return None,
}),
|positioning, name| {
    let place: &mut dyn Fill = match (positioning, name) {
    (Self::MariaDbGtid { using }, "using") => using,
    (Self::Coordinates { at }, "at") => at,
    (Self::At { peer, .. }, "peer") => peer,
    (Self::At { place, .. }, "place") => place,
    _ => return None,
};
Some(place)
});

const CONDITION: &[&str] = &["kind", "source", "running", "on", "set", "at", "at_least", "at_most"];
tagged!(Condition: Self::Reachable, CONDITION,
|word| Some(match word {
    "reachable" => Self::Reachable,
    "source_is" => Self::SourceIs { source: InstanceKey::default() },
    "receiver_running" => Self::ReceiverRunning { running: false },
    "applier_running" => Self::ApplierRunning { running: false },
    "read_only" => Self::ReadOnly { on: false },
    "executed_covers" => Self::ExecutedCovers { set: String::new() },
    "relay_log_applied" => Self::RelayLogApplied,
    "uses_gtid" => Self::UsesGtid { on: false },
        "executed_is" => Self::ExecutedIs { at: Blank::blank() },
    "acknowledgers" => Self::Acknowledgers { at_least: 0, at_most: None },
    _ => return None,
}),
|condition, name| {
    let place: &mut dyn Fill = match (condition, name) {
    (Self::SourceIs { source }, "source") => source,
    (Self::ReceiverRunning { running } | Self::ApplierRunning { running }, "running") => running,
    (Self::ReadOnly { on } | Self::UsesGtid { on }, "on") => on,
    (Self::ExecutedCovers { set }, "set") => set,
            (Self::ExecutedIs { at }, "at") => at,
    (Self::Acknowledgers { at_least, .. }, "at_least") => at_least,
    (Self::Acknowledgers { at_most, .. }, "at_most") => at_most,
    _ => return None,
};
Some(place)
});

const ACTION: &[&str] = &[
    "kind",
    "set",
    "peer",
    "to",
    "positioning",
    "on",
    "super_too",
    "place",
    "exactly",
    "gtids",
    "without",
    "times",
    "process",
    "seconds",
    "expect",
    "list",
];
tagged!(Action: Self::Refresh, ACTION, action_of, part_of);

fn action_of(word: &str) -> Option<Action> {
    Some(match word {
        "refresh" => Action::Refresh,
        "stop_replication" => Action::StopReplication,
        "start_replication" => Action::StartReplication,
        "stop_receiver" => Action::StopReceiver,
        "start_receiver" => Action::StartReceiver,
        "stop_applier" => Action::StopApplier,
        "start_applier" => Action::StartApplier,
        "drain" => Action::Drain,
        "wait_for_gtid" => Action::WaitForGtid { set: String::new() },
        "wait_for_peer" => Action::WaitForPeer { peer: InstanceKey::default() },
        "find_place" => Action::FindPlace { peer: InstanceKey::default() },
        "inject_entry" => Action::InjectEntry,
        "change_source" => Action::ChangeSource { to: InstanceKey::default(), positioning: Positioning::Unchanged },
        "reset_replication" => Action::ResetReplication,
        "detach_source" => Action::DetachSource,
        "reattach_source" => Action::ReattachSource,
        "set_read_only" => Action::SetReadOnly { on: false, super_too: false },
        "kill_sessions" => Action::KillSessions,
        "set_semi_sync_source" => Action::SetSemiSyncSource { on: false },
        "set_semi_sync_replica" => Action::SetSemiSyncReplica { on: false },
        "start_until" => Action::StartUntil { peer: InstanceKey::default(), place: Place::Own, exactly: false },
        "skip_transaction" => Action::SkipTransaction,
        "inject_empty" => Action::InjectEmpty { gtids: Vec::new() },
        "reset_binary_logs" => Action::ResetBinaryLogs { without: String::new() },
        "flush_binary_logs" => Action::FlushBinaryLogs { times: 0 },
        "purge_binary_logs" => Action::PurgeBinaryLogs { to: String::new() },
        "kill_query" => Action::KillQuery { process: 0 },
        "set_delay" => Action::SetDelay { seconds: 0 },
        "set_credentials" => Action::SetCredentials,
        "verify" => Action::Verify { expect: Vec::new() },
        "run_hooks" => Action::RunHooks { list: HookList::OnFailureDetection },
        _ => return None,
    })
}

fn part_of<'a>(action: &'a mut Action, name: &str) -> Option<&'a mut dyn Fill> {
    let place: &mut dyn Fill = match (action, name) {
        (Action::WaitForGtid { set }, "set") => set,
        (Action::WaitForPeer { peer } | Action::FindPlace { peer } | Action::StartUntil { peer, .. }, "peer") => peer,
        (Action::ChangeSource { to, .. }, "to") => to,
        (Action::ChangeSource { positioning, .. }, "positioning") => positioning,
        (
            Action::SetReadOnly { on, .. } | Action::SetSemiSyncSource { on } | Action::SetSemiSyncReplica { on },
            "on",
        ) => on,
        (Action::SetReadOnly { super_too, .. }, "super_too") => super_too,
        (Action::StartUntil { place, .. }, "place") => place,
        (Action::StartUntil { exactly, .. }, "exactly") => exactly,
        (Action::InjectEmpty { gtids }, "gtids") => gtids,
        (Action::ResetBinaryLogs { without }, "without") => without,
        (Action::FlushBinaryLogs { times }, "times") => times,
        (Action::PurgeBinaryLogs { to }, "to") => to,
        (Action::KillQuery { process }, "process") => process,
        (Action::SetDelay { seconds }, "seconds") => seconds,
        (Action::Verify { expect }, "expect") => expect,
        (Action::RunHooks { list }, "list") => list,
        _ => return None,
    };
    Some(place)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;

    use super::super::read;
    use super::*;
    use crate::BinlogCoordinates;

    fn check<T: Blank + Serialize + PartialEq + Debug>(all: impl IntoIterator<Item = T>) {
        for one in all {
            let text = serde_json::to_string(&one).expect("json");
            assert_eq!(read::<T>(&text).map_err(|e| format!("{text}: {e}")), Ok(one));
        }
    }

    fn key() -> InstanceKey {
        InstanceKey::new("db1", 3306)
    }

    fn text() -> String {
        "0-1-7".to_owned()
    }

    #[test]
    fn every_state_is_read_as_it_was_written() {
        use StepState::*;
        check([Pending, Running, Done, Failed { error: text() }, TimedOut, Skipped, Undone]);
        check([RecoveryState::Running, RecoveryState::Succeeded, RecoveryState::Failed { reason: text() }]);
    }

    /// A kind that is new fails here, until it is read above and among the samples below.
    fn is_sampled(action: &Action, condition: &Condition) {
        match action {
            Action::Refresh | Action::StopReplication | Action::StartReplication | Action::StopReceiver => {}
            Action::StartReceiver | Action::StopApplier | Action::StartApplier | Action::Drain => {}
            Action::WaitForGtid { .. } | Action::WaitForPeer { .. } | Action::ChangeSource { .. } => {}
            Action::ResetReplication | Action::DetachSource | Action::ReattachSource => {}
            Action::SetReadOnly { .. } | Action::KillSessions | Action::SetSemiSyncSource { .. } => {}
            Action::SetSemiSyncReplica { .. } | Action::StartUntil { .. } | Action::SkipTransaction => {}
            Action::InjectEmpty { .. } | Action::ResetBinaryLogs { .. } | Action::FlushBinaryLogs { .. } => {}
            Action::PurgeBinaryLogs { .. } | Action::KillQuery { .. } | Action::SetDelay { .. } => {}
            Action::FindPlace { .. } | Action::InjectEntry => {}
            Action::SetCredentials | Action::Verify { .. } | Action::RunHooks { .. } => {}
        }
        match condition {
            Condition::Reachable | Condition::SourceIs { .. } | Condition::ReceiverRunning { .. } => {}
            Condition::ApplierRunning { .. } | Condition::ReadOnly { .. } | Condition::ExecutedCovers { .. } => {}
            Condition::RelayLogApplied | Condition::UsesGtid { .. } | Condition::ExecutedIs { .. } => {}
            Condition::Acknowledgers { .. } => {}
        }
    }

    #[test]
    fn every_condition_is_read_as_it_was_written() {
        use Condition::*;
        check([
            Reachable,
            SourceIs { source: key() },
            ReceiverRunning { running: true },
            ApplierRunning { running: true },
            ReadOnly { on: true },
            ExecutedCovers { set: text() },
            RelayLogApplied,
            UsesGtid { on: true },
            ExecutedIs { at: BinlogCoordinates::binary("log.1", 4) },
            Acknowledgers { at_least: 1, at_most: Some(2) },
            Acknowledgers { at_least: 1, at_most: None },
        ]);
    }

    #[test]
    fn every_action_is_read_as_it_was_written() {
        use Action::*;
        let change = |positioning| ChangeSource { to: key(), positioning };
        check([
            Refresh,
            StopReplication,
            StartReplication,
            StopReceiver,
            StartReceiver,
            StopApplier,
            StartApplier,
            Drain,
            WaitForGtid { set: text() },
            WaitForPeer { peer: key() },
            FindPlace { peer: key() },
            InjectEntry,
            change(Positioning::AutoPosition),
            change(Positioning::MariaDbGtid { using: text() }),
            change(Positioning::Coordinates { at: BinlogCoordinates::binary("log.1", 4) }),
            change(Positioning::Unchanged),
            change(Positioning::At { peer: key(), place: Place::Executed }),
            change(Positioning::AsBefore),
            change(Positioning::Matched),
            ResetReplication,
            DetachSource,
            ReattachSource,
            SetReadOnly { on: true, super_too: true },
            KillSessions,
            SetSemiSyncSource { on: true },
            SetSemiSyncReplica { on: true },
            StartUntil { peer: key(), place: Place::Executed, exactly: true },
            SkipTransaction,
            InjectEmpty { gtids: vec![text()] },
            ResetBinaryLogs { without: text() },
            FlushBinaryLogs { times: 3 },
            PurgeBinaryLogs { to: text() },
            KillQuery { process: 7 },
            SetDelay { seconds: 7 },
            SetCredentials,
            Verify { expect: vec![Condition::ReadOnly { on: true }] },
            RunHooks { list: HookList::Fencing },
        ]);
    }

    #[test]
    fn a_kind_that_is_not_known_is_an_error() {
        is_sampled(&Action::blank(), &Condition::blank());
        assert!(read::<Action>(r#"{"kind":"dance"}"#).is_err());
        assert!(read::<Action>("{}").is_err());
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let step = Step {
            id: 1,
            server: key(),
            action: Action::Drain,
            statements: vec![text()],
            before: vec![Condition::RelayLogApplied],
            needs: vec![2],
            undo: vec![Action::StopApplier],
            timeout_ms: 5,
            phase: 1,
            reason: text(),
        };
        let moves = vec![Move { server: key(), from: key(), to: key() }];
        let plan = Plan {
            operation: text(),
            title: text(),
            cluster: text(),
            steps: vec![step.clone(), Step { needs: vec![], ..step }],
            moves,
            checks: vec![text()],
            warnings: vec![],
            left_out: vec![LeftOut { server: key(), refusal: Refusal::new("a-rule", "why") }],
            fingerprint: text(),
        };
        check([plan]);
    }
}
