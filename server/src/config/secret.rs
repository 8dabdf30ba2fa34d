//! Values that must not reach a log, a page or an error message.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::value::{Kind, Mismatch, Secrets, Setting};

/// Shown instead of a secret that is set. Not of the secret's length.
const MASK: &str = "********";

/// A password or token. `Debug`, `Display` and `Serialize` show a mask; [`Secret::reveal`] is the only way to the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Hand it to what needs it and to nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn masked(&self) -> &'static str {
        if self.0.is_empty() { "" } else { MASK }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.masked())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.masked())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.masked())
    }
}

impl Setting for Secret {
    const KIND: Kind = Kind::String;
    const SECRET: bool = true;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        match value {
            Value::Null => Ok(()),
            Value::String(text) => {
                self.0.clone_from(text);
                Ok(())
            }
            other => Err(Mismatch::secret(Self::KIND, other)),
        }
    }

    fn to_json(&self, secrets: Secrets) -> Value {
        match secrets {
            Secrets::Reveal => Value::from(self.0.as_str()),
            Secrets::Redact => Value::from(self.masked()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_way_of_printing_shows_it() {
        let secret = Secret::new("grom1t");
        for text in [
            format!("{secret}"),
            format!("{secret:?}"),
            serde_json::to_string(&secret).unwrap(),
            secret.to_json(Secrets::Redact).to_string(),
        ] {
            assert!(!text.contains("grom1t"), "{text}");
            assert!(text.contains(MASK), "{text}");
        }
        assert_eq!(secret.to_json(Secrets::Reveal), json!("grom1t"));
    }

    #[test]
    fn a_wrong_type_does_not_show_the_value() {
        let error = Secret::default().assign(&json!(731_945)).unwrap_err();
        assert_eq!(error.given, "the number");
    }
}
