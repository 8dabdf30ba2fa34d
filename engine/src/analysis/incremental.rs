//! Analysis that goes on from the last pass: only clusters in which something changed are looked at again.
//!
//! What a pass finds about a server rests on the server, on the replicas that point at it, on annotations, settings, and time.
//! Servers are shared between snapshots, so one that is still the very same object has not changed. Everything else
//! is met like this:
//!
//! - a changed server makes its own cluster due, before and after, and those of the sources that it has or had;
//! - a server whose probe hangs, or a hold on a server that runs out, makes its cluster due at that very moment;
//! - a source that waits for acknowledgements is looked at in every pass: its evidence is kept by the caller;
//! - other annotations or settings make everything due.
//!
//! What is found is the same as from scratch, finding by finding; a property test holds it to that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::topology::status::hangs_from;
use app::topology::{Annotations, Instance, Snapshot};
use chrono::{DateTime, Utc};

use super::row::{Link, links_of};
use super::{AnalysisSettings, analyse_one, in_order};

/// What the last pass found, and what it was found in.
#[derive(Debug, Default)]
pub struct Incremental {
    instances: Arc<BTreeMap<InstanceKey, Arc<Instance>>>,
    annotations: Arc<Annotations>,
    settings: AnalysisSettings,
    clusters: HashMap<String, Cluster>,
    /// By source, known or not: the servers with a channel from it.
    replicas: HashMap<InstanceKey, BTreeSet<InstanceKey>>,
    /// The next end of a downtime or maintenance.
    hold_ends: Option<DateTime<Utc>>,
}

/// One cluster as of the last pass.
#[derive(Debug, Default)]
struct Cluster {
    members: BTreeSet<InstanceKey>,
    findings: Vec<Finding>,
    /// From then on something may be different without a change of any server.
    due: Option<DateTime<Utc>>,
    /// Looked at in every pass.
    always: bool,
}

impl Incremental {
    /// What is wrong anywhere, in the order and words of [`super::analyse`].
    pub fn analyse(&mut self, snapshot: &Snapshot, settings: &AnalysisSettings, now: DateTime<Utc>) -> Vec<Finding> {
        let everything = !self.settings.finds_the_same(settings)
            || self.hold_ends.is_some_and(|end| end <= now)
            || !same_for_analysis(&self.annotations, &snapshot.annotations);
        self.settings = settings.clone();
        let mut due = self.take_over(&snapshot.instances);
        if everything {
            self.hold_ends = next_end(&snapshot.annotations, now);
            due.extend(self.clusters.keys().cloned());
        }
        self.annotations = Arc::clone(&snapshot.annotations);
        let by_time = self.clusters.iter().filter(|(_, c)| c.always || c.due.is_some_and(|at| at <= now));
        due.extend(by_time.map(|(name, _)| name.clone()));
        for name in due {
            self.look_at(&name, snapshot, settings, now);
        }
        let mut findings: Vec<Finding> = self.clusters.values().flat_map(|c| c.findings.iter().cloned()).collect();
        findings.sort_by(|a, b| a.key.cmp(&b.key));
        in_order(findings)
    }

    /// Servers that others replicate from, as of the last pass.
    pub fn sources(&self) -> impl Iterator<Item = &InstanceKey> {
        self.replicas.keys().filter(|key| self.instances.contains_key(*key))
    }

    /// Takes in the servers of a new snapshot; answers the clusters in which something changed.
    fn take_over(&mut self, fresh: &Arc<BTreeMap<InstanceKey, Arc<Instance>>>) -> BTreeSet<String> {
        let mut due = BTreeSet::new();
        if Arc::ptr_eq(&self.instances, fresh) {
            return due;
        }
        let before = std::mem::replace(&mut self.instances, Arc::clone(fresh));
        for (old, new) in differences(&before, fresh) {
            if !old.zip(new).is_some_and(|(old, new)| same_place(old, new)) {
                if let Some(old) = old {
                    self.forget(old);
                }
                if let Some(new) = new {
                    self.learn(new);
                }
            }
            for instance in old.into_iter().chain(new) {
                due.insert(instance.cluster_name.clone());
                let sources = links_of(instance).filter_map(|(source, _)| fresh.get(source));
                due.extend(sources.map(|source| source.cluster_name.clone()));
            }
        }
        due
    }

    fn forget(&mut self, instance: &Arc<Instance>) {
        if let Some(cluster) = self.clusters.get_mut(&instance.cluster_name) {
            cluster.members.remove(&instance.key);
        }
        for (source, _) in links_of(instance) {
            if let Some(replicas) = self.replicas.get_mut(source) {
                replicas.remove(&instance.key);
                if replicas.is_empty() {
                    self.replicas.remove(source);
                }
            }
        }
    }

    fn learn(&mut self, instance: &Arc<Instance>) {
        let cluster = self.clusters.entry(instance.cluster_name.clone()).or_default();
        cluster.members.insert(instance.key.clone());
        for (source, _) in links_of(instance) {
            self.replicas.entry(source.clone()).or_default().insert(instance.key.clone());
        }
    }

    /// Looks at one cluster from scratch.
    fn look_at(&mut self, name: &str, snapshot: &Snapshot, settings: &AnalysisSettings, now: DateTime<Utc>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if cluster.members.is_empty() {
            self.clusters.remove(name);
            return;
        }
        cluster.findings.clear();
        cluster.due = None;
        for key in &cluster.members {
            let Some(instance) = self.instances.get(key) else { continue };
            let replicas: Vec<&Arc<Instance>> = self
                .replicas
                .get(key)
                .into_iter()
                .flatten()
                .filter_map(|replica| self.instances.get(replica))
                .collect();
            let concerned = replicas.iter().copied().chain([instance]);
            let hangs = concerned.filter_map(|server| hangs_from(&server.check, &settings.thresholds));
            cluster.due = hangs.filter(|from| *from > now).chain(cluster.due).min();
            let links = replicas.into_iter().flat_map(links_of).filter(|(source, _)| *source == key);
            let links: Vec<Link> = links.map(|(_, link)| link).collect();
            cluster.findings.extend(analyse_one(instance, links.into_iter(), snapshot, settings, now));
        }
        let waits = [AnalysisCode::LockedSemiSyncSource, AnalysisCode::LockedSemiSyncSourceHypothesis];
        cluster.always = cluster.findings.iter().any(|finding| waits.contains(&finding.code));
    }
}

/// A server before or after; `None` where it was not there.
type Server<'a> = Option<&'a Arc<Instance>>;

/// What two lists of servers do not share: before and after, one of them missing where a server came or went.
fn differences<'a>(
    before: &'a BTreeMap<InstanceKey, Arc<Instance>>,
    after: &'a BTreeMap<InstanceKey, Arc<Instance>>,
) -> Vec<(Server<'a>, Server<'a>)> {
    let (mut old, mut new) = (before.values().peekable(), after.values().peekable());
    let mut found = Vec::new();
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                old.next();
                new.next();
            }
            (Some(a), Some(b)) => {
                let order = a.key.cmp(&b.key);
                found.push((old.next_if(|_| order.is_le()), new.next_if(|_| order.is_ge())));
            }
            _ => found.push((old.next(), new.next())),
        }
    }
}

/// Same cluster, same sources.
fn same_place(a: &Arc<Instance>, b: &Arc<Instance>) -> bool {
    a.cluster_name == b.cluster_name && links_of(a).map(|(s, _)| s).eq(links_of(b).map(|(s, _)| s))
}

/// Nothing that analysis looks at differs.
fn same_for_analysis(a: &Arc<Annotations>, b: &Arc<Annotations>) -> bool {
    Arc::ptr_eq(a, b)
        || (a.downtime == b.downtime
            && a.maintenance == b.maintenance
            && a.cluster_aliases == b.cluster_aliases
            && a.cluster_alias_overrides == b.cluster_alias_overrides
            && a.cluster_domains == b.cluster_domains)
}

/// When the next downtime or maintenance runs out.
fn next_end(annotations: &Annotations, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let downtimes = annotations.downtime.values().map(|d| d.end);
    downtimes.chain(annotations.maintenance.values().map(|m| m.end)).filter(|end| *end > now).min()
}
