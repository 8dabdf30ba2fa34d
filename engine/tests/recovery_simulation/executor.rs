//! Runs what the machine decides against the model, with faults, and looks at the invariants after every step.

use app::plan::{Action, Step, StepState};
use engine::recovery::{AbortReason, Decision, Machine, Report, StepOutcome};

use super::random::Random;
use super::world::{World, at, failed, number_of};

/// How much goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Steps that fail, time out, or take their server with them.
    pub steps: u32,
    /// Deaths of the orchestrator.
    pub interruptions: u32,
    /// The dead source is started again by its service manager at some moment.
    pub source_returns: bool,
    /// Servers may die.
    pub deaths: bool,
}

/// What happened.
pub struct Story {
    pub end: End,
    pub lines: Vec<String>,
    /// Step faults that did happen.
    pub step_faults: u32,
    /// The source was back before anybody was asked to take writes.
    pub returned_before_promotion: bool,
    pub returned: bool,
    /// It was read, alive, before anybody was asked to take writes.
    pub seen_before_promotion: bool,
}

pub enum End {
    Finished(Box<Report>),
    Aborted(Box<AbortReason>),
}

pub struct Executor<'a> {
    pub world: &'a mut World,
    pub random: &'a mut Random,
    pub faults: Faults,
    /// The server that is replaced.
    pub source: usize,
    pub lines: Vec<String>,
    pub step_faults: u32,
    pub returned_before_promotion: bool,
    pub returned: bool,
    pub seen_before_promotion: bool,
    promotion_asked: bool,
}

impl<'a> Executor<'a> {
    pub fn new(world: &'a mut World, random: &'a mut Random, faults: Faults, source: usize) -> Self {
        Self {
            world,
            random,
            faults,
            source,
            lines: vec![],
            step_faults: 0,
            returned_before_promotion: false,
            returned: false,
            seen_before_promotion: false,
            promotion_asked: false,
        }
    }

    pub fn run(mut self, mut machine: Machine, mut decision: Decision) -> Story {
        let mut now = 1;
        let mut rounds = 0;
        let end = loop {
            rounds += 1;
            assert!(rounds < 200, "no end:\n{}", self.lines.join("\n"));
            now += 1;
            let steps = match decision {
                Decision::Run { steps } => steps,
                Decision::Finish { report } => break End::Finished(report),
                Decision::Abort { reason } => break End::Aborted(reason),
            };
            self.check_steps(&steps);
            self.maybe_return();
            // Recorded before it is run.
            let stored = serde_json::to_string(&machine).expect("can be stored");
            if self.faults.interruptions > 0 && self.random.percent(15) {
                self.faults.interruptions -= 1;
                let done = self.random.index(steps.len() + 1);
                self.lines.push(format!("-- the orchestrator dies after {done} of {} steps", steps.len()));
                let _ = self.perform(&steps, done);
                machine = serde_json::from_str(&stored).expect("can be loaded");
                decision = machine.resume(&self.world.snapshot(), at(now));
                continue;
            }
            let outcomes = self.perform(&steps, usize::MAX);
            decision = machine.advance(outcomes, at(now));
        };
        Story {
            end,
            lines: self.lines,
            step_faults: self.step_faults,
            returned_before_promotion: self.returned_before_promotion,
            returned: self.returned,
            seen_before_promotion: self.seen_before_promotion,
        }
    }

    /// What holds of every batch: numbers are new, every step is bounded in time and says why it is there.
    fn check_steps(&self, steps: &[Step]) {
        assert!(!steps.is_empty());
        for step in steps {
            assert!(step.timeout_ms > 0 && !step.reason.is_empty(), "{step:?}");
        }
        let mut ids: Vec<u32> = steps.iter().map(|s| s.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), steps.len(), "step numbers are not unique: {steps:?}");
    }

    /// Runs the first `limit` steps by the contract of the executor.
    fn perform(&mut self, steps: &[Step], limit: usize) -> Vec<StepOutcome> {
        let mut order: Vec<&Step> = steps.iter().collect();
        order.sort_by_key(|s| (s.phase, s.id));
        let mut broken: Vec<usize> = vec![];
        let mut outcomes = vec![];
        for step in order.into_iter().take(limit) {
            let server = number_of(&step.server);
            let state = if broken.contains(&server) { StepState::Skipped } else { self.one(step) };
            if state.is_failure() {
                broken.push(server);
            }
            let seen = server == self.source && step.action == Action::Refresh && state == StepState::Done;
            self.seen_before_promotion |= seen && !self.promotion_asked;
            let model = &self.world.servers[server];
            let readable = model.up && model.visible;
            self.lines.push(format!("{} {:?} -> {state:?}", step.server, step.action));
            let fresh =
                (readable && state != StepState::Skipped && !self.silent(&state)).then(|| self.world.instance(server));
            outcomes.push(StepOutcome { id: step.id, state, errno: None, fresh });
            self.world.tick();
            self.check_writable(step);
        }
        outcomes
    }

    /// A time-out now and then leaves nothing to read either.
    fn silent(&mut self, state: &StepState) -> bool {
        *state == StepState::TimedOut && self.random.percent(30)
    }

    fn one(&mut self, step: &Step) -> StepState {
        let server = number_of(&step.server);
        if matches!(step.action, Action::SetReadOnly { on: false, .. }) {
            self.promotion_asked = true;
        }
        let strikes = self.faults.steps > 0 && server != self.source && self.random.percent(8);
        if !strikes || !self.world.servers[server].up {
            return self.world.execute(step);
        }
        self.faults.steps -= 1;
        self.step_faults += 1;
        let kinds = if self.faults.deaths { 5 } else { 3 };
        match self.random.below(kinds) {
            0 => failed("the server says no"),
            1 => StepState::TimedOut,
            2 => {
                self.world.execute(step);
                StepState::TimedOut
            }
            3 => {
                self.kill(server);
                failed("connection refused")
            }
            _ => {
                self.world.execute(step);
                self.kill(server);
                StepState::TimedOut
            }
        }
    }

    fn kill(&mut self, server: usize) {
        self.lines.push(format!("-- db{server} dies"));
        self.world.servers[server].up = false;
    }

    fn maybe_return(&mut self) {
        if self.faults.source_returns && !self.returned && self.random.percent(10) {
            self.returned = true;
            self.returned_before_promotion = !self.promotion_asked;
            let source = &mut self.world.servers[self.source];
            (source.up, source.visible, source.read_only) = (true, true, false);
            self.lines.push(format!("-- db{} is back, writable", self.source));
        }
    }

    /// S2: the machine never makes a server writable beside another one that it could have seen.
    fn check_writable(&self, step: &Step) {
        if !matches!(step.action, Action::SetReadOnly { on: false, .. }) || self.returned {
            return;
        }
        let writable: Vec<usize> = (0..self.world.servers.len())
            .filter(|n| {
                let server = &self.world.servers[*n];
                server.up && server.visible && !server.read_only
            })
            .collect();
        assert!(writable.len() <= 1, "two writable servers {writable:?}:\n{}", self.lines.join("\n"));
    }
}
