//! The commands, by what they do.

pub mod change;
pub mod node;
pub mod pools;
pub mod read;
pub mod recover;
