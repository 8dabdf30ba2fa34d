//! Candidates, pools and problem display: section 7.7 of the configuration.

use crate::config::filters::InstanceFilters;
use crate::config::table::section;

section! {
    /// Promotion rules, pools, and which servers count as a problem (spec 7.7).
    CandidatesConfig, "Candidates, pools and problem display" {
        /// Minutes after which a registered promotion rule lapses unless renewed.
        "CandidateInstanceExpireMinutes" => candidate_instance_expire_minutes: u64 = 60, Live, InEffect;
        /// Servers never to be promoted (instance filters).
        "PromotionIgnoreHostnameFilters" => promotion_ignore_hostname_filters: InstanceFilters = InstanceFilters::default(), Live, InEffect;
        /// Let pool submissions use unique fragments of host names.
        "SupportFuzzyPoolHostnames" => support_fuzzy_pool_hostnames: bool = true, Live, InEffect;
        /// Minutes after which pool memberships lapse.
        "InstancePoolExpiryMinutes" => instance_pool_expiry_minutes: u64 = 60, Live, InEffect;
        /// Replicas left out of the schema-change control list.
        "OSCIgnoreHostnameFilters" => osc_ignore_hostname_filters: InstanceFilters = InstanceFilters::default(), Live, InEffect;
        /// Servers left out of the problems list (instance filters). Detection is not affected.
        "ProblemIgnoreHostnameFilters" => problem_ignore_hostname_filters: InstanceFilters = InstanceFilters::default(), Live, InEffect;
        /// Lag above this (distance from a configured delay counts) is a problem and counts as lagging in
        /// failure analysis; also the stall limit while waiting for an applier.
        "ReasonableReplicationLagSeconds" => reasonable_lag_seconds: i64 = 10, Live, InEffect;
        /// Lag above this blocks moves by file and position and graceful takeover; also the time a graceful
        /// takeover waits for catch-up.
        "ReasonableMaintenanceReplicationLagSeconds" => reasonable_maintenance_lag_seconds: i64 = 20, Live, InEffect;
    }
}
