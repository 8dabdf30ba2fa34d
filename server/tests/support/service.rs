//! The service in this process, over real servers and a real SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::recovery::Recovery;
use app::topology::Instance;
use orchestrator::config::{Config, LiveConfig};
use orchestrator::consensus::Actor;
use orchestrator::node::Node;
use orchestrator::services::{self, Services};
use orchestrator::settings;
use orchestrator::store::Store;

pub use super::key;
use super::{Sandbox, eventually};

/// Configuration of the tests: polls each second, recovers everything.
pub fn config_json(sqlite: &Path) -> String {
    serde_json::json!({
        "MySQLTopologyUser": "orchestrator",
        "MySQLTopologyPassword": "orch_topology_password",
        "BackendDB": "sqlite",
        "SQLite3DataFile": sqlite,
        "InstancePollSeconds": 1,
        "HostnameResolveMethod": "none",
        "MySQLHostnameResolveMethod": "",
        "DiscoverByShowSlaveHosts": true,
        "RecoverMasterClusterFilters": ["*"],
        "RecoverIntermediateMasterClusterFilters": ["*"],
        "ReplicationCredentialsQuery": "SELECT 'repl', 'repl_password'",
    })
    .to_string()
}

/// A running service.
pub struct Service {
    pub services: Services,
    folder: tempfile::TempDir,
}

impl Service {
    /// Starts the service on a fresh backend.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the backend");
        let services = run(&config_json(&folder.path().join("orchestrator.db"))).await;
        Self { services, folder }
    }

    /// Starts the service with keys of its own on top of the tests' configuration.
    pub async fn start_with(keys: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the backend");
        let services = run(&with_keys(&folder, &keys)).await;
        Self { services, folder }
    }

    /// Stops it and starts another one on the same backend.
    pub async fn restart(self) -> Self {
        let Self { services, folder } = self;
        services.tasks.stop();
        services.tasks.wait().await;
        services.store.close().await;
        let services = run(&config_json(&folder.path().join("orchestrator.db"))).await;
        Self { services, folder }
    }

    /// The same, with keys of its own on top of the tests' configuration.
    pub async fn restart_with(self, keys: serde_json::Value) -> Self {
        let Self { services, folder } = self;
        services.tasks.stop();
        services.tasks.wait().await;
        services.store.close().await;
        let services = run(&with_keys(&folder, &keys)).await;
        Self { services, folder }
    }

    /// Makes a server known and waits until this many servers are.
    pub async fn discover(&self, port: u16, count: usize) -> Duration {
        let began = std::time::Instant::now();
        self.services.discovery.discover(&key(port)).await.expect("the server can be read");
        eventually("the whole tree is known", Duration::from_secs(10), || async {
            let known = self.services.fleet.snapshot();
            let valid = known.instances.values().filter(|i| i.check.is_valid()).count();
            (valid >= count).then_some(())
        })
        .await;
        began.elapsed()
    }

    /// A server as last seen.
    pub fn server(&self, port: u16) -> Arc<Instance> {
        self.services.fleet.get(&key(port)).expect("the server is known")
    }

    /// Waits until the service has injected pseudo-GTID entries and knows that these servers have them.
    pub async fn has_entries(&self, ports: &[u16]) {
        eventually("entries are injected", Duration::from_secs(20), || async {
            ports.iter().all(|port| self.server(*port).uses_pseudo_gtid).then_some(())
        })
        .await;
    }

    /// Gives a MySQL server two transactions that nobody else has, and waits until they are seen.
    pub async fn make_errant(&self, sandbox: &Sandbox, port: u16) {
        sandbox.sql(port, "SET GLOBAL super_read_only = 0; CREATE TABLE app.errant (id INT); DROP TABLE app.errant");
        eventually("it is seen to be errant", Duration::from_secs(10), || async {
            let _seen = self.services.discovery.probe_now(&key(port)).await;
            (!self.server(port).errant_gtid.is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until none of these servers holds errant transactions.
    pub async fn nothing_is_errant(&self, ports: &[u16]) {
        eventually("nothing is errant any more", Duration::from_secs(20), || async {
            for port in ports {
                let _seen = self.services.discovery.probe_now(&key(*port)).await;
            }
            ports.iter().all(|port| self.server(*port).errant_gtid.is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until the service acts: it holds back for three polls after its start.
    pub async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(3_200)).await;
    }

    /// Waits for the end of the recovery of a server.
    pub async fn recovered(&self, failed: u16) -> Arc<Recovery> {
        eventually("the recovery ends", Duration::from_secs(30), || async {
            let all = self.services.recovery.registry().list();
            all.into_iter().find(|r| r.finding.key == key(failed) && !r.is_running())
        })
        .await
    }
}

fn with_keys(folder: &tempfile::TempDir, keys: &serde_json::Value) -> String {
    let mut config: serde_json::Value =
        serde_json::from_str(&config_json(&folder.path().join("orchestrator.db"))).expect("our own text");
    for (name, value) in keys.as_object().expect("keys and values") {
        config[name] = value.clone();
    }
    config.to_string()
}

async fn run(config: &str) -> Services {
    let config = Config::from_json(config).expect("a good configuration");
    let store =
        Store::open(&settings::backend(&config), &settings::deployment(&config)).await.expect("the backend opens");
    let assembled = services::assemble(Arc::new(LiveConfig::fixed(config)), store, Node::new("test")).await;
    assembled.expect("the backend can be read").run()
}

/// Who does what tests do.
pub fn actor() -> Actor {
    Actor { address: "127.0.0.1".to_owned(), ..Actor::named("test") }
}

/// A source with replicas, in GTID replication; the first port is the source.
pub fn tree(flavor: &'static str, replicas: usize) -> Sandbox {
    let sandbox = Sandbox::start(flavor, replicas + 1);
    let (source, rest) = sandbox.ports.split_first().expect("at least one");
    let mut args = vec!["--source".to_owned(), source.to_string()];
    args.extend(rest.iter().flat_map(|p| ["--port".to_owned(), p.to_string()]));
    sandbox.run("replicate", &args.iter().map(String::as_str).collect::<Vec<_>>());
    sandbox
}

/// A source with replicas that replicate by file and position, without GTID; the first port is the source.
pub fn tree_without_gtid(flavor: &'static str, replicas: usize) -> Sandbox {
    let options: &[&str] = match flavor {
        "mysql" => &["gtid_mode=OFF", "enforce_gtid_consistency=OFF"],
        _ => &[],
    };
    let sandbox = Sandbox::start_with(flavor, replicas + 1, options);
    for port in &sandbox.ports {
        sandbox.sql(*port, "SET sql_log_bin = 0; GRANT DROP ON `_pseudo_gtid_`.* TO 'orchestrator'@'%'");
    }
    let (source, rest) = sandbox.ports.split_first().expect("at least one");
    for replica in rest {
        replicate_by_position(&sandbox, *source, *replica);
    }
    sandbox
}

/// Makes a server, which has nothing of its own, replicate from another one from the beginning of its log.
pub fn replicate_by_position(sandbox: &Sandbox, source: u16, replica: u16) {
    let statements = match sandbox.flavor {
        "mysql" => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={source}, SOURCE_USER='repl', \
             SOURCE_PASSWORD='repl_password', SOURCE_LOG_FILE='binlog.000001', SOURCE_LOG_POS=4, GET_SOURCE_PUBLIC_KEY=1, \
             SOURCE_HEARTBEAT_PERIOD=2, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400; \
             SET GLOBAL super_read_only=ON; START REPLICA"
        ),
        _ => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={source}, MASTER_USER='repl', \
             MASTER_PASSWORD='repl_password', MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=4, MASTER_USE_GTID=no, \
             MASTER_HEARTBEAT_PERIOD=2, MASTER_CONNECT_RETRY=1; SET GLOBAL read_only=ON; START SLAVE"
        ),
    };
    sandbox.sql(replica, &statements);
}

/// The identities of all acknowledged writes.
pub fn acknowledged(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Those of the acknowledged writes that a server does not hold.
pub fn missing(sandbox: &Sandbox, port: u16, acknowledged: &[String]) -> Vec<String> {
    let held: std::collections::BTreeSet<String> =
        sandbox.sql(port, "SELECT id FROM app.writes").lines().map(str::to_owned).collect();
    acknowledged.iter().filter(|id| !held.contains(*id)).cloned().collect()
}
