//! Literals of SQL.

/// A string literal. Sessions that send it run without `NO_BACKSLASH_ESCAPES`, which is the servers' default and what the
/// executor's connections set.
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\u{1a}' => quoted.push_str("\\Z"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_literal_early() {
        for (text, quoted) in [
            ("db1", "'db1'"),
            ("", "''"),
            ("it's", "'it''s'"),
            (r"C:\ca.pem", r"'C:\\ca.pem'"),
            (r"\' OR 1 --", r"'\\'' OR 1 --'"),
            ("a\0b\nc", r"'a\0b\nc'"),
        ] {
            assert_eq!(literal(text), quoted);
        }
    }
}
