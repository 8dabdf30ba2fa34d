//! Whether this process may act on servers: where others could take over what it does, only while they can tell that it lives
//! (`safety.md` S4).
//!
//! Who shares a backend takes over what a process leaves unfinished that has given no sign of life for three seconds
//! (`unfinished`). So a process that can give none, because it is cut off from the backend or because the backend is away, holds
//! its hands still before that: it begins nothing, and goes on only once it has heard that what it does is still its own. Where no
//! other service has been seen on the backend for an hour nobody can take anything over: then a backend that is away stops nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A sign of life is good for this long: less than the three seconds after which others take over, so that a statement that is
/// on its way then has ended.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// Another service on the backend is reckoned with for so long after it was seen last.
const RECKONED_WITH: Duration = Duration::from_secs(3_600);

/// How often one that waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The right to act.
#[derive(Debug, Default)]
pub struct Lease(Mutex<Signs>);

#[derive(Debug, Default, Clone, Copy)]
struct Signs {
    /// When the last sign of life was given after which nothing of ours was taken over.
    given: Option<Instant>,
    /// When another service was seen on the backend last.
    other: Option<Instant>,
}

impl Lease {
    /// A sign of life was given at this moment, and since then it was learnt what is still our own, and whether there are others.
    pub(super) fn renew(&self, at: Instant, others: bool) {
        let mut signs = self.lock();
        signs.given = Some(at);
        if others {
            signs.other = Some(at);
        }
    }

    /// This process may act.
    pub fn holds(&self) -> bool {
        self.holds_at(Instant::now())
    }

    fn holds_at(&self, now: Instant) -> bool {
        let Signs { given, other } = *self.lock();
        let within = |at: Instant, limit| now.saturating_duration_since(at) < limit;
        let alone = other.is_none_or(|seen| !within(seen, RECKONED_WITH));
        alone || given.is_some_and(|at| within(at, GOOD_FOR))
    }

    /// Waits until this process may act, or `is_over` says that there is nothing to wait for. `true` when it had to wait.
    pub(super) async fn wait(&self, is_over: impl Fn() -> bool) -> bool {
        let mut waited = false;
        while !self.holds() && !is_over() {
            waited = true;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        waited
    }

    fn lock(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_is_good_for_less_than_others_wait() {
        let (lease, now) = (Lease::default(), Instant::now());
        assert!(lease.holds_at(now));
        lease.renew(now, false);
        assert!(lease.holds_at(now + Duration::from_secs(60)), "nobody else is there");
        lease.renew(now, true);
        assert!(lease.holds_at(now + Duration::from_millis(1_999)));
        assert!(!lease.holds_at(now + GOOD_FOR));
        // The other one is away, but may come back.
        lease.renew(now + Duration::from_secs(10), false);
        assert!(lease.holds_at(now + Duration::from_secs(11)));
        assert!(!lease.holds_at(now + Duration::from_secs(13)));
        assert!(lease.holds_at(now + RECKONED_WITH), "it has not been seen for an hour");
    }
}
