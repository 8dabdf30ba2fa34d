//! Operations applied by this process, for those who ask how they stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use app::api::OperationView;
use app::plan::{Plan, StepState};
use chrono::{DateTime, Utc};

use crate::node::random_hex;

/// Ended operations kept.
const KEPT: usize = 200;

/// Operations by name, oldest dropped first.
#[derive(Debug, Default)]
pub struct Operations {
    held: Mutex<BTreeMap<String, OperationView>>,
}

impl Operations {
    /// Registers the application of a plan.
    pub fn begin(&self, plan: Plan, actor: &str, now: DateTime<Utc>) -> OperationView {
        let steps = plan.steps.iter().map(|s| (s.id, StepState::Pending)).collect();
        let id: String = random_hex().chars().take(16).collect();
        let actor = actor.to_owned();
        let (outcomes, progress) = (Vec::new(), BTreeMap::new());
        let view = OperationView { id, plan, steps, actor, started: now, ended: None, error: None, outcomes, progress };
        let mut held = self.lock();
        held.insert(view.id.clone(), view.clone());
        while held.len() > KEPT {
            let oldest = held.values().filter(|v| v.ended.is_some()).min_by_key(|v| v.started).map(|v| v.id.clone());
            let Some(oldest) = oldest else { break };
            held.remove(&oldest);
        }
        view
    }

    /// A step changed state.
    pub fn step(&self, id: &str, step: u32, state: StepState) {
        if let Some(view) = self.lock().get_mut(id) {
            view.steps.insert(step, state);
            view.progress.remove(&step);
        }
    }

    /// A step at work tells how far it has come.
    pub fn told(&self, id: &str, step: u32, how_far: String) {
        if let Some(view) = self.lock().get_mut(id) {
            view.progress.insert(step, how_far);
        }
    }

    /// The application ended.
    pub fn end(&self, id: &str, error: Option<String>, now: DateTime<Utc>) {
        if let Some(view) = self.lock().get_mut(id) {
            view.error = error;
            view.outcomes = engine::plan::outcomes(&view.plan, &view.steps);
            view.ended = Some(now);
        }
    }

    /// How an application stands.
    pub fn get(&self, id: &str) -> Option<OperationView> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, OperationView>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
