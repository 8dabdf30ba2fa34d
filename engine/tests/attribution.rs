//! Cluster names, depths, co-sources, ancestry and errant transactions.
#![allow(clippy::expect_used)]

mod support;

use std::sync::Arc;

use app::topology::{Instance, Snapshot};
use engine::attribution::{AttributionRules, attribute, errant};
use regex::Regex;
use support::{key, settle, topology};

fn describe(snapshot: &Snapshot) -> Vec<String> {
    let line = |i: &Arc<Instance>| {
        let co = if i.is_co_source { " co" } else { "" };
        format!("{} {} {}{co}", i.key.hostname, i.cluster_name, i.depth)
    };
    snapshot.instances.values().map(line).collect()
}

fn change(snapshot: &mut Snapshot, name: &str, how: impl FnOnce(&mut Instance)) {
    let instances = Arc::make_mut(&mut snapshot.instances);
    how(Arc::make_mut(instances.get_mut(&key(name)).expect(name)));
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

#[test]
fn a_deep_chain_is_right_after_one_pass() {
    let snapshot = topology(&["a", "b < a", "c < b", "d < c", "x", "lost < gone", "broken < //a"]);
    assert_eq!(
        describe(&snapshot),
        [
            "a a:3306 0",
            "b a:3306 1",
            "broken broken:3306 0",
            "c a:3306 2",
            "d a:3306 3",
            "lost lost:3306 0",
            "x x:3306 0"
        ]
    );
    assert_eq!(snapshot.get(&key("d")).expect("d").ancestry, [uuid(1), uuid(2), uuid(3), uuid(4)].join(","));
}

#[test]
fn a_ring_takes_its_smallest_key_and_keeps_the_name_it_has() {
    let mut snapshot = topology(&["b < a", "a < b", "c < b"]);
    assert_eq!(describe(&snapshot), ["a a:3306 0 co", "b a:3306 1 co", "c a:3306 2"]);
    // Named after the other one already, by both: the name stays.
    for name in ["a", "b", "c"] {
        change(&mut snapshot, name, |i| i.cluster_name = "b:3306".to_owned());
    }
    settle(&mut snapshot);
    assert_eq!(describe(&snapshot), ["a b:3306 1 co", "b b:3306 0 co", "c b:3306 1"]);
    // A name of neither is not kept.
    for name in ["a", "b", "c"] {
        change(&mut snapshot, name, |i| i.cluster_name = "old:3306".to_owned());
    }
    settle(&mut snapshot);
    assert_eq!(describe(&snapshot), ["a a:3306 0 co", "b a:3306 1 co", "c a:3306 2"]);
    assert_eq!(snapshot.get(&key("a")).expect("a").ancestry, format!("{},{}", uuid(1), uuid(2)));
    assert_eq!(snapshot.get(&key("c")).expect("c").ancestry, format!("{},{},{}", uuid(2), uuid(1), uuid(3)));
}

#[test]
fn rings_of_three_are_rings() {
    let snapshot = topology(&["a < c", "b < a", "c < b", "r < c"]);
    assert_eq!(describe(&snapshot), ["a a:3306 0 co", "b a:3306 1 co", "c a:3306 2 co", "r a:3306 3"]);
}

#[test]
fn only_what_changed_is_answered() {
    let mut snapshot = topology(&["a", "b < a", "c < b", "d < a"]);
    let rules = AttributionRules::default();
    assert_eq!(attribute(&snapshot, &rules), Vec::new());
    change(&mut snapshot, "b", |i| i.replication.source = key("d"));
    let changed: Vec<String> = attribute(&snapshot, &rules).into_iter().map(|i| i.key.hostname).collect();
    assert_eq!(changed, ["b", "c"]);
}

#[test]
fn an_alias_comes_from_the_operator_the_top_or_a_pattern() {
    let mut snapshot = topology(&["a", "b < a", "x"]);
    let rules =
        AttributionRules { cluster_name_to_alias: vec![(Regex::new("^a").expect("pattern"), "by-pattern".to_owned())] };
    let aliases = |snapshot: &Snapshot| {
        let changed = attribute(snapshot, &rules);
        changed.into_iter().map(|i| format!("{}={}", i.key.hostname, i.suggested_cluster_alias)).collect::<Vec<_>>()
    };
    assert_eq!(aliases(&snapshot), ["a=by-pattern", "b=by-pattern"]);
    change(&mut snapshot, "a", |i| i.suggested_cluster_alias = "by-query".to_owned());
    change(&mut snapshot, "b", |i| i.suggested_cluster_alias = "left-over".to_owned());
    assert_eq!(aliases(&snapshot), ["b=by-query"]);
    let overrides = &mut Arc::make_mut(&mut snapshot.annotations).cluster_alias_overrides;
    overrides.insert("a:3306".to_owned(), "by-hand".to_owned());
    assert_eq!(aliases(&snapshot), ["a=by-hand", "b=by-hand"]);
}

#[test]
fn group_members_belong_to_the_cluster_of_their_primary() {
    let mut snapshot = topology(&["p group=primary", "s group=secondary", "r < s"]);
    change(&mut snapshot, "s", |i| i.group.primary = key("p"));
    settle(&mut snapshot);
    assert_eq!(describe(&snapshot), ["p p:3306 0", "r p:3306 2", "s p:3306 1"]);
    assert_eq!(snapshot.get(&key("s")).expect("s").ancestry, format!("{},g,{},g", uuid(1), uuid(2)));
}

#[test]
fn errant_transactions_are_found_at_any_depth() {
    let mut snapshot = topology(&["a", "b < a", "c < b", "d < c"]);
    let top = uuid(1);
    change(&mut snapshot, "a", |i| i.executed_gtid = format!("{top}:1-100"));
    change(&mut snapshot, "b", |i| i.executed_gtid = format!("{top}:1-101"));
    change(&mut snapshot, "c", |i| i.executed_gtid = format!("{top}:1-102,{}:1-3", uuid(3)));
    change(&mut snapshot, "d", |i| i.executed_gtid = format!("{top}:1-103,{}:1-4,{}:tag:7", uuid(3), uuid(4)));
    let changed: Vec<(String, String)> = attribute(&snapshot, &AttributionRules::default())
        .into_iter()
        .map(|i| (i.key.hostname, i.errant_gtid))
        .collect();
    // What c wrote is on its way to d: d is only to blame for its own.
    assert_eq!(changed, [("c".to_owned(), format!("{}:1-3", uuid(3))), ("d".to_owned(), format!("{}:tag:7", uuid(4)))]);
}

#[test]
fn co_sources_and_other_channels_are_not_taken_for_errant() {
    let mut snapshot = topology(&["a < b", "b < a", "x", "r < a channel=x"]);
    change(&mut snapshot, "a", |i| i.executed_gtid = format!("{}:1-9,{}:1-5", uuid(1), uuid(2)));
    change(&mut snapshot, "b", |i| i.executed_gtid = format!("{}:1-8,{}:1-6", uuid(1), uuid(2)));
    change(&mut snapshot, "r", |i| {
        i.executed_gtid = format!("{}:1-9,{}:1-6,{}:1-77", uuid(1), uuid(2), uuid(3));
        i.channels[1].source_uuid = uuid(3);
    });
    assert_eq!(attribute(&snapshot, &AttributionRules::default()), Vec::new());
}

#[test]
fn a_set_that_cannot_be_read_leaves_what_was_known() {
    let snapshot = topology(&["a", "b < a"]);
    let (mut source, mut replica) =
        (Instance::clone(snapshot.get(&key("a")).expect("a")), Instance::clone(snapshot.get(&key("b")).expect("b")));
    source.executed_gtid = format!("{}:1-9", uuid(1));
    replica.executed_gtid = "nonsense".to_owned();
    replica.errant_gtid = "before".to_owned();
    assert_eq!(errant(&replica, Some(&source)), "before");
    replica.executed_gtid = format!("{}:1", uuid(2));
    assert_eq!(errant(&replica, Some(&source)), format!("{}:1", uuid(2)));
    assert_eq!(errant(&replica, None), "");
    replica.version = "10.11.6-MariaDB".to_owned();
    replica.executed_gtid = "0-1-5".to_owned();
    assert_eq!(errant(&replica, Some(&source)), "");
}

#[test]
fn what_came_on_another_channel_is_nobodys_error_at_any_depth() {
    let mut snapshot = topology(&["a", "up", "x < up", "m < a channel=x", "d < m"]);
    let former = "cccccccc-0000-0000-0000-000000000001";
    change(&mut snapshot, "a", |i| i.executed_gtid = format!("{}:1-9", uuid(1)));
    change(&mut snapshot, "x", |i| i.executed_gtid = format!("{}:1-6,{former}:1-3", uuid(2)));
    change(&mut snapshot, "m", |i| {
        i.executed_gtid = format!("{}:1-9,{}:1-5,{former}:1-3", uuid(1), uuid(2));
        i.channels[1].source_uuid = uuid(3);
    });
    // Read later than its source, and it wrote by itself.
    change(&mut snapshot, "d", |i| {
        i.executed_gtid = format!("{}:1-9,{}:1-6,{}:1-2,{former}:1-3,{}:1", uuid(1), uuid(2), uuid(3), uuid(5));
    });
    settle(&mut snapshot);
    let errant = |name: &str| snapshot.get(&key(name)).expect(name).errant_gtid.clone();
    assert_eq!((errant("m"), errant("d")), (String::new(), format!("{}:1", uuid(5))));
}
