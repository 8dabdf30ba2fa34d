//! Where binary logs ended a while ago (`spec/refactoring.md` 9.1): logs are read from there first when an entry is looked for.

use std::collections::{BTreeMap, VecDeque};

use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, TimeDelta, Utc};

/// A place is of use once it is this old: what is looked for is behind it then, as a rule.
const AGE: TimeDelta = TimeDelta::minutes(2);

/// A place is noted this often.
const EVERY: TimeDelta = TimeDelta::seconds(30);

/// So many are kept of each server: enough to have one of the right age.
const KEPT: usize = 6;

/// Places by server, oldest first.
#[derive(Debug, Default)]
pub(super) struct Places {
    noted: BTreeMap<InstanceKey, VecDeque<(DateTime<Utc>, BinlogCoordinates)>>,
}

impl Places {
    /// A server's log ended here.
    pub fn note(&mut self, key: &InstanceKey, at: &BinlogCoordinates, now: DateTime<Utc>) {
        if at.is_empty() {
            return;
        }
        let noted = self.noted.entry(key.clone()).or_default();
        if noted.back().is_some_and(|(_, last)| *last > *at) {
            // Its logs were thrown away.
            noted.clear();
        }
        if noted.back().is_some_and(|(when, _)| now - *when < EVERY) {
            return;
        }
        noted.push_back((now, at.clone()));
        while noted.len() > KEPT {
            noted.pop_front();
        }
    }

    /// The newest place that is old enough.
    pub fn recent(&self, key: &InstanceKey, now: DateTime<Utc>) -> Option<BinlogCoordinates> {
        let noted = self.noted.get(key)?;
        noted.iter().rev().find(|(when, _)| now - *when >= AGE).map(|(_, at)| at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_once_it_is_two_minutes_old_and_forgotten_with_the_logs() {
        let (key, start) = (InstanceKey::new("db1", 3306), DateTime::<Utc>::UNIX_EPOCH);
        let at = |seconds| start + TimeDelta::seconds(seconds);
        let place = |position| BinlogCoordinates::binary("bin.000002", position);
        let mut places = Places::default();
        for second in 0..=150 {
            places.note(&key, &place(1_000 + second), at(second));
        }
        assert_eq!(places.recent(&key, at(119)), None);
        assert_eq!(places.recent(&key, at(125)), Some(place(1_000)));
        assert_eq!(places.recent(&key, at(155)), Some(place(1_030)));
        places.note(&key, &place(4), at(156));
        assert_eq!(places.recent(&key, at(200)), None);
    }
}
