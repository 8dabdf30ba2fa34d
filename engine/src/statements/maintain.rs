//! Statements of upkeep: skipping, empty transactions, histories, delays (`spec/refactoring.md` 3, 14, 15).

use app::topology::{Instance, ThreadState};

use super::change_source::{PLACE, change, option_prefix};
use super::{Dialect, Words, join, literal};

/// Stands where the GTID of the failing transaction goes, which is asked of the server when the statement is sent.
pub const FAILING_GTID: &str = "/* the failing transaction, asked when this is sent */";

/// Stands where the set goes that a server shall have executed after its history was thrown away.
pub const HISTORY: &str = "/* what it has executed, without what is left out */";

/// Puts a set where [`HISTORY`] stands; a statement without it is unchanged.
pub fn fill_history(statement: &str, set: &str) -> String {
    statement.replacen(HISTORY, &literal(&set.replace(['\n', ' '], "")), 1)
}

/// Asks a MySQL server for the transaction on which the applier of a channel stopped: one row, one column, or no row.
pub fn failing_gtid_query(channel: &str) -> String {
    format!(
        "SELECT applying_transaction FROM performance_schema.replication_applier_status_by_worker WHERE last_error_number <> 0 \
         AND applying_transaction <> '' AND channel_name = {} ORDER BY worker_id LIMIT 1",
        literal(channel)
    )
}

/// Puts a GTID where [`FAILING_GTID`] stands; a statement without it is unchanged.
pub fn fill_failing_gtid(statement: &str, gtid: &str) -> String {
    statement.replacen(FAILING_GTID, &literal(gtid), 1)
}

/// The statements that would restart what runs of the managed channel around another statement, each ended by one semicolon; nothing is sent
/// (`spec/api.md` 2.6, 45). In lower case, as the original writes them. Without a statement those around it only.
pub fn restart_around(server: &Instance, statement: &str) -> Vec<String> {
    let dialect = Dialect::of(server);
    let channel = &server.replication;
    let runs = |state| matches!(state, ThreadState::Running | ThreadState::Other);
    let thread = |verb, name, state| runs(state).then(|| lower_keywords(&dialect.threads(verb, name)));
    let statements = [
        thread("STOP", "IO_THREAD", channel.receiver),
        thread("STOP", "SQL_THREAD", channel.applier),
        Some(statement.trim().to_owned()).filter(|given| !given.is_empty()),
        thread("START", "SQL_THREAD", channel.applier),
        thread("START", "IO_THREAD", channel.receiver),
    ];
    statements.iter().flatten().map(|s| format!("{};", s.trim_end_matches([';', ' ', '\n']))).collect()
}

/// In lower case, but for what stands in quotes: the name of a channel.
fn lower_keywords(statement: &str) -> String {
    let mut quoted = false;
    let lower = |c: char| {
        quoted ^= c == '\'';
        if quoted { c } else { c.to_ascii_lowercase() }
    };
    statement.chars().map(lower).collect()
}

/// Empty transactions of these names, on one session.
pub(super) fn inject_empty(gtids: &[String]) -> Vec<String> {
    let one = |gtid: &String| named_empty(&literal(gtid));
    let mut statements: Vec<String> = gtids.iter().flat_map(one).collect();
    statements.push("SET SESSION gtid_next = 'AUTOMATIC'".to_owned());
    statements
}

fn named_empty(gtid: &str) -> [String; 3] {
    [format!("SET SESSION gtid_next = {gtid}"), "BEGIN".to_owned(), "COMMIT".to_owned()]
}

impl Dialect {
    /// Both threads run until a position, which is filled in when it is sent.
    pub(super) fn start_until(&self) -> String {
        let word = self.replica_word();
        match (self.words, &self.channel) {
            (Words::MariaDb, Some(name)) => join(&["START", word, &literal(name), "UNTIL", PLACE]),
            (_, Some(name)) => join(&["START", word, "UNTIL", PLACE, "FOR CHANNEL", &literal(name)]),
            (_, None) => join(&["START", word, "UNTIL", PLACE]),
        }
    }

    /// Leaves out the one transaction on which the applier stopped. With `gtid_mode = ON` MySQL refuses to count, whether or not the
    /// channel finds its place by GTID.
    pub(super) fn skip_transaction(&self, server: &Instance) -> Vec<String> {
        if server.replication.auto_position || (server.is_mysql() && server.gtid_mode == "ON") {
            let mut statements = named_empty(FAILING_GTID).to_vec();
            statements.push("SET SESSION gtid_next = 'AUTOMATIC'".to_owned());
            return statements;
        }
        let word = if self.replica_skip_counter { "replica" } else { "slave" };
        let skip = format!("SET GLOBAL sql_{word}_skip_counter = 1");
        match (self.words, &self.channel) {
            // The counter is that of the connection which the session names.
            (Words::MariaDb, Some(name)) => vec![
                format!("SET SESSION default_master_connection = {}", literal(name)),
                skip,
                "SET SESSION default_master_connection = ''".to_owned(),
            ],
            _ => vec![skip],
        }
    }

    /// An empty history, then the one that is filled in.
    pub(super) fn reset_binary_logs(&self) -> Vec<String> {
        let reset = if self.reset_binary_logs { "RESET BINARY LOGS AND GTIDS" } else { "RESET MASTER" };
        vec![reset.to_owned(), format!("SET GLOBAL gtid_purged = {HISTORY}")]
    }

    pub(super) fn set_delay(&self, seconds: u64) -> String {
        change(self, &[format!("{}_DELAY = {seconds}", option_prefix(self.words))])
    }
}
