//! "Why did it not fail over?", from what this process knows: the picture, the findings it follows, and the recoveries.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::finding::Finding;
use app::readiness::{HeldFinding, Obstacle, Readiness};
use chrono::{DateTime, Utc};
use engine::policy::{Policy, Recent, recovery_for};
use engine::readiness::{Scene, holds, obstacle, readiness};

use super::{RecoveryService, Tracked};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watcher {
    /// The service: it follows problems and acts on them.
    Service,
    /// A command of a moment. It looks at what the service left in the backend and has no start to hold off after.
    Command,
}

impl RecoveryService {
    /// What would happen if a source of the cluster died now, and why nothing acts on what is wrong. What happened lately is
    /// left out: it is in the backend.
    pub fn readiness(&self, cluster: &str, alias: &str, watcher: Watcher) -> Readiness {
        let now = Utc::now();
        let (snapshot, recent) = (self.parts.fleet.snapshot(), self.registry.recent());
        let config = self.parts.config.current();
        let policy = match watcher {
            Watcher::Service => self.policy(),
            Watcher::Command => Policy { hold_off_until: now, leader_hold_off_until: now, ..self.policy() },
        };
        let since: BTreeMap<InstanceKey, DateTime<Utc>> =
            self.tracked().iter().map(|(key, tracked)| (key.clone(), tracked.since)).collect();
        let mut told = readiness(&Scene {
            snapshot: &snapshot,
            cluster,
            alias,
            analysis: &self.analysis_settings(),
            recovery: &crate::settings::recovery(&config, cluster, alias),
            policy: &policy,
            situation: &|finding, since| self.situation(finding, since, &recent, now),
            since: &since,
            now,
        });
        for problem in &mut told.problems {
            if problem.held.is_empty() {
                problem.held.extend(self.not_begun(&problem.finding));
            }
        }
        told
    }

    /// What the last analysis found, and why nothing acts on it.
    pub fn problems(&self) -> Vec<HeldFinding> {
        let now = Utc::now();
        let (recent, policy) = (self.registry.recent(), self.policy());
        let tracked: Vec<Tracked> = self.tracked().values().cloned().collect();
        tracked.into_iter().map(|tracked| self.explained(tracked, &policy, &recent, now)).collect()
    }

    fn explained(&self, tracked: Tracked, policy: &Policy, recent: &[Recent], now: DateTime<Utc>) -> HeldFinding {
        let Tracked { finding, since, .. } = tracked;
        let mut held = vec![];
        if recovery_for(finding.code).is_some() {
            let situation = self.situation(&finding, since, recent, now);
            held.extend(holds(&finding, policy, &situation).iter().map(|hold| obstacle(hold, &finding)));
            if held.is_empty() {
                held.extend(self.not_begun(&finding));
            }
        }
        HeldFinding { finding, since: Some(since), held }
    }

    /// Nothing holds a recovery back, and yet it could not be begun: another operation has a server of the cluster, say.
    fn not_begun(&self, finding: &Finding) -> Option<Obstacle> {
        let reason = self.held_because(&finding.key)?;
        Some(Obstacle { rule: "not-begun".to_owned(), reason, setting: None, recovery: None, until: None })
    }
}
