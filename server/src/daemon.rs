//! The service: start, signals, stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use app::InstanceKey;
use chrono::Utc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{LiveConfig, Loaded, Sources};
use crate::consensus::Actor;
use crate::node::Node;
use crate::registration;
use crate::services::{self, Services};
use crate::settings;
use crate::store::Store;
use crate::tasks::Task;

/// Open requests and background loops get this long to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the service until it is told to stop.
///
/// # Errors
/// What kept it from starting: configuration, backend or listener, each named.
pub async fn run(loaded: Loaded, sources: Sources, discovery: bool) -> anyhow::Result<()> {
    for line in loaded.summary() {
        tracing::info!("{line}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    loaded.config.check_service()?;
    let listen = loaded.config.effective_listen();
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
    start_signals(&services);
    crate::auth::start_upkeep(&services);
    crate::telemetry::start(&services);
    let listener = TcpListener::bind(socket_text(&listen.address))
        .await
        .with_context(|| format!("cannot listen on {}", listen.address))?;
    // The words that operators of the original wait for in the log.
    tracing::info!("Starting HTTP listener on {}", listener.local_addr()?);
    let router = crate::api::router(Arc::new(services.clone()));
    let stopped = services.tasks.stopped();
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopped)
        .await
        .context("the listener failed")?;
    let ended = tokio::time::timeout(STOP_PATIENCE, services.tasks.wait()).await;
    if ended.is_err() {
        tracing::warn!("some background loops did not end in time");
    }
    services.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// SIGHUP reads the configuration again; SIGTERM and SIGINT stop the service.
fn start_signals(services: &Services) {
    let this = services.clone();
    services.tasks.spawn("signals", move |task| follow_signals(this.clone(), task));
}

async fn follow_signals(services: Services, task: Task) {
    let (Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::hangup()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals");
        return;
    };
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
    services.audit.record("shutdown", &InstanceKey::default(), "", &Actor::system(), "told to stop");
    services.tasks.stop();
}

/// Reads the configuration again and hands it to the rooms that keep settings of their own. The old one stays when the
/// new one has errors.
///
/// # Errors
/// What is wrong with the new configuration.
pub async fn reload(services: &Services, extra: Option<&Path>, actor: &Actor) -> anyhow::Result<()> {
    let (live, extra) = (Arc::clone(&services.config), extra.map(Path::to_path_buf));
    let report = tokio::task::spawn_blocking(move || live.reload(Utc::now(), extra.as_deref())).await??;
    let config = services.config.current();
    services.connector.update(settings::connect(&config));
    services.probe.update(settings::probe(&config));
    services.discovery.update(settings::discovery(&config));
    services.fleet.set_rules(settings::attribution(&config));
    for name in report.needs_restart() {
        tracing::warn!("{name} changed; it takes effect at the next start");
    }
    let message = format!("{} variables changed", report.changed.len());
    services.audit.record("reload-configuration", &InstanceKey::default(), "", actor, &message);
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
