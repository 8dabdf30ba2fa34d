//! Locks that carry the name of the operation that holds them, respected by every process on the same backend.
//!
//! Within the process a table decides. Other processes (commands beside a running service) are met in the backend: the
//! compatible schema's holds on servers (`spec/recovery.md` 6.4) are taken too, and are void when their process is gone.
//! Whoever cannot reach the backend goes on without it: recovering comes before recording, and a command that finds no
//! backend does not begin in the first place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, Utc};

use crate::store::{NodeIdentity, ServerHolds, Store, StoreResult, WantedHolds};

/// A recovery waits this long for the backend, no longer: a slow one must not hold up a failover.
const PATIENCE_OF_RECOVERY: Duration = Duration::from_millis(500);

/// An operation that a person asked for can wait longer.
const PATIENCE_OF_OPERATION: Duration = Duration::from_secs(5);

/// Who holds a lock, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Name of the operation, e.g. `relocate db2:3306 below db3:3306`.
    pub operation: String,
    /// Since.
    pub since: DateTime<Utc>,
}

/// Something is being changed by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is held by \"{}\" since {}", .holder.operation, .holder.since.format("%H:%M:%S"))]
pub struct Held {
    /// What is locked.
    pub what: String,
    /// Who holds it.
    pub holder: Holder,
}

/// What servers are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An operation that a person asked for: not where an operator holds a server for maintenance.
    Operation,
    /// A recovery of the cluster: maintenance of one of its servers does not stop it.
    Recovery,
}

/// Locks by name of what they protect (a cluster, a server). Never waited for: whoever comes second is told
/// who came first (`safety.md` S4).
#[derive(Debug, Clone, Default)]
pub struct Locks {
    held: Arc<Mutex<BTreeMap<String, Holder>>>,
    beside: Option<Beside>,
    /// Holds in the backend that are being given up.
    leaving: Arc<AtomicUsize>,
}

/// Where other processes are met, and who this one is there.
#[derive(Debug, Clone)]
struct Beside {
    store: Store,
    node: NodeIdentity,
}

/// Holds its locks until dropped.
#[derive(Debug)]
pub struct Guard {
    locks: Locks,
    names: Vec<String>,
    operation: String,
    /// Numbers of the holds in the backend.
    holds: Vec<i64>,
}

impl Locks {
    /// Locks that other processes on this backend respect too.
    pub fn shared(store: Store, node: NodeIdentity) -> Self {
        Self { beside: Some(Beside { store, node }), ..Self::default() }
    }

    /// Takes all the locks within this process, or none.
    ///
    /// # Errors
    /// [`Held`] with the first lock that somebody else holds.
    pub fn take(&self, names: &[String], operation: &str) -> Result<Guard, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((what, holder)) = names.iter().find_map(|n| held.get_key_value(n)) {
            return Err(Held { what: what.clone(), holder: holder.clone() });
        }
        let holder = Holder { operation: operation.to_owned(), since: Utc::now() };
        held.extend(names.iter().map(|name| (name.clone(), holder.clone())));
        Ok(Guard { locks: self.clone(), names: names.to_vec(), operation: operation.to_owned(), holds: Vec::new() })
    }

    /// Takes all the servers, within this process and before others, or none.
    ///
    /// # Errors
    /// [`Held`] with the first server that somebody else holds.
    pub async fn take_servers(&self, keys: Vec<InstanceKey>, operation: &str, purpose: Purpose) -> Result<Guard, Held> {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let mut guard = self.take(&names, operation)?;
        guard.share(keys, purpose, None).await?;
        Ok(guard)
    }

    /// All locks held now by this process.
    pub fn list(&self) -> BTreeMap<String, Holder> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing is held, and nothing is left to be given up in the backend.
    pub fn is_idle(&self) -> bool {
        self.list().is_empty() && self.leaving.load(Ordering::SeqCst) == 0
    }

    /// Gives up holds in the backend, in the background. What cannot be given up is void when this process ends.
    fn leave(&self, holds: Vec<i64>) {
        let (Some(Beside { store, .. }), Ok(runtime)) = (self.beside.clone(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let leaving = Leaving::one_more(&self.leaving);
        runtime.spawn(async move {
            if let Err(error) = store.release_holds(&holds, Utc::now()).await {
                tracing::warn!(%error, "holds on servers could not be given up in the backend");
            }
            drop(leaving);
        });
    }
}

impl Guard {
    /// Takes servers before other processes, after this process has them. `previous` is the process that is gone and
    /// whose work goes on here: what it held passes over.
    ///
    /// # Errors
    /// [`Held`] with the first server that another process, or for an operation an operator, holds.
    pub async fn share(
        &mut self,
        keys: Vec<InstanceKey>,
        purpose: Purpose,
        previous: Option<NodeIdentity>,
    ) -> Result<(), Held> {
        let Some(Beside { store, node }) = self.locks.beside.clone() else { return Ok(()) };
        let wanted = WantedHolds {
            keys,
            operation: self.operation.clone(),
            node,
            despite_maintenance: purpose == Purpose::Recovery,
            previous,
        };
        let patience = match purpose {
            Purpose::Operation => PATIENCE_OF_OPERATION,
            Purpose::Recovery => PATIENCE_OF_RECOVERY,
        };
        // Spawned: what comes too late must still be given up.
        let mut taking = tokio::spawn(async move { store.take_holds(&wanted, Utc::now()).await });
        let taken = match tokio::time::timeout(patience, &mut taking).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_panicked_or_stopping)) => return Ok(()),
            Err(_too_late) => {
                tracing::warn!(
                    operation = self.operation,
                    "the backend is slow: going on without a lock before others"
                );
                self.locks.leave_when_taken(taking);
                return Ok(());
            }
        };
        match taken {
            Ok(ServerHolds::Taken(holds)) => {
                self.holds = holds;
                Ok(())
            }
            Ok(ServerHolds::HeldBy { key, operation, since }) => {
                Err(Held { what: key.to_string(), holder: Holder { operation, since } })
            }
            Err(error) => {
                tracing::warn!(%error, operation = self.operation, "going on without a lock before other processes");
                Ok(())
            }
        }
    }
}

impl Guard {
    /// Gives the locks up and waits until the backend knows, or says why it does not.
    pub async fn give_up(mut self) {
        let holds = std::mem::take(&mut self.holds);
        let Some(Beside { store, .. }) = self.locks.beside.clone().filter(|_| !holds.is_empty()) else { return };
        if let Err(error) = store.release_holds(&holds, Utc::now()).await {
            tracing::warn!(%error, "holds on servers could not be given up in the backend");
        }
    }
}

impl Locks {
    fn leave_when_taken(&self, taking: tokio::task::JoinHandle<StoreResult<ServerHolds>>) {
        let locks = self.clone();
        tokio::spawn(async move {
            if let Ok(Ok(ServerHolds::Taken(holds))) = taking.await {
                locks.leave(holds);
            }
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.holds.is_empty() {
            self.locks.leave(std::mem::take(&mut self.holds));
        }
        let mut held = self.locks.held.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            held.remove(name);
        }
    }
}

/// Counts as long as it lives.
struct Leaving(Arc<AtomicUsize>);

impl Leaving {
    fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_and_takes_nothing() {
        let locks = Locks::default();
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let guard = locks.take(&names(&["a", "b"]), "relocate b below a").expect("free");
        let held = locks.take(&names(&["c", "b"]), "recover c").expect_err("b is held");
        assert_eq!((held.what.as_str(), held.holder.operation.as_str()), ("b", "relocate b below a"));
        assert!(!locks.list().contains_key("c"));
        drop(guard);
        assert!(locks.take(&names(&["c", "b"]), "recover c").is_ok());
    }
}
