//! Classification: section 7.6 of the configuration.

use crate::config::patterns::{AliasPatterns, CapturePattern};
use crate::config::table::section;

section! {
    /// Queries and patterns that tell cluster, place and role of a server (spec 7.6).
    ClassificationConfig, "Classification" {
        /// Query giving the replica's lag in whole seconds (e.g. from a heartbeat table), used instead of the
        /// server's own figure. Non-integer results count as errors and fall back to the server's figure;
        /// negative values become 0.
        "ReplicationLagQuery" => replication_lag_query: String = String::new(), Live, InEffect;
        /// Query for the human name of the cluster. Asked only while no alias came down from the primary or from
        /// a manual override.
        "DetectClusterAliasQuery" => detect_cluster_alias_query: String = String::new(), Live, InEffect;
        /// Query for the domain or virtual name of the cluster's primary. Asked on top-of-topology servers only;
        /// stored.
        "DetectClusterDomainQuery" => detect_cluster_domain_query: String = String::new(), Live, InEffect;
        /// Object: regexp on the cluster name to alias. Last resort when no alias was found; the first that
        /// matches, in the order of the keys, counts.
        "ClusterNameToAlias" => cluster_name_to_alias: AliasPatterns = AliasPatterns::default(), Live, InEffect;
        /// Alias of the server itself (shown in trees, passed to hooks as successor alias).
        "DetectInstanceAliasQuery" => detect_instance_alias_query: String = String::new(), Live, InEffect;
        /// Promotion rule of the server: `prefer`, `neutral`, `prefer_not`, `must_not`; stored as if registered
        /// by `register-candidate`, at every probe. Other values are errors.
        "DetectPromotionRuleQuery" => detect_promotion_rule_query: String = String::new(), Live, InEffect;
        /// Regexp with one capture group that cuts the data centre out of the host name. `DetectDataCenterQuery`
        /// overrides it.
        "DataCenterPattern" => data_center_pattern: CapturePattern = CapturePattern::default(), Live, InEffect;
        /// The same for the region.
        "RegionPattern" => region_pattern: CapturePattern = CapturePattern::default(), Live, InEffect;
        /// The same for the physical environment.
        "PhysicalEnvironmentPattern" => physical_environment_pattern: CapturePattern = CapturePattern::default(), Live, InEffect;
        /// Data centre by query.
        "DetectDataCenterQuery" => detect_data_center_query: String = String::new(), Live, InEffect;
        /// Region by query.
        "DetectRegionQuery" => detect_region_query: String = String::new(), Live, InEffect;
        /// Physical environment by query.
        "DetectPhysicalEnvironmentQuery" => detect_physical_environment_query: String = String::new(), Live, InEffect;
        /// Query for the semi-sync priority of the server: 0 = asynchronous replica, higher = preferred.
        "DetectSemiSyncEnforcedQuery" => detect_semi_sync_enforced_query: String = String::new(), Live, InEffect;
    }
}
