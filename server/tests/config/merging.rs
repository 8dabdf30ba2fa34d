//! Files, their order, and the JSON reading rules.

use orchestrator::config::{Config, ConfigError, Files, Secrets, Sources, load};
use rstest::rstest;
use serde_json::json;

use crate::{Folder, environment, only, read, refusal, warned};

#[test]
fn no_file_at_all_gives_the_defaults() {
    let folder = Folder::new();
    let files = Files::Search(vec![folder.path("a.json"), folder.path("b.json")]);
    let loaded = load(&Sources::new(files, environment(&[]))).unwrap();
    assert!(loaded.files.is_empty());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.discovery.instance_poll_seconds, 5);
}

#[test]
fn later_files_overwrite_only_what_they_contain() {
    let folder = Folder::new();
    let first = folder.write(
        "a.json",
        r#"{"Debug": true, "DefaultInstancePort": 3307, "DiscoverySeeds": ["a:1", "b:2"],
            "ClusterNameToAlias": {"^db1": "orders", "^db2": "users"}}"#,
    );
    let second = folder.write(
        "b.json",
        r#"{"DefaultInstancePort": 3308, "DiscoverySeeds": ["c:3"], "ClusterNameToAlias": {"^db2": "people"}}"#,
    );
    let files = Files::Search(vec![folder.path("absent.json"), first.clone(), second.clone()]);
    let loaded = load(&Sources::new(files, environment(&[]))).unwrap();
    assert_eq!(loaded.files, [first.display().to_string(), second.display().to_string()]);
    let config = loaded.config;
    assert!(config.general.debug);
    assert_eq!(config.general.default_port(), 3308);
    assert_eq!(config.discovery.seeds, ["c:3"]);
    assert_eq!(config.classification.cluster_name_to_alias.alias_of("db1"), Some("orders"));
    assert_eq!(config.classification.cluster_name_to_alias.alias_of("db2"), Some("people"));
}

#[test]
fn a_file_may_need_a_later_one_to_be_valid() {
    let folder = Folder::new();
    let first = folder.write("a.json", r#"{"RaftEnabled": true, "BackendDB": "sqlite"}"#);
    let second = folder.write("b.json", r#"{"RaftDataDir": "/srv/orc", "SQLite3DataFile": "/srv/orc/db"}"#);
    let files = Files::Search(vec![first, second]);
    assert!(load(&Sources::new(files, environment(&[]))).is_ok());
}

#[test]
fn the_standard_places_are_those_of_the_original() {
    let Files::Search(paths) = Files::standard() else { panic!("no search") };
    let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/etc/orchestrator.conf.json", "conf/orchestrator.conf.json", "orchestrator.conf.json"]);
}

#[test]
fn the_file_that_was_asked_for_must_be_there() {
    let folder = Folder::new();
    let path = folder.path("absent.json");
    let error = load(&only(path.clone())).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    let message = error.to_string();
    let start = format!("Cannot read config file: {}", path.display());
    assert!(message.starts_with(&start), "{message}");
}

#[test]
fn a_searched_file_that_cannot_be_read_is_left_out_with_a_warning() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("a.json")).unwrap();
    let files = Files::Search(vec![folder.path("a.json")]);
    let loaded = load(&Sources::new(files, environment(&[]))).unwrap();
    assert!(warned(&loaded, "a.json is left out"), "{:?}", loaded.warnings);
}

#[test]
fn an_invalid_file_in_the_search_is_fatal() {
    let folder = Folder::new();
    let path = folder.write("a.json", "{");
    let error = load(&Sources::new(Files::Search(vec![path]), environment(&[]))).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
}

#[test]
fn overrides_win_over_files() {
    let folder = Folder::new();
    let path = folder.write("a.json", r#"{"SkipOrchestratorDatabaseUpdate": true}"#);
    let sources = only(path).with_override("SkipOrchestratorDatabaseUpdate", false);
    assert!(!load(&sources).unwrap().config.backend.skip_orchestrator_database_update);
}

#[test]
fn names_match_in_any_case_and_the_last_wins() {
    let config = Config::from_json(r#"{"debug": true, "DEBUG": false, "Debug": true, "dEbUg": false}"#).unwrap();
    assert!(!config.general.debug);
}

#[test]
fn null_leaves_scalars_and_empties_lists() {
    let config = Config::from_json(
        r#"{"DefaultInstancePort": null, "ListenAddress": null, "PowerAuthUsers": null,
            "ClusterNameToAlias": {"a": "b"}, "clusternametoalias": null}"#,
    )
    .unwrap();
    assert_eq!(config.general.default_port(), 3306);
    assert!(!config.is_given("ListenAddress"));
    assert!(config.auth.power_auth_users.is_empty());
    assert_eq!(config.read("ClusterNameToAlias", Secrets::Redact), Some(json!({})));
}

#[test]
fn comments_are_silent_and_may_repeat() {
    let loaded = read(r##"{"#": "one", "#": "two", "//": "three"} and what follows"##).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn unknown_names_are_warnings_with_a_guess() {
    let loaded =
        read(r#"{"RecoverMasterClusterFilter": ["*"], "PostMasterFailoverHooks": [], "Debug": true}"#).unwrap();
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(warned(&loaded, "\"RecoverMasterClusterFilter\" in"));
    assert!(warned(&loaded, "did you mean RecoverMasterClusterFilters?"));
    assert!(warned(&loaded, "\"PostMasterFailoverHooks\" in"));
    assert!(loaded.config.general.debug);
}

#[rstest]
#[case::number_for_bool(r#"{"Debug": 1}"#, "Debug: expected true or false, got the number 1")]
#[case::text_for_bool(r#"{"ReadOnly": "true"}"#, "ReadOnly: expected true or false, got the string \"true\"")]
#[case::text_for_array(
    r#"{"RecoverMasterClusterFilters": "*"}"#,
    "RecoverMasterClusterFilters: expected an array of strings, got the string \"*\""
)]
#[case::number_in_array(r#"{"RaftNodes": ["a", 1]}"#, "RaftNodes: expected an array of strings, got the number 1 in")]
#[case::negative(
    r#"{"InstancePollSeconds": -5}"#,
    "InstancePollSeconds: expected a whole number, 0 or more, got the number -5"
)]
#[case::fraction(
    r#"{"InstancePollSeconds": 0.5}"#,
    "InstancePollSeconds: expected a whole number, 0 or more, got the number 0.5"
)]
#[case::fraction_for_int(r#"{"DefaultInstancePort": 1.5}"#, "DefaultInstancePort: expected a whole number, got")]
#[case::too_large(r#"{"DefaultInstancePort": 99999999999999999999}"#, "DefaultInstancePort: expected a whole number")]
#[case::array_for_object(
    r#"{"ClusterNameToAlias": []}"#,
    "ClusterNameToAlias: expected an object with string values, got the array []"
)]
#[case::number_in_object(r#"{"ClusterNameToAlias": {"a": 1}}"#, "got the number 1 for \"a\"")]
#[case::in_any_case(r#"{"debug": 1}"#, "Debug: expected true or false")]
#[case::secret(r#"{"MySQLTopologyPassword": 731945}"#, "MySQLTopologyPassword: expected a string, got the number")]
#[case::not_an_object("[]", "one JSON object")]
#[case::nothing("", "the file is empty")]
#[case::trailing_comma("{\"Debug\": true,}", "line 1")]
fn wrong_input_is_refused_with_name_value_and_type(#[case] text: &str, #[case] expected: &str) {
    let message = refusal(text);
    assert!(message.starts_with("Cannot read config file: "), "{message}");
    assert!(message.contains("orchestrator.conf.json"), "{message}");
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains("731945"), "{message}");
}

#[test]
fn an_error_tells_its_variables() {
    assert_eq!(read(r#"{"debug": 1}"#).unwrap_err().keys(), ["Debug"]);
    assert!(read("[").unwrap_err().keys().is_empty());
}
