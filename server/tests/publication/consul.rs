//! A Consul made of maps: keys by data centre, what was asked, and the faults it is told to have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Name of the data centre that is asked without a name.
pub const HOME: &str = "dc1";

#[derive(Debug, Default)]
pub struct World {
    /// Keys and values by data centre.
    pub held: BTreeMap<String, BTreeMap<String, String>>,
    /// Requests that wrote: `put KEY@DC` and `txn N@DC`.
    pub writes: Vec<String>,
    /// Tokens that came.
    pub tokens: Vec<String>,
    /// Data centres that refuse.
    pub broken: Vec<String>,
    /// Single writes are answered `false`.
    pub says_false: bool,
}

/// A fake that listens.
pub struct FakeConsul {
    pub address: String,
    pub world: Arc<Mutex<World>>,
}

type Shared = State<Arc<Mutex<World>>>;
type Asked = Query<BTreeMap<String, String>>;

impl FakeConsul {
    pub async fn start(data_centers: &[&str]) -> Self {
        let held = data_centers.iter().map(|name| ((*name).to_owned(), BTreeMap::new())).collect();
        let world = Arc::new(Mutex::new(World { held, ..World::default() }));
        let router = Router::new()
            .route("/v1/catalog/datacenters", get(list))
            .route("/v1/kv/{*key}", put(write).get(read))
            .route("/v1/txn", put(transact))
            .with_state(Arc::clone(&world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, world }
    }

    pub fn held(&self, data_center: &str) -> BTreeMap<String, String> {
        self.world.lock().unwrap().held[data_center].clone()
    }
}

fn enter(world: &mut World, headers: &HeaderMap, asked: &Asked) -> Result<String, StatusCode> {
    let token = headers.get("x-consul-token").and_then(|t| t.to_str().ok()).unwrap_or_default();
    world.tokens.push(token.to_owned());
    let name = asked.get("dc").cloned().unwrap_or_else(|| HOME.to_owned());
    if world.broken.contains(&name) { Err(StatusCode::INTERNAL_SERVER_ERROR) } else { Ok(name) }
}

async fn list(State(world): Shared) -> axum::Json<Value> {
    axum::Json(json!(world.lock().unwrap().held.keys().collect::<Vec<_>>()))
}

async fn write(
    State(world): Shared,
    Path(key): Path<String>,
    asked: Asked,
    headers: HeaderMap,
    body: String,
) -> Result<&'static str, StatusCode> {
    let mut world = world.lock().unwrap();
    let place = enter(&mut world, &headers, &asked)?;
    world.writes.push(format!("put {key}@{place}"));
    if world.says_false {
        return Ok("false");
    }
    world.held.get_mut(&place).ok_or(StatusCode::NOT_FOUND)?.insert(key, body);
    Ok("true")
}

async fn read(
    State(world): Shared,
    Path(prefix): Path<String>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<axum::Json<Value>, StatusCode> {
    let mut world = world.lock().unwrap();
    let place = enter(&mut world, &headers, &asked)?;
    assert!(asked.contains_key("recurse"), "everything below the prefix is asked for at once");
    let found: Vec<Value> = world.held[&place]
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, value)| json!({ "Key": key, "Value": (!value.is_empty()).then(|| STANDARD.encode(value)) }))
        .collect();
    if found.is_empty() { Err(StatusCode::NOT_FOUND) } else { Ok(axum::Json(json!(found))) }
}

async fn transact(
    State(world): Shared,
    asked: Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Result<axum::Json<Value>, StatusCode> {
    let mut world = world.lock().unwrap();
    let place = enter(&mut world, &headers, &asked)?;
    let operations: Vec<Value> = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    world.writes.push(format!("txn {}@{place}", operations.len()));
    for operation in &operations {
        assert_eq!(operation["KV"]["Verb"], "set");
        let key = operation["KV"]["Key"].as_str().expect("a key").to_owned();
        let value = STANDARD.decode(operation["KV"]["Value"].as_str().expect("a value")).expect("base64");
        world.held.get_mut(&place).expect("known").insert(key, String::from_utf8(value).expect("text"));
    }
    Ok(axum::Json(json!({ "Results": operations, "Errors": null })))
}
