//! `/api/v2`: proper verbs and codes, typed bodies, one form of errors. The contract is [`app::api`].

pub(super) mod access;
mod audit;
mod body;
mod clusters;
mod events;
mod holds;
mod names;
mod node;
mod openapi;
mod operations;
mod pools;
mod questions;
mod records;
mod recoveries;
mod servers;
mod tokens;
mod users;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, ErrorKind};
use super::intake::BODY_LIMIT;
use crate::auth::{Caller, refuse_cross_site};
use crate::services::Services;

/// State of the handlers.
pub(crate) type Rooms = axum::extract::State<Arc<Services>>;

fn documented() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(node::session))
        .routes(routes!(access::me))
        .routes(routes!(access::login))
        .routes(routes!(access::set_up))
        .routes(routes!(access::logout))
        .routes(routes!(access::change_password))
        .routes(routes!(access::list_sessions))
        .routes(routes!(access::end_session))
        .routes(routes!(tokens::list_tokens, tokens::make_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::change_user, users::delete_user))
        .routes(routes!(node::status))
        .routes(routes!(node::switch_recoveries, node::show_recovery_settings))
        .routes(routes!(node::reload_configuration))
        .routes(routes!(node::take_lead, node::give_up_lead))
        .routes(routes!(audit::list_audit))
        .routes(routes!(clusters::list_clusters))
        .routes(routes!(clusters::show_cluster, clusters::forget_cluster))
        .routes(routes!(clusters::show_readiness))
        .routes(routes!(clusters::list_findings))
        .routes(routes!(servers::list_servers, servers::discover_server))
        .routes(routes!(servers::show_server, servers::forget_server))
        .routes(routes!(servers::refresh_server))
        .routes(routes!(servers::begin_downtime, servers::end_downtime))
        .routes(routes!(servers::set_promotion_rule))
        .routes(routes!(operations::plan_operation))
        .routes(routes!(operations::apply_operation))
        .routes(routes!(operations::show_operation))
        .routes(routes!(operations::list_equivalent_places))
        .routes(routes!(recoveries::list_recoveries, recoveries::start_recovery))
        .routes(routes!(recoveries::show_recovery))
        .routes(routes!(recoveries::acknowledge_recovery))
        .routes(routes!(names::set_alias))
        .routes(routes!(names::set_tag, names::remove_tag))
        .routes(routes!(names::remove_tag_everywhere))
        .routes(routes!(names::set_virtual_name, names::remove_virtual_name))
        .routes(routes!(names::list_host_names, names::forget_host_names))
        .routes(routes!(holds::list_maintenance))
        .routes(routes!(holds::begin_maintenance, holds::end_maintenance))
        .routes(routes!(holds::list_promotion_rules))
        .routes(routes!(pools::list_pools))
        .routes(routes!(pools::submit_pool, pools::remove_pool))
        .routes(routes!(pools::list_pooled_servers))
        .routes(routes!(questions::draw_cluster))
        .routes(routes!(questions::list_control_replicas))
        .routes(routes!(questions::list_replicas))
        .routes(routes!(questions::ask_can_replicate))
        .routes(routes!(questions::locate_errant))
        .routes(routes!(questions::find_last_entry))
        .routes(routes!(questions::write_around))
        .routes(routes!(questions::check_connection))
        .routes(routes!(records::list_detections))
        .routes(routes!(records::list_blocked))
        .routes(routes!(records::list_finding_changes))
        .routes(routes!(records::acknowledge_many))
        .routes(routes!(records::list_publications, records::publish_primaries))
        .routes(routes!(records::list_snapshots, records::take_snapshot))
        .routes(routes!(records::show_snapshot))
        .routes(routes!(events::follow_events))
}

/// The document that describes this API.
pub fn document() -> OpenApi {
    documented().split_for_parts().1
}

/// The routes, to be nested below `/api/v2`.
pub fn router(services: Arc<Services>) -> Router {
    let (router, document) = documented().split_for_parts();
    let document = Arc::new(document);
    router
        .route("/openapi.json", axum::routing::get(move || openapi::serve(Arc::clone(&document))))
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn(guard))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(services)
}

/// What other verbs than reading ones do, another site's page must not do: the browser says that it is ours, and with a session the
/// page proves it, too. A session is begun without proof; there is none yet.
async fn guard(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && let Err(refusal) = refuse_cross_site(request.headers()) {
        return ApiError::from(refusal).into_response();
    }
    let begins_session = matches!(request.uri().path(), "/login" | "/setup");
    if !reads
        && !begins_session
        && let Some(caller) = request.extensions().get::<Caller>()
        && let Err(refusal) = caller.prove_page(request.headers())
    {
        return refusal.into_response();
    }
    next.run(request).await
}

/// What no route of this API answers.
pub async fn no_such_path(request: Request) -> ApiError {
    ApiError::not_found("Path", request.uri().path())
}

async fn no_such_method(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(ErrorKind::MethodNotAllowed, format!("{method} is not a verb of {path}"))
}
