//! Any input whatever: an answer, never a panic.

use orchestrator::config::{Config, Secrets};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z.*()|$^\\[+?{}~=:/#@]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A value that is likely to be taken by the variable, with extremes.
fn fitting_value(kind: &str) -> BoxedStrategy<Value> {
    match kind {
        "bool" => any::<bool>().prop_map(Value::from).boxed(),
        "int" => any::<i64>().prop_map(Value::from).boxed(),
        "uint" => any::<u64>().prop_map(Value::from).boxed(),
        "number" => any::<f64>().prop_map(Value::from).boxed(),
        "[string]" => prop::collection::vec("[ -~]{0,9}", 0..4).prop_map(Value::from).boxed(),
        "{string}" => ("[ -~]{0,9}", "[ -~]{0,9}").prop_map(|(key, value)| json!({ key: value })).boxed(),
        _ => any::<String>().prop_map(Value::from).boxed(),
    }
}

fn any_entry() -> impl Strategy<Value = (String, Value)> {
    let keys: Vec<(&str, &str)> = Config::keys()
        // Names a file to be read, and what is there is the machine's business.
        .filter(|key| !key.name.ends_with("CredentialsConfigFile"))
        .map(|key| (key.name, key.kind.name()))
        .collect();
    prop::sample::select(keys).prop_flat_map(|(name, kind)| {
        let value = prop_oneof![4 => fitting_value(kind), 1 => any_value()];
        (Just(name.to_owned()), value)
    })
}

/// Uses everything that computes something from the values.
fn exercise(config: &Config) {
    let _ = config.to_json_line(Secrets::Redact);
    let _ = config.summary();
    let _ = config.not_in_effect();
    let _ = config.check_service();
    let _ = config.general.default_port();
    let discovery = &config.discovery;
    let _ = discovery.poll_interval() * 10 + discovery.reasonable_check_time() + discovery.forget_unseen_after();
    assert!(discovery.dead_poll_interval(u32::MAX) >= discovery.poll_interval());
    let _ = discovery.ignore_hostname_filters.matches("db1", 3306);
    let _ = config.recovery.block_period() * 2 + config.detection.block_period() + config.resolve.cache_time();
    let _ = config.recovery.recover_primary_filters.matches("db1:3306", "orders");
    let _ = config.classification.data_center_pattern.capture("db1.ams.example");
    let _ = config.classification.cluster_name_to_alias.alias_of("db1:3306");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(config) = Config::from_json(&text) {
            exercise(&config);
        }
    }

    #[test]
    fn any_value_of_a_known_name_is_read_or_refused(entries in prop::collection::vec(any_entry(), 0..12)) {
        let object: Map<String, Value> = entries.into_iter().collect();
        if let Ok(config) = Config::from_json(&Value::Object(object).to_string()) {
            exercise(&config);
        }
    }

    #[test]
    fn any_other_object_is_accepted(object in prop::collection::hash_map("[a-z]{12,20}!", any_value(), 0..5)) {
        let object: Map<String, Value> = object.into_iter().collect();
        let config = Config::from_json(&Value::Object(object).to_string()).unwrap();
        prop_assert_eq!(config, Config::from_json("{}").unwrap());
    }

    #[test]
    fn reading_the_dump_gives_the_same_configuration(entries in prop::collection::vec(any_entry(), 0..6)) {
        let object: Map<String, Value> = entries.into_iter().collect();
        if let Ok(config) = Config::from_json(&Value::Object(object).to_string()) {
            // A password may ask for the environment, which is not asked twice.
            prop_assume!(!config.topology.password.reveal().contains("${"));
            // Nor does the reader promise the last digit of a long fraction.
            let factor = config.discovery.dead_instance_poll_factor;
            prop_assume!(factor.fract() == 0.0 && factor < 1e15);
            let again = Config::from_json(&config.to_json_line(Secrets::Reveal)).unwrap();
            prop_assert_eq!(again.to_map(Secrets::Reveal), config.to_map(Secrets::Reveal));
        }
    }
}
