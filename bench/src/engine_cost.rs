//! What decisions cost on a large picture.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use app::rules::{RuleSettings, can_relocate};
use app::topology::{Annotations, Instance, Snapshot};
use chrono::Utc;
use engine::analysis::{AnalysisSettings, Incremental, analyse};
use engine::attribution::{AttributionRules, attribute};
use orchestrator::events::EventBus;
use orchestrator::fleet::{Fleet, Observation, Outcome};

use crate::args::Args;
use crate::figures::Figures;
use crate::trees;

/// Targets that are judged while a server is dragged.
const TARGETS: usize = 500;

/// `bench engine`.
///
/// # Errors
/// Options.
pub fn run(args: &mut Args) -> Result<()> {
    let count: usize = args.value("--servers", 10_000)?;
    let clusters: usize = args.value("--clusters", 200)?;
    let runs: usize = args.value("--runs", 20)?;
    args.end()?;
    let size = (count / clusters.max(1)).max(1);
    let now = Utc::now();
    let mut figures = Figures::default();

    let fresh = Snapshot::new(trees::servers(count, clusters, now), Annotations::default(), now);
    let rules = AttributionRules::default();
    figures.repeat("attribution, nothing known yet", runs, || attribute(&fresh, &rules));
    let mut named: Vec<Instance> = fresh.instances.values().map(|i| (**i).clone()).collect();
    for changed in attribute(&fresh, &rules) {
        let at = named.binary_search_by(|i| i.key.cmp(&changed.key));
        if let Some(slot) = at.ok().and_then(|at| named.get_mut(at)) {
            *slot = changed;
        }
    }
    let known = Snapshot::new(named.clone(), Annotations::default(), now);
    figures.repeat("attribution, everything as it was", runs, || attribute(&known, &rules));

    let settings = AnalysisSettings::default();
    println!("{} findings while all is well", analyse(&known, &settings, now).len());
    figures.repeat("analysis, all is well", runs, || analyse(&known, &settings, now));
    let dead = with_dead_sources(&named, size, now);
    println!("{} findings with each tenth source dead", analyse(&dead, &settings, now).len());
    figures.repeat("analysis, each tenth source dead", runs, || analyse(&dead, &settings, now));

    goes_on(&dead, runs, &mut figures);

    let server = trees::key(size.saturating_sub(1), size);
    let targets: Vec<_> = known.instances.keys().take(TARGETS).cloned().collect();
    let judge = || {
        let allowed = |below| can_relocate(&known, &server, below, &RuleSettings::default()).is_ok();
        targets.iter().filter(|below| allowed(below)).count()
    };
    println!("{} of {TARGETS} targets allowed", judge());
    figures.repeat("can_relocate, 500 targets", runs, judge);
    picture(&named, runs, &mut figures)?;
    figures.print(&format!("decisions, {count} servers in {clusters} clusters"));
    Ok(())
}

/// Analysis that goes on from the last pass: one server was read again, or all were.
fn goes_on(before: &Snapshot, runs: usize, figures: &mut Figures) {
    let (mut analysis, settings) = (Incremental::default(), AnalysisSettings::default());
    let mut look = |name: &'static str, snapshot: &Snapshot| {
        let began = Instant::now();
        let findings = analysis.analyse(snapshot, &settings, snapshot.at);
        figures.add(name, began.elapsed());
        findings.len()
    };
    look("analysis that goes on, the first pass", before);
    for run in 0..runs {
        let mut again = before.clone();
        let servers = Arc::make_mut(&mut again.instances);
        if let Some(server) = servers.values_mut().nth(run * 7) {
            Arc::make_mut(server).binlog.position += 1;
        }
        look("analysis that goes on, one server read again", &again);
        look("analysis that goes on, one server read again", before);
        look("analysis that goes on, nothing changed", before);
        let mut anew = before.clone();
        for server in Arc::make_mut(&mut anew.instances).values_mut() {
            Arc::make_mut(server).binlog.position += 1;
        }
        look("analysis that goes on, all read again", &anew);
        look("analysis that goes on, all read again", before);
    }
}

/// Each tenth cluster's source cannot be reached, and its replicas have lost it.
fn with_dead_sources(named: &[Instance], size: usize, now: chrono::DateTime<Utc>) -> Snapshot {
    use app::topology::ThreadState;
    let mut servers = named.to_vec();
    for (number, server) in servers.iter_mut().enumerate().filter(|(n, _)| (n / size).is_multiple_of(10)) {
        if number % size == 0 {
            server.check.last_checked = Some(now + chrono::TimeDelta::seconds(1));
            server.check.partial_success = false;
            server.check.error = "no answer".to_owned();
        } else if server.depth == 1 {
            server.replication.receiver = ThreadState::Other;
            server.replication.receiver_errno = 2003;
            server.replication.receiver_error = "error reconnecting to source".to_owned();
        }
        server.check.last_attempted = server.check.last_checked;
    }
    Snapshot::new(servers, Annotations::default(), now)
}

/// The picture in memory.
fn picture(named: &[Instance], runs: usize, figures: &mut Figures) -> Result<()> {
    let fleet = Fleet::new(Arc::new(EventBus::default()));
    let seen = |instance: &Instance| Observation {
        probed: instance.key.clone(),
        started: Utc::now(),
        ended: Utc::now(),
        outcome: Outcome::Seen(Box::new(instance.clone())),
    };
    let began = Instant::now();
    for instance in named {
        fleet.observe(seen(instance));
    }
    figures.add("observe, all servers for the first time", began.elapsed());
    figures.repeat("snapshot, names and depths to be worked out", 1, || fleet.snapshot());
    let one = named.get(named.len() / 2).context("no servers")?;
    for _ in 0..runs {
        let mut moved = one.clone();
        moved.binlog.position += 1;
        let observation = seen(&moved);
        let began = Instant::now();
        fleet.observe(observation);
        figures.add("observe, one server, only its counters moved", began.elapsed());
        let began = Instant::now();
        let snapshot = fleet.snapshot();
        figures.add("snapshot after one observation", began.elapsed());
        drop(snapshot);
        let began = Instant::now();
        let snapshot = fleet.snapshot();
        figures.add("snapshot, nothing changed since the last one", began.elapsed());
        drop(snapshot);
    }
    Ok(())
}
