//! What can go wrong between us and a server.

use std::time::Duration;

/// An error of one connection or statement. MySQL errors are told by number; secrets are in none of the texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MysqlError {
    /// No connection was made: the name, the route, the port, TLS or the handshake failed.
    #[error("cannot connect to {server}: {reason}")]
    Connect {
        /// `host:port`.
        server: String,
        /// What failed.
        reason: String,
    },
    /// No answer in time. The statement may still take effect.
    #[error("{what} got no answer within {} ms", after.as_millis())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The connection was lost while waiting for an answer. The statement may have taken effect.
    #[error("lost the connection during {what}: {reason}")]
    Lost {
        /// What was waited for.
        what: String,
        /// What happened.
        reason: String,
    },
    /// The server answered with an error.
    #[error("server error {code} ({state}): {message}")]
    Server {
        /// MySQL error number.
        code: u16,
        /// SQL state.
        state: String,
        /// The server's text.
        message: String,
    },
    /// The applier stopped with an error while it was waited for.
    #[error("the applier of channel {channel:?} stopped with error {code}: {message}")]
    Applier {
        /// Channel name; empty for the default one.
        channel: String,
        /// MySQL error number; zero when it stopped without an error.
        code: u32,
        /// The server's text.
        message: String,
    },
    /// The server answered something that does not fit the question.
    #[error("unexpected answer to {what}: {reason}")]
    Unexpected {
        /// The question.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Our own settings do not allow it: a key that cannot be dialled, a certificate that cannot be read.
    #[error("{0}")]
    Settings(String),
}

/// `ER_ACCESS_DENIED_ERROR`.
pub const ACCESS_DENIED: u16 = 1045;
/// `ER_SECURE_TRANSPORT_REQUIRED`.
pub const SECURE_TRANSPORT_REQUIRED: u16 = 3159;
/// `ER_NO_SUCH_THREAD`.
pub const NO_SUCH_THREAD: u16 = 1094;
/// `ER_KILL_DENIED_ERROR`.
pub const KILL_DENIED: u16 = 1095;
/// `ER_UNKNOWN_SYSTEM_VARIABLE`.
pub const UNKNOWN_VARIABLE: u16 = 1193;
/// `ER_BAD_FIELD_ERROR`.
pub const UNKNOWN_COLUMN: u16 = 1054;

impl MysqlError {
    /// The MySQL error number, if the server gave one.
    pub fn number(&self) -> Option<u16> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Nothing was heard from the server: it is dead, cut off, or hangs.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Lost { .. })
    }

    /// The server refuses this statement and will go on refusing it: it does not know it, or our account may not
    /// use it (1044, 1045, 1049, 1054, 1064, 1109, 1142, 1143, 1146, 1193, 1227, 1235, 1381, 3501).
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.number(),
            Some(1044 | 1045 | 1049 | 1054 | 1064 | 1109 | 1142 | 1143 | 1146 | 1193 | 1227 | 1235 | 1381 | 3501)
        )
    }

    /// The error ended the whole query, not only one statement of it: killed, timed out, shut down.
    pub(super) fn ends_batch(&self) -> bool {
        !matches!(self, Self::Server { code, .. } if !matches!(code, 1053 | 1077 | 1079 | 1158..=1161 | 1317 | 3024 | 4031))
    }
}

/// A server repeats the text near a syntax error. Of a statement that carries a password nothing is repeated.
pub(super) fn without_secrets(message: &str, statement: &str) -> String {
    if statement.to_ascii_lowercase().contains("password") {
        return "(details withheld: the statement carries a password)".to_owned();
    }
    message.to_owned()
}

/// A statement as it may be shown: the words before the first quoted text or option value.
pub(super) fn headline(statement: &str) -> String {
    let plain = statement.split(['\'', '"', '=', '\n']).next().unwrap_or_default().trim();
    let mut headline: String = plain.chars().take(80).collect();
    if headline.len() < statement.trim().len() {
        headline.push_str(" ...");
    }
    headline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_gets_into_an_error() {
        let statement = "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD='s3cret' OOPS";
        assert!(!without_secrets("syntax to use near ''s3cret' OOPS'", statement).contains("s3cret"));
        assert!(!headline(statement).contains("s3cret"));
        assert_eq!(headline("STOP REPLICA"), "STOP REPLICA");
    }

    #[test]
    fn refusals_are_told_from_accidents_by_number() {
        let error = |code| MysqlError::Server { code, state: String::new(), message: String::new() };
        assert!(error(1142).is_refusal() && error(1064).is_refusal() && !error(1205).is_refusal());
        assert!(error(1317).ends_batch() && !error(1064).ends_batch());
        let timeout = MysqlError::Timeout { what: "x".to_owned(), after: Duration::from_secs(1) };
        assert!(timeout.ends_batch() && timeout.is_silence());
    }
}
