//! Driving a machine: record, run, report, until it says that it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::finding::Finding;
use app::plan::{Action, Step, StepState};
use app::recovery::{AcknowledgeScope, Aftermath, Recovery, RecoveryKind, RecoveryState, StepRecord};
use app::topology::{Downtime, Instance, Snapshot};
use chrono::{DateTime, TimeDelta, Utc};
use engine::recovery::{AbortReason, Decision, LOST_IN_RECOVERY, Machine, Report, StepOutcome};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tracing::Instrument as _;

use super::around::{after_failure, after_success, hooks_asked_for};
use super::{RecoverError, RecoveryService};
use crate::audit::Act;
use crate::consensus::{Actor, Command};
use crate::exec::{Guard, Held, Observer, Purpose, StepResult};
use crate::journal::Entry;
use crate::store::{NodeIdentity, UnfinishedRecovery};

/// How long that downtime lasts.
const LOST_FOR: TimeDelta = TimeDelta::days(365);

/// How long a server may take to be read beside its steps. Of itself a read waits for the read that runs and for the
/// time-outs of connections, more than ten seconds with a server that hangs.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// A recovery that is taken up waits this long for servers that something else has in its hands: longer than any operation lasts.
const WAITS_FOR_SERVERS: Duration = Duration::from_secs(300);

/// How often it looks whether they are free.
const FREE_AGAIN: Duration = Duration::from_millis(100);

/// What a person asked for beyond what the configuration says.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// Only this one may take over.
    pub designated: Option<InstanceKey>,
    /// Transactions whose loss is accepted, by name; empty when none.
    pub accept_loss_of: String,
    /// The source is to be replaced whatever its state.
    pub forced: bool,
    /// No hook is run (`recover-lite`).
    pub skip_hooks: bool,
}

impl Wishes {
    /// The command as hooks are told it (`spec/recovery.md` 3.12.3); empty for what replaces no working source.
    fn command(&self) -> &'static str {
        match (self.forced, &self.designated) {
            (true, None) => "force-master-failover",
            (true, Some(_)) => "force-master-takeover",
            (false, _) => "",
        }
    }
}

/// What a recovery in progress is made of.
pub(super) struct Course {
    pub recovery: Recovery,
    pub machine: Machine,
    pub decision: Decision,
    pub actor: Actor,
    /// Held until the end, so that nothing else touches these servers.
    pub guard: Guard,
}

impl RecoveryService {
    /// Begins a recovery in the background. It is registered, and holds its cluster, when this returns.
    pub(super) async fn begin(
        self: &Arc<Self>,
        finding: Finding,
        kind: RecoveryKind,
        wishes: Wishes,
        actor: &Actor,
        snapshot: &Snapshot,
    ) -> Result<Arc<Recovery>, RecoverError> {
        self.require_lease()?;
        let guard = self.hold_cluster(&finding, snapshot, kind, actor).await?;
        let now = Utc::now();
        let config = self.parts.config.current();
        let mut settings = crate::settings::recovery(&config, &finding.cluster, &finding.cluster_alias);
        let command = wishes.command();
        settings.designated = wishes.designated;
        let by_person = actor.name != Actor::system().name;
        settings.hooks = self.hook_settings(&finding.key, by_person, wishes.skip_hooks);
        settings.choice.accept_loss_of = wishes.accept_loss_of;
        let (machine, decision) = if wishes.forced {
            Machine::begin_forced(&finding.key, snapshot, &settings, now)
        } else {
            Machine::begin(&finding, snapshot, &settings, now)
        };
        let recovery = Recovery { command: command.to_owned(), ..self.new_record(finding, kind, actor) };
        Ok(self.launch(Course { recovery, machine, decision, actor: actor.clone(), guard }))
    }

    /// Nothing is begun that another process could not know of.
    pub(super) fn require_lease(&self) -> Result<(), RecoverError> {
        if self.lease.holds() { Ok(()) } else { Err(RecoverError::Unheard) }
    }

    /// Takes up recoveries whose node is gone: each goes on where it was left (`safety.md` S5).
    /// What `from`, that node, held in the backend passes over to this one.
    pub(super) fn take_up(self: &Arc<Self>, unfinished: Vec<UnfinishedRecovery>, from: &NodeIdentity) {
        for UnfinishedRecovery { mut recovery, machine, .. } in unfinished {
            let before = format!("{} ({})", from.hostname, from.token);
            recovery.node.clone_from(&self.parts.node.hostname);
            recovery.node_token.clone_from(&self.parts.node.token);
            if !recovery.is_running() {
                self.conclude_later(recovery);
                continue;
            }
            let machine: Machine = match serde_json::from_value(machine) {
                Ok(machine) => machine,
                Err(error) => {
                    self.give_up(recovery, &format!("it cannot be taken up: its machine cannot be read: {error}"));
                    continue;
                }
            };
            tracing::warn!(uid = %recovery.uid, instance = %recovery.finding.key, before, "taking up an unfinished recovery");
            // It holds its cluster from now on, also while it waits for its servers.
            self.registry.put(recovery.clone());
            tokio::spawn(Arc::clone(self).go_on_with(recovery, machine, from.clone()));
        }
    }

    /// Goes on with a recovery as soon as its servers are free. Who has one of them, an operation or the fence of a server that came
    /// back, is done with it before long; what the recovery had begun must not be left half done for it.
    async fn go_on_with(self: Arc<Self>, recovery: Recovery, mut machine: Machine, previous: NodeIdentity) {
        let actor = Actor::named(recovery.actor.clone());
        let (began, mut told) = (Instant::now(), false);
        let (guard, snapshot) = loop {
            let snapshot = self.parts.fleet.snapshot();
            // Those that have moved already may have a cluster of another name by now.
            let servers = machine.participants();
            match self.hold(&recovery.finding, &snapshot, recovery.kind, &actor, Some((&previous, servers))).await {
                Ok(guard) => break (guard, snapshot),
                Err(held) if began.elapsed() >= WAITS_FOR_SERVERS => return self.give_up(recovery, &held.to_string()),
                Err(held) if !told => tracing::warn!(uid = %recovery.uid, %held, "an unfinished recovery waits"),
                Err(_) => {}
            }
            told = true;
            tokio::time::sleep(FREE_AGAIN).await;
            if self.registry.is_lost(&recovery.uid) || self.parts.exec.gate().is_closing() {
                return;
            }
        };
        let decision = machine.resume(&snapshot, Utc::now());
        self.launch(Course { recovery, machine, decision, actor, guard });
    }

    /// Ends a recovery that cannot go on, so that it blocks nobody.
    fn give_up(&self, mut recovery: Recovery, reason: &str) {
        tracing::error!(uid = %recovery.uid, instance = %recovery.finding.key, reason, "recovery given up");
        recovery.state = RecoveryState::Failed { reason: reason.to_owned() };
        recovery.ended = Some(Utc::now());
        let recovery = self.registry.put(recovery);
        drop(self.parts.journal.push(Entry::Recovery { recovery, machine: None }));
    }

    /// Registers a course and drives it in the background.
    pub(super) fn launch(self: &Arc<Self>, course: Course) -> Arc<Recovery> {
        let registered = self.registry.put(course.recovery.clone());
        let failed = course.machine.failed();
        self.open_connections(course.machine.participants().into_iter().filter(|key| key != failed).collect());
        if registered.steps.is_empty() {
            self.tell_webhooks(&registered);
        }
        self.meter.began(&registered);
        let this = Arc::clone(self);
        let span = tracing::info_span!("recovery", uid = %registered.uid, cluster = %registered.cluster_alias);
        tokio::spawn(async move { this.drive(course).await }.instrument(span));
        registered
    }

    /// Takes the cluster and all of its servers, or says who has them, be it another process (`safety.md` S4).
    pub(super) async fn hold_cluster(
        &self,
        finding: &Finding,
        snapshot: &Snapshot,
        kind: RecoveryKind,
        actor: &Actor,
    ) -> Result<Guard, RecoverError> {
        self.hold(finding, snapshot, kind, actor, None).await.map_err(RecoverError::Held)
    }

    /// The same; `previous` is the process that is gone and whose recovery goes on here, and the servers that this one is about.
    async fn hold(
        &self,
        finding: &Finding,
        snapshot: &Snapshot,
        kind: RecoveryKind,
        actor: &Actor,
        previous: Option<(&NodeIdentity, Vec<InstanceKey>)>,
    ) -> Result<Guard, Held> {
        let (previous, participants) = previous.unzip();
        let mut servers: BTreeSet<InstanceKey> = members(snapshot, finding).into_iter().collect();
        servers.extend(participants.into_iter().flatten());
        let servers: Vec<InstanceKey> = servers.into_iter().collect();
        let mut names = vec![format!("cluster {}", finding.cluster)];
        names.extend(servers.iter().map(ToString::to_string));
        let operation = format!("{kind:?} of {} by {}", finding.key, actor.name);
        let mut guard = self.parts.locks.take(&names, &operation)?;
        guard.share(servers, Purpose::Recovery, previous.cloned()).await?;
        Ok(guard)
    }

    /// The record of a recovery that begins now on this node.
    pub(super) fn new_record(&self, finding: Finding, kind: RecoveryKind, actor: &Actor) -> Recovery {
        let now = Utc::now();
        Recovery {
            id: 0,
            uid: self.parts.node.new_uid(now),
            kind,
            cluster: finding.cluster.clone(),
            cluster_alias: finding.cluster_alias.clone(),
            actor: actor.name.clone(),
            state: RecoveryState::Running,
            successor: None,
            successor_alias: String::new(),
            lost_replicas: vec![],
            participants: vec![],
            errors: vec![],
            considered: vec![],
            steps: vec![],
            story: vec![],
            hooks: vec![],
            command: String::new(),
            aftermath: None,
            started: now,
            ended: None,
            node: self.parts.node.hostname.clone(),
            node_token: self.parts.node.token.clone(),
            acknowledged: None,
            detection_id: 0,
            finding,
        }
    }

    /// Runs a recovery to its end.
    async fn drive(self: Arc<Self>, course: Course) {
        let Course { recovery, mut machine, mut decision, actor, guard } = course;
        tracing::warn!(instance = %recovery.finding.key, actor = %actor.name, "recovery begins");
        let (uid, record) = (recovery.uid.clone(), Mutex::new(recovery));
        // What another process has claimed is that one's to go on with, and to end.
        let mut publication = None;
        let gate = self.parts.exec.gate();
        let at_work = gate.enter();
        loop {
            // Another process may take it over while ours gives no sign of life: nothing is done until that is known.
            let waited = self.lease.wait(|| self.registry.is_lost(&uid) || gate.is_closing()).await;
            if self.registry.is_lost(&uid) {
                break;
            }
            decision = match decision {
                Decision::Run { .. } if waited => machine.resume(&self.parts.fleet.snapshot(), Utc::now()),
                Decision::Run { steps } => {
                    self.note(&record, |r| {
                        r.steps.extend(steps.iter().map(pending));
                        r.story = machine.story().to_vec();
                        r.considered = machine.considered().to_vec();
                    });
                    if steps.iter().all(only_reads) {
                        // Nothing is done that would have to be known: it is written while servers are read.
                        drop(self.push(&record, Some(&machine)));
                    } else {
                        self.save(&record, Some(&machine)).await;
                    }
                    if self.registry.is_lost(&uid) {
                        break;
                    }
                    if gate.is_closing() {
                        tracing::warn!(%uid, "the service stops: the recovery is left here, to be taken up");
                        drop(at_work);
                        // With what it holds, until the process ends.
                        return std::future::pending().await;
                    }
                    let outcomes = match hooks_asked_for(&steps) {
                        Some(asked) => self.run_gate(asked, &record, &mut machine).await,
                        None => self.run(&steps, &record).await,
                    };
                    let next = match self.lease.holds() {
                        true => machine.advance(outcomes, Utc::now()),
                        false => {
                            // Steps were held back, and time passes: once this process may act again everybody is read afresh.
                            tracing::error!(
                                uid,
                                "the backend does not hear this process: the recovery waits, another process may have it"
                            );
                            self.lease.wait(|| self.registry.is_lost(&uid)).await;
                            machine.resume(&self.parts.fleet.snapshot(), Utc::now())
                        }
                    };
                    if let (None, Some(primary)) = (&publication, machine.promoted()) {
                        publication = Some(self.publish_soon(&record, primary));
                    }
                    next
                }
                Decision::Finish { report } => {
                    let aftermath = after_success(lock(&record).kind, &machine, publication.as_ref());
                    self.finish(&record, *report, &actor, aftermath).await;
                    break;
                }
                Decision::Abort { reason } => {
                    let aftermath = after_failure(lock(&record).kind, &machine, &reason);
                    self.abort(&record, *reason, &actor, aftermath).await;
                    break;
                }
            };
        }
        drop(guard);
        if !self.registry.is_lost(&uid) {
            self.conclude(&record, publication).await;
        }
    }

    /// Runs steps and reads every server they touched once more: the machine decides on facts, not on hopes.
    async fn run(&self, steps: &[Step], record: &Mutex<Recovery>) -> Vec<StepOutcome> {
        let observer = RecordObserver { service: self, record };
        let results = self.parts.exec.run(steps, &observer).await;
        let mut fresh: BTreeMap<InstanceKey, Option<Instance>> = BTreeMap::new();
        let mut asked_in_vain: BTreeSet<&InstanceKey> = BTreeSet::new();
        for (step, result) in steps.iter().zip(&results) {
            if result.state == StepState::Skipped {
                continue;
            }
            // A read that failed is an answer: asking a server that hangs once more would hold up the others.
            if step.action == Action::Refresh && result.fresh.is_none() {
                asked_in_vain.insert(&step.server);
            } else {
                asked_in_vain.remove(&step.server);
            }
            // The last read of a server wins; one that was acted upon after its read has none.
            fresh.insert(step.server.clone(), result.fresh.as_deref().cloned());
        }
        let unread = fresh.iter().filter(|(key, read)| read.is_none() && !asked_in_vain.contains(key));
        let unread: Vec<InstanceKey> = unread.map(|(key, _)| key.clone()).collect();
        let reads = join_all(unread.iter().map(|key| self.read(key))).await;
        fresh.extend(unread.into_iter().zip(reads));
        steps.iter().zip(results).map(|(step, result)| outcome(step, result, &fresh)).collect()
    }

    /// Reads a server without waiting long for it.
    pub(super) async fn read(&self, key: &InstanceKey) -> Option<Instance> {
        tokio::time::timeout(READ_LIMIT, self.parts.exec.refresh(key)).await.ok()?.ok()
    }

    /// A promotion, or a new place for the replicas.
    async fn finish(&self, record: &Mutex<Recovery>, report: Report, actor: &Actor, aftermath: Aftermath) {
        let alias = self.parts.fleet.get(&report.successor).map(|i| i.alias.clone()).unwrap_or_default();
        let (finding, kind, cluster, began) = self.note(record, |r| {
            r.state = RecoveryState::Succeeded;
            r.successor = Some(report.successor.clone());
            r.successor_alias = alias;
            r.lost_replicas = report.lost.iter().map(|l| l.key.clone()).collect();
            r.participants = report.participants.clone();
            r.errors = report.errors.clone();
            r.considered = report.considered.clone();
            r.story.clone_from(&report.story);
            r.aftermath = Some(aftermath);
            r.ended = Some(Utc::now());
            (r.finding.clone(), r.kind, r.cluster.clone(), r.started)
        });
        tracing::warn!(instance = %finding.key, successor = %report.successor, "recovery ended well");
        for lost in &report.lost {
            self.put_aside(&lost.key, &finding).await;
        }
        for key in &report.fence {
            self.put_aside(key, &finding).await;
        }
        if !kind.repairs_source() {
            self.submit(Command::EndDowntime { key: report.successor.clone() }, &finding).await;
        }
        let renamed = report.successor.to_string();
        if kind.replaces_source() && cluster != renamed {
            self.submit(Command::RenameCluster { from: cluster.clone(), to: renamed }, &finding).await;
        }
        let message = match kind.repairs_source() {
            true => format!("put {} right", report.failed),
            false => format!("replaced {} by {}", report.failed, report.successor),
        };
        self.log(kind, &finding, &cluster, actor, Ok(&message), began);
        self.close(record).await;
        if kind == RecoveryKind::Takeover || actor.name != Actor::system().name {
            // What a person did on purpose must not block the next real failover (users.md 88).
            self.acknowledge_own(record, actor).await;
        }
    }

    /// No successor.
    async fn abort(&self, record: &Mutex<Recovery>, reason: AbortReason, actor: &Actor, aftermath: Aftermath) {
        let mut text = reason.message.clone();
        if !reason.at_risk.is_empty() {
            text.push_str(&format!("; transactions at risk: {}", reason.at_risk));
        }
        if !reason.changed.is_empty() {
            text.push_str(&format!("; left changed: {}", reason.changed.join("; ")));
        }
        let (finding, kind, cluster, began) = self.note(record, |r| {
            r.state = RecoveryState::Failed { reason: format!("{}: {text}", reason.code) };
            r.participants = reason.participants.clone();
            r.errors = reason.errors.clone();
            r.considered = reason.considered.clone();
            r.story.clone_from(&reason.story);
            r.aftermath = Some(aftermath);
            r.ended = Some(Utc::now());
            (r.finding.clone(), r.kind, r.cluster.clone(), r.started)
        });
        tracing::error!(instance = %finding.key, code = reason.code, "recovery ended without a successor: {text}");
        for key in &reason.fence {
            self.put_aside(key, &finding).await;
        }
        self.log(kind, &finding, &cluster, actor, Err(&text), began);
        self.close(record).await;
        let nothing_happened =
            matches!(reason.code.as_str(), "source-serves" | "nothing-to-do") && reason.changed.is_empty();
        if nothing_happened || actor.name != Actor::system().name {
            // A false alarm that changed nothing must not block the real thing.
            self.acknowledge_own(record, actor).await;
        }
    }

    /// Tells the audit how a recovery ended. One that nobody asked for was begun because of its finding.
    fn log(
        &self,
        kind: RecoveryKind,
        finding: &Finding,
        cluster: &str,
        actor: &Actor,
        ended: Result<&str, &str>,
        began: DateTime<Utc>,
    ) {
        let message = match ended {
            Ok(text) => text.to_owned(),
            Err(text) => format!("failed: {text}"),
        };
        let took = Utc::now().signed_duration_since(began).to_std().unwrap_or_default();
        let mut act = Act::new(audit_type(kind), actor, message).on(&finding.key).of(cluster);
        if actor.name == Actor::system().name {
            act = act.because(reason_of(finding));
        }
        self.parts.audit.log(act.ended_well(ended.is_ok()).took(took));
    }

    /// Puts a server that was left behind into downtime; coming back writeable, it is fenced (`fence`).
    async fn put_aside(&self, key: &InstanceKey, because: &Finding) {
        let now = Utc::now();
        let downtime = Downtime {
            owner: Actor::system().name,
            reason: LOST_IN_RECOVERY.to_owned(),
            begin: now,
            end: now + LOST_FOR,
        };
        self.submit(Command::BeginDowntime { key: key.clone(), downtime }, because).await;
    }

    async fn submit(&self, command: Command, because: &Finding) {
        let actor = Actor::system().because(reason_of(because));
        if let Err(error) = self.parts.consensus.submit(command.clone(), &actor).await {
            tracing::error!(%error, ?command, "a command of a recovery was not accepted");
        }
    }

    /// Every server is read again, then the record is closed.
    async fn close(&self, record: &Mutex<Recovery>) {
        self.meter.ended(&lock(record));
        let participants = lock(record).participants.clone();
        join_all(participants.iter().map(|key| self.read(key))).await;
        self.save(record, None).await;
        let recovery = lock(record).clone();
        self.forget_told(&AcknowledgeScope::Instance { key: recovery.finding.key.clone() });
        self.tell_webhooks(&recovery);
    }

    async fn acknowledge_own(&self, record: &Mutex<Recovery>, actor: &Actor) {
        let uid = lock(record).uid.clone();
        let comment = "acknowledged by itself: nothing to look into".to_owned();
        let _ = self.acknowledge(AcknowledgeScope::Uid { uid }, &comment, actor).await;
    }

    /// Changes the record, and tells and keeps it.
    pub(super) fn note<T>(&self, record: &Mutex<Recovery>, change: impl FnOnce(&mut Recovery) -> T) -> T {
        let mut held = lock(record);
        // The number may have arrived from the backend meanwhile.
        if let Some(known) = self.registry.find(&held.uid) {
            held.id = known.id;
            held.acknowledged = held.acknowledged.take().or_else(|| known.acknowledged.clone());
        }
        let result = change(&mut held);
        self.registry.put(held.clone());
        result
    }

    /// Stores the record with its machine, before anything is done.
    pub(super) async fn save(&self, record: &Mutex<Recovery>, machine: Option<&Machine>) {
        self.parts.journal.write(entry_of(record, machine)).await;
    }

    /// The same, without waiting.
    fn push(&self, record: &Mutex<Recovery>, machine: Option<&Machine>) -> tokio::sync::oneshot::Receiver<()> {
        self.parts.journal.push(entry_of(record, machine))
    }

    /// The first statement on a server shall not wait for a connection and its login.
    fn open_connections(self: &Arc<Self>, keys: Vec<InstanceKey>) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            // Who does not answer is told by the reads.
            join_all(keys.iter().map(|key| this.parts.exec.ask(key, "SELECT 1", READ_LIMIT))).await;
        });
    }
}

fn entry_of(record: &Mutex<Recovery>, machine: Option<&Machine>) -> Entry {
    let recovery = Arc::new(lock(record).clone());
    let machine = machine.map(|m| serde_json::to_value(m).unwrap_or_default());
    Entry::Recovery { recovery, machine }
}

fn only_reads(step: &Step) -> bool {
    matches!(step.action, Action::Refresh | Action::Verify { .. })
}

/// Puts the state of each step into the record.
struct RecordObserver<'a> {
    service: &'a RecoveryService,
    record: &'a Mutex<Recovery>,
}

impl Observer for RecordObserver<'_> {
    fn step_changed<'a>(&'a self, step: &'a Step, state: &'a StepState) -> BoxFuture<'a, ()> {
        self.service.set_step(self.record, step.id, state);
        std::future::ready(()).boxed()
    }
}

impl RecoveryService {
    /// Puts the state of a step into the record.
    pub(super) fn set_step(&self, record: &Mutex<Recovery>, id: u32, state: &StepState) {
        let now = Utc::now();
        self.note(record, |r| {
            let Some(kept) = r.steps.iter_mut().rev().find(|s| s.step.id == id) else { return };
            kept.state = state.clone();
            if *state == StepState::Running {
                kept.started = Some(now);
            } else {
                kept.ended = Some(now);
            }
        });
    }
}

/// The servers of the cluster that a finding is about.
fn members(snapshot: &Snapshot, finding: &Finding) -> Vec<InstanceKey> {
    snapshot.cluster(&finding.cluster).map(|i| i.key.clone()).collect()
}

fn outcome(step: &Step, result: StepResult, fresh: &BTreeMap<InstanceKey, Option<Instance>>) -> StepOutcome {
    let read = if result.state == StepState::Skipped { None } else { fresh.get(&step.server).cloned().flatten() };
    StepOutcome { id: step.id, state: result.state, errno: result.error_number.map(u32::from), fresh: read }
}

fn pending(step: &Step) -> StepRecord {
    StepRecord { step: step.clone(), state: StepState::Pending, started: None, ended: None }
}

pub(super) fn lock(record: &Mutex<Recovery>) -> std::sync::MutexGuard<'_, Recovery> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The finding, as the reason for what is done about it.
pub(super) fn reason_of(finding: &Finding) -> String {
    format!("{} at {}: {}", finding.code.as_str(), finding.key, finding.description)
}

/// The audit type under which the compatible API lists a recovery (`spec/api.md` 3.10).
fn audit_type(kind: RecoveryKind) -> &'static str {
    match kind {
        RecoveryKind::Source => "recover-dead-master",
        RecoveryKind::CoSource => "recover-dead-co-master",
        RecoveryKind::IntermediateSource => "recover-dead-intermediate-master",
        RecoveryKind::GroupMember => "recover-dead-replication-group-member-with-replicas",
        RecoveryKind::Takeover => "graceful-master-takeover",
        RecoveryKind::SemiSync => "recover-semi-sync-master",
        RecoveryKind::ReadOnlySource => "recover-non-writeable-master",
    }
}
