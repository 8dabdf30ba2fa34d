//! What one probe brought home.

use app::InstanceKey;
use app::topology::Instance;
use chrono::{DateTime, Utc};

/// The result of one probe of one server.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The key that was probed. The server may have told another host name: see the instance's own key.
    pub probed: InstanceKey,
    /// The probe began.
    pub started: DateTime<Utc>,
    /// The probe ended.
    pub ended: DateTime<Utc>,
    /// What it saw.
    pub outcome: Outcome,
}

/// How a probe ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Everything was read.
    Seen(Box<Instance>),
    /// The connection was there and the basics were read, then something failed; known values are kept.
    Partial {
        /// What is known now; what was not read this time has its last value.
        known: Box<Instance>,
        /// What failed.
        error: String,
    },
    /// Nothing was read.
    Failed {
        /// What failed.
        error: String,
    },
    /// A filter says that the server is not to be looked at (`DiscoveryIgnoreReplicationUsernameFilters`).
    Skipped,
}
