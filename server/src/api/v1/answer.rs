//! Answers: an envelope or a bare value, already encoded.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::compat::{encode, envelope};
use crate::api::error::{ApiError, ErrorKind, Refused};

/// An answer with its status.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Body,
    /// Why the caller may not, for the audit: they are told less.
    refused: Option<Refused>,
}

/// What is sent.
#[derive(Debug)]
enum Body {
    /// Encoded as a whole.
    Bare(Vec<u8>),
    /// An envelope, whose message is still open.
    Envelope {
        /// It is no error.
        ok: bool,
        message: String,
        /// Encoded.
        details: Vec<u8>,
    },
}

impl Answer {
    /// A bare value.
    pub fn bare<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::with_status(StatusCode::OK, value)
    }

    /// A bare list that is `null` when there is nothing in it (`spec/api.md` 1.4).
    pub fn bare_or_null<T: Serialize>(list: &[T]) -> Self {
        if list.is_empty() { Self::bare(&()) } else { Self::bare(list) }
    }

    /// A bare value with a status of its own.
    pub fn with_status<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Self {
        Self { status, body: Body::Bare(encode(value)), refused: None }
    }

    /// Something was done or found.
    pub fn ok<T: Serialize>(message: impl Into<String>, details: T) -> Self {
        let body = Body::Envelope { ok: true, message: message.into(), details: encode(&details) };
        Self { status: StatusCode::OK, body, refused: None }
    }

    /// Something failed, and there is more to say than the message.
    pub fn failed<T: Serialize>(message: impl Into<String>, details: T) -> Self {
        let body = Body::Envelope { ok: false, message: message.into(), details: encode(&details) };
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body, refused: None }
    }

    /// It is an error.
    pub fn is_error(&self) -> bool {
        matches!(self.body, Body::Envelope { ok: false, .. })
    }

    /// The message of an envelope begins with this; a bare value stays as it is.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        if let Body::Envelope { message, .. } = &mut self.body {
            message.insert_str(0, prefix);
        }
        self
    }
}

/// Every error has status 500 here. A caller without the right, and every caller of a node that does not lead, is told
/// `Unauthorized` and nothing else: clients look for that word (`spec/api.md` 1.6).
impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let unauthorized = matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotLeader);
        if !unauthorized {
            return Self::failed(error.message, ());
        }
        let refused = (error.kind == ErrorKind::Forbidden).then_some(Refused(error.message));
        Self { refused, ..Self::failed("Unauthorized", ()) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"))];
        let body = match self.body {
            Body::Bare(encoded) => encoded,
            Body::Envelope { ok, message, details } => envelope(ok, &message, &details),
        };
        let mut response = (self.status, headers, body).into_response();
        if let Some(refused) = self.refused {
            response.extensions_mut().insert(refused);
        }
        response
    }
}
