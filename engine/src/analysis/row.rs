//! One server with its replicas and the facts about them (`spec/recovery.md` 1.1, 1.4).

use std::sync::Arc;

use app::InstanceKey;
use app::finding::Facts;
use app::topology::status::is_check_valid;
use app::topology::{Annotations, Instance, Replication, Snapshot};
use chrono::{DateTime, Utc};

use super::AnalysisSettings;
use super::testimony::Testimony;

/// A replica by one of its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'a> {
    pub(super) replica: &'a Arc<Instance>,
    pub(super) channel: &'a Replication,
    /// The channel that shapes the tree. Others are evidence about the source but no replicas to care for.
    pub(super) managed: bool,
}

/// Every server with the channels that point at it.
pub(super) struct Groups<'a> {
    snapshot: &'a Snapshot,
    /// Sorted by source.
    links: Vec<(&'a InstanceKey, Link<'a>)>,
}

/// Groups all channels by source: one sort, then one walk along both sorted lists.
pub(super) fn group_by_source(snapshot: &Snapshot) -> Groups<'_> {
    let mut links = Vec::with_capacity(snapshot.instances.len());
    links.extend(snapshot.instances.values().flat_map(links_of));
    // Stable, so that replicas stay in key order.
    links.sort_by_key(|(source, _)| *source);
    Groups { snapshot, links }
}

/// The channels of a replica by their sources, the managed one first.
pub(super) fn links_of(replica: &Arc<Instance>) -> impl Iterator<Item = (&InstanceKey, Link<'_>)> {
    let channel = &replica.replication;
    let managed = Some((&channel.source, Link { replica, channel, managed: true }));
    let others = replica.channels.iter().filter(|c| c.channel != replica.replication.channel);
    let others = others.map(move |channel| (&channel.source, Link { replica, channel, managed: false }));
    let managed = managed.filter(|(source, _)| **source != replica.key);
    managed.into_iter().chain(others).filter(|(source, _)| source.is_valid())
}

impl<'a> Groups<'a> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a Arc<Instance>, impl Iterator<Item = Link<'a>> + Clone)> {
        let mut rest = self.links.as_slice();
        self.snapshot.instances.values().map(move |instance| {
            // Sources that nobody knows are passed over.
            let before = rest.iter().take_while(|(source, _)| **source < instance.key).count();
            let (_, from) = rest.split_at_checked(before).unwrap_or_default();
            let count = from.iter().take_while(|(source, _)| **source == instance.key).count();
            let (own, after) = from.split_at_checked(count).unwrap_or_default();
            rest = after;
            (instance, own.iter().map(|(_, link)| *link))
        })
    }
}

/// A replica and what it tells.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    pub(super) link: Link<'a>,
    pub(super) testimony: Testimony,
}

/// One analysed server.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) instance: &'a Instance,
    pub(super) facts: Facts,
    /// Its replicas and what they tell, in key order.
    pub(super) witnesses: Vec<Witness<'a>>,
    /// At least one of them stands against calling the source dead.
    pub(super) is_vouched_for: bool,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        instance: &'a Instance,
        links: impl Iterator<Item = Link<'a>>,
        annotations: &Annotations,
        settings: &AnalysisSettings,
        now: DateTime<Utc>,
    ) -> Self {
        let thresholds = &settings.thresholds;
        let valid = |i: &Instance| is_check_valid(&i.check, thresholds, now);
        let source_valid = valid(instance);
        let witnesses: Vec<Witness> = links
            .map(|link| {
                let replica = link.replica;
                let testimony = Testimony::of(replica, valid(replica), link.channel, instance, source_valid);
                Witness { link, testimony }
            })
            .collect();
        let mut facts = own_facts(instance, source_valid);
        let downtimed = |key: &InstanceKey| annotations.active_downtime(key, now).is_some();
        for witness in witnesses.iter().filter(|w| w.link.managed) {
            let is_downtimed = downtimed(&witness.link.replica.key);
            count_replica(&mut facts, witness, is_downtimed, thresholds.reasonable_replication_lag_seconds);
        }
        topology_facts(&mut facts, &witnesses, instance);
        let is_vouched_for = witnesses.iter().any(|w| w.testimony.speaks_for_source());
        Self { instance, facts, witnesses, is_vouched_for }
    }

    /// Number of replicas.
    pub(super) fn replicas(&self) -> u32 {
        u32::try_from(self.facts.replicas.len()).unwrap_or(u32::MAX)
    }

    /// A healthy server without replicas (`spec/recovery.md` 1.8).
    pub(super) fn is_uninteresting(&self) -> bool {
        let facts = &self.facts;
        facts.last_check_valid && facts.replicas.is_empty() && !facts.fails_to_connect
    }
}

/// What is known of the server by itself.
fn own_facts(instance: &Instance, valid: bool) -> Facts {
    let semi_sync = &instance.semi_sync;
    Facts {
        is_source: instance.is_primary_role(),
        is_group_member: instance.is_group_member(),
        is_co_source: instance.is_co_source,
        last_check_valid: valid,
        // Of a probe that hangs nothing was read yet.
        last_check_partial: instance.check.partial_success && !instance.check.is_valid(),
        fails_to_connect: instance.is_replica() && instance.replication.fails_to_connect(),
        is_binlog_server: instance.is_binlog_server(),
        pseudo_gtid_topology: instance.uses_pseudo_gtid,
        semi_sync_enabled: semi_sync.source_enabled,
        semi_sync_active: semi_sync.source_active,
        semi_sync_wait_for: semi_sync.source_wait_for,
        semi_sync_clients: semi_sync.source_clients,
        gtid_mode: instance.gtid_mode.clone(),
        read_only: instance.read_only,
        depth: instance.depth,
        binlog: instance.binlog.clone(),
        data_center: instance.data_center.clone(),
        region: instance.region.clone(),
        environment: instance.environment.clone(),
        ..Facts::default()
    }
}

fn count_replica(facts: &mut Facts, witness: &Witness, downtimed: bool, reasonable_lag: i64) {
    let (replica, channel) = (witness.link.replica, witness.link.channel);
    facts.replicas.push(replica.key.clone());
    let valid = witness.testimony != Testimony::Unreadable;
    let counts = [
        (&mut facts.valid_replicas, valid),
        (&mut facts.valid_replicating, valid && channel.is_running()),
        (&mut facts.valid_receiving, witness.testimony == Testimony::Receiving),
        (&mut facts.failing_to_connect, valid && channel.fails_to_connect()),
        (&mut facts.lagging, replica.lag.is_some_and(|lag| lag > reasonable_lag)),
        (&mut facts.delayed, channel.delay > 0),
        (&mut facts.downtimed, downtimed),
        (&mut facts.semi_sync_replicas, replica.semi_sync.replica_enabled),
    ];
    for (count, applies) in counts {
        *count += u32::from(applies);
    }
    facts.is_co_source |= replica.is_co_source;
    if replica.log_bin && replica.log_replica_updates {
        facts.logging_replicas += 1;
        match replica.binlog_format.as_str() {
            "STATEMENT" => facts.statement_logging += 1,
            "MIXED" => facts.mixed_logging += 1,
            "ROW" => facts.row_logging += 1,
            _ => (),
        }
    }
    if !downtimed && replica.errant_gtid > facts.max_replica_errant {
        facts.max_replica_errant.clone_from(&replica.errant_gtid);
    }
}

/// Facts about all replicas together.
fn topology_facts(facts: &mut Facts, witnesses: &[Witness], instance: &Instance) {
    let replicas = || witnesses.iter().filter(|w| w.link.managed);
    let every_valid = |holds: fn(&Link) -> bool| {
        let mut valid = replicas().filter(|w| w.testimony != Testimony::Unreadable).peekable();
        valid.peek().is_some() && valid.all(|w| holds(&w.link))
    };
    facts.mysql_gtid_topology = every_valid(|link| link.channel.auto_position);
    facts.mariadb_gtid_topology = every_valid(|link| link.channel.uses_mariadb_gtid());
    facts.binlog_server_topology = every_valid(|link| link.replica.is_binlog_server());
    let modes = || replicas().map(|w| &w.link.replica.gtid_mode);
    // A server without replicas differs from none of them.
    facts.min_replica_gtid_mode = modes().min().unwrap_or(&instance.gtid_mode).clone();
    facts.max_replica_gtid_mode = modes().max().unwrap_or(&instance.gtid_mode).clone();
    let logging = replicas().filter(|w| w.link.replica.log_bin && w.link.replica.log_replica_updates);
    let mut versions: Vec<(u32, u32)> = logging.map(|w| w.link.replica.major_version()).collect();
    versions.sort_unstable();
    versions.dedup();
    facts.distinct_major_versions = u32::try_from(versions.len()).unwrap_or(u32::MAX);
}
