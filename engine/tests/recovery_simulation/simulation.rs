//! One run: the world, two orchestrator nodes, what goes wrong, and the invariants, looked at after every tick.

use std::collections::BTreeSet;

use super::faults::Planned;
use super::ledger::Set;
use super::node::Node;
use super::random::Random;
use super::stage::{Event, Stage};
use super::store::Store;
use super::world::{TICK, World};
use super::{
    s1_acknowledged_writes, s2_one_writable_server, s3_no_needless_failover, s4_one_recovery, s5_never_left_behind,
    s6_as_found_or_said, s7_replication_options, s8_no_false_success, s9_converges,
};

/// The world, when an invariant looks at it.
pub struct Scene<'a> {
    pub world: &'a World,
    pub nodes: &'a [Node],
    pub store: &'a Store,
    /// Servers that people were told to look after.
    pub left_to_people: &'a BTreeSet<usize>,
    /// What happened in this tick, in its order.
    pub events: &'a [Event],
}

impl Scene<'_> {
    /// The node that holds the lease, if it lives.
    pub fn leader(&self) -> Option<&Node> {
        let (holder, until) = self.store.lease?;
        self.nodes.get(holder).filter(|node| node.alive && self.world.now < until)
    }

    /// The node that drives a recovery now.
    pub fn driver(&self, uid: usize) -> Option<usize> {
        self.nodes.iter().find(|node| node.drives(uid)).map(|node| node.id)
    }

    pub fn numbers(&self) -> std::ops::Range<usize> {
        0..self.world.servers.len()
    }

    pub fn names(&self, set: &Set) -> String {
        self.world.ledger.names(&set.ids())
    }
}

/// One of S1 to S9.
pub trait Invariant {
    /// After every tick.
    ///
    /// # Errors
    /// What does not hold.
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String>;

    /// When all is repaired and time is over.
    ///
    /// # Errors
    /// What does not hold.
    fn end(&mut self, _scene: &Scene<'_>) -> Result<(), String> {
        Ok(())
    }
}

pub struct Simulation {
    pub stage: Stage,
    pub nodes: Vec<Node>,
    pub store: Store,
    pub plan: Vec<Planned>,
    invariants: Vec<(&'static str, Box<dyn Invariant>)>,
}

impl Simulation {
    pub fn new(world: World, random: Random, mut store: Store, plan: Vec<Planned>) -> Self {
        let servers = world.servers.len();
        let nodes = (0..2).map(|id| Node::new(id, &mut store, servers, 0)).collect();
        let invariants: Vec<(&'static str, Box<dyn Invariant>)> = vec![
            ("S1", Box::new(s1_acknowledged_writes::AcknowledgedWrites::default())),
            ("S2", Box::new(s2_one_writable_server::OneWritableServer::default())),
            ("S3", Box::new(s3_no_needless_failover::NoNeedlessFailover::default())),
            ("S4", Box::new(s4_one_recovery::OneRecovery)),
            ("S5", Box::new(s5_never_left_behind::NeverLeftBehind::default())),
            ("S6", Box::new(s6_as_found_or_said::AsFoundOrSaid::default())),
            ("S7", Box::new(s7_replication_options::ReplicationOptions::of(&world))),
            ("S8", Box::new(s8_no_false_success::NoFalseSuccess::default())),
            ("S9", Box::new(s9_converges::Converges)),
        ];
        Self { stage: Stage::new(world, random), nodes, store, plan, invariants }
    }

    /// Goes on for one tick.
    ///
    /// # Errors
    /// The invariant that does not hold, with what it saw.
    pub fn tick(&mut self) -> Result<(), String> {
        self.strike_due();
        self.stage.world.tick(&mut self.stage.random);
        for node in self.nodes.iter_mut().filter(|node| node.alive) {
            node.tick(&mut self.stage, &mut self.store);
        }
        let events = std::mem::take(&mut self.stage.events);
        self.ask(&events, |invariant, scene| invariant.look(scene))
    }

    fn scene<'a>(&'a self, events: &'a [Event]) -> Scene<'a> {
        let Self { stage, nodes, store, .. } = self;
        Scene { world: &stage.world, nodes, store, left_to_people: &stage.left_to_people, events }
    }

    fn ask(
        &mut self,
        events: &[Event],
        mut question: impl FnMut(&mut dyn Invariant, &Scene<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let Self { stage, nodes, store, .. } = self;
        let left = &stage.left_to_people;
        let scene = Scene { world: &stage.world, nodes, store, left_to_people: left, events };
        for (name, invariant) in &mut self.invariants {
            question(invariant.as_mut(), &scene).map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(())
    }

    /// Goes on until this time.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub fn run_until(&mut self, ms: u64) -> Result<(), String> {
        while self.stage.now() < ms {
            self.tick()?;
        }
        Ok(())
    }

    /// After the last fault: goes on until all has been quiet for a while, at most for this long, and asks everybody for the end.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub fn settle(&mut self, most: u64) -> Result<(), String> {
        const QUIET: u64 = 3_000;
        let (end, mut quiet) = (self.stage.now() + most, 0);
        while self.stage.now() < end && quiet < QUIET {
            self.tick()?;
            self.start_stopped_appliers();
            let scene = self.scene(&[]);
            quiet = if s9_converges::what_is_open(&scene).is_none() { quiet + TICK } else { 0 };
        }
        self.ask(&[], |invariant, scene| invariant.end(scene))
    }

    /// The story, for people.
    pub fn story(&self) -> String {
        self.stage.story.join("\n")
    }

    /// The server that takes writes, if there is exactly one.
    pub fn primary(&self) -> Option<usize> {
        let servers = &self.stage.world.servers;
        let mut writable = (0..servers.len()).filter(|n| servers[*n].is_writable());
        writable.next().filter(|_| writable.next().is_none())
    }
}
