//! Who is managed: the latest word on each server that was forgotten or asked for.
//!
//! The row of a forgotten server is gone, which by itself tells a process beside this one nothing: it would write the
//! row again. So the word is kept for a while, and as long as a server is out no process can write its row.

use std::collections::BTreeSet;

use app::InstanceKey;
use chrono::{DateTime, Duration, Utc};

use super::nodes::NodeIdentity;
use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// That a server was asked for is told this long; other processes look every second.
const ADMISSION_TOLD: Duration = Duration::hours(1);

/// The latest word on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The server.
    pub key: InstanceKey,
    /// Asked for; otherwise forgotten.
    pub is_member: bool,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// A forgotten server stays out until then.
    pub valid_until: DateTime<Utc>,
    /// Token of the process that said it.
    pub node_token: String,
}

impl Store {
    /// Forgets a server and keeps it out until `barred_until`; `false` when it was not known. What operators said of it
    /// stays until it expires.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn forget_instance(
        &self,
        key: &InstanceKey,
        barred_until: DateTime<Utc>,
        node: &NodeIdentity,
        now: DateTime<Utc>,
    ) -> StoreResult<bool> {
        let mut tx = self.begin().await?;
        let mut deleted = 0;
        for table in ["database_instance", "orchestrator_instance_extra"] {
            let sql = format!("delete from {table} where hostname = ? and port = ?");
            deleted += tx.run(Statement::new(sql).bind_key(key)).await?.affected;
        }
        let word = Membership {
            key: key.clone(),
            is_member: false,
            recorded_at: now,
            valid_until: barred_until,
            node_token: node.token.clone(),
        };
        tx.run(self.membership_statement(&word)).await?;
        tx.commit().await?;
        Ok(deleted > 0)
    }

    /// Notes that a server was asked for: it may be known again.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn admit_instance(&self, key: &InstanceKey, node: &NodeIdentity, now: DateTime<Utc>) -> StoreResult<()> {
        let word = Membership {
            key: key.clone(),
            is_member: true,
            recorded_at: now,
            valid_until: now + ADMISSION_TOLD,
            node_token: node.token.clone(),
        };
        self.run(self.membership_statement(&word)).await.map(drop)
    }

    /// The words that still hold, by server.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_memberships(&self, now: DateTime<Utc>) -> StoreResult<Vec<Membership>> {
        let sql = "select hostname, port, is_member, recorded_at, valid_until, node_token \
                   from orchestrator_membership where valid_until > ? order by hostname, port";
        let word = |row: &Row| Membership {
            key: row.key(),
            is_member: row.flag("is_member"),
            recorded_at: row.time_or_epoch("recorded_at"),
            valid_until: row.time_or_epoch("valid_until"),
            node_token: row.text("node_token"),
        };
        Ok(self.rows(Statement::new(sql).bind(now)).await?.iter().map(word).collect())
    }

    /// Servers whose rows must not be written now.
    pub(super) async fn barred(&self, now: DateTime<Utc>) -> StoreResult<BTreeSet<InstanceKey>> {
        let words = self.load_memberships(now).await?;
        Ok(words.into_iter().filter(|word| !word.is_member).map(|word| word.key).collect())
    }

    fn membership_statement(&self, word: &Membership) -> Statement {
        let columns = ["hostname", "port", "is_member", "recorded_at", "valid_until", "node_token"];
        let sql = self.dialect().upsert("orchestrator_membership", &["hostname", "port"], &columns, &[], 1);
        Statement::new(sql)
            .bind(self.fit_ascii(&word.key.hostname, 128))
            .bind(word.key.port)
            .bind(word.is_member)
            .bind(word.recorded_at)
            .bind(word.valid_until)
            .bind(self.fit_ascii(&word.node_token, 128))
    }
}
