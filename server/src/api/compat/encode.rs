//! The encoder: compact JSON as Go's standard library writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// The envelope of most answers, around details that are encoded already: `null` when there is nothing to say.
pub fn envelope(ok: bool, message: &str, details: &[u8]) -> Vec<u8> {
    let (code, message) = (if ok { "OK" } else { "ERROR" }, encode(message));
    let mut body = Vec::with_capacity(message.len() + details.len() + 48);
    body.extend_from_slice(br#"{"Code":""#);
    body.extend_from_slice(code.as_bytes());
    body.extend_from_slice(br#"","Message":"#);
    body.extend_from_slice(&message);
    body.extend_from_slice(br#","Details":"#);
    body.extend_from_slice(details);
    body.push(b'}');
    body
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
