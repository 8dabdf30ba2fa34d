//! The service: everything that touches the world. Decisions are made in `engine`, carried out here.
#![forbid(unsafe_code)]

pub mod adoption;
pub mod api;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod client;
pub mod config;
pub mod consensus;
pub mod daemon;
pub mod discovery;
pub mod events;
pub mod exec;
pub mod fleet;
pub mod hooks;
pub mod housekeeping;
pub mod http;
pub mod journal;
pub mod kv;
pub mod lookup;
pub mod maintenance;
pub mod metrics;
pub mod mysql;
pub mod names;
pub mod node;
pub mod pools;
pub mod readiness;
pub mod recovery;
pub mod refactor;
pub mod registration;
pub mod services;
pub mod settings;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod testing;
