//! What tests against real servers share: MySQL and MariaDB on loopback, by `scripts/sandbox`.
//!
//! A missing server is an error that names the remedy, never a test that passes without having run.
#![allow(dead_code, reason = "each test crate uses its own part of this")]

pub mod daemon;
pub mod service;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Options of a server whose data need not survive a power cut: the tests of a backend commit a lot.
pub const NOT_DURABLE: &[&str] = &["innodb_flush_log_at_trx_commit=0", "sync_binlog=0"];

/// Servers in a folder of their own; gone when this is dropped, or when the test's process is.
pub struct Sandbox {
    dir: tempfile::TempDir,
    flavor: &'static str,
    options: &'static [&'static str],
    /// TCP ports on 127.0.0.1, one per server.
    pub ports: Vec<u16>,
}

impl Sandbox {
    /// Starts `count` servers side by side, `flavor` is `mariadb` or `mysql`, and waits until they are ready.
    pub fn start(flavor: &'static str, count: usize) -> Self {
        Self::start_with(flavor, count, &[])
    }

    /// The same with lines for `my.cnf`, `key=value` each.
    pub fn start_with(flavor: &'static str, count: usize, options: &'static [&'static str]) -> Self {
        let dir = tempfile::Builder::new().prefix("sandbox-").tempdir().expect("a folder for the servers");
        let reserved = script(&["ports".to_owned(), "--count".to_owned(), count.to_string()]);
        let ports = reserved.lines().map(|line| line.trim().parse().expect("a port")).collect();
        let sandbox = Self { dir, flavor, options, ports };
        sandbox.start_again();
        sandbox
    }

    /// Starts the servers that do not run, on the data they have.
    pub fn start_again(&self) {
        let mut args = self.args("start");
        args.extend(self.ports.iter().flat_map(|port| ["--port".to_owned(), port.to_string()]));
        args.extend(self.options.iter().flat_map(|option| ["--opt".to_owned(), (*option).to_owned()]));
        args.extend(["--flavor", self.flavor, "--owner"].map(str::to_owned));
        args.push(std::process::id().to_string());
        script(&args);
    }

    /// Runs any command of `scripts/sandbox` on this folder and returns what it printed.
    pub fn run(&self, command: &str, args: &[&str]) -> String {
        let mut all = self.args(command);
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        script(&all)
    }

    /// Runs a statement on a server as root; tab-separated rows without headings.
    pub fn sql(&self, port: u16, statement: &str) -> String {
        self.run("sql", &["--port", &port.to_string(), statement])
    }

    /// The same; `None` when the server refused, or ended the session (fencing ends all of them).
    pub fn try_sql(&self, port: u16, statement: &str) -> Option<String> {
        let mut args = self.args("sql");
        args.extend(["--port".to_owned(), port.to_string(), statement.to_owned()]);
        let output = run_script(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// SIGKILL.
    pub fn kill(&self, port: u16) {
        self.run("kill", &["--port", &port.to_string()]);
    }

    /// The folder of the servers.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn args(&self, command: &str) -> Vec<String> {
        vec![command.to_owned(), "--dir".to_owned(), self.dir.path().display().to_string()]
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Nothing is left to do about a failure here: `--owner` ends the servers with this process.
        let _ = run_script(&self.args("destroy"));
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
