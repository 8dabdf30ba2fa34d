//! Either kind of GTID position, for decisions that do not care which.

use std::fmt;

use super::{GtidError, GtidSet, MariadbGtidPos};
use crate::BinlogCoordinates;
use crate::topology::{Flavor, Instance};

/// How two positions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GtidOrder {
    /// Both hold the same.
    Equal,
    /// The first one holds everything of the second, and more.
    Ahead,
    /// The second one holds everything of the first, and more.
    Behind,
    /// Each holds something that the other does not, or they are of different families.
    Diverged,
}

/// What a server holds: a MySQL set or a MariaDB position; or, without GTID, how far it is in the log of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GtidPosition {
    /// A MySQL set.
    Mysql(GtidSet),
    /// A MariaDB position.
    Mariadb(MariadbGtidPos),
    /// Everything up to this place in one server's log. Such places compare only while they are about the same log.
    Place(BinlogCoordinates),
}

impl GtidPosition {
    /// Parses a text that a server of this family printed.
    ///
    /// # Errors
    /// [`GtidError`] with the wrong part and the text.
    pub fn parse_for(flavor: Flavor, text: &str) -> Result<Self, GtidError> {
        match flavor {
            Flavor::MariaDb => MariadbGtidPos::parse(text).map(Self::Mariadb),
            Flavor::MySql | Flavor::Percona | Flavor::MaxScale => GtidSet::parse(text).map(Self::Mysql),
        }
    }

    /// What the server has executed.
    ///
    /// # Errors
    /// [`GtidError`] when the server printed something unknown.
    pub fn executed_by(instance: &Instance) -> Result<Self, GtidError> {
        Self::parse_for(instance.flavor(), &instance.executed_gtid)
    }

    /// What the server has received or executed, on every channel: the measure of who is most
    /// advanced (`safety.md`: "the largest retrieved ∪ executed, not the largest executed").
    ///
    /// # Errors
    /// [`GtidError`] when the server printed something unknown.
    pub fn held_by(instance: &Instance) -> Result<Self, GtidError> {
        let flavor = instance.flavor();
        let mut held = Self::executed_by(instance)?;
        for channel in std::iter::once(&instance.replication).chain(&instance.channels) {
            held = held.union(&Self::parse_for(flavor, &channel.retrieved_gtid)?)?;
        }
        Ok(held)
    }

    /// Nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Mysql(set) => set.is_empty(),
            Self::Mariadb(position) => position.is_empty(),
            Self::Place(at) => at.is_empty(),
        }
    }

    /// Holds everything that `other` holds. A position of the other family is covered only when it is empty.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mysql(a), Self::Mysql(b)) => a.contains_set(b),
            (Self::Mariadb(a), Self::Mariadb(b)) => a.covers(b),
            (Self::Place(a), Self::Place(b)) => b.is_empty() || a >= b,
            _ => other.is_empty(),
        }
    }

    /// What either holds.
    ///
    /// # Errors
    /// [`GtidError::MixedFlavors`].
    pub fn union(&self, other: &Self) -> Result<Self, GtidError> {
        match (self, other) {
            (Self::Mysql(a), Self::Mysql(b)) => Ok(Self::Mysql(a.union(b))),
            (Self::Mariadb(a), Self::Mariadb(b)) => Ok(Self::Mariadb(a.union(b))),
            (Self::Place(a), Self::Place(b)) => Ok(Self::Place(if self.covers(other) { a } else { b }.clone())),
            _ => Err(GtidError::MixedFlavors),
        }
    }

    /// What this one holds and `other` does not: for MariaDB the entries that are not covered, not the transactions between; of places
    /// the one that is not covered.
    ///
    /// # Errors
    /// [`GtidError::MixedFlavors`].
    pub fn minus(&self, other: &Self) -> Result<Self, GtidError> {
        match (self, other) {
            (Self::Mysql(a), Self::Mysql(b)) => Ok(Self::Mysql(a.subtract(b))),
            (Self::Mariadb(a), Self::Mariadb(b)) => Ok(Self::Mariadb(a.minus(b))),
            (Self::Place(_), Self::Place(_)) if other.covers(self) => Ok(Self::Place(BinlogCoordinates::default())),
            (Self::Place(a), Self::Place(_)) => Ok(Self::Place(a.clone())),
            _ => Err(GtidError::MixedFlavors),
        }
    }

    /// How the two compare.
    pub fn compare(&self, other: &Self) -> GtidOrder {
        match (self.covers(other), other.covers(self)) {
            (true, true) => GtidOrder::Equal,
            (true, false) => GtidOrder::Ahead,
            (false, true) => GtidOrder::Behind,
            (false, false) => GtidOrder::Diverged,
        }
    }
}

impl fmt::Display for GtidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(set) => set.fmt(f),
            Self::Mariadb(position) => position.fmt(f),
            Self::Place(at) if at.is_empty() => Ok(()),
            Self::Place(at) => write!(f, "up to {at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Replication;

    const A: &str = "aaaaaaaa-0000-0000-0000-000000000001";

    fn mysql(text: &str) -> GtidPosition {
        GtidPosition::parse_for(Flavor::Percona, text).expect(text)
    }

    fn mariadb(text: &str) -> GtidPosition {
        GtidPosition::parse_for(Flavor::MariaDb, text).expect(text)
    }

    #[test]
    fn both_families_compare_alike() {
        assert_eq!(mysql(&format!("{A}:1-5")).compare(&mysql(&format!("{A}:1-4"))), GtidOrder::Ahead);
        assert_eq!(mysql(&format!("{A}:1-3")).compare(&mysql(&format!("{A}:1-2:4"))), GtidOrder::Diverged);
        assert_eq!(mariadb("0-1-4").compare(&mariadb("0-1-5")), GtidOrder::Behind);
        assert_eq!(mariadb("0-1-4,1-1-1").compare(&mariadb("0-1-5")), GtidOrder::Diverged);
        assert_eq!(mariadb("").compare(&mysql("")), GtidOrder::Equal);
    }

    #[test]
    fn places_in_one_log_compare_by_file_and_position() {
        let place = |file: &str, at| GtidPosition::Place(BinlogCoordinates::binary(file, at));
        let (early, late) = (place("bin.000009", 900), place("bin.000010", 4));
        assert_eq!(late.compare(&early), GtidOrder::Ahead);
        assert_eq!(early.union(&late), Ok(late.clone()));
        assert_eq!(late.minus(&early).map(|rest| rest.to_string()), Ok("up to bin.000010:4".to_owned()));
        assert!(early.minus(&late).is_ok_and(|rest| rest.is_empty()));
        assert!(!late.covers(&mariadb("0-1-1")) && late.union(&mariadb("0-1-1")).is_err());
    }

    #[test]
    fn families_are_not_mixed() {
        assert!(!mysql(&format!("{A}:1")).covers(&mariadb("0-1-1")));
        assert_eq!(mysql(&format!("{A}:1")).union(&mariadb("0-1-1")), Err(GtidError::MixedFlavors));
        assert_eq!(mysql(&format!("{A}:1")).minus(&mariadb("0-1-1")), Err(GtidError::MixedFlavors));
        assert!(GtidPosition::parse_for(Flavor::MySql, "0-1-1").is_err());
    }

    #[test]
    fn what_is_received_on_any_channel_counts_as_held() {
        let channel = |text: &str| Replication { retrieved_gtid: text.to_owned(), ..Default::default() };
        let server = Instance {
            version: "9.7.0".to_owned(),
            executed_gtid: format!("{A}:1-5"),
            replication: channel(&format!("{A}:4-9")),
            channels: vec![channel(&format!("{A}:4-9")), channel(&format!("{A}:x:1"))],
            ..Default::default()
        };
        assert_eq!(GtidPosition::held_by(&server), Ok(mysql(&format!("{A}:1-9:x:1"))));
    }
}
