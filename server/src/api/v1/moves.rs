//! Changes of the tree beside `relocate`: by position, by GTID, in groups (`spec/api.md` 2.1 to 2.5).

use app::api::{Operation, OperationView};
use app::plan::{OutcomeState, Plan};
use app::rules::gtid_positioning;
use app::topology::{LogPlace, Snapshot};
use app::{BinlogCoordinates, InstanceKey};

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
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    several(&call, &view, &format!("Moved up {{}} replicas of {server}"))
}

/// `move-below/:host/:port/:siblingHost/:siblingPort`
pub async fn below(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("siblingHost", "siblingPort", Reach::ShortName).await?;
    let done = format!("Instance {server} moved below {below}");
    run(&operator, &call, Operation::MoveBelow { server: server.clone(), below }, &server, done).await
}

/// `move-equivalent/:host/:port/:belowHost/:belowPort`
pub async fn equivalent(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::ShortName).await?;
    let done = format!("Instance {server} relocated via equivalence below {below}");
    run(&operator, &call, Operation::MoveEquivalent { server: server.clone(), below }, &server, done).await
}

/// `master-equivalent/:host/:port/:logFile/:logPos`: the same moment in the logs of other servers
pub async fn equivalents(_: Operator, call: Call) -> ApiResult<Answer> {
    let source = call.key().await?;
    let given = call.param("logPos");
    let position: i64 =
        given.parse().map_err(|_| ApiError::bad_input(format!("logPos: got {given:?}, expected a whole number")))?;
    let at = BinlogCoordinates::binary(call.param("logFile"), position);
    let snapshot = call.snapshot();
    let found: Vec<LogPlace> = snapshot.annotations.equivalences.of(&source, &at).cloned().collect();
    let message = format!("Found {} equivalent coordinates", found.len());
    Ok(if found.is_empty() { Answer::ok(message, ()) } else { Answer::ok(message, found) })
}

/// `regroup-replicas-bls/:host/:port`
pub async fn regroup_binlog_servers(operator: Operator, call: Call) -> ApiResult<Answer> {
    let server = call.target().await?;
    let operation = Operation::RegroupBinlogServers { server: server.clone() };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let best = regrouped_below(&view.plan, || only_binlog_server(&call.snapshot(), &server));
    let best = best.ok_or_else(|| ApiError::not_found("Binlog server of", &server))?;
    Ok(Answer::ok(format!("promoted binlog server: {best}{}", troubles(&view)), best))
}

/// The binlog server below a server that has but one.
pub(crate) fn only_binlog_server(snapshot: &Snapshot, server: &InstanceKey) -> Option<InstanceKey> {
    snapshot.replicas_of(server).find(|r| r.is_binlog_server()).map(|r| r.key.clone())
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
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
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
    let operation = Operation::TakeSiblings { server: server.clone() };
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let message = format!("Took {} siblings of {server}{}", moved(&view).len(), troubles(&view));
    Ok(Answer::ok(message, call.fresh(&server)?))
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
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let moved = moved(&view).len();
    if moved < view.outcomes.len() {
        let message = format!("{moved} replicas were moved, {} not{}", view.outcomes.len() - moved, troubles(&view));
        return Err(ApiError::refused_by("partly-moved", message));
    }
    Ok(Answer::ok(format!("Moved {moved} replicas of {server} below {below} via GTID"), below))
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
    let view = call.services.refactor.run_each(&operation, operator.actor()).await?;
    let best = regrouped_below(&view.plan, || call.snapshot().replicas_of(&server).map(|r| r.key.clone()).next());
    let best = best.ok_or_else(|| ApiError::not_found("Replica of", &server))?;
    let moved = moved(&view).len();
    let lost = view.outcomes.len() - moved;
    let message = format!("promoted replica: {best}, lost: {lost}, moved: {moved}{}", troubles(&view));
    Ok(Answer::ok(message, best))
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

/// The servers moved, with a message that has their number in place of `{}` and tells of those that were not.
fn several(call: &Call, view: &OperationView, message: &str) -> ApiResult<Answer> {
    let moved: Vec<_> = moved(view).into_iter().map(|key| call.fresh(key)).collect::<ApiResult<_>>()?;
    let message = message.replacen("{}", &moved.len().to_string(), 1);
    Ok(Answer::ok(format!("{message}{}", troubles(view)), moved))
}

/// The servers that got to where they should.
pub(crate) fn moved(view: &OperationView) -> Vec<&InstanceKey> {
    view.outcomes.iter().filter(|o| o.state == OutcomeState::Done).map(|o| &o.server).collect()
}

/// What became of each other server, each in a line of its own kind: `host:port: why`.
pub(crate) fn not_moved(view: &OperationView) -> Vec<String> {
    let others = view.outcomes.iter().filter(|o| o.state != OutcomeState::Done);
    others.map(|o| format!("{}: {}", o.server, o.message)).collect()
}

/// The same as the end of a message; empty when there is nothing to tell.
pub(super) fn troubles(view: &OperationView) -> String {
    match not_moved(view).as_slice() {
        [] => String::new(),
        lines => format!("; {} errors: {}", lines.len(), lines.join("; ")),
    }
}
