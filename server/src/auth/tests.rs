use app::api::Role;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rstest::rstest;

use super::*;
use crate::config::Config;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header")))
        .collect()
}

fn caller(config: &str, pairs: &[(&'static str, &str)]) -> Result<Caller, Unauthenticated> {
    let config = Config::from_json(config).expect("a valid configuration");
    identify_caller(&config, Identity { headers: &headers(pairs), address: "10.0.0.9:1" })
}

const BASIC: &str = r#"{"AuthenticationMethod": "Basic", "HTTPAuthUser": "dba", "HTTPAuthPassword": "gr:om"}"#;

#[test]
fn without_a_method_everybody_may_do_everything() {
    let caller = caller("{}", &[]).expect("let in");
    assert_eq!((caller.role, caller.user.as_str()), (Role::Admin, ""));
    assert_eq!(caller.actor().name, "anonymous");
    assert_eq!(caller.actor().address, "10.0.0.9:1");
    assert!(caller.viewer().is_ok() && caller.operator().is_ok() && caller.admin().is_ok());
}

#[test]
fn read_only_lets_everybody_look_and_nobody_act() {
    for config in [r#"{"ReadOnly": true}"#, &BASIC.replace('{', r#"{"ReadOnly": true, "#)] {
        let caller = caller(config, &[("authorization", "Basic ZGJhOmdyOm9t")]).expect("let in");
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
fn basic_takes_the_one_pair(#[case] header: &str, #[case] let_in: bool) {
    let result = caller(BASIC, &[("authorization", header)]);
    assert_eq!(result.as_ref().map(|c| c.user.as_str()).ok(), let_in.then_some("dba"));
}

#[test]
fn basic_without_a_header_is_nobody() {
    assert_eq!(caller(BASIC, &[]), Err(Unauthenticated));
}

#[rstest]
#[case("", true)]
#[case("basic", true)]
#[case("BASIC", true)]
#[case("multi", false)]
#[case("proxy", false)]
#[case("token", false)]
#[case("oauth", false)]
fn methods_that_are_not_built_are_refused_by_name(#[case] method: &str, #[case] built: bool) {
    let auth = AuthConfig { authentication_method: method.to_owned(), ..AuthConfig::default() };
    match check_method(&auth) {
        Ok(()) => assert!(built),
        Err(error) => {
            assert!(!built);
            assert!(error.to_string().contains(method), "{error}");
        }
    }
}

#[rstest]
#[case::a_tool(&[("host", "orc:3000")], true)]
#[case::our_page(&[("sec-fetch-site", "same-origin"), ("origin", "http://orc:3000")], true)]
#[case::typed(&[("sec-fetch-site", "none")], true)]
#[case::other_site(&[("sec-fetch-site", "cross-site")], false)]
#[case::other_host_of_the_site(&[("sec-fetch-site", "same-site")], false)]
#[case::other_site_that_names_us(&[("sec-fetch-site", "cross-site"), ("host", "orc:3000"), ("origin", "http://orc:3000")], false)]
#[case::old_browser(&[("host", "orc:3000"), ("origin", "http://orc:3000")], true)]
#[case::old_browser_elsewhere(&[("host", "orc:3000"), ("origin", "http://evil.example")], false)]
#[case::other_port(&[("host", "orc:3000"), ("origin", "http://orc:3001")], false)]
#[case::sandboxed(&[("host", "orc:3000"), ("origin", "null")], false)]
#[case::image_of_an_old_browser(&[("host", "orc:3000"), ("referer", "https://evil.example/?http://orc:3000/")], false)]
#[case::link_of_our_own(&[("host", "ORC:3000"), ("referer", "http://orc:3000/web/clusters?x")], true)]
#[case::no_host(&[("origin", "http://orc:3000")], false)]
fn pages_of_other_sites_change_nothing(#[case] pairs: &[(&'static str, &str)], #[case] allowed: bool) {
    assert_eq!(refuse_cross_site(&headers(pairs)).is_ok(), allowed);
}
