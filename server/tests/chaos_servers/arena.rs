//! Where a scenario takes place: servers, the program, a load; and the audit at the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::load::{Load, Write};
use crate::row::Row;
use crate::support::daemon::Daemon;
use crate::support::service::config_json;
use crate::support::{Sandbox, eventually, project_dir};
use crate::watch::Watch;

/// A source gives up waiting for acknowledgements after this, and acknowledges alone: later than any fault here lasts.
const SEMI_SYNC_TIMEOUT_MS: &str = "20000";

/// After a fault has ended everything must be as it should be within this.
const HEALED_WITHIN: Duration = Duration::from_secs(30);

/// What to set up.
pub struct Shape {
    pub flavor: &'static str,
    pub replicas: usize,
    /// Each server in a network of its own.
    pub apart: bool,
    /// `InstancePollSeconds`.
    pub poll: u64,
}

impl Shape {
    /// A source with three replicas; everything else by default.
    pub fn of(flavor: &'static str) -> Self {
        Self { flavor, replicas: 3, apart: false, poll: 5 }
    }
}

/// A cluster under load, watched by the real program.
pub struct Arena {
    pub sandbox: Sandbox,
    pub daemon: Daemon,
    pub load: Load,
    watch: Watch,
    began: Instant,
    poll: u64,
    folder: Folder,
}

/// The program's folder. Of a scenario that fails, the program's log is kept and named.
struct Folder(tempfile::TempDir);

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let name = std::thread::current().name().unwrap_or("scenario").replace("::", "-");
        let kept = project_dir().join(format!("target/chaos/{name}.log"));
        let _ = std::fs::create_dir_all(project_dir().join("target/chaos"));
        match std::fs::copy(self.0.path().join("orchestrator.conf.log"), &kept) {
            Ok(_) => eprintln!("the program's log is {}", kept.display()),
            Err(error) => eprintln!("the program's log cannot be kept: {error}"),
        }
    }
}

impl Arena {
    /// Starts everything and waits until the program would act.
    pub async fn start(shape: Shape) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port: u16 = Self::web_port();
        let mut config: Value =
            serde_json::from_str(&config_json(&folder.path().join("orchestrator.db"))).expect("ours");
        config["InstancePollSeconds"] = json!(shape.poll);
        let began = Instant::now();
        let daemon = Daemon::start(folder.path(), port, config);
        let count = shape.replicas + 1;
        let sandbox =
            if shape.apart { Sandbox::start_apart(shape.flavor, count) } else { Sandbox::start(shape.flavor, count) };
        let source = sandbox.ports[0].to_string();
        let mut args = vec!["--source".to_owned(), source.clone()];
        args.extend(sandbox.ports[1..].iter().flat_map(|p| ["--port".to_owned(), p.to_string()]));
        sandbox.run("replicate", &args.iter().map(String::as_str).collect::<Vec<_>>());
        sandbox.run("semisync", &["--source", &source, "--timeout", SEMI_SYNC_TIMEOUT_MS]);
        let (load, watch) = (Load::start(&sandbox), Watch::start(&sandbox));
        let arena = Self { sandbox, daemon, load, watch, began, poll: shape.poll, folder: Folder(folder) };
        arena.daemon.get(&format!("/api/discover/{}", arena.path_of(arena.source())));
        arena.settled().await;
        arena
    }

    fn web_port() -> u16 {
        let script = project_dir().join("scripts/sandbox");
        let output =
            std::process::Command::new(script).args(["ports", "--count", "1"]).output().expect("the script runs");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a port")
    }

    /// Everybody is known, the load runs, and the program has been up for the three polls that it holds back.
    async fn settled(&self) {
        let count = self.sandbox.ports.len();
        eventually("the tree is known and the load runs", Duration::from_secs(30), || async {
            let known = self.daemon.json("/api/all-instances");
            let valid = known.as_array()?.iter().filter(|i| i["IsLastCheckValid"] == true).count();
            (valid == count && self.load.writes().len() > 50).then_some(())
        })
        .await;
        let acts = Duration::from_secs(self.poll * 3) + Duration::from_millis(500);
        sleep(acts.saturating_sub(self.began.elapsed())).await;
    }

    /// The first server.
    pub fn source(&self) -> u16 {
        self.sandbox.ports[0]
    }

    /// `host/port`, as in paths of the API.
    pub fn path_of(&self, port: u16) -> String {
        let key = self.sandbox.key(port);
        format!("{}/{}", key.hostname, key.port)
    }

    /// All recoveries, latest first.
    pub fn recoveries(&self) -> Vec<Value> {
        self.daemon.json("/api/v2/recoveries").as_array().cloned().unwrap_or_default()
    }

    /// Waits for a recovery that promoted somebody, or gave a dead server's replicas a new place; gives its successor.
    pub async fn recovered(&self, limit: Duration) -> u16 {
        eventually("a recovery succeeds", limit, || async {
            let all = self.recoveries();
            let done = all.iter().find(|r| r["state"]["state"] == "succeeded")?;
            u16::try_from(done["successor"]["Port"].as_u64()?).ok()
        })
        .await
    }

    /// The first write that somebody else than `failed` acknowledged after a moment.
    pub async fn writes_elsewhere(&self, failed: u16, since: Instant, limit: Duration) -> Write {
        eventually("another server takes writes", limit, || async {
            self.load.writes().into_iter().find(|w| w.at > since && w.port != failed)
        })
        .await
    }

    /// The fault ends. Clients of the old source have gone elsewhere by then, but for what hangs on it.
    pub fn comes_back(&self, port: u16) -> Instant {
        self.load.leave(port);
        self.sandbox.start_one(port);
        Instant::now()
    }

    /// Why nothing, or what, happened: findings and recoveries, for the message of a scenario that fails.
    pub fn told(&self) -> String {
        let stories = self.recoveries().into_iter().map(|r| r["story"].clone()).collect::<Vec<_>>();
        format!("{:#}", json!({ "analysis": self.daemon.json("/api/replication-analysis"), "stories": stories }))
    }

    /// The audit. `left` are servers that may stay outside: dead ones, and old sources that are fenced. The load is stopped for it.
    pub async fn audit(self, mut row: Row, healed: Instant, left: &[u16]) {
        let primary = self.one_writable().await;
        // A moment of undisturbed load at the end: the new primary can be written to.
        let before = self.load.writes().len();
        eventually("writes go on", Duration::from_secs(10), || async {
            (self.load.writes().len() > before + 10).then_some(())
        })
        .await;
        let Self { sandbox, daemon, load, watch, folder, .. } = self;
        let writes = load.writes();
        drop(load);
        row.writable_servers = Some(1);

        let rows = rows_of(&sandbox, primary).await;
        let lost: Vec<&Write> = writes.iter().filter(|w| !rows.contains(&w.id)).collect();
        row.writes = Some((writes.len(), lost.len()));
        assert!(lost.is_empty(), "lost writes: {lost:?}");

        let inside: Vec<u16> = sandbox.ports.iter().copied().filter(|p| *p != primary && !left.contains(p)).collect();
        let deadline = Instant::now() + HEALED_WITHIN;
        while let Some(outside) = outside(&sandbox, primary, &inside).await {
            let known = daemon.json("/api/all-instances");
            let stories = daemon.json("/api/v2/recoveries");
            assert!(Instant::now() < deadline, "not everybody replicates the same: {outside}\n{known:#}\n{stories:#}");
            sleep(Duration::from_millis(50)).await;
        }
        row.converged = Some(healed.elapsed());
        let errant: usize = inside.iter().map(|port| errant_on(&sandbox, *port, primary)).sum();
        row.errant = Some(errant);
        assert_eq!(errant, 0, "errant transactions");
        let first = writes.iter().find(|w| w.port == primary).map(|w| w.at);
        let split: Vec<&Write> =
            writes.iter().filter(|w| w.port != primary && first.is_some_and(|at| w.at > at)).collect();
        assert!(split.is_empty(), "acknowledged by another server than the primary, {primary}: {split:?}");
        let double = watch.double_since(healed);
        if !double.is_zero() {
            row.note = format!("{}; old source fenced after {} ms", row.note, double.as_millis());
            row.note = row.note.trim_start_matches("; ").to_owned();
        }
        row.outcome = std::mem::take(&mut row.outcome).replace("FAILED", "recovered");
        drop((row, daemon, folder));
    }

    /// Waits until exactly one server takes writes.
    async fn one_writable(&self) -> u16 {
        eventually("exactly one server takes writes", HEALED_WITHIN, || async {
            let mut writable = vec![];
            for port in &self.sandbox.ports {
                if self.sandbox.try_sql(*port, "SELECT @@GLOBAL.read_only + 0").as_deref() == Some("0") {
                    writable.push(*port);
                }
            }
            let [one] = writable[..] else { return None };
            Some(one)
        })
        .await
    }
}

/// The first server that does not replicate, or lacks rows of the primary, and how it stands.
async fn outside(sandbox: &Sandbox, primary: u16, inside: &[u16]) -> Option<String> {
    let rows = rows_of(sandbox, primary).await;
    for port in inside {
        let own = rows_of(sandbox, *port).await;
        if !replicates(sandbox, *port) || own != rows {
            let statement = if sandbox.flavor == "mysql" { "SHOW REPLICA STATUS\\G" } else { "SHOW SLAVE STATUS\\G" };
            return Some(format!("{port} has {} rows of {}\n{}", own.len(), rows.len(), sandbox.sql(*port, statement)));
        }
    }
    None
}

async fn rows_of(sandbox: &Sandbox, port: u16) -> BTreeSet<i64> {
    let rows = sandbox.sql(port, "SELECT id FROM app.writes");
    rows.lines().map(|line| line.trim().parse().expect("a number")).collect()
}

fn replicates(sandbox: &Sandbox, port: u16) -> bool {
    let statement = if sandbox.flavor == "mysql" { "SHOW REPLICA STATUS\\G" } else { "SHOW SLAVE STATUS\\G" };
    let status = sandbox.sql(port, statement);
    let runs = |thread: &str| {
        status.lines().any(|line| {
            let (name, value) = line.split_once(':').unwrap_or_default();
            name.trim().ends_with(thread) && value.trim() == "Yes"
        })
    };
    runs("_IO_Running") && runs("_SQL_Running")
}

/// Transactions that a replica has and the primary has not.
fn errant_on(sandbox: &Sandbox, port: u16, primary: u16) -> usize {
    if sandbox.flavor == "mysql" {
        let held = sandbox.sql(primary, "SELECT @@GLOBAL.gtid_executed").replace('\n', "");
        let extra = sandbox.sql(port, &format!("SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{held}')"));
        return extra.split(',').filter(|part| !part.trim().is_empty()).count();
    }
    // By the last of each server's transactions in each domain, its own ones included.
    let state = |port| -> BTreeSet<String> {
        let text = sandbox.sql(port, "SELECT @@GLOBAL.gtid_binlog_state");
        text.split(',').map(|gtid| gtid.trim().to_owned()).filter(|gtid| !gtid.is_empty()).collect()
    };
    state(port).difference(&state(primary)).count()
}
