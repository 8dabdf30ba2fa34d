//! What can go wrong in the store, by what the caller should do next.

use sqlx::error::ErrorKind;

/// A failed call of the store. Says what the caller should do, not which driver said it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend cannot be reached, is busy or is read-only: keep what should be written and try again later.
    #[error("backend database is unavailable ({tried}): {reason}")]
    Unavailable {
        /// What was tried, e.g. `open sqlite file orchestrator.db` or `connect to mysql orc@db1:3306/orchestrator`.
        tried: String,
        /// What the driver or the server said.
        reason: String,
    },
    /// The backend holds something that cannot be read: a damaged file, or a value of our own that is not what we wrote.
    #[error("backend database holds unreadable data in {what}: {detail}")]
    Corrupt {
        /// Table, column or file.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A uniqueness rule forbids the write: something like it is there already.
    #[error("backend database refused a duplicate: {0}")]
    Conflict(String),
    /// The backend understood and refused: a value that fits no column, a missing table, a missing right.
    #[error("backend database refused a statement: {0}")]
    Refused(String),
    /// `PanicIfDifferentDatabaseDeploy` is set and this version never deployed its schema here.
    #[error(
        "PanicIfDifferentDatabaseDeploy is set and version {version:?} has not deployed its schema in this backend; \
         deploy it with `orchestrator -c redeploy-internal-db`, or switch the setting off"
    )]
    DifferentDeploy {
        /// Our version text.
        version: String,
    },
    /// `SkipOrchestratorDatabaseUpdate` is set and the backend lacks tables.
    #[error(
        "SkipOrchestratorDatabaseUpdate is set but the backend lacks schema update {missing}; \
         run once with --enable-database-update"
    )]
    NotDeployed {
        /// Number and name of the first missing update.
        missing: String,
    },
}

impl StoreError {
    /// The same call may work later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Something like it is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Sorts a driver error by what the caller should do; `tried` says what was being done.
    pub(super) fn from_driver(tried: &str, error: sqlx::Error) -> Self {
        let unavailable = |reason: String| Self::Unavailable { tried: tried.to_owned(), reason };
        match error {
            sqlx::Error::Database(ref database) => {
                let message = database.message().to_owned();
                if database.kind() == ErrorKind::UniqueViolation {
                    return Self::Conflict(message);
                }
                let code = database.code().map(|c| c.into_owned()).unwrap_or_default();
                match database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                    Some(mysql) => Self::from_mysql(mysql.number(), message, unavailable),
                    None => Self::from_sqlite(&code, message, tried, unavailable),
                }
            }
            sqlx::Error::Io(error) => unavailable(error.to_string()),
            sqlx::Error::Tls(error) => unavailable(format!("TLS: {error}")),
            sqlx::Error::PoolTimedOut => {
                unavailable("no connection in time: the server does not answer, or all are in use".to_owned())
            }
            sqlx::Error::PoolClosed => unavailable("the connection pool is closed".to_owned()),
            sqlx::Error::WorkerCrashed => unavailable("the connection's worker ended".to_owned()),
            sqlx::Error::Protocol(text) => unavailable(text),
            sqlx::Error::Configuration(error) => Self::Refused(error.to_string()),
            other @ (sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)) => Self::Corrupt { what: tried.to_owned(), detail: other.to_string() },
            other => Self::Refused(other.to_string()),
        }
    }

    fn from_mysql(number: u16, message: String, unavailable: impl Fn(String) -> Self) -> Self {
        match number {
            // Too many connections, shutting down, access denied, no such database, lock wait, deadlock,
            // read-only server, aborted or killed connection, statement timeout, super-read-only.
            1040
            | 1042
            | 1043
            | 1044
            | 1045
            | 1049
            | 1053
            | 1077
            | 1105
            | 1129
            | 1158..=1161
            | 1203
            | 1205
            | 1213
            | 1226
            | 1290
            | 1317
            | 1792
            | 1836
            | 1927
            | 2002
            | 2003
            | 2006
            | 2013
            | 3024
            | 4031 => unavailable(format!("{number}: {message}")),
            1062 => Self::Conflict(message),
            // Table is crashed or unreadable.
            126 | 127 | 144 | 145 | 1034 | 1035 | 1194 | 1195 => {
                Self::Corrupt { what: "a table".to_owned(), detail: format!("{number}: {message}") }
            }
            _ => Self::Refused(format!("{number}: {message}")),
        }
    }

    fn from_sqlite(code: &str, message: String, tried: &str, unavailable: impl Fn(String) -> Self) -> Self {
        // The low byte is the primary code of an extended one.
        match code.parse::<u32>().unwrap_or(0) & 0xff {
            // Busy, locked, out of memory, read-only, interrupted, I/O, full, cannot open, protocol.
            5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15 => unavailable(message),
            11 | 26 => Self::Corrupt { what: tried.to_owned(), detail: message },
            _ => Self::Refused(message),
        }
    }
}

/// Result of a call of the store.
pub type StoreResult<T> = Result<T, StoreError>;
