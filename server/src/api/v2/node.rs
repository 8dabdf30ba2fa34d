//! The caller, the node, the audit.

use std::path::Path;

use app::InstanceKey;
use app::api::{AuditRow, ErrorBody, NodeStatus, RecoveriesSwitch, RecoverySettings, ReloadRequest, Session};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, server_key};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Admin, Viewer};
use crate::config::BackendKind;
use crate::consensus::Command;
use crate::lookup;

/// Who is calling, and what they may do.
#[utoipa::path(get, path = "/session", responses((status = 200, body = Session)))]
pub async fn session(viewer: Viewer, State(services): Rooms) -> Json<Session> {
    let caller = viewer.caller();
    Json(Session {
        user: caller.user.clone(),
        role: caller.role,
        method: services.config.current().auth.authentication_method.to_ascii_lowercase(),
        read_only_because: caller.read_only_because.clone(),
    })
}

/// How this node is doing. Answered from memory, also while the backend is away.
#[utoipa::path(get, path = "/status", responses((status = 200, body = NodeStatus)))]
pub async fn status(_: Viewer, State(services): Rooms) -> Json<NodeStatus> {
    let snapshot = services.fleet.snapshot();
    let backend = services.journal.state();
    let kind = match services.config.current().backend.kind() {
        BackendKind::Sqlite => "sqlite",
        BackendKind::Mysql => "mysql",
    };
    Json(NodeStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hostname: services.node.hostname.clone(),
        token: services.node.token.clone(),
        started: services.node.started,
        is_leader: services.consensus.is_leader(),
        backend: kind.to_owned(),
        backend_error: backend.error,
        backend_down_since: backend.down_since,
        pending_writes: backend.pending,
        recoveries_enabled: services.consensus.recoveries_enabled(),
        recovery_block_seconds: services.config.current().recovery.period_block_seconds,
        servers: snapshot.instances.len() as u64,
        clusters: lookup::cluster_names(&snapshot).len() as u64,
        tasks: services.tasks.list(),
    })
}

/// Switches automatic recoveries on or off for the whole group.
#[utoipa::path(
    put,
    path = "/settings/recoveries",
    request_body = RecoveriesSwitch,
    responses((status = 204), (status = 400, body = ErrorBody)),
)]
pub async fn switch_recoveries(
    admin: Admin,
    State(services): Rooms,
    Body(switch): Body<RecoveriesSwitch>,
) -> ApiResult<StatusCode> {
    let command = Command::EnableRecoveries { enabled: switch.enabled };
    services.consensus.submit(command, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether recoveries act, and on what by themselves.
#[utoipa::path(get, path = "/settings/recoveries", responses((status = 200, body = RecoverySettings)))]
pub async fn show_recovery_settings(_: Viewer, State(services): Rooms) -> Json<RecoverySettings> {
    let config = services.config.current();
    Json(RecoverySettings {
        enabled: services.consensus.recoveries_enabled(),
        source_filters: config.recovery.recover_primary_filters.texts().to_vec(),
        intermediate_source_filters: config.recovery.recover_intermediate_source_filters.texts().to_vec(),
        ignored_hosts: config.detection.ignore_hostname_filters.texts().to_vec(),
    })
}

/// Reads the configuration anew. Where it cannot be read, the one in force stays.
#[utoipa::path(
    post,
    path = "/configuration/reload",
    request_body = ReloadRequest,
    responses((status = 204), (status = 400, body = ErrorBody, description = "it cannot be read; says why")),
)]
pub async fn reload_configuration(
    admin: Admin,
    State(services): Rooms,
    Body(request): Body<ReloadRequest>,
) -> ApiResult<StatusCode> {
    let path = Some(request.path.trim()).filter(|path| !path.is_empty()).map(Path::new);
    crate::daemon::reload(&services, path, admin.actor())
        .await
        .map_err(|error| ApiError::bad_input(format!("configuration not reloaded: {error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes this node the active one in the backend.
#[utoipa::path(
    put,
    path = "/leader",
    responses((status = 204), (status = 503, body = ErrorBody, description = "the backend does not answer")),
)]
pub async fn take_lead(admin: Admin, State(services): Rooms) -> ApiResult<StatusCode> {
    services.store.grab_election(&services.node.identity()).await?;
    let everything = InstanceKey::default();
    services.audit.record("grab-election", &everything, "", admin.actor(), &services.node.hostname);
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the active role up to whoever takes it first. A node that is the only one of its group keeps it.
#[utoipa::path(
    delete,
    path = "/leader",
    responses((status = 204), (status = 503, body = ErrorBody, description = "the backend does not answer")),
)]
pub async fn give_up_lead(admin: Admin, State(services): Rooms) -> ApiResult<StatusCode> {
    services.store.reelect().await?;
    services.audit.record("reelect", &InstanceKey::default(), "", admin.actor(), "active node cleared");
    Ok(StatusCode::NO_CONTENT)
}

/// Which rows of the audit.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WhichRows {
    /// Page, from 0, of 20 each.
    page: u32,
    /// Only those of this server, `host:port`; all when empty.
    server: String,
}

/// Who did what, newest first.
#[utoipa::path(
    get,
    path = "/audit",
    params(WhichRows),
    responses(
        (status = 200, body = Vec<AuditRow>),
        (status = 400, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "the backend does not answer"),
    ),
)]
pub async fn list_audit(
    _: Viewer,
    State(services): Rooms,
    Given(which): Given<WhichRows>,
) -> ApiResult<Json<Vec<AuditRow>>> {
    let key = match which.server.trim() {
        "" => None,
        text => Some(server_key(text, &services.config.current())?),
    };
    Ok(Json(services.audit.page(key.as_ref(), which.page).await?))
}
