//! Events of the last while, oldest first.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

use chrono::{DateTime, TimeDelta, Utc};

/// Events with their time. It holds a fixed number at most, whatever else is asked of it: memory is bounded even when
/// nobody trims it, and when the configuration asks for a very long memory of a very large fleet.
#[derive(Debug)]
pub struct Window<T> {
    events: VecDeque<(DateTime<Utc>, T)>,
    capacity: usize,
}

impl<T> Window<T> {
    /// An empty window for so many events.
    pub fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), capacity }
    }

    /// Adds an event; the oldest one goes when there is no room.
    pub fn push(&mut self, at: DateTime<Utc>, event: T) {
        if self.events.len() >= self.capacity {
            self.events.pop_front();
        }
        self.events.push_back((at, event));
    }

    /// Drops what is older than `keep`, and gives back memory that a calmer time does not need.
    pub fn trim(&mut self, keep: TimeDelta, now: DateTime<Utc>) {
        let Some(oldest) = now.checked_sub_signed(keep) else { return };
        while self.events.front().is_some_and(|(at, _)| *at < oldest) {
            self.events.pop_front();
        }
        if self.events.capacity() > 1024 && self.events.len() < self.events.capacity() / 4 {
            self.events.shrink_to(self.events.len() * 2);
        }
    }

    /// Events since a moment, oldest first. Events come in nearly in order, so nearly all of the others are skipped
    /// without a look.
    pub fn since(&self, moment: DateTime<Utc>) -> impl Iterator<Item = &(DateTime<Utc>, T)> {
        self.events.iter().filter(move |(at, _)| *at >= moment)
    }

    /// The last `count` events, oldest first.
    pub fn last(&self, count: usize) -> Iter<'_, (DateTime<Utc>, T)> {
        self.events.range(self.events.len().saturating_sub(count)..)
    }

    /// Drops the oldest events until `count` are left.
    pub fn keep_last(&mut self, count: usize) {
        while self.events.len() > count {
            self.events.pop_front();
        }
    }

    /// Nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// The moment so many seconds before `now`; the beginning of time if that is before it.
pub(super) fn seconds_before(now: DateTime<Utc>, seconds: u64) -> DateTime<Utc> {
    let back = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds);
    back.and_then(|back| now.checked_sub_signed(back)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    #[test]
    fn it_holds_no_more_than_its_room_and_its_time() {
        let mut window = Window::new(3);
        for second in 0..5 {
            window.push(at(second), second);
        }
        let held = |window: &Window<i64>| window.since(DateTime::<Utc>::MIN_UTC).map(|(_, e)| *e).collect::<Vec<_>>();
        assert_eq!(held(&window), [2, 3, 4]);
        assert_eq!(window.since(at(4)).count(), 1);
        assert_eq!(window.last(2).map(|(_, e)| *e).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(window.last(9).len(), 3);
        window.trim(TimeDelta::seconds(2), at(5));
        assert_eq!(held(&window), [3, 4]);
        window.trim(TimeDelta::MAX, at(5));
        assert_eq!(held(&window), [3, 4], "longer than there is time");
        window.keep_last(1);
        assert_eq!(held(&window), [4]);
    }

    #[test]
    fn memory_of_a_storm_is_given_back() {
        let mut window = Window::new(100_000);
        for _ in 0..50_000 {
            window.push(at(0), 0_u64);
        }
        window.push(at(100), 1);
        window.trim(TimeDelta::seconds(10), at(100));
        assert_eq!(window.last(10).len(), 1);
        assert!(window.events.capacity() < 100, "{}", window.events.capacity());
    }

    #[test]
    fn any_number_of_seconds_is_a_moment() {
        assert_eq!(seconds_before(at(100), 40), at(60));
        assert_eq!(seconds_before(at(100), u64::MAX), DateTime::<Utc>::MIN_UTC);
        assert_eq!(seconds_before(at(100), 9_000_000_000_000), DateTime::<Utc>::MIN_UTC);
    }
}
