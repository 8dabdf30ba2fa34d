//! Reading the command line by the rules that scripts rely on (`spec/cli.md` 1, 2): one or two dashes, `-flag value` or
//! `-flag=value`, booleans without a separate value, the first other word ends the flags, the last of several wins.

use std::fmt::Write as _;

use super::shells::{self, Flag};
use crate::config::Switches;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Text,
    Switch,
}

/// A flag: name, what it takes, default as shown, and what it means.
struct Spec {
    name: &'static str,
    takes: Takes,
    shown_default: &'static str,
    help: &'static str,
}

const fn text(name: &'static str, help: &'static str) -> Spec {
    Spec { name, takes: Takes::Text, shown_default: "", help }
}

const fn switch(name: &'static str, help: &'static str) -> Spec {
    Spec { name, takes: Takes::Switch, shown_default: "", help }
}

/// All flags, by name.
const FLAGS: &[Spec] = &[
    text("accept-loss-of", "transactions that a recovery may lose, as its refusal named them"),
    text("alias", "cluster alias or cluster name"),
    text("binlog", "binary log file name, or file:position"),
    text("c", "command; see the list with -c help"),
    text(
        "clusters",
        "with create-user and create-token: names, aliases or patterns of the clusters that may be changed",
    ),
    text("config", "read this configuration file and no other"),
    text("d", "destination instance, host[:port]"),
    text("days", "with create-token: it ends after so many days; never without it"),
    switch("debug", "log level DEBUG"),
    Spec {
        name: "discovery",
        takes: Takes::Switch,
        shown_default: "true",
        help: "with http: poll servers and recover; false serves page and API only",
    },
    text("duration", "time span: digits and one of s, m, h, d, w"),
    switch("enable-database-update", "update the schema of the backend even if the configuration says not to"),
    switch("grab-election", "take the leadership by force on start of the service"),
    text("hostname", "virtual host name, or host name of an agent"),
    text("i", "instance, host[:port], or several separated by comma or blank"),
    switch("ignore-raft-setup", "run a command although the configuration sets up raft"),
    switch("json", "print JSON, with commands of which help says so"),
    text("name", "name of an API token; with revoke-token also its identity"),
    switch("noop", "dry run: nothing is changed on any server"),
    text("owner", "who asks; the operating system's user without it"),
    text("pattern", "regular expression on host:port, or text to search for"),
    text("pool", "pool name"),
    Spec {
        name: "promotion-rule",
        takes: Takes::Text,
        shown_default: "prefer",
        help: "prefer, neutral, prefer_not or must_not",
    },
    switch("quiet", "log level ERROR"),
    text("reason", "why"),
    text("role", "with create-user and create-token: viewer, operator or admin; viewer without it"),
    text("s", "synonym of -d"),
    switch("skip-binlog-search", "search pseudo-GTID entries in relay logs only"),
    switch("skip-continuous-registration", "do not register this process in the backend"),
    switch("skip-unresolve", "do not use registered virtual names of sources"),
    switch("skip-unresolve-check", "ignore virtual names that do not resolve back"),
    switch("stack", "add a stack trace to errors in the log"),
    text("statement", "SQL statement"),
    switch("strict", "search exhaustively"),
    text("tag", "tag: name or name=value; for tagged a comma list, ~ or ! negates"),
    text("user", "user of the service; with create-token its maker"),
    switch("verbose", "log level INFO"),
    switch("version", "print version and exit"),
];

/// The command line as understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// `-c`.
    pub command: String,
    /// `-config`.
    pub config: String,
    /// `-i`.
    pub instance: String,
    /// `-d` or `-s`.
    pub destination: String,
    /// `-accept-loss-of`.
    pub accept_loss_of: String,
    /// `-alias`.
    pub alias: String,
    /// `-pattern`.
    pub pattern: String,
    /// `-owner`; empty when not given.
    pub owner: String,
    /// `-reason`.
    pub reason: String,
    /// `-duration`.
    pub duration: String,
    /// `-promotion-rule`.
    pub promotion_rule: String,
    /// `-hostname`.
    pub hostname: String,
    /// `-binlog`.
    pub binlog: String,
    /// `-statement`.
    pub statement: String,
    /// `-tag`.
    pub tag: String,
    /// `-pool`.
    pub pool: String,
    /// `-user`.
    pub user: String,
    /// `-name`.
    pub name: String,
    /// `-role`; empty when not given.
    pub role: String,
    /// `-clusters`.
    pub clusters: String,
    /// `-days`; empty when not given.
    pub days: String,
    /// `-discovery`.
    pub discovery: bool,
    /// `-verbose`.
    pub verbose: bool,
    /// `-debug`.
    pub debug: bool,
    /// `-quiet`.
    pub quiet: bool,
    /// `-noop`.
    pub noop: bool,
    /// `-json`.
    pub json: bool,
    /// `-version`.
    pub version: bool,
    /// `-strict`.
    pub strict: bool,
    /// `-grab-election`.
    pub grab_election: bool,
    /// `-skip-continuous-registration`.
    pub skip_registration: bool,
    /// `-enable-database-update`.
    pub enable_database_update: bool,
    /// `-ignore-raft-setup`.
    pub ignore_raft_setup: bool,
    /// `-stack`.
    pub stack: bool,
    /// `-skip-binlog-search`, `-skip-unresolve`, `-skip-unresolve-check`.
    pub switches: Switches,
    /// Words after the flags.
    pub words: Vec<String>,
}

/// Why the command line was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// `-h` or `-help`: print the flags and leave with 0.
    #[error("help requested")]
    Help,
    /// Wrong grammar: say so, print the flags and leave with 2.
    #[error("{0}")]
    Syntax(String),
    /// Flags that contradict each other or are out of range: leave with 1.
    #[error("{0}")]
    Conflict(String),
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// [`FlagError`], naming the flag and what was given.
    pub fn parse<I, T>(words: I) -> Result<Self, FlagError>
    where
        I: IntoIterator<Item = T>,
        T: Into<String>,
    {
        let mut arguments = Self { promotion_rule: "prefer".to_owned(), discovery: true, ..Self::default() };
        let mut sibling = String::new();
        let mut words = words.into_iter().map(Into::into);
        while let Some(word) = words.next() {
            let Some(flag) = flag_of(&word)? else {
                arguments.words.extend((word != "--").then_some(word));
                arguments.words.extend(words.by_ref());
                break;
            };
            let (name, value) = flag;
            let Some(spec) = FLAGS.iter().find(|spec| spec.name == name) else {
                let is_help = matches!(name, "h" | "help");
                return Err(if is_help {
                    FlagError::Help
                } else {
                    FlagError::Syntax(format!("flag provided but not defined: -{name}"))
                });
            };
            match spec.takes {
                Takes::Switch => arguments.switch(name, switch_value(name, value)?),
                Takes::Text => {
                    let value = match value {
                        Some(value) => value.to_owned(),
                        None => {
                            words.next().ok_or_else(|| FlagError::Syntax(format!("flag needs an argument: -{name}")))?
                        }
                    };
                    if name == "s" { sibling = value } else { arguments.text(name, value) }
                }
            }
        }
        arguments.settle(sibling)
    }

    fn settle(mut self, sibling: String) -> Result<Self, FlagError> {
        if !sibling.is_empty() {
            if !self.destination.is_empty() {
                return Err(FlagError::Conflict(format!(
                    "-s and -d are synonyms, yet both were given: {sibling:?} and {:?}",
                    self.destination
                )));
            }
            self.destination = sibling;
        }
        self.promotion_rule
            .parse::<app::topology::PromotionRule>()
            .map_err(|error| FlagError::Conflict(format!("-promotion-rule: {error}")))?;
        Ok(self)
    }

    fn switch(&mut self, name: &str, on: bool) {
        match name {
            "discovery" => self.discovery = on,
            "verbose" => self.verbose = on,
            "debug" => self.debug = on,
            "quiet" => self.quiet = on,
            "json" => self.json = on,
            "noop" => self.noop = on,
            "version" => self.version = on,
            "grab-election" => self.grab_election = on,
            "skip-continuous-registration" => self.skip_registration = on,
            "strict" => self.strict = on,
            "enable-database-update" => self.enable_database_update = on,
            "ignore-raft-setup" => self.ignore_raft_setup = on,
            "stack" => self.stack = on,
            "skip-binlog-search" => self.switches.skip_binlog_search = on,
            "skip-unresolve" => self.switches.skip_unresolve = on,
            "skip-unresolve-check" => self.switches.skip_unresolve_check = on,
            _ => {}
        }
    }

    fn text(&mut self, name: &str, value: String) {
        let field = match name {
            "c" => &mut self.command,
            "config" => &mut self.config,
            "i" => &mut self.instance,
            "d" => &mut self.destination,
            "accept-loss-of" => &mut self.accept_loss_of,
            "alias" => &mut self.alias,
            "pattern" => &mut self.pattern,
            "owner" => &mut self.owner,
            "reason" => &mut self.reason,
            "duration" => &mut self.duration,
            "promotion-rule" => &mut self.promotion_rule,
            "hostname" => &mut self.hostname,
            "binlog" => &mut self.binlog,
            "statement" => &mut self.statement,
            "tag" => &mut self.tag,
            "pool" => &mut self.pool,
            "user" => &mut self.user,
            "name" => &mut self.name,
            "role" => &mut self.role,
            "clusters" => &mut self.clusters,
            "days" => &mut self.days,
            _ => return,
        };
        *field = value;
    }
}

/// Name and attached value of a flag; `None` for a word that ends the flags.
fn flag_of(word: &str) -> Result<Option<(&str, Option<&str>)>, FlagError> {
    let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else { return Ok(None) };
    let name = match rest.strip_prefix('-') {
        Some("") => return Ok(None),
        Some(name) => name,
        None => rest,
    };
    if name.starts_with(['-', '=']) {
        return Err(FlagError::Syntax(format!("bad flag syntax: {word}")));
    }
    Ok(Some(match name.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (name, None),
    }))
}

fn switch_value(name: &str, value: Option<&str>) -> Result<bool, FlagError> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(FlagError::Syntax(format!("invalid boolean value {other:?} for -{name}: parse error"))),
    }
}

/// All flags as shells and the manual page have them.
pub fn for_shells() -> Vec<Flag> {
    let takes = |spec: &Spec| match (spec.name, spec.takes) {
        (_, Takes::Switch) => shells::Takes::Nothing,
        ("c", _) => shells::Takes::Command,
        ("config", _) => shells::Takes::File,
        ("promotion-rule", _) => shells::Takes::Word(shells::PROMOTION_RULES),
        _ => shells::Takes::Text,
    };
    let flag = |spec: &Spec| Flag { spellings: vec![format!("-{}", spec.name)], takes: takes(spec), help: spec.help };
    FLAGS.iter().map(flag).collect()
}

/// The list of all flags, as printed for `-h` and after a syntax error.
pub fn usage() -> String {
    let mut usage = String::from("Usage of orchestrator:\n");
    for Spec { name, takes, shown_default, help } in FLAGS {
        let kind = if *takes == Takes::Text { " string" } else { "" };
        let default = match (takes, *shown_default) {
            (_, "") => String::new(),
            (Takes::Text, text) => format!(" (default {text:?})"),
            (Takes::Switch, text) => format!(" (default {text})"),
        };
        // Writing to a text cannot fail.
        let _infallible = writeln!(usage, "  -{name}{kind}\n    \t{help}{default}");
    }
    usage
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, FlagError> {
        Arguments::parse(line.split_whitespace())
    }

    #[rstest]
    #[case::one_dash("-c topology -i db1", "topology", "db1", &[])]
    #[case::two_dashes("--c topology --i=db1", "topology", "db1", &[])]
    #[case::equals_keeps_later_ones("-c=x -i=a=b", "x", "a=b", &[])]
    #[case::last_one_wins("-c a -c b", "b", "", &[])]
    #[case::a_word_ends_the_flags("-c a cli -i db1", "a", "", &["cli", "-i", "db1"])]
    #[case::two_dashes_alone_end_the_flags("-c a -- -i db1", "a", "", &["-i", "db1"])]
    #[case::a_dash_is_a_word("-c a - -i db1", "a", "", &["-", "-i", "db1"])]
    #[case::a_value_may_look_like_a_flag("-c -i", "-i", "", &[])]
    fn flags_are_read(#[case] line: &str, #[case] command: &str, #[case] instance: &str, #[case] words: &[&str]) {
        let arguments = parse(line).expect(line);
        assert_eq!((arguments.command.as_str(), arguments.instance.as_str()), (command, instance));
        assert_eq!(arguments.words, words);
    }

    #[test]
    fn a_switch_takes_no_separate_value() {
        assert!(!parse("-discovery=false http").expect("ok").discovery);
        let arguments = parse("-discovery false").expect("ok");
        assert!(arguments.discovery);
        assert_eq!(arguments.words, ["false"]);
        assert!(!parse("http --debug").expect("ok").debug, "flags after the word are not seen");
    }

    #[rstest]
    #[case("-nosuch", "flag provided but not defined: -nosuch")]
    #[case("-c", "flag needs an argument: -c")]
    #[case("---c", "bad flag syntax: ---c")]
    #[case("-=c", "bad flag syntax: -=c")]
    #[case("-debug=maybe", "invalid boolean value \"maybe\" for -debug: parse error")]
    fn bad_syntax_is_named(#[case] line: &str, #[case] message: &str) {
        assert_eq!(parse(line), Err(FlagError::Syntax(message.to_owned())));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(
            matches!(parse("-s a -d b"), Err(FlagError::Conflict(m)) if m.contains("\"a\"") && m.contains("\"b\""))
        );
        assert_eq!(parse("-s a").expect("ok").destination, "a");
        assert!(matches!(parse("-promotion-rule must"), Err(FlagError::Conflict(m)) if m.contains("must")));
        assert!(matches!(parse("-promotion-rule bad -version"), Err(FlagError::Conflict(_))));
        assert_eq!(parse("-h"), Err(FlagError::Help));
        assert_eq!(parse("-c x -help"), Err(FlagError::Help));
    }

    #[test]
    fn every_flag_is_listed_once_and_by_name() {
        let names: Vec<&str> = FLAGS.iter().map(|f| f.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert_eq!(
            names.len(),
            31 + 7,
            "31 of the original's; accept-loss-of, clusters, days, json, name, role and user"
        );
        let usage = usage();
        assert!(usage.contains("  -c string\n    \tcommand"));
        assert!(usage.contains("  -debug\n    \tlog level DEBUG\n"));
        assert!(usage.contains("(default \"prefer\")") && usage.contains("(default true)"));
    }
}
