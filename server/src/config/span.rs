//! Spans of time out of numbers that somebody typed.

use std::time::Duration;

/// A hundred years: longer than any span that is meant, and short enough that multiplying it cannot overflow.
const LONGEST_SECONDS: u64 = 100 * 366 * 24 * 3600;

/// That many seconds; negative counts as none, absurdly many as a hundred years.
pub(crate) fn seconds(count: impl TryInto<u64>) -> Duration {
    // What does not fit is negative: no type used here is wider.
    let count = count.try_into().unwrap_or(0);
    Duration::from_secs(count.min(LONGEST_SECONDS))
}

/// That many minutes, within the same bounds.
pub(crate) fn minutes(count: impl TryInto<u64>) -> Duration {
    seconds(count.try_into().unwrap_or(0).saturating_mul(60))
}

/// That many hours, within the same bounds.
pub(crate) fn hours(count: impl TryInto<u64>) -> Duration {
    seconds(count.try_into().unwrap_or(0).saturating_mul(3600))
}

/// A time limit in seconds; 0 or less means none.
pub(crate) fn limit(count: i64) -> Option<Duration> {
    (count > 0).then(|| seconds(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_within_bounds() {
        assert_eq!(seconds(-1_i64), Duration::ZERO);
        assert_eq!(seconds(i64::MIN), Duration::ZERO);
        assert_eq!(minutes(2_u64), Duration::from_secs(120));
        assert_eq!(hours(u64::MAX).as_secs(), LONGEST_SECONDS);
        assert_eq!(limit(0), None);
        assert_eq!(limit(30), Some(Duration::from_secs(30)));
        let _ = seconds(u64::MAX) * 100;
    }
}
