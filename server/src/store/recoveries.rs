//! Recoveries in the compatible tables: registration (which is what keeps a cluster from flapping), end,
//! acknowledgement, reads (`spec/recovery.md` 3.3).

use app::InstanceKey;
use app::finding::Finding;
use app::recovery::{AcknowledgeScope, Acknowledgement, Recovery, StoryLine};
use chrono::{DateTime, Duration, Utc};

use super::connection::Tx;
use super::detections::{close_detections_in, end_period};
use super::dialect::Dialect;
use super::nodes::NodeIdentity;
use super::value::{Row, Statement, Value};
use super::{Store, StoreResult, text};

/// A recovery that ended within this time is a recent one (`spec/api.md` 2, 151 and 152).
const RECENT: Duration = Duration::minutes(5);

/// What is read of a row. Always by name (see `instance_row::columns`).
const COLUMNS: &str = "recovery_id, uid, hostname, port, analysis, cluster_name, cluster_alias, count_affected_slaves, \
                       slave_hosts, in_active_period, start_active_period, end_recovery, is_successful, \
                       successor_hostname, successor_port, successor_alias, lost_slaves, participating_instances, \
                       all_errors, processing_node_hostname, processcing_node_token, acknowledged, acknowledged_at, \
                       acknowledged_by, acknowledge_comment, last_detection_id";

/// What keeps a recovery from being registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationRules {
    /// Refuse when the failed server was promoted lately.
    pub fail_if_instance_active: bool,
    /// Refuse when there is any recovery of the cluster in its active period.
    pub fail_if_cluster_active: bool,
}

impl RegistrationRules {
    /// An automatic recovery: both rules.
    pub const AUTOMATIC: Self = Self { fail_if_instance_active: true, fail_if_cluster_active: true };
    /// A recovery that a person asked for: neither.
    pub const FORCED: Self = Self { fail_if_instance_active: false, fail_if_cluster_active: false };
}

/// Outcome of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Registered; go on.
    New {
        /// Number of the recovery.
        id: i64,
    },
    /// Refused by a rule, and noted as blocked.
    Blocked {
        /// Number of the recovery that blocks it.
        by: i64,
        /// Why, for people.
        reason: String,
    },
    /// An unfinished recovery of the same server is active.
    Running {
        /// Its number.
        id: i64,
    },
}

/// Which recoveries to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryFilter {
    /// All.
    All,
    /// Those that nobody acknowledged.
    Unacknowledged,
    /// One by number.
    Id(i64),
    /// One by identity across nodes.
    Uid(String),
    /// Those of a cluster by its name, literally.
    Cluster(String),
    /// Those of a cluster by its alias, literally.
    Alias(String),
    /// Those of a failed server.
    Instance(InstanceKey),
    /// Those of a cluster that are in their active period and not ended.
    ActiveOfCluster(String),
    /// Those of a cluster that ended within five minutes of this moment.
    RecentOfCluster(String, DateTime<Utc>),
    /// Those that promoted this server and ended within five minutes of this moment.
    RecentSuccessor(InstanceKey, DateTime<Utc>),
    /// All in their active period, ended or not.
    InActivePeriod,
}

/// A recovery as the compatible table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRow {
    /// Number in this backend.
    pub id: i64,
    /// Identity across nodes.
    pub uid: String,
    /// The failed server.
    pub key: InstanceKey,
    /// Code, as text: older rows may have codes that are gone.
    pub analysis: String,
    /// Cluster name when it began.
    pub cluster: String,
    /// Cluster alias when it began.
    pub cluster_alias: String,
    /// Direct replicas at the time.
    pub count_replicas: u64,
    /// The same, by name.
    pub replicas: Vec<InstanceKey>,
    /// In its active period: it blocks others.
    pub is_active: bool,
    /// Begin.
    pub started: DateTime<Utc>,
    /// End; `None` while running, or when its process died.
    pub ended: Option<DateTime<Utc>>,
    /// Ended well.
    pub is_successful: bool,
    /// The promoted server; null when there is none.
    pub successor: InstanceKey,
    /// Its alias.
    pub successor_alias: String,
    /// Replicas that could not be kept.
    pub lost_replicas: Vec<InstanceKey>,
    /// Servers that took part.
    pub participants: Vec<InstanceKey>,
    /// Errors met, one a line; empty when none.
    pub errors: String,
    /// The process that ran it.
    pub node: NodeIdentity,
    /// Acknowledged by somebody.
    pub acknowledged: Option<Acknowledgement>,
    /// Number of the detection that led here; 0 without one.
    pub detection_id: i64,
}

/// A line of a recovery's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryStepRow {
    /// Number.
    pub id: i64,
    /// The recovery.
    pub uid: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub message: String,
}

/// A recovery that was refused because of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedRow {
    /// The failed server.
    pub key: InstanceKey,
    /// Its cluster.
    pub cluster: String,
    /// Code, as text.
    pub analysis: String,
    /// When it was refused last.
    pub at: DateTime<Utc>,
    /// Number of the recovery that blocks it.
    pub blocking_recovery_id: i64,
}

impl Store {
    /// Registers a recovery, or says what forbids it. Rules and registration are one transaction that only one node
    /// at a time can be in, so two nodes never both begin.
    ///
    /// # Errors
    /// What the backend says; then nothing is registered and the recovery must not begin.
    pub async fn register_recovery(&self, new: &Recovery, rules: RegistrationRules) -> StoreResult<Registered> {
        let mut tx = self.begin().await?;
        lock_registration(&mut tx, self.dialect()).await?;
        if let Some((by, reason)) = blocker(&mut tx, new, rules).await? {
            let statement = self.blocked_statement(&new.finding, by, new.started);
            tx.run(statement).await?;
            tx.commit().await?;
            return Ok(Registered::Blocked { by, reason });
        }
        if !rules.fail_if_instance_active {
            // Forced: an ended recovery of the server makes way, an unfinished one does not.
            let acknowledgement = Acknowledgement {
                at: new.started,
                by: new.actor.clone(),
                comment: "acknowledged by a recovery that was asked for".to_owned(),
            };
            let condition = "hostname = ? and port = ? and in_active_period = 1 and end_recovery is not null";
            self.acknowledge_in(&mut tx, condition, key_args(&new.finding.key), &acknowledgement).await?;
        }
        let sql = "select recovery_id from topology_recovery where hostname = ? and port = ? and in_active_period = 1";
        if let Some(row) = tx.rows(Statement::new(sql).bind_key(&new.finding.key)).await?.first() {
            return Ok(Registered::Running { id: row.int("recovery_id") });
        }
        let detection_id = detection_of(&mut tx, new).await?;
        let statement = self.recovery_insert(new, detection_id);
        let id = tx.run(statement).await?.last_id;
        tx.commit().await?;
        Ok(Registered::New { id })
    }

    /// Records a recovery that was begun elsewhere: in memory while the backend was away, or on another node. Nothing
    /// forbids it, because it is a fact; an active row of the same server that it finds is acknowledged as superseded.
    /// Returns its number; doing so twice is the same as once.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn record_recovery(&self, recovery: &Recovery) -> StoreResult<i64> {
        let mut tx = self.begin().await?;
        lock_registration(&mut tx, self.dialect()).await?;
        let sql = "select recovery_id as id from topology_recovery where uid = ?";
        if let Some(row) = tx.rows(Statement::new(sql).bind(&recovery.uid)).await?.first() {
            return Ok(row.int("id"));
        }
        let superseded = Acknowledgement {
            at: recovery.started,
            by: recovery.actor.clone(),
            comment: format!("superseded by recovery {}", recovery.uid),
        };
        let condition = "hostname = ? and port = ? and in_active_period = 1";
        self.acknowledge_in(&mut tx, condition, key_args(&recovery.finding.key), &superseded).await?;
        let detection_id = detection_of(&mut tx, recovery).await?;
        let id = tx.run(self.recovery_insert(recovery, detection_id)).await?.last_id;
        tx.commit().await?;
        Ok(id)
    }

    fn recovery_insert(&self, new: &Recovery, detection_id: i64) -> Statement {
        let columns = [
            "uid",
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
            "participating_instances",
            "lost_slaves",
            "all_errors",
            "acknowledged_by",
            "acknowledge_comment",
            "last_detection_id",
        ];
        Statement::new(self.dialect().insert("topology_recovery", &columns, 1))
            .bind(&new.uid)
            .bind_key(&new.finding.key)
            .bind(true)
            .bind(new.started)
            .bind(0_i64)
            .bind(self.fit_ascii(&new.node, 128))
            .bind(self.fit_ascii(&new.node_token, 128))
            .bind(new.finding.code.as_str())
            .bind(self.fit_ascii(&new.cluster, 128))
            .bind(self.fit_ascii(&new.cluster_alias, 128))
            .bind(new.finding.facts.replicas.len())
            .bind(self.fit_key_list(&new.finding.facts.replicas))
            .bind("")
            .bind("")
            .bind("")
            .bind("")
            .bind("")
            .bind(detection_id)
    }

    /// Number of a recovery by its identity; `None` when it is not registered.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn recovery_id(&self, uid: &str) -> StoreResult<Option<i64>> {
        let sql = "select recovery_id as id from topology_recovery where uid = ?";
        Ok(self.row(Statement::new(sql).bind(uid)).await?.map(|row| row.int("id")))
    }

    /// Notes that a finding is not acted upon because recovery number `by` blocks it.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn note_blocked(&self, finding: &Finding, by: i64, at: DateTime<Utc>) -> StoreResult<()> {
        self.run(self.blocked_statement(finding, by, at)).await.map(drop)
    }

    fn blocked_statement(&self, finding: &Finding, by: i64, at: DateTime<Utc>) -> Statement {
        let columns =
            ["hostname", "port", "cluster_name", "analysis", "last_blocked_timestamp", "blocking_recovery_id"];
        let sql = self.dialect().upsert("blocked_topology_recovery", &["hostname", "port"], &columns, &[], 1);
        Statement::new(sql)
            .bind_key(&finding.key)
            .bind(self.fit_ascii(&finding.cluster, 128))
            .bind(finding.code.as_str())
            .bind(at)
            .bind(by)
    }

    /// Writes the end of a recovery: outcome, successor, lost replicas, participants, errors. Its active period goes on.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn end_recovery(&self, recovery: &Recovery, now: DateTime<Utc>) -> StoreResult<()> {
        let sql = "update topology_recovery set is_successful = ?, successor_hostname = ?, successor_port = ?, \
                   successor_alias = ?, lost_slaves = ?, participating_instances = ?, all_errors = ?, \
                   end_recovery = ? where uid = ?";
        let successor = recovery.successor.clone().unwrap_or_default();
        let statement = Statement::new(sql)
            .bind(recovery.is_successful())
            .bind_key(&successor)
            .bind(self.fit_ascii(&recovery.successor_alias, 128))
            .bind(self.fit_key_list(&recovery.lost_replicas))
            .bind(self.fit_key_list(&recovery.participants))
            .bind(self.fit_ascii(&recovery.errors.join("\n"), 65_535))
            .bind(recovery.ended.unwrap_or(now))
            .bind(&recovery.uid);
        self.run(statement).await.map(|_| ())
    }

    /// Ends the active period of recoveries that began before `before`, so that they no longer block. Returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn close_recoveries_before(&self, before: DateTime<Utc>, now: DateTime<Utc>) -> StoreResult<u64> {
        let mut tx = self.begin().await?;
        let sql = "select recovery_id as id from topology_recovery \
                   where in_active_period = 1 and start_active_period < ?";
        let ids: Vec<i64> = tx.rows(Statement::new(sql).bind(before)).await?.iter().map(|row| row.int("id")).collect();
        let mut closed = 0;
        for id in ids {
            let sql = "update topology_recovery set in_active_period = 0, end_active_period_unixtime = ? \
                       where recovery_id = ? and in_active_period = 1";
            closed += end_period(&mut tx, sql, id, now).await?;
        }
        tx.commit().await?;
        Ok(closed)
    }

    /// Acknowledges recoveries that nobody has acknowledged; they cease to block. Returns how many there were.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn acknowledge(&self, scope: &AcknowledgeScope, acknowledgement: &Acknowledgement) -> StoreResult<u64> {
        let mut tx = self.begin().await?;
        let a = acknowledgement;
        let count = match scope {
            AcknowledgeScope::All => self.acknowledge_in(&mut tx, "1 = 1", vec![], a).await?,
            AcknowledgeScope::Id { id } => {
                self.acknowledge_in(&mut tx, "recovery_id = ?", vec![Value::Int(*id)], a).await?
            }
            AcknowledgeScope::Uid { uid } => self.acknowledge_in(&mut tx, "uid = ?", vec![Value::from(uid)], a).await?,
            AcknowledgeScope::Cluster { name, alias } => {
                let (condition, args) = if alias.is_empty() {
                    ("cluster_name = ?", vec![Value::from(name)])
                } else {
                    ("(cluster_name = ? or cluster_alias = ?)", vec![Value::from(name), Value::from(alias)])
                };
                close_detections_in(&mut tx, condition, args.clone(), a.at).await?;
                self.acknowledge_in(&mut tx, condition, args, a).await?
            }
            AcknowledgeScope::Instance { key } => {
                close_detections_in(&mut tx, "hostname = ? and port = ?", key_args(key), a.at).await?;
                self.acknowledge_in(&mut tx, "hostname = ? and port = ?", key_args(key), a).await?
            }
        };
        tx.commit().await?;
        Ok(count)
    }

    /// Acknowledges recoveries whose process is gone without having ended them, and fills in their end
    /// (`spec/recovery.md` 3.3.4, "crashed"). Recoveries that another process can take up
    /// ([`Store::unfinished_recoveries`]) are left alone. Returns how many there were.
    ///
    /// # Errors
    /// What the backend says; then nothing has changed.
    pub async fn acknowledge_crashed(&self, acknowledgement: &Acknowledgement) -> StoreResult<u64> {
        let mut tx = self.begin().await?;
        let crashed = "in_active_period = 1 and end_recovery is null and not exists (select 1 from node_health \
                       where node_health.hostname = processing_node_hostname \
                       and node_health.token = processcing_node_token) and not exists (select 1 \
                       from orchestrator_recovery where orchestrator_recovery.uid = topology_recovery.uid \
                       and state = 'running')";
        let sql = format!("select recovery_id as id from topology_recovery where acknowledged = 0 and {crashed}");
        let ids: Vec<i64> = tx.rows(Statement::new(sql)).await?.iter().map(|row| row.int("id")).collect();
        let mut count = 0;
        for id in ids {
            let sql = "update topology_recovery set end_recovery = ? where recovery_id = ?";
            tx.run(Statement::new(sql).bind(acknowledgement.at).bind(id)).await?;
            count += self.acknowledge_in(&mut tx, "recovery_id = ?", vec![Value::Int(id)], acknowledgement).await?;
        }
        tx.commit().await?;
        Ok(count)
    }

    async fn acknowledge_in(
        &self,
        tx: &mut Tx,
        condition: &str,
        args: Vec<Value>,
        acknowledgement: &Acknowledgement,
    ) -> StoreResult<u64> {
        let mut select = Statement::new(format!(
            "select recovery_id as id, in_active_period from topology_recovery where acknowledged = 0 and {condition}"
        ));
        select.args = args;
        let rows = tx.rows(select).await?;
        for row in &rows {
            let id = row.int("id");
            let sql = "update topology_recovery set acknowledged = 1, acknowledged_at = ?, acknowledged_by = ?, \
                       acknowledge_comment = ? where recovery_id = ?";
            let statement = Statement::new(sql)
                .bind(acknowledgement.at)
                .bind(self.fit(&acknowledgement.by, 128))
                .bind(self.fit(&acknowledgement.comment, 20_000))
                .bind(id);
            tx.run(statement).await?;
            if row.flag("in_active_period") {
                let sql = "update topology_recovery set in_active_period = 0, end_active_period_unixtime = ? \
                           where recovery_id = ?";
                end_period(tx, sql, id, acknowledgement.at).await?;
            }
        }
        Ok(rows.len() as u64)
    }

    /// A page of recoveries, newest first.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn recoveries(
        &self,
        filter: &RecoveryFilter,
        page: u32,
        page_size: u32,
    ) -> StoreResult<Vec<RecoveryRow>> {
        let (condition, args) = condition_of(filter);
        let sql = format!(
            "select {COLUMNS} from topology_recovery where {condition} order by recovery_id desc limit ? offset ?"
        );
        let mut statement = Statement::new(sql);
        statement.args = args;
        let statement = statement.bind(page_size).bind(u64::from(page) * u64::from(page_size));
        Ok(self.rows(statement).await?.iter().map(recovery_of).collect())
    }

    /// Adds a line to a recovery's story; returns its number.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn add_recovery_story(&self, uid: &str, at: DateTime<Utc>, message: &str) -> StoreResult<i64> {
        let columns = ["recovery_uid", "audit_at", "message"];
        let sql = self.dialect().insert("topology_recovery_steps", &columns, 1);
        let statement = Statement::new(sql).bind(uid).bind(at).bind(self.fit(message, 20_000));
        Ok(self.run(statement).await?.last_id)
    }

    /// Adds the lines of a story that the backend does not have yet; a story only grows.
    ///
    /// # Errors
    /// What the backend says; then none is added.
    pub async fn save_recovery_story(&self, uid: &str, story: &[StoryLine]) -> StoreResult<()> {
        let mut tx = self.begin().await?;
        let counted = "select count(*) as lines_known from topology_recovery_steps where recovery_uid = ?";
        let rows = tx.rows(Statement::new(counted).bind(uid)).await?;
        let known = rows.first().map_or(0, |row| usize::try_from(row.int("lines_known")).unwrap_or_default());
        for line in story.iter().skip(known) {
            let columns = ["recovery_uid", "audit_at", "message"];
            let sql = self.dialect().insert("topology_recovery_steps", &columns, 1);
            let message = self.fit(&line.message, 20_000);
            tx.run(Statement::new(sql).bind(uid).bind(line.at).bind(message)).await?;
        }
        tx.commit().await
    }

    /// A recovery's story, in order.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn recovery_story(&self, uid: &str) -> StoreResult<Vec<RecoveryStepRow>> {
        let sql = "select recovery_step_id, recovery_uid, audit_at, message from topology_recovery_steps \
                   where recovery_uid = ? order by recovery_step_id";
        let line = |row: &Row| RecoveryStepRow {
            id: row.int("recovery_step_id"),
            uid: row.text("recovery_uid"),
            at: row.time_or_epoch("audit_at"),
            message: row.text("message"),
        };
        Ok(self.rows(Statement::new(sql).bind(uid)).await?.iter().map(line).collect())
    }

    /// Refused recoveries, newest first, of one cluster (by name, literally) or of all.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn blocked_recoveries(&self, cluster: Option<&str>) -> StoreResult<Vec<BlockedRow>> {
        let select = "select hostname, port, cluster_name, analysis, last_blocked_timestamp, blocking_recovery_id \
                      from blocked_topology_recovery";
        let order = "order by last_blocked_timestamp desc, hostname, port";
        let statement = match cluster {
            Some(name) => Statement::new(format!("{select} where cluster_name = ? {order}")).bind(name),
            None => Statement::new(format!("{select} {order}")),
        };
        let blocked = |row: &Row| BlockedRow {
            key: row.key(),
            cluster: row.text("cluster_name"),
            analysis: row.text("analysis"),
            at: row.time_or_epoch("last_blocked_timestamp"),
            blocking_recovery_id: row.int("blocking_recovery_id"),
        };
        Ok(self.rows(statement).await?.iter().map(blocked).collect())
    }

    /// Deletes refusals whose recovery is acknowledged or gone, and those not repeated since `before`. Returns how many.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn expire_blocked_recoveries(&self, before: DateTime<Utc>) -> StoreResult<u64> {
        let sql = "delete from blocked_topology_recovery where last_blocked_timestamp < ? or not exists \
                   (select 1 from topology_recovery where recovery_id = blocking_recovery_id and acknowledged = 0)";
        Ok(self.run(Statement::new(sql).bind(before)).await?.affected)
    }
}

/// From here to the end of the transaction no other node can register.
async fn lock_registration(tx: &mut Tx, dialect: Dialect) -> StoreResult<()> {
    let sql = format!("select name from orchestrator_lock where name = 'recovery'{}", dialect.for_update());
    tx.rows(Statement::new(sql)).await.map(|_| ())
}

/// The detection that led to a recovery: the one it names, else the latest of its server; 0 when there is none.
async fn detection_of(tx: &mut Tx, recovery: &Recovery) -> StoreResult<i64> {
    if recovery.detection_id != 0 {
        return Ok(recovery.detection_id);
    }
    let sql = "select coalesce(max(detection_id), 0) as id from topology_failure_detection \
               where hostname = ? and port = ?";
    let rows = tx.rows(Statement::new(sql).bind_key(&recovery.finding.key)).await?;
    Ok(rows.first().map_or(0, |row| row.int("id")))
}

/// The recovery that forbids a new one, and why.
async fn blocker(tx: &mut Tx, new: &Recovery, rules: RegistrationRules) -> StoreResult<Option<(i64, String)>> {
    if rules.fail_if_instance_active {
        let sql = "select recovery_id from topology_recovery where in_active_period = 1 \
                   and successor_hostname = ? and successor_port = ? order by recovery_id desc";
        if let Some(row) = tx.rows(Statement::new(sql).bind_key(&new.finding.key)).await?.first() {
            let id = row.int("recovery_id");
            return Ok(Some((id, format!("{} was promoted lately by recovery {id}", new.finding.key))));
        }
    }
    if rules.fail_if_cluster_active {
        let sql = "select recovery_id from topology_recovery where in_active_period = 1 \
                   and cluster_name = ? order by recovery_id desc";
        if let Some(row) = tx.rows(Statement::new(sql).bind(&new.cluster)).await?.first() {
            let id = row.int("recovery_id");
            return Ok(Some((id, format!("cluster {} had recovery {id} lately", new.cluster))));
        }
    }
    Ok(None)
}

fn condition_of(filter: &RecoveryFilter) -> (&'static str, Vec<Value>) {
    match filter {
        RecoveryFilter::All => ("1 = 1", vec![]),
        RecoveryFilter::Unacknowledged => ("acknowledged = 0", vec![]),
        RecoveryFilter::Id(id) => ("recovery_id = ?", vec![Value::Int(*id)]),
        RecoveryFilter::Uid(uid) => ("uid = ?", vec![Value::from(uid)]),
        RecoveryFilter::Cluster(name) => ("cluster_name = ?", vec![Value::from(name)]),
        RecoveryFilter::Alias(alias) => ("cluster_alias = ?", vec![Value::from(alias)]),
        RecoveryFilter::Instance(key) => ("hostname = ? and port = ?", key_args(key)),
        RecoveryFilter::ActiveOfCluster(name) => {
            ("in_active_period = 1 and end_recovery is null and cluster_name = ?", vec![Value::from(name)])
        }
        RecoveryFilter::RecentOfCluster(name, now) => {
            ("end_recovery > ? and cluster_name = ?", vec![Value::Time(*now - RECENT), Value::from(name)])
        }
        RecoveryFilter::RecentSuccessor(key, now) => (
            "end_recovery > ? and successor_hostname = ? and successor_port = ?",
            vec![Value::Time(*now - RECENT), Value::from(&key.hostname), Value::from(key.port)],
        ),
        RecoveryFilter::InActivePeriod => ("in_active_period = 1", vec![]),
    }
}

fn key_args(key: &InstanceKey) -> Vec<Value> {
    vec![Value::from(&key.hostname), Value::from(key.port)]
}

fn recovery_of(row: &Row) -> RecoveryRow {
    let acknowledged = row.flag("acknowledged").then(|| Acknowledgement {
        at: row.time_or_epoch("acknowledged_at"),
        by: row.text("acknowledged_by"),
        comment: row.text("acknowledge_comment"),
    });
    RecoveryRow {
        id: row.int("recovery_id"),
        uid: row.text("uid"),
        key: row.key(),
        analysis: row.text("analysis"),
        cluster: row.text("cluster_name"),
        cluster_alias: row.text("cluster_alias"),
        count_replicas: row.count("count_affected_slaves"),
        replicas: text::parse_key_list(&row.text("slave_hosts")),
        is_active: row.flag("in_active_period"),
        started: row.time_or_epoch("start_active_period"),
        ended: row.time("end_recovery"),
        is_successful: row.flag("is_successful"),
        successor: row.key_of("successor_hostname", "successor_port"),
        successor_alias: row.text("successor_alias"),
        lost_replicas: text::parse_key_list(&row.text("lost_slaves")),
        participants: text::parse_key_list(&row.text("participating_instances")),
        errors: row.text("all_errors"),
        node: NodeIdentity {
            hostname: row.text("processing_node_hostname"),
            token: row.text("processcing_node_token"),
        },
        acknowledged,
        detection_id: row.int("last_detection_id"),
    }
}
