//! A plan: asked for, shown, applied, ticked off. Nothing is done without one having been shown.

use std::time::Duration;

use gloo_net::http::Method;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Ui;
use super::live::ask;
use crate::api::{ApplyRequest, Operation, OperationView, RecoverRequest};
use crate::plan::{Plan, StepState};
use crate::recovery::Recovery;
use crate::ui::infra::api::{self, ApiError, path};
use crate::ui::model::loss::Offer;
use crate::ui::model::plan::operation_text;
use crate::ui::model::reaction::Reread;
use crate::ui::model::route::Route;

/// Where the work stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Nothing is planned.
    Idle,
    /// The plan is being made.
    Planning(Operation),
    /// It cannot be planned.
    Refused(Operation, ApiError),
    /// The plan is shown.
    Shown {
        /// What is planned.
        operation: Operation,
        /// The plan.
        plan: Plan,
        /// Why it is shown again, or why applying it failed.
        note: Option<String>,
    },
    /// It is being applied, or has been.
    Applied {
        /// What was planned.
        operation: Operation,
        /// How far it has come.
        view: OperationView,
    },
    /// A recovery is to be confirmed.
    Confirming {
        /// What is asked for.
        request: RecoverRequest,
        /// What would be lost, where its loss is to be accepted.
        told: Vec<String>,
        /// Why it could not be begun.
        error: Option<ApiError>,
    },
}

/// The plan on the screen.
#[derive(Clone, Copy)]
pub struct Work {
    /// Where it stands.
    pub stage: RwSignal<Stage>,
    /// The tree shows how it would be afterwards.
    pub afterwards: RwSignal<bool>,
    /// A call is under way: buttons wait.
    pub busy: RwSignal<bool>,
}

impl Work {
    /// Nothing is planned.
    pub fn new() -> Self {
        Self { stage: RwSignal::new(Stage::Idle), afterwards: RwSignal::new(false), busy: RwSignal::new(false) }
    }

    /// Something is on the screen.
    pub fn is_open(self) -> bool {
        self.stage.with(|stage| *stage != Stage::Idle)
    }

    /// The plan that is shown or applied.
    pub fn plan(self) -> Option<Plan> {
        self.stage.with(|stage| match stage {
            Stage::Shown { plan, .. } => Some(plan.clone()),
            Stage::Applied { view, .. } => Some(view.plan.clone()),
            _ => None,
        })
    }

    /// Asks for a plan and shows it.
    pub fn propose(self, ui: Ui, operation: Operation) {
        self.plan_again(ui, operation, None);
    }

    fn plan_again(self, ui: Ui, operation: Operation, note: Option<String>) {
        self.afterwards.set(false);
        self.stage.set(Stage::Planning(operation.clone()));
        spawn_local(async move {
            let answer = api::send::<Plan>(Method::POST, &path(&["plans"]), &operation).await;
            // Put away in the meantime, or another one asked for.
            if self.stage.with_untracked(|stage| *stage != Stage::Planning(operation.clone())) {
                return;
            }
            match answer {
                Ok(plan) => {
                    ui.notices.say(format!(
                        "Plan: {}. {} steps. Enter applies, Escape forgets.",
                        plan.title,
                        plan.steps.len()
                    ));
                    self.stage.set(Stage::Shown { operation, plan, note });
                }
                Err(error) => {
                    ui.notices.say(format!("{} is refused: {error}", operation_text(&operation)));
                    self.stage.set(Stage::Refused(operation, error));
                }
            }
        });
    }

    /// Applies the plan on the screen.
    pub fn apply(self, ui: Ui) {
        let Stage::Shown { operation, plan, .. } = self.stage.get_untracked() else { return };
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.afterwards.set(false);
        spawn_local(async move {
            let request = ApplyRequest { operation: operation.clone(), fingerprint: plan.fingerprint.clone() };
            let answer = api::send::<OperationView>(Method::POST, &path(&["operations"]), &request).await;
            self.busy.set(false);
            match answer {
                Ok(view) => {
                    let id = view.id.clone();
                    self.stage.set(Stage::Applied { operation, view });
                    self.follow(ui, id);
                }
                Err(error) if error.is_conflict() => {
                    let note = format!("Nothing was changed: {error} This is the plan for the world as it is now.");
                    ui.notices.say(note.clone());
                    match error.new_plan() {
                        Some(plan) => self.stage.set(Stage::Shown { operation, plan, note: Some(note) }),
                        None => self.plan_again(ui, operation, Some(note)),
                    }
                }
                Err(error) => {
                    let note = Some(format!("It was not applied: {error}"));
                    self.stage.set(Stage::Shown { operation, plan, note });
                }
            }
        });
    }

    /// A step changed state.
    pub fn step_changed(self, id: &str, step: u32, state: &StepState) {
        if self.applied_id().as_deref() == Some(id) {
            self.stage.update(|stage| {
                if let Stage::Applied { view, .. } = stage {
                    view.steps.insert(step, state.clone());
                }
            });
        }
    }

    /// An application ended: it is read whole, because events may have been missed.
    pub fn ended(self, ui: Ui, id: &str, error: Option<String>) {
        if self.applied_id().as_deref() == Some(id) {
            ui.notices.say(match &error {
                None => "Done.".to_owned(),
                Some(error) => format!("Failed: {error}"),
            });
            let id = id.to_owned();
            spawn_local(async move { self.reread(ui, &id).await });
        }
    }

    fn applied_id(self) -> Option<String> {
        self.stage.with_untracked(|stage| match stage {
            Stage::Applied { view, .. } => Some(view.id.clone()),
            _ => None,
        })
    }

    /// Looks now and then whether it has ended, in case the events do not come through.
    fn follow(self, ui: Ui, id: String) {
        let running = self.stage.with_untracked(|stage| match stage {
            Stage::Applied { view, .. } => view.id == id && view.ended.is_none(),
            _ => false,
        });
        if !running {
            ask(ui, Reread { cluster: true, clusters: true, ..Reread::default() });
            return;
        }
        set_timeout(
            move || {
                spawn_local(async move {
                    self.reread(ui, &id).await;
                    self.follow(ui, id);
                });
            },
            Duration::from_secs(2),
        );
    }

    async fn reread(self, ui: Ui, id: &str) {
        let answer = api::get::<OperationView>(&path(&["operations", id])).await;
        ui.link.heard(answer.as_ref().err());
        if let (Ok(fresh), Some(shown)) = (answer, self.applied_id())
            && shown == id
        {
            self.stage.update(|stage| {
                if let Stage::Applied { view, .. } = stage {
                    *view = fresh;
                }
            });
        }
    }

    /// Shows what a recovery would mean, to be confirmed.
    pub fn confirm_recovery(self, request: RecoverRequest) {
        self.stage.set(Stage::Confirming { request, told: Vec::new(), error: None });
    }

    /// Shows what accepting a loss would mean, to be confirmed by naming it.
    pub fn confirm_loss(self, offer: Offer) {
        self.stage.set(Stage::Confirming { request: offer.request, told: offer.told, error: None });
    }

    /// Begins the confirmed recovery and goes to its record.
    pub fn begin_recovery(self, ui: Ui) {
        let Stage::Confirming { request, told, .. } = self.stage.get_untracked() else { return };
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let answer = api::send::<Recovery>(Method::POST, &path(&["recoveries"]), &request).await;
            self.busy.set(false);
            match answer {
                Ok(recovery) => {
                    self.stage.set(Stage::Idle);
                    ui.notices.say("The recovery has begun.");
                    ui.navigator.go(&Route::Recovery { id: recovery.uid });
                }
                Err(error) => self.stage.set(Stage::Confirming { request, told, error: Some(error) }),
            }
        });
    }

    /// Puts away what has come to its end, so that another server can be looked at.
    pub fn dismiss_if_done(self) {
        let done = self.stage.with_untracked(|stage| match stage {
            Stage::Applied { view, .. } => view.ended.is_some(),
            Stage::Refused(..) => true,
            _ => false,
        });
        if done {
            self.dismiss();
        }
    }

    /// Puts it away. What is being applied goes on by itself.
    pub fn dismiss(self) {
        self.afterwards.set(false);
        self.stage.set(Stage::Idle);
    }
}
