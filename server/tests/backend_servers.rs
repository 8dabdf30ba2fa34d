//! A backend that goes away stops nothing: the service watches and recovers on, says so, and catches up.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use orchestrator::store::{BackendSettings, Deployment, MySqlSettings, RecoveryFilter, Store};
use support::service::{Service, key, tree};
use support::{Sandbox, eventually};

/// What the service uses the backend with.
const ACCOUNT: &str = "CREATE USER orc@'127.0.0.1' IDENTIFIED BY 'orc'; GRANT ALL ON orchestrator.* TO orc@'127.0.0.1'";

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_goes_away_stops_nothing_and_is_caught_up() {
    let backend = Sandbox::start("mariadb", 1);
    let port = backend.ports[0];
    backend.sql(port, ACCOUNT);
    let sandbox = tree("mariadb", 2);
    let service = Service::start_with(serde_json::json!({
        "BackendDB": "mysql",
        "MySQLOrchestratorHost": "127.0.0.1",
        "MySQLOrchestratorPort": port,
        "MySQLOrchestratorDatabase": "orchestrator",
        "MySQLOrchestratorUser": "orc",
        "MySQLOrchestratorPassword": "orc",
    }))
    .await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;

    backend.kill(port);
    eventually("the outage is told", Duration::from_secs(15), || async { service.services.journal.state().down_since })
        .await;
    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    let state = service.services.journal.state();
    assert!(state.error.is_some() && state.pending > 0, "{state:?}");

    backend.start_again();
    eventually("everything is written down", Duration::from_secs(30), || async {
        let state = service.services.journal.state();
        (state.error.is_none() && state.pending == 0).then_some(())
    })
    .await;
    let filter = RecoveryFilter::Uid(recovery.uid.clone());
    let written = service.services.store.recoveries(&filter, 0, 1).await.expect("the backend answers");
    assert_eq!(written.len(), 1);
    let servers = service.services.store.load_instances().await.expect("the backend answers");
    let successor = recovery.successor.clone().expect("a successor");
    let replica = servers.iter().find(|i| i.key != successor && i.key != key(sandbox.ports[0])).expect("the other one");
    assert_eq!(replica.replication.source, successor, "the picture of now, not of then");
}

/// `MySQLOrchestratorRejectReadOnly`: behind an address that moves with a failover, a kept connection leads to the former primary.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_a_backend_that_became_read_only_is_not_used_again() {
    let backend = Sandbox::start("mariadb", 1);
    let port = backend.ports[0];
    backend.sql(port, ACCOUNT);
    let (host, text) = ("127.0.0.1".to_owned(), "orc".to_owned());
    let settings = MySqlSettings {
        host,
        port,
        user: text.clone(),
        password: text,
        max_connections: 1,
        drop_read_only: true,
        ..MySqlSettings::default()
    };
    let store = Store::open(&BackendSettings::MySql(settings), &Deployment::of_version("3.2.6")).await.expect("opens");
    let session = async || {
        store.ping().await.expect("it answers");
        backend.sql(port, "SELECT MAX(id) FROM information_schema.processlist WHERE user = 'orc'")
    };
    let first = session().await;
    assert_eq!(session().await, first, "kept while the server takes writes");
    backend.sql(port, "SET GLOBAL read_only = 1");
    let second = session().await;
    assert_ne!(second, first, "made anew, wherever the address leads by now");
    backend.sql(port, "SET GLOBAL read_only = 0");
    assert_eq!(session().await, second, "and kept again");
    store.close().await;
}
