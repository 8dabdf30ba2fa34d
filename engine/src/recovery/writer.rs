//! A source that is read-only although nobody told it to be (`spec/recovery.md` 3.11, `RecoverNonWriteableMaster`).
//!
//! Making a server writable is the one step that can give a cluster two primaries, so more is looked at than the original does: the
//! source must not be one that a recovery replaced, it must have a replica that receives from it, and none of its replicas may take
//! writes.

use app::plan::{Action, Condition, Step};
use app::topology::Snapshot;
use chrono::{DateTime, Utc};

use super::LOST_IN_RECOVERY;
use super::machine::Machine;
use super::state::{Next, Phase};

impl Machine {
    /// A source that a recovery left behind is read-only on purpose.
    pub(super) fn note_replaced(&mut self, snapshot: &Snapshot) {
        let downtime = snapshot.annotations.active_downtime(&self.failed, snapshot.at);
        self.was_replaced = downtime.is_some_and(|d| d.reason == LOST_IN_RECOVERY);
    }

    pub(super) fn judge_writer(&mut self, now: DateTime<Utc>) -> Next {
        let failed = self.failed.clone();
        let Some(source) = self.alive(&failed).cloned() else {
            let message = format!("{failed} cannot be reached ({}): it is not made writable", self.trouble_of(&failed));
            return Next::Go(self.roll_back(now, "out-of-sight", message));
        };
        if !source.read_only {
            return self.nothing_left(now, &format!("{failed} takes writes"));
        }
        let refusal = if self.was_replaced {
            Some(("was-replaced", format!("{failed} is in downtime {LOST_IN_RECOVERY}: it was replaced by a recovery")))
        } else if source.is_replica() && !source.replication.source.is_detached() {
            Some(("not-supported", format!("{failed} replicates from {}: it is no source", source.replication.source)))
        } else if let Some(writer) = self.alive_replicas().find(|r| !r.read_only) {
            Some(("two-writers", format!("{} takes writes: two servers must not", writer.key)))
        } else if !self.alive_replicas().any(|r| self.receives_from_failed(r)) {
            Some(("no-reachable-replica", format!("no replica that can be reached receives from {failed}")))
        } else {
            None
        };
        if let Some((code, message)) = refusal {
            return Next::Go(self.roll_back(now, code, message));
        }
        self.tell(now, format!("{failed} is read-only and nobody else takes writes: it is made writable"));
        self.attempts = 0;
        Next::Go(Phase::OpenWriter)
    }

    /// What was to be put right is right: by this recovery, or without it.
    pub(super) fn nothing_left(&mut self, now: DateTime<Utc>, state: &str) -> Next {
        if self.participants.values().any(|p| p.touched) {
            self.chosen = Some(self.failed.clone());
            return Next::Finish;
        }
        Next::Go(self.roll_back(now, "nothing-to-do", format!("{state}: there is nothing to put right")))
    }

    pub(super) fn enter_open_writer(&self) -> Vec<Step> {
        let mut list = self.list();
        let Some(source) = self.alive(&self.failed) else { return vec![] };
        let acknowledged = source.semi_sync.available && source.semi_sync.priority > 0;
        if acknowledged && !source.semi_sync.source_enabled && self.enough_acknowledge(source) {
            let reason = "its writes shall be acknowledged from the first one on";
            list.push(source, 1, Action::SetSemiSyncSource { on: true }, reason);
        }
        let action = Action::SetReadOnly { on: false, super_too: true };
        list.push(source, 2, action, "a cluster without a writable server serves nobody");
        let expect = vec![Condition::ReadOnly { on: false }];
        list.push(source, 3, Action::Verify { expect }, "what was done is read back");
        list.finish()
    }

    pub(super) fn judge_open_writer(&mut self, now: DateTime<Utc>) -> Next {
        let failed = self.failed.clone();
        if self.alive(&failed).is_some_and(|s| !s.read_only) {
            self.tell(now, format!("{failed} takes writes"));
            self.chosen = Some(failed);
            return Next::Finish;
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts < 2 && self.is_alive(&failed) {
            return Next::Go(Phase::OpenWriter);
        }
        let message = format!("{failed} could not be made writable");
        Next::Go(self.roll_back(now, "promotion-failed", message))
    }
}
