//! One orchestrator node: it watches, decides by the engine, drives machines. What the service does around the engine is
//! copied here in small: lease, locks, records, take-up, downtime of what was left behind, fencing on sight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::plan::{Action, Step};
use app::recovery::RecoveryKind;
use app::topology::StatusThresholds;
use chrono::TimeDelta;
use engine::analysis::{AnalysisSettings, Unmoved, analyse, is_below_left_behind};
use engine::policy::{Hold, Policy, Situation, decide};
use engine::recovery::{AbortReason, Decision, Machine, Report, StepOutcome, TakeoverRequest};

use super::executor::Batch;
use super::picture::{POLL, View};
use super::stage::{Event, Stage};
use super::store::{LEASE, LOST_IN_RECOVERY, Record, Store};
use super::world::{NODES, at, number_of};

/// A finished recovery blocks another one of its cluster for this long, milliseconds.
const BLOCK: u64 = 60_000;
/// While findings are younger than this, everybody is read at every tick.
const HURRY: u64 = 10_000;

/// A node that the store does not hear acts for this long, milliseconds: less than the lease, after which the other one takes over.
const GOOD_FOR: u64 = 1_500;

/// A recovery that this node drives.
struct Course {
    uid: usize,
    machine: Machine,
    batch: Batch,
    locks: BTreeSet<String>,
}

/// What a person asks for.
#[derive(Debug, Clone, Copy)]
pub enum Wish {
    Takeover { designated: Option<usize>, auto: bool },
    Force,
    Recover,
}

pub struct Node {
    pub id: usize,
    pub alive: bool,
    token: usize,
    started: u64,
    pub view: View,
    since: BTreeMap<InstanceKey, (AnalysisCode, u64)>,
    unmoved: Arc<Unmoved>,
    courses: Vec<Course>,
    fences: Vec<(InstanceKey, Batch)>,
    told: BTreeMap<InstanceKey, String>,
    /// Nothing passes between it and the store.
    pub cut_off: bool,
    /// The store heard it last.
    heard: u64,
    /// It may act: nobody else can have taken over what it does.
    acts: bool,
    /// Ends of recoveries that the store does not know yet.
    ends: Vec<(usize, Decision)>,
}

impl Node {
    pub fn new(id: usize, store: &mut Store, servers: usize, now: u64) -> Self {
        store.tokens += 1;
        Self {
            id,
            alive: true,
            token: store.tokens,
            started: now,
            view: View::new(store.picture.clone(), servers, now),
            since: BTreeMap::new(),
            unmoved: Arc::default(),
            courses: vec![],
            fences: vec![],
            told: BTreeMap::new(),
            cut_off: false,
            heard: now,
            acts: true,
            ends: vec![],
        }
    }

    /// What it had in memory is gone; steps on their way are not taken back.
    pub fn die(&mut self) {
        self.alive = false;
        (self.courses, self.fences, self.ends) = (vec![], vec![], vec![]);
    }

    pub fn drives(&self, uid: usize) -> bool {
        self.alive && self.acts && self.courses.iter().any(|c| c.uid == uid)
    }

    pub fn tick(&mut self, stage: &mut Stage, store: &mut Store) {
        let now = stage.now();
        if self.cut_off {
            self.acts = now < self.heard + GOOD_FOR;
            self.view.probe(&mut stage.world, self.id, true);
            if self.acts {
                self.drive_all(stage, store);
            }
            return;
        }
        self.be_heard(stage, store);
        let leads = self.take_lease(store, now);
        let hurry = leads && self.since.values().any(|(_, since)| now < since + HURRY);
        self.view.probe(&mut stage.world, self.id, hurry);
        if leads {
            self.take_up(stage, store);
            let polled = now.is_multiple_of(POLL);
            if self.view.changed || polled {
                self.view.changed = false;
                self.round(stage, store);
            }
            if polled {
                store.picture = self.view.servers.clone();
            }
        }
        self.drive_all(stage, store);
    }

    /// The store hears it: what it ended is written down, and after a break what is still its own goes on from fresh readings.
    fn be_heard(&mut self, stage: &mut Stage, store: &mut Store) {
        self.heard = stage.now();
        let own = |store: &Store, uid: usize, token| store.records[uid].running && store.records[uid].token == token;
        for (uid, end) in std::mem::take(&mut self.ends) {
            match end {
                _ if !own(store, uid, self.token) => stage.tell(format!("node{}: #{uid} is another one's", self.id)),
                Decision::Finish { report } => finish(*report, uid, stage, store),
                Decision::Abort { reason } => abort(*reason, uid, stage, store),
                Decision::Run { .. } => {}
            }
        }
        if std::mem::replace(&mut self.acts, true) {
            return;
        }
        for mut course in std::mem::take(&mut self.courses) {
            if !own(store, course.uid, self.token) {
                stage.tell(format!("node{} lets go of #{}", self.id, course.uid));
                continue;
            }
            stage.tell(format!("node{} goes on with #{}", self.id, course.uid));
            let snapshot = self.view.snapshot(&store.annotations, stage.now());
            let decision = course.machine.resume(&snapshot, at(stage.now()));
            drop(snapshot);
            self.follow(course.uid, course.machine, decision, course.locks, stage, store);
        }
    }

    fn take_lease(&self, store: &mut Store, now: u64) -> bool {
        match store.lease {
            Some((holder, until)) if holder != self.id && now < until => return false,
            Some((holder, _)) if holder == self.id => {}
            _ => {}
        }
        store.lease = Some((self.id, now + LEASE));
        true
    }

    // Watching

    fn round(&mut self, stage: &mut Stage, store: &mut Store) {
        let now = stage.now();
        let snapshot = self.view.snapshot(&store.annotations, now);
        let findings = analyse(&snapshot, &self.analysis_settings(store), at(now));
        drop(snapshot);
        if store.settings.balances_acknowledgers() {
            Arc::make_mut(&mut self.unmoved).observe(&findings, at(now));
        }
        self.track(&findings, stage);
        self.fence_returned(stage, store);
        for finding in findings {
            self.consider(finding, stage, store);
        }
    }

    fn track(&mut self, findings: &[Finding], stage: &mut Stage) {
        let now = stage.now();
        let problems = || findings.iter().filter(|f| f.code != AnalysisCode::NoProblem);
        self.since.retain(|key, _| problems().any(|f| f.key == *key));
        for finding in problems() {
            let known = self.since.get(&finding.key).is_some_and(|(code, _)| *code == finding.code);
            if !known {
                stage.tell(format!("node{} finds {} {}", self.id, finding.key, finding.code));
                self.since.insert(finding.key.clone(), (finding.code, now));
            }
        }
    }

    fn consider(&mut self, finding: Finding, stage: &mut Stage, store: &mut Store) {
        let recent = store.recent();
        let since = self.since.get(&finding.key).map_or(stage.now(), |(_, since)| *since);
        let situation = situation(store, stage.now(), since, &recent, false);
        match decide(&finding, &self.policy(), &situation) {
            Ok(kind) => {
                let snapshot = self.view.snapshot(&store.annotations, stage.now());
                let (machine, decision) =
                    Machine::begin(&finding, &snapshot, &store.settings.recovery, at(stage.now()));
                self.begin(finding, kind, (machine, decision), false, stage, store);
            }
            Err(Hold::NotActionable | Hold::InProgress { .. }) => {}
            Err(hold) => {
                let reason = hold.reason();
                if self.told.get(&finding.key) != Some(&reason) {
                    stage.tell(format!("node{} holds back from {}: {reason}", self.id, finding.key));
                    self.told.insert(finding.key.clone(), reason);
                }
            }
        }
    }

    fn analysis_settings(&self, store: &Store) -> AnalysisSettings {
        let thresholds = StatusThresholds { instance_poll_seconds: POLL / 1_000, ..StatusThresholds::default() };
        AnalysisSettings {
            thresholds,
            enforce_exact_semi_sync_replicas: store.settings.repairs.exact_semi_sync,
            unmoved: Arc::clone(&self.unmoved),
            ..AnalysisSettings::default()
        }
    }

    fn policy(&self) -> Policy {
        Policy {
            block_period: TimeDelta::milliseconds(i64::try_from(BLOCK).expect("fits")),
            hold_off_until: at(self.started + 3 * POLL),
            ..Policy::default()
        }
    }

    /// A person asks this node for something. Only the leader does it.
    pub fn wish(&mut self, wish: Wish, stage: &mut Stage, store: &mut Store) {
        stage.tell(format!("node{} is asked for {wish:?}", self.id));
        if store.lease.is_none_or(|(holder, _)| holder != self.id) {
            return stage.tell("refused: another node leads");
        }
        for n in 0..stage.world.servers.len() {
            if stage.world.answers(NODES + self.id, n) {
                let fresh = stage.world.instance(n);
                self.view.refresh(fresh);
            }
        }
        let now = stage.now();
        let snapshot = self.view.snapshot(&store.annotations, now);
        let settings = AnalysisSettings { include_no_problem: true, ..self.analysis_settings(store) };
        let mut findings = analyse(&snapshot, &settings, at(now)).into_iter();
        let wanted = |f: &Finding| match wish {
            Wish::Recover => engine::policy::recovery_for(f.code).is_some(),
            // The one primary of the largest cluster.
            _ => f.facts.is_source && !f.facts.replicas.is_empty(),
        };
        let Some(mut finding) = findings.find(wanted) else { return stage.tell("refused: nothing to do") };
        let recovery = store.settings.recovery.clone();
        let (kind, begun) = match wish {
            Wish::Takeover { designated, auto } => {
                let designated = designated.map(super::world::key);
                let request = TakeoverRequest { source: finding.key.clone(), designated, auto };
                (RecoveryKind::Takeover, Machine::begin_takeover(&request, &snapshot, &recovery, at(now)))
            }
            Wish::Force => {
                finding.code = AnalysisCode::DeadSource;
                (RecoveryKind::Source, Machine::begin_forced(&finding.key, &snapshot, &recovery, at(now)))
            }
            Wish::Recover => {
                let recent = store.recent();
                match decide(&finding, &self.policy(), &situation(store, now, now, &recent, true)) {
                    Ok(kind) => (kind, Machine::begin(&finding, &snapshot, &recovery, at(now))),
                    Err(hold) => return stage.tell(format!("refused: {}", hold.reason())),
                }
            }
        };
        let running = store.recent().into_iter().any(|r| r.running && r.cluster == finding.cluster);
        if running {
            return stage.tell("refused: a recovery of this cluster is at work");
        }
        self.begin(finding, kind, begun, true, stage, store);
    }

    // Recoveries

    fn begin(
        &mut self,
        finding: Finding,
        kind: RecoveryKind,
        (machine, decision): (Machine, Decision),
        person: bool,
        stage: &mut Stage,
        store: &mut Store,
    ) {
        let Some(locks) = self.take_locks(&finding) else {
            let same = |r: &Record| r.running && r.finding.cluster == finding.cluster;
            if store.records.iter().any(same) {
                stage.events.push(Event::LetThrough { cluster: finding.cluster });
            }
            return;
        };
        let uid = store.records.len();
        stage.tell(format!("node{} begins #{uid}: {kind:?} of {} ({})", self.id, finding.key, finding.code));
        let forced = person && kind == RecoveryKind::Source && finding.code == AnalysisCode::DeadSource;
        let (failed, planned) = (number_of(&finding.key), kind == RecoveryKind::Takeover);
        stage.events.push(Event::Began { uid, node: self.id, failed, planned, forced });
        store.records.push(Record {
            uid,
            kind,
            finding,
            person,
            token: self.token,
            running: true,
            successor: None,
            started: stage.now(),
            acknowledged: false,
            machine: machine.clone(),
        });
        self.follow(uid, machine, decision, locks, stage, store);
    }

    /// All servers of a cluster by name, or none.
    fn take_locks(&self, finding: &Finding) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::from([format!("cluster {}", finding.cluster)]);
        let members = self.view.servers.values().filter(|i| i.cluster_name == finding.cluster);
        names.extend(members.map(|i| i.key.to_string()));
        let held = |name: &String| {
            self.courses.iter().any(|c| c.locks.contains(name))
                || self.fences.iter().any(|(server, _)| server.to_string() == *name)
        };
        (!names.iter().any(held)).then_some(names)
    }

    /// Goes on with recoveries whose node is gone.
    fn take_up(&mut self, stage: &mut Stage, store: &mut Store) {
        let token = self.token;
        let orphans = store.records.iter_mut().filter(|r| r.running && r.token != token);
        let mut taken: Vec<(usize, Machine, Finding)> = vec![];
        for record in orphans {
            record.token = token;
            let stored = serde_json::to_string(&record.machine).expect("can be stored");
            let machine = serde_json::from_str(&stored).expect("can be loaded");
            taken.push((record.uid, machine, record.finding.clone()));
        }
        for (uid, mut machine, finding) in taken {
            stage.tell(format!("node{} takes up #{uid}", self.id));
            stage.events.push(Event::TakenUp);
            let snapshot = self.view.snapshot(&store.annotations, stage.now());
            let decision = machine.resume(&snapshot, at(stage.now()));
            drop(snapshot);
            let locks = self.take_locks(&finding).unwrap_or_default();
            self.follow(uid, machine, decision, locks, stage, store);
        }
    }

    /// Records a decision and begins its steps, or ends the recovery.
    fn follow(
        &mut self,
        uid: usize,
        machine: Machine,
        decision: Decision,
        locks: BTreeSet<String>,
        stage: &mut Stage,
        store: &mut Store,
    ) {
        match decision {
            Decision::Run { steps } => {
                if !self.cut_off {
                    store.records[uid].machine = machine.clone();
                }
                let batch = Batch::new(Some(uid), steps);
                self.courses.push(Course { uid, machine, batch, locks });
            }
            end if self.cut_off => self.ends.push((uid, end)),
            Decision::Finish { report } => finish(*report, uid, stage, store),
            Decision::Abort { reason } => abort(*reason, uid, stage, store),
        }
    }

    fn drive_all(&mut self, stage: &mut Stage, store: &mut Store) {
        for mut course in std::mem::take(&mut self.courses) {
            let Some(outcomes) = course.batch.tick(stage, self.id) else {
                self.courses.push(course);
                continue;
            };
            for fresh in outcomes.iter().filter_map(|o| o.fresh.as_ref()) {
                let n = number_of(&fresh.key);
                self.view.known[n] = stage.world.committed(n);
            }
            let outcomes = self.take_in(outcomes);
            let told = course.machine.story().len();
            let decision = course.machine.advance(outcomes, at(stage.now()));
            for line in &course.machine.story()[told..] {
                stage.tell(format!("#{} {}", course.uid, line.message));
            }
            self.follow(course.uid, course.machine, decision, course.locks, stage, store);
        }
        for (key, mut batch) in std::mem::take(&mut self.fences) {
            match batch.tick(stage, self.id) {
                None => self.fences.push((key, batch)),
                Some(outcomes) => drop(self.take_in(outcomes)),
            }
        }
    }

    fn take_in(&mut self, mut outcomes: Vec<StepOutcome>) -> Vec<StepOutcome> {
        for outcome in &mut outcomes {
            outcome.fresh = outcome.fresh.take().map(|fresh| self.view.refresh(fresh));
        }
        outcomes
    }

    // Fencing

    /// Servers that a recovery left behind and that accept writes are made read-only; one that replicates is lost no longer.
    fn fence_returned(&mut self, stage: &mut Stage, store: &mut Store) {
        let now = stage.now();
        let lost: Vec<(InstanceKey, chrono::DateTime<chrono::Utc>)> = store
            .annotations
            .downtime
            .iter()
            .filter(|(_, d)| d.reason == LOST_IN_RECOVERY && d.is_active(at(now)))
            .map(|(key, d)| (key.clone(), d.begin))
            .collect();
        let snapshot = self.view.snapshot(&store.annotations, now);
        for (key, begin) in lost {
            let Some(instance) = self.view.get(&key).cloned() else { continue };
            if !instance.check.is_valid() || instance.check.last_seen.is_none_or(|seen| seen <= begin) {
                continue;
            }
            let recovering = store.records.iter().any(|r| r.running && r.finding.key == key);
            let writable = !instance.read_only || instance.super_read_only == Some(false);
            if writable && !recovering {
                let held = self.courses.iter().any(|c| c.locks.contains(&key.to_string()));
                if !held && !self.fences.iter().any(|(server, _)| *server == key) {
                    stage.tell(format!("node{} fences {key}", self.id));
                    self.fences.push((key, Batch::forgiving(fence_steps(&instance))));
                }
            } else if instance.replication.is_running() && !is_below_left_behind(&instance, &snapshot, at(now)) {
                store.take_back(&key);
            }
        }
    }
}

fn fence_steps(instance: &app::topology::Instance) -> Vec<Step> {
    let action = Action::SetReadOnly { on: true, super_too: true };
    let step = Step {
        id: 1,
        server: instance.key.clone(),
        statements: engine::statements::render(&action, instance, &instance.replication),
        action,
        before: vec![],
        needs: vec![],
        undo: vec![],
        timeout_ms: 5_000,
        phase: 1,
        reason: "a source that was replaced must not accept writes".to_owned(),
    };
    let kill = Step { action: Action::KillSessions, statements: vec![], id: 2, phase: 2, ..step.clone() };
    vec![step, kill]
}

fn finish(report: Report, uid: usize, stage: &mut Stage, store: &mut Store) {
    let now = stage.now();
    stage.tell(format!("#{uid} finished: {} after {}", report.successor, report.failed));
    let lost = report.lost.iter().map(|l| &l.key);
    for key in lost.chain(&report.fence) {
        store.put_aside(key, now);
        stage.left_to_people.insert(number_of(key));
    }
    if report.kind == RecoveryKind::Takeover {
        // Without `-auto` it is set up, and people start it.
        stage.left_to_people.insert(number_of(&report.failed));
    }
    stage.left_to_people.remove(&number_of(&report.successor));
    store.take_back(&report.successor);
    let record = &mut store.records[uid];
    (record.running, record.successor) = (false, Some(report.successor.clone()));
    record.acknowledged = record.person;
    if record.kind.replaces_source() {
        store.rename_cluster(&report.successor);
    }
    stage.events.push(Event::Finished { uid, report: Box::new(report) });
}

fn abort(reason: AbortReason, uid: usize, stage: &mut Stage, store: &mut Store) {
    let now = stage.now();
    stage.tell(format!("#{uid} ended without a successor: {}: {}", reason.code, reason.message));
    for line in &reason.changed {
        stage.tell(format!("#{uid} left changed: {line}"));
        let named = (0..stage.world.servers.len()).filter(|n| line.contains(&super::world::key(*n).to_string()));
        stage.left_to_people.extend(named);
    }
    reason.fence.iter().for_each(|key| store.put_aside(key, now));
    let record = &mut store.records[uid];
    record.running = false;
    record.acknowledged = record.person || (reason.code == "source-serves" && reason.changed.is_empty());
    stage.events.push(Event::Aborted { uid, reason: Box::new(reason) });
}

fn situation<'a>(
    store: &Store,
    now: u64,
    since: u64,
    recent: &'a [engine::policy::Recent],
    forced: bool,
) -> Situation<'a> {
    Situation {
        now: at(now),
        since: at(since),
        is_leader: true,
        recoveries_enabled: true,
        source_opt_in: true,
        intermediate_opt_in: true,
        repairs: store.settings.repairs,
        recent,
        grace: None,
        clusters_failing: 1,
        forced,
    }
}
