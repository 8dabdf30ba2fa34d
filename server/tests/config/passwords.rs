//! Credentials files and the environment.

use orchestrator::config::{Files, Sources, load};
use serde_json::json;

use crate::{Folder, environment, only, read, warned};

#[test]
fn a_credentials_file_replaces_user_and_password() {
    let folder = Folder::new();
    let credentials = folder.write("backend.cnf", "[client]\nuser=orc_user\npassword=\"pa#ss\"\n");
    let text = json!({
        "MySQLOrchestratorUser": "from_json",
        "MySQLOrchestratorPassword": "from_json",
        "MySQLOrchestratorCredentialsConfigFile": credentials,
        "MySQLTopologyUser": "probe",
    });
    let path = folder.write("a.json", &text.to_string());
    let config = load(&only(path)).unwrap().config;
    assert_eq!(config.backend.user, "orc_user");
    assert_eq!(config.backend.password.reveal(), "pa#ss");
    assert_eq!(config.topology.user, "probe");
}

#[test]
fn what_a_credentials_file_lacks_is_empty() {
    let folder = Folder::new();
    let credentials = folder.write("topology.cnf", "[client]\nuser=probe\n");
    let text = json!({
        "MySQLTopologyPassword": "from_json",
        "MySQLTopologyCredentialsConfigFile": credentials,
    });
    let path = folder.write("a.json", &text.to_string());
    let config = load(&only(path)).unwrap().config;
    assert_eq!(config.topology.user, "probe");
    assert!(config.topology.password.is_empty());
}

#[test]
fn a_bad_credentials_file_is_fatal_and_named() {
    let folder = Folder::new();
    let credentials = folder.write("my.cnf", "[client]\nhost=db\npassword=grom1t\n");
    let text = json!({ "MySQLTopologyCredentialsConfigFile": credentials });
    let path = folder.write("a.json", &text.to_string());
    let error = load(&only(path)).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("Failed to parse gcfg data from file"), "{message}");
    assert!(message.contains("my.cnf"), "{message}");
    assert!(message.contains("\"host\""), "{message}");
    assert!(!message.contains("grom1t"), "{message}");
    assert_eq!(error.keys(), ["MySQLTopologyCredentialsConfigFile"]);

    let text = json!({ "MySQLTopologyCredentialsConfigFile": folder.path("absent.cnf") });
    let path = folder.write("a.json", &text.to_string());
    let message = load(&only(path)).unwrap_err().to_string();
    assert!(message.starts_with("Failed to parse gcfg data from file"), "{message}");
}

#[test]
fn the_two_passwords_come_from_the_environment_and_nothing_else_does() {
    let folder = Folder::new();
    let path = folder.write(
        "a.json",
        r#"{"MySQLTopologyPassword": "pre${PROBE}post", "MySQLOrchestratorPassword": "${BACKEND}",
            "MySQLTopologyUser": "${PROBE}", "HTTPAuthPassword": "${PROBE}"}"#,
    );
    let variables = environment(&[("PROBE", "grom1t"), ("BACKEND", "${PROBE}")]);
    let loaded = load(&Sources::new(Files::Only(path), variables)).unwrap();
    let config = &loaded.config;
    assert_eq!(config.topology.password.reveal(), "grom1t");
    // Once is enough: the value of a variable is taken literally.
    assert_eq!(config.backend.password.reveal(), "${PROBE}");
    assert_eq!(config.topology.user, "${PROBE}");
    assert_eq!(config.auth.password.reveal(), "${PROBE}");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn the_environment_is_asked_after_the_credentials_file() {
    let folder = Folder::new();
    let credentials = folder.write("topology.cnf", "[client]\nuser=probe\npassword=${PROBE}\n");
    let text = json!({ "MySQLTopologyCredentialsConfigFile": credentials });
    let path = folder.write("a.json", &text.to_string());
    let loaded = load(&Sources::new(Files::Only(path), environment(&[("PROBE", "grom1t")]))).unwrap();
    assert_eq!(loaded.config.topology.password.reveal(), "grom1t");
}

#[test]
fn an_unset_variable_is_an_empty_password_and_a_warning() {
    let loaded = read(r#"{"MySQLTopologyPassword": "${PROBE}"}"#).unwrap();
    assert!(loaded.config.topology.password.is_empty());
    assert!(warned(&loaded, "MySQLTopologyPassword: the environment has no variable \"PROBE\""));
}

#[test]
fn consul_takes_its_token_from_the_environment_with_transactions_only() {
    let folder = Folder::new();
    let token = folder.write("token", "from-file\n");
    let read = |text: &str, variables: &[(&str, &str)]| {
        let path = folder.write("consul.conf.json", text);
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let find = move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let loaded = load(&Sources::new(Files::Only(path), std::sync::Arc::new(find))).unwrap();
        loaded.config.kv.consul_acl_token.reveal().to_owned()
    };
    let transactions = r#"{"ConsulKVStoreProvider": "consul-txn"}"#;
    assert_eq!(read(transactions, &[("CONSUL_HTTP_TOKEN", "t0ken")]), "t0ken");
    assert_eq!(read("{}", &[("CONSUL_HTTP_TOKEN", "t0ken")]), "");
    let own = r#"{"ConsulKVStoreProvider": "consul-txn", "ConsulAclToken": "own"}"#;
    assert_eq!(read(own, &[("CONSUL_HTTP_TOKEN", "t0ken")]), "own");
    let file = token.display().to_string();
    assert_eq!(read(transactions, &[("CONSUL_HTTP_TOKEN_FILE", &file)]), "from-file");
}
