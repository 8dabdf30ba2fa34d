//! Where errant transactions are: read of the server's own binary logs.

use std::time::Duration;

use app::InstanceKey;
use app::gtid::GtidSet;
use app::plan::Refusal;
use engine::errant::{BinaryLog, locate};
use engine::interpret::Record;
use engine::statements::literal;

use super::{Refactor, RefactorError};

/// Each question about the binary logs may take this long.
const LIMIT: Duration = Duration::from_secs(5);

/// The event that tells what was executed before a log is among the first of it.
const FIRST_EVENTS: u32 = 5;

impl Refactor {
    /// The binary logs of a server that hold its errant transactions, oldest first (`spec/refactoring.md` 14.2).
    ///
    /// # Errors
    /// [`RefactorError::Refused`] with `no-errant-transactions` or `errant-purged`; [`RefactorError::Failed`] when the server cannot be read.
    pub async fn locate_errant(&self, key: &InstanceKey) -> Result<Vec<String>, RefactorError> {
        let failed = |error: &dyn std::fmt::Display| RefactorError::Failed(format!("{key}: {error}"));
        if self.parts.fleet.get(key).is_none() {
            return Err(RefactorError::Unknown(key.clone()));
        }
        let server = self.parts.exec.refresh(key).await.map_err(|error| failed(&error))?;
        if server.errant_gtid.is_empty() {
            let message = format!("{key} holds no errant transactions");
            return Err(RefactorError::Refused(Refusal::new("no-errant-transactions", message)));
        }
        let parse = |text: &str| GtidSet::parse(text).map_err(|error| failed(&error));
        let errant = parse(&server.errant_gtid)?;
        if !errant.intersect(&parse(&server.purged_gtid)?).is_empty() {
            let message = format!("binary logs of {key} with errant transactions are purged");
            return Err(RefactorError::Refused(Refusal::new("errant-purged", message)));
        }
        let rows = self.parts.exec.ask(key, "SHOW BINARY LOGS", LIMIT).await.map_err(|error| failed(&error))?;
        let mut logs = vec![];
        for file in rows.iter().filter_map(|row| row.get("Log_name")) {
            logs.push(BinaryLog { file: file.to_owned(), previous: parse(&self.previous_gtids(key, file).await?)? });
        }
        Ok(locate(&logs, &parse(&server.executed_gtid)?, &errant))
    }

    async fn previous_gtids(&self, key: &InstanceKey, file: &str) -> Result<String, RefactorError> {
        let question = format!("SHOW BINLOG EVENTS IN {} LIMIT {FIRST_EVENTS}", literal(file));
        let rows: Vec<Record> = self
            .parts
            .exec
            .ask(key, &question, LIMIT)
            .await
            .map_err(|error| RefactorError::Failed(format!("{key}: {file}: {error}")))?;
        let event = rows.iter().find(|row| row.get("Event_type") == Some("Previous_gtids"));
        match event.and_then(|row| row.get("Info")) {
            Some(info) => Ok(info.to_owned()),
            None => Err(RefactorError::Failed(format!(
                "{key}: {file} does not tell what was executed before it: no Previous_gtids event among its first {FIRST_EVENTS}"
            ))),
        }
    }
}
