//! What hooks are told: placeholders in their text and variables in their environment (`spec/config.md` 8.5).

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

/// One value: names of its placeholder, name of its variable, text.
type Value = (&'static [&'static str], Option<&'static str>, String);

/// All values, in the order of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(Vec<Value>);

impl Values {
    /// The values of a detection or recovery.
    pub fn of(of: &ValuesOf<'_>) -> Self {
        let finding = of.finding;
        // A cluster without a domain bears its name in the finding.
        let domain = if finding.cluster_domain == finding.cluster { "" } else { &finding.cluster_domain };
        let mut values: Vec<Value> = vec![
            (&["failureType"], Some("ORC_FAILURE_TYPE"), of.failure_type.to_owned()),
            (&["instanceType"], Some("ORC_INSTANCE_TYPE"), finding.instance_type().to_owned()),
            (&["isMaster"], Some("ORC_IS_MASTER"), finding.facts.is_source.to_string()),
            (&["isCoMaster"], Some("ORC_IS_CO_MASTER"), finding.facts.is_co_source.to_string()),
            (&["failureDescription"], Some("ORC_FAILURE_DESCRIPTION"), finding.description.clone()),
            (&["command"], Some("ORC_COMMAND"), of.command.to_owned()),
            (&["failedHost"], Some("ORC_FAILED_HOST"), finding.key.hostname.clone()),
            (&["failedPort"], Some("ORC_FAILED_PORT"), finding.key.port.to_string()),
            (&["failureCluster"], Some("ORC_FAILURE_CLUSTER"), finding.cluster.clone()),
            (&["failureClusterAlias"], Some("ORC_FAILURE_CLUSTER_ALIAS"), finding.cluster_alias.clone()),
            (&["failureClusterDomain"], Some("ORC_FAILURE_CLUSTER_DOMAIN"), domain.to_owned()),
            (&["countReplicas", "countSlaves"], Some("ORC_COUNT_REPLICAS"), finding.facts.replicas.len().to_string()),
            (&["replicaHosts", "slaveHosts"], Some("ORC_REPLICA_HOSTS"), list(&finding.facts.replicas)),
            (&["isDowntimed"], Some("ORC_IS_DOWNTIMED"), finding.downtime_end.is_some().to_string()),
            (&["autoMasterRecovery"], Some("ORC_AUTO_MASTER_RECOVERY"), of.automatic.0.to_string()),
            (
                &["autoIntermediateMasterRecovery"],
                Some("ORC_AUTO_INTERMEDIATE_MASTER_RECOVERY"),
                of.automatic.1.to_string(),
            ),
            (&["orchestratorHost"], Some("ORC_ORCHESTRATOR_HOST"), of.node.to_owned()),
            (&["recoveryUID"], Some("ORC_RECOVERY_UID"), of.uid.to_owned()),
            (&["isSuccessful"], Some("ORC_IS_SUCCESSFUL"), of.successor.is_some().to_string()),
            (&["lostReplicas", "lostSlaves"], Some("ORC_LOST_REPLICAS"), list(of.lost)),
            (&["countLostReplicas"], None, of.lost.len().to_string()),
        ];
        if let Some(successor) = of.successor {
            values.push((&["successorHost"], Some("ORC_SUCCESSOR_HOST"), successor.key.hostname.clone()));
            values.push((&["successorPort"], Some("ORC_SUCCESSOR_PORT"), successor.key.port.to_string()));
            values.push((&["successorAlias"], Some("ORC_SUCCESSOR_ALIAS"), successor.alias.clone()));
            if let Some(at) = &successor.coordinates {
                let names = (&["successorBinlogCoordinates"] as &[_], Some("ORC_SUCCESSOR_BINLOG_COORDINATES"));
                values.push((names.0, names.1, at.clone()));
            }
        }
        Self(values)
    }

    /// The text with its placeholders filled. One without a value stays as it is. Values lose what a shell takes for
    /// more than text: host names and descriptions come from servers, and must not become commands.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        // One pass: what a value brings along is not filled again.
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            filled.push_str(before);
            let name = from.find('}').and_then(|close| from.get(1..close));
            match name.and_then(|name| self.find(name).map(|value| (name, value))) {
                Some((name, value)) => {
                    filled.push_str(&harmless(value));
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
        let variable = |(_, name, value): &Value| name.map(|name| (name.to_owned(), value.replace('\0', "")));
        self.0.iter().filter_map(variable).collect()
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(names, ..)| names.contains(&name)).map(|(.., value)| value.as_str())
    }
}

fn list(keys: &[InstanceKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
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
