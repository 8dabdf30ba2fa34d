//! From configuration keys to the settings of each decision: the one place that knows both.

use std::path::PathBuf;
use std::time::Duration;

use app::InstanceKey;
use app::rules::RuleSettings;
use app::topology::StatusThresholds;
use chrono::{DateTime, TimeDelta, Utc};
use engine::analysis::AnalysisSettings;
use engine::attribution::AttributionRules;
use engine::candidate::ChoiceSettings;
use engine::interpret::{Filters, NameMethod, Names};
use engine::plan::PlanSettings;
use engine::plan::Timeouts;
use engine::policy::{Budget, Policy};
use engine::pseudo_gtid::{self, Pattern, PatternError};
use engine::recovery::RecoverySettings;

use crate::config::{BackendKind, Config, HostnameResolveMethod};
use crate::discovery::{DiscoverySettings, Pace, ResolveMethod, ResolveSettings};
use crate::mysql::{ConnectSettings, ProbeSettings, TlsMode, TlsSettings, UserQueries};
use crate::store::{BackendSettings, BackendTls, BackendTlsMode, Deployment, MySqlSettings};

/// Text under which this program registers the schema in the backend (`spec/schema.md` 3). It is our own: a binary of the
/// original that is started on the same database finds its own text, or brings its own part of the schema up to date.
pub const DEPLOYED_VERSION: &str = concat!(env!("CARGO_PKG_NAME"), "-", env!("CARGO_PKG_VERSION"));

/// Thresholds of status texts and problems.
pub fn thresholds(config: &Config) -> StatusThresholds {
    StatusThresholds {
        instance_poll_seconds: config.discovery.poll_interval().as_secs(),
        reasonable_instance_check_seconds: config.discovery.reasonable_instance_check_seconds,
        reasonable_replication_lag_seconds: config.candidates.reasonable_lag_seconds,
        reasonable_maintenance_replication_lag_seconds: config.candidates.reasonable_maintenance_lag_seconds,
    }
}

/// What may replicate from what.
pub fn rules(config: &Config) -> RuleSettings {
    RuleSettings {
        lower_replica_version_allowed: config.discovery.lower_replica_version_allowed,
        verify_replication_filters: config.discovery.verify_replication_filters,
        thresholds: thresholds(config),
    }
}

/// Settings of analysis.
pub fn analysis(config: &Config) -> AnalysisSettings {
    AnalysisSettings {
        thresholds: thresholds(config),
        ignore_hostnames: config.detection.ignore_hostname_filters.expressions().to_vec(),
        reduce: config.detection.reduce_analysis_count,
        include_downtimed: true,
        recover_non_writeable_source: config.recovery.recover_non_writeable_primary,
        enforce_exact_semi_sync_replicas: config.semi_sync.enforce_exact_replicas,
        locked_semi_sync_seconds: match config.semi_sync.reasonable_locked_source_seconds {
            0 => u64::try_from(config.candidates.reasonable_lag_seconds).unwrap_or_default(),
            given => given,
        },
        ..AnalysisSettings::default()
    }
}

/// When and how long recoveries are held back, on a node that started and became the leader then.
pub fn policy(config: &Config, started: DateTime<Utc>, leading_since: Option<DateTime<Utc>>) -> Policy {
    let own = &config.extensions;
    let hold_off = match own.recovery_hold_off_seconds {
        // The original acts from the third poll on: before that the picture is that of the last process.
        0 => delta(config.discovery.poll_interval().saturating_mul(3)),
        given => span(given),
    };
    let after = |moment: DateTime<Utc>| moment.checked_add_signed(hold_off).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let budget = |count: u64| Budget {
        count: usize::try_from(count).unwrap_or(usize::MAX),
        within: span(own.recovery_budget_seconds),
    };
    Policy {
        block_period: delta(config.recovery.block_period()),
        grace: span(own.recovery_grace_seconds),
        hold_off_until: after(started),
        leader_hold_off_until: leading_since.filter(|since| *since > started).map_or(started, after),
        budget: budget(own.recovery_budget_count),
        data_center_budget: budget(own.recovery_budget_per_data_center_count),
        storm_clusters: usize::try_from(own.recovery_storm_clusters).unwrap_or(usize::MAX),
    }
}

/// The grace time of a cluster that has one of its own.
pub fn grace(config: &Config, cluster: &str, alias: &str) -> Option<TimeDelta> {
    config.extensions.recovery_grace_by_cluster.of(cluster, alias).map(span)
}

/// So many seconds; without end where there is no such span.
fn span(seconds: u64) -> TimeDelta {
    i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX)
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// Rules by which clusters get their names.
pub fn attribution(config: &Config) -> AttributionRules {
    AttributionRules { cluster_name_to_alias: config.classification.cluster_name_to_alias.pairs() }
}

/// Settings of plans.
pub fn plan(config: &Config) -> PlanSettings {
    PlanSettings {
        rules: rules(config),
        max_concurrent: config.discovery.concurrent_replica_operations(),
        use_super_read_only: config.discovery.use_super_read_only,
        // Regrouping loses nothing, so it does not matter what a cluster accepts.
        choice: recovery(config, "", "").choice,
        timeouts: Timeouts { match_ms: match_ms(config), ..Timeouts::default() },
        pseudo_gtid: !config.pseudo_gtid.pattern.is_empty(),
        virtual_names: true,
    }
}

fn match_ms(config: &Config) -> u64 {
    config.extensions.pseudo_gtid_match_seconds.max(1).saturating_mul(1_000)
}

/// How entries are told and logs compared.
///
/// # Errors
/// [`PatternError`] when no pattern is configured, or none that can be read.
pub fn pseudo_gtid(config: &Config) -> Result<pseudo_gtid::Settings, PatternError> {
    let own = &config.pseudo_gtid;
    Ok(pseudo_gtid::Settings {
        pattern: Pattern::new(&own.pattern, own.pattern_is_fixed_substring)?,
        monotonic_hint: own.monotonic_hint.clone(),
        chunk: events_at_a_time(config),
        skip_containing: own.skip_binlog_events_containing.clone(),
    })
}

/// So many events of a log are asked for at a time (`BinlogEventsChunkSize`).
pub fn events_at_a_time(config: &Config) -> u32 {
    u32::try_from(config.pseudo_gtid.binlog_events_chunk_size.clamp(2, 1_000_000)).unwrap_or(10_000)
}

/// Settings of recoveries of a cluster, forced ones and designated servers aside.
pub fn recovery(config: &Config, cluster: &str, alias: &str) -> RecoverySettings {
    let lag_minutes = config.recovery.fail_promotion_on_lag_minutes;
    let own = &config.extensions;
    let loss = own.accept_data_loss_by_cluster.of(cluster, alias).unwrap_or(own.accept_data_loss);
    let maintenance_lag = u64::try_from(config.candidates.reasonable_maintenance_lag_seconds).unwrap_or_default();
    RecoverySettings {
        choice: ChoiceSettings {
            ignore_hosts: config.candidates.promotion_ignore_hostname_filters.texts().to_vec(),
            prevent_cross_data_center: config.recovery.prevent_cross_data_center_failover,
            prevent_cross_region: config.recovery.prevent_cross_region_failover,
            fail_on_lag_seconds: lag_minutes.saturating_mul(60),
            fail_if_applier_behind: config.recovery.fail_promotion_if_applier_behind,
            lower_version_allowed: config.discovery.lower_replica_version_allowed,
            verify_filters: config.discovery.verify_replication_filters,
            maintenance_lag_seconds: maintenance_lag,
            loss: loss.policy(),
            accept_loss_of: String::new(),
        },
        timeouts: Timeouts {
            match_ms: match_ms(config),
            drain_ms: millis(config.discovery.bulk_wait_timeout()),
            catch_up_ms: maintenance_lag.max(1).saturating_mul(1_000),
            session_wait_ms: own.takeover_session_wait_seconds.saturating_mul(1_000).max(MIN_SESSION_WAIT_MS),
            ..Timeouts::default()
        },
        detach_lost: config.recovery.detach_lost_replicas,
        apply_promotion: config.recovery.apply_promotion_after_failover,
        detach_promoted: config.recovery.detach_promoted_from_old_source,
        postpone_delay_seconds: config.recovery.postpone_replica_recovery_on_lag_minutes.saturating_mul(60),
        must_promote_other: config.recovery.must_promote_other_co_source,
        keep_ring: own.keep_co_source_ring,
        exact_semi_sync: config.semi_sync.enforce_exact_replicas,
        sessions: own.takeover_session_policy.policy(),
        ..RecoverySettings::default()
    }
}

/// A server needs this long to become read-only even when nothing holds it up.
const MIN_SESSION_WAIT_MS: u64 = 250;

/// Where the backend database is.
pub fn backend(config: &Config) -> BackendSettings {
    let backend = &config.backend;
    if backend.kind() == BackendKind::Sqlite {
        return BackendSettings::Sqlite { path: PathBuf::from(&backend.sqlite_data_file) };
    }
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let verify = !backend.ssl_skip_verify;
    let tls = BackendTls {
        mode: match (backend.use_tls, verify) {
            (false, _) => BackendTlsMode::Preferred,
            (true, false) => BackendTlsMode::Required,
            (true, true) => BackendTlsMode::Verified,
        },
        ca: path(&backend.ssl_ca_file),
        cert: path(&backend.ssl_cert_file).filter(|_| verify),
        key: path(&backend.ssl_private_key_file).filter(|_| verify),
    };
    BackendSettings::MySql(MySqlSettings {
        host: backend.host.clone(),
        port: backend.port_number(),
        user: backend.user.clone(),
        password: backend.password.reveal().to_owned(),
        database: backend.database.clone(),
        tls,
        max_connections: u32::try_from(backend.max_pool_connections).ok().filter(|n| *n > 0).unwrap_or(128),
        connect_timeout: backend.connect_timeout().unwrap_or(NO_LIMIT),
        read_timeout: backend.read_timeout().unwrap_or(NO_LIMIT),
        drop_read_only: backend.reject_read_only,
    })
}

/// How watched servers are connected to.
pub fn connect(config: &Config) -> ConnectSettings {
    let topology = &config.topology;
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let tls = TlsSettings {
        mode: match (topology.use_tls, topology.use_mixed_tls) {
            (true, _) => TlsMode::Always,
            (false, true) => TlsMode::Mixed,
            (false, false) => TlsMode::Never,
        },
        skip_verify: topology.ssl_skip_verify,
        ca_file: path(&topology.ssl_ca_file),
        identity: path(&topology.ssl_cert_file).zip(path(&topology.ssl_private_key_file)),
        demand_kept: tls_demand_kept(config),
    };
    ConnectSettings {
        user: topology.user.clone(),
        password: topology.password.reveal().to_owned(),
        connect_timeout: config.backend.connect_timeout().unwrap_or(NO_LIMIT),
        probe_timeout: topology.probe_read_timeout().unwrap_or(NO_LIMIT),
        statement_timeout: topology.read_timeout().unwrap_or(NO_LIMIT),
        lifetime: seconds(config.backend.connection_lifetime_seconds),
        max_allowed_packet: usize::try_from(topology.max_allowed_packet).ok().filter(|n| *n > 0),
        tls,
    }
}

/// The poll interval of the file times its factor; the original multiplies built-in values (`spec/config.md` 13).
fn tls_demand_kept(config: &Config) -> Duration {
    let seconds = config.discovery.poll_interval().as_secs().saturating_mul(config.topology.tls_cache_ttl_factor);
    Duration::from_secs(seconds)
}

/// What a probe reads.
pub fn probe(config: &Config) -> ProbeSettings {
    let classify = &config.classification;
    let queries = UserQueries {
        lag: classify.replication_lag_query.clone(),
        data_center: classify.detect_data_center_query.clone(),
        region: classify.detect_region_query.clone(),
        environment: classify.detect_physical_environment_query.clone(),
        alias: classify.detect_instance_alias_query.clone(),
        semi_sync_priority: classify.detect_semi_sync_enforced_query.clone(),
        cluster_alias: classify.detect_cluster_alias_query.clone(),
        cluster_domain: classify.detect_cluster_domain_query.clone(),
        promotion_rule: classify.detect_promotion_rule_query.clone(),
        // With AutoPseudoGTID a recent injection decides; without a pattern nobody could look for an entry.
        pseudo_gtid: match (config.pseudo_gtid.auto, config.pseudo_gtid.pattern.as_str()) {
            (true, _) | (_, "") => String::new(),
            (false, _) => config.pseudo_gtid.detect_query.clone(),
        },
        credentials_are_queried: !config.discovery.replication_credentials_query.trim().is_empty(),
    };
    let names = Names::new(
        NameMethod::from_setting(&config.resolve.mysql_hostname_resolve_method),
        classify.data_center_pattern.text(),
        classify.region_pattern.text(),
        classify.physical_environment_pattern.text(),
    );
    ProbeSettings {
        names,
        filters: filters(config),
        queries,
        looks_for_binlog_servers: !config.discovery.skip_maxscale_check,
        tells_of_skipped: config.discovery.log_filtered,
    }
}

/// Who is looked at, and how often.
pub fn discovery(config: &Config) -> DiscoverySettings {
    let discovery = &config.discovery;
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let concurrency = count(discovery.max_concurrency).max(1);
    let pace = Pace {
        poll: discovery.poll_interval(),
        concurrency,
        // Without a lane of their own in the file, servers that do not answer get a quarter of the room.
        silent_concurrency: match count(discovery.dead_instance_max_concurrency) {
            0 => (concurrency / 4).max(1),
            given => given,
        },
        silent_factor: discovery.dead_instance_poll_factor,
        silent_max: Duration::from_secs(discovery.dead_instance_poll_seconds_max),
    };
    let method = match config.resolve.method() {
        HostnameResolveMethod::None => ResolveMethod::None,
        HostnameResolveMethod::Default => ResolveMethod::Default,
        HostnameResolveMethod::Cname => ResolveMethod::Cname,
        HostnameResolveMethod::Ip => ResolveMethod::Ip,
    };
    let reject = regex::Regex::new(config.resolve.reject_hostname_resolve_pattern.text()).ok();
    let resolve = ResolveSettings {
        method,
        keep: config.resolve.cache_time(),
        reject: reject.filter(|pattern| !pattern.as_str().is_empty()),
    };
    let parse = |text: &String| match InstanceKey::parse(text, config.general.default_port()) {
        Ok(key) => Some(key),
        Err(error) => {
            tracing::error!(%error, "DiscoverySeeds");
            None
        }
    };
    DiscoverySettings {
        pace,
        filters: filters(config),
        tells_of_silent: discovery.dead_instance_logs,
        resolve,
        seeds: discovery.seeds.iter().filter_map(parse).collect(),
    }
}

fn filters(config: &Config) -> Filters {
    let discovery = &config.discovery;
    Filters::new(
        discovery.ignore_hostname_filters.texts(),
        discovery.ignore_replica_hostname_filters.texts(),
        discovery.ignore_source_hostname_filters.texts(),
        discovery.ignore_replication_username_filters.texts(),
    )
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or_default())
}

/// How the schema is deployed.
pub fn deployment(config: &Config) -> Deployment {
    Deployment {
        version: DEPLOYED_VERSION.to_owned(),
        skip_update: config.backend.skip_orchestrator_database_update,
        refuse_different: config.backend.panic_if_different_database_deploy,
    }
}

/// Stands for "no limit" where a limit must be given.
const NO_LIMIT: Duration = Duration::from_secs(24 * 3600);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    #[test]
    fn recoveries_are_held_off_after_start_and_after_becoming_the_leader() {
        let mut config = Config::from_json("{}").expect("the defaults");
        let alone = policy(&config, at(100), Some(at(100)));
        assert_eq!((alone.hold_off_until, alone.leader_hold_off_until), (at(115), at(100)), "three polls, once");
        let elected = policy(&config, at(100), Some(at(500)));
        assert_eq!((elected.hold_off_until, elected.leader_hold_off_until), (at(115), at(515)));
        config.extensions.recovery_hold_off_seconds = 60;
        let patient = policy(&config, at(100), Some(at(500)));
        assert_eq!((patient.hold_off_until, patient.leader_hold_off_until), (at(160), at(560)));
        config.extensions.recovery_hold_off_seconds = u64::MAX;
        assert_eq!(policy(&config, at(100), None).hold_off_until, DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn a_demand_for_tls_is_kept_for_so_many_polls_of_the_file() {
        let kept = |text: &str| connect(&Config::from_json(text).expect("valid")).tls.demand_kept;
        assert_eq!(kept("{}"), Duration::from_secs(500));
        assert_eq!(kept(r#"{"TLSCacheTTLFactor": 6, "InstancePollSeconds": 10}"#), Duration::from_secs(60));
        assert_eq!(kept(r#"{"TLSCacheTTLFactor": 0}"#), Duration::ZERO);
    }

    #[test]
    fn a_cluster_has_its_own_grace_time_and_all_share_the_budgets() {
        let text = r#"{"RecoveryGraceSeconds": 5, "RecoveryGraceSecondsByCluster": {"orders": 0, "alias~=^batch": 300},
                       "RecoveryBudgetCount": 7, "RecoveryBudgetSeconds": 60, "RecoveryStormClusters": 0}"#;
        let config = Config::from_json(text).expect("valid");
        assert_eq!(grace(&config, "db1:3306", "orders"), Some(TimeDelta::zero()));
        assert_eq!(grace(&config, "db2:3306", "batch-eu"), Some(TimeDelta::seconds(300)));
        assert_eq!(grace(&config, "db3:3306", "users"), None);
        let policy = policy(&config, at(0), None);
        assert_eq!(policy.grace, TimeDelta::seconds(5));
        assert_eq!(policy.budget, Budget { count: 7, within: TimeDelta::minutes(1) });
        assert_eq!(policy.data_center_budget, Budget { count: 10, within: TimeDelta::minutes(1) });
        assert_eq!(policy.storm_clusters, 0);
    }
}
