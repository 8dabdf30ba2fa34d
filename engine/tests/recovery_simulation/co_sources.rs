//! Two sources that replicate from each other, and one of them dies.

use super::faults::{Fault, at, at_step};
use super::scenario::{CALM, Fleet, play};
use super::simulation::Simulation;

/// Acknowledged writes that neither this server nor db0, which died, has.
fn lacks(simulation: &Simulation, n: usize) -> String {
    let (ledger, servers) = (&simulation.stage.world.ledger, &simulation.stage.world.servers);
    ledger.names(&ledger.acknowledged.minus(&servers[n].logged).minus(&servers[0].held).ids())
}

#[test]
fn the_other_one_takes_over_and_the_ring_is_broken() {
    for (mariadb, semi_sync) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut fleet = Fleet::co_sources(1, mariadb, semi_sync, 3);
        fleet.plan.push(at(CALM, Fault::Crash(0)));
        let simulation = play(fleet, CALM + 15_000);
        assert_eq!(simulation.primary(), Some(1), "{}", simulation.story());
        let servers = &simulation.stage.world.servers;
        assert!(servers[1].channel.is_none(), "{}", simulation.story());
        assert!((2..4).all(|n| servers[n].source() == Some(1) && servers[n].is_connected()), "{}", simulation.story());
        assert!(simulation.story().contains("DeadCoMaster"), "{}", simulation.story());
    }
}

#[test]
fn the_one_that_takes_writes_keeps_them_when_the_other_one_dies() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::co_sources(2, mariadb, false, 3);
        // A replica of the one that dies.
        if let Some(channel) = &mut fleet.world.servers[3].channel {
            channel.source = 1;
        }
        fleet.plan.push(at(CALM, Fault::Crash(1)));
        let mut simulation = play(fleet, CALM + 15_000);
        assert_eq!(simulation.primary(), Some(0), "{}", simulation.story());
        let servers = &simulation.stage.world.servers;
        assert!(servers[0].channel.is_none() && servers[3].source() == Some(0), "{}", simulation.story());
        simulation.plan.push(at(0, Fault::Heal));
        simulation.settle(60_000).unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
    }
}

#[test]
fn of_two_that_take_writes_the_other_one_goes_on_with_its_own() {
    let mut fleet = Fleet::co_sources(3, false, false, 3);
    (fleet.world.servers[1].read_only, fleet.world.servers[1].super_read_only) = (false, false);
    fleet.plan = vec![at(CALM, Fault::Crash(0)), at(CALM + 20_000, Fault::Restart(0))];
    let simulation = play(fleet, CALM + 25_000);
    assert_eq!(simulation.primary(), Some(1), "{}", simulation.story());
    assert_eq!(lacks(&simulation, 1), "", "{}", simulation.story());
    assert!(simulation.stage.world.servers[0].read_only, "the old one is fenced: {}", simulation.story());
}

#[test]
fn a_node_or_another_server_that_dies_at_any_step_leaves_one_primary() {
    for second in [Fault::KillNode(0), Fault::CrashChosen, Fault::Crash(2)] {
        for step in 1..26 {
            let mut fleet = Fleet::co_sources(u64::from(step), step % 2 == 0, step % 3 == 0, 3);
            fleet.settings.recovery.must_promote_other = step % 5 == 0;
            fleet.plan = vec![at(CALM, Fault::Crash(0)), at_step(step, second), at(CALM + 25_000, Fault::Heal)];
            let mut simulation = play(fleet, CALM + 25_100);
            let end = simulation.settle(90_000);
            end.unwrap_or_else(|what| panic!("{second:?} at step {step}: {what}\n{}", simulation.story()));
        }
    }
}
