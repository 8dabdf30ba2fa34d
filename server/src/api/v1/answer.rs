//! Answers: an envelope or a bare value, already encoded.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::compat::{Envelope, encode};
use crate::api::error::{ApiError, ErrorKind};

/// An encoded answer with its status.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// A bare value.
    pub fn bare<T: Serialize + ?Sized>(value: &T) -> Self {
        Self { status: StatusCode::OK, body: encode(value) }
    }

    /// A bare list that is `null` when there is nothing in it (`spec/api.md` 1.4).
    pub fn bare_or_null<T: Serialize>(list: &[T]) -> Self {
        if list.is_empty() { Self::bare(&()) } else { Self::bare(list) }
    }

    /// A bare value with a status of its own.
    pub fn with_status<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Self {
        Self { status, body: encode(value) }
    }

    /// Something was done or found.
    pub fn ok<T: Serialize>(message: impl AsRef<str>, details: T) -> Self {
        Self::bare(&Envelope::ok(message.as_ref(), details))
    }

    /// Something failed, and there is more to say than the message.
    pub fn failed<T: Serialize>(message: impl AsRef<str>, details: T) -> Self {
        let body = encode(&Envelope::error(message.as_ref(), details));
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body }
    }
}

/// Every error has status 500 here. A caller without the right, and every caller of a node that does not lead, is told
/// `Unauthorized` and nothing else: clients look for that word (`spec/api.md` 1.6).
impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let unauthorized = matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NotLeader);
        let message = if unauthorized { "Unauthorized" } else { &error.message };
        Self::failed(message, ())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"))];
        (self.status, headers, self.body).into_response()
    }
}
