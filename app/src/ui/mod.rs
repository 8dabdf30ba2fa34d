//! The page: every view and component, and (without feature `ui`) the pure view models behind them.

pub mod model;
pub mod read;
pub mod tree;

#[cfg(feature = "ui")]
mod app;
#[cfg(feature = "ui")]
mod chrome;
#[cfg(feature = "ui")]
mod infra;
#[cfg(feature = "ui")]
mod pages;
#[cfg(feature = "ui")]
mod panel;
#[cfg(feature = "ui")]
mod state;

#[cfg(feature = "ui")]
pub use app::mount;
