//! Pseudo-GTID: moves by it, and looking for entries (`spec/api.md` 2.5, 2.8).

use app::api::{Operation, OperationView};

use super::Answer;
use super::call::Call;
use super::moves::{moved, regrouped_below, troubles};
use super::operate::run;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Operator;
use crate::lookup::Reach;

/// `match/:host/:port/:belowHost/:belowPort`, `match-below/...`
pub async fn below(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let done = format!("Instance {server} matched below {below}");
    run(&operator, &call, Operation::Match { server: server.clone(), below }, &server, done).await
}

/// `match-up/:host/:port`
pub async fn up(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let view = call.services.refactor.run(&Operation::MatchUp { server: server.clone() }, operator.actor()).await?;
    let to = view.plan.moves.first().map(|m| m.to.to_string()).unwrap_or_default();
    Ok(Answer::ok(format!("Instance {server} matched up below {to}"), call.fresh(&server)?))
}

/// `match-replicas/:host/:port/:belowHost/:belowPort?pattern=`: a replica that stays makes the whole call an error.
pub async fn replicas(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let pattern = call.pattern()?;
    let operation = Operation::MatchReplicas { server: server.clone(), below: below.clone(), pattern };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    all_moved(&view)?;
    Ok(Answer::ok(format!("Matched {} replicas of {server} below {below}", moved(&view).len()), below))
}

/// `match-up-replicas/:host/:port?pattern=`: the answer is their new source, not they themselves.
pub async fn up_replicas(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::MatchUpReplicas { server: server.clone(), pattern: call.pattern()? };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    all_moved(&view)?;
    let source = || call.services.fleet.get(&server).map(|known| known.replication.source.clone());
    let above = view.plan.moves.first().map(|m| m.to.clone()).or_else(source);
    let above = above.ok_or_else(|| ApiError::not_found("Source of", &server))?;
    Ok(Answer::ok(format!("Matched up {} replicas of {server} below {above}", moved(&view).len()), above))
}

/// `regroup-replicas-pgtid/:host/:port`
pub async fn regroup(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::RegroupReplicasPseudoGtid { server: server.clone() };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let best = regrouped_below(&view.plan, || call.snapshot().replicas_of(&server).map(|r| r.key.clone()).next());
    let best = best.ok_or_else(|| ApiError::not_found("Replica of", &server))?;
    let moved = moved(&view).len();
    let lost = view.outcomes.len() - moved;
    // Those at the same place are matched like the others.
    let message =
        format!("promoted replica: {best}, lost: {lost}, trivial: 0, pseudo-gtid: {moved}{}", troubles(&view));
    Ok(Answer::ok(message, best))
}

/// `last-pseudo-gtid/:host/:port`: the message is the place of the entry.
pub async fn last(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    operator.actor().reaches_server(&call.snapshot(), &server)?;
    let entry = call.services.refactor.last_pseudo_gtid(&server, false).await?;
    Ok(Answer::ok(entry.at.to_string(), entry.text))
}

fn all_moved(view: &OperationView) -> ApiResult<()> {
    let (moved, all) = (moved(view).len(), view.outcomes.len());
    if moved == all {
        return Ok(());
    }
    let message = format!("{moved} replicas were matched, {} not{}", all - moved, troubles(view));
    Err(ApiError::refused_by("partly-moved", message))
}
