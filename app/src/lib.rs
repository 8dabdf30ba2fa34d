//! What the browser and the server share: topology types, GTID algebra, replication rules and the
//! API contract. Behind feature `ui`, the pages.
//!
//! Without `ui` this crate knows no clock, environment, randomness, async or I/O: time,
//! configuration and topology come in as arguments (`docs/ARCHITECTURE.md`, rule 1).
#![forbid(unsafe_code)]

pub mod access;
pub mod api;
pub mod coordinates;
pub mod event;
pub mod extra;
pub mod finding;
pub mod gtid;
pub mod key;
pub mod plan;
pub mod readiness;
pub mod recovery;
pub mod rules;
pub mod topology;
pub mod ui;

pub use coordinates::BinlogCoordinates;
pub use key::InstanceKey;
