//! What the page shows, made from the picture (`ux.md`). Pure: everything comes in as arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::api::{ClusterSettings, ClusterSummary, ClusterView, ServerView};
use app::finding::{AnalysisCode, Finding, Severity};
use app::readiness::{HeldBack, HeldFinding};
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
    /// Findings, and why nothing acts on them.
    pub findings: &'a [HeldFinding],
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
        let clusters = lookup::by_cluster(self.snapshot);
        clusters.iter().map(|(name, members)| self.summary_of(name, members)).collect()
    }

    /// One cluster on the dashboard.
    pub fn summary(&self, name: &str) -> ClusterSummary {
        self.summary_of(name, &self.snapshot.cluster(name).collect::<Vec<_>>())
    }

    fn summary_of(&self, name: &str, members: &[&Arc<Instance>]) -> ClusterSummary {
        let alias = lookup::alias_of(self.snapshot, self.config, name);
        let (auto_source_recovery, auto_intermediate_recovery) = lookup::automated(self.config, name, &alias);
        let thresholds = settings::thresholds(self.config);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut servers, mut downtimed, mut max_lag) = (0, 0, None);
        let (mut data_centers, mut versions, mut tags) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for instance in members {
            servers += 1;
            count(&mut data_centers, instance.data_center.clone());
            count(&mut versions, family(instance));
            tags.extend(self.snapshot.annotations.tags.get(&instance.key).into_iter().flatten().map(tag_text));
            if self.snapshot.annotations.active_downtime(&instance.key, self.snapshot.at).is_some() {
                downtimed += 1;
                continue;
            }
            max_lag = max_lag.max(instance.lag.filter(|_| instance.is_replica() && instance.check.is_valid()));
            for problem in problems(instance, &thresholds, self.snapshot.at) {
                *counts.entry(problem.as_str().to_owned()).or_default() += 1;
            }
        }
        let worst = self.findings_of(name).map(|p| &p.finding).max_by_key(|f| (f.severity, f.actionable));
        let recovering = self.recoveries.iter().any(|r| r.is_running() && is_of(r, name, &alias));
        ClusterSummary {
            name: name.to_owned(),
            alias,
            domain: lookup::domain_of(self.snapshot, name),
            servers,
            problems: counts,
            primary: lookup::primary_among(members.iter().copied()).map(|i| i.key.clone()),
            downtimed,
            severity: worst.map_or(Severity::Ok, |finding| finding.severity),
            finding: worst.map(Finding::text).unwrap_or_default(),
            recovering,
            auto_source_recovery,
            auto_intermediate_recovery,
            max_lag,
            data_centers,
            versions,
            tags: tags.into_iter().collect(),
        }
    }

    /// One cluster with its servers.
    pub fn cluster(&self, name: &str) -> ClusterView {
        let summary = self.summary(name);
        let alias = summary.alias.clone();
        let of_cluster = |r: &&Arc<Recovery>| is_of(r, name, &alias);
        ClusterView {
            summary,
            servers: self.snapshot.cluster(name).map(|i| self.server(i)).collect(),
            findings: self.findings_of(name).map(|p| p.finding.clone()).collect(),
            held: self.findings_of(name).map(held_back).collect(),
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
    fn findings_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HeldFinding> {
        self.findings.iter().filter(move |p| p.finding.cluster == name && says_something(&p.finding))
    }
}

fn held_back(problem: &HeldFinding) -> HeldBack {
    let HeldFinding { finding, since, held } = problem;
    HeldBack { key: finding.key.clone(), since: *since, held: held.clone() }
}

fn count(counts: &mut BTreeMap<String, u64>, what: String) {
    if !what.is_empty() {
        *counts.entry(what).or_default() += 1;
    }
}

/// `MySQL 8.4`; empty for a server whose version is not known.
fn family(instance: &Instance) -> String {
    if instance.version.is_empty() {
        return String::new();
    }
    format!("{} {}", instance.flavor().name(), instance.major_version_text())
}

fn tag_text((name, value): (&String, &String)) -> String {
    if value.is_empty() { name.clone() } else { format!("{name}={value}") }
}

/// A problem, or a warning about the structure.
fn says_something(finding: &Finding) -> bool {
    finding.code != AnalysisCode::NoProblem || !finding.structure.is_empty()
}

/// A cluster's name changes with its primary, so a recovery belongs to it by alias too, where it has one of its own.
fn is_of(recovery: &Recovery, name: &str, alias: &str) -> bool {
    recovery.cluster == name || (alias != name && !alias.is_empty() && recovery.cluster_alias == alias)
}

#[cfg(test)]
mod tests {
    use app::InstanceKey;
    use app::finding::{Facts, StructureWarning};
    use app::recovery::{RecoveryKind, RecoveryState};
    use app::topology::{Annotations, Check, Downtime, Replication, ThreadState};
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    const AT: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    /// A healthy server of cluster `c`, seen just now; the topmost one without a source.
    fn server(name: &str, source: &str) -> Instance {
        let mut replication = Replication::default();
        if !source.is_empty() {
            replication.source = InstanceKey::new(source, 3306);
            (replication.receiver, replication.applier) = (ThreadState::Running, ThreadState::Running);
            replication.seconds_behind = Some(0);
            replication.read = app::BinlogCoordinates::binary("binlog.000001", 1000);
        }
        Instance {
            key: InstanceKey::new(name, 3306),
            cluster_name: "c".to_owned(),
            depth: u32::from(!source.is_empty()),
            read_only: !source.is_empty(),
            lag: replication.seconds_behind,
            replication,
            check: Check { last_checked: Some(AT), last_attempted: Some(AT), last_seen: Some(AT), ..Check::default() },
            ..Instance::default()
        }
    }

    fn stopped(name: &str) -> Instance {
        let mut instance = server(name, "a");
        instance.replication.applier = ThreadState::Stopped;
        instance
    }

    fn finding(cluster: &str, code: AnalysisCode, severity: Severity) -> Finding {
        Finding {
            key: InstanceKey::new("a", 3306),
            source: InstanceKey::default(),
            cluster: cluster.to_owned(),
            cluster_alias: cluster.to_owned(),
            cluster_domain: cluster.to_owned(),
            code,
            description: String::new(),
            structure: vec![],
            severity,
            actionable: false,
            downtime_end: None,
            replicas_downtimed: false,
            facts: Facts::default(),
            evidence: vec![],
        }
    }

    fn recovery(cluster: &str, number: i64, state: RecoveryState) -> Arc<Recovery> {
        Arc::new(Recovery {
            id: number,
            uid: format!("{cluster}:{number}"),
            finding: finding(cluster, AnalysisCode::DeadSource, Severity::Broken),
            kind: RecoveryKind::Source,
            cluster: cluster.to_owned(),
            cluster_alias: cluster.to_owned(),
            actor: "orchestrator".to_owned(),
            state,
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
            started: AT + TimeDelta::seconds(number),
            ended: None,
            node: "node1".to_owned(),
            node_token: "token".to_owned(),
            acknowledged: None,
            detection_id: 0,
        })
    }

    /// The view of cluster `c`.
    fn view(
        servers: Vec<Instance>,
        annotations: Annotations,
        findings: &[Finding],
        recoveries: &[Arc<Recovery>],
    ) -> ClusterView {
        let snapshot = Snapshot::new(servers, annotations, AT);
        let told = |finding: &Finding| HeldFinding { finding: finding.clone(), since: None, held: vec![] };
        let findings: Vec<HeldFinding> = findings.iter().map(told).collect();
        Scene { snapshot: &snapshot, config: &Config::default(), findings: &findings, recoveries }.cluster("c")
    }

    #[test]
    fn problems_are_counted_without_servers_in_downtime() {
        let mut annotations = Annotations::default();
        let downtime = |end| Downtime { owner: "dba".to_owned(), reason: "disk".to_owned(), begin: AT, end };
        annotations.downtime.insert(InstanceKey::new("b", 3306), downtime(AT + TimeDelta::seconds(1)));
        annotations.downtime.insert(InstanceKey::new("d", 3306), downtime(AT - TimeDelta::seconds(1)));
        let mut elsewhere = stopped("x");
        elsewhere.cluster_name = "other".to_owned();
        let servers = vec![server("a", ""), stopped("b"), stopped("d"), server("e", "a"), elsewhere];
        let view = view(servers, annotations, &[], &[]);
        assert_eq!(view.summary.problems, BTreeMap::from([("not_replicating".to_owned(), 1)]), "d's downtime is over");
        assert_eq!((view.summary.servers, view.summary.downtimed), (4, 1));
        let told: Vec<(&str, bool)> =
            view.servers.iter().map(|s| (s.instance.key.hostname.as_str(), s.downtime.is_some())).collect();
        assert_eq!(told, [("a", false), ("b", true), ("d", false), ("e", false)], "in key order");
        assert_eq!(view.servers[1].problems, ["not_replicating"], "the server itself still tells it");
    }

    #[test]
    fn a_summary_tells_what_a_fleet_is_filtered_by() {
        let lagging = |name: &str, lag, dc: &str, version: &str| {
            let mut instance = server(name, "a");
            (instance.lag, instance.data_center, instance.version) = (lag, dc.to_owned(), version.to_owned());
            instance
        };
        let mut annotations = Annotations::default();
        let end = AT + TimeDelta::seconds(1);
        let downtime = Downtime { owner: "dba".to_owned(), reason: "disk".to_owned(), begin: AT, end };
        annotations.downtime.insert(InstanceKey::new("d", 3306), downtime);
        let tags = BTreeMap::from([("owner".to_owned(), "shop".to_owned()), ("spare".to_owned(), String::new())]);
        annotations.tags.insert(InstanceKey::new("b", 3306), tags);
        let servers = vec![
            server("a", ""),
            lagging("b", Some(3), "dc1", "8.4.6"),
            lagging("c", None, "dc1", "8.4.7-log"),
            lagging("d", Some(900), "dc2", ""),
        ];
        let told = view(servers, annotations, &[], &[]).summary;
        assert_eq!(told.max_lag, Some(3), "downtimed and unknown ones do not count");
        assert_eq!(told.data_centers, BTreeMap::from([("dc1".to_owned(), 2), ("dc2".to_owned(), 1)]));
        assert_eq!(told.versions, BTreeMap::from([("MySQL 8.4".to_owned(), 2)]));
        assert_eq!(told.tags, ["owner=shop", "spare"]);
    }

    #[test]
    fn the_primary_is_the_one_that_replicates_from_nobody() {
        let primary = |servers| view(servers, Annotations::default(), &[], &[]).summary.primary;
        assert_eq!(primary(vec![server("b", ""), server("a", "b")]), Some(InstanceKey::new("b", 3306)));
        assert_eq!(primary(vec![server("a", "gone")]), None);
        let co_source = |name: &str, source: &str, read_only| {
            let mut instance = server(name, source);
            (instance.is_co_source, instance.read_only, instance.depth) = (true, read_only, 0);
            instance
        };
        let ring = vec![co_source("a", "b", true), co_source("b", "a", false)];
        assert_eq!(primary(ring), Some(InstanceKey::new("b", 3306)), "of a ring, the writeable one");
    }

    #[test]
    fn the_worst_finding_of_the_cluster_is_told() {
        let servers = || vec![server("a", ""), server("b", "a")];
        let mut warned = finding("c", AnalysisCode::NoProblem, Severity::Attention);
        warned.structure = vec![StructureWarning::ErrantGtid];
        let findings = [
            finding("other", AnalysisCode::DeadSource, Severity::Broken),
            finding("c", AnalysisCode::NoProblem, Severity::Ok),
            warned,
        ];
        let told = view(servers(), Annotations::default(), &findings, &[]);
        assert_eq!(told.summary.severity, Severity::Attention);
        assert_eq!(told.summary.finding, "ErrantGTIDStructureWarning");
        assert_eq!(told.findings.len(), 1, "what says nothing is left out");

        let dead = finding("c", AnalysisCode::DeadSource, Severity::Broken);
        let told = view(servers(), Annotations::default(), &[findings.as_slice(), &[dead]].concat(), &[]);
        assert_eq!((told.summary.severity, told.summary.finding.as_str()), (Severity::Broken, "DeadMaster"));

        let told = view(servers(), Annotations::default(), &findings[..2], &[]);
        assert_eq!((told.summary.severity, told.summary.finding.as_str()), (Severity::Ok, ""));
    }

    #[test]
    fn a_cluster_shows_its_own_latest_recoveries() {
        let ended = |number| recovery("c", number, RecoveryState::Succeeded);
        let mut recoveries = vec![recovery("other", 99, RecoveryState::Running)];
        recoveries.extend((1..=12).rev().map(ended));
        let told = view(vec![server("a", "")], Annotations::default(), &[], &recoveries);
        assert_eq!(told.recoveries.iter().map(|r| r.id).collect::<Vec<_>>(), (3..=12).rev().collect::<Vec<i64>>());
        assert!(!told.summary.recovering, "only another cluster is");
        recoveries.push(recovery("c", 0, RecoveryState::Running));
        assert!(view(vec![server("a", "")], Annotations::default(), &[], &recoveries).summary.recovering);
    }
}
