//! Every decision, no I/O.
#![forbid(unsafe_code)]

pub mod interpret;
