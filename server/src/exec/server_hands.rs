//! Hands that act on real servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::plan::{Action, Condition, Positioning};
use app::topology::{Equivalence, Instance};
use engine::interpret::Record;
use engine::statements::{self, CREDENTIALS, Credentials, Dialect, FAILING_GTID};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::hands::{HandError, Hands};
use super::matching::Matched;
use super::place::{Goal, Repointed};
use crate::config::LiveConfig;
use crate::consensus::{Actor, Command, Consensus};
use crate::discovery::Discovery;
use crate::fleet::Fleet;
use crate::mysql::Control;

/// How long a look for replication credentials may take.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(2);

/// Replication does not run.
const ER_SLAVE_NOT_RUNNING: u16 = 1199;

/// Pause between looks at a peer that is waited for.
const PEER_PAUSE: Duration = Duration::from_millis(20);

/// Acts on real servers.
pub struct ServerHands {
    pub(super) control: Arc<dyn Control>,
    pub(super) discovery: Arc<Discovery>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) config: Arc<LiveConfig>,
    /// What a server logged in with before its replication was reset; in memory only.
    remembered: Mutex<BTreeMap<InstanceKey, Credentials>>,
    consensus: Arc<Consensus>,
    /// How each replica was repointed, the last time last.
    pub(super) places: Mutex<BTreeMap<InstanceKey, Vec<Repointed>>>,
    /// Places found by pseudo-GTID, by the replica that they are for.
    pub(super) matched: Mutex<BTreeMap<InstanceKey, Matched>>,
    /// How far a look for a place has come, by the replica that it is for.
    searching: Mutex<BTreeMap<InstanceKey, String>>,
}

impl ServerHands {
    /// Hands that act through `control` and read through `discovery`.
    pub fn new(
        control: Arc<dyn Control>,
        discovery: Arc<Discovery>,
        fleet: Arc<Fleet>,
        config: Arc<LiveConfig>,
        consensus: Arc<Consensus>,
    ) -> Self {
        Self {
            control,
            discovery,
            fleet,
            config,
            consensus,
            remembered: Mutex::default(),
            places: Mutex::default(),
            matched: Mutex::default(),
            searching: Mutex::default(),
        }
    }

    async fn carry_out(
        &self,
        key: &InstanceKey,
        action: &Action,
        planned: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        match action {
            Action::Drain => {
                let channel = self.known(key)?.replication.channel.clone();
                self.control.drain(key, &channel, limit, &|_progress| {}).await?;
                Ok(())
            }
            Action::WaitForGtid { set } => self.wait_for(key, set, limit).await,
            Action::FindPlace { peer } => {
                let found = self.find_place(key, peer, limit).await;
                self.searching.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                found
            }
            Action::WaitForPeer { peer } => self.wait_for_peer(key, peer, limit).await,
            Action::KillSessions => {
                self.control.kill_sessions(key, &[], limit).await?;
                Ok(())
            }
            Action::Refresh | Action::Verify { .. } => Ok(()),
            Action::ResetReplication => {
                self.remember_credentials(key).await;
                self.execute(key, action, planned, limit).await
            }
            Action::StartUntil { peer, place, exactly } => {
                let statements = self.statements(key, action, planned)?;
                self.start_until(key, Goal { peer, place: *place, exactly: *exactly }, &statements, limit).await
            }
            Action::PurgeBinaryLogs { to } => {
                self.execute(key, action, planned, limit).await?;
                self.none_before(key, to, limit).await
            }
            Action::ResetBinaryLogs { without } => {
                let statements = self.statements(key, action, planned)?;
                self.reset_binary_logs(key, without, &statements, limit).await
            }
            _ => self.execute(key, action, planned, limit).await,
        }
    }

    /// The statements planned, or those that the action comes down to on the server as last seen.
    fn statements(&self, key: &InstanceKey, action: &Action, planned: &[String]) -> Result<Vec<String>, HandError> {
        if !planned.is_empty() {
            return Ok(planned.to_vec());
        }
        let instance = self.known(key)?;
        Ok(statements::render(action, &instance, &instance.replication))
    }

    async fn execute(
        &self,
        key: &InstanceKey,
        action: &Action,
        planned: &[String],
        limit: Duration,
    ) -> Result<(), HandError> {
        let instance = self.known(key)?;
        let mut statements = self.statements(key, action, planned)?;
        let words = Dialect::of(&instance).words;
        if statements.iter().any(|s| s.contains(CREDENTIALS)) {
            let credentials = self.credentials(key, action).await?;
            for statement in &mut statements {
                *statement = statements::fill_credentials(statement, words, &credentials);
            }
        }
        let mut same_moment = None;
        if let Action::ChangeSource { to, positioning } = action {
            self.name_source(to, planned, &mut statements).await?;
            if *positioning != Positioning::AsBefore {
                same_moment = self.fill_places(&instance, to, positioning, &mut statements).await?;
            } else if !self.fill_place_before(&instance, to, &mut statements).await? {
                return Ok(());
            }
        }
        if statements.iter().any(|s| s.contains(FAILING_GTID)) {
            let failing = self.failing_gtid(&instance, limit).await?;
            for statement in &mut statements {
                *statement = statements::fill_failing_gtid(statement, &failing);
            }
        }
        let done = match action {
            Action::StopReplication | Action::StopApplier if !instance.is_mariadb() => {
                self.stop_applier(&instance, &statements, limit).await
            }
            _ => {
                let work = self.control.execute(key, &statements, limit);
                let late = |_| Err(HandError::Timeout { after: limit });
                tokio::time::timeout(limit, work).await.map_or_else(late, |done| done.map_err(HandError::from))
            }
        };
        match done {
            // A binlog server whose replication is stopped refuses to stop it.
            Err(error) if instance.is_binlog_server() && is_stopped_already(action, error.number()) => {}
            done => done?,
        }
        if let Some(equivalence) = same_moment {
            self.record(equivalence).await;
        }
        Ok(())
    }

    /// Records two places that are the same moment. A move that is done is done, whether or not that can be recorded.
    async fn record(&self, equivalence: Equivalence) {
        let about = equivalence.other.source.clone();
        let command = Command::RecordEquivalence { equivalence };
        if let Err(error) = self.consensus.submit(command, &Actor::system()).await {
            tracing::warn!(instance = %about, %error, "equivalent coordinates are not recorded");
        }
    }

    async fn wait_for(&self, key: &InstanceKey, set: &str, limit: Duration) -> Result<(), HandError> {
        if self.control.wait_for_gtid(key, set, limit).await? {
            return Ok(());
        }
        Err(HandError::Timeout { after: limit })
    }

    /// Waits until `peer` has executed what `key` has, both read afresh.
    async fn wait_for_peer(&self, key: &InstanceKey, peer: &InstanceKey, limit: Duration) -> Result<(), HandError> {
        let own = self.refresh(key).await?;
        let deadline = Instant::now() + limit;
        loop {
            let other = self.refresh(peer).await?;
            let covered = Condition::ExecutedCovers { set: own.executed_gtid.clone() };
            let has_all = match other.is_binlog_server() {
                true => other.binlog >= own.replication.exec,
                false => engine::plan::check(&other, &covered).is_ok(),
            };
            if has_all {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(HandError::Timeout { after: limit });
            }
            tokio::time::sleep(PEER_PAUSE).await;
        }
    }

    pub(super) fn known(&self, key: &InstanceKey) -> Result<Arc<Instance>, HandError> {
        self.fleet.get(key).ok_or_else(|| HandError::Unknown(key.clone()))
    }

    async fn remember_credentials(&self, key: &InstanceKey) {
        if let Some(found) = self.read_credentials(key).await {
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), found);
        }
    }

    /// What a replica without a replication user of its own shall log in with: by `ReplicationCredentialsQuery`, else
    /// what its new source or the other replicas log in with (`spec/discovery.md` 17).
    async fn credentials(&self, key: &InstanceKey, action: &Action) -> Result<Credentials, HandError> {
        let mut ask = vec![key.clone()];
        if let Action::ChangeSource { to, .. } = action {
            ask.push(to.clone());
            ask.extend(self.fleet.snapshot().replicas_of(to).map(|r| r.key.clone()));
        }
        for key in &ask {
            if let Some(found) = self.read_credentials(key).await {
                return Ok(found);
            }
            let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
            if let Some(found) = remembered {
                return Ok(found);
            }
        }
        Err(HandError::NoCredentials(key.clone()))
    }

    async fn read_credentials(&self, key: &InstanceKey) -> Option<Credentials> {
        let config = self.config.current();
        let query = match config.discovery.replication_credentials_query.trim() {
            "" => "SELECT User_name, User_password FROM mysql.slave_master_info WHERE User_name <> '' LIMIT 1",
            configured => configured,
        };
        let rows = self.control.query(key, query, CREDENTIALS_TIMEOUT).await.ok()?;
        let row = rows.first()?;
        let user = row.nth(0)?.to_owned();
        let password = row.nth(1).unwrap_or_default().to_owned();
        (!user.is_empty()).then_some(Credentials { user, password })
    }
}

fn is_stopped_already(action: &Action, error: Option<u16>) -> bool {
    *action == Action::StopReplication && error == Some(ER_SLAVE_NOT_RUNNING)
}

impl Hands for ServerHands {
    fn refresh<'a>(&'a self, key: &'a InstanceKey) -> BoxFuture<'a, Result<Instance, HandError>> {
        async move {
            let seen = self.discovery.probe_now(key).await;
            seen.map(|i| (*i).clone())
                .map_err(|error| HandError::Unreadable { key: key.clone(), reason: error.to_string() })
        }
        .boxed()
    }

    fn act<'a>(
        &'a self,
        key: &'a InstanceKey,
        action: &'a Action,
        statements: &'a [String],
        limit: Duration,
    ) -> BoxFuture<'a, Result<(), HandError>> {
        self.carry_out(key, action, statements, limit).boxed()
    }

    fn how_far(&self, key: &InstanceKey) -> Option<String> {
        self.searching.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn note(&self, key: &InstanceKey, how_far: String) {
        self.searching.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), how_far);
    }

    fn ask<'a>(
        &'a self,
        key: &'a InstanceKey,
        question: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<Record>, HandError>> {
        async move { Ok(self.control.query(key, question, limit).await?) }.boxed()
    }
}
