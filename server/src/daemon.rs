//! The service: start, signals, stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use app::InstanceKey;
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::audit::Act;
use crate::config::{Config, LiveConfig, Loaded, Sources};
use crate::consensus::Actor;
use crate::node::Node;
use crate::registration;
use crate::serve::{self, Limits, Listener, Tls, TlsError, TlsFiles};
use crate::services::{self, Services};
use crate::settings;
use crate::store::Store;
use crate::tasks::Task;

/// Open requests and background loops get this long to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A step of a recovery that is under way gets this long: the most that a statement of one takes, and a little.
const STEP_PATIENCE: Duration = Duration::from_secs(30);

/// The files of certificate and key are looked at this often.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(2);

/// Runs the service until it is told to stop.
///
/// # Errors
/// What kept it from starting: configuration, backend or listener, each named.
pub async fn run(loaded: Loaded, sources: Sources, discovery: bool) -> anyhow::Result<()> {
    announce(&loaded)?;
    let tls = load_tls(&loaded.config).await?;
    let listen = loaded.config.effective_listen();
    let services = start(loaded, sources, discovery).await?;
    let listener = listen_on(&listen.address, &services.config.current(), tls.is_some()).await?;
    if let Some(tls) = &tls {
        let tls = Arc::clone(tls);
        services.tasks.spawn("certificates", move |task| follow_certificates(Arc::clone(&tls), task));
    }
    let router = crate::api::router(Arc::new(services.clone()));
    let limits = Limits::default();
    let limits = Limits { connections: serve::most_connections(limits.connections), ..limits };
    serve::serve(listener, router, tls, limits, services.tasks.stop_token()).await;
    stop_in_order(&services).await;
    Ok(())
}

/// Runs discovery and recovery without page and API until it is told to stop.
///
/// # Errors
/// What kept it from starting: configuration or backend, each named.
pub async fn run_without_http(loaded: Loaded, sources: Sources) -> anyhow::Result<()> {
    announce(&loaded)?;
    let services = start(loaded, sources, true).await?;
    services.tasks.stopped().await;
    stop_in_order(&services).await;
    Ok(())
}

/// Tells what was read, and refuses what a service cannot run with.
fn announce(loaded: &Loaded) -> anyhow::Result<()> {
    for line in loaded.summary() {
        tracing::info!("{line}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config.check_service()?)
}

/// Opens the backend and starts the background loops.
async fn start(loaded: Loaded, sources: Sources, discovery: bool) -> anyhow::Result<Services> {
    let config = Arc::new(LiveConfig::new(loaded.config, sources));
    let backend = settings::backend(&config.current());
    let store = Store::open(&backend, &settings::deployment(&config.current()))
        .await
        .with_context(|| format!("cannot open the backend database {backend}"))?;
    let hostname = crate::node::hostname();
    let assembled = services::assemble(config, store, Node::new(hostname)).await.context("cannot read the backend")?;
    let services = if discovery {
        assembled.run()
    } else {
        let services = assembled.write_behind();
        registration::start(&services);
        services
    };
    start_signals(&services)?;
    crate::auth::start_upkeep(&services);
    crate::telemetry::start(&services);
    Ok(services)
}

/// The certificate and key of the listener, `None` without TLS. A key that is encrypted has its password asked for here, before
/// anything else has begun.
async fn load_tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let tls = &config.tls;
    // A socket of this machine speaks no TLS (`spec/cli.md` 7).
    if !tls.use_ssl || !config.general.listen_socket.is_empty() {
        return Ok(None);
    }
    let files = TlsFiles {
        certificate: PathBuf::from(&tls.ssl_cert_file),
        key: PathBuf::from(&tls.ssl_private_key_file),
        client_authorities: tls.use_mutual_tls.then(|| PathBuf::from(&tls.ssl_ca_file)),
    };
    let loaded = tokio::task::spawn_blocking(move || {
        let key = files.key.display().to_string();
        let password = serve::ask_for_password(&files.key).map_err(|why| TlsError::Key { file: key, why })?;
        Tls::load(files, password)
    });
    Ok(Some(Arc::new(loaded.await??)))
}

/// Opens the listener, with the words that operators of the original wait for in the log.
async fn listen_on(address: &str, config: &Config, is_tls: bool) -> anyhow::Result<Listener> {
    let path = &config.general.listen_socket;
    if !path.is_empty() {
        let listener =
            Listener::at_path(Path::new(path)).with_context(|| format!("ListenSocket: cannot listen at {path}"))?;
        tracing::info!("Starting HTTP listener on unix socket {path}");
        return Ok(listener);
    }
    let listener =
        TcpListener::bind(socket_text(address)).await.with_context(|| format!("cannot listen on {address}"))?;
    let protocol = if is_tls { "HTTPS" } else { "HTTP" };
    tracing::info!("Starting {protocol} listener on {}", listener.local_addr()?);
    Ok(Listener::Tcp(listener))
}

/// Reads certificate and key again when their files change; what cannot be used is told and leaves the old ones in force.
async fn follow_certificates(tls: Arc<Tls>, task: Task) {
    while task.sleep(CERTIFICATES_EVERY).await {
        let tls = Arc::clone(&tls);
        match tokio::task::spawn_blocking(move || tls.refresh()).await {
            Ok(Ok(true)) => {
                tracing::info!("certificate and key of the listener were read again");
                task.idle(Ok(()));
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the certificate stays as it was");
                task.idle(Err(error.to_string()));
            }
            Err(error) => task.idle(Err(error.to_string())),
        }
    }
}

/// Background loops end, and the backend gets what waits for it.
async fn stop_in_order(services: &Services) {
    if !services.tasks.wait_at_most(STOP_PATIENCE).await {
        tracing::warn!("some background loops did not end in time");
    }
    services.audit.flush().await;
    services.store.close().await;
    tracing::info!("stopped");
}

/// The signals that mean something to a service.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// SIGHUP reads the configuration again; SIGTERM and SIGINT stop the service. They are listened for from here on: one that came
/// before the background loop runs is not lost, and does not end the process.
fn start_signals(services: &Services) -> anyhow::Result<()> {
    let signals = Arc::new(tokio::sync::Mutex::new(Signals::listen().context("cannot listen for signals")?));
    let this = services.clone();
    services.tasks.spawn("signals", move |task| follow_signals(this.clone(), Arc::clone(&signals), task));
    Ok(())
}

async fn follow_signals(services: Services, signals: Arc<tokio::sync::Mutex<Signals>>, task: Task) {
    let mut signals = signals.lock().await;
    let Signals { hangup, terminate, interrupt } = &mut *signals;
    loop {
        tokio::select! {
            () = task.stopped() => return,
            _ = hangup.recv() => {
                let result = reload(&services, None, &Actor::system()).await;
                task.idle(result.map(drop).map_err(|error| error.to_string()));
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("told to stop");
    // The service still answers, and writes down what becomes of it.
    if !services.gate.close(STEP_PATIENCE).await {
        tracing::warn!("a step on a server did not end in time; who takes its recovery up looks at the server first");
    }
    services.audit.record("shutdown", &InstanceKey::default(), "", &Actor::system(), "told to stop");
    services.tasks.stop();
}

/// Reads the configuration again and hands it to the rooms that keep settings of their own. The old one stays when the
/// new one has errors.
///
/// # Errors
/// What is wrong with the new configuration.
pub async fn reload(services: &Services, extra: Option<&Path>, actor: &Actor) -> anyhow::Result<()> {
    let began = Instant::now();
    let (live, extra) = (Arc::clone(&services.config), extra.map(Path::to_path_buf));
    let report = match tokio::task::spawn_blocking(move || live.reload(Utc::now(), extra.as_deref())).await? {
        Ok(report) => report,
        Err(error) => {
            let message = format!("the configuration stays as it was: {error}");
            services.audit.log(Act::new("reload-configuration", actor, message).ended_well(false).since(began));
            return Err(error.into());
        }
    };
    let config = services.config.current();
    services.connector.update(settings::connect(&config));
    services.probe.update(settings::probe(&config));
    services.discovery.update(settings::discovery(&config));
    services.fleet.set_rules(settings::attribution(&config));
    for name in report.needs_restart() {
        tracing::warn!("{name} changed; it takes effect at the next start");
    }
    let message = format!("{} variables changed", report.changed.len());
    services.audit.log(Act::new("reload-configuration", actor, message).since(began));
    Ok(())
}

/// `:port` means all addresses, as the original has it.
fn socket_text(address: &str) -> String {
    if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_means_all_addresses() {
        assert_eq!(socket_text(":3000"), "0.0.0.0:3000");
        assert_eq!(socket_text("127.0.0.1:3000"), "127.0.0.1:3000");
    }
}
