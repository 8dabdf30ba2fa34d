//! The audit: what was done to what, and by whom. The compatible table has no column for the actor, so
//! that is kept in a table of ours beside it.

use app::InstanceKey;
use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of thing, e.g. `relocate` (`spec/api.md` 3.10).
    pub kind: String,
    /// The server it was done to; null for what concerns all.
    pub key: InstanceKey,
    /// Its cluster; empty when there is none.
    pub cluster: String,
    /// What, for people.
    pub message: String,
    /// Who; empty in entries of the original.
    pub actor: String,
}

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Number.
    pub id: i64,
    /// Entry.
    pub entry: AuditEntry,
}

const SELECT: &str = "select audit.audit_id as id, audit_timestamp, audit_type, hostname, port, cluster_name, \
                      message, actor from audit left join orchestrator_audit_actor \
                      on orchestrator_audit_actor.audit_id = audit.audit_id";

impl Store {
    /// Adds an entry and returns its number.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn insert_audit(&self, entry: &AuditEntry) -> StoreResult<i64> {
        let columns = ["audit_timestamp", "audit_type", "hostname", "port", "cluster_name", "message"];
        let mut tx = self.begin().await?;
        let statement = Statement::new(self.dialect().insert("audit", &columns, 1))
            .bind(entry.at)
            .bind(self.fit_ascii(&entry.kind, 128))
            .bind(self.fit_ascii(&entry.key.hostname, 128))
            .bind(entry.key.port)
            .bind(self.fit_ascii(&entry.cluster, 128))
            .bind(self.fit(&entry.message, 20_000));
        let id = tx.run(statement).await?.last_id;
        // SQLite may give the number of a purged entry again: its actor must not come back with it.
        let columns = ["audit_id", "actor"];
        let sql = self.dialect().upsert("orchestrator_audit_actor", &["audit_id"], &columns, &[], 1);
        tx.run(Statement::new(sql).bind(id).bind(self.fit(&entry.actor, 255))).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// A page of entries, newest first, of one server or of all.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn audit(&self, key: Option<&InstanceKey>, page: u32, page_size: u32) -> StoreResult<Vec<AuditRecord>> {
        let statement = match key {
            Some(key) => {
                let sql = format!("{SELECT} where hostname = ? and port = ? order by id desc limit ? offset ?");
                Statement::new(sql).bind_key(key)
            }
            None => Statement::new(format!("{SELECT} order by id desc limit ? offset ?")),
        };
        let statement = statement.bind(page_size).bind(u64::from(page) * u64::from(page_size));
        Ok(self.rows(statement).await?.iter().map(record_of).collect())
    }

    /// The entries of a server since a moment, oldest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn audit_since(&self, key: &InstanceKey, since: DateTime<Utc>) -> StoreResult<Vec<AuditRecord>> {
        let sql = format!("{SELECT} where hostname = ? and port = ? and audit_timestamp >= ? order by id");
        Ok(self.rows(Statement::new(sql).bind_key(key).bind(since)).await?.iter().map(record_of).collect())
    }
}

fn record_of(row: &Row) -> AuditRecord {
    AuditRecord {
        id: row.int("id"),
        entry: AuditEntry {
            at: row.time_or_epoch("audit_timestamp"),
            kind: row.text("audit_type"),
            key: row.key(),
            cluster: row.text("cluster_name"),
            message: row.text("message"),
            actor: row.text("actor"),
        },
    }
}
