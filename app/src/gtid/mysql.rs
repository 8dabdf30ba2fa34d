//! MySQL GTID sets, with tags.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::intervals::{Interval, Intervals, MAX_SEQUENCE};
use super::{GtidError, ServerUuid};

/// Longest tag, in characters.
const MAX_TAG: usize = 32;

/// Where a transaction comes from: server UUID and tag. Ordered as MySQL prints them: by UUID, then
/// the untagged ones, then by tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// The server (or the group).
    pub uuid: ServerUuid,
    /// The tag in lower case; empty for untagged transactions.
    pub tag: String,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gtid {
    /// Where it comes from.
    pub source: SourceId,
    /// Its number there, from 1.
    pub sequence: u64,
}

impl fmt::Display for Gtid {
    /// `uuid:5` or `uuid:tag:5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.source.uuid)?;
        if !self.source.tag.is_empty() {
            write!(f, "{}:", self.source.tag)?;
        }
        write!(f, "{}", self.sequence)
    }
}

/// A set of MySQL transactions.
///
/// Parses what a server prints or accepts (any case, blanks and line ends anywhere between tokens, intervals in any
/// order, repeated UUIDs, empty entries) and prints what a server prints: `uuid:1-3:5:tag:1,` and a line end before the next UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GtidSet {
    /// Never holds empty intervals.
    entries: BTreeMap<SourceId, Intervals>,
}

impl GtidSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the text of a set; an empty text is the empty set.
    ///
    /// # Errors
    /// [`GtidError`] with the wrong part and the text.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        let mut collected: BTreeMap<SourceId, Vec<Interval>> = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let mut parts = entry.split(':').map(str::trim);
            let uuid_text = parts.next().unwrap_or_default();
            let uuid = uuid_text.parse().map_err(|_| GtidError::uuid(uuid_text, text))?;
            let mut source = SourceId { uuid, tag: String::new() };
            let mut open: Vec<Interval> = Vec::new();
            for part in parts {
                if part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    let tag = parse_tag(part).ok_or_else(|| GtidError::part(part, text))?;
                    let next = SourceId { uuid, tag };
                    collected.entry(std::mem::replace(&mut source, next)).or_default().append(&mut open);
                } else {
                    open.push(parse_interval(part).ok_or_else(|| GtidError::part(part, text))?);
                }
            }
            collected.entry(source).or_default().append(&mut open);
        }
        let entries = collected.into_iter().map(|(source, list)| (source, Intervals::from_unordered(list)));
        Ok(Self { entries: entries.filter(|(_, intervals)| !intervals.is_empty()).collect() })
    }

    /// No transaction.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many transactions.
    pub fn count(&self) -> u128 {
        self.entries.values().map(Intervals::count).sum()
    }

    /// The transaction is in the set.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.entries.get(&gtid.source).is_some_and(|own| own.contains(gtid.sequence))
    }

    /// Every transaction of `other` is in the set.
    pub fn contains_set(&self, other: &Self) -> bool {
        other
            .entries
            .iter()
            .all(|(source, wanted)| self.entries.get(source).is_some_and(|own| own.contains_all(wanted)))
    }

    /// Transactions of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut entries = self.entries.clone();
        for (source, added) in &other.entries {
            let own = entries.entry(source.clone()).or_default();
            *own = own.union(added);
        }
        Self { entries }
    }

    /// Transactions of both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        self.map_entries(|source, own| {
            other.entries.get(source).map(|theirs| own.intersect(theirs)).unwrap_or_default()
        })
    }

    /// Transactions of this set that `other` does not hold; what `GTID_SUBTRACT` answers.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        self.map_entries(|source, own| match other.entries.get(source) {
            Some(theirs) => own.subtract(theirs),
            None => own.clone(),
        })
    }

    /// The set without the transactions of these servers, whatever their tag.
    #[must_use]
    pub fn without_sources(&self, uuids: &[ServerUuid]) -> Self {
        let kept = self.entries.iter().filter(|(source, _)| !uuids.contains(&source.uuid));
        Self { entries: kept.map(|(source, own)| (source.clone(), own.clone())).collect() }
    }

    /// The servers that the transactions come from, each once, in order.
    pub fn sources(&self) -> Vec<ServerUuid> {
        let mut uuids: Vec<ServerUuid> = self.entries.keys().map(|source| source.uuid).collect();
        uuids.dedup();
        uuids
    }

    /// Entries in the order they are printed in.
    pub fn entries(&self) -> impl Iterator<Item = (&SourceId, &Intervals)> {
        self.entries.iter()
    }

    /// The transactions one by one, made as they are asked for. A set can hold more of them than anybody has time for: use
    /// [`Self::first_transactions`] unless the number is known.
    pub fn transactions(&self) -> impl Iterator<Item = Gtid> + '_ {
        self.entries.iter().flat_map(|(source, own)| {
            own.iter().flat_map(|i| i.first..=i.last).map(move |sequence| Gtid { source: source.clone(), sequence })
        })
    }

    /// Up to `limit` transactions one by one; `None` when the set holds more.
    pub fn first_transactions(&self, limit: usize) -> Option<Vec<Gtid>> {
        (self.count() <= limit as u128).then(|| self.transactions().collect())
    }

    fn map_entries(&self, change: impl Fn(&SourceId, &Intervals) -> Intervals) -> Self {
        let changed = self.entries.iter().map(|(source, own)| (source.clone(), change(source, own)));
        Self { entries: changed.filter(|(_, intervals)| !intervals.is_empty()).collect() }
    }
}

impl FromStr for GtidSet {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut open: Option<ServerUuid> = None;
        for (source, intervals) in &self.entries {
            if open != Some(source.uuid) {
                let separator = if open.is_some() { ",\n" } else { "" };
                write!(f, "{separator}{}", source.uuid)?;
                open = Some(source.uuid);
            }
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            write!(f, ":{intervals}")?;
        }
        Ok(())
    }
}

/// A letter or underscore, then letters, digits and underscores; at most 32 characters; lower case.
fn parse_tag(text: &str) -> Option<String> {
    let legal = text.len() <= MAX_TAG && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    legal.then(|| text.to_ascii_lowercase())
}

/// `n` or `n-m`. A reversed interval is legal and empty, as on a server.
fn parse_interval(text: &str) -> Option<Interval> {
    let number = |text: &str| {
        let text = text.trim();
        let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits_only.then(|| text.parse::<u64>().ok()).flatten().filter(|n| (1..=MAX_SEQUENCE).contains(n))
    };
    match text.split_once('-') {
        Some((first, last)) => Some(Interval { first: number(first)?, last: number(last)? }),
        None => number(text).map(|n| Interval { first: n, last: n }),
    }
}
