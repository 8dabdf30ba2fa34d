//! The HTTP edge in this process: requests in, answers out, over a picture of servers instead of servers.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod bad_input;
mod clients;
mod contract;
mod events;
mod methods;
mod metrics;
mod readiness;
mod rights;
mod support;
mod v1_changes;
mod v1_reads;
mod v2;
mod v2_more;
mod v2_records;
