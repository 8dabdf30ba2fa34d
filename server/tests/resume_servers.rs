//! The service is killed in the middle of a recovery: started again, it finishes or rolls back within ten seconds, and
//! no acknowledged write is lost (`docs/RECOVERY.md`, S5).
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "there is no runtime here to block")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use app::plan::StepState;
use orchestrator::store::{BackendSettings, Deployment, Store};
use rstest::rstest;
use support::daemon::Daemon;
use support::service::{acknowledged, config_json, missing, tree};

/// How the service ends.
#[derive(Clone, Copy)]
enum Ending {
    /// SIGKILL.
    Killed,
    /// SIGTERM: it leaves the recovery between two steps.
    Told,
}

/// `after_steps`: 0 is as soon as the recovery is known at all, before any of it is on record.
#[rstest]
#[case::mariadb_before("mariadb", 0, Ending::Killed)]
#[case::mariadb_at_once("mariadb", 1, Ending::Killed)]
#[case::mariadb_later("mariadb", 8, Ending::Killed)]
#[case::mariadb_told_to_stop("mariadb", 4, Ending::Told)]
#[case::mysql_before("mysql", 0, Ending::Killed)]
#[case::mysql_at_once("mysql", 1, Ending::Killed)]
#[case::mysql_later("mysql", 8, Ending::Killed)]
#[case::mysql_told_to_stop("mysql", 4, Ending::Told)]
fn a_recovery_survives_the_death_of_the_service(
    #[case] flavor: &'static str,
    #[case] after_steps: usize,
    #[case] by: Ending,
) {
    let sandbox = tree(flavor, 3);
    sandbox.run("semisync", &["--source", &sandbox.ports[0].to_string()]);
    let port: u16 = sandbox.run("ports", &["--count", "1"]).trim().parse().expect("a port");
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::from_str(&config_json(&folder.path().join("orchestrator.db"))).unwrap();
    let mut daemon = Daemon::start(folder.path(), port, config);
    daemon.get(&format!("/api/discover/127.0.0.1/{}", sandbox.ports[0]));
    within("the tree is known", 10, || daemon.json("/api/all-instances").as_array().map_or(0, Vec::len) == 4);
    std::thread::sleep(Duration::from_millis(3_500));
    let file = sandbox.dir().join("acknowledged");
    let load = ["--port", &sandbox.ports[0].to_string(), "--out", &file.display().to_string(), "--interval-ms", "2"];
    sandbox.run("load", &load);
    within("the load runs", 10, || acknowledged(&file).len() > 50);

    sandbox.kill(sandbox.ports[0]);
    within("the recovery is under way", 20, || {
        let recoveries = daemon.json("/api/v2/recoveries");
        recoveries[0].is_object() && (steps_done(&recoveries) >= after_steps || ended(&recoveries))
    });
    match by {
        Ending::Killed => daemon.kill(),
        Ending::Told => {
            assert_eq!(daemon.stop(), Some(0));
            assert_eq!(steps_under_way(&folder.path().join("orchestrator.db")), 0, "a step was cut off");
        }
    }
    let again = Instant::now();
    daemon.start_again();
    within("the recovery ends", 10, || ended(&daemon.json("/api/v2/recoveries")));
    println!("{flavor}: ended {:?} after the restart", again.elapsed());
    sandbox.run("stop-load", &[]);

    let recovery = daemon.json("/api/v2/recoveries")[0].clone();
    assert_eq!(recovery["state"]["state"], "succeeded", "{recovery:#}");
    let successor = u16::try_from(recovery["successor"]["Port"].as_u64().unwrap()).unwrap();
    assert_eq!(missing(&sandbox, successor, &acknowledged(&file)), [] as [String; 0], "lost writes");
    let writeable: Vec<u16> = sandbox.ports[1..]
        .iter()
        .copied()
        .filter(|p| matches!(sandbox.sql(*p, "SELECT @@global.read_only").trim(), "0" | "OFF"))
        .collect();
    assert_eq!(writeable, [successor], "one server takes writes");
}

/// Steps of unfinished recoveries that the backend has as begun and not ended.
fn steps_under_way(backend: &Path) -> usize {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let backend = BackendSettings::Sqlite { path: backend.to_owned() };
        let store = Store::open(&backend, &Deployment::default()).await.expect("the backend opens");
        let mut under_way = 0;
        for (uid, _node) in store.unfinished_recoveries().await.expect("readable") {
            let recovery = store.load_recovery(&uid).await.expect("readable").expect("there");
            under_way += recovery.steps.iter().filter(|step| step.state == StepState::Running).count();
        }
        store.close().await;
        under_way
    })
}

fn steps_done(recoveries: &serde_json::Value) -> usize {
    let steps = recoveries[0]["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().filter(|s| s["state"]["state"] == "done").count()
}

fn ended(recoveries: &serde_json::Value) -> bool {
    recoveries[0]["ended"].is_string()
}

fn within(what: &str, seconds: u64, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(2));
    }
}
