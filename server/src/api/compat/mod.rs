//! The JSON of `/api/`, to the byte as existing clients parse it (`spec/api.md` 1.2, 1.3, 3).
//!
//! Names of fields, their order and their historic spelling are part of the contract; so are `null` and `[]` for
//! "nothing". Each form is a private struct with one constructor per way it comes about, so that nobody can make half
//! of one. `master` and `slave` live here and at the tables of paths and commands, nowhere else.

mod analysis;
mod encode;
mod health;
mod instance;
mod metrics;
mod records;
mod recovery;
mod scalar;

pub use analysis::{ClusterInfo, ReplicationAnalysis};
pub use encode::{encode, envelope};
pub use health::{ElectedNode, HealthStatus, NodeHealth};
pub use instance::CompatInstance;
pub use metrics::{
    AggregatedDiscoveryMetrics, AggregatedQueryMetrics, AggregatedQueueMetrics, AggregatedWriteBufferMetrics,
    DiscoveryMetric, QueryMetric, QueueMetric, WriteBufferMetric,
};
pub use records::{Audit, Blocked, CandidateInstance, Changelog, Maintenance, RecoveryStep};
pub use recovery::TopologyRecovery;
pub use scalar::{TimeForm, go_duration};

#[cfg(test)]
mod tests;
