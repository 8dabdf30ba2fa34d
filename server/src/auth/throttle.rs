//! Slowing down those who guess passwords, without locking out those who know them.
//!
//! Three tallies of failures are kept, and each makes its next try wait longer: of one account from one address (5 are free, then 1 s
//! doubling to 5 minutes), of one address over all accounts (20 free, the same), and of one account from anywhere (50 free, to a
//! minute). The last does not hold for addresses that the account was used from lately: whoever guesses from all over the
//! world does not keep its owner out. Nobody has to be let in again by hand.
//!
//! Who comes when one of them makes tries wait takes the place of the next try: many at the same time are no way round.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::access::LONGEST_NAME;
use chrono::{DateTime, TimeDelta, Utc};

/// A failure is forgotten when so much time has passed without another one.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::minutes(15);

/// An address counts as the account's own for so long after a login.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);

/// Tallies kept. More are made only by somebody who comes from very many addresses or tries very many names.
const MOST: usize = 20_000;

/// How many failures are free, and the longest wait after that, seconds.
#[derive(Debug, Clone, Copy)]
struct Rule {
    free: u32,
    longest: i64,
}

const PAIR: Rule = Rule { free: 5, longest: 300 };
const ADDRESS: Rule = Rule { free: 20, longest: 300 };
const ACCOUNT: Rule = Rule { free: 50, longest: 60 };

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, Origin),
    Address(Origin),
    Account(String),
}

impl Key {
    fn rule(&self) -> Rule {
        match self {
            Self::Pair(..) => PAIR,
            Self::Address(_) => ADDRESS,
            Self::Account(_) => ACCOUNT,
        }
    }
}

/// Where somebody comes from: an address, or the network of 64 bits that a home or a server has of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin(Option<IpAddr>);

impl Origin {
    /// Of an address as callers have it: with a port or without.
    fn of(address: &str) -> Self {
        let ip = address.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| address.parse()).ok();
        Self(ip.map(|ip: IpAddr| match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 => v4,
        }))
    }
}

/// Two addresses count as one.
pub(super) fn is_same_origin(one: &str, other: &str) -> bool {
    Origin::of(one) == Origin::of(other)
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    failures: u32,
    last: DateTime<Utc>,
}

impl Tally {
    /// Until when the next try has to wait.
    fn until(&self, rule: Rule) -> DateTime<Utc> {
        let Some(over) = self.failures.checked_sub(rule.free) else { return self.last };
        let seconds = 1_i64.checked_shl(over.min(20)).unwrap_or(rule.longest).min(rule.longest);
        self.last + TimeDelta::seconds(seconds)
    }
}

/// The account as it is kept: no user has a longer name, and whoever sends one must not fill the memory with it.
fn named(account: &str) -> &str {
    account.get(..account.floor_char_boundary(LONGEST_NAME + 1)).unwrap_or_default()
}

/// Come again after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed logins; try again in {seconds} s")]
pub struct Wait {
    /// Seconds, at least 1.
    pub seconds: u64,
}

/// Counts failures.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tallies: HashMap<Key, Tally>,
    known: HashMap<(String, Origin), DateTime<Utc>>,
}

impl Throttle {
    /// Admits a try, or says how long to wait. A try of the pair counts as failed until it has succeeded or was not made, so
    /// that many at the same time are no way round; one that is told to wait does not count. `is_known`: the account has
    /// a session from this address.
    pub(super) fn admit(&self, account: &str, address: &str, is_known: bool, now: DateTime<Utc>) -> Result<(), Wait> {
        let (account, origin) = (named(account), Origin::of(address));
        let mut state = self.lock();
        state.make_room(now);
        let own = is_known || state.known.get(&(account.to_owned(), origin)).is_some_and(|at| now - *at < KNOWN_FOR);
        let pair = Key::Pair(account.to_owned(), origin);
        let mut keys = vec![pair.clone(), Key::Address(origin)];
        if !own {
            keys.push(Key::Account(account.to_owned()));
        }
        let until = keys.iter().filter_map(|key| state.until(key, now)).max();
        if let Some(until) = until.filter(|until| *until > now) {
            let seconds = u64::try_from((until - now).num_milliseconds()).unwrap_or(0).div_ceil(1_000);
            return Err(Wait { seconds: seconds.max(1) });
        }
        for key in &keys {
            state.take_turn(key, now);
        }
        state.count(pair, now);
        Ok(())
    }

    /// A try that was admitted was not made after all, for no fault of whoever made it.
    pub(super) fn withdrawn(&self, account: &str, address: &str) {
        let key = Key::Pair(named(account).to_owned(), Origin::of(address));
        if let Some(tally) = self.lock().tallies.get_mut(&key) {
            tally.failures = tally.failures.saturating_sub(1);
        }
    }

    /// A try that was admitted failed.
    pub(super) fn failed(&self, account: &str, address: &str, now: DateTime<Utc>) {
        let mut state = self.lock();
        state.count(Key::Address(Origin::of(address)), now);
        state.count(Key::Account(named(account).to_owned()), now);
    }

    /// A try that was admitted succeeded. What failed from other addresses stays on record.
    pub(super) fn succeeded(&self, account: &str, address: &str, now: DateTime<Utc>) {
        let (account, origin) = (named(account), Origin::of(address));
        let mut state = self.lock();
        state.tallies.remove(&Key::Pair(account.to_owned(), origin));
        state.known.insert((account.to_owned(), origin), now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn until(&self, key: &Key, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let tally = self.tallies.get(key).filter(|tally| now - tally.last < FORGOTTEN_AFTER)?;
        (tally.failures >= key.rule().free).then(|| tally.until(key.rule()))
    }

    /// Where a tally makes tries wait, this one is the next: the others wait from now on.
    fn take_turn(&mut self, key: &Key, now: DateTime<Utc>) {
        let waits = |tally: &Tally| tally.failures >= key.rule().free && now - tally.last < FORGOTTEN_AFTER;
        if let Some(tally) = self.tallies.get_mut(key).filter(|tally| waits(tally)) {
            tally.last = tally.last.max(now);
        }
    }

    fn count(&mut self, key: Key, now: DateTime<Utc>) {
        let tally = self.tallies.entry(key).or_insert(Tally { failures: 0, last: now });
        if now - tally.last >= FORGOTTEN_AFTER {
            tally.failures = 0;
        }
        *tally = Tally { failures: tally.failures.saturating_add(1), last: now };
    }

    /// Drops what is forgotten anyway, and, when that is not enough, what is oldest.
    fn make_room(&mut self, now: DateTime<Utc>) {
        if self.known.len() >= MOST {
            self.known.retain(|_, at| now - *at < TimeDelta::days(1));
            if self.known.len() >= MOST {
                self.known.clear();
            }
        }
        if self.tallies.len() < MOST {
            return;
        }
        self.tallies.retain(|_, tally| now - tally.last < FORGOTTEN_AFTER);
        if self.tallies.len() < MOST {
            return;
        }
        let mut ages: Vec<DateTime<Utc>> = self.tallies.values().map(|tally| tally.last).collect();
        ages.sort_unstable();
        let oldest = ages.get(ages.len() / 2).copied().unwrap_or(now);
        self.tallies.retain(|_, tally| tally.last > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// A guess that fails, if it is admitted.
    fn guess(throttle: &Throttle, account: &str, address: &str, now: i64) -> Result<(), Wait> {
        throttle.admit(account, address, false, at(now))?;
        throttle.failed(account, address, at(now));
        Ok(())
    }

    #[test]
    fn guessing_one_account_gets_slower_and_never_stops_for_good() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            assert_eq!(guess(&throttle, "ann", "192.0.2.1:4000", 0), Ok(()));
        }
        assert_eq!(guess(&throttle, "ann", "192.0.2.1:4001", 0), Err(Wait { seconds: 1 }), "whatever the port");
        let mut tries = 0;
        for second in 0..86_400 {
            tries += u32::from(guess(&throttle, "ann", "192.0.2.1:4000", second).is_ok());
        }
        assert!((280..310).contains(&tries), "{tries} guesses in a day, one in five minutes");
        // Told to wait five minutes at most.
        let wait = throttle.admit("ann", "192.0.2.1:4000", false, at(86_400)).expect_err("wait");
        assert!(wait.seconds <= 300, "{wait}");
        assert_eq!(throttle.admit("ann", "192.0.2.1:4000", false, at(86_400 + 300)), Ok(()));
    }

    #[test]
    fn the_owner_elsewhere_is_not_held_up() {
        let throttle = Throttle::default();
        for second in 0..1_000 {
            let _either = guess(&throttle, "ann", "192.0.2.1", second);
        }
        assert_eq!(throttle.admit("ann", "198.51.100.7", false, at(1_000)), Ok(()));
    }

    #[test]
    fn guesses_from_all_over_keep_out_strangers_and_not_where_the_owner_was() {
        let throttle = Throttle::default();
        assert_eq!(throttle.admit("ann", "198.51.100.7", false, at(0)), Ok(()));
        throttle.succeeded("ann", "198.51.100.7", at(0));
        for second in 0..200 {
            let _either = guess(&throttle, "ann", &format!("10.0.{second}.1"), second);
        }
        assert!(throttle.admit("ann", "203.0.113.5", false, at(200)).is_err());
        assert_eq!(throttle.admit("ann", "198.51.100.7:99", false, at(200)), Ok(()));
        assert_eq!(throttle.admit("bob", "203.0.113.5", false, at(200)), Ok(()), "another account");
        assert_eq!(throttle.admit("ann", "203.0.113.5", false, at(260)), Ok(()), "a minute at most");
    }

    #[test]
    fn trying_many_accounts_from_one_address_gets_slower() {
        let throttle = Throttle::default();
        for n in 0..20 {
            assert_eq!(guess(&throttle, &format!("u{n}"), "2001:db8::1", 0), Ok(()));
        }
        assert!(guess(&throttle, "u20", "2001:db8::2", 0).is_err(), "the same network");
        assert_eq!(guess(&throttle, "u20", "2001:db8:0:1::1", 0), Ok(()));
    }

    #[test]
    fn many_at_the_same_time_are_no_way_round() {
        let throttle = Throttle::default();
        let admitted = (0..100).filter(|_| throttle.admit("ann", "192.0.2.1", false, at(0)).is_ok()).count();
        assert_eq!(admitted, 5);
        throttle.succeeded("ann", "192.0.2.1", at(0));
        assert_eq!(throttle.admit("ann", "192.0.2.1", false, at(0)), Ok(()));
    }

    #[test]
    fn many_at_the_same_time_from_everywhere_are_no_way_round_either() {
        let throttle = Throttle::default();
        for n in 0..60 {
            let _either = guess(&throttle, "ann", &format!("10.1.{n}.1"), n);
        }
        // All of them come when the wait is over, and none has failed yet.
        let admitted =
            (0..100).filter(|n| throttle.admit("ann", &format!("10.2.{n}.1"), false, at(200)).is_ok()).count();
        assert_eq!(admitted, 1);
        assert_eq!(throttle.admit("ann", "203.0.113.5", true, at(200)), Ok(()), "where the owner has a session");
    }

    #[test]
    fn what_is_forgotten_stays_so() {
        let throttle = Throttle::default();
        for second in 0..600 {
            let _either = guess(&throttle, "ann", "192.0.2.1", second);
        }
        for _ in 0..5 {
            assert_eq!(guess(&throttle, "ann", "192.0.2.1", 3_600), Ok(()));
        }
        assert_eq!(guess(&throttle, "ann", "192.0.2.1", 3_600), Err(Wait { seconds: 1 }));
    }

    #[test]
    fn who_was_sent_away_because_others_are_busy_has_not_failed() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            assert_eq!(throttle.admit("ann", "192.0.2.1", false, at(0)), Ok(()));
            throttle.withdrawn("ann", "192.0.2.1");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let long = "x".repeat(60_000);
        assert_eq!(named(&long).len(), LONGEST_NAME + 1, "and no name that a user may have");
        assert!(named("\u{e9}".repeat(200).as_str()).chars().all(|c| c == '\u{e9}'));
        let throttle = Throttle::default();
        for n in 0..(MOST as i64 * 3) {
            let _either = guess(&throttle, &format!("u{n}"), &format!("10.{}.{}.1", n / 200 % 200, n % 200), n / 1_000);
        }
        assert!(throttle.lock().tallies.len() < MOST + 3, "{}", throttle.lock().tallies.len());
    }
}
