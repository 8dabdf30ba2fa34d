//! What answers of the API cost on a large picture, over a connection that stays open, as a dashboard has one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use app::topology::{Annotations, Instance};
use chrono::Utc;
use orchestrator::api;
use orchestrator::config::{Config, LiveConfig};
use orchestrator::fleet::{Fleet, Observation, Outcome};
use orchestrator::node::Node;
use orchestrator::services;
use orchestrator::store::Store;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::args::Args;
use crate::figures::Figures;
use crate::trees;

/// Servers of the one cluster whose tree is drawn.
const LARGE_CLUSTER: usize = 500;

/// `bench api`.
///
/// # Errors
/// Options, and what is not answered as it should be.
pub async fn run(args: &mut Args) -> Result<()> {
    let count: usize = args.value("--servers", 10_000)?;
    let clusters: usize = args.value("--clusters", 200)?;
    let runs: usize = args.value("--runs", 50)?;
    args.end()?;

    let mut figures = Figures::default();
    let (fleet, mut line) = serve(trees::servers(LARGE_CLUSTER, 1, Utc::now())).await?;
    let hint = trees::key(0, LARGE_CLUSTER).hostname;
    let tree = format!("/api/topology/{hint}");
    let lines = line.get(&tree).await?.matches("\\n").count();
    ensure!(lines + 1 == LARGE_CLUSTER, "the tree has {lines} line ends");
    measure(&mut figures, &mut line, &fleet, "topology, one cluster of 500", &tree, runs).await?;
    let tabulated = format!("/api/topology-tabulated/{hint}");
    measure(&mut figures, &mut line, &fleet, "topology-tabulated, the same", &tabulated, runs).await?;
    let cluster = format!("/api/cluster/{hint}");
    measure(&mut figures, &mut line, &fleet, "cluster, the same: every field of 500 servers", &cluster, runs).await?;

    let (fleet, mut line) = serve(trees::servers(count, clusters, Utc::now())).await?;
    let infos = line.get("/api/clusters-info").await?.matches("ClusterAlias").count();
    ensure!(infos == clusters, "{infos} clusters");
    println!("{count} servers in {clusters} clusters, and one cluster of {LARGE_CLUSTER}");
    measure(&mut figures, &mut line, &fleet, "clusters-info", "/api/clusters-info", runs).await?;
    measure(&mut figures, &mut line, &fleet, "clusters", "/api/clusters", runs).await?;
    measure(&mut figures, &mut line, &fleet, "masters", "/api/masters", runs).await?;
    measure(&mut figures, &mut line, &fleet, "v2/clusters, as the dashboard reads it", "/api/v2/clusters", runs)
        .await?;
    let one = trees::key(0, count / clusters.max(1)).hostname;
    let instance = format!("/api/instance/{one}/3306");
    measure(&mut figures, &mut line, &fleet, "instance", &instance, runs).await?;
    let topology = format!("/api/topology/{one}");
    measure(&mut figures, &mut line, &fleet, "topology of one of the clusters", &topology, runs).await?;
    measure(&mut figures, &mut line, &fleet, "all-instances, every field of all", "/api/all-instances", runs.min(5))
        .await?;
    figures.print("API over loopback; a probe of one server comes home before each request");
    Ok(())
}

/// Asks so many times; each time the picture has just changed, so that nothing is answered from what was made before.
async fn measure(
    figures: &mut Figures,
    line: &mut Line,
    fleet: &Fleet,
    what: &'static str,
    path: &str,
    runs: usize,
) -> Result<()> {
    let keys = fleet.keys();
    for run in 0..runs {
        let key = keys.get(run * 7 % keys.len().max(1)).context("no servers")?;
        let mut moved = (*fleet.get(key).context("a known server")?).clone();
        moved.binlog.position += 1;
        let now = Utc::now();
        fleet.observe(Observation {
            probed: key.clone(),
            started: now,
            ended: now,
            outcome: Outcome::Seen(Box::new(moved)),
        });
        let began = Instant::now();
        line.get(path).await?;
        figures.add(what, began.elapsed());
    }
    Ok(())
}

/// The API over these servers, and a connection to it.
async fn serve(servers: Vec<Instance>) -> Result<(Arc<Fleet>, Line)> {
    let config = Config::from_json(
        r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:", "HostnameResolveMethod": "none"}"#,
    )?;
    let live = Arc::new(LiveConfig::fixed(config));
    let assembled = services::assemble(live, Store::in_memory().await?, Node::new("bench")).await?;
    let services = Arc::new(assembled.services);
    services.fleet.load(servers, Annotations::default());
    services.fleet.snapshot();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let fleet = Arc::clone(&services.fleet);
    let router = api::router(services).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((fleet, Line { stream: BufReader::new(TcpStream::connect(address).await?) }))
}

/// A connection that stays open.
struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    /// One request, answered with 200 and read to its end.
    async fn get(&mut self, path: &str) -> Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
        tokio::time::timeout(Duration::from_secs(30), self.exchange(&request)).await?.with_context(|| path.to_owned())
    }

    async fn exchange(&mut self, request: &str) -> Result<String> {
        self.stream.write_all(request.as_bytes()).await?;
        let (mut length, mut status) = (None, String::new());
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the connection was closed");
            let line = line.trim_end();
            if status.is_empty() {
                line.clone_into(&mut status);
            }
            match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = Some(value.parse()?),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let Some(length) = length else { bail!("{status}: an answer without its length") };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        ensure!(status.contains(" 200 "), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(String::from_utf8(body)?)
    }
}
