//! What belongs to no single cluster: who is calling, the node, the list of clusters, the latest recoveries.

use leptos::prelude::*;

use super::live::Link;
use super::remote::Remote;
use crate::api::{ClusterSummary, NodeStatus, Role, Session};
use crate::recovery::Recovery;
use crate::ui::infra::api::path;

/// What belongs to no single cluster.
#[derive(Clone, Copy)]
pub struct Fleet {
    /// Who is calling.
    pub session: Remote<Session>,
    /// The node that answers.
    pub node: Remote<NodeStatus>,
    /// All clusters.
    pub clusters: Remote<Vec<ClusterSummary>>,
    /// The latest recoveries, newest first.
    pub recoveries: Remote<Vec<Recovery>>,
}

impl Fleet {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self { session: Remote::new(), node: Remote::new(), clusters: Remote::new(), recoveries: Remote::new() }
    }

    /// Reads session and node.
    pub async fn read_node(self, link: Link) {
        self.session.read(link, &path(&["session"])).await;
        self.node.read(link, &path(&["status"])).await;
    }

    /// Reads the list of clusters.
    pub async fn read_clusters(self, link: Link) {
        self.clusters.read(link, &path(&["clusters"])).await;
    }

    /// Reads the latest recoveries.
    pub async fn read_recoveries(self, link: Link) {
        self.recoveries.read(link, &path(&["recoveries"])).await;
    }

    /// What the caller may do; `None` before it is known.
    pub fn role(self) -> Option<Role> {
        self.session.value.with(|session| session.as_ref().map(|s| s.role))
    }
}
