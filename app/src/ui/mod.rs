//! The page: every view and component, and (without feature `ui`) the pure view models behind them.

#[cfg(feature = "ui")]
mod app;

#[cfg(feature = "ui")]
pub use app::mount;
