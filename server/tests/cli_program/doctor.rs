//! `doctor`: what it says, and that it changes nothing.

use crate::support::Desk;

#[tokio::test]
async fn a_backend_is_looked_at_and_left_as_it_is() {
    let desk = Desk::new().await;
    desk.configure(&serde_json::json!({"RecoverMasterClusterFilters": ["*"], "InstancePolSeconds": 1}));
    let files = || {
        let mut found: Vec<_> = std::fs::read_dir(desk.file().parent().expect("a folder"))
            .expect("read")
            .map(|entry| entry.expect("read").path())
            .map(|path| (path.clone(), std::fs::read(path).expect("read")))
            .collect();
        found.sort();
        found
    };
    let before = files();
    let said = desk.line("-c doctor -i 127.0.0.1:1");
    assert_eq!((said.err.as_str(), said.code), ("", 1));
    for part in [
        "\nconfiguration\n",
        "  -  RecoverMasterClusterFilters: a failover that would lose writes",
        "did you mean InstancePollSeconds?",
        "  ok its schema is complete (last deployed by \"3.2.6\"",
        "  -  7 servers on record",
        "\nserver 127.0.0.1:1\n  !  cannot be asked: ",
        "\n1 thing must be done, marked !\n",
    ] {
        assert!(said.out.contains(part), "{part:?} in {}", said.out);
    }
    assert!(!said.out.contains("s<cr&t"), "{}", said.out);
    let json = desk.line("-c doctor -i 127.0.0.1:1 -json");
    let told: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((told["topics"][0]["title"].as_str(), json.code), (Some("configuration"), 1));
    // Without -i it is the servers on record.
    assert!(desk.line("-c doctor").out.contains("\nserver us2.example:3306\n"));
    assert_eq!(files(), before);
}

#[tokio::test]
async fn a_backend_of_the_original_is_looked_at_as_it_is() {
    let desk = Desk::new().await;
    // As the original has it: without what this program adds.
    let sql =
        "DROP TABLE orchestrator_instance_extra; DROP TABLE orchestrator_migration; DELETE FROM database_instance;";
    let ran = std::process::Command::new("sqlite3").arg(desk.file()).arg(sql).output();
    if ran.is_err() {
        // The shell of SQLite is not on every machine.
        return;
    }
    let said = desk.line("-c doctor");
    assert!(said.out.contains("  -  at the first start 2 tables and 0 columns are added"), "{}", said.out);
    assert!(said.out.ends_with("\nnothing has to be done\n"), "{}", said.out);
    assert_eq!(said.code, 0);
}

#[test]
fn a_backend_that_is_not_there_is_not_made() {
    let desk = Desk::empty();
    let said = desk.line("-c doctor");
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    assert!(said.out.contains("does not exist yet and is created at the first start"), "{}", said.out);
    assert!(!desk.file().exists());
}

#[test]
fn a_file_that_is_no_backend_is_told_and_left_alone() {
    let desk = Desk::empty();
    std::fs::write(desk.file(), "this is text, and more of it than a header").expect("written");
    let said = desk.line("-c doctor");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("  !  backend database holds unreadable data"), "{}", said.out);
    assert_eq!(std::fs::read_to_string(desk.file()).expect("read"), "this is text, and more of it than a header");
}

#[test]
fn the_member_of_a_group_may_ask() {
    let desk = Desk::empty();
    desk.configure(&serde_json::json!({"RaftEnabled": true, "RaftDataDir": "/tmp"}));
    let said = desk.line("-c doctor");
    assert_eq!((said.err.as_str(), said.code), ("", 1));
    assert!(said.out.contains("  !  RaftEnabled: this release does not form groups"), "{}", said.out);
}
