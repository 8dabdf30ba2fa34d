//! S6: a refused or failed recovery leaves the topology as it found it, or says exactly what is changed.

use std::collections::BTreeMap;

use super::faults::{Fault, at};
use super::node::Wish;
use super::scenario::{CALM, Fleet, play};
use super::server::Server;
use super::simulation::{Invariant, Scene};
use super::stage::{Event, StepFaults};
use super::world::{NODES, key};

/// What a recovery may change of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    source: Option<(usize, bool)>,
    receives: bool,
    applies: bool,
    read_only: bool,
    waits_for_acknowledgements: bool,
    acknowledges: bool,
}

impl State {
    fn of(server: &Server) -> Self {
        Self {
            source: server.channel.as_ref().map(|c| (c.source, c.detached)),
            // A receiver that its source refused was not stopped by us.
            receives: server.receiver || server.receiver_errno != 0,
            applies: server.applier,
            read_only: server.read_only,
            waits_for_acknowledgements: server.semi_source,
            acknowledges: server.semi_replica,
        }
    }
}

#[derive(Default)]
pub struct AsFoundOrSaid {
    /// By recovery: servers as found; those that something happened to are out.
    found: BTreeMap<usize, BTreeMap<usize, State>>,
}

impl Invariant for AsFoundOrSaid {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            match event {
                Event::Began { uid, .. } => {
                    let found = scene.numbers().map(|n| (n, State::of(&scene.world.servers[n]))).collect();
                    self.found.insert(*uid, found);
                }
                Event::Struck { server } => {
                    for found in self.found.values_mut() {
                        found.remove(server);
                    }
                }
                Event::Aborted { uid, reason } => {
                    for (n, was) in self.found.remove(uid).unwrap_or_default() {
                        let is = State::of(&scene.world.servers[n]);
                        if is != was && !names(&reason.changed, n) {
                            return Err(format!(
                                "#{uid} gave up, and says nothing of db{n}: it is {is:?}, and was {was:?}"
                            ));
                        }
                    }
                }
                Event::Finished { uid, .. } => {
                    self.found.remove(uid);
                }
                Event::TakenUp | Event::LetThrough { .. } | Event::MadeWritable { .. } | Event::Healed => {}
            }
        }
        for (uid, found) in &mut self.found {
            if let Some(node) = scene.driver(*uid) {
                found.retain(|n, _| scene.world.answers(NODES + node, *n));
            }
        }
        Ok(())
    }
}

fn names(changed: &[String], n: usize) -> bool {
    let key = key(n);
    changed.iter().any(|line| line.starts_with(&format!("{key} ")) || line.contains(&format!("of {key} ")))
}

/// Any one step of a takeover fails, in any way, without a death: it is done, or all is as it was.
#[test]
fn a_takeover_with_a_step_that_fails_is_all_or_nothing() {
    let (mut taken, mut left) = (0, 0);
    for seed in 0..120 {
        let mut fleet = Fleet::plain(seed, seed % 2 == 0, seed % 3 == 0, 3);
        fleet.plan.push(at(CALM, Fault::Wish(0, Wish::Takeover { designated: Some(1), auto: true })));
        fleet.step_faults = StepFaults { left: 2, chance: 15, deaths: false };
        let simulation = play(fleet, CALM + 90_000);
        match simulation.primary() {
            Some(0) => left += 1,
            Some(1) => taken += 1,
            other => panic!("seed {seed}: {other:?}: {}", simulation.story()),
        }
    }
    assert!(taken > 20 && left > 5, "{taken} taken over, {left} left as they were");
}

#[test]
fn a_takeover_that_stalls_behind_semi_sync_gives_writes_back() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(1, mariadb, true, 2);
        // Nobody acknowledges any more: a commit hangs, and read_only behind it.
        fleet.plan = (1..3).map(|n| at(CALM - 1_000, Fault::Cut(0, n))).collect();
        fleet.plan.push(at(CALM, Fault::Wish(0, Wish::Takeover { designated: Some(1), auto: true })));
        fleet.plan.extend((1..3).map(|n| at(CALM + 60_000, Fault::Mend(0, n))));
        let simulation = play(fleet, CALM + 70_000);
        let servers = &simulation.stage.world.servers;
        assert!(!servers[0].read_only && !servers[0].locked, "{}", simulation.story());
        assert!(simulation.store.records.iter().all(|r| r.successor.is_none()), "{}", simulation.story());
    }
}

/// Nobody may be promoted: nothing is touched.
#[test]
fn a_recovery_without_a_candidate_touches_nothing() {
    let mut fleet = Fleet::plain(2, false, false, 3);
    for n in 1..4 {
        fleet.world.servers[n].rule = app::topology::PromotionRule::MustNot;
    }
    fleet.plan.push(at(CALM, Fault::Crash(0)));
    let simulation = play(fleet, CALM + 15_000);
    assert!(simulation.story().contains("no-candidate"), "{}", simulation.story());
    assert!(!simulation.story().contains("StopReceiver"), "{}", simulation.story());
}
