//! The identity of a server: host name and port (`spec/discovery.md` 1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Prefix of a host name that was broken on purpose so that replication cannot resume by itself.
const DETACH_PREFIX: &str = "//";

/// Host name and port of one server. Ordered by host name (bytewise), then port.
///
/// JSON: `{"Hostname":"db1.example","Port":3306}`. The text form is `host:port`; an IPv6 host is not
/// bracketed in it, as existing clients and backend rows expect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceKey {
    /// Host name or address; empty in the null key.
    #[serde(rename = "Hostname")]
    pub hostname: String,
    /// TCP port; zero in the null key.
    #[serde(rename = "Port")]
    pub port: u16,
}

/// A text that names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing was given where a server was expected.
    #[error("cannot parse address: expected host, host:port or [ipv6]:port, got an empty text")]
    Empty,
    /// The text has none of the accepted shapes.
    #[error("cannot parse address: expected host, host:port or [ipv6]:port, got {0:?}")]
    Shape(String),
    /// The port is no number from 1 to 65535.
    #[error("cannot parse port: expected a number from 1 to 65535, got {port:?} in {text:?}")]
    Port {
        /// What stood where the port belongs.
        port: String,
        /// The whole text.
        text: String,
    },
}

impl InstanceKey {
    /// A key as given; nothing is parsed or resolved.
    pub fn new(hostname: impl Into<String>, port: u16) -> Self {
        Self { hostname: hostname.into(), port }
    }

    /// Parses `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address, in that order of choice
    /// (`spec/discovery.md` 1.1). `//host:port` gives a detached key.
    ///
    /// # Errors
    /// Names what was given and what was expected.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once("]:").ok_or_else(|| KeyError::Shape(text.to_owned()))?;
            if !is_ipv6_text(host) {
                return Err(KeyError::Shape(text.to_owned()));
            }
            return Ok(Self::new(host, parse_port(port, text)?));
        }
        match text.split_once(':') {
            None => Ok(Self::new(text, default_port)),
            Some(("", _)) if !text.starts_with("::") => Err(KeyError::Shape(text.to_owned())),
            Some((host, port)) if !port.contains(':') && !host.is_empty() => {
                Ok(Self::new(host, parse_port(port, text)?))
            }
            Some(_) if is_ipv6_text(text) => Ok(Self::new(text, default_port)),
            Some(_) => Err(KeyError::Shape(text.to_owned())),
        }
    }

    /// Neither host nor port.
    pub fn is_null(&self) -> bool {
        self.hostname.is_empty() && self.port == 0
    }

    /// Can be connected to: a host that is neither the "no source" placeholder `_` nor detached, and a port.
    pub fn is_valid(&self) -> bool {
        !self.hostname.is_empty() && self.hostname != "_" && !self.is_detached() && self.port > 0
    }

    /// The host name carries the detach prefix.
    pub fn is_detached(&self) -> bool {
        self.hostname.starts_with(DETACH_PREFIX)
    }

    /// The same key with the detach prefix; unchanged when it has it.
    #[must_use]
    pub fn detached(&self) -> Self {
        if self.is_detached() {
            return self.clone();
        }
        Self::new(format!("{DETACH_PREFIX}{}", self.hostname), self.port)
    }

    /// The same key without the detach prefix; unchanged when it has none.
    #[must_use]
    pub fn reattached(&self) -> Self {
        let host = self.hostname.strip_prefix(DETACH_PREFIX).unwrap_or(&self.hostname);
        Self::new(host, self.port)
    }

    /// The host is written as four dotted groups of digits (no range check, `spec/discovery.md` 1).
    pub fn is_ipv4(&self) -> bool {
        let groups: Vec<&str> = self.hostname.split('.').collect();
        groups.len() == 4 && groups.iter().all(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()))
    }

    /// `host:port` as a socket address text: an IPv6 host is bracketed.
    pub fn dial_text(&self) -> String {
        if self.hostname.contains(':') { format!("[{}]:{}", self.hostname, self.port) } else { self.to_string() }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hostname, self.port)
    }
}

fn is_ipv6_text(text: &str) -> bool {
    text.contains(':') && text.bytes().all(|b| b == b':' || b.is_ascii_hexdigit())
}

fn parse_port(port: &str, text: &str) -> Result<u16, KeyError> {
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(KeyError::Port { port: port.to_owned(), text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_shape_is_parsed() {
        for (text, host, port) in [
            ("db1", "db1", 3306),
            ("db1:3307", "db1", 3307),
            ("10.0.0.1:3307", "10.0.0.1", 3307),
            ("//db1:3307", "//db1", 3307),
            ("[2001:db8::1]:3307", "2001:db8::1", 3307),
            ("2001:db8::1", "2001:db8::1", 3306),
            ("::1", "::1", 3306),
        ] {
            assert_eq!(InstanceKey::parse(text, 3306), Ok(InstanceKey::new(host, port)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert_eq!(InstanceKey::parse("", 3306), Err(KeyError::Empty));
        for text in [":3306", "x:y:z", "[db1]:3306", "[::1]", "[::1]:", "db1:0", "db1:70000", "db1:x", "db1:"] {
            let error = InstanceKey::parse(text, 3306).expect_err(text).to_string();
            assert!(error.contains(text) || error.contains("port"), "{error}");
        }
    }

    #[test]
    fn detaching_is_undone_by_reattaching() {
        let key = InstanceKey::new("db1", 3306);
        assert_eq!(key.detached().to_string(), "//db1:3306");
        assert_eq!(key.detached().detached(), key.detached());
        assert_eq!(key.detached().reattached(), key);
        assert!(!key.detached().is_valid());
    }

    #[test]
    fn an_ipv6_host_is_bracketed_for_dialling_only() {
        let key = InstanceKey::new("2001:db8::1", 3306);
        assert_eq!(key.to_string(), "2001:db8::1:3306");
        assert_eq!(key.dial_text(), "[2001:db8::1]:3306");
    }
}
