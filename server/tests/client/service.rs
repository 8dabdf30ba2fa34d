//! Against the service itself, over a made-up fleet.

use app::topology::PromotionRule;
use rstest::rstest;

use crate::edge::{BASIC, Edge, OPEN, READ_ONLY, key};
use crate::support::{line, run, serve};

async fn service(config: &str) -> (Edge, String) {
    let edge = Edge::new(config).await;
    let url = serve(edge.router()).await;
    (edge, url)
}

#[rstest]
#[case("clusters", "db1.example:3306\nus1.example:3306\n")]
#[case("clusters-alias", "db1.example:3306,orders\nus1.example:3306,users\n")]
#[case("all-clusters-masters", "db1.example:3306\nus1.example:3306\n")]
#[case("which-instance -i b3.exa", "db3.example:3306\n")]
#[case("which-master -i db3.example", "db2.example:3306\n")]
#[case("which-master -i db1.example", ":0\n")]
#[case("which-replicas -i db2.example", "db3.example:3306\ndb4.example:3306\n")]
#[case("which-broken-replicas -i db2.example", "")]
#[case("which-cluster -i db4.example", "db1.example:3306\n")]
#[case("which-cluster-alias -a users", "users\n")]
#[case("which-cluster-master -a orders", "db1.example:3306\n")]
#[case("which-cluster-instances -a users", "us1.example:3306\nus2.example:3306\n")]
#[case("which-cluster-osc-running-replicas -a users", "us2.example:3306\n")]
#[case("search -i DB5", "db5.example:3306\n")]
#[case("dominant-dc", "dc1\n")]
#[case("downtimed", "")]
#[case("is-replicating -i us2", "us2.example:3306\n")]
#[case("is-replication-stopped -i us2", "")]
#[case("which-gtid-errant -i us2", "\n")]
#[case("can-replicate-from -i db3.example -d db1.example", "db1.example:3306\n")]
#[case("replication-analysis", "")]
#[case("check-global-recoveries", "enabled\n")]
#[case("tags -i db1.example", "")]
#[case("api -P leader-check", "\"OK\"\n")]
#[tokio::test]
async fn reads_print_what_the_service_knows(#[case] command: &str, #[case] expected: &str) {
    let (_edge, url) = service(OPEN).await;
    let ending = line(&format!("-c {command}"), &url).await;
    assert_eq!((ending.stdout.as_str(), ending.stderr.as_str(), ending.code), (expected, "", 0));
}

#[tokio::test]
async fn a_topology_is_drawn() {
    let (_edge, url) = service(OPEN).await;
    let ending = line("-c topology -a users", &url).await;
    let lines: Vec<&str> = ending.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ending.stdout);
    assert!(lines[0].starts_with("us1.example:3306 ") && lines[1].starts_with("+ us2.example:3306 "), "{lines:?}");
}

#[tokio::test]
async fn changes_are_on_record_as_they_were_typed() {
    let (edge, url) = service(OPEN).await;
    let api = [("ORCHESTRATOR_API", url.as_str())];
    let reason = "new disk, 50% é & more";
    let ending = run(&["-c", "begin-downtime", "-i", "db2.example", "-r", reason, "-o", "eve", "-u", "2h"], &api).await;
    assert_eq!((ending.stdout.as_str(), ending.stderr.as_str()), ("db2.example:3306\n", ""));
    let annotations = edge.services.fleet.snapshot().annotations;
    let downtime = &annotations.downtime[&key("db2.example")];
    assert_eq!((downtime.reason.as_str(), downtime.owner.as_str()), (reason, "eve"));
    assert_eq!(line("-c downtimed -a orders", &url).await.stdout, "db2.example:3306\n");

    let ending = line("-c register-candidate -i db3.example -R prefer", &url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("db3.example:3306\n", 0), "{}", ending.stderr);
    let annotations = edge.services.fleet.snapshot().annotations;
    assert_eq!(annotations.candidates[&key("db3.example")].rule, PromotionRule::Prefer);

    for (command, expected) in [
        ("tag -i db4.example -t role=back+up", "db4.example:3306\n"),
        ("tag-value -i db4.example -t role", "back+up\n"),
        ("tagged -t role=back+up -i db1", "db4.example:3306\n"),
        ("untag -i db4.example -t role", "db4.example:3306\n"),
        ("submit-pool-instances -l reads -i db4.example,db3.example:3306", "reads\n"),
        ("which-heuristic-cluster-pool-instances -a orders -l reads", "db3.example:3306\ndb4.example:3306\n"),
        ("disable-global-recoveries", "disabled\n"),
        ("check-global-recoveries", "disabled\n"),
        ("relocate -i db5.example -d db2.example", "db5.example:3306<db2.example:3306\n"),
        ("stop-slave -i db3.example", "db3.example:3306\n"),
        ("is-replication-stopped -i db3.example", "db3.example:3306\n"),
        ("move-gtid -i db4.example -d db1.example", "db4.example:3306<db1.example:3306\n"),
        ("forget -i us2.example", ""),
    ] {
        let ending = line(&format!("-c {command}"), &url).await;
        assert_eq!((ending.stdout.as_str(), ending.stderr.as_str(), ending.code), (expected, "", 0), "{command}");
    }
}

#[tokio::test]
async fn the_services_errors_are_shown_and_nothing_is_changed() {
    let (edge, url) = service(OPEN).await;
    let before = edge.world();
    for (command, expected) in [
        ("instance -i nosuch.example", "nosuch.example:3306"),
        ("relocate -i db1.example -d db3.example", "db1.example"),
        ("topology -a nosuch", "nosuch"),
        ("tag-value -i db1.example -t role", "role"),
        ("register-candidate -i db1.example -R maybe", "maybe"),
        ("begin-downtime -i db1.example -r x -u tomorrow", "tomorrow"),
        ("match -i db3.example -d db1.example", "PseudoGTIDPattern is empty"),
        ("raft-leader", "raft"),
    ] {
        let ending = line(&format!("-c {command}"), &url).await;
        assert_eq!((ending.stdout.as_str(), ending.code), ("", 1), "{command}");
        assert!(ending.stderr.contains(expected), "{command}: {}", ending.stderr);
        assert_eq!(ending.stderr.lines().count(), 1, "{command}: {}", ending.stderr);
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn rights_are_the_services_to_judge() {
    let (_edge, url) = service(BASIC).await;
    let ending = line("-c clusters", &url).await;
    assert!(ending.stderr.contains("access denied (401 Unauthorized)"), "{}", ending.stderr);
    assert_eq!((ending.stdout.as_str(), ending.code), ("", 1));
    assert_eq!(line("-c clusters -b dba:wrong", &url).await.code, 1);
    let ending = line("-c clusters -b dba:secret", &url).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("db1.example:3306\nus1.example:3306\n", 0));

    let (edge, url) = service(READ_ONLY).await;
    let before = edge.world();
    let ending = line("-c set-read-only -i db1.example", &url).await;
    assert_eq!((ending.stderr.as_str(), ending.code), ("Unauthorized\n", 1));
    assert_eq!(edge.world(), before);
}
