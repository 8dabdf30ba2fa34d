//! What can be asked of servers and clusters beside how they are.

use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use app::api::{CanReplicate, ErrorBody, PseudoGtidEntry, ServerView};
use app::rules::{can_replicate_from, gtid_positioning};
use app::topology::Instance;
use app::topology::ascii::{TopologyStyle, draw_topology};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::Rooms;
use super::body::{Given, Named, server_key};
use super::clusters::{cluster_named, with_scene};
use super::servers::known;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Operator, Viewer};
use crate::services::Services;
use crate::{lookup, settings};

/// A server has this long to take a connection.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How the tree is drawn.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Style {
    /// `plain`, `tabulated` or `tags`; plain when empty.
    style: String,
}

/// The tree of a cluster as text, as the commands print it.
#[utoipa::path(
    get,
    path = "/clusters/{name}/topology",
    params(("name" = String, Path, description = "name, alias, or host:port of a member"), Style),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
pub async fn draw_cluster(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
    Given(given): Given<Style>,
) -> ApiResult<String> {
    let style = match given.style.as_str() {
        "" | "plain" => TopologyStyle::Plain,
        "tabulated" => TopologyStyle::Tabulated,
        "tags" => TopologyStyle::Tags,
        other => {
            return Err(ApiError::bad_input(format!("style: expected plain, tabulated or tags, got {other:?}")));
        }
    };
    let name = cluster_named(&services, &text)?;
    let (snapshot, thresholds) = (services.fleet.snapshot(), settings::thresholds(&services.config.current()));
    Ok(draw_topology(snapshot.cluster(&name), &snapshot.annotations, style, &thresholds, snapshot.at))
}

/// A sample of a cluster's replicas by which a schema-change tool can judge lag.
#[utoipa::path(
    get,
    path = "/clusters/{name}/control-replicas",
    params(("name" = String, Path, description = "name, alias, or host:port of a member")),
    responses((status = 200, body = Vec<ServerView>), (status = 404, body = ErrorBody)),
)]
pub async fn list_control_replicas(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<Vec<ServerView>>> {
    let name = cluster_named(&services, &text)?;
    Ok(Json(with_scene(&services, |scene| {
        let replicas = lookup::control_replicas(scene.snapshot, scene.config, &name);
        replicas.iter().map(|i| scene.server(i)).collect()
    })))
}

/// Direct replicas of a server, by key.
#[utoipa::path(
    get,
    path = "/servers/{key}/replicas",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 200, body = Vec<ServerView>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn list_replicas(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<Vec<ServerView>>> {
    let key = known(&services, &text)?;
    Ok(Json(with_scene(&services, |scene| scene.snapshot.replicas_of(&key).map(|i| scene.server(i)).collect())))
}

/// By what means.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Means {
    /// By GTID or not at all.
    by_gtid: bool,
}

/// Whether a server may replicate from another one, by what is known of both.
#[utoipa::path(
    get,
    path = "/servers/{key}/can-replicate-from/{source}",
    params(
        ("key" = String, Path, description = "host:port"),
        ("source" = String, Path, description = "host:port of the other one"),
        Means,
    ),
    responses((status = 200, body = CanReplicate), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn ask_can_replicate(
    _: Viewer,
    State(services): Rooms,
    Named((text, source)): Named<(String, String)>,
    Given(means): Given<Means>,
) -> ApiResult<Json<CanReplicate>> {
    let (replica, source) = (instance(&services, &text)?, instance(&services, &source)?);
    let rules = settings::rules(&services.config.current());
    let mut verdict = can_replicate_from(&replica, &source, &rules).map(drop);
    if means.by_gtid {
        verdict = verdict.and_then(|()| gtid_positioning(&replica, &source).map(drop));
    }
    Ok(Json(CanReplicate { can: verdict.is_ok(), refusal: verdict.err() }))
}

/// The binary logs of a server that hold its errant transactions, oldest first. The server is asked.
#[utoipa::path(
    get,
    path = "/servers/{key}/errant-logs",
    params(("key" = String, Path, description = "host:port")),
    responses(
        (status = 200, body = Vec<String>),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "it has none, or they are purged"),
        (status = 500, body = ErrorBody, description = "the server could not be read; says why"),
    ),
)]
pub async fn locate_errant(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<Vec<String>>> {
    let key = known(&services, &text)?;
    operator.actor().reaches_server(&services.fleet.snapshot(), &key)?;
    Ok(Json(services.refactor.locate_errant(&key).await?))
}

/// How far back.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct HowFar {
    /// All logs are looked through, from the newest back; else the newest only.
    all_logs: bool,
}

/// The last pseudo-GTID entry of a server, in its binary logs, else in its relay logs. The server is asked.
#[utoipa::path(
    get,
    path = "/servers/{key}/last-pseudo-gtid",
    params(("key" = String, Path, description = "host:port"), HowFar),
    responses(
        (status = 200, body = PseudoGtidEntry),
        (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "pseudo-GTID is not set up"),
        (status = 500, body = ErrorBody, description = "there is none, or the server could not be read; says which"),
    ),
)]
pub async fn find_last_entry(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Given(how_far): Given<HowFar>,
) -> ApiResult<Json<PseudoGtidEntry>> {
    let key = known(&services, &text)?;
    operator.actor().reaches_server(&services.fleet.snapshot(), &key)?;
    let entry = services.refactor.last_pseudo_gtid(&key, how_far.all_logs).await?;
    Ok(Json(PseudoGtidEntry { at: entry.at, text: entry.text }))
}

/// What is to be run around.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Around {
    /// The statement.
    statement: String,
}

/// The statements that stop what runs of a server's replication, run the one given, and start it again. None is run.
#[utoipa::path(
    get,
    path = "/servers/{key}/statements-around",
    params(("key" = String, Path, description = "host:port"), Around),
    responses((status = 200, body = Vec<String>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn write_around(
    _: Viewer,
    State(services): Rooms,
    Named(text): Named<String>,
    Given(around): Given<Around>,
) -> ApiResult<Json<Vec<String>>> {
    let server = instance(&services, &text)?;
    Ok(Json(engine::statements::restart_around(&server, around.statement.trim())))
}

/// Opens a connection to a server, which need not be known, and closes it. Gives the name under which it was reached.
#[utoipa::path(
    post,
    path = "/servers/{key}/connection-check",
    params(("key" = String, Path, description = "host:port")),
    responses(
        (status = 200, body = InstanceKey),
        (status = 400, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "it took no connection; says why"),
    ),
)]
pub async fn check_connection(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<Json<InstanceKey>> {
    let given = server_key(&text, &services.config.current())?;
    // Whoever may connect to anywhere may look around in the network of this node.
    let reaches = |key: &InstanceKey| operator.actor().reaches_server(&services.fleet.snapshot(), key);
    let resolved = services.discovery.resolver().resolve(&given.hostname).await;
    let hostname = resolved.map_err(|error| ApiError::bad_input(error.to_string()))?;
    let key = InstanceKey::new(hostname, given.port);
    reaches(&key)?;
    let failed = |why: String| ApiError::new(ErrorKind::Failed, format!("cannot connect to {key}: {why}"));
    let knock = TcpStream::connect((key.hostname.as_str(), key.port));
    match tokio::time::timeout(KNOCK_TIMEOUT, knock).await {
        Ok(Ok(_open)) => Ok(Json(key)),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s", KNOCK_TIMEOUT.as_secs()))),
    }
}

fn instance(services: &Arc<Services>, text: &str) -> ApiResult<Arc<Instance>> {
    let key = known(services, text)?;
    services.fleet.get(&key).ok_or_else(|| ApiError::not_found("Server", key))
}
