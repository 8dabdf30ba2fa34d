//! Whether a failover may lose writes: for all clusters, and for some of them.

use engine::candidate::LossPolicy;
use serde_json::{Map, Value};

use super::filters::ClusterFilters;
use super::value::{Kind, Mismatch, Secrets, Setting, describe};

/// What is accepted, for messages.
const EXPECTED: &str = "\"never\", \"always\" or a number of seconds such as \"30\"";

/// `never`, `always`, or up to so many seconds of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcceptedLoss(LossPolicy);

impl AcceptedLoss {
    /// The policy for recoveries.
    #[must_use]
    pub fn policy(self) -> LossPolicy {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let policy = match text {
            "never" => LossPolicy::Never,
            "always" => LossPolicy::Always,
            seconds => LossPolicy::Within { seconds: seconds.parse().ok()? },
        };
        Some(Self(policy))
    }

    fn text(self) -> String {
        match self.0 {
            LossPolicy::Never => "never".to_owned(),
            LossPolicy::Always => "always".to_owned(),
            LossPolicy::Within { seconds } => seconds.to_string(),
        }
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        let mismatch = || Mismatch { given: describe(value), expected: EXPECTED.to_owned() };
        value.as_str().and_then(Self::parse).ok_or_else(mismatch)
    }
}

impl Setting for AcceptedLoss {
    const KIND: Kind = Kind::String;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        if !value.is_null() {
            *self = Self::read(value)?;
        }
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::from(self.text())
    }
}

/// By cluster filter, what is accepted there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AcceptedLossByCluster(Vec<(String, ClusterFilters, AcceptedLoss)>);

impl AcceptedLossByCluster {
    /// The strictest of the entries that match a cluster; `None` when none does.
    #[must_use]
    pub fn of(&self, name: &str, alias: &str) -> Option<AcceptedLoss> {
        let matching = self.0.iter().filter(|(_, filter, _)| filter.matches(name, alias)).map(|(_, _, loss)| *loss);
        matching.min_by_key(|loss| loss.policy())
    }
}

impl Setting for AcceptedLossByCluster {
    const KIND: Kind = Kind::Object;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        let entries = match value {
            Value::Null => &Map::new(),
            Value::Object(entries) => entries,
            other => return Err(Mismatch::new(Kind::Object, other)),
        };
        let read = |(filter, value): (&String, &Value)| {
            let loss = AcceptedLoss::read(value).map_err(|mismatch| Mismatch {
                given: format!("{} for {filter:?}", mismatch.given),
                expected: mismatch.expected,
            })?;
            Ok((filter.clone(), ClusterFilters::new([filter.as_str()]), loss))
        };
        self.0 = entries.iter().map(read).collect::<Result<_, Mismatch>>()?;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        self.0.iter().map(|(filter, _, loss)| (filter.clone(), Value::from(loss.text()))).collect()
    }

    fn complaints(&self) -> Vec<String> {
        self.0.iter().flat_map(|(_, filter, _)| filter.complaints()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_three_forms_are_read_and_others_refused() {
        let read = |value: Value| {
            let mut loss = AcceptedLoss::default();
            loss.assign(&value).map(|()| loss.policy())
        };
        assert_eq!(read(json!("never")), Ok(LossPolicy::Never));
        assert_eq!(read(json!("always")), Ok(LossPolicy::Always));
        assert_eq!(read(json!("30")), Ok(LossPolicy::Within { seconds: 30 }));
        for wrong in [json!("sometimes"), json!("-1"), json!(30), json!(true)] {
            let mismatch = read(wrong.clone()).unwrap_err();
            assert!(mismatch.expected.contains("never"), "{wrong}: {mismatch:?}");
        }
    }

    #[test]
    fn of_several_entries_that_match_the_strictest_counts() {
        let mut map = AcceptedLossByCluster::default();
        map.assign(&json!({"*": "always", "alias=orders": "30", "alias~=^ord": "60"})).unwrap();
        assert_eq!(map.of("db1:3306", "orders").unwrap().policy(), LossPolicy::Within { seconds: 30 });
        assert_eq!(map.of("db1:3306", "users").unwrap().policy(), LossPolicy::Always);
        assert_eq!(AcceptedLossByCluster::default().of("db1:3306", "orders"), None);
        let mismatch = map.assign(&json!({"alias=orders": "maybe"})).unwrap_err();
        assert!(mismatch.given.contains("alias=orders"), "{mismatch:?}");
    }
}
