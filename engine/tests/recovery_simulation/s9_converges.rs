//! S9: after everything is repaired the topology converges, and no server that replicates holds a transaction that its primary lacks.

use super::faults::{Fault, at, at_step};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene};
use super::world::key;

pub struct Converges;

impl Invariant for Converges {
    fn look(&mut self, _scene: &Scene<'_>) -> Result<(), String> {
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        what_is_open(scene).map_or(Ok(()), Err)
    }
}

/// What has not converged yet. Servers that people were told to look after may stay where they are, but take no writes.
pub fn what_is_open(scene: &Scene<'_>) -> Option<String> {
    let (servers, left) = (&scene.world.servers, scene.left_to_people);
    if let Some(record) = scene.store.records.iter().find(|r| r.running) {
        return Some(format!("#{} is still at work", record.uid));
    }
    let writable: Vec<usize> = scene.numbers().filter(|n| servers[*n].is_writable()).collect();
    let [primary] = writable[..] else {
        let told = writable.is_empty() && !left.is_empty();
        return (!told).then(|| format!("{writable:?} take writes"));
    };
    if let Some(what) = still_marked(scene, primary) {
        return Some(what);
    }
    if let Some(what) = off_balance(scene, primary) {
        return Some(what);
    }
    let others = scene.numbers().filter(|n| *n != primary && !left.contains(n));
    others.filter_map(|n| follows(scene, n, primary).map(|what| format!("db{n} {what}"))).next()
}

/// Who replicates from the primary is no server that was left behind any more, and so is the primary; who replicates from one that was
/// is marked as it is.
fn still_marked(scene: &Scene<'_>, primary: usize) -> Option<String> {
    let marked = |n: usize| scene.store.annotations.downtime.contains_key(&key(n));
    if marked(primary) {
        return Some(format!("the primary db{primary} is marked as left behind"));
    }
    let is_back = |n: &usize| {
        let server = &scene.world.servers[*n];
        server.source() == Some(primary) && server.is_connected() && server.applier
    };
    let back = scene.numbers().filter(is_back).find(|n| marked(*n));
    back.map(|n| format!("db{n} replicates from db{primary} and is marked as left behind"))
}

/// Where somebody is to see to it, a primary that waits for acknowledgements has as many who give them as it waits for, if so many can.
fn off_balance(scene: &Scene<'_>, primary: usize) -> Option<String> {
    let (world, settings) = (scene.world, &scene.store.settings);
    if !settings.balances_acknowledgers() || !world.servers[primary].semi_source {
        return None;
    }
    let below = |n: &usize| world.servers[*n].source() == Some(primary) && world.servers[*n].is_connected();
    let able = |n: &usize| below(n) && world.servers[*n].applier && world.servers[*n].priority > 0;
    let wants = world.wait_for as usize;
    let has = scene.numbers().filter(|n| below(n) && world.servers[*n].acknowledges).count();
    let (too_few, too_many) = (has < wants, settings.repairs.exact_semi_sync && has > wants);
    let can = scene.numbers().filter(able).count() >= wants;
    (can && (too_few || too_many))
        .then(|| format!("{has} acknowledge what db{primary} writes, which waits for {wants}"))
}

/// Why a server does not follow the primary as it should.
fn follows(scene: &Scene<'_>, n: usize, primary: usize) -> Option<String> {
    let servers = &scene.world.servers;
    let (mut above, mut slowed) = (n, false);
    for _ in 0..servers.len() {
        slowed |= servers[above].delay() > 0 || !servers[above].logs;
        match servers[above].source() {
            Some(source) if scene.left_to_people.contains(&source) => return None,
            Some(source) => above = source,
            None => return Some(format!("is not below db{primary}")),
        }
        if above == primary {
            break;
        }
    }
    let errant = servers[n].held.minus(&servers[primary].logged);
    if !errant.is_empty() {
        return Some(format!("holds {}, which db{primary} lacks", scene.names(&errant)));
    }
    if !servers[n].is_connected() {
        return Some(format!("does not receive (error {})", servers[n].receiver_errno));
    }
    let behind = servers[primary].logged.minus(&servers[n].logged).ids();
    let old = |id: &&usize| scene.world.ledger.txns[**id].at + 3_000 < scene.world.now;
    let late = behind.iter().find(old).filter(|_| !slowed);
    late.map(|id| format!("lacks {}", scene.world.ledger.name(*id)))
}

/// The time from a fault of the source to a primary that takes writes, milliseconds.
fn time_without_writes(fleet: Fleet) -> u64 {
    let mut simulation = fleet.simulate();
    simulation.run_until(CALM).expect("calm");
    while simulation.stage.now() < CALM + 60_000 {
        simulation.tick().unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
        if simulation.stage.world.takes_writes_beside(0) {
            return simulation.stage.now() - CALM;
        }
    }
    panic!("nobody takes over:\n{}", simulation.story());
}

#[test]
fn while_somebody_can_take_over_somebody_does_within_seconds() {
    for seed in 0..60 {
        let fleet = |fault| {
            let mut fleet =
                Fleet::plain(seed, seed % 2 == 0, seed % 3 == 0, 1 + usize::try_from(seed % 4).expect("small"));
            fleet.plan.push(at(CALM, fault));
            fleet
        };
        let (killed, hung) = (time_without_writes(fleet(Fault::Crash(0))), time_without_writes(fleet(Fault::Hang(0))));
        assert!(killed <= 2_500, "seed {seed}: {killed} ms after a death");
        assert!(hung <= 8_000, "seed {seed}: {hung} ms after a hang");
    }
}

#[test]
fn replicas_of_a_dead_intermediate_source_find_another_one() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(1, mariadb, false, 5);
        for n in 3..6 {
            if let Some(channel) = &mut fleet.world.servers[n].channel {
                channel.source = 1;
            }
        }
        fleet.plan.push(at(CALM, Fault::Crash(1)));
        let mut simulation = play(fleet, CALM + 20_000);
        let servers = &simulation.stage.world.servers;
        assert!((3..6).all(|n| servers[n].source() != Some(1) && servers[n].is_connected()), "{}", simulation.story());
        assert_eq!(simulation.primary(), Some(0));
        simulation.plan.push(at(0, Fault::Heal));
        simulation.settle(60_000).unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
    }
}

#[test]
fn after_a_failover_and_the_repair_everybody_has_everything() {
    for (mariadb, semi_sync) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut fleet = Fleet::plain(2, mariadb, semi_sync, 3);
        fleet.plan = vec![at(CALM, Fault::Crash(0)), at(CALM + 20_000, Fault::Heal)];
        let mut simulation = play(fleet, CALM + 20_100);
        simulation.settle(60_000).unwrap_or_else(|what| panic!("{what}\n{}", simulation.story()));
        let primary = simulation.primary().expect("one");
        let servers = &simulation.stage.world.servers;
        let others = (1..4).filter(|n| *n != primary);
        assert!(others.clone().all(|n| servers[n].source() == Some(primary)), "{}", simulation.story());
    }
}

/// db2 hangs below a source that was replaced and is back: it is no server of the cluster again until that one is.
#[test]
fn a_replica_of_a_source_that_was_left_behind_stays_marked() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(6, mariadb, false, 3);
        // Neither we nor the other replicas see db2 and the source, which see each other.
        for party in [1, 3, super::world::NODES, super::world::NODES + 1] {
            fleet.plan.extend([at(CALM, Fault::Cut(0, party)), at(CALM, Fault::Cut(2, party))]);
        }
        for party in [1, 3, super::world::NODES, super::world::NODES + 1] {
            fleet.plan.extend([at(CALM + 20_000, Fault::Mend(0, party)), at(CALM + 20_000, Fault::Mend(2, party))]);
        }
        let simulation = play(fleet, CALM + 40_000);
        let primary = simulation.primary().expect("one");
        assert!(primary == 1 || primary == 3, "{}", simulation.story());
        let servers = &simulation.stage.world.servers;
        assert!(servers[2].source() == Some(0) && servers[2].is_connected(), "{}", simulation.story());
        for n in [0, 2] {
            assert!(simulation.store.annotations.downtime.contains_key(&key(n)), "db{n}: {}", simulation.story());
        }
    }
}

/// What is under way when the second server dies.
#[derive(Debug, Clone, Copy)]
enum Flow {
    DeadSource,
    Takeover,
    DeadIntermediateSource,
}

#[test]
fn after_a_second_death_at_any_step_of_any_flow_everything_converges() {
    for flow in [Flow::DeadSource, Flow::Takeover, Flow::DeadIntermediateSource] {
        for second in [Fault::CrashChosen, Fault::Crash(2), Fault::Crash(4)] {
            for step in 1..26 {
                let mut fleet = Fleet::plain(u64::from(step), step % 2 == 0, step % 3 == 0, 4);
                let first = match flow {
                    Flow::DeadSource => Fault::Crash(0),
                    Flow::Takeover => Fault::Wish(0, Wish::Takeover { designated: Some(1), auto: true }),
                    Flow::DeadIntermediateSource => {
                        for n in [3, 4] {
                            if let Some(channel) = &mut fleet.world.servers[n].channel {
                                channel.source = 1;
                            }
                        }
                        Fault::Crash(1)
                    }
                };
                fleet.plan = vec![at(CALM, first), at_step(step, second), at(CALM + 25_000, Fault::Heal)];
                let mut simulation = play(fleet, CALM + 25_100);
                let end = simulation.settle(90_000);
                end.unwrap_or_else(|what| {
                    panic!("{flow:?}, {second:?} at step {step}: {what}\n{}", simulation.story())
                });
                assert!(!simulation.store.records.is_empty(), "{flow:?}: nothing was begun");
            }
        }
    }
}
