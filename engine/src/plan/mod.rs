//! Plans of refactorings: what would be done, step by step, before anything is done.
//!
//! The preview, the dry run and the execution all come from [`plan`], so what was shown is what is run: a plan is applied only
//! while a plan made afresh has the same fingerprint.
//!
//! How the executor runs a plan: steps of one phase side by side, lower phases first; `before` is checked on a fresh read. When a step
//! ends badly, later steps of its server are skipped, and the `undo` actions of the steps of that server that were done are run,
//! last one first. Servers are moved independently: one that cannot move does not hold up the others.

mod condition;
mod effect;
mod fingerprint;
mod relocate;
mod single;
mod steps;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use app::InstanceKey;
use app::api::Operation;
use app::plan::{Plan, Refusal};
use app::rules::RuleSettings;
use app::topology::{Instance, Snapshot};

pub use condition::check;
pub use effect::apply;
pub use relocate::{plan_relocate, plan_relocate_replicas};
pub use single::{plan_detach, plan_read_only, plan_reattach, plan_restart, plan_start, plan_stop};
pub use steps::{MOVE_PHASES, StepList, Threads, Timeouts, move_replica};

/// Settings of planning.
#[derive(Debug, Clone)]
pub struct PlanSettings {
    /// What may replicate from what.
    pub rules: RuleSettings,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// `MaxConcurrentReplicaOperations`: replicas moved side by side.
    pub max_concurrent: usize,
    /// `UseSuperReadOnly`.
    pub use_super_read_only: bool,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            rules: RuleSettings::default(),
            timeouts: Timeouts::default(),
            max_concurrent: 5,
            use_super_read_only: false,
        }
    }
}

/// Plans an operation.
///
/// # Errors
/// The [`Refusal`] of the first rule that does not hold; nothing has been changed.
pub fn plan(operation: &Operation, snapshot: &Snapshot, settings: &PlanSettings) -> Result<Plan, Refusal> {
    match operation {
        Operation::Relocate { server, below } => plan_relocate(snapshot, server, below, settings),
        Operation::RelocateReplicas { server, below, pattern } => {
            plan_relocate_replicas(snapshot, server, below, pattern, settings)
        }
        Operation::StartReplication { server } => plan_start(snapshot, server, settings),
        Operation::StopReplication { server } => plan_stop(snapshot, server, settings),
        Operation::RestartReplication { server } => plan_restart(snapshot, server, settings),
        Operation::SetReadOnly { server } => plan_read_only(snapshot, server, true, settings),
        Operation::SetWriteable { server } => plan_read_only(snapshot, server, false, settings),
        Operation::DetachReplica { server } => plan_detach(snapshot, server, settings),
        Operation::ReattachReplica { server } => plan_reattach(snapshot, server, settings),
    }
}

fn known<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Arc<Instance>, Refusal> {
    snapshot.get(key).ok_or_else(|| Refusal::new("unknown-server", format!("{key} is not a known server")))
}
