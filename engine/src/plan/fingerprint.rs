//! The digest of the facts that a plan rests on.
//!
//! It covers what decided the plan and nothing that changes by itself: the steps with their statements (and so every
//! replication option), the moves, and of each server involved its identity, source, thread states, GTID use, delay, version, logging,
//! filters, group and whether it could be read. Positions, lag and times are not in it: they change with every write, and the
//! conditions of each step look at them afresh.

use app::plan::{Move, Step};
use app::topology::Instance;

/// 128-bit FNV-1a: stable across builds, and nobody has to be kept from finding collisions.
struct Fnv(u128);

impl Fnv {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// A text with its length, so that two texts never run together.
    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

/// The digest, 32 hexadecimal digits. `servers` are all that the plan looked at.
pub fn fingerprint<'a>(
    operation: &str,
    steps: &[Step],
    moves: &[Move],
    servers: impl IntoIterator<Item = &'a Instance>,
) -> String {
    let mut digest = Fnv::new();
    digest.text(operation);
    for step in steps {
        // The form of the API, which is what the person saw.
        digest.text(&serde_json::to_string(step).unwrap_or_default());
    }
    for one in moves {
        digest.text(&format!("{} {} {}", one.server, one.from, one.to));
    }
    for server in servers {
        facts(&mut digest, server);
    }
    format!("{:032x}", digest.0)
}

fn facts(digest: &mut Fnv, server: &Instance) {
    let channel = &server.replication;
    for text in [
        server.key.to_string(),
        channel.source.to_string(),
        channel.channel.clone(),
        channel.mariadb_using_gtid.clone(),
        server.version.clone(),
        server.server_uuid.clone(),
        server.server_id.to_string(),
        server.binlog_format.clone(),
        server.gtid_mode.clone(),
        server.cluster_name.clone(),
        server.group.name.clone(),
        server.group.role.clone(),
        channel.delay.to_string(),
    ] {
        digest.text(&text);
    }
    digest.bytes(&[
        channel.receiver.code() as u8,
        channel.applier.code() as u8,
        u8::from(channel.auto_position),
        u8::from(channel.has_filters),
        u8::from(server.log_bin),
        u8::from(server.log_replica_updates),
        u8::from(server.read_only),
        u8::from(server.check.is_valid()),
        u8::from(server.errant_gtid.is_empty()),
    ]);
}
