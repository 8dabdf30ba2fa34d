//! The document itself.

use std::sync::Arc;

use axum::Json;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

/// What the document says before any path.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "orchestrator",
        description = "Manages MySQL and MariaDB replication. Errors have one form, ErrorBody, with a fitting status.",
    ),
    servers((url = "/api/v2")),
)]
struct Base;

/// The document without paths.
pub fn base() -> OpenApi {
    Base::openapi()
}

/// `GET /api/v2/openapi.json`
pub async fn serve(document: Arc<OpenApi>) -> Json<OpenApi> {
    Json((*document).clone())
}
