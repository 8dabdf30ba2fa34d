//! Figures about the service itself (`spec/api.md` 3.16).

use std::collections::BTreeSet;

use app::InstanceKey;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::health::{ErrorObject, ZERO_TIME};
use crate::metrics::{Flushed, Probed, Statistics, Written};

/// What the original gives as the smallest of no samples.
const NO_MINIMUM: f64 = 9_000_000_000.0;

/// An event and when it was.
pub type Timed<T> = (DateTime<Utc>, T);

/// One look at a server. The backend takes no part in it here, so its share is zero.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiscoveryMetric {
    timestamp: String,
    hostname: String,
    port: u16,
    backend_latency_seconds: f64,
    instance_latency_seconds: f64,
    total_latency_seconds: f64,
    err: Option<ErrorObject>,
}

impl From<&Timed<Probed>> for DiscoveryMetric {
    fn from((at, look): &Timed<Probed>) -> Self {
        Self {
            timestamp: time(*at),
            hostname: look.key.hostname.clone(),
            port: look.key.port,
            backend_latency_seconds: 0.0,
            instance_latency_seconds: seconds(look.server_ns),
            total_latency_seconds: seconds(look.total_ns),
            err: look.failed.then_some(ErrorObject {}),
        }
    }
}

/// Looks, summarized.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AggregatedDiscoveryMetrics {
    first_seen: String,
    last_seen: String,
    count_distinct_instance_keys: usize,
    count_distinct_ok_instance_keys: usize,
    count_distinct_failed_instance_keys: usize,
    failed_discoveries: usize,
    /// Of all looks, also those that failed, as in the original.
    successful_discoveries: usize,
    mean_total_seconds: f64,
    mean_backend_seconds: f64,
    mean_instance_seconds: f64,
    failed_mean_total_seconds: f64,
    failed_mean_backend_seconds: f64,
    failed_mean_instance_seconds: f64,
    max_total_seconds: f64,
    max_backend_seconds: f64,
    max_instance_seconds: f64,
    failed_max_total_seconds: f64,
    failed_max_backend_seconds: f64,
    failed_max_instance_seconds: f64,
    median_total_seconds: f64,
    median_backend_seconds: f64,
    median_instance_seconds: f64,
    failed_median_total_seconds: f64,
    failed_median_backend_seconds: f64,
    failed_median_instance_seconds: f64,
    #[serde(rename = "P95TotalSeconds")]
    p95_total_seconds: f64,
    #[serde(rename = "P95BackendSeconds")]
    p95_backend_seconds: f64,
    #[serde(rename = "P95InstanceSeconds")]
    p95_instance_seconds: f64,
    #[serde(rename = "FailedP95TotalSeconds")]
    failed_p95_total_seconds: f64,
    #[serde(rename = "FailedP95BackendSeconds")]
    failed_p95_backend_seconds: f64,
    #[serde(rename = "FailedP95InstanceSeconds")]
    failed_p95_instance_seconds: f64,
}

impl AggregatedDiscoveryMetrics {
    /// A summary of looks, oldest first.
    pub fn new(looks: &[Timed<Probed>]) -> Self {
        let bounds = |found: Option<&Timed<Probed>>| found.map_or_else(|| ZERO_TIME.to_owned(), |(at, _)| time(*at));
        let keys = |wanted: fn(&Probed) -> bool| {
            let meant = looks.iter().filter(|(_, look)| wanted(look));
            meant.map(|(_, look)| &*look.key).collect::<BTreeSet<&InstanceKey>>().len()
        };
        let statistics = |wanted: fn(&Probed) -> bool, value: fn(&Probed) -> u64| {
            Statistics::of(looks.iter().filter(|(_, look)| wanted(look)).map(|(_, look)| seconds(value(look))))
        };
        let total = statistics(|_| true, |look| look.total_ns);
        let instance = statistics(|_| true, |look| look.server_ns);
        let failed_total = statistics(|look| look.failed, |look| look.total_ns);
        let failed_instance = statistics(|look| look.failed, |look| look.server_ns);
        Self {
            first_seen: bounds(looks.first()),
            last_seen: bounds(looks.last()),
            count_distinct_instance_keys: keys(|_| true),
            count_distinct_ok_instance_keys: keys(|look| !look.failed),
            count_distinct_failed_instance_keys: keys(|look| look.failed),
            failed_discoveries: looks.iter().filter(|(_, look)| look.failed).count(),
            successful_discoveries: looks.len(),
            mean_total_seconds: total.mean,
            mean_backend_seconds: 0.0,
            mean_instance_seconds: instance.mean,
            failed_mean_total_seconds: failed_total.mean,
            failed_mean_backend_seconds: 0.0,
            failed_mean_instance_seconds: failed_instance.mean,
            max_total_seconds: total.max,
            max_backend_seconds: 0.0,
            max_instance_seconds: instance.max,
            failed_max_total_seconds: failed_total.max,
            failed_max_backend_seconds: 0.0,
            failed_max_instance_seconds: failed_instance.max,
            median_total_seconds: total.median,
            median_backend_seconds: 0.0,
            median_instance_seconds: instance.median,
            failed_median_total_seconds: failed_total.median,
            failed_median_backend_seconds: 0.0,
            failed_median_instance_seconds: failed_instance.median,
            p95_total_seconds: total.p95,
            p95_backend_seconds: 0.0,
            p95_instance_seconds: instance.p95,
            failed_p95_total_seconds: failed_total.p95,
            failed_p95_backend_seconds: 0.0,
            failed_p95_instance_seconds: failed_instance.p95,
        }
    }
}

/// How full a queue was.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueueMetric {
    /// Looks under way.
    pub active: u64,
    /// Servers that wait.
    pub queued: u64,
}

/// Samples of a queue, summarized.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AggregatedQueueMetrics {
    active_min_entries: f64,
    active_mean_entries: f64,
    active_median_entries: f64,
    #[serde(rename = "ActiveP95Entries")]
    active_p95_entries: f64,
    active_max_entries: f64,
    queued_min_entries: f64,
    queued_mean_entries: f64,
    queued_median_entries: f64,
    #[serde(rename = "QueuedP95Entries")]
    queued_p95_entries: f64,
    queued_max_entries: f64,
}

impl AggregatedQueueMetrics {
    /// A summary of samples.
    pub fn new(samples: &[QueueMetric]) -> Self {
        let summary = |value: fn(&QueueMetric) -> u64| {
            let found = Statistics::of(samples.iter().map(|sample| value(sample) as f64));
            if samples.is_empty() { Statistics { min: NO_MINIMUM, ..found } } else { found }
        };
        let (active, queued) = (summary(|s| s.active), summary(|s| s.queued));
        Self {
            active_min_entries: active.min,
            active_mean_entries: active.mean,
            active_median_entries: active.median,
            active_p95_entries: active.p95,
            active_max_entries: active.max,
            queued_min_entries: queued.min,
            queued_mean_entries: queued.mean,
            queued_median_entries: queued.median,
            queued_p95_entries: queued.p95,
            queued_max_entries: queued.max,
        }
    }
}

/// One write to the backend.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueryMetric {
    timestamp: String,
    wait_latency: u64,
    execute_latency: u64,
    err: Option<ErrorObject>,
}

impl From<&Timed<Written>> for QueryMetric {
    fn from((at, write): &Timed<Written>) -> Self {
        Self {
            timestamp: time(*at),
            wait_latency: write.wait_ns,
            execute_latency: write.execute_ns,
            err: write.failed.then_some(ErrorObject {}),
        }
    }
}

/// Writes to the backend, summarized.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AggregatedQueryMetrics {
    count: usize,
    max_latency_seconds: f64,
    mean_latency_seconds: f64,
    median_latency_seconds: f64,
    #[serde(rename = "P95LatencySeconds")]
    p95_latency_seconds: f64,
    max_wait_seconds: f64,
    mean_wait_seconds: f64,
    median_wait_seconds: f64,
    #[serde(rename = "P95WaitSeconds")]
    p95_wait_seconds: f64,
}

impl AggregatedQueryMetrics {
    /// A summary of writes.
    pub fn new(writes: &[Timed<Written>]) -> Self {
        let latency = Statistics::of(writes.iter().map(|(_, write)| seconds(write.execute_ns)));
        let wait = Statistics::of(writes.iter().map(|(_, write)| seconds(write.wait_ns)));
        Self {
            count: writes.len(),
            max_latency_seconds: latency.max,
            mean_latency_seconds: latency.mean,
            median_latency_seconds: latency.median,
            p95_latency_seconds: latency.p95,
            max_wait_seconds: wait.max,
            mean_wait_seconds: wait.mean,
            median_wait_seconds: wait.median,
            p95_wait_seconds: wait.p95,
        }
    }
}

/// Rows of servers written together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WriteBufferMetric {
    timestamp: String,
    instances: u64,
    wait_latency: u64,
    write_latency: u64,
}

impl From<&Timed<Flushed>> for WriteBufferMetric {
    fn from((at, flush): &Timed<Flushed>) -> Self {
        Self {
            timestamp: time(*at),
            instances: flush.instances,
            wait_latency: flush.wait_ns,
            write_latency: flush.write_ns,
        }
    }
}

/// The same, summarized.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AggregatedWriteBufferMetrics {
    instance_write_buffer_size: i64,
    instance_flush_interval_milliseconds: i64,
    count_instances: u64,
    max_instances: f64,
    mean_instances: f64,
    median_instances: f64,
    #[serde(rename = "P95Instances")]
    p95_instances: f64,
    max_wait_seconds: f64,
    mean_wait_seconds: f64,
    median_wait_seconds: f64,
    #[serde(rename = "P95WaitSeconds")]
    p95_wait_seconds: f64,
    max_write_seconds: f64,
    mean_write_seconds: f64,
    median_write_seconds: f64,
    #[serde(rename = "P95WriteSeconds")]
    p95_write_seconds: f64,
}

impl AggregatedWriteBufferMetrics {
    /// A summary of flushes, with the two variables of the configuration that the original repeats here.
    pub fn new(flushes: &[Timed<Flushed>], buffer_size: i64, interval_ms: i64) -> Self {
        let instances = Statistics::of(flushes.iter().map(|(_, flush)| flush.instances as f64));
        let wait = Statistics::of(flushes.iter().map(|(_, flush)| seconds(flush.wait_ns)));
        let write = Statistics::of(flushes.iter().map(|(_, flush)| seconds(flush.write_ns)));
        Self {
            instance_write_buffer_size: buffer_size,
            instance_flush_interval_milliseconds: interval_ms,
            count_instances: flushes.iter().map(|(_, flush)| flush.instances).sum(),
            max_instances: instances.max,
            mean_instances: instances.mean,
            median_instances: instances.median,
            p95_instances: instances.p95,
            max_wait_seconds: wait.max,
            mean_wait_seconds: wait.mean,
            median_wait_seconds: wait.median,
            p95_wait_seconds: wait.p95,
            max_write_seconds: write.max,
            mean_write_seconds: write.mean,
            median_write_seconds: write.median,
            p95_write_seconds: write.p95,
        }
    }
}

/// A time with its fraction, without zeros at its end, and zone: as Go writes it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    let whole = at.format("%Y-%m-%dT%H:%M:%S");
    match format!("{:09}", at.timestamp_subsec_nanos()).trim_end_matches('0') {
        "" => format!("{whole}Z"),
        fraction => format!("{whole}.{fraction}Z"),
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
