//! The service: everything that touches the world. Decisions are made in `engine`, carried out here.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod events;
pub mod lookup;
pub mod mysql;
pub mod node;
pub mod store;
pub mod tasks;
