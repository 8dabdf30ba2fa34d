//! Who gets what, over everything that is answered: each kind of caller at each route with each method. The routes come from the
//! table and from the document, so that a new one is here before anybody thinks of it; without a rule it fails.

use std::collections::BTreeSet;

use app::api::Role;
use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};

use crate::people::{CSRF, edge, session, token};
use crate::rights::{example, is_unauthorized, paths, v2_operations};
use crate::support::{Answer, Edge};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    Nothing,
    Look,
    /// Change the cluster that is not asked about.
    ChangeElsewhere,
    Change,
    Administer,
}

/// A kind of caller: what they send, and what they may do by it.
struct Kind {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    may: May,
    /// With a cookie: never for what changes things by GET.
    has_session: bool,
    /// A page of another site: it changes nothing, whoever its visitor is.
    from_elsewhere: bool,
}

impl Kind {
    fn new(name: &'static str, may: May, headers: Vec<(&'static str, String)>) -> Self {
        Self { name, headers, may, has_session: false, from_elsewhere: false }
    }

    fn with_session(name: &'static str, may: May, cookie: String) -> Self {
        let headers = vec![("cookie", cookie), ("x-csrf-token", CSRF.to_owned())];
        Self { has_session: true, ..Self::new(name, may, headers) }
    }
}

/// Every kind of caller there is.
async fn kinds(edge: &Edge) -> Vec<Kind> {
    let now = Utc::now();
    let bearer = |token: String| vec![("authorization", token)];
    let revoked = token(edge, "ada", Role::Admin, &[]).await;
    let id = revoked.strip_prefix("Bearer orc_").and_then(|rest| rest.get(..12)).expect("an identity").to_owned();
    edge.services.consensus.accounts().delete_token(&id);
    let mut elsewhere = Kind::with_session("other site's page", May::Administer, session(edge, "ada", now));
    elsewhere.headers.push(("sec-fetch-site", "cross-site".to_owned()));
    elsewhere.headers.push(("origin", "https://evil.example".to_owned()));
    elsewhere.from_elsewhere = true;
    vec![
        Kind::new("nobody", May::Nothing, Vec::new()),
        Kind::new("expired session", May::Nothing, vec![("cookie", session(edge, "ada", now - TimeDelta::days(2)))]),
        Kind::new("idle session", May::Nothing, vec![("cookie", session(edge, "ada", now - TimeDelta::hours(9)))]),
        Kind::new("revoked token", May::Nothing, bearer(revoked)),
        Kind::new("forged proxy header", May::Nothing, vec![("x-forwarded-user", "ada".to_owned())]),
        Kind::new("forged basic", May::Nothing, vec![("authorization", "Basic YWRhOmFkYQ==".to_owned())]),
        Kind::new("forged access token", May::Nothing, vec![("cookie", "access-token=a:b".to_owned())]),
        Kind::new("viewer", May::Look, bearer(token(edge, "vic", Role::Viewer, &[]).await)),
        Kind::new("viewer with an admin's token", May::Look, bearer(token(edge, "vic", Role::Admin, &[]).await)),
        Kind::new("admin's token to look", May::Look, bearer(token(edge, "ada", Role::Viewer, &[]).await)),
        Kind::new("operator elsewhere", May::ChangeElsewhere, bearer(token(edge, "otto", Role::Operator, &[]).await)),
        Kind::new(
            "token for elsewhere",
            May::ChangeElsewhere,
            bearer(token(edge, "ada", Role::Operator, &["users"]).await),
        ),
        Kind::new("operator", May::Change, bearer(token(edge, "oz", Role::Operator, &[]).await)),
        Kind::new("admin", May::Administer, bearer(token(edge, "ada", Role::Admin, &[]).await)),
        Kind::with_session("viewer's session", May::Look, session(edge, "vic", now)),
        Kind::with_session("session elsewhere", May::ChangeElsewhere, session(edge, "otto", now)),
        Kind::with_session("operator's session", May::Change, session(edge, "oz", now)),
        Kind::with_session("admin's session", May::Administer, session(edge, "ada", now)),
        elsewhere,
    ]
}

/// A service with everybody who may come to it.
struct House {
    edge: Edge,
    kinds: Vec<Kind>,
}

impl House {
    async fn new() -> Self {
        let edge = edge().await;
        let kinds = kinds(&edge).await;
        Self { edge, kinds }
    }
}

async fn ask(edge: &Edge, kind: &Kind, method: &Method, path: &str, body: &str) -> Answer {
    let own = kind.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let json = (!body.is_empty()).then_some(("content-type", "application/json"));
    let headers: Vec<_> = own.chain(json).collect();
    edge.send(method.clone(), path, &headers, body).await
}

/// What a right takes.
fn needed(right: &str) -> May {
    match right {
        "open" => May::Nothing,
        "viewer" => May::Look,
        "operator" => May::Change,
        "admin" => May::Administer,
        other => panic!("no rule for right {other:?}"),
    }
}

#[tokio::test]
async fn every_compatible_path_for_every_caller() {
    let mut house = House::new().await;
    for index in 0..house.kinds.len() {
        for (pattern, right, changes) in paths() {
            let (edge, kind) = (&house.edge, &house.kinds[index]);
            let before = edge.world();
            let answer = ask(edge, kind, &Method::GET, &example(pattern), "").await;
            let context = format!("{}: GET {pattern} ({right}): {} {}", kind.name, answer.status, answer.body);
            let needs = needed(right);
            let is_let_in = kind.may >= May::Look || (right == "open" && kind.name != "revoked token");
            assert_eq!(answer.status == StatusCode::UNAUTHORIZED, !is_let_in, "{context}");
            if is_let_in && kind.may != May::ChangeElsewhere {
                let takes_right = needs > May::Look;
                let refused = kind.may < needs || (changes && kind.has_session) || (takes_right && kind.from_elsewhere);
                assert_eq!(is_unauthorized(&answer), refused, "{context}");
            }
            if kind.may == May::ChangeElsewhere && right == "admin" {
                assert!(is_unauthorized(&answer), "{context}");
            }
            let may_change = changes && kind.may >= May::Change && !kind.has_session;
            if !may_change {
                assert_eq!(edge.world(), before, "{context}");
            } else if edge.world() != before {
                house = House::new().await;
            }
        }
    }
}

#[tokio::test]
async fn whoever_is_limited_is_told_so_for_what_is_about_another_cluster() {
    let edge = edge().await;
    let elsewhere = Kind::new(
        "otto",
        May::ChangeElsewhere,
        vec![("authorization", token(&edge, "otto", Role::Operator, &[]).await)],
    );
    let own = Kind::new("olga", May::Change, vec![("authorization", token(&edge, "olga", Role::Operator, &[]).await)]);
    let mut changed = 0;
    for path in [
        "discover/db3.example/3306",
        "forget/db3.example/3306",
        "forget-cluster/orders",
        "relocate/db3.example/3306/db5.example/3306",
        "stop-replica/db3.example/3306",
        "set-read-only/db3.example/3306",
        "begin-downtime/db3.example/3306/o/r",
        "end-downtime/db3.example/3306",
        "register-candidate/db3.example/3306/prefer",
        "tag/db3.example/3306?tag=a=b",
        "untag/db3.example/3306?tag=a",
        "begin-maintenance/db4.example/3306/o/r",
        "end-maintenance/db4.example/3306",
        "register-hostname-unresolve/db3.example/3306/vip",
        "recover/db1.example/3306",
        "graceful-master-takeover/orders/db2.example/3306",
        "force-master-failover/orders",
        "ack-recovery/cluster/orders?comment=c",
        "ack-recovery/instance/db1.example/3306?comment=c",
        "submit-masters-to-kv-stores/orders",
    ] {
        let path = format!("/api/{path}");
        let before = edge.world();
        let answer = ask(&edge, &elsewhere, &Method::GET, &path, "").await;
        assert!(is_unauthorized(&answer), "{path}: {}", answer.body);
        assert_eq!(edge.world(), before, "{path}");
        if ["recover", "graceful", "force", "discover", "forget"].iter().any(|word| path.contains(word)) {
            continue;
        }
        let answer = ask(&edge, &own, &Method::GET, &path, "").await;
        assert!(!is_unauthorized(&answer), "{path}: {}", answer.body);
        changed += u32::from(edge.world() != before);
    }
    assert!(changed >= 8, "the cluster's own operator changed {changed} things");
    for path in [
        "untag-all?tag=a=b",
        "submit-pool-instances/p?instances=db3.example:3306",
        "submit-masters-to-kv-stores",
        "ack-all-recoveries?comment=c",
        "ack-recovery/17?comment=c",
        "set-cluster-alias/db1.example:3306?alias=users",
        "relocate/us2.example/3306/db3.example/3306",
        "discover/new.example/3306",
        "refresh/new.example/3306",
        "resolve/127.0.0.1/1",
        "snapshot-topologies",
        "last-pseudo-gtid/db3.example/3306",
        "locate-gtid-errant/db3.example/3306",
    ] {
        ask(&edge, &own, &Method::GET, "/api/tag/db3.example/3306?tag=a=b", "").await;
        let tagged = edge.world();
        let answer = ask(&edge, &elsewhere, &Method::GET, &format!("/api/{path}"), "").await;
        assert!(is_unauthorized(&answer), "{path}: {}", answer.body);
        assert_eq!(edge.world(), tagged, "{path}");
    }
    for (path, body) in [
        ("servers/127.0.0.1:1/connection-check", ""),
        ("publications", r#"{"cluster": ""}"#),
        ("publications", r#"{"cluster": "orders"}"#),
    ] {
        let answer = ask(&edge, &elsewhere, &Method::POST, &format!("/api/v2/{path}"), body).await;
        assert!(answer.error(403, "forbidden").contains("users"), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn no_other_method_does_anything_whoever_asks() {
    let edge = edge().await;
    let before = edge.world();
    for kind in kinds(&edge).await {
        for (pattern, _, changes) in paths() {
            for method in METHODS.iter().filter(|method| **method != Method::GET) {
                if *method == Method::HEAD && !changes {
                    continue;
                }
                let status = ask(&edge, &kind, method, &example(pattern), "").await.status.as_u16();
                assert!(matches!(status, 401 | 404 | 405), "{}: {method} {pattern}: {status}", kind.name);
            }
        }
    }
    assert_eq!(edge.world(), before);
}

/// The rule of each operation of `/api/v2`. One that is not here fails.
const RULES: &[(&str, &[&str])] = &[
    ("open", &["GET /me", "POST /login", "POST /setup"]),
    ("session", &["POST /logout", "POST /password"]),
    ("in person", &["POST /tokens", "DELETE /sessions/{id}", "DELETE /tokens/{id}"]),
    (
        "viewer",
        &[
            "GET /audit",
            "GET /audit/export",
            "GET /blocked-recoveries",
            "GET /clusters",
            "GET /clusters/{name}",
            "GET /clusters/{name}/control-replicas",
            "GET /clusters/{name}/pooled-servers",
            "GET /clusters/{name}/readiness",
            "GET /clusters/{name}/topology",
            "GET /detections",
            "GET /events",
            "GET /findings",
            "GET /findings/changes",
            "GET /host-names",
            "GET /maintenance",
            "GET /operations/{id}",
            "GET /pools",
            "GET /promotion-rules",
            "GET /publications",
            "GET /recoveries",
            "GET /recoveries/{id}",
            "GET /servers",
            "GET /servers/{key}",
            "GET /servers/{key}/can-replicate-from/{source}",
            "GET /servers/{key}/equivalent-places",
            "GET /servers/{key}/replicas",
            "GET /servers/{key}/statements-around",
            "GET /session",
            "GET /sessions",
            "GET /settings/recoveries",
            "GET /status",
            "GET /tokens",
            "GET /topology-snapshots",
            "GET /topology-snapshots/{at}",
            "POST /plans",
        ],
    ),
    (
        "operator",
        &[
            "DELETE /clusters/{name}",
            "DELETE /pools/{pool}",
            "DELETE /servers/{key}",
            "DELETE /servers/{key}/downtime",
            "DELETE /servers/{key}/maintenance",
            "DELETE /servers/{key}/tags/{tag}",
            "DELETE /servers/{key}/virtual-name",
            "DELETE /tags/{tag}",
            "GET /servers/{key}/errant-logs",
            "GET /servers/{key}/last-pseudo-gtid",
            "POST /acknowledgements",
            "POST /operations",
            "POST /publications",
            "POST /recoveries",
            "POST /servers",
            "POST /servers/{key}/connection-check",
            "POST /topology-snapshots",
            "PUT /clusters/{name}/alias",
            "PUT /pools/{pool}",
            "PUT /recoveries/{id}/acknowledgement",
            "PUT /servers/{key}/downtime",
            "PUT /servers/{key}/maintenance",
            "PUT /servers/{key}/promotion-rule",
            "PUT /servers/{key}/tags/{tag}",
            "PUT /servers/{key}/virtual-name",
        ],
    ),
    // It looks at a server and changes none.
    ("operator of anything", &["POST /servers/{key}/refresh"]),
    (
        "admin",
        &[
            "DELETE /host-names",
            "DELETE /leader",
            "GET /users",
            "POST /configuration/reload",
            "PUT /leader",
            "PUT /settings/recoveries",
        ],
    ),
    ("admin in person", &["POST /users", "PATCH /users/{name}", "DELETE /users/{name}"]),
];

fn rule(operation: &str) -> &'static str {
    let rule = RULES.iter().find(|(_, operations)| operations.contains(&operation));
    rule.unwrap_or_else(|| panic!("no rule for {operation}: add one")).0
}

/// Operations by method, address and body, each with its rule.
fn ruled_operations() -> Vec<(Method, String, &'static str, &'static str)> {
    let document = serde_json::to_value(orchestrator::api::v2::document()).expect("JSON");
    let mut named = Vec::new();
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        named.extend(
            verbs.as_object().expect("verbs").keys().map(|verb| format!("{} {path}", verb.to_ascii_uppercase())),
        );
    }
    let operations = v2_operations();
    assert_eq!(operations.len(), named.len());
    let with_rule = |((method, address, body), name): ((Method, String, &'static str), String)| {
        assert!(name.starts_with(method.as_str()), "{method} {address} is not {name}");
        (method, address, body, rule(&name))
    };
    operations.into_iter().zip(named).map(with_rule).collect()
}

#[tokio::test]
async fn every_operation_of_v2_for_every_caller() {
    let mut house = House::new().await;
    for (method, address, body, right) in ruled_operations() {
        if address.ends_with("/events") {
            continue;
        }
        for index in 0..house.kinds.len() {
            let (edge, kind) = (&house.edge, &house.kinds[index]);
            let before = edge.world();
            let answer = ask(edge, kind, &method, &address, body).await;
            let status = answer.status.as_u16();
            let context = format!("{}: {method} {address}: {status} {}", kind.name, answer.body);
            let reads = method == Method::GET;
            let in_person = kind.has_session;
            let allowed = match right {
                "open" => true,
                "session" => in_person,
                "in person" => in_person && kind.may >= May::Look,
                "viewer" => kind.may >= May::Look,
                "operator" => kind.may >= May::Change,
                "operator of anything" => kind.may >= May::ChangeElsewhere,
                "admin" => kind.may >= May::Administer,
                "admin in person" => in_person && kind.may >= May::Administer,
                other => panic!("{other}"),
            };
            if kind.name == "revoked token" || (kind.may == May::Nothing && right != "open") {
                assert_eq!(status, 401, "{context}");
                assert!(
                    answer.headers["www-authenticate"].to_str().is_ok_and(|c| c.starts_with("Bearer")),
                    "{context}"
                );
            } else if kind.from_elsewhere && !reads {
                assert_eq!(status, 403, "{context}");
            } else if right == "open" {
                // There is nobody of that name, and there is nothing to set up.
                assert!(matches!(status, 200 | 401) || (status == 403 && address.ends_with("/setup")), "{context}");
            } else if kind.may == May::ChangeElsewhere && right == "operator" {
                // What is not known or cannot be is said first; a tag that nobody has can be removed by anybody.
                let nothing_there = address.contains("/tags/") && matches!(status, 200 | 204);
                assert!(matches!(status, 403 | 404 | 409 | 422 | 500) || nothing_there, "{context}");
            } else if address.ends_with("/logout") && !in_person {
                assert_eq!(status, 400, "{context}");
            } else if allowed {
                assert!(!matches!(status, 401), "{context}");
                assert!(status != 403 || right == "session", "{context}");
            } else {
                assert_eq!(status, 403, "{context}");
            }
            let may_change = allowed && !reads && !kind.from_elsewhere && kind.may >= May::Change;
            if !may_change && right != "operator of anything" {
                assert_eq!(edge.world(), before, "{context}");
            }
            // Who logs out or sets up is somebody else afterwards.
            if (allowed && !reads) || edge.world() != before {
                house = House::new().await;
            }
        }
    }
}

#[tokio::test]
async fn with_a_session_every_change_has_to_carry_what_the_page_knows() {
    let edge = edge().await;
    let cookie = session(&edge, "ada", Utc::now());
    let before = edge.world();
    for (method, address, body, right) in ruled_operations() {
        if method == Method::GET || right == "open" {
            continue;
        }
        let json = ("content-type", "application/json");
        let cookie = ("cookie", cookie.as_str());
        for headers in [
            &[json, cookie][..],
            &[json, cookie, ("x-csrf-token", "")],
            &[json, cookie, ("x-csrf-token", "the-page-knows-thiz")],
            &[json, cookie, ("x-csrf-token", CSRF), ("x-csrf-token", "x")],
            &[json, cookie, ("sec-fetch-site", "same-origin")],
        ] {
            let answer = edge.send(method.clone(), &address, headers, body).await;
            answer.error(403, "csrf");
        }
        let elsewhere = [json, cookie, ("x-csrf-token", CSRF), ("origin", "https://evil.example")];
        edge.send(method.clone(), &address, &elsewhere, body).await.error(403, "forbidden");
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn verbs_that_no_route_has_do_nothing() {
    let edge = edge().await;
    let there: BTreeSet<(String, String)> =
        v2_operations().into_iter().map(|(method, address, _)| (method.to_string(), address)).collect();
    let addresses: BTreeSet<String> = there.iter().map(|(_, address)| address.clone()).collect();
    let before = edge.world();
    for kind in kinds(&edge).await {
        for address in &addresses {
            for method in &METHODS {
                if there.contains(&(method.to_string(), address.clone())) || *method == Method::HEAD {
                    continue;
                }
                let status = ask(&edge, &kind, method, address, "").await.status.as_u16();
                assert!(matches!(status, 401 | 403 | 405), "{}: {method} {address}: {status}", kind.name);
            }
        }
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn pages_are_shown_to_strangers_and_figures_are_not() {
    let edge = edge().await;
    for kind in kinds(&edge).await {
        for page in ["/", "/web/login", "/web/clusters", "/web/users"] {
            let status = ask(&edge, &kind, &Method::GET, page, "").await.status;
            assert_eq!(status == StatusCode::UNAUTHORIZED, kind.name == "revoked token", "{}: {page}", kind.name);
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                let status = ask(&edge, &kind, &method, page, "").await.status.as_u16();
                assert!(matches!(status, 401 | 404 | 405), "{}: {method} {page}: {status}", kind.name);
            }
        }
        for data in ["/metrics", "/debug/metrics", "/api/v2/nosuch", "/api/v2/openapi.json"] {
            let status = ask(&edge, &kind, &Method::GET, data, "").await.status;
            assert_eq!(status == StatusCode::UNAUTHORIZED, kind.may == May::Nothing, "{}: {data}", kind.name);
        }
    }
}
