//! The statements of a probe, each in the words that the server at hand understands.

use engine::interpret::{Survey, VARIABLES};

/// One thing that a probe asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// Variables.
    Variables,
    /// Uptime and semi-sync status.
    Status,
    /// End of the own binary log.
    BinaryLog,
    /// Replicas that registered.
    RegisteredReplicas,
    /// Threads that send the binary log.
    DumpThreads,
    /// Members of the replication group.
    GroupMembers,
    /// Receivers in the performance schema: heartbeats, cipher suites.
    Receivers,
    /// Replication channels.
    Channels,
    /// Whether replication credentials can be read.
    Credentials,
}

impl Question {
    /// A probe without the answer is whole all the same: many accounts may not ask this.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::RegisteredReplicas | Self::DumpThreads | Self::GroupMembers | Self::Receivers | Self::Credentials
        )
    }

    /// What the answer is for, to be shown when it is refused.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Variables => "variables",
            Self::Status => "status",
            Self::BinaryLog => "position of the binary log",
            Self::RegisteredReplicas => "finding replicas by their registration",
            Self::DumpThreads => "finding replicas by the process list",
            Self::GroupMembers => "group replication",
            Self::Receivers => "heartbeats of receivers",
            Self::Channels => "replication status",
            Self::Credentials => "knowing whether replication credentials can be read",
        }
    }

    /// The statement; `None` when there is nothing to ask of this server. `old_receivers` asks for the columns of
    /// 5.7 only.
    pub fn statement(self, survey: &Survey, old_receivers: bool) -> Option<String> {
        let can = &survey.capabilities;
        let mysql = !survey.is_mariadb();
        match self {
            Self::Variables => Some(variables(survey)),
            Self::Status => Some(STATUS.to_owned()),
            Self::BinaryLog => {
                Some(if can.binary_log_status { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" }.to_owned())
            }
            Self::RegisteredReplicas => {
                Some(if can.replica_terms { "SHOW REPLICAS" } else { "SHOW SLAVE HOSTS" }.to_owned())
            }
            // The table of the performance schema takes no lock that sessions wait for, the other one does; with the
            // performance schema off it is empty.
            Self::DumpThreads if can.replica_terms && can.performance_schema => {
                Some(DUMP_THREADS.replace("{schema}", "performance_schema"))
            }
            // MariaDB (10.11.14) crashes when its client goes away, or is killed, in the middle of a question to
            // information_schema.processlist: a poller that dies would take its servers with it.
            Self::DumpThreads if can.named_connections => Some("SHOW PROCESSLIST".to_owned()),
            Self::DumpThreads => Some(DUMP_THREADS.replace("{schema}", "information_schema")),
            Self::GroupMembers => {
                (mysql && survey.has("group_replication_group_name")).then(|| GROUP_MEMBERS.to_owned())
            }
            Self::Receivers => (mysql && can.channels && can.performance_schema)
                .then(|| if old_receivers { OLD_RECEIVERS } else { RECEIVERS }.to_owned()),
            Self::Channels if can.replica_terms => Some("SHOW REPLICA STATUS".to_owned()),
            Self::Channels if can.named_connections => Some("SHOW ALL SLAVES STATUS".to_owned()),
            Self::Channels => Some("SHOW SLAVE STATUS".to_owned()),
            Self::Credentials => mysql.then(|| CREDENTIALS.to_owned()),
        }
    }
}

/// The questions of every poll, in this order in one round trip. What may hang comes last: a server shows no
/// replication status while it stops replication, and by then the rest has been read.
pub const EVERY_POLL: [Question; 8] = [
    Question::Variables,
    Question::Status,
    Question::BinaryLog,
    Question::RegisteredReplicas,
    Question::DumpThreads,
    Question::GroupMembers,
    Question::Receivers,
    Question::Channels,
];

/// Asks whether a server is a MaxScale binlog server: others have no such variables.
pub const BINLOG_SERVER: &str = "SHOW VARIABLES LIKE 'maxscale%'";

/// What a binlog server is asked with every poll (`spec/discovery.md` 4.2, 18). It shows its replicas to nobody's process list.
pub const BINLOG_SERVER_POLL: [(Question, &str); 4] = [
    (Question::Variables, "SELECT @@global.server_id AS server_id, @@global.server_uuid AS server_uuid"),
    (Question::BinaryLog, "SHOW MASTER STATUS"),
    (Question::RegisteredReplicas, "SHOW SLAVE HOSTS"),
    (Question::Channels, "SHOW SLAVE STATUS"),
];

/// What the first release is asked of its variables, one by one; it must know the first of them.
pub const FIRST_BINLOG_SERVER_VARIABLES: [&str; 2] =
    ["SELECT @@hostname AS hostname", "SELECT @@global.server_id AS server_id"];

/// Asks which of the variables the server has. No server refuses it.
pub fn survey_variables() -> String {
    let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
    format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(", "))
}

/// Not understood before 8.2, and not by MariaDB.
pub const SURVEY_BINARY_LOG: &str = "SHOW BINARY LOG STATUS";

/// `SHOW VARIABLES` would do but for long GTID sets, which it cuts off at 1024 characters.
fn variables(survey: &Survey) -> String {
    let columns: Vec<String> = survey.variables.iter().map(|name| format!("@@GLOBAL.{name} AS {name}")).collect();
    format!("SELECT {}", columns.join(", "))
}

const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', \
     'Rpl_semi_sync_source_status', 'Rpl_semi_sync_master_status', \
     'Rpl_semi_sync_replica_status', 'Rpl_semi_sync_slave_status', \
     'Rpl_semi_sync_source_clients', 'Rpl_semi_sync_master_clients')";

const DUMP_THREADS: &str = "SELECT USER, HOST FROM {schema}.processlist WHERE COMMAND LIKE 'Binlog Dump%'";

const GROUP_MEMBERS: &str = "SELECT MEMBER_ID, MEMBER_HOST, MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE, \
     @@GLOBAL.group_replication_group_name AS group_name, \
     @@GLOBAL.group_replication_single_primary_mode AS single_primary \
     FROM performance_schema.replication_group_members WHERE MEMBER_STATE <> 'OFFLINE'";

/// A source sends heartbeats only while it has nothing else to send, so the last sign of it is the later of the two.
const RECEIVERS: &str = "SELECT c.CHANNEL_NAME, c.HEARTBEAT_INTERVAL, c.GET_PUBLIC_KEY, c.TLS_CIPHERSUITES, \
     TIMESTAMPDIFF(MICROSECOND, GREATEST(s.LAST_HEARTBEAT_TIMESTAMP, \
     s.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP, s.QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP), NOW(6)) \
     AS heartbeat_age_us FROM performance_schema.replication_connection_configuration c \
     JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)";

const OLD_RECEIVERS: &str = "SELECT c.CHANNEL_NAME, c.HEARTBEAT_INTERVAL, \
     TIMESTAMPDIFF(MICROSECOND, s.LAST_HEARTBEAT_TIMESTAMP, NOW(6)) AS heartbeat_age_us \
     FROM performance_schema.replication_connection_configuration c \
     JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)";

const CREDENTIALS: &str = "SELECT COUNT(*) > 0 AND MAX(User_name) <> '' FROM mysql.slave_master_info";

#[cfg(test)]
mod tests {
    use super::*;
    use app::topology::Capabilities;

    fn survey(capabilities: Capabilities) -> Survey {
        Survey { variables: vec!["version", "gtid_mode"], version: String::new(), capabilities }
    }

    #[test]
    fn each_server_is_asked_in_its_own_words() {
        let new = survey(Capabilities {
            replica_terms: true,
            binary_log_status: true,
            channels: true,
            performance_schema: true,
            ..Capabilities::default()
        });
        let old = survey(Capabilities { channels: true, performance_schema: true, ..Capabilities::default() });
        let maria = survey(Capabilities { named_connections: true, ..Capabilities::default() });
        let ask = |question: Question, survey: &Survey| question.statement(survey, false).unwrap_or_default();
        assert_eq!(
            ask(Question::Variables, &new),
            "SELECT @@GLOBAL.version AS version, @@GLOBAL.gtid_mode AS gtid_mode"
        );
        assert_eq!(ask(Question::Channels, &new), "SHOW REPLICA STATUS");
        assert_eq!(ask(Question::Channels, &old), "SHOW SLAVE STATUS");
        assert_eq!(ask(Question::Channels, &maria), "SHOW ALL SLAVES STATUS");
        assert_eq!(ask(Question::BinaryLog, &new), "SHOW BINARY LOG STATUS");
        assert_eq!(ask(Question::BinaryLog, &maria), "SHOW MASTER STATUS");
        assert!(ask(Question::DumpThreads, &new).contains("performance_schema.processlist"));
        assert!(ask(Question::DumpThreads, &old).contains("information_schema.processlist"));
        assert_eq!(ask(Question::DumpThreads, &maria), "SHOW PROCESSLIST");
        assert_eq!(ask(Question::Receivers, &maria), "");
        assert_eq!(ask(Question::GroupMembers, &new), "", "the plugin is not there");
    }
}
