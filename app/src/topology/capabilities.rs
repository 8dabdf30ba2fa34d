//! What a server understands, asked of the server itself: version numbers do not tell the line (`safety.md`).

use serde::{Deserialize, Serialize};

/// What a server understands. Default: the oldest dialect, which is also right for a server not yet asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Capabilities {
    /// The server was asked; otherwise the other fields are assumptions.
    pub known: bool,
    /// `SHOW REPLICA STATUS`, `START REPLICA`, `CHANGE REPLICATION SOURCE TO` and their column names.
    pub replica_terms: bool,
    /// `SHOW BINARY LOG STATUS` in place of `SHOW MASTER STATUS`.
    pub binary_log_status: bool,
    /// `RESET BINARY LOGS AND GTIDS` in place of `RESET MASTER`.
    pub reset_binary_logs: bool,
    /// The variable `super_read_only` exists.
    pub super_read_only: bool,
    /// Several named channels: `FOR CHANNEL` (MySQL).
    pub channels: bool,
    /// Several named connections: `SHOW ALL SLAVES STATUS` (MariaDB).
    pub named_connections: bool,
    /// The source-side semi-sync plugin has the names of 8.0.26 and later.
    pub semi_sync_source_names: bool,
    /// The replica-side semi-sync plugin has the names of 8.0.26 and later.
    pub semi_sync_replica_names: bool,
    /// `performance_schema` is on.
    pub performance_schema: bool,
    /// `gtid_mode` exists: MySQL GTIDs can be used.
    pub mysql_gtid: bool,
    /// `gtid_domain_id` exists: MariaDB GTIDs can be used.
    pub mariadb_gtid: bool,
}
