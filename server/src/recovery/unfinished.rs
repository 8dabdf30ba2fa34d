//! Recoveries whose process is gone, and the sign of life by which the others can tell (`safety.md` S4, S5).
//!
//! Every process on a backend beats once a second. A recovery is taken up only when its process has not beaten for some seconds by
//! the backend's clock, only by the node that acts, and only by the one process that could claim it.

use std::sync::Arc;
use std::time::Instant;

use app::recovery::Acknowledgement;
use chrono::{TimeDelta, Utc};

use super::RecoveryService;
use crate::consensus::Actor;
use crate::node::BEAT;
use crate::store::{NodeIdentity, NodeReport, Store, StoreError};
use crate::tasks::Task;

/// Processes that give no sign of life are struck off, and what the original's left behind is closed, every so many looks.
const SWEEP_EVERY: u64 = 10;

/// The process that ran here before this one is taken for another service no more after so many looks.
const NOT_THE_LAST_ONE: u64 = 4;

/// A process on another machine than the one whose recovery it finds claims it only when it has been up for this long itself.
const NEWCOMER: TimeDelta = TimeDelta::seconds(20);

/// Runs until the service stops, and takes its sign of life back then: what it leaves behind can be taken up at once.
pub async fn keep_up(service: Arc<RecoveryService>, store: Store, report: NodeReport, task: Task) {
    for look in 0_u64.. {
        task.busy();
        let began = Instant::now();
        let result = async {
            store.beat(&report).await?;
            service.look_after_unfinished(&store).await?;
            // Only now: what another process has claimed meanwhile is known to be lost.
            let company = look >= NOT_THE_LAST_ONE && service.has_company(&store).await?;
            service.lease.renew(began, company);
            if look.is_multiple_of(SWEEP_EVERY) { service.sweep(&store).await } else { Ok(()) }
        };
        let result: Result<(), StoreError> = result.await;
        task.idle(result.map_err(|error| error.to_string()));
        if !task.sleep(BEAT).await {
            break;
        }
    }
    if service.registry.is_at_work(&report.node.token) {
        // It may run one more step before the process is gone.
        return;
    }
    if let Err(error) = store.leave(&report.node).await {
        tracing::warn!(%error, "the others learn only by and by that this process has stopped");
    }
}

/// The same for a command, which looks after nobody else's: runs until dropped.
pub async fn keep_heard(service: Arc<RecoveryService>, store: Store, report: NodeReport) {
    loop {
        let began = Instant::now();
        let heard: Result<bool, StoreError> = async {
            store.beat(&report).await?;
            service.let_go_of_claimed(&store.unfinished_recoveries().await?);
            service.has_company(&store).await
        }
        .await;
        match heard {
            Ok(company) => service.lease.renew(began, company),
            Err(error) => tracing::debug!(%error, "the backend does not hear this command"),
        }
        tokio::time::sleep(BEAT).await;
    }
}

impl RecoveryService {
    /// What is at work here and belongs to another process by now is let go of.
    fn let_go_of_claimed(&self, unfinished: &[(String, NodeIdentity)]) {
        let own = self.parts.node.identity();
        for (uid, _) in unfinished.iter().filter(|(_, holder)| *holder != own) {
            if self.registry.find(uid).is_some_and(|known| known.is_running() && known.node_token == own.token) {
                self.registry.lose(uid);
            }
        }
    }

    /// Learns what other processes are recovering, and takes up what their death left behind.
    pub(super) async fn look_after_unfinished(self: &Arc<Self>, store: &Store) -> Result<(), StoreError> {
        let own = self.parts.node.identity();
        let unfinished = store.unfinished_recoveries().await?;
        for uid in self.registry.running_elsewhere(&own.token) {
            if !unfinished.iter().any(|(known, _)| *known == uid)
                && let Some(ended) = store.load_recovery(&uid).await?
            {
                self.registry.put(ended);
            }
        }
        self.let_go_of_claimed(&unfinished);
        for (uid, holder) in unfinished.into_iter().filter(|(_, holder)| *holder != own) {
            let is_left_to_it =
                !self.parts.consensus.is_leader() || store.is_alive(&holder).await? || self.is_newcomer(&holder, store);
            if is_left_to_it {
                self.learn_of(&uid, store).await?;
            } else if store.claim_recovery(&uid, &holder, &own, Utc::now()).await? {
                self.inherit(&uid, holder, store).await?;
            }
        }
        Ok(())
    }

    /// Other services show themselves on the backend.
    async fn has_company(&self, store: &Store) -> Result<bool, StoreError> {
        if !store.may_be_shared() {
            return Ok(false);
        }
        let own = self.parts.node.identity();
        let serving = store.available_nodes().await?;
        Ok(serving.iter().any(|row| row.node != own))
    }

    /// A process elsewhere that was cut off from the backend before this one came up does not know that somebody could take over,
    /// and may still be at work (`lease`): it gets the time to end it.
    fn is_newcomer(&self, holder: &NodeIdentity, store: &Store) -> bool {
        let node = &self.parts.node;
        let is_new = Utc::now().signed_duration_since(node.started) < NEWCOMER;
        store.may_be_shared() && holder.hostname != node.hostname && is_new
    }

    /// As long as a recovery is at work elsewhere, nothing else begins in its cluster here.
    async fn learn_of(&self, uid: &str, store: &Store) -> Result<(), StoreError> {
        match store.load_recovery(uid).await {
            Ok(Some(recovery)) if self.registry.find(uid).is_none_or(|known| *known != recovery) => {
                self.registry.put(recovery);
                Ok(())
            }
            // Its own process reads it well, or it is claimed and closed in time.
            Ok(_) | Err(StoreError::Corrupt { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Goes on with a recovery that was claimed. One that cannot be read is closed: it must not hold its cluster for ever.
    async fn inherit(self: &Arc<Self>, uid: &str, from: NodeIdentity, store: &Store) -> Result<(), StoreError> {
        self.registry.regain(uid);
        match store.load_unfinished_recovery(uid).await {
            Ok(found) => {
                self.take_up(found.into_iter().collect(), &from);
                Ok(())
            }
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(uid, %error, "an unfinished recovery cannot be read, and is closed");
                store.abandon_recovery(uid, Utc::now()).await
            }
            Err(error) => Err(error),
        }
    }

    /// Strikes off processes that are gone, and acknowledges what only the original's table has of them: nobody can go
    /// on with it (`spec/recovery.md` 3.3.4, "crashed").
    async fn sweep(&self, store: &Store) -> Result<(), StoreError> {
        if !self.parts.consensus.is_leader() {
            return Ok(());
        }
        store.purge_nodes().await?;
        let acknowledgement = Acknowledgement {
            at: Utc::now(),
            by: Actor::system().name,
            comment: "its process is gone and left it unfinished".to_owned(),
        };
        store.acknowledge_crashed(&acknowledgement).await.map(drop)
    }
}
