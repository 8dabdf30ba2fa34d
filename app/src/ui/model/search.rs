//! What the command palette finds: fuzzy, best first.

use super::order::sort;
use super::route::Route;

/// Something that can be found and gone to or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `cluster`, `server`, `page` or `action`.
    pub kind: &'static str,
    /// What is shown and searched.
    pub label: String,
    /// What else is searched and shown small.
    pub detail: String,
    /// What happens.
    pub does: Does,
}

/// What choosing an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// Goes there.
    Go(Route),
    /// Sets a theme.
    Theme(&'static str),
    /// Asks to switch all recoveries on or off.
    SwitchRecoveries(bool),
}

/// How well `query` matches `text`: `None` when its letters are not all there in order; larger is better. A hit at the start
/// of a word and a run of letters count most.
pub fn score(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut total = 0;
    let mut from = 0;
    let mut last: Option<usize> = None;
    for wanted in query.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let hits = text.iter().enumerate().skip(from).filter(|(_, c)| **c == wanted).map(|(at, _)| at);
        let worth = |at: usize| {
            let begins = at == 0 || !text.get(at - 1).is_some_and(|c| c.is_alphanumeric());
            let runs = at > 0 && last == Some(at - 1);
            1 + if runs { 6 } else { 0 } + if begins { 4 } else { 0 }
        };
        // The first hit of the greatest worth.
        let best = hits.max_by_key(|at| (worth(*at), std::cmp::Reverse(*at)))?;
        total += worth(best);
        last = Some(best);
        from = best + 1;
    }
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    Some(total * 8 - length.min(80) / 8)
}

/// The best entries for a query; all of them in their order for an empty one.
pub fn found<'a>(entries: &'a [Entry], query: &str, limit: usize) -> Vec<&'a Entry> {
    if query.trim().is_empty() {
        return entries.iter().take(limit).collect();
    }
    let rate = |entry: &Entry| {
        let own = score(query, &entry.label);
        own.max(score(query, &format!("{} {}", entry.label, entry.detail)).map(|s| s - 12))
    };
    let mut rated: Vec<(i32, &Entry)> = entries.iter().filter_map(|e| rate(e).map(|s| (s, e))).collect();
    sort(&mut rated, &|(a, x), (b, y)| b.cmp(a).then_with(|| x.label.cmp(&y.label)));
    rated.into_iter().take(limit).map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(label: &str, detail: &str) -> Entry {
        Entry { kind: "server", label: label.to_owned(), detail: detail.to_owned(), does: Does::Go(Route::Status) }
    }

    #[test]
    fn letters_must_be_there_in_order() {
        assert!(score("db2", "orders-db2:3306").is_some());
        assert!(score("odb", "orders-db2").is_some());
        assert_eq!(score("2db", "orders-db2"), None);
        assert!(score("db2", "db2:3306") > score("db2", "d-b-x2"));
    }

    #[test]
    fn the_best_match_comes_first_and_details_count_less() {
        let entries = [entry("users-db1:3306", "orders"), entry("orders-db1:3306", "orders")];
        let labels: Vec<_> = found(&entries, "ordb1", 5).into_iter().map(|e| e.label.as_str()).collect();
        assert_eq!(labels[0], "orders-db1:3306");
        assert!(found(&entries, "zzz", 5).is_empty());
        assert_eq!(found(&entries, " ", 1).len(), 1);
    }
}
