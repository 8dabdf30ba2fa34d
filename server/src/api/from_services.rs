//! What each service says, as an error of the edge: one mapping per service.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, ErrorKind};
use crate::auth::{CrossSite, Unauthenticated};
use crate::consensus::ConsensusError;
use crate::discovery::DiscoveryError;
use crate::recovery::RecoverError;
use crate::refactor::RefactorError;
use crate::store::StoreError;

impl From<RefactorError> for ApiError {
    fn from(error: RefactorError) -> Self {
        let message = error.to_string();
        match error {
            RefactorError::Refused(refusal) => Self::refused(refusal),
            RefactorError::Unknown(_) => Self::new(ErrorKind::NotFound, message),
            RefactorError::WorldChanged(_) => Self::new(ErrorKind::WorldChanged, message),
            RefactorError::Held(_) => Self::new(ErrorKind::Busy, message),
            RefactorError::NotLeader => Self::new(ErrorKind::NotLeader, message),
            RefactorError::Failed(_) => Self::new(ErrorKind::Failed, message),
        }
    }
}

impl From<RecoverError> for ApiError {
    fn from(error: RecoverError) -> Self {
        let message = error.to_string();
        let kind = match error {
            RecoverError::Unknown(_) => ErrorKind::NotFound,
            RecoverError::NoPrimary { .. } | RecoverError::Nothing { .. } | RecoverError::Hold(_) => ErrorKind::Refused,
            RecoverError::Held(_) => ErrorKind::Busy,
            RecoverError::Consensus(error) => return error.into(),
        };
        Self::new(kind, message)
    }
}

impl From<ConsensusError> for ApiError {
    fn from(error: ConsensusError) -> Self {
        let kind = match error {
            ConsensusError::NotLeader { .. } => ErrorKind::NotLeader,
            ConsensusError::Refused(_) => ErrorKind::Refused,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DiscoveryError> for ApiError {
    fn from(error: DiscoveryError) -> Self {
        let kind = match error {
            DiscoveryError::Invalid(_) => ErrorKind::BadInput,
            DiscoveryError::Barred(_) | DiscoveryError::Skipped(_) => ErrorKind::Refused,
            DiscoveryError::Probe(_) => ErrorKind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "a read of the backend failed");
            return Self::new(
                ErrorKind::Unavailable,
                "the backend database does not answer; see the log and the node's status",
            );
        }
        Self::internal(error)
    }
}

impl From<CrossSite> for ApiError {
    fn from(error: CrossSite) -> Self {
        Self::forbidden(error.to_string())
    }
}

/// 401 with the challenge and the words of the original (`spec/api.md` 1.5).
impl IntoResponse for Unauthenticated {
    fn into_response(self) -> Response {
        let status = ErrorKind::Unauthenticated.status();
        (status, [(header::WWW_AUTHENTICATE, Self::CHALLENGE)], self.to_string()).into_response()
    }
}
