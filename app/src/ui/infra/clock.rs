//! The present moment, by the server's clock: ages are of its making and must not suffer from a browser's clock.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leptos::prelude::*;

/// Ticks once a second.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    now: RwSignal<DateTime<Utc>>,
    ahead: RwSignal<TimeDelta>,
}

impl Clock {
    /// Starts ticking.
    pub fn start() -> Self {
        let clock = Self { now: RwSignal::new(local_now()), ahead: RwSignal::new(TimeDelta::zero()) };
        set_interval(move || clock.tick(), Duration::from_secs(1));
        clock
    }

    /// Now by the server's clock; redraws each second.
    pub fn now(self) -> DateTime<Utc> {
        self.now.get()
    }

    /// The same without redrawing.
    pub fn now_once(self) -> DateTime<Utc> {
        local_now() + self.ahead.get_untracked()
    }

    /// The server says that it is this moment now.
    pub fn server_says(self, at: DateTime<Utc>) {
        let ahead = at - local_now();
        // A round trip's worth of difference is noise, and jumping for it would make ages flicker.
        if (ahead - self.ahead.get_untracked()).num_milliseconds().abs() > 1500 {
            self.ahead.set(ahead);
            self.tick();
        }
    }

    fn tick(self) {
        self.now.set(self.now_once());
    }
}

fn local_now() -> DateTime<Utc> {
    let millis = web_sys::js_sys::Date::now();
    // Whole milliseconds within the range of i64.
    #[allow(clippy::cast_possible_truncation)]
    DateTime::from_timestamp_millis(millis as i64).unwrap_or_default()
}
