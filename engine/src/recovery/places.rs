//! A dead source whose replicas use no GTID (`spec/recovery.md` 3.7.3).
//!
//! They all had the same source, so how far each is in its log compares them: whoever is furthest is promoted. It stands still by then,
//! so the end of its own log stands for its place in the old source's log. Replicas at the same place go on from there; those that are
//! behind find theirs by pseudo-GTID, and a replica whose place is not proven is not repointed.
//!
//! Of two co-sources only the other one may take over, because what it wrote itself is not in the log by which replicas are compared.
//! For the same reason the end of its log stands for nobody's place: the others follow it by pseudo-GTID only.

use app::InstanceKey;
use app::plan::{Action, Condition, Positioning};
use app::recovery::RecoveryKind;
use app::topology::Instance;
use chrono::{DateTime, Utc};

use super::machine::Machine;
use super::regrouping::Regrouping;
use super::state::{Next, Participant, Phase};
use crate::candidate::can_follow_by_place;
use crate::plan::{StepList, push_find_place};

impl Machine {
    /// Decides by what replicas are compared; `Some` ends the recovery, nothing having been changed.
    pub(super) fn judge_measure(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let replicas: Vec<Instance> = self.alive_replicas().map(|r| self.with_channel(r)).collect();
        let regrouping = Regrouping::of(&replicas);
        let message = match regrouping.refusal() {
            Some(message) => message.to_owned(),
            None if regrouping != Regrouping::Position => return None,
            None => {
                if !self.by_place {
                    let message =
                        "no replica uses GTID: they are compared by their places in the log of the old source";
                    self.tell(now, message);
                }
                self.by_place = true;
                return None;
            }
        };
        Some(Next::Go(self.roll_back(now, "needs-position-matching", message)))
    }

    /// The source is alive, and read-only by now: its replicas get all that is in its log. Whoever does not is behind the place that is known
    /// of it, and is not promoted.
    pub(super) fn push_follow_to_end(&self, list: &mut StepList<'_>, replica: &Instance, source: &Instance) {
        let expect = vec![Condition::ExecutedIs { at: source.binlog.clone() }];
        let reason = "nothing that the old primary committed shall be lost";
        list.push(replica, 1, Action::Verify { expect }, reason).timeout_ms = self.settings.timeouts.catch_up_ms;
    }

    /// Drains a replica and makes it stand still: only then its place is exact.
    pub(super) fn push_stand_still(&self, list: &mut StepList<'_>, replica: &Instance) {
        let reason = "what it received and has not applied must not be lost";
        list.push(replica, 1, Action::Drain, reason);
        list.push(replica, 2, Action::StopReplication, "its place in the log is exact only when it stands still");
    }

    /// Still to be drained, or drained and not standing still.
    pub(super) fn is_on_its_way(&self, replica: &Instance) -> bool {
        self.participants.get(&replica.key).is_some_and(|p| p.place.is_none())
    }

    /// Why a replica is not chosen once everybody was drained.
    pub(super) fn why_not_placed(&self, participant: &Participant, drained: bool) -> Option<String> {
        let lacks = self.by_place && drained && participant.gone.is_none() && participant.place.is_none();
        lacks.then(|| "it has not applied all that it received, or could not be made to stand still".to_owned())
    }

    /// Somebody was lost in the middle of a promotion, and may have taken writes: by their places nobody can tell who has got what of
    /// them. So the next one takes over only where it is certain that nobody has got any; `Some` ends the recovery.
    pub(super) fn judge_writes_of_lost(&mut self, now: DateTime<Utc>) -> Option<Next> {
        let lost: Vec<InstanceKey> =
            self.fence.iter().filter(|k| self.by_place && **k != self.failed).cloned().collect();
        let (key, why) = lost.into_iter().find_map(|key| Some((key.clone(), self.who_may_have_writes_of(&key)?)))?;
        // What replicates from it stays below it: it may be the primary.
        self.no_way_back = true;
        let message = format!(
            "{key} was lost while it was promoted, and {why}; without GTID it cannot be told who has got what of its writes. See which server has them, and promote that one"
        );
        Some(Next::Go(self.roll_back(now, "out-of-sight", message)))
    }

    /// Why it is not certain that nobody has got anything that the lost server wrote since it was chosen.
    fn who_may_have_writes_of(&self, lost: &InstanceKey) -> Option<String> {
        let Some(end) = self.chosen_end.as_ref().filter(|_| self.kind == RecoveryKind::Source) else {
            return Some("nobody else may take over".to_owned());
        };
        if let Some(back) = self.alive(lost).filter(|server| server.binlog != *end) {
            return Some(format!("it is back, and its log has gone on from {end} to {}", back.binlog));
        }
        let others = || self.participants.iter().filter(|(key, _)| *key != lost && **key != self.failed);
        if let Some((key, _)) = others().find(|(_, p)| p.touched && p.gone.is_some()) {
            return Some(format!("{key}, which may have followed it, cannot be reached"));
        }
        others().filter_map(|(key, _)| self.alive(key)).find_map(|replica| {
            let read = &replica.replication.read;
            let beyond = replica.replication.source == *lost && read != end;
            beyond.then(|| format!("{} has received from it up to {read}, beyond {end}", replica.key))
        })
    }

    /// Remembers the places of those that have been drained and stand still.
    pub(super) fn note_places(&mut self) {
        let standing: Vec<(InstanceKey, app::BinlogCoordinates)> = self
            .alive_replicas()
            .filter(|r| r.replication.source == self.failed && r.replication.threads_stopped())
            .map(|r| (r.key.clone(), r.replication.exec.clone()))
            .collect();
        for (key, place) in standing {
            if let Some(participant) = self.participants.get_mut(&key).filter(|p| p.drained && p.place.is_none()) {
                participant.place = Some(place);
            }
        }
    }

    /// The chosen one stands still: the end of its log is as far as all that it has.
    pub(super) fn note_end_of_chosen(&mut self) {
        if self.by_place {
            let chosen = self.chosen.as_ref().and_then(|key| self.alive(key));
            self.chosen_end = chosen.map(|server| server.binlog.clone()).filter(|at| !at.is_empty());
        }
    }

    /// How a replica finds its place below the chosen one; adds the look for it where that is by pseudo-GTID.
    pub(super) fn place_below(
        &self,
        list: &mut StepList<'_>,
        replica: &Instance,
        source: &InstanceKey,
    ) -> Option<Positioning> {
        let place = |key: &InstanceKey| self.participants.get(key).and_then(|p| p.place.as_ref());
        let (own, other) = (place(&replica.key)?, place(source)?);
        if own == other && self.kind == RecoveryKind::Source {
            return self.chosen_end.clone().map(|at| Positioning::Coordinates { at });
        }
        if !self.promoted {
            // It would get the rest of what the chosen one has, and then its place would be another one if that one is lost.
            return None;
        }
        push_find_place(list, replica, source, 2);
        Some(Positioning::Matched)
    }

    /// Whether a replica may follow the chosen one.
    pub(super) fn may_follow_by_place(&self, replica: &Instance, source: &Instance) -> Result<(), String> {
        let (replica, source) = (self.with_channel(replica), self.with_channel(source));
        if self.participants.get(&replica.key).is_some_and(|p| p.place.is_none()) {
            return Err(format!("{} has not applied all that it received", replica.key));
        }
        let has_own_writes = self.kind == RecoveryKind::CoSource;
        if has_own_writes && !(replica.uses_pseudo_gtid && source.uses_pseudo_gtid) {
            return Err(format!(
                "without GTID or pseudo-GTID it is not known what {} has got of the writes of {}",
                replica.key, source.key
            ));
        }
        can_follow_by_place(&replica, &source, &self.settings.choice)
    }

    /// A replica of the failed source that has received more than when it was first read, without GTID.
    pub(super) fn grown_by_place(&self) -> Option<(InstanceKey, String)> {
        self.alive_replicas().filter(|_| self.by_place).find_map(|replica| {
            let before = &self.before(&replica.key)?.channel;
            let same = before.source == self.failed && replica.replication.source == self.failed;
            let (then, now) = (&before.read, &replica.replication.read);
            (same && !then.is_empty() && now > then).then(|| (replica.key.clone(), format!("up to {now}")))
        })
    }

    /// How a replica is put back below its source without GTID: at the place where it stood still.
    pub(super) fn place_before(&self, key: &InstanceKey) -> Positioning {
        match self.participants.get(key).and_then(|p| p.place.clone()) {
            Some(at) => Positioning::Coordinates { at },
            None => Positioning::AsBefore,
        }
    }

    /// Everybody is drained: choose.
    pub(super) fn places_are_known(&mut self, now: DateTime<Utc>) -> Next {
        let known = self.participants.values().filter(|p| p.place.is_some()).count();
        self.tell(now, format!("{known} replicas have applied all that they received and stand still"));
        self.attempts = 0;
        Next::Go(Phase::Choose)
    }
}
