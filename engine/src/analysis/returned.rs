//! Who still hangs on a source that was replaced.

use std::collections::BTreeSet;

use app::InstanceKey;
use app::recovery::LOST_IN_RECOVERY;
use app::topology::{Instance, Snapshot};
use chrono::{DateTime, Utc};

/// Its source, or a source of that one, was left behind by a recovery itself: what the server gets from there is not the cluster's. Of two
/// co-sources each is above the other: whether the server itself was left behind says nothing of where it gets its events from.
pub fn is_below_left_behind(server: &Instance, snapshot: &Snapshot, now: DateTime<Utc>) -> bool {
    let left_behind = |key: &InstanceKey| {
        snapshot.annotations.active_downtime(key, now).is_some_and(|d| d.reason == LOST_IN_RECOVERY)
    };
    let mut passed = BTreeSet::new();
    let mut at = &server.replication.source;
    while at.is_valid() && *at != server.key && passed.insert(at) {
        if left_behind(at) {
            return true;
        }
        match snapshot.get(at) {
            Some(source) => at = &source.replication.source,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_replicates_from_a_server_left_behind_is_below_it_at_any_depth() {
        use app::topology::{Annotations, Downtime};

        let key = |n: u16| InstanceKey::new(format!("db{n}"), 3306);
        let server = |n: u16, source: Option<u16>| {
            let mut server = Instance::unseen(key(n));
            server.replication.source = source.map(key).unwrap_or_default();
            server
        };
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let downtime = |reason: &str| Downtime {
            owner: "orchestrator".into(),
            reason: reason.into(),
            begin: now,
            end: now + chrono::TimeDelta::days(1),
        };
        // 0 was replaced by 1; 2 and 3 hang below 0, 4 below 1; 5 and 6 point at each other, and 5 was left behind.
        let servers = [(0, None), (1, None), (2, Some(0)), (3, Some(2)), (4, Some(1)), (5, Some(6)), (6, Some(5))];
        let lost = [0, 5];
        let servers: Vec<Instance> = servers.into_iter().map(|(n, source)| server(n, source)).collect();
        let below = |reason: &str| -> Vec<u16> {
            let mut annotations = Annotations::default();
            annotations.downtime.extend(lost.map(|n| (key(n), downtime(reason))));
            let snapshot = Snapshot::new(servers.clone(), annotations, now);
            let is_below = |n: &u16| is_below_left_behind(snapshot.get(&key(*n)).expect("known"), &snapshot, now);
            (0..7).filter(is_below).collect()
        };
        assert_eq!(below(LOST_IN_RECOVERY), [2, 3, 6]);
        assert_eq!(below("maintenance"), [] as [u16; 0]);
    }
}
