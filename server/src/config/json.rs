//! The outer shape of a configuration file: one JSON object, whose keys may repeat.
//!
//! serde_json's own map drops the earlier of two equal keys without their order; here all entries are kept in the
//! order of the file, so that the last one wins whatever case it is written in.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The entries of the first JSON value, which must be an object. What follows it is ignored.
///
/// # Errors
/// The reason, with line and column.
pub fn entries(bytes: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err("the file is empty".to_owned());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = Entries::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    Ok(entries.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_keys_are_kept_in_order() {
        let found = entries(br##"{"#": "a", "Debug": true, "#": "b", "debug": false}"##).unwrap();
        assert_eq!(
            found,
            vec![
                ("#".to_owned(), json!("a")),
                ("Debug".to_owned(), json!(true)),
                ("#".to_owned(), json!("b")),
                ("debug".to_owned(), json!(false)),
            ]
        );
    }

    #[test]
    fn what_follows_the_object_is_ignored() {
        assert_eq!(entries(b"{} trailing [").unwrap(), vec![]);
    }

    #[test]
    fn other_shapes_are_refused_with_their_place() {
        assert_eq!(entries(b"").unwrap_err(), "the file is empty");
        assert_eq!(entries(b" \n").unwrap_err(), "the file is empty");
        let error = entries(b"[1]").unwrap_err();
        assert!(error.contains("one JSON object"), "{error}");
        let error = entries(b"{\n \"Debug\": true,\n}").unwrap_err();
        assert!(error.contains("line 3"), "{error}");
        let error = entries(b"{\"Debug\": true // no\n}").unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = format!("{{\"a\": {}", "[".repeat(100_000));
        assert!(entries(deep.as_bytes()).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_read_as_replacement_characters() {
        assert_eq!(entries(b"{\"#\": \"\xff\"}").unwrap(), vec![("#".to_owned(), json!("\u{fffd}"))]);
    }
}
