//! Faults on real servers, under a load of writes that knows which of them were acknowledged (`safety.md`; `docs/CHAOS.md`).
//!
//! Each scenario has a source with replicas, semi-synchronous, and the real program with its default settings. It breaks something,
//! heals it, and ends with the same audit: no acknowledged write is lost, one server takes writes, no transaction is
//! errant, everybody replicates again. `make chaos` runs all of them and prints the table; those that are not marked as ignored run in
//! `make test` as well.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "this is a program of its own: nobody waits for its runtime")]

mod arena;
mod hosts;
mod load;
mod network;
mod orchestrator;
mod row;
#[path = "../support/mod.rs"]
mod support;
mod watch;
