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
    /// None uses GTID: by file and position where replicas stand at the same place, by pseudo-GTID otherwise.
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

    /// Why it cannot be done with replicas of a dead source; `None` when it can. By position the most advanced replica is promoted;
    /// those that stand at the same place follow it from the end of its log, others by pseudo-GTID.
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Gtid | Self::Position => None,
            Self::BinlogServers => Some("all replicas are binlog servers; recovery by binlog servers is not built"),
        }
    }

    /// The same for replicas of a dead intermediate source. Where they stood in its log says nothing of other logs: only
    /// pseudo-GTID does.
    pub fn refusal_below_intermediate<'a>(
        self,
        replicas: impl IntoIterator<Item = &'a Instance>,
    ) -> Option<&'static str> {
        let mut replicas = replicas.into_iter();
        match self {
            Self::Position if !replicas.any(|replica| replica.uses_pseudo_gtid) => Some(
                "no replica uses GTID or pseudo-GTID, and where they stood in the log of the dead server says nothing of other logs",
            ),
            other => other.refusal(),
        }
    }
}
