//! `/api/v2/clusters/{c}/readiness`, and why nothing acts on what is found.

use std::sync::Arc;
use std::time::Duration;

use app::topology::ThreadState;
use chrono::Utc;
use orchestrator::fleet::{Observation, Outcome};
use orchestrator::recovery;
use serde_json::{Value, json};

use crate::support::{Edge, OPEN, fleet, key, observe};

fn names<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().filter_map(|item| item[field].as_str()).collect()
}

/// db1 is gone and its replicas have noticed.
fn kill_db1(edge: &Edge) {
    let now = Utc::now();
    edge.services.fleet.observe(Observation {
        probed: key("db1.example"),
        started: now,
        ended: now,
        outcome: Outcome::Failed { error: "connection refused".to_owned() },
    });
    for mut replica in fleet().into_iter().filter(|i| i.replication.source == key("db1.example")) {
        replica.replication.receiver = ThreadState::Other;
        replica.replication.receiver_errno = 2003;
        observe(&edge.services, replica);
    }
}

#[tokio::test]
async fn a_healthy_cluster_tells_what_would_come_of_each_source() {
    let edge = Edge::new(r#"{"RecoverMasterClusterFilters": ["alias=orders"]}"#).await;
    let told = edge.get("/api/v2/clusters/orders/readiness").await.ok();
    assert_eq!((&told["cluster"], &told["alias"]), (&json!("db1.example:3306"), &json!("orders")));
    let primary = &told["forecasts"][0];
    assert_eq!((&primary["server"]["Hostname"], &primary["place"]), (&json!("db1.example"), &json!("primary")));
    assert_eq!((&primary["code"], &primary["dead"]), (&json!("DeadMaster"), &json!(false)));
    assert_eq!(primary["successor"]["Hostname"], "db2.example");
    assert_eq!(names(&primary["obstacles"], "rule"), ["just-started"], "the service has started a moment ago");
    assert_eq!(primary["verdict"], "held");
    assert_eq!(names(&primary["considered"], "rule"), ["best", "ranked-by-name"]);
    assert_eq!(primary["loss"]["protection"], "asynchronous");
    assert_eq!(names(&primary["evidence"], "says"), ["serves", "serves", "serves"]);
    let intermediate = &told["forecasts"][1];
    assert_eq!(intermediate["server"]["Hostname"], "db2.example");
    assert_eq!(intermediate["code"], "DeadIntermediateMaster");
    assert_eq!(intermediate["obstacles"][0]["setting"], "RecoverIntermediateMasterClusterFilters");
    assert_eq!(intermediate["loss"], Value::Null, "the primary lives");
    assert_eq!((&told["problems"], &told["events_missing"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_cluster_answers_to_all_its_names_and_no_other() {
    let edge = Edge::new(OPEN).await;
    for name in ["orders", "db1.example:3306", "db4.example"] {
        let told = edge.get(&format!("/api/v2/clusters/{name}/readiness")).await.ok();
        assert_eq!(told["cluster"], "db1.example:3306", "{name}");
    }
    let said = edge.get("/api/v2/clusters/nothing/readiness").await.error(404, "not-found");
    assert!(said.contains("nothing"), "{said}");
}

#[tokio::test]
async fn why_nothing_acts_on_a_dead_source_stands_beside_the_finding() {
    let edge = Edge::new(OPEN).await;
    let service = Arc::clone(&edge.services.recovery);
    edge.services.tasks.spawn("recovery", move |task| recovery::watch(Arc::clone(&service), task));
    kill_db1(&edge);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let found = loop {
        let findings = edge.get("/api/v2/findings").await.ok();
        let all = findings.as_array().expect("a list").clone();
        if let Some(found) = all.into_iter().find(|f| f["code"] == "DeadMaster") {
            break found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{findings}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(names(&found["held"], "rule"), ["not-opted-in", "just-started"]);
    assert_eq!(found["held"][0]["setting"], "RecoverMasterClusterFilters");
    let told_by_db2 = &found["evidence"].as_array().expect("evidence")[1];
    assert_eq!((&told_by_db2["says"], &told_by_db2["receiver"]["errno"]), (&json!("gone"), &json!(2003)));

    let cluster = edge.get("/api/v2/clusters/orders").await.ok();
    let held = cluster["held"].as_array().expect("a list");
    let shown = held.iter().find(|h| h["key"] == found["key"]).expect("shown with the cluster");
    assert_eq!((&shown["held"], &shown["since"]), (&found["held"], &found["since"]));

    let told = edge.get("/api/v2/clusters/orders/readiness").await.ok();
    let primary = &told["forecasts"][0];
    assert_eq!((&primary["dead"], &primary["verdict"]), (&json!(true), &json!("held")));
    assert_eq!(primary["successor"]["Hostname"], "db2.example");
    assert_eq!(names(&told["problems"], "code")[0], "DeadMaster");
    assert_eq!(told["problems"][0]["held"], found["held"]);
    // The detection is written behind.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let told = edge.get("/api/v2/clusters/orders/readiness").await.ok();
        if names(&told["events"], "kind").contains(&"detection") {
            assert_eq!(told["events"][0]["server"]["Hostname"], "db1.example");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
