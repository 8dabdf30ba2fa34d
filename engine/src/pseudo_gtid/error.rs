//! Why there is no match.

use app::{BinlogCoordinates, InstanceKey};

use super::Event;

/// What was looked for, where, and how far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The server has no log that could be read.
    #[error("{key} has no {what} to look for pseudo-GTID entries in")]
    NoLogs {
        /// The server.
        key: InstanceKey,
        /// Which kind of log.
        what: &'static str,
    },
    /// No entry in the logs of the replica.
    #[error(
        "no pseudo-GTID entry in the {what} of {key}: looked through {files} of them, from {newest} back to {oldest}"
    )]
    NoEntry {
        /// The server.
        key: InstanceKey,
        /// Which kind of log.
        what: &'static str,
        /// Logs that were read.
        files: usize,
        /// First one read.
        newest: String,
        /// Last one read.
        oldest: String,
    },
    /// The entry is not in the other server's logs.
    #[error(
        "pseudo-GTID entry {text:?} is not in the binary logs of {key}: looked through {files} of them, {oldest} to {newest}"
    )]
    NotFound {
        /// The server.
        key: InstanceKey,
        /// The entry.
        text: String,
        /// Logs that were looked at.
        files: usize,
        /// Oldest there is.
        oldest: String,
        /// Newest there is.
        newest: String,
    },
    /// The same entry is there twice, so it tells no place.
    #[error(
        "pseudo-GTID entry {text:?} is in the logs of {key} more than once, at {first} and {second}: it tells no place"
    )]
    Ambiguous {
        /// The server.
        key: InstanceKey,
        /// The entry.
        text: String,
        /// One place.
        first: Box<BinlogCoordinates>,
        /// Another one.
        second: Box<BinlogCoordinates>,
    },
    /// Events that should be the same are not.
    #[error("the logs differ after {compared} equal events: {replica} has {} at {}, {source_key} has {} at {}",
        .replica_event, .replica_event.at(), .source_event, .source_event.at())]
    Mismatch {
        /// The replica.
        replica: InstanceKey,
        /// Its new source.
        source_key: InstanceKey,
        /// Events that were equal before.
        compared: u64,
        /// What the replica has.
        replica_event: Box<Event>,
        /// What the new source has.
        source_event: Box<Event>,
    },
    /// The new source lacks what the replica has.
    #[error("{replica} is ahead of {source_key}: after {compared} equal events the log of {source_key} ends at {end}, and {replica} has {} at {}",
        .replica_event, .replica_event.at())]
    Ahead {
        /// The replica.
        replica: InstanceKey,
        /// Its new source.
        source_key: InstanceKey,
        /// Events that were equal before.
        compared: u64,
        /// Where the new source's log ends.
        end: BinlogCoordinates,
        /// What the replica has beyond.
        replica_event: Box<Event>,
    },
    /// The replica's log was read to its end, which is not where it should be.
    #[error("the log of {key} was to be read up to {until}, and {found}")]
    EndNotReached {
        /// The server.
        key: InstanceKey,
        /// Where it should end.
        until: BinlogCoordinates,
        /// What was found instead.
        found: String,
    },
    /// The last equal event is not the end of a transaction.
    #[error("after {compared} equal events {key} stands within a transaction, at {at}")]
    InsideTransaction {
        /// The replica.
        key: InstanceKey,
        /// Events that were equal.
        compared: u64,
        /// In the new source's log.
        at: BinlogCoordinates,
    },
    /// A position of the new source's log does not fit into what a log tells.
    #[error("{key} tells no position after the event at {at}")]
    NoPosition {
        /// The server.
        key: InstanceKey,
        /// The event.
        at: BinlogCoordinates,
    },
    /// A log that was there a moment ago cannot be read any more.
    #[error("{file} of {key} cannot be read: it was purged, or {from} is no place in it")]
    Unreadable {
        /// The server.
        key: InstanceKey,
        /// The log.
        file: String,
        /// From where it was to be read.
        from: u64,
    },
    /// A relay log has no such event.
    #[error("no event of the relay logs of {key} {how} {place}")]
    NoRelayEvent {
        /// The server.
        key: InstanceKey,
        /// `begins at` or `is before`.
        how: &'static str,
        /// The place.
        place: BinlogCoordinates,
    },
    /// The event is in none of a sibling's relay logs: it has not come yet, or is applied and gone.
    #[error("the relay logs of {key} do not have {event}, which ends at {} {end} of the source", if .log.is_empty() { "position" } else { .log.as_str() })]
    NoSuchRelayEvent {
        /// The sibling.
        key: InstanceKey,
        /// What was looked for.
        event: Box<Event>,
        /// Where it ends in the source's log.
        end: u64,
        /// That log; empty where it is not known.
        log: String,
    },
}
