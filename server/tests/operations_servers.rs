//! The operations beside relocation, on real servers of both families: by position, changing places, switching GTID, skipping,
//! errant transactions, upkeep. After each the data is looked at: what one server has, the others have.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::api::{Operation, OperationView};
use app::plan::StepState;
use orchestrator::refactor::RefactorError;
use rstest::rstest;
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

/// Waits until the service has injected entries and knows that these servers have them.
async fn has_entries(service: &Service, ports: &[u16]) {
    eventually("entries are injected", Duration::from_secs(20), || async {
        ports.iter().all(|port| service.server(*port).uses_pseudo_gtid).then_some(())
    })
    .await;
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
    has_entries(&service, &[source, a, b, c]).await;
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
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_went_its_own_way_is_not_matched(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree_without_gtid(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start_with(serde_json::json!({ "AutoPseudoGTID": true })).await;
    service.discover(source, 3).await;
    has_entries(&service, &[source, a, b]).await;
    // Stopped, so that no entry comes behind what is written here.
    let (stop, unlock) =
        if flavor == "mysql" { ("STOP REPLICA", "SET GLOBAL super_read_only = 0; ") } else { ("STOP SLAVE", "") };
    sandbox.sql(b, &format!("{stop}; {unlock}CREATE TABLE app.own_affair (i INT PRIMARY KEY)"));
    let wanted = Operation::Match { server: key(b), below: key(a) };
    let error = service.services.refactor.run(&wanted, &actor()).await.expect_err("the logs differ").to_string();
    assert!(error.contains("own_affair") && error.contains("equal events"), "{error}");
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
    sandbox.sql(a, "SET GLOBAL super_read_only = 0; CREATE TABLE app.errant (id INT); DROP TABLE app.errant");
    eventually("it is seen to be errant", Duration::from_secs(10), || async {
        let _seen = service.services.discovery.probe_now(&key(a)).await;
        (!service.server(a).errant_gtid.is_empty()).then_some(())
    })
    .await;
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
    eventually("nothing is errant any more", Duration::from_secs(10), || async {
        for port in [source, a, b] {
            let _seen = service.services.discovery.probe_now(&key(port)).await;
        }
        service.server(a).errant_gtid.is_empty().then_some(())
    })
    .await;
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
