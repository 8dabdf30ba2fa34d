//! The audit: every change leaves exactly one row with who, how, from where and how it ended; filters and files.

use std::net::SocketAddr;
use std::time::Duration;

use app::api::{AuditOutcome, Role};
use axum::http::Method;
use chrono::Utc;
use orchestrator::api::v1::table::Table;
use orchestrator::audit::Act;
use orchestrator::consensus::Actor;
use orchestrator::store::AuditFilter;
use serde_json::{Value, json};

use crate::people::{self, CSRF};
use crate::support::{BASIC, CREDENTIALS, Edge, OPEN, READ_ONLY, key};

const PEER: &str = "127.0.0.1:4711";

/// A request that changes something, and the kind of its one row.
struct Change {
    verb: Method,
    path: String,
    body: Value,
    kind: &'static str,
}

fn v1(path: &str, kind: &'static str) -> Change {
    Change { verb: Method::GET, path: format!("/api/{path}"), body: Value::Null, kind }
}

fn v2(verb: Method, path: &str, body: Value, kind: &'static str) -> Change {
    Change { verb, path: format!("/api/v2/{path}"), body, kind }
}

/// One of each kind that can be done over the made-up fleet, in an order in which each can be done.
fn changes() -> Vec<Change> {
    vec![
        v1("begin-downtime/db3.example/3306/ann/disk/60s", "begin-downtime"),
        v1("end-downtime/db3.example/3306", "end-downtime"),
        v1("begin-maintenance/db3.example/3306/ann/disk", "begin-maintenance"),
        v1("end-maintenance/db3.example/3306", "end-maintenance"),
        v1("register-candidate/db3.example/3306/prefer", "register-candidate"),
        v1("set-cluster-alias/db1.example:3306?alias=shop", "set-cluster-alias"),
        v1("tag/db3.example/3306?tag=a%3Db", "put-tag"),
        v1("untag/db3.example/3306?tag=a", "delete-instance-tag"),
        v1("register-hostname-unresolve/db3.example/3306/virtual", "register-hostname-unresolve"),
        v1("deregister-hostname-unresolve/db3.example/3306", "register-hostname-unresolve"),
        v1("submit-pool-instances/reads?instances=db3.example:3306", "submit-pool-instances"),
        v1("disable-global-recoveries", "disable-global-recoveries"),
        v1("enable-global-recoveries", "enable-global-recoveries"),
        v1("reset-hostname-resolve-cache", "reset-hostname-resolve-cache"),
        v1("submit-masters-to-kv-stores", "submit-masters-to-kv-stores"),
        v1("ack-all-recoveries?comment=seen", "acknowledge-recovery"),
        v1("stop-replica/db3.example/3306", "stop-replica"),
        v1("start-replica/db3.example/3306", "start-replica"),
        v1("set-read-only/db3.example/3306", "read-only"),
        v2(
            Method::PUT,
            "servers/db3.example:3306/downtime",
            json!({"reason": "x", "duration_seconds": 60}),
            "begin-downtime",
        ),
        v2(Method::DELETE, "servers/db3.example:3306/downtime", Value::Null, "end-downtime"),
        v2(Method::PUT, "servers/db3.example:3306/promotion-rule", json!({"rule": "prefer_not"}), "register-candidate"),
        v2(Method::PUT, "settings/recoveries", json!({"enabled": false}), "disable-global-recoveries"),
        v1("forget/db3.example/3306", "forget"),
    ]
}

async fn ask(edge: &Edge, change: &Change) -> crate::support::Answer {
    let headers = [CREDENTIALS, ("content-type", "application/json")];
    let body = if change.body.is_null() { String::new() } else { change.body.to_string() };
    let peer: SocketAddr = PEER.parse().expect("an address");
    edge.send_from(Some(peer), change.verb.clone(), &change.path, &headers, &body).await
}

async fn rows(edge: &Edge, query: &str) -> Vec<Value> {
    settled(edge).await;
    let answer = edge.send(Method::GET, &format!("/api/v2/audit{query}"), &[CREDENTIALS], "").await;
    answer.ok().as_array().expect("a list").clone()
}

/// What is written behind is written.
async fn settled(edge: &Edge) {
    while edge.services.journal.state().pending > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn every_kind_of_change_leaves_exactly_one_row() {
    let edge = Edge::new(BASIC).await;
    for change in changes() {
        let before = rows(&edge, "").await.first().map_or(0, |row| row["id"].as_i64().expect("a number"));
        let answer = ask(&edge, &change).await;
        assert!(answer.status.is_success(), "{}: {}", change.path, answer.body);
        let new: Vec<Value> = rows(&edge, "").await.into_iter().filter(|r| r["id"].as_i64() > Some(before)).collect();
        let [row] = new.as_slice() else { panic!("{}: one row expected, got {new:?}", change.path) };
        assert_eq!(row["kind"], change.kind, "{}: {row}", change.path);
        assert_eq!((&row["actor"], &row["method"]), (&json!("dba"), &json!("basic")), "{row}");
        assert_eq!((&row["address"], &row["outcome"]), (&json!(PEER), &json!("done")), "{row}");
        assert_eq!(row["reason"], "", "{row}");
        assert!(row["duration_ms"].is_u64(), "{row}");
    }
}

/// Rows of refused changes: who, what, why.
async fn denied(edge: &Edge) -> Vec<(String, String, String)> {
    settled(edge).await;
    let page = edge.services.audit.page(None, 0).await.expect("a backend");
    let rows: Vec<_> = page.into_iter().filter(|row| row.kind == "denied").collect();
    assert!(rows.iter().all(|row| row.outcome == Some(AuditOutcome::Refused) && row.duration_ms.is_some()), "{rows:?}");
    rows.into_iter().map(|row| (row.actor, row.message, row.reason)).collect()
}

/// Method, path, headers; who the row names, and words of its reason.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test]
async fn what_somebody_may_not_do_leaves_a_row_with_the_reason() {
    let edge = people::edge().await;
    let json = ("content-type", "application/json");
    let vic = people::token(&edge, "vic", Role::Viewer, &[]).await;
    let olga = people::session(&edge, "olga", Utc::now());
    let downtime = r#"{"reason":"r","duration_seconds":60}"#;
    let cases: &[Case] = &[
        (
            Method::GET,
            "/api/forget/db3.example/3306?x=secret",
            &[("authorization", &vic)],
            "vic (token ci)",
            "is a viewer",
        ),
        (Method::PUT, "/api/v2/settings/recoveries", &[("authorization", &vic), json], "vic (token ci)", "is a viewer"),
        (Method::GET, "/api/forget/db4.example/3306", &[("cookie", &olga)], "olga", "not for sessions"),
        (
            Method::PUT,
            "/api/v2/servers/us2.example:3306/downtime",
            &[("cookie", &olga), ("x-csrf-token", CSRF), json],
            "olga",
            "orders",
        ),
        (Method::PUT, "/api/v2/servers/db3.example:3306/downtime", &[("cookie", &olga), json], "olga", "X-CSRF-Token"),
        (
            Method::PUT,
            "/api/v2/servers/db4.example:3306/downtime",
            &[("cookie", &olga), ("x-csrf-token", CSRF), ("origin", "https://evil.example"), json],
            "olga",
            "https://evil.example",
        ),
    ];
    for (number, (method, path, headers, who, why)) in cases.iter().enumerate() {
        let answer = edge.send(method.clone(), path, headers, downtime).await;
        assert!(matches!(answer.status.as_u16(), 403 | 500), "{path}: {} {}", answer.status, answer.body);
        let rows = denied(&edge).await;
        assert_eq!(rows.len(), number + 1, "{path}: {rows:?}");
        let (actor, what, reason) = &rows[0];
        let shown = path.split('?').next().expect("an address");
        assert_eq!((actor.as_str(), what.as_str()), (*who, format!("{method} {shown}").as_str()));
        assert!(reason.contains(why), "{path}: {reason}");
    }
    // To look where one may not is no change.
    edge.send(Method::GET, "/api/v2/users", &[("authorization", &vic)], "").await.error(403, "forbidden");
    edge.send(Method::GET, "/api/v2/clusters", &[], "").await.error(401, "unauthenticated");
    assert_eq!(denied(&edge).await.len(), cases.len());
}

#[tokio::test]
async fn whoever_is_refused_again_and_again_does_not_fill_the_audit() {
    let edge = Edge::new(READ_ONLY).await;
    for _ in 0..100 {
        edge.get("/api/forget/db3.example/3306").await.message("ERROR");
    }
    for n in 0..100 {
        edge.get(&format!("/api/forget/db{n}.example/3306")).await.message("ERROR");
    }
    let rows = denied(&edge).await;
    assert_eq!(rows.len(), 10, "{rows:?}");
    let told = "GET /api/forget/db0.example/3306; before it 99 more were not told";
    assert!(
        rows.iter().any(|(who, what, why)| who == "anonymous" && what == told && why.contains("ReadOnly")),
        "{rows:?}"
    );
}

#[tokio::test]
async fn logins_that_fail_or_have_to_wait_leave_rows_and_not_too_many() {
    let edge = people::edge().await;
    // Longer than any password, so that nothing is hashed.
    let long = "x".repeat(2_000);
    for _ in 0..6 {
        people::login_from(&edge, "192.0.2.1:1", "ada", &long).await;
    }
    let found = people::audited(&edge, "failed-login").await;
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found[0].1.starts_with("told to wait ") && found[0].1.ends_with(" s: user \"ada\""), "{found:?}");
    assert_eq!(found[1], ("anonymous".to_owned(), "wrong user or password: user \"ada\"".to_owned()));
    for n in 0..40 {
        people::login_from(&edge, &format!("10.1.{n}.1:1"), "secret-typed-as-a-user", &long).await;
    }
    settled(&edge).await;
    let filter = AuditFilter { kind: "failed-login".to_owned(), ..AuditFilter::default() };
    let rows = edge.services.audit.first_rows(&filter, 500).await.expect("a backend");
    assert_eq!(rows.len(), 30, "as many as a minute has");
    assert!(rows.iter().all(|row| row.duration_ms.is_some() && row.outcome == Some(AuditOutcome::Refused)));
    assert_eq!((rows[0].address.as_str(), rows[0].method.as_str()), ("10.1.23.1:1", "local"));
    assert_eq!(rows[0].message, "wrong user or password: user \"sec...\"", "what may be a password is not told");
}

#[tokio::test]
async fn rows_are_kept_out_of_the_backend_where_the_file_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.log");
    let config = |keep: &str| format!(r#"{{"AuditLogFile": {file:?}{keep}}}"#);
    for (keep, kept) in [(r#", "AuditToBackendDB": false"#, 0), (r#", "AuditToBackendDB": true"#, 2), ("", 2)] {
        let edge = Edge::new(&config(keep)).await;
        settled(&edge).await;
        let before = edge.services.audit.page(None, 0).await.expect("a backend").len();
        edge.get("/api/begin-downtime/db3.example/3306/ann/disk/60s").await.message("OK");
        edge.get("/api/reset-hostname-resolve-cache").await.message("OK");
        settled(&edge).await;
        let rows = edge.services.audit.page(None, 0).await.expect("a backend").len();
        assert_eq!(rows - before, kept, "{keep}");
        assert!(kept > 0 || before == 0, "{keep}");
        let downtimes = edge.services.store.load_annotations().await.expect("a backend").downtime.len();
        assert_eq!(downtimes, 1, "the change itself is recorded");
        edge.services.audit.flush().await;
    }
    let text = std::fs::read_to_string(&file).expect("written");
    assert_eq!(text.matches("\tbegin-downtime\t").count(), 3, "{text}");
    assert_eq!(text.matches("\treset-hostname-resolve-cache\t").count(), 3, "{text}");
}

#[tokio::test]
async fn a_refused_login_leaves_a_row_and_a_question_does_not() {
    let edge = Edge::new(BASIC).await;
    let wrong = ("authorization", "Basic ZGJhOndyb25n");
    assert_eq!(edge.send(Method::GET, "/api/clusters", &[wrong], "").await.status.as_u16(), 401);
    assert_eq!(edge.send(Method::GET, "/api/clusters", &[], "").await.status.as_u16(), 401);
    let found = rows(&edge, "?action=failed-login").await;
    let [row] = found.as_slice() else { panic!("one row expected, got {found:?}") };
    assert_eq!(
        (&row["actor"], &row["outcome"], &row["method"]),
        (&json!("anonymous"), &json!("refused"), &json!("basic"))
    );
    assert_eq!(row["message"], "wrong user or password: user \"dba\"");
    assert!(!row.to_string().contains("wrong\"") && !row.to_string().contains("ZGJh"), "{row}");
}

#[tokio::test]
async fn an_operation_that_fails_says_so_and_how_long_it_took() {
    let edge = Edge::new(BASIC).await;
    edge.hands.refuse(&key("db3.example"), "");
    let answer = ask(&edge, &v1("stop-replica/db3.example/3306", "")).await;
    assert_eq!(answer.json()["Code"], "ERROR", "{}", answer.body);
    let found = rows(&edge, "?server=db3.example").await;
    assert_eq!((found.len(), &found[0]["outcome"]), (1, &json!("failed")), "{found:?}");
    assert!(found[0]["duration_ms"].is_u64(), "{found:?}");
}

#[tokio::test]
async fn rows_are_found_by_who_what_where_when_and_words() {
    let edge = Edge::new(BASIC).await;
    let ann = Actor { method: "token".to_owned(), ..Actor::named("ann") };
    let long_ago = "2020-05-01";
    for n in 0..25 {
        let act = Act::new("relocate-below", &ann, format!("moved 100% of db{n}")).on(&key("db2.example"));
        edge.services.audit.log(act.of("db1.example:3306").took(Duration::from_millis(7)));
    }
    let system = Actor::system().because("DeadMaster at db1.example:3306");
    edge.services.audit.log(Act::new("recover-dead-master", &system, "no candidate").ended(AuditOutcome::Failed));
    assert_eq!(rows(&edge, "?actor=ann").await.len(), 20);
    assert_eq!(rows(&edge, "?actor=ann&page=1").await.len(), 5);
    assert_eq!(rows(&edge, "?cluster=orders&page=1&action=relocate-below").await.len(), 5);
    assert_eq!(rows(&edge, "?text=100%25+of+DB7").await.len(), 1);
    assert_eq!(rows(&edge, "?text=100_").await.len(), 0);
    let automatic = rows(&edge, "?actor=orchestrator&text=deadmaster").await;
    assert_eq!((automatic.len(), &automatic[0]["outcome"]), (1, &json!("failed")), "{automatic:?}");
    assert_eq!(automatic[0]["reason"], "DeadMaster at db1.example:3306");
    assert_eq!(rows(&edge, &format!("?until={long_ago}")).await.len(), 0);
    assert_eq!(rows(&edge, &format!("?from={long_ago}&actor=orchestrator&text=candidate")).await.len(), 1);
    let bad = edge.send(Method::GET, "/api/v2/audit?from=yesterday", &[CREDENTIALS], "").await;
    assert!(bad.error(400, "bad-input").contains("yesterday"), "{}", bad.body);
    edge.send(Method::GET, "/api/v2/audit?format=xml", &[CREDENTIALS], "").await.error(400, "bad-input");
}

#[tokio::test]
async fn the_whole_audit_comes_as_a_file() {
    let edge = Edge::new(OPEN).await;
    let eve = Actor::named("=cmd|' /C calc'!A1");
    for n in 0..1_203 {
        edge.services.audit.log(Act::new("relocate", &eve, format!("row {n}, \"quoted\"\nand more")).of("c"));
    }
    settled(&edge).await;
    let csv = edge.get("/api/v2/audit?format=csv&cluster=c").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.headers["content-disposition"], "attachment; filename=\"audit.csv\"");
    assert_eq!(csv.headers["x-content-type-options"], "nosniff");
    assert!(csv.body.starts_with("id,at,action,"), "{}", &csv.body[..200]);
    assert_eq!(csv.body.matches("\r\n").count(), 1_204);
    assert_eq!(
        csv.body.matches(",\"'=cmd|' /C calc'!A1\"").count() + csv.body.matches(",'=cmd|' /C calc'!A1,").count(),
        1_203
    );
    assert!(csv.body.contains("\"row 0, \"\"quoted\"\"\nand more\""), "quoting");
    let json = edge.get("/api/v2/audit?format=json&cluster=c").await;
    let list = json.ok();
    let list = list.as_array().expect("a list");
    assert_eq!((list.len(), &list[1_202]["message"]), (1_203, &json!("row 0, \"quoted\"\nand more")));
    assert_eq!(edge.get("/api/v2/audit?format=json&cluster=none").await.ok(), json!([]));
}

/// What changes something and is told in no test here, each with its reason. A new path has to be put into one of the lists.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("refresh/", "looks at a server; nothing changes"),
    ("resolve/", "knocks at a server; nothing changes"),
    ("raft-", "refused outside a group"),
    ("discover/", "needs a server: shown by the tests on real ones"),
    ("async-discover/", "the same"),
    ("reload-configuration", "needs files: shown by the tests of the program"),
    ("recover", "leaves its row when it ends: shown by the tests of recoveries"),
    ("graceful-", "the same"),
    ("force-", "the same"),
];

/// One name of each family of operations that one function carries out and records.
const BY_ONE_FUNCTION: &[&str] = &[
    "relocate",
    "regroup-",
    "move-",
    "repoint",
    "make-",
    "enslave-",
    "take-",
    "detach-",
    "reattach-",
    "restart-",
    "stop-",
    "start-",
    "set-read-only",
    "set-writeable",
    "enable-",
    "disable-",
    "gtid-errant-",
    "skip-query",
    "reset-slave",
    "reset-replica",
    "change-master-credentials",
    "flush-binary-logs",
    "purge-binary-logs",
    "delay-replication",
    "kill-query",
    "match",
    "correlate",
    "forget-cluster",
    "untag-all",
    "ack-",
    "end-maintenance/",
    "bulk-",
    "grab-",
    "reelect",
    "snapshot-",
    "agent",
    "seeds",
    "last-pseudo-gtid",
    "master-equivalent",
    "reload-cluster-alias",
];

#[test]
fn no_path_that_changes_something_is_forgotten() {
    let shown: Vec<String> = changes().into_iter().map(|c| first_word(c.path.trim_start_matches("/api/"))).collect();
    for route in Table::new().routes().iter().filter(|route| route.changes) {
        for path in &route.paths {
            let is_listed = shown.contains(&first_word(path))
                || NOT_SHOWN.iter().any(|(prefix, _)| path.starts_with(prefix))
                || BY_ONE_FUNCTION.iter().any(|prefix| path.starts_with(prefix));
            assert!(is_listed, "{path} changes something: what does the audit say of it?");
        }
    }
}

fn first_word(path: &str) -> String {
    path.split(['/', '?']).next().unwrap_or_default().to_owned()
}
