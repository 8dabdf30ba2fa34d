//! What a seed stands for: a fleet in some state, and what goes wrong with it.

use app::topology::{Candidate, PromotionRule};

use super::faults::{Fault, Planned, at, at_step};
use super::node::Wish;
use super::random::Random;
use super::server::{Link, Server};
use super::simulation::Simulation;
use super::stage::StepFaults;
use super::store::{Settings, Store};
use super::world::{NODES, World, key};

/// The first fault comes after this, milliseconds: by then nodes act and replicas have something.
pub const CALM: u64 = 6_000;

/// A fleet: db0 is the primary.
pub struct Fleet {
    pub world: World,
    pub random: Random,
    pub plan: Vec<Planned>,
    pub step_faults: StepFaults,
    pub settings: Settings,
}

impl Fleet {
    /// A primary with so many replicas, all alike.
    pub fn plain(seed: u64, mariadb: bool, semi_sync: bool, replicas: usize) -> Self {
        let mut world = World::new(mariadb, u32::from(semi_sync));
        world.servers.push(Server::new(mariadb, None));
        world.servers[0].semi_source = semi_sync;
        for _ in 0..replicas {
            let mut replica = Server::new(mariadb, Some(0));
            (replica.semi_replica, replica.acknowledges) = (semi_sync, semi_sync);
            world.servers.push(replica);
        }
        let (random, step_faults, settings) = (Random::new(seed), StepFaults::default(), Settings::default());
        Self { world, random, plan: vec![], step_faults, settings }
    }

    /// Two that replicate from each other: db0 takes the writes, db1 takes none. So many replicas of db0 in all, db1 being the first.
    pub fn co_sources(seed: u64, mariadb: bool, semi_sync: bool, replicas: usize) -> Self {
        let mut fleet = Self::plain(seed, mariadb, semi_sync, replicas);
        let first = &mut fleet.world.servers[0];
        first.channel = Server::new(mariadb, Some(1)).channel;
        (first.receiver, first.applier) = (true, true);
        first.link = Link::Trying { next: 0, failed: false };
        fleet
    }

    /// The fleet of a seed, and its faults.
    pub fn of(seed: u64) -> Self {
        match seed % 9 {
            7 => Self::of_co_sources(seed),
            8 => Self::of_acknowledgers(seed),
            _ => Self::of_one_source(seed),
        }
    }

    fn of_one_source(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mariadb, semi_sync) = (random.percent(50), random.percent(50));
        let replicas = 1 + random.index(4);
        let mut fleet = Self { random, ..Self::plain(seed, mariadb, semi_sync, replicas) };
        fleet.vary(semi_sync);
        if fleet.replicas() > 2 && fleet.random.percent(25) {
            fleet.deepen();
        }
        fleet.go_wrong();
        fleet
    }

    /// Any of the two may be struck.
    fn of_co_sources(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mariadb, semi_sync) = (random.percent(50), random.percent(50));
        let replicas = 1 + random.index(4);
        let mut fleet = Self { random, ..Self::co_sources(seed, mariadb, semi_sync, replicas) };
        fleet.vary(semi_sync);
        let other = &mut fleet.world.servers[1];
        other.logs = true;
        if let Some(channel) = &mut other.channel {
            channel.options.delay = 0;
        }
        if replicas > 1 && fleet.random.percent(40) {
            fleet.deepen();
        }
        fleet.settings.recovery.must_promote_other = fleet.random.percent(60);
        let start = CALM + fleet.random.below(3_000);
        match fleet.random.below(12) {
            0 => fleet.plan.push(at(start, Fault::Crash(0))),
            1 => fleet.plan.push(at(start, Fault::Crash(1))),
            2 => fleet.hang(0, start),
            3 => fleet.hang(1, start),
            4 => fleet.hidden_from_nodes(start),
            5 => fleet.cut_off_from_replicas(start, true),
            6 => fleet.restarts(start),
            7 => fleet.flaps(start),
            8 => fleet.dies_with_a_replica(start),
            9 => fleet.chosen_dies(start),
            10 => fleet.nodes_die(start),
            _ => fleet.anything(start),
        }
        fleet.also(start);
        fleet.is_repaired(start);
        fleet
    }

    /// Acknowledgements are what is short, or too many, and somebody is to see to it.
    fn of_acknowledgers(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (mariadb, exact) = (random.percent(50), random.percent(40));
        let replicas = 2 + random.index(3);
        let mut fleet = Self { random, ..Self::plain(seed, mariadb, true, replicas) };
        fleet.vary(true);
        // MariaDB waits for one and no more.
        let wait_for = if !mariadb && replicas > 2 && fleet.random.percent(40) { 2 } else { 1 };
        fleet.world.wait_for = wait_for;
        for n in 1..=replicas {
            let first = n <= wait_for as usize;
            let server = &mut fleet.world.servers[n];
            server.priority = if first || fleet.random.percent(70) { 1 + fleet.random.below(3) } else { 0 };
            if first {
                (server.semi_replica, server.acknowledges) = (true, true);
            }
        }
        fleet.settings.repairs.exact_semi_sync = exact;
        fleet.settings.repairs.locked_semi_sync = !exact || fleet.random.percent(50);
        fleet.settings.recovery.exact_semi_sync = exact;
        let start = CALM + fleet.random.below(3_000);
        for n in 1..=replicas {
            if n == 1 || fleet.random.percent(60) {
                fleet.plan.push(at(start, Fault::SwitchOff(n)));
            }
        }
        fleet.goes_wrong_beside(start);
        fleet.is_repaired(start + 15_000);
        fleet
    }

    /// What happens while a source waits for acknowledgements. It counts as locked after ten seconds.
    fn goes_wrong_beside(&mut self, start: u64) {
        let later = start + self.random.below(20_000);
        let n = self.some_replica();
        match self.random.below(8) {
            0 => self.plan.push(at(later, Fault::Crash(0))),
            1 => self.plan.push(at(later, Fault::Crash(n))),
            2 => self.hang(0, later),
            3 => self.plan.push(at_step(2, Fault::CrashChosen)),
            4 => self.a_node_dies(),
            5 => self.plan.push(at(later, Fault::StopApplier(n))),
            6 => self.step_faults = StepFaults { left: 2, chance: 15, deaths: true },
            _ => {}
        }
    }

    fn is_repaired(&mut self, start: u64) {
        let heal = start + 15_000 + self.random.below(25_000);
        self.plan.push(at(heal, Fault::Heal));
    }

    pub fn replicas(&self) -> usize {
        self.world.servers.len() - 1
    }

    fn some_replica(&mut self) -> usize {
        let replicas = self.replicas();
        1 + self.random.index(replicas)
    }

    /// No two servers are alike.
    fn vary(&mut self, semi_sync: bool) {
        for n in 1..self.world.servers.len() {
            let random = &mut self.random;
            let server = &mut self.world.servers[n];
            let acknowledges = semi_sync && (n == 1 || random.percent(60));
            (server.semi_replica, server.acknowledges) = (acknowledges, acknowledges);
            server.relay_log_recovery = random.percent(50);
            server.logs = !random.percent(6);
            server.data_center = if random.percent(30) { "dc2" } else { "dc1" };
            server.rule = match random.below(12) {
                0 | 1 => PromotionRule::Prefer,
                2 => PromotionRule::PreferNot,
                3 => PromotionRule::MustNot,
                _ => PromotionRule::Neutral,
            };
            if random.percent(20) {
                (server.batch, server.pace) = (1, 2 + random.below(8));
            }
            if random.percent(4)
                && let Some(channel) = &mut server.channel
            {
                channel.options.delay = 3_600;
            }
        }
    }

    /// The last replicas go below db1.
    fn deepen(&mut self) {
        let last = self.world.servers.len() - 1;
        let from = if self.random.percent(50) { 2 } else { last };
        self.world.servers[1].logs = true;
        for server in &mut self.world.servers[from..] {
            if let Some(channel) = &mut server.channel {
                channel.source = 1;
            }
        }
    }

    fn has_intermediate(&self) -> bool {
        self.world.servers.iter().any(|s| s.source() == Some(1))
    }

    fn go_wrong(&mut self) {
        let start = CALM + self.random.below(3_000);
        match self.random.below(17) {
            0 => self.plan.push(at(start, Fault::Crash(0))),
            1 => self.hang(0, start),
            2 => self.hidden_from_nodes(start),
            3 => self.cut_off_from_replicas(start, false),
            4 => self.cut_off_from_replicas(start, true),
            5 => self.restarts(start),
            6 => self.flaps(start),
            7 => self.dies_with_a_replica(start),
            8 => self.chosen_dies(start),
            9 => self.nodes_die(start),
            10 => self.appliers_stop(start),
            11 | 12 => self.takeover(start),
            13 => self.intermediate(start),
            14 => self.person_forces(start),
            15 => self.cut_off_from_store(start),
            _ => self.anything(start),
        }
        self.also(start);
        self.is_repaired(start);
    }

    fn hang(&mut self, n: usize, start: u64) {
        self.plan.push(at(start, Fault::Hang(n)));
        if self.random.percent(60) {
            let wakes = start + 500 + self.random.below(15_000);
            self.plan.push(at(wakes, Fault::Wake(n)));
        }
    }

    /// The nodes cannot see the source; its replicas can. Some of them may be out of sight as well.
    fn hidden_from_nodes(&mut self, start: u64) {
        let hidden = if self.random.percent(30) { self.some_replica() } else { 0 };
        for node in 0..2 {
            self.plan.push(at(start, Fault::Cut(NODES + node, 0)));
            if hidden > 0 {
                self.plan.push(at(start, Fault::Cut(NODES + node, hidden)));
            }
        }
        if self.random.percent(40) {
            let also = self.some_replica();
            self.plan.push(at(start, Fault::StopApplier(also)));
        }
        if self.random.percent(40) {
            let dies = start + 4_000 + self.random.below(8_000);
            self.plan.push(at(dies, Fault::Crash(0)));
        }
    }

    fn cut_off_from_replicas(&mut self, start: u64, from_nodes_too: bool) {
        for n in 1..self.world.servers.len() {
            self.plan.push(at(start, Fault::Cut(0, n)));
        }
        for node in (0..2).filter(|_| from_nodes_too) {
            self.plan.push(at(start, Fault::Cut(NODES + node, 0)));
        }
        if self.random.percent(50) {
            let back = start + 1_000 + self.random.below(15_000);
            for n in (1..self.world.servers.len()).chain([NODES, NODES + 1]) {
                self.plan.push(at(back, Fault::Mend(0, n)));
            }
        }
    }

    fn restarts(&mut self, start: u64) {
        self.plan.push(at(start, Fault::Crash(0)));
        let back = start + 200 + self.random.below(4_000);
        self.plan.push(at(back, Fault::Restart(0)));
        if self.random.percent(40) {
            let (n, down) = (self.some_replica(), self.random.below(3_000));
            self.plan.push(at(start + down, Fault::Crash(n)));
            self.plan.push(at(start + down + 700, Fault::Restart(n)));
        }
    }

    fn flaps(&mut self, start: u64) {
        let replicas_too = self.random.percent(60);
        let mut time = start;
        for _ in 0..4 {
            let (off, on) = (300 + self.random.below(5_000), 300 + self.random.below(3_000));
            for party in [NODES, NODES + 1] {
                self.plan.extend([at(time, Fault::Cut(party, 0)), at(time + off, Fault::Mend(party, 0))]);
            }
            for n in (1..self.world.servers.len()).filter(|_| replicas_too) {
                self.plan.extend([at(time, Fault::Cut(n, 0)), at(time + off, Fault::Mend(n, 0))]);
            }
            time += off + on;
        }
    }

    fn dies_with_a_replica(&mut self, start: u64) {
        let n = self.some_replica();
        let apart = if self.random.percent(50) { 0 } else { self.random.below(3_000) };
        let (first, second) = if self.random.percent(50) { (0, n) } else { (n, 0) };
        self.plan.extend([at(start, Fault::Crash(first)), at(start + apart, Fault::Crash(second))]);
        if self.random.percent(40) {
            let back = start + apart + 500 + self.random.below(8_000);
            self.plan.push(at(back, Fault::Restart(n)));
        }
    }

    fn chosen_dies(&mut self, start: u64) {
        self.plan.push(at(start, Fault::Crash(0)));
        let step = 5 + u32::try_from(self.random.below(40)).expect("small");
        self.plan.push(at_step(step, Fault::CrashChosen));
    }

    fn nodes_die(&mut self, start: u64) {
        self.plan.push(at(start, Fault::Crash(0)));
        for _ in 0..1 + self.random.below(3) {
            self.a_node_dies();
        }
    }

    /// The source dies, and the node that recovers it is cut off from the store, for less or for longer than the other one waits.
    fn cut_off_from_store(&mut self, start: u64) {
        self.plan.push(at(start, Fault::Crash(0)));
        let step = 1 + u32::try_from(self.random.below(30)).expect("small");
        self.plan.push(at_step(step, Fault::CutStore(0)));
        let back = start + 1_000 + self.random.below(9_000);
        self.plan.push(at(back, Fault::MendStore(0)));
        if self.random.percent(40) {
            let restarted = start + 500 + self.random.below(8_000);
            self.plan.push(at(restarted, Fault::Restart(0)));
        }
    }

    fn a_node_dies(&mut self) {
        let step = 1 + u32::try_from(self.random.below(40)).expect("small");
        let node = self.random.index(2);
        self.plan.push(at_step(step, Fault::KillNode(node)));
        let back = step + 1 + u32::try_from(self.random.below(6)).expect("small");
        self.plan.push(at_step(back, Fault::StartNode(node)));
        let latest = CALM + 8_000 + self.random.below(8_000);
        self.plan.push(at(latest, Fault::StartNode(node)));
    }

    /// Appliers are stopped, then the source dies: nobody may think that it died before.
    fn appliers_stop(&mut self, start: u64) {
        for n in 1..self.world.servers.len() {
            if self.random.percent(80) {
                self.plan.push(at(start, Fault::StopApplier(n)));
            }
        }
        if self.random.percent(20) {
            let n = self.some_replica();
            self.plan.push(at(start, Fault::BreakApplier(n)));
        }
        if self.random.percent(70) {
            let dies = start + 1_000 + self.random.below(6_000);
            self.plan.push(at(dies, Fault::Crash(0)));
        }
    }

    fn takeover(&mut self, start: u64) {
        let designated = self.random.percent(70).then(|| self.some_replica());
        let wish = Wish::Takeover { designated, auto: self.random.percent(70) };
        self.plan.push(at(start, Fault::Wish(0, wish)));
        match self.random.below(6) {
            0 => self.step_faults = StepFaults { left: 1, chance: 12, deaths: true },
            1 => {
                let step = 1 + u32::try_from(self.random.below(25)).expect("small");
                self.plan.push(at_step(step, Fault::Crash(0)));
            }
            2 => {
                let step = 1 + u32::try_from(self.random.below(25)).expect("small");
                self.plan.push(at_step(step, Fault::CrashChosen));
            }
            3 => self.a_node_dies(),
            4 => {
                let n = self.some_replica();
                self.plan.push(at(start.saturating_sub(2_000), Fault::Crash(n)));
            }
            _ => {}
        }
        if self.random.percent(20) {
            let again = self.random.below(3_000);
            self.plan.push(at(start + again, Fault::Wish(1, Wish::Force)));
        }
    }

    fn intermediate(&mut self, start: u64) {
        if !self.has_intermediate() && self.replicas() > 1 {
            self.deepen();
        }
        if self.random.percent(70) {
            self.plan.push(at(start, Fault::Crash(1)));
        } else {
            self.hang(1, start);
        }
        if self.random.percent(30) {
            let dies = start + self.random.below(6_000);
            self.plan.push(at(dies, Fault::Crash(0)));
        }
        if self.random.percent(30) {
            self.step_faults = StepFaults { left: 1, chance: 10, deaths: true };
        }
    }

    fn person_forces(&mut self, start: u64) {
        match self.random.below(3) {
            0 => {}
            1 => self.plan.push(at(start, Fault::Crash(0))),
            _ => self.plan.extend([at(start, Fault::Cut(NODES, 0)), at(start, Fault::Cut(NODES + 1, 0))]),
        }
        let wish = if self.random.percent(70) { Wish::Force } else { Wish::Recover };
        let later = self.random.below(2_500);
        self.plan.push(at(start + later, Fault::Wish(self.random.index(2), wish)));
        self.plan.push(at(start + later + 300, Fault::Wish(0, wish)));
    }

    fn anything(&mut self, start: u64) {
        let servers = self.world.servers.len();
        for _ in 0..2 + self.random.below(4) {
            let when = start + self.random.below(12_000);
            let (n, m) = (self.random.index(servers), self.random.index(servers));
            let fault = match self.random.below(9) {
                0 | 1 => Fault::Crash(n),
                2 => Fault::Hang(n),
                3 => Fault::Cut(NODES + self.random.index(2), n),
                4 if n != m => Fault::Cut(n, m),
                5 => Fault::StopApplier(n.max(1)),
                6 => Fault::BreakApplier(n.max(1)),
                _ => Fault::Restart(n),
            };
            self.plan.push(at(when, fault));
        }
    }

    /// On top of it now and then: steps fail, a node dies, the dead comes back, somebody lags.
    fn also(&mut self, start: u64) {
        if self.random.percent(25) {
            let left = 1 + u32::try_from(self.random.below(2)).expect("small");
            self.step_faults = StepFaults { left, chance: 8, deaths: self.random.percent(60) };
        }
        if self.random.percent(25) {
            // It lacks what the source writes from then on.
            let (n, before) = (self.some_replica(), self.random.below(4_000));
            self.plan.push(at(start.saturating_sub(before), Fault::Cut(0, n)));
        }
        let nodes_reach_the_store = !self.plan.iter().any(|p| matches!(p.fault, Fault::CutStore(_)));
        if self.random.percent(20) && nodes_reach_the_store {
            self.a_node_dies();
        }
        if self.random.percent(20) {
            let back = start + 500 + self.random.below(12_000);
            self.plan.push(at(back, Fault::Restart(0)));
        }
        if self.random.percent(15) {
            let (n, pace) = (self.some_replica(), 3 + self.random.below(20));
            self.plan.push(at(start.saturating_sub(3_000), Fault::Slow(n, pace)));
        }
        if self.random.percent(10) {
            let when = start + self.random.below(4_000);
            self.plan.push(at(when, Fault::Wish(1, Wish::Recover)));
        }
    }

    pub fn simulate(self) -> Simulation {
        let mut store = Store { settings: self.settings, ..Store::default() };
        {
            let annotations = std::sync::Arc::make_mut(&mut store.annotations);
            annotations.cluster_aliases.insert(key(0).to_string(), "orders".to_owned());
            for (n, server) in self.world.servers.iter().enumerate() {
                let candidate = Candidate { rule: server.rule, last_suggested: super::world::at(0) };
                annotations.candidates.insert(key(n), candidate);
            }
        }
        let mut simulation = Simulation::new(self.world, self.random, store, self.plan);
        simulation.stage.step_faults = self.step_faults;
        simulation
    }
}

/// Runs a fleet until then; whatever breaks an invariant ends the test with the story.
pub fn play(fleet: Fleet, until: u64) -> Simulation {
    let mut simulation = fleet.simulate();
    if let Err(what) = simulation.run_until(until) {
        panic!("{what}\n{}", simulation.story());
    }
    simulation
}
