//! The commands on real servers: one story, from an address to a moved replica.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
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
