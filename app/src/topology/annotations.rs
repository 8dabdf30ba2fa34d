//! What operators said of servers: intents and facts of record, which belong to the whole
//! group of orchestrator nodes and not to the one that happened to look (`docs/ARCHITECTURE.md`, two lanes).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::equivalence::Equivalences;
use crate::InstanceKey;

/// How welcome a server is as a new source. Ordered from best to worst (`spec/api.md` 3.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PromotionRule {
    /// Kept for the order of values; registration refuses it, as the original does.
    Must,
    /// Choose it if it can be chosen.
    Prefer,
    /// No opinion.
    #[default]
    Neutral,
    /// Choose it only if nothing better can be had.
    PreferNot,
    /// Never choose it.
    MustNot,
}

/// A text that is no promotion rule that can be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromotionRuleError {
    /// `must` has a meaning but cannot be registered.
    #[error("promotion rule \"must\" is not supported; expected prefer, neutral, prefer_not or must_not")]
    MustNotSupported,
    /// Not one of the values.
    #[error("invalid promotion rule {0:?}; expected prefer, neutral, prefer_not or must_not")]
    Unknown(String),
}

impl PromotionRule {
    /// The value in API, commands and backend.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Prefer => "prefer",
            Self::Neutral => "neutral",
            Self::PreferNot => "prefer_not",
            Self::MustNot => "must_not",
        }
    }

    /// The rule of a backend row, where `must` may stand; anything unknown is `neutral`.
    pub fn from_row(text: &str) -> Self {
        if text == "must" { Self::Must } else { text.parse().unwrap_or_default() }
    }
}

impl fmt::Display for PromotionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PromotionRule {
    type Err = PromotionRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "prefer" => Ok(Self::Prefer),
            "neutral" => Ok(Self::Neutral),
            "prefer_not" => Ok(Self::PreferNot),
            "must_not" => Ok(Self::MustNot),
            "must" => Err(PromotionRuleError::MustNotSupported),
            other => Err(PromotionRuleError::Unknown(other.to_owned())),
        }
    }
}

/// A registered promotion rule with the moment it was last suggested; it expires
/// `CandidateInstanceExpireMinutes` later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// The rule.
    pub rule: PromotionRule,
    /// Last suggestion.
    pub last_suggested: DateTime<Utc>,
}

/// A server whose trouble is known and wanted: no recovery acts on it until the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Downtime {
    /// Who asked for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Begin.
    pub begin: DateTime<Utc>,
    /// End; the entry has no effect from then on.
    pub end: DateTime<Utc>,
}

impl Downtime {
    /// In effect at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.end > now
    }
}

/// An operation's hold on a server; such a server is not analysed (`spec/recovery.md` 1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Maintenance {
    /// Number of the entry in the backend.
    pub id: i64,
    /// Who asked for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Begin.
    pub begin: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
}

/// Everything operators said, by server or cluster. Expired entries may still be in here: ask with a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Annotations {
    /// Downtime by server.
    pub downtime: BTreeMap<InstanceKey, Downtime>,
    /// Active maintenance by server.
    pub maintenance: BTreeMap<InstanceKey, Maintenance>,
    /// Promotion rules by server.
    pub candidates: BTreeMap<InstanceKey, Candidate>,
    /// Alias by cluster name.
    pub cluster_aliases: BTreeMap<String, String>,
    /// Aliases set by operators, by cluster name; they win over what servers suggest.
    pub cluster_alias_overrides: BTreeMap<String, String>,
    /// Domain name by cluster name.
    pub cluster_domains: BTreeMap<String, String>,
    /// Virtual host name by resolved host name, for use in replication configuration.
    pub unresolved: BTreeMap<String, String>,
    /// Tags by server, value by name.
    pub tags: BTreeMap<InstanceKey, BTreeMap<String, String>>,
    /// Places in two binary logs that are the same moment.
    pub equivalences: Equivalences,
}

impl Annotations {
    /// The downtime in effect for a server at `now`.
    pub fn active_downtime(&self, key: &InstanceKey, now: DateTime<Utc>) -> Option<&Downtime> {
        self.downtime.get(key).filter(|d| d.is_active(now))
    }

    /// The promotion rule of a server; `Neutral` without one.
    pub fn promotion_rule(&self, key: &InstanceKey) -> PromotionRule {
        self.candidates.get(key).map(|c| c.rule).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_ordered_from_best_to_worst_and_must_is_refused() {
        assert!(PromotionRule::Prefer < PromotionRule::Neutral);
        assert!(PromotionRule::PreferNot < PromotionRule::MustNot);
        assert_eq!("must".parse::<PromotionRule>(), Err(PromotionRuleError::MustNotSupported));
        assert!("Prefer".parse::<PromotionRule>().is_err());
        assert_eq!(PromotionRule::from_row("must"), PromotionRule::Must);
    }
}
