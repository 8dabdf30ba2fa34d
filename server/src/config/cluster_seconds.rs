//! Seconds by cluster: an object whose names are cluster filters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::filters::ClusterFilters;
use super::value::{Kind, Mismatch, Secrets, Setting, describe};

/// Seconds by cluster filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterSeconds {
    by_filter: BTreeMap<String, (ClusterFilters, u64)>,
}

impl ClusterSeconds {
    /// The seconds of a cluster: those of its exact name or alias, else the most of all filters that match it.
    #[must_use]
    pub fn of(&self, name: &str, alias: &str) -> Option<u64> {
        let exact = [name, alias].into_iter().find_map(|text| self.by_filter.get(text));
        let matching = self.by_filter.values().filter(|(filter, _)| filter.matches(name, alias));
        exact.map(|(_, seconds)| *seconds).or_else(|| matching.map(|(_, seconds)| *seconds).max())
    }
}

impl Setting for ClusterSeconds {
    const KIND: Kind = Kind::Counts;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        let object = match value {
            Value::Null => {
                *self = Self::default();
                return Ok(());
            }
            Value::Object(object) => object,
            other => return Err(Mismatch::new(Self::KIND, other)),
        };
        let entry = |(filter, seconds): (&String, &Value)| {
            let seconds = seconds.as_u64().ok_or_else(|| Mismatch {
                given: format!("{} for {filter:?}", describe(seconds)),
                expected: Self::KIND.to_string(),
            })?;
            Ok((filter.clone(), (ClusterFilters::new([filter]), seconds)))
        };
        self.by_filter = object.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::Object(self.by_filter.iter().map(|(text, (_, seconds))| (text.clone(), Value::from(*seconds))).collect())
    }

    fn complaints(&self) -> Vec<String> {
        self.by_filter.values().flat_map(|(filter, _)| filter.complaints()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exact_name_counts_before_the_longest_time_of_all_that_match() {
        let mut seconds = ClusterSeconds::default();
        assert_eq!(seconds.of("db1:3306", "orders"), None);
        seconds.assign(&json!({"orders": 0, "alias~=^batch": 300, "*": 5, "^db9": 60})).unwrap();
        assert_eq!(seconds.of("db1:3306", "orders"), Some(0));
        assert_eq!(seconds.of("db2:3306", "batch-eu"), Some(300));
        assert_eq!(seconds.of("db9:3306", "users"), Some(60));
        assert_eq!(seconds.of("db3:3306", "users"), Some(5));
        seconds.assign(&Value::Null).unwrap();
        assert_eq!(seconds, ClusterSeconds::default());
    }

    #[test]
    fn what_is_no_number_is_refused_and_changes_nothing() {
        let mut seconds = ClusterSeconds::default();
        seconds.assign(&json!({"orders": 7})).unwrap();
        let refused = seconds.assign(&json!({"orders": 8, "users": "9"})).unwrap_err();
        assert_eq!(refused.given, "the string \"9\" for \"users\"");
        assert_eq!(refused.expected, "an object with whole numbers, 0 or more");
        assert_eq!(seconds.of("", "orders"), Some(7));
        assert!(seconds.assign(&json!([1])).is_err());
    }

    #[test]
    fn an_invalid_filter_is_a_complaint() {
        let mut seconds = ClusterSeconds::default();
        seconds.assign(&json!({"alias~=(": 7})).unwrap();
        assert_eq!(seconds.complaints().len(), 1);
        assert_eq!(seconds.of("db1:3306", "orders"), None);
    }
}
