//! What is stuck on servers and hosts: tags, pools, attributes (`spec/discovery.md` 30).

use app::InstanceKey;
use chrono::{DateTime, Utc};

use super::value::{Row, Statement};
use super::{Store, StoreResult};

/// A server in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMember {
    /// Pool.
    pub pool: String,
    /// Server.
    pub key: InstanceKey,
    /// When the pool was submitted.
    pub registered_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Sets a tag; an existing one of the name gets the new value.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn put_tag(&self, key: &InstanceKey, name: &str, value: &str, at: DateTime<Utc>) -> StoreResult<()> {
        let columns = ["hostname", "port", "tag_name", "tag_value", "last_updated"];
        let keys = ["hostname", "port", "tag_name"];
        let sql = self.dialect().upsert("database_instance_tags", &keys, &columns, &[], 1);
        let statement = Statement::new(sql).bind_key(key).bind(self.fit(name, 128)).bind(self.fit(value, 128)).bind(at);
        self.run(statement).await.map(|_| ())
    }

    /// Removes a tag from one server, or from every server with `key` left out, and only where it has this value when
    /// one is given. Returns the servers that had it.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn delete_tags(
        &self,
        key: Option<&InstanceKey>,
        name: &str,
        value: Option<&str>,
    ) -> StoreResult<Vec<InstanceKey>> {
        let mut condition = "tag_name = ?".to_owned();
        if key.is_some() {
            condition.push_str(" and hostname = ? and port = ?");
        }
        if value.is_some() {
            condition.push_str(" and tag_value = ?");
        }
        let statement = |sql: String| {
            let mut statement = Statement::new(sql).bind(name);
            if let Some(key) = key {
                statement = statement.bind_key(key);
            }
            if let Some(value) = value {
                statement = statement.bind(value);
            }
            statement
        };
        let mut tx = self.begin().await?;
        let select = format!(
            "select hostname, port from database_instance_tags where {condition} order by hostname, port{}",
            self.dialect().for_update()
        );
        let keys = tx.rows(statement(select)).await?.iter().map(Row::key).collect();
        tx.run(statement(format!("delete from database_instance_tags where {condition}"))).await?;
        tx.commit().await?;
        Ok(keys)
    }

    /// Replaces the members of a pool; an empty list empties it.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn submit_pool(&self, pool: &str, keys: &[InstanceKey], at: DateTime<Utc>) -> StoreResult<()> {
        let pool = self.fit_ascii(pool, 128);
        let columns = ["hostname", "port", "pool", "registered_at"];
        let mut tx = self.begin().await?;
        tx.run(Statement::new("delete from database_instance_pool where pool = ?").bind(&pool)).await?;
        for key in keys {
            let sql = self.dialect().insert_absent("database_instance_pool", &columns);
            tx.run(Statement::new(sql).bind_key(key).bind(&pool).bind(at)).await?;
        }
        tx.commit().await
    }

    /// All members of all pools, by pool and server.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_pools(&self) -> StoreResult<Vec<PoolMember>> {
        let sql =
            "select pool, hostname, port, registered_at from database_instance_pool order by pool, hostname, port";
        let member =
            |row: &Row| PoolMember { pool: row.text("pool"), key: row.key(), registered_at: row.time("registered_at") };
        Ok(self.rows(Statement::new(sql)).await?.iter().map(member).collect())
    }

    /// Sets an attribute of a host; host `*` holds general ones.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_host_attribute(
        &self,
        hostname: &str,
        name: &str,
        value: &str,
        at: DateTime<Utc>,
    ) -> StoreResult<()> {
        let columns = ["hostname", "attribute_name", "attribute_value", "submit_timestamp", "expire_timestamp"];
        let keys = ["hostname", "attribute_name"];
        let sql = self.dialect().upsert("host_attributes", &keys, &columns, &[], 1);
        let statement = Statement::new(sql)
            .bind(self.fit_ascii(hostname, 128))
            .bind(self.fit_ascii(name, 128))
            .bind(self.fit_ascii(value, 128))
            .bind(at)
            .bind(Option::<DateTime<Utc>>::None);
        self.run(statement).await.map(|_| ())
    }

    /// The value of an attribute of a host.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn host_attribute(&self, hostname: &str, name: &str) -> StoreResult<Option<String>> {
        let sql = "select attribute_value from host_attributes where hostname = ? and attribute_name = ?";
        Ok(self.row(Statement::new(sql).bind(hostname).bind(name)).await?.map(|row| row.text("attribute_value")))
    }
}
