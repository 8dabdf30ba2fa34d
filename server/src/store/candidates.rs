//! Promotion rules (`spec/recovery.md` 6.5).

use app::InstanceKey;
use app::topology::PromotionRule;
use chrono::{DateTime, Utc};

use super::value::Statement;
use super::{Store, StoreResult};

impl Store {
    /// Registers the promotion rule of a server, or refreshes it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn register_candidate(
        &self,
        key: &InstanceKey,
        rule: PromotionRule,
        at: DateTime<Utc>,
    ) -> StoreResult<()> {
        let columns = ["hostname", "port", "promotion_rule", "last_suggested"];
        let sql = self.dialect().upsert("candidate_database_instance", &["hostname", "port"], &columns, &[], 1);
        self.run(Statement::new(sql).bind_key(key).bind(rule.as_str()).bind(at)).await.map(|_| ())
    }

    /// Deletes rules that were last suggested before `before`; returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn expire_candidates(&self, before: DateTime<Utc>) -> StoreResult<u64> {
        let sql = "delete from candidate_database_instance where last_suggested < ?";
        Ok(self.run(Statement::new(sql).bind(before)).await?.affected)
    }
}
