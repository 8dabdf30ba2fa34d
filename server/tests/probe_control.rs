//! Acting on real servers of both families, and the facts about relay logs that decide whether data is lost.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orchestrator::mysql::{ConnectSettings, Connector, Control, MysqlControl, MysqlError};
use rstest::rstest;
use support::{Sandbox, account, key, until};

const LIMIT: Duration = Duration::from_secs(10);
/// A table that our account may look into.
const SCHEMA: &str =
    "CREATE DATABASE d; GRANT SELECT ON d.* TO 'orchestrator'@'%'; CREATE TABLE d.t (id INT PRIMARY KEY)";

fn control() -> MysqlControl {
    MysqlControl::new(Arc::new(Connector::new(account())))
}

/// The words of a family.
struct Words {
    stop_receiver: &'static str,
    stop_applier: &'static str,
    start_applier: &'static str,
    stop: &'static str,
    start: &'static str,
    change_retry: &'static str,
    status: &'static str,
}

fn words(flavor: &str) -> Words {
    match flavor {
        "mysql" => Words {
            stop_receiver: "STOP REPLICA IO_THREAD",
            stop_applier: "STOP REPLICA SQL_THREAD",
            start_applier: "START REPLICA SQL_THREAD",
            stop: "STOP REPLICA",
            start: "START REPLICA",
            change_retry: "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_CONNECT_RETRY=7",
            status: "SHOW REPLICA STATUS",
        },
        _ => Words {
            stop_receiver: "STOP SLAVE IO_THREAD",
            stop_applier: "STOP SLAVE SQL_THREAD",
            start_applier: "START SLAVE SQL_THREAD",
            stop: "STOP SLAVE",
            start: "START SLAVE",
            change_retry: "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_CONNECT_RETRY=7",
            status: "SHOW SLAVE STATUS",
        },
    }
}

async fn execute(control: &MysqlControl, port: u16, statement: &str) {
    control.execute(&key(port), &[statement.to_owned()], LIMIT).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
}

async fn rows_in(control: &MysqlControl, port: u16) -> u64 {
    let rows = control.query(&key(port), "SELECT COUNT(*) FROM d.t", LIMIT).await.expect("a count");
    rows.first().and_then(|row| row.scalar()).and_then(|n| n.parse().ok()).expect("a number")
}

async fn read_position(control: &MysqlControl, port: u16, words: &Words) -> String {
    let rows = control.query(&key(port), words.status, LIMIT).await.expect("status");
    let row = rows.first().expect("a channel");
    let file = row.text(&["Source_Log_File", "Master_Log_File"]);
    format!("{file}:{}", row.text(&["Read_Source_Log_Pos", "Read_Master_Log_Pos"]))
}

/// A source and its replica.
fn pair(flavor: &'static str) -> (Sandbox, u16, u16) {
    let sandbox = Sandbox::start(flavor, 2);
    let [source, replica] = sandbox.ports[..] else { panic!("two servers") };
    sandbox.replicate(&[(source, replica)]);
    (sandbox, source, replica)
}

/// A replica that holds 50 received and unapplied transactions of a source that is dead.
async fn received_but_not_applied(flavor: &'static str) -> (Sandbox, MysqlControl, Words) {
    received_but_not_applied_with(flavor, true).await
}

async fn received_but_not_applied_with(flavor: &'static str, stop_receiver: bool) -> (Sandbox, MysqlControl, Words) {
    let (sandbox, source, replica) = pair(flavor);
    let (control, words) = (control(), words(flavor));
    sandbox.sql(source, SCHEMA);
    let made = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
    until("the table arrives", LIMIT, || async { sandbox.sql(replica, made) == "1" }).await;
    execute(&control, replica, words.stop_applier).await;
    let inserts: Vec<String> = (0..50).map(|id| format!("INSERT INTO d.t VALUES ({id})")).collect();
    sandbox.sql(source, &inserts.join(";"));
    let log = if flavor == "mysql" { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let end = control.query(&key(source), log, LIMIT).await.expect("status");
    let end =
        end.first().map(|row| format!("{}:{}", row.text(&["File"]), row.text(&["Position"]))).expect("a position");
    until("all is received", LIMIT, || async { read_position(&control, replica, &words).await == end }).await;
    sandbox.kill(source);
    if stop_receiver {
        execute(&control, replica, words.stop_receiver).await;
    }
    assert_eq!(rows_in(&control, replica).await, 0, "nothing is applied yet");
    (sandbox, control, words)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stopping_only_the_receiver_keeps_the_relay_log(#[values("mariadb", "mysql")] flavor: &'static str) {
    let (sandbox, control, words) = received_but_not_applied(flavor).await;
    let replica = sandbox.ports[1];
    let heard = Mutex::new(Vec::new());
    let began = Instant::now();
    let drained = control
        .drain(&key(replica), "", LIMIT, &|progress| heard.lock().expect("progress").push(progress))
        .await
        .expect("drained");
    println!("{flavor}: drained in {:?}: {drained:?}", began.elapsed());
    assert_eq!(rows_in(&control, replica).await, 50, "every acknowledged write is there");
    assert!(!drained.incomplete_tail && !drained.gtid.is_empty());
    assert!(!heard.lock().expect("progress").is_empty());
    if flavor == "mariadb" {
        let rows = control.query(&key(replica), words.status, LIMIT).await.expect("status");
        assert_eq!(rows.first().and_then(|row| row.get("Using_Gtid")), Some("Slave_Pos"), "as it was before");
    }
    // Draining again finds nothing to do, and says so at once.
    assert_eq!(control.drain(&key(replica), "", LIMIT, &|_| {}).await.expect("again").exec, drained.exec);
}

/// With both threads stopped, even the applier alone throws the relay log away when it starts, where GTIDs are used:
/// the reason why a drain of such a replica switches GTID off for the time.
#[tokio::test(flavor = "multi_thread")]
async fn mariadb_throws_the_relay_log_away_when_the_applier_starts_alone() {
    let (sandbox, control, words) = received_but_not_applied("mariadb").await;
    execute(&control, sandbox.ports[1], words.start_applier).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows_in(&control, sandbox.ports[1]).await, 0);
}

/// While the receiver runs, starting the applier keeps the relay log, and so does stopping the receiver then.
#[tokio::test(flavor = "multi_thread")]
async fn mariadb_keeps_the_relay_log_when_the_applier_runs_before_the_receiver_stops() {
    let (sandbox, control, words) = received_but_not_applied_with("mariadb", false).await;
    let replica = sandbox.ports[1];
    execute(&control, replica, words.start_applier).await;
    execute(&control, replica, words.stop_receiver).await;
    let drained = control.drain(&key(replica), "", LIMIT, &|_| {}).await.expect("drained");
    assert!(!drained.incomplete_tail);
    assert_eq!(rows_in(&control, replica).await, 50);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stopping_both_and_changing_throws_it_away(#[values("mariadb", "mysql")] flavor: &'static str) {
    let (sandbox, control, words) = received_but_not_applied(flavor).await;
    let replica = sandbox.ports[1];
    execute(&control, replica, words.stop).await;
    execute(&control, replica, words.change_retry).await;
    execute(&control, replica, words.start_applier).await;
    // There is nothing left to wait for: the relay log is a new, empty one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows_in(&control, replica).await, 0, "the fact that makes us drain first no longer holds");
}

/// Starting the receiver again, with both threads stopped, is enough to lose the relay log where GTIDs are used.
#[tokio::test(flavor = "multi_thread")]
async fn mariadb_throws_the_relay_log_away_when_the_receiver_restarts() {
    let (sandbox, control, words) = received_but_not_applied("mariadb").await;
    let replica = sandbox.ports[1];
    execute(&control, replica, words.stop).await;
    execute(&control, replica, words.start).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows_in(&control, replica).await, 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn draining_fails_with_the_appliers_error(#[values("mariadb", "mysql")] flavor: &'static str) {
    let (sandbox, source, replica) = pair(flavor);
    let (control, words) = (control(), words(flavor));
    sandbox.sql(source, SCHEMA);
    let made = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
    until("the table arrives", LIMIT, || async { sandbox.sql(replica, made) == "1" }).await;
    let refused = control.drain(&key(replica), "", LIMIT, &|_| {}).await.expect_err("the receiver runs");
    assert!(refused.to_string().contains("receiver is not stopped"), "{refused}");
    let unknown = control.drain(&key(source), "", LIMIT, &|_| {}).await.expect_err("no replica");
    assert!(unknown.to_string().contains("no such channel"), "{unknown}");

    execute(&control, replica, words.stop_applier).await;
    let before = read_position(&control, replica, &words).await;
    let writeable = if flavor == "mysql" { "super_read_only" } else { "read_only" };
    sandbox
        .sql(replica, &format!("SET GLOBAL {writeable} = 0; SET SESSION sql_log_bin = 0; INSERT INTO d.t VALUES (1)"));
    sandbox.sql(source, "INSERT INTO d.t VALUES (1)");
    until("the write arrives", LIMIT, || async { read_position(&control, replica, &words).await != before }).await;
    execute(&control, replica, words.stop_receiver).await;
    match control.drain(&key(replica), "", LIMIT, &|_| {}).await {
        Err(MysqlError::Applier { code: 1062, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_bounded_in_time(#[values("mariadb", "mysql")] flavor: &'static str) {
    let sandbox = Sandbox::start(flavor, 1);
    let port = sandbox.ports[0];
    let control = control();
    sandbox.sql(port, SCHEMA);
    sandbox.sql(port, "GRANT ALL ON d.* TO 'app'@'%'; GRANT INSERT ON d.* TO 'orchestrator'@'%'");

    let executed = if flavor == "mysql" { "SELECT @@GLOBAL.gtid_executed" } else { "SELECT @@GLOBAL.gtid_current_pos" };
    let executed = sandbox.sql(port, executed);
    let now = Duration::from_millis(500);
    assert_eq!(control.wait_for_gtid(&key(port), &executed, now).await, Ok(true));
    let future = if flavor == "mysql" {
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".to_owned()
    } else {
        format!("0-{port}-999999")
    };
    assert_eq!(control.wait_for_gtid(&key(port), &future, now).await, Ok(false));
    assert!(matches!(control.wait_for_gtid(&key(port), "x'; DROP", now).await, Err(MysqlError::Settings(_))));

    // A statement that hangs behind a lock is given up in time, and does not come true once the lock is gone.
    let app = ConnectSettings { user: "app".to_owned(), password: "app_password".to_owned(), ..account() };
    let mut writer = Connector::new(app.clone()).open(&key(port)).await.expect("a session");
    writer.run("LOCK TABLES d.t WRITE", LIMIT).await.expect("a lock");
    let began = Instant::now();
    let hung = control.execute(&key(port), &["SET GLOBAL read_only = 1".to_owned()], now).await;
    assert!(matches!(hung, Err(MysqlError::Timeout { .. })), "{hung:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE INFO LIKE 'SET GLOBAL read_only%'";
    until("the statement is gone", LIMIT, || async { sandbox.sql(port, waiting) == "0" }).await;
    writer.run("UNLOCK TABLES", LIMIT).await.expect("unlocked");
    drop(writer);
    assert_eq!(sandbox.sql(port, "SELECT @@GLOBAL.read_only + 0"), "0");

    // The first statement that fails ends the rest.
    let statements = ["INSERT INTO d.t VALUES (1)", "INSERT INTO d.t VALUES (1)", "INSERT INTO d.t VALUES (2)"];
    let failed = control.execute(&key(port), &statements.map(str::to_owned), LIMIT).await;
    assert_eq!(failed.expect_err("a duplicate").number(), Some(1062));
    assert_eq!(rows_in(&control, port).await, 1);

    // Sessions of clients are ended, ours are not.
    let mut client = Connector::new(app.clone()).open(&key(port)).await.expect("a client");
    client.run("SELECT 1", LIMIT).await.expect("works");
    assert_eq!(control.kill_sessions(&key(port), &["app".to_owned()], LIMIT).await, Ok(0));
    assert_eq!(control.kill_sessions(&key(port), &[], LIMIT).await, Ok(1));
    assert!(client.run("SELECT 1", LIMIT).await.expect_err("killed").is_silence());
    assert_eq!(rows_in(&control, port).await, 1);

    // An administrator's session that ours may not end does not keep the others (MySQL knows such, `SYSTEM_USER`).
    let root = ConnectSettings { user: "root".to_owned(), password: "root_password".to_owned(), ..account() };
    let mut idle = Connector::new(root).open(&key(port)).await.expect("an administrator");
    let mut client = Connector::new(app).open(&key(port)).await.expect("a client");
    idle.run("SELECT 1", LIMIT).await.expect("works");
    assert!(control.kill_sessions(&key(port), &[], LIMIT).await.is_ok_and(|ended| ended >= 1));
    assert!(client.run("SELECT 1", LIMIT).await.expect_err("killed").is_silence());
    drop(idle);

    // When whoever asked stops waiting, the answer is not taken for that of the next question.
    let mut session = Connector::new(account()).open(&key(port)).await.expect("a session");
    let question = session.rows("SELECT SLEEP(0.5)", LIMIT);
    assert!(tokio::time::timeout(Duration::from_millis(100), question).await.is_err());
    assert!(session.rows("SELECT 7", LIMIT).await.expect_err("it is closed").is_silence());
}
