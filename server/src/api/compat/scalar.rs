//! Single values: times, optional numbers, quoted texts, sets of keys.

use std::fmt::Write as _;
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// How times of the backend look. The original hands them through as its backend gives them, so it depends on
/// the kind of backend (`spec/api.md` 1.2); ours come from memory and are written in that kind's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// `2030-01-02T03:04:05Z` for stored times, `2030-01-02 03:04:05` for computed ones.
    Sqlite,
    /// `2030-01-02 03:04:05` for all.
    Mysql,
}

impl TimeForm {
    /// A time that stands in a column; empty for none.
    pub fn stored(self, at: Option<DateTime<Utc>>) -> String {
        match (self, at) {
            (_, None) => String::new(),
            (Self::Sqlite, Some(at)) => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            (Self::Mysql, at) => self.computed(at),
        }
    }

    /// A time that the backend computes in a statement; empty for none.
    pub fn computed(self, at: Option<DateTime<Utc>>) -> String {
        at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
    }
}

/// An integer that may be absent.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NullInt64 {
    int64: i64,
    valid: bool,
}

impl From<Option<i64>> for NullInt64 {
    fn from(value: Option<i64>) -> Self {
        Self { int64: value.unwrap_or_default(), valid: value.is_some() }
    }
}

/// A boolean that may be absent.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NullBool {
    bool: bool,
    valid: bool,
}

impl From<Option<bool>> for NullBool {
    fn from(value: Option<bool>) -> Self {
        Self { bool: value.unwrap_or_default(), valid: value.is_some() }
    }
}

/// Sorted by host name, then port, each key once; never `null`.
pub(super) fn key_set<'a>(keys: impl IntoIterator<Item = &'a InstanceKey>) -> Vec<InstanceKey> {
    let mut keys: Vec<InstanceKey> = keys.into_iter().cloned().collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The error text of a replication thread: empty, or inside double quotes with everything outside printable ASCII
/// escaped (`spec/api.md` 3.2, fields 36 and 37).
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        let code = u32::from(character);
        // Writing to a text cannot fail.
        let _infallible = match character {
            '"' | '\\' => write!(quoted, "\\{character}"),
            '\u{7}' => write!(quoted, "\\a"),
            '\u{8}' => write!(quoted, "\\b"),
            '\u{c}' => write!(quoted, "\\f"),
            '\n' => write!(quoted, "\\n"),
            '\r' => write!(quoted, "\\r"),
            '\t' => write!(quoted, "\\t"),
            '\u{b}' => write!(quoted, "\\v"),
            ' '..='~' => write!(quoted, "{character}"),
            _ if code < 0x80 => write!(quoted, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(quoted, "\\u{code:04x}"),
            _ => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted.push('"');
    quoted
}

/// A time span as Go writes it: `1.234567ms`, `2.5s`, `1h2m3s` (`spec/api.md` 4.5).
pub fn go_duration(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let rest = (span - Duration::from_secs(minutes * 60)).as_nanos();
    // Units below a second are for spans below a second only.
    let (digits, name) = match rest {
        0 => (0, "s"),
        1..1_000 if minutes == 0 => (0, "ns"),
        1_000..1_000_000 if minutes == 0 => (3, "µs"),
        1_000_000..1_000_000_000 if minutes == 0 => (6, "ms"),
        _ => (9, "s"),
    };
    let unit = 10_u128.pow(digits);
    let width = digits as usize;
    let fraction = format!("{:0width$}", rest % unit);
    let text = format!("{}.{fraction}", rest / unit);
    let rest = text.trim_end_matches('0').trim_end_matches('.');
    match minutes {
        0 => format!("{rest}{name}"),
        1..60 => format!("{minutes}m{rest}{name}"),
        _ => format!("{}h{}m{rest}{name}", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0s")]
    #[case(999, "999ns")]
    #[case(1_500, "1.5µs")]
    #[case(1_234_567, "1.234567ms")]
    #[case(100_000_000, "100ms")]
    #[case(2_500_000_000, "2.5s")]
    #[case(10_000_000_000, "10s")]
    #[case(60_000_000_000, "1m0s")]
    #[case(60_000_000_001, "1m0.000000001s")]
    #[case(3_723_000_000_000, "1h2m3s")]
    fn spans_are_written_as_scripts_know_them(#[case] nanos: u64, #[case] expected: &str) {
        assert_eq!(go_duration(Duration::from_nanos(nanos)), expected);
    }
}
