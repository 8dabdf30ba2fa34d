//! Figures about the service itself (`spec/api.md` 2.20).

use chrono::Utc;

use super::Answer;
use super::call::Call;
use crate::api::compat::{
    AggregatedDiscoveryMetrics, AggregatedQueryMetrics, AggregatedQueueMetrics, AggregatedWriteBufferMetrics,
    DiscoveryMetric, QueryMetric, QueueMetric, WriteBufferMetric,
};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Viewer;
use crate::metrics::QueueSample;

/// The queue of all looks.
const DEFAULT_QUEUE: &str = "DEFAULT";

/// The queue of servers that do not answer, with `DeadInstanceDiscoveryMaxConcurrency`.
const DEAD_QUEUE: &str = "DEADINSTANCES";

/// `discovery-metrics-raw/:seconds`
pub async fn discovery_raw(_: Viewer, call: Call) -> ApiResult<Answer> {
    let seconds = seconds(&call)?;
    if seconds == 0 {
        return Err(ApiError::bad_input("seconds must be a whole number above 0, got \"0\""));
    }
    let looks = call.services.discovery.meter().looks(seconds, Utc::now());
    Ok(Answer::bare_or_null(&looks.iter().map(DiscoveryMetric::from).collect::<Vec<_>>()))
}

/// `discovery-metrics-aggregated/:seconds`. What is no number at all counts as 0, as in the original.
pub async fn discovery_aggregated(_: Viewer, call: Call) -> ApiResult<Answer> {
    let is_number = call.param("seconds").parse::<i128>().is_ok();
    let seconds = if is_number { seconds(&call)? } else { 0 };
    let looks = call.services.discovery.meter().looks(seconds, Utc::now());
    Ok(Answer::bare(&AggregatedDiscoveryMetrics::new(&looks)))
}

/// `discovery-queue-metrics-raw/:seconds`, `discovery-queue-metrics-raw/:queue/:seconds`
pub async fn queue_raw(_: Viewer, call: Call) -> ApiResult<Answer> {
    Ok(Answer::bare(&queue_samples(&call)?))
}

/// `discovery-queue-metrics-aggregated/:seconds`, `discovery-queue-metrics-aggregated/:queue/:seconds`
pub async fn queue_aggregated(_: Viewer, call: Call) -> ApiResult<Answer> {
    Ok(Answer::bare(&AggregatedQueueMetrics::new(&queue_samples(&call)?)))
}

/// `backend-query-metrics-raw/:seconds`
pub async fn backend_raw(_: Viewer, call: Call) -> ApiResult<Answer> {
    let writes = call.services.journal.meter().writes(seconds(&call)?, Utc::now());
    Ok(Answer::bare(&writes.map(|writes| writes.iter().map(QueryMetric::from).collect::<Vec<_>>())))
}

/// `backend-query-metrics-aggregated/:seconds`
pub async fn backend_aggregated(_: Viewer, call: Call) -> ApiResult<Answer> {
    let writes = call.services.journal.meter().writes(seconds(&call)?, Utc::now());
    Ok(Answer::bare(&AggregatedQueryMetrics::new(&writes.unwrap_or_default())))
}

/// `write-buffer-metrics-raw/:seconds`
pub async fn buffer_raw(_: Viewer, call: Call) -> ApiResult<Answer> {
    let flushes = call.services.journal.meter().flushes(seconds(&call)?, Utc::now());
    Ok(Answer::bare(&flushes.map(|flushes| flushes.iter().map(WriteBufferMetric::from).collect::<Vec<_>>())))
}

/// `write-buffer-metrics-aggregated/:seconds`
pub async fn buffer_aggregated(_: Viewer, call: Call) -> ApiResult<Answer> {
    let flushes = call.services.journal.meter().flushes(seconds(&call)?, Utc::now()).unwrap_or_default();
    let discovery = &call.config.discovery;
    let (size, interval) = (discovery.instance_write_buffer_size, discovery.instance_flush_interval_milliseconds);
    Ok(Answer::bare(&AggregatedWriteBufferMetrics::new(&flushes, size, interval)))
}

/// The queue's last samples, one a second.
fn queue_samples(call: &Call) -> ApiResult<Vec<QueueMetric>> {
    let has_dead_queue = call.config.discovery.dead_instance_max_concurrency > 0;
    let of_queue: fn(&QueueSample) -> QueueMetric = match (call.param("queue"), has_dead_queue) {
        ("" | DEFAULT_QUEUE, false) => |s| QueueMetric { active: s.active, queued: s.queued },
        ("" | DEFAULT_QUEUE, true) => {
            |s| QueueMetric { active: s.active - s.silent_active, queued: s.queued - s.silent_queued }
        }
        (DEAD_QUEUE, true) => |s| QueueMetric { active: s.silent_active, queued: s.silent_queued },
        (other, has_dead_queue) => {
            let known =
                if has_dead_queue { format!("{DEFAULT_QUEUE} or {DEAD_QUEUE}") } else { DEFAULT_QUEUE.to_owned() };
            return Err(ApiError::not_found("Queue", format!("{other:?}; expected {known}")));
        }
    };
    let count = usize::try_from(seconds(call)?).unwrap_or(usize::MAX);
    Ok(call.services.discovery.meter().queue_samples(count).iter().map(of_queue).collect())
}

/// `:seconds`. The original takes a negative number too, and breaks down.
fn seconds(call: &Call) -> ApiResult<u64> {
    let text = call.param("seconds");
    let bad = |_| ApiError::bad_input(format!("seconds must be a whole number from 0, got {text:?}"));
    text.parse().map_err(bad)
}
