//! Text forms of the compatible tables: timestamps, quoted error texts, lists of servers, lengths.

use app::InstanceKey;
use chrono::{DateTime, NaiveDateTime, Utc};

/// The stored form of a moment.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";
/// End of the first day of 1971; everything before means "never" (the default of late-added columns is
/// `1971-01-01 00:00:00` in whatever zone the session had, and unreadable values come as year 1).
const NEVER_BEFORE: i64 = 365 * 86_400 + 2 * 86_400;
/// Last second that TIMESTAMP columns of every server version hold.
const TIMESTAMP_MAX: i64 = 2_147_483_647;

/// `YYYY-MM-DD hh:mm:ss` in UTC.
pub(super) fn time_text(time: DateTime<Utc>) -> String {
    time.format(TIME_FORMAT).to_string()
}

/// The same, held within what a TIMESTAMP column takes.
pub(super) fn timestamp_text(time: DateTime<Utc>) -> String {
    let seconds = time.timestamp().clamp(1, TIMESTAMP_MAX);
    time_text(DateTime::from_timestamp(seconds, 0).unwrap_or(time))
}

/// The stored form of "never".
pub(super) fn never() -> DateTime<Utc> {
    DateTime::from_timestamp(365 * 86_400, 0).unwrap_or_default()
}

/// The moment, unless it stands for "never".
pub(super) fn real_time(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (time.timestamp() >= NEVER_BEFORE).then_some(time)
}

/// Reads both forms that occur, `YYYY-MM-DD hh:mm:ss` and RFC 3339 (`spec/schema.md` 4.3), with or
/// without fractions. `None` for empty, unreadable and "never".
pub(super) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let naive = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|t| t.and_utc());
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|t| t.with_timezone(&Utc))
        .or_else(|| naive("%Y-%m-%d %H:%M:%S%.f"))
        .or_else(|| naive("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|| text.parse::<DateTime<Utc>>().ok())
        .and_then(real_time)
}

/// Quotes an error text as the compatible columns hold it: double quotes around it, everything
/// outside printable ASCII escaped. Empty stays empty.
pub(super) fn quote_ascii(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            ' '..='~' => quoted.push(c),
            c if u32::from(c) < 0x80 => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Undoes [`quote_ascii`]; a text that is not quoted, or wrongly so, is taken as it is.
pub(super) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let hex = |chars: &mut std::str::Chars<'_>, digits: usize| {
            let code: String = chars.take(digits).collect();
            u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
        };
        match chars.next() {
            Some('a') => plain.push('\u{7}'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('v') => plain.push('\u{b}'),
            Some('x') => plain.push(hex(&mut chars, 2)),
            Some('u') => plain.push(hex(&mut chars, 4)),
            Some('U') => plain.push(hex(&mut chars, 8)),
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
    }
    plain
}

/// Servers as `slave_hosts` and `replication_group_members` hold them: a JSON array of keys.
pub(super) fn keys_json(keys: &[InstanceKey]) -> String {
    serde_json::to_string(keys).unwrap_or_else(|_| "[]".to_owned())
}

/// Reads a JSON array of keys, or the comma list of older rows; anything else is no server.
pub(super) fn parse_keys(text: &str) -> Vec<InstanceKey> {
    let text = text.trim();
    if text.starts_with('[') || text == "null" {
        return serde_json::from_str(text).unwrap_or_default();
    }
    parse_key_list(text)
}

/// Servers as recovery rows hold them: `host:port,host:port`.
pub(super) fn key_list<'a>(keys: impl IntoIterator<Item = &'a InstanceKey>) -> String {
    keys.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Reads a comma list of `host:port`. The port is what follows the last colon, because an IPv6 host is
/// not bracketed; what has none is left out.
pub(super) fn parse_key_list(text: &str) -> Vec<InstanceKey> {
    text.split(',')
        .filter_map(|entry| entry.trim().rsplit_once(':'))
        .filter_map(|(host, port)| Some(InstanceKey::new(host, port.parse().ok()?)))
        .filter(|key| !key.hostname.is_empty())
        .collect()
}

/// The longest beginning of a text that takes at most `bytes` bytes and ends between characters.
pub(super) fn clip(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The text with everything outside ASCII replaced by `?`.
pub(super) fn to_ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The text with characters that the three-byte character set lacks replaced by `?`, clipped to `chars` characters.
pub(super) fn to_utf8mb3(text: &str, chars: usize) -> String {
    text.chars().take(chars).map(|c| if u32::from(c) > 0xffff { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_timestamp_forms_are_one_moment_and_never_is_none() {
        let at = DateTime::from_timestamp(1_767_225_845, 0);
        for text in
            ["2026-01-01 00:04:05", "2026-01-01T00:04:05Z", "2026-01-01T01:04:05+01:00", "2026-01-01 00:04:05.0"]
        {
            assert_eq!(parse_time(text), at, "{text}");
        }
        for text in
            ["", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "1971-01-01 00:00:00", "1971-01-01T12:00:00Z", "soon"]
        {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert_eq!(timestamp_text(DateTime::from_timestamp(9_000_000_000, 0).unwrap()), "2038-01-19 03:14:07");
        assert_eq!(time_text(never()), "1971-01-01 00:00:00");
    }

    #[test]
    fn error_texts_are_quoted_to_ascii_and_back() {
        let text = "error \"2003\" \\ tab\there\nK\u{f6}ln \u{1f600} \u{1}";
        let quoted = quote_ascii(text);
        assert_eq!(quoted, r#""error \"2003\" \\ tab\there\nK\u00f6ln \U0001f600 \x01""#);
        assert_eq!(unquote(&quoted), text);
        assert_eq!(quote_ascii(""), "");
        assert_eq!(unquote("not quoted"), "not quoted");
        assert_eq!(unquote("\"cut \\u00"), "\"cut \\u00");
        assert_eq!(unquote(r#""bad \uzzzz end""#), "bad \u{fffd} end");
    }

    #[test]
    fn lists_of_servers_are_read_in_both_forms() {
        let keys = vec![InstanceKey::new("db1", 3306), InstanceKey::new("2001:db8::1", 3307)];
        assert_eq!(parse_keys(&keys_json(&keys)), keys);
        assert_eq!(parse_keys(&key_list(&keys)), keys);
        for text in ["", "null", "[]", "[{", ",", "db1", ":3306"] {
            assert_eq!(parse_keys(text), vec![], "{text}");
        }
    }

    #[test]
    fn clipping_never_splits_a_character() {
        assert_eq!(clip("K\u{f6}ln", 2), "K");
        assert_eq!(clip("abc", 5), "abc");
        assert_eq!(to_ascii("K\u{f6}ln"), "K?ln");
        assert_eq!(to_utf8mb3("K\u{f6}\u{1f600}ln", 4), "K\u{f6}?l");
    }
}
