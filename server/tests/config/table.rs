//! The table of variables against the specification, and the documentation against the table.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator::config::{Config, Effect, KeySpec, Reload, Secrets};
use serde_json::Value;

/// Key, type, default and reload column, copied from section 7 of the specification.
const SPECIFIED: &str = include_str!("data/keys.tsv");

/// Variables of our own, which the specification does not know.
const OWN: &[&str] = &[
    "AcceptDataLoss",
    "AcceptDataLossByCluster",
    "ConsulCAFile",
    "ConsulSSLSkipVerify",
    "ExtraTransactionsDirectory",
    "FenceReturningSource",
    "FencingPolicy",
    "FencingProcesses",
    "HookTimeoutSeconds",
    "KeepCoSourceRing",
    "PostHookTimeoutSeconds",
    "RecoveryBudgetCount",
    "RecoveryBudgetPerDataCenterCount",
    "RecoveryBudgetSeconds",
    "RecoveryGraceSeconds",
    "RecoveryGraceSecondsByCluster",
    "RecoveryHoldOffSeconds",
    "RecoveryStormClusters",
    "RejoinReturningSource",
    "ServedNames",
    "SessionIdleMinutes",
    "SessionLifeMinutes",
    "TakeoverSessionPolicy",
    "TakeoverSessionWaitSeconds",
    "PseudoGTIDMatchSeconds",
    "TrustedProxies",
    "Webhooks",
];

/// Where the specification says "partly", or describes a defect that ours does not have.
const OWN_RELOAD: &[(&str, Reload)] = &[
    ("AgentsUseSSL", Reload::Start),
    ("AuditToSyslog", Reload::Live),
    ("AuthenticationMethod", Reload::Start),
    ("BackendDB", Reload::Start),
    ("DiscoveryCollectionRetentionSeconds", Reload::Live),
    ("ExpiryHostnameResolvesMinutes", Reload::Live),
    ("HTTPAuthPassword", Reload::Live),
    ("HTTPAuthUser", Reload::Live),
    ("InstancePollSeconds", Reload::Live),
    ("MySQLOrchestratorRejectReadOnly", Reload::Start),
    ("MySQLTopologyMaxAllowedPacket", Reload::Live),
    ("SQLite3DataFile", Reload::Start),
    ("ServeAgentsHttp", Reload::Start),
    ("TLSCacheTTLFactor", Reload::Live),
];

fn specified() -> BTreeMap<&'static str, (&'static str, Value, &'static str)> {
    let lines = SPECIFIED.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [key, kind, default, reload] = fields[..] else { panic!("four fields expected: {line}") };
            (key, (kind, serde_json::from_str(default).unwrap(), reload))
        })
        .collect()
}

#[test]
fn every_specified_variable_is_there_and_no_other() {
    let ours: BTreeSet<&str> = Config::keys().map(|key| key.name).collect();
    let mut expected: BTreeSet<&str> = specified().into_keys().collect();
    assert_eq!(expected.len(), 201);
    expected.extend(OWN);
    let differing: Vec<_> = ours.symmetric_difference(&expected).collect();
    assert!(differing.is_empty(), "missing or too many: {differing:?}");
}

#[test]
fn types_and_defaults_are_the_specified_ones() {
    let defaults = Config::default().to_map(Secrets::Reveal);
    for (name, (kind, default, _)) in specified() {
        let key = Config::key(name).unwrap();
        // A list of hooks takes more than the strings that are specified.
        let ours = if key.kind.name() == "[hook]" { "[string]" } else { key.kind.name() };
        assert_eq!(ours, kind, "type of {name}");
        assert_eq!(defaults[name], default, "default of {name}");
    }
}

#[test]
fn reload_is_as_specified_but_for_the_listed_ones() {
    for (name, (_, _, column)) in specified() {
        let specified = match column {
            "L" => Reload::Live,
            "S" => Reload::Start,
            _ => Reload::Nothing,
        };
        let own = OWN_RELOAD.iter().find(|(known, _)| *known == name);
        let expected = own.map_or(specified, |(_, reload)| *reload);
        assert_eq!(Config::key(name).unwrap().reload, expected, "{name}");
    }
}

#[test]
fn names_are_unique_in_any_case() {
    let mut seen = BTreeSet::new();
    for key in Config::keys() {
        assert!(seen.insert(key.name.to_ascii_lowercase()), "{} is there twice", key.name);
    }
}

#[test]
fn exactly_the_passwords_are_secret() {
    let secret: Vec<&str> = Config::keys().filter(|key| key.secret).map(|key| key.name).collect();
    assert_eq!(
        secret,
        [
            "MySQLOrchestratorPassword",
            "MySQLTopologyPassword",
            "ConsulAclToken",
            "HTTPAuthPassword",
            "OAuthClientSecret"
        ]
    );
}

#[test]
fn every_variable_can_be_set_and_read_back_by_its_name() {
    for key in Config::keys() {
        let value = match key.kind.name() {
            "bool" => "true",
            "int" | "uint" | "number" => "77",
            _ if key.name == "AcceptDataLoss" => r#""always""#,
            _ if key.name == "AcceptDataLossByCluster" => r#"{"alias=orders": "30"}"#,
            _ if key.name == "TakeoverSessionPolicy" => r#""wait""#,
            "{string}" => r#"{"a": "b"}"#,
            "{uint}" => r#"{"a": 7}"#,
            "[string]" if key.name == "TrustedProxies" => r#"["10.0.0.0/8"]"#,
            "[string]" => r#"["x"]"#,
            "[hook]" => r#"["x", {"Run": "http://a/b", "Retries": 2}]"#,
            "[object]" => r#"[{"URL": "http://a/b", "Events": ["blocked"], "Secret": "s"}]"#,
            _ if key.name == "FencingPolicy" => r#""optional""#,
            _ => r#""x""#,
        };
        // What the value needs around it in order to be valid.
        let around = match key.name {
            "RaftEnabled" => r#","RaftDataDir": "/d""#,
            "FailMasterPromotionOnLagMinutes" => r#","ReplicationLagQuery": "select 1""#,
            _ => "",
        };
        let name = key.name.to_ascii_uppercase();
        if matches!(
            key.name,
            "HTTPAdvertise" | "MySQLOrchestratorCredentialsConfigFile" | "MySQLTopologyCredentialsConfigFile"
        ) {
            assert!(Config::from_json(&format!(r#"{{"{name}": {value}}}"#)).is_err(), "{name}");
            continue;
        }
        let config = Config::from_json(&format!(r#"{{"{name}": {value}{around}}}"#)).unwrap();
        let expected: Value = match key.name {
            // Merged into its successor.
            "SlaveLagQuery" => Value::from(""),
            // Normalised.
            "URLPrefix" => Value::from("/x"),
            "KVClusterMasterPrefix" => Value::from("x/"),
            "ConsulMaxKVsPerTransaction" => Value::from(64),
            _ => serde_json::from_str(value).unwrap(),
        };
        assert_eq!(config.read(key.name, Secrets::Reveal), Some(expected), "{name}");
        assert!(config.is_given(key.name), "{name}");
    }
}

#[test]
fn the_dump_is_one_line_with_all_variables_and_escapes() {
    let config = Config::from_json(r#"{"WebMessage": "<b>a & b</b>", "MySQLTopologyPassword": "grom1t"}"#).unwrap();
    let line = config.to_json_line(Secrets::Reveal);
    assert!(!line.contains('\n'));
    assert!(line.contains(r#""WebMessage":"\u003cb\u003ea \u0026 b\u003c/b\u003e""#), "{line}");
    assert!(line.contains(r#""MySQLTopologyPassword":"grom1t""#), "{line}");
    let back: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
    assert_eq!(back.len(), Config::keys().count());
    assert!(!config.to_json_line(Secrets::Redact).contains("grom1t"));
    assert!(!format!("{config:?}").contains("grom1t"));
}

fn row(key: &KeySpec, defaults: &Config) -> String {
    let default = defaults.read(key.name, Secrets::Reveal).unwrap();
    let reload = match key.reload {
        Reload::Live => "at once",
        Reload::Start => "restart",
        Reload::Nothing => "–",
    };
    let effect = match key.effect {
        Effect::InEffect => "",
        Effect::Later => "*Not in effect yet.* ",
        Effect::Never => "",
    };
    let lines: Vec<&str> = key.meaning().split_whitespace().collect();
    let meaning = lines.join(" ");
    format!("| `{}` | {} | `{default}` | {reload} | {effect}{meaning} |", key.name, key.kind.name())
}

/// On failure the message holds the rows to put into the document.
#[test]
fn the_documentation_has_every_variable_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFIGURATION.md");
    let document = std::fs::read_to_string(path).unwrap();
    let present: BTreeSet<&str> = document.lines().collect();
    let defaults = Config::default();
    let mut missing = String::new();
    let mut rows = 0;
    for (title, keys) in Config::sections() {
        let expected: Vec<String> = keys.iter().map(|key| row(key, &defaults)).collect();
        rows += expected.len();
        if expected.iter().any(|row| !present.contains(row.as_str())) {
            missing.push_str(&format!(
                "\n### {title}\n\n| Variable | Type | Default | Reload | Meaning |\n|---|---|---|---|---|\n"
            ));
            missing.push_str(&expected.join("\n"));
            missing.push('\n');
        }
    }
    assert!(missing.is_empty(), "docs/CONFIGURATION.md lacks or differs in:\n{missing}");
    let documented = document.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(documented, rows, "docs/CONFIGURATION.md has rows of variables that do not exist");
}
