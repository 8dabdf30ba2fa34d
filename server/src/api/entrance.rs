//! The way in: who is calling is settled once, for every address, before anything else is looked at.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use super::error::{ApiError, ErrorKind};
use super::{access_token, figures, v1, v2, web};
use crate::auth::{Doorkeeper, Identity};
use crate::services::Services;

/// Where the status endpoint stands unless the configuration puts it elsewhere (`spec/api.md` 1.10).
const DEFAULT_STATUS: &str = "/api/status";

/// For answers that are data. The page sets its own, stricter where it matters to a page.
const DATA_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

#[derive(Clone)]
struct Entrance {
    services: Arc<Services>,
    doorkeeper: Arc<Doorkeeper>,
    rooms: Router,
    prefix: Arc<str>,
    status: Arc<str>,
}

/// Everything that is answered over HTTP.
pub fn router(services: Arc<Services>) -> Router {
    let config = services.config.current();
    let prefix = normal_prefix(&config.general.url_prefix);
    let api = Router::new()
        .nest("/api/v2", v2::router(Arc::clone(&services)))
        .route("/api/v2/{*path}", any(v2::no_such_path))
        .route("/api/{*path}", any(v1::dispatch::<Body>).with_state(v1::V1::new(Arc::clone(&services))))
        .route(access_token::PATH, any(access_token::acquire).with_state(access_token::Desk::new(&services, &prefix)))
        .merge(figures::router(Arc::clone(&services)))
        .layer(CompressionLayer::new());
    let rooms = api.fallback_service(web::router(&prefix));
    let status = config.general.status_endpoint.clone();
    let doorkeeper = Arc::new(Doorkeeper::new(services.store.clone()));
    let entrance = Entrance { services, doorkeeper, rooms, prefix: prefix.into(), status: status.into() };
    Router::new().fallback(enter).with_state(entrance).layer(CatchPanicLayer::custom(broken))
}

/// A handler panicked: a bug of ours, which must not take the connection with it.
fn broken(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("without words"), "a handler panicked");
    (StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error").into_response()
}

/// One leading slash and none at the end; empty for none.
fn normal_prefix(given: &str) -> String {
    match given.trim_matches('/') {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    }
}

async fn enter(State(entrance): State<Entrance>, mut request: Request<Body>) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let identity = Identity { headers: request.headers(), peer };
    let caller = match entrance.doorkeeper.identify(&entrance.services.config.current(), identity).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    request.extensions_mut().insert(caller);
    let Some(uri) = entrance.inner_address(request.uri()) else {
        return ApiError::new(ErrorKind::BadInput, "the address cannot be read").into_response();
    };
    let path = uri.path();
    let is_data = path.starts_with("/api/") || path == access_token::PATH || figures::is_figures(path);
    *request.uri_mut() = uri;
    let mut response = match entrance.rooms.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if is_data {
        protect(response.headers_mut());
    }
    response
}

impl Entrance {
    /// The address without `URLPrefix`, and the status endpoint at its usual place.
    fn inner_address(&self, uri: &Uri) -> Option<Uri> {
        let path = uri.path();
        let is_status = *self.status != *DEFAULT_STATUS && path == &*self.status;
        let inner = if is_status {
            DEFAULT_STATUS
        } else {
            path.strip_prefix(&*self.prefix).filter(|rest| rest.starts_with('/')).unwrap_or(path)
        };
        if inner == path {
            return Some(uri.clone());
        }
        let text = match uri.query() {
            Some(query) => format!("{inner}?{query}"),
            None => inner.to_owned(),
        };
        PathAndQuery::try_from(text).ok().map(Uri::from)
    }
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in DATA_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
