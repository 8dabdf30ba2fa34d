//! When the service saw what.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use app::InstanceKey;
use app::event::EventBody;
use app::finding::AnalysisCode;
use app::recovery::Recovery;
use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::services::Services;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

/// Findings about one server, with their times.
pub struct Sightings {
    found: Arc<Mutex<Vec<(Instant, AnalysisCode)>>>,
    task: JoinHandle<()>,
}

impl Sightings {
    /// Listens from now on.
    pub fn of(services: &Services, key: &InstanceKey) -> Self {
        let mut events = services.events.subscribe();
        let found = Arc::new(Mutex::new(vec![]));
        let (key, kept) = (key.clone(), Arc::clone(&found));
        let task = tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => {
                        let EventBody::Finding { finding } = &event.body else { continue };
                        if finding.key == key {
                            let seen = (Instant::now(), finding.code);
                            kept.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Self { found, task }
    }

    /// Everything found so far.
    pub fn all(&self) -> Vec<(Instant, AnalysisCode)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sightings {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Prints what a recovery did and when, counted from a moment.
pub fn trace(recovery: &Recovery, from: DateTime<Utc>) {
    let since = |at: DateTime<Utc>| format!("{:>7} ms", (at - from).num_milliseconds());
    for line in &recovery.story {
        println!("  {}  {}", since(line.at), line.message);
    }
    for kept in &recovery.steps {
        let began = kept.started.map(since).unwrap_or_default();
        let took = kept.started.zip(kept.ended).map_or(TimeDelta::zero(), |(began, ended)| ended - began);
        let action = format!("{:?}", kept.step.action);
        let action = action.split([' ', '{', '(']).next().unwrap_or_default();
        println!(
            "  {began}  {:>5} ms  step {:>2} phase {} {} {action}: {:?}",
            took.num_milliseconds(),
            kept.step.id,
            kept.step.phase,
            kept.step.server,
            kept.state
        );
    }
}
