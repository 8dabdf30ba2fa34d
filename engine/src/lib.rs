//! Every decision, no I/O: time, configuration and topology come in as arguments
//! (`docs/ARCHITECTURE.md`, rule 1).
#![forbid(unsafe_code)]

pub mod analysis;
pub mod attribution;
pub mod candidate;
pub mod errant;
pub mod extra;
pub mod grants;
pub mod inquiry;
pub mod interpret;
pub mod plan;
pub mod policy;
pub mod pseudo_gtid;
pub mod publication;
pub mod readiness;
pub mod recovery;
pub mod statements;
