//! Where a story begins: who has received and applied how much when the source dies.

use app::topology::{PromotionRule, Snapshot};

use super::random::Random;
use super::world::{Server, Txn, World};

pub struct Scenario {
    pub world: World,
    /// What the node knew before the trouble: the source's last poll.
    pub known: Snapshot,
}

impl Scenario {
    pub fn eligible(&self) -> usize {
        eligible(&self.world)
    }
}

/// Servers that may be promoted and are up.
pub fn eligible(world: &World) -> usize {
    let able = |s: &&Server| s.up && s.logs && s.rule != PromotionRule::MustNot && !s.applier_broken && s.delay == 0;
    world.servers.iter().skip(1).filter(able).count()
}

/// A source that has just died, and one to five replicas in any state.
pub fn scenario(seed: u64) -> Scenario {
    let mut random = Random::new(seed);
    let mut world = empty(&mut random);
    let written = 5 + random.below(40);
    let log: Vec<Txn> = (1..=written).map(|n| (0, n)).collect();
    let all_appliers_stopped = random.percent(25);
    let replicas = 1 + random.index(5);
    for n in 1..=replicas {
        let mut replica = Server::replica_of(Some(0));
        let received = if random.percent(60) { log.len() } else { random.index(log.len() + 1) };
        let applied = if random.percent(50) { received } else { random.index(received + 1) };
        replica.log = log[..applied].to_vec();
        replica.relay = log[applied..received].to_vec();
        replica.retrieved = log[random.index(applied + 1)..received].to_vec();
        replica.applier = !all_appliers_stopped && !random.percent(10);
        replica.semi_replica = world.semi_sync && (n == 1 || random.percent(50));
        replica.receiver = !random.percent(4);
        replica.up = !random.percent(8);
        replica.logs = !random.percent(8);
        replica.applier_broken = random.percent(4);
        replica.delay = if random.percent(5) { 3_600 } else { 0 };
        replica.drains_per_round = if random.percent(15) { 2 } else { usize::MAX };
        replica.rule = match random.below(10) {
            0 => PromotionRule::Prefer,
            1 => PromotionRule::PreferNot,
            2 => PromotionRule::MustNot,
            _ => PromotionRule::Neutral,
        };
        if random.percent(5) && !world.mariadb {
            replica.log.push((n, 9_000 + n as u64));
        }
        world.servers.push(replica);
    }
    let acknowledged =
        |txn: &Txn| !world.semi_sync || world.servers.iter().skip(1).any(|s| s.semi_replica && s.holds(txn));
    world.acknowledged = log.iter().filter(|t| acknowledged(t)).copied().collect();
    world.next_number = written + 1;
    // The last poll of the source saw a part of what it committed. With semi-sync it commits what is acknowledged.
    let committed: Vec<Txn> = log.iter().filter(|t| world.acknowledged.contains(t)).copied().collect();
    let polled = committed.len() * (60 + random.index(41)) / 100;
    world.servers[0].log = committed[..polled].to_vec();
    world.servers[0].semi_source = world.semi_sync;
    let known = world.snapshot();
    world.servers[0].log = log;
    world.servers[0].up = false;
    Scenario { world, known }
}

/// A primary that takes writes, and replicas that replicate.
pub fn healthy(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0x51de);
    let mut world = empty(&mut random);
    let log: Vec<Txn> = (1..=20).map(|n| (0, n)).collect();
    world.servers[0].log.clone_from(&log);
    world.servers[0].semi_source = world.semi_sync;
    for _ in 0..1 + random.index(4) {
        let mut replica = Server::replica_of(Some(0));
        let applied = 10 + random.index(11);
        replica.log = log[..applied].to_vec();
        replica.relay = log[applied..].to_vec();
        replica.retrieved.clone_from(&log);
        replica.semi_replica = world.semi_sync;
        if random.percent(10) {
            replica.rule = PromotionRule::MustNot;
        }
        world.servers.push(replica);
    }
    world.acknowledged = log.iter().copied().collect();
    world.next_number = 21;
    world.clients_write = true;
    let known = world.snapshot();
    Scenario { world, known }
}

/// db0 above db1, db2, db3; db1 is dead and had db4 and on below it.
pub fn intermediate(seed: u64) -> Scenario {
    let mut random = Random::new(seed ^ 0x1d1e);
    let mut world = empty(&mut random);
    let log: Vec<Txn> = (1..=20).map(|n| (0, n)).collect();
    world.servers[0].log.clone_from(&log);
    let (siblings, orphans) = (random.index(3), 1 + random.index(4));
    for n in 0..1 + siblings + orphans {
        let source = if n > siblings { 1 } else { 0 };
        let mut replica = Server::replica_of(Some(source));
        let received = if n == 0 { 20 } else { 5 + random.index(16) };
        let applied = if n == 0 { 20 } else { random.index(received + 1) };
        replica.log = log[..applied].to_vec();
        replica.relay = log[applied..received].to_vec();
        replica.retrieved = log[..received].to_vec();
        if source == 1 {
            replica.applier = !random.percent(10);
            replica.applier_broken = random.percent(5);
        }
        world.servers.push(replica);
    }
    world.acknowledged = log.iter().copied().collect();
    world.next_number = 21;
    world.clients_write = true;
    let known = world.snapshot();
    world.servers[1].up = false;
    Scenario { world, known }
}

fn empty(random: &mut Random) -> World {
    World {
        mariadb: random.percent(50),
        semi_sync: random.percent(60),
        servers: vec![Server::replica_of(None)],
        acknowledged: Default::default(),
        next_number: 1,
        clients_write: false,
        ticks: 0,
    }
}
