//! S4: at most one recovery per cluster at a time, whoever started it.

use super::simulation::{Invariant, Scene};

pub struct OneRecovery;

impl Invariant for OneRecovery {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let running: Vec<_> = scene.store.records.iter().filter(|r| r.running).collect();
        for (n, one) in running.iter().enumerate() {
            let drivers = scene.nodes.iter().filter(|node| node.drives(one.uid)).count();
            if drivers > 1 {
                return Err(format!("#{} is driven by {drivers} nodes", one.uid));
            }
            let taken = one.machine.participants();
            let other = running[n + 1..].iter().find(|r| r.machine.participants().iter().any(|key| taken.contains(key)));
            if let Some(other) = other {
                return Err(format!("#{} and #{} are at work on the same servers", one.uid, other.uid));
            }
        }
        Ok(())
    }
}
