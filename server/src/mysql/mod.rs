//! Talking to watched servers: the only importer of the MySQL driver.

mod alarm;
mod connect;
mod control;
mod drain;
mod error;
mod login;
mod probe;
mod questions;
mod session;
mod settings;
mod tls;
mod user_queries;

pub use alarm::{Alarm, Alarms, Sign};
pub use connect::{Connector, Lease};
pub use control::{Control, MysqlControl};
pub use drain::{DrainProgress, Drained};
pub use error::MysqlError;
pub use probe::{
    MysqlProbe, Probe, ProbeContext, ProbeError, ProbeOutcome, ProbeResult, ProbeSettings, SLOW_CADENCE, Seen,
};
pub use session::Session;
pub use settings::{ConnectSettings, TlsMode, TlsSettings};
pub use user_queries::UserQueries;
