use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::topology::Annotations;

fn key(name: &str) -> InstanceKey {
    InstanceKey::parse(name, 3306).expect(name)
}

/// `replica<source` pairs; a name alone has no source.
fn snapshot(servers: &[&str]) -> Snapshot {
    let instances = servers.iter().map(|text| {
        let (name, source) = text.split_once('<').unwrap_or((text, ""));
        let source = if source.is_empty() { InstanceKey::default() } else { key(source) };
        Instance { key: key(name), replication: Replication { source, ..Default::default() }, ..Default::default() }
    });
    Snapshot::new(instances, Annotations::default(), DateTime::<Utc>::UNIX_EPOCH)
}

fn names<'a>(nodes: impl IntoIterator<Item = &'a Arc<Instance>>) -> String {
    nodes.into_iter().map(|node| node.key.hostname.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_forest_is_walked_up_and_down_in_key_order() {
    let snapshot = snapshot(&["a", "c<a", "b<a", "e<c", "d<b", "x", "y<x", "lost<gone"]);
    let graph = Graph::new(&snapshot);
    assert_eq!(names(graph.roots()), "a lost x");
    assert_eq!(names(graph.children(&key("a"))), "b c");
    assert_eq!(names(graph.descendants(&key("a"))), "b d c e");
    assert_eq!(names(graph.ancestors(&key("e"))), "c a");
    assert_eq!(names(graph.top(&key("e"))), "a");
    assert_eq!(names(graph.tree(&key("d"))), "a b c d e");
    assert_eq!(names(graph.path(&key("d"), &key("e")).expect("one tree")), "d b a c e");
    assert_eq!(names(graph.path(&key("e"), &key("e")).expect("itself")), "e");
    assert!(graph.path(&key("d"), &key("y")).is_none());
    assert!(graph.is_descendant(&key("d"), &key("a")) && !graph.is_descendant(&key("a"), &key("d")));
    assert_eq!(graph.unknown_sources(), [&key("gone")]);
    assert!(graph.rings().is_empty());
}

#[test]
fn rings_of_any_length_are_found_and_never_looped_in() {
    let snapshot = snapshot(&["b<a", "a<b", "r<b", "z<r", "3<2", "2<1", "1<3", "below<2", "self<self"]);
    let graph = Graph::new(&snapshot);
    let rings: Vec<String> = graph.rings().into_iter().map(names).collect();
    assert_eq!(rings, ["1 2 3", "a b"]);
    assert!(graph.is_co_source(&key("a")) && graph.is_co_source(&key("3")) && !graph.is_co_source(&key("below")));
    assert_eq!(names(graph.ancestors(&key("z"))), "r b a");
    assert_eq!(names(graph.ancestors(&key("1"))), "3 2");
    assert_eq!(names(graph.descendants(&key("a"))), "b r z");
    assert_eq!(names(graph.top(&key("z"))), "a b");
    assert_eq!(names(graph.tree(&key("z"))), "a b r z");
    assert_eq!(names(graph.roots()), "self");
    assert!(graph.is_descendant(&key("a"), &key("b")) && graph.is_descendant(&key("b"), &key("a")));
}

#[test]
fn a_detached_source_is_no_parent() {
    let snapshot = snapshot(&["a", "b<//a"]);
    let graph = Graph::new(&snapshot);
    assert_eq!(names(graph.roots()), "a b");
    assert_eq!(names(graph.detached()), "b");
    assert!(graph.unknown_sources().is_empty());
}

#[test]
fn other_channels_are_edges_but_shape_no_tree() {
    let mut server = snapshot(&["a", "b", "c<a"]).get(&key("c")).map(|c| Instance::clone(c)).expect("c");
    let second = Replication { channel: "two".to_owned(), source: key("b"), ..Default::default() };
    server.channels = vec![server.replication.clone(), second];
    let mut servers: Vec<Instance> = snapshot(&["a", "b"]).instances.values().map(|i| Instance::clone(i)).collect();
    servers.push(server);
    let snapshot = Snapshot::new(servers, Annotations::default(), DateTime::<Utc>::UNIX_EPOCH);
    let graph = Graph::new(&snapshot);
    assert_eq!(names(graph.children(&key("b"))), "");
    let edges: Vec<String> = graph
        .edges()
        .iter()
        .map(|e| format!("{}>{} {}", e.source.key.hostname, e.replica.key.hostname, e.managed))
        .collect();
    assert_eq!(edges, ["a>c true", "b>c false"]);
}

#[test]
fn group_members_hang_below_their_primary() {
    let mut servers: Vec<Instance> =
        snapshot(&["p", "s", "r<s"]).instances.values().map(|i| Instance::clone(i)).collect();
    for server in &mut servers {
        if server.key != key("r") {
            server.group.name = "g".to_owned();
            server.group.state = "ONLINE".to_owned();
            server.group.primary = key("p");
        }
    }
    let snapshot = Snapshot::new(servers, Annotations::default(), DateTime::<Utc>::UNIX_EPOCH);
    let graph = Graph::new(&snapshot);
    assert_eq!(names(graph.descendants(&key("p"))), "s r");
    assert!(is_group_secondary(graph.nodes()[2]) && !is_group_secondary(graph.nodes()[0]));
}

proptest! {
    #[test]
    fn any_configuration_is_walked_without_looping(sources in prop::collection::vec(0usize..14, 12)) {
        let texts: Vec<String> = sources.iter().enumerate().map(|(n, s)| format!("{n:02}<{s:02}")).collect();
        let snapshot = snapshot(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let graph = Graph::new(&snapshot);
        for node in graph.nodes() {
            let ancestors = graph.ancestors(&node.key);
            prop_assert!(ancestors.iter().all(|a| a.key != node.key));
            prop_assert!(ancestors.iter().all(|a| graph.descendants(&a.key).iter().any(|d| d.key == node.key)));
            prop_assert!(graph.tree(&node.key).iter().any(|n| n.key == node.key));
            prop_assert_eq!(graph.ring_at(graph.position(&node.key).expect("known")).len() == 1, false);
            for other in graph.nodes() {
                let on_ring = node.key == other.key && graph.is_co_source(&node.key);
                prop_assert_eq!(is_below(&snapshot, node, &other.key), graph.is_descendant(&node.key, &other.key), "{} {}", node.key, on_ring);
            }
        }
    }
}
