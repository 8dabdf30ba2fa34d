//! Locks that carry the name of the operation that holds them, respected by every process on the same backend.
//!
//! Within the process a table decides. Other processes (commands beside a running service) are met in the backend: the
//! compatible schema's holds on servers (`spec/recovery.md` 6.4) are taken too, and are void when their process is gone.
//! Whoever cannot reach the backend goes on without it: recovering comes before recording, and a command that finds no
//! backend does not begin in the first place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

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
    /// An operation that a person asked for: not where an operator holds a server for maintenance, nor while another operation
    /// rests on the server ([`Guard::rest_on`]).
    Operation,
    /// The same, where replication stays as it is: whoever rests on the server need not mind.
    Upkeep,
    /// A recovery of the cluster: maintenance of one of its servers does not stop it.
    Recovery,
}

/// Locks by name of what they protect (a cluster, a server). Never waited for: whoever comes second is told
/// who came first (`safety.md` S4).
#[derive(Debug, Clone, Default)]
pub struct Locks {
    table: Arc<Mutex<Table>>,
    beside: Option<Beside>,
    /// Holds in the backend that are being given up.
    leaving: Arc<AtomicUsize>,
}

/// What is held within this process.
#[derive(Debug, Default)]
struct Table {
    /// By name of what is held.
    held: BTreeMap<String, Holder>,
    /// What must stay as it is, by name: several operations may rest on one server.
    rested_on: BTreeMap<String, Vec<Holder>>,
    /// By name of what is held: tells its holder that a recovery waits for it.
    wanted: BTreeMap<String, CancellationToken>,
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
    rests_on: Vec<String>,
    holder: Holder,
    wanted: CancellationToken,
    /// Numbers of the holds in the backend.
    holds: Vec<i64>,
}

impl Locks {
    /// Locks that other processes on this backend respect too.
    pub fn shared(store: Store, node: NodeIdentity) -> Self {
        Self { beside: Some(Beside { store, node }), ..Self::default() }
    }

    /// Takes all the locks within this process, or none. Whoever has one of them is told that it is wanted ([`Guard::wanted`]).
    ///
    /// # Errors
    /// [`Held`] with the first lock that somebody else holds.
    pub fn take(&self, names: &[String], operation: &str) -> Result<Guard, Held> {
        self.take_for(names, operation, Purpose::Recovery)
    }

    fn take_for(&self, names: &[String], operation: &str, purpose: Purpose) -> Result<Guard, Held> {
        let mut table = self.lock();
        let rested_on =
            |name: &String| table.rested_on.get_key_value(name).and_then(|(n, all)| Some((n, all.first()?)));
        let in_the_way = names.iter().find_map(|name| {
            let held = table.held.get_key_value(name);
            held.or_else(|| rested_on(name).filter(|_| purpose == Purpose::Operation))
        });
        if let Some((what, holder)) = in_the_way {
            if purpose == Purpose::Recovery {
                names.iter().filter_map(|name| table.wanted.get(name)).for_each(CancellationToken::cancel);
            }
            return Err(Held { what: what.clone(), holder: holder.clone() });
        }
        let holder = Holder { operation: operation.to_owned(), since: Utc::now() };
        let wanted = CancellationToken::new();
        table.held.extend(names.iter().map(|name| (name.clone(), holder.clone())));
        table.wanted.extend(names.iter().map(|name| (name.clone(), wanted.clone())));
        let (locks, names) = (self.clone(), names.to_vec());
        Ok(Guard { locks, names, rests_on: Vec::new(), holder, wanted, holds: Vec::new() })
    }

    /// Takes all the servers, within this process and before others, or none.
    ///
    /// # Errors
    /// [`Held`] with the first server that somebody else holds.
    pub async fn take_servers(&self, keys: Vec<InstanceKey>, operation: &str, purpose: Purpose) -> Result<Guard, Held> {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let mut guard = self.take_for(&names, operation, purpose)?;
        guard.share(keys, purpose, None).await?;
        Ok(guard)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All locks held now by this process.
    pub fn list(&self) -> BTreeMap<String, Holder> {
        self.lock().held.clone()
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
            operation: self.holder.operation.clone(),
            node,
            despite_maintenance: purpose == Purpose::Recovery,
            previous,
        };
        let patience = match purpose {
            Purpose::Operation | Purpose::Upkeep => PATIENCE_OF_OPERATION,
            Purpose::Recovery => PATIENCE_OF_RECOVERY,
        };
        // Spawned: what comes too late must still be given up.
        let mut taking = tokio::spawn(async move { store.take_holds(&wanted, Utc::now()).await });
        let taken = match tokio::time::timeout(patience, &mut taking).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_panicked_or_stopping)) => return Ok(()),
            Err(_too_late) => {
                tracing::warn!(
                    operation = self.holder.operation,
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
                tracing::warn!(%error, operation = self.holder.operation, "going on without a lock before other processes");
                Ok(())
            }
        }
    }
}

impl Guard {
    /// Lets the work rest on servers that it does not change and that must stay where they are meanwhile: several may rest on one,
    /// and nobody may move it. Those that the guard holds itself are passed over.
    ///
    /// Whoever holds a server and rests on another one has taken before he looks, as everybody else has. So of two that would get in each
    /// other's way, be it in two processes, at least one is told.
    ///
    /// # Errors
    /// [`Held`] with the first server that somebody else holds.
    pub async fn rest_on(&mut self, keys: impl IntoIterator<Item = InstanceKey>) -> Result<(), Held> {
        let keys: Vec<InstanceKey> = keys.into_iter().filter(|key| !self.names.contains(&key.to_string())).collect();
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        {
            let mut table = self.locks.lock();
            if let Some((what, holder)) = names.iter().find_map(|name| table.held.get_key_value(name)) {
                return Err(Held { what: what.clone(), holder: holder.clone() });
            }
            for name in &names {
                table.rested_on.entry(name.clone()).or_default().push(self.holder.clone());
            }
            self.rests_on.extend(names);
        }
        let Some(Beside { store, node }) = self.locks.beside.clone().filter(|_| !keys.is_empty()) else {
            return Ok(());
        };
        match tokio::time::timeout(PATIENCE_OF_OPERATION, store.held_by_others(&keys, &node, Utc::now())).await {
            Ok(Ok(Some(ServerHolds::HeldBy { key, operation, since }))) => {
                Err(Held { what: key.to_string(), holder: Holder { operation, since } })
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the backend does not tell what other processes hold: going on");
                Ok(())
            }
            Err(_too_late) => {
                tracing::warn!("the backend is slow to tell what other processes hold: going on");
                Ok(())
            }
        }
    }

    /// Tells that a recovery waits for something that this guard holds: what takes long and can be broken off should be.
    pub fn wanted(&self) -> CancellationToken {
        self.wanted.clone()
    }

    /// Holds this server.
    pub fn holds(&self, key: &InstanceKey) -> bool {
        self.names.contains(&key.to_string())
    }

    /// Holds this server, or rests on it.
    pub fn covers(&self, key: &InstanceKey) -> bool {
        self.holds(key) || self.rests_on.contains(&key.to_string())
    }

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
        let mut table = self.locks.lock();
        for name in &self.names {
            table.held.remove(name);
            table.wanted.remove(name);
        }
        for name in &self.rests_on {
            if let Entry::Occupied(mut resting) = table.rested_on.entry(name.clone()) {
                let own = resting.get().iter().position(|holder| *holder == self.holder);
                own.map(|at| resting.get_mut().swap_remove(at));
                if resting.get().is_empty() {
                    resting.remove();
                }
            }
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

    fn key(name: &str) -> InstanceKey {
        InstanceKey::new(name, 3306)
    }

    #[tokio::test]
    async fn of_two_moves_that_would_make_a_ring_the_second_is_told() {
        let locks = Locks::default();
        let mut down = locks.take_servers(vec![key("a")], "a below b", Purpose::Operation).await.expect("free");
        down.rest_on([key("b"), key("top"), key("a")]).await.expect("free");
        assert!(down.holds(&key("a")) && down.covers(&key("b")) && !down.holds(&key("b")));

        let held =
            locks.take_servers(vec![key("b")], "b below a", Purpose::Operation).await.expect_err("a rests on it");
        assert_eq!((held.what.as_str(), held.holder.operation.as_str()), ("b:3306", "a below b"));
        let mut other = locks.take_servers(vec![key("c")], "c below a", Purpose::Operation).await.expect("free");
        let held = other.rest_on([key("a")]).await.expect_err("it is on its way");
        assert_eq!(held.holder.operation, "a below b");
        other.rest_on([key("b"), key("top")]).await.expect("several rest on one");

        drop(down);
        assert!(
            locks.take_servers(vec![key("b")], "b below a", Purpose::Operation).await.is_err(),
            "c still rests on it"
        );
        drop(other);
        assert!(locks.take_servers(vec![key("b")], "b below a", Purpose::Operation).await.is_ok());
        assert!(locks.is_idle() && locks.lock().rested_on.is_empty());
    }

    #[tokio::test]
    async fn recoveries_and_upkeep_do_not_mind_who_rests_on_a_server() {
        let locks = Locks::default();
        let mut down = locks.take_servers(vec![key("a")], "a below b", Purpose::Operation).await.expect("free");
        down.rest_on([key("b")]).await.expect("free");
        assert!(locks.take(&[key("b").to_string()], "recover b").is_ok());
        assert!(!down.wanted().is_cancelled());
        assert!(locks.take_servers(vec![key("b")], "end a statement", Purpose::Upkeep).await.is_ok());
        assert!(locks.take_servers(vec![key("a")], "end a statement", Purpose::Upkeep).await.is_err());
        assert!(!down.wanted().is_cancelled());
        assert!(locks.take(&[key("c").to_string(), key("a").to_string()], "recover c").is_err());
        assert!(down.wanted().is_cancelled(), "a recovery waits for it");
    }
}
