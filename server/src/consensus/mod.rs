//! Intents and facts of record: how a change that belongs to the whole group is made.
//!
//! What a node *observes* is its own; what somebody *decides* (forget, downtime, promotion rule,
//! acknowledgement, global switch, ...) is a [`Command`] and goes through [`Consensus::submit`]. On a single node
//! a command is applied to the live picture and journalled; in a group it goes through the log first and every
//! node applies it. Callers see one face.

mod command;
mod reach;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use app::event::EventBody;
use tokio::sync::oneshot;

pub use command::{Actor, Command, PasswordHashText};
pub use reach::OutOfReach;

use crate::accounts::Accounts;
use crate::audit::{Act, Audit};
use crate::events::EventBus;
use crate::fleet::Fleet;
use crate::journal::{Entry, Journal};
use crate::store::{Store, StoreError};

/// Why a command was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    /// This node must not act; ask the leader.
    #[error("this node is not the leader{}", .leader.as_deref().map(|l| format!("; ask {l}")).unwrap_or_default())]
    NotLeader {
        /// Address of the leader, if known.
        leader: Option<String>,
    },
    /// The command cannot be carried out as things are.
    #[error("{0}")]
    Refused(String),
    /// The actor may not change what it is about.
    #[error("{0}")]
    Forbidden(#[from] OutOfReach),
}

/// Accepts commands and applies them in one order.
#[derive(Debug)]
pub struct Consensus {
    fleet: Arc<Fleet>,
    journal: Journal,
    audit: Audit,
    events: Arc<EventBus>,
    recoveries: tokio::sync::watch::Sender<bool>,
    accounts: Arc<Accounts>,
    /// One after the other: a command comes into force and is queued, or what others recorded is taken over. Otherwise what was
    /// read before a revocation could be taken over behind it.
    order: Mutex<()>,
}

impl Consensus {
    /// The single-node form: this node is the group.
    pub fn single(
        fleet: Arc<Fleet>,
        journal: Journal,
        audit: Audit,
        events: Arc<EventBus>,
        recoveries_enabled: bool,
    ) -> Self {
        let (recoveries, _) = tokio::sync::watch::channel(recoveries_enabled);
        Self { fleet, journal, audit, events, recoveries, accounts: Arc::default(), order: Mutex::default() }
    }

    /// Users, sessions and tokens.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// This node acts: it probes, analyses and recovers.
    pub fn is_leader(&self) -> bool {
        true
    }

    /// Recoveries may act (`disable-global-recoveries` turns them off for the whole group).
    pub fn recoveries_enabled(&self) -> bool {
        *self.recoveries.borrow()
    }

    /// Follows the global switch.
    pub fn watch_recoveries(&self) -> tokio::sync::watch::Receiver<bool> {
        self.recoveries.subscribe()
    }

    /// Applies a command and journals it. Returns when it is in force; when the backend is away, the journal keeps
    /// it and the node's status says that writes are pending.
    ///
    /// # Errors
    /// [`ConsensusError::NotLeader`] on a node that must not act; [`ConsensusError::Refused`] when the command
    /// cannot be carried out, with the reason; [`ConsensusError::Forbidden`] when it is beyond the actor's limit.
    pub async fn submit(&self, command: Command, actor: &Actor) -> Result<(), ConsensusError> {
        if !self.is_leader() {
            return Err(ConsensusError::NotLeader { leader: None });
        }
        let queued = self.put_in_force(command, actor)?;
        self.journal.written(queued).await;
        Ok(())
    }

    fn put_in_force(&self, command: Command, actor: &Actor) -> Result<oneshot::Receiver<()>, ConsensusError> {
        let began = Instant::now();
        let _turn = self.in_order();
        let snapshot = self.fleet.snapshot();
        actor.reaches(&snapshot, &command)?;
        command.check(&snapshot).map_err(ConsensusError::Refused)?;
        let about = command.about();
        let cluster = match command.cluster() {
            "" => snapshot.get(&about).map(|i| i.cluster_name.clone()).unwrap_or_default(),
            named => named.to_owned(),
        };
        self.apply(&command);
        let act = Act::new(command.audit_type(), actor, command.summary()).on(&about).of(&cluster).since(began);
        let row = self.audit.tell(act).map(Box::new);
        Ok(self.journal.push(Entry::Command { command, row }))
    }

    fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a command line recorded in the backend beside this process: the global switch and what
    /// operators said of servers. Nothing is taken while writes of our own are under way, which are newer.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn adopt_recorded(&self, store: &Store) -> Result<(), StoreError> {
        let seen = self.fleet.annotations();
        let enabled_before = self.recoveries_enabled();
        let before = self.journal.state();
        if before.pending > 0 {
            return Ok(());
        }
        let enabled = !store.are_recoveries_disabled().await?;
        let recorded = store.load_annotations().await?;
        let _turn = self.in_order();
        if self.journal.state().accepted != before.accepted {
            return Ok(());
        }
        if enabled != enabled_before && self.recoveries_enabled() == enabled_before {
            self.apply(&Command::EnableRecoveries { enabled });
        }
        self.fleet.adopt(&seen, recorded);
        Ok(())
    }

    /// Takes over users, sessions and tokens as another process recorded them. Nothing is taken while writes of our own are
    /// under way, which are newer.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn adopt_accounts(&self, store: &Store) -> Result<(), StoreError> {
        let before = self.journal.state();
        if before.pending > 0 {
            return Ok(());
        }
        let rows = store.load_accounts().await?;
        let _turn = self.in_order();
        if self.journal.state().accepted == before.accepted {
            self.accounts.adopt(rows);
        }
        Ok(())
    }

    /// Makes a command true in memory. Same command, same state: same result on every node.
    fn apply(&self, command: &Command) {
        match command {
            Command::Forget { key, barred_until, .. } => {
                self.fleet.forget(key, *barred_until);
            }
            Command::Admit { key } => self.fleet.unbar(key),
            Command::EnableRecoveries { enabled, .. } => {
                self.recoveries.send_replace(*enabled);
                self.events.publish(EventBody::Node { message: command.summary() });
            }
            Command::Acknowledge { .. } => {}
            Command::PutUser { user, .. } => self.accounts.put_user((**user).clone()),
            Command::SetPassword { name, hash, at, is_new, keep_session } => {
                self.accounts.set_password(name, &hash.0, *at, *is_new, keep_session);
            }
            Command::DeleteUser { name } => self.accounts.delete_user(name),
            Command::PutToken { token } => self.accounts.put_token((**token).clone()),
            Command::DeleteToken { id, .. } => self.accounts.delete_token(id),
            other => self.fleet.annotate(&other.about(), |annotations| other.annotate(annotations)),
        }
    }
}
