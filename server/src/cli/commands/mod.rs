//! The commands, by what they do.

pub mod change;
pub mod node;
pub mod read;
pub mod readiness;
pub mod recover;
