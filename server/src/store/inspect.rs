//! Looking at a backend without touching it: what is there, and what the program would add at its first start. Nothing is created,
//! no schema is deployed, no row is written.

use app::InstanceKey;
use chrono::{DateTime, Utc};

use super::connection::Connections;
use super::dialect::Dialect;
use super::error::StoreResult;
use super::migrate;
use super::settings::BackendSettings;
use super::value::{Row, Statement};

/// What was found in a backend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// There is a file, or a schema.
    pub exists: bool,
    /// Versions that deployed their schema here, the last one first.
    pub deployed: Vec<(String, Option<DateTime<Utc>>)>,
    /// Tables that are missing, of the compatible schema and of our own.
    pub missing_tables: Vec<String>,
    /// Columns that are missing in tables that are there, `table.column`.
    pub missing_columns: Vec<String>,
    /// Servers on record.
    pub servers: Vec<InstanceKey>,
    /// Other processes that showed themselves within the last seconds: host name and version.
    pub alive: Vec<(String, String)>,
    /// Virtual names that are registered for hosts.
    pub virtual_names: usize,
    /// How far the backend's clock is ahead of ours, in seconds; `None` where both are the same clock.
    pub clock_ahead: Option<i64>,
    /// `SHOW GRANTS` of our account; empty with SQLite.
    pub grants: Vec<String>,
    /// `CURRENT_USER()`; empty with SQLite.
    pub account: String,
}

/// Looks at a backend.
///
/// # Errors
/// [`StoreError`](super::StoreError) when it is there and cannot be read.
pub async fn inspect(backend: &BackendSettings, now: DateTime<Utc>) -> StoreResult<Inspection> {
    let connections = match backend {
        BackendSettings::Sqlite { path } if !path.exists() => return Ok(Inspection::default()),
        BackendSettings::Sqlite { path } => Connections::sqlite_for_reading(path).await?,
        BackendSettings::MySql(settings) => Connections::mysql_for_reading(settings).await?,
    };
    let found = Reader { connections: &connections }.look(backend, now).await;
    connections.close().await;
    found
}

struct Reader<'a> {
    connections: &'a Connections,
}

impl Reader<'_> {
    async fn look(&self, backend: &BackendSettings, now: DateTime<Utc>) -> StoreResult<Inspection> {
        let mut found = Inspection { exists: true, ..Inspection::default() };
        let mut prefix = String::new();
        if let BackendSettings::MySql(settings) = backend {
            self.ask_server(&mut found).await?;
            let sql = "select schema_name as name_found from information_schema.schemata where schema_name = ?";
            let statement = Statement::new(sql).bind(settings.database.as_str());
            if self.connections.rows(statement).await?.is_empty() {
                found.exists = false;
                return Ok(found);
            }
            prefix = format!("`{}`.", settings.database.replace('`', "``"));
        }
        self.compare(&mut found, backend).await?;
        let has = |table: &str| !found.missing_tables.iter().any(|missing| missing == table);
        if has("orchestrator_db_deployments") {
            let sql = format!(
                "select deployed_version, deployed_timestamp from {prefix}orchestrator_db_deployments \
                 order by deployed_timestamp desc, deployed_version"
            );
            let rows = self.connections.rows(Statement::new(sql)).await?;
            found.deployed =
                rows.iter().map(|row| (row.text("deployed_version"), row.time("deployed_timestamp"))).collect();
        }
        if has("database_instance") {
            let sql = format!("select hostname, port from {prefix}database_instance order by hostname, port");
            found.servers = self.connections.rows(Statement::new(sql)).await?.iter().map(Row::key).collect();
        }
        if has("node_health") {
            let since = self.connections.dialect().seconds_ago(super::nodes::STALE_SECONDS);
            let sql = format!(
                "select hostname, app_version from {prefix}node_health where last_seen_active >= {since} \
                 order by hostname, token"
            );
            let rows = self.connections.rows(Statement::new(sql)).await?;
            found.alive = rows.iter().map(|row| (row.text("hostname"), row.text("app_version"))).collect();
        }
        if has("hostname_unresolve") {
            let sql = format!("select count(*) as names from {prefix}hostname_unresolve");
            let rows = self.connections.rows(Statement::new(sql)).await?;
            found.virtual_names =
                rows.first().map_or(0, |row| usize::try_from(row.count("names")).unwrap_or(usize::MAX));
        }
        if self.connections.dialect() == Dialect::MySql {
            let clock = self.connections.rows(Statement::new("select utc_timestamp() as clock")).await?;
            found.clock_ahead = clock.first().and_then(|row| row.time("clock")).map(|at| (at - now).num_seconds());
        }
        Ok(found)
    }

    /// What the account is and may do.
    async fn ask_server(&self, found: &mut Inspection) -> StoreResult<()> {
        let account = self.connections.rows(Statement::new("select current_user() as account")).await?;
        found.account = account.first().map(|row| row.text("account")).unwrap_or_default();
        let grants = self.connections.rows(Statement::new("show grants")).await?;
        found.grants = grants.iter().map(Row::first_text).collect();
        Ok(())
    }

    /// What the schema lacks.
    async fn compare(&self, found: &mut Inspection, backend: &BackendSettings) -> StoreResult<()> {
        let there = self.columns(backend).await?;
        for (table, columns) in migrate::expected_tables(self.connections.dialect()) {
            let known: Vec<&String> =
                there.iter().filter(|(name, _)| *name == table).map(|(_, column)| column).collect();
            if known.is_empty() {
                found.missing_tables.push(table);
                continue;
            }
            let missing =
                columns.into_iter().filter(|column| !known.iter().any(|name| name.eq_ignore_ascii_case(column)));
            found.missing_columns.extend(missing.map(|column| format!("{table}.{column}")));
        }
        Ok(())
    }

    /// Tables and their columns.
    async fn columns(&self, backend: &BackendSettings) -> StoreResult<Vec<(String, String)>> {
        let statement = match backend {
            BackendSettings::Sqlite { .. } => Statement::new(
                "select t.name as table_found, c.name as column_found from sqlite_master t, pragma_table_info(t.name) c \
                 where t.type = 'table'",
            ),
            BackendSettings::MySql(settings) => Statement::new(
                "select table_name as table_found, column_name as column_found from information_schema.columns \
                 where table_schema = ?",
            )
            .bind(settings.database.as_str()),
        };
        let rows = self.connections.rows(statement).await?;
        Ok(rows.iter().map(|row| (row.text("table_found"), row.text("column_found"))).collect())
    }
}
