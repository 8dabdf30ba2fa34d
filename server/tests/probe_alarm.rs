//! A killed server is known at once, on both families and under each kind of login.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::mysql::{Alarm, Alarms, ConnectSettings, Connector, Sign, TlsMode};
use rstest::rstest;
use support::{Sandbox, account, key, until};
use tokio::sync::mpsc::UnboundedReceiver;

async fn a_killed_process_is_noticed(sandbox: &Sandbox, port: u16, settings: ConnectSettings) {
    let connector = Arc::new(Connector::new(settings));
    drop(connector.open(&key(port)).await.expect("a first login"));
    let (alarms, mut receiver) = Alarms::new(connector);
    alarms.watch(&key(port), false);
    let sessions =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = 'orchestrator' AND COMMAND = 'Sleep'";
    until("the idle session is there", Duration::from_secs(5), || async { sandbox.sql(port, sessions) == "1" }).await;
    alarms.watch(&key(port), false);
    assert_eq!(alarms.count(), 1);
    let aborted = sandbox.sql(port, "SHOW GLOBAL STATUS LIKE 'Aborted_connects'");
    assert!(aborted.ends_with("\t0"), "the login is finished, so nothing is counted against our host: {aborted}");

    let killed = Instant::now();
    sandbox.signal(port, "KILL");
    let alarm = next(&mut receiver).await;
    println!("{}: known {:?} after the kill: {:?}", sandbox.flavor, killed.elapsed(), alarm.sign);
    assert_eq!(alarm.key, key(port));
    assert!(matches!(alarm.sign, Sign::Ended(_)), "{alarm:?}");
    assert_eq!(alarms.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mariadb_server_is_noticed() {
    let sandbox = Sandbox::start("mariadb", 1);
    a_killed_process_is_noticed(&sandbox, sandbox.ports[0], account()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mysql_server_is_noticed_with_and_without_tls() {
    let sandbox = Sandbox::start("mysql", 2);
    a_killed_process_is_noticed(&sandbox, sandbox.ports[0], account()).await;
    let mut encrypted = account();
    encrypted.tls.mode = TlsMode::Always;
    encrypted.tls.skip_verify = true;
    a_killed_process_is_noticed(&sandbox, sandbox.ports[1], encrypted).await;
}

/// The server has forgotten the password (`FLUSH PRIVILEGES`): it must be proved in full, under the server's key.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_server_does_not_remember_succeeds() {
    let sandbox = Sandbox::start("mysql", 1);
    let port = sandbox.ports[0];
    sandbox.sql(port, "FLUSH PRIVILEGES");
    let (alarms, mut receiver) = Alarms::new(Arc::new(Connector::new(account())));
    alarms.watch(&key(port), false);
    let sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE USER = 'orchestrator'";
    until("the idle session is there", Duration::from_secs(5), || async { sandbox.sql(port, sessions) == "1" }).await;
    sandbox.run("stop", &[]);
    assert_eq!(next(&mut receiver).await.key, key(port));
}

/// A process that stands still ends no session: it is known by the answer that stays out, and so is its return.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 1);
    let port = sandbox.ports[0];
    let connector = Arc::new(Connector::new(account()));
    drop(connector.open(&key(port)).await.expect("a first login"));
    let (alarms, mut receiver) = Alarms::new(connector);
    alarms.watch(&key(port), true);
    let quiet = tokio::time::timeout(Duration::from_secs(2), receiver.recv()).await;
    assert!(quiet.is_err(), "while it answers there is nothing to tell: {quiet:?}");

    let hung = Instant::now();
    sandbox.signal(port, "STOP");
    let alarm = next(&mut receiver).await;
    assert!(matches!(alarm.sign, Sign::Silent(_)), "{alarm:?}");
    println!("{flavor}: known {:?} after it began to hang", hung.elapsed());
    sandbox.signal(port, "CONT");
    assert_eq!(next(&mut receiver).await.sign, Sign::Answers);
    sandbox.signal(port, "KILL");
    assert!(matches!(next(&mut receiver).await.sign, Sign::Ended(_)));
}

async fn next(receiver: &mut UnboundedReceiver<Alarm>) -> Alarm {
    tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await.expect("an alarm").expect("open")
}
