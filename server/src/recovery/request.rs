//! Recoveries that people ask for, and what they say of those that were.

use std::sync::Arc;
use std::time::Duration;

use app::finding::{AnalysisCode, Finding};
use app::gtid::GtidPosition;
use app::recovery::{AcknowledgeScope, Recovery, RecoveryKind};
use app::{BinlogCoordinates, InstanceKey};
use chrono::Utc;
use engine::analysis::AnalysisSettings;
use engine::policy;
use engine::recovery::{Machine, RecoverySettings, TakeoverRequest};

use super::RecoveryService;
use super::drive::{Course, Wishes};
use crate::consensus::{Actor, Command, ConsensusError, OutOfReach};
use crate::exec::Held;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryRequest {
    /// Recover a server that analysis finds broken (`recover`).
    Recover {
        /// The server.
        failed: InstanceKey,
        /// Only this one may take over.
        designated: Option<InstanceKey>,
        /// Transactions that may be lost, as a refusal named them.
        accept_loss_of: Option<String>,
        /// No hook is run (`recover-lite`).
        skip_hooks: bool,
    },
    /// Replace a cluster's primary that works (`graceful-master-takeover`, `-auto`).
    Takeover {
        /// Cluster name.
        cluster: String,
        /// The replica that takes over.
        designated: Option<InstanceKey>,
        /// Choose among several, and start replication on the old primary afterwards.
        auto: bool,
    },
    /// Replace a cluster's primary whatever its state (`force-master-failover`, `force-master-takeover`).
    Force {
        /// Cluster name.
        cluster: String,
        /// Only this one may take over.
        designated: Option<InstanceKey>,
        /// Transactions that may be lost, as a refusal named them.
        accept_loss_of: Option<String>,
    },
}

/// Why a recovery was not begun.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The server is not known.
    #[error("{0} is not known; discover it first")]
    Unknown(InstanceKey),
    /// The cluster has no primary, or more than one.
    #[error("cluster {cluster} has no single primary: found {found}")]
    NoPrimary {
        /// Cluster name.
        cluster: String,
        /// What was found instead.
        found: String,
    },
    /// Nothing that a recovery exists for is found about the server.
    #[error("nothing to recover at {key}: {found}")]
    Nothing {
        /// The server.
        key: InstanceKey,
        /// What analysis says.
        found: String,
    },
    /// The transactions that may be lost are not named as a server names them.
    #[error("accepted loss: expected the transactions as the refusal named them, got {given:?}: {reason}")]
    LossUnreadable {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something stands in the way that even a person's word does not remove.
    #[error("{0}")]
    Hold(String),
    /// Another recovery of the cluster is at work; says which.
    #[error("{0}")]
    InProgress(String),
    /// Another operation or recovery is at work on the cluster.
    #[error("{0}")]
    Held(Held),
    /// The backend, which other processes share, has not heard this one lately.
    #[error(
        "the backend has not heard this process for two seconds: another one on the same backend may act, so this one does not"
    )]
    Unheard,
    /// A command was not accepted.
    #[error("{0}")]
    Consensus(#[from] ConsensusError),
}

impl RecoveryService {
    /// Begins what is asked for; the record is registered when this returns, the work goes on behind.
    ///
    /// # Errors
    /// [`RecoverError`]; nothing has been changed then.
    pub async fn start(
        self: &Arc<Self>,
        request: &RecoveryRequest,
        actor: &Actor,
    ) -> Result<Arc<Recovery>, RecoverError> {
        if !self.parts.consensus.is_leader() {
            return Err(RecoverError::Consensus(ConsensusError::NotLeader { leader: None }));
        }
        self.refuse_out_of_reach(request, actor).map_err(ConsensusError::from)?;
        self.require_lease()?;
        match request {
            RecoveryRequest::Recover { failed, designated, accept_loss_of, skip_hooks } => {
                let wishes = self.wishes(failed, designated, accept_loss_of, false)?;
                let wishes = Wishes { skip_hooks: *skip_hooks, ..wishes };
                self.recover(failed, wishes, actor).await
            }
            RecoveryRequest::Takeover { cluster, designated, auto } => {
                self.take_over(cluster, designated.clone(), *auto, actor).await
            }
            RecoveryRequest::Force { cluster, designated, accept_loss_of } => {
                let primary = self.primary_of(cluster)?;
                let wishes = self.wishes(&primary, designated, accept_loss_of, true)?;
                self.force(&primary, wishes, actor).await
            }
        }
    }

    /// As [`Self::start`], and waits until it is over (the compatible API and the commands).
    ///
    /// # Errors
    /// As [`Self::start`]; how it ended is in the record.
    pub async fn run_to_end(
        self: &Arc<Self>,
        request: &RecoveryRequest,
        actor: &Actor,
    ) -> Result<Arc<Recovery>, RecoverError> {
        let begun = self.start(request, actor).await?;
        let mut events = self.parts.events.subscribe();
        loop {
            if let Some(now) = self.registry.find(&begun.uid).filter(|r| r.is_concluded()) {
                return Ok(now);
            }
            // The time-out covers an end that came between the look and the subscription.
            let _next = tokio::time::timeout(Duration::from_millis(250), events.recv()).await;
        }
    }

    /// Acknowledges recoveries. Gives how many.
    ///
    /// # Errors
    /// [`ConsensusError`] when the comment is empty or this node must not act.
    pub async fn acknowledge(
        &self,
        what: AcknowledgeScope,
        comment: &str,
        actor: &Actor,
    ) -> Result<usize, ConsensusError> {
        if let AcknowledgeScope::Id { .. } | AcknowledgeScope::Uid { .. } = &what {
            self.refuse_strange_recovery(&what, actor)?;
        }
        let at = Utc::now();
        let command =
            Command::Acknowledge { what: what.clone(), by: actor.name.clone(), comment: comment.to_owned(), at };
        self.parts.consensus.submit(command, actor).await?;
        self.detections.acknowledge(&what);
        self.forget_told(&what);
        Ok(self.registry.acknowledge(&what, &actor.name, comment, at))
    }

    /// A recovery that is named by number belongs to a cluster, which must be within the actor's limit; of one that is not
    /// held any more nobody can tell.
    fn refuse_strange_recovery(&self, what: &AcknowledgeScope, actor: &Actor) -> Result<(), OutOfReach> {
        let name = match what {
            AcknowledgeScope::Id { id } => id.to_string(),
            AcknowledgeScope::Uid { uid } => uid.clone(),
            _ => return Ok(()),
        };
        match self.registry.find(&name) {
            Some(recovery) => actor.reaches_cluster(&self.parts.fleet.snapshot(), &recovery.cluster),
            None => actor.reaches_everything(&format!("recovery {name}")),
        }
    }

    /// The cluster must be within the actor's limit, and so must who takes over.
    fn refuse_out_of_reach(&self, request: &RecoveryRequest, actor: &Actor) -> Result<(), OutOfReach> {
        let snapshot = self.parts.fleet.snapshot();
        let designated = match request {
            RecoveryRequest::Recover { failed, designated, .. } => {
                actor.reaches_server(&snapshot, failed)?;
                designated
            }
            RecoveryRequest::Takeover { cluster, designated, .. }
            | RecoveryRequest::Force { cluster, designated, .. } => {
                actor.reaches_cluster(&snapshot, cluster)?;
                designated
            }
        };
        designated.as_ref().map_or(Ok(()), |key| actor.reaches_server(&snapshot, key))
    }

    /// What was asked for, checked before anything is done.
    fn wishes(
        &self,
        failed: &InstanceKey,
        designated: &Option<InstanceKey>,
        accept_loss_of: &Option<String>,
        forced: bool,
    ) -> Result<Wishes, RecoverError> {
        let named = accept_loss_of.as_deref().unwrap_or_default().trim().to_owned();
        let flavor = self.parts.fleet.get(failed).map(|i| i.flavor()).unwrap_or_default();
        if let Some(list) = Some(named.strip_prefix("everything after").unwrap_or(&named)).filter(|l| !l.is_empty()) {
            // Without GTID it is a place in the log of the source.
            let read = match list.trim().strip_prefix("up to ") {
                Some(place) => BinlogCoordinates::parse(place.trim()).map(drop).map_err(|error| error.to_string()),
                None => GtidPosition::parse_for(flavor, list.trim()).map(drop).map_err(|error| error.to_string()),
            };
            read.map_err(|reason| RecoverError::LossUnreadable { given: named.clone(), reason })?;
        }
        Ok(Wishes { designated: designated.clone(), accept_loss_of: named, forced, skip_hooks: false })
    }

    async fn recover(
        self: &Arc<Self>,
        failed: &InstanceKey,
        wishes: Wishes,
        actor: &Actor,
    ) -> Result<Arc<Recovery>, RecoverError> {
        // The word of a person is as good as its facts: everybody concerned is read afresh first.
        self.read_around(failed).await?;
        let finding = self.find(failed)?;
        let recent = self.registry.recent();
        let now = Utc::now();
        let situation = policy::Situation { forced: true, ..self.situation(&finding, now, &recent, now) };
        let kind = policy::decide(&finding, &self.policy(), &situation).map_err(|hold| match hold {
            policy::Hold::NotActionable => RecoverError::Nothing { key: failed.clone(), found: finding.text() },
            other @ policy::Hold::InProgress { .. } => RecoverError::InProgress(other.reason()),
            other => RecoverError::Hold(other.reason()),
        })?;
        let snapshot = self.parts.fleet.snapshot();
        self.begin(finding, kind, wishes, actor, &snapshot).await
    }

    async fn force(
        self: &Arc<Self>,
        primary: &InstanceKey,
        wishes: Wishes,
        actor: &Actor,
    ) -> Result<Arc<Recovery>, RecoverError> {
        self.read_around(primary).await?;
        let finding = Finding { code: AnalysisCode::DeadSource, ..self.find(primary)? };
        self.refuse_if_running(&finding)?;
        let snapshot = self.parts.fleet.snapshot();
        self.begin(finding, RecoveryKind::Source, wishes, actor, &snapshot).await
    }

    async fn take_over(
        self: &Arc<Self>,
        cluster: &str,
        designated: Option<InstanceKey>,
        auto: bool,
        actor: &Actor,
    ) -> Result<Arc<Recovery>, RecoverError> {
        let source = self.primary_of(cluster)?;
        self.read_around(&source).await?;
        let finding = self.find(&source)?;
        self.refuse_if_running(&finding)?;
        let snapshot = self.parts.fleet.snapshot();
        let guard = self.hold_cluster(&finding, &snapshot, RecoveryKind::Takeover, actor).await?;
        let config = self.parts.config.current();
        let hooks = self.hook_settings(&source, true, false);
        let settings = crate::settings::recovery(&config, &finding.cluster, &finding.cluster_alias);
        let settings = RecoverySettings { hooks, ..settings };
        let request = TakeoverRequest { source, designated, auto };
        let (machine, decision) = Machine::begin_takeover(&request, &snapshot, &settings, Utc::now());
        let command = "graceful-master-takeover".to_owned();
        let recovery = Recovery { command, ..self.new_record(finding, RecoveryKind::Takeover, actor) };
        Ok(self.launch(Course { recovery, machine, decision, actor: actor.clone(), guard }))
    }

    fn refuse_if_running(&self, finding: &Finding) -> Result<(), RecoverError> {
        let recent = self.registry.recent();
        let running = recent.iter().find(|r| r.running && r.cluster == finding.cluster);
        match running {
            Some(r) => Err(RecoverError::InProgress(policy::Hold::InProgress { uid: r.uid.clone() }.reason())),
            None => Ok(()),
        }
    }

    /// The one primary of a cluster, by name.
    fn primary_of(&self, cluster: &str) -> Result<InstanceKey, RecoverError> {
        let snapshot = self.parts.fleet.snapshot();
        let primaries: Vec<InstanceKey> =
            snapshot.cluster(cluster).filter(|i| i.is_primary_role()).map(|i| i.key.clone()).collect();
        match primaries.as_slice() {
            [one] => Ok(one.clone()),
            others => Err(RecoverError::NoPrimary {
                cluster: cluster.to_owned(),
                found: if others.is_empty() {
                    "none".to_owned()
                } else {
                    others.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                },
            }),
        }
    }

    /// Reads a server and its replicas afresh, side by side. Failures are facts as well.
    async fn read_around(&self, key: &InstanceKey) -> Result<(), RecoverError> {
        let snapshot = self.parts.fleet.snapshot();
        if snapshot.get(key).is_none() {
            return Err(RecoverError::Unknown(key.clone()));
        }
        let around: Vec<InstanceKey> = snapshot.replicas_of(key).map(|r| r.key.clone()).chain([key.clone()]).collect();
        futures_util::future::join_all(around.iter().map(|k| self.read(k))).await;
        Ok(())
    }

    /// What analysis says about a server now, `NoProblem` included.
    fn find(&self, key: &InstanceKey) -> Result<Finding, RecoverError> {
        let settings = AnalysisSettings { include_no_problem: true, ..self.analysis_settings() };
        engine::analysis::analyse(&self.parts.fleet.snapshot(), &settings, Utc::now())
            .into_iter()
            .find(|f| f.key == *key)
            .ok_or_else(|| RecoverError::Unknown(key.clone()))
    }
}
