//! The order in which a place in another log is looked for without GTID (`spec/refactoring.md` 11): where it is recorded, where the log is
//! the same because a binlog server passes it on, and where servers can be stopped at the same event.

use super::{RuleSettings, Technique, by_position, one_channel};
use crate::InstanceKey;
use crate::plan::{Place, Positioning, Refusal};
use crate::topology::{Instance, Snapshot};

/// A chain of binlog servers is followed this far: longer ones are rings.
const LONGEST_CHAIN: usize = 32;

/// How the place is found; `None` when there is no way.
pub(super) fn technique(
    snapshot: &Snapshot,
    replica: &Instance,
    source: &Instance,
    settings: &RuleSettings,
) -> Result<Option<(Technique, Positioning)>, Refusal> {
    one_channel(replica)?;
    if let Some(positioning) = recorded(snapshot, replica, source) {
        return Ok(Some((Technique::Equivalent, positioning)));
    }
    if let Some(technique) = through_binlog_servers(snapshot, replica, source) {
        return Ok(Some((technique, Positioning::At { peer: replica.key.clone(), place: Place::Executed })));
    }
    if replica.is_binlog_server() {
        let message = format!("{} is a binlog server: it can follow only who has the log that it reads", replica.key);
        return Err(Refusal::new("other-log", message));
    }
    by_position(snapshot, replica, source, settings)
}

/// The place that is recorded for where the replica stands, if it stands still: one that goes on has left it before it is stopped.
fn recorded(snapshot: &Snapshot, replica: &Instance, source: &Instance) -> Option<Positioning> {
    let channel = &replica.replication;
    let stands = !channel.applier.is_running() || (!channel.receiver.is_running() && channel.read == channel.exec);
    if replica.is_binlog_server() || !stands {
        return None;
    }
    let at = snapshot.annotations.equivalences.on(&channel.source, &channel.exec, &source.key)?;
    Some(Positioning::Coordinates { at: at.clone() })
}

/// The ways that a binlog server opens: its log is that of its source, byte by byte.
fn through_binlog_servers(snapshot: &Snapshot, replica: &Instance, source: &Instance) -> Option<Technique> {
    let (own, theirs) = (log_of(snapshot, &replica.replication.source)?, log_of(snapshot, &source.key)?);
    if own == theirs {
        return Some(Technique::SameLog);
    }
    source.is_binlog_server().then_some(Technique::ThroughItsSource)
}

/// Whose log a server has: its own, or for a binlog server that of the first server above it that is none. `None` where the chain has no
/// end.
pub fn log_of<'a>(snapshot: &'a Snapshot, key: &'a InstanceKey) -> Option<&'a InstanceKey> {
    let mut at = key;
    for _ in 0..LONGEST_CHAIN {
        match snapshot.get(at) {
            Some(server) if server.is_binlog_server() && server.is_replica() => at = &server.replication.source,
            _ => return Some(at),
        }
    }
    None
}
