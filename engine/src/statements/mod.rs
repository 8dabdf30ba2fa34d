//! The text of every statement that changes a server, by what the server understands.
//!
//! One place for MySQL 5.7 to the calendar versions after 9.x, Percona Server and MariaDB 10.5 to 12. Which words a
//! server takes is asked of the server ([`app::topology::Capabilities`]), not read from a version table.
//!
//! Old words (`CHANGE MASTER TO`, `STOP SLAVE`) are right for every MariaDB and for MySQL before 8.0.23; MySQL 8.4 takes only
//! the new ones. Between them both are taken.

mod change_source;
mod maintain;
mod quote;

#[cfg(test)]
mod tests;

use app::InstanceKey;
use app::plan::{Action, Positioning};
use app::topology::{Instance, Replication};

pub use change_source::{
    CREDENTIALS, Credentials, PLACE, fill_credentials, fill_place, name_source, needs_credentials,
};
pub use maintain::{FAILING_GTID, HISTORY, failing_gtid_query, fill_failing_gtid, fill_history, restart_around};
pub use quote::literal;

/// The words a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// `SLAVE` and `MASTER_*`, MySQL.
    MySqlOld,
    /// `REPLICA` and `SOURCE_*`, MySQL.
    MySqlNew,
    /// `SLAVE` and `MASTER_*`, MariaDB.
    MariaDb,
}

/// How one server is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Its words.
    pub words: Words,
    /// It has `super_read_only`.
    pub super_read_only: bool,
    /// Variable that switches the source side of semi-sync; empty when the server has none.
    pub semi_sync_source: &'static str,
    /// Variable that switches the replica side of semi-sync; empty when the server has none.
    pub semi_sync_replica: &'static str,
    /// The managed channel must be named: there are several, or it is not the default one.
    channel: Option<String>,
    /// `RESET BINARY LOGS AND GTIDS` in place of `RESET MASTER`.
    reset_binary_logs: bool,
    /// The variable that skips events is named after replicas (MySQL 8.0.26; the old name is gone after 8.4).
    replica_skip_counter: bool,
}

impl Dialect {
    /// The dialect of a server, by what it said of itself.
    ///
    /// A server that was not asked yet (a row of an older backend) is spoken to in the old words unless its version text
    /// is one that cannot know them (8.4 and later).
    pub fn of(server: &Instance) -> Self {
        let can = &server.capabilities;
        let words = if server.is_mariadb() {
            Words::MariaDb
        } else if can.replica_terms || (!can.known && server.major_version() >= (8, 4)) {
            Words::MySqlNew
        } else {
            Words::MySqlOld
        };
        let semi_sync = &server.semi_sync;
        let source_new = can.semi_sync_source_names || semi_sync.source_new_names;
        let replica_new = can.semi_sync_replica_names || semi_sync.replica_new_names;
        let pick = |new: bool, new_name, old_name| match (semi_sync.available, new) {
            (false, _) => "",
            (true, true) => new_name,
            (true, false) => old_name,
        };
        let several = server.channels.len() > 1 || !server.replication.channel.is_empty();
        Self {
            words,
            super_read_only: can.super_read_only || server.super_read_only.is_some(),
            semi_sync_source: pick(source_new, "rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"),
            semi_sync_replica: pick(replica_new, "rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"),
            channel: several.then(|| server.replication.channel.clone()),
            reset_binary_logs: can.reset_binary_logs || (!can.known && server.major_version() >= (8, 4)),
            replica_skip_counter: words == Words::MySqlNew && server.major_version() >= (8, 4),
        }
    }

    fn replica_word(&self) -> &'static str {
        if self.words == Words::MySqlNew { "REPLICA" } else { "SLAVE" }
    }

    /// `START|STOP REPLICA [thread] [channel]`.
    fn threads(&self, verb: &str, thread: &str) -> String {
        let word = self.replica_word();
        match (self.words, &self.channel) {
            (Words::MariaDb, Some(name)) => join(&[verb, word, &literal(name), thread]),
            (_, Some(name)) => join(&[verb, word, thread, "FOR CHANNEL", &literal(name)]),
            (_, None) => join(&[verb, word, thread]),
        }
    }

    /// `RESET REPLICA ALL`, of the managed channel only.
    fn reset(&self) -> String {
        let word = self.replica_word();
        match (self.words, &self.channel) {
            (Words::MariaDb, Some(name)) => join(&["RESET", word, &literal(name), "ALL"]),
            (_, Some(name)) => join(&["RESET", word, "ALL FOR CHANNEL", &literal(name)]),
            (_, None) => join(&["RESET", word, "ALL"]),
        }
    }

    /// Waits on the server until it has executed a set; gives 0 when it has and another value when time runs out.
    pub fn wait_for_gtid(&self, set: &str, seconds: u64) -> String {
        match self.words {
            Words::MariaDb => format!("SELECT MASTER_GTID_WAIT({}, {seconds})", literal(set)),
            Words::MySqlOld | Words::MySqlNew => {
                format!("SELECT WAIT_FOR_EXECUTED_GTID_SET({}, {seconds})", literal(set))
            }
        }
    }

    /// Switches `read_only`; off clears `super_read_only` too, because the servers do.
    pub fn set_read_only(&self, on: bool, super_too: bool) -> String {
        match (on, super_too && self.super_read_only) {
            // Setting super_read_only sets read_only with it, in one statement.
            (true, true) => "SET GLOBAL super_read_only = ON".to_owned(),
            (true, false) => "SET GLOBAL read_only = ON".to_owned(),
            (false, _) => "SET GLOBAL read_only = OFF".to_owned(),
        }
    }
}

/// The statements of an action on `server`, in order; empty for one that only reads or waits.
///
/// `options` are the replication options that a repointed channel shall have: those of the server itself, as a rule.
/// A former primary has none of its own and gets those of the replica it follows from now on.
pub fn render(action: &Action, server: &Instance, options: &Replication) -> Vec<String> {
    let dialect = Dialect::of(server);
    let switch = |variable: &str, on: bool| match variable {
        "" => vec![],
        name => vec![format!("SET GLOBAL {name} = {}", if on { "ON" } else { "OFF" })],
    };
    match action {
        Action::Refresh
        | Action::WaitForGtid { .. }
        | Action::WaitForPeer { .. }
        | Action::FindPlace { .. }
        // Its statement is another one each time: it comes with the step.
        | Action::InjectEntry
        | Action::Verify { .. }
        | Action::RunHooks { .. } => vec![],
        Action::StartUntil { .. } => vec![dialect.start_until(), dialect.threads("STOP", "")],
        Action::SkipTransaction => dialect.skip_transaction(server),
        Action::InjectEmpty { gtids } => maintain::inject_empty(gtids),
        Action::ResetBinaryLogs { .. } => dialect.reset_binary_logs(),
        Action::FlushBinaryLogs { times } => (0..*times).map(|_| "FLUSH BINARY LOGS".to_owned()).collect(),
        Action::PurgeBinaryLogs { to } => vec![format!("PURGE BINARY LOGS TO {}", literal(to))],
        Action::KillQuery { process } => vec![format!("KILL QUERY {process}")],
        Action::SetDelay { seconds } => vec![dialect.set_delay(*seconds)],
        Action::SetCredentials => vec![change_source::set_credentials(&dialect, options)],
        Action::StopReplication => vec![dialect.threads("STOP", "")],
        Action::StartReplication => vec![dialect.threads("START", "")],
        Action::StopReceiver => stop_receiver(&dialect, server),
        Action::StartReceiver => vec![dialect.threads("START", "IO_THREAD")],
        Action::StopApplier => vec![dialect.threads("STOP", "SQL_THREAD")],
        Action::StartApplier | Action::Drain => vec![dialect.threads("START", "SQL_THREAD")],
        Action::ChangeSource { to, positioning } => {
            change_source::change_source(&dialect, server, to, positioning, options)
        }
        Action::ResetReplication => vec![dialect.reset()],
        Action::DetachSource => rename_source(&dialect, server, server.replication.source.detached(), options),
        Action::ReattachSource => rename_source(&dialect, server, server.replication.source.reattached(), options),
        Action::SetReadOnly { on, super_too } => vec![dialect.set_read_only(*on, *super_too)],
        Action::KillSessions => vec![],
        Action::SetSemiSyncSource { on } => switch(dialect.semi_sync_source, *on),
        Action::SetSemiSyncReplica { on } => switch(dialect.semi_sync_replica, *on),
    }
}

/// When a semi-sync receiver of MariaDB stops, it connects to its source anew to end the session it had there. A source that
/// hangs lets it wait for two seconds, so it is told to wait for one, the least that can be said.
fn stop_receiver(dialect: &Dialect, server: &Instance) -> Vec<String> {
    let stop = dialect.threads("STOP", "IO_THREAD");
    if dialect.words != Words::MariaDb || !server.semi_sync.replica_enabled {
        return vec![stop];
    }
    let patience = "rpl_semi_sync_slave_kill_conn_timeout";
    vec![
        format!("SET @orchestrator_was = @@GLOBAL.{patience}"),
        format!("SET GLOBAL {patience} = 1"),
        stop,
        format!("SET GLOBAL {patience} = @orchestrator_was"),
    ]
}

/// Another name for the same source. A changed host makes the server forget its file and position, so a channel
/// without GTID is given the place up to which it has applied.
fn rename_source(dialect: &Dialect, server: &Instance, to: InstanceKey, options: &Replication) -> Vec<String> {
    let channel = &server.replication;
    let positioning = if channel.uses_gtid() {
        Positioning::Unchanged
    } else {
        Positioning::Coordinates { at: channel.exec.clone() }
    };
    change_source::change_source(dialect, server, &to, &positioning, options)
}

fn join(words: &[&str]) -> String {
    words.iter().copied().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
