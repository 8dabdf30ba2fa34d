//! Recoveries: watches findings, decides with `engine::policy`, drives `engine::recovery::Machine`.
//!
//! Nothing is chosen here. The machine says which steps come next, this room records them, runs them through the
//! executor and tells the machine how they ended. Because machine and steps are stored before anything is done, a
//! restarted or another node takes an unfinished recovery up where it was left (`safety.md` S5).

mod around;
mod drive;
mod fence;
mod registry;
mod request;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use chrono::{DateTime, Utc};
use engine::analysis::{AnalysisSettings, Unmoved};

pub use registry::Registry;
pub use request::{RecoverError, RecoveryRequest};
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
use crate::node::Node;
use crate::store::Store;

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
    announcements: around::Announcements,
}

/// A finding and since when its code has been seen without a break.
#[derive(Debug, Clone)]
struct Tracked {
    finding: Finding,
    since: DateTime<Utc>,
    /// The reason for not acting that was told last, so that the log says it once.
    told: String,
    /// A detection is open for this stretch of the problem.
    detected: bool,
}

impl RecoveryService {
    /// A service that has not begun to watch ([`watch`]).
    pub fn new(parts: Parts) -> Self {
        let registry = Registry::new(Arc::clone(&parts.events));
        Self {
            parts,
            registry,
            findings: Mutex::default(),
            unmoved: Mutex::default(),
            announcements: Default::default(),
        }
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

/// Codes that are recorded as detections: those with a recovery, and those that call for a look (`spec/recovery.md` 2.4).
fn is_detection(code: AnalysisCode) -> bool {
    use AnalysisCode as C;
    engine::policy::recovery_for(code).is_some()
        || matches!(
            code,
            C::DeadSourceAndReplicas
                | C::UnreachableSource
                | C::UnreachableSourceWithLaggingReplicas
                | C::AllSourceReplicasNotReplicating
                | C::AllSourceReplicasNotReplicatingOrDead
                | C::UnreachableIntermediateSourceWithLaggingReplicas
                | C::DeadIntermediateSourceAndReplicas
        )
}
