//! Two processes on one backend: a service, and a command that acts beside it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use app::recovery::{AcknowledgeScope, RecoveryState};
use app::topology::Instance;
use chrono::{TimeDelta, Utc};
use orchestrator::config::{Config, LiveConfig};
use orchestrator::consensus::{Actor, Command};
use orchestrator::exec::Purpose;
use orchestrator::fleet::{Observation, Outcome};
use orchestrator::node::Node;
use orchestrator::registration::{Mode, report};
use orchestrator::services::{self, Services};
use orchestrator::settings;
use orchestrator::store::Store;
use orchestrator::testing::recovery;

/// A process on this backend that shows itself and writes, and whose loops are the test's to turn.
async fn process(folder: &Path, mode: Mode) -> Services {
    let config = serde_json::json!({
        "BackendDB": "sqlite",
        "SQLite3DataFile": folder.join("orchestrator.db"),
        "HostnameResolveMethod": "none",
    });
    let config = Config::from_json(&config.to_string()).expect("a valid configuration");
    let store =
        Store::open(&settings::backend(&config), &settings::deployment(&config)).await.expect("the backend opens");
    let live = Arc::new(LiveConfig::fixed(config));
    let services = services::assemble(live, store, Node::new("orc1")).await.expect("assembled").write_behind();
    let report = report(&services.node, &services.config.current(), mode);
    services.store.beat(&report).await.expect("a heartbeat");
    services
}

async fn service(folder: &Path) -> Services {
    process(folder, Mode::Service).await
}

async fn command(folder: &Path) -> Services {
    process(folder, Mode::Command("test".to_owned())).await
}

fn key(host: &str) -> InstanceKey {
    InstanceKey::new(host, 3306)
}

fn observe(services: &Services, host: &str) {
    let now = Utc::now();
    let seen = Instance { key: key(host), version: "8.4.3".to_owned(), ..Instance::default() };
    let outcome = Outcome::Seen(Box::new(seen));
    services.fleet.observe(Observation { probed: key(host), started: now, ended: now, outcome });
}

/// Everything that waits is in the backend.
async fn written(services: &Services) {
    for _ in 0..500 {
        if services.fleet.count_unwritten() == 0 && services.journal.state().pending == 0 {
            // What was taken out is written a moment later.
            tokio::time::sleep(Duration::from_millis(100)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not written: {:?}", services.journal.state());
}

async fn stored(services: &Services) -> Vec<String> {
    let stored = services.store.load_instances().await.expect("read");
    stored.iter().map(|instance| instance.key.hostname.clone()).collect()
}

#[tokio::test]
async fn a_server_that_a_command_forgets_does_not_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = service(folder.path()).await;
    observe(&service, "db1");
    observe(&service, "db2");
    written(&service).await;
    let command = command(folder.path()).await;
    let forget = Command::Forget { key: key("db2"), barred_until: Utc::now() + TimeDelta::minutes(30) };
    command.consensus.submit(forget, &Actor::system()).await.expect("accepted");
    written(&command).await;

    // A probe that was under way comes home before the service has heard.
    observe(&service, "db2");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(stored(&service).await, ["db1"]);
    service.adoption.adopt(&service).await.expect("adopted");
    assert_eq!(service.fleet.keys(), [key("db1")]);
    observe(&service, "db2");
    assert_eq!(service.fleet.keys(), [key("db1")]);
    written(&service).await;
    assert_eq!(stored(&service).await, ["db1"]);

    // Nor does a service that starts later take it in.
    let later = self::service(folder.path()).await;
    later.adoption.adopt(&later).await.expect("adopted");
    assert!(later.fleet.is_barred(&key("db2")));

    // Asked for by name at the service itself it is welcome again, whatever the command said before.
    service.fleet.unbar(&key("db2"));
    service.adoption.adopt(&service).await.expect("adopted");
    observe(&service, "db2");
    service.consensus.submit(Command::Admit { key: key("db2") }, &Actor::system()).await.expect("accepted");
    service.adoption.adopt(&service).await.expect("adopted");
    written(&service).await;
    assert_eq!(stored(&service).await, ["db1", "db2"]);
}

#[tokio::test]
async fn a_server_that_a_command_takes_in_is_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = service(folder.path()).await;
    let forget = Command::Forget { key: key("127.0.0.1"), barred_until: Utc::now() + TimeDelta::minutes(30) };
    observe(&service, "127.0.0.1");
    service.consensus.submit(forget, &Actor::system()).await.expect("accepted");
    assert!(service.fleet.is_barred(&key("127.0.0.1")));
    let command = command(folder.path()).await;
    command.consensus.submit(Command::Admit { key: key("127.0.0.1") }, &Actor::system()).await.expect("accepted");
    service.adoption.adopt(&service).await.expect("adopted");
    for _ in 0..200 {
        if !service.fleet.is_barred(&key("127.0.0.1")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody looks at it");
}

#[tokio::test]
async fn recoveries_and_acknowledgements_of_a_command_are_known_to_the_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = service(folder.path()).await;
    let command = command(folder.path()).await;
    let mut done = recovery("1:a", &key("db1"), &command.node.token);
    done.node.clone_from(&command.node.hostname);
    done.id = command.store.record_recovery(&done).await.expect("recorded");
    command.store.save_recovery(&done, &serde_json::Value::Null, Utc::now()).await.expect("saved");
    service.adoption.adopt(&service).await.expect("adopted");
    let known = |uid: &str| service.recovery.registry().find(uid).expect("known");
    assert!(known("1:a").is_running(), "it keeps the service from beginning one of its own");

    done.state = RecoveryState::Succeeded;
    done.ended = Some(Utc::now());
    command.store.save_recovery(&done, &serde_json::Value::Null, Utc::now()).await.expect("saved");
    service.adoption.adopt(&service).await.expect("adopted");
    assert_eq!((known("1:a").is_running(), known("1:a").acknowledged.clone()), (false, None));

    let actor = Actor::named("cli:ann");
    command.recovery.registry().put(done);
    command.recovery.acknowledge(AcknowledgeScope::All, "seen", &actor).await.expect("acknowledged");
    written(&command).await;
    service.adoption.adopt(&service).await.expect("adopted");
    let acknowledged = known("1:a").acknowledged.clone().expect("acknowledged");
    assert_eq!((acknowledged.by.as_str(), acknowledged.comment.as_str()), ("cli:ann", "seen"));
}

#[tokio::test]
async fn a_service_and_a_command_do_not_meet_on_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = service(folder.path()).await;
    let command = command(folder.path()).await;
    let names = ["db1", "db2"].map(key).to_vec();
    let guard =
        service.locks.take_servers(names.clone(), "relocate db2 by ann", Purpose::Operation).await.expect("free");
    for purpose in [Purpose::Operation, Purpose::Recovery] {
        let held = command.locks.take_servers(vec![key("db2")], "recover db2", purpose).await.expect_err("held");
        assert_eq!(held.what, "db2:3306");
        assert_eq!(held.holder.operation, "relocate db2 by ann on orc1");
    }
    assert!(command.locks.is_idle(), "a refusal leaves nothing locked");
    drop(guard);
    // The same process does not wait until its hold is given up in the backend.
    let guard = service.locks.take_servers(names.clone(), "again", Purpose::Recovery).await.expect("free");
    drop(guard);
    while !service.locks.is_idle() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let taken = command.locks.take_servers(names, "recover db2", Purpose::Recovery).await;
    assert!(taken.is_ok(), "{taken:?}");
}
