//! The only place that talks HTTP. Every failure says whether the service was reached and what it answered.
//!
//! A call is one and the same piece of program whatever is sent and read: only writing a body and reading an answer depend
//! on their types.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use gloo_net::http::{Method, RequestBuilder};
use serde::Serialize;

use crate::access::{CSRF_HEADER, Me};
use crate::api::ErrorBody;
use crate::plan::{Plan, Refusal};
use crate::ui::model::route::encode;
use crate::ui::read::{self, Blank};

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

/// What belongs to the session, wherever a call is made.
struct Session {
    /// Goes with every change; the outer `None` while the page has not heard who is here.
    csrf: Option<Option<String>>,
    /// Hears that the service no longer knows the caller.
    unknown: Option<Rc<dyn Fn()>>,
}

thread_local! {
    static SESSION: RefCell<Session> = const { RefCell::new(Session { csrf: None, unknown: None }) };
}

/// Every change carries what belongs to the session of this caller from now on, if anything does.
pub fn carry(me: Option<&Me>) {
    let csrf = me.map(|me| me.csrf_token.clone());
    SESSION.with_borrow_mut(|session| session.csrf = csrf);
}

/// Has it said at once when a call tells that the service does not know the caller (any more).
pub fn when_unknown(tell: impl Fn() + 'static) {
    SESSION.with_borrow_mut(|session| session.unknown = Some(Rc::new(tell)));
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
pub async fn get<T: Blank>(path: &str) -> Result<T, ApiError> {
    received(call(Method::GET, path.to_owned(), None).await)
}

/// Sends a body and reads the answer.
///
/// # Errors
/// [`ApiError`].
pub async fn send<T: Blank>(method: Method, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
    received(call(method, path.to_owned(), Some(written(body)?)).await)
}

/// Sends a body (or nothing) where the answer has none.
///
/// # Errors
/// [`ApiError`].
pub async fn send_only<B: Serialize>(method: Method, path: &str, body: Option<&B>) -> Result<(), ApiError> {
    let body = body.map(written).transpose()?;
    call(method, path.to_owned(), body).await.map(|_| ())
}

fn written(body: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(body).map_err(|error| ApiError::Unreachable(error.to_string()))
}

fn received<T: Blank>(answer: Result<Answer, ApiError>) -> Result<T, ApiError> {
    let Answer { status, text } = answer?;
    read::read(&text).map_err(|error| ApiError::Unreadable { status, why: error.to_string() })
}

/// A good answer.
struct Answer {
    status: u16,
    text: String,
}

fn unreachable(error: gloo_net::Error) -> ApiError {
    ApiError::Unreachable(error.to_string())
}

async fn call(method: Method, address: String, body: Option<String>) -> Result<Answer, ApiError> {
    let is_known = SESSION.with_borrow(|session| session.csrf.is_some());
    if method != Method::GET && !is_known {
        // What can be done may be shown before it is heard who is here.
        let me = received::<Me>(exchange(Method::GET, path(&["me"]), None).await);
        carry(me.ok().as_ref());
    }
    exchange(method, address, body).await
}

async fn exchange(method: Method, path: String, body: Option<String>) -> Result<Answer, ApiError> {
    let signal = web_sys::AbortSignal::timeout_with_u32(TIMEOUT_MS);
    let changes = method != Method::GET;
    let mut builder =
        RequestBuilder::new(&path).method(method).header("Accept", "application/json").abort_signal(Some(&signal));
    if let Some(csrf) = SESSION.with_borrow(|session| session.csrf.clone()).flatten().filter(|_| changes) {
        builder = builder.header(CSRF_HEADER, &csrf);
    }
    let request = match body {
        Some(text) => builder.header("Content-Type", "application/json").body(text),
        None => builder.build(),
    };
    let response = request.map_err(unreachable)?.send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await;
    if response.ok() {
        return Ok(Answer { status, text: text.map_err(unreachable)? });
    }
    let text = text.unwrap_or_default();
    match read::read::<ErrorBody>(&text) {
        Ok(body) => {
            let is_unknown = status == 401 || body.code == "csrf";
            if let Some(tell) = SESSION.with_borrow(|session| session.unknown.clone()).filter(|_| is_unknown) {
                tell();
            }
            Err(ApiError::Refused { status, body })
        }
        Err(_) => Err(ApiError::Unreadable { status, why: text.chars().take(200).collect() }),
    }
}
