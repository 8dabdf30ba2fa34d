//! `/api/v2`: recoveries, the audit, and what stands in the way.

use std::time::Duration;

use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::recovery::{Recovery, RecoveryKind, RecoveryState};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Edge, OPEN, key};

/// As many as memory keeps.
const KEPT: i64 = 500;

/// A recovery of cluster `name`, which began so many seconds into 2026.
fn recovery(name: &str, second: i64, state: RecoveryState) -> Recovery {
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("a time");
    let started = begin + TimeDelta::seconds(second);
    Recovery {
        id: 0,
        uid: format!("{second}:{name}"),
        finding: Finding {
            key: key(name),
            source: app::InstanceKey::default(),
            cluster: format!("{name}:3306"),
            cluster_alias: format!("alias-of-{name}"),
            cluster_domain: String::new(),
            code: AnalysisCode::DeadSource,
            description: String::new(),
            structure: vec![],
            severity: Severity::Broken,
            actionable: true,
            downtime_end: None,
            replicas_downtimed: false,
            facts: Facts::default(),
            evidence: vec![],
        },
        kind: RecoveryKind::Source,
        cluster: format!("{name}:3306"),
        cluster_alias: format!("alias-of-{name}"),
        actor: "orchestrator".to_owned(),
        ended: (state != RecoveryState::Running).then_some(started),
        state,
        successor: None,
        successor_alias: String::new(),
        lost_replicas: vec![],
        participants: vec![],
        errors: vec![],
        considered: vec![],
        steps: vec![],
        story: vec![],
        hooks: vec![],
        command: String::new(),
        aftermath: None,
        started,
        node: "node1".to_owned(),
        node_token: "token".to_owned(),
        acknowledged: None,
        detection_id: 0,
    }
}

fn uids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|r| r["uid"].as_str()).collect()
}

/// Asks until the answer is as wanted.
async fn until(edge: &Edge, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let answer = edge.get(path).await.ok();
        if wanted(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{path}: {answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn recoveries_come_in_pages_newest_first() {
    let edge = Edge::new(OPEN).await;
    for second in 0..25 {
        edge.services.recovery.registry().put(recovery("db1", second, RecoveryState::Succeeded));
    }
    let first = edge.get("/api/v2/recoveries").await.ok();
    let first = uids(&first);
    assert_eq!((first.len(), first[0], first[19]), (20, "24:db1", "5:db1"));
    let second = edge.get("/api/v2/recoveries?page=1").await.ok();
    assert_eq!(uids(&second), ["4:db1", "3:db1", "2:db1", "1:db1", "0:db1"]);
    assert_eq!(edge.get("/api/v2/recoveries?page=4294967295").await.ok(), json!([]));
    assert_eq!(edge.get("/api/v2/recoveries?cluster=nosuch").await.ok(), json!([]));
}

#[tokio::test]
async fn recoveries_older_than_memory_come_from_the_backend() {
    let edge = Edge::new(OPEN).await;
    let store = &edge.services.store;
    let mut numbers = Vec::new();
    for second in 0..3 {
        let old = recovery("old", second, RecoveryState::Succeeded);
        numbers.push(store.record_recovery(&old).await.expect("recorded"));
        store.save_recovery(&old, &Value::Null, old.started).await.expect("saved");
    }
    // Held in memory and in the backend: told once.
    for second in 1000..1000 + KEPT {
        let name = if second == 1200 { "old" } else { "db1" };
        let newer = recovery(name, second, RecoveryState::Succeeded);
        if second % 100 == 0 {
            store.save_recovery(&newer, &Value::Null, newer.started).await.expect("saved");
        }
        edge.services.recovery.registry().put(newer);
    }
    let last_of_memory = edge.get("/api/v2/recoveries?page=24").await.ok();
    assert_eq!((uids(&last_of_memory).len(), uids(&last_of_memory)[19]), (20, "1000:db1"));
    let older = edge.get("/api/v2/recoveries?page=25").await.ok();
    assert_eq!(uids(&older), ["2:old", "1:old", "0:old"]);
    assert_eq!(edge.get("/api/v2/recoveries?page=26").await.ok(), json!([]));
    for cluster in ["old:3306", "alias-of-old"] {
        let of_cluster = edge.get(&format!("/api/v2/recoveries?cluster={cluster}")).await.ok();
        assert_eq!(uids(&of_cluster), ["1200:old", "2:old", "1:old", "0:old"], "{cluster}");
    }
    for name in [numbers[1].to_string(), "1:old".to_owned()] {
        let one = edge.get(&format!("/api/v2/recoveries/{name}")).await.ok();
        assert_eq!((&one["uid"], &one["id"]), (&json!("1:old"), &json!(numbers[1])), "{name}");
    }
    edge.get("/api/v2/recoveries/77777").await.error(404, "not-found");
}

#[tokio::test]
async fn a_takeover_is_begun_followed_and_acknowledged() {
    let edge = Edge::new(OPEN).await;
    let body = json!({"kind": "graceful-takeover", "target": "orders", "designated": key("db5.example")});
    let answer = edge.json(Method::POST, "/api/v2/recoveries", &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let begun = answer.json();
    assert_eq!((&begun["kind"], &begun["cluster"]), (&json!("PlannedTakeover"), &json!("db1.example:3306")));
    assert_eq!(begun["actor"], "anonymous");
    let path = format!("/api/v2/recoveries/{}", begun["uid"].as_str().expect("an identity"));
    let ended = until(&edge, &path, |r| !r["ended"].is_null()).await;
    assert_eq!(ended["state"]["state"], "succeeded", "{ended}");
    assert_eq!(ended["successor"], json!(key("db5.example")));
    assert!(ended["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{ended}");
    assert_eq!(uids(&edge.get("/api/v2/recoveries?cluster=orders").await.ok()).len(), 1);

    let empty = edge.json(Method::PUT, &format!("{path}/acknowledgement"), r#"{"comment":" "}"#).await;
    assert!(empty.error(400, "bad-input").contains("comment"), "{}", empty.body);
}

#[tokio::test]
async fn a_recovery_is_acknowledged_by_identity_and_by_number() {
    let edge = Edge::new(OPEN).await;
    for (number, path) in [(7, "7"), (8, "8:db1")] {
        let ended = Recovery { id: number, ..recovery("db1", number, RecoveryState::Succeeded) };
        edge.services.recovery.registry().put(ended);
        let path = format!("/api/v2/recoveries/{path}");
        let answer = edge.json(Method::PUT, &format!("{path}/acknowledgement"), r#"{"comment":" seen "}"#).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
        let told = edge.get(&path).await.ok();
        assert_eq!(told["acknowledged"]["comment"], "seen", "{told}");
        assert_eq!(told["acknowledged"]["by"], "anonymous");
    }
}

#[tokio::test]
async fn who_comes_second_is_told_who_was_first() {
    let edge = Edge::new(OPEN).await;
    let operation = json!({"operation": "stop-replication", "server": key("db3.example")});
    let plan = edge.json(Method::POST, "/api/v2/plans", &operation.to_string()).await.ok();
    let mut apply = operation;
    apply["fingerprint"] = plan["fingerprint"].clone();
    let takeover = json!({"kind": "force-failover", "target": "orders"}).to_string();

    let held = edge.services.locks.take(&["db3.example:3306".to_owned()], "relocate by somebody").expect("free");
    let before = edge.world();
    for (path, body) in [("operations", apply.to_string()), ("recoveries", takeover.clone())] {
        let answer = edge.json(Method::POST, &format!("/api/v2/{path}"), &body).await;
        assert!(answer.error(409, "busy").contains("relocate by somebody"), "{path}: {}", answer.body);
    }
    assert_eq!(edge.world(), before);
    drop(held);

    let running = recovery("db1.example", 1, RecoveryState::Running);
    edge.services.recovery.registry().put(running);
    let before = edge.world();
    let message = edge.json(Method::POST, "/api/v2/recoveries", &takeover).await.error(409, "busy");
    assert!(message.contains("1:db1.example"), "{message}");
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn what_is_not_recovered_names_the_rule() {
    let edge = Edge::new(OPEN).await;
    let body = r#"{"kind":"recover","target":"db1.example"}"#;
    let answer = edge.json(Method::POST, "/api/v2/recoveries", body).await;
    answer.error(422, "refused");
    assert_eq!(answer.json()["refusal"]["rule"], "nothing-to-recover");
}

#[tokio::test]
async fn the_audit_tells_who_did_what() {
    let edge = Edge::new(OPEN).await;
    let body = r#"{"reason":"disk","duration_seconds":60}"#;
    let answer = edge.json(Method::PUT, "/api/v2/servers/db3.example:3306/downtime", body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let rows = until(&edge, "/api/v2/audit?server=db3.example", |rows| rows != &json!([])).await;
    assert_eq!((&rows[0]["kind"], &rows[0]["actor"]), (&json!("begin-downtime"), &json!("anonymous")), "{rows}");
    assert_eq!(rows[0]["server"], json!(key("db3.example")));
    assert_eq!(edge.get("/api/v2/audit?server=db4.example").await.ok(), json!([]));
    assert_eq!(edge.get("/api/v2/audit?page=1").await.ok(), json!([]));
}
