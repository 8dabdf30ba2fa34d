//! Lag over the last minutes, as a line: unknown lag is a gap, never the ground.

use chrono::{DateTime, TimeDelta, Utc};

use super::decimal::px;

/// How far back the line goes.
pub const SPAN: TimeDelta = TimeDelta::minutes(10);

/// Lag at one moment; `None` for unknown.
pub type Sample = (DateTime<Utc>, Option<i64>);

/// A line in a box of a given size.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Path data of SVG; empty when nothing is known.
    pub path: String,
    /// Largest lag in it, seconds.
    pub largest: i64,
    /// Part of the samples that say nothing.
    pub gaps: bool,
}

/// Keeps a sample; those that are too old go, and so does one that says the same as the one before and after it.
pub fn keep(samples: &mut Vec<Sample>, sample: Sample) {
    if samples.last().is_some_and(|(at, _)| *at >= sample.0) {
        return;
    }
    samples.retain(|(at, _)| sample.0 - *at <= SPAN);
    if let [.., (_, before), (_, last)] = samples.as_slice()
        && before == last
        && *last == sample.1
    {
        samples.pop();
    }
    samples.push(sample);
}

/// The line of samples that end at `now`, `width` by `height` CSS pixels. At least ten seconds of lag fill the height, so
/// that a second or two do not look like much.
pub fn line(samples: &[Sample], now: DateTime<Utc>, width: f64, height: f64) -> Line {
    let largest = samples.iter().filter_map(|(_, lag)| *lag).max().unwrap_or(0);
    let span = SPAN.num_milliseconds().max(1);
    // Within the span: no precision is lost.
    #[allow(clippy::cast_precision_loss)]
    let x = |at: DateTime<Utc>| width * (1.0 - ((now - at).num_milliseconds() as f64 / span as f64).clamp(0.0, 1.0));
    #[allow(clippy::cast_precision_loss)]
    let y = |lag: i64| height - 1.0 - (height - 2.0) * (lag.max(0) as f64 / largest.max(10) as f64);
    let mut path = String::new();
    let mut drawing = false;
    for (at, lag) in samples {
        match lag {
            None => drawing = false,
            Some(lag) => {
                path.push_str(&format!("{}{} {}", if drawing { "L" } else { "M" }, px(x(*at)), px(y(*lag))));
                drawing = true;
            }
        }
    }
    if let (true, Some((_, Some(lag)))) = (drawing, samples.last()) {
        path.push_str(&format!("L{} {}", px(width), px(y(*lag))));
    }
    Line { path, largest, gaps: samples.iter().any(|(_, lag)| lag.is_none()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("moment")
    }

    #[test]
    fn unknown_lag_is_a_gap() {
        let samples = [(at(0), Some(0)), (at(300), None), (at(450), Some(20))];
        let drawn = line(&samples, at(600), 100.0, 22.0);
        assert_eq!(drawn.path, "M0 21M75 1L100 1");
        assert_eq!((drawn.largest, drawn.gaps), (20, true));
        assert_eq!(line(&[], at(0), 100.0, 22.0).path, "");
    }

    #[test]
    fn only_what_says_something_is_kept() {
        let mut samples = Vec::new();
        for second in 0..200 {
            keep(&mut samples, (at(second), Some(0)));
        }
        assert_eq!(samples, [(at(0), Some(0)), (at(199), Some(0))]);
        keep(&mut samples, (at(100), Some(7)));
        assert_eq!(samples.len(), 2, "what comes late is left out");
        keep(&mut samples, (at(900), Some(3)));
        assert_eq!(samples, [(at(900), Some(3))]);
    }
}
