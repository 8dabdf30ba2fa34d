//! The audit as the page reads it.

use chrono::{DateTime, Utc};

use super::age::duration_text;
use super::route::{AuditView, encode};
use super::tone::Tone;
use crate::InstanceKey;

/// What the page takes from a row of the audit (`crate::api::AuditRow`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of act.
    pub kind: String,
    /// The server; null for global events.
    pub server: InstanceKey,
    /// The cluster; empty when none.
    pub cluster: String,
    /// Who.
    pub actor: String,
    /// How the actor was told.
    pub method: String,
    /// Where the actor called from.
    pub address: String,
    /// What.
    pub message: String,
    /// `done`, `failed` or `refused`; nothing where it is not told.
    pub outcome: Option<String>,
    /// Milliseconds it took.
    pub duration_ms: Option<u64>,
    /// Why, for automatic acts.
    pub reason: String,
}

impl Row {
    /// How it ended, where that is worth a word: what was done needs none.
    pub fn outcome_tone(&self) -> Option<Tone> {
        match self.outcome.as_deref() {
            Some("failed") => Some(Tone::Broken),
            Some("refused") => Some(Tone::Attention),
            _ => None,
        }
    }

    /// `basic, from 10.0.0.7, in 0.4 s`: what is known of how it was done.
    pub fn how(&self) -> String {
        let took = self.duration_ms.and_then(|ms| i64::try_from(ms).ok()).map(chrono::Duration::milliseconds);
        let parts = [
            Some(self.method.clone()),
            Some(self.address.clone()).filter(|a| !a.is_empty()).map(|a| format!("from {a}")),
            took.map(|took| format!("in {}", duration_text(took))),
        ];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// The address below the API of these rows: a page of them, or all as a file of a format.
pub fn source(view: &AuditView, page: u32, format: &str) -> String {
    let mut address = format!("api/v2/audit?page={page}");
    for (name, value) in view.given() {
        address.push_str(&format!("&{name}={}", encode(value)));
    }
    if !format.is_empty() {
        address.push_str(&format!("&format={format}"));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::read::read;

    const OLD: &str = r#"{"id":7,"at":"2026-11-21T18:00:00Z","kind":"begin-downtime","server":{"Hostname":"db1","Port":3306},
        "cluster":"orders","actor":"dba","message":"disk"}"#;

    #[test]
    fn rows_are_read_with_and_without_what_the_original_does_not_tell() {
        let old: Row = read(OLD).expect("a row");
        assert_eq!((old.how().as_str(), old.outcome_tone()), ("", None));
        let new = OLD.replace(
            "\"disk\"",
            "\"disk\",\"method\":\"basic\",\"address\":\"10.0.0.7\",\"outcome\":\"failed\",\"duration_ms\":400",
        );
        let new: Row = read(&new).expect("a row");
        assert_eq!((new.how().as_str(), new.outcome_tone()), ("basic, from 10.0.0.7, in 0.4 s", Some(Tone::Broken)));
    }

    #[test]
    fn what_is_asked_for_is_in_the_address() {
        let view = AuditView { actor: "dba".to_owned(), text: "a b&c".to_owned(), ..AuditView::default() };
        assert_eq!(source(&view, 2, ""), "api/v2/audit?page=2&actor=dba&text=a%20b%26c");
        assert_eq!(source(&AuditView::default(), 0, "csv"), "api/v2/audit?page=0&format=csv");
    }
}
