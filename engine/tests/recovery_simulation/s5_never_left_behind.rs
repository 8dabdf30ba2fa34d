//! S5: a recovery that lost its node is resumed or rolled back within seconds, never left as a block; and each comes to an end.

use std::collections::BTreeMap;

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
        let disturbs = |e: &Event| !matches!(e, Event::MadeWritable { .. } | Event::Finished { .. } | Event::Aborted { .. });
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
