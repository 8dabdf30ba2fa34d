//! The whole of a match: last entry of the replica, the same one on the other server, the walk.

use std::collections::VecDeque;

use app::coordinates::LogType;
use app::topology::Instance;
use app::{BinlogCoordinates, InstanceKey};

use super::cursor::{Answer, Cursor, Question, Scan, Side};
use super::search::{Entry, FindEntry, LastEntry};
use super::walk::Walk;
use super::{MatchError, Settings};

/// What is looked for: where `replica` goes on in the log of `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The server that moves. It stands still.
    pub replica: InstanceKey,
    /// Its new source.
    pub source: InstanceKey,
    /// The logs of the replica that are looked through, in this order.
    pub origins: Vec<Origin>,
    /// A place in the newest log of the source, not long ago, where an event began.
    pub source_hint: Option<BinlogCoordinates>,
}

/// Logs of the replica that tell what it has executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Its binary logs, up to here.
    Binary {
        /// The end.
        until: BinlogCoordinates,
        /// A place in the same log, not long ago, where an event began.
        hint: Option<BinlogCoordinates>,
    },
    /// Its relay logs, up to here.
    Relay {
        /// Up to where they are applied.
        applied: BinlogCoordinates,
    },
}

impl Request {
    /// For a replica that stands still, as just read. Its own binary log comes first, where it has all that the replica executed and
    /// is written as the new source writes its own; then its relay log.
    pub fn for_move(replica: &Instance, source: &InstanceKey, source_format: &str, only_relay_logs: bool) -> Self {
        let mut origins = vec![];
        let logs_all = replica.log_bin && replica.log_replica_updates && !replica.binlog.is_empty();
        if logs_all && replica.binlog_format == source_format && !only_relay_logs {
            origins.push(Origin::Binary { until: replica.binlog.clone(), hint: None });
        }
        if !replica.replication.relay.is_empty() {
            origins.push(Origin::Relay { applied: replica.replication.relay.clone() });
        }
        Self { replica: replica.key.clone(), source: source.clone(), origins, source_hint: None }
    }
}

impl Request {
    /// Places where events began not long ago: reading begins there.
    pub fn hint(&mut self, replica: Option<BinlogCoordinates>, source: Option<BinlogCoordinates>) {
        for origin in &mut self.origins {
            if let Origin::Binary { hint, .. } = origin {
                hint.clone_from(&replica);
            }
        }
        self.source_hint = source;
    }
}

/// Where the replica goes on, and what that rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// In the binary log of the new source.
    pub at: BinlogCoordinates,
    /// The entry that both have.
    pub entry: Entry,
    /// Events that were compared, the entry included.
    pub compared: u64,
}

#[derive(Debug)]
enum Phase {
    OwnLogs,
    Last(LastEntry),
    SourceLogs,
    Find(FindEntry),
    Walk(Box<Walk>),
}

/// The machine: answers in, questions out.
#[derive(Debug)]
pub struct Correlation {
    request: Request,
    settings: Settings,
    /// Origins not tried yet, the next one last.
    origins: Vec<Origin>,
    phase: Phase,
    /// Why the origins before this one had no entry.
    misses: Vec<MatchError>,
    until: BinlogCoordinates,
    own_logs: Vec<String>,
    source_logs: Vec<String>,
    entry: Option<Entry>,
}

impl Correlation {
    /// Begins.
    ///
    /// # Errors
    /// [`MatchError::NoLogs`]
    pub fn new(request: Request, settings: Settings) -> Result<Self, MatchError> {
        let origins: Vec<Origin> = request.origins.iter().rev().cloned().collect();
        let mut machine = Self {
            request,
            settings,
            origins,
            phase: Phase::OwnLogs,
            misses: vec![],
            until: BinlogCoordinates::default(),
            own_logs: vec![],
            source_logs: vec![],
            entry: None,
        };
        machine.begin_origin()?;
        Ok(machine)
    }

    /// What is to be asked next.
    ///
    /// # Errors
    /// [`MatchError::EndNotReached`] when there is nothing to be asked any more, which is a defect.
    pub fn question(&self) -> Result<Question, MatchError> {
        match &self.phase {
            Phase::OwnLogs => Ok(Question::Logs { side: Side::Replica }),
            Phase::Last(search) => Ok(search.question()),
            Phase::SourceLogs => Ok(Question::Logs { side: Side::Source }),
            Phase::Find(search) => Ok(search.question()),
            Phase::Walk(walk) => walk.question().ok_or_else(|| MatchError::EndNotReached {
                key: self.request.replica.clone(),
                until: self.until.clone(),
                found: "there was nothing left to read".to_owned(),
            }),
        }
    }

    /// Takes the answer to [`Self::question`].
    ///
    /// # Errors
    /// Why there is no match.
    pub fn advance(&mut self, answer: Answer) -> Result<Option<Match>, MatchError> {
        match (&mut self.phase, answer) {
            (Phase::OwnLogs, Answer::Logs(logs)) => {
                self.own_logs = logs;
                match self.search_own_logs() {
                    Ok(search) => self.phase = Phase::Last(search),
                    Err(error) => self.next_origin(error)?,
                }
            }
            (Phase::Last(search), answer) => match search.take(answer) {
                Ok(None) => {}
                Ok(Some(entry)) => {
                    if entry.at.kind == LogType::Relay {
                        self.own_logs = search.looked().iter().rev().cloned().collect();
                    }
                    self.entry = Some(entry);
                    self.phase = Phase::SourceLogs;
                }
                Err(error) => self.next_origin(error)?,
            },
            (Phase::SourceLogs, Answer::Logs(logs)) => {
                self.source_logs = logs;
                let text = self.entry.as_ref().map(|entry| entry.text.clone()).unwrap_or_default();
                let hint = self.request.source_hint.as_ref();
                let (key, logs) = (&self.request.source, &self.source_logs);
                self.phase = Phase::Find(FindEntry::new(key, Side::Source, &text, logs, hint, &self.settings)?);
            }
            (Phase::Find(search), answer) => {
                if let Some(at) = search.take(answer)? {
                    self.begin_walk(&at);
                }
            }
            (Phase::Walk(walk), answer) => {
                let Some(side) = walk.question().map(|question| question.side()) else { return Ok(None) };
                let walked = walk.take(side, answer)?;
                return Ok(walked.and_then(|walked| {
                    let entry = self.entry.clone()?;
                    Some(Match { at: walked.next, entry, compared: walked.compared })
                }));
            }
            (Phase::OwnLogs, _) => self.next_origin(self.no_logs(Side::Replica))?,
            (Phase::SourceLogs, _) => return Err(self.no_logs(Side::Source)),
        }
        Ok(None)
    }

    /// How far it is, for people.
    pub fn told(&self) -> String {
        let Request { replica, source, .. } = &self.request;
        match (&self.phase, &self.entry) {
            (Phase::Walk(walk), _) => walk.told(),
            (Phase::Find(_) | Phase::SourceLogs, Some(entry)) => format!("looking for {:?} on {source}", entry.text),
            _ => format!("looking for the last pseudo-GTID entry of {replica}"),
        }
    }

    fn no_logs(&self, side: Side) -> MatchError {
        let key = if side == Side::Replica { &self.request.replica } else { &self.request.source };
        MatchError::NoLogs { key: key.clone(), what: "binary logs" }
    }

    fn search_own_logs(&self) -> Result<LastEntry, MatchError> {
        let hint = match self.origins.last() {
            Some(Origin::Binary { hint, .. }) => hint.as_ref(),
            _ => None,
        };
        let key = &self.request.replica;
        LastEntry::in_binary_logs(key, Side::Replica, &self.own_logs, &self.until, hint, &self.settings)
    }

    fn begin_origin(&mut self) -> Result<(), MatchError> {
        match self.origins.last() {
            Some(Origin::Binary { until, .. }) => {
                self.until = until.clone();
                self.phase = Phase::OwnLogs;
                Ok(())
            }
            Some(Origin::Relay { applied }) => {
                self.until = applied.clone();
                let key = &self.request.replica;
                self.phase = Phase::Last(LastEntry::in_relay_logs(key, Side::Replica, applied, &self.settings));
                Ok(())
            }
            None => Err(MatchError::NoLogs { key: self.request.replica.clone(), what: "binary or relay logs" }),
        }
    }

    /// Another kind of log may have an entry where this one has none. An entry that is ambiguous stays so.
    fn next_origin(&mut self, error: MatchError) -> Result<(), MatchError> {
        self.origins.pop();
        let final_word = matches!(error, MatchError::Ambiguous { .. });
        if self.origins.is_empty() || final_word {
            // What was wrong with the kind of log that comes first says most.
            return Err(self.misses.drain(..).next().unwrap_or(error));
        }
        self.misses.push(error);
        self.begin_origin()
    }

    fn begin_walk(&mut self, found: &BinlogCoordinates) {
        let Some(entry) = self.entry.clone() else { return };
        let chunk = self.settings.chunk;
        let cursor = |side, at: &BinlogCoordinates, logs: &[String], until| {
            let from = u64::try_from(at.position).unwrap_or_default();
            let ahead: VecDeque<String> = logs.iter().skip_while(|file| **file != at.file).skip(1).cloned().collect();
            Cursor::new(Scan::from(side, at.kind, &at.file, from, chunk), ahead, until)
        };
        let own = cursor(Side::Replica, &entry.at, &self.own_logs, Some(self.until.clone()));
        let other = cursor(Side::Source, found, &self.source_logs, None);
        let (replica, source) = (&self.request.replica, &self.request.source);
        self.phase = Phase::Walk(Box::new(Walk::new((replica, own), (source, other), &self.until, &self.settings)));
    }
}
