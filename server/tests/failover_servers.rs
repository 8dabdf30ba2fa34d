//! Dead sources on real servers, both families: no acknowledged write is lost, nobody else takes writes, and
//! nothing happens when the source serves (`docs/RECOVERY.md`).
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::finding::AnalysisCode;
use rstest::rstest;
use support::service::{Service, acknowledged, key, missing, tree};
use support::{Sandbox, eventually};

/// Starts a load of acknowledged writes and waits until it is well under way.
async fn load(sandbox: &Sandbox, ports: &[u16]) -> std::path::PathBuf {
    let file = sandbox.dir().join("acknowledged");
    let mut args: Vec<String> = ports.iter().flat_map(|p| ["--port".to_owned(), p.to_string()]).collect();
    args.extend(["--out".to_owned(), file.display().to_string(), "--interval-ms".to_owned(), "2".to_owned()]);
    sandbox.run("load", &args.iter().map(String::as_str).collect::<Vec<_>>());
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;
    file
}

fn semi_sync(sandbox: &Sandbox) {
    sandbox.run("semisync", &["--source", &sandbox.ports[0].to_string()]);
}

/// A server takes writes now, whatever we think of it.
fn is_writeable(sandbox: &Sandbox, port: u16) -> bool {
    matches!(sandbox.sql(port, "SELECT @@global.read_only").trim(), "0" | "OFF")
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_source_is_replaced_and_no_acknowledged_write_is_lost(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 3);
    semi_sync(&sandbox);
    let service = Service::start().await;
    let took = service.discover(sandbox.ports[2], 4).await;
    println!("{flavor}: whole tree known after {took:?}");
    service.settled().await;
    let file = load(&sandbox, &sandbox.ports[..1]).await;

    let killed = std::time::Instant::now();
    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    println!("{flavor}: recovered {:?} after the kill", killed.elapsed());
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    let successor = recovery.successor.clone().expect("a successor").port;

    sandbox.run("stop-load", &[]);
    assert_eq!(missing(&sandbox, successor, &acknowledged(&file)), [] as [String; 0], "lost writes");
    assert!(is_writeable(&sandbox, successor));
    for port in sandbox.ports[1..].iter().filter(|p| **p != successor) {
        assert!(!is_writeable(&sandbox, *port), "two servers take writes");
        let replica = service.server(*port);
        assert_eq!(replica.replication.source, key(successor));
        assert!(replica.replication.is_running(), "{:?}", replica.replication);
        assert_eq!(replica.cluster_name, key(successor).to_string());
    }
    assert!(recovery.steps.iter().all(|s| s.ended.is_some()), "each step is recorded with its end");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_were_received_but_not_applied_survive(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    semi_sync(&sandbox);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    let stop = if flavor == "mysql" { "STOP REPLICA SQL_THREAD" } else { "STOP SLAVE SQL_THREAD" };
    for port in &sandbox.ports[1..] {
        sandbox.sql(*port, stop);
    }
    let file = load(&sandbox, &sandbox.ports[..1]).await;

    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    sandbox.run("stop-load", &[]);
    let successor = recovery.successor.clone().expect("a successor").port;
    assert_eq!(missing(&sandbox, successor, &acknowledged(&file)), [] as [String; 0], "lost writes");
}

/// Bytes of relay logs that a server has.
fn received_bytes(sandbox: &Sandbox, port: u16) -> u64 {
    let data = std::fs::read_dir(sandbox.folder(port).join("data")).expect("a folder").flatten();
    let logs = data.filter(|file| file.file_name().to_string_lossy().contains("relay"));
    logs.filter_map(|log| log.metadata().ok()).map(|log| log.len()).sum()
}

#[allow(clippy::disallowed_methods, reason = "a moment too late and the whole transaction was sent")]
fn wait_until_received(sandbox: &Sandbox, port: u16, bytes: u64) {
    while received_bytes(sandbox, port) < bytes {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// MySQL waits a minute for the rest of a transaction before it stops an applier.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_which_half_was_sent_holds_up_nobody(#[values("mariadb", "mysql")] flavor: &'static str) {
    const ROWS: usize = 150;
    let sandbox = tree(flavor, 2);
    let source = sandbox.ports[0];
    if flavor == "mysql" {
        sandbox.sql(source, "GRANT SYSTEM_USER ON *.* TO 'orchestrator'@'%'");
    }
    sandbox.sql(source, "CREATE TABLE app.large (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)");
    let service = Service::start().await;
    service.discover(source, 3).await;
    service.settled().await;

    let before = received_bytes(&sandbox, sandbox.ports[1]);
    let row = "INSERT INTO app.large (v) VALUES (REPEAT('x', 1000000));";
    std::thread::scope(|scope| {
        scope.spawn(|| sandbox.try_sql(source, &format!("BEGIN; {} COMMIT", row.repeat(ROWS))));
        wait_until_received(&sandbox, sandbox.ports[1], before + 4_000_000);
        sandbox.signal(source, "KILL");
    });
    let killed = std::time::Instant::now();
    let recovery = service.recovered(source).await;
    println!("{flavor}: recovered {:?} after the kill", killed.elapsed());
    assert!(recovery.is_successful() && recovery.lost_replicas.is_empty(), "{:#?}", recovery.story);
    let successor = recovery.successor.clone().expect("a successor").port;
    assert!(is_writeable(&sandbox, successor));
    for port in &sandbox.ports[1..] {
        assert_eq!(sandbox.sql(*port, "SELECT COUNT(*) FROM app.large"), "0", "it had all of it: {port}");
    }
    sandbox.sql(successor, "CREATE TABLE app.after (id INT PRIMARY KEY)");
    for port in sandbox.ports[1..].iter().filter(|port| **port != successor) {
        assert_eq!(service.server(*port).replication.source, key(successor));
        let arrives = || async { sandbox.try_sql(*port, "SELECT COUNT(*) FROM app.after") };
        eventually("the other one replicates", Duration::from_secs(10), arrives).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_only_we_cannot_see_is_left_alone(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    let lock = "SET SESSION sql_log_bin = 0; ALTER USER orchestrator@'%' ACCOUNT LOCK";
    sandbox.sql(sandbox.ports[0], lock);
    let ids = "SELECT id FROM information_schema.processlist WHERE user = 'orchestrator'";
    for id in sandbox.sql(sandbox.ports[0], ids).lines() {
        sandbox.sql(sandbox.ports[0], &format!("KILL {id}"));
    }
    eventually("the source is out of our sight", Duration::from_secs(10), || async {
        let findings = service.services.recovery.findings();
        findings.into_iter().find(|f| f.key == key(sandbox.ports[0]) && f.code == AnalysisCode::UnreachableSource)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(service.services.recovery.registry().list().is_empty(), "it serves its replicas: no failover");
    assert!(is_writeable(&sandbox, sandbox.ports[0]));
    for port in &sandbox.ports[1..] {
        assert!(!is_writeable(&sandbox, *port));
        assert_eq!(service.server(*port).replication.source, key(sandbox.ports[0]));
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_comes_back_is_fenced_and_starts_nothing(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);

    sandbox.start_again();
    eventually("the old source is fenced", Duration::from_secs(15), || async {
        let read_only = sandbox.try_sql(sandbox.ports[0], "SELECT @@global.read_only")?;
        matches!(read_only.trim(), "1" | "ON").then_some(())
    })
    .await;
    if flavor == "mysql" {
        assert_eq!(sandbox.sql(sandbox.ports[0], "SELECT @@global.super_read_only").trim(), "1");
    }
    eventually("fencing is in the audit", Duration::from_secs(5), || async {
        let audit = service.services.audit.page(Some(&key(sandbox.ports[0])), 0).await.expect("the backend answers");
        audit.into_iter().find(|row| row.kind == "fence" && row.message.starts_with("came back writeable"))
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(service.services.recovery.registry().list().len(), 1, "no second recovery");
    assert!(is_writeable(&sandbox, recovery.successor.clone().expect("a successor").port));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_hangs_holds_up_no_step_of_its_replacement(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    semi_sync(&sandbox);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    let file = load(&sandbox, &sandbox.ports[..1]).await;

    // Its connections stay, and nobody answers on them.
    sandbox.run("pause", &["--port", &sandbox.ports[0].to_string()]);
    // A replica whose receiver has not timed out yet may send the first attempt back ("it still receives"): the next
    // one follows when it has.
    let recovery = eventually("the source is replaced", Duration::from_secs(30), || async {
        service.services.recovery.registry().list().into_iter().find(|r| r.is_successful())
    })
    .await;
    // One read that waits out the time-outs of its connection takes longer than this (MySQLDiscoveryReadTimeoutSeconds, 10).
    let took = recovery.ended.expect("it ended") - recovery.started;
    assert!(took < chrono::TimeDelta::seconds(8), "{took}: {:#?}", recovery.story);
    let successor = recovery.successor.clone().expect("a successor").port;
    let acknowledged = acknowledged(&file);
    assert_eq!(missing(&sandbox, successor, &acknowledged), [] as [String; 0], "lost writes");

    sandbox.run("resume", &["--port", &sandbox.ports[0].to_string()]);
    eventually("it is fenced", Duration::from_secs(30), || async {
        let read_only = sandbox.try_sql(sandbox.ports[0], "SELECT @@global.read_only")?;
        matches!(read_only.trim(), "1" | "ON").then_some(())
    })
    .await;
    sandbox.run("stop-load", &[]);
}
