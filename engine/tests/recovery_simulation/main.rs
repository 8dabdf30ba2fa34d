//! A seeded simulation of recoveries against a model of servers: faults at any step, deaths of the orchestrator at any
//! step, and the invariants of `safety.md` after every step and at the end.
//!
//! A failing seed is in the message of the assertion, with the story and every step.

// Helpers of tests fail as tests do.
#![allow(clippy::expect_used)]

mod executor;
mod random;
mod scenarios;
mod world;

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use engine::recovery::{Machine, RecoverySettings, TakeoverRequest};

use executor::{End, Executor, Faults, Story};
use random::Random;
use scenarios::{Scenario, scenario};
use world::{World, at, key, number_of};

const SEEDS: u64 = 500;

fn finding(of: usize, code: AnalysisCode) -> Finding {
    Finding {
        key: key(of),
        source: InstanceKey::default(),
        cluster: "db0:3306".into(),
        cluster_alias: "orders".into(),
        cluster_domain: String::new(),
        code,
        description: "found dead".into(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts::default(),
        evidence: vec![],
    }
}

struct Run {
    before: World,
    after: World,
    story: Story,
    seed: u64,
}

impl Run {
    fn dead_source(seed: u64, mut scenario: Scenario, faults: Faults) -> Self {
        let mut random = Random::new(seed ^ 0xfeed);
        let before = scenario.world.clone();
        let settings = RecoverySettings::default();
        let (machine, decision) =
            Machine::begin(&finding(0, AnalysisCode::DeadSource), &scenario.known, &settings, at(1));
        let story = Executor::new(&mut scenario.world, &mut random, faults, 0).run(machine, decision);
        Self { before, after: scenario.world, story, seed }
    }

    fn tell(&self) -> String {
        let (lines, reason) = match &self.story.end {
            End::Finished(report) => (&report.story, format!("{:?}", report.lost)),
            End::Aborted(reason) => (&reason.story, format!("{:?} {:?}", reason.changed, reason.considered)),
        };
        let told: Vec<&str> = lines.iter().map(|l| l.message.as_str()).collect();
        format!("seed {}\n{}\nsteps:\n{}\n{reason}", self.seed, told.join("\n"), self.story.lines.join("\n"))
    }

    fn primary(&self) -> Option<usize> {
        match &self.story.end {
            End::Finished(report) => Some(number_of(&report.successor)),
            End::Aborted(_) => None,
        }
    }

    /// S1: what a client was told and a server that lives through it all held, is there.
    fn check_no_write_is_lost(&self) {
        let lives =
            |n: &usize| self.before.servers[*n].up && self.after.servers[*n].up && self.after.servers[*n].visible;
        let survivors: Vec<usize> = (0..self.before.servers.len()).filter(lives).collect();
        for txn in self.after.acknowledged.iter() {
            let was_held = survivors.iter().any(|n| self.before.servers[*n].holds(txn));
            if !was_held {
                continue;
            }
            let kept = match self.primary() {
                Some(primary) => self.after.servers[primary].log.contains(txn),
                None => survivors.iter().any(|n| self.after.servers[*n].holds(txn)),
            };
            assert!(kept, "acknowledged {txn:?} is lost: {}", self.tell());
        }
    }

    /// S9: whoever follows catches up, and holds nothing that the primary does not, but for what it wrote by itself before.
    fn check_it_converges(&mut self) {
        let Some(primary) = self.primary() else { return };
        for _ in 0..200 {
            self.after.tick();
        }
        let End::Finished(report) = &self.story.end else { return };
        assert!(!self.after.servers[primary].read_only, "{}", self.tell());
        assert_eq!(self.after.servers[primary].source, None, "{}", self.tell());
        for follower in report.followers.iter().map(number_of) {
            let server = &self.after.servers[follower];
            let broken = server.applier_broken || server.delay > 0 || server.drains_per_round < usize::MAX;
            if !server.up || broken || !server.receiver {
                assert_ne!(server.receiver_error, 1236, "db{follower} was refused: {}", self.tell());
                continue;
            }
            let behind: Vec<_> = self.after.servers[primary].log.iter().filter(|t| !server.holds(t)).collect();
            assert!(behind.is_empty(), "db{follower} lacks {behind:?}: {}", self.tell());
            let errant = server.log.iter().filter(|t| !self.after.servers[primary].log.contains(t));
            let made: Vec<_> = errant.filter(|t| !self.before.servers[follower].log.contains(t)).collect();
            assert!(made.is_empty(), "db{follower} has errant {made:?}: {}", self.tell());
        }
    }

    /// S6: a recovery that ends without a successor leaves things as they were, or says what is not.
    fn check_nothing_is_changed_in_silence(&self) {
        let End::Aborted(reason) = &self.story.end else { return };
        for n in 0..self.before.servers.len() {
            let (was, is) = (&self.before.servers[n], &self.after.servers[n]);
            let named = reason
                .changed
                .iter()
                .any(|line| line.starts_with(&format!("{} ", key(n))) || line.contains(&format!("of {} ", key(n))));
            if !was.up || !is.up || named || (n == 0 && self.story.returned) {
                continue;
            }
            let pick = |s: &world::Server| (s.source, s.receiver || s.receiver_error != 0, s.applier, s.read_only);
            assert_eq!(pick(is), pick(was), "db{n} is changed and nobody says so: {}", self.tell());
        }
    }

    fn check_everybody_is_accounted_for(&self) {
        let End::Finished(report) = &self.story.end else { return };
        for n in 1..self.before.servers.len() {
            let known = report.successor == key(n)
                || report.followers.contains(&key(n))
                || report.lost.iter().any(|lost| lost.key == key(n));
            assert!(known, "db{n} vanished from the report: {}", self.tell());
        }
        assert!(report.considered.iter().all(|c| !c.reason.is_empty()));
    }

    fn check(&mut self) {
        self.check_no_write_is_lost();
        self.check_nothing_is_changed_in_silence();
        self.check_everybody_is_accounted_for();
        self.check_it_converges();
    }

    fn code(&self) -> &str {
        match &self.story.end {
            End::Finished(_) => "finished",
            End::Aborted(reason) => &reason.code,
        }
    }
}

#[test]
fn without_faults_a_dead_source_is_always_replaced() {
    let mut finished = 0;
    for seed in 0..SEEDS {
        let scenario = scenario(seed);
        let eligible = scenario.eligible();
        let mut run = Run::dead_source(seed, scenario, Faults::default());
        run.check();
        match run.code() {
            "finished" => finished += 1,
            "no-candidate" | "no-reachable-replica" => assert_eq!(eligible, 0, "{}", run.tell()),
            "data-at-risk" => run.check_risk_is_real(),
            other => panic!("{other}: {}", run.tell()),
        }
    }
    assert!(finished > SEEDS * 6 / 10, "only {finished} of {SEEDS}");
}

impl Run {
    fn check_risk_is_real(&self) {
        let End::Aborted(reason) = &self.story.end else { panic!("{}", self.tell()) };
        assert!(!reason.at_risk.is_empty(), "{}", self.tell());
        if reason.at_risk.starts_with("everything after") {
            let acknowledges = |n: &usize| self.before.servers[*n].semi_replica && self.after.servers[*n].up;
            assert!(!(1..self.after.servers.len()).any(|n| acknowledges(&n)), "{}", self.tell());
            return;
        }
        // What a server cannot apply, or not in time, cannot be promoted.
        let has = |n: usize, txn: &world::Txn| {
            let server = &self.after.servers[n];
            let applies = !server.applier_broken && server.delay == 0;
            server.up && server.logs && (server.log.contains(txn) || (applies && server.relay.contains(txn)))
        };
        let held = |txn: &world::Txn| (1..self.after.servers.len()).any(|n| has(n, txn));
        let all = self.before.servers.iter().flat_map(|s| s.log.iter().chain(&s.relay));
        assert!(all.clone().any(|txn| !held(txn)), "every transaction is there: {}", self.tell());
    }
}

#[test]
fn with_faults_at_any_step_nothing_is_lost_and_somebody_takes_over_while_somebody_can() {
    let mut finished = 0;
    for seed in 0..SEEDS {
        let scenario = scenario(seed.wrapping_add(1_000_000));
        let faults = Faults { steps: 2, deaths: true, interruptions: 2, ..Default::default() };
        let mut run = Run::dead_source(seed, scenario, faults);
        run.check();
        match run.code() {
            "finished" => finished += 1,
            "data-at-risk" => run.check_risk_is_real(),
            "no-candidate" | "no-reachable-replica" => {
                let left = scenarios::eligible(&run.after);
                let spent = usize::try_from(run.story.step_faults).expect("few");
                assert!(left <= spent, "{left} could be promoted, {spent} faults: {}", run.tell());
            }
            other => panic!("{other}: {}", run.tell()),
        }
    }
    assert!(finished > SEEDS / 2, "only {finished} of {SEEDS}");
}

#[test]
fn the_orchestrator_may_die_again_and_again() {
    for seed in 0..SEEDS {
        let scenario = scenario(seed.wrapping_add(2_000_000));
        let eligible = scenario.eligible();
        let mut run = Run::dead_source(seed, scenario, Faults { interruptions: 6, ..Default::default() });
        run.check();
        match run.code() {
            "finished" => {}
            "no-candidate" | "no-reachable-replica" => assert_eq!(eligible, 0, "{}", run.tell()),
            "data-at-risk" => run.check_risk_is_real(),
            other => panic!("{other}: {}", run.tell()),
        }
    }
}

#[test]
fn a_source_that_comes_back_keeps_its_place_or_is_fenced() {
    let (mut kept, mut fenced) = (0, 0);
    for seed in 0..SEEDS {
        let scenario = scenario(seed.wrapping_add(3_000_000));
        let faults = Faults { source_returns: true, interruptions: 1, ..Default::default() };
        let mut run = Run::dead_source(seed, scenario, faults);
        run.check_nothing_is_changed_in_silence();
        run.check_everybody_is_accounted_for();
        match (&run.story.end, run.story.returned) {
            (End::Aborted(reason), true) if reason.code == "source-serves" => {
                kept += 1;
                assert!(reason.changed.is_empty(), "{}", run.tell());
            }
            (End::Finished(report), true) => {
                fenced += 1;
                assert!(!run.story.seen_before_promotion, "it was back, and was replaced: {}", run.tell());
                assert!(report.fence.contains(&key(0)), "{}", run.tell());
                assert!(run.after.servers[0].read_only || !run.story.returned_before_promotion, "{}", run.tell());
            }
            _ => {}
        }
        if !run.story.returned {
            run.check_it_converges();
        }
    }
    assert!(kept > 20 && fenced > 8, "kept {kept}, fenced {fenced}");
}

#[test]
fn a_source_that_only_we_cannot_see_keeps_its_place() {
    for seed in 0..SEEDS {
        let mut scenario = scenario(seed.wrapping_add(4_000_000));
        let source = &mut scenario.world.servers[0];
        (source.up, source.visible) = (true, false);
        for replica in scenario.world.servers.iter_mut().skip(1) {
            replica.up = true;
        }
        if !scenario.world.servers.iter().any(|s| s.receiver) {
            continue;
        }
        let run = Run::dead_source(seed, scenario, Faults { interruptions: 1, ..Default::default() });
        assert_eq!(run.code(), "source-serves", "{}", run.tell());
        assert!(!run.after.servers[0].read_only);
        run.check_nothing_is_changed_in_silence();
    }
}

#[test]
fn a_takeover_is_all_or_nothing() {
    let mut taken = 0;
    for seed in 0..SEEDS {
        let mut random = Random::new(seed ^ 0xbeef);
        let mut scenario = scenarios::healthy(seed);
        let before = scenario.world.clone();
        let designated = random.percent(70).then(|| key(1 + random.index(before.servers.len() - 1)));
        let request = TakeoverRequest { source: key(0), designated, auto: random.percent(70) };
        let settings = RecoverySettings::default();
        let (machine, decision) = Machine::begin_takeover(&request, &scenario.known, &settings, at(1));
        let faults =
            Faults { steps: u32::from(random.percent(60)), deaths: true, interruptions: 2, ..Default::default() };
        let story = Executor::new(&mut scenario.world, &mut random, faults, 0).run(machine, decision);
        let mut run = Run { before, after: scenario.world, story, seed };
        run.after.clients_write = false;
        run.check_nothing_is_changed_in_silence();
        let writable: Vec<usize> = (0..run.after.servers.len())
            .filter(|n| run.after.servers[*n].up && !run.after.servers[*n].read_only)
            .collect();
        match &run.story.end {
            End::Finished(report) => {
                taken += 1;
                if !run.after.servers[number_of(&report.successor)].up {
                    continue; // It died once it had taken over: that is for the next recovery.
                }
                assert_eq!(writable, vec![number_of(&report.successor)], "{}", run.tell());
                let primary = &run.after.servers[number_of(&report.successor)];
                for txn in &run.after.acknowledged {
                    assert!(primary.log.contains(txn), "{txn:?} is lost: {}", run.tell());
                }
                if report.kind == app::recovery::RecoveryKind::Source {
                    // The designated server took writes and was lost; one of its replicas took over.
                    assert!(report.fence.contains(&key(0)), "{}", run.tell());
                    continue;
                }
                let follows = report.followers.contains(&key(0));
                let named = report.lost.iter().any(|l| l.key == key(0));
                assert!(follows || named, "{}", run.tell());
                run.check_it_converges();
            }
            End::Aborted(reason) => {
                if writable.is_empty() {
                    // The designated server took writes, was lost, and nobody who may be promoted can take its place.
                    assert!(reason.changed.iter().any(|l| l.starts_with("db0:3306 is read-only")), "{}", run.tell());
                    continue;
                }
                assert_eq!(writable, vec![0], "{}: {}", reason.code, run.tell());
                let reachable = |txn: &world::Txn| run.after.servers.iter().any(|s| s.up && s.holds(txn));
                for txn in run.after.acknowledged.iter().filter(|txn| reachable(txn)) {
                    assert!(run.after.servers[0].log.contains(txn), "{txn:?} is lost: {}", run.tell());
                }
                assert!(run.story.step_faults > 0 || reason.code == "not-a-takeover", "{}", run.tell());
            }
        }
    }
    assert!(taken > SEEDS / 3, "only {taken} of {SEEDS}");
}

#[test]
fn replicas_of_a_dead_intermediate_source_find_another_source() {
    let mut finished = 0;
    for seed in 0..SEEDS {
        let mut random = Random::new(seed ^ 0xcafe);
        let mut scenario = scenarios::intermediate(seed);
        let before = scenario.world.clone();
        let orphans: Vec<usize> = (0..before.servers.len()).filter(|n| before.servers[*n].source == Some(1)).collect();
        let settings = RecoverySettings::default();
        let found = finding(1, AnalysisCode::DeadIntermediateSource);
        let (machine, decision) = Machine::begin(&found, &scenario.known, &settings, at(1));
        let faults = Faults { steps: u32::from(random.percent(50)), interruptions: 2, ..Default::default() };
        let story = Executor::new(&mut scenario.world, &mut random, faults, 1).run(machine, decision);
        let run = Run { before, after: scenario.world, story, seed };
        assert!(!run.after.servers[0].read_only, "the primary is not touched: {}", run.tell());
        if let End::Finished(report) = &run.story.end {
            finished += 1;
            assert_ne!(report.successor, key(1));
            let mut healed = run.after.clone();
            (0..100).for_each(|_| healed.tick());
            for orphan in orphans.iter().filter(|n| healed.servers[**n].up) {
                if report.lost.iter().any(|lost| lost.key == key(*orphan)) {
                    continue;
                }
                let server = &healed.servers[*orphan];
                assert!(server.source != Some(1), "db{orphan} is still below the dead: {}", run.tell());
                assert_ne!(server.receiver_error, 1236, "db{orphan} was refused: {}", run.tell());
                let was = &run.before.servers[*orphan];
                assert_eq!(
                    (server.receiver, server.applier),
                    (was.receiver, was.applier),
                    "db{orphan}: {}",
                    run.tell()
                );
            }
        } else {
            run.check_nothing_is_changed_in_silence();
            assert!(run.story.step_faults > 0, "{}", run.tell());
        }
    }
    assert!(finished > SEEDS * 9 / 10, "only {finished} of {SEEDS}");
}
