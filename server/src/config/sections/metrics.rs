//! Metrics: section 7.19 of the configuration.

use crate::config::table::section;

section! {
    /// Pushing of metrics to Graphite (spec 7.19).
    MetricsConfig, "Metrics" {
        /// `host:port` of a Graphite TCP listener; empty = off.
        "GraphiteAddr" => graphite_address: String = String::new(), Start, InEffect;
        /// Metric prefix; `{hostname}` is replaced by this host's name. Required when the address is set.
        "GraphitePath" => graphite_path: String = String::new(), Start, InEffect;
        /// Replace dots in that host name by underscores.
        "GraphiteConvertHostnameDotsToUnderscores" => graphite_hostname_underscores: bool = true, Start, InEffect;
        /// Seconds between sends; 0 or less switches Graphite off.
        "GraphitePollSeconds" => graphite_poll_seconds: i64 = 60, Start, InEffect;
    }
}
