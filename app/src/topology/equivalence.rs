//! Places in two binary logs that are the same moment: whoever has executed up to the one can go on from the other.
//!
//! They are recorded when a replica is repointed by file and position (`spec/refactoring.md` 5 step 7). Never after a move by GTID, where
//! the position of the new source says nothing about the replica (5.2).

use serde::{Deserialize, Serialize};

use crate::{BinlogCoordinates, InstanceKey};

/// A place in the binary log of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPlace {
    /// Whose log.
    #[serde(rename = "Key")]
    pub source: InstanceKey,
    /// Where in it.
    #[serde(rename = "Coordinates")]
    pub at: BinlogCoordinates,
}

/// Two places that are the same moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Equivalence {
    /// The one.
    pub one: LogPlace,
    /// The other, in another server's log.
    pub other: LogPlace,
}

impl Equivalence {
    /// The other of the two places, if one of them is this.
    pub fn of(&self, source: &InstanceKey, at: &BinlogCoordinates) -> Option<&LogPlace> {
        let is = |place: &LogPlace| place.source == *source && place.at == *at;
        match (is(&self.one), is(&self.other)) {
            (true, _) => Some(&self.other),
            (_, true) => Some(&self.one),
            _ => None,
        }
    }

    /// What tells two records apart: a place is known once on each other server.
    fn identity(&self) -> (&InstanceKey, &str, i64, &InstanceKey) {
        (&self.one.source, &self.one.at.file, self.one.at.position, &self.other.source)
    }
}

/// All that are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Equivalences(Vec<Equivalence>);

impl Equivalences {
    /// Adds one; what was recorded of the same place on the same two servers is replaced.
    pub fn record(&mut self, new: Equivalence) {
        match self.0.binary_search_by(|known| known.identity().cmp(&new.identity())) {
            Ok(at) => self.0[at] = new,
            Err(at) => self.0.insert(at, new),
        }
    }

    /// The same moment on other servers.
    pub fn of<'a>(
        &'a self,
        source: &'a InstanceKey,
        at: &'a BinlogCoordinates,
    ) -> impl Iterator<Item = &'a LogPlace> + 'a {
        self.0.iter().filter_map(move |known| known.of(source, at))
    }

    /// The same moment on this other server.
    pub fn on(&self, source: &InstanceKey, at: &BinlogCoordinates, other: &InstanceKey) -> Option<&BinlogCoordinates> {
        let places = self.0.iter().filter_map(|known| known.of(source, at));
        places.into_iter().find(|place| place.source == *other).map(|place| &place.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(server: &str, position: i64) -> LogPlace {
        LogPlace { source: InstanceKey::new(server, 3306), at: BinlogCoordinates::binary("bin.000001", position) }
    }

    #[test]
    fn a_moment_is_found_from_either_side_and_the_last_word_counts() {
        let mut known = Equivalences::default();
        known.record(Equivalence { one: place("a", 10), other: place("b", 20) });
        known.record(Equivalence { one: place("a", 10), other: place("c", 30) });
        known.record(Equivalence { one: place("a", 10), other: place("b", 21) });
        let (a, b) = (place("a", 10), place("b", 21));
        let found: Vec<&LogPlace> = known.of(&a.source, &a.at).collect();
        assert_eq!(found, [&place("b", 21), &place("c", 30)]);
        assert_eq!(known.on(&b.source, &b.at, &a.source), Some(&a.at));
        assert_eq!(known.on(&b.source, &place("b", 20).at, &a.source), None);
    }
}
