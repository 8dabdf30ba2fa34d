use app::finding::{AnalysisCode, Facts, Finding, Severity, StructureWarning};
use app::recovery::{Acknowledgement, Recovery, RecoveryKind, RecoveryState};
use app::topology::{
    Annotations, Candidate, Check, Downtime, Instance, PromotionRule, Replication, StatusThresholds, ThreadState,
};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde::Serialize;

use super::scalar::quoted;
use super::*;
use crate::store::{DetectionRow, NodeIdentity, RecoveryRow};

/// Names of fields in the order of the specification, typed from its tables.
const INSTANCE: &str = "\
    Key InstanceAlias Uptime ServerID ServerUUID Version VersionComment FlavorName ReadOnly Binlog_format \
    BinlogRowImage LogBinEnabled LogSlaveUpdatesEnabled LogReplicationUpdatesEnabled SelfBinlogCoordinates MasterKey \
    MasterUUID AncestryUUID IsDetachedMaster Slave_SQL_Running ReplicationSQLThreadRuning Slave_IO_Running \
    ReplicationIOThreadRuning ReplicationSQLThreadState ReplicationIOThreadState HasReplicationFilters GTIDMode \
    SupportsOracleGTID UsingOracleGTID UsingMariaDBGTID UsingPseudoGTID ReadBinlogCoordinates ExecBinlogCoordinates \
    IsDetached RelaylogCoordinates LastSQLError LastIOError SecondsBehindMaster SQLDelay ExecutedGtidSet GtidPurged \
    GtidErrant SlaveLagSeconds ReplicationLagSeconds SlaveHosts Replicas ClusterName SuggestedClusterAlias \
    DataCenter Region PhysicalEnvironment ReplicationDepth IsCoMaster HasReplicationCredentials \
    ReplicationCredentialsAvailable SemiSyncAvailable SemiSyncPriority SemiSyncMasterPluginNewVersion \
    SemiSyncReplicaPluginNewVersion SemiSyncMasterEnabled SemiSyncReplicaEnabled SemiSyncMasterTimeout \
    SemiSyncMasterWaitForReplicaCount SemiSyncMasterStatus SemiSyncMasterClients SemiSyncReplicaStatus \
    LastSeenTimestamp IsLastCheckValid IsUpToDate IsRecentlyChecked SecondsSinceLastSeen CountMySQLSnapshots \
    IsCandidate PromotionRule IsDowntimed DowntimeReason DowntimeOwner DowntimeEndTimestamp ElapsedDowntime \
    UnresolvedHostname AllowTLS ReplicationSSLCAFile ReplicationSSLCAPath ReplicationSSLCert ReplicationSSLCipher \
    ReplicationSSLCRLFile ReplicationSSLCRLPath ReplicationSSLKey ReplicationSSLVerifyServerCert \
    ReplicationTLSVersion ReplicationTLSCiphersuites ReplicationSourcePublicKeyPath ReplicationGetSourcePublicKey \
    Problems LastDiscoveryLatency ReplicationGroupName ReplicationGroupIsSinglePrimary ReplicationGroupMemberState \
    ReplicationGroupMemberRole ReplicationGroupMembers ReplicationGroupPrimaryInstanceKey QSP";

const ANALYSIS: &str = "\
    AnalyzedInstanceKey AnalyzedInstanceMasterKey ClusterDetails AnalyzedInstanceDataCenter AnalyzedInstanceRegion \
    AnalyzedInstancePhysicalEnvironment AnalyzedInstanceBinlogCoordinates IsMaster IsReplicationGroupMember \
    IsCoMaster LastCheckValid LastCheckPartialSuccess CountReplicas CountValidReplicas CountValidReplicatingReplicas \
    CountReplicasFailingToConnectToMaster CountDowntimedReplicas ReplicationDepth Replicas SlaveHosts \
    IsFailingToConnectToMaster Analysis Description StructureAnalysis IsDowntimed IsReplicasDowntimed \
    DowntimeEndTimestamp DowntimeRemainingSeconds IsBinlogServer PseudoGTIDImmediateTopology \
    OracleGTIDImmediateTopology MariaDBGTIDImmediateTopology BinlogServerImmediateTopology SemiSyncMasterEnabled \
    SemiSyncMasterStatus SemiSyncMasterWaitForReplicaCount SemiSyncMasterClients CountSemiSyncReplicasEnabled \
    CountLoggingReplicas CountStatementBasedLoggingReplicas CountMixedBasedLoggingReplicas \
    CountRowBasedLoggingReplicas CountDistinctMajorVersionsLoggingReplicas CountDelayedReplicas CountLaggingReplicas \
    IsActionableRecovery ProcessingNodeHostname ProcessingNodeToken CountAdditionalAgreeingNodes StartActivePeriod \
    SkippableDueToDowntime GTIDMode MinReplicaGTIDMode MaxReplicaGTIDMode MaxReplicaGTIDErrant CommandHint \
    IsReadOnly";

const RECOVERY: &str = "\
    Id UID AnalysisEntry SuccessorKey SuccessorAlias SuccessorBinlogCoordinates IsActive IsSuccessful LostReplicas \
    ParticipatingInstanceKeys AllErrors RecoveryStartTimestamp RecoveryEndTimestamp ProcessingNodeHostname \
    ProcessingNodeToken Acknowledged AcknowledgedAt AcknowledgedBy AcknowledgedComment LastDetectionId \
    RelatedRecoveryId Type RecoveryType";

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_893_553_445 + second, 0).expect("in range")
}

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(encode(value)).expect("JSON is UTF-8")
}

/// The names of an object's fields in their order.
fn names(json: &str) -> Vec<String> {
    let object: indexmap::IndexMap<String, serde_json::Value> = serde_json::from_str(json).expect(json);
    object.into_keys().collect()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn replica() -> Instance {
    Instance {
        key: key("db2.example"),
        alias: "b".to_owned(),
        uptime: 86_400,
        server_id: 2,
        server_uuid: "11111111-1111-1111-1111-111111111111".to_owned(),
        version: "8.0.36-28".to_owned(),
        version_comment: "Percona Server (GPL), Release 28".to_owned(),
        read_only: true,
        binlog_format: "ROW".to_owned(),
        binlog_row_image: "FULL".to_owned(),
        log_bin: true,
        log_replica_updates: true,
        binlog: BinlogCoordinates::binary("binlog.000003", 157),
        gtid_mode: "ON".to_owned(),
        executed_gtid: "22222222-2222-2222-2222-222222222222:1-77".to_owned(),
        cluster_name: "db1.example:3306".to_owned(),
        depth: 1,
        lag: Some(1),
        replicas: vec![key("db4"), key("db3"), key("db4")],
        replication: Replication {
            source: key("db1.example"),
            source_uuid: "22222222-2222-2222-2222-222222222222".to_owned(),
            has_credentials: true,
            receiver: ThreadState::Other,
            applier: ThreadState::Running,
            receiver_error: "error connecting to master 'repl@db1:3306' \"é\"".to_owned(),
            read: BinlogCoordinates::binary("binlog.000009", 4),
            exec: BinlogCoordinates::binary("binlog.000009", 4),
            relay: BinlogCoordinates::relay("relay.000002", 321),
            auto_position: true,
            seconds_behind: None,
            tls: app::topology::ReplicationTls { allowed: true, ca_file: "/ca.pem".to_owned(), ..Default::default() },
            ..Default::default()
        },
        check: Check {
            last_checked: Some(at(-2)),
            last_seen: Some(at(-2)),
            latency_ns: 1_234_567,
            ..Default::default()
        },
        ..Default::default()
    }
}

fn annotations() -> Annotations {
    let mut annotations = Annotations::default();
    let downtime = Downtime { owner: "dba".to_owned(), reason: "a<b".to_owned(), begin: at(-60), end: at(540) };
    annotations.downtime.insert(key("db2.example"), downtime);
    let candidate = Candidate { rule: PromotionRule::Prefer, last_suggested: at(-10) };
    annotations.candidates.insert(key("db2.example"), candidate);
    annotations.unresolved.insert("db2.example".to_owned(), "vip2".to_owned());
    annotations
}

fn finding() -> Finding {
    Finding {
        key: key("db1.example"),
        source: InstanceKey::default(),
        cluster: "db1.example:3306".to_owned(),
        cluster_alias: "orders".to_owned(),
        cluster_domain: "db1.example:3306".to_owned(),
        code: AnalysisCode::DeadSource,
        description: "Master cannot be reached & none of its replicas is replicating".to_owned(),
        structure: vec![StructureWarning::NoLoggingReplicas],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: Some(at(90)),
        replicas_downtimed: false,
        facts: Facts {
            is_source: true,
            replicas: vec![key("db3"), key("db2.example")],
            valid_replicas: 2,
            mysql_gtid_topology: true,
            gtid_mode: "ON".to_owned(),
            ..Default::default()
        },
        evidence: Vec::new(),
    }
}

fn cluster() -> ClusterInfo {
    ClusterInfo {
        cluster_name: "db1.example:3306".to_owned(),
        cluster_alias: "orders".to_owned(),
        count_instances: 3,
        has_automated_master_recovery: true,
        ..ClusterInfo::default()
    }
}

#[test]
fn texts_are_escaped_as_existing_clients_know_it() {
    let odd = "<a href=\"x\">&\u{2028}\u{8}\u{c}\n\u{1f}é/\u{7f}";
    assert_eq!(text(&odd), "\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u2028\\u0008\\u000c\\n\\u001fé/\u{7f}\"");
}

#[test]
fn the_envelope_always_has_its_three_fields() {
    let text = |body: Vec<u8>| String::from_utf8(body).expect("text");
    assert_eq!(text(envelope(true, "done", b"null")), r#"{"Code":"OK","Message":"done","Details":null}"#);
    assert_eq!(
        text(envelope(false, "a > b", &encode(&key("db1")))),
        r#"{"Code":"ERROR","Message":"a \u003e b","Details":{"Hostname":"db1","Port":3306}}"#
    );
}

#[test]
fn errors_of_threads_are_quoted_and_ascii() {
    assert_eq!(quoted(""), "");
    assert_eq!(quoted("a\"b\\\né\u{1f600}\u{1}"), r#""a\"b\\\n\u00e9\U0001f600\x01""#);
}

#[test]
fn times_have_the_form_of_the_backend() {
    assert_eq!(TimeForm::Sqlite.stored(Some(at(0))), "2030-01-02T03:04:05Z");
    assert_eq!(TimeForm::Sqlite.computed(Some(at(0))), "2030-01-02 03:04:05");
    assert_eq!(TimeForm::Mysql.stored(Some(at(0))), "2030-01-02 03:04:05");
    assert_eq!(TimeForm::Sqlite.stored(None), "");
}

#[test]
fn a_server_has_102_fields_in_their_order() {
    let stored =
        CompatInstance::stored(&replica(), &annotations(), &StatusThresholds::default(), TimeForm::Sqlite, at(0));
    let json = text(&stored);
    assert_eq!(words(INSTANCE).len(), 102);
    assert_eq!(names(&json), words(INSTANCE));
    let live = text(&CompatInstance::live(&replica(), &annotations()));
    assert_eq!(names(&live), words(INSTANCE));
    let nothing = CompatInstance::stored(
        &Instance::default(),
        &Annotations::default(),
        &StatusThresholds::default(),
        TimeForm::Mysql,
        at(0),
    );
    assert_eq!(names(&text(&nothing)), words(INSTANCE));
    insta::assert_snapshot!("instance_stored", json);
    insta::assert_snapshot!("instance_live", live);
    insta::assert_snapshot!("instance_of_nothing_known", text(&nothing));
}

#[test]
fn an_analysis_has_57_fields_in_their_order() {
    let analysis = ReplicationAnalysis::new(&finding(), &cluster(), ("node1", "token"), TimeForm::Sqlite, at(0));
    let json = text(&analysis);
    assert_eq!(words(ANALYSIS).len(), 57);
    assert_eq!(names(&json), words(ANALYSIS));
    assert!(json.contains(r#""DowntimeRemainingSeconds":-90"#), "{json}");
    assert!(json.contains(r#""StructureAnalysis":["NoLoggingReplicasStructureWarning"]"#), "{json}");
    insta::assert_snapshot!("analysis", json);
    let calm = Finding { structure: Vec::new(), downtime_end: None, ..finding() };
    let json = text(&ReplicationAnalysis::new(&calm, &cluster(), ("n", "t"), TimeForm::Sqlite, at(0)));
    assert!(json.contains(r#""StructureAnalysis":null"#), "{json}");
    assert!(json.contains(r#""DowntimeEndTimestamp":"","DowntimeRemainingSeconds":0"#), "{json}");
}

fn recovery() -> Recovery {
    Recovery {
        id: 7,
        uid: "1:ff".to_owned(),
        finding: finding(),
        kind: RecoveryKind::Takeover,
        cluster: "db1.example:3306".to_owned(),
        cluster_alias: "orders".to_owned(),
        actor: "dba".to_owned(),
        state: RecoveryState::Succeeded,
        successor: Some(key("db2.example")),
        successor_alias: "b".to_owned(),
        lost_replicas: Vec::new(),
        participants: vec![key("db3"), key("db2.example")],
        errors: Vec::new(),
        considered: Vec::new(),
        steps: Vec::new(),
        story: Vec::new(),
        hooks: vec![],
        command: String::new(),
        aftermath: None,
        started: at(0),
        ended: Some(at(1)),
        node: "node1".to_owned(),
        node_token: "token".to_owned(),
        acknowledged: None,
        detection_id: 3,
    }
}

#[rstest]
#[case(0, "2030-01-02T03:04:05Z")]
#[case(100_000_000, "2030-01-02T03:04:05.1Z")]
#[case(123_456_789, "2030-01-02T03:04:05.123456789Z")]
#[case(1_000, "2030-01-02T03:04:05.000001Z")]
fn a_fraction_of_a_second_ends_where_it_ends(#[case] nanos: u32, #[case] expected: &str) {
    let moment = DateTime::from_timestamp(at(0).timestamp(), nanos).expect("in range");
    assert_eq!(super::metrics::time(moment), expected);
}

#[rstest]
#[case::of_no_source(RecoveryKind::IntermediateSource, [true, false, false, false], "NotMasterRecovery")]
#[case::by_gtid(RecoveryKind::Source, [true, false, false, true], "MasterRecoveryGTID")]
#[case::by_gtid_of_mariadb(RecoveryKind::Source, [false, true, false, false], "MasterRecoveryGTID")]
#[case::below_a_binlog_server(RecoveryKind::Source, [false, false, true, true], "MasterRecoveryBinlogServer")]
#[case::by_pseudo_gtid(RecoveryKind::CoSource, [false, false, false, true], "MasterRecoveryPseudoGTID")]
#[case::by_position(RecoveryKind::Takeover, [false; 4], "MasterRecoveryPseudoGTID")]
fn a_recovery_tells_how_replicas_found_their_place(
    #[case] kind: RecoveryKind,
    #[case] ways: [bool; 4],
    #[case] expected: &str,
) {
    let [mysql, mariadb, binlog_server, pseudo] = ways;
    let mut recovery = Recovery { kind, ..recovery() };
    let facts = &mut recovery.finding.facts;
    (facts.mysql_gtid_topology, facts.mariadb_gtid_topology) = (mysql, mariadb);
    (facts.binlog_server_topology, facts.pseudo_gtid_topology) = (binlog_server, pseudo);
    let live = text(&TopologyRecovery::live(&recovery, &cluster(), "", None, TimeForm::Sqlite, at(0)));
    assert!(live.ends_with(&format!(r#""RecoveryType":"{expected}"}}"#)), "{live}");
}

fn recovery_row() -> RecoveryRow {
    RecoveryRow {
        id: 7,
        uid: "1:ff".to_owned(),
        key: key("db1.example"),
        analysis: "DeadMaster".to_owned(),
        cluster: "db1.example:3306".to_owned(),
        cluster_alias: "orders".to_owned(),
        count_replicas: 1,
        replicas: vec![key("db2.example")],
        is_active: true,
        started: at(0),
        ended: None,
        is_successful: false,
        successor: InstanceKey::default(),
        successor_alias: String::new(),
        lost_replicas: Vec::new(),
        participants: Vec::new(),
        errors: String::new(),
        node: NodeIdentity { hostname: "node1".to_owned(), token: "token".to_owned() },
        acknowledged: Some(Acknowledgement { at: at(5), by: "dba".to_owned(), comment: "seen".to_owned() }),
        detection_id: 3,
    }
}

#[test]
fn a_recovery_has_23_fields_however_it_comes_about() {
    let position = Some(BinlogCoordinates::binary("binlog.000003", 157));
    let live =
        TopologyRecovery::live(&recovery(), &cluster(), "graceful-master-takeover", position, TimeForm::Sqlite, at(0));
    let live = text(&live);
    assert_eq!(words(RECOVERY).len(), 23);
    assert_eq!(names(&live), words(RECOVERY));
    assert!(live.contains(r#""Type":"MasterRecovery","RecoveryType":"MasterRecoveryGTID"}"#), "{live}");
    assert!(live.contains(r#""CommandHint":"graceful-master-takeover""#), "{live}");
    assert!(live.contains(r#""AllErrors":[]"#), "{live}");
    insta::assert_snapshot!("recovery_live", live);

    let stored = text(&TopologyRecovery::stored(recovery_row(), &cluster(), TimeForm::Sqlite));
    assert_eq!(names(&stored), words(RECOVERY));
    assert!(stored.contains(r#""SuccessorKey":{"Hostname":"","Port":0}"#), "never null when read back: {stored}");
    assert!(stored.contains(r#""AllErrors":[""]"#), "{stored}");
    insta::assert_snapshot!("recovery_stored", stored);

    let row = recovery_row();
    let detection = DetectionRow {
        id: 9,
        key: row.key,
        analysis: row.analysis,
        cluster: row.cluster,
        cluster_alias: row.cluster_alias,
        count_replicas: 1,
        replicas: row.replicas,
        is_actionable: true,
        is_active: true,
        started: at(0),
        node: row.node,
        related_recovery_id: 7,
    };
    let detection = text(&TopologyRecovery::detection(detection, &cluster(), TimeForm::Sqlite));
    assert_eq!(names(&detection), words(RECOVERY));
    assert!(detection.contains(r#""AllErrors":null"#), "{detection}");
    assert!(detection.contains(r#""StartActivePeriod":"2030-01-02T03:04:05Z""#), "{detection}");
    insta::assert_snapshot!("detection", detection);
}

#[test]
fn small_records_to_the_byte() {
    let form = TimeForm::Sqlite;
    let maintenance = app::topology::Maintenance {
        id: 4,
        owner: "dba".to_owned(),
        reason: "move".to_owned(),
        begin: at(-30),
        end: at(570),
    };
    let candidate = Candidate { rule: PromotionRule::PreferNot, last_suggested: at(0) };
    let row = app::api::AuditRow {
        id: 1,
        at: at(0),
        kind: "relocate-below".to_owned(),
        server: key("db1"),
        cluster: "c".to_owned(),
        actor: "dba".to_owned(),
        message: "relocated".to_owned(),
        ..app::api::AuditRow::default()
    };
    let node = ElectedNode {
        hostname: "orc1".to_owned(),
        token: "9a".to_owned(),
        first_seen: Some(at(0)),
        last_seen: Some(at(1)),
    };
    let available = NodeHealth::available(&node, "3.2.6".to_owned(), "/data/orc.db".to_owned(), TimeForm::Mysql);
    let health = HealthStatus::single(&node, true, NodeHealth::active(&node, form), vec![available], false);
    let lines = [
        text(&ClusterInfo::default()),
        text(&Maintenance::new(&key("db1"), &maintenance, form, at(0))),
        text(&Audit::new(row, form)),
        text(&RecoveryStep::new(2, "1:ff", at(0), "detected", form)),
        text(&Blocked::new(key("db1"), "c".to_owned(), "DeadMaster".to_owned(), at(0), 6, form)),
        text(&CandidateInstance::new(&key("db1"), &candidate, TimeDelta::minutes(60), form)),
        text(&Changelog::new(key("db1"), [(at(0), "DeadMaster"), (at(9), "NoProblem")], form)),
        text(&health),
    ];
    insta::assert_snapshot!("small_records", lines.join("\n"));
}

#[rstest]
#[case(0.0, "0")]
#[case(12.0, "12")]
#[case(-1.5, "-1.5")]
#[case(0.1, "0.1")]
#[case(0.000001, "0.000001")]
#[case(0.000000123, "1.23e-7")]
#[case(1e20, "100000000000000000000")]
#[case(1e21, "1e+21")]
#[case(9_000_000_000.0, "9000000000")]
fn numbers_with_a_fraction_are_written_as_go_writes_them(#[case] value: f64, #[case] expected: &str) {
    assert_eq!(encode(&value), expected.as_bytes());
}
