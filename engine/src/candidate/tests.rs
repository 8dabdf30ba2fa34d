//! Who is chosen, as a table of small clusters.

use app::InstanceKey;
use app::topology::{Instance, PromotionRule, Replication, SemiSync};

use super::*;

const SOURCE: &str = "aaaaaaaa-0000-0000-0000-000000000000";

fn set(upto: u64) -> String {
    if upto == 0 { String::new() } else { format!("{SOURCE}:1-{upto}") }
}

fn source(executed: u64) -> Instance {
    Instance {
        key: InstanceKey::new("db0", 3306),
        server_id: 100,
        server_uuid: SOURCE.into(),
        version: "9.7.0".into(),
        gtid_mode: "ON".into(),
        log_bin: true,
        executed_gtid: set(executed),
        data_center: "ams".into(),
        region: "eu".into(),
        environment: "prod".into(),
        ..Default::default()
    }
}

/// A replica that has executed and received so much.
fn replica(n: u64, executed: u64, received: u64) -> Instance {
    Instance {
        key: InstanceKey::new(format!("db{n}"), 3306),
        server_id: n,
        server_uuid: format!("aaaaaaaa-0000-0000-0000-{n:012}"),
        log_replica_updates: true,
        binlog_format: "ROW".into(),
        executed_gtid: set(executed),
        replication: Replication {
            source: InstanceKey::new("db0", 3306),
            source_uuid: SOURCE.into(),
            auto_position: true,
            retrieved_gtid: set(received),
            ..Default::default()
        },
        ..source(0)
    }
}

struct Case {
    source: Instance,
    servers: Vec<(Instance, PromotionRule, Option<&'static str>)>,
    settings: ChoiceSettings,
    drained: bool,
}

impl Case {
    fn of(servers: Vec<Instance>) -> Self {
        let servers = servers.into_iter().map(|s| (s, PromotionRule::Neutral, None)).collect();
        Self { source: source(5), servers, settings: ChoiceSettings::default(), drained: true }
    }

    fn choose(&self) -> Choice {
        let contenders = self.servers.iter().map(|(server, rule, out)| Contender {
            server,
            rule: *rule,
            lag: server.lag,
            out: out.map(str::to_owned),
            frozen: false,
            banned: None,
        });
        choose(&Contest {
            source: Some(&self.source),
            contenders: contenders.collect(),
            settings: &self.settings,
            designated: None,
            drained: self.drained,
            source_alive: false,
            by_place: false,
        })
    }

    fn reason(&self, n: u64) -> String {
        let key = InstanceKey::new(format!("db{n}"), 3306);
        self.choose().considered.into_iter().find(|c| c.key == key).expect("considered").reason
    }
}

fn name(key: Option<InstanceKey>) -> String {
    key.map(|k| k.hostname).unwrap_or_default()
}

#[test]
fn the_one_with_everything_is_chosen_and_everybody_has_a_reason() {
    let case = Case::of(vec![replica(1, 8, 8), replica(2, 10, 10), replica(3, 9, 9)]);
    let choice = case.choose();
    assert_eq!(name(choice.chosen.clone()), "db2");
    assert_eq!(choice.catch_up_from, None);
    assert_eq!(choice.considered.len(), 3);
    assert!(choice.considered.iter().all(|c| !c.reason.is_empty()), "{choice:?}");
    assert!(case.reason(1).contains("catch up"), "{}", case.reason(1));
}

#[test]
fn a_preferred_one_that_lacks_something_gets_it_first() {
    let mut case = Case::of(vec![replica(1, 8, 8), replica(2, 10, 10)]);
    case.servers[0].1 = PromotionRule::Prefer;
    let choice = case.choose();
    assert_eq!((name(choice.chosen), name(choice.catch_up_from)), ("db1".into(), "db2".into()));
}

#[test]
fn before_draining_what_is_received_counts_as_executed() {
    let mut case = Case::of(vec![replica(1, 8, 8), replica(2, 3, 10)]);
    case.drained = false;
    assert_eq!(name(case.choose().chosen), "db2");
    case.drained = true;
    let choice = case.choose();
    assert_eq!(choice.chosen, None, "{choice:?}");
    assert!(choice.at_risk.contains("9-10"), "{choice:?}");
}

#[test]
fn nobody_is_repointed_whose_relay_log_would_be_thrown_away() {
    let mut case = Case::of(vec![replica(1, 3, 5), replica(2, 10, 10)]);
    case.servers[0].1 = PromotionRule::Prefer;
    assert_eq!(name(case.choose().chosen), "db2");
    assert!(case.reason(1).contains("not applied"), "{}", case.reason(1));
}

#[test]
fn each_veto_says_what_it_is() {
    type Change = fn(&mut Case);
    let vetoes: [(Change, &str, &str); 10] = [
        (|c| c.servers[0].0.log_bin = false, "no-binary-log", "binary log"),
        (|c| c.servers[0].0.log_replica_updates = false, "no-log-replica-updates", "log_replica_updates"),
        (|c| c.servers[0].1 = PromotionRule::MustNot, "must-not", "must_not"),
        (|c| c.servers[0].2 = Some("it cannot be reached: refused"), "unreachable", "cannot be reached"),
        (|c| c.settings.ignore_hosts = vec!["db1".into()], "promotion-ignored", "PromotionIgnoreHostnameFilters"),
        (|c| c.servers[0].0.replication.auto_position = false, "no-gtid", "file and position"),
        (|c| c.servers[0].0.replication.has_filters = true, "replication-filters", "filters"),
        (
            |c| {
                c.settings.prevent_cross_data_center = true;
                c.servers[0].0.data_center = "fra".into();
            },
            "other-data-center",
            "PreventCrossDataCenterMasterFailover",
        ),
        (
            |c| {
                c.settings.prevent_cross_region = true;
                c.servers[0].0.region = "us".into();
            },
            "other-region",
            "PreventCrossRegionMasterFailover",
        ),
        (
            |c| {
                c.settings.fail_on_lag_seconds = 60;
                c.servers[0].0.lag = Some(61);
            },
            "lag",
            "FailMasterPromotionOnLagMinutes",
        ),
    ];
    for (change, rule, expected) in vetoes {
        let mut case = Case::of(vec![replica(1, 5, 5)]);
        assert_eq!(name(case.choose().chosen), "db1");
        change(&mut case);
        let choice = case.choose();
        assert_eq!(choice.chosen, None, "{expected}");
        assert!(case.reason(1).contains(expected), "{expected}: {}", case.reason(1));
        assert_eq!(choice.considered[0].rule, rule);
    }
}

#[test]
fn a_source_whose_place_is_unknown_vetoes_nobody() {
    let mut case = Case::of(vec![replica(1, 5, 5)]);
    case.settings.prevent_cross_region = true;
    case.source.region = String::new();
    assert_eq!(name(case.choose().chosen), "db1");
}

#[test]
fn the_order_is_rule_then_feeding_then_place() {
    let mut case = Case::of(vec![replica(1, 5, 5), replica(2, 5, 5), replica(3, 5, 5)]);
    case.servers[0].0.data_center = "fra".into();
    assert_eq!(name(case.choose().chosen), "db2");
    case.servers[1].1 = PromotionRule::PreferNot;
    assert_eq!(name(case.choose().chosen), "db3");
    case.servers[0].1 = PromotionRule::Prefer;
    assert_eq!(name(case.choose().chosen), "db1");
    // A server that most others could not follow comes last, preferred or not.
    case.servers[0].0.version = "10.0.0".into();
    assert_eq!(name(case.choose().chosen), "db3");
    assert!(case.reason(1).contains("could not follow it"), "{}", case.reason(1));
}

#[test]
fn writes_that_are_known_and_nowhere_are_refused_by_name_unless_accepted() {
    let mut case = Case::of(vec![replica(1, 8, 8), replica(2, 12, 12)]);
    case.servers[1].2 = Some("gone");
    let choice = case.choose();
    assert_eq!(choice.chosen, None);
    assert_eq!(choice.at_risk, format!("{SOURCE}:9-12"));
    case.settings.loss = LossPolicy::Always;
    assert_eq!(name(case.choose().chosen), "db1");
    // The source itself was seen further on.
    let mut case = Case::of(vec![replica(1, 8, 8)]);
    case.source.executed_gtid = set(9);
    assert_eq!(case.choose().at_risk, format!("{SOURCE}:9"));
}

#[test]
fn when_all_that_acknowledge_are_gone_their_last_acknowledgements_may_be_lost() {
    let acknowledges = |mut server: Instance| {
        server.semi_sync = SemiSync { replica_enabled: true, ..Default::default() };
        server
    };
    let mut case = Case::of(vec![acknowledges(replica(1, 8, 8)), replica(2, 8, 8)]);
    case.source.semi_sync = SemiSync { source_enabled: true, source_active: true, ..Default::default() };
    assert_eq!(name(case.choose().chosen), "db1");
    case.servers[0].2 = Some("gone");
    let choice = case.choose();
    assert_eq!(choice.chosen, None);
    assert!(choice.at_risk.starts_with("everything after"), "{choice:?}");
}

#[test]
fn as_many_as_a_write_needs_may_have_acknowledged_it_alone() {
    let acknowledges = |mut server: Instance| {
        server.semi_sync = SemiSync { replica_enabled: true, ..Default::default() };
        server
    };
    let mut case = Case::of(vec![acknowledges(replica(1, 8, 8)), acknowledges(replica(2, 8, 8))]);
    case.servers[1].2 = Some("gone");
    let waits = |wait_for, clients| SemiSync {
        source_enabled: true,
        source_active: true,
        source_wait_for: wait_for,
        source_clients: clients,
        ..Default::default()
    };
    case.source.semi_sync = waits(1, 2);
    let choice = case.choose();
    assert_eq!((choice.chosen, choice.at_risk.as_str()), (None, format!("everything after {}", set(8)).as_str()));
    assert!(choice.risk.starts_with("db2:3306 cannot be reached"), "{}", choice.risk);
    case.source.semi_sync = waits(2, 2);
    assert_eq!(name(case.choose().chosen), "db1", "every write is on both");
    case.source.semi_sync = waits(1, 1);
    assert_eq!(name(case.choose().chosen), "db1", "db2 was not connected");
}

#[test]
fn a_holder_that_cannot_give_puts_writes_at_risk() {
    let mut holder = replica(2, 10, 10);
    holder.log_replica_updates = false;
    let mut case = Case::of(vec![replica(1, 8, 8), holder]);
    let choice = case.choose();
    assert_eq!((choice.chosen, choice.at_risk), (None, format!("{SOURCE}:9-10")));
    case.settings.loss = LossPolicy::Always;
    assert_eq!(name(case.choose().chosen), "db1");
}

#[test]
fn purged_transactions_keep_a_replica_from_following() {
    let mut purged = replica(1, 10, 10);
    purged.purged_gtid = set(6);
    let mut behind = replica(2, 4, 4);
    assert!(can_follow(&behind, &purged, None, &ChoiceSettings::default()).is_err());
    behind.executed_gtid = set(6);
    assert_eq!(can_follow(&behind, &purged, None, &ChoiceSettings::default()), Ok(()));
}

#[test]
fn readiness_forecasts_on_the_picture_alone() {
    let snapshot =
        Snapshot::new([source(5), replica(1, 5, 5), replica(2, 4, 4)], Default::default(), Default::default());
    let considered = readiness(&snapshot, &InstanceKey::new("db0", 3306), &ChoiceSettings::default()).considered;
    assert_eq!(considered.len(), 2);
    assert!(considered.iter().all(|c| c.reason.contains("cannot be reached")), "never checked: {considered:?}");
}
