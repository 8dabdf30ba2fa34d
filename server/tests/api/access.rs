//! Logging in, sessions, users and tokens, over HTTP.

use std::time::Duration;

use app::api::Role;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use futures_util::StreamExt as _;
use orchestrator::auth::blank_user;
use orchestrator::consensus::{Actor, Command};
use orchestrator::store::UserRecord;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::people::{
    CSRF, LOCAL, PASSWORD, as_page, audited, cookie_of, edge, hash, login_from, put_user, session, token,
};
use crate::support::{BASIC, CREDENTIALS, Edge, OPEN};

const HOME: &str = "192.0.2.1:1000";

async fn me(edge: &Edge, cookie: &str) -> Value {
    edge.send(Method::GET, "/api/v2/me", &[("cookie", cookie)], "").await.ok()
}

/// A change of one's own, as the page makes it, with the token that `me` tells.
async fn act(edge: &Edge, cookie: &str, method: Method, path: &str, body: Value) -> crate::support::Answer {
    let csrf = me(edge, cookie).await["csrf_token"].as_str().unwrap_or_default().to_owned();
    let headers = [("cookie", cookie), ("x-csrf-token", csrf.as_str()), ("content-type", "application/json")];
    edge.send(method, path, &headers, &crate::people::text(&body)).await
}

#[tokio::test]
async fn a_user_logs_in_and_out() {
    let edge = edge().await;
    let stranger = me(&edge, "").await;
    assert_eq!(
        (&stranger["role"], &stranger["has_logins"], &stranger["method"]),
        (&Value::Null, &json!(true), &json!("local"))
    );
    assert_eq!(stranger["needs_setup"], json!(false));

    let answer = login_from(&edge, HOME, "olga", PASSWORD).await;
    let set = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    let mut attributes: Vec<&str> = set.split("; ").skip(1).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax"]);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (first, cookie) = (answer.json(), cookie_of(&answer));
    let now = me(&edge, &cookie).await;
    assert_eq!(first, now, "the login tells what `me` does");
    assert_eq!(
        (&now["user"], &now["role"], &now["clusters"]),
        (&json!("olga"), &json!("operator"), &json!(["orders"]))
    );
    let before = edge.get("/api/v2/session").await;
    assert_eq!(
        (before.status, &before.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer realm=\"orchestrator\"".parse().unwrap())
    );

    assert_eq!(act(&edge, &cookie, Method::POST, "/api/v2/logout", Value::Null).await.status, StatusCode::NO_CONTENT);
    let gone = edge.send(Method::GET, "/api/v2/session", &[("cookie", &cookie)], "").await;
    gone.error(401, "unauthenticated");
    assert!(gone.headers["set-cookie"].to_str().is_ok_and(|c| c.contains("Max-Age=0")), "the browser forgets it");
    let login = audited(&edge, "login").await;
    assert_eq!(login, [("olga".to_owned(), "olga logged in".to_owned())]);
    assert_eq!(audited(&edge, "logout").await.len(), 1);
}

#[tokio::test]
async fn behind_tls_the_cookie_goes_over_tls_only() {
    let edge = edge().await;
    for (peer, secure) in [("127.0.0.1:9", true), (HOME, false)] {
        let body = json!({"user": "vic", "password": PASSWORD}).to_string();
        let headers = [("content-type", "application/json"), ("x-forwarded-proto", "https")];
        let answer = edge.send_from(Some(peer.parse().unwrap()), Method::POST, "/api/v2/login", &headers, &body).await;
        assert_eq!(answer.headers["set-cookie"].to_str().is_ok_and(|c| c.contains("Secure")), secure, "{peer}");
    }
}

#[tokio::test]
async fn the_number_of_a_session_is_never_one_that_somebody_brought() {
    let edge = edge().await;
    let old = session(&edge, "vic", Utc::now());
    for brought in [old.as_str(), "orchestrator-session=AAAAAAAAAAAAAAAAAAAAAA"] {
        let body = json!({"user": "ada", "password": PASSWORD}).to_string();
        let headers = [("content-type", "application/json"), ("cookie", brought)];
        let answer = edge.send(Method::POST, "/api/v2/login", &headers, &body).await;
        assert_ne!(cookie_of(&answer), brought);
        assert_eq!(me(&edge, brought).await["role"], Value::Null, "what was before has ended");
    }
}

#[tokio::test]
async fn a_wrong_user_and_a_wrong_password_look_alike() {
    let edge = edge().await;
    let mut answers = Vec::new();
    for (user, password) in
        [("ada", "wrong wrong wrong"), ("nobody", PASSWORD), ("", ""), ("ada", ""), ("ADA", PASSWORD)]
    {
        let answer = login_from(&edge, HOME, user, password).await;
        answer.error(401, "unauthenticated");
        assert!(!answer.headers.contains_key("set-cookie"));
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let failed = audited(&edge, "failed-login").await;
    assert_eq!(failed.len(), 5);
    assert!(
        failed.iter().any(|(actor, message)| actor == "anonymous" && message.ends_with("user \"nob...\"")),
        "{failed:?}"
    );
    assert!(!format!("{failed:?}").contains("wrong wrong"), "no password is told");
}

#[tokio::test]
async fn who_guesses_has_to_wait_and_the_owner_elsewhere_has_not() {
    let edge = edge().await;
    for _ in 0..5 {
        login_from(&edge, HOME, "ada", "guess guess guess").await.error(401, "unauthenticated");
    }
    let answer = login_from(&edge, HOME, "ada", PASSWORD).await;
    assert!(answer.error(429, "too-many-logins").contains("try again in"), "{}", answer.body);
    assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().is_ok_and(|s| (1..=300).contains(&s)));
    assert_eq!(login_from(&edge, "198.51.100.7:1", "ada", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(login_from(&edge, HOME, "vic", PASSWORD).await.status, StatusCode::OK, "another account from there");
}

#[tokio::test]
async fn a_page_of_another_site_logs_nobody_in() {
    let edge = edge().await;
    let body = json!({"user": "ada", "password": PASSWORD}).to_string();
    for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("user-agent", "Mozilla/5.0")]
    {
        let answer =
            edge.send(Method::POST, "/api/v2/login", &[("content-type", "application/json"), header], &body).await;
        answer.error(403, "forbidden");
    }
    // What a form of another site can send without being asked.
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = edge.send(Method::POST, "/api/v2/login", &[("content-type", kind)], &body).await;
        assert!(answer.status.is_client_error() && !answer.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let edge = edge().await;
    let (here, there) = (cookie_of(&login_from(&edge, HOME, "vic", PASSWORD).await), session(&edge, "vic", Utc::now()));
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    let path = "/api/v2/password";
    let wrong = act(&edge, &here, Method::POST, path, change("not the password", "another password")).await;
    assert!(wrong.error(403, "forbidden").contains("old password"));
    let short = act(&edge, &here, Method::POST, path, change(PASSWORD, "short")).await;
    assert!(short.error(400, "bad-input").contains("10 characters"));
    let done = act(&edge, &here, Method::POST, path, change(PASSWORD, "another password")).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
    assert_eq!(me(&edge, &here).await["user"], "vic");
    assert_eq!(me(&edge, &there).await["role"], Value::Null);
    login_from(&edge, HOME, "vic", PASSWORD).await.error(401, "unauthenticated");
    assert_eq!(login_from(&edge, HOME, "vic", "another password").await.status, StatusCode::OK);
    assert_eq!(audited(&edge, "set-password").await.len(), 1);
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_made_anew_at_a_login() {
    let edge = Edge::new(LOCAL).await;
    let cheap = "$argon2id$v=19$m=64,t=1,p=1$ZXhhbXBsZS1zYWx0$".to_owned() + &cheap_hash();
    put_user(&edge, UserRecord { password_hash: cheap.clone(), ..blank_user("ann", Role::Viewer, &[], Utc::now()) })
        .await;
    let open = session(&edge, "ann", Utc::now());
    assert_eq!(login_from(&edge, HOME, "ann", "hunter42").await.status, StatusCode::OK);
    let now = edge.services.consensus.accounts().user("ann").expect("a user").password_hash;
    assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now}");
    assert_eq!(me(&edge, &open).await["user"], "ann", "it is the same password");
    assert_eq!(login_from(&edge, HOME, "ann", "hunter42").await.status, StatusCode::OK);
}

fn cheap_hash() -> String {
    use argon2::{Algorithm, Argon2, Params, Version};
    use base64::Engine as _;
    let mut hash = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).expect("parameters"));
    argon2.hash_password_into(b"hunter42", b"example-salt", &mut hash).expect("a hash");
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(hash)
}

#[tokio::test]
async fn the_first_administrator_is_made_with_the_code_of_the_log_and_once() {
    let edge = Edge::new(LOCAL).await;
    assert_eq!(me(&edge, "").await["needs_setup"], json!(true));
    let setup = async |code: &str, user: &str, password: &str| {
        let body = json!({"code": code, "user": user, "password": password}).to_string();
        edge.send(Method::POST, "/api/v2/setup", &[("content-type", "application/json")], &body).await
    };
    setup("AAAA-AAAA-AAAA-AAAA", "ada", PASSWORD).await.error(403, "forbidden");
    setup("", "ada", PASSWORD).await.error(403, "forbidden");
    assert!(edge.services.consensus.accounts().has_no_users());
    assert_eq!(audited(&edge, "failed-login").await.len(), 2);
    // Whoever loses the log makes the first one by command; from then on there is no set-up any more.
    put_user(&edge, UserRecord { password_hash: hash(), ..blank_user("ada", Role::Admin, &[], Utc::now()) }).await;
    assert_eq!(me(&edge, "").await["needs_setup"], json!(false));
}

#[tokio::test]
async fn a_session_that_ended_does_not_come_back_from_a_backend_that_has_not_heard_of_it() {
    let edge = edge().await;
    let cookie = cookie_of(&login_from(&edge, HOME, "vic", PASSWORD).await);
    drop(audited(&edge, "login").await);
    let rows = edge.services.store.load_accounts().await.expect("a backend");
    let [session] = rows.sessions.as_slice() else { panic!("one session expected, got {:?}", rows.sessions) };
    assert_eq!(act(&edge, &cookie, Method::POST, "/api/v2/logout", Value::Null).await.status, StatusCode::NO_CONTENT);
    drop(audited(&edge, "logout").await);
    // As it is between the end and its being written.
    edge.services.store.put_session(session).await.expect("a backend");
    assert_eq!(me(&edge, &cookie).await["role"], Value::Null, "looked up");
    edge.services.consensus.adopt_accounts(&edge.services.store).await.expect("adopted");
    assert_eq!(me(&edge, &cookie).await["role"], Value::Null, "taken over");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_and_administrators() {
    let edge = edge().await;
    let (vic, ada) = (session(&edge, "vic", Utc::now()), session(&edge, "ada", Utc::now()));
    let listed = async |cookie: &str| edge.send(Method::GET, "/api/v2/sessions", &[("cookie", cookie)], "").await.ok();
    let own = listed(&vic).await;
    assert_eq!(
        (own.as_array().map(Vec::len), &own[0]["user"], &own[0]["is_current"]),
        (Some(1), &json!("vic"), &json!(true))
    );
    assert!(!own.to_string().contains(vic.split('=').nth(1).unwrap()), "nothing to step into");
    let all = listed(&ada).await;
    let id = |rows: &Value, user: &str| {
        let rows = rows.as_array().expect("rows");
        rows.iter().find(|row| row["user"] == user).and_then(|row| row["id"].as_str()).expect("a session").to_owned()
    };
    let (of_vic, of_ada) = (id(&all, "vic"), id(&all, "ada"));
    let end = async |cookie: &str, id: &str| {
        as_page(&edge, cookie, Method::DELETE, &format!("/api/v2/sessions/{id}"), &Value::Null).await
    };
    end(&vic, &of_ada).await.error(404, "not-found");
    assert_eq!(end(&ada, &of_vic).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&edge, &vic).await["role"], Value::Null);
    assert_eq!(audited(&edge, "end-session").await[0].0, "ada");
}

/// A stream of events, opened with a header, and whether it ends.
async fn stream(edge: &Edge, header: (&str, &str)) -> axum::body::BodyDataStream {
    let response = edge.open("/api/v2/events", &[header]).await;
    assert_eq!(response.status(), StatusCode::OK);
    Body::into_data_stream(response.into_body())
}

async fn ends(mut stream: axum::body::BodyDataStream) -> bool {
    let read = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(2), read).await.is_ok()
}

#[tokio::test]
async fn a_stream_ends_with_what_it_rests_on() {
    let edge = edge().await;
    let vic = session(&edge, "vic", Utc::now());
    let logged_out = stream(&edge, ("cookie", &vic)).await;
    as_page(&edge, &vic, Method::POST, "/api/v2/logout", &Value::Null).await;
    assert!(ends(logged_out).await, "logged out");

    let oz = token(&edge, "oz", Role::Operator, &[]).await;
    let (revoked, stays) = (
        stream(&edge, ("authorization", &oz)).await,
        stream(&edge, ("cookie", &session(&edge, "ada", Utc::now()))).await,
    );
    let id = oz.strip_prefix("Bearer orc_").and_then(|rest| rest.get(..12)).unwrap().to_owned();
    let command = Command::DeleteToken { id, name: "ci".to_owned() };
    edge.services.consensus.submit(command, &Actor::system()).await.expect("revoked");
    assert!(ends(revoked).await, "revoked");

    let of_gone = stream(&edge, ("authorization", &token(&edge, "otto", Role::Viewer, &[]).await)).await;
    edge.services
        .consensus
        .submit(Command::DeleteUser { name: "otto".to_owned() }, &Actor::system())
        .await
        .expect("gone");
    assert!(ends(of_gone).await, "its maker is gone");
    assert!(!ends(stays).await, "of somebody else");
}

#[tokio::test]
async fn a_stream_ends_when_its_session_is_over() {
    let edge = Edge::new(r#"{"AuthenticationMethod": "local", "SessionIdleMinutes": 525600}"#).await;
    put_user(&edge, UserRecord { password_hash: hash(), ..blank_user("vic", Role::Viewer, &[], Utc::now()) }).await;
    let cookie = session(&edge, "vic", Utc::now() - TimeDelta::days(1) + TimeDelta::milliseconds(700));
    let open = stream(&edge, ("cookie", &cookie)).await;
    assert!(ends(open).await);
    assert_eq!(me(&edge, &cookie).await["role"], Value::Null);
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked() {
    let edge = edge().await;
    let olga = session(&edge, "olga", Utc::now());
    let make = async |body: Value| as_page(&edge, &olga, Method::POST, "/api/v2/tokens", &body).await;
    make(json!({"name": "ci", "role": "admin"})).await.error(403, "forbidden");
    make(json!({"name": " a", "role": "viewer"})).await.error(400, "bad-input");
    make(json!({"name": "ci", "role": "viewer", "days": 0})).await.error(400, "bad-input");
    let made = make(json!({"name": "ci", "role": "operator", "days": 30})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let made = made.json();
    let secret = made["secret"].as_str().expect("a token").to_owned();
    assert!(secret.starts_with("orc_"));
    make(json!({"name": "ci", "role": "viewer"})).await.error(422, "refused");

    let bearer = format!("Bearer {secret}");
    let with = [("authorization", bearer.as_str())];
    let peer = Some("203.0.113.9:77".parse().unwrap());
    let answer = edge.send_from(peer, Method::GET, "/api/begin-downtime/db3.example/3306/o/r", &with, "").await;
    answer.message("OK");
    let refused = edge.send_from(peer, Method::GET, "/api/begin-downtime/us2.example/3306/o/r", &with, "").await;
    assert_eq!(refused.message("ERROR"), "Unauthorized", "its maker may change orders only");
    let said = audited(&edge, "begin-downtime").await;
    assert_eq!(said[0].0, "olga (token ci)");

    let rows = edge.send(Method::GET, "/api/v2/tokens", &[("cookie", &olga)], "").await.ok();
    assert_eq!((&rows[0]["name"], &rows[0]["last_used_from"]), (&json!("ci"), &json!("203.0.113.9:77")));
    assert!(!rows.to_string().contains(&secret) && rows[0]["last_used"].is_string());
    let id = rows[0]["id"].as_str().expect("an identity").to_owned();
    let stranger = session(&edge, "vic", Utc::now());
    let path = format!("/api/v2/tokens/{id}");
    as_page(&edge, &stranger, Method::DELETE, &path, &Value::Null).await.error(404, "not-found");
    assert_eq!(as_page(&edge, &olga, Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    let answer = edge.send(Method::GET, "/api/v2/session", &with, "").await;
    answer.error(401, "unauthenticated");
    assert!(answer.headers["www-authenticate"].to_str().is_ok_and(|c| c.contains("invalid_token")));
    edge.send(Method::GET, "/api/v2/session", &with, "").await.error(401, "unauthenticated");
    assert_eq!(audited(&edge, "failed-login").await.len(), 1, "told once a minute");
    assert!(
        audited(&edge, "create-token").await[0].1.contains("token ci")
            && audited(&edge, "revoke-token").await.len() == 1
    );
    assert!(!format!("{:?}", audited(&edge, "create-token").await).contains(&secret));
}

#[tokio::test]
async fn a_token_never_does_more_than_its_maker_may_now() {
    let edge = edge().await;
    let bearer = token(&edge, "oz", Role::Operator, &[]).await;
    let role = async || edge.send(Method::GET, "/api/v2/session", &[("authorization", &bearer)], "").await;
    let oz = |role, clusters: &[&str]| {
        let clusters: Vec<String> = clusters.iter().map(|c| (*c).to_owned()).collect();
        UserRecord { password_hash: hash(), ..blank_user("oz", role, &clusters, Utc::now()) }
    };
    assert_eq!(role().await.ok()["role"], "operator");
    put_user(&edge, oz(Role::Operator, &["users"])).await;
    let answer =
        edge.send(Method::GET, "/api/begin-downtime/db3.example/3306/o/r", &[("authorization", &bearer)], "").await;
    assert_eq!(answer.message("ERROR"), "Unauthorized");
    put_user(&edge, oz(Role::Viewer, &[])).await;
    assert_eq!(role().await.ok()["role"], "viewer");
    put_user(&edge, oz(Role::Admin, &[])).await;
    assert_eq!(role().await.ok()["role"], "operator", "nor more than it was made for");
    edge.services
        .consensus
        .submit(Command::DeleteUser { name: "oz".to_owned() }, &Actor::system())
        .await
        .expect("gone");
    role().await.error(401, "unauthenticated");
}

#[tokio::test]
async fn tokens_count_with_the_other_methods_too() {
    let edge = Edge::new(BASIC).await;
    let json = ("content-type", "application/json");
    let body = json!({"name": "ci", "role": "operator", "clusters": ["users"]}).to_string();
    let made = edge.send(Method::POST, "/api/v2/tokens", &[json, CREDENTIALS], &body).await;
    let bearer = format!("Bearer {}", made.json()["secret"].as_str().expect("a token"));
    let with = [("authorization", bearer.as_str())];
    assert_eq!(edge.send(Method::GET, "/api/v2/session", &with, "").await.ok()["role"], "operator");
    edge.send(Method::GET, "/api/begin-downtime/us2.example/3306/o/r", &with, "").await.message("OK");
    let refused = edge.send(Method::GET, "/api/begin-downtime/db3.example/3306/o/r", &with, "").await;
    assert_eq!(refused.message("ERROR"), "Unauthorized");
    edge.send(Method::POST, "/api/v2/tokens", &[json, with[0]], &body).await.error(403, "forbidden");

    let edge = Edge::new(&BASIC.replace("basic", "multi")).await;
    let readonly = ("authorization", "Basic cmVhZG9ubHk6eA==");
    let body_to_look = json!({"name": "ci", "role": "viewer"}).to_string();
    let refused = edge.send(Method::POST, "/api/v2/tokens", &[json, readonly], &body_to_look).await;
    assert!(refused.error(422, "refused").contains("maker"), "anybody is nobody: {}", refused.body);

    let edge = Edge::new(OPEN).await;
    edge.send(Method::POST, "/api/v2/tokens", &[json], &body).await.error(422, "refused");
    edge.send(Method::POST, "/api/v2/login", &[json], r#"{"user":"a","password":"b"}"#).await.error(404, "not-found");
    let answer = edge.send(Method::GET, "/api/v2/session", &[("authorization", "Bearer orc_revoked")], "").await;
    answer.error(401, "unauthenticated");
    let users = edge
        .send(Method::POST, "/api/v2/users", &[json], r#"{"name":"a","password":"long enough one","role":"viewer"}"#)
        .await;
    users.error(404, "not-found");
}

#[tokio::test]
async fn administrators_look_after_users() {
    let edge = edge().await;
    let ada = session(&edge, "ada", Utc::now());
    let ask = async |method: Method, path: &str, body: Value| {
        as_page(&edge, &ada, method, &format!("/api/v2/users{path}"), &body).await
    };
    let new = |name: &str, role: &str, clusters: &[&str]| json!({"name": name, "password": "long enough one", "role": role, "clusters": clusters});
    ask(Method::POST, "", new("a/b", "viewer", &[])).await.error(400, "bad-input");
    ask(Method::POST, "", new("ann", "admin", &["orders"])).await.error(400, "bad-input");
    ask(Method::POST, "", new("vic", "viewer", &[])).await.error(422, "refused");
    let made = ask(Method::POST, "", new("ann", "operator", &["orders"])).await;
    assert_eq!((made.status, &made.json()["clusters"]), (StatusCode::CREATED, &json!(["orders"])));
    assert!(!made.body.contains("argon2") && !ask(Method::GET, "", Value::Null).await.body.contains("argon2"));
    let ann = cookie_of(&login_from(&edge, HOME, "ann", "long enough one").await);
    ask(Method::PATCH, "/ann", json!({"role": "viewer"})).await.ok();
    assert_eq!(me(&edge, &ann).await["role"], "viewer", "from the next request on");
    ask(Method::PATCH, "/ann", json!({"role": "admin"})).await.error(400, "bad-input");
    ask(Method::PATCH, "/ann", json!({"password": "quite another one"})).await.ok();
    assert_eq!(me(&edge, &ann).await["role"], Value::Null);
    ask(Method::PATCH, "/nosuch", json!({})).await.error(404, "not-found");
    ask(Method::PATCH, "/ada", json!({"role": "viewer"})).await.error(422, "refused");
    ask(Method::DELETE, "/ada", Value::Null).await.error(422, "refused");
    assert_eq!(ask(Method::DELETE, "/ann", Value::Null).await.status, StatusCode::NO_CONTENT);
    login_from(&edge, HOME, "ann", "quite another one").await.error(401, "unauthenticated");
    for kind in ["create-user", "change-user", "delete-user"] {
        assert!(audited(&edge, kind).await.iter().any(|(actor, _)| actor == "ada"), "{kind}");
    }
}

#[tokio::test]
async fn what_is_on_record_outlives_the_process_and_what_others_revoke_is_taken_over() {
    let edge = edge().await;
    let cookie = cookie_of(&login_from(&edge, HOME, "vic", PASSWORD).await);
    let bearer = token(&edge, "oz", Role::Operator, &["orders"]).await;
    drop(audited(&edge, "login").await);
    let rows = edge.services.store.load_accounts().await.expect("a backend");
    assert_eq!((rows.users.len(), rows.tokens.len()), (5, 1));
    assert!(rows.sessions.iter().any(|session| session.user == "vic"));
    let held = format!("{rows:?}") + &rows.sessions.iter().map(|s| s.id.clone()).collect::<String>();
    assert!(!held.contains(cookie.split('=').nth(1).unwrap()) && !held.contains(&bearer[7..]), "digests only");
    // Another process, on the same backend, forgets all of it and then removes the token.
    edge.services.consensus.accounts().adopt(orchestrator::store::AccountRows::default());
    assert_eq!(
        edge.send(Method::GET, "/api/v2/session", &[("authorization", &bearer)], "").await.status,
        StatusCode::UNAUTHORIZED
    );
    drop(audited(&edge, "failed-login").await);
    edge.services.consensus.adopt_accounts(&edge.services.store).await.expect("adopted");
    assert_eq!(me(&edge, &cookie).await["user"], "vic");
    assert_eq!(
        edge.send(Method::GET, "/api/v2/session", &[("authorization", &bearer)], "").await.ok()["role"],
        "operator"
    );
    edge.services.store.delete_token(&rows.tokens[0].id).await.expect("deleted");
    edge.services.consensus.adopt_accounts(&edge.services.store).await.expect("adopted");
    edge.send(Method::GET, "/api/v2/session", &[("authorization", &bearer)], "").await.error(401, "unauthenticated");
}

/// One runtime and one service for many requests.
fn ask_many(strategy: impl Strategy<Value = (Vec<(&'static str, String)>, String)>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let edge = runtime.block_on(edge());
    let before = edge.world();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&strategy, |(headers, path)| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let changes = runtime.block_on(edge.send(Method::GET, "/api/disable-global-recoveries", &headers, ""));
        prop_assert!(matches!(changes.status.as_u16(), 401), "{} {}", changes.status, changes.body);
        let reads = runtime.block_on(edge.send(Method::GET, &path, &headers, ""));
        prop_assert!(matches!(reads.status.as_u16(), 401 | 404), "{} {}", reads.status, reads.body);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(edge.world(), before);
}

#[test]
fn no_made_up_header_lets_anybody_in() {
    let value = "[\\x20-\\x7e]{0,60}";
    let schemes = prop_oneof![
        value.prop_map(|text| text),
        value.prop_map(|text| format!("Bearer {text}")),
        "[0-9A-Za-z]{0,60}".prop_map(|text| format!("Bearer orc_{text}")),
        value.prop_map(|text| format!("bearer orc_{text}")),
        "[A-Za-z0-9+/=]{0,60}".prop_map(|text| format!("Basic {text}")),
    ];
    let cookies = prop_oneof![
        value.prop_map(|text| text),
        value.prop_map(|text| format!("orchestrator-session={text}")),
        "[A-Za-z0-9_-]{22}".prop_map(|text| format!("orchestrator-session={text}; orchestrator-session={text}")),
        value.prop_map(|text| format!("access-token={text}")),
    ];
    let users = prop_oneof![value.prop_map(|text| text), Just("ada".to_owned())];
    let headers = (schemes, cookies, users).prop_map(|(scheme, cookie, user)| {
        let csrf = ("x-csrf-token", CSRF.to_owned());
        (
            vec![("authorization", scheme), ("cookie", cookie), ("x-forwarded-user", user), csrf],
            "/api/v2/clusters".to_owned(),
        )
    });
    ask_many(headers);
}

#[test]
fn no_made_up_credentials_log_anybody_in() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let edge = runtime.block_on(Edge::new(LOCAL));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    // Without a user nothing is ever right; the throttle answers most of it without hashing.
    let strategy = ("\\PC{0,40}", "\\PC{0,600}", "\\PC{0,40}");
    let result = runner.run(&strategy, |(user, password, junk)| {
        for (path, body) in [
            ("/api/v2/login", json!({"user": user, "password": password}).to_string()),
            ("/api/v2/login", junk.clone()),
            ("/api/v2/setup", json!({"code": junk, "user": user, "password": password}).to_string()),
        ] {
            let answer =
                runtime.block_on(edge.send(Method::POST, path, &[("content-type", "application/json")], &body));
            prop_assert!(matches!(answer.status.as_u16(), 400 | 401 | 403 | 429), "{} {}", answer.status, answer.body);
            prop_assert!(!answer.headers.contains_key("set-cookie"));
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(edge.services.consensus.accounts().has_no_users());
}
