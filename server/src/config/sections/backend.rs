//! Backend database: section 7.2 of the configuration.

use std::time::Duration;

use crate::config::secret::Secret;
use crate::config::span;
use crate::config::table::section;

section! {
    /// Where this node keeps its state, and how it connects there (spec 7.2).
    BackendConfig, "Backend database" {
        /// Backend kind: a value that contains `sqlite` means the embedded SQLite, everything else MySQL
        /// (`mysql`, `sqlite3`, `sqlite`).
        "BackendDB" => database_kind: String = "mysql".to_owned(), Start, InEffect;
        /// Path of the SQLite file, created if missing; required for SQLite. `:memory:` keeps everything in
        /// memory only.
        "SQLite3DataFile" => sqlite_data_file: String = String::new(), Start, InEffect;
        /// Backend MySQL host.
        "MySQLOrchestratorHost" => host: String = String::new(), Live, InEffect;
        /// Backend MySQL port.
        "MySQLOrchestratorPort" => port: u64 = 3306, Live, InEffect;
        /// Backend schema name.
        "MySQLOrchestratorDatabase" => database: String = String::new(), Live, InEffect;
        /// Backend user.
        "MySQLOrchestratorUser" => user: String = String::new(), Live, InEffect;
        /// Backend password; `${NAME}` is taken from the environment.
        "MySQLOrchestratorPassword" => password: Secret = Secret::default(), Live, InEffect;
        /// File with a section `[client]` holding `user` and `password`. When set it replaces both values above.
        "MySQLOrchestratorCredentialsConfigFile" => credentials_config_file: String = String::new(), Live, InEffect;
        /// Upper limit of open backend connections (0 or less: no limit set). Idle limit is a quarter of it, at
        /// least 10.
        "MySQLOrchestratorMaxPoolConnections" => max_pool_connections: i64 = 128, Start, InEffect;
        /// Seconds a backend query may take.
        "MySQLOrchestratorReadTimeoutSeconds" => read_timeout_seconds: i64 = 30, Live, InEffect;
        /// Before each use ask whether the server behind a kept backend connection still takes writes, and drop the connection
        /// if not: after a failover of the backend the next one leads to the new primary.
        "MySQLOrchestratorRejectReadOnly" => reject_read_only: bool = false, Start, InEffect;
        /// Client packet limit, bytes: -1 driver default (64 MiB), 0 ask the server, positive as given.
        "MySQLOrchestratorMaxAllowedPacket" => max_allowed_packet: i64 = -1, Live, InEffect;
        /// Connect timeout, seconds, for backend and topology connections.
        "MySQLConnectTimeoutSeconds" => connect_timeout_seconds: i64 = 2, Live, InEffect;
        /// Maximum age of a pooled connection, seconds (both kinds); 0 = unlimited.
        "MySQLConnectionLifetimeSeconds" => connection_lifetime_seconds: i64 = 0, Live, InEffect;
        /// Use TLS to the backend.
        "MySQLOrchestratorUseMutualTLS" => use_tls: bool = false, Start, InEffect;
        /// Do not verify the backend's certificate. When true the client certificate is not sent either.
        "MySQLOrchestratorSSLSkipVerify" => ssl_skip_verify: bool = false, Start, InEffect;
        /// Client key (PEM). Used only with a certificate and without skip-verify.
        "MySQLOrchestratorSSLPrivateKeyFile" => ssl_private_key_file: String = String::new(), Start, InEffect;
        /// Client certificate (PEM).
        "MySQLOrchestratorSSLCertFile" => ssl_cert_file: String = String::new(), Start, InEffect;
        /// CA file (PEM) that the backend's certificate is verified with; empty = the system's trust store.
        "MySQLOrchestratorSSLCAFile" => ssl_ca_file: String = String::new(), Start, InEffect;
        /// Never check or upgrade the schema; an unreachable backend is then not fatal at start. The flag
        /// `-enable-database-update` overrides it.
        "SkipOrchestratorDatabaseUpdate" => skip_orchestrator_database_update: bool = false, Start, InEffect;
        /// Exit 1 when the schema was not deployed by this very version (versioned binaries only).
        "PanicIfDifferentDatabaseDeploy" => panic_if_different_database_deploy: bool = false, Start, InEffect;
    }
}

/// Kind of the backend database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// A MySQL or MariaDB server.
    Mysql,
    /// The embedded SQLite.
    Sqlite,
}

impl BackendConfig {
    /// Kind of the backend: anything that contains `sqlite` is SQLite.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        if self.database_kind.contains("sqlite") { BackendKind::Sqlite } else { BackendKind::Mysql }
    }

    /// Port of a MySQL backend. Checked at load where one is used.
    #[must_use]
    pub fn port_number(&self) -> u16 {
        u16::try_from(self.port).unwrap_or(3306)
    }

    /// How long connecting may take, to the backend and to the monitored servers; `None` = no limit.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        span::limit(self.connect_timeout_seconds)
    }

    /// How long a backend query may take; `None` = no limit.
    #[must_use]
    pub fn read_timeout(&self) -> Option<Duration> {
        span::limit(self.read_timeout_seconds)
    }

    /// Maximum age of a pooled connection; `None` = no limit.
    #[must_use]
    pub fn connection_lifetime(&self) -> Option<Duration> {
        span::limit(self.connection_lifetime_seconds)
    }
}
