//! Commands about pools (`spec/cli.md` 10.9).

use crate::cli::bench::{Bench, Failure, Outcome, key_lines, lines};
use crate::consensus::Command;
use crate::{lookup, pools};

/// `submit-pool-instances`: without instances the pool is emptied
pub async fn submit(bench: Bench) -> Outcome {
    let pool = bench.arguments.pool.trim().to_owned();
    if pool.is_empty() {
        return Err(Failure::new("a pool must be named: expected -pool NAME"));
    }
    let members = pools::members_of(&bench.services, &bench.arguments.instance).await.map_err(Failure::new)?;
    super::change::submit(&bench, Command::SubmitPool { pool, members }).await?;
    Ok(String::new())
}

/// `cluster-pool-instances`: the members of all pools that are known, by cluster
pub async fn of_clusters(bench: Bench) -> Outcome {
    let snapshot = bench.snapshot();
    let members = bench.services.store.load_pools().await.map_err(Failure::new)?;
    let mut found: Vec<String> = members
        .iter()
        .filter_map(|member| {
            let cluster = &snapshot.get(&member.key)?.cluster_name;
            let alias = lookup::alias_of(&snapshot, &bench.config, cluster);
            Some(format!("{cluster}\t{alias}\t{}\t{}", member.pool, member.key))
        })
        .collect();
    found.sort();
    Ok(lines(found))
}

/// `which-heuristic-cluster-pool-instances`
pub async fn heuristic(bench: Bench) -> Outcome {
    let cluster = bench.cluster()?;
    let members = bench.services.store.load_pools().await.map_err(Failure::new)?;
    let pool = bench.arguments.pool.trim();
    Ok(key_lines(&lookup::pooled(&bench.snapshot(), &bench.config, &members, &cluster, pool)))
}
