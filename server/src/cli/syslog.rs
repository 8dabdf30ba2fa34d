//! A copy of the log for the system's own (`spec/cli.md` 8): a datagram a line to `/dev/log`.
//!
//! The original sends a FATAL line as an emergency, which many systems write on every terminal; here it is critical.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use chrono::Local;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Where the system listens.
const SOCKET: &str = "/dev/log";

/// Programs that run by themselves.
const DAEMON: u8 = 3;

const CRITICAL: u8 = 2;
const ERROR: u8 = 3;
const WARNING: u8 = 4;
const INFO: u8 = 6;

/// The system log; closed until [`Syslog::open`].
#[derive(Debug, Clone, Default)]
pub struct Syslog {
    socket: Arc<OnceLock<UnixDatagram>>,
}

impl Syslog {
    /// Opens it, if the system has one.
    pub fn open(&self) {
        self.open_at(Path::new(SOCKET));
    }

    fn open_at(&self, path: &Path) {
        let connected = UnixDatagram::unbound().and_then(|socket| {
            // A log that is full keeps nobody waiting.
            socket.set_nonblocking(true)?;
            socket.connect(path).map(|()| socket)
        });
        if let Ok(socket) = connected {
            let _opened_before = self.socket.set(socket);
        }
    }

    /// Sends a line that ends the process.
    pub fn fatal(&self, message: &str) {
        self.send(CRITICAL, message);
    }

    fn send(&self, severity: u8, message: &str) {
        let Some(socket) = self.socket.get() else { return };
        let (priority, time, pid) = (DAEMON * 8 + severity, Local::now().format("%b %e %H:%M:%S"), std::process::id());
        // Nobody is told that the log cannot be written: there is nowhere to tell it.
        let _lost = socket.send(format!("<{priority}>{time} orchestrator[{pid}]: {message}").as_bytes());
    }
}

/// Sends a line of the log.
#[derive(Debug)]
pub struct Line {
    syslog: Syslog,
    severity: u8,
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.syslog.send(self.severity, String::from_utf8_lossy(bytes).trim_end());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { syslog: self.clone(), severity: INFO }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        let severity = match *metadata.level() {
            Level::ERROR => ERROR,
            Level::WARN => WARNING,
            _ => INFO,
        };
        Line { syslog: self.clone(), severity }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_is_a_datagram_with_its_severity() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).expect("bound");
        let syslog = Syslog::default();
        syslog.fatal("nobody hears this");
        syslog.open_at(&path);
        syslog.fatal("gone");
        let mut line = Line { syslog: syslog.clone(), severity: WARNING };
        line.write_all(b"hm\n").expect("sent");
        let mut bytes = [0; 200];
        for (priority, message) in [("<26>", "gone"), ("<28>", "hm")] {
            let length = listener.recv(&mut bytes).expect("a datagram");
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let tail = format!(" orchestrator[{}]: {message}", std::process::id());
            assert!(text.starts_with(priority) && text.ends_with(&tail), "{text}");
        }
    }

    #[test]
    fn a_system_without_a_log_is_no_failure() {
        let syslog = Syslog::default();
        syslog.open_at(Path::new("/nowhere/at/all"));
        syslog.fatal("unheard");
        assert!(syslog.socket.get().is_none());
    }
}
