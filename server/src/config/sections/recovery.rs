//! Recovery: section 7.10 of the configuration.

use std::time::Duration;

use crate::config::filters::ClusterFilters;
use crate::config::span;
use crate::config::table::section;

section! {
    /// What is recovered by itself, and the vetoes on a promotion (spec 7.10).
    RecoveryConfig, "Recovery" {
        /// Clusters whose dead primary is recovered automatically (cluster filters). Empty = none.
        "RecoverMasterClusterFilters" => recover_primary_filters: ClusterFilters = ClusterFilters::default(), Live, InEffect;
        /// The same for intermediate sources and for group members with replicas.
        "RecoverIntermediateMasterClusterFilters" => recover_intermediate_source_filters: ClusterFilters = ClusterFilters::default(), Live, InEffect;
        /// Seconds after a recovery during which the same cluster (and a freshly promoted server) is not
        /// recovered automatically again. Manual recoveries ignore it; acknowledgement lifts it.
        "RecoveryPeriodBlockSeconds" => period_block_seconds: i64 = 3600, Live, InEffect;
        /// On the promoted server: reset replication and clear read_only; try to set the old primary read_only.
        /// Always done in a graceful takeover.
        "ApplyMySQLPromotionAfterMasterFailover" => apply_promotion_after_failover: bool = true, Live, InEffect;
        /// Never promote a server of another data centre than the dead primary's; the failover fails instead.
        "PreventCrossDataCenterMasterFailover" => prevent_cross_data_center_failover: bool = false, Live, InEffect;
        /// The same for regions.
        "PreventCrossRegionMasterFailover" => prevent_cross_region_failover: bool = false, Live, InEffect;
        /// When above 0: cancel the promotion if the chosen server lags at least this many minutes. Requires
        /// `ReplicationLagQuery`.
        "FailMasterPromotionOnLagMinutes" => fail_promotion_on_lag_minutes: u64 = 0, Live, InEffect;
        /// Cancel the promotion if the chosen server still has unapplied relay logs. Not together with the next
        /// one.
        "FailMasterPromotionIfSQLThreadNotUpToDate" => fail_promotion_if_applier_behind: bool = false, Live, InEffect;
        /// Wait for the chosen server to apply its relay logs before it is promoted. Not together with the
        /// previous one. Without either it is done all the same.
        "DelayMasterPromotionIfSQLThreadNotUpToDate" => delay_promotion_if_applier_behind: bool = false, Live, InEffect;
        /// Detach (point at `//host`) replicas that could not follow the promoted server. In effect true,
        /// through its old name `DetachLostSlavesAfterMasterFailover`.
        "DetachLostReplicasAfterMasterFailover" => detach_lost_replicas: bool = false, Live, InEffect;
        /// Detach the promoted server from the old primary's name, where its replication is not reset (see
        /// `ApplyMySQLPromotionAfterMasterFailover`).
        "MasterFailoverDetachReplicaMasterHost" => detach_promoted_from_old_source: bool = false, Live, InEffect;
        /// When above 0: replicas whose configured delay exceeds this many minutes, and those slow to answer, are
        /// repointed only once the new primary takes writes. 0 = off.
        "PostponeReplicaRecoveryOnLagMinutes" => postpone_replica_recovery_on_lag_minutes: u64 = 0, Live, InEffect;
        /// When a co-primary dies: true = promote the other one or fail; false = any server.
        "CoMasterRecoveryMustPromoteOtherCoMaster" => must_promote_other_co_source: bool = true, Live, InEffect;
        /// Treat a reachable primary that is read-only and has running replicas as a failure and make it
        /// writable. Not limited by the cluster filters.
        "RecoverNonWriteableMaster" => recover_non_writeable_primary: bool = false, Live, InEffect;
    }
}

impl RecoveryConfig {
    /// Time after a recovery in which the same cluster is not recovered automatically again.
    #[must_use]
    pub fn block_period(&self) -> Duration {
        span::seconds(self.period_block_seconds)
    }
}
