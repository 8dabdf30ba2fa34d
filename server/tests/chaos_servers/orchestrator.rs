//! The program itself: killed in the middle of a recovery, and asked for a takeover under load.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;
use tokio::time::sleep;

use crate::arena::{Arena, Shape};
use crate::row::Row;
use crate::support::eventually;

/// A recovery whose program died ends within this after the program is back.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// More steps than any recovery of four servers has.
const MOST_STEPS: usize = 60;

/// SIGKILL of the program as soon as a recovery is known, before any of it is on record, and then after each of its steps in turn,
/// until the recovery is quicker.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn orchestrator_killed_at_each_step(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut last = None;
    for after in 0..MOST_STEPS {
        let row = Row::of("orchestrator killed at each step", flavor);
        let (killed_in_time, took) = killed_after(after, flavor, row, last).await;
        if !killed_in_time {
            return;
        }
        last = Some((after, last.map_or(took, |(_, slowest): (usize, Duration)| slowest.max(took))));
    }
    panic!("a recovery has more than {MOST_STEPS} steps");
}

/// One in the middle, for every day.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn orchestrator_killed_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    killed_after(9, flavor, Row::of("orchestrator killed in the middle", flavor), None).await;
}

/// Whether the program was killed before the recovery ended, and how long the recovery took from its restart.
async fn killed_after(
    steps: usize,
    flavor: &'static str,
    mut row: Row,
    earlier: Option<(usize, Duration)>,
) -> (bool, Duration) {
    let mut arena = Arena::start(Shape { poll: 1, ..Shape::of(flavor) }).await;
    let source = arena.source();
    row.note = format!("killed after step {steps}");
    let fault = Instant::now();
    arena.sandbox.signal(source, "KILL");
    let in_time = loop {
        let latest = arena.recoveries().first().cloned().unwrap_or_default();
        if has_ended(&latest) || (!latest.is_null() && steps_done(&latest) >= steps) {
            break !has_ended(&latest);
        }
        assert!(fault.elapsed() < Duration::from_secs(20), "no recovery: {}", arena.told());
        sleep(Duration::from_millis(1)).await;
    };
    arena.daemon.kill();
    let again = Instant::now();
    arena.daemon.start_again();
    let recovery = eventually("the recovery ends", ENDS_WITHIN, || async {
        arena.recoveries().first().filter(|r| has_ended(r)).cloned()
    })
    .await;
    let took = again.elapsed();
    assert_eq!(recovery["state"]["state"], "succeeded", "{}", arena.told());
    let successor = arena.writes_elsewhere(source, fault, ENDS_WITHIN).await;
    row.writable = Some(successor.at - fault);
    let slowest = earlier.map_or(took, |(_, slowest)| slowest.max(took));
    let many = earlier.map_or(1, |(last, _)| last + usize::from(in_time));
    row.note =
        format!("{many} kills, one after each step; ended {:.1} s after the restart at most", slowest.as_secs_f64());
    if earlier.is_none() {
        row.note = format!("after {steps} steps; ended {:.1} s after the restart", took.as_secs_f64());
    }
    let healed = arena.comes_back(source);
    arena.audit(row, healed, &[source]).await;
    (in_time, took)
}

fn steps_done(recovery: &Value) -> usize {
    let steps = recovery["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().filter(|step| !matches!(step["state"]["state"].as_str(), Some("pending" | "running"))).count()
}

fn has_ended(recovery: &Value) -> bool {
    recovery["ended"].is_string()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make chaos"]
async fn takeover_under_load(#[values("mariadb", "mysql")] flavor: &'static str) {
    let mut row = Row::of("planned takeover under load", flavor);
    let arena = Arena::start(Shape::of(flavor)).await;
    let (source, designated) = (arena.source(), arena.sandbox.ports[1]);
    let path = format!("/api/graceful-master-takeover-auto/{}/{}", arena.path_of(source), arena.path_of(designated));
    let fault = Instant::now();
    let (status, body) = arena.daemon.get(&path);
    assert_eq!(status, 200, "{body}");
    let first = arena.writes_elsewhere(source, fault, ENDS_WITHIN).await;
    let before = arena.load.writes().iter().rev().find(|w| w.port == source).map(|w| w.at);
    row.writable = Some(first.at - fault);
    row.outcome = "taken over".to_owned();
    row.note =
        format!("no writes for {} ms", before.map_or(0, |at| first.at.saturating_duration_since(at).as_millis()));
    arena.audit(row, Instant::now(), &[]).await;
}
