//! Clusters into which pseudo-GTID entries are injected (`spec/schema.md` 5.12).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::value::Statement;
use super::{Store, StoreResult};

impl Store {
    /// Records that an entry was injected into a cluster.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_injected(&self, cluster: &str, at: DateTime<Utc>) -> StoreResult<()> {
        let columns = ["cluster_name", "time_injected"];
        let sql = self.dialect().upsert("cluster_injected_pseudo_gtid", &["cluster_name"], &columns, &[], 1);
        self.run(Statement::new(sql).bind(self.fit(cluster, 128)).bind(at)).await.map(|_| ())
    }

    /// Clusters that had an entry injected since then.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn injected_since(&self, since: DateTime<Utc>) -> StoreResult<BTreeSet<String>> {
        let sql = "select cluster_name from cluster_injected_pseudo_gtid where time_injected > ?";
        let rows = self.rows(Statement::new(sql).bind(since)).await?;
        Ok(rows.iter().map(|row| row.text("cluster_name")).collect())
    }
}
