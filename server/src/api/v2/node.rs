//! The caller and the node.

use app::api::{ErrorBody, NodeStatus, RecoveriesSwitch, Session};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Rooms;
use super::body::Body;
use crate::api::error::ApiResult;
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
