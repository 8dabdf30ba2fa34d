//! What would happen if a source died now, as a table: a topology, what the situation is, and what is answered.
#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding, Testimony};
use app::readiness::{Forecast, Protection, Readiness, SourcePlace, Verdict};
use app::recovery::RecoveryKind;
use chrono::{DateTime, TimeDelta, Utc};
use engine::analysis::AnalysisSettings;
use engine::policy::{Policy, Recent, Repairs, Situation};
use engine::readiness::{Scene, readiness};
use engine::recovery::RecoverySettings;
use rstest::rstest;
use support::{at, key, now, topology};

/// A cluster, and how the world stands to it. By itself nothing holds a recovery back.
struct Stage {
    servers: Vec<&'static str>,
    analysis: AnalysisSettings,
    recovery: RecoverySettings,
    policy: Policy,
    recent: Vec<Recent>,
    source_opt_in: bool,
    intermediate_opt_in: bool,
    recoveries_enabled: bool,
    is_leader: bool,
    since: BTreeMap<InstanceKey, DateTime<Utc>>,
}

impl Stage {
    fn of(servers: &[&'static str]) -> Self {
        Self {
            servers: servers.to_vec(),
            analysis: AnalysisSettings::default(),
            recovery: RecoverySettings::default(),
            policy: Policy { block_period: TimeDelta::seconds(3600), ..Policy::default() },
            recent: vec![],
            source_opt_in: true,
            intermediate_opt_in: true,
            recoveries_enabled: true,
            is_leader: true,
            since: BTreeMap::new(),
        }
    }

    fn readiness(&self) -> Readiness {
        let snapshot = topology(&self.servers);
        let situation = |_: &Finding, since| Situation {
            now: now(),
            since,
            is_leader: self.is_leader,
            recoveries_enabled: self.recoveries_enabled,
            source_opt_in: self.source_opt_in,
            intermediate_opt_in: self.intermediate_opt_in,
            repairs: Repairs::default(),
            recent: &self.recent,
            grace: None,
            clusters_failing: 1,
            forced: false,
        };
        readiness(&Scene {
            snapshot: &snapshot,
            cluster: "s:3306",
            alias: "orders",
            analysis: &self.analysis,
            recovery: &self.recovery,
            policy: &self.policy,
            situation: &situation,
            since: &self.since,
            now: now(),
        })
    }

    /// The forecast about a server, by host name.
    fn forecast(&self, name: &str) -> Forecast {
        let found = self.readiness().forecasts.into_iter().find(|f| f.server == key(name));
        found.unwrap_or_else(|| panic!("no forecast about {name}"))
    }

    fn rules(&self, name: &str) -> Vec<String> {
        self.forecast(name).obstacles.into_iter().map(|o| o.rule).collect()
    }
}

const HEALTHY: &[&str] = &["s has=10 dc=ams", "a < s has=10 dc=ams", "b < s has=10 dc=fra", "c < a has=10 dc=ams"];

fn recent(uid: &str, running: bool) -> Recent {
    Recent {
        uid: uid.into(),
        kind: RecoveryKind::Source,
        automatic: true,
        data_center: String::new(),
        cluster: "s:3306".into(),
        cluster_alias: String::new(),
        failed: key("z"),
        successor: Some(key("s")),
        running,
        started: at(50),
        acknowledged: false,
    }
}

#[test]
fn a_healthy_cluster_tells_who_would_take_over_from_each_source() {
    let readiness = Stage::of(HEALTHY).readiness();
    let told: Vec<_> = readiness.forecasts.iter().map(|f| (f.server.hostname.as_str(), f.place)).collect();
    assert_eq!(told, [("s", SourcePlace::Primary), ("a", SourcePlace::Intermediate)], "leaves feed nobody");
    let primary = &readiness.forecasts[0];
    assert_eq!((primary.code, primary.verdict, primary.dead), (AnalysisCode::DeadSource, Verdict::Automatic, false));
    assert_eq!(primary.successor, Some(key("a")), "same data centre as the source");
    assert_eq!(primary.obstacles, []);
    let rules: Vec<_> = primary.considered.iter().map(|c| (c.key.hostname.as_str(), c.rule.as_str())).collect();
    assert_eq!(rules, [("a", "best"), ("b", "ranked-by-data-center")]);
    assert!(primary.summary.contains("a:3306 would be promoted, by itself and at once"), "{}", primary.summary);
    let serving = primary.evidence.iter().filter(|e| e.says == Testimony::Serves).count();
    assert_eq!(serving, 3, "our probe and two replicas see it: {:?}", primary.evidence);
    assert!(primary.evidence.iter().skip(1).all(|e| e.receiver.is_some()));
    let intermediate = &readiness.forecasts[1];
    assert_eq!(intermediate.code, AnalysisCode::DeadIntermediateSourceWithSingleReplicaFailingToConnect);
    assert_eq!((intermediate.verdict, &intermediate.loss), (Verdict::Automatic, &None));
    assert_eq!(intermediate.successor, Some(key("b")), "a sibling before the dead server's source");
    assert_eq!(readiness.problems, []);
}

#[test]
fn all_that_stands_in_the_way_is_told_in_the_order_in_which_it_is_met() {
    let mut stage = Stage::of(&["s has=10 downtime", "a < s has=10"]);
    stage.source_opt_in = false;
    stage.recoveries_enabled = false;
    stage.is_leader = false;
    stage.policy.hold_off_until = at(120);
    stage.policy.grace = TimeDelta::seconds(15);
    stage.recent = vec![recent("1:aa", true), recent("2:bb", false)];
    let forecast = stage.forecast("s");
    let rules: Vec<&str> = forecast.obstacles.iter().map(|o| o.rule.as_str()).collect();
    assert_eq!(
        rules,
        ["in-progress", "downtime", "not-opted-in", "switched-off", "not-leader", "just-started", "blocked", "grace"]
    );
    assert_eq!(forecast.verdict, Verdict::Held);
    assert_eq!(forecast.successor, Some(key("a")), "who it would be is told all the same");
    let by_rule = |rule: &str| forecast.obstacles.iter().find(|o| o.rule == rule).expect(rule);
    assert_eq!(by_rule("not-opted-in").setting.as_deref(), Some("RecoverMasterClusterFilters"));
    assert_eq!(by_rule("in-progress").recovery.as_deref(), Some("1:aa"));
    assert_eq!(by_rule("blocked").recovery.as_deref(), Some("2:bb"));
    assert_eq!(by_rule("blocked").until, Some(at(50) + TimeDelta::seconds(3600)));
    assert_eq!((by_rule("just-started").until, by_rule("grace").until), (Some(at(120)), Some(at(115))));
    assert!(forecast.summary.contains("not by itself: recovery 1:aa"), "{}", forecast.summary);
}

#[test]
fn a_grace_time_alone_does_not_hold_a_recovery_back() {
    let mut stage = Stage::of(HEALTHY);
    stage.policy.grace = TimeDelta::seconds(15);
    assert_eq!(stage.forecast("s").verdict, Verdict::Automatic);
    assert_eq!(stage.rules("s"), ["grace"]);
}

#[test]
fn each_kind_of_source_has_its_own_filter() {
    let mut stage = Stage::of(HEALTHY);
    stage.intermediate_opt_in = false;
    assert_eq!(stage.forecast("s").verdict, Verdict::Automatic);
    let intermediate = stage.forecast("a");
    assert_eq!(intermediate.verdict, Verdict::Held);
    assert_eq!(intermediate.obstacles[0].setting.as_deref(), Some("RecoverIntermediateMasterClusterFilters"));
}

#[rstest]
#[case::nobody_may(&["s has=10", "a < s has=10 must_not"], Verdict::Refused, "no-candidate")]
#[case::no_replicas(&["s has=10"], Verdict::Unsupported, "not-actionable")]
#[case::no_replica_reachable(&["s has=10", "a < s has=10 down"], Verdict::Unsupported, "not-actionable")]
#[case::held(&["s has=10 maintenance", "a < s has=10"], Verdict::Unsupported, "maintenance")]
#[case::a_replica_stopped_with_writes_missing(&["s has=10", "a < s has=8 io=no"], Verdict::Refused, "data-at-risk")]
fn what_no_recovery_can_do_is_said_with_the_rule(
    #[case] servers: &[&'static str],
    #[case] verdict: Verdict,
    #[case] rule: &str,
) {
    let stage = Stage::of(servers);
    let forecast = stage.forecast("s");
    assert_eq!(forecast.verdict, verdict, "{forecast:?}");
    assert_eq!(stage.rules("s").last().map(String::as_str), Some(rule), "{forecast:?}");
    assert!(!forecast.summary.is_empty());
}

#[test]
fn without_gtid_a_source_can_be_replaced_by_who_is_furthest_in_its_log() {
    let forecast = Stage::of(&["s has=10", "a < s position", "b < s position"]).forecast("s");
    assert_eq!(forecast.verdict, Verdict::Automatic, "{forecast:?}");
}

#[rstest]
#[case::asynchronous(&["s has=10", "a < s has=10"], Protection::Asynchronous, "")]
#[case::safe(&["s has=10 semisync=1/1", "a < s has=10 acks"], Protection::SemiSync, "")]
#[case::fallen(&["s has=10 semisync=0/1 fallen", "a < s has=10 acks"], Protection::FellBack, "")]
#[case::gone(&["s has=10 semisync=0/1", "a < s has=10 acks down", "b < s has=10"], Protection::AcknowledgersGone, "everything after")]
#[case::never_read(&["s never", "a < s has=10"], Protection::Unknown, "")]
fn how_acknowledged_writes_are_protected_is_told(
    #[case] servers: &[&'static str],
    #[case] protection: Protection,
    #[case] at_risk: &str,
) {
    let loss = Stage::of(servers).forecast("s").loss.expect("of a primary");
    assert_eq!(loss.protection, protection, "{loss:?}");
    assert!(loss.at_risk.starts_with(at_risk) && loss.at_risk.is_empty() == at_risk.is_empty(), "{loss:?}");
    assert!(!loss.told.is_empty());
}

#[test]
fn what_has_not_arrived_yet_is_counted_and_is_no_refusal_while_the_source_sends() {
    let forecast = Stage::of(&["s has=12", "a < s has=8 got=10", "b < s has=9"]).forecast("s");
    let loss = forecast.loss.expect("of a primary");
    assert_eq!((loss.transactions, loss.on_the_way, loss.pending), (2, true, 2));
    assert_eq!(loss.at_risk, "00000000-0000-0000-0000-000000000001:11-12");
    assert_eq!((forecast.verdict, forecast.successor), (Verdict::Automatic, Some(key("a"))));
}

#[test]
fn a_source_that_is_dead_is_no_forecast() {
    let mut stage = Stage::of(&["s has=10 down", "a < s has=10 lost", "b < s has=10 lost must_not"]);
    stage.recoveries_enabled = false;
    stage.policy.grace = TimeDelta::seconds(30);
    stage.since.insert(key("s"), at(90));
    let readiness = stage.readiness();
    let forecast = &readiness.forecasts[0];
    assert!(forecast.dead, "{forecast:?}");
    assert_eq!((forecast.verdict, &forecast.successor), (Verdict::Held, &Some(key("a"))));
    let problem = readiness.problems.iter().find(|p| p.finding.key == key("s")).expect("found dead");
    assert_eq!(problem.since, Some(at(90)));
    let rules: Vec<_> = problem.held.iter().map(|o| (o.rule.as_str(), o.until)).collect();
    assert_eq!(rules, [("switched-off", None), ("grace", Some(at(120)))]);
    let seen = problem.finding.evidence.iter().find(|e| e.told_by == key("a")).expect("the replica tells it");
    assert_eq!((seen.says, seen.receiver.as_ref().map(|r| r.errno)), (Testimony::Gone, Some(2003)));
}

#[test]
fn an_unreachable_source_that_serves_is_held_by_nothing_but_the_evidence() {
    let readiness = Stage::of(&["s has=10 down", "a < s has=10", "b < s has=10"]).readiness();
    let problem = &readiness.problems[0];
    assert_eq!((problem.finding.code, problem.held.len()), (AnalysisCode::UnreachableSource, 0));
    let forecast = &readiness.forecasts[0];
    assert_eq!((forecast.dead, forecast.verdict), (false, Verdict::Automatic), "if its replicas lost it too");
}

#[test]
fn a_server_whose_findings_are_dropped_is_held_by_that_filter() {
    let mut stage = Stage::of(HEALTHY);
    stage.analysis.ignore_hostnames = vec![regex::Regex::new("^s$").expect("a pattern")];
    let forecast = stage.forecast("s");
    assert_eq!(forecast.verdict, Verdict::Held);
    assert_eq!(forecast.obstacles[0].setting.as_deref(), Some("RecoveryIgnoreHostnameFilters"));
}

#[test]
fn a_replica_that_hangs_counts_as_unreachable() {
    let forecast = Stage::of(&["s has=10", "a < s has=10 hang", "b < s has=10"]).forecast("s");
    assert_eq!((forecast.code, forecast.successor), (AnalysisCode::DeadSourceAndSomeReplicas, Some(key("b"))));
    assert_eq!(forecast.considered.last().map(|c| c.rule.as_str()), Some("unreachable"));
}

#[test]
fn only_this_cluster_is_told_of() {
    let readiness = Stage::of(&["s has=10", "a < s has=10", "x", "y < x"]).readiness();
    assert_eq!(readiness.forecasts.len(), 1);
}
