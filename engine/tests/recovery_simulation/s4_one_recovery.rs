//! S4: at most one recovery per cluster at a time, whoever started it.

use super::faults::{Fault, at, at_step};
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

/// The node that recovers is cut off from the store after each of its steps: it holds its hands still before the other one takes
/// over, and whichever ends it, nobody is left with two primaries.
#[test]
fn a_node_that_the_store_does_not_hear_lets_go_before_the_other_one_takes_over() {
    for (mariadb, semi_sync) in [(false, true), (true, false)] {
        let mut taken_over = 0;
        for step in 1..24 {
            let mut fleet = Fleet::plain(4, mariadb, semi_sync, 3);
            // Applying takes a while, so that there is something left to take over.
            fleet.plan = (1..4).map(|n| at(CALM, Fault::Slow(n, 8))).collect();
            fleet.plan.push(at(CALM + 4_000, Fault::Crash(0)));
            fleet.plan.push(at_step(step, Fault::CutStore(0)));
            fleet.plan.push(at(CALM + 20_000, Fault::MendStore(0)));
            let simulation = play(fleet, CALM + 30_000);
            assert!(simulation.primary().is_some_and(|n| n != 0), "{}", simulation.story());
            assert_eq!(begun(&simulation), 1, "{}", simulation.story());
            taken_over += usize::from(simulation.story().contains("node1 takes up #0"));
        }
        assert!(taken_over > 5, "only {taken_over} were taken over: nothing is tested");
    }
}

#[test]
fn a_node_that_is_heard_again_in_time_goes_on_with_what_is_its_own() {
    let mut fleet = Fleet::plain(5, false, false, 3);
    fleet.plan = (1..4).map(|n| at(CALM, Fault::Slow(n, 8))).collect();
    fleet.plan.extend([
        at(CALM + 4_000, Fault::Crash(0)),
        at_step(6, Fault::CutStore(0)),
        at_step(6, Fault::KillNode(1)),
    ]);
    let mut simulation = fleet.simulate();
    simulation.run_until(CALM + 8_000).unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
    simulation.plan.push(at(0, Fault::MendStore(0)));
    simulation.run_until(CALM + 30_000).unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
    assert!(simulation.story().contains("node0 goes on with #0"), "{}", simulation.story());
    assert!(simulation.primary().is_some_and(|n| n != 0), "{}", simulation.story());
}
