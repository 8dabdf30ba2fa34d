//! The one table of all variables, a part of it per section.
//!
//! Each section is written once, by the macro `section!`: name, field, type, default, effect of a reload, whether the feature
//! behind it exists. Parsing, defaults, unknown names, the list of names without effect, the dump and the reference in
//! the documentation all come from there, so they cannot disagree.

use serde_json::Value;

use super::value::{Kind, Mismatch, Secrets};

/// What happens when the value of a variable changes at a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// It is read at each use: the change counts at once.
    Live,
    /// It is used at start only: the running value stays until a restart.
    Start,
    /// The variable has no effect at any time.
    Nothing,
}

/// Whether the feature that a variable steers exists in this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The variable does what its meaning says.
    InEffect,
    /// Accepted and checked; the feature is not built yet.
    Later,
    /// Accepted for old files' sake; there is nothing to steer any more.
    Never,
}

/// One variable of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    /// Name in the file, PascalCase. Files may write it in any case.
    pub name: &'static str,
    /// JSON type that is accepted.
    pub kind: Kind,
    /// Whether the value is never shown unless asked for explicitly.
    pub secret: bool,
    /// What a reload does.
    pub reload: Reload,
    /// Whether the feature exists.
    pub effect: Effect,
    /// One or two sentences, each line with a leading blank.
    meaning: &'static str,
}

impl KeySpec {
    /// For the macro `section!` only.
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        secret: bool,
        reload: Reload,
        effect: Effect,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, secret, reload, effect, meaning }
    }

    /// What the variable means, one or two sentences.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.meaning.trim()
    }
}

/// A part of the configuration: the variables of one concern.
pub trait Section {
    /// Heading in the documentation.
    const TITLE: &'static str;
    /// Its variables.
    const KEYS: &'static [KeySpec];

    /// Sets a variable from JSON; `None` when the name (exact case) is not of this section.
    fn assign(&mut self, name: &str, value: &Value) -> Option<Result<(), Mismatch>>;

    /// The value as JSON; `None` when the name (exact case) is not of this section.
    fn read(&self, name: &str, secrets: Secrets) -> Option<Value>;

    /// What is odd about values that are accepted all the same, such as an invalid regular expression.
    fn complaints(&self) -> Vec<(&'static str, String)>;
}

/// Declares a section: its struct, defaults and `Section`.
macro_rules! section {
    (
        $(#[$outer:meta])*
        $name:ident, $title:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:literal => $field:ident : $ty:ty = $default:expr, $reload:ident, $effect:ident;
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nVariable `", $key, "`.")]
                pub $field: $ty,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $crate::config::table::Section for $name {
            const TITLE: &'static str = $title;
            const KEYS: &'static [$crate::config::table::KeySpec] = &[
                $(
                    $crate::config::table::KeySpec::new(
                        $key,
                        <$ty as $crate::config::value::Setting>::KIND,
                        <$ty as $crate::config::value::Setting>::SECRET,
                        $crate::config::table::Reload::$reload,
                        $crate::config::table::Effect::$effect,
                        concat!($($doc),+),
                    ),
                )+
            ];

            fn assign(
                &mut self,
                name: &str,
                value: &serde_json::Value,
            ) -> Option<Result<(), $crate::config::value::Mismatch>> {
                use $crate::config::value::Setting as _;
                match name {
                    $( $key => Some(self.$field.assign(value)), )+
                    _ => None,
                }
            }

            fn read(
                &self,
                name: &str,
                secrets: $crate::config::value::Secrets,
            ) -> Option<serde_json::Value> {
                use $crate::config::value::Setting as _;
                match name {
                    $( $key => Some(self.$field.to_json(secrets)), )+
                    _ => None,
                }
            }

            fn complaints(&self) -> Vec<(&'static str, String)> {
                use $crate::config::value::Setting as _;
                let mut found = Vec::new();
                $( found.extend(self.$field.complaints().into_iter().map(|text| ($key, text))); )+
                found
            }
        }
    };
}
pub(crate) use section;
