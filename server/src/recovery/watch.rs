//! The loop that looks at the picture whenever it changes, and at least once a second.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::event::EventBody;
use app::finding::{AnalysisCode, Finding};
use app::topology::Snapshot;
use chrono::{DateTime, TimeDelta, Utc};
use engine::policy::{self, Hold, Policy, Situation};
use tokio::sync::broadcast::error::RecvError;

use super::{RecoveryService, Tracked, is_detection};
use crate::consensus::Actor;
use crate::journal::Entry;
use crate::tasks::Task;

/// Rounds come at least this often (`spec/recovery.md` 0.2, recovery tick).
const TICK: Duration = Duration::from_secs(1);

/// Changes that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(5);

/// While a source is out of sight and its replicas have not made up their minds, they are asked this often.
const EMERGENCY: Duration = Duration::from_millis(100);

/// For so long. What is not decided by then is looked at once a second.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);

/// Runs until the service stops: takes up unfinished recoveries, then watches.
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
        let findings = engine::analysis::analyse(&snapshot, &self.analysis_settings(), now);
        Arc::make_mut(&mut self.unmoved.lock().unwrap_or_else(PoisonError::into_inner)).observe(&findings, now);
        self.track(findings, now);
        self.fence_returned(&snapshot, now).await;
        if !self.parts.consensus.is_leader() {
            return false;
        }
        let mut urgent = self.ask_about_unanswered(&snapshot, now);
        let tracked: Vec<Tracked> = self.tracked().values().cloned().collect();
        for problem in tracked {
            urgent |= self.look_closer(&problem.finding, &snapshot);
            self.detect(&problem, now);
            self.consider(&problem, &snapshot, now).await;
        }
        urgent
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
                        tracked.insert(key, Tracked { finding, since: now, told: String::new(), detected: false });
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

    /// Asks for fresh evidence where the picture leaves room for doubt (`spec/recovery.md` 2.5).
    fn look_closer(&self, finding: &Finding, snapshot: &Snapshot) -> bool {
        use AnalysisCode as C;
        let keys: Vec<InstanceKey> = match finding.code {
            C::UnreachableSource
            | C::UnreachableSourceWithLaggingReplicas
            | C::UnreachableIntermediateSource
            | C::UnreachableIntermediateSourceWithLaggingReplicas
            | C::UnreachableCoSource => {
                snapshot.replicas_of(&finding.key).map(|r| r.key.clone()).chain([finding.key.clone()]).collect()
            }
            C::AllSourceReplicasNotReplicating
            | C::AllSourceReplicasNotReplicatingOrDead
            | C::LockedSemiSyncSourceHypothesis => vec![finding.key.clone()],
            C::FirstTierReplicaFailingToConnect => vec![finding.source.clone()],
            _ => return false,
        };
        for key in &keys {
            self.parts.discovery.probe_soon(key);
        }
        matches!(
            finding.code,
            C::UnreachableSource | C::UnreachableIntermediateSource | C::FirstTierReplicaFailingToConnect
        ) && self.tracked().get(&finding.key).is_some_and(|t| Utc::now() - t.since < PATIENCE)
    }

    /// A server that does not answer pings is asked about at once and again and again: for how long its replicas have heard nothing from
    /// it is what decides, and some servers tell that only by what does not change from one look to the next. `true` when there is one.
    fn ask_about_unanswered(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
        let lately = |since: DateTime<Utc>| now - since < PATIENCE;
        let silent = snapshot.instances.values().filter(|i| i.check.unanswered_since.is_some_and(lately));
        let mut any = false;
        for server in silent {
            any = true;
            for replica in snapshot.replicas_of(&server.key) {
                self.parts.discovery.probe_soon(&replica.key);
            }
        }
        any
    }

    /// Records a detection once for each stretch of a problem.
    fn detect(&self, problem: &Tracked, now: DateTime<Utc>) {
        let finding = &problem.finding;
        if problem.detected || !is_detection(finding.code) {
            return;
        }
        if let Some(tracked) = self.tracked().get_mut(&finding.key) {
            tracked.detected = true;
        }
        tracing::warn!(
            instance = %finding.key, cluster = %finding.cluster_alias, code = %finding.code, "detected: {}", finding.description
        );
        drop(self.parts.journal.push(Entry::Detection { finding: Box::new(finding.clone()), at: now }));
    }

    /// Acts on a finding, or remembers why not.
    async fn consider(self: &Arc<Self>, problem: &Tracked, snapshot: &Snapshot, now: DateTime<Utc>) {
        let finding = &problem.finding;
        if policy::recovery_for(finding.code).is_none() {
            return;
        }
        let recent = self.registry.recent();
        let situation = self.situation(finding, problem.since, &recent, now);
        let hold = match policy::decide(finding, &self.policy(), &situation) {
            Ok(kind) => match self.begin(finding.clone(), kind, None, &Actor::system(), snapshot, false).await {
                Ok(_) => return,
                Err(error) => error.to_string(),
            },
            Err(Hold::InProgress { .. }) => return,
            Err(hold) => {
                if let Hold::Blocked { uid, .. } = &hold {
                    let blocking = self.registry.find(uid).map(|r| r.id).unwrap_or_default();
                    let entry = Entry::Blocked { finding: Box::new(finding.clone()), blocking, at: now };
                    drop(self.parts.journal.push(entry));
                }
                hold.reason()
            }
        };
        if let Some(tracked) = self.tracked().get_mut(&finding.key).filter(|t| t.told != hold) {
            tracing::warn!(instance = %finding.key, cluster = %finding.cluster_alias, code = %finding.code, "not recovered: {hold}");
            tracked.told = hold;
        }
    }

    /// When and how long to hold back, by configuration.
    pub(super) fn policy(&self) -> Policy {
        let config = self.parts.config.current();
        // The original acts from the third poll on: before that the picture is that of the last process.
        let settle = TimeDelta::from_std(config.discovery.poll_interval() * 3).unwrap_or(TimeDelta::MAX);
        Policy {
            block_period: TimeDelta::from_std(config.recovery.block_period()).unwrap_or(TimeDelta::MAX),
            grace: TimeDelta::seconds(
                i64::try_from(config.extensions.recovery_grace_seconds).unwrap_or(i64::MAX / 1000),
            ),
            hold_off_until: self.parts.node.started + settle,
        }
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
            recent,
            forced: false,
        }
    }
}
