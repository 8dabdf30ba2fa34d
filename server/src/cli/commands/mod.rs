//! The commands, by what they do.

pub mod access;
pub mod change;
pub mod moves;
pub mod node;
pub mod pools;
pub mod publish;
pub mod read;
pub mod readiness;
pub mod recover;
pub mod upkeep;
