//! What the page shows, made from the picture (`ux.md`). Pure: everything comes in as arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::api::{ClusterSettings, ClusterSummary, ClusterView, ServerView};
use app::finding::{AnalysisCode, Finding, Severity};
use app::recovery::Recovery;
use app::topology::status::{problems, status_text};
use app::topology::{Instance, Snapshot};

use crate::config::Config;
use crate::lookup;
use crate::settings;

/// Recoveries shown with a cluster.
const LATEST: usize = 10;

/// Everything that a view is made from.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Servers and annotations.
    pub snapshot: &'a Snapshot,
    /// Configuration.
    pub config: &'a Config,
    /// Findings.
    pub findings: &'a [Finding],
    /// Recoveries, newest first.
    pub recoveries: &'a [Arc<Recovery>],
}

impl Scene<'_> {
    /// One server.
    pub fn server(&self, instance: &Arc<Instance>) -> ServerView {
        let annotations = &self.snapshot.annotations;
        let (thresholds, now) = (settings::thresholds(self.config), self.snapshot.at);
        ServerView {
            instance: (**instance).clone(),
            status: status_text(instance, &thresholds, now).to_owned(),
            problems: problems(instance, &thresholds, now).into_iter().map(|p| p.as_str().to_owned()).collect(),
            promotion_rule: annotations.promotion_rule(&instance.key),
            downtime: annotations.active_downtime(&instance.key, now).cloned(),
            tags: annotations.tags.get(&instance.key).cloned().unwrap_or_default(),
            flavor: instance.flavor().name().to_owned(),
        }
    }

    /// All clusters, by name.
    pub fn summaries(&self) -> Vec<ClusterSummary> {
        lookup::cluster_names(self.snapshot).iter().map(|name| self.summary(name)).collect()
    }

    /// One cluster on the dashboard.
    pub fn summary(&self, name: &str) -> ClusterSummary {
        let alias = lookup::alias_of(self.snapshot, self.config, name);
        let (auto_source_recovery, auto_intermediate_recovery) = lookup::automated(self.config, name, &alias);
        let thresholds = settings::thresholds(self.config);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut servers, mut downtimed) = (0, 0);
        for instance in self.snapshot.cluster(name) {
            servers += 1;
            if self.snapshot.annotations.active_downtime(&instance.key, self.snapshot.at).is_some() {
                downtimed += 1;
                continue;
            }
            for problem in problems(instance, &thresholds, self.snapshot.at) {
                *counts.entry(problem.as_str().to_owned()).or_default() += 1;
            }
        }
        let worst = self.findings_of(name).max_by_key(|finding| finding.severity);
        ClusterSummary {
            name: name.to_owned(),
            alias,
            domain: lookup::domain_of(self.snapshot, name),
            servers,
            problems: counts,
            primary: lookup::primary_of(self.snapshot, name).map(|i| i.key.clone()),
            downtimed,
            severity: worst.map_or(Severity::Ok, |finding| finding.severity),
            finding: worst.map(Finding::text).unwrap_or_default(),
            recovering: self.recoveries.iter().any(|r| r.is_running() && r.cluster == name),
            auto_source_recovery,
            auto_intermediate_recovery,
        }
    }

    /// One cluster with its servers.
    pub fn cluster(&self, name: &str) -> ClusterView {
        let of_cluster = |r: &&Arc<Recovery>| r.cluster == name;
        ClusterView {
            summary: self.summary(name),
            servers: self.snapshot.cluster(name).map(|i| self.server(i)).collect(),
            findings: self.findings_of(name).cloned().collect(),
            recoveries: self.recoveries.iter().filter(of_cluster).take(LATEST).map(|r| (**r).clone()).collect(),
            at: self.snapshot.at,
            settings: ClusterSettings {
                instance_poll_seconds: self.config.discovery.instance_poll_seconds,
                reasonable_lag_seconds: u64::try_from(self.config.candidates.reasonable_lag_seconds).unwrap_or(0),
                lower_replica_version_allowed: self.config.discovery.lower_replica_version_allowed,
                verify_replication_filters: self.config.discovery.verify_replication_filters,
            },
        }
    }

    /// Findings of a cluster that say something.
    fn findings_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |f| f.cluster == name && says_something(f))
    }
}

/// A problem, or a warning about the structure.
pub fn says_something(finding: &Finding) -> bool {
    finding.code != AnalysisCode::NoProblem || !finding.structure.is_empty()
}
