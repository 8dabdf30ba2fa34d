//! Lists of IP networks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::value::{Kind, Mismatch, Secrets, Setting, strings};

/// IP addresses and networks (`192.0.2.1`, `10.0.0.0/8`, `::1`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// This host only.
    #[must_use]
    pub fn loopback() -> Self {
        let v4 = IpNet::new(IpAddr::from([127, 0, 0, 0]), 8);
        let v6 = IpNet::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]), 128);
        Self(v4.into_iter().chain(v6).collect())
    }

    /// Whether the address lies in one of the networks. An IPv4 address in IPv6 form counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has all addresses of its kind.
    #[must_use]
    pub fn hold_all(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }
}

fn parse(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

impl Setting for Networks {
    const KIND: Kind = Kind::Strings;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        let texts = strings(value)?.unwrap_or_default();
        self.0 = texts
            .iter()
            .map(|text| {
                parse(text).ok_or_else(|| Mismatch {
                    given: format!("{text:?} in the array"),
                    expected: "an array of IP addresses and networks such as 10.0.0.0/8".to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        self.0.iter().map(IpNet::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_holds_this_host_only() {
        let networks = Networks::loopback();
        assert!(networks.contains(ip("127.0.0.1")));
        assert!(networks.contains(ip("::1")));
        assert!(networks.contains(ip("::ffff:127.0.0.1")));
        assert!(!networks.contains(ip("10.0.0.1")));
    }

    #[test]
    fn addresses_and_networks_are_read() {
        let mut networks = Networks::loopback();
        networks.assign(&json!(["10.0.0.0/8", "192.0.2.7"])).unwrap();
        assert!(networks.contains(ip("10.200.0.1")));
        assert!(networks.contains(ip("192.0.2.7")));
        assert!(!networks.contains(ip("127.0.0.1")));
        let error = networks.assign(&json!(["proxy"])).unwrap_err();
        assert_eq!(error.given, "\"proxy\" in the array");
    }
}
