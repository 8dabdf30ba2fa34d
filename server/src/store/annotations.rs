//! Everything that operators said, in one read; and downtime.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::topology::{Annotations, Candidate, Downtime, Maintenance, PromotionRule};
use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult, text};

impl Store {
    /// Everything that operators said. Expired entries that are not purged yet are in it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_annotations(&self) -> StoreResult<Annotations> {
        Ok(Annotations {
            downtime: self.load_downtime().await?,
            maintenance: self.load_maintenance().await?,
            candidates: self.load_candidates().await?,
            cluster_aliases: self.load_map("select cluster_name as k, alias as v from cluster_alias").await?,
            cluster_alias_overrides: self
                .load_map("select cluster_name as k, alias as v from cluster_alias_override")
                .await?,
            cluster_domains: self
                .load_map("select cluster_name as k, domain_name as v from cluster_domain_name")
                .await?,
            unresolved: self.load_map("select hostname as k, unresolved_hostname as v from hostname_unresolve").await?,
            tags: self.load_tags().await?,
            equivalences: self.load_equivalences().await?,
        })
    }

    async fn load_map(&self, sql: &'static str) -> StoreResult<BTreeMap<String, String>> {
        let rows = self.rows(Statement::new(sql)).await?;
        Ok(rows.iter().map(|row| (row.text("k"), row.text("v"))).collect())
    }

    async fn load_downtime(&self) -> StoreResult<BTreeMap<InstanceKey, Downtime>> {
        let sql = "select hostname, port, begin_timestamp, end_timestamp, owner, reason \
                   from database_instance_downtime where downtime_active = 1";
        let rows = self.rows(Statement::new(sql)).await?;
        Ok(rows.iter().map(|row| (row.key(), downtime_of(row))).collect())
    }

    async fn load_maintenance(&self) -> StoreResult<BTreeMap<InstanceKey, Maintenance>> {
        let sql = "select database_instance_maintenance_id as id, hostname, port, begin_timestamp, end_timestamp, \
                   owner, reason from database_instance_maintenance where maintenance_active = 1 \
                   and explicitly_bounded = 1";
        let rows = self.rows(Statement::new(sql)).await?;
        let entry = |row: &Row| Maintenance {
            id: row.int("id"),
            owner: row.text("owner"),
            reason: row.text("reason"),
            begin: row.time_or_epoch("begin_timestamp"),
            end: row.time_or_epoch("end_timestamp"),
        };
        Ok(rows.iter().map(|row| (row.key(), entry(row))).collect())
    }

    async fn load_candidates(&self) -> StoreResult<BTreeMap<InstanceKey, Candidate>> {
        let sql = "select hostname, port, last_suggested, promotion_rule from candidate_database_instance";
        let rows = self.rows(Statement::new(sql)).await?;
        let entry = |row: &Row| Candidate {
            rule: PromotionRule::from_row(&row.text("promotion_rule")),
            last_suggested: row.time_or_epoch("last_suggested"),
        };
        Ok(rows.iter().map(|row| (row.key(), entry(row))).collect())
    }

    async fn load_tags(&self) -> StoreResult<BTreeMap<InstanceKey, BTreeMap<String, String>>> {
        let sql = "select hostname, port, tag_name, tag_value from database_instance_tags";
        let mut tags: BTreeMap<InstanceKey, BTreeMap<String, String>> = BTreeMap::new();
        for row in self.rows(Statement::new(sql)).await? {
            tags.entry(row.key()).or_default().insert(row.text("tag_name"), row.text("tag_value"));
        }
        Ok(tags)
    }

    /// Begins a downtime, or replaces the one there is.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn begin_downtime(&self, key: &InstanceKey, downtime: &Downtime) -> StoreResult<()> {
        let columns = ["hostname", "port", "downtime_active", "begin_timestamp", "end_timestamp", "owner", "reason"];
        let sql = self.dialect().upsert("database_instance_downtime", &["hostname", "port"], &columns, &[], 1);
        let statement = Statement::new(sql)
            .bind_key(key)
            .bind(true)
            .bind(downtime.begin)
            .bind(downtime.end)
            .bind(self.fit(&downtime.owner, 128))
            .bind(self.fit(&downtime.reason, 20_000));
        self.run(statement).await.map(|_| ())
    }

    /// Ends a downtime; `false` when there is none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn end_downtime(&self, key: &InstanceKey) -> StoreResult<bool> {
        self.delete_by_key("delete from database_instance_downtime where hostname = ? and port = ?", key).await
    }

    /// Moves the end of every downtime with this reason that is in effect at `now` (`spec/recovery.md` 6.3, "renewed").
    /// Returns how many there were.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn renew_downtime(&self, reason: &str, now: DateTime<Utc>, end: DateTime<Utc>) -> StoreResult<u64> {
        let sql = "update database_instance_downtime set end_timestamp = ? \
                   where downtime_active = 1 and reason = ? and end_timestamp > ?";
        Ok(self.run(Statement::new(sql).bind(end).bind(reason).bind(now)).await?.affected)
    }

    /// Deletes the downtimes whose end is past and returns their servers.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn expire_downtime(&self, now: DateTime<Utc>) -> StoreResult<Vec<InstanceKey>> {
        let all = self.load_downtime().await?;
        let over: Vec<InstanceKey> =
            all.into_iter().filter(|(_, downtime)| !downtime.is_active(now)).map(|(key, _)| key).collect();
        for key in &over {
            self.end_downtime(key).await?;
        }
        Ok(over)
    }

    /// A text in a column of the three-byte character set with this many characters.
    pub(super) fn fit(&self, value: &str, chars: usize) -> String {
        if self.dialect().enforces_limits() { text::to_utf8mb3(value, chars) } else { value.to_owned() }
    }

    /// A text in an ASCII column of this many bytes.
    pub(super) fn fit_ascii(&self, value: &str, bytes: usize) -> String {
        if self.dialect().enforces_limits() {
            text::clip(&text::to_ascii(value), bytes).to_owned()
        } else {
            value.to_owned()
        }
    }
}

fn downtime_of(row: &Row) -> Downtime {
    Downtime {
        owner: row.text("owner"),
        reason: row.text("reason"),
        begin: row.time_or_epoch("begin_timestamp"),
        end: row.time_or_epoch("end_timestamp"),
    }
}
