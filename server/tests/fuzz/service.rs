//! What the service itself is given: its configuration, texts of hooks, bodies of requests.

use std::sync::LazyLock;

use app::InstanceKey;
use app::api::Operation;
use app::finding::Finding;
use app::topology::{Annotations, Instance, Snapshot};
use chrono::{DateTime, Utc};
use engine::analysis::{AnalysisSettings, analyse};
use orchestrator::config::{Config, Secrets};
use orchestrator::hooks::{Values, ValuesOf};

static FINDING: LazyLock<Finding> = LazyLock::new(|| {
    let server = Instance { version: "8.4.3".to_owned(), ..Instance::unseen(InstanceKey::new("db1", 3306)) };
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let findings = analyse(&Snapshot::new([server], Annotations::default(), now), &AnalysisSettings::default(), now);
    findings.into_iter().next().expect("a finding of the only server")
});

/// A configuration that is accepted is accepted again as it was dumped, and means the same.
pub fn configuration(text: &str) {
    let Ok(config) = Config::from_json(text) else { return };
    let dumped = config.to_json_line(Secrets::Reveal);
    let again = Config::from_json(&dumped).unwrap_or_else(|error| panic!("{error}: {dumped}"));
    assert_eq!(again.to_map(Secrets::Reveal), config.to_map(Secrets::Reveal));
}

/// A text without placeholders stays as it is, and no value brings a command along.
pub fn hook_placeholders(text: &str) {
    let finding = Finding { key: InstanceKey::new(text, 3306), ..FINDING.clone() };
    let values = Values::of(&ValuesOf {
        finding: &finding,
        failure_type: "DeadMaster",
        command: text,
        uid: text,
        successor: None,
        lost: &[],
        automatic: (true, false),
        node: text,
    });
    if !text.contains('{') {
        assert_eq!(values.fill(text), text);
    }
    values.fill(text);
    let filled = values.fill("{failedHost}");
    assert!(
        !filled.starts_with('-') && !filled.contains(|c: char| "\"'`$;|&<>(){}[]*?!#~\\\n\r\0\t".contains(c)),
        "{filled:?}"
    );
    assert!(values.environment().iter().all(|(name, value)| !name.contains(['=', '\0']) && !value.contains('\0')));
}

/// An operation is read again from its own JSON, and names a server.
pub fn operation(text: &str) {
    let Ok(operation) = serde_json::from_str::<Operation>(text) else { return };
    let json = serde_json::to_string(&operation).expect("JSON");
    assert_eq!(serde_json::from_str::<Operation>(&json).expect("an operation"), operation);
    assert!(!operation.servers().is_empty());
}
