//! Finding servers in a tree, and going from one that wants a look to the next.

use super::server::{box_line, write_words};
use super::shape::Forest;
use super::tone::{Tone, problem_words};
use crate::InstanceKey;
use crate::api::ServerView;

/// A server matches when every word is part of what is known of it: names, version, place, problems, promotion rule, tags.
pub fn matches(view: &ServerView, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let server = &view.instance;
    let mut text = format!(
        "{} {} {} {} {} {} {} {} {} {}",
        server.key,
        server.alias,
        server.data_center,
        server.region,
        server.environment,
        view.flavor,
        box_line(view),
        write_words(server),
        Tone::of_server(view).word(),
        view.promotion_rule.as_str(),
    );
    for problem in &view.problems {
        text = format!("{text} {problem} {}", problem_words(problem));
    }
    for (name, value) in &view.tags {
        text = format!("{text} {name}={value}");
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

/// The words of a search, as [`matches`] wants them.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// The one after `here` in this order; the first after the last, and at the beginning.
pub fn next(order: &[InstanceKey], here: Option<&InstanceKey>) -> Option<InstanceKey> {
    let at = here.and_then(|here| order.iter().position(|key| key == here));
    order.get(at.map_or(0, |at| (at + 1) % order.len())).cloned()
}

/// Servers that want a look, loudest first, then as they stand in the tree.
pub fn troubled(forest: &Forest, tone: impl Fn(&InstanceKey) -> Tone) -> Vec<InstanceKey> {
    let tones: Vec<Tone> = forest.nodes.iter().map(|node| tone(&node.key)).collect();
    let mut keys = Vec::new();
    for loud in [Tone::Broken, Tone::Progress, Tone::Attention] {
        let those = forest.nodes.iter().zip(&tones).filter(|(_, tone)| **tone == loud);
        keys.extend(those.map(|(node, _)| node.key.clone()));
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::topology::{Instance, PromotionRule};
    use crate::ui::model::shape::Row;

    fn key(n: u16) -> InstanceKey {
        InstanceKey::new(format!("db{n}"), 3306)
    }

    #[test]
    fn every_word_must_match_something_that_is_known() {
        let view = ServerView {
            instance: Instance {
                key: key(1),
                data_center: "eu-1".to_owned(),
                version: "8.4.6".to_owned(),
                read_only: true,
                ..Instance::default()
            },
            status: "lag".to_owned(),
            problems: vec!["replication_lag".to_owned()],
            promotion_rule: PromotionRule::MustNot,
            downtime: None,
            tags: BTreeMap::from([("owner".to_owned(), "shop".to_owned())]),
            flavor: "MySQL".to_owned(),
        };
        for hit in ["", "DB1:33", "eu-1 8.4", "lagging", "owner=shop", "read-only attention", "must_not"] {
            assert!(matches(&view, &words(hit)), "{hit}");
        }
        assert!(!matches(&view, &words("db1 eu-2")));
    }

    #[test]
    fn one_goes_round_those_that_want_a_look_loudest_first() {
        let row = |n, source: Option<u16>| Row { key: key(n), source: source.map(key), more_sources: Vec::new() };
        let forest = Forest::new(&[row(1, None), row(2, Some(1)), row(3, Some(1)), row(4, Some(1))], None);
        let tone = |k: &InstanceKey| match k.hostname.as_str() {
            "db2" => Tone::Attention,
            "db3" => Tone::Downtimed,
            "db4" => Tone::Broken,
            _ => Tone::Ok,
        };
        let order = troubled(&forest, tone);
        assert_eq!(order, [key(4), key(2)]);
        assert_eq!(next(&order, None), Some(key(4)));
        assert_eq!(next(&order, Some(&key(4))), Some(key(2)));
        assert_eq!(next(&order, Some(&key(2))), Some(key(4)));
        assert_eq!(next(&order, Some(&key(3))), Some(key(4)), "one that is not among them");
        assert_eq!(next(&[], None), None);
    }
}
