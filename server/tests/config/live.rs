//! Reloading.

use chrono::{DateTime, Utc};
use orchestrator::config::{Config, LiveConfig, Sources, TakesEffect, load};
use serde_json::json;

use crate::{Folder, only};

const NAME: &str = "orchestrator.conf.json";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn start(folder: &Folder, text: &str) -> LiveConfig {
    let sources: Sources = only(folder.write(NAME, text));
    LiveConfig::new(load(&sources).unwrap().config, sources)
}

#[test]
fn changes_that_are_read_at_each_use_count_at_once() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"InstancePollSeconds": 5, "RecoverMasterClusterFilters": []}"#);
    let before = live.current();
    let mut told = live.subscribe();
    told.mark_unchanged();

    folder.write(NAME, r#"{"InstancePollSeconds": 7, "RecoverMasterClusterFilters": ["*"]}"#);
    let report = live.reload(now(), None).unwrap();

    assert_eq!(before.discovery.instance_poll_seconds, 5);
    assert_eq!(live.current().discovery.instance_poll_seconds, 7);
    assert!(live.current().recovery.recover_primary_filters.matches("any:1", ""));
    let changed: Vec<_> =
        report.changed.iter().map(|c| (c.key, c.from.clone(), c.to.clone(), c.takes_effect)).collect();
    assert_eq!(
        changed,
        [
            ("InstancePollSeconds", json!(5), json!(7), TakesEffect::Now),
            ("RecoverMasterClusterFilters", json!([]), json!(["*"]), TakesEffect::Now),
        ]
    );
    assert!(report.needs_restart().is_empty());
    assert_eq!(report.generation, 2);
    assert!(told.has_changed().unwrap());
}

#[test]
fn what_is_used_at_start_keeps_its_running_value_and_is_reported() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"BackendDB": "sqlite", "SQLite3DataFile": "/srv/a"}"#);
    folder.write(NAME, r#"{"BackendDB": "sqlite", "SQLite3DataFile": "/srv/b", "ListenAddress": ":3000"}"#);
    let report = live.reload(now(), None).unwrap();
    assert_eq!(report.needs_restart(), ["ListenAddress", "SQLite3DataFile"]);
    assert_eq!(live.current().backend.sqlite_data_file, "/srv/a");
    assert_eq!(live.current().effective_listen().address, "127.0.0.1:3000");
    // It still differs, so the next reload says so again.
    let again = live.reload(now(), None).unwrap();
    assert_eq!(again.needs_restart(), ["ListenAddress", "SQLite3DataFile"]);
    assert_eq!(again.generation, 1);
}

#[test]
fn an_invalid_file_changes_nothing_and_is_remembered() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"InstancePollSeconds": 7}"#);
    let before = live.current();
    for text in ["{", r#"{"InstancePollSeconds": "8"}"#, r#"{"InstancePollSeconds": 301}"#] {
        folder.write(NAME, text);
        let error = live.reload(now(), None).unwrap_err().to_string();
        assert_eq!(live.current(), before, "{text}");
        let outcome = live.last_reload().unwrap();
        assert_eq!(outcome.at, now());
        assert_eq!(outcome.result.unwrap_err(), error);
    }
    std::fs::remove_file(folder.path(NAME)).unwrap();
    assert!(live.reload(now(), None).is_err());
    assert_eq!(live.current(), before);
}

#[test]
fn a_variable_that_was_removed_returns_to_its_default() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"ReadOnly": true, "SlaveLagQuery": "select 1"}"#);
    folder.write(NAME, r#"{"SlaveLagQuery": "select 2"}"#);
    live.reload(now(), None).unwrap();
    assert!(!live.current().general.read_only);
    assert_eq!(live.current().classification.replication_lag_query, "select 2");
}

#[test]
fn an_additional_file_counts_once() {
    let folder = Folder::new();
    let live = start(&folder, "{}");
    let extra = folder.write("extra.json", r#"{"ReadOnly": true}"#);
    let report = live.reload(now(), Some(&extra)).unwrap();
    assert_eq!(report.files.len(), 2);
    assert!(live.current().general.read_only);
    live.reload(now(), None).unwrap();
    assert!(!live.current().general.read_only);

    let report = live.reload(now(), Some(&folder.path("absent.json"))).unwrap();
    assert!(report.warnings.iter().any(|text| text.contains("absent.json is left out")), "{:?}", report.warnings);
}

#[test]
fn overrides_outlive_a_reload() {
    let folder = Folder::new();
    let path = folder.write(NAME, r#"{"ReadOnly": false}"#);
    let sources = only(path).with_override("ReadOnly", true);
    let live = LiveConfig::new(load(&sources).unwrap().config, sources);
    live.reload(now(), None).unwrap();
    assert!(live.current().general.read_only);
}

#[test]
fn a_changed_password_counts_and_is_not_shown() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"MySQLTopologyPassword": "first1"}"#);
    folder.write(NAME, r#"{"MySQLTopologyPassword": "second2"}"#);
    let report = live.reload(now(), None).unwrap();
    assert_eq!(live.current().topology.password.reveal(), "second2");
    assert_eq!(report.changed.len(), 1);
    let shown = format!("{report:?} {:?}", live.last_reload());
    assert!(!shown.contains("first1") && !shown.contains("second2"), "{shown}");
}

#[test]
fn authentication_cannot_be_dropped_while_running() {
    let folder = Folder::new();
    let live = start(&folder, r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "a", "HTTPAuthPassword": "b"}"#);
    folder.write(NAME, r#"{"HTTPAuthUser": "a", "HTTPAuthPassword": "b"}"#);
    let report = live.reload(now(), None).unwrap();
    // The listener would then be open to this host only.
    assert_eq!(report.needs_restart(), ["ListenAddress", "AuthenticationMethod"]);
    assert_eq!(live.current().auth.authentication_method, "basic");
}

#[test]
fn without_sources_a_reload_changes_nothing() {
    let live = LiveConfig::fixed(Config::from_json(r#"{"ReadOnly": true}"#).unwrap());
    let report = live.reload(now(), None).unwrap();
    assert!(report.changed.is_empty());
    assert_eq!(report.generation, 1);
    assert!(live.current().general.read_only);
}
