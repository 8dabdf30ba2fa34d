//! Pictures of all topologies, kept in the backend (`spec/api.md` 87).

use std::time::Instant;

use app::InstanceKey;
use chrono::Utc;

use super::Answer;
use super::call::Call;
use crate::api::compat::go_duration;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Operator;

/// `snapshot-topologies`: how long it took is told when it failed as well
pub async fn snapshot_topologies(operator: Operator, call: Call) -> ApiResult<Answer> {
    operator.actor().reaches_everything("a picture of all topologies")?;
    let begun = Instant::now();
    let outcome = call.services.store.snapshot_topologies(Utc::now()).await;
    let took = format!("Took {}", go_duration(begun.elapsed()));
    match outcome {
        Ok(servers) => {
            let message = format!("Topology snapshot of {servers} instances taken");
            call.services.audit.record("snapshot-topologies", &InstanceKey::default(), "", operator.actor(), &message);
            Ok(Answer::ok(message, took))
        }
        Err(error) if error.is_conflict() => {
            Ok(Answer::failed("a topology snapshot of this second is stored already; nothing was done", took))
        }
        Err(error) => Ok(Answer::failed(ApiError::from(error).message, took)),
    }
}
