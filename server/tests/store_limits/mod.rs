//! What a backend does with values that do not fit, with another release's schema, and when it is gone.

use std::sync::Arc;

use orchestrator::store::{BackendSettings, Deployment, Store, StoreError};

use super::support::Sandbox;
use super::{now, server, server_settings};

/// Weakness 20 of the original: one value that does not fit costs the whole batch.
pub async fn values_too_large_for_a_column_cost_no_row(store: &Store) {
    let mut large = server("large");
    large.semi_sync.priority = 2_586;
    large.region = "a region whose name has more than thirty-two bytes".to_owned();
    large.environment = "K\u{f6}ln".to_owned();
    large.executed_gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,".repeat(3_000);
    large.depth = 300;
    let mut unnameable = server("x");
    unnameable.key.hostname = "h".repeat(200);
    let servers = [Arc::new(server("small")), Arc::new(large.clone()), Arc::new(unnameable.clone())];
    let report = store.write_instances(&servers).await.unwrap();
    assert_eq!(report.written, 2);
    assert_eq!(report.dropped.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), vec![unnameable.key]);
    let loaded = store.load_instances().await.unwrap();
    assert_eq!(loaded.iter().find(|i| i.key == large.key).map(AsRef::as_ref), Some(&large));
}

/// The same backend again: nothing is deployed twice, and the two settings are honoured.
pub async fn reopened(settings: &BackendSettings) {
    let same = Deployment { version: "1.0".to_owned(), skip_update: false, refuse_different: true };
    let store = Store::open(settings, &same).await.unwrap();
    store.put_kv(&[("kept".to_owned(), "yes".to_owned())], now()).await.unwrap();
    store.close().await;
    let other = Deployment { version: "2.0".to_owned(), ..same.clone() };
    let error = Store::open(settings, &other).await.unwrap_err();
    assert!(matches!(&error, StoreError::DifferentDeploy { version } if version == "2.0"), "{error}");
    let skipping = Deployment { skip_update: true, ..other.clone() };
    Store::open(settings, &skipping).await.unwrap().close().await;
    let deploying = Deployment { refuse_different: false, ..other };
    let store = Store::open(settings, &deploying).await.unwrap();
    store.redeploy().await.unwrap();
    assert_eq!(store.kv("kept").await.unwrap().as_deref(), Some("yes"));
    store.close().await;
    assert!(store.ping().await.unwrap_err().is_unavailable());
}

pub async fn a_backend_that_goes_away_is_said_to_be_so(store: &Store, sandbox: &Sandbox) {
    let port = sandbox.ports[0];
    sandbox.kill(port);
    let error = store.write_instances(&[Arc::new(server("db1"))]).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!error.to_string().contains("root_password"), "{error}");
    assert!(Store::open(&server_settings(port), &Deployment::of_version("1.0")).await.unwrap_err().is_unavailable());
    sandbox.start_again();
    let report = store.write_instances(&[Arc::new(server("db1"))]).await.unwrap();
    assert_eq!(report.written, 1);
}
