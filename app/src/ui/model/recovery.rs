//! A recovery in words.

use chrono::{DateTime, Duration, Utc};

use super::age::duration_text;
use crate::recovery::{Recovery, RecoveryKind, RecoveryState};

/// What kind of recovery it is, in words.
pub fn kind_text(kind: RecoveryKind) -> &'static str {
    match kind {
        RecoveryKind::Source => "primary recovery",
        RecoveryKind::CoSource => "co-source recovery",
        RecoveryKind::IntermediateSource => "intermediate source recovery",
        RecoveryKind::GroupMember => "group member recovery",
        RecoveryKind::Takeover => "planned takeover",
        RecoveryKind::SemiSync => "semi-sync recovery",
        RecoveryKind::ReadOnlySource => "read-only primary recovery",
    }
}

/// One line: what was found, where, and what came of it.
pub fn headline(recovery: &Recovery, now: DateTime<Utc>) -> String {
    let what = match recovery.kind {
        RecoveryKind::Takeover => format!("Takeover from {}", recovery.finding.key),
        _ => format!("{} {}", recovery.finding.code, recovery.finding.key),
    };
    let took = duration_text(elapsed(recovery, now));
    match (&recovery.state, &recovery.successor) {
        (RecoveryState::Running, _) => format!("{what}: recovering for {took}"),
        (RecoveryState::Succeeded, Some(successor)) => {
            let verb = match recovery.kind {
                RecoveryKind::IntermediateSource | RecoveryKind::GroupMember => "replicas taken by",
                RecoveryKind::SemiSync => "acknowledgements put right at",
                RecoveryKind::ReadOnlySource => "made writable",
                _ => "promoted",
            };
            format!("{what} → {verb} {successor} in {took}")
        }
        (RecoveryState::Succeeded, None) => format!("{what}: done in {took}"),
        // What is behind the first semicolon is for the record: lists of transactions, of what was left changed.
        (RecoveryState::Failed { reason }, _) => {
            format!("{what}: failed, {}", reason.split("; ").next().unwrap_or(reason))
        }
    }
}

/// From begin to end, or until now.
pub fn elapsed(recovery: &Recovery, now: DateTime<Utc>) -> Duration {
    recovery.ended.unwrap_or(now) - recovery.started
}

/// `3 of 12 steps`.
pub fn progress_text(recovery: &Recovery) -> String {
    let done = recovery.steps.iter().filter(|s| s.ended.is_some()).count();
    let all = recovery.steps.len();
    let noun = if all == 1 { "step" } else { "steps" };
    if done == all { format!("{all} {noun}") } else { format!("{done} of {all} {noun}") }
}

/// Why a cluster would not be recovered now: an earlier recovery that nobody acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The earlier recovery.
    pub uid: String,
    /// Alias of the cluster, or its name.
    pub cluster: String,
    /// The block ends by itself then.
    pub until: DateTime<Utc>,
}

/// The clusters that would not be recovered now, as the service judges it (`spec/recovery.md` 3.3.3), latest first.
pub fn blocks(recoveries: &[Recovery], block_seconds: i64, now: DateTime<Utc>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for recovery in recoveries.iter().filter(|r| !r.is_running() && r.acknowledged.is_none()) {
        let alias = &recovery.cluster_alias;
        let cluster = if alias.is_empty() { &recovery.cluster } else { alias }.clone();
        let until = recovery.started + Duration::seconds(block_seconds.clamp(0, 1 << 31));
        if until > now && blocks.iter().all(|known| known.cluster != cluster) {
            blocks.push(Block { uid: recovery.uid.clone(), cluster, until });
        }
    }
    blocks
}

/// Puts a record into a list that is kept newest first; a record that is known is replaced.
pub fn upsert(list: &mut Vec<Recovery>, recovery: Recovery) {
    match list.iter_mut().find(|r| r.uid == recovery.uid) {
        Some(known) => *known = recovery,
        None => {
            let at = list.iter().position(|r| r.started <= recovery.started).unwrap_or(list.len());
            list.insert(at, recovery);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::InstanceKey;
    use crate::finding::{AnalysisCode, Facts, Finding, Severity};

    pub(crate) fn recovery(uid: &str, started: i64) -> Recovery {
        let at = |s| DateTime::from_timestamp(s, 0).expect("moment");
        let key = InstanceKey::new("db1", 3306);
        Recovery {
            id: 0,
            uid: uid.to_owned(),
            finding: Finding {
                key: key.clone(),
                source: InstanceKey::default(),
                cluster: key.to_string(),
                cluster_alias: "orders".to_owned(),
                cluster_domain: String::new(),
                code: AnalysisCode::DeadSource,
                description: String::new(),
                structure: Vec::new(),
                severity: Severity::Broken,
                actionable: true,
                downtime_end: None,
                replicas_downtimed: false,
                facts: Facts::default(),
                evidence: Vec::new(),
            },
            kind: RecoveryKind::Source,
            cluster: key.to_string(),
            cluster_alias: "orders".to_owned(),
            actor: "orchestrator".to_owned(),
            state: RecoveryState::Running,
            successor: None,
            successor_alias: String::new(),
            lost_replicas: Vec::new(),
            participants: Vec::new(),
            errors: Vec::new(),
            considered: Vec::new(),
            steps: Vec::new(),
            story: Vec::new(),
            hooks: vec![],
            command: String::new(),
            aftermath: None,
            started: at(started),
            ended: None,
            node: String::new(),
            node_token: String::new(),
            acknowledged: None,
            detection_id: 0,
        }
    }

    #[test]
    fn the_headline_says_what_came_of_it() {
        let now = DateTime::from_timestamp(104, 0).expect("moment");
        let mut record = recovery("a", 100);
        assert_eq!(headline(&record, now), "DeadMaster db1:3306: recovering for 4 s");
        record.state = RecoveryState::Succeeded;
        record.successor = Some(InstanceKey::new("db3", 3306));
        record.ended = record.started.checked_add_signed(Duration::milliseconds(440));
        assert_eq!(headline(&record, now), "DeadMaster db1:3306 → promoted db3:3306 in 0.4 s");
        record.state = RecoveryState::Failed { reason: "no candidate; left changed: db2".to_owned() };
        assert_eq!(headline(&record, now), "DeadMaster db1:3306: failed, no candidate");
    }

    #[test]
    fn what_nobody_acknowledged_blocks_its_cluster_for_a_while() {
        let now = DateTime::from_timestamp(1000, 0).expect("moment");
        let ended = |uid: &str, started| Recovery { state: RecoveryState::Succeeded, ..recovery(uid, started) };
        let list = [recovery("running", 990), ended("late", 900), ended("early", 800)];
        let told = blocks(&list, 300, now);
        assert_eq!(told.iter().map(|b| (b.uid.as_str(), b.cluster.as_str())).collect::<Vec<_>>(), [("late", "orders")]);
        assert_eq!(told[0].until.timestamp(), 1200);
        assert!(blocks(&list, 100, now).is_empty(), "over by itself");
        let acknowledged = crate::recovery::Acknowledgement { at: now, by: "dba".into(), comment: "seen".into() };
        let done = [Recovery { acknowledged: Some(acknowledged), ..ended("late", 900) }];
        assert!(blocks(&done, 300, now).is_empty());
    }

    #[test]
    fn a_record_is_replaced_or_put_in_its_place() {
        let mut list = vec![recovery("b", 200), recovery("a", 100)];
        upsert(&mut list, recovery("c", 150));
        let mut again = recovery("a", 100);
        again.actor = "dba".to_owned();
        upsert(&mut list, again);
        let order: Vec<_> = list.iter().map(|r| (r.uid.as_str(), r.actor.as_str())).collect();
        assert_eq!(order, [("b", "orchestrator"), ("c", "orchestrator"), ("a", "dba")]);
    }
}
