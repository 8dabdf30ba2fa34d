//! What is worked out about servers from the whole picture: cluster name and alias, depth, co-sources, ancestry, errant
//! transactions (`spec/discovery.md` 10, 11).
//!
//! The original moves these one level down per poll and asks the server for errant transactions. Here they are computed from
//! the top down in one pass over a snapshot, so that a deep chain is right at once and costs no query.

use std::sync::Arc;

use app::InstanceKey;
use app::gtid::{self, GtidSet, ServerUuid};
use app::topology::graph::{Graph, parent_key};
use app::topology::{Annotations, Instance, Snapshot};
use regex::Regex;

/// No tree is looked up higher than this.
const HIGHEST: usize = 64;

/// Configuration that names clusters.
#[derive(Debug, Clone, Default)]
pub struct AttributionRules {
    /// `ClusterNameToAlias`: pattern of the cluster name, and alias. The first match counts.
    pub cluster_name_to_alias: Vec<(Regex, String)>,
}

/// Works out the attributes of every server and answers those that differ from what they carry, whole and
/// in key order.
///
/// - **Cluster name**: the key text of the topmost server. A ring of co-sources keeps the name it has, if that is the
///   key of one of them (the most frequent such name, then the smallest), else takes the smallest key.
/// - **Depth**: steps below the server that gives the name.
/// - **Alias**: the override of an operator; else what the topmost server suggests (the answer of its own query or, without one,
///   its last alias); else the first matching pattern. What servers below suggest does not count: it may be left over from the
///   cluster they came from.
/// - **Ancestry**: the UUIDs of all ancestors from the top down, own UUID, own group name. In a ring: of its other servers.
/// - **Errant transactions**: see [`errant`].
pub fn attribute(snapshot: &Snapshot, rules: &AttributionRules) -> Vec<Instance> {
    let graph = Graph::new(snapshot);
    let mut pass =
        Pass { graph: &graph, annotations: &snapshot.annotations, rules, done: vec![None; graph.nodes().len()] };
    pass.run();
    let worked_out = pass.done;
    graph.nodes().iter().zip(worked_out).filter_map(|(node, attributes)| changed(node, attributes?, &graph)).collect()
}

/// Transactions that `instance` holds and its source does not, in the form a server prints; empty when one of them has no
/// MySQL GTID. When a set cannot be read, what was known before stays.
///
/// Transactions of ancestors at any height, of the sources of any channel of the two and of the group are not judged, as
/// the two servers are read at different moments; on co-sources neither are the server's own. Relies on `ancestry` and
/// `is_co_source` being right.
pub fn errant(instance: &Instance, source: Option<&Instance>) -> String {
    let Some(source) = source else { return String::new() };
    let (own, theirs) = (&instance.executed_gtid, &source.executed_gtid);
    let comparable = |server: &Instance| !server.is_mariadb() && !server.executed_gtid.is_empty();
    if own == theirs || !comparable(instance) || !comparable(source) {
        return String::new();
    }
    let (Ok(own), Ok(theirs)) = (GtidSet::parse(own), GtidSet::parse(theirs)) else {
        return instance.errant_gtid.clone();
    };
    gtid::errant(&own, &theirs, &unjudged(instance, source)).to_string()
}

/// The same in a picture, where what came on other channels is known to be nobody's error: the sources of all channels of the server and of
/// every server above it, and whatever is above those. `find` gives a server of the picture.
pub fn errant_among<'a>(instance: &Instance, find: impl Fn(&InstanceKey) -> Option<&'a Instance>) -> String {
    let suspected = errant(instance, find(parent_key(instance)));
    let Ok(mut rest) = GtidSet::parse(&suspected) else { return suspected };
    if rest.is_empty() {
        return suspected;
    }
    // What the sources of its further channels hold came from there.
    for source in instance.channels.iter().filter_map(|channel| find(&channel.source)) {
        if let Ok(held) = GtidSet::parse(&source.executed_gtid) {
            rest = rest.subtract(&held);
        }
    }
    let mut foreign: Vec<ServerUuid> = vec![];
    let mut at = Some(instance);
    for _ in 0..HIGHEST {
        let Some(server) = at else { break };
        foreign.extend(channel_uuids(server).filter_map(|text| text.parse::<ServerUuid>().ok()));
        for source in server.channels.iter().filter_map(|channel| find(&channel.source)) {
            foreign.extend(source.ancestry.split(',').filter_map(|text| text.parse::<ServerUuid>().ok()));
        }
        at = find(parent_key(server));
    }
    let own: Option<ServerUuid> = instance.server_uuid.parse().ok().filter(|_| !instance.is_co_source);
    foreign.retain(|uuid| Some(*uuid) != own);
    rest.without_sources(&foreign).to_string()
}

/// UUIDs whose transactions may be on their way from source to replica.
fn unjudged(instance: &Instance, source: &Instance) -> Vec<ServerUuid> {
    let channels = |server| channel_uuids(server).collect::<Vec<&str>>();
    let ancestors = instance.ancestry.split(',').filter(|uuid| *uuid != instance.server_uuid);
    let own = instance.is_co_source.then_some(instance.server_uuid.as_str());
    let texts = ancestors.chain(own).chain([source.server_uuid.as_str()]);
    // MariaDB and servers that report none have texts that are no UUIDs.
    texts.chain(channels(instance)).chain(channels(source)).filter_map(|text| text.parse().ok()).collect()
}

fn channel_uuids(server: &Instance) -> impl Iterator<Item = &str> {
    std::iter::once(&server.replication).chain(&server.channels).map(|channel| channel.source_uuid.as_str())
}

/// What is worked out about one server, errant transactions apart.
#[derive(Debug, Clone)]
struct Attributes {
    cluster_name: Arc<str>,
    alias: Arc<str>,
    depth: u32,
    is_co_source: bool,
    ancestry: String,
}

/// One pass over a graph.
struct Pass<'a> {
    graph: &'a Graph<'a>,
    annotations: &'a Annotations,
    rules: &'a AttributionRules,
    done: Vec<Option<Attributes>>,
}

impl Pass<'_> {
    /// Every tree from its top: a root, or a ring.
    fn run(&mut self) {
        for at in 0..self.graph.nodes().len() {
            let ring = self.graph.ring_at(at);
            if !ring.is_empty() {
                if ring.first() == Some(&at) {
                    self.name_ring(ring);
                    ring.iter().for_each(|member| self.descend(*member));
                }
            } else if self.graph.parent_at(at).is_none() {
                self.name_root(at);
                self.descend(at);
            }
        }
    }

    fn name_root(&mut self, at: usize) {
        let Some(root) = self.graph.nodes().get(at) else { return };
        let cluster_name: Arc<str> = root.key.to_string().into();
        let alias = self.alias(&cluster_name, &root.suggested_cluster_alias);
        let itself = root.replication.source == root.key;
        let ancestry = joined([root.server_uuid.as_str(), root.group.name.as_str()]);
        self.set(at, Attributes { cluster_name, alias, depth: 0, is_co_source: itself, ancestry });
    }

    fn name_ring(&mut self, ring: &[usize]) {
        let nodes: Vec<&Arc<Instance>> = ring.iter().filter_map(|at| self.graph.nodes().get(*at).copied()).collect();
        let Some(head) = head_of_ring(&nodes) else { return };
        let cluster_name: Arc<str> = nodes.get(head).map(|n| n.key.to_string()).unwrap_or_default().into();
        let suggested = nodes.iter().cycle().skip(head).take(nodes.len()).map(|n| n.suggested_cluster_alias.as_str());
        let alias = self.alias(&cluster_name, suggested.into_iter().find(|s| !s.is_empty()).unwrap_or_default());
        for (place, (at, node)) in ring.iter().zip(&nodes).enumerate() {
            // Once around, from the server's own replica to its source.
            let others = nodes.iter().cycle().skip(place + 1).take(nodes.len() - 1);
            let uuids =
                others.map(|n| n.server_uuid.as_str()).chain([node.server_uuid.as_str(), node.group.name.as_str()]);
            let depth = (place + nodes.len() - head) % nodes.len();
            let attributes = Attributes {
                cluster_name: Arc::clone(&cluster_name),
                alias: Arc::clone(&alias),
                depth: u32::try_from(depth).unwrap_or(u32::MAX),
                is_co_source: true,
                ancestry: joined(uuids),
            };
            self.set(*at, attributes);
        }
    }

    /// Everything below a server that is done; rings are done by themselves.
    fn descend(&mut self, top: usize) {
        let mut open = vec![top];
        while let Some(at) = open.pop() {
            let Some(above) = self.done.get(at).cloned().flatten() else { continue };
            for child in self.graph.children_at(at) {
                if self.done.get(*child).is_none_or(Option::is_some) {
                    continue;
                }
                let Some(node) = self.graph.nodes().get(*child) else { continue };
                let attributes = Attributes {
                    cluster_name: Arc::clone(&above.cluster_name),
                    alias: Arc::clone(&above.alias),
                    depth: above.depth.saturating_add(1),
                    is_co_source: false,
                    ancestry: joined([above.ancestry.as_str(), node.server_uuid.as_str(), node.group.name.as_str()]),
                };
                self.set(*child, attributes);
                open.push(*child);
            }
        }
    }

    /// Override, suggestion, pattern.
    fn alias(&self, cluster_name: &str, suggested: &str) -> Arc<str> {
        let overridden = self.annotations.cluster_alias_overrides.get(cluster_name).filter(|alias| !alias.is_empty());
        if let Some(alias) = overridden {
            return alias.as_str().into();
        }
        if !suggested.is_empty() {
            return suggested.into();
        }
        let matching = self.rules.cluster_name_to_alias.iter().find(|(pattern, _)| pattern.is_match(cluster_name));
        matching.map(|(_, alias)| alias.as_str()).unwrap_or_default().into()
    }

    fn set(&mut self, at: usize, attributes: Attributes) {
        if let Some(slot) = self.done.get_mut(at) {
            *slot = Some(attributes);
        }
    }
}

/// The place in the ring of the server that gives the cluster its name.
fn head_of_ring(ring: &[&Arc<Instance>]) -> Option<usize> {
    let votes = |candidate: &InstanceKey| {
        let name = candidate.to_string();
        ring.iter().filter(|member| member.cluster_name == name).count()
    };
    let places = ring.iter().enumerate();
    places.min_by_key(|(_, node)| (std::cmp::Reverse(votes(&node.key)), node.key.clone())).map(|(place, _)| place)
}

/// A server of the graph.
fn find<'a>(graph: &Graph<'a>, key: &InstanceKey) -> Option<&'a Instance> {
    graph.nodes().get(graph.position(key)?).copied().map(AsRef::as_ref)
}

/// The server with its new attributes, if they are new.
fn changed(node: &Instance, attributes: Attributes, graph: &Graph) -> Option<Instance> {
    let same = node.cluster_name == *attributes.cluster_name
        && node.suggested_cluster_alias == *attributes.alias
        && node.depth == attributes.depth
        && node.is_co_source == attributes.is_co_source
        && node.ancestry == attributes.ancestry;
    if same {
        let errant = errant_among(node, |key| find(graph, key));
        return (errant != node.errant_gtid).then(|| Instance { errant_gtid: errant, ..node.clone() });
    }
    let mut fresh = node.clone();
    fresh.cluster_name = attributes.cluster_name.to_string();
    fresh.suggested_cluster_alias = attributes.alias.to_string();
    fresh.depth = attributes.depth;
    fresh.is_co_source = attributes.is_co_source;
    fresh.ancestry = attributes.ancestry;
    fresh.errant_gtid = errant_among(&fresh, |key| find(graph, key));
    Some(fresh)
}

/// The texts that are not empty, joined by commas.
fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(",")
}
