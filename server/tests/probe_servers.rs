//! One look at real servers of both families: what is read, in how many round trips, and what survives trouble.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use app::topology::{Flavor, Instance, ThreadState};
use engine::interpret::{Filters, NameMethod, Names};
use orchestrator::mysql::{
    ConnectSettings, Connector, MysqlError, MysqlProbe, Probe, ProbeContext, ProbeError, ProbeOutcome, ProbeResult,
    ProbeSettings, TlsMode, UserQueries,
};
use orchestrator::store::{BackendSettings, BackendTls, BackendTlsMode, Deployment, MySqlSettings, Store};
use rstest::rstest;
use support::authority::Authority;
use support::{Sandbox, account, key, until};

fn by_address() -> ProbeSettings {
    ProbeSettings { names: Names::new(NameMethod::AsGiven, "", "", ""), ..Default::default() }
}

fn probe_with(settings: ConnectSettings, probe: ProbeSettings) -> MysqlProbe {
    MysqlProbe::new(Arc::new(Connector::new(settings)), probe)
}

fn seen(result: ProbeResult) -> Instance {
    match result.outcome {
        ProbeOutcome::Seen(seen) => seen.instance,
        other => panic!("{}: {other:?}", result.probed),
    }
}

async fn look(probe: &MysqlProbe, port: u16) -> Instance {
    seen(probe.probe(&key(port), &ProbeContext::default()).await)
}

/// Looks until a condition holds.
async fn look_until(probe: &MysqlProbe, port: u16, what: &str, check: impl Fn(&Instance) -> bool) -> Instance {
    until(what, Duration::from_secs(10), || async { check(&look(probe, port).await) }).await;
    look(probe, port).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn everything_a_server_offers_is_read(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 2);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    sandbox.replicate(&[(source, replica)]);
    sandbox.sql(source, "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1), (2)");
    let probe = probe_with(account(), by_address());

    let top = look_until(&probe, source, "the source lists its replica", |i| i.replicas == [key(replica)]).await;
    assert_eq!(top.flavor(), if flavor == "mariadb" { Flavor::MariaDb } else { Flavor::MySql });
    assert_eq!(top.server_id, u64::from(source));
    assert!(top.log_bin && top.log_replica_updates && !top.read_only);
    assert_eq!(top.binlog_format, "ROW");
    assert!(!top.binlog.is_empty() && top.binlog.position > 4);
    assert!(!top.is_replica() && top.replication.receiver == ThreadState::NoThread);
    assert!(!top.executed_gtid.is_empty());
    assert!(top.capabilities.known);

    let below = look_until(&probe, replica, "the replica has caught up", |i| {
        i.replication.is_running()
            && i.executed_gtid == top.executed_gtid
            && i.replication.read == i.replication.exec
            && i.uptime > 0
            && i.replication.heartbeat_age_ms.is_some() == (flavor == "mysql")
    })
    .await;
    let channel = &below.replication;
    assert_eq!(channel.source, key(source));
    assert_eq!(channel.source_server_id, u64::from(source));
    assert!(channel.uses_gtid() && channel.has_credentials && !channel.has_filters);
    assert_eq!((channel.user.as_str(), channel.receiver_errno, channel.applier_errno), ("repl", 0, 0));
    assert_eq!(channel.read, channel.exec);
    assert!(!channel.read.is_empty() && !channel.relay.is_empty() && !channel.retrieved_gtid.is_empty());
    assert_eq!(channel.seconds_behind, Some(0));
    assert_eq!(below.lag, Some(0));
    assert_eq!(channel.heartbeat_period_ms, Some(2000));
    assert!(below.read_only);
    if flavor == "mysql" {
        assert_eq!(channel.source_uuid, top.server_uuid);
        assert!(channel.auto_position && channel.credentials_available);
        assert!(channel.heartbeat_age_ms.is_some_and(|age| age < 5_000), "{:?}", channel.heartbeat_age_ms);
        assert_eq!(channel.tls.verify_server_cert, Some(false));
        assert!(channel.tls.allowed || channel.tls.get_public_key == Some(true));
        assert!(below.super_read_only.is_some() && below.gtid_mode == "ON" && !below.server_uuid.is_empty());
        assert!(
            below.capabilities.replica_terms && below.capabilities.reset_binary_logs && below.capabilities.channels
        );
    } else {
        assert_eq!(channel.source_uuid, "No");
        assert!(below.server_uuid.is_empty() && below.gtid_mode.is_empty());
        assert_eq!(below.gtid_domain_id, Some(0));
        assert!(below.semi_sync.available && !below.capabilities.replica_terms);
        assert_eq!(channel.retrieved_gtid, top.executed_gtid);
    }

    let again = probe.probe(&key(replica), &ProbeContext::default()).await;
    println!("{flavor}: {} round trips, {:?}; refused: {:?}", again.round_trips, again.latency, again.refused);
    assert!(again.round_trips <= 6, "{} round trips", again.round_trips);
    assert!(again.refused.is_empty(), "{:?}", again.refused);

    // The server is restarted: the kept connection is gone, which the next look must not take for a failure.
    sandbox.run("stop", &["--port", &replica.to_string()]);
    let down = probe.probe(&key(replica), &ProbeContext { last: Some(Arc::new(below.clone())), thorough: false }).await;
    assert!(matches!(&down.outcome, ProbeOutcome::Failed { error } if error.is_silence()), "{:?}", down.outcome);
    sandbox.start_one(replica);
    assert_eq!(look(&probe, replica).await.key, key(replica));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn accounts_tls_and_queries(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 1);
    let port = sandbox.ports[0];
    sandbox.sql(
        port,
        "CREATE USER poor@'%' IDENTIFIED BY 'pw'; CREATE USER strict@'%' IDENTIFIED BY 'pw' REQUIRE SSL; \
         GRANT ALL ON *.* TO strict@'%'",
    );
    let settings = |user: &str| ConnectSettings { user: user.to_owned(), password: "pw".to_owned(), ..account() };

    // An account without grants: the basics are read, the rest keeps its last value, and the reason is told.
    let known = Instance { region: "north".to_owned(), key: key(port), ..Default::default() };
    let context = ProbeContext { last: Some(Arc::new(known)), thorough: false };
    let probe = probe_with(settings("poor"), by_address());
    match probe.probe(&key(port), &context).await.outcome {
        ProbeOutcome::Partial { seen, error } => {
            assert_eq!(error.number(), Some(1227), "{error}");
            assert_eq!(seen.instance.region, "north");
            assert_eq!(seen.instance.server_id, u64::from(port));
        }
        other => panic!("{other:?}"),
    }

    // A wrong password is the server's word, by number, and does not repeat the password.
    let wrong = ConnectSettings { password: "s3cret".to_owned(), ..settings("poor") };
    match probe_with(wrong, by_address()).probe(&key(port), &ProbeContext::default()).await.outcome {
        ProbeOutcome::Failed { error: ProbeError::Mysql(error) } => {
            assert_eq!(error.number(), Some(1045));
            assert!(!error.is_silence() && !format!("{error:?}").contains("s3cret"));
        }
        other => panic!("{other:?}"),
    }

    // Queries of the configuration: asked in one more round trip, one that fails is told of.
    let queries = UserQueries {
        lag: "SELECT 7.9;".to_owned(),
        data_center: "SELECT 'ams'".to_owned(),
        region: "SELECT nonsense FROM nowhere.at_all".to_owned(),
        semi_sync_priority: "SELECT 300".to_owned(),
        promotion_rule: "SELECT 'prefer_not'".to_owned(),
        cluster_domain: "SELECT 'orders.example'".to_owned(),
        ..Default::default()
    };
    let probe = probe_with(account(), ProbeSettings { queries, ..by_address() });
    let result = probe.probe(&key(port), &context).await;
    assert_eq!(result.refused.keys().collect::<Vec<_>>(), [&"DetectRegionQuery"]);
    let ProbeOutcome::Seen(seen) = result.outcome else { panic!("{:?}", result.outcome) };
    assert_eq!((seen.instance.lag, seen.instance.data_center.as_str()), (Some(7), "ams"));
    assert_eq!((seen.instance.region.as_str(), seen.instance.semi_sync.priority), ("north", 300));
    assert_eq!(seen.promotion_rule.map(|r| r.as_str()), Some("prefer_not"));
    assert_eq!(seen.cluster_domain.as_deref(), Some("orders.example"));
    let next = probe.probe(&key(port), &context).await;
    assert_eq!(next.round_trips, 2, "one for the state, one for the lag");

    // TLS: in mixed mode an account that is bound to it is let in, and it is remembered; never means never.
    if flavor == "mysql" {
        let mixed = probe_with(settings("strict"), by_address());
        look(&mixed, port).await;
        let mut never = settings("strict");
        never.tls.mode = TlsMode::Never;
        let denied = probe_with(never, by_address()).probe(&key(port), &ProbeContext::default()).await;
        assert!(
            matches!(&denied.outcome, ProbeOutcome::Failed { error: ProbeError::Mysql(e) } if e.number() == Some(1045)),
            "{:?}",
            denied.outcome
        );
        sandbox.sql(port, "SET GLOBAL require_secure_transport = ON");
        look(&probe_with(account(), by_address()), port).await;
        let mut verified = account();
        verified.tls.mode = TlsMode::Always;
        let refused = probe_with(verified, by_address()).probe(&key(port), &ProbeContext::default()).await;
        assert!(
            matches!(&refused.outcome, ProbeOutcome::Failed { error: ProbeError::Mysql(MysqlError::Connect { .. }) }),
            "a certificate that the server made for itself is not trusted: {:?}",
            refused.outcome
        );
    }
}

/// Certificates of an authority of our own: who is vouched for is talked to, on both sides, and nobody else; and a fleet in which some
/// servers speak TLS and some do not is watched with one configuration.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified(#[values("mariadb", "mysql")] flavor: &'static str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("allowed");
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let ca = ours.write(&folder.path().join("ca.pem"));
    let other_ca = theirs.write(&folder.path().join("other.pem"));
    let (certificate, server_key) = ours.server(&["127.0.0.1"]).write(folder.path(), "server");
    let badge = ours.client("orchestrator", "dba").write(folder.path(), "badge");
    let forged = theirs.client("orchestrator", "dba").write(folder.path(), "forged");
    let options = [("ssl_ca", &ca), ("ssl_cert", &certificate), ("ssl_key", &server_key)];
    let options: Vec<&'static str> =
        options.iter().map(|(name, path)| &*format!("{name}={}", path.display()).leak()).collect();
    let sandbox = Sandbox::start_with(flavor, 1, options.leak());
    let port = sandbox.ports[0];
    sandbox.sql(
        port,
        "CREATE USER badge@'%' IDENTIFIED BY 'pw' REQUIRE X509; GRANT ALL ON *.* TO badge@'%'; \
         CREATE USER orc@'%' IDENTIFIED BY 'orc' REQUIRE X509; GRANT ALL ON orchestrator.* TO orc@'%'",
    );
    let verified = |ca: &std::path::Path| {
        let mut settings = account();
        settings.tls.mode = TlsMode::Always;
        settings.tls.ca_file = Some(ca.to_owned());
        settings
    };
    let look_with = async |settings: ConnectSettings, host: &str| {
        let probe = probe_with(settings, by_address());
        let outcome = probe.probe(&app::InstanceKey::new(host, port), &ProbeContext::default()).await.outcome;
        match outcome {
            ProbeOutcome::Seen(_) | ProbeOutcome::Partial { .. } => Ok(()),
            ProbeOutcome::Failed { error } => Err(error.to_string()),
            ProbeOutcome::Skipped => panic!("skipped"),
        }
    };
    assert_eq!(look_with(verified(&ca), "127.0.0.1").await, Ok(()));
    for (settings, host, why) in [
        (verified(&other_ca), "127.0.0.1", "another authority"),
        (verified(&ca), "localhost", "another name than the certificate's"),
    ] {
        let refused = look_with(settings, host).await.expect_err(why);
        assert!(refused.to_lowercase().contains("certificate"), "{why}: {refused}");
    }

    // The account asks for a certificate of the client.
    let with_badge = |identity: Option<&(std::path::PathBuf, std::path::PathBuf)>| {
        let mut settings = verified(&ca);
        settings.user = "badge".to_owned();
        settings.password = "pw".to_owned();
        settings.tls.identity = identity.cloned();
        settings
    };
    assert_eq!(look_with(with_badge(Some(&badge)), "127.0.0.1").await, Ok(()));
    assert!(look_with(with_badge(None), "127.0.0.1").await.is_err(), "without one");
    assert!(
        look_with(with_badge(Some(&forged)), "127.0.0.1").await.is_err(),
        "of an authority that the server does not trust"
    );

    // A mixed fleet, verified where TLS is spoken.
    let plain = Sandbox::start_with(flavor, 1, if flavor == "mysql" { &["tls_version="] } else { &["skip_ssl"] });
    sandbox.sql(port, "SET GLOBAL require_secure_transport = ON");
    let mut mixed = verified(&ca);
    mixed.tls.mode = TlsMode::Mixed;
    let probe = probe_with(mixed.clone(), by_address());
    look(&probe, port).await;
    look(&probe, plain.ports[0]).await;
    mixed.tls.ca_file = Some(other_ca.clone());
    assert!(look_with(mixed, "127.0.0.1").await.is_err(), "mixed does not mean unverified where an authority is given");
    let always = probe_with(verified(&ca), by_address());
    let refused = always.probe(&key(plain.ports[0]), &ProbeContext::default()).await;
    assert!(matches!(refused.outcome, ProbeOutcome::Failed { .. }), "always means always: {:?}", refused.outcome);

    // The backend by the same rules.
    let open = async |ca: &std::path::Path, host: &str, identity: Option<&(std::path::PathBuf, std::path::PathBuf)>| {
        let tls = BackendTls {
            mode: BackendTlsMode::Verified,
            ca: Some(ca.to_owned()),
            cert: identity.map(|(certificate, _)| certificate.clone()),
            key: identity.map(|(_, key)| key.clone()),
        };
        let (user, password) = ("orc".to_owned(), "orc".to_owned());
        let settings = MySqlSettings { host: host.to_owned(), port, user, password, tls, ..MySqlSettings::default() };
        Store::open(&BackendSettings::MySql(settings), &Deployment::of_version("tls")).await
    };
    let store = open(&ca, "127.0.0.1", Some(&badge)).await.expect("the backend opens");
    store.ping().await.expect("it answers");
    store.close().await;
    assert!(open(&other_ca, "127.0.0.1", Some(&badge)).await.is_err(), "another authority");
    assert!(open(&ca, "localhost", Some(&badge)).await.is_err(), "another name");
    assert!(open(&ca, "127.0.0.1", None).await.is_err(), "no certificate of the client");
}

/// A server that hangs is told from one that is gone by the time it takes only, and nothing waits longer than it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_in_time() {
    let sandbox = Sandbox::start("mariadb", 1);
    let port = sandbox.ports[0];
    let limits = ConnectSettings {
        connect_timeout: Duration::from_millis(300),
        probe_timeout: Duration::from_millis(400),
        ..account()
    };
    let probe = probe_with(limits, by_address());
    look(&probe, port).await;
    sandbox.run("pause", &["--port", &port.to_string()]);
    for _ in 0..2 {
        let result = probe.probe(&key(port), &ProbeContext::default()).await;
        assert!(matches!(&result.outcome, ProbeOutcome::Failed { error } if error.is_silence()), "{result:?}");
        assert!(result.latency < Duration::from_secs(2), "{:?}", result.latency);
    }
    sandbox.run("resume", &["--port", &port.to_string()]);
    until("it answers again", Duration::from_secs(5), || async {
        matches!(probe.probe(&key(port), &ProbeContext::default()).await.outcome, ProbeOutcome::Seen(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_an_unwanted_user_are_skipped() {
    let sandbox = Sandbox::start("mariadb", 2);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    sandbox.replicate(&[(source, replica)]);
    let filters = Filters::new(&[], &[], &[], &["^repl$".to_owned()]);
    let probe = probe_with(account(), ProbeSettings { filters, ..by_address() });
    let result = probe.probe(&key(replica), &ProbeContext::default()).await;
    assert!(matches!(result.outcome, ProbeOutcome::Skipped), "{:?}", result.outcome);
}

/// Switched on while the server runs: a plugin that was installed since the last survey is seen by a thorough look.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn semi_sync_is_read(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 2);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    sandbox.replicate(&[(source, replica)]);
    let probe = probe_with(account(), by_address());
    look(&probe, source).await;
    look(&probe, replica).await;
    sandbox.run("semisync", &["--source", &source.to_string(), "--replica", &replica.to_string(), "--timeout", "7000"]);
    let thorough = ProbeContext { last: None, thorough: true };
    until("the source waits for its replica", Duration::from_secs(10), || async {
        let top = seen(probe.probe(&key(source), &thorough).await).semi_sync;
        top.available && top.source_enabled && top.source_active && top.source_clients == 1
    })
    .await;
    let top = look(&probe, source).await.semi_sync;
    assert_eq!((top.source_timeout_ms, top.source_wait_for, top.replica_active), (7000, 1, false));
    let below = seen(probe.probe(&key(replica), &thorough).await).semi_sync;
    assert!(below.replica_enabled && below.replica_active && !below.source_active);
    assert_eq!(below.replica_new_names, flavor == "mysql");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_address_is_dialled_with_its_own_port() {
    let sandbox = Sandbox::start_with("mariadb", 1, &["bind-address=*"]);
    let port = sandbox.ports[0];
    let probe = probe_with(account(), by_address());
    let six = app::InstanceKey::new("::1", port);
    let server = seen(probe.probe(&six, &ProbeContext::default()).await);
    assert_eq!((server.key, server.server_id), (six, u64::from(port)));
}
