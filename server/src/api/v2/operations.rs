//! Plans, and their application.

use app::BinlogCoordinates;
use app::api::{ApplyRequest, ErrorBody, Operation, OperationView};
use app::plan::Plan;
use app::topology::LogPlace;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named, server_key};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};

/// What would be done. Nothing is changed and no server is asked.
#[utoipa::path(
    post,
    path = "/plans",
    request_body = Operation,
    responses(
        (status = 200, body = Plan),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "a rule forbids it, named in `refusal`"),
    ),
)]
pub async fn plan_operation(
    _: Viewer,
    State(services): Rooms,
    Body(operation): Body<Operation>,
) -> ApiResult<Json<Plan>> {
    check(&operation)?;
    Ok(Json(services.refactor.plan(&operation)?))
}

/// Applies an operation in the background, if its plan is still the one that was shown.
#[utoipa::path(
    post,
    path = "/operations",
    request_body = ApplyRequest,
    responses(
        (status = 202, body = OperationView),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "the world has changed since, or somebody else is at work there"),
        (status = 422, body = ErrorBody, description = "a rule forbids it, named in `refusal`"),
        (status = 503, body = ErrorBody, description = "this node does not lead"),
    ),
)]
pub async fn apply_operation(
    operator: Operator,
    State(services): Rooms,
    Body(request): Body<ApplyRequest>,
) -> ApiResult<(StatusCode, Json<OperationView>)> {
    check(&request.operation)?;
    if request.fingerprint.trim().is_empty() {
        return Err(ApiError::bad_input("fingerprint: expected the one of the plan that was shown, got an empty text"));
    }
    let view = services.refactor.start(&request.operation, &request.fingerprint, operator.actor()).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// How an application stands.
#[utoipa::path(
    get,
    path = "/operations/{id}",
    params(("id" = String, Path, description = "name of the application")),
    responses((status = 200, body = OperationView), (status = 404, body = ErrorBody)),
)]
pub async fn show_operation(
    _: Viewer,
    State(services): Rooms,
    Named(id): Named<String>,
) -> ApiResult<Json<OperationView>> {
    services.refactor.operation(&id).map(Json).ok_or_else(|| ApiError::not_found("Operation", id))
}

/// A place in a server's binary log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InLog {
    /// `file:position`.
    at: String,
}

/// The places in other servers' binary logs that are known to be the same moment as one in this server's.
#[utoipa::path(
    get,
    path = "/servers/{key}/equivalent-places",
    params(("key" = String, Path, description = "host:port"), InLog),
    responses((status = 200, body = Vec<LogPlace>), (status = 400, body = ErrorBody)),
)]
pub async fn list_equivalent_places(
    _: Viewer,
    State(services): Rooms,
    Named(key): Named<String>,
    Given(place): Given<InLog>,
) -> ApiResult<Json<Vec<LogPlace>>> {
    let key = server_key(&key, &services.config.current())?;
    let at = BinlogCoordinates::parse(&place.at).map_err(|error| ApiError::bad_input(format!("at: {error}")))?;
    Ok(Json(services.fleet.annotations().equivalences.of(&key, &at).cloned().collect()))
}

/// What a planner cannot refuse by a rule of replication.
fn check(operation: &Operation) -> ApiResult<()> {
    if let Operation::RelocateReplicas { pattern, .. } = operation
        && let Err(error) = regex::Regex::new(pattern)
    {
        return Err(ApiError::bad_input(format!("pattern: expected a regular expression, got {pattern:?}: {error}")));
    }
    Ok(())
}
