//! Whether a finding is acted upon now, and why not: opt-in, downtime, switch, hold-off, anti-flapping, storms, grace.
//!
//! "Why did it not fail over?" is the question users ask most, so every way of not acting is a value with its
//! reason, and the same function answers the page, the API and the recovery loop (`spec/recovery.md` 3.1 to 3.3).

mod storm;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::recovery::RecoveryKind;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use storm::{Budget, clusters_failing};

/// Settings that decide whether to act.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `RecoveryPeriodBlockSeconds`: a finished recovery blocks another one of its cluster for this long.
    pub block_period: TimeDelta,
    /// How long a problem must last before it is acted upon, in clusters without a time of their own.
    pub grace: TimeDelta,
    /// Nothing is done before this time: the picture is not complete yet after a start.
    pub hold_off_until: DateTime<Utc>,
    /// Nothing is done before this time: this node has just become the leader.
    pub leader_hold_off_until: DateTime<Utc>,
    /// Recoveries that may begin by themselves anywhere.
    pub budget: Budget,
    /// The same for failed servers of one data centre.
    pub data_center_budget: Budget,
    /// When more clusters than this fail at once, a person has to decide; 0 is any number.
    pub storm_clusters: usize,
}

impl Default for Policy {
    /// Acts at once, and however often, but for the block period of an hour.
    fn default() -> Self {
        Self {
            block_period: TimeDelta::hours(1),
            grace: TimeDelta::zero(),
            hold_off_until: DateTime::<Utc>::MIN_UTC,
            leader_hold_off_until: DateTime::<Utc>::MIN_UTC,
            budget: Budget::UNLIMITED,
            data_center_budget: Budget::UNLIMITED,
            storm_clusters: 0,
        }
    }
}

/// A recovery that matters for the decision: one at work, or one that ended lately.
#[derive(Debug, Clone)]
pub struct Recent {
    /// Number, for people.
    pub uid: String,
    /// Kind.
    pub kind: RecoveryKind,
    /// It began by itself: nobody asked for it.
    pub automatic: bool,
    /// Data centre of the failed server; empty when unknown.
    pub data_center: String,
    /// Cluster name when it began.
    pub cluster: String,
    /// Cluster alias when it began.
    pub cluster_alias: String,
    /// The failed server.
    pub failed: InstanceKey,
    /// The promoted server.
    pub successor: Option<InstanceKey>,
    /// Still at work.
    pub running: bool,
    /// Begin.
    pub started: DateTime<Utc>,
    /// Acknowledged: blocks nothing any more.
    pub acknowledged: bool,
}

/// What stands in the way of acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "snake_case")]
pub enum Hold {
    /// No recovery exists for this code.
    NotActionable,
    /// The server, or all of its replicas, are in downtime.
    Downtime,
    /// The cluster did not opt in (`RecoverMasterClusterFilters`, `RecoverIntermediateMasterClusterFilters`).
    NotOptedIn {
        /// The configuration key that would.
        key: String,
    },
    /// The configuration asks for no recovery of this kind of problem.
    NotConfigured {
        /// The keys of which one would.
        keys: String,
    },
    /// Recoveries are switched off for the whole group.
    SwitchedOff,
    /// This node must not act.
    NotLeader,
    /// The service started a moment ago.
    JustStarted {
        /// From then on it acts.
        until: DateTime<Utc>,
    },
    /// This node became the leader a moment ago.
    JustLeading {
        /// From then on it acts.
        until: DateTime<Utc>,
    },
    /// So many clusters fail at once that a person has to look first.
    ManyClusters {
        /// How many fail.
        clusters: usize,
        /// How many may.
        limit: usize,
    },
    /// As many recoveries as may begin by themselves in a while have begun.
    Budget {
        /// The data centre whose budget is spent; `None` for that of all.
        data_center: Option<String>,
        /// How many may.
        count: usize,
        /// The next one may begin then.
        until: DateTime<Utc>,
    },
    /// The problem has not lasted long enough.
    Grace {
        /// From then on it acts.
        until: DateTime<Utc>,
    },
    /// Another recovery of this cluster is at work.
    InProgress {
        /// Its identity.
        uid: String,
    },
    /// A recovery of this cluster, or one that promoted this very server, ended lately and nobody acknowledged it.
    Blocked {
        /// Its identity.
        uid: String,
        /// The block ends by itself then.
        until: DateTime<Utc>,
    },
}

impl Hold {
    /// The reason for people: what stands in the way and what would remove it.
    pub fn reason(&self) -> String {
        match self {
            Self::NotActionable => "there is no recovery for this kind of problem".to_owned(),
            Self::Downtime => "the server or all of its replicas are in downtime".to_owned(),
            Self::NotOptedIn { key } => format!("the cluster matches no entry of {key}"),
            Self::NotConfigured { keys } => format!("not asked for: {keys} is off"),
            Self::SwitchedOff => "recoveries are switched off globally (enable-global-recoveries)".to_owned(),
            Self::NotLeader => "another node is the leader and acts".to_owned(),
            Self::JustStarted { until } => {
                format!("the service has just started and acts from {}", until.format("%H:%M:%S"))
            }
            Self::JustLeading { until } => {
                format!("this node has just become the leader and acts from {}", until.format("%H:%M:%S"))
            }
            Self::ManyClusters { clusters, limit } => format!(
                "{clusters} clusters fail at once, more than RecoveryStormClusters ({limit}): a person has to decide; recover them \
                 one by one"
            ),
            Self::Budget { data_center, count, until } => {
                let (whose, key) = match data_center {
                    Some(name) => (format!(" in data centre {name}"), "RecoveryBudgetPerDataCenterCount"),
                    None => (String::new(), "RecoveryBudgetCount"),
                };
                format!(
                    "{count} recoveries began by themselves{whose} lately ({key}); acknowledge them, or wait until {}",
                    until.format("%Y-%m-%d %H:%M:%S")
                )
            }
            Self::Grace { until } => format!("grace time: acts from {}", until.format("%H:%M:%S")),
            Self::InProgress { uid } => format!("recovery {uid} of this cluster is at work"),
            Self::Blocked { uid, until } => format!(
                "recovery {uid} ended lately; acknowledge it, or wait until {}",
                until.format("%Y-%m-%d %H:%M:%S")
            ),
        }
    }
}

/// Switches of the recoveries that put a source right; they stand in place of the cluster filters (`spec/recovery.md` 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs {
    /// `RecoverLockedSemiSyncMaster`.
    pub locked_semi_sync: bool,
    /// `EnforceExactSemiSyncReplicas`.
    pub exact_semi_sync: bool,
    /// `RecoverNonWriteableMaster`.
    pub read_only_source: bool,
}

/// The situation a finding is judged in.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// Now.
    pub now: DateTime<Utc>,
    /// The problem has been seen without a break since then.
    pub since: DateTime<Utc>,
    /// This node acts.
    pub is_leader: bool,
    /// The global switch.
    pub recoveries_enabled: bool,
    /// The cluster opted in to recovery of dead sources.
    pub source_opt_in: bool,
    /// The cluster opted in to recovery of dead intermediate sources.
    pub intermediate_opt_in: bool,
    /// Which repairs of a source are asked for.
    pub repairs: Repairs,
    /// Recoveries at work or ended lately, of any cluster.
    pub recent: &'a [Recent],
    /// The cluster's own grace time, where it has one; else [`Policy::grace`].
    pub grace: Option<TimeDelta>,
    /// How many clusters fail at once ([`clusters_failing`]).
    pub clusters_failing: usize,
    /// A person asked for it: only a recovery at work stands in the way.
    pub forced: bool,
}

/// The recovery that exists for a code; `None` when nothing acts on it.
pub fn recovery_for(code: AnalysisCode) -> Option<RecoveryKind> {
    use AnalysisCode as C;
    match code {
        C::DeadSource | C::DeadSourceAndSomeReplicas => Some(RecoveryKind::Source),
        C::DeadCoSource | C::DeadCoSourceAndSomeReplicas => Some(RecoveryKind::CoSource),
        C::DeadGroupMemberWithReplicas => Some(RecoveryKind::GroupMember),
        C::LockedSemiSyncSource | C::SourceWithTooManySemiSyncReplicas => Some(RecoveryKind::SemiSync),
        C::NoWriteableSource => Some(RecoveryKind::ReadOnlySource),
        C::DeadIntermediateSource
        | C::DeadIntermediateSourceAndSomeReplicas
        | C::DeadIntermediateSourceWithSingleReplicaFailingToConnect
        | C::AllIntermediateSourceReplicasFailingToConnectOrDead => Some(RecoveryKind::IntermediateSource),
        _ => None,
    }
}

/// Decides whether a finding is acted upon now.
///
/// # Errors
/// [`Hold`]: what stands in the way.
pub fn decide(finding: &Finding, policy: &Policy, situation: &Situation<'_>) -> Result<RecoveryKind, Hold> {
    let kind = recovery_for(finding.code).ok_or(Hold::NotActionable)?;
    if let Some(running) = situation.recent.iter().find(|r| r.running && same_cluster(r, finding)) {
        return Err(Hold::InProgress { uid: running.uid.clone() });
    }
    not_configured(finding.code, situation.repairs)?;
    if situation.forced {
        // Those that repair a source are held back even then, as in the original.
        let block = blocking(finding, kind, policy, situation).filter(|_| kind.repairs_source());
        return block.map_or(Ok(kind), Err);
    }
    if finding.is_skippable() {
        return Err(Hold::Downtime);
    }
    opted_in(kind, situation)?;
    if !situation.recoveries_enabled {
        return Err(Hold::SwitchedOff);
    }
    if !situation.is_leader {
        return Err(Hold::NotLeader);
    }
    if situation.now < policy.hold_off_until {
        return Err(Hold::JustStarted { until: policy.hold_off_until });
    }
    if situation.now < policy.leader_hold_off_until {
        return Err(Hold::JustLeading { until: policy.leader_hold_off_until });
    }
    if let Some(block) = blocking(finding, kind, policy, situation) {
        return Err(block);
    }
    if let Some(hold) = storm::storm(finding, policy, situation) {
        return Err(hold);
    }
    let grace = situation.grace.unwrap_or(policy.grace);
    let grace_until = situation.since.checked_add_signed(grace).unwrap_or(DateTime::<Utc>::MAX_UTC);
    if situation.now < grace_until {
        return Err(Hold::Grace { until: grace_until });
    }
    Ok(kind)
}

/// The switch of a repair is on. Without it nothing is even registered, so that it cannot block a failover (`spec/recovery.md` 10, 2).
fn not_configured(code: AnalysisCode, repairs: Repairs) -> Result<(), Hold> {
    let (on, keys) = match code {
        AnalysisCode::LockedSemiSyncSource => (
            repairs.locked_semi_sync || repairs.exact_semi_sync,
            "RecoverLockedSemiSyncMaster or EnforceExactSemiSyncReplicas",
        ),
        AnalysisCode::SourceWithTooManySemiSyncReplicas => (repairs.exact_semi_sync, "EnforceExactSemiSyncReplicas"),
        AnalysisCode::NoWriteableSource => (repairs.read_only_source, "RecoverNonWriteableMaster"),
        _ => return Ok(()),
    };
    if on { Ok(()) } else { Err(Hold::NotConfigured { keys: keys.to_owned() }) }
}

/// The cluster asked for recoveries of this kind. Those that repair a source have switches of their own.
fn opted_in(kind: RecoveryKind, situation: &Situation<'_>) -> Result<(), Hold> {
    let (opted_in, key) = match kind {
        RecoveryKind::Source | RecoveryKind::CoSource | RecoveryKind::Takeover => {
            (situation.source_opt_in, "RecoverMasterClusterFilters")
        }
        RecoveryKind::IntermediateSource | RecoveryKind::GroupMember => {
            (situation.intermediate_opt_in, "RecoverIntermediateMasterClusterFilters")
        }
        RecoveryKind::SemiSync | RecoveryKind::ReadOnlySource => return Ok(()),
    };
    if opted_in { Ok(()) } else { Err(Hold::NotOptedIn { key: key.to_owned() }) }
}

/// Anti-flapping (`spec/recovery.md` 3.3.3): a recovery of the cluster within the block period, or one that promoted
/// the server that failed now. A takeover that people asked for acknowledges itself and so never blocks.
///
/// What only repairs a server in its place (semi-sync, read-only) names that server as its own successor in the original, and
/// so blocks its failover; here it blocks nothing but its own repetition.
fn blocking(finding: &Finding, kind: RecoveryKind, policy: &Policy, situation: &Situation<'_>) -> Option<Hold> {
    let until = |r: &Recent| r.started.checked_add_signed(policy.block_period).unwrap_or(DateTime::<Utc>::MAX_UTC);
    situation
        .recent
        .iter()
        .filter(|r| !r.acknowledged && !r.running)
        .filter(|r| r.successor.as_ref() == Some(&finding.key) || same_cluster(r, finding))
        .filter(|r| !r.kind.repairs_source() || (r.kind == kind && r.failed == finding.key))
        .map(|r| (r, until(r)))
        .filter(|(_, until)| *until > situation.now)
        .max_by_key(|(_, until)| *until)
        .map(|(r, until)| Hold::Blocked { uid: r.uid.clone(), until })
}

/// A cluster's name changes with its primary, so the alias counts too where there is one.
fn same_cluster(recent: &Recent, finding: &Finding) -> bool {
    let has_alias = !finding.cluster_alias.is_empty() && finding.cluster_alias != finding.cluster;
    recent.cluster == finding.cluster || (has_alias && recent.cluster_alias == finding.cluster_alias)
}

#[cfg(test)]
mod tests {
    use app::finding::{Facts, Severity};

    use super::*;

    pub(super) fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    pub(super) fn finding() -> Finding {
        Finding {
            key: InstanceKey::new("db1", 3306),
            source: InstanceKey::default(),
            cluster: "db1:3306".into(),
            cluster_alias: "orders".into(),
            cluster_domain: String::new(),
            code: AnalysisCode::DeadSource,
            description: String::new(),
            structure: vec![],
            severity: Severity::Broken,
            actionable: true,
            downtime_end: None,
            replicas_downtimed: false,
            facts: Facts::default(),
            evidence: vec![],
        }
    }

    pub(super) fn policy() -> Policy {
        Policy { block_period: TimeDelta::seconds(3600), ..Policy::default() }
    }

    pub(super) fn situation(recent: &[Recent]) -> Situation<'_> {
        Situation {
            now: at(10_000),
            since: at(9_999),
            is_leader: true,
            recoveries_enabled: true,
            source_opt_in: true,
            intermediate_opt_in: false,
            repairs: Repairs::default(),
            recent,
            grace: None,
            clusters_failing: 1,
            forced: false,
        }
    }

    pub(super) fn recent(started: i64) -> Recent {
        Recent {
            uid: "1:ab".into(),
            kind: RecoveryKind::Source,
            automatic: true,
            data_center: String::new(),
            cluster: "db0:3306".into(),
            cluster_alias: "orders".into(),
            failed: InstanceKey::new("db0", 3306),
            successor: Some(InstanceKey::new("db1", 3306)),
            running: false,
            started: at(started),
            acknowledged: false,
        }
    }

    #[test]
    fn a_dead_source_of_a_cluster_that_opted_in_is_recovered() {
        assert_eq!(decide(&finding(), &policy(), &situation(&[])), Ok(RecoveryKind::Source));
    }

    #[test]
    fn each_way_of_not_acting_has_its_reason() {
        let mut downtimed = finding();
        downtimed.downtime_end = Some(at(20_000));
        assert_eq!(decide(&downtimed, &policy(), &situation(&[])), Err(Hold::Downtime));
        let mut reachable = finding();
        reachable.code = AnalysisCode::UnreachableSource;
        assert_eq!(decide(&reachable, &policy(), &situation(&[])), Err(Hold::NotActionable));
        let off = Situation { recoveries_enabled: false, ..situation(&[]) };
        assert_eq!(decide(&finding(), &policy(), &off), Err(Hold::SwitchedOff));
        let stranger = Situation { source_opt_in: false, ..situation(&[]) };
        let hold = decide(&finding(), &policy(), &stranger).expect_err("not opted in");
        assert!(hold.reason().contains("RecoverMasterClusterFilters"), "{}", hold.reason());
        let early = Policy { hold_off_until: at(10_001), ..policy() };
        assert_eq!(decide(&finding(), &early, &situation(&[])), Err(Hold::JustStarted { until: at(10_001) }));
        let elected = Policy { leader_hold_off_until: at(10_001), ..policy() };
        assert_eq!(decide(&finding(), &elected, &situation(&[])), Err(Hold::JustLeading { until: at(10_001) }));
        let patient = Policy { grace: TimeDelta::seconds(15), ..policy() };
        assert_eq!(decide(&finding(), &patient, &situation(&[])), Err(Hold::Grace { until: at(10_014) }));
    }

    #[test]
    fn a_clusters_own_grace_time_counts_in_place_of_the_general_one() {
        let own = |seconds| Situation { grace: Some(TimeDelta::seconds(seconds)), ..situation(&[]) };
        let patient = Policy { grace: TimeDelta::seconds(15), ..policy() };
        assert!(decide(&finding(), &patient, &own(0)).is_ok());
        assert_eq!(decide(&finding(), &policy(), &own(60)), Err(Hold::Grace { until: at(10_059) }));
        // A time without end is one, and no panic.
        let never = Situation { grace: Some(TimeDelta::MAX), ..situation(&[]) };
        assert!(matches!(decide(&finding(), &policy(), &never), Err(Hold::Grace { .. })));
    }

    #[test]
    fn anything_that_moved_servers_blocks_the_whole_cluster() {
        for kind in [RecoveryKind::CoSource, RecoveryKind::IntermediateSource, RecoveryKind::GroupMember] {
            let lately = [Recent { kind, ..recent(8_000) }];
            assert!(
                matches!(decide(&finding(), &policy(), &situation(&lately)), Err(Hold::Blocked { .. })),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_recovery_that_ended_lately_blocks_until_acknowledged_or_over() {
        let lately = [recent(8_000)];
        assert_eq!(
            decide(&finding(), &policy(), &situation(&lately)),
            Err(Hold::Blocked { uid: "1:ab".into(), until: at(11_600) })
        );
        let long_ago = [recent(6_000)];
        assert!(decide(&finding(), &policy(), &situation(&long_ago)).is_ok());
        let acknowledged = [Recent { acknowledged: true, ..recent(8_000) }];
        assert!(decide(&finding(), &policy(), &situation(&acknowledged)).is_ok());
    }

    #[test]
    fn one_at_work_blocks_even_what_people_ask_for() {
        let at_work = [Recent { running: true, ..recent(9_990) }];
        let forced = Situation { forced: true, ..situation(&at_work) };
        assert_eq!(decide(&finding(), &policy(), &forced), Err(Hold::InProgress { uid: "1:ab".into() }));
        let lately = [recent(8_000)];
        let forced = Situation { forced: true, recoveries_enabled: false, ..situation(&lately) };
        assert_eq!(decide(&finding(), &policy(), &forced), Ok(RecoveryKind::Source));
    }

    #[test]
    fn a_repair_of_the_source_never_blocks_its_failover() {
        for kind in [RecoveryKind::SemiSync, RecoveryKind::ReadOnlySource] {
            let itself = Recent { kind, failed: finding().key, successor: Some(finding().key), ..recent(9_000) };
            let lately = [Recent { cluster: "db1:3306".into(), ..itself }];
            assert_eq!(decide(&finding(), &policy(), &situation(&lately)), Ok(RecoveryKind::Source));
        }
    }

    #[test]
    fn a_repair_needs_its_switch_and_blocks_itself_whoever_asks() {
        let locked = Finding { code: AnalysisCode::LockedSemiSyncSource, ..finding() };
        let hold = decide(&locked, &policy(), &situation(&[])).expect_err("no switch is on");
        assert!(hold.reason().contains("RecoverLockedSemiSyncMaster"), "{}", hold.reason());
        let forced = Situation { forced: true, ..situation(&[]) };
        assert!(decide(&locked, &policy(), &forced).is_err(), "a switch that is off is off");
        let repairs = Repairs { locked_semi_sync: true, ..Repairs::default() };
        let unfiltered = Situation { repairs, source_opt_in: false, ..situation(&[]) };
        assert_eq!(decide(&locked, &policy(), &unfiltered), Ok(RecoveryKind::SemiSync), "filters do not count");
        let lately = [Recent { kind: RecoveryKind::SemiSync, failed: locked.key.clone(), ..recent(9_000) }];
        let again = Situation { repairs, forced: true, ..situation(&lately) };
        assert!(matches!(decide(&locked, &policy(), &again), Err(Hold::Blocked { .. })));
    }

    #[test]
    fn every_actionable_code_has_a_recovery() {
        let without: Vec<AnalysisCode> = AnalysisCode::ALL
            .iter()
            .copied()
            .filter(|code| crate::analysis::is_actionable(*code) != recovery_for(*code).is_some())
            .collect();
        assert_eq!(without, [], "analysis and recovery disagree");
    }
}
