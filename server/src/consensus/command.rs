//! The commands, each complete in itself: applying one needs no clock and no look at the world.

use std::collections::BTreeMap;
use std::time::Instant;

use app::InstanceKey;
use app::access::ClusterLimit;
use app::api::Role;
use app::recovery::AcknowledgeScope;
use app::topology::{Annotations, Candidate, Downtime, Equivalence, Maintenance, PromotionRule, Snapshot};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{TokenRecord, UserRecord};

/// Who asked for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// User name; `orchestrator` for what the service does by itself, `cli:<user>` for one-shot commands,
    /// `anonymous` where there is no authentication.
    pub name: String,
    /// Address of the caller; empty for the service itself.
    pub address: String,
    /// How they were told: `basic`, `proxy`, `certificate`, ...; empty where nobody has to say who they are, and for the
    /// service itself.
    #[serde(default)]
    pub method: String,
    /// Why the service acts by itself: the finding. Empty for people.
    #[serde(default)]
    pub reason: String,
    /// The clusters that they may change (`reach`).
    #[serde(default)]
    pub limit: ClusterLimit,
    /// When their request came; `None` for the service itself, and on the command line.
    #[serde(skip)]
    pub since: Option<Instant>,
}

impl Actor {
    /// Somebody who needs no telling.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The service itself.
    pub fn system() -> Self {
        Self::named("orchestrator")
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(mut self, reason: impl std::fmt::Display) -> Self {
        self.reason = reason.to_string();
        self
    }
}

/// One change that belongs to the whole group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Forget a server and keep it out for a while.
    Forget {
        /// The server.
        key: InstanceKey,
        /// Until then it is not discovered again.
        barred_until: DateTime<Utc>,
    },
    /// Take a server in that was asked for by name and answered; it may have been forgotten.
    Admit {
        /// The server.
        key: InstanceKey,
    },
    /// Begin (or replace) a downtime.
    BeginDowntime {
        /// The server.
        key: InstanceKey,
        /// The downtime.
        downtime: Downtime,
    },
    /// End a downtime.
    EndDowntime {
        /// The server.
        key: InstanceKey,
    },
    /// Replace the members of a pool; without any, the pool is gone.
    SubmitPool {
        /// Pool.
        pool: String,
        /// Its members.
        members: Vec<InstanceKey>,
    },
    /// Begin maintenance.
    BeginMaintenance {
        /// The server.
        key: InstanceKey,
        /// The maintenance.
        maintenance: Maintenance,
    },
    /// End maintenance.
    EndMaintenance {
        /// The server.
        key: InstanceKey,
    },
    /// Register a promotion rule.
    RegisterCandidate {
        /// The server.
        key: InstanceKey,
        /// Rule and moment.
        candidate: Candidate,
    },
    /// Drop a promotion rule that was not suggested again in time.
    ExpireCandidate {
        /// The server.
        key: InstanceKey,
    },
    /// Set a cluster's alias by hand.
    SetClusterAlias {
        /// Cluster name.
        cluster: String,
        /// Alias.
        alias: String,
    },
    /// Record the alias that a cluster's servers suggest.
    SuggestClusterAlias {
        /// Cluster name.
        cluster: String,
        /// Alias.
        alias: String,
    },
    /// Record a cluster's domain name.
    SetClusterDomain {
        /// Cluster name.
        cluster: String,
        /// Domain.
        domain: String,
    },
    /// Move aliases and overrides from one cluster name to another, after its primary changed.
    RenameCluster {
        /// Name before.
        from: String,
        /// Name now.
        to: String,
    },
    /// Register a virtual host name for use in replication configuration; empty removes it.
    RegisterUnresolved {
        /// Resolved host name.
        hostname: String,
        /// Virtual host name.
        unresolved: String,
    },
    /// Set a tag.
    PutTag {
        /// The server.
        key: InstanceKey,
        /// Tag name.
        name: String,
        /// Tag value.
        value: String,
    },
    /// Remove a tag.
    DeleteTag {
        /// The server.
        key: InstanceKey,
        /// Tag name.
        name: String,
    },
    /// Record two places in binary logs that are the same moment.
    RecordEquivalence {
        /// The places.
        equivalence: Equivalence,
    },
    /// Switch recoveries on or off for the whole group.
    EnableRecoveries {
        /// On or off.
        enabled: bool,
    },
    /// Acknowledge recoveries.
    Acknowledge {
        /// Which.
        what: AcknowledgeScope,
        /// Who.
        by: String,
        /// Why.
        comment: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Make a user, or change what they may do.
    PutUser {
        /// The user as they are from now on.
        user: Box<UserRecord>,
        /// There was none of this name.
        is_new: bool,
    },
    /// Set a user's password.
    SetPassword {
        /// The user.
        name: String,
        /// Its hash.
        hash: PasswordHashText,
        /// When.
        at: DateTime<Utc>,
        /// It is another password: the user's sessions end. Otherwise the same one was hashed with other parameters.
        is_new: bool,
        /// Digest of the one session that goes on; empty for none.
        keep_session: String,
    },
    /// Remove a user, with their sessions and tokens.
    DeleteUser {
        /// The user.
        name: String,
    },
    /// Make an API token.
    PutToken {
        /// The token, without its secret.
        token: Box<TokenRecord>,
    },
    /// Revoke an API token.
    DeleteToken {
        /// Its identity.
        id: String,
        /// Its name, for the audit.
        name: String,
    },
}

/// A hash that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHashText(pub String);

impl std::fmt::Debug for PasswordHashText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<hidden>")
    }
}

impl Command {
    /// The server it is about; the null key when it is about a cluster or the group.
    pub fn about(&self) -> InstanceKey {
        match self {
            Self::Forget { key, .. }
            | Self::Admit { key }
            | Self::BeginDowntime { key, .. }
            | Self::EndDowntime { key }
            | Self::BeginMaintenance { key, .. }
            | Self::EndMaintenance { key }
            | Self::RegisterCandidate { key, .. }
            | Self::ExpireCandidate { key }
            | Self::PutTag { key, .. }
            | Self::DeleteTag { key, .. } => key.clone(),
            _ => InstanceKey::default(),
        }
    }

    /// The cluster that it is about by name; empty when it is about a server or the group.
    pub fn cluster(&self) -> &str {
        match self {
            Self::SetClusterAlias { cluster, .. }
            | Self::SuggestClusterAlias { cluster, .. }
            | Self::SetClusterDomain { cluster, .. } => cluster,
            Self::RenameCluster { to, .. } => to,
            _ => "",
        }
    }

    /// The audit type under which the compatible API lists it (`spec/api.md` 3.10).
    pub fn audit_type(&self) -> &'static str {
        match self {
            Self::Forget { .. } => "forget",
            Self::Admit { .. } => "discover",
            Self::BeginDowntime { .. } => "begin-downtime",
            Self::EndDowntime { .. } => "end-downtime",
            Self::BeginMaintenance { .. } => "begin-maintenance",
            Self::SubmitPool { .. } => "submit-pool-instances",
            Self::EndMaintenance { .. } => "end-maintenance",
            Self::RegisterCandidate { .. } => "register-candidate",
            Self::ExpireCandidate { .. } => "expire-candidate",
            Self::SetClusterAlias { .. } | Self::SuggestClusterAlias { .. } => "set-cluster-alias",
            Self::SetClusterDomain { .. } => "set-cluster-domain",
            Self::RenameCluster { .. } => "replace-cluster-name",
            Self::RegisterUnresolved { .. } => "register-hostname-unresolve",
            Self::PutTag { .. } => "put-tag",
            Self::DeleteTag { .. } => "delete-instance-tag",
            Self::RecordEquivalence { .. } => "record-equivalence",
            Self::EnableRecoveries { enabled: true } => "enable-global-recoveries",
            Self::EnableRecoveries { enabled: false } => "disable-global-recoveries",
            Self::Acknowledge { .. } => "acknowledge-recovery",
            Self::PutUser { is_new: true, .. } => "create-user",
            Self::PutUser { is_new: false, .. } => "change-user",
            Self::SetPassword { .. } => "set-password",
            Self::DeleteUser { .. } => "delete-user",
            Self::PutToken { .. } => "create-token",
            Self::DeleteToken { .. } => "revoke-token",
        }
    }

    /// One line for the audit.
    pub fn summary(&self) -> String {
        match self {
            Self::Forget { key, .. } => format!("forgot {key}"),
            Self::Admit { .. } => "discovered".to_owned(),
            Self::BeginDowntime { downtime, .. } => {
                format!("owner: {}, until: {}, reason: {}", downtime.owner, downtime.end, downtime.reason)
            }
            Self::EndDowntime { key } => format!("downtime of {key} ended"),
            Self::BeginMaintenance { maintenance, .. } => {
                format!("owner: {}, reason: {}", maintenance.owner, maintenance.reason)
            }
            Self::EndMaintenance { key } => format!("maintenance of {key} ended"),
            Self::SubmitPool { pool, members } => format!("pool {pool}: {} members", members.len()),
            Self::RegisterCandidate { candidate, .. } => format!("promotion rule: {}", candidate.rule),
            Self::ExpireCandidate { key } => format!("the promotion rule of {key} expired"),
            Self::SetClusterAlias { cluster, alias } | Self::SuggestClusterAlias { cluster, alias } => {
                format!("alias of {cluster}: {alias}")
            }
            Self::SetClusterDomain { cluster, domain } => format!("domain of {cluster}: {domain}"),
            Self::RenameCluster { from, to } => format!("cluster {from} is now {to}"),
            Self::RegisterUnresolved { hostname, unresolved } => format!("{hostname} is configured as {unresolved}"),
            Self::PutTag { name, value, .. } => format!("tag {name}={value}"),
            Self::DeleteTag { name, .. } => format!("tag {name} removed"),
            Self::RecordEquivalence { equivalence: Equivalence { one, other } } => {
                format!("{} of {} is {} of {}", one.at, one.source, other.at, other.source)
            }
            Self::EnableRecoveries { enabled: true } => "recoveries switched on".to_owned(),
            Self::EnableRecoveries { enabled: false } => "recoveries switched off".to_owned(),
            Self::Acknowledge { by, comment, .. } => format!("acknowledged by {by}: {comment}"),
            Self::PutUser { user, .. } => {
                format!("user {}: {}", user.name, granted(user.role, &user.clusters))
            }
            Self::SetPassword { name, is_new: true, .. } => format!("password of {name} set; other sessions ended"),
            Self::SetPassword { name, .. } => format!("password of {name} hashed with other parameters"),
            Self::DeleteUser { name } => format!("user {name} removed, with sessions and tokens"),
            Self::PutToken { token } => {
                let until = token.ends.map_or_else(|| "without end".to_owned(), |end| format!("until {end}"));
                format!(
                    "token {} ({}) of {}: {}, {until}",
                    token.name,
                    token.id,
                    token.owner,
                    granted(token.role, &token.clusters)
                )
            }
            Self::DeleteToken { id, name } => format!("token {name} ({id}) revoked"),
        }
    }

    /// What stands in the way, judged by the picture at hand.
    ///
    /// # Errors
    /// One line naming what was given and what was expected.
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), String> {
        match self {
            Self::Forget { key, .. } if snapshot.get(key).is_none() => Err(format!("{key} is not known")),
            Self::BeginDowntime { key, downtime } => {
                if snapshot.get(key).is_none() {
                    return Err(format!("{key} is not known"));
                }
                if downtime.owner.trim().is_empty() || downtime.reason.trim().is_empty() {
                    return Err("a downtime needs an owner and a reason, got an empty one".to_owned());
                }
                if downtime.end <= downtime.begin {
                    return Err(format!("a downtime must end after it begins, got an end at {}", downtime.end));
                }
                Ok(())
            }
            Self::BeginMaintenance { key, maintenance } => {
                if snapshot.get(key).is_none() {
                    return Err(format!("{key} is not known"));
                }
                if maintenance.owner.trim().is_empty() || maintenance.reason.trim().is_empty() {
                    return Err("maintenance needs an owner and a reason, got an empty one".to_owned());
                }
                if maintenance.end <= maintenance.begin {
                    return Err(format!("maintenance must end after it begins, got an end at {}", maintenance.end));
                }
                match snapshot.annotations.maintenance.get(key).filter(|active| active.end > snapshot.at) {
                    Some(active) => Err(format!("{key} is in maintenance by {}: {}", active.owner, active.reason)),
                    None => Ok(()),
                }
            }
            Self::SubmitPool { pool, .. } if pool.trim().is_empty() => {
                Err("a pool needs a name, got an empty one".to_owned())
            }
            Self::RegisterCandidate { candidate, .. } if candidate.rule == PromotionRule::Must => {
                Err("promotion rule \"must\" is not supported".to_owned())
            }
            Self::Acknowledge { comment, .. } if comment.trim().is_empty() => {
                Err("an acknowledgement needs a comment, got an empty one".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Makes the command true in the annotations. Commands that are about something else change nothing.
    pub fn annotate(&self, annotations: &mut Annotations) {
        match self {
            Self::BeginDowntime { key, downtime } => {
                annotations.downtime.insert(key.clone(), downtime.clone());
            }
            Self::EndDowntime { key } => {
                annotations.downtime.remove(key);
            }
            Self::BeginMaintenance { key, maintenance } => {
                annotations.maintenance.insert(key.clone(), maintenance.clone());
            }
            Self::EndMaintenance { key } => {
                annotations.maintenance.remove(key);
            }
            Self::RegisterCandidate { key, candidate } => {
                annotations.candidates.insert(key.clone(), candidate.clone());
            }
            Self::ExpireCandidate { key } => {
                annotations.candidates.remove(key);
            }
            Self::SetClusterAlias { cluster, alias } => {
                put(&mut annotations.cluster_alias_overrides, cluster, alias);
                claim_alias(&mut annotations.cluster_aliases, cluster, alias);
            }
            Self::SuggestClusterAlias { cluster, alias } => {
                claim_alias(&mut annotations.cluster_aliases, cluster, alias);
            }
            Self::SetClusterDomain { cluster, domain } => put(&mut annotations.cluster_domains, cluster, domain),
            Self::RenameCluster { from, to } => {
                for names in [
                    &mut annotations.cluster_aliases,
                    &mut annotations.cluster_alias_overrides,
                    &mut annotations.cluster_domains,
                ] {
                    if let Some(value) = names.remove(from) {
                        names.insert(to.clone(), value);
                    }
                }
            }
            Self::RegisterUnresolved { hostname, unresolved } => put(&mut annotations.unresolved, hostname, unresolved),
            Self::PutTag { key, name, value } => {
                annotations.tags.entry(key.clone()).or_default().insert(name.clone(), value.clone());
            }
            Self::DeleteTag { key, name } => {
                if let Some(tags) = annotations.tags.get_mut(key) {
                    tags.remove(name);
                }
                annotations.tags.retain(|_, tags| !tags.is_empty());
            }
            Self::RecordEquivalence { equivalence } => annotations.equivalences.record(equivalence.clone()),
            // Pools are read from the backend when they are asked for: no decision rests on them.
            Self::SubmitPool { .. }
            | Self::Forget { .. }
            | Self::Admit { .. }
            | Self::EnableRecoveries { .. }
            | Self::Acknowledge { .. }
            // These are no word about servers (`accounts`).
            | Self::PutUser { .. }
            | Self::SetPassword { .. }
            | Self::DeleteUser { .. }
            | Self::PutToken { .. }
            | Self::DeleteToken { .. } => {}
        }
    }
}

fn granted(role: Role, clusters: &[String]) -> String {
    let role = format!("{role:?}").to_lowercase();
    if clusters.is_empty() { role } else { format!("{role} of clusters {}", clusters.join(", ")) }
}

/// Sets a name, or removes it when the value is empty.
fn put(names: &mut BTreeMap<String, String>, name: &str, value: &str) {
    if value.is_empty() {
        names.remove(name);
    } else {
        names.insert(name.to_owned(), value.to_owned());
    }
}

/// An alias belongs to one cluster only: the last claim wins (`spec/discovery.md` 29).
fn claim_alias(aliases: &mut BTreeMap<String, String>, cluster: &str, alias: &str) {
    aliases.retain(|_, taken| taken != alias);
    put(aliases, cluster, alias);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_belongs_to_one_cluster() {
        let mut annotations = Annotations::default();
        for cluster in ["a:1", "b:1"] {
            Command::SuggestClusterAlias { cluster: cluster.into(), alias: "orders".into() }.annotate(&mut annotations);
        }
        assert_eq!(annotations.cluster_aliases, BTreeMap::from([("b:1".to_owned(), "orders".to_owned())]));
    }

    #[test]
    fn names_follow_a_cluster_to_its_new_primary() {
        let mut annotations = Annotations::default();
        Command::SetClusterAlias { cluster: "a:1".into(), alias: "orders".into() }.annotate(&mut annotations);
        Command::RenameCluster { from: "a:1".into(), to: "b:1".into() }.annotate(&mut annotations);
        assert_eq!(annotations.cluster_aliases.get("b:1").map(String::as_str), Some("orders"));
        assert_eq!(annotations.cluster_alias_overrides.get("b:1").map(String::as_str), Some("orders"));
    }

    #[test]
    fn what_names_nobody_or_says_nothing_is_refused() {
        let snapshot = Snapshot::default();
        let key = InstanceKey::new("db1", 3306);
        let forget = Command::Forget { key, barred_until: DateTime::<Utc>::UNIX_EPOCH };
        assert_eq!(forget.check(&snapshot), Err("db1:3306 is not known".to_owned()));
        let acknowledge = Command::Acknowledge {
            what: AcknowledgeScope::All,
            by: "dba".into(),
            comment: " ".into(),
            at: DateTime::<Utc>::UNIX_EPOCH,
        };
        assert!(acknowledge.check(&snapshot).is_err());
    }
}
