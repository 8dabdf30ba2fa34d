//! One page a file.

pub mod account;
pub mod audit;
pub mod cluster;
pub mod dashboard;
pub mod discover;
pub mod fleet_filter;
pub mod login;
pub mod not_found;
pub mod recoveries;
pub mod recovery;
pub mod search;
pub mod status;
pub mod tokens;
pub mod users;
