//! The variables, a file per concern. Each is declared once; see [`crate::config::table`].

pub mod agents;
pub mod audit;
pub mod auth;
pub mod backend;
pub mod candidates;
pub mod classification;
pub mod detection;
pub mod discovery;
pub mod extensions;
pub mod general;
pub mod hooks;
pub mod kv;
pub mod metrics;
pub mod obsolete;
pub mod pseudo_gtid;
pub mod raft;
pub mod recovery;
pub mod resolve;
pub mod semi_sync;
pub mod tls;
pub mod topology;
