//! From the rooms to figures: gathers what the meters counted and what the state is, and keeps both up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use app::finding::AnalysisCode;
use app::topology::status::status_text;
use chrono::{DateTime, TimeDelta, Utc};

use crate::metrics::{Figure, Graphite, GraphiteError, KINDS, LaneState, Meters, QueueSample, State, kind_name};
use crate::services::Services;
use crate::settings;
use crate::tasks::Task;

/// The queue is sampled this often (`spec/api.md` 3.16).
const SAMPLE: Duration = Duration::from_secs(1);

/// Every status of a server, as pages and `topology` call it.
const STATUSES: [&str; 5] = ["ok", "lag", "nonreplicating", "unchecked", "invalid"];

/// Starts the loops.
pub fn start(services: &Services) {
    let sampled = services.clone();
    services.tasks.spawn("metrics", move |task| sample(sampled.clone(), task));
    match Graphite::from_config(&services.config.current().metrics, &services.node.hostname) {
        Ok(None) => {}
        Ok(Some(graphite)) => {
            let pushed = services.clone();
            services.tasks.spawn("graphite", move |task| push(pushed.clone(), graphite.clone(), task));
        }
        Err(error) => tracing::error!("{error}"),
    }
}

/// Once a second: a sample of the queue, and what is too old goes.
async fn sample(services: Services, task: Task) {
    while task.sleep(SAMPLE).await {
        let config = services.config.current();
        let now = Utc::now();
        let kept = usize::try_from(config.discovery.queue_max_statistics_size).unwrap_or(0);
        services.discovery.meter().sample_queue(queue_sample(&services), now, kept);
        let keep = i64::try_from(config.discovery.collection_retention_seconds).ok().and_then(TimeDelta::try_seconds);
        let keep = keep.unwrap_or(TimeDelta::MAX);
        services.discovery.meter().trim(keep, now);
        services.journal.meter().trim(keep, now);
        task.idle(Ok(()));
    }
}

async fn push(services: Services, graphite: Graphite, task: Task) {
    let mut fails = false;
    while task.sleep(graphite.interval).await {
        let sent = graphite.send(&figures(&services), Utc::now()).await;
        report(&sent, &mut fails);
        task.idle(sent.map_err(|error| error.to_string()));
    }
}

/// The log hears of a change, not of every push.
fn report(sent: &Result<(), GraphiteError>, fails: &mut bool) {
    match sent {
        Err(error) if !*fails => tracing::error!(%error, "metrics are not sent"),
        Ok(()) if *fails => tracing::info!("metrics are sent again"),
        _ => {}
    }
    *fails = sent.is_err();
}

fn queue_sample(services: &Services) -> QueueSample {
    let mut sample = QueueSample { active: 0, queued: 0, silent_active: 0, silent_queued: 0 };
    for lane in lanes(services) {
        sample.active += lane.running;
        sample.queued += lane.waiting;
        if lane.name == "silent" {
            (sample.silent_active, sample.silent_queued) = (lane.running, lane.waiting);
        }
    }
    sample
}

fn lanes(services: &Services) -> Vec<LaneState> {
    let lanes = services.discovery.lanes();
    lanes.map(|l| LaneState { name: l.lane, running: l.running as u64, waiting: l.waiting as u64 }).to_vec()
}

/// The meters of all rooms.
pub fn meters(services: &Services) -> Meters<'_> {
    Meters {
        probes: services.discovery.meter(),
        writes: services.journal.meter(),
        recoveries: services.recovery.meter(),
        recovery_steps: services.recovery.step_meter(),
        operation_steps: services.refactor.step_meter(),
    }
}

/// What is so at the moment.
pub fn state(services: &Services) -> State {
    let snapshot = services.fleet.snapshot();
    let thresholds = settings::thresholds(&services.config.current());
    let mut instances: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut clusters = BTreeSet::new();
    for instance in snapshot.instances.values() {
        *instances.entry(status_text(instance, &thresholds, snapshot.at)).or_default() += 1;
        clusters.insert(instance.cluster_name.as_str());
    }
    clusters.remove("");
    let downtime = &snapshot.annotations.downtime;
    let backend = services.journal.state();
    let (recoveries_running, recoveries_unacknowledged) = recoveries(services);
    State {
        version: env!("CARGO_PKG_VERSION"),
        started: services.node.started,
        memory_bytes: memory_bytes(),
        is_leader: services.consensus.is_leader(),
        recoveries_enabled: services.consensus.recoveries_enabled(),
        is_backend_up: backend.error.is_none(),
        journal_pending: backend.pending,
        instances: STATUSES.map(|status| (status, instances.get(status).copied().unwrap_or(0))).to_vec(),
        downtimed: downtime.values().filter(|d| d.is_active(snapshot.at)).count() as u64,
        clusters: clusters.len() as u64,
        findings: findings(services),
        recoveries_running,
        recoveries_unacknowledged,
        lanes: lanes(services),
        death_alarms: services.discovery.count_alarms() as u64,
        tasks: services.tasks.list(),
    }
}

/// Findings by code. A server that only has something to warn of counts as `NoProblem`, as the API lists it.
fn findings(services: &Services) -> Vec<(&'static str, u64)> {
    let mut found: BTreeMap<&'static str, u64> = AnalysisCode::ALL.iter().map(|code| (code.as_str(), 0)).collect();
    for finding in services.recovery.findings() {
        *found.entry(finding.code.as_str()).or_default() += 1;
    }
    found.into_iter().collect()
}

/// Recoveries at work by kind, and how many ended ones nobody acknowledged.
fn recoveries(services: &Services) -> (Vec<(&'static str, u64)>, u64) {
    let held = services.recovery.registry().list();
    let running = |kind| held.iter().filter(|r| r.is_running() && r.kind == kind).count() as u64;
    let open = held.iter().filter(|r| !r.is_running() && r.acknowledged.is_none()).count() as u64;
    (KINDS.map(|kind| (kind_name(kind), running(kind))).to_vec(), open)
}

/// Resident memory as Linux tells it.
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Figures under the names that the original gives them (`spec/api.md` 2.22), for `/debug/metrics` and Graphite, in order of
/// name. Those of things that do not exist here (its caches of TLS and of names) are left out.
pub fn figures(services: &Services) -> Vec<Figure> {
    let (probes, writes) = (services.discovery.meter(), services.journal.meter());
    let queue = queue_sample(services);
    let counts = services.discovery.counts();
    let poll = services.config.current().discovery.poll_interval().as_secs();
    let count = |name, value| Figure { name, is_counter: true, value };
    let gauge = |name, value| Figure { name, is_counter: false, value };
    let (analysis_written, analysis_failed) = writes.count("analysis");
    let mut figures = vec![
        count("analysis.change.write", analysis_written),
        count("analysis.change.write.attempt", analysis_written + analysis_failed),
        count("audit.write", writes.count("audit").0),
        count("discoveries.attempt", probes.attempts()),
        gauge("discoveries.dead_instances", counts.silent as u64),
        gauge("discoveries.dead_instances_queue_length", queue.silent_queued),
        count("discoveries.fail", probes.failures()),
        count("discoveries.instance_poll_seconds_exceeded", probes.slow()),
        gauge("discoveries.queue_length", queue.queued),
        gauge("discoveries.recent_count", recently_probed(services, poll, Utc::now())),
        gauge("elect.is_elected", u64::from(services.consensus.is_leader())),
        gauge("health.is_healthy", u64::from(services.journal.state().error.is_none())),
        count("instance.access_denied", probes.denied()),
        count("instance.read_topology", probes.attempts()),
        count("instance.write", writes.rows()),
    ];
    figures.extend(recovery_figures(services));
    figures.sort_by_key(|figure| figure.name);
    figures
}

fn recently_probed(services: &Services, seconds: u64, now: DateTime<Utc>) -> u64 {
    let looks = services.discovery.meter().looks(seconds, now);
    looks.iter().map(|(_, look)| &look.key).collect::<BTreeSet<_>>().len() as u64
}

/// `recover.*`: the original's four kinds; others have no name there and are in `/metrics` only.
fn recovery_figures(services: &Services) -> Vec<Figure> {
    use app::recovery::RecoveryKind as K;
    let names = [
        (K::Source, ["recover.dead_master.start", "recover.dead_master.success", "recover.dead_master.fail"]),
        (
            K::IntermediateSource,
            [
                "recover.dead_intermediate_master.start",
                "recover.dead_intermediate_master.success",
                "recover.dead_intermediate_master.fail",
            ],
        ),
        (
            K::CoSource,
            ["recover.dead_co_master.start", "recover.dead_co_master.success", "recover.dead_co_master.fail"],
        ),
        (
            K::GroupMember,
            [
                "recover.dead_replication_group_member.start",
                "recover.dead_replication_group_member.success",
                "recover.dead_replication_group_member.fail",
            ],
        ),
    ];
    let mut figures = Vec::with_capacity(13);
    for (kind, [start, success, fail]) in names {
        let (begun, good, bad) = services.recovery.meter().count(kind);
        let counted = [(start, begun), (success, good), (fail, bad)];
        figures.extend(counted.map(|(name, value)| Figure { name, is_counter: true, value }));
    }
    let running = services.recovery.registry().list().iter().filter(|r| r.is_running()).count() as u64;
    figures.push(Figure { name: "recover.pending", is_counter: false, value: running });
    figures
}
