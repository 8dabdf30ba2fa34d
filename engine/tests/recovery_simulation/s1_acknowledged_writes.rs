//! S1: a write that a client was told is committed is on the final primary whenever any reachable server holds it; where none may
//! hold it, nobody is promoted and the transactions are named.

use std::collections::{BTreeMap, BTreeSet};

use app::topology::PromotionRule;
use engine::recovery::AbortReason;

use super::faults::{Fault, Planned, at};
use super::ledger::Set;
use super::scenario::{CALM, Fleet, play};
use super::simulation::{Invariant, Scene, Simulation};
use super::stage::Event;
use super::world::{NODES, key, number_of};

/// What was within reach of a recovery.
struct Course {
    failed: usize,
    /// Could be read all the time since it began, and nothing happened to them.
    unbroken: BTreeSet<usize>,
    /// What each of them held at any moment since.
    held: Vec<Set>,
    /// Its source's direct replicas.
    direct: Vec<usize>,
    /// What its node had read of the source and of those that cannot be read.
    known: Set,
    /// The source waited for acknowledgements.
    semi_sync: bool,
}

#[derive(Default)]
pub struct AcknowledgedWrites {
    courses: BTreeMap<usize, Course>,
    primary: usize,
    seen: Set,
    /// Nobody within reach held them when the primary changed.
    excused: Set,
    /// A server that was started again may have lost what it had received.
    restarted: BTreeMap<usize, u32>,
}

impl Invariant for AcknowledgedWrites {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        self.excuse_strangers(scene);
        for event in scene.events {
            match event {
                Event::Began { uid, node, failed, .. } => {
                    self.courses.insert(*uid, Course::begin(scene, *node, *failed));
                }
                Event::Struck { server } => {
                    for course in self.courses.values_mut() {
                        course.unbroken.remove(server);
                    }
                }
                Event::MadeWritable { uid, server, .. } => self.check_promotion(scene, *uid, *server)?,
                Event::Aborted { uid, reason } => {
                    if reason.code == "data-at-risk" && reason.at_risk.is_empty() {
                        return Err(format!("#{uid} refuses and names no transaction: {}", reason.message));
                    }
                    self.check_refusal_is_real(scene, *uid, reason)?;
                    self.check_nothing_is_thrown_away(scene, *uid)?;
                    self.excuse_the_given_up(scene, *uid, reason);
                    self.courses.remove(uid);
                }
                Event::Finished { uid, report } => {
                    let successor = number_of(&report.successor);
                    if report.kind.replaces_source() && successor != self.primary {
                        // It took writes before: a co-source.
                        self.check_promotion(scene, *uid, successor)?;
                    }
                    self.check_nothing_is_thrown_away(scene, *uid)?;
                    self.courses.remove(uid);
                }
                Event::TakenUp | Event::LetThrough { .. } | Event::Healed => {}
            }
        }
        for (uid, course) in &mut self.courses {
            if let Some(node) = scene.driver(*uid) {
                course.watch(scene, node);
            }
        }
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let primary = scene.numbers().find(|n| scene.world.servers[*n].is_writable());
        let Some(primary) = primary else { return Ok(()) };
        let server = &scene.world.servers[primary];
        let lost = scene.world.ledger.acknowledged.minus(&server.logged).minus(&self.excused);
        if lost.is_empty() {
            return Ok(());
        }
        Err(format!("the final primary db{primary} lacks acknowledged writes: {}", scene.names(&lost)))
    }
}

impl AcknowledgedWrites {
    /// What a server acknowledges that is not the primary any more is a matter of S2 and S9.
    fn excuse_strangers(&mut self, scene: &Scene<'_>) {
        let ledger = &scene.world.ledger;
        let new = ledger.acknowledged.minus(&self.seen);
        for id in new.ids() {
            if ledger.txns[id].origin != self.primary {
                self.excused.insert(id);
            }
        }
        self.seen.add_all(&new);
        for n in scene.numbers() {
            self.restarted.insert(n, scene.world.servers[n].epoch);
        }
    }

    fn check_promotion(&mut self, scene: &Scene<'_>, uid: usize, server: usize) -> Result<(), String> {
        self.primary = server;
        let Some(course) = self.courses.get(&uid) else { return Ok(()) };
        let lost = scene.world.ledger.acknowledged.minus(&scene.world.servers[server].logged).minus(&self.excused);
        for n in &course.unbroken {
            let had = lost.both(&course.held[*n]);
            if !had.is_empty() {
                let names = scene.names(&had);
                return Err(format!(
                    "#{uid} makes db{server} the primary without acknowledged {names}, which db{n} held"
                ));
            }
        }
        let known = lost.both(&course.known);
        if !known.is_empty() {
            let names = scene.names(&known);
            return Err(format!("#{uid} makes db{server} the primary although {names} were known to be committed"));
        }
        let restarted = self.restarted.iter().any(|(n, epoch)| *n != course.failed && *epoch > 0);
        if course.semi_sync && !lost.is_empty() && !restarted {
            let names = scene.names(&lost);
            return Err(format!(
                "#{uid} makes db{server} the primary although replicas that cannot be read may have acknowledged more: {names}"
            ));
        }
        self.excused.add_all(&lost);
        Ok(())
    }

    /// Where all replicas are there and can apply what they have, nothing is at risk but what the source was known to have alone.
    fn check_refusal_is_real(&self, scene: &Scene<'_>, uid: usize, reason: &AbortReason) -> Result<(), String> {
        let Some(course) = self.courses.get(&uid).filter(|_| reason.code == "data-at-risk") else { return Ok(()) };
        let able = |n: &usize| {
            let server = &scene.world.servers[*n];
            let applies = server.applier_errno == 0 && !server.applier_broken && server.delay() == 0;
            course.unbroken.contains(n) && server.logs && applies && server.rule != PromotionRule::MustNot
        };
        let mut held = Set::default();
        course.direct.iter().for_each(|n| held.add_all(&course.held[*n]));
        if course.direct.iter().all(able) && course.known.minus(&held).is_empty() {
            return Err(format!("#{uid} refuses although nothing is at risk: {}", reason.message));
        }
        Ok(())
    }

    /// A server that was made the primary and was lost at once: nobody is promoted, it is marked to be fenced, and the record
    /// says so. A source that comes back before it goes on without its writes.
    fn excuse_the_given_up(&mut self, scene: &Scene<'_>, uid: usize, reason: &AbortReason) {
        let failed = self.courses.get(&uid).map(|c| c.failed);
        let said = reason.fence.contains(&key(self.primary))
            && reason
                .changed
                .iter()
                .any(|line| line.contains(&key(self.primary).to_string()) && line.contains("writes"));
        if let (Some(failed), true) = (failed, said) {
            let theirs = scene.world.ledger.acknowledged.minus(&scene.world.servers[failed].held);
            self.excused.add_all(&theirs);
            self.primary = failed;
        }
    }

    /// A recovery leaves what it found, wherever it is: one that gives up, and one that promotes somebody and loses a replica.
    fn check_nothing_is_thrown_away(&self, scene: &Scene<'_>, uid: usize) -> Result<(), String> {
        let Some(course) = self.courses.get(&uid) else { return Ok(()) };
        let mut left = Set::default();
        scene.numbers().for_each(|n| left.add_all(&scene.world.servers[n].held));
        // The log of a source that is dead for good holds nothing for anybody.
        if !scene.world.servers[course.failed].is_up() {
            left = Set::default();
            scene.numbers().filter(|n| *n != course.failed).for_each(|n| left.add_all(&scene.world.servers[n].held));
        }
        for n in &course.unbroken {
            let lost = course.held[*n].both(&scene.world.ledger.acknowledged).minus(&left).minus(&self.excused);
            if !lost.is_empty() {
                return Err(format!("#{uid} threw {} of db{n} away", scene.names(&lost)));
            }
        }
        Ok(())
    }
}

impl Course {
    fn begin(scene: &Scene<'_>, node: usize, failed: usize) -> Self {
        let known = &scene.nodes[node].view.known;
        Self {
            failed,
            unbroken: scene.numbers().filter(|n| scene.world.answers(NODES + node, *n)).collect(),
            held: scene.world.servers.iter().map(|s| s.held.clone()).collect(),
            direct: scene.numbers().filter(|n| scene.world.servers[*n].source() == Some(failed)).collect(),
            known: known.get(failed).cloned().unwrap_or_default(),
            semi_sync: scene.world.servers[failed].semi_source,
        }
    }

    fn watch(&mut self, scene: &Scene<'_>, node: usize) {
        self.unbroken.retain(|n| scene.world.answers(NODES + node, *n));
        for n in &self.unbroken {
            self.held[*n].add_all(&scene.world.servers[*n].held);
        }
    }
}

fn everybody(fault: fn(usize) -> Fault, replicas: usize, ms: u64) -> Vec<Planned> {
    (1..=replicas).map(|n| at(ms, fault(n))).collect()
}

fn lost(simulation: &Simulation, primary: usize) -> String {
    let ledger = &simulation.stage.world.ledger;
    ledger.names(&ledger.acknowledged.minus(&simulation.stage.world.servers[primary].logged).ids())
}

#[test]
fn what_is_received_and_not_applied_survives_the_source() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(1, mariadb, true, 3);
        fleet.plan = everybody(Fault::StopApplier, 3, CALM);
        fleet.plan.push(at(CALM + 3_000, Fault::Crash(0)));
        let simulation = play(fleet, CALM + 20_000);
        let primary = simulation.primary().expect("somebody took over");
        assert_ne!(primary, 0);
        assert_eq!(lost(&simulation, primary), "", "{}", simulation.story());
    }
}

#[test]
fn a_preferred_replica_that_lags_gets_everything_before_it_takes_over() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(2, mariadb, false, 3);
        fleet.world.servers[3].rule = app::topology::PromotionRule::Prefer;
        // The link to the preferred one breaks first, so that only the others have the last writes.
        fleet.plan = vec![at(CALM, Fault::Cut(0, 3)), at(CALM + 6_000, Fault::Crash(0))];
        let simulation = play(fleet, CALM + 30_000);
        assert_eq!(simulation.primary(), Some(3), "{}", simulation.story());
        assert_eq!(lost(&simulation, 3), "", "{}", simulation.story());
    }
}

#[test]
fn the_only_holder_of_acknowledged_writes_lost_with_the_source_is_a_refusal_by_name() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(3, mariadb, true, 2);
        (fleet.world.servers[2].semi_replica, fleet.world.servers[2].acknowledges) = (false, false);
        // db2 gets nothing any more, so that what db1 acknowledges is on db1 alone.
        fleet.plan =
            vec![at(CALM, Fault::Cut(0, 2)), at(CALM + 6_000, Fault::Crash(1)), at(CALM + 6_000, Fault::Crash(0))];
        let simulation = play(fleet, CALM + 25_000);
        assert_eq!(simulation.primary(), None, "{}", simulation.story());
        assert!(simulation.story().contains("data-at-risk"), "{}", simulation.story());
    }
}

#[test]
fn a_relay_log_that_cannot_be_applied_is_a_refusal_and_stays() {
    for mariadb in [false, true] {
        let mut fleet = Fleet::plain(4, mariadb, true, 1);
        fleet.plan = vec![at(CALM, Fault::BreakApplier(1)), at(CALM + 3_000, Fault::Crash(0))];
        let simulation = play(fleet, CALM + 20_000);
        assert_eq!(simulation.primary(), None, "{}", simulation.story());
        assert!(simulation.story().contains("data-at-risk"), "{}", simulation.story());
        let ledger = &simulation.stage.world.ledger;
        assert!(ledger.acknowledged.minus(&simulation.stage.world.servers[1].held).is_empty());
    }
}
