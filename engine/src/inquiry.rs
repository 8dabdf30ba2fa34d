//! Whether a statement only asks: the one rule of the command `sql`, which sends what a person typed to a server with an
//! account that may do much.
//!
//! Plain rather than clever. One statement; it begins with `SELECT`, `SHOW`, `EXPLAIN`, `DESCRIBE`, `DESC` or `WITH`; it neither
//! writes a file, nor sets a variable, nor takes a lock; and each function that it calls is one of those listed here, all of
//! which do nothing but compute. A function that is not listed may wait, lock, read a file or change a replication group, and a
//! read-only transaction keeps it from none of that. What is refused is named.
//!
//! The text is read by the rules of a session whose `sql_mode` is empty: backslashes escape, double quotes hold text.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Why a statement is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoInquiry {
    /// Nothing to ask.
    #[error("no statement is given: expected one, as in -c sql -i HOST \"SHOW PROCESSLIST\"")]
    Empty,
    /// It begins with another word.
    #[error(
        "a statement that begins with {0} is not sent: expected SELECT, SHOW, EXPLAIN, DESCRIBE or WITH ... SELECT"
    )]
    Begins(String),
    /// More than one.
    #[error("there is text after the end of the first statement: expected one statement")]
    Several,
    /// A comment, text or name is not closed, or a character has no place in a statement.
    #[error("the statement cannot be read: {0}")]
    Unreadable(&'static str),
    /// A comment that servers execute.
    #[error("comments that servers execute or take as hints (/*! /*M! /*+) are not sent")]
    LiveComment,
    /// A part that does more than ask.
    #[error("{0} does more than ask: the statement is not sent")]
    Acts(&'static str),
    /// A function that is not known to do nothing but compute.
    #[error("the function {0} is not known to do nothing but compute: the statement is not sent")]
    Function(String),
}

/// Takes a statement that only asks, without what ends it.
///
/// # Errors
/// [`NoInquiry`] names what more it would do, or cannot be read.
pub fn inquiry(statement: &str) -> Result<&str, NoInquiry> {
    let statement = statement.trim().trim_end_matches([';', ' ', '\t', '\r', '\n']);
    let tokens = tokens(statement)?;
    let Some(first) = tokens.first() else { return Err(NoInquiry::Empty) };
    match first {
        Token::Word(word) if BEGINNINGS.contains(&word.as_str()) => {}
        Token::Word(word) => return Err(NoInquiry::Begins(word.clone())),
        _ => return Err(NoInquiry::Begins("what is no word".to_owned())),
    }
    for (at, token) in tokens.iter().enumerate() {
        let (before, rest) = tokens.split_at(at);
        check(before, token, rest.get(1..).unwrap_or_default())?;
    }
    if first == &Token::Word("WITH".to_owned()) {
        ends_in_select(&tokens)?;
    }
    Ok(statement)
}

/// What a `WITH` is for stands behind its parentheses.
fn ends_in_select(tokens: &[Token]) -> Result<(), NoInquiry> {
    let mut depth = 0_usize;
    for token in tokens {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 => match word.as_str() {
                "SELECT" => return Ok(()),
                "DELETE" | "INSERT" | "REPLACE" | "UPDATE" => {
                    return Err(NoInquiry::Begins(format!("WITH ... {word}")));
                }
                _ => {}
            },
            _ => {}
        }
    }
    Err(NoInquiry::Begins("WITH and has no SELECT".to_owned()))
}

const BEGINNINGS: [&str; 6] = ["SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "WITH"];

/// Looks at one token between its neighbours.
fn check(before: &[Token], token: &Token, after: &[Token]) -> Result<(), NoInquiry> {
    let next = |at: usize| match after.get(at) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let is_call = after.first() == Some(&Token::Mark('('));
    let is_part = match before {
        // Behind `1.` a word begins anew.
        [.., Token::Word(owner), Token::Mark('.')] => !owner.starts_with(|c: char| c.is_ascii_digit()),
        [.., Token::Name(_), Token::Mark('.')] => true,
        _ => false,
    };
    match token {
        Token::Mark(';') => Err(NoInquiry::Several),
        Token::Assign => Err(NoInquiry::Acts(":= sets a variable; that")),
        Token::Name(name) if is_call => Err(NoInquiry::Function(name.clone())),
        Token::Word(word) if is_call && is_part => Err(NoInquiry::Function(word.to_ascii_lowercase())),
        // Behind a point it is the name of a column or table, whatever it is called.
        Token::Word(_) if is_part => Ok(()),
        Token::Word(word) => match (word.as_str(), next(0), next(1)) {
            ("INTO", "OUTFILE" | "DUMPFILE", _) => Err(NoInquiry::Acts("INTO OUTFILE or DUMPFILE writes a file; that")),
            ("INTO", ..) => Err(NoInquiry::Acts("INTO")),
            ("FOR", "UPDATE" | "SHARE", _) => Err(NoInquiry::Acts("FOR UPDATE or FOR SHARE takes locks; that")),
            ("LOCK", "IN", "SHARE") => Err(NoInquiry::Acts("LOCK IN SHARE MODE takes locks; that")),
            ("NEXT" | "PREVIOUS", "VALUE", "FOR") => Err(NoInquiry::Acts("NEXT VALUE FOR changes a sequence; that")),
            // EXPLAIN of anything else only plans it; with ANALYZE it runs.
            ("EXPLAIN" | "DESCRIBE" | "DESC", "ANALYZE", _) if before.is_empty() => {
                Err(NoInquiry::Acts("EXPLAIN ANALYZE runs what it explains; that"))
            }
            (word, ..) if is_call && !BEFORE_PARENTHESES.contains(word) && !COMPUTING.contains(word) => {
                let harmless = COMPUTING_FAMILIES.iter().any(|family| word.starts_with(family));
                if harmless { Ok(()) } else { Err(NoInquiry::Function(word.to_ascii_lowercase())) }
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word that is not quoted, in capitals.
    Word(String),
    /// A name in backquotes.
    Name(String),
    /// Quoted text.
    Text,
    /// `:=`.
    Assign,
    /// Any other character.
    Mark(char),
}

fn tokens(statement: &str) -> Result<Vec<Token>, NoInquiry> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            '\0' => return Err(NoInquiry::Unreadable("it holds a NUL character")),
            c if c.is_whitespace() => (None, c.len_utf8()),
            '#' => (None, line_end(rest)),
            // Two dashes begin a comment only before a blank or control character.
            '-' if rest.starts_with("--")
                && rest.chars().nth(2).is_none_or(|c| c.is_whitespace() || c.is_control()) =>
            {
                (None, line_end(rest))
            }
            '/' if rest.starts_with("/*") => (None, comment_end(rest)?),
            '\'' | '"' => (Some(Token::Text), quoted_end(rest, c, true)?),
            '`' => {
                let length = quoted_end(rest, '`', false)?;
                let name = rest.get(1..length - 1).unwrap_or_default().to_owned();
                (Some(Token::Name(name)), length)
            }
            ':' if rest.starts_with(":=") => (Some(Token::Assign), 2),
            c if is_word(c) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let word = rest.get(..length).unwrap_or_default().to_uppercase();
                if c.is_ascii_digit() && !is_number(&word) {
                    return Err(NoInquiry::Unreadable("a number runs into a word; put a blank or backquotes"));
                }
                (Some(Token::Word(word)), length)
            }
            other => (Some(Token::Mark(other)), other.len_utf8()),
        };
        found.extend(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii() && !c.is_whitespace()
}

/// `12`, `1E5`, `1E` of `1E-5`, `0X1F`, `0B1`. A server ends `1.5INTO` and `1E5INTO` behind the number.
fn is_number(word: &str) -> bool {
    let digits = |text: &str, radix| text.chars().all(|c| c.is_digit(radix));
    match (word.strip_prefix("0X"), word.strip_prefix("0B")) {
        (Some(hex), _) => digits(hex, 16),
        (_, Some(bits)) => digits(bits, 2),
        _ => {
            word.split_once('E').map_or(digits(word, 10), |(mantissa, power)| digits(mantissa, 10) && digits(power, 10))
        }
    }
}

fn line_end(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |at| at + 1)
}

/// MySQL does not nest comments; MariaDB neither.
fn comment_end(text: &str) -> Result<usize, NoInquiry> {
    let body = text.get(2..).unwrap_or_default();
    if body.starts_with(['!', '+']) || body.starts_with("M!") || body.starts_with("m!") {
        return Err(NoInquiry::LiveComment);
    }
    body.find("*/").map(|at| at + 4).ok_or(NoInquiry::Unreadable("a comment is not closed"))
}

/// The length of a quoted text with its quotes; a doubled quote stands for one.
fn quoted_end(text: &str, quote: char, escapes: bool) -> Result<usize, NoInquiry> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(at + 1);
        }
    }
    Err(NoInquiry::Unreadable("a quote is not closed"))
}

/// Words of the language that an opening parenthesis may follow.
static BEFORE_PARENTHESES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    "AGAINST ALL AND ANY AS BETWEEN BINARY BY CASE CROSS DISTINCT DISTINCTROW DIV ELSE ESCAPE EXCEPT EXISTS EXPLAIN FROM FULL GROUP \
     HAVING IN INDEX INNER INTERSECT INTERVAL IS JOIN KEY LATERAL LEFT LIKE LIMIT MATCH MOD NATURAL NOT OFFSET ON OR ORDER OUTER OVER \
     PARTITION REGEXP RIGHT RLIKE ROW ROWS SELECT SOME STRAIGHT_JOIN THEN UNION USING VALUES WHEN WHERE WINDOW WITH XOR \
     CHAR DECIMAL DATETIME TIME NCHAR VARCHAR SIGNED UNSIGNED FLOAT DOUBLE"
        .split_whitespace()
        .collect()
});

/// Beginnings of names of functions that do nothing but compute.
const COMPUTING_FAMILIES: [&str; 4] = ["JSON_", "ST_", "REGEXP_", "MBR"];

/// Functions of MySQL and MariaDB that do nothing but compute.
static COMPUTING: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    "ABS ACOS ADDDATE ADDTIME ANY_VALUE ASCII ASIN ATAN ATAN2 AVG BIN BIN_TO_UUID BIT_AND BIT_COUNT BIT_LENGTH BIT_OR BIT_XOR CAST \
     CEIL CEILING CHARACTER_LENGTH CHARSET CHAR_LENGTH COALESCE COERCIBILITY COLLATION CONCAT CONCAT_WS CONNECTION_ID CONV CONVERT \
     CONVERT_TZ COS COT COUNT CRC32 CRC32C CUME_DIST CURDATE CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER \
     CURTIME DATABASE DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DEFAULT DEGREES \
     DENSE_RANK ELT EXP EXPORT_SET EXTRACT FIELD FIND_IN_SET FIRST_VALUE FLOOR FORMAT FORMAT_BYTES FORMAT_PICO_TIME FOUND_ROWS \
     FROM_BASE64 FROM_DAYS FROM_UNIXTIME GET_FORMAT GREATEST GROUPING GROUP_CONCAT GTID_SUBSET GTID_SUBTRACT HEX HOUR IF IFNULL \
     INET6_ATON INET6_NTOA INET_ATON INET_NTOA INSERT INSTR ISNULL IS_IPV4 IS_IPV4_COMPAT IS_IPV4_MAPPED IS_IPV6 IS_UUID LAG LAST_DAY \
     LAST_VALUE LCASE LEAD LEAST LENGTH LENGTHB LN LOCALTIME LOCALTIMESTAMP LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME \
     MAKE_SET MAX MD5 MEDIAN MICROSECOND MID MIN MINUTE MONTH MONTHNAME NATURAL_SORT_KEY NOW NTH_VALUE NTILE NULLIF NVL NVL2 OCT \
     OCTET_LENGTH ORD PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PERIOD_ADD PERIOD_DIFF PI POSITION POW POWER \
     PS_CURRENT_THREAD_ID PS_THREAD_ID QUARTER QUOTE RADIANS RAND RANK REPEAT REPLACE REVERSE ROUND ROW_COUNT ROW_NUMBER RPAD RTRIM \
     SCHEMA SECOND SEC_TO_TIME SESSION_USER SFORMAT SHA SHA1 SHA2 SIGN SIN SOUNDEX SPACE SQRT STD STDDEV STDDEV_POP STDDEV_SAMP \
     STRCMP STR_TO_DATE SUBDATE SUBSTR SUBSTRING SUBSTRING_INDEX SUBTIME SUM SYSDATE SYSTEM_USER TAN TIMEDIFF TIMESTAMP TIMESTAMPADD \
     TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_BASE64 TO_CHAR TO_DAYS TO_SECONDS TRIM TRUNCATE UCASE UNHEX UNIX_TIMESTAMP UPPER USER \
     UTC_DATE UTC_TIME UTC_TIMESTAMP UUID UUID_SHORT UUID_TO_BIN VARIANCE VAR_POP VAR_SAMP VERSION WEEK WEEKDAY WEEKOFYEAR \
     WEIGHT_STRING YEAR YEARWEEK"
        .split_whitespace()
        .collect()
});

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("SELECT 1", "SELECT 1")]
    #[case("  select 1 ; \n", "select 1")]
    #[case("SHOW PROCESSLIST", "SHOW PROCESSLIST")]
    #[case("show replica status", "show replica status")]
    #[case("EXPLAIN SELECT * FROM t WHERE a IN (1, 2)", "EXPLAIN SELECT * FROM t WHERE a IN (1, 2)")]
    #[case("EXPLAIN DELETE FROM t", "EXPLAIN DELETE FROM t")]
    #[case("DESCRIBE mysql.user", "DESCRIBE mysql.user")]
    #[case("WITH x AS (SELECT 1 AS a) SELECT count(*) FROM x", "WITH x AS (SELECT 1 AS a) SELECT count(*) FROM x")]
    #[case("SELECT ';', \"a;b\", `c;d` -- ; \n", "SELECT ';', \"a;b\", `c;d` --")]
    #[case("SELECT 'it''s', 'a\\';b' # ; all", "SELECT 'it''s', 'a\\';b' # ; all")]
    #[case("SELECT 1 /* ; INTO OUTFILE */", "SELECT 1 /* ; INTO OUTFILE */")]
    // Text with a quote in it: the session's mode makes the server read it so as well.
    #[case("SELECT 'a\\'; DROP TABLE t; -- '", "SELECT 'a\\'; DROP TABLE t; -- '")]
    #[case("SELECT 1--1", "SELECT 1--1")]
    #[case("SELECT t.into, t.sleep FROM t", "SELECT t.into, t.sleep FROM t")]
    #[case("SELECT JSON_EXTRACT(a, '$.b'), now() FROM t", "SELECT JSON_EXTRACT(a, '$.b'), now() FROM t")]
    #[case("SELECT CAST(a AS CHAR(3)) FROM t", "SELECT CAST(a AS CHAR(3)) FROM t")]
    #[case("SELECT 1e5, 1e-5, 0x1F, 1.5, .5", "SELECT 1e5, 1e-5, 0x1F, 1.5, .5")]
    #[case("SELECT @@global.gtid_executed", "SELECT @@global.gtid_executed")]
    fn what_only_asks_is_sent(#[case] given: &str, #[case] sent: &str) {
        assert_eq!(inquiry(given), Ok(sent));
    }

    #[rstest]
    #[case("", "no statement")]
    #[case(" ; ; ", "no statement")]
    #[case("-- SELECT 1", "no statement")]
    #[case("DELETE FROM t", "begins with DELETE")]
    #[case("(SELECT 1)", "begins with what is no word")]
    #[case("SET GLOBAL read_only = 0", "begins with SET")]
    #[case("TABLE t", "begins with TABLE")]
    #[case("CALL p()", "begins with CALL")]
    #[case("SELECT 1; DROP TABLE t", "after the end")]
    #[case("SELECT 1;;SELECT 2", "after the end")]
    #[case("SELECT `a\\`; DROP TABLE t", "after the end")]
    #[case("SELECT 1 --1; DROP TABLE t", "after the end")]
    #[case("SELECT 1 /* x */; DROP TABLE t", "after the end")]
    #[case("SELECT 'a\\\\'; DROP TABLE t; -- '", "after the end")]
    #[case("SELECT 'open", "quote is not closed")]
    #[case("SELECT 1 /* open", "comment is not closed")]
    #[case("SELECT 1 /*! INTO OUTFILE '/tmp/x' */", "servers execute")]
    #[case("SELECT 1 /*M!100000 , 2 */", "servers execute")]
    #[case("SELECT /*+ SET_VAR(sql_mode='') */ 1", "servers execute")]
    #[case("SELECT 1 INTO OUTFILE '/tmp/x'", "writes a file")]
    #[case("SELECT 1 into/**/dumpfile '/tmp/x'", "writes a file")]
    #[case("SELECT 1 INTO @a", "INTO does more")]
    #[case("SELECT @a := 1", ":= sets")]
    #[case("SELECT a FROM t FOR UPDATE", "takes locks")]
    #[case("SELECT a FROM t for share", "takes locks")]
    #[case("SELECT a FROM t LOCK IN SHARE MODE", "takes locks")]
    #[case("SELECT NEXT VALUE FOR s", "sequence")]
    #[case("EXPLAIN ANALYZE SELECT 1", "runs what it explains")]
    #[case("SELECT SLEEP(10)", "function sleep ")]
    #[case("SELECT sleep (10)", "function sleep ")]
    #[case("SELECT GET_LOCK('a', 1)", "function get_lock ")]
    #[case("SELECT BENCHMARK(1000000, MD5('a'))", "function benchmark ")]
    #[case("SELECT LOAD_FILE('/etc/passwd')", "function load_file ")]
    #[case("SELECT group_replication_set_as_primary('x')", "function group_replication_set_as_primary ")]
    #[case("SELECT sys.my_function(1)", "function my_function ")]
    #[case("SELECT sys.now(1)", "function now ")]
    #[case("SELECT `sleep`(1)", "function sleep ")]
    #[case("WITH x AS (SELECT sleep(1)) SELECT 1", "function sleep ")]
    #[case("SELECT 1\0", "NUL")]
    #[case("SELECT 1.INTO OUTFILE '/tmp/x'", "writes a file")]
    #[case("SELECT 1.5INTO OUTFILE '/tmp/x'", "runs into a word")]
    #[case("SELECT .5INTO OUTFILE '/tmp/x'", "runs into a word")]
    #[case("SELECT 1e5INTO OUTFILE '/tmp/x'", "runs into a word")]
    #[case("WITH x AS (SELECT 1) DELETE FROM t", "WITH ... DELETE")]
    #[case("WITH x AS (SELECT 1) UPDATE t SET a = 1", "WITH ... UPDATE")]
    #[case("WITH x AS (SELECT 1)", "has no SELECT")]
    fn what_does_more_is_refused_by_name(#[case] given: &str, #[case] part: &str) {
        let error = inquiry(given).expect_err(given).to_string();
        assert!(error.contains(part), "{given}: {error}");
    }
}
