//! Changes of servers: each is one operation, planned and carried out by the same service as everywhere
//! (`spec/api.md` 2.1, 2.6, 2.8).

use app::InstanceKey;
use app::api::Operation;
use app::plan::Action;

use super::call::Call;
use super::{Answer, moves};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::lookup::Reach;

/// `relocate/:host/:port/:belowHost/:belowPort`, `relocate-below/...`
pub async fn relocate(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let done = format!("Instance {server} relocated below {below}");
    run(&operator, &call, Operation::Relocate { server: server.clone(), below }, &server, done).await
}

/// `relocate-replicas/:host/:port/:belowHost/:belowPort?pattern=`
pub async fn relocate_replicas(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let operation =
        Operation::RelocateReplicas { server: server.clone(), below: below.clone(), pattern: call.pattern()? };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let (moved, troubles) = (moves::moved(&view), moves::not_moved(&view));
    let mut message =
        format!("Relocated {} replicas of {server} below {below}; {} errors", moved.len(), troubles.len());
    if !troubles.is_empty() {
        message = format!("{message}: {}", troubles.join("; "));
    }
    let moved: Vec<_> = moved.into_iter().map(|key| call.fresh(key)).collect::<ApiResult<_>>()?;
    Ok(Answer::ok(message, moved))
}

/// `start-replica/:host/:port`
pub async fn start(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica started: {server}");
    run(&operator, &call, Operation::StartReplication { server: server.clone() }, &server, done).await
}

/// `stop-replica/:host/:port`
pub async fn stop(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica stopped: {server}");
    run(&operator, &call, Operation::StopReplication { server: server.clone() }, &server, done).await
}

/// `restart-replica/:host/:port`
pub async fn restart(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica restarted: {server}");
    run(&operator, &call, Operation::RestartReplication { server: server.clone() }, &server, done).await
}

/// `detach-replica/:host/:port`
pub async fn detach(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica detached: {server}");
    run(&operator, &call, Operation::DetachReplica { server: server.clone() }, &server, done).await
}

/// `reattach-replica/:host/:port`
pub async fn reattach(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica reattached: {server}");
    run(&operator, &call, Operation::ReattachReplica { server: server.clone() }, &server, done).await
}

/// `set-read-only/:host/:port`
pub async fn set_read_only(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Server set as read-only: {server}");
    run(&operator, &call, Operation::SetReadOnly { server: server.clone() }, &server, done).await
}

/// `set-writeable/:host/:port`
pub async fn set_writeable(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Server set as writeable: {server}");
    run(&operator, &call, Operation::SetWriteable { server: server.clone() }, &server, done).await
}

/// `stop-replica-nice/:host/:port`
pub async fn stop_nicely(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica stopped nicely: {server}");
    run(&operator, &call, Operation::StopReplicationNicely { server: server.clone() }, &server, done).await
}

/// `reset-replica/:host/:port`
pub async fn reset(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replica reset: {server}");
    run(&operator, &call, Operation::ResetReplica { server: server.clone() }, &server, done).await
}

/// `skip-query/:host/:port`
pub async fn skip_query(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Query skipped on {server}");
    run(&operator, &call, Operation::SkipQuery { server: server.clone() }, &server, done).await
}

/// `change-master-credentials/:host/:port`
pub async fn set_credentials(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Replication credentials set on {server}");
    run(&operator, &call, Operation::SetCredentials { server: server.clone() }, &server, done).await
}

/// `enable-gtid/:host/:port`
pub async fn enable_gtid(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Enabled GTID on {server}");
    run(&operator, &call, Operation::EnableGtid { server: server.clone() }, &server, done).await
}

/// `disable-gtid/:host/:port`
pub async fn disable_gtid(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Disabled GTID on {server}");
    run(&operator, &call, Operation::DisableGtid { server: server.clone() }, &server, done).await
}

/// `flush-binary-logs/:host/:port`
pub async fn flush_binary_logs(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Binary logs flushed on: {server}");
    run(&operator, &call, Operation::FlushBinaryLogs { server: server.clone(), until: String::new() }, &server, done)
        .await
}

/// `enable-semi-sync-master/:host/:port`
pub async fn enable_semi_sync_source(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Enabled semi-sync source on {server}");
    run(&operator, &call, Operation::SetSemiSyncSource { server: server.clone(), on: true }, &server, done).await
}

/// `disable-semi-sync-master/:host/:port`
pub async fn disable_semi_sync_source(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Disabled semi-sync source on {server}");
    run(&operator, &call, Operation::SetSemiSyncSource { server: server.clone(), on: false }, &server, done).await
}

/// `enable-semi-sync-replica/:host/:port`
pub async fn enable_semi_sync_replica(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Enabled semi-sync replica on {server}");
    run(&operator, &call, Operation::SetSemiSyncReplica { server: server.clone(), on: true }, &server, done).await
}

/// `disable-semi-sync-replica/:host/:port`
pub async fn disable_semi_sync_replica(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Disabled semi-sync replica on {server}");
    run(&operator, &call, Operation::SetSemiSyncReplica { server: server.clone(), on: false }, &server, done).await
}

/// `gtid-errant-reset-master/:host/:port`
pub async fn reset_errant(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Removed errant GTID on {server} and issued a RESET MASTER");
    run(&operator, &call, Operation::ResetErrant { server: server.clone() }, &server, done).await
}

/// `purge-binary-logs/:host/:port/:logFile?force=`
pub async fn purge_binary_logs(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let (to, force) = (call.param("logFile").to_owned(), call.query("force") == Some("true"));
    let done = format!("Binary logs purged on: {server}");
    run(&operator, &call, Operation::PurgeBinaryLogs { server: server.clone(), to, force }, &server, done).await
}

/// `delay-replication/:host/:port/:seconds`
pub async fn delay(operator: Operator, call: Call) -> ApiResult<Answer> {
    let given = call.param("seconds");
    let seconds: u64 = given
        .parse()
        .map_err(|_| ApiError::bad_input(format!("seconds: got {given:?}, expected a whole number from 0")))?;
    let server = call.target().await?;
    call.services
        .refactor
        .run(&Operation::DelayReplication { server: server.clone(), seconds }, operator.actor())
        .await?;
    Ok(Answer::ok(format!("Replication delay set to {seconds} seconds on {server}"), seconds))
}

/// `kill-query/:host/:port/:process`
pub async fn kill_query(operator: Operator, call: Call) -> ApiResult<Answer> {
    let given = call.param("process");
    let process: u64 = given
        .parse()
        .map_err(|_| ApiError::bad_input(format!("process: got {given:?}, expected the number of a session")))?;
    let server = call.target().await?;
    let done = format!("Query killed on : {server}");
    run(&operator, &call, Operation::KillQuery { server: server.clone(), process }, &server, done).await
}

/// `gtid-errant-inject-empty/:host/:port`
pub async fn inject_errant(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let view =
        call.services.refactor.run(&Operation::InjectErrant { server: server.clone() }, operator.actor()).await?;
    let injected = view.plan.steps.iter().find_map(|step| match &step.action {
        Action::InjectEmpty { gtids } => Some((gtids.len(), step.server.clone())),
        _ => None,
    });
    let (count, primary) = injected.unwrap_or_default();
    Ok(Answer::ok(format!("Have injected {count} transactions on cluster master {primary}"), call.fresh(&server)?))
}

/// `locate-gtid-errant/:host/:port`: has the server read its binary logs, so it takes the right to change things
pub async fn locate_errant(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    operator.actor().reaches_server(&call.snapshot(), &server)?;
    let files = call.services.refactor.locate_errant(&server).await?;
    Ok(Answer::ok(format!("Errant GTID found in {} binary logs", files.len()), files))
}

/// `restart-replica-statements/:host/:port?q=`: null where there is nothing to restart and nothing given
pub async fn restart_statements(_: Viewer, call: Call) -> ApiResult<Answer> {
    let server = call.known().await?;
    let statements = engine::statements::restart_around(&server, call.query("q").unwrap_or_default());
    Ok(Answer::ok("statements", (!statements.is_empty()).then_some(statements)))
}

pub(super) async fn run(
    operator: &Operator,
    call: &Call,
    operation: Operation,
    about: &InstanceKey,
    done: String,
) -> ApiResult<Answer> {
    call.services.refactor.run(&operation, operator.actor()).await?;
    Ok(Answer::ok(done, call.fresh(about)?))
}
