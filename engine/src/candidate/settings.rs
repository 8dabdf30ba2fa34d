//! What users configured about who may be promoted and who may replicate from whom.

use app::InstanceKey;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Settings of candidate choice (`spec/recovery.md` 0.3, 3.5, 3.7.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChoiceSettings {
    /// `PromotionIgnoreHostnameFilters`: never promote a match. An IP address must equal the host; anything else is a regular
    /// expression on `host:port`. An expression that cannot be read matches nothing (configuration checks it at start).
    pub ignore_hosts: Vec<String>,
    /// `PreventCrossDataCenterMasterFailover`.
    pub prevent_cross_data_center: bool,
    /// `PreventCrossRegionMasterFailover`.
    pub prevent_cross_region: bool,
    /// `FailMasterPromotionOnLagMinutes` in seconds; 0 is off.
    pub fail_on_lag_seconds: u64,
    /// `FailMasterPromotionIfSQLThreadNotUpToDate`: a server with relay log to apply is not waited for.
    pub fail_if_applier_behind: bool,
    /// `LowerReplicaVersionAllowed`.
    pub lower_version_allowed: bool,
    /// `VerifyReplicationFilters`.
    pub verify_filters: bool,
    /// `ReasonableMaintenanceReplicationLagSeconds`.
    pub maintenance_lag_seconds: u64,
    /// `AcceptDataLoss` of the cluster: promote although writes are known that no reachable server holds.
    pub loss: LossPolicy,
    /// Transactions whose loss a person accepted by name; empty when none.
    pub accept_loss_of: String,
}

/// Whether a promotion may lose writes that are known to exist and that no reachable server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(tag = "loss", rename_all = "snake_case")]
pub enum LossPolicy {
    /// Nobody is promoted then: the only default that breaks no promise.
    #[default]
    Never,
    /// If the promoted server is known to have been no further behind than this when it last heard from the source.
    Within {
        /// Seconds.
        seconds: u64,
    },
    /// Always, as the original does.
    Always,
}

impl Default for ChoiceSettings {
    fn default() -> Self {
        Self {
            ignore_hosts: vec![],
            prevent_cross_data_center: false,
            prevent_cross_region: false,
            fail_on_lag_seconds: 0,
            fail_if_applier_behind: false,
            lower_version_allowed: false,
            verify_filters: false,
            maintenance_lag_seconds: 20,
            loss: LossPolicy::Never,
            accept_loss_of: String::new(),
        }
    }
}

impl ChoiceSettings {
    /// The entry of `PromotionIgnoreHostnameFilters` that matches a server.
    pub fn ignoring(&self, key: &InstanceKey) -> Option<&str> {
        self.ignore_hosts.iter().map(String::as_str).find(|filter| {
            if filter.parse::<std::net::IpAddr>().is_ok() {
                return key.hostname == *filter;
            }
            Regex::new(filter).is_ok_and(|regex| regex.is_match(&key.to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_equal_and_anything_else_is_an_expression() {
        let settings = ChoiceSettings {
            ignore_hosts: vec!["10.0.0.1".into(), "^backup.*:3307$".into(), "(".into()],
            ..Default::default()
        };
        let ignored = |host: &str, port| settings.ignoring(&InstanceKey::new(host, port)).is_some();
        assert!(ignored("10.0.0.1", 3306));
        assert!(!ignored("10.0.0.11", 3306));
        assert!(ignored("backup3", 3307));
        assert!(!ignored("backup3", 3306));
    }
}
