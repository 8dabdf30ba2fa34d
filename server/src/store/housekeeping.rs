//! Throwing away what is old (`spec/discovery.md` 28).

use chrono::{DateTime, Duration, Utc};

use super::value::{Statement, Value};
use super::{Store, StoreResult};

/// A refusal that is not repeated for this long is over; the original keeps it for two seconds, one tick and a bit.
const REFUSAL_KEPT: Duration = Duration::seconds(2);

/// How long things are kept. Defaults are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgePolicy {
    /// `UnseenInstanceForgetHours`: servers, aliases, position equivalences, changes of analysis, node history.
    pub unseen_forget: Duration,
    /// `ExpiryHostnameResolvesMinutes`: domains and virtual names once, resolved names twice that.
    pub resolves_expiry: Duration,
    /// `CandidateInstanceExpireMinutes`.
    pub candidate_expiry: Duration,
    /// `InstancePoolExpiryMinutes`.
    pub pool_expiry: Duration,
    /// `AuditPurgeDays`: audit, detections, recoveries and their steps.
    pub audit_keep: Duration,
    /// `AccessTokenExpiryMinutes`: access tokens, but for those that may be handed out again.
    pub token_expiry: Duration,
    /// `ReasonableReplicationLagSeconds`: stale coordinates are kept twice that, at least a minute.
    pub reasonable_lag: Duration,
}

impl Default for PurgePolicy {
    fn default() -> Self {
        Self {
            unseen_forget: Duration::hours(240),
            resolves_expiry: Duration::minutes(60),
            candidate_expiry: Duration::minutes(60),
            pool_expiry: Duration::minutes(60),
            audit_keep: Duration::days(7),
            token_expiry: Duration::days(1),
            reasonable_lag: Duration::seconds(10),
        }
    }
}

/// What was thrown away: rows by table, tables without any left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// Rows deleted by table.
    pub rows: Vec<(&'static str, u64)>,
}

impl Purged {
    /// Rows deleted from a table.
    pub fn of(&self, table: &str) -> u64 {
        self.rows.iter().find(|(name, _)| *name == table).map_or(0, |(_, rows)| *rows)
    }
}

impl Store {
    /// Throws away what is older than the policy says. Each table by itself, so that no writer waits long.
    ///
    /// # Errors
    /// What the backend says; what was deleted by then stays deleted.
    pub async fn purge(&self, policy: &PurgePolicy, now: DateTime<Utc>) -> StoreResult<Purged> {
        let unseen = before(now, policy.unseen_forget);
        let resolves = before(now, policy.resolves_expiry);
        let audit = before(now, policy.audit_keep);
        let stale = before(now, twice(policy.reasonable_lag).max(Duration::seconds(60)));
        let by_age = [
            ("cluster_alias", "last_registered", unseen),
            ("master_position_equivalence", "last_suggested", unseen),
            ("database_instance_analysis_changelog", "analysis_timestamp", unseen),
            ("node_health_history", "first_seen_active", unseen),
            ("cluster_domain_name", "last_registered", resolves),
            ("hostname_unresolve", "last_registered", resolves),
            ("hostname_resolve", "resolved_timestamp", before(now, twice(policy.resolves_expiry))),
            ("candidate_database_instance", "last_suggested", before(now, policy.candidate_expiry)),
            ("database_instance_pool", "registered_at", before(now, policy.pool_expiry)),
            ("cluster_injected_pseudo_gtid", "time_injected", now - Duration::minutes(60)),
            ("database_instance_stale_binlog_coordinates", "first_seen", stale),
            ("database_instance_coordinates_history", "recorded_timestamp", now - Duration::minutes(4)),
            ("orchestrator_membership", "valid_until", now),
            ("audit", "audit_timestamp", audit),
            ("topology_failure_detection", "start_active_period", audit),
            ("topology_recovery_steps", "audit_at", audit),
        ];
        let mut purged = Purged::default();
        self.purge_one(
            &mut purged,
            "database_instance",
            // A server that was never seen and is not looked at any more is forgotten too.
            "(last_seen is not null and last_seen < ?) or (last_seen is null and last_checked < ? \
             and last_checked > '1971-01-03 00:00:00')",
            vec![Value::Time(unseen), Value::Time(unseen)],
        )
        .await?;
        for (table, column, before) in by_age {
            self.purge_one(&mut purged, table, &format!("{column} < ?"), vec![Value::Time(before)]).await?;
        }
        let expired = "generated_at < ? and is_reentrant = 0";
        let tokens_before = before(now, policy.token_expiry);
        self.purge_one(&mut purged, "access_token", expired, vec![Value::Time(tokens_before)]).await?;
        self.purge_one(
            &mut purged,
            "topology_recovery",
            "start_active_period < ? and not exists (select 1 from orchestrator_recovery \
             where orchestrator_recovery.uid = topology_recovery.uid and state = 'running')",
            vec![Value::Time(audit)],
        )
        .await?;
        let finished = "started_at < ? and state <> 'running'";
        self.purge_one(&mut purged, "orchestrator_recovery", finished, vec![Value::Time(audit)]).await?;
        for (table, orphaned) in [
            (
                "orchestrator_recovery_step",
                "not exists (select 1 from orchestrator_recovery \
                 where orchestrator_recovery.uid = orchestrator_recovery_step.uid)",
            ),
            (
                "orchestrator_audit_actor",
                "not exists (select 1 from audit where audit.audit_id = orchestrator_audit_actor.audit_id)",
            ),
            (
                "orchestrator_audit_detail",
                "not exists (select 1 from audit where audit.audit_id = orchestrator_audit_detail.audit_id)",
            ),
            (
                "orchestrator_instance_extra",
                "not exists (select 1 from database_instance where \
                 database_instance.hostname = orchestrator_instance_extra.hostname \
                 and database_instance.port = orchestrator_instance_extra.port)",
            ),
        ] {
            self.purge_one(&mut purged, table, orphaned, vec![]).await?;
        }
        Ok(purged)
    }

    /// Ends what runs out by itself: active periods of detections and recoveries, refusals that are no longer news, holds on
    /// servers. `detections` is `FailureDetectionPeriodBlockMinutes`, `recoveries` is `RecoveryPeriodBlockSeconds`.
    ///
    /// # Errors
    /// What the backend says; what was ended by then stays ended.
    pub async fn expire_periods(
        &self,
        detections: Duration,
        recoveries: Duration,
        now: DateTime<Utc>,
    ) -> StoreResult<()> {
        self.close_detections_before(before(now, detections), now).await?;
        self.close_recoveries_before(before(now, recoveries), now).await?;
        self.expire_blocked_recoveries(now - REFUSAL_KEPT).await?;
        self.expire_maintenance(now).await.map(drop)
    }

    async fn purge_one(
        &self,
        purged: &mut Purged,
        table: &'static str,
        condition: &str,
        args: Vec<Value>,
    ) -> StoreResult<()> {
        let mut statement = Statement::new(format!("delete from {table} where {condition}"));
        statement.args = args;
        let rows = self.run(statement).await?.affected;
        if rows > 0 {
            purged.rows.push((table, rows));
        }
        Ok(())
    }
}

/// That much earlier; the epoch when there is no such moment, so that a limit without bounds keeps everything.
fn before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    now.checked_sub_signed(age).map_or(DateTime::UNIX_EPOCH, |moment| moment.max(DateTime::UNIX_EPOCH))
}

fn twice(age: Duration) -> Duration {
    age.checked_add(&age).unwrap_or(Duration::MAX)
}
