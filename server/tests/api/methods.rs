//! Each method of authentication with each kind of caller: who gets in, who may change, over the whole table of routes.

use std::net::SocketAddr;

use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use rstest::rstest;
use serde_json::{Value, json};

use crate::rights::{example, is_about_accounts, is_unauthorized, paths, takes_right, v2_operations};
use crate::support::{Answer, BASIC, CREDENTIALS, Edge, OPEN};

/// The address of a proxy on this machine, and that of somebody else.
const PROXY: &str = "127.0.0.1:40000";
const STRANGER: &str = "192.0.2.66:40000";

/// `hunter42`, cheaply hashed.
const HASHED: &str = r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "dba",
    "HTTPAuthPassword": "$argon2id$v=19$m=64,t=1,p=1$ZXhhbXBsZS1zYWx0$@HASH@"}"#;
const MULTI: &str = r#"{"AuthenticationMethod": "Multi", "HTTPAuthUser": "dba", "HTTPAuthPassword": "secret"}"#;
const LISTED: &str =
    r#"{"AuthenticationMethod": "proxy", "AuthUserHeader": "x-REMOTE-user", "PowerAuthUsers": ["alice"]}"#;
const GROUPS: &str =
    r#"{"AuthenticationMethod": "proxy", "PowerAuthUsers": [], "PowerAuthGroups": ["nosuchgroup", "root"]}"#;
const EVERYBODY: &str = r#"{"AuthenticationMethod": "proxy"}"#;
const FARTHER: &str = r#"{"AuthenticationMethod": "proxy", "TrustedProxies": ["192.0.2.0/24"]}"#;
const TOKEN: &str = r#"{"AuthenticationMethod": "token"}"#;

const READER: (&str, &str) = ("authorization", "Basic cmVhZG9ubHk6YW55"); // readonly:any
const READER_WITHOUT: (&str, &str) = ("authorization", "Basic cmVhZG9ubHk6"); // readonly:
const WRONG: (&str, &str) = ("authorization", "Basic ZGJhOndyb25n"); // dba:wrong
const UNHASHED: (&str, &str) = ("authorization", "Basic ZGJhOmh1bnRlcjQy"); // dba:hunter42

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Nothing,
    Look,
    Change,
}

/// A caller: where from, and with which headers.
struct Caller {
    edge: Edge,
    peer: Option<SocketAddr>,
    headers: Vec<(String, String)>,
}

impl Caller {
    async fn new(config: &str, peer: &str, headers: &[(&str, &str)]) -> Self {
        let config = config.replace("@HASH@", &hash_of_hunter42());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let caller = Self {
            edge: Edge::new(&config).await,
            peer: (!peer.is_empty()).then(|| peer.parse().expect("an address")),
            headers: headers.iter().map(owned).collect(),
        };
        caller.make_tokens().await;
        caller
    }

    /// Tokens of carol, by their public halves: `good`, `old`, `unused`; the secret is `s` for each. `reentrant` has no end.
    async fn make_tokens(&self) {
        let store = &self.edge.services.store;
        let now = Utc::now();
        for (public, made) in
            [("good", now - TimeDelta::hours(23)), ("old", now - TimeDelta::hours(25)), ("unused", now)]
        {
            store.create_access_token(public, "s", "carol", made).await.expect("a token");
        }
        for public in ["good", "old"] {
            let acquired = store.acquire_access_token(public, now - TimeDelta::days(2), now).await.expect("a backend");
            assert!(acquired.is_some_and(|token| token.is_acquired), "{public}");
        }
    }

    async fn send(&self, method: Method, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = own.chain(more.iter().copied()).collect();
        self.edge.send_from(self.peer, method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    async fn session(&self) -> Value {
        self.get("/api/v2/session").await.ok()
    }
}

fn hash_of_hunter42() -> String {
    use argon2::{Algorithm, Argon2, Params, Version};
    use base64::Engine as _;
    let mut hash = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).expect("parameters"));
    argon2.hash_password_into(b"hunter42", b"example-salt", &mut hash).expect("a hash");
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(hash)
}

#[rstest]
#[case::open(OPEN, "", &[], May::Change, "")]
#[case::basic_nobody(BASIC, "", &[], May::Nothing, "")]
#[case::basic_wrong(BASIC, "", &[WRONG], May::Nothing, "")]
#[case::basic_right(BASIC, "", &[CREDENTIALS], May::Change, "dba")]
#[case::basic_knows_no_readers(BASIC, "", &[READER], May::Nothing, "")]
#[case::hashed_nobody(HASHED, "", &[], May::Nothing, "")]
#[case::hashed_wrong(HASHED, "", &[WRONG], May::Nothing, "")]
#[case::hashed_right(HASHED, "", &[UNHASHED], May::Change, "dba")]
#[case::multi_nobody(MULTI, "", &[], May::Nothing, "")]
#[case::multi_wrong(MULTI, "", &[WRONG], May::Nothing, "")]
#[case::multi_reader(MULTI, "", &[READER], May::Look, "readonly")]
#[case::multi_reader_without_password(MULTI, "", &[READER_WITHOUT], May::Look, "readonly")]
#[case::multi_right(MULTI, "", &[CREDENTIALS], May::Change, "dba")]
#[case::proxy_names_nobody(LISTED, PROXY, &[], May::Look, "")]
#[case::proxy_names_an_empty_user(LISTED, PROXY, &[("x-remote-user", "")], May::Look, "")]
#[case::proxy_names_a_power_user(LISTED, PROXY, &[("X-Remote-User", "alice")], May::Change, "alice")]
#[case::proxy_names_another(LISTED, PROXY, &[("x-remote-user", "bob")], May::Look, "bob")]
#[case::proxy_names_two(LISTED, PROXY, &[("x-remote-user", "alice"), ("x-remote-user", "bob")], May::Look, "")]
#[case::other_header(LISTED, PROXY, &[("x-forwarded-user", "alice")], May::Look, "")]
#[case::forged(LISTED, STRANGER, &[("x-remote-user", "alice")], May::Look, "")]
#[case::forged_by_chain(LISTED, STRANGER, &[("x-remote-user", "alice"), ("x-forwarded-for", "127.0.0.1")], May::Look, "")]
#[case::from_nowhere(LISTED, "", &[("x-remote-user", "alice")], May::Look, "")]
#[case::everybody_has_power(EVERYBODY, PROXY, &[("x-forwarded-user", "bob")], May::Change, "bob")]
#[case::everybody_is_somebody(EVERYBODY, PROXY, &[], May::Look, "")]
#[case::everybody_with_a_blank(EVERYBODY, PROXY, &[("x-forwarded-user", " ")], May::Look, "")]
#[case::everybody_forged(EVERYBODY, STRANGER, &[("x-forwarded-user", "bob")], May::Look, "")]
#[case::proxy_elsewhere(FARTHER, STRANGER, &[("x-forwarded-user", "bob")], May::Change, "bob")]
#[case::loopback_no_longer(FARTHER, PROXY, &[("x-forwarded-user", "bob")], May::Look, "")]
#[case::in_a_power_group(GROUPS, PROXY, &[("x-forwarded-user", "root")], May::Change, "root")]
#[case::in_no_power_group(GROUPS, PROXY, &[("x-forwarded-user", "daemon")], May::Look, "daemon")]
#[case::in_no_system(GROUPS, PROXY, &[("x-forwarded-user", "nosuchuser")], May::Look, "nosuchuser")]
#[case::token_none(TOKEN, "", &[], May::Look, "")]
#[case::token_good(TOKEN, "", &[("cookie", "theme=dark; access-token=good:s")], May::Change, "carol")]
#[case::token_wrong_secret(TOKEN, "", &[("cookie", "access-token=good:t")], May::Look, "")]
#[case::token_old(TOKEN, "", &[("cookie", "access-token=old:s")], May::Look, "")]
#[case::token_never_acquired(TOKEN, "", &[("cookie", "access-token=unused:s")], May::Look, "")]
#[case::token_unknown(TOKEN, "", &[("cookie", "access-token=nosuch:s")], May::Look, "")]
#[case::token_malformed(TOKEN, "", &[("cookie", "access-token=good")], May::Look, "")]
#[case::token_empty(TOKEN, "", &[("cookie", "access-token=:")], May::Look, "")]
#[case::token_of_another_method(BASIC, "", &[("cookie", "access-token=good:s")], May::Nothing, "")]
#[tokio::test]
async fn each_caller_may_do_what_the_method_says(
    #[case] config: &str,
    #[case] peer: &str,
    #[case] headers: &[(&str, &str)],
    #[case] may: May,
    #[case] user: &str,
) {
    let caller = Caller::new(config, peer, headers).await;
    let before = caller.edge.world();
    if may == May::Nothing {
        for address in ["/", "/web/clusters", "/web/access-token?publicToken=unused", "/api/v2/session"] {
            assert_eq!(caller.get(address).await.status, StatusCode::UNAUTHORIZED, "{address}");
        }
    } else {
        let method = serde_json::from_str::<Value>(&config.replace("@HASH@", "")).expect("JSON");
        let method = method["AuthenticationMethod"].as_str().unwrap_or_default().to_ascii_lowercase();
        let role = if may == May::Change { "admin" } else { "viewer" };
        let session = caller.session().await;
        assert_eq!(
            (&session["method"], &session["user"], &session["role"]),
            (&json!(method), &json!(user), &json!(role))
        );
        assert_eq!(session["read_only_because"] == "", may == May::Change, "{session}");
    }
    the_whole_table(&caller, may).await;
    the_whole_of_v2(&caller, may).await;
    if may != May::Change {
        assert_eq!(caller.edge.world(), before);
    }
}

async fn the_whole_table(caller: &Caller, may: May) {
    for (pattern, right, _) in paths() {
        let answer = caller.get(&example(pattern)).await;
        let changes = matches!(right, "operator" | "admin");
        match may {
            May::Nothing => {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{pattern}");
                assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"Authorization Required\"");
            }
            May::Look => assert_eq!(is_unauthorized(&answer), changes, "{pattern} ({right}): {}", answer.body),
            May::Change => assert!(!is_unauthorized(&answer), "{pattern} ({right}): {}", answer.body),
        }
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, may == May::Nothing, "{pattern}");
    }
}

async fn the_whole_of_v2(caller: &Caller, may: May) {
    for (method, address, body) in v2_operations() {
        if address.ends_with("/events") || is_about_accounts(&address) {
            continue;
        }
        let changes = takes_right(&method, &address);
        let answer = caller.send(method.clone(), &address, &[("content-type", "application/json")], body).await;
        match may {
            May::Nothing => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {address}"),
            May::Look if changes => {
                // Whoever is refused is told who is not.
                assert!(answer.error(403, "forbidden").contains("may"), "{}", answer.body);
            }
            May::Look | May::Change => {
                assert!(!matches!(answer.status.as_u16(), 401 | 403), "{method} {address}: {}", answer.body);
            }
        }
    }
}

#[rstest]
#[case::multi(MULTI, "", &[CREDENTIALS])]
#[case::hashed(HASHED, "", &[UNHASHED])]
#[case::proxy(EVERYBODY, PROXY, &[("x-forwarded-user", "alice")])]
#[case::token(TOKEN, "", &[("cookie", "access-token=good:s")])]
#[tokio::test]
async fn whatever_the_method_another_site_and_read_only_change_nothing(
    #[case] config: &str,
    #[case] peer: &str,
    #[case] headers: &[(&str, &str)],
) {
    let caller = Caller::new(config, peer, headers).await;
    let before = caller.edge.world();
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
        ("user-agent", "Mozilla/5.0"),
    ];
    for (pattern, right, _) in paths() {
        for header in elsewhere {
            let answer = caller.send(Method::GET, &example(pattern), &[header], "").await;
            let takes_right = matches!(right, "operator" | "admin");
            assert_eq!(is_unauthorized(&answer), takes_right, "{pattern} {header:?}: {}", answer.body);
        }
    }
    for (method, address, body) in v2_operations() {
        if method != Method::GET {
            let more = [("content-type", "application/json"), ("sec-fetch-site", "cross-site")];
            caller.send(method, &address, &more, body).await.error(403, "forbidden");
        }
    }
    assert_eq!(caller.edge.world(), before);

    let closed = Caller::new(&config.replacen('{', r#"{"ReadOnly": true, "#, 1), peer, headers).await;
    let before = closed.edge.world();
    the_whole_table(&closed, May::Look).await;
    assert_eq!(closed.edge.world(), before);
    let session = closed.session().await;
    assert_ne!(session["user"], "", "who it is stays known");
    assert!(session["read_only_because"].as_str().is_some_and(|why| why.contains("ReadOnly")), "{session}");
}

#[rstest]
#[case::basic(BASIC, "", &[CREDENTIALS], "dba")]
#[case::multi(MULTI, "", &[CREDENTIALS], "dba")]
#[case::proxy(EVERYBODY, PROXY, &[("x-forwarded-user", "alice")], "alice")]
#[case::token(TOKEN, "", &[("cookie", "access-token=good:s")], "carol")]
#[tokio::test]
async fn the_audit_names_the_caller(
    #[case] config: &str,
    #[case] peer: &str,
    #[case] headers: &[(&str, &str)],
    #[case] user: &str,
) {
    let caller = Caller::new(config, peer, headers).await;
    let json = ("content-type", "application/json");
    for (method, path, body) in [
        (Method::GET, "/api/begin-downtime/db3.example/3306/dba/why/1h", ""),
        (Method::PUT, "/api/v2/servers/db4.example:3306/promotion-rule", r#"{"rule":"prefer"}"#),
        (Method::GET, "/api/stop-replica/db5.example/3306", ""),
    ] {
        let answer = caller.send(method, path, &[json], body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
    }
    let mut rows = Vec::new();
    for _ in 0..50 {
        rows = caller.get("/api/v2/audit").await.ok().as_array().expect("rows").clone();
        if rows.len() >= 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let by: Vec<&Value> = rows.iter().filter(|row| row["actor"] != "orchestrator").map(|row| &row["actor"]).collect();
    assert!(by.len() >= 3 && by.iter().all(|actor| **actor == *user), "{rows:?}");
}

#[tokio::test]
async fn a_token_is_exchanged_once_and_in_time_for_a_cookie_that_scripts_cannot_read() {
    let caller = Caller::new(&TOKEN.replacen('{', r#"{"URLPrefix": "/orc", "#, 1), PROXY, &[]).await;
    let store = &caller.edge.services.store;
    let (fresh, late) = ("f".repeat(64), "1".repeat(64));
    store.create_access_token(&fresh, "s3cret", "carol", Utc::now()).await.expect("a token");
    store.create_access_token(&late, "s3cret", "carol", Utc::now() - TimeDelta::seconds(62)).await.expect("a token");
    let address = |public: &str| format!("/orc/web/access-token?publicToken={public}");

    for method in [Method::HEAD, Method::POST, Method::OPTIONS] {
        let answer = caller.send(method, &address(&fresh), &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    for header in [("sec-fetch-site", "cross-site"), ("referer", "https://evil.example/")] {
        let answer = caller.send(Method::GET, &address(&fresh), &[header], "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.message("ERROR").contains("another site"), "{}", answer.body);
    }
    // Typed into a browser that speaks no TLS.
    let answer = caller.send(Method::GET, &address(&fresh), &[("user-agent", "Mozilla/5.0")], "").await;
    assert_eq!((answer.status, &answer.headers["location"]), (StatusCode::FOUND, &"/orc/".parse().unwrap()));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    assert_eq!(cookie, format!("access-token={fresh}:s3cret; Path=/; HttpOnly; SameSite=Strict"));

    for (public, status) in [(fresh.as_str(), 403), (&late, 403), ("nosuch", 403), ("a:b", 403), ("", 400)] {
        let answer = caller.get(&address(public)).await;
        assert_eq!(answer.status.as_u16(), status, "{public}");
        assert!(!answer.headers.contains_key("set-cookie"));
        answer.message("ERROR");
    }
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let answer = caller.send(Method::GET, "/orc/api/v2/session", &[("cookie", &cookie)], "").await.ok();
    assert_eq!((&answer["user"], &answer["role"]), (&json!("carol"), &json!("admin")));
    let rows = caller.get("/orc/api/v2/audit").await.ok();
    let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["kind"] == "access-token")).cloned();
    let row = row.unwrap_or_else(|| panic!("no row in {rows}"));
    assert_eq!(row["actor"], "carol");
    assert!(!rows.to_string().contains("s3cret"));
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_goes_over_tls_only() {
    for (peer, secure) in [(PROXY, true), (STRANGER, false)] {
        let caller = Caller::new(TOKEN, peer, &[("x-forwarded-proto", "https")]).await;
        let answer = caller.get("/web/access-token?publicToken=unused").await;
        let cookie = answer.headers["set-cookie"].to_str().expect("text");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
}

#[tokio::test]
async fn other_methods_hand_out_no_tokens() {
    for (config, headers) in [(OPEN, &[][..]), (BASIC, &[CREDENTIALS])] {
        let caller = Caller::new(config, "", headers).await;
        let answer = caller.get("/web/access-token?publicToken=unused").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.message("ERROR").contains("AuthenticationMethod"), "{}", answer.body);
        let token = caller.edge.services.store.access_token("unused").await.expect("a backend");
        assert!(token.is_some_and(|token| !token.is_acquired));
    }
}
