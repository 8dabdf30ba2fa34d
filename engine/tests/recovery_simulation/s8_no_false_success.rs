//! S8: nothing is reported as done that is not.

use std::collections::BTreeMap;

use app::recovery::RecoveryKind;
use engine::recovery::Report;

use super::faults::{Fault, at, at_step};
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene};
use super::stage::Event;
use super::world::{NODES, key, number_of};

#[derive(Default)]
pub struct NoFalseSuccess {
    /// By server: when something happened to it last.
    struck: BTreeMap<usize, u64>,
    /// By recovery: whose receiver ran when it began.
    received: BTreeMap<usize, Vec<bool>>,
}

/// A server may have been read this long before a report is written, milliseconds.
const OLD: u64 = 12_000;

impl Invariant for NoFalseSuccess {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        for event in scene.events {
            match event {
                Event::Began { uid, .. } => {
                    let received = scene.world.servers.iter().map(|s| s.receiver || s.channel.is_none()).collect();
                    self.received.insert(*uid, received);
                }
                Event::Struck { server } => drop(self.struck.insert(*server, scene.world.now)),
                Event::Finished { uid, report } => {
                    self.check(scene, *uid, report).map_err(|what| format!("#{uid} reports success, but {what}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What happened to somebody this long ago was noticed before a source was reported as put right, milliseconds.
const NOTICED: u64 = 3_000;

impl NoFalseSuccess {
    /// A source that waited for acknowledgements gets them.
    fn check_repaired(&self, scene: &Scene<'_>, source: usize) -> Result<(), String> {
        let quiet = self.struck.values().all(|at| at + NOTICED < scene.world.now);
        if quiet && !scene.world.takes_writes(source) {
            return Err(format!("db{source} still waits for acknowledgements"));
        }
        Ok(())
    }

    fn check(&self, scene: &Scene<'_>, uid: usize, report: &Report) -> Result<(), String> {
        let successor = number_of(&report.successor);
        if report.kind.repairs_source() {
            return self.check_repaired(scene, successor);
        }
        if report.successor == report.failed {
            return Err("the successor is the server that failed".to_owned());
        }
        let known = |n: usize| {
            self.struck.get(&n).is_none_or(|at| at + OLD < scene.world.now)
                && scene.driver(uid).is_none_or(|node| scene.world.answers(NODES + node, n))
                && scene.world.servers[n].is_up()
        };
        let server = &scene.world.servers[successor];
        let promotes = report.kind != RecoveryKind::IntermediateSource;
        if promotes && known(successor) && (server.read_only || server.channel.is_some()) {
            return Err(format!("db{successor} takes no writes"));
        }
        for follower in report.followers.iter().map(number_of).filter(|n| known(*n)) {
            let server = &scene.world.servers[follower];
            if server.source() != Some(successor) {
                return Err(format!("db{follower} does not follow db{successor}"));
            }
            let ran = self.received.get(&uid).is_some_and(|received| received[follower]);
            let ours = key(follower) != report.failed;
            if ran && ours && !server.receiver && server.receiver_errno == 0 {
                return Err(format!("db{follower} below db{successor} does not receive"));
            }
        }
        for n in report.participants.iter().map(number_of) {
            let told = key(n) == report.successor
                || key(n) == report.failed
                || report.followers.contains(&key(n))
                || report.lost.iter().any(|lost| lost.key == key(n));
            if promotes && !told {
                return Err(format!("it says nothing of db{n}"));
            }
        }
        if report.considered.iter().any(|c| c.reason.is_empty()) || report.lost.iter().any(|l| l.reason.is_empty()) {
            return Err("somebody was passed over without a reason".to_owned());
        }
        Ok(())
    }
}

/// The chosen one dies at each step in turn: whoever is reported to have taken over, has.
#[test]
fn a_candidate_that_dies_at_any_step_is_not_reported_as_the_new_primary() {
    for step in 5..40 {
        let mut fleet = Fleet::plain(u64::from(step), step % 2 == 0, step % 3 == 0, 4);
        fleet.plan = vec![at(CALM, Fault::Crash(0)), at_step(step, Fault::CrashChosen)];
        let simulation = play(fleet, CALM + 60_000);
        let succeeded = simulation.store.records.iter().any(|r| r.successor.is_some());
        let primary = simulation.primary();
        assert!(succeeded || primary.is_none(), "step {step}: {}", simulation.story());
    }
}

#[test]
fn a_success_whose_follower_did_not_follow_is_caught() {
    let mut fleet = Fleet::plain(1, false, false, 2);
    fleet.plan.push(at(CALM, Fault::Crash(0)));
    let simulation = play(fleet, CALM + 10_000);
    let report = Report {
        kind: RecoveryKind::Source,
        failed: key(0),
        successor: key(simulation.primary().expect("took over")),
        followers: vec![key(0)],
        lost: vec![],
        fence: vec![],
        participants: vec![key(0)],
        errors: vec![],
        considered: vec![],
        story: vec![],
    };
    let mut world = simulation.stage.world;
    world.restart(0);
    let events = [Event::Finished { uid: 7, report: Box::new(report) }];
    let left = std::collections::BTreeSet::new();
    let scene = Scene {
        world: &world,
        nodes: &simulation.nodes,
        store: &simulation.store,
        left_to_people: &left,
        events: &events,
    };
    let told = NoFalseSuccess::default().look(&scene).expect_err("db0 follows nobody");
    assert!(told.contains("db0 does not follow"), "{told}");
}
