//! Cut networks: each server has a network namespace of its own.

use std::time::{Duration, Instant};

use rstest::rstest;
use tokio::time::sleep;

use crate::arena::{Arena, Shape};
use crate::row::Row;
use crate::support::cannot_cut;

const LONG: Duration = Duration::from_secs(30);

/// A cluster whose servers can be cut off; `None`, and said so in the table, where this machine does not let us.
async fn apart(row: Row) -> Option<(Row, Arena)> {
    if let Some(why) = cannot_cut() {
        row.skip(&why);
        return None;
    }
    let arena = Arena::start(Shape { apart: true, ..Shape::of(row.flavor()) }).await;
    Some((row, arena))
}

/// The source's cable is pulled, and put back when somebody else has taken over.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn link_down_and_up(#[values("mariadb", "mysql")] flavor: &'static str) {
    let Some((mut row, arena)) = apart(Row::of("link of the source down and up", flavor)).await else { return };
    let source = arena.source();
    let fault = Instant::now();
    arena.sandbox.cut(source, "all");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    arena.recovered(LONG).await;
    sleep(Duration::from_secs(1)).await;
    arena.load.leave(source);
    arena.sandbox.mend(source);
    arena.audit(row, Instant::now(), &[source]).await;
}

/// The source serves its clients and us, and reaches no replica: it stays the primary.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn replication_cut(#[values("mariadb", "mysql")] flavor: &'static str) {
    let Some((mut row, arena)) = apart(Row::of("only replication cut", flavor)).await else { return };
    let source = arena.source();
    for replica in &arena.sandbox.ports[1..] {
        arena.sandbox.cut(source, &replica.to_string());
    }
    sleep(Duration::from_secs(12)).await;
    assert!(arena.recoveries().is_empty(), "it answers: no failover: {}", arena.told());
    arena.sandbox.mend(source);
    row.outcome = "no failover".to_owned();
    arena.audit(row, Instant::now(), &[]).await;
}

/// Only we cannot see the source.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn observer_cut(#[values("mariadb", "mysql")] flavor: &'static str) {
    let Some((mut row, arena)) = apart(Row::of("only we cannot see the source", flavor)).await else { return };
    let source = arena.source();
    arena.sandbox.cut(source, "observer");
    sleep(Duration::from_secs(12)).await;
    let analysis = arena.daemon.json("/api/replication-analysis").to_string();
    assert!(analysis.contains("UnreachableMaster"), "{analysis}");
    assert!(arena.recoveries().iter().all(|r| r["state"]["state"] != "succeeded"), "{}", arena.told());
    arena.sandbox.mend(source);
    row.outcome = "no failover".to_owned();
    arena.audit(row, Instant::now(), &[]).await;
}

/// Down and up again, again and again: one server takes writes in the end, and nobody is replaced twice.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn flapping_link(#[values("mariadb", "mysql")] flavor: &'static str) {
    let Some((mut row, arena)) = apart(Row::of("flapping link of the source", flavor)).await else { return };
    let source = arena.source();
    let fault = Instant::now();
    for seconds in [1, 2, 3, 1, 4, 2] {
        arena.sandbox.cut(source, "all");
        sleep(Duration::from_secs(seconds)).await;
        arena.sandbox.mend(source);
        sleep(Duration::from_millis(1_500)).await;
    }
    let healed = Instant::now();
    sleep(Duration::from_secs(5)).await;
    let replaced = arena.recoveries().iter().filter(|r| r["state"]["state"] == "succeeded").count();
    assert!(replaced <= 1, "{}", arena.told());
    row.note = if replaced == 1 { "was replaced once" } else { "was not replaced" }.to_owned();
    row.writable = arena.load.writes().iter().find(|w| w.at > fault && w.port != source).map(|w| w.at - fault);
    arena.audit(row, healed, if replaced == 1 { std::slice::from_ref(&source) } else { &[] }).await;
}
