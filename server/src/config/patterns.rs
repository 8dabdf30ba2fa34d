//! Single regular expressions, and those that give a cluster its alias. As in `filters`, an invalid one never matches.

use regex::Regex;
use serde_json::Value;

use super::filters::compile;
use super::value::{Kind, Mismatch, Secrets, Setting};

/// One regular expression; empty means none.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    text: String,
    expression: Option<Regex>,
    complaint: Option<String>,
}

impl Pattern {
    /// Compiles the pattern.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            return Self::default();
        }
        match compile(&text) {
            Ok(expression) => Self { text, expression: Some(expression), complaint: None },
            Err(complaint) => Self { text, expression: None, complaint: Some(complaint) },
        }
    }

    /// The pattern as it stands in the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is a pattern and it matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.expression.as_ref().is_some_and(|expression| expression.is_match(text))
    }
}

/// One regular expression with a capture group that cuts a part out of a text; empty means none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CapturePattern(Pattern);

impl CapturePattern {
    /// Compiles the pattern.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Pattern::new(text))
    }

    /// The pattern as it stands in the file.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// The text of the first group; `None` when there is no pattern, no match or no group.
    #[must_use]
    pub fn capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.0.expression.as_ref()?.captures(text)?;
        captures.get(1).map(|group| group.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Setting for Pattern {
    const KIND: Kind = Kind::String;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        let mut text = self.text.clone();
        text.assign(value)?;
        *self = Self::new(text);
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        Value::from(self.text.as_str())
    }

    fn complaints(&self) -> Vec<String> {
        self.complaint.iter().cloned().collect()
    }
}

impl Setting for CapturePattern {
    const KIND: Kind = Kind::String;

    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        self.0.assign(value)
    }

    fn to_json(&self, secrets: Secrets) -> Value {
        self.0.to_json(secrets)
    }

    fn complaints(&self) -> Vec<String> {
        let mut found = self.0.complaints();
        if let Some(expression) = &self.0.expression
            && expression.captures_len() < 2
        {
            let text = self.text();
            found.push(format!("the regular expression {text:?} has no capture group and yields nothing"));
        }
        found
    }
}

#[derive(Debug, Clone)]
struct AliasPattern {
    pattern: String,
    expression: Option<Regex>,
    alias: String,
}

/// Regular expressions on the cluster name, each with the alias it gives, in the order of the patterns.
#[derive(Debug, Clone, Default)]
pub struct AliasPatterns {
    entries: Vec<AliasPattern>,
    complaints: Vec<String>,
}

impl AliasPatterns {
    /// The alias of the first pattern that matches the cluster name.
    #[must_use]
    pub fn alias_of(&self, cluster_name: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|entry| entry.expression.as_ref().is_some_and(|expression| expression.is_match(cluster_name)))
            .map(|entry| entry.alias.as_str())
    }

    /// Patterns that could be read, with their aliases, in the order of the patterns.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Regex, String)> {
        self.entries.iter().filter_map(|entry| Some((entry.expression.clone()?, entry.alias.clone()))).collect()
    }

    /// Adds an entry, or replaces the alias of one with the same pattern.
    pub fn insert(&mut self, pattern: &str, alias: &str) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.pattern == pattern) {
            alias.clone_into(&mut entry.alias);
            return;
        }
        let expression = match compile(pattern) {
            Ok(expression) => Some(expression),
            Err(complaint) => {
                self.complaints.push(complaint);
                None
            }
        };
        self.entries.push(AliasPattern { pattern: pattern.to_owned(), expression, alias: alias.to_owned() });
        // A JSON object has no order; with one of our own, equal files give equal answers.
        self.entries.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    }
}

impl PartialEq for AliasPatterns {
    fn eq(&self, other: &Self) -> bool {
        let pairs = |patterns: &Self| -> Vec<(String, String)> {
            let entries = patterns.entries.iter();
            entries.map(|e| (e.pattern.clone(), e.alias.clone())).collect()
        };
        pairs(self) == pairs(other)
    }
}

impl Setting for AliasPatterns {
    const KIND: Kind = Kind::Object;

    /// Merges key by key: the one variable whose value is not replaced as a whole.
    fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
        let object = match value {
            Value::Null => {
                *self = Self::default();
                return Ok(());
            }
            Value::Object(object) => object,
            other => return Err(Mismatch::new(Self::KIND, other)),
        };
        let mut merged = self.clone();
        for (pattern, alias) in object {
            let Some(alias) = alias.as_str() else {
                return Err(Mismatch {
                    given: format!("{} for {pattern:?}", super::value::describe(alias)),
                    expected: Self::KIND.to_string(),
                });
            };
            merged.insert(pattern, alias);
        }
        *self = merged;
        Ok(())
    }

    fn to_json(&self, _: Secrets) -> Value {
        let entries = self.entries.iter();
        Value::Object(entries.map(|e| (e.pattern.clone(), Value::from(e.alias.as_str()))).collect())
    }

    fn complaints(&self) -> Vec<String> {
        self.complaints.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_or_invalid_pattern_matches_nothing() {
        assert!(!Pattern::default().is_match("db1"));
        assert!(Pattern::default().complaints().is_empty());
        assert!(!Pattern::new("[").is_match("["));
        assert_eq!(Pattern::new("[").complaints().len(), 1);
        assert!(Pattern::new("^db").is_match("db1"));
    }

    #[test]
    fn captures_the_first_group() {
        let pattern = CapturePattern::new("[.]([^.]+)[.]example");
        assert_eq!(pattern.capture("db1.ams.example.com"), Some("ams"));
        assert_eq!(pattern.capture("db1"), None);
        assert_eq!(CapturePattern::default().capture("db1"), None);
        let groupless = CapturePattern::new("db");
        assert_eq!(groupless.capture("db1"), None);
        assert_eq!(groupless.complaints().len(), 1);
    }

    #[test]
    fn aliases_merge_key_by_key() {
        let mut aliases = AliasPatterns::default();
        aliases.assign(&json!({"^db1": "orders", "^db2": "users"})).unwrap();
        aliases.assign(&json!({"^db2": "people"})).unwrap();
        assert_eq!(aliases.alias_of("db1:3306"), Some("orders"));
        assert_eq!(aliases.alias_of("db2:3306"), Some("people"));
        assert_eq!(aliases.alias_of("db3:3306"), None);
        aliases.assign(&Value::Null).unwrap();
        assert_eq!(aliases, AliasPatterns::default());
    }

    #[test]
    fn a_refused_object_changes_nothing() {
        let mut aliases = AliasPatterns::default();
        aliases.insert("a", "b");
        let before = aliases.clone();
        assert!(aliases.assign(&json!({"c": "d", "e": 1})).is_err());
        assert_eq!(aliases, before);
    }
}
