//! Access to the monitored servers: section 7.3 of the configuration.

use std::time::Duration;

use crate::config::secret::Secret;
use crate::config::span;
use crate::config::table::section;

section! {
    /// How the monitored MySQL and MariaDB servers are reached (spec 7.3).
    TopologyConfig, "Access to the monitored servers" {
        /// User on all monitored servers.
        "MySQLTopologyUser" => user: String = String::new(), Live, InEffect;
        /// Its password; `${NAME}` is taken from the environment.
        "MySQLTopologyPassword" => password: Secret = Secret::default(), Live, InEffect;
        /// File with a section `[client]` holding `user` and `password`. When set it replaces both values above.
        "MySQLTopologyCredentialsConfigFile" => credentials_config_file: String = String::new(), Live, InEffect;
        /// Always use TLS to the monitored servers.
        "MySQLTopologyUseMutualTLS" => use_tls: bool = false, Live, InEffect;
        /// When not always TLS: try plain first and switch a server to TLS if it denies access or demands a
        /// secure transport (error 3159). The finding is kept per server.
        "MySQLTopologyUseMixedTLS" => use_mixed_tls: bool = true, Live, InEffect;
        /// Do not verify server certificates; also suppresses the client certificate.
        "MySQLTopologySSLSkipVerify" => ssl_skip_verify: bool = false, Start, InEffect;
        /// Client key; used only with `MySQLTopologyUseMutualTLS`, a certificate, and without skip-verify.
        "MySQLTopologySSLPrivateKeyFile" => ssl_private_key_file: String = String::new(), Start, InEffect;
        /// Client certificate.
        "MySQLTopologySSLCertFile" => ssl_cert_file: String = String::new(), Start, InEffect;
        /// CA file (PEM) that the servers' certificates are verified with; empty = the system's trust store.
        "MySQLTopologySSLCAFile" => ssl_ca_file: String = String::new(), Start, InEffect;
        /// Client packet limit, bytes: -1 driver default, 0 ask the server, positive as given.
        "MySQLTopologyMaxAllowedPacket" => max_allowed_packet: i64 = -1, Live, InEffect;
        /// Seconds a probe query may take.
        "MySQLDiscoveryReadTimeoutSeconds" => probe_read_timeout_seconds: i64 = 10, Live, InEffect;
        /// Seconds any other statement on a monitored server may take.
        "MySQLTopologyReadTimeoutSeconds" => read_timeout_seconds: i64 = 600, Live, InEffect;
        /// With `MySQLTopologyUseMixedTLS`, a server that demanded TLS is tried without it again after this ×
        /// `InstancePollSeconds`.
        "TLSCacheTTLFactor" => tls_cache_ttl_factor: u64 = 100, Live, InEffect;
    }
}

impl TopologyConfig {
    /// How long a probe query may take; `None` = no limit.
    #[must_use]
    pub fn probe_read_timeout(&self) -> Option<Duration> {
        span::limit(self.probe_read_timeout_seconds)
    }

    /// How long any other statement may take; `None` = no limit.
    #[must_use]
    pub fn read_timeout(&self) -> Option<Duration> {
        span::limit(self.read_timeout_seconds)
    }
}
