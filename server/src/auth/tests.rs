use std::net::SocketAddr;
use std::sync::Arc;

use app::api::Role;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{TimeDelta, Utc};
use rstest::rstest;

use super::tokens::{NotHeld, Tokens};
use super::*;
use crate::config::{AuthConfig, Config};
use crate::store::Store;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"));
    }
    headers
}

fn peer(address: &str) -> Option<SocketAddr> {
    Some(address.parse().expect("an address"))
}

async fn caller(config: &str, pairs: &[(&'static str, &str)]) -> Result<Caller, Refusal> {
    let config = Config::from_json(config).expect("a valid configuration");
    let doorkeeper = Doorkeeper::new(Store::in_memory().await.expect("a store"), Arc::default());
    doorkeeper.identify(&config, Identity { headers: &headers(pairs), peer: peer("10.0.0.9:1") }, None).await
}

const BASIC: &str = r#"{"AuthenticationMethod": "Basic", "HTTPAuthUser": "dba", "HTTPAuthPassword": "gr:om"}"#;

#[tokio::test]
async fn without_a_method_everybody_may_do_everything() {
    let caller = caller("{}", &[]).await.expect("let in");
    assert_eq!((caller.role, caller.user.as_str()), (Role::Admin, ""));
    assert_eq!(caller.actor().name, "anonymous");
    assert_eq!(caller.actor().address, "10.0.0.9:1");
    assert!(caller.viewer().is_ok() && caller.operator().is_ok() && caller.admin().is_ok());
}

#[tokio::test]
async fn read_only_lets_everybody_look_and_nobody_act() {
    for config in [r#"{"ReadOnly": true}"#, &BASIC.replace('{', r#"{"ReadOnly": true, "#)] {
        let caller = caller(config, &[("authorization", "Basic ZGJhOmdyOm9t")]).await.expect("let in");
        assert_eq!(caller.role, Role::Viewer);
        assert!(caller.viewer().is_ok());
        let denied = caller.operator().expect_err("may not");
        assert!(denied.to_string().contains("ReadOnly"), "{denied}");
        assert!(caller.admin().is_err());
    }
}

#[rstest]
#[case::right("Basic ZGJhOmdyOm9t", true)] // dba:gr:om
#[case::scheme_in_any_case("bAsIc ZGJhOmdyOm9t", true)]
#[case::wrong_password("Basic ZGJhOmdyb20=", false)] // dba:grom
#[case::wrong_user("Basic eGJhOmdyOm9t", false)] // xba:gr:om
#[case::nothing_but_a_name("Basic ZGJh", false)] // dba
#[case::empty("Basic Og==", false)] // :
#[case::other_scheme("Bearer ZGJhOmdyOm9t", false)]
#[case::no_base64("Basic %%%", false)]
#[case::no_text("Basic /////w==", false)]
#[case::nothing("", false)]
#[tokio::test]
async fn basic_takes_the_one_pair(#[case] header: &str, #[case] let_in: bool) {
    let result = caller(BASIC, &[("authorization", header)]).await;
    assert_eq!(result.as_ref().map(|c| c.user.as_str()).ok(), let_in.then_some("dba"));
}

#[tokio::test]
async fn basic_without_a_header_is_nobody() {
    assert_eq!(caller(BASIC, &[]).await, Err(Refusal::Unauthenticated));
}

#[rstest]
#[case("oauth")]
#[case("basci")]
#[tokio::test]
async fn a_method_that_there_is_not_lets_nobody_in(#[case] method: &str) {
    let config = format!(r#"{{"AuthenticationMethod": "{method}"}}"#);
    assert_eq!(caller(&config, &[]).await, Err(Refusal::Unauthenticated));
}

#[tokio::test]
async fn readonly_of_multi_may_look_whatever_the_name_of_the_one_user() {
    let config = r#"{"AuthenticationMethod": "multi", "HTTPAuthUser": "readonly", "HTTPAuthPassword": "x"}"#;
    let caller = caller(config, &[("authorization", "Basic cmVhZG9ubHk6eA==")]).await.expect("let in"); // readonly:x
    assert_eq!(caller.role, Role::Viewer);
    assert!(caller.read_only_because.contains("HTTPAuthUser"), "{}", caller.read_only_because);
}

#[rstest]
#[case::direct("192.0.2.1:7", &[], "192.0.2.1:7")]
#[case::forged("192.0.2.1:7", &[("x-forwarded-for", "10.0.0.1")], "192.0.2.1:7")]
#[case::proxied("127.0.0.1:7", &[("x-forwarded-for", "192.0.2.7")], "192.0.2.7")]
#[case::invented_before("127.0.0.1:7", &[("x-forwarded-for", "10.0.0.1, 192.0.2.7")], "192.0.2.7")]
#[case::two_proxies("127.0.0.1:7", &[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "127.0.0.2")], "192.0.2.7")]
#[case::no_address("127.0.0.1:7", &[("x-forwarded-for", "192.0.2.7, unknown")], "127.0.0.1:7")]
#[case::silent("127.0.0.1:7", &[], "127.0.0.1:7")]
#[case::in_the_form_of_ipv6("[::ffff:127.0.0.1]:7", &[("x-forwarded-for", "192.0.2.7")], "192.0.2.7")]
#[case::proxy_in_the_form_of_ipv6("127.0.0.1:7", &[("x-forwarded-for", "192.0.2.7, ::ffff:127.0.0.1")], "192.0.2.7")]
#[case::with_port("127.0.0.1:7", &[("x-forwarded-for", "192.0.2.7:4711")], "192.0.2.7")]
#[case::ipv6("127.0.0.1:7", &[("x-forwarded-for", "2001:db8::7")], "2001:db8::7")]
#[case::ipv6_with_port("127.0.0.1:7", &[("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7")]
#[case::ipv6_in_brackets("127.0.0.1:7", &[("x-forwarded-for", "[2001:db8::7]")], "2001:db8::7")]
#[tokio::test]
async fn the_address_is_what_a_trusted_proxy_vouches_for(
    #[case] from: &str,
    #[case] pairs: &[(&'static str, &str)],
    #[case] expected: &str,
) {
    let doorkeeper = Doorkeeper::new(Store::in_memory().await.expect("a store"), Arc::default());
    let config = Config::from_json("{}").expect("a valid configuration");
    let identity = Identity { headers: &headers(pairs), peer: peer(from) };
    assert_eq!(doorkeeper.identify(&config, identity, None).await.expect("let in").address, expected);
}

#[tokio::test]
async fn tokens_end_and_outlive_the_backend_that_keeps_them() {
    let store = Store::in_memory().await.expect("a store");
    let (auth, start) = (AuthConfig::default(), Utc::now());
    let public = make_token(&store, "carol", start).await.expect("a token");
    assert!(acquire_token(&store, &auth, &public, start + TimeDelta::seconds(61)).await.is_err(), "too late");
    let token = acquire_token(&store, &auth, &public, start + TimeDelta::seconds(59)).await.expect("in time");
    assert!(acquire_token(&store, &auth, &public, start).await.is_err(), "once");

    let tokens = Tokens::new(store.clone());
    let held = headers(&[("cookie", &format!("access-token={public}:{}", token.secret_token))]);
    let at = |minutes| start + TimeDelta::minutes(minutes);
    assert_eq!(tokens.holder(&auth, &held, at(1)).await, Ok("carol".to_owned()));
    assert_eq!(tokens.holder(&auth, &held, at(1441)).await, Err(NotHeld::Bad), "a day later");
    assert_eq!(tokens.holder(&auth, &HeaderMap::new(), at(1)).await, Err(NotHeld::None));

    assert_eq!(tokens.holder(&auth, &held, at(10)).await, Ok("carol".to_owned()));
    store.close().await;
    assert_eq!(tokens.holder(&auth, &held, at(20)).await, Ok("carol".to_owned()), "as it was when last read");
    assert_eq!(tokens.holder(&auth, &held, at(1500)).await, Err(NotHeld::Bad), "but no longer than it lives");
    let other = headers(&[("cookie", "access-token=abc:def")]);
    assert_eq!(tokens.holder(&auth, &other, at(20)).await, Err(NotHeld::Unavailable));
}

#[rstest]
#[case::by_address("127.0.0.1:3000", true)]
#[case::by_address_of_ipv6("[::1]:3000", true)]
#[case::by_the_usual_name("localhost:3000", true)]
#[case::below_the_usual_name("orc.LOCALHOST", true)]
#[case::by_a_name_of_the_house("orc", true)]
#[case::by_a_name_that_is_listed("ORC.example.com:443", true)]
#[case::by_somebody_elses("evil.example:3000", false)]
#[case::with_a_dot_at_the_end("evil.example.:3000", false)]
#[case::that_looks_like_an_address("127.0.0.1.evil.example", false)]
#[case::that_looks_like_the_listed_one("orc.example.com.evil.example", false)]
fn a_browser_comes_by_a_name_of_ours(#[case] host: &str, #[case] ours: bool) {
    let served = ["orc.example.com".to_owned()];
    for browsing in
        [("sec-fetch-site", "same-origin"), ("origin", "http://evil.example:3000"), ("user-agent", "Mozilla/5.0")]
    {
        assert_eq!(refuse_foreign_name(&headers(&[("host", host), browsing]), &served).is_ok(), ours, "{browsing:?}");
    }
    assert!(refuse_foreign_name(&headers(&[("host", host), ("user-agent", "curl/8")]), &served).is_ok(), "a tool");
}

#[rstest]
#[case::a_tool(&[("host", "orc:3000")], true)]
#[case::a_tool_with_a_name(&[("host", "orc:3000"), ("user-agent", "curl/8.14.1")], true)]
#[case::our_page(&[("sec-fetch-site", "same-origin"), ("origin", "http://orc:3000"), ("user-agent", "Mozilla/5.0")], true)]
#[case::typed(&[("sec-fetch-site", "none"), ("user-agent", "Mozilla/5.0")], true)]
#[case::other_site(&[("sec-fetch-site", "cross-site")], false)]
#[case::other_host_of_the_site(&[("sec-fetch-site", "same-site")], false)]
#[case::other_site_that_names_us(&[("sec-fetch-site", "cross-site"), ("host", "orc:3000"), ("origin", "http://orc:3000")], false)]
#[case::old_browser(&[("host", "orc:3000"), ("origin", "http://orc:3000"), ("user-agent", "Mozilla/5.0")], true)]
#[case::old_browser_elsewhere(&[("host", "orc:3000"), ("origin", "http://evil.example")], false)]
#[case::other_port(&[("host", "orc:3000"), ("origin", "http://orc:3001")], false)]
#[case::sandboxed(&[("host", "orc:3000"), ("origin", "null")], false)]
#[case::image_of_an_old_browser(&[("host", "orc:3000"), ("referer", "https://evil.example/?http://orc:3000/")], false)]
#[case::image_without_a_referrer(&[("host", "orc:3000"), ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")], false)]
#[case::link_of_our_own(&[("host", "ORC:3000"), ("referer", "http://orc:3000/web/clusters?x")], true)]
#[case::no_host(&[("origin", "http://orc:3000")], false)]
fn pages_of_other_sites_change_nothing(#[case] pairs: &[(&'static str, &str)], #[case] allowed: bool) {
    assert_eq!(refuse_cross_site(&headers(pairs)).is_ok(), allowed);
}
