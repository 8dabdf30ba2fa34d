//! Who this process is among the nodes of a group.

use chrono::{DateTime, Utc};

use crate::store::NodeIdentity;

/// A process shows itself to the others on the backend, and looks for those that do not, this often.
pub const BEAT: std::time::Duration = std::time::Duration::from_secs(1);

/// Identity of this process, made once at start.
#[derive(Debug, Clone)]
pub struct Node {
    /// Host name of the machine.
    pub hostname: String,
    /// 64 hexadecimal digits, new at every start (`spec/api.md` 3.14).
    pub token: String,
    /// Start of the process.
    pub started: DateTime<Utc>,
}

impl Node {
    /// An identity for this process on a machine of this name.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), token: random_hex(), started: Utc::now() }
    }

    /// Identity as the backend keeps it.
    pub fn identity(&self) -> NodeIdentity {
        NodeIdentity { hostname: self.hostname.clone(), token: self.token.clone() }
    }

    /// A recovery's identity across nodes: `<Unix nanoseconds>:<64 hex>` (`spec/api.md` 3.6).
    pub fn new_uid(&self, now: DateTime<Utc>) -> String {
        format!("{}:{}", now.timestamp_nanos_opt().unwrap_or_default(), random_hex())
    }
}

/// The machine's host name, as the kernel has it.
pub fn hostname() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = from_kernel.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// 32 random bytes as hexadecimal digits.
pub fn random_hex() -> String {
    use std::fmt::Write;
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_differ() {
        let (a, b) = (Node::new("db"), Node::new("db"));
        assert_ne!(a.token, b.token);
        assert_eq!(a.token.len(), 64);
        let uid = a.new_uid(DateTime::<Utc>::UNIX_EPOCH);
        assert!(uid.starts_with("0:") && uid.len() == 66, "{uid}");
    }
}
