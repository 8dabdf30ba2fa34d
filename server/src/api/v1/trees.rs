//! The tree of a cluster as text (`spec/api.md` 4).

use app::topology::ascii::{TopologyStyle, draw_topology};

use super::Answer;
use super::call::Call;
use crate::api::error::ApiResult;
use crate::auth::Viewer;
use crate::lookup::Reach;

/// `topology/:clusterHint`, `topology/:host/:port`
pub async fn topology(_: Viewer, call: Call) -> ApiResult<Answer> {
    draw(&call, TopologyStyle::Plain)
}

/// `topology-tabulated/:clusterHint`, `topology-tabulated/:host/:port`
pub async fn topology_tabulated(_: Viewer, call: Call) -> ApiResult<Answer> {
    draw(&call, TopologyStyle::Tabulated)
}

/// `topology-tags/:clusterHint`, `topology-tags/:host/:port`
pub async fn topology_tags(_: Viewer, call: Call) -> ApiResult<Answer> {
    draw(&call, TopologyStyle::Tags)
}

fn draw(call: &Call, style: TopologyStyle) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Contains)?;
    let snapshot = call.snapshot();
    let tree = draw_topology(snapshot.cluster(&name), &snapshot.annotations, style, &call.thresholds(), snapshot.at);
    Ok(Answer::ok(format!("Topology for cluster {name}"), tree))
}
