//! Everything that holds a recovery back, not only what is met first.
//!
//! The policy answers with the first reason. Each is thought away in its turn and the policy asked again, so that its rules and
//! their order are written down once.

use app::finding::Finding;
use app::readiness::Obstacle;
use chrono::TimeDelta;

use crate::policy::{Budget, Hold, Policy, Recent, Repairs, Situation, decide};

/// What holds a recovery of `finding` back, in the order in which it would be met; empty when nothing does.
pub fn holds(finding: &Finding, policy: &Policy, situation: &Situation<'_>) -> Vec<Hold> {
    let (mut finding, mut policy) = (finding.clone(), policy.clone());
    let mut recent: Vec<Recent> = situation.recent.to_vec();
    let mut thought = situation.clone();
    let mut holds = vec![];
    loop {
        let situation = Situation { recent: &recent, ..thought.clone() };
        let Err(hold) = decide(&finding, &policy, &situation) else { return holds };
        // The same again: it cannot be thought away.
        if holds.contains(&hold) {
            return holds;
        }
        match &hold {
            Hold::Downtime => {
                finding.downtime_end = None;
                finding.replicas_downtimed = false;
            }
            Hold::NotOptedIn { .. } => {
                thought.source_opt_in = true;
                thought.intermediate_opt_in = true;
            }
            Hold::SwitchedOff => thought.recoveries_enabled = true,
            Hold::NotLeader => thought.is_leader = true,
            Hold::NotConfigured { .. } => {
                thought.repairs = Repairs { locked_semi_sync: true, exact_semi_sync: true, read_only_source: true };
            }
            Hold::JustStarted { .. } => policy.hold_off_until = thought.now,
            Hold::JustLeading { .. } => policy.leader_hold_off_until = thought.now,
            Hold::ManyClusters { .. } => policy.storm_clusters = 0,
            Hold::Budget { data_center: None, .. } => policy.budget = Budget::UNLIMITED,
            Hold::Budget { data_center: Some(_), .. } => policy.data_center_budget = Budget::UNLIMITED,
            Hold::Grace { .. } => {
                policy.grace = TimeDelta::zero();
                thought.grace = None;
            }
            Hold::InProgress { uid } | Hold::Blocked { uid, .. } => recent.retain(|r| r.uid != *uid),
            Hold::NotActionable => {
                holds.push(hold);
                return holds;
            }
        }
        holds.push(hold);
    }
}

/// A hold for people and programs.
pub fn obstacle(hold: &Hold, finding: &Finding) -> Obstacle {
    let reason = match hold {
        Hold::NotActionable => format!("{} ({})", hold.reason(), finding.code),
        _ => hold.reason(),
    };
    let (setting, recovery, until) = match hold {
        Hold::NotOptedIn { key: keys } | Hold::NotConfigured { keys } => (Some(keys.clone()), None, None),
        Hold::InProgress { uid } => (None, Some(uid.clone()), None),
        Hold::Blocked { uid, until } => (None, Some(uid.clone()), Some(*until)),
        Hold::JustStarted { until } | Hold::JustLeading { until } | Hold::Grace { until } => (None, None, Some(*until)),
        Hold::Budget { until, .. } => (None, None, Some(*until)),
        _ => (None, None, None),
    };
    Obstacle { rule: rule(hold), reason, setting, recovery, until }
}

/// The name under which the hold is written (`#[serde(tag)]`), in the form of all names of rules.
fn rule(hold: &Hold) -> String {
    let written = serde_json::to_value(hold).unwrap_or_default();
    written.get("hold").and_then(|name| name.as_str()).unwrap_or("held").replace('_', "-")
}
