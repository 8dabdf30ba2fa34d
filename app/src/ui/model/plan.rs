//! A plan in words: its steps by phase, what undoes them, and how far an application has come.

use std::collections::BTreeMap;

use crate::api::{Operation, OperationView};
use crate::plan::{Action, OutcomeState, Plan, ServerOutcome, Step, StepState};
use crate::ui::model::age::duration_text;
use crate::ui::model::tone::Tone;

/// Steps that run side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Number of the phase in the plan.
    pub number: u32,
    /// Its steps in order.
    pub steps: Vec<Step>,
}

/// The steps of a plan by phase, in the order in which they run.
pub fn phases(plan: &Plan) -> Vec<Phase> {
    let mut phases: BTreeMap<u32, Vec<Step>> = BTreeMap::new();
    for step in &plan.steps {
        phases.entry(step.phase).or_default().push(step.clone());
    }
    phases.into_iter().map(|(number, steps)| Phase { number, steps }).collect()
}

/// What a step does, in words.
pub fn action_text(action: &Action) -> String {
    match action {
        Action::Refresh => "read afresh".to_owned(),
        Action::StopReplication => "stop replication".to_owned(),
        Action::StartReplication => "start replication".to_owned(),
        Action::StopReceiver => "stop the receiver".to_owned(),
        Action::StartReceiver => "start the receiver".to_owned(),
        Action::StopApplier => "stop the applier".to_owned(),
        Action::StartApplier => "start the applier".to_owned(),
        Action::Drain => "apply everything received".to_owned(),
        Action::WaitForGtid { .. } => "wait until it has caught up".to_owned(),
        Action::FindPlace { peer } => format!("find its place in the log of {peer} by pseudo-GTID"),
        Action::InjectEntry => "write a pseudo-GTID entry".to_owned(),
        Action::WaitForPeer { peer } => format!("wait until {peer} has caught up"),
        Action::ChangeSource { to, .. } => format!("replicate from {to}"),
        Action::ResetReplication => "forget its source".to_owned(),
        Action::DetachSource => "detach from its source".to_owned(),
        Action::ReattachSource => "reattach to its source".to_owned(),
        Action::SetReadOnly { on: true, super_too: true } => "set super read-only".to_owned(),
        Action::SetReadOnly { on: true, .. } => "set read-only".to_owned(),
        Action::SetReadOnly { on: false, .. } => "set writeable".to_owned(),
        Action::KillSessions => "end client sessions".to_owned(),
        Action::SetSemiSyncSource { on } => format!("semi-sync source {}", on_off(*on)),
        Action::SetSemiSyncReplica { on } => format!("semi-sync replica {}", on_off(*on)),
        Action::StartUntil { peer, .. } => format!("replicate up to where {peer} stands"),
        Action::SkipTransaction => "skip the failing transaction".to_owned(),
        Action::InjectEmpty { gtids } => format!("commit {} empty transactions", gtids.len()),
        Action::ResetBinaryLogs { .. } => "throw the binary logs away".to_owned(),
        Action::FlushBinaryLogs { .. } => "begin a new binary log".to_owned(),
        Action::PurgeBinaryLogs { to } => format!("delete the binary logs before {to}"),
        Action::KillQuery { process } => format!("end the statement of session {process}"),
        Action::SetDelay { seconds } => format!("stay {seconds} s behind"),
        Action::SetCredentials => "set user and password anew".to_owned(),
        Action::Verify { .. } => "verify".to_owned(),
        Action::RunHooks { list } => format!("run {list}"),
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// How a plan would be undone, last step first; empty when nothing in it can be.
pub fn undo_texts(plan: &Plan) -> Vec<String> {
    let of_step = |step: &Step| {
        let undo: Vec<String> = step.undo.iter().map(action_text).collect();
        (!undo.is_empty()).then(|| format!("{}: {}", step.server, undo.join(", then ")))
    };
    plan.steps.iter().rev().filter_map(of_step).collect()
}

/// How far an application has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps that ended, well or not.
    pub ended: usize,
    /// Steps.
    pub all: usize,
}

/// Counts the steps of an application.
pub fn progress(operation: &OperationView) -> Progress {
    let pending = |state: &&StepState| matches!(state, StepState::Pending | StepState::Running);
    let all = operation.plan.steps.len();
    let open = operation.plan.steps.iter().filter_map(|s| operation.steps.get(&s.id)).filter(pending).count();
    let unknown = operation.plan.steps.iter().filter(|s| !operation.steps.contains_key(&s.id)).count();
    Progress { ended: all - open - unknown, all }
}

/// How an application ended: a word and a tone. One of several servers of which some got to where they should is not all lost.
pub fn ending(operation: &OperationView) -> (String, Tone) {
    let done = operation.outcomes.iter().filter(|o| o.state == OutcomeState::Done).count();
    let all = operation.outcomes.len();
    match &operation.error {
        None if done == all => {
            let took = operation.ended.unwrap_or(operation.started) - operation.started;
            (format!("done in {}", duration_text(took)), Tone::Ok)
        }
        _ if done > 0 => (format!("{done} of {all} servers done"), Tone::Attention),
        None => ("done".to_owned(), Tone::Ok),
        Some(_) => ("failed".to_owned(), Tone::Broken),
    }
}

/// What became of each server, to be told where there are several or one has not got to where it should: its name with a word, what is to be
/// said about it, and the tone.
pub fn endings(operation: &OperationView) -> Vec<(String, String, Tone)> {
    let outcomes = &operation.outcomes;
    let plain = outcomes.len() < 2 && outcomes.iter().all(|o| o.state == OutcomeState::Done);
    let told = |outcome: &ServerOutcome| {
        let (word, tone) = match outcome.state {
            OutcomeState::Done => ("done", Tone::Ok),
            OutcomeState::Failed => ("failed", Tone::Broken),
            OutcomeState::LeftOut => ("stays", Tone::Attention),
        };
        (format!("{}: {word}", outcome.server), outcome.message.clone(), tone)
    };
    if plain { Vec::new() } else { outcomes.iter().map(told).collect() }
}

/// The operation in a few words, for headings and announcements.
pub fn operation_text(operation: &Operation) -> String {
    match operation {
        Operation::Relocate { server, below } => format!("Move {server} below {below}"),
        Operation::RelocateReplicas { server, below, .. } => format!("Move the replicas of {server} below {below}"),
        Operation::StartReplication { server } => format!("Start replication on {server}"),
        Operation::StopReplication { server } => format!("Stop replication on {server}"),
        Operation::RestartReplication { server } => format!("Restart replication on {server}"),
        Operation::SetReadOnly { server } => format!("Make {server} read-only"),
        Operation::SetWriteable { server } => format!("Make {server} writeable"),
        Operation::DetachReplica { server } => format!("Detach {server} from its source"),
        Operation::ReattachReplica { server } => format!("Reattach {server} to its source"),
        Operation::StopReplicationNicely { server } => format!("Apply what {server} received and stop it"),
        Operation::ResetReplica { server } => format!("Make {server} forget its source"),
        Operation::SkipQuery { server } => format!("Skip the failing transaction of {server}"),
        Operation::DelayReplication { server, seconds } => format!("Keep {server} {seconds} s behind"),
        Operation::SetCredentials { server } => format!("Set the replication user of {server} anew"),
        Operation::EnableGtid { server } => format!("Let {server} use GTID"),
        Operation::DisableGtid { server } => format!("Let {server} use file and position"),
        Operation::MoveGtid { server, below } => format!("Move {server} below {below} by GTID"),
        Operation::MoveReplicasGtid { server, below, .. } => {
            format!("Move the replicas of {server} below {below} by GTID")
        }
        Operation::Repoint { server, below: Some(below) } => format!("Point {server} at {below}"),
        Operation::Repoint { server, below: None } => format!("Point {server} at its source once more"),
        Operation::RepointReplicas { server, below, .. } => {
            format!("Point the replicas of {server} at {}", below.as_ref().unwrap_or(server))
        }
        Operation::MoveUp { server } => format!("Move {server} one level up"),
        Operation::MoveUpReplicas { server, .. } => format!("Move the replicas of {server} one level up"),
        Operation::MoveEquivalent { server, below } => format!("Move {server} below {below} by recorded coordinates"),
        Operation::RegroupBinlogServers { server } => format!("Regroup the binlog servers below {server}"),
        Operation::MoveBelow { server, below } => format!("Move {server} below its sibling {below}"),
        Operation::TakeSiblings { server } => format!("Move the siblings of {server} below it"),
        Operation::TakeSource { server } => format!("Let {server} and its source change places"),
        Operation::MakeCoSource { server } => format!("Let the source of {server} replicate from it too"),
        Operation::MakeLocalSource { server } => format!("Move {server} up and its siblings below it"),
        Operation::RegroupReplicas { server, .. } => format!("Regroup the replicas of {server}"),
        Operation::Match { server, below } => format!("Move {server} below {below} by pseudo-GTID"),
        Operation::MatchUp { server } => format!("Move {server} one level up by pseudo-GTID"),
        Operation::Rematch { server } => format!("Find the place of {server} below its source anew"),
        Operation::MatchReplicas { server, below, .. } => {
            format!("Move the replicas of {server} below {below} by pseudo-GTID")
        }
        Operation::MatchUpReplicas { server, .. } => {
            format!("Move the replicas of {server} one level up by pseudo-GTID")
        }
        Operation::RegroupReplicasPseudoGtid { server } => format!("Regroup the replicas of {server} by pseudo-GTID"),
        Operation::SetSemiSyncSource { server, on } => format!("Semi-sync source of {server} {}", on_off(*on)),
        Operation::SetSemiSyncReplica { server, on } => format!("Semi-sync replica of {server} {}", on_off(*on)),
        Operation::FlushBinaryLogs { server, .. } => format!("Begin a new binary log on {server}"),
        Operation::PurgeBinaryLogs { server, to, .. } => format!("Delete binary logs of {server} before {to}"),
        Operation::KillQuery { server, process } => format!("End the statement of session {process} on {server}"),
        Operation::ResetErrant { server } => format!("Remove the errant transactions of {server}"),
        Operation::InjectErrant { server } => format!("Make the errant transactions of {server} known to all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstanceKey;

    fn step(id: u32, phase: u32, action: Action, undo: Vec<Action>) -> Step {
        Step {
            id,
            server: InstanceKey::new(format!("db{id}"), 3306),
            action,
            statements: Vec::new(),
            before: Vec::new(),
            needs: Vec::new(),
            undo,
            timeout_ms: 1000,
            phase,
            reason: String::new(),
        }
    }

    fn plan() -> Plan {
        Plan {
            operation: "relocate".to_owned(),
            title: String::new(),
            cluster: String::new(),
            steps: vec![
                step(1, 1, Action::StopReplication, vec![Action::StartReplication]),
                step(2, 2, Action::Refresh, Vec::new()),
                step(3, 1, Action::StopReplication, vec![Action::StartReplication]),
            ],
            moves: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
            left_out: Vec::new(),
            fingerprint: "f".to_owned(),
        }
    }

    #[test]
    fn steps_are_shown_in_the_order_in_which_they_run() {
        let ids: Vec<Vec<u32>> = phases(&plan()).iter().map(|p| p.steps.iter().map(|s| s.id).collect()).collect();
        assert_eq!(ids, [vec![1, 3], vec![2]]);
    }

    #[test]
    fn undoing_goes_backwards_and_leaves_out_what_needs_none() {
        assert_eq!(undo_texts(&plan()), ["db3:3306: start replication", "db1:3306: start replication"]);
    }

    fn view() -> OperationView {
        OperationView {
            id: "x".to_owned(),
            plan: plan(),
            steps: BTreeMap::from([(1, StepState::Done), (2, StepState::Running)]),
            actor: String::new(),
            started: chrono::DateTime::UNIX_EPOCH,
            ended: None,
            error: None,
            outcomes: Vec::new(),
            progress: BTreeMap::new(),
        }
    }

    #[test]
    fn a_step_that_nothing_was_heard_of_has_not_ended() {
        assert_eq!(progress(&view()), Progress { ended: 1, all: 3 });
    }

    #[test]
    fn some_of_several_servers_are_told_apart_from_all_and_none() {
        let outcome = |name: &str, state| ServerOutcome {
            server: InstanceKey::new(name, 3306),
            state,
            message: format!("about {name}"),
        };
        let ended = |error: Option<&str>, outcomes| OperationView {
            ended: Some(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(2)),
            error: error.map(str::to_owned),
            outcomes,
            ..view()
        };
        let one = ended(None, vec![outcome("a", OutcomeState::Done)]);
        assert_eq!(ending(&one).1, Tone::Ok);
        assert!(ending(&one).0.starts_with("done in 2"), "{:?}", ending(&one));
        assert_eq!(endings(&one), []);
        let some = vec![
            outcome("a", OutcomeState::Done),
            outcome("b", OutcomeState::Failed),
            outcome("c", OutcomeState::LeftOut),
        ];
        let some = ended(Some("b: no"), some);
        assert_eq!(ending(&some), ("1 of 3 servers done".to_owned(), Tone::Attention));
        let told: Vec<String> =
            endings(&some).into_iter().map(|(server, about, _)| format!("{server}, {about}")).collect();
        assert_eq!(told, ["a:3306: done, about a", "b:3306: failed, about b", "c:3306: stays, about c"]);
        let none = ended(Some("a: no"), vec![outcome("a", OutcomeState::Failed)]);
        assert_eq!((ending(&none), endings(&none).len()), (("failed".to_owned(), Tone::Broken), 1));
    }
}
