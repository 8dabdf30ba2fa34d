//! The hands of the executor: what an action comes down to on a real server.

use std::time::Duration;

use app::InstanceKey;
use app::plan::Action;
use app::topology::Instance;
use engine::interpret::Record;
use futures_util::future::BoxFuture;

use crate::mysql::MysqlError;

/// Why an action or a fresh read failed.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// The server said no, or could not be reached.
    #[error("{0}")]
    Mysql(MysqlError),
    /// The server could not be read.
    #[error("{key} cannot be read: {reason}")]
    Unreadable {
        /// The server.
        key: InstanceKey,
        /// What the probe said.
        reason: String,
    },
    /// Nothing was heard in time: it may or may not have been done.
    #[error("no answer within {} ms", .after.as_millis())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// What must hold does not.
    #[error("{what}")]
    Condition {
        /// What was found and what was expected.
        what: String,
    },
    /// The backend has not heard this process lately: another one may act in its place.
    #[error("held back: the backend has not heard this process lately, and another one may act in its place")]
    NotPermitted,
    /// Somebody with more right waits for the server.
    #[error("broken off: a recovery waits for it")]
    BrokenOff,
    /// The server is not known, so its dialect is not either.
    #[error("{0} is not known")]
    Unknown(InstanceKey),
    /// A former primary has no replication user, and none could be found.
    #[error("no replication user and password to be had for {0}: set ReplicationCredentialsQuery")]
    NoCredentials(InstanceKey),
}

impl HandError {
    /// Number of the MySQL error, where the server said no.
    pub fn number(&self) -> Option<u16> {
        match self {
            Self::Mysql(error) => error.number(),
            _ => None,
        }
    }
}

impl From<MysqlError> for HandError {
    fn from(error: MysqlError) -> Self {
        match error {
            MysqlError::Timeout { after, .. } => Self::Timeout { after },
            other => Self::Mysql(other),
        }
    }
}

/// Acts on servers. A trait because the world cannot come into a test.
pub trait Hands: Send + Sync {
    /// Reads a server now and records what is seen in the picture.
    fn refresh<'a>(&'a self, key: &'a InstanceKey) -> BoxFuture<'a, Result<Instance, HandError>>;

    /// Carries out an action that is neither a read nor a verification. `statements` are those that were planned and
    /// shown; empty where none were (undoing), and then they are rendered from the server as last seen.
    fn act<'a>(
        &'a self,
        key: &'a InstanceKey,
        action: &'a Action,
        statements: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<(), HandError>>;

    /// How far what is being done on a server has come, for people; `None` where that is not told.
    fn how_far(&self, _key: &InstanceKey) -> Option<String> {
        None
    }

    /// Takes a note of that.
    fn note(&self, _key: &InstanceKey, _how_far: String) {}

    /// Asks a server something that changes nothing.
    fn ask<'a>(
        &'a self,
        key: &'a InstanceKey,
        question: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<Record>, HandError>>;
}
