use std::collections::BTreeMap;

use app::topology::{Annotations, Replication};
use chrono::Utc;
use futures_util::future::BoxFuture;
use std::net::IpAddr;

use super::*;
use crate::events::EventBus;
use crate::mysql::{MysqlError, ProbeContext, ProbeOutcome, ProbeResult, Seen};

/// A world of servers that answer after a while, or do not.
#[derive(Default)]
struct World {
    servers: Mutex<BTreeMap<InstanceKey, Server>>,
    /// When looks began, and how many of silent servers ran at a time.
    begun: Mutex<Vec<(InstanceKey, Duration)>>,
    silent_now: Mutex<(usize, usize)>,
    epoch: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Server {
    instance: Instance,
    latency: Duration,
    silent: bool,
}

impl World {
    fn put(&self, instance: Instance, latency: Duration, silent: bool) {
        lock(&self.servers).insert(instance.key.clone(), Server { instance, latency, silent });
    }

    fn begun_of(&self, key: &InstanceKey) -> Vec<Duration> {
        lock(&self.begun).iter().filter(|(k, _)| k == key).map(|(_, at)| *at).collect()
    }
}

impl Probe for World {
    fn probe<'a>(&'a self, key: &'a InstanceKey, _context: &'a ProbeContext) -> BoxFuture<'a, ProbeResult> {
        Box::pin(async move {
            let epoch = *lock(&self.epoch).get_or_insert_with(Instant::now);
            lock(&self.begun).push((key.clone(), epoch.elapsed()));
            let started = Utc::now();
            let server = lock(&self.servers).get(key).cloned();
            let outcome = match server {
                Some(server) if !server.silent => {
                    sleep(server.latency).await;
                    ProbeOutcome::Seen(Box::new(Seen {
                        instance: server.instance,
                        promotion_rule: None,
                        cluster_domain: None,
                    }))
                }
                _ => {
                    {
                        let mut silent = lock(&self.silent_now);
                        silent.0 += 1;
                        silent.1 = silent.1.max(silent.0);
                    }
                    let after = Duration::from_secs(10);
                    sleep(after).await;
                    lock(&self.silent_now).0 -= 1;
                    let error = MysqlError::Timeout { what: "a poll".to_owned(), after };
                    ProbeOutcome::Failed { error: error.into() }
                }
            };
            ProbeResult {
                probed: key.clone(),
                started,
                ended: Utc::now(),
                latency: Duration::ZERO,
                round_trips: 1,
                outcome,
                refused: BTreeMap::new(),
            }
        })
    }

    fn forget(&self, _key: &InstanceKey) {}
}

struct NoDns;

impl Dns for NoDns {
    fn canonical<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async { Err("no DNS".to_owned()) })
    }

    fn addresses<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>> {
        Box::pin(async { Err("no DNS".to_owned()) })
    }
}

fn key(n: usize) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

fn replica(n: usize, source: usize) -> Instance {
    let replication = Replication { source: key(source), ..Default::default() };
    Instance { replication, ..Instance::unseen(key(n)) }
}

fn discovery(world: &Arc<World>, settings: DiscoverySettings) -> (Arc<Discovery>, Arc<Fleet>) {
    let fleet = Arc::new(Fleet::new(Arc::new(EventBus::default())));
    let probe: Arc<dyn Probe> = Arc::clone(world) as Arc<dyn Probe>;
    let discovery = Discovery::with(probe, Arc::clone(&fleet), settings, Box::new(NoDns), None);
    (Arc::new(discovery), fleet)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_servers_are_looked_at_evenly_and_silent_ones_delay_nobody() {
    const SERVERS: usize = 10_000;
    const SILENT: usize = 1_000;
    let world = Arc::new(World::default());
    let mut known = Vec::with_capacity(SERVERS);
    for n in 0..SERVERS {
        let instance = Instance::unseen(key(n));
        // Every tenth server hangs until the read time-out, twice as long as the period.
        world.put(instance.clone(), Duration::from_millis(20), n.is_multiple_of(SERVERS / SILENT));
        known.push(instance);
    }
    let pace = Pace { concurrency: 300, silent_concurrency: 30, silent_factor: 1.5, ..Pace::default() };
    let (discovery, fleet) = discovery(&world, DiscoverySettings { pace, ..Default::default() });
    fleet.load(known, Annotations::default());
    let tasks = Tasks::default();
    discovery.start(&tasks);
    // The first silences take place in the regular lane: nobody knew. From then on they have their own.
    sleep(Duration::from_secs(60)).await;
    tasks.stop();
    tasks.wait().await;

    let begun = lock(&world.begun).len() as u64;
    let under_way = discovery.counts().running as u64;
    assert_eq!(discovery.meter().attempts() + under_way, begun, "each look is counted when it is over");
    assert!(discovery.meter().failures() >= 1_000, "{}", discovery.meter().failures());
    let (from, to) = (30.0, 60.0);
    let mut slots = vec![0_u32; 300];
    let mut last: BTreeMap<InstanceKey, f64> = BTreeMap::new();
    let mut widest: f64 = 0.0;
    for (key, at) in lock(&world.begun).iter() {
        let at = at.as_secs_f64();
        let number: usize = key.hostname.trim_start_matches("db").parse().expect("a number");
        if number.is_multiple_of(SERVERS / SILENT) {
            continue;
        }
        if let Some(before) = last.insert(key.clone(), at).filter(|_| at >= from) {
            widest = widest.max(at - before);
        }
        if (from..to).contains(&at) {
            slots[((at - from) * 10.0) as usize] += 1;
        }
    }
    let (least, most) = (slots.iter().min().copied().unwrap_or(0), slots.iter().max().copied().unwrap_or(0));
    println!("looks in a tenth of a second: {least} to {most}; longest between two of one server: {widest:.3} s");
    assert_eq!(last.len(), SERVERS - SILENT);
    // 9,000 servers in 5 s are 180 in a tenth of a second.
    assert!(least >= 150 && most <= 210, "{least} to {most}");
    assert!(widest < 5.2, "{widest}");
    assert!(discovery.counts().silent >= SILENT);
}

#[tokio::test(start_paused = true)]
async fn one_seed_leads_to_the_whole_tree() {
    let world = Arc::new(World::default());
    // 0 has 1 to 4, each of those has two more; only upwards is known to the replicas, only downwards to the sources.
    for n in 0..13 {
        let mut instance =
            if n == 0 { Instance::unseen(key(0)) } else { replica(n, if n < 5 { 0 } else { (n - 5) / 2 + 1 }) };
        instance.replicas = (1..13).filter(|r| if *r < 5 { n == 0 } else { (*r - 5) / 2 + 1 == n }).map(key).collect();
        world.put(instance, Duration::from_millis(50), false);
    }
    let (discovery, fleet) = discovery(&world, DiscoverySettings { seeds: vec![key(12)], ..Default::default() });
    let tasks = Tasks::default();
    discovery.start(&tasks);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(fleet.len(), 13);

    // Forgotten: it is not looked at although its neighbours name it; named by an operator it comes back.
    fleet.forget(&key(12), Utc::now() + chrono::TimeDelta::days(1));
    sleep(Duration::from_secs(2)).await;
    let before = world.begun_of(&key(12)).len();
    sleep(Duration::from_secs(20)).await;
    assert_eq!(world.begun_of(&key(12)).len(), before);
    assert_eq!(discovery.probe_now(&key(12)).await, Err(DiscoveryError::Barred(key(12))));
    assert_eq!(discovery.discover(&key(12)).await.expect("seen").key, key(12));
    assert_eq!(fleet.len(), 13);
    tasks.stop();
}

#[tokio::test(start_paused = true)]
async fn a_look_asked_for_begins_after_the_one_that_runs() {
    let world = Arc::new(World::default());
    world.put(Instance::unseen(key(1)), Duration::from_secs(1), false);
    let (discovery, _fleet) = discovery(&world, DiscoverySettings { seeds: vec![key(1)], ..Default::default() });
    let tasks = Tasks::default();
    discovery.start(&tasks);
    sleep(Duration::from_millis(400)).await;
    discovery.probe_now(&key(1)).await.expect("seen");
    let begun = world.begun_of(&key(1));
    assert_eq!(begun.len(), 2, "{begun:?}");
    assert!(begun[1] - begun[0] >= Duration::from_secs(1), "one at a time: {begun:?}");
    tasks.stop();
}

#[tokio::test(start_paused = true)]
async fn when_a_server_falls_silent_its_witnesses_are_asked_at_once() {
    let world = Arc::new(World::default());
    world.put(Instance::unseen(key(1)), Duration::from_millis(10), false);
    world.put(replica(2, 1), Duration::from_millis(10), false);
    let (discovery, fleet) = discovery(&world, DiscoverySettings { seeds: vec![key(2)], ..Default::default() });
    let tasks = Tasks::default();
    discovery.start(&tasks);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(fleet.len(), 2);
    world.put(Instance::unseen(key(1)), Duration::ZERO, true);
    let silenced = discovery.now();
    discovery.probe_soon(&key(1));
    sleep(Duration::from_secs(11)).await;
    let asked: Vec<f64> =
        world.begun_of(&key(2)).iter().filter(|at| **at > silenced).map(|at| (*at - silenced).as_secs_f64()).collect();
    assert!(asked.iter().any(|at| (9.9..10.2).contains(at)), "{asked:?}");
    assert!(fleet.get(&key(1)).is_some_and(|i| !i.check.is_valid() && i.check.error.contains("no answer")));
    tasks.stop();
}
