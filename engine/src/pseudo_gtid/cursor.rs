//! Reading logs forwards, chunk by chunk.

use std::collections::VecDeque;

use app::BinlogCoordinates;
use app::coordinates::LogType;

use super::{Event, MatchError};
use crate::statements::literal;

/// Where the first event of a log begins.
const FIRST: u64 = 4;

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that moves.
    Replica,
    /// The one that it shall replicate from.
    Source,
}

/// What a machine wants to know. None of them changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The names of a server's binary logs, oldest first.
    Logs {
        /// Of whom.
        side: Side,
    },
    /// Events of one log.
    Events {
        /// Of whom.
        side: Side,
        /// Binary log or relay log.
        kind: LogType,
        /// The log.
        file: String,
        /// Where the first of them begins.
        from: u64,
        /// How many at most.
        limit: u32,
    },
}

impl Question {
    /// Who is asked.
    pub fn side(&self) -> Side {
        match self {
            Self::Logs { side } | Self::Events { side, .. } => *side,
        }
    }

    /// The statement. `channel` is the replication channel whose relay logs are read, if it has a name; MariaDB puts it elsewhere.
    pub fn statement(&self, channel: &str, mariadb: bool) -> String {
        match self {
            Self::Logs { .. } => "SHOW BINARY LOGS".to_owned(),
            Self::Events { kind: LogType::Binary, file, from, limit, .. } => {
                format!("SHOW BINLOG EVENTS IN {} FROM {from} LIMIT {limit}", literal(file))
            }
            Self::Events { kind: LogType::Relay, file, from, limit, .. } => {
                let (before, behind) = match (channel, mariadb) {
                    ("", _) => (String::new(), String::new()),
                    (name, true) => (format!("{} ", literal(name)), String::new()),
                    (name, false) => (String::new(), format!(" FOR CHANNEL {}", literal(name))),
                };
                format!("SHOW RELAYLOG {before}EVENTS IN {} FROM {from} LIMIT {limit}{behind}", literal(file))
            }
        }
    }
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Names of logs.
    Logs(Vec<String>),
    /// Events; fewer than were asked for means that the log ends there.
    Events(Vec<Event>),
    /// There is no such log, or no event begins there.
    NoSuchPlace,
}

/// Reads one log from a place to its end. Each chunk begins with the last event of the one before, which is dropped: where the next one
/// begins cannot be told from an event of a relay log.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    pub side: Side,
    pub kind: LogType,
    pub file: String,
    from: u64,
    seen: Option<u64>,
    limit: u32,
    pub ended: bool,
}

impl Scan {
    pub fn whole(side: Side, kind: LogType, file: &str, limit: u32) -> Self {
        Self::from(side, kind, file, FIRST, limit)
    }

    pub fn from(side: Side, kind: LogType, file: &str, from: u64, limit: u32) -> Self {
        Self { side, kind, file: file.to_owned(), from: from.max(FIRST), seen: None, limit: limit.max(2), ended: false }
    }

    /// The whole of another log of the same server.
    pub fn of(&self, file: &str) -> Self {
        Self::whole(self.side, self.kind, file, self.limit)
    }

    pub fn question(&self) -> Question {
        let Self { side, kind, from, limit, .. } = *self;
        Question::Events { side, kind, file: self.file.clone(), from: self.seen.unwrap_or(from), limit }
    }

    /// The new events of a chunk.
    pub fn take(&mut self, events: Vec<Event>) -> Vec<Event> {
        let seen = self.seen;
        let full = u32::try_from(events.len()).unwrap_or(u32::MAX) >= self.limit;
        let new: Vec<Event> = events.into_iter().filter(|event| seen.is_none_or(|seen| event.pos > seen)).collect();
        match new.last() {
            Some(last) => self.seen = Some(last.pos),
            None => self.ended = true,
        }
        self.ended |= !full;
        new
    }

    pub fn starts_late(&self) -> bool {
        self.from > FIRST
    }

    /// From where it reads now.
    pub fn place(&self) -> u64 {
        self.seen.unwrap_or(self.from)
    }
}

/// Reads several logs, one after the other, up to a place or to the end of the last one.
#[derive(Debug)]
pub(super) struct Cursor {
    scan: Scan,
    /// Logs behind the one that is read.
    ahead: VecDeque<String>,
    buffer: VecDeque<Event>,
    /// Read no further than this.
    until: Option<BinlogCoordinates>,
    /// All events up to the end are in the buffer or were taken.
    ended: bool,
    /// Where the last event that was read ends, and in which log.
    pub end: BinlogCoordinates,
}

impl Cursor {
    pub fn new(scan: Scan, ahead: VecDeque<String>, until: Option<BinlogCoordinates>) -> Self {
        let end = BinlogCoordinates::binary(scan.file.clone(), i64::try_from(scan.place()).unwrap_or(i64::MAX));
        Self { scan, ahead, buffer: VecDeque::new(), until, ended: false, end }
    }

    /// What must be known before [`Self::front`] tells anything.
    pub fn wants(&self) -> Option<Question> {
        (self.buffer.is_empty() && !self.ended).then(|| self.scan.question())
    }

    pub fn front(&self) -> Option<&Event> {
        self.buffer.front()
    }

    pub fn pop(&mut self) -> Option<Event> {
        self.buffer.pop_front()
    }

    /// All logs have been read.
    pub fn is_exhausted(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    /// Takes a chunk. `Err` tells what was found in place of the end.
    pub fn take(&mut self, events: Vec<Event>) -> Result<(), String> {
        for event in self.scan.take(events) {
            if let Some(until) = self.until.as_ref().filter(|until| until.file == event.file) {
                let limit = u64::try_from(until.position).unwrap_or(0);
                if event.pos >= limit {
                    self.ended = true;
                    let hit = event.pos == limit || self.end_is(limit, &event.file);
                    return if hit {
                        Ok(())
                    } else {
                        Err(format!("no event ends there; one begins at {}", event.at()))
                    };
                }
            }
            self.end = BinlogCoordinates::binary(event.file.clone(), i64::try_from(event.end).unwrap_or(i64::MAX));
            self.buffer.push_back(event);
        }
        if self.scan.ended {
            return self.next_log();
        }
        Ok(())
    }

    /// A binary log was read exactly up to this place. (Events of a relay log tell where they end in the source's log.)
    fn end_is(&self, position: u64, file: &str) -> bool {
        let binary = self.scan.kind == LogType::Binary;
        binary && self.end.file == file && u64::try_from(self.end.position) == Ok(position)
    }

    fn next_log(&mut self) -> Result<(), String> {
        let last = self.until.as_ref().is_some_and(|until| until.file == self.scan.file);
        if let (false, Some(next)) = (last, self.ahead.pop_front()) {
            self.scan = Scan::whole(self.scan.side, self.scan.kind, &next, self.scan.limit);
            return Ok(());
        }
        self.ended = true;
        match &self.until {
            None => Ok(()),
            Some(until) if !last => Err(format!("{} is not among its logs", until.file)),
            // The end of a relay log is not told by its events, whose ends are those of the source's log.
            Some(_) if self.scan.kind == LogType::Relay => Ok(()),
            Some(until) if self.end.position == until.position => Ok(()),
            Some(_) => Err(format!("it ends at {}", self.end)),
        }
    }

    /// The error for a log that cannot be read any more.
    pub fn unreadable(&self, key: &app::InstanceKey) -> MatchError {
        MatchError::Unreadable { key: key.clone(), file: self.scan.file.clone(), from: self.scan.place() }
    }

    /// Where it reads, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.scan.file, self.scan.place())
    }
}
