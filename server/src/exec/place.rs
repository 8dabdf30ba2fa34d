//! What is known of a step only when it is carried out: positions that other servers stand at, the transaction that fails, the history
//! to be kept.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use app::gtid::GtidSet;
use app::plan::{Place, Positioning};
use app::topology::{Equivalence, Instance, LogPlace};
use app::{BinlogCoordinates, InstanceKey};
use engine::interpret::Record;
use engine::statements::{self, Dialect, PLACE};

use super::hands::{HandError, Hands as _};
use super::server_hands::ServerHands;

/// Pause between looks at a server that is on its way to a position.
const PAUSE: Duration = Duration::from_millis(20);

/// So many moves of one server can be undone.
const PLACES_KEPT: usize = 4;

/// A history that was thrown away is written anew this often before we give up: without it the server is of no use.
const HISTORY_ATTEMPTS: u32 = 5;

/// Where a server shall replicate to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal<'a> {
    /// The server whose position it is.
    pub peer: &'a InstanceKey,
    /// Which one.
    pub place: Place,
    /// Past it is a failure.
    pub exactly: bool,
}

/// A replica was repointed.
#[derive(Debug)]
pub(super) struct Repointed {
    /// Where it had executed its former source's log.
    before: BinlogCoordinates,
    /// The place in the new source's log that it was given; `None` where it found that by GTID.
    given: Option<BinlogCoordinates>,
}

impl ServerHands {
    /// A position of a server, read now.
    async fn place_of(&self, peer: &InstanceKey, place: Place) -> Result<BinlogCoordinates, HandError> {
        let fresh = self.refresh(peer).await?;
        let at = match place {
            Place::Own => fresh.binlog,
            Place::Executed => fresh.replication.exec,
        };
        if at.is_empty() {
            return Err(HandError::Condition { what: format!("{peer} does not tell {place}") });
        }
        Ok(at)
    }

    /// Fills in the position that a repointed channel goes on from, and remembers where it has been until now. Gives the two places that
    /// are thereby known to be the same moment.
    pub(super) async fn fill_places(
        &self,
        replica: &Instance,
        to: &InstanceKey,
        positioning: &Positioning,
        statements: &mut [String],
    ) -> Result<Option<Equivalence>, HandError> {
        let at = match positioning {
            Positioning::At { peer, place } => Some(self.place_of(peer, *place).await?),
            Positioning::AsBefore => Some(self.place_before(replica).await?),
            _ => None,
        };
        if let Some(at) = &at {
            let words = Dialect::of(replica).words;
            for statement in statements.iter_mut().filter(|s| s.contains(PLACE)) {
                *statement = statements::fill_place(statement, words, at);
            }
        }
        if *positioning == Positioning::AsBefore {
            return Ok(None);
        }
        if !replica.replication.exec.is_empty() {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let before = places.entry(replica.key.clone()).or_default();
            // No plan moves a server more often than this.
            let surplus = (before.len() + 1).saturating_sub(PLACES_KEPT);
            before.drain(..surplus);
            let given = match positioning {
                Positioning::Coordinates { at } => Some(at.clone()),
                _ => at.clone(),
            };
            before.push(Repointed { before: replica.replication.exec.clone(), given });
        }
        Ok(self.same_moment(replica, to, positioning, at))
    }

    /// Where a replica had executed before it was repointed last; each move is undone once, the last one first. One that has gone on from
    /// the place it was given stays: from the place before, it would execute the same once more.
    async fn place_before(&self, replica: &Instance) -> Result<BinlogCoordinates, HandError> {
        let key = &replica.key;
        let remembered = self.places.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).and_then(Vec::pop);
        let unknown = || format!("it is not known where {key} has been before it was repointed");
        let Repointed { before, given } = remembered.ok_or_else(|| HandError::Condition { what: unknown() })?;
        let stands = self.refresh(key).await?.replication;
        match given {
            Some(given) if stands.exec != given => {
                let what = format!("{key} has gone on from {given} to {} below {}", stands.exec, stands.source);
                Err(HandError::Condition { what })
            }
            _ => Ok(before),
        }
    }

    /// What a move by file and position tells (`spec/refactoring.md` 5 step 7). Coordinates that were merely kept are the same moment
    /// only where a binlog server passes the log on; between others that is somebody's claim.
    fn same_moment(
        &self,
        replica: &Instance,
        to: &InstanceKey,
        positioning: &Positioning,
        at: Option<BinlogCoordinates>,
    ) -> Option<Equivalence> {
        let channel = &replica.replication;
        let at = match positioning {
            Positioning::Coordinates { at } => at.clone(),
            Positioning::At { peer, .. } if *peer == replica.key => {
                let relays = |key: &InstanceKey| self.known(key).is_ok_and(|server| server.is_binlog_server());
                at.filter(|_| relays(to) || relays(&channel.source))?
            }
            _ => at?,
        };
        if channel.source == *to || !channel.source.is_valid() || channel.exec.is_empty() {
            return None;
        }
        let one = LogPlace { source: channel.source.clone(), at: channel.exec.clone() };
        Some(Equivalence { one, other: LogPlace { source: to.clone(), at } })
    }

    /// Replicates until a position is executed, then stops.
    pub(super) async fn start_until(
        &self,
        key: &InstanceKey,
        goal: Goal<'_>,
        planned: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        let deadline = Instant::now() + limit;
        let target = self.place_of(goal.peer, goal.place).await?;
        let own = self.refresh(key).await?;
        if own.replication.exec < target {
            let words = Dialect::of(&own).words;
            let mut filled = planned.iter().map(|s| statements::fill_place(s, words, &target));
            let start: Vec<String> = filled.next().into_iter().collect();
            let stop: Vec<String> = filled.collect();
            self.control.execute(key, &start, limit).await?;
            let reached = self.await_place(key, &target, deadline).await;
            // Stopped in any case: what comes next expects it.
            self.control.execute(key, &stop, limit).await?;
            reached?;
        }
        let own = self.refresh(key).await?;
        if goal.exactly && own.replication.exec != target {
            let what = format!("{key} has executed {}, expected exactly {target}", own.replication.exec);
            return Err(HandError::Condition { what });
        }
        Ok(())
    }

    async fn await_place(
        &self,
        key: &InstanceKey,
        target: &BinlogCoordinates,
        deadline: Instant,
    ) -> Result<(), HandError> {
        loop {
            let fresh = self.refresh(key).await?;
            let channel = &fresh.replication;
            if channel.exec >= *target {
                return Ok(());
            }
            if channel.applier_errno != 0 {
                let what = format!("{key}: the applier stopped at {}: {}", channel.exec, channel.applier_error);
                return Err(HandError::Condition { what });
            }
            // Our own answer comes before the executor's, so that the server is stopped.
            if Instant::now() + 2 * PAUSE >= deadline {
                let what = format!("{key} has executed only {} of {target} in time", channel.exec);
                return Err(HandError::Condition { what });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The transaction on which the applier stopped.
    pub(super) async fn failing_gtid(&self, replica: &Instance, limit: Duration) -> Result<String, HandError> {
        let question = statements::failing_gtid_query(&replica.replication.channel);
        let rows = self.control.query(&replica.key, &question, limit).await?;
        match rows.first().and_then(Record::scalar) {
            Some(gtid) if GtidSet::parse(gtid).is_ok_and(|set| set.count() == 1) => Ok(gtid.to_owned()),
            found => {
                let what = format!("{} does not tell which transaction fails: got {found:?}", replica.key);
                Err(HandError::Condition { what })
            }
        }
    }

    /// Servers keep a log that somebody still reads or needs for recovery, and call that a success.
    pub(super) async fn none_before(&self, key: &InstanceKey, kept: &str, limit: Duration) -> Result<(), HandError> {
        let rows = self.control.query(key, "SHOW BINARY LOGS", limit).await?;
        let first = rows.first().and_then(|row| row.get("Log_name")).unwrap_or_default();
        let (first, kept) = (BinlogCoordinates::binary(first, 0), BinlogCoordinates::binary(kept, 0));
        if first < kept {
            let what = format!("{key} kept {}, which is still in use there; try again later", first.file);
            return Err(HandError::Condition { what });
        }
        Ok(())
    }

    /// Throws a server's binary logs away and gives it the history it had, without some transactions.
    pub(super) async fn reset_binary_logs(
        &self,
        key: &InstanceKey,
        without: &str,
        planned: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        let fresh = self.refresh(key).await?;
        if fresh.is_replica() && !fresh.replication.threads_stopped() {
            return Err(HandError::Condition { what: format!("{key} still replicates") });
        }
        let unreadable = |error: app::gtid::GtidError| HandError::Condition { what: format!("{key}: {error}") };
        let executed = GtidSet::parse(&fresh.executed_gtid).map_err(unreadable)?;
        let history = executed.subtract(&GtidSet::parse(without).map_err(unreadable)?).to_string();
        let statements: Vec<String> = planned.iter().map(|s| statements::fill_history(s, &history)).collect();
        let (reset, rest) = statements.split_at(statements.len().min(1));
        self.control.execute(key, reset, limit).await?;
        if history.is_empty() {
            return Ok(());
        }
        let mut last = String::new();
        for _ in 0..HISTORY_ATTEMPTS {
            match self.control.execute(key, rest, limit).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(PAUSE * 10).await;
        }
        let what = format!("{key} has lost its GTID history: {last}. By hand: {}", rest.join("; "));
        tracing::error!(instance = %key, "{what}");
        Err(HandError::Condition { what })
    }
}
