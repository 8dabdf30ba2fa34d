//! API tokens (`app::access`).

use std::sync::Arc;

use app::access::{MadeToken, NewToken, TokenRow, check_label, check_limit};
use app::api::ErrorBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{TimeDelta, Utc};

use super::Rooms;
use super::access::{in_person, may_see};
use super::body::{Body, Named};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Caller, Doorkeeper, Viewer, fresh_token};
use crate::config::{AuthMethod, Config, READ_ONLY_USER};
use crate::consensus::Command;
use crate::store::TokenRecord;

/// One maker has at most so many tokens.
const MOST_TOKENS: usize = 100;

/// A token lives at most so many days, if it has an end.
const MOST_DAYS: u32 = 3_650;

/// Tokens: one's own; administrators see all.
#[utoipa::path(get, path = "/tokens", responses((status = 200, body = Vec<TokenRow>)))]
pub async fn list_tokens(
    viewer: Viewer,
    State(services): Rooms,
    Extension(doorkeeper): Extension<Arc<Doorkeeper>>,
) -> Json<Vec<TokenRow>> {
    let config = services.config.current();
    let mut rows = Vec::new();
    for token in services.consensus.accounts().tokens() {
        if may_see(viewer.caller(), &token.owner) {
            rows.push(row(&doorkeeper, &config, token).await);
        }
    }
    rows.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    Json(rows)
}

/// Makes a token. It is shown this once, and may do what its maker may at most, now and later.
#[utoipa::path(
    post,
    path = "/tokens",
    request_body = NewToken,
    responses(
        (status = 201, body = MadeToken),
        (status = 400, body = ErrorBody),
        (status = 403, body = ErrorBody, description = "the maker may do less than the token should"),
        (status = 422, body = ErrorBody, description = "there is one of this name, or tokens have no maker here"),
    ),
)]
pub async fn make_token(
    viewer: Viewer,
    State(services): Rooms,
    Extension(doorkeeper): Extension<Arc<Doorkeeper>>,
    Body(wanted): Body<NewToken>,
) -> ApiResult<(StatusCode, Json<MadeToken>)> {
    let (caller, config) = (viewer.caller(), services.config.current());
    in_person(caller)?;
    check_maker(&config, caller)?;
    check_label("name", &wanted.name).map_err(|error| ApiError::bad_input(error.to_string()))?;
    check_limit(wanted.role, &wanted.clusters).map_err(|error| ApiError::bad_input(error.to_string()))?;
    if wanted.role > caller.role {
        let message = format!("a token may do what its maker may at most: {} is {:?}", caller.user, caller.role);
        return Err(ApiError::forbidden(message.to_lowercase()));
    }
    let now = Utc::now();
    let ends = match wanted.days {
        None => None,
        Some(days) if (1..=MOST_DAYS).contains(&days) => Some(now + TimeDelta::days(i64::from(days))),
        Some(days) => return Err(ApiError::bad_input(format!("days: expected 1 to {MOST_DAYS}, got {days}"))),
    };
    let known = services.consensus.accounts().tokens();
    let own: Vec<&TokenRecord> = known.iter().filter(|token| token.owner == caller.user).collect();
    if own.iter().any(|token| token.name == wanted.name) {
        let message =
            format!("{} has a token of the name {} already; revoke it or choose another", caller.user, wanted.name);
        return Err(ApiError::refused_by("token-exists", message));
    }
    if own.len() >= MOST_TOKENS {
        return Err(ApiError::refused_by(
            "too-many-tokens",
            format!("{} has {MOST_TOKENS} tokens already", caller.user),
        ));
    }
    let fresh = fresh_token();
    let token = TokenRecord {
        id: fresh.id,
        name: wanted.name,
        owner: caller.user.clone(),
        owner_method: caller.method.clone(),
        secret_hash: fresh.digest,
        role: wanted.role,
        clusters: wanted.clusters,
        created: now,
        ends,
        used: None,
        used_from: String::new(),
    };
    services.consensus.submit(Command::PutToken { token: Box::new(token.clone()) }, &caller.actor()).await?;
    let token = row(&doorkeeper, &config, token).await;
    Ok((StatusCode::CREATED, Json(MadeToken { secret: fresh.secret, token })))
}

/// A token rests on its maker, who must be somebody that can be asked for later.
fn check_maker(config: &Config, caller: &Caller) -> ApiResult<()> {
    if config.general.read_only {
        return Err(ApiError::forbidden(caller.read_only_because.clone()));
    }
    let method = config.auth.method();
    let has_makers =
        matches!(method, Ok(AuthMethod::Local | AuthMethod::Basic | AuthMethod::Multi | AuthMethod::Proxy))
            && caller.method == config.auth.authentication_method.to_ascii_lowercase();
    // With any password: that is not somebody.
    let is_anybody = method == Ok(AuthMethod::Multi) && caller.user == READ_ONLY_USER;
    if has_makers && !caller.user.is_empty() && !is_anybody {
        return Ok(());
    }
    Err(ApiError::refused_by(
        "token-without-maker",
        "a token needs a maker who says who they are, by AuthenticationMethod local, basic, multi or proxy; or make one with \
         `orchestrator -c create-token`",
    ))
}

/// Revokes a token: one's own; administrators revoke any. It is good for nothing from then on, and streams that rest on it end.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    params(("id" = String, Path, description = "as listed")),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn revoke_token(viewer: Viewer, State(services): Rooms, Named(id): Named<String>) -> ApiResult<StatusCode> {
    let caller = viewer.caller();
    in_person(caller)?;
    let found = services.consensus.accounts().token(&id).filter(|token| may_see(caller, &token.owner));
    let token = found.ok_or_else(|| ApiError::not_found("Token", &id))?;
    services.consensus.submit(Command::DeleteToken { id, name: token.name }, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn row(doorkeeper: &Doorkeeper, config: &Config, token: TokenRecord) -> TokenRow {
    let dead_because = if token.is_alive(Utc::now()) {
        doorkeeper.grant_of_maker(config, &token).await.err().unwrap_or_default()
    } else {
        "it has ended".to_owned()
    };
    TokenRow {
        id: token.id,
        name: token.name,
        owner: token.owner,
        role: token.role,
        clusters: token.clusters,
        created: token.created,
        ends: token.ends,
        last_used: token.used,
        last_used_from: token.used_from,
        dead_because,
    }
}
