//! How a server is doing, in the words of the pages and of `topology` (`spec/discovery.md` 20 to 22, `spec/api.md` 3.2, 4.2).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Annotations, Check, Instance, ThreadState};

/// A server counts as recently checked for this many poll periods.
const RECENT_POLLS: u64 = 5;

/// Limits from the configuration, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusThresholds {
    /// `InstancePollSeconds`.
    pub instance_poll_seconds: u64,
    /// `ReasonableInstanceCheckSeconds`: slack on top of the poll period.
    pub reasonable_instance_check_seconds: u64,
    /// `ReasonableReplicationLagSeconds`.
    pub reasonable_replication_lag_seconds: i64,
    /// `ReasonableMaintenanceReplicationLagSeconds`.
    pub reasonable_maintenance_replication_lag_seconds: i64,
}

impl Default for StatusThresholds {
    /// The defaults of the configuration file.
    fn default() -> Self {
        Self {
            instance_poll_seconds: 5,
            reasonable_instance_check_seconds: 1,
            reasonable_replication_lag_seconds: 10,
            reasonable_maintenance_replication_lag_seconds: 20,
        }
    }
}

/// What can be wrong with a server. Under these names in the compatible API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The last probe failed or hangs.
    LastCheckInvalid,
    /// No probe ended for five poll periods.
    NotRecentlyChecked,
    /// It has replication threads, and not both of them run.
    NotReplicating,
    /// Lag beyond the configured delay is above the limit.
    ReplicationLag,
    /// It holds transactions that its source does not.
    ErrantGtid,
    /// Member of a group and not `ONLINE`.
    GroupReplicationMemberNotOnline,
}

impl Problem {
    /// The name in the compatible API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LastCheckInvalid => "last_check_invalid",
            Self::NotRecentlyChecked => "not_recently_checked",
            Self::NotReplicating => "not_replicating",
            Self::ReplicationLag => "replication_lag",
            Self::ErrantGtid => "errant_gtid",
            Self::GroupReplicationMemberNotOnline => "group_replication_member_not_online",
        }
    }
}

/// The one meaning of "valid": the last probe that ended was a good one, and no probe hangs.
///
/// A probe hangs when it runs for longer than the slack while nothing good was heard for a poll period and the slack, or while
/// another session, which asks for nothing that may take long, has not been answered for longer than the slack either. (The
/// original has three definitions, two of which take a hanging server for a good one: `spec/recovery.md` 1.3.)
pub fn is_check_valid(check: &Check, thresholds: &StatusThresholds, now: DateTime<Utc>) -> bool {
    check.is_valid() && hangs_from(check, thresholds).is_none_or(|from| now < from)
}

/// When the probe at work will count as one that hangs, unless it ends before; `None` without such a probe.
pub fn hangs_from(check: &Check, thresholds: &StatusThresholds) -> Option<DateTime<Utc>> {
    let (checked, seen) = (check.last_checked?, check.last_seen?);
    let attempted = check.last_attempted.filter(|attempted| *attempted > checked)?;
    let slack = seconds(thresholds.reasonable_instance_check_seconds);
    let silence =
        seconds(thresholds.instance_poll_seconds.saturating_add(thresholds.reasonable_instance_check_seconds));
    let unheard = later(seen, silence);
    let unheard = check.unanswered_since.map_or(unheard, |since| unheard.min(later(since, slack)));
    Some(later(attempted, slack).max(unheard))
}

/// A probe ended within the last five poll periods.
pub fn is_recently_checked(instance: &Instance, thresholds: &StatusThresholds, now: DateTime<Utc>) -> bool {
    let limit = seconds(thresholds.instance_poll_seconds.saturating_mul(RECENT_POLLS));
    instance.check.last_checked.is_some_and(|checked| now <= later(checked, limit))
}

/// A probe ended within the last poll period.
pub fn is_up_to_date(instance: &Instance, thresholds: &StatusThresholds, now: DateTime<Utc>) -> bool {
    let limit = seconds(thresholds.instance_poll_seconds);
    instance.check.last_checked.is_some_and(|checked| now <= later(checked, limit))
}

/// Lag beyond the configured delay is within `ReasonableReplicationLagSeconds`; unknown lag is.
pub fn is_lag_reasonable(instance: &Instance, thresholds: &StatusThresholds) -> bool {
    instance.lag_beyond_delay().is_none_or(|lag| lag <= thresholds.reasonable_replication_lag_seconds)
}

/// Lag allows planned moves (`spec/discovery.md` 15). Unknown lag counts as none.
pub fn is_maintenance_lag_reasonable(instance: &Instance, thresholds: &StatusThresholds) -> bool {
    let behind = instance.replication.seconds_behind.unwrap_or(0);
    distance(behind, instance.replication.delay) <= thresholds.reasonable_maintenance_replication_lag_seconds
}

/// What is wrong with a server: at most one of the first four, then any of the last two.
pub fn problems(instance: &Instance, thresholds: &StatusThresholds, now: DateTime<Utc>) -> Vec<Problem> {
    let replication = &instance.replication;
    let mut found = Vec::new();
    if !is_check_valid(&instance.check, thresholds, now) {
        found.push(Problem::LastCheckInvalid);
    } else if !is_recently_checked(instance, thresholds, now) {
        found.push(Problem::NotRecentlyChecked);
    } else if replication.threads_exist() && !replication.is_running() {
        found.push(Problem::NotReplicating);
    } else if !is_lag_reasonable(instance, thresholds) {
        found.push(Problem::ReplicationLag);
    }
    if !instance.errant_gtid.is_empty() {
        found.push(Problem::ErrantGtid);
    }
    if !instance.group.name.is_empty() && instance.group.state != "ONLINE" {
        found.push(Problem::GroupReplicationMemberNotOnline);
    }
    found
}

/// Whether a server belongs on the list of problems (`spec/discovery.md` 21): anything of [`problems`], a thread in an
/// unclear state, or lag by the server's own account; servers in downtime never.
/// Host names to be ignored (`ProblemIgnoreHostnameFilters`) are the caller's business.
pub fn is_problem(
    instance: &Instance,
    annotations: &Annotations,
    thresholds: &StatusThresholds,
    now: DateTime<Utc>,
) -> bool {
    let replication = &instance.replication;
    let settled = |state| matches!(state, ThreadState::NoThread | ThreadState::Running);
    let lags = replication
        .seconds_behind
        .is_some_and(|s| distance(s, replication.delay) > thresholds.reasonable_replication_lag_seconds);
    annotations.active_downtime(&instance.key, now).is_none()
        && (!problems(instance, thresholds, now).is_empty()
            || !settled(replication.receiver)
            || !settled(replication.applier)
            || lags
            || !is_lag_reasonable(instance, thresholds))
}

/// `invalid`, `unchecked`, `nonreplicating`, `lag` or `ok`.
pub fn status_text(instance: &Instance, thresholds: &StatusThresholds, now: DateTime<Utc>) -> &'static str {
    if !is_check_valid(&instance.check, thresholds, now) {
        "invalid"
    } else if !is_recently_checked(instance, thresholds, now) {
        "unchecked"
    } else if instance.is_replica() && !instance.replication.is_running() {
        "nonreplicating"
    } else if instance.is_replica() && !is_maintenance_lag_reasonable(instance, thresholds) {
        "lag"
    } else {
        "ok"
    }
}

/// `detached`, `unknown`, `null` or seconds such as `7s`.
pub fn lag_text(instance: &Instance, thresholds: &StatusThresholds, now: DateTime<Utc>) -> String {
    let replication = &instance.replication;
    if replication.exec.is_detached() {
        "detached".to_owned()
    } else if !is_check_valid(&instance.check, thresholds, now) || !is_recently_checked(instance, thresholds, now) {
        "unknown".to_owned()
    } else if instance.is_replica() && (!replication.is_running() || replication.seconds_behind.is_none()) {
        "null".to_owned()
    } else {
        format!("{}s", instance.lag.unwrap_or(0))
    }
}

/// The six tokens that describe a server in one line: lag, status, version, `ro` or `rw`, binary log format, extras (`spec/api.md` 4.2).
pub fn description_tokens(
    instance: &Instance,
    annotations: &Annotations,
    thresholds: &StatusThresholds,
    now: DateTime<Utc>,
) -> [String; 6] {
    let mode = if instance.read_only { "ro" } else { "rw" };
    let format = if instance.log_bin { instance.binlog_format.as_str() } else { "nobinlog" };
    [
        lag_text(instance, thresholds, now),
        status_text(instance, thresholds, now).to_owned(),
        instance.version.clone(),
        mode.to_owned(),
        format.to_owned(),
        extras(instance, annotations.active_downtime(&instance.key, now).is_some()),
    ]
}

/// `[lag,status,version,ro,ROW,extras]`, empty tokens left out: what `instance-status` prints.
pub fn description(
    instance: &Instance,
    annotations: &Annotations,
    thresholds: &StatusThresholds,
    now: DateTime<Utc>,
) -> String {
    let mut tokens = description_tokens(instance, annotations, thresholds, now).to_vec();
    tokens.retain(|token| !token.is_empty());
    format!("[{}]", tokens.join(","))
}

fn extras(instance: &Instance, downtimed: bool) -> String {
    let gtid = if instance.errant_gtid.is_empty() { "GTID" } else { "GTID:errant" };
    let uses_gtid = instance.replication.uses_gtid() || instance.supports_mysql_gtid();
    let all = [
        (instance.log_bin && instance.log_replica_updates, ">>"),
        (uses_gtid, gtid),
        (instance.uses_pseudo_gtid, "P-GTID"),
        (instance.semi_sync.source_active, "semi:master"),
        (instance.semi_sync.replica_active, "semi:replica"),
        (downtimed, "downtimed"),
    ];
    all.into_iter().filter(|(applies, _)| *applies).map(|(_, token)| token).collect::<Vec<_>>().join(",")
}

fn distance(seconds: i64, delay: u64) -> i64 {
    seconds.saturating_sub(i64::try_from(delay).unwrap_or(i64::MAX)).saturating_abs()
}

fn seconds(count: u64) -> TimeDelta {
    i64::try_from(count).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX)
}

fn later(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;
