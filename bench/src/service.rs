//! The service in this process, with the settings that a user begins with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use app::InstanceKey;
use app::recovery::{Recovery, RecoveryState};
use orchestrator::config::{Config, LiveConfig};
use orchestrator::consensus::Actor;
use orchestrator::node::Node;
use orchestrator::services::{self, Services};
use orchestrator::settings;
use orchestrator::store::Store;

/// A running service on a fresh SQLite file.
pub struct Service {
    /// Its rooms.
    pub services: Services,
    began: Instant,
    poll: Duration,
    _folder: tempfile::TempDir,
}

impl Service {
    /// Starts it. Everything is as it is by default but for what connects it to our servers: accounts, the backend,
    /// names that are not resolved, replicas found by their registration, and recovery of every cluster.
    ///
    /// # Errors
    /// The configuration or the backend.
    pub async fn start(poll_seconds: u64) -> Result<Self> {
        Self::start_with(poll_seconds, &serde_json::json!({})).await
    }

    /// The same with further settings.
    ///
    /// # Errors
    /// The configuration or the backend.
    pub async fn start_with(poll_seconds: u64, further: &serde_json::Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = serde_json::json!({
            "MySQLTopologyUser": "orchestrator",
            "MySQLTopologyPassword": "orch_topology_password",
            "BackendDB": "sqlite",
            "SQLite3DataFile": folder.path().join("orchestrator.db"),
            "HostnameResolveMethod": "none",
            "MySQLHostnameResolveMethod": "",
            "DiscoverByShowSlaveHosts": true,
            "RecoverMasterClusterFilters": ["*"],
            "RecoverIntermediateMasterClusterFilters": ["*"],
            "ReplicationCredentialsQuery": "SELECT 'repl', 'repl_password'",
            "InstancePollSeconds": poll_seconds,
        });
        if let (Some(config), Some(further)) = (config.as_object_mut(), further.as_object()) {
            config.extend(further.clone());
        }
        let config = Config::from_json(&config.to_string()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let store = Store::open(&settings::backend(&config), &settings::deployment(&config)).await?;
        let poll = config.discovery.poll_interval();
        let assembled = services::assemble(Arc::new(LiveConfig::fixed(config)), store, Node::new("bench")).await?;
        Ok(Self { services: assembled.run(), began: Instant::now(), poll, _folder: folder })
    }

    /// Makes a server known and waits until so many are.
    ///
    /// # Errors
    /// They are not found in time.
    pub async fn discover(&self, seed: &InstanceKey, count: usize) -> Result<()> {
        self.services.discovery.discover(seed).await.with_context(|| format!("looking at {seed}"))?;
        let began = Instant::now();
        loop {
            let known = self.services.fleet.snapshot();
            let valid = known.instances.values().filter(|i| i.check.is_valid()).count();
            if valid >= count {
                return Ok(());
            }
            ensure!(began.elapsed() < Duration::from_secs(30), "{valid} of {count} servers known after 30 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the service acts: it holds back for three polls after its start.
    pub async fn settled(&self) {
        let acts = self.began + self.poll * 3 + Duration::from_millis(500);
        tokio::time::sleep_until(acts.into()).await;
    }

    /// Waits for the end of the recovery of a server. One that began too early, saw that the server serves and changed
    /// nothing is not meant: another one follows.
    ///
    /// # Errors
    /// It does not end in time; with what holds it back.
    pub async fn recovered(&self, failed: &InstanceKey, limit: Duration) -> Result<Arc<Recovery>> {
        let began = Instant::now();
        loop {
            let all = self.services.recovery.registry().list();
            if let Some(recovery) =
                all.into_iter().find(|r| r.finding.key == *failed && !r.is_running() && !is_false_start(r))
            {
                return Ok(recovery);
            }
            if began.elapsed() > limit {
                let findings = self.services.recovery.findings();
                let held = self.services.recovery.held_because(failed);
                bail!("no recovery of {failed} ended within {limit:?}; held by {held:?}; found: {findings:#?}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Stops it.
    pub async fn stop(self) {
        self.services.tasks.stop();
        self.services.tasks.wait().await;
        self.services.store.close().await;
    }
}

fn is_false_start(recovery: &Recovery) -> bool {
    matches!(&recovery.state, RecoveryState::Failed { reason } if reason.starts_with("source-serves"))
}

/// Who asks for a takeover here.
pub fn actor() -> Actor {
    Actor { address: "127.0.0.1".to_owned(), ..Actor::named("bench") }
}
