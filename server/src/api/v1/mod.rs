//! `/api/`: the compatible paths (`spec/api.md` 2). GET for everything, one table of routes, answers to the byte.
//!
//! A request passes the five beats in [`dispatch`]: permission (the capability that the route's handler takes), leader,
//! then parse, one service call and JSON out in the handler itself.

mod agents;
mod analysis;
mod annotate;
mod answer;
mod call;
mod discover;
mod history;
mod identity;
mod matching;
mod meta;
mod metrics;
mod moves;
mod operate;
mod pools;
mod publish;
mod read;
mod records;
mod recoveries;
pub mod route;
pub mod table;
mod trees;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};

use tokio::sync::OnceCell;

use super::error::{ApiError, ErrorKind};
use crate::accounts::Pass;
use crate::auth::{Caller, Refusal, refuse_cross_site};
use crate::services::Services;
pub use annotate::DEFAULT_DOWNTIME;
pub use answer::Answer;
use call::Call;
pub use discover::FORGOTTEN_FOR;
pub(crate) use moves::{moved, not_moved, only_binlog_server, regrouped_below};
use route::{Handler, Route};
use table::Table;

/// What each request needs.
#[derive(Clone)]
pub struct V1 {
    services: Arc<Services>,
    table: Arc<Table>,
    prefix: Arc<OnceCell<String>>,
}

impl V1 {
    /// The compatible API over these services.
    pub fn new(services: Arc<Services>) -> Self {
        Self { services, table: Arc::new(Table::new()), prefix: Arc::default() }
    }
}

/// Answers one request below `/api/`.
pub async fn dispatch<B>(State(state): State<V1>, request: Request<B>) -> Response {
    let (parts, _) = request.into_parts();
    let Some(path) = parts.uri.path().strip_prefix("/api/").and_then(route::decode) else { return no_such_page() };
    let Some((route, params)) = state.table.find(&path) else { return no_such_page() };
    // Only GET is there, as in the original. There, HEAD does what GET does; here it changes nothing.
    match parts.method {
        Method::GET => {}
        Method::HEAD if !route.changes => {}
        Method::HEAD => return only_get(),
        _ => return no_such_page(),
    }
    let Some(caller) = parts.extensions.get::<Caller>().cloned() else {
        return Answer::from(ApiError::internal("a request reached the table of routes unidentified")).into_response();
    };
    if caller.signed_out && !matches!(route.handler, Handler::Open(_)) {
        return Refusal::SignedOut.into_response();
    }
    let call = Call::new(state.services, caller, &path, params, parts);
    let (config, node) = (Arc::clone(&call.config), Arc::clone(&call.services.node));
    let answer = answer(route, call).await;
    // Those who watch the status of nodes look for its words as they are (`spec/api.md` 1.3).
    if path == "status" && answer.is_error() {
        return answer.into_response();
    }
    let prefix = state.prefix.get_or_init(|| identity::prefix(&config, &node.hostname)).await;
    answer.with_prefix(prefix).into_response()
}

async fn answer(route: &Route, call: Call) -> Answer {
    let outcome = match admit(route, &call) {
        Ok(()) => invoke(&route.handler, call).await,
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(Answer::from)
}

/// What holds for every route that changes something, whoever calls.
fn admit(route: &Route, call: &Call) -> Result<(), ApiError> {
    // Also what only has us do something to others.
    if matches!(route.handler.right(), "operator" | "admin") {
        refuse_cross_site(&call.headers)?;
    }
    if route.changes {
        // A browser sends its cookie with whatever GET a page, a mail or a chat has it do.
        if let Some(Pass::Session(_)) = call.caller.pass {
            return Err(ApiError::forbidden("changes by GET are not for sessions; use the page, or a token"));
        }
        if !call.services.consensus.is_leader() {
            return Err(ApiError::new(ErrorKind::NotLeader, "this node is not the leader"));
        }
    }
    Ok(())
}

/// Gives the handler the capability that it takes, if the caller has it.
async fn invoke(handler: &Handler, call: Call) -> Result<Answer, ApiError> {
    match handler {
        Handler::Open(run) => run(call).await,
        Handler::View(run) => run(call.caller.viewer()?, call).await,
        Handler::Operate(run) => run(call.caller.operator()?, call).await,
        Handler::Administer(run) => run(call.caller.admin()?, call).await,
    }
}

/// The original's answer to an unknown path.
fn no_such_page() -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

fn only_get() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response()
}
