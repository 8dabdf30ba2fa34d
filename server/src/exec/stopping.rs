//! Stopping the applier of a MySQL server whose relay log ends in the middle of a transaction: the source died, or the receiver was stopped,
//! while it was sent. The server then waits a minute for the rest before the applier stops (`sql_slave_killed`), though it never comes.

use std::time::{Duration, Instant};

use app::InstanceKey;
use app::topology::Instance;
use engine::statements::literal;

use super::hands::HandError;
use super::server_hands::ServerHands;

/// A stop that takes longer is looked into, and looked into again after as long.
const PERIOD: Duration = Duration::from_millis(700);

/// The server's own patience, and some more. A step that stops an applier may take so much longer than it says.
pub(super) const LEFT_OFF: Duration = Duration::from_secs(65);

/// One question about it may take this long.
const QUESTION: Duration = Duration::from_secs(2);

impl ServerHands {
    /// Runs the statements that stop an applier. Where it waits for the rest of a transaction although everything that is whole is
    /// executed, it is ended (which takes the privilege `SYSTEM_USER`), or else waited for.
    pub(super) async fn stop_applier(
        &self,
        server: &Instance,
        statements: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        let (key, began) = (&server.key, Instant::now());
        let mut work = self.control.execute(key, statements, limit);
        let mut left_off = false;
        let done = loop {
            match tokio::time::timeout(PERIOD.min(limit), &mut work).await {
                Ok(done) => break done.map_err(HandError::from),
                Err(_) if left_off => {}
                Err(_) => {
                    let coordinator = tokio::time::timeout(QUESTION, self.left_off(server)).await.ok().flatten();
                    if let Some(coordinator) = coordinator {
                        left_off = true;
                        self.end_coordinator(key, &coordinator).await;
                    }
                    // A server that says nothing is not waited for.
                    if began.elapsed() >= limit {
                        break Err(HandError::Timeout { after: limit });
                    }
                }
            }
        };
        match done {
            Err(error) if left_off => {
                tracing::warn!(instance = %key, %error, "still waiting for the applier, which waits for the rest of a transaction");
                self.wait_until_stopped(server, began + LEFT_OFF).await
            }
            done => done,
        }
    }

    /// The session of the coordinator that waits for the rest of a transaction, and for nothing else. Told by GTID only.
    async fn left_off(&self, server: &Instance) -> Option<String> {
        let question = format!(
            "SELECT t.PROCESSLIST_ID FROM performance_schema.replication_applier_status_by_coordinator c \
             JOIN performance_schema.threads t ON t.THREAD_ID = c.THREAD_ID \
             JOIN performance_schema.replication_connection_status s ON s.CHANNEL_NAME = c.CHANNEL_NAME \
             WHERE c.CHANNEL_NAME = {} AND c.PROCESSING_TRANSACTION LIKE '%:%' \
             AND NOT GTID_SUBSET(c.PROCESSING_TRANSACTION, s.RECEIVED_TRANSACTION_SET) \
             AND GTID_SUBSET(s.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)",
            literal(&server.replication.channel)
        );
        // What cannot be asked (an older server, no GTID) is not known.
        let rows = self.control.query(&server.key, &question, QUESTION).await.ok()?;
        rows.first().and_then(|row| row.nth(0)).filter(|id| id.parse::<u64>().is_ok()).map(str::to_owned)
    }

    async fn end_coordinator(&self, key: &InstanceKey, coordinator: &str) {
        tracing::warn!(instance = %key, coordinator,
            "its applier waits for the rest of a transaction that was not sent to the end; it is ended, so as not to wait a minute");
        let kill = [format!("KILL {coordinator}")];
        if let Err(error) = self.control.execute(key, &kill, QUESTION).await {
            tracing::warn!(instance = %key, %error, "the applier cannot be ended: grant SYSTEM_USER to the topology user of MySQL");
        }
    }

    async fn wait_until_stopped(&self, server: &Instance, deadline: Instant) -> Result<(), HandError> {
        let question = format!(
            "SELECT SERVICE_STATE FROM performance_schema.replication_applier_status WHERE CHANNEL_NAME = {}",
            literal(&server.replication.channel)
        );
        loop {
            let rows = self.control.query(&server.key, &question, QUESTION).await?;
            if rows.first().and_then(|row| row.nth(0)) == Some("OFF") {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(HandError::Timeout { after: LEFT_OFF });
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}
