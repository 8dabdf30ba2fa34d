//! Trees as they once were: what `snapshot-topologies` stored, chosen by `-pattern` (`spec/cli.md` 10.11).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::InstanceKey;
use app::topology::Instance;
use app::topology::ascii::draw_keys;
use regex::Regex;

use crate::cli::bench::{Bench, Failure, Outcome};
use crate::settings;
use crate::store::SnapshotServer;

/// The newest stored topology whose Unix time matches `-pattern`: keys and who was below whom, which is all that is stored.
pub async fn draw(bench: &Bench) -> Outcome {
    let text = bench.arguments.pattern.as_str();
    let pattern = Regex::new(text).map_err(|error| Failure::new(format!("cannot parse -pattern {text:?}: {error}")))?;
    let store = &bench.services.store;
    let pictures = store.topology_snapshots(0, u32::MAX).await.map_err(Failure::new)?;
    let times: Vec<_> = pictures.iter().map(|picture| picture.at).collect();
    let Some(time) = times.iter().find(|time| pattern.is_match(&time.timestamp().to_string())) else {
        let known = times.first().map(|time| format!("the newest of {} is {}", times.len(), time.timestamp()));
        let known = known.unwrap_or_else(|| "none is stored, see snapshot-topologies".to_owned());
        return Err(Failure::new(format!(
            "no stored topology has a Unix time that matches -pattern {text:?}: {known}"
        )));
    };
    let mut stored = store.topology_snapshot(*time).await.map_err(Failure::new)?;
    // Databases sort texts in ways of their own.
    stored.sort_by(|a, b| a.key.cmp(&b.key));
    let cluster = cluster_then(bench, &stored)?;
    let servers = servers(stored.into_iter().filter(|server| server.cluster == cluster));
    let thresholds = settings::thresholds(&bench.config);
    Ok(format!("{}\n", draw_keys(&servers, &thresholds, bench.snapshot().at)))
}

/// The cluster's name at that time: as given, else that of the server given, else the name it has now.
fn cluster_then(bench: &Bench, stored: &[SnapshotServer]) -> Result<String, Failure> {
    let alias = bench.arguments.alias.trim();
    if stored.iter().any(|server| server.cluster == alias) {
        return Ok(alias.to_owned());
    }
    let name = bench.cluster()?;
    if stored.iter().any(|server| server.cluster == name) {
        return Ok(name);
    }
    // It was called after another primary then.
    let snapshot = bench.snapshot();
    let is_member = |key: &InstanceKey| snapshot.get(key).is_some_and(|member| member.cluster_name == name);
    let then = stored.iter().find(|server| is_member(&server.key)).map(|server| server.cluster.clone());
    then.ok_or_else(|| Failure::new(format!("cluster {name:?} is not in that stored topology")))
}

fn servers(stored: impl Iterator<Item = SnapshotServer>) -> Vec<Arc<Instance>> {
    let stored: Vec<SnapshotServer> = stored.collect();
    let sources: BTreeMap<&InstanceKey, &InstanceKey> = stored.iter().map(|s| (&s.key, &s.source)).collect();
    let is_ring = |s: &SnapshotServer| s.source.is_valid() && sources.get(&s.source).is_some_and(|key| **key == s.key);
    stored
        .iter()
        .map(|s| {
            let mut server = Instance { key: s.key.clone(), cluster_name: s.cluster.clone(), ..Instance::default() };
            server.replication.source = s.source.clone();
            server.is_co_source = is_ring(s);
            Arc::new(server)
        })
        .collect()
}
