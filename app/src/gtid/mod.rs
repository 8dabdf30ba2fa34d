//! GTID algebra: what a server has executed or received, and how two servers compare.
//!
//! - [`GtidSet`]: MySQL, with tags (`uuid:tag:1-5`, MySQL 8.3 and later).
//! - [`MariadbGtidPos`]: MariaDB positions and binary log states.
//! - [`GtidPosition`]: either of them, for decisions that do not care which.
//!
//! Everything is computed here, without asking a server. Sets are kept as intervals and never
//! enumerated, so a hostile `uuid:1-9223372036854775806` costs two numbers.

mod errant;
mod error;
mod intervals;
mod mariadb;
mod mysql;
mod position;
mod uuid;

pub use errant::errant;
pub use error::GtidError;
pub use intervals::{Interval, Intervals, MAX_SEQUENCE};
pub use mariadb::{MariadbGtid, MariadbGtidPos};
pub use mysql::{Gtid, GtidSet, SourceId};
pub use position::{GtidOrder, GtidPosition};
pub use uuid::ServerUuid;
