//! Logging in and out, sessions, passwords (`app::access`).

use std::sync::Arc;

use app::InstanceKey;
use app::access::{LoginRequest, Me, PasswordRequest, SessionRow, SetupRequest};
use app::api::{ErrorBody, Role};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::Utc;
use tower_sessions::Session;

use super::Rooms;
use super::body::{Body, Named};
use crate::accounts::{Grant, Pass};
use crate::api::error::{ApiError, ApiResult, ErrorKind, Refused};
use crate::auth::{
    Beginning, Caller, LoginError, Logins, SessionKeeper, Viewer, begin_session, idle_limit, shown_user,
};
use crate::config::{AuthMethod, Config};
use crate::consensus::Actor;
use crate::services::Services;
use crate::store::{SessionRecord, UserRecord};

/// What a login needs beside the services.
#[derive(Clone)]
pub struct Door {
    /// Lets users in.
    pub logins: Arc<Logins>,
    /// Keeps sessions.
    pub keeper: SessionKeeper,
}

/// Who is calling, and what they may do; answered to strangers as well, who learn that they have to log in.
#[utoipa::path(get, path = "/me", responses((status = 200, body = Me)))]
pub async fn me(
    State(services): Rooms,
    Extension(caller): Extension<Caller>,
    Extension(door): Extension<Door>,
) -> Json<Me> {
    Json(me_of(&services.config.current(), &caller, door.logins.needs_setup()))
}

fn me_of(config: &Config, caller: &Caller, needs_setup: bool) -> Me {
    let has_logins = config.auth.method() == Ok(AuthMethod::Local);
    Me {
        user: caller.user.clone(),
        method: config.auth.authentication_method.to_ascii_lowercase(),
        role: (!caller.signed_out).then_some(caller.role),
        clusters: caller.limit.patterns(),
        read_only_because: caller.read_only_because.clone(),
        has_logins,
        needs_setup: has_logins && needs_setup,
        csrf_token: caller.csrf_token.clone(),
        session_ends: caller.session_ends,
    }
}

/// Begins a session. A wrong user and a wrong password get the same answer after the same time.
#[utoipa::path(
    post,
    path = "/login",
    request_body = LoginRequest,
    responses(
        (status = 200, body = Me),
        (status = 401, body = ErrorBody, description = "wrong user or password"),
        (status = 404, body = ErrorBody, description = "there are no logins with this AuthenticationMethod"),
        (status = 429, body = ErrorBody, description = "too many tries; says in Retry-After when to come again"),
    ),
)]
pub async fn login(
    State(services): Rooms,
    Extension(caller): Extension<Caller>,
    Extension(door): Extension<Door>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
    Body(request): Body<LoginRequest>,
) -> Result<Json<Me>, Response> {
    let session = session_of(&services, session).map_err(IntoResponse::into_response)?;
    let checked = door.logins.check(&request.user, &request.password, &caller.address).await;
    match checked {
        Ok(user) => open(&services, &door, &session, &user, &caller, &headers).await,
        Err(error) => {
            tell_failed(&services, &request.user, &caller, &error);
            Err(refused(error))
        }
    }
}

/// Makes the first administrator, with the code that the log shows at the start of a service without users.
#[utoipa::path(
    post,
    path = "/setup",
    request_body = SetupRequest,
    responses(
        (status = 200, body = Me),
        (status = 400, body = ErrorBody),
        (status = 403, body = ErrorBody, description = "wrong code, or there are users already"),
        (status = 429, body = ErrorBody, description = "too many tries; says in Retry-After when to come again"),
    ),
)]
pub async fn set_up(
    State(services): Rooms,
    Extension(caller): Extension<Caller>,
    Extension(door): Extension<Door>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
    Body(request): Body<SetupRequest>,
) -> Result<Json<Me>, Response> {
    let session = session_of(&services, session).map_err(IntoResponse::into_response)?;
    match door.logins.set_up(&request.code, &request.user, &request.password, &anonymous(&caller)).await {
        Ok(user) => open(&services, &door, &session, &user, &caller, &headers).await,
        Err(error) => {
            tell_failed(&services, &request.user, &caller, &error);
            Err(refused(error))
        }
    }
}

/// The browser's session, which there is with logins only.
fn session_of(services: &Services, session: Option<Extension<Session>>) -> ApiResult<Session> {
    session.map(|Extension(session)| session).ok_or_else(|| {
        let method = &services.config.current().auth.authentication_method;
        ApiError::new(
            ErrorKind::NotFound,
            format!("there are no logins here: AuthenticationMethod is {method:?}, expected \"local\""),
        )
    })
}

async fn open(
    services: &Services,
    door: &Door,
    session: &Session,
    user: &UserRecord,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Json<Me>, Response> {
    let agent = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let beginning =
        Beginning { user: &user.name, address: &caller.address, agent: agent.as_deref().unwrap_or_default() };
    begin_session(session, beginning).await.map_err(|error| ApiError::internal(error).into_response())?;
    let begun = door
        .keeper
        .of(session)
        .await
        .ok_or_else(|| ApiError::internal("a new session is not there").into_response())?;
    let actor = Actor { name: user.name.clone(), ..anonymous(caller) };
    services.audit.record("login", &InstanceKey::default(), "", &actor, &format!("{} logged in", user.name));
    let config = services.config.current();
    Ok(Json(me_of(&config, &signed_in(&config, user, begun, caller), false)))
}

/// The caller as they will be with the next request.
fn signed_in(config: &Config, user: &UserRecord, session: SessionRecord, before: &Caller) -> Caller {
    let Grant { role, limit } = user.grant();
    let read_only = config.general.read_only;
    Caller {
        user: user.name.clone(),
        role: if read_only { Role::Viewer } else { role },
        limit,
        read_only_because: if read_only { "ReadOnly is set in the configuration".to_owned() } else { String::new() },
        signed_out: false,
        csrf_token: Some(session.csrf_token),
        session_ends: Some(session.ends),
        pass: Some(Pass::Session(session.id)),
        ..before.clone()
    }
}

/// Somebody who has not logged in yet, whoever they were before.
fn anonymous(caller: &Caller) -> Actor {
    Actor { name: "anonymous".to_owned(), method: "local".to_owned(), ..caller.actor() }
}

/// Tells the audit of a login that went wrong, and of one that was not even looked at.
fn tell_failed(services: &Services, user: &str, caller: &Caller, error: &LoginError) {
    let why = match error {
        LoginError::Wrong => "wrong user or password".to_owned(),
        LoginError::NoSetup => "wrong set-up code".to_owned(),
        LoginError::Wait(wait) => format!("told to wait {} s", wait.seconds),
        LoginError::TooBusy => "sent away: too many passwords are being checked".to_owned(),
        // They may have been let in; what they gave cannot be taken, or the service is in trouble.
        LoginError::Bad(_) | LoginError::Consensus(_) | LoginError::Hash(_) => return,
    };
    let user = shown_user(user, services.consensus.accounts().user(user).is_some());
    services.audit.failed_login(&anonymous(caller), &format!("{why}: user {user}"));
}

/// The answer to somebody who is not let in.
pub(super) fn refused(error: LoginError) -> Response {
    let message = error.to_string();
    let (status, code, wait) = match error {
        LoginError::Wrong => (StatusCode::UNAUTHORIZED, "unauthenticated", None),
        LoginError::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, "too-many-logins", Some(wait.seconds)),
        LoginError::TooBusy => (StatusCode::TOO_MANY_REQUESTS, "too-many-logins", Some(1)),
        LoginError::NoSetup => (StatusCode::FORBIDDEN, "forbidden", None),
        LoginError::Bad(_) => (StatusCode::BAD_REQUEST, "bad-input", None),
        LoginError::Consensus(error) => return ApiError::from(error).into_response(),
        LoginError::Hash(error) => return ApiError::internal(error).into_response(),
    };
    let body = ErrorBody { code: code.to_owned(), message, refusal: None, plan: None };
    let mut response = (status, Json(body)).into_response();
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Ends the caller's session.
#[utoipa::path(post, path = "/logout", responses((status = 204), (status = 400, body = ErrorBody)))]
pub async fn logout(
    viewer: Viewer,
    State(services): Rooms,
    session: Option<Extension<Session>>,
) -> ApiResult<StatusCode> {
    let caller = viewer.caller();
    let (Some(Extension(session)), Some(Pass::Session(_))) = (session, &caller.pass) else {
        return Err(ApiError::bad_input("this request has no session that could be ended"));
    };
    session.flush().await.map_err(ApiError::internal)?;
    let message = format!("{} logged out", caller.user);
    services.audit.record("logout", &InstanceKey::default(), "", &caller.actor(), &message);
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the caller's own password. Their other sessions end.
#[utoipa::path(
    post,
    path = "/password",
    request_body = PasswordRequest,
    responses(
        (status = 204),
        (status = 400, body = ErrorBody),
        (status = 403, body = ErrorBody, description = "the old password is wrong, or the caller has no session"),
        (status = 429, body = ErrorBody, description = "too many tries; says in Retry-After when to come again"),
    ),
)]
pub async fn change_password(
    viewer: Viewer,
    State(services): Rooms,
    Extension(door): Extension<Door>,
    Body(request): Body<PasswordRequest>,
) -> Result<StatusCode, Response> {
    let caller = viewer.caller();
    let Some(Pass::Session(session)) = &caller.pass else {
        return Err(ApiError::forbidden("a password is changed by its user, who has logged in").into_response());
    };
    // Whoever finds a page left open must not be able to keep it.
    if let Err(error) = door.logins.check(&caller.user, &request.old, &caller.address).await {
        tell_failed(&services, &caller.user, caller, &error);
        return Err(match error {
            LoginError::Wrong => wrong_old_password(),
            other => refused(other),
        });
    }
    door.logins.set_password(&caller.user, &request.new, session, &caller.actor()).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// It is told as a failed login already, and not as something that its user may not do.
fn wrong_old_password() -> Response {
    let mut response = ApiError::forbidden("the old password is wrong").into_response();
    response.extensions_mut().remove::<Refused>();
    response
}

/// Sessions: one's own; administrators see all.
#[utoipa::path(get, path = "/sessions", responses((status = 200, body = Vec<SessionRow>)))]
pub async fn list_sessions(viewer: Viewer, State(services): Rooms) -> Json<Vec<SessionRow>> {
    let caller = viewer.caller();
    let own = own_session(caller);
    let mut rows: Vec<SessionRow> = open_sessions(&services)
        .into_iter()
        .filter(|session| may_see(caller, &session.user))
        .map(|session| SessionRow {
            is_current: own == Some(session.id.as_str()),
            id: session.id,
            user: session.user,
            address: session.address,
            agent: session.agent,
            created: session.created,
            last_seen: session.seen,
            ends: session.ends,
        })
        .collect();
    rows.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.id.cmp(&b.id)));
    Json(rows)
}

/// Ends a session: one's own; administrators end any. Streams that rest on it end at once.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    params(("id" = String, Path, description = "as listed")),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn end_session(viewer: Viewer, State(services): Rooms, Named(id): Named<String>) -> ApiResult<StatusCode> {
    let caller = viewer.caller();
    in_person(caller)?;
    let found = open_sessions(&services).into_iter().find(|session| session.id == id);
    let session =
        found.filter(|session| may_see(caller, &session.user)).ok_or_else(|| ApiError::not_found("Session", &id))?;
    crate::auth::end_session(services.consensus.accounts(), &services.journal, &id);
    let message = format!("session of {} from {} ended", session.user, session.address);
    services.audit.record("end-session", &InstanceKey::default(), "", &caller.actor(), &message);
    Ok(StatusCode::NO_CONTENT)
}

fn open_sessions(services: &Services) -> Vec<SessionRecord> {
    services.consensus.accounts().sessions(idle_limit(&services.config.current()), Utc::now())
}

fn own_session(caller: &Caller) -> Option<&str> {
    match &caller.pass {
        Some(Pass::Session(id)) => Some(id),
        _ => None,
    }
}

/// What is somebody's own, or anybody's for an administrator.
pub(super) fn may_see(caller: &Caller, user: &str) -> bool {
    caller.admin().is_ok() || (!caller.user.is_empty() && caller.user == user)
}

/// Passes are handed out and taken back by people: a token that was lost must not be able to make others, nor to lock its
/// owner out.
pub(super) fn in_person(caller: &Caller) -> ApiResult<()> {
    match &caller.pass {
        Some(Pass::Token(_)) => Err(ApiError::forbidden(
            "an API token may not look after users, sessions and tokens; its owner may, without it",
        )),
        _ => Ok(()),
    }
}
