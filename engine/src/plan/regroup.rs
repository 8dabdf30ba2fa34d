//! Making the best replica of a server the source of the others (`spec/refactoring.md` 13), and repointing replicas
//! (6.5, 6.6, 6.12).

use std::sync::Arc;

use app::InstanceKey;
use app::plan::{Condition, LeftOut, Move, Place, Plan, Positioning, Refusal};
use app::rules::{can_be_moved, can_replicate_from, gtid_positioning, log_of, one_channel};
use app::topology::{Instance, Snapshot};

use super::fingerprint::fingerprint;
use super::position::{arrive, stand_still};
use super::relocate::{By, involved, matching_replicas, relocate_all, renumbered};
use super::steps::{MOVE_PHASES, Moving, StepList, move_to, repoint};
use super::{PlanSettings, known};
use crate::candidate::regroup_choice;

/// Makes the best replica the source of the others. With one replica there is nothing to move.
///
/// # Errors
/// `no-replicas`, `needs-gtid`, or `no-candidate` with the reason for each.
pub fn plan_regroup(
    snapshot: &Snapshot,
    source: &InstanceKey,
    gtid_only: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    known(snapshot, source)?;
    let replicas = matching_replicas(snapshot, source, None, "")?;
    let operation = if gtid_only { "regroup-replicas-gtid" } else { "regroup-replicas" };
    let best = match replicas.as_slice() {
        [] => return Err(Refusal::new("no-replicas", format!("{source} has no replicas"))),
        [only] => only.key.clone(),
        several if !gtid_only && several.iter().all(|r| r.is_binlog_server()) => {
            return plan_regroup_binlog_servers(snapshot, source, settings);
        }
        several => {
            if let Some(other) = several.iter().find(|r| !r.replication.uses_gtid()) {
                let message = format!("{} replicates by file and position; regrouping needs GTID on all", other.key);
                return Err(Refusal::new("needs-gtid", message));
            }
            best_of(snapshot, source, settings)?
        }
    };
    let others: Vec<&Arc<Instance>> = replicas.into_iter().filter(|r| r.key != best).collect();
    let by = if gtid_only { By::Gtid } else { By::Any };
    let mut plan = relocate_all(snapshot, operation, source, &best, &others, by, settings)?;
    plan.title = format!("Regroup the replicas of {source} below {best}");
    Ok(plan)
}

/// Makes the most advanced binlog server below a server the source of the other binlog servers there; with one there is nothing to move
/// (`spec/refactoring.md` 10).
///
/// # Errors
/// `no-binlog-servers` when none can be read.
pub fn plan_regroup_binlog_servers(
    snapshot: &Snapshot,
    source: &InstanceKey,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let mut relays = matching_replicas(snapshot, source, None, "")?;
    relays.retain(|r| r.is_binlog_server());
    let progress = |relay: &Instance| {
        let at = &relay.replication.exec;
        (at.file_number(), at.file.clone(), at.position)
    };
    let readable = relays.iter().filter(|r| r.check.is_valid());
    let best = readable.max_by_key(|r| (progress(r), std::cmp::Reverse(r.key.clone()))).map(|r| r.key.clone());
    let Some(best) = best else {
        let message = format!("no binlog server that can be read replicates from {source}");
        return Err(Refusal::new("no-binlog-servers", message));
    };
    relays.retain(|r| r.key != best);
    let mut plan = relocate_all(snapshot, "regroup-replicas-bls", source, &best, &relays, By::Any, settings)?;
    plan.title = format!("Regroup the binlog servers of {source} below {best}");
    Ok(plan)
}

fn best_of(snapshot: &Snapshot, source: &InstanceKey, settings: &PlanSettings) -> Result<InstanceKey, Refusal> {
    let choice = regroup_choice(snapshot, source, &settings.choice);
    choice.chosen.ok_or_else(|| {
        let reasons: Vec<String> = choice.considered.iter().map(|c| format!("{}: {}", c.key, c.reason)).collect();
        Refusal::new("no-candidate", format!("no replica of {source} can feed the others: {}", reasons.join("; ")))
    })
}

/// Points a replica at a source without changing its place in the log: its present source once more, or another name for the same log. A
/// source that cannot be reached is allowed.
///
/// # Errors
/// The rule that forbids it.
pub fn plan_repoint(
    snapshot: &Snapshot,
    key: &InstanceKey,
    below: Option<&InstanceKey>,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let replica = known(snapshot, key)?;
    let to = below.unwrap_or(&replica.replication.source);
    let title = format!("Point {key} at {to}");
    Several { operation: "repoint", title, positioning: None }.plan(snapshot, &[replica], |_| to.clone(), settings)
}

/// The same for the replicas of a server; without `below` each is pointed at the server itself.
///
/// # Errors
/// `bad-pattern`, or the rule that forbids the first, when none is left.
pub fn plan_repoint_replicas(
    snapshot: &Snapshot,
    of: &InstanceKey,
    below: Option<&InstanceKey>,
    pattern: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let to = below.unwrap_or(of);
    let replicas = matching_replicas(snapshot, of, Some(to), pattern)?;
    let title = format!("Point {} replicas of {of} at {to}", replicas.len());
    let several = Several { operation: "repoint-replicas", title, positioning: None };
    let mut plan = several.plan(snapshot, &replicas, |_| to.clone(), settings)?;
    if plan.cluster.is_empty() {
        plan.cluster.clone_from(&known(snapshot, of)?.cluster_name);
    }
    Ok(plan)
}

/// Lets a replica find its place by GTID from now on.
///
/// # Errors
/// `gtid-used-already`, or why its source and it cannot use GTID.
pub fn plan_enable_gtid(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let replica = a_replica(snapshot, key)?;
    if replica.replication.uses_gtid() {
        return Err(Refusal::new("gtid-used-already", format!("{key} replicates by GTID already")));
    }
    let source = known(snapshot, &replica.replication.source)?;
    let mut view = Instance::clone(replica);
    if replica.is_mariadb() {
        // One position for all channels: it would have to be that of this one.
        one_channel(replica)?;
        view.replication.mariadb_using_gtid = "slave_pos".to_owned();
    } else {
        view.replication.auto_position = true;
        if replica.gtid_mode != "ON" {
            let message = format!("gtid_mode of {key} is {:?}, expected ON", replica.gtid_mode);
            return Err(Refusal::new("gtid-incompatible", message));
        }
    }
    let positioning = gtid_positioning(&view, source)?;
    switch_gtid(snapshot, replica, positioning, true, settings)
}

/// Lets a replica find its place by file and position from now on.
///
/// # Errors
/// `gtid-not-used`.
pub fn plan_disable_gtid(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let replica = a_replica(snapshot, key)?;
    if !replica.replication.uses_gtid() {
        return Err(Refusal::new("gtid-not-used", format!("{key} replicates by file and position already")));
    }
    let positioning = Positioning::At { peer: key.clone(), place: Place::Executed };
    switch_gtid(snapshot, replica, positioning, false, settings)
}

fn switch_gtid(
    snapshot: &Snapshot,
    replica: &Arc<Instance>,
    positioning: Positioning,
    on: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let (operation, title) = if on {
        ("enable-gtid", format!("Let {} replicate by GTID", replica.key))
    } else {
        ("disable-gtid", format!("Let {} replicate by file and position", replica.key))
    };
    let source = replica.replication.source.clone();
    let several = Several { operation, title, positioning: Some((positioning, on)) };
    several.plan(snapshot, &[replica], |_| source.clone(), settings)
}

fn a_replica<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Arc<Instance>, Refusal> {
    let replica = known(snapshot, key)?;
    if replica.is_replica() {
        return Ok(replica);
    }
    Err(Refusal::new("not-a-replica", format!("{key} does not replicate from anything")))
}

/// Several replicas that are repointed without looking for their place.
struct Several {
    operation: &'static str,
    title: String,
    /// Another way to find the place, and whether it is by GTID.
    positioning: Option<(Positioning, bool)>,
}

impl Several {
    fn plan(
        self,
        snapshot: &Snapshot,
        replicas: &[&Arc<Instance>],
        to: impl Fn(&Instance) -> InstanceKey,
        settings: &PlanSettings,
    ) -> Result<Plan, Refusal> {
        let mut list = StepList::new(1, &settings.timeouts);
        let (mut moves, mut checks, mut warnings) = (vec![], vec![], vec![]);
        let mut left_out = vec![];
        for (n, replica) in replicas.iter().enumerate() {
            let to = to(replica);
            let phase = u32::try_from(n / settings.max_concurrent.max(1)).unwrap_or(0) * MOVE_PHASES + 1;
            match self.add(&mut list, snapshot, replica, &to, phase, settings) {
                Ok((more, warned)) => {
                    checks.extend(more);
                    warnings.extend(warned);
                    moves.push(Move { server: replica.key.clone(), from: replica.replication.source.clone(), to });
                }
                Err(refusal) => {
                    warnings.push(format!("{} is left as it is: {refusal}", replica.key));
                    left_out.push(LeftOut { server: replica.key.clone(), refusal });
                }
            }
        }
        if let (Some(first), true) = (left_out.first(), moves.is_empty()) {
            return Err(first.refusal.clone());
        }
        let steps = renumbered(list);
        let about = replicas.first().map(|r| r.key.clone()).unwrap_or_default();
        let looked_at = involved(snapshot, moves.iter().map(|m| &m.server), &about);
        let fingerprint = fingerprint(self.operation, &steps, &moves, looked_at.values().copied());
        Ok(Plan {
            operation: self.operation.to_owned(),
            title: self.title,
            cluster: replicas.first().map(|r| r.cluster_name.clone()).unwrap_or_default(),
            steps,
            moves,
            checks,
            warnings,
            left_out,
            fingerprint,
        })
    }

    fn add(
        &self,
        list: &mut StepList<'_>,
        snapshot: &Snapshot,
        replica: &Arc<Instance>,
        to: &InstanceKey,
        phase: u32,
        settings: &PlanSettings,
    ) -> Result<(Vec<String>, Vec<String>), Refusal> {
        can_be_moved(snapshot, replica, &settings.rules)?;
        let source = known(snapshot, to)?;
        let mut allowed = can_replicate_from(replica, source, &settings.rules)?;
        let elsewhere = replica.replication.source != *to;
        if elsewhere && replica.replication.uses_mariadb_gtid() {
            one_channel(replica)?;
        }
        if source.is_binlog_server() && replica.replication.exec > source.binlog {
            let message =
                format!("{} has executed {}, beyond {} of {to}", replica.key, replica.replication.exec, source.binlog);
            return Err(Refusal::new("ahead-of-binlog-server", message));
        }
        let own_place = Positioning::At { peer: replica.key.clone(), place: Place::Executed };
        let positioning = match &self.positioning {
            Some((given, _)) => given.clone(),
            None if replica.replication.uses_gtid() => gtid_positioning(replica, source)?,
            None => own_place,
        };
        let by_position = matches!(positioning, Positioning::At { .. });
        let one_log = log_of(snapshot, &replica.replication.source) == log_of(snapshot, to);
        if by_position && elsewhere && !one_log {
            allowed.warnings.push(format!(
                "{} keeps its coordinates {}: they must mean the same in the log of {to}",
                replica.key, replica.replication.exec
            ));
        }
        let reachable = source.check.is_valid();
        if !reachable {
            allowed
                .warnings
                .push(format!("{to} cannot be read at the moment; {} will try to connect to it", replica.key));
        }
        if by_position && !replica.replication.uses_gtid() {
            stand_still(list, replica, phase, "a source is changed with both threads stopped");
            repoint(list, replica, to, &positioning, phase + 1);
            if reachable {
                arrive(list, replica, to, phase + 2);
            } else {
                super::steps::go_on(list, replica, to, phase + 2);
                let expect = vec![Condition::SourceIs { source: to.clone() }];
                super::steps::read_back(list, replica, phase + 3, expect);
            }
        } else {
            let drain = true;
            move_to(list, &Moving { replica, to, positioning: &positioning, phase, drain, reachable });
        }
        if let Some((_, on)) = &self.positioning {
            let expect = vec![Condition::UsesGtid { on: *on }];
            super::steps::read_back(list, replica, phase + MOVE_PHASES - 1, expect);
        }
        Ok((allowed.checks, allowed.warnings))
    }
}
