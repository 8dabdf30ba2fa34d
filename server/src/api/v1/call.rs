//! A request as handlers see it: parameters by name, each with the error that a bad one deserves.

use std::sync::Arc;

use app::InstanceKey;
use app::topology::{Instance, Snapshot, StatusThresholds};
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::route::Params;
use crate::api::compat::{ClusterInfo, CompatInstance, TimeForm};
use crate::api::error::{ApiError, ApiResult};
use crate::auth::Caller;
use crate::config::{BackendKind, Config};
use crate::lookup::{self, Hint, Reach};
use crate::services::Services;
use crate::settings;

/// One request.
pub struct Call {
    /// The rooms.
    pub services: Arc<Services>,
    /// The configuration in force when the request came.
    pub config: Arc<Config>,
    /// Who is calling.
    pub caller: Caller,
    /// Headers.
    pub headers: HeaderMap,
    word: String,
    params: Params,
    query: Vec<(String, String)>,
}

impl Call {
    /// A request for a route: `path` is decoded and begins below `/api/`.
    pub fn new(services: Arc<Services>, caller: Caller, path: &str, params: Params, parts: Parts) -> Self {
        let config = services.config.current();
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
        Self {
            services,
            config,
            caller,
            headers: parts.headers,
            word: path.split('/').next().unwrap_or_default().to_owned(),
            params,
            query: query.unwrap_or_default(),
        }
    }

    /// The first word of the path, which tells synonyms of a route apart.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// The picture now.
    pub fn snapshot(&self) -> Snapshot {
        self.services.fleet.snapshot()
    }

    /// The form of times.
    pub fn form(&self) -> TimeForm {
        match self.config.backend.kind() {
            BackendKind::Sqlite => TimeForm::Sqlite,
            BackendKind::Mysql => TimeForm::Mysql,
        }
    }

    /// By what servers are judged.
    pub fn thresholds(&self) -> StatusThresholds {
        settings::thresholds(&self.config)
    }

    /// A parameter of the path; empty when the path has none of this name.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter of the query, trimmed; the first value counts.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.trim())
    }

    /// The page asked for, from 0. What is no number is page 0, as in the original.
    pub fn page(&self) -> u32 {
        self.param("page").parse().unwrap_or(0)
    }

    /// The server of `:host/:port` for something that only reads: a part of a known host name will do.
    pub async fn key(&self) -> ApiResult<InstanceKey> {
        self.key_of("host", "port", Reach::Contains).await
    }

    /// The server of `:host/:port` for something that changes it: a short host name will do.
    pub async fn target(&self) -> ApiResult<InstanceKey> {
        self.key_of("host", "port", Reach::ShortName).await
    }

    /// The server of two parameters: resolved, then stretched to a known one within reach.
    pub async fn key_of(&self, host: &str, port: &str, reach: Reach) -> ApiResult<InstanceKey> {
        let given = lookup::host_and_port(self.param(host), self.param(port))?;
        let snapshot = self.snapshot();
        // What is known under the name given needs no resolving, and must not be led elsewhere by it.
        if snapshot.get(&given).is_some() {
            return Ok(given);
        }
        if !given.is_valid() {
            return Ok(given);
        }
        let resolved = self.services.discovery.resolver().resolve(&given.hostname).await;
        let hostname = resolved.map_err(|error| ApiError::bad_input(error.to_string()))?;
        Ok(lookup::widen(&snapshot, InstanceKey::new(hostname, given.port), reach))
    }

    /// The server of `:host/:port`, which must be known.
    pub async fn known(&self) -> ApiResult<Arc<Instance>> {
        let key = self.key().await?;
        self.services.fleet.get(&key).ok_or_else(|| ApiError::not_found("Instance", &key))
    }

    /// The name of the cluster that the path means: by hint, name, or member.
    pub fn cluster(&self, reach: Reach) -> ApiResult<String> {
        let hint = ["clusterHint", "clusterName"].iter().map(|name| self.param(name)).find(|text| !text.is_empty());
        let text = match hint {
            Some(text) => text.to_owned(),
            None => lookup::host_and_port(self.param("host"), self.param("port"))?.to_string(),
        };
        match lookup::cluster_by_hint(&self.snapshot(), &self.config, &text, reach) {
            Hint::Cluster(name) => Ok(name),
            Hint::Unknown => Err(ApiError::not_found("Cluster", text.trim())),
        }
    }

    /// The name of the cluster of `:clusterAlias`, which must be an exact alias or name.
    pub fn cluster_of_alias(&self) -> ApiResult<String> {
        let alias = self.param("clusterAlias");
        lookup::cluster_by_alias(&self.snapshot(), &self.config, alias)
            .ok_or_else(|| ApiError::not_found("Cluster alias", alias))
    }

    /// Servers as the compatible API lists them.
    pub fn listed<'a>(
        &self,
        snapshot: &Snapshot,
        servers: impl IntoIterator<Item = &'a Arc<Instance>>,
    ) -> Vec<CompatInstance> {
        let (thresholds, form) = (self.thresholds(), self.form());
        let compat =
            |i: &Arc<Instance>| CompatInstance::stored(i, &snapshot.annotations, &thresholds, form, snapshot.at);
        servers.into_iter().map(compat).collect()
    }

    /// A server as it is after something was done to it.
    pub fn fresh(&self, key: &InstanceKey) -> ApiResult<CompatInstance> {
        let snapshot = self.snapshot();
        let instance = snapshot.get(key).ok_or_else(|| ApiError::not_found("Instance", key))?;
        Ok(CompatInstance::live(instance, &snapshot.annotations))
    }

    /// Summary of a cluster by its name, with the number of its servers.
    pub fn cluster_info(&self, snapshot: &Snapshot, name: &str) -> ClusterInfo {
        self.cluster_info_of(snapshot, name, snapshot.cluster(name).count())
    }

    /// Summary of a cluster with so many servers.
    pub fn cluster_info_of(&self, snapshot: &Snapshot, name: &str, servers: usize) -> ClusterInfo {
        let alias = lookup::alias_of(snapshot, &self.config, name);
        let (source, intermediate) = lookup::automated(&self.config, name, &alias);
        ClusterInfo {
            cluster_name: name.to_owned(),
            cluster_domain: lookup::domain_of(snapshot, name),
            cluster_alias: alias,
            count_instances: servers as u64,
            heuristic_lag: 0,
            has_automated_master_recovery: source,
            has_automated_intermediate_master_recovery: intermediate,
        }
    }

    /// A regular expression of the query; `None` when it is not given.
    pub fn pattern(&self) -> ApiResult<String> {
        let text = self.query("pattern").unwrap_or_default();
        match regex::Regex::new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(ApiError::bad_input(format!("cannot parse pattern {text:?}: {error}"))),
        }
    }
}
