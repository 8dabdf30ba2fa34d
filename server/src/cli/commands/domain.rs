//! Who writes for a cluster's domain (`spec/cli.md` 10.10, 10.15).

use std::time::Instant;

use chrono::Utc;

use super::read::one_cluster;
use crate::cli::bench::{Bench, Failure, Outcome};
use crate::consensus::Actor;
use crate::lookup;

/// Attributes of this host are of no host in particular.
const GENERAL: &str = "*";

/// `which-heuristic-domain-instance`: an empty line when nobody was registered
pub async fn which(bench: Bench) -> Outcome {
    let domain = domain_of(&bench, &one_cluster(&bench)?)?;
    let writer = bench.services.store.host_attribute(GENERAL, &domain).await.map_err(Failure::new)?;
    Ok(format!("{}\n", writer.unwrap_or_default()))
}

/// `set-heuristic-domain-instance`: the cluster's one writeable primary
pub async fn set(bench: Bench) -> Outcome {
    let cluster = bench.cluster_to_change()?;
    let domain = domain_of(&bench, &cluster)?;
    let snapshot = bench.snapshot();
    let members = lookup::of_cluster(&snapshot, &cluster);
    let tops = members.iter().filter(|i| (!i.is_replica() || i.is_co_source) && !i.read_only);
    let writers: Vec<_> = tops.map(|i| i.key.clone()).collect();
    let [writer] = writers.as_slice() else {
        let found = writers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let found = if found.is_empty() { "none".to_owned() } else { found };
        return Err(Failure::new(format!(
            "expected exactly one writeable primary of cluster {cluster}, found {found}"
        )));
    };
    let (store, actor) = (&bench.services.store, Actor { since: Some(Instant::now()), ..bench.actor() });
    store.set_host_attribute(GENERAL, &domain, &writer.to_string(), Utc::now()).await.map_err(Failure::new)?;
    let message = format!("writer of {domain}");
    bench.services.audit.record("set-heuristic-domain-instance", writer, &cluster, &actor, &message);
    Ok(format!("{writer}\n"))
}

fn domain_of(bench: &Bench, cluster: &str) -> Result<String, Failure> {
    match lookup::domain_of(&bench.snapshot(), cluster) {
        domain if domain.is_empty() => Err(Failure::new(format!("No domain name found for cluster {cluster}"))),
        domain => Ok(domain),
    }
}
