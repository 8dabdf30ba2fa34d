//! Discovery on real servers of both families: from one replica's address to the whole tree, and a kill that is known
//! at once.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use app::InstanceKey;
use engine::interpret::{NameMethod, Names};
use orchestrator::discovery::{Discovery, DiscoverySettings};
use orchestrator::events::EventBus;
use orchestrator::fleet::Fleet;
use orchestrator::mysql::{Connector, MysqlProbe, ProbeSettings};
use orchestrator::tasks::Tasks;
use rstest::rstest;
use support::{Sandbox, account, key, until};

struct Watcher {
    discovery: Arc<Discovery>,
    fleet: Arc<Fleet>,
    tasks: Tasks,
}

impl Watcher {
    fn start(seeds: Vec<InstanceKey>) -> Self {
        let names = Names::new(NameMethod::AsGiven, "", "", "");
        let connector = Arc::new(Connector::new(account()));
        let probe = Arc::new(MysqlProbe::new(Arc::clone(&connector), ProbeSettings { names, ..Default::default() }));
        let fleet = Arc::new(Fleet::new(Arc::new(EventBus::default())));
        let settings = DiscoverySettings { seeds, ..Default::default() };
        let discovery = Arc::new(Discovery::new(probe, connector, Arc::clone(&fleet), settings));
        let tasks = Tasks::default();
        discovery.start(&tasks);
        Self { discovery, fleet, tasks }
    }

    fn is_valid(&self, port: u16) -> bool {
        self.fleet.get(&key(port)).is_some_and(|i| i.check.is_valid())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_found_from_a_leaf_and_a_kill_is_noticed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 5);
    let ports = sandbox.ports.clone();
    let [top, middle, low, other, leaf] = ports[..] else { panic!("five servers") };
    sandbox.replicate(&[(top, middle), (middle, low), (top, other), (middle, leaf)]);
    let began = Instant::now();
    let watcher = Watcher::start(vec![key(leaf)]);
    let found =
        until("the whole tree", Duration::from_secs(3), || async { ports.iter().all(|port| watcher.is_valid(*port)) })
            .await;
    println!("{flavor}: five servers found from a leaf in {found:?}");
    assert_eq!(watcher.fleet.keys(), {
        let mut keys: Vec<InstanceKey> = ports.iter().copied().map(key).collect();
        keys.sort();
        keys
    });
    for (replica, source) in [(middle, top), (low, middle), (other, top), (leaf, middle)] {
        let seen = watcher.fleet.get(&key(replica)).expect("known");
        assert_eq!((&seen.replication.source, seen.is_replica()), (&key(source), true), "{replica}");
        assert_eq!(seen.cluster_name, key(top).to_string());
    }
    assert!(began.elapsed() < Duration::from_secs(4));
    until("every server has its alarm", Duration::from_secs(5), || async { watcher.discovery.count_alarms() == 5 })
        .await;

    // The source is killed: known long before its next turn, and its replicas are asked at once.
    let before = watcher.fleet.get(&key(middle)).and_then(|i| i.check.last_attempted).expect("asked");
    let killed = Instant::now();
    sandbox.signal(top, "KILL");
    until("the death is known", Duration::from_secs(10), || async { !watcher.is_valid(top) }).await;
    println!("{flavor}: the source's death was in the picture {:?} after the kill", killed.elapsed());
    until("its replicas were asked", Duration::from_secs(10), || async {
        watcher.fleet.get(&key(middle)).and_then(|i| i.check.last_attempted).is_some_and(|at| at > before)
    })
    .await;
    until("the receiver's word is in the picture", Duration::from_secs(15), || async {
        watcher.fleet.get(&key(other)).is_some_and(|i| !i.replication.receiver.is_running())
    })
    .await;
    println!("{flavor}: its replica's receiver was seen to have stopped {:?} after the kill", killed.elapsed());
    sandbox.start_one(top);
    until("it is back", Duration::from_secs(15), || async { watcher.is_valid(top) }).await;
}
