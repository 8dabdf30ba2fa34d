//! Why a server is not chosen: the rule's name for programs, and its words for people.

use app::InstanceKey;
use app::recovery::Considered;

/// A rule that keeps a server from being chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    /// The rule's name, stable, e.g. `must-not`.
    pub rule: &'static str,
    /// What it looked at, and what was expected.
    pub reason: String,
}

impl Veto {
    /// A veto by the rule of this name.
    pub fn new(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { rule, reason: reason.into() }
    }

    /// The server it is about was considered and not chosen.
    pub fn on(self, key: &InstanceKey) -> Considered {
        Considered { key: key.clone(), chosen: false, rule: self.rule.to_owned(), reason: self.reason }
    }
}
