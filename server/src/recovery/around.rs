//! What surrounds a recovery: hooks, publication of the new primary, webhooks (`spec/recovery.md` 3.12, 7.3).
//!
//! Hooks that may forbid something are steps of the machine: they are run here when it asks for them. What comes after the
//! end is written into the record before it is begun ([`Aftermath`]), so that a node that finds it unfinished goes on
//! with it. By then the recovery has let go of its cluster: a slow hook holds up nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::plan::{Action, Step, StepState};
use app::recovery::{AcknowledgeScope, Aftermath, HookList, HookRun, Recovery, RecoveryKind, RecoveryState, StoryLine};
use chrono::{DateTime, TimeDelta, Utc};
use engine::recovery::{AbortReason, HookSettings, Machine, StepOutcome};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use super::RecoveryService;
use super::drive::{lock, reason_of};
use crate::config::webhooks::WebhookEvent;
use crate::consensus::Actor;
use crate::hooks::webhooks::Message;
use crate::hooks::{self, Book, Successor, Values, ValuesOf};
use crate::journal::Entry;
use crate::kv::Stored;
use crate::store::DetectionFilter;

/// What was detected lately may stand in the backend; it is asked for this long.
const LOOK_BACK: Duration = Duration::from_secs(1);

/// Detections read to find those of an earlier process.
const READ: u32 = 50;

/// Cluster and time, by server and whether something is done about it (`spec/recovery.md` 3.3.1).
type ToldByServer = BTreeMap<(InstanceKey, bool), (String, DateTime<Utc>)>;

/// What was told of failed servers, so that it is not told again.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    told: Mutex<ToldByServer>,
    /// Servers whose detection hooks run now: their recovery waits.
    running: Mutex<Vec<InstanceKey>>,
    /// Hooks have ended: whoever waited for them may go on.
    pub ended: tokio::sync::Notify,
}

/// A publication that was begun when the new primary was proven.
pub(super) struct Publication {
    primary: InstanceKey,
    coordinates: String,
    work: JoinHandle<Vec<Stored>>,
}

// Detection

impl RecoveryService {
    /// Tells of a detection, in the background: webhooks, and hooks unless the server is in downtime or the same has been
    /// told within `FailureDetectionPeriodBlockMinutes`.
    pub(super) fn announce(self: &Arc<Self>, finding: &Finding, now: DateTime<Utc>) {
        if finding.is_skippable() || self.was_told(&finding.key, Some(finding.actionable), now) {
            return;
        }
        self.mark_told(finding, now);
        let node = &self.parts.node.hostname;
        self.parts.webhooks.send(&Message::about_finding(WebhookEvent::Detection, finding, "", node, now));
        if !self.parts.hooks.has(HookList::OnFailureDetection) {
            return;
        }
        self.running().push(finding.key.clone());
        let (this, finding) = (Arc::clone(self), finding.clone());
        tokio::spawn(async move {
            this.run_detection_hooks(&finding).await;
            let mut running = this.running();
            if let Some(at) = running.iter().position(|key| *key == finding.key) {
                running.swap_remove(at);
            }
            drop(running);
            this.announcements.ended.notify_one();
        });
    }

    /// Hooks of the server's detection still run.
    pub(super) fn is_announcing(&self, key: &InstanceKey) -> bool {
        self.running().contains(key)
    }

    async fn run_detection_hooks(&self, finding: &Finding) {
        if self.was_told_before_start(finding).await {
            tracing::info!(instance = %finding.key, "the detection was told by an earlier process; no hooks are run");
            return;
        }
        let actor = Actor { since: Some(Instant::now()), ..Actor::system().because(reason_of(finding)) };
        let uid = self.parts.node.new_uid(Utc::now());
        let values = self.values(&Told { finding, command: "", uid: &uid, successor: None, lost: &[] });
        let book = AuditBook::default();
        // It cannot forbid anything (`spec/recovery.md` 10, weakness 14); its failure is in log and audit.
        let _told = self.parts.hooks.run(HookList::OnFailureDetection, &values, &book).await;
        let story = book.lines.into_inner().unwrap_or_else(PoisonError::into_inner).join("\n");
        self.parts.audit.record("failure-detection-hooks", &finding.key, &finding.cluster, &actor, &story);
    }

    /// The same detection is open in the backend since before this process began.
    async fn was_told_before_start(&self, finding: &Finding) -> bool {
        let filter = DetectionFilter::Alias(finding.cluster_alias.clone());
        let read = self.parts.store.detections(&filter, 0, READ);
        let Ok(Ok(rows)) = tokio::time::timeout(LOOK_BACK, read).await else { return false };
        rows.iter().any(|row| {
            row.key == finding.key
                && row.is_active
                && row.is_actionable == finding.actionable
                && row.started < self.parts.node.started
        })
    }

    /// `actionable`: of this kind only, else of any.
    fn was_told(&self, key: &InstanceKey, actionable: Option<bool>, now: DateTime<Utc>) -> bool {
        let block = self.parts.config.current().detection.block_period();
        let block = TimeDelta::from_std(block).unwrap_or(TimeDelta::MAX);
        let mut told = self.told();
        told.retain(|_, (_, at)| now.signed_duration_since(*at) < block);
        told.keys().any(|(server, kind)| server == key && actionable.is_none_or(|wanted| wanted == *kind))
    }

    fn mark_told(&self, finding: &Finding, now: DateTime<Utc>) {
        self.told().insert((finding.key.clone(), finding.actionable), (finding.cluster.clone(), now));
    }

    /// A recovery or an acknowledgement ends the period in which a detection is not told again.
    pub(super) fn forget_told(&self, what: &AcknowledgeScope) {
        self.told().retain(|(key, _), (cluster, _)| match what {
            AcknowledgeScope::All => false,
            AcknowledgeScope::Instance { key: meant } => key != meant,
            AcknowledgeScope::Cluster { name, .. } => cluster != name,
            AcknowledgeScope::Id { .. } | AcknowledgeScope::Uid { .. } => true,
        });
    }

    fn told(&self) -> std::sync::MutexGuard<'_, ToldByServer> {
        self.announcements.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Vec<InstanceKey>> {
        self.announcements.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A problem is not recovered because an earlier recovery blocks it.
    pub(super) fn announce_blocked(&self, finding: &Finding, why: &str, now: DateTime<Utc>) {
        let node = &self.parts.node.hostname;
        self.parts.webhooks.send(&Message::about_finding(WebhookEvent::Blocked, finding, why, node, now));
    }

    /// Hooks that a recovery of this server stops for. One that a person began may be the first that anybody hears of it.
    pub(super) fn hook_settings(&self, failed: &InstanceKey, by_person: bool, skip: bool) -> HookSettings {
        let announced = !by_person || self.was_told(failed, None, Utc::now());
        HookSettings { skipped: skip, ..hooks::settings(&self.parts.config.current(), announced) }
    }
}

/// What is put into the words of hooks.
struct Told<'a> {
    finding: &'a Finding,
    command: &'a str,
    uid: &'a str,
    successor: Option<&'a Successor>,
    lost: &'a [InstanceKey],
}

impl RecoveryService {
    fn values(&self, told: &Told<'_>) -> Values {
        let config = self.parts.config.current();
        let finding = told.finding;
        let opted = |filters: &crate::config::filters::ClusterFilters| {
            filters.matches(&finding.cluster, &finding.cluster_alias)
        };
        // A planned takeover finds nothing wrong; hooks of the original are told this code all the same.
        let code = if finding.code == AnalysisCode::NoProblem { AnalysisCode::DeadSource } else { finding.code };
        Values::of(&ValuesOf {
            finding,
            failure_type: code.as_str(),
            command: told.command,
            uid: told.uid,
            successor: told.successor,
            lost: told.lost,
            automatic: (
                opted(&config.recovery.recover_primary_filters),
                opted(&config.recovery.recover_intermediate_source_filters),
            ),
            node: &self.parts.node.hostname,
        })
    }

    fn values_of(&self, recovery: &Recovery, successor: Option<&Successor>) -> Values {
        self.values(&Told {
            finding: &recovery.finding,
            command: &recovery.command,
            uid: &recovery.uid,
            successor,
            lost: &recovery.lost_replicas,
        })
    }
}

// Hooks that may forbid

/// The list that a machine asks for; `None` for ordinary steps.
pub(super) fn hooks_asked_for(steps: &[Step]) -> Option<(&Step, HookList)> {
    match steps {
        [step] => match step.action {
            Action::RunHooks { list } => Some((step, list)),
            _ => None,
        },
        _ => None,
    }
}

impl RecoveryService {
    /// Runs the hooks that a machine asks for, and says how they ended.
    pub(super) async fn run_gate(
        &self,
        (step, list): (&Step, HookList),
        record: &Mutex<Recovery>,
        machine: &mut Machine,
    ) -> Vec<StepOutcome> {
        self.set_step(record, step.id, &StepState::Running);
        let planned = match (list, machine.chosen()) {
            (HookList::PreGracefulTakeover, Some(key)) => {
                Some(Successor { key: key.clone(), alias: String::new(), coordinates: None })
            }
            _ => None,
        };
        let values = self.values_of(&lock(record).clone(), planned.as_ref());
        let announces = list == HookList::PreFailover && machine.announces();
        let book = RecordBook { service: self, record, machine: Some(Mutex::new(machine)) };
        if announces {
            let finding = lock(record).finding.clone();
            self.mark_told(&finding, Utc::now());
            if self.parts.hooks.run(HookList::OnFailureDetection, &values, &book).await.is_err() {
                book.tell("detection hooks cannot forbid a recovery; going on".to_owned());
            }
        }
        let state = match self.parts.hooks.run(list, &values, &book).await {
            Ok(()) => StepState::Done,
            Err(failed) => StepState::Failed { error: failed.to_string() },
        };
        self.set_step(record, step.id, &state);
        vec![StepOutcome { id: step.id, state, errno: None, fresh: None }]
    }
}

// Publication

impl RecoveryService {
    /// Begins to publish a primary that was just read back as one.
    pub(super) fn publish_soon(&self, record: &Mutex<Recovery>, primary: &InstanceKey) -> Publication {
        let coordinates = self.parts.fleet.get(primary).map(|i| i.binlog.to_string()).unwrap_or_default();
        let (publisher, key) = (Arc::clone(&self.parts.publisher), primary.clone());
        let alias = alias_of(&lock(record));
        let work = tokio::spawn(async move { publisher.publish(&alias, &key).await });
        Publication { primary: primary.clone(), coordinates, work }
    }

    /// Waits for the publication, or publishes now, and puts into the record how each store took it.
    async fn conclude_publication(&self, record: &Mutex<Recovery>, begun: Option<Publication>) {
        let (alias, successor) = {
            let held = lock(record);
            (alias_of(&held), held.successor.clone())
        };
        let Some(successor) = successor else { return };
        let early = match begun.filter(|p| p.primary == successor) {
            Some(publication) => publication.work.await.ok(),
            None => None,
        };
        let stored = match early {
            Some(stored) => stored,
            // Time has passed since it was proven: by now it may be dead or replaced.
            None if self.read(&successor).await.is_some_and(|s| !s.read_only && s.is_primary_role()) => {
                self.parts.publisher.publish(&alias, &successor).await
            }
            None => {
                let message = format!("{successor} was not published: it is not seen to be the primary of {alias} now");
                self.note(record, |r| r.story.push(StoryLine { at: Utc::now(), message }));
                return;
            }
        };
        self.note(record, |r| {
            for Stored { store, result } in stored {
                let line = match result {
                    Ok(()) => format!("published {successor} as the primary of {alias} ({store})"),
                    Err(error) => {
                        let line =
                            format!("publication of {successor} as the primary of {alias} failed ({store}): {error}");
                        r.errors.push(line.clone());
                        format!("{line}; it is tried again")
                    }
                };
                r.story.push(StoryLine { at: Utc::now(), message: line });
            }
        });
    }
}

fn alias_of(recovery: &Recovery) -> String {
    if recovery.cluster_alias.is_empty() { recovery.cluster.clone() } else { recovery.cluster_alias.clone() }
}

// Afterwards

/// What is to be done after a recovery that went well.
pub(super) fn after_success(kind: RecoveryKind, machine: &Machine, publication: Option<&Publication>) -> Aftermath {
    let (publish, lists): (bool, &[HookList]) = match kind {
        RecoveryKind::Source | RecoveryKind::CoSource => {
            (true, &[HookList::PostSourceFailover, HookList::PostFailover])
        }
        RecoveryKind::IntermediateSource | RecoveryKind::GroupMember => {
            (false, &[HookList::PostIntermediateFailover, HookList::PostFailover])
        }
        RecoveryKind::SemiSync | RecoveryKind::ReadOnlySource => (false, &[HookList::PostFailover]),
        RecoveryKind::Takeover => {
            (true, &[HookList::PostSourceFailover, HookList::PostFailover, HookList::PostGracefulTakeover])
        }
    };
    let hooks = if machine.may_run_hooks() { lists.to_vec() } else { vec![] };
    Aftermath { publish, hooks, coordinates: publication.map(|p| p.coordinates.clone()).unwrap_or_default() }
}

/// What is to be done after one without a successor: nothing where nothing was begun, or where a hook forbade the
/// beginning (`spec/config.md` 8.2).
pub(super) fn after_failure(kind: RecoveryKind, machine: &Machine, reason: &AbortReason) -> Aftermath {
    let silent = match (reason.code.as_str(), kind) {
        ("source-serves" | "not-a-takeover", _) => reason.changed.is_empty(),
        ("hook-veto", RecoveryKind::Source) => true,
        ("hook-veto", RecoveryKind::Takeover) => !machine.has_run(HookList::PreFailover),
        _ => false,
    };
    let runs = machine.may_run_hooks() && !silent;
    let hooks = if runs { vec![HookList::PostUnsuccessfulFailover] } else { vec![] };
    Aftermath { publish: false, hooks, coordinates: String::new() }
}

impl RecoveryService {
    /// Does what is left to do after the end of a recovery: publication, then hooks. Everything has been let go of.
    pub(super) async fn conclude(&self, record: &Mutex<Recovery>, begun: Option<Publication>) {
        let Some(aftermath) = lock(record).aftermath.clone() else { return };
        if aftermath.publish {
            self.conclude_publication(record, begun).await;
        }
        let successor = self.successor_of(record, &aftermath);
        let values = self.values_of(&lock(record).clone(), successor.as_ref());
        let book = RecordBook { service: self, record, machine: None };
        for list in aftermath.hooks {
            if let Err(failed) = self.parts.hooks.run(list, &values, &book).await {
                // What was done stands; that not all of it went well is said.
                self.note(record, |r| r.errors.push(failed.to_string()));
            }
        }
        self.note(record, |r| r.aftermath = None);
        self.save(record, None).await;
    }

    /// Goes on with what an earlier process had begun after the end of a recovery.
    pub(super) fn conclude_later(self: &Arc<Self>, recovery: Recovery) {
        tracing::warn!(uid = %recovery.uid, "going on with what comes after a recovery");
        self.registry.put(recovery.clone());
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let record = Mutex::new(recovery);
            this.note(&record, |r| {
                let message = "taken up after an interruption: what comes after the recovery goes on".to_owned();
                r.story.push(StoryLine { at: Utc::now(), message });
            });
            this.conclude(&record, None).await;
        });
    }

    fn successor_of(&self, record: &Mutex<Recovery>, aftermath: &Aftermath) -> Option<Successor> {
        let held = lock(record);
        let key = held.successor.clone()?;
        let now = || self.parts.fleet.get(&key).map(|i| i.binlog.to_string()).unwrap_or_default();
        let at = Some(aftermath.coordinates.clone()).filter(|at| !at.is_empty()).unwrap_or_else(now);
        Some(Successor { alias: held.successor_alias.clone(), coordinates: Some(at), key })
    }

    /// Tells webhooks that a recovery has begun or ended.
    pub(super) fn tell_webhooks(&self, recovery: &Recovery) {
        let event = match recovery.state {
            RecoveryState::Running => WebhookEvent::RecoveryBegun,
            RecoveryState::Succeeded => WebhookEvent::RecoveryEnded,
            RecoveryState::Failed { .. } => WebhookEvent::RecoveryFailed,
        };
        self.parts.webhooks.send(&Message::about_recovery(event, recovery, Utc::now()));
    }
}

// Books

/// Hooks of a recovery: in its record, stored before they run. While the machine is at work the story is its own.
struct RecordBook<'a> {
    service: &'a RecoveryService,
    record: &'a Mutex<Recovery>,
    machine: Option<Mutex<&'a mut Machine>>,
}

impl Book for RecordBook<'_> {
    fn record<'a>(&'a self, run: &'a HookRun) -> BoxFuture<'a, ()> {
        async move {
            self.service.note(self.record, |r| put_run(&mut r.hooks, run));
            let recovery = Arc::new(lock(self.record).clone());
            let machine = self.machine.as_ref().map(|machine| {
                let machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
                serde_json::to_value(&**machine).unwrap_or_default()
            });
            self.service.parts.journal.write(Entry::Recovery { recovery, machine }).await;
        }
        .boxed()
    }

    fn tell(&self, line: String) {
        let now = Utc::now();
        match &self.machine {
            Some(machine) => {
                let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
                machine.note(now, line);
                self.service.note(self.record, |r| r.story = machine.story().to_vec());
            }
            None => self.service.note(self.record, |r| r.story.push(StoryLine { at: now, message: line })),
        }
    }

    fn earlier(&self) -> Vec<HookRun> {
        lock(self.record).hooks.clone()
    }
}

/// The same list, number and attempt mean the same run.
fn put_run(runs: &mut Vec<HookRun>, run: &HookRun) {
    let same = |known: &&mut HookRun| (known.list, known.number, known.attempt) == (run.list, run.number, run.attempt);
    match runs.iter_mut().find(same) {
        Some(known) => known.clone_from(run),
        None => runs.push(run.clone()),
    }
}

/// Hooks of a detection, which has no record of its own: told to the audit when they have ended.
#[derive(Debug, Default)]
struct AuditBook {
    lines: Mutex<Vec<String>>,
}

impl Book for AuditBook {
    fn record<'a>(&'a self, _run: &'a HookRun) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }

    fn tell(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn earlier(&self) -> Vec<HookRun> {
        vec![]
    }
}
