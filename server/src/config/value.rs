//! JSON values and the Rust types they become: the reading rules of section 2 of the configuration document.

use std::fmt;

use serde_json::Value;

/// JSON type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A text.
    String,
    /// A whole number.
    Int,
    /// A whole number, 0 or more.
    Uint,
    /// Any number.
    Number,
    /// An array of texts.
    Strings,
    /// An object whose values are texts.
    Object,
    /// An object whose values are whole numbers, 0 or more.
    Counts,
    /// An array of objects.
    Objects,
    /// An array of texts and objects: hooks.
    Hooks,
}

impl Kind {
    /// The short name used in the documentation's tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::String => "string",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Number => "number",
            Self::Strings => "[string]",
            Self::Object => "{string}",
            Self::Counts => "{uint}",
            Self::Objects => "[object]",
            Self::Hooks => "[hook]",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true or false",
            Self::String => "a string",
            Self::Int => "a whole number",
            Self::Uint => "a whole number, 0 or more",
            Self::Number => "a number",
            Self::Strings => "an array of strings",
            Self::Object => "an object with string values",
            Self::Counts => "an object with whole numbers, 0 or more",
            Self::Objects => "an array of objects",
            Self::Hooks => "an array of commands and addresses: strings, or objects with Run",
        })
    }
}

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Replaced by `********`.
    Redact,
    /// In clear, for the command that dumps the configuration.
    Reveal,
}

/// A value of the wrong type for its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was given, shortened; the type only where the variable is secret.
    pub given: String,
    /// What is accepted.
    pub expected: String,
}

impl Mismatch {
    pub(crate) fn new(kind: Kind, value: &Value) -> Self {
        Self { given: describe(value), expected: kind.to_string() }
    }

    /// For secrets: names the type that was given and not the value.
    pub(crate) fn secret(kind: Kind, value: &Value) -> Self {
        Self { given: type_of(value).to_owned(), expected: kind.to_string() }
    }
}

/// A Rust type that a variable can have.
///
/// `null` leaves a scalar as it is and empties an array or object.
pub trait Setting {
    /// JSON type.
    const KIND: Kind;
    /// Whether the value must not be shown.
    const SECRET: bool = false;

    /// Takes the value over, or leaves the old one and says what was wrong.
    fn assign(&mut self, value: &Value) -> Result<(), Mismatch>;

    /// The value as it would stand in a file.
    fn to_json(&self, secrets: Secrets) -> Value;

    /// What is odd about an accepted value.
    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Implements [`Setting`] for a scalar that serde_json can hand out.
macro_rules! scalar {
    ($ty:ty, $kind:ident, $read:expr) => {
        impl Setting for $ty {
            const KIND: Kind = Kind::$kind;

            fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
                if value.is_null() {
                    return Ok(());
                }
                let read: fn(&Value) -> Option<$ty> = $read;
                *self = read(value).ok_or_else(|| Mismatch::new(Self::KIND, value))?;
                Ok(())
            }

            fn to_json(&self, _: Secrets) -> Value {
                Value::from(self.clone())
            }
        }
    };
}

scalar!(bool, Bool, Value::as_bool);
scalar!(i64, Int, Value::as_i64);
scalar!(u64, Uint, Value::as_u64);
scalar!(String, String, |value| value.as_str().map(str::to_owned));

impl Setting for f64 {
    const KIND: Kind = Kind::Number;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        if value.is_null() {
            return Ok(());
        }
        *self = value.as_f64().ok_or_else(|| Mismatch::new(Self::KIND, value))?;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        // `1`, not `1.0`, as the compatible dump writes it; only where that loses nothing.
        if self.fract() == 0.0 && self.abs() < 1e15 {
            #[allow(clippy::cast_possible_truncation)]
            return Value::from(*self as i64);
        }
        Value::from(*self)
    }
}

impl Setting for Vec<String> {
    const KIND: Kind = Kind::Strings;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        *self = strings(value)?.unwrap_or_default();
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::from(self.clone())
    }
}

impl Setting for Option<Vec<String>> {
    const KIND: Kind = Kind::Strings;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        *self = strings(value)?;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::from(self.clone())
    }
}

/// An array of strings; `None` for `null`.
pub(crate) fn strings(value: &Value) -> Result<Option<Vec<String>>, Mismatch> {
    match value {
        Value::Null => Ok(None),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                item.as_str().map(str::to_owned).ok_or_else(|| Mismatch {
                    given: format!("{} in the array", describe(item)),
                    expected: Kind::Strings.to_string(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Some),
        other => Err(Mismatch::new(Kind::Strings, other)),
    }
}

/// Type and, where short, value: for error messages.
pub(crate) fn describe(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if matches!(value, Value::Null) {
        return text;
    }
    if text.chars().count() > LONGEST {
        let start: String = text.chars().take(LONGEST).collect();
        return format!("{} {start}…", type_of(value));
    }
    format!("{} {text}", type_of(value))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "the boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "the array",
        Value::Object(_) => "the object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused<T: Setting + Default>(value: Value) -> Mismatch {
        T::default().assign(&value).unwrap_err()
    }

    #[test]
    fn wrong_types_are_refused_with_value_and_expectation() {
        assert_eq!(
            refused::<bool>(json!(1)),
            Mismatch { given: "the number 1".to_owned(), expected: "true or false".to_owned() }
        );
        assert_eq!(refused::<bool>(json!("true")).given, "the string \"true\"");
        assert_eq!(refused::<u64>(json!(-1)).expected, "a whole number, 0 or more");
        assert_eq!(refused::<u64>(json!(1.5)).given, "the number 1.5");
        assert_eq!(refused::<i64>(json!(1.0)).given, "the number 1.0");
        assert_eq!(refused::<Vec<String>>(json!("a")).expected, "an array of strings");
        assert_eq!(refused::<Vec<String>>(json!(["a", 2])).given, "the number 2 in the array");
    }

    #[test]
    fn null_keeps_scalars_and_empties_arrays() {
        let mut port = 3306_u64;
        port.assign(&Value::Null).unwrap();
        assert_eq!(port, 3306);
        let mut list = vec!["a".to_owned()];
        list.assign(&Value::Null).unwrap();
        assert!(list.is_empty());
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let text = describe(&json!("ä".repeat(500)));
        assert!(text.chars().count() < 90, "{text}");
        assert!(text.ends_with('…'));
    }

    #[test]
    fn whole_numbers_are_dumped_without_a_fraction() {
        assert_eq!(1.0_f64.to_json(Secrets::Redact), json!(1));
        assert_eq!(1.5_f64.to_json(Secrets::Redact), json!(1.5));
    }
}
