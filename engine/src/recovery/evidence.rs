//! What a replica's receiver says about its source, for every flow alike. An applier that stands still says nothing (`safety.md`).

use app::topology::{Instance, ThreadState};

use super::machine::Machine;

impl Machine {
    /// A replica of the server that is believed dead still gets its events.
    pub(super) fn receives_from_failed(&self, replica: &Instance) -> bool {
        replica.replication.source == self.failed && receives(replica)
    }
}

/// The receiver gets, or says it gets, events. One that has heard nothing for too long has lost its source and does not know it yet. It
/// is the limit of analysis: with a longer one here, a recovery that analysis calls for would give up at once, again and again.
pub(super) fn receives(replica: &Instance) -> bool {
    replica.replication.receiver.is_running() && replica.replication.unheard_for().is_none()
}

/// The receiver runs or tries to.
pub(super) fn wants_to_receive(replica: &Instance) -> bool {
    matches!(replica.replication.receiver, ThreadState::Running | ThreadState::Other)
}
