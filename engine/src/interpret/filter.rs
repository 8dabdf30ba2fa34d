//! Who is left out of discovery (`spec/discovery.md` 8.1).

use std::net::IpAddr;

use app::InstanceKey;
use regex::Regex;

/// A filter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use filter {filter:?} as a regular expression: {reason}")]
pub struct FilterError {
    /// The text given.
    pub filter: String,
    /// What is wrong with it.
    pub reason: String,
}

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
    /// `DiscoveryIgnoreMasterHostnameFilters` and `DiscoveryIgnoreReplicationUsernameFilters`, in this order.
    ///
    /// # Errors
    /// The first filter that is no expression.
    pub fn new(
        hosts: &[String],
        replicas: &[String],
        sources: &[String],
        users: &[String],
    ) -> Result<Self, FilterError> {
        let all = |texts: &[String]| texts.iter().map(|text| host_filter(text)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            hosts: all(hosts)?,
            replicas: all(replicas)?,
            sources: all(sources)?,
            users: users.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
        })
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

fn host_filter(text: &str) -> Result<HostFilter, FilterError> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(HostFilter::Address(text.to_owned()));
    }
    Ok(HostFilter::Pattern(pattern(text)?))
}

fn pattern(text: &str) -> Result<Regex, FilterError> {
    Regex::new(text).map_err(|error| FilterError { filter: text.to_owned(), reason: error.to_string() })
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
        let filters = Filters::new(&["10.0.0.1".to_owned(), "^stage".to_owned(), ":3307$".to_owned()], &[], &[], &[])
            .expect("filters");
        for (host, port, admitted) in [
            ("10.0.0.1", 3306, false),
            ("10.0.0.11", 3306, true),
            ("stage-db", 3306, false),
            ("db-stage", 3306, true),
            ("db", 3307, false),
        ] {
            assert_eq!(filters.admits(&InstanceKey::new(host, port)), admitted, "{host}:{port}");
        }
        assert!(
            Filters::new(&["(".to_owned()], &[], &[], &[]).expect_err("not an expression").to_string().contains('(')
        );
    }
}
