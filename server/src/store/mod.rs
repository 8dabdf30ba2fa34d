//! The backend database: the memory of the fleet across restarts.
//!
//! # What do we store?
//!
//! Nobody waits for this room to show or decide anything: the picture lives in memory (`fleet`), and what is
//! here is read once at start and written behind. Three kinds of things are stored, for three reasons.
//!
//! - **Observations**, so that a restart does not begin blind: one row per server in `database_instance`, with
//!   what the last probe learned. They may be lost: the next probe brings them back. What the compatible
//!   columns cannot hold (options of TLS, further channels, errors of the probe) goes as JSON beside it,
//!   into `orchestrator_instance_extra`. Not stored: findings, which are computed from the picture, and
//!   metrics.
//! - **What people said**, which nothing brings back: downtime, maintenance, promotion rules, aliases,
//!   domains, virtual names, tags, pools, the global switch. A write of these is answered only when it is in.
//! - **What was done**: the audit with its actors, detections, recoveries with every step. A recovery is
//!   recorded step by step, each *before* it is run (`orchestrator_recovery`, `orchestrator_recovery_step`),
//!   so that a restarted or another node can finish it. Beside it, the compatible tables tell the same story to
//!   older clients and older binaries.
//!
//! - **Who may do what**: users with argon2id hashes, and digests of sessions and tokens.
//!
//! Not stored at all: passwords of any kind, and the consensus log (its own file).
//!
//! The compatible tables are an interface (`spec/schema.md`): a database of the original is opened in place, every form
//! of row that any version of it wrote is read, and an older binary can be started on the same
//! database again. Tables of our own begin with `orchestrator_`.
//!
//! Two backends, one code: `connection` hides the drivers, `dialect` the differences of SQL. An embedded file is
//! read by several connections and written by one; its write-ahead log keeps readers and the writer apart.

mod accounts;
mod annotations;
mod audit;
mod candidates;
mod connection;
mod control;
mod detections;
mod dialect;
mod equivalences;
mod error;
mod history;
mod holds;
mod housekeeping;
mod inspect;
mod instance_row;
mod instances;
mod labels;
mod maintenance;
mod membership;
mod migrate;
mod names;
mod nodes;
mod packed;
mod pseudo_gtid;
mod recoveries;
mod recovery_record;
mod settings;
mod text;
mod value;

use app::InstanceKey;

use connection::{Connections, Tx};
use dialect::Dialect;
use value::{Done, Row, Statement};

pub use accounts::{AccountRows, SessionRecord, TokenRecord, UserRecord};
pub use audit::{AuditEntry, AuditFilter, AuditRecord};
pub use control::{AccessToken, AnalysisChange};
pub use detections::{DetectionFilter, DetectionRow, NewDetection};
pub use error::{StoreError, StoreResult};
pub use history::{SnapshotServer, StoredSnapshot};
pub use holds::{ServerHolds, WantedHolds};
pub use housekeeping::{PurgePolicy, Purged};
pub use inspect::{Inspection, inspect};
pub use instances::WriteReport;
pub use labels::PoolMember;
pub use maintenance::NewMaintenance;
pub use membership::Membership;
pub use names::{HostAddresses, ResolvedName};
pub use nodes::{NodeHealthRow, NodeIdentity, NodeReport};
pub use recoveries::{BlockedRow, RecoveryFilter, RecoveryRow, RecoveryStepRow, Registered, RegistrationRules};
pub use recovery_record::{RecoveryStanding, UnfinishedRecovery};
pub use settings::{BackendSettings, BackendTls, BackendTlsMode, Deployment, MySqlSettings};

/// Rows on one page of the audit listings (`spec/api.md` 1.7).
pub const PAGE_SIZE: u32 = 20;

/// An open backend. Cheap to clone: the connections are shared.
#[derive(Debug, Clone)]
pub struct Store {
    connections: Connections,
}

impl Store {
    /// Opens a backend, creating file or schema when missing, and deploys what it lacks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says what was tried; [`StoreError::DifferentDeploy`] and [`StoreError::NotDeployed`] come from
    /// the two deployment settings.
    pub async fn open(backend: &BackendSettings, deployment: &Deployment) -> StoreResult<Self> {
        let connections = match backend {
            BackendSettings::Sqlite { path } => Connections::sqlite_file(path).await?,
            BackendSettings::MySql(settings) => Connections::mysql(settings).await?,
        };
        let store = Self { connections };
        migrate::deploy(&store, deployment).await?;
        migrate::normalise_timestamps(&store).await?;
        Ok(store)
    }

    /// A fresh backend in memory, gone with the last clone.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn in_memory() -> StoreResult<Self> {
        let store = Self { connections: Connections::sqlite_memory().await? };
        migrate::deploy(&store, &Deployment::of_version("in-memory")).await?;
        Ok(store)
    }

    /// Asks the backend for one number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not answer.
    pub async fn ping(&self) -> StoreResult<()> {
        self.rows(Statement::new("select 1 as one")).await.map(|_| ())
    }

    /// Deploys the schema again, whatever has been deployed (`redeploy-internal-db`).
    ///
    /// # Errors
    /// What the backend says.
    pub async fn redeploy(&self) -> StoreResult<()> {
        migrate::deploy(self, &Deployment::default()).await
    }

    /// Ends all connections; calls after this fail as unavailable.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// Other processes may use the same backend: it is no file of ours.
    pub fn may_be_shared(&self) -> bool {
        self.dialect() == Dialect::MySql
    }

    fn dialect(&self) -> Dialect {
        self.connections.dialect()
    }

    async fn run(&self, statement: Statement) -> StoreResult<Done> {
        self.connections.run(statement).await
    }

    async fn rows(&self, statement: Statement) -> StoreResult<Vec<Row>> {
        self.connections.rows(statement).await
    }

    async fn row(&self, statement: Statement) -> StoreResult<Option<Row>> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    async fn begin(&self) -> StoreResult<Tx> {
        self.connections.begin().await
    }

    /// Deletes the row of a server from a table; `true` when there was one.
    async fn delete_by_key(&self, sql: &'static str, key: &InstanceKey) -> StoreResult<bool> {
        Ok(self.run(Statement::new(sql).bind_key(key)).await?.affected > 0)
    }
}
