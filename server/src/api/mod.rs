//! What is answered over HTTP.

pub mod compat;
mod error;
pub mod web;

pub use error::{ApiError, ApiResult, ErrorKind};
