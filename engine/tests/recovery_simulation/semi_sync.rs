//! A source that waits for acknowledgements which nobody gives, or which too many give.

use super::faults::{Fault, at, at_step};
use super::scenario::{CALM, Fleet, play};
use super::simulation::Simulation;

/// A source counts as locked once its log has stood still for ten seconds.
const LOCKED: u64 = 10_000;

/// All replicas may acknowledge, the last one before the others.
fn fleet(seed: u64, mariadb: bool, exact: bool) -> Fleet {
    let mut fleet = Fleet::plain(seed, mariadb, true, 3);
    for n in 1..4 {
        fleet.world.servers[n].priority = n as u64;
    }
    (fleet.settings.repairs.locked_semi_sync, fleet.settings.repairs.exact_semi_sync) = (true, exact);
    fleet.settings.recovery.exact_semi_sync = exact;
    fleet
}

fn switched_off(mut fleet: Fleet) -> Fleet {
    fleet.plan.extend((1..4).map(|n| at(CALM, Fault::SwitchOff(n))));
    fleet
}

fn acknowledging(simulation: &Simulation) -> Vec<usize> {
    let servers = &simulation.stage.world.servers;
    (0..servers.len()).filter(|n| servers[*n].acknowledges).collect()
}

#[test]
fn a_locked_source_gets_as_many_as_it_waits_for_and_no_failover() {
    for mariadb in [false, true] {
        let simulation = play(switched_off(fleet(1, mariadb, false)), CALM + LOCKED + 10_000);
        assert_eq!(simulation.primary(), Some(0), "{}", simulation.story());
        assert_eq!(acknowledging(&simulation), [3], "{}", simulation.story());
        assert!(simulation.stage.world.takes_writes(0), "{}", simulation.story());
        assert_eq!(simulation.store.records.len(), 1, "{}", simulation.story());
    }
}

#[test]
fn nothing_is_done_where_nothing_is_configured() {
    let mut fleet = switched_off(fleet(2, false, false));
    fleet.settings.repairs = engine::policy::Repairs::default();
    let simulation = play(fleet, CALM + LOCKED + 10_000);
    assert!(simulation.store.records.is_empty(), "{}", simulation.story());
    assert_eq!(acknowledging(&simulation), [] as [usize; 0]);
}

#[test]
fn where_the_number_is_exact_the_best_go_on_and_the_source_is_never_without() {
    for mariadb in [false, true] {
        let mut simulation = fleet(3, mariadb, true).simulate();
        while simulation.stage.now() < CALM + 15_000 {
            simulation.tick().unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
            let settled = simulation.stage.now() > CALM;
            assert!(!settled || !acknowledging(&simulation).is_empty(), "{}", simulation.story());
        }
        assert_eq!(acknowledging(&simulation), [3], "{}", simulation.story());
    }
}

#[test]
fn a_source_that_dies_while_its_replicas_are_switched_is_replaced() {
    for mariadb in [false, true] {
        for step in 1..10 {
            let mut fleet = switched_off(fleet(4, mariadb, false));
            fleet.plan.push(at_step(step, Fault::Crash(0)));
            let simulation = play(fleet, CALM + LOCKED + 40_000);
            assert!(simulation.primary().is_some_and(|n| n != 0), "step {step}: {}", simulation.story());
        }
    }
}

#[test]
fn a_node_or_a_replica_that_dies_at_any_step_leaves_the_source_served() {
    for second in [Fault::KillNode(0), Fault::CrashChosen] {
        for step in 1..12 {
            let mut fleet = switched_off(fleet(5, step % 2 == 0, step % 3 == 0));
            fleet.plan.push(at_step(step, second));
            fleet.plan.push(at(CALM + LOCKED + 20_000, Fault::Heal));
            let mut simulation = play(fleet, CALM + LOCKED + 20_100);
            let end = simulation.settle(90_000);
            end.unwrap_or_else(|what| panic!("{second:?} at step {step}: {what}\n{}", simulation.story()));
            assert!(simulation.stage.world.takes_writes(0), "{second:?} at step {step}: {}", simulation.story());
        }
    }
}
