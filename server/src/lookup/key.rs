//! Keys from texts (`spec/api.md` 1.8, `spec/discovery.md` 1.2).

use app::InstanceKey;
use app::key::KeyError;
use app::topology::Snapshot;

/// How far a name that is not known as it stands may be stretched to one that is.
///
/// The original takes any known host name that contains the text, for every operation: asked to forget
/// `db1` it forgets `db10` if that is the only one. Here only reads go that far. What changes something takes a short
/// name for the full one (`db1` for `db1.example.com`) and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The key as given.
    Exact,
    /// A host name's leading labels.
    ShortName,
    /// Any part of a host name.
    Contains,
}

/// The server meant by a key: itself when it is known, else the only known one within reach, else itself again.
/// Addresses are never stretched, and neither is the port.
pub fn widen(snapshot: &Snapshot, key: InstanceKey, reach: Reach) -> InstanceKey {
    let is_address = key.is_ipv4() || key.hostname.contains(':');
    if reach == Reach::Exact || key.hostname.is_empty() || is_address || snapshot.get(&key).is_some() {
        return key;
    }
    let text = key.hostname.to_ascii_lowercase();
    let within = |hostname: &str| {
        let hostname = hostname.to_ascii_lowercase();
        match reach {
            Reach::Exact => false,
            Reach::ShortName => hostname.strip_prefix(&text).is_some_and(|rest| rest.starts_with('.')),
            Reach::Contains => hostname.contains(&text),
        }
    };
    let mut found = snapshot.instances.keys().filter(|known| known.port == key.port && within(&known.hostname));
    match (found.next(), found.next()) {
        (Some(only), None) => only.clone(),
        _ => key,
    }
}

/// A key from the two parts of a path.
///
/// # Errors
/// Names the part that is wrong.
pub fn host_and_port(host: &str, port: &str) -> Result<InstanceKey, KeyError> {
    if host.trim().is_empty() {
        return Err(KeyError::Empty);
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(InstanceKey::new(host, number)),
        _ => Err(KeyError::Port { port: port.to_owned(), text: format!("{host}:{port}") }),
    }
}

/// The elements of a list that commas or blanks separate.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\r', '\n', '\t']).filter(|part| !part.is_empty())
}
