//! Detections: a failure was seen and told. At most one per server and actionability is active
//! (`spec/recovery.md` 3.3.1).

use app::InstanceKey;
use app::finding::Finding;
use chrono::{DateTime, Utc};

use super::connection::Tx;
use super::nodes::NodeIdentity;
use super::value::{Row, Statement, Value};
use super::{Store, StoreError, StoreResult, text};

/// Ended rows of one server that fall into the same second are told apart by up to this many seconds.
const TIE_BREAKS: i64 = 60;

/// A detection to register.
#[derive(Debug, Clone)]
pub struct NewDetection<'a> {
    /// What was found.
    pub finding: &'a Finding,
    /// The process that found it.
    pub node: NodeIdentity,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which detections to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetectionFilter {
    /// All.
    All,
    /// One by number.
    Id(i64),
    /// Those of a cluster by its alias, literally.
    Alias(String),
    /// Those of a cluster by its name or, because the name changes with the primary, by its alias.
    Cluster {
        /// Name.
        name: String,
        /// Alias.
        alias: String,
    },
}

/// A detection as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionRow {
    /// Number.
    pub id: i64,
    /// The failed server.
    pub key: InstanceKey,
    /// Code, as text: older rows may have codes that are gone.
    pub analysis: String,
    /// Cluster name.
    pub cluster: String,
    /// Cluster alias.
    pub cluster_alias: String,
    /// Direct replicas at the time.
    pub count_replicas: u64,
    /// The same, by name.
    pub replicas: Vec<InstanceKey>,
    /// A recovery exists for the code.
    pub is_actionable: bool,
    /// Not closed yet.
    pub is_active: bool,
    /// When it was registered.
    pub started: DateTime<Utc>,
    /// The process that registered it.
    pub node: NodeIdentity,
    /// The newest recovery that it led to; 0 when there is none.
    pub related_recovery_id: i64,
}

impl Store {
    /// Registers a detection and returns its number; `None` when one of the same server and actionability is active,
    /// and then nothing is to be told.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn register_detection(&self, new: &NewDetection<'_>) -> StoreResult<Option<i64>> {
        let columns = [
            "hostname",
            "port",
            "in_active_period",
            "start_active_period",
            "end_active_period_unixtime",
            "processing_node_hostname",
            "processcing_node_token",
            "analysis",
            "cluster_name",
            "cluster_alias",
            "count_affected_slaves",
            "slave_hosts",
            "is_actionable",
        ];
        let finding = new.finding;
        let statement = Statement::new(self.dialect().insert_absent("topology_failure_detection", &columns))
            .bind_key(&finding.key)
            .bind(true)
            .bind(new.at)
            .bind(0_i64)
            .bind(self.fit_ascii(&new.node.hostname, 128))
            .bind(self.fit_ascii(&new.node.token, 128))
            .bind(finding.code.as_str())
            .bind(self.fit_ascii(&finding.cluster, 128))
            .bind(self.fit_ascii(&finding.cluster_alias, 128))
            .bind(finding.facts.replicas.len())
            .bind(self.fit_key_list(&finding.facts.replicas))
            .bind(finding.actionable);
        let done = self.run(statement).await?;
        Ok((done.affected > 0).then_some(done.last_id))
    }

    /// Closes the active detections that began before `before`; returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn close_detections_before(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> StoreResult<u64> {
        self.close_detections("start_active_period < ?", vec![before.into()], now).await
    }

    /// Closes the active detections of a server; returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn close_detections_of(&self, key: &InstanceKey, now: DateTime<Utc>) -> StoreResult<u64> {
        let args = vec![Value::from(&key.hostname), Value::from(key.port)];
        self.close_detections("hostname = ? and port = ?", args, now).await
    }

    async fn close_detections(
        &self,
        condition: &'static str,
        args: Vec<Value>,
        now: DateTime<Utc>,
    ) -> StoreResult<u64> {
        let mut tx = self.begin().await?;
        let closed = close_detections_in(&mut tx, condition, args, now).await?;
        tx.commit().await?;
        Ok(closed)
    }

    /// A page of detections, newest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn detections(
        &self,
        filter: &DetectionFilter,
        page: u32,
        page_size: u32,
    ) -> StoreResult<Vec<DetectionRow>> {
        let (condition, args) = match filter {
            DetectionFilter::All => ("1 = 1", vec![]),
            DetectionFilter::Id(id) => ("detection_id = ?", vec![Value::Int(*id)]),
            DetectionFilter::Alias(alias) => ("cluster_alias = ?", vec![Value::from(alias)]),
            DetectionFilter::Cluster { name, alias } => {
                ("(cluster_name = ? or cluster_alias = ?)", vec![Value::from(name), Value::from(alias)])
            }
        };
        let sql = format!(
            "select detection_id, hostname, port, analysis, cluster_name, cluster_alias, count_affected_slaves, slave_hosts, \
             is_actionable, in_active_period, start_active_period, processing_node_hostname, processcing_node_token, (select coalesce(max(recovery_id), 0) from topology_recovery \
             where last_detection_id = detection_id) as related_recovery_id from topology_failure_detection \
             where {condition} order by detection_id desc limit ? offset ?"
        );
        let mut statement = Statement::new(sql);
        statement.args = args;
        let statement = statement.bind(page_size).bind(u64::from(page) * u64::from(page_size));
        Ok(self.rows(statement).await?.iter().map(detection_of).collect())
    }

    /// A comma list of servers that fits a TEXT column: whole names only.
    pub(super) fn fit_key_list(&self, keys: &[InstanceKey]) -> String {
        let list = text::key_list(keys);
        if !self.dialect().enforces_limits() {
            return list;
        }
        let list = text::to_ascii(&list);
        match text::clip(&list, 65_535) {
            whole if whole.len() == list.len() => whole.to_owned(),
            cut => cut.rsplit_once(',').map_or_else(String::new, |(names, _)| names.to_owned()),
        }
    }
}

/// Closes active detections within a transaction. The end is part of a unique key, so rows of one server that end in the
/// same second as an earlier one get the next free second.
pub(super) async fn close_detections_in(
    tx: &mut Tx,
    condition: &str,
    args: Vec<Value>,
    now: DateTime<Utc>,
) -> StoreResult<u64> {
    let mut select = Statement::new(format!(
        "select detection_id as id from topology_failure_detection where in_active_period = 1 and {condition}"
    ));
    select.args = args;
    let ids: Vec<i64> = tx.rows(select).await?.iter().map(|row| row.int("id")).collect();
    let mut closed = 0;
    for id in ids {
        let sql = "update topology_failure_detection set in_active_period = 0, end_active_period_unixtime = ? \
                   where detection_id = ? and in_active_period = 1";
        closed += end_period(tx, sql, id, now).await?;
    }
    Ok(closed)
}

/// Runs `sql` (end second, number) with the first end second that is free.
pub(super) async fn end_period(tx: &mut Tx, sql: &'static str, id: i64, now: DateTime<Utc>) -> StoreResult<u64> {
    let mut last = None;
    for later in 0..TIE_BREAKS {
        match tx.run(Statement::new(sql).bind(now.timestamp() + later).bind(id)).await {
            Ok(done) => return Ok(done.affected),
            Err(error @ StoreError::Conflict(_)) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| StoreError::Conflict("no free end of an active period".to_owned())))
}

fn detection_of(row: &Row) -> DetectionRow {
    DetectionRow {
        id: row.int("detection_id"),
        key: row.key(),
        analysis: row.text("analysis"),
        cluster: row.text("cluster_name"),
        cluster_alias: row.text("cluster_alias"),
        count_replicas: row.count("count_affected_slaves"),
        replicas: text::parse_key_list(&row.text("slave_hosts")),
        is_actionable: row.flag("is_actionable"),
        is_active: row.flag("in_active_period"),
        started: row.time_or_epoch("start_active_period"),
        node: NodeIdentity {
            hostname: row.text("processing_node_hostname"),
            token: row.text("processcing_node_token"),
        },
        related_recovery_id: row.int("related_recovery_id"),
    }
}
