//! S7: repointing a replica keeps every replication option it had.

use super::faults::{Fault, at};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
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

#[test]
fn a_failover_and_a_takeover_keep_the_options_of_everybody_who_moves() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(1, mariadb, true, 4);
        let delay = |n: usize, fleet: &mut Fleet| {
            if let Some(channel) = &mut fleet.world.servers[n].channel {
                channel.options.delay = 600;
            }
        };
        delay(4, &mut fleet);
        fleet.plan.push(at(CALM, Fault::Wish(0, Wish::Takeover { designated: Some(2), auto: true })));
        fleet.plan.push(at(CALM + 20_000, Fault::Crash(2)));
        let simulation = play(fleet, CALM + 60_000);
        let servers = &simulation.stage.world.servers;
        let primary = simulation.primary().expect("one primary");
        assert!(primary != 2 && primary != 4, "{}", simulation.story());
        let moved = (0..5).filter(|n| servers[*n].source() == Some(primary)).count();
        assert!(moved >= 2, "{}", simulation.story());
    }
}
