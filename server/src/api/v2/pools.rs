//! Pools. They are in the backend only: no decision rests on them.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::api::{ErrorBody, PoolRequest, PoolView, PooledServers};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named};
use super::clusters::{cluster_named, with_scene};
use super::names::stated;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::consensus::Command;
use crate::{lookup, pools};

/// Which pools.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WhichPools {
    /// Only members of this cluster, by name, alias or member; all when empty.
    cluster: String,
}

/// All pools with their members, by name.
#[utoipa::path(
    get,
    path = "/pools",
    params(WhichPools),
    responses(
        (status = 200, body = Vec<PoolView>),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_pools(
    _: Viewer,
    State(services): Rooms,
    Given(which): Given<WhichPools>,
) -> ApiResult<Json<Vec<PoolView>>> {
    let cluster = match which.cluster.trim() {
        "" => None,
        text => Some(cluster_named(&services, text)?),
    };
    let snapshot = services.fleet.snapshot();
    let is_meant = |key: &InstanceKey| {
        cluster.as_ref().is_none_or(|name| snapshot.get(key).is_some_and(|i| i.cluster_name == *name))
    };
    let mut found: BTreeMap<String, Vec<InstanceKey>> = BTreeMap::new();
    for member in services.store.load_pools().await?.into_iter().filter(|member| is_meant(&member.key)) {
        found.entry(member.pool).or_default().push(member.key);
    }
    Ok(Json(found.into_iter().map(|(pool, servers)| PoolView { pool, servers }).collect()))
}

/// Says who is in a pool from now on; whoever was and is not named is in it no longer. Members are forgotten after
/// `InstancePoolExpiryMinutes` unless they are named again.
#[utoipa::path(
    put,
    path = "/pools/{pool}",
    params(("pool" = String, Path, description = "name of the pool")),
    request_body = PoolRequest,
    responses((status = 204), (status = 400, body = ErrorBody)),
)]
pub async fn submit_pool(
    operator: Operator,
    State(services): Rooms,
    Named(pool): Named<String>,
    Body(request): Body<PoolRequest>,
) -> ApiResult<StatusCode> {
    let pool = stated("pool", &pool)?;
    let members = pools::members_of(&services, &request.servers.join(",")).await.map_err(ApiError::bad_input)?;
    if members.is_empty() {
        return Err(ApiError::bad_input("servers: expected at least one; to empty a pool, delete it"));
    }
    services.consensus.submit(Command::SubmitPool { pool, members }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Empties a pool.
#[utoipa::path(
    delete,
    path = "/pools/{pool}",
    params(("pool" = String, Path, description = "name of the pool")),
    responses((status = 204), (status = 400, body = ErrorBody)),
)]
pub async fn remove_pool(
    operator: Operator,
    State(services): Rooms,
    Named(pool): Named<String>,
) -> ApiResult<StatusCode> {
    let pool = stated("pool", &pool)?;
    services.consensus.submit(Command::SubmitPool { pool, members: Vec::new() }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which members.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WhichPool {
    /// Only those of this pool; of any when empty.
    pool: String,
}

/// The servers of a cluster that are in a pool and answered their last check, and how far they are behind.
#[utoipa::path(
    get,
    path = "/clusters/{name}/pooled-servers",
    params(("name" = String, Path, description = "name, alias, or host:port of a member"), WhichPool),
    responses(
        (status = 200, body = PooledServers),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_pooled_servers(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
    Given(which): Given<WhichPool>,
) -> ApiResult<Json<PooledServers>> {
    let cluster = cluster_named(&services, &text)?;
    let members = services.store.load_pools().await?;
    Ok(Json(with_scene(&services, |scene| {
        let pooled = lookup::pooled(scene.snapshot, scene.config, &members, &cluster, which.pool.trim());
        let max_lag = pooled.iter().map(|i| i.lag.unwrap_or_default()).max();
        PooledServers { servers: pooled.iter().map(|i| scene.server(i)).collect(), max_lag }
    })))
}
