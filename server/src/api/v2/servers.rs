//! Servers: reads, discovery, what operators say of them.

use std::sync::Arc;

use app::InstanceKey;
use app::api::{DiscoverRequest, DowntimeRequest, ErrorBody, PromotionRuleRequest, ServerView};
use app::topology::{Candidate, Downtime, Instance, PromotionRule};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{TimeDelta, Utc};
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named, server_key};
use super::clusters::{cluster_named, with_scene};
use crate::api::error::{ApiError, ApiResult};
use crate::api::v1::FORGOTTEN_FOR;
use crate::auth::{Operator, Viewer};
use crate::consensus::Command;
use crate::lookup;
use crate::services::Services;

/// What to look for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Part of a host name, cluster name, alias or version, or a server id or port; everything when empty.
    search: String,
    /// Only those of this cluster, by name, alias or member.
    cluster: String,
    /// Only those for which these tag expressions hold: `name`, `name=value`, `~name` or `~name=value`, several with commas.
    tag: String,
    /// Only those with a problem that are not in downtime.
    problems: bool,
    /// Only those in downtime.
    downtimed: bool,
}

/// All servers, or those for which all that is asked for holds.
#[utoipa::path(
    get,
    path = "/servers",
    params(Search),
    responses((status = 200, body = Vec<ServerView>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn list_servers(
    _: Viewer,
    State(services): Rooms,
    Given(given): Given<Search>,
) -> ApiResult<Json<Vec<ServerView>>> {
    let snapshot = services.fleet.snapshot();
    let cluster = match given.cluster.trim() {
        "" => None,
        text => Some(cluster_named(&services, text)?),
    };
    let tagged = match given.tag.trim() {
        "" => None,
        list => Some(lookup::tagged(&snapshot, list)?),
    };
    let troubled: Option<Vec<InstanceKey>> = given
        .problems
        .then(|| lookup::in_trouble(&snapshot, &services.config.current()).iter().map(|i| i.key.clone()).collect());
    let is_meant = |i: &Arc<Instance>| {
        cluster.as_ref().is_none_or(|name| i.cluster_name == *name)
            && tagged.as_ref().is_none_or(|keys| keys.binary_search(&i.key).is_ok())
            && troubled.as_ref().is_none_or(|keys| keys.binary_search(&i.key).is_ok())
            && (!given.downtimed || snapshot.annotations.active_downtime(&i.key, snapshot.at).is_some())
    };
    let found = lookup::search(&snapshot, &given.search);
    Ok(Json(with_scene(&services, |scene| found.iter().filter(|i| is_meant(i)).map(|i| scene.server(i)).collect())))
}

/// Looks at a server now and follows it from then on, with what it leads to.
#[utoipa::path(
    post,
    path = "/servers",
    request_body = DiscoverRequest,
    responses(
        (status = 201, body = ServerView),
        (status = 400, body = ErrorBody),
        (status = 422, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "the server could not be read; says why"),
    ),
)]
pub async fn discover_server(
    operator: Operator,
    State(services): Rooms,
    Body(request): Body<DiscoverRequest>,
) -> ApiResult<(StatusCode, Json<ServerView>)> {
    let key = server_key(&request.server, &services.config.current())?;
    let found = services.discovery.discover(&key).await?;
    services.consensus.submit(Command::Admit { key: found.key.clone() }, operator.actor()).await?;
    Ok((StatusCode::CREATED, Json(view_of(&services, &found.key)?)))
}

/// One server.
#[utoipa::path(
    get,
    path = "/servers/{key}",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 200, body = ServerView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn show_server(_: Viewer, State(services): Rooms, Named(text): Named<String>) -> ApiResult<Json<ServerView>> {
    let key = server_key(&text, &services.config.current())?;
    view_of(&services, &key).map(Json)
}

/// Forgets a server and keeps it out for a while.
#[utoipa::path(
    delete,
    path = "/servers/{key}",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn forget_server(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let command = Command::Forget { key, barred_until: Utc::now() + FORGOTTEN_FOR };
    services.consensus.submit(command, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a server now.
#[utoipa::path(
    post,
    path = "/servers/{key}/refresh",
    params(("key" = String, Path, description = "host:port")),
    responses(
        (status = 200, body = ServerView),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "the server could not be read; says why"),
    ),
)]
pub async fn refresh_server(
    _: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<ServerView>> {
    let key = known(&services, &text)?;
    let seen = services.discovery.probe_now(&key).await?;
    view_of(&services, &seen.key).map(Json)
}

/// Begins a downtime, or replaces the one there is: no recovery acts on the server until its end.
#[utoipa::path(
    put,
    path = "/servers/{key}/downtime",
    params(("key" = String, Path, description = "host:port")),
    request_body = DowntimeRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn begin_downtime(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Body(request): Body<DowntimeRequest>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let reason = request.reason.trim();
    if reason.is_empty() {
        return Err(ApiError::bad_input("reason: expected a text that says why, got an empty one"));
    }
    let begin = Utc::now();
    let length = i64::try_from(request.duration_seconds).ok().filter(|s| *s > 0).and_then(TimeDelta::try_seconds);
    let end = length.and_then(|length| begin.checked_add_signed(length)).ok_or_else(|| {
        ApiError::bad_input(format!("duration_seconds: expected seconds above 0, got {}", request.duration_seconds))
    })?;
    let owner = match request.owner.trim() {
        "" => operator.actor().name.clone(),
        owner => owner.to_owned(),
    };
    let downtime = Downtime { owner, reason: reason.to_owned(), begin, end };
    services.consensus.submit(Command::BeginDowntime { key, downtime }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the downtime of a server, if it has one.
#[utoipa::path(
    delete,
    path = "/servers/{key}/downtime",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn end_downtime(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    services.consensus.submit(Command::EndDowntime { key }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says how welcome a server is as a new source.
#[utoipa::path(
    put,
    path = "/servers/{key}/promotion-rule",
    params(("key" = String, Path, description = "host:port")),
    request_body = PromotionRuleRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn set_promotion_rule(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Body(request): Body<PromotionRuleRequest>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let rule: PromotionRule = request.rule.parse().map_err(|error| ApiError::bad_input(format!("rule: {error}")))?;
    let candidate = Candidate { rule, last_suggested: Utc::now() };
    services.consensus.submit(Command::RegisterCandidate { key, candidate }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key of a server, which must be known. Nothing is stretched here: v2 means what it says.
pub(super) fn known(services: &Arc<Services>, text: &str) -> ApiResult<InstanceKey> {
    let key = server_key(text, &services.config.current())?;
    match services.fleet.get(&key) {
        Some(known) => Ok(known.key.clone()),
        None => Err(ApiError::not_found("Server", key)),
    }
}

fn view_of(services: &Arc<Services>, key: &InstanceKey) -> ApiResult<ServerView> {
    with_scene(services, |scene| scene.snapshot.get(key).map(|instance| scene.server(instance)))
        .ok_or_else(|| ApiError::not_found("Server", key))
}
