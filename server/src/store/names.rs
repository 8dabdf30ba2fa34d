//! Names: of clusters (alias, domain) and of hosts (resolved, virtual, addresses).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::connection::Tx;
use super::value::Statement;
use super::{Store, StoreResult};

/// A host name and what it resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedName {
    /// The name asked for.
    pub hostname: String,
    /// The name it stands for.
    pub resolved: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The last known addresses of a host; empty when unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostAddresses {
    /// IPv4, as text.
    pub ipv4: String,
    /// IPv6, as text.
    pub ipv6: String,
}

impl Store {
    /// Gives a cluster its alias. Alias and cluster are each unique, so an alias that another cluster had goes over
    /// (`spec/schema.md` 7).
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_cluster_alias(&self, cluster: &str, alias: &str, at: DateTime<Utc>) -> StoreResult<()> {
        self.write_cluster_aliases(&[(cluster.to_owned(), alias.to_owned())], at).await
    }

    /// The same for several `(cluster, alias)` pairs in order: the last claim of an alias wins.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn write_cluster_aliases(&self, pairs: &[(String, String)], at: DateTime<Utc>) -> StoreResult<()> {
        let columns = ["cluster_name", "alias", "last_registered"];
        let mut tx = self.begin().await?;
        for (cluster, alias) in pairs {
            let (cluster, alias) = (self.fit_ascii(cluster, 128), self.fit_ascii(alias, 128));
            let sql = "delete from cluster_alias where cluster_name = ? or alias = ?";
            tx.run(Statement::new(sql).bind(&cluster).bind(&alias)).await?;
            let sql = self.dialect().insert("cluster_alias", &columns, 1);
            tx.run(Statement::new(sql).bind(cluster).bind(alias).bind(at)).await?;
        }
        tx.commit().await
    }

    /// Sets the alias that wins over what servers suggest.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_cluster_alias_override(&self, cluster: &str, alias: &str) -> StoreResult<()> {
        let columns = ["cluster_name", "alias"];
        let sql = self.dialect().upsert("cluster_alias_override", &["cluster_name"], &columns, &[], 1);
        let statement = Statement::new(sql).bind(self.fit_ascii(cluster, 128)).bind(self.fit_ascii(alias, 128));
        self.run(statement).await.map(|_| ())
    }

    /// Sets the domain name of a cluster.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn set_cluster_domain(&self, cluster: &str, domain: &str, at: DateTime<Utc>) -> StoreResult<()> {
        let columns = ["cluster_name", "domain_name", "last_registered"];
        let sql = self.dialect().upsert("cluster_domain_name", &["cluster_name"], &columns, &[], 1);
        let statement =
            Statement::new(sql).bind(self.fit_ascii(cluster, 128)).bind(self.fit_ascii(domain, 128)).bind(at);
        self.run(statement).await.map(|_| ())
    }

    /// The stored cache of resolved names.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_resolved_names(&self) -> StoreResult<Vec<ResolvedName>> {
        let sql = "select hostname, resolved_hostname, resolved_timestamp from hostname_resolve order by hostname";
        let rows = self.rows(Statement::new(sql)).await?;
        Ok(rows
            .iter()
            .map(|row| ResolvedName {
                hostname: row.text("hostname"),
                resolved: row.text("resolved_hostname"),
                at: row.time_or_epoch("resolved_timestamp"),
            })
            .collect())
    }

    /// Notes what a name resolved to. Where it resolved to another name, the history notes it too.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn write_resolved_name(&self, name: &ResolvedName) -> StoreResult<()> {
        self.write_resolved_names(std::slice::from_ref(name)).await
    }

    async fn write_resolved_in(&self, tx: &mut Tx, name: &ResolvedName) -> StoreResult<()> {
        let columns = ["hostname", "resolved_hostname", "resolved_timestamp"];
        let (hostname, resolved) = (self.fit_ascii(&name.hostname, 128), self.fit_ascii(&name.resolved, 128));
        let sql = self.dialect().upsert("hostname_resolve", &["hostname"], &columns, &[], 1);
        tx.run(Statement::new(sql).bind(&hostname).bind(&resolved).bind(name.at)).await?;
        if hostname != resolved {
            let sql = self.dialect().upsert("hostname_resolve_history", &["resolved_hostname"], &columns, &[], 1);
            tx.run(Statement::new(sql).bind(&hostname).bind(&resolved).bind(name.at)).await?;
        }
        Ok(())
    }

    /// Notes what several names resolved to, all or none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn write_resolved_names(&self, names: &[ResolvedName]) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        for name in names {
            self.write_resolved_in(&mut tx, name).await?;
        }
        tx.commit().await
    }

    /// Deletes what is recorded of these names.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn forget_resolved_names(&self, hosts: &[String]) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        for host in hosts {
            tx.run(Statement::new("delete from hostname_resolve where hostname = ?").bind(host)).await?;
        }
        tx.commit().await
    }

    /// Says that the aliases of clusters which have servers are still in use, so that they do not expire.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn keep_cluster_aliases(&self, now: DateTime<Utc>) -> StoreResult<()> {
        let sql = "update cluster_alias set last_registered = ? \
                   where cluster_name in (select cluster_name from database_instance)";
        self.run(Statement::new(sql).bind(now)).await.map(drop)
    }

    /// Empties the stored cache of resolved names; returns how many there were.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_resolved_names(&self) -> StoreResult<u64> {
        Ok(self.run(Statement::new("delete from hostname_resolve")).await?.affected)
    }

    /// Registers the virtual name to use for a host in replication configuration, and notes it in the history.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn register_unresolved_name(
        &self,
        hostname: &str,
        virtual_name: &str,
        at: DateTime<Utc>,
    ) -> StoreResult<()> {
        let columns = ["hostname", "unresolved_hostname", "last_registered"];
        let (hostname, virtual_name) = (self.fit_ascii(hostname, 128), self.fit_ascii(virtual_name, 128));
        let mut tx = self.begin().await?;
        for (table, key) in [("hostname_unresolve", "hostname"), ("hostname_unresolve_history", "unresolved_hostname")]
        {
            let sql = self.dialect().upsert(table, &[key], &columns, &[], 1);
            tx.run(Statement::new(sql).bind(&hostname).bind(&virtual_name).bind(at)).await?;
        }
        tx.commit().await
    }

    /// Takes the virtual name of a host away; `false` when it had none.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn delete_unresolved_name(&self, hostname: &str) -> StoreResult<bool> {
        let sql = "delete from hostname_unresolve where hostname = ?";
        Ok(self.run(Statement::new(sql).bind(hostname)).await?.affected > 0)
    }

    /// The last known addresses by host name.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_addresses(&self) -> StoreResult<BTreeMap<String, HostAddresses>> {
        let rows = self.rows(Statement::new("select hostname, ipv4, ipv6 from hostname_ips")).await?;
        let addresses = |row: &super::value::Row| HostAddresses { ipv4: row.text("ipv4"), ipv6: row.text("ipv6") };
        Ok(rows.iter().map(|row| (row.text("hostname"), addresses(row))).collect())
    }

    /// Notes the addresses of a host.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn write_addresses(
        &self,
        hostname: &str,
        addresses: &HostAddresses,
        at: DateTime<Utc>,
    ) -> StoreResult<()> {
        let columns = ["hostname", "ipv4", "ipv6", "last_updated"];
        let sql = self.dialect().upsert("hostname_ips", &["hostname"], &columns, &[], 1);
        let statement = Statement::new(sql)
            .bind(self.fit_ascii(hostname, 128))
            .bind(self.fit_ascii(&addresses.ipv4, 128))
            .bind(self.fit_ascii(&addresses.ipv6, 128))
            .bind(at);
        self.run(statement).await.map(|_| ())
    }
}
