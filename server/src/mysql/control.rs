//! Statements that change a server, and waiting for their effect. Who may call this, under which lock, is the
//! executor's business; here each is bounded in time.

use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use app::gtid::{GtidError, MariadbGtidPos};
use engine::interpret::{Record, Survey};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::connect::{Connector, Lease};
use super::drain::{DrainProgress, Drained, drain};
use super::error::{KILL_DENIED, MysqlError, NO_SUCH_THREAD};
use super::questions::{SURVEY_BINARY_LOG, survey_variables};
use super::session::Session;

/// Killing a statement that hangs may take this long.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// The server's own time-out of a wait ends this much before ours, so that the answer is the server's.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// A position is asked for this often.
const PERIOD: Duration = Duration::from_millis(15);
/// What a MariaDB server has executed: replicated, and written itself.
const POSITION: &str =
    "SELECT CONCAT_WS(',', NULLIF(@@GLOBAL.gtid_current_pos, ''), NULLIF(@@GLOBAL.gtid_binlog_pos, ''))";

/// Acts on servers. A trait because the world cannot come into a test.
pub trait Control: Send + Sync {
    /// Runs statements one after the other and stops at the first that fails. `limit` is for all of them together.
    /// A statement that does not answer in time is killed on the server: it does not take effect behind our back,
    /// as far as the server lets itself be asked.
    fn execute<'a>(
        &'a self,
        key: &'a InstanceKey,
        statements: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<(), MysqlError>>;

    /// Runs one statement and returns its rows.
    fn query<'a>(
        &'a self,
        key: &'a InstanceKey,
        statement: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<Record>, MysqlError>>;

    /// Waits until the server has executed a GTID set (MySQL) or position (MariaDB). `false` when time ran out.
    fn wait_for_gtid<'a>(
        &'a self,
        key: &'a InstanceKey,
        set: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<bool, MysqlError>>;

    /// Starts the applier of a channel, and only it, and waits until all that was received is applied.
    ///
    /// The receiver must be stopped, so that nothing arrives meanwhile. On MariaDB with GTID, where starting the applier
    /// with both threads stopped throws the relay log away, GTID is switched off for the time. An applier that stops with an error is a failure at once. `limit` is for the whole.
    fn drain<'a>(
        &'a self,
        key: &'a InstanceKey,
        channel: &'a str,
        limit: Duration,
        progress: &'a (dyn Fn(DrainProgress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Drained, MysqlError>>;

    /// Ends client sessions: all but replication, the server's own threads, our account's, and the accounts named.
    /// Returns how many were ended. One that our account may not end (MySQL manual, "SYSTEM_USER") is an error only when
    /// it is doing something: while it sleeps nobody waits for an answer to be told.
    fn kill_sessions<'a>(
        &'a self,
        key: &'a InstanceKey,
        spare: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<usize, MysqlError>>;
}

/// Acts on real servers.
#[derive(Debug, Clone)]
pub struct MysqlControl {
    connector: Arc<Connector>,
}

impl MysqlControl {
    /// Acts over connections of `connector`.
    pub fn new(connector: Arc<Connector>) -> Self {
        Self { connector }
    }

    /// Runs one statement; kills it on the server when it does not answer in time.
    async fn run(&self, session: &mut Session, statement: &str, limit: Duration) -> Result<Vec<Record>, MysqlError> {
        let answer = session.rows(statement, limit).await;
        if matches!(answer, Err(MysqlError::Timeout { .. })) {
            self.kill_statement(session.key(), session.id()).await;
        }
        answer
    }

    /// Losing its client does not stop a statement that waits for a lock: `SET GLOBAL read_only` would come true
    /// whenever the lock is free, long after the operation was rolled back.
    async fn kill_statement(&self, key: &InstanceKey, id: u32) {
        let killed = tokio::time::timeout(KILL_LIMIT, async {
            let mut session = self.connector.open(key).await?;
            session.run(&format!("KILL {id}"), KILL_LIMIT).await
        });
        match killed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.number() == Some(NO_SUCH_THREAD) => {}
            Ok(Err(error)) => tracing::warn!(server = %key, %error, "cannot kill a statement that hangs"),
            Err(_elapsed) => tracing::warn!(server = %key, "cannot kill a statement that hangs: no answer"),
        }
    }

    /// What the server understands: as the probe found, else asked now.
    async fn survey(&self, session: &mut Session, limit: Duration) -> Result<Arc<Survey>, MysqlError> {
        if let Some(survey) = self.connector.survey(session.key()) {
            return Ok(survey);
        }
        let variables = session.rows(&survey_variables(), limit).await?;
        let binary_log = session.run(SURVEY_BINARY_LOG, limit).await;
        let understood = !matches!(binary_log, Err(error) if error.number() == Some(1064));
        let survey = Arc::new(Survey::new(&variables, understood));
        self.connector.remember(session.key(), Some(Arc::clone(&survey)));
        Ok(survey)
    }

    async fn lend(&self, key: &InstanceKey) -> Result<Lease, MysqlError> {
        self.connector.lend(key).await
    }

    fn bounded(&self, limit: Duration) -> Duration {
        limit.min(self.connector.settings().statement_timeout)
    }
}

impl Control for MysqlControl {
    fn execute<'a>(
        &'a self,
        key: &'a InstanceKey,
        statements: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<(), MysqlError>> {
        Box::pin(async move {
            let deadline = Instant::now() + self.bounded(limit);
            let mut lease = self.lend(key).await?;
            for statement in statements {
                let left = deadline.saturating_duration_since(Instant::now());
                self.run(&mut lease.session, statement, left).await?;
            }
            lease.give_back();
            Ok(())
        })
    }

    fn query<'a>(
        &'a self,
        key: &'a InstanceKey,
        statement: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<Record>, MysqlError>> {
        Box::pin(async move {
            let mut lease = self.lend(key).await?;
            let rows = self.run(&mut lease.session, statement, self.bounded(limit)).await?;
            lease.give_back();
            Ok(rows)
        })
    }

    fn wait_for_gtid<'a>(
        &'a self,
        key: &'a InstanceKey,
        set: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<bool, MysqlError>> {
        Box::pin(async move {
            if !set.bytes().all(|b| b.is_ascii_alphanumeric() || b"-:,_ \n".contains(&b)) {
                return Err(MysqlError::Settings(format!("{set:?} is no GTID set")));
            }
            let limit = self.bounded(limit);
            let mut lease = self.lend(key).await?;
            let mariadb = self.survey(&mut lease.session, limit).await?.is_mariadb();
            let reached = if mariadb {
                wait_for_position(&mut lease.session, set, limit).await?
            } else {
                // 5.7 rounds fractions.
                let seconds = limit.as_secs_f64().max(0.001);
                let statement = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{set}', {seconds:.3})");
                let rows = self.run(&mut lease.session, &statement, limit + ANSWER_MARGIN).await?;
                match rows.first().and_then(Record::scalar) {
                    Some("0") => true,
                    Some("1") => false,
                    other => return Err(unexpected_wait(&format!("got {other:?}"))),
                }
            };
            lease.give_back();
            Ok(reached)
        })
    }

    fn drain<'a>(
        &'a self,
        key: &'a InstanceKey,
        channel: &'a str,
        limit: Duration,
        progress: &'a (dyn Fn(DrainProgress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Drained, MysqlError>> {
        Box::pin(async move {
            let deadline = Instant::now() + self.bounded(limit);
            let mut lease = self.lend(key).await?;
            let survey = self.survey(&mut lease.session, self.bounded(limit)).await?;
            let drained = drain(&mut lease.session, &survey, channel, deadline, progress).await?;
            lease.give_back();
            Ok(drained)
        })
    }

    fn kill_sessions<'a>(
        &'a self,
        key: &'a InstanceKey,
        spare: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<usize, MysqlError>> {
        Box::pin(async move {
            let deadline = Instant::now() + self.bounded(limit);
            let left = || deadline.saturating_duration_since(Instant::now());
            let mut lease = self.lend(key).await?;
            let rows = lease.session.rows("SHOW PROCESSLIST", left()).await?;
            let own = self.connector.settings();
            let (sessions, kills): (Vec<&Record>, Vec<String>) = rows
                .iter()
                .filter(|row| is_client(row, &own.user, spare))
                .filter_map(|row| Some((row, format!("KILL {}", row.number::<u64>(&["Id"])?))))
                .unzip();
            let mut killed = 0;
            for (row, answer) in sessions.into_iter().zip(lease.session.batch(&kills, left()).await) {
                match answer {
                    Ok(_) => killed += 1,
                    Err(error) if may_stay(row, &error) => {}
                    Err(error) => return Err(error),
                }
            }
            lease.give_back();
            Ok(killed)
        })
    }
}

/// MariaDB's own `MASTER_GTID_WAIT` looks at what was replicated only, and waits in vain for what the server wrote
/// itself: while it was the source, say.
async fn wait_for_position(session: &mut Session, position: &str, limit: Duration) -> Result<bool, MysqlError> {
    let unreadable = |error: GtidError| unexpected_wait(&error.to_string());
    let wanted = MariadbGtidPos::parse(position).map_err(unreadable)?;
    let deadline = Instant::now() + limit;
    loop {
        let rows = session.rows(POSITION, limit.max(ANSWER_MARGIN)).await?;
        let text = rows.first().and_then(Record::scalar).unwrap_or_default();
        if MariadbGtidPos::parse(text).map_err(unreadable)?.covers(&wanted) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(PERIOD).await;
    }
}

fn unexpected_wait(reason: &str) -> MysqlError {
    MysqlError::Unexpected { what: "the wait for a GTID set".to_owned(), reason: reason.to_owned() }
}

/// A session of somebody who may write: not replication, not the server itself, not ours.
fn is_client(row: &Record, own_user: &str, spare: &[String]) -> bool {
    let user = row.get("User").unwrap_or_default();
    let command = row.get("Command").unwrap_or_default();
    let servers_own = matches!(user, "" | "system user" | "event_scheduler");
    let replication = command.starts_with("Binlog Dump") || matches!(command, "Daemon" | "Slave_IO" | "Slave_SQL");
    !servers_own && !replication && user != own_user && !spare.iter().any(|name| name == user)
}

/// A session that could not be ended and is harmless: it is gone, or it is another's than we may end and does nothing.
fn may_stay(row: &Record, error: &MysqlError) -> bool {
    match error.number() {
        Some(NO_SUCH_THREAD) => true,
        Some(KILL_DENIED) => row.get("Command") == Some("Sleep"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_may_not_be_ended_is_harmless_while_it_sleeps() {
        let row = |command: &str| Record::new([("Command".to_owned(), Some(command.to_owned()))]);
        let error = |code| MysqlError::Server { code, state: "HY000".to_owned(), message: String::new() };
        assert!(may_stay(&row("Sleep"), &error(KILL_DENIED)));
        assert!(!may_stay(&row("Query"), &error(KILL_DENIED)));
        assert!(may_stay(&row("Query"), &error(NO_SUCH_THREAD)));
        assert!(!may_stay(&row("Sleep"), &error(1227)));
    }

    #[test]
    fn only_sessions_of_clients_are_ended() {
        let row = |user: &str, command: &str| {
            Record::new([("User".to_owned(), Some(user.to_owned())), ("Command".to_owned(), Some(command.to_owned()))])
        };
        let spare = ["backup".to_owned()];
        assert!(is_client(&row("shop", "Sleep"), "orc", &spare));
        assert!(is_client(&row("root", "Query"), "orc", &spare));
        for (user, command) in [
            ("system user", "Connect"),
            ("event_scheduler", "Daemon"),
            ("repl", "Binlog Dump GTID"),
            ("orc", "Sleep"),
            ("backup", "Query"),
        ] {
            assert!(!is_client(&row(user, command), "orc", &spare), "{user}");
        }
    }
}
