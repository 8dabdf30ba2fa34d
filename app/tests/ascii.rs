//! The tree as text, to the byte.
#![allow(clippy::expect_used)]

use app::topology::ascii::{TopologyStyle, draw_topology};
use app::topology::{Annotations, Check, Downtime, Instance, Replication, Snapshot, StatusThresholds, ThreadState};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000, 0).expect("in range")
}

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn server(name: &str, source: &str) -> Instance {
    let mut replication = Replication::default();
    if !source.is_empty() {
        replication = Replication {
            source: key(source),
            read: BinlogCoordinates::binary("b.000001", 4),
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            seconds_behind: Some(0),
            ..Default::default()
        };
    }
    Instance {
        key: key(name),
        version: "8.0.36".to_owned(),
        log_bin: true,
        binlog_format: "ROW".to_owned(),
        cluster_name: "alpha:3306".to_owned(),
        lag: replication.seconds_behind,
        replication,
        check: Check { last_checked: Some(now()), last_seen: Some(now()), ..Default::default() },
        ..Default::default()
    }
}

/// The example of the specification: a source, a replica with a dead one below it, a stopped one, a group secondary.
fn example() -> (Vec<Instance>, Annotations) {
    let mut alpha = server("alpha", "");
    alpha.alias = "main".to_owned();
    alpha.log_replica_updates = true;
    alpha.gtid_mode = "ON".to_owned();
    alpha.group.name = "g".to_owned();
    alpha.group.state = "ONLINE".to_owned();
    alpha.group.role = "PRIMARY".to_owned();
    alpha.group.primary = key("alpha");
    let mut bravo = server("bravo-long-name", "alpha");
    bravo.read_only = true;
    bravo.log_replica_updates = true;
    bravo.lag = Some(12);
    let mut echo = server("echo", "bravo-long-name");
    echo.log_replica_updates = true;
    echo.gtid_mode = "ON".to_owned();
    echo.errant_gtid = "u:1".to_owned();
    echo.check.last_seen = None;
    let mut charlie = server("charlie", "alpha");
    charlie.read_only = true;
    charlie.log_bin = false;
    charlie.replication.receiver = ThreadState::Stopped;
    let mut delta = server("delta", "");
    delta.group = alpha.group.clone();
    delta.group.role = "SECONDARY".to_owned();
    delta.log_replica_updates = true;
    delta.gtid_mode = "ON".to_owned();
    let mut annotations = Annotations::default();
    let end = DateTime::from_timestamp(1_000_060, 0).expect("in range");
    let downtime = Downtime { owner: "o".to_owned(), reason: "r".to_owned(), begin: now(), end };
    annotations.downtime.insert(key("charlie"), downtime);
    let tags = [("role".to_owned(), "backup".to_owned()), ("old".to_owned(), String::new())];
    annotations.tags.insert(key("charlie"), tags.into());
    (vec![alpha, bravo, echo, charlie, delta], annotations)
}

fn draw(servers: Vec<Instance>, annotations: &Annotations, style: TopologyStyle) -> String {
    let snapshot = Snapshot::new(servers, annotations.clone(), now());
    draw_topology(snapshot.instances.values(), annotations, style, &StatusThresholds::default(), now())
}

#[test]
fn the_tree_is_indented_and_the_brackets_aligned_by_bytes() {
    let (servers, annotations) = example();
    let text = draw(servers, &annotations, TopologyStyle::Plain);
    assert_eq!(
        text,
        "\
alpha:3306 (main)      [0s,ok,8.0.36,rw,ROW,>>,GTID]
+ bravo-long-name:3306 [12s,ok,8.0.36,ro,ROW,>>]
  - echo:3306          [unknown,invalid,8.0.36,rw,ROW,>>,GTID:errant]
- charlie:3306         [null,nonreplicating,8.0.36,ro,nobinlog,downtimed]
‡ delta:3306         [0s,ok,8.0.36,rw,ROW,>>,GTID]"
    );
}

#[test]
fn columns_are_padded_with_the_lag_to_the_right() {
    let (servers, annotations) = example();
    let text = draw(servers, &annotations, TopologyStyle::Tabulated);
    let expected = [
        "alpha:3306 (main)     |     0s|ok            |8.0.36|rw|ROW     |>>,GTID       ",
        "+ bravo-long-name:3306|    12s|ok            |8.0.36|ro|ROW     |>>            ",
        "  - echo:3306         |unknown|invalid       |8.0.36|rw|ROW     |>>,GTID:errant",
        "- charlie:3306        |   null|nonreplicating|8.0.36|ro|nobinlog|downtimed     ",
        "‡ delta:3306          |     0s|ok            |8.0.36|rw|ROW     |>>,GTID       ",
    ];
    assert_eq!(text, expected.join("\n"));
}

#[test]
fn tags_follow_the_description() {
    let (servers, annotations) = example();
    let text = draw(servers, &annotations, TopologyStyle::Tags);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "alpha:3306 (main)      [0s,ok,8.0.36,rw,ROW,>>,GTID] []");
    assert_eq!(lines[3], "- charlie:3306         [null,nonreplicating,8.0.36,ro,nobinlog,downtimed] [old,role=backup]");
}

#[test]
fn an_empty_cluster_draws_nothing_and_a_width_of_bytes_keeps_wide_names_short() {
    assert_eq!(draw(vec![], &Annotations::default(), TopologyStyle::Plain), "");
    let mut wide = server("alpha", "");
    wide.alias = "für".to_owned();
    let text = draw(vec![wide], &Annotations::default(), TopologyStyle::Tabulated);
    // The column is as wide as its cell has bytes; the cell is padded by characters.
    assert!(text.starts_with("alpha:3306 (für) |0s|"), "{text:?}");
}

#[test]
fn co_sources_are_drawn_side_by_side_each_with_its_replicas() {
    let mut servers = vec![server("a", "b"), server("b", "a"), server("c", "a"), server("d", "c")];
    servers.iter_mut().take(2).for_each(|s| s.is_co_source = true);
    let text = draw(servers, &Annotations::default(), TopologyStyle::Plain);
    let heads: Vec<&str> = text.lines().map(|line| line.split(" [").next().unwrap_or_default().trim_end()).collect();
    assert_eq!(heads, ["+ a:3306", "  + c:3306", "    + d:3306", "+ b:3306"]);
}

#[test]
fn a_ring_that_is_not_flagged_yet_draws_nothing() {
    let servers = vec![server("a", "b"), server("b", "a")];
    assert_eq!(draw(servers, &Annotations::default(), TopologyStyle::Plain), "");
}

#[test]
fn no_server_hides_the_tree_of_another() {
    let servers = vec![server("alpha", ""), server("b", "alpha"), server("aardvark", "//alpha"), server("z", "gone")];
    let text = draw(servers, &Annotations::default(), TopologyStyle::Plain);
    let heads: Vec<&str> = text.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(heads, ["alpha:3306", "+", "aardvark:3306", "z:3306"]);
}

#[test]
fn a_long_chain_is_drawn() {
    let name = |n: usize| format!("s{n:05}");
    let mut servers = vec![server(&name(0), "")];
    servers.extend((1..3000).map(|n| server(&name(n), &name(n - 1))));
    let text = draw(servers, &Annotations::default(), TopologyStyle::Plain);
    assert_eq!(text.lines().count(), 3000);
    assert!(text.lines().last().is_some_and(|line| line.starts_with(&" ".repeat(2 * 2998))));
}
