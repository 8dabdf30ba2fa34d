//! What became of each server of an operation.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::plan::{OutcomeState, Plan, ServerOutcome, Step, StepState};

/// The outcome of each server that was to move (of each that was acted on, where none was to), of each other one that failed, and of
/// each that was left out. `states` are those of the plan's steps, by number.
pub fn outcomes(plan: &Plan, states: &BTreeMap<u32, StepState>) -> Vec<ServerOutcome> {
    let moved = |key: &InstanceKey| plan.moves.is_empty() || plan.moves.iter().any(|m| m.server == *key);
    let mut all: Vec<ServerOutcome> = plan
        .servers()
        .into_iter()
        .map(|key| outcome(plan, states, key))
        .filter(|outcome| moved(&outcome.server) || outcome.state == OutcomeState::Failed)
        .collect();
    all.extend(plan.left_out.iter().map(|left| ServerOutcome {
        server: left.server.clone(),
        state: OutcomeState::LeftOut,
        message: left.refusal.to_string(),
    }));
    all
}

fn outcome(plan: &Plan, states: &BTreeMap<u32, StepState>, server: InstanceKey) -> ServerOutcome {
    let pending = StepState::Pending;
    let steps = plan.steps.iter().filter(|s| s.server == server).map(|s| (s, states.get(&s.id).unwrap_or(&pending)));
    let unfinished: Vec<(&Step, &StepState)> = steps.filter(|(_, state)| !state.is_done()).collect();
    if unfinished.is_empty() {
        let message = match plan.moves.iter().find(|m| m.server == server) {
            Some(one) => format!("replicates from {}", one.to),
            None => "done".to_owned(),
        };
        return ServerOutcome { server, state: OutcomeState::Done, message };
    }
    // The step that failed tells more than those that were left out for it, and these more than what was put back for them.
    let of = |wanted: fn(&StepState) -> bool| unfinished.iter().find(|(_, state)| wanted(state));
    let told = of(StepState::is_failure).or_else(|| of(|state| *state != StepState::Undone)).or(unfinished.first());
    let message = told.map(|(step, state)| reason(step, state)).unwrap_or_default();
    ServerOutcome { server, state: OutcomeState::Failed, message }
}

fn reason(step: &Step, state: &StepState) -> String {
    match state {
        StepState::Failed { error } => format!("step {} ({}): {error}", step.id, step.reason),
        StepState::TimedOut => format!("step {} ({}): no answer within {} ms", step.id, step.reason, step.timeout_ms),
        StepState::Undone => format!("step {} ({}) was undone", step.id, step.reason),
        _ => format!("step {} ({}) was left out: one that it needs failed", step.id, step.reason),
    }
}

#[cfg(test)]
mod tests {
    use app::plan::{Action, LeftOut, Move, Refusal};

    use super::*;

    fn key(name: &str) -> InstanceKey {
        InstanceKey::new(name, 3306)
    }

    fn step(id: u32, server: &str) -> Step {
        Step {
            id,
            server: key(server),
            action: Action::Refresh,
            statements: vec![],
            before: vec![],
            needs: vec![],
            undo: vec![],
            timeout_ms: 5,
            phase: id,
            reason: "a reason".to_owned(),
        }
    }

    #[test]
    fn each_server_has_its_own_end() {
        let to = |server: &str| Move { server: key(server), from: key("s"), to: key("t") };
        let plan = Plan {
            operation: "relocate-replicas".to_owned(),
            title: String::new(),
            cluster: String::new(),
            steps: vec![step(1, "s"), step(2, "a"), step(3, "b"), step(4, "b"), step(6, "c"), step(5, "c")],
            moves: vec![to("a"), to("b"), to("c")],
            checks: vec![],
            warnings: vec![],
            left_out: vec![LeftOut { server: key("d"), refusal: Refusal::new("needs-gtid", "it has none") }],
            fingerprint: String::new(),
        };
        let failed = StepState::Failed { error: "no".to_owned() };
        let states = BTreeMap::from([
            (1, StepState::Done),
            (2, StepState::Done),
            (3, StepState::Undone),
            (4, failed),
            (5, StepState::Skipped),
            (6, StepState::Undone),
        ]);
        let told: Vec<String> = outcomes(&plan, &states)
            .iter()
            .map(|o| format!("{} {:?} {}", o.server.hostname, o.state, o.message))
            .collect();
        assert_eq!(
            told,
            [
                "a Done replicates from t:3306",
                "b Failed step 4 (a reason): no",
                "c Failed step 5 (a reason) was left out: one that it needs failed",
                "d LeftOut needs-gtid: it has none",
            ]
        );
    }
}
