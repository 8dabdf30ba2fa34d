//! What a reading command costs on a large backend, from the start of its process to its end.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use app::topology::Instance;
use chrono::Utc;
use orchestrator::cli;
use orchestrator::store::{BackendSettings, Deployment, MySqlSettings, Store};
use serde_json::json;

use crate::args::Args;
use crate::figures::readable;
use crate::sandbox::Sandbox;
use crate::trees;

/// Commands that are measured: the server named is the first one of the fleet.
const COMMANDS: [&str; 4] = ["topology", "which-cluster-master", "clusters-alias", "replication-analysis"];

/// `bench cli`.
///
/// # Errors
/// The backend, or a command that fails.
pub async fn run(args: &mut Args) -> Result<()> {
    let count: usize = args.value("--servers", 10_000)?;
    let runs: usize = args.value("--runs", 10)?;
    let mut backends = args.all("--backend")?;
    args.end()?;
    if backends.is_empty() {
        backends = ["sqlite", "mariadb"].map(str::to_owned).to_vec();
    }
    println!("| backend, {count} servers | command | min | median | max |\n|---|---|---:|---:|---:|");
    for backend in &backends {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("orchestrator.conf.json");
        // The server is gone with it.
        let (_sandbox, settings, keys) = prepare(backend, folder.path())?;
        std::fs::write(&config, keys.to_string())?;
        let named = fill(&settings, count).await?;
        for command in COMMANDS {
            let took = (0..runs.max(1)).map(|_| time(&config, command, &named)).collect::<Result<Vec<_>>>();
            tell(backend, command, took?)?;
        }
    }
    Ok(())
}

fn tell(backend: &str, command: &str, mut took: Vec<Duration>) -> Result<()> {
    took.sort();
    let (Some(min), Some(median), Some(max)) = (took.first(), took.get(took.len() / 2), took.last()) else {
        bail!("nothing was measured");
    };
    println!("| {backend} | {command} | {} | {} | {} |", readable(*min), readable(*median), readable(*max));
    Ok(())
}

/// A backend, how it is reached, and the configuration of a command for it.
fn prepare(backend: &str, folder: &Path) -> Result<(Option<Sandbox>, BackendSettings, serde_json::Value)> {
    match backend {
        "sqlite" => {
            let path = folder.join("orchestrator.db");
            let keys = json!({"BackendDB": "sqlite", "SQLite3DataFile": path, "HostnameResolveMethod": "none"});
            Ok((None, BackendSettings::Sqlite { path }, keys))
        }
        "mariadb" | "mysql" => {
            let sandbox = Sandbox::start(backend, 1)?;
            let (port, user, password) = (sandbox.source()?, "root", "root_password");
            let settings = MySqlSettings {
                host: "127.0.0.1".to_owned(),
                port,
                user: user.to_owned(),
                password: password.to_owned(),
                ..MySqlSettings::default()
            };
            let keys = json!({
                "MySQLOrchestratorHost": "127.0.0.1", "MySQLOrchestratorPort": port, "MySQLOrchestratorUser": user,
                "MySQLOrchestratorPassword": password, "MySQLOrchestratorDatabase": settings.database,
                "HostnameResolveMethod": "none",
            });
            Ok((Some(sandbox), BackendSettings::MySql(settings), keys))
        }
        other => bail!("unknown backend {other:?}: sqlite, mariadb or mysql"),
    }
}

/// Puts the fleet into the backend; gives a server's key.
async fn fill(settings: &BackendSettings, count: usize) -> Result<String> {
    let servers = trees::servers(count, (count / 50).max(1), Utc::now());
    let rows: Vec<Arc<Instance>> = servers.into_iter().map(Arc::new).collect();
    let named = rows.first().context("a fleet without servers")?.key.to_string();
    // Under our own version, so that no command has to deploy anything.
    let deployment = Deployment::of_version(orchestrator::settings::DEPLOYED_VERSION);
    let store = Store::open(settings, &deployment).await?;
    let written = store.write_instances(&rows).await?.written;
    ensure!(written == count, "{written} of {count} servers were written");
    store.close().await;
    Ok(named)
}

fn time(config: &Path, command: &str, named: &str) -> Result<Duration> {
    let began = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .arg("cli-command")
        .arg("-config")
        .arg(config)
        .args(["-c", command, "-i", named])
        .stdin(Stdio::null())
        .output()?;
    let took = began.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && stderr.is_empty(), "{command} failed: {stderr}");
    Ok(took)
}

/// `bench cli-command WORD...`: the program itself, in a process of its own.
pub async fn command() -> ExitCode {
    let around = cli::Surroundings { user: cli::caller::os_user(), hostname: orchestrator::node::hostname() };
    let ending = cli::run(std::env::args().skip(2).collect(), around).await;
    print!("{}", ending.stdout);
    eprint!("{}", ending.stderr);
    ExitCode::from(ending.code)
}
