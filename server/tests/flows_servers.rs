//! Recoveries that are not of a dead source alone, on real servers, both families: a co-source that dies, a source that is read-only,
//! semi-sync that is short of acknowledgements or has too many. MySQL alone: a member of a replication group that had a replica.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::finding::AnalysisCode;
use app::recovery::{RecoveryKind, RecoveryState};
use orchestrator::recovery::{RecoverError, RecoveryRequest};
use rstest::rstest;
use serde_json::json;
use support::service::{Service, acknowledged, actor, key, missing, replicate_by_position, tree, tree_without_gtid};
use support::{Sandbox, eventually};

fn is_writeable(sandbox: &Sandbox, port: u16) -> bool {
    matches!(sandbox.sql(port, "SELECT @@global.read_only").trim(), "0" | "OFF")
}

/// The recovery of a kind, once it has ended.
async fn ended(service: &Service, kind: RecoveryKind) -> std::sync::Arc<app::recovery::Recovery> {
    eventually("the recovery ends", Duration::from_secs(30), || async {
        service.services.recovery.registry().list().into_iter().find(|r| r.kind == kind && !r.is_running())
    })
    .await
}

/// The first server also replicates from the second one, and goes on taking writes.
fn close_ring(sandbox: &Sandbox) {
    let (first, second) = (sandbox.ports[0].to_string(), sandbox.ports[1].to_string());
    sandbox.run("replicate", &["--source", &second, "--port", &first]);
    sandbox.sql(sandbox.ports[0], "SET GLOBAL read_only = OFF");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn when_a_co_source_dies_the_other_one_takes_over(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [dead, other, replica] = sandbox.ports[..] else { panic!("three servers") };
    sandbox.run("semisync", &["--source", &dead.to_string()]);
    close_ring(&sandbox);
    let service = Service::start().await;
    service.discover(dead, 3).await;
    eventually("the ring is seen", Duration::from_secs(10), || async {
        let ring = [dead, other].map(|port| service.server(port));
        ring.iter().all(|s| s.is_co_source && s.replication.is_running()).then_some(())
    })
    .await;
    service.settled().await;
    let file = sandbox.dir().join("acknowledged");
    let out = file.display().to_string();
    sandbox.run("load", &["--port", &dead.to_string(), "--out", &out, "--interval-ms", "2"]);
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;

    sandbox.kill(dead);
    let recovery = ended(&service, RecoveryKind::CoSource).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!((&recovery.finding.key, &recovery.successor), (&key(dead), &Some(key(other))));
    sandbox.run("stop-load", &[]);
    assert_eq!(missing(&sandbox, other, &acknowledged(&file)), [] as [String; 0], "lost writes");
    assert!(is_writeable(&sandbox, other) && !is_writeable(&sandbox, replica));
    assert!(!service.server(other).is_replica(), "the ring is broken");
    let follower = service.server(replica);
    assert!(follower.replication.source == key(other) && follower.replication.is_running(), "{follower:?}");
    eventually("the cluster has the name of its new primary", Duration::from_secs(5), || async {
        (service.server(replica).cluster_name == key(other).to_string()).then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_gtid_a_killed_source_is_replaced_and_replicas_find_their_places(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree_without_gtid(flavor, 3);
    let [source, a, b, late] = sandbox.ports[..] else { panic!("four servers") };
    let acknowledging =
        ["--source", &source.to_string(), "--replica", &a.to_string(), "--replica", &b.to_string()].map(str::to_owned);
    sandbox.run("semisync", &acknowledging.iter().map(String::as_str).collect::<Vec<_>>());
    let service = Service::start_with(json!({"AutoPseudoGTID": true})).await;
    service.discover(source, 4).await;
    service.has_entries(&[source, a, b, late]).await;
    let file = sandbox.dir().join("acknowledged");
    let out = file.display().to_string();
    sandbox.run("load", &["--port", &source.to_string(), "--out", &out, "--interval-ms", "2"]);
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;
    // One replica is behind when the source dies, and its receiver is stopped on purpose.
    let word = if flavor == "mysql" { "REPLICA" } else { "SLAVE" };
    sandbox.sql(late, &format!("STOP {word} IO_THREAD"));
    let before = acknowledged(&file).len();
    eventually("it falls behind", Duration::from_secs(10), || async {
        (acknowledged(&file).len() > before + 50).then_some(())
    })
    .await;

    sandbox.kill(source);
    let recovery = service.recovered(source).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    sandbox.run("stop-load", &[]);
    let successor = recovery.successor.clone().expect("a successor").port;
    assert!([a, b].contains(&successor), "{successor} was behind: {:#?}", recovery.story);
    assert_eq!(missing(&sandbox, successor, &acknowledged(&file)), [] as [String; 0], "lost writes");
    assert!(is_writeable(&sandbox, successor));
    let other = if successor == a { b } else { a };
    assert!(!is_writeable(&sandbox, other) && !is_writeable(&sandbox, late));

    sandbox.sql(successor, "INSERT INTO app.writes (id, origin) VALUES (1, 0)");
    for port in [other, late] {
        assert_eq!(service.server(port).replication.source, key(successor), "{port}: {:#?}", recovery.story);
    }
    sandbox.sql(late, &format!("START {word}"));
    let count = sandbox.sql(successor, "SELECT COUNT(*) FROM app.writes");
    for port in [other, late] {
        eventually("the replicas have it all", Duration::from_secs(15), || async {
            (sandbox.sql(port, "SELECT COUNT(*) FROM app.writes") == count).then_some(())
        })
        .await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_gtid_a_living_source_is_taken_over_under_load_and_the_next_one_replaced_by_force(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree_without_gtid(flavor, 2);
    let [first, second, third] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(first, 3).await;
    let file = sandbox.dir().join("acknowledged");
    let out = file.display().to_string();
    sandbox.run("load", &["--port", &first.to_string(), "--out", &out, "--interval-ms", "2"]);
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;
    let recovery = &service.services.recovery;
    let all_below = |primary: u16, others: [u16; 2]| {
        for port in others {
            let server = service.server(port);
            assert!(server.replication.source == key(primary) && !is_writeable(&sandbox, port), "{port}: {server:?}");
        }
        assert!(is_writeable(&sandbox, primary) && !service.server(primary).is_replica());
    };

    let cluster = service.server(first).cluster_name.clone();
    let request = RecoveryRequest::Takeover { cluster, designated: Some(key(second)), auto: true };
    let ended = recovery.run_to_end(&request, &actor()).await.expect("it begins");
    assert!(ended.is_successful() && ended.lost_replicas.is_empty(), "{:#?}", ended.story);
    sandbox.run("stop-load", &[]);
    assert_eq!(missing(&sandbox, second, &acknowledged(&file)), [] as [String; 0], "lost writes");
    all_below(second, [first, third]);

    sandbox.sql(second, "INSERT INTO app.writes (id, origin) VALUES (1, 0)");
    let cluster = eventually("the cluster has its new name", Duration::from_secs(10), || async {
        Some(service.server(third).cluster_name.clone()).filter(|name| *name == key(second).to_string())
    })
    .await;
    let request = RecoveryRequest::Force { cluster, designated: Some(key(third)), accept_loss_of: None };
    let ended = recovery.run_to_end(&request, &actor()).await.expect("it begins");
    assert!(ended.is_successful() && ended.lost_replicas.is_empty(), "{:#?}", ended.story);
    let old = service.server(first);
    assert!(old.replication.source == key(third) && old.replication.is_running(), "{:#?}", ended.story);
    assert!(is_writeable(&sandbox, third) && !is_writeable(&sandbox, second), "the one that was replaced is fenced");
    sandbox.sql(third, "INSERT INTO app.writes (id, origin) VALUES (2, 0)");
    let count = sandbox.sql(third, "SELECT COUNT(*) FROM app.writes");
    eventually("what is left has it all", Duration::from_secs(15), || async {
        (sandbox.sql(first, "SELECT COUNT(*) FROM app.writes") == count).then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_gtid_replicas_of_a_killed_intermediate_source_go_elsewhere_by_pseudo_gtid(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree_without_gtid(flavor, 4);
    let [source, dead, a, b, _sibling] = sandbox.ports[..] else { panic!("five servers") };
    let (stop, reset) =
        if flavor == "mysql" { ("STOP REPLICA", "RESET REPLICA ALL") } else { ("STOP SLAVE", "RESET SLAVE ALL") };
    for port in [a, b] {
        sandbox.sql(port, &format!("{stop}; {reset}"));
        replicate_by_position(&sandbox, dead, port);
    }
    let service = Service::start_with(json!({"AutoPseudoGTID": true})).await;
    service.discover(source, 5).await;
    service.has_entries(&sandbox.ports).await;
    service.settled().await;
    let file = sandbox.dir().join("acknowledged");
    let out = file.display().to_string();
    sandbox.run("load", &["--port", &source.to_string(), "--out", &out, "--interval-ms", "2"]);
    eventually("the load runs", Duration::from_secs(10), || async { (acknowledged(&file).len() > 50).then_some(()) })
        .await;

    sandbox.kill(dead);
    let recovery = service.recovered(dead).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.kind, RecoveryKind::IntermediateSource);
    sandbox.run("stop-load", &[]);
    for port in [a, b] {
        let channel = service.server(port).replication.clone();
        assert!(channel.source != key(dead) && channel.is_running(), "{port}: {:#?}", recovery.story);
        eventually("the replicas have it all", Duration::from_secs(15), || async {
            missing(&sandbox, port, &acknowledged(&file)).is_empty().then_some(())
        })
        .await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn when_a_passive_co_source_dies_the_active_one_goes_on_taking_writes(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 1);
    let [active, passive] = sandbox.ports[..] else { panic!("two servers") };
    close_ring(&sandbox);
    sandbox.sql(active, "CREATE TABLE app.written_here (id INT PRIMARY KEY)");
    let service = Service::start().await;
    service.discover(active, 2).await;
    service.settled().await;

    sandbox.kill(passive);
    let recovery = ended(&service, RecoveryKind::CoSource).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.successor, Some(key(active)));
    assert!(is_writeable(&sandbox, active));
    assert!(!service.server(active).is_replica(), "the ring is broken");
    sandbox.sql(active, "INSERT INTO app.written_here VALUES (1)");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_made_read_only_takes_writes_again_and_can_still_be_replaced(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let source = sandbox.ports[0];
    let service = Service::start_with(json!({"RecoverNonWriteableMaster": true})).await;
    service.discover(source, 3).await;
    service.settled().await;

    sandbox.sql(source, "SET GLOBAL read_only = ON");
    let repair = ended(&service, RecoveryKind::ReadOnlySource).await;
    assert!(repair.is_successful(), "{:#?}", repair.story);
    assert_eq!(repair.finding.code, AnalysisCode::NoWriteableSource);
    assert!(is_writeable(&sandbox, source));
    assert!(service.services.fleet.snapshot().annotations.downtime.is_empty(), "nobody was left behind");
    assert_eq!(service.server(source).cluster_name, key(source).to_string());

    // A minute ago it was its own successor: with the original that holds up its failover for an hour.
    sandbox.kill(source);
    let failover = ended(&service, RecoveryKind::Source).await;
    assert!(failover.is_successful(), "{:#?}", failover.story);
    let successor = failover.successor.clone().expect("a successor").port;
    assert!(is_writeable(&sandbox, successor));

    // It comes back read-only and must stay so, whatever the switch says.
    sandbox.start_again();
    tokio::time::sleep(Duration::from_secs(4)).await;
    eventually("the old source is fenced", Duration::from_secs(15), || async {
        let read_only = sandbox.try_sql(source, "SELECT @@global.read_only")?;
        matches!(read_only.trim(), "1" | "ON").then_some(())
    })
    .await;
    let repairs = service.services.recovery.registry().list().into_iter();
    assert_eq!(repairs.filter(|r| r.kind == RecoveryKind::ReadOnlySource).count(), 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn writes_whose_only_holders_died_are_named_and_given_up_only_by_name(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let [source, holder, left] = sandbox.ports[..] else { panic!("three servers") };
    let word = semi_sync_names(flavor).2;
    let service = Service::start().await;
    service.discover(source, 3).await;
    service.settled().await;
    sandbox.sql(left, &format!("STOP {word} IO_THREAD"));
    sandbox.sql(source, "CREATE TABLE app.held_by_the_dead (id INT PRIMARY KEY)");
    let known = |port| service.server(port).executed_gtid.clone();
    eventually("the last poll saw it on both", Duration::from_secs(10), || async {
        (known(source) != known(left) && known(source) == known(holder)).then_some(())
    })
    .await;

    sandbox.run("kill", &["--port", &source.to_string(), "--port", &holder.to_string()]);
    let refused = ended(&service, RecoveryKind::Source).await;
    let RecoveryState::Failed { reason } = &refused.state else { panic!("{:#?}", refused.story) };
    assert!(reason.starts_with("data-at-risk"), "{reason}");
    let at_risk = reason.split("transactions at risk: ").nth(1).expect("named").to_owned();
    assert!(!is_writeable(&sandbox, left));

    let cluster = service.server(source).cluster_name.clone();
    let force = |accept_loss_of| RecoveryRequest::Force { cluster: cluster.clone(), designated: None, accept_loss_of };
    let nonsense = service.services.recovery.run_to_end(&force(Some("some".to_owned())), &actor()).await;
    assert!(nonsense.expect_err("no list of transactions").to_string().contains("some"));
    // A recovery whose end is on record may hold the cluster for a moment yet.
    let run = async |request: RecoveryRequest| {
        eventually("it begins", Duration::from_secs(10), || async {
            match service.services.recovery.run_to_end(&request, &actor()).await {
                Err(RecoverError::Held(_)) => None,
                begun => Some(begun.expect("it begins")),
            }
        })
        .await
    };
    let unnamed = run(force(None)).await;
    assert!(!unnamed.is_successful(), "not even by force: {:#?}", unnamed.story);
    let forced = run(force(Some(at_risk.clone()))).await;
    assert!(forced.is_successful(), "{:#?}", forced.story);
    assert_eq!(forced.successor, Some(key(left)));
    assert!(is_writeable(&sandbox, left));
    assert!(forced.story.iter().any(|l| l.message.contains("accepted by name")), "{:#?}", forced.story);
}

/// Names of the semi-sync switch of a replica, and of the count a source tells.
fn semi_sync_names(flavor: &str) -> (&'static str, &'static str, &'static str) {
    match flavor {
        "mysql" => ("rpl_semi_sync_replica_enabled", "Rpl_semi_sync_source_clients", "REPLICA"),
        _ => ("rpl_semi_sync_slave_enabled", "Rpl_semi_sync_master_clients", "SLAVE"),
    }
}

fn acknowledgers(sandbox: &Sandbox, flavor: &str) -> u64 {
    let (_, clients, _) = semi_sync_names(flavor);
    let told = sandbox.sql(sandbox.ports[0], &format!("SHOW GLOBAL STATUS LIKE '{clients}'"));
    told.trim().rsplit('\t').next().and_then(|n| n.parse().ok()).expect("a number")
}

fn acknowledges(sandbox: &Sandbox, flavor: &str, port: u16) -> bool {
    let (switch, _, _) = semi_sync_names(flavor);
    matches!(sandbox.sql(port, &format!("SELECT @@global.{switch}")).trim(), "1" | "ON")
}

/// The last server comes first.
fn priority_by_port(sandbox: &Sandbox) -> String {
    format!("SELECT IF(@@port = {}, 9, 1)", sandbox.ports[2])
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_source_locked_for_lack_of_acknowledgements_is_unlocked(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let (source, best) = (sandbox.ports[0], sandbox.ports[2]);
    sandbox.run("semisync", &["--source", &source.to_string(), "--timeout", "600000"]);
    let (switch, _, word) = semi_sync_names(flavor);
    let service = Service::start_with(json!({
        "RecoverLockedSemiSyncMaster": true,
        "ReasonableLockedSemiSyncMasterSeconds": 1,
        "DetectSemiSyncEnforcedQuery": priority_by_port(&sandbox),
    }))
    .await;
    service.discover(source, 3).await;
    service.settled().await;
    for port in &sandbox.ports[1..] {
        sandbox.sql(*port, &format!("SET GLOBAL {switch} = OFF; STOP {word} IO_THREAD; START {word} IO_THREAD"));
    }

    let recovery = ended(&service, RecoveryKind::SemiSync).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.finding.code, AnalysisCode::LockedSemiSyncSource);
    assert_eq!(acknowledgers(&sandbox, flavor), 1);
    assert!(acknowledges(&sandbox, flavor, best), "the one with the larger priority");
    assert!(!acknowledges(&sandbox, flavor, sandbox.ports[1]), "one was enough");
    let began = std::time::Instant::now();
    sandbox.sql(source, "CREATE TABLE app.after_the_lock (id INT PRIMARY KEY)");
    assert!(began.elapsed() < Duration::from_secs(5), "a write is acknowledged again");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn where_the_number_is_exact_only_the_best_acknowledge(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let (source, best) = (sandbox.ports[0], sandbox.ports[2]);
    sandbox.run("semisync", &["--source", &source.to_string()]);
    let service = Service::start_with(json!({
        "EnforceExactSemiSyncReplicas": true,
        "DetectSemiSyncEnforcedQuery": priority_by_port(&sandbox),
    }))
    .await;
    service.discover(source, 3).await;

    let recovery = ended(&service, RecoveryKind::SemiSync).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.finding.code, AnalysisCode::SourceWithTooManySemiSyncReplicas);
    assert_eq!(acknowledgers(&sandbox, flavor), 1);
    assert!(acknowledges(&sandbox, flavor, best) && !acknowledges(&sandbox, flavor, sandbox.ports[1]));
    for port in &sandbox.ports[1..] {
        assert!(service.server(*port).replication.is_running());
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_old_source_that_comes_back_becomes_a_replica_where_that_is_wanted(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let old = sandbox.ports[0];
    sandbox.sql(old, "CREATE TABLE app.before_the_death (id INT PRIMARY KEY)");
    let service = Service::start_with(json!({"RejoinReturningSource": true})).await;
    service.discover(old, 3).await;
    service.settled().await;
    sandbox.kill(old);
    let recovery = ended(&service, RecoveryKind::Source).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    let new = recovery.successor.clone().expect("a successor").port;

    // Nothing in its option file says that it is not the source any more.
    sandbox.start_one(old);
    eventually("it replicates from its successor", Duration::from_secs(40), || async {
        let seen = service.server(old);
        (seen.replication.source == key(new) && seen.replication.is_running() && seen.read_only).then_some(())
    })
    .await;
    eventually("it is an ordinary server again", Duration::from_secs(10), || async {
        service.services.fleet.annotations().downtime.is_empty().then_some(())
    })
    .await;
    sandbox.sql(new, "CREATE TABLE app.after_the_death (id INT PRIMARY KEY)");
    eventually("it gets what is written", Duration::from_secs(10), || async {
        sandbox.try_sql(old, "SELECT COUNT(*) FROM app.after_the_death").filter(|count| count == "0")
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_source_wrote_alone_is_written_down_with_its_events(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let old = sandbox.ports[0];
    let folder = sandbox.dir().join("extra");
    let keys = json!({
        "AcceptDataLoss": "always", "RecoverMasterClusterFilters": [], "ExtraTransactionsDirectory": folder,
    });
    let service = Service::start_with(keys).await;
    service.discover(old, 3).await;
    let word = if flavor == "mysql" { "REPLICA" } else { "SLAVE" };
    for port in &sandbox.ports[1..] {
        sandbox.sql(*port, &format!("STOP {word} IO_THREAD"));
    }
    sandbox.sql(old, "CREATE TABLE app.written_alone (id INT PRIMARY KEY)");
    sandbox.kill(old);
    let cluster = service.server(old).cluster_name.clone();
    let request = RecoveryRequest::Force { cluster, designated: None, accept_loss_of: None };
    let ended = service.services.recovery.run_to_end(&request, &actor()).await.expect("it begins");
    assert!(ended.is_successful(), "{:#?}", ended.story);

    sandbox.start_one(old);
    let text = eventually("the file has its events", Duration::from_secs(40), || async {
        let mut files = std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
        let file = files.find(|path| path.extension().is_some_and(|end| end == "txt"))?;
        std::fs::read_to_string(file).ok().filter(|text| text.contains("events:"))
    })
    .await;
    let events = text.split_once("events:\n").expect("all of them").1;
    assert!(events.contains("CREATE TABLE app.written_alone") && events.starts_with("binlog."), "{text}");
    assert_eq!(events.lines().filter(|line| line.contains("Gtid")).count(), 1, "nothing else: {text}");
    assert!(text.contains("--read-from-remote-server --host="), "{text}");
}

/// Three members of a group in single-primary mode, the first one its primary, and an asynchronous replica of the third.
fn group() -> Sandbox {
    let sandbox = Sandbox::start("mysql", 4);
    for port in &sandbox.ports {
        sandbox.sql(*port, "RESET BINARY LOGS AND GTIDS");
    }
    let (members, replica) = (&sandbox.ports[..3], sandbox.ports[3]);
    let told = sandbox.run("ports", &["--count", "3"]);
    let addresses: Vec<String> = told.split_whitespace().map(|port| format!("127.0.0.1:{port}")).collect();
    let seeds = addresses.join(",");
    for (port, address) in members.iter().zip(&addresses) {
        let bootstrap = if *port == members[0] { "ON" } else { "OFF" };
        let statements = format!(
            "INSTALL PLUGIN group_replication SONAME 'group_replication.so'; \
             SET GLOBAL group_replication_group_name = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'; \
             SET GLOBAL group_replication_local_address = '{address}'; \
             SET GLOBAL group_replication_group_seeds = '{seeds}'; \
             SET GLOBAL group_replication_recovery_get_public_key = ON; \
             CHANGE REPLICATION SOURCE TO SOURCE_USER = 'repl', SOURCE_PASSWORD = 'repl_password' \
             FOR CHANNEL 'group_replication_recovery'; \
             SET GLOBAL group_replication_bootstrap_group = {bootstrap}; \
             START GROUP_REPLICATION; SET GLOBAL group_replication_bootstrap_group = OFF"
        );
        sandbox.sql(*port, &statements);
    }
    sandbox.replicate(&[(members[2], replica)]);
    sandbox
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replica_of_a_dead_group_member_goes_below_another_member() {
    let sandbox = group();
    let [primary, secondary, member, replica] = sandbox.ports[..] else { panic!("four servers") };
    sandbox.sql(primary, "CREATE TABLE app.of_the_group (id INT PRIMARY KEY); INSERT INTO app.of_the_group VALUES (1)");
    let service = Service::start().await;
    service.discover(primary, 3).await;
    service.services.discovery.discover(&key(replica)).await.expect("the replica can be read");
    eventually("the group is seen", Duration::from_secs(60), || async {
        let members = [primary, secondary, member].map(|port| service.services.fleet.get(&key(port)));
        let online = members.iter().flatten().filter(|m| m.group.state == "ONLINE" && m.group.members.len() == 2);
        let follows = service.server(replica).replication.is_running();
        (online.count() == 3 && follows).then_some(())
    })
    .await;
    service.settled().await;
    let roles = [primary, secondary, member].map(|port| service.server(port).group.role.clone());
    assert_eq!(roles, ["PRIMARY", "SECONDARY", "SECONDARY"]);
    let wrong: Vec<_> = service.services.recovery.findings().into_iter().map(|f| (f.key.port, f.code)).collect();
    let problems = wrong.iter().filter(|(_, code)| *code != AnalysisCode::NoProblem).count();
    assert_eq!(problems, 0, "a healthy group: {wrong:?}");

    sandbox.kill(member);
    let recovery = ended(&service, RecoveryKind::GroupMember).await;
    assert!(recovery.is_successful(), "{:#?}", recovery.story);
    assert_eq!(recovery.finding.code, AnalysisCode::DeadGroupMemberWithReplicas);
    assert_eq!((&recovery.finding.key, &recovery.successor), (&key(member), &Some(key(secondary))), "not the primary");
    let moved = service.server(replica);
    assert!(moved.replication.source == key(secondary) && moved.replication.is_running(), "{moved:?}");
    assert!(!is_writeable(&sandbox, replica) && !is_writeable(&sandbox, secondary));

    // The group goes on, and what it commits arrives.
    eventually("a write of the group arrives", Duration::from_secs(40), || async {
        sandbox.try_sql(primary, "INSERT IGNORE INTO app.of_the_group VALUES (2)")?;
        let rows = sandbox.try_sql(replica, "SELECT COUNT(*) FROM app.of_the_group")?;
        (rows == "2").then_some(())
    })
    .await;
    let others = service.services.recovery.registry().list();
    assert_eq!(others.len(), 1, "the group heals itself: {others:#?}");
}
