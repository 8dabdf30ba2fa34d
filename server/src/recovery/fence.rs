//! Old sources that come back: made read-only before anything else (`safety.md` S2).
//!
//! Each server is dealt with in a task of its own, one at a time and never more than [`AT_ONCE`]: a server that hangs holds up
//! neither the others nor the loop that watches.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::extra::{Extra, extra_transactions};
use app::plan::{Action, Step};
use app::topology::{Instance, Snapshot};
use chrono::{DateTime, TimeDelta, Utc};
use engine::analysis::is_below_left_behind;
use engine::recovery::LOST_IN_RECOVERY;

use super::RecoveryService;
use super::watch::TICK;
use crate::audit::Act;
use crate::consensus::{Actor, Command};
use crate::exec::{Observer, StepResult};

/// A server that nothing holds up is read-only within this time.
const AT_ONCE_LIMIT: Duration = Duration::from_millis(300);

/// How long it may take where something does.
const CLOSING_MS: u64 = 5_000;

/// For so long a replaced source is looked for each second.
const LOOKED_FOR: TimeDelta = TimeDelta::hours(1);

/// How long ending its sessions may take.
const KILL_MS: u64 = 2_000;

/// What was told of the transactions that a returned source holds alone.
const ALONE: &str = "returned";

/// How long its list of binary logs may take.
const LOGS_LIMIT: Duration = Duration::from_secs(2);

/// Servers dealt with at the same time.
const AT_ONCE: usize = 64;

/// A server that could not be fenced is left alone for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// The reason in the audit.
const RETURNED: &str = "a source that was replaced in a recovery came back";

/// The tag that lists what a returned source holds and its successor does not.
const EXTRA_TAG: &str = "extra-transactions";

/// Longest value of a tag that every backend keeps whole.
const TAG_LENGTH: usize = 128;

/// Servers being dealt with, and what was told of each last.
#[derive(Debug, Default)]
pub(super) struct Fencing {
    busy: Mutex<BTreeSet<InstanceKey>>,
    told: Mutex<BTreeMap<(InstanceKey, &'static str), String>>,
}

/// Somebody deals with a server until this is dropped.
struct Turn {
    fencing: Arc<Fencing>,
    key: InstanceKey,
}

impl Fencing {
    /// Begins to deal with a server; `None` when somebody does already, or too many are dealt with.
    fn begin(self: &Arc<Self>, key: &InstanceKey) -> Option<Turn> {
        let mut busy = lock(&self.busy);
        let free = busy.len() < AT_ONCE && busy.insert(key.clone());
        free.then(|| Turn { fencing: Arc::clone(self), key: key.clone() })
    }

    /// Remembers what was told of a server, by the type of the audit's row; `false` when it is the same as last time.
    pub(super) fn is_news(&self, key: &InstanceKey, kind: &'static str, outcome: &str) -> bool {
        lock(&self.told).insert((key.clone(), kind), outcome.to_owned()).as_deref() != Some(outcome)
    }

    /// It is well: whatever happens next is news.
    fn is_over(&self, key: &InstanceKey) {
        lock(&self.told).retain(|(server, _), _| server != key);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.fencing.busy).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RecoveryService {
    /// Makes servers read-only that a recovery left behind and that accept writes again. The mark is the downtime
    /// `lost-in-recovery`: whoever ends it takes the server back into use on purpose. Waits for nothing.
    pub(super) fn fence_returned(self: &Arc<Self>, snapshot: &Snapshot, now: DateTime<Utc>) {
        if !self.parts.config.current().extensions.fence_returning_source || !self.parts.consensus.is_leader() {
            return;
        }
        let lost =
            snapshot.annotations.downtime.iter().filter(|(_, d)| d.is_active(now) && d.reason == LOST_IN_RECOVERY);
        for (key, downtime) in lost {
            let Some(instance) = snapshot.get(key) else { continue };
            if !instance.check.is_valid() || instance.check.last_seen.is_none_or(|seen| seen <= downtime.begin) {
                self.look_out_for(key, downtime.begin, now);
                continue;
            }
            let writes = accepts_writes(instance) && !self.registry.is_recovering(key);
            let is_back = instance.replication.is_running() && !is_below_left_behind(instance, snapshot, now);
            let rejoins = !writes && self.may_look_at(instance);
            if !writes && !is_back && !rejoins {
                continue;
            }
            let Some(turn) = self.fencing.begin(key) else { continue };
            let (this, instance) = (Arc::clone(self), Arc::clone(instance));
            tokio::spawn(async move {
                if writes {
                    this.fence(&turn.key, &instance).await;
                } else if rejoins {
                    this.look_at_returned(&turn.key, &instance.cluster_name).await;
                } else {
                    this.take_back(&turn.key).await;
                }
            });
        }
    }

    /// A source that was replaced lately is looked for each second, whatever the poll period: until it is seen it may take writes.
    fn look_out_for(&self, key: &InstanceKey, lost: DateTime<Utc>, now: DateTime<Utc>) {
        let lately = now.signed_duration_since(lost) < LOOKED_FOR;
        if lately && self.asked.may(key, TICK, Instant::now()) {
            self.parts.discovery.probe_soon(key);
        }
    }

    async fn fence(&self, key: &InstanceKey, instance: &Instance) {
        let holder = format!("fence {key}");
        // Somebody is at work on it: the next round looks again.
        let Ok(guard) = self.parts.locks.take(&[key.to_string()], &holder) else { return };
        let began = Instant::now();
        let closed = self.close_off(key, instance).await;
        let is_closed = closed.is_ok();
        drop(guard);
        let mut told = None;
        let outcome = match closed {
            Ok(()) => {
                let extra = self.extra_of(key).await;
                told = Some(extra.to_string());
                self.tag(key, &extra).await;
                let saved = self.write_down(key, &extra).await;
                format!("came back writeable after it had been replaced: made read-only; {extra}{saved}")
            }
            Err(why) => format!("came back writeable after it had been replaced; fencing failed: {why}"),
        };
        let fenced = self.parts.fleet.get(key).is_some_and(|seen| !accepts_writes(&seen));
        if self.fencing.is_news(key, "fence", &outcome) {
            let act = Act::new("fence", &Actor::system().because(RETURNED), outcome).on(key).of(&instance.cluster_name);
            self.parts.audit.log(act.ended_well(is_closed).since(began));
        }
        if fenced {
            self.fencing.is_over(key);
            // Seen read-only from now on: what it holds alone has been told.
            if let Some(extra) = told {
                self.fencing.is_news(key, ALONE, &extra);
            }
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Read-only first, then no sessions: those that began before may still hold open transactions. A commit that waits for an
    /// acknowledgement holds the switch up, and on MySQL outlives its session: the switch stays asked for, so that nobody else
    /// commits, and only when nobody is left who could be told of a success, semi-sync lets go of it (`safety.md`, "Facts").
    async fn close_off(&self, key: &InstanceKey, instance: &Instance) -> Result<(), String> {
        let read_only = Action::SetReadOnly { on: true, super_too: true };
        let mut closing = pin!(self.act(key, instance, &read_only, CLOSING_MS));
        let at_once = tokio::time::timeout(AT_ONCE_LIMIT, &mut closing).await;
        let killed = self.act(key, instance, &Action::KillSessions, KILL_MS).await;
        let last = match at_once {
            Ok(ended) => ended,
            Err(_held_up) => {
                if killed.state.is_done() && instance.semi_sync.source_enabled {
                    self.act(key, instance, &Action::SetSemiSyncSource { on: false }, KILL_MS).await;
                }
                closing.await
            }
        };
        let _unreadable = self.read(key).await;
        if last.state.is_done() && killed.state.is_done() {
            return Ok(());
        }
        Err(format!("read-only {:?}, ending sessions {:?}", last.state, killed.state))
    }

    async fn act(&self, key: &InstanceKey, instance: &Instance, action: &Action, timeout_ms: u64) -> StepResult {
        let step = Step {
            id: 1,
            server: key.clone(),
            statements: engine::statements::render(action, instance, &instance.replication),
            action: action.clone(),
            before: vec![],
            needs: vec![],
            undo: vec![],
            timeout_ms,
            phase: 1,
            reason: "a source that was replaced must not accept writes".to_owned(),
        };
        self.parts.exec.run_step(&step, &Quiet).await
    }

    /// It came back read-only: what it holds alone is told all the same.
    pub(super) async fn examine(&self, key: &InstanceKey, cluster: &str) {
        let actor = Actor { since: Some(Instant::now()), ..Actor::system().because(RETURNED) };
        let extra = self.extra_of(key).await;
        if !self.fencing.is_news(key, ALONE, &extra.to_string()) {
            return;
        }
        self.tag(key, &extra).await;
        let saved = self.write_down(key, &extra).await;
        let message = format!("came back read-only after it had been replaced; {extra}{saved}");
        self.parts.audit.record("fence", key, cluster, &actor, &message);
    }

    /// What the server holds and the one in its place does not. It writes no more, and is read first, so that everything it
    /// has more is its own.
    async fn extra_of(&self, key: &InstanceKey) -> Extra {
        let Some(successor) = self.registry.successor_of(key) else {
            return Extra::Unknown("who replaced it is not on record".to_owned());
        };
        let Some(own) = self.read(key).await else { return Extra::Unknown(format!("{key} cannot be read")) };
        match self.read(&successor).await {
            Some(theirs) => extra_transactions(&own, &theirs),
            None => Extra::Unknown(format!("{successor} cannot be read")),
        }
    }

    /// Puts the extra transactions where API, commands and page show them: into a tag of the server.
    async fn tag(&self, key: &InstanceKey, extra: &Extra) {
        let Extra::Transactions(set) = extra else { return };
        let cut = || format!("{}…", set.chars().take(TAG_LENGTH - 1).collect::<String>());
        let value = if set.chars().count() <= TAG_LENGTH { set.clone() } else { cut() };
        self.order(Command::PutTag { key: key.clone(), name: EXTRA_TAG.to_owned(), value }).await;
    }

    /// Puts all of them into a file, with the logs that they are in, for whoever looks into them later. Gives what to tell of it.
    async fn write_down(&self, key: &InstanceKey, extra: &Extra) -> String {
        let Extra::Transactions(set) = extra else { return String::new() };
        let folder = self.parts.config.current().extensions.extra_transactions_directory.clone();
        if folder.is_empty() {
            return String::new();
        }
        let successor = self.registry.successor_of(key).map(|s| s.to_string()).unwrap_or_default();
        let logs = match self.parts.exec.ask(key, "SHOW BINARY LOGS", LOGS_LIMIT).await {
            Ok(rows) => rows.iter().filter_map(|row| row.get("Log_name")).collect::<Vec<_>>().join(" "),
            Err(error) => format!("could not be listed: {error}"),
        };
        let at = Utc::now();
        let text =
            format!("server: {key}\nreplaced by: {successor}\nat: {at}\ntransactions: {set}\nbinary logs: {logs}\n");
        let name = format!("{}-{}-{}.txt", safe_name(&key.hostname), key.port, at.format("%Y%m%dT%H%M%S%.3fZ"));
        let path = std::path::Path::new(&folder).join(name);
        let written = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                std::fs::create_dir_all(path.parent().unwrap_or_else(|| std::path::Path::new(".")))?;
                std::fs::write(&path, text)
            }
        });
        match written.await {
            Ok(Ok(())) => format!("; written down in {}", path.display()),
            Ok(Err(error)) => format!("; they could not be written down in {}: {error}", path.display()),
            Err(error) => format!("; they could not be written down: {error}"),
        }
    }

    /// It replicates again, and not from another server that was left behind: it is lost no longer (`spec/recovery.md` 6.3).
    async fn take_back(&self, key: &InstanceKey) {
        self.order(Command::EndDowntime { key: key.clone() }).await;
        let tags = self.parts.fleet.annotations();
        if tags.tags.get(key).is_some_and(|tags| tags.contains_key(EXTRA_TAG)) {
            self.order(Command::DeleteTag { key: key.clone(), name: EXTRA_TAG.to_owned() }).await;
        }
    }

    async fn order(&self, command: Command) {
        let about = command.about();
        if let Err(error) = self.parts.consensus.submit(command, &Actor::system().because(RETURNED)).await {
            tracing::warn!(instance = %about, %error, "what was found about a returned source could not be recorded");
        }
    }
}

/// A host name as part of a file's name: it comes from a server.
fn safe_name(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

/// A client with ordinary or with administrative rights can write to it.
fn accepts_writes(instance: &Instance) -> bool {
    !instance.read_only || instance.super_read_only == Some(false)
}

/// Fencing has no record of its own: audit and log tell of it.
pub(super) struct Quiet;

impl Observer for Quiet {
    fn step_changed<'a>(
        &'a self,
        _step: &'a Step,
        _state: &'a app::plan::StepState,
    ) -> futures_util::future::BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
