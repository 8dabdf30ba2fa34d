//! What an actor may change. The limit to clusters travels with the actor and is held against the picture here, where changes
//! are made: whichever handler or command a change comes from, it cannot forget to ask.

use app::InstanceKey;
use app::recovery::AcknowledgeScope;
use app::topology::Snapshot;

use super::{Actor, Command};

/// The actor may not change this, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutOfReach(String);

impl Actor {
    /// Whether the actor may change what belongs to no cluster, or to all of them.
    ///
    /// # Errors
    /// [`OutOfReach`] with the limit.
    pub fn reaches_everything(&self, what: &str) -> Result<(), OutOfReach> {
        if self.limit.is_none() {
            return Ok(());
        }
        Err(OutOfReach(format!(
            "{} may change clusters {} only; {what} is about more than those: an operator without a limit may",
            self.name, self.limit
        )))
    }

    /// Whether the actor may change the cluster of this name.
    ///
    /// # Errors
    /// [`OutOfReach`] with the limit and the cluster's alias.
    pub fn reaches_cluster(&self, snapshot: &Snapshot, cluster: &str) -> Result<(), OutOfReach> {
        let alias = alias_of(snapshot, cluster);
        if self.limit.is_none() || (!cluster.is_empty() && self.limit.allows(cluster, alias)) {
            return Ok(());
        }
        Err(OutOfReach(format!(
            "{} may change clusters {} only, and this is cluster {cluster}{}; an operator of that cluster may",
            self.name,
            self.limit,
            if alias.is_empty() { String::new() } else { format!(" ({alias})") }
        )))
    }

    /// Whether the actor may change a server. One that is not known belongs to no cluster.
    ///
    /// # Errors
    /// [`OutOfReach`] with the limit and what the server belongs to.
    pub fn reaches_server(&self, snapshot: &Snapshot, key: &InstanceKey) -> Result<(), OutOfReach> {
        if self.limit.is_none() {
            return Ok(());
        }
        match snapshot.get(key) {
            Some(instance) => self.reaches_cluster(snapshot, &instance.cluster_name),
            None => Err(OutOfReach(format!(
                "{} may change clusters {} only, and {key} is not known to be in one; an operator without a limit may",
                self.name, self.limit
            ))),
        }
    }

    /// Whether the actor may have a command carried out.
    pub(super) fn reaches(&self, snapshot: &Snapshot, command: &Command) -> Result<(), OutOfReach> {
        if self.limit.is_none() {
            return Ok(());
        }
        match command {
            Command::Acknowledge { what: AcknowledgeScope::Cluster { name, .. }, .. } => {
                self.reaches_cluster(snapshot, name)
            }
            Command::Acknowledge { what: AcknowledgeScope::Instance { key }, .. } => self.reaches_server(snapshot, key),
            // The number says nothing here; `recovery` knows the cluster and asks before.
            Command::Acknowledge { what: AcknowledgeScope::Id { .. } | AcknowledgeScope::Uid { .. }, .. } => Ok(()),
            Command::RegisterUnresolved { hostname, .. } => {
                let mut of_host = snapshot.instances.values().filter(|i| i.key.hostname == *hostname).peekable();
                if of_host.peek().is_none() {
                    return self.reaches_everything(hostname);
                }
                of_host.try_for_each(|instance| self.reaches_server(snapshot, &instance.key))
            }
            // One's own password and tokens are not about clusters.
            Command::SetPassword { .. } | Command::PutToken { .. } | Command::DeleteToken { .. } => Ok(()),
            // What is about a server is judged by it. Names of clusters decide who may change what, so a limit keeps from them.
            command => match command.about() {
                key if key == InstanceKey::default() => self.reaches_everything(command.audit_type()),
                key => self.reaches_server(snapshot, &key),
            },
        }
    }
}

/// A cluster's alias as people or its servers gave it; empty without one.
fn alias_of<'a>(snapshot: &'a Snapshot, cluster: &str) -> &'a str {
    let annotations = &snapshot.annotations;
    let alias = annotations.cluster_alias_overrides.get(cluster).or_else(|| annotations.cluster_aliases.get(cluster));
    alias.map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use app::access::ClusterLimit;
    use app::topology::Instance;
    use chrono::{DateTime, Utc};

    use super::*;

    fn picture() -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (host, cluster) in [("db1", "db1:3306"), ("db2", "db1:3306"), ("us1", "us1:3306")] {
            let key = InstanceKey::new(host, 3306);
            let instance = Instance { key: key.clone(), cluster_name: cluster.to_owned(), ..Instance::default() };
            std::sync::Arc::make_mut(&mut snapshot.instances).insert(key, std::sync::Arc::new(instance));
        }
        let annotations = std::sync::Arc::make_mut(&mut snapshot.annotations);
        annotations.cluster_aliases.insert("db1:3306".to_owned(), "orders".to_owned());
        snapshot
    }

    fn limited() -> Actor {
        Actor { limit: ClusterLimit::to(&["orders".to_owned()]), ..Actor::named("bob") }
    }

    #[test]
    fn a_limit_holds_for_servers_clusters_and_everything() {
        let (picture, bob) = (picture(), limited());
        assert_eq!(bob.reaches_server(&picture, &InstanceKey::new("db2", 3306)), Ok(()));
        let error = bob.reaches_server(&picture, &InstanceKey::new("us1", 3306)).expect_err("another cluster");
        assert!(error.to_string().contains("orders") && error.to_string().contains("us1:3306"), "{error}");
        assert!(bob.reaches_server(&picture, &InstanceKey::new("db9", 3306)).is_err(), "nobody knows whose it is");
        assert!(bob.reaches_cluster(&picture, "").is_err());
        assert!(bob.reaches_everything("pools").is_err());
        assert!(Actor::system().reaches_everything("pools").is_ok());
    }

    #[test]
    fn commands_are_judged_by_what_they_are_about() {
        let (picture, bob) = (picture(), limited());
        let key = |host: &str| InstanceKey::new(host, 3306);
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let acknowledge = |what| Command::Acknowledge { what, by: "bob".into(), comment: "c".into(), at };
        let allowed = [
            Command::EndDowntime { key: key("db1") },
            Command::Forget { key: key("db2"), barred_until: at },
            acknowledge(AcknowledgeScope::Cluster { name: "db1:3306".into(), alias: String::new() }),
            Command::RegisterUnresolved { hostname: "db1".into(), unresolved: "vip".into() },
        ];
        let refused = [
            Command::EndDowntime { key: key("us1") },
            Command::Admit { key: key("new") },
            Command::EnableRecoveries { enabled: false },
            Command::SubmitPool { pool: "p".into(), members: vec![key("db1")] },
            Command::SetClusterAlias { cluster: "db1:3306".into(), alias: "users".into() },
            Command::RenameCluster { from: "db1:3306".into(), to: "us1:3306".into() },
            acknowledge(AcknowledgeScope::All),
            acknowledge(AcknowledgeScope::Instance { key: key("us1") }),
            Command::RegisterUnresolved { hostname: "us1".into(), unresolved: "vip".into() },
            Command::RegisterUnresolved { hostname: "db9".into(), unresolved: "vip".into() },
            Command::DeleteUser { name: "ann".into() },
        ];
        for command in &allowed {
            assert_eq!(bob.reaches(&picture, command), Ok(()), "{command:?}");
        }
        for command in &refused {
            assert!(bob.reaches(&picture, command).is_err(), "{command:?}");
            assert_eq!(Actor::system().reaches(&picture, command), Ok(()));
        }
    }
}
