//! Figures about the service: the compatible API's, `/metrics`, `/debug/metrics`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use app::InstanceKey;
use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use orchestrator::metrics::QueueSample;
use orchestrator::mysql::{MysqlError, ProbeOutcome, ProbeResult};
use orchestrator::telemetry;
use serde_json::json;

use crate::support::{BASIC, CREDENTIALS, Edge, OPEN, READ_ONLY, key};

const DEAD_QUEUE: &str = r#"{"DeadInstanceDiscoveryMaxConcurrency": 5}"#;

/// A look at a server that answered with an error, with two questions in 3 ms.
fn failed_look(edge: &Edge, key: &InstanceKey) {
    let error = MysqlError::Server { code: 1045, state: "28000".to_owned(), message: "denied".to_owned() };
    let now = Utc::now();
    let result = ProbeResult {
        probed: key.clone(),
        started: now,
        ended: now,
        latency: Duration::from_millis(3),
        round_trips: 2,
        outcome: ProbeOutcome::Failed { error: error.into() },
        refused: BTreeMap::new(),
    };
    edge.services.discovery.meter().look(key).asked(&result, Duration::from_secs(5));
}

/// Two looks, one flush, two samples of the queue.
async fn busy_edge(config: &str) -> Edge {
    let edge = Edge::new(config).await;
    // Until the made-up fleet is written, which is counted too.
    while edge.services.journal.meter().rows() < 7 || edge.services.journal.state().pending > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    failed_look(&edge, &key("db1.example"));
    failed_look(&edge, &key("db2.example"));
    for (active, queued, silent_active, silent_queued) in [(5, 3, 1, 2), (7, 0, 0, 0)] {
        let sample = QueueSample { active, queued, silent_active, silent_queued };
        edge.services.discovery.meter().sample_queue(sample, Utc::now(), 120);
    }
    edge
}

/// The text with every number that depends on the clock replaced by one letter.
fn without_measurements(body: &str) -> String {
    let time = regex::Regex::new(r#""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z""#).unwrap();
    let measured = [r"\w*(?:Total|Wait|Latency)\w*", r"\w*Write\w*Seconds", "(?:Count|Max|Mean|Median|P95)Instances"];
    let number = regex::Regex::new(&format!(r#"("(?:{})":)[0-9.e-]+"#, measured.join("|"))).unwrap();
    number.replace_all(&time.replace_all(body, "\"TIME\""), "${1}M").into_owned()
}

#[tokio::test]
async fn looks_are_told_one_by_one_and_summarized() {
    let edge = Edge::new(OPEN).await;
    assert_eq!(edge.get("/api/discovery-metrics-raw/60").await.body, "null");
    let empty = edge.get("/api/discovery-metrics-aggregated/60").await;
    insta::assert_snapshot!("no_looks", empty.body);
    failed_look(&edge, &key("db1.example"));
    failed_look(&edge, &key("db2.example"));
    let raw = edge.get("/api/discovery-metrics-raw/60").await;
    let look = |host| {
        format!(
            r#"{{"Timestamp":"TIME","Hostname":"{host}","Port":3306,"BackendLatencySeconds":M,"InstanceLatencySeconds":M,"TotalLatencySeconds":M,"Err":{{}}}}"#
        )
    };
    assert_eq!(without_measurements(&raw.body), format!("[{},{}]", look("db1.example"), look("db2.example")));
    let raw = raw.ok();
    assert_eq!(raw.as_array().map(Vec::len), Some(2));
    assert_eq!((&raw[0]["BackendLatencySeconds"], &raw[0]["InstanceLatencySeconds"]), (&json!(0), &json!(0.003)));
    let at = raw[0]["Timestamp"].as_str().expect("a text");
    assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok(), "{at}");
    let summary = edge.get("/api/discovery-metrics-aggregated/60").await;
    insta::assert_snapshot!("looks", without_measurements(&summary.body));
    // What is no number counts as 0 seconds.
    let nothing = edge.get("/api/discovery-metrics-aggregated/soon").await;
    assert_eq!(nothing.body, empty.body);
}

#[tokio::test]
async fn the_queue_is_told_by_samples() {
    let edge = busy_edge(OPEN).await;
    for queue in ["", "DEFAULT/"] {
        let raw = edge.get(&format!("/api/discovery-queue-metrics-raw/{queue}60")).await;
        assert_eq!(raw.body, r#"[{"Active":5,"Queued":3},{"Active":7,"Queued":0}]"#);
        let last = edge.get(&format!("/api/discovery-queue-metrics-raw/{queue}1")).await;
        assert_eq!(last.body, r#"[{"Active":7,"Queued":0}]"#);
        assert_eq!(edge.get(&format!("/api/discovery-queue-metrics-raw/{queue}0")).await.body, "[]");
    }
    let summary = edge.get("/api/discovery-queue-metrics-aggregated/60").await;
    assert_eq!(
        summary.body,
        r#"{"ActiveMinEntries":5,"ActiveMeanEntries":6,"ActiveMedianEntries":6,"ActiveP95Entries":6,"ActiveMaxEntries":7,"QueuedMinEntries":0,"QueuedMeanEntries":1.5,"QueuedMedianEntries":1.5,"QueuedP95Entries":1.5,"QueuedMaxEntries":3}"#
    );
    let none = edge.get("/api/discovery-queue-metrics-aggregated/0").await.ok();
    assert_eq!(none["ActiveMinEntries"], json!(9_000_000_000_u64));
    assert_eq!(none["QueuedMaxEntries"], json!(0));
    for (path, expected) in [("DEADINSTANCES/60", "DEFAULT"), ("default/60", "DEFAULT")] {
        let message = edge.get(&format!("/api/discovery-queue-metrics-raw/{path}")).await.message("ERROR");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn servers_that_do_not_answer_have_a_queue_when_it_is_configured() {
    let edge = busy_edge(DEAD_QUEUE).await;
    let dead = edge.get("/api/discovery-queue-metrics-raw/DEADINSTANCES/60").await;
    assert_eq!(dead.body, r#"[{"Active":1,"Queued":2},{"Active":0,"Queued":0}]"#);
    let others = edge.get("/api/discovery-queue-metrics-raw/60").await;
    assert_eq!(others.body, r#"[{"Active":4,"Queued":1},{"Active":7,"Queued":0}]"#);
    let message = edge.get("/api/discovery-queue-metrics-aggregated/nosuch/60").await.message("ERROR");
    assert!(message.contains("\"nosuch\"; expected DEFAULT or DEADINSTANCES"), "{message}");
}

#[tokio::test]
async fn writes_to_the_backend_are_told() {
    let edge = busy_edge(OPEN).await;
    for (path, fields) in [
        ("backend-query-metrics", ["Timestamp", "WaitLatency", "ExecuteLatency", "Err"].as_slice()),
        ("write-buffer-metrics", ["Timestamp", "Instances", "WaitLatency", "WriteLatency"].as_slice()),
    ] {
        let raw = edge.get(&format!("/api/{path}-raw/60")).await;
        let in_order: Vec<Option<usize>> = fields.iter().map(|f| raw.body.find(&format!("\"{f}\":"))).collect();
        assert!(in_order.iter().all(Option::is_some) && in_order.is_sorted(), "{}", raw.body);
        assert!(raw.json().as_array().is_some_and(|list| !list.is_empty()), "{}", raw.body);
        // Something is kept, and nothing of it is so young.
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(edge.get(&format!("/api/{path}-raw/0")).await.body, "[]");
    }
    let written = edge.get("/api/write-buffer-metrics-raw/60").await.ok();
    assert_eq!(written[0]["Instances"], 7);
    assert!(written[0]["WriteLatency"].as_u64().is_some_and(|ns| ns > 1_000), "{written}");
    let query = edge.get("/api/backend-query-metrics-aggregated/60").await;
    let count = query.json()["Count"].as_u64().expect("a number");
    assert!(count >= 3, "two aliases and the servers: {count}");
    insta::assert_snapshot!(
        "writes",
        without_measurements(&query.body).replace(&format!("\"Count\":{count}"), "\"Count\":N")
    );
    let buffer = edge.get("/api/write-buffer-metrics-aggregated/60").await;
    insta::assert_snapshot!("flushes", without_measurements(&buffer.body));
    assert!(buffer.json()["CountInstances"].as_u64().is_some_and(|n| n >= 7), "{}", buffer.body);
    // Once everything is too old, there is nothing.
    edge.services.journal.meter().trim(TimeDelta::zero(), Utc::now() + TimeDelta::seconds(1));
    for path in ["backend-query-metrics", "write-buffer-metrics"] {
        assert_eq!(edge.get(&format!("/api/{path}-raw/60")).await.body, "null");
        assert_eq!(edge.get(&format!("/api/{path}-aggregated/60")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn bad_seconds_are_named_on_every_path() {
    let edge = busy_edge(OPEN).await;
    let paths = [
        "discovery-metrics-raw",
        "discovery-metrics-aggregated",
        "discovery-queue-metrics-raw",
        "discovery-queue-metrics-aggregated",
        "discovery-queue-metrics-raw/DEFAULT",
        "discovery-queue-metrics-aggregated/DEFAULT",
        "backend-query-metrics-raw",
        "backend-query-metrics-aggregated",
        "write-buffer-metrics-raw",
        "write-buffer-metrics-aggregated",
    ];
    for path in paths {
        for bad in ["-1", "-9223372036854775808", "99999999999999999999", "1.5", "x", "1e3", " 5"] {
            let is_text = bad.parse::<i128>().is_err();
            if path == "discovery-metrics-aggregated" && is_text {
                continue;
            }
            let answer = edge.get(&format!("/api/{path}/{}", bad.replace(' ', "%20"))).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}/{bad}");
            assert!(answer.message("ERROR").contains(&format!("{bad:?}")), "{path}/{bad}: {}", answer.body);
        }
        let all = edge.get(&format!("/api/{path}/18446744073709551615")).await;
        assert_eq!(all.status, StatusCode::OK, "{path}: {}", all.body);
    }
    let zero = edge.get("/api/discovery-metrics-raw/0").await.message("ERROR");
    assert!(zero.contains("above 0"), "{zero}");
}

/// A scrape, parsed: value by name and labels, kind by name.
struct Scrape {
    values: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Scrape {
    async fn of(edge: &Edge) -> Self {
        let answer = edge.get("/metrics").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let kind = answer.headers["content-type"].to_str().unwrap();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
        let (mut values, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for line in answer.body.lines().filter(|line| *line != "# EOF") {
            if let Some(about) = line.strip_prefix("# TYPE ") {
                let (name, kind) = about.split_once(' ').expect("a name and a kind");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let family = series.split('{').next().expect("a name");
                assert!(kinds.keys().any(|name| family.starts_with(name.as_str())), "{series} has no kind");
                let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                assert!(values.insert(series.to_owned(), value).is_none(), "{series} comes twice");
            }
        }
        Self { values, kinds }
    }

    fn value(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.values))
    }
}

#[tokio::test]
async fn a_scrape_tells_what_happened_and_what_is() {
    let edge = busy_edge(OPEN).await;
    let before = Scrape::of(&edge).await;
    assert_eq!(before.value(r#"orchestrator_recoveries_total{kind="takeover",outcome="succeeded"}"#), 0.0);
    let taken = edge.get("/api/graceful-master-takeover-auto/us1.example/3306/us2.example/3306").await;
    taken.message("OK");
    // It answers when the new primary takes writes, and is closed a moment later.
    let ended = r#"orchestrator_recoveries_total{kind="takeover",outcome="succeeded"}"#;
    let mut scrape = Scrape::of(&edge).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while scrape.value(ended) < 1.0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
        scrape = Scrape::of(&edge).await;
    }
    for (series, expected) in [
        (r#"orchestrator_probe_duration_seconds_count{outcome="failed"}"#, 2.0),
        (r#"orchestrator_probe_duration_seconds_bucket{le="0.0025",outcome="failed"}"#, 0.0),
        (r#"orchestrator_probe_duration_seconds_bucket{le="0.005",outcome="failed"}"#, 2.0),
        ("orchestrator_probe_round_trips_sum", 4.0),
        (r#"orchestrator_instances{status="invalid"}"#, 0.0),
        ("orchestrator_clusters", 2.0),
        ("orchestrator_leader", 1.0),
        ("orchestrator_backend_up", 1.0),
        ("orchestrator_recoveries_enabled", 1.0),
        (r#"orchestrator_findings{code="DeadMaster"}"#, 0.0),
        (r#"orchestrator_recoveries_started_total{kind="takeover"}"#, 1.0),
        (r#"orchestrator_recoveries_total{kind="takeover",outcome="succeeded"}"#, 1.0),
        (r#"orchestrator_recoveries_running{kind="takeover"}"#, 0.0),
        (r#"orchestrator_recovery_duration_seconds_count{kind="takeover",outcome="succeeded"}"#, 1.0),
        (r#"orchestrator_task_up{task="journal"}"#, 1.0),
        (r#"orchestrator_probes_running{lane="silent"}"#, 0.0),
    ] {
        let found = scrape.values.get(series).or_else(|| scrape.values.get(&swapped(series)));
        assert_eq!(found, Some(&expected), "{series}: {:#?}", scrape.values);
    }
    let servers: f64 =
        scrape.values.iter().filter(|(s, _)| s.starts_with("orchestrator_instances{")).map(|(_, v)| v).sum();
    assert_eq!(servers, 7.0);
    let step = r#"orchestrator_recovery_step_duration_seconds_count{action="set_read_only",outcome="done"}"#;
    assert!(scrape.value(step) >= 1.0);
    assert!(
        !scrape.values.keys().any(|s| s.starts_with("orchestrator_operation_step")),
        "nobody asked for an operation"
    );
    assert_eq!(scrape.kinds["orchestrator_probe_duration_seconds"], "histogram");
    assert_eq!(scrape.kinds["orchestrator_recoveries"], "counter");
    assert!(!scrape.values.keys().any(|series| series.contains("example")), "no label names a server");
    assert!(scrape.value("process_start_time_seconds") > 1.7e9);
}

/// The same series with its two labels the other way round: their order says nothing.
fn swapped(series: &str) -> String {
    let inner = series.split_once('{').and_then(|(name, rest)| Some((name, rest.strip_suffix('}')?.split_once(',')?)));
    inner.map(|(name, (a, b))| format!("{name}{{{b},{a}}}")).unwrap_or_default()
}

#[tokio::test]
async fn steps_of_operations_are_told_apart_from_those_of_recoveries() {
    let edge = busy_edge(OPEN).await;
    edge.get("/api/stop-replica/db3.example/3306").await.message("OK");
    let scrape = Scrape::of(&edge).await;
    let step = r#"orchestrator_operation_step_duration_seconds_count{action="stop_replication",outcome="done"}"#;
    assert_eq!(scrape.value(step), 1.0);
    assert!(!scrape.values.keys().any(|s| s.starts_with("orchestrator_recovery_step")));
}

#[tokio::test]
async fn buckets_only_grow() {
    let edge = busy_edge(OPEN).await;
    let writes = edge.services.journal.meter();
    let now = Instant::now();
    writes.wrote("audit", now, now.checked_sub(Duration::from_millis(30)).unwrap_or(now), false);
    let scrape = Scrape::of(&edge).await;
    let of_audit = |(series, value): (&String, &f64)| {
        let is_it =
            series.starts_with("orchestrator_backend_write_duration_seconds_bucket") && series.contains("failed");
        let bound = series.split("le=\"").nth(1).and_then(|rest| rest.split('"').next())?;
        is_it.then(|| (bound.replace("+Inf", "inf").parse::<f64>().unwrap(), *value))
    };
    let mut buckets: Vec<(f64, f64)> = scrape.values.iter().filter_map(of_audit).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(buckets.len() > 5 && buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1.0)));
}

#[tokio::test]
async fn the_originals_names_are_told_one_a_line() {
    let edge = busy_edge(OPEN).await;
    edge.get("/api/graceful-master-takeover-auto/us1.example/3306/us2.example/3306").await.message("OK");
    let answer = edge.get("/debug/metrics").await;
    let figures = answer.ok();
    let expected = json!({
        "discoveries.attempt": 2, "discoveries.fail": 2, "discoveries.recent_count": 2,
        "discoveries.instance_poll_seconds_exceeded": 0, "discoveries.queue_length": 0,
        "elect.is_elected": 1, "health.is_healthy": 1, "instance.access_denied": 2, "recover.pending": 0,
        "recover.dead_master.start": 0,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(figures[name], *value, "{name}: {}", answer.body);
    }
    assert!(figures["instance.write"].as_u64().is_some_and(|n| n >= 7), "{}", answer.body);
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("{", "}"));
    assert_eq!(lines.len() - 2, figures.as_object().expect("an object").len(), "{}", answer.body);
    let names: Vec<&str> = telemetry::figures(&edge.services).iter().map(|f| f.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "in order, each once: {names:?}");
}

#[tokio::test]
async fn figures_take_the_right_to_see_and_nothing_more() {
    for path in ["/metrics", "/debug/metrics"] {
        let edge = Edge::new(BASIC).await;
        assert_eq!(edge.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let known = edge.send(Method::GET, path, &[CREDENTIALS], "").await;
        assert_eq!(known.status, StatusCode::OK, "{path}");
        assert_eq!(known.headers["cache-control"], "no-store", "{path}");
        let edge = Edge::new(READ_ONLY).await;
        assert_eq!(edge.get(path).await.status, StatusCode::OK, "{path}");
        assert_eq!(edge.send(Method::POST, path, &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let edge = Edge::new(r#"{"URLPrefix": "/orc/"}"#).await;
        assert_eq!(edge.get(&format!("/orc{path}")).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn graphite_gets_the_same_figures() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let config =
        format!(r#"{{"GraphiteAddr": "{address}", "GraphitePath": "dba.{{hostname}}", "GraphitePollSeconds": 1}}"#);
    let edge = Edge::new(&config).await;
    failed_look(&edge, &key("db1.example"));
    telemetry::start(&edge.services);
    for push in 0..2 {
        let accepted = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.expect("a push in time");
        let mut text = String::new();
        accepted.expect("a connection").0.read_to_string(&mut text).await.expect("text");
        assert_eq!(text.lines().count(), telemetry::figures(&edge.services).len(), "push {push}: {text}");
        let line = text.lines().find(|l| l.starts_with("dba.node1.discoveries.attempt.count ")).expect("the line");
        let mut rest = line.split(' ').skip(1);
        assert_eq!(rest.next(), Some("1"), "{line}");
        let at: i64 = rest.next().and_then(|at| at.parse().ok()).expect("a time");
        assert!((Utc::now().timestamp() - at).abs() < 30, "{line}");
        assert!(text.contains("dba.node1.elect.is_elected.value 1 "), "{text}");
    }
    let samples = edge.get("/api/discovery-queue-metrics-raw/60").await.ok();
    assert!(samples.as_array().is_some_and(|list| !list.is_empty()), "the loop takes samples: {samples}");
    edge.services.tasks.stop();
    edge.services.tasks.wait().await;
}
