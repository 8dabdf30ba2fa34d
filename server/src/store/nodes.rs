//! Processes that share a backend: their heartbeats and the election of the active one
//! (`spec/ha.md` 3). All times here are those of the database, so that clocks of nodes do not matter.

use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// A row that was not refreshed for this long is up for take-over, and its process counts as gone.
pub(super) const STALE_SECONDS: u32 = 5;
/// A process that has not beaten for this long has lost its recoveries to whoever claims them first. It learns so itself
/// at its next beat, should it live after all.
pub(super) const GONE_SECONDS: u32 = 3;
/// A process that beat within this time is available.
const AVAILABLE_SECONDS: u32 = 2;

/// Identity of a process: a restart is another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeIdentity {
    /// Host name of the operating system.
    pub hostname: String,
    /// Random text, 64 hexadecimal digits, new at every start.
    pub token: String,
}

/// What a process tells of itself at each beat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeReport {
    /// Who.
    pub node: NodeIdentity,
    /// `HttpMode` or `CLIMode`.
    pub mode: String,
    /// Command of a command-line process.
    pub command: String,
    /// Version text.
    pub version: String,
    /// Path of the SQLite file, or `host:port`.
    pub backend: String,
}

/// A process as the backend knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeHealthRow {
    /// Who.
    pub node: NodeIdentity,
    /// `HttpMode` or `CLIMode`; empty in an election row.
    pub mode: String,
    /// Command of a command-line process.
    pub command: String,
    /// Version text.
    pub version: String,
    /// Path of the SQLite file, or `host:port`.
    pub backend: String,
    /// First beat, or begin of being active.
    pub first_seen: Option<DateTime<Utc>>,
    /// Last beat.
    pub last_seen: Option<DateTime<Utc>>,
}

impl Store {
    /// Writes this process's beat; its first one is noted in the history too. `true` when the backend took it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn beat(&self, report: &NodeReport) -> StoreResult<bool> {
        let now = self.dialect().now();
        let sql = format!(
            "update node_health set last_seen_active = {now}, extra_info = ?, app_version = ?, \
             incrementing_indicator = incrementing_indicator + 1 where hostname = ? and token = ?"
        );
        let NodeReport { node, mode, command, version, backend } = report;
        let (hostname, token) = (self.fit_ascii(&node.hostname, 128), self.fit_ascii(&node.token, 128));
        let statement = Statement::new(sql).bind(mode).bind(self.fit_ascii(version, 64)).bind(&hostname).bind(&token);
        if self.run(statement).await?.affected > 0 {
            return Ok(true);
        }
        let sql = format!(
            "insert into node_health (hostname, token, extra_info, command, app_version, db_backend, \
             first_seen_active, last_seen_active) values (?, ?, ?, ?, ?, ?, {now}, {now})"
        );
        let statement = Statement::new(sql)
            .bind(&hostname)
            .bind(&token)
            .bind(mode)
            .bind(self.fit(command, 128))
            .bind(self.fit_ascii(version, 64))
            .bind(self.fit_ascii(backend, 255));
        let inserted = self.run(statement).await?.affected > 0;
        let words = match self.dialect() {
            super::Dialect::Sqlite => "insert or ignore into",
            super::Dialect::MySql => "insert ignore into",
        };
        let sql = format!(
            "{words} node_health_history (hostname, token, first_seen_active, extra_info, command, app_version) \
             values (?, ?, {now}, ?, ?, ?)"
        );
        let statement = Statement::new(sql)
            .bind(hostname)
            .bind(token)
            .bind(mode)
            .bind(self.fit(command, 128))
            .bind(self.fit_ascii(version, 64));
        self.run(statement).await?;
        Ok(inserted)
    }

    /// Serving processes that beat within the last two seconds, by host name.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn available_nodes(&self) -> StoreResult<Vec<NodeHealthRow>> {
        let since = self.dialect().seconds_ago(AVAILABLE_SECONDS);
        let sql = format!(
            "select hostname, token, extra_info, command, app_version, db_backend, first_seen_active, \
             last_seen_active from node_health where extra_info = 'HttpMode' and last_seen_active >= {since} \
             order by hostname, token"
        );
        Ok(self.rows(Statement::new(sql)).await?.iter().map(node_of).collect())
    }

    /// All processes, commands included, that beat within the last two seconds, by host name.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn processes(&self) -> StoreResult<Vec<NodeHealthRow>> {
        let since = self.dialect().seconds_ago(AVAILABLE_SECONDS);
        let sql = format!(
            "select hostname, token, extra_info, command, app_version, db_backend, first_seen_active, \
             last_seen_active from node_health where last_seen_active >= {since} order by hostname, token"
        );
        Ok(self.rows(Statement::new(sql)).await?.iter().map(node_of).collect())
    }

    /// The process beat lately: nobody may take its recoveries.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn is_alive(&self, node: &NodeIdentity) -> StoreResult<bool> {
        let since = self.dialect().seconds_ago(GONE_SECONDS);
        let sql = format!(
            "select count(*) as beats from node_health where hostname = ? and token = ? and last_seen_active >= {since}"
        );
        let statement = Statement::new(sql).bind(&node.hostname).bind(&node.token);
        Ok(self.row(statement).await?.is_some_and(|row| row.int("beats") > 0))
    }

    /// Takes back the sign of life of a process that stops.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn leave(&self, node: &NodeIdentity) -> StoreResult<()> {
        let sql = "delete from node_health where hostname = ? and token = ?";
        self.run(Statement::new(sql).bind(&node.hostname).bind(&node.token)).await.map(drop)
    }

    /// Deletes the rows of processes that ceased to beat; returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn purge_nodes(&self) -> StoreResult<u64> {
        let before = self.dialect().seconds_ago(STALE_SECONDS);
        let sql = format!("delete from node_health where last_seen_active < {before}");
        Ok(self.run(Statement::new(sql)).await?.affected)
    }

    /// Tries to become or to stay the active node; `true` when this process is it now.
    ///
    /// # Errors
    /// What the backend says; the caller counts that as "not elected".
    pub async fn attempt_election(&self, node: &NodeIdentity) -> StoreResult<bool> {
        let now = self.dialect().now();
        let words = match self.dialect() {
            super::Dialect::Sqlite => "insert or ignore into",
            super::Dialect::MySql => "insert ignore into",
        };
        let insert = format!(
            "{words} active_node (anchor, hostname, token, first_seen_active, last_seen_active) \
             values (1, ?, ?, {now}, {now})"
        );
        let statement = |sql: String| Statement::new(sql).bind(&node.hostname).bind(&node.token);
        if self.run(statement(insert)).await?.affected > 0 {
            return Ok(true);
        }
        let before = self.dialect().seconds_ago(STALE_SECONDS);
        let take_over = format!(
            "update active_node set hostname = ?, token = ?, first_seen_active = {now}, last_seen_active = {now} \
             where anchor = 1 and last_seen_active < {before}"
        );
        if self.run(statement(take_over)).await?.affected > 0 {
            return Ok(true);
        }
        let refresh =
            format!("update active_node set last_seen_active = {now} where anchor = 1 and hostname = ? and token = ?");
        self.run(statement(refresh)).await?;
        // Two refreshes within one second change nothing, which some servers count as no row: look who holds it.
        Ok(self.active_node().await?.is_some_and(|active| active.node == *node))
    }

    /// Becomes the active node whoever it was.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn grab_election(&self, node: &NodeIdentity) -> StoreResult<()> {
        let now = self.dialect().now();
        let mut tx = self.begin().await?;
        tx.run(Statement::new("delete from active_node")).await?;
        let sql = format!(
            "insert into active_node (anchor, hostname, token, first_seen_active, last_seen_active) \
             values (1, ?, ?, {now}, {now})"
        );
        tx.run(Statement::new(sql).bind(&node.hostname).bind(&node.token)).await?;
        tx.commit().await
    }

    /// Gives up the active role for whoever comes first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn reelect(&self) -> StoreResult<()> {
        self.run(Statement::new("delete from active_node")).await.map(|_| ())
    }

    /// Who is active; `None` before the first election.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn active_node(&self) -> StoreResult<Option<NodeHealthRow>> {
        let sql = "select hostname, token, first_seen_active, last_seen_active from active_node where anchor = 1";
        let row = self.row(Statement::new(sql)).await?;
        Ok(row.as_ref().map(node_of).filter(|active| !active.node.token.is_empty()))
    }
}

fn node_of(row: &Row) -> NodeHealthRow {
    NodeHealthRow {
        node: NodeIdentity { hostname: row.text("hostname"), token: row.text("token") },
        mode: row.text("extra_info"),
        command: row.text("command"),
        version: row.text("app_version"),
        backend: row.text("db_backend"),
        first_seen: row.time("first_seen_active"),
        last_seen: row.time("last_seen_active"),
    }
}
