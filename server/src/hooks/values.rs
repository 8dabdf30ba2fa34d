//! What hooks are told: placeholders in their text and variables in their environment (`spec/config.md` 8.5).

use std::fmt::Write as _;

use app::InstanceKey;
use app::finding::Finding;

/// The server that takes over, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The server.
    pub key: InstanceKey,
    /// Its alias; empty while a takeover is only planned.
    pub alias: String,
    /// `file:position` at promotion; `None` before that.
    pub coordinates: Option<String>,
}

/// What the values are made of.
#[derive(Debug, Clone)]
pub struct ValuesOf<'a> {
    /// What was found.
    pub finding: &'a Finding,
    /// Code to tell in place of the finding's: forced and planned operations say `DeadMaster`.
    pub failure_type: &'a str,
    /// `force-master-failover`, `force-master-takeover`, `graceful-master-takeover`, or empty.
    pub command: &'a str,
    /// Identity of the recovery, or one of its own for a detection.
    pub uid: &'a str,
    /// Who takes over.
    pub successor: Option<&'a Successor>,
    /// Replicas that could not be kept.
    pub lost: &'a [InstanceKey],
    /// Whether the cluster's dead sources and intermediate sources are recovered automatically.
    pub automatic: (bool, bool),
    /// This machine.
    pub node: &'a str,
}

/// A value, with the shape that it has in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Number(usize),
    Flag(bool),
    Servers(Vec<String>),
}

impl Content {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Servers(servers) => servers.join(","),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Servers(servers) => servers.as_slice().into(),
        }
    }
}

/// One value: names of its placeholder, name of its variable, content.
type Value = (&'static [&'static str], Option<&'static str>, Content);

/// All values, in the order of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(Vec<Value>);

impl Values {
    /// The values of a detection or recovery.
    pub fn of(of: &ValuesOf<'_>) -> Self {
        use Content::{Flag, Number, Servers, Text};
        let finding = of.finding;
        // A cluster without a domain bears its name in the finding.
        let domain = if finding.cluster_domain == finding.cluster { "" } else { &finding.cluster_domain };
        let mut values: Vec<Value> = vec![
            (&["failureType"], Some("ORC_FAILURE_TYPE"), Text(of.failure_type.to_owned())),
            (&["instanceType"], Some("ORC_INSTANCE_TYPE"), Text(finding.instance_type().to_owned())),
            (&["isMaster"], Some("ORC_IS_MASTER"), Flag(finding.facts.is_source)),
            (&["isCoMaster"], Some("ORC_IS_CO_MASTER"), Flag(finding.facts.is_co_source)),
            (&["failureDescription"], Some("ORC_FAILURE_DESCRIPTION"), Text(finding.description.clone())),
            (&["command"], Some("ORC_COMMAND"), Text(of.command.to_owned())),
            (&["failedHost"], Some("ORC_FAILED_HOST"), Text(finding.key.hostname.clone())),
            (&["failedPort"], Some("ORC_FAILED_PORT"), Number(finding.key.port.into())),
            (&["failureCluster"], Some("ORC_FAILURE_CLUSTER"), Text(finding.cluster.clone())),
            (&["failureClusterAlias"], Some("ORC_FAILURE_CLUSTER_ALIAS"), Text(finding.cluster_alias.clone())),
            (&["failureClusterDomain"], Some("ORC_FAILURE_CLUSTER_DOMAIN"), Text(domain.to_owned())),
            (&["countReplicas", "countSlaves"], Some("ORC_COUNT_REPLICAS"), Number(finding.facts.replicas.len())),
            (&["replicaHosts", "slaveHosts"], Some("ORC_REPLICA_HOSTS"), Servers(list(&finding.facts.replicas))),
            (&["isDowntimed"], Some("ORC_IS_DOWNTIMED"), Flag(finding.downtime_end.is_some())),
            (&["autoMasterRecovery"], Some("ORC_AUTO_MASTER_RECOVERY"), Flag(of.automatic.0)),
            (&["autoIntermediateMasterRecovery"], Some("ORC_AUTO_INTERMEDIATE_MASTER_RECOVERY"), Flag(of.automatic.1)),
            (&["orchestratorHost"], Some("ORC_ORCHESTRATOR_HOST"), Text(of.node.to_owned())),
            (&["recoveryUID"], Some("ORC_RECOVERY_UID"), Text(of.uid.to_owned())),
            (&["isSuccessful"], Some("ORC_IS_SUCCESSFUL"), Flag(of.successor.is_some())),
            (&["lostReplicas", "lostSlaves"], Some("ORC_LOST_REPLICAS"), Servers(list(of.lost))),
            (&["countLostReplicas"], None, Number(of.lost.len())),
        ];
        if let Some(successor) = of.successor {
            values.push((&["successorHost"], Some("ORC_SUCCESSOR_HOST"), Text(successor.key.hostname.clone())));
            values.push((&["successorPort"], Some("ORC_SUCCESSOR_PORT"), Number(successor.key.port.into())));
            values.push((&["successorAlias"], Some("ORC_SUCCESSOR_ALIAS"), Text(successor.alias.clone())));
            if let Some(at) = &successor.coordinates {
                let names = (&["successorBinlogCoordinates"] as &[_], Some("ORC_SUCCESSOR_BINLOG_COORDINATES"));
                values.push((names.0, names.1, Text(at.clone())));
            }
        }
        Self(values)
    }

    /// The text with its placeholders filled. One without a value stays as it is. Values lose what a shell takes for
    /// more than text: host names and descriptions come from servers, and must not become commands.
    pub fn fill(&self, text: &str) -> String {
        self.fill_with(text, harmless)
    }

    /// An address with its placeholders filled, values percent-encoded: none of them can lead elsewhere.
    pub fn fill_address(&self, address: &str) -> String {
        self.fill_with(address, percent_encoded)
    }

    fn fill_with(&self, text: &str, put: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        // One pass: what a value brings along is not filled again.
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            filled.push_str(before);
            let name = from.find('}').and_then(|close| from.get(1..close));
            match name.and_then(|name| self.find(name).map(|value| (name, value))) {
                Some((name, value)) => {
                    filled.push_str(&put(&value.text()));
                    rest = from.get(name.len() + 2..).unwrap_or_default();
                }
                None => {
                    filled.push('{');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// The variables, values as they are.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variable = |(_, name, value): &Value| name.map(|name| (name.to_owned(), value.text().replace('\0', "")));
        self.0.iter().filter_map(variable).collect()
    }

    /// The same as JSON: what has a value, under the name of its placeholder.
    pub fn document(&self) -> serde_json::Map<String, serde_json::Value> {
        let named = |(names, _, value): &Value| names.first().map(|name| ((*name).to_owned(), value.json()));
        self.0.iter().filter_map(named).collect()
    }

    fn find(&self, name: &str) -> Option<&Content> {
        self.0.iter().find(|(names, ..)| names.contains(&name)).map(|(.., value)| value)
    }
}

fn list(keys: &[InstanceKey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

/// Everything but letters and digits of ASCII and `-._~` as `%XX` (RFC 3986, 2.1 and 2.3).
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A value that stays a value in a script, with or without quotes around its placeholder: letters, digits, spaces and
/// `. , : @ / + = % _ -`; everything else becomes `_`. A leading `-` would be taken for an option.
fn harmless(value: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || " .,:@/+=%_-".contains(c) { c } else { '_' };
    let text: String = value.chars().map(safe).collect();
    match text.strip_prefix('-') {
        Some(rest) => format!("_{rest}"),
        None => text,
    }
}
