//! The document that describes `/api/v2`: no endpoint changes unnoticed.

use std::collections::BTreeMap;

use axum::http::Method;
use orchestrator::api::v1::table::Table;

use crate::support::{Edge, OPEN};

/// Every operation of the contract in `app::api`.
const OPERATIONS: &str = "\
delete /clusters/{name}
delete /host-names
delete /leader
delete /pools/{pool}
delete /servers/{key}
delete /servers/{key}/downtime
delete /servers/{key}/maintenance
delete /servers/{key}/tags/{tag}
delete /servers/{key}/virtual-name
delete /sessions/{id}
delete /tags/{tag}
delete /tokens/{id}
delete /users/{name}
get /audit
get /blocked-recoveries
get /clusters
get /clusters/{name}
get /clusters/{name}/control-replicas
get /clusters/{name}/pooled-servers
get /clusters/{name}/readiness
get /clusters/{name}/topology
get /detections
get /events
get /findings
get /findings/changes
get /host-names
get /maintenance
get /me
get /operations/{id}
get /pools
get /promotion-rules
get /publications
get /recoveries
get /recoveries/{id}
get /servers
get /servers/{key}
get /servers/{key}/can-replicate-from/{source}
get /servers/{key}/equivalent-places
get /servers/{key}/errant-logs
get /servers/{key}/last-pseudo-gtid
get /servers/{key}/replicas
get /servers/{key}/statements-around
get /session
get /sessions
get /settings/recoveries
get /status
get /tokens
get /topology-snapshots
get /topology-snapshots/{at}
get /users
patch /users/{name}
post /acknowledgements
post /configuration/reload
post /login
post /logout
post /operations
post /password
post /plans
post /publications
post /recoveries
post /servers
post /servers/{key}/connection-check
post /servers/{key}/refresh
post /setup
post /tokens
post /topology-snapshots
post /users
put /clusters/{name}/alias
put /leader
put /pools/{pool}
put /recoveries/{id}/acknowledgement
put /servers/{key}/downtime
put /servers/{key}/maintenance
put /servers/{key}/promotion-rule
put /servers/{key}/tags/{tag}
put /servers/{key}/virtual-name
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

/// What each path of the compatible API is in `/api/v2`, by the first word of the path: an operation of the document, an operation
/// that `/plans` and `/operations` take, or nothing, with the reason.
const COUNTERPARTS: &str = include_str!("counterparts.txt");

#[test]
fn each_path_of_the_compatible_api_has_its_counterpart() {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let schema = document["components"]["schemas"]["Operation"].to_string();
    let counterparts: BTreeMap<&str, &str> = COUNTERPARTS.lines().filter_map(|line| line.split_once(": ")).collect();
    let mut words = Vec::new();
    for route in Table::new().routes() {
        for path in &route.paths {
            let word = path.split('/').next().unwrap_or_default();
            words.push(word);
            let counterpart = counterparts.get(word).unwrap_or_else(|| panic!("{path} has no counterpart"));
            let (kind, name) = counterpart.split_once(' ').unwrap_or_else(|| panic!("{word}: {counterpart}"));
            match kind {
                "operation" => assert!(schema.contains(&format!("\"{name}\"")), "{word}: no operation {name}"),
                "none," => assert!(!name.is_empty(), "{word}"),
                verb => assert!(document["paths"][name][verb].is_object(), "{word}: no {verb} {name}"),
            }
        }
    }
    let idle: Vec<_> = counterparts.keys().filter(|word| !words.contains(word)).collect();
    assert_eq!(idle, Vec::<&&str>::new(), "no such path");
}
