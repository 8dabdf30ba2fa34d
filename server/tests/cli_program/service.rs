//! The service as a process: how it starts, what it refuses to start with, how it stops.
#![allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Desk;

/// A running service; killed when this is dropped.
pub struct Running {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Running {
    /// Starts it with these keys and flags and waits until it listens.
    pub fn start(desk: &Desk, mut keys: serde_json::Value, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        keys["ListenAddress"] = format!("127.0.0.1:{port}").into();
        desk.configure(&keys);
        let log = desk.config().with_extension("log");
        let file = std::fs::File::create(&log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(["-config", &desk.config().display().to_string()])
            .args(flags)
            .arg("http")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file)
            .spawn()
            .expect("the program runs");
        let running = Self { child, port, log };
        let began = Instant::now();
        while !running.log().contains("listener on") {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not start: {}", running.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    /// Everything said so far, on both channels.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    /// Sends a request and gives head and body of the answer as they come.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        talk(&mut stream, method, path, headers)
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "the service does not run");
    }

    /// Waits until it has ended; its exit code.
    pub fn ended(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code().expect("it ended by itself");
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn talk(stream: &mut (impl Read + Write), method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: orc\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_ends_streams_and_leaves_in_order() {
    let desk = Desk::empty();
    let folder = desk.config().with_file_name("audit.log");
    let mut service = Running::start(&desk, json!({"AuditLogFile": folder}), &["-verbose"], &[]);
    let mut events = TcpStream::connect(("127.0.0.1", service.port)).expect("a connection");
    events.write_all(b"GET /api/v2/events HTTP/1.1\r\nHost: orc\r\n\r\n").expect("written");
    let mut first = [0; 12];
    events.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    service.signal("HUP");
    let told = Instant::now();
    while !std::fs::read_to_string(&folder).is_ok_and(|file| file.contains("reload-configuration")) {
        assert!(told.elapsed() < Duration::from_secs(10), "it reads nothing again: {}", service.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(service.ask("PUT", "/api/v2/settings/recoveries", &[]).starts_with("HTTP/1.1 4"));
    assert!(service.ask("GET", "/api/disable-global-recoveries", &[]).starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    service.signal("TERM");
    let mut rest = Vec::new();
    events.read_to_end(&mut rest).expect("the stream ends");
    assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(service.ended(), 0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(service.log().trim_end().ends_with("stopped"), "{}", service.log());
    let kinds: Vec<String> = desk.world().await.audit.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["shutdown", "disable-global-recoveries", "reload-configuration"], "newest first");
    let file = std::fs::read_to_string(&folder).expect("the audit file");
    assert_eq!(file.lines().count(), 3, "{file}");
    assert!(!service.log().contains("auditType:"), "the file is instead of the log");
}

#[test]
fn the_log_tells_of_servers_that_do_not_answer_if_it_is_asked_to() {
    let desk = Desk::empty();
    let keys = json!({"DiscoverySeeds": ["127.0.0.1:1"], "DeadInstanceDiscoveryLogsEnabled": true});
    let service = Running::start(&desk, keys, &["-debug"], &[]);
    let began = Instant::now();
    while !service.log().contains("does not answer; tried again in") {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not told of: {}", service.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_socket_of_the_machine_is_listened_at() {
    let desk = Desk::empty();
    let path = desk.config().with_file_name("orc.sock");
    let service = Running::start(&desk, json!({"ListenSocket": path}), &["-verbose"], &[]);
    let mut stream = UnixStream::connect(&path).expect("a connection");
    let answer = talk(&mut stream, "GET", "/api/v2/session", &[]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(TcpStream::connect(("127.0.0.1", service.port)).is_err(), "and nowhere else");
}

/// A configuration with TLS whose key is encrypted with password `hunter2`; path of the key.
fn with_encrypted_key(desk: &Desk) -> String {
    let path = |name: &str| desk.config().with_file_name(name).display().to_string();
    let (key, certificate) = (path("server.key"), path("server.crt"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=orc", "-days", "2"])
        .args(["-passout", "pass:hunter2", "-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    desk.configure(&json!({
        "ListenAddress": "127.0.0.1:0", "UseSSL": true, "SSLCertFile": certificate, "SSLPrivateKeyFile": key
    }));
    key
}

#[test]
fn an_encrypted_key_asks_for_its_password_on_the_terminal() {
    let desk = Desk::empty();
    with_encrypted_key(&desk);
    // Without a shell in between, which would get the typed interrupt too and end by it.
    let line = format!("exec {} -config {} -verbose http", env!("CARGO_BIN_EXE_orchestrator"), desk.config().display());
    let mut terminal = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let (mut keyboard, mut screen) = (terminal.stdin.take().expect("piped"), terminal.stdout.take().expect("piped"));
    let mut shown = String::new();
    let mut until = |words: &str| {
        let mut bytes = [0; 4096];
        while !shown.contains(words) {
            let count = screen.read(&mut bytes).expect("readable");
            assert!(count > 0, "{words:?} was never shown: {shown}");
            shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        shown.clone()
    };
    until("Enter password for ");
    // A person types later than the moment between the question and the end of the echo.
    std::thread::sleep(Duration::from_millis(500));
    keyboard.write_all(b"hunter2\n").expect("typed");
    until("Starting HTTPS listener on ");
    keyboard.write_all(b"\x03").expect("typed");
    let shown = until(" stopped");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(terminal.wait().expect("it ends").success());
}

#[test]
fn an_encrypted_key_without_a_terminal_is_refused_plainly() {
    let desk = Desk::empty();
    let key = with_encrypted_key(&desk);
    // In a session of its own there is no terminal, wherever the test is run from.
    let said = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_orchestrator"), "-config", &desk.config().display().to_string(), "http"])
        .stdin(Stdio::null())
        .output()
        .expect("setsid runs");
    let log = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{log}");
    assert!(log.contains(" FATAL ") && log.contains(&key) && log.contains("no terminal"), "{log}");
    assert!(!desk.file().exists(), "nothing else had begun");
}

#[test]
fn tls_that_would_let_in_nobody_or_anybody_is_not_started_with() {
    let desk = Desk::empty();
    for (keys, expected) in [
        (json!({"UseSSL": true}), "UseSSL is true, which requires SSLCertFile"),
        (json!({"UseMutualTLS": true, "SSLCAFile": "/x", "SSLValidOUs": ["a"]}), "which requires UseSSL"),
        (
            json!({"UseSSL": true, "SSLCertFile": "/x", "SSLPrivateKeyFile": "/y", "UseMutualTLS": true}),
            "requires SSLCAFile",
        ),
        (json!({"UseSSL": true, "SSLCertFile": "/nonexistent", "SSLPrivateKeyFile": "/nonexistent"}), "/nonexistent"),
    ] {
        desk.configure(&keys);
        let said = desk.line("http");
        assert_eq!(said.code, 1, "{keys}");
        assert!(said.err.contains(" FATAL ") && said.err.contains(expected), "{keys}: {}", said.err);
    }
}
