//! The filter languages of section 6 of the configuration document.
//!
//! Regular expressions are unanchored and case-sensitive, compiled once when the file is read. An invalid one never
//! matches; it is a complaint of its variable, which becomes a warning.

use std::net::IpAddr;

use regex::Regex;
use serde_json::Value;

use super::value::{Kind, Mismatch, Secrets, Setting, strings};

/// Compiles, or says why not.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        // The first line of the crate's message is a heading; the last one names the cause.
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or_default().trim();
        let cause = cause.strip_prefix("error: ").unwrap_or(cause);
        format!("the regular expression {pattern:?} is invalid and matches nothing: {cause}")
    })
}

/// A list of filters together with the texts it was made from.
macro_rules! filter_list {
    ($(#[$outer:meta])* $name:ident, $element:ty, $compile:path) => {
        $(#[$outer])*
        #[derive(Debug, Clone)]
        pub struct $name {
            // `None` stands for `null`, which the compatible dump tells from an empty array.
            texts: Option<Vec<String>>,
            elements: Vec<$element>,
            complaints: Vec<String>,
        }

        impl $name {
            /// No filters, dumped as `null`.
            #[must_use]
            pub fn null() -> Self {
                Self { texts: None, elements: Vec::new(), complaints: Vec::new() }
            }

            /// Compiles the filters.
            #[must_use]
            pub fn new<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
                let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
                let mut elements = Vec::new();
                let mut complaints = Vec::new();
                for text in &texts {
                    let (element, complaint) = $compile(text);
                    elements.extend(element);
                    complaints.extend(complaint);
                }
                Self { texts: Some(texts), elements, complaints }
            }

            /// The filters as they stand in the file.
            #[must_use]
            pub fn texts(&self) -> &[String] {
                self.texts.as_deref().unwrap_or_default()
            }

            /// Whether there are no filters at all.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.texts().is_empty()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { texts: Some(Vec::new()), ..Self::null() }
            }
        }

        // The compiled form follows from the texts.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.texts() == other.texts()
            }
        }

        impl Setting for $name {
            const KIND: Kind = Kind::Strings;

            fn assign(&mut self, value: &Value) -> Result<(), Mismatch> {
                *self = strings(value)?.map_or_else(Self::null, Self::new);
                Ok(())
            }

            fn to_json(&self, _: Secrets) -> Value {
                Value::from(self.texts.clone())
            }

            fn complaints(&self) -> Vec<String> {
                self.complaints.clone()
            }
        }
    };
}

#[derive(Debug, Clone)]
enum InstanceFilter {
    Address(String),
    Expression(Regex),
}

fn instance_filter(text: &str) -> (Option<InstanceFilter>, Option<String>) {
    if text.parse::<IpAddr>().is_ok() {
        return (Some(InstanceFilter::Address(text.to_owned())), None);
    }
    match compile(text) {
        Ok(expression) => {
            let complaint = text.is_empty().then(|| "an empty filter matches every server".to_owned());
            (Some(InstanceFilter::Expression(expression)), complaint)
        }
        Err(complaint) => (None, Some(complaint)),
    }
}

filter_list! {
    /// Filters on servers: an IP address must equal the host, anything else is a regular expression on `host:port`.
    InstanceFilters, InstanceFilter, instance_filter
}

impl InstanceFilters {
    /// Whether any filter matches the server.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        if self.elements.is_empty() {
            return false;
        }
        let address = format!("{host}:{port}");
        self.elements.iter().any(|filter| match filter {
            InstanceFilter::Address(ip) => ip == host,
            InstanceFilter::Expression(expression) => expression.is_match(&address),
        })
    }
}

fn text_filter(text: &str) -> (Option<Regex>, Option<String>) {
    match compile(text) {
        Ok(expression) => {
            let complaint = text.is_empty().then(|| "an empty filter matches everything".to_owned());
            (Some(expression), complaint)
        }
        Err(complaint) => (None, Some(complaint)),
    }
}

filter_list! {
    /// Regular expressions on one text: a host name without port, or a replication user.
    TextFilters, Regex, text_filter
}

impl TextFilters {
    /// The expressions that could be read.
    #[must_use]
    pub fn expressions(&self) -> &[Regex] {
        &self.elements
    }

    /// Whether any filter matches the text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.elements.iter().any(|filter| filter.is_match(text))
    }
}

#[derive(Debug, Clone)]
struct ClusterFilter {
    text: String,
    rule: ClusterRule,
}

#[derive(Debug, Clone)]
enum ClusterRule {
    All,
    Alias(String),
    AliasExpression(Option<Regex>),
    NameExpression(Option<Regex>),
}

fn cluster_filter(text: &str) -> (Option<ClusterFilter>, Option<String>) {
    if text.is_empty() {
        return (None, Some("an empty filter matches no cluster; \"*\" matches every one".to_owned()));
    }
    let mut complaint = None;
    let mut expression = |pattern: &str| match compile(pattern) {
        Ok(expression) => Some(expression),
        Err(reason) => {
            complaint = Some(reason);
            None
        }
    };
    let rule = if text == "*" {
        ClusterRule::All
    } else if let Some(pattern) = text.strip_prefix("alias~=") {
        ClusterRule::AliasExpression(expression(pattern))
    } else if let Some(alias) = text.strip_prefix("alias=") {
        ClusterRule::Alias(alias.to_owned())
    } else {
        ClusterRule::NameExpression(expression(text))
    };
    if text == "alias~=" {
        complaint = Some("\"alias~=\" without an expression matches every cluster".to_owned());
    }
    let text = text.to_owned();
    (Some(ClusterFilter { text, rule }), complaint)
}

filter_list! {
    /// Filters on clusters. Each element is the exact name, the exact alias, `alias=TEXT`, `alias~=REGEX`, `*`, or a
    /// regular expression on the name.
    ClusterFilters, ClusterFilter, cluster_filter
}

impl ClusterFilters {
    /// Whether any filter matches the cluster.
    #[must_use]
    pub fn matches(&self, name: &str, alias: &str) -> bool {
        self.elements.iter().any(|filter| {
            filter.text == name
                || filter.text == alias
                || match &filter.rule {
                    ClusterRule::All => true,
                    ClusterRule::Alias(text) => text == alias,
                    ClusterRule::AliasExpression(expression) => expression.as_ref().is_some_and(|e| e.is_match(alias)),
                    ClusterRule::NameExpression(expression) => expression.as_ref().is_some_and(|e| e.is_match(name)),
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::address_equal("10.0.0.1", "10.0.0.1", true)]
    #[case::address_is_no_prefix("10.0.0.1", "10.0.0.11", false)]
    #[case::address_v6("::1", "::1", true)]
    #[case::expression_on_host("db[0-9]+", "db12", true)]
    #[case::expression_with_port("db1:3306", "db1", true)]
    #[case::expression_with_other_port("db1:3307", "db1", false)]
    #[case::unanchored("b1", "db1", true)]
    #[case::case_counts("DB1", "db1", false)]
    #[case::invalid_matches_nothing("db(", "db(", false)]
    #[case::empty_matches_all("", "db1", true)]
    fn instance_filters(#[case] filter: &str, #[case] host: &str, #[case] expected: bool) {
        assert_eq!(InstanceFilters::new([filter]).matches(host, 3306), expected);
    }

    #[rstest]
    #[case::star("*", true)]
    #[case::exact_name("db1.example:3306", true)]
    #[case::exact_alias("orders", true)]
    #[case::alias("alias=orders", true)]
    #[case::alias_is_exact("alias=order", false)]
    #[case::alias_expression("alias~=^ord", true)]
    #[case::alias_expression_not("alias~=^users", false)]
    #[case::name_expression("^db[0-9]", true)]
    #[case::expression_is_not_on_alias("^ord", false)]
    #[case::empty("", false)]
    #[case::invalid("db(", false)]
    #[case::invalid_alias("alias~=(", false)]
    fn cluster_filters(#[case] filter: &str, #[case] expected: bool) {
        let filters = ClusterFilters::new([filter]);
        assert_eq!(filters.matches("db1.example:3306", "orders"), expected);
    }

    #[test]
    fn any_element_suffices_and_none_means_none() {
        assert!(ClusterFilters::new(["nothing", "alias=orders"]).matches("x:1", "orders"));
        assert!(!ClusterFilters::default().matches("x:1", "orders"));
        assert!(!InstanceFilters::default().matches("x", 1));
    }

    #[test]
    fn an_invalid_name_expression_still_matches_as_an_exact_name() {
        assert!(ClusterFilters::new(["a("]).matches("a(", "b"));
    }

    #[test]
    fn text_filters_see_the_text_only() {
        let filters = TextFilters::new(["^repl_ext"]);
        assert!(filters.matches("repl_external"));
        assert!(!filters.matches("repl"));
    }

    #[test]
    fn invalid_expressions_are_complaints() {
        let complaints = InstanceFilters::new(["ok", "db("]).complaints();
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].contains("\"db(\""), "{complaints:?}");
        assert!(complaints[0].contains("unclosed group"), "{complaints:?}");
        assert_eq!(ClusterFilters::new(["alias~=["]).complaints().len(), 1);
    }

    #[test]
    fn null_and_empty_are_told_apart_in_the_dump() {
        let mut filters = InstanceFilters::new(["a"]);
        filters.assign(&Value::Null).unwrap();
        assert_eq!(filters.to_json(Secrets::Redact), Value::Null);
        filters.assign(&json!([])).unwrap();
        assert_eq!(filters.to_json(Secrets::Redact), json!([]));
    }
}
