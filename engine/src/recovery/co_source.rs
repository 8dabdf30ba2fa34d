//! A dead co-source (`spec/recovery.md` 3.8): two sources replicated from each other, and one of them is gone.
//!
//! It is the recovery of a dead source with one more rule, about the other co-source. As a rule that one takes over, because it may
//! have writes of its own; then the others follow it. Where somebody else may take over, the other co-source becomes a replica like the
//! rest. Either way the ring ends: whoever takes over replicates from nobody, unless `KeepCoSourceRing` says otherwise. All vetoes,
//! the fence and the record are those of a dead source.

use app::InstanceKey;
use app::recovery::RecoveryKind;
use app::topology::Instance;
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::state::Next;

impl Machine {
    /// The other co-source: the dead one's own source.
    pub(super) fn other_co_source(&self) -> Option<InstanceKey> {
        let last = self.failed_last.as_ref().filter(|_| self.kind == RecoveryKind::CoSource)?;
        Some(last.replication.source.reattached())
    }

    /// Decides whether only the other co-source may take over; `Some` ends the recovery, nothing having been changed.
    pub(super) fn judge_ring(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let other = self.other_co_source()?;
        if !self.participants.contains_key(&other) {
            let message = format!(
                "{} replicated from {other}, which does not replicate from it: a ring of more than two is not recovered",
                self.failed
            );
            return Some(Next::Go(self.roll_back(now, "not-supported", message)));
        }
        // One that cannot be reached counts as it was last seen: it may be taking writes now.
        let writeable = self.facts.get(&other).is_none_or(|server| !server.read_only);
        let why = match (writeable, self.settings.must_promote_other) {
            (true, _) => "it takes writes",
            (false, true) => "CoMasterRecoveryMustPromoteOtherCoMaster is set",
            (false, false) if self.by_place => "without GTID nobody can tell who else has what it wrote",
            (false, false) => return None,
        };
        if let Some(asked) = self.settings.designated.clone().filter(|asked| *asked != other) {
            let message = format!("{asked} was asked for, and only {other} may take over: {why}");
            return Some(Next::Go(self.roll_back(now, "no-candidate", message)));
        }
        if self.settings.designated.is_none() {
            self.tell(now, format!("only {other} may take over, the other co-source: {why}"));
            self.settings.designated = Some(other);
        }
        None
    }

    /// The server takes over and goes on naming the dead co-source as its source, as it does now.
    pub(super) fn keeps_ring(&self, server: &Instance) -> bool {
        let is_other = self.other_co_source().as_ref() == Some(&server.key);
        self.settings.keep_ring && is_other && server.replication.source == self.failed
    }
}
