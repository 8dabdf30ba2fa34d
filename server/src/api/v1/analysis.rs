//! What analysis finds (`spec/api.md` 2.16).

use std::cmp::Reverse;

use app::InstanceKey;
use app::finding::{AnalysisCode, Finding};
use app::topology::Snapshot;

use super::Answer;
use super::call::Call;
use super::read::cluster_or_literal;
use crate::api::compat::{Changelog, ReplicationAnalysis};
use crate::api::error::ApiResult;
use crate::auth::Viewer;

/// `replication-analysis`, `replication-analysis/:clusterName`
pub async fn replication_analysis(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    let cluster = match call.param("clusterName") {
        "" => None,
        text => Some(cluster_or_literal(&call, &snapshot, text)),
    };
    let found = findings(&call, |finding| cluster.as_ref().is_none_or(|name| finding.cluster == *name));
    Ok(analysis_of(&call, &snapshot, &found))
}

/// `replication-analysis/instance/:host/:port`
pub async fn replication_analysis_of(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = call.key().await?;
    let found = findings(&call, |finding| finding.key == key);
    Ok(analysis_of(&call, &call.snapshot(), &found))
}

/// `replication-analysis-changelog`
pub async fn changelog(_: Viewer, call: Call) -> ApiResult<Answer> {
    let changes = call.services.store.analysis_changes().await?;
    let groups: Vec<Changelog> = changes
        .chunk_by(|a, b| a.key == b.key)
        .filter_map(|group| {
            let key: InstanceKey = group.first()?.key.clone();
            Some(Changelog::new(key, group.iter().map(|c| (c.at, c.analysis.as_str())), call.form()))
        })
        .collect();
    Ok(Answer::bare_or_null(&groups))
}

/// What is worth telling: primaries first, then those their cluster is named after, then those with more replicas.
fn findings(call: &Call, meant: impl Fn(&Finding) -> bool) -> Vec<Finding> {
    let mut found = call.services.recovery.analyse_now();
    found.retain(|f| (f.code != AnalysisCode::NoProblem || !f.structure.is_empty()) && meant(f));
    found.sort_by_key(|f| {
        (Reverse(f.facts.is_source), f.key.to_string() != f.cluster, Reverse(f.facts.replicas.len()), f.key.clone())
    });
    found
}

fn analysis_of(call: &Call, snapshot: &Snapshot, found: &[Finding]) -> Answer {
    let node = &call.services.node;
    let entry = |finding: &Finding| {
        let cluster = call.cluster_info_of(snapshot, &finding.cluster, 0);
        ReplicationAnalysis::new(finding, &cluster, (&node.hostname, &node.token), call.form(), snapshot.at)
    };
    Answer::ok("Analysis", found.iter().map(entry).collect::<Vec<_>>())
}
