//! The way in: who is calling is settled once, for every address, before anything else is looked at.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use moka::sync::Cache;
use tower::{Layer as _, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Session, SessionManagerLayer};

use super::error::{ApiError, ErrorKind, Refused};
use super::intake::{broken, check_certificate, name_by_certificate, protect, take_body};
use super::v2::access::Door;
use super::{access_token, figures, v1, v2, web};
use crate::audit::host_of;
use crate::auth::{
    Doorkeeper, Identity, Logins, Refusal, SESSION_COOKIE, SessionKeeper, claimed_user, client_address, is_over_tls,
    refuse_foreign_name,
};
use crate::config::{AuthMethod, Config};
use crate::consensus::Actor;
use crate::serve::ClientCertificate;
use crate::services::Services;

/// Where the status endpoint stands unless the configuration puts it elsewhere (`spec/api.md` 1.10).
const DEFAULT_STATUS: &str = "/api/status";

/// The audit hears of bad tokens from an address once in so long, and remembers so many addresses.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);
const MOST_TOLD: u64 = 1_000;

/// Of an address that was refused so much is told.
const LONGEST_TOLD: usize = 200;

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
    /// Only this machine can connect.
    is_for_here: bool,
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
    let (prefix, status, is_for_here) = (prefix.into(), status.into(), is_for_here(&config));
    let entrance = Entrance { services, doorkeeper, keeper, told, rooms, prefix, status, is_for_here };
    Router::new().fallback(enter).with_state(entrance).layer(CatchPanicLayer::custom(broken))
}

/// The service listens on this machine's own address.
fn is_for_here(config: &Config) -> bool {
    let address = config.effective_listen().address;
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _port)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
    let path = request.uri().path();
    let is_data = is_data(path.strip_prefix(&*entrance.prefix).unwrap_or(path));
    let over_tls = is_over_tls(&config, Identity { headers: request.headers(), peer: peer_of(&request) });
    let mut response = if config.auth.method() == Ok(AuthMethod::Local) {
        enter_with_session(entrance, &config, request, over_tls).await
    } else {
        admit(&entrance, &config, request).await.unwrap_or_else(|refusal| *refusal)
    };
    protect(response.headers_mut(), is_data, over_tls);
    response
}

async fn enter_with_session(
    entrance: Entrance,
    config: &Arc<Config>,
    request: Request<Body>,
    is_secure: bool,
) -> Response {
    let path = if entrance.prefix.is_empty() { "/".to_owned() } else { entrance.prefix.to_string() };
    let sessions = SessionManagerLayer::new(entrance.keeper.clone())
        .with_name(SESSION_COOKIE)
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_secure(is_secure)
        .with_path(path);
    let config = Arc::clone(config);
    let inside = tower::service_fn(move |request| {
        let (entrance, config) = (entrance.clone(), Arc::clone(&config));
        async move {
            let answered = admit(&entrance, &config, request).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|refusal| *refusal))
        }
    });
    match sessions.layer(inside).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn peer_of(request: &Request<Body>) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0)
}

/// An address, without the prefix, of the API rather than of the page.
fn is_data(path: &str) -> bool {
    path.starts_with("/api/") || path == access_token::PATH || figures::is_figures(path)
}

/// Transport, caller, address, body; then whoever answers there. What is refused is an answer too.
async fn admit(entrance: &Entrance, config: &Config, mut request: Request<Body>) -> Result<Response, Box<Response>> {
    let Some(uri) = entrance.inner_address(request.uri()) else {
        return Err(Box::new(ApiError::new(ErrorKind::BadInput, "the address cannot be read").into_response()));
    };
    let began = Instant::now();
    let identity = Identity { headers: request.headers(), peer: peer_of(&request) };
    check_certificate(config, &request, entrance.is_status(request.uri().path())).inspect_err(|_| {
        if let Some(certificate) = request.extensions().get::<ClientCertificate>() {
            let who = Actor { name: certificate.name.clone(), ..stranger(config, identity, "certificate", began) };
            let why = "the certificate is of no unit that SSLValidOUs lists";
            entrance.services.audit.failed_login(&who, why);
        }
    })?;
    let session = match request.extensions().get::<Session>() {
        Some(session) => entrance.keeper.of(session).await,
        None => None,
    };
    let mut caller = entrance.doorkeeper.identify(config, identity, session).await.map_err(|refusal| {
        entrance.tell_failed_login(config, identity, &refusal, began);
        Box::new(refusal.into_response())
    })?;
    caller.since = began;
    name_by_certificate(config, &mut caller, request.extensions().get());
    if caller.signed_out && !is_open_to_strangers(uri.path()) {
        return Err(Box::new(Refusal::SignedOut.into_response()));
    }
    let act = asked_for(request.method(), uri.path()).map(|what| (caller.actor(), what));
    if entrance.is_for_here && config.auth.method() == Ok(AuthMethod::Open) && is_data(uri.path()) {
        refuse_foreign_name(request.headers(), &config.extensions.served_names).map_err(|foreign| {
            if let Some((who, what)) = &act {
                entrance.services.audit.denied(who, what, &foreign.to_string());
            }
            Box::new(ApiError::forbidden(foreign.to_string()).into_response())
        })?;
    }
    request.extensions_mut().insert(caller);
    *request.uri_mut() = uri;
    let request = take_body(request).await?;
    let mut response = match entrance.rooms.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if let (Some(Refused(why)), Some((who, what))) = (response.extensions_mut().remove(), act) {
        entrance.services.audit.denied(&who, &what, &why);
    }
    Ok(response)
}

/// What a request asks for, if it may be a change: verb and address. The query stays out of it: it may hold anything. Of the
/// compatible paths only those that take a right are ever refused.
fn asked_for(method: &Method, path: &str) -> Option<String> {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let may_change = if path.starts_with("/api/v2/") { !reads } else { path.starts_with("/api/") };
    may_change.then(|| format!("{method} {}", path.chars().take(LONGEST_TOLD).collect::<String>()))
}

/// Somebody who has not shown who they are, for the audit.
fn stranger(config: &Config, identity: Identity<'_>, method: &str, began: Instant) -> Actor {
    let address = client_address(&config.extensions.trusted_proxies, identity);
    Actor { address, method: method.to_owned(), since: Some(began), ..Actor::named("anonymous") }
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
    /// Tells the audit of credentials that are none. A browser that has not asked its user yet sends none at all: that is no
    /// failed login. A script whose token has ended asks again and again: it is told of once a minute for each address.
    fn tell_failed_login(&self, config: &Config, identity: Identity<'_>, refusal: &Refusal, began: Instant) {
        let audit = &self.services.audit;
        let method = config.auth.authentication_method.to_ascii_lowercase();
        if *refusal == Refusal::BadToken {
            let who = stranger(config, identity, "api-token", began);
            if self.told.entry(host_of(&who.address).to_owned()).or_insert(()).is_fresh() {
                audit.failed_login(&who, "an API token that is unknown, revoked or ended, or whose maker is gone");
            }
        } else if *refusal == Refusal::Unauthenticated && identity.headers.contains_key(header::AUTHORIZATION) {
            let who = stranger(config, identity, &method, began);
            let user = claimed_user(identity.headers, &config.auth.user);
            audit.failed_login(&who, &format!("wrong user or password: user {user}"));
        } else if *refusal == Refusal::TooBusy {
            let who = stranger(config, identity, &method, began);
            audit.failed_login(&who, "sent away: too many passwords are being checked");
        }
    }

    /// The path is that of the status endpoint: `StatusEndpoint` as it stands, its default below the prefix.
    fn is_status(&self, path: &str) -> bool {
        if *self.status == *DEFAULT_STATUS {
            path.strip_prefix(&*self.prefix).is_some_and(|inner| inner == DEFAULT_STATUS) || path == DEFAULT_STATUS
        } else {
            path == &*self.status
        }
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
