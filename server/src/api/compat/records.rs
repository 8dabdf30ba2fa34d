//! Small records (`spec/api.md` 3.5, 3.8 to 3.10, 3.12).

use app::InstanceKey;
use app::topology::{self, PromotionRule};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::scalar::TimeForm;

/// A line of a recovery's story.
#[derive(Debug, Serialize)]
pub struct RecoveryStep {
    #[serde(rename = "Id")]
    id: i64,
    #[serde(rename = "RecoveryUID")]
    recovery_uid: String,
    #[serde(rename = "AuditAt")]
    audit_at: String,
    #[serde(rename = "Message")]
    message: String,
}

impl RecoveryStep {
    /// The line of this number in the story of a recovery.
    pub fn new(id: i64, uid: &str, at: DateTime<Utc>, message: &str, form: TimeForm) -> Self {
        Self { id, recovery_uid: uid.to_owned(), audit_at: form.stored(Some(at)), message: message.to_owned() }
    }
}

/// A recovery that was not begun because of another one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Blocked {
    failed_instance_key: InstanceKey,
    cluster_name: String,
    analysis: String,
    last_blocked_timestamp: String,
    blocking_recovery_id: i64,
}

impl Blocked {
    /// The server, its cluster, the code, when it was blocked last and by which recovery.
    pub fn new(
        key: InstanceKey,
        cluster: String,
        analysis: String,
        at: DateTime<Utc>,
        by: i64,
        form: TimeForm,
    ) -> Self {
        Self {
            failed_instance_key: key,
            cluster_name: cluster,
            analysis,
            last_blocked_timestamp: form.stored(Some(at)),
            blocking_recovery_id: by,
        }
    }
}

/// An active hold on a server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Maintenance {
    maintenance_id: i64,
    key: InstanceKey,
    begin_timestamp: String,
    seconds_elapsed: i64,
    is_active: bool,
    owner: String,
    reason: String,
}

impl Maintenance {
    /// The hold on this server, at `now`.
    pub fn new(key: &InstanceKey, entry: &topology::Maintenance, form: TimeForm, now: DateTime<Utc>) -> Self {
        Self {
            maintenance_id: entry.id,
            key: key.clone(),
            begin_timestamp: form.stored(Some(entry.begin)),
            seconds_elapsed: (now - entry.begin).num_seconds().max(0),
            is_active: entry.end > now,
            owner: entry.owner.clone(),
            reason: entry.reason.clone(),
        }
    }
}

/// A row of the audit. The actor is not part of this form; `/api/v2/audit` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Audit {
    audit_id: i64,
    audit_timestamp: String,
    audit_type: String,
    audit_instance_key: InstanceKey,
    message: String,
}

impl Audit {
    /// A row.
    pub fn new(row: app::api::AuditRow, form: TimeForm) -> Self {
        Self {
            audit_id: row.id,
            audit_timestamp: form.stored(Some(row.at)),
            audit_type: row.kind,
            audit_instance_key: row.server,
            message: row.message,
        }
    }
}

/// A registered promotion rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CandidateInstance {
    hostname: String,
    port: u16,
    promotion_rule: PromotionRule,
    last_suggested_string: String,
    promotion_rule_expiry: String,
}

impl CandidateInstance {
    /// The rule of a server, which ends `lifetime` after it was suggested last.
    pub fn new(key: &InstanceKey, candidate: &topology::Candidate, lifetime: TimeDelta, form: TimeForm) -> Self {
        Self {
            hostname: key.hostname.clone(),
            port: key.port,
            promotion_rule: candidate.rule,
            last_suggested_string: form.stored(Some(candidate.last_suggested)),
            promotion_rule_expiry: form.computed(candidate.last_suggested.checked_add_signed(lifetime)),
        }
    }
}

/// How what was found about a server changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Changelog {
    analyzed_instance_key: InstanceKey,
    changelog: Vec<String>,
}

impl Changelog {
    /// The changes of one server, oldest first.
    pub fn new<'a>(
        key: InstanceKey,
        changes: impl IntoIterator<Item = (DateTime<Utc>, &'a str)>,
        form: TimeForm,
    ) -> Self {
        let line = |(at, code): (DateTime<Utc>, &str)| format!("{};{code},", form.stored(Some(at)));
        Self { analyzed_instance_key: key, changelog: changes.into_iter().map(line).collect() }
    }
}
