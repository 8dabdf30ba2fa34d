//! View models: what a page says, worked out from the shared types. Pure: time comes in as an argument, so that
//! every word on the screen can be tested without a browser.

pub mod access;
pub mod age;
pub mod audit;
pub mod camera;
pub mod data_centre;
pub mod decimal;
pub mod find;
pub mod fleet;
pub mod fold;
pub mod loss;
pub mod move_targets;
pub mod order;
pub mod plan;
pub mod reaction;
pub mod readiness;
pub mod recovery;
pub mod route;
pub mod search;
pub mod server;
pub mod shape;
pub mod sparkline;
pub mod told;
pub mod tone;
