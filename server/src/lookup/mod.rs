//! Finding servers and clusters in a picture: what API paths and commands mean by the names they are given.
//!
//! Pure: a picture and the configuration in, keys and servers out. Both edges use it, so a name means the same in both.

mod cluster;
mod key;
mod select;
mod tags;

pub use cluster::{Hint, alias_of, automated, by_cluster, cluster_by_alias, cluster_by_hint, cluster_names, domain_of};
pub use key::{Reach, host_and_port, split_list, widen};
pub use select::{
    control_replicas, direct_replicas, downtimed, everything, in_trouble, of_cluster, of_pattern,
    online_change_replicas, pooled, primaries, primary_among, primary_of, search,
};
pub use tags::{TagError, TagExpression, tagged};

#[cfg(test)]
mod tests;
