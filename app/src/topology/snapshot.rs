//! All servers and all annotations at one moment: the input of every decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::annotations::Annotations;
use super::instance::Instance;
use crate::InstanceKey;

/// All servers and annotations at one moment. Cheap to clone: servers are shared.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Servers by key, in key order.
    pub instances: Arc<BTreeMap<InstanceKey, Arc<Instance>>>,
    /// What operators said.
    pub annotations: Arc<Annotations>,
    /// The moment of the snapshot, by the observing node's clock.
    pub at: DateTime<Utc>,
}

impl Snapshot {
    /// A snapshot of the given servers.
    pub fn new(instances: impl IntoIterator<Item = Instance>, annotations: Annotations, at: DateTime<Utc>) -> Self {
        let instances = instances.into_iter().map(|i| (i.key.clone(), Arc::new(i))).collect();
        Self { instances: Arc::new(instances), annotations: Arc::new(annotations), at }
    }

    /// The server with this key.
    pub fn get(&self, key: &InstanceKey) -> Option<&Arc<Instance>> {
        self.instances.get(key)
    }

    /// Servers whose managed channel (or, with several channels, any channel) points at `source`, in key order.
    pub fn replicas_of<'a>(&'a self, source: &'a InstanceKey) -> impl Iterator<Item = &'a Arc<Instance>> {
        self.instances.values().filter(move |i| {
            i.replication.source == *source || i.channels.iter().any(|channel| channel.source == *source)
        })
    }

    /// Servers of one cluster, in key order.
    pub fn cluster<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<Instance>> {
        self.instances.values().filter(move |i| i.cluster_name == name)
    }
}
