//! What would happen if a source died now, and why nothing happens to one that is dead: the answer to "why did it not
//! fail over?" for one cluster at one moment. The decisions in it are made by `engine::readiness`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::InstanceKey;
use crate::finding::{AnalysisCode, Evidence, Finding};
use crate::recovery::Considered;

/// The readiness of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// Name of the cluster.
    pub cluster: String,
    /// Its alias; the name when it has none.
    pub alias: String,
    /// The moment of this answer, by the server's clock.
    pub at: DateTime<Utc>,
    /// What would happen if a source died now: primaries first, then intermediate sources, from the top down.
    pub forecasts: Vec<Forecast>,
    /// What is wrong now, and why nothing acts on it.
    pub problems: Vec<HeldFinding>,
    /// What happened lately, newest first.
    pub events: Vec<PastEvent>,
    /// Why some of what happened may be missing; `None` when nothing is.
    #[serde(default)]
    pub events_missing: Option<String>,
}

/// What would happen if one source died now. Nothing is frozen and nobody is asked: it rests on the last reading of each server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Forecast {
    /// The source.
    pub server: InstanceKey,
    /// Its place in the tree.
    pub place: SourcePlace,
    /// It is dead already: this is no forecast.
    pub dead: bool,
    /// What analysis would find, or finds.
    pub code: AnalysisCode,
    /// What would come of it.
    pub verdict: Verdict,
    /// The same in one sentence.
    pub summary: String,
    /// Who would be promoted, or would take its replicas, by a recovery; whether one would begin by itself is in `verdict`.
    pub successor: Option<InstanceKey>,
    /// What stands in the way: first what would be met first.
    pub obstacles: Vec<Obstacle>,
    /// Everybody who comes into question, best first, with the rule that decided.
    pub considered: Vec<Considered>,
    /// What would be lost; `None` where nothing can be, because the primary lives.
    pub loss: Option<Loss>,
    /// Who sees it, and how, at this moment.
    pub evidence: Vec<Evidence>,
}

/// Where a source stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourcePlace {
    /// It replicates from nobody.
    Primary,
    /// It replicates, and others replicate from it.
    Intermediate,
}

/// What would come of the death of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A recovery begins by itself, at once or after the grace time, and finds a successor.
    Automatic,
    /// A recovery could do it and does not begin by itself; the obstacles say why.
    Held,
    /// A recovery would end without a successor; the obstacles say why.
    Refused,
    /// No recovery exists for what would be found.
    Unsupported,
}

impl Verdict {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Held => "held back",
            Self::Refused => "refused",
            Self::Unsupported => "no recovery",
        }
    }
}

/// Something that stands in the way of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Obstacle {
    /// The rule's name, stable and machine readable, e.g. `not-opted-in`, `blocked`, `no-candidate`.
    pub rule: String,
    /// What it is and what would remove it, for people.
    pub reason: String,
    /// The configuration key that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// Identity of the recovery that is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// It ends by itself then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// What would be lost with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Loss {
    /// How acknowledged writes are protected.
    pub protection: Protection,
    /// GTIDs that are known to exist and that no reachable replica holds; empty when there are none.
    pub at_risk: String,
    /// How many transactions of the source no reachable replica held when it was last read.
    pub transactions: u64,
    /// The source lives and still sends: what is missing may have arrived since.
    pub on_the_way: bool,
    /// Transactions that the successor has received and has yet to apply. They are not lost: they are waited for.
    pub pending: u64,
    /// All of it for people, one sentence each.
    pub told: Vec<String>,
}

/// How writes that clients were told are committed survive their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Semi-sync is active and a replica that acknowledges can be reached: every acknowledged write survives.
    SemiSync,
    /// Semi-sync is active, and none of the replicas that acknowledge can be reached.
    AcknowledgersGone,
    /// Semi-sync is on, and the source waits for nobody at present.
    FellBack,
    /// Semi-sync is off: the last acknowledged writes may be on the source only.
    Asynchronous,
    /// The source was never read.
    Unknown,
}

/// A finding, and why nothing acts on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldFinding {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Its code has been found without a break since then; `None` when this process does not watch.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// Why no recovery acts on it; empty when one will, or when none exists for it.
    #[serde(default)]
    pub held: Vec<Obstacle>,
}

/// Why nothing acts on what is found about a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldBack {
    /// The server.
    pub key: InstanceKey,
    /// It has been found so without a break since then; `None` when this process does not watch.
    pub since: Option<DateTime<Utc>>,
    /// Why no recovery acts on it; empty when one will, or when none exists for it.
    pub held: Vec<Obstacle>,
}

/// What happened to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PastEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of event it is.
    pub kind: PastKind,
    /// The failed server.
    pub server: InstanceKey,
    /// What happened, in one line.
    pub what: String,
    /// The recovery it is about, or the one that blocks, by number or identity.
    pub recovery: Option<String>,
}

/// Kinds of [`PastEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PastKind {
    /// A failure was detected.
    Detection,
    /// A recovery was held back by an earlier one.
    Blocked,
    /// A recovery.
    Recovery,
}

impl PastKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Detection => "detected",
            Self::Blocked => "blocked",
            Self::Recovery => "recovery",
        }
    }
}
