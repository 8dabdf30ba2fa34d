//! What is refused, adjusted, and warned about (section 9 of the specification).

use orchestrator::config::Config;
use rstest::rstest;

use crate::{read, refusal, warned};

#[rstest]
#[case::lag_query(
    r#"{"ReplicationLagQuery": "select 1", "SlaveLagQuery": "select 2"}"#,
    &["ReplicationLagQuery", "SlaveLagQuery"]
)]
#[case::postpone(
    r#"{"PostponeReplicaRecoveryOnLagMinutes": 1, "PostponeSlaveRecoveryOnLagMinutes": 2}"#,
    &["PostponeReplicaRecoveryOnLagMinutes", "PostponeSlaveRecoveryOnLagMinutes"]
)]
#[case::fail_and_delay(
    r#"{"FailMasterPromotionIfSQLThreadNotUpToDate": true, "DelayMasterPromotionIfSQLThreadNotUpToDate": true}"#,
    &["FailMasterPromotionIfSQLThreadNotUpToDate", "DelayMasterPromotionIfSQLThreadNotUpToDate"]
)]
#[case::lag_without_query(
    r#"{"FailMasterPromotionOnLagMinutes": 1}"#,
    &["FailMasterPromotionOnLagMinutes", "ReplicationLagQuery"]
)]
#[case::sqlite_without_file(r#"{"BackendDB": "sqlite3"}"#, &["SQLite3DataFile"])]
#[case::raft_without_folder(r#"{"RaftEnabled": true}"#, &["RaftDataDir"])]
#[case::raft_without_address(r#"{"RaftEnabled": true, "RaftDataDir": "/d", "RaftBind": ""}"#, &["RaftBind"])]
#[case::advertise(r#"{"HTTPAdvertise": "http://node1:3000/"}"#, &["HTTPAdvertise"])]
#[case::factor(r#"{"DeadInstancePollSecondsMultiplyFactor": 0.9}"#, &["DeadInstancePollSecondsMultiplyFactor"])]
#[case::longest_wait(
    r#"{"InstancePollSeconds": 301}"#,
    &["DeadInstancePollSecondsMax", "InstancePollSeconds"]
)]
#[case::port(r#"{"DefaultInstancePort": 65536}"#, &["DefaultInstancePort"])]
#[case::port_zero(r#"{"DefaultInstancePort": 0}"#, &["DefaultInstancePort"])]
#[case::backend_port(r#"{"MySQLOrchestratorPort": 70000}"#, &["MySQLOrchestratorPort"])]
#[case::raft_port(r#"{"RaftEnabled": true, "RaftDataDir": "/d", "DefaultRaftPort": -1}"#, &["DefaultRaftPort"])]
fn impossible_values_are_refused_by_name(#[case] text: &str, #[case] keys: &[&str]) {
    let error = read(text).unwrap_err();
    assert_eq!(error.keys(), keys);
    for key in keys {
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[rstest]
#[case(r#"{"ReplicationLagQuery": "select 1", "SlaveLagQuery": "select 1"}"#)]
#[case(r#"{"PostponeReplicaRecoveryOnLagMinutes": 2, "PostponeSlaveRecoveryOnLagMinutes": 2}"#)]
#[case(r#"{"FailMasterPromotionOnLagMinutes": 1, "SlaveLagQuery": "select 1"}"#)]
#[case(r#"{"HTTPAdvertise": "https://node1.example:3000"}"#)]
#[case(r#"{"InstancePollSeconds": 301, "DeadInstancePollSecondsMax": 301}"#)]
#[case(r#"{"DeadInstancePollSecondsMultiplyFactor": 1}"#)]
#[case::unused_ports(
    r#"{"DefaultRaftPort": 0, "BackendDB": "sqlite", "SQLite3DataFile": "f", "MySQLOrchestratorPort": 0}"#
)]
fn possible_values_are_accepted(#[case] text: &str) {
    assert!(read(text).is_ok());
}

#[test]
fn all_broken_rules_are_named_at_once() {
    let message = refusal(r#"{"BackendDB": "sqlite", "RaftEnabled": true, "HTTPAdvertise": "x"}"#);
    for name in ["SQLite3DataFile", "RaftDataDir", "HTTPAdvertise"] {
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn old_names_count() {
    let config = Config::from_json(
        r#"{"SlaveLagQuery": "select lag", "PostponeSlaveRecoveryOnLagMinutes": 3,
            "MasterFailoverDetachSlaveMasterHost": true}"#,
    )
    .unwrap();
    assert_eq!(config.classification.replication_lag_query, "select lag");
    assert_eq!(config.obsolete.replica_lag_query, "");
    assert_eq!(config.recovery.postpone_replica_recovery_on_lag_minutes, 3);
    assert!(config.recovery.detach_promoted_from_old_source);
}

#[rstest]
#[case::neither("{}", true)]
#[case::new_false(r#"{"DetachLostReplicasAfterMasterFailover": false}"#, true)]
#[case::old_false(r#"{"DetachLostSlavesAfterMasterFailover": false}"#, false)]
#[case::both_false(
    r#"{"DetachLostSlavesAfterMasterFailover": false, "DetachLostReplicasAfterMasterFailover": false}"#,
    false
)]
#[case::new_true(
    r#"{"DetachLostSlavesAfterMasterFailover": false, "DetachLostReplicasAfterMasterFailover": true}"#,
    true
)]
fn only_the_old_name_switches_detaching_off(#[case] text: &str, #[case] expected: bool) {
    assert_eq!(Config::from_json(text).unwrap().recovery.detach_lost_replicas, expected);
}

#[rstest]
#[case::default("{}", 3600)]
#[case::minutes_alone(r#"{"RecoveryPeriodBlockMinutes": 5}"#, 3600)]
#[case::seconds_zero(r#"{"RecoveryPeriodBlockSeconds": 0, "RecoveryPeriodBlockMinutes": 5}"#, 300)]
#[case::seconds_zero_alone(r#"{"RecoveryPeriodBlockSeconds": 0}"#, 3600)]
#[case::both_zero(r#"{"RecoveryPeriodBlockSeconds": 0, "RecoveryPeriodBlockMinutes": 0}"#, 0)]
#[case::huge(r#"{"RecoveryPeriodBlockSeconds": 0, "RecoveryPeriodBlockMinutes": 9223372036854775807}"#, i64::MAX)]
fn minutes_count_only_beside_zero_seconds(#[case] text: &str, #[case] expected: i64) {
    assert_eq!(Config::from_json(text).unwrap().recovery.period_block_seconds, expected);
}

#[test]
fn derived_values() {
    let config = Config::from_json(
        r#"{"URLPrefix": "//orc/", "KVClusterMasterPrefix": "mysql/primary", "RaftBind": "10.0.0.1",
            "AutoPseudoGTID": true, "ConsulMaxKVsPerTransaction": 100, "ReasonableReplicationLagSeconds": 17}"#,
    )
    .unwrap();
    assert_eq!(config.general.url_prefix, "/orc");
    assert_eq!(config.kv.cluster_primary_prefix, "mysql/primary/");
    assert_eq!(config.raft.advertise, "10.0.0.1");
    assert_eq!(config.pseudo_gtid.pattern, "drop view if exists `_pseudo_gtid_`");
    assert!(config.pseudo_gtid.pattern_is_fixed_substring);
    assert_eq!(config.pseudo_gtid.monotonic_hint, "asc:");
    assert_eq!(config.pseudo_gtid.detect_query, "select 1");
    assert_eq!(config.kv.consul_max_kvs_per_transaction, 64);
    assert_eq!(config.semi_sync.reasonable_locked_source_seconds, 17);
}

#[rstest]
#[case(r#"{"RecoverMasterClusterFilters": ["db("]}"#, "RecoverMasterClusterFilters: the regular expression \"db(\"")]
#[case(r#"{"DataCenterPattern": "dc1"}"#, "DataCenterPattern: the regular expression \"dc1\" has no capture group")]
#[case(r#"{"RejectHostnameResolvePattern": "["}"#, "RejectHostnameResolvePattern: ")]
#[case(r#"{"HostnameResolveMethod": "dns"}"#, "HostnameResolveMethod \"dns\" is not known")]
#[case(r#"{"MySQLHostnameResolveMethod": "x"}"#, "MySQLHostnameResolveMethod \"x\" is not known")]
#[case(r#"{"AuthenticationMethod": "basci"}"#, "AuthenticationMethod \"basci\" is not known")]
#[case(r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "a"}"#, "HTTPAuthPassword is empty")]
#[case(
    r#"{"AuthenticationMethod": "multi", "HTTPAuthUser": "readonly", "HTTPAuthPassword": "b"}"#,
    "nobody may change anything"
)]
#[case(r#"{"AuthenticationMethod": "proxy"}"#, "PowerAuthUsers has \"*\"")]
#[case(r#"{"AuthenticationMethod": "proxy", "TrustedProxies": []}"#, "TrustedProxies is empty")]
#[case(r#"{"AuthenticationMethod": "proxy", "TrustedProxies": ["::/0"]}"#, "anybody can claim to be anybody")]
#[case(r#"{"AuthenticationMethod": "basic"}"#, "HTTPAuthUser is empty")]
#[case(r#"{"ConsulKVStoreProvider": "etcd"}"#, "ConsulKVStoreProvider \"etcd\" is not known")]
#[case(r#"{"ConsulCrossDataCenterDistribution": true}"#, "has no effect without ConsulAddress")]
#[case(r#"{"PrependMessagesWithOrcIdentity": "fqdn"}"#, "PrependMessagesWithOrcIdentity \"fqdn\"")]
#[case(r#"{"InstancePollSeconds": 0}"#, "InstancePollSeconds is 0")]
#[case(r#"{"MaxConcurrentReplicaOperations": 0}"#, "MaxConcurrentReplicaOperations is 0; 1 is used")]
#[case(r#"{"ExpiryHostnameResolvesMinutes": 0}"#, "ExpiryHostnameResolvesMinutes is 0; 1 is used")]
#[case(r#"{"RecoveryPeriodBlockMinutes": 5}"#, "RecoveryPeriodBlockMinutes has no effect")]
#[case(r#"{"DetachLostReplicasAfterMasterFailover": false}"#, "DetachLostReplicasAfterMasterFailover alone has no")]
#[case(r#"{"UseSSL": true, "UseMutualTLS": true}"#, "UseMutualTLS without SSLValidOUs admits nobody")]
#[case(r#"{"UseSSL": true, "ListenSocket": "/run/orc.sock"}"#, "UseSSL has no effect beside ListenSocket")]
#[case(r#"{"StatusSimpleHealth": true}"#, "StatusSimpleHealth in ")]
fn odd_values_are_accepted_with_a_warning(#[case] text: &str, #[case] expected: &str) {
    let loaded = read(text).unwrap();
    assert!(warned(&loaded, expected), "{:?}", loaded.warnings);
}

#[test]
fn odd_numbers_have_a_usable_meaning() {
    let config = Config::from_json(
        r#"{"InstancePollSeconds": 0, "MaxConcurrentReplicaOperations": -1, "ExpiryHostnameResolvesMinutes": 0}"#,
    )
    .unwrap();
    assert_eq!(config.discovery.poll_interval().as_secs(), 1);
    assert_eq!(config.discovery.concurrent_replica_operations(), 1);
    assert_eq!(config.resolve.cache_time().as_secs(), 60);
}
