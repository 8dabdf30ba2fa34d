//! The audit: what was done to what, by whom, how it ended. The compatible table has columns for the first half; the other one is
//! kept in two tables of ours beside it.

use app::InstanceKey;
use app::api::AuditOutcome;
use chrono::{DateTime, Utc};

use super::value::{Row, Statement, Value};
use super::{Store, StoreResult};

/// Something that was done, or was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of thing, e.g. `relocate` (`spec/api.md` 3.10).
    pub kind: String,
    /// The server it was done to; null for what concerns all.
    pub key: InstanceKey,
    /// Its cluster; empty when there is none.
    pub cluster: String,
    /// What, for people.
    pub message: String,
    /// Who; empty in entries of the original.
    pub actor: String,
    /// How they were told; empty where nobody has to say who they are.
    pub method: String,
    /// Where they called from; empty for the service itself.
    pub address: String,
    /// How it ended; `None` in entries of the original.
    pub outcome: Option<AuditOutcome>,
    /// Milliseconds it took; `None` where it has no length.
    pub duration_ms: Option<u64>,
    /// Why, for automatic acts; empty for others.
    pub reason: String,
}

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Number.
    pub id: i64,
    /// Entry.
    pub entry: AuditEntry,
}

/// Which entries. What is empty or `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Done to this server.
    pub key: Option<InstanceKey>,
    /// Done by this actor.
    pub actor: String,
    /// Of this kind.
    pub kind: String,
    /// Done to this cluster, by name.
    pub cluster: String,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// With this text in message, reason, actor, address or host name, whatever the case.
    pub text: String,
    /// With a number below this one: an export goes on where it was.
    pub below: Option<i64>,
}

const SELECT: &str = "select audit.audit_id as id, audit_timestamp, audit_type, hostname, port, cluster_name, \
                      message, actor, method, address, outcome, duration_ms, reason from audit \
                      left join orchestrator_audit_actor on orchestrator_audit_actor.audit_id = audit.audit_id \
                      left join orchestrator_audit_detail on orchestrator_audit_detail.audit_id = audit.audit_id";

impl Store {
    /// Adds an entry and returns its number.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn insert_audit(&self, entry: &AuditEntry) -> StoreResult<i64> {
        let columns = ["audit_timestamp", "audit_type", "hostname", "port", "cluster_name", "message"];
        let mut tx = self.begin().await?;
        let statement = Statement::new(self.dialect().insert("audit", &columns, 1))
            .bind(entry.at)
            .bind(self.fit_ascii(&entry.kind, 128))
            .bind(self.fit_ascii(&entry.key.hostname, 128))
            .bind(entry.key.port)
            .bind(self.fit_ascii(&entry.cluster, 128))
            .bind(self.fit(&entry.message, 20_000));
        let id = tx.run(statement).await?.last_id;
        // SQLite may give the number of a purged entry again: its actor must not come back with it.
        let columns = ["audit_id", "actor"];
        let sql = self.dialect().upsert("orchestrator_audit_actor", &["audit_id"], &columns, &[], 1);
        tx.run(Statement::new(sql).bind(id).bind(self.fit(&entry.actor, 255))).await?;
        let columns = ["audit_id", "method", "address", "outcome", "duration_ms", "reason"];
        let sql = self.dialect().upsert("orchestrator_audit_detail", &["audit_id"], &columns, &[], 1);
        let detail = Statement::new(sql)
            .bind(id)
            .bind(self.fit_ascii(&entry.method, 32))
            .bind(self.fit_ascii(&entry.address, 64))
            .bind(entry.outcome.map_or("", AuditOutcome::as_str))
            .bind(entry.duration_ms)
            .bind(self.fit(&entry.reason, 1_024));
        tx.run(detail).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// A page of entries, newest first, of one server or of all.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn audit(&self, key: Option<&InstanceKey>, page: u32, page_size: u32) -> StoreResult<Vec<AuditRecord>> {
        self.audit_of(&AuditFilter { key: key.cloned(), ..AuditFilter::default() }, page, page_size).await
    }

    /// A page of the entries that a filter lets through, newest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn audit_of(&self, filter: &AuditFilter, page: u32, page_size: u32) -> StoreResult<Vec<AuditRecord>> {
        let (conditions, arguments) = filter.conditions();
        let mut statement = Statement::new(format!("{SELECT}{conditions} order by id desc limit ? offset ?"));
        statement.args = arguments;
        let statement = statement.bind(page_size).bind(u64::from(page) * u64::from(page_size));
        Ok(self.rows(statement).await?.iter().map(record_of).collect())
    }

    /// The entries of a server since a moment, oldest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn audit_since(&self, key: &InstanceKey, since: DateTime<Utc>) -> StoreResult<Vec<AuditRecord>> {
        let sql = format!("{SELECT} where hostname = ? and port = ? and audit_timestamp >= ? order by id");
        Ok(self.rows(Statement::new(sql).bind_key(key).bind(since)).await?.iter().map(record_of).collect())
    }
}

impl AuditFilter {
    /// ` where ...` with its arguments; empty when everything is let through.
    fn conditions(&self) -> (String, Vec<Value>) {
        let mut found: Vec<(&str, Vec<Value>)> = Vec::new();
        if let Some(key) = &self.key {
            found.push(("hostname = ? and port = ?", vec![(&key.hostname).into(), key.port.into()]));
        }
        let exact = [("actor = ?", &self.actor), ("audit_type = ?", &self.kind), ("cluster_name = ?", &self.cluster)];
        found.extend(exact.into_iter().filter(|(_, value)| !value.is_empty()).map(|(sql, v)| (sql, vec![v.into()])));
        let moments = [("audit_timestamp >= ?", self.from), ("audit_timestamp < ?", self.until)];
        found.extend(moments.into_iter().filter_map(|(sql, at)| Some((sql, vec![Value::Time(at?)]))));
        if !self.text.is_empty() {
            let pattern = Value::Text(containing(&self.text));
            let sql = "(message like ? escape '!' or reason like ? escape '!' or actor like ? escape '!' \
                       or address like ? escape '!' or hostname like ? escape '!')";
            found.push((sql, vec![pattern; 5]));
        }
        if let Some(id) = self.below {
            found.push(("audit.audit_id < ?", vec![id.into()]));
        }
        if found.is_empty() {
            return (String::new(), Vec::new());
        }
        let (conditions, arguments): (Vec<&str>, Vec<Vec<Value>>) = found.into_iter().unzip();
        (format!(" where {}", conditions.join(" and ")), arguments.into_iter().flatten().collect())
    }
}

/// The pattern of LIKE for whatever holds this text, with `!` as the sign that takes a sign at its word.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

fn record_of(row: &Row) -> AuditRecord {
    AuditRecord {
        id: row.int("id"),
        entry: AuditEntry {
            at: row.time_or_epoch("audit_timestamp"),
            kind: row.text("audit_type"),
            key: row.key(),
            cluster: row.text("cluster_name"),
            message: row.text("message"),
            actor: row.text("actor"),
            method: row.text("method"),
            address: row.text("address"),
            outcome: AuditOutcome::parse(&row.text("outcome")),
            duration_ms: row.int_or_null("duration_ms").and_then(|ms| u64::try_from(ms).ok()),
            reason: row.text("reason"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_pattern_are_taken_at_their_word() {
        assert_eq!(containing("50%_of!"), "%50!%!_of!!%");
    }

    #[test]
    fn a_filter_without_anything_lets_everything_through() {
        assert_eq!(AuditFilter::default().conditions(), (String::new(), vec![]));
        let filter = AuditFilter { actor: "ann".into(), below: Some(7), ..AuditFilter::default() };
        let expected = (" where actor = ? and audit.audit_id < ?".to_owned(), vec!["ann".into(), 7_i64.into()]);
        assert_eq!(filter.conditions(), expected);
    }
}
