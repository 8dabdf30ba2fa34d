//! One server, as last probed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;
use super::replication::Replication;
use crate::{BinlogCoordinates, InstanceKey};

/// The family a server belongs to (`spec/discovery.md` 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Flavor {
    /// Oracle MySQL, and everything that is not known to be something else.
    #[default]
    #[serde(rename = "MySQL")]
    MySql,
    /// MariaDB: its version text says so.
    #[serde(rename = "MariaDB")]
    MariaDb,
    /// Percona Server: its version comment says so.
    Percona,
    /// A MaxScale binlog server.
    MaxScale,
}

impl Flavor {
    /// The name the compatible API gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
            Self::Percona => "Percona",
            Self::MaxScale => "MaxScale",
        }
    }
}

/// Semi-synchronous replication, both sides (`spec/discovery.md` 16).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SemiSync {
    /// Both plugins are there.
    pub available: bool,
    /// From `DetectSemiSyncEnforcedQuery`; 0 is asynchronous, larger is preferred.
    pub priority: u64,
    /// The source-side plugin has the names of 8.0.26 and later.
    pub source_new_names: bool,
    /// The replica-side plugin has the names of 8.0.26 and later.
    pub replica_new_names: bool,
    /// Source side switched on.
    pub source_enabled: bool,
    /// Replica side switched on.
    pub replica_enabled: bool,
    /// Source waits this many milliseconds before it falls back to asynchronous.
    pub source_timeout_ms: u64,
    /// Acknowledgements the source waits for.
    pub source_wait_for: u64,
    /// The source operates semi-synchronously now.
    pub source_active: bool,
    /// Semi-sync replicas connected.
    pub source_clients: u64,
    /// The replica operates semi-synchronously now.
    pub replica_active: bool,
}

/// Group replication membership (`spec/discovery.md` 9). Default: no member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct GroupMembership {
    /// Group name; empty when the server is no member.
    pub name: String,
    /// The group runs in single-primary mode.
    pub single_primary: bool,
    /// `ONLINE`, `RECOVERING`, `ERROR`, `UNREACHABLE`, `OFFLINE` or empty.
    pub state: String,
    /// `PRIMARY`, `SECONDARY` or empty.
    pub role: String,
    /// Other members known.
    pub members: Vec<InstanceKey>,
    /// The primary; null when unknown.
    pub primary: InstanceKey,
}

/// When a server was looked at, and with what result (`spec/recovery.md` 1.2). All times are those of the observing node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Check {
    /// A probe ended, well or not.
    pub last_checked: Option<DateTime<Utc>>,
    /// A probe began.
    pub last_attempted: Option<DateTime<Utc>>,
    /// A probe ended well.
    pub last_seen: Option<DateTime<Utc>>,
    /// The last failed probe did read the basic variables.
    pub partial_success: bool,
    /// Wall time of the last successful probe, nanoseconds.
    pub latency_ns: i64,
    /// Why the last probe failed; empty after a success.
    pub error: String,
    /// Beside the probes an idle session is pinged: since when an answer has been due. `None` while it answers, and for servers that
    /// are not pinged. Of this node and this moment only, so it is neither stored nor shown.
    #[serde(skip)]
    pub unanswered_since: Option<DateTime<Utc>>,
}

impl Check {
    /// The last probe that ended, ended well.
    pub fn is_valid(&self) -> bool {
        match (self.last_checked, self.last_seen) {
            (Some(checked), Some(seen)) => checked <= seen,
            _ => false,
        }
    }
}

/// One server, as last probed. What operators said of it is in [`super::Annotations`].
///
/// A probe that was cut short never overwrites what is known with empty values (`safety.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Instance {
    /// Identity.
    pub key: InstanceKey,
    /// From `DetectInstanceAliasQuery`.
    pub alias: String,
    /// Seconds since the server started.
    pub uptime: u64,
    /// `server_id`.
    pub server_id: u64,
    /// `server_uuid`; empty on MariaDB.
    pub server_uuid: String,
    /// Full version text.
    pub version: String,
    /// `version_comment`.
    pub version_comment: String,
    /// `read_only`.
    pub read_only: bool,
    /// `super_read_only`; `None` where the server has no such variable (MariaDB before 12) or it was not read.
    pub super_read_only: Option<bool>,
    /// `STATEMENT`, `MIXED` or `ROW`.
    pub binlog_format: String,
    /// `binlog_row_image`.
    pub binlog_row_image: String,
    /// Binary log on.
    pub log_bin: bool,
    /// Replicated changes are written to the own binary log.
    pub log_replica_updates: bool,
    /// End of the own binary log.
    pub binlog: BinlogCoordinates,
    /// `gtid_mode` (MySQL); empty on MariaDB.
    pub gtid_mode: String,
    /// MySQL: `gtid_executed`. MariaDB: `gtid_current_pos` joined with `gtid_binlog_pos`. Raw text.
    pub executed_gtid: String,
    /// MySQL: `gtid_purged`. Raw text.
    pub purged_gtid: String,
    /// Transactions that the source does not have; computed on observation, empty if none.
    pub errant_gtid: String,
    /// MariaDB `gtid_domain_id`; `None` elsewhere.
    pub gtid_domain_id: Option<u64>,
    /// The managed channel: the default one, else the only or first one.
    pub replication: Replication,
    /// Every channel when there is more than one; empty otherwise.
    pub channels: Vec<Replication>,
    /// Result of `ReplicationLagQuery` if configured, else `replication.seconds_behind`.
    pub lag: Option<i64>,
    /// Direct replicas as this server reports them; a hint for crawling, not the truth (that is the replicas' own `source`).
    pub replicas: Vec<InstanceKey>,
    /// Pseudo-GTID is known to be active.
    pub uses_pseudo_gtid: bool,
    /// Name of the cluster: the key text of its topmost server.
    pub cluster_name: String,
    /// Alias that this server suggests for its cluster.
    pub suggested_cluster_alias: String,
    /// Data centre.
    pub data_center: String,
    /// Region.
    pub region: String,
    /// Physical environment.
    pub environment: String,
    /// Steps below the topmost server.
    pub depth: u32,
    /// Its source replicates from it.
    pub is_co_source: bool,
    /// Server UUIDs from the topmost known ancestor down to this server, comma separated, then the group name.
    pub ancestry: String,
    /// Semi-synchronous replication.
    pub semi_sync: SemiSync,
    /// Group replication.
    pub group: GroupMembership,
    /// What it understands.
    pub capabilities: Capabilities,
    /// When it was looked at.
    pub check: Check,
}

impl Instance {
    /// A server of which nothing but the key is known.
    pub fn unseen(key: InstanceKey) -> Self {
        Self { cluster_name: key.to_string(), key, ..Self::default() }
    }

    /// The family of the server, by its version texts.
    pub fn flavor(&self) -> Flavor {
        if self.version.contains("MariaDB") {
            Flavor::MariaDb
        } else if self.version.contains("maxscale") {
            Flavor::MaxScale
        } else if self.version_comment.contains("Percona") {
            Flavor::Percona
        } else {
            Flavor::MySql
        }
    }

    /// MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.flavor() == Flavor::MariaDb
    }

    /// MySQL or Percona Server.
    pub fn is_mysql(&self) -> bool {
        matches!(self.flavor(), Flavor::MySql | Flavor::Percona)
    }

    /// A binlog server, which stores and forwards but applies nothing.
    pub fn is_binlog_server(&self) -> bool {
        self.flavor() == Flavor::MaxScale
    }

    /// First two numbers of the version, `(0, 0)` when they cannot be read.
    pub fn major_version(&self) -> (u32, u32) {
        let mut parts = self.version.split('.');
        let mut number =
            || parts.next().map(|p| p.bytes().take_while(u8::is_ascii_digit).map(char::from).collect::<String>());
        match (number(), number()) {
            (Some(major), Some(minor)) => (major.parse().unwrap_or(0), minor.parse().unwrap_or(0)),
            _ => (0, 0),
        }
    }

    /// First two dot-separated tokens of the version text; `0.0` when there are fewer.
    pub fn major_version_text(&self) -> String {
        match self.version.split('.').collect::<Vec<_>>().as_slice() {
            [major, minor, ..] => format!("{major}.{minor}"),
            _ => "0.0".to_owned(),
        }
    }

    /// The server executes GTIDs of MySQL (`gtid_mode` is neither empty nor `OFF`).
    pub fn supports_mysql_gtid(&self) -> bool {
        !self.gtid_mode.is_empty() && self.gtid_mode != "OFF"
    }

    /// The managed channel has a source.
    pub fn is_replica(&self) -> bool {
        self.replication.is_configured()
    }

    /// Member of a replication group, `OFFLINE` ones excepted.
    pub fn is_group_member(&self) -> bool {
        !self.group.name.is_empty() && self.group.state != "OFFLINE"
    }

    /// No usable source, and not a group's secondary (`spec/recovery.md` 1.4, `M`).
    pub fn is_primary_role(&self) -> bool {
        let source = &self.replication.source;
        let no_source =
            source.hostname.is_empty() || source.hostname == "_" || source.port == 0 || source.is_detached();
        no_source && (self.group.name.is_empty() || self.group.role == "PRIMARY")
    }

    /// Binary log with replicated changes in it: it can feed replicas.
    pub fn can_feed_replicas(&self) -> bool {
        self.is_binlog_server() || (self.log_bin && self.log_replica_updates)
    }

    /// Known lag after taking off the configured delay, in seconds.
    pub fn lag_beyond_delay(&self) -> Option<i64> {
        let delay = i64::try_from(self.replication.delay).unwrap_or(i64::MAX);
        self.lag.map(|lag| lag.saturating_sub(delay).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_told_by_the_version_texts() {
        let server = |version: &str, comment: &str| Instance {
            version: version.to_owned(),
            version_comment: comment.to_owned(),
            ..Default::default()
        };
        assert_eq!(server("10.11.6-MariaDB-log", "Debian 12").flavor(), Flavor::MariaDb);
        assert_eq!(server("8.0.36-28", "Percona Server (GPL)").flavor(), Flavor::Percona);
        assert_eq!(server("9.7.0", "MySQL Community Server").flavor(), Flavor::MySql);
        assert_eq!(server("2.4-maxscale", "").flavor(), Flavor::MaxScale);
        assert_eq!(server("10.11.6-MariaDB-log", "").major_version(), (10, 11));
        assert_eq!(server("26.7", "").major_version(), (26, 7));
        assert_eq!(server("nine", "").major_version(), (0, 0));
    }

    #[test]
    fn a_check_is_valid_only_when_the_last_end_was_a_good_one() {
        let at = |s| DateTime::<Utc>::from_timestamp(s, 0);
        let mut check = Check::default();
        assert!(!check.is_valid());
        check.last_checked = at(10);
        check.last_seen = at(10);
        assert!(check.is_valid());
        check.last_checked = at(11);
        assert!(!check.is_valid());
    }
}
