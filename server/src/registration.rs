//! Showing this process among those that share the backend (`spec/ha.md` 3.2). What a process holds there is void when it
//! has not shown itself for a while.

use crate::config::Config;
use crate::node::{BEAT, Node};
use crate::services::Services;
use crate::store::{NodeReport, Store};

/// How this process came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The service.
    Service,
    /// A command of the command line, by name.
    Command(String),
}

/// What this process tells of itself.
pub fn report(node: &Node, config: &Config, mode: Mode) -> NodeReport {
    let (mode, command) = match mode {
        Mode::Service => ("HttpMode", String::new()),
        Mode::Command(name) => ("CLIMode", name),
    };
    NodeReport {
        node: node.identity(),
        mode: mode.to_owned(),
        command,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: crate::settings::backend(config).to_string(),
    }
}

/// Shows a service that does not recover anything; one that does shows itself while it looks after recoveries.
pub fn start(services: &Services) {
    let (store, node) = (services.store.clone(), std::sync::Arc::clone(&services.node));
    let config = services.config.current();
    services.tasks.spawn("registration", move |task| {
        let (store, report) = (store.clone(), report(&node, &config, Mode::Service));
        async move {
            loop {
                let taken = store.beat(&report).await;
                task.idle(taken.map(drop).map_err(|error| error.to_string()));
                if !task.sleep(BEAT).await {
                    return;
                }
            }
        }
    });
}

/// Shows a command until dropped.
pub async fn show(store: Store, report: NodeReport) {
    let mut told = false;
    loop {
        if let Err(error) = store.beat(&report).await
            && !std::mem::replace(&mut told, true)
        {
            tracing::warn!(%error, "this command is not registered in the backend");
        }
        tokio::time::sleep(BEAT).await;
    }
}
