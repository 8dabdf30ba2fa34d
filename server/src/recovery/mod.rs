//! Recoveries: watches findings, decides with `engine::policy`, drives `engine::recovery::Machine`.
//!
//! Nothing is chosen here. The machine says which steps come next, this room records them, runs them through the
//! executor and tells the machine how they ended. Because machine and steps are stored before anything is done, a
//! restarted or another node takes an unfinished recovery up where it was left (`safety.md` S5).

mod around;
mod detections;
mod drive;
mod extra;
mod fence;
mod lease;
mod readiness;
mod registry;
mod rejoin;
mod request;
mod throttle;
mod unfinished;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use chrono::{DateTime, Utc};
use engine::analysis::{AnalysisSettings, Incremental, Unmoved};

pub use readiness::Watcher;
pub use registry::Registry;
pub use request::{RecoverError, RecoveryRequest};
pub use unfinished::{keep_heard, keep_up};
pub use watch::watch;

use crate::audit::Audit;
use crate::config::LiveConfig;
use crate::consensus::Consensus;
use crate::discovery::Discovery;
use crate::events::EventBus;
use crate::exec::{Exec, Locks};
use crate::fleet::Fleet;
use crate::hooks::Hooks;
use crate::hooks::webhooks::Webhooks;
use crate::journal::Journal;
use crate::kv::Publisher;
use crate::metrics::{RecoveryMeter, StepMeter};
use crate::node::Node;
use crate::store::{DetectionRow, Store};
use detections::Detections;
use fence::Fencing;
use lease::Lease;
use throttle::Throttle;

/// What recoveries need of the other rooms.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Configuration.
    pub config: Arc<LiveConfig>,
    /// The picture.
    pub fleet: Arc<Fleet>,
    /// Probing on demand.
    pub discovery: Arc<Discovery>,
    /// Commands.
    pub consensus: Arc<Consensus>,
    /// Executor.
    pub exec: Exec,
    /// Locks, shared with operations.
    pub locks: Locks,
    /// Audit.
    pub audit: Audit,
    /// Events.
    pub events: Arc<EventBus>,
    /// Journal.
    pub journal: Journal,
    /// This process.
    pub node: Arc<Node>,
    /// Hooks.
    pub hooks: Hooks,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// Publication of primaries.
    pub publisher: Arc<Publisher>,
    /// Backend, for reads.
    pub store: Store,
}

/// The recovery service.
#[derive(Debug)]
pub struct RecoveryService {
    parts: Parts,
    registry: Registry,
    findings: Mutex<BTreeMap<InstanceKey, Tracked>>,
    /// Binary log positions of sources that may be locked by semi-sync, and since when they have not moved.
    unmoved: Mutex<Arc<Unmoved>>,
    /// What the last round found, and in what.
    analysis: Mutex<Incremental>,
    /// Servers with replicas whose first analysis is on record (`spec/recovery.md` 1.7).
    sighted: Mutex<BTreeSet<InstanceKey>>,
    /// This node has been the leader without a break since then; `None` while it is not.
    leading_since: Mutex<Option<DateTime<Utc>>>,
    /// Clusters that failed in the last round.
    clusters_failing: AtomicUsize,
    detections: Detections,
    /// Servers that were asked for fresh evidence lately.
    asked: Throttle,
    fencing: Arc<Fencing>,
    /// Old sources that were to become replicas lately.
    rejoins: Throttle,
    /// The right to act.
    lease: Arc<Lease>,
    announcements: around::Announcements,
    meter: RecoveryMeter,
}

/// A finding and since when its code, or another one of the same failure, has been seen without a break.
#[derive(Debug, Clone)]
struct Tracked {
    finding: Finding,
    since: DateTime<Utc>,
    /// The reason for not acting that was told last, so that the log says it once.
    told: String,
    /// When the backend was told last that another recovery blocks it.
    blocked_at: Option<DateTime<Utc>>,
}

impl RecoveryService {
    /// A service that has not begun to watch ([`watch`]).
    pub fn new(mut parts: Parts) -> Self {
        let lease = Arc::new(Lease::default());
        let permit = Arc::clone(&lease);
        parts.exec = parts.exec.measured_apart().permitted_by(Arc::new(move || permit.holds()));
        let registry = Registry::new(Arc::clone(&parts.events));
        let leading_since = parts.consensus.is_leader().then_some(parts.node.started);
        Self {
            parts,
            registry,
            findings: Mutex::default(),
            unmoved: Mutex::default(),
            analysis: Mutex::default(),
            sighted: Mutex::default(),
            leading_since: Mutex::new(leading_since),
            clusters_failing: AtomicUsize::new(0),
            detections: Detections::default(),
            asked: Throttle::default(),
            fencing: Arc::default(),
            rejoins: Throttle::default(),
            lease,
            announcements: around::Announcements::default(),
            meter: RecoveryMeter::default(),
        }
    }

    /// Fills in what the backend remembers of detections, so that they are not told again.
    pub fn load_detections(&self, rows: &[DetectionRow]) {
        self.detections.load(rows);
    }

    /// What recoveries and analysis took.
    pub fn meter(&self) -> &RecoveryMeter {
        &self.meter
    }

    /// What steps of recoveries took.
    pub fn step_meter(&self) -> &StepMeter {
        self.parts.exec.meter()
    }

    /// Recoveries at work and ended lately.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the last analysis found, `NoProblem` without warnings left out, in key order.
    pub fn findings(&self) -> Vec<Finding> {
        self.tracked().values().map(|t| t.finding.clone()).collect()
    }

    /// Analyses the picture now, for callers that cannot wait for the next round (one-shot commands).
    pub fn analyse_now(&self) -> Vec<Finding> {
        engine::analysis::analyse(&self.parts.fleet.snapshot(), &self.analysis_settings(), Utc::now())
    }

    fn analysis_settings(&self) -> AnalysisSettings {
        let unmoved = Arc::clone(&self.unmoved.lock().unwrap_or_else(PoisonError::into_inner));
        AnalysisSettings { unmoved, ..crate::settings::analysis(&self.parts.config.current()) }
    }

    /// Why the problem of a server is not being acted upon, as told last; `None` when nothing holds it.
    pub fn held_because(&self, key: &InstanceKey) -> Option<String> {
        self.tracked().get(key).map(|t| t.told.clone()).filter(|told| !told.is_empty())
    }

    fn tracked(&self) -> std::sync::MutexGuard<'_, BTreeMap<InstanceKey, Tracked>> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Findings that are recorded as detections: those with a recovery, and those that call for a look (`spec/recovery.md` 2.4).
fn is_detection(finding: &Finding) -> bool {
    use AnalysisCode as C;
    finding.actionable
        || matches!(
            finding.code,
            C::DeadSourceAndReplicas
                | C::UnreachableSource
                | C::UnreachableSourceWithLaggingReplicas
                | C::AllSourceReplicasNotReplicating
                | C::AllSourceReplicasNotReplicatingOrDead
                | C::UnreachableIntermediateSourceWithLaggingReplicas
                | C::DeadIntermediateSourceAndReplicas
        )
}

#[cfg(test)]
mod tests;
