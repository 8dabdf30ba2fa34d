//! What goes wrong, and when.

use super::node::{Node, Wish};
use super::server::Life;
use super::simulation::Simulation;
use super::stage::Event;

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Crash(usize),
    Restart(usize),
    Hang(usize),
    Wake(usize),
    /// Two parties hear nothing of each other; nodes are parties from `NODES` on.
    Cut(usize, usize),
    Mend(usize, usize),
    StopApplier(usize),
    /// Its applier will stop with an error.
    BreakApplier(usize),
    /// From now on it applies one transaction in so many ticks.
    Slow(usize, u64),
    /// Somebody tells it to acknowledge no more.
    SwitchOff(usize),
    KillNode(usize),
    StartNode(usize),
    /// Nothing passes between a node and the store.
    CutStore(usize),
    MendStore(usize),
    /// A person asks a node for something.
    Wish(usize, Wish),
    /// The server that the recovery at work has chosen dies.
    CrashChosen,
    /// Everything is repaired.
    Heal,
}

#[derive(Debug, Clone, Copy)]
pub enum When {
    /// At this time, milliseconds.
    At(u64),
    /// When so many steps of recoveries have begun.
    AtStep(u32),
}

#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub when: When,
    pub fault: Fault,
}

pub fn at(ms: u64, fault: Fault) -> Planned {
    Planned { when: When::At(ms), fault }
}

pub fn at_step(step: u32, fault: Fault) -> Planned {
    Planned { when: When::AtStep(step), fault }
}

impl Simulation {
    /// Lets go wrong what is due.
    pub fn strike_due(&mut self) {
        let (now, steps) = (self.stage.now(), self.stage.steps_begun);
        let due = |planned: &Planned| match planned.when {
            When::At(ms) => ms <= now,
            When::AtStep(step) => step <= steps,
        };
        let (due, rest): (Vec<Planned>, Vec<Planned>) = std::mem::take(&mut self.plan).into_iter().partition(due);
        self.plan = rest;
        due.into_iter().for_each(|planned| self.strike(planned.fault));
    }

    fn strike(&mut self, fault: Fault) {
        let (now, stage) = (self.stage.now(), &mut self.stage);
        match fault {
            Fault::Crash(n) => stage.kill(n),
            Fault::Restart(n) if stage.world.servers[n].life == Life::Down => {
                stage.strike(n, "is started again");
                stage.world.restart(n);
            }
            Fault::Hang(n) if stage.world.servers[n].is_up() => {
                stage.strike(n, "hangs");
                stage.world.servers[n].life = Life::Hung;
            }
            Fault::Wake(n) if stage.world.servers[n].life == Life::Hung => {
                stage.strike(n, "goes on");
                stage.world.servers[n].life = Life::Up;
            }
            Fault::Restart(_) | Fault::Hang(_) | Fault::Wake(_) => {}
            Fault::Cut(a, b) | Fault::Mend(a, b) => {
                let cut = matches!(fault, Fault::Cut(..));
                stage.tell(format!("** the link between {a} and {b} is {}", if cut { "cut" } else { "back" }));
                if cut { stage.world.cut(a, b) } else { stage.world.mend(a, b) }
            }
            Fault::StopApplier(n) => {
                stage.strike(n, "has its applier stopped");
                stage.world.servers[n].applier = false;
                stage.stopped_appliers.insert(n);
            }
            Fault::BreakApplier(n) => {
                stage.stopped_appliers.insert(n);
                stage.tell(format!("** db{n} cannot apply what comes next"));
                stage.world.servers[n].applier_broken = true;
            }
            Fault::Slow(n, pace) => {
                stage.tell(format!("** db{n} applies slowly"));
                (stage.world.servers[n].batch, stage.world.servers[n].pace) = (1, pace);
            }
            Fault::SwitchOff(n) => {
                stage.strike(n, "is told to acknowledge no more");
                let server = &mut stage.world.servers[n];
                (server.semi_replica, server.acknowledges) = (false, false);
            }
            Fault::KillNode(n) => {
                stage.tell(format!("** node{n} dies"));
                self.nodes[n].die();
            }
            Fault::StartNode(n) if !self.nodes[n].alive => {
                stage.tell(format!("** node{n} starts"));
                self.nodes[n] = Node::new(n, &mut self.store, stage.world.servers.len(), now);
            }
            Fault::StartNode(_) => {}
            Fault::CutStore(n) | Fault::MendStore(n) => {
                let cut = matches!(fault, Fault::CutStore(_));
                stage.tell(format!("** node{n} {} the store", if cut { "is cut off from" } else { "reaches" }));
                self.nodes[n].cut_off = cut;
            }
            Fault::Wish(n, wish) if self.nodes[n].alive => self.nodes[n].wish(wish, stage, &mut self.store),
            Fault::Wish(..) => {}
            Fault::CrashChosen => self.crash_chosen(),
            Fault::Heal => self.heal(),
        }
    }

    /// An operator starts the appliers that were stopped, once no recovery is at work.
    pub fn start_stopped_appliers(&mut self) {
        if self.store.records.iter().any(|r| r.running) {
            return;
        }
        for n in std::mem::take(&mut self.stage.stopped_appliers) {
            let server = &mut self.stage.world.servers[n];
            if server.channel.is_some() && server.is_up() {
                server.applier = true;
                self.stage.strike(n, "has its applier started by an operator");
            }
        }
    }

    fn crash_chosen(&mut self) {
        let machines = self.store.records.iter().filter(|r| r.running).map(|r| &r.machine);
        let chosen = machines.flat_map(|m| m.considered()).find(|c| c.chosen).map(|c| super::world::number_of(&c.key));
        if let Some(chosen) = chosen.filter(|n| self.stage.world.servers[*n].is_up()) {
            self.stage.kill(chosen);
        }
    }

    /// Links, servers, appliers and nodes work again; an operator has looked into what happened.
    fn heal(&mut self) {
        self.stage.tell("** everything is repaired");
        self.stage.events.push(Event::Healed);
        self.plan.clear();
        self.stage.step_faults.left = 0;
        self.stage.world.mend_all();
        for n in 0..self.stage.world.servers.len() {
            self.strike(Fault::Restart(n));
            self.strike(Fault::Wake(n));
            let server = &mut self.stage.world.servers[n];
            (server.applier_broken, server.batch, server.pace) = (false, 8, 1);
        }
        for n in 0..self.nodes.len() {
            self.strike(Fault::StartNode(n));
            self.nodes[n].cut_off = false;
        }
        self.store.acknowledge_all();
    }
}
