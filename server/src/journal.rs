//! Writing behind: everything the backend must learn goes through one ordered queue.
//!
//! A backend that is away stops nothing. Entries wait in order, servers' rows are coalesced in the picture, and the
//! node's status says since when and how much. When the backend is back, the queue is written down first to last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::finding::Finding;
use app::recovery::{Recovery, RecoveryKind};
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::accounts::Used;
use crate::consensus::Command;
use crate::fleet::Fleet;
use crate::metrics::WriteMeter;
use crate::store::{AuditEntry, NewDetection, NewMaintenance, NodeIdentity, SessionRecord, Store, StoreError};
use crate::tasks::Task;

/// A caller waits this long for its entry to be in the backend, then goes on: recovering comes before recording,
/// and a slow backend must not hold up a failover.
const PATIENCE: Duration = Duration::from_millis(500);

/// Pause between attempts while the backend is away.
const RETRY: Duration = Duration::from_secs(1);

/// Something that the backend must learn.
#[derive(Debug)]
pub enum Entry {
    /// A command that is in force.
    Command {
        /// The command.
        command: Command,
        /// What the audit says of it; `None` where it keeps no rows here.
        row: Option<Box<AuditEntry>>,
    },
    /// A row of the audit.
    Audit(AuditEntry),
    /// A detection that opens (`spec/recovery.md` 3.3.1).
    Detection {
        /// What was found.
        finding: Box<Finding>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A recovery as it stands, with what its machine needs to go on.
    Recovery {
        /// The record.
        recovery: Arc<Recovery>,
        /// The machine; `None` when the recovery has ended.
        machine: Option<serde_json::Value>,
    },
    /// A recovery that was not begun because another one blocks it.
    Blocked {
        /// What would have been recovered.
        finding: Box<Finding>,
        /// The blocking recovery's number.
        blocking: i64,
        /// When.
        at: DateTime<Utc>,
    },
    /// The code of an analysed server changed.
    Analysis {
        /// The server.
        key: app::InstanceKey,
        /// Its code now.
        code: app::finding::AnalysisCode,
        /// When.
        at: DateTime<Utc>,
    },
    /// A session that began.
    SessionBegan(Box<SessionRecord>),
    /// A session that ended, by its digest.
    SessionEnded(String),
    /// A session or a token was used.
    Used(Used),
}

impl Entry {
    /// What it is, as figures about writes call it.
    fn name(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Audit(_) => "audit",
            Self::Detection { .. } => "detection",
            Self::Recovery { .. } => "recovery",
            Self::Blocked { .. } => "blocked",
            Self::Analysis { .. } => "analysis",
            Self::SessionBegan(_) | Self::SessionEnded(_) => "session",
            Self::Used(_) => "used",
        }
    }
}

struct Job {
    entry: Entry,
    queued: Instant,
    done: oneshot::Sender<()>,
}

/// How the backend is doing.
#[derive(Debug, Clone, Default)]
pub struct BackendState {
    /// Why it does not answer; `None` when it does.
    pub error: Option<String>,
    /// Since when.
    pub down_since: Option<DateTime<Utc>>,
    /// Entries that wait.
    pub pending: u64,
    /// Entries accepted since the start: when it has not grown, nothing of ours was under way meanwhile.
    pub accepted: u64,
}

/// What the backend says to a recovery that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It keeps it under this number.
    Under(i64),
    /// Another process has claimed it: it is that one's to go on with.
    Elsewhere,
}

/// Told what the backend says to a recovery, by its identity.
pub type OnRecovery = Box<dyn Fn(&str, Kept) + Send + Sync>;

/// The queue's entrance.
#[derive(Debug, Clone)]
pub struct Journal {
    sender: mpsc::UnboundedSender<Job>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    meter: WriteMeter,
    pending: AtomicU64,
    accepted: AtomicU64,
    down: Mutex<Option<(String, DateTime<Utc>)>>,
}

/// The queue's exit: what [`write_behind`] works off.
#[derive(Debug)]
pub struct Queue {
    receiver: mpsc::UnboundedReceiver<Job>,
    waiting: VecDeque<Job>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.entry.fmt(f)
    }
}

/// A journal and the queue behind it.
pub fn journal() -> (Journal, Queue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::default());
    let queue = Queue { receiver, waiting: VecDeque::new(), shared: Arc::clone(&shared) };
    (Journal { sender, shared }, queue)
}

impl Journal {
    /// Queues an entry and waits until it is written, for at most half a second; not at all while the backend is away.
    /// `true` when it is written.
    pub async fn write(&self, entry: Entry) -> bool {
        let done = self.push(entry);
        self.written(done).await
    }

    /// The same for an entry that is queued already.
    pub async fn written(&self, done: oneshot::Receiver<()>) -> bool {
        if self.is_down() {
            return false;
        }
        matches!(tokio::time::timeout(PATIENCE, done).await, Ok(Ok(())))
    }

    /// Queues an entry without waiting.
    pub fn push(&self, entry: Entry) -> oneshot::Receiver<()> {
        let (done, waiter) = oneshot::channel();
        self.shared.accepted.fetch_add(1, Ordering::SeqCst);
        self.shared.pending.fetch_add(1, Ordering::SeqCst);
        if self.sender.send(Job { entry, queued: Instant::now(), done }).is_err() {
            // The writer is gone: the service is stopping.
            self.shared.pending.fetch_sub(1, Ordering::SeqCst);
        }
        waiter
    }

    /// What writes took.
    pub fn meter(&self) -> &WriteMeter {
        &self.shared.meter
    }

    /// How the backend is doing.
    pub fn state(&self) -> BackendState {
        let down = self.shared.lock().clone();
        BackendState {
            pending: self.shared.pending.load(Ordering::SeqCst),
            accepted: self.shared.accepted.load(Ordering::SeqCst),
            error: down.as_ref().map(|(error, _)| error.clone()),
            down_since: down.map(|(_, since)| since),
        }
    }

    fn is_down(&self) -> bool {
        self.shared.lock().is_some()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, DateTime<Utc>)>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &StoreError) {
        let mut down = self.lock();
        let since = down.as_ref().map_or_else(Utc::now, |(_, since)| *since);
        if down.is_none() {
            tracing::error!(%error, "the backend does not answer; watching and recovering go on, writes wait");
        }
        *down = Some((error.to_string(), since));
    }

    fn works(&self) {
        if let Some((_, since)) = self.lock().take() {
            tracing::info!(%since, "the backend answers again; waiting writes are caught up");
        }
    }
}

/// The background loop that writes: entries as they come, servers' rows every `interval`.
pub async fn write_behind(
    task: Task,
    queue: &mut Queue,
    store: Store,
    node: NodeIdentity,
    fleet: Arc<Fleet>,
    interval: Duration,
    on_recovery: OnRecovery,
) {
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            job = queue.receiver.recv() => {
                queue.waiting.extend(job);
                false
            }
            _ = tick.tick() => false,
            () = task.stopped() => true,
        };
        while let Ok(job) = queue.receiver.try_recv() {
            queue.waiting.push_back(job);
        }
        task.busy();
        let result = round(queue, &store, &node, &fleet, &on_recovery).await;
        task.idle(result.as_ref().map_err(ToString::to_string).copied());
        if stopping {
            return;
        }
        if result.is_err() && !task.sleep(RETRY).await {
            return;
        }
    }
}

/// Writes what waits. Ends early when the backend does not answer; nothing is lost then.
async fn round(
    queue: &mut Queue,
    store: &Store,
    node: &NodeIdentity,
    fleet: &Fleet,
    on_recovery: &OnRecovery,
) -> Result<(), StoreError> {
    let round_began = Instant::now();
    while let Some(job) = queue.waiting.front() {
        let began = Instant::now();
        let put = put_down(store, node, &job.entry, on_recovery).await;
        queue.shared.meter.wrote(job.entry.name(), job.queued, began, put.is_ok());
        match put {
            Ok(()) => {}
            Err(error) if error.is_unavailable() => {
                queue.shared.failed(&error);
                return Err(error);
            }
            // Trying again would not help, and what comes behind must not wait for ever.
            Err(error) => tracing::error!(%error, entry = ?job.entry, "the backend refused an entry; it is dropped"),
        }
        queue.shared.pending.fetch_sub(1, Ordering::SeqCst);
        if let Some(job) = queue.waiting.pop_front() {
            let _nobody_waits = job.done.send(());
        }
    }
    let unwritten = fleet.take_unwritten();
    let written = async {
        if !unwritten.forgotten.is_empty() {
            store.delete_instances(&unwritten.forgotten).await?;
        }
        if !unwritten.changed.is_empty() {
            let began = Instant::now();
            let written = store.write_instances(&unwritten.changed).await;
            queue.shared.meter.flushed(unwritten.changed.len(), round_began, began, written.is_ok());
            let report = written?;
            // Either this process learns of it and they leave the picture, or they are admitted and can be written.
            fleet.not_written(&report.barred);
        } else if queue.shared.lock().is_some() {
            store.ping().await?;
        }
        Ok(())
    };
    match written.await {
        Ok(()) => {
            queue.shared.works();
            Ok(())
        }
        Err(error) => {
            fleet.unwritten_again(&unwritten);
            queue.shared.failed(&error);
            Err(error)
        }
    }
}

/// Writes one entry.
async fn put_down(
    store: &Store,
    node: &NodeIdentity,
    entry: &Entry,
    on_recovery: &OnRecovery,
) -> Result<(), StoreError> {
    match entry {
        Entry::Command { command, row } => {
            put_down_command(store, node, command).await?;
            match row {
                Some(row) => store.insert_audit(row).await.map(drop),
                None => Ok(()),
            }
        }
        Entry::Audit(entry) => store.insert_audit(entry).await.map(drop),
        Entry::Detection { finding, at } => {
            store.register_detection(&NewDetection { finding, node: node.clone(), at: *at }).await.map(drop)
        }
        Entry::Recovery { recovery, machine } => {
            put_down_recovery(store, recovery, machine.as_ref(), on_recovery).await
        }
        Entry::Blocked { finding, blocking, at } => store.note_blocked(finding, *blocking, *at).await,
        Entry::Analysis { key, code, at } => store.record_analysis(key, *code, *at).await.map(drop),
        Entry::SessionBegan(session) => store.put_session(session).await,
        Entry::SessionEnded(id) => store.delete_session(id).await,
        Entry::Used(Used::Session { id, at }) => store.touch_session(id, *at).await,
        Entry::Used(Used::Token { id, at, from }) => store.touch_token(id, *at, from).await,
    }
}

/// A recovery goes into our own record with its machine, and into the compatible tables for older clients.
async fn put_down_recovery(
    store: &Store,
    recovery: &Recovery,
    machine: Option<&serde_json::Value>,
    on_recovery: &OnRecovery,
) -> Result<(), StoreError> {
    let mut recovery = recovery.clone();
    if recovery.id == 0 {
        // The policy has decided already, on facts that the backend may not have: it is recorded as it is.
        recovery.id = store.record_recovery(&recovery).await?;
        on_recovery(&recovery.uid, Kept::Under(recovery.id));
    }
    let now = Utc::now();
    if !store.save_recovery(&recovery, machine.unwrap_or(&serde_json::Value::Null), now).await? {
        on_recovery(&recovery.uid, Kept::Elsewhere);
        return Ok(());
    }
    store.save_recovery_story(&recovery.uid, &recovery.story).await?;
    if !recovery.is_running() {
        store.end_recovery(&recovery, now).await?;
        if matches!(recovery.kind, RecoveryKind::Source | RecoveryKind::CoSource) {
            store.close_detections_of(&recovery.finding.key, now).await?;
        }
    }
    Ok(())
}

async fn put_down_command(store: &Store, node: &NodeIdentity, command: &Command) -> Result<(), StoreError> {
    let now = Utc::now();
    match command {
        Command::Forget { key, barred_until } => drop(store.forget_instance(key, *barred_until, node, now).await?),
        Command::Admit { key } => store.admit_instance(key, node, now).await?,
        Command::BeginDowntime { key, downtime } => store.begin_downtime(key, downtime).await?,
        Command::EndDowntime { key } => drop(store.end_downtime(key).await?),
        Command::BeginMaintenance { key, maintenance } => {
            let new = NewMaintenance {
                key: key.clone(),
                owner: maintenance.owner.clone(),
                reason: maintenance.reason.clone(),
                begin: maintenance.begin,
                end: maintenance.end,
                node: node.clone(),
                explicitly_bounded: true,
            };
            if store.begin_maintenance(&new).await?.is_none() {
                tracing::warn!(instance = %key, "another process holds this server: its maintenance is not recorded");
            }
        }
        Command::SubmitPool { pool, members } => store.submit_pool(pool, members, now).await?,
        Command::EndMaintenance { key } => drop(store.end_maintenance(key, now).await?),
        Command::RegisterCandidate { key, candidate } => {
            store.register_candidate(key, candidate.rule, candidate.last_suggested).await?;
        }
        // The backend's own retention removes the row.
        Command::ExpireCandidate { .. } => {}
        Command::SetClusterAlias { cluster, alias } => {
            store.set_cluster_alias_override(cluster, alias).await?;
            store.set_cluster_alias(cluster, alias, now).await?;
        }
        Command::SuggestClusterAlias { cluster, alias } => store.set_cluster_alias(cluster, alias, now).await?,
        Command::SetClusterDomain { cluster, domain } => store.set_cluster_domain(cluster, domain, now).await?,
        Command::RenameCluster { from, to } => store.rename_cluster(from, to).await?,
        Command::RegisterUnresolved { hostname, unresolved } if unresolved.is_empty() => {
            store.delete_unresolved_name(hostname).await?;
        }
        Command::RegisterUnresolved { hostname, unresolved } => {
            store.register_unresolved_name(hostname, unresolved, now).await?;
        }
        Command::PutTag { key, name, value } => store.put_tag(key, name, value, now).await?,
        Command::DeleteTag { key, name } => drop(store.delete_tags(Some(key), name, None).await?),
        Command::RecordEquivalence { equivalence } => {
            // The move that taught it is audited.
            return store.record_equivalence(equivalence, now).await;
        }
        Command::EnableRecoveries { enabled } => store.set_recoveries_disabled(!enabled).await?,
        Command::Acknowledge { what, by, comment, at } => {
            let acknowledgement = app::recovery::Acknowledgement { at: *at, by: by.clone(), comment: comment.clone() };
            store.acknowledge(what, &acknowledgement).await?;
        }
        Command::PutUser { user, .. } => store.put_user(user).await?,
        Command::SetPassword { name, hash, at, is_new, keep_session } => {
            store.set_password(name, &hash.0, is_new.then_some(*at)).await?;
            if *is_new {
                store.delete_sessions_of(name, keep_session).await?;
            }
        }
        Command::DeleteUser { name } => store.delete_user(name).await?,
        Command::PutToken { token } => store.put_token(token).await?,
        Command::DeleteToken { id, .. } => store.delete_token(id).await?,
    }
    Ok(())
}
