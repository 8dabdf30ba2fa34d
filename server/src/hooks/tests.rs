//! Hooks as real processes of a real shell, their books, and webhooks over real HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::recovery::{HookList, HookRun};
use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rstest::rstest;

use super::webhooks::{Message, Webhooks, sign};
use super::{Book, Hooks, Runner, Successor, Values, ValuesOf};
use crate::config::webhooks::WebhookEvent;
use crate::config::{Config, LiveConfig};
use crate::tasks::Tasks;

/// Keeps what it is told.
#[derive(Default)]
struct Kept {
    runs: Mutex<Vec<HookRun>>,
    lines: Mutex<Vec<String>>,
    earlier: Vec<HookRun>,
}

impl Book for Kept {
    fn record<'a>(&'a self, run: &'a HookRun) -> BoxFuture<'a, ()> {
        self.runs.lock().unwrap().push(run.clone());
        std::future::ready(()).boxed()
    }

    fn tell(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    fn earlier(&self) -> Vec<HookRun> {
        self.earlier.clone()
    }
}

fn finding() -> Finding {
    let replicas = vec![InstanceKey::new("db2", 3306), InstanceKey::new("db3", 3307)];
    Finding {
        key: InstanceKey::new("db1", 3306),
        source: InstanceKey::default(),
        cluster: "db1:3306".into(),
        cluster_alias: "orders".into(),
        cluster_domain: "db1:3306".into(),
        code: AnalysisCode::DeadSource,
        description: "Source cannot be reached by orchestrator".into(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts { is_source: true, replicas, ..Facts::default() },
        evidence: vec![],
    }
}

fn values_of(finding: &Finding, successor: Option<&Successor>) -> Values {
    Values::of(&ValuesOf {
        finding,
        failure_type: finding.code.as_str(),
        command: "force-master-failover",
        uid: "17:abc",
        successor,
        lost: &[InstanceKey::new("db9", 3306)],
        automatic: (true, false),
        node: "orc1",
    })
}

fn hooks(keys: serde_json::Value) -> Hooks {
    let config = Config::from_json(&keys.to_string()).expect("a good configuration");
    Hooks::new(Arc::new(LiveConfig::fixed(config)), Arc::new(Runner::default()))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn every_placeholder_and_every_variable_is_filled() {
    let successor =
        Successor { key: InstanceKey::new("db2", 3306), alias: "two".into(), coordinates: Some("bin.7:42".into()) };
    let values = values_of(&finding(), Some(&successor));
    let text = "{failureType} {instanceType} {isMaster} {isCoMaster} {failureDescription} {command} {failedHost} {failedPort} \
                {failureCluster} {failureClusterAlias} [{failureClusterDomain}] {countReplicas} {countSlaves} {replicaHosts} \
                {slaveHosts} {isDowntimed} {autoMasterRecovery} {autoIntermediateMasterRecovery} {orchestratorHost} \
                {recoveryUID} {isSuccessful} {lostReplicas} {lostSlaves} {countLostReplicas} {successorHost} \
                {successorPort} {successorAlias} {successorBinlogCoordinates}";
    assert_eq!(
        values.fill(text),
        "DeadMaster master true false Source cannot be reached by orchestrator force-master-failover db1 3306 \
         db1:3306 orders [] 2 2 db2:3306,db3:3307 \
         db2:3306,db3:3307 false true false orc1 \
         17:abc true db9:3306 db9:3306 1 db2 \
         3306 two bin.7:42"
    );
    let environment: BTreeMap<String, String> = values.environment().into_iter().collect();
    let expected = [
        ("ORC_FAILURE_TYPE", "DeadMaster"),
        ("ORC_INSTANCE_TYPE", "master"),
        ("ORC_IS_MASTER", "true"),
        ("ORC_IS_CO_MASTER", "false"),
        ("ORC_FAILURE_DESCRIPTION", "Source cannot be reached by orchestrator"),
        ("ORC_COMMAND", "force-master-failover"),
        ("ORC_FAILED_HOST", "db1"),
        ("ORC_FAILED_PORT", "3306"),
        ("ORC_FAILURE_CLUSTER", "db1:3306"),
        ("ORC_FAILURE_CLUSTER_ALIAS", "orders"),
        ("ORC_FAILURE_CLUSTER_DOMAIN", ""),
        ("ORC_COUNT_REPLICAS", "2"),
        ("ORC_REPLICA_HOSTS", "db2:3306,db3:3307"),
        ("ORC_IS_DOWNTIMED", "false"),
        ("ORC_AUTO_MASTER_RECOVERY", "true"),
        ("ORC_AUTO_INTERMEDIATE_MASTER_RECOVERY", "false"),
        ("ORC_ORCHESTRATOR_HOST", "orc1"),
        ("ORC_RECOVERY_UID", "17:abc"),
        ("ORC_IS_SUCCESSFUL", "true"),
        ("ORC_LOST_REPLICAS", "db9:3306"),
        ("ORC_SUCCESSOR_HOST", "db2"),
        ("ORC_SUCCESSOR_PORT", "3306"),
        ("ORC_SUCCESSOR_ALIAS", "two"),
        ("ORC_SUCCESSOR_BINLOG_COORDINATES", "bin.7:42"),
    ];
    let expected: BTreeMap<String, String> = expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    assert_eq!(environment, expected);
}

#[test]
fn what_has_no_value_stays_as_it_is() {
    let values = values_of(&finding(), None);
    assert_eq!(values.fill("{successorHost} {unknown} {isSuccessful} {"), "{successorHost} {unknown} false {");
    assert!(values.environment().iter().all(|(name, _)| !name.starts_with("ORC_SUCCESSOR")));
}

#[rstest]
#[case("db1; touch {file}")]
#[case("db1$(touch {file})")]
#[case("db1`touch {file}`")]
#[case("db1'; touch {file}; '")]
#[case("db1\"; touch {file}; \"")]
#[case("db1\ntouch {file}\n")]
#[case("db1 & touch {file} | cat > {file}")]
#[case("db1 # && touch {file}")]
#[tokio::test]
async fn no_host_name_becomes_a_command(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let trap = folder.path().join("trap");
    let mut finding = finding();
    finding.key.hostname = name.replace("{file}", &trap.display().to_string());
    finding.description.clone_from(&finding.key.hostname);
    let hooks = hooks(serde_json::json!({ "PreFailoverProcesses": [
        "echo {failedHost} {failureDescription} > /dev/null",
        "echo 'quoted {failedHost}' \"double {failureDescription}\" > /dev/null",
        "test {failureType}{command} = DeadMasterforce-master-failover",
        "printf %s \"$ORC_FAILED_HOST\" > /dev/null",
    ]}));
    let book = Kept::default();
    let ended = hooks.run(HookList::PreFailover, &values_of(&finding, None), &book).await;
    assert_eq!(ended, Ok(()), "{:#?}", book.lines.lock().unwrap());
    assert!(!trap.exists(), "a value was run");
}

#[test]
fn a_host_name_is_no_option() {
    let mut finding = finding();
    finding.key.hostname = "-oProxyCommand=reboot".into();
    assert_eq!(values_of(&finding, None).fill("ssh {failedHost}"), "ssh _oProxyCommand=reboot");
}

#[tokio::test]
async fn hooks_run_in_order_with_environment_and_their_end_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let at = log.display();
    let hooks = hooks(serde_json::json!({ "PostFailoverProcesses": [
        format!("sleep 0.2; echo one $ORC_FAILURE_TYPE $ORC_HOOK $ORC_HOOK_ATTEMPT >> {at}"),
        format!("echo two {{failedHost}} >> {at}; echo said; echo complained >&2; exit 3"),
        format!("  echo three >> {at} "),
    ]}));
    let book = Kept::default();
    let ended = hooks.run(HookList::PostFailover, &values_of(&finding(), None), &book).await;
    assert_eq!(read(&log), "one DeadMaster PostFailoverProcesses 1\ntwo db1\nthree\n");
    let failed = ended.unwrap_err();
    assert_eq!((failed.number, failed.error.as_str()), (2, "exit status 3"));
    let runs = book.runs.into_inner().unwrap();
    let seen: Vec<(u32, bool, Option<i32>)> = runs.iter().map(|r| (r.number, r.ended.is_some(), r.exit_code)).collect();
    let expected = [
        (1, false, None),
        (1, true, Some(0)),
        (2, false, None),
        (2, true, Some(3)),
        (3, false, None),
        (3, true, Some(0)),
    ];
    assert_eq!(seen, expected, "recorded before it begins, and again when it has ended");
    assert_eq!(runs[3].output, "said\ncomplained\n");
    assert!(runs[1].ended.unwrap() - runs[1].started >= chrono::TimeDelta::milliseconds(200));
    let lines = book.lines.into_inner().unwrap();
    assert!(lines[0].starts_with("Running 3 PostFailoverProcesses hooks"), "{lines:#?}");
    assert!(lines[1].starts_with("Running PostFailoverProcesses hook 1 of 3: sleep 0.2;"), "{lines:#?}");
    assert!(lines.iter().any(|l| l.starts_with("Execution of PostFailoverProcesses hook failed in")), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "done running PostFailoverProcesses hooks");
}

#[rstest]
#[case(HookList::OnFailureDetection)]
#[case(HookList::PreFailover)]
#[case(HookList::PreGracefulTakeover)]
#[case(HookList::Fencing)]
#[tokio::test]
async fn lists_that_are_waited_for_end_at_the_first_failure(#[case] list: HookList) {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second");
    let keys =
        serde_json::json!({ list.as_str(): ["no-such-program-anywhere", format!("touch {}", second.display())] });
    let book = Kept::default();
    let failed = hooks(keys).run(list, &values_of(&finding(), None), &book).await.unwrap_err();
    assert_eq!((failed.number, failed.error.as_str()), (1, "exit status 127"));
    assert!(!second.exists());
    assert!(book.lines.lock().unwrap().iter().any(|line| line.starts_with("Not running further")));
}

#[tokio::test]
async fn nobody_waits_for_an_asynchronous_hook_and_its_failure_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (slow, next) = (folder.path().join("slow"), folder.path().join("next"));
    let hooks = hooks(serde_json::json!({ "PreFailoverProcesses": [
        format!("sleep 0.5; touch {} &", slow.display()),
        "exit 1 &",
        format!("touch {}", next.display()),
    ]}));
    let book = Kept::default();
    let began = Instant::now();
    hooks.run(HookList::PreFailover, &values_of(&finding(), None), &book).await.expect("nothing forbids it");
    assert!(began.elapsed() < Duration::from_millis(450), "{:?}", began.elapsed());
    assert!(next.exists() && !slow.exists());
    assert!(book.runs.lock().unwrap()[0].asynchronous);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(slow.exists(), "it went on by itself");
}

#[tokio::test]
async fn a_hook_at_its_limit_is_killed_with_everything_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late");
    let hooks = hooks(serde_json::json!({
        "HookTimeoutSeconds": 1,
        "PreFailoverProcesses": [format!("echo begun; (trap '' TERM; sleep 4; touch {}) & sleep 60", late.display())],
    }));
    let began = Instant::now();
    let book = Kept::default();
    let failed = hooks.run(HookList::PreFailover, &values_of(&finding(), None), &book).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(failed.error, "did not end within 1 s and was killed");
    assert_eq!(book.runs.lock().unwrap()[1].output, "begun\n", "what it said until then is kept");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!late.exists(), "what it started lives on");
}

#[tokio::test]
async fn what_a_hook_leaves_in_the_background_does_not_hold_it_up() {
    let hooks = hooks(serde_json::json!({ "PreFailoverProcesses": ["echo said; sleep 3 & exit 0"] }));
    let (began, book) = (Instant::now(), Kept::default());
    hooks.run(HookList::PreFailover, &values_of(&finding(), None), &book).await.expect("it ended well");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(book.runs.lock().unwrap()[1].output, "said\n");
}

#[tokio::test]
async fn a_shell_that_is_not_there_is_a_failure_that_names_it() {
    let keys = serde_json::json!({ "ProcessesShellCommand": "/no/such/shell", "PreFailoverProcesses": ["true"] });
    let failed =
        hooks(keys).run(HookList::PreFailover, &values_of(&finding(), None), &Kept::default()).await.unwrap_err();
    assert!(failed.error.contains("/no/such/shell"), "{failed}");
}

#[tokio::test]
async fn after_an_interruption_what_ended_is_not_run_again_and_what_was_cut_off_is() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let line = |word: &str| format!("echo {word} $ORC_HOOK_ATTEMPT >> {}", log.display());
    let hooks = hooks(serde_json::json!({ "PostFailoverProcesses": [line("one"), line("two"), line("three")] }));
    let run = |number, ended: bool| HookRun {
        list: HookList::PostFailover,
        number,
        command: String::new(),
        asynchronous: false,
        attempt: 1,
        started: Utc::now(),
        ended: ended.then(Utc::now),
        exit_code: ended.then_some(0),
        error: String::new(),
        output: String::new(),
    };
    let book = Kept { earlier: vec![run(1, true), run(2, false)], ..Kept::default() };
    hooks.run(HookList::PostFailover, &values_of(&finding(), None), &book).await.expect("all went well");
    assert_eq!(read(&log), "two 2\nthree 1\n");
    let lines = book.lines.into_inner().unwrap();
    assert!(lines.iter().any(|l| l.contains("hook 1 of 3 was run before the interruption; not run again")));
    assert!(lines.iter().any(|l| l.contains("hook 2 of 3 was cut off") && l.contains("attempt 2")));
}

#[tokio::test]
async fn secrets_are_not_in_the_record() {
    let hooks = hooks(serde_json::json!({
        "MySQLTopologyPassword": "tiger-in-the-tank",
        "PostFailoverProcesses": ["echo tiger-in-the-tank; true --password=geheim1"],
    }));
    let book = Kept::default();
    hooks.run(HookList::PostFailover, &values_of(&finding(), None), &book).await.expect("it ended well");
    let told = format!("{:?} {:?}", book.runs.lock().unwrap(), book.lines.lock().unwrap());
    assert!(!told.contains("tiger-in") && !told.contains("geheim1"), "{told}");
}

#[tokio::test]
async fn take_source_hooks_get_two_arguments_and_two_variables() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let script = format!("echo $1 $2 $ORC_SUCCESSOR_HOST $ORC_FAILED_HOST {{failedHost}} > {}", log.display());
    let hooks = hooks(serde_json::json!({ "PostTakeMasterProcesses": [script] }));
    hooks.after_take_source(&InstanceKey::new("db2", 3306), &InstanceKey::new("db1", 3306)).await;
    assert_eq!(read(&log), "db2:3306 db1:3306 db2:3306 db1:3306 {failedHost}\n");
}

#[tokio::test]
async fn nobody_waits_for_an_asynchronous_take_source_hook() {
    let folder = tempfile::tempdir().unwrap();
    let (go, log) = (folder.path().join("go"), folder.path().join("log"));
    let script = format!("until [ -e {} ]; do sleep 0.02; done; echo $1 > {} &", go.display(), log.display());
    let hooks = hooks(serde_json::json!({ "PostTakeMasterProcesses": [script] }));
    // Whoever waited for it would wait for ever.
    hooks.after_take_source(&InstanceKey::new("db2", 3306), &InstanceKey::new("db1", 3306)).await;
    std::fs::write(&go, "").unwrap();
    until(|| (read(&log) == "db2:3306\n").then_some(())).await;
}

/// What an address was sent: path with query, headers, body.
type Sent = (String, axum::http::HeaderMap, String);

/// An address that keeps what it is sent. It answers with these codes, then 200, each after this pause, and says `said`.
async fn address(codes: Vec<u16>, pause: Duration) -> (String, Arc<Mutex<Vec<Sent>>>) {
    let seen: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let (kept, codes) = (Arc::clone(&seen), Arc::new(Mutex::new(codes)));
    let take = move |uri: axum::http::Uri, headers: axum::http::HeaderMap, body: String| {
        kept.lock().unwrap().push((uri.to_string(), headers, body));
        let mut codes = codes.lock().unwrap();
        let code = if codes.is_empty() { 200 } else { codes.remove(0) };
        let answer = (axum::http::StatusCode::from_u16(code).unwrap(), "said");
        async move {
            tokio::time::sleep(pause).await;
            answer
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

fn sent(seen: &Mutex<Vec<Sent>>) -> Vec<Sent> {
    seen.lock().unwrap().clone()
}

#[tokio::test]
async fn an_address_is_sent_what_a_command_has_on_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("input");
    let (url, seen) = address(vec![], Duration::ZERO).await;
    let hooks = hooks(serde_json::json!({ "PostFailoverProcesses": [
        format!("cat > {}", log.display()),
        { "Run": format!("{url}/T1/token?host={{failedHost}}&why={{failureDescription}}&x={{unknown}}"), "Secret": "s3cret" },
    ]}));
    let successor = Successor { key: InstanceKey::new("db2", 3306), alias: "two".into(), coordinates: None };
    let mut finding = finding();
    finding.key.hostname = "db1/../x?y=&z#%41".into();
    finding.description = "it's dead, ü".into();
    let book = Kept::default();
    hooks.run(HookList::PostFailover, &values_of(&finding, Some(&successor)), &book).await.expect("both ended well");
    let (path, headers, body) = sent(&seen).remove(0);
    let expected = "/T1/token?host=db1%2F..%2Fx%3Fy%3D%26z%23%2541&why=it%27s%20dead%2C%20%C3%BC&x=";
    assert!(path.starts_with(expected), "{path}");
    assert_eq!(read(&log), body, "the same document");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-orchestrator-hook"], "PostFailoverProcesses");
    let timestamp = headers["x-orchestrator-timestamp"].to_str().unwrap();
    assert_eq!(headers["x-orchestrator-signature"], format!("sha256={}", sign("s3cret", timestamp, &body)));
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["failedHost"], finding.key.hostname.as_str(), "values as they are");
    assert_eq!((&document["failedPort"], &document["isSuccessful"]), (&3306.into(), &true.into()));
    assert_eq!(document["replicaHosts"], serde_json::json!(["db2:3306", "db3:3307"]));
    assert_eq!((&document["successorHost"], &document["hook"]), (&"db2".into(), &"PostFailoverProcesses".into()));
    assert!(document.get("successorBinlogCoordinates").is_none(), "what has no value is not there: {document}");
    let runs = book.runs.into_inner().unwrap();
    assert_eq!(runs[3].output, "said", "the answer is kept");
    let told = format!("{runs:?} {:?}", book.lines.lock().unwrap());
    assert!(!told.contains("token") && !told.contains("s3cret"), "addresses carry secrets: {told}");
}

#[tokio::test]
async fn a_document_larger_than_a_pipe_holds_up_no_hook_that_does_not_read_it() {
    let mut finding = finding();
    finding.facts.replicas = (0..20_000).map(|at| InstanceKey::new(format!("db{at}"), 3306)).collect();
    let hooks = hooks(serde_json::json!({ "PreFailoverProcesses": [
        { "Run": "unset ORC_REPLICA_HOSTS; wc -c", "TimeoutSeconds": 5 },
    ]}));
    // So many names fit no environment, be it with or without a document.
    finding.facts.replicas.truncate(8_000);
    let book = Kept::default();
    let values = values_of(&finding, None);
    assert!(serde_json::Value::from(values.document()).to_string().len() > 65_536);
    hooks.run(HookList::PreFailover, &values, &book).await.expect("it ended well");
    let read: usize = book.runs.lock().unwrap()[1].output.trim().parse().expect("a number");
    assert!(read > 65_536, "all of it can be read: {read}");
}

#[tokio::test]
async fn an_address_that_refuses_is_a_failure_and_forbids() {
    let (url, seen) = address(vec![503], Duration::ZERO).await;
    let keys = serde_json::json!({ "PreFailoverProcesses": [format!("{url}/a"), format!("{url}/b")] });
    let book = Kept::default();
    let failed = hooks(keys).run(HookList::PreFailover, &values_of(&finding(), None), &book).await.unwrap_err();
    assert_eq!((failed.number, failed.error.as_str()), (1, "answered 503 Service Unavailable"));
    assert_eq!(sent(&seen).len(), 1, "the list ends");
    let run = book.runs.lock().unwrap()[1].clone();
    assert!(run.is_failure() && run.ended.is_some() && run.output == "said", "{run:?}");
}

#[tokio::test]
async fn an_address_that_is_not_there_or_does_not_answer_is_a_failure() {
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = serde_json::json!({ "PostFailoverProcesses": [format!("http://{dead}/token")] });
    let failed =
        hooks(keys).run(HookList::PostFailover, &values_of(&finding(), None), &Kept::default()).await.unwrap_err();
    assert!(failed.error.starts_with("cannot connect") && !failed.error.contains("token"), "{failed}");

    let (slow, _) = address(vec![], Duration::from_secs(30)).await;
    let keys = serde_json::json!({ "PreFailoverProcesses": [{ "Run": slow, "TimeoutSeconds": 1 }] });
    let began = Instant::now();
    let failed =
        hooks(keys).run(HookList::PreFailover, &values_of(&finding(), None), &Kept::default()).await.unwrap_err();
    assert_eq!(failed.error, "did not answer within 1 s");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_hook_is_tried_again_as_often_as_it_says_and_each_attempt_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let (url, seen) = address(vec![500, 502], Duration::ZERO).await;
    let script = format!("echo $ORC_HOOK_ATTEMPT >> {}; test $ORC_HOOK_ATTEMPT = 2", log.display());
    let keys = serde_json::json!({ "PreFailoverProcesses": [
        { "Run": script, "Retries": 3 },
        { "Run": url, "Retries": 1 },
    ]});
    let book = Kept::default();
    let failed = hooks(keys).run(HookList::PreFailover, &values_of(&finding(), None), &book).await.unwrap_err();
    assert_eq!((failed.number, failed.error.as_str()), (2, "answered 502 Bad Gateway"));
    assert_eq!(read(&log), "1\n2\n", "no attempt after one that went well");
    let attempts: Vec<serde_json::Value> = sent(&seen)
        .iter()
        .map(|(_, _, body)| serde_json::from_str::<serde_json::Value>(body).unwrap()["attempt"].clone())
        .collect();
    assert_eq!(attempts, [1, 2]);
    let runs = book.runs.into_inner().unwrap();
    let ended: Vec<(u32, u32, bool)> =
        runs.iter().filter(|r| r.ended.is_some()).map(|r| (r.number, r.attempt, r.is_failure())).collect();
    assert_eq!(ended, [(1, 1, true), (1, 2, false), (2, 1, true), (2, 2, true)]);
    assert!(book.lines.lock().unwrap().iter().any(|line| line.contains("is tried again in 1 s: exit status 1")));
}

#[rstest]
#[case("PreFailoverProcesses", HookList::PreFailover)]
#[case("FencingProcesses", HookList::Fencing)]
#[case("PostFailoverProcesses", HookList::PostFailover)]
#[tokio::test]
async fn the_failure_of_an_optional_hook_is_recorded_and_forbids_nothing(#[case] key: &str, #[case] list: HookList) {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second");
    let keys = serde_json::json!({ key: [
        { "Run": "exit 4", "Policy": "optional" },
        { "Run": format!("touch {}", second.display()), "Policy": "required" },
    ]});
    let book = Kept::default();
    let hooks = hooks(keys);
    assert_eq!(hooks.run(list, &values_of(&finding(), None), &book).await, Ok(()));
    assert!(second.exists(), "the list goes on");
    assert_eq!(book.runs.lock().unwrap()[1].error, "exit status 4", "it does not report success");
    assert!(book.lines.lock().unwrap().iter().any(|line| line.contains("hook 1 of 2 is optional; going on")));
}

#[rstest]
#[case("optional", serde_json::json!([{ "Run": "exit 1" }]), true)]
#[case("optional", serde_json::json!([{ "Run": "exit 1", "Policy": "required" }]), false)]
#[case("required", serde_json::json!(["exit 1"]), false)]
#[case("required", serde_json::json!([{ "Run": "exit 1", "Policy": "optional" }]), true)]
#[tokio::test]
async fn a_fencing_hook_says_for_itself_whether_it_is_required(
    #[case] policy: &str,
    #[case] items: serde_json::Value,
    #[case] goes_on: bool,
) {
    let keys = serde_json::json!({ "FencingPolicy": policy, "FencingProcesses": items });
    let config = Config::from_json(&keys.to_string()).unwrap();
    let required = super::settings(&config, true).fencing == Some(engine::recovery::FencingPolicy::Required);
    let ended = hooks(keys).run(HookList::Fencing, &values_of(&finding(), None), &Kept::default()).await;
    assert_eq!((ended.is_ok(), required), (goes_on, !goes_on));
}

#[tokio::test]
async fn nobody_waits_for_an_asynchronous_address_and_it_is_tried_again() {
    let (url, seen) = address(vec![500], Duration::from_secs(2)).await;
    let keys = serde_json::json!({ "PreFailoverProcesses": [{ "Run": format!("{url}/x?a=1&b=2 &"), "Retries": 1 }] });
    let (began, book) = (Instant::now(), Kept::default());
    hooks(keys).run(HookList::PreFailover, &values_of(&finding(), None), &book).await.expect("nobody waits");
    assert!(began.elapsed() < Duration::from_millis(1_900), "{:?}", began.elapsed());
    until(|| (sent(&seen).len() == 2).then_some(())).await;
    assert_eq!(sent(&seen)[1].0, "/x?a=1&b=2");
}

#[tokio::test]
async fn take_source_hooks_can_be_addresses() {
    let (url, seen) = address(vec![500], Duration::ZERO).await;
    let hooks = hooks(serde_json::json!({ "PostTakeMasterProcesses": [{ "Run": url, "Retries": 1 }] }));
    hooks.after_take_source(&InstanceKey::new("db2", 3306), &InstanceKey::new("db1", 3307)).await;
    let document: serde_json::Value = serde_json::from_str(&sent(&seen)[1].2).unwrap();
    assert_eq!((&document["successorHost"], &document["failedPort"]), (&"db2".into(), &3307.into()));
}

/// A web server that keeps what it is sent, and answers with the codes it is given, then 200.
async fn receiver(codes: Vec<u16>) -> (String, Arc<Mutex<Vec<(axum::http::HeaderMap, String)>>>) {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let (kept, codes) = (Arc::clone(&seen), Arc::new(Mutex::new(codes)));
    let take = move |headers: axum::http::HeaderMap, body: String| {
        kept.lock().unwrap().push((headers, body));
        let mut codes = codes.lock().unwrap();
        let code = if codes.is_empty() { 200 } else { codes.remove(0) };
        std::future::ready(axum::http::StatusCode::from_u16(code).unwrap())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

fn webhooks(list: serde_json::Value) -> (Webhooks, Tasks) {
    let config = Config::from_json(&serde_json::json!({ "Webhooks": list }).to_string()).unwrap();
    let webhooks = Webhooks::new(Arc::new(LiveConfig::fixed(config)));
    let (tasks, sending) = (Tasks::default(), webhooks.clone());
    tasks.spawn("webhooks", move |task| {
        let sending = sending.clone();
        async move { sending.deliver(task).await }
    });
    (webhooks, tasks)
}

fn message(event: WebhookEvent) -> Message {
    Message::about_finding(event, &finding(), "", "orc1", Utc::now())
}

async fn until<T>(mut check: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = check() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 8 s");
}

#[tokio::test]
async fn webhooks_are_signed_filtered_and_tried_again_in_order() {
    let (url, seen) = receiver(vec![500]).await;
    let (webhooks, tasks) =
        webhooks(serde_json::json!([{ "URL": url, "Events": ["detection", "blocked"], "Secret": "s3cret" }]));
    webhooks.send(&message(WebhookEvent::Detection));
    webhooks.send(&message(WebhookEvent::RecoveryBegun));
    webhooks.send(&message(WebhookEvent::Blocked));
    until(|| (seen.lock().unwrap().len() >= 3).then_some(())).await;
    let seen = seen.lock().unwrap().clone();
    let events: Vec<&str> = seen.iter().map(|(h, _)| h["x-orchestrator-event"].to_str().unwrap()).collect();
    assert_eq!(
        events,
        ["detection", "detection", "blocked"],
        "the refused one again, then the next; others are not sent"
    );
    let (headers, body) = &seen[1];
    let timestamp = headers["x-orchestrator-timestamp"].to_str().unwrap();
    assert_eq!(headers["x-orchestrator-signature"], format!("sha256={}", sign("s3cret", timestamp, body)));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["instance"], "db1:3306");
    assert_eq!(body["code"], "DeadMaster");
    assert_eq!(
        headers["x-orchestrator-delivery"], seen[0].0["x-orchestrator-delivery"],
        "the same message is recognized"
    );
    tasks.stop();
    tasks.wait().await;
}

#[test]
fn the_signature_is_hmac_sha256_of_time_and_body() {
    // Reference value: printf '17.{}' | openssl dgst -sha256 -hmac key
    assert_eq!(sign("key", "17", "{}"), SIGNED);
}

const SIGNED: &str = "e66392eac42eafc68c35a01c712811e016386c12456975fc3af80c9268568e3a";

#[tokio::test]
async fn an_address_that_does_not_answer_holds_up_no_other_and_its_queue_is_bounded() {
    // Nobody listens here once the listener is dropped.
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (url, seen) = receiver(vec![]).await;
    let (webhooks, tasks) = webhooks(serde_json::json!([{ "URL": format!("http://{dead}/token") }, { "URL": url }]));
    for _ in 0..300 {
        webhooks.send(&message(WebhookEvent::Detection));
    }
    until(|| (!seen.lock().unwrap().is_empty()).then_some(())).await;
    let fares = webhooks.fares();
    let fare = &fares[&format!("http://{dead}/…")];
    assert!(fare.dropped > 0 && fare.waiting <= 200, "{fare:?}");
    tasks.stop();
    tasks.wait().await;
}
