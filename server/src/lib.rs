//! The server.
pub mod api;
