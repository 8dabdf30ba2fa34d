//! A backend file with a fleet in it, and the real program run on it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Annotations, Check, Downtime, Instance, Replication, ThreadState};
use chrono::{TimeDelta, Utc};
use orchestrator::consensus::Actor;
use orchestrator::store::{BackendSettings, Deployment, NewMaintenance, NodeIdentity, Store};

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A folder with configuration and backend.
pub struct Desk {
    folder: tempfile::TempDir,
}

/// Everything that a command could change, and who changed it.
#[derive(Debug, PartialEq)]
pub struct World {
    pub instances: Vec<Arc<Instance>>,
    pub annotations: Annotations,
    pub disabled: bool,
    pub audit: Vec<(String, InstanceKey, String)>,
}

impl Desk {
    /// A backend with the fleet of [`fleet`].
    pub async fn new() -> Self {
        let desk = Self::empty();
        let store = desk.store().await;
        let servers: Vec<Arc<Instance>> = fleet().into_iter().map(Arc::new).collect();
        let written = store.write_instances(&servers).await.expect("written");
        assert_eq!(written.written, servers.len(), "{written:?}");
        let now = Utc::now();
        store.set_cluster_alias("db1.example:3306", "orders", now).await.expect("an alias");
        store.set_cluster_domain("db1.example:3306", "orders.example", now).await.expect("a domain");
        for (name, value) in [("role", "backup"), ("old", "")] {
            store.put_tag(&key("db4.example"), name, value, now).await.expect("a tag");
        }
        for (name, reason) in [("db5.example", "slow disk"), ("us2.example", "lost-in-recovery")] {
            let downtime =
                Downtime { owner: "dba".into(), reason: reason.into(), begin: now, end: now + TimeDelta::days(1) };
            store.begin_downtime(&key(name), &downtime).await.expect("a downtime");
        }
        let maintenance = NewMaintenance {
            key: key("db3.example"),
            owner: "dba".to_owned(),
            reason: "upgrade".to_owned(),
            begin: now,
            end: now + TimeDelta::hours(1),
            node: NodeIdentity::default(),
            explicitly_bounded: true,
        };
        store.begin_maintenance(&maintenance).await.expect("maintenance");
        store.register_unresolved_name("db1.example", "db-vip", now).await.expect("a name");
        store.close().await;
        desk
    }

    /// No backend yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Self { folder };
        desk.configure(&serde_json::json!({}));
        desk
    }

    /// Writes the configuration, with keys of the test's own.
    pub fn configure(&self, keys: &serde_json::Value) {
        let mut config = serde_json::json!({
            "BackendDB": "sqlite",
            "SQLite3DataFile": self.file(),
            "HostnameResolveMethod": "none",
            "MySQLTopologyUser": "watcher",
            "MySQLTopologyPassword": "s<cr&t",
        });
        for (name, value) in keys.as_object().expect("keys and values") {
            config[name] = value.clone();
        }
        std::fs::write(self.config(), config.to_string()).expect("a configuration");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("orchestrator.conf.json")
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("orchestrator.db")
    }

    pub async fn store(&self) -> Store {
        let backend = BackendSettings::Sqlite { path: self.file() };
        Store::open(&backend, &Deployment::of_version("3.2.6")).await.expect("the backend opens")
    }

    /// Runs the program with this configuration and these words.
    pub fn run(&self, words: &[&str]) -> Said {
        let config = self.config().display().to_string();
        self.run_bare(&[&["-config", config.as_str()], words].concat())
    }

    /// The same with a line of words that have no blanks in them.
    pub fn line(&self, line: &str) -> Said {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the program with these words, in the folder.
    pub fn run_bare(&self, words: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        Said {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs a line of words with something on standard input.
    pub fn line_with(&self, input: &str, line: &str) -> Said {
        use std::io::Write as _;
        let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .arg("-config")
            .arg(self.config())
            .args(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // A command that refuses before it reads has closed the pipe.
        let _either = child.stdin.take().expect("its input").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        Said {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    pub async fn world(&self) -> World {
        let store = self.store().await;
        let audit = store.audit(None, 0, 100).await.expect("read");
        let world = World {
            instances: store.load_instances().await.expect("read"),
            annotations: store.load_annotations().await.expect("read"),
            disabled: store.are_recoveries_disabled().await.expect("read"),
            audit: audit.into_iter().map(|row| (row.entry.kind, row.entry.key, row.entry.actor)).collect(),
        };
        store.close().await;
        world
    }
}

/// Who acts when the program is run by this test.
pub fn actor() -> Actor {
    let user = Command::new("id").arg("-un").output().expect("id");
    let name = String::from_utf8(user.stdout).expect("text");
    Actor { method: "command line".to_owned(), ..Actor::named(format!("cli:{}", name.trim())) }
}

pub fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

/// Cluster `orders`: db1 with db2 (which has db3 and db4) and db5, whose replication is stopped. Cluster us1 with us2.
fn fleet() -> Vec<Instance> {
    let mut stopped = server("db5.example", "db1.example", 5, &[]);
    stopped.replication.receiver = ThreadState::Stopped;
    stopped.replication.applier = ThreadState::Stopped;
    vec![
        server("db1.example", "", 1, &["db2.example", "db5.example"]),
        server("db2.example", "db1.example", 2, &["db3.example", "db4.example"]),
        server("db3.example", "db2.example", 3, &[]),
        server("db4.example", "db2.example", 4, &[]),
        stopped,
        server("us1.example", "", 11, &["us2.example"]),
        server("us2.example", "us1.example", 12, &[]),
    ]
}

fn server(name: &str, source: &str, id: u64, replicas: &[&str]) -> Instance {
    let uuid = |id: u64| format!("00000000-0000-0000-0000-{id:012}");
    let executed = format!("{}:1-100", uuid(if id > 10 { 11 } else { 1 }));
    let mut replication = Replication::default();
    if !source.is_empty() {
        replication = Replication {
            source: key(source),
            user: "repl".to_owned(),
            has_credentials: true,
            credentials_available: true,
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            read: app::BinlogCoordinates::binary("binlog.000001", 1000),
            exec: app::BinlogCoordinates::binary("binlog.000001", 1000),
            auto_position: true,
            seconds_behind: Some(0),
            ..Replication::default()
        };
    }
    // Recent for as long as a slow machine may take for these tests.
    let now = Utc::now();
    let cluster = if id > 10 { "us1.example:3306" } else { "db1.example:3306" };
    Instance {
        key: key(name),
        cluster_name: cluster.to_owned(),
        server_id: id,
        server_uuid: uuid(id),
        version: "8.4.3".to_owned(),
        version_comment: "MySQL Community Server - GPL".to_owned(),
        read_only: !source.is_empty(),
        binlog_format: "ROW".to_owned(),
        binlog_row_image: "FULL".to_owned(),
        log_bin: true,
        log_replica_updates: true,
        binlog: app::BinlogCoordinates::binary("binlog.000001", 1000),
        gtid_mode: "ON".to_owned(),
        executed_gtid: executed,
        lag: replication.seconds_behind,
        replication,
        replicas: replicas.iter().map(|name| key(name)).collect(),
        data_center: "dc1".to_owned(),
        check: Check {
            last_checked: Some(now),
            last_attempted: Some(now),
            last_seen: Some(now),
            partial_success: true,
            ..Check::default()
        },
        ..Instance::default()
    }
}
