//! Clusters and findings.

use std::sync::Arc;

use app::api::{ClusterSummary, ClusterView, ErrorBody};
use app::readiness::{HeldFinding, Readiness};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;

use super::Rooms;
use super::body::Named;
use super::views::Scene;
use crate::api::error::{ApiError, ApiResult};
use crate::api::v1::FORGOTTEN_FOR;
use crate::auth::{Operator, Viewer};
use crate::consensus::Command;
use crate::lookup::{Hint, Reach, cluster_by_hint};
use crate::readiness;
use crate::recovery::Watcher;
use crate::services::Services;

/// All clusters.
#[utoipa::path(get, path = "/clusters", responses((status = 200, body = Vec<ClusterSummary>)))]
pub async fn list_clusters(_: Viewer, State(services): Rooms) -> Json<Vec<ClusterSummary>> {
    Json(with_scene(&services, |scene| scene.summaries()))
}

/// One cluster with its servers, by name, alias or member.
#[utoipa::path(
    get,
    path = "/clusters/{name}",
    params(("name" = String, Path, description = "name, alias, or host:port of a member")),
    responses((status = 200, body = ClusterView), (status = 404, body = ErrorBody)),
)]
pub async fn show_cluster(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<ClusterView>> {
    let found =
        with_scene(&services, |scene| match cluster_by_hint(scene.snapshot, scene.config, &text, Reach::Exact) {
            Hint::Cluster(name) => Some(scene.cluster(&name)),
            Hint::Unknown => None,
        });
    found.map(Json).ok_or_else(|| ApiError::not_found("Cluster", text))
}

/// Forgets all servers of a cluster and keeps them out for a while.
#[utoipa::path(
    delete,
    path = "/clusters/{name}",
    params(("name" = String, Path, description = "name, alias, or host:port of a member")),
    responses((status = 204), (status = 404, body = ErrorBody)),
)]
pub async fn forget_cluster(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<StatusCode> {
    let name = cluster_named(&services, &text)?;
    let keys: Vec<_> = services.fleet.snapshot().cluster(&name).map(|i| i.key.clone()).collect();
    for key in keys {
        let command = Command::Forget { key, barred_until: Utc::now() + FORGOTTEN_FOR };
        services.consensus.submit(command, operator.actor()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Why a cluster would, or would not, fail over: for each of its sources what would happen if it died now, for what is
/// wrong now why nothing acts on it, and what happened lately.
#[utoipa::path(
    get,
    path = "/clusters/{name}/readiness",
    params(("name" = String, Path, description = "name, alias, or host:port of a member")),
    responses((status = 200, body = Readiness), (status = 404, body = ErrorBody)),
)]
pub async fn show_readiness(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<Readiness>> {
    let name = cluster_named(&services, &text)?;
    Ok(Json(readiness::of_cluster(&services, &name, Watcher::Service).await))
}

/// What analysis finds now, worst first, and why nothing acts on it.
#[utoipa::path(get, path = "/findings", responses((status = 200, body = Vec<HeldFinding>)))]
pub async fn list_findings(_: Viewer, State(services): Rooms) -> Json<Vec<HeldFinding>> {
    let mut problems = services.recovery.problems();
    problems.sort_by_key(|p| std::cmp::Reverse(p.finding.severity));
    Json(problems)
}

/// The name of the cluster that a text means, which must be known. Nothing is stretched here: v2 means what it says.
pub(super) fn cluster_named(services: &Arc<Services>, text: &str) -> ApiResult<String> {
    match cluster_by_hint(&services.fleet.snapshot(), &services.config.current(), text, Reach::Exact) {
        Hint::Cluster(name) => Ok(name),
        Hint::Unknown => Err(ApiError::not_found("Cluster", text.trim())),
    }
}

/// Hands everything that a view is made from to `look`.
pub(super) fn with_scene<T>(services: &Arc<Services>, look: impl FnOnce(&Scene<'_>) -> T) -> T {
    let (snapshot, config) = (services.fleet.snapshot(), services.config.current());
    let (findings, recoveries) = (services.recovery.problems(), services.recovery.registry().list());
    look(&Scene { snapshot: &snapshot, config: &config, findings: &findings, recoveries: &recoveries })
}
