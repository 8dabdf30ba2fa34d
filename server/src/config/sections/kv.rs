//! Key-value stores: section 7.13 of the configuration.

use crate::config::secret::Secret;
use crate::config::table::section;

section! {
    /// Where the primary of each cluster is published (spec 7.13).
    KvConfig, "Key-value stores" {
        /// Key prefix of the entries for primaries; ends in exactly one slash. Below it stand `<alias>` =
        /// `host:port` and `<alias>/hostname`, `/port`, `/ipv4`, `/ipv6`.
        "KVClusterMasterPrefix" => cluster_primary_prefix: String = "mysql/master".to_owned(), Live, InEffect;
        /// `host:port` of the Consul HTTP API; empty = no Consul.
        "ConsulAddress" => consul_address: String = String::new(), Start, InEffect;
        /// `http` or `https`.
        "ConsulScheme" => consul_scheme: String = "http".to_owned(), Start, InEffect;
        /// ACL token for Consul; empty = none.
        "ConsulAclToken" => consul_acl_token: Secret = Secret::default(), Start, InEffect;
        /// Also write the entries to every data centre that Consul lists. Requires `ConsulAddress`.
        "ConsulCrossDataCenterDistribution" => consul_cross_data_center_distribution: bool = false, Live, InEffect;
        /// `consul` (single puts) or `consul-txn`/`consul_txn` (transactions); anything else = `consul`.
        "ConsulKVStoreProvider" => consul_kv_store_provider: String = "consul".to_owned(), Start, InEffect;
        /// Pairs per transaction when distributing with `consul-txn`; forced into 5…64.
        "ConsulMaxKVsPerTransaction" => consul_max_kvs_per_transaction: i64 = 5, Live, InEffect;
        /// Comma list `host[:port]` of ZooKeeper servers, default port 2181; empty = none. Keys get a leading
        /// slash; parents are created.
        "ZkAddress" => zk_address: String = String::new(), Start, InEffect;
    }
}

impl KvConfig {
    /// Pairs of one cluster are written together.
    #[must_use]
    pub fn uses_transactions(&self) -> bool {
        matches!(self.consul_kv_store_provider.to_ascii_lowercase().as_str(), "consul-txn" | "consul_txn")
    }
}
