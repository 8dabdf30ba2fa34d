//! Maintenance: holds on servers, one active per server (`spec/recovery.md` 6.4).

use app::InstanceKey;
use chrono::{DateTime, Duration, Utc};

use super::nodes::NodeIdentity;
use super::value::Statement;
use super::{Store, StoreResult};

/// Ended entries are kept this long as history.
const HISTORY: Duration = Duration::days(7);

/// A hold that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMaintenance {
    /// The server.
    pub key: InstanceKey,
    /// Who asks for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Begin.
    pub begin: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// The process that holds it.
    pub node: NodeIdentity,
    /// A person gave or accepted the duration; otherwise the hold ends with its process.
    pub explicitly_bounded: bool,
}

impl Store {
    /// Takes a hold on a server and returns its number; `None` when somebody else has it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn begin_maintenance(&self, new: &NewMaintenance) -> StoreResult<Option<i64>> {
        let columns = [
            "hostname",
            "port",
            "maintenance_active",
            "begin_timestamp",
            "end_timestamp",
            "owner",
            "reason",
            "processing_node_hostname",
            "processing_node_token",
            "explicitly_bounded",
        ];
        let sql = self.dialect().insert_absent("database_instance_maintenance", &columns);
        let statement = Statement::new(sql)
            .bind_key(&new.key)
            .bind(true)
            .bind(new.begin)
            .bind(new.end)
            .bind(self.fit(&new.owner, 128))
            .bind(self.fit(&new.reason, 20_000))
            .bind(&new.node.hostname)
            .bind(&new.node.token)
            .bind(new.explicitly_bounded);
        let done = self.run(statement).await?;
        Ok((done.affected > 0).then_some(done.last_id))
    }

    /// Ends the hold on a server, keeping it as history; `false` when there is none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn end_maintenance(&self, key: &InstanceKey, now: DateTime<Utc>) -> StoreResult<bool> {
        let sql = "update database_instance_maintenance set maintenance_active = null, end_timestamp = ? \
                   where maintenance_active = 1 and hostname = ? and port = ?";
        Ok(self.run(Statement::new(sql).bind(now).bind_key(key)).await?.affected > 0)
    }

    /// The same by the number that [`Store::begin_maintenance`] returned.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn end_maintenance_by_id(&self, id: i64, now: DateTime<Utc>) -> StoreResult<bool> {
        let sql = "update database_instance_maintenance set maintenance_active = null, end_timestamp = ? \
                   where maintenance_active = 1 and database_instance_maintenance_id = ?";
        Ok(self.run(Statement::new(sql).bind(now).bind(id)).await?.affected > 0)
    }

    /// Deletes active entries past their end, those of processes that are gone, and old history. Returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn expire_maintenance(&self, now: DateTime<Utc>) -> StoreResult<u64> {
        let over = "delete from database_instance_maintenance where maintenance_active is null and end_timestamp < ?";
        let mut deleted = self.run(Statement::new(over).bind(now - HISTORY)).await?.affected;
        deleted += self.run(self.void_holds(now)).await?.affected;
        Ok(deleted)
    }
}
