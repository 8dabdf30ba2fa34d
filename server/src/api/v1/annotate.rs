//! What operators say of servers and clusters (`spec/api.md` 2.12, 2.14, 2.15, 2.16, 2.18).

use app::InstanceKey;
use app::topology::{Candidate, Downtime, PromotionRule};
use chrono::{TimeDelta, Utc};

use super::Answer;
use super::call::Call;
use crate::api::compat::{CandidateInstance, Maintenance};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Operator, Viewer};
use crate::cli::duration::parse_duration;
use crate::consensus::{Command, ConsensusError};
use crate::lookup::{Hint, Reach, TagExpression, cluster_by_hint, tagged};
use crate::maintenance::{self, MaintenanceError, Wanted};

/// A downtime without a duration lasts this long.
pub const DEFAULT_DOWNTIME: TimeDelta = TimeDelta::minutes(10);

/// `begin-downtime/:host/:port/:owner/:reason`, `.../:duration`
pub async fn begin_downtime(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    let length = parse_duration(call.param("duration")).map_err(|error| ApiError::bad_input(error.to_string()))?;
    let begin = Utc::now();
    let length = length.filter(|length| !length.is_zero()).unwrap_or(DEFAULT_DOWNTIME);
    let end = begin.checked_add_signed(length).ok_or_else(|| {
        ApiError::bad_input(format!("a downtime of {} ends beyond all calendars", call.param("duration")))
    })?;
    let downtime = Downtime {
        owner: call.param("owner").trim().to_owned(),
        reason: call.param("reason").trim().to_owned(),
        begin,
        end,
    };
    let command = Command::BeginDowntime { key: key.clone(), downtime };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(format!("Downtime begun: {key}"), key))
}

/// `end-downtime/:host/:port`
pub async fn end_downtime(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    call.services.consensus.submit(Command::EndDowntime { key: key.clone() }, operator.actor()).await?;
    Ok(Answer::ok(format!("Downtime ended: {key}"), key))
}

/// `register-candidate/:host/:port/:promotionRule`
pub async fn register_candidate(operator: Operator, call: Call) -> ApiResult<Answer> {
    let rule: PromotionRule =
        call.param("promotionRule").parse().map_err(|error| ApiError::bad_input(format!("{error}")))?;
    let key = known_target(&call).await?;
    let candidate = Candidate { rule, last_suggested: Utc::now() };
    let command = Command::RegisterCandidate { key: key.clone(), candidate };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(format!("Registered candidate {key} with rule {rule}"), key))
}

/// `bulk-promotion-rules`
pub async fn promotion_rules(_: Viewer, call: Call) -> ApiResult<Answer> {
    let minutes = i64::try_from(call.config.candidates.candidate_instance_expire_minutes).unwrap_or(i64::MAX);
    let lifetime = TimeDelta::try_minutes(minutes).unwrap_or(TimeDelta::MAX);
    let snapshot = call.snapshot();
    let rules: Vec<_> = snapshot
        .annotations
        .candidates
        .iter()
        .map(|(key, candidate)| CandidateInstance::new(key, candidate, lifetime, call.form()))
        .collect();
    Ok(Answer::bare_or_null(&rules))
}

/// `set-cluster-alias/:clusterName?alias=`
pub async fn set_cluster_alias(operator: Operator, call: Call) -> ApiResult<Answer> {
    let alias = call.query("alias").filter(|alias| !alias.is_empty());
    let alias = alias.ok_or_else(|| ApiError::bad_input("an alias must be given: ?alias=NAME"))?.to_owned();
    let text = call.param("clusterName");
    let Hint::Cluster(cluster) = cluster_by_hint(&call.snapshot(), &call.config, text, Reach::Exact) else {
        return Err(ApiError::not_found("Cluster", text));
    };
    let done = format!("Cluster {cluster} now has alias '{alias}'");
    call.services.consensus.submit(Command::SetClusterAlias { cluster, alias }, operator.actor()).await?;
    Ok(Answer::ok(done, ()))
}

/// `tag/:host/:port?tag=`, `tag/:host/:port/:tagName/:tagValue`
pub async fn tag(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = known_target(&call).await?;
    let tag = tag_of(&call)?;
    let value = tag.value.unwrap_or_default();
    let done = format!("{key} tagged with {}={value}", tag.name);
    let command = Command::PutTag { key: key.clone(), name: tag.name, value };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(done, key))
}

/// `untag/:host/:port?tag=`, `untag/:host/:port/:tagName`
pub async fn untag(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    let tag = tag_of(&call)?;
    remove_tag(&operator, &call, &tag, |tagged| *tagged == key).await
}

/// `untag-all?tag=name=value`, `untag-all/:tagName/:tagValue`
pub async fn untag_all(operator: Operator, call: Call) -> ApiResult<Answer> {
    let tag = tag_of(&call)?;
    if tag.value.is_none() {
        return Err(ApiError::bad_input(format!("untag-all needs a value: expected {}=VALUE", tag.name)));
    }
    remove_tag(&operator, &call, &tag, |_| true).await
}

async fn remove_tag(
    operator: &Operator,
    call: &Call,
    tag: &TagExpression,
    meant: impl Fn(&InstanceKey) -> bool,
) -> ApiResult<Answer> {
    let text = match &tag.value {
        Some(value) => format!("{}={value}", tag.name),
        None => tag.name.clone(),
    };
    let keys: Vec<InstanceKey> = tagged(&call.snapshot(), &text)?.into_iter().filter(|key| meant(key)).collect();
    for key in &keys {
        let command = Command::DeleteTag { key: key.clone(), name: tag.name.clone() };
        call.services.consensus.submit(command, operator.actor()).await?;
    }
    Ok(Answer::ok(format!("{} removed from {} instances", tag.name, keys.len()), keys))
}

/// The tag of the query or, without one, of the path.
fn tag_of(call: &Call) -> ApiResult<TagExpression> {
    let text = match (call.query("tag"), call.param("tagName"), call.param("tagValue")) {
        (Some(text), _, _) => text.to_owned(),
        (None, name, "") => name.to_owned(),
        (None, name, value) => format!("{name}={value}"),
    };
    let tag = TagExpression::parse(&text)?;
    if tag.negated {
        return Err(ApiError::bad_input(format!("a tag to set or remove cannot be negated: {text:?}")));
    }
    Ok(tag)
}

/// `maintenance`
pub async fn list_maintenance(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    let active = snapshot.annotations.maintenance.iter().filter(|(_, entry)| entry.end > snapshot.at);
    let mut entries: Vec<_> = active.collect();
    entries.sort_by_key(|(_, entry)| entry.id);
    let listed: Vec<_> =
        entries.into_iter().map(|(key, entry)| Maintenance::new(key, entry, call.form(), snapshot.at)).collect();
    Ok(Answer::bare(&listed))
}

/// `begin-maintenance/:host/:port/:owner/:reason`
pub async fn begin_maintenance(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = known_target(&call).await?;
    let wanted = Wanted {
        key: key.clone(),
        owner: call.param("owner").trim().to_owned(),
        reason: call.param("reason").trim().to_owned(),
        length: maintenance::DEFAULT_LENGTH,
    };
    match maintenance::begin(&call.services, wanted, operator.actor()).await {
        Ok(()) => Ok(Answer::ok(format!("Maintenance begun: {key}"), key)),
        // The number of no maintenance, as in the original.
        Err(held @ MaintenanceError::Held(_)) => Ok(Answer::failed(held.to_string(), 0)),
        Err(held @ MaintenanceError::Consensus(ConsensusError::Refused(_))) => Ok(Answer::failed(held.to_string(), 0)),
        Err(error) => Err(error.into()),
    }
}

/// `end-maintenance/:host/:port`: no error when there was none
pub async fn end_maintenance(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    call.services.consensus.submit(Command::EndMaintenance { key: key.clone() }, operator.actor()).await?;
    Ok(Answer::ok(format!("Maintenance ended: {key}"), key))
}

/// `end-maintenance/:maintenanceKey`
pub async fn end_maintenance_by_number(operator: Operator, call: Call) -> ApiResult<Answer> {
    let text = call.param("maintenanceKey");
    let number = text
        .parse()
        .map_err(|_not_a_number| ApiError::bad_input(format!("a maintenance is named by its number, got {text:?}")))?;
    maintenance::end_by_number(&call.services, number, operator.actor()).await?;
    Ok(Answer::ok(format!("Maintenance ended: {number}"), number))
}

/// `in-maintenance/:host/:port`
pub async fn in_maintenance(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = call.key().await?;
    let snapshot = call.snapshot();
    let held = snapshot.annotations.maintenance.get(&key).is_some_and(|entry| entry.end > snapshot.at);
    Ok(if held { Answer::ok("true", key.to_string()) } else { Answer::ok("false", "") })
}

/// `register-hostname-unresolve/:host/:port/:virtualname`
pub async fn register_unresolved(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = known_target(&call).await?;
    let unresolved = call.param("virtualname").trim().to_owned();
    let done = format!("Hostname register unresolve completed: {key} is {unresolved}");
    let command = Command::RegisterUnresolved { hostname: key.hostname.clone(), unresolved };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(done, key))
}

/// `deregister-hostname-unresolve/:host/:port`
pub async fn deregister_unresolved(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    let command = Command::RegisterUnresolved { hostname: key.hostname.clone(), unresolved: String::new() };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(format!("Hostname deregister unresolve completed: {key}"), key))
}

/// The server of the path, which must be known: a word about a server that does not exist would wait for one that
/// some day has its name.
async fn known_target(call: &Call) -> ApiResult<InstanceKey> {
    let key = call.target().await?;
    match call.services.fleet.get(&key) {
        Some(known) => Ok(known.key.clone()),
        None => Err(ApiError::not_found("Instance", key)),
    }
}
