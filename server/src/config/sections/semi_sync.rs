//! Semi-sync: section 7.11 of the configuration.

use crate::config::table::section;

section! {
    /// Keeping the number of semi-sync replicas right (spec 7.11).
    SemiSyncConfig, "Semi-sync" {
        /// Keep the number of semi-sync replicas exactly at the source's wait count, in priority order.
        "EnforceExactSemiSyncReplicas" => enforce_exact_replicas: bool = false, Live, InEffect;
        /// When a source is locked for lack of acknowledging replicas, enable semi-sync on further replicas.
        "RecoverLockedSemiSyncMaster" => recover_locked_source: bool = false, Live, InEffect;
        /// Seconds the suspicion must last before a source counts as locked by semi-sync. 0 =
        /// `ReasonableReplicationLagSeconds`.
        "ReasonableLockedSemiSyncMasterSeconds" => reasonable_locked_source_seconds: u64 = 0, Live, InEffect;
    }
}
