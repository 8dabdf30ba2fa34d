//! Whom a server leads to: up to its sources, down to its replicas, across to its group.

use std::collections::BTreeSet;

use app::InstanceKey;
use app::topology::{Instance, Snapshot};
use engine::interpret::Filters;

/// Servers to be looked at next because this one names them, in key order (`spec/discovery.md` 8.1, 24.1).
pub fn neighbours(instance: &Instance, filters: &Filters) -> BTreeSet<InstanceKey> {
    let sources = std::iter::once(&instance.replication)
        .chain(&instance.channels)
        .map(|channel| &channel.source)
        .filter(|key| filters.admits_source(key));
    // The replication user was looked at when the list was made.
    let below = instance
        .replicas
        .iter()
        .chain(&instance.group.members)
        .chain([&instance.group.primary])
        .filter(|key| filters.admits_replica(key, ""));
    sources.chain(below).filter(|key| key.is_valid() && **key != instance.key && filters.admits(key)).cloned().collect()
}

/// Whose word counts when this server may be dead: its sources, and those who say that they replicate from it.
pub fn witnesses(key: &InstanceKey, snapshot: &Snapshot) -> BTreeSet<InstanceKey> {
    let sources = snapshot.get(key).into_iter().flat_map(|instance| {
        std::iter::once(&instance.replication).chain(&instance.channels).map(|channel| channel.source.clone())
    });
    sources
        .chain(snapshot.replicas_of(key).map(|replica| replica.key.clone()))
        .filter(|witness| witness.is_valid() && witness != key && snapshot.get(witness).is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use app::topology::{Annotations, Replication};
    use chrono::DateTime;

    use super::*;

    fn key(host: &str) -> InstanceKey {
        InstanceKey::new(host, 3306)
    }

    fn replica(host: &str, source: InstanceKey) -> Instance {
        let replication = Replication { source, ..Default::default() };
        Instance { replication, ..Instance::unseen(key(host)) }
    }

    #[test]
    fn sources_replicas_and_members_are_followed_as_far_as_filters_let() {
        let mut middle = replica("middle", key("top"));
        middle.replicas = vec![key("low1"), key("low2"), key("middle")];
        middle.group.members = vec![key("peer")];
        middle.channels = vec![Replication { source: key("second"), ..Default::default() }];
        let hosts =
            |filters: &Filters| neighbours(&middle, filters).into_iter().map(|k| k.hostname).collect::<Vec<_>>();
        assert_eq!(hosts(&Filters::default()), ["low1", "low2", "peer", "second", "top"]);
        let one = |text: &str| [text.to_owned()];
        assert_eq!(hosts(&Filters::new(&one("low2"), &one("peer"), &one("top"), &[])), ["low1", "second"]);
    }

    #[test]
    fn a_detached_or_missing_source_is_not_followed() {
        for source in [key("top").detached(), InstanceKey::default(), key("_")] {
            assert_eq!(neighbours(&replica("low", source), &Filters::default()), BTreeSet::new());
        }
    }

    #[test]
    fn witnesses_are_the_servers_next_to_it_in_the_picture() {
        let servers = [
            Instance::unseen(key("top")),
            replica("middle", key("top")),
            replica("low", key("middle")),
            replica("other", key("top")),
        ];
        let snapshot = Snapshot::new(servers, Annotations::default(), DateTime::UNIX_EPOCH);
        assert_eq!(witnesses(&key("middle"), &snapshot), BTreeSet::from([key("low"), key("top")]));
        assert_eq!(witnesses(&key("nobody"), &snapshot), BTreeSet::new());
    }
}
