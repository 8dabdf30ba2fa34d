//! The live picture: every server as last seen and everything operators said, in memory.
//!
//! Reads, analysis and pages are answered from here and never wait for the backend, which is only the
//! picture's memory across restarts (`docs/ARCHITECTURE.md`). What changed is handed to the journal, which
//! writes it behind, in batches.

mod observation;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::event::EventBody;
use app::topology::{Annotations, Check, Instance, Snapshot};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use engine::attribution::{self, AttributionRules};

pub use observation::{Observation, Outcome};

use crate::events::EventBus;

/// Servers whose rows the backend does not have yet.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// Rows to write whole.
    pub changed: Vec<Arc<Instance>>,
    /// Rows to delete.
    pub forgotten: Vec<InstanceKey>,
}

/// What an observation did to the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// The server was not known before.
    New,
    /// Something other than counters and times changed.
    Changed,
    /// Nothing worth telling.
    Same,
    /// Not recorded: the server is being forgotten, or a failed probe of a server nobody knows.
    Ignored,
}

/// The live picture. All methods are quick and none waits for I/O.
#[derive(Debug)]
pub struct Fleet {
    inner: Mutex<Inner>,
    events: Arc<EventBus>,
}

#[derive(Debug, Default)]
struct Inner {
    instances: BTreeMap<InstanceKey, Arc<Instance>>,
    annotations: Arc<Annotations>,
    rules: AttributionRules,
    /// Who replicates from whom may have changed since names and depths were worked out.
    structure_changed: bool,
    /// The snapshot as of the last change; `None` when something changed since it was made.
    cached: Option<Arc<BTreeMap<InstanceKey, Arc<Instance>>>>,
    changed: BTreeSet<InstanceKey>,
    forgotten: BTreeSet<InstanceKey>,
    /// Keys that must not come back before this time (`spec/discovery.md` 28, forget cache).
    barred: BTreeMap<InstanceKey, DateTime<Utc>>,
    /// Where binary logs ended a while ago.
    places: places::Places,
    /// Clusters into which pseudo-GTID entries are injected; `None` where servers tell themselves that they have some.
    injected: Option<BTreeSet<String>>,
}

impl Fleet {
    /// An empty picture that tells its changes on `events`.
    pub fn new(events: Arc<EventBus>) -> Self {
        Self { inner: Mutex::new(Inner::default()), events }
    }

    /// Fills the picture with what the backend remembers. Servers already observed keep their newer state.
    pub fn load<I: Into<Arc<Instance>>>(&self, instances: Vec<I>, annotations: Annotations) {
        let mut inner = self.lock();
        for instance in instances.into_iter().map(Into::into) {
            inner.instances.entry(instance.key.clone()).or_insert(instance);
        }
        inner.annotations = Arc::new(annotations);
        inner.structure_changed = true;
        inner.cached = None;
    }

    /// Replaces the rules by which cluster names, aliases and errant transactions are worked out.
    pub fn set_rules(&self, rules: AttributionRules) {
        let mut inner = self.lock();
        inner.rules = rules;
        inner.structure_changed = true;
        inner.cached = None;
    }

    /// Servers and annotations at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let mut inner = self.lock();
        inner.attribute();
        let inner = &mut *inner;
        let instances = inner.cached.get_or_insert_with(|| Arc::new(inner.instances.clone()));
        Snapshot { instances: Arc::clone(instances), annotations: Arc::clone(&inner.annotations), at: Utc::now() }
    }

    /// One server as last seen.
    pub fn get(&self, key: &InstanceKey) -> Option<Arc<Instance>> {
        let mut inner = self.lock();
        inner.attribute();
        inner.instances.get(key).cloned()
    }

    /// One server as last seen, with its name and depth as last worked out. Working them out takes a look at all servers,
    /// which each new one would cost while a tree is being found.
    pub fn glance(&self, key: &InstanceKey) -> Option<Arc<Instance>> {
        self.lock().instances.get(key).cloned()
    }

    /// A place in the newest binary log of a server where an event began, some minutes ago.
    pub fn recent_binlog(&self, key: &InstanceKey) -> Option<BinlogCoordinates> {
        self.lock().places.recent(key, Utc::now())
    }

    /// Says into which clusters pseudo-GTID entries are injected: their servers have pseudo-GTID, and no others. `None`: it is not
    /// known here.
    pub fn set_injected(&self, clusters: Option<BTreeSet<String>>) {
        let mut inner = self.lock();
        inner.attribute();
        inner.injected = clusters;
        inner.mark_injected();
    }

    /// Keys of all servers known.
    pub fn keys(&self) -> Vec<InstanceKey> {
        self.lock().instances.keys().cloned().collect()
    }

    /// Number of servers known.
    pub fn len(&self) -> usize {
        self.lock().instances.len()
    }

    /// No server is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The server was forgotten lately and must not be discovered again yet.
    pub fn is_barred(&self, key: &InstanceKey) -> bool {
        let now = Utc::now();
        self.lock().barred.get(key).is_some_and(|until| *until > now)
    }

    /// A probe of this server begins.
    pub fn attempt(&self, key: &InstanceKey, at: DateTime<Utc>) {
        let mut inner = self.lock();
        if let Some(instance) = inner.instances.get_mut(key) {
            Arc::make_mut(instance).check.last_attempted = Some(at);
            inner.cached = None;
        }
    }

    /// An idle session to this server has waited for an answer since then; `None`: it waits no longer.
    pub fn unanswered(&self, key: &InstanceKey, since: Option<DateTime<Utc>>) {
        {
            let mut inner = self.lock();
            let Some(instance) = inner.instances.get_mut(key) else { return };
            Arc::make_mut(instance).check.unanswered_since = since;
            inner.cached = None;
        }
        // Whoever watches the picture looks at it now.
        self.tell(key);
    }

    /// Records what a probe brought home.
    pub fn observe(&self, observation: Observation) -> Observed {
        let Observation { probed, started, ended, outcome } = observation;
        let (key, observed) = {
            let mut inner = self.lock();
            match outcome {
                Outcome::Skipped => (probed, Observed::Ignored),
                Outcome::Seen(instance) => {
                    let key = instance.key.clone();
                    (key, inner.see(*instance, &probed, started, ended))
                }
                Outcome::Partial { known, error } => {
                    let key = known.key.clone();
                    (key, inner.see_partly(*known, started, ended, error))
                }
                Outcome::Failed { error } => {
                    let observed = inner.miss(&probed, started, ended, error, false);
                    (probed, observed)
                }
            }
        };
        if matches!(observed, Observed::New | Observed::Changed) {
            self.tell(&key);
        }
        observed
    }

    /// Forgets a server and keeps it out until `barred_until`. `false` when it was not known.
    pub fn forget(&self, key: &InstanceKey, barred_until: DateTime<Utc>) -> bool {
        let removed = {
            let mut inner = self.lock();
            inner.barred.insert(key.clone(), barred_until);
            inner.changed.remove(key);
            let removed = inner.instances.remove(key);
            if removed.is_some() {
                inner.forgotten.insert(key.clone());
                inner.structure_changed = true;
                inner.cached = None;
            }
            removed
        };
        if let Some(instance) = &removed {
            self.events
                .publish(EventBody::InstanceForgotten { key: key.clone(), cluster: instance.cluster_name.clone() });
        }
        removed.is_some()
    }

    /// Lets a forgotten server be discovered again, because somebody asked for it.
    pub fn unbar(&self, key: &InstanceKey) {
        self.lock().barred.remove(key);
    }

    /// Changes the annotations and tells about it.
    pub fn annotate(&self, about: &InstanceKey, change: impl FnOnce(&mut Annotations)) {
        let cluster = {
            let mut inner = self.lock();
            change(Arc::make_mut(&mut inner.annotations));
            inner.structure_changed = true;
            inner.cached = None;
            inner.instances.get(about).map(|i| i.cluster_name.clone()).unwrap_or_default()
        };
        self.events.publish(EventBody::Annotation { key: about.clone(), cluster });
    }

    /// The annotations at this moment, to be compared with what the backend has.
    pub fn annotations(&self) -> Arc<Annotations> {
        Arc::clone(&self.lock().annotations)
    }

    /// Takes over annotations that another process recorded in the backend, unless ours have changed since `seen`.
    /// `true` when they were taken.
    pub fn adopt(&self, seen: &Arc<Annotations>, recorded: Annotations) -> bool {
        {
            let mut inner = self.lock();
            if !Arc::ptr_eq(&inner.annotations, seen) || *inner.annotations == recorded {
                return false;
            }
            inner.annotations = Arc::new(recorded);
            inner.structure_changed = true;
            inner.cached = None;
        }
        self.events.publish(EventBody::Annotation { key: InstanceKey::default(), cluster: String::new() });
        true
    }

    /// Takes what the backend has not got yet. What cannot be written is handed back with [`Self::unwritten_again`].
    pub fn take_unwritten(&self) -> Unwritten {
        let mut inner = self.lock();
        inner.attribute();
        inner.barred.retain(|_, until| *until > Utc::now());
        let changed = std::mem::take(&mut inner.changed);
        Unwritten {
            changed: changed.iter().filter_map(|key| inner.instances.get(key).cloned()).collect(),
            forgotten: std::mem::take(&mut inner.forgotten).into_iter().collect(),
        }
    }

    /// Hands back what could not be written; it is taken again next time, as it is then.
    pub fn unwritten_again(&self, unwritten: &Unwritten) {
        let mut inner = self.lock();
        inner.changed.extend(unwritten.changed.iter().map(|i| i.key.clone()));
        let gone: Vec<_> =
            unwritten.forgotten.iter().filter(|key| !inner.instances.contains_key(*key)).cloned().collect();
        inner.forgotten.extend(gone);
    }

    /// Hands back servers that the backend does not take for now.
    pub fn not_written(&self, keys: &[InstanceKey]) {
        self.lock().changed.extend(keys.iter().cloned());
    }

    /// Servers that wait to be written.
    pub fn count_unwritten(&self) -> usize {
        let inner = self.lock();
        inner.changed.iter().filter(|key| inner.instances.contains_key(*key)).count() + inner.forgotten.len()
    }

    fn tell(&self, key: &InstanceKey) {
        // Names are worked out when somebody looks, not here: while a tree is being found, that would cost a look
        // at all servers for each new one.
        let cluster = self.lock().instances.get(key).map(|i| i.cluster_name.clone()).unwrap_or_default();
        self.events.publish(EventBody::Instance { key: key.clone(), cluster });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock cannot leave half an update behind: every change is one insert.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn see(
        &mut self,
        mut seen: Instance,
        probed: &InstanceKey,
        started: DateTime<Utc>,
        ended: DateTime<Utc>,
    ) -> Observed {
        let key = seen.key.clone();
        if self.barred.get(&key).is_some_and(|until| *until > ended) {
            return Observed::Ignored;
        }
        seen.check.last_attempted = Some(started);
        seen.check.last_checked = Some(ended);
        seen.check.last_seen = Some(ended);
        seen.check.partial_success = true;
        seen.check.error = String::new();
        seen.check.unanswered_since = None;
        let before = self.instances.get(&key).cloned();
        if let Some(before) = &before {
            if before.check.last_attempted.is_some_and(|at| at > started) && before.check.is_valid() {
                // A slower probe that began earlier must not turn the picture back.
                return Observed::Ignored;
            }
            carry_over(&mut seen, before);
            compare_channels(&mut seen, before, [started, ended]);
        }
        if let Some(clusters) = &self.injected {
            seen.uses_pseudo_gtid = clusters.contains(&seen.cluster_name);
        }
        self.places.note(&key, &seen.binlog, ended);
        if *probed != key && self.instances.remove(probed).is_some() {
            // The server told its real name: the name it was found under is not another server.
            self.changed.remove(probed);
            self.forgotten.insert(probed.clone());
            self.structure_changed = true;
        }
        let observed = match &before {
            None => Observed::New,
            Some(before) if !same_for_people(before, &seen) => Observed::Changed,
            Some(_) => Observed::Same,
        };
        let moved = before.as_ref().is_none_or(|b| !same_place(b, &seen));
        self.structure_changed |= moved;
        self.instances.insert(key.clone(), Arc::new(seen));
        if !moved {
            self.reckon_errant(&key);
        }
        self.cached = None;
        self.changed.insert(key);
        observed
    }

    /// The basics were read: they are news, but the check is not a good one.
    fn see_partly(
        &mut self,
        mut known: Instance,
        started: DateTime<Utc>,
        ended: DateTime<Utc>,
        error: String,
    ) -> Observed {
        let key = known.key.clone();
        if self.barred.get(&key).is_some_and(|until| *until > ended) {
            return Observed::Ignored;
        }
        let Some(before) = self.instances.get(&key).cloned() else {
            known.check = Check { last_attempted: Some(started), last_checked: Some(ended), ..Check::default() };
            known.check.partial_success = true;
            known.check.error = error;
            self.insert(known);
            self.structure_changed = true;
            return Observed::New;
        };
        if before.check.last_attempted.is_some_and(|at| at > started) {
            return Observed::Ignored;
        }
        carry_over(&mut known, &before);
        known.check = before.check.clone();
        self.structure_changed |= !same_place(&before, &known);
        self.insert(known);
        self.miss(&key, started, ended, error, true)
    }

    fn insert(&mut self, instance: Instance) {
        self.cached = None;
        self.changed.insert(instance.key.clone());
        self.instances.insert(instance.key.clone(), Arc::new(instance));
    }

    fn miss(
        &mut self,
        key: &InstanceKey,
        started: DateTime<Utc>,
        ended: DateTime<Utc>,
        error: String,
        partial: bool,
    ) -> Observed {
        let Some(known) = self.instances.get_mut(key) else { return Observed::Ignored };
        let known = Arc::make_mut(known);
        let was_valid = known.check.is_valid();
        if known.check.last_attempted.is_some_and(|at| at > started) {
            return Observed::Ignored;
        }
        // A success that ended within the same instant as this failure must still count as over.
        let ended = known.check.last_seen.map_or(ended, |seen| ended.max(seen + chrono::TimeDelta::microseconds(1)));
        known.check.last_attempted = Some(started);
        known.check.last_checked = Some(ended);
        known.check.partial_success = partial;
        let changed = was_valid || known.check.error != error;
        known.check.error = error;
        self.cached = None;
        self.changed.insert(key.clone());
        if changed { Observed::Changed } else { Observed::Same }
    }

    /// Gives every server the mark that its cluster calls for.
    fn mark_injected(&mut self) {
        let Some(clusters) = &self.injected else { return };
        let marked = |i: &Instance| clusters.contains(&i.cluster_name);
        let wrong: Vec<InstanceKey> =
            self.instances.values().filter(|i| i.uses_pseudo_gtid != marked(i)).map(|i| i.key.clone()).collect();
        for key in wrong {
            if let Some(instance) = self.instances.get_mut(&key) {
                let instance = Arc::make_mut(instance);
                instance.uses_pseudo_gtid = !instance.uses_pseudo_gtid;
            }
            self.changed.insert(key);
            self.cached = None;
        }
    }

    /// Works out names, depths and errant transactions again if somebody moved.
    fn attribute(&mut self) {
        if !std::mem::take(&mut self.structure_changed) {
            return;
        }
        let snapshot = Snapshot {
            instances: Arc::new(self.instances.clone()),
            annotations: Arc::clone(&self.annotations),
            at: Utc::now(),
        };
        for changed in attribution::attribute(&snapshot, &self.rules) {
            self.changed.insert(changed.key.clone());
            self.instances.insert(changed.key.clone(), Arc::new(changed));
        }
        self.cached = None;
    }

    /// Works out the errant transactions of one server whose place did not change.
    fn reckon_errant(&mut self, key: &InstanceKey) {
        let Some(instance) = self.instances.get(key) else { return };
        let errant = attribution::errant_among(instance, |key| self.instances.get(key).map(AsRef::as_ref));
        if let Some(instance) = self.instances.get_mut(key).filter(|i| i.errant_gtid != errant) {
            Arc::make_mut(instance).errant_gtid = errant;
        }
    }
}

/// What is worked out from the whole picture, not read from the server, stays until it is worked out anew.
fn carry_over(seen: &mut Instance, before: &Instance) {
    seen.cluster_name.clone_from(&before.cluster_name);
    seen.depth = before.depth;
    seen.is_co_source = before.is_co_source;
    seen.ancestry.clone_from(&before.ancestry);
    seen.errant_gtid.clone_from(&before.errant_gtid);
    if seen.suggested_cluster_alias.is_empty() {
        seen.suggested_cluster_alias.clone_from(&before.suggested_cluster_alias);
    }
}

/// What each receiver heard since the last good probe, which ran until `last_seen`.
fn compare_channels(seen: &mut Instance, before: &Instance, this: [DateTime<Utc>; 2]) {
    let Some(ended) = before.check.last_seen else { return };
    let began = ended - chrono::TimeDelta::nanoseconds(before.check.latency_ns);
    for channel in std::iter::once(&mut seen.replication).chain(&mut seen.channels) {
        let earlier =
            before.channels.iter().chain([&before.replication]).find(|known| known.channel == channel.channel);
        if let Some(earlier) = earlier {
            channel.compare_with(earlier, [began, ended], this);
        }
    }
}

/// Nothing that cluster names and depths rest on differs.
fn same_place(a: &Instance, b: &Instance) -> bool {
    a.replication.source == b.replication.source
        && a.channels.len() == b.channels.len()
        && a.channels.iter().zip(&b.channels).all(|(x, y)| x.source == y.source)
        && a.group == b.group
        && a.server_uuid == b.server_uuid
        && a.suggested_cluster_alias == b.suggested_cluster_alias
        && a.replication.is_configured() == b.replication.is_configured()
}

/// Nothing a person would want to see at once differs: counters, positions and times may.
fn same_for_people(a: &Instance, b: &Instance) -> bool {
    let still = |i: &Instance| {
        let mut i = i.clone();
        i.uptime = 0;
        i.check = Check::default();
        i.binlog = app::BinlogCoordinates::default();
        i.executed_gtid.clear();
        i.purged_gtid.clear();
        for channel in std::iter::once(&mut i.replication).chain(&mut i.channels) {
            channel.read = app::BinlogCoordinates::default();
            channel.exec = app::BinlogCoordinates::default();
            channel.relay = app::BinlogCoordinates::default();
            channel.retrieved_gtid.clear();
            channel.heartbeat_age_ms = None;
            channel.heartbeats = None;
            channel.unchanged_since = None;
            channel.receiver_status.clear();
        }
        i
    };
    a.check.is_valid() == b.check.is_valid() && still(a) == still(b)
}

#[cfg(test)]
mod tests;
