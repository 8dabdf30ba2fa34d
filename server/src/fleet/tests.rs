use app::topology::{Downtime, Replication};
use chrono::TimeDelta;

use super::*;

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
}

fn server(name: &str, source: Option<&str>) -> Instance {
    let replication = Replication {
        source: source.map(key).unwrap_or_default(),
        auto_position: source.is_some(),
        ..Replication::default()
    };
    Instance { key: key(name), version: "9.7.0".into(), replication, region: "eu".into(), ..Instance::default() }
}

fn seen(fleet: &Fleet, instance: Instance, seconds: i64) -> Observed {
    let probed = instance.key.clone();
    let outcome = Outcome::Seen(Box::new(instance));
    fleet.observe(Observation { probed, started: at(seconds), ended: at(seconds), outcome })
}

fn failed(fleet: &Fleet, name: &str, seconds: i64) -> Observed {
    let outcome = Outcome::Failed { error: "refused".into() };
    fleet.observe(Observation { probed: key(name), started: at(seconds), ended: at(seconds), outcome })
}

fn fleet() -> Fleet {
    Fleet::new(Arc::new(EventBus::default()))
}

#[test]
fn a_replica_gets_the_name_of_its_source_in_whatever_order_they_are_seen() {
    let fleet = fleet();
    seen(&fleet, server("db2", Some("db1")), 1);
    seen(&fleet, server("db1", None), 2);
    let replica = fleet.get(&key("db2")).expect("known");
    assert_eq!((replica.cluster_name.as_str(), replica.depth), ("db1:3306", 1));
}

#[test]
fn a_failed_probe_keeps_everything_but_the_check() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    assert_eq!(failed(&fleet, "db1", 2), Observed::Changed);
    let known = fleet.get(&key("db1")).expect("known");
    assert!(!known.check.is_valid());
    assert_eq!((known.region.as_str(), known.check.error.as_str()), ("eu", "refused"));
    assert_eq!(known.check.last_seen, Some(at(1)));
    assert_eq!(failed(&fleet, "db1", 3), Observed::Same, "dead still: nothing new to tell");
    assert_eq!(failed(&fleet, "stranger", 3), Observed::Ignored, "nobody knows it, so nobody misses it");
}

#[test]
fn a_failure_within_the_instant_of_a_success_counts() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    failed(&fleet, "db1", 1);
    assert!(!fleet.get(&key("db1")).expect("known").check.is_valid());
}

#[test]
fn a_slower_probe_that_began_earlier_does_not_turn_the_picture_back() {
    let fleet = fleet();
    seen(&fleet, Instance { read_only: true, ..server("db1", None) }, 5);
    assert_eq!(seen(&fleet, server("db1", None), 4), Observed::Ignored);
    assert!(fleet.get(&key("db1")).expect("known").read_only);
    assert_eq!(failed(&fleet, "db1", 4), Observed::Ignored);
    assert!(fleet.get(&key("db1")).expect("known").check.is_valid());
}

#[test]
fn counters_are_no_news_but_a_stopped_receiver_is() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let mut busy = server("db1", None);
    busy.executed_gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9".into();
    busy.uptime = 77;
    assert_eq!(seen(&fleet, busy, 2), Observed::Same);
    assert_eq!(seen(&fleet, Instance { read_only: true, ..server("db1", None) }, 3), Observed::Changed);
}

#[test]
fn a_server_that_tells_another_name_is_not_counted_twice() {
    let fleet = fleet();
    seen(&fleet, server("alias", None), 1);
    let outcome = Outcome::Seen(Box::new(server("real", None)));
    fleet.observe(Observation { probed: key("alias"), started: at(2), ended: at(2), outcome });
    assert_eq!(fleet.keys(), [key("real")]);
    assert_eq!(fleet.take_unwritten().forgotten, [key("alias")]);
}

#[test]
fn a_forgotten_server_stays_out_until_its_time_or_until_asked_for() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let until = Utc::now() + TimeDelta::minutes(1);
    assert!(fleet.forget(&key("db1"), until));
    assert!(!fleet.forget(&key("db1"), until), "gone already");
    assert!(fleet.is_barred(&key("db1")));
    assert_eq!(seen(&fleet, server("db1", None), 2), Observed::Ignored);
    fleet.unbar(&key("db1"));
    assert_eq!(seen(&fleet, server("db1", None), 3), Observed::New);
}

#[test]
fn what_could_not_be_written_is_taken_again_as_it_is_then() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let first = fleet.take_unwritten();
    assert_eq!(first.changed.len(), 1);
    assert_eq!(fleet.count_unwritten(), 0);
    fleet.unwritten_again(&first);
    seen(&fleet, Instance { uptime: 9, ..server("db1", None) }, 2);
    let second = fleet.take_unwritten();
    assert_eq!(second.changed.iter().map(|i| i.uptime).collect::<Vec<_>>(), [9]);
}

#[test]
fn a_snapshot_does_not_change_behind_the_back_of_who_holds_it() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let before = fleet.snapshot();
    seen(&fleet, Instance { read_only: true, ..server("db1", None) }, 2);
    let downtime = Downtime { owner: "dba".into(), reason: "work".into(), begin: at(1), end: at(9) };
    fleet.annotate(&key("db1"), |a| drop(a.downtime.insert(key("db1"), downtime)));
    assert!(!before.get(&key("db1")).expect("known").read_only);
    assert!(before.annotations.downtime.is_empty());
    let after = fleet.snapshot();
    assert!(after.get(&key("db1")).expect("known").read_only);
    assert!(after.annotations.active_downtime(&key("db1"), at(5)).is_some());
}

#[test]
fn errant_transactions_follow_each_observation() {
    let fleet = fleet();
    let own = "11111111-1111-1111-1111-111111111111";
    let gtid = |mut i: Instance, uuid: &str, set: &str| {
        i.gtid_mode = "ON".into();
        i.server_uuid = uuid.into();
        i.executed_gtid = set.into();
        i
    };
    let source = "22222222-2222-2222-2222-222222222222";
    seen(&fleet, gtid(server("db1", None), source, &format!("{source}:1-10")), 1);
    let replica = || Instance {
        replication: Replication { source_uuid: source.into(), ..server("db2", Some("db1")).replication },
        ..server("db2", Some("db1"))
    };
    seen(&fleet, gtid(replica(), own, &format!("{source}:1-9")), 2);
    assert_eq!(fleet.get(&key("db2")).expect("known").errant_gtid, "");
    seen(&fleet, gtid(replica(), own, &format!("{source}:1-9,{own}:1")), 3);
    assert_eq!(fleet.get(&key("db2")).expect("known").errant_gtid, format!("{own}:1"));
}

#[test]
fn a_probe_that_was_cut_short_brings_its_news_but_no_good_check() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let partly = |name: &str, seconds: i64| {
        let known = Box::new(Instance { read_only: true, ..server(name, None) });
        let outcome = Outcome::Partial { known, error: "lost".into() };
        fleet.observe(Observation { probed: key(name), started: at(seconds), ended: at(seconds), outcome })
    };
    assert_eq!(partly("db1", 2), Observed::Changed);
    let known = fleet.get(&key("db1")).expect("known");
    assert!(known.read_only && !known.check.is_valid() && known.check.partial_success);
    assert_eq!(known.check.last_seen, Some(at(1)), "seen whole for the last time");
    assert_eq!(partly("db2", 3), Observed::New, "it is there, though it was never seen whole");
    assert!(!fleet.get(&key("db2")).expect("known").check.is_valid());
}

#[test]
fn what_another_process_recorded_is_taken_unless_ours_is_newer() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    let downtime = Downtime { owner: "cron".into(), reason: "backup".into(), begin: at(1), end: at(99) };
    let mut recorded = Annotations::default();
    recorded.downtime.insert(key("db1"), downtime);

    let before = fleet.annotations();
    assert!(!fleet.adopt(&before, Annotations::default()), "nothing new");
    fleet.annotate(&key("db1"), |a| drop(a.cluster_aliases.insert("db1:3306".into(), "orders".into())));
    assert!(!fleet.adopt(&before, recorded.clone()), "ours changed meanwhile");
    assert!(fleet.adopt(&fleet.annotations(), recorded));
    assert!(fleet.snapshot().annotations.active_downtime(&key("db1"), at(5)).is_some());
}

#[test]
fn servers_of_clusters_into_which_entries_are_injected_have_pseudo_gtid() {
    let fleet = fleet();
    seen(&fleet, server("db1", None), 1);
    seen(&fleet, server("db2", Some("db1")), 1);
    seen(&fleet, server("other", None), 1);
    let marked = |fleet: &Fleet| {
        let snapshot = fleet.snapshot();
        snapshot.instances.values().filter(|i| i.uses_pseudo_gtid).map(|i| i.key.hostname.clone()).collect::<Vec<_>>()
    };
    fleet.set_injected(Some(["db1:3306".to_owned()].into()));
    assert_eq!(marked(&fleet), ["db1", "db2"]);
    seen(&fleet, server("db2", Some("db1")), 2);
    assert_eq!(marked(&fleet), ["db1", "db2"], "the next look does not undo it");
    fleet.set_injected(None);
    let told = Instance { uses_pseudo_gtid: true, ..server("other", None) };
    seen(&fleet, told, 3);
    assert_eq!(marked(&fleet), ["db1", "db2", "other"], "now servers tell themselves");
    fleet.set_injected(Some(BTreeSet::new()));
    assert_eq!(marked(&fleet), [] as [String; 0]);
}
