use app::InstanceKey;
use app::topology::{Annotations, Instance, Snapshot};
use chrono::{DateTime, Utc};
use rstest::rstest;

use super::*;
use crate::config::Config;

fn key(text: &str) -> InstanceKey {
    InstanceKey::parse(text, 3306).expect(text)
}

fn server(name: &str, cluster: &str, depth: u32) -> Instance {
    Instance { key: key(name), cluster_name: cluster.to_owned(), depth, ..Instance::default() }
}

fn snapshot(servers: Vec<Instance>, annotations: Annotations) -> Snapshot {
    Snapshot::new(servers, annotations, DateTime::<Utc>::UNIX_EPOCH)
}

fn fleet() -> Snapshot {
    let mut annotations = Annotations::default();
    annotations.cluster_aliases.insert("db1.example:3306".to_owned(), "orders".to_owned());
    let tags = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    annotations.tags.insert(key("db1.example"), tags(&[("role", "backup"), ("old", "")]));
    annotations.tags.insert(key("db10.example"), tags(&[("role", "online")]));
    snapshot(
        vec![
            server("db1.example", "db1.example:3306", 0),
            server("db10.example", "db1.example:3306", 1),
            server("db10.example:3307", "db10.example:3307", 0),
            server("10.0.0.111", "10.0.0.111:3306", 0),
        ],
        annotations,
    )
}

#[rstest]
#[case::exact_match_wins("db1.example", Reach::Contains, "db1.example:3306")]
#[case::part_of_a_name_for_reading("b10.ex", Reach::Contains, "db10.example:3306")]
#[case::part_of_a_name_not_for_changes("b10.ex", Reach::ShortName, "b10.ex:3306")]
#[case::short_name_for_changes("db1", Reach::ShortName, "db1.example:3306")]
#[case::short_name_ends_at_a_label("db", Reach::ShortName, "db:3306")]
#[case::several_leave_it_as_given("db1", Reach::Contains, "db1:3306")]
#[case::the_port_counts("b10:3307", Reach::Contains, "db10.example:3307")]
#[case::the_port_counts_too("b1:3308", Reach::Contains, "b1:3308")]
#[case::an_address_is_never_stretched("10.0.0.11", Reach::Contains, "10.0.0.11:3306")]
#[case::nothing_is_stretched("b10.ex", Reach::Exact, "b10.ex:3306")]
fn a_name_is_stretched_within_reach(#[case] given: &str, #[case] reach: Reach, #[case] expected: &str) {
    assert_eq!(widen(&fleet(), key(given), reach).to_string(), expected);
}

#[rstest]
#[case::name("db1.example:3306", Some("db1.example:3306"))]
#[case::alias("orders", Some("db1.example:3306"))]
#[case::alias_is_exact("order", None)]
#[case::member("db10.example", Some("db1.example:3306"))]
#[case::member_in_part("b10.ex", Some("db1.example:3306"))]
#[case::blank(" ", None)]
#[case::not_a_key("a:b:c:", None)]
fn a_cluster_is_found_by_what_people_call_it(#[case] text: &str, #[case] expected: Option<&str>) {
    let hint = cluster_by_hint(&fleet(), &Config::default(), text, Reach::Contains);
    assert_eq!(hint, expected.map_or(Hint::Unknown, |name| Hint::Cluster(name.to_owned())));
}

#[rstest]
#[case("role", &["db1.example:3306", "db10.example:3306"])]
#[case("role=backup", &["db1.example:3306"])]
#[case("!role=backup", &["db10.example:3306"])]
#[case("role,~old", &["db10.example:3306"])]
#[case("old=", &["db1.example:3306"])]
#[case("~role", &[])]
fn tags_are_matched(#[case] list: &str, #[case] expected: &[&str]) {
    let found: Vec<String> = tagged(&fleet(), list).expect(list).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_tag_is_refused_by_name() {
    for text in ["", "~", "=v", "a,,b"] {
        assert!(tagged(&fleet(), text).is_err(), "{text}");
    }
}

#[test]
fn search_finds_by_text_and_number() {
    let keys = |text: &str| search(&fleet(), text).iter().map(|i| i.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys("DB10"), ["db10.example:3307", "db10.example:3306"]);
    assert_eq!(keys("3307"), ["db10.example:3307"]);
    assert_eq!(keys("").len(), 4);
    assert!(keys("nosuch").is_empty());
}

#[test]
fn a_writeable_primary_is_preferred() {
    let mut read_only = server("a", "c", 0);
    read_only.read_only = true;
    let mut partner = server("b", "c", 1);
    partner.is_co_source = true;
    let picture = snapshot(vec![read_only.clone(), partner], Annotations::default());
    assert_eq!(primary_of(&picture, "c").map(|i| i.key.to_string()).as_deref(), Some("b:3306"));
    assert_eq!(primaries(&picture).len(), 1);
    let picture = snapshot(vec![read_only], Annotations::default());
    assert!(primary_of(&picture, "c").is_some());
    assert!(primaries(&picture).is_empty(), "a read-only primary is not among the writeable ones");
}

#[test]
fn control_replicas_come_from_each_data_center() {
    let fit = |name: &str, depth: u32, source: &str, center: &str| {
        let mut i = server(name, "top:3306", depth);
        i.replication.source = key(source);
        i.data_center = center.to_owned();
        i.check.last_checked = Some(DateTime::<Utc>::UNIX_EPOCH);
        i.check.last_seen = i.check.last_checked;
        i
    };
    let mut busy = fit("a", 1, "top", "dc1");
    busy.replicas = vec![key("a1")];
    let servers = vec![
        server("top", "top:3306", 0),
        busy,
        fit("b", 1, "top", "dc1"),
        fit("c", 1, "top", "dc1"),
        fit("d", 1, "top", "dc2"),
        fit("a1", 2, "a", "dc1"),
    ];
    let picture = snapshot(servers, Annotations::default());
    let keys: Vec<String> =
        control_replicas(&picture, &Config::default(), "top:3306").iter().map(|i| i.key.hostname.clone()).collect();
    assert_eq!(keys, ["d", "a", "b", "a1"]);
}
