//! `orchestrator-client`: what it asks for, what it prints, and how it fails.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods)]

#[allow(dead_code, reason = "shared with the tests of the API")]
#[path = "../api/support.rs"]
mod edge;
mod failures;
mod program;
mod service;
mod support;
mod wire;
