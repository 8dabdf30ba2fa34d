//! Users (`app::access`): for administrators.

use app::access::{ChangeUser, NewUser, UserRow, check_limit, check_password};
use app::api::{ErrorBody, Role};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::Utc;

use super::Rooms;
use super::access::{Door, in_person, refused};
use super::body::{Body, Named};
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Admin, blank_user, idle_limit};
use crate::config::AuthMethod;
use crate::consensus::Command;
use crate::services::Services;
use crate::store::UserRecord;

/// Users, by name.
#[utoipa::path(get, path = "/users", responses((status = 200, body = Vec<UserRow>)))]
pub async fn list_users(_: Admin, State(services): Rooms) -> Json<Vec<UserRow>> {
    Json(services.consensus.accounts().users().into_iter().map(|user| row(&services, user)).collect())
}

/// Makes a user.
#[utoipa::path(
    post,
    path = "/users",
    request_body = NewUser,
    responses(
        (status = 201, body = UserRow),
        (status = 400, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "there is one of this name"),
    ),
)]
pub async fn create_user(
    admin: Admin,
    State(services): Rooms,
    Extension(door): Extension<Door>,
    Body(wanted): Body<NewUser>,
) -> Result<(StatusCode, Json<UserRow>), Response> {
    check(&admin, &services).map_err(IntoResponse::into_response)?;
    check_limit(wanted.role, &wanted.clusters).map_err(bad)?;
    if services.consensus.accounts().user(&wanted.name).is_some() {
        let message = format!("there is a user {} already; change that one, or choose another name", wanted.name);
        return Err(ApiError::refused_by("user-exists", message).into_response());
    }
    let user = blank_user(&wanted.name, wanted.role, &wanted.clusters, Utc::now());
    let user = door.logins.new_user(user, &wanted.password, admin.actor()).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(row(&services, user))))
}

/// Changes what a user may do, or their password. It holds from their next request; with a new password all their sessions end.
#[utoipa::path(
    patch,
    path = "/users/{name}",
    params(("name" = String, Path)),
    request_body = ChangeUser,
    responses(
        (status = 200, body = UserRow),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "nobody would be an administrator any more"),
    ),
)]
pub async fn change_user(
    admin: Admin,
    State(services): Rooms,
    Extension(door): Extension<Door>,
    Named(name): Named<String>,
    Body(wanted): Body<ChangeUser>,
) -> Result<Json<UserRow>, Response> {
    check(&admin, &services).map_err(IntoResponse::into_response)?;
    let user = known(&services, &name).map_err(IntoResponse::into_response)?;
    let changed = UserRecord {
        role: wanted.role.unwrap_or(user.role),
        clusters: wanted.clusters.unwrap_or_else(|| user.clusters.clone()),
        ..user.clone()
    };
    check_limit(changed.role, &changed.clusters).map_err(bad)?;
    if let Some(password) = &wanted.password {
        check_password(&name, password).map_err(bad)?;
    }
    if changed.role != Role::Admin {
        keep_an_administrator(&services, &user).map_err(IntoResponse::into_response)?;
    }
    if changed != user {
        let command = Command::PutUser { user: Box::new(changed), is_new: false };
        services.consensus.submit(command, admin.actor()).await.map_err(|e| ApiError::from(e).into_response())?;
    }
    if let Some(password) = &wanted.password {
        door.logins.set_password(&name, password, "", admin.actor()).await.map_err(refused)?;
    }
    Ok(Json(row(&services, known(&services, &name).map_err(IntoResponse::into_response)?)))
}

/// Removes a user, with their sessions and tokens.
#[utoipa::path(
    delete,
    path = "/users/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "nobody would be an administrator any more"),
    ),
)]
pub async fn delete_user(admin: Admin, State(services): Rooms, Named(name): Named<String>) -> ApiResult<StatusCode> {
    check(&admin, &services)?;
    keep_an_administrator(&services, &known(&services, &name)?)?;
    services.consensus.submit(Command::DeleteUser { name }, admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Users are looked after by people, and where they can log in.
fn check(admin: &Admin, services: &Services) -> ApiResult<()> {
    in_person(admin.caller())?;
    let auth = &services.config.current().auth;
    if auth.method() == Ok(AuthMethod::Local) {
        return Ok(());
    }
    let method = &auth.authentication_method;
    Err(ApiError::new(
        ErrorKind::NotFound,
        format!("there are no users here: AuthenticationMethod is {method:?}, expected \"local\""),
    ))
}

fn known(services: &Services, name: &str) -> ApiResult<UserRecord> {
    services.consensus.accounts().user(name).ok_or_else(|| ApiError::not_found("User", name))
}

fn keep_an_administrator(services: &Services, user: &UserRecord) -> ApiResult<()> {
    if user.role != Role::Admin || services.consensus.accounts().has_other_admin(&user.name) {
        return Ok(());
    }
    let message = format!("{} is the only administrator; make another one first", user.name);
    Err(ApiError::refused_by("last-administrator", message))
}

fn bad(error: app::access::BadAccess) -> Response {
    ApiError::bad_input(error.to_string()).into_response()
}

fn row(services: &Services, user: UserRecord) -> UserRow {
    let accounts = services.consensus.accounts();
    let sessions = accounts.sessions(idle_limit(&services.config.current()), Utc::now());
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    UserRow {
        sessions: count(sessions.iter().filter(|session| session.user == user.name).count()),
        tokens: count(accounts.tokens().iter().filter(|t| t.owner == user.name && t.owner_method == "local").count()),
        name: user.name,
        role: user.role,
        clusters: user.clusters,
        created: user.created,
        password_set: user.password_set,
    }
}
