//! Who may connect: the listener's address, authentication, and what the service refuses to start with.

use orchestrator::config::{AuthMethod, Config, ListenReason};
use rstest::rstest;

#[rstest]
#[case::nothing("{}", "127.0.0.1:3000", ListenReason::NoAuthentication)]
#[case::unknown_method(r#"{"AuthenticationMethod": "none"}"#, "127.0.0.1:3000", ListenReason::NoAuthentication)]
#[case::basic(
    r#"{"AuthenticationMethod": "Basic", "HTTPAuthUser": "a", "HTTPAuthPassword": "b"}"#,
    ":3000",
    ListenReason::Authenticated
)]
#[case::basic_without_credentials(
    r#"{"AuthenticationMethod": "basic"}"#,
    "127.0.0.1:3000",
    ListenReason::NoAuthentication
)]
#[case::a_user_without_a_password(
    r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "a"}"#,
    "127.0.0.1:3000",
    ListenReason::NoAuthentication
)]
#[case::proxy(r#"{"AuthenticationMethod": "proxy"}"#, ":3000", ListenReason::Authenticated)]
#[case::token(r#"{"AuthenticationMethod": "token"}"#, ":3000", ListenReason::Authenticated)]
#[case::local(r#"{"AuthenticationMethod": "local"}"#, ":3000", ListenReason::Authenticated)]
#[case::certificates_are_not_checked_yet(
    r#"{"UseSSL": true, "UseMutualTLS": true, "SSLValidOUs": ["ops"]}"#,
    "127.0.0.1:3000",
    ListenReason::NoAuthentication
)]
#[case::given(r#"{"ListenAddress": ":3000"}"#, ":3000", ListenReason::Given)]
#[case::given_other(r#"{"listenaddress": "10.0.0.1:80"}"#, "10.0.0.1:80", ListenReason::Given)]
fn listens_on_this_host_unless_somebody_decided_otherwise(
    #[case] text: &str,
    #[case] address: &str,
    #[case] reason: ListenReason,
) {
    let listen = Config::from_json(text).unwrap().effective_listen();
    assert_eq!((listen.address.as_str(), listen.reason), (address, reason));
}

#[rstest]
#[case("", AuthMethod::Open)]
#[case("basic", AuthMethod::Basic)]
#[case("BASIC", AuthMethod::Basic)]
#[case("multi", AuthMethod::Multi)]
#[case("Proxy", AuthMethod::Proxy)]
#[case("token", AuthMethod::Token)]
fn methods_are_known_in_any_case(#[case] method: &str, #[case] expected: AuthMethod) {
    let text = format!(r#"{{"AuthenticationMethod": "{method}", "HTTPAuthUser": "a", "HTTPAuthPassword": "b"}}"#);
    let config = Config::from_json(&text).unwrap();
    assert_eq!(config.auth.method(), Ok(expected));
    assert!(config.check_service().is_ok());
}

#[rstest]
#[case::unknown(r#"{"AuthenticationMethod": "basci"}"#, &["AuthenticationMethod"], "\"basci\" is not known; expected \"local\", \"basic\"")]
#[case::oauth(r#"{"AuthenticationMethod": "oauth"}"#, &["AuthenticationMethod"], "\"oauth\" is not built")]
#[case::multi_without_a_user(
    r#"{"AuthenticationMethod": "multi"}"#, &["AuthenticationMethod", "HTTPAuthUser"], "requires HTTPAuthUser")]
#[case::cut_hash(
    r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "a", "HTTPAuthPassword": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ"}"#,
    &["HTTPAuthPassword"], "HTTPAuthPassword begins with $argon2")]
#[case::costly_hash(
    r#"{"AuthenticationMethod": "multi", "HTTPAuthUser": "a",
        "HTTPAuthPassword": "$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG"}"#,
    &["HTTPAuthPassword"], "m=9999999")]
#[case::no_header(r#"{"AuthenticationMethod": "proxy", "AuthUserHeader": ""}"#, &["AuthUserHeader"], "no name of a header")]
#[case::odd_header(r#"{"AuthenticationMethod": "proxy", "AuthUserHeader": "Remote User"}"#, &["AuthUserHeader"], "\"Remote User\"")]
#[case::no_time_to_use(
    r#"{"AuthenticationMethod": "token", "AccessTokenUseExpirySeconds": 0}"#, &["AccessTokenUseExpirySeconds"], "is 0")]
#[case::no_session(r#"{"AuthenticationMethod": "local", "SessionIdleMinutes": 0}"#, &["SessionIdleMinutes"], "is 0")]
#[case::endless_session(
    r#"{"AuthenticationMethod": "local", "SessionLifeMinutes": 525601}"#, &["SessionLifeMinutes"], "expected 1 to 525600")]
#[case::no_time_to_live(r#"{"AuthenticationMethod": "token", "AccessTokenExpiryMinutes": 0}"#, &["AccessTokenExpiryMinutes"], "is 0")]
fn the_service_does_not_start_with_what_tells_nobody_apart_and_a_command_does(
    #[case] text: &str,
    #[case] keys: &[&str],
    #[case] words: &str,
) {
    let config = Config::from_json(text).unwrap();
    let error = config.check_service().unwrap_err();
    assert_eq!(error.keys(), keys);
    assert!(error.to_string().contains(words), "{error}");
    assert!(!error.to_string().contains("c29tZXNhbHQ"), "{error}");
}

#[test]
fn a_group_that_cannot_be_formed_is_refused_by_the_service() {
    let config = Config::from_json(r#"{"RaftEnabled": true, "RaftDataDir": "/srv/orc"}"#).unwrap();
    assert_eq!(config.check_service().unwrap_err().keys(), ["RaftEnabled"]);
    assert!(Config::from_json("{}").unwrap().check_service().is_ok());
}
