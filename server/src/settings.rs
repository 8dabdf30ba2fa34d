//! From configuration keys to the settings of each decision: the one place that knows both.

use std::path::PathBuf;
use std::time::Duration;

use app::rules::RuleSettings;
use app::topology::StatusThresholds;
use engine::analysis::AnalysisSettings;
use engine::attribution::AttributionRules;
use engine::candidate::ChoiceSettings;
use engine::plan::PlanSettings;
use engine::plan::Timeouts;
use engine::recovery::RecoverySettings;

use crate::config::{BackendKind, Config};
use crate::store::{BackendSettings, BackendTls, BackendTlsMode, Deployment, MySqlSettings};

/// Version under which the schema is registered in the backend: the line we are a drop-in for, so that a binary of
/// the original finds its own schema deployed.
pub const COMPATIBLE_VERSION: &str = "3.2.6";

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
        ..AnalysisSettings::default()
    }
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
        ..PlanSettings::default()
    }
}

/// Settings of recoveries, forced ones and designated servers aside.
pub fn recovery(config: &Config) -> RecoverySettings {
    let lag_minutes = config.recovery.fail_promotion_on_lag_minutes;
    RecoverySettings {
        choice: ChoiceSettings {
            ignore_hosts: config.candidates.promotion_ignore_hostname_filters.texts().to_vec(),
            prevent_cross_data_center: config.recovery.prevent_cross_data_center_failover,
            prevent_cross_region: config.recovery.prevent_cross_region_failover,
            fail_on_lag_seconds: lag_minutes.saturating_mul(60),
            fail_if_applier_behind: config.recovery.fail_promotion_if_applier_behind,
            lower_version_allowed: config.discovery.lower_replica_version_allowed,
            verify_filters: config.discovery.verify_replication_filters,
            maintenance_lag_seconds: u64::try_from(config.candidates.reasonable_maintenance_lag_seconds)
                .unwrap_or_default(),
            accept_data_loss: false,
        },
        timeouts: Timeouts { drain_ms: millis(config.discovery.bulk_wait_timeout()), ..Timeouts::default() },
        detach_lost: config.recovery.detach_lost_replicas,
        ..RecoverySettings::default()
    }
}

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
    })
}

/// How the schema is deployed.
pub fn deployment(config: &Config) -> Deployment {
    Deployment {
        version: COMPATIBLE_VERSION.to_owned(),
        skip_update: config.backend.skip_orchestrator_database_update,
        refuse_different: config.backend.panic_if_different_database_deploy,
    }
}

/// Stands for "no limit" where a limit must be given.
const NO_LIMIT: Duration = Duration::from_secs(24 * 3600);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
