//! S3: no failover when the source serves its replicas and only we cannot see it, nor when evidence is missing, nor during a planned operation.

use std::collections::BTreeMap;

use super::server::Link;
use super::simulation::{Invariant, Scene};
use super::stage::Event;
use super::world::NODES;

/// A replica that has received for this long without a break shows that its source serves, milliseconds.
const PROVEN: u64 = 1_500;

#[derive(Default)]
pub struct NoNeedlessFailover {
    /// Recoveries that nobody asked for whose source served when they began, and the replica that showed it.
    served: BTreeMap<usize, (usize, usize)>,
}

impl Invariant for NoNeedlessFailover {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            match event {
                Event::Began { uid, node, failed, planned: false, forced: false } => {
                    if let Some(replica) = shows_that_it_serves(scene, *node, *failed) {
                        self.served.insert(*uid, (*failed, replica));
                    }
                }
                // What happens after the beginning may be reason enough.
                Event::Struck { server } => self.served.retain(|_, (failed, replica)| failed != server && replica != server),
                Event::MadeWritable { uid, server, .. } => {
                    if let Some((failed, replica)) = self.served.get(uid).filter(|(failed, _)| failed != server) {
                        return Err(format!("#{uid} replaces db{failed} by db{server} while db{replica} receives from it"));
                    }
                }
                Event::Finished { uid, .. } | Event::Aborted { uid, .. } => drop(self.served.remove(uid)),
                Event::Began { .. } | Event::TakenUp | Event::Healed => {}
            }
        }
        Ok(())
    }
}

fn shows_that_it_serves(scene: &Scene<'_>, node: usize, failed: usize) -> Option<usize> {
    let (world, now) = (scene.world, scene.world.now);
    let receives = |n: &usize| {
        let lately = matches!(world.servers[*n].link, Link::Connected { since, heard, .. } if heard == now && since + PROVEN <= now);
        world.servers[*n].source() == Some(failed) && lately
    };
    scene.numbers().find(|n| receives(n) && world.answers(NODES + node, *n))
}
