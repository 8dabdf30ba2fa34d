//! The audit: who did what, to which server, how they were told, how it ended and how long it took.
//!
//! Everything that changes something leaves one row, and so does a login, a failed one, a change that was refused, and a
//! configuration that is read again. [`Audit::log`] is the one way in: it writes the row behind, into the backend unless
//! `AuditToBackendDB` is set to false, and tells log, file or syslog at once.

mod export;
mod refusals;
mod trail;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::api::{AuditOutcome, AuditRow};
use chrono::Utc;

use crate::config::LiveConfig;
use crate::consensus::Actor;
use crate::journal::{Entry, Journal};
use crate::store::{AuditEntry, AuditFilter, AuditRecord, PAGE_SIZE, Store, StoreError};
pub use export::{Format, export};
use refusals::Meter;
pub use refusals::host_of;
use trail::Trail;

/// Something to be told: begin with [`Act::new`] and add what is known.
#[derive(Debug, Clone)]
pub struct Act {
    entry: AuditEntry,
}

impl Act {
    /// Something that this actor did, and it went well; it took from their request until now, unless more is known. `kind` is one of
    /// the types of the compatible API (`spec/api.md` 3.10), or a new one of ours; `message` is for people.
    pub fn new(kind: &str, actor: &Actor, message: impl Into<String>) -> Self {
        let entry = AuditEntry {
            at: Utc::now(),
            kind: kind.to_owned(),
            message: message.into(),
            actor: actor.name.clone(),
            method: actor.method.clone(),
            address: actor.address.clone(),
            outcome: Some(AuditOutcome::Done),
            reason: actor.reason.clone(),
            ..AuditEntry::default()
        };
        let act = Self { entry };
        match actor.since {
            Some(asked) => act.since(asked),
            None => act,
        }
    }

    /// To this server.
    #[must_use]
    pub fn on(mut self, key: &InstanceKey) -> Self {
        self.entry.key = key.clone();
        self
    }

    /// To this cluster, by name.
    #[must_use]
    pub fn of(mut self, cluster: &str) -> Self {
        self.entry.cluster = cluster.to_owned();
        self
    }

    /// It ended so.
    #[must_use]
    pub fn ended(mut self, outcome: AuditOutcome) -> Self {
        self.entry.outcome = Some(outcome);
        self
    }

    /// It ended well if `is_done`, else it failed.
    #[must_use]
    pub fn ended_well(self, is_done: bool) -> Self {
        self.ended(if is_done { AuditOutcome::Done } else { AuditOutcome::Failed })
    }

    /// It took this long.
    #[must_use]
    pub fn took(mut self, time: Duration) -> Self {
        self.entry.duration_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// It began then and ends now.
    #[must_use]
    pub fn since(self, began: Instant) -> Self {
        self.took(began.elapsed())
    }

    /// It was begun for this reason, which counts where the actor brings none.
    #[must_use]
    pub fn because(mut self, reason: impl std::fmt::Display) -> Self {
        if self.entry.reason.is_empty() {
            self.entry.reason = reason.to_string();
        }
        self
    }
}

/// Writes and reads the audit.
#[derive(Debug, Clone)]
pub struct Audit {
    journal: Journal,
    store: Store,
    config: Arc<LiveConfig>,
    trail: Arc<Trail>,
    failed_logins: Arc<Mutex<Meter>>,
    refused: Arc<Mutex<Meter>>,
}

impl Audit {
    /// An audit that is written behind and read from the backend.
    pub fn new(journal: Journal, store: Store, config: Arc<LiveConfig>) -> Self {
        let meter = || Arc::new(Mutex::new(Meter::new(Instant::now())));
        let trail = Arc::new(Trail::new(Arc::clone(&config)));
        Self { journal, store, config, trail, failed_logins: meter(), refused: meter() }
    }

    /// Records something.
    pub fn log(&self, act: Act) {
        if let Some(entry) = self.tell(act) {
            drop(self.journal.push(Entry::Audit(entry)));
        }
    }

    /// Records something that went well; [`Audit::log`] where more is known.
    pub fn record(&self, kind: &str, key: &InstanceKey, cluster: &str, actor: &Actor, message: &str) {
        self.log(Act::new(kind, actor, message).on(key).of(cluster));
    }

    /// Records that somebody was not let in, and why; `who` has address and method, and no name that was not proved. All failed
    /// logins come here, whatever the method.
    pub fn failed_login(&self, who: &Actor, why: &str) {
        let Some(untold) = counted(&self.failed_logins, who, "") else { return };
        self.log(Act::new("failed-login", who, and_untold(why, untold)).ended(AuditOutcome::Refused));
    }

    /// Records that a change was refused because of who asked for it: what they asked for, and why they may not.
    pub fn denied(&self, who: &Actor, what: &str, why: &str) {
        let Some(untold) = counted(&self.refused, who, what) else { return };
        self.log(Act::new("denied", who, and_untold(what, untold)).because(why).ended(AuditOutcome::Refused));
    }

    /// Tells how many failed logins and refused changes were left out of a minute that is over; to be called now and then.
    pub fn sum_up(&self) {
        let now = Instant::now();
        for (meter, kind) in [(&self.failed_logins, "failed-login"), (&self.refused, "denied")] {
            let left_over = meter.lock().unwrap_or_else(PoisonError::into_inner).left_over(now);
            if let Some(untold) = left_over {
                let message = format!("{untold} more were not told one by one");
                self.log(Act::new(kind, &Actor::system(), message).ended(AuditOutcome::Refused));
            }
        }
    }

    /// Tells log, file or syslog, and gives the row for the backend, where it keeps any: for entries of the journal that carry theirs
    /// with them.
    pub fn tell(&self, act: Act) -> Option<AuditEntry> {
        self.trail.tell(&act.entry);
        self.keeps_rows().then_some(act.entry)
    }

    /// Rows are kept in the backend: unless the file says in so many words that they are not to be. The original's own default is
    /// not to keep any, which leaves its page of the audit empty (`spec/config.md` 7.18).
    fn keeps_rows(&self) -> bool {
        let config = self.config.current();
        config.audit.to_backend_db || !config.is_given("AuditToBackendDB")
    }

    /// A page of the audit, newest first, of one server or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn page(&self, key: Option<&InstanceKey>, page: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.rows(&AuditFilter { key: key.cloned(), ..AuditFilter::default() }, page).await
    }

    /// A page of the rows that a filter lets through, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn rows(&self, filter: &AuditFilter, page: u32) -> Result<Vec<AuditRow>, StoreError> {
        let records = self.store.audit_of(filter, page, PAGE_SIZE).await?;
        Ok(records.into_iter().map(row).collect())
    }

    /// The first rows of those that a filter lets through, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn first_rows(&self, filter: &AuditFilter, count: u32) -> Result<Vec<AuditRow>, StoreError> {
        let records = self.store.audit_of(filter, 0, count).await?;
        Ok(records.into_iter().map(row).collect())
    }

    /// Waits, a second at most, until file and syslog have what was told so far.
    pub async fn flush(&self) {
        self.trail.flush().await;
    }
}

/// Counts a row that a caller brings about. How many were left out before it, if it is to be told.
fn counted(meter: &Mutex<Meter>, who: &Actor, what: &str) -> Option<u64> {
    let caller = format!("{} {}", host_of(&who.address), who.name);
    meter.lock().unwrap_or_else(PoisonError::into_inner).count(&caller, what, Instant::now())
}

fn and_untold(text: &str, untold: u64) -> String {
    if untold == 0 { text.to_owned() } else { format!("{text}; before it {untold} more were not told") }
}

fn row(record: AuditRecord) -> AuditRow {
    let AuditRecord { id, entry } = record;
    AuditRow {
        id,
        at: entry.at,
        kind: entry.kind,
        server: entry.key,
        cluster: entry.cluster,
        actor: entry.actor,
        method: entry.method,
        address: entry.address,
        message: entry.message,
        outcome: entry.outcome,
        duration_ms: entry.duration_ms,
        reason: entry.reason,
    }
}
