//! Credentials files: section 3 of the configuration document.
//!
//! A small INI dialect with exactly one section, `client`, and two variables, `user` and `password`.

use super::secret::Secret;

/// What a credentials file says. A missing variable is the empty text, it does not fall back to the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: Secret,
}

/// Reads the text of a credentials file.
///
/// # Errors
/// The reason with its line number. It never contains a value, since that may be a password.
pub fn parse(text: &str) -> Result<Credentials, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut credentials = Credentials::default();
    let mut in_section = false;
    for (index, line) in text.lines().enumerate() {
        let at = |reason: &str| format!("line {}: {reason}", index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            check_section(rest).map_err(|reason| at(&reason))?;
            in_section = true;
            continue;
        }
        if !in_section {
            return Err(at("text before the first section; expected [client]"));
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(at("a variable without \"=\""));
        };
        let value = unquote(value).map_err(at)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "user" => credentials.user = value,
            "password" => credentials.password = Secret::new(value),
            _ => {
                let name = name.trim();
                return Err(at(&format!("variable {name:?} is not known; only user and password are")));
            }
        }
    }
    Ok(credentials)
}

/// Checks what follows the opening bracket of a section line.
fn check_section(rest: &str) -> Result<(), String> {
    let Some((name, after)) = rest.split_once(']') else {
        return Err("a section without \"]\"".to_owned());
    };
    let name = name.trim();
    if !name.eq_ignore_ascii_case("client") {
        return Err(format!("section {name:?} is not known; only [client] is"));
    }
    let after = after.trim_start();
    if after.is_empty() || after.starts_with(['#', ';']) { Ok(()) } else { Err("text after the section".to_owned()) }
}

/// Resolves quotes, escapes and comments of a value.
fn unquote(raw: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    // Blanks outside quotes count only between two parts of a value.
    let mut blanks = String::new();
    let mut quoted = false;
    let mut characters = raw.trim().chars();
    while let Some(character) = characters.next() {
        if quoted {
            match character {
                '"' => quoted = false,
                '\\' => value.push(match characters.next() {
                    Some('"') => '"',
                    Some('\\') => '\\',
                    Some('n') => '\n',
                    Some('t') => '\t',
                    _ => return Err("an unknown escape; \\\" \\\\ \\n \\t are known"),
                }),
                other => value.push(other),
            }
            continue;
        }
        match character {
            '#' | ';' => return Ok(value),
            '\\' => return Err("a backslash outside double quotes"),
            blank if blank.is_whitespace() => blanks.push(blank),
            other => {
                value.push_str(&blanks);
                blanks.clear();
                if other == '"' {
                    quoted = true;
                } else {
                    value.push(other);
                }
            }
        }
    }
    if quoted {
        return Err("a double quote that is not closed");
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("[client]\nuser=orc\npassword=secret\n", "orc", "secret")]
    #[case::hash_in_quotes("[client]\nuser=orc_user\npassword=\"pa#ss\"\n", "orc_user", "pa#ss")]
    #[case::comment_cuts("[client]\nuser=orc # the user\npassword=pa;ss\n", "orc", "pa")]
    #[case::names_in_any_case("[CLIENT]\nUser = orc\nPASSWORD = x\n", "orc", "x")]
    #[case::escapes("[client]\npassword=\"a\\\"b\\\\c\\nd\\te\"\n", "", "a\"b\\c\nd\te")]
    #[case::single_quotes_stay("[client]\npassword='x'\n", "", "'x'")]
    #[case::byte_order_mark("\u{feff}[client]\nuser=a\n", "a", "")]
    #[case::windows_lines("[client]\r\nuser=a\r\npassword=b\r\n", "a", "b")]
    #[case::empty_file("", "", "")]
    #[case::empty_value("[client]\nuser=\n", "", "")]
    #[case::last_wins("[client]\nuser=a\nuser=b\n", "b", "")]
    #[case::equals_in_value("[client]\npassword=a=b\n", "", "a=b")]
    fn reads(#[case] text: &str, #[case] user: &str, #[case] password: &str) {
        let credentials = parse(text).unwrap();
        assert_eq!(credentials.user, user);
        assert_eq!(credentials.password.reveal(), password);
    }

    #[rstest]
    #[case::other_variable("[client]\nhost=db\n", "line 2: variable \"host\"")]
    #[case::other_section("[mysqld]\nuser=a\n", "line 1: section \"mysqld\"")]
    #[case::no_equals("[client]\nuser\n", "line 2: a variable without")]
    #[case::before_section("user=a\n", "line 1: text before the first section")]
    #[case::backslash("[client]\npassword=a\\b\n", "line 2: a backslash outside")]
    #[case::open_quote("[client]\npassword=\"abc\n", "line 2: a double quote")]
    #[case::open_section("[client\nuser=a\n", "line 1: a section without")]
    fn refuses(#[case] text: &str, #[case] reason: &str) {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(reason), "{error}");
    }

    #[test]
    fn an_error_does_not_show_the_password() {
        let error = parse("[client]\npassword=gr\\om1t\n").unwrap_err();
        assert!(!error.contains("om1t"), "{error}");
    }
}
