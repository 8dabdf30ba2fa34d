//! S2: never two writable servers in one cluster, as far as we can reach them.

use super::simulation::{Invariant, Scene};
use super::world::{NODES, TICK};

/// From the moment in which both can be reached, a server that was replaced is read-only after at most this, milliseconds.
const LIMIT: u64 = 2_500;

#[derive(Default)]
pub struct OneWritableServer {
    /// For so long two of them have been writable before the eyes of the leader.
    together: u64,
}

impl Invariant for OneWritableServer {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let Some(leader) = scene.leader() else { return Ok(()) };
        let seen = |n: &usize| scene.world.takes_writes(*n) && scene.world.answers(NODES + leader.id, *n);
        let writable: Vec<usize> = scene.numbers().filter(seen).collect();
        self.together = if writable.len() > 1 { self.together + TICK } else { 0 };
        if self.together > LIMIT {
            return Err(format!("{writable:?} take writes side by side for {} ms", self.together));
        }
        Ok(())
    }
}
