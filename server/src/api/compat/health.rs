//! `HealthStatus` and `NodeHealth` (`spec/api.md` 3.14).

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::scalar::TimeForm;

/// The zero time of the original.
pub(super) const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// A node as its heartbeats tell of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeHealth {
    hostname: String,
    token: String,
    app_version: String,
    first_seen_active: String,
    last_seen_active: String,
    extra_info: String,
    command: String,
    #[serde(rename = "DBBackend")]
    db_backend: String,
    last_reported: &'static str,
}

/// The node that is active: who, since when, seen when.
#[derive(Debug, Clone, Default)]
pub struct ElectedNode {
    /// Host name.
    pub hostname: String,
    /// Token of its process.
    pub token: String,
    /// Active since.
    pub first_seen: Option<DateTime<Utc>>,
    /// Seen last.
    pub last_seen: Option<DateTime<Utc>>,
}

impl NodeHealth {
    /// The active node: only who it is and since when.
    pub fn active(node: &ElectedNode, form: TimeForm) -> Self {
        Self::available(node, String::new(), String::new(), form)
    }

    /// A node that serves, with its version and the name of its backend.
    pub fn available(node: &ElectedNode, version: String, backend: String, form: TimeForm) -> Self {
        Self {
            hostname: node.hostname.clone(),
            token: node.token.clone(),
            app_version: version,
            first_seen_active: form.stored(node.first_seen),
            last_seen_active: form.stored(node.last_seen),
            extra_info: String::new(),
            command: String::new(),
            db_backend: backend,
            last_reported: ZERO_TIME,
        }
    }
}

/// How this node is doing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthStatus {
    healthy: bool,
    hostname: String,
    token: String,
    is_active_node: bool,
    active_node: NodeHealth,
    error: Option<ErrorObject>,
    available_nodes: Option<Vec<NodeHealth>>,
    raft_leader: &'static str,
    is_raft_leader: bool,
    #[serde(rename = "RaftLeaderURI")]
    raft_leader_uri: &'static str,
    raft_advertise: &'static str,
    raft_healthy_members: Option<Vec<String>>,
}

/// An error in a field of its own: an object that says nothing. The text is in the envelope.
#[derive(Debug, Serialize)]
pub(super) struct ErrorObject {}

impl HealthStatus {
    /// The state of a node that is in no group.
    pub fn single(
        node: &ElectedNode,
        is_active: bool,
        active: NodeHealth,
        available: Vec<NodeHealth>,
        failed: bool,
    ) -> Self {
        Self {
            healthy: !failed,
            hostname: node.hostname.clone(),
            token: node.token.clone(),
            is_active_node: is_active,
            active_node: active,
            error: failed.then_some(ErrorObject {}),
            available_nodes: (!available.is_empty()).then_some(available),
            raft_leader: "",
            is_raft_leader: false,
            raft_leader_uri: "",
            raft_advertise: "",
            raft_healthy_members: None,
        }
    }
}
