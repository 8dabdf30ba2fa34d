//! What it costs to write a large fleet. Not run with the other tests: `cargo nextest run --run-ignored only write_cost`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Instant;

use app::InstanceKey;
use app::topology::{Instance, ThreadState};
use chrono::Utc;
use orchestrator::store::{BackendSettings, Deployment, MySqlSettings, Store};
use support::Sandbox;

const SERVERS: usize = 10_000;

fn fleet() -> Vec<Arc<Instance>> {
    let server = |n: usize| {
        let mut i = Instance::unseen(InstanceKey::new(format!("db{n:05}.cluster{:03}.example", n / 10), 3306));
        i.version = "8.0.36".to_owned();
        i.cluster_name = format!("db{:05}.cluster{:03}.example:3306", n - n % 10, n / 10);
        i.executed_gtid =
            format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-{},4e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", n * 77);
        i.replication.source = InstanceKey::new(format!("db{:05}", n - n % 10), 3306);
        i.replication.receiver = ThreadState::Running;
        i.replication.applier = ThreadState::Running;
        i.replication.retrieved_gtid.clone_from(&i.executed_gtid);
        i.replication.heartbeat_age_ms = Some(12);
        i.check.last_checked = Some(Utc::now());
        i.check.last_seen = i.check.last_checked;
        Arc::new(i)
    };
    (0..SERVERS).map(server).collect()
}

async fn measure(name: &str, store: &Store) {
    for what in ["new", "known", "known"] {
        let servers = fleet();
        let begin = Instant::now();
        assert_eq!(store.write_instances(&servers).await.unwrap().written, SERVERS);
        let seconds = begin.elapsed().as_secs_f64();
        println!("{name}: {SERVERS} {what} servers in {seconds:.2} s, {:.0} a second", SERVERS as f64 / seconds);
    }
    let begin = Instant::now();
    assert_eq!(store.load_instances().await.unwrap().len(), SERVERS);
    println!("{name}: loaded in {:.2} s", begin.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it by name"]
async fn write_cost() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BackendSettings::Sqlite { path: dir.path().join("orchestrator.db") };
    measure("sqlite", &Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap()).await;
    let sandbox = Sandbox::start("mariadb", 1);
    let settings = BackendSettings::MySql(MySqlSettings {
        host: "127.0.0.1".to_owned(),
        port: sandbox.ports[0],
        user: "root".to_owned(),
        password: "root_password".to_owned(),
        ..MySqlSettings::default()
    });
    measure("mariadb", &Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap()).await;
}
