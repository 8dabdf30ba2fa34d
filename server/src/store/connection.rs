//! Pools, transactions, and the only place where built SQL is handed to the driver.
//!
//! SQL is built from table and column names that stand in this crate, never from data: data are arguments.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::database::HasStatementCache;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column, Connection, Database, Encode, MySql, Row as _, Sqlite, Transaction, Type, TypeInfo, ValueRef,
};

use super::dialect::Dialect;
use super::error::{StoreError, StoreResult};
use super::settings::{BackendTlsMode, MySqlSettings};
use super::value::{Columns, Done, Row, Statement, Value};

/// A writer waits this long for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that only read the file.
const SQLITE_READERS: u32 = 4;

/// Open connections to a backend.
#[derive(Debug, Clone)]
enum Pools {
    /// One writer and some readers of the same file (write-ahead log). In memory, both are the same connection.
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    MySql(MySqlPool),
}

/// Open connections, the dialect they speak, and what to say of them in errors.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pools: Pools,
    target: Arc<str>,
    timeout: Duration,
}

/// A writing transaction. Dropped without [`Tx::commit`], it is rolled back.
pub(super) struct Tx {
    inner: TxInner,
    target: Arc<str>,
    timeout: Duration,
}

enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    MySql(Transaction<'static, MySql>),
}

impl Connections {
    /// Opens or creates a file.
    pub(super) async fn sqlite_file(path: &std::path::Path) -> StoreResult<Self> {
        let target = format!("open sqlite file {}", path.display());
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT);
        let failed = |e| StoreError::from_driver(&target, e);
        let writer = Self::sqlite_pool(1).connect_with(options.clone()).await.map_err(failed)?;
        let reader = Self::sqlite_pool(SQLITE_READERS).connect_with(options).await.map_err(failed)?;
        let pools = Pools::Sqlite { writer, reader };
        Ok(Self { pools, target: target.into(), timeout: Duration::from_secs(30) })
    }

    /// Opens a file that is there, for reading only.
    ///
    /// Where no process has it open (there is no write-ahead log), it is taken as it is, so that no file is made beside it either.
    pub(super) async fn sqlite_for_reading(path: &std::path::Path) -> StoreResult<Self> {
        let target = format!("read sqlite file {}", path.display());
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(!std::path::Path::new(&log).exists())
            .busy_timeout(BUSY_TIMEOUT);
        let reader =
            Self::sqlite_pool(1).connect_with(options).await.map_err(|e| StoreError::from_driver(&target, e))?;
        let pools = Pools::Sqlite { writer: reader.clone(), reader };
        Ok(Self { pools, target: target.into(), timeout: Duration::from_secs(30) })
    }

    /// Connects to a server without choosing or creating a schema; the session cannot write.
    pub(super) async fn mysql_for_reading(settings: &MySqlSettings) -> StoreResult<Self> {
        let MySqlSettings { host, port, user, database, .. } = settings;
        let target = format!("connect to mysql {user}@{host}:{port}/{database}");
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.connect_timeout.max(Duration::from_secs(1)))
            .after_connect(|connection, _| {
                Box::pin(
                    async move { sqlx::query("set session transaction read only").execute(connection).await.map(drop) },
                )
            })
            .connect_with(mysql_options(settings))
            .await
            .map_err(|e| StoreError::from_driver(&target, e))?;
        Ok(Self { pools: Pools::MySql(pool), target: target.into(), timeout: settings.read_timeout })
    }

    /// A database that lives as long as its connection.
    pub(super) async fn sqlite_memory() -> StoreResult<Self> {
        let target = "open sqlite in memory".to_owned();
        let options = SqliteConnectOptions::new().in_memory(true).shared_cache(false);
        let pool = Self::sqlite_pool(1)
            .min_connections(1)
            .connect_with(options)
            .await
            .map_err(|e| StoreError::from_driver(&target, e))?;
        let pools = Pools::Sqlite { writer: pool.clone(), reader: pool };
        Ok(Self { pools, target: target.into(), timeout: Duration::from_secs(30) })
    }

    fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(BUSY_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
    }

    /// Connects to a server, creating the schema when it is missing.
    pub(super) async fn mysql(settings: &MySqlSettings) -> StoreResult<Self> {
        let MySqlSettings { host, port, user, database, .. } = settings;
        let target = format!("connect to mysql {user}@{host}:{port}/{database}");
        let options = mysql_options(settings);
        // "No limit" is a day: the pool adds it to the clock, which must not overflow.
        let bounded_by_a_day = |limit: Duration| limit.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        create_schema(&options, settings, &target).await?;
        let mut pool = MySqlPoolOptions::new()
            .max_connections(settings.max_connections.max(1))
            .acquire_timeout(bounded_by_a_day(settings.connect_timeout));
        if settings.drop_read_only {
            // The question tells as well whether the connection lives.
            pool = pool
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(async move { takes_writes(connection).await }));
        }
        let pool =
            pool.connect_with(options.database(database)).await.map_err(|e| StoreError::from_driver(&target, e))?;
        Ok(Self { pools: Pools::MySql(pool), target: target.into(), timeout: bounded_by_a_day(settings.read_timeout) })
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::MySql(_) => Dialect::MySql,
        }
    }

    /// Runs a writing statement by itself.
    pub(super) async fn run(&self, statement: Statement) -> StoreResult<Done> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let query = sqlite_query(statement);
                self.bounded(async {
                    query.execute(writer).await.map(|r| done(r.rows_affected(), r.last_insert_rowid()))
                })
                .await
            }
            Pools::MySql(pool) => {
                let query = mysql_query(statement);
                self.bounded(async { query.execute(pool).await.map(|r| mysql_done(&r)) }).await
            }
        }
    }

    /// Reads rows.
    pub(super) async fn rows(&self, statement: Statement) -> StoreResult<Vec<Row>> {
        match &self.pools {
            Pools::Sqlite { reader, .. } => {
                let query = sqlite_query(statement);
                let rows = self.bounded(query.fetch_all(reader)).await?;
                Ok(sqlite_rows(&rows))
            }
            Pools::MySql(pool) => {
                let query = mysql_query(statement);
                let rows = self.bounded(query.fetch_all(pool)).await?;
                Ok(mysql_rows(&rows))
            }
        }
    }

    /// Begins a writing transaction. On SQLite it takes the write lock at once: a later upgrade from
    /// reading to writing fails without waiting.
    pub(super) async fn begin(&self) -> StoreResult<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => TxInner::Sqlite(self.bounded(begin_immediate(writer)).await?),
            Pools::MySql(pool) => TxInner::MySql(self.bounded(pool.begin()).await?),
        };
        Ok(Tx { inner, target: Arc::clone(&self.target), timeout: self.timeout })
    }

    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::MySql(pool) => pool.close().await,
        }
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> StoreResult<T> {
        bounded(&self.target, self.timeout, work).await
    }
}

/// A transaction that broke off in its own end (the disk was full) leaves its connection in the middle of it for ever: that
/// connection is given up.
async fn begin_immediate(writer: &sqlx::SqlitePool) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match writer.begin_with(BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            writer.begin_with(BEGIN).await
        }
        other => other,
    }
}

impl Tx {
    /// Runs a writing statement.
    pub(super) async fn run(&mut self, statement: Statement) -> StoreResult<Done> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => {
                let query = sqlite_query(statement);
                let work =
                    async { query.execute(&mut **tx).await.map(|r| done(r.rows_affected(), r.last_insert_rowid())) };
                bounded(&self.target, self.timeout, work).await
            }
            TxInner::MySql(tx) => {
                let query = mysql_query(statement);
                let work = async { query.execute(&mut **tx).await.map(|r| mysql_done(&r)) };
                bounded(&self.target, self.timeout, work).await
            }
        }
    }

    /// Reads rows.
    pub(super) async fn rows(&mut self, statement: Statement) -> StoreResult<Vec<Row>> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => {
                let work = sqlite_query(statement).fetch_all(&mut **tx);
                Ok(sqlite_rows(&bounded(&self.target, self.timeout, work).await?))
            }
            TxInner::MySql(tx) => {
                let work = mysql_query(statement).fetch_all(&mut **tx);
                Ok(mysql_rows(&bounded(&self.target, self.timeout, work).await?))
            }
        }
    }

    /// Statements may take this long from here on: changing a large table takes its time.
    pub(super) fn allow(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Makes it last.
    pub(super) async fn commit(self) -> StoreResult<()> {
        match self.inner {
            TxInner::Sqlite(tx) => bounded(&self.target, self.timeout, tx.commit()).await,
            TxInner::MySql(tx) => bounded(&self.target, self.timeout, tx.commit()).await,
        }
    }
}

async fn bounded<T>(
    target: &str,
    timeout: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> StoreResult<T> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result.map_err(|e| StoreError::from_driver(target, e)),
        Err(_) => Err(StoreError::Unavailable {
            tried: target.to_owned(),
            reason: format!("no answer within {} s", timeout.as_secs()),
        }),
    }
}

/// The server behind a kept connection still takes writes. The next one is made anew, wherever the address leads by then.
async fn takes_writes(connection: &mut sqlx::MySqlConnection) -> Result<bool, sqlx::Error> {
    // As texts: some servers have numbers here, some words.
    let question = "select cast(@@global.read_only as char), cast(@@global.innodb_read_only as char)";
    let (read_only, engine): (String, String) = sqlx::query_as(question).fetch_one(connection).await?;
    let is_off = |value: &str| matches!(value, "0" | "OFF");
    Ok(is_off(&read_only) && is_off(&engine))
}

fn mysql_options(settings: &MySqlSettings) -> MySqlConnectOptions {
    let tls = &settings.tls;
    let mode = match tls.mode {
        BackendTlsMode::Off => MySqlSslMode::Disabled,
        BackendTlsMode::Preferred => MySqlSslMode::Preferred,
        BackendTlsMode::Required => MySqlSslMode::Required,
        BackendTlsMode::Verified => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .host(&settings.host)
        .port(settings.port)
        .username(&settings.user)
        .password(&settings.password)
        .ssl_mode(mode)
        .timezone(Some("+00:00".to_owned()));
    if let Some(ca) = &tls.ca {
        options = options.ssl_ca(ca);
    }
    if let Some(cert) = &tls.cert {
        options = options.ssl_client_cert(cert);
    }
    if let Some(key) = &tls.key {
        options = options.ssl_client_key(key);
    }
    options
}

/// Creates the schema when it is missing. An account without that right may still use a schema that exists,
/// so a refusal is not the last word.
async fn create_schema(options: &MySqlConnectOptions, settings: &MySqlSettings, target: &str) -> StoreResult<()> {
    let connect = sqlx::MySqlConnection::connect_with(options);
    let mut connection = bounded(target, settings.connect_timeout.max(Duration::from_secs(1)), connect).await?;
    let name = settings.database.replace('`', "``");
    let sql = format!("create database if not exists `{name}`");
    if let Err(error) = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await {
        tracing::debug!(%error, database = settings.database, "cannot create the backend schema, perhaps it exists");
    }
    // The session is over either way.
    let _ = connection.close().await;
    Ok(())
}

fn done(affected: u64, last_id: i64) -> Done {
    Done { affected, last_id }
}

fn mysql_done(result: &sqlx::mysql::MySqlQueryResult) -> Done {
    done(result.rows_affected(), i64::try_from(result.last_insert_id()).unwrap_or(0))
}

fn sqlite_query(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    query(statement, Dialect::Sqlite)
}

fn mysql_query(statement: Statement) -> Query<'static, MySql, MySqlArguments> {
    query(statement, Dialect::MySql)
}

/// The statement with its values, for either driver.
fn query<DB>(statement: Statement, dialect: Dialect) -> Query<'static, DB, DB::Arguments>
where
    DB: Database + HasStatementCache,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    i64: Encode<'static, DB> + Type<DB>,
    String: Encode<'static, DB> + Type<DB>,
{
    let keep = statement.is_kept();
    let Statement { sql, args, .. } = statement;
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keep);
    for value in args {
        query = match value {
            Value::Null => query.bind(Option::<i64>::None),
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Time(time) => query.bind(dialect.time_text(time)),
        };
    }
    query
}

fn columns<C: Column>(columns: Option<&[C]>) -> Columns {
    let names = columns.unwrap_or_default().iter().enumerate();
    Arc::new(names.map(|(at, column)| (column.name().to_owned(), at)).collect::<HashMap<_, _>>())
}

fn sqlite_rows(rows: &[SqliteRow]) -> Vec<Row> {
    let columns = columns(rows.first().map(SqliteRow::columns));
    rows.iter()
        .map(|row| Row::new(Arc::clone(&columns), (0..row.len()).map(|at| sqlite_cell(row, at)).collect()))
        .collect()
}

/// Cells are read by what they hold, not by what the column was declared as: SQLite lets them differ.
fn sqlite_cell(row: &SqliteRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else { return Value::Null };
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info();
    match kind.name() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(at).map_or(Value::Null, Value::Int),
        #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is what a count needs")]
        "REAL" => row.try_get_unchecked::<f64, _>(at).map_or(Value::Null, |f| Value::Int(f as i64)),
        _ => row.try_get_unchecked::<Vec<u8>, _>(at).map_or(Value::Null, lossy),
    }
}

fn mysql_rows(rows: &[MySqlRow]) -> Vec<Row> {
    let columns = columns(rows.first().map(MySqlRow::columns));
    rows.iter()
        .map(|row| Row::new(Arc::clone(&columns), (0..row.len()).map(|at| mysql_cell(row, at)).collect()))
        .collect()
}

fn mysql_cell(row: &MySqlRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else { return Value::Null };
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info();
    match kind.name() {
        "TIMESTAMP" => row.try_get_unchecked::<DateTime<Utc>, _>(at).map_or(Value::Null, Value::Time),
        "DATETIME" => row.try_get_unchecked::<NaiveDateTime, _>(at).map_or(Value::Null, |t| Value::Time(t.and_utc())),
        name if name.contains("INT") || name == "BOOLEAN" => {
            if name.ends_with("UNSIGNED") {
                row.try_get_unchecked::<u64, _>(at).map_or(Value::Null, Value::from)
            } else {
                row.try_get_unchecked::<i64, _>(at).map_or(Value::Null, Value::Int)
            }
        }
        _ => row.try_get_unchecked::<Vec<u8>, _>(at).map_or(Value::Null, lossy),
    }
}

fn lossy(bytes: Vec<u8>) -> Value {
    Value::Text(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}
