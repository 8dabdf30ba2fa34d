//! Recoveries in full: what a person reads afterwards, and what another process needs to finish one.
//!
//! The record and its steps are JSON in tables of ours. A step is saved before it is run and again when it
//! has ended; what is still `running` here when its process is gone was interrupted.

use app::recovery::{Acknowledgement, Recovery, RecoveryState, StepRecord};
use chrono::{DateTime, Utc};

use super::connection::Tx;
use super::nodes::NodeIdentity;
use super::value::{Row, Statement};
use super::{Store, StoreError, StoreResult};

/// A recovery that is not finished, with the state of its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct UnfinishedRecovery {
    /// The record.
    pub recovery: Recovery,
    /// State of the machine as it was saved last.
    pub machine: serde_json::Value,
    /// When that was.
    pub updated_at: DateTime<Utc>,
}

/// How a recovery stands, without its story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryStanding {
    /// Identity across nodes.
    pub uid: String,
    /// It has not ended.
    pub is_running: bool,
    /// Acknowledged by somebody.
    pub is_acknowledged: bool,
    /// The process that runs or ran it.
    pub node: NodeIdentity,
}

impl Store {
    /// Saves a recovery with its steps and the state of its machine, in one transaction. One that another process has claimed
    /// meanwhile is that one's to save: it stays as it is, and the answer is `false`.
    ///
    /// # Errors
    /// What the backend says; then the earlier state stands.
    pub async fn save_recovery(
        &self,
        recovery: &Recovery,
        machine: &serde_json::Value,
        now: DateTime<Utc>,
    ) -> StoreResult<bool> {
        let mut bare = recovery.clone();
        let steps = std::mem::take(&mut bare.steps);
        let json = to_json("orchestrator_recovery.recovery", &bare)?;
        let columns = [
            "uid",
            "cluster_name",
            "state",
            "recovery",
            "machine",
            "node_hostname",
            "node_token",
            "started_at",
            "updated_at",
        ];
        let sql = self.dialect().upsert("orchestrator_recovery", &["uid"], &columns, &[], 1);
        let statement = Statement::new(sql)
            .bind(&recovery.uid)
            .bind(self.fit_ascii(&recovery.cluster, 128))
            .bind(state_word(recovery))
            .bind(json)
            .bind(machine.to_string())
            .bind(self.fit_ascii(&recovery.node, 128))
            .bind(self.fit_ascii(&recovery.node_token, 128))
            .bind(recovery.started)
            .bind(now);
        let mut tx = self.begin().await?;
        let sql = format!("select node_token from orchestrator_recovery where uid = ?{}", self.dialect().for_update());
        let held = tx.rows(Statement::new(sql).bind(&recovery.uid)).await?;
        if held.first().is_some_and(|row| row.text("node_token") != self.fit_ascii(&recovery.node_token, 128)) {
            return Ok(false);
        }
        tx.run(statement).await?;
        for step in &steps {
            self.save_step_in(&mut tx, &recovery.uid, step).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Saves one step of a recovery: before it is run, and again with its outcome.
    ///
    /// # Errors
    /// What the backend says; a step that could not be saved is not to be run.
    pub async fn save_recovery_step(&self, uid: &str, step: &StepRecord) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        self.save_step_in(&mut tx, uid, step).await?;
        tx.commit().await
    }

    async fn save_step_in(&self, tx: &mut Tx, uid: &str, step: &StepRecord) -> StoreResult<()> {
        let json = to_json("orchestrator_recovery_step.record", step)?;
        let columns = ["uid", "step", "record"];
        let sql = self.dialect().upsert("orchestrator_recovery_step", &["uid", "step"], &columns, &[], 1);
        tx.run(Statement::new(sql).bind(uid).bind(step.step.id).bind(json)).await.map(|_| ())
    }

    /// Recoveries that are not finished, oldest first: identity, and the process that has it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn unfinished_recoveries(&self) -> StoreResult<Vec<(String, NodeIdentity)>> {
        let sql = "select uid, node_hostname, node_token from orchestrator_recovery where state = 'running' \
                   order by started_at, uid";
        let held = |row: &Row| {
            (row.text("uid"), NodeIdentity { hostname: row.text("node_hostname"), token: row.text("node_token") })
        };
        Ok(self.rows(Statement::new(sql)).await?.iter().map(held).collect())
    }

    /// One unfinished recovery with the state of its machine; `None` when it has ended.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the record cannot be read, or what the backend says.
    pub async fn load_unfinished_recovery(&self, uid: &str) -> StoreResult<Option<UnfinishedRecovery>> {
        let sql = format!("select {RECORD} from orchestrator_recovery where uid = ? and state = 'running'");
        match self.row(Statement::new(sql).bind(uid)).await? {
            Some(row) => self.unfinished_of(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// How the newest recoveries stand, newest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn recovery_standings(&self, limit: u32) -> StoreResult<Vec<RecoveryStanding>> {
        let sql = "select r.uid as uid, r.state as state, r.node_hostname as node_hostname, r.node_token as node_token, \
                   t.acknowledged as acknowledged from orchestrator_recovery r \
                   left join topology_recovery t on t.uid = r.uid order by r.started_at desc, r.uid desc limit ?";
        let standing = |row: &Row| RecoveryStanding {
            uid: row.text("uid"),
            is_running: row.text("state") == RUNNING,
            is_acknowledged: row.flag("acknowledged"),
            node: NodeIdentity { hostname: row.text("node_hostname"), token: row.text("node_token") },
        };
        Ok(self.rows(Statement::new(sql).bind(limit)).await?.iter().map(standing).collect())
    }

    async fn unfinished_of(&self, row: &Row) -> StoreResult<UnfinishedRecovery> {
        Ok(UnfinishedRecovery {
            recovery: self.assemble(row).await?,
            machine: serde_json::from_str(&row.text("machine")).unwrap_or_default(),
            updated_at: row.time_or_epoch("updated_at"),
        })
    }

    /// Closes a recovery whose record cannot be read, so that nobody tries to go on with it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn abandon_recovery(&self, uid: &str, now: DateTime<Utc>) -> StoreResult<()> {
        let sql = "update orchestrator_recovery set state = 'failed', updated_at = ? where uid = ?";
        self.run(Statement::new(sql).bind(now).bind(uid)).await.map(drop)
    }

    /// Makes a record unreadable, for tests of what is done with such a one.
    #[cfg(test)]
    pub(crate) async fn spoil_recovery(&self, uid: &str) -> StoreResult<()> {
        let sql = "update orchestrator_recovery set recovery = '{}' where uid = ?";
        self.run(Statement::new(sql).bind(uid)).await.map(drop)
    }

    /// One recovery in full, with its number and acknowledgement; `None` when it is unknown or of the original.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the record cannot be read, or what the backend says.
    pub async fn load_recovery(&self, uid: &str) -> StoreResult<Option<Recovery>> {
        let sql = format!("select {RECORD} from orchestrator_recovery where uid = ?");
        match self.row(Statement::new(sql).bind(uid)).await? {
            Some(row) => self.assemble(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest recoveries in full, newest first. Records that cannot be read are left out with an error in the log.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_recoveries(&self, page: u32, page_size: u32) -> StoreResult<Vec<Recovery>> {
        let sql =
            format!("select {RECORD} from orchestrator_recovery order by started_at desc, uid desc limit ? offset ?");
        let offset = u64::from(page) * u64::from(page_size);
        self.assemble_all(Statement::new(sql).bind(page_size).bind(offset)).await
    }

    /// What a statement finds; records that cannot be read are left out with an error in the log.
    async fn assemble_all(&self, statement: Statement) -> StoreResult<Vec<Recovery>> {
        let mut recoveries = Vec::new();
        for row in self.rows(statement).await? {
            match self.assemble(&row).await {
                Ok(recovery) => recoveries.push(recovery),
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(uid = row.text("uid"), %error, "a recovery cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(recoveries)
    }

    /// Recoveries in full other than those in `besides` (identities), newest first: `limit` of them from the one numbered
    /// `offset`, from 0. Only those of the cluster of this name or alias, if given. Records that cannot be read are left
    /// out with an error in the log.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn load_recoveries_besides(
        &self,
        besides: &[&str],
        cluster: Option<&str>,
        offset: u64,
        limit: u32,
    ) -> StoreResult<Vec<Recovery>> {
        let mut sql = format!("select {RECORD} from orchestrator_recovery where 1 = 1");
        if !besides.is_empty() {
            let marks = vec!["?"; besides.len()].join(", ");
            sql = format!("{sql} and uid not in ({marks})");
        }
        if cluster.is_some() {
            sql.push_str(
                " and (cluster_name = ? or uid in (select uid from topology_recovery where cluster_alias = ?))",
            );
        }
        sql.push_str(" order by started_at desc, uid desc limit ? offset ?");
        let mut statement = Statement::new(sql);
        for uid in besides {
            statement = statement.bind(*uid);
        }
        if let Some(cluster) = cluster {
            statement = statement.bind(self.fit_ascii(cluster, 128)).bind(cluster);
        }
        self.assemble_all(statement.bind(limit).bind(offset)).await
    }

    /// Takes an unfinished recovery over from a process that is gone. `false` when somebody else was faster or it is
    /// finished: only the one that gets `true` may go on with it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn claim_recovery(
        &self,
        uid: &str,
        from: &NodeIdentity,
        to: &NodeIdentity,
        now: DateTime<Utc>,
    ) -> StoreResult<bool> {
        let mut tx = self.begin().await?;
        let sql = "update orchestrator_recovery set node_hostname = ?, node_token = ?, updated_at = ? \
                   where uid = ? and state = 'running' and node_hostname = ? and node_token = ?";
        let statement = Statement::new(sql)
            .bind(&to.hostname)
            .bind(&to.token)
            .bind(now)
            .bind(uid)
            .bind(&from.hostname)
            .bind(&from.token);
        if tx.run(statement).await?.affected == 0 {
            return Ok(false);
        }
        let sql = "update topology_recovery set processing_node_hostname = ?, processcing_node_token = ? where uid = ?";
        tx.run(Statement::new(sql).bind(&to.hostname).bind(&to.token).bind(uid)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts a record together: JSON, steps, and what the compatible row and a take-over may have changed since.
    async fn assemble(&self, row: &Row) -> StoreResult<Recovery> {
        let uid = row.text("uid");
        let mut recovery: Recovery = from_json("orchestrator_recovery.recovery", &uid, &row.text("recovery"))?;
        recovery.node = row.text("node_hostname");
        recovery.node_token = row.text("node_token");
        let sql = "select record from orchestrator_recovery_step where uid = ? order by step";
        for step in self.rows(Statement::new(sql).bind(&uid)).await? {
            recovery.steps.push(from_json("orchestrator_recovery_step.record", &uid, &step.text("record"))?);
        }
        let sql = "select recovery_id, acknowledged, acknowledged_at, acknowledged_by, acknowledge_comment, \
                   last_detection_id from topology_recovery where uid = ?";
        if let Some(row) = self.row(Statement::new(sql).bind(&uid)).await? {
            recovery.id = row.int("recovery_id");
            recovery.detection_id = row.int("last_detection_id");
            recovery.acknowledged = row.flag("acknowledged").then(|| Acknowledgement {
                at: row.time_or_epoch("acknowledged_at"),
                by: row.text("acknowledged_by"),
                comment: row.text("acknowledge_comment"),
            });
        }
        Ok(recovery)
    }
}

/// Columns that a recovery is put together from.
const RECORD: &str = "uid, recovery, machine, node_hostname, node_token, updated_at";

/// How the backend calls a recovery that somebody has to go on with.
const RUNNING: &str = "running";

/// One that has ended and of which something is left to do counts as running: another process must find it.
fn state_word(recovery: &Recovery) -> &'static str {
    match &recovery.state {
        _ if recovery.aftermath.is_some() => RUNNING,
        RecoveryState::Running => RUNNING,
        RecoveryState::Succeeded => "succeeded",
        RecoveryState::Failed { .. } => "failed",
    }
}

fn to_json<T: serde::Serialize>(what: &str, value: &T) -> StoreResult<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt { what: what.to_owned(), detail: error.to_string() })
}

fn from_json<T: serde::de::DeserializeOwned>(what: &str, uid: &str, json: &str) -> StoreResult<T> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Corrupt { what: format!("{what} of {uid}"), detail: error.to_string() })
}
