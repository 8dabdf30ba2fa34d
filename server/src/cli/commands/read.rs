//! Commands that read (`spec/cli.md` 10.7, 10.10 to 10.12).

use app::finding::AnalysisCode;
use app::topology::ascii::{TopologyStyle, draw_topology};
use app::topology::status::description;
use regex::Regex;

use super::stored;
use crate::cli::bench::{Bench, Failure, Outcome, key_lines, lines};
use crate::lookup::{self, Reach, TagExpression};
use crate::settings;

/// Downtime of servers that a recovery left behind.
const LOST_IN_RECOVERY: &str = "lost-in-recovery";

/// `find`
pub async fn find(bench: Bench) -> Outcome {
    let text = bench.arguments.pattern.as_str();
    if text.is_empty() {
        return Err(Failure::new("No pattern given: expected -pattern"));
    }
    let pattern = Regex::new(text).map_err(|error| Failure::new(format!("cannot parse -pattern {text:?}: {error}")))?;
    Ok(key_lines(&lookup::of_pattern(&bench.snapshot(), &pattern)))
}

/// `search`
pub async fn search(bench: Bench) -> Outcome {
    if bench.arguments.pattern.is_empty() {
        return Err(Failure::new("No pattern given: expected -pattern"));
    }
    Ok(key_lines(&lookup::search(&bench.snapshot(), &bench.arguments.pattern)))
}

/// `all-instances`
pub async fn all_instances(bench: Bench) -> Outcome {
    Ok(key_lines(&lookup::everything(&bench.snapshot())))
}

/// `clusters`: with none, one empty line
pub async fn clusters(bench: Bench) -> Outcome {
    Ok(format!("{}\n", lookup::cluster_names(&bench.snapshot()).join("\n")))
}

/// `clusters-alias`
pub async fn clusters_alias(bench: Bench) -> Outcome {
    let snapshot = bench.snapshot();
    let line = |name: String| {
        let alias = lookup::alias_of(&snapshot, &bench.config, &name);
        format!("{name}\t{alias}")
    };
    Ok(lines(lookup::cluster_names(&snapshot).into_iter().map(line)))
}

/// `all-clusters-masters`
pub async fn primaries(bench: Bench) -> Outcome {
    Ok(key_lines(&lookup::primaries(&bench.snapshot())))
}

/// `topology`
pub async fn topology(bench: Bench) -> Outcome {
    draw_now_or_then(&bench, TopologyStyle::Plain).await
}

/// `topology-tabulated`
pub async fn topology_tabulated(bench: Bench) -> Outcome {
    draw_now_or_then(&bench, TopologyStyle::Tabulated).await
}

/// `topology-tags`
pub async fn topology_tags(bench: Bench) -> Outcome {
    if !bench.arguments.pattern.is_empty() {
        return Err(Failure::new("topology-tags takes no -pattern: tags are not stored with a topology; see topology"));
    }
    draw(&bench, TopologyStyle::Tags)
}

async fn draw_now_or_then(bench: &Bench, style: TopologyStyle) -> Outcome {
    if bench.arguments.pattern.is_empty() { draw(bench, style) } else { stored::draw(bench).await }
}

fn draw(bench: &Bench, style: TopologyStyle) -> Outcome {
    let name = bench.cluster()?;
    let snapshot = bench.snapshot();
    let thresholds = settings::thresholds(&bench.config);
    let servers = lookup::of_cluster(&snapshot, &name);
    let shown = if name.is_empty() { Vec::new() } else { servers };
    Ok(format!("{}\n", draw_topology(&shown, &snapshot.annotations, style, &thresholds, snapshot.at)))
}

/// `which-instance`
pub async fn which_instance(bench: Bench) -> Outcome {
    Ok(format!("{}\n", bench.known().await?.key))
}

/// `which-cluster`: an empty line when none is given and this machine is in none
pub async fn which_cluster(bench: Bench) -> Outcome {
    Ok(format!("{}\n", bench.cluster()?))
}

/// `which-cluster-alias`
pub async fn which_cluster_alias(bench: Bench) -> Outcome {
    let name = one_cluster(&bench)?;
    Ok(format!("{}\n", lookup::alias_of(&bench.snapshot(), &bench.config, &name)))
}

/// `which-cluster-domain`
pub async fn which_cluster_domain(bench: Bench) -> Outcome {
    let name = one_cluster(&bench)?;
    Ok(format!("{}\n", lookup::domain_of(&bench.snapshot(), &name)))
}

/// `which-cluster-master`
pub async fn which_cluster_primary(bench: Bench) -> Outcome {
    let name = bench.cluster()?;
    match lookup::primary_of(&bench.snapshot(), &name) {
        Some(primary) if !name.is_empty() => Ok(format!("{}\n", primary.key)),
        _ => Err(Failure::new(format!("No master found for cluster {name:?}"))),
    }
}

/// `which-cluster-instances`
pub async fn which_cluster_instances(bench: Bench) -> Outcome {
    let name = bench.cluster()?;
    Ok(if name.is_empty() { String::new() } else { key_lines(&lookup::of_cluster(&bench.snapshot(), &name)) })
}

/// `which-cluster-osc-replicas`
pub async fn control_replicas(bench: Bench) -> Outcome {
    let name = bench.cluster()?;
    Ok(key_lines(&lookup::control_replicas(&bench.snapshot(), &bench.config, &name)))
}

/// `which-cluster-gh-ost-replicas`
pub async fn online_change_replicas(bench: Bench) -> Outcome {
    let name = bench.cluster()?;
    Ok(key_lines(&lookup::online_change_replicas(&bench.snapshot(), &bench.config, &name)))
}

/// `get-cluster-heuristic-lag`
pub async fn cluster_lag(bench: Bench) -> Outcome {
    let name = bench.cluster()?;
    let sample = lookup::control_replicas(&bench.snapshot(), &bench.config, &name);
    let lag = sample.iter().map(|i| i.lag.unwrap_or(0)).max();
    lag.map(|lag| format!("{lag}\n")).ok_or_else(|| Failure::new(format!("No instances found for cluster {name:?}")))
}

/// `which-master`
pub async fn which_source(bench: Bench) -> Outcome {
    let instance = bench.known().await?;
    let source = &instance.replication.source;
    Ok(if source.is_valid() { format!("{source}\n") } else { String::new() })
}

/// `which-replicas`: a source that nobody could look at has some all the same
pub async fn which_replicas(bench: Bench) -> Outcome {
    let key = bench.instance().await?;
    let snapshot = bench.snapshot();
    let replicas = lookup::direct_replicas(&snapshot, &key);
    if replicas.is_empty() && snapshot.get(&key).is_none() {
        return Err(bench.unknown(&key));
    }
    Ok(key_lines(&replicas))
}

/// `which-downtimed-instances`: without a cluster, those of all
pub async fn downtimed(bench: Bench) -> Outcome {
    let cluster = if bench.names_cluster() { bench.cluster()? } else { String::new() };
    let cluster = Some(cluster).filter(|name| !name.is_empty());
    Ok(key_lines(&lookup::downtimed(&bench.snapshot(), cluster.as_deref())))
}

/// `which-lost-in-recovery`
pub async fn lost_in_recovery(bench: Bench) -> Outcome {
    let snapshot = bench.snapshot();
    let mut servers = lookup::downtimed(&snapshot, None);
    servers.retain(|i| snapshot.annotations.downtime.get(&i.key).is_some_and(|d| d.reason == LOST_IN_RECOVERY));
    Ok(key_lines(&servers))
}

/// `instance-status`
pub async fn instance_status(bench: Bench) -> Outcome {
    let instance = bench.known().await?;
    let snapshot = bench.snapshot();
    let thresholds = settings::thresholds(&bench.config);
    Ok(format!("{}\n", description(&instance, &snapshot.annotations, &thresholds, snapshot.at)))
}

/// `can-replicate-from`
pub async fn can_replicate_from(bench: Bench) -> Outcome {
    let replica = bench.known().await?;
    let key = bench.destination(Reach::Contains).await?;
    let source = bench.services.fleet.get(&key).ok_or_else(|| bench.unknown(&key))?;
    let allowed = app::rules::can_replicate_from(&replica, &source, &settings::rules(&bench.config));
    Ok(if allowed.is_ok() { format!("{key}\n") } else { String::new() })
}

/// `is-replicating`
pub async fn is_replicating(bench: Bench) -> Outcome {
    let instance = bench.known().await?;
    Ok(if instance.replication.is_running() { format!("{}\n", instance.key) } else { String::new() })
}

/// `is-replication-stopped`
pub async fn is_replication_stopped(bench: Bench) -> Outcome {
    let instance = bench.known().await?;
    let stopped = instance.is_replica() && instance.replication.threads_stopped();
    Ok(if stopped { format!("{}\n", instance.key) } else { String::new() })
}

/// `which-gtid-errant`: asks the server
pub async fn errant_gtid(bench: Bench) -> Outcome {
    let key = bench.known().await?.key.clone();
    let seen = bench.services.discovery.probe_now(&key).await.map_err(Failure::new)?;
    Ok(format!("{}\n", seen.errant_gtid))
}

/// `tags`
pub async fn tags(bench: Bench) -> Outcome {
    let key = bench.known().await?.key.clone();
    let snapshot = bench.snapshot();
    let tags = snapshot.annotations.tags.get(&key);
    Ok(lines(tags.into_iter().flatten().map(|(name, value)| format!("{name}={value}"))))
}

/// `tag-value`: nothing when the tag is not set
pub async fn tag_value(bench: Bench) -> Outcome {
    let tag = TagExpression::parse(&bench.arguments.tag).map_err(Failure::new)?;
    let key = bench.known().await?.key.clone();
    let snapshot = bench.snapshot();
    let value = snapshot.annotations.tags.get(&key).and_then(|tags| tags.get(&tag.name));
    Ok(value.map(|value| format!("{value}\n")).unwrap_or_default())
}

/// `tagged`
pub async fn tagged(bench: Bench) -> Outcome {
    let found = lookup::tagged(&bench.snapshot(), &bench.arguments.tag).map_err(Failure::new)?;
    Ok(sorted(found))
}

/// `bulk-instances`
pub async fn bulk_instances(bench: Bench) -> Outcome {
    Ok(sorted(bench.services.fleet.keys()))
}

/// `bulk-promotion-rules`
pub async fn bulk_promotion_rules(bench: Bench) -> Outcome {
    let snapshot = bench.snapshot();
    let rules = snapshot.annotations.candidates.iter();
    Ok(sorted(rules.map(|(key, candidate)| format!("{key} {}", candidate.rule))))
}

/// `in-maintenance`
pub async fn in_maintenance(bench: Bench) -> Outcome {
    let key = bench.known().await?.key.clone();
    let snapshot = bench.snapshot();
    let held = snapshot.annotations.maintenance.get(&key).is_some_and(|entry| entry.end > snapshot.at);
    Ok(if held { format!("{key}\n") } else { String::new() })
}

/// `replication-analysis`: servers in downtime left out
pub async fn replication_analysis(bench: Bench) -> Outcome {
    let mut findings = bench.services.recovery.analyse_now();
    findings.retain(|f| !f.is_skippable() && (f.code != AnalysisCode::NoProblem || !f.structure.is_empty()));
    Ok(lines(findings.iter().map(|f| format!("{} (cluster {}): {}", f.key, f.cluster, f.text()))))
}

/// `check-global-recoveries`
pub async fn check_global_recoveries(bench: Bench) -> Outcome {
    Ok(format!("OK: Global recoveries disabled: {}\n", !bench.services.consensus.recoveries_enabled()))
}

/// `show-unresolve-hosts`
pub async fn unresolved_hosts(bench: Bench) -> Outcome {
    let snapshot = bench.snapshot();
    Ok(lines(snapshot.annotations.unresolved.iter().map(|(host, name)| format!("{host} {name}"))))
}

/// The one cluster meant; without a name, the only one there is.
///
/// # Errors
/// When there is no such cluster, or there are several and none is named.
pub fn one_cluster(bench: &Bench) -> Result<String, Failure> {
    let name = bench.cluster()?;
    if !name.is_empty() {
        return Ok(name);
    }
    match lookup::cluster_names(&bench.snapshot()).as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(Failure::new("Unable to determine cluster: name one with -alias or -i")),
    }
}

/// One line for each, sorted as texts.
fn sorted<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    texts.sort();
    lines(texts)
}
