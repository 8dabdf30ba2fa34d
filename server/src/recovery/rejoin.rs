//! A source that was replaced and holds nothing of its own becomes a replica of the server in its place (`RejoinReturningSource`).
//!
//! By the very plan that a person's `relocate` of it makes. What it holds more is never thrown away: then it stays as it is, and what
//! that is has been told (`fence`).

use std::time::{Duration, Instant};

use app::InstanceKey;
use app::plan::{Plan, StepState};
use app::topology::Instance;

use super::RecoveryService;
use super::fence::Quiet;
use crate::consensus::Actor;
use crate::exec::Purpose;

/// A server that could not be made a replica is tried again after this: what held it may be the end of the recovery itself.
const AGAIN: Duration = Duration::from_secs(15);

impl RecoveryService {
    /// It is back, takes no writes and replicates from nobody; not looked at again and again.
    pub(super) fn may_look_at(&self, instance: &Instance) -> bool {
        !instance.is_replica() && self.rejoins.may(&instance.key, AGAIN, Instant::now())
    }

    /// What it holds alone is told; where the configuration asks for it, it becomes a replica.
    pub(super) async fn look_at_returned(&self, key: &InstanceKey, cluster: &str) {
        if self.registry.successor_of(key).is_none() {
            // It was no source, or who replaced it is not on record.
            return;
        }
        self.examine(key, cluster).await;
        if self.parts.config.current().extensions.rejoin_returning_source {
            self.rejoin(key, cluster).await;
        }
    }

    async fn rejoin(&self, key: &InstanceKey, cluster: &str) {
        let Some(successor) = self.registry.successor_of(key) else { return };
        let actor = Actor { since: Some(Instant::now()), ..Actor::system() };
        let operation = format!("rejoin {key} below {successor}");
        let servers = vec![key.clone(), successor.clone()];
        // Somebody is at work on them: it is tried again.
        let Ok(guard) = self.parts.locks.take_servers(servers, &operation, Purpose::Operation).await else { return };
        // The old one first: it takes no writes, so all that it has by then is all it will ever have.
        if self.read(key).await.is_none() || self.read(&successor).await.is_none() {
            return;
        }
        let settings = crate::settings::plan(&self.parts.config.current());
        let plan = engine::plan::plan_relocate(&self.parts.fleet.snapshot(), key, &successor, &settings);
        let outcome = match plan {
            Err(refusal) => format!("is not made a replica of {successor}: {}", refusal.message),
            Ok(plan) => match self.carry_out(&plan).await {
                Ok(()) => format!("made a replica of {successor}, which had replaced it"),
                Err(why) => format!("could not be made a replica of {successor}: {why}"),
            },
        };
        // What it is now is shown without waiting for its poll.
        let _unreadable = self.read(key).await;
        guard.give_up().await;
        if self.fencing.is_news(key, "rejoin", &outcome) {
            self.parts.audit.record("rejoin", key, cluster, &actor, &outcome);
        }
    }

    /// Runs a plan; where a step fails, what was done is undone.
    async fn carry_out(&self, plan: &Plan) -> Result<(), String> {
        let results = self.parts.exec.run(&plan.steps, &Quiet).await;
        let failure = results.iter().find_map(|result| match &result.state {
            StepState::Done => None,
            StepState::Failed { error } => Some(error.clone()),
            other => Some(format!("a step ended as {other:?}")),
        });
        let Some(why) = failure else { return Ok(()) };
        let undone = self.parts.exec.undo(&plan.steps, &results, &Quiet).await;
        match undone.left_changed.is_empty() {
            true => Err(format!("{why}; it is as it was")),
            false => Err(format!("{why}; left changed: {}", undone.left_changed.join("; "))),
        }
    }
}
