//! Applying what is in a relay log, so that nothing received is lost when the replica is repointed or promoted.

use std::time::Duration;

use app::gtid::MariadbGtidPos;
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

/// What must be reached.
#[derive(Debug)]
enum Goal {
    /// MySQL: this set is executed. It does not grow, as the receiver is stopped.
    Executed(String),
    /// MariaDB with GTID: the applier's position covers this one.
    Applied(MariadbGtidPos),
    /// Without GTID: the applier is where the receiver stopped.
    Position,
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
    let mut drain = Drain { session, words, channel, deadline, began: Instant::now(), still: None };
    let row = drain.status().await?;
    if !matches!(row.first(&["Replica_IO_Running", "Slave_IO_Running"]), Some("No") | None) {
        return Err(unexpected(channel, "its receiver is not stopped"));
    }
    let goal = goal(&row, channel)?;
    let Some(using) = lost_by_starting(&row, &goal, channel)? else {
        drain.run(&drain.words.start_applier.clone()).await?;
        return drain.wait(&goal, progress).await;
    };
    drain.keep_relay_log(&row).await?;
    match drain.wait(&goal, progress).await {
        Ok(drained) => {
            drain.restore_gtid(&using).await?;
            Ok(drained)
        }
        // Going back to GTID now would throw away what is not applied yet.
        Err(MysqlError::Applier { channel, code, message }) => {
            let message = format!("{message} ({LEFT_OFF})");
            Err(MysqlError::Applier { channel, code, message })
        }
        Err(MysqlError::Timeout { what, after }) => {
            Err(MysqlError::Timeout { what: format!("{what} ({LEFT_OFF})"), after })
        }
        Err(other) => Err(other),
    }
}

/// Said when a drain fails that had to switch GTID off.
const LEFT_OFF: &str = "MASTER_USE_GTID is left at no, so that the relay log is kept";

struct Drain<'a> {
    session: &'a mut Session,
    words: Words,
    channel: &'a str,
    deadline: Instant,
    began: Instant,
    /// Since when the applier waits for more, and where it stands.
    still: Option<(Instant, String)>,
}

impl Drain<'_> {
    async fn run(&mut self, statement: &str) -> Result<(), MysqlError> {
        self.session.run(statement, left(self.deadline)).await
    }

    async fn status(&mut self) -> Result<Record, MysqlError> {
        let rows = self.session.rows(&self.words.status, left(self.deadline)).await?;
        rows.into_iter()
            .find(|row| row.text(&["Channel_Name", "Connection_name"]) == self.channel)
            .ok_or_else(|| unexpected(self.channel, "there is no such channel"))
    }

    /// MariaDB with GTID begins a relay log anew when a thread is started while neither runs, be it the applier alone.
    /// Without GTID it does not, and a `CHANGE MASTER` that names the place in the relay log does not either.
    async fn keep_relay_log(&mut self, row: &Record) -> Result<(), MysqlError> {
        let (file, position) = (row.text(&["Relay_Log_File"]), row.number::<u64>(&["Relay_Log_Pos"]));
        let Some(position) = position.filter(|_| is_plain(&file) && !file.is_empty()) else {
            return Err(unexpected(self.channel, "its place in the relay log is not known"));
        };
        let name = self.channel;
        self.run(&format!(
            "CHANGE MASTER '{name}' TO RELAY_LOG_FILE = '{file}', RELAY_LOG_POS = {position}, MASTER_USE_GTID = no"
        ))
        .await?;
        self.run(&self.words.start_applier.clone()).await
    }

    async fn restore_gtid(&mut self, using: &str) -> Result<(), MysqlError> {
        let name = self.channel;
        self.run(&format!("STOP SLAVE '{name}' SQL_THREAD")).await?;
        self.run(&format!("CHANGE MASTER '{name}' TO MASTER_USE_GTID = {using}")).await?;
        self.run(&self.words.start_applier.clone()).await
    }

    async fn wait(
        &mut self,
        goal: &Goal,
        progress: &(dyn Fn(DrainProgress) + Send + Sync),
    ) -> Result<Drained, MysqlError> {
        loop {
            let row = self.status().await?;
            let now = state(&row);
            progress(now.clone());
            fail_on_applier_error(&row, self.channel)?;
            let applied = self.reached(goal, &row, &now).await?;
            if applied || self.is_stuck(goal, &row, &now) {
                let gtid = match goal {
                    Goal::Executed(set) => set.clone(),
                    Goal::Applied(_) => row.text(&["Gtid_Slave_Pos"]),
                    Goal::Position => String::new(),
                };
                return Ok(Drained { exec: now.exec, gtid, incomplete_tail: !applied });
            }
            let stopped = row.first(&["Replica_SQL_Running", "Slave_SQL_Running"]) == Some("No");
            if stopped && self.began.elapsed() >= STILL {
                // Without an error: somebody else stopped it, or an UNTIL condition did.
                return Err(MysqlError::Applier {
                    channel: self.channel.to_owned(),
                    code: 0,
                    message: format!("it was stopped at {}, with {} received", now.exec, now.read),
                });
            }
            if Instant::now() >= self.deadline {
                return Err(MysqlError::Timeout {
                    what: format!("applying the relay log (applied up to {} of {})", now.exec, now.read),
                    after: self.began.elapsed(),
                });
            }
            // Mostly it is a matter of milliseconds, and clients wait.
            tokio::time::sleep((self.began.elapsed() / 4).clamp(PERIOD / 5, PERIOD)).await;
        }
    }

    async fn reached(&mut self, goal: &Goal, row: &Record, now: &DrainProgress) -> Result<bool, MysqlError> {
        match goal {
            Goal::Executed(set) => {
                let statement = format!("SELECT GTID_SUBSET('{set}', @@GLOBAL.gtid_executed)");
                let rows = self.session.rows(&statement, left(self.deadline)).await?;
                Ok(rows.first().and_then(Record::scalar) == Some("1"))
            }
            Goal::Applied(position) => Ok(parsed(row, "Gtid_Slave_Pos", self.channel)?.covers(position)),
            Goal::Position => Ok(now.read == now.exec),
        }
    }

    /// The applier has read everything and does not move, and yet the goal is not reached: what is left is the
    /// beginning of a transaction. GTIDs count whole transactions only, so where they are the goal it is not that.
    fn is_stuck(&mut self, goal: &Goal, row: &Record, now: &DrainProgress) -> bool {
        let says = row.text(&["Replica_SQL_Running_State", "Slave_SQL_Running_State"]).to_ascii_lowercase();
        let waits = says.contains("read all relay log") && matches!(goal, Goal::Position);
        self.still = match self.still.take() {
            Some((since, place)) if waits && place == now.exec => Some((since, place)),
            _ => waits.then(|| (Instant::now(), now.exec.clone())),
        };
        self.still.as_ref().is_some_and(|(since, _)| since.elapsed() >= STILL)
    }
}

fn goal(row: &Record, channel: &str) -> Result<Goal, MysqlError> {
    let retrieved = row.text(&["Retrieved_Gtid_Set"]).replace(['\n', ' '], "");
    if !retrieved.is_empty() {
        return Ok(Goal::Executed(retrieved));
    }
    let received = parsed(row, "Gtid_IO_Pos", channel)?;
    let with_gtid = !matches!(row.get("Using_Gtid"), Some("No") | None);
    Ok(if with_gtid && !received.is_empty() { Goal::Applied(received) } else { Goal::Position })
}

/// The `MASTER_USE_GTID` that must be off while the applier is started, or else what is not yet applied is lost.
fn lost_by_starting(row: &Record, goal: &Goal, channel: &str) -> Result<Option<String>, MysqlError> {
    let Goal::Applied(received) = goal else { return Ok(None) };
    let applied = parsed(row, "Gtid_Slave_Pos", channel)?;
    if row.get("Slave_SQL_Running") != Some("No") || applied.covers(received) {
        return Ok(None);
    }
    if received.entries().len() > 1 {
        // Domains are applied independently of each other: the one place in the relay log does not tell how far each is.
        return Err(unexpected(
            channel,
            "both its threads are stopped, and starting one throws away a relay log of several GTID domains",
        ));
    }
    Ok(Some(row.text(&["Using_Gtid"]).to_ascii_lowercase()).filter(|using| is_plain(using)))
}

fn parsed(row: &Record, column: &str, channel: &str) -> Result<MariadbGtidPos, MysqlError> {
    MariadbGtidPos::parse(row.get(column).unwrap_or_default())
        .map_err(|error| unexpected(channel, &format!("{column}: {error}")))
}

/// Needs no quoting.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
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
