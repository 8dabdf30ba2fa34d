//! A seeded simulation of whole fleets under the real engine: servers, network and clients are a model, time is simulated; analysis,
//! policy and the recovery machine are those of the product. Faults at any moment, then everything is repaired. The invariants of
//! `docs/SIMULATION.md` are looked at after every tick, one file each.
//!
//! A failing seed prints its story and the command that replays it.

// Helpers of tests fail as tests do.
#![allow(clippy::expect_used)]

mod co_sources;
mod executor;
mod faults;
mod ledger;
mod node;
mod picture;
mod probe;
mod random;
mod s1_acknowledged_writes;
mod s2_one_writable_server;
mod s3_no_needless_failover;
mod s4_one_recovery;
mod s5_never_left_behind;
mod s6_as_found_or_said;
mod s7_replication_options;
mod s8_no_false_success;
mod s9_converges;
mod scenario;
mod semi_sync;
mod server;
mod simulation;
mod stage;
mod store;
mod world;

use scenario::Fleet;
use simulation::Simulation;

/// Seeds of the ordinary test run.
const SEEDS: u64 = 1_000;
/// They are shared out among so many tests, which run side by side.
const SHARES: u64 = 4;
/// Nothing goes wrong any more after this, milliseconds.
const LAST_FAULT: u64 = 50_000;
/// The fleet has this long to find itself then, milliseconds.
const SETTLE: u64 = 90_000;

fn run(seed: u64) -> (Simulation, Result<(), String>) {
    let fleet = Fleet::of(seed);
    let healed = fleet.plan.iter().filter_map(|p| match (p.when, p.fault) {
        (faults::When::At(ms), faults::Fault::Heal) => Some(ms + 100),
        _ => None,
    });
    let healed = healed.max().unwrap_or(LAST_FAULT);
    let mut simulation = fleet.simulate();
    let result = simulation.run_until(healed).and_then(|()| simulation.settle(SETTLE));
    (simulation, result)
}

#[expect(clippy::disallowed_methods, reason = "which seeds to run is said by hand, and nothing else is read")]
fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is not a number")))
}

/// Seeds of one share; a single one where `SEED` is set.
fn seeds(share: u64) -> Vec<u64> {
    match from_environment("SEED") {
        Some(seed) => vec![seed].into_iter().filter(|seed| seed % SHARES == share).collect(),
        None => (0..from_environment("SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % SHARES == share).collect(),
    }
}

fn run_share(share: u64) {
    let alone = from_environment("SEED").is_some();
    let mut failures = vec![];
    let (mut finished, mut aborted) = (0, 0);
    let seeds = seeds(share);
    for seed in &seeds {
        let (simulation, result) = run(*seed);
        for record in &simulation.store.records {
            if record.successor.is_some() { finished += 1 } else { aborted += 1 }
        }
        if alone {
            println!("{}", simulation.story());
        }
        if let Err(what) = result {
            println!("seed {seed}: {what}");
            failures.push((*seed, what, simulation.story()));
        }
    }
    println!(
        "{} seeds: {finished} recoveries with a successor, {aborted} without, {} failures",
        seeds.len(),
        failures.len()
    );
    if let Some((seed, what, story)) = failures.first() {
        panic!(
            "{} of {} seeds fail. seed {seed}: {what}\n{story}\nreplay: SEED={seed} cargo test -p engine --test recovery_simulation share_{share} -- --nocapture",
            failures.len(),
            seeds.len()
        );
    }
    if !alone && seeds.len() > 50 {
        assert!(finished > seeds.len() / 3, "only {finished} recoveries in {} seeds: nothing is tested", seeds.len());
    }
}

#[test]
fn share_0_of_the_seeds() {
    run_share(0);
}

#[test]
fn share_1_of_the_seeds() {
    run_share(1);
}

#[test]
fn share_2_of_the_seeds() {
    run_share(2);
}

#[test]
fn share_3_of_the_seeds() {
    run_share(3);
}

#[test]
fn a_seed_always_tells_the_same_story() {
    for seed in 0..24 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.1, second.1, "seed {seed}");
        assert_eq!(first.0.stage.story, second.0.stage.story, "seed {seed}");
    }
}
