//! What can be wrong with a configuration.

use std::fmt;

/// A refused configuration. Nothing of it is taken over; correct what is named and load again.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that had to be read could not be.
    #[error("Cannot read config file: {file} {source}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not one JSON object.
    #[error("Cannot read config file: {file} {reason}")]
    Syntax {
        /// The file's name.
        file: String,
        /// What is wrong and where.
        reason: String,
    },
    /// A value is of the wrong type for its variable.
    #[error("Cannot read config file: {file} {key}: expected {expected}, got {given}")]
    WrongType {
        /// The file's name.
        file: String,
        /// The variable.
        key: &'static str,
        /// What was given; the type only where the variable is secret.
        given: String,
        /// What is accepted.
        expected: String,
    },
    /// A credentials file cannot be read or is invalid.
    #[error("Failed to parse gcfg data from file {file} ({key}): {reason}")]
    Credentials {
        /// The variable that names the file.
        key: &'static str,
        /// The file's name.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Values that are well-formed but impossible, alone or together.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    /// The variables to look at; empty when the file as a whole is wrong.
    #[must_use]
    pub fn keys(&self) -> Vec<&'static str> {
        match self {
            Self::Unreadable { .. } | Self::Syntax { .. } => Vec::new(),
            Self::WrongType { key, .. } | Self::Credentials { key, .. } => vec![key],
            Self::Invalid(problems) => {
                let keys = problems.iter().flat_map(|problem| &problem.keys);
                keys.copied().collect()
            }
        }
    }
}

/// One broken rule of section 9 of the configuration document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variables concerned.
    pub keys: Vec<&'static str>,
    /// What is wrong; names the variables and their values.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn lines(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    texts.join("; ")
}
