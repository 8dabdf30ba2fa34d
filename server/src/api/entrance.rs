//! The way in: who is calling is settled once, for every address, before anything else is looked at.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use moka::sync::Cache;
use tower::{Layer as _, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Session, SessionManagerLayer};

use super::error::{ApiError, ErrorKind};
use super::v2::access::Door;
use super::{access_token, figures, v1, v2, web};
use crate::auth::{Doorkeeper, Identity, Logins, Refusal, SESSION_COOKIE, SessionKeeper, client_address, is_over_tls};
use crate::config::AuthMethod;
use crate::consensus::Actor;
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

/// The audit hears of bad tokens from an address once in so long, and remembers so many addresses.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);
const MOST_TOLD: u64 = 1_000;

#[derive(Clone)]
struct Entrance {
    services: Arc<Services>,
    doorkeeper: Arc<Doorkeeper>,
    keeper: SessionKeeper,
    /// Addresses whose bad tokens the audit knows of.
    told: Cache<String, ()>,
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
    let doorkeeper = Arc::new(Doorkeeper::new(services.store.clone(), Arc::clone(services.consensus.accounts())));
    let keeper = SessionKeeper::new(&services);
    let door = Door { logins: Arc::new(Logins::new(&services)), keeper: keeper.clone() };
    let rooms = rooms.layer(Extension(door)).layer(Extension(Arc::clone(&doorkeeper)));
    let told = Cache::builder().max_capacity(MOST_TOLD).time_to_live(TOLD_AGAIN_AFTER).build();
    let entrance = Entrance { services, doorkeeper, keeper, told, rooms, prefix: prefix.into(), status: status.into() };
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

/// Where users log in, tower-sessions looks after the cookie around everything else.
async fn enter(State(entrance): State<Entrance>, request: Request<Body>) -> Response {
    let config = entrance.services.config.current();
    if config.auth.method() != Ok(AuthMethod::Local) {
        return admit(entrance, request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let is_secure = is_over_tls(&config, Identity { headers: request.headers(), peer });
    let path = if entrance.prefix.is_empty() { "/".to_owned() } else { entrance.prefix.to_string() };
    let sessions = SessionManagerLayer::new(entrance.keeper.clone())
        .with_name(SESSION_COOKIE)
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_secure(is_secure)
        .with_path(path);
    let inside = tower::service_fn(move |request| {
        let entrance = entrance.clone();
        async move { Ok::<_, Infallible>(admit(entrance, request).await) }
    });
    match sessions.layer(inside).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn admit(entrance: Entrance, mut request: Request<Body>) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let identity = Identity { headers: request.headers(), peer };
    let session = match request.extensions().get::<Session>() {
        Some(session) => entrance.keeper.of(session).await,
        None => None,
    };
    let config = entrance.services.config.current();
    let caller = match entrance.doorkeeper.identify(&config, identity, session).await {
        Ok(caller) => caller,
        Err(refusal) => {
            if refusal == Refusal::BadToken {
                entrance.tell_bad_token(&client_address(&config.extensions.trusted_proxies, identity));
            }
            let mut response = refusal.into_response();
            protect(response.headers_mut());
            return response;
        }
    };
    let signed_out = caller.signed_out;
    request.extensions_mut().insert(caller);
    let Some(uri) = entrance.inner_address(request.uri()) else {
        return ApiError::new(ErrorKind::BadInput, "the address cannot be read").into_response();
    };
    let path = uri.path();
    let is_data = path.starts_with("/api/") || path == access_token::PATH || figures::is_figures(path);
    if signed_out && !is_open_to_strangers(path) {
        let mut refusal = Refusal::SignedOut.into_response();
        protect(refusal.headers_mut());
        return refusal;
    }
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

/// What somebody sees who has to log in first: the page, which has nothing on it then, and what it logs in with. Of the compatible
/// paths those that say nothing about servers: their table tells which (`v1::dispatch`).
fn is_open_to_strangers(path: &str) -> bool {
    let logs_in = matches!(path, "/api/v2/me" | "/api/v2/login" | "/api/v2/setup");
    let is_v1 = path.starts_with("/api/") && !path.starts_with("/api/v2/");
    let is_page = !path.starts_with("/api/") && !figures::is_figures(path);
    logs_in || is_v1 || is_page
}

impl Entrance {
    /// A script whose token has ended asks again and again: the audit is told once a minute for each address.
    fn tell_bad_token(&self, address: &str) {
        let from = address.rsplit_once(':').map_or(address, |(host, _port)| host);
        if !self.told.entry(from.to_owned()).or_insert(()).is_fresh() {
            return;
        }
        let actor = Actor { address: address.to_owned(), method: "api-token".to_owned(), ..Actor::named("anonymous") };
        let message = "an API token that is unknown, revoked or ended, or whose maker is gone";
        self.services.audit.record("failed-login", &InstanceKey::default(), "", &actor, message);
    }

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
