//! What is wrong, and what the evidence is (`spec/recovery.md` 1, 2).
//!
//! Analysis is one pass over a [`Snapshot`] ([`analyse`]), or over what changed since the last one ([`Incremental`]): replicas are grouped by source once (`row`), every server gets its facts, the first
//! matching line of one fixed table gives the code (`codes`), and structure warnings are appended (`warnings`). There is no memory
//! between passes except what the caller hands in ([`AnalysisSettings::unmoved`]).
//!
//! Two differences from the original are on purpose:
//!
//! - *Valid* has one meaning for every server: [`app::topology::status::is_check_valid`]. A hanging probe makes a replica
//!   as invalid as a source.
//! - Only receivers give evidence about a source (`testimony`). A replica whose applier is stopped but whose
//!   receiver runs shows that its source is alive; a receiver that failed before we last reached the source shows nothing.

mod codes;
mod incremental;
mod returned;
mod row;
mod testimony;
mod unmoved;
mod warnings;
mod wording;

use std::sync::Arc;

use app::InstanceKey;
use app::finding::{AnalysisCode, Evidence, Finding};
use app::topology::{Instance, Snapshot, StatusThresholds};
use chrono::{DateTime, Utc};
use regex::Regex;

#[cfg(test)]
pub(crate) use codes::is_actionable;
pub use incremental::Incremental;
pub use returned::is_below_left_behind;
use row::{Link, Row, group_by_source};
pub use unmoved::{Unmoved, UnmovedCoordinates};

/// Configuration and hints that shape the result.
#[derive(Debug, Clone)]
pub struct AnalysisSettings {
    /// Poll period, slack and lag limits.
    pub thresholds: StatusThresholds,
    /// `RecoveryIgnoreHostnameFilters`: findings about matching hosts are dropped, whoever asks.
    pub ignore_hostnames: Vec<Regex>,
    /// `ReduceReplicationAnalysisCount`: healthy servers without replicas are not looked at.
    pub reduce: bool,
    /// Keep findings that no recovery acts on because of downtime; they are marked.
    pub include_downtimed: bool,
    /// Keep servers with nothing wrong.
    pub include_no_problem: bool,
    /// `RecoverNonWriteableMaster`: a read-only source is a problem of its own, not only a warning.
    pub recover_non_writeable_source: bool,
    /// `EnforceExactSemiSyncReplicas`: too many acknowledging replicas are a problem.
    pub enforce_exact_semi_sync_replicas: bool,
    /// `ReasonableLockedSemiSyncMasterSeconds`, already replaced by the lag limit where it is zero: a source short of
    /// acknowledgements counts as locked once its binary log has not moved for longer than this.
    pub locked_semi_sync_seconds: u64,
    /// Sources short of acknowledgements, and since when their binary log has not moved.
    pub unmoved: Arc<Unmoved>,
}

impl AnalysisSettings {
    /// The same servers give the same findings, whatever waits for acknowledgements.
    fn finds_the_same(&self, other: &Self) -> bool {
        let Self {
            thresholds,
            ignore_hostnames,
            reduce,
            include_downtimed,
            include_no_problem,
            recover_non_writeable_source,
            enforce_exact_semi_sync_replicas,
            locked_semi_sync_seconds,
            unmoved: _,
        } = self;
        *thresholds == other.thresholds
            && ignore_hostnames.iter().map(Regex::as_str).eq(other.ignore_hostnames.iter().map(Regex::as_str))
            && *reduce == other.reduce
            && *include_downtimed == other.include_downtimed
            && *include_no_problem == other.include_no_problem
            && *recover_non_writeable_source == other.recover_non_writeable_source
            && *enforce_exact_semi_sync_replicas == other.enforce_exact_semi_sync_replicas
            && *locked_semi_sync_seconds == other.locked_semi_sync_seconds
    }
}

impl Default for AnalysisSettings {
    /// The defaults of the configuration file; downtimed findings kept, `NoProblem` left out.
    fn default() -> Self {
        let thresholds = StatusThresholds::default();
        Self {
            thresholds,
            ignore_hostnames: Vec::new(),
            reduce: true,
            include_downtimed: true,
            include_no_problem: false,
            recover_non_writeable_source: false,
            enforce_exact_semi_sync_replicas: false,
            locked_semi_sync_seconds: thresholds.reasonable_replication_lag_seconds.unsigned_abs(),
            unmoved: Arc::default(),
        }
    }
}

/// What is wrong anywhere: sources first, then by number of replicas, most first, then in key order.
pub fn analyse(snapshot: &Snapshot, settings: &AnalysisSettings, now: DateTime<Utc>) -> Vec<Finding> {
    analyse_where(snapshot, settings, now, |_| true)
}

/// What is wrong in one cluster.
pub fn analyse_cluster(
    snapshot: &Snapshot,
    cluster: &str,
    settings: &AnalysisSettings,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    analyse_where(snapshot, settings, now, |instance| instance.cluster_name == cluster)
}

/// What is wrong with one server, `NoProblem` included and filters left aside; `None` when nobody knows it or
/// an operation holds it in maintenance.
pub fn analyse_server(
    snapshot: &Snapshot,
    key: &InstanceKey,
    settings: &AnalysisSettings,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let settings = AnalysisSettings {
        include_no_problem: true,
        include_downtimed: true,
        reduce: false,
        ignore_hostnames: Vec::new(),
        ..settings.clone()
    };
    analyse_where(snapshot, &settings, now, |instance| instance.key == *key).pop()
}

/// Who sees a server now, and how, whether or not anything is wrong with it: our own probe, then every replica.
pub fn sightings(
    snapshot: &Snapshot,
    key: &InstanceKey,
    settings: &AnalysisSettings,
    now: DateTime<Utc>,
) -> Vec<Evidence> {
    let groups = group_by_source(snapshot);
    let mut rows = groups.iter().filter(|(instance, _)| instance.key == *key);
    rows.next().map_or_else(Vec::new, |(instance, replicas)| {
        wording::sightings(&Row::new(instance, replicas, &snapshot.annotations, settings, now))
    })
}

fn analyse_where(
    snapshot: &Snapshot,
    settings: &AnalysisSettings,
    now: DateTime<Utc>,
    wanted: impl Fn(&Instance) -> bool,
) -> Vec<Finding> {
    let groups = group_by_source(snapshot);
    let rows = groups.iter().filter(|(instance, _)| wanted(instance));
    in_order(rows.filter_map(|(instance, replicas)| analyse_one(instance, replicas, snapshot, settings, now)).collect())
}

/// One server by its replicas' channels; `None` when there is nothing to say about it.
fn analyse_one<'a>(
    instance: &'a Instance,
    replicas: impl Iterator<Item = Link<'a>>,
    snapshot: &Snapshot,
    settings: &AnalysisSettings,
    now: DateTime<Utc>,
) -> Option<Finding> {
    if snapshot.annotations.maintenance.get(&instance.key).is_some_and(|m| m.end > now) {
        return None;
    }
    let row = Row::new(instance, replicas, &snapshot.annotations, settings, now);
    if settings.reduce && row.is_uninteresting() {
        return None;
    }
    judge(row, snapshot, settings, now)
}

/// Sources first, then by number of replicas; what is equal keeps its order.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    let rank = |f: &Finding| {
        let names_cluster = f.key.to_string() == f.cluster;
        (!f.facts.is_source, !names_cluster, std::cmp::Reverse(f.facts.replicas.len()))
    };
    findings.sort_by_cached_key(rank);
    findings
}

/// Code, warnings and words for one server; `None` when it is filtered out (`spec/recovery.md` 1.5).
fn judge(row: Row, snapshot: &Snapshot, settings: &AnalysisSettings, now: DateTime<Utc>) -> Option<Finding> {
    let code = codes::code(&row, settings, now);
    let structure = warnings::structure(&row.facts);
    if code == AnalysisCode::NoProblem && structure.is_empty() && !settings.include_no_problem {
        return None;
    }
    let key = &row.instance.key;
    if settings.ignore_hostnames.iter().any(|filter| filter.is_match(&key.hostname)) {
        return None;
    }
    let annotations = &snapshot.annotations;
    let downtime_end = annotations.active_downtime(key, now).map(|downtime| downtime.end);
    let all_downtimed = usize::try_from(row.facts.downtimed).is_ok_and(|n| n == row.facts.replicas.len());
    let replicas_downtimed = all_downtimed && codes::is_about_replicas(code);
    if (downtime_end.is_some() || replicas_downtimed) && !settings.include_downtimed {
        return None;
    }
    let cluster = row.instance.cluster_name.clone();
    let named = |text: Option<&String>| text.filter(|t| !t.is_empty()).unwrap_or(&cluster).clone();
    let alias = annotations.cluster_alias_overrides.get(&cluster).or_else(|| annotations.cluster_aliases.get(&cluster));
    Some(Finding {
        key: key.clone(),
        source: row.instance.replication.source.clone(),
        cluster_alias: named(alias),
        cluster_domain: named(annotations.cluster_domains.get(&cluster)),
        code,
        description: wording::description(code, &row),
        severity: codes::severity(code, !structure.is_empty()),
        actionable: codes::is_actionable(code),
        downtime_end,
        replicas_downtimed,
        evidence: wording::evidence(code, &row),
        structure,
        cluster,
        facts: row.facts,
    })
}
