//! What a replica tells about its source.
//!
//! Only its *receiver* can tell anything. Whether the applier runs says what the replica does with what it has, and
//! somebody may have stopped it on purpose.
//!
//! | the replica | tells |
//! |---|---|
//! | cannot be read by us | nothing |
//! | receiver runs | the source serves, whatever error number is left over from an earlier try: a server says `Yes` only while it is connected |
//! | receiver runs, but has heard nothing for longer than a source that serves is ever silent ([`Replication::unheard_for`]) | the source is silent: a hung or cut-off host resets no connection, so the receiver says `Yes` until its own time-out |
//! | receiver tries to connect, or stopped, with a lost-connection error | the source cannot be reached from there |
//! | receiver stopped without such an error | nothing: somebody stopped it, or it failed for another reason. With the original, such a replica does not stand against a source being dead; the evidence says so |
//! | any of the last three, read before we last reached the source ourselves | nothing yet: it may be a trouble that is over. The replica has to be read again before the source can be called dead |

use app::topology::{Instance, Replication, ThreadState};

/// What one replica tells about its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Testimony {
    /// The replica itself cannot be read.
    Unreadable,
    /// The receiver runs: the source serves.
    Receiving,
    /// The receiver runs but has heard nothing for this many milliseconds.
    Silent(u64),
    /// The receiver cannot connect.
    CannotConnect,
    /// The receiver is stopped, or struggles, for another reason.
    NotReceiving,
    /// The receiver had failed, but that was before the source last answered us.
    Outdated,
}

impl Testimony {
    /// What `replica` tells by `channel` about `source`.
    pub(super) fn of(
        replica: &Instance,
        replica_valid: bool,
        channel: &Replication,
        source: &Instance,
        source_valid: bool,
    ) -> Self {
        if !replica_valid {
            return Self::Unreadable;
        }
        let told = Self::of_channel(channel);
        let before_source = replica.check.last_seen < source.check.last_seen;
        if told != Self::Receiving && !source_valid && before_source { Self::Outdated } else { told }
    }

    fn of_channel(channel: &Replication) -> Self {
        if channel.receiver == ThreadState::Running {
            return channel.unheard_for().map_or(Self::Receiving, Self::Silent);
        }
        if channel.fails_to_connect() { Self::CannotConnect } else { Self::NotReceiving }
    }

    /// Stands against calling the source dead.
    pub(super) fn speaks_for_source(self) -> bool {
        matches!(self, Self::Receiving | Self::Outdated)
    }
}
