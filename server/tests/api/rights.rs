//! Nobody does what they may not (`safety.md` S10): every route, every method, every way of calling.

use axum::http::{Method, StatusCode};
use orchestrator::api::v1::table::Table;
use tower::ServiceExt as _;

use crate::support::{Answer, BASIC, CREDENTIALS, Edge, OPEN, READ_ONLY};

/// A request that would do something if it were let through.
pub(crate) fn example(pattern: &str) -> String {
    let part = |part: &str| {
        match part {
            ":host" | ":candidateHost" | ":designatedHost" => "db3.example",
            ":belowHost" | ":siblingHost" => "db5.example",
            ":port" | ":belowPort" | ":siblingPort" | ":candidatePort" | ":designatedPort" => "3306",
            ":clusterHint" | ":clusterName" => "db1.example:3306",
            ":clusterAlias" => "users",
            ":owner" => "dba",
            ":reason" => "test",
            ":duration" => "1h",
            ":promotionRule" => "prefer",
            ":page" => "0",
            word if word.starts_with(':') => "1",
            word => word,
        }
        .to_owned()
    };
    let path: Vec<String> = pattern.split('/').map(part).collect();
    format!("/api/{}?comment=c&tag=a=b&alias=x", path.join("/"))
}

/// Paths with what their route is.
pub(crate) fn paths() -> Vec<(&'static str, &'static str, bool)> {
    Table::new()
        .routes()
        .iter()
        .flat_map(|r| r.paths.iter().map(|path| (*path, r.handler.right(), r.changes)).collect::<Vec<_>>())
        .collect()
}

pub(crate) fn is_unauthorized(answer: &Answer) -> bool {
    answer.status == StatusCode::INTERNAL_SERVER_ERROR
        && answer.body == r#"{"Code":"ERROR","Message":"Unauthorized","Details":null}"#
}

#[tokio::test]
async fn read_only_refuses_each_change_and_nothing_else() {
    let edge = Edge::new(READ_ONLY).await;
    let before = edge.world();
    for (pattern, right, _) in paths() {
        let answer = edge.get(&example(pattern)).await;
        let refused = matches!(right, "operator" | "admin");
        assert_eq!(is_unauthorized(&answer), refused, "{pattern} ({right}): {}", answer.body);
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn without_credentials_basic_lets_nobody_in() {
    let edge = Edge::new(BASIC).await;
    let before = edge.world();
    let mut addresses: Vec<String> = paths().into_iter().map(|(pattern, _, _)| example(pattern)).collect();
    addresses
        .extend(["/", "/web/clusters", "/api", "/api/nosuch", "/api/v2/clusters", "/favicon.ico"].map(str::to_owned));
    for address in addresses {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = edge.send(method.clone(), &address, &[], "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {address}");
            assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"Authorization Required\"");
            if method != Method::HEAD {
                assert_eq!(answer.body, "Not Authorized");
            }
        }
        let wrong = edge.send(Method::GET, &address, &[("authorization", "Basic ZGJhOndyb25n")], "").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "{address}");
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn the_user_of_basic_may_do_everything() {
    for (config, headers) in [(BASIC, &[CREDENTIALS][..]), (OPEN, &[])] {
        let edge = Edge::new(config).await;
        for (pattern, right, _) in paths() {
            let answer = edge.send(Method::GET, &example(pattern), headers, "").await;
            assert!(!is_unauthorized(&answer), "{pattern} ({right}): {}", answer.body);
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{pattern}");
        }
    }
}

#[tokio::test]
async fn no_method_but_get_changes_anything() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for (pattern, _, changes) in paths() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let answer = edge.send(method.clone(), &example(pattern), &[], "").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {pattern}");
            assert_eq!(answer.body, "404 page not found\n", "{method} {pattern}");
        }
        if changes {
            let answer = edge.send(Method::HEAD, &example(pattern), &[], "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "HEAD {pattern}");
        }
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let from_elsewhere: &[&[(&str, &str)]] = &[
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("referer", "https://evil.example/")],
        // A browser without TLS, and a page that has it leave out where it comes from.
        &[("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/144.0")],
    ];
    for (config, credentials) in [(OPEN, None), (BASIC, Some(CREDENTIALS))] {
        let edge = Edge::new(config).await;
        let before = edge.world();
        for (pattern, right, changes) in paths() {
            for headers in from_elsewhere {
                let headers: Vec<_> = headers.iter().copied().chain(credentials).collect();
                let answer = edge.send(Method::GET, &example(pattern), &headers, "").await;
                let refused = changes || matches!(right, "operator" | "admin");
                assert_eq!(is_unauthorized(&answer), refused, "{pattern} {headers:?}: {}", answer.body);
            }
        }
        assert_eq!(edge.world(), before);
    }
}

#[tokio::test]
async fn a_page_whose_name_points_at_this_machine_is_not_our_own() {
    let page = ("sec-fetch-site", "same-origin");
    for (config, is_let_in) in [
        (OPEN, false),
        (r#"{"ListenAddress": "127.0.0.1:3000"}"#, false),
        (r#"{"ServedNames": ["evil.example"]}"#, true),
        // Whoever opens it to others has said that whoever connects may do everything.
        (r#"{"ListenAddress": ":3000"}"#, true),
    ] {
        let edge = Edge::new(config).await;
        for address in ["/api/disable-global-recoveries", "/api/clusters", "/api/v2/clusters"] {
            let request = axum::http::Request::builder().uri(address).header("host", "evil.example:3000");
            let request = request.header(page.0, page.1).body(axum::body::Body::empty()).expect("a request");
            let response = edge.router().oneshot(request).await.expect("never fails");
            assert_eq!(response.status().is_success(), is_let_in, "{config} {address}");
        }
        assert_eq!(edge.services.consensus.recoveries_enabled(), !is_let_in);
    }
}

#[tokio::test]
async fn our_own_page_and_tools_are_let_through() {
    for headers in [&[("sec-fetch-site", "same-origin")][..], &[("origin", "http://orc:3000")], &[]] {
        let edge = Edge::new(OPEN).await;
        let answer = edge.send(Method::GET, "/api/disable-global-recoveries", headers, "").await;
        assert_eq!(answer.body, r#"{"Code":"OK","Message":"Globally disabled recoveries","Details":"disabled"}"#);
        assert!(!edge.services.consensus.recoveries_enabled());
    }
}

/// Every operation of the document, by method and path, with a body that would be accepted.
pub(crate) fn v2_operations() -> Vec<(Method, String, &'static str)> {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let mut operations = Vec::new();
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        for verb in verbs.as_object().expect("verbs").keys() {
            let method: Method = verb.to_ascii_uppercase().parse().expect("a method");
            let address = path
                .replace("{key}", "db3.example:3306")
                .replace("{source}", "db5.example:3306")
                .replace("{name}", "orders")
                .replace("{tag}", "role")
                .replace("{pool}", "web")
                .replace("{at}", "2030-01-02T03:04:05Z")
                .replace("{id}", "1");
            operations.push((method, format!("/api/v2{address}"), body_of(path)));
        }
    }
    assert!(operations.len() >= 70, "{operations:?}");
    operations
}

/// It takes more than the right to look. Planning shows something and changes nothing; to look for errant transactions or entries has a
/// server read its binary logs.
pub(crate) fn takes_right(method: &Method, address: &str) -> bool {
    let reads_logs = ["/errant-logs", "/last-pseudo-gtid"].iter().any(|path| address.ends_with(path));
    (method != Method::GET && !address.ends_with("/plans")) || reads_logs
}

/// Logins, sessions, users and tokens have rules of their own: see `matrix`.
pub(crate) fn is_about_accounts(address: &str) -> bool {
    ["/login", "/setup", "/logout", "/password", "/sessions", "/tokens", "/users", "/me"]
        .iter()
        .any(|path| address.contains(path))
}

fn body_of(path: &str) -> &'static str {
    match path {
        "/servers" => r#"{"server":"127.0.0.1:1"}"#,
        "/servers/{key}/downtime" => r#"{"reason":"r","duration_seconds":60}"#,
        "/servers/{key}/promotion-rule" => r#"{"rule":"prefer"}"#,
        "/plans" => r#"{"operation":"stop-replication","server":{"Hostname":"db3.example","Port":3306}}"#,
        "/operations" => {
            r#"{"operation":"stop-replication","server":{"Hostname":"db3.example","Port":3306},"fingerprint":"x"}"#
        }
        "/recoveries" => r#"{"kind":"recover","target":"db1.example"}"#,
        "/recoveries/{id}/acknowledgement" => r#"{"comment":"c"}"#,
        "/settings/recoveries" => r#"{"enabled":false}"#,
        "/login" => r#"{"user":"nobody","password":"nothing"}"#,
        "/setup" => r#"{"code":"c","user":"first","password":"long enough one"}"#,
        "/password" => r#"{"old":"long enough one","new":"long enough two"}"#,
        "/tokens" => r#"{"name":"new","role":"viewer"}"#,
        "/users/{name}" => r#"{"role":"viewer"}"#,
        "/users" => r#"{"name":"new","password":"long enough one","role":"viewer"}"#,
        "/clusters/{name}/alias" => r#"{"alias":"x"}"#,
        "/servers/{key}/tags/{tag}" => r#"{"value":"db"}"#,
        "/servers/{key}/maintenance" => r#"{"reason":"r"}"#,
        "/servers/{key}/virtual-name" => r#"{"name":"vip"}"#,
        "/pools/{pool}" => r#"{"servers":["db3.example"]}"#,
        "/acknowledgements" => r#"{"scope":"all","comment":"c"}"#,
        "/publications" | "/configuration/reload" => "{}",
        _ => "",
    }
}

#[tokio::test]
async fn in_v2_neither_head_nor_options_nor_a_verb_that_is_not_there_does_anything() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let operations = v2_operations();
    for (_, address, body) in &operations {
        let has = |verb: &Method| operations.iter().any(|(method, other, _)| (method, other) == (verb, address));
        for method in [Method::HEAD, Method::OPTIONS, Method::PATCH, Method::TRACE] {
            if address.ends_with("/events") || (method == Method::PATCH && has(&method)) {
                continue;
            }
            let answer = edge.send(method.clone(), address, &[("content-type", "application/json")], body).await;
            let reads = method == Method::HEAD && has(&Method::GET);
            let refused = answer.status == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(refused, !reads, "{method} {address}: {} {}", answer.status, answer.body);
        }
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn v2_has_the_same_rights() {
    let json = ("content-type", "application/json");
    let (closed, open, guarded) = (Edge::new(READ_ONLY).await, Edge::new(OPEN).await, Edge::new(BASIC).await);
    let before = [&closed, &open].map(Edge::world);
    for (method, address, body) in v2_operations() {
        if address.ends_with("/events") || is_about_accounts(&address) {
            continue;
        }
        let changes = takes_right(&method, &address);
        let answer = closed.send(method.clone(), &address, &[json], body).await;
        assert_eq!(answer.status == StatusCode::FORBIDDEN, changes, "{method} {address}: {}", answer.body);
        if changes {
            assert!(answer.error(403, "forbidden").contains("ReadOnly"), "{}", answer.body);
        }

        let answer = open.send(method.clone(), &address, &[json, ("sec-fetch-site", "cross-site")], body).await;
        if method != Method::GET {
            answer.error(403, "forbidden");
        }
        assert_eq!([&closed, &open].map(Edge::world), before, "{method} {address}");

        let answer = guarded.send(method.clone(), &address, &[json], body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {address}");
        let answer = guarded.send(method.clone(), &address, &[json, CREDENTIALS], body).await;
        assert!(!matches!(answer.status.as_u16(), 401 | 403), "{method} {address}: {}", answer.body);
    }
}
