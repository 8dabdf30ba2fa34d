//! Names that people give: servers, clusters, tags, spans of time, addresses of the API.

use std::sync::LazyLock;

use app::InstanceKey;
use app::topology::{Annotations, Instance, Snapshot};
use chrono::{DateTime, Utc};
use orchestrator::api::v1::route::{decode, matches};
use orchestrator::api::v1::table::Table;
use orchestrator::cli::duration::parse_duration;
use orchestrator::config::Config;
use orchestrator::lookup::{
    Hint, Reach, TagExpression, cluster_by_hint, cluster_names, host_and_port, split_list, tagged, widen,
};

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::from_json("{}").expect("an empty configuration"));
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
static FLEET: LazyLock<Snapshot> = LazyLock::new(fleet);

/// Two clusters, with aliases and tags.
fn fleet() -> Snapshot {
    let mut annotations = Annotations::default();
    annotations.cluster_aliases.insert("db1.example:3306".to_owned(), "orders".to_owned());
    for (host, tags) in [("db1.example", "role=db,old="), ("db2.example", "role=web"), ("us1.example", "old=")] {
        let pairs = tags.split(',').filter_map(|tag| tag.split_once('='));
        let tags = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        annotations.tags.insert(InstanceKey::new(host, 3306), tags);
    }
    let server = |host: &str, cluster: &str| Instance {
        cluster_name: cluster.to_owned(),
        ..Instance::unseen(InstanceKey::new(host, 3306))
    };
    let servers = [
        server("db1.example", "db1.example:3306"),
        server("db2.example", "db1.example:3306"),
        server("us1.example", "us1.example:3306"),
        server("2001:db8::1", "us1.example:3306"),
    ];
    Snapshot::new(servers, annotations, DateTime::<Utc>::UNIX_EPOCH)
}

/// A key that was read is whole, and is read again from the text that is dialled.
pub fn instance_key(text: &str) {
    for part in split_list(text) {
        assert!(!part.is_empty());
    }
    let (host, port) = text.split_once('/').unwrap_or((text, "3306"));
    if let Ok(key) = host_and_port(host, port) {
        assert!(key.port > 0 && !key.hostname.is_empty());
    }
    let Ok(key) = InstanceKey::parse(text, 3306) else { return };
    assert!(key.port > 0 && !key.hostname.is_empty());
    assert_eq!(InstanceKey::parse(&key.dial_text(), 1).as_ref(), Ok(&key));
    assert_eq!(key.detached().reattached(), key.reattached());
    assert!(key.detached().is_detached() && !key.detached().is_valid());
    let json = serde_json::to_string(&key).expect("JSON");
    assert_eq!(serde_json::from_str::<InstanceKey>(&json).expect("a key"), key);
    for reach in [Reach::Exact, Reach::ShortName, Reach::Contains] {
        let meant = widen(&FLEET, key.clone(), reach);
        assert!(meant == key || FLEET.get(&meant).is_some(), "{meant} is neither given nor known");
        assert_eq!(meant.port, key.port);
    }
}

/// A hint means a cluster that is there, and what is meant exactly is meant by every reach.
pub fn cluster_hint(text: &str) {
    let means = |reach| cluster_by_hint(&FLEET, &CONFIG, text, reach);
    let found = [Reach::Exact, Reach::ShortName, Reach::Contains].map(means);
    let names = cluster_names(&FLEET);
    for hint in &found {
        if let Hint::Cluster(name) = hint {
            assert!(names.contains(name), "{name} is no cluster");
        }
    }
    if found[0] != Hint::Unknown {
        assert!(found.iter().all(|hint| *hint == found[0]), "{found:?}");
    }
}

/// An expression is read again from its parts; a list finds servers with tags, in order, each once.
pub fn tag_expression(text: &str) {
    if let Ok(keys) = tagged(&FLEET, text) {
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| FLEET.annotations.tags.contains_key(key)));
    }
    let Ok(tag) = TagExpression::parse(text) else { return };
    assert!(!tag.name.is_empty() && !tag.name.contains(['=', '~', '!']));
    let value = tag.value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
    let written = format!("{}{}{value}", if tag.negated { "~" } else { "" }, tag.name);
    assert_eq!(TagExpression::parse(&written).as_ref(), Ok(&tag), "{written:?}");
}

/// A span is never negative, and its unit is one of five.
pub fn duration(text: &str) {
    if let Ok(Some(span)) = parse_duration(text) {
        assert!(span >= chrono::TimeDelta::zero());
        assert!(text.trim().ends_with(['s', 'm', 'h', 'd', 'w']));
    }
}

/// A path finds at most one route, and finds it again with every byte of its parameters escaped.
pub fn url_path(text: &str) {
    let Some(path) = decode(text) else { return };
    let Some((route, params)) = TABLE.find(&path) else { return };
    assert!(params.values().all(|value| !value.is_empty() && !value.contains(['/', '#', '?'])));
    let escaped = |value: &str| value.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pattern = route.paths.iter().find(|pattern| matches(pattern, &path).as_ref() == Some(&params));
    let pattern = pattern.expect("one of the route's own");
    let part = |part: &str| match part.strip_prefix(':') {
        Some(name) => params.get(name).map(|value| escaped(value)).unwrap_or_default(),
        None => part.to_owned(),
    };
    let again = decode(&pattern.split('/').map(part).collect::<Vec<_>>().join("/")).expect("escaped");
    let (_, found) = TABLE.find(&again).expect("the same route");
    assert_eq!(found, params, "{again:?}");
}
