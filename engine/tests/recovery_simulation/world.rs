//! The world that is managed: servers, the network between them, clients that write. Time goes in ticks and only here.

use std::collections::{BTreeMap, BTreeSet};

use app::InstanceKey;
use app::plan::Step;
use chrono::{DateTime, Utc};

use super::ledger::{Ledger, Set, Txn, TxnId};
use super::random::Random;
use super::server::{Life, Link, NET_TIMEOUT, Server};

/// One tick, in milliseconds.
pub const TICK: u64 = 100;
/// A receiver tries to connect this often.
const RETRY: u64 = 500;
/// Sessions that write at a time.
const SESSIONS: usize = 3;
/// Orchestrator node 0 is this party of the network, node 1 the next; smaller numbers are servers.
pub const NODES: usize = 100;

/// What a party gets when it asks a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Answers,
    Refused,
    Silence,
}

#[derive(Debug)]
pub struct World {
    pub now: u64,
    pub mariadb: bool,
    pub servers: Vec<Server>,
    pub ledger: Ledger,
    pub clients_write: bool,
    /// Acknowledgements that a source waits for.
    pub wait_for: u32,
    cuts: BTreeSet<(usize, usize)>,
    numbers: BTreeMap<(usize, usize), u64>,
    texts: Vec<[(usize, usize, String); 2]>,
}

pub fn key(n: usize) -> InstanceKey {
    InstanceKey::new(format!("db{n}"), 3306)
}

pub fn number_of(key: &InstanceKey) -> usize {
    key.hostname.trim_start_matches('/').trim_start_matches("db").parse().expect("a name of the model")
}

pub fn at(ms: u64) -> DateTime<Utc> {
    let ms = i64::try_from(ms).expect("in range");
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).expect("in range")
}

impl World {
    pub fn new(mariadb: bool, wait_for: u32) -> Self {
        Self {
            now: 0,
            mariadb,
            servers: vec![],
            ledger: Ledger::default(),
            clients_write: true,
            wait_for,
            cuts: BTreeSet::new(),
            numbers: BTreeMap::new(),
            texts: vec![],
        }
    }

    /// A client's commit can succeed there. Where nobody acknowledges, it hangs.
    pub fn takes_writes(&self, n: usize) -> bool {
        let acknowledges = |s: &&Server| s.source() == Some(n) && s.acknowledges && s.is_connected();
        let server = &self.servers[n];
        let enough = || self.servers.iter().filter(acknowledges).count() >= self.wait_for as usize;
        server.is_writable() && (!server.semi_source || enough())
    }

    /// Somebody else than this one takes writes.
    pub fn takes_writes_beside(&self, n: usize) -> bool {
        (0..self.servers.len()).any(|other| other != n && self.takes_writes(other))
    }

    // Network

    pub fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a.min(b), a.max(b)));
    }

    pub fn mend(&mut self, a: usize, b: usize) {
        self.cuts.remove(&(a.min(b), a.max(b)));
    }

    pub fn mend_all(&mut self) {
        self.cuts.clear();
    }

    pub fn is_cut(&self, a: usize, b: usize) -> bool {
        !self.cuts.is_empty() && self.cuts.contains(&(a.min(b), a.max(b)))
    }

    pub fn reach(&self, from: usize, server: usize) -> Reach {
        match self.servers[server].life {
            _ if self.is_cut(from, server) => Reach::Silence,
            Life::Up => Reach::Answers,
            Life::Down => Reach::Refused,
            Life::Hung => Reach::Silence,
        }
    }

    pub fn answers(&self, from: usize, server: usize) -> bool {
        self.reach(from, server) == Reach::Answers
    }

    // Time

    pub fn tick(&mut self, random: &mut Random) {
        self.now += TICK;
        if self.clients_write {
            self.write(random);
        }
        for n in 0..self.servers.len() {
            if self.servers[n].is_up() {
                self.connect(n);
                self.receive(n);
                self.apply(n);
            }
        }
    }

    fn apply(&mut self, n: usize) {
        let (tick, server) = (self.now / TICK, &mut self.servers[n]);
        if !server.applier || server.relay.is_empty() || server.delay() > 0 {
            return;
        }
        if server.applier_broken {
            (server.applier, server.applier_errno) = (false, 1062);
        } else if tick.is_multiple_of(server.pace) {
            server.apply(server.batch);
        }
    }

    /// Clients write wherever they are let.
    fn write(&mut self, random: &mut Random) {
        for n in 0..self.servers.len() {
            let server = &self.servers[n];
            if server.is_writable() && !server.locked && server.waiting.len() < SESSIONS && random.percent(40) {
                let stream = usize::from(random.percent(25));
                self.commit(n, stream);
            }
        }
    }

    /// A client commits a transaction.
    pub fn commit(&mut self, n: usize, stream: usize) -> TxnId {
        let number = self.next_number(n, stream);
        let id = self.ledger.add(Txn { origin: n, stream, number, at: self.now });
        let server = &mut self.servers[n];
        server.commit(id);
        if server.semi_source {
            server.waiting.push((id, 0));
        } else {
            self.ledger.acknowledged.insert(id);
        }
        id
    }

    fn next_number(&mut self, n: usize, stream: usize) -> u64 {
        if self.mariadb {
            // Within a domain numbers grow, whoever writes: two servers that write side by side use the same ones.
            let txns = self.servers[n].log.iter().map(|id| &self.ledger.txns[*id]);
            return txns.filter(|t| t.stream == stream).map(|t| t.number).max().unwrap_or(0) + 1;
        }
        let number = self.numbers.entry((n, stream)).or_default();
        *number += 1;
        *number
    }

    /// Connections are made and lost.
    fn connect(&mut self, n: usize) {
        let (now, replica) = (self.now, &self.servers[n]);
        let Some(channel) = replica.channel.as_ref().filter(|_| replica.receiver) else { return };
        let source = channel.source;
        let reach = if channel.detached { Reach::Refused } else { self.reach(n, source) };
        let link = match (replica.link, reach) {
            (Link::Off, _) => Link::Off,
            (Link::Trying { next, failed }, _) if next > now => Link::Trying { next, failed },
            (Link::Trying { .. }, Reach::Answers) => return self.greet(n, source),
            (Link::Trying { .. }, _) => Link::Trying { next: now + RETRY, failed: true },
            (Link::Connected { epoch, .. }, Reach::Answers) if epoch != self.servers[source].epoch => {
                Link::Trying { next: now, failed: false }
            }
            (Link::Connected { since, cursor, epoch, .. }, Reach::Answers) => {
                Link::Connected { since, heard: now, cursor, epoch }
            }
            (Link::Connected { heard, .. }, Reach::Silence) if now < heard + NET_TIMEOUT => replica.link,
            (Link::Connected { .. }, _) => Link::Trying { next: now + RETRY, failed: true },
        };
        self.servers[n].link = link;
    }

    /// A source takes a replica on, or refuses it.
    fn greet(&mut self, n: usize, source: usize) {
        let from = &self.servers[source];
        if self.mariadb && (0..2).any(|domain| !self.knows_position(n, source, domain)) {
            let replica = &mut self.servers[n];
            (replica.receiver, replica.receiver_errno, replica.link) = (false, 1236, Link::Off);
            return;
        }
        let epoch = from.epoch;
        let replica = &mut self.servers[n];
        replica.io_from = replica.io_from.or(Some(replica.log.len()));
        replica.link = Link::Connected { since: self.now, heard: self.now, cursor: 0, epoch };
    }

    /// Both replicate from each other.
    pub fn are_co_sources(&self, a: usize, b: usize) -> bool {
        self.servers[a].source() == Some(b) && self.servers[b].source() == Some(a)
    }

    /// A MariaDB replica's place in a domain is the last transaction it has; a source that does not have that one refuses. What a
    /// co-source wrote itself is not in its place.
    fn knows_position(&self, n: usize, source: usize, domain: usize) -> bool {
        let (replica, ring) = (&self.servers[n], self.are_co_sources(n, source));
        let source = &self.servers[source];
        let of_domain = |id: &&TxnId| {
            let txn = &self.ledger.txns[**id];
            txn.stream == domain && !(ring && txn.origin == n)
        };
        let last = replica.relay.iter().rev().find(of_domain).or_else(|| replica.log.iter().rev().find(of_domain));
        last.is_none_or(|id| source.logged.contains(*id))
    }

    fn receive(&mut self, n: usize) {
        let Link::Connected { since, heard, mut cursor, epoch } = self.servers[n].link else { return };
        let Some(source) = self.servers[n].source().filter(|_| heard == self.now) else { return };
        let (replica, from) = two(&mut self.servers, n, source);
        // A source that does not log what it applies hands on only what it wrote itself.
        while let Some(id) = from.log.get(cursor).copied() {
            cursor += 1;
            let flows = from.logs || self.ledger.txns[id].origin == source;
            if flows && !replica.held.contains(id) {
                replica.relay.push_back(id);
                replica.held.insert(id);
                replica.retrieved.push(id);
            }
            if replica.acknowledges
                && let Some(wait) = from.waiting.iter_mut().find(|(waits, _)| *waits == id)
            {
                wait.1 += 1;
            }
        }
        replica.link = Link::Connected { since, heard, cursor, epoch };
        let enough = |(_, acks): &(TxnId, u32)| *acks >= self.wait_for;
        let told: Vec<TxnId> = from.waiting.iter().filter(|w| enough(w)).map(|(id, _)| *id).collect();
        from.waiting.retain(|w| !enough(w));
        told.into_iter().for_each(|id| self.ledger.acknowledged.insert(id));
    }

    // What is done to servers

    /// Does what takes no time.
    pub fn change(&mut self, n: usize, step: &Step) -> Result<(), String> {
        let released = self.servers[n].change(step, self.now)?;
        released.into_iter().for_each(|id| self.ledger.acknowledged.insert(id));
        Ok(())
    }

    pub fn kill(&mut self, n: usize) {
        self.servers[n].die();
    }

    pub fn restart(&mut self, n: usize) {
        let now = self.now;
        self.servers[n].restart(now);
    }

    /// What it committed; commits that wait for acknowledgements left out.
    pub fn committed(&self, n: usize) -> Set {
        let mut set = self.servers[n].logged.clone();
        self.servers[n].waiting.iter().for_each(|(id, _)| set.remove(*id));
        set
    }

    // Texts

    /// Executed transactions as the server prints them.
    pub fn executed_text(&mut self, n: usize) -> String {
        let (length, waits) = (self.servers[n].log.len(), self.servers[n].waiting.len());
        self.cached(n, 0, (length, waits), |world| {
            let server = &world.servers[n];
            let waits = |id: &TxnId| server.waiting.iter().any(|(waiting, _)| waiting == id);
            let ids: Vec<TxnId> = server.log.iter().copied().filter(|id| !waits(id)).collect();
            world.text(&ids)
        })
    }

    /// Received transactions as the server prints them.
    pub fn retrieved_text(&mut self, n: usize) -> String {
        let server = &self.servers[n];
        let mark = (server.retrieved.len() * 2 + usize::from(server.io_from.is_some()), server.io_from.unwrap_or(0));
        self.cached(n, 1, mark, |world| {
            let server = &world.servers[n];
            match (world.mariadb, server.io_from) {
                (true, None) => String::new(),
                (true, Some(from)) => {
                    let ids: Vec<TxnId> = server.log[..from].iter().chain(&server.retrieved).copied().collect();
                    world.text(&ids)
                }
                (false, _) => world.text(&server.retrieved),
            }
        })
    }

    fn cached(&mut self, n: usize, slot: usize, mark: (usize, usize), make: impl Fn(&Self) -> String) -> String {
        if self.texts.len() < self.servers.len() {
            self.texts
                .resize_with(self.servers.len(), || [(usize::MAX, 0, String::new()), (usize::MAX, 0, String::new())]);
        }
        let (a, b, text) = &self.texts[n][slot];
        if (*a, *b) == mark {
            return text.clone();
        }
        let text = make(self);
        self.texts[n][slot] = (mark.0, mark.1, text.clone());
        text
    }

    fn text(&self, ids: &[TxnId]) -> String {
        if self.mariadb {
            let last = |domain| ids.iter().rev().map(|id| &self.ledger.txns[*id]).find(|t| t.stream == domain);
            let print = |t: &Txn| format!("{}-{}-{}", t.stream, t.origin + 1, t.number);
            return (0..2).filter_map(last).map(print).collect::<Vec<_>>().join(",");
        }
        let mut numbers: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
        for id in ids {
            let txn = &self.ledger.txns[*id];
            numbers.entry((txn.origin, txn.stream)).or_default().push(txn.number);
        }
        let print = |((origin, stream), numbers): ((usize, usize), Vec<u64>)| {
            let tag = if stream == 0 { "" } else { ":app" };
            format!("{}{tag}:{}", uuid(origin), intervals(numbers))
        };
        numbers.into_iter().map(print).collect::<Vec<_>>().join(",")
    }
}

fn intervals(mut numbers: Vec<u64>) -> String {
    numbers.sort_unstable();
    let mut runs: Vec<(u64, u64)> = vec![];
    for number in numbers {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            _ => runs.push((number, number)),
        }
    }
    let print = |(from, to): (u64, u64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    runs.into_iter().map(print).collect::<Vec<_>>().join(":")
}

fn two(servers: &mut [Server], a: usize, b: usize) -> (&mut Server, &mut Server) {
    let [a, b] = servers.get_disjoint_mut([a, b]).expect("a server does not replicate from itself");
    (a, b)
}

pub fn uuid(n: usize) -> String {
    format!("aaaaaaaa-0000-0000-0000-{n:012}")
}
