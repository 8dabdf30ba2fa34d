//! MariaDB GTID positions and binary log states.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::GtidError;

/// One MariaDB transaction: `domain-server-sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MariadbGtid {
    /// Replication domain.
    pub domain: u32,
    /// `server_id` of the server it was first committed on.
    pub server: u32,
    /// Number within the domain.
    pub sequence: u64,
}

impl fmt::Display for MariadbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// Where a server stands in each replication domain.
///
/// A position (`gtid_slave_pos`) has one entry per domain; a binary log state (`gtid_binlog_state`) one per
/// domain and server. Within a domain sequence numbers grow, whichever server writes (which
/// `gtid_strict_mode` enforces), so the largest number of a domain says how far a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MariadbGtidPos {
    /// Largest sequence number by domain and server. No inner map is empty.
    domains: BTreeMap<u32, BTreeMap<u32, u64>>,
}

impl MariadbGtidPos {
    /// Parses `domain-server-sequence` entries separated by commas; an empty text is the empty position.
    /// Of two entries for one domain and server the larger one counts.
    ///
    /// # Errors
    /// [`GtidError::Triple`] with the wrong entry and the text.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        let mut position = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            position.add(parse_triple(entry).ok_or_else(|| GtidError::triple(entry, text))?);
        }
        Ok(position)
    }

    /// Adds one transaction and, by meaning, all before it.
    pub fn add(&mut self, gtid: MariadbGtid) {
        let sequence = self.domains.entry(gtid.domain).or_default().entry(gtid.server).or_insert(gtid.sequence);
        *sequence = gtid.sequence.max(*sequence);
    }

    /// No domain at all.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// Entries by domain; within a domain the most advanced one last, as servers print a binary log state.
    pub fn entries(&self) -> Vec<MariadbGtid> {
        let mut entries: Vec<MariadbGtid> = self.iter().collect();
        entries.sort_unstable_by_key(|g| (g.domain, g.sequence, g.server));
        entries
    }

    /// The largest sequence number of a domain.
    pub fn sequence(&self, domain: u32) -> Option<u64> {
        self.domains.get(&domain)?.values().copied().max()
    }

    /// One entry per domain, the most advanced one: the form that `gtid_slave_pos` accepts.
    #[must_use]
    pub fn position(&self) -> Self {
        let mut top = Self::default();
        for gtid in self.entries() {
            top.domains.insert(gtid.domain, BTreeMap::from([(gtid.server, gtid.sequence)]));
        }
        top
    }

    /// A server at this position has everything that `other` says: in each domain it is further, or
    /// at the same transaction. At one number but from different servers two positions have parted, and neither covers the other.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|gtid| self.covers_one(gtid))
    }

    /// Entries of this position that `other` does not cover; empty exactly when it covers all.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        self.iter().filter(|gtid| !other.covers_one(*gtid)).for_each(|gtid| rest.add(gtid));
        rest
    }

    /// As [`Self::minus`], but judged per server too: also entries of a server that `other` knows with a smaller number,
    /// although it is further in the domain. Only true for binary log states, where it tells what a returning source
    /// wrote alone before another one went on with the same domain.
    #[must_use]
    pub fn written_beyond(&self, state: &Self) -> Self {
        let mut rest = self.minus(state);
        for gtid in self.iter() {
            let known = state.domains.get(&gtid.domain).and_then(|servers| servers.get(&gtid.server));
            if known.is_some_and(|sequence| *sequence < gtid.sequence) {
                rest.add(gtid);
            }
        }
        rest
    }

    /// Both together: by domain and server the larger number.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.iter().for_each(|gtid| both.add(gtid));
        both
    }

    /// By domain, how many numbers this position is behind `other`; only domains where it is.
    pub fn behind(&self, other: &Self) -> BTreeMap<u32, u64> {
        let gap = |domain: u32| {
            let theirs = other.sequence(domain)?;
            let gap = theirs.saturating_sub(self.sequence(domain).unwrap_or(0));
            (gap > 0).then_some((domain, gap))
        };
        other.domains.keys().filter_map(|domain| gap(*domain)).collect()
    }

    fn covers_one(&self, gtid: MariadbGtid) -> bool {
        let Some(servers) = self.domains.get(&gtid.domain) else { return false };
        servers.get(&gtid.server).is_some_and(|own| *own >= gtid.sequence)
            || servers.values().any(|own| *own > gtid.sequence)
    }

    fn iter(&self) -> impl Iterator<Item = MariadbGtid> + '_ {
        self.domains.iter().flat_map(|(domain, servers)| {
            servers.iter().map(|(server, sequence)| MariadbGtid {
                domain: *domain,
                server: *server,
                sequence: *sequence,
            })
        })
    }
}

impl FromStr for MariadbGtidPos {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for MariadbGtidPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, gtid) in self.entries().iter().enumerate() {
            let separator = if n > 0 { "," } else { "" };
            write!(f, "{separator}{gtid}")?;
        }
        Ok(())
    }
}

fn parse_triple(text: &str) -> Option<MariadbGtid> {
    let mut parts = text.split('-').map(str::trim);
    let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some() || !(plain(domain) && plain(server) && plain(sequence)) {
        return None;
    }
    Some(MariadbGtid { domain: domain.parse().ok()?, server: server.parse().ok()?, sequence: sequence.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pos(text: &str) -> MariadbGtidPos {
        MariadbGtidPos::parse(text).expect(text)
    }

    #[test]
    fn text_is_normalised_with_the_most_advanced_entry_of_a_domain_last() {
        for (given, printed) in [
            ("", ""),
            ("0-1-100", "0-1-100"),
            (" 1-2-7 ,\n0-1-100,", "0-1-100,1-2-7"),
            ("0-2-90,0-1-100,0-3-95", "0-2-90,0-3-95,0-1-100"),
            ("0-1-5,0-1-9,0-1-7", "0-1-9"),
            ("4294967295-4294967295-18446744073709551615", "4294967295-4294967295-18446744073709551615"),
        ] {
            assert_eq!(pos(given).to_string(), printed, "{given:?}");
        }
        assert_eq!(pos("0-2-90,0-1-100,3-1-4").position().to_string(), "0-1-100,3-1-4");
    }

    #[test]
    fn anything_else_is_refused_with_the_entry_in_the_message() {
        for text in ["0-1", "0-1-", "0-1-2-3", "a-1-2", "0--2", "+0-1-2", "4294967296-1-1", "0-1-18446744073709551616"]
        {
            let error = MariadbGtidPos::parse(&format!("0-1-1,{text}")).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn positions_are_compared_by_domain() {
        for (a, b, a_covers_b) in [
            ("0-1-100", "0-1-100", true),
            ("0-1-100", "0-1-99", true),
            ("0-1-99", "0-1-100", false),
            ("0-2-101", "0-1-100", true),  // another server went on with the domain
            ("0-2-100", "0-1-100", false), // parted at the same number
            ("0-1-100", "0-1-1,1-1-1", false),
            ("0-1-100,1-1-1", "0-1-1", true),
            ("0-1-90,0-2-100", "0-1-95", true),
            ("", "0-1-1", false),
            ("0-1-1", "", true),
        ] {
            assert_eq!(pos(a).covers(&pos(b)), a_covers_b, "{a:?} covers {b:?}");
            assert_eq!(pos(b).minus(&pos(a)).is_empty(), a_covers_b, "{b:?} minus {a:?}");
        }
    }

    #[test]
    fn what_is_missing_is_counted_by_domain() {
        let behind = pos("0-1-90,1-1-5").behind(&pos("0-2-100,1-1-5,2-1-3"));
        assert_eq!(behind, BTreeMap::from([(0, 10), (2, 3)]));
    }

    #[test]
    fn what_a_returning_source_wrote_alone_is_seen_in_binary_log_states() {
        let returned = pos("0-1-100");
        let state_of_new_source = pos("0-1-99,0-2-101");
        assert!(returned.minus(&state_of_new_source).is_empty());
        assert_eq!(returned.written_beyond(&state_of_new_source).to_string(), "0-1-100");
        assert!(pos("0-1-99").written_beyond(&state_of_new_source).is_empty());
    }
}
