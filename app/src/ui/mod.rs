//! The page: every view and component, and (without feature `ui`) the pure view models behind them.

pub mod model;
pub mod tree;

#[cfg(feature = "ui")]
mod app;

#[cfg(feature = "ui")]
pub use app::mount;
