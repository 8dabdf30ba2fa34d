//! `/api/v2`: what is said of servers, clusters and pools, records, and what can be asked.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Edge, OPEN};

async fn put(edge: &Edge, path: &str, body: Value) -> Answer {
    edge.json(Method::PUT, &format!("/api/v2/{path}"), &body.to_string()).await
}

async fn post(edge: &Edge, path: &str, body: Value) -> Answer {
    edge.json(Method::POST, &format!("/api/v2/{path}"), &body.to_string()).await
}

async fn delete(edge: &Edge, path: &str) -> Answer {
    edge.send(Method::DELETE, &format!("/api/v2/{path}"), &[], "").await
}

async fn get(edge: &Edge, path: &str) -> Answer {
    edge.get(&format!("/api/v2/{path}")).await
}

fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""), "{answer:?}");
}

/// Short names of servers, keys, or views of servers.
fn names(list: &Value) -> String {
    let name = |entry: &Value| {
        let key = entry.pointer("/instance/key").unwrap_or(entry);
        key["Hostname"].as_str().unwrap_or_default().trim_end_matches(".example").to_owned()
    };
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(name).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn clusters_are_renamed_and_forgotten() {
    let edge = Edge::new(OPEN).await;
    done(&put(&edge, "clusters/orders/alias", json!({"alias": " shop "})).await);
    assert_eq!(get(&edge, "clusters/shop").await.ok()["summary"]["alias"], "shop");
    put(&edge, "clusters/shop/alias", json!({"alias": " "})).await.error(400, "bad-input");
    put(&edge, "clusters/nosuch/alias", json!({"alias": "x"})).await.error(404, "not-found");
    done(&delete(&edge, "clusters/users").await);
    delete(&edge, "clusters/users").await.error(404, "not-found");
    assert_eq!(names(&get(&edge, "servers").await.ok()), "db1 db2 db5 db3 db4");
}

#[tokio::test]
async fn tags_are_set_asked_for_and_removed() {
    let edge = Edge::new(OPEN).await;
    done(&put(&edge, "servers/db3.example:3306/tags/role", json!({"value": "web"})).await);
    done(&put(&edge, "servers/db4.example:3306/tags/role", json!({})).await);
    assert_eq!(get(&edge, "servers/db3.example:3306").await.ok()["tags"], json!({"role": "web"}));
    assert_eq!(names(&get(&edge, "servers?tag=role").await.ok()), "db3 db4");
    assert_eq!(names(&get(&edge, "servers?tag=role%3Dweb&cluster=orders").await.ok()), "db3");
    assert_eq!(names(&get(&edge, "servers?tag=role&cluster=users").await.ok()), "");
    get(&edge, "servers?tag=~").await.error(400, "bad-input");
    get(&edge, "servers?cluster=nosuch").await.error(404, "not-found");
    for bad in ["~role", "role%3Dweb", "%20"] {
        put(&edge, &format!("servers/db3.example:3306/tags/{bad}"), json!({})).await.error(400, "bad-input");
    }
    put(&edge, "servers/nosuch:3306/tags/role", json!({})).await.error(404, "not-found");
    done(&delete(&edge, "servers/db3.example:3306/tags/role?value=db").await);
    assert_eq!(names(&get(&edge, "servers?tag=role").await.ok()), "db3 db4", "another value stays");
    assert_eq!(names(&delete(&edge, "tags/role?value=web").await.ok()), "db3");
    done(&delete(&edge, "servers/db4.example:3306/tags/role").await);
    assert_eq!(delete(&edge, "tags/role").await.ok(), json!([]));
}

#[tokio::test]
async fn maintenance_and_promotion_rules_are_listed() {
    let edge = Edge::new(OPEN).await;
    assert_eq!(get(&edge, "maintenance").await.ok(), json!([]));
    done(&put(&edge, "servers/db3.example:3306/maintenance", json!({"reason": "disk", "owner": "dba"})).await);
    let held = get(&edge, "maintenance").await.ok();
    assert_eq!((&held[0]["server"]["Hostname"], &held[0]["owner"]), (&json!("db3.example"), &json!("dba")));
    let again = put(&edge, "servers/db3.example:3306/maintenance", json!({"reason": "disk"})).await;
    assert!(again.error(422, "refused").contains("dba"), "{}", again.body);
    let zero = json!({"reason": "disk", "duration_seconds": 0});
    assert!(put(&edge, "servers/db4.example:3306/maintenance", zero).await.error(400, "bad-input").contains("got 0"));
    done(&delete(&edge, "servers/db3.example:3306/maintenance").await);
    assert_eq!(get(&edge, "maintenance").await.ok(), json!([]));

    done(&put(&edge, "servers/db3.example:3306/promotion-rule", json!({"rule": "prefer"})).await);
    let rules = get(&edge, "promotion-rules").await.ok();
    assert_eq!((&rules[0]["rule"], rules.as_array().map(Vec::len)), (&json!("prefer"), Some(1)));
    assert!(rules[0]["expires"].as_str() > rules[0]["suggested"].as_str(), "{rules}");
}

#[tokio::test]
async fn pools_are_filled_shown_and_emptied() {
    let edge = Edge::new(OPEN).await;
    done(&put(&edge, "pools/web", json!({"servers": ["db3.example", "db4.example:3306", "us2.example"]})).await);
    let pools = get(&edge, "pools").await.ok();
    assert_eq!((&pools[0]["pool"], names(&pools[0]["servers"]).as_str()), (&json!("web"), "db3 db4 us2"));
    assert_eq!(names(&get(&edge, "pools?cluster=users").await.ok()[0]["servers"]), "us2");
    let pooled = get(&edge, "clusters/orders/pooled-servers?pool=web").await.ok();
    assert_eq!((names(&pooled["servers"]).as_str(), &pooled["max_lag"]), ("db3 db4", &json!(0)));
    let none = get(&edge, "clusters/orders/pooled-servers?pool=nosuch").await.ok();
    assert_eq!(none, json!({"servers": [], "max_lag": null}));
    put(&edge, "pools/web", json!({"servers": []})).await.error(400, "bad-input");
    put(&edge, "pools/web", json!({"servers": ["db3:x"]})).await.error(400, "bad-input");
    done(&delete(&edge, "pools/web").await);
    assert_eq!(get(&edge, "pools").await.ok(), json!([]));
}

#[tokio::test]
async fn virtual_names_and_resolved_names() {
    let edge = Edge::new(r#"{"HostnameResolveMethod": "default"}"#).await;
    done(&put(&edge, "servers/db3.example:3306/virtual-name", json!({"name": "vip3"})).await);
    assert_eq!(edge.services.fleet.annotations().unresolved.get("db3.example").map(String::as_str), Some("vip3"));
    put(&edge, "servers/db3.example:3306/virtual-name", json!({"name": ""})).await.error(400, "bad-input");
    done(&delete(&edge, "servers/db3.example:3306/virtual-name").await);
    assert!(edge.services.fleet.annotations().unresolved.is_empty());

    edge.services.discovery.resolver().learn("db1", "db1.example");
    assert_eq!(get(&edge, "host-names").await.ok()[0]["name"], "db1.example");
    done(&delete(&edge, "host-names").await);
    assert_eq!(get(&edge, "host-names").await.ok(), json!([]));
}

#[tokio::test]
async fn trees_replicas_and_rules_can_be_asked_for() {
    let edge = Edge::new(OPEN).await;
    let plain = get(&edge, "clusters/orders/topology").await;
    assert_eq!(plain.headers["content-type"], "text/plain; charset=utf-8");
    assert!(plain.body.starts_with("db1.example:3306     [0s,ok,8.4.3,rw,ROW,>>,GTID]\n+ db2"), "{}", plain.body);
    assert!(get(&edge, "clusters/orders/topology?style=tabulated").await.body.contains("|0s|ok|"));
    assert!(get(&edge, "clusters/orders/topology?style=tags").await.body.ends_with(" []"));
    get(&edge, "clusters/orders/topology?style=x").await.error(400, "bad-input");
    assert_eq!(names(&get(&edge, "clusters/orders/control-replicas").await.ok()), "db2 db5 db3 db4");
    assert_eq!(names(&get(&edge, "servers/db2.example:3306/replicas").await.ok()), "db3 db4");
    let can = "servers/db3.example:3306/can-replicate-from";
    for path in [format!("{can}/db5.example:3306"), format!("{can}/db5.example:3306?by_gtid=true")] {
        assert_eq!(get(&edge, &path).await.ok(), json!({"can": true, "refusal": null}), "{path}");
    }
    let cannot = get(&edge, &format!("{can}/db3.example:3306")).await.ok();
    assert_eq!(cannot["can"], false);
    assert!(cannot["refusal"]["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{cannot}");
    let around = get(&edge, "servers/db3.example:3306/statements-around?statement=select%201").await.ok();
    assert_eq!(around.as_array().map(Vec::len), Some(5), "{around}");
    get(&edge, "servers/db3.example:3306/errant-logs").await.error(422, "refused");
    get(&edge, "servers/db3.example:3306/last-pseudo-gtid").await.error(422, "refused");
    get(&edge, "servers/db3.example:3306/last-pseudo-gtid?all_logs=x").await.error(400, "bad-input");
    get(&edge, "servers/nosuch:3306/last-pseudo-gtid").await.error(404, "not-found");
    post(&edge, "servers/127.0.0.1:1/connection-check", json!({})).await.error(500, "failed");
    get(&edge, "servers/nosuch:3306/replicas").await.error(404, "not-found");
}

#[tokio::test]
async fn servers_in_trouble_and_in_downtime_are_told_apart() {
    let edge = Edge::new(OPEN).await;
    edge.get("/api/stop-replica/db3.example/3306").await.message("OK");
    edge.get("/api/stop-replica/db4.example/3306").await.message("OK");
    edge.get("/api/begin-downtime/db4.example/3306/dba/why").await.message("OK");
    assert_eq!(names(&get(&edge, "servers?problems=true").await.ok()), "db3");
    assert_eq!(names(&get(&edge, "servers?downtimed=true").await.ok()), "db4");
    get(&edge, "servers?problems=x").await.error(400, "bad-input");
}

#[tokio::test]
async fn pictures_of_the_topologies_are_stored_and_read() {
    let edge = Edge::new(OPEN).await;
    assert_eq!(get(&edge, "topology-snapshots").await.ok(), json!([]));
    // The backend has the servers a moment after memory has.
    for _ in 0..200 {
        if edge.services.fleet.count_unwritten() == 0 && edge.services.store.load_instances().await.unwrap().len() == 7
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let taken = post(&edge, "topology-snapshots", json!({})).await;
    assert_eq!(taken.status, StatusCode::CREATED, "{}", taken.body);
    let taken = taken.json();
    assert_eq!(taken["servers"], 7);
    assert_eq!(get(&edge, "topology-snapshots").await.ok(), json!([taken]));
    let at = taken["at"].as_str().expect("a time");
    let stored = get(&edge, &format!("topology-snapshots/{at}?cluster=us1.example:3306")).await.ok();
    assert_eq!(stored.as_array().map(Vec::len), Some(2));
    assert_eq!((&stored[0]["source"], &stored[1]["source"]["Hostname"]), (&Value::Null, &json!("us1.example")));
    get(&edge, "topology-snapshots/2030-01-02T03:04:05Z").await.error(404, "not-found");
    get(&edge, "topology-snapshots/yesterday").await.error(400, "bad-input");
}

#[tokio::test]
async fn records_are_empty_lists_when_nothing_happened() {
    let edge = Edge::new(OPEN).await;
    for path in ["detections", "detections?alias=x&page=2", "blocked-recoveries", "findings/changes", "publications"] {
        assert_eq!(get(&edge, path).await.ok(), json!([]), "{path}");
    }
    for (body, expected) in [
        (json!({"scope": "all", "comment": "c"}), None),
        (json!({"scope": "cluster", "target": "orders", "comment": "c"}), None),
        (json!({"scope": "server", "target": "db3.example", "comment": "c"}), None),
        (json!({"scope": "all", "comment": " "}), Some((400, "bad-input"))),
        (json!({"scope": "all", "target": "x", "comment": "c"}), Some((400, "bad-input"))),
        (json!({"scope": "some", "comment": "c"}), Some((400, "bad-input"))),
        (json!({"scope": "cluster", "target": "nosuch", "comment": "c"}), Some((404, "not-found"))),
    ] {
        let answer = post(&edge, "acknowledgements", body).await;
        match expected {
            None => assert_eq!(answer.ok(), json!({"recoveries": 0})),
            Some((status, code)) => drop(answer.error(status, code)),
        }
    }
    let settings = get(&edge, "settings/recoveries").await.ok();
    assert_eq!((&settings["enabled"], &settings["source_filters"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_hook_is_left_out_of_recoveries_only() {
    let edge = Edge::new(OPEN).await;
    let body = json!({"kind": "graceful-takeover", "target": "orders", "skip_hooks": true});
    assert!(post(&edge, "recoveries", body).await.error(400, "bad-input").contains("skip_hooks"));
}

#[tokio::test]
async fn two_moves_that_are_both_right_make_no_ring() {
    let edge = Edge::new(OPEN).await;
    let wanted = |operation: &str, server: &str, below: Option<&str>| {
        let key = |name: &str| json!({"Hostname": format!("{name}.example"), "Port": 3306});
        let mut asked = json!({"operation": operation, "server": key(server)});
        if let Some(below) = below {
            asked["below"] = key(below);
        }
        asked
    };
    let apply = async |mut asked: Value| {
        let plan = post(&edge, "plans", asked.clone()).await.ok();
        asked["fingerprint"] = plan["fingerprint"].clone();
        post(&edge, "operations", asked).await
    };
    // Its first step never ends.
    edge.hands.hang(&crate::support::key("db5.example"));
    let begun = apply(wanted("relocate", "db5", Some("db2"))).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);

    for (server, below, held) in [("db2", "db5", "db2"), ("db3", "db5", "db5")] {
        let refused = apply(wanted("relocate", server, Some(below))).await.error(409, "busy");
        assert!(refused.starts_with(&format!("{held}.example:3306 is held by \"Move db5")), "{refused}");
    }
    // What leaves replication as it is goes on, and others may go to the same place.
    for asked in [wanted("set-read-only", "db2", None), wanted("relocate", "db4", Some("db1"))] {
        let begun = apply(asked).await;
        assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    }
}
