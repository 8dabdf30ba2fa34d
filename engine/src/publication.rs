//! Which primaries are published (`spec/recovery.md` 7.3): never a dead one, never one that nothing proves.

use app::InstanceKey;
use app::topology::graph::Graph;
use app::topology::{Instance, Snapshot};

/// A primary that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Cluster name.
    pub cluster: String,
    /// The name it is published under.
    pub alias: String,
    /// The primary.
    pub primary: InstanceKey,
}

/// A cluster whose primary is not published, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// Cluster name.
    pub cluster: String,
    /// Why.
    pub reason: String,
}

/// What is known of a cluster besides its servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The name to publish it under; its own when it has no other.
    pub alias: String,
    /// What is published now, `host:port`; empty when nothing is.
    pub published: String,
    /// A recovery or takeover is at work on it, which publishes by itself.
    pub in_recovery: bool,
}

/// The primary to publish for a cluster (`graph` is of the snapshot): reachable, writeable, on top, not left behind by a recovery.
///
/// A server that nobody replicates from proves nothing: it does not take another one's place, so that a stray server
/// with the alias of a cluster is not taken for its primary.
///
/// # Errors
/// [`Unpublished`] with the reason.
pub fn primary_of(
    snapshot: &Snapshot,
    graph: &Graph<'_>,
    cluster: &str,
    known: &Known,
) -> Result<Published, Unpublished> {
    let refuse = |reason: String| Err(Unpublished { cluster: cluster.to_owned(), reason });
    if known.in_recovery {
        return refuse("a recovery of it is at work".to_owned());
    }
    let mut proven: Vec<(bool, usize, &Instance)> = snapshot
        .cluster(cluster)
        .filter(|server| server.is_primary_role() || graph.is_co_source(&server.key))
        .filter(|server| !server.read_only && server.check.is_valid())
        .filter(|server| !is_left_behind(snapshot, &server.key))
        // The one that is published stays, where several may be.
        .map(|server| (server.key.to_string() != known.published, graph.ancestors(&server.key).len(), server.as_ref()))
        .collect();
    proven.sort_by(|a, b| (a.0, a.1, &a.2.key).cmp(&(b.0, b.1, &b.2.key)));
    let Some((differs, _, primary)) = proven.first() else {
        return refuse("it has no primary that can be reached and takes writes".to_owned());
    };
    let alone = snapshot.replicas_of(&primary.key).next().is_none();
    if alone && *differs && !known.published.is_empty() {
        let (key, now) = (&primary.key, &known.published);
        return refuse(format!("nobody replicates from {key}, which does not take the place of {now}"));
    }
    let alias = if known.alias.is_empty() { cluster } else { &known.alias };
    Ok(Published { cluster: cluster.to_owned(), alias: alias.to_owned(), primary: primary.key.clone() })
}

/// It was replaced, and nobody has taken it back since.
fn is_left_behind(snapshot: &Snapshot, key: &InstanceKey) -> bool {
    snapshot.annotations.active_downtime(key, snapshot.at).is_some_and(|d| d.reason == "lost-in-recovery")
}

/// The names of all clusters, each once, in order.
pub fn clusters(snapshot: &Snapshot) -> Vec<String> {
    let mut names: Vec<String> =
        snapshot.instances.values().map(|i| i.cluster_name.clone()).filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use app::topology::{Annotations, Downtime, Replication};
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn server(name: &str, source: Option<&str>) -> Instance {
        let mut server = Instance {
            key: InstanceKey::new(name, 3306),
            cluster_name: "db1:3306".into(),
            read_only: source.is_some(),
            replication: Replication {
                source: source.map(|s| InstanceKey::new(s, 3306)).unwrap_or_default(),
                ..Replication::default()
            },
            ..Instance::default()
        };
        server.check.last_checked = Some(now());
        server.check.last_seen = Some(now());
        server.check.last_attempted = Some(now());
        server
    }

    fn ask(servers: Vec<Instance>, published: &str) -> Result<String, String> {
        ask_with(servers, published, Annotations::default())
    }

    fn ask_with(servers: Vec<Instance>, published: &str, annotations: Annotations) -> Result<String, String> {
        let snapshot = Snapshot::new(servers, annotations, now());
        let known = Known { alias: "orders".into(), published: published.into(), in_recovery: false };
        match primary_of(&snapshot, &Graph::new(&snapshot), "db1:3306", &known) {
            Ok(found) => {
                assert_eq!(found.alias, "orders");
                Ok(found.primary.to_string())
            }
            Err(refused) => Err(refused.reason),
        }
    }

    #[test]
    fn a_primary_that_serves_is_published_and_a_dead_or_read_only_one_is_not() {
        let healthy = vec![server("db1", None), server("db2", Some("db1"))];
        assert_eq!(ask(healthy.clone(), "db9:3306"), Ok("db1:3306".into()));
        let mut dead = healthy.clone();
        dead[0].check.last_seen = Some(now() - TimeDelta::seconds(60));
        assert!(!dead[0].check.is_valid());
        assert!(ask(dead, "").unwrap_err().contains("no primary"));
        let mut closed = healthy;
        closed[0].read_only = true;
        assert!(ask(closed, "").is_err());
    }

    #[test]
    fn one_that_was_replaced_is_not_published_when_it_comes_back() {
        let mut annotations = Annotations::default();
        let downtime = Downtime {
            owner: "orchestrator".into(),
            reason: "lost-in-recovery".into(),
            begin: now() - TimeDelta::hours(1),
            end: now() + TimeDelta::hours(1),
        };
        annotations.downtime.insert(InstanceKey::new("db1", 3306), downtime);
        assert!(ask_with(vec![server("db1", None), server("db2", Some("db1"))], "", annotations).is_err());
    }

    #[test]
    fn a_stray_server_does_not_take_the_place_of_a_primary() {
        let stray = vec![server("db1", None)];
        assert!(ask(stray.clone(), "db7:3306").unwrap_err().contains("nobody replicates from db1:3306"));
        assert_eq!(ask(stray.clone(), ""), Ok("db1:3306".into()), "nothing is displaced");
        assert_eq!(ask(stray, "db1:3306"), Ok("db1:3306".into()), "it is the one that is published");
    }

    #[test]
    fn of_two_co_primaries_the_published_one_stays() {
        let mut pair = vec![server("db1", Some("db2")), server("db2", Some("db1"))];
        for server in &mut pair {
            server.read_only = false;
        }
        assert_eq!(ask(pair.clone(), "db2:3306"), Ok("db2:3306".into()));
        assert_eq!(ask(pair, ""), Ok("db1:3306".into()));
    }

    #[test]
    fn a_cluster_in_recovery_is_left_to_its_recovery() {
        let snapshot = Snapshot::new([server("db1", None)], Annotations::default(), now());
        let known = Known { in_recovery: true, ..Known::default() };
        assert!(primary_of(&snapshot, &Graph::new(&snapshot), "db1:3306", &known).is_err());
    }
}
