//! Servers and clusters: reads (`spec/api.md` 2.11, 2.12, 2.14, 2.17, 2.19).

use app::topology::Snapshot;
use regex::RegexBuilder;
use serde::Serialize;

use super::Answer;
use super::call::Call;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Viewer;
use crate::lookup::{self, Hint, Reach};

/// `instance/:host/:port`
pub async fn instance(_: Viewer, call: Call) -> ApiResult<Answer> {
    let known = call.known().await?;
    let listed = call.listed(&call.snapshot(), [&known]);
    listed.first().map(Answer::bare).ok_or_else(|| ApiError::not_found("Instance", &known.key))
}

/// `all-instances`
pub async fn all_instances(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, &lookup::everything(&snapshot))))
}

/// `search/:searchString`, `search?s=`
pub async fn search(_: Viewer, call: Call) -> ApiResult<Answer> {
    let text = match call.param("searchString") {
        "" => call.query("s").unwrap_or_default(),
        text => text,
    };
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, &lookup::search(&snapshot, text))))
}

/// `clusters`
pub async fn clusters(_: Viewer, call: Call) -> ApiResult<Answer> {
    Ok(Answer::bare_or_null(&lookup::cluster_names(&call.snapshot())))
}

/// `clusters-info`
pub async fn clusters_info(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    let clusters = lookup::by_cluster(&snapshot);
    let info = |(name, servers): (&&str, &Vec<_>)| call.cluster_info_of(&snapshot, name, servers.len());
    Ok(Answer::bare(&clusters.iter().map(info).collect::<Vec<_>>()))
}

/// `cluster/:clusterHint`, `cluster/instance/:host/:port`
pub async fn cluster(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, snapshot.cluster(&name))))
}

/// `cluster/alias/:clusterAlias`
pub async fn cluster_by_alias(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster_of_alias()?;
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, snapshot.cluster(&name))))
}

/// `cluster-info/:clusterHint`
pub async fn cluster_info(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    Ok(Answer::bare(&call.cluster_info(&call.snapshot(), &name)))
}

/// `cluster-info/alias/:clusterAlias`
pub async fn cluster_info_by_alias(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster_of_alias()?;
    Ok(Answer::bare(&call.cluster_info(&call.snapshot(), &name)))
}

/// `cluster-osc-replicas/:clusterHint`
pub async fn control_replicas(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, &lookup::control_replicas(&snapshot, &call.config, &name))))
}

/// `masters`
pub async fn primaries(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    Ok(Answer::bare_or_null(&call.listed(&snapshot, &lookup::primaries(&snapshot))))
}

/// `master/:clusterHint`
pub async fn primary(_: Viewer, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    let snapshot = call.snapshot();
    let primary = lookup::primary_of(&snapshot, &name);
    let listed = call.listed(&snapshot, primary.as_ref());
    listed.first().map(Answer::bare).ok_or_else(|| ApiError::not_found("Master of cluster", name))
}

/// `instance-replicas/:host/:port`
pub async fn replicas(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = call.key().await?;
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, snapshot.replicas_of(&key))))
}

/// `downtimed`, `downtimed/:clusterHint`
pub async fn downtimed(_: Viewer, call: Call) -> ApiResult<Answer> {
    let cluster = match call.param("clusterHint") {
        "" => None,
        _ => Some(call.cluster(Reach::Contains)?),
    };
    let snapshot = call.snapshot();
    Ok(Answer::bare(&call.listed(&snapshot, &lookup::downtimed(&snapshot, cluster.as_deref()))))
}

/// `problems`, `problems/:clusterName` (a pattern with `%` and `_`)
pub async fn problems(_: Viewer, call: Call) -> ApiResult<Answer> {
    let snapshot = call.snapshot();
    let mut servers = lookup::in_trouble(&snapshot, &call.config);
    let pattern = call.param("clusterName");
    if !pattern.is_empty() {
        let like = like(pattern)?;
        servers.retain(|i| like.is_match(&i.cluster_name));
    }
    Ok(Answer::bare_or_null(&call.listed(&snapshot, &servers)))
}

/// SQL's LIKE as a regular expression.
fn like(pattern: &str) -> ApiResult<regex::Regex> {
    let part = |character: char| match character {
        '%' => ".*".to_owned(),
        '_' => ".".to_owned(),
        other => regex::escape(&other.to_string()),
    };
    let expression: String = pattern.chars().map(part).collect();
    RegexBuilder::new(&format!("^{expression}$"))
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| ApiError::bad_input(format!("cannot use {pattern:?} as a pattern: {error}")))
}

/// `tags/:host/:port`
pub async fn tags(_: Viewer, call: Call) -> ApiResult<Answer> {
    let key = call.key().await?;
    let snapshot = call.snapshot();
    let tags = snapshot.annotations.tags.get(&key);
    let lines = tags.into_iter().flatten().map(|(name, value)| format!("{name}={value}"));
    Ok(Answer::bare(&lines.collect::<Vec<_>>()))
}

/// `tag-value/:host/:port`, `tag-value/:host/:port/:tagName`
pub async fn tag_value(_: Viewer, call: Call) -> ApiResult<Answer> {
    let text = call.query("tag").unwrap_or_else(|| call.param("tagName"));
    let tag = lookup::TagExpression::parse(text)?;
    let key = call.key().await?;
    let snapshot = call.snapshot();
    let value = snapshot.annotations.tags.get(&key).and_then(|tags| tags.get(&tag.name));
    value.map(Answer::bare).ok_or_else(|| ApiError::not_found("Tag", format!("{} of {key}", tag.name)))
}

/// `tagged?tag=`
pub async fn tagged(_: Viewer, call: Call) -> ApiResult<Answer> {
    let list = call.query("tag").unwrap_or_default();
    Ok(Answer::bare(&lookup::tagged(&call.snapshot(), list)?))
}

/// `bulk-instances`
pub async fn bulk_instances(_: Viewer, call: Call) -> ApiResult<Answer> {
    Ok(Answer::bare_or_null(&call.services.fleet.keys()))
}

/// `can-replicate-from/:host/:port/:belowHost/:belowPort`
pub async fn can_replicate_from(_: Viewer, call: Call) -> ApiResult<Answer> {
    let replica = call.known().await?;
    let below = call.key_of("belowHost", "belowPort", Reach::Contains).await?;
    let source = call.services.fleet.get(&below).ok_or_else(|| ApiError::not_found("Instance", &below))?;
    let settings = crate::settings::rules(&call.config);
    match app::rules::can_replicate_from(&replica, &source, &settings) {
        Ok(_) => Ok(Answer::ok("true", source.key.clone())),
        Err(refusal) => Err(ApiError::refused(refusal)),
    }
}

/// `automated-recovery-filters`
pub async fn automated_filters(_: Viewer, call: Call) -> ApiResult<Answer> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Filters<'a> {
        recover_intermediate_master_cluster_filters: &'a [String],
        recover_master_cluster_filters: &'a [String],
        recovery_ignore_hostname_filters: &'a [String],
    }
    let recovery = &call.config.recovery;
    let filters = Filters {
        recover_intermediate_master_cluster_filters: recovery.recover_intermediate_source_filters.texts(),
        recover_master_cluster_filters: recovery.recover_primary_filters.texts(),
        recovery_ignore_hostname_filters: call.config.detection.ignore_hostname_filters.texts(),
    };
    Ok(Answer::ok("Automated recovery configuration details", filters))
}

/// The cluster that a name or alias means; the text itself when nothing is known by it.
pub fn cluster_or_literal(call: &Call, snapshot: &Snapshot, text: &str) -> String {
    match lookup::cluster_by_hint(snapshot, &call.config, text, Reach::Exact) {
        Hint::Cluster(name) => name,
        Hint::Unknown => text.to_owned(),
    }
}
