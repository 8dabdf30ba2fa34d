//! Where a server could go: every other server of the cluster, what dropping on it would mean, and why it is refused.
//! Judged by the rules that the planner uses too, so that the page promises nothing the server will refuse.

use std::collections::BTreeMap;

use crate::InstanceKey;
use crate::api::{ClusterSettings, Operation, RecoverRequest, ServerView};
use crate::plan::Refusal;
use crate::rules::{RuleSettings, Technique, can_relocate};
use crate::topology::{Annotations, Snapshot};

/// What dropping one server on another can mean; each is a labelled zone of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// The server replicates from the target.
    Below,
    /// Only its replicas do.
    ReplicasBelow,
    /// The server takes the target's place: a planned takeover.
    TakeOver,
}

impl Drop {
    /// The label of the zone.
    pub fn label(self) -> &'static str {
        match self {
            Self::Below => "Replicate below",
            Self::ReplicasBelow => "Only its replicas",
            Self::TakeOver => "Take its place",
        }
    }
}

/// What letting go leads to: a plan that is shown first, or a takeover that is confirmed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// An operation to be planned.
    Plan(Operation),
    /// A recovery to be confirmed.
    Recover(RecoverRequest),
}

/// What is allowed at one target, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Zones in order; empty when nothing is allowed.
    pub allowed: Vec<Drop>,
    /// Why `Below` is not; `None` when it is.
    pub refusal: Option<Refusal>,
}

impl Verdict {
    /// Something is allowed.
    pub fn is_target(&self) -> bool {
        !self.allowed.is_empty()
    }
}

/// All servers of a cluster at one moment, as the rules want them.
pub fn snapshot(servers: &[ServerView], at: chrono::DateTime<chrono::Utc>) -> Snapshot {
    let mut annotations = Annotations::default();
    for view in servers {
        if let Some(downtime) = &view.downtime {
            annotations.downtime.insert(view.instance.key.clone(), downtime.clone());
        }
    }
    Snapshot::new(servers.iter().map(|view| view.instance.clone()), annotations, at)
}

/// The rules' settings for a cluster.
pub fn rule_settings(settings: &ClusterSettings) -> RuleSettings {
    let mut rules = RuleSettings {
        lower_replica_version_allowed: settings.lower_replica_version_allowed,
        verify_replication_filters: settings.verify_replication_filters,
        ..RuleSettings::default()
    };
    rules.thresholds.instance_poll_seconds = settings.instance_poll_seconds;
    rules.thresholds.reasonable_replication_lag_seconds =
        i64::try_from(settings.reasonable_lag_seconds).unwrap_or(i64::MAX);
    rules
}

/// The verdict on every other server of the snapshot.
pub fn verdicts(snapshot: &Snapshot, moved: &InstanceKey, settings: &RuleSettings) -> BTreeMap<InstanceKey, Verdict> {
    let replicas: Vec<InstanceKey> = snapshot.replicas_of(moved).map(|r| r.key.clone()).collect();
    let others = snapshot.instances.keys().filter(|key| *key != moved);
    others.map(|target| (target.clone(), verdict(snapshot, moved, &replicas, target, settings))).collect()
}

fn verdict(
    snapshot: &Snapshot,
    moved: &InstanceKey,
    replicas: &[InstanceKey],
    target: &InstanceKey,
    settings: &RuleSettings,
) -> Verdict {
    let mut allowed = Vec::new();
    let below = match can_relocate(snapshot, moved, target, settings) {
        Ok(relocation) if relocation.already_there => {
            Some(Refusal::new("already-there", format!("{moved} replicates from {target} already")))
        }
        Ok(_) => {
            allowed.push(Drop::Below);
            None
        }
        Err(refusal) => Some(refusal),
    };
    if replicas.iter().any(|r| {
        r != target && can_relocate(snapshot, r, target, settings).is_ok_and(|m| m.technique == Technique::Gtid)
    }) {
        allowed.push(Drop::ReplicasBelow);
    }
    let is_source = |key: &InstanceKey| snapshot.get(key).is_some_and(|i| i.is_primary_role());
    let healthy = |key: &InstanceKey| snapshot.get(key).is_some_and(|i| i.check.is_valid());
    let replicates = snapshot.get(moved).is_some_and(|i| i.replication.source == *target && i.replication.is_running());
    if is_source(target) && replicates && healthy(target) && healthy(moved) {
        allowed.push(Drop::TakeOver);
    }
    Verdict { allowed, refusal: below }
}

/// What letting go in a zone leads to.
pub fn intent(drop: Drop, moved: &InstanceKey, target: &InstanceKey, cluster: &str) -> Intent {
    let (server, below) = (moved.clone(), target.clone());
    match drop {
        Drop::Below => Intent::Plan(Operation::Relocate { server, below }),
        Drop::ReplicasBelow => Intent::Plan(Operation::RelocateReplicas { server, below, pattern: String::new() }),
        Drop::TakeOver => Intent::Recover(RecoverRequest {
            kind: "graceful-takeover-auto".to_owned(),
            target: cluster.to_owned(),
            designated: Some(server),
            accept_loss_of: None,
            skip_hooks: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::topology::{Instance, Replication, ThreadState};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("moment")
    }

    fn key(n: u64) -> InstanceKey {
        InstanceKey::new(format!("db{n}"), 3306)
    }

    fn server(n: u64, source: Option<u64>) -> Instance {
        let mut server = Instance::unseen(key(n));
        server.server_id = n;
        server.version = "10.11.6-MariaDB-log".to_owned();
        server.log_bin = true;
        server.log_replica_updates = true;
        server.binlog_format = "ROW".to_owned();
        server.gtid_domain_id = Some(0);
        server.executed_gtid = "0-1-100".to_owned();
        server.check.last_checked = Some(at(100));
        server.check.last_seen = Some(at(100));
        if let Some(source) = source {
            server.replication = Replication {
                source: key(source),
                receiver: ThreadState::Running,
                applier: ThreadState::Running,
                mariadb_using_gtid: "Slave_Pos".to_owned(),
                retrieved_gtid: "0-1-100".to_owned(),
                ..Replication::default()
            };
        }
        server
    }

    fn judged(servers: Vec<Instance>, moved: u64) -> BTreeMap<InstanceKey, Verdict> {
        let snapshot = Snapshot::new(servers, Annotations::default(), at(101));
        verdicts(
            &snapshot,
            &key(moved),
            &rule_settings(&ClusterSettings { instance_poll_seconds: 5, ..Default::default() }),
        )
    }

    #[test]
    fn a_sibling_is_a_target_and_the_source_offers_its_place() {
        let verdicts = judged(vec![server(1, None), server(2, Some(1)), server(3, Some(1))], 3);
        assert_eq!(verdicts[&key(2)], Verdict { allowed: vec![Drop::Below], refusal: None });
        assert_eq!(verdicts[&key(1)].allowed, [Drop::TakeOver]);
        assert_eq!(verdicts[&key(1)].refusal.as_ref().map(|r| r.rule.as_str()), Some("already-there"));
        assert!(!verdicts.contains_key(&key(3)), "the moved server itself is no target");
    }

    #[test]
    fn a_server_cannot_go_below_itself_but_its_other_replicas_can() {
        let servers = vec![server(1, None), server(2, Some(1)), server(3, Some(2)), server(4, Some(2))];
        let verdict = &judged(servers, 2)[&key(3)];
        assert_eq!(verdict.allowed, [Drop::ReplicasBelow]);
        assert_eq!(verdict.refusal.as_ref().map(|r| r.rule.as_str()), Some("below-itself"));
    }

    #[test]
    fn a_refusal_names_its_rule_and_a_dead_source_cannot_be_taken_over_gracefully() {
        let mut dead = server(1, None);
        dead.check.last_checked = Some(at(101));
        dead.check.error = "connection refused".to_owned();
        let mut silent = server(2, Some(1));
        silent.log_bin = false;
        let verdicts = judged(vec![dead, silent, server(3, Some(1))], 3);
        assert!(!verdicts[&key(1)].is_target());
        assert!(!verdicts[&key(2)].is_target());
        assert!(verdicts.values().all(|v| v.refusal.as_ref().is_some_and(|r| !r.message.is_empty())));
    }
}
