//! Clusters and findings.

use std::sync::Arc;

use app::api::{ClusterSummary, ClusterView, ErrorBody};
use app::finding::Finding;
use axum::Json;
use axum::extract::State;

use super::Rooms;
use super::body::Named;
use super::views::{Scene, says_something};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Viewer;
use crate::lookup::{Hint, Reach, cluster_by_hint};
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

/// What analysis finds now, worst first.
#[utoipa::path(get, path = "/findings", responses((status = 200, body = Vec<Finding>)))]
pub async fn list_findings(_: Viewer, State(services): Rooms) -> Json<Vec<Finding>> {
    let mut findings = services.recovery.findings();
    findings.retain(says_something);
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    Json(findings)
}

/// Hands everything that a view is made from to `look`.
pub(super) fn with_scene<T>(services: &Arc<Services>, look: impl FnOnce(&Scene<'_>) -> T) -> T {
    let (snapshot, config) = (services.fleet.snapshot(), services.config.current());
    let (findings, recoveries) = (services.recovery.findings(), services.recovery.registry().list());
    look(&Scene { snapshot: &snapshot, config: &config, findings: &findings, recoveries: &recoveries })
}
