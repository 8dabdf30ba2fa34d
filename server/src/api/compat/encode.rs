//! The encoder: compact JSON as Go's standard library writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// The envelope of most answers. `Details` is always there, `null` when there is nothing to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope<'a, T: Serialize> {
    code: &'static str,
    message: &'a str,
    details: T,
}

impl<'a, T: Serialize> Envelope<'a, T> {
    /// Something was done or found.
    pub fn ok(message: &'a str, details: T) -> Self {
        Self { code: "OK", message, details }
    }

    /// Something was refused or failed.
    pub fn error(message: &'a str, details: T) -> Self {
        Self { code: "ERROR", message, details }
    }
}

/// Encodes a value: keys in order of declaration, `<`, `>`, `&` and the two Unicode line separators escaped, no line
/// end after it.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(256);
    let mut serializer = Serializer::with_formatter(&mut buffer, GoFormatter);
    match value.serialize(&mut serializer) {
        Ok(()) => buffer,
        // Only a map with keys that are no text could fail; none of ours has such keys.
        Err(error) => {
            tracing::error!(%error, "an answer could not be encoded");
            b"null".to_vec()
        }
    }
}

struct GoFormatter;

impl Formatter for GoFormatter {
    /// Whole numbers without a point, an exponent only below 1e-6 and from 1e21 (`spec/api.md` 1.2).
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        match value.abs() {
            size if size >= 1e21 => write!(writer, "{}", format!("{value:e}").replace('e', "e+")),
            size if size < 1e-6 && size > 0.0 => write!(writer, "{value:e}"),
            _ => write!(writer, "{value}"),
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}
