//! Discovery and polling: section 7.4 of the configuration.

use std::time::Duration;

use crate::config::filters::{InstanceFilters, TextFilters};
use crate::config::span;
use crate::config::table::section;

section! {
    /// What is probed, how often, by how many workers, and what is left out (spec 7.4).
    DiscoveryConfig, "Discovery and polling" {
        /// Seconds between probes of each server. Other spans derive from it: a probe is fresh for 1 of it and
        /// recent for 5, a hung probe is retried after 2.
        "InstancePollSeconds" => instance_poll_seconds: u64 = 5, Live, InEffect;
        /// Seconds a probe may take, added to `InstancePollSeconds`, before an unanswered attempt counts as an
        /// invalid check in failure analysis.
        "ReasonableInstanceCheckSeconds" => reasonable_instance_check_seconds: u64 = 1, Live, InEffect;
        /// Without effect: replicas are found both by the list of registered replica hosts and by the process list.
        "DiscoverByShowSlaveHosts" => discover_by_show_replicas: bool = false, Live, Never;
        /// `host:port` entries inserted as instances to probe, once, shortly after this node becomes active. A
        /// malformed entry is logged.
        "DiscoverySeeds" => seeds: Vec<String> = Vec::new(), Start, InEffect;
        /// Number of probe workers.
        "DiscoveryMaxConcurrency" => max_concurrency: u64 = 300, Start, InEffect;
        /// Without effect: the schedule has a place for every server and nothing blocks.
        "DiscoveryQueueCapacity" => queue_capacity: u64 = 100000, Start, Never;
        /// How many one-second queue samples are kept for the metrics API.
        "DiscoveryQueueMaxStatisticsSize" => queue_max_statistics_size: i64 = 120, Live, InEffect;
        /// Seconds to keep probe metrics.
        "DiscoveryCollectionRetentionSeconds" => collection_retention_seconds: u64 = 120, Live, InEffect;
        /// When above 0, unreachable servers get a queue of their own with this many workers.
        "DeadInstanceDiscoveryMaxConcurrency" => dead_instance_max_concurrency: u64 = 0, Start, InEffect;
        /// Back-off base for unreachable servers: the wait before the n-th retry is `InstancePollSeconds` ×
        /// factor^(n-1). At least 1; 1 = no back-off.
        "DeadInstancePollSecondsMultiplyFactor" => dead_instance_poll_factor: f64 = 1.0, Live, InEffect;
        /// Upper bound of that wait, seconds; not below `InstancePollSeconds`.
        "DeadInstancePollSecondsMax" => dead_instance_poll_seconds_max: u64 = 300, Live, InEffect;
        /// DEBUG lines about servers that do not answer: when they are tried again, and when they answer.
        "DeadInstanceDiscoveryLogsEnabled" => dead_instance_logs: bool = false, Live, InEffect;
        /// Servers never probed by continuous discovery (instance filters).
        "DiscoveryIgnoreHostnameFilters" => ignore_hostname_filters: InstanceFilters = InstanceFilters::null(), Live, InEffect;
        /// Replicas not to be followed when found through their source (instance filters).
        "DiscoveryIgnoreReplicaHostnameFilters" => ignore_replica_hostname_filters: InstanceFilters = InstanceFilters::default(), Live, InEffect;
        /// Sources not to be followed when found through a replica (instance filters).
        "DiscoveryIgnoreMasterHostnameFilters" => ignore_source_hostname_filters: InstanceFilters = InstanceFilters::null(), Live, InEffect;
        /// Regexps on the replication user name: replicas that use it are skipped and not recorded as failing.
        "DiscoveryIgnoreReplicationUsernameFilters" => ignore_replication_username_filters: TextFilters = TextFilters::default(), Live, InEffect;
        /// INFO lines for skips by the filter above (only that filter).
        "EnableDiscoveryFiltersLogs" => log_filtered: bool = true, Live, InEffect;
        /// Hours after which a server not seen is forgotten; the same span expires aliases and history.
        "UnseenInstanceForgetHours" => unseen_instance_forget_hours: u64 = 240, Live, InEffect;
        /// Hours between automatic topology snapshots; 0 = never.
        "SnapshotTopologiesIntervalHours" => snapshot_topologies_interval_hours: u64 = 0, Start, InEffect;
        /// Seconds to wait for one server when many are stopped together before a recovery.
        "InstanceBulkOperationsWaitTimeoutSeconds" => instance_bulk_operations_wait_timeout_seconds: u64 = 10, Live, InEffect;
        /// Replicas moved at the same time in a bulk relocation; at least 1.
        "MaxConcurrentReplicaOperations" => max_concurrent_replica_operations: i64 = 5, Live, InEffect;
        /// Without effect: probe results are always collected in memory and written to the backend in batches, once a
        /// second.
        "BufferInstanceWrites" => buffer_instance_writes: bool = false, Live, Never;
        /// Without effect, see `BufferInstanceWrites`.
        "InstanceWriteBufferSize" => instance_write_buffer_size: i64 = 100, Start, Never;
        /// Without effect, see `BufferInstanceWrites`.
        "InstanceFlushIntervalMilliseconds" => instance_flush_interval_milliseconds: i64 = 100, Start, Never;
        /// Do not ask each server whether it is a MaxScale binlog server.
        "SkipMaxScaleCheck" => skip_maxscale_check: bool = true, Live, InEffect;
        /// Whenever read_only is set or cleared do the same with super_read_only (failure only logged).
        "UseSuperReadOnly" => use_super_read_only: bool = false, Live, InEffect;
        /// Permit a replica of a lower major version than its source; a warning is logged each time.
        "LowerReplicaVersionAllowed" => lower_replica_version_allowed: bool = false, Live, InEffect;
        /// Refuse to place an unfiltered replica under a server that has replication filters.
        "VerifyReplicationFilters" => verify_replication_filters: bool = false, Live, InEffect;
        /// Query run on a server to obtain replication credentials: one row with user, password, CA file,
        /// certificate, key (the last ones optional). Needed to set up a demoted primary or co-primary; without
        /// it `mysql.slave_master_info` is read.
        "ReplicationCredentialsQuery" => replication_credentials_query: String = String::new(), Live, InEffect;
    }
}

impl DiscoveryConfig {
    /// Time between two probes of a server; at least a second.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        span::seconds(self.instance_poll_seconds.max(1))
    }

    /// Time an unanswered probe may take before it counts as an invalid check.
    #[must_use]
    pub fn reasonable_check_time(&self) -> Duration {
        self.poll_interval() + span::seconds(self.reasonable_instance_check_seconds)
    }

    /// Time after which a server not seen is forgotten.
    #[must_use]
    pub fn forget_unseen_after(&self) -> Duration {
        span::hours(self.unseen_instance_forget_hours)
    }

    /// Wait before the next probe of a server that has failed `failures` times in a row: the poll interval grown by
    /// the factor for each failure after the first, in whole seconds and bounded.
    #[must_use]
    pub fn dead_poll_interval(&self, failures: u32) -> Duration {
        let poll = self.poll_interval();
        let longest = span::seconds(self.dead_instance_poll_seconds_max).max(poll);
        let power = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = poll.as_secs_f64() * self.dead_instance_poll_factor.max(1.0).powi(power);
        // Overflow gives infinity, which compares as longer than any bound.
        if grown >= longest.as_secs_f64() {
            return longest;
        }
        Duration::try_from_secs_f64(grown.floor()).unwrap_or(longest)
    }

    /// Replicas moved at the same time; at least one.
    #[must_use]
    pub fn concurrent_replica_operations(&self) -> usize {
        usize::try_from(self.max_concurrent_replica_operations.max(1)).unwrap_or(1)
    }

    /// Time to wait for one server when many are stopped together.
    #[must_use]
    pub fn bulk_wait_timeout(&self) -> Duration {
        span::seconds(self.instance_bulk_operations_wait_timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_servers_are_probed_less_and_less_up_to_the_bound() {
        let config = DiscoveryConfig {
            dead_instance_poll_factor: 1.5,
            dead_instance_poll_seconds_max: 30,
            ..DiscoveryConfig::default()
        };
        let waits: Vec<u64> = (1..=7).map(|n| config.dead_poll_interval(n).as_secs()).collect();
        assert_eq!(waits, [5, 7, 11, 16, 25, 30, 30]);
        assert_eq!(config.dead_poll_interval(u32::MAX).as_secs(), 30);
        assert_eq!(DiscoveryConfig::default().dead_poll_interval(50).as_secs(), 5);
    }
}
