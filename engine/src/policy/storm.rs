//! Storm control: how many recoveries may begin by themselves in a while, and when so much fails at once that a person
//! has to look first.
//!
//! A recovery that somebody acknowledged is looked into and counts no more: that is how people give way to the next ones. So
//! false alarms that changed nothing, and what people asked for, never count.

use std::collections::BTreeSet;

use app::finding::Finding;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Hold, Policy, Recent, Situation, recovery_for, same_cluster};

/// Clusters whose recovery began within this time belong to the same storm as those that fail now.
const SAME_STORM: TimeDelta = TimeDelta::minutes(1);

/// How many recoveries may begin by themselves within how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many; 0 is any number.
    pub count: usize,
    /// Within this time.
    pub within: TimeDelta,
}

impl Budget {
    /// Any number.
    pub const UNLIMITED: Self = Self { count: 0, within: TimeDelta::zero() };

    /// When the next one may begin, if not now. `begun` are those that count.
    fn spent_until<'a>(self, begun: impl Iterator<Item = &'a Recent>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.count == 0 {
            return None;
        }
        let within =
            |started: DateTime<Utc>| started.checked_add_signed(self.within).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut until: Vec<DateTime<Utc>> = begun.map(|r| within(r.started)).filter(|until| *until > now).collect();
        until.sort_unstable_by(|a, b| b.cmp(a));
        // Of the newest `count`, the oldest has to run out first.
        until.get(self.count - 1).copied()
    }
}

/// What storm control has against a recovery, if anything.
pub(super) fn storm(finding: &Finding, policy: &Policy, situation: &Situation<'_>) -> Option<Hold> {
    let counted = || situation.recent.iter().filter(|r| counts(r));
    let clusters = situation.clusters_failing;
    if policy.storm_clusters > 0 && clusters > policy.storm_clusters {
        return Some(Hold::ManyClusters { clusters, limit: policy.storm_clusters });
    }
    if let Some(until) = policy.budget.spent_until(counted(), situation.now) {
        return Some(Hold::Budget { data_center: None, count: policy.budget.count, until });
    }
    let data_center = &finding.facts.data_center;
    if data_center.is_empty() {
        return None;
    }
    let there = counted().filter(|r| r.data_center == *data_center);
    let until = policy.data_center_budget.spent_until(there, situation.now)?;
    Some(Hold::Budget { data_center: Some(data_center.clone()), count: policy.data_center_budget.count, until })
}

/// It began by itself, nobody has looked into it, and a server was to be replaced.
fn counts(recent: &Recent) -> bool {
    recent.automatic && !recent.acknowledged && !recent.kind.repairs_source()
}

/// How many clusters fail at once: those with a finding whose server is to be replaced and that is `wanted` (opted in, say), and
/// those whose recovery began by itself a moment ago.
pub fn clusters_failing<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    recent: &[Recent],
    now: DateTime<Utc>,
    wanted: impl Fn(&Finding) -> bool,
) -> usize {
    let calls = |f: &&Finding| {
        recovery_for(f.code).is_some_and(|kind| !kind.repairs_source()) && !f.is_skippable() && wanted(f)
    };
    let failing: Vec<&Finding> = findings.into_iter().filter(calls).collect();
    let names: BTreeSet<&str> = failing.iter().map(|f| f.cluster.as_str()).collect();
    let of_this_storm = |r: &&Recent| {
        let young = now.signed_duration_since(r.started) < SAME_STORM;
        counts(r) && young && !failing.iter().any(|f| same_cluster(r, f))
    };
    let begun: BTreeSet<&str> = recent.iter().filter(of_this_storm).map(|r| r.cluster.as_str()).collect();
    names.len() + begun.len()
}

#[cfg(test)]
mod tests {
    use app::InstanceKey;
    use app::finding::AnalysisCode;

    use super::super::tests::{at, finding, policy, recent, situation};
    use super::*;
    use crate::policy::decide;

    fn began(cluster: &str, started: i64, data_center: &str) -> Recent {
        Recent {
            uid: format!("{started}:{cluster}"),
            cluster: cluster.to_owned(),
            cluster_alias: String::new(),
            failed: InstanceKey::new(cluster, 3306),
            successor: None,
            data_center: data_center.to_owned(),
            ..recent(started)
        }
    }

    fn limited(count: usize, seconds: i64) -> Budget {
        Budget { count, within: TimeDelta::seconds(seconds) }
    }

    #[test]
    fn a_spent_budget_says_until_when() {
        let policy = Policy { budget: limited(2, 600), ..policy() };
        let begun = [began("a", 9_500, ""), began("b", 9_600, ""), began("c", 9_700, ""), began("old", 9_000, "")];
        let hold = decide(&finding(), &policy, &situation(&begun)).expect_err("the budget is spent");
        // The two newest are b and c; b has to run out.
        assert_eq!(hold, Hold::Budget { data_center: None, count: 2, until: at(10_200) });
        assert!(hold.reason().contains("RecoveryBudgetCount"), "{}", hold.reason());
        assert!(decide(&finding(), &policy, &situation(&begun[..1])).is_ok());
        let later = Situation { now: at(10_200), ..situation(&begun) };
        assert!(decide(&finding(), &policy, &later).is_ok());
    }

    #[test]
    fn what_is_acknowledged_or_was_asked_for_spends_nothing() {
        let policy = Policy { budget: limited(1, 600), ..policy() };
        let acknowledged = [Recent { acknowledged: true, ..began("a", 9_900, "") }];
        assert!(decide(&finding(), &policy, &situation(&acknowledged)).is_ok());
        let asked_for = [Recent { automatic: false, ..began("a", 9_900, "") }];
        assert!(decide(&finding(), &policy, &situation(&asked_for)).is_ok());
        let at_work = [Recent { running: true, ..began("a", 9_900, "") }];
        assert!(matches!(decide(&finding(), &policy, &situation(&at_work)), Err(Hold::Budget { .. })));
    }

    #[test]
    fn a_data_centre_has_a_budget_of_its_own() {
        let policy = Policy { data_center_budget: limited(1, 600), ..policy() };
        let begun = [began("a", 9_900, "north")];
        let mut here = finding();
        here.facts.data_center = "north".to_owned();
        let hold = decide(&here, &policy, &situation(&begun)).expect_err("spent in the north");
        assert_eq!(hold, Hold::Budget { data_center: Some("north".into()), count: 1, until: at(10_500) });
        assert!(hold.reason().contains("north"), "{}", hold.reason());
        here.facts.data_center = "south".to_owned();
        assert!(decide(&here, &policy, &situation(&begun)).is_ok());
        here.facts.data_center.clear();
        assert!(decide(&here, &policy, &situation(&begun)).is_ok(), "nobody knows where it is");
    }

    #[test]
    fn many_clusters_at_once_ask_for_a_person_who_is_obeyed() {
        let policy = Policy { storm_clusters: 3, ..policy() };
        let three = Situation { clusters_failing: 3, ..situation(&[]) };
        assert!(decide(&finding(), &policy, &three).is_ok());
        let four = Situation { clusters_failing: 4, ..situation(&[]) };
        let hold = decide(&finding(), &policy, &four).expect_err("a storm");
        assert_eq!(hold, Hold::ManyClusters { clusters: 4, limit: 3 });
        assert!(hold.reason().contains("RecoveryStormClusters"), "{}", hold.reason());
        assert!(decide(&finding(), &policy, &Situation { forced: true, ..four }).is_ok());
        let four = Situation { clusters_failing: 4, ..situation(&[]) };
        assert!(decide(&finding(), &Policy { storm_clusters: 0, ..policy }, &four).is_ok());
    }

    #[test]
    fn failing_clusters_are_counted_once_each() {
        let of = |cluster: &str| Finding { cluster: cluster.into(), cluster_alias: cluster.into(), ..finding() };
        let mut skipped = of("skipped");
        skipped.downtime_end = Some(at(20_000));
        let quiet = Finding { code: AnalysisCode::UnreachableSource, ..of("quiet") };
        let findings = [of("a"), of("a"), of("b"), of("unwanted"), skipped, quiet];
        let wanted = |f: &Finding| f.cluster != "unwanted";
        assert_eq!(clusters_failing(&findings, &[], at(10_000), wanted), 2);
        // c began a moment ago, a fails still, d is long ago, e was asked for.
        let begun = [
            began("c", 9_990, ""),
            began("a", 9_995, ""),
            began("d", 9_900, ""),
            Recent { automatic: false, ..began("e", 9_990, "") },
        ];
        assert_eq!(clusters_failing(&findings, &begun, at(10_000), wanted), 3);
    }
}
