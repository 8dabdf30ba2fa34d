//! The public names of everything counted, in the text form of OpenMetrics, which Prometheus reads (`docs/METRICS.md`).
//!
//! No label names a server or a cluster: the number of series does not grow with the fleet.

use std::fmt;

use app::api::TaskStatus;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::{ProbeMeter, RecoveryMeter, StepMeter, WriteMeter};

/// The media type of what [`exposition`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The meters of all rooms.
#[derive(Debug, Clone, Copy)]
pub struct Meters<'a> {
    /// Looks at servers.
    pub probes: &'a ProbeMeter,
    /// Writes to the backend.
    pub writes: &'a WriteMeter,
    /// Recoveries and analysis.
    pub recoveries: &'a RecoveryMeter,
    /// Steps of recoveries.
    pub recovery_steps: &'a StepMeter,
    /// Steps of operations that people asked for.
    pub operation_steps: &'a StepMeter,
}

/// One lane of the schedule of looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneState {
    /// Name of the lane.
    pub name: &'static str,
    /// Looks under way.
    pub running: u64,
    /// Servers that are due and wait for room.
    pub waiting: u64,
}

/// What is so at the moment.
#[derive(Debug, Clone)]
pub struct State {
    /// Version of the program.
    pub version: &'static str,
    /// Start of the process.
    pub started: DateTime<Utc>,
    /// Resident memory; `None` where the operating system does not tell.
    pub memory_bytes: Option<u64>,
    /// This node acts.
    pub is_leader: bool,
    /// Automatic recoveries are switched on.
    pub recoveries_enabled: bool,
    /// The backend took the last write.
    pub is_backend_up: bool,
    /// Entries that wait for the backend.
    pub journal_pending: u64,
    /// Servers by status, every status once.
    pub instances: Vec<(&'static str, u64)>,
    /// Servers in downtime.
    pub downtimed: u64,
    /// Clusters.
    pub clusters: u64,
    /// Findings by code, every code once.
    pub findings: Vec<(&'static str, u64)>,
    /// Recoveries at work by kind, every kind once.
    pub recoveries_running: Vec<(&'static str, u64)>,
    /// Recoveries that ended and nobody acknowledged.
    pub recoveries_unacknowledged: u64,
    /// The schedule of looks.
    pub lanes: Vec<LaneState>,
    /// Connections that tell at once when a server dies.
    pub death_alarms: u64,
    /// Background loops.
    pub tasks: Vec<TaskStatus>,
}

/// Everything in the text form of OpenMetrics.
///
/// # Errors
/// None in practice: writing to a text does not fail.
pub fn exposition(meters: &Meters<'_>, state: &State) -> Result<String, fmt::Error> {
    let mut ours = Registry::with_prefix("orchestrator");
    events(&mut ours, meters);
    condition(&mut ours, state);
    let mut process = Registry::with_prefix("process");
    about_process(&mut process, state);
    let mut text = String::with_capacity(16 << 10);
    encode_registry(&mut text, &ours)?;
    encode_registry(&mut text, &process)?;
    encode_eof(&mut text)?;
    Ok(text)
}

fn events(registry: &mut Registry, meters: &Meters<'_>) {
    let Meters { probes, writes, recoveries, recovery_steps, operation_steps } = *meters;
    let mut timed = |name: &str, help: &str, family: &dyn Registered| family.register(registry, name, help);
    timed("probe_duration", "Time that a look at a server took, by how it ended", &probes.durations);
    timed("poll_lateness", "How much later than planned a look began, by lane", &probes.lateness);
    timed("backend_write_duration", "Time that the backend took for a write", &writes.durations);
    timed("analysis_duration", "Time that a look at the whole picture for failures took", &recoveries.analysis);
    timed("recovery_duration", "Time from the beginning of a recovery to its end", &recoveries.durations);
    timed("recovery_step_duration", "Time that a step of a recovery took", &recovery_steps.durations);
    timed("operation_step_duration", "Time that a step of an operation took", &operation_steps.durations);
    let round_trips = probes.round_trips.clone();
    registry.register("probe_round_trips", "Questions sent to a server in one look", round_trips);
    registry.register("backend_rows", "Rows of servers written to the backend", writes.rows.clone());
    registry.register("recoveries_started", "Recoveries begun or taken up, by kind", recoveries.started.clone());
    registry.register("recoveries", "Recoveries ended, by kind and outcome", recoveries.ended.clone());
}

fn condition(registry: &mut Registry, state: &State) {
    registry.register("build", "Version of this program", Info::new([("version", state.version)]));
    gauge(registry, "leader", "1 when this node acts", u64::from(state.is_leader));
    gauge(registry, "recoveries_enabled", "1 when automatic recoveries are on", u64::from(state.recoveries_enabled));
    gauge(registry, "backend_up", "1 when the backend took the last write", u64::from(state.is_backend_up));
    gauge(registry, "journal_pending", "Entries that wait for the backend", state.journal_pending);
    gauge(registry, "clusters", "Clusters known", state.clusters);
    gauge(registry, "instances_downtimed", "Servers in downtime", state.downtimed);
    gauge(registry, "death_alarms", "Connections that tell at once when a server dies", state.death_alarms);
    let unacknowledged = state.recoveries_unacknowledged;
    gauge(registry, "recoveries_unacknowledged", "Recoveries ended and not acknowledged", unacknowledged);
    gauges(registry, "instances", "Servers known, by status", "status", &state.instances);
    gauges(registry, "findings", "Findings of the last analysis, by code", "code", &state.findings);
    let running = &state.recoveries_running;
    gauges(registry, "recoveries_running", "Recoveries at work, by kind", "kind", running);
    let of_lanes = |value: fn(&LaneState) -> u64| state.lanes.iter().map(|l| (l.name, value(l))).collect::<Vec<_>>();
    gauges(registry, "probes_running", "Looks under way, by lane", "lane", &of_lanes(|l| l.running));
    gauges(registry, "probes_waiting", "Servers due that wait for room, by lane", "lane", &of_lanes(|l| l.waiting));
    tasks(registry, &state.tasks);
}

fn tasks(registry: &mut Registry, tasks: &[TaskStatus]) {
    let up: Family<Vec<(&'static str, String)>, Gauge> = Family::default();
    let last_run: Family<Vec<(&'static str, String)>, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for task in tasks {
        let labels = vec![("task", task.name.clone())];
        up.get_or_create(&labels).set(i64::from(task.state != "stopped"));
        if let Some(at) = task.last_run {
            last_run.get_or_create(&labels).set(unix(at));
        }
    }
    registry.register("task_up", "1 while a background loop lives", up);
    let help = "When a background loop ended its last round";
    registry.register_with_unit("task_last_run_timestamp", help, Unit::Seconds, last_run);
}

fn about_process(registry: &mut Registry, state: &State) {
    let started = ConstGauge::new(unix(state.started));
    registry.register_with_unit("start_time", "Start of the process since the Unix epoch", Unit::Seconds, started);
    if let Some(bytes) = state.memory_bytes {
        registry.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, ConstGauge::new(bytes));
    }
}

fn unix(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn gauges(registry: &mut Registry, name: &str, help: &str, label: &'static str, values: &[(&'static str, u64)]) {
    let family: Family<[(&'static str, &'static str); 1], Gauge> = Family::default();
    for (text, value) in values {
        family.get_or_create(&[(label, *text)]).set(i64::try_from(*value).unwrap_or(i64::MAX));
    }
    registry.register(name, help, family);
}

/// Something that counts seconds.
trait Registered {
    fn register(&self, registry: &mut Registry, name: &str, help: &str);
}

impl<T: prometheus_client::registry::Metric + Clone> Registered for T {
    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register_with_unit(name, help, Unit::Seconds, self.clone());
    }
}
