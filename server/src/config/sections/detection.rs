//! Failure detection: section 7.9 of the configuration.

use std::time::Duration;

use crate::config::filters::TextFilters;
use crate::config::span;
use crate::config::table::section;

section! {
    /// What is analysed and how often a finding is announced (spec 7.9).
    DetectionConfig, "Failure detection" {
        /// Minutes during which the same detection on the same server is not announced (hooks) again. Cleared
        /// early by acknowledgement or recovery.
        "FailureDetectionPeriodBlockMinutes" => period_block_minutes: i64 = 60, Live, InEffect;
        /// Analyse only servers for which a problem is possible at all; false gives an entry for every server.
        "ReduceReplicationAnalysisCount" => reduce_analysis_count: bool = true, Live, InEffect;
        /// Regexps on the host name only (no port, no IP rule): matching servers are left out of failure
        /// analysis completely.
        "RecoveryIgnoreHostnameFilters" => ignore_hostname_filters: TextFilters = TextFilters::default(), Live, InEffect;
    }
}

impl DetectionConfig {
    /// Time in which the same detection is not announced again.
    #[must_use]
    pub fn block_period(&self) -> Duration {
        span::minutes(self.period_block_minutes)
    }
}
