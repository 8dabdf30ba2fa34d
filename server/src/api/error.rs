//! The one error of the HTTP edge. Services have their own errors; each is turned into this one here, once, and
//! this one into an answer: an envelope with status 500 under `/api/`, the fitting status and [`ErrorBody`] under
//! `/api/v2/`. What must not leave the house (texts of the backend, panics) is logged, not sent.

use app::api::ErrorBody;
use app::key::KeyError;
use app::plan::{Plan, Refusal};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::lookup::TagError;

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was given cannot be understood.
    BadInput,
    /// Nobody has said who they are, or wrongly.
    Unauthenticated,
    /// The body is larger than any that makes sense.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// The path has no such verb.
    MethodNotAllowed,
    /// The caller may not.
    Forbidden,
    /// What was named is not known.
    NotFound,
    /// The plan that was shown is not the plan that would be carried out now.
    WorldChanged,
    /// Somebody else is at work there.
    Busy,
    /// A rule forbids it.
    Refused,
    /// This release does not do it.
    NotBuilt,
    /// Ask the leader.
    NotLeader,
    /// Something we need does not answer.
    Unavailable,
    /// It was begun and failed.
    Failed,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::BadInput,
        Self::Unauthenticated,
        Self::TooLarge,
        Self::TooSlow,
        Self::MethodNotAllowed,
        Self::Forbidden,
        Self::NotFound,
        Self::WorldChanged,
        Self::Busy,
        Self::Refused,
        Self::NotBuilt,
        Self::NotLeader,
        Self::Unavailable,
        Self::Failed,
        Self::Internal,
    ];

    /// The stable code of `/api/v2`.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadInput => "bad-input",
            Self::Unauthenticated => "unauthenticated",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::WorldChanged => "world-changed",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::NotBuilt => "not-built",
            Self::NotLeader => "not-leader",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::Internal => "internal",
        }
    }

    /// The status of `/api/v2`.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadInput => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WorldChanged | Self::Busy => StatusCode::CONFLICT,
            Self::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotBuilt => StatusCode::NOT_IMPLEMENTED,
            Self::NotLeader | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A request that is not answered with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of no it is.
    pub kind: ErrorKind,
    /// What was given and what was expected, for people.
    pub message: String,
    /// The rule that forbids it, with [`ErrorKind::Refused`].
    pub refusal: Option<Refusal>,
    /// What would be carried out now, with [`ErrorKind::WorldChanged`].
    pub plan: Option<Box<Plan>>,
}

/// Goes with an answer to somebody who may not, for the audit: why.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) String);

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), refusal: None, plan: None }
    }

    /// What was given cannot be understood.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadInput, message)
    }

    /// What was named is not known.
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("{what} not found: {name}"))
    }

    /// The caller may not, and why.
    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, why)
    }

    /// A rule forbids it.
    pub fn refused(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal.clone()), ..Self::new(ErrorKind::Refused, refusal.to_string()) }
    }

    /// A rule of a service forbids it; the message is the service's own.
    pub fn refused_by(rule: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { refusal: Some(Refusal::new(rule, message.clone())), ..Self::new(ErrorKind::Refused, message) }
    }

    /// The plan that was shown is not the plan that would be carried out now, which is this one.
    pub fn world_changed(message: impl Into<String>, plan: Box<Plan>) -> Self {
        Self { plan: Some(plan), ..Self::new(ErrorKind::WorldChanged, message) }
    }

    /// Something is wrong with us. The detail is logged and not sent.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        tracing::error!(%detail, "a request failed for a reason of our own");
        Self::new(ErrorKind::Internal, "internal error; see the log")
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        // Scripts look for the words that the original uses for a bad port.
        match &error {
            KeyError::Port { port, .. } => Self::bad_input(format!("Invalid port: {port}; {error}")),
            _ => Self::bad_input(error.to_string()),
        }
    }
}

impl From<TagError> for ApiError {
    fn from(error: TagError) -> Self {
        Self::bad_input(error.to_string())
    }
}

/// The form of `/api/v2`.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { kind, message, refusal, plan } = self;
        let refused = (kind == ErrorKind::Forbidden).then(|| Refused(message.clone()));
        let body = ErrorBody { code: kind.code().to_owned(), message, refusal, plan };
        let mut response = (kind.status(), Json(body)).into_response();
        if let Some(refused) = refused {
            response.extensions_mut().insert(refused);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(ErrorKind::ALL.iter().all(|kind| kind.status().is_client_error() || kind.status().is_server_error()));
    }

    #[test]
    fn our_own_trouble_is_not_told() {
        let error = ApiError::internal("SELECT secret FROM password");
        assert!(!error.message.contains("secret"), "{error}");
    }

    #[test]
    fn a_bad_port_is_named() {
        let error: ApiError = crate::lookup::host_and_port("db1", "x").expect_err("no number").into();
        assert!(error.message.starts_with("Invalid port: x"), "{error}");
    }
}
