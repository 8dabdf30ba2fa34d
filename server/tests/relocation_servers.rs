//! Moves on real servers, both families: a replica and a sub-tree move, what must not move stays, the options of
//! replication survive, and what is left when a server dies in the middle.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::api::{Operation, OperationView};
use app::event::EventBody;
use app::plan::{OutcomeState, Step, StepState};
use orchestrator::refactor::RefactorError;
use rstest::rstest;
use support::service::{Service, actor, key, tree};
use support::{Sandbox, eventually};

fn relocate(server: u16, below: u16) -> Operation {
    Operation::Relocate { server: key(server), below: key(below) }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_moves_below_another_and_back_with_its_sub_tree(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = Service::start().await;
    service.discover(source, 4).await;
    let options = channel_options(&service, b);

    for (server, below) in [(b, a), (c, b), (b, source)] {
        let done = service.services.refactor.run(&relocate(server, below), &actor()).await;
        let done = done.unwrap_or_else(|error| panic!("{server} below {below}: {error}"));
        assert!(done.steps.values().all(app::plan::StepState::is_done), "{:#?}", done.steps);
        assert_eq!(service.server(server).replication.source, key(below));
        assert!(service.server(server).replication.is_running());
    }
    assert_eq!(service.server(c).replication.source, key(b), "the sub-tree came along");
    assert_eq!(service.server(c).depth, 2);
    assert_eq!(channel_options(&service, b), options, "every option of the channel was kept");

    sandbox.sql(source, "INSERT INTO app.writes (id, origin) VALUES (1, 1)");
    eventually("a write reaches the end of the chain", Duration::from_secs(5), || async {
        (sandbox.sql(c, "SELECT COUNT(*) FROM app.writes WHERE id = 1").trim() == "1").then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_move_is_refused_by_name_and_changes_nothing(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    let moved = service.services.refactor.run(&relocate(b, a), &actor()).await;
    moved.expect("a chain");
    for (server, below, rule) in [(a, b, "below-itself"), (a, a, "same-server"), (source, a, "not-a-replica")] {
        let error = service.services.refactor.run(&relocate(server, below), &actor()).await.expect_err("impossible");
        let RefactorError::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.rule, rule, "{refusal}");
    }
    assert_eq!(service.server(a).replication.source, key(source));
    assert_eq!(service.server(b).replication.source, key(a));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_when_the_world_has_changed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = Service::start().await;
    service.discover(source, 3).await;
    let operation = relocate(b, a);
    let shown = service.services.refactor.plan(&operation).expect("possible");
    let stop = if flavor == "mysql" { "STOP REPLICA" } else { "STOP SLAVE" };
    sandbox.sql(b, stop);
    let error = service.services.refactor.start(&operation, &shown.fingerprint, &actor()).await.expect_err("changed");
    assert!(matches!(error, RefactorError::WorldChanged(_)), "{error}");
    assert_eq!(service.server(b).replication.source, key(source));
}

fn channel_options(service: &Service, port: u16) -> (String, Option<u64>, u64, app::topology::ReplicationTls) {
    let channel = service.server(port).replication.clone();
    (channel.user, channel.heartbeat_period_ms, channel.connect_retry, channel.tls)
}

/// A service that leaves what dies to the test.
async fn without_recoveries() -> Service {
    let nobody: [&str; 0] = [];
    let keys = serde_json::json!({
        "RecoverMasterClusterFilters": nobody,
        "RecoverIntermediateMasterClusterFilters": nobody,
    });
    Service::start_with(keys).await
}

/// Carries out an operation, and kills a server as soon as the first step of this kind on `at` was done. What came of it, whether or not
/// some of its servers failed.
async fn killing(
    service: &Service,
    sandbox: &Sandbox,
    operation: &Operation,
    step: (u16, &str),
    victim: u16,
) -> Result<OperationView, RefactorError> {
    killing_when(service, sandbox, operation, (step.0, step.1, StepState::Done), victim).await
}

/// The same as soon as the step has come to this state.
async fn killing_when(
    service: &Service,
    sandbox: &Sandbox,
    operation: &Operation,
    (at, kind, awaited_state): (u16, &str, StepState),
    victim: u16,
) -> Result<OperationView, RefactorError> {
    let refactor = service.services.refactor.clone();
    let plan = refactor.plan(operation).expect("possible");
    let is_kind = |step: &&Step| step.server == key(at) && format!("{:?}", step.action).starts_with(kind);
    let awaited = plan.steps.iter().find(is_kind).unwrap_or_else(|| panic!("no {kind} on {at}: {plan:#?}")).id;
    let mut events = service.services.events.subscribe();
    let asked = operation.clone();
    let work = tokio::spawn(async move {
        match &asked {
            Operation::RelocateReplicas { .. }
            | Operation::MoveUpReplicas { .. }
            | Operation::TakeSiblings { .. }
            | Operation::RegroupReplicas { .. } => refactor.run_each(&asked, &actor()).await,
            _ => refactor.run(&asked, &actor()).await,
        }
    });
    let mut killed = false;
    loop {
        match events.recv().await.map(|event| event.body.clone()) {
            Ok(EventBody::PlanStep { step, state, .. }) if step == awaited && state == awaited_state => {
                sandbox.signal(victim, "KILL");
                killed = true;
            }
            Ok(EventBody::PlanEnded { .. }) => break,
            _ => {}
        }
    }
    assert!(killed, "step {awaited} never came to {awaited_state:?}");
    work.await.expect("no panic")
}

/// The failure that was reported: it names the server that died, and is in the audit.
async fn reported(service: &Service, result: Result<OperationView, RefactorError>, victim: u16) -> String {
    let Err(RefactorError::Failed(error)) = result else { panic!("expected a failure: {result:#?}") };
    assert!(error.contains(&key(victim).to_string()), "{error}");
    assert!(error.contains("has been undone") || error.contains("still changed"), "{error}");
    eventually("the audit tells it", Duration::from_secs(5), || async {
        let rows = service.services.store.audit(None, 0, 50).await.ok()?;
        rows.iter().any(|row| row.entry.message.contains(&error)).then_some(())
    })
    .await;
    error
}

/// A server that was killed is started again and seen.
async fn back(service: &Service, sandbox: &Sandbox, port: u16) {
    sandbox.start_one(port);
    eventually("it is back", Duration::from_secs(20), || async {
        let seen = service.services.discovery.probe_now(&key(port)).await.ok()?;
        let runs = seen.replication.is_running() || !seen.is_replica();
        runs.then_some(())
    })
    .await;
}

async fn is_below(service: &Service, replica: u16, source: u16) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let seen = service.services.discovery.probe_now(&key(replica)).await.map(|seen| seen.replication.clone());
        if seen.as_ref().is_ok_and(|channel| channel.source == key(source) && channel.is_running()) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{replica} does not replicate from {source}: {seen:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn moves_by_gtid_survive_a_death_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = without_recoveries().await;
    service.discover(source, 4).await;

    // The new source dies: the replica is put back.
    let result = killing(&service, &sandbox, &relocate(b, a), (b, "StopReplication"), a).await;
    let error = match result {
        Err(RefactorError::Failed(error)) => error,
        other => panic!("{other:#?}"),
    };
    assert!(error.contains("has been undone"), "{error}");
    is_below(&service, b, source).await;
    back(&service, &sandbox, a).await;

    // The replica itself dies. What it was is said, and the same move succeeds once it is back.
    let result = killing(&service, &sandbox, &relocate(b, a), (b, "StopReceiver"), b).await;
    reported(&service, result, b).await;
    is_below(&service, c, source).await;
    back(&service, &sandbox, b).await;
    service.services.refactor.run(&relocate(b, a), &actor()).await.expect("nothing holds it");
    is_below(&service, b, a).await;
    service.services.refactor.run(&relocate(b, source), &actor()).await.expect("back");

    // One of several dies: the other one is moved, and each has its own end.
    let all = Operation::RelocateReplicas { server: key(source), below: key(a), pattern: String::new() };
    let view = killing(&service, &sandbox, &all, (c, "StopReceiver"), c).await.expect("one of them moved");
    let ends: Vec<_> = view.outcomes.iter().map(|o| (o.server.port, o.state)).collect();
    let mut expected = vec![(b, OutcomeState::Done), (c, OutcomeState::Failed)];
    expected.sort_by_key(|(port, _)| *port);
    assert_eq!(ends, expected, "{:#?}", view.outcomes);
    assert!(view.error.is_some_and(|error| error.contains(&key(c).to_string())));
    is_below(&service, b, a).await;
    back(&service, &sandbox, c).await;
    service.services.refactor.run(&all, &actor()).await.expect("the rest is moved by asking again");
    is_below(&service, c, a).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn moves_by_position_survive_a_death_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = without_recoveries().await;
    service.discover(source, 4).await;
    for port in [a, b, c] {
        let operation = Operation::DisableGtid { server: key(port) };
        service.services.refactor.run(&operation, &actor()).await.expect("by position from now on");
    }

    // The sibling that both stand still for dies: the replica runs again, where it was.
    let below = Operation::MoveBelow { server: key(b), below: key(a) };
    let result = killing(&service, &sandbox, &below, (a, "StopReplication"), a).await;
    reported(&service, result, a).await;
    is_below(&service, b, source).await;
    back(&service, &sandbox, a).await;
    is_below(&service, a, source).await;
    for port in [b, c] {
        let operation = Operation::MoveBelow { server: key(port), below: key(a) };
        service.services.refactor.run(&operation, &actor()).await.expect("now it lives");
    }

    // The one that stands still for its replicas dies: they stay below it, and go on when it is back.
    let up = Operation::MoveUpReplicas { server: key(a), pattern: String::new() };
    let result = killing(&service, &sandbox, &up, (a, "StopReplication"), a).await;
    reported(&service, result, a).await;
    for port in [b, c] {
        assert_eq!(service.server(port).replication.source, key(a));
    }
    back(&service, &sandbox, a).await;
    for port in [b, c] {
        is_below(&service, port, a).await;
    }
    service.services.refactor.run(&up, &actor()).await.expect("the same again");
    sandbox.sql(source, "INSERT INTO app.writes (id, origin) VALUES (1, 1)");
    for port in [a, b, c] {
        eventually("a write arrives", Duration::from_secs(10), || async {
            (sandbox.sql(port, "SELECT COUNT(*) FROM app.writes WHERE id = 1").trim() == "1").then_some(())
        })
        .await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn changing_places_and_threads_survive_a_death_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 2);
    let [top, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = without_recoveries().await;
    service.discover(top, 3).await;
    service.services.refactor.run(&relocate(b, a), &actor()).await.expect("a chain");

    // The taker dies: its source, which stood still for it, runs again.
    let take = Operation::TakeSource { server: key(b) };
    let result = killing(&service, &sandbox, &take, (a, "StopReplication"), b).await;
    reported(&service, result, b).await;
    is_below(&service, a, top).await;
    back(&service, &sandbox, b).await;
    is_below(&service, b, a).await;

    // The one whose place is taken dies: the taker stays below it, or is where it should if the signal came late. Either way the rest is
    // done by asking again.
    let result = killing(&service, &sandbox, &take, (a, "StopReplication"), a).await;
    reported(&service, result, a).await;
    back(&service, &sandbox, a).await;
    let rest = if service.server(b).replication.source == key(a) {
        is_below(&service, b, a).await;
        take
    } else {
        relocate(a, b)
    };
    service.services.refactor.run(&rest, &actor()).await.expect("the rest");
    is_below(&service, b, top).await;
    is_below(&service, a, b).await;

    // Threads, source and options of one server: it dies, which is said, and comes back as what it was.
    for (operation, kind) in [
        (Operation::RestartReplication { server: key(a) }, "StopReplication"),
        (Operation::DetachReplica { server: key(a) }, "StopReplication"),
        (Operation::ResetReplica { server: key(a) }, "StopReplication"),
        (Operation::StopReplicationNicely { server: key(a) }, "StopReceiver"),
    ] {
        let result = killing(&service, &sandbox, &operation, (a, kind), a).await;
        // Where the signal came too late by a statement or two, more was done, and that is said.
        let told = match result {
            Ok(view) => format!("{:#?}", view.outcomes),
            Err(RefactorError::Failed(error)) => error,
            other => panic!("{operation:?}: {other:#?}"),
        };
        assert!(told.contains(&key(a).to_string()) || told.contains("Done"), "{told}");
        sandbox.start_one(a);
        let seen = eventually("it is back", Duration::from_secs(20), || async {
            service.services.discovery.probe_now(&key(a)).await.ok()
        })
        .await;
        if seen.replication.source != key(b) {
            assert!(told.contains("still changed") || told.contains("Done"), "{operation:?}: {told}");
            // MariaDB killed while it rewrote master.info starts with an empty one, and takes no other source before this.
            let _stood_still = sandbox.try_sql(a, if flavor == "mysql" { "STOP REPLICA" } else { "STOP SLAVE" });
            sandbox.sql(a, if flavor == "mysql" { "RESET REPLICA ALL" } else { "RESET SLAVE ALL" });
            sandbox.replicate(&[(b, a)]);
        }
        is_below(&service, a, b).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_on_purpose_stays_stopped(
    #[values("mariadb", "mysql")] flavor: &'static str,
    #[values(true, false)] gtid: bool,
) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = Service::start().await;
    service.discover(source, 4).await;
    let word = if flavor == "mysql" { "REPLICA" } else { "SLAVE" };
    sandbox.sql(b, &format!("STOP {word}"));
    sandbox.sql(c, &format!("STOP {word} SQL_THREAD"));
    for port in [b, c] {
        let _seen = service.services.discovery.probe_now(&key(port)).await;
    }
    let threads = |port: u16| {
        let channel = service.server(port).replication.clone();
        (channel.source.port, channel.receiver.is_running(), channel.applier.is_running())
    };
    let below = if gtid {
        let all = Operation::RelocateReplicas { server: key(source), below: key(a), pattern: String::new() };
        service.services.refactor.run(&all, &actor()).await.expect("both are moved");
        a
    } else {
        for port in [b, c] {
            let switch = Operation::DisableGtid { server: key(port) };
            service.services.refactor.run(&switch, &actor()).await.expect("by position");
        }
        // Bringing it to a position would take that it runs: refused by name.
        let move_below = Operation::MoveBelow { server: key(b), below: key(a) };
        let refused = service.services.refactor.run(&move_below, &actor()).await;
        assert!(matches!(&refused, Err(RefactorError::Refused(r)) if r.rule == "not-replicating"), "{refused:?}");
        source
    };
    assert_eq!((threads(b), threads(c)), ((below, false, false), (below, true, false)));
}

/// A write on the source arrives at all of these, which is to say that none of them lacks anything.
async fn write_arrives(sandbox: &Sandbox, source: u16, replicas: &[u16], id: u32) {
    sandbox.sql(source, &format!("INSERT INTO app.writes (id, origin) VALUES ({id}, 1)"));
    for port in replicas {
        eventually("a write arrives", Duration::from_secs(20), || async {
            (sandbox.sql(*port, &format!("SELECT COUNT(*) FROM app.writes WHERE id = {id}")).trim() == "1")
                .then_some(())
        })
        .await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn groups_of_replicas_survive_a_death_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 3);
    let [source, a, b, c] = sandbox.ports[..] else { panic!("four servers") };
    let service = without_recoveries().await;
    service.discover(source, 4).await;

    // One of the siblings dies: the other one is taken, and asking again takes the rest.
    let take = Operation::TakeSiblings { server: key(a) };
    let view = killing(&service, &sandbox, &take, (c, "StopReceiver"), c).await.expect("one of them moved");
    let mut ends: Vec<_> = view.outcomes.iter().map(|o| (o.server.port, o.state)).collect();
    ends.sort_by_key(|(port, _)| *port == c);
    assert_eq!(ends, [(b, OutcomeState::Done), (c, OutcomeState::Failed)], "{:#?}", view.outcomes);
    is_below(&service, b, a).await;
    back(&service, &sandbox, c).await;
    service.services.refactor.run(&take, &actor()).await.expect("the rest");
    is_below(&service, c, a).await;

    // The taker dies: whoever is not below it by then is put back, and asking again takes all.
    let home = Operation::RelocateReplicas { server: key(a), below: key(source), pattern: String::new() };
    service.services.refactor.run(&home, &actor()).await.expect("back");
    match killing(&service, &sandbox, &take, (b, "StopReceiver"), a).await {
        Err(RefactorError::Failed(error)) => {
            assert!(error.contains("has been undone"), "{error}");
            for port in [b, c] {
                is_below(&service, port, source).await;
            }
        }
        Ok(view) => assert!(view.outcomes.iter().any(|o| o.state == OutcomeState::Done), "{view:#?}"),
        other => panic!("{other:#?}"),
    }
    back(&service, &sandbox, a).await;
    is_below(&service, a, source).await;
    let _all_there = service.services.refactor.run_each(&take, &actor()).await;
    for port in [b, c] {
        is_below(&service, port, a).await;
    }

    // One of those that are regrouped dies.
    service.services.refactor.run(&home, &actor()).await.expect("back");
    let regroup = Operation::RegroupReplicas { server: key(source), gtid_only: true };
    let victim = service.services.refactor.plan(&regroup).expect("possible").moves[0].server.port;
    let view =
        killing(&service, &sandbox, &regroup, (victim, "StopReceiver"), victim).await.expect("one of them moved");
    let failed: Vec<u16> =
        view.outcomes.iter().filter(|o| o.state == OutcomeState::Failed).map(|o| o.server.port).collect();
    assert_eq!((failed, view.outcomes.len()), (vec![victim], 2), "{:#?}", view.outcomes);
    back(&service, &sandbox, victim).await;
    service.services.refactor.run(&regroup, &actor()).await.expect("the rest");
    let below: Vec<u16> =
        [a, b, c].into_iter().filter(|p| service.server(*p).replication.source == key(source)).collect();
    assert_eq!(below.len(), 1, "one is left below the source");
    write_arrives(&sandbox, source, &[a, b, c], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_out_of_errant_transactions_survive_a_death_in_the_middle() {
    let sandbox = tree("mysql", 2);
    let [source, a, b] = sandbox.ports[..] else { panic!("three servers") };
    let service = without_recoveries().await;
    service.discover(source, 3).await;

    write_arrives(&sandbox, source, &[a, b], 1).await;

    // The primary dies while they are made known to all: that is said, and asking again does what is left to be done.
    service.make_errant(&sandbox, a).await;
    let inject = Operation::InjectErrant { server: key(a) };
    let injecting = (source, "InjectEmpty", StepState::Running);
    if let Err(error) = killing_when(&service, &sandbox, &inject, injecting, source).await {
        assert!(error.to_string().contains(&key(source).to_string()), "{error}");
    }
    back(&service, &sandbox, source).await;
    for port in [a, b] {
        is_below(&service, port, source).await;
    }
    match service.services.refactor.run(&inject, &actor()).await {
        Ok(_) => {}
        Err(RefactorError::Refused(refusal)) => assert_eq!(refusal.rule, "no-errant-transactions", "all was done"),
        Err(error) => panic!("{error}"),
    }
    service.nothing_is_errant(&[source, a, b]).await;

    // The server dies before its history is written anew, or, where the signal came late, in the middle of it or after.
    service.make_errant(&sandbox, b).await;
    let reset = Operation::ResetErrant { server: key(b) };
    let told = match killing(&service, &sandbox, &reset, (b, "StopReplication"), b).await {
        Ok(_) => String::new(),
        Err(RefactorError::Failed(error)) => error,
        Err(error) => panic!("{error}"),
    };
    sandbox.start_one(b);
    if let Some((_, by_hand)) = told.split_once("By hand: ") {
        // Its history was thrown away: what it takes to have it back is in the error.
        let statement = by_hand.split(';').next().unwrap_or_default();
        sandbox.sql(b, &format!("STOP REPLICA; {statement}; START REPLICA"));
    }
    is_below(&service, b, source).await;
    match service.services.refactor.run(&reset, &actor()).await {
        Ok(_) => {}
        Err(RefactorError::Refused(refusal)) => {
            assert_eq!(refusal.rule, "no-errant-transactions", "all was done: {told}")
        }
        Err(error) => panic!("{error}"),
    }
    service.nothing_is_errant(&[source, a, b]).await;
    write_arrives(&sandbox, source, &[a, b], 2).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn deleting_binary_logs_survives_a_death_in_the_middle(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = tree(flavor, 1);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    let service = without_recoveries().await;
    service.discover(source, 2).await;
    let first = service.server(source).binlog.file.clone();
    sandbox.sql(source, "FLUSH BINARY LOGS; FLUSH BINARY LOGS");
    write_arrives(&sandbox, source, &[replica], 1).await;
    let newest = service.services.discovery.probe_now(&key(source)).await.expect("it answers").binlog.file.clone();
    assert_ne!(first, newest);
    let purge = Operation::PurgeBinaryLogs { server: key(source), to: newest.clone(), force: false };
    // What the replica has executed is read a moment after it is seen.
    eventually("the replica needs the old ones no more", Duration::from_secs(10), || async {
        let _seen = service.services.discovery.probe_now(&key(replica)).await;
        service.services.refactor.plan(&purge).is_ok().then_some(())
    })
    .await;
    let result =
        killing_when(&service, &sandbox, &purge, (source, "PurgeBinaryLogs", StepState::Running), source).await;
    if let Err(error) = result {
        assert!(error.to_string().contains(&key(source).to_string()), "{error}");
    }
    back(&service, &sandbox, source).await;
    is_below(&service, replica, source).await;
    service.services.refactor.run(&purge, &actor()).await.expect("once more");
    let logs = sandbox.sql(source, "SHOW BINARY LOGS");
    let kept: Vec<&str> = logs.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(kept.contains(&newest.as_str()) && !kept.contains(&first.as_str()), "{kept:?}");
    write_arrives(&sandbox, source, &[replica], 2).await;
}
