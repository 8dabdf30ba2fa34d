//! S2: never two writable servers in one cluster, as far as we can reach them.

use super::faults::{Fault, at};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene};
use super::stage::Event;
use super::world::{NODES, TICK};

/// From the moment in which both can be reached, a server that was replaced takes no writes after at most this, milliseconds.
const LIMIT: u64 = 2_500;
/// A recovery at work looks between its steps, one of which takes up to five seconds.
const LIMIT_AT_WORK: u64 = 8_000;

#[derive(Default)]
pub struct OneWritableServer {
    /// For so long two of them have been writable before the eyes of the leader.
    together: u64,
    /// ... and no recovery was at work.
    idle: u64,
}

impl Invariant for OneWritableServer {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            if let Event::MadeWritable { uid, server } = event
                && scene.world.servers[*server].channel.is_some()
            {
                return Err(format!("#{uid} makes db{server} writable while it is a replica"));
            }
        }
        let Some(leader) = scene.leader() else { return Ok(()) };
        let seen = |n: &usize| scene.world.takes_writes(*n) && scene.world.answers(NODES + leader.id, *n);
        let mut writable: Vec<usize> = scene.numbers().filter(seen).collect();
        if let [a, b] = writable[..]
            && scene.world.are_co_sources(a, b)
        {
            // Each gets what the other one writes: somebody wants it so.
            writable.pop();
        }
        let at_work = scene.store.records.iter().any(|r| r.running);
        self.together = if writable.len() > 1 { self.together + TICK } else { 0 };
        self.idle = if writable.len() > 1 && !at_work { self.idle + TICK } else { 0 };
        if self.together > LIMIT_AT_WORK || self.idle > LIMIT {
            return Err(format!("{writable:?} take writes side by side for {} ms", self.together));
        }
        Ok(())
    }
}

#[test]
fn a_source_that_comes_back_after_it_was_replaced_takes_no_writes_for_long() {
    for (mariadb, hangs) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut fleet = Fleet::plain(1, mariadb, false, 2);
        let (goes, comes) = if hangs { (Fault::Hang(0), Fault::Wake(0)) } else { (Fault::Crash(0), Fault::Restart(0)) };
        fleet.plan = vec![at(CALM, goes), at(CALM + 20_000, comes)];
        let simulation = play(fleet, CALM + 20_000 + LIMIT);
        let primary = simulation.primary().expect("one and no more");
        assert_ne!(primary, 0, "{}", simulation.story());
        assert!(simulation.stage.world.servers[0].read_only, "{}", simulation.story());
    }
}

#[test]
fn a_source_that_comes_back_before_anybody_was_promoted_keeps_its_place() {
    for ms in [100, 300] {
        let mut fleet = Fleet::plain(2, false, false, 2);
        fleet.plan = vec![at(CALM, Fault::Crash(0)), at(CALM + ms, Fault::Restart(0))];
        let simulation = play(fleet, CALM + 15_000);
        assert_eq!(simulation.primary(), Some(0), "{}", simulation.story());
    }
}

#[test]
fn a_primary_that_was_taken_over_is_read_only_all_the_time() {
    let mut fleet = Fleet::plain(3, false, true, 3);
    fleet.plan = vec![at(CALM, Fault::Wish(0, Wish::Takeover { designated: Some(2), auto: true }))];
    let mut simulation = fleet.simulate();
    let mut changed = false;
    while simulation.stage.now() < CALM + 15_000 {
        simulation.tick().expect("all invariants hold");
        changed |= simulation.primary() == Some(2);
        let servers = &simulation.stage.world.servers;
        assert!(servers.iter().filter(|s| s.is_writable()).count() <= 1, "{}", simulation.story());
    }
    assert!(changed, "{}", simulation.story());
}
