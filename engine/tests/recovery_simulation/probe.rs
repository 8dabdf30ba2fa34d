//! A server of the model as a probe reads it.

use app::topology::{Capabilities, Check, Instance, Replication, SemiSync, ThreadState};
use app::{BinlogCoordinates, InstanceKey};

use super::server::{Link, Server};
use super::world::{World, at, key, uuid};

impl World {
    /// What a probe reads that ends now.
    pub fn instance(&mut self, n: usize) -> Instance {
        let (executed, retrieved) = (self.executed_text(n), self.retrieved_text(n));
        let (server, now) = (&self.servers[n], Some(at(self.now)));
        Instance {
            key: key(n),
            server_id: n as u64 + 1,
            server_uuid: if self.mariadb { String::new() } else { uuid(n) },
            version: if self.mariadb { "10.11.6-MariaDB".into() } else { "9.7.0".into() },
            read_only: server.read_only,
            super_read_only: (!self.mariadb).then_some(server.super_read_only),
            binlog_format: "ROW".into(),
            log_bin: true,
            log_replica_updates: server.logs,
            gtid_mode: if self.mariadb { String::new() } else { "ON".into() },
            binlog: BinlogCoordinates::binary("binlog.000001", i64::try_from(server.log.len()).expect("small")),
            executed_gtid: executed,
            gtid_domain_id: self.mariadb.then_some(0),
            replication: self.replication(server, retrieved),
            lag: self.lag(server),
            data_center: server.data_center.into(),
            cluster_name: "db0:3306".into(),
            semi_sync: self.semi_sync(n),
            capabilities: Capabilities {
                known: true,
                replica_terms: !self.mariadb,
                super_read_only: !self.mariadb,
                ..Default::default()
            },
            check: Check { last_checked: now, last_attempted: now, last_seen: now, ..Default::default() },
            ..Default::default()
        }
    }

    fn replication(&self, server: &Server, retrieved: String) -> Replication {
        let Some(channel) = &server.channel else { return Replication::default() };
        let receiver = match (server.receiver, server.link) {
            (false, _) | (_, Link::Off) => ThreadState::Stopped,
            (true, Link::Connected { .. }) => ThreadState::Running,
            (true, Link::Trying { .. }) => ThreadState::Other,
        };
        let heard = match server.link {
            Link::Connected { heard, .. } => Some(self.now - heard),
            _ => None,
        };
        let source = key(channel.source);
        Replication {
            source: if channel.detached { source.detached() } else { source },
            source_uuid: if self.mariadb { "No".into() } else { uuid(channel.source) },
            user: "replication".into(),
            has_credentials: true,
            receiver,
            applier: if server.applier { ThreadState::Running } else { ThreadState::Stopped },
            receiver_errno: match server.link {
                Link::Trying { failed: true, .. } => 2003,
                _ => server.receiver_errno,
            },
            receiver_error: match server.link {
                Link::Trying { failed: true, .. } => "error connecting to source".into(),
                _ => String::new(),
            },
            applier_errno: server.applier_errno,
            applier_error: if server.applier_errno != 0 { "duplicate key".into() } else { String::new() },
            retrieved_gtid: retrieved,
            auto_position: !self.mariadb,
            mariadb_using_gtid: if self.mariadb { "Slave_Pos".into() } else { String::new() },
            seconds_behind: self.lag(server),
            heartbeat_age_ms: heard.filter(|_| !self.mariadb),
            ..channel.options.clone()
        }
    }

    fn lag(&self, server: &Server) -> Option<i64> {
        server.channel.as_ref()?;
        let oldest = server.relay.front().map_or(self.now, |id| self.ledger.txns[*id].at);
        i64::try_from((self.now - oldest) / 1_000).ok()
    }

    fn semi_sync(&self, n: usize) -> SemiSync {
        let server = &self.servers[n];
        let clients = self.servers.iter().filter(|s| s.source() == Some(n) && s.acknowledges && s.is_connected());
        SemiSync {
            available: self.wait_for > 0,
            source_enabled: server.semi_source,
            source_active: server.semi_source,
            source_wait_for: u64::from(self.wait_for),
            source_clients: clients.count() as u64,
            replica_enabled: server.semi_replica,
            replica_active: server.acknowledges && server.is_connected(),
            priority: server.priority,
            ..Default::default()
        }
    }
}

/// What is known of a server after a probe that failed.
pub fn unread(known: &Instance, attempted: u64, ended: Option<u64>, error: &str) -> Instance {
    let mut known = known.clone();
    known.check.last_attempted = Some(at(attempted));
    if let Some(ended) = ended {
        known.check.last_checked = Some(at(ended));
        error.clone_into(&mut known.check.error);
    }
    known
}

/// Nothing but the key is known yet.
pub fn unseen(n: usize) -> Instance {
    Instance::unseen(InstanceKey::new(format!("db{n}"), 3306))
}
