//! Figures in a table: least, median, most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Measured times by what was measured, in the order in which they were first told.
#[derive(Default)]
pub struct Figures {
    order: Vec<&'static str>,
    times: BTreeMap<&'static str, Vec<Duration>>,
}

impl Figures {
    /// Adds a measurement.
    pub fn add(&mut self, what: &'static str, time: Duration) {
        if !self.times.contains_key(what) {
            self.order.push(what);
        }
        self.times.entry(what).or_default().push(time);
    }

    /// Runs something so many times and adds how long each took.
    pub fn repeat<T>(&mut self, what: &'static str, runs: usize, mut work: impl FnMut() -> T) {
        for _ in 0..runs {
            let began = Instant::now();
            let result = std::hint::black_box(work());
            let took = began.elapsed();
            drop(result);
            self.add(what, took);
        }
    }

    /// Prints the table.
    pub fn print(&self, title: &str) {
        println!("\n{title}\n");
        println!("| | min | median | max | runs |\n|---|---:|---:|---:|---:|");
        for what in &self.order {
            let mut times = self.times.get(what).cloned().unwrap_or_default();
            times.sort_unstable();
            let at = |share: f64| quantile(&times, share).map(readable).unwrap_or_default();
            println!("| {what} | {} | {} | {} | {} |", at(0.0), at(0.5), at(1.0), times.len());
        }
    }
}

/// The value below which this share of the sorted times lies; `None` without any.
pub fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let last = sorted.len().checked_sub(1)?;
    let index = (last as f64 * share).round() as usize;
    sorted.get(index.min(last)).copied()
}

/// With three digits or so.
pub fn readable(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 10.0 {
        format!("{seconds:.1} s")
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.01 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds >= 1e-3 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.1} µs", seconds * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_three_is_the_middle_one() {
        let times = [1, 2, 30].map(Duration::from_millis);
        assert_eq!(quantile(&times, 0.5), Some(Duration::from_millis(2)));
        assert_eq!(quantile(&times, 1.0), Some(Duration::from_millis(30)));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(readable(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!(readable(Duration::from_millis(345)), "345 ms");
        assert_eq!(readable(Duration::from_micros(1_500)), "1.5 ms");
        assert_eq!(readable(Duration::from_nanos(1_500)), "1.5 µs");
    }
}
