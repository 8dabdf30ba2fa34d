//! Changing places with the source: taking it, a ring of two, and a local source (`spec/refactoring.md` 6.7, 6.9, 8.4).

use std::sync::Arc;

use app::InstanceKey;
use app::plan::{Action, Condition, LeftOut, Move, Place, Plan, Positioning, Refusal};
use app::rules::{
    Technique, can_be_aligned, can_be_moved, can_relocate, can_replicate_from, gtid_positioning, one_channel,
};
use app::topology::graph::is_group_secondary;
use app::topology::{Instance, Replication, Snapshot};

use super::fingerprint::fingerprint;
use super::position::{arrive, stand_still};
use super::relocate::{involved, matching_replicas, renumbered, source_above};
use super::steps::{MOVE_PHASES, StepList, Threads, move_replica, read_back, repoint};
use super::{PlanSettings, known};

/// Lets a replica and its source change places; other replicas of either stay where they are.
///
/// # Errors
/// `source-is-topmost` (that is a takeover), `co-source`, or the rule that forbids one of the two moves.
pub fn plan_take_source(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let above = source_above(snapshot, key)?;
    let replica = known(snapshot, key)?;
    let source = known(snapshot, &replica.replication.source)?;
    if source.is_co_source || above == *key {
        let message = format!("{} is one of two co-sources: it cannot change places", source.key);
        return Err(Refusal::new("co-source", message));
    }
    for server in [replica, source] {
        can_be_moved(snapshot, server, &settings.rules)?;
        one_channel(server)?;
        applies_what_it_reads(server)?;
    }
    let mut allowed = can_replicate_from(source, replica, &settings.rules)?;
    if let Some(above) = snapshot.get(&above) {
        allowed.checks.extend(can_replicate_from(replica, above, &settings.rules)?.checks);
    } else {
        allowed.warnings.push(format!("{above} is not a known server: {key} will replicate from it all the same"));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    match (replica.replication.uses_gtid(), source.replication.uses_gtid()) {
        (true, true) => take_by_gtid(&mut list, snapshot, replica, source, &above)?,
        (false, false) => {
            can_be_aligned(replica, &settings.rules)?;
            can_be_aligned(source, &settings.rules)?;
            take_by_position(&mut list, replica, source, &above);
        }
        _ => {
            let message = format!("one of {key} and {} replicates by GTID, the other does not", source.key);
            return Err(Refusal::new("needs-gtid", message));
        }
    }
    let moves = vec![
        Move { server: key.clone(), from: source.key.clone(), to: above.clone() },
        Move { server: source.key.clone(), from: above, to: key.clone() },
    ];
    let title = format!("Let {key} and {} change places", source.key);
    Ok(Parts { operation: "take-master", title, checks: allowed.checks, warnings: allowed.warnings, left_out: vec![] }
        .plan(snapshot, replica, list, moves))
}

fn take_by_gtid(
    list: &mut StepList<'_>,
    snapshot: &Snapshot,
    replica: &Instance,
    source: &Instance,
    above: &InstanceKey,
) -> Result<(), Refusal> {
    let upwards = match snapshot.get(above) {
        Some(above) => gtid_positioning(replica, above)?,
        None => gtid_positioning(replica, source)?,
    };
    let downwards = gtid_positioning(source, replica)?;
    stand_still(list, source, 1, "its replica shall get all that it has");
    let reason = format!("{} must have executed all that it has", replica.key);
    list.push(source, 2, Action::WaitForPeer { peer: replica.key.clone() }, reason);
    let caught_up = list.last_id();
    let from = list.len();
    move_replica(list, replica, above, &upwards, 3, true);
    list.needs(from, &[caught_up]);
    let arrived = list.last_id();
    let from = list.len();
    repoint(list, source, &replica.key, &downwards, 3 + MOVE_PHASES);
    arrive(list, source, &replica.key, 4 + MOVE_PHASES);
    list.needs(from, &[arrived]);
    Ok(())
}

fn take_by_position(list: &mut StepList<'_>, replica: &Instance, source: &Instance, above: &InstanceKey) {
    let stopped = stand_still(list, source, 1, "its replica shall stop at the same event");
    let from = list.len();
    stand_still(list, replica, 2, "it runs on only up to where its source stands");
    let until = Action::StartUntil { peer: source.key.clone(), place: Place::Own, exactly: true };
    list.push(replica, 3, until, format!("it has then executed all that {} has", source.key));
    let upwards = Positioning::At { peer: source.key.clone(), place: Place::Executed };
    let up = repoint(list, replica, above, &upwards, 4).id;
    list.needs(from, &[stopped]);
    let downwards = Positioning::At { peer: replica.key.clone(), place: Place::Own };
    let from = list.len();
    repoint(list, source, &replica.key, &downwards, 5);
    list.needs(from, &[up]);
    // The replica stands still until its own log has been read.
    arrive(list, replica, above, 6);
    arrive(list, source, &replica.key, 7);
}

/// Lets the source of a replica replicate from it as well: a ring of two.
///
/// # Errors
/// `writeable`, `already-co-source`, `writeable-co-source`, `source-replicates`, or the rule that forbids replicating.
pub fn plan_make_co_source(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let replica = known(snapshot, key)?;
    can_be_moved(snapshot, replica, &settings.rules)?;
    can_be_aligned(replica, &settings.rules)?;
    let source = known(snapshot, &replica.replication.source)?;
    may_become_co_source(snapshot, replica, source)?;
    one_channel(source)?;
    applies_what_it_reads(source)?;
    let mut allowed = can_replicate_from(source, replica, &settings.rules)?;
    let options = options_for(source, replica);
    let positioning = ring_positioning(source, replica, &options)?;
    let mut list = StepList::new(1, &settings.timeouts);
    if source.is_replica() {
        stand_still(&mut list, source, 1, "a source is changed with both threads stopped");
    }
    let action = Action::ChangeSource { to: key.clone(), positioning };
    let reason = format!("from now on it replicates from {key} too");
    let step = list.push_with(source, &options, 2, action, reason);
    step.before = vec![Condition::SourceIs { source: present_source(source) }];
    step.undo = vec![match source.is_replica() {
        true => Action::ChangeSource { to: source.replication.source.clone(), positioning: Positioning::AsBefore },
        false => Action::ResetReplication,
    }];
    list.push(source, 3, Action::StartReplication, "it begins to replicate").undo = vec![Action::StopReplication];
    let mut expect = vec![Condition::SourceIs { source: key.clone() }];
    expect.extend(Threads { receiver: true, applier: true }.conditions());
    read_back(&mut list, source, 4, expect);
    allowed
        .warnings
        .push(format!("{} and {key} then replicate from each other: keep one of them read-only", source.key));
    let moves = vec![Move { server: source.key.clone(), from: present_source(source), to: key.clone() }];
    let title = format!("Let {} replicate from its replica {key}", source.key);
    Ok(Parts {
        operation: "make-co-master",
        title,
        checks: allowed.checks,
        warnings: allowed.warnings,
        left_out: vec![],
    }
    .plan(snapshot, replica, list, moves))
}

fn may_become_co_source(snapshot: &Snapshot, replica: &Instance, source: &Instance) -> Result<(), Refusal> {
    let refuse = |rule, message| Err(Refusal::new(rule, message));
    if is_group_secondary(source) {
        let message = format!("{} is a secondary of group {} and follows its primary", source.key, source.group.name);
        return refuse("group-secondary", message);
    }
    if source.replication.source == replica.key && source.is_replica() {
        return refuse("already-co-source", format!("{} replicates from {} already", source.key, replica.key));
    }
    if !replica.read_only {
        return refuse("writeable", format!("{} is writeable: two writeable co-sources would differ", replica.key));
    }
    if !source.check.is_valid() {
        let message = format!("{} could not be read when last tried: {}", source.key, source.check.error);
        return refuse("last-check-invalid", message);
    }
    if !source.is_replica() {
        return Ok(());
    }
    match snapshot.get(&source.replication.source) {
        Some(other) if source.is_co_source && other.check.is_valid() && !other.read_only => {
            refuse("writeable-co-source", format!("{} has a writeable co-source already: {}", source.key, other.key))
        }
        Some(other) if !source.is_co_source => {
            refuse("source-replicates", format!("{} replicates from {}", source.key, other.key))
        }
        _ => Ok(()),
    }
}

/// A binlog server passes a log on and has none of its own, so it has nobody's place to take.
fn applies_what_it_reads(server: &Instance) -> Result<(), Refusal> {
    if server.is_binlog_server() {
        return Err(Refusal::new("binlog-server", format!("{} is a binlog server, which applies nothing", server.key)));
    }
    Ok(())
}

/// The source of a server; null when it has none.
fn present_source(server: &Instance) -> InstanceKey {
    if server.is_replica() { server.replication.source.clone() } else { InstanceKey::default() }
}

/// A former primary has no replication options: it gets those of its replica, but no delay.
fn options_for(source: &Instance, replica: &Instance) -> Replication {
    if source.is_replica() {
        return source.replication.clone();
    }
    Replication { delay: 0, has_credentials: source.replication.has_credentials, ..replica.replication.clone() }
}

fn ring_positioning(source: &Instance, replica: &Instance, options: &Replication) -> Result<Positioning, Refusal> {
    if !replica.replication.uses_gtid() {
        return Ok(Positioning::At { peer: replica.key.clone(), place: Place::Own });
    }
    // It is judged as the replica that it becomes.
    let view = Instance { replication: options.clone(), ..source.clone() };
    Ok(match gtid_positioning(&view, replica)? {
        // What it wrote itself is not in gtid_slave_pos.
        Positioning::MariaDbGtid { .. } => Positioning::MariaDbGtid { using: "current_pos".to_owned() },
        other => other,
    })
}

/// Moves a replica one level up and its siblings below it, by GTID.
///
/// # Errors
/// `source-is-topmost`, `needs-gtid`, or the rule that forbids the replica's own move.
pub fn plan_make_local_source(
    snapshot: &Snapshot,
    key: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let above = source_above(snapshot, key)?;
    let replica = known(snapshot, key)?;
    let source = &replica.replication.source;
    let relocation = can_relocate(snapshot, key, &above, &settings.rules)?;
    if relocation.technique != Technique::Gtid {
        return Err(Refusal::new("needs-gtid", format!("{key} replicates by file and position, not by GTID")));
    }
    let (mut checks, mut warnings) = (relocation.checks, relocation.warnings);
    let mut list = StepList::new(1, &settings.timeouts);
    move_replica(&mut list, replica, &above, &relocation.positioning, 1, true);
    let arrived = list.last_id();
    let mut moves = vec![Move { server: key.clone(), from: source.clone(), to: above.clone() }];
    let (from, mut left_out) = (list.len(), vec![]);
    for sibling in matching_replicas(snapshot, source, Some(key), "")? {
        match judge_sibling(sibling, replica, settings) {
            Ok((positioning, more)) => {
                let wave = u32::try_from((moves.len() - 1) / settings.max_concurrent.max(1)).unwrap_or(0) + 1;
                move_replica(&mut list, sibling, key, &positioning, 1 + wave * MOVE_PHASES, true);
                moves.push(Move { server: sibling.key.clone(), from: source.clone(), to: key.clone() });
                checks.extend(more);
            }
            Err(refusal) => {
                warnings.push(format!("{} stays where it is: {refusal}", sibling.key));
                left_out.push(LeftOut { server: sibling.key.clone(), refusal });
            }
        }
    }
    list.needs(from, &[arrived]);
    let title = format!("Move {key} below {above} and {} of its siblings below it", moves.len() - 1);
    Ok(Parts { operation: "make-local-master", title, checks, warnings, left_out }.plan(snapshot, replica, list, moves))
}

fn judge_sibling(
    sibling: &Arc<Instance>,
    below: &Instance,
    settings: &PlanSettings,
) -> Result<(Positioning, Vec<String>), Refusal> {
    if !sibling.check.is_valid() {
        return Err(Refusal::new("last-check-invalid", format!("{} could not be read when last tried", sibling.key)));
    }
    let allowed = can_replicate_from(sibling, below, &settings.rules)?;
    Ok((gtid_positioning(sibling, below)?, allowed.checks))
}

/// What a plan tells beside its steps.
struct Parts {
    operation: &'static str,
    title: String,
    checks: Vec<String>,
    warnings: Vec<String>,
    left_out: Vec<LeftOut>,
}

impl Parts {
    fn plan(mut self, snapshot: &Snapshot, about: &Instance, list: StepList<'_>, moves: Vec<Move>) -> Plan {
        let mut told = std::collections::BTreeSet::new();
        self.checks.retain(|check| told.insert(check.clone()));
        let steps = renumbered(list);
        let looked_at = involved(snapshot, moves.iter().map(|m| &m.server), &about.key);
        let fingerprint = fingerprint(self.operation, &steps, &moves, looked_at.values().copied());
        Plan {
            operation: self.operation.to_owned(),
            title: self.title,
            cluster: about.cluster_name.clone(),
            steps,
            moves,
            checks: self.checks,
            warnings: self.warnings,
            left_out: self.left_out,
            fingerprint,
        }
    }
}
