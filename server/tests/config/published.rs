//! Files as people have them.

use orchestrator::config::{BackendKind, Files, Secrets, Sources, load};

use crate::{Folder, environment, read, warned};

/// The variables of published guides and talks in one file.
const PUBLISHED: &str = include_str!("data/published.json");

#[test]
fn published_variables_are_known_but_for_the_invented_ones() {
    let loaded = read(PUBLISHED).unwrap();
    let unknown: Vec<&String> =
        loaded.warnings.iter().filter(|text| text.contains("is not known and is ignored")).collect();
    assert_eq!(unknown.len(), 5, "{unknown:?}");
    for name in [
        "RecoveryPollSeconds",
        "RecoveryMasterSlaveInstancesFilter",
        "RecoveryProcessesBlockSizePercentage",
        "RecoveryBlockHostsWhenTooManyMasterFailures",
        "PostMasterFailoverHooks",
    ] {
        assert!(warned(&loaded, &format!("{name:?} in ")), "{unknown:?}");
    }
    let config = &loaded.config;
    assert_eq!(config.backend.kind(), BackendKind::Sqlite);
    assert_eq!(config.topology.user, "wallace");
    assert!(config.recovery.recover_primary_filters.matches("db1:3306", "thatcluster"));
    assert!(config.recovery.recover_intermediate_source_filters.matches("db1:3306", "other"));
    assert_eq!(config.kv.cluster_primary_prefix, "mysql/main/");
    assert_eq!(config.hooks.post_primary_failover.list().len(), 1);
}

#[test]
fn what_is_not_built_is_listed_and_what_is_default_is_not() {
    let loaded = read(PUBLISHED).unwrap();
    for name in ["RaftEnabled", "RaftDataDir"] {
        assert!(loaded.not_in_effect.contains(&name), "{name} is missing in {:?}", loaded.not_in_effect);
    }
    for name in [
        // Set to the default.
        "PostUnsuccessfulFailoverProcesses",
        "DefaultRaftPort",
        "AuthUserHeader",
        // In effect.
        "RecoverMasterClusterFilters",
        "ReadOnly",
        "PreFailoverProcesses",
        "ConsulAddress",
        // Not in the file, though derived.
        "RaftAdvertise",
    ] {
        assert!(!loaded.not_in_effect.contains(&name), "{name} is in {:?}", loaded.not_in_effect);
    }
}

#[test]
fn the_summary_tells_the_essentials_and_no_password() {
    let loaded = read(PUBLISHED).unwrap();
    let summary = loaded.summary().join("\n");
    for text in [
        "Read config: ",
        "backend: SQLite /var/lib/orchestrator/orchestrator.db",
        "listen: :3000 (as configured)",
        "rights: ReadOnly: nobody may change anything",
        "probing: every 5 s as user \"wallace\"",
        "automatic recovery of primaries: thiscluster, thatcluster; of intermediate sources: *",
        "not in effect in this release: ",
    ] {
        assert!(summary.contains(text), "{text:?} is missing in\n{summary}");
    }
    let everything = format!("{summary} {:?} {}", loaded, loaded.config.to_json_line(Secrets::Redact));
    for secret in ["grom1t", "orch_backend_password", "time_for_dinner"] {
        assert!(!everything.contains(secret), "{secret} is shown");
    }
}

/// The minimal examples of section 14 of the specification.
#[test]
fn minimal_single_node() {
    let folder = Folder::new();
    let path = folder.write(
        "orchestrator.conf.json",
        r#"{
            "BackendDB": "sqlite",
            "SQLite3DataFile": "/srv/orc/state.sqlite3",
            "MySQLTopologyUser": "orc_probe",
            "MySQLTopologyPassword": "${ORC_PROBE_PASSWORD}",
            "RecoverMasterClusterFilters": ["*"],
            "RecoverIntermediateMasterClusterFilters": ["*"]
        }"#,
    );
    let variables = environment(&[("ORC_PROBE_PASSWORD", "s3cret")]);
    let loaded = load(&Sources::new(Files::Only(path), variables)).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(loaded.not_in_effect.is_empty(), "{:?}", loaded.not_in_effect);
    assert_eq!(loaded.config.topology.password.reveal(), "s3cret");
    assert_eq!(loaded.config.backend.sqlite_data_file, "/srv/orc/state.sqlite3");
    assert!(loaded.config.check_service().is_ok());
}

#[test]
fn minimal_group_node() {
    let loaded = read(
        r#"{
            "RaftEnabled": true,
            "RaftDataDir": "/srv/orc",
            "RaftBind": "192.0.2.2",
            "RaftNodes": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        }"#,
    )
    .unwrap();
    assert_eq!(loaded.config.raft.advertise, "192.0.2.2");
    assert_eq!(loaded.config.raft.nodes.len(), 3);
    assert_eq!(loaded.not_in_effect, ["RaftEnabled", "RaftDataDir", "RaftBind", "RaftNodes"]);
}
