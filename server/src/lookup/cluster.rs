//! Clusters by what people call them (`spec/api.md` 1.9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Instance, Snapshot};

use super::key::{Reach, widen};
use crate::config::Config;

/// A text that names a cluster, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The cluster of this name.
    Cluster(String),
    /// Nothing known has this name.
    Unknown,
}

/// The names of all clusters, sorted.
pub fn cluster_names(snapshot: &Snapshot) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut last = "";
    for name in snapshot.instances.values().map(|i| i.cluster_name.as_str()) {
        // Servers of a cluster mostly stand together: the set is asked once a cluster, not once a server.
        if name != last {
            names.insert(name);
            last = name;
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Servers by cluster: by its name, then by key. One look at all servers, however many clusters there are.
pub fn by_cluster(snapshot: &Snapshot) -> BTreeMap<&str, Vec<&Arc<Instance>>> {
    let mut clusters: BTreeMap<&str, Vec<&Arc<Instance>>> = BTreeMap::new();
    let mut servers = snapshot.instances.values().peekable();
    while let Some(first) = servers.next() {
        let name = first.cluster_name.as_str();
        let members = clusters.entry(name).or_default();
        members.push(first);
        while let Some(next) = servers.next_if(|i| i.cluster_name == name) {
            members.push(next);
        }
    }
    clusters.remove("");
    clusters
}

/// The cluster that a text means: by exact name, exact alias, an exact member, a member within reach.
pub fn cluster_by_hint(snapshot: &Snapshot, config: &Config, text: &str, reach: Reach) -> Hint {
    let text = text.trim();
    if text.is_empty() {
        return Hint::Unknown;
    }
    if let Some(name) = cluster_by_alias(snapshot, config, text) {
        return Hint::Cluster(name);
    }
    let Ok(key) = InstanceKey::parse(text, config.general.default_port()) else { return Hint::Unknown };
    match snapshot.get(&widen(snapshot, key, reach)) {
        Some(member) if !member.cluster_name.is_empty() => Hint::Cluster(member.cluster_name.clone()),
        _ => Hint::Unknown,
    }
}

/// The cluster of this exact name or alias.
pub fn cluster_by_alias(snapshot: &Snapshot, config: &Config, text: &str) -> Option<String> {
    let names = cluster_names(snapshot);
    if let Some(name) = names.iter().find(|name| *name == text) {
        return Some(name.clone());
    }
    names.into_iter().find(|name| alias_of(snapshot, config, name) == text)
}

/// A cluster's alias: what operators set or servers suggest, else what `ClusterNameToAlias` gives, else the name.
pub fn alias_of(snapshot: &Snapshot, config: &Config, name: &str) -> String {
    let annotations = &snapshot.annotations;
    annotations
        .cluster_alias_overrides
        .get(name)
        .or_else(|| annotations.cluster_aliases.get(name))
        .map(String::as_str)
        .filter(|alias| *alias != name && !alias.is_empty())
        .or_else(|| config.classification.cluster_name_to_alias.alias_of(name))
        .unwrap_or(name)
        .to_owned()
}

/// A cluster's domain; empty when it has none.
pub fn domain_of(snapshot: &Snapshot, name: &str) -> String {
    snapshot.annotations.cluster_domains.get(name).cloned().unwrap_or_default()
}

/// Whether a dead source and a dead intermediate source of the cluster are recovered automatically.
pub fn automated(config: &Config, name: &str, alias: &str) -> (bool, bool) {
    let recovery = &config.recovery;
    (
        recovery.recover_primary_filters.matches(name, alias),
        recovery.recover_intermediate_source_filters.matches(name, alias),
    )
}
