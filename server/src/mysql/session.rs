//! One connection: statements in, rows out, everything bounded in time.

use std::time::Duration;

use app::InstanceKey;
use engine::interpret::Record;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};
use tokio::time::{Instant, timeout};

use super::error::{MysqlError, headline, without_secrets};

/// A polite good-bye may take this long; then the socket is closed without one.
const FAREWELL: Duration = Duration::from_millis(500);

/// One connection to one server. It is used by one task at a time; after silence it is broken and stays so.
///
/// Its `Debug` does not show the driver's connection, which would show the password.
pub struct Session {
    conn: Option<Conn>,
    key: InstanceKey,
    /// The server's number for this connection.
    id: u32,
    opened: Instant,
    round_trips: u32,
}

/// The answer to one statement of a batch.
pub type Answer = Result<Vec<Record>, MysqlError>;

impl Session {
    pub(super) fn new(conn: Conn, key: InstanceKey) -> Self {
        let id = conn.id();
        Self { conn: Some(conn), key, id, opened: Instant::now(), round_trips: 0 }
    }

    /// The server's number for this connection, for `KILL`.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whom it leads to.
    pub fn key(&self) -> &InstanceKey {
        &self.key
    }

    /// Questions sent since the connection was made.
    pub fn round_trips(&self) -> u32 {
        self.round_trips
    }

    /// It cannot be used any more.
    pub fn is_broken(&self) -> bool {
        self.conn.is_none()
    }

    /// How long ago it was opened.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// What the server answered, or silence.
    pub async fn rows(&mut self, statement: &str, limit: Duration) -> Answer {
        self.batch(&[statement], limit).await.pop().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Runs one statement and throws its rows away.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn run(&mut self, statement: &str, limit: Duration) -> Result<(), MysqlError> {
        self.rows(statement, limit).await.map(drop)
    }

    /// Runs several statements that change nothing, in one round trip, and returns an answer for each.
    ///
    /// A server stops at the first statement that fails; the ones behind it are sent again, in a round trip of their
    /// own. Silence, or an error that ends the whole query, is the answer to all that were not answered by then.
    /// `limit` holds for each round trip.
    pub async fn batch<S: AsRef<str>>(&mut self, statements: &[S], limit: Duration) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(statements.len());
        while let Some(rest) = statements.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let before = answers.len();
            self.round_trip(rest, limit, &mut answers).await;
            debug_assert!(answers.len() > before, "each round trip answers at least one statement");
        }
        answers
    }

    async fn round_trip<S: AsRef<str>>(&mut self, statements: &[S], limit: Duration, answers: &mut Vec<Answer>) {
        let first = statements.first().map(AsRef::as_ref).unwrap_or_default();
        let mut lent = Lent(self.conn.take());
        let Some(conn) = lent.0.as_mut() else {
            let lost = MysqlError::Lost { what: headline(first), reason: "the connection is closed".to_owned() };
            answers.extend(statements.iter().map(|_| Err(lost.clone())));
            return;
        };
        let text = statements.iter().map(|s| s.as_ref().trim().trim_end_matches(';')).collect::<Vec<_>>().join(";\n");
        let mut sets = Vec::with_capacity(statements.len());
        let outcome = timeout(limit, collect(conn, text, &mut sets)).await;
        self.conn = lent.0.take();
        self.round_trips += 1;
        // Whole sets only are in there, so it was the next statement that failed.
        let failed = statements.get(sets.len()).map(AsRef::as_ref).unwrap_or(first);
        let error = match outcome {
            Ok(Ok(())) => {
                let missing = statements.len().saturating_sub(sets.len());
                answers.extend(sets.into_iter().take(statements.len()).map(Ok));
                answers.extend((0..missing).map(|_| Ok(Vec::new())));
                return;
            }
            Ok(Err(mysql_async::Error::Server(error))) => {
                let message = without_secrets(&error.message, failed);
                MysqlError::Server { code: error.code, state: error.state, message }
            }
            Ok(Err(error)) => {
                self.abandon();
                MysqlError::Lost { what: headline(failed), reason: plain_reason(&error) }
            }
            Err(_elapsed) => {
                self.abandon();
                MysqlError::Timeout { what: headline(failed), after: limit }
            }
        };
        let ends = error.ends_batch();
        let answered = sets.len();
        answers.extend(sets.into_iter().map(Ok));
        answers.push(Err(error.clone()));
        if ends {
            answers.extend((answered + 1..statements.len()).map(|_| Err(error.clone())));
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// Silence.
    pub async fn ping(&mut self, limit: Duration) -> Result<(), MysqlError> {
        let what = || "ping".to_owned();
        let mut lent = Lent(self.conn.take());
        let Some(conn) = lent.0.as_mut() else {
            return Err(MysqlError::Lost { what: what(), reason: "the connection is closed".to_owned() });
        };
        self.round_trips += 1;
        let outcome = timeout(limit, conn.ping()).await;
        self.conn = lent.0.take();
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.abandon();
                Err(MysqlError::Lost { what: what(), reason: plain_reason(&error) })
            }
            Err(_elapsed) => {
                self.abandon();
                Err(MysqlError::Timeout { what: what(), after: limit })
            }
        }
    }

    /// Closes the connection without waiting for the server, which may not be there any more.
    fn abandon(&mut self) {
        if let Some(conn) = self.conn.take() {
            farewell(conn);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("key", &self.key).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// The driver's connection during a round trip. When whoever asked stops waiting, it is closed: the answer is still to come, and
/// the next question would take it for its own.
struct Lent(Option<Conn>);

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            farewell(conn);
        }
    }
}

/// Says good-bye in the background, so that the server does not count an aborted client. Dropping the driver's
/// connection instead would make it read what is left of an unfinished answer, and wait for that without end.
fn farewell(conn: Conn) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            let _ = timeout(FAREWELL, conn.disconnect()).await;
        });
    }
}

async fn collect(conn: &mut Conn, text: String, sets: &mut Vec<Vec<Record>>) -> mysql_async::Result<()> {
    let mut result = conn.query_iter(text).await?;
    loop {
        let mut set = Vec::new();
        result.for_each(|row| set.push(record(row))).await?;
        sets.push(set);
        if result.is_empty() {
            // The error of the statement behind the last set waits in here; left alone it would be the next query's.
            return result.drop_result().await;
        }
    }
}

/// Values of the text protocol are bytes; a name that is not valid UTF-8 is shown as well as can be.
fn record(row: Row) -> Record {
    let columns = row.columns();
    let values = row.unwrap_raw();
    let pairs = columns.iter().zip(values);
    Record::new(pairs.map(|(column, value)| (column.name_str().into_owned(), value.and_then(text))))
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// The driver's errors carry packets and values in some variants: only what cannot hold data is repeated.
pub(super) fn plain_reason(error: &mysql_async::Error) -> String {
    use mysql_async::{DriverError, Error};
    match error {
        Error::Io(error) => error.to_string(),
        Error::Server(error) => format!("server error {} ({}): {}", error.code, error.state, error.message),
        Error::Driver(DriverError::ConnectionClosed) => "the server closed the connection".to_owned(),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => "the server offers no TLS".to_owned(),
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => format!("unknown authentication plugin {name}"),
        Error::Driver(DriverError::CleartextPluginDisabled) => "the server asks for the password in clear".to_owned(),
        Error::Driver(_) => "the answer does not follow the protocol".to_owned(),
        Error::Url(_) | Error::Other(_) => "the driver gave up".to_owned(),
    }
}
