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
/// A probe hangs when it runs for longer than the slack while nothing good was heard for a poll period and the slack. (The
/// original has three definitions, two of which take a hanging server for a good one: `spec/recovery.md` 1.3.)
pub fn is_check_valid(check: &Check, thresholds: &StatusThresholds, now: DateTime<Utc>) -> bool {
    let (Some(checked), Some(seen)) = (check.last_checked, check.last_seen) else { return false };
    if checked > seen {
        return false;
    }
    let Some(attempted) = check.last_attempted.filter(|attempted| *attempted > checked) else { return true };
    let slack = seconds(thresholds.reasonable_instance_check_seconds);
    let silence = seconds(thresholds.instance_poll_seconds) + slack;
    now < later(attempted, slack) || now < later(seen, silence)
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
mod tests {
    use super::*;
    use crate::topology::{Downtime, Replication};
    use crate::{BinlogCoordinates, InstanceKey};

    fn at(second: f64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis((second * 1000.0) as i64).expect("in range")
    }

    /// A healthy replica, seen at second 100.
    fn replica() -> Instance {
        Instance {
            key: InstanceKey::new("r", 3306),
            version: "8.0.36".to_owned(),
            log_bin: true,
            binlog_format: "ROW".to_owned(),
            lag: Some(3),
            replication: Replication {
                source: InstanceKey::new("s", 3306),
                read: BinlogCoordinates::binary("b.1", 4),
                receiver: ThreadState::Running,
                applier: ThreadState::Running,
                seconds_behind: Some(3),
                ..Default::default()
            },
            check: Check { last_checked: Some(at(100.0)), last_seen: Some(at(100.0)), ..Default::default() },
            ..Default::default()
        }
    }

    type Change = fn(&mut Instance);

    #[test]
    fn a_server_is_described() {
        let cases: &[(&str, Change, &str, &str, &[&str])] = &[
            ("healthy", |_| (), "ok", "3s", &[]),
            ("never seen", |i| i.check = Check::default(), "invalid", "unknown", &["last_check_invalid"]),
            ("failed", |i| i.check.last_checked = Some(at(101.0)), "invalid", "unknown", &["last_check_invalid"]),
            (
                "old",
                |i| {
                    i.check.last_checked = Some(at(74.0));
                    i.check.last_seen = Some(at(74.0))
                },
                "unchecked",
                "unknown",
                &["not_recently_checked"],
            ),
            (
                "applier stopped",
                |i| i.replication.applier = ThreadState::Stopped,
                "nonreplicating",
                "null",
                &["not_replicating"],
            ),
            (
                "lag unknown",
                |i| {
                    i.replication.seconds_behind = None;
                    i.lag = None
                },
                "ok",
                "null",
                &[],
            ),
            (
                "lag",
                |i| {
                    i.replication.seconds_behind = Some(11);
                    i.lag = Some(11)
                },
                "ok",
                "11s",
                &["replication_lag"],
            ),
            (
                "much lag",
                |i| {
                    i.replication.seconds_behind = Some(21);
                    i.lag = Some(21)
                },
                "lag",
                "21s",
                &["replication_lag"],
            ),
            (
                "delayed",
                |i| {
                    i.replication.delay = 3600;
                    i.replication.seconds_behind = Some(3605);
                    i.lag = Some(3605)
                },
                "ok",
                "3605s",
                &[],
            ),
            (
                "ahead of delay",
                |i| {
                    i.replication.delay = 3600;
                    i.replication.seconds_behind = Some(60);
                    i.lag = Some(60)
                },
                "lag",
                "60s",
                &["replication_lag"],
            ),
            ("detached", |i| i.replication.exec.file = "//b.1:4".to_owned(), "ok", "detached", &[]),
            (
                "errant",
                |i| {
                    i.errant_gtid = "u:1".to_owned();
                    i.lag = Some(11)
                },
                "ok",
                "11s",
                &["replication_lag", "errant_gtid"],
            ),
            (
                "group",
                |i| {
                    i.group.name = "g".to_owned();
                    i.group.state = "RECOVERING".to_owned()
                },
                "ok",
                "3s",
                &["group_replication_member_not_online"],
            ),
        ];
        for (name, change, status, lag, expected) in cases {
            let (mut server, thresholds, now) = (replica(), StatusThresholds::default(), at(100.0));
            change(&mut server);
            assert_eq!(status_text(&server, &thresholds, now), *status, "{name}");
            assert_eq!(lag_text(&server, &thresholds, now), *lag, "{name}");
            let names: Vec<&str> = problems(&server, &thresholds, now).into_iter().map(Problem::as_str).collect();
            assert_eq!(names, *expected, "{name}");
            assert_eq!(is_problem(&server, &Annotations::default(), &thresholds, now), !expected.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_connecting_receiver_and_lag_by_the_servers_own_account_are_listed() {
        let thresholds = StatusThresholds::default();
        let mut server = replica();
        server.replication.seconds_behind = Some(500);
        assert!(problems(&server, &thresholds, at(100.0)).is_empty());
        assert!(is_problem(&server, &Annotations::default(), &thresholds, at(100.0)));
        let mut annotations = Annotations::default();
        let downtime = Downtime { owner: "o".into(), reason: "r".into(), begin: at(0.0), end: at(101.0) };
        annotations.downtime.insert(server.key.clone(), downtime);
        assert!(!is_problem(&server, &annotations, &thresholds, at(100.0)));
        assert!(is_problem(&server, &annotations, &thresholds, at(101.0)));
    }

    #[test]
    fn a_probe_hangs_once_it_runs_longer_than_the_slack_and_nothing_was_heard_for_a_period() {
        let thresholds = StatusThresholds::default();
        let check = |attempted| Check {
            last_checked: Some(at(100.0)),
            last_seen: Some(at(100.0)),
            last_attempted: Some(at(attempted)),
            ..Default::default()
        };
        // Begun on time at 105: silent for 6 seconds at 106.
        assert!(is_check_valid(&check(105.0), &thresholds, at(105.9)));
        assert!(!is_check_valid(&check(105.0), &thresholds, at(106.0)));
        // A probe that begins late is given its second.
        assert!(is_check_valid(&check(120.0), &thresholds, at(120.5)));
        assert!(!is_check_valid(&check(120.0), &thresholds, at(121.0)));
        // An extra probe between two polls does not make a server invalid early.
        assert!(is_check_valid(&check(102.0), &thresholds, at(105.9)));
        // None in flight: the last answer stands.
        assert!(is_check_valid(&check(99.9), &thresholds, at(500.0)));
    }

    #[test]
    fn tokens_are_in_order_and_empty_ones_left_out() {
        let mut server = replica();
        let thresholds = StatusThresholds::default();
        let text = |server: &Instance| description(server, &Annotations::default(), &thresholds, at(100.0));
        assert_eq!(text(&server), "[3s,ok,8.0.36,rw,ROW]");
        server.read_only = true;
        server.log_replica_updates = true;
        server.gtid_mode = "ON".to_owned();
        server.errant_gtid = "u:1".to_owned();
        server.uses_pseudo_gtid = true;
        server.semi_sync.source_active = true;
        server.semi_sync.replica_active = true;
        assert_eq!(text(&server), "[3s,ok,8.0.36,ro,ROW,>>,GTID:errant,P-GTID,semi:master,semi:replica]");
        server = replica();
        server.log_bin = false;
        server.version.clear();
        assert_eq!(text(&server), "[3s,ok,rw,nobinlog]");
    }
}
