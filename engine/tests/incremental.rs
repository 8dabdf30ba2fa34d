//! Analysis that goes on from the last pass finds what analysis from scratch finds, whatever happens in between.
#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::topology::{Downtime, Instance, Maintenance, Replication, Snapshot, ThreadState};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, TimeDelta, Utc};
use engine::analysis::{AnalysisSettings, Incremental, Unmoved, analyse};
use engine::attribution::{AttributionRules, attribute};
use proptest::prelude::*;
use regex::Regex;
use support::{key, now, topology};

const FLEET: &[&str] = &[
    "s semisync=1/1",
    "a < s",
    "b < s",
    "c < a",
    "d < a",
    "t",
    "e < t channel=s",
    "f < t",
    "g < f",
    "u < v",
    "v < u",
    "h < v",
    "p group=primary",
    "q group=secondary",
    "i < q",
    "m mariadb",
    "n < m mariadb",
];

/// Something that happens to the picture.
#[derive(Debug, Clone)]
enum Event {
    Passes(i64),
    ProbeBegins(usize),
    Seen(usize),
    Missed { server: usize, partly: bool },
    Receiver(usize, ThreadState, u32),
    Applier(usize, ThreadState),
    Heartbeat(usize, u64),
    Lag(usize, Option<i64>),
    ReadOnly(usize, bool),
    Mode(usize, &'static str),
    Errant(usize, &'static str),
    Acknowledgers(usize, u64),
    Writes(usize),
    Moves { server: usize, below: Option<usize> },
    SecondChannel { server: usize, from: Option<usize> },
    Forgotten(usize),
    Downtime(usize, i64),
    Maintenance(usize, i64),
    HoldsEnd(usize),
    Alias(&'static str),
    Settings(u8),
}

fn event() -> impl Strategy<Value = Event> {
    use ThreadState::{Other, Running, Stopped};
    let server = || 0..FLEET.len();
    let thread = || prop_oneof![Just(Running), Just(Stopped), Just(Other)];
    prop_oneof![
        4 => (0i64..5000).prop_map(Event::Passes),
        3 => server().prop_map(Event::ProbeBegins),
        4 => server().prop_map(Event::Seen),
        4 => (server(), any::<bool>()).prop_map(|(server, partly)| Event::Missed { server, partly }),
        4 => (server(), thread(), prop_oneof![Just(0), Just(2003), Just(1236)]).prop_map(|(s, t, e)| Event::Receiver(s, t, e)),
        2 => (server(), thread()).prop_map(|(s, t)| Event::Applier(s, t)),
        2 => (server(), 0u64..9000).prop_map(|(s, age)| Event::Heartbeat(s, age)),
        2 => (server(), prop_oneof![Just(None), Just(Some(0)), Just(Some(11))]).prop_map(|(s, l)| Event::Lag(s, l)),
        1 => (server(), any::<bool>()).prop_map(|(s, on)| Event::ReadOnly(s, on)),
        1 => (server(), prop_oneof![Just("ON"), Just("OFF")]).prop_map(|(s, m)| Event::Mode(s, m)),
        1 => (server(), prop_oneof![Just(""), Just("u:1")]).prop_map(|(s, set)| Event::Errant(s, set)),
        2 => (server(), 0u64..3).prop_map(|(s, n)| Event::Acknowledgers(s, n)),
        2 => server().prop_map(Event::Writes),
        3 => (server(), proptest::option::of(server())).prop_map(|(server, below)| Event::Moves { server, below }),
        1 => (server(), proptest::option::of(server())).prop_map(|(server, from)| Event::SecondChannel { server, from }),
        1 => server().prop_map(Event::Forgotten),
        1 => (server(), 1i64..8000).prop_map(|(s, ms)| Event::Downtime(s, ms)),
        1 => (server(), 1i64..8000).prop_map(|(s, ms)| Event::Maintenance(s, ms)),
        1 => server().prop_map(Event::HoldsEnd),
        1 => prop_oneof![Just("orders"), Just("users")].prop_map(Event::Alias),
        1 => (0u8..6).prop_map(Event::Settings),
    ]
}

/// The picture, its clock and what analysis is set to.
struct World {
    snapshot: Snapshot,
    now: DateTime<Utc>,
    settings: AnalysisSettings,
}

fn name(server: usize) -> InstanceKey {
    let line = FLEET.get(server).copied().expect("one of the fleet");
    key(line.split_whitespace().next().expect("a name"))
}

impl World {
    fn new() -> Self {
        Self { snapshot: topology(FLEET), now: now(), settings: AnalysisSettings::default() }
    }

    /// Changes a server; one that was forgotten is found again.
    fn change(&mut self, server: usize, change: impl FnOnce(&mut Instance)) {
        let instances = Arc::make_mut(&mut self.snapshot.instances);
        let key = name(server);
        let fresh = || Arc::new(Instance { version: "8.4.3".to_owned(), ..Instance::unseen(key.clone()) });
        change(Arc::make_mut(instances.entry(key.clone()).or_insert_with(fresh)));
    }

    fn happen(&mut self, event: &Event) {
        let (now, end) = (self.now, |ms: &i64| self.now + TimeDelta::milliseconds(*ms));
        let (owner, reason) = ("tester".to_owned(), "test".to_owned());
        match event {
            Event::Passes(ms) => self.now += TimeDelta::milliseconds(*ms),
            Event::ProbeBegins(s) => self.change(*s, |i| i.check.last_attempted = Some(now)),
            Event::Seen(s) => self.change(*s, |i| {
                i.check.last_attempted = Some(now);
                i.check.last_checked = Some(now);
                i.check.last_seen = Some(now);
                i.check.error.clear();
            }),
            Event::Missed { server, partly } => self.change(*server, |i| {
                i.check.last_checked = Some(now + TimeDelta::milliseconds(1));
                i.check.partial_success = *partly;
                i.check.error = "connection refused".to_owned();
            }),
            Event::Receiver(s, state, errno) => self.change(*s, |i| {
                i.replication.receiver = *state;
                i.replication.receiver_errno = *errno;
            }),
            Event::Applier(s, state) => self.change(*s, |i| i.replication.applier = *state),
            Event::Heartbeat(s, age) => self.change(*s, |i| {
                i.replication.heartbeat_age_ms = Some(*age);
                i.replication.heartbeat_period_ms = Some(2000);
            }),
            Event::Lag(s, lag) => self.change(*s, |i| i.lag = *lag),
            Event::ReadOnly(s, on) => self.change(*s, |i| i.read_only = *on),
            Event::Mode(s, mode) => self.change(*s, |i| i.gtid_mode = (*mode).to_owned()),
            Event::Errant(s, set) => self.change(*s, |i| i.errant_gtid = (*set).to_owned()),
            Event::Acknowledgers(s, clients) => self.change(*s, |i| i.semi_sync.source_clients = *clients),
            Event::Writes(s) => self.change(*s, |i| i.binlog.position += 1),
            Event::Moves { server, below } => {
                let source = below.map(name).unwrap_or_default();
                self.change(*server, |i| i.replication = replicating(source));
                self.settle();
            }
            Event::SecondChannel { server, from } => {
                let second = from.map(|from| Replication { channel: "other".to_owned(), ..replicating(name(from)) });
                self.change(*server, |i| i.channels = [i.replication.clone()].into_iter().chain(second).collect());
            }
            Event::Forgotten(s) => {
                Arc::make_mut(&mut self.snapshot.instances).remove(&name(*s));
                self.settle();
            }
            Event::Downtime(s, ms) => {
                let downtime = Downtime { owner, reason, begin: now, end: end(ms) };
                Arc::make_mut(&mut self.snapshot.annotations).downtime.insert(name(*s), downtime);
            }
            Event::Maintenance(s, ms) => {
                let maintenance = Maintenance { id: 1, owner, reason, begin: now, end: end(ms) };
                Arc::make_mut(&mut self.snapshot.annotations).maintenance.insert(name(*s), maintenance);
            }
            Event::HoldsEnd(s) => {
                let annotations = Arc::make_mut(&mut self.snapshot.annotations);
                annotations.downtime.remove(&name(*s));
                annotations.maintenance.remove(&name(*s));
            }
            Event::Alias(alias) => {
                let annotations = Arc::make_mut(&mut self.snapshot.annotations);
                annotations.cluster_aliases.insert("s:3306".to_owned(), (*alias).to_owned());
            }
            Event::Settings(which) => self.set(*which),
        }
    }

    fn set(&mut self, which: u8) {
        let settings = &mut self.settings;
        match which {
            0 => settings.reduce = !settings.reduce,
            1 => settings.include_no_problem = !settings.include_no_problem,
            2 => settings.include_downtimed = !settings.include_downtimed,
            3 => settings.recover_non_writeable_source = !settings.recover_non_writeable_source,
            4 => settings.thresholds.instance_poll_seconds = 6 - settings.thresholds.instance_poll_seconds.min(5),
            _ if settings.ignore_hostnames.is_empty() => {
                settings.ignore_hostnames.push(Regex::new("^[a-c]").expect("fine"))
            }
            _ => settings.ignore_hostnames.clear(),
        }
    }

    /// Names and depths, as the picture works them out. Rings that form and break may take more than one pass.
    fn settle(&mut self) {
        for changed in attribute(&self.snapshot, &AttributionRules::default()) {
            Arc::make_mut(&mut self.snapshot.instances).insert(changed.key.clone(), Arc::new(changed));
        }
    }
}

fn replicating(source: InstanceKey) -> Replication {
    Replication {
        source,
        read: BinlogCoordinates::binary("binlog.000007", 1000),
        receiver: ThreadState::Running,
        applier: ThreadState::Running,
        auto_position: true,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_changed_is_enough(rounds in proptest::collection::vec(proptest::collection::vec(event(), 1..4), 1..40)) {
        let mut world = World::new();
        let (mut incremental, mut unmoved) = (Incremental::default(), Unmoved::default());
        let mut happened = Vec::new();
        for events in rounds {
            events.iter().for_each(|event| world.happen(event));
            happened.extend(events);
            world.settings.unmoved = Arc::new(unmoved.clone());
            let found = incremental.analyse(&world.snapshot, &world.settings, world.now);
            let expected = analyse(&world.snapshot, &world.settings, world.now);
            prop_assert_eq!(&found, &expected, "after {:?}", happened);
            unmoved.observe(&found, world.now);
        }
    }
}

/// The servers that others replicate from are told, known ones only.
#[test]
fn sources_follow_the_picture() {
    let mut incremental = Incremental::default();
    let mut look = |lines: &[&str]| {
        incremental.analyse(&topology(lines), &AnalysisSettings::default(), now());
        let mut sources: Vec<String> = incremental.sources().map(|key| key.hostname.clone()).collect();
        sources.sort();
        sources.join(" ")
    };
    assert_eq!(look(&["s", "a < s", "b < a", "c < unknown"]), "a s");
    assert_eq!(look(&["s", "a < s", "b < s"]), "s");
    assert_eq!(look(&["a"]), "");
}

/// Nothing changes but the time: the evidence that the source does not move grows with the caller.
#[test]
fn a_source_that_does_not_move_is_locked_in_time() {
    let snapshot = topology(&["s semisync=0/1", "a < s"]);
    let (mut incremental, mut unmoved) = (Incremental::default(), Unmoved::default());
    let mut codes = Vec::new();
    for second in [0, 5, 10, 11] {
        let at = now() + TimeDelta::seconds(second);
        let settings = AnalysisSettings { unmoved: Arc::new(unmoved.clone()), ..Default::default() };
        let found = incremental.analyse(&snapshot, &settings, at);
        unmoved.observe(&found, at);
        codes.extend(found.first().map(|f| f.code));
    }
    use app::finding::AnalysisCode::{LockedSemiSyncSource as Locked, LockedSemiSyncSourceHypothesis as Suspected};
    assert_eq!(codes, [Suspected, Suspected, Suspected, Locked]);
}

/// Only what changed is looked at: a pass over the same servers does not depend on how many there are. Measured in a debug
/// build beside other tests, so the limit is wide.
#[test]
fn one_changed_cluster_costs_a_fraction_of_all() {
    let lines: Vec<String> = (0..200)
        .flat_map(|c| {
            let replicas = (1..50).map(move |r| format!("s{c:03}r{r:02} < s{c:03}"));
            std::iter::once(format!("s{c:03}")).chain(replicas)
        })
        .collect();
    let mut snapshot = topology(&lines);
    let (mut incremental, settings) = (Incremental::default(), AnalysisSettings::default());
    let began = std::time::Instant::now();
    assert!(incremental.analyse(&snapshot, &settings, now()).is_empty());
    let all = began.elapsed();
    let mut costs: BTreeMap<usize, std::time::Duration> = BTreeMap::new();
    for round in 0..5 {
        let instances = Arc::make_mut(&mut snapshot.instances);
        Arc::make_mut(instances.get_mut(&key("s007r01")).expect("known")).replication.receiver_errno = 2003 + round;
        let began = std::time::Instant::now();
        incremental.analyse(&snapshot, &settings, now());
        costs.insert(round as usize, began.elapsed());
    }
    let best = costs.values().min().expect("five rounds");
    println!("all {all:?}, one cluster {best:?}");
    assert!(*best * 5 < all, "one cluster {best:?}, all {all:?}");
}
