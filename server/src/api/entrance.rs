//! The way in: who is calling is settled once, for every address, before anything else is looked at.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use super::error::{ApiError, ErrorKind};
use super::intake::{broken, check_certificate, name_by_certificate, protect, take_body};
use super::{access_token, figures, v1, v2, web};
use crate::auth::{Doorkeeper, Identity, Refusal, claimed_user, client_address, is_over_tls};
use crate::config::Config;
use crate::serve::ClientCertificate;
use crate::services::Services;

/// Where the status endpoint stands unless the configuration puts it elsewhere (`spec/api.md` 1.10).
const DEFAULT_STATUS: &str = "/api/status";

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

/// One leading slash and none at the end; empty for none.
fn normal_prefix(given: &str) -> String {
    match given.trim_matches('/') {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    }
}

async fn enter(State(entrance): State<Entrance>, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let inner = path.strip_prefix(&*entrance.prefix).unwrap_or(path);
    let is_data = inner.starts_with("/api/") || inner == access_token::PATH || figures::is_figures(inner);
    let config = entrance.services.config.current();
    let over_tls = is_over_tls(&config, Identity { headers: request.headers(), peer: peer_of(&request) });
    let mut response = admit(&entrance, &config, request).await.unwrap_or_else(|refusal| *refusal);
    protect(response.headers_mut(), is_data, over_tls);
    response
}

fn peer_of(request: &Request<Body>) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0)
}

/// Transport, caller, address, body; then whoever answers there. What is refused is an answer too.
async fn admit(entrance: &Entrance, config: &Config, mut request: Request<Body>) -> Result<Response, Box<Response>> {
    let Some(uri) = entrance.inner_address(request.uri()) else {
        return Err(Box::new(ApiError::new(ErrorKind::BadInput, "the address cannot be read").into_response()));
    };
    let identity = Identity { headers: request.headers(), peer: peer_of(&request) };
    check_certificate(config, &request, entrance.is_status(request.uri().path())).inspect_err(|_| {
        if let Some(certificate) = request.extensions().get::<ClientCertificate>() {
            let address = client_address(&config.extensions.trusted_proxies, identity);
            let why = "the certificate is of no unit that SSLValidOUs lists";
            entrance.services.audit.failed_login("certificate", &certificate.name, &address, why);
        }
    })?;
    let mut caller = entrance.doorkeeper.identify(config, identity).await.map_err(|refusal| {
        tell_failed_login(&entrance.services, config, identity, refusal);
        Box::new(refusal.into_response())
    })?;
    name_by_certificate(config, &mut caller, request.extensions().get());
    request.extensions_mut().insert(caller);
    *request.uri_mut() = uri;
    let request = take_body(request).await?;
    match entrance.rooms.clone().oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// A browser that has not asked its user yet sends no credentials: that is no failed login.
fn tell_failed_login(services: &Services, config: &Config, identity: Identity<'_>, refusal: Refusal) {
    if refusal != Refusal::Unauthenticated || !identity.headers.contains_key(header::AUTHORIZATION) {
        return;
    }
    let method = config.auth.authentication_method.to_ascii_lowercase();
    let address = client_address(&config.extensions.trusted_proxies, identity);
    services.audit.failed_login(&method, &claimed_user(identity.headers), &address, "wrong user or password");
}

impl Entrance {
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
