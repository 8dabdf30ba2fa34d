//! Moves by pseudo-GTID (`spec/refactoring.md` 8): the place in the new source's log is found by comparing both logs, wherever both
//! servers are in the tree. The look for it comes after the replica stands still and before anything of its place is changed.

use std::sync::Arc;

use app::InstanceKey;
use app::plan::{Plan, Refusal};
use app::rules::can_match;
use app::topology::graph::is_below;
use app::topology::{Instance, Snapshot};

use super::regroup::best_of;
use super::relocate::{Batch, matching_replicas, sort_out, source_above};
use super::{PlanSettings, known};

/// Moves a server below another one.
///
/// # Errors
/// `pseudo-gtid-not-set-up`, or the [`Refusal`] of the first rule that does not hold ([`can_match`]).
pub fn plan_match(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    one("match", snapshot, server, below, settings)
}

/// Makes a server a sibling of its source, which need not answer.
///
/// # Errors
/// As [`plan_match`], and `source-is-topmost`.
pub fn plan_match_up(snapshot: &Snapshot, server: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let above = source_above(snapshot, server)?;
    one("match-up", snapshot, server, &above, settings)
}

/// Looks for the place of a replica in its own source's log anew.
///
/// # Errors
/// As [`plan_match`], and `not-a-replica`.
pub fn plan_rematch(snapshot: &Snapshot, server: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let replica = known(snapshot, server)?;
    if !replica.is_replica() {
        return Err(Refusal::new("not-a-replica", format!("{server} does not replicate from anything")));
    }
    one("rematch", snapshot, server, &replica.replication.source, settings)
}

/// Moves the replicas of a server below another one, each for itself.
///
/// # Errors
/// As [`plan_match`], `bad-pattern`, or, when none may move, the refusal of the first.
pub fn plan_match_replicas(
    snapshot: &Snapshot,
    of: &InstanceKey,
    below: &InstanceKey,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let replicas = matching_replicas(snapshot, of, Some(below), pattern)?;
    several("match-replicas", snapshot, of, below, &replicas, settings)
}

/// Makes the replicas of a server its siblings.
///
/// # Errors
/// As [`plan_match_replicas`], and `source-is-topmost`.
pub fn plan_match_up_replicas(
    snapshot: &Snapshot,
    of: &InstanceKey,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let source = known(snapshot, of)?;
    if !source.is_replica() {
        let message = format!("{of} does not replicate from anything: its replicas cannot move up");
        return Err(Refusal::new("source-is-topmost", message));
    }
    let replicas = matching_replicas(snapshot, of, None, pattern)?;
    several("match-up-replicas", snapshot, of, &source.replication.source, &replicas, settings)
}

/// Makes the best replica of a server the source of the others. With one replica there is nothing to move.
///
/// # Errors
/// As [`plan_match_replicas`], `no-replicas`, or `no-candidate` with the reason for each.
pub fn plan_regroup_pseudo_gtid(
    snapshot: &Snapshot,
    source: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    regroup("regroup-replicas-pgtid", snapshot, source, settings)
}

/// The same under the name of an operation that chose this way.
pub(super) fn regroup(
    operation: &'static str,
    snapshot: &Snapshot,
    source: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let replicas = matching_replicas(snapshot, source, None, "")?;
    let best = match replicas.as_slice() {
        [] => return Err(Refusal::new("no-replicas", format!("{source} has no replicas"))),
        [only] => only.key.clone(),
        _ => best_of(snapshot, source, settings)?,
    };
    let others: Vec<&Arc<Instance>> = replicas.into_iter().filter(|r| r.key != best).collect();
    let mut plan = several(operation, snapshot, source, &best, &others, settings)?;
    plan.title = format!("Regroup the replicas of {source} below {best}, by pseudo-GTID");
    Ok(plan)
}

fn set_up(settings: &PlanSettings) -> Result<(), Refusal> {
    if settings.pseudo_gtid {
        return Ok(());
    }
    let message = "PseudoGTIDPattern is empty and AutoPseudoGTID is off, so it is not known what an entry looks like";
    Err(Refusal::new("pseudo-gtid-not-set-up", message))
}

fn one(
    operation: &'static str,
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    set_up(settings)?;
    let relocation = can_match(snapshot, server, below, &settings.rules)?;
    let replica = known(snapshot, server)?;
    let title = format!("Move {server} from {} to below {below}, by pseudo-GTID", replica.replication.source);
    let batch = Batch { operation, title, cluster: replica.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, vec![(Arc::clone(replica), relocation)], vec![], settings))
}

fn several(
    operation: &'static str,
    snapshot: &Snapshot,
    of: &InstanceKey,
    below: &InstanceKey,
    replicas: &[&Arc<Instance>],
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    set_up(settings)?;
    let (source, target) = (known(snapshot, of)?, known(snapshot, below)?);
    if let Some(above) = replicas.iter().find(|r| is_below(snapshot, target, &r.key)) {
        return Err(Refusal::new("below-itself", format!("{below} is itself below {}, which would move", above.key)));
    }
    let (moving, left_out) = sort_out(replicas, |replica| can_match(snapshot, &replica.key, below, &settings.rules))?;
    let title = match moving.len() {
        0 => format!("{of} has no matching replicas: nothing to do"),
        n => format!("Move {n} replicas of {of} to below {below}, by pseudo-GTID"),
    };
    let batch = Batch { operation, title, cluster: source.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, moving, left_out, settings))
}
