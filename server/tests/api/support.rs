//! A service over a made-up fleet, and a way to ask it.

use std::net::SocketAddr;
use std::sync::Arc;

use app::InstanceKey;
use app::plan::Action;
use app::topology::{Annotations, Instance, Replication, ThreadState};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::Utc;
use orchestrator::api;
use orchestrator::config::{Config, LiveConfig};
use orchestrator::consensus::{Actor, Command};
use orchestrator::exec::Exec;
use orchestrator::fleet::{Observation, Outcome};
use orchestrator::hooks::{Hooks, Runner};
use orchestrator::node::Node;
use orchestrator::recovery::{Parts, RecoveryService};
use orchestrator::refactor::{self, Refactor};
use orchestrator::services::{self, Services};
use orchestrator::store::Store;
use orchestrator::testing::PictureHands;
use serde_json::Value;
use tower::ServiceExt as _;

/// Nobody has to say who they are.
pub const OPEN: &str = "{}";
/// One user.
pub const BASIC: &str = r#"{"AuthenticationMethod": "basic", "HTTPAuthUser": "dba", "HTTPAuthPassword": "secret"}"#;
/// The header that goes with it.
pub const CREDENTIALS: (&str, &str) = ("authorization", "Basic ZGJhOnNlY3JldA==");
/// Everybody may look and nobody may act.
pub const READ_ONLY: &str = r#"{"ReadOnly": true}"#;

/// The service and its surroundings.
pub struct Edge {
    pub services: Arc<Services>,
    pub hands: Arc<PictureHands>,
    router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Message of an envelope, which must have this code.
    pub fn message(&self, code: &str) -> String {
        let json = self.json();
        assert_eq!(json["Code"], code, "{}", self.body);
        json["Message"].as_str().expect("a message").to_owned()
    }

    /// Message of an error of `/api/v2`, which must have this status and code.
    pub fn error(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let json = self.json();
        assert_eq!(json["code"], code, "{}", self.body);
        json["message"].as_str().expect("a message").to_owned()
    }

    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.json()
    }
}

/// Everything that a request could change.
#[derive(Debug, PartialEq)]
pub struct World {
    servers: Vec<String>,
    annotations: Annotations,
    recoveries_enabled: bool,
    acts: Vec<(InstanceKey, Action)>,
    recoveries: usize,
}

impl Edge {
    /// A service with this configuration over the fleet of [`fleet`].
    pub async fn new(config: &str) -> Self {
        let mut config: Value = serde_json::from_str(config).expect("JSON");
        let settings = config.as_object_mut().expect("an object");
        settings.insert("BackendDB".to_owned(), "sqlite".into());
        settings.insert("SQLite3DataFile".to_owned(), ":memory:".into());
        settings.entry("HostnameResolveMethod").or_insert_with(|| "none".into());
        let config = Config::from_json(&config.to_string()).expect("a valid configuration");
        let config = Arc::new(LiveConfig::fixed(config));
        let store = Store::in_memory().await.expect("a store");
        let assembled = services::assemble(config, store, Node::new("node1")).await.expect("assembled");
        let mut services = assembled.write_behind();
        let hands = Arc::new(PictureHands::new(Arc::clone(&services.fleet)));
        let exec = Exec::new(hands.clone());
        services.refactor = Refactor::new(refactor::Parts {
            fleet: Arc::clone(&services.fleet),
            consensus: Arc::clone(&services.consensus),
            exec: exec.clone(),
            locks: services.locks.clone(),
            audit: services.audit.clone(),
            events: Arc::clone(&services.events),
            config: Arc::clone(&services.config),
            hooks: Hooks::new(Arc::clone(&services.config), Arc::new(Runner::default())),
        });
        services.recovery = Arc::new(RecoveryService::new(Parts {
            config: Arc::clone(&services.config),
            fleet: Arc::clone(&services.fleet),
            discovery: Arc::clone(&services.discovery),
            consensus: Arc::clone(&services.consensus),
            exec,
            locks: services.locks.clone(),
            audit: services.audit.clone(),
            events: Arc::clone(&services.events),
            journal: services.journal.clone(),
            node: Arc::clone(&services.node),
            hooks: Hooks::new(Arc::clone(&services.config), Arc::new(Runner::default())),
            webhooks: services.webhooks.clone(),
            publisher: Arc::clone(&services.publisher),
            store: services.store.clone(),
        }));
        for instance in fleet() {
            observe(&services, instance);
        }
        // What the loop that looks after names would have recorded by now.
        for (cluster, alias) in [("db1.example:3306", "orders"), ("us1.example:3306", "users")] {
            let command = Command::SuggestClusterAlias { cluster: cluster.to_owned(), alias: alias.to_owned() };
            services.consensus.submit(command, &Actor::system()).await.expect("accepted");
        }
        let services = Arc::new(services);
        let router = api::router(Arc::clone(&services));
        Self { services, hands, router }
    }

    /// To be asked directly, or served over a socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send_from(None, method, path, headers, body).await
    }

    /// The same over a connection from an address.
    pub async fn send_from(
        &self,
        peer: Option<SocketAddr>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "orc:3000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(peer) = peer {
            request = request.extension(ConnectInfo(peer));
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router().oneshot(request).await.expect("never fails");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 << 20).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The body is not read: for streams.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> axum::response::Response {
        let mut request = Request::builder().uri(path).header("host", "orc:3000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router().oneshot(request.body(Body::empty()).expect("a request")).await.expect("never fails")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn json(&self, method: Method, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body).await
    }

    /// The world as it stands, times left out.
    pub fn world(&self) -> World {
        let snapshot = self.services.fleet.snapshot();
        let still = |i: &Arc<Instance>| {
            let r = &i.replication;
            format!("{} {} {:?} {:?} ro={} {}", i.key, r.source, r.receiver, r.applier, i.read_only, i.cluster_name)
        };
        World {
            servers: snapshot.instances.values().map(still).collect(),
            annotations: (*snapshot.annotations).clone(),
            recoveries_enabled: self.services.consensus.recoveries_enabled(),
            acts: self.hands.acts(),
            recoveries: self.services.recovery.registry().list().len(),
        }
    }
}

/// A probe of a server came home.
pub fn observe(services: &Services, instance: Instance) {
    let now = Utc::now();
    services.fleet.observe(Observation {
        probed: instance.key.clone(),
        started: now,
        ended: now,
        outcome: Outcome::Seen(Box::new(instance)),
    });
}

pub fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

/// Cluster `orders`: db1 with db2 (which has db3 and db4) and db5. Cluster `users`: us1 with us2.
pub fn fleet() -> Vec<Instance> {
    vec![
        server("db1.example", "", 1, "orders"),
        server("db2.example", "db1.example", 2, "orders"),
        server("db3.example", "db2.example", 3, "orders"),
        server("db4.example", "db2.example", 4, "orders"),
        server("db5.example", "db1.example", 5, "orders"),
        server("us1.example", "", 11, "users"),
        server("us2.example", "us1.example", 12, "users"),
    ]
}

fn server(name: &str, source: &str, id: u64, alias: &str) -> Instance {
    let uuid = |id: u64| format!("00000000-0000-0000-0000-{id:012}");
    let executed = format!("{}:1-100", uuid(if id > 10 { 11 } else { 1 }));
    let mut replication = Replication::default();
    if !source.is_empty() {
        replication = Replication {
            source: key(source),
            user: "repl".to_owned(),
            has_credentials: true,
            credentials_available: true,
            receiver: ThreadState::Running,
            applier: ThreadState::Running,
            read: app::BinlogCoordinates::binary("binlog.000001", 1000),
            exec: app::BinlogCoordinates::binary("binlog.000001", 1000),
            retrieved_gtid: executed.clone(),
            auto_position: true,
            seconds_behind: Some(0),
            ..Replication::default()
        };
    }
    Instance {
        key: key(name),
        server_id: id,
        server_uuid: uuid(id),
        version: "8.4.3".to_owned(),
        version_comment: "MySQL Community Server - GPL".to_owned(),
        read_only: !source.is_empty(),
        super_read_only: Some(false),
        binlog_format: "ROW".to_owned(),
        binlog_row_image: "FULL".to_owned(),
        log_bin: true,
        log_replica_updates: true,
        binlog: app::BinlogCoordinates::binary("binlog.000001", 1000),
        gtid_mode: "ON".to_owned(),
        executed_gtid: executed,
        lag: replication.seconds_behind,
        replication,
        suggested_cluster_alias: alias.to_owned(),
        data_center: "dc1".to_owned(),
        ..Instance::default()
    }
}
