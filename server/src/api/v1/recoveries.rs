//! Recoveries that people ask for, their acknowledgement, and the global switch (`spec/api.md` 2.16).

use std::sync::Arc;

use app::InstanceKey;
use app::recovery::{AcknowledgeScope, Recovery, RecoveryState};

use super::Answer;
use super::call::Call;
use crate::api::compat::TopologyRecovery;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Admin, Operator, Viewer};
use crate::consensus::{Actor, Command};
use crate::lookup::{self, Reach};
use crate::recovery::RecoveryRequest;

/// `recover/:host/:port`, `recover/:host/:port/:candidateHost/:candidatePort`, and both as `recover-lite`
pub async fn recover(operator: Operator, call: Call) -> ApiResult<Answer> {
    let failed = call.target().await?;
    let designated = optional_key(&call, "candidateHost", "candidatePort").await?;
    let lite = call.word() == "recover-lite" || call.query("skipProcesses") == Some("true");
    let accept_loss_of = accepted_loss(&call);
    let request = RecoveryRequest::Recover { failed: failed.clone(), designated, accept_loss_of, skip_hooks: lite };
    let recovery = call.services.recovery.run_to_end(&request, operator.actor()).await?;
    Ok(match (&recovery.state, &recovery.successor) {
        (RecoveryState::Succeeded, Some(successor)) => {
            let message = format!("Recovery executed on {failed}; promoted {successor}{}", afterwards(&recovery));
            Answer::ok(message, successor.clone())
        }
        (state, _) => Answer::failed(format!("Recovery attempted on {failed}; {}", why(state)), failed),
    })
}

/// `graceful-master-takeover/...`, in its four forms
pub async fn takeover(operator: Operator, call: Call) -> ApiResult<Answer> {
    take_over(operator, call, false).await
}

/// `graceful-master-takeover-auto/...`, in its four forms
pub async fn takeover_auto(operator: Operator, call: Call) -> ApiResult<Answer> {
    take_over(operator, call, true).await
}

async fn take_over(operator: Operator, call: Call, auto: bool) -> ApiResult<Answer> {
    let cluster = call.cluster(Reach::Exact)?;
    let designated = optional_key(&call, "designatedHost", "designatedPort").await?;
    let request = RecoveryRequest::Takeover { cluster, designated, auto };
    finish(&operator, &call, &request, "graceful-master-takeover", "graceful-master-takeover").await
}

/// `force-master-failover/...`, in its two forms
pub async fn force_failover(operator: Operator, call: Call) -> ApiResult<Answer> {
    let cluster = call.cluster(Reach::Exact)?;
    let request = RecoveryRequest::Force { cluster, designated: None, accept_loss_of: accepted_loss(&call) };
    finish(&operator, &call, &request, "force-master-failover", "force-master-failover").await
}

/// `force-master-takeover/...`, in its two forms
pub async fn force_takeover(operator: Operator, call: Call) -> ApiResult<Answer> {
    let cluster = call.cluster(Reach::Exact)?;
    let designated = optional_key(&call, "designatedHost", "designatedPort").await?;
    let request = RecoveryRequest::Force { cluster, designated, accept_loss_of: accepted_loss(&call) };
    finish(&operator, &call, &request, "force-master-takeover", "force-master-takeover").await
}

async fn finish(
    operator: &Operator,
    call: &Call,
    request: &RecoveryRequest,
    name: &str,
    hint: &str,
) -> ApiResult<Answer> {
    let recovery = call.services.recovery.run_to_end(request, operator.actor()).await?;
    match &recovery.successor {
        Some(successor) if recovery.is_successful() => {
            let message = format!("{name}: successor is {successor}{}", afterwards(&recovery));
            Ok(Answer::ok(message, live(call, &recovery, hint)))
        }
        _ => Err(ApiError::new(ErrorKind::Failed, format!("{name} failed: {}", why(&recovery.state)))),
    }
}

fn live(call: &Call, recovery: &Arc<Recovery>, hint: &str) -> TopologyRecovery {
    let snapshot = call.snapshot();
    let cluster = call.cluster_info(&snapshot, &recovery.cluster);
    let position = recovery.successor.as_ref().and_then(|key| snapshot.get(key)).map(|i| i.binlog.clone());
    TopologyRecovery::live(recovery, &cluster, hint, position, call.form(), snapshot.at)
}

/// What did not go well after the promotion: the promotion stands, and nobody is told that all went well.
fn afterwards(recovery: &Recovery) -> String {
    let failed = recovery.hooks.iter().filter(|run| run.is_failure());
    let mut told: Vec<String> = failed.map(|run| format!("hook {} of {} failed", run.number, run.list)).collect();
    told.extend(recovery.errors.iter().filter(|error| error.starts_with("publication of ")).cloned());
    if told.is_empty() { String::new() } else { format!("; but {}", told.join("; ")) }
}

fn why(state: &RecoveryState) -> String {
    match state {
        RecoveryState::Failed { reason } => reason.clone(),
        RecoveryState::Running => "it has not ended".to_owned(),
        RecoveryState::Succeeded => "no instance was promoted".to_owned(),
    }
}

/// `?acceptLossOf=`: transactions that may be lost, as a refusal named them (ours).
fn accepted_loss(call: &Call) -> Option<String> {
    call.query("acceptLossOf").filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A server that may be named in the path. One that is named wrongly is an error: the original ignores it and
/// promotes another.
async fn optional_key(call: &Call, host: &str, port: &str) -> ApiResult<Option<InstanceKey>> {
    if call.param(host).is_empty() {
        return Ok(None);
    }
    call.key_of(host, port, Reach::ShortName).await.map(Some)
}

/// `ack-recovery/cluster/:clusterHint`
pub async fn acknowledge_cluster(operator: Operator, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Exact)?;
    acknowledge_cluster_named(&operator, &call, name).await
}

/// `ack-recovery/cluster/alias/:clusterAlias`
pub async fn acknowledge_cluster_alias(operator: Operator, call: Call) -> ApiResult<Answer> {
    let name = call.cluster_of_alias()?;
    acknowledge_cluster_named(&operator, &call, name).await
}

async fn acknowledge_cluster_named(operator: &Operator, call: &Call, name: String) -> ApiResult<Answer> {
    let alias = lookup::alias_of(&call.snapshot(), &call.config, &name);
    let alias = if alias == name { String::new() } else { alias };
    acknowledge(operator, call, AcknowledgeScope::Cluster { name: name.clone(), alias }, name).await
}

/// `ack-recovery/instance/:host/:port`
pub async fn acknowledge_instance(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    acknowledge(&operator, &call, AcknowledgeScope::Instance { key: key.clone() }, key).await
}

/// `ack-recovery/:recoveryId`
pub async fn acknowledge_id(operator: Operator, call: Call) -> ApiResult<Answer> {
    let text = call.param("recoveryId").to_owned();
    let id: i64 = text
        .parse()
        .map_err(|_| ApiError::bad_input(format!("cannot parse recovery id: expected a number, got {text:?}")))?;
    acknowledge(&operator, &call, AcknowledgeScope::Id { id }, text).await
}

/// `ack-recovery/uid/:uid`
pub async fn acknowledge_uid(operator: Operator, call: Call) -> ApiResult<Answer> {
    let uid = call.param("uid").to_owned();
    acknowledge(&operator, &call, AcknowledgeScope::Uid { uid: uid.clone() }, uid).await
}

/// `ack-all-recoveries`
pub async fn acknowledge_all(operator: Operator, call: Call) -> ApiResult<Answer> {
    let comment = call.query("comment").unwrap_or_default().to_owned();
    acknowledge(&operator, &call, AcknowledgeScope::All, comment).await
}

async fn acknowledge<T: serde::Serialize>(
    operator: &Operator,
    call: &Call,
    scope: AcknowledgeScope,
    details: T,
) -> ApiResult<Answer> {
    let comment = call.query("comment").filter(|comment| !comment.is_empty());
    let comment = comment.ok_or_else(|| ApiError::bad_input("No acknowledge comment given: expected ?comment=TEXT"))?;
    // Without a user name the node stands for whoever asked.
    let by = match &call.caller.user {
        user if user.is_empty() => call.services.node.hostname.clone(),
        user => user.clone(),
    };
    let actor = Actor { name: by, ..operator.actor().clone() };
    let count = call.services.recovery.acknowledge(scope, comment, &actor).await?;
    Ok(Answer::ok(format!("{count} recoveries acknowledged"), details))
}

/// `disable-global-recoveries`
pub async fn disable(admin: Admin, call: Call) -> ApiResult<Answer> {
    let command = Command::EnableRecoveries { enabled: false };
    call.services.consensus.submit(command, admin.actor()).await?;
    Ok(Answer::ok("Globally disabled recoveries", "disabled"))
}

/// `enable-global-recoveries`
pub async fn enable(admin: Admin, call: Call) -> ApiResult<Answer> {
    let command = Command::EnableRecoveries { enabled: true };
    call.services.consensus.submit(command, admin.actor()).await?;
    Ok(Answer::ok("Globally enabled recoveries", "enabled"))
}

/// `check-global-recoveries`
pub async fn check(_: Viewer, call: Call) -> ApiResult<Answer> {
    let state = if call.services.consensus.recoveries_enabled() { "enabled" } else { "disabled" };
    Ok(Answer::ok(format!("Global recoveries {state}"), state))
}
