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
mod matching;
mod names;
mod outcome;
mod position;
mod regroup;
mod relocate;
mod single;
mod steps;
mod swap;
mod upkeep;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use app::InstanceKey;
use app::api::Operation;
use app::plan::{Plan, Refusal};
use app::rules::RuleSettings;
use app::topology::{Instance, Snapshot};

use crate::candidate::ChoiceSettings;

pub use condition::check;
pub use effect::apply;
pub use matching::{
    plan_match, plan_match_replicas, plan_match_up, plan_match_up_replicas, plan_regroup_pseudo_gtid, plan_rematch,
};
pub use names::virtual_name;
pub use outcome::outcomes;
pub use regroup::{
    plan_disable_gtid, plan_enable_gtid, plan_regroup, plan_regroup_binlog_servers, plan_repoint, plan_repoint_replicas,
};
pub use relocate::{
    plan_move_below, plan_move_equivalent, plan_move_gtid, plan_move_replicas_gtid, plan_move_up,
    plan_move_up_replicas, plan_relocate, plan_relocate_replicas, plan_take_siblings,
};
pub use single::{plan_detach, plan_read_only, plan_reattach, plan_restart, plan_start, plan_stop};
pub use steps::{MOVE_PHASES, StepList, Threads, Timeouts, move_replica, push_find_place};
pub use swap::{plan_make_co_source, plan_make_local_source, plan_take_source};
pub use upkeep::{
    plan_credentials, plan_delay, plan_flush_binary_logs, plan_inject_errant, plan_kill_query, plan_purge_binary_logs,
    plan_reset_errant, plan_reset_replica, plan_semi_sync_replica, plan_semi_sync_source, plan_skip_query,
    plan_stop_nicely,
};

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
    /// Who is best, when replicas are regrouped.
    pub choice: ChoiceSettings,
    /// A pattern of pseudo-GTID entries is configured.
    pub pseudo_gtid: bool,
    /// Replicas are told the virtual names that are registered for sources.
    pub virtual_names: bool,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            rules: RuleSettings::default(),
            timeouts: Timeouts::default(),
            max_concurrent: 5,
            use_super_read_only: false,
            choice: ChoiceSettings::default(),
            pseudo_gtid: false,
            virtual_names: true,
        }
    }
}

/// Plans an operation.
///
/// # Errors
/// The [`Refusal`] of the first rule that does not hold; nothing has been changed.
pub fn plan(operation: &Operation, snapshot: &Snapshot, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let plan = plan_by_known_names(operation, snapshot, settings)?;
    Ok(if settings.virtual_names { names::with_virtual_names(plan, snapshot) } else { plan })
}

fn plan_by_known_names(operation: &Operation, snapshot: &Snapshot, settings: &PlanSettings) -> Result<Plan, Refusal> {
    use Operation as O;
    match operation {
        O::Relocate { server, below } => plan_relocate(snapshot, server, below, settings),
        O::RelocateReplicas { server, below, pattern } => {
            plan_relocate_replicas(snapshot, server, below, pattern, settings)
        }
        O::MoveGtid { server, below } => plan_move_gtid(snapshot, server, below, settings),
        O::MoveReplicasGtid { server, below, pattern } => {
            plan_move_replicas_gtid(snapshot, server, below, pattern, settings)
        }
        O::MoveUp { server } => plan_move_up(snapshot, server, settings),
        O::MoveUpReplicas { server, pattern } => plan_move_up_replicas(snapshot, server, pattern, settings),
        O::MoveBelow { server, below } => plan_move_below(snapshot, server, below, settings),
        O::MoveEquivalent { server, below } => plan_move_equivalent(snapshot, server, below, settings),
        O::RegroupBinlogServers { server } => plan_regroup_binlog_servers(snapshot, server, settings),
        O::Repoint { server, below } => plan_repoint(snapshot, server, below.as_ref(), settings),
        O::RepointReplicas { server, below, pattern } => {
            plan_repoint_replicas(snapshot, server, below.as_ref(), pattern, settings)
        }
        O::TakeSiblings { server } => plan_take_siblings(snapshot, server, settings),
        O::TakeSource { server } => plan_take_source(snapshot, server, settings),
        O::MakeCoSource { server } => plan_make_co_source(snapshot, server, settings),
        O::MakeLocalSource { server } => plan_make_local_source(snapshot, server, settings),
        O::RegroupReplicas { server, gtid_only } => plan_regroup(snapshot, server, *gtid_only, settings),
        O::Match { server, below } => plan_match(snapshot, server, below, settings),
        O::MatchUp { server } => plan_match_up(snapshot, server, settings),
        O::Rematch { server } => plan_rematch(snapshot, server, settings),
        O::MatchReplicas { server, below, pattern } => plan_match_replicas(snapshot, server, below, pattern, settings),
        O::MatchUpReplicas { server, pattern } => plan_match_up_replicas(snapshot, server, pattern, settings),
        O::RegroupReplicasPseudoGtid { server } => plan_regroup_pseudo_gtid(snapshot, server, settings),
        O::EnableGtid { server } => plan_enable_gtid(snapshot, server, settings),
        O::DisableGtid { server } => plan_disable_gtid(snapshot, server, settings),
        on_one_server => plan_on_one_server(on_one_server, snapshot, settings),
    }
}

/// Operations that touch nobody's place in the tree.
fn plan_on_one_server(operation: &Operation, snapshot: &Snapshot, settings: &PlanSettings) -> Result<Plan, Refusal> {
    use Operation as O;
    match operation {
        O::StartReplication { server } => plan_start(snapshot, server, settings),
        O::StopReplication { server } => plan_stop(snapshot, server, settings),
        O::RestartReplication { server } => plan_restart(snapshot, server, settings),
        O::StopReplicationNicely { server } => plan_stop_nicely(snapshot, server, settings),
        O::SetReadOnly { server } => plan_read_only(snapshot, server, true, settings),
        O::SetWriteable { server } => plan_read_only(snapshot, server, false, settings),
        O::DetachReplica { server } => plan_detach(snapshot, server, settings),
        O::ReattachReplica { server } => plan_reattach(snapshot, server, settings),
        O::ResetReplica { server } => plan_reset_replica(snapshot, server, settings),
        O::SkipQuery { server } => plan_skip_query(snapshot, server, settings),
        O::DelayReplication { server, seconds } => plan_delay(snapshot, server, *seconds, settings),
        O::SetCredentials { server } => plan_credentials(snapshot, server, settings),
        O::SetSemiSyncSource { server, on } => plan_semi_sync_source(snapshot, server, *on, settings),
        O::SetSemiSyncReplica { server, on } => plan_semi_sync_replica(snapshot, server, *on, settings),
        O::FlushBinaryLogs { server, until } => plan_flush_binary_logs(snapshot, server, until, settings),
        O::PurgeBinaryLogs { server, to, force } => plan_purge_binary_logs(snapshot, server, to, *force, settings),
        O::KillQuery { server, process } => plan_kill_query(snapshot, server, *process, settings),
        O::ResetErrant { server } => plan_reset_errant(snapshot, server, settings),
        O::InjectErrant { server } => plan_inject_errant(snapshot, server, settings),
        moving => Err(Refusal::new("not-supported", format!("{moving:?} is no operation on one server"))),
    }
}

fn known<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Arc<Instance>, Refusal> {
    snapshot.get(key).ok_or_else(|| Refusal::new("unknown-server", format!("{key} is not a known server")))
}
