//! Order without a sort for each kind of list. A sort is 4 kB of program for every type it is used with, and a tree map
//! that is collected brings another: lists of the page are sorted by [`sort`], and sets of servers are [`Keys`].

use std::cmp::Ordering;

use crate::InstanceKey;

/// Sorts a list; what compares as equal keeps its order.
pub fn sort<T>(list: &mut Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) {
    let places = places(list.len(), &|a, b| match (list.get(a), list.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
    let mut taken: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(places.into_iter().filter_map(|at| taken.get_mut(at).and_then(Option::take)));
}

#[inline(never)]
fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

/// A set of servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<InstanceKey>);

impl Keys {
    /// It is in it.
    pub fn contains(&self, key: &InstanceKey) -> bool {
        self.0.binary_search(key).is_ok()
    }

    /// Puts it in.
    pub fn insert(&mut self, key: InstanceKey) {
        if let Err(at) = self.0.binary_search(&key) {
            self.0.insert(at, key);
        }
    }

    /// Takes it out; says whether it was in it.
    pub fn remove(&mut self, key: &InstanceKey) -> bool {
        let at = self.0.binary_search(key);
        at.map(|at| self.0.remove(at)).is_ok()
    }

    /// All of them, in order.
    pub fn as_slice(&self) -> &[InstanceKey] {
        &self.0
    }
}

impl Extend<InstanceKey> for Keys {
    fn extend<I: IntoIterator<Item = InstanceKey>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| self.insert(key));
    }
}

impl FromIterator<InstanceKey> for Keys {
    fn from_iter<I: IntoIterator<Item = InstanceKey>>(keys: I) -> Self {
        let mut out = Self::default();
        out.extend(keys);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_sort(mut list in prop::collection::vec((0u8..6, any::<u8>()), 0..40)) {
            let mut expected = list.clone();
            expected.sort_by_key(|(a, _)| *a);
            sort(&mut list, &|(a, _), (b, _)| a.cmp(b));
            prop_assert_eq!(list, expected);
        }

        #[test]
        fn a_set_holds_what_was_put_in(ports in prop::collection::vec(0u16..20, 0..30), gone in 0u16..20) {
            let key = |port| InstanceKey::new("db", port);
            let mut keys: Keys = ports.iter().copied().map(key).collect();
            prop_assert_eq!(keys.remove(&key(gone)), ports.contains(&gone));
            for port in 0..20 {
                prop_assert_eq!(keys.contains(&key(port)), ports.contains(&port) && port != gone);
            }
            prop_assert!(keys.as_slice().is_sorted());
        }
    }
}
