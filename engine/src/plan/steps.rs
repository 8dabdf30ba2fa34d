//! Building blocks of plans and recoveries: one step, and the safe sequence that moves one replica.

use app::InstanceKey;
use app::plan::{Action, Condition, Positioning, Step};
use app::topology::{Instance, Replication, ThreadState};
use serde::{Deserialize, Serialize};

use crate::statements::render;

/// Bounds in time of each kind of step, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    /// Reading one server.
    pub read_ms: u64,
    /// Looking once more at the server that is believed dead: short, because a hung host answers nothing.
    pub failed_read_ms: u64,
    /// The same once it has let such a look wait in vain: somebody waits for a primary, and the answer it owes would come first.
    pub failed_read_again_ms: u64,
    /// One changing statement.
    pub statement_ms: u64,
    /// One round of draining; a recovery repeats it as long as it makes progress (`InstanceBulkOperationsWaitTimeoutSeconds`).
    pub drain_ms: u64,
    /// A server catching up with another one (`ReasonableMaintenanceReplicationLagSeconds`).
    pub catch_up_ms: u64,
    /// Reading back until what was done is seen.
    pub verify_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            read_ms: 2_000,
            failed_read_ms: 500,
            failed_read_again_ms: 100,
            statement_ms: 5_000,
            drain_ms: 10_000,
            catch_up_ms: 20_000,
            verify_ms: 5_000,
        }
    }
}

impl Timeouts {
    /// The bound of an action.
    pub fn of(&self, action: &Action) -> u64 {
        match action {
            Action::Refresh => self.read_ms,
            Action::Drain => self.drain_ms,
            Action::WaitForGtid { .. } | Action::WaitForPeer { .. } => self.catch_up_ms,
            Action::Verify { .. } => self.verify_ms,
            _ => self.statement_ms,
        }
    }
}

/// Steps in the making: numbers them and writes their statements.
#[derive(Debug)]
pub struct StepList<'a> {
    steps: Vec<Step>,
    next_id: u32,
    timeouts: &'a Timeouts,
}

impl<'a> StepList<'a> {
    /// A list whose first step has this number.
    pub fn new(first_id: u32, timeouts: &'a Timeouts) -> Self {
        Self { steps: vec![], next_id: first_id, timeouts }
    }

    /// Adds a step on a server.
    pub fn push(&mut self, server: &Instance, phase: u32, action: Action, reason: impl Into<String>) -> &mut Step {
        self.push_with(server, &server.replication, phase, action, reason)
    }

    /// Adds a step; a repointed channel gets these replication options.
    pub fn push_with(
        &mut self,
        server: &Instance,
        options: &Replication,
        phase: u32,
        action: Action,
        reason: impl Into<String>,
    ) -> &mut Step {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        let step = Step {
            id,
            server: server.key.clone(),
            statements: render(&action, server, options),
            before: vec![],
            undo: vec![],
            timeout_ms: self.timeouts.of(&action),
            phase,
            reason: reason.into(),
            action,
        };
        self.steps.push(step);
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    /// Nothing was added.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many were added.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The steps in order of their phase.
    pub fn finish(mut self) -> Vec<Step> {
        self.steps.sort_by_key(|step| (step.phase, step.id));
        self.steps
    }
}

/// Which threads of a channel shall run; what was stopped on purpose stays stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// The receiver runs or tries to.
    pub receiver: bool,
    /// The applier runs or tries to.
    pub applier: bool,
}

impl Threads {
    /// As they are now.
    pub fn of(channel: &Replication) -> Self {
        let wanted = |state| matches!(state, ThreadState::Running | ThreadState::Other);
        Self { receiver: wanted(channel.receiver), applier: wanted(channel.applier) }
    }

    /// The action that starts them; `None` when neither shall run.
    pub fn start(self) -> Option<Action> {
        match (self.receiver, self.applier) {
            (true, true) => Some(Action::StartReplication),
            (true, false) => Some(Action::StartReceiver),
            (false, true) => Some(Action::StartApplier),
            (false, false) => None,
        }
    }

    /// What a started channel looks like. A receiver needs a moment to connect, so this is waited for.
    pub fn conditions(self) -> Vec<Condition> {
        vec![Condition::ReceiverRunning { running: self.receiver }, Condition::ApplierRunning { running: self.applier }]
    }
}

/// Phases that [`move_replica`] takes.
pub const MOVE_PHASES: u32 = 7;

/// Adds the safe sequence that moves one replica (`safety.md`, "Facts" and "How a change is made safe"): stop the receiver, apply what
/// arrived, stop, wait until the new source is far enough, repoint, start what ran, read back.
///
/// A delayed replica and one whose applier is stopped on purpose are not drained: what they received and did not apply is
/// thrown away by the repoint and comes again from the new source. Neither is any when `drain` is off.
pub fn move_replica(
    list: &mut StepList<'_>,
    replica: &Instance,
    to: &InstanceKey,
    positioning: &Positioning,
    phase: u32,
    drain: bool,
) {
    let channel = &replica.replication;
    let from = channel.source.clone();
    let threads = Threads::of(channel);
    let drains = drain && threads.applier && channel.delay == 0;
    if threads.receiver {
        let step = list.push(replica, phase, Action::StopReceiver, "nothing more shall arrive while it moves");
        step.before = vec![Condition::Reachable, Condition::SourceIs { source: from.clone() }];
        step.undo = vec![Action::StartReceiver];
    }
    if drains {
        let reason = "repointing throws away what is received and not applied";
        list.push(replica, phase + 1, Action::Drain, reason).before =
            vec![Condition::ReceiverRunning { running: false }];
    }
    let step = list.push(replica, phase + 2, Action::StopReplication, "a source is changed with both threads stopped");
    step.before = vec![Condition::SourceIs { source: from.clone() }];
    if drains {
        step.before.push(Condition::RelayLogApplied);
    }
    step.undo = threads.start().into_iter().collect();
    if matches!(positioning, Positioning::MariaDbGtid { .. }) {
        let reason = format!("{to} refuses a replica that is ahead of it");
        list.push(replica, phase + 3, Action::WaitForPeer { peer: to.clone() }, reason);
    }
    let action = Action::ChangeSource { to: to.clone(), positioning: positioning.clone() };
    let step = list.push(replica, phase + 4, action, format!("from now on it replicates from {to}"));
    step.before = vec![
        Condition::SourceIs { source: from.clone() },
        Condition::ReceiverRunning { running: false },
        Condition::ApplierRunning { running: false },
    ];
    step.undo = vec![Action::ChangeSource { to: from, positioning: positioning.clone() }];
    if let Some(start) = threads.start() {
        let reason =
            if threads.receiver && threads.applier { "replication goes on" } else { "what ran before runs again" };
        list.push(replica, phase + 5, start, reason).undo = vec![Action::StopReplication];
    }
    let mut expect = vec![Condition::SourceIs { source: to.clone() }];
    expect.extend(threads.conditions());
    list.push(replica, phase + 6, Action::Verify { expect }, "what was done is read back");
}
