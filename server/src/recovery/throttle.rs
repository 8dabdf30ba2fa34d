//! How often a server is asked for fresh evidence.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;

/// Entries beyond which those that forbid nothing any more are dropped.
const TIDY_ABOVE: usize = 1_024;

/// Until when servers are not to be asked again.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    until: Mutex<HashMap<InstanceKey, Instant>>,
}

impl Throttle {
    /// The server may be asked now, and then not again before `pause` is over.
    pub(super) fn may(&self, key: &InstanceKey, pause: Duration, now: Instant) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.get(key).is_some_and(|until| *until > now) {
            return false;
        }
        if until.len() > TIDY_ABOVE {
            until.retain(|_, until| *until > now);
        }
        until.insert(key.clone(), now + pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_asked_once_a_pause() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (a, b) = (InstanceKey::new("a", 1), InstanceKey::new("b", 1));
        let second = Duration::from_secs(1);
        assert!(throttle.may(&a, second, now));
        assert!(!throttle.may(&a, second, now + second / 2));
        assert!(throttle.may(&b, second, now));
        assert!(throttle.may(&a, second, now + second));
    }
}
