//! Maintenance and promotion rules: what operators ask to be left alone, and whom they would rather see promoted.

use app::api::{ErrorBody, MaintenanceRequest, MaintenanceView, PromotionRuleView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;

use super::Rooms;
use super::body::{Body, Named};
use super::names::stated;
use super::servers::known;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::consensus::Command;
use crate::maintenance::{self, Wanted};

/// Maintenance in force, by server.
#[utoipa::path(get, path = "/maintenance", responses((status = 200, body = Vec<MaintenanceView>)))]
pub async fn list_maintenance(_: Viewer, State(services): Rooms) -> Json<Vec<MaintenanceView>> {
    let snapshot = services.fleet.snapshot();
    let active = snapshot.annotations.maintenance.iter().filter(|(_, entry)| entry.end > snapshot.at);
    let view = |(key, entry): (&app::InstanceKey, &app::topology::Maintenance)| MaintenanceView {
        id: entry.id,
        server: key.clone(),
        owner: entry.owner.clone(),
        reason: entry.reason.clone(),
        begin: entry.begin,
        end: entry.end,
    };
    Json(active.map(view).collect())
}

/// Begins maintenance of a server: nothing is done to it by operations or recoveries until its end.
#[utoipa::path(
    put,
    path = "/servers/{key}/maintenance",
    params(("key" = String, Path, description = "host:port")),
    request_body = MaintenanceRequest,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "somebody is at work there"),
        (status = 422, body = ErrorBody, description = "it is in maintenance already"),
    ),
)]
pub async fn begin_maintenance(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Body(request): Body<MaintenanceRequest>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let reason = stated("reason", &request.reason)?;
    let given = request.duration_seconds;
    let length = i64::try_from(given).ok().filter(|s| *s > 0).and_then(TimeDelta::try_seconds);
    let length = length
        .ok_or_else(|| ApiError::bad_input(format!("duration_seconds: expected seconds above 0, got {given}")))?;
    let owner = match request.owner.trim() {
        "" => operator.actor().name.clone(),
        owner => owner.to_owned(),
    };
    maintenance::begin(&services, Wanted { key, owner, reason, length }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the maintenance of a server, if it is in one.
#[utoipa::path(
    delete,
    path = "/servers/{key}/maintenance",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn end_maintenance(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    services.consensus.submit(Command::EndMaintenance { key }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Promotion rules that are registered, by server.
#[utoipa::path(get, path = "/promotion-rules", responses((status = 200, body = Vec<PromotionRuleView>)))]
pub async fn list_promotion_rules(_: Viewer, State(services): Rooms) -> Json<Vec<PromotionRuleView>> {
    let minutes = services.config.current().candidates.candidate_instance_expire_minutes;
    let life = i64::try_from(minutes).ok().and_then(TimeDelta::try_minutes).unwrap_or(TimeDelta::MAX);
    let view = |(key, candidate): (&app::InstanceKey, &app::topology::Candidate)| PromotionRuleView {
        server: key.clone(),
        rule: candidate.rule,
        suggested: candidate.last_suggested,
        expires: candidate.last_suggested.checked_add_signed(life).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC),
    };
    Json(services.fleet.annotations().candidates.iter().map(view).collect())
}
