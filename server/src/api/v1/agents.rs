//! Host agents (`spec/api.md` 2.21): a program of its own, dormant for years, that mounted volumes and copied data.
//!
//! The original answers all these paths with an error unless `ServeAgentsHttp` is on. Here it cannot be on: there is no
//! listener for agents, so there is never one to ask.

use super::Answer;
use super::call::Call;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::Operator;

/// `agents`, `agent/...`, `agent-...`, `seeds`
pub async fn not_served(_: Operator, call: Call) -> ApiResult<Answer> {
    let (kind, why) = if call.config.agents.serve {
        (ErrorKind::NotBuilt, "ServeAgentsHttp is set, but this release has no listener for agents")
    } else {
        (ErrorKind::Refused, "ServeAgentsHttp is off")
    };
    Err(ApiError::new(kind, format!("Agents are not served: {why}; no agent was asked")))
}
