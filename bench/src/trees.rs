//! Made-up servers: clusters of a source, replicas below it, and replicas below some of those.

use app::InstanceKey;
use app::topology::{Capabilities, Instance, ThreadState};
use chrono::{DateTime, Utc};

/// Every so many replicas of a source are sources themselves.
const INTERMEDIATE_EVERY: usize = 10;

/// Place of a server within its cluster.
pub fn source_of(place: usize) -> Option<usize> {
    match place {
        0 => None,
        place if place < INTERMEDIATE_EVERY => Some(0),
        // Below places 1 to 4, side by side.
        place => Some(1 + place % 4),
    }
}

/// A UUID that tells the number.
pub fn uuid(number: usize) -> String {
    format!("{number:08x}-71ca-11e1-9e33-c80aa9429562")
}

/// So many MySQL servers with GTID in so many clusters, all well and just looked at.
pub fn servers(count: usize, clusters: usize, now: DateTime<Utc>) -> Vec<Instance> {
    let size = (count / clusters.max(1)).max(1);
    (0..count).map(|number| server(number, size, now)).collect()
}

/// Key of a server.
pub fn key(number: usize, size: usize) -> InstanceKey {
    InstanceKey::new(format!("db{:03}.cluster{:04}.example", number % size, number / size), 3306)
}

fn server(number: usize, size: usize, now: DateTime<Utc>) -> Instance {
    let first = number - number % size;
    let mut i = Instance::unseen(key(number, size));
    i.server_id = number as u64 + 1;
    i.server_uuid = uuid(number);
    i.version = "8.4.6".to_owned();
    i.version_comment = "MySQL Community Server - GPL".to_owned();
    i.binlog_format = "ROW".to_owned();
    i.binlog_row_image = "FULL".to_owned();
    (i.log_bin, i.log_replica_updates) = (true, true);
    i.gtid_mode = "ON".to_owned();
    i.executed_gtid = format!("{}:1-{},{}:1-5", uuid(first), 1_000_000 + first, uuid(usize::MAX >> 33));
    i.binlog.file = "binlog.000042".to_owned();
    i.binlog.position = 4_711;
    i.data_center = format!("dc{}", number % 3);
    i.region = "north".to_owned();
    i.capabilities = Capabilities {
        known: true,
        replica_terms: true,
        binary_log_status: true,
        super_read_only: true,
        channels: true,
        performance_schema: true,
        mysql_gtid: true,
        ..Capabilities::default()
    };
    let below = source_of(number - first).map(|place| first + place);
    if let Some(source) = below {
        i.read_only = true;
        i.super_read_only = Some(true);
        i.lag = Some(0);
        let channel = &mut i.replication;
        channel.source = key(source, size);
        channel.source_uuid = uuid(source);
        channel.user = "repl".to_owned();
        channel.has_credentials = true;
        (channel.receiver, channel.applier) = (ThreadState::Running, ThreadState::Running);
        channel.auto_position = true;
        channel.retrieved_gtid = format!("{}:1-{}", uuid(first), 1_000_000 + first);
        channel.seconds_behind = Some(0);
        (channel.heartbeat_period_ms, channel.heartbeat_age_ms) = (Some(30_000), Some(120));
    }
    i.check.last_attempted = Some(now);
    i.check.last_checked = Some(now);
    i.check.last_seen = Some(now);
    i.check.partial_success = true;
    i
}

#[cfg(test)]
mod tests {
    use app::topology::{Annotations, Snapshot};
    use engine::attribution::{AttributionRules, attribute};

    use super::*;

    #[test]
    fn every_server_of_a_cluster_leads_to_its_source() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap_or_default();
        let snapshot = Snapshot::new(servers(100, 2, now), Annotations::default(), now);
        let named = attribute(&snapshot, &AttributionRules::default());
        let names: std::collections::BTreeSet<String> = named.iter().map(|i| i.cluster_name.clone()).collect();
        assert!(names.contains("db000.cluster0001.example:3306"), "{names:?}");
        assert!(names.len() <= 2, "{names:?}");
        assert_eq!(named.iter().map(|i| i.depth).max(), Some(2));
    }
}
