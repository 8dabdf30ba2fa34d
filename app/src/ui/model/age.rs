//! Durations and moments in words. Unknown is said, never shown as zero (`spec/web-ui.md` 25.2).

use chrono::{DateTime, Duration, Timelike, Utc};

/// What stands where nothing is known.
pub const UNKNOWN: &str = "unknown";

/// A length of time in at most two units: `0.4 s`, `12 s`, `3 m 5 s`, `2 h 10 m`, `4 d 3 h`. Negative lengths, which
/// clocks that differ produce, count as nothing.
pub fn duration_text(length: Duration) -> String {
    let millis = length.num_milliseconds().max(0);
    let seconds = millis / 1000;
    if millis < 1000 {
        return format!("0.{} s", millis / 100);
    }
    let pair = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {small_unit}") }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// `12 s ago`; `never` for a moment that has not been.
pub fn ago_text(moment: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match moment {
        None => "never".to_owned(),
        Some(at) if now - at < Duration::seconds(1) => "now".to_owned(),
        Some(at) => format!("{} ago", duration_text(now - at)),
    }
}

/// What is left until a moment: `4 m 10 s left`, or `over`.
pub fn left_text(end: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if end <= now { "over".to_owned() } else { format!("{} left", duration_text(end - now)) }
}

/// Replication lag in seconds: `0 s`, `41 s`, `2 m 5 s`, or `unknown`.
pub fn lag_text(seconds: Option<i64>) -> String {
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(0) => "0 s".to_owned(),
        Some(s) => duration_text(Duration::seconds(s)),
    }
}

/// `2026-11-21 14:02:11 UTC`.
pub fn moment_text(at: DateTime<Utc>) -> String {
    // Without chrono's patterns, whose reader alone is 8 kB of program.
    format!("{} {} UTC", at.date_naive(), clock(at))
}

fn clock(at: DateTime<Utc>) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// `14:02:11.480`, for lines of one story.
pub fn clock_text(at: DateTime<Utc>) -> String {
    format!("{}.{:03}", clock(at), at.timestamp_subsec_millis())
}

/// Milliseconds of a step's allowance: `500 ms`, `30 s`, `2 m`.
pub fn allowance_text(millis: u64) -> String {
    if millis < 1000 {
        return format!("{millis} ms");
    }
    duration_text(Duration::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("moment")
    }

    #[test]
    fn lengths_have_at_most_two_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (440, "0.4 s"),
            (1000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 m"),
            (185_000, "3 m 5 s"),
            (7_800_000, "2 h 10 m"),
            (356_400_000, "4 d 3 h"),
            (-5000, "0.0 s"),
        ] {
            assert_eq!(duration_text(Duration::milliseconds(millis)), text);
        }
    }

    #[test]
    fn unknown_is_never_zero() {
        assert_eq!(lag_text(None), "unknown");
        assert_eq!(lag_text(Some(0)), "0 s");
        assert_eq!(lag_text(Some(125)), "2 m 5 s");
        assert_eq!(ago_text(None, at(10)), "never");
    }

    #[test]
    fn moments_are_told_from_now() {
        assert_eq!(ago_text(Some(at(10)), at(22)), "12 s ago");
        assert_eq!(ago_text(Some(at(10)), at(9)), "now", "a clock ahead of ours");
        assert_eq!(left_text(at(100), at(40)), "1 m left");
        assert_eq!(left_text(at(100), at(100)), "over");
        assert_eq!(allowance_text(500), "500 ms");
        assert_eq!(allowance_text(30_000), "30 s");
    }
}
