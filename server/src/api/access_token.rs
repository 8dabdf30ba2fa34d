//! `/web/access-token?publicToken=`: exchanges the public half of an access token for its cookie (`spec/api.md` 1.5).
//!
//! As in the original, but for three things: a page of another site cannot have its visitor do it, the cookie is out of reach of
//! scripts and other sites, and a refusal has a status that says so.

use std::net::SocketAddr;
use std::sync::Arc;

use app::InstanceKey;
use axum::extract::{ConnectInfo, Extension, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;

use super::compat::envelope;
use super::error::ApiError;
use crate::auth::{Caller, Identity, TOKEN_COOKIE, TokenRefusal, acquire_token, is_over_tls, refuse_stated_cross_site};
use crate::config::AuthMethod;
use crate::consensus::Actor;
use crate::services::Services;
use crate::store::AccessToken;

/// Where it stands, below `URLPrefix`.
pub const PATH: &str = "/web/access-token";

/// What the handler needs.
#[derive(Clone)]
pub struct Desk {
    services: Arc<Services>,
    home: HeaderValue,
}

impl Desk {
    /// Hands out tokens of this service; whoever gets one is led to the page below the prefix.
    pub fn new(services: &Arc<Services>, prefix: &str) -> Self {
        let home = HeaderValue::try_from(format!("{prefix}/")).unwrap_or(HeaderValue::from_static("/"));
        Self { services: Arc::clone(services), home }
    }
}

/// Sets the cookie and leads to the page.
pub async fn acquire(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response();
    }
    if let Err(refusal) = refuse_stated_cross_site(&headers) {
        return refused(StatusCode::FORBIDDEN, &refusal.to_string());
    }
    let token = match exchange(&desk.services, &uri).await {
        Ok(token) => token,
        Err((status, message)) => {
            if status == StatusCode::FORBIDDEN {
                let who = Actor { name: "anonymous".to_owned(), method: "token".to_owned(), ..caller.actor() };
                desk.services.audit.failed_login(&who, "unknown, used or old public token");
            }
            return refused(status, &message);
        }
    };
    let actor = Actor { name: token.generated_by.clone(), method: "token".to_owned(), ..caller.actor() };
    let message = format!("access token of {} acquired by {}", actor.name, actor.address);
    desk.services.audit.record("access-token", &InstanceKey::default(), "", &actor, &message);
    let identity = Identity { headers: &headers, peer: peer.map(|Extension(ConnectInfo(peer))| peer) };
    let is_secure = is_over_tls(&desk.services.config.current(), identity);
    match cookie(&token, is_secure) {
        Some(cookie) => {
            (StatusCode::FOUND, [(header::SET_COOKIE, cookie), (header::LOCATION, desk.home)]).into_response()
        }
        None => refused(StatusCode::INTERNAL_SERVER_ERROR, "the token of this row cannot be put into a cookie"),
    }
}

async fn exchange(services: &Services, uri: &Uri) -> Result<AccessToken, (StatusCode, String)> {
    let config = services.config.current();
    if config.auth.method() != Ok(AuthMethod::Token) {
        let method = &config.auth.authentication_method;
        let message = format!("AuthenticationMethod is {method:?} here; access tokens count with \"token\" only");
        return Err((StatusCode::NOT_FOUND, message));
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
    let Some((_, public)) = query.into_iter().find(|(name, value)| name == "publicToken" && !value.is_empty()) else {
        return Err((StatusCode::BAD_REQUEST, "no token given: expected ?publicToken=TOKEN".to_owned()));
    };
    acquire_token(&services.store, &config.auth, public.trim(), Utc::now()).await.map_err(|error| match error {
        TokenRefusal::Unknown => (StatusCode::FORBIDDEN, error.to_string()),
        TokenRefusal::Store(error) => {
            let error = ApiError::from(error);
            (error.kind.status(), error.message)
        }
    })
}

/// Out of reach of scripts, and sent by nobody's page but ours. It ends with the browser, and before that with the token.
fn cookie(token: &AccessToken, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let (public, secret) = (&token.public_token, &token.secret_token);
    let text = format!("{TOKEN_COOKIE}={public}:{secret}; Path=/; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The envelope of the original, which answers it with 200.
fn refused(status: StatusCode, message: &str) -> Response {
    const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json; charset=UTF-8");
    (status, [JSON], envelope(false, message, b"null")).into_response()
}
