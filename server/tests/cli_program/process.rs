//! The program as a process: flags, configuration, log, help, exit codes.

use crate::support::Desk;

#[test]
fn flags_that_make_no_sense_end_with_2_and_the_list() {
    let desk = Desk::empty();
    for (line, expected) in [
        ("-nonsense", "flag provided but not defined: -nonsense"),
        ("-c", "flag needs an argument: -c"),
        ("-debug=maybe", "invalid boolean value \"maybe\" for -debug: parse error"),
    ] {
        let said = desk.run_bare(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((said.out.as_str(), said.code), ("", 2), "{line}");
        assert!(said.err.starts_with(expected) && said.err.contains("Usage of orchestrator:"), "{}", said.err);
    }
    let said = desk.run_bare(&["-h"]);
    assert_eq!((said.out.as_str(), said.code), ("", 0));
    assert!(said.err.starts_with("Usage of orchestrator:\n  -accept-loss-of string\n"), "{}", said.err);
}

#[test]
fn a_promotion_rule_is_checked_whatever_the_command() {
    let said = Desk::empty().line("-promotion-rule must -version");
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(said.err.contains(" FATAL "), "{}", said.err);
}

#[test]
fn version_help_and_banner_go_where_they_always_went() {
    let desk = Desk::empty();
    let said = desk.run_bare(&["-version"]);
    assert_eq!((said.out.lines().count(), said.err.as_str(), said.code), (2, "", 0));
    assert_eq!(said.out.lines().next(), Some(env!("CARGO_PKG_VERSION")));
    let said = desk.line("");
    assert!(said.out.starts_with('\n') && said.out.contains("help relocate"), "{}", said.out);
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    for words in ["help", "-c help"] {
        let said = desk.line(words);
        assert_eq!((said.out.as_str(), said.code), ("", 0));
        assert!(said.err.starts_with("Available commands (-c):\n"), "{}", said.err);
    }
    for words in ["help relocate", "-c relocate help"] {
        let said = desk.line(words);
        assert!(said.out.starts_with("relocate:\n") && said.out.contains("-d"), "{}", said.out);
        assert_eq!(said.code, 0);
    }
    let said = desk.line("help frobnicate");
    assert_eq!((said.out.as_str(), said.code), ("frobnicate:\n\n", 0));
    assert!(!desk.file().exists(), "none of these needs a backend");
}

#[test]
fn a_word_that_means_nothing_ends_with_1_and_the_usage() {
    let said = Desk::empty().line("frobnicate");
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(said.err.starts_with("Usage:\n"), "{}", said.err);
}

#[test]
fn the_configuration_is_dumped_in_one_line_without_a_backend() {
    let desk = Desk::empty();
    let said = desk.line("-c dump-config");
    assert_eq!((said.out.lines().count(), said.err.as_str(), said.code), (1, "", 0));
    assert!(said.out.contains("\"MySQLTopologyPassword\":\"s\\u003ccr\\u0026t\""), "{}", said.out);
    assert!(!desk.file().exists());
}

#[test]
fn a_bad_configuration_is_fatal_even_for_the_banner() {
    let desk = Desk::empty();
    std::fs::write(desk.config(), "{\"ListenAddress\": 7}").expect("written");
    for line in ["", "help", "-c clusters", "http"] {
        let said = desk.line(line);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{line}");
        assert!(
            said.err.contains(" FATAL Cannot read config file: ") && said.err.contains("ListenAddress"),
            "{}",
            said.err
        );
    }
    let said = desk.run_bare(&["-config", "nowhere.json", "-c", "clusters"]);
    assert!(said.err.contains(" FATAL Cannot read config file: nowhere.json"), "{}", said.err);
    assert_eq!(said.code, 1);
}

#[test]
fn without_a_flag_the_standard_places_are_searched() {
    let desk = Desk::empty();
    let said = desk.run_bare(&["-verbose", "-c", "clusters"]);
    assert_eq!((said.out.as_str(), said.code), ("\n", 0), "{}", said.err);
    assert!(said.err.contains(" INFO Read config: orchestrator.conf.json\n"), "{}", said.err);
}

#[test]
fn the_log_says_as_much_as_asked_for() {
    let desk = Desk::empty();
    let line =
        regex::Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (FATAL|ERROR|WARNING|INFO|DEBUG) ").expect("a pattern");
    for (flags, starting) in [("", false), ("-verbose", true), ("-debug", true), ("-debug -quiet", false)] {
        let said = desk.line(&format!("{flags} -c which-instance -i x"));
        assert_eq!(said.err.contains(" INFO starting orchestrator, version: "), starting, "{flags}: {}", said.err);
        assert_eq!(said.err.contains(" INFO Connecting to backend "), starting, "{flags}: {}", said.err);
        assert!(said.err.contains(" FATAL Instance not found: x:3306"), "{flags}: {}", said.err);
        assert!(said.err.lines().all(|text| line.is_match(text)), "{flags}: {}", said.err);
    }
    desk.configure(&serde_json::json!({"Debug": true}));
    assert!(desk.line("-c clusters").err.contains(" INFO Connecting to backend "));
    assert_eq!(desk.line("-quiet -c clusters").err, "");
}

#[test]
fn a_backend_that_cannot_be_reached_is_fatal() {
    let desk = Desk::empty();
    desk.configure(&serde_json::json!({"SQLite3DataFile": "/nowhere/at/all.db"}));
    let said = desk.line("-c clusters");
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(said.err.contains(" FATAL ") && said.err.contains("/nowhere/at/all.db"), "{}", said.err);
    let said = desk.line("http");
    assert_eq!(said.code, 1);
    assert!(said.err.contains(" FATAL cannot open the backend database"), "{}", said.err);
}

#[test]
fn members_of_a_group_refuse_every_command() {
    let desk = Desk::empty();
    desk.configure(&serde_json::json!({"RaftEnabled": true, "RaftDataDir": "/tmp"}));
    for line in ["-c clusters", "-c help", "-c dump-config", "-c frobnicate"] {
        let said = desk.line(line);
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{line}");
        for part in [" FATAL ", "\"RaftEnabled\": true", "orchestrator-client", "--ignore-raft-setup"] {
            assert!(said.err.contains(part), "{line}: {}", said.err);
        }
    }
    assert_eq!(desk.line("-ignore-raft-setup -c clusters").code, 0);
    assert_eq!(desk.line("help relocate").code, 0);
    assert_eq!(desk.line("-version").code, 0);
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_failure() {
    let desk = Desk::new().await;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["-config", &desk.config().display().to_string(), "-c", "all-instances"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn switches_for_the_whole_process_are_taken_with_any_command() {
    let desk = Desk::new().await;
    for flag in ["-skip-binlog-search", "-skip-unresolve", "-skip-unresolve-check"] {
        for line in [format!("{flag} -c clusters"), format!("{flag}=false -c clusters")] {
            let said = desk.line(&line);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{line}");
        }
    }
}

#[test]
fn a_stack_is_told_where_it_is_asked_for() {
    let desk = Desk::empty();
    let said = desk.line("-c which-instance -i x");
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    let said = desk.line("-stack -c which-instance -i x");
    assert!(said.err.lines().count() > 3 && said.err.contains(" 0: "), "{}", said.err);
}

#[tokio::test]
async fn the_service_runs_without_page_and_is_told_of_by_active_nodes() {
    let desk = Desk::new().await;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["-config", &desk.config().display().to_string(), "-c", "continuous"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    let node = regex::Regex::new("^[^:\n]+:[0-9a-f]{64}\n$").expect("a pattern");
    let mut listed = String::new();
    for _ in 0..100 {
        listed = desk.line("-c active-nodes").out;
        if node.is_match(&listed) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(node.is_match(&listed), "{listed:?}");
    let told = std::process::Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    assert!(child.wait().expect("it ends").success());
}
