//! Bad input to every path: a clear error, the right code, no panic, nothing changed.

use axum::http::{Method, StatusCode};
use orchestrator::api::v1::table::Table;

use crate::support::{Edge, OPEN};

/// The path with each parameter replaced.
fn with(pattern: &str, value: impl Fn(&str) -> String) -> String {
    let part = |part: &str| part.strip_prefix(':').map_or(part.to_owned(), &value);
    format!("/api/{}", pattern.split('/').map(part).collect::<Vec<_>>().join("/"))
}

fn patterns() -> Vec<(&'static str, bool)> {
    let table = Table::new();
    table.routes().iter().flat_map(|r| r.paths.iter().map(|p| (*p, r.changes)).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn a_bad_port_is_named_on_every_path_that_takes_one() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for port in ["x", "0", "-1", "70000", "33%2006", "3306.0"] {
        for (pattern, _) in patterns() {
            if !pattern.contains(":host/:port") || pattern.starts_with("agent") {
                continue;
            }
            let address = with(pattern, |name| match name {
                "host" | "belowHost" | "siblingHost" | "candidateHost" | "designatedHost" => "db3.example".to_owned(),
                "port" => port.to_owned(),
                "belowPort" | "siblingPort" | "candidatePort" | "designatedPort" => "3306".to_owned(),
                "duration" => "1h".to_owned(),
                "promotionRule" => "prefer".to_owned(),
                _ => "1".to_owned(),
            });
            let answer = edge.get(&format!("{address}?comment=c&tag=a=b")).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{address}: {}", answer.body);
            let message = answer.message("ERROR");
            assert!(message.contains("Invalid port") || message.contains("is not built yet"), "{address}: {message}");
        }
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn a_server_or_cluster_that_is_not_known_is_named() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for (pattern, changes) in patterns() {
        // What looks at the network is in a test of its own.
        let asks_network = ["discover", "async-discover", "resolve", "refresh"];
        let word = pattern.split('/').next().unwrap_or_default();
        let lists = !changes && !pattern.starts_with("instance/") && !pattern.starts_with("can-replicate");
        // There are no agents to know.
        if !pattern.contains(':') || asks_network.contains(&word) || lists || word.starts_with("agent") {
            continue;
        }
        let address = with(pattern, |name| match name {
            "port" | "belowPort" | "siblingPort" | "candidatePort" | "designatedPort" => "3306".to_owned(),
            "duration" => "1h".to_owned(),
            "promotionRule" => "prefer".to_owned(),
            "recoveryId" => "77".to_owned(),
            _ => "nosuch".to_owned(),
        });
        let answer = edge.get(&format!("{address}?comment=c&tag=a=b&alias=x")).await;
        if answer.status == StatusCode::OK {
            // Ending what is not there, and acknowledging nothing, is no failure in the original either.
            let harmless = [
                "end-downtime",
                "end-maintenance",
                "untag",
                "ack-recovery",
                "deregister-hostname-unresolve",
                "submit-pool-instances",
            ];
            assert!(harmless.iter().any(|h| pattern.starts_with(h)), "{address}: {}", answer.body);
            continue;
        }
        let message = answer.message("ERROR");
        assert!(
            message.contains("nosuch") || message.contains("is not built yet") || message.contains("raft"),
            "{address}: {message}"
        );
    }
    let after = edge.world();
    assert_eq!(after, before);
}

#[tokio::test]
async fn odd_texts_break_nothing_anywhere() {
    let odd = [
        "%00",
        "%0A",
        "%27%3B%20drop%20table%20audit%3B--",
        "%C3%A9%F0%9F%98%80",
        "..",
        "%25",
        "*",
        "(",
        "a:b:c:d",
        "[::1",
        "-9223372036854775809",
        "99999999999999999999",
        "%E2%80%A8",
    ];
    let long = "x".repeat(5_000);
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for (pattern, _) in patterns() {
        if !pattern.contains(':') {
            continue;
        }
        for text in odd.iter().copied().chain([long.as_str()]) {
            // `tag` and the like take what they are given; the server must be a known one, so they do nothing here.
            let address = with(pattern, |_| text.to_owned());
            let answer = edge.get(&format!("{address}?comment=&tag={text}&s={text}&pattern={text}")).await;
            assert_ne!(answer.body, "500 Internal Server Error", "{address}");
            if answer.status == StatusCode::NOT_FOUND && answer.body == "404 page not found\n" {
                continue;
            }
            let json = answer.json();
            let told = json.get("Code").is_none_or(|code| code == "OK" || code == "ERROR");
            assert!(told, "{address}: {}", answer.body);
            assert!(!answer.body.contains("internal error"), "{address}: {}", answer.body);
        }
        assert_eq!(edge.world(), before, "{pattern}");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_with_its_name() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for path in ["discover/127.0.0.1/1", "refresh/127.0.0.1/1", "resolve/127.0.0.1/1"] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {}", answer.body);
        let message = answer.message("ERROR");
        assert!(message.contains("127.0.0.1"), "{path}: {message}");
    }
    let answer = edge.get("/api/discover/a,b/3306").await;
    assert!(answer.message("ERROR").contains("a,b"), "{}", answer.body);
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn each_bad_parameter_is_named() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for (path, expected) in [
        ("begin-downtime/db3.example/3306/dba/why/10x", "10x"),
        ("begin-downtime/db3.example/3306/dba/%20", "reason"),
        ("begin-downtime/db3.example/3306/%20/why", "owner"),
        ("begin-downtime/db3.example/3306/dba/why/9223372036854775807w", "9223372036854775807w"),
        ("register-candidate/db3.example/3306/best", "best"),
        ("register-candidate/db3.example/3306/must", "must"),
        ("relocate-replicas/db2.example/3306/db1.example/3306?pattern=(", "pattern"),
        ("ack-all-recoveries", "comment"),
        ("ack-all-recoveries?comment=%20%0A", "comment"),
        ("ack-recovery/x?comment=c", "\"x\""),
        ("ack-recovery/cluster/nosuch?comment=c", "nosuch"),
        ("tag/db3.example/3306", "tag"),
        ("tag/db3.example/3306?tag=~role", "negated"),
        ("untag-all?tag=role", "value"),
        ("set-cluster-alias/orders", "alias"),
        ("set-cluster-alias/nosuch?alias=x", "nosuch"),
        ("tag/nosuch/3306?tag=role", "nosuch:3306"),
        ("register-candidate/nosuch/3306/prefer", "nosuch:3306"),
        ("begin-downtime/nosuch/3306/dba/why", "nosuch:3306"),
        ("begin-maintenance/nosuch/3306/dba/why", "nosuch:3306"),
        ("register-hostname-unresolve/nosuch/3306/vip", "nosuch:3306"),
        ("recover/db1.example/3306/db2.example/0", "db2.example:0"),
        ("graceful-master-takeover/users/us2.example/x", "us2.example:x"),
        ("graceful-master-takeover-auto/us1.example/3306/us2.example/-1", "us2.example:-1"),
        ("force-master-takeover/users/us2.example/70000", "us2.example:70000"),
        ("make-master/db3.example/3306", "use recover"),
        ("tagged?tag=", "tag"),
        ("search/%zz", "404"),
    ] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert!(
            answer.body.contains(expected) || answer.body.contains(&expected.replace('"', "\\\"")),
            "{path}: {}",
            answer.body
        );
        assert_ne!(answer.status, StatusCode::OK, "{path}");
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn v2_names_the_field_that_is_wrong() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let cases: &[(Method, &str, &str, &str)] = &[
        (Method::POST, "servers", "{}", "server"),
        (Method::POST, "servers", r#"{"server":7}"#, "server"),
        (Method::POST, "servers", r#"{"server":"x:y:z"}"#, "x:y:z"),
        (Method::POST, "servers", "not json", "JSON"),
        (Method::POST, "servers", "", "JSON"),
        (Method::PUT, "servers/db3.example:3306/downtime", r#"{"reason":"r"}"#, "duration_seconds"),
        (Method::PUT, "servers/db3.example:3306/downtime", r#"{"reason":" ","duration_seconds":1}"#, "reason"),
        (
            Method::PUT,
            "servers/db3.example:3306/downtime",
            r#"{"reason":"r","duration_seconds":0}"#,
            "duration_seconds",
        ),
        (
            Method::PUT,
            "servers/db3.example:3306/downtime",
            r#"{"reason":"r","duration_seconds":18446744073709551615}"#,
            "duration_seconds",
        ),
        (Method::PUT, "servers/db3.example:3306/promotion-rule", r#"{"rule":"best"}"#, "best"),
        (Method::GET, "servers/db3:x", "", "db3:x"),
        (Method::POST, "plans", r#"{"operation":"fly"}"#, "fly"),
        (Method::POST, "plans", r#"{"operation":"relocate","server":{"Hostname":"db3.example","Port":3306}}"#, "below"),
        (
            Method::POST,
            "plans",
            r#"{"operation":"relocate-replicas","server":{"Hostname":"db2.example","Port":3306},"below":{"Hostname":"db1.example","Port":3306},"pattern":"("}"#,
            "pattern",
        ),
        (
            Method::POST,
            "operations",
            r#"{"operation":"stop-replication","server":{"Hostname":"db3.example","Port":3306}}"#,
            "fingerprint",
        ),
        (
            Method::POST,
            "operations",
            r#"{"operation":"stop-replication","server":{"Hostname":"db3.example","Port":3306},"fingerprint":" "}"#,
            "fingerprint",
        ),
        (Method::POST, "recoveries", r#"{"kind":"pray","target":"orders"}"#, "pray"),
        (Method::POST, "recoveries", r#"{"kind":"force-takeover","target":"orders"}"#, "designated"),
        (Method::PUT, "settings/recoveries", r#"{"enabled":"yes"}"#, "enabled"),
        (Method::GET, "recoveries?page=x", "", "page"),
        (Method::GET, "audit?page=-1", "", "page"),
        (Method::GET, "audit?server=x:y:z", "", "x:y:z"),
    ];
    for (method, path, body, expected) in cases {
        let answer = edge.json(method.clone(), &format!("/api/v2/{path}"), body).await;
        let message = answer.error(400, "bad-input");
        assert!(message.contains(expected), "{method} {path} {body}: {message}");
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn v2_tells_what_is_not_there_and_what_is_too_much() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for (method, path, body) in [
        (Method::GET, "clusters/nosuch", ""),
        (Method::GET, "servers/nosuch:3306", ""),
        (Method::DELETE, "servers/nosuch:3306", ""),
        (Method::POST, "servers/nosuch:3306/refresh", ""),
        (Method::PUT, "servers/nosuch:3306/downtime", r#"{"reason":"r","duration_seconds":1}"#),
        (Method::DELETE, "servers/nosuch:3306/downtime", ""),
        (Method::PUT, "servers/nosuch:3306/promotion-rule", r#"{"rule":"prefer"}"#),
        (Method::POST, "plans", r#"{"operation":"stop-replication","server":{"Hostname":"nosuch","Port":3306}}"#),
        (Method::GET, "operations/nosuch", ""),
        (Method::GET, "recoveries/nosuch", ""),
        (Method::PUT, "recoveries/nosuch/acknowledgement", r#"{"comment":"c"}"#),
        (Method::POST, "recoveries", r#"{"kind":"recover","target":"nosuch"}"#),
        (Method::POST, "recoveries", r#"{"kind":"force-failover","target":"nosuch"}"#),
        (Method::GET, "nosuch", ""),
        (Method::GET, "servers/db3.example:3306/nosuch", ""),
    ] {
        let answer = edge.json(method.clone(), &format!("/api/v2/{path}"), body).await;
        let message = answer.error(404, "not-found");
        assert!(message.contains("nosuch"), "{method} {path}: {message}");
    }
    edge.json(Method::PATCH, "/api/v2/clusters", "").await.error(405, "method-not-allowed");
    let large = format!(r#"{{"server":"{}"}}"#, "x".repeat(100_000));
    edge.json(Method::POST, "/api/v2/servers", &large).await.error(413, "too-large");
    let untyped = edge.send(Method::POST, "/api/v2/servers", &[], r#"{"server":"db1"}"#).await;
    assert!(untyped.error(400, "bad-input").contains("Content-Type"), "{}", untyped.body);
    assert_eq!(edge.world(), before);
}
