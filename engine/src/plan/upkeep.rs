//! Upkeep of one server: credentials, delay, semi-sync, binary logs, skipping, resetting, errant transactions
//! (`spec/refactoring.md` 3, 6.10, 14.2, 15).

use app::InstanceKey;
use app::gtid::GtidSet;
use app::plan::{Action, Condition, Plan, Refusal};
use app::rules::one_channel;
use app::topology::{Instance, Snapshot};

use super::single::{plan, replica, stop};
use super::steps::{StepList, Threads, go_on, read_back};
use super::{PlanSettings, known};
use crate::errant::origins;

/// More new logs than this are not begun at once.
const MAX_FLUSHES: u64 = 1_000;

/// More empty transactions than this are not committed at once.
const MAX_INJECTED: usize = 10_000;

/// Stops the receiver, applies what arrived, and stops the applier.
///
/// # Errors
/// `unknown-server`, `not-a-replica` or `delayed`.
pub fn plan_stop_nicely(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let channel = &server.replication;
    if channel.delay > 0 {
        let message = format!("{key} is delayed by {} s: what it received would be applied only then", channel.delay);
        return Err(Refusal::new("delayed", message));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    let threads = Threads::of(channel);
    let step = list.push(server, 1, Action::StopReceiver, "nothing more arrives");
    step.before = vec![Condition::Reachable];
    step.undo = threads.start().into_iter().collect();
    list.push(server, 2, Action::Drain, "what arrived is applied");
    list.push(server, 3, Action::StopReplication, "both threads stop");
    let expect = Threads { receiver: false, applier: false }.conditions();
    read_back(&mut list, server, 4, expect);
    Ok(plan("stop-replica-nice", format!("Stop replication on {key} when all that arrived is applied"), server, list))
}

/// Stops replication and forgets the source with every option.
///
/// # Errors
/// `unknown-server` or `not-a-replica`.
pub fn plan_reset_replica(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    stop(&mut list, server, 1);
    list.push(server, 2, Action::ResetReplication, "the source and all options of the channel are forgotten").before =
        vec![Condition::SourceIs { source: server.replication.source.clone() }];
    read_back(&mut list, server, 3, vec![Condition::SourceIs { source: InstanceKey::default() }]);
    let mut plan = plan("reset-replica", format!("Make {key} forget its source"), server, list);
    plan.warnings.push(format!("this cannot be undone: {key} no longer knows {}", server.replication.source));
    if !server.read_only {
        plan.warnings.push(format!("{key} is writeable"));
    }
    Ok(plan)
}

/// Skips the one transaction on which the applier stopped, and starts replication.
///
/// # Errors
/// `unknown-server`, `not-a-replica`, `applier-runs` or `no-applier-error`.
pub fn plan_skip_query(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let channel = &server.replication;
    if channel.applier.is_running() {
        return Err(Refusal::new("applier-runs", format!("the applier of {key} runs: there is nothing to skip")));
    }
    if channel.applier_errno == 0 && channel.applier_error.is_empty() {
        let message = format!("the applier of {key} did not stop on an error: there is nothing to skip");
        return Err(Refusal::new("no-applier-error", message));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    let reason = format!("error {}: {}", channel.applier_errno, channel.applier_error);
    list.push(server, 1, Action::SkipTransaction, reason).before = vec![Condition::ApplierRunning { running: false }];
    list.push(server, 2, Action::StartReplication, "replication goes on with the next transaction");
    read_back(&mut list, server, 3, Threads { receiver: true, applier: true }.conditions());
    let mut plan = plan("skip-query", format!("Skip the failing transaction of {key}"), server, list);
    plan.warnings.push(format!("{key} then lacks what the transaction changed on its source"));
    Ok(plan)
}

/// Sets how far a replica stays behind on purpose; what runs is restarted for it.
///
/// # Errors
/// `unknown-server` or `not-a-replica`.
pub fn plan_delay(
    snapshot: &Snapshot,
    key: &InstanceKey,
    seconds: u64,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let channel = &server.replication;
    let threads = Threads::of(channel);
    let mut list = StepList::new(1, &settings.timeouts);
    if server.is_mariadb() {
        stop(&mut list, server, 1);
    } else if threads.applier {
        // With the receiver running MySQL keeps the relay log.
        list.push(server, 1, Action::StopApplier, "a delay is changed with the applier stopped").undo =
            vec![Action::StartApplier];
    }
    list.push(server, 2, Action::SetDelay { seconds }, format!("the delay was {} s", channel.delay)).undo =
        vec![Action::SetDelay { seconds: channel.delay }];
    if server.is_mariadb() {
        go_on(&mut list, server, &channel.source, 3);
    } else if threads.applier {
        list.push(server, 3, Action::StartApplier, "what ran before runs again").undo = vec![Action::StopApplier];
    }
    read_back(&mut list, server, 4, threads.conditions());
    Ok(plan("delay-replication", format!("Keep {key} {seconds} s behind its source"), server, list))
}

/// Gives the channel its replication user and password anew, TLS options kept.
///
/// # Errors
/// `unknown-server`, `not-a-replica` or `replication-runs`.
pub fn plan_credentials(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = replica(snapshot, key)?;
    let threads = Threads::of(&server.replication);
    if threads.receiver || threads.applier {
        return Err(Refusal::new("replication-runs", format!("stop replication on {key} first")));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    list.push(server, 1, Action::SetCredentials, "user and password as the credentials query gives them").before =
        vec![Condition::SourceIs { source: server.replication.source.clone() }];
    Ok(plan("change-master-credentials", format!("Set the replication user of {key} anew"), server, list))
}

/// Switches the source side of semi-sync.
///
/// # Errors
/// `unknown-server` or `no-semi-sync`.
pub fn plan_semi_sync_source(
    snapshot: &Snapshot,
    key: &InstanceKey,
    on: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = with_semi_sync(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    let was = server.semi_sync.source_enabled;
    list.push(server, 1, Action::SetSemiSyncSource { on }, "as asked for").undo =
        vec![Action::SetSemiSyncSource { on: was }];
    let verb = if on { "enable" } else { "disable" };
    let mut plan =
        plan(&format!("{verb}-semi-sync-master"), format!("Semi-sync source of {key}: {verb}"), server, list);
    if on && server.semi_sync.source_clients == 0 {
        plan.warnings.push(format!("no replica of {key} acknowledges: its commits will wait until the time-out"));
    }
    Ok(plan)
}

/// Switches the replica side of semi-sync; the receiver is restarted, because it tells its source only when it connects.
///
/// # Errors
/// `unknown-server` or `no-semi-sync`.
pub fn plan_semi_sync_replica(
    snapshot: &Snapshot,
    key: &InstanceKey,
    on: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = with_semi_sync(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    let verb = if on { "enable" } else { "disable" };
    let title = format!("Semi-sync replica of {key}: {verb}");
    if server.semi_sync.replica_enabled == on {
        let title = format!("{title}: it is so already");
        return Ok(plan(&format!("{verb}-semi-sync-replica"), title, server, list));
    }
    list.push(server, 1, Action::SetSemiSyncReplica { on }, "as asked for").undo =
        vec![Action::SetSemiSyncReplica { on: !on }];
    if Threads::of(&server.replication).receiver {
        list.push(server, 2, Action::StopReceiver, "its source is told when it connects").undo =
            vec![Action::StartReceiver];
        list.push(server, 3, Action::StartReceiver, "its source is told when it connects");
        read_back(&mut list, server, 4, vec![Condition::ReceiverRunning { running: true }]);
    }
    Ok(plan(&format!("{verb}-semi-sync-replica"), title, server, list))
}

fn with_semi_sync<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Instance, Refusal> {
    let server = known(snapshot, key)?;
    if server.semi_sync.available {
        return Ok(server);
    }
    Err(Refusal::new("no-semi-sync", format!("{key} has no semi-sync plugin installed")))
}

/// Begins a new binary log, once or until the named one is the current one.
///
/// # Errors
/// `unknown-server`, `no-binary-log`, `bad-binary-log` or `binary-log-passed`.
pub fn plan_flush_binary_logs(
    snapshot: &Snapshot,
    key: &InstanceKey,
    until: &str,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = with_binary_log(snapshot, key)?;
    let times = if until.is_empty() { 1 } else { flushes(server, until)? };
    let mut list = StepList::new(1, &settings.timeouts);
    if times > 0 {
        list.push(server, 1, Action::FlushBinaryLogs { times }, format!("the current log is {}", server.binlog.file));
    }
    Ok(plan("flush-binary-logs", format!("Begin {times} new binary logs on {key}"), server, list))
}

fn flushes(server: &Instance, until: &str) -> Result<u32, Refusal> {
    let wanted = log_number(server, until)?;
    let current = log_number(server, &server.binlog.file)?;
    let distance = wanted.checked_sub(current).ok_or_else(|| {
        let message = format!("{} writes {} already, which is beyond {until}", server.key, server.binlog.file);
        Refusal::new("binary-log-passed", message)
    })?;
    if distance > MAX_FLUSHES {
        let message = format!("{until} is {distance} logs away from {}; at most {MAX_FLUSHES}", server.binlog.file);
        return Err(Refusal::new("bad-binary-log", message));
    }
    Ok(u32::try_from(distance).unwrap_or(u32::MAX))
}

/// The number of one of the server's binary logs.
fn log_number(server: &Instance, file: &str) -> Result<u64, Refusal> {
    let at = app::BinlogCoordinates::binary(file, 0);
    let base = |name: &str| name.rsplit_once('.').map(|(base, _)| base.to_owned());
    match at.file_number() {
        Some(number) if base(file) == base(&server.binlog.file) => Ok(number),
        _ => {
            let message =
                format!("{file:?} is no binary log of {}: expected a name like {:?}", server.key, server.binlog.file);
            Err(Refusal::new("bad-binary-log", message))
        }
    }
}

/// Deletes the binary logs before the one named (`latest`: the current one), unless a replica still needs one of them.
///
/// # Errors
/// `unknown-server`, `no-binary-log`, `bad-binary-log` or `needed-by-replica`.
pub fn plan_purge_binary_logs(
    snapshot: &Snapshot,
    key: &InstanceKey,
    to: &str,
    force: bool,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = with_binary_log(snapshot, key)?;
    let to = if to == "latest" { server.binlog.file.as_str() } else { to };
    let first_kept = app::BinlogCoordinates::binary(to, 0);
    if log_number(server, to)? > log_number(server, &server.binlog.file)? {
        let message = format!("{key} has no {to} yet; it writes {}", server.binlog.file);
        return Err(Refusal::new("bad-binary-log", message));
    }
    let needs_it = |replica: &Instance| replica.replication.exec < first_kept;
    let needing = snapshot.replicas_of(key).find(|r| r.replication.source == *key && needs_it(r));
    if let (Some(replica), false) = (needing, force) {
        let message = format!("{} has executed only {}, before {to}", replica.key, replica.replication.exec);
        return Err(Refusal::new("needed-by-replica", message));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    list.push(server, 1, Action::PurgeBinaryLogs { to: to.to_owned() }, "as asked for").before =
        vec![Condition::Reachable];
    let mut plan = plan("purge-binary-logs", format!("Delete the binary logs of {key} before {to}"), server, list);
    plan.warnings.push("this cannot be undone".to_owned());
    if let Some(replica) = needing {
        plan.warnings.push(format!("{} still needs some of them: it will have to be built anew", replica.key));
    }
    Ok(plan)
}

fn with_binary_log<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Instance, Refusal> {
    let server = known(snapshot, key)?;
    if server.log_bin && !server.binlog.is_empty() {
        return Ok(server);
    }
    Err(Refusal::new("no-binary-log", format!("{key} has no binary log")))
}

/// Ends the statement that a session is running.
///
/// # Errors
/// `unknown-server`.
pub fn plan_kill_query(
    snapshot: &Snapshot,
    key: &InstanceKey,
    process: u64,
    settings: &PlanSettings,
) -> Result<Plan, Refusal> {
    let server = known(snapshot, key)?;
    let mut list = StepList::new(1, &settings.timeouts);
    list.push(server, 1, Action::KillQuery { process }, "as asked for");
    Ok(plan("kill-query", format!("End the statement of session {process} on {key}"), server, list))
}

/// Removes errant transactions from a server that nobody replicates from, by giving it a new history without them. Their changes
/// stay in its tables.
///
/// # Errors
/// `no-errant-transactions`, `gtid-incompatible`, `several-channels`, `group-member` or `has-replicas`.
pub fn plan_reset_errant(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = with_errant(snapshot, key)?;
    one_channel(server)?;
    if server.is_group_member() {
        let message = format!("{key} is a member of group {}: its history is the group's", server.group.name);
        return Err(Refusal::new("group-member", message));
    }
    if let Some(replica) = snapshot.replicas_of(key).next() {
        let message = format!("{} replicates from {key}, which would lose the logs it needs", replica.key);
        return Err(Refusal::new("has-replicas", message));
    }
    let mut list = StepList::new(1, &settings.timeouts);
    if server.is_replica() {
        stop(&mut list, server, 1);
    }
    let without = server.errant_gtid.replace('\n', "");
    let action = Action::ResetBinaryLogs { without: without.clone() };
    list.push(server, 2, action, format!("its history is written anew without {without}"));
    if server.is_replica() {
        go_on(&mut list, server, &server.replication.source, 3);
        read_back(&mut list, server, 4, Threads::of(&server.replication).conditions());
    }
    let title = format!("Remove the errant transactions {without} from {key}");
    let mut plan = plan("gtid-errant-reset-master", title, server, list);
    plan.checks = origins(snapshot, server);
    plan.warnings.push(format!("the binary logs of {key} are deleted; this cannot be undone"));
    plan.warnings.push("what the errant transactions changed stays in the tables".to_owned());
    Ok(plan)
}

/// Commits empty transactions with the names of a server's errant ones on the cluster's primary, so that all servers know them.
///
/// # Errors
/// `no-errant-transactions`, `gtid-incompatible`, `too-many` or `no-writeable-primary`.
pub fn plan_inject_errant(snapshot: &Snapshot, key: &InstanceKey, settings: &PlanSettings) -> Result<Plan, Refusal> {
    let server = with_errant(snapshot, key)?;
    let primary = snapshot
        .cluster(&server.cluster_name)
        .find(|i| i.is_primary_role() && i.check.is_valid() && !i.read_only)
        .ok_or_else(|| {
            let message = format!("cluster {} has no writeable primary that can be read", server.cluster_name);
            Refusal::new("no-writeable-primary", message)
        })?;
    if !primary.supports_mysql_gtid() {
        let message = format!("gtid_mode of {} is {:?}, expected ON", primary.key, primary.gtid_mode);
        return Err(Refusal::new("gtid-incompatible", message));
    }
    let errant = GtidSet::parse(&server.errant_gtid)
        .map_err(|error| Refusal::new("gtid-unreadable", format!("{key}: {error}")))?;
    let gtids = errant.first_transactions(MAX_INJECTED).ok_or_else(|| {
        let message = format!("{key} has {} errant transactions; at most {MAX_INJECTED} at once", errant.count());
        Refusal::new("too-many", message)
    })?;
    let gtids: Vec<String> = gtids.iter().map(ToString::to_string).collect();
    let count = gtids.len();
    let mut list = StepList::new(1, &settings.timeouts);
    let reason = format!("all servers then know the errant transactions of {key}");
    list.push(primary, 1, Action::InjectEmpty { gtids }, reason).before =
        vec![Condition::ReadOnly { on: false }, Condition::SourceIs { source: InstanceKey::default() }];
    let set = server.errant_gtid.replace('\n', "");
    read_back(&mut list, primary, 2, vec![Condition::ExecutedCovers { set }]);
    let title =
        format!("Commit {count} empty transactions on {} with the names of the errant ones of {key}", primary.key);
    let mut plan = plan("gtid-errant-inject-empty", title, primary, list);
    plan.checks = origins(snapshot, server);
    plan.warnings.push(format!("what they changed on {key} stays there, and nowhere else"));
    Ok(plan)
}

fn with_errant<'a>(snapshot: &'a Snapshot, key: &InstanceKey) -> Result<&'a Instance, Refusal> {
    let server = known(snapshot, key)?;
    if server.errant_gtid.is_empty() {
        return Err(Refusal::new("no-errant-transactions", format!("{key} holds no errant transactions")));
    }
    if !server.supports_mysql_gtid() {
        let message = format!("{key} does not use MySQL GTID (gtid_mode is {:?})", server.gtid_mode);
        return Err(Refusal::new("gtid-incompatible", message));
    }
    Ok(server)
}
