//! Errant transactions: those that a replica holds and its source does not.

use super::{GtidSet, ServerUuid};

/// Transactions that `own` holds and the source does not, leaving out the ones written on servers that cannot be judged
/// (`spec/discovery.md` 11).
///
/// Replica and source are read at different moments. A transaction of an ancestor, at any height, may have passed
/// through the source between the two reads, so nothing can be said of the ancestors' own UUIDs; `unjudged` names them all: every
/// source above on any channel, the replication group, and, on co-sources, the server itself.
pub fn errant(own: &GtidSet, source: &GtidSet, unjudged: &[ServerUuid]) -> GtidSet {
    own.subtract(source).without_sources(unjudged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str = "aaaaaaaa-0000-0000-0000-000000000001";
    const MID: &str = "aaaaaaaa-0000-0000-0000-000000000002";
    const OWN: &str = "aaaaaaaa-0000-0000-0000-000000000003";

    fn set(text: &str) -> GtidSet {
        GtidSet::parse(text).expect(text)
    }

    fn uuids(texts: &[&str]) -> Vec<ServerUuid> {
        texts.iter().map(|t| t.parse().expect(t)).collect()
    }

    #[test]
    fn own_writes_are_errant_and_newer_writes_of_ancestors_are_not() {
        // The replica was read after its source: 101-105 came down meanwhile from two levels above.
        let own = set(&format!("{TOP}:1-105,{MID}:1-4,{OWN}:1-2"));
        let source = set(&format!("{TOP}:1-100,{MID}:1-3"));
        assert_eq!(errant(&own, &source, &uuids(&[TOP, MID])).to_string(), format!("{OWN}:1-2"));
        // Knowing only the direct source, the ancestor's writes would be taken for errant ones.
        assert_eq!(errant(&own, &source, &uuids(&[MID])).to_string(), format!("{TOP}:101-105,\n{OWN}:1-2"));
    }

    #[test]
    fn own_writes_that_the_source_holds_are_no_longer_errant() {
        let own = set(&format!("{TOP}:1-9,{OWN}:1-2"));
        assert!(errant(&own, &set(&format!("{TOP}:1-9,{OWN}:1-2")), &uuids(&[TOP])).is_empty());
        assert_eq!(errant(&own, &set(&format!("{TOP}:1-9,{OWN}:1")), &uuids(&[TOP])).to_string(), format!("{OWN}:2"));
    }

    #[test]
    fn tagged_writes_are_judged_like_any_other() {
        let own = set(&format!("{TOP}:1-9:batch:1-3,{OWN}:fix:7"));
        let source = set(&format!("{TOP}:1-9"));
        assert_eq!(errant(&own, &source, &uuids(&[TOP])).to_string(), format!("{OWN}:fix:7"));
    }

    #[test]
    fn a_co_source_is_not_judged_by_its_own_writes() {
        let own = set(&format!("{TOP}:1-9,{OWN}:1-7"));
        let source = set(&format!("{TOP}:1-9,{OWN}:1-5"));
        assert!(errant(&own, &source, &uuids(&[TOP, OWN])).is_empty());
    }
}
