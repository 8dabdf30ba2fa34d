use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::InstanceKey;
use app::plan::{Action, Condition, Step, StepState};
use app::topology::{Instance, Replication};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::events::EventBus;
use crate::fleet::{Fleet, Observation, Outcome};
use crate::testing::PictureHands;

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn step(id: u32, phase: u32, server: &str, action: Action) -> Step {
    Step {
        id,
        server: key(server),
        action,
        statements: vec![],
        before: vec![],
        needs: vec![],
        undo: vec![],
        timeout_ms: 1_000,
        phase,
        reason: "test".into(),
    }
}

fn hands(servers: &[&str]) -> (Arc<PictureHands>, Arc<Fleet>) {
    let fleet = Arc::new(Fleet::new(Arc::new(EventBus::default())));
    for name in servers {
        let now = chrono::Utc::now();
        let replication = Replication { source: key("source"), auto_position: true, ..Replication::default() };
        let instance = Instance { key: key(name), replication, version: "9.7.0".into(), ..Instance::default() };
        let outcome = Outcome::Seen(Box::new(instance));
        fleet.observe(Observation { probed: key(name), started: now, ended: now, outcome });
    }
    (Arc::new(PictureHands::new(Arc::clone(&fleet))), fleet)
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn step_changed<'a>(&'a self, step: &'a Step, state: &'a StepState) -> BoxFuture<'a, ()> {
        let word = match state {
            StepState::Failed { .. } => "failed".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        self.0.lock().expect("no panic").push(format!("{} {word}", step.id));
        std::future::ready(()).boxed()
    }
}

#[tokio::test]
async fn a_failed_server_is_skipped_and_the_others_go_on() {
    let (hands, _) = hands(&["a", "b"]);
    hands.refuse(&key("a"), "StopReceiver");
    let log = Log::default();
    let steps = [
        step(1, 1, "a", Action::StopReceiver),
        step(2, 1, "b", Action::StopReceiver),
        step(3, 2, "a", Action::StartReceiver),
        step(4, 2, "b", Action::StartReceiver),
    ];
    let results = Exec::new(hands.clone()).run(&steps, &log).await;
    let states: Vec<&str> = results
        .iter()
        .map(|r| match r.state {
            StepState::Done => "done",
            StepState::Skipped => "skipped",
            _ => "failed",
        })
        .collect();
    assert_eq!(states, ["failed", "done", "skipped", "done"]);
    assert_eq!(hands.acts(), [(key("b"), Action::StopReceiver), (key("b"), Action::StartReceiver)]);
}

#[tokio::test]
async fn a_step_is_told_before_it_runs_and_after() {
    let (hands, _) = hands(&["a"]);
    let log = Log::default();
    Exec::new(hands).run(&[step(1, 1, "a", Action::StopReceiver)], &log).await;
    assert_eq!(*log.0.lock().expect("no panic"), ["1 running", "1 done"]);
}

#[tokio::test]
async fn what_must_hold_before_is_checked_on_a_fresh_read() {
    let (hands, _) = hands(&["a"]);
    let mut wary = step(1, 1, "a", Action::StopReceiver);
    wary.before = vec![Condition::SourceIs { source: key("elsewhere") }];
    let results = Exec::new(hands.clone()).run(&[wary], &Log::default()).await;
    assert!(matches!(&results[0].state, StepState::Failed { error } if error.contains("elsewhere")), "{results:?}");
    assert_eq!(hands.acts(), [], "nothing was done");
}

#[tokio::test]
async fn undoing_runs_backwards_over_what_was_begun_only() {
    let (hands, _) = hands(&["a"]);
    hands.refuse(&key("a"), "ChangeSource");
    let to = key("b");
    let steps = [
        Step { undo: vec![Action::StartReceiver], ..step(1, 1, "a", Action::StopReceiver) },
        step(2, 2, "a", Action::ChangeSource { to, positioning: app::plan::Positioning::AutoPosition }),
        Step { undo: vec![Action::StopApplier], ..step(3, 3, "a", Action::StartApplier) },
    ];
    let exec = Exec::new(hands.clone());
    let log = Log::default();
    let results = exec.run(&steps, &log).await;
    let undone = exec.undo(&steps, &results, &log).await;
    assert_eq!(undone, Undone { steps: vec![1], left_changed: vec![] });
    assert_eq!(hands.acts(), [(key("a"), Action::StopReceiver), (key("a"), Action::StartReceiver)]);
}

#[tokio::test]
async fn what_cannot_be_undone_is_named() {
    let (hands, _) = hands(&["a"]);
    let steps = [Step { undo: vec![Action::StartReceiver], ..step(1, 1, "a", Action::StopReceiver) }];
    let exec = Exec::new(hands.clone());
    let results = exec.run(&steps, &Log::default()).await;
    hands.refuse(&key("a"), "StartReceiver");
    let undone = exec.undo(&steps, &results, &Log::default()).await;
    assert_eq!(undone.steps, [] as [u32; 0]);
    assert!(undone.left_changed[0].starts_with("a:3306: step 1 could not be undone"), "{undone:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_holds_up_nobody_elses_undoing() {
    let (hands, _) = hands(&["a", "b"]);
    let undo = vec![Action::StartReceiver];
    let steps = [
        Step { undo: undo.clone(), ..step(1, 1, "a", Action::StopReceiver) },
        Step { undo, ..step(2, 1, "b", Action::StopReceiver) },
    ];
    let exec = Exec::new(hands.clone());
    let results = exec.run(&steps, &Log::default()).await;
    hands.hang(&key("b"));
    let began = tokio::time::Instant::now();
    let log = Log::default();
    let watched = async {
        while hands.acts().iter().filter(|(server, _)| *server == key("a")).count() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    };
    let (undone, waited) = tokio::join!(exec.undo(&steps, &results, &log), watched);
    assert!(waited < Duration::from_secs(1), "a was undone after {waited:?}");
    assert_eq!(undone.steps, [1]);
    assert!(undone.left_changed[0].starts_with("b:3306: step 2 could not be undone"), "{undone:?}");
}

/// Looks on until somebody waits for the servers.
struct Wanted(tokio_util::sync::CancellationToken);

impl Observer for Wanted {
    fn step_changed<'a>(&'a self, _step: &'a Step, _state: &'a StepState) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }

    fn wanted(&self) -> BoxFuture<'_, ()> {
        self.0.cancelled().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_is_broken_off_when_a_recovery_waits_and_a_change_is_not() {
    let (hands, _) = hands(&["a"]);
    hands.hang(&key("a"));
    let wanted = tokio_util::sync::CancellationToken::new();
    wanted.cancel();
    let exec = Exec::new(hands);
    let search = Step { timeout_ms: 120_000, ..step(1, 1, "a", Action::FindPlace { peer: key("b") }) };
    let began = tokio::time::Instant::now();
    let results = exec.run(&[search], &Wanted(wanted.clone())).await;
    assert!(matches!(&results[0].state, StepState::Failed { error } if error.starts_with("broken off")), "{results:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let results = exec.run(&[step(2, 1, "a", Action::StopReceiver)], &Wanted(wanted)).await;
    assert_eq!(results[0].state, StepState::TimedOut, "it may have been done");
}

/// Never answers.
struct Silent;

impl Hands for Silent {
    fn refresh<'a>(&'a self, _key: &'a InstanceKey) -> BoxFuture<'a, Result<Instance, HandError>> {
        std::future::pending().boxed()
    }

    fn act<'a>(
        &'a self,
        _key: &'a InstanceKey,
        _action: &'a Action,
        _statements: &'a [String],
        _limit: Duration,
    ) -> BoxFuture<'a, Result<(), HandError>> {
        std::future::pending().boxed()
    }

    fn ask<'a>(
        &'a self,
        _key: &'a InstanceKey,
        _question: &'a str,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<engine::interpret::Record>, HandError>> {
        std::future::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_ends_at_its_time() {
    let results = Exec::new(Arc::new(Silent)).run(&[step(1, 1, "a", Action::StopReceiver)], &Log::default()).await;
    assert_eq!(results[0].state, StepState::TimedOut);
}

#[tokio::test]
async fn a_step_that_needs_a_failed_one_of_another_server_is_skipped() {
    let (hands, _) = hands(&["a", "b", "c"]);
    hands.refuse(&key("a"), "StopReplication");
    let exec = Exec::new(hands.clone());
    let needing = Step { needs: vec![1], ..step(2, 2, "b", Action::StopReceiver) };
    let steps = [step(1, 1, "a", Action::StopReplication), needing, step(3, 2, "c", Action::StopReceiver)];
    let results = exec.run(&steps, &Log::default()).await;
    let states: Vec<bool> = results.iter().map(|r| r.state.is_done()).collect();
    assert_eq!(states, [false, false, true]);
    assert_eq!(results.get(1).map(|r| &r.state), Some(&StepState::Skipped));
    assert_eq!(hands.acts(), [(key("c"), Action::StopReceiver)]);
}

#[tokio::test]
async fn nothing_is_changed_without_permission_and_reads_go_on() {
    let (hands, _) = hands(&["a"]);
    let may_act = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = Arc::clone(&may_act);
    let exec = Exec::new(hands.clone())
        .permitted_by(Arc::new(move || asked.load(std::sync::atomic::Ordering::SeqCst)))
        .measured_apart();
    let steps = [step(1, 1, "a", Action::Refresh), step(2, 2, "a", Action::StopReceiver)];
    let results = exec.run(&steps, &Log::default()).await;
    assert!(results[0].state.is_done() && results[0].fresh.is_some());
    let StepState::Failed { error } = &results[1].state else { panic!("{:?}", results[1].state) };
    assert!(error.starts_with("held back"), "{error}");
    assert!(hands.acts().is_empty());
    may_act.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(exec.run(&steps, &Log::default()).await[1].state.is_done());
}
