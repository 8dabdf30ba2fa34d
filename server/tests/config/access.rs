//! Who may connect: the listener's address, authentication, and what the service refuses to start with.

use orchestrator::config::{AccessModel, Config, ListenReason};
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
#[case::read_only_for_all(r#"{"AuthenticationMethod": "token"}"#, ":3000", ListenReason::Authenticated)]
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
#[case("", AccessModel::Open)]
#[case("basic", AccessModel::Basic)]
#[case("BASIC", AccessModel::Basic)]
#[case("multi", AccessModel::Basic)]
#[case("proxy", AccessModel::ReadOnly)]
#[case("token", AccessModel::ReadOnly)]
#[case("oauth", AccessModel::ReadOnly)]
#[case("something", AccessModel::Open)]
fn methods_that_are_not_built_fall_to_a_stricter_model(#[case] method: &str, #[case] expected: AccessModel) {
    let config = Config::from_json(&format!(r#"{{"AuthenticationMethod": "{method}"}}"#)).unwrap();
    assert_eq!(config.auth.access_model(), expected);
}

#[test]
fn the_service_needs_a_user_for_multi_and_a_command_does_not() {
    let config = Config::from_json(r#"{"AuthenticationMethod": "multi"}"#).unwrap();
    let error = config.check_service().unwrap_err();
    assert_eq!(error.keys(), ["AuthenticationMethod", "HTTPAuthUser"]);
}

#[test]
fn a_group_that_cannot_be_formed_is_refused_by_the_service() {
    let config = Config::from_json(r#"{"RaftEnabled": true, "RaftDataDir": "/srv/orc"}"#).unwrap();
    assert_eq!(config.check_service().unwrap_err().keys(), ["RaftEnabled"]);
    assert!(Config::from_json("{}").unwrap().check_service().is_ok());
}
