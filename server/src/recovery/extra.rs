//! What a returned source holds alone, in a file for people: which transactions, in which logs, their events as the server shows them, and
//! the command that gets all of them out.
//!
//! The list is written at once. Events are added behind it when they are read: that takes longer, is bounded, and holds nobody up.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::extra::Extra;
use app::gtid::GtidError;
use chrono::Utc;
use engine::extra::{Picker, Wanted};
use engine::pseudo_gtid::Event;
use engine::statements::literal;

use super::RecoveryService;
use crate::exec::HandError;

/// How long the list of binary logs may take.
const LOGS_LIMIT: Duration = Duration::from_secs(2);

/// How long one question for events may take, and all of them.
const EVENTS_LIMIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(120));

/// Logs that are looked into, from the newest back.
const LOGS: usize = 50;

/// The event that tells what came before a log is among the first of it.
const FIRST_EVENTS: usize = 5;

/// Events asked for at a time.
const CHUNK: usize = 2_000;

/// Bytes of events that are kept.
const KEPT: usize = 16 * 1024 * 1024;

/// A file to which events are added.
#[derive(Debug)]
pub(super) struct Page {
    path: PathBuf,
    text: String,
    key: InstanceKey,
    successor: InstanceKey,
    /// As the server shows them.
    set: String,
    logs: Vec<String>,
}

/// Why events could not be read, or not all of them.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{0}")]
    Server(#[from] HandError),
    #[error("{0}")]
    Gtid(#[from] GtidError),
    #[error("{0} does not tell what was executed before it")]
    Beginning(String),
    #[error("they go further back than {} logs", LOGS)]
    TooFarBack,
    #[error("some are in logs that the server has no more")]
    Purged,
    #[error("there is more than {} MB of it", KEPT / 1024 / 1024)]
    TooMuch,
    #[error("it took longer than {} s", EVENTS_LIMIT.1.as_secs())]
    TooLong,
    #[error("{0} goes on beyond the positions that the server can tell")]
    Position(String),
}

/// Events that were found.
#[derive(Debug, Default)]
struct Found {
    lines: String,
    /// Logs with such events, oldest first.
    logs: Vec<String>,
    /// The first place and the last one.
    from: Option<(String, u64)>,
    to: Option<(String, u64)>,
}

impl RecoveryService {
    /// Puts the list into a file, where one is wanted. Gives what to tell of it, and the page to which events may be added.
    pub(super) async fn write_down(&self, key: &InstanceKey, extra: &Extra) -> (String, Option<Page>) {
        let Extra::Transactions(set) = extra else { return Default::default() };
        let folder = self.parts.config.current().extensions.extra_transactions_directory.clone();
        if folder.is_empty() {
            return Default::default();
        }
        let successor = self.registry.successor_of(key).unwrap_or_default();
        let (logs, told) = match self.parts.exec.ask(key, "SHOW BINARY LOGS", LOGS_LIMIT).await {
            Ok(rows) => {
                let logs: Vec<String> = rows.iter().filter_map(|row| row.get("Log_name").map(str::to_owned)).collect();
                let told = logs.join(" ");
                (logs, told)
            }
            Err(error) => (vec![], format!("could not be listed: {error}")),
        };
        let at = Utc::now();
        let text =
            format!("server: {key}\nreplaced by: {successor}\nat: {at}\ntransactions: {set}\nbinary logs: {told}\n");
        let name = format!("{}-{}-{}.txt", safe_name(&key.hostname), key.port, at.format("%Y%m%dT%H%M%S%.3fZ"));
        let path = Path::new(&folder).join(name);
        match put(path.clone(), text.clone()).await {
            Ok(()) => {
                let told = format!("; written down in {}", path.display());
                (told, Some(Page { path, text, key: key.clone(), successor, set: set.clone(), logs }))
            }
            Err(error) => (format!("; they could not be written down in {}: {error}", path.display()), None),
        }
    }

    /// Adds the events to a page, in the background.
    pub(super) fn add_events_later(self: &Arc<Self>, page: Option<Page>) {
        let Some(page) = page.filter(|page| !page.logs.is_empty()) else { return };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let mut found = Found::default();
            let ended = this.find_events(&page, &mut found).await;
            let text = format!("{}{}", page.text, events_text(&page, &found, ended.as_ref().err()));
            if let Err(error) = put(page.path.clone(), text).await {
                tracing::warn!(instance = %page.key, path = %page.path.display(), %error, "events could not be written down");
            }
        });
    }

    async fn find_events(&self, page: &Page, found: &mut Found) -> Result<(), Unread> {
        let began = Instant::now();
        let wanted = self.wanted(page).await?;
        let (mut logs, mut is_all): (Vec<&String>, bool) = (vec![], false);
        for log in page.logs.iter().rev().take(LOGS) {
            logs.push(log);
            let first = self.events(&page.key, log, 4, FIRST_EVENTS).await?;
            let begins = first.iter().find_map(|event| wanted.begins_here(event));
            is_all = begins.ok_or_else(|| Unread::Beginning(log.clone()))?;
            if is_all {
                break;
            }
        }
        let mut picker = Picker::of(wanted);
        for log in logs.into_iter().rev() {
            let mut from = 4;
            loop {
                if began.elapsed() > EVENTS_LIMIT.1 {
                    return Err(Unread::TooLong);
                }
                let events = self.events(&page.key, log, from, CHUNK).await?;
                for event in events.iter().filter(|event| picker.takes(event)) {
                    found.add(log, event)?;
                }
                let Some(last) = events.last().filter(|_| events.len() >= CHUNK) else { break };
                from = last
                    .next()
                    .and_then(|at| u64::try_from(at.position).ok())
                    .ok_or_else(|| Unread::Position(log.clone()))?;
            }
        }
        match is_all {
            true => Ok(()),
            false if page.logs.len() > LOGS => Err(Unread::TooFarBack),
            false => Err(Unread::Purged),
        }
    }

    async fn wanted(&self, page: &Page) -> Result<Wanted, Unread> {
        let is_mariadb = self.parts.fleet.get(&page.key).is_some_and(|server| server.is_mariadb());
        if !is_mariadb {
            return Ok(Wanted::mysql(&page.set)?);
        }
        let rows = self.parts.exec.ask(&page.successor, "SELECT @@GLOBAL.gtid_binlog_state", LOGS_LIMIT).await?;
        let state = rows.first().and_then(|row| row.nth(0)).unwrap_or_default();
        Ok(Wanted::mariadb(&page.set, state)?)
    }

    async fn events(&self, key: &InstanceKey, log: &str, from: u64, limit: usize) -> Result<Vec<Event>, Unread> {
        let question = format!("SHOW BINLOG EVENTS IN {} FROM {from} LIMIT {limit}", literal(log));
        let rows = self.parts.exec.ask(key, &question, EVENTS_LIMIT.0).await?;
        Ok(rows.iter().filter_map(Event::from_record).collect())
    }
}

impl Found {
    fn add(&mut self, log: &str, event: &Event) -> Result<(), Unread> {
        let info = event.info.replace('\n', "\n    ");
        let line = format!("{log} {} {} {info}\n", event.pos, event.kind);
        if self.lines.len() + line.len() > KEPT {
            return Err(Unread::TooMuch);
        }
        self.lines.push_str(&line);
        if self.logs.last().is_none_or(|last| last != log) {
            self.logs.push(log.to_owned());
        }
        self.from.get_or_insert_with(|| (log.to_owned(), event.pos));
        self.to = Some((log.to_owned(), event.end));
        Ok(())
    }
}

/// What is added to the page.
fn events_text(page: &Page, found: &Found, trouble: Option<&Unread>) -> String {
    let mut text = String::new();
    if let Some(command) = command(page, found) {
        text.push_str(&format!("to get them out, with their rows:\n    {command}\n"));
    }
    if let Some(trouble) = trouble {
        text.push_str(&format!("events: not all of them could be read: {trouble}\n"));
    } else {
        text.push_str("events:\n");
    }
    text.push_str(&found.lines);
    text
}

/// The command that reads the transactions with all that is in them: a list of events does not show rows.
fn command(page: &Page, found: &Found) -> Option<String> {
    let InstanceKey { hostname, port } = &page.key;
    let host = quoted(hostname);
    let (from, to) = (found.from.as_ref()?, found.to.as_ref()?);
    let logs = found.logs.iter().map(|log| quoted(log)).collect::<Vec<_>>().join(" ");
    let server = format!("--read-from-remote-server --host={host} --port={port}");
    // MySQL's sets name a source by its UUID, MariaDB's positions do not.
    Some(if page.set.contains(':') {
        format!("mysqlbinlog {server} --include-gtids={} {logs}", quoted(&page.set))
    } else {
        format!("mariadb-binlog {server} --start-position={} --stop-position={} {logs}", from.1, to.1)
    })
}

/// A word of a shell's command.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes a file that only this account can read, whole or not at all.
async fn put(path: PathBuf, text: String) -> std::io::Result<()> {
    let write = move || {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder)?;
        let beside = path.with_extension("part");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&beside, &path)
    };
    tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)?
}

/// A host name as part of a file's name: it comes from a server.
fn safe_name(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}
