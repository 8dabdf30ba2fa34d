//! Rows that anybody can bring about: failed logins, and changes that were refused. They are told up to a number each minute, and
//! counted beyond it, so that nobody fills the backend or hides somebody else's rows among their own.

use std::time::{Duration, Instant};

/// Rows of each kind that all callers together bring about each minute.
const A_MINUTE: usize = 30;

/// Rows of each kind that one caller brings about each minute: others are still told of then.
const OF_ONE: usize = 10;

/// What is counted is told again after this long.
const MINUTE: Duration = Duration::from_secs(60);

/// Counts the rows of one kind.
#[derive(Debug)]
pub(super) struct Meter {
    minute: Instant,
    /// Who brought about which row of this minute: as many as were told.
    told: Vec<(String, String)>,
    untold: u64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self { minute: now, told: Vec::new(), untold: 0 }
    }

    /// Counts one. How many were not told before it, if it is to be told itself. What one caller did this minute already is not
    /// told again; `what` is empty where each time counts.
    pub(super) fn count(&mut self, who: &str, what: &str, now: Instant) -> Option<u64> {
        if now.duration_since(self.minute) >= MINUTE {
            self.minute = now;
            self.told.clear();
        }
        let own = self.told.iter().filter(|(other, _)| other == who);
        let is_news = what.is_empty() || own.clone().all(|(_, other)| other != what);
        if self.told.len() >= A_MINUTE || own.count() >= OF_ONE || !is_news {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told.push((who.to_owned(), what.to_owned()));
        Some(std::mem::take(&mut self.untold))
    }

    /// How many were not told, once their minute is over and nobody came after them.
    pub(super) fn left_over(&mut self, now: Instant) -> Option<u64> {
        let is_over = now.duration_since(self.minute) >= MINUTE;
        (is_over && self.untold > 0).then(|| std::mem::take(&mut self.untold))
    }
}

/// The part of an address that tells one caller from another: without the port.
pub fn host_of(address: &str) -> &str {
    // `[2001:db8::1]:80` and `10.0.0.1:80` have one; `2001:db8::1` has none.
    match address.rsplit_once(':') {
        Some((host, _port)) if !host.contains(':') || host.ends_with(']') => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_at_speed_is_counted_rather_than_told() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let told = (0..100).filter(|n| meter.count(&format!("10.0.0.{n}"), "", start) == Some(0)).count();
        assert_eq!((told, meter.told.len()), (30, 30));
        assert_eq!(meter.count("10.0.0.1", "", start + MINUTE), Some(70));
        assert_eq!(meter.count("10.0.0.1", "", start + MINUTE), Some(0));
        assert_eq!(meter.told.len(), 2);
    }

    #[test]
    fn one_caller_does_not_hide_another() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert_eq!((0..50).filter(|_| meter.count("eve", "", start).is_some()).count(), 10);
        assert_eq!(meter.count("ann", "", start), Some(40));
    }

    #[test]
    fn the_same_again_is_not_told_again() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert_eq!(meter.count("eve", "forget", start), Some(0));
        assert_eq!(meter.count("eve", "forget", start), None);
        assert_eq!(meter.count("ann", "forget", start), Some(1));
        assert_eq!(meter.count("eve", "discover", start), Some(0));
        assert_eq!(meter.count("eve", "forget", start + MINUTE), Some(0));
    }

    #[test]
    fn what_nobody_came_after_is_told_when_the_minute_is_over() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert_eq!(meter.left_over(start + MINUTE), None, "nothing was left out");
        for _ in 0..13 {
            let _either = meter.count("eve", "", start);
        }
        assert_eq!(meter.left_over(start + MINUTE / 2), None);
        assert_eq!(meter.left_over(start + MINUTE), Some(3));
        assert_eq!(meter.left_over(start + MINUTE), None);
    }

    #[test]
    fn a_caller_is_one_whatever_the_port() {
        for (address, host) in [
            ("10.0.0.1:80", "10.0.0.1"),
            ("[2001:db8::1]:80", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
            ("", ""),
        ] {
            assert_eq!(host_of(address), host);
        }
    }
}
