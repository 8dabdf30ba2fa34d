//! What is answered over HTTP: the compatible API, `/api/v2`, and the page.

mod access_token;
pub mod compat;
mod entrance;
mod error;
mod figures;
mod from_services;
mod intake;
pub mod v1;
pub mod v2;
pub mod web;

pub use entrance::router;
pub use error::{ApiError, ApiResult, ErrorKind};
