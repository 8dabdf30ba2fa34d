//! What tests against real servers share: MySQL and MariaDB on loopback, by `scripts/sandbox`.
//!
//! A missing server is an error that names the remedy, never a test that passes without having run.
#![allow(dead_code, reason = "each test crate uses its own part of this")]

pub mod binlog_server;
pub mod daemon;
pub mod service;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use app::InstanceKey;
use orchestrator::mysql::ConnectSettings;

/// Options of a server whose data need not survive a power cut: the tests of a backend commit a lot.
pub const NOT_DURABLE: &[&str] = &["innodb_flush_log_at_trx_commit=0", "sync_binlog=0"];

/// Servers in a folder of their own; gone when this is dropped, or when the test's process is.
pub struct Sandbox {
    dir: tempfile::TempDir,
    /// `mariadb` or `mysql`.
    pub flavor: &'static str,
    options: &'static [&'static str],
    /// Each server has a network and an address of its own.
    apart: bool,
    /// TCP ports, one per server.
    pub ports: Vec<u16>,
}

impl Sandbox {
    /// Starts `count` servers on 127.0.0.1 side by side, `flavor` is `mariadb` or `mysql`, and waits until they are ready.
    pub fn start(flavor: &'static str, count: usize) -> Self {
        Self::start_with(flavor, count, &[])
    }

    /// The same with lines for `my.cnf`, `key=value` each.
    pub fn start_with(flavor: &'static str, count: usize, options: &'static [&'static str]) -> Self {
        Self::new(flavor, count, options, false)
    }

    /// The same, but each server has a network and an address of its own, so that it can be cut off ([`Self::cut`]). Needs root: ask
    /// [`cannot_cut`] first.
    pub fn start_apart(flavor: &'static str, count: usize) -> Self {
        Self::new(flavor, count, &[], true)
    }

    fn new(flavor: &'static str, count: usize, options: &'static [&'static str], apart: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("sandbox-").tempdir().expect("a folder for the servers");
        let reserved = script(&["ports".to_owned(), "--count".to_owned(), count.to_string()]);
        let ports = reserved.lines().map(|line| line.trim().parse().expect("a port")).collect();
        let sandbox = Self { dir, flavor, options, apart, ports };
        sandbox.start_again();
        sandbox
    }

    /// Starts the servers that do not run, on the data they have.
    pub fn start_again(&self) {
        self.start_ports(&self.ports);
    }

    /// Starts one server again.
    pub fn start_one(&self, port: u16) {
        self.start_ports(&[port]);
    }

    fn start_ports(&self, ports: &[u16]) {
        let mut args = self.args("start");
        args.extend(ports.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        args.extend(self.options.iter().flat_map(|option| ["--opt".to_owned(), (*option).to_owned()]));
        args.extend(self.apart.then(|| "--apart".to_owned()));
        args.extend(["--flavor", self.flavor, "--owner"].map(str::to_owned));
        args.push(std::process::id().to_string());
        script(&args);
    }

    /// Makes the second of each pair a replica of the first, in GTID replication.
    pub fn replicate(&self, pairs: &[(u16, u16)]) {
        for (source, replica) in pairs {
            self.run("replicate", &["--source", &source.to_string(), "--port", &replica.to_string()]);
        }
    }

    /// Runs any command of `scripts/sandbox` on this folder and returns what it printed.
    pub fn run(&self, command: &str, args: &[&str]) -> String {
        let mut all = self.args(command);
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        script(&all)
    }

    /// Runs a statement on a server as root; tab-separated rows without headings.
    pub fn sql(&self, port: u16, statement: &str) -> String {
        self.run("sql", &["--port", &port.to_string(), statement]).trim().to_owned()
    }

    /// The same; `None` when the server refused, or ended the session (fencing ends all of them).
    pub fn try_sql(&self, port: u16, statement: &str) -> Option<String> {
        let mut args = self.args("sql");
        args.extend(["--port".to_owned(), port.to_string(), statement.to_owned()]);
        let output = run_script(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&self, port: u16) {
        self.run("kill", &["--port", &port.to_string()]);
    }

    /// Sends a signal at once: the script takes longer to start than what is measured.
    #[allow(clippy::disallowed_methods, reason = "it takes a millisecond")]
    pub fn signal(&self, port: u16, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.pid(port)]).status().expect("kill runs");
        assert!(sent.success(), "server {port} does not run");
    }

    /// Process id of a server.
    pub fn pid(&self, port: u16) -> String {
        std::fs::read_to_string(self.folder(port).join("pid")).expect("a process id").trim().to_owned()
    }

    /// Folder of a server.
    pub fn folder(&self, port: u16) -> PathBuf {
        self.dir.path().join(port.to_string())
    }

    /// Nothing passes between a server and another one, or `observer`: whoever looks from this machine's own network.
    pub fn cut(&self, port: u16, from: &str) {
        self.run("cut", &["--port", &port.to_string(), "--from", from]);
    }

    /// Everything passes again.
    pub fn mend(&self, port: u16) {
        self.run("mend", &["--port", &port.to_string()]);
    }

    /// The key of a server.
    pub fn key(&self, port: u16) -> InstanceKey {
        let address = std::fs::read_to_string(self.folder(port).join("address")).ok();
        InstanceKey::new(address.as_deref().map_or("127.0.0.1", str::trim), port)
    }

    /// The folder of the servers.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn args(&self, command: &str) -> Vec<String> {
        vec![command.to_owned(), "--dir".to_owned(), self.dir.path().display().to_string()]
    }

    /// Servers that do not run, with the last lines of their logs: why one died is to be read nowhere else, and its log is gone with
    /// the test.
    fn obituary(&self) {
        let status = run_script(&self.args("status"));
        for line in String::from_utf8_lossy(&status.stdout).lines().filter(|line| line.contains("\tstopped\t")) {
            let Some(port) = line.split('\t').next().and_then(|port| port.parse().ok()) else { continue };
            let log = std::fs::read_to_string(self.folder(port).join("server.log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("server {port} does not run; the end of its log:");
            last.iter().rev().for_each(|line| eprintln!("    {line}"));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.obituary();
        }
        // Nothing is left to do about a failure here: `--owner` ends the servers with this process.
        let _ = run_script(&self.args("destroy"));
    }
}

/// Why servers cannot be cut off on this machine; `None` when they can.
pub fn cannot_cut() -> Option<String> {
    let output = run_script(&["can-cut".to_owned()]);
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The key of a server on this machine's own network.
pub fn key(port: u16) -> InstanceKey {
    InstanceKey::new("127.0.0.1", port)
}

/// The account that the sandbox made for us.
pub fn account() -> ConnectSettings {
    ConnectSettings {
        user: "orchestrator".to_owned(),
        password: "orch_topology_password".to_owned(),
        ..ConnectSettings::default()
    }
}

/// Asks again and again until the answer is yes; how long it took.
pub async fn until<F: Future<Output = bool>>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> Duration {
    let began = Instant::now();
    loop {
        if check().await {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The workspace's folder.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace").to_path_buf()
}

/// Asks again and again until `check` answers `Some`, for at most `limit`.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begin = Instant::now();
    loop {
        if let Some(answer) = check().await {
            return answer;
        }
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn script(args: &[String]) -> String {
    let output = run_script(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "scripts/sandbox {} failed (is scripts/setup-servers.sh done?):\n{said}",
        args.join(" ")
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run_script(args: &[String]) -> Output {
    let script = project_dir().join("scripts/sandbox");
    Command::new(&script).args(args).output().unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()))
}
