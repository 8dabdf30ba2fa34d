//! Runs the steps of one decision by the contract of the executor: phases one after the other, servers side by side, each step
//! within its time; once a step of a server ended badly its later ones are skipped; then every server is read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use app::plan::{Action, Condition, Step, StepState};
use engine::recovery::StepOutcome;

use super::stage::{Event, Stage};
use super::world::{NODES, Reach, number_of};

/// How long the read after the steps may take, milliseconds.
const READ_LIMIT: u64 = 2_000;

/// What goes wrong with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepFault {
    Refused,
    /// It is never done, and nothing is heard.
    Lost,
    /// It is done, and nothing is heard.
    AnswerLost,
    DiesBefore,
    DiesAfter,
}

/// The steps of one server in one phase.
struct Chain {
    steps: VecDeque<usize>,
    /// The step at the head began then.
    began: Option<u64>,
    fault: Option<StepFault>,
    /// The step at the head was done; its answer is on its way, or lost.
    done: bool,
}

pub struct Batch {
    /// Of this recovery; none for a fence.
    pub uid: Option<usize>,
    steps: Vec<Step>,
    states: Vec<Option<StepState>>,
    phases: VecDeque<u32>,
    chains: Vec<Chain>,
    broken: BTreeSet<usize>,
    /// A step that ended badly does not hold up the later ones of its server.
    forgives: bool,
    /// Steps are over; servers that say nothing are waited for until then.
    reading: Option<u64>,
}

impl Batch {
    pub fn new(uid: Option<usize>, mut steps: Vec<Step>) -> Self {
        steps.sort_by_key(|s| (s.phase, s.id));
        let phases: BTreeSet<u32> = steps.iter().map(|s| s.phase).collect();
        Self {
            uid,
            states: vec![None; steps.len()],
            steps,
            phases: phases.into_iter().collect(),
            chains: vec![],
            broken: BTreeSet::new(),
            forgives: false,
            reading: None,
        }
    }

    /// A fence: what can be done of it is done.
    pub fn forgiving(steps: Vec<Step>) -> Self {
        Self { forgives: true, ..Self::new(None, steps) }
    }

    /// Goes on for one tick. Outcomes once all is over.
    pub fn tick(&mut self, stage: &mut Stage, node: usize) -> Option<Vec<StepOutcome>> {
        if self.reading.is_none() {
            self.begin_phase();
            let mut chains = std::mem::take(&mut self.chains);
            for chain in &mut chains {
                self.run_head(chain, stage, node);
            }
            chains.retain(|chain| !chain.steps.is_empty());
            self.chains = chains;
            if !self.chains.is_empty() || !self.phases.is_empty() {
                return None;
            }
            let silent = |n: &usize| stage.world.reach(NODES + node, *n) == Reach::Silence;
            let waits = self.to_read().iter().any(silent);
            self.reading = Some(stage.now() + if waits { READ_LIMIT } else { 0 });
        }
        if self.reading.is_some_and(|until| stage.now() < until) {
            return None;
        }
        Some(self.outcomes(stage, node))
    }

    fn begin_phase(&mut self) {
        if !self.chains.is_empty() {
            return;
        }
        let Some(phase) = self.phases.pop_front() else { return };
        let mut chains: BTreeMap<usize, VecDeque<usize>> = BTreeMap::new();
        for (index, step) in self.steps.iter().enumerate().filter(|(_, s)| s.phase == phase) {
            chains.entry(number_of(&step.server)).or_default().push_back(index);
        }
        let chain = |steps| Chain { steps, began: None, fault: None, done: false };
        self.chains = chains.into_values().map(chain).collect();
    }

    /// Runs the step at the head of a chain; those of a broken server are skipped.
    fn run_head(&mut self, chain: &mut Chain, stage: &mut Stage, node: usize) {
        while let Some(index) = chain.steps.front().copied() {
            let step = &self.steps[index];
            let server = number_of(&step.server);
            if self.broken.contains(&server) {
                self.states[index] = Some(StepState::Skipped);
                chain.steps.pop_front();
                continue;
            }
            let Some(state) = Self::attempt(step, chain, stage, node, self.uid) else { return };
            if step.action != Action::Refresh || !state.is_done() {
                stage.tell(format!("node{node} {} {} -> {}", step.server, short(&step.action), told(&state)));
            }
            if state.is_failure() && !self.forgives {
                self.broken.insert(server);
            }
            self.states[index] = Some(state);
            (chain.began, chain.fault, chain.done) = (None, None, false);
            chain.steps.pop_front();
            return;
        }
    }

    /// One look at a step: its end, or nothing while it goes on.
    fn attempt(
        step: &Step,
        chain: &mut Chain,
        stage: &mut Stage,
        node: usize,
        uid: Option<usize>,
    ) -> Option<StepState> {
        let (server, now) = (number_of(&step.server), stage.now());
        let first = chain.began.is_none();
        let began = *chain.began.get_or_insert(now);
        if first {
            stage.steps_begun += u32::from(uid.is_some());
            // A fence that is struck is tried again only later than the limit of S2: that is no fault of a recovery.
            chain.fault = uid.and_then(|_| draw_fault(step, stage, server));
        }
        if now >= began + step.timeout_ms {
            stage.world.servers[server].locked = false;
            return Some(StepState::TimedOut);
        }
        if chain.done {
            // A process that dies resets the connection that the answer was to come by.
            let reset = stage.world.reach(NODES + node, server) == Reach::Refused;
            return reset.then(|| failed("lost connection"));
        }
        if chain.fault == Some(StepFault::DiesBefore) && stage.world.servers[server].is_up() {
            stage.kill(server);
        }
        match stage.world.reach(NODES + node, server) {
            Reach::Silence => return None,
            Reach::Refused => return Some(failed("connection refused")),
            Reach::Answers => {}
        }
        match chain.fault {
            Some(StepFault::Refused) => return Some(failed("the server says no")),
            Some(StepFault::Lost) => return None,
            _ => {}
        }
        if first && let Some(broken) = unmet(stage, server, &step.before).first() {
            return Some(failed(broken));
        }
        let state = perform(step, stage, server, node, first)?;
        if matches!(step.action, Action::SetReadOnly { on: false, .. })
            && let (true, Some(uid)) = (state.is_done(), uid)
        {
            stage.events.push(Event::MadeWritable { uid, server });
        }
        match chain.fault {
            Some(StepFault::AnswerLost) => chain.done = true,
            Some(StepFault::DiesAfter) => {
                stage.kill(server);
                chain.done = true;
            }
            _ => return Some(state),
        }
        None
    }

    /// Servers that are read once the steps are over: all that were not skipped. A read that failed is an answer.
    fn to_read(&self) -> BTreeSet<usize> {
        let mut servers = BTreeSet::new();
        for (step, state) in self.steps.iter().zip(&self.states) {
            let server = number_of(&step.server);
            match state {
                Some(StepState::Skipped) | None => {}
                Some(state) if step.action == Action::Refresh && state.is_failure() => {
                    servers.remove(&server);
                }
                Some(_) => {
                    servers.insert(server);
                }
            }
        }
        servers
    }

    fn outcomes(&self, stage: &mut Stage, node: usize) -> Vec<StepOutcome> {
        let mut fresh = BTreeMap::new();
        for server in self.to_read() {
            if stage.world.answers(NODES + node, server) {
                fresh.insert(server, stage.world.instance(server));
            }
        }
        let outcome = |(step, state): (&Step, &Option<StepState>)| {
            let state = state.clone().unwrap_or(StepState::TimedOut);
            let read = fresh.get(&number_of(&step.server)).filter(|_| state != StepState::Skipped);
            StepOutcome { id: step.id, state, errno: None, fresh: read.cloned() }
        };
        self.steps.iter().zip(&self.states).map(outcome).collect()
    }
}

fn draw_fault(step: &Step, stage: &mut Stage, server: usize) -> Option<StepFault> {
    let faults = stage.step_faults;
    if faults.left == 0 || step.action == Action::Refresh || !stage.random.percent(faults.chance) {
        return None;
    }
    stage.step_faults.left -= 1;
    let fault = match stage.random.below(if faults.deaths { 5 } else { 3 }) {
        0 => StepFault::Refused,
        1 => StepFault::Lost,
        2 => StepFault::AnswerLost,
        3 => StepFault::DiesBefore,
        _ => StepFault::DiesAfter,
    };
    stage.strike(server, &format!("shall fail at {}: {fault:?}", short(&step.action)));
    Some(fault)
}

/// What of `conditions` does not hold on the server now.
fn unmet(stage: &mut Stage, server: usize, conditions: &[Condition]) -> Vec<String> {
    if conditions.is_empty() {
        return vec![];
    }
    let fresh = stage.world.instance(server);
    conditions.iter().filter_map(|condition| engine::plan::check(&fresh, condition).err()).collect()
}

/// Does the step, or looks whether what it waits for has come. The server answers.
fn perform(step: &Step, stage: &mut Stage, server: usize, node: usize, first: bool) -> Option<StepState> {
    let done_when = |holds: bool| holds.then_some(StepState::Done);
    match &step.action {
        Action::Refresh => Some(StepState::Done),
        Action::Verify { expect } => done_when(unmet(stage, server, expect).is_empty()),
        Action::WaitForGtid { set } => {
            let covers = Condition::ExecutedCovers { set: set.clone() };
            done_when(unmet(stage, server, &[covers]).is_empty())
        }
        Action::WaitForPeer { peer } => {
            let (peer, set) = (number_of(peer), stage.world.executed_text(server));
            match stage.world.reach(NODES + node, peer) {
                Reach::Refused => Some(failed("the peer refuses connections")),
                Reach::Silence => None,
                Reach::Answers => done_when(unmet(stage, peer, &[Condition::ExecutedCovers { set }]).is_empty()),
            }
        }
        Action::Drain if !first => {
            let server = &stage.world.servers[server];
            if server.applier_errno != 0 {
                return Some(failed("duplicate key (error 1062)"));
            }
            done_when(server.relay.is_empty())
        }
        Action::KillSessions => {
            // Their commits go on without anybody being told.
            stage.world.servers[server].waiting.clear();
            Some(StepState::Done)
        }
        Action::SetReadOnly { on: true, .. } if !stage.world.servers[server].waiting.is_empty() => {
            // It waits behind commits that wait for acknowledgements, and nobody commits meanwhile.
            stage.world.servers[server].locked = true;
            None
        }
        action => {
            let state = match stage.world.change(server, step) {
                Ok(()) if *action == Action::Drain => return None,
                Ok(()) => StepState::Done,
                Err(error) => failed(&error),
            };
            stage.world.servers[server].locked = false;
            Some(state)
        }
    }
}

fn failed(error: &str) -> StepState {
    StepState::Failed { error: error.to_owned() }
}

fn told(state: &StepState) -> String {
    match state {
        StepState::Failed { error } => format!("failed: {error}"),
        other => format!("{other:?}"),
    }
}

fn short(action: &Action) -> String {
    match action {
        Action::ChangeSource { to, .. } => format!("ChangeSource to {}", to.hostname),
        Action::WaitForGtid { .. } => "WaitForGtid".to_owned(),
        Action::Verify { .. } => "Verify".to_owned(),
        Action::SetReadOnly { on, .. } => format!("SetReadOnly {on}"),
        other => format!("{other:?}"),
    }
}
