//! GTID sets: what MySQL 9.7 prints, and the laws of sets.
#![allow(clippy::expect_used)]

use app::gtid::{Gtid, GtidPosition, GtidSet, Interval, Intervals, MariadbGtid, MariadbGtidPos, ServerUuid, SourceId};
use app::topology::Flavor;
use proptest::prelude::*;
use rstest::rstest;

fn set(text: &str) -> GtidSet {
    GtidSet::parse(text).expect(text)
}

/// Given texts and what `SELECT GTID_SUBTRACT(text, '')` printed on MySQL 9.7.4.
#[rstest]
#[case::tags_sorted_lower_case(
    "3E11FA47-71CA-11E1-9E33-C80AA9429562:Domain_1:1-3:11:47-49, 3E11FA47-71CA-11E1-9E33-C80AA9429562:8-52:_b:7",
    "3e11fa47-71ca-11e1-9e33-c80aa9429562:8-52:_b:7:domain_1:1-3:11:47-49"
)]
#[case::merged_and_sorted(
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:5:1-3:4,\n aaaaaaaa71ca11e19e33c80aa9429562:9:7-8",
    "aaaaaaaa-71ca-11e1-9e33-c80aa9429562:7-9,\nbbbbbbbb-71ca-11e1-9e33-c80aa9429562:1-5"
)]
#[case::blanks_and_empty_entries(
    " bbbbbbbb-71ca-11e1-9e33-c80aa9429562 : 5 : 1 - 3 , , ",
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1-3:5"
)]
#[case::reversed_interval("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:5-3", "")]
#[case::uuid_alone("bbbbbbbb-71ca-11e1-9e33-c80aa9429562", "")]
#[case::tag_alone("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:tag", "")]
#[case::tags_repeated(
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1:tag:2:tag:3:t2:1:tag:9",
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1:t2:1:tag:2-3:9"
)]
#[case::braces("{bbbbbbbb-71ca-11e1-9e33-c80aa9429562}:1", "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1")]
#[case::largest(
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:9223372036854775806",
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:9223372036854775806"
)]
#[case::longest_tag(
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:a2345678901234567890123456789012:1",
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:a2345678901234567890123456789012:1"
)]
#[case::as_gtid_executed(
    "abbbbbbb-71ca-11e1-9e33-c80aa9429562:a:7,\nbbbbbbbb-71ca-11e1-9e33-c80aa9429562:7:a:7:tag_x:7",
    "abbbbbbb-71ca-11e1-9e33-c80aa9429562:a:7,\nbbbbbbbb-71ca-11e1-9e33-c80aa9429562:7:a:7:tag_x:7"
)]
#[case::empty("", "")]
fn a_set_is_printed_as_mysql_prints_it(#[case] given: &str, #[case] printed: &str) {
    assert_eq!(set(given).to_string(), printed);
}

/// Texts that MySQL 9.7.4 refused with error 1772, except the first two, which are no sets at all.
#[rstest]
#[case::no_uuid("No:1", "No")]
#[case::mariadb("0-1-100", "0-1-100")]
#[case::zero("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:0", "0")]
#[case::zero_interval("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:0-3", "0-3")]
#[case::nothing_after_colon("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:", "")]
#[case::nothing_after_tag("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:tag:", "")]
#[case::too_large("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:9223372036854775807", "9223372036854775807")]
#[case::too_large_end("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1-9223372036854775807", "1-9223372036854775807")]
#[case::tag_too_long(
    "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:a23456789012345678901234567890123:1",
    "a23456789012345678901234567890123"
)]
#[case::tag_with_sign("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:a$:1", "a$")]
#[case::plus("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:+1", "+1")]
#[case::non_ascii("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:１", "１")]
fn anything_else_is_refused_by_part_and_text(#[case] given: &str, #[case] part: &str) {
    let message = GtidSet::parse(given).expect_err(given).to_string();
    assert!(message.contains(&format!("got {part:?}")) && message.contains(&format!("{given:?}")), "{message}");
}

#[test]
fn a_refused_text_of_megabytes_is_repeated_in_part_only() {
    let message = GtidSet::parse(&"x".repeat(5_000_000)).expect_err("no set").to_string();
    assert!(message.len() < 1000, "{}", message.len());
}

#[test]
fn subtraction_and_subset_agree_with_mysql() {
    // SELECT GTID_SUBTRACT(..) and GTID_SUBSET(..) on MySQL 9.7.4.
    let uuid = "bbbbbbbb-71ca-11e1-9e33-c80aa9429562";
    let left = set(&format!("{uuid}:1-100:a:1-10:b:5"));
    let right = set(&format!("{uuid}:50:b:5:a:2-3,aaaaaaaa-71ca-11e1-9e33-c80aa9429562:1"));
    assert_eq!(left.subtract(&right).to_string(), format!("{uuid}:1-49:51-100:a:1:4-10"));
    assert!(set(&format!("{uuid}:tag:1-2")).contains_set(&set(&format!("{uuid}:TAG:1"))));
    assert!(!set(&format!("{uuid}:tag:1-2")).contains_set(&set(&format!("{uuid}:1"))));
}

#[test]
fn a_hostile_interval_is_counted_but_never_enumerated() {
    let everything = set("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:1-9223372036854775806");
    assert_eq!(everything.count(), 9_223_372_036_854_775_806);
    assert_eq!(everything.first_transactions(1000), None);
    let three = set("bbbbbbbb-71ca-11e1-9e33-c80aa9429562:7-8:x:1");
    let texts: Vec<String> = three.first_transactions(3).expect("three").iter().map(Gtid::to_string).collect();
    assert_eq!(
        texts,
        [
            "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:7",
            "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:8",
            "bbbbbbbb-71ca-11e1-9e33-c80aa9429562:x:1"
        ]
    );
    assert_eq!(three.first_transactions(2), None);
}

/// Sets over few sources and small numbers, so that they meet often.
fn any_set() -> impl Strategy<Value = GtidSet> {
    let entry =
        (0u128..3, prop::sample::select(vec!["", "a", "b_2"]), prop::collection::vec((1u64..40, 0u64..6), 0..6));
    prop::collection::vec(entry, 0..5).prop_map(|entries| {
        let mut text = String::new();
        for (uuid, tag, intervals) in entries {
            text.push_str(&ServerUuid::from_u128(uuid).to_string());
            if !tag.is_empty() {
                text.push_str(&format!(":{tag}"));
            }
            for (first, more) in intervals {
                text.push_str(&format!(":{first}-{}", first + more));
            }
            text.push(',');
        }
        set(&text)
    })
}

fn members(set: &GtidSet) -> std::collections::BTreeSet<Gtid> {
    set.transactions().collect()
}

fn any_position() -> impl Strategy<Value = MariadbGtidPos> {
    let gtid = (0u32..3, 1u32..4, 1u64..12);
    prop::collection::vec(gtid, 0..8).prop_map(|gtids| {
        let mut position = MariadbGtidPos::default();
        gtids.into_iter().for_each(|(domain, server, sequence)| position.add(MariadbGtid { domain, server, sequence }));
        position
    })
}

proptest! {
    #[test]
    fn text_is_parsed_back(a in any_set()) {
        prop_assert_eq!(GtidSet::parse(&a.to_string()), Ok(a));
    }

    #[test]
    fn operations_agree_with_sets_of_single_transactions(a in any_set(), b in any_set()) {
        let (left, right) = (members(&a), members(&b));
        prop_assert_eq!(members(&a.union(&b)), left.union(&right).cloned().collect());
        prop_assert_eq!(members(&a.intersect(&b)), left.intersection(&right).cloned().collect());
        prop_assert_eq!(members(&a.subtract(&b)), left.difference(&right).cloned().collect());
        prop_assert_eq!(a.contains_set(&b), right.is_subset(&left));
        prop_assert_eq!(a.count(), left.len() as u128);
        prop_assert!(right.iter().all(|gtid| b.contains(gtid) && a.contains(gtid) == left.contains(gtid)));
    }

    #[test]
    fn laws_of_sets_hold(a in any_set(), b in any_set(), c in any_set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert!(a.subtract(&b).intersect(&b).is_empty());
        prop_assert_eq!(a.subtract(&b).union(&a.intersect(&b)), a.clone());
        prop_assert_eq!(a.subtract(&b).is_empty(), b.contains_set(&a));
        prop_assert!(a.union(&b).contains_set(&a));
    }

    #[test]
    fn removing_sources_leaves_the_others_untouched(a in any_set(), n in 0u128..3) {
        let uuid = ServerUuid::from_u128(n);
        let rest = a.without_sources(&[uuid]);
        prop_assert!(!rest.sources().contains(&uuid));
        prop_assert!(a.subtract(&rest).sources().iter().all(|u| *u == uuid));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[0-9a-f:,\\- _A-Z\n]{0,60}|\\PC{0,40}") {
        let _ = GtidSet::parse(&text);
        let _ = MariadbGtidPos::parse(&text);
        let _ = text.parse::<ServerUuid>();
    }

    #[test]
    fn intervals_at_the_edge_do_not_overflow(first in (u64::MAX - 5)..=u64::MAX, last in (u64::MAX - 5)..=u64::MAX, at in (u64::MAX - 5)..=u64::MAX) {
        let one = Intervals::from_unordered(vec![Interval { first, last }, Interval { first: at, last: at }]);
        prop_assert!(one.contains(at));
        let rest = one.subtract(&Intervals::from_unordered(vec![Interval { first: at, last: at }]));
        prop_assert!(!rest.contains(at));
        prop_assert_eq!(rest.count() + 1, one.count());
    }

    #[test]
    fn mariadb_text_is_parsed_back(a in any_position()) {
        prop_assert_eq!(MariadbGtidPos::parse(&a.to_string()), Ok(a));
    }

    #[test]
    fn mariadb_positions_are_ordered(a in any_position(), b in any_position(), c in any_position()) {
        prop_assert!(a.covers(&a));
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert!(a.union(&b).covers(&a) && a.union(&b).covers(&b));
        prop_assert_eq!(a.minus(&b).is_empty(), b.covers(&a));
        prop_assert!(a.covers(&a.minus(&b)));
        prop_assert!(!b.covers(&a) || a.behind(&b).len() <= b.entries().len());
        prop_assert_eq!(a.position().behind(&b), a.behind(&b));
    }

    #[test]
    fn a_union_covers_both_for_either_family(a in any_set(), b in any_set()) {
        let parse = |s: &GtidSet| GtidPosition::parse_for(Flavor::MySql, &s.to_string()).expect("parsed back");
        let both = parse(&a).union(&parse(&b)).expect("one family");
        prop_assert!(both.covers(&parse(&a)) && both.covers(&parse(&b)));
    }
}

#[test]
fn a_source_id_orders_untagged_before_tagged() {
    let id = |n, tag: &str| SourceId { uuid: ServerUuid::from_u128(n), tag: tag.to_owned() };
    assert!(id(1, "") < id(1, "a") && id(1, "a") < id(1, "b") && id(1, "z") < id(2, ""));
}
