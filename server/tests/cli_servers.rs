//! The commands on real servers: one story, from an address to a moved replica.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
use support::Sandbox;
use support::service::{config_json, tree};

/// The program with a backend of its own.
struct Shell {
    _folder: tempfile::TempDir,
    config: PathBuf,
}

impl Shell {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("orchestrator.conf.json");
        std::fs::write(&config, config_json(&folder.path().join("orchestrator.db"))).expect("a configuration");
        Self { _folder: folder, config }
    }

    /// Code, standard output, standard error.
    fn run(&self, line: &str) -> (i32, String, String) {
        run(&self.config, line)
    }

    /// Standard output of a command that must succeed.
    fn ok(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, 0, "{line}: {err}");
        out
    }

    /// The FATAL line of a command that must fail and print nothing.
    fn fatal(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        let at = err.find(" FATAL ").unwrap_or_else(|| panic!("{line}: {err}"));
        err[at..].to_owned()
    }
}

fn run(config: &Path, line: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["-config", &config.display().to_string(), "-c"])
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

#[rstest]
#[test]
fn from_an_address_to_a_moved_replica(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let host = |port: u16| format!("127.0.0.1:{port}");
    let shell = Shell::new();

    // What is not known is refused, not guessed.
    assert!(shell.fatal(&format!("stop-replica -i {}", host(a))).contains("Instance not found"));
    for port in [source, a, b, c] {
        assert_eq!(shell.ok(&format!("discover -i {}", host(port))), format!("{}\n", host(port)));
    }
    assert_eq!(shell.ok("clusters"), format!("{}\n", host(source)));
    let tree = shell.ok(&format!("topology -i {}", host(b)));
    assert_eq!(tree.lines().count(), 4, "{tree}");
    assert!(tree.starts_with(&format!("{} ", host(source))), "{tree}");
    assert!(tree.contains(&format!("\n+ {} ", host(b))), "{tree}");

    let line = format!("relocate -i {} -d {}", host(b), host(a));
    assert!(shell.fatal(&format!("relocate -noop -i {} -d {}", host(b), host(a))).contains("noop: "));
    assert_eq!(shell.ok(&format!("which-master -i {}", host(b))), format!("{}\n", host(source)));
    assert_eq!(shell.ok(&line), format!("{}<{}\n", host(b), host(a)));
    assert_eq!(shell.ok(&format!("which-master -i {}", host(b))), format!("{}\n", host(a)));
    assert_eq!(shell.ok(&format!("which-replicas -i {}", host(a))), format!("{}\n", host(b)));
    let refused = shell.fatal(&format!("relocate -i {} -d {}", host(a), host(b)));
    assert!(refused.contains("below-itself"), "{refused}");
    assert_eq!(shell.ok(&format!("which-master -i {}", host(a))), format!("{}\n", host(source)));
    assert_eq!(shell.ok(&format!("relocate-replicas -i {} -d {}", host(a), host(c))), format!("{}\n", host(b)),);
    assert_eq!(shell.ok(&format!("which-master -i {}", host(b))), format!("{}\n", host(c)));

    assert_eq!(shell.ok(&format!("stop-slave -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("is-replication-stopped -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("start-replica -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("is-replicating -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("restart-replica -i {}", host(b))), format!("{}\n", host(b)));

    assert_eq!(shell.ok(&format!("detach-replica -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("which-master -i {}", host(b))), "", "a broken name cannot be connected to");
    assert_eq!(shell.ok(&format!("reattach-replica -i {}", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("which-master -i {}", host(b))), format!("{}\n", host(c)));

    let read_only = |port: u16| sandbox.sql(port, "SELECT @@global.read_only").trim().to_owned();
    assert_eq!(shell.ok(&format!("set-writeable -i {}", host(c))), format!("{}\n", host(c)));
    assert!(matches!(read_only(c).as_str(), "0" | "OFF"), "{}", read_only(c));
    assert_eq!(shell.ok(&format!("set-read-only -i {}", host(c))), format!("{}\n", host(c)));
    assert!(!matches!(read_only(c).as_str(), "0" | "OFF"), "{}", read_only(c));

    assert_eq!(shell.ok(&format!("begin-downtime -i {} -reason test", host(b))), format!("{}\n", host(b)));
    assert_eq!(shell.ok("which-downtimed-instances"), format!("{}\n", host(b)));
    assert_eq!(shell.ok(&format!("recover -i {}", host(source))), "", "there is nothing to recover");
    assert_eq!(shell.ok(&format!("which-gtid-errant -i {}", host(b))), "\n");
    assert_eq!(shell.ok(&format!("resolve -i {}", host(b))), format!("{}\n", host(b)));

    let promoted = shell.ok(&format!("graceful-master-takeover-auto -i {} -d {}", host(source), host(c)));
    let lines: Vec<&str> = promoted.lines().collect();
    assert_eq!(lines.len(), 2, "{promoted}");
    assert_eq!(lines[0], host(c));
    assert!(lines[1].contains(':') && lines[1].len() > 2, "{promoted}");
    assert_eq!(shell.ok(&format!("which-cluster-master -i {}", host(a))), format!("{}\n", host(c)));
    assert_eq!(shell.ok(&format!("which-master -i {}", host(source))), format!("{}\n", host(c)));

    sandbox.kill(c);
    // Until the replicas have noticed there is nothing to recover, and the command says so and ends well.
    let mut successor = String::new();
    let began = Instant::now();
    while successor.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "no recovery");
        successor = shell.ok(&format!("recover -i {}", host(c)));
    }
    assert_eq!(successor.lines().count(), 1, "{successor}");
    assert_ne!(successor.trim(), host(c));
    assert_eq!(shell.ok(&format!("which-cluster-master -i {}", successor.trim())), successor);
    assert_eq!(shell.ok("ack-all-recoveries -reason seen"), "0 recoveries acknowledged\n", "a person asked for it");
}

/// An account with no rights, what `doctor` says to grant it, and then what the commands do with it.
#[rstest]
#[test]
fn what_the_doctor_says_to_grant_is_what_the_commands_need(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let host = |port: u16| format!("127.0.0.1:{port}");
    let shell = Shell::new();
    let text = std::fs::read_to_string(&shell.config).expect("read");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("our own text");
    config["MySQLTopologyUser"] = "newcomer".into();
    config["MySQLTopologyPassword"] = "newcomer_password".into();
    // Credentials of replication are then read from the servers, which takes a right where it can be done.
    config.as_object_mut().expect("keys").remove("ReplicationCredentialsQuery");
    std::fs::write(&shell.config, config.to_string()).expect("written");
    let all = [source, a, b].map(host).join(",");

    let (code, out, _) = shell.run(&format!("doctor -i {all}"));
    assert_eq!(code, 1);
    assert_eq!(out.matches("  !  cannot be asked: ").count(), 3, "{out}");
    assert!(!out.contains("newcomer_password"), "{out}");

    sandbox.sql(source, "CREATE USER 'newcomer'@'%' IDENTIFIED BY 'newcomer_password'");
    let grants = |out: &str| -> Vec<String> {
        out.lines().map(str::trim).filter(|line| line.starts_with("GRANT ")).map(str::to_owned).collect()
    };
    let replicated = |port: u16| {
        let began = Instant::now();
        loop {
            let (code, out, _) = shell.run(&format!("doctor -i {}", host(port)));
            if !out.contains("cannot be asked") {
                return (code, out);
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{out}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let (code, out) = replicated(b);
    assert_eq!(code, 1, "{out}");
    let statements = grants(&out);
    assert!(!statements.is_empty() && statements.iter().all(|s| s.ends_with("TO 'newcomer'@'%';")), "{out}");
    for statement in &statements {
        sandbox.sql(source, statement);
    }
    let began = Instant::now();
    loop {
        let (code, out, err) = shell.run(&format!("doctor -i {all}"));
        if code == 0 && grants(&out).is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{out}{err}");
        std::thread::sleep(Duration::from_millis(200));
    }

    for port in [source, a, b] {
        shell.ok(&format!("discover -i {}", host(port)));
    }
    for line in [
        format!("relocate -i {} -d {}", host(b), host(a)),
        format!("move-up -i {}", host(b)),
        format!("stop-replica -i {}", host(b)),
        format!("start-replica -i {}", host(b)),
        format!("set-writeable -i {}", host(b)),
        format!("set-read-only -i {}", host(b)),
        format!("flush-binary-logs -i {}", host(b)),
        format!("detach-replica -i {}", host(b)),
        format!("reattach-replica -i {}", host(b)),
        format!("reset-replica -i {}", host(b)),
    ] {
        shell.ok(&line);
    }
}

/// One statement that only asks, as a table; what does more is refused by us, and by the server should we be wrong.
#[rstest]
#[test]
fn a_statement_that_only_asks_is_answered(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 1);
    let port = sandbox.ports[0];
    let shell = Shell::new();
    shell.ok(&format!("discover -i 127.0.0.1:{port}"));
    let sql = |statement: &str, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(["-config", &shell.config.display().to_string(), "-c", "sql", "-i", &format!("127.0.0.1:{port}")])
            .args(more)
            .arg(statement)
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = sql(&format!("SELECT {port} AS port, NULL AS nothing, 'a;b' AS text"), &[]);
    let line = format!("| {port} | NULL    | a;b  |\n");
    assert!(code == 0 && out.contains(&line) && out.contains("| nothing | text |\n"), "{out}{err}");
    assert_eq!(sql("SELECT 1 FROM information_schema.schemata WHERE 1 = 0", &[]), (0, String::new(), String::new()));
    let (code, out, _) = sql("SHOW PROCESSLIST", &[]);
    assert!(code == 0 && out.contains("| orchestrator ") && out.starts_with("+-"), "{out}");
    let (code, out, _) = sql("WITH x AS (SELECT 2 AS two) SELECT two FROM x", &[]);
    assert_eq!((code, out.as_str()), (0, "+-----+\n| two |\n+-----+\n| 2   |\n+-----+\n"));

    let (code, out, err) = sql("SELECT nonsense", &[]);
    assert!(code == 1 && out.is_empty() && err.contains("FATAL") && err.contains("nonsense"), "{err}");
    let many = "SELECT 1 FROM information_schema.columns a, information_schema.columns b LIMIT 1500";
    let (code, out, err) = sql(many, &[]);
    assert_eq!((code, out.lines().count()), (0, 1_004), "{err}");
    assert!(err.contains("only the first 1000 rows are shown"), "{err}");
    // A statement that takes its time is ended, on the server as well.
    let slow = "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c, \
                information_schema.columns d WHERE md5(concat(a.column_name, b.column_name, c.column_name, d.column_name)) = 'x'";
    let began = Instant::now();
    let (code, _, err) = sql(slow, &["-duration", "1s"]);
    assert!(code == 1 && began.elapsed() < Duration::from_secs(15), "{code} {err}");
    // Not from information_schema: MariaDB 10.11 can crash over the text of a statement that just ends.
    let sessions = sandbox.sql(port, "SHOW FULL PROCESSLIST");
    assert!(!sessions.contains("md5(concat"), "{sessions}");
}

/// Every command of docs/SETUP.md, in their order.
#[rstest]
#[test]
fn the_way_from_three_servers_to_a_takeover(#[values("mariadb", "mysql")] flavor: &'static str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
    let document = std::fs::read_to_string(root.join("docs/SETUP.md")).expect("the document");
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
    let mut inside = false;
    let mut blocks = 0;
    for line in document.lines() {
        match line {
            "```sh" => {
                inside = true;
                blocks += 1;
            }
            "```" => inside = false,
            line if inside => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    assert!(blocks >= 8, "{blocks} blocks of commands");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("setup.sh");
    std::fs::write(&file, script).expect("written");
    let programs = Path::new(env!("CARGO_BIN_EXE_orchestrator")).parent().expect("a folder");
    assert!(programs.join("orchestrator-client").exists(), "{}", env!("CARGO_BIN_EXE_orchestrator-client"));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let output = Command::new("timeout")
        .args(["180", "bash", "--norc", &file.display().to_string()])
        .current_dir(root)
        .env("PATH", path)
        .env("DEMO_FLAVOR", flavor)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("\nnothing has to be done\n") && out.contains("\npromoted: 127.0.0.1:"), "{out}\n{err}");
}
