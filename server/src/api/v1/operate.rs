//! Changes of servers: each is one operation, planned and carried out by the same service as everywhere
//! (`spec/api.md` 2.1, 2.6, 2.8).

use app::InstanceKey;
use app::api::Operation;

use super::Answer;
use super::call::Call;
use crate::api::error::ApiResult;
use crate::auth::Operator;
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
    let view = call.services.refactor.run(&operation, operator.actor()).await?;
    let moved: Vec<InstanceKey> = view.plan.moves.iter().map(|m| m.server.clone()).collect();
    let message = format!("Relocated {} replicas of {server} below {below}; 0 errors", moved.len());
    let moved: Vec<_> = moved.iter().map(|key| call.fresh(key)).collect::<ApiResult<_>>()?;
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

async fn run(
    operator: &Operator,
    call: &Call,
    operation: Operation,
    about: &InstanceKey,
    done: String,
) -> ApiResult<Answer> {
    call.services.refactor.run(&operation, operator.actor()).await?;
    Ok(Answer::ok(done, call.fresh(about)?))
}
