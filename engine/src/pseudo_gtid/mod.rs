//! Pseudo-GTID: the same place in two binary logs, without GTID (`spec/refactoring.md` 9).
//!
//! A statement that changes nothing and is different each time is written on the primary every few seconds. It gets into every binary
//! log of the cluster. To find where a replica goes on in another server's log, its last such entry is looked for there, and from
//! it both logs are walked side by side, event by event, up to where the replica stands.
//!
//! ```text
//! question = Correlation::new(request, settings)
//! loop: answer = ask the server;  Correlation::advance(answer) -> Ask(question) | Found(match)
//! ```
//!
//! Nothing here reads a server: the machine asks for one chunk of events at a time, so every rule is tested without one. A match
//! that is not certain is none: each error names what was looked for, where, and how far.

mod correlate;
mod cursor;
mod entry;
mod error;
mod event;
mod inject;
mod relay;
mod search;
mod walk;

#[cfg(test)]
mod tests;

pub use correlate::{Correlation, Match, Origin, Request};
pub use cursor::{Answer, Question, Side};
pub use entry::{Pattern, PatternError};
pub use error::MatchError;
pub use event::Event;
pub use inject::{may_inject, statement, targets};
pub use relay::{OwnRelayEvent, RelayEvent, RelayMatch, SameRelayEvent};
pub use search::{Entry, FindEntry, LastEntry};

/// Settings of matching.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What an entry looks like (`PseudoGTIDPattern`).
    pub pattern: Pattern,
    /// `PseudoGTIDMonotonicHint`: entries that contain it grow from one to the next, as texts. Empty: nothing is known.
    pub monotonic_hint: String,
    /// `BinlogEventsChunkSize`: events asked for at a time.
    pub chunk: u32,
    /// `SkipBinlogEventsContaining`: events with one of these texts are passed over.
    pub skip_containing: Vec<String>,
}

impl Settings {
    /// Entries of this text are in order.
    fn grows(&self, text: &str) -> bool {
        !self.monotonic_hint.is_empty() && text.contains(&self.monotonic_hint)
    }
}
