//! Figures for monitoring: `/metrics` for Prometheus, `/debug/metrics` for what read the original's (`docs/METRICS.md`).

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::error::ApiError;
use crate::auth::Viewer;
use crate::metrics::{CONTENT_TYPE, exposition};
use crate::services::Services;
use crate::telemetry;

/// For Prometheus.
const PROMETHEUS: &str = "/metrics";

/// For what read the original's figures.
const DEBUG: &str = "/debug/metrics";

/// The two addresses.
pub fn router(services: Arc<Services>) -> Router {
    Router::new().route(PROMETHEUS, get(prometheus)).route(DEBUG, get(debug)).with_state(services)
}

/// An address of this room.
pub fn is_figures(path: &str) -> bool {
    matches!(path, PROMETHEUS | DEBUG)
}

async fn prometheus(_: Viewer, State(services): State<Arc<Services>>) -> Result<Response, ApiError> {
    let text = exposition(&telemetry::meters(&services), &telemetry::state(&services)).map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// One object, one name a line (`spec/api.md` 2.22).
async fn debug(_: Viewer, State(services): State<Arc<Services>>) -> Response {
    let mut text = "{".to_owned();
    for (index, figure) in telemetry::figures(&services).iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Names are words with dots between them; writing to a text cannot fail.
        let _infallible = write!(text, "{comma}\n\"{}\": {}", figure.name, figure.value);
    }
    text.push_str("\n}\n");
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}
