//! What one node knows: it probes every server, and keeps what it read last.

use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Annotations, Instance, Snapshot};
use engine::attribution::{AttributionRules, attribute, errant};

use super::ledger::Set;
use super::probe::{unread, unseen};
use super::store::Picture;
use super::world::{NODES, Reach, TICK, World, at, key};

/// Servers are read this often, milliseconds (`InstancePollSeconds`).
pub const POLL: u64 = 1_000;
/// A probe of a server that says nothing ends after this, milliseconds.
const PROBE_LIMIT: u64 = 2_000;

#[derive(Debug, Clone, Copy, Default)]
struct Probe {
    next: u64,
    /// It has no answer yet.
    sent: Option<u64>,
}

pub struct View {
    pub servers: Picture,
    probes: Vec<Probe>,
    /// Changed since it was last looked at.
    pub changed: bool,
    /// What each server had committed at its last probe.
    pub known: Vec<Set>,
}

impl View {
    /// A node begins with what the last one stored.
    pub fn new(servers: Picture, count: usize, now: u64) -> Self {
        let servers = if servers.is_empty() {
            Arc::new((0..count).map(|n| (key(n), Arc::new(unseen(n)))).collect())
        } else {
            servers
        };
        Self {
            servers,
            probes: vec![Probe { next: now, sent: None }; count],
            changed: true,
            known: vec![Set::default(); count],
        }
    }

    pub fn snapshot(&self, annotations: &Arc<Annotations>, now: u64) -> Snapshot {
        Snapshot { instances: Arc::clone(&self.servers), annotations: Arc::clone(annotations), at: at(now) }
    }

    pub fn get(&self, key: &InstanceKey) -> Option<&Arc<Instance>> {
        self.servers.get(key)
    }

    /// Sends probes that are due and takes in what has come. `hurry` reads everybody at every tick.
    pub fn probe(&mut self, world: &mut World, node: usize, hurry: bool) {
        let now = world.now;
        for n in 0..self.probes.len() {
            let reach = world.reach(NODES + node, n);
            let probe = self.probes[n];
            // The idle connection to a server whose process dies is reset at once.
            let alarm = reach == Reach::Refused && self.servers[&key(n)].check.is_valid();
            if probe.sent.is_none() && probe.next > now && !hurry && !alarm {
                continue;
            }
            match (reach, probe.sent) {
                (Reach::Answers, _) => {
                    let fresh = world.instance(n);
                    self.observe(fresh);
                    self.known[n] = world.committed(n);
                }
                (Reach::Refused, _) => self.fail(n, probe.sent.unwrap_or(now), Some(now), "connection refused"),
                (Reach::Silence, Some(sent)) if now >= sent + PROBE_LIMIT => {
                    self.fail(n, sent, Some(now), "no answer");
                }
                (Reach::Silence, Some(_)) => continue,
                (Reach::Silence, None) => {
                    self.probes[n].sent = Some(now);
                    self.fail(n, now, None, "");
                    continue;
                }
            }
            self.probes[n] = Probe { next: now + POLL, sent: None };
            if alarm {
                self.probes.iter_mut().for_each(|p| p.next = now + TICK);
            }
        }
    }

    fn fail(&mut self, n: usize, attempted: u64, ended: Option<u64>, error: &str) {
        let servers = Arc::make_mut(&mut self.servers);
        let known = unread(&servers[&key(n)], attempted, ended, error);
        servers.insert(key(n), Arc::new(known));
        self.changed = true;
    }

    /// Takes in a reading, with what is worked out from the whole picture.
    pub fn observe(&mut self, mut fresh: Instance) {
        let old = &self.servers[&fresh.key];
        let moved = old.replication.source != fresh.replication.source || old.server_uuid != fresh.server_uuid;
        fresh.cluster_name.clone_from(&old.cluster_name);
        fresh.suggested_cluster_alias.clone_from(&old.suggested_cluster_alias);
        (fresh.depth, fresh.is_co_source) = (old.depth, old.is_co_source);
        fresh.ancestry.clone_from(&old.ancestry);
        let never_seen = old.check.last_seen.is_none();
        Arc::make_mut(&mut self.servers).insert(fresh.key.clone(), Arc::new(fresh));
        if moved || never_seen {
            self.work_out();
        }
        self.changed = true;
    }

    /// Cluster names, depths and ancestors, after somebody moved.
    fn work_out(&mut self) {
        let snapshot = self.snapshot(&Arc::default(), 0);
        let changed = attribute(&snapshot, &AttributionRules::default());
        drop(snapshot);
        let servers = Arc::make_mut(&mut self.servers);
        for instance in changed {
            servers.insert(instance.key.clone(), Arc::new(instance));
        }
    }

    /// A fresh reading for a recovery, which the picture gets, too.
    pub fn refresh(&mut self, fresh: Instance) -> Instance {
        let (key, source) = (fresh.key.clone(), fresh.replication.source.clone());
        self.observe(fresh);
        let errant = errant(&self.servers[&key], self.servers.get(&source).map(AsRef::as_ref));
        let servers = Arc::make_mut(&mut self.servers);
        let server = servers.get_mut(&key).map(Arc::make_mut).expect("just put there");
        server.errant_gtid = errant;
        server.clone()
    }
}
