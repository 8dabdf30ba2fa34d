//! What servers say of replication: coordinates, transactions, rows.

use app::BinlogCoordinates;
use app::InstanceKey;
use app::gtid::{GtidSet, MariadbGtid, MariadbGtidPos};
use app::topology::Instance;
use engine::interpret::{Filters, Names, RawProbe, Record, Survey, interpret};

/// Coordinates are read again from their own text, and have a place in the order.
pub fn binlog_coordinates(text: &str) {
    let Ok(at) = BinlogCoordinates::parse(text) else { return };
    assert!(at.position >= 0 && !at.is_empty());
    assert_eq!(BinlogCoordinates::parse(&at.to_string()).as_ref(), Ok(&at));
    assert_eq!(at.partial_cmp(&at), Some(std::cmp::Ordering::Equal));
    let first = BinlogCoordinates::binary("binlog.000001", 4);
    assert_eq!(at.partial_cmp(&first).map(std::cmp::Ordering::reverse), first.partial_cmp(&at));
    let json = serde_json::to_string(&at).expect("JSON");
    assert_eq!(serde_json::from_str::<BinlogCoordinates>(&json).expect("coordinates"), at);
}

/// Sets are read again from their own text, and obey the laws of sets.
pub fn gtid_set_mysql(text: &str) {
    let Ok(a) = GtidSet::parse(text) else { return };
    assert_eq!(GtidSet::parse(&a.to_string()).as_ref(), Ok(&a));
    assert_eq!(a.union(&a), a);
    assert!(a.subtract(&a).is_empty() && a.contains_set(&a));
    assert_eq!(a.is_empty(), a.count() == 0);
    assert!(a.without_sources(&a.sources()).is_empty());
    for gtid in a.transactions().take(3) {
        assert!(a.contains(&gtid), "{gtid}");
    }
    // Some of it: every other entry.
    let b: Vec<&str> = text.split(',').step_by(2).collect();
    let Ok(b) = GtidSet::parse(&b.join(",")) else { return };
    let (both, all, rest) = (a.intersect(&b), a.union(&b), a.subtract(&b));
    assert_eq!(all.count() + both.count(), a.count() + b.count());
    assert!(all.contains_set(&a) && all.contains_set(&b) && a.contains_set(&both) && b.contains_set(&both));
    assert!(rest.intersect(&b).is_empty());
    assert_eq!(rest.union(&both), a);
}

/// Positions are read again from their own text; a union covers both, and nothing is missing of what is covered.
pub fn gtid_position_mariadb(text: &str) {
    let Ok(a) = MariadbGtidPos::parse(text) else { return };
    assert_eq!(MariadbGtidPos::parse(&a.to_string()).as_ref(), Ok(&a));
    assert!(a.covers(&a) && a.minus(&a).is_empty() && a.behind(&a).is_empty());
    assert_eq!(a.union(&a), a);
    assert!(a.covers(&a.position()));
    // Two servers at the last number of a domain have parted: no single entry stands for both.
    let entries = a.entries();
    let is_last = |gtid: &&MariadbGtid| a.sequence(gtid.domain) == Some(gtid.sequence);
    let has_parted = entries.iter().filter(is_last).count() > a.position().entries().len();
    assert_eq!(a.position().covers(&a), !has_parted);
    let b: Vec<&str> = text.split(',').step_by(2).collect();
    let Ok(b) = MariadbGtidPos::parse(&b.join(",")) else { return };
    let all = a.union(&b);
    assert!(all.covers(&a) && all.covers(&b));
    assert_eq!(b.minus(&a).is_empty(), a.covers(&b));
}

/// Whatever rows a server sends, a server comes of them, and it can be stored and read again.
pub fn status_rows(text: &str) {
    let rows: Vec<Record> = text.split("\n\n").map(row).collect();
    let raw = RawProbe {
        variables: rows.first().cloned(),
        status: Some(rows.clone()),
        binary_log: Some(rows.clone()),
        channels: Some(rows.clone()),
        receivers: Some(rows.clone()),
        group_members: Some(rows.clone()),
        registered_replicas: Some(rows.clone()),
        dump_threads: Some(rows.clone()),
        credentials_available: Some(true),
        ..RawProbe::default()
    };
    for survey in [Survey::new(&rows, true), Survey::new(&[], false)] {
        let last = Instance::unseen(InstanceKey::new("db1", 3306));
        let Ok(seen) = interpret(&raw, &survey, &Names::default(), &Filters::default(), &last) else { continue };
        assert!(seen.lag.is_none_or(|lag| lag >= 0));
        let json = serde_json::to_string(&seen).expect("JSON");
        assert_eq!(serde_json::from_str::<Instance>(&json).expect("a server"), seen);
        // The same again changes nothing.
        let again = interpret(&raw, &survey, &Names::default(), &Filters::default(), &seen).expect("as before");
        assert_eq!(again, seen);
    }
}

/// `Column: value` a line, `Column` alone for NULL.
fn row(text: &str) -> Record {
    Record::new(text.lines().map(|line| match line.split_once(": ") {
        Some((column, value)) => (column.to_owned(), Some(value.to_owned())),
        None => (line.trim_end_matches(':').to_owned(), None),
    }))
}
