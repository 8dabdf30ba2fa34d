//! The audit: who did what, to which server, with what result.

use app::InstanceKey;
use app::api::AuditRow;
use chrono::Utc;

use crate::consensus::Actor;
use crate::journal::{Entry, Journal};
use crate::store::{AuditEntry, AuditRecord, PAGE_SIZE, Store, StoreError};

/// Writes and reads the audit.
#[derive(Debug, Clone)]
pub struct Audit {
    journal: Journal,
    store: Store,
}

impl Audit {
    /// An audit that is written behind and read from the backend.
    pub fn new(journal: Journal, store: Store) -> Self {
        Self { journal, store }
    }

    /// Records an event. `kind` is one of the types of the compatible API (`spec/api.md` 3.10), or a new one of ours.
    pub fn record(&self, kind: &str, key: &InstanceKey, cluster: &str, actor: &Actor, message: &str) {
        tracing::info!(target: "audit", kind, instance = %key, cluster, actor = %actor.name, "{message}");
        let entry = AuditEntry {
            at: Utc::now(),
            kind: kind.to_owned(),
            key: key.clone(),
            cluster: cluster.to_owned(),
            message: message.to_owned(),
            actor: actor.name.clone(),
        };
        drop(self.journal.push(Entry::Audit(entry)));
    }

    /// A page of the audit, newest first, of one server or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the backend does not answer.
    pub async fn page(&self, key: Option<&InstanceKey>, page: u32) -> Result<Vec<AuditRow>, StoreError> {
        let records = self.store.audit(key, page, PAGE_SIZE).await?;
        Ok(records.into_iter().map(row).collect())
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
        message: entry.message,
    }
}
