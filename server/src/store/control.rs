//! Small tables: the global switch, the key-value store, access tokens, the history of analysis.

use std::collections::BTreeMap;

use app::InstanceKey;
use app::finding::AnalysisCode;
use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// A token of token authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The half that is shown.
    pub public_token: String,
    /// The half that is handed out once and then compared.
    pub secret_token: String,
    /// When it was made.
    pub generated_at: Option<DateTime<Utc>>,
    /// Who had it made.
    pub generated_by: String,
    /// It was handed out.
    pub is_acquired: bool,
    /// It may be handed out again.
    pub is_reentrant: bool,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken")
            .field("public_token", &self.public_token)
            .field("secret_token", &"<hidden>")
            .field("generated_by", &self.generated_by)
            .field("is_acquired", &self.is_acquired)
            .finish_non_exhaustive()
    }
}

/// A change of a server's analysis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisChange {
    /// The server.
    pub key: InstanceKey,
    /// The new code, as text: older rows may have codes that are gone.
    pub analysis: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// Automatic recoveries are switched off everywhere.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn are_recoveries_disabled(&self) -> StoreResult<bool> {
        let sql = "select count(*) as rows_found from global_recovery_disable where disable_recovery = 1";
        Ok(self.row(Statement::new(sql)).await?.is_some_and(|row| row.int("rows_found") > 0))
    }

    /// Switches automatic recoveries off or on. Doing so twice is the same as once.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_recoveries_disabled(&self, disabled: bool) -> StoreResult<()> {
        let sql = if disabled {
            self.dialect().insert_absent("global_recovery_disable", &["disable_recovery"])
        } else {
            "delete from global_recovery_disable where disable_recovery >= ?".to_owned()
        };
        self.run(Statement::new(sql).bind(i64::from(disabled))).await.map(|_| ())
    }

    /// Writes pairs of the internal key-value store, all or none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_kv(&self, pairs: &[(String, String)], at: DateTime<Utc>) -> StoreResult<()> {
        let columns = ["store_key", "store_value", "last_updated"];
        let mut tx = self.begin().await?;
        for (key, value) in pairs {
            let sql = self.dialect().upsert("kv_store", &["store_key"], &columns, &[], 1);
            tx.run(Statement::new(sql).bind(key).bind(self.fit(value, 20_000)).bind(at)).await?;
        }
        tx.commit().await
    }

    /// Reads the internal key-value store.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn kv(&self, key: &str) -> StoreResult<Option<String>> {
        let sql = "select store_value from kv_store where store_key = ?";
        Ok(self.row(Statement::new(sql).bind(key)).await?.map(|row| row.text("store_value")))
    }

    /// Reads all pairs of the internal key-value store whose key begins with `prefix`.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn kv_below(&self, prefix: &str) -> StoreResult<BTreeMap<String, String>> {
        let sql = "select store_key, store_value from kv_store where substr(store_key, 1, ?) = ?";
        let statement = Statement::new(sql).bind(prefix.chars().count()).bind(prefix);
        let rows = self.rows(statement).await?;
        Ok(rows.iter().map(|row| (row.text("store_key"), row.text("store_value"))).collect())
    }

    /// Finds a token by its public half.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn access_token(&self, public_token: &str) -> StoreResult<Option<AccessToken>> {
        let sql = "select public_token, secret_token, generated_at, generated_by, is_acquired, is_reentrant \
                   from access_token where public_token = ?";
        let token = |row: Row| AccessToken {
            public_token: row.text("public_token"),
            secret_token: row.text("secret_token"),
            generated_at: row.time("generated_at"),
            generated_by: row.text("generated_by"),
            is_acquired: row.flag("is_acquired"),
            is_reentrant: row.flag("is_reentrant"),
        };
        Ok(self.row(Statement::new(sql).bind(public_token)).await?.map(token))
    }

    /// Keeps a new token, not handed out so far.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn create_access_token(
        &self,
        public_token: &str,
        secret_token: &str,
        owner: &str,
        at: DateTime<Utc>,
    ) -> StoreResult<()> {
        let columns = ["public_token", "secret_token", "generated_at", "generated_by"];
        let statement = Statement::new(self.dialect().insert("access_token", &columns, 1))
            .bind(public_token)
            .bind(secret_token)
            .bind(at)
            .bind(self.fit(owner, 128));
        self.run(statement).await.map(drop)
    }

    /// Hands a token out that was made after a moment and was not handed out before, or may be again; `None` when there is no
    /// such token. Of two who ask at the same time one gets it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn acquire_access_token(
        &self,
        public_token: &str,
        made_after: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> StoreResult<Option<AccessToken>> {
        let sql = "update access_token set is_acquired = 1, acquired_at = ? \
                   where public_token = ? and is_acquired = 0 and is_reentrant = 0 and generated_at >= ?";
        let handed_out = self.run(Statement::new(sql).bind(at).bind(public_token).bind(made_after)).await?.affected > 0;
        let token = self.access_token(public_token).await?;
        // The backend may compare without regard to case.
        Ok(token.filter(|token| token.public_token == public_token && (handed_out || token.is_reentrant)))
    }

    /// Notes the analysis of a server; `true` when it changed. The first sighting of a server is no change
    /// (`spec/recovery.md` 1.7).
    ///
    /// # Errors
    /// What the backend says.
    pub async fn record_analysis(&self, key: &InstanceKey, code: AnalysisCode, at: DateTime<Utc>) -> StoreResult<bool> {
        let mut tx = self.begin().await?;
        let sql = "update database_instance_last_analysis set analysis = ?, analysis_timestamp = ? \
                   where hostname = ? and port = ? and analysis <> ?";
        let update = Statement::new(sql).bind(code.as_str()).bind(at).bind_key(key).bind(code.as_str());
        let changed = tx.run(update).await?.affected > 0;
        let columns = ["hostname", "port", "analysis_timestamp", "analysis"];
        let sql = if changed {
            self.dialect().insert("database_instance_analysis_changelog", &columns, 1)
        } else {
            self.dialect().insert_absent("database_instance_last_analysis", &columns)
        };
        tx.run(Statement::new(sql).bind_key(key).bind(at).bind(code.as_str())).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// All changes of analysis, by server and then in order.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn analysis_changes(&self) -> StoreResult<Vec<AnalysisChange>> {
        let sql = "select hostname, port, analysis_timestamp, analysis from database_instance_analysis_changelog \
                   order by hostname, port, changelog_id";
        let change = |row: &Row| AnalysisChange {
            key: row.key(),
            analysis: row.text("analysis"),
            at: row.time_or_epoch("analysis_timestamp"),
        };
        Ok(self.rows(Statement::new(sql)).await?.iter().map(change).collect())
    }
}
