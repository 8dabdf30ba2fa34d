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
    /// Statements and commits in progress may hold up the old primary of a planned takeover for so long before its sessions end,
    /// or it is given up (`TakeoverSessionWaitSeconds`).
    pub session_wait_ms: u64,
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
            session_wait_ms: 2_000,
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
            Action::WaitForGtid { .. } | Action::WaitForPeer { .. } | Action::StartUntil { .. } => self.catch_up_ms,
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
            needs: vec![],
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

    /// Steps from this place of the list on are skipped unless these steps, by number, were done.
    pub fn needs(&mut self, from: usize, ids: &[u32]) {
        for step in self.steps.iter_mut().skip(from) {
            step.needs.extend_from_slice(ids);
        }
    }

    /// The number of the step added last; 0 before the first.
    pub fn last_id(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.id)
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

/// One replica on its way to another source.
#[derive(Debug, Clone, Copy)]
pub struct Moving<'a> {
    /// The replica.
    pub replica: &'a Instance,
    /// Its new source.
    pub to: &'a InstanceKey,
    /// How it finds its place there.
    pub positioning: &'a Positioning,
    /// The first of [`MOVE_PHASES`] phases.
    pub phase: u32,
    /// Apply first what it received.
    pub drain: bool,
    /// The new source can be read: it is waited for where that is needed, and replication from it must be seen to run.
    pub reachable: bool,
}

/// Adds the safe sequence that moves one replica to a source that can be reached: see [`move_to`].
pub fn move_replica(
    list: &mut StepList<'_>,
    replica: &Instance,
    to: &InstanceKey,
    positioning: &Positioning,
    phase: u32,
    drain: bool,
) {
    move_to(list, &Moving { replica, to, positioning, phase, drain, reachable: true });
}

/// Adds the safe sequence that moves one replica (`safety.md`, "Facts" and "How a change is made safe"): stop the receiver, apply what
/// arrived, stop, wait until the new source is far enough, repoint, start what ran, read back.
///
/// A delayed replica and one whose applier is stopped on purpose are not drained: what they received and did not apply is
/// thrown away by the repoint and comes again from the new source. Neither is any when `drain` is off.
pub fn move_to(list: &mut StepList<'_>, moving: &Moving<'_>) {
    let Moving { replica, to, positioning, phase, .. } = *moving;
    let channel = &replica.replication;
    let from = channel.source.clone();
    let threads = Threads::of(channel);
    let drains = moving.drain && threads.applier && channel.delay == 0;
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
    if matches!(positioning, Positioning::MariaDbGtid { .. }) && moving.reachable && *to != from {
        let reason = format!("{to} refuses a replica that is ahead of it");
        list.push(replica, phase + 3, Action::WaitForPeer { peer: to.clone() }, reason);
    }
    repoint(list, replica, to, positioning, phase + 4);
    go_on(list, replica, to, phase + 5);
    let mut expect = vec![Condition::SourceIs { source: to.clone() }];
    if moving.reachable {
        expect.extend(threads.conditions());
    } else {
        // Its receiver tries to connect: neither running nor stopped.
        expect.push(Condition::ApplierRunning { running: threads.applier });
    }
    read_back(list, replica, phase + 6, expect);
}

/// Adds the change of the source itself, with both threads stopped, and what undoes it.
pub(super) fn repoint<'l>(
    list: &'l mut StepList<'_>,
    replica: &Instance,
    to: &InstanceKey,
    positioning: &Positioning,
    phase: u32,
) -> &'l mut Step {
    let channel = &replica.replication;
    let action = Action::ChangeSource { to: to.clone(), positioning: positioning.clone() };
    let step = list.push(replica, phase, action, format!("from now on it replicates from {to}"));
    step.before = vec![
        Condition::SourceIs { source: channel.source.clone() },
        Condition::ReceiverRunning { running: false },
        Condition::ApplierRunning { running: false },
    ];
    step.undo = vec![Action::ChangeSource { to: channel.source.clone(), positioning: back(channel, positioning) }];
    step
}

/// How a channel is put back to where it was.
fn back(channel: &Replication, positioning: &Positioning) -> Positioning {
    match positioning {
        Positioning::Unchanged => Positioning::Unchanged,
        _ if channel.auto_position => Positioning::AutoPosition,
        _ if channel.uses_mariadb_gtid() => {
            Positioning::MariaDbGtid { using: channel.mariadb_using_gtid.to_ascii_lowercase() }
        }
        _ => Positioning::AsBefore,
    }
}

/// Adds the start of the threads that ran before, if any did.
pub(super) fn go_on(list: &mut StepList<'_>, server: &Instance, from: &InstanceKey, phase: u32) {
    let threads = Threads::of(&server.replication);
    if let Some(start) = threads.start() {
        let both = threads.receiver && threads.applier;
        let reason =
            if both { format!("replication goes on from {from}") } else { "what ran before runs again".to_owned() };
        list.push(server, phase, start, reason).undo = vec![Action::StopReplication];
    }
}

/// Adds a look at what came of it.
pub(super) fn read_back(list: &mut StepList<'_>, server: &Instance, phase: u32, expect: Vec<Condition>) {
    list.push(server, phase, Action::Verify { expect }, "what was done is read back");
}
