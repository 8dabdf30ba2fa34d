//! Operations that people ask for: plan, show, apply.
//!
//! A plan is made from fresh reads of the servers it touches, shown, and applied only if a plan made at that
//! moment still has the same fingerprint. The preview, the dry run and the application come from the same planner.

mod errant;
mod operations;

use std::sync::Arc;

use app::InstanceKey;
use app::api::{Operation, OperationView};
use app::plan::{Action, OutcomeState, Plan, Refusal, Step, StepState};
use app::topology::Snapshot;
use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use crate::audit::Audit;
use crate::config::LiveConfig;
use crate::consensus::{Actor, Consensus};
use crate::events::EventBus;
use crate::exec::{Exec, Held, Locks, Observer, Purpose, StepResult};
use crate::fleet::Fleet;
use crate::hooks::Hooks;
use crate::metrics::StepMeter;
use operations::Operations;

/// Why an operation was not planned or applied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefactorError {
    /// A rule forbids it.
    #[error("{0}")]
    Refused(Refusal),
    /// The server is not known.
    #[error("{0} is not known; discover it first")]
    Unknown(InstanceKey),
    /// The plan that was shown is not the plan that would be carried out now.
    #[error("the topology has changed since the plan was shown; look at the new plan")]
    WorldChanged(Box<Plan>),
    /// Another operation or recovery holds a server or cluster.
    #[error("{0}")]
    Held(Held),
    /// This node must not act.
    #[error("this node is not the leader")]
    NotLeader,
    /// It was begun and failed; says what is left changed.
    #[error("{0}")]
    Failed(String),
}

/// What operations need of the other rooms.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The picture.
    pub fleet: Arc<Fleet>,
    /// Who acts.
    pub consensus: Arc<Consensus>,
    /// Executor.
    pub exec: Exec,
    /// Locks, shared with recoveries.
    pub locks: Locks,
    /// Audit.
    pub audit: Audit,
    /// Events.
    pub events: Arc<EventBus>,
    /// Configuration.
    pub config: Arc<LiveConfig>,
    /// Hooks.
    pub hooks: Hooks,
}

/// Plans and applies operations.
#[derive(Debug, Clone)]
pub struct Refactor {
    parts: Parts,
    operations: Arc<Operations>,
}

impl Refactor {
    /// An operator of the fleet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, operations: Arc::default() }
    }

    /// What steps of operations took.
    pub fn step_meter(&self) -> &StepMeter {
        self.parts.exec.meter()
    }

    /// Plans an operation from the picture at hand. Nothing is changed and no server is asked.
    ///
    /// # Errors
    /// [`RefactorError::Refused`] with the rule, [`RefactorError::Unknown`].
    pub fn plan(&self, operation: &Operation) -> Result<Plan, RefactorError> {
        self.plan_on(&self.parts.fleet.snapshot(), operation)
    }

    /// Applies an operation in the background, if a plan from fresh facts still has the fingerprint shown.
    ///
    /// # Errors
    /// See [`RefactorError`]; nothing has been changed then.
    pub async fn start(
        &self,
        operation: &Operation,
        fingerprint: &str,
        actor: &Actor,
    ) -> Result<OperationView, RefactorError> {
        let (view, work) = self.prepare(operation, Some(fingerprint), actor).await?;
        tokio::spawn(work);
        Ok(view)
    }

    /// Applies an operation and waits for its end: the form of the commands and of the compatible API.
    ///
    /// # Errors
    /// See [`RefactorError`]; with [`RefactorError::Failed`] it says what is left changed.
    pub async fn run(&self, operation: &Operation, actor: &Actor) -> Result<OperationView, RefactorError> {
        let view = self.run_to_end(operation, actor).await?;
        match &view.error {
            Some(error) => Err(RefactorError::Failed(error.clone())),
            None => Ok(view),
        }
    }

    /// The same for an operation on several servers: it is a failure only when none of them got to where it should. What became of each
    /// is in [`OperationView::outcomes`].
    ///
    /// # Errors
    /// See [`RefactorError`].
    pub async fn run_each(&self, operation: &Operation, actor: &Actor) -> Result<OperationView, RefactorError> {
        let view = self.run_to_end(operation, actor).await?;
        let any_done = view.outcomes.iter().any(|outcome| outcome.state == OutcomeState::Done);
        match &view.error {
            Some(error) if !any_done => Err(RefactorError::Failed(error.clone())),
            _ => Ok(view),
        }
    }

    async fn run_to_end(&self, operation: &Operation, actor: &Actor) -> Result<OperationView, RefactorError> {
        let (view, work) = self.prepare(operation, None, actor).await?;
        // Spawned, so that a caller who hangs up does not cut an operation in two.
        let ended = tokio::spawn(work).await;
        ended.map_err(|panic| RefactorError::Failed(format!("the operation broke off: {panic}")))?;
        Ok(self.operations.get(&view.id).unwrap_or(view))
    }

    /// An operation that is or was applied by this process.
    pub fn operation(&self, id: &str) -> Option<OperationView> {
        self.operations.get(id)
    }

    fn plan_on(&self, snapshot: &Snapshot, operation: &Operation) -> Result<Plan, RefactorError> {
        for key in operation.servers() {
            if snapshot.get(key).is_none() {
                return Err(RefactorError::Unknown(key.clone()));
            }
        }
        engine::plan::plan(operation, snapshot, &crate::settings::plan(&self.parts.config.current()))
            .map_err(RefactorError::Refused)
    }

    /// Reads every server afresh that the plan touches or rests on, plans again and takes the locks.
    async fn prepare(
        &self,
        operation: &Operation,
        fingerprint: Option<&str>,
        actor: &Actor,
    ) -> Result<(OperationView, BoxFuture<'static, ()>), RefactorError> {
        if !self.parts.consensus.is_leader() {
            return Err(RefactorError::NotLeader);
        }
        let sketch = self.plan(operation)?;
        let name = format!("{} by {}", sketch.title, actor.name);
        // Every server touched: a recovery and an operation never meet (`safety.md` S4).
        let taken = self.parts.locks.take_servers(sketch.servers(), &name, Purpose::Operation).await;
        let guard = taken.map_err(RefactorError::Held)?;
        let mut touched = sketch.servers();
        touched.extend(operation.servers().into_iter().cloned());
        touched.sort();
        touched.dedup();
        // A server that cannot be read keeps its last state; the rules then judge it as such.
        join_all(touched.iter().map(|key| self.parts.exec.refresh(key))).await;
        let plan = self.plan(operation)?;
        if fingerprint.is_some_and(|shown| shown != plan.fingerprint) {
            return Err(RefactorError::WorldChanged(Box::new(plan)));
        }
        let view = self.operations.begin(plan.clone(), &actor.name, Utc::now());
        let this = self.clone();
        let (id, actor) = (view.id.clone(), actor.clone());
        let work = async move {
            let error = this.carry_out(&id, &plan, &actor).await;
            this.operations.end(&id, error.clone(), Utc::now());
            this.parts.events.publish(app::event::EventBody::PlanEnded { operation_id: id, error });
            drop(guard);
        };
        Ok((view, work.boxed()))
    }

    /// Runs the plan; on failure undoes what was done on the servers that failed. Gives what went wrong.
    async fn carry_out(&self, id: &str, plan: &Plan, actor: &Actor) -> Option<String> {
        let observer = PlanObserver { id, refactor: self };
        let results = self.parts.exec.run(&plan.steps, &observer).await;
        let error = self.settle(plan, &results, &observer).await;
        join_all(plan.servers().iter().map(|key| self.parts.exec.refresh(key))).await;
        let about = plan.servers().into_iter().next().unwrap_or_default();
        let message = match &error {
            None => plan.title.clone(),
            Some(error) => format!("{}: failed: {error}", plan.title),
        };
        if let (None, "take-master", [taker, taken]) = (&error, plan.operation.as_str(), plan.moves.as_slice()) {
            self.parts.hooks.after_take_source(&taker.server, &taken.server).await;
        }
        self.parts.audit.record(audit_type(&plan.operation), &about, &plan.cluster, actor, &message);
        error
    }

    async fn settle(&self, plan: &Plan, results: &[StepResult], observer: &PlanObserver<'_>) -> Option<String> {
        let failures: Vec<String> = results
            .iter()
            .filter(|r| r.state.is_failure())
            .filter_map(|r| {
                let step = plan.steps.iter().find(|s| s.id == r.step)?;
                Some(describe_failure(step, &r.state))
            })
            .collect();
        if failures.is_empty() {
            return None;
        }
        // Servers whose part was left out because another one's failed are put back as well.
        let broken: Vec<&InstanceKey> = results
            .iter()
            .filter(|r| !r.state.is_done())
            .filter_map(|r| plan.steps.iter().find(|s| s.id == r.step).map(|s| &s.server))
            .collect();
        let to_undo: Vec<Step> = plan.steps.iter().filter(|s| broken.contains(&&s.server)).cloned().collect();
        let undone = self.parts.exec.undo(&to_undo, results, observer).await;
        let mut left_changed = undone.left_changed;
        left_changed.extend(
            to_undo
                .iter()
                .filter(|step| stays(step, results))
                .map(|step| format!("{}: step {} ({}) cannot be undone", step.server, step.id, step.reason)),
        );
        let aftermath = if left_changed.is_empty() {
            "what was changed on the failed servers has been undone".to_owned()
        } else {
            format!("still changed: {}", left_changed.join("; "))
        };
        Some(format!("{}; {aftermath}", failures.join("; ")))
    }
}

/// Puts the state of each step where the page can see it.
struct PlanObserver<'a> {
    id: &'a str,
    refactor: &'a Refactor,
}

impl Observer for PlanObserver<'_> {
    fn step_changed<'a>(&'a self, step: &'a Step, state: &'a StepState) -> BoxFuture<'a, ()> {
        self.refactor.operations.step(self.id, step.id, state.clone());
        self.refactor.parts.events.publish(app::event::EventBody::PlanStep {
            operation_id: self.id.to_owned(),
            step: step.id,
            server: step.server.clone(),
            state: state.clone(),
        });
        std::future::ready(()).boxed()
    }
}

/// A step was done, or may have been, that nothing undoes.
fn stays(step: &Step, results: &[StepResult]) -> bool {
    let for_good = matches!(
        step.action,
        Action::ResetReplication
            | Action::SkipTransaction
            | Action::InjectEmpty { .. }
            | Action::ResetBinaryLogs { .. }
            | Action::FlushBinaryLogs { .. }
            | Action::PurgeBinaryLogs { .. }
            | Action::SetCredentials
    );
    let begun = |r: &StepResult| r.step == step.id && matches!(r.state, StepState::Done | StepState::TimedOut);
    for_good && step.undo.is_empty() && results.iter().any(begun)
}

fn describe_failure(step: &Step, state: &StepState) -> String {
    match state {
        StepState::Failed { error } => format!("{}: step {} ({}): {error}", step.server, step.id, step.reason),
        _ => format!("{}: step {} ({}): no answer within {} ms", step.server, step.id, step.reason, step.timeout_ms),
    }
}

/// The audit type under which the compatible API lists an operation (`spec/refactoring.md` 18); those that the original does not
/// audit go by their own name.
fn audit_type(operation: &str) -> &str {
    match operation {
        "relocate" => "relocate-below",
        "move-gtid" => "move-below-gtid",
        "repoint-replicas" => "repoint-to",
        "detach-replica" | "reattach-replica" => "repoint",
        "reset-replica" => "reset-slave",
        "set-read-only" | "set-writeable" => "read-only",
        "take-siblings" => "relocate-replicas",
        other => other,
    }
}
