//! Deploying the schema: on nothing, on a database of ours, or on one of the original of any age
//! (`spec/schema.md` 3).
//!
//! The files are embedded. The first one is the compatible schema; it is compared with what is there, so that
//! missing tables, columns and keys are added and nothing else is touched. The later ones are ours and run once
//! each, recorded by number in `orchestrator_migration`. sqlx's own runner is not used: it keeps one
//! history per database and knows no "bring this table up to date".

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::Utc;

use super::Store;
use super::connection::Tx;
use super::dialect::Dialect;
use super::error::{StoreError, StoreResult};
use super::settings::Deployment;
use super::value::Statement;

struct Migration {
    number: u32,
    name: &'static str,
    sqlite: &'static str,
    mysql: &'static str,
}

/// Append-only. The compatible schema comes first.
const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "compatible_schema",
        sqlite: include_str!("../../../migrations/sqlite/0001_compatible_schema.sql"),
        mysql: include_str!("../../../migrations/mysql/0001_compatible_schema.sql"),
    },
    Migration {
        number: 2,
        name: "own_tables",
        sqlite: include_str!("../../../migrations/sqlite/0002_own_tables.sql"),
        mysql: include_str!("../../../migrations/mysql/0002_own_tables.sql"),
    },
    Migration {
        number: 3,
        name: "membership",
        sqlite: include_str!("../../../migrations/sqlite/0003_membership.sql"),
        mysql: include_str!("../../../migrations/mysql/0003_membership.sql"),
    },
    Migration {
        number: 4,
        name: "accounts",
        sqlite: include_str!("../../../migrations/sqlite/0004_accounts.sql"),
        mysql: include_str!("../../../migrations/mysql/0004_accounts.sql"),
    },
];

/// Number of the migration that is compared rather than run once.
const COMPATIBLE: u32 = 1;

/// A statement that changes the schema may take this long.
const STATEMENT_LIMIT: Duration = Duration::from_secs(3_600);

impl Migration {
    fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::MySql => self.mysql,
        }
    }
}

/// Decides whether anything is to be deployed, and does it.
pub(super) async fn deploy(store: &Store, deployment: &Deployment) -> StoreResult<()> {
    let missing = missing_migration(store).await?;
    if deployment.skip_update {
        return match missing {
            Some(migration) => {
                Err(StoreError::NotDeployed { missing: format!("{} ({})", migration.number, migration.name) })
            }
            None => Ok(()),
        };
    }
    let deployed = is_deployed(store, &deployment.version).await?;
    if !deployed && deployment.refuse_different && !deployment.version.is_empty() {
        return Err(StoreError::DifferentDeploy { version: deployment.version.clone() });
    }
    if deployed && missing.is_none() && !deployment.version.is_empty() {
        return Ok(());
    }
    tracing::info!(version = deployment.version, "deploying the backend schema");
    let mut tx = store.begin().await?;
    tx.allow(STATEMENT_LIMIT);
    match store.dialect() {
        Dialect::Sqlite => deploy_all(&mut tx, Dialect::Sqlite, deployment).await?,
        Dialect::MySql => deploy_on_mysql(&mut tx, deployment).await?,
    }
    tx.commit().await
}

/// Brings the timestamps that a restored database of the original may have in the RFC 3339 form back to the form that
/// everything else has: as text the two do not compare (`spec/schema.md` 4.3). Only SQLite keeps text.
pub(super) async fn normalise_timestamps(store: &Store) -> StoreResult<()> {
    if store.dialect() != Dialect::Sqlite {
        return Ok(());
    }
    let script = Script::parse(MIGRATIONS.first().map_or("", |m| m.sqlite));
    let mut tx = store.begin().await?;
    tx.allow(STATEMENT_LIMIT);
    let mut changed = 0;
    for table in script.tables.iter().filter(|t| RESTORED.contains(&t.name.as_str())) {
        for column in table.columns.iter().filter(|c| c.definition.contains("` timestamp")) {
            let (table, column) = (&table.name, &column.name);
            let sql = format!(
                "update {table} set {column} = replace(substr({column}, 1, 19), 'T', ' ') \
                 where {column} like '____-__-__T__:__:__%Z'"
            );
            changed += tx.run(Statement::new(sql)).await?.affected;
        }
    }
    tx.commit().await?;
    if changed > 0 {
        tracing::info!(changed, "brought timestamps of a restored backend to one form");
    }
    Ok(())
}

/// Tables that the original's raft snapshots restore (`spec/schema.md` 6).
const RESTORED: [&str; 16] = [
    "cluster_alias",
    "cluster_alias_override",
    "cluster_domain_name",
    "access_token",
    "host_attributes",
    "database_instance_tags",
    "database_instance_pool",
    "hostname_resolve",
    "hostname_unresolve",
    "database_instance_downtime",
    "candidate_database_instance",
    "topology_failure_detection",
    "kv_store",
    "topology_recovery",
    "topology_recovery_steps",
    "cluster_injected_pseudo_gtid",
];

/// The first migration that is not recorded as applied.
async fn missing_migration(store: &Store) -> StoreResult<Option<&'static Migration>> {
    let applied = match store.rows(Statement::new("select number from orchestrator_migration")).await {
        Ok(rows) => rows.iter().map(|row| row.int("number")).collect::<HashSet<_>>(),
        // The table is missing: nothing is applied.
        Err(StoreError::Refused(_)) => HashSet::new(),
        Err(error) => return Err(error),
    };
    Ok(MIGRATIONS.iter().find(|m| !applied.contains(&i64::from(m.number))))
}

async fn is_deployed(store: &Store, version: &str) -> StoreResult<bool> {
    let sql = "select count(*) as rows_found from orchestrator_db_deployments where deployed_version = ?";
    match store.row(Statement::new(sql).bind(version)).await {
        Ok(row) => Ok(row.is_some_and(|r| r.int("rows_found") > 0)),
        Err(StoreError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The server commits each change of the schema by itself, so deployers hold a named lock against each other, and the
/// session's mode is relaxed for the dates that old columns have as default.
async fn deploy_on_mysql(tx: &mut Tx, deployment: &Deployment) -> StoreResult<()> {
    let lock = tx.rows(Statement::new("select get_lock('orchestrator_deploy', 60) as held")).await?;
    if lock.first().is_none_or(|row| row.int("held") != 1) {
        return Err(StoreError::Unavailable {
            tried: "deploy the backend schema".to_owned(),
            reason: "another process is deploying it and did not finish within 60 s".to_owned(),
        });
    }
    let mode = tx.rows(Statement::new("select @@session.sql_mode as mode")).await?;
    let mode = mode.first().map(|row| row.text("mode")).unwrap_or_default();
    let relaxed: Vec<&str> =
        mode.split(',').filter(|m| !matches!(*m, "NO_ZERO_DATE" | "NO_ZERO_IN_DATE" | "TRADITIONAL")).collect();
    tx.run(Statement::new("set session sql_mode = ?").bind(relaxed.join(","))).await?;
    let outcome = deploy_all(tx, Dialect::MySql, deployment).await;
    tx.run(Statement::new("set session sql_mode = ?").bind(mode)).await?;
    tx.rows(Statement::new("select release_lock('orchestrator_deploy') as released")).await?;
    outcome
}

async fn deploy_all(tx: &mut Tx, dialect: Dialect, deployment: &Deployment) -> StoreResult<()> {
    for migration in MIGRATIONS {
        let script = Script::parse(migration.sql(dialect));
        if migration.number == COMPATIBLE {
            bring_up_to_date(tx, dialect, &script).await?;
        } else if !is_applied(tx, migration.number).await? {
            for statement in script.statements {
                tx.run(Statement::new(statement)).await?;
            }
        }
    }
    let now = Utc::now();
    let columns = ["number", "name", "applied_at"];
    for migration in MIGRATIONS {
        let sql = dialect.insert_absent("orchestrator_migration", &columns);
        tx.run(Statement::new(sql).bind(migration.number).bind(migration.name).bind(now)).await?;
    }
    let columns = ["deployed_version", "deployed_timestamp"];
    let sql = dialect.upsert("orchestrator_db_deployments", &["deployed_version"], &columns, &[], 1);
    tx.run(Statement::new(sql).bind(deployment.version.as_str()).bind(now)).await?;
    Ok(())
}

async fn is_applied(tx: &mut Tx, number: u32) -> StoreResult<bool> {
    let sql = "select number from orchestrator_migration where number = ?";
    match tx.rows(Statement::new(sql).bind(number)).await {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(StoreError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Adds the tables, columns and keys that an older database lacks, then runs what else the script has.
async fn bring_up_to_date(tx: &mut Tx, dialect: Dialect, script: &Script) -> StoreResult<()> {
    let (creating, others): (Vec<_>, Vec<_>) = script.statements.iter().partition(|s| s.starts_with("CREATE TABLE"));
    for statement in creating {
        tx.run(Statement::new(statement.clone())).await?;
    }
    for table in &script.tables {
        add_missing_columns(tx, dialect, table).await?;
        if dialect == Dialect::MySql {
            add_missing_keys(tx, table).await?;
        }
    }
    for statement in others {
        let outcome = tx.run(Statement::new(statement.clone())).await;
        tolerate_key(outcome.map(|_| ()), statement)?;
    }
    Ok(())
}

async fn add_missing_columns(tx: &mut Tx, dialect: Dialect, table: &Table) -> StoreResult<()> {
    let sql = match dialect {
        Dialect::Sqlite => "select name as column_found from pragma_table_info(?)",
        Dialect::MySql => {
            "select column_name as column_found from information_schema.columns \
             where table_schema = database() and table_name = ?"
        }
    };
    let rows = tx.rows(Statement::new(sql).bind(table.name.as_str())).await?;
    let found: HashSet<String> = rows.iter().map(|row| row.text("column_found").to_ascii_lowercase()).collect();
    for column in table.columns.iter().filter(|c| !found.contains(&c.name.to_ascii_lowercase())) {
        tracing::info!(table = table.name, column = column.name, "adding a column that the backend lacks");
        let sql = format!("ALTER TABLE `{}` ADD COLUMN {}", table.name, column.addable(dialect));
        tx.run(Statement::new(sql)).await?;
    }
    Ok(())
}

/// Keys are compared by their columns: older deployments have the same keys under other names.
async fn add_missing_keys(tx: &mut Tx, table: &Table) -> StoreResult<()> {
    let sql = "select index_name as key_found, non_unique as plain, column_name as column_found \
               from information_schema.statistics where table_schema = database() and table_name = ? \
               order by index_name, seq_in_index";
    let rows = tx.rows(Statement::new(sql).bind(table.name.as_str())).await?;
    let mut found: Vec<(String, bool, Vec<String>)> = Vec::new();
    for row in &rows {
        let (name, column) = (row.text("key_found"), row.text("column_found").to_ascii_lowercase());
        match found.last_mut() {
            Some((last, _, columns)) if *last == name => columns.push(column),
            _ => found.push((name, !row.flag("plain"), vec![column])),
        }
    }
    let have: BTreeSet<(bool, &Vec<String>)> = found.iter().map(|(_, unique, columns)| (*unique, columns)).collect();
    for key in table.keys.iter().filter(|k| !have.contains(&(k.unique, &k.columns))) {
        let sql = format!("ALTER TABLE `{}` ADD {}", table.name, key.definition);
        tracing::info!(table = table.name, key = key.definition, "adding a key that the backend lacks");
        tolerate_key(tx.run(Statement::new(sql.clone())).await.map(|_| ()), &sql)?;
    }
    Ok(())
}

/// A key that cannot be added (its name is taken, or rows that stand there contradict it) leaves a usable database.
fn tolerate_key(outcome: StoreResult<()>, sql: &str) -> StoreResult<()> {
    match outcome {
        Err(error @ (StoreError::Conflict(_) | StoreError::Refused(_))) => {
            tracing::warn!(%error, sql, "a part of the backend schema could not be added; going on without it");
            Ok(())
        }
        other => other,
    }
}

/// A schema file, taken apart.
struct Script {
    statements: Vec<String>,
    tables: Vec<Table>,
}

struct Table {
    name: String,
    columns: Vec<TableColumn>,
    keys: Vec<Key>,
}

struct TableColumn {
    name: String,
    definition: String,
}

struct Key {
    unique: bool,
    columns: Vec<String>,
    definition: String,
}

impl Script {
    /// Statements end with a semicolon at the end of a line; in `CREATE TABLE`, each column and key has its own line.
    fn parse(sql: &str) -> Self {
        let mut statements = Vec::new();
        let mut current = String::new();
        for line in sql.lines().filter(|l| !l.trim_start().starts_with("--") && !l.trim().is_empty()) {
            match line.trim_end().strip_suffix(';') {
                Some(last) => {
                    current.push_str(last);
                    statements.push(std::mem::take(&mut current));
                }
                None => {
                    current.push_str(line);
                    current.push('\n');
                }
            }
        }
        let tables = statements.iter().filter(|s| s.starts_with("CREATE TABLE")).map(|s| Table::parse(s)).collect();
        Self { statements, tables }
    }
}

impl Table {
    fn parse(statement: &str) -> Self {
        let mut lines = statement.lines();
        let name = quoted_names(lines.next().unwrap_or_default()).into_iter().next().unwrap_or_default();
        let mut table = Self { name, columns: Vec::new(), keys: Vec::new() };
        for line in lines.map(|l| l.trim().trim_end_matches(',')).filter(|l| !l.starts_with(')')) {
            let names = quoted_names(line);
            if line.starts_with('`') {
                let name = names.into_iter().next().unwrap_or_default();
                table.columns.push(TableColumn { name, definition: line.to_owned() });
            } else if line.starts_with("KEY") || line.starts_with("UNIQUE KEY") {
                let columns = names.into_iter().skip(1).map(|n| n.to_ascii_lowercase()).collect();
                let unique = line.starts_with("UNIQUE");
                table.keys.push(Key { unique, columns, definition: line.to_owned() });
            }
        }
        table
    }
}

impl TableColumn {
    /// The definition as `ADD COLUMN` takes it on a table with rows: SQLite wants a default for NOT NULL.
    fn addable(&self, dialect: Dialect) -> String {
        let bare = self.definition.contains("NOT NULL") && !self.definition.contains("DEFAULT");
        if dialect == Dialect::MySql || !bare {
            return self.definition.clone();
        }
        let number = self.definition.contains("int");
        format!("{} DEFAULT {}", self.definition, if number { "0" } else { "''" })
    }
}

/// The names in backquotes, in order.
fn quoted_names(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_hold_the_whole_compatible_schema() {
        for dialect in [Dialect::Sqlite, Dialect::MySql] {
            let script = Script::parse(MIGRATIONS[0].sql(dialect));
            assert_eq!(script.tables.len(), 47);
            assert_eq!(script.tables.iter().map(|t| t.columns.len()).sum::<usize>(), 353);
        }
        let mysql = Script::parse(MIGRATIONS[0].mysql);
        let keys: Vec<&Key> = mysql.tables.iter().flat_map(|t| &t.keys).collect();
        assert_eq!((keys.iter().filter(|k| k.unique).count(), keys.iter().filter(|k| !k.unique).count()), (9, 66));
        let sqlite = Script::parse(MIGRATIONS[0].sqlite);
        let indexes = sqlite.statements.iter().filter(|s| s.contains("INDEX IF NOT EXISTS")).count();
        assert_eq!(indexes, 75);
    }

    #[test]
    fn both_sides_have_the_same_tables_and_columns() {
        for migration in MIGRATIONS {
            let names = |sql: &str| {
                Script::parse(sql)
                    .tables
                    .into_iter()
                    .map(|t| (t.name, t.columns.into_iter().map(|c| c.name).collect::<BTreeSet<_>>()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(migration.sqlite), names(migration.mysql), "{}", migration.name);
        }
    }

    #[test]
    fn a_column_without_default_gets_one_when_it_is_added_to_rows() {
        let column = |definition: &str| TableColumn { name: "a".to_owned(), definition: definition.to_owned() };
        assert_eq!(column("`a` int NOT NULL").addable(Dialect::Sqlite), "`a` int NOT NULL DEFAULT 0");
        assert_eq!(column("`a` text NOT NULL").addable(Dialect::Sqlite), "`a` text NOT NULL DEFAULT ''");
        assert_eq!(column("`a` text NOT NULL").addable(Dialect::MySql), "`a` text NOT NULL");
        assert_eq!(column("`a` int NOT NULL DEFAULT 1").addable(Dialect::Sqlite), "`a` int NOT NULL DEFAULT 1");
    }
}
