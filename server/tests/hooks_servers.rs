//! Hooks, publication and webhooks around recoveries of real servers: order, environment, veto, what the stores hold.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::time::Duration;

use app::recovery::{HookList, RecoveryState};
use orchestrator::recovery::RecoveryRequest;
use serde_json::json;
use support::service::{Service, actor, key, tree};
use support::{Sandbox, eventually};

/// A hook of each list that writes a line: its list, then what it was told by text and by environment.
fn recorder(log: &Path) -> serde_json::Value {
    let lists = [
        "OnFailureDetectionProcesses",
        "PreGracefulTakeoverProcesses",
        "PreFailoverProcesses",
        "FencingProcesses",
        "PostMasterFailoverProcesses",
        "PostIntermediateMasterFailoverProcesses",
        "PostFailoverProcesses",
        "PostUnsuccessfulFailoverProcesses",
        "PostGracefulTakeoverProcesses",
    ];
    let at = log.display();
    let line = |list: &str| {
        format!(
            "echo \"{list} {{failureType}} {{failedPort}} {{successorPort}} {{isSuccessful}} $ORC_FAILED_PORT \
             ${{ORC_SUCCESSOR_PORT:-none}} ${{ORC_COMMAND:-automatic}}\" >> {at}"
        )
    };
    let hooks = lists.iter().map(|list| ((*list).to_owned(), json!([line(list)])));
    let mut keys: serde_json::Map<String, serde_json::Value> = hooks.collect();
    keys.insert("DetectClusterAliasQuery".to_owned(), json!("SELECT 'orders'"));
    keys.into()
}

fn lines(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Lists of the lines, each once in a row: detections before the one that counts may differ.
fn lists(log: &Path) -> Vec<String> {
    let mut lists: Vec<String> = lines(log).iter().filter_map(|l| l.split(' ').next().map(str::to_owned)).collect();
    lists.dedup();
    lists
}

async fn published(service: &Service) -> Option<String> {
    service.services.store.kv("mysql/master/orders").await.expect("the backend answers")
}

fn is_writeable(sandbox: &Sandbox, port: u16) -> bool {
    matches!(sandbox.sql(port, "SELECT @@global.read_only").trim(), "0" | "OFF")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_runs_its_hooks_in_order_and_publishes_its_primary() {
    let sandbox = tree("mariadb", 2);
    let log = sandbox.dir().join("hooks.log");
    let service = Service::start_with(recorder(&log)).await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    eventually("the living primary is published", Duration::from_secs(15), || async {
        published(&service).await.filter(|held| *held == key(sandbox.ports[0]).to_string())
    })
    .await;

    sandbox.kill(sandbox.ports[0]);
    let uid = service.recovered(sandbox.ports[0]).await.uid.clone();
    let recovery = eventually("all is done", Duration::from_secs(20), || async {
        service.services.recovery.registry().find(&uid).filter(|r| r.is_concluded())
    })
    .await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.errors.iter().filter(|e| e.contains("publication")).count(), 0, "{:?}", recovery.errors);
    let expected = [
        "OnFailureDetectionProcesses",
        "PreFailoverProcesses",
        "FencingProcesses",
        "PostMasterFailoverProcesses",
        "PostFailoverProcesses",
    ];
    assert_eq!(lists(&log), expected, "{:#?}", lines(&log));
    let (failed, successor) = (sandbox.ports[0], recovery.successor.clone().expect("a successor").port);
    let told = lines(&log);
    let before = format!("PreFailoverProcesses DeadMaster {failed} {{successorPort}} false {failed} none automatic");
    assert!(told.contains(&before), "{told:#?}");
    let after = format!("PostFailoverProcesses DeadMaster {failed} {successor} true {failed} {successor} automatic");
    assert!(told.contains(&after), "{told:#?}");
    assert!(recovery.hooks.iter().all(|run| run.exit_code == Some(0) && run.ended.is_some()), "{:#?}", recovery.hooks);

    assert_eq!(published(&service).await, Some(key(successor).to_string()));
    let port = service.services.store.kv("mysql/master/orders/port").await.expect("the backend answers");
    assert_eq!(port, Some(successor.to_string()));

    let story = service.services.store.recovery_story(&uid).await.expect("the backend answers");
    let has = |text: &str| story.iter().any(|line| line.message.contains(text));
    assert!(has("Running PreFailoverProcesses hook 1 of 1") && has("Completed PostFailoverProcesses hook 1 of 1 in"));
    assert!(has("as the primary of orders (internal)"), "{story:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_failover_hook_that_fails_forbids_the_recovery() {
    let sandbox = tree("mariadb", 2);
    let log = sandbox.dir().join("hooks.log");
    let mut keys = recorder(&log);
    let second = sandbox.dir().join("second");
    keys["PreFailoverProcesses"] = json!(["echo no; exit 7", format!("touch {}", second.display())]);
    let service = Service::start_with(keys).await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;

    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    let RecoveryState::Failed { reason } = &recovery.state else { panic!("{recovery:#?}") };
    assert!(reason.starts_with("hook-veto") && reason.contains("exit status 7"), "{reason}");
    assert!(!second.exists(), "the list ends at its first failure");
    for port in &sandbox.ports[1..] {
        assert!(!is_writeable(&sandbox, *port));
        assert_eq!(service.server(*port).replication.source, key(sandbox.ports[0]), "nothing was changed");
    }
    let steps = recovery.steps.iter().filter(|s| !s.step.statements.is_empty()).count();
    assert_eq!(steps, 0, "no statement was sent: {:#?}", recovery.steps);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lists(&log), ["OnFailureDetectionProcesses"], "no further hook runs");
    assert_eq!(service.services.recovery.registry().list().len(), 1, "it is not tried again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_fencing_hook_that_fails_rolls_the_recovery_back() {
    let sandbox = tree("mysql", 2);
    let log = sandbox.dir().join("hooks.log");
    let mut keys = recorder(&log);
    keys["FencingProcesses"] = json!(["exit 1"]);
    let service = Service::start_with(keys).await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    sandbox.kill(sandbox.ports[0]);
    let recovery = service.recovered(sandbox.ports[0]).await;
    let RecoveryState::Failed { reason } = &recovery.state else { panic!("{recovery:#?}") };
    assert!(reason.starts_with("fencing-failed"), "{reason}");
    for port in &sandbox.ports[1..] {
        assert!(!is_writeable(&sandbox, *port));
        assert_eq!(service.server(*port).replication.source, key(sandbox.ports[0]), "put back below its source");
    }
    eventually("the end is told", Duration::from_secs(5), || async {
        (lists(&log).last().map(String::as_str) == Some("PostUnsuccessfulFailoverProcesses")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_runs_its_hooks_in_order_and_a_failing_last_one_is_told() {
    let sandbox = tree("mysql", 2);
    let log = sandbox.dir().join("hooks.log");
    let mut keys = recorder(&log);
    let last = format!("echo PostGracefulTakeoverProcesses >> {}; exit 9", log.display());
    keys["PostGracefulTakeoverProcesses"] = json!([last]);
    let service = Service::start_with(keys).await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    let cluster = service.server(sandbox.ports[0]).cluster_name.clone();
    let designated = Some(key(sandbox.ports[1]));
    let request = RecoveryRequest::Takeover { cluster, designated, auto: true };
    let takeover = service.services.recovery.run_to_end(&request, &actor()).await.expect("it begins");
    assert!(takeover.is_successful(), "{:#?}", takeover.story);
    let expected = [
        "PreGracefulTakeoverProcesses",
        "OnFailureDetectionProcesses",
        "PreFailoverProcesses",
        "PostMasterFailoverProcesses",
        "PostFailoverProcesses",
        "PostGracefulTakeoverProcesses",
    ];
    assert_eq!(lists(&log), expected);
    let (old, new) = (sandbox.ports[0], sandbox.ports[1]);
    let first =
        format!("PreGracefulTakeoverProcesses DeadMaster {old} {new} true {old} {new} graceful-master-takeover");
    assert_eq!(lines(&log)[0], first);
    assert!(takeover.errors.iter().any(|e| e.contains("PostGracefulTakeoverProcesses")), "{:?}", takeover.errors);
    let failed = takeover.hooks.iter().find(|run| run.is_failure()).expect("the failure is recorded");
    assert_eq!((failed.list, failed.exit_code), (HookList::PostGracefulTakeover, Some(9)));
    assert_eq!(published(&service).await, Some(key(new).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_node_had_begun_after_a_recovery_is_finished_by_the_next() {
    let sandbox = tree("mariadb", 2);
    let log = sandbox.dir().join("hooks.log");
    let mut keys = recorder(&log);
    let gate = sandbox.dir().join("gate");
    let slow = format!("echo slow $ORC_HOOK_ATTEMPT >> {}; test -e {} || sleep 30", log.display(), gate.display());
    keys["PostFailoverProcesses"] = json!([slow, format!("echo after >> {}", log.display())]);
    let service = Service::start_with(keys.clone()).await;
    service.discover(sandbox.ports[0], 3).await;
    service.settled().await;
    sandbox.kill(sandbox.ports[0]);
    let uid = service.recovered(sandbox.ports[0]).await.uid.clone();
    eventually("the hook runs", Duration::from_secs(10), || async {
        lines(&log).contains(&"slow 1".to_owned()).then_some(())
    })
    .await;
    std::fs::write(&gate, "").expect("it can be written");
    let service = service.restart_with(keys).await;
    let recovery = eventually("the next process ends it", Duration::from_secs(15), || async {
        service.services.recovery.registry().find(&uid).filter(|r| r.is_concluded())
    })
    .await;
    assert!(recovery.is_successful());
    let told = lines(&log);
    let of = |word: &str| told.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!(of("PostMasterFailoverProcesses"), 1, "what had ended is not run again: {told:#?}");
    assert_eq!((of("slow 1"), of("slow 2"), of("after")), (1, 1, 1), "{told:#?}");
    let interrupted = recovery.hooks.iter().find(|run| run.attempt == 1 && run.ended.is_none());
    assert!(interrupted.is_some(), "the record shows the run that was cut off: {:#?}", recovery.hooks);
}
