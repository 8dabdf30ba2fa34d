//! One server: its logs, threads and switches, and what statements make of them.
//!
//! True to the facts of MySQL and MariaDB that decide whether data is lost (`docs/SIMULATION.md`): `CHANGE ... TO` and `RESET` throw
//! an unapplied relay log away; so does a MariaDB replica with GTID when either thread is started while none runs, and any
//! restart with `relay_log_recovery`; a semi-sync acknowledgement means "in the relay log".

use std::collections::VecDeque;

use app::plan::{Action, Step};
use app::topology::{PromotionRule, Replication, ReplicationTls};

use super::ledger::{Set, TxnId};

/// A receiver hears nothing for this long before it gives its connection up (`replica_net_timeout`), milliseconds.
pub const NET_TIMEOUT: u64 = 4_000;
/// Half of it: what a `CHANGE` that changes the host and names no period sets.
pub const DEFAULT_HEARTBEAT: u64 = NET_TIMEOUT / 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Up,
    /// The process is gone: connections are refused, open ones reset.
    Down,
    /// Stopped, as by SIGSTOP: nothing answers and nothing is reset.
    Hung,
}

/// The receiver's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Off,
    Trying { next: u64, failed: bool },
    Connected { since: u64, heard: u64, cursor: usize, epoch: u32 },
}

/// The managed channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub source: usize,
    pub detached: bool,
    /// Options only: TLS, retry, heartbeat, delay.
    pub options: Replication,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub life: Life,
    /// Changes with every restart.
    pub epoch: u32,
    /// Since when it can be reached and has not been restarted.
    pub mariadb: bool,
    /// The binary log, in its order.
    pub log: Vec<TxnId>,
    pub logged: Set,
    pub relay: VecDeque<TxnId>,
    /// In the binary log or in the relay log.
    pub held: Set,
    /// MySQL: received since the relay log was begun. MariaDB: received since the receiver first connected.
    pub retrieved: Vec<TxnId>,
    /// MariaDB: where the receiver began, as a length of the binary log; `None` before it ever connected.
    pub io_from: Option<usize>,
    pub channel: Option<Channel>,
    pub receiver: bool,
    pub receiver_errno: u32,
    pub link: Link,
    pub applier: bool,
    pub applier_errno: u32,
    /// Its applier stops with an error as soon as there is something to apply.
    pub applier_broken: bool,
    /// It applies this many transactions at once ...
    pub batch: usize,
    /// ... every so many ticks.
    pub pace: u64,
    pub read_only: bool,
    pub super_read_only: bool,
    /// What the configuration file makes of `read_only` at a start; `None` keeps it as it was.
    pub starts_writable: bool,
    pub relay_log_recovery: bool,
    pub semi_source: bool,
    pub semi_replica: bool,
    /// Of those that may acknowledge the larger ones come first; 0 never does.
    pub priority: u64,
    /// The running receiver acknowledges: the switch is looked at when it starts.
    pub acknowledges: bool,
    /// Commits in the binary log that wait for acknowledgements, with those they have.
    pub waiting: Vec<(TxnId, u32)>,
    /// `SET GLOBAL read_only` waits: no new commits.
    pub locked: bool,
    pub rule: PromotionRule,
    pub logs: bool,
    pub data_center: &'static str,
}

impl Server {
    pub fn new(mariadb: bool, source: Option<usize>) -> Self {
        let is_replica = source.is_some();
        Self {
            life: Life::Up,
            epoch: 0,
            mariadb,
            log: vec![],
            logged: Set::default(),
            relay: VecDeque::new(),
            held: Set::default(),
            retrieved: vec![],
            io_from: None,
            channel: source.map(|source| Channel { source, detached: false, options: options(mariadb) }),
            receiver: is_replica,
            receiver_errno: 0,
            link: if is_replica { Link::Trying { next: 0, failed: false } } else { Link::Off },
            applier: is_replica,
            applier_errno: 0,
            applier_broken: false,
            batch: 8,
            pace: 1,
            read_only: is_replica,
            super_read_only: is_replica && !mariadb,
            starts_writable: !is_replica,
            relay_log_recovery: false,
            semi_source: false,
            semi_replica: false,
            priority: 0,
            acknowledges: false,
            waiting: vec![],
            locked: false,
            rule: PromotionRule::Neutral,
            logs: true,
            data_center: "dc1",
        }
    }

    pub fn is_up(&self) -> bool {
        self.life == Life::Up
    }

    /// A client can commit here.
    pub fn is_writable(&self) -> bool {
        self.is_up() && !self.read_only
    }

    pub fn source(&self) -> Option<usize> {
        self.channel.as_ref().filter(|c| !c.detached).map(|c| c.source)
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.link, Link::Connected { .. })
    }

    pub fn delay(&self) -> u64 {
        self.channel.as_ref().map_or(0, |c| c.options.delay)
    }

    pub fn commit(&mut self, id: TxnId) {
        self.log.push(id);
        self.logged.insert(id);
        self.held.insert(id);
    }

    pub fn apply(&mut self, most: usize) {
        for _ in 0..most {
            let Some(id) = self.relay.pop_front() else { return };
            if !self.logged.contains(id) {
                self.commit(id);
            }
        }
    }

    pub fn lose_relay_log(&mut self) {
        for id in self.relay.drain(..) {
            if !self.logged.contains(id) {
                self.held.remove(id);
            }
        }
        self.retrieved.clear();
        self.io_from = None;
    }

    pub fn die(&mut self) {
        self.life = Life::Down;
        self.locked = false;
        self.link = Link::Off;
        // Clients of these commits hear nothing any more; the transactions are in the binary log.
        self.waiting.clear();
    }

    pub fn restart(&mut self, now: u64) {
        (self.life, self.epoch) = (Life::Up, self.epoch + 1);
        if self.mariadb || self.relay_log_recovery {
            self.lose_relay_log();
        }
        // What is made a replica is so in its configuration file as well, before long.
        if self.starts_writable && self.channel.is_none() {
            (self.read_only, self.super_read_only) = (false, false);
        }
        let replicates = self.channel.is_some();
        (self.receiver, self.applier) = (replicates, replicates);
        (self.receiver_errno, self.applier_errno) = (0, 0);
        self.acknowledges = self.semi_replica;
        self.link = if replicates { Link::Trying { next: now, failed: false } } else { Link::Off };
    }

    fn start(&mut self, receiver: bool, applier: bool, now: u64) {
        // MariaDB with GTID begins a relay log anew when a thread is started while none runs.
        if self.mariadb && !self.receiver && !self.applier {
            self.lose_relay_log();
        }
        if receiver && !self.receiver {
            (self.receiver, self.receiver_errno, self.acknowledges) = (true, 0, self.semi_replica);
            self.link = Link::Trying { next: now, failed: false };
        }
        if applier && !self.applier {
            (self.applier, self.applier_errno) = (true, 0);
        }
    }

    pub fn stop_receiver(&mut self) {
        (self.receiver, self.receiver_errno, self.link) = (false, 0, Link::Off);
    }

    /// Commits that wait for nobody any more.
    pub fn release_commits(&mut self) -> Vec<TxnId> {
        self.waiting.drain(..).map(|(id, _)| id).collect()
    }

    /// Does what takes no time. Commits that a change releases are in the answer: their clients are told.
    pub fn change(&mut self, step: &Step, now: u64) -> Result<Vec<TxnId>, String> {
        let runs = self.receiver || self.applier;
        let is_replica = self.channel.is_some();
        match &step.action {
            Action::StartReplication | Action::StartReceiver | Action::StartApplier if !is_replica => {
                return Err("is no replica (error 1200)".to_owned());
            }
            Action::StopReplication => {
                self.stop_receiver();
                self.applier = false;
            }
            Action::StopReceiver => self.stop_receiver(),
            Action::StopApplier => self.applier = false,
            Action::StartReplication => self.start(true, true, now),
            Action::StartReceiver => self.start(true, false, now),
            Action::StartApplier => self.start(false, true, now),
            Action::Drain if !is_replica => return Err("is no replica".to_owned()),
            Action::Drain if self.receiver => return Err("its receiver is not stopped".to_owned()),
            // On MariaDB, GTID is switched off meanwhile where that is needed to keep the relay log.
            Action::Drain if self.applier => {}
            Action::Drain => (self.applier, self.applier_errno) = (true, 0),
            Action::ChangeSource { .. } | Action::ResetReplication | Action::DetachSource if runs => {
                return Err("stop replication first (error 3021)".to_owned());
            }
            Action::ChangeSource { .. } | Action::DetachSource => self.change_source(step)?,
            Action::ResetReplication => {
                self.lose_relay_log();
                self.channel = None;
            }
            Action::SetReadOnly { on, super_too } => {
                self.read_only = *on;
                self.super_read_only = *on && (*super_too || self.super_read_only) && !self.mariadb;
            }
            Action::SetSemiSyncSource { on } => {
                self.semi_source = *on;
                if !*on {
                    return Ok(self.release_commits());
                }
            }
            Action::SetSemiSyncReplica { on } => self.semi_replica = *on,
            other => return Err(format!("the model does not know {other:?}")),
        }
        Ok(vec![])
    }

    /// Runs the statement as it is written, so that what it leaves out is lost here as it is on a server.
    fn change_source(&mut self, step: &Step) -> Result<(), String> {
        let text = step.statements.last().ok_or("no statement")?;
        let asks = text.contains(engine::statements::CREDENTIALS);
        if asks == self.channel.is_some() {
            return Err(format!("credentials are asked for exactly when there are none: {text}"));
        }
        let (_, list) = text.split_once(" TO ").ok_or("no options")?;
        let mut new = self.channel.clone().map_or_else(Replication::default, |c| c.options);
        new.heartbeat_period_ms = (!self.mariadb).then_some(DEFAULT_HEARTBEAT);
        let mut host = String::new();
        for option in list.split(", ") {
            let Some((name, value)) = option.split_once(" = ") else { continue };
            let value = value.trim_matches('\'');
            match name.replacen("MASTER_", "", 1).replacen("SOURCE_", "", 1).as_str() {
                "HOST" => value.clone_into(&mut host),
                name => set_option(&mut new, name, value)?,
            }
        }
        self.lose_relay_log();
        let detached = host.starts_with("//");
        let source = host.trim_start_matches("//").trim_start_matches("db").parse().map_err(|_| "no host")?;
        self.channel = Some(Channel { source, detached, options: new });
        self.receiver_errno = 0;
        Ok(())
    }
}

fn set_option(options: &mut Replication, name: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("{name} = {value}"));
    match name {
        "CONNECT_RETRY" => options.connect_retry = number()?,
        "RETRY_COUNT" => options.retry_count = Some(number()?),
        "DELAY" => options.delay = number()?,
        "HEARTBEAT_PERIOD" => options.heartbeat_period_ms = Some(value.replace('.', "").parse().map_err(|_| name)?),
        "SSL" => options.tls.allowed = value == "1",
        "SSL_CA" => value.clone_into(&mut options.tls.ca_file),
        "SSL_CERT" => value.clone_into(&mut options.tls.cert),
        "SSL_KEY" => value.clone_into(&mut options.tls.key),
        "SSL_VERIFY_SERVER_CERT" => options.tls.verify_server_cert = Some(value == "1"),
        "TLS_VERSION" => value.clone_into(&mut options.tls.version),
        "GET_PUBLIC_KEY" => options.tls.get_public_key = Some(value == "1"),
        "PORT" | "AUTO_POSITION" | "USE_GTID" => {}
        other => return Err(format!("the model does not know the option {other} = {value}")),
    }
    Ok(())
}

/// What every channel of the model is set up with; none of it is a default.
pub fn options(mariadb: bool) -> Replication {
    Replication {
        connect_retry: 7,
        retry_count: (!mariadb).then_some(1_234),
        heartbeat_period_ms: (!mariadb).then_some(1_500),
        tls: ReplicationTls {
            allowed: true,
            ca_file: "/tls/ca.pem".to_owned(),
            cert: "/tls/cert.pem".to_owned(),
            key: "/tls/key.pem".to_owned(),
            verify_server_cert: Some(true),
            version: if mariadb { String::new() } else { "TLSv1.2,TLSv1.3".to_owned() },
            get_public_key: (!mariadb).then_some(true),
            ..ReplicationTls::default()
        },
        ..Replication::default()
    }
}
