//! What is known of the servers: one [`Instance`] each, what operators said of them
//! ([`Annotations`]), and both together at one moment ([`Snapshot`]); who replicates from whom
//! ([`graph`]), how they are doing ([`status`]), and the tree as text ([`ascii`]).

mod annotations;
pub mod ascii;
mod capabilities;
mod equivalence;
pub mod graph;
mod instance;
mod replication;
mod snapshot;
pub mod status;

pub use annotations::{Annotations, Candidate, Downtime, Maintenance, PromotionRule, PromotionRuleError};
pub use capabilities::Capabilities;
pub use equivalence::{Equivalence, Equivalences, LogPlace};
pub use graph::Graph;
pub use instance::{Check, Flavor, GroupMembership, Instance, SemiSync};
pub use replication::{Replication, ReplicationTls, ThreadState};
pub use snapshot::Snapshot;
pub use status::StatusThresholds;
