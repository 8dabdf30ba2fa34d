//! Obsolete: section 7.20 of the configuration.

use crate::config::secret::Secret;
use crate::config::table::section;

section! {
    /// Old names: merged into their successors, or accepted without effect (spec 7.20).
    ObsoleteConfig, "Obsolete" {
        /// Old name of `ReplicationLagQuery`. Both set to different texts is an error.
        "SlaveLagQuery" => replica_lag_query: String = String::new(), Live, InEffect;
        /// Old form of `RecoveryPeriodBlockSeconds`. Counts only when that one is 0.
        "RecoveryPeriodBlockMinutes" => recovery_period_block_minutes: i64 = 60, Live, InEffect;
        /// Old name of `DetachLostReplicasAfterMasterFailover`. It is true by default and forces the new one to
        /// true; setting it to false is the only way to switch the feature off.
        "DetachLostSlavesAfterMasterFailover" => detach_lost_replicas: bool = true, Live, InEffect;
        /// Old name of `MasterFailoverDetachReplicaMasterHost`, which it forces to true.
        "MasterFailoverDetachSlaveMasterHost" => detach_promoted_from_old_source: bool = false, Live, InEffect;
        /// Old name of `PostponeReplicaRecoveryOnLagMinutes`. Both set to different values is an error.
        "PostponeSlaveRecoveryOnLagMinutes" => postpone_replica_recovery_on_lag_minutes: u64 = 0, Live, InEffect;
        /// No effect: lost servers are always downtimed until they replicate again, for a year at most.
        "MasterFailoverLostInstancesDowntimeMinutes" => lost_instances_downtime_minutes: u64 = 0, Nothing, Never;
        /// No effect.
        "ExpectFailureAnalysisConcensus" => expect_analysis_consensus: bool = true, Nothing, Never;
        /// No effect.
        "SeedAcceptableBytesDiff" => seed_acceptable_bytes_diff: i64 = 8192, Nothing, Never;
        /// No effect.
        "OAuthClientId" => oauth_client_id: String = String::new(), Nothing, Never;
        /// No effect.
        "OAuthClientSecret" => oauth_client_secret: Secret = Secret::default(), Nothing, Never;
        /// No effect.
        "OAuthScopes" => oauth_scopes: Option<Vec<String>> = None, Nothing, Never;
    }
}
