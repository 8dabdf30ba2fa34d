//! A killed server is known at once, on both families and under each kind of login.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod probe_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::mysql::{Alarms, ConnectSettings, Connector, TlsMode};
use probe_support::{Family, Sandbox, account, key, until};

async fn a_killed_process_is_noticed(sandbox: &Sandbox, port: u16, settings: ConnectSettings) {
    let connector = Arc::new(Connector::new(settings));
    drop(connector.open(&key(port)).await.expect("a first login"));
    let (alarms, mut receiver) = Alarms::new(connector);
    alarms.watch(&key(port));
    let sessions =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = 'orchestrator' AND COMMAND = 'Sleep'";
    until("the idle session is there", Duration::from_secs(5), || async { sandbox.sql(port, sessions) == "1" }).await;
    alarms.watch(&key(port));
    assert_eq!(alarms.count(), 1);
    let aborted = sandbox.sql(port, "SHOW GLOBAL STATUS LIKE 'Aborted_connects'");
    assert!(aborted.ends_with("\t0"), "the login is finished, so nothing is counted against our host: {aborted}");

    let pid = sandbox.pid(port);
    let killed = Instant::now();
    let status = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
    assert!(status.success());
    let alarm = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await.expect("an alarm").expect("open");
    println!("{:?}: known {:?} after the kill: {}", sandbox.family, killed.elapsed(), alarm.reason);
    assert_eq!(alarm.key, key(port));
    assert_eq!(alarms.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mariadb_server_is_noticed() {
    let sandbox = Sandbox::start(Family::MariaDb, &[23100], &[]);
    a_killed_process_is_noticed(&sandbox, 23100, account()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mysql_server_is_noticed_with_and_without_tls() {
    let sandbox = Sandbox::start(Family::MySql, &[23110, 23111], &[]);
    a_killed_process_is_noticed(&sandbox, 23110, account()).await;
    let mut encrypted = account();
    encrypted.tls.mode = TlsMode::Always;
    encrypted.tls.skip_verify = true;
    a_killed_process_is_noticed(&sandbox, 23111, encrypted).await;
}

/// The server has forgotten the password (`FLUSH PRIVILEGES`): it must be proved in full, under the server's key.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_server_does_not_remember_succeeds() {
    let sandbox = Sandbox::start(Family::MySql, &[23120], &[]);
    sandbox.sql(23120, "FLUSH PRIVILEGES");
    let (alarms, mut receiver) = Alarms::new(Arc::new(Connector::new(account())));
    alarms.watch(&key(23120));
    let sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = 'orchestrator'";
    until("the idle session is there", Duration::from_secs(5), || async { sandbox.sql(23120, sessions) == "1" }).await;
    sandbox.run("stop", &[]);
    let alarm = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await.expect("an alarm").expect("open");
    assert_eq!(alarm.key, key(23120));
}
