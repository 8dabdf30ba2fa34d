//! Talking to watched servers: the only importer of the MySQL driver.

mod connect;
mod error;
mod probe;
mod questions;
mod session;
mod settings;
mod user_queries;

pub use connect::{Connector, Lease};
pub use error::MysqlError;
pub use probe::{
    MysqlProbe, Pending, Probe, ProbeContext, ProbeError, ProbeOutcome, ProbeResult, ProbeSettings, SLOW_CADENCE, Seen,
};
pub use session::Session;
pub use settings::{ConnectSettings, TlsMode, TlsSettings};
pub use user_queries::UserQueries;
