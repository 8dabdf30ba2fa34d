//! S3: no failover when the source serves its replicas and only we cannot see it, nor when evidence is missing, nor during a planned operation.

use std::collections::BTreeMap;

use super::faults::{Fault, at};
use super::scenario::{CALM, Fleet, play};
use super::server::Link;
use super::simulation::{Invariant, Scene, Simulation};
use super::stage::Event;
use super::world::NODES;

/// A replica that has received for this long without a break shows that its source serves, milliseconds.
const PROVEN: u64 = 1_500;
/// A source that is back for this long has been noticed: a step takes up to five seconds, milliseconds.
const NOTICED: u64 = 7_000;

#[derive(Default)]
pub struct NoNeedlessFailover {
    /// Recoveries that nobody asked for whose source served when they began, and the replica that showed it.
    served: BTreeMap<usize, (usize, usize)>,
    /// Recoveries that nobody asked for: the source, and since when it has answered their node.
    back: BTreeMap<usize, (usize, Option<u64>)>,
}

impl Invariant for NoNeedlessFailover {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            match event {
                Event::Began { uid, node, failed, planned: false, forced: false } => {
                    self.back.insert(*uid, (*failed, None));
                    if let Some(replica) = shows_that_it_serves(scene, *node, *failed) {
                        self.served.insert(*uid, (*failed, replica));
                    }
                }
                // What happens after the beginning may be reason enough.
                Event::Struck { server } => {
                    self.served.retain(|_, (failed, replica)| failed != server && replica != server)
                }
                Event::MadeWritable { uid, server, .. } => {
                    self.check_it_is_not_back(scene, *uid, *server)?;
                    if let Some((failed, replica)) = self.served.get(uid).filter(|(failed, _)| failed != server) {
                        return Err(format!(
                            "#{uid} replaces db{failed} by db{server} while db{replica} receives from it"
                        ));
                    }
                }
                Event::Finished { uid, .. } | Event::Aborted { uid, .. } => drop(self.served.remove(uid)),
                Event::Began { .. } | Event::TakenUp | Event::LetThrough { .. } | Event::Healed => {}
            }
        }
        for (uid, (failed, since)) in &mut self.back {
            let answers = scene.driver(*uid).is_some_and(|node| scene.world.answers(NODES + node, *failed));
            *since = answers.then(|| since.unwrap_or(scene.world.now));
        }
        Ok(())
    }
}

impl NoNeedlessFailover {
    fn check_it_is_not_back(&self, scene: &Scene<'_>, uid: usize, server: usize) -> Result<(), String> {
        let Some((failed, Some(since))) = self.back.get(&uid) else { return Ok(()) };
        let long = scene.world.now - since;
        if *failed == server || long < NOTICED {
            return Ok(());
        }
        Err(format!("#{uid} replaces db{failed} by db{server} although it has been back for {long} ms"))
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

fn keeps_its_place(fleet: Fleet, until: u64) -> Simulation {
    let simulation = play(fleet, until);
    assert_eq!(simulation.primary(), Some(0), "{}", simulation.story());
    assert!(simulation.store.records.iter().all(|r| r.successor.is_none()), "{}", simulation.story());
    simulation
}

#[test]
fn a_source_that_only_we_cannot_see_keeps_its_place() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(1, mariadb, true, 3);
        fleet.plan = (0..2).map(|node| at(CALM, Fault::Cut(NODES + node, 0))).collect();
        let simulation = keeps_its_place(fleet, CALM + 40_000);
        assert!(simulation.story().contains("UnreachableMaster"), "{}", simulation.story());
    }
}

/// It receives, so its source serves; what its applier does says nothing.
#[test]
fn one_replica_that_receives_with_its_applier_stopped_speaks_for_its_source() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(2, mariadb, false, 3);
        fleet.plan = (1..4).map(|n| at(CALM, Fault::StopApplier(n))).collect();
        fleet.plan.extend([at(CALM, Fault::Cut(0, 2)), at(CALM, Fault::Cut(0, 3))]);
        fleet.plan.extend((0..2).map(|node| at(CALM + 8_000, Fault::Cut(NODES + node, 0))));
        keeps_its_place(fleet, CALM + 30_000);
    }
}

#[test]
fn where_nobody_can_be_asked_nothing_is_done() {
    let mut fleet = Fleet::plain(3, false, false, 2);
    let pairs = (0..2).flat_map(|node| (0..3).map(move |n| (node, n)));
    fleet.plan = pairs.map(|(node, n)| at(CALM, Fault::Cut(NODES + node, n))).collect();
    let simulation = keeps_its_place(fleet, CALM + 30_000);
    assert!(simulation.store.records.is_empty(), "{}", simulation.story());
}

#[test]
fn replicas_that_cannot_reach_a_source_that_we_see_are_no_reason() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(4, mariadb, false, 3);
        fleet.plan = (1..4).map(|n| at(CALM, Fault::Cut(0, n))).collect();
        keeps_its_place(fleet, CALM + 30_000);
    }
}

#[test]
fn a_link_that_flaps_for_less_than_its_time_out_is_no_reason() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(5, mariadb, false, 2);
        for n in 0..8 {
            let time = CALM + n * 2_500;
            for party in [1, 2, NODES, NODES + 1] {
                fleet.plan.extend([at(time, Fault::Cut(party, 0)), at(time + 1_500, Fault::Mend(party, 0))]);
            }
        }
        keeps_its_place(fleet, CALM + 30_000);
    }
}
