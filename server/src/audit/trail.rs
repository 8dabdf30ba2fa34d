//! Where the audit goes besides the backend: a file (`AuditLogFile`), syslog (`AuditToSyslog`), or else the log.
//!
//! Both are written by a thread of their own: a disk that hangs must not hold up whoever is recovering.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use app::api::AuditOutcome;
use chrono::Local;
use tokio::sync::oneshot;

use crate::config::LiveConfig;
use crate::store::AuditEntry;

/// Lines that may wait; what comes then goes to the log only.
const WAITING: usize = 10_000;

/// A place that cannot be written is complained of this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Where the system's log listens.
const SYSLOG: &str = "/dev/log";

/// Facility `user`, severity `info`: what the original's library sends.
const PRIORITY: u32 = 8 + 6;

/// What the writing thread is given.
enum Job {
    File { path: String, line: String },
    Syslog { text: String },
    Flush(oneshot::Sender<()>),
}

/// Tells of entries at once.
#[derive(Debug)]
pub(super) struct Trail {
    config: Arc<LiveConfig>,
    /// `None` when there is no thread to be had.
    jobs: Option<SyncSender<Job>>,
}

impl Trail {
    pub(super) fn new(config: Arc<LiveConfig>) -> Self {
        Self::with_syslog_at(config, SYSLOG)
    }

    fn with_syslog_at(config: Arc<LiveConfig>, socket: &'static str) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let writer = std::thread::Builder::new().name("audit".to_owned()).spawn(move || write_all(&receiver, socket));
        Self { config, jobs: writer.is_ok().then_some(sender) }
    }

    /// File and syslog where they are configured, else the log (`spec/cli.md` 8).
    pub(super) fn tell(&self, entry: &AuditEntry) {
        let config = self.config.current();
        let path = config.audit.log_file.trim();
        let mut is_told = false;
        if !path.is_empty() {
            is_told |= self.push(Job::File { path: path.to_owned(), line: file_line(entry) });
        }
        if config.audit.to_syslog {
            is_told |= self.push(Job::Syslog { text: log_text(entry) });
        }
        if !is_told {
            log(entry);
        }
    }

    fn push(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.push(Job::Flush(done)) {
            let _late = tokio::time::timeout(Duration::from_secs(1), written).await;
        }
    }
}

fn log(entry: &AuditEntry) {
    tracing::info!(
        target: "audit",
        kind = entry.kind,
        instance = %entry.key,
        cluster = entry.cluster,
        actor = entry.actor,
        method = entry.method,
        address = entry.address,
        outcome = entry.outcome.unwrap_or_default().as_str(),
        milliseconds = entry.duration_ms,
        reason = entry.reason,
        "{}",
        entry.message
    );
}

fn write_all(jobs: &Receiver<Job>, socket: &str) {
    let (mut file_complaint, mut syslog_complaint) = (None, None);
    let mut syslog = None;
    while let Ok(job) = jobs.recv() {
        match job {
            Job::File { path, line } => {
                if let Err(error) = append(&path, &line) {
                    complain(&mut file_complaint, &format!("AuditLogFile {path}: {error}"));
                }
            }
            Job::Syslog { text } => {
                if let Err(error) = send(&mut syslog, socket, &text) {
                    complain(&mut syslog_complaint, &format!("AuditToSyslog: {socket}: {error}"));
                }
            }
            Job::Flush(done) => drop(done.send(())),
        }
    }
}

fn complain(last: &mut Option<Instant>, text: &str) {
    if last.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
        *last = Some(Instant::now());
        tracing::warn!("an audit entry was not written: {text}");
    }
}

/// Opened for each line, so that the file can be moved away at any time.
fn append(path: &str, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    file.write_all(line.as_bytes())
}

/// Connected anew when the system's log was restarted.
fn send(connection: &mut Option<UnixDatagram>, path: &str, text: &str) -> io::Result<()> {
    let time = Local::now().format("%b %e %H:%M:%S");
    let packet = format!("<{PRIORITY}>{time} orchestrator[{}]: {text}", std::process::id());
    for _ in 0..2 {
        if connection.is_none() {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(Duration::from_secs(1)))?;
            *connection = Some(socket);
        }
        if connection.as_ref().is_some_and(|socket| socket.send(packet.as_bytes()).is_ok()) {
            return Ok(());
        }
        *connection = None;
    }
    Err(io::Error::other("it takes no messages"))
}

/// The line of the original, each field with a TAB after it, and after those the fields that it does not have.
fn file_line(entry: &AuditEntry) -> String {
    let time = entry.at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string();
    let cluster = format!("[{}]", entry.cluster);
    let (port, took) = (entry.key.port.to_string(), entry.duration_ms.map(|ms| ms.to_string()).unwrap_or_default());
    let fields: [&str; 12] = [
        &time,
        &entry.kind,
        &entry.key.hostname,
        &port,
        &cluster,
        &entry.message,
        &entry.actor,
        &entry.method,
        &entry.address,
        entry.outcome.map_or("", AuditOutcome::as_str),
        &took,
        &entry.reason,
    ];
    let mut line: String = fields.iter().flat_map(|field| [one_line(field), "\t".to_owned()]).collect();
    line.push('\n');
    line
}

fn log_text(entry: &AuditEntry) -> String {
    let text = format!(
        "auditType:{} instance:{} cluster:{} message:{} actor:{} method:{} address:{} outcome:{} milliseconds:{} reason:{}",
        entry.kind,
        entry.key,
        entry.cluster,
        entry.message,
        entry.actor,
        entry.method,
        entry.address,
        entry.outcome.map_or("", AuditOutcome::as_str),
        entry.duration_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        entry.reason
    );
    one_line(&text)
}

/// Nobody makes a second line by what they are called or say.
fn one_line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use app::InstanceKey;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::config::Config;

    fn entry() -> AuditEntry {
        AuditEntry {
            at: DateTime::<Utc>::UNIX_EPOCH,
            kind: "begin-downtime".to_owned(),
            key: InstanceKey::new("db1", 3306),
            cluster: "db0:3306".to_owned(),
            message: "disk\tis\nfull".to_owned(),
            actor: "ann".to_owned(),
            method: "basic".to_owned(),
            address: "10.0.0.7".to_owned(),
            outcome: Some(AuditOutcome::Failed),
            duration_ms: Some(12),
            reason: String::new(),
        }
    }

    fn live(json: &serde_json::Value) -> Arc<LiveConfig> {
        Arc::new(LiveConfig::fixed(Config::from_json(&json.to_string()).expect("valid")))
    }

    #[tokio::test]
    async fn the_file_has_the_line_that_scripts_know_and_ours_after_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.log");
        let trail = Trail::new(live(&serde_json::json!({ "AuditLogFile": path })));
        trail.tell(&entry());
        trail.tell(&AuditEntry { key: InstanceKey::default(), cluster: String::new(), ..entry() });
        trail.flush().await;
        let text = std::fs::read_to_string(&path).expect("written");
        let time = DateTime::<Utc>::UNIX_EPOCH.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S");
        let ours = "ann\tbasic\t10.0.0.7\tfailed\t12\t\t\n";
        let expected = format!(
            "{time}\tbegin-downtime\tdb1\t3306\t[db0:3306]\tdisk is full\t{ours}{time}\tbegin-downtime\t\t0\t[]\tdisk is full\t{ours}"
        );
        assert_eq!(text, expected);
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777 & !0o640, 0);
    }

    #[tokio::test]
    async fn syslog_gets_one_message_an_entry_and_is_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path: &'static str = folder.path().join("log").display().to_string().leak();
        let trail = Trail::with_syslog_at(live(&serde_json::json!({ "AuditToSyslog": true })), path);
        for _ in 0..2 {
            let system = UnixDatagram::bind(path).expect("a socket");
            system.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
            trail.tell(&entry());
            let mut packet = [0; 1_000];
            let length = system.recv(&mut packet).expect("a message");
            let text = String::from_utf8_lossy(&packet[..length]).into_owned();
            assert!(
                text.starts_with("<14>") && text.contains(&format!(" orchestrator[{}]: ", std::process::id())),
                "{text}"
            );
            let words = "auditType:begin-downtime instance:db1:3306 cluster:db0:3306 message:disk is full actor:ann";
            assert!(text.contains(words), "{text}");
            drop(system);
            std::fs::remove_file(path).expect("removed");
        }
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_stops_nothing() {
        let trail = Trail::new(live(&serde_json::json!({ "AuditLogFile": "/nonexistent/audit.log" })));
        for _ in 0..3 {
            trail.tell(&entry());
        }
        trail.flush().await;
    }
}
