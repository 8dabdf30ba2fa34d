//! Key-value stores: where the primary of each cluster is published (`spec/recovery.md` 7, `docs/KV.md`).

mod consul;
mod internal;
mod publisher;
mod zookeeper;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use app::InstanceKey;
use futures_util::future::BoxFuture;

pub use consul::{Consul, ConsulSettings};
pub use internal::Internal;
pub use publisher::{Parts, Publisher, Stored, keep_true, stores_of};
pub use zookeeper::ZooKeeper;

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPair {
    /// Key, without a leading slash.
    pub key: String,
    /// Value.
    pub value: String,
}

/// Why a store was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KvError(pub String);

/// A store of keys and values. A trait because the world cannot come into a test.
pub trait KvStore: Send + Sync {
    /// Name, for messages.
    fn name(&self) -> &'static str;

    /// Writes the pairs of one cluster, all at once where the store can, wherever it distributes to.
    ///
    /// # Errors
    /// [`KvError`] when any of them may not have been written.
    fn put<'a>(&'a self, pairs: &'a [KvPair]) -> BoxFuture<'a, Result<(), KvError>>;

    /// Reads keys, all of which begin with `prefix`; each place that the store distributes to answers by itself. A key that
    /// is missing there is missing in its map. Nothing is remembered from earlier: what others changed is seen.
    ///
    /// # Errors
    /// [`KvError`] when any place did not answer.
    fn read<'a>(
        &'a self,
        prefix: &'a str,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BTreeMap<String, String>>, KvError>>;
}

/// The addresses of a host as last resolved; empty texts when they are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// First IPv4 address.
    pub ipv4: String,
    /// First IPv6 address.
    pub ipv6: String,
}

impl Addresses {
    /// The first address of each kind.
    pub fn of(found: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut addresses = Self::default();
        for address in found {
            let kept = if address.is_ipv4() { &mut addresses.ipv4 } else { &mut addresses.ipv6 };
            if kept.is_empty() {
                *kept = address.to_string();
            }
        }
        addresses
    }
}

/// What is published for a cluster (`spec/recovery.md` 7.1). `prefix` ends in a slash.
pub fn pairs(prefix: &str, alias: &str, primary: &InstanceKey, addresses: &Addresses) -> Vec<KvPair> {
    let entry = format!("{}{alias}", prefix.trim_start_matches('/'));
    let below = |name: &str, value: &str| KvPair { key: format!("{entry}/{name}"), value: value.to_owned() };
    vec![
        KvPair { key: entry.clone(), value: primary.to_string() },
        below("hostname", &primary.hostname),
        below("port", &primary.port.to_string()),
        below("ipv4", &addresses.ipv4),
        below("ipv6", &addresses.ipv6),
    ]
}
