//! S2: never two writable servers in one cluster, as far as we can reach them.

use super::simulation::{Invariant, Scene};
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
        let Some(leader) = scene.leader() else { return Ok(()) };
        let seen = |n: &usize| scene.world.takes_writes(*n) && scene.world.answers(NODES + leader.id, *n);
        let writable: Vec<usize> = scene.numbers().filter(seen).collect();
        let at_work = scene.store.records.iter().any(|r| r.running);
        self.together = if writable.len() > 1 { self.together + TICK } else { 0 };
        self.idle = if writable.len() > 1 && !at_work { self.idle + TICK } else { 0 };
        if self.together > LIMIT_AT_WORK || self.idle > LIMIT {
            return Err(format!("{writable:?} take writes side by side for {} ms", self.together));
        }
        Ok(())
    }
}
