//! The death of a server, imagined; and the recovery machine, asked what it would do about it.

use std::sync::Arc;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::plan::{Action, Step, StepState};
use app::readiness::Obstacle;
use app::recovery::Considered;
use app::topology::status::is_check_valid;
use app::topology::{Check, Instance, Replication, Snapshot, ThreadState};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Scene, plain_obstacle};
use crate::recovery::{Decision, Machine, StepOutcome};

/// A machine reads everybody once or twice before it changes anything. One that still reads after so many rounds has not
/// decided on facts like these.
const ROUNDS: usize = 8;

/// "Cannot connect": what the receiver of a dead server's replica reports.
const CANNOT_CONNECT: u32 = 2003;

/// The picture with `key` dead from now on, and noticed by every replica that can be read.
pub(super) fn world_without(world: &Snapshot, key: &InstanceKey, scene: &Scene<'_>) -> Snapshot {
    let mut without = without_hanging(world, scene);
    for instance in Arc::make_mut(&mut without.instances).values_mut() {
        if instance.key == *key {
            die(&mut Arc::make_mut(instance).check, "taken for dead", scene.now);
        } else if instance.check.is_valid() && receives_from(instance, key) {
            let replica = Arc::make_mut(instance);
            (replica.check.last_seen, replica.check.last_checked) = (Some(scene.now), Some(scene.now));
            let channels = std::iter::once(&mut replica.replication).chain(&mut replica.channels);
            channels.filter(|channel| channel.source == *key).for_each(lose);
        }
    }
    without
}

/// The picture with every server unreachable that has not answered for too long.
pub(super) fn without_hanging(world: &Snapshot, scene: &Scene<'_>) -> Snapshot {
    let mut instances = (*world.instances).clone();
    for instance in instances.values_mut() {
        let is_valid = is_check_valid(&instance.check, &scene.analysis.thresholds, scene.now);
        if instance.check.is_valid() && !is_valid {
            die(&mut Arc::make_mut(instance).check, "the probe hangs", scene.now);
        }
    }
    Snapshot { instances: Arc::new(instances), ..world.clone() }
}

fn die(check: &mut Check, why: &str, now: DateTime<Utc>) {
    check.last_seen = check.last_seen.map(|seen| seen.min(now - TimeDelta::milliseconds(1)));
    (check.last_checked, check.last_attempted) = (Some(now), Some(now));
    check.partial_success = false;
    if check.error.is_empty() {
        why.clone_into(&mut check.error);
    }
}

fn receives_from(instance: &Instance, key: &InstanceKey) -> bool {
    std::iter::once(&instance.replication).chain(&instance.channels).any(|channel| channel.source == *key)
}

/// The receiver loses its source. One that somebody stopped notices nothing.
fn lose(channel: &mut Replication) {
    if channel.receiver == ThreadState::Running {
        channel.receiver = ThreadState::Other;
        channel.receiver_errno = CANNOT_CONNECT;
        channel.receiver_error = format!("cannot connect to {}", channel.source);
        channel.heartbeat_age_ms = None;
    }
}

/// What the machine would do.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    /// Whom it considered, best first.
    pub considered: Vec<Considered>,
    /// Why it would end without a successor.
    pub refusal: Option<Obstacle>,
}

/// Begins the recovery and answers its questions from the picture, up to its first change.
pub(super) fn rehearse(finding: &Finding, world: &Snapshot, scene: &Scene<'_>) -> Rehearsal {
    let (mut machine, mut decision) = Machine::begin(finding, world, scene.recovery, scene.now);
    for _ in 0..ROUNDS {
        match decision {
            Decision::Run { steps } if steps.iter().all(|step| step.action == Action::Refresh) => {
                let outcomes = steps.iter().map(|step| answer(step, finding, world)).collect();
                decision = machine.advance(outcomes, scene.now);
            }
            Decision::Abort { reason } => {
                let refusal = plain_obstacle(&reason.code, reason.message.clone());
                return Rehearsal { considered: reason.considered.clone(), refusal: Some(refusal) };
            }
            // Its first change, or nothing left to change.
            Decision::Run { .. } | Decision::Finish { .. } => break,
        }
    }
    Rehearsal { considered: machine.considered().to_vec(), refusal: None }
}

/// A read, answered from the picture. The dead server does not answer, unless it is only its replicas that cannot reach it.
fn answer(step: &Step, finding: &Finding, world: &Snapshot) -> StepOutcome {
    let may_answer = finding.code == AnalysisCode::AllIntermediateSourceReplicasFailingToConnectOrDead;
    let known = world.get(&step.server).filter(|_| step.server != finding.key || may_answer);
    let fresh = known.filter(|i| i.check.is_valid());
    let error = || match world.get(&step.server) {
        Some(i) if !i.check.error.is_empty() => i.check.error.clone(),
        _ => "it does not answer".to_owned(),
    };
    StepOutcome {
        id: step.id,
        state: if fresh.is_some() { StepState::Done } else { StepState::Failed { error: error() } },
        errno: None,
        fresh: fresh.map(|i| i.as_ref().clone()),
    }
}
