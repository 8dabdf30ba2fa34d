//! Who replicates from whom.
//!
//! A [`Graph`] is made from a [`Snapshot`] in one pass and answers without looking at the servers again. Every server has
//! at most one *parent* (the source of its managed channel, or the primary of its group), so the parents form trees, except
//! where sources replicate from each other in a ring. Channels besides the managed one are *edges* but do not shape the tree.
//!
//! Nothing here can loop: rings of any length are found once, when the graph is made. Answers are in key order
//! where nothing else is said.

use std::sync::Arc;

use super::{Instance, Replication, Snapshot};
use crate::InstanceKey;

/// The key under which a server hangs in the tree: the primary of the group for its other members, else the
/// configured source (`spec/api.md` 4.1). Null, a placeholder or detached when there is none.
pub fn parent_key(instance: &Instance) -> &InstanceKey {
    let group = &instance.group;
    if instance.is_group_member() && !group.primary.is_null() && group.primary != instance.key {
        &group.primary
    } else {
        &instance.replication.source
    }
}

/// Member of a group that is not its primary, as far as the primary is known.
pub fn is_group_secondary(instance: &Instance) -> bool {
    instance.is_group_member() && instance.group.primary != instance.key && instance.group.role != "PRIMARY"
}

/// One channel between two known servers.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'a> {
    /// The source.
    pub source: &'a Arc<Instance>,
    /// The replica.
    pub replica: &'a Arc<Instance>,
    /// The replica's channel.
    pub channel: &'a Replication,
    /// It is the channel that shapes the tree.
    pub managed: bool,
}

/// Who replicates from whom, at the moment of a snapshot.
///
/// Servers are numbered in key order; methods ending in `_at` take and give these numbers. A number that is
/// none has no parent and no children.
#[derive(Debug)]
pub struct Graph<'a> {
    nodes: Vec<&'a Arc<Instance>>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    /// By node, the ring it is part of.
    ring_of: Vec<Option<usize>>,
    /// Members of each ring, source before replica, beginning with the smallest key.
    rings: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    /// The graph of a snapshot.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let nodes: Vec<&Arc<Instance>> = snapshot.instances.values().collect();
        let position = |key: &InstanceKey| nodes.binary_search_by(|node| node.key.cmp(key)).ok();
        let parents: Vec<Option<usize>> = nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let key = parent_key(node);
                // A server that names itself as its source has no parent.
                if key.is_valid() { position(key).filter(|parent| *parent != at) } else { None }
            })
            .collect();
        let mut children = vec![Vec::new(); nodes.len()];
        for (child, parent) in parents.iter().enumerate() {
            if let Some(list) = parent.and_then(|p| children.get_mut(p)) {
                list.push(child);
            }
        }
        let rings = find_rings(&parents);
        let mut ring_of = vec![None; nodes.len()];
        for (number, ring) in rings.iter().enumerate() {
            for member in ring {
                if let Some(slot) = ring_of.get_mut(*member) {
                    *slot = Some(number);
                }
            }
        }
        Self { nodes, parents, children, ring_of, rings }
    }

    /// All servers, in key order.
    pub fn nodes(&self) -> &[&'a Arc<Instance>] {
        &self.nodes
    }

    /// The number of a server.
    pub fn position(&self, key: &InstanceKey) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.key.cmp(key)).ok()
    }

    /// The number of the parent.
    pub fn parent_at(&self, at: usize) -> Option<usize> {
        self.parents.get(at).copied().flatten()
    }

    /// The numbers of the children.
    pub fn children_at(&self, at: usize) -> &[usize] {
        self.children.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// The numbers of the ring that a server is part of, source before replica; empty for all others.
    pub fn ring_at(&self, at: usize) -> &[usize] {
        let ring = self.ring_of.get(at).copied().flatten().and_then(|number| self.rings.get(number));
        ring.map(Vec::as_slice).unwrap_or_default()
    }

    /// The parent, if it is known.
    pub fn parent(&self, key: &InstanceKey) -> Option<&'a Arc<Instance>> {
        self.node(self.parent_at(self.position(key)?)?)
    }

    /// The servers right below: replicas by the managed channel, and group members below their primary.
    pub fn children(&self, key: &InstanceKey) -> Vec<&'a Arc<Instance>> {
        let at = self.position(key);
        self.collect(at.map(|at| self.children_at(at)).unwrap_or_default().iter().copied())
    }

    /// Servers without a known parent. The servers of a ring all have one: see [`Self::rings`].
    pub fn roots(&self) -> Vec<&'a Arc<Instance>> {
        self.collect((0..self.nodes.len()).filter(|at| self.parent_at(*at).is_none()))
    }

    /// Rings of co-sources: each source before its replica, beginning with the smallest key.
    pub fn rings(&self) -> Vec<Vec<&'a Arc<Instance>>> {
        self.rings.iter().map(|ring| self.collect(ring.iter().copied())).collect()
    }

    /// The server is part of a ring: what it writes comes back to it.
    pub fn is_co_source(&self, key: &InstanceKey) -> bool {
        self.position(key).is_some_and(|at| !self.ring_at(at).is_empty())
    }

    /// Everything below a server, parents before children and depth first; in a ring that is everything else.
    pub fn descendants(&self, key: &InstanceKey) -> Vec<&'a Arc<Instance>> {
        let Some(start) = self.position(key) else { return Vec::new() };
        self.collect(self.descendants_at(start).into_iter())
    }

    /// Numbers of everything below a server, parents before children and depth first.
    pub fn descendants_at(&self, start: usize) -> Vec<usize> {
        let mut below = Vec::new();
        let mut open: Vec<usize> = self.children_at(start).iter().rev().copied().collect();
        while let Some(at) = open.pop() {
            // The only way back to the start is around its own ring.
            if at != start {
                below.push(at);
                open.extend(self.children_at(at).iter().rev());
            }
        }
        below
    }

    /// Everything above a server, nearest first. A ring is gone around once, without coming back to the server itself.
    pub fn ancestors(&self, key: &InstanceKey) -> Vec<&'a Arc<Instance>> {
        let Some(start) = self.position(key) else { return Vec::new() };
        self.collect(self.ancestors_at(start).into_iter())
    }

    /// Numbers of everything above a server, nearest first.
    pub fn ancestors_at(&self, start: usize) -> Vec<usize> {
        let mut above: Vec<usize> = Vec::new();
        let mut ring_entry = None;
        let mut next = self.parent_at(start);
        while let Some(at) = next {
            if at == start || ring_entry == Some(at) {
                break;
            }
            if ring_entry.is_none() && !self.ring_at(at).is_empty() {
                ring_entry = Some(at);
            }
            above.push(at);
            next = self.parent_at(at);
        }
        above
    }

    /// `below` gets what `above` writes, directly or through others.
    pub fn is_descendant(&self, below: &InstanceKey, above: &InstanceKey) -> bool {
        self.ancestors(below).iter().any(|node| node.key == *above)
    }

    /// The top of the server's tree: its root, or all servers of the ring above it.
    pub fn top(&self, key: &InstanceKey) -> Vec<&'a Arc<Instance>> {
        let Some(start) = self.position(key) else { return Vec::new() };
        let topmost = self
            .ancestors_at(start)
            .into_iter()
            .chain([start])
            .find(|at| self.parent_at(*at).is_none() || !self.ring_at(*at).is_empty());
        let Some(topmost) = topmost else { return Vec::new() };
        let ring = self.ring_at(topmost);
        if ring.is_empty() { self.collect([topmost].into_iter()) } else { self.collect(ring.iter().copied()) }
    }

    /// All servers of the tree that a server is part of, in key order.
    pub fn tree(&self, key: &InstanceKey) -> Vec<&'a Arc<Instance>> {
        let Some(top) = self.top(key).first().and_then(|node| self.position(&node.key)) else { return Vec::new() };
        let mut members = self.descendants_at(top);
        members.push(top);
        members.sort_unstable();
        self.collect(members.into_iter())
    }

    /// The servers between two of one tree, both included: up from the first to the nearest common one, then down.
    /// `None` when they are in different trees.
    pub fn path(&self, from: &InstanceKey, to: &InstanceKey) -> Option<Vec<&'a Arc<Instance>>> {
        let line = |key: &InstanceKey| {
            let start = self.position(key)?;
            Some([start].into_iter().chain(self.ancestors_at(start)).collect::<Vec<usize>>())
        };
        let (up, down) = (line(from)?, line(to)?);
        let (turn, common) = up.iter().enumerate().find(|(_, at)| down.contains(at))?;
        let back = down.iter().position(|at| at == common)?;
        Some(self.collect(up.iter().take(turn + 1).chain(down.iter().take(back).rev()).copied()))
    }

    /// Every channel whose source is known, by replica and then in the order of its channels.
    pub fn edges(&self) -> Vec<Edge<'a>> {
        let mut edges = Vec::new();
        for replica in &self.nodes {
            let managed = &replica.replication;
            let others = replica.channels.iter().filter(|c| c.channel != managed.channel);
            for (channel, managed) in std::iter::once((managed, true)).chain(others.map(|c| (c, false))) {
                let source = self.position(&channel.source).and_then(|at| self.node(at));
                edges.extend(source.map(|source| Edge { source, replica, channel, managed }));
            }
        }
        edges
    }

    /// Sources that replicas name but nobody has ever looked at, each once.
    pub fn unknown_sources(&self) -> Vec<&'a InstanceKey> {
        let channels = self.nodes.iter().flat_map(|node| std::iter::once(&node.replication).chain(&node.channels));
        let named = channels.map(|channel| &channel.source).filter(|key| key.is_valid());
        let mut unknown: Vec<&InstanceKey> = named.filter(|key| self.position(key).is_none()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Servers whose source name was broken on purpose.
    pub fn detached(&self) -> Vec<&'a Arc<Instance>> {
        self.nodes.iter().copied().filter(|node| node.replication.source.is_detached()).collect()
    }

    fn node(&self, at: usize) -> Option<&'a Arc<Instance>> {
        self.nodes.get(at).copied()
    }

    fn collect(&self, numbers: impl Iterator<Item = usize>) -> Vec<&'a Arc<Instance>> {
        numbers.filter_map(|at| self.node(at)).collect()
    }
}

/// `below` gets what `above` writes, told without a [`Graph`]: up from `below`, one look-up a level.
pub fn is_below(snapshot: &Snapshot, below: &Instance, above: &InstanceKey) -> bool {
    let mut seen: Vec<&InstanceKey> = vec![&below.key];
    let mut next = parent_key(below);
    while !seen.contains(&next) {
        if next == above {
            return true;
        }
        seen.push(next);
        match snapshot.get(next) {
            Some(parent) => next = parent_key(parent),
            None => return false,
        }
    }
    false
}

/// The rings in a forest where every node has at most one parent.
fn find_rings(parents: &[Option<usize>]) -> Vec<Vec<usize>> {
    // By node, the number of the walk that came by first.
    let mut walked: Vec<Option<usize>> = vec![None; parents.len()];
    let mut rings = Vec::new();
    for start in 0..parents.len() {
        let mut next = Some(start);
        while let Some(at) = next {
            match walked.get_mut(at) {
                Some(mark @ None) => *mark = Some(start),
                Some(Some(walk)) if *walk == start => {
                    rings.push(ring_through(parents, at));
                    break;
                }
                _ => break,
            }
            next = parents.get(at).copied().flatten();
        }
    }
    rings
}

/// The ring that `member` is part of, source before replica, beginning with the smallest number.
fn ring_through(parents: &[Option<usize>], member: usize) -> Vec<usize> {
    let mut upwards = vec![member];
    let mut next = parents.get(member).copied().flatten();
    while let Some(at) = next.filter(|at| *at != member) {
        upwards.push(at);
        next = parents.get(at).copied().flatten();
    }
    upwards.reverse();
    let smallest = upwards.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
    upwards.rotate_left(smallest);
    upwards
}

#[cfg(test)]
mod tests;
