//! Variables that the original does not have.

use crate::config::networks::Networks;
use crate::config::table::section;
use crate::config::webhooks::Webhooks;

section! {
    /// Variables of our own; a file of the original works without them.
    ExtensionsConfig, "Additional variables" {
        /// Make a failed primary that comes back super-read-only at once, before anything else.
        "FenceReturningSource" => fence_returning_source: bool = true, Live, InEffect;
        /// Seconds a failure must last before it is recovered automatically, beyond what its detection takes.
        "RecoveryGraceSeconds" => recovery_grace_seconds: u64 = 0, Live, InEffect;
        /// Commands that cut a dead source off before another server is promoted in its place.
        "FencingProcesses" => fencing: Vec<String> = Vec::new(), Live, InEffect;
        /// `required`: nobody is promoted when one of `FencingProcesses` fails; `optional`: it is recorded and the
        /// recovery goes on.
        "FencingPolicy" => fencing_policy: String = "required".to_owned(), Live, InEffect;
        /// Seconds that a hook may take which a detection, recovery or takeover waits for; then it is killed with
        /// everything it started, and has failed. 0 = no limit.
        "HookTimeoutSeconds" => hook_timeout_seconds: u64 = 60, Live, InEffect;
        /// The same for hooks that run after a recovery or takeover, and for asynchronous ones.
        "PostHookTimeoutSeconds" => post_hook_timeout_seconds: u64 = 600, Live, InEffect;
        /// Addresses that are told what happens: `URL`, `Events` (empty = all) and `Secret` (signs the messages) each.
        "Webhooks" => webhooks: Webhooks = Webhooks::default(), Live, InEffect;
        /// File with the certificates of the authorities that may vouch for Consul, besides those of the system.
        "ConsulCAFile" => consul_ca_file: String = String::new(), Start, InEffect;
        /// Accept any certificate of Consul, as the original does.
        "ConsulSSLSkipVerify" => consul_ssl_skip_verify: bool = false, Start, InEffect;
        /// Addresses and networks of proxies whose headers about the client are believed.
        "TrustedProxies" => trusted_proxies: Networks = Networks::loopback(), Live, InEffect;
    }
}
