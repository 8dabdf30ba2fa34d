//! What can be wrong with the text of a GTID set or position.

/// Longest excerpt of a refused text that is repeated in an error, in characters.
const EXCERPT: usize = 120;

/// A text that is no GTID set or position, or two positions that cannot be combined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GtidError {
    /// An entry does not begin with a server UUID.
    #[error("cannot parse GTID set: expected a server UUID, got {part:?} in {text:?}")]
    Uuid {
        /// What stood there.
        part: String,
        /// The whole text, shortened.
        text: String,
    },
    /// A part is neither `n`, `n-m` with numbers from 1 to 2^63-2, nor a tag.
    #[error(
        "cannot parse GTID set: expected a tag, a number or an interval from 1 to 2^63-2, got {part:?} in {text:?}"
    )]
    Part {
        /// What stood there.
        part: String,
        /// The whole text, shortened.
        text: String,
    },
    /// An entry of a MariaDB position is not `domain-server-sequence`.
    #[error("cannot parse GTID position: expected domain-server-sequence, got {part:?} in {text:?}")]
    Triple {
        /// What stood there.
        part: String,
        /// The whole text, shortened.
        text: String,
    },
    /// A MySQL set and a MariaDB position were to be combined.
    #[error("a MySQL GTID set and a MariaDB GTID position cannot be combined")]
    MixedFlavors,
}

impl GtidError {
    pub(super) fn uuid(part: &str, text: &str) -> Self {
        Self::Uuid { part: excerpt(part), text: excerpt(text) }
    }

    pub(super) fn part(part: &str, text: &str) -> Self {
        Self::Part { part: excerpt(part), text: excerpt(text) }
    }

    pub(super) fn triple(part: &str, text: &str) -> Self {
        Self::Triple { part: excerpt(part), text: excerpt(text) }
    }
}

/// The text, cut so that a set of megabytes does not end up in a log line.
fn excerpt(text: &str) -> String {
    let mut cut: String = text.chars().take(EXCERPT).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
