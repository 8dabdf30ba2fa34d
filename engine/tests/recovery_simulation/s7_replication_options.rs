//! S7: repointing a replica keeps every replication option it had.

use super::server::options;
use super::simulation::{Invariant, Scene};
use super::world::World;

pub struct ReplicationOptions {
    /// Seconds of delay of each server when it began.
    delays: Vec<u64>,
}

impl ReplicationOptions {
    pub fn of(world: &World) -> Self {
        Self { delays: world.servers.iter().map(super::server::Server::delay).collect() }
    }
}

impl Invariant for ReplicationOptions {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for n in scene.numbers() {
            let Some(channel) = &scene.world.servers[n].channel else { continue };
            let mut wanted = options(scene.world.mariadb);
            wanted.delay = self.delays[n];
            if channel.options != wanted {
                return Err(format!("db{n} has {:?}, and should have {wanted:?}", channel.options));
            }
        }
        Ok(())
    }
}
