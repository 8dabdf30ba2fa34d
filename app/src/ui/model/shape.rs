//! The shape of a cluster: who hangs below whom. Every server is in it exactly once, whatever the replication looks
//! like: several roots, rings, sources that are not known (`spec/web-ui.md` 25.10).

use super::order::sort;
use crate::InstanceKey;
use crate::api::ServerView;
use crate::plan::Move;

/// What the shape of a cluster follows from: one row a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The server.
    pub key: InstanceKey,
    /// Its source, detached names put right; `None` without one.
    pub source: Option<InstanceKey>,
    /// More sources, of further channels.
    pub more_sources: Vec<InstanceKey>,
}

impl Row {
    /// Of a server.
    pub fn of(server: &ServerView) -> Self {
        let instance = &server.instance;
        let group = &instance.group;
        let source = if instance.is_replica() {
            Some(instance.replication.source.reattached())
        } else if group.role != "PRIMARY" && !group.primary.is_null() && group.primary != instance.key {
            Some(group.primary.clone())
        } else {
            None
        };
        let more = instance.channels.iter().map(|c| c.source.reattached());
        let more_sources = more.filter(|s| !s.hostname.is_empty() && Some(s) != source.as_ref()).collect();
        Self { key: instance.key.clone(), source, more_sources }
    }
}

/// A server in the forest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The server.
    pub key: InstanceKey,
    /// Place in `Forest::nodes` of the server it hangs below; `None` for a root.
    pub parent: Option<usize>,
    /// Places of those below it, in order.
    pub children: Vec<usize>,
    /// Steps below the root, from 0.
    pub depth: usize,
    /// Those below it that are not drawn (`super::fold`).
    pub hidden: Vec<InstanceKey>,
}

/// A line that is drawn beside the tree's own: the closing of a ring, or a further channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraEdge {
    /// Place of the source.
    pub source: usize,
    /// Place of the replica.
    pub replica: usize,
    /// It closes a ring.
    pub ring: bool,
}

/// All servers of a cluster, parents before children; the order depends on the rows' content only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forest {
    /// Servers.
    pub nodes: Vec<Node>,
    /// Places of the roots, in order.
    pub roots: Vec<usize>,
    /// Lines beside the tree's own.
    pub extra: Vec<ExtraEdge>,
}

impl Forest {
    /// Builds the forest. `first` is the root to be drawn first (the primary), if it is one.
    pub fn new(rows: &[Row], first: Option<&InstanceKey>) -> Self {
        let rows = Rows::new(rows);
        let first = first.and_then(|key| rows.find(key));
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); rows.0.len()];
        let mut is_root = vec![false; rows.0.len()];
        for row in 0..rows.0.len() {
            match rows.source(row).and_then(|source| below.get_mut(source)) {
                Some(siblings) => siblings.push(row),
                None => set(&mut is_root, row),
            }
        }
        // The head of a ring hangs below one of its own descendants: it is drawn as a root.
        for head in ring_heads(&rows, first) {
            set(&mut is_root, head);
        }
        let replicas = |row: usize| below.get(row).map(Vec::as_slice).unwrap_or_default();
        let mut roots: Vec<usize> = (0..rows.0.len()).filter(|row| is_root.get(*row) == Some(&true)).collect();
        let rank = |row: usize| (Some(row) != first, replicas(row).is_empty(), row);
        sort(&mut roots, &|a, b| rank(*a).cmp(&rank(*b)));

        let mut forest = Self::default();
        let mut place: Vec<usize> = vec![usize::MAX; rows.0.len()];
        let mut stack: Vec<(usize, Option<usize>)> = roots.iter().rev().map(|row| (*row, None)).collect();
        while let Some((row, parent)) = stack.pop() {
            let Some(key) = rows.0.get(row).map(|r| r.key.clone()) else { continue };
            let at = forest.nodes.len();
            let depth = parent.and_then(|p| forest.nodes.get(p)).map_or(0, |p| p.depth + 1);
            forest.nodes.push(Node { key, parent, children: Vec::new(), depth, hidden: Vec::new() });
            if let Some(slot) = place.get_mut(row) {
                *slot = at;
            }
            match parent.and_then(|p| forest.nodes.get_mut(p)) {
                Some(parent) => parent.children.push(at),
                None => forest.roots.push(at),
            }
            // Those with replicas stand first: they come off the stack before the others.
            for with_replicas in [false, true] {
                let children = replicas(row).iter().rev().filter(|child| is_root.get(**child) == Some(&false));
                let children = children.filter(|child| replicas(**child).is_empty() != with_replicas);
                stack.extend(children.map(|child| (*child, Some(at))));
            }
        }
        forest.extra = extra_edges(&rows, &place, &forest.nodes);
        forest
    }

    /// Place of a server.
    pub fn find(&self, key: &InstanceKey) -> Option<usize> {
        self.nodes.iter().position(|node| node.key == *key)
    }

    /// Hangs anywhere below (or is) the server at `top`.
    pub fn is_below(&self, mut at: usize, top: usize) -> bool {
        loop {
            if at == top {
                return true;
            }
            match self.nodes.get(at).and_then(|node| node.parent) {
                Some(parent) => at = parent,
                None => return false,
            }
        }
    }
}

/// Rows in the order of their keys, each once.
struct Rows<'a>(Vec<&'a Row>);

impl<'a> Rows<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut sorted: Vec<&Row> = rows.iter().collect();
        sort(&mut sorted, &|a, b| a.key.cmp(&b.key));
        sorted.dedup_by(|a, b| a.key == b.key);
        Self(sorted)
    }

    fn find(&self, key: &InstanceKey) -> Option<usize> {
        self.0.binary_search_by(|row| row.key.cmp(key)).ok()
    }

    /// The row of a row's source; `None` without one, or where it is not among these.
    fn source(&self, row: usize) -> Option<usize> {
        let source = self.0.get(row)?.source.as_ref()?;
        self.find(source).filter(|source| *source != row)
    }
}

fn set(flags: &mut [bool], at: usize) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = true;
    }
}

/// One row of each ring that no root leads to: `first` if it is one of them, else the first by key.
fn ring_heads(rows: &Rows<'_>, first: Option<usize>) -> Vec<usize> {
    let mut settled = vec![false; rows.0.len()];
    let mut heads = Vec::new();
    for start in 0..rows.0.len() {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        while settled.get(at) == Some(&false) {
            if let Some(begin) = path.iter().position(|row| *row == at) {
                let ring = path.get(begin..).unwrap_or_default();
                heads.extend(
                    ring.iter().copied().find(|row| Some(*row) == first).or_else(|| ring.iter().copied().min()),
                );
                break;
            }
            path.push(at);
            match rows.source(at) {
                Some(source) => at = source,
                None => break,
            }
        }
        path.into_iter().for_each(|row| set(&mut settled, row));
    }
    heads
}

fn extra_edges(rows: &Rows<'_>, place: &[usize], nodes: &[Node]) -> Vec<ExtraEdge> {
    let mut extra = Vec::new();
    let drawn = |key: &InstanceKey| rows.find(key).and_then(|row| place.get(row)).copied();
    for row in &rows.0 {
        let Some(replica) = drawn(&row.key) else { continue };
        let parent = nodes.get(replica).and_then(|n| n.parent);
        let ring = row.source.iter().filter_map(drawn).filter(|s| Some(*s) != parent && *s != replica);
        extra.extend(ring.map(|source| ExtraEdge { source, replica, ring: true }));
        let more = row.more_sources.iter().filter_map(drawn).filter(|s| *s != replica);
        extra.extend(more.map(|source| ExtraEdge { source, replica, ring: false }));
    }
    extra
}

/// The rows as they would be after these moves.
pub fn after(rows: &[Row], moves: &[Move]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if let Some(moved) = moves.iter().find(|m| m.server == row.key) {
            row.source = (!moved.to.is_null()).then(|| moved.to.clone());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: usize) -> InstanceKey {
        InstanceKey::new(format!("db{n:03}"), 3306)
    }

    fn row(n: usize, source: Option<usize>) -> Row {
        Row { key: key(n), source: source.map(key), more_sources: Vec::new() }
    }

    fn drawn(forest: &Forest) -> Vec<(String, usize)> {
        forest.nodes.iter().map(|n| (n.key.hostname.clone(), n.depth)).collect()
    }

    #[test]
    fn replicas_hang_below_their_source_and_those_with_replicas_come_first() {
        let rows = [row(1, None), row(2, Some(1)), row(3, Some(1)), row(4, Some(3))];
        let forest = Forest::new(&rows, None);
        let expected = [("db001", 0), ("db003", 1), ("db004", 2), ("db002", 1)];
        assert_eq!(drawn(&forest), expected.map(|(n, d)| (n.to_owned(), d)));
        assert!(forest.extra.is_empty());
    }

    #[test]
    fn every_root_is_drawn_and_the_primary_first() {
        let rows = [row(1, None), row(2, None), row(3, Some(2)), row(4, Some(77))];
        let forest = Forest::new(&rows, Some(&key(2)));
        let roots: Vec<_> = forest.roots.iter().map(|r| forest.nodes[*r].key.hostname.clone()).collect();
        assert_eq!(roots, ["db002", "db001", "db004"], "a server whose source is not known is a root");
    }

    #[test]
    fn a_ring_is_opened_at_the_primary_and_closed_by_an_extra_line() {
        let rows = [row(1, Some(3)), row(2, Some(1)), row(3, Some(2)), row(4, Some(3))];
        let forest = Forest::new(&rows, Some(&key(2)));
        assert_eq!(forest.nodes[forest.roots[0]].key, key(2));
        let ring = &forest.extra[0];
        assert!(ring.ring);
        assert_eq!((forest.nodes[ring.source].key.clone(), forest.nodes[ring.replica].key.clone()), (key(1), key(2)));
    }

    #[test]
    fn moves_show_the_shape_afterwards() {
        let rows = [row(1, None), row(2, Some(1)), row(3, Some(1))];
        let moved = Move { server: key(3), from: key(1), to: key(2) };
        let forest = Forest::new(&after(&rows, &[moved]), None);
        assert_eq!(forest.nodes.iter().map(|n| n.depth).collect::<Vec<_>>(), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn every_server_is_drawn_exactly_once(sources in prop::collection::vec(prop::option::of(0usize..14), 0..12)) {
            let rows: Vec<Row> = sources.iter().enumerate().map(|(n, s)| row(n, *s)).collect();
            let forest = Forest::new(&rows, Some(&key(1)));
            let mut keys: Vec<_> = forest.nodes.iter().map(|n| n.key.clone()).collect();
            keys.sort();
            prop_assert_eq!(keys, rows.iter().map(|r| r.key.clone()).collect::<Vec<_>>());
            for (at, node) in forest.nodes.iter().enumerate() {
                prop_assert!(node.parent.is_none_or(|p| p < at));
                for child in &node.children {
                    prop_assert_eq!(forest.nodes[*child].parent, Some(at));
                }
            }
        }
    }
}
