//! Records: detections, blocked recoveries, changes of findings, stored pictures, publications, acknowledgements.

use app::InstanceKey;
use app::api::{
    AcknowledgeManyRequest, Acknowledged, BlockedRecovery, DetectionView, ErrorBody, FindingChange, PublishRequest,
    PublishedPair, SnapshotServer, TopologySnapshot,
};
use app::recovery::AcknowledgeScope;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named};
use super::clusters::cluster_named;
use super::names::stated;
use super::servers::known;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Operator, Viewer};
use crate::lookup;
use crate::store::{DetectionFilter, PAGE_SIZE};

/// Which detections.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WhichDetections {
    /// Only those of the cluster with this alias; all when empty.
    alias: String,
    /// Page, from 0, of 20 each.
    page: u32,
}

/// Failures that were seen, newest first.
#[utoipa::path(
    get,
    path = "/detections",
    params(WhichDetections),
    responses(
        (status = 200, body = Vec<DetectionView>),
        (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_detections(
    _: Viewer,
    State(services): Rooms,
    Given(which): Given<WhichDetections>,
) -> ApiResult<Json<Vec<DetectionView>>> {
    let filter = match which.alias.trim() {
        "" => DetectionFilter::All,
        alias => DetectionFilter::Alias(alias.to_owned()),
    };
    let rows = services.store.detections(&filter, which.page, PAGE_SIZE).await?;
    let views = rows.into_iter().map(|row| DetectionView {
        id: row.id,
        server: row.key,
        analysis: row.analysis,
        cluster: row.cluster,
        cluster_alias: row.cluster_alias,
        replicas: row.replicas,
        actionable: row.is_actionable,
        active: row.is_active,
        started: row.started,
        node: row.node.hostname,
        recovery: Some(row.related_recovery_id).filter(|id| *id > 0),
    });
    Ok(Json(views.collect()))
}

/// Of which cluster.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OfCluster {
    /// Only those of the cluster of this name; all when empty.
    cluster: String,
}

/// Recoveries that were not begun because another one of the cluster is too recent, newest first.
#[utoipa::path(
    get,
    path = "/blocked-recoveries",
    params(OfCluster),
    responses(
        (status = 200, body = Vec<BlockedRecovery>),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_blocked(
    _: Viewer,
    State(services): Rooms,
    Given(of): Given<OfCluster>,
) -> ApiResult<Json<Vec<BlockedRecovery>>> {
    let rows = services.store.blocked_recoveries(filled(&of.cluster)).await?;
    let views = rows.into_iter().map(|row| BlockedRecovery {
        server: row.key,
        cluster: row.cluster,
        analysis: row.analysis,
        at: row.at,
        blocked_by: row.blocking_recovery_id,
    });
    Ok(Json(views.collect()))
}

/// How the analysis of each server changed, by server and then in order.
#[utoipa::path(
    get,
    path = "/findings/changes",
    responses(
        (status = 200, body = Vec<FindingChange>),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_finding_changes(_: Viewer, State(services): Rooms) -> ApiResult<Json<Vec<FindingChange>>> {
    let changes = services.store.analysis_changes().await?;
    let views = changes.into_iter().map(|c| FindingChange { server: c.key, analysis: c.analysis, at: c.at });
    Ok(Json(views.collect()))
}

/// Acknowledges all recoveries, or those of a cluster or of a failed server; they block no further ones from then on.
#[utoipa::path(
    post,
    path = "/acknowledgements",
    request_body = AcknowledgeManyRequest,
    responses((status = 200, body = Acknowledged), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn acknowledge_many(
    operator: Operator,
    State(services): Rooms,
    Body(request): Body<AcknowledgeManyRequest>,
) -> ApiResult<Json<Acknowledged>> {
    let comment = stated("comment", &request.comment)?;
    let scope = match (request.scope.as_str(), request.target.trim()) {
        ("all", "") => AcknowledgeScope::All,
        ("all", other) => {
            return Err(ApiError::bad_input(format!("target: expected none with scope all, got {other:?}")));
        }
        ("cluster", text) => {
            let name = cluster_named(&services, text)?;
            let alias = lookup::alias_of(&services.fleet.snapshot(), &services.config.current(), &name);
            AcknowledgeScope::Cluster { alias: if alias == name { String::new() } else { alias }, name }
        }
        ("server", text) => AcknowledgeScope::Instance { key: known(&services, text)? },
        (other, _) => {
            return Err(ApiError::bad_input(format!("scope: expected all, cluster or server, got {other:?}")));
        }
    };
    let count = services.recovery.acknowledge(scope, &comment, operator.actor()).await?;
    Ok(Json(Acknowledged { recoveries: count as u64 }))
}

/// What is published in the backend's own key-value store, by key.
#[utoipa::path(
    get,
    path = "/publications",
    responses(
        (status = 200, body = Vec<PublishedPair>),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_publications(_: Viewer, State(services): Rooms) -> ApiResult<Json<Vec<PublishedPair>>> {
    let pairs = services.store.kv_below("").await?;
    Ok(Json(pairs.into_iter().map(|(key, value)| PublishedPair { key, value }).collect()))
}

/// Writes the primaries of one cluster or of all to every key-value store.
#[utoipa::path(
    post,
    path = "/publications",
    request_body = PublishRequest,
    responses(
        (status = 200, body = Vec<PublishedPair>),
        (status = 404, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "not all was written; says what was not"),
    ),
)]
pub async fn publish_primaries(
    operator: Operator,
    State(services): Rooms,
    Body(request): Body<PublishRequest>,
) -> ApiResult<Json<Vec<PublishedPair>>> {
    let cluster = match filled(&request.cluster) {
        None => None,
        Some(text) => Some(cluster_named(&services, text)?),
    };
    services.publisher.may_submit(cluster.as_deref(), operator.actor())?;
    let written = services.publisher.submit(cluster.as_deref(), operator.actor()).await;
    let written = written.map_err(|error| ApiError::new(ErrorKind::Failed, format!("not all was written: {error}")))?;
    Ok(Json(written.into_iter().map(|p| PublishedPair { key: p.key, value: p.value }).collect()))
}

/// Which page.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Page, from 0, of 20 each.
    page: u32,
}

/// Stored pictures of all topologies, newest first.
#[utoipa::path(
    get,
    path = "/topology-snapshots",
    params(Page),
    responses(
        (status = 200, body = Vec<TopologySnapshot>),
        (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_snapshots(
    _: Viewer,
    State(services): Rooms,
    Given(page): Given<Page>,
) -> ApiResult<Json<Vec<TopologySnapshot>>> {
    let stored = services.store.topology_snapshots(page.page, PAGE_SIZE).await?;
    Ok(Json(stored.into_iter().map(|s| TopologySnapshot { at: s.at, servers: s.servers }).collect()))
}

/// Stores a picture of all topologies as the backend has them now.
#[utoipa::path(
    post,
    path = "/topology-snapshots",
    responses(
        (status = 201, body = TopologySnapshot),
        (status = 409, body = ErrorBody, description = "there is one of this second"),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn take_snapshot(
    operator: Operator,
    State(services): Rooms,
) -> ApiResult<(StatusCode, Json<TopologySnapshot>)> {
    operator.actor().reaches_everything("a picture of all topologies")?;
    let now = Utc::now();
    let at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let servers = services.store.snapshot_topologies(at).await.map_err(|error| match error.is_conflict() {
        true => ApiError::new(ErrorKind::Busy, "a snapshot of this second is stored already; nothing was done"),
        false => error.into(),
    })?;
    let message = format!("Topology snapshot of {servers} instances taken");
    services.audit.record("snapshot-topologies", &InstanceKey::default(), "", operator.actor(), &message);
    Ok((StatusCode::CREATED, Json(TopologySnapshot { at, servers })))
}

/// The servers of a stored picture, by key.
#[utoipa::path(
    get,
    path = "/topology-snapshots/{at}",
    params(("at" = String, Path, description = "when it was taken, RFC 3339 or seconds since 1970"), OfCluster),
    responses(
        (status = 200, body = Vec<SnapshotServer>),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn show_snapshot(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
    Given(of): Given<OfCluster>,
) -> ApiResult<Json<Vec<SnapshotServer>>> {
    let at = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.or_else(|| DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc()));
    let at = at.ok_or_else(|| {
        ApiError::bad_input(format!("at: expected a time such as 2030-01-02T03:04:05Z, or seconds, got {text:?}"))
    })?;
    let stored = services.store.topology_snapshot(at).await?;
    if stored.is_empty() {
        return Err(ApiError::not_found("Snapshot", text));
    }
    let meant = filled(&of.cluster);
    let servers = stored.into_iter().filter(|s| meant.is_none_or(|name| s.cluster == name));
    let view = |s: crate::store::SnapshotServer| SnapshotServer {
        server: s.key,
        source: Some(s.source).filter(|source| !source.hostname.is_empty() && source.hostname != "_"),
        cluster: s.cluster,
        version: s.version,
    };
    Ok(Json(servers.map(view).collect()))
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
