//! What touches the browser: addresses, HTTP, the event stream, time, preferences, saved views.

pub mod api;
pub mod clock;
pub mod navigator;
pub mod prefs;
pub mod stream;
pub mod views;
