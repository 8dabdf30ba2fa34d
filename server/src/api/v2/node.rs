//! The caller and the node.

use std::path::Path;

use app::InstanceKey;
use app::api::{ErrorBody, NodeStatus, RecoveriesSwitch, RecoverySettings, ReloadRequest, Session};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Rooms;
use super::body::Body;
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
    let config = services.config.current();
    let kind = match config.backend.kind() {
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
        recovery_block_seconds: config.recovery.period_block_seconds,
        web_message: config.general.web_message.clone(),
        cut_from_names: config.general.remove_text_from_hostname_display.clone(),
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
