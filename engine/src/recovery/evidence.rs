//! What a replica's receiver says about its source, for every flow alike. An applier that stands still says nothing (`safety.md`).

use app::topology::{Instance, ThreadState};

use super::machine::Machine;

impl Machine {
    /// A replica of the server that is believed dead still gets its events.
    pub(super) fn receives_from_failed(&self, replica: &Instance) -> bool {
        replica.replication.source == self.failed && receives(replica)
    }
}

/// The receiver gets, or says it gets, events. A receiver that has heard nothing for two heartbeats and a second has lost
/// its source and does not know it yet. It is the limit of analysis: with a longer one here, a recovery that analysis calls for would
/// give up at once, again and again.
pub(super) fn receives(replica: &Instance) -> bool {
    let channel = &replica.replication;
    let silent = match (channel.heartbeat_age_ms, channel.heartbeat_period_ms) {
        (Some(age), Some(period)) if period > 0 => age > period.saturating_mul(2).saturating_add(1_000),
        _ => false,
    };
    channel.receiver.is_running() && !silent
}

/// The receiver runs or tries to.
pub(super) fn wants_to_receive(replica: &Instance) -> bool {
    matches!(replica.replication.receiver, ThreadState::Running | ThreadState::Other)
}
