//! Lists of servers (`spec/api.md` 2.11, 2.12, 2.17; `spec/cli.md` 10.10).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::InstanceKey;
use app::topology::status::{is_check_valid, is_problem};
use app::topology::{Instance, Snapshot};
use regex::Regex;

use super::by_cluster;
use crate::config::Config;
use crate::settings::thresholds;
use crate::store::PoolMember;

type Servers = Vec<Arc<Instance>>;

/// All servers: topmost first, those with more replicas first, then by cluster and key.
pub fn everything(snapshot: &Snapshot) -> Servers {
    let mut servers: Servers = snapshot.instances.values().cloned().collect();
    servers.sort_by(|a, b| {
        let rank = |i: &Instance| (i.depth, Reverse(i.replicas.len()));
        rank(a).cmp(&rank(b)).then_with(|| a.cluster_name.cmp(&b.cluster_name)).then_with(|| a.key.cmp(&b.key))
    });
    servers
}

/// Servers that have the text in host name, `host:port`, cluster name, suggested alias, version or version comment, or
/// that have this server id or port. Letters in either case; an empty text finds everything.
pub fn search(snapshot: &Snapshot, text: &str) -> Servers {
    let text = text.trim().to_lowercase();
    let number = text.parse::<u64>().ok();
    let mut servers = everything(snapshot);
    servers.retain(|i| {
        let texts = [&i.key.to_string(), &i.cluster_name, &i.suggested_cluster_alias, &i.version, &i.version_comment];
        texts.iter().any(|t| t.to_lowercase().contains(&text))
            || number.is_some_and(|n| n == i.server_id || n == u64::from(i.key.port))
    });
    servers
}

/// Servers whose `host:port` matches.
pub fn of_pattern(snapshot: &Snapshot, pattern: &Regex) -> Servers {
    let mut servers = everything(snapshot);
    servers.retain(|i| pattern.is_match(&i.key.to_string()));
    servers
}

/// The servers of a cluster, by key.
pub fn of_cluster(snapshot: &Snapshot, cluster: &str) -> Servers {
    snapshot.cluster(cluster).cloned().collect()
}

/// Direct replicas, by key.
pub fn direct_replicas(snapshot: &Snapshot, key: &InstanceKey) -> Servers {
    snapshot.replicas_of(key).cloned().collect()
}

/// Top of its tree, or one of a ring of sources.
fn is_top(instance: &Instance) -> bool {
    instance.depth == 0 || instance.is_co_source
}

/// One writeable primary of each cluster that has one, by cluster name.
pub fn primaries(snapshot: &Snapshot) -> Servers {
    let writeable = |members: Vec<&Arc<Instance>>| {
        let tops = members.into_iter().filter(|i| is_top(i) && !i.read_only);
        tops.min_by_key(|i| (i.depth, &i.key)).cloned()
    };
    by_cluster(snapshot).into_values().filter_map(writeable).collect()
}

/// The primary of a cluster, a writeable one if there is.
pub fn primary_of(snapshot: &Snapshot, cluster: &str) -> Option<Arc<Instance>> {
    primary_among(snapshot.cluster(cluster)).cloned()
}

/// The primary among the servers of one cluster, a writeable one if there is.
pub fn primary_among<'a>(members: impl IntoIterator<Item = &'a Arc<Instance>>) -> Option<&'a Arc<Instance>> {
    members.into_iter().filter(|i| is_top(i)).min_by_key(|i| (i.read_only, i.depth, &i.key))
}

/// Servers in downtime, of one cluster or of all, by cluster and depth.
pub fn downtimed(snapshot: &Snapshot, cluster: Option<&str>) -> Servers {
    let mut servers: Servers = snapshot
        .instances
        .values()
        .filter(|i| snapshot.annotations.active_downtime(&i.key, snapshot.at).is_some())
        .filter(|i| cluster.is_none_or(|name| i.cluster_name == name))
        .cloned()
        .collect();
    servers.sort_by(|a, b| (&a.cluster_name, a.depth, &a.key).cmp(&(&b.cluster_name, b.depth, &b.key)));
    servers
}

/// Servers with a problem, those in downtime and ignored ones left out, by key.
pub fn in_trouble(snapshot: &Snapshot, config: &Config) -> Servers {
    let limits = thresholds(config);
    let ignored = &config.candidates.problem_ignore_hostname_filters;
    snapshot
        .instances
        .values()
        .filter(|i| is_problem(i, &snapshot.annotations, &limits, snapshot.at))
        .filter(|i| !ignored.matches(&i.key.hostname, i.key.port))
        .cloned()
        .collect()
}

/// A sample of replicas by which a schema-change tool can judge lag: per data centre two of the first level, two replicas
/// of each of those, and two of the third level (`spec/api.md` 2.12).
pub fn control_replicas(snapshot: &Snapshot, config: &Config, cluster: &str) -> Servers {
    let limits = thresholds(config);
    let ignored = &config.candidates.osc_ignore_hostname_filters;
    let fit: Vec<&Arc<Instance>> = snapshot
        .cluster(cluster)
        .filter(|i| is_check_valid(&i.check, &limits, snapshot.at) && !i.is_binlog_server())
        .filter(|i| !ignored.matches(&i.key.hostname, i.key.port))
        .collect();
    let mut chosen: Vec<&Arc<Instance>> = two_per_data_center(fit.iter().copied().filter(|i| i.depth == 1));
    for head in chosen.clone() {
        let mut below: Vec<_> = fit.iter().copied().filter(|i| i.replication.source == head.key).collect();
        busiest_first(&mut below);
        chosen.extend(below.into_iter().take(2));
    }
    chosen.extend(two_per_data_center(fit.iter().copied().filter(|i| i.depth == 3)));
    let mut seen = Vec::new();
    for instance in chosen {
        if !seen.iter().any(|s: &Arc<Instance>| s.key == instance.key) {
            seen.push(Arc::clone(instance));
        }
    }
    seen
}

fn two_per_data_center<'a>(servers: impl Iterator<Item = &'a Arc<Instance>>) -> Vec<&'a Arc<Instance>> {
    let mut centers: BTreeMap<&str, Vec<&Arc<Instance>>> = BTreeMap::new();
    for instance in servers {
        centers.entry(&instance.data_center).or_default().push(instance);
    }
    let mut chosen = Vec::new();
    for (_, mut servers) in centers.into_iter().rev() {
        busiest_first(&mut servers);
        chosen.extend(servers.into_iter().take(2));
    }
    chosen
}

/// Those with more replicas first; of servers without any, those that lag more.
fn busiest_first(servers: &mut [&Arc<Instance>]) {
    servers.sort_by_key(|i| (Reverse(i.replicas.len()), Reverse(i.lag), i.key.clone()));
}

/// Servers of a cluster that are in a pool (in this one, if one is named), valid at their last check and no binlog servers,
/// by key. Those in downtime are among them.
pub fn pooled(snapshot: &Snapshot, config: &Config, members: &[PoolMember], cluster: &str, pool: &str) -> Servers {
    let limits = thresholds(config);
    let chosen: BTreeSet<&InstanceKey> =
        members.iter().filter(|m| pool.is_empty() || m.pool == pool).map(|m| &m.key).collect();
    let mut servers = of_cluster(snapshot, cluster);
    servers
        .retain(|i| chosen.contains(&i.key) && !i.is_binlog_server() && is_check_valid(&i.check, &limits, snapshot.at));
    servers
}

/// Replicas fit for gh-ost: row format with logged updates, a valid check, fewest replicas first.
pub fn online_change_replicas(snapshot: &Snapshot, config: &Config, cluster: &str) -> Servers {
    let limits = thresholds(config);
    let mut servers: Servers = snapshot
        .cluster(cluster)
        .filter(|i| i.depth > 0 && !i.is_binlog_server() && is_check_valid(&i.check, &limits, snapshot.at))
        .filter(|i| i.log_bin && i.log_replica_updates && i.binlog_format == "ROW")
        .cloned()
        .collect();
    servers.sort_by_key(|i| (i.replicas.len(), i.key.clone()));
    servers
}
