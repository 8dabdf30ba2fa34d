//! Operations on one server: threads, `read_only`, detaching (`spec/refactoring.md` 3, 4, 6.11).

use app::InstanceKey;
use app::plan::{Action, Condition, Plan, Refusal};
use app::topology::graph::is_group_secondary;
use app::topology::{Instance, PromotionRule, Snapshot};

use super::fingerprint::fingerprint;
use super::steps::{StepList, Threads};
use super::{PlanSettings, known};

/// Starts both threads. Semi-sync is prepared as `spec/refactoring.md` 4 says: a replica is no semi-sync source, and acknowledges
/// unless it must not be promoted.
///
/// # Errors
/// `unknown-server` or `not-a-replica`.
pub fn plan_start(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    start(&mut list, snapshot, server, 1);
    Ok(plan("start-replica", format!("Start replication on {key}"), server, list))
}

/// Stops both threads.
///
/// # Errors
/// `unknown-server` or `not-a-replica`.
pub fn plan_stop(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    stop(&mut list, server, 1);
    let expect = Threads { receiver: false, applier: false }.conditions();
    list.push(server, 2, Action::Verify { expect }, "what was done is read back");
    Ok(plan("stop-replica", format!("Stop replication on {key}"), server, list))
}

/// Stops, then starts both threads.
///
/// # Errors
/// `unknown-server` or `not-a-replica`.
pub fn plan_restart(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    stop(&mut list, server, 1);
    start(&mut list, snapshot, server, 2);
    Ok(plan("restart-replica", format!("Restart replication on {key}"), server, list))
}

/// Switches `read_only`, with `super_read_only` where `UseSuperReadOnly` says so, and the source side of semi-sync with it on servers
/// that take part in it.
///
/// # Errors
/// `unknown-server` or `group-secondary`.
pub fn plan_read_only(
    snapshot: &Snapshot,
    key: &InstanceKey,
    on: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = known(snapshot, key)?;
    if !on && is_group_secondary(server) {
        let message =
            format!("{key} is a secondary of group {}: its writes go by way of its primary", server.group.name);
        return Err(Refusal::new("group-secondary", message));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    let takes_part = server.semi_sync.priority > 0 && server.semi_sync.available;
    if takes_part && !on {
        let reason = "its writes shall be acknowledged from the first one on";
        list.push(server, 1, Action::SetSemiSyncSource { on: true }, reason).undo =
            vec![Action::SetSemiSyncSource { on: server.semi_sync.source_enabled }];
    }
    let action = Action::SetReadOnly { on, super_too: settings.use_super_read_only };
    let step = list.push(server, 2, action, if on { "no more writes by clients" } else { "clients may write" });
    step.before = vec![Condition::Reachable];
    step.undo = vec![Action::SetReadOnly {
        on: server.read_only,
        super_too: server.super_read_only.unwrap_or(settings.use_super_read_only),
    }];
    list.push(server, 3, Action::Verify { expect: vec![Condition::ReadOnly { on }] }, "what was done is read back");
    if takes_part && on {
        list.push(server, 4, Action::SetSemiSyncSource { on: false }, "a read-only server waits for nobody");
    }
    let (operation, title) = if on {
        ("set-read-only", format!("Make {key} read-only"))
    } else {
        ("set-writeable", format!("Make {key} writeable"))
    };
    let mut plan = plan(operation, title, server, list);
    if !on && server.is_replica() {
        plan.warnings.push(format!("{key} is a replica of {}: writes to it are errant", server.replication.source));
    }
    Ok(plan)
}

/// Breaks the source's name, so that replication cannot resume by itself.
///
/// # Errors
/// `unknown-server`, `not-a-replica` or `already-detached`.
pub fn plan_detach(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let source = &server.replication.source;
    if source.is_detached() {
        return Err(Refusal::new("already-detached", format!("{key} is detached already: its source is {source}")));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    stop(&mut list, server, 1);
    let step = list.push(server, 2, Action::DetachSource, "a broken name keeps it from resuming by itself");
    step.before = vec![Condition::SourceIs { source: source.clone() }];
    step.undo = vec![Action::ReattachSource];
    let expect = vec![Condition::SourceIs { source: source.detached() }];
    list.push(server, 3, Action::Verify { expect }, "what was done is read back");
    Ok(plan("detach-replica", format!("Detach {key} from {source}"), server, list))
}

/// Undoes [`plan_detach`] and starts replication.
///
/// # Errors
/// `unknown-server`, `not-a-replica` or `not-detached`.
pub fn plan_reattach(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let source = &server.replication.source;
    if !source.is_detached() {
        return Err(Refusal::new("not-detached", format!("{key} is not detached: its source is {source}")));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    stop(&mut list, server, 1);
    let step = list.push(server, 2, Action::ReattachSource, "the source gets its name back");
    step.before = vec![Condition::SourceIs { source: source.clone() }];
    step.undo = vec![Action::DetachSource];
    list.push(server, 3, Action::StartReplication, "replication goes on").undo = vec![Action::StopReplication];
    let mut expect = vec![Condition::SourceIs { source: source.reattached() }];
    expect.extend(Threads { receiver: true, applier: true }.conditions());
    list.push(server, 4, Action::Verify { expect }, "what was done is read back");
    Ok(plan("reattach-replica", format!("Reattach {key} to {}", source.reattached()), server, list))
}

pub(super) fn replica<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Instance, Refusal> {
    let server = known(snapshot, key)?;
    if server.is_replica() {
        return Ok(server);
    }
    Err(Refusal::new("not-a-replica", format!("{key} does not replicate from anything")))
}

pub(super) fn stop(list: &mut StepList<'_>, server: &Instance, phase: u32) {
    let step = list.push(server, phase, Action::StopReplication, "both threads stop");
    step.before = vec![Condition::Reachable];
    step.undo = Threads::of(&server.replication).start().into_iter().collect();
}

fn start(list: &mut StepList<'_>, snapshot: &Snapshot, server: &Instance, phase: u32) {
    let semi_sync = &server.semi_sync;
    if semi_sync.priority > 0 && semi_sync.available {
        if semi_sync.source_enabled {
            let reason = "a replica waits for nobody";
            list.push(server, phase, Action::SetSemiSyncSource { on: false }, reason).undo =
                vec![Action::SetSemiSyncSource { on: true }];
        }
        let on = snapshot.annotations.promotion_rule(&server.key) != PromotionRule::MustNot;
        if semi_sync.replica_enabled != on {
            let reason =
                if on { "it acknowledges writes" } else { "it must not be promoted, so it acknowledges nothing" };
            list.push(server, phase, Action::SetSemiSyncReplica { on }, reason).undo =
                vec![Action::SetSemiSyncReplica { on: !on }];
        }
    }
    let step = list.push(server, phase + 1, Action::StartReplication, "both threads start");
    step.before = vec![Condition::Reachable];
    step.undo = vec![Action::StopReplication];
    let expect = Threads { receiver: true, applier: true }.conditions();
    list.push(server, phase + 2, Action::Verify { expect }, "what was done is read back");
}

pub(super) fn plan(operation: &str, title: String, server: &Instance, list: StepList<'_>) -> Plan {
    let steps = list.finish();
    let fingerprint = fingerprint(operation, &steps, &[], [server]);
    Plan {
        operation: operation.to_owned(),
        title,
        cluster: server.cluster_name.clone(),
        steps,
        moves: vec![],
        checks: vec![],
        warnings: vec![],
        left_out: vec![],
        fingerprint,
    }
}
