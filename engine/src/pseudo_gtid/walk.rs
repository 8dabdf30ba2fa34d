//! Both logs side by side, from the same entry to where the replica stands (`spec/refactoring.md` 9.3).

use app::{BinlogCoordinates, InstanceKey};

use super::cursor::{Answer, Cursor, Question, Side};
use super::event::Inside;
use super::{MatchError, Settings};

/// Compares two logs.
#[derive(Debug)]
pub(super) struct Walk {
    replica_key: InstanceKey,
    source_key: InstanceKey,
    replica: Cursor,
    source: Cursor,
    until: BinlogCoordinates,
    compared: u64,
    inside: Inside,
    /// Behind the last equal event, in the source's log.
    next: Option<BinlogCoordinates>,
    skip: Vec<String>,
}

/// Where both logs stand at the same event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Walked {
    pub next: BinlogCoordinates,
    pub compared: u64,
}

impl Walk {
    pub fn new(
        (replica_key, replica): (&InstanceKey, Cursor),
        (source_key, source): (&InstanceKey, Cursor),
        until: &BinlogCoordinates,
        settings: &Settings,
    ) -> Self {
        Self {
            replica_key: replica_key.clone(),
            source_key: source_key.clone(),
            replica,
            source,
            until: until.clone(),
            compared: 0,
            inside: Inside::Nothing,
            next: None,
            skip: settings.skip_containing.clone(),
        }
    }

    /// What it wants to know next. Only asked after [`Self::go_on`] has found nothing more to do.
    pub fn question(&self) -> Option<Question> {
        self.replica.wants().or_else(|| self.source.wants())
    }

    /// How far it is, for people.
    pub fn told(&self) -> String {
        format!(
            "{} equal events; {} is read at {}, {} at {}",
            self.compared,
            self.replica_key,
            self.replica.place(),
            self.source_key,
            self.source.place()
        )
    }

    /// Takes the answer to [`Self::question`].
    pub fn take(&mut self, side: Side, answer: Answer) -> Result<Option<Walked>, MatchError> {
        let (key, cursor) = match side {
            Side::Replica => (&self.replica_key, &mut self.replica),
            Side::Source => (&self.source_key, &mut self.source),
        };
        let Answer::Events(events) = answer else { return Err(cursor.unreadable(key)) };
        if let Err(found) = cursor.take(events) {
            return Err(MatchError::EndNotReached { key: key.clone(), until: self.until.clone(), found });
        }
        self.go_on()
    }

    /// Compares what is in hand; the result once the replica's log is at its end.
    fn go_on(&mut self) -> Result<Option<Walked>, MatchError> {
        loop {
            pass_over(&mut self.replica, &self.skip);
            if self.replica.is_exhausted() {
                return self.arrived().map(Some);
            }
            pass_over(&mut self.source, &self.skip);
            if self.replica.wants().is_some() || self.source.wants().is_some() {
                return Ok(None);
            }
            self.compare()?;
        }
    }

    fn compare(&mut self) -> Result<(), MatchError> {
        let Some(own) = self.replica.pop() else { return Ok(()) };
        let Some(other) = self.source.pop() else {
            return Err(MatchError::Ahead {
                replica: self.replica_key.clone(),
                source_key: self.source_key.clone(),
                compared: self.compared,
                end: self.source.end.clone(),
                replica_event: Box::new(own),
            });
        };
        let essence = own.essence(&self.skip);
        if essence != other.essence(&self.skip) {
            return Err(MatchError::Mismatch {
                replica: self.replica_key.clone(),
                source_key: self.source_key.clone(),
                compared: self.compared,
                replica_event: Box::new(own),
                source_event: Box::new(other),
            });
        }
        if let Some(essence) = &essence {
            self.inside = self.inside.after(essence);
        }
        let next = other.next();
        self.next = Some(next.ok_or_else(|| MatchError::NoPosition { key: self.source_key.clone(), at: other.at() })?);
        self.compared += 1;
        Ok(())
    }

    fn arrived(&self) -> Result<Walked, MatchError> {
        let Some(next) = self.next.clone() else {
            let found = "nothing could be compared".to_owned();
            return Err(MatchError::EndNotReached { key: self.replica_key.clone(), until: self.until.clone(), found });
        };
        if self.inside != Inside::Nothing {
            return Err(MatchError::InsideTransaction {
                key: self.replica_key.clone(),
                compared: self.compared,
                at: next,
            });
        }
        Ok(Walked { next, compared: self.compared })
    }
}

/// Drops events in front that are not compared.
fn pass_over(cursor: &mut Cursor, skip: &[String]) {
    while cursor.front().is_some_and(|event| event.essence(skip).is_none()) {
        cursor.pop();
    }
}
