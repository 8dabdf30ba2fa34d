//! Publication of primaries on demand (`spec/cli.md` 10.12).

use crate::cli::bench::{Bench, Failure, Outcome};

/// `submit-masters-to-kv-stores`: of the cluster that is named, else of all
pub async fn submit(bench: Bench) -> Outcome {
    let cluster = if bench.names_cluster() { Some(bench.cluster_to_change()?) } else { None };
    let written = bench.services.publisher.submit(cluster.as_deref(), &bench.actor()).await;
    let written = written.map_err(Failure::new)?;
    Ok(written.iter().map(|pair| format!("{}:{}\n", pair.key, pair.value)).collect())
}
