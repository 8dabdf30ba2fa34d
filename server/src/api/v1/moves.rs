//! Changes of the tree beside `relocate`: by position, by GTID, in groups (`spec/api.md` 2.1 to 2.5).

use app::InstanceKey;
use app::api::{Operation, OperationView};
use app::plan::Plan;
use app::rules::gtid_positioning;

use super::Answer;
use super::call::Call;
use super::operate::run;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::lookup::Reach;

/// `move-up/:host/:port`
pub async fn up(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Instance {server} moved up");
    run(&operator, &call, Operation::MoveUp { server: server.clone() }, &server, done).await
}

/// `move-up-replicas/:host/:port?pattern=`
pub async fn up_replicas(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::MoveUpReplicas { server: server.clone(), pattern: call.pattern()? };
    let view = call.services.refactor.run(&operation, operator.actor()).await?;
    several(&call, &view, &format!("Moved up {{}} replicas of {server}"))
}

/// `move-below/:host/:port/:siblingHost/:siblingPort`
pub async fn below(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("siblingHost", "siblingPort", Reach::ShortName).await?;
    let done = format!("Instance {server} moved below {below}");
    run(&operator, &call, Operation::MoveBelow { server: server.clone(), below }, &server, done).await
}

/// `repoint/:host/:port/:belowHost/:belowPort`
pub async fn repoint(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let done = format!("Instance {server} repointed below {below}");
    run(&operator, &call, Operation::Repoint { server: server.clone(), below: Some(below) }, &server, done).await
}

/// `repoint-replicas/:host/:port?pattern=`
pub async fn repoint_replicas(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::RepointReplicas { server: server.clone(), below: None, pattern: call.pattern()? };
    let view = call.services.refactor.run(&operation, operator.actor()).await?;
    several(&call, &view, &format!("Repointed {{}} replicas of {server}"))
}

/// `make-co-master/:host/:port`
pub async fn make_co_source(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Instance made co-master: {server}");
    run(&operator, &call, Operation::MakeCoSource { server: server.clone() }, &server, done).await
}

/// `take-siblings/:host/:port`
pub async fn take_siblings(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let view =
        call.services.refactor.run(&Operation::TakeSiblings { server: server.clone() }, operator.actor()).await?;
    Ok(Answer::ok(format!("Took {} siblings of {server}", view.plan.moves.len()), call.fresh(&server)?))
}

/// `take-master/:host/:port`
pub async fn take_source(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("{server} took its master");
    run(&operator, &call, Operation::TakeSource { server: server.clone() }, &server, done).await
}

/// `make-local-master/:host/:port`
pub async fn make_local_source(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let done = format!("Instance {server} now made local master");
    run(&operator, &call, Operation::MakeLocalSource { server: server.clone() }, &server, done).await
}

/// `make-master/:host/:port`: in the original it fails whenever it is needed (`spec/refactoring.md` 8.3); a recovery does what it was meant for.
pub async fn make_source(_: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let message =
        format!("make-master is not offered for {server}: use recover, or force-master-takeover to choose it");
    Err(ApiError::refused_by("use-recover", message))
}

/// `move-below-gtid/:host/:port/:belowHost/:belowPort`
pub async fn gtid(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let done = format!("Instance {server} moved below {below} via GTID");
    run(&operator, &call, Operation::MoveGtid { server: server.clone(), below }, &server, done).await
}

/// `move-replicas-gtid/:host/:port/:belowHost/:belowPort?pattern=`: a replica that stays makes the whole call an error.
pub async fn replicas_gtid(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let pattern = call.pattern()?;
    let operation = Operation::MoveReplicasGtid { server: server.clone(), below: below.clone(), pattern };
    let view = call.services.refactor.run(&operation, operator.actor()).await?;
    let staying: Vec<&String> = view.plan.warnings.iter().filter(|w| w.contains("stays where it is")).collect();
    if let Some(first) = staying.first() {
        let message = format!("{} replicas were moved, {} not: {first}", view.plan.moves.len(), staying.len());
        return Err(ApiError::refused_by("partly-moved", message));
    }
    Ok(Answer::ok(format!("Moved {} replicas of {server} below {below} via GTID", view.plan.moves.len()), below))
}

/// `regroup-replicas/:host/:port`
pub async fn regroup(operator: Operator, call: Call) -> ApiResult<Answer> {
    regroup_by(&operator, &call, false).await
}

/// `regroup-replicas-gtid/:host/:port`
pub async fn regroup_gtid(operator: Operator, call: Call) -> ApiResult<Answer> {
    regroup_by(&operator, &call, true).await
}

async fn regroup_by(operator: &Operator, call: &Call, gtid_only: bool) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::RegroupReplicas { server: server.clone(), gtid_only };
    let view = call.services.refactor.run(&operation, operator.actor()).await?;
    let best = regrouped_below(&view.plan, || call.snapshot().replicas_of(&server).map(|r| r.key.clone()).next());
    let best = best.ok_or_else(|| ApiError::not_found("Replica of", &server))?;
    Ok(Answer::ok(format!("promoted replica: {best}, lost: 0, moved: {}", view.plan.moves.len()), best))
}

/// Where the replicas were moved; with a single one, which stays where it is, that one.
pub(crate) fn regrouped_below(plan: &Plan, only: impl FnOnce() -> Option<InstanceKey>) -> Option<InstanceKey> {
    plan.moves.first().map(|m| m.to.clone()).or_else(only)
}

/// `can-replicate-from-gtid/:host/:port/:belowHost/:belowPort`
pub async fn can_replicate_from_gtid(_: Viewer, call: Call) -> ApiResult<Answer> {
    let replica = call.known().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::Contains).await?;
    let source = call.services.fleet.get(&below).ok_or_else(|| ApiError::not_found("Instance", &below))?;
    app::rules::can_replicate_from(&replica, &source, &crate::settings::rules(&call.config))
        .and_then(|_| gtid_positioning(&replica, &source))
        .map_err(ApiError::refused)?;
    Ok(Answer::ok("true", source.key.clone()))
}

/// The servers moved, with a message that has their number in place of `{}`.
pub(super) fn several(call: &Call, view: &OperationView, message: &str) -> ApiResult<Answer> {
    let moved: Vec<_> = view.plan.moves.iter().map(|m| call.fresh(&m.server)).collect::<ApiResult<_>>()?;
    Ok(Answer::ok(message.replacen("{}", &moved.len().to_string(), 1), moved))
}
