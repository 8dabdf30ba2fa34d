//! The commands: in this process over a picture of servers, and as a program over a SQLite file.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods)]

#[allow(dead_code, reason = "shared with the tests of the API")]
#[path = "api/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use app::plan::Action;
use orchestrator::cli::bench::Bench;
use orchestrator::cli::flags::Arguments;
use orchestrator::cli::{perform, table};
use orchestrator::store::{BackendSettings, Deployment, Store};
use rstest::rstest;
use support::{Edge, OPEN, key};

/// Runs a command over this fleet; the first word is the command.
async fn run(edge: &Edge, line: &str) -> Result<String, String> {
    let mut words = line.splitn(2, ' ');
    let name = words.next().expect("a command");
    let arguments = Arguments::parse(words.next().unwrap_or_default().split_whitespace()).expect(line);
    let bench = Bench {
        services: Arc::clone(&edge.services),
        config: edge.services.config.current(),
        arguments,
        user: "dba".to_owned(),
        hostname: "laptop".to_owned(),
    };
    perform(name, bench).await.map_err(|failure| failure.to_string())
}

#[rstest]
#[case("clusters", "db1.example:3306\nus1.example:3306\n")]
#[case("clusters-alias", "db1.example:3306\torders\nus1.example:3306\tusers\n")]
#[case("all-clusters-masters", "db1.example:3306\nus1.example:3306\n")]
#[case("which-instance -i db3.example", "db3.example:3306\n")]
#[case("which-instance -i b3.exa", "db3.example:3306\n")]
#[case("which-master -i db3.example", "db2.example:3306\n")]
#[case("which-master -i db1.example", "")]
#[case("which-replicas -i db2.example", "db3.example:3306\ndb4.example:3306\n")]
#[case("which-cluster -i db4.example", "db1.example:3306\n")]
#[case("which-cluster -alias users", "us1.example:3306\n")]
#[case("which-cluster", "\n")]
#[case("which-cluster-alias -i db4.example", "orders\n")]
#[case("which-cluster-domain -alias orders", "\n")]
#[case("which-cluster-master -alias orders", "db1.example:3306\n")]
#[case("which-cluster-instances -alias users", "us1.example:3306\nus2.example:3306\n")]
#[case(
    "which-cluster-osc-replicas -alias orders",
    "db2.example:3306\ndb5.example:3306\ndb3.example:3306\ndb4.example:3306\n"
)]
#[case("which-cluster-gh-ost-replicas -alias users", "us2.example:3306\n")]
#[case("get-cluster-heuristic-lag -alias orders", "0\n")]
#[case("which-downtimed-instances", "")]
#[case("find -pattern ^us[0-9]", "us1.example:3306\nus2.example:3306\n")]
#[case("search -pattern DB5", "db5.example:3306\n")]
#[case("instance-status -i db3.example", "[0s,ok,8.4.3,ro,ROW,>>,GTID]\n")]
#[case("is-replicating -i db3.example", "db3.example:3306\n")]
#[case("is-replicating -i db1.example", "")]
#[case("is-replication-stopped -i db3.example", "")]
#[case("can-replicate-from -i db3.example -d db5.example", "db5.example:3306\n")]
#[case("can-replicate-from -i db3.example -s db3.example", "")]
#[case("tags -i db3.example", "")]
#[case("tag-value -i db3.example -tag role", "")]
#[case("in-maintenance -i db3.example", "")]
#[case("replication-analysis", "")]
#[case("check-global-recoveries", "OK: Global recoveries disabled: false\n")]
#[case("bulk-promotion-rules", "")]
#[case("ack-all-recoveries -reason seen", "0 recoveries acknowledged\n")]
#[case("recover -i db1.example", "")]
#[case(
    "topology -alias users",
    "us1.example:3306   [0s,ok,8.4.3,rw,ROW,>>,GTID]\n+ us2.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]\n"
)]
#[case(
    "topology-tabulated -alias users",
    "us1.example:3306  |0s|ok|8.4.3|rw|ROW|>>,GTID\n+ us2.example:3306|0s|ok|8.4.3|ro|ROW|>>,GTID\n"
)]
#[case("topology", "\n")]
#[tokio::test]
async fn what_is_printed_to_the_byte(#[case] line: &str, #[case] expected: &str) {
    let edge = Edge::new(OPEN).await;
    assert_eq!(run(&edge, line).await.as_deref(), Ok(expected), "{line}");
}

#[tokio::test]
async fn who_regroups_is_told_with_the_counts_of_the_way_asked_for() {
    for (line, printed) in [
        ("regroup-replicas -i db2.example", "db3.example:3306\ndb3.example:3306 lost: 0, trivial: 0, pseudo-gtid: 1\n"),
        ("regroup-replicas-gtid -i db2.example", "db3.example:3306\ndb3.example:3306 lost: 0, moved: 1\n"),
        ("regroup-replicas -i us1.example", "us2.example:3306\nus2.example:3306 lost: 0, trivial: 0, pseudo-gtid: 0\n"),
    ] {
        let edge = Edge::new(OPEN).await;
        assert_eq!(run(&edge, line).await.as_deref(), Ok(printed), "{line}");
    }
}

#[tokio::test]
async fn changes_change_what_they_say() {
    let edge = Edge::new(OPEN).await;
    for (line, printed) in [
        ("relocate -i db3 -d db5", "db3.example:3306<db5.example:3306\n"),
        ("which-master -i db3.example", "db5.example:3306\n"),
        ("relocate-replicas -i db5.example -d db2.example", "db3.example:3306\n"),
        ("stop-replica -i db3.example", "db3.example:3306\n"),
        ("is-replication-stopped -i db3.example", "db3.example:3306\n"),
        ("start-replica -i db3.example", "db3.example:3306\n"),
        ("restart-replica -i db3.example", "db3.example:3306\n"),
        ("set-writeable -i db3.example", "db3.example:3306\n"),
        ("set-read-only -i db3.example", "db3.example:3306\n"),
        ("begin-downtime -i db3.example -reason disk -duration 2h", "db3.example:3306\n"),
        ("which-downtimed-instances -alias orders", "db3.example:3306\n"),
        ("end-downtime -i db3.example", "db3.example:3306\n"),
        ("register-candidate -i db3.example -promotion-rule must_not", "db3.example:3306\n"),
        ("bulk-promotion-rules", "db3.example:3306 must_not\n"),
        ("tag -i db3.example -tag role=backup", "db3.example:3306\n"),
        ("tags -i db3.example", "role=backup\n"),
        ("tagged -tag role", "db3.example:3306\n"),
        ("untag -i db3.example -tag role=other", ""),
        ("untag-all -tag role=backup", "db3.example:3306\n"),
        ("disable-global-recoveries", "OK: Orchestrator recoveries DISABLED globally\n"),
        ("check-global-recoveries", "OK: Global recoveries disabled: true\n"),
        ("enable-global-recoveries", "OK: Orchestrator recoveries ENABLED globally\n"),
        ("forget -i us2.example", "us2.example:3306\n"),
        ("redeploy-internal-db", "Redeployed internal db\n"),
    ] {
        assert_eq!(run(&edge, line).await.as_deref(), Ok(printed), "{line}");
    }
    let snapshot = edge.services.fleet.snapshot();
    assert!(snapshot.get(&key("us2.example")).is_none());
    assert!(edge.hands.acts().contains(&(key("db3.example"), Action::StopReplication)));
}

#[rstest]
#[case("which-instance -i nosuch", "Instance not found: nosuch:3306")]
#[case("which-instance -i x:y:z", "x:y:z")]
#[case("stop-replica -i x:y:z", "x:y:z")]
#[case("stop-replica", "laptop:3306")]
#[case("stop-replica -i b3.exa", "b3.exa:3306")]
#[case("relocate -i db3.example", "destination")]
#[case("relocate -i db2.example -d db3.example", ": ")]
#[case("relocate -i nosuch -d db3.example", "nosuch:3306")]
#[case("relocate-replicas -i db2.example -d db1.example -pattern (", "-pattern")]
#[case("begin-downtime -i db3.example", "--reason")]
#[case("begin-downtime -i db3.example -reason r -duration 10x", "10x")]
#[case("begin-downtime -i nosuch -reason r", "nosuch:3306")]
#[case("ack-all-recoveries", "--reason")]
#[case("ack-cluster-recoveries -alias nosuch -reason r", "nosuch")]
#[case("graceful-master-takeover", "cluster")]
#[case("graceful-master-takeover -alias nosuch", "nosuch")]
#[case("force-master-failover -alias nosuch", "nosuch")]
#[case("force-master-takeover -alias orders", "destination")]
#[case("recover -i nosuch", "nosuch:3306")]
#[case("forget", "-i")]
#[case("forget -i nosuch", "nosuch:3306")]
#[case("register-candidate -i nosuch", "nosuch:3306")]
#[case("tag -i db3.example", "tag")]
#[case("untag-all -tag role", "value")]
#[case("tagged -tag =", "tag")]
#[case("find -pattern (", "-pattern")]
#[case("find", "pattern")]
#[case("topology -alias orders -pattern x", "no stored topology")]
#[case("which-cluster-master", "No master found")]
#[case("which-cluster-master -alias nosuch", "nosuch")]
#[case("which-cluster -alias nosuch", "nosuch")]
#[case("which-downtimed-instances -alias nosuch", "nosuch")]
#[case("topology -alias nosuch", "nosuch")]
#[case("which-replicas -i nosuch", "nosuch:3306")]
#[case("which-gtid-errant -i nosuch", "nosuch:3306")]
#[case("tag -i nosuch -tag a", "nosuch:3306")]
#[case("correlate-relaylog-pos -i db3.example -d nosuch", "nosuch:3306")]
#[case("last-executed-relay-entry -i nosuch", "nosuch:3306")]
#[case("match-up -i db3.example", "pseudo-gtid-not-set-up")]
#[case("discover -i 127.0.0.1:1", "127.0.0.1")]
#[case("stop-replica -noop -i db3.example", "noop:")]
#[case("disable-global-recoveries -noop", "noop:")]
#[tokio::test]
async fn bad_input_is_named_and_changes_nothing(#[case] line: &str, #[case] expected: &str) {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let failure = run(&edge, line).await.expect_err(line);
    assert!(failure.contains(expected), "{line}: {failure}");
    assert_eq!(edge.world(), before, "{line}");
}

#[tokio::test]
async fn no_command_changes_anything_when_told_not_to() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for command in table::groups().into_iter().flat_map(|group| group.commands) {
        let line = format!("{} -noop -i db3.example -d db5.example -alias orders -reason r -tag a=b", command.name);
        let outcome = run(&edge, &line).await;
        match command.form {
            table::Form::Change(_) | table::Form::ChangeList(_) => {
                assert!(outcome.expect_err(command.name).starts_with("noop:"), "{}", command.name)
            }
            // The plan, or why there is none.
            table::Form::Operate(_) => assert!(outcome.is_err(), "{}", command.name),
            _ => {}
        }
    }
    assert_eq!(edge.world(), before);
}

// From here on: the program itself.

struct Program {
    folder: tempfile::TempDir,
}

struct Printed {
    stdout: String,
    stderr: String,
    code: i32,
}

impl Program {
    /// A configuration with a SQLite backend that holds the fleet.
    async fn new() -> Self {
        let program = Self::with("{}");
        let backend = BackendSettings::Sqlite { path: program.database() };
        let store = Store::open(&backend, &Deployment::of_version("3.2.6")).await.expect("a store");
        let now = chrono::Utc::now();
        let fleet: Vec<_> = support::fleet()
            .into_iter()
            .map(|mut instance| {
                instance.check.last_checked = Some(now);
                instance.check.last_seen = Some(now);
                Arc::new(instance)
            })
            .collect();
        store.write_instances(&fleet).await.expect("written");
        store.close().await;
        program
    }

    /// The same with further settings and an empty backend.
    fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config: serde_json::Value = serde_json::from_str(settings).expect("JSON");
        let object = config.as_object_mut().expect("an object");
        object.insert("BackendDB".to_owned(), "sqlite".into());
        object.insert("SQLite3DataFile".to_owned(), folder.path().join("orc.db").to_string_lossy().into());
        object.insert("HostnameResolveMethod".to_owned(), "none".into());
        std::fs::write(folder.path().join("conf.json"), config.to_string()).expect("written");
        Self { folder }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("orc.db")
    }

    fn run(&self, line: &str) -> Printed {
        let mut words = vec!["-config".to_owned(), self.folder.path().join("conf.json").to_string_lossy().into_owned()];
        words.extend(line.split_whitespace().map(str::to_owned));
        program(&words, self.folder.path())
    }
}

fn program(words: &[String], folder: &Path) -> Printed {
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(words)
        .current_dir(folder)
        .env("USER", "dba")
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Printed { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code().expect("a code") }
}

#[tokio::test]
async fn a_command_loads_acts_and_leaves() {
    let program = Program::new().await;
    let printed = program.run("-c topology -i us2.example");
    assert_eq!(
        printed.stdout,
        "us1.example:3306   [0s,ok,8.4.3,rw,ROW,>>,GTID]\n+ us2.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]\n",
        "{}",
        printed.stderr
    );
    assert_eq!((printed.stderr.as_str(), printed.code), ("", 0));
    assert_eq!(program.run("-c topolo -i us2.example cli").stdout, printed.stdout, "the beginning of a name");

    let printed = program.run("-c begin-downtime -i db3.example,db4.example -reason disk -duration 1h");
    assert_eq!(
        (printed.stdout.as_str(), printed.code),
        ("db3.example:3306\ndb4.example:3306\n", 0),
        "{}",
        printed.stderr
    );
    let printed = program.run("-c which-downtimed-instances");
    assert_eq!(printed.stdout, "db3.example:3306\ndb4.example:3306\n", "what was said outlives the process");

    program.run("-c disable-global-recoveries");
    assert_eq!(program.run("-c check-global-recoveries").stdout, "OK: Global recoveries disabled: true\n");

    let printed = program.run("-c forget -i us2.example,nosuch,us1.example");
    assert_eq!((printed.stdout.as_str(), printed.code), ("us2.example:3306\n", 1), "the first failure ends it");
    assert!(printed.stderr.contains(" FATAL Instance not found: nosuch:3306"), "{}", printed.stderr);
    assert_eq!(program.run("-c all-instances").stdout.lines().count(), 6);
}

#[test]
fn a_fresh_backend_is_made_and_is_empty() {
    let program = Program::with("{}");
    let printed = program.run("-c clusters");
    assert_eq!((printed.stdout.as_str(), printed.code), ("\n", 0), "{}", printed.stderr);
    assert_eq!(program.run("-c all-instances").stdout, "");
    assert!(program.database().exists());
}

#[rstest]
#[case::nothing("", 0, "\norchestrator: ", "")]
#[case::version("-version", 0, "0.1.0\n", "")]
#[case::version_with_contradiction("-version -s a -d b", 1, "", " FATAL ")]
#[case::help("help", 0, "", "Available commands (-c):\nSmart relocation:\n\trelocate ")]
#[case::help_as_command("-c help", 0, "", "Available commands (-c):\n")]
#[case::topic("help relocate", 0, "relocate:\n", "")]
#[case::topic_of_command("-c relocate help", 0, "relocate:\n", "")]
#[case::unknown_topic("help nosuch", 0, "nosuch:\n\n", "")]
#[case::flags("-h", 0, "", "Usage of orchestrator:\n  -accept-loss-of string\n")]
#[case::unknown_flag("-nosuch", 2, "", "flag provided but not defined: -nosuch\nUsage of orchestrator:\n")]
#[case::flag_without_value("-c", 2, "", "flag needs an argument: -c\n")]
#[case::bad_switch("-debug=maybe", 2, "", "invalid boolean value \"maybe\" for -debug: parse error\n")]
#[case::unknown_word("serve", 1, "", "Usage:\n")]
#[case::cli_without_command("cli", 1, "", " FATAL No command given")]
#[case::unknown_command("-c nosuch", 1, "", " FATAL Unknown command: \"nosuch\". Available commands (-c):\n")]
#[case::ambiguous_command(
    "-c st",
    1,
    "",
    " FATAL Unknown command: \"st\". It could be any of: stop-replica, start-replica"
)]
#[case::bad_rule("-c clusters -promotion-rule must", 1, "", "must")]
#[case::bad_instance("-c which-instance -i x:y:z", 1, "", "x:y:z")]
fn how_it_is_called(#[case] line: &str, #[case] code: i32, #[case] stdout: &str, #[case] stderr: &str) {
    let printed = Program::with("{}").run(line);
    assert_eq!(printed.code, code, "{}{}", printed.stdout, printed.stderr);
    assert!(printed.stdout.starts_with(stdout), "{}", printed.stdout);
    assert!(printed.stderr.contains(stderr), "{}", printed.stderr);
    assert!(!stdout.is_empty() || printed.stdout.is_empty(), "{}", printed.stdout);
    assert!(!stderr.is_empty() || printed.stderr.is_empty(), "{}", printed.stderr);
}

#[rstest]
#[case::multi(r#"{"AuthenticationMethod": "multi"}"#, "requires HTTPAuthUser")]
#[case::oauth(r#"{"AuthenticationMethod": "oauth"}"#, "\"oauth\" is not built")]
#[case::typing_error(r#"{"AuthenticationMethod": "basci"}"#, "\"basci\" is not known")]
#[case::header(r#"{"AuthenticationMethod": "proxy", "AuthUserHeader": "a b"}"#, "AuthUserHeader \"a b\" is no name")]
fn a_service_that_could_not_tell_callers_apart_does_not_start(#[case] settings: &str, #[case] stderr: &str) {
    let printed = Program::with(settings).run("http");
    assert_eq!(printed.code, 1);
    assert!(printed.stderr.contains(stderr), "{}", printed.stderr);
}

#[test]
fn raft_keeps_commands_off_but_not_help() {
    let program = Program::with(r#"{"RaftEnabled": true, "RaftBind": "127.0.0.1", "RaftDataDir": "/tmp"}"#);
    for line in ["-c clusters", "-c help", "-c nosuch", "-c dump-config"] {
        let printed = program.run(line);
        assert_eq!((printed.code, printed.stdout.as_str()), (1, ""), "{line}");
        assert!(printed.stderr.contains("\"RaftEnabled\": true"), "{line}: {}", printed.stderr);
        assert!(printed.stderr.contains("--ignore-raft-setup"), "{line}: {}", printed.stderr);
    }
    assert_eq!(program.run("--ignore-raft-setup -c clusters").stdout, "\n");
    assert_eq!(program.run("help relocate").code, 0);
    assert_eq!(program.run("").code, 0);
}

#[test]
fn the_configuration_is_read_first_and_named_when_it_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in ["-config nosuch.json", "-config nosuch.json -c clusters", "-config nosuch.json http"] {
        let printed = program(&words(line), folder.path());
        assert_eq!((printed.code, printed.stdout.as_str()), (1, ""), "{line}");
        assert!(printed.stderr.contains(" FATAL Cannot read config file: nosuch.json"), "{line}: {}", printed.stderr);
    }
    std::fs::write(folder.path().join("bad.json"), "{").expect("written");
    let printed = program(&words("-config bad.json -c clusters"), folder.path());
    assert!(printed.stderr.contains("bad.json"), "{}", printed.stderr);
    assert_eq!(printed.code, 1);
    // The banner reads the configuration too, but -version does not.
    assert_eq!(program(&words("-config nosuch.json -version"), folder.path()).code, 0);
}

#[test]
fn a_backend_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = r#"{"BackendDB": "sqlite", "SQLite3DataFile": "/nosuch/folder/orc.db"}"#;
    std::fs::write(folder.path().join("conf.json"), config).expect("written");
    let words: Vec<String> = ["-config", "conf.json", "-c", "clusters"].map(str::to_owned).to_vec();
    let printed = program(&words, folder.path());
    assert_eq!((printed.code, printed.stdout.as_str()), (1, ""));
    assert!(printed.stderr.contains("/nosuch/folder/orc.db"), "{}", printed.stderr);
}

#[test]
fn the_log_says_what_operators_grep_for() {
    let program = Program::with("{}");
    let printed = program.run("-verbose -c disable-global-recoveries");
    let lines: Vec<&str> = printed.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.contains(" INFO starting orchestrator, version: ")), "{}", printed.stderr);
    assert!(lines.iter().any(|line| line.contains(" INFO Read config: ")), "{}", printed.stderr);
    assert_eq!(program.run("-c disable-global-recoveries").stderr, "", "nothing without -verbose");
    assert_eq!(Program::with(r#"{"Debug": true}"#).run("-quiet -c clusters").stderr, "");
}

#[test]
fn the_configuration_is_dumped_without_a_backend() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = r#"{"BackendDB": "sqlite", "SQLite3DataFile": "/nosuch/folder/orc.db", "HTTPAuthUser": "a<b"}"#;
    std::fs::write(folder.path().join("conf.json"), config).expect("written");
    let words: Vec<String> = ["-config", "conf.json", "-c", "dump-config"].map(str::to_owned).to_vec();
    let printed = program(&words, folder.path());
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert_eq!(printed.stdout.lines().count(), 1);
    assert!(printed.stdout.contains("\"HTTPAuthUser\":\"a\\u003cb\""), "{}", printed.stdout);
}
