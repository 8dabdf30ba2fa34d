//! Events of relay logs: the last one that a replica executed, and the same one in the relay logs of a sibling
//! (`spec/refactoring.md` 9).
//!
//! Siblings have the same events of one source in their relay logs, at other places. An event is known by the source's log that it comes
//! from, where it ends there, its kind and its text. Which log of the source it is, is told by the Rotate event before it.

use app::coordinates::LogType;
use app::{BinlogCoordinates, InstanceKey};

use super::cursor::{Answer, Question, Scan, Side};
use super::search::{file_after, file_before};
use super::{Event, MatchError};

/// An event of a relay log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEvent {
    /// The event.
    pub event: Event,
    /// The log of the source that it comes from; empty where the relay log does not tell.
    pub source_log: String,
}

impl RelayEvent {
    /// Where it begins in the relay log.
    pub fn at(&self) -> BinlogCoordinates {
        BinlogCoordinates { kind: LogType::Relay, ..self.event.at() }
    }

    /// Both are one event of the source.
    fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (&self.event, &other.event);
        let one_log = self.source_log.is_empty() || other.source_log.is_empty() || self.source_log == other.source_log;
        one_log && one.end == two.end && one.kind == two.kind && one.info == two.info
    }
}

/// The log that a Rotate event names: `binlog.000003;pos=4`.
fn rotated_to(event: &Event) -> Option<&str> {
    let named = matches!(event.kind.as_str(), "Rotate" | "Fake Rotate");
    event.info.split_once(";pos=").map(|(file, _)| file).filter(|_| named)
}

/// Looks for an event in the relay logs of a server.
#[derive(Debug)]
pub struct OwnRelayEvent {
    key: InstanceKey,
    /// The last one before this place, or the one that begins exactly there.
    place: BinlogCoordinates,
    exactly: bool,
    scan: Scan,
    source_log: String,
    best: Option<RelayEvent>,
}

impl OwnRelayEvent {
    /// The last one that was executed, when relay logs are applied up to here.
    pub fn last_before(key: &InstanceKey, side: Side, applied: &BinlogCoordinates, chunk: u32) -> Self {
        Self::new(key, side, applied, false, chunk)
    }

    /// The one that begins at a place.
    pub fn at(key: &InstanceKey, side: Side, place: &BinlogCoordinates, chunk: u32) -> Self {
        Self::new(key, side, place, true, chunk)
    }

    fn new(key: &InstanceKey, side: Side, place: &BinlogCoordinates, exactly: bool, chunk: u32) -> Self {
        Self {
            key: key.clone(),
            place: place.clone(),
            exactly,
            // Read from its beginning, which tells of the source's log.
            scan: Scan::whole(side, LogType::Relay, &place.file, chunk),
            source_log: String::new(),
            best: None,
        }
    }

    /// What it wants to know next.
    pub fn question(&self) -> Question {
        self.scan.question()
    }

    /// Takes an answer; the event once it is found.
    ///
    /// # Errors
    /// [`MatchError::NoRelayEvent`]
    pub fn take(&mut self, answer: Answer) -> Result<Option<RelayEvent>, MatchError> {
        let Answer::Events(events) = answer else { return Err(self.none()) };
        let limit = u64::try_from(self.place.position).unwrap_or(0);
        for event in self.scan.take(events) {
            let here = event.file == self.place.file;
            if self.exactly && here && event.pos == limit {
                return Ok(Some(RelayEvent { event, source_log: self.source_log.clone() }));
            }
            if here && event.pos >= limit {
                self.scan.ended = true;
                break;
            }
            if let Some(log) = rotated_to(&event) {
                log.clone_into(&mut self.source_log);
            } else if event.essence(&[]).is_some() {
                self.best = Some(RelayEvent { event, source_log: self.source_log.clone() });
            }
        }
        if !self.scan.ended {
            return Ok(None);
        }
        if self.exactly {
            return Err(self.none());
        }
        if let Some(best) = self.best.take() {
            return Ok(Some(best));
        }
        // A relay log that has only just been begun.
        let before = file_before(&self.scan.file).ok_or_else(|| self.none())?;
        self.scan = self.scan.of(&before);
        self.source_log.clear();
        Ok(None)
    }

    fn none(&self) -> MatchError {
        let how = if self.exactly { "begins at" } else { "is before" };
        MatchError::NoRelayEvent { key: self.key.clone(), how, place: self.place.clone() }
    }
}

/// Looks for an event in the relay logs of a sibling: from the one that is applied to the newest, then back to the oldest.
#[derive(Debug)]
pub struct SameRelayEvent {
    key: InstanceKey,
    wanted: RelayEvent,
    /// The relay log that is applied.
    first: String,
    back: bool,
    scan: Scan,
    source_log: String,
    /// Where the event before ends in the source's log, if it comes from the same one.
    end_before: Option<u64>,
    found: Option<Found>,
}

#[derive(Debug)]
struct Found {
    at: BinlogCoordinates,
    /// Where the event behind it begins in the relay log, as far as that is known.
    next: Option<u64>,
    /// The next event tells.
    last: bool,
}

/// Where the same event is in a sibling's relay logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayMatch {
    /// Where it begins.
    pub at: BinlogCoordinates,
    /// Where the event behind it begins.
    pub next: BinlogCoordinates,
}

impl SameRelayEvent {
    /// In the relay logs of a server that has applied them up to here.
    pub fn new(key: &InstanceKey, side: Side, wanted: RelayEvent, applied: &BinlogCoordinates, chunk: u32) -> Self {
        Self {
            key: key.clone(),
            wanted,
            first: applied.file.clone(),
            back: false,
            scan: Scan::whole(side, LogType::Relay, &applied.file, chunk),
            source_log: String::new(),
            end_before: None,
            found: None,
        }
    }

    /// What it wants to know next.
    pub fn question(&self) -> Question {
        self.scan.question()
    }

    /// Takes an answer; the places once they are found.
    ///
    /// # Errors
    /// [`MatchError::NoSuchRelayEvent`], [`MatchError::Ambiguous`], [`MatchError::NoPosition`], [`MatchError::Unreadable`]
    pub fn take(&mut self, answer: Answer) -> Result<Option<RelayMatch>, MatchError> {
        let Answer::Events(events) = answer else { return self.no_such_log() };
        for event in self.scan.take(events) {
            self.look_at(event)?;
        }
        if !self.scan.ended {
            return Ok(None);
        }
        if let Some(found) = self.found.take() {
            let next = found.next.and_then(|next| i64::try_from(next).ok());
            let next = next.ok_or_else(|| MatchError::NoPosition { key: self.key.clone(), at: found.at.clone() })?;
            return Ok(Some(RelayMatch {
                next: BinlogCoordinates { position: next, ..found.at.clone() },
                at: found.at,
            }));
        }
        self.next_log()?;
        Ok(None)
    }

    fn look_at(&mut self, event: Event) -> Result<(), MatchError> {
        if let Some(found) = self.found.as_mut().filter(|found| found.last) {
            (found.next, found.last) = (Some(event.pos), false);
        }
        if let Some(log) = rotated_to(&event) {
            log.clone_into(&mut self.source_log);
            self.end_before = None;
            return Ok(());
        }
        let (pos, end) = (event.pos, event.end);
        let here = RelayEvent { event, source_log: self.source_log.clone() };
        if here.is_same(&self.wanted) {
            if let Some(first) = &self.found {
                let (key, text) = (self.key.clone(), here.event.info.clone());
                let (first, second) = (first.at.clone().into(), here.at().into());
                return Err(MatchError::Ambiguous { key, text, first, second });
            }
            // Its length is the same as in the source's log, which matters where nothing has come behind it yet.
            let length = self.end_before.and_then(|before| end.checked_sub(before)).filter(|length| *length > 0);
            let next = length.and_then(|length| pos.checked_add(length));
            self.found = Some(Found { at: here.at(), next, last: true });
        }
        self.end_before = Some(end);
        Ok(())
    }

    fn no_such_log(&mut self) -> Result<Option<RelayMatch>, MatchError> {
        if self.scan.file == self.first {
            let (file, from) = (self.first.clone(), self.scan.place());
            return Err(MatchError::Unreadable { key: self.key.clone(), file, from });
        }
        // Behind the newest one, or before the oldest that is kept.
        let next = if self.back { None } else { self.turned() };
        self.read(next)?;
        Ok(None)
    }

    fn next_log(&mut self) -> Result<(), MatchError> {
        let next = match self.back {
            true => file_before(&self.scan.file),
            false => file_after(&self.scan.file).or_else(|| self.turned()),
        };
        self.read(next)
    }

    /// From here on it goes back.
    fn turned(&mut self) -> Option<String> {
        self.back = true;
        file_before(&self.first)
    }

    fn read(&mut self, file: Option<String>) -> Result<(), MatchError> {
        let file = file.ok_or_else(|| MatchError::NoSuchRelayEvent {
            key: self.key.clone(),
            event: Box::new(self.wanted.event.clone()),
            end: self.wanted.event.end,
            log: self.wanted.source_log.clone(),
        })?;
        self.scan = self.scan.of(&file);
        self.source_log.clear();
        self.end_before = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> InstanceKey {
        InstanceKey::new("db2", 3306)
    }

    fn event(file: &str, pos: u64, kind: &str, end: u64, info: &str) -> Event {
        Event { file: file.to_owned(), pos, kind: kind.to_owned(), end, info: info.to_owned() }
    }

    /// A relay log with one transaction of the source's log `log`, which ends there at `end`, the relay log's events beginning at `base`.
    fn transaction(file: &str, base: u64, log: &str, end: u64) -> Vec<Event> {
        vec![
            event(file, 4, "Format_desc", 126, "Server ver: 9.7.0"),
            event(file, 126, "Rotate", 0, &format!("{log};pos=4")),
            event(file, base, "Query", end - 31, "BEGIN"),
            event(file, base + 100, "Xid", end, "COMMIT /* xid=12 */"),
        ]
    }

    fn relay(file: &str, position: i64) -> BinlogCoordinates {
        BinlogCoordinates { file: file.to_owned(), position, kind: LogType::Relay }
    }

    /// Answers from these logs until there is a result.
    fn ask<T>(logs: &[Vec<Event>], question: impl Fn() -> Question, mut take: impl FnMut(Answer) -> Option<T>) -> T {
        for _ in 0..50 {
            let Question::Events { file, from, limit, .. } = question() else { panic!("no names are asked for") };
            let log = logs.iter().find(|log| log[0].file == file);
            let answer = log.map_or(Answer::NoSuchPlace, |log| {
                let rows = log.iter().filter(|e| e.pos >= from).take(limit as usize).cloned();
                Answer::Events(rows.collect())
            });
            if let Some(found) = take(answer) {
                return found;
            }
        }
        panic!("it never ends");
    }

    fn last_executed(logs: &[Vec<Event>], applied: &BinlogCoordinates) -> Result<RelayEvent, MatchError> {
        let search = std::cell::RefCell::new(OwnRelayEvent::last_before(&key(), Side::Replica, applied, 2));
        ask(logs, || search.borrow().question(), |answer| search.borrow_mut().take(answer).transpose())
    }

    fn same(logs: &[Vec<Event>], wanted: RelayEvent, applied: &BinlogCoordinates) -> Result<RelayMatch, MatchError> {
        let search = std::cell::RefCell::new(SameRelayEvent::new(&key(), Side::Source, wanted, applied, 2));
        ask(logs, || search.borrow().question(), |answer| search.borrow_mut().take(answer).transpose())
    }

    #[test]
    fn the_last_executed_event_is_before_what_is_applied_also_in_an_older_log() {
        let mut logs = vec![transaction("r.000007", 300, "bin.000003", 900)];
        logs[0].push(event("r.000007", 431, "Query", 980, "BEGIN"));
        let found = last_executed(&logs, &relay("r.000007", 431)).expect("the commit");
        assert_eq!((found.event.kind.as_str(), found.source_log.as_str()), ("Xid", "bin.000003"));
        assert_eq!(found.at(), relay("r.000007", 400));
        // The next relay log has nothing yet.
        logs.push(vec![event("r.000008", 4, "Format_desc", 126, "Server ver: 9.7.0")]);
        let found = last_executed(&logs, &relay("r.000008", 126)).expect("the last one of the log before");
        assert_eq!(found.at(), relay("r.000007", 431));
    }

    #[test]
    fn an_event_is_found_at_its_place_only() {
        let logs = [transaction("r.000007", 300, "bin.000003", 900)];
        let at = |position| {
            let place = relay("r.000007", position);
            let search = std::cell::RefCell::new(OwnRelayEvent::at(&key(), Side::Replica, &place, 10));
            ask(&logs, || search.borrow().question(), |answer| search.borrow_mut().take(answer).transpose())
        };
        assert_eq!(at(300).map(|found| found.event.info), Ok("BEGIN".to_owned()));
        let error = at(301).expect_err("within an event").to_string();
        assert_eq!(error, "no event of the relay logs of db2:3306 begins at r.000007:301");
    }

    #[test]
    fn the_same_event_of_a_sibling_is_that_of_the_same_log_of_the_source() {
        let own = last_executed(&[transaction("r.000007", 300, "bin.000003", 900)], &relay("r.000007", 431));
        let own = own.expect("the commit");
        // Another log of the source has an event that looks the same.
        let mut logs = vec![
            transaction("s.000002", 500, "bin.000003", 900),
            transaction("s.000003", 200, "bin.000002", 900),
            transaction("s.000004", 200, "bin.000004", 900),
        ];
        let found = same(&logs, own.clone(), &relay("s.000003", 331)).expect("in an older log");
        // Nothing has come behind it: its length in the source's log tells where it ends.
        assert_eq!((found.at, found.next), (relay("s.000002", 600), relay("s.000002", 631)));
        logs[0].push(event("s.000002", 640, "Rotate", 0, "s.000003;pos=4"));
        let found = same(&logs, own.clone(), &relay("s.000003", 331)).expect("in an older log");
        assert_eq!(found.next, relay("s.000002", 640));

        logs.remove(0);
        let error = same(&logs, own.clone(), &relay("s.000003", 331)).expect_err("it has not come yet").to_string();
        assert!(error.contains("bin.000003") && error.contains("900"), "{error}");
        let error = same(&logs, own, &relay("gone.000001", 4)).expect_err("no such log").to_string();
        assert!(error.contains("gone.000001"), "{error}");
    }

    #[test]
    fn an_event_that_is_there_twice_tells_no_place() {
        let mut log = transaction("s.000002", 500, "bin.000003", 900);
        log.push(event("s.000002", 631, "Xid", 900, "COMMIT /* xid=12 */"));
        let wanted = RelayEvent { event: log[3].clone(), source_log: String::new() };
        let error = same(&[log], wanted, &relay("s.000002", 700)).expect_err("which one?");
        assert!(matches!(error, MatchError::Ambiguous { .. }), "{error}");
    }
}
