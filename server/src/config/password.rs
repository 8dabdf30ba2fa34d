//! A password that stands in the file as an argon2 hash (PHC string).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Params};

/// What a hash in the file begins with. A password that really begins so has to be given as a hash.
const PREFIX: &str = "$argon2";

/// A hash that takes more memory than this is refused, so that checking a password cannot exhaust the machine: 256 MiB, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;

/// A hash that takes more passes than this is refused.
const MOST_PASSES: u32 = 16;

/// A hash that cannot be used. The messages do not show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It cannot be read.
    #[error("begins with {PREFIX} and is no argon2 hash ({0}); expected $argon2id$v=19$m=...,t=...,p=...$SALT$HASH")]
    Unreadable(String),
    /// Checking it would take too much.
    #[error("is a hash with m={memory},t={passes}; expected at most m={MOST_MEMORY} (KiB) and t={MOST_PASSES}")]
    TooCostly {
        /// Memory in KiB.
        memory: u32,
        /// Passes.
        passes: u32,
    },
}

/// Reads a password as a hash; `None` when it is none.
///
/// # Errors
/// When it begins like a hash and cannot be used as one.
pub fn parse_hash(text: &str) -> Result<Option<PasswordHash>, PasswordError> {
    if !text.starts_with(PREFIX) {
        return Ok(None);
    }
    let unreadable = |reason: &dyn std::fmt::Display| PasswordError::Unreadable(reason.to_string());
    let hash = PasswordHash::new(text).map_err(|error| unreadable(&error))?;
    Algorithm::try_from(hash.algorithm.as_str()).map_err(|error| unreadable(&error))?;
    let params = Params::try_from(&hash).map_err(|error| unreadable(&error))?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(unreadable(&"salt or hash is missing"));
    }
    let (memory, passes) = (params.m_cost(), params.t_cost());
    if memory > MOST_MEMORY || passes > MOST_PASSES {
        return Err(PasswordError::TooCostly { memory, passes });
    }
    Ok(Some(hash))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("grom1t")]
    #[case::empty("")]
    #[case::other_hash("$2b$12$abcdefghijklmnopqrstuv")]
    fn a_password_is_taken_literally(#[case] text: &str) {
        assert!(parse_hash(text).unwrap().is_none());
    }

    #[rstest]
    #[case("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG")]
    #[case("$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA")]
    fn a_hash_is_read(#[case] text: &str) {
        assert!(parse_hash(text).unwrap().is_some());
    }

    #[rstest]
    #[case::cut("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ", "missing")]
    #[case::no_algorithm(
        "$argon2x$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "no argon2 hash"
    )]
    #[case::nothing_else("$argon2", "no argon2 hash")]
    #[case::too_much_memory(
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG",
        "m=4194304"
    )]
    #[case::too_many_passes("$argon2id$v=19$m=19456,t=99,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG", "t=99")]
    fn what_cannot_be_used_is_refused_and_not_shown(#[case] text: &str, #[case] words: &str) {
        let error = parse_hash(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("c29tZXNhbHQ"), "{error}");
    }
}
