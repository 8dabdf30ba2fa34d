//! `CHANGE REPLICATION SOURCE TO` with every option that the channel had (`safety.md` S7).
//!
//! Servers keep most options that a statement leaves out, but not all: the heartbeat period, for one, goes back to its default
//! whenever the host changes. So every option that was read is issued again. Credentials are kept by the server and never read.

use app::plan::{Action, Positioning};
use app::topology::{Instance, Replication};
use app::{BinlogCoordinates, InstanceKey};

use super::{Dialect, Words, literal};

/// Stands in a statement where the replication user and password go, which no plan ever holds. It comes before anything that was
/// read from a server, so its first occurrence is ours.
pub const CREDENTIALS: &str = "/* replication user and password */";

/// Stands where a file and a position go that are read only when the statement is sent. Like [`CREDENTIALS`], it comes before
/// anything that was read from a server.
pub const PLACE: &str = "/* file and position, read when this is sent */";

/// What a channel logs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A server that has no replication user configured, as a former primary, needs credentials to be repointed.
pub fn needs_credentials(action: &Action, server: &Instance) -> bool {
    matches!(action, Action::ChangeSource { .. }) && !server.replication.has_credentials
}

/// Puts credentials where [`CREDENTIALS`] stands; a statement without it is unchanged.
pub fn fill_credentials(statement: &str, words: Words, credentials: &Credentials) -> String {
    let prefix = option_prefix(words);
    let options = format!(
        "{prefix}_USER = {}, {prefix}_PASSWORD = {}",
        literal(&credentials.user),
        literal(&credentials.password)
    );
    statement.replacen(CREDENTIALS, &options, 1)
}

/// Puts file and position where [`PLACE`] stands; a statement without it is unchanged.
pub fn fill_place(statement: &str, words: Words, at: &BinlogCoordinates) -> String {
    let prefix = option_prefix(words);
    let options = format!("{prefix}_LOG_FILE = {}, {prefix}_LOG_POS = {}", literal(&at.file), at.position);
    statement.replacen(PLACE, &options, 1)
}

/// The same statement with another host name of the source. It is the first option of every statement that has one; a statement without
/// that name is unchanged.
pub fn name_source(statement: &str, from: &str, to: &str) -> String {
    let host = |name: &str| format!("_HOST = {}", literal(name));
    statement.replacen(&host(from), &host(to), 1)
}

pub(super) fn option_prefix(words: Words) -> &'static str {
    if words == Words::MySqlNew { "SOURCE" } else { "MASTER" }
}

/// The statements that repoint the managed channel of `server`.
pub(super) fn change_source(
    dialect: &Dialect,
    server: &Instance,
    to: &InstanceKey,
    positioning: &Positioning,
    options: &Replication,
) -> Vec<String> {
    let mut list = Options { words: dialect.words, texts: vec![] };
    list.text("HOST", &to.hostname);
    list.bare("PORT", to.port.to_string());
    let mut statements = vec![];
    if !server.replication.has_credentials {
        list.texts.push(CREDENTIALS.to_owned());
    }
    position(&mut list, &mut statements, server, positioning);
    list.kept(options);
    statements.push(change(dialect, &list.texts));
    statements
}

/// The statement that gives the managed channel these options.
pub(super) fn change(dialect: &Dialect, options: &[String]) -> String {
    let head = match (dialect.words, &dialect.channel) {
        (Words::MySqlNew, _) => "CHANGE REPLICATION SOURCE TO".to_owned(),
        (Words::MariaDb, Some(name)) => format!("CHANGE MASTER {} TO", literal(name)),
        (Words::MySqlOld, _) | (Words::MariaDb, None) => "CHANGE MASTER TO".to_owned(),
    };
    let tail = match (dialect.words, &dialect.channel) {
        (Words::MySqlNew | Words::MySqlOld, Some(name)) => format!(" FOR CHANNEL {}", literal(name)),
        _ => String::new(),
    };
    format!("{head} {}{tail}", options.join(", "))
}

/// The statement that gives the managed channel its user and password anew, with the TLS options that it has.
pub(super) fn set_credentials(dialect: &Dialect, channel: &Replication) -> String {
    let mut list = Options { words: dialect.words, texts: vec![CREDENTIALS.to_owned()] };
    list.tls(channel);
    change(dialect, &list.texts)
}

/// Options of the place in the log. A former MariaDB primary holds writes of its own that `gtid_slave_pos` does not tell; its
/// position is set from what it holds, because `current_pos` is deprecated and would follow later local writes too.
fn position(list: &mut Options, before: &mut Vec<String>, server: &Instance, positioning: &Positioning) {
    match positioning {
        Positioning::AutoPosition => list.bare("AUTO_POSITION", "1"),
        Positioning::MariaDbGtid { using } if using.eq_ignore_ascii_case("current_pos") => {
            if server.replication.mariadb_using_gtid.eq_ignore_ascii_case("Current_Pos") {
                list.bare("USE_GTID", "current_pos");
            } else {
                before.push("SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos".to_owned());
                list.bare("USE_GTID", "slave_pos");
            }
        }
        Positioning::MariaDbGtid { .. } => list.bare("USE_GTID", "slave_pos"),
        Positioning::Coordinates { .. } | Positioning::At { .. } | Positioning::AsBefore | Positioning::Matched => {
            match positioning {
                Positioning::Coordinates { at } => {
                    list.text("LOG_FILE", &at.file);
                    list.bare("LOG_POS", at.position.to_string());
                }
                _ => list.texts.push(PLACE.to_owned()),
            }
            if list.words == Words::MariaDb {
                list.bare("USE_GTID", "no");
            } else if server.replication.auto_position {
                list.bare("AUTO_POSITION", "0");
            }
        }
        Positioning::Unchanged => {}
    }
}

struct Options {
    words: Words,
    texts: Vec<String>,
}

impl Options {
    /// An option with the prefix of the dialect and a value that needs no quotes.
    fn bare(&mut self, name: &str, value: impl Into<String>) {
        let prefix = option_prefix(self.words);
        self.texts.push(format!("{prefix}_{name} = {}", value.into()));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.bare(name, literal(value));
    }

    fn text_if_known(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    fn switch(&mut self, name: &str, on: bool) {
        self.bare(name, if on { "1" } else { "0" });
    }

    /// Every option that was read of a channel, beside the place in the log.
    fn kept(&mut self, channel: &Replication) {
        if channel.connect_retry > 0 {
            self.bare("CONNECT_RETRY", channel.connect_retry.to_string());
        }
        if let Some(count) = channel.retry_count {
            self.bare("RETRY_COUNT", count.to_string());
        }
        if let Some(period) = channel.heartbeat_period_ms {
            self.bare("HEARTBEAT_PERIOD", seconds(period));
        }
        if channel.delay > 0 {
            self.bare("DELAY", channel.delay.to_string());
        }
        self.tls(channel);
    }

    fn tls(&mut self, channel: &Replication) {
        let tls = &channel.tls;
        // A channel that was never read reports nothing: leave its switch alone.
        if tls.allowed || channel.has_credentials {
            self.switch("SSL", tls.allowed);
        }
        self.text_if_known("SSL_CA", &tls.ca_file);
        self.text_if_known("SSL_CAPATH", &tls.ca_path);
        self.text_if_known("SSL_CERT", &tls.cert);
        self.text_if_known("SSL_CIPHER", &tls.cipher);
        self.text_if_known("SSL_CRL", &tls.crl_file);
        self.text_if_known("SSL_CRLPATH", &tls.crl_path);
        self.text_if_known("SSL_KEY", &tls.key);
        if let Some(verify) = tls.verify_server_cert {
            self.switch("SSL_VERIFY_SERVER_CERT", verify);
        }
        if self.words == Words::MariaDb {
            return;
        }
        self.text_if_known("TLS_VERSION", &tls.version);
        self.text_if_known("TLS_CIPHERSUITES", &tls.ciphersuites);
        self.text_if_known("PUBLIC_KEY_PATH", &tls.public_key_path);
        if let Some(get) = tls.get_public_key {
            // The one option whose name begins with its verb.
            let name = if self.words == Words::MySqlNew { "GET_SOURCE_PUBLIC_KEY" } else { "GET_MASTER_PUBLIC_KEY" };
            self.texts.push(format!("{name} = {}", u8::from(get)));
        }
    }
}

/// Milliseconds as seconds with three decimals, the precision that servers keep.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
