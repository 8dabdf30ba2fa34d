//! Looking for entries: the last one of a server, and the same one on another server.

use app::coordinates::LogType;
use app::{BinlogCoordinates, InstanceKey};

use super::cursor::{Answer, Question, Scan, Side};
use super::event::normal_text;
use super::{Event, MatchError, Settings};

/// A pseudo-GTID entry and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the log has it.
    pub text: String,
    /// Where it begins.
    pub at: BinlogCoordinates,
}

impl Entry {
    fn of(event: &Event, kind: LogType) -> Self {
        let at = BinlogCoordinates { kind, ..event.at() };
        Self { text: event.info.clone(), at }
    }

    /// What it is recognised by on another server.
    pub(super) fn essence(&self) -> String {
        normal_text("Query", &self.text).into_owned()
    }
}

/// Looks for the last entry of a server: newest log first, each forwards, the last one in it wins (`spec/refactoring.md` 9.1).
#[derive(Debug)]
pub struct LastEntry {
    key: InstanceKey,
    side: Side,
    /// Only what is before this place counts.
    until: BinlogCoordinates,
    /// Older logs, the newest of them last; `None` where their names are counted down.
    older: Option<Vec<String>>,
    /// Only the newest log.
    newest_only: bool,
    scan: Scan,
    best: Option<Entry>,
    looked: Vec<String>,
    settings: Settings,
}

impl LastEntry {
    /// In the binary logs of a server, of which `logs` are the names, oldest first. With a `hint` the newest log is read from there
    /// first: a place, not long ago, where an event began.
    ///
    /// # Errors
    /// [`MatchError::EndNotReached`] when `until` is in none of the logs.
    pub fn in_binary_logs(
        key: &InstanceKey,
        side: Side,
        logs: &[String],
        until: &BinlogCoordinates,
        hint: Option<&BinlogCoordinates>,
        settings: &Settings,
    ) -> Result<Self, MatchError> {
        let Some(at) = logs.iter().position(|file| *file == until.file) else {
            let found = format!("its logs are {} to {}", first(logs), last(logs));
            return Err(MatchError::EndNotReached { key: key.clone(), until: until.clone(), found });
        };
        let from = hint.filter(|hint| hint.file == until.file && **hint < *until);
        let from = from.and_then(|hint| u64::try_from(hint.position).ok()).unwrap_or_default();
        Ok(Self {
            key: key.clone(),
            side,
            until: until.clone(),
            older: Some(logs.iter().take(at).cloned().collect()),
            newest_only: false,
            scan: Scan::from(side, LogType::Binary, &until.file, from, settings.chunk),
            best: None,
            looked: vec![],
            settings: settings.clone(),
        })
    }

    /// In the relay logs of a server, as far as they are applied.
    pub fn in_relay_logs(key: &InstanceKey, side: Side, applied: &BinlogCoordinates, settings: &Settings) -> Self {
        Self {
            key: key.clone(),
            side,
            until: applied.clone(),
            older: None,
            newest_only: false,
            scan: Scan::whole(side, LogType::Relay, &applied.file, settings.chunk),
            best: None,
            looked: vec![],
            settings: settings.clone(),
        }
    }

    /// Looks in the newest log only.
    pub fn newest_only(mut self) -> Self {
        self.newest_only = true;
        self
    }

    /// What it wants to know next.
    pub fn question(&self) -> Question {
        self.scan.question()
    }

    /// Logs that were read up to here, newest first.
    pub(super) fn looked(&self) -> &[String] {
        &self.looked
    }

    /// Takes an answer; the entry once it is found.
    ///
    /// # Errors
    /// [`MatchError::NoEntry`], [`MatchError::Ambiguous`], [`MatchError::Unreadable`]
    pub fn take(&mut self, answer: Answer) -> Result<Option<Entry>, MatchError> {
        match answer {
            Answer::Events(events) => {
                for event in self.scan.take(events) {
                    self.look_at(&event)?;
                }
                if !self.scan.ended {
                    return Ok(None);
                }
                self.note_looked();
                if let Some(best) = self.best.take() {
                    return Ok(Some(best));
                }
                self.next_log(true)
            }
            // The place of the hint is gone, or there are no older relay logs.
            Answer::NoSuchPlace | Answer::Logs(_) if self.scan.starts_late() => self.next_log(false),
            Answer::NoSuchPlace | Answer::Logs(_) if !self.looked.is_empty() => Err(self.none()),
            Answer::NoSuchPlace | Answer::Logs(_) => Err(MatchError::Unreadable {
                key: self.key.clone(),
                file: self.scan.file.clone(),
                from: self.scan.place(),
            }),
        }
    }

    fn look_at(&mut self, event: &Event) -> Result<(), MatchError> {
        let limit = u64::try_from(self.until.position).unwrap_or(0);
        if event.file == self.until.file && event.pos >= limit {
            self.scan.ended = true;
            return Ok(());
        }
        if !self.settings.pattern.matches(&event.info) || is_comment_of_rows(event) {
            return Ok(());
        }
        let found = Entry::of(event, self.scan.kind);
        if let Some(before) = self.best.as_ref().filter(|before| before.essence() == found.essence()) {
            let (first, second) = (before.at.clone(), found.at);
            return Err(MatchError::Ambiguous {
                key: self.key.clone(),
                text: found.text,
                first: first.into(),
                second: second.into(),
            });
        }
        self.best = Some(found);
        Ok(())
    }

    fn note_looked(&mut self) {
        if !self.looked.contains(&self.scan.file) {
            self.looked.push(self.scan.file.clone());
        }
    }

    /// Goes on with the whole of a log that was read from a hint, or with the log before.
    fn next_log(&mut self, read: bool) -> Result<Option<Entry>, MatchError> {
        let (side, kind, chunk) = (self.side, self.scan.kind, self.settings.chunk);
        if self.scan.starts_late() {
            self.scan = Scan::whole(side, kind, &self.scan.file.clone(), chunk);
            return Ok(None);
        }
        let before = match &mut self.older {
            Some(older) => older.pop(),
            None => file_before(&self.scan.file),
        };
        match before.filter(|_| read && !self.newest_only) {
            Some(file) => {
                self.scan = Scan::whole(side, kind, &file, chunk);
                Ok(None)
            }
            None => Err(self.none()),
        }
    }

    fn none(&self) -> MatchError {
        MatchError::NoEntry {
            key: self.key.clone(),
            what: if self.scan.kind == LogType::Relay { "relay logs" } else { "binary logs" },
            files: self.looked.len(),
            newest: first(&self.looked).to_owned(),
            oldest: last(&self.looked).to_owned(),
        }
    }
}

/// Rows events come with the text of their statement for people to read, which may be that of an entry. It is not in every log.
fn is_comment_of_rows(event: &Event) -> bool {
    matches!(event.kind.as_str(), "Rows_query" | "Annotate_rows")
}

/// The name of the log before, with a number one less and as many digits.
pub(super) fn file_before(file: &str) -> Option<String> {
    let (name, digits) = file.rsplit_once('.')?;
    let number = digits.parse::<u64>().ok()?.checked_sub(1).filter(|number| *number > 0)?;
    Some(format!("{name}.{number:0width$}", width = digits.len()))
}

/// The name of the log behind, with a number one more and at least as many digits.
pub(super) fn file_after(file: &str) -> Option<String> {
    let (name, digits) = file.rsplit_once('.')?;
    let number = digits.parse::<u64>().ok()?.checked_add(1)?;
    Some(format!("{name}.{number:0width$}", width = digits.len()))
}

/// Looks for one entry in the binary logs of a server (`spec/refactoring.md` 9.2).
///
/// Where entries grow, the log is found by halving: the last one whose first entry is not greater. Otherwise, and when it is not
/// there (clocks of former primaries may differ), logs are read from the newest back to the oldest.
#[derive(Debug)]
pub struct FindEntry {
    key: InstanceKey,
    side: Side,
    text: String,
    wanted: String,
    logs: Vec<String>,
    plan: Search,
    scan: Scan,
    found: Option<BinlogCoordinates>,
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// The newest log, from a place that is not long ago.
    Hint,
    /// The first entry of the log between these.
    Halving { low: usize, high: usize },
    /// This log, which halving has led to.
    There { at: usize },
    /// This log, on the way from the newest back to the oldest; one was read already.
    Back { at: usize, read: Option<usize> },
}

impl FindEntry {
    /// In the binary logs of a server, of which `logs` are the names, oldest first.
    ///
    /// # Errors
    /// [`MatchError::NoLogs`]
    pub fn new(
        key: &InstanceKey,
        side: Side,
        text: &str,
        logs: &[String],
        hint: Option<&BinlogCoordinates>,
        settings: &Settings,
    ) -> Result<Self, MatchError> {
        let Some(newest) = logs.last() else {
            return Err(MatchError::NoLogs { key: key.clone(), what: "binary logs" });
        };
        let mut search = Self {
            key: key.clone(),
            side,
            text: text.to_owned(),
            wanted: normal_text("Query", text).into_owned(),
            logs: logs.to_vec(),
            plan: Search::Hint,
            scan: Scan::whole(side, LogType::Binary, newest, settings.chunk),
            found: None,
            settings: settings.clone(),
        };
        match hint.filter(|hint| hint.file == *newest).and_then(|hint| u64::try_from(hint.position).ok()) {
            Some(from) => search.scan = Scan::from(side, LogType::Binary, newest, from, settings.chunk),
            None => search.without_hint(),
        }
        Ok(search)
    }

    /// What it wants to know next.
    pub fn question(&self) -> Question {
        self.scan.question()
    }

    /// Takes an answer; the place where the entry begins, once it is found.
    ///
    /// # Errors
    /// [`MatchError::NotFound`], [`MatchError::Ambiguous`], [`MatchError::Unreadable`]
    pub fn take(&mut self, answer: Answer) -> Result<Option<BinlogCoordinates>, MatchError> {
        let Answer::Events(events) = answer else {
            if self.plan == Search::Hint {
                self.without_hint();
                return Ok(None);
            }
            let (file, from) = (self.scan.file.clone(), self.scan.place());
            return Err(MatchError::Unreadable { key: self.key.clone(), file, from });
        };
        for event in self.scan.take(events) {
            match self.plan {
                Search::Halving { low, high } => {
                    if self.settings.pattern.matches(&event.info) && !is_comment_of_rows(&event) {
                        let later = normal_text("Query", &event.info).as_ref() > self.wanted.as_str();
                        let middle = low + (high - low) / 2;
                        self.halve(if later { (low, middle) } else { (middle, high) });
                        return Ok(None);
                    }
                }
                _ => {
                    self.look_at(&event)?;
                    if self.found.is_some() && self.is_beyond(&event) {
                        self.scan.ended = true;
                        break;
                    }
                }
            }
        }
        if self.scan.ended { self.log_ended() } else { Ok(None) }
    }

    /// Entries grow, and this is a greater one: the wanted one does not come again.
    fn is_beyond(&self, event: &Event) -> bool {
        let is_entry = self.settings.pattern.matches(&event.info) && !is_comment_of_rows(event);
        let text = if is_entry { normal_text("Query", &event.info) } else { return false };
        self.settings.grows(&self.wanted) && self.settings.grows(&text) && *text > *self.wanted
    }

    fn look_at(&mut self, event: &Event) -> Result<(), MatchError> {
        if is_comment_of_rows(event) || normal_text("Query", &event.info).as_ref() != self.wanted {
            return Ok(());
        }
        if let Some(first) = self.found.take() {
            let (key, text) = (self.key.clone(), self.text.clone());
            return Err(MatchError::Ambiguous { key, text, first: first.into(), second: event.at().into() });
        }
        self.found = Some(event.at());
        Ok(())
    }

    fn log_ended(&mut self) -> Result<Option<BinlogCoordinates>, MatchError> {
        if let Some(found) = self.found.take() {
            return Ok(Some(found));
        }
        match self.plan {
            Search::Hint => self.without_hint(),
            // A log without entries tells nothing: every log is read then.
            Search::Halving { .. } => self.go_back(self.logs.len(), None)?,
            Search::There { at } => self.go_back(self.logs.len(), Some(at))?,
            Search::Back { at, read } => self.go_back(at, read)?,
        }
        Ok(None)
    }

    fn without_hint(&mut self) {
        if self.settings.grows(&self.wanted) {
            self.halve((0, self.logs.len()));
        } else {
            // There is a newest log: it was looked at when this began.
            let _ = self.go_back(self.logs.len(), None);
        }
    }

    /// The first entry of log `low` is not greater than the wanted one, as far as is known, and that of log `high` is.
    fn halve(&mut self, (low, high): (usize, usize)) {
        let (plan, at) = if high - low <= 1 {
            (Search::There { at: low }, low)
        } else {
            (Search::Halving { low, high }, low + (high - low) / 2)
        };
        self.plan = plan;
        self.scan_log(at);
    }

    fn go_back(&mut self, from: usize, read: Option<usize>) -> Result<(), MatchError> {
        match (0..from).rev().find(|at| Some(*at) != read) {
            Some(at) => {
                self.plan = Search::Back { at, read };
                self.scan_log(at);
                Ok(())
            }
            None => Err(MatchError::NotFound {
                key: self.key.clone(),
                text: self.text.clone(),
                files: self.logs.len(),
                oldest: first(&self.logs).to_owned(),
                newest: last(&self.logs).to_owned(),
            }),
        }
    }

    fn scan_log(&mut self, at: usize) {
        if let Some(file) = self.logs.get(at) {
            self.scan = Scan::whole(self.side, LogType::Binary, file, self.settings.chunk);
        }
    }
}

fn first(names: &[String]) -> &str {
    names.first().map_or("none", String::as_str)
}

fn last(names: &[String]) -> &str {
    names.last().map_or("none", String::as_str)
}
