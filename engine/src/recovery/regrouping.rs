//! How replicas find their place below another server (`spec/recovery.md` 3.6).
//!
//! This is where a further strategy is plugged in: [`Regrouping::of`] says which one a set of replicas calls for, and
//! [`Regrouping::refusal`] is `None` for those that are built. A flow asks before its first change, so that what is not built is
//! refused and never half done.

use app::topology::Instance;

use super::state::positioning_of;

/// A way in which replicas find their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regrouping {
    /// MySQL or MariaDB GTID; replicas without are lost.
    Gtid,
    /// All are binlog servers.
    BinlogServers,
    /// Pseudo-GTID, or file and position.
    Position,
}

impl Regrouping {
    /// The strategy for these replicas; a single one that uses GTID makes it GTID.
    pub fn of<'a>(replicas: impl IntoIterator<Item = &'a Instance>) -> Self {
        let (mut all_binlog_servers, mut any) = (true, false);
        for replica in replicas {
            if positioning_of(&replica.replication).is_some() {
                return Self::Gtid;
            }
            any = true;
            all_binlog_servers &= replica.is_binlog_server();
        }
        if any && all_binlog_servers { Self::BinlogServers } else { Self::Position }
    }

    /// Why it cannot be done; `None` when it can.
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Gtid => None,
            Self::BinlogServers => Some("all replicas are binlog servers; recovery by binlog servers is not built"),
            Self::Position => {
                Some("no replica uses GTID; recovery by file and position or by pseudo-GTID is not built")
            }
        }
    }
}
