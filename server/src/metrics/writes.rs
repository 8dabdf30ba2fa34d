//! Writes to the backend.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::window::seconds_before;
use super::{Histograms, Labels, Window, nanos, network};

/// Writes that are kept at most.
const WRITES_KEPT: usize = 100_000;

/// What rows of servers are counted as; the other names are those of the journal's entries.
const SERVERS: &str = "servers";

/// A write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Nanoseconds that it waited for those before it.
    pub wait_ns: u64,
    /// Nanoseconds that the backend took.
    pub execute_ns: u64,
    /// The backend did not take it.
    pub failed: bool,
}

/// Rows of servers that were written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Servers.
    pub instances: u64,
    /// Nanoseconds that they waited for the journal's entries to be written before them.
    pub wait_ns: u64,
    /// Nanoseconds that the backend took.
    pub write_ns: u64,
}

/// Counts writes.
#[derive(Debug)]
pub struct WriteMeter {
    pub(super) durations: Histograms<2>,
    pub(super) rows: Counter,
    /// The same as the histograms count, which do not tell it.
    counts: Family<Labels<2>, Counter>,
    writes: Mutex<Window<Written>>,
    flushes: Mutex<Window<Flushed>>,
}

impl Default for WriteMeter {
    fn default() -> Self {
        Self {
            durations: Histograms::new_with_constructor(network),
            rows: Counter::default(),
            counts: Family::default(),
            writes: Mutex::new(Window::new(WRITES_KEPT)),
            flushes: Mutex::new(Window::new(WRITES_KEPT)),
        }
    }
}

impl WriteMeter {
    /// Something that waited since `queued` was given to the backend from `began` until now.
    pub fn wrote(&self, what: &'static str, queued: Instant, began: Instant, done: bool) {
        let execute = began.elapsed();
        self.durations.get_or_create(&labels(what, done)).observe(execute.as_secs_f64());
        self.counts.get_or_create(&labels(what, done)).inc();
        let wait_ns = nanos(began.saturating_duration_since(queued));
        let written = Written { wait_ns, execute_ns: nanos(execute), failed: !done };
        lock(&self.writes).push(Utc::now(), written);
    }

    /// The same for the rows of so many servers.
    pub fn flushed(&self, instances: usize, queued: Instant, began: Instant, done: bool) {
        self.wrote(SERVERS, queued, began, done);
        if done {
            let instances = instances as u64;
            self.rows.inc_by(instances);
            let wait_ns = nanos(began.saturating_duration_since(queued));
            lock(&self.flushes).push(Utc::now(), Flushed { instances, wait_ns, write_ns: nanos(began.elapsed()) });
        }
    }

    /// Drops what is older than this.
    pub fn trim(&self, keep: TimeDelta, now: DateTime<Utc>) {
        lock(&self.writes).trim(keep, now);
        lock(&self.flushes).trim(keep, now);
    }

    /// Writes of the last so many seconds, oldest first; `None` when none is kept at all.
    pub fn writes(&self, seconds: u64, now: DateTime<Utc>) -> Option<Vec<(DateTime<Utc>, Written)>> {
        let writes = lock(&self.writes);
        (!writes.is_empty()).then(|| writes.since(seconds_before(now, seconds)).copied().collect())
    }

    /// Flushes of the last so many seconds, oldest first; `None` when none is kept at all.
    pub fn flushes(&self, seconds: u64, now: DateTime<Utc>) -> Option<Vec<(DateTime<Utc>, Flushed)>> {
        let flushes = lock(&self.flushes);
        (!flushes.is_empty()).then(|| flushes.since(seconds_before(now, seconds)).copied().collect())
    }

    /// Writes of this kind since the start that the backend took, and those that it did not.
    pub fn count(&self, what: &'static str) -> (u64, u64) {
        let count = |done| self.counts.get(&labels(what, done)).map_or(0, |counter| counter.get());
        (count(true), count(false))
    }

    /// Rows of servers written since the start.
    pub fn rows(&self) -> u64 {
        self.rows.get()
    }
}

fn labels(what: &'static str, done: bool) -> Labels<2> {
    [("entry", what), ("outcome", if done { "done" } else { "failed" })]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_yet_is_not_the_same_as_nothing_lately() {
        let meter = WriteMeter::default();
        let now = Utc::now();
        assert_eq!((meter.writes(60, now), meter.flushes(60, now)), (None, None));
        let began = Instant::now();
        meter.flushed(7, began.checked_sub(Duration::from_secs(2)).unwrap_or(began), began, true);
        meter.flushed(7, began, began, false);
        assert_eq!(meter.flushes(60, now).map(|f| f.len()), Some(1), "only what was written");
        assert_eq!(meter.writes(60, now).map(|w| w.len()), Some(2));
        assert_eq!(meter.writes(0, now + TimeDelta::seconds(9)), Some(vec![]));
        assert_eq!(meter.writes(60, now).expect("some")[0].1.wait_ns, 2_000_000_000);
        assert_eq!((meter.count(SERVERS), meter.count("audit"), meter.rows()), ((1, 1), (0, 0), 7));
        meter.trim(TimeDelta::zero(), now + TimeDelta::seconds(9));
        assert_eq!((meter.writes(60, now), meter.flushes(60, now)), (None, None));
    }
}
