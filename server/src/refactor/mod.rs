//! Operations that people ask for: plan, show, apply.
//!
//! A plan is made from fresh reads of the servers it touches, shown, and applied only if a plan made at that
//! moment still has the same fingerprint. The preview, the dry run and the application come from the same planner.

mod errant;
mod matching;
mod operations;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use app::InstanceKey;
use app::api::{Operation, OperationView};
use app::plan::{Action, OutcomeState, Plan, Refusal, Step, StepState};
use app::topology::Snapshot;
use chrono::Utc;
use engine::plan::PlanSettings;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio_util::sync::CancellationToken;

use crate::audit::{Act, Audit};
use crate::config::LiveConfig;
use crate::consensus::{Actor, Consensus, OutOfReach};
use crate::events::EventBus;
use crate::exec::{Exec, Guard, Held, Locks, Observer, Purpose, StepResult};
use crate::fleet::Fleet;
use crate::hooks::Hooks;
use crate::metrics::StepMeter;
use operations::Operations;

/// What is read may make another plan of an operation, and reading for that one yet another. Not for ever.
const ATTEMPTS: u32 = 3;

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
    /// The actor may not change one of the servers.
    #[error("{0}")]
    Forbidden(#[from] OutOfReach),
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
        let config = &self.parts.config;
        let virtual_names = !config.switches().skip_unresolve;
        let settings = PlanSettings { virtual_names, ..crate::settings::plan(&config.current()) };
        engine::plan::plan(operation, snapshot, &settings).map_err(RefactorError::Refused)
    }

    /// Takes the locks, reads every server afresh that the plan touches, or that becomes a source, and plans again. What was read may make
    /// a plan of it that touches other servers: then those are taken, and read, too.
    async fn prepare(
        &self,
        operation: &Operation,
        fingerprint: Option<&str>,
        actor: &Actor,
    ) -> Result<(OperationView, BoxFuture<'static, ()>), RefactorError> {
        if !self.parts.consensus.is_leader() {
            return Err(RefactorError::NotLeader);
        }
        self.refuse_out_of_reach(operation.servers().into_iter().cloned(), actor)?;
        let mut sketch = self.plan(operation)?;
        for _ in 0..ATTEMPTS {
            self.refuse_out_of_reach(touched_by(&sketch), actor)?;
            let guard = self.hold(&sketch, actor).await?;
            let mut read = touched_by(&sketch);
            read.extend(operation.servers().into_iter().cloned());
            read.sort();
            read.dedup();
            // A server that cannot be read keeps its last state; the rules then judge it as such.
            join_all(read.iter().map(|key| self.parts.exec.refresh(key))).await;
            let plan = self.plan(operation)?;
            // What was read meanwhile may have changed what it touches.
            self.refuse_out_of_reach(touched_by(&plan), actor)?;
            if fingerprint.is_some_and(|shown| shown != plan.fingerprint) {
                return Err(RefactorError::WorldChanged(Box::new(plan)));
            }
            let rests_on = rests_on(&plan, &self.parts.fleet.snapshot());
            let held =
                plan.servers().iter().all(|key| guard.holds(key)) && rests_on.iter().all(|key| guard.covers(key));
            if held && purpose(&plan) == purpose(&sketch) {
                return Ok(self.begin(plan, guard, actor));
            }
            sketch = plan;
        }
        Err(RefactorError::WorldChanged(Box::new(sketch)))
    }

    /// Takes every server that the plan acts on, so that a recovery and an operation never meet (`safety.md` S4), and sees to it that
    /// those it rests on stay where they are.
    async fn hold(&self, plan: &Plan, actor: &Actor) -> Result<Guard, RefactorError> {
        let name = format!("{} by {}", plan.title, actor.name);
        let taken = self.parts.locks.take_servers(plan.servers(), &name, purpose(plan)).await;
        let mut guard = taken.map_err(RefactorError::Held)?;
        let rests_on = rests_on(plan, &self.parts.fleet.snapshot());
        guard.rest_on(rests_on).await.map_err(RefactorError::Held)?;
        Ok(guard)
    }

    /// Registers the application of a plan, and gives the work that it is.
    fn begin(&self, plan: Plan, guard: Guard, actor: &Actor) -> (OperationView, BoxFuture<'static, ()>) {
        let view = self.operations.begin(plan.clone(), &actor.name, Utc::now());
        let this = self.clone();
        let (id, actor) = (view.id.clone(), actor.clone());
        let work = async move {
            let error = this.carry_out(&id, &plan, &actor, guard.wanted()).await;
            this.operations.end(&id, error.clone(), Utc::now());
            this.parts.events.publish(app::event::EventBody::PlanEnded { operation_id: id, error });
            drop(guard);
        };
        (view, work.boxed())
    }

    /// Every server that is named or acted on must be within the actor's limit.
    fn refuse_out_of_reach(
        &self,
        servers: impl IntoIterator<Item = InstanceKey>,
        actor: &Actor,
    ) -> Result<(), OutOfReach> {
        let snapshot = self.parts.fleet.snapshot();
        servers.into_iter().try_for_each(|key| actor.reaches_server(&snapshot, &key))
    }

    /// Runs the plan; on failure undoes what was done on the servers that failed. Gives what went wrong.
    async fn carry_out(&self, id: &str, plan: &Plan, actor: &Actor, wanted: CancellationToken) -> Option<String> {
        let began = Instant::now();
        let _at_work = self.parts.exec.gate().enter();
        let observer = PlanObserver { id, refactor: self, wanted };
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
        let act = Act::new(audit_type(&plan.operation), actor, message).on(&about).of(&plan.cluster);
        self.parts.audit.log(act.ended_well(error.is_none()).since(began));
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

/// The servers that a plan acts on, and those that merely become a source.
fn touched_by(plan: &Plan) -> Vec<InstanceKey> {
    let sources = plan.moves.iter().map(|m| m.to.clone()).filter(InstanceKey::is_valid);
    plan.servers().into_iter().chain(sources).collect()
}

/// The servers that become sources, and those that they replicate from, up to the top. Were one of them moved meanwhile, two plans, each
/// right by itself, could make a ring.
fn rests_on(plan: &Plan, snapshot: &Snapshot) -> BTreeSet<InstanceKey> {
    let mut found = BTreeSet::new();
    for one in &plan.moves {
        let mut at = Some(&one.to);
        while let Some(key) = at.filter(|key| key.is_valid() && found.insert((*key).clone())) {
            at = snapshot.get(key).filter(|server| server.is_replica()).map(|server| &server.replication.source);
        }
    }
    found
}

/// What the servers of a plan are held for.
fn purpose(plan: &Plan) -> Purpose {
    if plan.steps.iter().all(|step| is_upkeep(&step.action)) { Purpose::Upkeep } else { Purpose::Operation }
}

/// It leaves replication and the binary logs as they are.
fn is_upkeep(action: &Action) -> bool {
    matches!(
        action,
        Action::Refresh
            | Action::Verify { .. }
            | Action::KillQuery { .. }
            | Action::FlushBinaryLogs { .. }
            | Action::SetSemiSyncSource { .. }
            | Action::SetReadOnly { .. }
            | Action::InjectEmpty { .. }
    )
}

/// Puts the state of each step where the page can see it.
struct PlanObserver<'a> {
    id: &'a str,
    refactor: &'a Refactor,
    /// A recovery waits for one of the servers.
    wanted: CancellationToken,
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

    fn step_told(&self, step: &Step, how_far: String) {
        self.refactor.operations.told(self.id, step.id, how_far);
    }

    fn wanted(&self) -> BoxFuture<'_, ()> {
        self.wanted.cancelled().boxed()
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
        "match" | "match-up" | "rematch" => "match-below",
        "match-replicas" | "match-up-replicas" => "multi-match-replicas",
        "regroup-replicas-pgtid" => "regroup-replicas",
        "detach-replica" | "reattach-replica" => "repoint",
        "reset-replica" => "reset-slave",
        "set-read-only" | "set-writeable" => "read-only",
        "take-siblings" => "relocate-replicas",
        other => other,
    }
}
