//! The operations beside relocation, on real servers of both families: by position, changing places, switching GTID, skipping,
//! errant transactions, upkeep. After each the data is looked at: what one server has, the others have.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::api::{Operation, OperationView};
use app::plan::StepState;
use orchestrator::refactor::RefactorError;
use rstest::rstest;
use support::binlog_server::BinlogServer;
use support::service::{Service, actor, key, tree, tree_without_gtid};
use support::{Sandbox, eventually};

async fn run(service: &Service, operation: Operation) -> OperationView {
    let named = format!("{operation:?}");
    let done = service.services.refactor.run(&operation, &actor()).await;
    let done = done.unwrap_or_else(|error| panic!("{named}: {error}"));
    assert!(done.steps.values().all(StepState::is_done), "{named}: {:#?}", done.steps);
    done
}

async fn refused(service: &Service, operation: Operation) -> String {
    match service.services.refactor.run(&operation, &actor()).await {
        Err(RefactorError::Refused(refusal)) => refusal.rule,
        other => panic!("{operation:?}: {other:?}"),
    }
}

fn source_of(service: &Service, port: u16) -> u16 {
    service.server(port).replication.source.port
}

/// Writes on the source while something is done, and looks whether the replicas have it all in the end.
struct Writes<'a> {
    sandbox: &'a Sandbox,
    next: u64,
}

impl<'a> Writes<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, next: 1 }
    }

    fn write(&mut self, port: u16) {
        self.sandbox.sql(port, &format!("INSERT INTO app.writes (id, origin) VALUES ({}, {port})", self.next));
        self.next += 1;
    }

    async fn arrive(&self, ports: &[u16]) {
        let expected = (self.next - 1).to_string();
        for port in ports {
            eventually("all writes arrive", Duration::from_secs(10), || async {
                let count = self.sandbox.sql(*port, "SELECT COUNT(*) FROM app.writes");
                (count.trim() == expected).then_some(())
            })
            .await;
        }
    }
}

/// Puts a row in the way of the first write, which leaves no trace in any binary log.
fn obstruct(sandbox: &Sandbox, flavor: &str, port: u16) {
    let unlock = if flavor == "mysql" { "SET GLOBAL super_read_only = 0; " } else { "" };
    sandbox.sql(port, &format!("{unlock}SET sql_log_bin = 0; INSERT INTO app.writes (id, origin) VALUES (1, 0)"));
}

async fn by_position(service: &Service, ports: &[u16]) {
    for port in ports {
        run(service, Operation::DisableGtid { server: key(*port) }).await;
        let channel = service.server(*port).replication.clone();
        assert!(!channel.uses_gtid() && channel.is_running(), "{channel:?}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_gtid_servers_move_by_standing_still(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = Service::start().await;
    service.discover(source, 4).await;
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    by_position(&service, &[a, b, c]).await;
    writes.write(source);

    run(&service, Operation::MoveBelow { server: key(b), below: key(a) }).await;
    writes.write(source);
    run(&service, Operation::Relocate { server: key(c), below: key(a) }).await;
    writes.write(source);
    assert_eq!((source_of(&service, b), source_of(&service, c)), (a, a));
    writes.arrive(&[a, b, c]).await;

    run(&service, Operation::MoveUp { server: key(c) }).await;
    writes.write(source);
    assert_eq!(source_of(&service, c), source);
    run(&service, Operation::MoveUpReplicas { server: key(a), pattern: String::new() }).await;
    writes.write(source);
    assert_eq!(source_of(&service, b), source);
    for port in [a, b, c] {
        assert!(service.server(port).replication.is_running(), "{port}");
        assert!(!service.server(port).replication.uses_gtid(), "{port}");
    }
    writes.arrive(&[a, b, c]).await;

    run(&service, Operation::EnableGtid { server: key(a) }).await;
    writes.write(source);
    assert!(service.server(a).replication.uses_gtid());
    assert_eq!(refused(&service, Operation::EnableGtid { server: key(a) }).await, "gtid-used-already");
    writes.arrive(&[a, b, c]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_gtid_servers_move_by_pseudo_gtid(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree_without_gtid(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = Service::start_with(serde_json::json!({ "AutoPseudoGTID": true })).await;
    service.discover(source, 4).await;
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    service.has_entries(&[source, a, b, c]).await;
    for port in [source, a, b, c] {
        // Each server cuts its logs where it likes.
        writes.write(source);
        sandbox.sql(port, "FLUSH BINARY LOGS");
    }

    // MariaDB replicas write these otherwise than their source.
    sandbox.sql(source, "CREATE TABLE app.other (i INT PRIMARY KEY); DROP TABLE app.other");
    writes.write(source);
    let matched = run(&service, Operation::Match { server: key(b), below: key(a) }).await;
    assert!(matched.plan.steps.iter().any(|s| s.reason.contains("same events")), "{:#?}", matched.plan.steps);
    writes.write(source);
    // Not its sibling any more: by position alone it could not go there.
    run(&service, Operation::Relocate { server: key(c), below: key(b) }).await;
    writes.write(source);
    assert_eq!((source_of(&service, b), source_of(&service, c)), (a, b));
    writes.arrive(&[a, b, c]).await;
    run(&service, Operation::MatchUp { server: key(c) }).await;
    assert_eq!(source_of(&service, c), a);
    writes.write(source);
    run(&service, Operation::MatchReplicas { server: key(a), below: key(source), pattern: String::new() }).await;
    assert_eq!((source_of(&service, b), source_of(&service, c)), (source, source));
    writes.write(source);
    let regrouped = run(&service, Operation::RegroupReplicasPseudoGtid { server: key(source) }).await;
    let best = regrouped.plan.moves[0].to.port;
    for port in [a, b, c] {
        assert_eq!(source_of(&service, port), if port == best { source } else { best });
    }
    writes.write(source);
    run(&service, Operation::Rematch { server: key(best) }).await;
    writes.write(source);
    for port in [a, b, c] {
        assert!(service.server(port).replication.is_running(), "{port}");
        assert!(!service.server(port).replication.uses_gtid(), "{port}");
    }
    writes.arrive(&[a, b, c]).await;

    let refactor = &service.services.refactor;
    let last = refactor.last_pseudo_gtid(&key(best), true).await.expect("an entry");
    assert!(last.text.starts_with("drop view if exists `_pseudo_gtid_`.`_asc:"), "{last:?}");
    let there = refactor.find_binlog_entry(&key(source), &last.text).await.expect("it came from there");
    assert!(there.position > 4, "{there}");
    let place = refactor.correlate_binlog(&key(best), &key(source), None).await.expect("a place");
    assert!(place > there, "{place} is behind {there}");
    let siblings: Vec<u16> = [a, b, c].into_iter().filter(|port| *port != best).collect();
    relay_logs_of_siblings_are_compared(&service, siblings[0], siblings[1], source).await;
}

/// What one has executed last is at some place in the relay logs of the other one, and from there it is found back.
async fn relay_logs_of_siblings_are_compared(service: &Service, one: u16, other: u16, stranger: u16) {
    let refactor = &service.services.refactor;
    let last = refactor.last_executed_relay(&key(one)).await.expect("it has executed something");
    assert!(last.event.end > 4 && !last.event.kind.is_empty(), "{last:?}");
    let (own, there) = eventually("the other one has it too", Duration::from_secs(20), || async {
        refactor.correlate_relay(&key(one), &key(other), None).await.ok()
    })
    .await;
    assert!(there.next.position > there.at.position && there.next.file == there.at.file, "{there:?}");
    let (same, back) = refactor.correlate_relay(&key(other), &key(one), Some(there.at)).await.expect("the way back");
    assert_eq!((same.event.end, same.event.info, back.at), (own.event.end, own.event.info.clone(), own.at()));
    let nowhere = app::BinlogCoordinates::relay(own.at().file, 5);
    let error = refactor.correlate_relay(&key(one), &key(other), Some(nowhere)).await.expect_err("no event is there");
    assert!(error.to_string().contains("begins at"), "{error}");
    let error = refactor.correlate_relay(&key(one), &key(stranger), None).await.expect_err("no sibling");
    assert!(matches!(&error, RefactorError::Refused(r) if r.rule == "not-a-replica"), "{error}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_told_the_registered_name_of_their_source(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start_with(serde_json::json!({ "HostnameResolveMethod": "default" })).await;
    service.discover(source, 3).await;
    let register = |name: &str| {
        let (hostname, unresolved) = ("127.0.0.1".to_owned(), name.to_owned());
        let command = orchestrator::consensus::Command::RegisterUnresolved { hostname, unresolved };
        let consensus = std::sync::Arc::clone(&service.services.consensus);
        async move { consensus.submit(command, &actor()).await.expect("registered") }
    };
    let told = |port: u16| {
        let status = if flavor == "mysql" { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" };
        let status = sandbox.sql(port, status);
        status.split('\t').nth(1).expect("a host").to_owned()
    };
    // Another way to write the address, which is another host name to replicas.
    register("127.1").await;
    let done = run(&service, Operation::Relocate { server: key(b), below: key(a) }).await;
    let shown: Vec<&String> =
        done.plan.steps.iter().flat_map(|s| &s.statements).filter(|s| s.contains("_HOST")).collect();
    assert!(shown.iter().all(|s| s.contains("_HOST = '127.1'")) && shown.len() == 1, "{shown:?}");
    assert_eq!((told(b).as_str(), source_of(&service, b)), ("127.1", a));
    assert_eq!(service.services.fleet.snapshot().instances.len(), 3, "it is no other server by that name");

    // A name that does not lead there changes nothing.
    register("nobody.invalid").await;
    let back = Operation::Relocate { server: key(b), below: key(source) };
    let error = service.services.refactor.run(&back, &actor()).await.expect_err("no such host").to_string();
    assert!(error.contains("the name nobody.invalid is registered for 127.0.0.1 and cannot be used"), "{error}");
    eventually("it goes on where it was", Duration::from_secs(10), || async {
        let seen = service.services.discovery.probe_now(&key(b)).await.ok()?;
        (seen.replication.source == key(a) && seen.replication.is_running()).then_some(())
    })
    .await;
    register("").await;
    run(&service, back).await;
    assert_eq!((told(b).as_str(), source_of(&service, b)), ("127.0.0.1", source));
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.arrive(&[a, b]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_its_own_way_is_not_matched(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree_without_gtid(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start_with(serde_json::json!({ "AutoPseudoGTID": true })).await;
    service.discover(source, 3).await;
    service.has_entries(&[source, a, b]).await;
    // Stopped, so that no entry comes behind what is written here.
    let (stop, unlock) =
        if flavor == "mysql" { ("STOP REPLICA", "SET GLOBAL super_read_only = 0; ") } else { ("STOP SLAVE", "") };
    sandbox.sql(b, &format!("{stop}; {unlock}CREATE TABLE app.own_affair (i INT PRIMARY KEY)"));
    let wanted = Operation::Match { server: key(b), below: key(a) };
    let error = service.services.refactor.run(&wanted, &actor()).await.expect_err("the logs differ").to_string();
    // MariaDB tells them apart by the number of the transaction already.
    assert!(error.contains("the logs differ after") && error.contains("equal events"), "{error}");
    let server = service.server(b);
    assert_eq!(server.replication.source, key(source), "it keeps its place");
    assert!(server.replication.threads_stopped(), "it was found stopped");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_and_its_source_change_places(
    #[values("mariadb", "mysql")] flavor: &'static str,
    #[values(true, false)] gtid: bool,
) {
    let sandbox = tree(flavor, 2);
    let [top, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let told = tempfile::NamedTempFile::new().expect("a file");
    let hook = format!("echo \"$1 took $2 $ORC_SUCCESSOR_HOST\" >> {}", told.path().display());
    let service = Service::start_with(serde_json::json!({ "PostTakeMasterProcesses": [hook] })).await;
    service.discover(top, 3).await;
    run(&service, Operation::MoveBelow { server: key(b), below: key(a) }).await;
    if !gtid {
        by_position(&service, &[a, b]).await;
    }
    let mut writes = Writes::new(&sandbox);
    writes.write(top);
    run(&service, Operation::TakeSource { server: key(b) }).await;
    writes.write(top);
    assert_eq!((source_of(&service, b), source_of(&service, a)), (top, b));
    writes.arrive(&[a, b]).await;
    assert_eq!(service.server(a).replication.uses_gtid(), gtid);
    let line = std::fs::read_to_string(told.path()).expect("what the hook wrote");
    assert_eq!(line, format!("127.0.0.1:{b} took 127.0.0.1:{a} 127.0.0.1:{b}\n"));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn groups_of_replicas_by_gtid(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = Service::start().await;
    service.discover(source, 4).await;
    let mut writes = Writes::new(&sandbox);
    writes.write(source);

    run(&service, Operation::TakeSiblings { server: key(b) }).await;
    assert_eq!((source_of(&service, a), source_of(&service, b), source_of(&service, c)), (b, source, b));
    run(&service, Operation::MakeLocalSource { server: key(a) }).await;
    assert_eq!((source_of(&service, a), source_of(&service, b), source_of(&service, c)), (source, source, a));
    writes.write(source);
    run(&service, Operation::MoveReplicasGtid { server: key(a), below: key(source), pattern: String::new() }).await;
    let regrouped = run(&service, Operation::RegroupReplicas { server: key(source), gtid_only: true }).await;
    let best = regrouped.plan.moves[0].to.port;
    for port in [a, b, c] {
        assert_eq!(source_of(&service, port), if port == best { source } else { best });
    }
    writes.write(source);
    writes.arrive(&[a, b, c]).await;
    run(&service, Operation::RepointReplicas { server: key(best), below: None, pattern: String::new() }).await;
    writes.write(source);
    writes.arrive(&[a, b, c]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_ring_of_two_is_made(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 1);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    let service = Service::start().await;
    service.discover(source, 2).await;
    run(&service, Operation::MakeCoSource { server: key(replica) }).await;
    assert_eq!((source_of(&service, source), source_of(&service, replica)), (replica, source));
    assert_eq!(refused(&service, Operation::MakeCoSource { server: key(replica) }).await, "already-co-source");
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.arrive(&[replica]).await;
    assert!(service.server(source).replication.is_running(), "what comes back is its own and is passed over");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_is_skipped(
    #[values("mariadb", "mysql")] flavor: &'static str,
    #[values(true, false)] gtid: bool,
) {
    let sandbox = tree(flavor, 1);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    let service = Service::start().await;
    service.discover(source, 2).await;
    if !gtid {
        by_position(&service, &[replica]).await;
    }
    assert_eq!(refused(&service, Operation::SkipQuery { server: key(replica) }).await, "applier-runs");
    obstruct(&sandbox, flavor, replica);
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.write(source);
    eventually("the applier stops on it", Duration::from_secs(10), || async {
        let fresh = service.services.discovery.probe_now(&key(replica)).await.ok()?;
        (fresh.replication.applier_errno != 0).then_some(())
    })
    .await;
    run(&service, Operation::SkipQuery { server: key(replica) }).await;
    writes.write(source);
    writes.arrive(&[replica]).await;
    assert_eq!(sandbox.sql(replica, "SELECT origin FROM app.writes WHERE id = 1").trim(), "0", "it was skipped");
}

#[rstest]
#[case::removed(false)]
#[case::made_known_to_all(true)]
#[tokio::test(flavor = "multi_thread")]
async fn errant_transactions_go(#[case] inject: bool) {
    let sandbox = tree("mysql", 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.arrive(&[a, b]).await;
    service.make_errant(&sandbox, a).await;
    let errant = service.server(a).errant_gtid.clone();
    sandbox.sql(a, "FLUSH BINARY LOGS");
    let files = service.services.refactor.locate_errant(&key(a)).await.expect("located");
    assert_eq!(files.len(), 1, "{files:?}");
    let operation = match inject {
        true => Operation::InjectErrant { server: key(a) },
        false => Operation::ResetErrant { server: key(a) },
    };
    run(&service, operation).await;
    writes.write(source);
    writes.arrive(&[a, b]).await;
    service.nothing_is_errant(&[source, a, b]).await;
    let held = sandbox.sql(b, &format!("SELECT GTID_SUBSET('{errant}', @@GLOBAL.gtid_executed)"));
    assert_eq!(held.trim(), if inject { "1" } else { "0" });
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn upkeep_of_one_server(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 1);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    let service = Service::start().await;
    service.discover(source, 2).await;
    let mut writes = Writes::new(&sandbox);

    run(&service, Operation::DelayReplication { server: key(replica), seconds: 3 }).await;
    assert_eq!(service.server(replica).replication.delay, 3);
    assert_eq!(refused(&service, Operation::StopReplicationNicely { server: key(replica) }).await, "delayed");
    run(&service, Operation::DelayReplication { server: key(replica), seconds: 0 }).await;
    assert!(service.server(replica).replication.is_running());

    let before = service.server(source).binlog.clone();
    run(&service, Operation::FlushBinaryLogs { server: key(source), until: String::new() }).await;
    assert!(service.server(source).binlog.file_number() > before.file_number());
    writes.write(source);
    writes.arrive(&[replica]).await;
    eventually("the replica has left the old log", Duration::from_secs(10), || async {
        let _seen = service.services.discovery.probe_now(&key(replica)).await;
        (service.server(replica).replication.exec.file_number() > before.file_number()).then_some(())
    })
    .await;
    let purge = Operation::PurgeBinaryLogs { server: key(source), to: "latest".to_owned(), force: false };
    // MariaDB keeps a log until a checkpoint is written behind it, and we say so then.
    eventually("the old log is purged", Duration::from_secs(10), || async {
        match service.services.refactor.run(&purge, &actor()).await {
            Ok(_) => Some(()),
            Err(RefactorError::Failed(text)) if text.contains("still in use") => None,
            Err(other) => panic!("{other}"),
        }
    })
    .await;
    let logs = sandbox.sql(source, "SHOW BINARY LOGS");
    assert!(!logs.contains(&before.file), "{logs}");

    assert_eq!(refused(&service, Operation::SetCredentials { server: key(replica) }).await, "replication-runs");
    run(&service, Operation::StopReplicationNicely { server: key(replica) }).await;
    assert!(service.server(replica).replication.threads_stopped());
    run(&service, Operation::SetCredentials { server: key(replica) }).await;
    run(&service, Operation::StartReplication { server: key(replica) }).await;
    writes.write(source);
    writes.arrive(&[replica]).await;

    let session = sandbox.sql(source, "SELECT MAX(id) FROM information_schema.processlist");
    let process: u64 = session.trim().parse().expect("a session");
    let gone = service.services.refactor.run(&Operation::KillQuery { server: key(source), process }, &actor()).await;
    assert!(matches!(gone, Err(RefactorError::Failed(ref text)) if text.contains(&process.to_string())), "{gone:?}");

    run(&service, Operation::ResetReplica { server: key(replica) }).await;
    assert!(!service.server(replica).is_replica());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_move_by_position_that_fails_leaves_everybody_where_they_were(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    by_position(&service, &[a, b]).await;
    // The one that shall catch up cannot: its applier stops on a row that stands in the way.
    obstruct(&sandbox, flavor, b);
    let stop = if flavor == "mysql" { "STOP REPLICA SQL_THREAD" } else { "STOP SLAVE SQL_THREAD" };
    sandbox.sql(b, stop);
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.arrive(&[a]).await;
    let _seen = service.services.discovery.probe_now(&key(b)).await;
    assert_eq!(refused(&service, Operation::MoveBelow { server: key(b), below: key(a) }).await, "not-replicating");
    assert_eq!((source_of(&service, a), source_of(&service, b)), (source, source));
    assert!(service.server(a).replication.is_running());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_move_by_position_is_taken_back_by_what_it_taught(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    by_position(&service, &[a, b]).await;
    writes.arrive(&[a, b]).await;
    run(&service, Operation::MoveBelow { server: key(b), below: key(a) }).await;

    // Another process, which has it from the backend.
    let service = service.restart().await;
    service.discover(source, 3).await;
    let stands = service.services.discovery.probe_now(&key(b)).await.expect("it answers").replication.exec.clone();
    let known = service.services.fleet.snapshot().annotations.equivalences.clone();
    let (a_key, source_key) = (key(a), key(source));
    let places: Vec<_> = known.of(&a_key, &stands).map(|place| &place.source).collect();
    assert_eq!(places, [&source_key], "{known:?}");
    run(&service, Operation::MoveEquivalent { server: key(b), below: key(source) }).await;
    assert_eq!(source_of(&service, b), source);
    let stood = service.server(b).replication.exec.clone();
    writes.write(source);
    writes.arrive(&[a, b]).await;
    assert!(!service.server(b).replication.uses_gtid());
    // A server tells of a position a little after what it has executed can be seen.
    eventually("it has left the place that is recorded", Duration::from_secs(10), || async {
        let seen = service.services.discovery.probe_now(&key(b)).await.ok()?;
        (seen.replication.exec != stood).then_some(())
    })
    .await;
    assert_eq!(refused(&service, Operation::MoveEquivalent { server: key(b), below: key(a) }).await, "no-equivalence");
    assert_eq!(source_of(&service, b), source);
}

/// Lets a server replicate from a further one, on a channel or connection of its own, from where that stands.
fn add_channel(sandbox: &Sandbox, flavor: &str, replica: u16, source: u16) {
    let status = if flavor == "mysql" { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let status = sandbox.sql(source, status);
    let mut cells = status.split_whitespace();
    let (file, position) = (cells.next().expect("a file"), cells.next().expect("a position"));
    let change = match flavor {
        "mysql" => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {source}, SOURCE_USER = 'repl', \
             SOURCE_PASSWORD = 'repl_password', SOURCE_LOG_FILE = '{file}', SOURCE_LOG_POS = {position}, \
             SOURCE_AUTO_POSITION = 0, GET_SOURCE_PUBLIC_KEY = 1 FOR CHANNEL 'east'; START REPLICA FOR CHANNEL 'east'"
        ),
        _ => format!(
            "CHANGE MASTER 'east' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {source}, MASTER_USER = 'repl', \
             MASTER_PASSWORD = 'repl_password', MASTER_LOG_FILE = '{file}', MASTER_LOG_POS = {position}, \
             MASTER_USE_GTID = no; START SLAVE 'east'"
        ),
    };
    sandbox.sql(replica, &change);
}

/// The channels of a server: name, source, whether it runs.
async fn channels_of(service: &Service, port: u16) -> Vec<(String, u16, bool)> {
    let seen = service.services.discovery.probe_now(&key(port)).await.expect("it answers");
    seen.channels.iter().map(|c| (c.channel.clone(), c.source.port, c.is_running())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn several_channels_are_edges_and_what_would_mix_them_up_is_refused(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = Sandbox::start(flavor, 5);
    let [top, middle, several, peer, east] = sandbox.ports[..] else { panic!("five servers") };
    sandbox.replicate(&[(top, middle), (middle, several), (middle, peer)]);
    add_channel(&sandbox, flavor, several, east);
    let service = Service::start().await;
    service.discover(top, 4).await;
    service.discover(east, 5).await;
    let expected = vec![(String::new(), middle, true), ("east".to_owned(), east, true)];
    eventually("both channels are seen to run", Duration::from_secs(10), || async {
        (channels_of(&service, several).await == expected).then_some(())
    })
    .await;
    let snapshot = service.services.fleet.snapshot();
    let graph = app::topology::Graph::new(&snapshot);
    let edges: Vec<(u16, bool)> = graph
        .edges()
        .iter()
        .filter(|edge| edge.replica.key == key(several))
        .map(|edge| (edge.source.key.port, edge.managed))
        .collect();
    assert_eq!(edges, [(middle, true), (east, false)]);

    let (up, take) = (Operation::MoveUp { server: key(several) }, Operation::TakeSource { server: key(several) });
    let ring = Operation::MakeCoSource { server: key(several) };
    let mut mixing = vec![take, ring];
    if flavor == "mariadb" {
        // One position for both connections.
        mixing.extend([up.clone(), Operation::Repoint { server: key(several), below: Some(key(top)) }]);
    }
    for operation in mixing {
        assert_eq!(refused(&service, operation.clone()).await, "several-channels", "{operation:?}");
        assert_eq!(channels_of(&service, several).await, expected, "{operation:?} changed nothing");
    }

    // What is done is done to the managed channel only.
    run(&service, Operation::StopReplication { server: key(several) }).await;
    let stopped = vec![(String::new(), middle, false), ("east".to_owned(), east, true)];
    assert_eq!(channels_of(&service, several).await, stopped);
    run(&service, Operation::StartReplication { server: key(several) }).await;
    if flavor == "mysql" {
        run(&service, up.clone()).await;
        let moved = vec![(String::new(), top, true), ("east".to_owned(), east, true)];
        assert_eq!(channels_of(&service, several).await, moved);
        run(&service, Operation::DisableGtid { server: key(several) }).await;
        let below = Operation::Relocate { server: key(several), below: key(middle) };
        assert_eq!(refused(&service, below).await, "several-channels", "by position");
        assert_eq!(channels_of(&service, several).await, moved);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn binlog_servers_are_seen_regrouped_and_moved_by_the_same_coordinates(
    #[values("mariadb", "mysql")] flavor: &'static str,
) {
    let sandbox = tree(flavor, 1);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    let service = Service::start_with(serde_json::json!({ "SkipMaxScaleCheck": false })).await;
    service.discover(source, 2).await;
    by_position(&service, &[replica]).await;
    let log = service.server(source).binlog.clone();
    let behind = app::BinlogCoordinates::binary(log.file.clone(), 4);
    let late = BinlogServer::start(key(source), behind.clone()).await;
    let best = BinlogServer::start(key(source), log.clone()).await;
    service.discover(late.port, 3).await;
    service.discover(best.port, 4).await;
    let seen = service.server(best.port);
    assert!(seen.is_binlog_server() && seen.read_only && seen.replication.is_running(), "{seen:#?}");
    assert_eq!((seen.version.as_str(), &seen.binlog), ("2.4.19-maxscale", &log));
    assert_eq!((seen.depth, &seen.cluster_name), (1, &service.server(source).cluster_name));

    let done = run(&service, Operation::RegroupBinlogServers { server: key(source) }).await;
    let moves: Vec<_> = done.plan.moves.iter().map(|m| (m.server.port, m.to.port)).collect();
    assert_eq!(moves, [(late.port, best.port)]);
    let stands = late.standing();
    assert_eq!((&stands.source, &stands.received, stands.runs), (&key(best.port), &behind, true));
    assert_eq!(stands.told.len(), 3, "{:?}", stands.told);
    assert_eq!(service.server(late.port).depth, 2);
    let place = app::topology::LogPlace { source: key(best.port), at: behind.clone() };
    let known = service.services.fleet.snapshot().annotations.equivalences.clone();
    assert_eq!(known.of(&key(source), &behind).cloned().collect::<Vec<_>>(), [place]);
    run(&service, Operation::Relocate { server: key(late.port), below: key(source) }).await;
    assert_eq!(late.standing().source, key(source));

    // It passes no log on, so a replica that is moved below it finds nobody to replicate from and is put back.
    let relocate = Operation::Relocate { server: key(replica), below: key(best.port) };
    let result = service.services.refactor.run(&relocate, &actor()).await;
    assert!(matches!(&result, Err(RefactorError::Failed(text)) if text.contains("has been undone")), "{result:?}");
    let mut writes = Writes::new(&sandbox);
    writes.write(source);
    writes.arrive(&[replica]).await;
    let below = Operation::Relocate { server: key(best.port), below: key(replica) };
    assert_eq!(refused(&service, below).await, "other-log");
}
