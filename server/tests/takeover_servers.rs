//! Planned takeovers and dead intermediate sources on real servers, both families.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use orchestrator::recovery::RecoveryRequest;
use rstest::rstest;
use support::service::{Service, acknowledged, actor, key, missing, tree};
use support::{Sandbox, eventually};

fn is_writeable(sandbox: &Sandbox, port: u16) -> bool {
    matches!(sandbox.sql(port, "SELECT @@global.read_only").trim(), "0" | "OFF")
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_planned_takeover_loses_nothing_and_leaves_the_old_source_as_a_replica(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 3);
    sandbox.run("semisync", &["--source", &sandbox.ports[0].to_string()]);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 4).await;
    let file = sandbox.dir().join("acknowledged");
    let mut load: Vec<String> = sandbox.ports.iter().flat_map(|p| ["--port".to_owned(), p.to_string()]).collect();
    load.extend(["--out".to_owned(), file.display().to_string(), "--interval-ms".to_owned(), "2".to_owned()]);
    sandbox.run("load", &load.iter().map(String::as_str).collect::<Vec<_>>());
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;

    let cluster = service.server(sandbox.ports[0]).cluster_name.clone();
    let designated = sandbox.ports[1];
    let request = RecoveryRequest::Takeover { cluster, designated: Some(key(designated)), auto: true };
    let takeover = service.services.recovery.run_to_end(&request, &actor()).await.expect("it begins");
    assert!(takeover.is_successful(), "{:#?}", takeover.story);
    assert_eq!(takeover.successor, Some(key(designated)));
    let before = acknowledged(&file).len();
    eventually("writes go on at the new source", Duration::from_secs(10), || async {
        (acknowledged(&file).len() > before + 20).then_some(())
    })
    .await;
    sandbox.run("stop-load", &[]);

    assert_eq!(missing(&sandbox, designated, &acknowledged(&file)), [] as [String; 0], "lost writes");
    assert!(is_writeable(&sandbox, designated));
    for port in sandbox.ports.iter().filter(|p| **p != designated) {
        assert!(!is_writeable(&sandbox, *port), "two servers take writes");
        let port = *port;
        let service = &service;
        eventually("it replicates from the new source", Duration::from_secs(10), || async move {
            let replica = service.server(port);
            (replica.replication.source == key(designated) && replica.replication.is_running()).then_some(())
        })
        .await;
    }
    eventually("the takeover acknowledged itself", Duration::from_secs(5), || async {
        service.services.recovery.registry().find(&takeover.uid).and_then(|r| r.acknowledged.clone())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_replicas_of_a_dead_intermediate_source_find_another(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, middle, leaf] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    let down = app::api::Operation::Relocate { server: key(leaf), below: key(middle) };
    service.services.refactor.run(&down, &actor()).await.expect("a chain");
    service.settled().await;

    sandbox.kill(middle);
    let recovery = service.recovered(middle).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.successor, Some(key(source)));
    assert_eq!(service.server(leaf).replication.source, key(source));
    assert!(service.server(leaf).replication.is_running());
    assert!(is_writeable(&sandbox, source) && !is_writeable(&sandbox, leaf));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_that_cannot_be_is_refused_and_changes_nothing(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let service = Service::start().await;
    service.discover(sandbox.ports[0], 3).await;
    let cluster = service.server(sandbox.ports[0]).cluster_name.clone();
    for designated in [key(sandbox.ports[0]), key(1)] {
        let request = RecoveryRequest::Takeover { cluster: cluster.clone(), designated: Some(designated), auto: true };
        let ended = service.services.recovery.run_to_end(&request, &actor()).await;
        assert!(ended.as_ref().is_ok_and(|r| !r.is_successful()) || ended.is_err(), "{ended:?}");
    }
    let nobody = RecoveryRequest::Takeover { cluster: "nobody:1".to_owned(), designated: None, auto: true };
    let error = service.services.recovery.run_to_end(&nobody, &actor()).await.expect_err("no such cluster");
    assert!(error.to_string().contains("nobody:1"), "{error}");
    assert!(is_writeable(&sandbox, sandbox.ports[0]));
    for port in &sandbox.ports[1..] {
        assert!(!is_writeable(&sandbox, *port));
        assert_eq!(service.server(*port).replication.source, key(sandbox.ports[0]));
        assert!(service.server(*port).replication.is_running());
    }
}

/// A statement that holds a lock for a minute, in a session of its own; the process ends with the session.
fn long_statement(sandbox: &Sandbox, port: u16) -> std::process::Child {
    sandbox.sql(port, "CREATE TABLE app.slow (id INT PRIMARY KEY); INSERT INTO app.slow VALUES (1)");
    let statement = "UPDATE app.slow SET id = id + 1 WHERE SLEEP(60) = 0";
    std::process::Command::new(support::project_dir().join("scripts/sandbox"))
        .args(["sql", "--dir", &sandbox.dir().display().to_string(), "--port", &port.to_string(), statement])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a session")
}

/// Sessions at work on that statement.
fn at_work(sandbox: &Sandbox, port: u16) -> String {
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE app.slow%'";
    sandbox.sql(port, count).trim().to_owned()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_in_the_way_ends_or_the_takeover_is_put_back(
    #[values("mariadb", "mysql")] flavor: &'static str,
    #[values("wait", "kill")] policy: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let [source, designated, other] = sandbox.ports[..] else { panic!("three servers") };
    let keys = serde_json::json!({"TakeoverSessionPolicy": policy, "TakeoverSessionWaitSeconds": 1});
    let service = Service::start_with(keys).await;
    if flavor == "mysql" {
        // The sandbox's sessions are root's, which only an account like root may end.
        sandbox.sql(source, "GRANT SYSTEM_USER ON *.* TO orchestrator@'%'");
    }
    let mut session = long_statement(&sandbox, source);
    eventually("the statement runs", Duration::from_secs(10), || async {
        (at_work(&sandbox, source) == "1").then_some(())
    })
    .await;
    service.discover(source, 3).await;

    let cluster = service.server(source).cluster_name.clone();
    let request = RecoveryRequest::Takeover { cluster, designated: Some(key(designated)), auto: true };
    let began = std::time::Instant::now();
    let ended = service.services.recovery.run_to_end(&request, &actor()).await.expect("it begins");
    println!("{flavor}, {policy}: over after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let (primary, replica) = match policy {
        "kill" => {
            assert!(ended.is_successful(), "{:#?}", ended.story);
            (designated, source)
        }
        _ => {
            assert!(format!("{:?}", ended.state).contains("TakeoverSessionPolicy"), "{:#?}", ended.story);
            assert_eq!(at_work(&sandbox, source), "1", "nobody was disturbed");
            (source, designated)
        }
    };
    assert!(is_writeable(&sandbox, primary) && !is_writeable(&sandbox, replica));
    for port in [replica, other] {
        let (service, primary) = (&service, key(primary));
        eventually("it replicates from the primary", Duration::from_secs(10), || async {
            let replica = service.server(port);
            (replica.replication.source == primary && replica.replication.is_running()).then_some(())
        })
        .await;
    }
    eventually("it acknowledged itself", Duration::from_secs(5), || async {
        service.services.recovery.registry().find(&ended.uid).and_then(|r| r.acknowledged.clone())
    })
    .await;
    drop(sandbox);
    session.wait().expect("the session ends with its server");
}
