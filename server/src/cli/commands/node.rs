//! Commands about the node, its backend and its configuration (`spec/cli.md` 10.16).

use std::time::{Duration, Instant};

use app::InstanceKey;
use tokio::net::TcpStream;

use crate::auth::make_token;
use crate::cli::bench::{Bench, Failure, Outcome, lines};
use crate::config::AuthMethod;
use crate::consensus::Actor;
use crate::discovery::{Dns as _, SystemDns};

/// `resolve` waits this long for the server to take a connection.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// `redeploy-internal-db`
pub async fn redeploy(bench: Bench) -> Outcome {
    bench.services.store.redeploy().await.map_err(Failure::new)?;
    Ok("Redeployed internal db\n".to_owned())
}

/// `snapshot-topologies`
pub async fn snapshot_topologies(bench: Bench) -> Outcome {
    let actor = Actor { since: Some(Instant::now()), ..bench.actor() };
    let servers = bench.services.store.snapshot_topologies(chrono::Utc::now()).await.map_err(Failure::new)?;
    let message = format!("Topology snapshot of {servers} instances taken");
    bench.services.audit.record("snapshot-topologies", &InstanceKey::default(), "", &actor, &message);
    Ok(String::new())
}

/// `access-token`: prints the half that may be shown
pub async fn access_token(bench: Bench) -> Outcome {
    let actor = Actor { since: Some(Instant::now()), ..bench.actor() };
    let (auth, owner) = (&bench.config.auth, bench.owner());
    if auth.method() != Ok(AuthMethod::Token) {
        let method = &auth.authentication_method;
        tracing::warn!("AuthenticationMethod is {method:?}: services with this configuration take no access tokens");
    }
    let public = make_token(&bench.services.store, owner, chrono::Utc::now()).await.map_err(Failure::new)?;
    let message = format!("access token made for {owner}");
    bench.services.audit.record("access-token", &InstanceKey::default(), "", &actor, &message);
    Ok(format!("{public}\n"))
}

/// `show-resolve-hosts`
pub async fn resolved_hosts(bench: Bench) -> Outcome {
    let names = bench.services.store.load_resolved_names().await.map_err(Failure::new)?;
    Ok(lines(names.into_iter().map(|name| format!("{} {}", name.hostname, name.resolved))))
}

/// `resolve`: connects to the server, then asks for the canonical name of its host
pub async fn resolve(bench: Bench) -> Outcome {
    let key = bench.raw()?;
    match tokio::time::timeout(KNOCK_TIMEOUT, TcpStream::connect((key.hostname.as_str(), key.port))).await {
        Ok(Ok(_open)) => {}
        Ok(Err(error)) => return Err(Failure::new(format!("cannot connect to {key}: {error}"))),
        Err(_) => {
            let waited = KNOCK_TIMEOUT.as_secs();
            return Err(Failure::new(format!("cannot connect to {key}: no answer within {waited} s")));
        }
    }
    let name = SystemDns::new().canonical(&key.hostname).await.map_err(Failure::new)?;
    Ok(format!("{}:{}\n", name.trim_end_matches('.'), key.port))
}

/// `reset-hostname-resolve-cache`
pub async fn reset_resolve_cache(bench: Bench) -> Outcome {
    bench.services.discovery.resolver().reset();
    bench.services.store.delete_resolved_names().await.map_err(Failure::new)?;
    Ok("hostname resolve cache cleared\n".to_owned())
}

/// `active-nodes`: `host:token` of every other service and command that shows itself, as the help of the original has it
pub async fn active_nodes(bench: Bench) -> Outcome {
    let this = bench.services.node.identity();
    let found = bench.services.store.processes().await.map_err(Failure::new)?;
    let others = found.into_iter().map(|process| process.node).filter(|node| *node != this);
    Ok(lines(others.map(|node| format!("{}:{}", node.hostname, node.token))))
}

/// `custom-command`: there is no agent that could run it
pub async fn custom_command(bench: Bench) -> Outcome {
    let host = bench.arguments.hostname.trim();
    if host.is_empty() {
        return Err(Failure::new("custom-command needs a host: expected -hostname NAME"));
    }
    Err(Failure::new(format!("no agent is registered for {host}: this program works without agents on database hosts")))
}
