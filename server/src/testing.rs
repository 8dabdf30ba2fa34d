//! Hands that act on the picture instead of on servers, for tests of this crate: what an action would bring about
//! on a healthy server is written into the live picture. What a server does by itself (replicating, applying) is not
//! modelled here; `engine`'s simulation and the tests on real servers are for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::plan::{Action, Positioning};
use app::recovery::{Recovery, RecoveryKind, RecoveryState};
use app::topology::{Instance, Replication, ThreadState};
use chrono::Utc;
use engine::interpret::Record;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::exec::{HandError, Hands};
use crate::fleet::{Fleet, Observation, Outcome};

/// Hands over a picture.
#[derive(Debug)]
pub struct PictureHands {
    fleet: Arc<Fleet>,
    acts: Mutex<Vec<(InstanceKey, Action)>>,
    broken: Mutex<BTreeMap<InstanceKey, String>>,
    hanging: Mutex<BTreeSet<InstanceKey>>,
    answers: Mutex<Vec<(String, Vec<Record>)>>,
}

/// A recovery of a dead source that has just begun, by the process of this token.
pub fn recovery(uid: &str, failed: &InstanceKey, node_token: &str) -> Recovery {
    let finding = Finding {
        key: failed.clone(),
        source: InstanceKey::default(),
        cluster: failed.to_string(),
        cluster_alias: "orders".to_owned(),
        cluster_domain: String::new(),
        code: AnalysisCode::DeadSource,
        description: "cannot be reached".to_owned(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts::default(),
        evidence: vec![],
    };
    Recovery {
        id: 0,
        uid: uid.to_owned(),
        kind: RecoveryKind::Source,
        cluster: finding.cluster.clone(),
        cluster_alias: finding.cluster_alias.clone(),
        actor: "orchestrator".to_owned(),
        state: RecoveryState::Running,
        successor: None,
        successor_alias: String::new(),
        lost_replicas: vec![],
        participants: vec![],
        errors: vec![],
        considered: vec![],
        steps: vec![],
        story: vec![],
        started: Utc::now(),
        ended: None,
        node: "orc1".to_owned(),
        node_token: node_token.to_owned(),
        acknowledged: None,
        detection_id: 0,
        hooks: vec![],
        command: String::new(),
        aftermath: None,
        finding,
    }
}

impl PictureHands {
    /// Hands over this picture.
    pub fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            acts: Mutex::default(),
            broken: Mutex::default(),
            hanging: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// Everything that was done, in order.
    pub fn acts(&self) -> Vec<(InstanceKey, Action)> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this server refuses every action of the kind whose debug text begins so (empty: all).
    pub fn refuse(&self, key: &InstanceKey, kind: &str) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), kind.to_owned());
    }

    /// From now on this server takes every action and never answers.
    pub fn hang(&self, key: &InstanceKey) {
        self.hanging.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
    }

    /// From now on questions that begin so are answered with these rows, whoever is asked.
    pub fn answer(&self, question: &str, columns: &[&str], rows: &[&[&str]]) {
        let record = |row: &&[&str]| {
            let named = columns.iter().zip(row.iter());
            Record::new(named.map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))))
        };
        let answer = (question.to_owned(), rows.iter().map(record).collect());
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }

    fn observe(&self, instance: Instance) {
        let now = Utc::now();
        let probed = instance.key.clone();
        let outcome = Outcome::Seen(Box::new(instance));
        self.fleet.observe(Observation { probed, started: now, ended: now, outcome });
    }
}

impl Hands for PictureHands {
    fn refresh<'a>(&'a self, key: &'a InstanceKey) -> BoxFuture<'a, Result<Instance, HandError>> {
        async move {
            let known = self.fleet.get(key).ok_or_else(|| HandError::Unknown(key.clone()))?;
            if !known.check.is_valid() {
                return Err(HandError::Unreadable { key: key.clone(), reason: known.check.error.clone() });
            }
            self.observe((*known).clone());
            Ok((*known).clone())
        }
        .boxed()
    }

    fn act<'a>(
        &'a self,
        key: &'a InstanceKey,
        action: &'a Action,
        _statements: &'a [String],
        _limit: Duration,
    ) -> BoxFuture<'a, Result<(), HandError>> {
        async move {
            if self.hanging.lock().unwrap_or_else(PoisonError::into_inner).contains(key) {
                self.acts.lock().unwrap_or_else(PoisonError::into_inner).push((key.clone(), action.clone()));
                std::future::pending::<()>().await;
            }
            let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
            if let Some(kind) = broken.filter(|kind| format!("{action:?}").starts_with(kind.as_str())) {
                return Err(HandError::Condition { what: format!("{key} refuses {kind}") });
            }
            let known = self.fleet.get(key).ok_or_else(|| HandError::Unknown(key.clone()))?;
            self.acts.lock().unwrap_or_else(PoisonError::into_inner).push((key.clone(), action.clone()));
            let mut instance = (*known).clone();
            bring_about(&mut instance, action);
            self.observe(instance);
            Ok(())
        }
        .boxed()
    }

    /// There is no server behind the picture: what is not prepared has no answer.
    fn ask<'a>(
        &'a self,
        _key: &'a InstanceKey,
        question: &'a str,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<Record>, HandError>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let rows =
            answers.iter().find(|(begins, _)| question.starts_with(begins.as_str())).map(|(_, rows)| rows.clone());
        std::future::ready(Ok(rows.unwrap_or_default())).boxed()
    }
}

/// What an action does to a healthy server.
fn bring_about(instance: &mut Instance, action: &Action) {
    let channel = &mut instance.replication;
    let run = |on: bool| if on { ThreadState::Running } else { ThreadState::Stopped };
    match action {
        Action::StopReplication | Action::StartReplication => {
            channel.receiver = run(*action == Action::StartReplication);
            channel.applier = channel.receiver;
        }
        Action::StopReceiver => channel.receiver = run(false),
        Action::StartReceiver => channel.receiver = run(true),
        Action::StopApplier => channel.applier = run(false),
        Action::StartApplier | Action::Drain => channel.applier = run(true),
        Action::ChangeSource { to, positioning } => {
            channel.source = to.clone();
            match positioning {
                Positioning::AutoPosition => channel.auto_position = true,
                Positioning::MariaDbGtid { using } => channel.mariadb_using_gtid.clone_from(using),
                _ => {}
            }
        }
        Action::ResetReplication => *channel = Replication::default(),
        Action::DetachSource => channel.source = channel.source.detached(),
        Action::ReattachSource => channel.source = channel.source.reattached(),
        Action::SetReadOnly { on, super_too } => {
            instance.read_only = *on;
            instance.super_read_only = instance.super_read_only.map(|was| *on && (*super_too || was));
        }
        Action::SetSemiSyncSource { on } => instance.semi_sync.source_enabled = *on,
        Action::SetSemiSyncReplica { on } => instance.semi_sync.replica_enabled = *on,
        Action::StartUntil { .. } => (channel.receiver, channel.applier) = (run(false), run(false)),
        Action::SkipTransaction => (channel.applier_errno, channel.applier_error) = (0, String::new()),
        Action::SetDelay { seconds } => channel.delay = *seconds,
        Action::ResetBinaryLogs { .. } => instance.errant_gtid.clear(),
        Action::InjectEmpty { .. }
        | Action::FlushBinaryLogs { .. }
        | Action::PurgeBinaryLogs { .. }
        | Action::KillQuery { .. }
        | Action::SetCredentials
        | Action::Refresh
        | Action::WaitForGtid { .. }
        | Action::WaitForPeer { .. }
        | Action::FindPlace { .. }
        | Action::InjectEntry
        | Action::KillSessions
        | Action::RunHooks { .. }
        | Action::Verify { .. } => {}
    }
}
