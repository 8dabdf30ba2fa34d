//! Time spans as people write them: digits and one of `s`, `m`, `h`, `d`, `w` (`spec/api.md` 1.11).

use chrono::TimeDelta;

/// A text that is no time span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse duration: expected digits and one of s, m, h, d, w, for instance 30m; got {0:?}")]
pub struct DurationError(String);

/// Reads a time span; `None` for an empty text.
///
/// # Errors
/// [`DurationError`] with the text given.
pub fn parse_duration(text: &str) -> Result<Option<TimeDelta>, DurationError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || DurationError(text.to_owned());
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: i64 = digits.parse().map_err(|_| wrong())?;
    let length = count.checked_mul(seconds).and_then(TimeDelta::try_seconds).ok_or_else(wrong)?;
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some(None))]
    #[case("0s", Some(Some(0)))]
    #[case("90s", Some(Some(90)))]
    #[case("10m", Some(Some(600)))]
    #[case("2h", Some(Some(7_200)))]
    #[case("1d", Some(Some(86_400)))]
    #[case("1w", Some(Some(604_800)))]
    #[case("10", None)]
    #[case("m", None)]
    #[case("-1m", None)]
    #[case("1.5h", None)]
    #[case("1h30m", None)]
    #[case("10é", None)]
    #[case("9999999999999999999s", None)]
    #[case("9223372036854775807w", None)]
    fn spans_are_read(#[case] text: &str, #[case] expected: Option<Option<i64>>) {
        let read = parse_duration(text).ok().map(|span| span.map(|s| s.num_seconds()));
        assert_eq!(read, expected);
    }
}
