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
use app::readiness::{Forecast, HeldFinding, Obstacle, Readiness, SourcePlace, Verdict};
use app::recovery::{Considered, RecoveryKind};
use app::topology::status::is_check_valid;
use app::topology::{Instance, Snapshot};
use chrono::{DateTime, Utc};

use crate::analysis::{AnalysisSettings, analyse_cluster, analyse_server, sightings};
use crate::policy::{Hold, Policy, Situation, recovery_for};
use crate::recovery::RecoverySettings;

pub use holds::{holds, obstacle};
use rehearsal::{Rehearsal, rehearse, without_hanging, world_without};

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
            Some(_) => as_obstacles(&held_back(scene, &finding, since), &finding),
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

fn held_back(scene: &Scene<'_>, finding: &Finding, since: Option<DateTime<Utc>>) -> Vec<Hold> {
    let situation = (scene.situation)(finding, since.unwrap_or(scene.now));
    holds(finding, scene.policy, &situation)
}

fn as_obstacles(holds: &[Hold], finding: &Finding) -> Vec<Obstacle> {
    holds.iter().map(|hold| obstacle(hold, finding)).collect()
}

/// What would happen, or happens, when `source` is dead.
fn forecast(scene: &Scene<'_>, world: &Snapshot, source: &Instance) -> Forecast {
    let key = &source.key;
    let found = analyse_server(world, key, scene.analysis, scene.now);
    let dead = found.as_ref().is_some_and(|f| recovery_for(f.code).is_some());
    let without = if dead { without_hanging(world, scene) } else { world_without(world, key, scene) };
    let found = if dead { found } else { analyse_server(&without, key, scene.analysis, scene.now) };
    let blank = Forecast {
        server: key.clone(),
        place: if source.is_primary_role() { SourcePlace::Primary } else { SourcePlace::Intermediate },
        dead,
        code: found.as_ref().map_or(AnalysisCode::NoProblem, |f| f.code),
        verdict: Verdict::Unsupported,
        summary: String::new(),
        successor: None,
        obstacles: vec![],
        considered: vec![],
        loss: None,
        evidence: sightings(world, key, scene.analysis, scene.now),
    };
    let Some(finding) = found else { return held_in_maintenance(blank) };
    let Some(kind) = recovery_for(finding.code) else { return unsupported(blank, &finding) };
    let holds = held_back(scene, &finding, scene.since.get(key).copied().filter(|_| dead));
    let Rehearsal { considered, refusal } = rehearse(&finding, &without, scene);
    let successor = considered.iter().find(|c| c.chosen).map(|c| c.key.clone());
    let replaces = matches!(kind, RecoveryKind::Source | RecoveryKind::CoSource);
    let (loss, at_risk) = replaces
        .then(|| {
            let sends = still_sends(world, source, scene);
            loss::loss(&without, source, sends, successor.as_ref(), &scene.recovery.choice)
        })
        .unzip();
    let refusal = refusal.or_else(|| at_risk.flatten());
    let obstacles: Vec<Obstacle> =
        ignored(scene, key).into_iter().chain(as_obstacles(&holds, &finding)).chain(refusal.clone()).collect();
    let verdict = verdict(&obstacles, refusal.as_ref());
    Forecast {
        verdict,
        summary: summary(verdict, &obstacles, refusal.as_ref(), &finding, &considered, kind),
        obstacles,
        successor,
        considered,
        loss,
        ..blank
    }
}

/// The source lives, and somebody receives from it: what is missing anywhere may be on its way.
fn still_sends(world: &Snapshot, source: &Instance, scene: &Scene<'_>) -> bool {
    let alive = |i: &Instance| is_check_valid(&i.check, &scene.analysis.thresholds, scene.now);
    let receives = |r: &Instance| r.replication.source == source.key && r.replication.receiver.is_running() && alive(r);
    alive(source) && world.replicas_of(&source.key).any(|r| receives(r))
}

/// Findings about the server are dropped before anybody decides about them.
fn ignored(scene: &Scene<'_>, key: &InstanceKey) -> Option<Obstacle> {
    let filter = scene.analysis.ignore_hostnames.iter().find(|filter| filter.is_match(&key.hostname))?;
    let setting = "RecoveryIgnoreHostnameFilters";
    let reason = format!("it matches {:?} of {setting}", filter.as_str());
    Some(Obstacle { setting: Some(setting.to_owned()), ..plain_obstacle("ignored-host", reason) })
}

fn plain_obstacle(rule: &str, reason: String) -> Obstacle {
    Obstacle { rule: rule.to_owned(), reason, setting: None, recovery: None, until: None }
}

fn held_in_maintenance(blank: Forecast) -> Forecast {
    let reason = format!("{} is held in maintenance by an operation, so it is not analysed", blank.server);
    let obstacle = plain_obstacle("maintenance", reason);
    Forecast { summary: obstacle.reason.clone(), obstacles: vec![obstacle], ..blank }
}

fn unsupported(blank: Forecast, finding: &Finding) -> Forecast {
    let obstacle = obstacle(&Hold::NotActionable, finding);
    let summary = format!("Nothing would act on it: {}.", obstacle.reason);
    Forecast { summary, obstacles: vec![obstacle], ..blank }
}

/// A grace time is no more than a delay.
fn is_delay(obstacle: &Obstacle) -> bool {
    obstacle.rule == "grace"
}

fn verdict(obstacles: &[Obstacle], refusal: Option<&Obstacle>) -> Verdict {
    if refusal.is_some() {
        Verdict::Refused
    } else if obstacles.iter().all(is_delay) {
        Verdict::Automatic
    } else {
        Verdict::Held
    }
}

/// The answer in one sentence.
fn summary(
    verdict: Verdict,
    obstacles: &[Obstacle],
    refusal: Option<&Obstacle>,
    finding: &Finding,
    considered: &[Considered],
    kind: RecoveryKind,
) -> String {
    if let Some(refusal) = refusal {
        return format!("A recovery would end without a successor: {}.", refusal.reason);
    }
    let who = match (considered.iter().find(|c| c.chosen), kind) {
        (_, RecoveryKind::SemiSync) => format!("The acknowledging replicas of {} would be put right", finding.key),
        (_, RecoveryKind::ReadOnlySource) => format!("{} would be made writeable", finding.key),
        (Some(Considered { key, .. }), RecoveryKind::IntermediateSource | RecoveryKind::GroupMember) => {
            let places = considered.iter().filter(|c| c.rule == "takes-replicas").count();
            let more = if places > 1 { format!(" and {} more", places - 1) } else { String::new() };
            format!("{key}{more} would take the replicas of {}", finding.key)
        }
        (Some(Considered { key, .. }), _) => format!("{key} would be promoted"),
        (None, _) => "A recovery would begin".to_owned(),
    };
    let first = |counts: fn(&Obstacle) -> bool| obstacles.iter().find(|o| counts(o)).map(|o| o.reason.as_str());
    match (verdict, first(|o| !is_delay(o)), first(is_delay)) {
        (Verdict::Held, Some(reason), _) => format!("{who}, but not by itself: {reason}."),
        (_, _, Some(grace)) => format!("{who}, by itself after a while ({grace})."),
        _ => format!("{who}, by itself and at once."),
    }
}
