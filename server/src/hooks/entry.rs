//! One item of a list, read.

use std::time::Duration;

use app::recovery::HookList;
use engine::recovery::FencingPolicy;

use crate::config::Config;
use crate::config::hook_list::HookItem;

/// An address is given up after this long, unless its item says otherwise: it has nothing to do but to take a message.
const ADDRESS_LIMIT: Duration = Duration::from_secs(10);

/// The pause before a further attempt grows from the first of these, doubling, to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

/// A hook, and how it is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Text of the script, or the address.
    pub text: String,
    /// It is called; else it is a script.
    pub is_address: bool,
    /// Nobody waits for it.
    pub asynchronous: bool,
    /// Attempts in all, one or more.
    pub attempts: u32,
    /// Its failure forbids nothing and is no error of the recovery; it is recorded.
    pub optional: bool,
    /// One attempt may take this long; `None` = no limit.
    pub limit: Option<Duration>,
    /// Key of the signature; empty = none.
    pub secret: String,
}

impl Entry {
    /// Trims, and takes a trailing `&` for "asynchronous" (`spec/config.md` 8.1). A trailing `&&` is cut just so: what
    /// would follow it is not there.
    pub fn of(item: &HookItem, list: HookList, config: &Config) -> Self {
        let trimmed = item.run.trim();
        let asynchronous = trimmed.ends_with('&');
        let bare = trimmed.trim_end_matches(|c: char| c == '&' || c.is_whitespace());
        let text = if asynchronous { bare } else { trimmed }.to_owned();
        let is_address = item.is_address();
        let limit = match item.timeout_seconds {
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None if is_address => {
                Some(limit_of(config, list, asynchronous).unwrap_or(ADDRESS_LIMIT).min(ADDRESS_LIMIT))
            }
            None => limit_of(config, list, asynchronous),
        };
        let of_list = match list {
            HookList::Fencing => FencingPolicy::parse(&config.extensions.fencing_policy).unwrap_or_default(),
            _ => FencingPolicy::Required,
        };
        Self {
            text,
            is_address,
            asynchronous,
            attempts: item.retries.saturating_add(1),
            optional: item.policy.unwrap_or(of_list) == FencingPolicy::Optional,
            limit,
            secret: item.secret.reveal().to_owned(),
        }
    }

    /// The pause after this attempt, the first being 1.
    pub fn pause(attempt: u32) -> Duration {
        let (first, longest) = PAUSES;
        first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(longest)
    }

    /// The longest that all of its attempts can take; nothing for one that nobody waits for.
    pub fn longest(&self) -> Duration {
        if self.asynchronous {
            return Duration::ZERO;
        }
        let pauses: Duration = (1..self.attempts).map(Self::pause).sum();
        self.limit.unwrap_or_default().saturating_mul(self.attempts).saturating_add(pauses)
    }
}

/// What is waited for with writes standing still gets less time than what comes afterwards.
fn limit_of(config: &Config, list: HookList, asynchronous: bool) -> Option<Duration> {
    let keys = &config.extensions;
    let waits = list.stops_at_failure() && !asynchronous;
    let seconds = if waits { keys.hook_timeout_seconds } else { keys.post_hook_timeout_seconds };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;

    fn entry(list: &str, item: Value) -> Entry {
        let config = Config::from_json(&json!({ list: [item], "FencingPolicy": "optional" }).to_string()).unwrap();
        let (items, kind) = match list {
            "FencingProcesses" => (&config.extensions.fencing, HookList::Fencing),
            "PreFailoverProcesses" => (&config.hooks.pre_failover, HookList::PreFailover),
            _ => (&config.hooks.post_failover, HookList::PostFailover),
        };
        Entry::of(&items.list()[0], kind, &config)
    }

    #[rstest]
    #[case("  touch a ", "touch a", false)]
    #[case("touch a &", "touch a", true)]
    #[case("touch a && touch b&& ", "touch a && touch b", true)]
    #[case("a & b", "a & b", false)]
    #[case("https://a/?b=1&c=2 &", "https://a/?b=1&c=2", true)]
    fn a_trailing_ampersand_means_that_nobody_waits(
        #[case] item: &str,
        #[case] text: &str,
        #[case] asynchronous: bool,
    ) {
        let entry = entry("PreFailoverProcesses", json!(item));
        assert_eq!((entry.text.as_str(), entry.asynchronous), (text, asynchronous));
    }

    #[rstest]
    #[case("PreFailoverProcesses", json!("true"), Some(60), false)]
    #[case("PreFailoverProcesses", json!("https://a"), Some(10), false)]
    #[case("PreFailoverProcesses", json!({"Run": "https://a", "TimeoutSeconds": 30}), Some(30), false)]
    #[case("PreFailoverProcesses", json!({"Run": "true", "TimeoutSeconds": 0}), None, false)]
    #[case("PreFailoverProcesses", json!({"Run": "true", "Policy": "optional"}), Some(60), true)]
    #[case("PostFailoverProcesses", json!("true"), Some(600), false)]
    #[case("FencingProcesses", json!("true"), Some(60), true)]
    #[case("FencingProcesses", json!({"Run": "true", "Policy": "required"}), Some(60), false)]
    fn what_an_item_does_not_say_its_list_says(
        #[case] list: &str,
        #[case] item: Value,
        #[case] limit: Option<u64>,
        #[case] optional: bool,
    ) {
        let entry = entry(list, item);
        assert_eq!((entry.limit.map(|limit| limit.as_secs()), entry.optional), (limit, optional));
    }

    #[test]
    fn the_longest_is_all_attempts_with_their_pauses() {
        let thrice = entry("PreFailoverProcesses", json!({"Run": "true", "TimeoutSeconds": 5, "Retries": 3}));
        assert_eq!(thrice.longest(), Duration::from_secs(4 * 5 + 1 + 2 + 4));
        assert_eq!(entry("PreFailoverProcesses", json!("true &")).longest(), Duration::ZERO);
    }
}
