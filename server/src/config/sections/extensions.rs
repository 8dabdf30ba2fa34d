//! Variables that the original does not have.

use crate::config::choice::SessionPolicyText;
use crate::config::cluster_seconds::ClusterSeconds;
use crate::config::hook_list::HookItems;
use crate::config::loss::{AcceptedLoss, AcceptedLossByCluster};
use crate::config::networks::Networks;
use crate::config::table::section;
use crate::config::webhooks::Webhooks;

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
        /// Make a failed primary that comes back a replica of the server that replaced it, when it is read-only and holds
        /// nothing that the other one does not.
        "RejoinReturningSource" => rejoin_returning_source: bool = false, Live, InEffect;
        /// Folder in which the transactions that a failed primary holds alone are written down when it comes back, with
        /// their events, a file each time; empty = nowhere.
        "ExtraTransactionsDirectory" => extra_transactions_directory: String = String::new(), Live, InEffect;
        /// When a co-primary dies and the other one takes over, leave the dead one configured as its source, as the
        /// original does. Otherwise its replication is reset.
        "KeepCoSourceRing" => keep_co_source_ring: bool = false, Live, InEffect;
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
        /// What a planned takeover does about statements and commits that keep the old primary from becoming read-only: `kill`
        /// ends its client sessions; `wait` ends none, and gives up and puts everything back.
        "TakeoverSessionPolicy" => takeover_session_policy: SessionPolicyText = SessionPolicyText::default(), Live, InEffect;
        /// Seconds that a planned takeover waits for those statements before it does so.
        "TakeoverSessionWaitSeconds" => takeover_session_wait_seconds: u64 = 2, Live, InEffect;
        /// Seconds that it may take to find a replica's place in another server's binary log by pseudo-GTID.
        "PseudoGTIDMatchSeconds" => pseudo_gtid_match_seconds: u64 = 120, Live, InEffect;
        /// Commands that cut a dead source off before another server is promoted in its place.
        "FencingProcesses" => fencing: HookItems = HookItems::none(), Live, InEffect;
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
        /// Addresses and networks of proxies whose headers about the client (`AuthUserHeader`, `X-Forwarded-For`,
        /// `X-Forwarded-Proto`) are believed.
        "TrustedProxies" => trusted_proxies: Networks = Networks::loopback(), Live, InEffect;
        /// Names by which browsers may know a service that only this machine can connect to and that asks nobody who they are,
        /// besides addresses, `localhost` and names without a dot: that of a proxy in front, say. Without
        /// it any name will do where `ListenAddress` is given.
        "ServedNames" => served_names: Vec<String> = Vec::new(), Live, InEffect;
        /// `local`: a session that is not used for so many minutes ends.
        "SessionIdleMinutes" => session_idle_minutes: u64 = 480, Live, InEffect;
        /// `local`: a session ends so many minutes after its login, used or not.
        "SessionLifeMinutes" => session_life_minutes: u64 = 10_080, Live, InEffect;
    }
}
