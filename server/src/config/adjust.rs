//! Derived values: the silent adjustments of section 9 of the configuration document.

use super::Config;
use super::error::Problem;

/// Merges the old names whose meaning depends on the order of files. Runs after each file.
///
/// # Errors
/// An old and a new name that contradict each other.
pub(super) fn merge_renamed(config: &mut Config) -> Result<(), Problem> {
    let old = std::mem::take(&mut config.obsolete.replica_lag_query);
    let new = &mut config.classification.replication_lag_query;
    if !old.is_empty() {
        if !new.is_empty() && *new != old {
            return Err(contradiction("ReplicationLagQuery", "SlaveLagQuery"));
        }
        *new = old;
    }

    let old = config.obsolete.postpone_replica_recovery_on_lag_minutes;
    let new = &mut config.recovery.postpone_replica_recovery_on_lag_minutes;
    if old != 0 {
        if *new != 0 && *new != old {
            return Err(contradiction("PostponeReplicaRecoveryOnLagMinutes", "PostponeSlaveRecoveryOnLagMinutes"));
        }
        *new = old;
    }
    Ok(())
}

fn contradiction(new: &'static str, old: &'static str) -> Problem {
    Problem {
        keys: vec![new, old],
        message: format!(
            "{new} and {old} are the new and the old name of the same variable and are set to different values"
        ),
    }
}

/// Fills in what follows from other values. Runs once, after all files; running it again changes nothing.
pub(super) fn derive(config: &mut Config) {
    if config.recovery.period_block_seconds == 0 {
        let minutes = config.obsolete.recovery_period_block_minutes;
        config.recovery.period_block_seconds = minutes.saturating_mul(60);
    }
    // Both old names win when true. The first is true by default, so that it alone can switch the feature off.
    config.recovery.detach_lost_replicas |= config.obsolete.detach_lost_replicas;
    config.recovery.detach_promoted_from_old_source |= config.obsolete.detach_promoted_from_old_source;

    let general = &mut config.general;
    general.url_prefix = normal_url_prefix(&general.url_prefix);
    let prefix = config.kv.cluster_primary_prefix.trim_end_matches('/');
    config.kv.cluster_primary_prefix = format!("{prefix}/");
    config.kv.consul_max_kvs_per_transaction = config.kv.consul_max_kvs_per_transaction.clamp(5, 64);

    if config.raft.advertise.is_empty() {
        config.raft.advertise.clone_from(&config.raft.bind);
    }
    if config.pseudo_gtid.auto {
        let pseudo_gtid = &mut config.pseudo_gtid;
        "drop view if exists `_pseudo_gtid_`".clone_into(&mut pseudo_gtid.pattern);
        pseudo_gtid.pattern_is_fixed_substring = true;
        "asc:".clone_into(&mut pseudo_gtid.monotonic_hint);
        "select 1".clone_into(&mut pseudo_gtid.detect_query);
    }
    if config.semi_sync.reasonable_locked_source_seconds == 0 {
        let lag = config.candidates.reasonable_lag_seconds;
        config.semi_sync.reasonable_locked_source_seconds = u64::try_from(lag).unwrap_or(0);
    }
}

/// One leading slash and no trailing one; nothing stays nothing.
fn normal_url_prefix(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "")]
    #[case("/", "")]
    #[case("//a/b/", "/a/b")]
    #[case("a", "/a")]
    fn url_prefixes(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(normal_url_prefix(given), expected);
    }

    #[test]
    fn deriving_twice_changes_nothing() {
        let mut once = Config::default();
        once.kv.cluster_primary_prefix = "a//".to_owned();
        once.pseudo_gtid.auto = true;
        derive(&mut once);
        let mut twice = once.clone();
        derive(&mut twice);
        assert_eq!(once, twice);
        assert_eq!(once.kv.cluster_primary_prefix, "a/");
    }
}
