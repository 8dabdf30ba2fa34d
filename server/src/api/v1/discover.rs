//! Finding, refreshing, resolving and forgetting servers (`spec/api.md` 2.15, 2.17, 2.18).

use std::collections::BTreeMap;
use std::time::Duration;

use app::InstanceKey;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::net::TcpStream;

use super::Answer;
use super::call::Call;
use crate::api::compat::CompatInstance;
use crate::api::error::{ApiError, ApiResult, ErrorKind};
use crate::auth::{Admin, Operator, Viewer};
use crate::consensus::Command;
use crate::discovery::{DiscoveryError, Resolved};
use crate::lookup::Reach;

/// A forgotten server does not come back by itself for this long (`spec/discovery.md` 28).
pub const FORGOTTEN_FOR: TimeDelta = TimeDelta::minutes(30);

/// An entry of the cache of host names (`spec/api.md` 2, 190).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CachedName {
    object: String,
    expiration: i64,
}

/// `resolve` waits this long for the server to take a connection.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// `discover/:host/:port`: the server named and no other, however alike their names
pub async fn discover(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.key_of("host", "port", Reach::Exact).await?;
    operator.actor().reaches_server(&call.snapshot(), &key)?;
    match call.services.discovery.discover(&key).await {
        Ok(found) => {
            let command = Command::Admit { key: found.key.clone() };
            call.services.consensus.submit(command, operator.actor()).await?;
            let snapshot = call.snapshot();
            let message = format!("Instance discovered: {}", found.key);
            Ok(Answer::ok(message, CompatInstance::live(&found, &snapshot.annotations)))
        }
        // Not an error for the original either: the operator's own filter says so.
        Err(DiscoveryError::Skipped(_)) => {
            Ok(Answer::ok(format!("Instance not discovered: a filter of the configuration skips {key}"), ()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `async-discover/:host/:port`
pub async fn async_discover(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.key_of("host", "port", Reach::Exact).await?;
    operator.actor().reaches_server(&call.snapshot(), &key)?;
    let done = format!("Asynchronous discovery initiated for Instance: {key}");
    call.services.audit.record("discover", &key, "", operator.actor(), "asked for");
    let (services, actor) = (std::sync::Arc::clone(&call.services), operator.actor().clone());
    tokio::spawn(async move {
        let admitted = match services.discovery.discover(&key).await {
            Ok(found) => services.consensus.submit(Command::Admit { key: found.key.clone() }, &actor).await,
            Err(error) => {
                tracing::warn!(%error, instance = %key, "a discovery that nobody waits for failed");
                return;
            }
        };
        if let Err(error) = admitted {
            tracing::warn!(%error, instance = %key, "a server found in the background was not recorded as asked for");
        }
    });
    Ok(Answer::ok(done, ()))
}

/// `refresh/:host/:port`
pub async fn refresh(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.target().await?;
    let snapshot = call.snapshot();
    // A look at what is known changes nothing; one at what is not takes it in.
    if snapshot.get(&key).is_none() {
        operator.actor().reaches_server(&snapshot, &key)?;
    }
    let seen = call.services.discovery.probe_now(&key).await?;
    Ok(Answer::ok(format!("Instance refreshed: {}", seen.key), seen.key.clone()))
}

/// `forget/:host/:port`: the name as given, without resolving it
pub async fn forget(operator: Operator, call: Call) -> ApiResult<Answer> {
    let given = crate::lookup::host_and_port(call.param("host"), call.param("port"))?;
    let key = crate::lookup::widen(&call.snapshot(), given, Reach::ShortName);
    let command = Command::Forget { key: key.clone(), barred_until: Utc::now() + FORGOTTEN_FOR };
    call.services.consensus.submit(command, operator.actor()).await?;
    Ok(Answer::ok(format!("Instance forgotten: {key}"), key))
}

/// `forget-cluster/:clusterHint`
pub async fn forget_cluster(operator: Operator, call: Call) -> ApiResult<Answer> {
    let name = call.cluster(Reach::Exact)?;
    let keys: Vec<_> = call.snapshot().cluster(&name).map(|i| i.key.clone()).collect();
    for key in keys {
        let command = Command::Forget { key, barred_until: Utc::now() + FORGOTTEN_FOR };
        call.services.consensus.submit(command, operator.actor()).await?;
    }
    Ok(Answer::ok(format!("Cluster forgotten: {name}"), ()))
}

/// `resolve/:host/:port`: has us open a connection to wherever the caller says, so it takes the right to change things
pub async fn resolve(operator: Operator, call: Call) -> ApiResult<Answer> {
    let key = call.key_of("host", "port", Reach::Exact).await?;
    operator.actor().reaches_server(&call.snapshot(), &key)?;
    let knock = TcpStream::connect((key.hostname.as_str(), key.port));
    match tokio::time::timeout(KNOCK_TIMEOUT, knock).await {
        Ok(Ok(_open)) => Ok(Answer::ok("Instance resolved", key)),
        Ok(Err(error)) => Err(ApiError::new(ErrorKind::Failed, format!("cannot connect to {key}: {error}"))),
        Err(_) => {
            let waited = KNOCK_TIMEOUT.as_secs();
            Err(ApiError::new(ErrorKind::Failed, format!("cannot connect to {key}: no answer within {waited} s")))
        }
    }
}

/// `hostname-resolve-cache`: what each name stands for, and until when that is remembered
pub async fn resolve_cache(_: Viewer, call: Call) -> ApiResult<Answer> {
    let resolver = call.services.discovery.resolver();
    let entry = |resolved: Resolved| {
        let until = resolved.at.checked_add_signed(resolver.keep()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let expiration = until.timestamp_nanos_opt().unwrap_or(i64::MAX);
        (resolved.host, CachedName { object: resolved.name, expiration })
    };
    let cache: BTreeMap<String, CachedName> = resolver.known().into_iter().map(entry).collect();
    Ok(Answer::ok("Cache retrieved", cache))
}

/// `reset-hostname-resolve-cache`
pub async fn reset_resolve_cache(admin: Admin, call: Call) -> ApiResult<Answer> {
    call.services.store.delete_resolved_names().await?;
    call.services.discovery.resolver().reset();
    let everything = InstanceKey::default();
    call.services.audit.record("reset-hostname-resolve-cache", &everything, "", admin.actor(), "cleared");
    Ok(Answer::ok("Hostname cache cleared", ()))
}
