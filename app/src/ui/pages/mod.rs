//! One page a file.

pub mod audit;
pub mod cluster;
pub mod dashboard;
pub mod discover;
pub mod fleet_filter;
pub mod not_found;
pub mod recoveries;
pub mod recovery;
pub mod search;
pub mod status;
