//! The only place that talks HTTP. Every failure says whether the service was reached and what it answered.

use std::fmt;

use gloo_net::http::{Method, Request, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::ErrorBody;
use crate::plan::{Plan, Refusal};
use crate::ui::model::route::encode;

/// A call takes at most this long, milliseconds. A discovery waits for a probe.
const TIMEOUT_MS: u32 = 30_000;

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The service did not answer.
    Unreachable(String),
    /// It answered with an error.
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        body: ErrorBody,
    },
    /// It answered something that is no answer of this API, e.g. the error page of a proxy.
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
}

impl ApiError {
    /// The world has changed since the plan was made.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, body } if body.code == "world-changed")
    }

    /// The plan for the world as it is now, where the service tells it with a conflict.
    pub fn new_plan(&self) -> Option<Plan> {
        match self {
            Self::Refused { body, .. } => body.plan.as_deref().cloned(),
            _ => None,
        }
    }

    /// There is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// The rule that forbids it.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { body, .. } => body.refusal.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "The service does not answer: {why}"),
            Self::Refused { body, .. } => f.write_str(&body.message),
            Self::Unreadable { status, why } => write!(f, "The service answered {status} with something else: {why}"),
        }
    }
}

/// A path below `api/v2`, each part percent-encoded.
pub fn path(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| encode(part)).collect();
    format!("api/v2/{}", parts.join("/"))
}

/// Reads.
///
/// # Errors
/// [`ApiError`].
pub async fn get<T: DeserializeOwned>(path: &str) -> Result<T, ApiError> {
    let request = builder(Method::GET, path).build().map_err(unreachable)?;
    read(request).await
}

/// Sends a body and reads the answer.
///
/// # Errors
/// [`ApiError`].
pub async fn send<T: DeserializeOwned>(method: Method, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
    let request = builder(method, path).json(body).map_err(unreachable)?;
    read(request).await
}

/// Sends a body (or nothing) where the answer has none.
///
/// # Errors
/// [`ApiError`].
pub async fn send_only<B: Serialize>(method: Method, path: &str, body: Option<&B>) -> Result<(), ApiError> {
    let builder = builder(method, path);
    let request = match body {
        Some(body) => builder.json(body),
        None => builder.build(),
    };
    answer(request.map_err(unreachable)?).await.map(|_| ())
}

fn builder(method: Method, path: &str) -> RequestBuilder {
    let signal = web_sys::AbortSignal::timeout_with_u32(TIMEOUT_MS);
    RequestBuilder::new(path).method(method).header("Accept", "application/json").abort_signal(Some(&signal))
}

fn unreachable(error: gloo_net::Error) -> ApiError {
    ApiError::Unreachable(error.to_string())
}

async fn answer(request: Request) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(unreachable)?;
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    match serde_json::from_str::<ErrorBody>(&text) {
        Ok(body) => Err(ApiError::Refused { status, body }),
        Err(_) => Err(ApiError::Unreadable { status, why: text.chars().take(200).collect() }),
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let response = answer(request).await?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    serde_json::from_str(&text).map_err(|error| ApiError::Unreadable { status, why: error.to_string() })
}
