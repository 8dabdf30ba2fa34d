//! Finding servers and looking at them, again and again.
//!
//! [`Discovery`] runs the [`schedule`], gives each look's result to the picture ([`Fleet`]), follows what it names
//! ([`neighbours`]) and hears the death alarms. Decisions about who is next are in the schedule, which is pure.

mod look;
mod neighbours;
mod resolve;
mod schedule;
mod settings;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use app::topology::{Instance, PromotionRule};
use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

pub use resolve::{Dns, ResolveError, ResolveMethod, ResolveSettings, Resolved, Resolver, SystemDns};
pub use schedule::{Counts, Ended, LaneLoad, Pace, Schedule};
pub use settings::DiscoverySettings;

use crate::fleet::Fleet;
use crate::metrics::ProbeMeter;
use crate::mysql::{Alarm, Alarms, Connector, Probe, ProbeError, Sign};
use crate::tasks::{Task, Tasks};

/// Even with nothing due the loop looks up this often.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Why a server could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// No key that can be connected to.
    #[error("{0} is no address of a server")]
    Invalid(InstanceKey),
    /// Forgotten a short while ago.
    #[error("{0} was forgotten and is not looked at for a while")]
    Barred(InstanceKey),
    /// Its replication user is filtered.
    #[error("{0} is left out by DiscoveryIgnoreReplicationUsernameFilters")]
    Skipped(InstanceKey),
    /// The look failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// What a server says of itself that is a fact of record, and so goes through a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Answer of `DetectPromotionRuleQuery`.
    PromotionRule {
        /// The server, by its resolved name.
        key: InstanceKey,
        /// The rule.
        rule: PromotionRule,
    },
    /// Answer of `DetectClusterDomainQuery`, on a server without a source.
    ClusterDomain {
        /// Name of its cluster.
        cluster: String,
        /// The domain.
        domain: String,
    },
}

/// Takes claims. It must not block.
pub type ClaimSink = Box<dyn Fn(Claim) + Send + Sync>;

/// Finds servers and keeps looking at them.
pub struct Discovery {
    probe: Arc<dyn Probe>,
    fleet: Arc<Fleet>,
    resolver: Resolver,
    settings: ArcSwap<DiscoverySettings>,
    schedule: Mutex<Schedule>,
    /// A look at a server holds its turn; the next one waits.
    turns: Mutex<HashMap<InstanceKey, Arc<tokio::sync::Mutex<()>>>>,
    alarms: Option<Alarms>,
    alarmed: tokio::sync::Mutex<Option<mpsc::UnboundedReceiver<Alarm>>>,
    claims: OnceLock<ClaimSink>,
    meter: ProbeMeter,
    wake: Notify,
    epoch: Instant,
    /// The loop runs: one-shot commands look without keeping alarms.
    running: AtomicBool,
    /// This node polls. Commands may look all the same.
    active: AtomicBool,
}

impl Discovery {
    /// Discovery over real connections, with death alarms.
    pub fn new(
        probe: Arc<dyn Probe>,
        connector: Arc<Connector>,
        fleet: Arc<Fleet>,
        settings: DiscoverySettings,
    ) -> Self {
        let (alarms, alarmed) = Alarms::new(connector);
        Self::with(probe, fleet, settings, Box::new(SystemDns::new()), Some((alarms, alarmed)))
    }

    /// Discovery over any probe and any DNS.
    pub fn with(
        probe: Arc<dyn Probe>,
        fleet: Arc<Fleet>,
        settings: DiscoverySettings,
        dns: Box<dyn Dns>,
        alarms: Option<(Alarms, mpsc::UnboundedReceiver<Alarm>)>,
    ) -> Self {
        let (alarms, alarmed) = alarms.unzip();
        Self {
            probe,
            fleet,
            resolver: Resolver::new(settings.resolve.clone(), dns),
            schedule: Mutex::new(Schedule::new(settings.pace)),
            settings: ArcSwap::from_pointee(settings),
            turns: Mutex::default(),
            alarms,
            alarmed: tokio::sync::Mutex::new(alarmed),
            claims: OnceLock::new(),
            meter: ProbeMeter::default(),
            wake: Notify::new(),
            epoch: Instant::now(),
            running: AtomicBool::new(false),
            active: AtomicBool::new(true),
        }
    }

    /// Replaces the settings. Names are resolved as before until the service starts anew.
    pub fn update(&self, settings: DiscoverySettings) {
        self.schedule().set_pace(settings.pace);
        self.settings.store(Arc::new(settings));
        self.wake.notify_one();
    }

    /// Who takes what servers claim of themselves. The first call counts.
    pub fn on_claim(&self, sink: ClaimSink) {
        let _ = self.claims.set(sink);
    }

    /// Names of hosts.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Whether this node polls; one that does not still looks when asked to.
    pub fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Numbers for status pages.
    pub fn counts(&self) -> Counts {
        self.schedule().counts(self.now())
    }

    /// How busy each lane of the schedule is.
    pub fn lanes(&self) -> [LaneLoad; 3] {
        self.schedule().lanes(self.now())
    }

    /// What looks took.
    pub fn meter(&self) -> &ProbeMeter {
        &self.meter
    }

    /// Open death alarms.
    pub fn count_alarms(&self) -> usize {
        self.alarms.as_ref().map_or(0, Alarms::count)
    }

    /// Starts the loop.
    pub fn start(self: &Arc<Self>, tasks: &Tasks) {
        let me = Arc::clone(self);
        tasks.spawn("discovery", move |task| Arc::clone(&me).run(task));
    }

    /// Looks at a server that an operator named; what it leads to is looked at as soon as there is room. A forgotten one is
    /// welcome again. Everything is asked, also what is asked more rarely as a rule.
    ///
    /// # Errors
    /// Why it could not be looked at.
    pub async fn discover(&self, key: &InstanceKey) -> Result<Arc<Instance>, DiscoveryError> {
        let resolved = InstanceKey::new(self.resolver.resolve_or_keep(&key.hostname).await, key.port);
        self.fleet.unbar(&resolved);
        self.fleet.unbar(key);
        self.look_in_turn(&resolved, true).await
    }

    /// Looks at a server now. A look that has begun already does not count: what the caller wants to see may be younger.
    ///
    /// # Errors
    /// Why it could not be looked at.
    pub async fn probe_now(&self, key: &InstanceKey) -> Result<Arc<Instance>, DiscoveryError> {
        self.look_in_turn(key, false).await
    }

    async fn look_in_turn(&self, key: &InstanceKey, thorough: bool) -> Result<Arc<Instance>, DiscoveryError> {
        if !key.is_valid() {
            return Err(DiscoveryError::Invalid(key.clone()));
        }
        let turn = self.turn(key).lock_owned().await;
        let (seen, _) = self.look(key, thorough).await;
        drop(turn);
        seen.map(|instance| self.fleet.get(&instance.key).unwrap_or(instance))
    }

    /// Looks at a server as soon as there is room; at once, as a rule.
    pub fn probe_soon(&self, key: &InstanceKey) {
        if key.is_valid() {
            self.schedule().soon(key, self.now());
            self.wake.notify_one();
        }
    }

    /// Lets go of a server: it is in the picture no more.
    pub fn forget(&self, key: &InstanceKey) {
        self.schedule().remove(key);
        self.probe.forget(key);
        if let Some(alarms) = &self.alarms {
            alarms.forget(key);
        }
        lock(&self.turns).remove(key);
    }

    async fn run(self: Arc<Self>, task: Task) {
        self.running.store(true, Ordering::Relaxed);
        let mut alarmed = self.alarmed.lock().await;
        self.follow_picture();
        for seed in &self.settings.load().seeds {
            self.schedule().add_found(seed, self.now());
        }
        let mut followed = Instant::now();
        while !task.is_stopping() {
            if followed.elapsed() >= self.settings.load().pace.poll.min(LOOK_UP) {
                self.follow_picture();
                followed = Instant::now();
                task.idle(Ok(()));
            }
            if self.active.load(Ordering::Relaxed) {
                self.begin_due();
            }
            let wait = self.schedule().next_due().map_or(LOOK_UP, |due| due.saturating_sub(self.now()).min(LOOK_UP));
            let wait = if self.active.load(Ordering::Relaxed) { wait } else { LOOK_UP };
            tokio::select! {
                () = task.stopped() => break,
                () = self.wake.notified() => {}
                Some(alarm) = next_alarm(&mut alarmed) => self.hear(&alarm),
                () = sleep(wait) => {}
            }
        }
    }

    /// Begins every look that is due and has room.
    fn begin_due(self: &Arc<Self>) {
        loop {
            let now = self.now();
            let Some(key) = self.schedule().take(now) else { return };
            if let Some((lane, late)) = self.schedule().lateness(&key, now) {
                self.meter.begun_late(lane, late);
            }
            let me = Arc::clone(self);
            tokio::spawn(async move { me.scheduled(key).await });
        }
    }

    /// A server's session ended, so it is dead or restarts; or it has stopped answering. It and its witnesses are looked at before
    /// anybody else.
    fn hear(&self, alarm: &Alarm) {
        let key = &alarm.key;
        match &alarm.sign {
            Sign::Ended(reason) => {
                tracing::info!(server = %key, reason, "death alarm");
                self.fleet.unanswered(key, None);
            }
            Sign::Silent(since) => {
                tracing::debug!(server = %key, "does not answer a ping");
                self.fleet.unanswered(key, Some(*since));
            }
            Sign::Answers => {
                tracing::debug!(server = %key, "answers pings again");
                self.fleet.unanswered(key, None);
                return;
            }
        }
        self.ask_around(key);
        self.probe_soon(key);
    }

    fn ask_around(&self, key: &InstanceKey) {
        for witness in neighbours::witnesses(key, &self.fleet.snapshot()) {
            self.probe_soon(&witness);
        }
    }

    /// Takes servers into the schedule that came into the picture by other ways, and those out that left it.
    fn follow_picture(&self) {
        let keys = self.fleet.keys();
        let gone: Vec<InstanceKey> = {
            let mut schedule = self.schedule();
            let known: std::collections::HashSet<&InstanceKey> = keys.iter().collect();
            let gone = schedule.known_keys().into_iter().filter(|key| !known.contains(key)).collect();
            schedule.add_known(keys.iter().filter(|key| key.is_valid()).cloned(), self.now());
            gone
        };
        for key in gone {
            self.forget(&key);
        }
    }

    fn turn(&self, key: &InstanceKey) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.turns).entry(key.clone()).or_default())
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

/// Without alarms this never completes.
async fn next_alarm(alarmed: &mut Option<mpsc::UnboundedReceiver<Alarm>>) -> Option<Alarm> {
    match alarmed {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic inside would be a bug of the schedule; going on with the rest of it is better than to look at nobody.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
