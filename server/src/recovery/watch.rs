//! The loop that looks at the picture whenever it changes, and at least once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::event::EventBody;
use app::finding::{AnalysisCode, Finding};
use app::topology::Snapshot;
use chrono::{DateTime, TimeDelta, Utc};
use engine::policy::{self, Hold, Policy, Situation};
use tokio::sync::broadcast::error::RecvError;

use super::drive::Wishes;
use super::{RecoveryService, Tracked, is_detection};
use crate::consensus::Actor;
use crate::journal::Entry;
use crate::tasks::Task;

/// Rounds come at least this often (`spec/recovery.md` 0.2, recovery tick).
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Changes that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(5);

/// While a source is out of sight and its replicas have not made up their minds, they are asked this often.
const EMERGENCY: Duration = Duration::from_millis(100);

/// A server is asked no more often than this in an emergency, however often the picture changes.
const BREATH: Duration = Duration::from_millis(50);

/// For so long a problem is an emergency; then the original's throttle counts (`spec/recovery.md` 0.2, emergency re-read).
const EMERGENCY_LASTS: TimeDelta = TimeDelta::seconds(10);

/// The row of a blocked recovery is refreshed this often: it is thrown away when it is not.
const BLOCKED_AGAIN: TimeDelta = TimeDelta::milliseconds(900);

/// Runs until the service stops.
pub async fn watch(service: Arc<RecoveryService>, task: Task) {
    let mut events = service.parts.events.subscribe();
    let mut urgent = false;
    loop {
        let pause = if urgent { EMERGENCY } else { TICK };
        let woken = async {
            loop {
                match events.recv().await {
                    Ok(event) if is_about_the_picture(&event.body) => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = task.stopped() => return,
            () = woken => tokio::time::sleep(GATHER).await,
            () = service.announcements.ended.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        task.busy();
        let began = Instant::now();
        urgent = service.round().await;
        task.idle(Ok(()));
        // A large fleet changes all the time: analysis takes a tenth of one core at most.
        tokio::time::sleep((began.elapsed() * 9).min(TICK)).await;
    }
}

fn is_about_the_picture(body: &EventBody) -> bool {
    matches!(body, EventBody::Instance { .. } | EventBody::InstanceForgotten { .. } | EventBody::Annotation { .. })
}

impl RecoveryService {
    /// One look at the picture. `true` when something is so suspicious that the next look should come soon.
    pub(super) async fn round(self: &Arc<Self>) -> bool {
        let now = Utc::now();
        let snapshot = self.parts.fleet.snapshot();
        let began = Instant::now();
        let findings = lock(&self.analysis).analyse(&snapshot, &self.analysis_settings(), now);
        self.meter.analysed(began.elapsed());
        Arc::make_mut(&mut lock(&self.unmoved)).observe(&findings, now);
        self.sight(&findings, &snapshot, now);
        self.track(findings, now);
        self.fence_returned(&snapshot, now);
        if !self.leads(now) {
            return false;
        }
        let mut urgent = self.ask_about_unanswered(&snapshot, now);
        let tracked: Vec<Tracked> = self.tracked().values().cloned().collect();
        self.count_failing(&tracked, now);
        for problem in tracked {
            urgent |= self.look_closer(&problem, &snapshot, now);
            self.detect(&problem, now);
            self.consider(&problem, &snapshot, now).await;
        }
        urgent
    }

    /// This node acts; since when is remembered.
    fn leads(&self, now: DateTime<Utc>) -> bool {
        let leads = self.parts.consensus.is_leader();
        let mut since = lock(&self.leading_since);
        *since = if leads { Some(since.unwrap_or(now)) } else { None };
        leads
    }

    /// How many clusters fail at once.
    fn count_failing(&self, tracked: &[Tracked], now: DateTime<Utc>) {
        let config = self.parts.config.current();
        let counts = |f: &Finding| {
            let recovery = &config.recovery;
            [&recovery.recover_primary_filters, &recovery.recover_intermediate_source_filters]
                .iter()
                .any(|filters| filters.matches(&f.cluster, &f.cluster_alias))
        };
        let findings = tracked.iter().map(|t| &t.finding);
        let failing = policy::clusters_failing(findings, &self.registry.recent(), now, counts);
        self.clusters_failing.store(failing, Ordering::Relaxed);
    }

    /// Records the first analysis of every server with replicas: without it the first trouble would be no change.
    fn sight(&self, findings: &[Finding], snapshot: &Snapshot, now: DateTime<Utc>) {
        let mut sighted = lock(&self.sighted);
        let fresh: BTreeSet<InstanceKey> =
            lock(&self.analysis).sources().filter(|key| !sighted.contains(*key)).cloned().collect();
        for key in &fresh {
            let code = findings.iter().find(|f| f.key == *key).map_or(AnalysisCode::NoProblem, |f| f.code);
            drop(self.parts.journal.push(Entry::Analysis { key: key.clone(), code, at: now }));
        }
        sighted.extend(fresh);
        if sighted.len() > snapshot.instances.len() {
            sighted.retain(|key| snapshot.get(key).is_some());
        }
    }

    /// Keeps the findings, tells what changed, and remembers since when each has been so.
    fn track(&self, findings: Vec<Finding>, now: DateTime<Utc>) {
        let worth_telling = |f: &Finding| f.code != AnalysisCode::NoProblem || !f.structure.is_empty();
        let mut fresh: BTreeMap<InstanceKey, Finding> =
            findings.into_iter().filter(worth_telling).map(|f| (f.key.clone(), f)).collect();
        let mut told = Vec::new();
        {
            let mut tracked = self.tracked();
            tracked.retain(|key, old| {
                let stays = fresh.contains_key(key);
                if !stays {
                    let mut over = old.finding.clone();
                    over.code = AnalysisCode::NoProblem;
                    over.structure.clear();
                    over.severity = app::finding::Severity::Ok;
                    over.actionable = false;
                    over.description.clear();
                    told.push(over);
                }
                stays
            });
            for (key, finding) in std::mem::take(&mut fresh) {
                match tracked.get_mut(&key) {
                    Some(old) if old.finding.code == finding.code => {
                        if old.finding.structure != finding.structure
                            || old.finding.is_skippable() != finding.is_skippable()
                        {
                            told.push(finding.clone());
                        }
                        old.finding = finding;
                    }
                    _ => {
                        told.push(finding.clone());
                        // A replica that comes or goes makes another code of the same failure.
                        let kind = policy::recovery_for(finding.code);
                        let same = tracked
                            .get(&key)
                            .filter(|old| kind.is_some() && policy::recovery_for(old.finding.code) == kind);
                        let since = same.map_or(now, |old| old.since);
                        tracked.insert(key, Tracked { finding, since, told: String::new(), blocked_at: None });
                    }
                }
            }
        }
        for finding in told {
            tracing::info!(instance = %finding.key, cluster = %finding.cluster, finding = %finding.text(), "finding");
            if !finding.facts.replicas.is_empty() {
                let entry = Entry::Analysis { key: finding.key.clone(), code: finding.code, at: now };
                drop(self.parts.journal.push(entry));
            }
            self.parts.events.publish(EventBody::Finding { finding: Box::new(finding) });
        }
    }

    /// Asks for fresh evidence where the picture leaves room for doubt (`spec/recovery.md` 2.5), no server too often.
    fn look_closer(&self, problem: &Tracked, snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
        use AnalysisCode as C;
        let finding = &problem.finding;
        let keys = match finding.code {
            C::UnreachableSource
            | C::UnreachableSourceWithLaggingReplicas
            | C::UnreachableIntermediateSource
            | C::UnreachableIntermediateSourceWithLaggingReplicas
            | C::UnreachableCoSource
            | C::DeadSourceAndReplicas => everybody_about(finding, snapshot),
            C::AllSourceReplicasNotReplicating
            | C::AllSourceReplicasNotReplicatingOrDead
            | C::LockedSemiSyncSourceHypothesis => BTreeSet::from([finding.key.clone()]),
            C::FirstTierReplicaFailingToConnect => BTreeSet::from([finding.source.clone()]),
            _ => return false,
        };
        let may_change_soon = matches!(
            finding.code,
            C::UnreachableSource | C::UnreachableIntermediateSource | C::FirstTierReplicaFailingToConnect
        );
        let urgent = may_change_soon && now.signed_duration_since(problem.since) < EMERGENCY_LASTS;
        let (pause, at) = (if urgent { BREATH } else { TICK }, Instant::now());
        for key in keys.iter().filter(|key| self.asked.may(key, pause, at)) {
            self.parts.discovery.probe_soon(key);
        }
        urgent
    }

    /// A server that does not answer pings is asked about at once and again and again: for how long its replicas have heard nothing from
    /// it is what decides, and some servers tell that only by what does not change from one look to the next. `true` when there is one.
    fn ask_about_unanswered(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
        let lately = |since: DateTime<Utc>| now.signed_duration_since(since) < EMERGENCY_LASTS;
        let silent = snapshot.instances.values().filter(|i| i.check.unanswered_since.is_some_and(lately));
        let mut any = false;
        for server in silent {
            any = true;
            let replicas = snapshot.replicas_of(&server.key);
            for replica in replicas.filter(|r| self.asked.may(&r.key, BREATH, Instant::now())) {
                self.parts.discovery.probe_soon(&replica.key);
            }
        }
        any
    }

    /// Tells of a problem, and records it, once in its time (`spec/recovery.md` 3.3.1).
    fn detect(self: &Arc<Self>, problem: &Tracked, now: DateTime<Utc>) {
        let finding = &problem.finding;
        if !is_detection(finding) {
            return;
        }
        let life = self.parts.config.current().detection.block_period();
        let life = TimeDelta::from_std(life.max(TICK)).unwrap_or(TimeDelta::MAX);
        let recovered = |since| self.registry.ended_since(&finding.key, since);
        if !self.detections.open(finding, now, life, recovered) {
            return;
        }
        tracing::warn!(
            instance = %finding.key, cluster = %finding.cluster_alias, code = %finding.code, "detected: {}", finding.description
        );
        drop(self.parts.journal.push(Entry::Detection { finding: Box::new(finding.clone()), at: now }));
        self.announce(finding, now);
    }

    /// Acts on a finding, or remembers why not.
    async fn consider(self: &Arc<Self>, problem: &Tracked, snapshot: &Snapshot, now: DateTime<Utc>) {
        let finding = &problem.finding;
        if policy::recovery_for(finding.code).is_none() || self.is_announcing(&finding.key) {
            return;
        }
        let recent = self.registry.recent();
        let situation = self.situation(finding, problem.since, &recent, now);
        let hold = match policy::decide(finding, &self.policy(), &situation) {
            Ok(kind) => match self.begin(finding.clone(), kind, Wishes::default(), &Actor::system(), snapshot).await {
                Ok(_) => return self.tell_held(finding, String::new()),
                Err(error) => error.to_string(),
            },
            // The log has told of that recovery itself.
            Err(hold @ Hold::InProgress { .. }) => return self.tell_held(finding, hold.reason()),
            Err(hold) => {
                if let Hold::Blocked { uid, .. } = &hold {
                    self.note_blocked(problem, uid, now);
                    if self.held_because(&finding.key).as_deref() != Some(hold.reason().as_str()) {
                        self.announce_blocked(finding, &hold.reason(), now);
                    }
                }
                hold.reason()
            }
        };
        let news = self.held_because(&finding.key).as_ref() != Some(&hold);
        if news {
            tracing::warn!(instance = %finding.key, cluster = %finding.cluster_alias, code = %finding.code, "not recovered: {hold}");
            self.tell_held(finding, hold);
        }
    }

    fn tell_held(&self, finding: &Finding, reason: String) {
        if let Some(tracked) = self.tracked().get_mut(&finding.key) {
            tracked.told = reason;
        }
        // Why it is held back is shown beside the finding.
        self.parts.events.publish(EventBody::Finding { finding: Box::new(finding.clone()) });
    }

    /// The row of a blocked recovery is kept for as long as it is refreshed.
    fn note_blocked(&self, problem: &Tracked, uid: &str, now: DateTime<Utc>) {
        if problem.blocked_at.is_some_and(|at| now.signed_duration_since(at) < BLOCKED_AGAIN) {
            return;
        }
        if let Some(tracked) = self.tracked().get_mut(&problem.finding.key) {
            tracked.blocked_at = Some(now);
        }
        let blocking = self.registry.find(uid).map(|r| r.id).unwrap_or_default();
        let entry = Entry::Blocked { finding: Box::new(problem.finding.clone()), blocking, at: now };
        drop(self.parts.journal.push(entry));
    }

    /// When and how long to hold back, by configuration.
    pub(super) fn policy(&self) -> Policy {
        let leading_since = *lock(&self.leading_since);
        crate::settings::policy(&self.parts.config.current(), self.parts.node.started, leading_since)
    }

    /// The situation of a finding that nobody forced.
    pub(super) fn situation<'a>(
        &self,
        finding: &Finding,
        since: DateTime<Utc>,
        recent: &'a [policy::Recent],
        now: DateTime<Utc>,
    ) -> Situation<'a> {
        let config = self.parts.config.current();
        let opted = |filters: &crate::config::filters::ClusterFilters| {
            filters.matches(&finding.cluster, &finding.cluster_alias)
        };
        Situation {
            now,
            since,
            is_leader: self.parts.consensus.is_leader(),
            recoveries_enabled: self.parts.consensus.recoveries_enabled(),
            source_opt_in: opted(&config.recovery.recover_primary_filters),
            intermediate_opt_in: opted(&config.recovery.recover_intermediate_source_filters),
            repairs: policy::Repairs {
                locked_semi_sync: config.semi_sync.recover_locked_source,
                exact_semi_sync: config.semi_sync.enforce_exact_replicas,
                read_only_source: config.recovery.recover_non_writeable_primary,
            },
            recent,
            grace: crate::settings::grace(&config, &finding.cluster, &finding.cluster_alias),
            clusters_failing: self.clusters_failing.load(Ordering::Relaxed),
            forced: false,
        }
    }
}

/// The server, all who told something about it, and the replicas of binlog servers among them.
fn everybody_about(finding: &Finding, snapshot: &Snapshot) -> BTreeSet<InstanceKey> {
    let replicas: BTreeSet<&InstanceKey> =
        finding.facts.replicas.iter().chain(finding.evidence.iter().map(|e| &e.told_by)).collect();
    let relays = replicas.iter().filter(|key| snapshot.get(key).is_some_and(|i| i.is_binlog_server()));
    let below = relays.flat_map(|key| snapshot.replicas_of(key)).map(|i| &i.key);
    let all = replicas.iter().copied().chain(below).chain([&finding.key]);
    all.filter(|key| key.is_valid()).cloned().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
