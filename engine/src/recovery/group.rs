//! A dead group member that had asynchronous replicas (`spec/recovery.md` 3.9): the group heals itself, the replicas go below another
//! member.
//!
//! The original takes any member at random and does not look at it. Here every member is read first, and the replicas go to one that is
//! online in the group and that they can follow: in the dead one's data centre before elsewhere, a secondary before the primary, which
//! has work enough.

use std::collections::BTreeSet;

use app::InstanceKey;
use app::topology::{Instance, Snapshot};

use super::machine::Machine;
use crate::candidate::Veto;

impl Machine {
    /// The other members of the dead server's group take part as possible new sources.
    pub(super) fn add_group(&mut self, snapshot: &Snapshot) {
        let Some(last) = snapshot.get(&self.failed) else { return };
        let of_group = |i: &Instance| i.key != last.key && i.is_group_member() && i.group.name == last.group.name;
        let mut members: BTreeSet<InstanceKey> = last.group.members.iter().cloned().collect();
        members.extend(snapshot.instances.values().filter(|i| of_group(i)).map(|i| i.key.clone()));
        members.remove(&last.key);
        for key in members.iter().filter(|key| key.is_valid()) {
            if !self.participants.contains_key(key) {
                self.add(snapshot, key);
            }
        }
    }

    /// Members that can take the replicas, best first.
    pub(super) fn group_sources(&self) -> Vec<&Instance> {
        let Some(last) = self.failed_last.as_deref() else { return vec![] };
        let mut members: Vec<&Instance> =
            self.alive_replicas().filter(|s| self.is_of_group(s) && member_veto(s).is_none()).collect();
        members.sort_by_key(|s| {
            let place = (s.data_center != last.data_center, s.environment != last.environment);
            (place, s.group.role == "PRIMARY", s.replicas.len(), s.key.clone())
        });
        members
    }

    /// Members that cannot, each with its reason.
    pub(super) fn group_refusals(&self) -> Vec<(InstanceKey, Veto)> {
        let members = self.alive_replicas().filter(|s| self.is_of_group(s));
        let mut refusals: Vec<(InstanceKey, Veto)> =
            members.filter_map(|s| Some((s.key.clone(), member_veto(s)?))).collect();
        let silent = self.participants.iter().filter(|(key, p)| **key != self.failed && p.gone.is_some());
        let silent = silent.filter(|(key, _)| self.facts.get(*key).is_some_and(|s| self.is_of_group(s)));
        refusals.extend(silent.map(|(key, _)| {
            (key.clone(), Veto::new("unreachable", format!("it cannot be reached: {}", self.trouble_of(key))))
        }));
        refusals
    }

    /// Read now, or known from before, as a member of the dead server's group.
    fn is_of_group(&self, server: &Instance) -> bool {
        let Some(last) = self.failed_last.as_deref() else { return false };
        let named = server.group.name == last.group.name && !server.group.name.is_empty();
        named || last.group.members.contains(&server.key)
    }
}

fn member_veto(member: &Instance) -> Option<Veto> {
    if member.group.state != "ONLINE" {
        let state = if member.group.state.is_empty() { "unknown" } else { member.group.state.as_str() };
        return Some(Veto::new("group-state", format!("its state in the group is {state}")));
    }
    (!member.can_feed_replicas()).then(|| Veto::new("no-log-replica-updates", "it does not log what it applies"))
}
