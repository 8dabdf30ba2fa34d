//! Who is left out of discovery (`spec/discovery.md` 8.1).

use std::net::IpAddr;

use app::InstanceKey;
use regex::Regex;

/// One host filter: an IP address must equal the host name, anything else is an unanchored expression over `host:port`.
#[derive(Debug, Clone)]
enum HostFilter {
    Address(String),
    Pattern(Regex),
}

/// Filters of discovery. The default leaves nobody out.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    hosts: Vec<HostFilter>,
    replicas: Vec<HostFilter>,
    sources: Vec<HostFilter>,
    users: Vec<Regex>,
}

impl Filters {
    /// Filters from the settings `DiscoveryIgnoreHostnameFilters`, `DiscoveryIgnoreReplicaHostnameFilters`,
    /// `DiscoveryIgnoreMasterHostnameFilters` and `DiscoveryIgnoreReplicationUsernameFilters`, in this order. A text
    /// that is no regular expression matches nothing: whoever read the settings has complained about it.
    pub fn new(hosts: &[String], replicas: &[String], sources: &[String], users: &[String]) -> Self {
        let all = |texts: &[String]| texts.iter().filter_map(|text| host_filter(text)).collect::<Vec<_>>();
        Self {
            hosts: all(hosts),
            replicas: all(replicas),
            sources: all(sources),
            users: users.iter().filter_map(|text| Regex::new(text).ok()).collect(),
        }
    }

    /// The server may be probed at all.
    pub fn admits(&self, key: &InstanceKey) -> bool {
        !any(&self.hosts, key)
    }

    /// A replica that its source reported may be followed.
    pub fn admits_replica(&self, key: &InstanceKey, user: &str) -> bool {
        !any(&self.replicas, key) && self.admits_user(user)
    }

    /// A source that its replica named may be followed.
    pub fn admits_source(&self, key: &InstanceKey) -> bool {
        !any(&self.sources, key)
    }

    /// Replicas with this replication user are wanted.
    pub fn admits_user(&self, user: &str) -> bool {
        user.is_empty() || !self.users.iter().any(|pattern| pattern.is_match(user))
    }
}

fn host_filter(text: &str) -> Option<HostFilter> {
    if text.parse::<IpAddr>().is_ok() {
        return Some(HostFilter::Address(text.to_owned()));
    }
    Regex::new(text).ok().map(HostFilter::Pattern)
}

fn any(filters: &[HostFilter], key: &InstanceKey) -> bool {
    filters.iter().any(|filter| match filter {
        HostFilter::Address(address) => *address == key.hostname,
        HostFilter::Pattern(pattern) => pattern.is_match(&key.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_whole_and_an_expression_anywhere() {
        let filters = Filters::new(&["10.0.0.1".to_owned(), "^stage".to_owned(), ":3307$".to_owned()], &[], &[], &[]);
        for (host, port, admitted) in [
            ("10.0.0.1", 3306, false),
            ("10.0.0.11", 3306, true),
            ("stage-db", 3306, false),
            ("db-stage", 3306, true),
            ("db", 3307, false),
        ] {
            assert_eq!(filters.admits(&InstanceKey::new(host, port)), admitted, "{host}:{port}");
        }
        assert!(Filters::new(&["(".to_owned()], &[], &[], &[]).admits(&InstanceKey::new("(", 3306)));
    }
}
