//! Which failures have been told of lately: at most one of a server that a recovery exists for, and one that none exists
//! for, whatever the codes (`spec/recovery.md` 3.3.1).
//!
//! The backend's table says the same; this is what the loop that watches asks, which never waits for the backend.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::InstanceKey;
use app::finding::Finding;
use app::recovery::AcknowledgeScope;
use chrono::{DateTime, TimeDelta, Utc};

use crate::store::DetectionRow;

/// Open detections by server and by whether a recovery exists for them.
#[derive(Debug, Default)]
pub(super) struct Detections {
    open: Mutex<BTreeMap<(InstanceKey, bool), Open>>,
}

#[derive(Debug, Clone)]
struct Open {
    cluster: String,
    alias: String,
    since: DateTime<Utc>,
}

impl Detections {
    /// Fills in what the backend remembers.
    pub(super) fn load(&self, rows: &[DetectionRow]) {
        let mut open = self.lock();
        for row in rows.iter().filter(|row| row.is_active) {
            let told = Open { cluster: row.cluster.clone(), alias: row.cluster_alias.clone(), since: row.started };
            open.entry((row.key.clone(), row.is_actionable)).or_insert(told);
        }
    }

    /// Opens a detection; `false` when one of its class is open, and then nothing is to be told. One is open for `life`, and
    /// until it is `closed`, which is asked with the moment it was opened.
    pub(super) fn open(
        &self,
        finding: &Finding,
        now: DateTime<Utc>,
        life: TimeDelta,
        closed: impl FnOnce(DateTime<Utc>) -> bool,
    ) -> bool {
        let mut open = self.lock();
        let class = (finding.key.clone(), finding.actionable);
        if let Some(told) = open.get(&class)
            && now.signed_duration_since(told.since) < life
            && !closed(told.since)
        {
            return false;
        }
        let told = Open { cluster: finding.cluster.clone(), alias: finding.cluster_alias.clone(), since: now };
        open.insert(class, told);
        open.retain(|_, told| now.signed_duration_since(told.since) < life);
        true
    }

    /// Closes what an acknowledgement closes: the detections of a server or of a cluster (`spec/recovery.md` 3.3.4).
    pub(super) fn acknowledge(&self, scope: &AcknowledgeScope) {
        self.lock().retain(|(server, _), told| match scope {
            AcknowledgeScope::Instance { key } => server != key,
            AcknowledgeScope::Cluster { name, alias } => {
                told.cluster != *name && (alias.is_empty() || told.alias != *alias)
            }
            AcknowledgeScope::All | AcknowledgeScope::Id { .. } | AcknowledgeScope::Uid { .. } => true,
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(InstanceKey, bool), Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use app::finding::{AnalysisCode, Facts, Severity};

    use super::*;
    use crate::store::NodeIdentity;

    const HOUR: TimeDelta = TimeDelta::hours(1);

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn finding(code: AnalysisCode, actionable: bool) -> Finding {
        Finding {
            key: InstanceKey::new("db1", 3306),
            source: InstanceKey::default(),
            cluster: "db1:3306".into(),
            cluster_alias: "orders".into(),
            cluster_domain: String::new(),
            code,
            description: String::new(),
            structure: vec![],
            severity: Severity::Broken,
            actionable,
            downtime_end: None,
            replicas_downtimed: false,
            facts: Facts::default(),
            evidence: vec![],
        }
    }

    #[test]
    fn one_of_each_class_is_open_for_its_life() {
        let told = Detections::default();
        let open = |code, actionable, minute| told.open(&finding(code, actionable), at(minute), HOUR, |_| false);
        assert!(open(AnalysisCode::UnreachableSource, false, 0));
        assert!(open(AnalysisCode::DeadSource, true, 0));
        assert!(!open(AnalysisCode::DeadSourceAndReplicas, false, 1), "the code is not part of it");
        assert!(!open(AnalysisCode::DeadSource, true, 59));
        assert!(open(AnalysisCode::DeadSource, true, 60));
    }

    #[test]
    fn a_recovery_that_ended_and_an_acknowledgement_close_it() {
        let told = Detections::default();
        let dead = finding(AnalysisCode::DeadSource, true);
        let open = |minute, ended| told.open(&dead, at(minute), HOUR, |since| ended && since <= at(minute));
        assert!(open(0, false));
        assert!(open(1, true), "closed by its recovery");
        told.acknowledge(&AcknowledgeScope::All);
        told.acknowledge(&AcknowledgeScope::Cluster { name: "db9:3306".into(), alias: String::new() });
        assert!(!open(2, false));
        told.acknowledge(&AcknowledgeScope::Cluster { name: "db9:3306".into(), alias: "orders".into() });
        assert!(open(3, false));
        told.acknowledge(&AcknowledgeScope::Instance { key: dead.key.clone() });
        assert!(open(4, false));
    }

    #[test]
    fn what_was_told_before_a_restart_is_not_told_again() {
        let told = Detections::default();
        let row = DetectionRow {
            id: 1,
            key: InstanceKey::new("db1", 3306),
            analysis: "DeadMaster".into(),
            cluster: "db1:3306".into(),
            cluster_alias: "orders".into(),
            count_replicas: 1,
            replicas: vec![],
            is_actionable: true,
            is_active: true,
            started: at(0),
            node: NodeIdentity::default(),
            related_recovery_id: 0,
        };
        told.load(&[row.clone(), DetectionRow { is_actionable: false, is_active: false, ..row }]);
        assert!(!told.open(&finding(AnalysisCode::DeadSource, true), at(5), HOUR, |_| false));
        assert!(told.open(&finding(AnalysisCode::UnreachableSource, false), at(5), HOUR, |_| false));
    }
}
