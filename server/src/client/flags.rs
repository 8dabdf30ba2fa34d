//! The command line of the client (`spec/api.md` 5.2): short and long names, one or two dashes, a value each.

use std::fmt::Write as _;

use super::environment::Environment;
use crate::cli::shells::{self, Flag, Takes};

/// A flag: its one-letter name, its long one if it has one, what it means.
struct Spec {
    short: &'static str,
    long: &'static str,
    help: &'static str,
}

const fn flag(short: &'static str, long: &'static str, help: &'static str) -> Spec {
    Spec { short, long, help }
}

/// All flags that take a value. `-s` is a second name of `-d`.
const FLAGS: &[Spec] = &[
    flag("c", "command", "command, see the list below"),
    flag("i", "", "instance host[:port]; search text; comma list of instances for pools"),
    flag("d", "", "destination or designated instance, host[:port]"),
    flag("s", "", "same as -d"),
    flag("a", "alias", "cluster alias or name; goes before -i where a command takes either"),
    flag("o", "owner", "who asks (default: the operating system's user)"),
    flag("r", "reason", "why; comment of an acknowledgement"),
    flag("u", "duration", "duration of a downtime: digits and one of s, m, h, d, w (default: 10m)"),
    flag("R", "promotion-rule", "prefer, neutral, prefer_not or must_not"),
    flag("t", "tag", "tag, name or name=value"),
    flag("l", "pool", "pool name"),
    flag("H", "hostname", "host name, for unresolve and raft commands"),
    flag("D", "", "port where -i or -d has none (default: 3306)"),
    flag("U", "api", "address of the service, or several separated by blanks (default: ORCHESTRATOR_API)"),
    flag("P", "path", "path of command api, without /api/"),
    flag("q", "query", "SQL statement, for restart-replica-statements"),
    flag("b", "auth", "user:password (default: ORCHESTRATOR_AUTH_USER and ORCHESTRATOR_AUTH_PASSWORD)"),
    flag("e", "headers-auth", "header to send, Name:value (default: ORCHESTRATOR_AUTH_USER_HEADER)"),
    flag("n", "binlog", "binary log file, or latest"),
    flag("S", "seconds", "seconds of delay"),
];

/// The command line as understood; empty is not given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// `-c`.
    pub command: String,
    /// `-i`.
    pub instance: String,
    /// `-d` or `-s`.
    pub destination: String,
    /// `-a`.
    pub alias: String,
    /// `-o`.
    pub owner: String,
    /// `-r`.
    pub reason: String,
    /// `-u`.
    pub duration: String,
    /// `-R`.
    pub promotion_rule: String,
    /// `-t`.
    pub tag: String,
    /// `-l`.
    pub pool: String,
    /// `-H`.
    pub hostname: String,
    /// `-D`.
    pub default_port: u16,
    /// `-U`.
    pub api: String,
    /// `-P`.
    pub path: String,
    /// `-q`.
    pub query: String,
    /// `-b`.
    pub auth: String,
    /// `-e`.
    pub header: String,
    /// `-n`.
    pub binlog: String,
    /// `-S`.
    pub seconds: String,
    /// The word that command `completions` takes.
    pub shell: String,
}

/// Why the command line was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// `-h` or `-help`.
    #[error("help requested")]
    Help,
    /// No such flag.
    #[error("unknown option {0}; see -c help")]
    Unknown(String),
    /// A word that no flag takes.
    #[error("unexpected argument {0:?}; a command is given with -c, see -c help")]
    Word(String),
    /// A flag at the end of the line.
    #[error("option {0} needs a value")]
    NoValue(String),
    /// `-D` is no port.
    #[error("-D: a port from 1 to 65535 was expected, not {0:?}")]
    Port(String),
}

impl Arguments {
    /// Reads the words after the program's name. What is not given comes from the environment and from `user`, the
    /// operating system's.
    ///
    /// # Errors
    /// [`FlagError`], naming what was given.
    pub fn parse(words: Vec<String>, environment: &Environment, user: &str) -> Result<Self, FlagError> {
        let mut arguments = Self { instance: environment.instance.clone(), default_port: 3306, ..Self::default() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|n| !n.is_empty())
            else {
                if arguments.command == "completions" && arguments.shell.is_empty() {
                    arguments.shell = word;
                    continue;
                }
                return Err(FlagError::Word(word));
            };
            if matches!(name, "h" | "help") {
                return Err(FlagError::Help);
            }
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let known = |spec: &&Spec| spec.short == name || (!spec.long.is_empty() && spec.long == name);
            let Some(spec) = FLAGS.iter().find(known) else { return Err(FlagError::Unknown(word)) };
            let value = attached.or_else(|| words.next()).ok_or(FlagError::NoValue(word))?;
            arguments.set(spec.short, value)?;
        }
        for (field, default) in [(&mut arguments.owner, user), (&mut arguments.duration, "10m")] {
            if field.is_empty() {
                default.clone_into(field);
            }
        }
        Ok(arguments)
    }

    fn set(&mut self, short: &str, value: String) -> Result<(), FlagError> {
        let field = match short {
            "c" => &mut self.command,
            "i" => &mut self.instance,
            "d" | "s" => &mut self.destination,
            "a" => &mut self.alias,
            "o" => &mut self.owner,
            "r" => &mut self.reason,
            "u" => &mut self.duration,
            "R" => &mut self.promotion_rule,
            "t" => &mut self.tag,
            "l" => &mut self.pool,
            "H" => &mut self.hostname,
            "U" => &mut self.api,
            "P" => &mut self.path,
            "q" => &mut self.query,
            "b" => &mut self.auth,
            "e" => &mut self.header,
            "n" => &mut self.binlog,
            "S" => &mut self.seconds,
            _ => {
                let port = value.parse().ok().filter(|port| *port > 0);
                self.default_port = port.ok_or(FlagError::Port(value))?;
                return Ok(());
            }
        };
        *field = value;
        Ok(())
    }
}

/// All options as shells and the manual page have them.
pub fn for_shells() -> Vec<Flag> {
    let flag = |spec: &Spec| {
        let mut spellings = vec![format!("-{}", spec.short)];
        if !spec.long.is_empty() {
            spellings.push(format!("--{}", spec.long));
        }
        let takes = match spec.short {
            "c" => Takes::Command,
            "R" => Takes::Word(shells::PROMOTION_RULES),
            _ => Takes::Text,
        };
        Flag { spellings, takes, help: spec.help }
    };
    FLAGS.iter().map(flag).collect()
}

/// The list of options.
pub fn listing() -> String {
    let mut text = String::new();
    for Spec { short, long, help } in FLAGS {
        let names = if long.is_empty() { format!("-{short}") } else { format!("-{short}, --{long}") };
        // Writing to a text cannot fail.
        let _infallible = writeln!(text, "  {names:<22} {help}");
    }
    text.push_str("  -h, --help             this help\n");
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, FlagError> {
        let environment = Environment { instance: "env.example".to_owned(), ..Environment::default() };
        Arguments::parse(line.split_whitespace().map(str::to_owned).collect(), &environment, "me")
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let arguments = parse("-c topology").expect("parsed");
        let expected = Arguments {
            command: "topology".to_owned(),
            instance: "env.example".to_owned(),
            owner: "me".to_owned(),
            duration: "10m".to_owned(),
            default_port: 3306,
            ..Arguments::default()
        };
        assert_eq!(arguments, expected);
    }

    #[test]
    fn long_names_take_one_dash_or_two() {
        let one =
            parse("-command tag -i db1 -alias a -owner o -reason r -duration 1h -promotion-rule p -tag t -pool l");
        let two = parse(
            "--command tag -i db1 --alias=a --owner o --reason r --duration 1h --promotion-rule p --tag t --pool l",
        );
        let short = parse("-c tag -i db1 -a a -o o -r r -u 1h -R p -t t -l l");
        assert!(one.is_ok());
        assert_eq!(one, two);
        assert_eq!(one, short);
        let more = parse("-s one -d two -H h -D 3307 -U u -P p -q q -b b:c -e e -n latest -S 5").expect("parsed");
        assert_eq!((more.destination.as_str(), more.default_port, more.binlog.as_str()), ("two", 3307, "latest"));
        assert_eq!((more.hostname.as_str(), more.api.as_str(), more.path.as_str()), ("h", "u", "p"));
        assert_eq!((more.query.as_str(), more.auth.as_str(), more.header.as_str()), ("q", "b:c", "e"));
        assert_eq!(more.seconds, "5");
    }

    #[rstest]
    #[case("topology", FlagError::Word("topology".into()))]
    #[case("-c topology orders", FlagError::Word("orders".into()))]
    #[case("-", FlagError::Word("-".into()))]
    #[case("-z 1", FlagError::Unknown("-z".into()))]
    #[case("--instance db1", FlagError::Unknown("--instance".into()))]
    #[case("-c", FlagError::NoValue("-c".into()))]
    #[case("-D x", FlagError::Port("x".into()))]
    #[case("-D 0", FlagError::Port("0".into()))]
    #[case("-D 70000", FlagError::Port("70000".into()))]
    #[case("-h", FlagError::Help)]
    #[case("--help", FlagError::Help)]
    fn what_cannot_be_understood_is_named(#[case] line: &str, #[case] expected: FlagError) {
        assert_eq!(parse(line), Err(expected));
    }
}
