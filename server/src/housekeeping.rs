//! What has to be done from time to time: expiry, aliases, domains, retention (`spec/recovery.md` 8).

use std::collections::BTreeMap;
use std::time::Duration;

use app::InstanceKey;
use app::topology::Snapshot;
use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Config;
use crate::consensus::{Actor, Command};
use crate::services::Services;
use crate::store::{PurgePolicy, Store, StoreError};
use crate::tasks::Task;

/// Names and expiry are looked after this often: a cluster that was just found wants its alias at once.
const UPKEEP: Duration = Duration::from_secs(1);

/// Retention is looked after this often.
const CARETAKING: Duration = Duration::from_secs(60);

/// Starts the loops.
pub fn start(services: &Services) {
    let every_poll = services.clone();
    services.tasks.spawn("upkeep", move |task| upkeep(every_poll.clone(), task));
    let every_minute = services.clone();
    services.tasks.spawn("caretaking", move |task| caretaking(every_minute.clone(), task));
}

/// Once a second: what servers say of their cluster becomes its name, and what is over ends.
async fn upkeep(services: Services, task: Task) {
    while task.sleep(UPKEEP).await {
        task.busy();
        let snapshot = services.fleet.snapshot();
        let mut commands = alias_claims(&snapshot);
        commands.extend(expired(&services, &snapshot, Utc::now()));
        let mut result = Ok(());
        for command in commands {
            if let Err(error) = services.consensus.submit(command, &Actor::system()).await {
                result = Err(error.to_string());
            }
        }
        let config = services.config.current();
        let (detections, recoveries) = (delta(config.detection.block_period()), delta(config.recovery.block_period()));
        let expired = services.store.expire_periods(detections, recoveries, Utc::now()).await;
        let adopted = services.adoption.adopt(&services).await;
        task.idle(result.and(expired.and(adopted).map_err(|error| error.to_string())));
    }
}

/// Once a minute: the backend's retention, and servers nobody has seen for long.
async fn caretaking(services: Services, task: Task) {
    let mut names_recorded = services.node.started;
    let mut pictured = None;
    while task.sleep(CARETAKING).await {
        task.busy();
        let config = services.config.current();
        let now = Utc::now();
        let recorded = crate::names::record(services.discovery.resolver(), &services.store, names_recorded).await;
        if recorded.is_ok() {
            names_recorded = now;
        }
        let purged = tidy(&services.store, &purge_policy(&config), now).await;
        let forget_after = TimeDelta::from_std(config.discovery.forget_unseen_after()).unwrap_or(TimeDelta::MAX);
        let snapshot = services.fleet.snapshot();
        let mut over = long_unseen(&snapshot, now, forget_after);
        let resolver = services.discovery.resolver();
        over.extend(crate::names::known_by_another_name(&snapshot, |host| resolver.remembered(host)));
        for key in over {
            let command = Command::Forget { key, barred_until: now };
            if let Err(error) = services.consensus.submit(command, &Actor::system()).await {
                tracing::warn!(%error, "a server of the past could not be forgotten");
            }
        }
        let pictures = take_picture(&services.store, &config, &mut pictured, now).await;
        task.idle(recorded.and(purged).and(pictures).map_err(|error| error.to_string()));
    }
}

/// Stores a picture of all topologies when the last one, whoever took it, is `SnapshotTopologiesIntervalHours` old.
/// `taken` remembers the last one known, so that the backend is asked when one may be due only.
async fn take_picture(
    store: &Store,
    config: &Config,
    taken: &mut Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let hours = config.discovery.snapshot_topologies_interval_hours;
    let interval = i64::try_from(hours).ok().filter(|hours| *hours > 0).and_then(TimeDelta::try_hours);
    let Some(interval) = interval else { return Ok(()) };
    let is_due = |last: Option<DateTime<Utc>>| last.is_none_or(|last| now.signed_duration_since(last) >= interval);
    if !is_due(*taken) {
        return Ok(());
    }
    *taken = store.last_topology_snapshot().await?;
    if is_due(*taken) {
        store.snapshot_topologies(now).await?;
        *taken = Some(now);
    }
    Ok(())
}

/// Throws away what is old. The names of clusters that have servers are in use, so they are not.
async fn tidy(store: &Store, policy: &PurgePolicy, now: DateTime<Utc>) -> Result<(), StoreError> {
    store.keep_cluster_aliases(now).await?;
    store.purge_nodes().await?;
    store.purge(policy, now).await.map(drop)
}

/// Aliases that clusters claim and do not have yet. Every cluster has one: its name, if nothing better is suggested.
/// Claims are made in this order, and the last one wins: invalid before valid, read-only before writeable, fewer
/// replicas before more (`spec/discovery.md` 29).
fn alias_claims(snapshot: &Snapshot) -> Vec<Command> {
    let mut claimants: Vec<_> = snapshot
        .instances
        .values()
        .filter(|i| !i.suggested_cluster_alias.is_empty())
        .filter(|i| {
            let lost = snapshot.annotations.active_downtime(&i.key, snapshot.at);
            lost.is_none_or(|d| d.reason != "lost-in-recovery")
        })
        .map(|i| ((i.check.is_valid(), !i.read_only, i.replicas.len()), i))
        .collect();
    claimants.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.key.cmp(&y.key)));
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, instance) in &claimants {
        wanted.retain(|_, alias| *alias != instance.suggested_cluster_alias);
        wanted.insert(&instance.cluster_name, &instance.suggested_cluster_alias);
    }
    for instance in snapshot.instances.values() {
        if !wanted.contains_key(instance.cluster_name.as_str())
            && !snapshot.annotations.cluster_aliases.contains_key(&instance.cluster_name)
        {
            wanted.insert(&instance.cluster_name, &instance.cluster_name);
        }
    }
    wanted
        .into_iter()
        .filter(|(cluster, alias)| {
            let overridden = snapshot.annotations.cluster_alias_overrides.contains_key(*cluster);
            let has = snapshot.annotations.cluster_aliases.get(*cluster).map(String::as_str) == Some(alias);
            !cluster.is_empty() && !overridden && !has
        })
        .map(|(cluster, alias)| Command::SuggestClusterAlias { cluster: cluster.to_owned(), alias: alias.to_owned() })
        .collect()
}

/// Downtimes and promotion rules that are over.
fn expired(services: &Services, snapshot: &Snapshot, now: DateTime<Utc>) -> Vec<Command> {
    let over = snapshot.annotations.downtime.iter().filter(|(_, d)| !d.is_active(now));
    let mut commands: Vec<Command> = over.map(|(key, _)| Command::EndDowntime { key: key.clone() }).collect();
    let minutes = services.config.current().candidates.candidate_instance_expire_minutes;
    let life = TimeDelta::minutes(i64::try_from(minutes).unwrap_or(i64::MAX / 60_000));
    let stale = snapshot.annotations.candidates.iter().filter(|(_, c)| c.last_suggested + life < now);
    commands.extend(stale.map(|(key, _)| Command::ExpireCandidate { key: key.clone() }));
    commands
}

fn long_unseen(snapshot: &Snapshot, now: DateTime<Utc>, forget_after: TimeDelta) -> Vec<InstanceKey> {
    let unseen = |i: &app::topology::Instance| {
        i.check.last_seen.or(i.check.last_checked).is_some_and(|seen| now.signed_duration_since(seen) > forget_after)
    };
    snapshot.instances.values().filter(|i| unseen(i)).map(|i| i.key.clone()).collect()
}

/// How long the backend keeps things.
fn purge_policy(config: &Config) -> PurgePolicy {
    let minutes = |n: u64| TimeDelta::try_minutes(i64::try_from(n).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX);
    PurgePolicy {
        unseen_forget: delta(config.discovery.forget_unseen_after()),
        resolves_expiry: delta(config.resolve.cache_time()),
        candidate_expiry: minutes(config.candidates.candidate_instance_expire_minutes),
        pool_expiry: minutes(config.candidates.instance_pool_expiry_minutes),
        token_expiry: minutes(config.auth.token_expiry_minutes),
        audit_keep: minutes(config.audit.purge_days.saturating_mul(24 * 60)),
        reasonable_lag: TimeDelta::seconds(config.candidates.reasonable_lag_seconds),
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_picture_is_stored_when_the_last_one_is_old_enough() {
        let store = Store::in_memory().await.expect("a store");
        let server = app::topology::Instance::unseen(InstanceKey::new("db1", 3306));
        store.write_instances(&[std::sync::Arc::new(server)]).await.expect("written");
        let hourly = Config::from_json(r#"{"SnapshotTopologiesIntervalHours": 1}"#).expect("a configuration");
        let never = Config::from_json("{}").expect("a configuration");
        let start = DateTime::from_timestamp(1_900_000_000, 0).expect("a time");
        let mut taken = None;
        for (minutes, config, expected) in
            [(0, &never, 0), (0, &hourly, 1), (59, &hourly, 1), (60, &hourly, 2), (90, &hourly, 2), (120, &never, 2)]
        {
            let now = start + TimeDelta::minutes(minutes);
            take_picture(&store, config, &mut taken, now).await.expect("taken or not");
            let stored = store.topology_snapshots(0, 20).await.expect("a list");
            assert_eq!(stored.len(), expected, "after {minutes} minutes");
        }
        // A restart remembers through the backend.
        take_picture(&store, &hourly, &mut None, start + TimeDelta::minutes(100)).await.expect("not taken");
        assert_eq!(store.topology_snapshots(0, 20).await.expect("a list").len(), 2);
    }
}
