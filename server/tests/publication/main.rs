//! Publication of primaries: into the backend's own table and into a Consul that is a fake of maps.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod consul;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Instance, Replication};
use chrono::Utc;
use consul::{FakeConsul, HOME};
use orchestrator::config::{Config, LiveConfig};
use orchestrator::consensus::{Actor, Command};
use orchestrator::fleet::{Observation, Outcome};
use orchestrator::node::Node;
use orchestrator::services::{self, Services};
use orchestrator::settings;
use orchestrator::store::Store;
use serde_json::json;

/// Services over a backend in a folder of its own, that know a primary `127.0.0.1:3301` with one replica, alias `orders`.
struct Bench {
    services: Services,
    _folder: tempfile::TempDir,
}

async fn bench(keys: serde_json::Value) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut config = json!({ "BackendDB": "sqlite", "SQLite3DataFile": folder.path().join("o.db") });
    for (name, value) in keys.as_object().unwrap() {
        config[name] = value.clone();
    }
    let config = Config::from_json(&config.to_string()).expect("a good configuration");
    let store = Store::open(&settings::backend(&config), &settings::deployment(&config)).await.expect("it opens");
    let assembled = services::assemble(Arc::new(LiveConfig::fixed(config)), store, Node::new("test")).await;
    let services = assembled.expect("it can be read").write_behind();
    observe(&services, server(3301, None));
    observe(&services, server(3302, Some(3301)));
    let command = Command::SetClusterAlias { cluster: "127.0.0.1:3301".into(), alias: "orders".into() };
    services.consensus.submit(command, &Actor::system()).await.expect("accepted");
    Bench { services, _folder: folder }
}

fn key(port: u16) -> InstanceKey {
    InstanceKey::new("127.0.0.1", port)
}

fn server(port: u16, source: Option<u16>) -> Instance {
    Instance {
        key: key(port),
        read_only: source.is_some(),
        replication: Replication { source: source.map(key).unwrap_or_default(), ..Replication::default() },
        ..Instance::default()
    }
}

fn observe(services: &Services, instance: Instance) {
    let key = instance.key.clone();
    look(services, &key, Outcome::Seen(Box::new(instance)));
}

fn look(services: &Services, key: &InstanceKey, outcome: Outcome) {
    let now = Utc::now();
    services.fleet.observe(Observation { probed: key.clone(), started: now, ended: now, outcome });
}

impl Bench {
    async fn internal(&self, below: &str) -> Option<String> {
        self.services.store.kv(&format!("mysql/master/{below}")).await.expect("the backend answers")
    }

    async fn submit(&self) -> Result<usize, String> {
        let written = self.services.publisher.submit(None, &Actor::system()).await;
        written.map(|pairs| pairs.len()).map_err(|error| error.to_string())
    }
}

fn expected(port: u16) -> BTreeMap<String, String> {
    let pairs = [
        ("mysql/master/orders", format!("127.0.0.1:{port}")),
        ("mysql/master/orders/hostname", "127.0.0.1".to_owned()),
        ("mysql/master/orders/port", port.to_string()),
        ("mysql/master/orders/ipv4", "127.0.0.1".to_owned()),
        ("mysql/master/orders/ipv6", String::new()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[tokio::test]
async fn single_writes_carry_the_token() {
    let consul = FakeConsul::start(&[HOME]).await;
    let bench = bench(json!({ "ConsulAddress": consul.address, "ConsulAclToken": "acl-token" })).await;
    assert_eq!(bench.submit().await, Ok(5));
    assert_eq!(consul.held(HOME), expected(3301));
    assert_eq!(bench.internal("orders").await.as_deref(), Some("127.0.0.1:3301"));
    assert_eq!(bench.internal("orders/port").await.as_deref(), Some("3301"));
    let world = consul.world.lock().unwrap();
    assert_eq!(world.writes.len(), 5);
    assert!(world.writes[0].starts_with("put mysql/master/orders@"));
    assert!(world.tokens.iter().all(|token| token == "acl-token"), "{:?}", world.tokens);
}

#[tokio::test]
async fn a_transaction_holds_all_pairs_of_one_cluster_in_each_data_center() {
    let consul = FakeConsul::start(&[HOME, "dc 2"]).await;
    let bench = bench(json!({
        "ConsulAddress": consul.address,
        "ConsulKVStoreProvider": "consul-txn",
        "ConsulCrossDataCenterDistribution": true,
    }))
    .await;
    assert_eq!(bench.submit().await, Ok(5));
    assert_eq!(consul.held(HOME), expected(3301));
    assert_eq!(consul.held("dc 2"), expected(3301));
    let mut writes = consul.world.lock().unwrap().writes.clone();
    writes.sort();
    assert_eq!(writes, ["txn 5@dc 2", "txn 5@dc1"]);
}

#[tokio::test]
async fn what_others_changed_or_removed_comes_back_and_what_is_right_is_not_written() {
    let consul = FakeConsul::start(&[HOME, "dc2"]).await;
    let bench = bench(json!({ "ConsulAddress": consul.address, "ConsulCrossDataCenterDistribution": true })).await;
    bench.services.publisher.repair().await.expect("all stores answer");
    assert_eq!(consul.held("dc2"), expected(3301));
    let before = consul.world.lock().unwrap().writes.len();
    bench.services.publisher.repair().await.expect("all stores answer");
    assert_eq!(consul.world.lock().unwrap().writes.len(), before, "nothing was wrong, nothing is written");

    {
        let mut world = consul.world.lock().unwrap();
        let far = world.held.get_mut("dc2").unwrap();
        far.insert("mysql/master/orders".into(), "elsewhere:1".into());
        far.remove("mysql/master/orders/port");
    }
    bench.services.store.put_kv(&[("mysql/master/orders/hostname".into(), "x".into())], Utc::now()).await.unwrap();
    bench.services.publisher.repair().await.expect("all stores answer");
    assert_eq!(consul.held("dc2"), expected(3301));
    assert_eq!(bench.internal("orders/hostname").await.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_store_that_fails_keeps_no_other_from_being_written_and_is_named() {
    let consul = FakeConsul::start(&[HOME, "dc2"]).await;
    let bench = bench(json!({ "ConsulAddress": consul.address, "ConsulCrossDataCenterDistribution": true })).await;
    consul.world.lock().unwrap().broken.push("dc2".into());
    let stored = bench.services.publisher.publish("orders", &key(3301)).await;
    let outcome: Vec<(&str, bool)> = stored.iter().map(|s| (s.store, s.result.is_ok())).collect();
    assert_eq!(outcome, [("internal", true), ("consul", false)]);
    assert_eq!(consul.held(HOME), expected(3301), "the data centre that answers has it");
    let error = bench.submit().await.expect_err("not all was written");
    assert!(error.contains("consul") && error.contains("dc2") && error.contains("500"), "{error}");
    assert!(bench.services.publisher.repair().await.is_err(), "it is not well until it is");
    consul.world.lock().unwrap().broken.clear();
    bench.services.publisher.repair().await.expect("now it is");
    assert_eq!(consul.held("dc2"), expected(3301));
}

#[tokio::test]
async fn a_write_that_consul_takes_and_does_not_carry_out_is_a_failure() {
    let consul = FakeConsul::start(&[HOME]).await;
    let bench = bench(json!({ "ConsulAddress": consul.address })).await;
    consul.world.lock().unwrap().says_false = true;
    assert!(bench.submit().await.expect_err("nothing was written").contains("was not written: false"));
}

#[tokio::test]
async fn distribution_without_an_address_is_no_defect() {
    let bench = bench(json!({ "ConsulCrossDataCenterDistribution": true })).await;
    assert_eq!(bench.submit().await, Ok(5));
    bench.services.publisher.repair().await.expect("the internal store is all there is");
}

#[tokio::test]
async fn neither_a_read_only_nor_a_dead_primary_is_published() {
    let bench = bench(json!({})).await;
    let mut closed = server(3301, None);
    closed.read_only = true;
    observe(&bench.services, closed);
    assert_eq!(bench.submit().await, Ok(0));
    observe(&bench.services, server(3301, None));
    look(&bench.services, &key(3301), Outcome::Failed { error: "cannot connect".into() });
    assert_eq!(bench.submit().await, Ok(0));
    assert_eq!(bench.internal("orders").await, None);
}

#[tokio::test]
async fn a_cluster_that_is_being_recovered_is_left_to_its_recovery() {
    let bench = bench(json!({})).await;
    let _held = bench.services.locks.take(&["cluster 127.0.0.1:3301".to_owned()], "recovery").expect("free");
    bench.services.publisher.repair().await.expect("nothing to do is well");
    assert_eq!(bench.internal("orders").await, None);
}
