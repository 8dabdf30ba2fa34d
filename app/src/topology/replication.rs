//! One replication channel, as its replica reports it (`spec/discovery.md` 5.2, 17).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{BinlogCoordinates, InstanceKey};

/// State of a receiver (IO) or applier (SQL) thread. In the compatible JSON: -1, 0, 1, 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    /// The server is no replica: it has no such thread.
    #[default]
    NoThread,
    /// Reported as `No`.
    Stopped,
    /// Reported as `Yes`.
    Running,
    /// Reported as anything else, which in practice is `Connecting`.
    Other,
}

impl ThreadState {
    /// The number of the compatible API and backend column.
    pub fn code(self) -> i8 {
        match self {
            Self::NoThread => -1,
            Self::Stopped => 0,
            Self::Running => 1,
            Self::Other => 2,
        }
    }

    /// The state for a number of the compatible API and backend column; unknown numbers are `Other`.
    pub fn from_code(code: i64) -> Self {
        match code {
            -1 => Self::NoThread,
            0 => Self::Stopped,
            1 => Self::Running,
            _ => Self::Other,
        }
    }

    /// The state for the text of `Replica_IO_Running` or `Replica_SQL_Running`.
    pub fn from_status(text: &str) -> Self {
        match text {
            "Yes" => Self::Running,
            "No" => Self::Stopped,
            _ => Self::Other,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoThread => "absent",
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Other => "connecting",
        }
    }

    /// Reported as `Yes`.
    pub fn is_running(self) -> bool {
        self == Self::Running
    }
}

/// TLS and key options of a channel. All of them are issued again when the replica is repointed
/// (`safety.md` S7); `None` and empty mean that the server did not report the option.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ReplicationTls {
    /// `Source_SSL_Allowed` is `Yes`.
    pub allowed: bool,
    /// Path of the certificate authority file.
    pub ca_file: String,
    /// Folder of certificate authority files.
    pub ca_path: String,
    /// Path of the client certificate.
    pub cert: String,
    /// Cipher list for TLS up to 1.2.
    pub cipher: String,
    /// Path of the revocation list.
    pub crl_file: String,
    /// Folder of revocation lists.
    pub crl_path: String,
    /// Path of the client key (never the key itself).
    pub key: String,
    /// The source's certificate is verified.
    pub verify_server_cert: Option<bool>,
    /// TLS versions allowed, comma separated.
    pub version: String,
    /// Cipher suites for TLS 1.3.
    pub ciphersuites: String,
    /// Path of the source's RSA public key.
    pub public_key_path: String,
    /// The replica asks the source for its RSA public key.
    pub get_public_key: Option<bool>,
}

/// One channel of a replica. A server that is no replica has the default value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Replication {
    /// Channel (MySQL) or connection (MariaDB) name; empty for the default channel.
    pub channel: String,
    /// Configured source, resolved. Null when there is none; may be detached.
    pub source: InstanceKey,
    /// `Source_UUID`; `"No"` where the server does not report one (MariaDB), as the compatible API has it.
    pub source_uuid: String,
    /// `Source_Server_Id`; zero when unknown.
    pub source_server_id: u64,
    /// Replication user, empty when none is configured or it is not shown.
    pub user: String,
    /// The user is not empty.
    pub has_credentials: bool,
    /// The credentials can be read (from the server or by `ReplicationCredentialsQuery`).
    pub credentials_available: bool,
    /// Receiver thread.
    pub receiver: ThreadState,
    /// Applier (coordinator) thread.
    pub applier: ThreadState,
    /// What the receiver says it does, e.g. `Waiting for source to send event`.
    pub receiver_status: String,
    /// `Last_IO_Errno`; zero when there is no error.
    pub receiver_errno: u32,
    /// `Last_IO_Error`, raw.
    pub receiver_error: String,
    /// `Last_SQL_Errno`; zero when there is no error.
    pub applier_errno: u32,
    /// `Last_SQL_Error`, raw.
    pub applier_error: String,
    /// Position of the receiver in the source's binary log.
    pub read: BinlogCoordinates,
    /// Position of the applier in the source's binary log.
    pub exec: BinlogCoordinates,
    /// Position of the applier in the relay log.
    pub relay: BinlogCoordinates,
    /// MySQL: `Retrieved_Gtid_Set`. MariaDB: `Gtid_IO_Pos`. Raw text.
    pub retrieved_gtid: String,
    /// MySQL auto-positioning is on.
    pub auto_position: bool,
    /// MariaDB `Using_Gtid`: empty when not reported, else `No`, `Slave_Pos`, `Current_Pos` (or the newer spellings).
    pub mariadb_using_gtid: String,
    /// Any replicate-do/ignore/wild/rewrite filter is set.
    pub has_filters: bool,
    /// `Seconds_Behind_Source`, never negative; `None` when the server says NULL.
    pub seconds_behind: Option<i64>,
    /// Configured delay in seconds.
    pub delay: u64,
    /// `Connect_Retry` in seconds; zero when not reported.
    pub connect_retry: u64,
    /// `Source_Retry_Count`; `None` when not reported.
    pub retry_count: Option<u64>,
    /// Heartbeat period in milliseconds; `None` when not reported.
    pub heartbeat_period_ms: Option<u64>,
    /// Age of the last heartbeat or event received, in milliseconds, at the time of the probe; `None` when not reported.
    pub heartbeat_age_ms: Option<u64>,
    /// Heartbeats received so far; `None` when not reported. Only good for being compared with the count of an earlier probe.
    #[serde(skip)]
    pub heartbeats: Option<u64>,
    /// Since when probes have found what was received unchanged: end of the first of them, by the observing node's clock.
    #[serde(skip)]
    pub unchanged_since: Option<DateTime<Utc>>,
    /// TLS and key options.
    pub tls: ReplicationTls,
}

impl Replication {
    /// For how long the receiver, which believes itself connected, has heard nothing, in milliseconds, where that is longer than a
    /// source that serves is ever silent: it sends a heartbeat when it has had nothing else to send for a period. Half a second, or a
    /// quarter of a long period, is for the way.
    pub fn unheard_for(&self) -> Option<u64> {
        let period = self.heartbeat_period_ms.filter(|period| *period > 0)?;
        let limit = period.saturating_add((period / 4).max(500));
        self.heartbeat_age_ms.filter(|age| self.receiver.is_running() && *age > limit)
    }

    /// Takes into account what an earlier probe of the same channel saw. Servers that do not tell the age of the last heartbeat count
    /// them: what stayed the same was not received between the end of the earlier probe and the begin of this one. Those that do tell
    /// it overlook that they are in the middle of receiving a long transaction: what changed was received after the earlier
    /// probe began. Each probe is given as the times when it began and ended, by the observing node's clock.
    pub fn compare_with(&mut self, earlier: &Self, before: [DateTime<Utc>; 2], this: [DateTime<Utc>; 2]) {
        let both_run = self.receiver.is_running() && earlier.receiver.is_running();
        if self.source != earlier.source || !both_run {
            return;
        }
        let ([before_began, before_ended], [began, ended]) = (before, this);
        let received = |c: &Self| (c.heartbeats, c.read.clone(), c.retrieved_gtid.clone());
        if received(self) != received(earlier) {
            let most = milliseconds(before_began, ended);
            self.heartbeat_age_ms = self.heartbeat_age_ms.map(|age| age.min(most));
            return;
        }
        let since = earlier.unchanged_since.unwrap_or(before_ended);
        self.unchanged_since = Some(since);
        if self.heartbeats.is_some() && self.heartbeat_age_ms.is_none() {
            self.heartbeat_age_ms = Some(milliseconds(since, began));
        }
    }

    /// MySQL auto-position or MariaDB GTID is in use.
    pub fn uses_gtid(&self) -> bool {
        self.auto_position || self.uses_mariadb_gtid()
    }

    /// MariaDB GTID is in use on this channel.
    pub fn uses_mariadb_gtid(&self) -> bool {
        !self.mariadb_using_gtid.is_empty() && !self.mariadb_using_gtid.eq_ignore_ascii_case("No")
    }

    /// A source is configured and a position in its log is known (`spec/discovery.md` 5.4). A detached source counts.
    pub fn is_configured(&self) -> bool {
        !self.source.hostname.is_empty()
            && self.source.hostname != "_"
            && self.source.port != 0
            && (!self.read.is_empty() || self.uses_gtid())
    }

    /// Both threads run.
    pub fn is_running(&self) -> bool {
        self.is_configured() && self.receiver.is_running() && self.applier.is_running()
    }

    /// The server reports threads for this channel.
    pub fn threads_exist(&self) -> bool {
        self.receiver != ThreadState::NoThread && self.applier != ThreadState::NoThread
    }

    /// Neither thread runs or tries to.
    pub fn threads_stopped(&self) -> bool {
        self.receiver == ThreadState::Stopped && self.applier == ThreadState::Stopped
    }

    /// Everything read from the source by file and position is applied.
    pub fn is_applied_by_position(&self) -> bool {
        self.read == self.exec
    }

    /// The receiver's last error says that the source cannot be reached: by error number
    /// (client errors 2002, 2003, 2005, 2006, 2012, 2013, 2026, 2055), with the message form that servers
    /// wrap them in as the fall-back for rows read from an older backend (`spec/recovery.md` 1.4).
    pub fn fails_to_connect(&self) -> bool {
        if self.receiver.is_running() {
            return false;
        }
        if matches!(self.receiver_errno, 2002 | 2003 | 2005 | 2006 | 2012 | 2013 | 2026 | 2055) {
            return true;
        }
        let text = self.receiver_error.to_ascii_lowercase();
        text.find("error ").is_some_and(|at| {
            let tail = text.get(at..).unwrap_or_default();
            tail.contains("connecting to master") || tail.contains("connecting to source")
        })
    }
}

/// Never negative: clocks may step.
fn milliseconds(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).num_milliseconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_states_keep_their_number() {
        for state in [ThreadState::NoThread, ThreadState::Stopped, ThreadState::Running, ThreadState::Other] {
            assert_eq!(ThreadState::from_code(i64::from(state.code())), state);
        }
        assert_eq!(ThreadState::from_status("Connecting"), ThreadState::Other);
    }

    #[test]
    fn a_lost_source_is_told_by_number_and_by_the_old_message() {
        let mut channel = Replication { receiver: ThreadState::Other, receiver_errno: 2003, ..Default::default() };
        assert!(channel.fails_to_connect());
        channel.receiver_errno = 1236;
        assert!(!channel.fails_to_connect());
        channel.receiver_error = "Error Reconnecting to Source 'repl@db1:3306'".to_owned();
        assert!(channel.fails_to_connect());
        channel.receiver = ThreadState::Running;
        assert!(!channel.fails_to_connect());
    }

    fn at(seconds: f64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::milliseconds((seconds * 1000.0) as i64)
    }

    fn receiver(heartbeats: Option<u64>, position: i64) -> Replication {
        Replication {
            source: InstanceKey::new("db1", 3306),
            receiver: ThreadState::Running,
            heartbeat_period_ms: Some(2_000),
            heartbeats,
            read: BinlogCoordinates::binary("binlog.1", position),
            ..Replication::default()
        }
    }

    #[test]
    fn counted_heartbeats_tell_for_how_long_nothing_came() {
        let first = receiver(Some(7), 100);
        let mut second = receiver(Some(7), 100);
        second.compare_with(&first, [at(0.9), at(1.0)], [at(2.0), at(2.1)]);
        assert_eq!((second.heartbeat_age_ms, second.unheard_for()), (Some(1_000), None));
        let mut third = receiver(Some(7), 100);
        third.compare_with(&second, [at(2.0), at(2.1)], [at(3.6), at(3.7)]);
        assert_eq!(third.unheard_for(), Some(2_600), "counted from the first look that saw it so");

        for news in [receiver(Some(8), 100), receiver(Some(7), 101)] {
            let mut fourth = news;
            fourth.compare_with(&third, [at(3.6), at(3.7)], [at(4.0), at(4.1)]);
            assert_eq!((fourth.heartbeat_age_ms, fourth.unchanged_since), (None, None));
        }
        let mut moved = receiver(Some(7), 100);
        moved.source = InstanceKey::new("db2", 3306);
        moved.compare_with(&third, [at(3.6), at(3.7)], [at(9.0), at(9.1)]);
        assert_eq!(moved.heartbeat_age_ms, None, "another source, another count");
    }

    #[test]
    fn a_receiver_in_the_middle_of_a_long_transaction_hears_its_source() {
        let told = |age, position| Replication { heartbeat_age_ms: Some(age), ..receiver(None, position) };
        let mut growing = told(60_000, 200);
        growing.compare_with(&told(59_900, 100), [at(0.0), at(0.1)], [at(0.2), at(0.3)]);
        assert_eq!((growing.heartbeat_age_ms, growing.unheard_for()), (Some(300), None));
        let mut silent = told(2_501, 100);
        silent.compare_with(&told(2_401, 100), [at(0.0), at(0.1)], [at(0.2), at(0.3)]);
        assert_eq!(silent.unheard_for(), Some(2_501));
        silent.receiver = ThreadState::Other;
        assert_eq!(silent.unheard_for(), None, "its own state tells more");
    }
}
