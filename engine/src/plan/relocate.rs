//! Moving replicas by GTID (`spec/refactoring.md` 7, 11, 12).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::plan::{Move, Plan, Refusal};
use app::rules::{Relocation, can_relocate};
use app::topology::graph::is_below;
use app::topology::{Instance, Snapshot};
use regex::Regex;

use super::fingerprint::fingerprint;
use super::steps::{MOVE_PHASES, StepList, move_replica};
use super::{PlanSettings, known};

/// Moves a server, with everything below it, below another one. A server that is there already gives a plan without steps.
///
/// # Errors
/// The [`Refusal`] of the first rule that does not hold ([`app::rules::can_relocate`]).
pub fn plan_relocate(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let relocation = can_relocate(snapshot, server, below, &settings.rules)?;
    let replica = known(snapshot, server)?;
    let title = if relocation.already_there {
        format!("{server} already replicates from {below}: nothing to do")
    } else {
        format!("Move {server} from {} to below {below}", replica.replication.source)
    };
    let batch = Batch { operation: "relocate", title, cluster: replica.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, vec![(Arc::clone(replica), relocation)], vec![], settings))
}

/// Moves the direct replicas of `from` below another server, [`PlanSettings::max_concurrent`] at a time; only those whose `host:port`
/// matches `pattern`, all when it is empty. Replicas that may not move stay and are named in the warnings.
///
/// # Errors
/// `bad-pattern`, `below-itself` when the new source is below one of them, or, when none of them may move, the refusal of the first.
pub fn plan_relocate_replicas(
    snapshot: &Snapshot,
    from: &InstanceKey,
    below: &InstanceKey,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let regex = Regex::new(pattern)
        .map_err(|error| Refusal::new("bad-pattern", format!("{pattern:?} is no regular expression: {error}")))?;
    let (source, target) = (known(snapshot, from)?, known(snapshot, below)?);
    let replicas: Vec<&Arc<Instance>> = snapshot
        .replicas_of(from)
        .filter(|r| r.replication.source == *from && r.key != *below && regex.is_match(&r.key.to_string()))
        .collect();
    if let Some(above) = replicas.iter().find(|r| is_below(snapshot, target, &r.key)) {
        return Err(Refusal::new("below-itself", format!("{below} is itself below {}, which would move", above.key)));
    }
    let mut moving = vec![];
    let mut warnings = vec![];
    let mut first_refusal = None;
    for replica in &replicas {
        match can_relocate(snapshot, &replica.key, below, &settings.rules) {
            Ok(relocation) => moving.push((Arc::clone(replica), relocation)),
            Err(refusal) => {
                warnings.push(format!("{} stays where it is: {refusal}", replica.key));
                first_refusal = first_refusal.or(Some(refusal));
            }
        }
    }
    match first_refusal {
        Some(refusal) if moving.is_empty() => return Err(refusal),
        _ => {}
    }
    let title = match moving.len() {
        0 => format!("{from} has no matching replicas: nothing to do"),
        n => format!("Move {n} of the {} replicas of {from} to below {below}", replicas.len()),
    };
    let batch = Batch { operation: "relocate-replicas", title, cluster: source.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, moving, warnings, settings))
}

struct Batch {
    operation: &'static str,
    title: String,
    cluster: String,
}

impl Batch {
    fn plan(
        self,
        snapshot: &Snapshot,
        below: &InstanceKey,
        moving: Vec<(Arc<Instance>, Relocation)>,
        mut warnings: Vec<String>,
        settings: &PlanSettings,
    ) -> Plan {
        let mut list = StepList::new(1, &settings.timeouts);
        let mut moves = vec![];
        let mut checks: Vec<String> = vec![];
        let wave = settings.max_concurrent.max(1);
        let going = moving.iter().filter(|(_, relocation)| !relocation.already_there);
        for (n, (replica, relocation)) in going.enumerate() {
            let phase = u32::try_from(n / wave).unwrap_or(u32::MAX / MOVE_PHASES - 1) * MOVE_PHASES + 1;
            move_replica(&mut list, replica, below, &relocation.positioning, phase, true);
            moves.push(Move {
                server: replica.key.clone(),
                from: replica.replication.source.clone(),
                to: below.clone(),
            });
            warn(replica, &mut warnings);
        }
        for (_, relocation) in &moving {
            extend_new(&mut checks, &relocation.checks);
            extend_new(&mut warnings, &relocation.warnings);
        }
        let steps = renumbered(list);
        let looked_at = involved(snapshot, moving.iter().map(|(replica, _)| &replica.key), below);
        let fingerprint = fingerprint(self.operation, &steps, &moves, looked_at.values().copied());
        Plan {
            operation: self.operation.to_owned(),
            title: self.title,
            cluster: self.cluster,
            steps,
            moves,
            checks,
            warnings,
            fingerprint,
        }
    }
}

/// Numbers follow the order in which steps are run.
fn renumbered(list: StepList<'_>) -> Vec<app::plan::Step> {
    let mut steps = list.finish();
    for (n, step) in steps.iter_mut().enumerate() {
        step.id = u32::try_from(n + 1).unwrap_or(u32::MAX);
    }
    steps
}

/// The moved servers, their sources, the target and everything above it: that decides whether a move would make a ring.
fn involved<'a>(
    snapshot: &'a Snapshot,
    moved: impl Iterator<Item = &'a InstanceKey>,
    below: &'a InstanceKey,
) -> BTreeMap<&'a InstanceKey, &'a Instance> {
    let mut found: BTreeMap<&InstanceKey, &Instance> = BTreeMap::new();
    let mut next: Vec<&InstanceKey> = vec![below];
    for key in moved {
        if let Some(server) = snapshot.get(key) {
            found.insert(&server.key, server);
            next.push(&server.replication.source);
        }
    }
    while let Some(key) = next.pop() {
        if let Some(server) = snapshot.get(key)
            && found.insert(&server.key, server).is_none()
        {
            next.push(&server.replication.source);
        }
    }
    found
}

fn warn(replica: &Instance, warnings: &mut Vec<String>) {
    let channel = &replica.replication;
    if channel.delay > 0 {
        warnings.push(format!(
            "{} is delayed by {} s and is not drained: what it received is fetched again from the new source",
            replica.key, channel.delay
        ));
    } else if !channel.applier.is_running() {
        warnings.push(format!(
            "the applier of {} is stopped and stays so; what it received is fetched again from the new source",
            replica.key
        ));
    }
    if channel.threads_stopped() {
        warnings.push(format!("{} is stopped and stays stopped after the move", replica.key));
    }
}

fn extend_new(list: &mut Vec<String>, more: &[String]) {
    for text in more {
        if !list.contains(text) {
            list.push(text.clone());
        }
    }
}
