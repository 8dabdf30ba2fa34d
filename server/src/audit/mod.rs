//! The audit: who did what, to which server, how they were told, how it ended and how long it took.
//!
//! Everything that changes something leaves one row, and so does a login, a failed one, and a configuration that is read again.
//! [`Audit::log`] is the one way in: it writes the row behind, into the backend, and tells log, file or syslog at once.

mod export;
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
use trail::Trail;

/// Failed logins that leave a row each minute; the rest are counted, so that guessing at speed does not fill the backend.
const FAILED_LOGINS_A_MINUTE: u32 = 30;

/// Something to be told: begin with [`Act::new`] and add what is known.
#[derive(Debug, Clone)]
pub struct Act {
    entry: AuditEntry,
}

impl Act {
    /// Something that this actor did, and it went well. `kind` is one of the types of the compatible API (`spec/api.md` 3.10), or a
    /// new one of ours; `message` is for people.
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
        Self { entry }
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
    trail: Arc<Trail>,
    failed_logins: Arc<Mutex<FailedLogins>>,
}

/// Failed logins of the minute under way.
#[derive(Debug)]
struct FailedLogins {
    minute: Instant,
    told: u32,
    untold: u32,
}

impl Audit {
    /// An audit that is written behind and read from the backend.
    pub fn new(journal: Journal, store: Store, config: Arc<LiveConfig>) -> Self {
        let failed_logins = FailedLogins { minute: Instant::now(), told: 0, untold: 0 };
        Self { journal, store, trail: Arc::new(Trail::new(config)), failed_logins: Arc::new(Mutex::new(failed_logins)) }
    }

    /// Records something.
    pub fn log(&self, act: Act) {
        let entry = self.tell(act);
        drop(self.journal.push(Entry::Audit(entry)));
    }

    /// Records something that went well; [`Audit::log`] where more is known.
    pub fn record(&self, kind: &str, key: &InstanceKey, cluster: &str, actor: &Actor, message: &str) {
        self.log(Act::new(kind, actor, message).on(key).of(cluster));
    }

    /// Records that somebody was not who they said. `user` is what they said; it may be empty.
    pub fn failed_login(&self, method: &str, user: &str, address: &str, why: &str) {
        let Some(untold) = self.failed_logins.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now())
        else {
            return;
        };
        let name = if user.is_empty() { "anonymous" } else { user };
        let actor = Actor { address: address.to_owned(), method: method.to_owned(), ..Actor::named(name) };
        let message =
            if untold == 0 { why.to_owned() } else { format!("{why}; before it {untold} more were not told") };
        self.log(Act::new("failed-login", &actor, message).ended(AuditOutcome::Refused));
    }

    /// Tells log, file or syslog, and gives the row for the backend: for entries of the journal that carry theirs with them.
    pub fn tell(&self, act: Act) -> AuditEntry {
        self.trail.tell(&act.entry);
        act.entry
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

impl FailedLogins {
    /// Counts one. How many were not told before it, if it is to be told itself.
    fn count(&mut self, now: Instant) -> Option<u32> {
        if now.duration_since(self.minute) >= Duration::from_secs(60) {
            (self.minute, self.told) = (now, 0);
        }
        if self.told >= FAILED_LOGINS_A_MINUTE {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_at_speed_is_counted_rather_than_told() {
        let start = Instant::now();
        let mut logins = FailedLogins { minute: start, told: 0, untold: 0 };
        let told = (0..100).filter(|_| logins.count(start) == Some(0)).count();
        assert_eq!(told, 30);
        assert_eq!(logins.count(start + Duration::from_secs(61)), Some(70));
        assert_eq!(logins.count(start + Duration::from_secs(61)), Some(0));
    }
}
