//! Users, sessions and tokens for tests: made directly, because hashing takes its time.

use std::sync::OnceLock;

use app::api::Role;
use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::auth::{blank_user, fresh_token, hash_password};
use orchestrator::consensus::{Actor, Command};
use orchestrator::store::{SessionRecord, TokenRecord, UserRecord};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower_sessions::session::Id;

use crate::support::{Answer, Edge};

pub const LOCAL: &str = r#"{"AuthenticationMethod": "local"}"#;
pub const PASSWORD: &str = "correct horse battery";
pub const CSRF: &str = "the-page-knows-this";

/// `PASSWORD`, hashed once for all tests of the process.
pub fn hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_password(PASSWORD).expect("a hash")).clone()
}

/// A service with vic (viewer), olga (operator of orders), otto (operator of users), oz (operator) and ada (admin).
pub async fn edge() -> Edge {
    let edge = Edge::new(LOCAL).await;
    for (name, role, clusters) in [
        ("vic", Role::Viewer, &[][..]),
        ("olga", Role::Operator, &["orders"]),
        ("otto", Role::Operator, &["users"]),
        ("oz", Role::Operator, &[]),
        ("ada", Role::Admin, &[]),
    ] {
        let clusters: Vec<String> = clusters.iter().map(|c| (*c).to_owned()).collect();
        let user = UserRecord { password_hash: hash(), ..blank_user(name, role, &clusters, Utc::now()) };
        put_user(&edge, user).await;
    }
    edge
}

pub async fn put_user(edge: &Edge, user: UserRecord) {
    let command = Command::PutUser { user: Box::new(user), is_new: true };
    edge.services.consensus.submit(command, &Actor::system()).await.expect("a user");
}

/// A session of a user, begun at a moment. Gives its cookie.
pub fn session(edge: &Edge, user: &str, begun: DateTime<Utc>) -> String {
    let id = Id::default().to_string();
    let digest: String = Sha256::digest(id.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    drop(edge.services.consensus.accounts().begin_session(SessionRecord {
        id: digest,
        user: user.to_owned(),
        csrf_token: CSRF.to_owned(),
        address: "192.0.2.1".to_owned(),
        agent: "a test".to_owned(),
        created: begun,
        seen: begun,
        ends: begun + TimeDelta::days(1),
    }));
    format!("orchestrator-session={id}")
}

/// A token that a user made, with a role and patterns of its own. Gives what is said with it.
pub async fn token(edge: &Edge, owner: &str, role: Role, clusters: &[&str]) -> String {
    let fresh = fresh_token();
    let token = TokenRecord {
        id: fresh.id,
        name: "ci".to_owned(),
        owner: owner.to_owned(),
        owner_method: "local".to_owned(),
        secret_hash: fresh.digest,
        role,
        clusters: clusters.iter().map(|c| (*c).to_owned()).collect(),
        created: Utc::now(),
        ends: None,
        used: None,
        used_from: String::new(),
    };
    let command = Command::PutToken { token: Box::new(token) };
    edge.services.consensus.submit(command, &Actor::system()).await.expect("a token");
    format!("Bearer {}", fresh.secret)
}

/// A request with a session, as our page makes it.
pub async fn as_page(edge: &Edge, cookie: &str, method: Method, path: &str, body: &Value) -> Answer {
    let headers = [
        ("cookie", cookie),
        ("x-csrf-token", CSRF),
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    edge.send(method, path, &headers, &text(body)).await
}

/// Logs in from an address.
pub async fn login_from(edge: &Edge, from: &str, user: &str, password: &str) -> Answer {
    let body = json!({"user": user, "password": password}).to_string();
    let peer = from.parse().expect("an address");
    edge.send_from(Some(peer), Method::POST, "/api/v2/login", &[("content-type", "application/json")], &body).await
}

/// The cookie that an answer sets, as it is sent back.
pub fn cookie_of(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let set = answer.headers["set-cookie"].to_str().expect("text");
    set.split(';').next().expect("a pair").to_owned()
}

pub fn text(body: &Value) -> String {
    if body.is_null() { String::new() } else { body.to_string() }
}

/// Rows of the audit of a kind, newest first.
pub async fn audited(edge: &Edge, kind: &str) -> Vec<(String, String)> {
    // What is said of a request is written behind it.
    for _ in 0..200 {
        if edge.services.journal.state().pending == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let rows = edge.services.audit.page(None, 0).await.expect("a backend");
    rows.into_iter().filter(|row| row.kind == kind).map(|row| (row.actor, row.message)).collect()
}
