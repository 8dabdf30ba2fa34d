//! Holds of processes on servers: how an operation or a recovery keeps other processes off (`spec/recovery.md` 6.4).
//!
//! They are rows of the compatible `database_instance_maintenance` that are not explicitly bounded, and belong to the process
//! that is named in them. A process that has ceased to beat ([`Store::beat`]) holds nothing any more.

use std::collections::BTreeSet;

use app::InstanceKey;
use chrono::{DateTime, Duration, Utc};

use super::connection::Tx;
use super::nodes::{GONE_SECONDS, NodeIdentity};
use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// A hold ends with its process. This is for readers of the table, and long enough for any recovery.
const BOUND: Duration = Duration::days(1);

/// Most servers in one statement.
const AT_ONCE: usize = 100;

/// Owner of holds, as the compatible table has it.
const OWNER: &str = "orchestrator";

/// Servers that a process wants to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedHolds {
    /// The servers.
    pub keys: Vec<InstanceKey>,
    /// What for, in words that whoever comes second is told.
    pub operation: String,
    /// The process.
    pub node: NodeIdentity,
    /// Servers that an operator holds for maintenance are left to him and do not stand in the way.
    pub despite_maintenance: bool,
    /// A process that is gone and whose holds pass over to `node`.
    pub previous: Option<NodeIdentity>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerHolds {
    /// All are held, under these numbers.
    Taken(Vec<i64>),
    /// Nothing is held, because somebody else has one of them.
    HeldBy {
        /// That one.
        key: InstanceKey,
        /// What for, and who.
        operation: String,
        /// Since.
        since: DateTime<Utc>,
    },
}

/// An active row about a server.
struct Active {
    id: i64,
    key: InstanceKey,
    owner: String,
    reason: String,
    since: DateTime<Utc>,
    by_operator: bool,
    node: NodeIdentity,
}

impl Store {
    /// Takes holds on servers, all or none. A process does not stand in its own way: what it held of these before is
    /// replaced.
    ///
    /// # Errors
    /// What the backend says; then nothing is held.
    pub async fn take_holds(&self, wanted: &WantedHolds, now: DateTime<Utc>) -> StoreResult<ServerHolds> {
        let keys: Vec<InstanceKey> =
            wanted.keys.iter().collect::<BTreeSet<_>>().into_iter().filter(|k| self.fits_key(k)).cloned().collect();
        let mut tx = self.begin().await?;
        self.lock_holds(&mut tx).await?;
        tx.run(self.void_holds(now)).await?;
        let active = active_rows(&mut tx, &keys).await?;
        let mine = |row: &Active| row.node == wanted.node || Some(&row.node) == wanted.previous.as_ref();
        let in_the_way = |row: &&Active| {
            if row.by_operator { !wanted.despite_maintenance } else { !mine(row) }
        };
        if let Some(row) = active.iter().find(in_the_way) {
            let operation = if row.by_operator {
                format!("maintenance by {}: {}", row.owner, row.reason)
            } else {
                format!("{} on {}", row.reason, row.node.hostname)
            };
            return Ok(ServerHolds::HeldBy { key: row.key.clone(), operation, since: row.since });
        }
        let (left, replaced): (Vec<_>, Vec<_>) = active.into_iter().partition(|row| row.by_operator);
        end_holds(&mut tx, &replaced.iter().map(|row| row.id).collect::<Vec<_>>(), now).await?;
        let left: BTreeSet<InstanceKey> = left.into_iter().map(|row| row.key).collect();
        let free: Vec<InstanceKey> = keys.into_iter().filter(|key| !left.contains(key)).collect();
        for chunk in free.chunks(AT_ONCE) {
            tx.run(self.hold_statement(chunk, wanted, now)).await?;
        }
        let taken = active_rows(&mut tx, &free).await?.into_iter().map(|row| row.id).collect();
        tx.commit().await?;
        Ok(ServerHolds::Taken(taken))
    }

    /// The first of these servers that another living process holds, in key order; holds of operators are not looked at.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn held_by_others(
        &self,
        keys: &[InstanceKey],
        node: &NodeIdentity,
        now: DateTime<Utc>,
    ) -> StoreResult<Option<ServerHolds>> {
        let keys: Vec<InstanceKey> = keys.iter().filter(|key| self.fits_key(key)).cloned().collect();
        let mut tx = self.begin().await?;
        tx.run(self.void_holds(now)).await?;
        let active = active_rows(&mut tx, &keys).await?;
        tx.commit().await?;
        let other = active.into_iter().find(|row| !row.by_operator && row.node != *node);
        Ok(other.map(|row| ServerHolds::HeldBy {
            operation: format!("{} on {}", row.reason, row.node.hostname),
            key: row.key,
            since: row.since,
        }))
    }

    /// Gives holds up, by their numbers.
    ///
    /// # Errors
    /// What the backend says; then all are still held.
    pub async fn release_holds(&self, ids: &[i64], now: DateTime<Utc>) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        end_holds(&mut tx, ids, now).await?;
        tx.commit().await
    }

    /// Deletes active rows past their end, and holds whose process is gone.
    pub(super) fn void_holds(&self, now: DateTime<Utc>) -> Statement {
        let since = self.dialect().seconds_ago(GONE_SECONDS);
        let sql = format!(
            "delete from database_instance_maintenance where (maintenance_active = 1 and end_timestamp < ?) \
             or (explicitly_bounded = 0 and not exists (select 1 from node_health \
             where node_health.hostname = processing_node_hostname and node_health.token = processing_node_token \
             and node_health.last_seen_active >= {since}))"
        );
        Statement::new(sql).bind(now)
    }

    /// From here to the end of the transaction no other process can take holds.
    async fn lock_holds(&self, tx: &mut Tx) -> StoreResult<()> {
        let sql = format!("select name from orchestrator_lock where name = 'holds'{}", self.dialect().for_update());
        tx.rows(Statement::new(sql)).await.map(drop)
    }

    /// A host name that no column takes is in no other process's way either.
    fn fits_key(&self, key: &InstanceKey) -> bool {
        self.fit_ascii(&key.hostname, 128) == key.hostname
    }

    fn hold_statement(&self, keys: &[InstanceKey], wanted: &WantedHolds, now: DateTime<Utc>) -> Statement {
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
        let sql = self.dialect().insert("database_instance_maintenance", &columns, keys.len());
        let reason = self.fit(&wanted.operation, 20_000);
        keys.iter().fold(Statement::new(sql), |statement, key| {
            statement
                .bind_key(key)
                .bind(true)
                .bind(now)
                .bind(now + BOUND)
                .bind(OWNER)
                .bind(&reason)
                .bind(self.fit_ascii(&wanted.node.hostname, 128))
                .bind(self.fit_ascii(&wanted.node.token, 128))
                .bind(false)
        })
    }
}

async fn active_rows(tx: &mut Tx, keys: &[InstanceKey]) -> StoreResult<Vec<Active>> {
    let mut found = Vec::new();
    for chunk in keys.chunks(AT_ONCE) {
        let these = vec!["(hostname = ? and port = ?)"; chunk.len()].join(" or ");
        let sql = format!(
            "select database_instance_maintenance_id as id, hostname, port, owner, reason, begin_timestamp, \
             explicitly_bounded, processing_node_hostname, processing_node_token \
             from database_instance_maintenance where maintenance_active = 1 and ({these}) order by hostname, port"
        );
        let statement = chunk.iter().fold(Statement::new(sql), Statement::bind_key);
        found.extend(tx.rows(statement).await?.iter().map(active_of));
    }
    Ok(found)
}

fn active_of(row: &Row) -> Active {
    Active {
        id: row.int("id"),
        key: row.key(),
        owner: row.text("owner"),
        reason: row.text("reason"),
        since: row.time_or_epoch("begin_timestamp"),
        by_operator: row.flag("explicitly_bounded"),
        node: NodeIdentity { hostname: row.text("processing_node_hostname"), token: row.text("processing_node_token") },
    }
}

/// Ends holds. The rows stay as history: an embedded backend gives the number of a deleted row to the next one, and whoever
/// gives up the old hold would end the new one.
async fn end_holds(tx: &mut Tx, ids: &[i64], now: DateTime<Utc>) -> StoreResult<()> {
    for chunk in ids.chunks(AT_ONCE) {
        let marks = vec!["?"; chunk.len()].join(", ");
        let sql = format!(
            "update database_instance_maintenance set maintenance_active = null, end_timestamp = ? \
             where maintenance_active = 1 and database_instance_maintenance_id in ({marks})"
        );
        let statement = chunk.iter().fold(Statement::new(sql).bind(now), |statement, id| statement.bind(*id));
        tx.run(statement).await?;
    }
    Ok(())
}
