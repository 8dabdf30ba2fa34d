//! S4: at most one recovery per cluster at a time, whoever started it.

use super::faults::{Fault, at};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene, Simulation};
use super::stage::Event;

pub struct OneRecovery;

impl Invariant for OneRecovery {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            if let Event::LetThrough { cluster } = event {
                return Err(format!("a second recovery of {cluster} is let begin while one is at work"));
            }
        }
        let running: Vec<_> = scene.store.records.iter().filter(|r| r.running).collect();
        for (n, one) in running.iter().enumerate() {
            let drivers = scene.nodes.iter().filter(|node| node.drives(one.uid)).count();
            if drivers > 1 {
                return Err(format!("#{} is driven by {drivers} nodes", one.uid));
            }
            let taken = one.machine.participants();
            let other =
                running[n + 1..].iter().find(|r| r.machine.participants().iter().any(|key| taken.contains(key)));
            if let Some(other) = other {
                return Err(format!("#{} and #{} are at work on the same servers", one.uid, other.uid));
            }
        }
        Ok(())
    }
}

fn begun(simulation: &Simulation) -> usize {
    simulation.store.records.len()
}

#[test]
fn whoever_asks_second_is_told_who_was_first() {
    for first in [Wish::Force, Wish::Takeover { designated: Some(1), auto: true }] {
        let mut fleet = Fleet::plain(1, false, false, 3);
        fleet.plan.push(at(CALM, Fault::Wish(0, first)));
        for (later, wish) in
            [(100, Wish::Force), (300, Wish::Takeover { designated: None, auto: true }), (500, Wish::Force)]
        {
            fleet.plan.push(at(CALM + later, Fault::Wish(0, wish)));
            fleet.plan.push(at(CALM + later, Fault::Wish(1, wish)));
        }
        let simulation = play(fleet, CALM + 20_000);
        assert_eq!(begun(&simulation), 1, "{}", simulation.story());
        assert!(
            simulation.story().contains("refused: a recovery of this cluster is at work"),
            "{}",
            simulation.story()
        );
        assert!(simulation.story().contains("refused: another node leads"), "{}", simulation.story());
    }
}

#[test]
fn a_second_node_does_nothing_while_the_first_one_leads() {
    let mut fleet = Fleet::plain(2, false, true, 3);
    fleet.plan.push(at(CALM, Fault::Crash(0)));
    let mut simulation = fleet.simulate();
    while simulation.stage.now() < CALM + 10_000 {
        simulation.tick().expect("all invariants hold");
        assert!(!(0..9).any(|uid| simulation.nodes[1].drives(uid)), "{}", simulation.story());
    }
    assert_eq!(begun(&simulation), 1, "{}", simulation.story());
}

/// The alias is what ties the cluster's new name to the old one.
#[test]
fn a_recovery_blocks_the_next_one_of_its_cluster_until_it_is_acknowledged() {
    let mut fleet = Fleet::plain(3, false, false, 4);
    fleet.plan.push(at(CALM, Fault::Crash(0)));
    let mut simulation = play(fleet, CALM + 10_000);
    let second = simulation.primary().expect("took over");
    simulation.plan.push(at(0, Fault::Crash(second)));
    simulation.run_until(CALM + 20_000).expect("all invariants hold");
    assert_eq!(begun(&simulation), 1, "{}", simulation.story());
    simulation.store.acknowledge_all();
    simulation.run_until(CALM + 30_000).expect("all invariants hold");
    assert_eq!(begun(&simulation), 2, "{}", simulation.story());
    assert!(simulation.primary().is_some_and(|n| n != second && n != 0), "{}", simulation.story());
}
