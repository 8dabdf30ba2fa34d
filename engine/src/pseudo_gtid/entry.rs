//! What tells an entry from other events.

use regex::Regex;

/// Tells entries by their text.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `PseudoGTIDPatternIsFixedSubstring`.
    Substring(String),
    /// A regular expression.
    Expression(Regex),
}

/// Why there is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// None is configured.
    #[error("pseudo-GTID is not set up: PseudoGTIDPattern is empty and AutoPseudoGTID is off")]
    Empty,
    /// It cannot be read.
    #[error("PseudoGTIDPattern {pattern:?} is no regular expression: {reason}")]
    Unreadable {
        /// As configured.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Pattern {
    /// The pattern of the configuration.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn new(text: &str, is_substring: bool) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if is_substring {
            return Ok(Self::Substring(text.to_owned()));
        }
        Regex::new(text)
            .map(Self::Expression)
            .map_err(|error| PatternError::Unreadable { pattern: text.to_owned(), reason: error.to_string() })
    }

    /// The text of an event is an entry.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Substring(part) => text.contains(part.as_str()),
            Self::Expression(regex) => regex.is_match(text),
        }
    }
}
