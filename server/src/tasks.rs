//! Background loops: each has a name, a state and a last error that operators can list.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::api::TaskStatus;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A loop that panicked is started again after this long.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Starts, watches and stops the background loops.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    states: Arc<Mutex<BTreeMap<&'static str, State>>>,
    tracker: TaskTracker,
    stop: CancellationToken,
    /// The one that writes for the others ends after them.
    last: Phase,
}

/// Loops that end together.
#[derive(Debug, Clone, Default)]
struct Phase {
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Clone, Default)]
struct State {
    state: &'static str,
    last_error: Option<String>,
    last_run: Option<DateTime<Utc>>,
}

/// A loop's own handle: how it tells what it does and learns that it must stop.
#[derive(Debug, Clone)]
pub struct Task {
    name: &'static str,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Task {
    /// A round begins.
    pub fn busy(&self) {
        self.tasks.update(self.name, |s| s.state = "busy");
    }

    /// A round ended.
    pub fn idle(&self, result: Result<(), String>) {
        self.tasks.update(self.name, |s| {
            s.state = "idle";
            s.last_run = Some(Utc::now());
            if let Err(error) = result {
                s.last_error = Some(error);
            }
        });
    }

    /// Completes when the service stops.
    pub fn stopped(&self) -> tokio_util::sync::WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    /// The service is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Sleeps; `false` when the service stops meanwhile.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }
}

impl Tasks {
    /// Runs a loop until it returns or the service stops. One that panics is logged and started again: a bug in one
    /// room must not silently end probing or recovery.
    pub fn spawn<F, Fut>(&self, name: &'static str, body: F)
    where
        F: Fn(Task) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let phase = Phase { tracker: self.tracker.clone(), stop: self.stop.clone() };
        self.spawn_in(&phase, name, body);
    }

    /// The same for a loop that ends after all others have: what they leave behind is its work.
    pub fn spawn_last<F, Fut>(&self, name: &'static str, body: F)
    where
        F: Fn(Task) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.spawn_in(&self.last, name, body);
    }

    fn spawn_in<F, Fut>(&self, phase: &Phase, name: &'static str, body: F)
    where
        F: Fn(Task) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.update(name, |s| s.state = "idle");
        let (tasks, stop) = (self.clone(), phase.stop.clone());
        phase.tracker.spawn(async move {
            loop {
                let task = Task { name, tasks: tasks.clone(), stop: stop.clone() };
                let ended = std::panic::AssertUnwindSafe(body(task)).catch_unwind().await;
                if ended.is_ok() || stop.is_cancelled() {
                    break;
                }
                tracing::error!(task = name, "background loop panicked; it is started again");
                tasks.update(name, |s| s.last_error = Some("panicked; started again".to_owned()));
                tokio::time::sleep(RESTART_AFTER).await;
            }
            tasks.update(name, |s| s.state = "stopped");
        });
    }

    /// What each loop does, by name.
    pub fn list(&self) -> Vec<TaskStatus> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states
            .iter()
            .map(|(name, s)| TaskStatus {
                name: (*name).to_owned(),
                state: s.state.to_owned(),
                last_error: s.last_error.clone(),
                last_run: s.last_run,
            })
            .collect()
    }

    /// Tells all loops to stop.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Completes when the service is told to stop.
    pub fn stopped(&self) -> tokio_util::sync::WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }

    /// Told when the service is to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Completes when all loops have ended. Call [`Self::stop`] first.
    pub async fn wait(&self) {
        self.tracker.wait().await;
        self.last.stop.cancel();
        self.last.tracker.close();
        self.last.tracker.wait().await;
    }

    /// The same, for loops that may hang: the last ones are told to end after `patience` in any case and get as long. `false` when
    /// not all did. Call [`Self::stop`] first.
    pub async fn wait_at_most(&self, patience: Duration) -> bool {
        let first = tokio::time::timeout(patience, self.tracker.wait()).await;
        self.last.stop.cancel();
        self.last.tracker.close();
        let last = tokio::time::timeout(patience, self.last.tracker.wait()).await;
        first.is_ok() && last.is_ok()
    }

    fn update(&self, name: &'static str, change: impl FnOnce(&mut State)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        change(states.entry(name).or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_is_started_again_and_says_so() {
        let tasks = Tasks::default();
        let rounds = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&rounds);
        tasks.spawn("wobbly", move |task| {
            let counted = Arc::clone(&counted);
            async move {
                assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "the first round fails");
                task.idle(Ok(()));
                task.stopped().await;
            }
        });
        while rounds.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let listed = tasks.list();
        assert_eq!(listed[0].last_error.as_deref(), Some("panicked; started again"));
        tasks.stop();
        tasks.wait().await;
        assert_eq!(tasks.list()[0].state, "stopped");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_loop_ends_after_the_others() {
        let tasks = Tasks::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, takes) in [("first", 100), ("last", 1)] {
            let order = Arc::clone(&order);
            let body = move |task: Task| {
                let order = Arc::clone(&order);
                async move {
                    task.stopped().await;
                    tokio::time::sleep(Duration::from_millis(takes)).await;
                    order.lock().expect("not poisoned").push(name);
                }
            };
            if name == "last" { tasks.spawn_last(name, body) } else { tasks.spawn(name, body) }
        }
        tasks.stop();
        tasks.wait().await;
        assert_eq!(*order.lock().expect("not poisoned"), ["first", "last"]);
    }
}
