//! Reads of the compatible API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Edge, OPEN};

fn keys(list: &Value) -> Vec<String> {
    let key = |i: &Value| {
        let key = i.get("Key").unwrap_or(i);
        format!("{}:{}", key["Hostname"].as_str().expect("a host"), key["Port"])
    };
    list.as_array().expect("a list").iter().map(key).collect()
}

/// Short names of the example's servers.
fn names(list: &Value) -> String {
    keys(list).iter().map(|k| k.trim_end_matches(".example:3306").to_owned()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn lists_have_their_servers_in_their_order() {
    let edge = Edge::new(OPEN).await;
    for (path, expected) in [
        ("all-instances", "db1 us1 db2 db5 us2 db3 db4"),
        ("search/us", "us1 us2"),
        ("search?s=db2%0A", "db2"),
        ("search", "db1 us1 db2 db5 us2 db3 db4"),
        ("cluster/db1.example:3306", "db1 db2 db3 db4 db5"),
        ("cluster/users", "us1 us2"),
        ("cluster/db4.example:3306", "db1 db2 db3 db4 db5"),
        ("cluster/db4.exa", "db1 db2 db3 db4 db5"),
        ("cluster/alias/orders", "db1 db2 db3 db4 db5"),
        ("cluster/instance/us2.example/3306", "us1 us2"),
        ("masters", "db1 us1"),
        ("instance-replicas/db2.example/3306", "db3 db4"),
        ("instance-replicas/nosuch/3306", ""),
        ("downtimed", ""),
        ("bulk-instances", "db1 db2 db3 db4 db5 us1 us2"),
        ("cluster-osc-replicas/orders", "db2 db5 db3 db4"),
        ("cluster-osc-slaves/orders", "db2 db5 db3 db4"),
    ] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!(names(&answer.ok()), expected, "{path}");
        assert_eq!(answer.headers["content-type"], "application/json; charset=UTF-8", "{path}");
    }
}

#[tokio::test]
async fn nothing_is_null_or_an_empty_list_as_the_original_has_it() {
    let edge = Edge::new(OPEN).await;
    for path in ["problems", "bulk-promotion-rules", "replication-analysis-changelog"] {
        assert_eq!(edge.get(&format!("/api/{path}")).await.body, "null", "{path}");
    }
    for path in [
        "downtimed",
        "maintenance",
        "audit-recovery",
        "audit-recovery/3",
        "audit-recovery/x",
        "audit-recovery/-1",
        "audit-recovery/id/x",
        "audit-failure-detection/id/0",
        "audit-recovery/cluster/x",
        "audit-recovery/uid/x",
        "audit-failure-detection",
        "blocked-recoveries",
        "active-cluster-recovery/x",
        "recently-active-cluster-recovery/x",
        "recently-active-instance-recovery/x/3306",
        "audit-recovery-steps/x",
        "tags/db1.example/3306",
        "tagged?tag=x",
    ] {
        assert_eq!(edge.get(&format!("/api/{path}")).await.body, "[]", "{path}");
    }
    assert_eq!(edge.get("/api/replication-analysis").await.body, r#"{"Code":"OK","Message":"Analysis","Details":[]}"#);
    for path in ["master-equivalent/db1.example/3306/binlog.000001/4", "restart-slave-statements/db1.example/3306"] {
        assert_eq!(edge.get(&format!("/api/{path}")).await.ok()["Details"], Value::Null, "{path}");
    }
    for key in edge.services.fleet.keys() {
        edge.get(&format!("/api/forget/{}/{}", key.hostname, key.port)).await.ok();
    }
    for path in ["clusters", "masters", "problems", "bulk-instances"] {
        assert_eq!(edge.get(&format!("/api/{path}")).await.body, "null", "{path}");
    }
}

#[tokio::test]
async fn clusters_have_their_names() {
    let edge = Edge::new(OPEN).await;
    assert_eq!(edge.get("/api/clusters").await.body, r#"["db1.example:3306","us1.example:3306"]"#);
    let infos = edge.get("/api/clusters-info").await.ok();
    assert_eq!(infos[1]["ClusterName"], "us1.example:3306");
    let info = edge.get("/api/cluster-info/alias/db1.example:3306").await;
    assert_eq!(
        info.body,
        r#"{"ClusterName":"db1.example:3306","ClusterAlias":"orders","ClusterDomain":"","CountInstances":5,"HeuristicLag":0,"HasAutomatedMasterRecovery":false,"HasAutomatedIntermediateMasterRecovery":false}"#
    );
    assert_eq!(edge.get("/api/master/orders").await.ok()["Key"]["Hostname"], "db1.example");
}

#[tokio::test]
async fn a_server_is_found_by_part_of_its_name_for_reading() {
    let edge = Edge::new(OPEN).await;
    for host in ["db3.example", "db3", "b3.ex"] {
        let server = edge.get(&format!("/api/instance/{host}/3306")).await.ok();
        assert_eq!(server["Key"], json!({"Hostname": "db3.example", "Port": 3306}), "{host}");
        assert_eq!(server["MasterKey"]["Hostname"], "db2.example");
        assert_eq!(server["ReplicationDepth"], 2);
        assert_eq!(server["ClusterName"], "db1.example:3306");
    }
    let answer = edge.get("/api/instance/db/3306").await;
    assert_eq!(answer.message("ERROR"), "Instance not found: db:3306");
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_tree_is_drawn() {
    let edge = Edge::new(OPEN).await;
    let tree = "\
db1.example:3306     [0s,ok,8.4.3,rw,ROW,>>,GTID]
+ db2.example:3306   [0s,ok,8.4.3,ro,ROW,>>,GTID]
  + db3.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]
  + db4.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]
+ db5.example:3306   [0s,ok,8.4.3,ro,ROW,>>,GTID]";
    for path in ["topology/orders", "topology/db4.example/3306"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!(answer.ok()["Details"], tree, "{path}");
        assert!(answer.body.contains(r"\u003e\u003e"), "escaped as clients know it: {}", answer.body);
    }
    let tabulated = edge.get("/api/topology-tabulated/orders").await.ok();
    assert!(
        tabulated["Details"].as_str().expect("text").starts_with("db1.example:3306    |0s|ok|8.4.3|rw|ROW|>>,GTID\n")
    );
    let tags = edge.get("/api/topology-tags/users").await.ok();
    assert!(tags["Details"].as_str().expect("text").ends_with(" []"), "{tags}");
    edge.get("/api/topology/nosuch").await.message("ERROR");
}

#[tokio::test]
async fn the_node_tells_about_itself() {
    let edge = Edge::new(OPEN).await;
    for path in ["lb-check", "_ping", "leader-check", "leader-check/503", "leader-check/x", "routed-leader-check"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#""OK""#), "{path}");
    }
    for path in ["health", "status", "status/"] {
        let answer = edge.get(&format!("/api/{path}")).await.ok();
        assert_eq!(answer["Code"], "OK");
        let details = &answer["Details"];
        assert_eq!(details["Healthy"], true);
        assert_eq!(details["Hostname"], "node1");
        assert_eq!(details["IsActiveNode"], true);
        assert_eq!(details["AvailableNodes"][0]["Hostname"], "node1");
        assert_eq!(details["Error"], Value::Null);
    }
    for (path, message) in [
        ("raft-state", "raft-state: not running with raft setup"),
        ("raft-peers", "raft-nodes: not running with raft setup"),
        ("raft-health", "raft-state: not running with raft setup"),
        ("raft-leader", "raft-leader: not running with raft setup"),
        ("raft-add-peer/x", "raft-add-peer: not running with raft setup"),
        ("raft%2Dpeers/", "raft-nodes: not running with raft setup"),
        ("raft-snapshot", "raft-leader: not running with raft setup"),
        ("raft-follower-health-report/t/raft-peers/x", "raft-state: not running with raft setup"),
    ] {
        assert_eq!(edge.get(&format!("/api/{path}")).await.message("ERROR"), message);
    }
    let echoed = edge
        .send(axum::http::Method::GET, "/api/headers", &[("x-forwarded-for", "10.1.1.1"), ("cookie", "a=b")], "")
        .await
        .ok();
    assert_eq!(echoed, json!({"X-Forwarded-For": ["10.1.1.1"]}), "no host, no secrets");
}

#[tokio::test]
async fn the_status_endpoint_can_stand_elsewhere_and_so_can_everything() {
    let edge = Edge::new(r#"{"StatusEndpoint": "/my/{status}", "URLPrefix": "orc/{x}/"}"#).await;
    assert_eq!(edge.get("/my/%7Bstatus%7D").await.status, StatusCode::NOT_FOUND, "literally, as given");
    let edge = Edge::new(r#"{"StatusEndpoint": "/my/status", "URLPrefix": "/orc/"}"#).await;
    assert_eq!(edge.get("/my/status?x=y").await.message("OK"), "Application node is healthy");
    assert_eq!(edge.get("/orc/api/clusters").await.body, r#"["db1.example:3306","us1.example:3306"]"#);
    assert_eq!(edge.get("/orc/api/v2/clusters").await.ok()[0]["alias"], "orders");
    assert_eq!(edge.get("/orcapi/clusters").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_path_is_not_a_success() {
    let edge = Edge::new(OPEN).await;
    for path in ["nosuch", "clusters/x/y/z", "Clusters", "instance/db1.example", "clusters//", "search/a%2Fb"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"), "{path}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn can_replicate_from_gives_the_rule_that_forbids() {
    let edge = Edge::new(OPEN).await;
    let answer = edge.get("/api/can-replicate-from/db3.example/3306/db5.example/3306").await;
    assert_eq!(answer.message("OK"), "true");
    assert_eq!(answer.json()["Details"]["Hostname"], "db5.example");
    let answer = edge.get("/api/can-replicate-from/db3.example/3306/db3.example/3306").await;
    assert!(!answer.message("ERROR").is_empty());
}

#[tokio::test]
async fn answers_are_not_kept_or_guessed_at() {
    let edge = Edge::new(OPEN).await;
    for path in ["/api/clusters", "/api/v2/clusters", "/api/nosuch", "/api/v2/nosuch"] {
        let answer = edge.get(path).await;
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["x-frame-options"], "DENY", "{path}");
        assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn resolved_names_are_told_with_their_end() {
    let edge = Edge::new(r#"{"HostnameResolveMethod": "default"}"#).await;
    edge.services.discovery.resolver().learn("db1", "db1.example");
    let cache = edge.get("/api/hostname-resolve-cache").await.ok();
    let entry = &cache["Details"]["db1"];
    assert_eq!(entry["Object"], "db1.example");
    let left = entry["Expiration"].as_i64().expect("nanoseconds")
        - chrono::Utc::now().timestamp_nanos_opt().expect("a number");
    assert!((3_500_000_000_000..=3_600_000_000_000).contains(&left), "{left}");
    edge.get("/api/reset-hostname-resolve-cache").await.message("OK");
    assert_eq!(edge.get("/api/hostname-resolve-cache").await.ok()["Details"], serde_json::json!({}));
}

#[tokio::test]
async fn messages_begin_with_the_node_that_speaks_if_asked_for() {
    let prefix = "Orchestrator node1 says: ";
    let edge = Edge::new(r#"{"PrependMessagesWithOrcIdentity": "hostname"}"#).await;
    let answer = edge.get("/api/topology/orders").await;
    assert_eq!(answer.message("OK"), format!("{prefix}Topology for cluster db1.example:3306"));
    let answer = edge.get("/api/topology/nosuch").await;
    assert!(answer.message("ERROR").starts_with(prefix), "{}", answer.body);
    assert_eq!(edge.get("/api/clusters").await.body, r#"["db1.example:3306","us1.example:3306"]"#, "bare as ever");
    let edge = Edge::new(r#"{"PrependMessagesWithOrcIdentity": "custom", "CustomOrcIdentity": "east"}"#).await;
    assert!(edge.get("/api/status").await.message("OK").starts_with("Orchestrator east says: "));
}

#[tokio::test]
async fn health_has_its_fields_in_their_order() {
    let edge = Edge::new(OPEN).await;
    let body = edge.get("/api/health").await.body;
    let fields = [
        "Healthy",
        "Hostname",
        "Token",
        "IsActiveNode",
        "ActiveNode",
        "Hostname",
        "Token",
        "AppVersion",
        "FirstSeenActive",
        "LastSeenActive",
        "ExtraInfo",
        "Command",
        "DBBackend",
        "LastReported",
        "Error",
        "AvailableNodes",
        "RaftLeader",
        "IsRaftLeader",
        "RaftLeaderURI",
        "RaftAdvertise",
        "RaftHealthyMembers",
    ];
    let mut rest = body.as_str();
    for field in fields {
        let wanted = format!("\"{field}\":");
        let at = rest.find(&wanted).unwrap_or_else(|| panic!("{field} is missing or out of order: {body}"));
        rest = &rest[at + wanted.len()..];
    }
    assert!(
        body.contains(
            r#""RaftLeader":"","IsRaftLeader":false,"RaftLeaderURI":"","RaftAdvertise":"","RaftHealthyMembers":null"#
        ),
        "{body}"
    );
    assert!(body.contains(r#""LastReported":"0001-01-01T00:00:00Z"},"Error":null,"AvailableNodes":"#), "{body}");
}

#[tokio::test]
async fn what_concerns_the_node_answers_as_its_clients_expect() {
    let edge = Edge::new(OPEN).await;
    for path in ["grab-election", "reelect"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        answer.message("OK");
        assert!(answer.json()["Details"].is_null(), "{path}: {}", answer.body);
    }
    let answer = edge.get("/api/reload-cluster-alias").await;
    assert!(answer.message("ERROR").contains("retired"), "{}", answer.body);
    for path in ["agents", "agent/db1", "agent-seed/a/b", "seeds", "agent-custom-command/db1/x"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(answer.message("ERROR").contains("ServeAgentsHttp is off"), "{path}: {}", answer.body);
    }
    let taken = edge.get("/api/snapshot-topologies").await.ok();
    assert!(taken["Details"].as_str().is_some_and(|text| text.starts_with("Took ")), "{taken}");
}
