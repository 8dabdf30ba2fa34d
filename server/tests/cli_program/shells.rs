//! Completion in the real shells, and the manual page in the real formatter.

use std::process::{Command, Stdio};

use crate::support::Desk;

/// What a shell prints that runs this script; `None` where the shell is not installed.
fn shell(name: &str, arguments: &[&str], script: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("script");
    std::fs::write(&file, script).expect("written");
    let output = Command::new(name).args(arguments).arg(&file).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        // Only bash is on every machine.
        assert_ne!(name, "bash");
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{name}");
    Some(text(&output.stdout))
}

fn completions(program: &str, shell: &str) -> String {
    let output = Command::new(program).args(["-c", "completions", shell]).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

const SERVICE: (&str, &str) = ("orchestrator", env!("CARGO_BIN_EXE_orchestrator"));
const CLIENT: (&str, &str) = ("orchestrator-client", env!("CARGO_BIN_EXE_orchestrator-client"));

#[test]
fn bash_completes_commands_flags_and_words() {
    let cases: &[((&str, &str), &str, &[&str])] = &[
        (SERVICE, "-c topo", &["topology", "topology-tabulated", "topology-tags"]),
        (SERVICE, "-c doc", &["doctor"]),
        (SERVICE, "-prom", &["-promotion-rule"]),
        (SERVICE, "-promotion-rule prefer", &["prefer", "prefer_not"]),
        (SERVICE, "ht", &["http"]),
        (SERVICE, "help relocate-r", &["relocate-replicas"]),
        (SERVICE, "-i db", &[]),
        (CLIENT, "-c raft-l", &["raft-leader", "raft-leader-hostname"]),
        (CLIENT, "--al", &["--alias"]),
        (CLIENT, "-R n", &["neutral"]),
    ];
    for ((name, program), line, expected) in cases {
        let words: Vec<&str> = line.split(' ').collect();
        let at = words.len();
        let script = format!(
            "{}\nCOMP_WORDS=({name} {line}); COMP_CWORD={at}\n_{}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\ncomplete -p {name} >/dev/null\n",
            completions(program, "bash"),
            name.replace('-', "_")
        );
        let said = shell("bash", &["--norc"], &script).expect("bash is there");
        let found: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(found, *expected, "{name} {line}");
    }
}

#[test]
fn fish_completes_commands_and_flags_with_their_help() {
    for ((name, program), line, expected) in [
        (
            SERVICE,
            "-c topology-ta",
            &[
                "topology-tabulated\tDraw the tree of a cluster in columns",
                "topology-tags\tDraw the tree of a cluster with tags",
            ][..],
        ),
        (SERVICE, "-promotion-rule pre", &["prefer", "prefer_not"]),
        (CLIENT, "-c which-api", &["which-api\tShow the address of the API that is talked to"]),
    ] {
        let script = format!("{}\ncomplete -C '{name} {line}'\n", completions(program, "fish"));
        let Some(said) = shell("fish", &["--no-config"], &script) else { return };
        let found: Vec<&str> = said.lines().collect();
        for one in expected {
            assert!(found.iter().any(|line| line.starts_with(one)), "{name} {line}: {said}");
        }
        assert_eq!(found.len(), expected.len(), "{name} {line}: {said}");
    }
}

#[test]
fn zsh_takes_the_functions() {
    for (name, program) in [SERVICE, CLIENT] {
        let function = format!("_{}", name.replace('-', "_"));
        let script = format!(
            "autoload -U compinit && compinit -u -D\n{}\nwhence -w {function}\nprint -r -- $_comps[{name}]\n",
            completions(program, "zsh")
        );
        let Some(said) = shell("zsh", &["-f"], &script) else { return };
        assert_eq!(said, format!("{function}: function\n{function}\n"));
    }
}

#[test]
fn the_manual_page_is_formatted_without_a_complaint() {
    for ((name, program), part) in [(SERVICE, "graceful-master-takeover"), (CLIENT, "ORCHESTRATOR_AUTH_TOKEN")] {
        let output = Command::new(program).args(["-c", "man-page"]).output().expect("the program runs");
        let page = String::from_utf8(output.stdout).expect("text");
        assert!(page.starts_with(".TH "), "{page}");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("page.8");
        std::fs::write(&file, &page).expect("written");
        let formatted = Command::new("man").args(["--warnings", "-l"]).arg(&file).env("MANWIDTH", "100").output();
        // Not every machine has the formatter; what it would be given was looked at above.
        let Ok(formatted) = formatted else { continue };
        let (text, complaints) =
            (String::from_utf8_lossy(&formatted.stdout), String::from_utf8_lossy(&formatted.stderr));
        assert_eq!(complaints, "", "{name}");
        assert!(text.contains(part) && text.contains("EXIT STATUS"), "{text}");
    }
}

#[test]
fn a_group_of_nodes_refuses_none_of_these() {
    let desk = Desk::empty();
    desk.configure(&serde_json::json!({"RaftEnabled": true, "RaftDataDir": "/tmp"}));
    for line in ["-c completions bash", "-c man-page"] {
        assert_eq!(desk.line(line).code, 0, "{line}");
    }
    assert!(!desk.file().exists(), "none of these needs a backend");
}
