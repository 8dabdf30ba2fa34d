//! Consul, by its HTTP API: single writes or transactions, in one data centre or in all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{KvError, KvPair, KvStore};
use crate::config::LiveConfig;
use crate::config::secret::Secret;
use crate::http::{self, HttpError, Trust};

/// One request may take this long.
const LIMIT: Duration = Duration::from_secs(3);

/// So much of an error's text is told.
const TOLD: usize = 300;

/// How Consul is reached and written.
#[derive(Debug, Clone)]
pub struct ConsulSettings {
    /// `host:port`.
    pub address: String,
    /// `http` or `https`.
    pub scheme: String,
    /// ACL token; empty = none.
    pub token: Secret,
    /// Writes of one cluster go into one transaction.
    pub transactions: bool,
    /// Certificates of further authorities.
    pub ca_file: Option<PathBuf>,
    /// Any certificate will do.
    pub skip_verify: bool,
}

/// A Consul.
pub struct Consul {
    client: reqwest::Client,
    settings: ConsulSettings,
    /// Distribution and the size of transactions may change at any time.
    config: Arc<LiveConfig>,
}

/// An entry as Consul tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    key: String,
    /// Base64; null for an empty value.
    value: Option<String>,
}

impl Consul {
    /// A Consul at this address. Nobody is asked yet.
    ///
    /// # Errors
    /// [`HttpError`] when the certificates cannot be read.
    pub fn new(settings: ConsulSettings, config: Arc<LiveConfig>) -> Result<Self, HttpError> {
        let trust = Trust { ca_file: settings.ca_file.as_deref(), skip_verify: settings.skip_verify };
        Ok(Self { client: http::client(LIMIT, trust)?, settings, config })
    }

    fn request(&self, method: Method, path: &str, data_center: Option<&str>) -> reqwest::RequestBuilder {
        let mut url = format!("{}://{}/v1/{path}", self.settings.scheme, self.settings.address);
        if let Some(name) = data_center {
            let joint = if url.contains('?') { '&' } else { '?' };
            url.push(joint);
            url.push_str("dc=");
            url.push_str(&escape(name));
        }
        let request = self.client.request(method, url);
        if self.settings.token.is_empty() {
            return request;
        }
        request.header("x-consul-token", self.settings.token.reveal())
    }

    /// The data centres to write: its own, which needs no name, or all.
    async fn data_centers(&self) -> Result<Vec<Option<String>>, KvError> {
        if !self.config.current().kv.consul_cross_data_center_distribution {
            return Ok(vec![None]);
        }
        let (_, body) = answer(self.request(Method::GET, "catalog/datacenters", None), "list of data centres").await?;
        let names: Vec<String> = serde_json::from_str(&body)
            .map_err(|error| KvError(format!("the list of data centres cannot be read: {error}")))?;
        if names.is_empty() {
            return Err(KvError("Consul lists no data centre".to_owned()));
        }
        Ok(names.into_iter().map(Some).collect())
    }

    async fn put_in(&self, data_center: Option<&str>, pairs: &[KvPair]) -> Result<(), KvError> {
        if !self.settings.transactions || pairs.len() == 1 {
            for pair in pairs {
                self.put_one(data_center, pair).await?;
            }
            return Ok(());
        }
        let most = usize::try_from(self.config.current().kv.consul_max_kvs_per_transaction).unwrap_or(1).max(1);
        for group in pairs.chunks(most) {
            self.put_together(data_center, group).await?;
        }
        Ok(())
    }

    async fn put_one(&self, data_center: Option<&str>, pair: &KvPair) -> Result<(), KvError> {
        let request = self.request(Method::PUT, &key_path(&pair.key), data_center).body(pair.value.clone());
        let (_, body) = answer(request, &pair.key).await?;
        // Consul says `false` when it took the request and not the value.
        if body.trim() == "true" {
            Ok(())
        } else {
            Err(KvError(format!("{} was not written: {}", pair.key, cut(&body))))
        }
    }

    async fn put_together(&self, data_center: Option<&str>, pairs: &[KvPair]) -> Result<(), KvError> {
        let set =
            |p: &KvPair| json!({ "KV": { "Verb": "set", "Key": p.key, "Value": STANDARD.encode(p.value.as_bytes()) } });
        let body = Value::Array(pairs.iter().map(set).collect()).to_string();
        let request = self.request(Method::PUT, "txn", data_center).body(body);
        let (_, body) = answer(request, "transaction").await?;
        let told: Value = serde_json::from_str(&body).unwrap_or_default();
        let errors = told["Errors"].as_array().is_some_and(|errors| !errors.is_empty());
        let results = told["Results"].as_array().map_or(0, Vec::len);
        if errors || results != pairs.len() {
            return Err(KvError(format!("the transaction was not carried out: {}", cut(&body))));
        }
        Ok(())
    }

    async fn read_in(&self, data_center: Option<&str>, prefix: &str) -> Result<BTreeMap<String, String>, KvError> {
        let path = format!("{}?recurse=true", key_path(prefix));
        let request = self.request(Method::GET, &path, data_center);
        let (status, body) = answer(request, prefix).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(BTreeMap::new());
        }
        let entries: Vec<Told> = serde_json::from_str(&body)
            .map_err(|error| KvError(format!("what is below {prefix} cannot be read: {error}")))?;
        entries
            .into_iter()
            .map(|entry| {
                let bytes = STANDARD
                    .decode(entry.value.unwrap_or_default())
                    .map_err(|error| KvError(format!("{} cannot be read: {error}", entry.key)))?;
                Ok((entry.key, String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect()
    }
}

impl KvStore for Consul {
    fn name(&self) -> &'static str {
        "consul"
    }

    fn put<'a>(&'a self, pairs: &'a [KvPair]) -> BoxFuture<'a, Result<(), KvError>> {
        async move {
            let places = match self.data_centers().await {
                Ok(places) => places,
                // The nearest one at least: its clients must not wait for a list.
                Err(error) => {
                    self.put_in(None, pairs).await?;
                    return Err(error);
                }
            };
            let done = join_all(places.iter().map(|place| self.put_in(place.as_deref(), pairs))).await;
            all_of(&places, done).map(drop)
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        prefix: &'a str,
        _keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BTreeMap<String, String>>, KvError>> {
        async move {
            let places = self.data_centers().await?;
            let done = join_all(places.iter().map(|place| self.read_in(place.as_deref(), prefix))).await;
            all_of(&places, done)
        }
        .boxed()
    }
}

/// What all places gave, or every failure, each with its place.
fn all_of<T>(places: &[Option<String>], done: Vec<Result<T, KvError>>) -> Result<Vec<T>, KvError> {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (place, result) in places.iter().zip(done) {
        match (result, place) {
            (Ok(value), _) => good.push(value),
            (Err(error), Some(place)) => bad.push(format!("data centre {place}: {error}")),
            (Err(error), None) => bad.push(error.to_string()),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(KvError(bad.join("; "))) }
}

/// Status and text of an answer; every status but success and "not found" is an error.
async fn answer(request: reqwest::RequestBuilder, what: &str) -> Result<(StatusCode, String), KvError> {
    let failed = |error: reqwest::Error| KvError(format!("{what}: {}", http::told(&error)));
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let body = answer.text().await.map_err(failed)?;
    if status.is_success() || status == StatusCode::NOT_FOUND {
        return Ok((status, body));
    }
    Err(KvError(format!("{what}: Consul answered {status}: {}", cut(&body))))
}

fn cut(text: &str) -> String {
    text.trim().chars().take(TOLD).collect()
}

fn key_path(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(escape).collect();
    format!("kv/{}", parts.join("/"))
}

/// Percent-encodes what is more than text in a path or query.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
