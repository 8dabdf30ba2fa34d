//! Variables that the original does not have.

use crate::config::networks::Networks;
use crate::config::table::section;

section! {
    /// Variables of our own; a file of the original works without them.
    ExtensionsConfig, "Additional variables" {
        /// Make a failed primary that comes back super-read-only at once, before anything else.
        "FenceReturningSource" => fence_returning_source: bool = true, Live, InEffect;
        /// Seconds a failure must last before it is recovered automatically, beyond what its detection takes.
        "RecoveryGraceSeconds" => recovery_grace_seconds: u64 = 0, Live, InEffect;
        /// Addresses and networks of proxies whose headers about the client are believed.
        "TrustedProxies" => trusted_proxies: Networks = Networks::loopback(), Live, Later;
    }
}
