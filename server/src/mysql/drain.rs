//! Applying what is in a relay log, so that nothing received is lost when the replica is repointed or promoted.

use std::time::Duration;

use engine::interpret::{Record, Survey};
use tokio::time::Instant;

use super::error::MysqlError;
use super::session::Session;

/// Status is asked this often.
const PERIOD: Duration = Duration::from_millis(15);
/// The applier says that it waits for more, and its position has not moved for this long although it is not at the
/// end: what is left is the beginning of a transaction whose rest was never sent.
const STILL: Duration = Duration::from_secs(1);

/// How far the applier is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DrainProgress {
    /// Received up to here in the source's log, `file:position`.
    pub read: String,
    /// Applied up to here in the source's log, `file:position`.
    pub exec: String,
    /// The server's estimate of what is left, in seconds of the source's writing.
    pub seconds_behind: Option<u64>,
}

/// The relay log is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drained {
    /// Applied up to here in the source's log.
    pub exec: String,
    /// The received GTIDs that are now executed (MySQL), or the last one received (MariaDB); empty without GTID.
    pub gtid: String,
    /// A transaction at the end of the relay log was incomplete, and was left out. It was not committed on the source's
    /// word to anyone, as acknowledgements are for whole transactions.
    pub incomplete_tail: bool,
}

/// Starts the applier and waits until all is applied.
pub(super) async fn drain(
    session: &mut Session,
    survey: &Survey,
    channel: &str,
    deadline: Instant,
    progress: &(dyn Fn(DrainProgress) + Send + Sync),
) -> Result<Drained, MysqlError> {
    let words = Words::new(survey, channel)?;
    let began = Instant::now();
    let first = status(session, &words, channel, deadline).await?;
    if !matches!(first.text(&["Replica_IO_Running", "Slave_IO_Running"]).as_str(), "No" | "") {
        return Err(unexpected(channel, "its receiver is not stopped"));
    }
    session.run(&words.start_applier, left(deadline)).await?;
    let mut still_since: Option<(Instant, String)> = None;
    loop {
        let row = status(session, &words, channel, deadline).await?;
        let now = state(&row);
        progress(now.clone());
        fail_on_applier_error(&row, channel)?;
        let retrieved = row.text(&["Retrieved_Gtid_Set"]).replace('\n', "");
        let applied =
            if retrieved.is_empty() { now.read == now.exec } else { covers(session, &retrieved, deadline).await? };
        // The incomplete tail: the applier has nothing to do and does not move.
        let waits = row
            .text(&["Replica_SQL_Running_State", "Slave_SQL_Running_State"])
            .to_ascii_lowercase()
            .contains("read all relay log");
        still_since = match still_since.take() {
            Some((since, position)) if waits && position == now.exec => Some((since, position)),
            _ if waits => Some((Instant::now(), now.exec.clone())),
            _ => None,
        };
        let stuck = still_since.as_ref().is_some_and(|(since, _)| since.elapsed() >= STILL);
        if applied || (stuck && retrieved.is_empty()) {
            let gtid = if retrieved.is_empty() { row.text(&["Gtid_IO_Pos"]) } else { retrieved };
            return Ok(Drained { exec: now.exec, gtid, incomplete_tail: !applied });
        }
        if row.first(&["Replica_SQL_Running", "Slave_SQL_Running"]) == Some("No") && began.elapsed() >= STILL {
            // Stopped without an error: somebody else stopped it, or an UNTIL condition did.
            return Err(MysqlError::Applier {
                channel: channel.to_owned(),
                code: 0,
                message: format!("it was stopped at {}, with {} received", now.exec, now.read),
            });
        }
        if Instant::now() >= deadline {
            return Err(MysqlError::Timeout {
                what: format!("applying the relay log (applied up to {} of {})", now.exec, now.read),
                after: began.elapsed(),
            });
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// The statements for one channel.
struct Words {
    status: String,
    start_applier: String,
}

impl Words {
    fn new(survey: &Survey, channel: &str) -> Result<Self, MysqlError> {
        if channel.chars().any(|c| c.is_control() || matches!(c, '\'' | '"' | '\\' | '`' | ';')) {
            return Err(MysqlError::Settings(format!("{channel:?} is no name of a channel")));
        }
        let can = &survey.capabilities;
        let for_channel =
            if channel.is_empty() || !can.channels { String::new() } else { format!(" FOR CHANNEL '{channel}'") };
        Ok(if can.named_connections {
            Self {
                status: "SHOW ALL SLAVES STATUS".to_owned(),
                start_applier: format!("START SLAVE '{channel}' SQL_THREAD"),
            }
        } else if can.replica_terms {
            Self {
                status: format!("SHOW REPLICA STATUS{for_channel}"),
                start_applier: format!("START REPLICA SQL_THREAD{for_channel}"),
            }
        } else {
            Self {
                status: format!("SHOW SLAVE STATUS{for_channel}"),
                start_applier: format!("START SLAVE SQL_THREAD{for_channel}"),
            }
        })
    }
}

async fn status(session: &mut Session, words: &Words, channel: &str, deadline: Instant) -> Result<Record, MysqlError> {
    let rows = session.rows(&words.status, left(deadline)).await?;
    rows.into_iter()
        .find(|row| row.text(&["Channel_Name", "Connection_name"]) == channel)
        .ok_or_else(|| unexpected(channel, "there is no such channel"))
}

async fn covers(session: &mut Session, retrieved: &str, deadline: Instant) -> Result<bool, MysqlError> {
    let statement = format!("SELECT GTID_SUBSET('{retrieved}', @@GLOBAL.gtid_executed)");
    let rows = session.rows(&statement, left(deadline)).await?;
    Ok(rows.first().and_then(Record::scalar) == Some("1"))
}

fn state(row: &Record) -> DrainProgress {
    let place = |files: &[&str], positions: &[&str]| format!("{}:{}", row.text(files), row.text(positions));
    DrainProgress {
        read: place(&["Source_Log_File", "Master_Log_File"], &["Read_Source_Log_Pos", "Read_Master_Log_Pos"]),
        exec: place(
            &["Relay_Source_Log_File", "Relay_Master_Log_File"],
            &["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"],
        ),
        seconds_behind: row.number(&["Seconds_Behind_Source", "Seconds_Behind_Master"]),
    }
}

fn fail_on_applier_error(row: &Record, channel: &str) -> Result<(), MysqlError> {
    match row.number::<u32>(&["Last_SQL_Errno"]) {
        Some(code) if code != 0 => {
            Err(MysqlError::Applier { channel: channel.to_owned(), code, message: row.text(&["Last_SQL_Error"]) })
        }
        _ => Ok(()),
    }
}

fn unexpected(channel: &str, reason: &str) -> MysqlError {
    MysqlError::Unexpected { what: format!("draining channel {channel:?}"), reason: reason.to_owned() }
}

/// What is left of the time; at least enough to hear a server that answers at once.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(50))
}
