//! S6: a refused or failed recovery leaves the topology as it found it, or says exactly what is changed.

use std::collections::BTreeMap;

use super::server::Server;
use super::simulation::{Invariant, Scene};
use super::stage::Event;
use super::world::{NODES, key};

/// What a recovery may change of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    source: Option<(usize, bool)>,
    receives: bool,
    applies: bool,
    read_only: bool,
    waits_for_acknowledgements: bool,
    acknowledges: bool,
}

impl State {
    fn of(server: &Server) -> Self {
        Self {
            source: server.channel.as_ref().map(|c| (c.source, c.detached)),
            // A receiver that its source refused was not stopped by us.
            receives: server.receiver || server.receiver_errno != 0,
            applies: server.applier,
            read_only: server.read_only,
            waits_for_acknowledgements: server.semi_source,
            acknowledges: server.semi_replica,
        }
    }
}

#[derive(Default)]
pub struct AsFoundOrSaid {
    /// By recovery: servers as found; those that something happened to are out.
    found: BTreeMap<usize, BTreeMap<usize, State>>,
}

impl Invariant for AsFoundOrSaid {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            match event {
                Event::Began { uid, .. } => {
                    let found = scene.numbers().map(|n| (n, State::of(&scene.world.servers[n]))).collect();
                    self.found.insert(*uid, found);
                }
                Event::Struck { server } => self.found.values_mut().for_each(|found| drop(found.remove(server))),
                Event::Aborted { uid, reason } => {
                    for (n, was) in self.found.remove(uid).unwrap_or_default() {
                        let is = State::of(&scene.world.servers[n]);
                        if is != was && !names(&reason.changed, n) {
                            return Err(format!("#{uid} gave up, and says nothing of db{n}: it is {is:?}, and was {was:?}"));
                        }
                    }
                }
                Event::Finished { uid, .. } => drop(self.found.remove(uid)),
                Event::TakenUp | Event::MadeWritable { .. } | Event::Healed => {}
            }
        }
        for (uid, found) in &mut self.found {
            if let Some(node) = scene.driver(*uid) {
                found.retain(|n, _| scene.world.answers(NODES + node, *n));
            }
        }
        Ok(())
    }
}

fn names(changed: &[String], n: usize) -> bool {
    let key = key(n);
    changed.iter().any(|line| line.starts_with(&format!("{key} ")) || line.contains(&format!("of {key} ")))
}
