//! What messages begin with, so that several nodes behind one address can be told apart (`spec/api.md` 1.3).

use std::time::Duration;

use crate::config::Config;
use crate::discovery::{Dns, SystemDns};

/// DNS has this long to tell this node's full name; it is asked once.
const DNS_TIMEOUT: Duration = Duration::from_secs(1);

/// `Orchestrator <identity> says: `, or nothing, as `PrependMessagesWithOrcIdentity` has it.
pub async fn prefix(config: &Config, hostname: &str) -> String {
    let general = &config.general;
    let kind = general.prepend_messages_with_identity.as_str();
    let full = if kind == "FQDN" { full_name(hostname).await } else { None };
    match identity(kind, full.as_deref(), hostname, &general.custom_identity) {
        Some(identity) => format!("Orchestrator {identity} says: "),
        None => String::new(),
    }
}

/// The first of full name, host name and custom identity that is there, beginning with the one that is asked for.
fn identity<'a>(kind: &str, full: Option<&'a str>, hostname: &'a str, custom: &'a str) -> Option<&'a str> {
    let candidates = [full.unwrap_or_default(), hostname, custom];
    let from = match kind {
        "FQDN" => 0,
        "hostname" => 1,
        "custom" => 2,
        _ => return None,
    };
    candidates.into_iter().skip(from).find(|name| !name.is_empty())
}

async fn full_name(hostname: &str) -> Option<String> {
    if hostname.contains('.') {
        return Some(hostname.to_owned());
    }
    let dns = SystemDns::new();
    tokio::time::timeout(DNS_TIMEOUT, dns.canonical(hostname)).await.ok()?.ok().filter(|name| name.contains('.'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("FQDN", Some("orc1.example"), "orc1", "mine", Some("orc1.example"))]
    #[case("FQDN", None, "orc1", "mine", Some("orc1"))]
    #[case("hostname", Some("orc1.example"), "orc1", "mine", Some("orc1"))]
    #[case("hostname", None, "", "mine", Some("mine"))]
    #[case("custom", Some("orc1.example"), "orc1", "mine", Some("mine"))]
    #[case("custom", None, "orc1", "", None)]
    #[case("none", Some("orc1.example"), "orc1", "mine", None)]
    #[case("", Some("orc1.example"), "orc1", "mine", None)]
    #[case("fqdn", Some("orc1.example"), "orc1", "mine", None)]
    fn names_are_tried_from_the_one_asked_for(
        #[case] kind: &str,
        #[case] full: Option<&str>,
        #[case] hostname: &str,
        #[case] custom: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(identity(kind, full, hostname, custom), expected);
    }
}
