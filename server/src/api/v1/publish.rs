//! Publication of primaries on demand (`spec/api.md` 88, 89).

use serde::Serialize;

use super::Answer;
use super::call::Call;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::Operator;
use crate::lookup::Reach;

/// A pair as the original tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    key: String,
    value: String,
}

/// `submit-masters-to-kv-stores`, and of one cluster
pub async fn submit(operator: Operator, call: Call) -> ApiResult<Answer> {
    let cluster = match call.param("clusterHint") {
        "" => None,
        _ => Some(call.cluster(Reach::Exact)?),
    };
    call.services.publisher.may_submit(cluster.as_deref(), operator.actor())?;
    let written = call.services.publisher.submit(cluster.as_deref(), operator.actor()).await;
    let written = written.map_err(|error| ApiError::new(ErrorKind::Failed, format!("not all was written: {error}")))?;
    let pairs: Vec<Pair> = written.into_iter().map(|p| Pair { key: p.key, value: p.value }).collect();
    let message = format!("Submitted {} masters", pairs.len());
    // The original's list is null when there is nothing in it.
    Ok(Answer::ok(message, (!pairs.is_empty()).then_some(pairs)))
}
