//! Finding servers and clusters in a picture: what API paths and commands mean by the names they are given.
//!
//! Pure: a picture and the configuration in, keys and servers out. Both edges use it, so a name means the same in both.

mod cluster;
mod key;
mod select;
mod tags;

pub use cluster::{Hint, alias_of, automated, cluster_by_alias, cluster_by_hint, cluster_names, domain_of};
pub use key::{Reach, host_and_port, split_list, widen};
pub use select::{
    control_replicas, direct_replicas, downtimed, everything, in_trouble, of_cluster, of_pattern, online_change_replicas,
    primaries, primary_of, search,
};
pub use tags::{TagError, TagExpression, tagged};

use app::topology::StatusThresholds;

use crate::config::Config;

/// The limits by which a server is judged.
pub fn thresholds(config: &Config) -> StatusThresholds {
    StatusThresholds {
        instance_poll_seconds: config.discovery.instance_poll_seconds,
        reasonable_instance_check_seconds: config.discovery.reasonable_instance_check_seconds,
        reasonable_replication_lag_seconds: config.candidates.reasonable_lag_seconds,
        reasonable_maintenance_replication_lag_seconds: config.candidates.reasonable_maintenance_lag_seconds,
    }
}

#[cfg(test)]
mod tests;
