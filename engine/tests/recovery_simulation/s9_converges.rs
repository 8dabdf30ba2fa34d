//! S9: after everything is repaired the topology converges, and no server that replicates holds a transaction that its primary lacks.

use super::simulation::{Invariant, Scene};

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
    let others = scene.numbers().filter(|n| *n != primary && !left.contains(n));
    others.filter_map(|n| follows(scene, n, primary).map(|what| format!("db{n} {what}"))).next()
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
