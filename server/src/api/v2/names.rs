//! What operators call clusters, servers and hosts: aliases, tags, virtual names.

use std::sync::Arc;

use app::InstanceKey;
use app::api::{AliasRequest, ErrorBody, HostName, TagRequest, VirtualNameRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Rooms;
use super::body::{Body, Given, Named};
use super::clusters::cluster_named;
use super::servers::known;
use crate::api::error::{ApiError, ApiResult};
use crate::auth::{Admin, Operator, Viewer};
use crate::consensus::Command;
use crate::lookup::{TagExpression, tagged};
use crate::services::Services;

/// Sets the alias of a cluster by hand; it wins over what servers suggest.
#[utoipa::path(
    put,
    path = "/clusters/{name}/alias",
    params(("name" = String, Path, description = "name, alias, or host:port of a member")),
    request_body = AliasRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn set_alias(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Body(request): Body<AliasRequest>,
) -> ApiResult<StatusCode> {
    let cluster = cluster_named(&services, &text)?;
    let alias = stated("alias", &request.alias)?;
    services.consensus.submit(Command::SetClusterAlias { cluster, alias }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a tag of a server, or its value.
#[utoipa::path(
    put,
    path = "/servers/{key}/tags/{tag}",
    params(("key" = String, Path, description = "host:port"), ("tag" = String, Path, description = "name of the tag")),
    request_body = TagRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn set_tag(
    operator: Operator,
    State(services): Rooms,
    Named((text, tag)): Named<(String, String)>,
    Body(request): Body<TagRequest>,
) -> ApiResult<StatusCode> {
    let (key, name) = (known(&services, &text)?, tag_name(&tag)?);
    services.consensus.submit(Command::PutTag { key, name, value: request.value }, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which tags to remove.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OfValue {
    /// Only where the tag has this value; whatever it is when missing.
    value: Option<String>,
}

/// Removes a tag of a server, if it has it.
#[utoipa::path(
    delete,
    path = "/servers/{key}/tags/{tag}",
    params(
        ("key" = String, Path, description = "host:port"),
        ("tag" = String, Path, description = "name of the tag"),
        OfValue,
    ),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn remove_tag(
    operator: Operator,
    State(services): Rooms,
    Named((text, tag)): Named<(String, String)>,
    Given(of): Given<OfValue>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let mut keys = bearers(&services, &tag_name(&tag)?, of.value.as_deref())?;
    keys.retain(|bearer| *bearer == key);
    take_off(&services, &operator, &tag, &keys).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a tag of all servers that have it, and names them.
#[utoipa::path(
    delete,
    path = "/tags/{tag}",
    params(("tag" = String, Path, description = "name of the tag"), OfValue),
    responses((status = 200, body = Vec<InstanceKey>), (status = 400, body = ErrorBody)),
)]
pub async fn remove_tag_everywhere(
    operator: Operator,
    State(services): Rooms,
    Named(tag): Named<String>,
    Given(of): Given<OfValue>,
) -> ApiResult<Json<Vec<InstanceKey>>> {
    let keys = bearers(&services, &tag_name(&tag)?, of.value.as_deref())?;
    take_off(&services, &operator, &tag, &keys).await?;
    Ok(Json(keys))
}

/// Registers the virtual host name by which replicas are to know a server's host.
#[utoipa::path(
    put,
    path = "/servers/{key}/virtual-name",
    params(("key" = String, Path, description = "host:port")),
    request_body = VirtualNameRequest,
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn set_virtual_name(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
    Body(request): Body<VirtualNameRequest>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let unresolved = stated("name", &request.name)?;
    let command = Command::RegisterUnresolved { hostname: key.hostname, unresolved };
    services.consensus.submit(command, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the virtual host name of a server's host, if it has one.
#[utoipa::path(
    delete,
    path = "/servers/{key}/virtual-name",
    params(("key" = String, Path, description = "host:port")),
    responses((status = 204), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn remove_virtual_name(
    operator: Operator,
    State(services): Rooms,
    Named(text): Named<String>,
) -> ApiResult<StatusCode> {
    let key = known(&services, &text)?;
    let command = Command::RegisterUnresolved { hostname: key.hostname, unresolved: String::new() };
    services.consensus.submit(command, operator.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What host names are remembered to stand for, by name.
#[utoipa::path(get, path = "/host-names", responses((status = 200, body = Vec<HostName>)))]
pub async fn list_host_names(_: Viewer, State(services): Rooms) -> Json<Vec<HostName>> {
    let known = services.discovery.resolver().known();
    let mut names: Vec<_> = known.into_iter().map(|r| HostName { host: r.host, name: r.name, found: r.at }).collect();
    names.sort_by(|a, b| a.host.cmp(&b.host));
    Json(names)
}

/// Forgets what host names stand for; each is looked up anew when it is needed.
#[utoipa::path(
    delete,
    path = "/host-names",
    responses((status = 204), (status = 503, body = ErrorBody, description = "the backend does not answer")),
)]
pub async fn forget_host_names(admin: Admin, State(services): Rooms) -> ApiResult<StatusCode> {
    services.store.delete_resolved_names().await?;
    services.discovery.resolver().reset();
    let everything = InstanceKey::default();
    services.audit.record("reset-hostname-resolve-cache", &everything, "", admin.actor(), "cleared");
    Ok(StatusCode::NO_CONTENT)
}

/// A text that must say something, trimmed.
pub(super) fn stated(field: &str, text: &str) -> ApiResult<String> {
    match text.trim() {
        "" => Err(ApiError::bad_input(format!("{field}: expected a text, got an empty one"))),
        text => Ok(text.to_owned()),
    }
}

/// The name of a tag, and nothing else that an expression can say.
fn tag_name(text: &str) -> ApiResult<String> {
    match TagExpression::parse(text)? {
        TagExpression { name, value: None, negated: false } => Ok(name),
        _ => Err(ApiError::bad_input(format!("tag: expected the name of a tag, got {text:?}"))),
    }
}

/// Servers that have the tag, with this value if one is given.
fn bearers(services: &Services, name: &str, value: Option<&str>) -> ApiResult<Vec<InstanceKey>> {
    let snapshot = services.fleet.snapshot();
    let has = |key: &InstanceKey| {
        let found = snapshot.annotations.tags.get(key).and_then(|tags| tags.get(name));
        value.is_none_or(|value| found.is_some_and(|found| found == value))
    };
    Ok(tagged(&snapshot, name)?.into_iter().filter(has).collect())
}

async fn take_off(services: &Arc<Services>, operator: &Operator, tag: &str, keys: &[InstanceKey]) -> ApiResult<()> {
    let name = tag_name(tag)?;
    for key in keys {
        let command = Command::DeleteTag { key: key.clone(), name: name.clone() };
        services.consensus.submit(command, operator.actor()).await?;
    }
    Ok(())
}
