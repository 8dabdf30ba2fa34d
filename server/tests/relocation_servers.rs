//! Moves on real servers, both families: a replica and a sub-tree move, what must not move stays, and the options of
//! replication survive.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use app::api::Operation;
use orchestrator::refactor::RefactorError;
use rstest::rstest;
use support::eventually;
use support::service::{Service, actor, key, tree};

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
