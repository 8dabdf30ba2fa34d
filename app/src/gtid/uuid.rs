//! Server UUIDs.

use std::fmt;
use std::str::FromStr;

use super::GtidError;

/// A server (or group) UUID. Ordered as MySQL orders them: by value, which is also the order of the
/// lower-case text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerUuid(u128);

impl ServerUuid {
    /// The UUID of this number, most significant byte first.
    pub fn from_u128(number: u128) -> Self {
        Self(number)
    }
}

impl FromStr for ServerUuid {
    type Err = GtidError;

    /// Accepts what MySQL accepts: any case, with or without dashes, with or without braces around a dashed one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || GtidError::uuid(text, text);
        let trimmed = text.trim();
        let bare = match trimmed.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or_else(wrong)?,
            None => trimmed,
        };
        let dashed = bare.contains('-');
        let mut number: u128 = 0;
        let mut digits = 0;
        for c in bare.chars() {
            // Dashes stand after 8, 12, 16 and 20 digits, all or none of them.
            if c == '-' {
                continue;
            }
            let digit = c.to_digit(16).ok_or_else(wrong)?;
            if digits == 32 {
                return Err(wrong());
            }
            number = (number << 4) | u128::from(digit);
            digits += 1;
        }
        let shape_holds = !dashed || bare.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        if digits == 32 && shape_holds { Ok(Self(number)) } else { Err(wrong()) }
    }
}

impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            n >> 96,
            (n >> 80) & 0xffff,
            (n >> 64) & 0xffff,
            (n >> 48) & 0xffff,
            n & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_mysql_accepts_are_accepted() {
        let plain: ServerUuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().expect("plain");
        for text in [
            "3E11FA47-71CA-11E1-9E33-C80AA9429562",
            "{3e11fa47-71ca-11e1-9e33-c80aa9429562}",
            "3e11fa4771ca11e19e33c80aa9429562",
            " 3e11fa47-71ca-11e1-9e33-c80aa9429562\n",
        ] {
            assert_eq!(text.parse::<ServerUuid>(), Ok(plain), "{text}");
        }
        assert_eq!(plain.to_string(), "3e11fa47-71ca-11e1-9e33-c80aa9429562");
    }

    #[test]
    fn anything_else_is_refused_with_the_text_in_the_message() {
        for text in [
            "",
            "No",
            "3e11fa47-71ca-11e1-9e33-c80aa942956",
            "3e11fa47-71ca-11e1-9e33-c80aa94295621",
            "3e11fa4-771ca-11e1-9e33-c80aa9429562",
            "{3e11fa47-71ca-11e1-9e33-c80aa9429562",
            "3e11fa47-71ca-11e1-9e33-c80aa942956g",
            "３e11fa47-71ca-11e1-9e33-c80aa9429562",
        ] {
            let error = text.parse::<ServerUuid>().expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
