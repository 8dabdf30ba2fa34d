//! The document that describes `/api/v2`: no endpoint changes unnoticed.

use axum::http::Method;

use crate::support::{Edge, OPEN};

/// Every operation of the contract in `app::api`.
const OPERATIONS: &str = "\
delete /servers/{key}
delete /servers/{key}/downtime
delete /sessions/{id}
delete /tokens/{id}
delete /users/{name}
get /audit
get /clusters
get /clusters/{name}
get /clusters/{name}/readiness
get /events
get /findings
get /me
get /operations/{id}
get /recoveries
get /recoveries/{id}
get /servers
get /servers/{key}
get /session
get /sessions
get /status
get /tokens
get /users
patch /users/{name}
post /login
post /logout
post /operations
post /password
post /plans
post /recoveries
post /servers
post /servers/{key}/refresh
post /setup
post /tokens
post /users
put /recoveries/{id}/acknowledgement
put /servers/{key}/downtime
put /servers/{key}/promotion-rule
put /settings/recoveries";

#[test]
fn the_document_has_each_operation_of_the_contract() {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let mut operations: Vec<String> = Vec::new();
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        operations.extend(verbs.as_object().expect("verbs").keys().map(|verb| format!("{verb} {path}")));
    }
    operations.sort();
    assert_eq!(operations.join("\n"), OPERATIONS);
}

#[test]
fn the_document_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", orchestrator::api::v2::document());
}

#[tokio::test]
async fn the_document_is_served() {
    let edge = Edge::new(OPEN).await;
    let served = edge.get("/api/v2/openapi.json").await.ok();
    assert_eq!(served, serde_json::to_value(orchestrator::api::v2::document()).expect("JSON"));
    edge.send(Method::POST, "/api/v2/openapi.json", &[], "").await.error(405, "method-not-allowed");
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut count = 0;
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap_or_default();
        assert!(schemas.contains_key(name), "{name} is not described");
        count += 1;
    }
    assert!(count > 30, "{count} references");
}
