//! Reading the contract with little program. What serde derives is written out anew for each type, for each of its fields, and once
//! more for whatever is tagged: a third of the page. Here serde_json reads and one visitor fills: a type says which places it
//! has, and the rest is the same for all. What the types say (`contract`, `plans`) is held against what serde writes of them.

mod contract;
mod plans;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// What a place wants.
pub enum Shape {
    /// A text, a number, a truth.
    Value,
    /// Any number of items.
    List,
    /// Any names.
    Map,
    /// These names; as many as this of them, from the first, must be there.
    Object(&'static [&'static str], usize),
}

/// Something that is filled with what is read. A method that answers `false` or `None` does not want what it is given.
pub trait Fill {
    /// Where a value goes that is no `null`: here, or into what an option holds.
    fn place(&mut self) -> &mut dyn Fill;

    /// What it wants.
    fn shape(&self) -> Shape {
        Shape::Value
    }

    /// `null`.
    fn null(&mut self) -> bool {
        false
    }

    /// `true` or `false`.
    fn truth(&mut self, _value: bool) -> bool {
        false
    }

    /// A whole number.
    fn number(&mut self, _value: i128) -> bool {
        false
    }

    /// A text.
    fn text(&mut self, _value: &str) -> bool {
        false
    }

    /// A new last item.
    fn item(&mut self) -> Option<&mut dyn Fill> {
        None
    }

    /// The place of a name of its shape, by number.
    fn field(&mut self, _at: usize) -> Option<&mut dyn Fill> {
        None
    }

    /// The place of any name.
    fn entry(&mut self, _name: &str) -> Option<&mut dyn Fill> {
        None
    }
}

/// What is there before anything was read.
pub trait Blank: Fill + Sized {
    /// Empty.
    fn blank() -> Self;
}

/// Reads a text of JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read<T: Blank>(text: &str) -> Result<T, serde_json::Error> {
    let mut value = T::blank();
    fill(&mut value, text)?;
    Ok(value)
}

fn fill(place: &mut dyn Fill, text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Seed(place).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// What is read goes into this place.
struct Seed<'a>(&'a mut dyn Fill);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the contract says")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.0.null() { Ok(()) } else { Err(E::invalid_type(Unexpected::Unit, &self)) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if self.0.place().truth(value) { Ok(()) } else { Err(E::invalid_type(Unexpected::Bool(value), &self)) }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        if self.0.place().number(value.into()) {
            Ok(())
        } else {
            Err(E::invalid_value(Unexpected::Signed(value), &self))
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        if self.0.place().number(value.into()) {
            Ok(())
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(value), &self))
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if self.0.place().text(value) { Ok(()) } else { Err(E::invalid_value(Unexpected::Str(value), &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let list = self.0.place();
        if !matches!(list.shape(), Shape::List) {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        while seq.next_element_seed(Item(&mut *list))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let object = self.0.place();
        let (names, needed) = match object.shape() {
            Shape::Object(names, needed) => (names, needed),
            Shape::Map => (&[][..], 0),
            Shape::Value | Shape::List => return Err(A::Error::invalid_type(Unexpected::Map, &self)),
        };
        let (mut met, mut next) = (0, 0);
        while let Some(found) = map.next_key_seed(Name { object: &mut *object, names, next })? {
            match found.place {
                Some(place) => map.next_value_seed(Seed(place))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            met += usize::from(found.at < needed);
            next = found.at.wrapping_add(1);
        }
        if met < needed {
            return Err(A::Error::custom(format_args!("expected {}: something is missing", names.join(", "))));
        }
        Ok(())
    }
}

/// The next element becomes a new last item.
struct Item<'a>(&'a mut dyn Fill);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.item() {
            Some(place) => Seed(place).deserialize(deserializer),
            None => Err(D::Error::custom("expected no list")),
        }
    }
}

/// A name leads to a place.
struct Name<'a> {
    object: &'a mut dyn Fill,
    names: &'static [&'static str],
    /// The one that is next if they come in their order, which they do.
    next: usize,
}

/// Where a name leads.
struct Found<'a> {
    /// Its number; none of them when it has none.
    at: usize,
    /// `None` for a name that is not known here.
    place: Option<&'a mut dyn Fill>,
}

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Found<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Found<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Found<'a>, E> {
        let is_next = self.names.get(self.next).is_some_and(|n| *n == name);
        let at = if is_next { Some(self.next) } else { self.names.iter().position(|n| *n == name) };
        Ok(match at {
            Some(at) => Found { at, place: self.object.field(at) },
            None => Found { at: usize::MAX, place: self.object.entry(name) },
        })
    }
}

macro_rules! value {
    ($($type:ty: $blank:expr, $method:ident($value:ident: $given:ty) => $read:expr;)*) => {$(
        impl Fill for $type {
            fn place(&mut self) -> &mut dyn Fill {
                self
            }
            fn $method(&mut self, $value: $given) -> bool {
                let read: Option<Self> = $read;
                read.map(|read| *self = read).is_some()
            }
        }
        impl Blank for $type {
            fn blank() -> Self {
                $blank
            }
        }
    )*};
}

value! {
    bool: false, truth(value: bool) => Some(value);
    u16: 0, number(value: i128) => value.try_into().ok();
    u32: 0, number(value: i128) => value.try_into().ok();
    u64: 0, number(value: i128) => value.try_into().ok();
    i32: 0, number(value: i128) => value.try_into().ok();
    i64: 0, number(value: i128) => value.try_into().ok();
    String: String::new(), text(value: &str) => Some(value.to_owned());
    DateTime<Utc>: DateTime::UNIX_EPOCH, text(value: &str) => DateTime::parse_from_rfc3339(value).ok().map(|at| at.to_utc());
}

impl<T: Blank> Fill for Option<T> {
    fn place(&mut self) -> &mut dyn Fill {
        self.insert(T::blank()).place()
    }

    fn null(&mut self) -> bool {
        *self = None;
        true
    }
}

impl<T: Blank> Blank for Option<T> {
    fn blank() -> Self {
        None
    }
}

impl<T: Blank> Fill for Box<T> {
    fn place(&mut self) -> &mut dyn Fill {
        (**self).place()
    }

    fn null(&mut self) -> bool {
        (**self).null()
    }
}

impl<T: Blank> Blank for Box<T> {
    fn blank() -> Self {
        Self::new(T::blank())
    }
}

impl<T: Blank> Fill for Vec<T> {
    fn place(&mut self) -> &mut dyn Fill {
        self
    }

    fn shape(&self) -> Shape {
        Shape::List
    }

    fn item(&mut self) -> Option<&mut dyn Fill> {
        self.push(T::blank());
        self.last_mut().map(|item| item as &mut dyn Fill)
    }
}

impl<T: Blank> Blank for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }
}

impl<K: std::str::FromStr + Ord, T: Blank> Fill for BTreeMap<K, T> {
    fn place(&mut self) -> &mut dyn Fill {
        self
    }

    fn shape(&self) -> Shape {
        Shape::Map
    }

    fn entry(&mut self, name: &str) -> Option<&mut dyn Fill> {
        let key = name.parse().ok()?;
        Some(self.entry(key).or_insert_with(T::blank))
    }
}

impl<K: std::str::FromStr + Ord, T: Blank> Blank for BTreeMap<K, T> {
    fn blank() -> Self {
        Self::new()
    }
}

/// The value of a word, as serde knows it.
fn word<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}

/// Types that are one word each, with what is there before one was read.
macro_rules! words {
    ($($type:ty: $blank:expr;)*) => {$(
        impl $crate::ui::read::Fill for $type {
            fn place(&mut self) -> &mut dyn $crate::ui::read::Fill {
                self
            }
            fn text(&mut self, value: &str) -> bool {
                $crate::ui::read::word(value).map(|read: Self| *self = read).is_some()
            }
        }
        impl $crate::ui::read::Blank for $type {
            fn blank() -> Self {
                $blank
            }
        }
    )*};
}

/// A type by its fields: those that must be there, those that may be left out, those that the page has no use for. A name that is
/// not the field's own stands beside it.
macro_rules! object {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
    ($type:ty { $($needed:ident $($name:literal)?),* $(,)? }
        $(or { $($optional:ident),* $(,)? })? $(without { $($unread:ident),* $(,)? })?) => {
        impl $crate::ui::read::Blank for $type {
            fn blank() -> Self {
                Self {
                    $($needed: $crate::ui::read::Blank::blank(),)*
                    $($($optional: $crate::ui::read::Blank::blank(),)*)?
                    $($($unread: Default::default(),)*)?
                }
            }
        }
        impl $crate::ui::read::Fill for $type {
            fn place(&mut self) -> &mut dyn $crate::ui::read::Fill {
                self
            }
            fn shape(&self) -> $crate::ui::read::Shape {
                const NEEDED: &[&str] = &[$($crate::ui::read::object!(@name $needed $($name)?),)*];
                const ALL: &[&str] =
                    &[$($crate::ui::read::object!(@name $needed $($name)?),)* $($(stringify!($optional),)*)?];
                $crate::ui::read::Shape::Object(ALL, NEEDED.len())
            }
            fn field(&mut self, at: usize) -> Option<&mut dyn $crate::ui::read::Fill> {
                let places = [
                    $(&mut self.$needed as &mut dyn $crate::ui::read::Fill,)*
                    $($(&mut self.$optional as &mut dyn $crate::ui::read::Fill,)*)?
                ];
                places.into_iter().nth(at)
            }
        }
    };
}

pub(crate) use {object, words};

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Sample {
        name: String,
        port: u16,
        on: bool,
        list: Vec<Option<i64>>,
        map: BTreeMap<u32, Box<u16>>,
        at: Option<DateTime<Utc>>,
    }
    object!(Sample { name "Name", port, on, list } or { map, at });

    const TEXT: &str = r#"{"Name":"a\nb","new":[{"x":null}],"port":7,"on":true,"list":[1,null,-3],"map":{"4":9},"at":"2026-11-21T18:00:00.5Z"}"#;

    #[test]
    fn everything_has_its_place_in_any_order_and_what_is_new_is_passed_over() {
        let sample: Sample = read(TEXT).expect("a sample");
        let at = DateTime::from_timestamp_millis(1_795_284_000_500);
        let map = BTreeMap::from([(4, Box::new(9))]);
        let list = vec![Some(1), None, Some(-3)];
        assert_eq!(sample, Sample { name: "a\nb".to_owned(), port: 7, on: true, list, map, at });
        let turned: Sample = read(r#"{"list":[],"on":false,"port":1,"Name":""}"#).expect("a sample");
        assert_eq!(turned.port, 1);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (wrong, why) in [
            ("{}", "something is missing"),
            ("[]", "sequence"),
            ("null", "type: null"),
            ("7", "integer"),
            (r#"{"Name":7}"#, "integer `7`"),
            (r#"{"Name":"a","port":65536}"#, "integer `65536`"),
            (r#"{"on":"yes"}"#, "\"yes\""),
            (r#"{"list":{"a":1}}"#, "map"),
            (r#"{"list":[true]}"#, "boolean"),
            (r#"{"at":"yesterday"}"#, "yesterday"),
            (r#"{"Name":null}"#, "null"),
            (&TEXT[..TEXT.len() - 1], "EOF"),
            (&format!("{TEXT} x"), "trailing"),
        ] {
            let error = read::<Sample>(wrong).expect_err(wrong).to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_no_number_is_passed_over_where_numbers_are_names() {
        let map: BTreeMap<u32, bool> = read(r#"{"1":true,"x":false}"#).expect("a map");
        assert_eq!(map, BTreeMap::from([(1, true)]));
    }
}
