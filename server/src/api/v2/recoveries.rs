//! Recoveries.

use std::sync::Arc;

use app::api::{AcknowledgeRequest, ErrorBody, RecoverRequest};
use app::recovery::{AcknowledgeScope, Recovery};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named, server_key};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::lookup::{Hint, Reach, cluster_by_hint};
use crate::recovery::RecoveryRequest;
use crate::services::Services;
use crate::store::RecoveryFilter;

/// Recoveries on a page.
const PAGE: u32 = 20;

/// Which recoveries.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of this cluster, by name or alias; all when empty.
    cluster: String,
    /// Page, from 0, of 20 each.
    page: u32,
}

/// Recoveries, newest first.
#[utoipa::path(
    get,
    path = "/recoveries",
    params(Which),
    responses(
        (status = 200, body = Vec<Recovery>),
        (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "older ones are in the backend, which does not answer"),
    ),
)]
pub async fn list_recoveries(
    _: Viewer,
    State(services): Rooms,
    Given(which): Given<Which>,
) -> ApiResult<Json<Vec<Recovery>>> {
    page_of(&services, &which).await.map(Json)
}

/// One recovery with its steps and its story.
#[utoipa::path(
    get,
    path = "/recoveries/{id}",
    params(("id" = String, Path, description = "number or identity")),
    responses((status = 200, body = Recovery), (status = 404, body = ErrorBody)),
)]
pub async fn show_recovery(_: Viewer, State(services): Rooms, Named(id): Named<String>) -> ApiResult<Json<Recovery>> {
    Ok(Json(find(&services, &id).await?))
}

/// Begins a recovery or a planned takeover; it goes on in the background.
#[utoipa::path(
    post,
    path = "/recoveries",
    request_body = RecoverRequest,
    responses(
        (status = 202, body = Recovery),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "somebody else is at work there"),
        (status = 422, body = ErrorBody, description = "there is nothing to recover, or a rule forbids it"),
        (status = 503, body = ErrorBody, description = "this node does not lead"),
    ),
)]
pub async fn start_recovery(
    operator: Operator,
    State(services): Rooms,
    Body(request): Body<RecoverRequest>,
) -> ApiResult<(StatusCode, Json<Recovery>)> {
    let request = understood(&services, request)?;
    let begun = services.recovery.start(&request, operator.actor()).await?;
    Ok((StatusCode::ACCEPTED, Json((*begun).clone())))
}

/// Acknowledges a recovery; it blocks no further one from then on.
#[utoipa::path(
    put,
    path = "/recoveries/{id}/acknowledgement",
    params(("id" = String, Path, description = "number or identity")),
    request_body = AcknowledgeRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn acknowledge_recovery(
    operator: Operator,
    State(services): Rooms,
    Named(id): Named<String>,
    Body(request): Body<AcknowledgeRequest>,
) -> ApiResult<StatusCode> {
    let comment = request.comment.trim();
    if comment.is_empty() {
        return Err(ApiError::bad_input("comment: expected a text that says why, got an empty one"));
    }
    let uid = find(&services, &id).await?.uid;
    services.recovery.acknowledge(AcknowledgeScope::Uid { uid }, comment, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What memory holds comes first, the backend knows what is older. It is asked only where it can add something, so that
/// the latest recoveries can be read while it is away.
async fn page_of(services: &Arc<Services>, which: &Which) -> ApiResult<Vec<Recovery>> {
    let cluster = Some(which.cluster.trim()).filter(|cluster| !cluster.is_empty());
    let is_full = services.recovery.registry().is_full();
    let held = services.recovery.registry().list();
    let meant = |r: &&Arc<Recovery>| cluster.is_none_or(|name| r.cluster == name || r.cluster_alias == name);
    let start = u64::from(which.page) * u64::from(PAGE);
    let skipped = usize::try_from(start).unwrap_or(usize::MAX);
    let mut page: Vec<Recovery> =
        held.iter().filter(meant).skip(skipped).take(PAGE as usize).map(|r| (**r).clone()).collect();
    let missing = PAGE.saturating_sub(u32::try_from(page.len()).unwrap_or(PAGE));
    if is_full && missing > 0 {
        let before = u64::try_from(held.iter().filter(meant).count()).unwrap_or(u64::MAX);
        let known: Vec<&str> = held.iter().map(|r| r.uid.as_str()).collect();
        let offset = start.saturating_sub(before);
        page.extend(services.store.load_recoveries_besides(&known, cluster, offset, missing).await?);
    }
    Ok(page)
}

/// One recovery by number or identity.
async fn find(services: &Arc<Services>, id: &str) -> ApiResult<Recovery> {
    if let Some(held) = services.recovery.registry().find(id) {
        return Ok((*held).clone());
    }
    // Older than what is kept in memory. The backend keeps records by identity; numbers are in the compatible table.
    let uid = match id.parse() {
        Ok(number) => services.store.recoveries(&RecoveryFilter::Id(number), 0, 1).await?.pop().map(|row| row.uid),
        Err(_) => Some(id.to_owned()),
    };
    let stored = match uid {
        Some(uid) => services.store.load_recovery(&uid).await?,
        None => None,
    };
    stored.ok_or_else(|| ApiError::not_found("Recovery", id))
}

fn understood(services: &Arc<Services>, request: RecoverRequest) -> ApiResult<RecoveryRequest> {
    let RecoverRequest { kind, target, designated, accept_loss_of, skip_hooks } = request;
    let config = services.config.current();
    if kind == "recover" {
        let failed = server_key(&target, &config)?;
        return Ok(RecoveryRequest::Recover { failed, designated, accept_loss_of, skip_hooks });
    }
    if skip_hooks {
        return Err(ApiError::bad_input(format!("skip_hooks: expected with kind recover only, got kind {kind:?}")));
    }
    let cluster = || match cluster_by_hint(&services.fleet.snapshot(), &config, &target, Reach::Exact) {
        Hint::Cluster(name) => Ok(name),
        Hint::Unknown => Err(ApiError::not_found("Cluster", &target)),
    };
    match kind.as_str() {
        "graceful-takeover" | "graceful-takeover-auto" if accept_loss_of.is_some() => {
            Err(ApiError::bad_input("accept_loss_of: a planned takeover loses nothing, so nothing can be accepted"))
        }
        "graceful-takeover" => Ok(RecoveryRequest::Takeover { cluster: cluster()?, designated, auto: false }),
        "graceful-takeover-auto" => Ok(RecoveryRequest::Takeover { cluster: cluster()?, designated, auto: true }),
        "force-failover" => Ok(RecoveryRequest::Force { cluster: cluster()?, designated: None, accept_loss_of }),
        "force-takeover" if designated.is_none() => {
            Err(ApiError::bad_input("designated: expected the server that takes over, got none"))
        }
        "force-takeover" => Ok(RecoveryRequest::Force { cluster: cluster()?, designated, accept_loss_of }),
        other => Err(ApiError::bad_input(format!(
            "kind: expected recover, graceful-takeover, graceful-takeover-auto, force-failover or force-takeover, \
             got {other:?}"
        ))),
    }
}
