//! The real program on a backend file: what each command prints, changes and refuses.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod accounts;
mod changes;
mod process;
mod reads;
mod refusals;
mod support;
