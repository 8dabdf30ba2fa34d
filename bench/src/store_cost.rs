//! What it costs to keep a large fleet in the backend.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use app::topology::Instance;
use chrono::Utc;
use orchestrator::store::{BackendSettings, Deployment, MySqlSettings, Store};

use crate::args::Args;
use crate::figures::readable;
use crate::sandbox::Sandbox;
use crate::trees;

/// `bench store`.
///
/// # Errors
/// The backend.
pub async fn run(args: &mut Args) -> Result<()> {
    let count: usize = args.value("--servers", 10_000)?;
    let mut backends = args.all("--backend")?;
    args.end()?;
    if backends.is_empty() {
        backends = ["sqlite", "mariadb"].map(str::to_owned).to_vec();
    }
    println!("| backend | | time | rows/s |\n|---|---|---:|---:|");
    for backend in &backends {
        let folder = tempfile::tempdir()?;
        let deployment = Deployment::of_version("bench");
        match backend.as_str() {
            "sqlite" => {
                let settings = BackendSettings::Sqlite { path: folder.path().join("orchestrator.db") };
                measure(backend, &Store::open(&settings, &deployment).await?, count).await?;
            }
            "mariadb" | "mysql" => {
                let sandbox = Sandbox::start(backend, 1)?;
                let settings = BackendSettings::MySql(MySqlSettings {
                    host: "127.0.0.1".to_owned(),
                    port: sandbox.source()?,
                    user: "root".to_owned(),
                    password: "root_password".to_owned(),
                    ..MySqlSettings::default()
                });
                measure(backend, &Store::open(&settings, &deployment).await?, count).await?;
            }
            other => bail!("unknown backend {other:?}: sqlite, mariadb or mysql"),
        }
    }
    Ok(())
}

async fn measure(name: &str, store: &Store, count: usize) -> Result<()> {
    let mut servers = trees::servers(count, (count / 50).max(1), Utc::now());
    for what in ["write, new", "write, known", "write, known"] {
        for server in &mut servers {
            server.binlog.position += 1;
        }
        let rows: Vec<Arc<Instance>> = servers.iter().cloned().map(Arc::new).collect();
        let began = Instant::now();
        let written = store.write_instances(&rows).await?.written;
        tell(name, what, began, written);
        ensure!(written == count, "{written} of {count} servers were written");
    }
    let began = Instant::now();
    let read = store.load_instances().await?.len();
    tell(name, "read at start", began, read);
    ensure!(read == count, "{read} of {count} servers were read");
    store.close().await;
    Ok(())
}

fn tell(name: &str, what: &str, began: Instant, rows: usize) {
    let took = began.elapsed();
    println!("| {name} | {what} | {} | {:.0} |", readable(took), rows as f64 / took.as_secs_f64());
}
