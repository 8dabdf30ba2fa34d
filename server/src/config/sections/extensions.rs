//! Variables that the original does not have.

use crate::config::choice::SessionPolicyText;
use crate::config::loss::{AcceptedLoss, AcceptedLossByCluster};
use crate::config::networks::Networks;
use crate::config::table::section;

section! {
    /// Variables of our own; a file of the original works without them.
    ExtensionsConfig, "Additional variables" {
        /// Whether a failover may lose writes that are known to exist and that no reachable server holds: `never`, `always`
        /// (as the original), or the number of seconds by which the promoted server may have been behind.
        "AcceptDataLoss" => accept_data_loss: AcceptedLoss = AcceptedLoss::default(), Live, InEffect;
        /// The same for single clusters: cluster filter to value. Of several that match the strictest counts.
        "AcceptDataLossByCluster" => accept_data_loss_by_cluster: AcceptedLossByCluster = AcceptedLossByCluster::default(), Live, InEffect;
        /// Make a failed primary that comes back super-read-only at once, before anything else.
        "FenceReturningSource" => fence_returning_source: bool = true, Live, InEffect;
        /// When a co-primary dies and the other one takes over, leave the dead one configured as its source, as the
        /// original does. Otherwise its replication is reset.
        "KeepCoSourceRing" => keep_co_source_ring: bool = false, Live, InEffect;
        /// Seconds a failure must last before it is recovered automatically, beyond what its detection takes.
        "RecoveryGraceSeconds" => recovery_grace_seconds: u64 = 0, Live, InEffect;
        /// What a planned takeover does about statements and commits that keep the old primary from becoming read-only: `kill`
        /// ends its client sessions; `wait` ends none, and gives up and puts everything back.
        "TakeoverSessionPolicy" => takeover_session_policy: SessionPolicyText = SessionPolicyText::default(), Live, InEffect;
        /// Seconds that a planned takeover waits for those statements before it does so.
        "TakeoverSessionWaitSeconds" => takeover_session_wait_seconds: u64 = 2, Live, InEffect;
        /// Addresses and networks of proxies whose headers about the client are believed.
        "TrustedProxies" => trusted_proxies: Networks = Networks::loopback(), Live, InEffect;
    }
}
