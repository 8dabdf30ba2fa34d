//! Publication into a real ZooKeeper of the machine's package `zookeeper`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orchestrator::kv::{KvPair, KvStore as _, ZooKeeper};
use support::eventually;

const PROGRAM: &str = "/usr/share/zookeeper/bin/zkServer.sh";

/// A server in a folder of its own; ended when dropped.
struct Server {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        assert!(std::path::Path::new(PROGRAM).exists(), "no {PROGRAM}: run scripts/setup-servers.sh zookeeper");
        let folder = tempfile::Builder::new().prefix("zookeeper-").tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("zoo.cfg");
        let text = format!(
            "tickTime=500\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
            folder.path().display()
        );
        std::fs::write(&config, text).expect("it can be written");
        let child = Command::new(PROGRAM)
            .arg("start-foreground")
            .arg(&config)
            .env("ZOO_LOG_DIR", folder.path())
            .env("JVMFLAGS", "-Xmx64m")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ZooKeeper starts");
        let address = format!("127.0.0.1:{port}");
        let server = Self { child, address: address.clone(), _folder: folder };
        eventually("ZooKeeper answers", Duration::from_secs(40), || async {
            ZooKeeper::new(&address).expect("an address").read("", &["zookeeper".to_owned()]).await.ok()
        })
        .await;
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The script replaces itself by the server.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn pair(key: &str, value: &str) -> KvPair {
    KvPair { key: key.to_owned(), value: value.to_owned() }
}

#[tokio::test]
async fn nodes_are_created_with_those_above_them_changed_and_read_back() {
    let server = Server::start().await;
    // The first address does not answer: the next one does.
    let store = ZooKeeper::new(&format!("127.0.0.1:1,{}", server.address)).expect("addresses");
    let keys = ["mysql/master/orders", "mysql/master/orders/ipv6", "mysql/master/none"].map(str::to_owned);
    assert!(store.read("mysql/master/", &keys).await.expect("it answers")[0].is_empty());

    let first = [pair("mysql/master/orders", "db1:3306"), pair("mysql/master/orders/ipv6", "")];
    store.put(&first).await.expect("written");
    let held = store.read("mysql/master/", &keys).await.expect("it answers").remove(0);
    assert_eq!(held.get("mysql/master/orders").map(String::as_str), Some("db1:3306"));
    assert_eq!(held.get("mysql/master/orders/ipv6").map(String::as_str), Some(""), "empty is not missing");
    assert!(!held.contains_key("mysql/master/none"));

    store.put(&[pair("mysql/master/orders", "db2:3306")]).await.expect("changed");
    let held = store.read("mysql/master/", &keys).await.expect("it answers").remove(0);
    assert_eq!(held["mysql/master/orders"], "db2:3306");
}

#[tokio::test]
async fn an_ensemble_that_does_not_answer_is_named() {
    let store = ZooKeeper::new("127.0.0.1:1").expect("an address");
    let error = store.put(&[pair("a", "b")]).await.expect_err("nobody is there");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
