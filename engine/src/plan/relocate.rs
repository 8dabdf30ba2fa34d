//! Moving replicas to another source (`spec/refactoring.md` 6.1, 6.3, 7, 11, 12).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::plan::{Action, Condition, LeftOut, Move, Plan, Positioning, Refusal};
use app::rules::{Relocation, Technique, can_be_moved, can_relocate, can_replicate_from, log_of};
use app::topology::graph::is_below;
use app::topology::{Instance, Snapshot};
use regex::Regex;

use super::fingerprint::fingerprint;
use super::steps::{MOVE_PHASES, StepList, move_replica};
use super::{PlanSettings, known, position};

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
    relocate(snapshot, "relocate", server, below, By::Any, settings)
}

/// Moves a replica to where its place is recorded as the same moment (`spec/refactoring.md` 6.4), whatever else could be done.
///
/// # Errors
/// `no-equivalence` when nothing is recorded of where it stands, and the rules of [`plan_relocate`] but for those of its own ways.
pub fn plan_move_equivalent(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let (replica, source) = (known(snapshot, server)?, known(snapshot, below)?);
    can_be_moved(snapshot, replica, &settings.rules)?;
    let channel = &replica.replication;
    let recorded = snapshot.annotations.equivalences.on(&channel.source, &channel.exec, below);
    let Some(at) = recorded.filter(|_| server != below) else {
        let message = format!(
            "no place on {below} is recorded for {} of {}, where {server} stands",
            channel.exec, channel.source
        );
        return Err(Refusal::new("no-equivalence", message));
    };
    if channel.uses_gtid() {
        return relocate(snapshot, "move-equivalent", server, below, By::Gtid, settings);
    }
    let allowed = can_replicate_from(replica, source, &settings.rules)?;
    let relocation = Relocation {
        technique: Technique::Equivalent,
        positioning: Positioning::Coordinates { at: at.clone() },
        already_there: channel.source == *below,
        checks: allowed.checks,
        warnings: allowed.warnings,
    };
    let title = format!("Move {server} from {} to below {below}, at {at}", channel.source);
    let batch = Batch { operation: "move-equivalent", title, cluster: replica.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, vec![(Arc::clone(replica), relocation)], vec![], settings))
}

/// Moves a server below another one by GTID or not at all.
///
/// # Errors
/// As [`plan_relocate`], and `needs-gtid`.
pub fn plan_move_gtid(
    snapshot: &Snapshot,
    server: &InstanceKey,
    below: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    relocate(snapshot, "move-gtid", server, below, By::Gtid, settings)
}

/// Makes a server a sibling of its source.
///
/// # Errors
/// As [`plan_relocate`], and `source-is-topmost`.
pub fn plan_move_up(snapshot: &Snapshot, server: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let above = source_above(snapshot, server)?;
    relocate(snapshot, "move-up", server, &above, By::Any, settings)
}

/// Moves a server below its sibling.
///
/// # Errors
/// As [`plan_relocate`], and `not-siblings`.
pub fn plan_move_below(
    snapshot: &Snapshot,
    server: &InstanceKey,
    sibling: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let (one, other) = (known(snapshot, server)?, known(snapshot, sibling)?);
    let siblings = one.is_replica()
        && other.is_replica()
        && server != sibling
        && one.replication.source == other.replication.source;
    if !siblings {
        return Err(Refusal::new("not-siblings", format!("{server} and {sibling} do not replicate from one source")));
    }
    relocate(snapshot, "move-below", server, sibling, By::Any, settings)
}

/// The source of a server's source.
pub(super) fn source_above(snapshot: &Snapshot, server: &InstanceKey) -> Result<InstanceKey, Refusal> {
    let replica = known(snapshot, server)?;
    if !replica.is_replica() {
        return Err(Refusal::new("not-a-replica", format!("{server} does not replicate from anything")));
    }
    let source = known(snapshot, &replica.replication.source)?;
    if !source.is_replica() {
        let message = format!("{}, the source of {server}, does not replicate from anything", source.key);
        return Err(Refusal::new("source-is-topmost", message));
    }
    Ok(source.replication.source.clone())
}

/// Which techniques are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Any,
    Gtid,
}

impl By {
    /// Judges a move that the rules allow.
    fn admits(self, server: &InstanceKey, relocation: &Relocation) -> Result<(), Refusal> {
        let by_gtid = match relocation.technique {
            Technique::Gtid => true,
            Technique::InPlace => relocation.positioning != Positioning::Unchanged,
            _ => false,
        };
        if self == Self::Any || by_gtid {
            return Ok(());
        }
        Err(Refusal::new("needs-gtid", format!("{server} replicates by file and position, not by GTID")))
    }
}

fn relocate(
    snapshot: &Snapshot,
    operation: &'static str,
    server: &InstanceKey,
    below: &InstanceKey,
    by: By,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let relocation = can_relocate(snapshot, server, below, &settings.rules)?;
    by.admits(server, &relocation)?;
    let replica = known(snapshot, server)?;
    if !replica.is_replica() {
        let title = format!("Make {server}, which was replaced, a replica of {below}");
        let batch = Batch { operation, title, cluster: replica.cluster_name.clone() };
        let list = rejoin(snapshot, replica, below, &relocation.positioning, settings);
        return Ok(batch.finish(snapshot, below, list, &[(Arc::clone(replica), relocation)], vec![], vec![]));
    }
    if relocation.technique == Technique::ThroughItsSource {
        return through_its_source(snapshot, operation, replica, known(snapshot, below)?, relocation, settings);
    }
    let title = if relocation.already_there {
        format!("{server} already replicates from {below}: nothing to do")
    } else {
        format!("Move {server} from {} to below {below}", replica.replication.source)
    };
    let batch = Batch { operation, title, cluster: replica.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, vec![(Arc::clone(replica), relocation)], vec![], settings))
}

/// Adds what makes a read-only server that replicates from nobody a replica, with the options of those that replicate there.
fn rejoin<'a>(
    snapshot: &Snapshot,
    old: &Instance,
    below: &InstanceKey,
    positioning: &Positioning,
    settings: &'a PlanSettings,
) -> StepList<'a> {
    let mut list = StepList::new(1, &settings.timeouts);
    let sibling = snapshot.replicas_of(below).find(|r| r.replication.source == *below && r.key != old.key);
    let mut options = sibling.map(|s| s.replication.clone()).unwrap_or_default();
    (options.delay, options.channel) = (0, old.replication.channel.clone());
    if old.semi_sync.source_enabled {
        list.push(old, 1, Action::SetSemiSyncSource { on: false }, "a replica waits for nobody").undo =
            vec![Action::SetSemiSyncSource { on: true }];
    }
    let acknowledge = sibling.is_some_and(|s| s.semi_sync.replica_enabled);
    if acknowledge && old.semi_sync.available && !old.semi_sync.replica_enabled {
        list.push(old, 1, Action::SetSemiSyncReplica { on: true }, "it acknowledges, as the others do").undo =
            vec![Action::SetSemiSyncReplica { on: false }];
    }
    let action = Action::ChangeSource { to: below.clone(), positioning: positioning.clone() };
    let step = list.push_with(old, &options, 2, action, format!("from now on it replicates from {below}"));
    step.before = vec![Condition::SourceIs { source: InstanceKey::default() }, Condition::ReadOnly { on: true }];
    step.undo = vec![Action::ResetReplication];
    list.push(old, 3, Action::StartReplication, format!("it follows {below}")).undo = vec![Action::StopReplication];
    let expect = vec![
        Condition::SourceIs { source: below.clone() },
        Condition::ReceiverRunning { running: true },
        Condition::ApplierRunning { running: true },
        Condition::ReadOnly { on: true },
    ];
    list.push(old, 4, Action::Verify { expect }, "what was done is read back");
    list
}

/// Two moves after each other: below the server whose log the binlog server passes on, then below the binlog server itself.
fn through_its_source(
    snapshot: &Snapshot,
    operation: &'static str,
    replica: &Arc<Instance>,
    target: &Instance,
    relocation: Relocation,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let way = log_of(snapshot, &target.key).unwrap_or(&target.key);
    let first = can_relocate(snapshot, &replica.key, way, &settings.rules)?;
    if first.technique == Technique::ThroughItsSource {
        let message = format!("{} gets the log of {way} from a ring of binlog servers", target.key);
        return Err(Refusal::new("other-log", message));
    }
    let title = format!("Move {} by way of {way} to below {}", replica.key, target.key);
    let batch = Batch { operation, title, cluster: replica.cluster_name.clone() };
    let mut list = StepList::new(1, &settings.timeouts);
    add_move(&mut list, snapshot, way, replica, &first, 1);
    let arrived = list.last_id();
    let from = list.len();
    let mut there = Instance::clone(replica);
    there.replication.source = way.clone();
    position::same_log(&mut list, &there, target, 1 + MOVE_PHASES);
    list.needs(from, &[arrived]);
    let (mut checks, mut warnings) = (first.checks, first.warnings);
    checks.extend(relocation.checks);
    extend_new(&mut warnings, &relocation.warnings);
    let moved = Relocation { checks, warnings: vec![], ..relocation };
    Ok(batch.finish(snapshot, &target.key, list, &[(Arc::clone(replica), moved)], warnings, vec![]))
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
    let replicas = matching_replicas(snapshot, from, Some(below), pattern)?;
    relocate_all(snapshot, "relocate-replicas", from, below, &replicas, By::Any, settings)
}

/// The same by GTID or not at all.
///
/// # Errors
/// As [`plan_relocate_replicas`].
pub fn plan_move_replicas_gtid(
    snapshot: &Snapshot,
    from: &InstanceKey,
    below: &InstanceKey,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let replicas = matching_replicas(snapshot, from, Some(below), pattern)?;
    relocate_all(snapshot, "move-replicas-gtid", from, below, &replicas, By::Gtid, settings)
}

/// Moves the siblings of a replica below it.
///
/// # Errors
/// As [`plan_relocate_replicas`], and `not-a-replica`.
pub fn plan_take_siblings(snapshot: &Snapshot, server: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let replica = known(snapshot, server)?;
    if !replica.is_replica() {
        return Err(Refusal::new("not-a-replica", format!("{server} does not replicate from anything")));
    }
    let source = &replica.replication.source;
    known(snapshot, source)?;
    let siblings = matching_replicas(snapshot, source, Some(server), "")?;
    relocate_all(snapshot, "take-siblings", source, server, &siblings, By::Any, settings)
}

/// Makes the replicas of a server its siblings: by GTID each for itself, without it all together, while the server stands still.
///
/// # Errors
/// `source-is-topmost`, `bad-pattern`, or the rule that forbids the first, when none is left.
pub fn plan_move_up_replicas(
    snapshot: &Snapshot,
    server: &InstanceKey,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let above = known(snapshot, server)?;
    if !above.is_replica() {
        let message = format!("{server} does not replicate from anything: its replicas cannot move up");
        return Err(Refusal::new("source-is-topmost", message));
    }
    let to = above.replication.source.clone();
    let replicas = matching_replicas(snapshot, server, None, pattern)?;
    let by_itself = |r: &&Arc<Instance>| r.replication.uses_gtid() || (r.uses_pseudo_gtid && above.uses_pseudo_gtid);
    let each_for_itself = above.is_binlog_server() || replicas.iter().any(by_itself);
    if each_for_itself || replicas.is_empty() {
        return relocate_all(snapshot, "move-up-replicas", server, &to, &replicas, By::Any, settings);
    }
    let (moving, left_out) = sort_out(&replicas, |replica| can_relocate(snapshot, &replica.key, &to, &settings.rules))?;
    let title = format!("Move {} replicas of {server} one level up, by file and position", moving.len());
    let batch = Batch { operation: "move-up-replicas", title, cluster: above.cluster_name.clone() };
    let mut list = StepList::new(1, &settings.timeouts);
    let (together, alone): (Vec<_>, Vec<_>) = moving.iter().partition(|(_, r)| r.technique == Technique::BesideSource);
    let together: Vec<&Instance> = together.iter().map(|(replica, _)| replica.as_ref()).collect();
    for (replica, relocation) in alone {
        add_move(&mut list, snapshot, &to, replica, relocation, 1);
    }
    if !together.is_empty() {
        position::beside_source(&mut list, Some(above), &together, settings.max_concurrent, 1);
    }
    Ok(batch.finish(snapshot, &to, list, &moving, vec![], left_out))
}

/// The direct replicas of a server whose `host:port` matches, in key order.
pub(super) fn matching_replicas<'a>(
    snapshot: &'a Snapshot,
    of: &'a InstanceKey,
    but: Option<&InstanceKey>,
    pattern: &str,
) -> Result<Vec<&'a Arc<Instance>>, Refusal> {
    let regex = Regex::new(pattern)
        .map_err(|error| Refusal::new("bad-pattern", format!("{pattern:?} is no regular expression: {error}")))?;
    known(snapshot, of)?;
    let direct = snapshot.replicas_of(of).filter(|r| r.replication.source == *of && Some(&r.key) != but);
    Ok(direct.filter(|r| regex.is_match(&r.key.to_string())).collect())
}

/// Moves several replicas of one server, by GTID or where their place is known: servers that others stand still for are moved one at a time.
pub(super) fn relocate_all(
    snapshot: &Snapshot,
    operation: &'static str,
    from: &InstanceKey,
    below: &InstanceKey,
    replicas: &[&Arc<Instance>],
    by: By,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let (source, target) = (known(snapshot, from)?, known(snapshot, below)?);
    if let Some(above) = replicas.iter().find(|r| is_below(snapshot, target, &r.key)) {
        return Err(Refusal::new("below-itself", format!("{below} is itself below {}, which would move", above.key)));
    }
    let (moving, left_out) = sort_out(replicas, |replica| {
        let relocation = can_relocate(snapshot, &replica.key, below, &settings.rules)?;
        // Whoever has to bring others to a standstill is moved by itself.
        let known = matches!(relocation.technique, Technique::SameLog | Technique::Equivalent | Technique::PseudoGtid);
        let alone = known && by == By::Any;
        if relocation.technique != Technique::InPlace && !alone {
            By::Gtid.admits(&replica.key, &relocation)?;
        }
        Ok(relocation)
    })?;
    let title = match moving.len() {
        0 => format!("{from} has no matching replicas: nothing to do"),
        n => format!("Move {n} of the {} replicas of {from} to below {below}", snapshot.replicas_of(from).count()),
    };
    let batch = Batch { operation, title, cluster: source.cluster_name.clone() };
    Ok(batch.plan(snapshot, below, moving, left_out, settings))
}

/// Replicas that move, each with how it does, and those that stay.
type SortedOut = (Vec<(Arc<Instance>, Relocation)>, Vec<LeftOut>);

/// Who of several may move, and why the others stay.
///
/// # Errors
/// The refusal of the first, when nobody may.
pub(super) fn sort_out(
    replicas: &[&Arc<Instance>],
    judge: impl Fn(&Instance) -> Result<Relocation, Refusal>,
) -> Result<SortedOut, Refusal> {
    let (mut moving, mut staying): (Vec<_>, Vec<LeftOut>) = (vec![], vec![]);
    for replica in replicas {
        match judge(replica) {
            Ok(relocation) => moving.push((Arc::clone(replica), relocation)),
            Err(refusal) => staying.push(LeftOut { server: replica.key.clone(), refusal }),
        }
    }
    match staying.first() {
        Some(first) if moving.is_empty() => Err(first.refusal.clone()),
        _ => Ok((moving, staying)),
    }
}

/// The steps of one move.
fn add_move(
    list: &mut StepList<'_>,
    snapshot: &Snapshot,
    below: &InstanceKey,
    replica: &Arc<Instance>,
    relocation: &Relocation,
    phase: u32,
) {
    match relocation.technique {
        Technique::InPlace | Technique::Gtid | Technique::PseudoGtid => {
            move_replica(list, replica, below, &relocation.positioning, phase, true);
        }
        Technique::BelowSibling => {
            position::below_sibling(list, replica, snapshot.get(below).map(AsRef::as_ref), phase);
        }
        Technique::Equivalent => {
            position::recorded(list, replica, below, &relocation.positioning, phase);
        }
        Technique::SameLog | Technique::ThroughItsSource => {
            if let Some(source) = snapshot.get(below) {
                position::same_log(list, replica, source, phase);
            }
        }
        Technique::BesideSource => {
            let above = snapshot.get(&replica.replication.source).map(AsRef::as_ref);
            position::beside_source(list, above, &[replica], 1, phase);
        }
    }
}

/// Several moves to one place.
pub(super) struct Batch {
    pub operation: &'static str,
    pub title: String,
    pub cluster: String,
}

impl Batch {
    pub fn plan(
        self,
        snapshot: &Snapshot,
        below: &InstanceKey,
        moving: Vec<(Arc<Instance>, Relocation)>,
        left_out: Vec<LeftOut>,
        settings: &PlanSettings,
    ) -> Plan {
        let mut warnings = vec![];
        let mut list = StepList::new(1, &settings.timeouts);
        let wave = settings.max_concurrent.max(1);
        let going = moving.iter().filter(|(_, relocation)| !relocation.already_there);
        for (n, (replica, relocation)) in going.enumerate() {
            let phase = u32::try_from(n / wave).unwrap_or(u32::MAX / MOVE_PHASES - 1) * MOVE_PHASES + 1;
            add_move(&mut list, snapshot, below, replica, relocation, phase);
            warn(replica, &mut warnings);
        }
        self.finish(snapshot, below, list, &moving, warnings, left_out)
    }

    /// The plan of these steps.
    fn finish(
        self,
        snapshot: &Snapshot,
        below: &InstanceKey,
        list: StepList<'_>,
        moving: &[(Arc<Instance>, Relocation)],
        more_warnings: Vec<String>,
        left_out: Vec<LeftOut>,
    ) -> Plan {
        let stays = |left: &LeftOut| format!("{} stays where it is: {}", left.server, left.refusal);
        let mut warnings: Vec<String> = left_out.iter().map(stays).collect();
        warnings.extend(more_warnings);
        let going = moving.iter().filter(|(_, relocation)| !relocation.already_there);
        let from_here = |(replica, _): &(Arc<Instance>, Relocation)| Move {
            server: replica.key.clone(),
            from: replica.replication.source.clone(),
            to: below.clone(),
        };
        let moves: Vec<Move> = going.map(from_here).collect();
        let mut checks: Vec<String> = vec![];
        for (_, relocation) in moving {
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
            left_out,
            fingerprint,
        }
    }
}

/// Numbers follow the order in which steps are run.
pub(super) fn renumbered(list: StepList<'_>) -> Vec<app::plan::Step> {
    let mut steps = list.finish();
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    let renamed: BTreeMap<u32, u32> = steps.iter().enumerate().map(|(n, step)| (step.id, number(n))).collect();
    for (n, step) in steps.iter_mut().enumerate() {
        step.id = number(n);
        for id in &mut step.needs {
            *id = renamed.get(id).copied().unwrap_or(*id);
        }
    }
    steps
}

/// The moved servers, their sources, the target and everything above it: that decides whether a move would make a ring.
pub(super) fn involved<'a>(
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
