//! What all parts of a run share: the world, chance, what happened, and the story of it.

use std::collections::BTreeSet;

use engine::recovery::{AbortReason, Report};

use super::random::Random;
use super::world::{TICK, World};

/// What the checkers of the invariants are told, in the order in which it happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A recovery or takeover began.
    Began { uid: usize, node: usize, failed: usize, planned: bool, forced: bool },
    /// A node went on with a recovery of a node that is gone.
    TakenUp,
    /// A step of a recovery cleared `read_only`.
    MadeWritable { uid: usize, server: usize },
    /// A recovery ended with a successor.
    Finished { uid: usize, report: Box<Report> },
    /// A recovery ended without.
    Aborted { uid: usize, reason: Box<AbortReason> },
    /// The policy let a recovery begin while one of its cluster was at work; only the locks held it.
    LetThrough { cluster: String },
    /// Something went wrong with a server, or with one step on it.
    Struck { server: usize },
    /// Nothing goes wrong from now on.
    Healed,
}

/// Steps that fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepFaults {
    /// How many may still fail.
    pub left: u32,
    /// Chance of each step, percent.
    pub chance: u64,
    /// They may take their server with them.
    pub deaths: bool,
}

pub struct Stage {
    pub world: World,
    pub random: Random,
    pub step_faults: StepFaults,
    pub events: Vec<Event>,
    pub story: Vec<String>,
    /// Servers that a recovery named as left behind or changed: people are to look after them.
    pub left_to_people: BTreeSet<usize>,
    /// Appliers that were stopped by the plan; an operator starts them in the end.
    pub stopped_appliers: BTreeSet<usize>,
    /// Steps of recoveries that began so far.
    pub steps_begun: u32,
}

impl Stage {
    pub fn new(world: World, random: Random) -> Self {
        Self {
            world,
            random,
            step_faults: StepFaults::default(),
            events: vec![],
            story: vec![],
            left_to_people: BTreeSet::new(),
            stopped_appliers: BTreeSet::new(),
            steps_begun: 0,
        }
    }

    pub fn now(&self) -> u64 {
        self.world.now
    }

    pub fn tell(&mut self, line: impl AsRef<str>) {
        let (seconds, tenths) = (self.world.now / 1_000, self.world.now % 1_000 / TICK);
        self.story.push(format!("{seconds:>4}.{tenths} {}", line.as_ref()));
    }

    /// Something goes wrong with a server.
    pub fn strike(&mut self, server: usize, what: &str) {
        self.tell(format!("** db{server} {what}"));
        self.events.push(Event::Struck { server });
    }

    pub fn kill(&mut self, server: usize) {
        self.strike(server, "dies");
        self.world.kill(server);
    }
}
