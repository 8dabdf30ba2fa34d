//! The commands, by what they do.

pub mod change;
pub mod node;
pub mod publish;
pub mod read;
pub mod recover;
