//! What is known of the servers: one [`Instance`] each, what operators said of them
//! ([`Annotations`]), and both together at one moment ([`Snapshot`]).

mod annotations;
mod capabilities;
mod instance;
mod replication;
mod snapshot;

pub use annotations::{Annotations, Candidate, Downtime, Maintenance, PromotionRule, PromotionRuleError};
pub use capabilities::Capabilities;
pub use instance::{Check, Flavor, GroupMembership, Instance, SemiSync};
pub use replication::{Replication, ReplicationTls, ThreadState};
pub use snapshot::Snapshot;
