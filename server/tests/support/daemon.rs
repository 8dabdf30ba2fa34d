//! The real binary as a process of its own, to be talked to over HTTP and killed.
#![allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `orchestrator http`.
pub struct Daemon {
    child: Child,
    config: PathBuf,
    port: u16,
}

impl Daemon {
    /// Writes the configuration (with a listener on `port`) into `folder` and starts the service.
    pub fn start(folder: &Path, port: u16, mut config: serde_json::Value) -> Self {
        config["ListenAddress"] = format!("127.0.0.1:{port}").into();
        let path = folder.join("orchestrator.conf.json");
        std::fs::write(&path, config.to_string()).expect("a configuration file");
        let child = launch(&path);
        let daemon = Self { child, config: path, port };
        daemon.wait_until_it_answers();
        daemon
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM, and waits until it has ended; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let told = Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(told.success(), "the service does not run");
        self.child.wait().expect("it can be waited for").code()
    }

    /// Starts it again with the same configuration and backend.
    pub fn start_again(&mut self) {
        self.child = launch(&self.config);
        self.wait_until_it_answers();
    }

    /// `GET`; status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap_or_else(|| panic!("no answer to GET {path}"))
    }

    /// The body of a `GET` as JSON.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let (_, body) = self.get(path);
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
    }

    /// `GET`; `None` when nothing answers.
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Some((status, if chunked { unchunk(body) } else { body.to_owned() }))
    }

    fn wait_until_it_answers(&self) {
        let began = Instant::now();
        while self.try_get("/api/health").is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "the service does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(config: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(config.with_extension("log")).expect("a log");
    Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["-config", &config.display().to_string(), "http"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary runs")
}

fn unchunk(body: &str) -> String {
    let mut plain = String::new();
    let mut rest = body;
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || tail.len() < size {
            break;
        }
        plain.push_str(&tail[..size]);
        rest = tail[size..].trim_start_matches("\r\n");
    }
    plain
}
