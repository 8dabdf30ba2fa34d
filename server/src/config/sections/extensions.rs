//! Variables that the original does not have.

use crate::config::cluster_seconds::ClusterSeconds;
use crate::config::networks::Networks;
use crate::config::table::section;

section! {
    /// Variables of our own; a file of the original works without them.
    ExtensionsConfig, "Additional variables" {
        /// Make a failed primary that comes back super-read-only at once, before anything else.
        "FenceReturningSource" => fence_returning_source: bool = true, Live, InEffect;
        /// Seconds a failure must last before it is recovered automatically, beyond what its detection takes.
        "RecoveryGraceSeconds" => recovery_grace_seconds: u64 = 0, Live, InEffect;
        /// Object: cluster filter to seconds, in place of `RecoveryGraceSeconds` for the clusters that match. The exact name
        /// or alias counts first, else the longest time.
        "RecoveryGraceSecondsByCluster" => recovery_grace_by_cluster: ClusterSeconds = ClusterSeconds::default(), Live, InEffect;
        /// Seconds without automatic recoveries after the start of the service, and after its node became the leader.
        /// 0 = three times `InstancePollSeconds`.
        "RecoveryHoldOffSeconds" => recovery_hold_off_seconds: u64 = 0, Live, InEffect;
        /// Automatic recoveries that may begin within `RecoveryBudgetSeconds`, everywhere together. Acknowledged ones do
        /// not count. 0 = any number.
        "RecoveryBudgetCount" => recovery_budget_count: u64 = 20, Live, InEffect;
        /// The same for failed servers of one data centre.
        "RecoveryBudgetPerDataCenterCount" => recovery_budget_per_data_center_count: u64 = 10, Live, InEffect;
        /// The time that both budgets are for.
        "RecoveryBudgetSeconds" => recovery_budget_seconds: u64 = 3600, Live, InEffect;
        /// When more clusters than this fail at once, none is recovered automatically any more: a person has to decide.
        /// 0 = any number.
        "RecoveryStormClusters" => recovery_storm_clusters: u64 = 10, Live, InEffect;
        /// Addresses and networks of proxies whose headers about the client are believed.
        "TrustedProxies" => trusted_proxies: Networks = Networks::loopback(), Live, Later;
    }
}
