//! Running steps.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::plan::{Action, Condition, Step, StepState};
use app::topology::Instance;
use engine::interpret::Record;
use futures_util::future::join_all;
use tracing::Instrument as _;

use super::gate::Gate;
use super::hands::{HandError, Hands};
use super::stopping::LEFT_OFF;
use crate::metrics::StepMeter;

/// How long undoing one step may take.
const UNDO_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses between looks at a server that is not yet as expected grow from the first of these to the second.
const SHORT_PAUSE: Duration = Duration::from_millis(5);
const LONG_PAUSE: Duration = Duration::from_millis(200);

/// What a step at work tells is passed on this often.
const PASS_ON: Duration = Duration::from_secs(1);

/// How a step ended, with what was read on the way.
#[derive(Debug, Clone)]
pub struct StepResult {
    /// Number of the step.
    pub step: u32,
    /// How it ended.
    pub state: StepState,
    /// The server as read by the step, for steps that read.
    pub fresh: Option<Box<Instance>>,
    /// Number of the MySQL error, where the server said no.
    pub error_number: Option<u16>,
}

/// What undoing brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    /// Steps that were undone, by number.
    pub steps: Vec<u32>,
    /// What could not be undone: server and reason, for people.
    pub left_changed: Vec<String>,
}

/// Is told of each step before it begins and after it ended, and is waited for: recording comes before running.
pub trait Observer: Send + Sync {
    /// A step changed state.
    fn step_changed<'a>(&'a self, step: &'a Step, state: &'a StepState) -> futures_util::future::BoxFuture<'a, ()>;

    /// A step at work tells how far it has come, now and then.
    fn step_told(&self, _step: &Step, _how_far: String) {}

    /// Ends once somebody waits for what the steps have in their hands: a step that takes long and changes nothing is broken off then.
    fn wanted(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Runs steps by means of a pair of hands.
#[derive(Clone)]
pub struct Exec {
    pub(super) hands: Arc<dyn Hands>,
    meter: Arc<StepMeter>,
    gate: Gate,
    /// Asked before anything is changed.
    permit: Option<Permit>,
}

/// Says whether this process may change anything now.
pub type Permit = Arc<dyn Fn() -> bool + Send + Sync>;

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec").finish_non_exhaustive()
    }
}

impl Exec {
    /// An executor that acts through `hands`.
    pub fn new(hands: Arc<dyn Hands>) -> Self {
        Self { hands, meter: Arc::default(), gate: Gate::default(), permit: None }
    }

    /// The same hands, with figures of its own.
    pub fn measured_apart(&self) -> Self {
        Self { meter: Arc::default(), ..self.clone() }
    }

    /// What is at work.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The same, and nothing is changed while `permit` says no.
    pub fn permitted_by(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// What steps took.
    pub fn meter(&self) -> &StepMeter {
        &self.meter
    }

    /// Reads a server afresh.
    ///
    /// # Errors
    /// What the server or the network said.
    pub async fn refresh(&self, key: &InstanceKey) -> Result<Instance, HandError> {
        self.hands.refresh(key).await
    }

    /// Asks a server something that changes nothing.
    ///
    /// # Errors
    /// What the server or the network said.
    pub async fn ask(&self, key: &InstanceKey, question: &str, limit: Duration) -> Result<Vec<Record>, HandError> {
        self.hands.ask(key, question, limit).await
    }

    /// Carries out one action, of a plan or of none.
    ///
    /// # Errors
    /// [`HandError::NotPermitted`] while this process must hold its hands still, or what the server or the network said.
    pub async fn act(
        &self,
        key: &InstanceKey,
        action: &Action,
        statements: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        let waits = matches!(action, Action::WaitForGtid { .. } | Action::WaitForPeer { .. });
        if !waits && self.permit.as_ref().is_some_and(|permit| !permit()) {
            return Err(HandError::NotPermitted);
        }
        self.hands.act(key, action, statements, limit).await
    }

    /// Runs steps phase by phase and gives one result for each, in the order given.
    pub async fn run(&self, steps: &[Step], observer: &dyn Observer) -> Vec<StepResult> {
        let mut results: Vec<Option<StepResult>> = steps.iter().map(|_| None).collect();
        let mut failed: BTreeSet<InstanceKey> = BTreeSet::new();
        let mut done: BTreeSet<u32> = BTreeSet::new();
        let phases: BTreeSet<u32> = steps.iter().map(|s| s.phase).collect();
        for phase in phases {
            let due: Vec<(usize, &Step)> = steps.iter().enumerate().filter(|(_, s)| s.phase == phase).collect();
            // Within a phase the steps of one server keep their order; different servers run side by side.
            let servers: BTreeSet<&InstanceKey> = due.iter().map(|(_, s)| &s.server).collect();
            let chains = servers.into_iter().map(|server| {
                let chain: Vec<(usize, &Step)> = due.iter().copied().filter(|(_, s)| s.server == *server).collect();
                let skip = failed.contains(server);
                let done = &done;
                async move { self.run_chain(chain, skip, done, observer).await }
            });
            for (index, result) in join_all(chains).await.into_iter().flatten() {
                if result.state.is_done() {
                    done.insert(result.step);
                }
                if let Some(step) = steps.get(index).filter(|_| !result.state.is_done()) {
                    failed.insert(step.server.clone());
                }
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(result);
                }
            }
        }
        results.into_iter().flatten().collect()
    }

    async fn run_chain(
        &self,
        chain: Vec<(usize, &Step)>,
        mut skip: bool,
        done: &BTreeSet<u32>,
        observer: &dyn Observer,
    ) -> Vec<(usize, StepResult)> {
        let mut results = Vec::with_capacity(chain.len());
        for (index, step) in chain {
            // Steps of this server that came before were done, or `skip` is set.
            let lacking = step
                .needs
                .iter()
                .any(|id| !done.contains(id) && !results.iter().any(|(_, r): &(usize, StepResult)| r.step == *id));
            let result = if skip || lacking {
                observer.step_changed(step, &StepState::Skipped).await;
                StepResult { step: step.id, state: StepState::Skipped, fresh: None, error_number: None }
            } else {
                self.run_step(step, observer).await
            };
            skip |= !result.state.is_done();
            results.push((index, result));
        }
        results
    }

    /// Runs one step: checks what must hold before it, does it within its time, tells how it ended.
    pub async fn run_step(&self, step: &Step, observer: &dyn Observer) -> StepResult {
        let span = tracing::info_span!("step", id = step.id, instance = %step.server);
        async {
            observer.step_changed(step, &StepState::Running).await;
            let (began, limit) = (Instant::now(), Duration::from_millis(step.timeout_ms));
            let attempt = async {
                tokio::select! {
                    done = self.attempt(step) => done,
                    never = self.pass_on(step, observer) => match never {},
                    () = observer.wanted(), if is_a_search(&step.action) => Err(HandError::BrokenOff),
                }
            };
            let done = tokio::time::timeout(limit + beyond(&step.action), attempt).await;
            let mut result = StepResult { step: step.id, state: StepState::Done, fresh: None, error_number: None };
            match done {
                Ok(Ok(fresh)) => result.fresh = fresh.map(Box::new),
                Ok(Err(HandError::Timeout { .. })) | Err(_) => result.state = StepState::TimedOut,
                Ok(Err(error)) => {
                    result.error_number = error.number();
                    result.state = StepState::Failed { error: error.to_string() };
                }
            }
            self.meter.ended(&step.action, &result.state, began.elapsed());
            tracing::info!(action = ?step.action, state = ?result.state, "step ended");
            observer.step_changed(step, &result.state).await;
            result
        }
        .instrument(span)
        .await
    }

    /// Passes on what a step at work tells, for as long as it is at work.
    async fn pass_on(&self, step: &Step, observer: &dyn Observer) -> Infallible {
        loop {
            tokio::time::sleep(PASS_ON).await;
            if let Some(how_far) = self.hands.how_far(&step.server).filter(|_| is_a_search(&step.action)) {
                observer.step_told(step, how_far);
            }
        }
    }

    async fn attempt(&self, step: &Step) -> Result<Option<Instance>, HandError> {
        if !step.before.is_empty() {
            let fresh = self.hands.refresh(&step.server).await?;
            require(&fresh, &step.before)?;
        }
        match &step.action {
            Action::Refresh => Ok(Some(self.hands.refresh(&step.server).await?)),
            Action::Verify { expect } => {
                let fresh = self.verify(&step.server, expect).await?;
                Ok(Some(fresh))
            }
            action => {
                self.act(&step.server, action, &step.statements, Duration::from_millis(step.timeout_ms)).await?;
                Ok(None)
            }
        }
    }

    /// Reads the server until it is as expected or the step's time runs out: threads need a moment to come up.
    async fn verify(&self, server: &InstanceKey, expect: &[Condition]) -> Result<Instance, HandError> {
        let began = Instant::now();
        loop {
            let fresh = self.hands.refresh(server).await?;
            match require(&fresh, expect) {
                Ok(()) => return Ok(fresh),
                // What cannot change by waiting is told at once.
                Err(error) if fresh.replication.receiver_errno != 0 && is_final(&fresh) => return Err(error),
                // Looked at often while it may be a matter of milliseconds.
                Err(_) => tokio::time::sleep((began.elapsed() / 4).clamp(SHORT_PAUSE, LONG_PAUSE)).await,
            }
        }
    }

    /// Undoes the steps that were done, of each server the last first. Servers side by side: one that is dead holds up no other.
    pub async fn undo(&self, steps: &[Step], results: &[StepResult], observer: &dyn Observer) -> Undone {
        let begun = |step: &Step| {
            results.iter().any(|r| r.step == step.id && !matches!(r.state, StepState::Skipped)) && !step.undo.is_empty()
        };
        let due: Vec<&Step> = steps.iter().rev().filter(|step| begun(step)).collect();
        let servers: BTreeSet<&InstanceKey> = due.iter().map(|step| &step.server).collect();
        let chains = servers.into_iter().map(|server| {
            let chain: Vec<&Step> = due.iter().copied().filter(|step| step.server == *server).collect();
            self.undo_chain(chain, observer)
        });
        let mut undone = Undone::default();
        for chain in join_all(chains).await {
            undone.steps.extend(chain.steps);
            undone.left_changed.extend(chain.left_changed);
        }
        undone
    }

    async fn undo_chain(&self, chain: Vec<&Step>, observer: &dyn Observer) -> Undone {
        let mut undone = Undone::default();
        for step in chain {
            let mut problem = None;
            for action in &step.undo {
                let limit = UNDO_TIMEOUT + beyond(action);
                let acted = tokio::time::timeout(limit, self.act(&step.server, action, &[], UNDO_TIMEOUT)).await;
                match acted {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => problem = Some(error.to_string()),
                    Err(_) => problem = Some(format!("no answer within {} s", UNDO_TIMEOUT.as_secs())),
                }
            }
            match problem {
                None => {
                    observer.step_changed(step, &StepState::Undone).await;
                    undone.steps.push(step.id);
                }
                Some(error) => {
                    let left = format!("{}: step {} could not be undone: {error}", step.server, step.id);
                    tracing::error!(instance = %step.server, step = step.id, error, "step could not be undone");
                    undone.left_changed.push(left);
                }
            }
        }
        undone
    }
}

/// The receiver stopped with an error that no waiting mends (for example 1236, missing binary logs).
fn is_final(instance: &Instance) -> bool {
    instance.replication.receiver == app::topology::ThreadState::Stopped
}

/// So much longer than it says may a step take.
fn beyond(action: &Action) -> Duration {
    match action {
        Action::StopReplication | Action::StopApplier => LEFT_OFF,
        _ => Duration::ZERO,
    }
}

/// Takes its time, changes nothing, and tells how far it has come.
fn is_a_search(action: &Action) -> bool {
    matches!(action, Action::FindPlace { .. })
}

/// All conditions hold on a fresh read of the server.
fn require(fresh: &Instance, conditions: &[Condition]) -> Result<(), HandError> {
    let broken: Vec<String> = conditions.iter().filter_map(|c| engine::plan::check(fresh, c).err()).collect();
    if broken.is_empty() { Ok(()) } else { Err(HandError::Condition { what: broken.join("; ") }) }
}
