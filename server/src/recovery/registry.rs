//! Recoveries at work and ended lately, in memory, so that deciding never waits for the backend.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::InstanceKey;
use app::event::EventBody;
use app::recovery::{AcknowledgeScope, Acknowledgement, Recovery};
use chrono::{DateTime, Utc};
use engine::policy::Recent;

use crate::events::EventBus;

/// Ended recoveries kept in memory for pages and decisions; older ones are read from the backend.
const KEPT: usize = 500;

/// Recoveries by identity.
#[derive(Debug)]
pub struct Registry {
    recoveries: Mutex<BTreeMap<String, Arc<Recovery>>>,
    events: Arc<EventBus>,
}

impl Registry {
    /// A registry that tells every change on `events`.
    pub fn new(events: Arc<EventBus>) -> Self {
        Self { recoveries: Mutex::default(), events }
    }

    /// Fills in what the backend remembers; what is here already is newer and stays.
    pub fn load(&self, recoveries: Vec<Recovery>) {
        let mut held = self.lock();
        for recovery in recoveries {
            held.entry(recovery.uid.clone()).or_insert_with(|| Arc::new(recovery));
        }
    }

    /// Adds or replaces a recovery and tells about it.
    pub fn put(&self, recovery: Recovery) -> Arc<Recovery> {
        let recovery = Arc::new(recovery);
        {
            let mut held = self.lock();
            held.insert(recovery.uid.clone(), Arc::clone(&recovery));
            drop_oldest(&mut held);
        }
        self.events.publish(EventBody::Recovery { recovery: Box::new((*recovery).clone()) });
        recovery
    }

    /// Records the number under which the backend keeps a recovery.
    pub fn set_id(&self, uid: &str, id: i64) {
        if let Some(recovery) = self.lock().get_mut(uid) {
            Arc::make_mut(recovery).id = id;
        }
    }

    /// One recovery, by identity or by number.
    pub fn find(&self, id_or_uid: &str) -> Option<Arc<Recovery>> {
        let held = self.lock();
        if let Some(found) = held.get(id_or_uid) {
            return Some(Arc::clone(found));
        }
        let id: i64 = id_or_uid.parse().ok().filter(|id| *id > 0)?;
        held.values().find(|r| r.id == id).cloned()
    }

    /// All recoveries held, newest first.
    pub fn list(&self) -> Vec<Arc<Recovery>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.uid.cmp(&a.uid)));
        all
    }

    /// Older recoveries may be in the backend only.
    pub fn is_full(&self) -> bool {
        self.lock().len() >= KEPT
    }

    /// What the policy needs to know of them.
    pub fn recent(&self) -> Vec<Recent> {
        self.lock()
            .values()
            .map(|r| Recent {
                uid: r.uid.clone(),
                cluster: r.cluster.clone(),
                cluster_alias: r.cluster_alias.clone(),
                failed: r.finding.key.clone(),
                successor: r.successor.clone(),
                running: r.is_running(),
                started: r.started,
                acknowledged: r.acknowledged.is_some(),
                kind: r.kind,
            })
            .collect()
    }

    /// Acknowledges the recoveries meant, those not acknowledged yet. Gives how many.
    pub fn acknowledge(&self, what: &AcknowledgeScope, by: &str, comment: &str, at: DateTime<Utc>) -> usize {
        let touched: Vec<_> = {
            let mut held = self.lock();
            held.values_mut()
                .filter(|r| r.acknowledged.is_none() && what.means(r))
                .map(|recovery| {
                    let acknowledgement = Acknowledgement { at, by: by.to_owned(), comment: comment.to_owned() };
                    Arc::make_mut(recovery).acknowledged = Some(acknowledgement);
                    Arc::clone(recovery)
                })
                .collect()
        };
        for recovery in &touched {
            self.events.publish(EventBody::Recovery { recovery: Box::new((**recovery).clone()) });
        }
        touched.len()
    }

    /// A recovery of this server is at work.
    pub fn is_recovering(&self, key: &InstanceKey) -> bool {
        self.lock().values().any(|r| r.is_running() && r.finding.key == *key)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Recovery>>> {
        self.recoveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps memory bounded; running recoveries are never dropped.
fn drop_oldest(held: &mut BTreeMap<String, Arc<Recovery>>) {
    while held.len() > KEPT {
        let oldest = held.values().filter(|r| !r.is_running()).min_by_key(|r| r.started).map(|r| r.uid.clone());
        match oldest {
            Some(uid) => held.remove(&uid),
            None => return,
        };
    }
}
