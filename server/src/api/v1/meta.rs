//! The node itself: health, leadership, configuration (`spec/api.md` 2.18).

use std::collections::BTreeMap;
use std::path::Path;

use app::InstanceKey;
use axum::http::{StatusCode, header};
use chrono::Utc;

use super::Answer;
use super::call::Call;
use crate::api::compat::{ElectedNode, HealthStatus, NodeHealth};
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Admin, Operator, Viewer};
use crate::registration;

/// `lb-check`, `_ping`
pub async fn always_ok(_: Call) -> ApiResult<Answer> {
    Ok(Answer::bare("OK"))
}

/// `leader-check`, `leader-check/:errorStatusCode`, `routed-leader-check`
pub async fn leader_check(call: Call) -> ApiResult<Answer> {
    if call.services.consensus.is_leader() {
        return Ok(Answer::bare("OK"));
    }
    // Statuses below 200 are not final answers; a proxy would wait for more.
    let status = call.param("errorStatusCode").parse().ok().filter(|code| (200..600).contains(code));
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::NOT_FOUND);
    Ok(Answer::with_status(status, "Not leader"))
}

/// `health`, `status`
pub async fn health(_: Viewer, call: Call) -> ApiResult<Answer> {
    let services = &call.services;
    let (node, form) = (&services.node, call.form());
    let me = ElectedNode {
        hostname: node.hostname.clone(),
        token: node.token.clone(),
        first_seen: Some(node.started),
        last_seen: Some(Utc::now()),
    };
    let is_leader = services.consensus.is_leader();
    let active = NodeHealth::active(&me, form);
    let report = registration::report(node, &call.config, registration::Mode::Service);
    let beat = services.store.beat(&report).await;
    let (rows, failed) = match beat {
        Ok(taken) => (services.store.available_nodes().await.unwrap_or_default(), !taken),
        Err(error) => {
            tracing::warn!(%error, "the backend did not take this node's heartbeat");
            (Vec::new(), true)
        }
    };
    let available = rows
        .into_iter()
        .map(|row| {
            let other = ElectedNode {
                hostname: row.node.hostname,
                token: row.node.token,
                first_seen: row.first_seen,
                last_seen: row.last_seen,
            };
            NodeHealth::available(&other, row.version, row.backend, form)
        })
        .collect();
    let status = HealthStatus::single(&me, is_leader, active, available, failed);
    if failed {
        let why = services.journal.state().error.unwrap_or_else(|| "its heartbeat was not taken".to_owned());
        return Ok(Answer::failed(format!("Application node is unhealthy: backend database: {why}"), status));
    }
    Ok(Answer::ok("Application node is healthy", status))
}

/// `headers`: what the node was sent, the credentials left out
pub async fn headers(_: Viewer, call: Call) -> ApiResult<Answer> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &call.headers {
        if matches!(*name, header::HOST | header::AUTHORIZATION | header::COOKIE) {
            continue;
        }
        found.entry(canonical(name.as_str())).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    Ok(Answer::bare(&found))
}

/// `X-Forwarded-For` for `x-forwarded-for`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let mut characters = word.chars();
        characters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(characters).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// `reload-configuration?config=`
pub async fn reload(admin: Admin, call: Call) -> ApiResult<Answer> {
    let extra = call.query("config").unwrap_or_default();
    let path = Some(extra).filter(|path| !path.is_empty()).map(Path::new);
    crate::daemon::reload(&call.services, path, admin.actor())
        .await
        .map_err(|error| ApiError::new(ErrorKind::BadInput, format!("configuration not reloaded: {error:#}")))?;
    Ok(Answer::ok("Config reloaded", extra))
}

/// `grab-election`: a node that is the only one of its group leads already; the backend is told once more
pub async fn grab_election(admin: Admin, call: Call) -> ApiResult<Answer> {
    let node = &call.services.node;
    call.services.store.grab_election(&node.identity()).await?;
    call.services.audit.record("grab-election", &InstanceKey::default(), "", admin.actor(), &node.hostname);
    Ok(Answer::ok(format!("{} is the active node", node.hostname), ()))
}

/// `reelect`: the role is given up in the backend; a node that is the only one of its group has it again at once
pub async fn reelect(admin: Admin, call: Call) -> ApiResult<Answer> {
    call.services.store.reelect().await?;
    call.services.audit.record("reelect", &InstanceKey::default(), "", admin.actor(), "active node cleared");
    Ok(Answer::ok("Set re-elections", ()))
}

/// `reload-cluster-alias`: an error in the original as well
pub async fn reload_cluster_alias(_: Operator, _: Call) -> ApiResult<Answer> {
    let message = "reload-cluster-alias is retired: an alias is in force as soon as it is set; nothing was done";
    Err(ApiError::new(ErrorKind::Refused, message))
}

/// `raft-*` reads on a node that is in no group
pub async fn no_raft(_: Viewer, call: Call) -> ApiResult<Answer> {
    Err(not_in_a_group(&call))
}

/// `raft-*` changes on a node that is in no group
pub async fn no_raft_change(_: Operator, call: Call) -> ApiResult<Answer> {
    Err(not_in_a_group(&call))
}

/// The words of the original, whose prefix is not always the path's own (`spec/api.md` 2.18).
fn not_in_a_group(call: &Call) -> ApiError {
    let prefix = match call.word() {
        "raft-peers" => "raft-nodes",
        "raft-health" | "raft-status" | "raft-follower-health-report" => "raft-state",
        "raft-snapshot" => "raft-leader",
        other => other,
    };
    ApiError::new(ErrorKind::Refused, format!("{prefix}: not running with raft setup"))
}
