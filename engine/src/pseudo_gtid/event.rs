//! One event of a log, and what of it is compared.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use app::BinlogCoordinates;
use regex::Regex;

use crate::interpret::Record;

/// Texts of events are cut to this many characters in messages.
const SHOWN: usize = 160;

/// A row of `SHOW BINLOG EVENTS` or `SHOW RELAYLOG EVENTS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// `Log_name`.
    pub file: String,
    /// `Pos`: where it begins in the log that is read.
    pub pos: u64,
    /// `Event_type`.
    pub kind: String,
    /// `End_log_pos`: where it ends in the binary log it comes from. In a relay log that is the source's.
    pub end: u64,
    /// `Info`.
    pub info: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info: String = self.info.chars().take(SHOWN).collect();
        write!(f, "{} {info:?}", self.kind)
    }
}

/// What is compared of an event: its kind, whatever form it has, and its text without what differs between servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Essence<'a> {
    pub kind: &'a str,
    pub text: Cow<'a, str>,
}

impl Event {
    /// Reads a row; `None` when it is none of an event.
    pub fn from_record(row: &Record) -> Option<Self> {
        Some(Self {
            file: row.get("Log_name")?.to_owned(),
            pos: row.number(&["Pos"])?,
            kind: row.get("Event_type")?.to_owned(),
            end: row.number(&["End_log_pos"])?,
            info: row.get("Info").unwrap_or_default().to_owned(),
        })
    }

    /// Where it begins.
    pub fn at(&self) -> BinlogCoordinates {
        BinlogCoordinates::binary(self.file.clone(), i64::try_from(self.pos).unwrap_or(i64::MAX))
    }

    /// Where the event behind it begins, in a binary log; `None` when that does not fit the position of this one (logs beyond 4 GB).
    pub fn next(&self) -> Option<BinlogCoordinates> {
        let end = i64::try_from(self.end).ok().filter(|_| self.end > self.pos)?;
        Some(BinlogCoordinates::binary(self.file.clone(), end))
    }

    /// What is to be compared; `None` for events that a server writes for itself and for the parts of a statement's rows but the last:
    /// how rows are cut into events is each server's own affair.
    pub(super) fn essence(&self, skip_containing: &[String]) -> Option<Essence<'_>> {
        let kind = bare_kind(&self.kind);
        let own_affair = matches!(
            kind,
            "Format_desc"
                | "Stop"
                | "Rotate"
                | "Fake Rotate"
                | "Previous_gtids"
                | "Gtid_list"
                | "Binlog_checkpoint"
                | "Start_encryption"
                | "Rows_query"
                | "Annotate_rows"
                | "Heartbeat"
                | "Heartbeat_v2"
                | "Ignorable"
                | "Anonymous_Gtid"
                | "Gtid_tagged_list"
        );
        if own_affair || skip_containing.iter().any(|part| !part.is_empty() && self.info.contains(part)) {
            return None;
        }
        if is_rows(kind) {
            return self.info.contains("STMT_END_F").then_some(Essence { kind, text: Cow::Borrowed("") });
        }
        let text = normal_text(kind, &self.info);
        // A transaction of a table without transactions ends with a statement in place of the engine's own event.
        let kind = if text == "COMMIT" { "Xid" } else { kind };
        Some(Essence { kind, text })
    }
}

fn is_rows(kind: &str) -> bool {
    matches!(kind, "Write_rows" | "Update_rows" | "Delete_rows")
}

/// The kind without the form that a server gives it.
fn bare_kind(kind: &str) -> &str {
    let mut bare = kind;
    for form in ["_v1", "_compressed", "_partial"] {
        bare = bare.strip_suffix(form).unwrap_or(bare);
    }
    bare
}

/// The text as every server would write it.
pub(super) fn normal_text<'a>(kind: &str, info: &'a str) -> Cow<'a, str> {
    if kind == "Xid" || info.starts_with("COMMIT") {
        return Cow::Borrowed("COMMIT");
    }
    if kind == "Table_map" {
        // table_id: 108 (app.t2)
        return Cow::Borrowed(info.find('(').and_then(|at| info.get(at..)).unwrap_or(info));
    }
    if kind == "Gtid" {
        return Cow::Borrowed(info.split(" cid=").next().unwrap_or(info).trim());
    }
    let mut text = without_comments(info);
    if text.contains("COLLATE")
        && let Some(hexadecimal) = &*HEXADECIMAL
    {
        text = Cow::Owned(
            hexadecimal.replace_all(&text, |found: &regex::Captures<'_>| plain_hexadecimal(found)).into_owned(),
        );
    }
    match plain_table_statement(&text) {
        Some(plain) => Cow::Owned(plain),
        None => text,
    }
}

/// MariaDB replicas make some statements about tables repeatable, and servers write them anew in capitals.
fn plain_table_statement(text: &str) -> Option<String> {
    let (database, statement) = match text.strip_prefix("use ").and_then(|_| text.find("; ")) {
        Some(at) => text.split_at(at + 2),
        None => ("", text),
    };
    let forms = [
        ("drop table if exists ", "DROP TABLE "),
        ("drop table ", "DROP TABLE "),
        ("create or replace table ", "CREATE TABLE "),
        ("create table ", "CREATE TABLE "),
    ];
    let (form, plain) = forms.into_iter().find(|(form, _)| {
        let head = statement.get(..form.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(form))
    })?;
    Some(format!("{database}{plain}{}", statement.get(form.len()..)?.trim_start()))
}

/// Our own expression, which is one; were it none, texts would be compared as they are, and differ.
static HEXADECIMAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:0[xX]([0-9a-fA-F]+)|[xX]'([0-9a-fA-F]*)')\s+COLLATE").ok());

fn plain_hexadecimal(found: &regex::Captures<'_>) -> String {
    let digits = found.get(1).or_else(|| found.get(2)).map_or("", |digits| digits.as_str());
    format!("0x{} COLLATE", digits.to_ascii_lowercase())
}

/// Both servers' texts are treated alike, so it does not matter that a comment may be within quotes.
fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains("/*") {
        return Cow::Borrowed(text.trim());
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        match after.split_once("*/") {
            Some((_, behind)) => rest = behind,
            None => {
                kept.push_str("/*");
                rest = after;
            }
        }
        if !rest.contains("/*") {
            break;
        }
    }
    kept.push_str(rest);
    Cow::Owned(kept.trim().to_owned())
}

/// Where a walk stands between the events of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Inside {
    /// Between transactions.
    #[default]
    Nothing,
    /// After the event that announces a transaction.
    Header,
    /// In a transaction.
    Transaction,
}

impl Inside {
    /// Behind an event.
    pub fn after(self, event: &Essence<'_>) -> Self {
        match event.kind {
            "Gtid" if event.text.starts_with("BEGIN") => Self::Transaction,
            "Gtid" | "Gtid_tagged" => Self::Header,
            "Xid" | "XA_prepare" => Self::Nothing,
            "Query" => match event.text.as_ref() {
                "BEGIN" => Self::Transaction,
                "ROLLBACK" => Self::Nothing,
                text if text.starts_with("XA START") => Self::Transaction,
                text if text.starts_with("XA COMMIT") || text.starts_with("XA ROLLBACK") => Self::Nothing,
                _ if self == Self::Transaction => Self::Transaction,
                _ => Self::Nothing,
            },
            // Variables and table maps come with the statement that they are for.
            _ if self == Self::Nothing => Self::Header,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn event(kind: &str, info: &str) -> Event {
        Event { kind: kind.to_owned(), info: info.to_owned(), ..Event::default() }
    }

    #[rstest]
    #[case("Table_map", "table_id: 108 (app.t2)", "table_id: 9 (app.t2)")]
    #[case("Xid", "COMMIT /* xid=8 */", "COMMIT /* xid=900 */")]
    #[case("Gtid", "BEGIN GTID 0-1-5 cid=12", "BEGIN GTID 0-1-5")]
    #[case("Query", "create table t (i int) /* xid=12 */", "create table t (i int)")]
    #[case("Query", "/* app */ drop table t", "drop table t /* generated by server */ /* xid=3 */")]
    #[case("Query", "use `app`; drop table t", "use `app`; DROP TABLE IF EXISTS t /* generated by server */")]
    #[case("Query", "create table t (i int)", "CREATE OR REPLACE TABLE t (i int)")]
    #[case("User_var", "@`a`=_utf8mb4 0x41ff COLLATE utf8mb4_bin", "@`a`=_utf8mb4 X'41FF' COLLATE utf8mb4_bin")]
    fn what_differs_between_servers_is_not_compared(#[case] kind: &str, #[case] one: &str, #[case] other: &str) {
        assert_eq!(event(kind, one).essence(&[]), event(kind, other).essence(&[]));
    }

    #[rstest]
    #[case(("Write_rows", "table_id: 1 flags: STMT_END_F"), ("Delete_rows", "table_id: 1 flags: STMT_END_F"))]
    #[case(("Table_map", "table_id: 1 (app.a)"), ("Table_map", "table_id: 1 (app.b)"))]
    #[case(("Gtid", "GTID 0-1-5"), ("Gtid", "BEGIN GTID 0-1-5"))]
    #[case(("Query", "drop table a"), ("Query", "drop table b"))]
    #[case(("Query", "use `a`; drop table t"), ("Query", "use `b`; drop table t"))]
    #[case(("Query", "drop view a"), ("Query", "drop view if exists a"))]
    fn what_is_not_the_same_is_told_apart(#[case] one: (&str, &str), #[case] other: (&str, &str)) {
        assert_ne!(event(one.0, one.1).essence(&[]), event(other.0, other.1).essence(&[]));
    }

    #[test]
    fn forms_of_one_kind_are_the_same_and_only_the_last_part_of_a_statement_counts() {
        let new = event("Write_rows", "table_id: 104 flags: STMT_END_F USE_SQL_FOREIGN_KEY_F");
        assert_eq!(new.essence(&[]), event("Write_rows_compressed_v1", "table_id: 7 flags: STMT_END_F").essence(&[]));
        assert_eq!(event("Update_rows_partial", "table_id: 1").essence(&[]), None);
        assert_eq!(event("Query", "COMMIT").essence(&[]), event("Xid", "COMMIT /* xid=1 */").essence(&[]));
    }

    #[test]
    fn what_a_server_writes_for_itself_is_passed_over() {
        for kind in
            ["Format_desc", "Rotate", "Stop", "Previous_gtids", "Gtid_list", "Binlog_checkpoint", "Annotate_rows"]
        {
            assert_eq!(event(kind, "x").essence(&[]), None, "{kind}");
        }
        assert_eq!(event("Query", "insert into heartbeat").essence(&["heartbeat".to_owned()]), None);
        assert!(event("Query", "insert into t").essence(&[String::new()]).is_some(), "an empty text skips nothing");
    }

    #[test]
    fn a_transaction_is_followed_from_its_announcement_to_its_end() {
        let mut inside = Inside::default();
        let mut behind = |kind: &str, info: &str| {
            let event = event(kind, info);
            if let Some(essence) = event.essence(&[]) {
                inside = inside.after(&essence);
            }
            inside
        };
        assert_eq!(behind("Gtid", "SET @@SESSION.GTID_NEXT= 'u:1'"), Inside::Header);
        assert_eq!(behind("Query", "BEGIN"), Inside::Transaction);
        assert_eq!(behind("Table_map", "table_id: 1 (a.b)"), Inside::Transaction);
        assert_eq!(behind("Query", "insert into t"), Inside::Transaction);
        assert_eq!(behind("Xid", "COMMIT /* xid=1 */"), Inside::Nothing);
        assert_eq!(behind("Gtid", "GTID 0-1-5"), Inside::Header);
        assert_eq!(behind("Query", "create table t"), Inside::Nothing);
        assert_eq!(behind("Gtid", "BEGIN GTID 0-1-6"), Inside::Transaction);
        assert_eq!(behind("Query", "ROLLBACK"), Inside::Nothing);
        assert_eq!(behind("Intvar", "INSERT_ID=1"), Inside::Header);
        assert_eq!(behind("Query", "insert into t"), Inside::Nothing);
    }

    #[test]
    fn comments_are_cut_out() {
        assert_eq!(without_comments("a /* b */ c /* d */"), "a  c");
        assert_eq!(without_comments("a /* never closed"), "a /* never closed");
    }
}
