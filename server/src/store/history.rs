//! The history of topologies: thin pictures of all servers, taken from time to time (`spec/schema.md` 5.27).

use app::InstanceKey;
use chrono::{DateTime, Utc};

use super::value::Statement;
use super::{Store, StoreResult};

/// A picture that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// When it was taken, to the second: its name.
    pub at: DateTime<Utc>,
    /// Servers in it.
    pub servers: u64,
}

/// A server in a stored picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotServer {
    /// The server.
    pub key: InstanceKey,
    /// Its source; the null key when it had none.
    pub source: InstanceKey,
    /// Its cluster.
    pub cluster: String,
    /// Its version.
    pub version: String,
}

impl Store {
    /// Adds a thin picture of all servers, as the backend has them, to the history. Gives how many servers are in it.
    ///
    /// # Errors
    /// [`super::StoreError::Conflict`] when there is one of the same second.
    pub async fn snapshot_topologies(&self, at: DateTime<Utc>) -> StoreResult<u64> {
        let sql = "insert into database_instance_topology_history \
                   (snapshot_unix_timestamp, hostname, port, master_host, master_port, cluster_name, version) \
                   select ?, hostname, port, master_host, master_port, cluster_name, version from database_instance";
        Ok(self.run(Statement::new(sql).bind(at.timestamp())).await?.affected)
    }

    /// The pictures that are stored, newest first, a page of them.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn topology_snapshots(&self, page: u32, page_size: u32) -> StoreResult<Vec<StoredSnapshot>> {
        let sql = "select snapshot_unix_timestamp as taken, count(*) as servers from database_instance_topology_history \
                   group by snapshot_unix_timestamp order by snapshot_unix_timestamp desc limit ? offset ?";
        let offset = i64::from(page) * i64::from(page_size);
        let rows = self.rows(Statement::new(sql).bind(i64::from(page_size)).bind(offset)).await?;
        let stored = rows.iter().filter_map(|row| {
            let at = DateTime::from_timestamp(row.int("taken"), 0)?;
            Some(StoredSnapshot { at, servers: u64::try_from(row.int("servers")).unwrap_or(0) })
        });
        Ok(stored.collect())
    }

    /// When the newest picture was taken; `None` when there is none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn last_topology_snapshot(&self) -> StoreResult<Option<DateTime<Utc>>> {
        let sql = "select max(snapshot_unix_timestamp) as taken from database_instance_topology_history";
        let row = self.row(Statement::new(sql)).await?;
        Ok(row.and_then(|row| row.int_or_null("taken")).and_then(|taken| DateTime::from_timestamp(taken, 0)))
    }

    /// The servers of one stored picture, by key; empty when there is none of this second.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn topology_snapshot(&self, at: DateTime<Utc>) -> StoreResult<Vec<SnapshotServer>> {
        let sql = "select hostname, port, master_host, master_port, cluster_name, version \
                   from database_instance_topology_history where snapshot_unix_timestamp = ? order by hostname, port";
        let rows = self.rows(Statement::new(sql).bind(at.timestamp())).await?;
        let server = |row: &super::value::Row| SnapshotServer {
            key: row.key(),
            source: row.key_of("master_host", "master_port"),
            cluster: row.text("cluster_name"),
            version: row.text("version"),
        };
        Ok(rows.iter().map(server).collect())
    }
}
