//! Servers that die or hang, and appliers that stand still.

use std::time::{Duration, Instant};

use rstest::rstest;
use tokio::time::sleep;

use crate::arena::{Arena, Shape};
use crate::row::Row;

/// A hung source has a successor that takes writes within this.
const HUNG_LIMIT: Duration = Duration::from_secs(5);
/// The promise for a killed one is 0.5 s on a quiet machine (docs/PERFORMANCE.md); here others are at work.
const KILLED_LIMIT: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(30);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn source_killed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("source killed", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let source = arena.source();
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    assert!(first.at - fault < KILLED_LIMIT, "{:?}", first.at - fault);
    arena.recovered(LONG).await;
    let healed = arena.comes_back(source);
    arena.audit(row, healed, &[source]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn source_hangs(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("source hangs", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let source = arena.source();
    let fault = Instant::now();
    arena.sandbox.signal(source, "STOP");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    arena.recovered(LONG).await;
    sleep(Duration::from_secs(2)).await;
    arena.load.leave(source);
    arena.sandbox.signal(source, "CONT");
    let took = first.at - fault;
    arena.audit(row, Instant::now(), &[source]).await;
    assert!(took < HUNG_LIMIT * 2, "{took:?}");
    if took > HUNG_LIMIT {
        println!("slower than promised: {took:?}; docs/PERFORMANCE.md has figures of a quiet machine");
    }
}

/// Not long enough to be dead: nothing happens.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn source_hangs_for_a_second(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("source hangs for 1 s", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let source = arena.source();
    for _ in 0..3 {
        arena.sandbox.signal(source, "STOP");
        sleep(Duration::from_secs(1)).await;
        arena.sandbox.signal(source, "CONT");
        sleep(Duration::from_secs(2)).await;
    }
    assert!(arena.recoveries().is_empty(), "nobody was to be replaced: {}", arena.told());
    row.outcome = "no failover".to_owned();
    arena.audit(row, Instant::now(), &[]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn appliers_stopped_then_killed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("appliers stopped, then killed", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let source = arena.source();
    for port in &arena.sandbox.ports[1..] {
        arena.sandbox.sql(*port, words(flavor, "SQL_THREAD"));
    }
    sleep(Duration::from_secs(3)).await;
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    arena.recovered(LONG).await;
    let healed = arena.comes_back(source);
    arena.audit(row, healed, &[source]).await;
}

/// The preferred one lacks what the most advanced one has received and not applied.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn most_advanced_lags_and_preferred_is_behind(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("most advanced lags, preferred is behind", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let (source, advanced, preferred, third) =
        (arena.source(), arena.sandbox.ports[1], arena.sandbox.ports[2], arena.sandbox.ports[3]);
    arena.daemon.get(&format!("/api/register-candidate/{}/prefer", arena.path_of(preferred)));
    arena.sandbox.sql(preferred, words(flavor, "IO_THREAD"));
    sleep(Duration::from_millis(700)).await;
    arena.sandbox.sql(third, words(flavor, "IO_THREAD"));
    arena.sandbox.sql(advanced, words(flavor, "SQL_THREAD"));
    sleep(Duration::from_secs(2)).await;
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    let successor = arena.recovered(LONG).await;
    assert_eq!(successor, preferred, "{}", arena.told());
    row.note = "the preferred one took over".to_owned();
    // Receivers that somebody had stopped stay stopped.
    for port in [advanced, third] {
        arena.sandbox.sql(port, if flavor == "mysql" { "START REPLICA" } else { "START SLAVE" });
    }
    let healed = arena.comes_back(source);
    arena.audit(row, healed, &[source]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn candidate_killed_during_promotion(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("candidate killed during promotion", flavor);
    let arena = Arena::start(Shape { replicas: 4, ..Shape::of(flavor) }).await;
    let source = arena.source();
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let candidate = loop {
        let all = arena.recoveries();
        let story = all.first().and_then(|r| r["story"].as_array().cloned()).unwrap_or_default();
        let chosen =
            story.iter().filter_map(|line| line["message"].as_str()).find_map(|m| m.split_once(" is chosen: "));
        if let Some((key, _)) = chosen {
            break key.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).expect("a key");
        }
        assert!(fault.elapsed() < LONG, "nobody is chosen: {}", arena.told());
        sleep(Duration::from_millis(1)).await;
    };
    arena.sandbox.signal(candidate, "KILL");
    let Some(successor) = eventually_another(&arena, &[source, candidate]).await else {
        return row.skip("refused: the candidate alone had received a write of the source");
    };
    let writes = arena.load.writes();
    row.writable = writes.iter().find(|w| w.at > fault && w.port == successor).map(|w| w.at - fault);
    row.note = "the next best took over".to_owned();
    arena.load.leave(source);
    arena.load.leave(candidate);
    arena.sandbox.start_again();
    arena.audit(row, Instant::now(), &[source, candidate]).await;
}

/// The port of a server that acknowledges writes and is none of these; `None` when the recovery was refused because writes would be lost.
async fn eventually_another(arena: &Arena, dead: &[u16]) -> Option<u16> {
    let since = Instant::now();
    crate::support::eventually("one of the others takes writes", Duration::from_secs(60), || async {
        let took = arena.load.writes().iter().find(|w| w.at > since && !dead.contains(&w.port)).map(|w| w.port);
        let refused = || arena.recoveries().first().is_some_and(|r| r["state"].to_string().contains("data-at-risk"));
        match took {
            Some(port) => Some(Some(port)),
            None => refused().then_some(None),
        }
    })
    .await
}

/// Whoever wins the race between failover and restart: one server takes writes.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn source_killed_and_restarted_at_once(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("source killed and restarted at once", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let source = arena.source();
    let fault = Instant::now();
    arena.sandbox.kill(source);
    arena.sandbox.start_one(source);
    let healed = Instant::now();
    sleep(Duration::from_secs(8)).await;
    let replaced = arena.recoveries().iter().any(|r| r["state"]["state"] == "succeeded");
    row.note = if replaced { "was replaced" } else { "was back before anybody was promoted" }.to_owned();
    row.writable = arena.load.writes().iter().find(|w| w.at > fault && w.port != source).map(|w| w.at - fault);
    arena.audit(row, healed, if replaced { std::slice::from_ref(&source) } else { &[] }).await;
}

/// A write that one replica has acknowledged may be on that replica alone: with it gone nobody is promoted. Where two have
/// to acknowledge, somebody has all that was acknowledged. MariaDB cannot wait for two.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn source_and_a_replica_killed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("source and a replica killed at once", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let (source, replica) = (arena.source(), arena.sandbox.ports[1]);
    if flavor == "mysql" {
        arena.sandbox.sql(source, "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 2");
        // Seen by the next poll.
        sleep(Duration::from_secs(7)).await;
    }
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    arena.sandbox.signal(replica, "KILL");
    if flavor == "mysql" {
        let first = arena.writes_elsewhere(source, fault, LONG).await;
        row.writable = Some(first.at - fault);
        arena.recovered(LONG).await;
        arena.load.leave(source);
        arena.sandbox.start_again();
        // The replica was not there when the others moved: it is lost to the cluster until a person looks at it.
        row.note = "two acknowledge; the replica stays below the old source".to_owned();
        return arena.audit(row, Instant::now(), &[source, replica]).await;
    }
    crate::support::eventually("the recovery is refused", LONG, || async {
        let recoveries = arena.recoveries();
        let state = recoveries.first()?["state"].to_string();
        state.contains("data-at-risk").then_some(())
    })
    .await;
    let taken = arena.load.writes().into_iter().find(|w| w.at > fault && w.port != source);
    assert!(taken.is_none(), "{taken:?} although the recovery is refused");
    row.outcome = "refused".to_owned();
    row.note = "one acknowledges: that one may be gone; they come back and go on".to_owned();
    arena.sandbox.start_again();
    arena.audit(row, Instant::now(), &[]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn intermediate_source_killed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("intermediate source killed", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let (middle, leaf) = (arena.sandbox.ports[1], arena.sandbox.ports[2]);
    arena.daemon.get(&format!("/api/relocate/{}/{}", arena.path_of(leaf), arena.path_of(middle)));
    sleep(Duration::from_secs(2)).await;
    let fault = Instant::now();
    arena.sandbox.signal(middle, "KILL");
    arena.recovered(LONG).await;
    row.note = format!("its replica has a source again after {:.2} s", fault.elapsed().as_secs_f64());
    arena.sandbox.start_one(middle);
    let back = if flavor == "mysql" { "START REPLICA" } else { "START SLAVE" };
    arena.sandbox.try_sql(middle, back);
    arena.audit(row, Instant::now(), &[]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn co_source_killed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("co-source killed", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let (source, other) = (arena.source(), arena.sandbox.ports[1]);
    // Each of the two replicates from the other; the second one stays read-only.
    arena.sandbox.replicate(&[(other, source)]);
    arena.sandbox.sql(
        source,
        if flavor == "mysql" {
            "SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0"
        } else {
            "SET GLOBAL read_only = 0"
        },
    );
    sleep(Duration::from_secs(7)).await;
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let first = arena.writes_elsewhere(source, fault, LONG).await;
    row.writable = Some(first.at - fault);
    assert_eq!(arena.recovered(LONG).await, other, "the surviving one of the pair takes over");
    let healed = arena.comes_back(source);
    arena.audit(row, healed, &[source]).await;
}

fn words(flavor: &str, thread: &str) -> &'static str {
    match (flavor, thread) {
        ("mysql", "SQL_THREAD") => "STOP REPLICA SQL_THREAD",
        ("mysql", _) => "STOP REPLICA IO_THREAD",
        (_, "SQL_THREAD") => "STOP SLAVE SQL_THREAD",
        _ => "STOP SLAVE IO_THREAD",
    }
}
