//! Finding places by pseudo-GTID: the engine asks, servers are read, one chunk of a log at a time (`engine::pseudo_gtid`).

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use app::topology::Instance;
use app::{BinlogCoordinates, InstanceKey};
use engine::interpret::Record;
use engine::pseudo_gtid::{
    Answer, Correlation, Entry, Event, FindEntry, LastEntry, Match, MatchError, OwnRelayEvent, PatternError, Question,
    RelayEvent, RelayMatch, Request, SameRelayEvent, Side,
};

use super::hands::{HandError, Hands};
use super::run::Exec;
use super::server_hands::ServerHands;
use crate::settings;

/// One chunk of a log may take this long.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// Our own answer comes this much before the executor's, so that it tells how far the search was.
const ANSWER_MARGIN: Duration = Duration::from_millis(200);

/// Shortest pause before a source is searched again that was not far enough.
const PAUSE: Duration = Duration::from_millis(200);

/// A search that goes on for this long tells how far it is, and again after each such time.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// No such log, or no event begins at that place.
const ER_ERROR_WHEN_EXECUTING_COMMAND: u16 = 1220;

/// The server writes no binary log.
const ER_NO_BINARY_LOGGING: u16 = 1381;

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// No pattern is configured, or none that can be read.
    #[error("{0}")]
    Pattern(#[from] PatternError),
    /// The logs do not tell.
    #[error("{0}")]
    Match(#[from] MatchError),
    /// A server could not be read.
    #[error("{key}: {error}")]
    Unreadable {
        /// The server.
        key: InstanceKey,
        /// What it said.
        error: HandError,
    },
    /// It took too long.
    #[error("not found within {} s: {told}", .after.as_secs())]
    TimedOut {
        /// The bound.
        after: Duration,
        /// How far it was.
        told: String,
    },
}

/// A place found for a replica, good while that stands still.
#[derive(Debug, Clone)]
pub struct Matched {
    /// In whose log.
    peer: InstanceKey,
    /// The place.
    at: BinlogCoordinates,
    /// Where the replica had executed.
    exec: BinlogCoordinates,
    /// Where its own log ended.
    binlog: BinlogCoordinates,
}

/// Who is asked: the server, and what its statements depend on.
#[derive(Debug, Clone)]
struct Asked {
    key: InstanceKey,
    channel: String,
    mariadb: bool,
}

impl Asked {
    fn of(server: &Instance) -> Self {
        Self { key: server.key.clone(), channel: server.replication.channel.clone(), mariadb: server.is_mariadb() }
    }
}

/// Asks servers what the engine wants to know, within one bound for the whole.
struct Search<'a> {
    hands: &'a dyn Hands,
    replica: Asked,
    source: Asked,
    began: Instant,
    limit: Duration,
    told_at: Instant,
    /// It is a step of a plan, of which is told how far it has come.
    noted: bool,
}

impl<'a> Search<'a> {
    fn new(hands: &'a dyn Hands, replica: Asked, source: Asked, limit: Duration) -> Self {
        let now = Instant::now();
        Self { hands, replica, source, began: now, limit, told_at: now, noted: false }
    }

    /// Notes on the way how far it is.
    fn noted(self) -> Self {
        Self { noted: true, ..self }
    }

    async fn answer(&mut self, question: &Question, told: impl Fn() -> String) -> Result<Answer, SearchError> {
        let left = self.limit.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(SearchError::TimedOut { after: self.limit, told: told() });
        }
        if self.told_at.elapsed() >= TELL_AFTER {
            self.told_at = Instant::now();
            tracing::info!(instance = %self.replica.key, "still at it: {}", told());
        }
        if self.noted {
            self.hands.note(&self.replica.key, told());
        }
        let asked = if question.side() == Side::Replica { &self.replica } else { &self.source };
        let statement = question.statement(&asked.channel, asked.mariadb);
        match self.hands.ask(&asked.key, &statement, left.min(QUESTION_LIMIT)).await {
            Ok(rows) => Ok(read(question, &rows)),
            Err(error) if error.number() == Some(ER_ERROR_WHEN_EXECUTING_COMMAND) => Ok(Answer::NoSuchPlace),
            Err(error) if error.number() == Some(ER_NO_BINARY_LOGGING) => Ok(Answer::Logs(vec![])),
            Err(HandError::Timeout { .. }) if left <= QUESTION_LIMIT => {
                Err(SearchError::TimedOut { after: self.limit, told: told() })
            }
            Err(error) => Err(SearchError::Unreadable { key: asked.key.clone(), error }),
        }
    }

    async fn logs(&mut self, side: Side) -> Result<Vec<String>, SearchError> {
        match self.answer(&Question::Logs { side }, || "asking for the names of binary logs".to_owned()).await? {
            Answer::Logs(logs) => Ok(logs),
            Answer::Events(_) | Answer::NoSuchPlace => Ok(vec![]),
        }
    }
}

fn read(question: &Question, rows: &[Record]) -> Answer {
    match question {
        Question::Logs { .. } => {
            Answer::Logs(rows.iter().filter_map(|row| row.get("Log_name")).map(str::to_owned).collect())
        }
        Question::Events { .. } => Answer::Events(rows.iter().filter_map(Event::from_record).collect()),
    }
}

/// Finds where the replica of the request goes on in the log of its source.
async fn correlate(
    mut search: Search<'_>,
    request: Request,
    settings: engine::pseudo_gtid::Settings,
) -> Result<Match, SearchError> {
    let mut machine = Correlation::new(request, settings)?;
    loop {
        let question = machine.question()?;
        let answer = search.answer(&question, || machine.told()).await?;
        if let Some(found) = machine.advance(answer)? {
            return Ok(found);
        }
    }
}

impl ServerHands {
    /// Finds where a replica, which stands still, goes on in the log of `peer`, and remembers it. A peer that replicates and is not far
    /// enough yet is waited for.
    pub(super) async fn find_place(
        &self,
        key: &InstanceKey,
        peer: &InstanceKey,
        limit: Duration,
    ) -> Result<(), HandError> {
        let deadline = Instant::now() + limit.saturating_sub(ANSWER_MARGIN);
        let failed = |error: SearchError| HandError::Condition { what: error.to_string() };
        let settings = settings::pseudo_gtid(&self.config.current()).map_err(|error| failed(error.into()))?;
        let own = self.refresh(key).await?;
        if own.is_replica() && !own.replication.threads_stopped() {
            return Err(HandError::Condition { what: format!("{key} still replicates, so its place is not certain") });
        }
        loop {
            let other = self.refresh(peer).await?;
            let only_relay_logs = self.config.switches().skip_binlog_search;
            let mut request = Request::for_move(&own, peer, &other.binlog_format, only_relay_logs);
            request.hint(self.fleet.recent_binlog(key), self.fleet.recent_binlog(peer));
            let began = Instant::now();
            let left = deadline.saturating_duration_since(began);
            // A source that has to catch up has its logs read half of the time at most.
            let pause = || began.elapsed().max(PAUSE);
            let search = Search::new(self, Asked::of(&own), Asked::of(&other), left).noted();
            match correlate(search, request, settings.clone()).await {
                Ok(found) => {
                    tracing::info!(instance = %key, source = %peer, at = %found.at, entry = %found.entry.text,
                        compared = found.compared, "place found by pseudo-GTID");
                    let matched = Matched {
                        peer: peer.clone(),
                        at: found.at,
                        exec: own.replication.exec.clone(),
                        binlog: own.binlog.clone(),
                    };
                    self.matched.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), matched);
                    return Ok(());
                }
                Err(SearchError::Match(error @ (MatchError::Ahead { .. } | MatchError::NotFound { .. })))
                    if other.replication.is_running() && Instant::now() + pause() < deadline =>
                {
                    tracing::debug!(instance = %key, "{error}: waiting for it");
                    self.note(key, format!("waiting for {peer}: {error}"));
                    tokio::time::sleep(pause()).await;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// The place that was found for a replica, which has stood still since.
    pub(super) async fn matched_place(
        &self,
        replica: &Instance,
        to: &InstanceKey,
    ) -> Result<BinlogCoordinates, HandError> {
        let key = &replica.key;
        let found = self.matched.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        let Some(found) = found.filter(|found| found.peer == *to) else {
            return Err(HandError::Condition {
                what: format!("the place of {key} in the log of {to} was not looked for"),
            });
        };
        let fresh = self.refresh(key).await?;
        if fresh.replication.exec != found.exec || fresh.binlog != found.binlog {
            let what = format!("{key} has moved on since its place in the log of {to} was found");
            return Err(HandError::Condition { what });
        }
        Ok(found.at)
    }
}

impl Exec {
    /// The last pseudo-GTID entry of a server, in its binary logs, else in its relay logs; in the newest log of each only unless
    /// `exhaustive`.
    ///
    /// # Errors
    /// [`SearchError`]
    pub async fn last_entry(
        &self,
        server: &Instance,
        settings: &engine::pseudo_gtid::Settings,
        (exhaustive, only_relay_logs): (bool, bool),
        limit: Duration,
    ) -> Result<Entry, SearchError> {
        let asked = Asked::of(server);
        let mut search = Search::new(self.hands.as_ref(), asked.clone(), asked, limit);
        let (key, side) = (&server.key, Side::Replica);
        let mut miss = None;
        if server.log_bin && !server.binlog.is_empty() && !only_relay_logs {
            let logs = search.logs(side).await?;
            let begun = LastEntry::in_binary_logs(key, side, &logs, &server.binlog, None, settings)?;
            match last_of(&mut search, begun, exhaustive).await {
                Err(SearchError::Match(error @ MatchError::NoEntry { .. })) => miss = Some(error),
                ended => return ended,
            }
        }
        let applied = &server.replication.relay;
        if !applied.is_empty() {
            let begun = LastEntry::in_relay_logs(key, side, applied, settings);
            match last_of(&mut search, begun, exhaustive).await {
                Err(SearchError::Match(error @ MatchError::NoEntry { .. })) => miss = miss.or(Some(error)),
                ended => return ended,
            }
        }
        let none = || MatchError::NoLogs { key: key.clone(), what: "binary or relay logs" };
        Err(miss.unwrap_or_else(none).into())
    }

    /// Where the entry of this text begins in the binary logs of a server.
    ///
    /// # Errors
    /// [`SearchError`]
    pub async fn find_entry(
        &self,
        server: &Instance,
        text: &str,
        settings: &engine::pseudo_gtid::Settings,
        limit: Duration,
    ) -> Result<BinlogCoordinates, SearchError> {
        let asked = Asked::of(server);
        let mut search = Search::new(self.hands.as_ref(), asked.clone(), asked, limit);
        let logs = search.logs(Side::Source).await?;
        let mut begun = FindEntry::new(&server.key, Side::Source, text, &logs, None, settings)?;
        loop {
            let answer = search.answer(&begun.question(), || format!("looking for {text:?}")).await?;
            if let Some(at) = begun.take(answer)? {
                return Ok(at);
            }
        }
    }

    /// Where a server goes on in the log of another one.
    ///
    /// # Errors
    /// [`SearchError`]
    pub async fn correlate(
        &self,
        request: Request,
        settings: engine::pseudo_gtid::Settings,
        (replica, source): (&Instance, &Instance),
        limit: Duration,
    ) -> Result<Match, SearchError> {
        let search = Search::new(self.hands.as_ref(), Asked::of(replica), Asked::of(source), limit);
        correlate(search, request, settings).await
    }
}

impl Exec {
    /// The event of a server's relay logs that begins at `at`; without it the last one that it executed. Logs are read so many events at
    /// a time.
    ///
    /// # Errors
    /// [`SearchError`]
    pub async fn relay_event(
        &self,
        server: &Instance,
        at: Option<&BinlogCoordinates>,
        chunk: u32,
        limit: Duration,
    ) -> Result<RelayEvent, SearchError> {
        let asked = Asked::of(server);
        let mut search = Search::new(self.hands.as_ref(), asked.clone(), asked, limit);
        own_relay_event(&mut search, server, at, chunk).await
    }

    /// The same, and where that event is in the relay logs of a sibling.
    ///
    /// # Errors
    /// [`SearchError`]
    pub async fn correlate_relay(
        &self,
        (own, sibling): (&Instance, &Instance),
        at: Option<&BinlogCoordinates>,
        chunk: u32,
        limit: Duration,
    ) -> Result<(RelayEvent, RelayMatch), SearchError> {
        let mut search = Search::new(self.hands.as_ref(), Asked::of(own), Asked::of(sibling), limit);
        let event = own_relay_event(&mut search, own, at, chunk).await?;
        let applied = relay_place(sibling)?;
        let mut begun = SameRelayEvent::new(&sibling.key, Side::Source, event.clone(), applied, chunk);
        loop {
            let told = || format!("looking for {} in the relay logs of {}", event.event, sibling.key);
            let answer = search.answer(&begun.question(), told).await?;
            if let Some(found) = begun.take(answer)? {
                return Ok((event, found));
            }
        }
    }
}

async fn own_relay_event(
    search: &mut Search<'_>,
    server: &Instance,
    at: Option<&BinlogCoordinates>,
    chunk: u32,
) -> Result<RelayEvent, SearchError> {
    let mut begun = match at {
        Some(at) => OwnRelayEvent::at(&server.key, Side::Replica, at, chunk),
        None => OwnRelayEvent::last_before(&server.key, Side::Replica, relay_place(server)?, chunk),
    };
    loop {
        let told = || format!("looking through the relay logs of {}", server.key);
        let answer = search.answer(&begun.question(), told).await?;
        if let Some(event) = begun.take(answer)? {
            return Ok(event);
        }
    }
}

/// Up to where a server has applied its relay logs.
fn relay_place(server: &Instance) -> Result<&BinlogCoordinates, MatchError> {
    let applied = &server.replication.relay;
    let none = || MatchError::NoLogs { key: server.key.clone(), what: "relay logs" };
    (!applied.is_empty()).then_some(applied).ok_or_else(none)
}

async fn last_of(search: &mut Search<'_>, begun: LastEntry, exhaustive: bool) -> Result<Entry, SearchError> {
    let mut begun = if exhaustive { begun } else { begun.newest_only() };
    loop {
        let told = || "looking for the last pseudo-GTID entry".to_owned();
        let answer = search.answer(&begun.question(), told).await?;
        if let Some(entry) = begun.take(answer)? {
            return Ok(entry);
        }
    }
}
