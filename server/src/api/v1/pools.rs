//! Pools (`spec/api.md` 2.9). They are in the backend only: no decision rests on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Instance, Snapshot};

use super::Answer;
use super::call::Call;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Operator, Viewer};
use crate::consensus::Command;
use crate::lookup::{self, Reach};
use crate::pools;
use crate::store::PoolMember;

/// `submit-pool-instances/:pool?instances=`: without instances the pool is emptied
pub async fn submit(operator: Operator, call: Call) -> ApiResult<Answer> {
    let pool = call.param("pool").trim().to_owned();
    let list = call.query("instances").unwrap_or_default();
    let members = pools::members_of(&call.services, list).await.map_err(ApiError::bad_input)?;
    call.services.consensus.submit(Command::SubmitPool { pool: pool.clone(), members }, operator.actor()).await?;
    Ok(Answer::ok(format!("Submitted {pool} pool instances"), pool))
}

/// `cluster-pool-instances/:clusterName`, `.../:pool`: the name is taken literally
pub async fn of_cluster(_: Viewer, call: Call) -> ApiResult<Answer> {
    let (name, pool) = (call.param("clusterName"), call.param("pool"));
    let snapshot = call.snapshot();
    let mut pools: BTreeMap<String, Vec<InstanceKey>> = BTreeMap::new();
    for member in members(&call).await? {
        let is_meant = snapshot.get(&member.key).is_some_and(|i| i.cluster_name == name);
        if is_meant && (pool.is_empty() || member.pool == pool) {
            pools.entry(member.pool).or_default().push(member.key);
        }
    }
    Ok(Answer::ok(format!("Cluster pool instances for cluster {name}"), pools))
}

/// `heuristic-cluster-pool-instances/:clusterName`, `.../:pool`
pub async fn heuristic(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    let snapshot = call.snapshot();
    let servers = pooled(&call, &snapshot, &name).await?;
    Ok(Answer::ok(format!("Heuristic pool instances of cluster {name}"), call.listed(&snapshot, &servers)))
}

/// `heuristic-cluster-pool-lag/:clusterName`, `.../:pool`: an exact name or alias
pub async fn heuristic_lag(_: Viewer, call: Call) -> ApiResult<Answer> {
    let text = call.param("clusterName");
    let name = lookup::cluster_by_alias(&call.snapshot(), &call.config, text)
        .ok_or_else(|| ApiError::not_found("Cluster", text))?;
    let servers = pooled(&call, &call.snapshot(), &name).await?;
    let lag = servers.iter().map(|i| i.lag.unwrap_or_default()).max();
    let lag = lag.ok_or_else(|| ApiError::new(ErrorKind::Failed, format!("no pooled instances in cluster {name}")))?;
    Ok(Answer::ok(format!("Heuristic pool lag of cluster {name}"), lag))
}

async fn pooled(call: &Call, snapshot: &Snapshot, cluster: &str) -> ApiResult<Vec<Arc<Instance>>> {
    Ok(lookup::pooled(snapshot, &call.config, &members(call).await?, cluster, call.param("pool")))
}

async fn members(call: &Call) -> ApiResult<Vec<PoolMember>> {
    Ok(call.services.store.load_pools().await?)
}
