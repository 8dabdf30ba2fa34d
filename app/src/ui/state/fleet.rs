//! What belongs to no single cluster: who is calling, the node, the list of clusters, the latest recoveries.

use leptos::prelude::*;

use super::live::Link;
use super::remote::Remote;
use crate::InstanceKey;
use crate::access::Me;
use crate::api::{ClusterSummary, NodeStatus, Role};
use crate::recovery::Recovery;
use crate::ui::infra::api::path;
use crate::ui::model::access::must_log_in;
use crate::ui::model::server::short_name;

/// What belongs to no single cluster.
#[derive(Clone, Copy)]
pub struct Fleet {
    /// Who is calling.
    pub session: Remote<Me>,
    /// The node that answers.
    pub node: Remote<NodeStatus>,
    /// All clusters.
    pub clusters: Remote<Vec<ClusterSummary>>,
    /// The latest recoveries, newest first.
    pub recoveries: Remote<Vec<Recovery>>,
    /// What is cut out of names of servers.
    pub cut: Memo<String>,
}

impl Fleet {
    /// Nothing read yet.
    pub fn new() -> Self {
        let node = Remote::<NodeStatus>::new();
        let cut = move |_: Option<&String>| {
            node.value.with(|node| node.as_ref().map(|n| n.cut_from_names.clone()).unwrap_or_default())
        };
        Self { session: Remote::new(), node, clusters: Remote::new(), recoveries: Remote::new(), cut: Memo::new(cut) }
    }

    /// The name of a server as trees and lists have it.
    pub fn short(self, key: &InstanceKey) -> String {
        self.cut.with(|cut| short_name(key, cut))
    }

    /// Reads who is calling.
    pub async fn read_session(self, link: Link) {
        self.session.read(link, &path(&["me"])).await;
    }

    /// Somebody has logged in.
    pub fn enter(self, me: Me) {
        self.session.error.set(None);
        self.session.value.set(Some(me));
    }

    /// Nobody may see anything before they have logged in; false before it is known. Does not redraw.
    pub fn is_shut(self) -> bool {
        self.session.value.with_untracked(|me| me.as_ref().is_some_and(must_log_in))
    }

    /// Forgets everything but who is calling.
    pub fn forget(self) {
        self.node.clear();
        self.clusters.clear();
        self.recoveries.clear();
    }

    /// Reads the node.
    pub async fn read_node(self, link: Link) {
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
        self.session.value.with(|session| session.as_ref().and_then(|s| s.role))
    }
}
