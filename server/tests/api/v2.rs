//! `/api/v2`: reads, plans and changes.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{BASIC, CREDENTIALS, Edge, OPEN, READ_ONLY, key};

#[tokio::test]
async fn a_session_says_who_and_what() {
    let edge = Edge::new(OPEN).await;
    assert_eq!(
        edge.get("/api/v2/session").await.ok(),
        json!({"user": "", "role": "admin", "method": "", "read_only_because": ""})
    );
    let edge = Edge::new(BASIC).await;
    let session = edge.send(Method::GET, "/api/v2/session", &[CREDENTIALS], "").await.ok();
    assert_eq!(session, json!({"user": "dba", "role": "admin", "method": "basic", "read_only_because": ""}));
    let edge = Edge::new(READ_ONLY).await;
    let session = edge.get("/api/v2/session").await.ok();
    assert_eq!(session["role"], "viewer");
    assert!(session["read_only_because"].as_str().expect("a reason").contains("ReadOnly"));
}

#[tokio::test]
async fn the_dashboard_shows_clusters() {
    let edge = Edge::new(r#"{"RecoverMasterClusterFilters": ["alias=orders"]}"#).await;
    let clusters = edge.get("/api/v2/clusters").await.ok();
    let names: Vec<&str> = clusters.as_array().expect("a list").iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["db1.example:3306", "us1.example:3306"]);
    let orders = &clusters[0];
    assert_eq!((&orders["alias"], &orders["servers"]), (&json!("orders"), &json!(5)));
    assert_eq!(orders["primary"], json!({"Hostname": "db1.example", "Port": 3306}));
    assert_eq!((&orders["auto_source_recovery"], &clusters[1]["auto_source_recovery"]), (&json!(true), &json!(false)));
    assert_eq!(orders["recovering"], false);
}

#[tokio::test]
async fn a_cluster_is_shown_by_name_alias_and_member() {
    let edge = Edge::new(OPEN).await;
    for name in ["db1.example:3306", "orders", "db4.example:3306", "db4.example"] {
        let cluster = edge.get(&format!("/api/v2/clusters/{name}")).await.ok();
        assert_eq!(cluster["summary"]["name"], "db1.example:3306", "{name}");
        assert_eq!(cluster["servers"].as_array().map(Vec::len), Some(5));
        assert_eq!(cluster["servers"][2]["instance"]["key"]["Hostname"], "db3.example");
        assert_eq!(cluster["servers"][2]["status"], "ok");
        assert_eq!(cluster["settings"]["instance_poll_seconds"], 5);
    }
    edge.get("/api/v2/clusters/db4").await.error(404, "not-found");
}

#[tokio::test]
async fn problems_are_counted_without_servers_in_downtime() {
    let edge = Edge::new(OPEN).await;
    edge.get("/api/stop-replica/db3.example/3306").await.message("OK");
    edge.get("/api/stop-replica/db4.example/3306").await.message("OK");
    let problems = |c: Value| (c["summary"]["problems"].clone(), c["summary"]["downtimed"].clone());
    let cluster = edge.get("/api/v2/clusters/orders").await.ok();
    assert_eq!(problems(cluster), (json!({"not_replicating": 2}), json!(0)));
    edge.get("/api/begin-downtime/db3.example/3306/dba/why").await.message("OK");
    let cluster = edge.get("/api/v2/clusters/orders").await.ok();
    assert_eq!(problems(cluster), (json!({"not_replicating": 1}), json!(1)));
    let server = edge.get("/api/v2/servers/db3.example:3306").await.ok();
    assert_eq!(server["downtime"]["reason"], "why");
    assert_eq!(server["problems"], json!(["not_replicating"]));
}

#[tokio::test]
async fn a_plan_is_shown_then_applied() {
    let edge = Edge::new(OPEN).await;
    let operation = json!({
        "operation": "relocate",
        "server": {"Hostname": "db3.example", "Port": 3306},
        "below": {"Hostname": "db5.example", "Port": 3306},
    });
    let before = edge.world();
    let plan = edge.json(Method::POST, "/api/v2/plans", &operation.to_string()).await.ok();
    assert_eq!(edge.world(), before, "a plan changes nothing");
    assert_eq!(plan["moves"][0]["to"]["Hostname"], "db5.example");
    assert!(plan["steps"].as_array().is_some_and(|steps| !steps.is_empty()));

    let mut stale = operation.clone();
    stale["fingerprint"] = json!("of another world");
    let answer = edge.json(Method::POST, "/api/v2/operations", &stale.to_string()).await;
    answer.error(409, "world-changed");
    assert_eq!(answer.json()["plan"], plan, "the plan for the world as it is now");
    assert_eq!(edge.world(), before);

    let mut apply = operation;
    apply["fingerprint"] = plan["fingerprint"].clone();
    let answer = edge.json(Method::POST, "/api/v2/operations", &apply.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("a name").to_owned();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let ended = loop {
        let view = edge.get(&format!("/api/v2/operations/{id}")).await.ok();
        if !view["ended"].is_null() {
            break view;
        }
        assert!(tokio::time::Instant::now() < deadline, "{view}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(ended["error"], Value::Null);
    assert_eq!(ended["actor"], "anonymous");
    let source = edge.services.fleet.get(&key("db3.example")).expect("known").replication.source.clone();
    assert_eq!(source, key("db5.example"));
}

#[tokio::test]
async fn a_plan_that_a_rule_forbids_names_it() {
    let edge = Edge::new(OPEN).await;
    let operation = json!({
        "operation": "relocate",
        "server": {"Hostname": "db2.example", "Port": 3306},
        "below": {"Hostname": "db3.example", "Port": 3306},
    });
    let answer = edge.json(Method::POST, "/api/v2/plans", &operation.to_string()).await;
    answer.error(422, "refused");
    let rule = answer.json()["refusal"]["rule"].as_str().expect("a rule").to_owned();
    assert!(!rule.is_empty() && !rule.contains(' '), "{rule}");
}

#[tokio::test]
async fn operators_say_things_of_servers() {
    let edge = Edge::new(BASIC).await;
    let send = |method: Method, path: &'static str, body: &'static str| {
        let edge = &edge;
        async move {
            let headers = [CREDENTIALS, ("content-type", "application/json")];
            edge.send(method, &format!("/api/v2/{path}"), &headers, body).await
        }
    };
    let done = |answer: crate::support::Answer| {
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""), "{answer:?}");
    };
    done(send(Method::PUT, "servers/db3.example:3306/downtime", r#"{"reason":"disk","duration_seconds":60}"#).await);
    done(send(Method::PUT, "servers/db3.example:3306/promotion-rule", r#"{"rule":"must_not"}"#).await);
    let server = send(Method::GET, "servers/db3.example:3306", "").await.ok();
    assert_eq!(server["downtime"]["owner"], "dba", "the caller, when nobody is named");
    assert_eq!(server["promotion_rule"], "must_not");
    done(send(Method::DELETE, "servers/db3.example:3306/downtime", "").await);
    assert_eq!(send(Method::GET, "servers/db3.example:3306", "").await.ok()["downtime"], Value::Null);
    done(send(Method::DELETE, "servers/db3.example:3306", "").await);
    send(Method::GET, "servers/db3.example:3306", "").await.error(404, "not-found");
    done(send(Method::PUT, "settings/recoveries", r#"{"enabled":false}"#).await);
    assert_eq!(send(Method::GET, "status", "").await.ok()["recoveries_enabled"], false);
}

#[tokio::test]
async fn recovering_what_is_well_is_refused() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let body = r#"{"kind":"recover","target":"db1.example"}"#;
    let message = edge.json(Method::POST, "/api/v2/recoveries", body).await.error(422, "refused");
    assert!(message.contains("db1.example:3306"), "{message}");
    assert_eq!(edge.world(), before);
    assert_eq!(edge.get("/api/v2/recoveries?cluster=orders").await.ok(), json!([]));
}

#[tokio::test]
async fn the_node_says_how_it_is() {
    let edge = Edge::new(OPEN).await;
    let status = edge.get("/api/v2/status").await.ok();
    assert_eq!((&status["hostname"], &status["backend"]), (&json!("node1"), &json!("sqlite")));
    assert_eq!((&status["servers"], &status["clusters"]), (&json!(7), &json!(2)));
    assert_eq!(status["is_leader"], true);
    assert_eq!(status["backend_error"], Value::Null);
    assert_eq!(edge.get("/api/v2/servers?search=us").await.ok().as_array().map(Vec::len), Some(2));
    assert_eq!(edge.get("/api/v2/findings").await.ok(), json!([]));
    assert_eq!((&status["web_message"], &status["cut_from_names"]), (&json!(""), &json!("")));
    let keys = r#"{"WebMessage": "Upgrade <b>tonight</b>", "RemoveTextFromHostnameDisplay": ".example:3306"}"#;
    let status = Edge::new(keys).await.get("/api/v2/status").await.ok();
    assert_eq!(status["web_message"], "Upgrade <b>tonight</b>", "as it is: the page shows text, no markup");
    assert_eq!(status["cut_from_names"], ".example:3306");
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let edge = Edge::new(OPEN).await;
    let answer = edge.json(Method::POST, "/api/v2/servers", r#"{"server":"127.0.0.1:1"}"#).await;
    assert!(answer.error(500, "failed").contains("127.0.0.1"), "{}", answer.body);
}

/// Every operation of the document, with a value for each of its fields.
fn operations() -> Vec<Value> {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let variants = document["components"]["schemas"]["Operation"]["oneOf"].as_array().expect("variants").clone();
    let value = |name: &str, schema: &Value| match name {
        "operation" => schema["enum"][0].clone(),
        "server" => json!({"Hostname": "db3.example", "Port": 3306}),
        _ if schema["$ref"].is_string() => json!({"Hostname": "db5.example", "Port": 3306}),
        "to" | "until" => json!("binlog.000001"),
        _ if schema["type"] == "string" => json!(""),
        _ if schema["type"] == "boolean" => json!(true),
        _ if schema["type"] == "integer" => json!(4),
        _ => Value::Null,
    };
    let filled = |variant: &Value| {
        let fields = variant["properties"].as_object().expect("fields").iter();
        Value::Object(fields.map(|(name, schema)| (name.clone(), value(name, schema))).collect())
    };
    variants.iter().map(filled).collect()
}

#[tokio::test]
async fn each_operation_can_be_planned_without_doing_anything() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let operations = operations();
    assert!(operations.len() >= 30, "{operations:?}");
    let mut planned = 0;
    for operation in &operations {
        let name = &operation["operation"];
        let answer = edge.json(Method::POST, "/api/v2/plans", &operation.to_string()).await;
        let body = answer.json();
        match answer.status.as_u16() {
            200 => {
                planned += 1;
                assert!(body["fingerprint"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {body}");
                assert!(body["steps"].is_array() && body["title"].is_string(), "{name}: {body}");
            }
            422 => assert!(body["refusal"]["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{name}: {body}"),
            status => panic!("{name}: {status} {body}"),
        }
    }
    assert!(planned >= 20, "{planned} of {} operations have a plan here", operations.len());
    assert_eq!(edge.world(), before);
}
