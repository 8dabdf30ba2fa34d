//! Injecting pseudo-GTID entries on writeable primaries while `AutoPseudoGTID` is on (`spec/discovery.md` 14), and telling the picture which
//! clusters have them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use app::topology::Instance;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::config::Config;
use crate::services::Services;
use crate::tasks::Task;

/// An entry is injected this often.
const INTERVAL: Duration = Duration::from_secs(5);

/// A cluster counts as having entries for so long after the last one.
const REMEMBERED: TimeDelta = TimeDelta::minutes(60);

/// That a cluster has had an entry is recorded, and what others recorded is read, this often.
const RECORDED: TimeDelta = TimeDelta::seconds(60);

/// What the account may do on a server is asked this often.
const GRANTS_KEPT: TimeDelta = TimeDelta::seconds(60);

/// Starts the loop.
pub fn start(services: &Services) {
    let services = services.clone();
    services.clone().tasks.spawn("pseudo-GTID", move |task| Injector::new(services.clone()).run(task));
}

struct Injector {
    services: Services,
    /// When each cluster had its last entry, by this process or by another.
    clusters: BTreeMap<String, DateTime<Utc>>,
    /// When each cluster was recorded last.
    recorded: BTreeMap<String, DateTime<Utc>>,
    /// When the backend was read last.
    read: Option<DateTime<Utc>>,
    grants: BTreeMap<InstanceKey, (DateTime<Utc>, bool)>,
}

impl Injector {
    fn new(services: Services) -> Self {
        Self { services, clusters: BTreeMap::new(), recorded: BTreeMap::new(), read: None, grants: BTreeMap::new() }
    }

    async fn run(mut self, task: Task) {
        loop {
            task.busy();
            let config = self.services.config.current();
            let result = if config.pseudo_gtid.auto { self.round().await } else { Ok(()) };
            self.tell_picture(&config);
            task.idle(result);
            if !task.sleep(INTERVAL).await {
                return;
            }
        }
    }

    /// Injects one entry into each cluster. What fails in one keeps nobody else from theirs; the last error is told.
    async fn round(&mut self) -> Result<(), String> {
        let now = Utc::now();
        let read = self.read_recorded(now).await;
        if !self.services.consensus.is_leader() {
            return read;
        }
        let targets = engine::pseudo_gtid::targets(&self.services.fleet.snapshot());
        let results = join_all(targets.iter().map(|server| self.inject(server, now))).await;
        let mut outcome = read;
        for (server, (granted, result)) in targets.iter().zip(results) {
            if let Some(granted) = granted {
                self.grants.insert(server.key.clone(), (now, granted));
            }
            match result {
                Ok(()) => {
                    self.clusters.insert(server.cluster_name.clone(), now);
                    outcome = self.record(&server.cluster_name, now).await.and(outcome);
                }
                Err(error) => {
                    tracing::debug!(instance = %server.key, cluster = %server.cluster_name, error, "no entry injected");
                    outcome = Err(error);
                }
            }
        }
        self.grants.retain(|_, (asked, _)| now - *asked < GRANTS_KEPT);
        outcome
    }

    /// Whether the account may, if that was asked now, and how it went.
    async fn inject(&self, server: &Arc<Instance>, now: DateTime<Utc>) -> (Option<bool>, Result<(), String>) {
        let refactor = &self.services.refactor;
        let known = self.grants.get(&server.key).filter(|(asked, _)| now - *asked < GRANTS_KEPT);
        let (asked, allowed) = match known {
            Some((_, allowed)) => (None, *allowed),
            None => match refactor.may_inject(&server.key).await {
                Ok(allowed) => (Some(allowed), allowed),
                Err(error) => return (None, Err(error.to_string())),
            },
        };
        if !allowed {
            let message = format!("{}: AutoPseudoGTID needs GRANT DROP ON `_pseudo_gtid_`.*", server.key);
            return (asked, Err(message));
        }
        let statement = engine::pseudo_gtid::statement(now.timestamp(), server.server_id, rand::random());
        (asked, refactor.inject(&server.key, &statement).await.map_err(|error| error.to_string()))
    }

    async fn record(&mut self, cluster: &str, now: DateTime<Utc>) -> Result<(), String> {
        if self.recorded.get(cluster).is_some_and(|at| now - *at < RECORDED) {
            return Ok(());
        }
        self.services.store.put_injected(cluster, now).await.map_err(|error| error.to_string())?;
        self.recorded.insert(cluster.to_owned(), now);
        Ok(())
    }

    /// Entries of other processes count, and those from before this one was started.
    async fn read_recorded(&mut self, now: DateTime<Utc>) -> Result<(), String> {
        if self.read.is_some_and(|at| now - at < RECORDED) {
            return Ok(());
        }
        let recorded = self.services.store.injected_since(now - REMEMBERED).await.map_err(|error| error.to_string())?;
        for cluster in recorded {
            self.clusters.entry(cluster).or_insert(now - RECORDED);
        }
        self.read = Some(now);
        Ok(())
    }

    fn tell_picture(&mut self, config: &Config) {
        let now = Utc::now();
        self.clusters.retain(|_, at| now - *at < REMEMBERED);
        let detected = !config.pseudo_gtid.pattern.is_empty() && !config.pseudo_gtid.detect_query.trim().is_empty();
        let injected = match config.pseudo_gtid.auto {
            true => Some(self.clusters.keys().cloned().collect()),
            false if detected => None,
            false => Some(std::collections::BTreeSet::new()),
        };
        self.services.fleet.set_injected(injected);
    }
}
