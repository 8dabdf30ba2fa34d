//! The places of the contract's types, as `crate::api` and what it is made of have them.

use super::{object, words};
use crate::access::{MadeToken, Me, SessionRow, TokenRow, UserRow};
use crate::api::{
    ClusterSettings, ClusterSummary, ClusterView, ErrorBody, NodeStatus, OperationView, Role, ServerView, TaskStatus,
};
use crate::coordinates::LogType;
use crate::finding::{AnalysisCode, Evidence, Facts, Finding, ReceiverSeen, Severity, StructureWarning, Testimony};
use crate::readiness::{Forecast, HeldBack, Loss, Obstacle, PastEvent, PastKind, Protection, SourcePlace, Verdict};
use crate::recovery::{Acknowledgement, Considered, HookList, Recovery, RecoveryKind, StepRecord, StoryLine};
use crate::topology::{
    Capabilities, Check, Downtime, GroupMembership, Instance, PromotionRule, Replication, ReplicationTls, SemiSync,
    ThreadState,
};
use crate::ui::model::audit::Row;
use crate::ui::model::readiness::Shown;
use crate::{BinlogCoordinates, InstanceKey};

words! {
    Role: Role::Viewer;
    Severity: Severity::Ok;
    Testimony: Testimony::Nothing;
    ThreadState: ThreadState::NoThread;
    PromotionRule: PromotionRule::Neutral;
    AnalysisCode: AnalysisCode::NoProblem;
    StructureWarning: StructureWarning::NoLoggingReplicas;
    RecoveryKind: RecoveryKind::Source;
    HookList: HookList::OnFailureDetection;
    SourcePlace: SourcePlace::Primary;
    Verdict: Verdict::Unsupported;
    Protection: Protection::Unknown;
    PastKind: PastKind::Detection;
}

impl super::Fill for LogType {
    fn place(&mut self) -> &mut dyn super::Fill {
        self
    }

    fn number(&mut self, value: i128) -> bool {
        u8::try_from(value).map(|number| *self = Self::from(number)).is_ok()
    }
}

impl super::Blank for LogType {
    fn blank() -> Self {
        Self::default()
    }
}

// Servers

object!(InstanceKey { hostname "Hostname", port "Port" });
object!(BinlogCoordinates { file "LogFile", position "LogPos", kind "Type" });
object!(Downtime { owner, reason, begin, end });
object!(SemiSync {
    available,
    priority,
    source_new_names,
    replica_new_names,
    source_enabled,
    replica_enabled,
    source_timeout_ms,
    source_wait_for,
    source_active,
    source_clients,
    replica_active,
});
object!(GroupMembership { name, single_primary, state, role, members, primary });
object!(Check { last_checked, last_attempted, last_seen, partial_success, latency_ns, error } without { unanswered_since });
object!(Capabilities {
    known,
    replica_terms,
    binary_log_status,
    reset_binary_logs,
    super_read_only,
    channels,
    named_connections,
    semi_sync_source_names,
    semi_sync_replica_names,
    performance_schema,
    mysql_gtid,
    mariadb_gtid,
});
object!(ReplicationTls {
    allowed,
    ca_file,
    ca_path,
    cert,
    cipher,
    crl_file,
    crl_path,
    key,
    verify_server_cert,
    version,
    ciphersuites,
    public_key_path,
    get_public_key,
});
object!(Replication {
    channel, source, source_uuid, source_server_id, user, has_credentials, credentials_available, receiver, applier,
    receiver_status, receiver_errno, receiver_error, applier_errno, applier_error, read, exec, relay, retrieved_gtid,
    auto_position, mariadb_using_gtid, has_filters, seconds_behind, delay, connect_retry, retry_count,
    heartbeat_period_ms, heartbeat_age_ms, tls,
} without { heartbeats, unchanged_since });
object!(Instance {
    key,
    alias,
    uptime,
    server_id,
    server_uuid,
    version,
    version_comment,
    read_only,
    super_read_only,
    binlog_format,
    binlog_row_image,
    log_bin,
    log_replica_updates,
    binlog,
    gtid_mode,
    executed_gtid,
    purged_gtid,
    errant_gtid,
    gtid_domain_id,
    replication,
    channels,
    lag,
    replicas,
    uses_pseudo_gtid,
    cluster_name,
    suggested_cluster_alias,
    data_center,
    region,
    environment,
    depth,
    is_co_source,
    ancestry,
    semi_sync,
    group,
    capabilities,
    check,
});
object!(ServerView { instance, status, problems, promotion_rule, downtime, tags, flavor });

// Clusters

object!(ClusterSummary {
    name,
    alias,
    domain,
    servers,
    problems,
    primary,
    downtimed,
    severity,
    finding,
    recovering,
    auto_source_recovery,
    auto_intermediate_recovery,
    max_lag,
    data_centers,
    versions,
    tags,
});
object!(ClusterSettings {
    instance_poll_seconds,
    reasonable_lag_seconds,
    lower_replica_version_allowed,
    verify_replication_filters,
});
object!(ClusterView { summary, servers, findings, held, recoveries, at, settings });

// What is found

object!(Facts {
    is_source,
    is_group_member,
    is_co_source,
    last_check_valid,
    last_check_partial,
    replicas,
    valid_replicas,
    valid_replicating,
    valid_receiving,
    failing_to_connect,
    lagging,
    delayed,
    downtimed,
    fails_to_connect,
    mysql_gtid_topology,
    mariadb_gtid_topology,
    binlog_server_topology,
    pseudo_gtid_topology,
    is_binlog_server,
    semi_sync_enabled,
    semi_sync_active,
    semi_sync_wait_for,
    semi_sync_clients,
    semi_sync_replicas,
    logging_replicas,
    statement_logging,
    mixed_logging,
    row_logging,
    distinct_major_versions,
    gtid_mode,
    min_replica_gtid_mode,
    max_replica_gtid_mode,
    max_replica_errant,
    read_only,
    depth,
    binlog,
    data_center,
    region,
    environment,
});
object!(ReceiverSeen { state, errno, heartbeat_age_ms });
object!(Evidence { about, told_by, what, at } or { says, receiver });
object!(Finding {
    key,
    source,
    cluster,
    cluster_alias,
    cluster_domain,
    code,
    description,
    structure,
    severity,
    actionable,
    downtime_end,
    replicas_downtimed,
    facts,
    evidence,
});

// Readiness

object!(Obstacle { rule, reason } or { setting, recovery, until });
object!(HeldBack { key, since, held });
object!(Loss { protection, at_risk, transactions, on_the_way, pending, told });
object!(Forecast { server, place, dead, code, verdict, summary, successor, obstacles, considered, loss, evidence });
object!(PastEvent { at, kind, server, what, recovery });
object!(Shown { at, forecasts, events } or { events_missing });

// Recoveries

object!(Considered { key, chosen, reason } or { rule });
object!(StoryLine { at, message });
object!(Acknowledgement { at, by, comment });
object!(StepRecord { step, state, started, ended });
object!(Recovery {
    id, uid, finding, kind, cluster, cluster_alias, actor, state, successor, successor_alias, lost_replicas,
    participants, errors, considered, steps, story, started, ended, node, node_token, acknowledged, detection_id,
} or { command } without { hooks, aftermath });

// The service

object!(TaskStatus { name, state, last_error, last_run });
object!(NodeStatus {
    version,
    hostname,
    token,
    started,
    is_leader,
    backend,
    backend_error,
    backend_down_since,
    pending_writes,
    recoveries_enabled,
    recovery_block_seconds,
    web_message,
    cut_from_names,
    servers,
    clusters,
    tasks,
});
object!(ErrorBody { code, message } or { refusal, plan });
object!(OperationView { id, plan, steps, actor, started, ended, error } or { outcomes, progress });
object!(Row { id, at, kind, server, cluster, actor, message } or { method, address, outcome, duration_ms, reason });

// Access

object!(Me { user, method, role, clusters, read_only_because, has_logins, needs_setup, csrf_token, session_ends });
object!(SessionRow { id, user, address, agent, created, last_seen, ends, is_current });
object!(TokenRow { id, name, owner, role, clusters, created, ends, last_used, last_used_from, dead_because });
object!(MadeToken { secret, token });
object!(UserRow { name, role, clusters, created, password_set, sessions, tokens });

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;

    use super::super::{Blank, Shape, read};
    use super::*;
    use crate::plan::ServerOutcome;

    /// What serde writes of a type has the very places that are read, and reads back as it was.
    fn check<T: Blank + Serialize + PartialEq + Debug>(unread: &[&str]) {
        let blank = T::blank();
        let Shape::Object(names, needed) = blank.shape() else { panic!("no object: {blank:?}") };
        let written = serde_json::to_value(&blank).expect("json");
        let written = written.as_object().expect("an object");
        for name in written.keys() {
            assert!(names.contains(&name.as_str()) != unread.contains(&name.as_str()), "{name} of {blank:?}");
        }
        for name in &names[..needed] {
            assert!(written.contains_key(*name), "{name} is not always written: {blank:?}");
        }
        let text = serde_json::to_string(&blank).expect("json");
        assert_eq!(read::<T>(&text).expect("what was written"), blank);
    }

    #[test]
    fn what_the_service_writes_is_what_the_page_reads() {
        check::<InstanceKey>(&[]);
        check::<BinlogCoordinates>(&[]);
        check::<Downtime>(&[]);
        check::<SemiSync>(&[]);
        check::<GroupMembership>(&[]);
        check::<Check>(&[]);
        check::<Capabilities>(&[]);
        check::<ReplicationTls>(&[]);
        check::<Replication>(&[]);
        check::<Instance>(&[]);
        check::<ServerView>(&[]);
        check::<ClusterSummary>(&[]);
        check::<ClusterSettings>(&[]);
        check::<ClusterView>(&[]);
        check::<Facts>(&[]);
        check::<ReceiverSeen>(&[]);
        check::<Evidence>(&[]);
        check::<Finding>(&[]);
        check::<Obstacle>(&[]);
        check::<HeldBack>(&[]);
        check::<Loss>(&[]);
        check::<Forecast>(&[]);
        check::<PastEvent>(&[]);
        check::<Considered>(&[]);
        check::<StoryLine>(&[]);
        check::<Acknowledgement>(&[]);
        check::<StepRecord>(&[]);
        check::<Recovery>(&["hooks", "aftermath"]);
        check::<TaskStatus>(&[]);
        check::<NodeStatus>(&[]);
        check::<ErrorBody>(&[]);
        check::<OperationView>(&[]);
        check::<ServerOutcome>(&[]);
        check::<Me>(&[]);
        check::<SessionRow>(&[]);
        check::<TokenRow>(&[]);
        check::<MadeToken>(&[]);
        check::<UserRow>(&[]);
    }

    #[test]
    fn a_server_is_read_as_it_was_written() {
        let mut server = Instance { key: InstanceKey::new("db1", 3306), lag: Some(-1), ..Instance::default() };
        server.binlog = BinlogCoordinates::relay("relay.000001", 4);
        server.replication.receiver = ThreadState::Other;
        server.replication.tls.verify_server_cert = Some(false);
        server.channels = vec![server.replication.clone(), Replication::default()];
        server.check.last_seen = chrono::DateTime::from_timestamp_nanos(1_795_284_000_123_456_789).into();
        server.group.members = vec![InstanceKey::new("::1", 1)];
        let text = serde_json::to_string(&server).expect("json");
        assert_eq!(read::<Instance>(&text).expect("a server"), server);
    }

    #[test]
    fn every_word_of_the_contract_is_known() {
        for code in AnalysisCode::ALL {
            let text = serde_json::to_string(code).expect("json");
            assert_eq!(read::<AnalysisCode>(&text).expect("a code"), *code);
        }
        for warning in StructureWarning::ALL {
            let text = serde_json::to_string(warning).expect("json");
            assert_eq!(read::<StructureWarning>(&text).expect("a warning"), *warning);
        }
        assert_eq!(read::<Role>("\"operator\"").expect("a role"), Role::Operator);
        assert!(read::<Role>("\"root\"").is_err());
    }
}
