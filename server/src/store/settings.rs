//! Which backend, and how it is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the backend database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendSettings {
    /// A file, created when it is missing (`SQLite3DataFile`).
    Sqlite {
        /// Path of the file.
        path: PathBuf,
    },
    /// A schema on a MySQL or MariaDB server, created when it is missing.
    MySql(MySqlSettings),
}

/// A schema on a MySQL or MariaDB server.
#[derive(Clone, PartialEq, Eq)]
pub struct MySqlSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Its password; never shown.
    pub password: String,
    /// Schema.
    pub database: String,
    /// TLS.
    pub tls: BackendTls,
    /// Most connections open at a time.
    pub max_connections: u32,
    /// A connection may take this long to come about.
    pub connect_timeout: Duration,
    /// A statement may take this long.
    pub read_timeout: Duration,
    /// `MySQLOrchestratorRejectReadOnly`: a connection to a server that has become read-only is dropped before its next use.
    pub drop_read_only: bool,
}

/// TLS towards the backend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackendTls {
    /// How much TLS is asked for.
    pub mode: BackendTlsMode,
    /// Path of the certificate authority file (PEM).
    pub ca: Option<PathBuf>,
    /// Path of the client certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Path of the client key (PEM).
    pub key: Option<PathBuf>,
}

/// How much TLS is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendTlsMode {
    /// No TLS.
    Off,
    /// TLS when the server offers it; nothing is verified.
    #[default]
    Preferred,
    /// TLS or nothing; the certificate is not verified.
    Required,
    /// TLS, and the certificate must be signed by the authority and carry the host's name.
    Verified,
}

impl Default for MySqlSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 3306,
            user: String::new(),
            password: String::new(),
            database: "orchestrator".to_owned(),
            tls: BackendTls::default(),
            max_connections: 128,
            connect_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(30),
            drop_read_only: false,
        }
    }
}

impl fmt::Debug for MySqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &"<hidden>")
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("max_connections", &self.max_connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("drop_read_only", &self.drop_read_only)
            .finish()
    }
}

impl fmt::Display for BackendSettings {
    /// As `node_health.db_backend` has it: the file's path, or `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "{}", path.display()),
            Self::MySql(mysql) => write!(f, "{}:{}", mysql.host, mysql.port),
        }
    }
}

/// How the schema is deployed at opening (`spec/schema.md` 3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployment {
    /// Our version text, for `orchestrator_db_deployments`; empty deploys at every start.
    pub version: String,
    /// `SkipOrchestratorDatabaseUpdate`: change nothing, and fail when something needed is missing.
    pub skip_update: bool,
    /// `PanicIfDifferentDatabaseDeploy`: refuse a backend in which this version never deployed.
    pub refuse_different: bool,
}

impl Deployment {
    /// Deploys under this version text.
    pub fn of_version(version: impl Into<String>) -> Self {
        Self { version: version.into(), ..Self::default() }
    }
}
