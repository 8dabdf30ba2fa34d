//! Records: recoveries, their steps, detections, what was blocked, the audit (`spec/api.md` 2.16, 2.17).

use chrono::Utc;

use super::Answer;
use super::call::Call;
use crate::api::compat::{Audit, Blocked, RecoveryStep, TopologyRecovery};
use crate::api::error::ApiResult;
use crate::auth::Viewer;
use crate::store::{DetectionFilter, DetectionRow, PAGE_SIZE, RecoveryFilter, RecoveryRow};

/// `audit-recovery`, and by page, cluster name, cluster alias, number or identity
pub async fn recoveries(_: Viewer, call: Call) -> ApiResult<Answer> {
    let (id, uid) = (call.param("id"), call.param("uid"));
    let (cluster, alias) = (call.param("clusterName"), call.param("clusterAlias"));
    let filter = if let Some(id) = positive(id) {
        RecoveryFilter::Id(id)
    } else if !uid.is_empty() {
        RecoveryFilter::Uid(uid.to_owned())
    } else if !cluster.is_empty() {
        RecoveryFilter::Cluster(cluster.to_owned())
    } else if !alias.is_empty() {
        RecoveryFilter::Alias(alias.to_owned())
    } else if call.query("unacknowledged") == Some("true") {
        RecoveryFilter::Unacknowledged
    } else {
        RecoveryFilter::All
    };
    list_recoveries(&call, filter, call.page()).await
}

/// `active-cluster-recovery/:clusterName`
pub async fn active(_: Viewer, call: Call) -> ApiResult<Answer> {
    let filter = RecoveryFilter::ActiveOfCluster(call.param("clusterName").to_owned());
    list_recoveries(&call, filter, 0).await
}

/// `recently-active-cluster-recovery/:clusterName`
pub async fn recent_of_cluster(_: Viewer, call: Call) -> ApiResult<Answer> {
    let filter = RecoveryFilter::RecentOfCluster(call.param("clusterName").to_owned(), Utc::now());
    list_recoveries(&call, filter, 0).await
}

/// `recently-active-instance-recovery/:host/:port`
pub async fn recent_of_successor(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = call.key().await?;
    list_recoveries(&call, RecoveryFilter::RecentSuccessor(key, Utc::now()), 0).await
}

async fn list_recoveries(call: &Call, filter: RecoveryFilter, page: u32) -> ApiResult<Answer> {
    let rows = call.services.store.recoveries(&filter, page, PAGE_SIZE).await?;
    let snapshot = call.snapshot();
    let compat = |row: RecoveryRow| {
        let cluster = call.cluster_info(&snapshot, &row.cluster);
        TopologyRecovery::stored(row, &cluster, call.form())
    };
    Ok(Answer::bare(&rows.into_iter().map(compat).collect::<Vec<_>>()))
}

/// `audit-recovery-steps/:uid`
pub async fn steps(_: Viewer, call: Call) -> ApiResult<Answer> {
    let rows = call.services.store.recovery_story(call.param("uid")).await?;
    let line = rows.iter().map(|row| RecoveryStep::new(row.id, &row.uid, row.at, &row.message, call.form()));
    Ok(Answer::bare(&line.collect::<Vec<_>>()))
}

/// `audit-failure-detection`, and by page, cluster alias or number
pub async fn detections(_: Viewer, call: Call) -> ApiResult<Answer> {
    let alias = call.param("clusterAlias");
    let filter = if let Some(id) = positive(call.param("id")) {
        DetectionFilter::Id(id)
    } else if !alias.is_empty() {
        DetectionFilter::Alias(alias.to_owned())
    } else {
        DetectionFilter::All
    };
    let rows = call.services.store.detections(&filter, call.page(), PAGE_SIZE).await?;
    let snapshot = call.snapshot();
    let compat = |row: DetectionRow| {
        let cluster = call.cluster_info(&snapshot, &row.cluster);
        TopologyRecovery::detection(row, &cluster, call.form())
    };
    Ok(Answer::bare(&rows.into_iter().map(compat).collect::<Vec<_>>()))
}

/// `blocked-recoveries`, `blocked-recoveries/cluster/:clusterName`
pub async fn blocked(_: Viewer, call: Call) -> ApiResult<Answer> {
    let cluster = Some(call.param("clusterName")).filter(|name| !name.is_empty());
    let rows = call.services.store.blocked_recoveries(cluster).await?;
    let form = call.form();
    let compat = rows
        .into_iter()
        .map(|row| Blocked::new(row.key, row.cluster, row.analysis, row.at, row.blocking_recovery_id, form));
    Ok(Answer::bare(&compat.collect::<Vec<_>>()))
}

/// `audit`, `audit/:page`, `audit/instance/:host/:port`, `audit/instance/:host/:port/:page`
pub async fn audit(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = if call.param("host").is_empty() { None } else { Some(call.key().await?) };
    let rows = call.services.audit.page(key.as_ref(), call.page()).await?;
    Ok(Answer::bare(&rows.into_iter().map(|row| Audit::new(row, call.form())).collect::<Vec<_>>()))
}

/// A number of a record; anything else lists all, as in the original.
fn positive(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| *id > 0)
}
