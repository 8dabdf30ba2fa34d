//! Looks at servers, and the queue that they wait in.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::metrics::histogram::Histogram;

use super::window::seconds_before;
use super::{Histograms, Window, nanos, network};
use crate::mysql::{MysqlError, ProbeError, ProbeOutcome, ProbeResult};

/// Looks that are kept at most: two minutes of 4,000 polls a second, 24 MB.
const LOOKS_KEPT: usize = 500_000;

/// Samples of the queue that are kept at most: a day.
const SAMPLES_KEPT: usize = 86_400;

/// MySQL's number for a user or password that is refused.
const ACCESS_DENIED: u16 = 1045;

/// A look that was taken.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The server.
    pub key: Arc<InstanceKey>,
    /// Nanoseconds that the server and the network took.
    pub server_ns: u64,
    /// Nanoseconds from the decision to look until the picture knew.
    pub total_ns: u64,
    /// It did not give what was looked for.
    pub failed: bool,
}

/// How full the queue was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSample {
    /// Looks under way.
    pub active: u64,
    /// Servers that are due and wait for room.
    pub queued: u64,
    /// Those of them that count to the lane of servers that do not answer.
    pub silent_active: u64,
    /// The same, waiting.
    pub silent_queued: u64,
}

/// Counts looks.
#[derive(Debug)]
pub struct ProbeMeter {
    pub(super) durations: Histograms<1>,
    pub(super) round_trips: Histogram,
    pub(super) lateness: Histograms<1>,
    looks: Mutex<Looks>,
    queue: Mutex<Window<QueueSample>>,
    attempts: AtomicU64,
    failures: AtomicU64,
    slow: AtomicU64,
    denied: AtomicU64,
}

#[derive(Debug)]
struct Looks {
    window: Window<Probed>,
    /// One copy of each server's name for all of its looks.
    names: HashSet<Arc<InstanceKey>>,
}

/// A look under way. It is counted when this is dropped, if the server was asked at all.
#[derive(Debug)]
pub struct Look<'a> {
    meter: &'a ProbeMeter,
    key: &'a InstanceKey,
    began: Instant,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    latency: Duration,
    failed: bool,
    kept: bool,
    poll: Duration,
}

impl Default for ProbeMeter {
    fn default() -> Self {
        Self {
            durations: Histograms::new_with_constructor(network),
            round_trips: Histogram::new([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0]),
            lateness: Histograms::new_with_constructor(network),
            looks: Mutex::new(Looks { window: Window::new(LOOKS_KEPT), names: HashSet::new() }),
            queue: Mutex::new(Window::new(SAMPLES_KEPT)),
            attempts: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            denied: AtomicU64::new(0),
        }
    }
}

impl ProbeMeter {
    /// A look at a server begins.
    pub fn look<'a>(&'a self, key: &'a InstanceKey) -> Look<'a> {
        Look { meter: self, key, began: Instant::now(), asked: None }
    }

    /// A look began so much later than it was due.
    pub fn begun_late(&self, lane: &'static str, by: Duration) {
        self.lateness.get_or_create(&[("lane", lane)]).observe(by.as_secs_f64());
    }

    /// Takes a sample of the queue and keeps the last `kept`.
    pub fn sample_queue(&self, sample: QueueSample, now: DateTime<Utc>, kept: usize) {
        let mut queue = lock(&self.queue);
        queue.push(now, sample);
        queue.keep_last(kept);
    }

    /// Drops looks older than this.
    pub fn trim(&self, keep: TimeDelta, now: DateTime<Utc>) {
        let mut looks = lock(&self.looks);
        looks.window.trim(keep, now);
        let names = &mut looks.names;
        // Servers that nobody looks at any more leave only their own copy behind.
        names.retain(|name| Arc::strong_count(name) > 1);
    }

    /// Looks of the last so many seconds, oldest first.
    pub fn looks(&self, seconds: u64, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, Probed)> {
        lock(&self.looks).window.since(seconds_before(now, seconds)).cloned().collect()
    }

    /// The last so many samples of the queue, oldest first.
    pub fn queue_samples(&self, count: usize) -> Vec<QueueSample> {
        lock(&self.queue).last(count).map(|(_, sample)| *sample).collect()
    }

    /// Looks taken since the start.
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Those that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Those that took longer than `InstancePollSeconds`.
    pub fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Those to which the server said that user or password are wrong.
    pub fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    fn keep(&self, key: &InstanceKey, asked: &Asked, total: Duration) {
        let mut looks = lock(&self.looks);
        let key = match looks.names.get(key) {
            Some(name) => Arc::clone(name),
            None => {
                let name = Arc::new(key.clone());
                looks.names.insert(Arc::clone(&name));
                name
            }
        };
        let look = Probed { key, server_ns: nanos(asked.latency), total_ns: nanos(total), failed: asked.failed };
        looks.window.push(Utc::now(), look);
    }
}

impl Look<'_> {
    /// The server was asked, and so it ended. `poll` is the time between two looks.
    pub fn asked(&mut self, result: &ProbeResult, poll: Duration) {
        let meter = self.meter;
        let outcome = outcome_name(&result.outcome);
        meter.durations.get_or_create(&[("outcome", outcome)]).observe(result.latency.as_secs_f64());
        meter.round_trips.observe(f64::from(result.round_trips));
        if is_denied(&result.outcome) {
            meter.denied.fetch_add(1, Ordering::Relaxed);
        }
        self.asked = Some(Asked {
            latency: result.latency,
            failed: !matches!(result.outcome, ProbeOutcome::Seen(_)),
            kept: !matches!(result.outcome, ProbeOutcome::Skipped),
            poll,
        });
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        let Some(asked) = self.asked.take().filter(|asked| asked.kept) else { return };
        let total = self.began.elapsed();
        let meter = self.meter;
        meter.attempts.fetch_add(1, Ordering::Relaxed);
        if asked.failed {
            meter.failures.fetch_add(1, Ordering::Relaxed);
        }
        if total > asked.poll {
            meter.slow.fetch_add(1, Ordering::Relaxed);
        }
        meter.keep(self.key, &asked, total);
    }
}

fn outcome_name(outcome: &ProbeOutcome) -> &'static str {
    match outcome {
        ProbeOutcome::Seen(_) => "seen",
        ProbeOutcome::Partial { .. } => "partial",
        ProbeOutcome::Failed { error } if error.is_silence() => "silent",
        ProbeOutcome::Failed { .. } => "failed",
        ProbeOutcome::Skipped => "skipped",
    }
}

fn is_denied(outcome: &ProbeOutcome) -> bool {
    let error: Option<&MysqlError> = match outcome {
        ProbeOutcome::Partial { error, .. } | ProbeOutcome::Failed { error: ProbeError::Mysql(error) } => Some(error),
        _ => None,
    };
    error.and_then(MysqlError::number) == Some(ACCESS_DENIED)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(outcome: ProbeOutcome) -> ProbeResult {
        ProbeResult {
            probed: InstanceKey::new("db1", 3306),
            started: Utc::now(),
            ended: Utc::now(),
            latency: Duration::from_millis(3),
            round_trips: 2,
            outcome,
            refused: Default::default(),
        }
    }

    fn failed() -> ProbeOutcome {
        let error = MysqlError::Server { code: ACCESS_DENIED, state: "28000".to_owned(), message: String::new() };
        ProbeOutcome::Failed { error: error.into() }
    }

    #[test]
    fn a_look_is_counted_once_when_it_is_over() {
        let meter = ProbeMeter::default();
        let key = InstanceKey::new("db1", 3306);
        drop(meter.look(&key));
        assert_eq!(meter.attempts(), 0, "the server was not asked");
        let mut look = meter.look(&key);
        look.asked(&result(failed()), Duration::ZERO);
        assert_eq!(meter.attempts(), 0, "it is not over");
        drop(look);
        assert_eq!((meter.attempts(), meter.failures(), meter.slow(), meter.denied()), (1, 1, 1, 1));
        let kept = meter.looks(60, Utc::now());
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].1.server_ns, kept[0].1.failed), (3_000_000, true));
        meter.look(&key).asked(&result(ProbeOutcome::Skipped), Duration::from_secs(5));
        assert_eq!((meter.attempts(), meter.looks(60, Utc::now()).len()), (1, 1), "left out by a filter");
        assert!(meter.durations.get(&[("outcome", "skipped")]).is_some());
    }

    #[test]
    fn names_of_servers_are_kept_once_and_let_go() {
        let meter = ProbeMeter::default();
        let key = InstanceKey::new("db1", 3306);
        for _ in 0..3 {
            meter.look(&key).asked(&result(failed()), Duration::from_secs(5));
        }
        let kept = meter.looks(60, Utc::now());
        assert!(kept.iter().all(|(_, look)| Arc::ptr_eq(&look.key, &kept[0].1.key)));
        drop(kept);
        meter.trim(TimeDelta::seconds(60), Utc::now());
        assert_eq!(lock(&meter.looks).names.len(), 1);
        meter.trim(TimeDelta::zero(), Utc::now() + TimeDelta::seconds(1));
        assert!(lock(&meter.looks).names.is_empty() && lock(&meter.looks).window.is_empty());
    }

    /// Not a bound that a busy machine could break: it prints what a look costs, for docs/PERFORMANCE.md.
    #[test]
    #[ignore = "a measurement: cargo test --release -p orchestrator --lib a_look_costs -- --ignored --nocapture"]
    fn a_look_costs() {
        let meter = ProbeMeter::default();
        let keys: Vec<InstanceKey> = (0..10_000).map(|n| InstanceKey::new(format!("db{n}.example"), 3306)).collect();
        let seen = result(ProbeOutcome::Skipped);
        let mut seen = ProbeResult { outcome: failed(), ..seen };
        seen.latency = Duration::from_millis(1);
        for round in 0..5 {
            let began = Instant::now();
            for key in &keys {
                meter.begun_late("regular", Duration::from_micros(10));
                meter.look(key).asked(&seen, Duration::from_secs(5));
            }
            println!("round {round}: {} ns a look", began.elapsed().as_nanos() / 10_000);
        }
    }
}
