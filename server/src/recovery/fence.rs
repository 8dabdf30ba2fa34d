//! Old sources that come back: made read-only before anything else (`safety.md` S2).

use app::InstanceKey;
use app::plan::{Action, Step};
use app::topology::{Instance, Snapshot};
use chrono::{DateTime, Utc};
use engine::recovery::LOST_IN_RECOVERY;

use super::RecoveryService;
use crate::consensus::{Actor, Command};
use crate::exec::Observer;

/// How long a returning server may take to become read-only before it is tried again.
const FENCE_TIMEOUT_MS: u64 = 5_000;

impl RecoveryService {
    /// Makes servers read-only that a recovery left behind and that accept writes again. The mark is the downtime
    /// `lost-in-recovery`: whoever ends it takes the server back into use on purpose.
    pub(super) async fn fence_returned(&self, snapshot: &Snapshot, now: DateTime<Utc>) {
        if !self.parts.config.current().extensions.fence_returning_source || !self.parts.consensus.is_leader() {
            return;
        }
        let lost =
            snapshot.annotations.downtime.iter().filter(|(_, d)| d.is_active(now) && d.reason == LOST_IN_RECOVERY);
        for (key, downtime) in lost {
            let Some(instance) = snapshot.get(key) else { continue };
            if !instance.check.is_valid() || instance.check.last_seen.is_none_or(|seen| seen <= downtime.begin) {
                continue;
            }
            if accepts_writes(instance) && !self.registry.is_recovering(key) {
                self.fence(key, instance).await;
            } else if instance.replication.is_running() {
                self.take_back(key).await;
            }
        }
    }

    async fn fence(&self, key: &InstanceKey, instance: &Instance) {
        let holder = format!("fence {key}");
        // Somebody is at work on it: the next round looks again.
        let Ok(_guard) = self.parts.locks.take(&[key.to_string()], &holder) else { return };
        let action = Action::SetReadOnly { on: true, super_too: true };
        let step = Step {
            id: 1,
            server: key.clone(),
            statements: engine::statements::render(&action, instance, &instance.replication),
            action,
            before: vec![],
            undo: vec![],
            timeout_ms: FENCE_TIMEOUT_MS,
            phase: 1,
            reason: "a source that was replaced must not accept writes".to_owned(),
        };
        let result = self.parts.exec.run_step(&step, &Quiet).await;
        // Sessions that began before the switch may still hold open transactions: they end now.
        let kill = Step { action: Action::KillSessions, statements: vec![], id: 2, ..step };
        let killed = self.parts.exec.run_step(&kill, &Quiet).await;
        let outcome = if result.state.is_done() && killed.state.is_done() {
            "came back writeable after it had been replaced: made read-only".to_owned()
        } else {
            format!(
                "came back writeable after it had been replaced; fencing failed: {:?}, {:?}",
                result.state, killed.state
            )
        };
        self.parts.audit.record("fence", key, &instance.cluster_name, &Actor::system(), &outcome);
        let _unreadable = self.read(key).await;
    }

    /// It replicates again, so it is lost no longer (`spec/recovery.md` 6.3).
    async fn take_back(&self, key: &InstanceKey) {
        let command = Command::EndDowntime { key: key.clone() };
        if let Err(error) = self.parts.consensus.submit(command, &Actor::system()).await {
            tracing::warn!(instance = %key, %error, "could not end the downtime of a server that replicates again");
        }
    }
}

/// A client with ordinary or with administrative rights can write to it.
fn accepts_writes(instance: &Instance) -> bool {
    !instance.read_only || instance.super_read_only == Some(false)
}

/// Fencing has no record of its own: audit and log tell of it.
struct Quiet;

impl Observer for Quiet {
    fn step_changed<'a>(
        &'a self,
        _step: &'a Step,
        _state: &'a app::plan::StepState,
    ) -> futures_util::future::BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
