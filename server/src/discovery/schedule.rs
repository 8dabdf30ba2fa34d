//! Who is probed next. Pure: time comes in as an argument, as time since some fixed moment.
//!
//! - Every server has a place of its own within the poll period, and the places are spread evenly, so that there is no
//!   burst once a second or once a period. A probe out of turn (an alarm, a command) does not move the place.
//! - Three lanes, each with room for so many probes at a time: *urgent* (asked for, alarmed, or just found), *regular*, and
//!   *silent* for servers that did not answer last time. A silent server is tried less and less often, and no number of them
//!   can delay the others, as their lane is their own. A look that takes long is counted to the silent lane while it still
//!   runs: when a whole region goes dark at once, the first looks at it must not hold up the rest either.
//! - One probe of a server at a time. One asked for while another runs begins when that has ended, because what it shall see
//!   may have happened since the first one began.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use app::InstanceKey;

/// Each server's place in the period is the last one's moved on by the golden ratio: however many there are, they are
/// spread evenly.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// A server that is not in the picture backs off by at least this factor: it may be a name that leads nowhere.
const STRANGER_FACTOR: f64 = 2.0;
/// A server that is not in the picture is dropped after this many tries; whoever still names it brings it back.
const STRANGER_TRIES: u32 = 10;

/// A look that takes longer than this gives up its room to others; a server that is well answers in a few milliseconds.
const YIELD_AFTER: Duration = Duration::from_millis(500);

/// How often, and how many at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// `InstancePollSeconds`.
    pub poll: Duration,
    /// `DiscoveryMaxConcurrency`: probes at a time, in the urgent and in the regular lane each.
    pub concurrency: usize,
    /// `DeadInstanceDiscoveryMaxConcurrency`: probes at a time in the silent lane.
    pub silent_concurrency: usize,
    /// `DeadInstancePollSecondsMultiplyFactor`.
    pub silent_factor: f64,
    /// `DeadInstancePollSecondsMax`.
    pub silent_max: Duration,
}

/// How busy a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLoad {
    /// `urgent`, `regular` or `silent`.
    pub lane: &'static str,
    /// Probes that run.
    pub running: usize,
    /// Probes that are due and wait for room.
    pub waiting: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(5),
            concurrency: 300,
            silent_concurrency: 75,
            silent_factor: 1.0,
            silent_max: Duration::from_secs(300),
        }
    }
}

impl Pace {
    /// Wait after the `failures`th silence in a row: the period, grown by the factor for each silence after the first.
    fn silence(&self, failures: u32, factor: f64) -> Duration {
        let longest = self.silent_max.max(self.poll);
        let power = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.poll.as_secs_f64() * factor.max(1.0).powi(power);
        if grown >= longest.as_secs_f64() { longest } else { Duration::try_from_secs_f64(grown).unwrap_or(longest) }
    }
}

/// How a probe ended, as far as the schedule cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The server answered, be it with an error.
    Answered,
    /// The server did not answer.
    Silent,
    /// It is not to be looked at for a while.
    Skipped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Lane {
    Urgent,
    Regular,
    Silent,
}

const LANES: [Lane; 3] = [Lane::Urgent, Lane::Regular, Lane::Silent];

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Regular => "regular",
            Self::Silent => "silent",
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// Place in the period, from 0 to 1.
    place: f64,
    lane: Lane,
    due: Duration,
    /// Silences in a row.
    failures: u32,
    /// It is in the picture.
    known: bool,
    running: Option<Run>,
    /// Asked for while running.
    again: bool,
}

/// A probe that runs.
#[derive(Debug, Clone, Copy)]
struct Run {
    lane: Lane,
    since: Duration,
}

/// A server that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Looks in a row that it did not answer.
    pub looks: u32,
    /// The next one is due after this time.
    pub again_in: Duration,
}

/// Numbers for status pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Servers in the schedule.
    pub servers: usize,
    /// Probes that run.
    pub running: usize,
    /// Probes that are due and wait for room.
    pub waiting: usize,
    /// Servers that did not answer last time.
    pub silent: usize,
}

/// The schedule.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    entries: HashMap<InstanceKey, Entry>,
    queues: [BTreeSet<(Duration, InstanceKey)>; 3],
    running: [usize; 3],
    /// Probes that take room from others, by when they began.
    begun: BTreeSet<(Duration, InstanceKey)>,
    added: u64,
}

impl Schedule {
    /// An empty schedule.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            entries: HashMap::new(),
            queues: Default::default(),
            running: [0; 3],
            begun: BTreeSet::new(),
            added: 0,
        }
    }

    /// Changes the pace; what is planned already keeps its time.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// The server is in the schedule.
    pub fn contains(&self, key: &InstanceKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Servers in the schedule that are in the picture, as far as was told.
    pub fn known_keys(&self) -> Vec<InstanceKey> {
        self.entries.iter().filter(|(_, e)| e.known).map(|(key, _)| key.clone()).collect()
    }

    /// Adds servers that are in the picture, each at its place in the coming period. Those in the schedule keep their time.
    pub fn add_known(&mut self, keys: impl IntoIterator<Item = InstanceKey>, now: Duration) {
        for key in keys {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.known = true;
                continue;
            }
            let place = self.next_place();
            let due = now + self.pace.poll.mul_f64(place);
            self.insert(
                key,
                Entry { place, lane: Lane::Regular, due, failures: 0, known: true, running: None, again: false },
            );
        }
    }

    /// Adds a server that was just found, to be probed at once. `false` when it is in the schedule already.
    pub fn add_found(&mut self, key: &InstanceKey, now: Duration) -> bool {
        if self.contains(key) {
            return false;
        }
        let place = self.next_place();
        let entry =
            Entry { place, lane: Lane::Urgent, due: now, failures: 0, known: false, running: None, again: false };
        self.insert(key.clone(), entry);
        true
    }

    /// Wants a server to be probed as soon as possible; it is added if need be.
    pub fn soon(&mut self, key: &InstanceKey, now: Duration) {
        if self.add_found(key, now) {
            return;
        }
        self.change(key, |entry| {
            if entry.running.is_some() {
                entry.again = true;
            } else if entry.lane != Lane::Urgent {
                entry.lane = Lane::Urgent;
                entry.due = now;
            }
        });
    }

    /// Takes the next server that is due, if there is room for it in its lane. Its probe must be ended with
    /// [`Self::ended`].
    pub fn take(&mut self, now: Duration) -> Option<InstanceKey> {
        self.yield_room(now);
        for lane in LANES {
            if self.running[lane as usize] >= self.room(lane) {
                continue;
            }
            let Some((due, key)) = self.queues[lane as usize].first().cloned() else { continue };
            if due > now {
                continue;
            }
            self.queues[lane as usize].pop_first();
            self.running[lane as usize] += 1;
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.running = Some(Run { lane, since: now });
            }
            if lane != Lane::Silent {
                self.begun.insert((now, key.clone()));
            }
            return Some(key);
        }
        None
    }

    /// When [`Self::take`] may have something to give next; `None` when there is nothing to wait for.
    pub fn next_due(&self) -> Option<Duration> {
        let first = |lane: Lane| self.queues[lane as usize].first().map(|(due, _)| *due);
        let has_room = |lane: Lane| self.running[lane as usize] < self.room(lane);
        let yielded = self.begun.first().map(|(since, _)| *since + YIELD_AFTER);
        LANES
            .into_iter()
            .filter_map(|lane| {
                let due = first(lane)?;
                if has_room(lane) {
                    Some(due)
                } else if lane == Lane::Silent {
                    None
                } else {
                    yielded.map(|at| at.max(due))
                }
            })
            .min()
    }

    /// Counts looks that take long to the silent lane.
    fn yield_room(&mut self, now: Duration) {
        while let Some((since, key)) = self.begun.first().cloned() {
            if since + YIELD_AFTER > now {
                return;
            }
            self.begun.pop_first();
            let Some(run) = self.entries.get_mut(&key).and_then(|entry| entry.running.as_mut()) else { continue };
            let before = std::mem::replace(&mut run.lane, Lane::Silent);
            self.running[before as usize] = self.running[before as usize].saturating_sub(1);
            self.running[Lane::Silent as usize] += 1;
        }
    }

    /// A probe has ended: plans the next one.
    pub fn ended(&mut self, key: &InstanceKey, how: Ended, now: Duration) {
        let pace = self.pace;
        let mut drop_it = false;
        self.change(key, |entry| {
            entry.running = None;
            entry.lane = Lane::Regular;
            match how {
                Ended::Answered if entry.known => {
                    entry.failures = 0;
                    entry.due = next_place(entry.place, pace.poll, now);
                }
                Ended::Skipped => entry.due = now + pace.silent_max.max(pace.poll),
                // A stranger that answers, and yet did not come into the picture, keeps us out.
                Ended::Silent | Ended::Answered => {
                    entry.failures = entry.failures.saturating_add(1);
                    if how == Ended::Silent {
                        entry.lane = Lane::Silent;
                    }
                    let factor = if entry.known { pace.silent_factor } else { pace.silent_factor.max(STRANGER_FACTOR) };
                    entry.due = now + pace.silence(entry.failures, factor);
                    drop_it = !entry.known && entry.failures >= STRANGER_TRIES;
                }
            }
            if std::mem::take(&mut entry.again) {
                entry.lane = Lane::Urgent;
                entry.due = now;
                drop_it = false;
            }
        });
        if drop_it {
            self.remove(key);
        }
    }

    /// The server did not answer the last time; `None` when it did, or is in no schedule.
    pub fn silence_of(&self, key: &InstanceKey, now: Duration) -> Option<Silence> {
        let entry = self.entries.get(key).filter(|entry| entry.failures > 0)?;
        Some(Silence { looks: entry.failures, again_in: entry.due.saturating_sub(now) })
    }

    /// Takes a server out. If a probe of it runs, its end is of no consequence.
    pub fn remove(&mut self, key: &InstanceKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.queues[entry.lane as usize].remove(&(entry.due, key.clone()));
            if let Some(run) = entry.running {
                self.release(run, key);
            }
        }
    }

    fn release(&mut self, run: Run, key: &InstanceKey) {
        self.running[run.lane as usize] = self.running[run.lane as usize].saturating_sub(1);
        self.begun.remove(&(run.since, key.clone()));
    }

    /// Numbers for status pages.
    pub fn counts(&self, now: Duration) -> Counts {
        Counts {
            servers: self.entries.len(),
            running: self.running.iter().sum(),
            waiting: self.queues.iter().map(|queue| queue.iter().take_while(|(due, _)| *due <= now).count()).sum(),
            silent: self.entries.values().filter(|entry| entry.failures > 0).count(),
        }
    }

    /// How busy each lane is.
    pub fn lanes(&self, now: Duration) -> [LaneLoad; 3] {
        LANES.map(|lane| LaneLoad {
            lane: lane.name(),
            running: self.running[lane as usize],
            waiting: self.queues[lane as usize].iter().take_while(|(due, _)| *due <= now).count(),
        })
    }

    /// How late the probe of a server began that was just [taken](Self::take), and in which lane.
    pub fn lateness(&self, key: &InstanceKey, now: Duration) -> Option<(&'static str, Duration)> {
        let entry = self.entries.get(key)?;
        Some((entry.lane.name(), now.saturating_sub(entry.due)))
    }

    fn room(&self, lane: Lane) -> usize {
        let room = if lane == Lane::Silent { self.pace.silent_concurrency } else { self.pace.concurrency };
        room.max(1)
    }

    fn next_place(&mut self) -> f64 {
        self.added += 1;
        (self.added as f64 * GOLDEN).fract()
    }

    fn insert(&mut self, key: InstanceKey, entry: Entry) {
        self.queues[entry.lane as usize].insert((entry.due, key.clone()));
        self.entries.insert(key, entry);
    }

    /// Changes an entry and keeps queues and counts true to it. A running server stands in no queue.
    fn change(&mut self, key: &InstanceKey, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        self.queues[entry.lane as usize].remove(&(entry.due, key.clone()));
        let before = entry.running;
        change(entry);
        let ended = entry.running.is_none();
        if ended {
            self.queues[entry.lane as usize].insert((entry.due, key.clone()));
        }
        if let Some(run) = before.filter(|_| ended) {
            self.release(run, key);
        }
    }
}

/// The next time after `now` at this place of the period, at least a quarter of a period away: after a probe out of turn
/// the regular one need not follow on its heels.
fn next_place(place: f64, poll: Duration, now: Duration) -> Duration {
    let period = poll.as_secs_f64().max(0.001);
    let earliest = now.as_secs_f64() + period / 4.0;
    let rounds = ((earliest / period) - place).ceil().max(0.0);
    Duration::try_from_secs_f64((rounds + place) * period).unwrap_or(now + poll)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
