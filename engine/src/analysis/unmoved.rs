//! Sources that wait for acknowledgements, and since when their binary log has not moved (`spec/recovery.md` 1.6).

use std::collections::BTreeMap;

use app::finding::{AnalysisCode, Finding};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, TimeDelta, Utc};

/// An entry that no pass confirms is dropped after this many seconds.
const KEPT_UNCONFIRMED: i64 = 60;

/// A binary log position, since when it has been the same, and when that was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmovedCoordinates {
    /// The position.
    pub at: BinlogCoordinates,
    /// First seen.
    pub since: DateTime<Utc>,
    /// Last seen.
    pub confirmed: DateTime<Utc>,
}

/// What one pass of analysis has to tell the next: the only memory there is.
///
/// An entry stays as long as the source is short of acknowledgements at that position. (The original lets go of it
/// after a while, so that a locked source becomes a suspected one again.)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unmoved {
    /// Entries by source.
    pub entries: BTreeMap<InstanceKey, UnmovedCoordinates>,
}

impl Unmoved {
    /// Takes in the findings of a pass, whole or of one cluster.
    pub fn observe(&mut self, findings: &[Finding], now: DateTime<Utc>) {
        for finding in findings {
            let short = [AnalysisCode::LockedSemiSyncSource, AnalysisCode::LockedSemiSyncSourceHypothesis];
            if !short.contains(&finding.code) {
                self.entries.remove(&finding.key);
                continue;
            }
            let at = &finding.facts.binlog;
            let fresh = || UnmovedCoordinates { at: at.clone(), since: now, confirmed: now };
            let entry = self.entries.entry(finding.key.clone()).or_insert_with(fresh);
            if entry.at != *at {
                *entry = fresh();
            }
            entry.confirmed = now;
        }
        let kept = TimeDelta::seconds(KEPT_UNCONFIRMED);
        self.entries.retain(|_, entry| now.signed_duration_since(entry.confirmed) <= kept);
    }

    /// The source has stood at this position for more than so many seconds.
    pub(super) fn is_stale(&self, key: &InstanceKey, at: &BinlogCoordinates, seconds: u64, now: DateTime<Utc>) -> bool {
        let limit = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
        let entry = self.entries.get(key).filter(|entry| entry.at == *at);
        entry.is_some_and(|entry| now.signed_duration_since(entry.since) > limit)
    }
}
