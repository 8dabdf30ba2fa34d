//! The machine itself: what is remembered, how outcomes come in, how phases follow each other.

use std::collections::{BTreeMap, BTreeSet};

use app::finding::{AnalysisCode, Finding};
use app::plan::{Action, Condition, Step, StepState};
use app::recovery::{Considered, HookList, RecoveryKind, StoryLine};
use app::topology::{Instance, Snapshot};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::{Before, NOT_READ_YET, Next, Participant, Phase};
use super::types::{AbortReason, Decision, LostReplica, RecoverySettings, Report, StepOutcome, TakeoverRequest};
use crate::plan::{StepList, apply};
use crate::policy::recovery_for;

/// Phases that may follow each other without a step between them; more than that is a defect and ends the recovery.
const MAX_TURNS: u32 = 64;

/// One recovery or takeover. Store it with each [`Decision::Run`]; after loading it, call [`Machine::resume`] first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub(super) kind: RecoveryKind,
    pub(super) cluster: String,
    /// The server that is replaced.
    pub(super) failed: InstanceKey,
    pub(super) code: Option<AnalysisCode>,
    pub(super) takeover: Option<TakeoverRequest>,
    pub(super) settings: RecoverySettings,
    pub(super) phase: Phase,
    pub(super) next_id: u32,
    pub(super) outstanding: Vec<Step>,
    /// The outstanding steps are reads after an interruption: the phase is planned again from them.
    pub(super) rereading: bool,
    /// The outstanding steps are second looks at servers that fell silent: the phase is judged after them.
    pub(super) looking_again: bool,
    #[serde(with = "super::pairs")]
    pub(super) participants: BTreeMap<InstanceKey, Participant>,
    /// The replaced server as last known before the recovery.
    pub(super) failed_last: Option<Box<Instance>>,
    pub(super) chosen: Option<InstanceKey>,
    pub(super) promoted: bool,
    /// `read_only` may have been cleared on the chosen one.
    pub(super) promotion_sent: bool,
    pub(super) attempts: u32,
    /// Rounds of draining without progress.
    pub(super) stalls: u32,
    /// The old primary must not take writes again: others hold some that it lacks.
    pub(super) no_way_back: bool,
    /// Everybody was read again before giving up.
    pub(super) looked_once_more: bool,
    /// Dead intermediate source: the replica below which the others gather, and whether they have been told to.
    #[serde(default)]
    pub(super) leader: Option<InstanceKey>,
    #[serde(default)]
    pub(super) gathering: bool,
    /// None of the replicas uses GTID: they are compared by their places in the log of the failed source.
    #[serde(default)]
    pub(super) by_place: bool,
    /// Without GTID: the end of the chosen one's log, which stands for its place in the log of the failed source.
    #[serde(default)]
    pub(super) chosen_end: Option<BinlogCoordinates>,
    /// Planned takeover without GTID: the end of the old primary's log, which the designated one has executed.
    #[serde(default)]
    pub(super) old_end: Option<BinlogCoordinates>,
    /// A recovery replaced this source earlier: it must not take writes again.
    #[serde(default)]
    pub(super) was_replaced: bool,
    pub(super) fence: BTreeSet<InstanceKey>,
    pub(super) considered: Vec<Considered>,
    pub(super) story: Vec<StoryLine>,
    pub(super) errors: Vec<String>,
    /// Hooks that the recovery has stopped for.
    #[serde(default)]
    pub(super) hooks_run: BTreeSet<HookList>,
    /// Latest readings. Not stored: a machine that is taken up reads everything again.
    #[serde(skip)]
    pub(super) facts: BTreeMap<InstanceKey, Instance>,
    /// How the last steps ended.
    #[serde(skip)]
    pub(super) ended: BTreeMap<u32, StepState>,
}

impl Machine {
    /// Begins the recovery that exists for a finding.
    pub fn begin(
        finding: &Finding,
        snapshot: &Snapshot,
        settings: &RecoverySettings,
        now: DateTime<Utc>,
    ) -> (Self, Decision) {
        let kind = recovery_for(finding.code);
        let mut machine = Self::new(kind.unwrap_or(RecoveryKind::Source), &finding.key, snapshot, settings);
        machine.code = Some(finding.code);
        machine.cluster.clone_from(&finding.cluster);
        machine.tell(now, format!("{}: {}", finding.code, finding.description));
        let begun = match kind {
            Some(RecoveryKind::Source | RecoveryKind::CoSource) => Phase::ReadFacts,
            Some(RecoveryKind::IntermediateSource) => {
                machine.add_tree(snapshot);
                Phase::ReadTree
            }
            Some(RecoveryKind::GroupMember) => {
                machine.add_group(snapshot);
                Phase::ReadTree
            }
            Some(RecoveryKind::SemiSync) => Phase::ReadAcknowledgers,
            Some(RecoveryKind::ReadOnlySource) => {
                machine.note_replaced(snapshot);
                Phase::ReadWriter
            }
            Some(RecoveryKind::Takeover) | None => {
                machine.roll_back(now, "not-supported", format!("there is no recovery for {}", finding.code))
            }
        };
        machine.phase = begun;
        let decision = machine.drive(now, true);
        (machine, decision)
    }

    /// Begins the replacement of a source because a person says so (`force-master-failover`, `force-master-takeover`, `recover`).
    /// A source that is alive is made read-only first.
    pub fn begin_forced(
        source: &InstanceKey,
        snapshot: &Snapshot,
        settings: &RecoverySettings,
        now: DateTime<Utc>,
    ) -> (Self, Decision) {
        let settings = RecoverySettings { forced: true, ..settings.clone() };
        let mut machine = Self::new(RecoveryKind::Source, source, snapshot, &settings);
        machine.tell(now, format!("{source} is to be replaced, whatever its state"));
        let decision = machine.drive(now, true);
        (machine, decision)
    }

    /// Begins a planned takeover (`graceful-master-takeover`, `-auto`).
    pub fn begin_takeover(
        request: &TakeoverRequest,
        snapshot: &Snapshot,
        settings: &RecoverySettings,
        now: DateTime<Utc>,
    ) -> (Self, Decision) {
        let mut machine = Self::new(RecoveryKind::Takeover, &request.source, snapshot, settings);
        machine.takeover = Some(request.clone());
        machine.phase = Phase::ReadCluster;
        machine.tell(
            now,
            match &request.designated {
                Some(designated) => format!("{designated} shall take over from {}", request.source),
                None => format!("a replica shall take over from {}", request.source),
            },
        );
        let decision = machine.drive(now, true);
        (machine, decision)
    }

    fn new(kind: RecoveryKind, failed: &InstanceKey, snapshot: &Snapshot, settings: &RecoverySettings) -> Self {
        let last = snapshot.get(failed);
        let mut machine = Self {
            kind,
            cluster: last.map(|i| i.cluster_name.clone()).unwrap_or_default(),
            failed: failed.clone(),
            code: None,
            takeover: None,
            settings: settings.clone(),
            phase: Phase::ReadFacts,
            next_id: 1,
            outstanding: vec![],
            rereading: false,
            looking_again: false,
            participants: BTreeMap::new(),
            failed_last: last.map(|i| Box::new(i.as_ref().clone())),
            chosen: None,
            promoted: false,
            promotion_sent: false,
            attempts: 0,
            stalls: 0,
            no_way_back: false,
            looked_once_more: false,
            leader: None,
            gathering: false,
            by_place: false,
            chosen_end: None,
            old_end: None,
            was_replaced: false,
            fence: BTreeSet::new(),
            considered: vec![],
            story: vec![],
            errors: vec![],
            hooks_run: BTreeSet::new(),
            facts: BTreeMap::new(),
            ended: BTreeMap::new(),
        };
        machine.add(snapshot, failed);
        let replicas: Vec<InstanceKey> =
            snapshot.replicas_of(failed).filter(|r| r.replication.source == *failed).map(|r| r.key.clone()).collect();
        for key in &replicas {
            machine.add(snapshot, key);
        }
        machine
    }

    /// Makes a server take part, with what is known of it.
    pub(super) fn add(&mut self, snapshot: &Snapshot, key: &InstanceKey) {
        let known = snapshot.get(key);
        let rule = snapshot.annotations.promotion_rule(key);
        let downtimed = snapshot.annotations.active_downtime(key, snapshot.at).is_some();
        let lag = known.and_then(|i| i.lag_beyond_delay());
        self.participants.insert(key.clone(), Participant::new(rule, downtimed, lag));
        if let Some(server) = known {
            self.facts.insert(key.clone(), server.as_ref().clone());
        }
    }

    /// Takes in how the steps of the last [`Decision::Run`] ended, and decides what is next. A step without an outcome counts as silent.
    pub fn advance(&mut self, outcomes: Vec<StepOutcome>, now: DateTime<Utc>) -> Decision {
        let answered: BTreeSet<InstanceKey> = self.participants().into_iter().filter(|k| self.is_alive(k)).collect();
        if !self.looking_again {
            self.ended.clear();
        }
        self.absorb(outcomes);
        if !self.rereading {
            let silent: Vec<InstanceKey> = answered.into_iter().filter(|k| !self.is_alive(k)).collect();
            if !self.looking_again && !silent.is_empty() {
                return self.look_again(&silent);
            }
            self.looking_again = false;
            return self.drive(now, false);
        }
        self.rereading = false;
        if let Some(phase) = self.after_interruption(now) {
            self.phase = phase;
        }
        self.drive(now, true)
    }

    /// A server that a step lost may have answered late. Whether it is gone is told by a second look and not by one silent step.
    fn look_again(&mut self, silent: &[InstanceKey]) -> Decision {
        let mut list = self.list();
        for key in silent {
            self.push_read(&mut list, key, 1);
        }
        let mut steps = list.finish();
        for step in &mut steps {
            step.reason = "it fell silent: is it gone?".to_owned();
            step.timeout_ms = self.settings.timeouts.failed_read_ms;
        }
        self.looking_again = true;
        self.run(steps)
    }

    /// Takes up a recovery whose node died at any moment. The outstanding steps may or may not have been done, so
    /// everybody is read afresh first.
    pub fn resume(&mut self, snapshot: &Snapshot, now: DateTime<Utc>) -> Decision {
        self.tell(now, "taken up after an interruption: reading every server afresh");
        self.ended.clear();
        for (key, participant) in &mut self.participants {
            participant.gone = Some(NOT_READ_YET.to_owned());
            if let Some(server) = snapshot.get(key) {
                self.facts.insert(key.clone(), server.as_ref().clone());
            }
        }
        self.rereading = true;
        self.looking_again = false;
        let steps = self.read_all();
        self.run(steps)
    }

    /// The server that was promoted, as soon as it takes writes: publish it without waiting for the end.
    pub fn promoted(&self) -> Option<&InstanceKey> {
        self.chosen.as_ref().filter(|_| self.promoted)
    }

    /// Who was considered so far, best first.
    pub fn considered(&self) -> &[Considered] {
        &self.considered
    }

    /// The story so far.
    pub fn story(&self) -> &[StoryLine] {
        &self.story
    }

    /// Errors so far.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Kind of the recovery.
    pub fn kind(&self) -> RecoveryKind {
        self.kind
    }

    /// Name of the cluster when it began.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The server that is replaced.
    pub fn failed(&self) -> &InstanceKey {
        &self.failed
    }

    /// Servers that take part, the replaced one included.
    pub fn participants(&self) -> Vec<InstanceKey> {
        self.participants.keys().cloned().collect()
    }

    /// Steps that were decided and whose outcomes are not in yet.
    pub fn outstanding(&self) -> &[Step] {
        &self.outstanding
    }

    /// Plans and judges phases until there is something to run or it is over.
    fn drive(&mut self, now: DateTime<Utc>, mut entering: bool) -> Decision {
        for _ in 0..MAX_TURNS {
            if entering {
                let steps = self.enter();
                if !steps.is_empty() {
                    return self.run(steps);
                }
                self.ended.clear();
            }
            match self.judge(now) {
                Next::Go(phase) => self.phase = self.gate(phase),
                Next::Finish => return self.finish(now),
                Next::Abort => return self.abort(now),
            }
            entering = true;
        }
        self.errors.push("the recovery went round in circles: this is a defect".to_owned());
        self.abort(now)
    }

    fn enter(&mut self) -> Vec<Step> {
        match self.phase.clone() {
            Phase::ReadFacts | Phase::ReadTree | Phase::ReadCluster | Phase::ReadAcknowledgers | Phase::ReadWriter => {
                self.read_all()
            }
            Phase::SwitchAcknowledgers => self.enter_switch_acknowledgers(),
            Phase::OpenWriter => self.enter_open_writer(),
            Phase::AwaitSilence => self.enter_await_silence(),
            Phase::Fence | Phase::StopWrites => self.enter_stop_writes(),
            Phase::FollowFenced => self.enter_follow_fenced(),
            Phase::Freeze => self.enter_freeze(),
            Phase::Drain => self.enter_drain(),
            Phase::Choose => vec![],
            Phase::CatchUp { from } => self.enter_catch_up(&from),
            Phase::Converge => self.enter_converge(),
            Phase::Promote | Phase::TakeOver => self.enter_promote(),
            Phase::LookBack => self.enter_look_back(),
            Phase::Settle => self.enter_settle(),
            Phase::Acknowledge => self.enter_acknowledge(),
            Phase::Rehang => self.enter_rehang(),
            Phase::MoveSiblings => self.enter_move_siblings(),
            Phase::AwaitDesignated => self.enter_await_designated(),
            Phase::Demote => self.enter_demote(),
            Phase::Hooks { list, .. } => self.enter_hooks(list),
            Phase::RollBack { .. } => self.enter_roll_back(),
        }
    }

    fn judge(&mut self, now: DateTime<Utc>) -> Next {
        match self.phase.clone() {
            Phase::ReadFacts => self.judge_facts(now),
            Phase::AwaitSilence => self.judge_await_silence(now),
            Phase::Fence => self.judge_fence(now),
            Phase::FollowFenced => Next::Go(Phase::Freeze),
            Phase::Freeze => self.judge_freeze(now),
            Phase::Drain => self.judge_drain(now),
            Phase::Choose => self.judge_choose(now),
            Phase::CatchUp { from } => self.judge_catch_up(&from, now),
            Phase::Converge => self.judge_converge(now),
            Phase::Promote => self.judge_promote(now),
            Phase::LookBack => Next::Go(Phase::Settle),
            Phase::Settle => self.judge_settle(now),
            Phase::Acknowledge => Next::Finish,
            Phase::ReadTree => self.judge_tree(now),
            Phase::Rehang => self.judge_rehang(now),
            Phase::ReadAcknowledgers => self.judge_acknowledgers(now),
            Phase::SwitchAcknowledgers => self.judge_switch_acknowledgers(now),
            Phase::ReadWriter => self.judge_writer(now),
            Phase::OpenWriter => self.judge_open_writer(now),
            Phase::ReadCluster => self.judge_cluster(now),
            Phase::MoveSiblings => self.judge_move_siblings(now),
            Phase::StopWrites => self.judge_stop_writes(now),
            Phase::AwaitDesignated => self.judge_await_designated(now),
            Phase::TakeOver => self.judge_take_over(now),
            Phase::Demote => self.judge_demote(now),
            Phase::Hooks { list, then } => self.judge_hooks(list, *then, now),
            Phase::RollBack { .. } => self.judge_roll_back(),
        }
    }

    /// The phase to go on with once everybody is read after an interruption; `None` plans the interrupted one again.
    fn after_interruption(&mut self, now: DateTime<Utc>) -> Option<Phase> {
        if matches!(self.phase, Phase::RollBack { .. }) {
            return None;
        }
        match self.kind {
            RecoveryKind::Takeover => self.takeover_after_interruption(now),
            RecoveryKind::IntermediateSource | RecoveryKind::GroupMember => None,
            RecoveryKind::SemiSync => Some(Phase::ReadAcknowledgers),
            RecoveryKind::ReadOnlySource => Some(Phase::ReadWriter),
            RecoveryKind::Source | RecoveryKind::CoSource => self.source_after_interruption(now),
        }
    }

    fn run(&mut self, steps: Vec<Step>) -> Decision {
        for step in &steps {
            self.next_id = self.next_id.max(step.id.saturating_add(1));
            let reads = matches!(
                step.action,
                Action::Refresh
                    | Action::Verify { .. }
                    | Action::WaitForGtid { .. }
                    | Action::WaitForPeer { .. }
                    | Action::FindPlace { .. }
                    | Action::RunHooks { .. }
            );
            if let (false, Some(participant)) = (reads, self.participants.get_mut(&step.server)) {
                participant.touched = true;
            }
        }
        self.outstanding.clone_from(&steps);
        Decision::Run { steps }
    }

    fn absorb(&mut self, outcomes: Vec<StepOutcome>) {
        let mut by_id: BTreeMap<u32, StepOutcome> = outcomes.into_iter().map(|o| (o.id, o)).collect();
        for step in std::mem::take(&mut self.outstanding) {
            let outcome = by_id.remove(&step.id).unwrap_or(StepOutcome {
                id: step.id,
                state: StepState::TimedOut,
                errno: None,
                fresh: None,
            });
            self.absorb_one(&step, outcome);
        }
    }

    fn absorb_one(&mut self, step: &Step, outcome: StepOutcome) {
        let error = match &outcome.state {
            StepState::Done | StepState::Undone => None,
            StepState::Skipped => {
                self.ended.insert(step.id, StepState::Skipped);
                return;
            }
            StepState::Failed { error } => Some(error.clone()),
            StepState::TimedOut | StepState::Pending | StepState::Running => {
                Some(format!("nothing was heard within {} ms", step.timeout_ms))
            }
        };
        let expected = self.is_believed_dead(&step.server) && step.action == Action::Refresh;
        if let (Some(error), false) = (&error, expected) {
            let number = outcome.errno.map(|n| format!(" (error {n})")).unwrap_or_default();
            self.errors.push(format!("{}: {}: {error}{number}", step.server, step.reason));
        }
        if let (Action::Drain, StepState::Done, Some(participant)) =
            (&step.action, &outcome.state, self.participants.get_mut(&step.server))
        {
            participant.drained = true;
        }
        self.ended.insert(step.id, outcome.state);
        if matches!(step.action, Action::RunHooks { .. }) {
            // They say nothing about the server.
            return;
        }
        let must_read = !matches!(
            step.action,
            Action::StopReplication | Action::StartReplication | Action::StartReceiver | Action::ChangeSource { .. }
        );
        let gone = match (outcome.fresh, error) {
            (Some(fresh), _) => {
                self.facts.insert(step.server.clone(), fresh);
                None
            }
            (None, Some(error)) => Some(error),
            (None, None) if must_read => Some("it could not be read afterwards".to_owned()),
            (None, None) => {
                if let Some(server) = self.facts.get_mut(&step.server) {
                    apply(&step.action, server);
                }
                return;
            }
        };
        if let Some(participant) = self.participants.get_mut(&step.server) {
            participant.gone = gone;
            if participant.gone.is_none() && participant.before.is_none() {
                participant.before = self.facts.get(&step.server).map(|server| Box::new(Before::of(server)));
            }
        }
    }

    fn finish(&mut self, now: DateTime<Utc>) -> Decision {
        let Some(successor) = self.chosen.clone() else { return self.abort(now) };
        let what = if self.kind.repairs_source() { "was put right" } else { "has taken over" };
        self.tell(now, format!("done: {successor} {what}"));
        let followers: Vec<InstanceKey> = self
            .facts
            .values()
            .filter(|s| s.replication.source == successor && self.is_alive(&s.key))
            .filter(|s| self.participants.get(&s.key).is_some_and(|p| p.lost.is_none()))
            .map(|s| s.key.clone())
            .collect();
        let lost = self.participants.iter().filter_map(|(key, p)| {
            p.lost.as_ref().map(|reason| LostReplica { key: key.clone(), reason: reason.clone() })
        });
        Decision::Finish {
            report: Box::new(Report {
                kind: self.kind,
                failed: self.failed.clone(),
                successor,
                followers,
                lost: lost.collect(),
                fence: self.fence.iter().cloned().collect(),
                participants: self.participants(),
                errors: self.errors.clone(),
                considered: self.considered.clone(),
                story: self.story.clone(),
            }),
        }
    }

    fn abort(&mut self, now: DateTime<Utc>) -> Decision {
        let (code, message, at_risk) = match &self.phase {
            Phase::RollBack { code, message, at_risk } => (code.clone(), message.clone(), at_risk.clone()),
            other => ("defect".to_owned(), format!("ended in {other:?}"), String::new()),
        };
        let changed = self.what_is_changed();
        self.tell(now, format!("ended without a successor: {message}"));
        for line in &changed {
            self.tell(now, format!("left changed: {line}"));
        }
        Decision::Abort {
            reason: Box::new(AbortReason {
                code,
                message,
                at_risk,
                changed,
                fence: self.fence.iter().cloned().collect(),
                participants: self.participants(),
                errors: self.errors.clone(),
                considered: self.considered.clone(),
                story: self.story.clone(),
            }),
        }
    }

    pub(super) fn tell(&mut self, at: DateTime<Utc>, message: impl Into<String>) {
        self.story.push(StoryLine { at, message: message.into() });
    }

    pub(super) fn roll_back(&mut self, now: DateTime<Utc>, code: &str, message: impl Into<String>) -> Phase {
        let message = message.into();
        self.tell(now, format!("giving up: {message}"));
        self.attempts = 0;
        Phase::RollBack { code: code.to_owned(), message, at_risk: String::new() }
    }

    pub(super) fn list(&self) -> StepList<'_> {
        StepList::new(self.next_id, &self.settings.timeouts)
    }

    /// Reads every participant; the replaced server with a short bound, unless it is expected to answer.
    fn read_all(&self) -> Vec<Step> {
        let mut list = self.list();
        for key in self.participants.keys() {
            self.push_read(&mut list, key, 1);
        }
        list.finish()
    }

    pub(super) fn push_read(&self, list: &mut StepList<'_>, key: &InstanceKey, phase: u32) {
        let server = self.facts.get(key).cloned().unwrap_or_else(|| Instance::unseen(key.clone()));
        let believed_dead = self.is_believed_dead(key);
        let reason = if believed_dead { "does it serve after all?" } else { "decisions are made on fresh facts" };
        let step = list.push(&server, phase, Action::Refresh, reason);
        if believed_dead {
            let timeouts = &self.settings.timeouts;
            let gone = self.participants.get(key).and_then(|p| p.gone.as_deref());
            let again = gone.is_some_and(|why| why != NOT_READ_YET);
            step.timeout_ms = if again { timeouts.failed_read_again_ms } else { timeouts.failed_read_ms };
        }
    }

    fn is_believed_dead(&self, key: &InstanceKey) -> bool {
        *key == self.failed && self.kind != RecoveryKind::Takeover && !self.kind.repairs_source()
    }

    /// It was read in this recovery and answered last time.
    pub(super) fn is_alive(&self, key: &InstanceKey) -> bool {
        self.participants.get(key).is_some_and(|p| p.gone.is_none()) && self.facts.contains_key(key)
    }

    /// Latest reading of a server that answers.
    pub(super) fn alive(&self, key: &InstanceKey) -> Option<&Instance> {
        self.facts.get(key).filter(|_| self.is_alive(key))
    }

    /// Servers that answer, the replaced one excepted.
    pub(super) fn alive_replicas(&self) -> impl Iterator<Item = &Instance> {
        self.participants.keys().filter(|key| **key != self.failed).filter_map(|key| self.alive(key))
    }

    /// Why a server cannot be reached, or what it failed at.
    pub(super) fn trouble_of(&self, key: &InstanceKey) -> String {
        self.participants.get(key).and_then(|p| p.gone.clone()).unwrap_or_else(|| "unknown".to_owned())
    }

    pub(super) fn before(&self, key: &InstanceKey) -> Option<&Before> {
        self.participants.get(key).and_then(|p| p.before.as_deref())
    }

    /// The server as it would be with its replication options: a promoted one has had them reset, and they are needed to make
    /// it a replica again.
    pub(super) fn with_channel(&self, server: &Instance) -> Instance {
        match self.before(&server.key) {
            Some(before) if !server.is_replica() && before.channel.is_configured() => {
                self.at_its_place(Instance { replication: before.channel.clone(), ..server.clone() })
            }
            _ => self.at_its_place(server.clone()),
        }
    }

    /// Without GTID: the server with its place in the log of the failed source, wherever it replicates from by now.
    fn at_its_place(&self, mut server: Instance) -> Instance {
        let participant = self.participants.get(&server.key).filter(|_| self.by_place);
        if let Some(place) = participant.and_then(|p| p.place.clone()) {
            server.replication.source = self.failed.clone();
            (server.replication.read, server.replication.exec) = (place.clone(), place);
        }
        server
    }

    pub(super) fn lose(&mut self, key: &InstanceKey, reason: String) {
        if let Some(participant) = self.participants.get_mut(key) {
            participant.lost = Some(reason);
        }
    }

    /// `receives` as expected of a running receiver.
    pub(super) fn reads_back(source: &InstanceKey, receives: bool) -> Action {
        let mut expect = vec![Condition::SourceIs { source: source.clone() }];
        if receives {
            expect.push(Condition::ReceiverRunning { running: true });
        }
        Action::Verify { expect }
    }
}
