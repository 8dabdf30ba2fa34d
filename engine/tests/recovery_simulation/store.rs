//! What outlives a node: the records of recoveries with their machines, annotations, the last picture, the lease of the leader.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::finding::Finding;
use app::recovery::RecoveryKind;
use app::topology::{Annotations, Downtime, Instance};
use chrono::TimeDelta;
use engine::policy::{Recent, Repairs};
use engine::recovery::{Machine, RecoverySettings};

use super::world::at;

/// Reason of the downtime of servers that a recovery left behind: seen writable, they are fenced.
pub const LOST_IN_RECOVERY: &str = "lost-in-recovery";
/// A leader that is not heard of for this long has lost its place, milliseconds.
pub const LEASE: u64 = 2_000;

pub type Picture = Arc<BTreeMap<InstanceKey, Arc<Instance>>>;

/// One recovery.
pub struct Record {
    pub uid: usize,
    pub kind: RecoveryKind,
    pub finding: Finding,
    /// Asked for by a person.
    pub person: bool,
    /// The incarnation of the node that runs it.
    pub token: usize,
    pub running: bool,
    pub successor: Option<InstanceKey>,
    pub started: u64,
    pub acknowledged: bool,
    /// As stored before the last steps were begun.
    pub machine: Machine,
}

#[derive(Default)]
pub struct Store {
    pub records: Vec<Record>,
    pub annotations: Arc<Annotations>,
    pub picture: Picture,
    /// Node, and until when.
    pub lease: Option<(usize, u64)>,
    pub tokens: usize,
    /// What is configured for all nodes.
    pub settings: Settings,
}

/// What is configured; everything else is as it is by default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub repairs: Repairs,
    pub recovery: RecoverySettings,
}

impl Settings {
    /// Something is to be done about sources that have too few or too many who acknowledge.
    pub fn balances_acknowledgers(&self) -> bool {
        self.repairs.locked_semi_sync || self.repairs.exact_semi_sync
    }
}

impl Store {
    pub fn recent(&self) -> Vec<Recent> {
        let recent = |r: &Record| Recent {
            uid: r.uid.to_string(),
            kind: r.kind,
            automatic: !r.person,
            data_center: String::new(),
            cluster: r.finding.cluster.clone(),
            cluster_alias: r.finding.cluster_alias.clone(),
            failed: r.finding.key.clone(),
            successor: r.successor.clone(),
            running: r.running,
            started: at(r.started),
            acknowledged: r.acknowledged,
        };
        self.records.iter().map(recent).collect()
    }

    pub fn put_aside(&mut self, key: &InstanceKey, now: u64) {
        let downtime = Downtime {
            owner: "orchestrator".to_owned(),
            reason: LOST_IN_RECOVERY.to_owned(),
            begin: at(now),
            end: at(now) + TimeDelta::days(365),
        };
        Arc::make_mut(&mut self.annotations).downtime.insert(key.clone(), downtime);
    }

    pub fn take_back(&mut self, key: &InstanceKey) {
        if self.annotations.downtime.contains_key(key) {
            Arc::make_mut(&mut self.annotations).downtime.remove(key);
        }
    }

    /// The alias moves to the cluster's new name.
    pub fn rename_cluster(&mut self, to: &InstanceKey) {
        Arc::make_mut(&mut self.annotations).cluster_aliases.insert(to.to_string(), "orders".to_owned());
    }

    /// An operator looked into all that happened.
    pub fn acknowledge_all(&mut self) {
        self.records.iter_mut().for_each(|r| r.acknowledged = true);
    }
}
