//! Why a cluster did not fail over, and what would happen if one of its sources died now.
//!
//! Nothing is decided here a second time. The death is imagined in the picture (`rehearsal`); analysis says what it would
//! find, the policy what would hold a recovery back (`holds`), and the recovery machine itself, its questions answered from the
//! picture, whom it would choose. What would be lost is counted on the same picture (`loss`).

mod holds;
mod loss;
mod rehearsal;

use std::collections::{BTreeMap, BTreeSet};

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::readiness::{Forecast, HeldFinding, Loss, Obstacle, Readiness, SourcePlace, Verdict};
use app::recovery::{Considered, RecoveryKind};
use app::topology::status::is_check_valid;
use app::topology::{Instance, Snapshot};
use chrono::{DateTime, Utc};

use crate::analysis::{AnalysisSettings, analyse_cluster, analyse_server, sightings};
use crate::policy::{Hold, Policy, Situation, recovery_for};
use crate::recovery::RecoverySettings;

pub use holds::{holds, obstacle};
use rehearsal::{Rehearsal, rehearse, world_without};

/// All that the answer is made from.
pub struct Scene<'a> {
    /// Servers and annotations.
    pub snapshot: &'a Snapshot,
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Its alias; the name when it has none.
    pub alias: &'a str,
    /// Settings of analysis.
    pub analysis: &'a AnalysisSettings,
    /// Settings of recoveries.
    pub recovery: &'a RecoverySettings,
    /// When to hold back.
    pub policy: &'a Policy,
    /// The situation of a finding that has lasted since then.
    pub situation: &'a dyn Fn(&Finding, DateTime<Utc>) -> Situation<'a>,
    /// Since when problems have been seen without a break; empty when nobody watches.
    pub since: &'a BTreeMap<InstanceKey, DateTime<Utc>>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The readiness of a cluster; what happened lately is left to the caller.
pub fn readiness(scene: &Scene<'_>) -> Readiness {
    let world = cluster_alone(scene);
    Readiness {
        cluster: scene.cluster.to_owned(),
        alias: scene.alias.to_owned(),
        at: scene.now,
        forecasts: sources(&world).into_iter().map(|source| forecast(scene, &world, source)).collect(),
        problems: problems(scene, &world),
        events: vec![],
        events_missing: None,
    }
}

/// The picture of this cluster only: what it costs to imagine a death does not grow with the fleet.
fn cluster_alone(scene: &Scene<'_>) -> Snapshot {
    let servers = scene.snapshot.cluster(scene.cluster).map(|i| (i.key.clone(), i.clone()));
    Snapshot { instances: std::sync::Arc::new(servers.collect()), ..scene.snapshot.clone() }
}

/// Primaries, and everybody somebody replicates from, from the top down.
fn sources(world: &Snapshot) -> Vec<&Instance> {
    let fed: BTreeSet<&InstanceKey> = world.instances.values().map(|i| &i.replication.source).collect();
    let mut sources: Vec<&Instance> =
        world.instances.values().map(AsRef::as_ref).filter(|i| i.is_primary_role() || fed.contains(&i.key)).collect();
    sources.sort_by_key(|i| (!i.is_primary_role(), i.depth, &i.key));
    sources
}

fn problems(scene: &Scene<'_>, world: &Snapshot) -> Vec<HeldFinding> {
    let says_something = |f: &Finding| f.code != AnalysisCode::NoProblem || !f.structure.is_empty();
    let held = |finding: Finding| {
        let since = scene.since.get(&finding.key).copied();
        let held = match recovery_for(finding.code) {
            Some(_) => obstacles(scene, &finding, since),
            None => vec![],
        };
        HeldFinding { finding, since, held }
    };
    analyse_cluster(world, scene.cluster, scene.analysis, scene.now)
        .into_iter()
        .filter(says_something)
        .map(held)
        .collect()
}

fn obstacles(scene: &Scene<'_>, finding: &Finding, since: Option<DateTime<Utc>>) -> Vec<Obstacle> {
    let situation = (scene.situation)(finding, since.unwrap_or(scene.now));
    holds(finding, scene.policy, &situation).iter().map(|hold| obstacle(hold, finding)).collect()
}

/// What would happen, or happens, when `source` is dead.
fn forecast(scene: &Scene<'_>, world: &Snapshot, source: &Instance) -> Forecast {
    let key = &source.key;
    let found = analyse_server(world, key, scene.analysis, scene.now);
    let dead = found.as_ref().is_some_and(|f| recovery_for(f.code).is_some());
    // Whoever is found dead is so in the picture already; the same holds for replicas that have not noticed yet.
    let without = if dead { world.clone() } else { world_without(world, key, scene.analysis, scene.now) };
    let found = if dead { found } else { analyse_server(&without, key, scene.analysis, scene.now) };
    let place = if source.is_primary_role() { SourcePlace::Primary } else { SourcePlace::Intermediate };
    let evidence = sightings(world, key, scene.analysis, scene.now);
    let blank = Forecast {
        server: key.clone(),
        place,
        dead,
        code: found.as_ref().map_or(AnalysisCode::NoProblem, |f| f.code),
        verdict: Verdict::Unsupported,
        summary: String::new(),
        successor: None,
        obstacles: vec![],
        considered: vec![],
        loss: None,
        evidence,
    };
    let Some(finding) = found else { return held_in_maintenance(blank) };
    let Some(kind) = recovery_for(finding.code) else { return unsupported(blank, &finding) };
    let since = scene.since.get(key).copied().filter(|_| dead);
    let holds = {
        let situation = (scene.situation)(&finding, since.unwrap_or(scene.now));
        holds(&finding, scene.policy, &situation)
    };
    let Rehearsal { considered, refusal } = rehearse(&finding, &without, scene, scene.now);
    let successor = considered.iter().find(|c| c.chosen).map(|c| c.key.clone());
    let sends = still_sends(world, source, scene);
    let loss = (kind == RecoveryKind::Source)
        .then(|| loss::loss(&without, source, sends, successor.as_ref(), &scene.recovery.choice));
    let refusal = refusal.or_else(|| loss.as_ref().and_then(|(_, refusal)| refusal.clone()));
    let told = Told { holds: &holds, refusal: refusal.as_ref(), successor: successor.as_ref(), kind };
    Forecast {
        verdict: told.verdict(),
        summary: told.summary(&finding, &considered),
        obstacles: holds.iter().map(|hold| obstacle(hold, &finding)).chain(refusal.clone()).collect(),
        successor,
        considered,
        loss: loss.map(|(loss, _): (Loss, _)| loss),
        ..blank
    }
}

/// The source lives, and somebody receives from it: what is missing anywhere may be on its way.
fn still_sends(world: &Snapshot, source: &Instance, scene: &Scene<'_>) -> bool {
    let alive = is_check_valid(&source.check, &scene.analysis.thresholds, scene.now);
    let receives = |r: &Instance| {
        let channel = &r.replication;
        channel.source == source.key && channel.receiver.is_running() && r.check.is_valid()
    };
    alive && world.replicas_of(&source.key).any(|r| receives(r))
}

fn held_in_maintenance(blank: Forecast) -> Forecast {
    let reason = format!("{} is held in maintenance by an operation, so it is not analysed", blank.server);
    let obstacle = Obstacle { rule: "maintenance".to_owned(), reason, setting: None, recovery: None, until: None };
    Forecast { summary: obstacle.reason.clone(), obstacles: vec![obstacle], ..blank }
}

fn unsupported(blank: Forecast, finding: &Finding) -> Forecast {
    let obstacle = obstacle(&Hold::NotActionable, finding);
    let summary = format!("Nothing would act on it: {}.", obstacle.reason);
    Forecast { summary, obstacles: vec![obstacle], ..blank }
}

/// What came out, to be put into a verdict and words.
struct Told<'a> {
    holds: &'a [Hold],
    refusal: Option<&'a Obstacle>,
    successor: Option<&'a InstanceKey>,
    kind: RecoveryKind,
}

impl Told<'_> {
    /// The first hold that time alone does not lift within the bounds of a grace.
    fn hold(&self) -> Option<&Hold> {
        self.holds.iter().find(|hold| !matches!(hold, Hold::Grace { .. }))
    }

    fn verdict(&self) -> Verdict {
        match (self.refusal, self.hold()) {
            (Some(_), _) => Verdict::Refused,
            (None, Some(_)) => Verdict::Held,
            (None, None) => Verdict::Automatic,
        }
    }

    fn summary(&self, finding: &Finding, considered: &[Considered]) -> String {
        if let Some(refusal) = self.refusal {
            return format!("A recovery would end without a successor: {}.", refusal.reason);
        }
        let who = match (self.successor, self.kind) {
            (Some(successor), RecoveryKind::IntermediateSource) => {
                let places = considered.iter().filter(|c| c.rule == "takes-replicas").count();
                let more = if places > 1 { format!(" and {} more", places - 1) } else { String::new() };
                format!("{successor}{more} would take the replicas of {}", finding.key)
            }
            (Some(successor), _) => format!("{successor} would be promoted"),
            (None, _) => "A recovery would begin".to_owned(),
        };
        match (self.hold(), self.holds.first()) {
            (Some(hold), _) => format!("{who}, but not by itself: {}.", hold.reason()),
            (None, Some(grace)) => format!("{who}, by itself after a while ({}).", grace.reason()),
            (None, None) => format!("{who}, by itself and at once."),
        }
    }
}
