//! Pseudo-GTID beside moves: looking for entries, and injecting them.

use std::time::Duration;

use app::plan::{Action, Refusal};
use app::topology::Instance;
use app::{BinlogCoordinates, InstanceKey};
use engine::pseudo_gtid::{Entry, Origin, RelayEvent, RelayMatch, Request, Settings};

use super::{Refactor, RefactorError};
use crate::exec::SearchError;

/// Each question before an injection may take this long.
const INJECTION_LIMIT: Duration = Duration::from_secs(2);

/// Writing the entry may take this long: it must not come true in the middle of a takeover that begins meanwhile.
const WRITE_LIMIT: Duration = Duration::from_millis(500);

impl From<SearchError> for RefactorError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Pattern(error) => Self::Refused(Refusal::new("pseudo-gtid-not-set-up", error.to_string())),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl Refactor {
    /// The last pseudo-GTID entry of a server, in its binary logs, else in its relay logs. Unless `exhaustive` only the newest log of
    /// each is looked through (`spec/refactoring.md` 9.1).
    ///
    /// # Errors
    /// [`RefactorError`]; `pseudo-gtid-not-set-up` without a pattern.
    pub async fn last_pseudo_gtid(&self, key: &InstanceKey, exhaustive: bool) -> Result<Entry, RefactorError> {
        let (settings, limit) = self.search_settings()?;
        let server = self.looked_at(key).await?;
        let only_relay_logs = self.parts.config.switches().skip_binlog_search;
        Ok(self.parts.exec.last_entry(&server, &settings, (exhaustive, only_relay_logs), limit).await?)
    }

    /// Where the entry of exactly this text begins in the binary logs of a server.
    ///
    /// # Errors
    /// [`RefactorError`]
    pub async fn find_binlog_entry(&self, key: &InstanceKey, text: &str) -> Result<BinlogCoordinates, RefactorError> {
        let (settings, limit) = self.search_settings()?;
        let server = self.looked_at(key).await?;
        Ok(self.parts.exec.find_entry(&server, text, &settings, limit).await?)
    }

    /// The place in the binary logs of `other` that is the place `at` in those of `key`; the end of its log when none is given.
    ///
    /// # Errors
    /// [`RefactorError`]
    pub async fn correlate_binlog(
        &self,
        key: &InstanceKey,
        other: &InstanceKey,
        at: Option<BinlogCoordinates>,
    ) -> Result<BinlogCoordinates, RefactorError> {
        let (settings, limit) = self.search_settings()?;
        let (own, other) = (self.looked_at(key).await?, self.looked_at(other).await?);
        if !own.log_bin || own.binlog.is_empty() {
            let message = format!("{key} has no binary log, so there is no place to correlate");
            return Err(RefactorError::Refused(Refusal::new("no-binary-log", message)));
        }
        let until = at.unwrap_or_else(|| own.binlog.clone());
        let request = Request {
            replica: own.key.clone(),
            source: other.key.clone(),
            origins: vec![Origin::Binary { until, hint: None }],
            source_hint: None,
        };
        Ok(self.parts.exec.correlate(request, settings, (&own, &other), limit).await?.at)
    }

    /// The last event of its relay logs that a replica has executed.
    ///
    /// # Errors
    /// [`RefactorError`]
    pub async fn last_executed_relay(&self, key: &InstanceKey) -> Result<RelayEvent, RefactorError> {
        let (chunk, limit) = self.reading();
        let server = a_replica(self.looked_at(key).await?)?;
        Ok(self.parts.exec.relay_event(&server, None, chunk, limit).await?)
    }

    /// The event of a replica's relay logs that begins at `at` (the last one executed when none is given), and where it is in the relay
    /// logs of a sibling.
    ///
    /// # Errors
    /// [`RefactorError`]; `not-siblings` when the two do not replicate from one source.
    pub async fn correlate_relay(
        &self,
        key: &InstanceKey,
        sibling: &InstanceKey,
        at: Option<BinlogCoordinates>,
    ) -> Result<(RelayEvent, RelayMatch), RefactorError> {
        let (chunk, limit) = self.reading();
        let (own, other) = (a_replica(self.looked_at(key).await?)?, a_replica(self.looked_at(sibling).await?)?);
        if key == sibling || own.replication.source != other.replication.source {
            let message = format!("{key} and {sibling} do not replicate from one source");
            return Err(RefactorError::Refused(Refusal::new("not-siblings", message)));
        }
        Ok(self.parts.exec.correlate_relay((&own, &other), at.as_ref(), chunk, limit).await?)
    }

    /// How logs are read: so many events at a time, and for how long.
    fn reading(&self) -> (u32, Duration) {
        let config = self.parts.config.current();
        let limit = Duration::from_secs(config.extensions.pseudo_gtid_match_seconds.max(1));
        (crate::settings::events_at_a_time(&config), limit)
    }

    fn search_settings(&self) -> Result<(Settings, Duration), RefactorError> {
        let config = self.parts.config.current();
        let settings = crate::settings::pseudo_gtid(&config).map_err(SearchError::from)?;
        Ok((settings, Duration::from_secs(config.extensions.pseudo_gtid_match_seconds.max(1))))
    }

    async fn looked_at(&self, key: &InstanceKey) -> Result<Instance, RefactorError> {
        if self.parts.fleet.get(key).is_none() {
            return Err(RefactorError::Unknown(key.clone()));
        }
        self.parts.exec.refresh(key).await.map_err(|error| RefactorError::Failed(format!("{key}: {error}")))
    }

    /// The account that watches servers may inject entries on this one (`spec/discovery.md` 14).
    ///
    /// # Errors
    /// [`RefactorError::Failed`] when the server cannot be asked.
    pub async fn may_inject(&self, key: &InstanceKey) -> Result<bool, RefactorError> {
        let rows = self.parts.exec.ask(key, "SHOW GRANTS", INJECTION_LIMIT).await;
        let rows = rows.map_err(|error| RefactorError::Failed(format!("{key}: {error}")))?;
        Ok(engine::pseudo_gtid::may_inject(rows.iter().filter_map(|row| row.scalar())))
    }

    /// Writes an entry on a server that takes writes now and that no operation or recovery has in its hands.
    ///
    /// # Errors
    /// [`RefactorError::Failed`] with what keeps it from it.
    pub async fn inject(&self, key: &InstanceKey, statement: &str) -> Result<(), RefactorError> {
        let failed = |error: &dyn std::fmt::Display| RefactorError::Failed(format!("{key}: {error}"));
        let question = "SELECT @@GLOBAL.read_only";
        let rows = self.parts.exec.ask(key, question, INJECTION_LIMIT).await.map_err(|error| failed(&error))?;
        if rows.first().and_then(|row| row.scalar()).is_none_or(engine::interpret::is_on) {
            return Err(failed(&"it is read-only by now"));
        }
        if let Some(holder) = self.parts.locks.list().get(&key.to_string()) {
            return Err(failed(&format!("not now: {}", holder.operation)));
        }
        let statements = [statement.to_owned()];
        let done = self.parts.exec.act(key, &Action::InjectEntry, &statements, WRITE_LIMIT).await;
        done.map_err(|error| failed(&error))
    }
}

fn a_replica(server: Instance) -> Result<Instance, RefactorError> {
    if server.is_replica() {
        return Ok(server);
    }
    let message = format!("{} does not replicate from anything", server.key);
    Err(RefactorError::Refused(Refusal::new("not-a-replica", message)))
}
