//! S5: a recovery that lost its node is resumed or rolled back within seconds, never left as a block; and each comes to an end.

use std::collections::BTreeMap;

use super::faults::{Fault, at, at_step};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene};
use super::stage::Event;
use super::store::LEASE;
use super::world::TICK;

/// While a node leads, a recovery is without one for no longer than this, milliseconds.
const LIMIT: u64 = LEASE + 1_000;
/// A recovery that nothing disturbs any more ends within this, milliseconds.
const END: u64 = 150_000;

#[derive(Default)]
pub struct NeverLeftBehind {
    /// For so long nobody has driven it.
    alone: BTreeMap<usize, u64>,
    disturbed: u64,
}

impl Invariant for NeverLeftBehind {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let now = scene.world.now;
        let disturbs =
            |e: &Event| !matches!(e, Event::MadeWritable { .. } | Event::Finished { .. } | Event::Aborted { .. });
        if scene.events.iter().any(disturbs) {
            self.disturbed = now;
        }
        let running: Vec<usize> = scene.store.records.iter().filter(|r| r.running).map(|r| r.uid).collect();
        self.alone.retain(|uid, _| running.contains(uid));
        for uid in running {
            let alone = self.alone.entry(uid).or_default();
            *alone = if scene.driver(uid).is_some() || scene.leader().is_none() { 0 } else { *alone + TICK };
            if *alone > LIMIT {
                return Err(format!("#{uid} has been left alone for {alone} ms"));
            }
            if now > self.disturbed + END {
                return Err(format!("#{uid} does not end"));
            }
        }
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        match scene.store.records.iter().find(|r| r.running) {
            Some(record) => Err(format!("#{} is still at work", record.uid)),
            None => Ok(()),
        }
    }
}

/// The node dies after each step in turn, and the other one takes over.
fn a_node_dies_at(step: u32, mariadb: bool, back: bool) {
    let mut fleet = Fleet::plain(u64::from(step), mariadb, true, 3);
    for n in 1..4 {
        fleet.plan.push(at(CALM, Fault::StopApplier(n)));
    }
    fleet.plan.extend([at(CALM + 2_000, Fault::Crash(0)), at_step(step, Fault::KillNode(0))]);
    if back {
        fleet.plan.push(at_step(step + 1, Fault::StartNode(0)));
        fleet.plan.push(at_step(step + 3, Fault::KillNode(1)));
    }
    let simulation = play(fleet, CALM + 40_000);
    let primary = simulation.primary();
    assert!(primary.is_some_and(|n| n != 0), "after step {step}: {}", simulation.story());
    assert!(simulation.store.records.iter().all(|r| !r.running), "after step {step}: {}", simulation.story());
}

#[test]
fn a_recovery_whose_node_dies_after_any_step_is_brought_to_its_end() {
    for step in 1..36 {
        a_node_dies_at(step, false, false);
        a_node_dies_at(step, true, false);
    }
}

#[test]
fn a_recovery_goes_back_and_forth_between_nodes_that_die() {
    for step in 1..30 {
        a_node_dies_at(step, step % 2 == 0, true);
    }
}

#[test]
fn a_takeover_whose_node_dies_after_any_step_ends_with_one_primary() {
    for step in 1..30 {
        let mut fleet = Fleet::plain(u64::from(step), step % 2 == 0, true, 3);
        let wish = Wish::Takeover { designated: Some(2), auto: true };
        fleet.plan = vec![at(CALM, Fault::Wish(0, wish)), at_step(step, Fault::KillNode(0))];
        let simulation = play(fleet, CALM + 40_000);
        assert!(simulation.primary().is_some(), "after step {step}: {}", simulation.story());
        assert!(simulation.store.records.iter().all(|r| !r.running), "after step {step}: {}", simulation.story());
    }
}
