//! What each service says, as an error of the edge: one mapping per service.

use app::api::ErrorBody;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, ErrorKind, Refused};
use crate::auth::{CrossSite, NoProof, Refusal};
use crate::consensus::{ConsensusError, OutOfReach};
use crate::discovery::DiscoveryError;
use crate::maintenance::MaintenanceError;
use crate::recovery::RecoverError;
use crate::refactor::RefactorError;
use crate::store::StoreError;

impl From<RefactorError> for ApiError {
    fn from(error: RefactorError) -> Self {
        let message = error.to_string();
        match error {
            RefactorError::Refused(refusal) => Self::refused(refusal),
            RefactorError::Unknown(_) => Self::new(ErrorKind::NotFound, message),
            RefactorError::WorldChanged(plan) => Self::world_changed(message, plan),
            RefactorError::Held(_) => Self::new(ErrorKind::Busy, message),
            RefactorError::Forbidden(_) => Self::new(ErrorKind::Forbidden, message),
            RefactorError::NotLeader => Self::new(ErrorKind::NotLeader, message),
            RefactorError::Failed(_) => Self::new(ErrorKind::Failed, message),
        }
    }
}

impl From<RecoverError> for ApiError {
    fn from(error: RecoverError) -> Self {
        let message = error.to_string();
        match error {
            RecoverError::Unknown(_) => Self::new(ErrorKind::NotFound, message),
            RecoverError::NoPrimary { .. } => Self::refused_by("no-single-primary", message),
            RecoverError::LossUnreadable { .. } => Self::bad_input(message),
            RecoverError::Nothing { .. } => Self::refused_by("nothing-to-recover", message),
            RecoverError::Hold(_) => Self::refused_by("recovery-held", message),
            RecoverError::InProgress(_) | RecoverError::Held(_) => Self::new(ErrorKind::Busy, message),
            RecoverError::Unheard => Self::new(ErrorKind::Unavailable, message),
            RecoverError::Consensus(error) => error.into(),
        }
    }
}

impl From<ConsensusError> for ApiError {
    fn from(error: ConsensusError) -> Self {
        let message = error.to_string();
        match error {
            ConsensusError::NotLeader { .. } => Self::new(ErrorKind::NotLeader, message),
            ConsensusError::Forbidden(_) => Self::new(ErrorKind::Forbidden, message),
            ConsensusError::Refused(_) => Self::refused_by("command-refused", message),
        }
    }
}

impl From<OutOfReach> for ApiError {
    fn from(error: OutOfReach) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<MaintenanceError> for ApiError {
    fn from(error: MaintenanceError) -> Self {
        match error {
            MaintenanceError::Held(held) => Self::new(ErrorKind::Busy, held.to_string()),
            MaintenanceError::Consensus(error) => error.into(),
            MaintenanceError::Unknown(_) => Self::new(ErrorKind::NotFound, error.to_string()),
        }
    }
}

impl From<DiscoveryError> for ApiError {
    fn from(error: DiscoveryError) -> Self {
        let message = error.to_string();
        match error {
            DiscoveryError::Invalid(_) => Self::new(ErrorKind::BadInput, message),
            DiscoveryError::Barred(_) => Self::refused_by("forgotten-lately", message),
            DiscoveryError::Skipped(_) => Self::refused_by("discovery-filter", message),
            DiscoveryError::Probe(_) => Self::new(ErrorKind::Failed, message),
        }
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

/// The page has to read `me` again: its session is another one.
impl IntoResponse for NoProof {
    fn into_response(self) -> Response {
        let body = ErrorBody { code: "csrf".to_owned(), message: self.to_string(), refusal: None, plan: None };
        let mut response = (StatusCode::FORBIDDEN, Json(body)).into_response();
        response.extensions_mut().insert(Refused(self.to_string()));
        response
    }
}

/// 401 with the challenge and the words of the original (`spec/api.md` 1.5); 429 with when to come again.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, header) = match self {
            Self::Unauthenticated => (ErrorKind::Unauthenticated.status(), (header::WWW_AUTHENTICATE, Self::CHALLENGE)),
            Self::TooBusy => (StatusCode::TOO_MANY_REQUESTS, (header::RETRY_AFTER, "1")),
            Self::SignedOut => return self.as_json(Self::BEARER),
            Self::BadToken => return self.as_json(Self::BAD_TOKEN),
        };
        (status, [header], self.to_string()).into_response()
    }
}

impl Refusal {
    /// For the page and for tools of ours: the form of `/api/v2`.
    fn as_json(self, challenge: &'static str) -> Response {
        let error = ApiError::new(ErrorKind::Unauthenticated, self.to_string());
        let mut response = error.into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

#[cfg(test)]
mod tests {
    use app::plan::Refusal;

    use super::*;

    #[test]
    fn whoever_does_not_lead_says_so_with_503() {
        let errors: [ApiError; 3] = [
            RefactorError::NotLeader.into(),
            ConsensusError::NotLeader { leader: Some("orc2".to_owned()) }.into(),
            RecoverError::Consensus(ConsensusError::NotLeader { leader: None }).into(),
        ];
        for error in &errors {
            assert_eq!((error.kind, error.kind.status().as_u16()), (ErrorKind::NotLeader, 503), "{error}");
        }
        assert!(errors[1].message.contains("orc2"), "{}", errors[1]);
    }

    #[test]
    fn each_refusal_names_its_rule() {
        let nothing = || RecoverError::Nothing { key: app::InstanceKey::new("db1", 3306), found: String::new() };
        for (error, rule) in [
            (ApiError::from(RefactorError::Refused(Refusal::new("version-too-low", "m"))), "version-too-low"),
            (ConsensusError::Refused("m".to_owned()).into(), "command-refused"),
            (RecoverError::Hold("m".to_owned()).into(), "recovery-held"),
            (nothing().into(), "nothing-to-recover"),
        ] {
            assert_eq!(error.kind.status().as_u16(), 422);
            assert_eq!(error.refusal.map(|refusal| refusal.rule).as_deref(), Some(rule));
        }
    }

    #[test]
    fn a_recovery_at_work_is_in_the_way_and_no_rule() {
        let error = ApiError::from(RecoverError::InProgress("recovery 7 of this cluster is at work".to_owned()));
        assert_eq!((error.kind, error.kind.status().as_u16(), error.refusal), (ErrorKind::Busy, 409, None));
    }
}
