//! One look: from the key to the picture, and on to the neighbours.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use app::InstanceKey;
use app::topology::{Instance, Replication};
use chrono::Utc;

use super::neighbours::neighbours;
use super::schedule::{Ended, Silence};
use super::{Claim, Discovery, DiscoveryError, lock};
use crate::fleet::{Observation, Outcome};
use crate::mysql::{ProbeContext, ProbeError, ProbeOutcome, Seen};

/// Tells the schedule that a look has ended, however it ended.
struct Running<'a> {
    discovery: &'a Discovery,
    key: &'a InstanceKey,
    how: Ended,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let now = self.discovery.now();
        let (before, after) = {
            let mut schedule = self.discovery.schedule();
            let before = schedule.silence_of(self.key, now);
            schedule.ended(self.key, self.how, now);
            (before, schedule.silence_of(self.key, now))
        };
        if self.discovery.settings.load().tells_of_silent {
            tell_of_silence(self.key, self.how, before, after);
        }
        self.discovery.wake.notify_one();
    }
}

/// What the log says of a server that does not answer, before and after a look.
fn tell_of_silence(key: &InstanceKey, how: Ended, before: Option<Silence>, after: Option<Silence>) {
    match (how, before, after) {
        (Ended::Silent, _, Some(Silence { looks, again_in })) => {
            tracing::debug!(instance = %key, looks, "does not answer; tried again in {} s", again_in.as_secs());
        }
        (Ended::Silent, _, None) => {
            tracing::debug!(instance = %key, "does not answer and is not known: not tried again")
        }
        (Ended::Answered, Some(Silence { looks, .. }), None) => {
            tracing::debug!(instance = %key, looks, "answers again");
        }
        _ => {}
    }
}

impl Discovery {
    /// A look whose turn has come in the schedule.
    pub(super) async fn scheduled(self: Arc<Self>, key: InstanceKey) {
        if self.fleet.is_barred(&key) || !self.settings.load().filters.admits(&key) {
            self.forget(&key);
            return;
        }
        // A look that panics counts as silence, so that it comes again, but not at once.
        let mut running = Running { discovery: &self, key: &key, how: Ended::Silent };
        let Ok(_turn) = self.turn(&key).try_lock_owned() else {
            // A command looks at it just now; that will do.
            running.how = Ended::Answered;
            return;
        };
        let (_, how) = self.look(&key, false).await;
        running.how = how;
    }

    /// Looks, tells the picture, and takes neighbours into the schedule. The caller holds the server's turn.
    pub(super) async fn look(
        &self,
        key: &InstanceKey,
        thorough: bool,
    ) -> (Result<Arc<Instance>, DiscoveryError>, Ended) {
        if self.fleet.is_barred(key) {
            return (Err(DiscoveryError::Barred(key.clone())), Ended::Skipped);
        }
        let mut measured = self.meter.look(key);
        self.fleet.attempt(key, Utc::now());
        let last = self.fleet.glance(key);
        let was_valid = last.as_ref().is_some_and(|last| last.check.is_valid());
        let context = ProbeContext { last, thorough };
        let result = self.probe.probe(key, &context).await;
        measured.asked(&result, self.settings.load().pace.poll);
        let observe = |outcome| {
            self.fleet.observe(Observation {
                probed: key.clone(),
                started: result.started,
                ended: result.ended,
                outcome,
            });
        };
        match result.outcome {
            ProbeOutcome::Seen(seen) => {
                let seen = self.with_resolved_names(*seen).await;
                observe(Outcome::Seen(Box::new(seen.instance.clone())));
                (Ok(self.welcome(key, seen)), Ended::Answered)
            }
            ProbeOutcome::Partial { seen, error } => {
                let known = Box::new(self.with_resolved_names(*seen).await.instance);
                observe(Outcome::Partial { known, error: error.to_string() });
                let how = if error.is_silence() { Ended::Silent } else { Ended::Answered };
                (Err(ProbeError::from(error).into()), how)
            }
            ProbeOutcome::Failed { error } => {
                observe(Outcome::Failed { error: error.to_string() });
                let silent = error.is_silence();
                if silent && was_valid {
                    self.ask_around(key);
                }
                (Err(error.into()), if silent { Ended::Silent } else { Ended::Answered })
            }
            ProbeOutcome::Skipped => {
                observe(Outcome::Skipped);
                (Err(DiscoveryError::Skipped(key.clone())), Ended::Skipped)
            }
        }
    }

    /// A server was seen: everything that follows from it.
    fn welcome(&self, probed: &InstanceKey, seen: Seen) -> Arc<Instance> {
        let key = seen.instance.key.clone();
        if *probed != key {
            // It calls itself otherwise: from now on it is looked at under its own name.
            self.resolver.learn(&probed.hostname, &key.hostname);
            self.schedule().remove(probed);
            self.probe.forget(probed);
            lock(&self.turns).remove(probed);
        }
        let settings = self.settings.load();
        let mut found = false;
        {
            let now = self.now();
            let mut schedule = self.schedule();
            schedule.add_known([key.clone()], now);
            for neighbour in neighbours(&seen.instance, &settings.filters) {
                if !self.fleet.is_barred(&neighbour) {
                    found |= schedule.add_found(&neighbour, now);
                }
            }
        }
        if found {
            self.wake.notify_one();
        }
        if let Some(alarms) = self.alarms.as_ref().filter(|_| self.running.load(Ordering::Relaxed)) {
            alarms.watch(&key, !seen.instance.replicas.is_empty());
        }
        let known = self.fleet.glance(&key).unwrap_or_else(|| Arc::new(seen.instance));
        if let Some(sink) = self.claims.get() {
            if let Some(rule) = seen.promotion_rule {
                sink(Claim::PromotionRule { key, rule });
            }
            if let Some(domain) = seen.cluster_domain {
                sink(Claim::ClusterDomain { cluster: known.cluster_name.clone(), domain });
            }
        }
        known
    }

    /// Names that servers use for each other become the names that we know them by.
    async fn with_resolved_names(&self, mut seen: Seen) -> Seen {
        let instance = &mut seen.instance;
        self.resolve(&mut instance.key).await;
        self.resolve_source(&mut instance.replication).await;
        for channel in &mut instance.channels {
            self.resolve_source(channel).await;
        }
        let others = instance.replicas.iter_mut().chain(&mut instance.group.members);
        for key in others.chain([&mut instance.group.primary]) {
            self.resolve(key).await;
        }
        for list in [&mut instance.replicas, &mut instance.group.members] {
            list.sort();
            list.dedup();
        }
        seen
    }

    async fn resolve_source(&self, channel: &mut Replication) {
        self.resolve(&mut channel.source).await;
    }

    async fn resolve(&self, key: &mut InstanceKey) {
        if key.is_valid() {
            key.hostname = self.resolver.resolve_or_keep(&key.hostname).await;
        }
    }
}
